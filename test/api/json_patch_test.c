/* test/api/json_patch_test.c: RFC 6902 with its examples (appendix A), bounds and refusals. */
#include "api/json_patch.h"
#include "test/test.h"

static int apply(struct arena *a, const char *doc, struct str patch, struct json **ret, struct errbuf *err)
{
    struct json *d = NULL, *p = NULL;

    must_ok(json_parse(a, str_of(doc), &d, NULL));
    must_ok(json_parse(a, patch, &p, NULL));
    err->s[0] = '\0';
    return json_patch_apply(a, d, p, ret, err);
}

static void good_at(int line, const char *doc, const char *patch, const char *want)
{
    struct arena a = ARENA_INIT;
    struct json *j = NULL, *w = NULL;
    struct buf out = BUF_INIT;
    struct errbuf err;

    must_ok(json_parse(&a, str_of(want), &w, NULL));
    if (apply(&a, doc, str_of(patch), &j, &err) != 0) {
        test_fail(__FILE__, line, "%s", err.s);
    } else if (!json_equal(j, w)) {
        json_write(&out, j);
        test_fail(__FILE__, line, "%.*s, not %s", STR_ARG(buf_str(&out)), want);
    }
    buf_release(&out);
    arena_release(&a);
}

static void bad_at(int line, const char *doc, const char *patch, int code, const char *part)
{
    struct arena a = ARENA_INIT;
    struct json *j = NULL;
    struct errbuf err;
    int rc = apply(&a, doc, str_of(patch), &j, &err);

    if (rc != code || j != NULL || strstr(err.s, part) == NULL)
        test_fail(__FILE__, line, "%d: %s", rc, err.s);
    arena_release(&a);
}

#define GOOD(doc, patch, want) good_at(__LINE__, doc, patch, want)
#define BAD(doc, patch, code, part) bad_at(__LINE__, doc, patch, code, part)

TEST(examples_of_the_rfc)
{
    GOOD("{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
         "{\"baz\":\"qux\",\"foo\":\"bar\"}");
    GOOD("{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
         "{\"foo\":[\"bar\",\"qux\",\"baz\"]}");
    GOOD("{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}");
    GOOD("{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
         "{\"foo\":[\"bar\",\"baz\"]}");
    GOOD("{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
         "{\"baz\":\"boo\",\"foo\":\"bar\"}");
    GOOD("{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
         "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
         "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}");
    GOOD("{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
         "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
         "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}");
    GOOD("{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
         "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},{\"op\":\"test\",\"path\":\"/foo/"
         "1\",\"value\":2}]",
         "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}");
    BAD("{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]", E_CONFLICT,
        "testing value /baz failed: test failed");
    GOOD("{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
         "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}");
    GOOD("{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
         "{\"foo\":\"bar\",\"baz\":\"qux\"}");
    BAD("{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", E_CONFLICT,
        "missing value");
    GOOD("{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]", "{\"/\":9,\"~1\":10}");
    BAD("{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]", E_CONFLICT,
        "test failed");
    GOOD("{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",
         "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}");
}

TEST(places)
{
    GOOD("{\"a\":1}", "[]", "{\"a\":1}");
    GOOD("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":[1]}]", "[1]");
    GOOD("{\"a\":1}",
         "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"b\":2}},{\"op\":\"add\",\"path\":\"/"
         "c\",\"value\":3}]",
         "{\"b\":2,\"c\":3}");
    GOOD("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/\",\"value\":2}]", "{\"a\":1,\"\":2}");
    GOOD("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":2}]", "{\"a\":2}");
    GOOD("[]",
         "[{\"op\":\"add\",\"path\":\"/0\",\"value\":1},{\"op\":\"add\",\"path\":\"/"
         "0\",\"value\":0},{\"op\":\"add\",\"path\":\"/2\",\"value\":2}]",
         "[0,1,2]");
    GOOD("[0,1,2]", "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":9}]", "[0,9,2]");
    GOOD("{\"a/b\":{\"c~d\":1}}", "[{\"op\":\"replace\",\"path\":\"/a~1b/c~0d\",\"value\":2}]",
         "{\"a/b\":{\"c~d\":2}}");
    GOOD("{\"a\":{\"b\":1}}",
         "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},{\"op\":\"add\",\"path\":\"/c/b\",\"value\":2}]",
         "{\"a\":{\"b\":1},\"c\":{\"b\":2}}");
    GOOD("{\"a\":{\"b\":1}}", "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a/c\"}]",
         "{\"a\":{\"b\":1,\"c\":{\"a\":{\"b\":1}}}}");
    GOOD("{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/a\"}]", "{\"a\":1}");
    GOOD("{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1}");
    GOOD(
        "{\"a\":null}",
        "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null},{\"op\":\"test\",\"path\":\"/b\",\"value\":null}]",
        "{\"a\":null}");
    GOOD("{\"a\":1.0}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]", "{\"a\":1}");
    GOOD("{\"a\":{\"x\":1,\"y\":2}}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"y\":2,\"x\":1}}]",
         "{\"a\":{\"x\":1,\"y\":2}}");
}

TEST(what_does_not_fit_is_a_conflict)
{
    BAD("{}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", E_CONFLICT, "nonexistent key: a");
    BAD("{}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]", E_CONFLICT, "missing");
    BAD("[1]", "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":1}]", E_CONFLICT, "missing");
    BAD("[1]", "[{\"op\":\"remove\",\"path\":\"/1\"}]", E_CONFLICT, "invalid index: 1");
    BAD("[1]", "[{\"op\":\"remove\",\"path\":\"/-\"}]", E_CONFLICT, "invalid index: -");
    BAD("[1]", "[{\"op\":\"add\",\"path\":\"/3\",\"value\":1}]", E_CONFLICT, "invalid index: 3");
    BAD("[1]", "[{\"op\":\"add\",\"path\":\"/-1\",\"value\":1}]", E_CONFLICT, "invalid index");
    BAD("[1,2]", "[{\"op\":\"add\",\"path\":\"/01\",\"value\":1}]", E_CONFLICT, "invalid index");
    BAD("[1]", "[{\"op\":\"add\",\"path\":\"/1e0\",\"value\":1}]", E_CONFLICT, "invalid index");
    BAD("[1]", "[{\"op\":\"add\",\"path\":\"/99999999999999999999\",\"value\":1}]", E_CONFLICT,
        "invalid index");
    BAD("[1]", "[{\"op\":\"add\",\"path\":\"/\",\"value\":1}]", E_CONFLICT, "invalid index");
    BAD("{\"a\":\"x\"}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]", E_CONFLICT, "missing value");
    BAD("{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", E_CONFLICT, "into itself");
    BAD("{}", "[{\"op\":\"move\",\"from\":\"/x\",\"path\":\"/x\"}]", E_CONFLICT, "missing");
    BAD("{}", "[{\"op\":\"copy\",\"from\":\"/x\",\"path\":\"/y\"}]", E_CONFLICT, "missing");
    BAD("{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"\"}]", E_CONFLICT, "whole document");
    BAD("{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/b\",\"value\":1}]", E_CONFLICT, "test failed");
    BAD("{\"a\":1}", "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/b\"}]", E_CONFLICT, "into itself");
    GOOD("{\"ab\":1,\"a\":2}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab\"}]", "{\"ab\":2}");
}

TEST(malformed_patches_are_invalid)
{
    BAD("{}", "{}", E_INVALID, "array");
    BAD("{}", "[1]", E_INVALID, "object");
    BAD("{}", "[{}]", E_INVALID, "kind");
    BAD("{}", "[{\"op\":\"frob\",\"path\":\"/a\"}]", E_INVALID, "Unexpected kind: frob");
    BAD("{}", "[{\"op\":\"add\",\"value\":1}]", E_INVALID, "no path");
    BAD("{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", E_INVALID, "no value");
    BAD("{}", "[{\"op\":\"add\",\"path\":1,\"value\":1}]", E_INVALID, "no path");
    BAD("{}", "[{\"op\":\"copy\",\"path\":\"/a\"}]", E_INVALID, "no from");
    BAD("{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", E_INVALID, "pointer");
    BAD("{}", "[{\"op\":\"add\",\"path\":\"/a~\",\"value\":1}]", E_INVALID, "pointer");
    BAD("{}", "[{\"op\":\"add\",\"path\":\"/a~2\",\"value\":1}]", E_INVALID, "pointer");
    BAD("{}", "[{\"op\":1,\"path\":\"/a\",\"value\":1}]", E_INVALID, "kind");
}

TEST(patches_can_not_explode)
{
    struct arena a = ARENA_INIT;
    struct buf b = BUF_INIT, path = BUF_INIT, doc = BUF_INIT;
    struct errbuf err;
    struct json *j = NULL;

    buf_z(&b, "[{\"op\":\"test\",\"path\":\"\",\"value\":{}}");
    for (unsigned i = 0; i < JSON_PATCH_MAX_OPS; i++)
        buf_z(&b, ",{\"op\":\"test\",\"path\":\"\",\"value\":{}}");
    buf_char(&b, ']');
    CHECK_INT(apply(&a, "{}", buf_str(&b), &j, &err), E_TOOBIG);
    CHECK(strstr(err.s, "allowed maximum operations in a JSON patch is 10000, got 10001") != NULL);

    /* Doubling: a document within itself again and again. */
    buf_clear(&b);
    for (unsigned i = 0; i < 60; i++)
        buf_fmt(&b, "%c{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a%u\"}", i == 0 ? '[' : ',', i);
    buf_char(&b, ']');
    CHECK_INT(apply(&a, "{\"x\":1}", buf_str(&b), &j, &err), E_TOOBIG);
    CHECK(strstr(err.s, "accumulated size increase of copy") != NULL);
    CHECK(arena_used(&a) < 100u << 20);

    /* Doubling the depth. */
    buf_clear(&b);
    buf_char(&path, '/');
    buf_char(&path, 'a');
    for (unsigned i = 0; i < 12; i++) {
        size_t n = path.n;

        buf_fmt(&b, "%c{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"%.*s/a\"}", i == 0 ? '[' : ',',
                (int)path.n, path.p);
        buf_reserve(&path, n + 2);
        buf_add(&path, path.p, n);
    }
    buf_char(&b, ']');
    CHECK_INT(apply(&a, "{\"a\":{}}", buf_str(&b), &j, &err), E_TOOBIG);
    CHECK(strstr(err.s, "deep") != NULL);

    /* Walking a long list for each operation. */
    buf_clear(&b);
    buf_char(&doc, '[');
    for (unsigned i = 0; i < 100000; i++)
        buf_z(&doc, "0,");
    buf_z(&doc, "0]");
    buf_char(&doc, '\0');
    for (unsigned i = 0; i < 5000; i++)
        buf_fmt(&b, "%c{\"op\":\"replace\",\"path\":\"/99999\",\"value\":1}", i == 0 ? '[' : ',');
    buf_char(&b, ']');
    CHECK_INT(apply(&a, doc.p, buf_str(&b), &j, &err), E_TOOBIG);
    CHECK(strstr(err.s, "steps") != NULL);
    buf_release(&b);
    buf_release(&path);
    buf_release(&doc);
    arena_release(&a);
}
