/* test/api/selector_test.c: label and field selectors, against trees and against text. */
#include "api/json_scan.h"
#include "api/selector.h"
#include "test/test.h"

/* Matches the tree and the text, which must agree. */
static bool both(struct arena *a, const struct selector *s, const char *labels)
{
    struct json *j = NULL;
    bool tree, text;

    must_ok(json_parse(a, str_of(labels), &j, NULL));
    tree = selector_matches(s, j);
    text = selector_matches_text(s, str_of(labels));
    if (tree != text)
        test_fail(__FILE__, __LINE__, "tree %d, text %d for %s", tree, text, labels);
    return tree;
}

static void match_at(int line, const char *selector, const char *labels, bool want)
{
    struct arena a = ARENA_INIT;
    struct selector s;
    struct errbuf err;

    if (selector_parse(&a, str_of(selector), &s, &err) != 0)
        test_fail(__FILE__, line, "%s: %s", selector, err.s);
    else if (both(&a, &s, labels) != want)
        test_fail(__FILE__, line, "%s on %s", selector, labels);
    arena_release(&a);
}

static void bad_at(int line, const char *selector, const char *part)
{
    struct arena a = ARENA_INIT;
    struct selector s;
    struct errbuf err = { "" };

    if (selector_parse(&a, str_of(selector), &s, &err) != E_INVALID || strstr(err.s, part) == NULL)
        test_fail(__FILE__, line, "%s: %s", selector, err.s);
    arena_release(&a);
}

#define YES(selector, labels) match_at(__LINE__, selector, labels, true)
#define NO(selector, labels) match_at(__LINE__, selector, labels, false)
#define BAD(selector, part) bad_at(__LINE__, selector, part)

TEST(label_selectors_match)
{
    YES("", "{}");
    YES(" ", "{\"a\":\"b\"}");
    YES("a=b", "{\"a\":\"b\"}");
    YES("a==b", "{\"x\":\"y\",\"a\":\"b\"}");
    NO("a=b", "{\"a\":\"c\"}");
    NO("a=b", "{}");
    YES("a!=b", "{}");
    YES("a!=b", "{\"a\":\"c\"}");
    NO("a!=b", "{\"a\":\"b\"}");
    YES("a", "{\"a\":\"\"}");
    NO("a", "{\"b\":\"a\"}");
    YES("!a", "{}");
    NO("!a", "{\"a\":\"x\"}");
    YES("a in (x,y)", "{\"a\":\"y\"}");
    NO("a in (x,y)", "{\"a\":\"z\"}");
    NO("a in (x,y)", "{}");
    YES("a notin (x, y)", "{}");
    NO("a notin (x,y)", "{\"a\":\"x\"}");
    YES("a notin (x,y)", "{\"a\":\"z\"}");
    YES(" a = b , c = d ", "{\"a\":\"b\",\"c\":\"d\"}");
    NO("a=b,c=d", "{\"a\":\"b\"}");
    YES("a=", "{\"a\":\"\"}");
    NO("a=", "{}");
    YES("a=,b=1", "{\"a\":\"\",\"b\":\"1\"}");
    YES("a in (,x)", "{\"a\":\"\"}");
    YES("a in (x,)", "{\"a\":\"\"}");
    NO("a in (x)", "{\"a\":\"\"}");
    YES("a>3", "{\"a\":\"4\"}");
    NO("a>3", "{\"a\":\"3\"}");
    NO("a>3", "{\"a\":\"x\"}");
    NO("a>3", "{}");
    YES("a<5", "{\"a\":\"-4\"}");
    YES("example.com/a=b", "{\"example.com/a\":\"b\"}");
    YES("in=notin", "{\"in\":\"notin\"}");
    YES("in in (in,notin)", "{\"in\":\"in\"}");
    YES("a in (z,y,x,w,v,u,t)", "{\"a\":\"t\"}");
    YES("a in (z,y,x,w,v,u,t)", "{\"a\":\"z\"}");
    YES("\ta\n in\r(b)", "{\"a\":\"b\"}");
    YES("a,!b,c notin (d)", "{\"a\":\"1\",\"c\":\"e\"}");
    NO("a in (true)", "{\"a\":\"false\"}"); YES("a=b", "{\"x\":\"\\\"a\\\":\\\"c\",\"a\":\"b\"}");
}

TEST(label_selectors_refused)
{
    BAD("x (", "unable to parse requirement: found '(', expected: in, notin, =, ==, !=, gt, lt");
    BAD("a IN (b)", "found 'IN', expected: in, notin");
    BAD("e!!!!!ss", "found '!', expected: in, notin");
    BAD("a=b,", "found '', expected: identifier after ','");
    BAD(",", "found ',', expected: !, identifier, or 'end of string'");
    BAD("a=b c", "found 'c', expected: ',' or 'end of string'");
    BAD("!", "found '', expected: identifier");
    BAD("!!a", "found '!', expected: identifier");
    BAD("!a=b", "found '=', expected: ',' or 'end of string'");
    BAD("a in b", "expected: '('");
    BAD("a in (b", "expected: ',' or ')'");
    BAD("a in (b c)", "found 'c', expected: ',' or ')'");
    BAD("a in ()", "values set can't be empty");
    BAD("a in", "expected: '('");
    BAD("a=(b)", "found '(', expected: identifier");
    BAD("=b", "found '=', expected: !");
    BAD("a===b", "expected: identifier");
    BAD("a=b=c", "found '=', expected: ','");
    BAD("-a=b", "Invalid value: \"-a\"");
    BAD("a/b/c=d", "qualified name");
    BAD("a=-b", "Invalid value: \"-b\"");
    BAD("a=b!", "found '!'");
    BAD("a>x", "must be an integer");
    BAD("a>", "must be an integer");
    BAD("a=0123456789012345678901234567890123456789012345678901234567890123", "63");
    BAD("a,,b", "expected: identifier after ','");
    BAD("a=b)", "found ')'");
    BAD("(a)", "found '('");
    BAD("a=b%", "Invalid value");
    BAD("a in ((b))", "found '('");
}

static bool object_matches(const char *selector, const char *labels)
{
    struct arena a = ARENA_INIT;
    struct json *j = NULL;
    struct selector s;
    bool r;

    must_ok(json_parse(&a, str_of(selector), &j, NULL));
    must_ok(selector_from_json(&a, j, &s, NULL));
    r = both(&a, &s, labels);
    arena_release(&a);
    return r;
}

static void object_bad_at(int line, const char *selector, const char *part)
{
    struct arena a = ARENA_INIT;
    struct json *j = NULL;
    struct selector s;
    struct errbuf err = { "" };

    must_ok(json_parse(&a, str_of(selector), &j, NULL));
    if (selector_from_json(&a, j, &s, &err) != E_INVALID || strstr(err.s, part) == NULL)
        test_fail(__FILE__, line, "%s: %s", selector, err.s);
    arena_release(&a);
}

#define OBJECT_BAD(selector, part) object_bad_at(__LINE__, selector, part)

TEST(label_selector_objects)
{
    CHECK(object_matches("{}", "{\"a\":\"b\"}"));
    CHECK(!object_matches("null", "{\"a\":\"b\"}"));
    CHECK(object_matches("{\"matchLabels\":{\"a\":\"b\"}}", "{\"a\":\"b\"}"));
    CHECK(!object_matches("{\"matchLabels\":{\"a\":\"b\"}}", "{\"a\":\"c\"}"));
    CHECK(object_matches("{\"matchLabels\":{\"a\":\"b\"},\"matchExpressions\":[{\"key\":\"c\",\"operator\":"
                         "\"In\",\"values\":[\"z\",\"d\"]}]}",
                         "{\"a\":\"b\",\"c\":\"d\"}"));
    CHECK(
        !object_matches("{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"NotIn\",\"values\":[\"d\"]}]}",
                        "{\"c\":\"d\"}"));
    CHECK(object_matches("{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"NotIn\",\"values\":[\"d\"]}]}",
                         "{}"));
    CHECK(object_matches("{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"Exists\"},{\"key\":\"e\","
                         "\"operator\":\"DoesNotExist\"}]}",
                         "{\"c\":\"\"}"));
    OBJECT_BAD("{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"Like\",\"values\":[\"d\"]}]}",
               "\"Like\" is not a valid label selector operator");
    OBJECT_BAD("{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"Gt\",\"values\":[\"1\"]}]}",
               "not a valid label selector operator");
    OBJECT_BAD("{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"In\"}]}", "matchExpressions[0]: values");
    OBJECT_BAD("{\"matchExpressions\":[{\"operator\":\"Exists\"}]}", "name part must be non-empty");
    OBJECT_BAD("{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"Exists\",\"values\":[\"d\"]}]}",
               "must be empty");
    OBJECT_BAD("{\"matchLabels\":{\"a\":1}}", "string");
    OBJECT_BAD("{\"matchLabels\":{\"a b\":\"c\"}}", "Invalid value: \"a b\"");
    OBJECT_BAD("[]", "object");
    OBJECT_BAD("{\"matchExpressions\":[1]}", "operator");
}

TEST(maps_and_node_terms)
{
    struct arena a = ARENA_INIT;
    struct json *j = NULL;
    struct selector s;

    must_ok(json_parse(&a, STR("{\"app\":\"web\",\"tier\":\"a\"}"), &j, NULL));
    selector_from_map(&a, j, &s);
    CHECK(both(&a, &s, "{\"tier\":\"a\",\"app\":\"web\",\"x\":\"y\"}") && !both(&a, &s, "{\"app\":\"web\"}"));
    selector_from_map(&a, json_object(&a), &s);
    CHECK(!both(&a, &s, "{}"));
    selector_from_map(&a, NULL, &s);
    CHECK(!both(&a, &s, "{\"a\":\"b\"}") && !selector_is_everything(&s));
    must_ok(json_parse(&a, STR("[{\"key\":\"cores\",\"operator\":\"Gt\",\"values\":[\"8\"]}]"), &j, NULL));
    CHECK_INT(selector_from_node_term(&a, j, &s, NULL), 0);
    CHECK(both(&a, &s, "{\"cores\":\"16\"}") && !both(&a, &s, "{\"cores\":\"8\"}") &&
          !both(&a, &s, "{\"cores\":\"many\"}"));
    must_ok(
        json_parse(&a, STR("[{\"key\":\"cores\",\"operator\":\"Lt\",\"values\":[\"8\",\"9\"]}]"), &j, NULL));
    CHECK_INT(selector_from_node_term(&a, j, &s, NULL), E_INVALID);
    CHECK_INT(selector_from_node_term(&a, NULL, &s, NULL), 0);
    CHECK(!selector_matches(&s, NULL) && !selector_matches_text(&s, STR_NONE));
    s = SELECTOR_EVERYTHING;
    CHECK(selector_matches(&s, NULL) && selector_matches_text(&s, STR_NONE) && selector_is_everything(&s));
    arena_release(&a);
}

static const char pod[] =
    "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\\\"b\",\"labels\":{\"x\":\"{}\"},\"namespace\":\"default\"}"
    ",\"spec\":{\"hostNetwork\":true,\"list\":[{\"nodeName\":\"no\"},"
    "\"]\"],\"nodeName\":\"n=1,2\\\\\",\"priority\":7},\"status\":{\"phase\":\"Running\",\"x\":null}}";

static void field_at(int line, const char *selector, bool want)
{
    struct arena a = ARENA_INIT;
    struct field_selector s;
    struct json *j = NULL;
    struct errbuf err;

    must_ok(json_parse(&a, str_of(pod), &j, NULL));
    if (field_selector_parse(&a, str_of(selector), &s, &err) != 0)
        test_fail(__FILE__, line, "%s: %s", selector, err.s);
    else if (field_selector_matches(&s, j) != want || field_selector_matches_text(&s, str_of(pod)) != want)
        test_fail(__FILE__, line, "%s: tree %d, text %d", selector, field_selector_matches(&s, j),
                  field_selector_matches_text(&s, str_of(pod)));
    arena_release(&a);
}

#define FIELD(selector, want) field_at(__LINE__, selector, want)

TEST(field_selectors)
{
    struct arena a = ARENA_INIT;
    struct field_selector s;
    struct errbuf err;

    FIELD("", true);
    FIELD("metadata.namespace=default", true);
    FIELD("metadata.namespace==default", true);
    FIELD("metadata.namespace!=default", false);
    FIELD("metadata.namespace=x", false);
    FIELD("metadata.namespace!=x", true);
    FIELD("status.phase=Running,metadata.namespace=default", true);
    FIELD("status.phase=Running,metadata.namespace=x", false);
    FIELD("metadata.name=a\"b", true);
    FIELD("spec.nodeName=n\\=1\\,2\\\\", true);
    FIELD("spec.nodeName!=n\\=1\\,2\\\\", false);
    FIELD("spec.hostNetwork=true", true);
    FIELD("spec.hostNetwork=false", false);
    FIELD("spec.priority=7", true);
    FIELD("status.x=", true);
    FIELD("status.nope=", true);
    FIELD("status.nope!=", false);
    FIELD("status.nope!=x", true);
    FIELD("metadata.labels=", true);
    FIELD(",,status.phase=Running,", true);
    CHECK_INT(field_selector_parse(&a, STR("abc"), &s, &err), E_INVALID);
    CHECK(strcmp(err.s, "invalid selector: 'abc'; can't understand 'abc'") == 0);
    CHECK_INT(field_selector_parse(&a, STR("a=b=c"), &s, &err), E_INVALID);
    CHECK_INT(field_selector_parse(&a, STR("a=b\\c"), &s, &err), E_INVALID);
    CHECK(strstr(err.s, "invalid escape sequence: \\c") != NULL);
    CHECK_INT(field_selector_parse(&a, STR("a=b\\"), &s, &err), E_INVALID);
    CHECK_INT(field_selector_parse(&a, STR("spec.nodeName=n1,metadata.name!=x"), &s, &err), 0);
    CHECK_STR(*field_selector_exact(&s, "spec.nodeName"), "n1");
    CHECK(field_selector_exact(&s, "metadata.name") == NULL);
    arena_release(&a);
}

static uint32_t draw(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

/* Brackets, quotes and backslashes where they mean nothing. */
static void put_random_string(struct buf *b, uint32_t *seed)
{
    static const char *const parts[] = { "\\\\", "\\\"", "{", "}", "[", "]", ",", ":", "x", "\\\\\\\"", "abcdefghijklmnop" };

    buf_char(b, '"');
    for (uint32_t n = draw(seed, 12); n > 0; n--)
        buf_z(b, parts[draw(seed, ARRAY_LEN(parts))]);
    buf_char(b, '"');
}

static void put_random(struct buf *b, uint32_t *seed, unsigned depth)
{
    uint32_t what = draw(seed, depth > 0 ? 4 : 2), n = draw(seed, 5);

    if (what == 0)
        buf_z(b, "-17");
    else if (what == 1)
        put_random_string(b, seed);
    else
        buf_char(b, what == 2 ? '[' : '{');
    for (uint32_t i = 0; what >= 2 && i < n; i++) {
        if (i > 0)
            buf_char(b, ',');
        if (what == 3) {
            put_random_string(b, seed);
            buf_char(b, ':');
        }
        put_random(b, seed, depth - 1);
    }
    if (what >= 2)
        buf_char(b, what == 2 ? ']' : '}');
}

TEST(any_value_is_stepped_over)
{
    for (uint32_t round = 0; round < 3000; round++) {
        struct buf text = BUF_INIT, value = BUF_INIT;
        uint32_t   seed = round;
        struct str found, exact;
        char      *copy;
        struct arena a = ARENA_INIT;

        put_random(&value, &seed, 5);
        buf_fmt(&text, "{\"a\":%.*s,\"b\":%.*s,\"c\":1}", (int)value.n, value.p, (int)value.n, value.p);
        copy = mem_alloc(text.n);                /* nothing is touched behind it */
        memcpy(copy, text.p, text.n);
        exact = str_make(copy, text.n);
        CHECK(json_scan_path(exact, "b", &found) && str_eq(found, buf_str(&value)));
        CHECK(json_scan_path(exact, "c", &found) && str_is(found, "1"));
        CHECK(!json_scan_path(exact, "d", &found));
        CHECK(json_scan_path(json_scan_without(&a, exact, "a"), "b", &found) && str_eq(found, buf_str(&value)));
        CHECK(json_scan_without(&a, exact, "d").p == copy);
        mem_free(copy);
        arena_release(&a);
        buf_release(&text);
        buf_release(&value);
    }
}

TEST(members_are_cut_out_of_text)
{
    static const char text[] = "{\"m\":{\"a\":1,\"b\":{\"x\":[]},\"c\":3},\"z\":{\"one\":{}}}";
    static const char *const cases[][2] = {
        { "m.a", "{\"m\":{\"b\":{\"x\":[]},\"c\":3},\"z\":{\"one\":{}}}" },
        { "m.b", "{\"m\":{\"a\":1,\"c\":3},\"z\":{\"one\":{}}}" },
        { "m.c", "{\"m\":{\"a\":1,\"b\":{\"x\":[]}},\"z\":{\"one\":{}}}" },
        { "z.one", "{\"m\":{\"a\":1,\"b\":{\"x\":[]},\"c\":3},\"z\":{}}" },
        { "m", "{\"z\":{\"one\":{}}}" },
        { "z", "{\"m\":{\"a\":1,\"b\":{\"x\":[]},\"c\":3}}" },
        { "m.nope", "{\"m\":{\"a\":1,\"b\":{\"x\":[]},\"c\":3},\"z\":{\"one\":{}}}" },
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(json_scan_without(&a, STR(text), cases[i][0]), cases[i][1]);
    for (size_t n = 0; n < sizeof text; n++)
        json_scan_without(&a, arena_str(&a, str_make(text, n)), "m.b");
    arena_release(&a);
}

TEST(values_are_found_in_text)
{
    struct str v;

    CHECK(json_scan_path(STR(pod), "metadata.labels", &v) && str_is(v, "{\"x\":\"{}\"}"));
    CHECK(json_scan_path(STR(pod), "spec.priority", &v) && str_is(v, "7"));
    CHECK(json_scan_path(STR(pod), "status.x", &v) && str_is(v, "null"));
    CHECK(!json_scan_path(STR(pod), "spec.x", &v) && !json_scan_path(STR(pod), "kind.x", &v) &&
          !json_scan_path(STR(pod), "spec.list.nodeName", &v));
    CHECK(!json_scan_path(STR("{}"), "a", &v) && !json_scan_path(STR(""), "a", &v) &&
          !json_scan_path(STR("[1]"), "a", &v));
    for (size_t n = 0; n < sizeof pod; n++) {    /* cut anywhere: the sanitizer watches */
        char *exact = mem_alloc(n + 1);

        memcpy(exact, pod, n);
        json_scan_path(str_make(exact, n), "status.phase.x", &v);
        json_scan_path(str_make(exact, n), "status.phase", &v);
        mem_free(exact);
    }
}
