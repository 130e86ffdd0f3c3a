/* test/api/json_test.c: parser, writer and tree; ends with a small benchmark on a Pod. */
#include <stdlib.h>
#include <time.h>
#include "api/json.h"
#include "test/test.h"

static const char pod_text[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web-6d4cf56db6-x2x8p\","
    "\"generateName\":\"web-6d4cf56db6-\","
    "\"namespace\":\"default\",\"uid\":\"0b6d4f0a-3c3f-4a51-9c35-8d4c6b8a7f10\",\"resourceVersion\":"
    "\"123456\","
    "\"creationTimestamp\":\"2024-05-01T10:00:00Z\",\"labels\":{\"app\":\"web\",\"tier\":\"frontend\",\"pod-"
    "template-hash\":"
    "\"6d4cf56db6\",\"app.kubernetes.io/managed-by\":\"helm\"},\"annotations\":{\"prometheus.io/"
    "scrape\":\"true\","
    "\"prometheus.io/port\":\"9102\",\"checksum/"
    "config\":\"8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4\"},"
    "\"ownerReferences\":[{\"apiVersion\":\"apps/"
    "v1\",\"kind\":\"ReplicaSet\",\"name\":\"web-6d4cf56db6\",\"uid\":"
    "\"9f0c1d1e-55a8-4f3c-8f59-d6a4b1a2c3d4\",\"controller\":true,\"blockOwnerDeletion\":true}]},\"spec\":{"
    "\"volumes\":[{\"name\":"
    "\"config\",\"configMap\":{\"name\":\"web-config\",\"defaultMode\":420}},{\"name\":\"kube-api-access-"
    "8x7kq\",\"projected\":{"
    "\"sources\":[{\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}},{\"configMap\":{"
    "\"name\":"
    "\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}]}}],\"defaultMode\":420}}],"
    "\"containers\":[{\"name\":"
    "\"web\",\"image\":\"registry.example.com/team/web:v1.27.3\",\"command\":[\"/usr/bin/"
    "web\",\"--listen=:8080\",\"--verbose\"],"
    "\"ports\":[{\"name\":\"http\",\"containerPort\":8080,\"protocol\":\"TCP\"},{\"name\":\"metrics\","
    "\"containerPort\":9102,"
    "\"protocol\":\"TCP\"}],\"env\":[{\"name\":\"POD_NAME\",\"valueFrom\":{\"fieldRef\":{\"apiVersion\":"
    "\"v1\",\"fieldPath\":"
    "\"metadata.name\"}}},{\"name\":\"LOG_LEVEL\",\"value\":\"info\"}],\"resources\":{\"limits\":{\"cpu\":"
    "\"500m\",\"memory\":\"512Mi\"},"
    "\"requests\":{\"cpu\":\"250m\",\"memory\":\"256Mi\"}},\"volumeMounts\":[{\"name\":\"config\","
    "\"mountPath\":\"/etc/web\"},{\"name\":"
    "\"kube-api-access-8x7kq\",\"readOnly\":true,\"mountPath\":\"/var/run/secrets/kubernetes.io/"
    "serviceaccount\"}],"
    "\"livenessProbe\":{\"httpGet\":{\"path\":\"/"
    "healthz\",\"port\":8080,\"scheme\":\"HTTP\"},\"initialDelaySeconds\":10,"
    "\"timeoutSeconds\":1,\"periodSeconds\":10,\"successThreshold\":1,\"failureThreshold\":3},"
    "\"terminationMessagePath\":"
    "\"/dev/"
    "termination-log\",\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"IfNotPresent\"}],"
    "\"restartPolicy\":\"Always\","
    "\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"serviceAccountName\":\"default\","
    "\"serviceAccount\":"
    "\"default\",\"nodeName\":\"node-17\",\"securityContext\":{},\"schedulerName\":\"default-scheduler\","
    "\"tolerations\":[{\"key\":"
    "\"node.kubernetes.io/"
    "not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,"
    "\"enableServiceLinks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":"
    "\"Running\",\"conditions\":[{"
    "\"type\":\"Initialized\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":\"2024-05-"
    "01T10:00:00Z\"},{\"type\":"
    "\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":\"2024-05-01T10:00:07Z\"}],"
    "\"hostIP\":\"10.0.0.17\","
    "\"podIP\":\"10.244.17.5\",\"podIPs\":[{\"ip\":\"10.244.17.5\"}],\"startTime\":\"2024-05-01T10:00:00Z\","
    "\"qosClass\":\"Burstable\"}}";

/* Parses a heap copy of exactly n bytes, so that the address sanitizer sees any read past the end. */
static bool accepts(const char *p, size_t n)
{
    struct arena a = ARENA_INIT;
    struct json *j = NULL;
    char *copy = malloc(n + 1);
    bool ok;

    memcpy(copy, p, n);
    char *exact = realloc(copy, n > 0 ? n : 1);
    ok = json_parse(&a, str_make(exact, n), &j, NULL) == 0;
    free(exact);
    arena_release(&a);
    return ok;
}

#define ACCEPT(lit) CHECK(accepts(lit, sizeof(lit) - 1))
#define REJECT(lit) CHECK(!accepts(lit, sizeof(lit) - 1))

TEST(accepts_what_rfc_8259_accepts)
{
    ACCEPT("null");
    ACCEPT("true");
    ACCEPT("false");
    ACCEPT("0");
    ACCEPT("-0");
    ACCEPT("\"\"");
    ACCEPT("[]");
    ACCEPT("{}");
    ACCEPT(" \t\r\n[ ] \n");
    ACCEPT("[1,2,3]");
    ACCEPT("[1 , 2]");
    ACCEPT("{\"a\":1}");
    ACCEPT("{ \"a\" : [ ] }");
    ACCEPT("-1.5e+10"); ACCEPT("1E5"); ACCEPT("0.1"); ACCEPT("0e1"); ACCEPT("123456789012345678901234567890");
    ACCEPT("1e999999999");
    ACCEPT("[1e-5]");
    ACCEPT("\"\\u0000\"");
    ACCEPT("\"\\ud83d\\ude00\"");
    ACCEPT("\"\\ud800\"");
    ACCEPT("\"\\/\\b\\f\\n\\r\\t\\\\\\\"\"");
    ACCEPT("\"\xc3\xa9\"");
    ACCEPT("\"\xf0\x9f\x98\x80\"");
    ACCEPT("\"\x7f\"");
    ACCEPT("\"\xf4\x8f\xbf\xbf\"");
    ACCEPT("\"\xed\x9f\xbf\"");
    ACCEPT("{\"\":0}");
    ACCEPT("{\"a\":1,\"a\":2}");
    ACCEPT("\"a plain string of more than sixteen bytes\"");
}

TEST(rejects_malformed_structure)
{
    REJECT("");
    REJECT(" ");
    REJECT("[");
    REJECT("]");
    REJECT("{");
    REJECT("}");
    REJECT("[1");
    REJECT("[1,");
    REJECT("[1,]");
    REJECT("[,1]");
    REJECT("[1 2]");
    REJECT("[1,,2]");
    REJECT("[1}");
    REJECT("{]");
    REJECT("{\"a\"}");
    REJECT("{\"a\":}");
    REJECT("{\"a\":1,}");
    REJECT("{,\"a\":1}");
    REJECT("{\"a\":1 \"b\":2}");
    REJECT("{\"a\" 1}");
    REJECT("{a:1}");
    REJECT("{1:1}");
    REJECT("{'a':1}");
    REJECT("{\"a\":1}}");
    REJECT("[]]");
    REJECT("[] []");
    REJECT("1 2");
    REJECT("null x");
    REJECT("{\"a\"::1}");
    REJECT("nul");
    REJECT("tru");
    REJECT("fals");
    REJECT("True");
    REJECT("NaN");
    REJECT("Infinity");
    REJECT("undefined");
    REJECT("nullx");
    REJECT("// c\n1");
    REJECT("1 /* c */");
    REJECT("\f1");
    REJECT("\v1");
    REJECT("\xc2\xa0"
           "1");
    REJECT("\xef\xbb\xbf{}");
    REJECT("[\"a\",\n4\n,1,");
    REJECT("\0");
    REJECT("[1]\0");
    REJECT("{\"a\":true,\"b\":[}");
}

TEST(rejects_malformed_numbers)
{
    REJECT("01");
    REJECT("-01");
    REJECT("+1");
    REJECT("-");
    REJECT(".");
    REJECT(".5");
    REJECT("1.");
    REJECT("1.e1");
    REJECT("1e");
    REJECT("1e+");
    REJECT("1E-");
    REJECT("--1");
    REJECT("-a");
    REJECT("0x1");
    REJECT("1_000");
    REJECT("1.2.3");
    REJECT("1e1.5");
    REJECT("-Infinity");
    REJECT("00");
    REJECT("0123");
    REJECT("[-]");
    REJECT("[1e]");
    REJECT("[1.]");
    REJECT("\xef\xbc\x91");
}

TEST(rejects_malformed_strings)
{
    REJECT("\"");
    REJECT("\"abc");
    REJECT("\"\\");
    REJECT("\"\\\"");
    REJECT("\"\\x41\"");
    REJECT("\"\\a\"");
    REJECT("\"\\u\"");
    REJECT("\"\\u12\"");
    REJECT("\"\\u123g\"");
    REJECT("\"\\u123");
    REJECT("\"\\U1234\"");
    REJECT("\"a\nb\"");
    REJECT("\"a\tb\"");
    REJECT("\"a\0b\"");
    REJECT("\"\x1f\"");
    REJECT("'a'");
    REJECT("\"\x80\"");
    REJECT("\"\xc3\"");
    REJECT("\"\xc0\xaf\"");
    REJECT("\"\xe0\x80\xaf\"");
    REJECT("\"\xed\xa0\x80\"");
    REJECT("\"\xf4\x90\x80\x80\"");
    REJECT("\"\xf8\x88\x80\x80\x80\"");
    REJECT("\"\xff\"");
    REJECT("\"\xe2\x82\"");
    REJECT("\"\xf0\x9f\x98\"");
    REJECT("\"\xc3");
    REJECT("\"ok\\n\xff\"");
    REJECT("{\"\xff\":1}"); REJECT("\"0123456789abcdef0123456789abcdef\x01\"");
}

TEST(every_truncation_of_a_pod_is_an_error)
{
    for (size_t n = 0; n < sizeof pod_text - 1; n++)
        if (accepts(pod_text, n))
            test_fail(__FILE__, __LINE__, "accepted with %zu bytes", n);
    CHECK(accepts(pod_text, sizeof pod_text - 1));
}

TEST(every_changed_byte_neither_crashes_nor_breaks_the_round_trip)
{
    char text[sizeof pod_text];
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT, again = BUF_INIT;
    struct json *j = NULL;
    static const char change[] = "\"\\{}[],:0-e. \n\x80\xe2";

    memcpy(text, pod_text, sizeof text);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        text[i] = change[i % (sizeof change - 1)];
        if (json_parse(&a, str_make(text, sizeof text - 1), &j, NULL) == 0) {
            buf_clear(&out);
            buf_clear(&again);
            json_write(&out, j);
            CHECK(json_parse(&a, buf_str(&out), &j, NULL) == 0);
            json_write(&again, j);
            CHECK(str_eq(buf_str(&out), buf_str(&again)));
        }
        text[i] = pod_text[i];
        arena_reset(&a);
    }
    buf_release(&out);
    buf_release(&again);
    arena_release(&a);
}

TEST(compact_text_survives_unchanged)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct json *j = NULL;

    CHECK_INT(json_parse(&a, STR(pod_text), &j, NULL), 0);
    json_write(&out, j);
    CHECK_STR(buf_str(&out), pod_text);
    CHECK_STR(json_path_str(j, "spec.containers.0.ports.1.name"), "metrics");
    CHECK_INT(json_path_i64(j, "spec.containers.0.ports.0.containerPort", -1), 8080);
    CHECK(json_path_true(j, "metadata.ownerReferences.0.controller"));
    CHECK(json_path(j, "spec.containers.1") == NULL);
    CHECK(json_path(j, "spec.containers.x.name") == NULL);
    CHECK(json_path(j, "metadata.name.x") == NULL);
    CHECK_INT(json_path_i64(j, "metadata.name", 7), 7);
    buf_release(&out);
    arena_release(&a);
}

static void check_error(const char *text, int code, unsigned line, unsigned column, const char *part)
{
    struct arena a = ARENA_INIT;
    struct json_error err = { 0 };
    struct json *j = NULL;

    CHECK_INT(json_parse(&a, str_of(text), &j, &err), code);
    CHECK(j == NULL);
    CHECK_INT(err.line, line);
    CHECK_INT(err.column, column);
    if (strstr(err.text, part) == NULL)
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, part);
    arena_release(&a);
}

TEST(errors_say_what_and_where)
{
    check_error("{\n  \"a\": 1,\n  \"b\" 2\n}", E_INVALID, 3, 7,
                "expected ':' after a member's name, found '2'");
    check_error("[1,2", E_INVALID, 1, 5, "found the end of the input");
    check_error("{\"\xc3\xa9\": x}", E_INVALID, 1, 7, "expected a value, found 'x'");
    check_error("[\"a\tb\"]", E_INVALID, 1, 4, "control character 0x09");
    check_error("\"\\q\"", E_INVALID, 1, 2, "backslash");
    check_error("[\xe2\x82\xac]", E_INVALID, 1, 2, "found '\xe2\x82\xac'");
    check_error("\"\xff\"", E_INVALID, 1, 2, "UTF-8");
    check_error("{} x", E_INVALID, 1, 4, "nothing after the document");
    check_error("", E_INVALID, 1, 1, "expected a value");
}

TEST(depth_is_bounded)
{
    char text[2 * (JSON_MAX_DEPTH + 1)];
    struct json_error err;
    struct arena a = ARENA_INIT;
    struct json *j = NULL;

    memset(text, '[', JSON_MAX_DEPTH + 1);
    memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
    CHECK_INT(json_parse(&a, str_make(text, sizeof text), &j, &err), E_TOOBIG);
    CHECK_INT(err.offset, JSON_MAX_DEPTH);
    CHECK_INT(json_parse(&a, str_make(text + 1, sizeof text - 2), &j, &err), 0);
    arena_release(&a);
}

TEST(escapes_are_undone_and_redone_as_go_does)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct json *j = NULL;

    CHECK_INT(json_parse(&a, STR("\"x\\u0041\\n\\ud83d\\ude00\\ud800y\\udc00\\ud800\\u0041\""), &j, NULL), 0);
    CHECK_STR(json_str(j), "xA\n\xf0\x9f\x98\x80\xef\xbf\xbdy\xef\xbf\xbd\xef\xbf\xbd" "A");
    json_write_string(
        &out,
        STR("<a href=\"x\">&\\ \b\f\n\r\t\x01\x1f\x7f \xe2\x80\xa8\xe2\x80\xa9 \xe2\x80\xaa \xc3\xa9 \xff."));
    CHECK_STR(buf_str(&out),
              "\"\\u003ca href=\\\"x\\\"\\u003e\\u0026\\\\ \\b\\f\\n\\r\\t\\u0001\\u001f\x7f \\u2028\\u2029 "
              "\xe2\x80\xaa \xc3\xa9 \\ufffd.\"");
    buf_clear(&out);
    json_write_string(&out, STR("a\0b"));
    CHECK_STR(buf_str(&out), "\"a\\u0000b\"");
    buf_release(&out);
    arena_release(&a);
}

/* Every byte at every place of strings of every short length: the 16-byte paths against the plain rule. */
TEST(each_byte_is_escaped_wherever_it_stands)
{
    struct buf out = BUF_INIT;

    for (size_t n = 1; n <= 40; n++) {
        for (size_t at = 0; at < n; at++) {
            for (int c = 0; c < 128; c++) {
                char s[40], *exact = malloc(n);

                memset(s, 'a', n);
                s[at] = (char)c;
                memcpy(exact, s, n);
                buf_clear(&out);
                json_write_string(&out, str_make(exact, n));
                free(exact);
                bool special = c < 0x20 || strchr("\"\\<>&", c) != NULL;
                if (special ? out.n <= n + 2 : out.n != n + 2 || memcmp(out.p + 1, s, n) != 0)
                    test_fail(__FILE__, __LINE__, "byte %d at %zu of %zu", c, at, n);
            }
        }
    }
    buf_release(&out);
}

TEST(strings_without_escapes_are_views)
{
    static const char text[] = "{\"name\":\"value\"}";
    struct arena a = ARENA_INIT;
    struct json *j = NULL;

    CHECK_INT(json_parse(&a, STR(text), &j, NULL), 0);
    CHECK(json_getz(j, "name")->s.p == text + 9);
    CHECK(json_getz(j, "name")->key.p == text + 2);
    arena_release(&a);
}

TEST(duplicate_keys_keep_the_last_value_and_are_flagged)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT, big = BUF_INIT;
    struct json *j = NULL;

    CHECK_INT(
        json_parse(&a, STR("{\"a\":1,\"b\":2,\"a\":{\"x\":[3]},\"\\u0062\":4,\"a\":5,\"c\":6}"), &j, NULL),
        0);
    json_write(&out, j);
    CHECK_STR(buf_str(&out), "{\"a\":5,\"b\":4,\"c\":6}");
    CHECK(json_getz(j, "a")->flags & JSON_F_DUPLICATE);
    CHECK(json_getz(j, "b")->flags & JSON_F_DUPLICATE);
    CHECK(!(json_getz(j, "c")->flags & JSON_F_DUPLICATE));
    CHECK(j->last == json_getz(j, "c") && j->n == 3);

    buf_char(&big, '{');
    for (int i = 0; i < 50000; i++)
        buf_fmt(&big, "\"key-%d\":%d,", i % 49990, i);
    big.p[big.n - 1] = '}';
    CHECK_INT(json_parse(&a, buf_str(&big), &j, NULL), 0);
    CHECK_INT(j->n, 49990);
    CHECK_INT(json_i64_or(json_getz(j, "key-3"), 0), 49993);
    CHECK(json_getz(j, "key-3")->flags & JSON_F_DUPLICATE);
    CHECK(!(json_getz(j, "key-10")->flags & JSON_F_DUPLICATE));
    buf_release(&out);
    buf_release(&big);
    arena_release(&a);
}

TEST(members_and_elements_change_in_place)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct json *o = json_object(&a), *arr;
    char key[] = "k3";

    json_setz(&a, o, "k1", json_int(&a, INT64_MIN));
    json_setz(&a, o, "k2", json_bool(&a, true));
    json_set(&a, o, str_of(key), json_null(&a));
    key[1] = '9';
    json_setz(&a, o, "k2", json_string(&a, STR("two")));
    json_setf(&a, o, "k4", "%d-%s", 4, "four");
    CHECK(json_delz(o, "k4") && !json_delz(o, "k4"));
    CHECK(o->last == json_getz(o, "k3"));
    json_setz(&a, o, "k4", json_string_ref(&a, STR("4")));
    CHECK(json_delz(o, "k1"));
    arr = json_setz(&a, o, "arr", json_array(&a));
    json_insert(arr, 0, json_int(&a, 2));
    json_insert(arr, 0, json_int(&a, 0));
    json_insert(arr, 1, json_int(&a, 1));
    json_insert(arr, 3, json_int(&a, 3));
    CHECK_INT(json_i64_or(json_remove_at(arr, 3), -1), 3);
    json_push(arr, json_int(&a, 4));
    CHECK(json_remove_at(arr, 4) == NULL && json_at(arr, 4) == NULL);
    CHECK_INT(json_i64_or(json_remove_at(arr, 0), -1), 0);
    json_setz(&a, json_make_path(&a, o, "x.y.z"), "w", json_bool(&a, false));
    json_write(&out, o);
    CHECK_STR(
        buf_str(&out),
        "{\"k2\":\"two\",\"k3\":null,\"k4\":\"4\",\"arr\":[1,2,4],\"x\":{\"y\":{\"z\":{\"w\":false}}}}");
    CHECK(json_get(NULL, STR("x")) == NULL && json_getz(arr, "x") == NULL && json_at(o, 0) == NULL);
    CHECK(str_empty(json_str(NULL)) && !json_true(o) && json_path(NULL, "a.b") == NULL);
    buf_release(&out);
    arena_release(&a);
}

TEST(integers_have_a_range)
{
    static const struct { const char *text; bool ok; int64_t v;
    } cases[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "99999999999999999999", false, 0 },
        { "1.0", false, 0 },
        { "1e3", false, 0 },
        { "18446744073709551617", false, 0 },
        { "-17", true, -17 },
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json *j = NULL;
        int64_t v = 0;

        CHECK_INT(json_parse(&a, str_of(cases[i].text), &j, NULL), 0);
        CHECK_INT(json_i64(j, &v), cases[i].ok);
        CHECK_INT(v, cases[i].v);
    }
    arena_release(&a);
}

static bool texts_equal(const char *x, const char *y)
{
    struct arena a = ARENA_INIT;
    struct json *jx = NULL, *jy = NULL;
    bool r;

    CHECK_INT(json_parse(&a, str_of(x), &jx, NULL), 0);
    CHECK_INT(json_parse(&a, str_of(y), &jy, NULL), 0);
    r = json_equal(jx, jy);
    CHECK(r == json_equal(jy, jx));
    CHECK(json_equal(jx, json_copy(&a, jx)));
    arena_release(&a);
    return r;
}

TEST(equality_is_by_value)
{
    CHECK(texts_equal("1", "1.0"));
    CHECK(texts_equal("100", "1e2"));
    CHECK(texts_equal("-0", "0"));
    CHECK(texts_equal("0.0e5", "0"));
    CHECK(texts_equal("120e-1", "12"));
    CHECK(texts_equal("0.00012", "1.2e-4"));
    CHECK(texts_equal("1.50", "15E-1"));
    CHECK(!texts_equal("1", "-1"));
    CHECK(!texts_equal("9007199254740993", "9007199254740992"));
    CHECK(!texts_equal("1", "10"));
    CHECK(!texts_equal("1", "\"1\""));
    CHECK(!texts_equal("1.01", "1.1"));
    CHECK(!texts_equal("1e99999999999", "1e99999999998"));
    CHECK(texts_equal("{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1}")); CHECK(!texts_equal("[1,2]", "[2,1]"));
    CHECK(!texts_equal("{\"a\":1}", "{\"b\":1}"));
    CHECK(!texts_equal("{\"a\":1}", "{\"a\":1,\"b\":2}"));
    CHECK(!texts_equal("[]", "{}"));
    CHECK(texts_equal("null", "null"));
    CHECK(!texts_equal("null", "false"));
    CHECK(!texts_equal("true", "false"));
}

TEST(large_objects_in_reverse_order_compare_quickly)
{
    struct arena a = ARENA_INIT;
    struct json *x = json_object(&a), *y = json_object(&a);

    for (int i = 0; i < 100000; i++) {
        struct json *v = json_int(&a, i), *w;

        v->key = arena_fmt(&a, "k%d", i);
        w = json_copy(&a, v);
        v->next = x->first;                      /* by hand: json_set() looks for the key */
        x->first = v;
        x->last = x->last != NULL ? x->last : v;
        if (y->last != NULL)
            y->last->next = w;
        else
            y->first = w;
        y->last = w;
        x->n = ++y->n;
    }
    CHECK(json_equal(x, y));
    y->last->s = STR("1");
    CHECK(!json_equal(x, y));
    arena_release(&a);
}

static uint64_t rnd(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static struct str random_text(struct arena *a, uint64_t *s)
{
    static const char *const bits[] = {
        "a",    "\"", "\\", "\n", "<", "\xc3\xa9", "\xe2\x80\xa8", "\xf0\x9f\x98\x80", "0123456789abcdef",
        "\x01", "/"
    };
    struct buf b = BUF_INIT;
    struct str r;

    for (uint64_t n = rnd(s) % 8; n > 0; n--)
        buf_z(&b, bits[rnd(s) % ARRAY_LEN(bits)]);
    r = arena_str(a, buf_str(&b));
    buf_release(&b);
    return r;
}

static struct json *random_tree(struct arena *a, uint64_t *s, unsigned depth)
{
    struct json *j;

    switch (rnd(s) % (depth > 5 ? 4 : 6)) {
    case 0: return json_null(a);
    case 1: return json_bool(a, rnd(s) & 1);
    case 2: return json_int(a, (int64_t)rnd(s));
    case 3: return json_string(a, random_text(a, s));
    case 4:
        j = json_array(a);
        for (uint64_t n = rnd(s) % 6; n > 0; n--)
            json_push(j, random_tree(a, s, depth + 1));
        return j;
    default:
        j = json_object(a);
        for (uint64_t n = rnd(s) % 40; n > 0; n--)
            json_set(a, j, random_text(a, s), random_tree(a, s, depth + 3));
        return j;
    }
}

TEST(random_trees_survive_text)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT, pretty = BUF_INIT;

    for (uint64_t seed = 1; seed < 3000; seed++) {
        uint64_t s = seed * 0x9e3779b97f4a7c15u;
        struct json *j = random_tree(&a, &s, 0), *k = NULL, *l = NULL;

        buf_clear(&out);
        buf_clear(&pretty);
        json_write(&out, j);
        json_write_pretty(&pretty, j, 2);
        if (json_parse(&a, buf_str(&out), &k, NULL) != 0 || json_parse(&a, buf_str(&pretty), &l, NULL) != 0 ||
            !json_equal(j, k) || !json_equal(j, l))
            test_fail(__FILE__, __LINE__, "seed %" PRIu64, seed);
        arena_reset(&a);
    }
    buf_release(&out);
    buf_release(&pretty);
    arena_release(&a);
}

TEST(pretty_text_is_indented_as_go_does)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct json *j = NULL;

    CHECK_INT(json_parse(&a, STR("{\"a\":[],\"b\":{},\"c\":[1,{\"d\":null}]}"), &j, NULL), 0);
    json_write_pretty(&out, j, 2);
    CHECK_STR(buf_str(&out),
              "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": null\n    }\n  ]\n}");
    buf_release(&out);
    arena_release(&a);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Prints; judges nothing, since the machine may be busy. The best of several rounds is what the code can do.
 */
TEST(benchmark_on_a_pod)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct json *j = NULL;
    double parse = 1e9, write = 1e9, size = (double)(sizeof pod_text - 1);

    for (int round = 0; round < 20; round++) {
        double t0 = now_s(), t1;

        for (int i = 0; i < 500; i++) {
            arena_reset(&a);
            CHECK(json_parse(&a, STR(pod_text), &j, NULL) == 0);
        }
        t1 = now_s();
        parse = MIN_OF(parse, (t1 - t0) / 500);
        for (int i = 0; i < 500; i++) {
            buf_clear(&out);
            json_write(&out, j);
        }
        write = MIN_OF(write, (now_s() - t1) / 500);
    }
    printf("json: a Pod of %.0f bytes: parse %.0f MB/s, write %.0f MB/s\n", size, size / parse / 1e6,
           size / write / 1e6);
    buf_release(&out);
    arena_release(&a);
}
