/* test/api/merge_patch_test.c: RFC 7386, its appendix of examples, and large objects. */
#include "api/merge_patch.h"
#include "test/test.h"

static void check_at(int line, const char *target, const char *patch, const char *want)
{
    struct arena a = ARENA_INIT;
    struct json *t = NULL, *p = NULL, *r;
    struct buf out = BUF_INIT;

    must_ok(json_parse(&a, str_of(target), &t, NULL));
    must_ok(json_parse(&a, str_of(patch), &p, NULL));
    r = merge_patch_apply(&a, t, p);
    json_write(&out, r);
    if (!str_is(buf_str(&out), want))
        test_fail(__FILE__, line, "%.*s, not %s", STR_ARG(buf_str(&out)), want);
    buf_clear(&out);
    json_write(&out, p);
    if (!str_is(buf_str(&out), patch))
        test_fail(__FILE__, line, "the patch changed: %.*s", STR_ARG(buf_str(&out)));
    buf_release(&out);
    arena_release(&a);
}

#define MERGE(target, patch, want) check_at(__LINE__, target, patch, want)

TEST(examples_of_the_rfc)
{
    MERGE("{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    MERGE("{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}");
    MERGE("{\"a\":\"b\"}", "{\"a\":null}", "{}");
    MERGE("{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}");
    MERGE("{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    MERGE("{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}");
    MERGE("{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}");
    MERGE("{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}");
    MERGE("[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]");
    MERGE("{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]");
    MERGE("{\"a\":\"foo\"}", "null", "null");
    MERGE("{\"a\":\"foo\"}", "\"bar\"", "\"bar\"");
    MERGE("{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}");
    MERGE("[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}");
    MERGE("{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}");
}

TEST(more_cases)
{
    MERGE("{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":null}", "{\"a\":1,\"b\":2}");
    MERGE("{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":null,\"d\":4}", "{\"a\":1,\"b\":2,\"d\":4}");
    MERGE("{\"a\":1}", "{\"a\":null,\"b\":null}", "{}");
    MERGE("{\"a\":1}", "{\"a\":{\"x\":null,\"y\":[null,{\"z\":null}]}}",
          "{\"a\":{\"y\":[null,{\"z\":null}]}}");
    MERGE("{\"a\":{\"x\":1}}", "{\"a\":{}}", "{\"a\":{\"x\":1}}");
    MERGE("{\"a\":[]}", "{\"a\":{}}", "{\"a\":{}}");
    MERGE("{\"a\":true}", "{\"a\":false}", "{\"a\":false}");
}

TEST(nothing_there_before)
{
    struct arena a = ARENA_INIT;
    struct json *p = NULL, *r;

    must_ok(json_parse(&a, STR("{\"a\":{\"b\":null,\"c\":1}}"), &p, NULL));
    r = merge_patch_apply(&a, NULL, p);
    CHECK_INT(json_path_i64(r, "a.c", 0), 1);
    CHECK(json_path(r, "a.b") == NULL);
    arena_release(&a);
}

TEST(large_maps_merge_quickly)
{
    struct arena a = ARENA_INIT;
    struct buf t = BUF_INIT, p = BUF_INIT;
    struct json *jt = NULL, *jp = NULL;

    for (int i = 0; i < 100000; i++) {
        buf_fmt(&t, "%c\"k%d\":%d", i == 0 ? '{' : ',', i, i);
        buf_fmt(&p, "%c\"k%d\":%s", i == 0 ? '{' : ',', 149999 - i, i % 2 == 0 ? "null" : "1");
    }
    buf_char(&t, '}');
    buf_char(&p, '}');
    must_ok(json_parse(&a, buf_str(&t), &jt, NULL));
    must_ok(json_parse(&a, buf_str(&p), &jp, NULL));
    jt = merge_patch_apply(&a, jt, jp);
    CHECK_INT(jt->n, 100000 - 25000 + 25000);
    CHECK_INT(json_i64_or(json_getz(jt, "k50000"), -1), 1);
    CHECK(json_getz(jt, "k50001") == NULL);
    CHECK_INT(json_i64_or(json_getz(jt, "k49999"), -1), 49999);
    buf_release(&t);
    buf_release(&p);
    arena_release(&a);
}
