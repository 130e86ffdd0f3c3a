/* test/api/yaml_test.c: YAML to the tree, held against the JSON that Kubernetes makes of it. */
#include <stdlib.h>
#include "api/yaml.h"
#include "api/yaml_write.h"
#include "test/test.h"

static void check_at(int line, const char *yaml, const char *json)
{
    struct arena a = ARENA_INIT;
    struct json_error err = { 0 };
    struct json *j = NULL;
    struct buf out = BUF_INIT;

    if (yaml_parse(&a, str_of(yaml), &j, &err) != 0) {
        test_fail(__FILE__, line, "%u:%u: %s in:\n%s", err.line, err.column, err.text, yaml);
    } else {
        json_write(&out, j);
        if (!str_is(buf_str(&out), json))
            test_fail(__FILE__, line, "%.*s, not %s", STR_ARG(buf_str(&out)), json);
    }
    buf_release(&out);
    arena_release(&a);
}

static void check_error_at(int at, const char *yaml, int code, unsigned line, unsigned column,
                           const char *part)
{
    struct arena a = ARENA_INIT;
    struct json_error err = { 0 };
    struct json *j = NULL;
    int rc = yaml_parse(&a, str_of(yaml), &j, &err);

    if (rc != code || j != NULL || strstr(err.text, part) == NULL || err.line != line || err.column != column)
        test_fail(__FILE__, at, "%d %u:%u %s", rc, err.line, err.column, err.text);
    arena_release(&a);
}

#define YAML(yaml, json) check_at(__LINE__, yaml, json)
#define SCALAR(text, json) check_at(__LINE__, "- " text "\n", "[" json "]")
#define BAD(yaml, code, line, column, part) check_error_at(__LINE__, yaml, code, line, column, part)

TEST(words_are_booleans_and_nulls)
{
    SCALAR("true", "true");
    SCALAR("True", "true");
    SCALAR("TRUE", "true");
    SCALAR("yes", "true");
    SCALAR("Yes", "true");
    SCALAR("YES", "true");
    SCALAR("on", "true");
    SCALAR("On", "true");
    SCALAR("ON", "true");
    SCALAR("y", "true");
    SCALAR("Y", "true");
    SCALAR("false", "false");
    SCALAR("no", "false");
    SCALAR("NO", "false");
    SCALAR("off", "false");
    SCALAR("n", "false");
    SCALAR("N", "false");
    SCALAR("Off", "false");
    SCALAR("", "null");
    SCALAR("~", "null");
    SCALAR("null", "null");
    SCALAR("Null", "null");
    SCALAR("NULL", "null");
    SCALAR("nULL", "\"nULL\"");
    SCALAR("tRue", "\"tRue\"");
    SCALAR("yEs", "\"yEs\"");
    SCALAR("nil", "\"nil\"");
    SCALAR("'yes'", "\"yes\""); SCALAR("\"null\"", "\"null\""); SCALAR("''", "\"\""); SCALAR("'~'", "\"~\"");
}

TEST(integers_in_all_bases)
{
    SCALAR("0", "0");
    SCALAR("-0", "0");
    SCALAR("42", "42");
    SCALAR("+42", "42");
    SCALAR("-42", "-42");
    SCALAR("0x1F", "31");
    SCALAR("-0x10", "-16");
    SCALAR("017", "15");
    SCALAR("0644", "420");
    SCALAR("0o17", "15");
    SCALAR("0b101", "5");
    SCALAR("-0b11", "-3");
    SCALAR("1_000_000", "1000000");
    SCALAR("9223372036854775807", "9223372036854775807");
    SCALAR("-9223372036854775808", "-9223372036854775808");
    SCALAR("18446744073709551615", "18446744073709551615");
    SCALAR("18446744073709551616", "18446744073709552000");
    SCALAR("0x", "\"0x\"");
    SCALAR("0xg", "\"0xg\"");
    SCALAR("0b2", "\"0b2\"");
    SCALAR("+", "\"+\"");
    SCALAR("1 2", "\"1 2\"");
    SCALAR("12:30:45", "\"12:30:45\"");
    SCALAR("1.2.3", "\"1.2.3\"");
    SCALAR("'42'", "\"42\"");
    SCALAR("\"0x1F\"", "\"0x1F\"");
    SCALAR("500m", "\"500m\"");
    SCALAR("1Gi", "\"1Gi\"");
    SCALAR("10.0.0.1", "\"10.0.0.1\"");
}

TEST(floats_in_go_form)
{
    SCALAR("1.5", "1.5");
    SCALAR("-1.5", "-1.5");
    SCALAR(".5", "0.5");
    SCALAR("1.", "1");
    SCALAR("1.0", "1");
    SCALAR("1e3", "1000");
    SCALAR("1E+3", "1000");
    SCALAR("08", "8");
    SCALAR("0.1", "0.1");
    SCALAR("3.14159", "3.14159");
    SCALAR("1e20", "100000000000000000000");
    SCALAR("1e21", "1e+21");
    SCALAR("1.5e300", "1.5e+300");
    SCALAR("0.000001", "0.000001");
    SCALAR("0.0000001", "1e-7");
    SCALAR("123456.789", "123456.789");
    SCALAR("0.30000000000000004", "0.30000000000000004");
    SCALAR("1e999", "\"1e999\"");
    SCALAR("1e", "\"1e\"");
    SCALAR("e5", "\"e5\"");
    SCALAR(".", "\".\"");
    SCALAR("-.5", "-0.5");
    SCALAR("1_0.5", "10.5");
    SCALAR(".1_0", "\".1_0\"");
    SCALAR("-0.0", "-0");
    SCALAR("12345678901234567890.5", "12345678901234567000");
    SCALAR("2001-01-01", "\"2001-01-01\"");
    SCALAR("2001-12-14t21:59:43.10-05:00", "\"2001-12-14t21:59:43.10-05:00\"");
    BAD("a: .inf", E_INVALID, 1, 4, "JSON");
    BAD("a: -.Inf", E_INVALID, 1, 4, "JSON");
    BAD("a: .NaN", E_INVALID, 1, 4, "JSON");
}

TEST(structures)
{
    YAML("a: 1\nb:\n  - x\n  - q: z\n    w: [1, 'two', {k: v}]\nc: {}\nd: []\n",
         "{\"a\":1,\"b\":[\"x\",{\"q\":\"z\",\"w\":[1,\"two\",{\"k\":\"v\"}]}],\"c\":{},\"d\":[]}");
    YAML("s: |\n  line 1\n  line 2\nf: >-\n  folded\n  text\n",
         "{\"s\":\"line 1\\nline 2\\n\",\"f\":\"folded text\"}");
    YAML("m: |\n  42\n", "{\"m\":\"42\\n\"}");
    YAML("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"x\":[true,null,1.5]}",
         "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"x\":[true,null,1.5]}");
    YAML("\"a\\u00e9\\n\": \"\\x41\"", "{\"a\xc3\xa9\\n\":\"A\"}");
    YAML("# only a comment\n", "null");
    YAML("", "null");
    YAML("---\n", "null");
    YAML("---\n---\n# c\n---\na: 1\n", "{\"a\":1}");
    YAML("--- \na: 1\n---\n", "{\"a\":1}");
    YAML("just text", "\"just text\"");
    YAML("a: 1\n...\n", "{\"a\":1}");
    YAML("\xef\xbb\xbf" "a: 1\n", "{\"a\":1}");
}

TEST(keys_become_strings)
{
    YAML("y: 1\nn: 2\n", "{\"true\":1,\"false\":2}");       /* the trap that Kubernetes has too */
    YAML("1: a\ntrue: b\n1.50: c\n0x10: d\nyes: e\n'2': f\n",
         "{\"1\":\"a\",\"true\":\"e\",\"1.5\":\"c\",\"16\":\"d\",\"2\":\"f\"}");
    BAD("~: a\n", E_INVALID, 1, 1, "null");
    BAD("? [a]\n: b\n", E_INVALID, 1, 3, "scalar");
    BAD("? {a: b}\n: b\n", E_INVALID, 1, 3, "scalar");
    BAD("x: &a [1]\n? *a\n: b\n", E_INVALID, 2, 3, "scalar");
    YAML("x: &a k\n*a : b\n", "{\"x\":\"k\",\"k\":\"b\"}");
}

TEST(tags_choose_the_type)
{
    SCALAR("!!str 42", "\"42\"");
    SCALAR("!!str", "\"\"");
    SCALAR("!!int '42'", "42");
    SCALAR("!!float 5", "5");
    SCALAR("!!bool 'yes'", "true");
    SCALAR("!!null ''", "null");
    SCALAR("! 42", "\"42\"");
    SCALAR("!custom 42", "\"42\"");
    SCALAR("!!timestamp 2001-01-01", "\"2001-01-01\"");
    YAML("!!map {a: !!seq [1]}", "{\"a\":[1]}");
    BAD("a: !!int x", E_INVALID, 1, 4, "tag");
    BAD("a: !!bool 3", E_INVALID, 1, 4, "tag");
    BAD("a: !!binary aGk=", E_INVALID, 1, 4, "binary");
    BAD("a: !!int 1.5", E_INVALID, 1, 4, "tag");
}

TEST(anchors_and_merge_keys)
{
    YAML("a: &x {k: [1]}\nb: *x\nc: *x\n", "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]},\"c\":{\"k\":[1]}}");
    YAML("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
    YAML("base: &b {x: 1, w: 2}\nd:\n  <<: *b\n  w: 3\n",
         "{\"base\":{\"x\":1,\"w\":2},\"d\":{\"w\":3,\"x\":1}}");
    YAML("d:\n  w: 3\n  <<: {x: 1, w: 2}\n", "{\"d\":{\"w\":3,\"x\":1}}");
    YAML("p: &p {x: 1}\nq: &q {x: 2, w: 2}\nd: {<<: [*p, *q], z: 3}\n",
         "{\"p\":{\"x\":1},\"q\":{\"x\":2,\"w\":2},\"d\":{\"z\":3,\"x\":1,\"w\":2}}");
    YAML("d: {'<<': {x: 1}}\n", "{\"d\":{\"\\u003c\\u003c\":{\"x\":1}}}");
    YAML("- <<\n", "[\"\\u003c\\u003c\"]");
    YAML("a: &e\nb: *e\n", "{\"a\":null,\"b\":null}");
    BAD("a: *nope\n", E_INVALID, 1, 4, "unknown anchor");
    BAD("a: &x [*x]\n", E_INVALID, 1, 8, "contains itself");
    BAD("d: {<<: 3}\n", E_INVALID, 1, 10, "merge key"); BAD("d: {<<: [3]}\n", E_INVALID, 1, 12, "merge key");
    BAD("a: &x 1\n---\nb: *x\n", E_INVALID, 3, 4, "unknown anchor");
}

TEST(duplicate_keys_keep_the_last_and_are_flagged)
{
    struct arena a = ARENA_INIT;
    struct json *j = NULL;

    CHECK_INT(yaml_parse(&a, STR("a: 1\nb: 2\na: 3\n"), &j, NULL), 0);
    CHECK_INT(j->n, 2);
    CHECK_INT(json_i64_or(json_getz(j, "a"), 0), 3);
    CHECK(json_getz(j, "a")->flags & JSON_F_DUPLICATE);
    CHECK(!(json_getz(j, "b")->flags & JSON_F_DUPLICATE));
    arena_release(&a);
}

TEST(aliases_can_not_explode)
{
    struct buf b = BUF_INIT;

    buf_z(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        buf_fmt(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            buf_fmt(&b, "%s*a%d", k > 0 ? "," : "", i - 1);
        buf_z(&b, "]\n");
    }
    buf_char(&b, '\0');
    BAD(b.p, E_TOOBIG, 5, 38, "aliases");
    buf_clear(&b);
    buf_z(&b, "a0: &a0 []\n");                   /* deeper by alias than any text */
    buf_z(&b, "b: &b ");
    for (int i = 0; i < 300; i++)
        buf_char(&b, '[');
    for (int i = 0; i < 300; i++)
        buf_char(&b, ']');
    buf_z(&b, "\nc: ");
    for (int i = 0; i < 300; i++)
        buf_char(&b, '[');
    buf_z(&b, "*b");
    buf_char(&b, '\0');
    BAD(b.p, E_TOOBIG, 3, 304, "deep");
    buf_clear(&b);
    buf_z(&b, "m0: &m0 {k0: 0}\n");              /* each merges the one before */
    for (int i = 1; i < 900; i++)
        buf_fmt(&b, "m%d: &m%d {<<: *m%d, k%d: 0}\n", i, i, i - 1, i);
    buf_char(&b, '\0');
    struct arena a = ARENA_INIT;
    struct json *j = NULL;
    CHECK_INT(yaml_parse(&a, str_make(b.p, b.n - 1), &j, NULL), E_TOOBIG);
    CHECK(a.total < 64u << 20);
    arena_release(&a);
    buf_clear(&b);
    for (int i = 0; i < 1100; i++)
        buf_fmt(&b, "- &a%d x\n", i);
    buf_char(&b, '\0');
    BAD(b.p, E_TOOBIG, 1001, 3, "anchors");
    buf_release(&b);
}

TEST(depth_is_bounded)
{
    char text[JSON_MAX_DEPTH * 2 + 3];
    struct arena a = ARENA_INIT;
    struct json *j = NULL;

    memset(text, '[', JSON_MAX_DEPTH);
    memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
    CHECK_INT(yaml_parse(&a, str_make(text, 2 * JSON_MAX_DEPTH), &j, NULL), 0);
    memset(text, '[', sizeof text);
    CHECK_INT(yaml_parse(&a, str_make(text, sizeof text), &j, NULL), E_TOOBIG);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "- "[i & 1];
    CHECK_INT(yaml_parse(&a, str_make(text, sizeof text), &j, NULL), E_TOOBIG);
    arena_release(&a);
}

TEST(errors_say_what_and_where)
{
    BAD("a: 1\n b: 2\n", E_INVALID, 2, 3, "mapping values are not allowed");
    BAD("a: [1, 2\nb: 3\n", E_INVALID, 2, 2, "did not find expected ',' or ']'");
    BAD("a: \"x\n", E_INVALID, 2, 1, "quoted scalar");
    BAD("a:\n\t- b\n", E_INVALID, 2, 1, "cannot start any token");
    BAD("a: 1\nb: x\xff\n", E_INVALID, 2, 5, "UTF-8");
    BAD("a: \"\\q\"\n", E_INVALID, 1, 5, "escape");
    BAD("a: 1\n---\nb: 2\n", E_INVALID, 2, 1, "more than one document");
    BAD("a: \x01\n", E_INVALID, 1, 4, "control characters");
    BAD("%YAML 3.0\n---\na\n", E_INVALID, 1, 1, "incompatible");
}

TEST(all_documents)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct json *j = NULL;

    CHECK_INT(yaml_parse_all(&a, STR("---\na: 1\n---\n# nothing\n---\n- b\n---\nnull\n"), &j, NULL), 0);
    json_write(&out, j);
    CHECK_STR(buf_str(&out), "[{\"a\":1},[\"b\"]]");
    buf_clear(&out);
    CHECK_INT(yaml_parse_all(&a, STR(""), &j, NULL), 0);
    json_write(&out, j);
    CHECK_STR(buf_str(&out), "[]");
    buf_release(&out);
    arena_release(&a);
}

static const char deployment[] = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels: "
                                 "&labels\n    app: \"web\"\nspec:\n  replicas: 3\n"
                                 "  selector:\n    matchLabels:\n      <<: *labels\n  template:\n    "
                                 "metadata:\n      labels: *labels\n    spec:\n      containers:\n"
                                 "      - name: web\n        image: 'nginx:1.27'\n        command: [\"sh\", "
                                 "\"-c\", \"echo \\\"hi\\\"\"]\n        ports:\n        - containerPort: 80\n"
                                 "        env:\n        - {name: A, value: \"1\"}\n        - name: B\n       "
                                 "   value: |\n            some\n            text\n";

TEST(truncated_and_damaged_text_never_crashes)
{
    struct arena a = ARENA_INIT;
    struct json_error err;
    struct json *j;
    char text[sizeof deployment];
    static const char change[] = "&*{}[]:-\"'|#\n\t\xff%!<";

    for (size_t n = 0; n < sizeof deployment; n++) {
        char *exact = malloc(n + 1);
        memcpy(exact, deployment, n);
        yaml_parse(&a, str_make(exact, n), &j, &err);
        free(exact);
        arena_reset(&a);
    }
    memcpy(text, deployment, sizeof text);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        text[i] = change[i % (sizeof change - 1)];
        yaml_parse(&a, str_make(text, sizeof text - 1), &j, &err);
        text[i] = deployment[i];
        arena_reset(&a);
    }
    CHECK_INT(yaml_parse(&a, STR(deployment), &j, &err), 0);
    CHECK_STR(json_path_str(j, "spec.selector.matchLabels.app"), "web");
    CHECK_STR(json_path_str(j, "spec.template.spec.containers.0.env.1.value"), "some\ntext\n");
    arena_release(&a);
}

/* What YAML would misread, and what only JSON allows in a string. */
TEST(written_yaml_reads_back)
{
    static const char *const texts[] = {
        "",
        "a",
        "yes",
        "N",
        "~",
        "null",
        "Null",
        "1",
        "0x1f",
        "1e3",
        ".5",
        "-",
        "- a",
        "a: b",
        "a #b",
        "#",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "{",
        "[",
        "]",
        ",",
        "?",
        ": ",
        "'",
        "\"",
        "\\",
        "a\nb",
        "a\tb",
        " a",
        "a ",
        "\x7f",
        "\xc2\x85",
        "\xef\xbb\xbf"
        "a",
        "\xef\xbf\xbe",
        "\xc2\xa0",
        "\xe2\x80\xa8",
        "2001-01-01",
        "<<",
        "=",
        ".inf",
        "---",
        "...",
        "true",
        "\xf0\x9f\x98\x80",
        "\x01",
    };
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct json *o = json_object(&a), *j = NULL, *arr = json_setz(&a, o, "arr", json_array(&a));
    char *long_key = arena_alloc(&a, 3001);

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_setz(&a, o, texts[i], json_string_ref(&a, str_of(texts[i])));
        json_push(arr, json_string_ref(&a, str_of(texts[i])));
    }
    memset(long_key, 'k', 3000);
    long_key[3000] = '\0';
    json_setz(&a, json_setz(&a, o, "deeper", json_object(&a)), long_key, json_array(&a));
    json_setz(&a, json_setz(&a, o, long_key, json_object(&a)), "x", json_object(&a));
    yaml_write(&out, o);
    CHECK_INT(yaml_parse(&a, buf_str(&out), &j, NULL), 0);
    CHECK(json_equal(o, j));
    buf_release(&out);
    arena_release(&a);
}
