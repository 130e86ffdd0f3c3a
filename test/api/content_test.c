/* test/api/content_test.c: the same objects in every format: protobuf and CBOR in and out, one by one, in lists and in
 * watches, as metadata and as tables, and failures too. */
#include "api/cbor.h"
#include "api/schema.h"
#include "test/api/api_rig.h"

#define CM   "/api/v1/namespaces/default/configmaps"
#define PODS "/api/v1/namespaces/default/pods"
#define PB   "application/vnd.kubernetes.protobuf"
#define CBOR "application/cbor"

/* The answer's tree, whatever the format. */
static struct json *tree_of(struct answer *a)
{
    const struct schema_kind *k;
    struct errbuf             err = { "" };
    struct json              *obj = NULL;

    if (str_is(str_of(a->type), PB))
        CHECK_INT(schema_pb_decode(a->body, &a->arena, &obj, &k, &err), 0);
    else if (str_is(str_of(a->type), CBOR))
        CHECK_INT(cbor_parse(&a->arena, a->body, &obj, &err), 0);
    else
        obj = a->obj;
    if (err.s[0] != '\0')
        CHECK_STR(str_of(err.s), "");
    return obj;
}

static void make_some(struct rig *r)
{
    CALL(r, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", "{'metadata':{'name':'default'}}");
    for (unsigned i = 0; i < 7; i++) {
        char body[300];

        snprintf(body, sizeof body, "{'metadata':{'name':'c%u','labels':{'n':'%u'},'annotations':{'a':'\xc3\xa9'}},"
                 "'data':{'k':'v','empty':''},'binaryData':{'b':'AAEC/w=='}}", i, i % 2);
        CALL(r, 201, "POST", CM, body);
        snprintf(body, sizeof body, "{'metadata':{'name':'p%u'},'spec':{'containers':[{'name':'c','image':'i',"
                 "'resources':{'limits':{'cpu':'1500m'}},'readinessProbe':{'httpGet':{'path':'/','port':'http'},"
                 "'failureThreshold':5}}],'terminationGracePeriodSeconds':0,'hostNetwork':false}}", i);
        CALL(r, 201, "POST", PODS, body);
    }
}

/* What protobuf does not tell from absent (empty lists, structs that are kept by value, zeros) and does not say of the items of a
 * list (their kind). */
static void simplify(struct json *j)
{
    json_each(item, json_getz(j, "items")) {
        json_delz(item, "kind");
        json_delz(item, "apiVersion");
    }
    json_each(v, j) {
        if (str_is(v->key, "fieldsV1"))
            continue;
        simplify(v);
        if (j->type == JSON_OBJECT && ((v->type >= JSON_ARRAY && v->n == 0) || (v->type == JSON_BOOL && !v->boolean)))
            v->type = JSON_NULL;
    }
    if (json_is(j, JSON_OBJECT))
        json_sweep_nulls(j);
}

static void check_same(struct rig *r, const char *accept, const char *type, const char *path)
{
    struct answer plain = call(r, "GET", path, NULL), other;
    struct json  *tree;

    r->accept = accept;
    other = call(r, "GET", path, NULL);
    r->accept = NULL;
    CHECK_INT(other.status, 200);
    CHECK_STR(str_of(other.type), type);
    tree = tree_of(&other);
    simplify(tree);
    simplify(plain.obj);
    if (!json_equal(tree, plain.obj)) {
        struct buf b = BUF_INIT;

        json_write(&b, tree);
        test_fail(__FILE__, __LINE__, "%s as %s:\n%.*s\nnot\n%.*s", path, accept, (int)MIN_OF(b.n, (size_t)4000), b.p,
                  (int)MIN_OF(plain.body.n, (size_t)4000), plain.body.p);
        buf_release(&b);
    }
    answer_free(&plain);
    answer_free(&other);
}

TEST(every_format_says_the_same)
{
    static const char *const paths[] = {
        CM "/c1", PODS "/p1", CM, PODS, CM "?limit=3", CM "?labelSelector=n%3D1", "/api/v1/namespaces/none/configmaps",
        "/api/v1/namespaces/default", "/api/v1/configmaps", "/apis/apps/v1/deployments",
    };
    struct rig *r = rig_open();

    make_some(r);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        check_same(r, PB, PB, paths[i]);
        check_same(r, CBOR, CBOR, paths[i]);
        check_same(r, PB ",application/json", PB, paths[i]);
        check_same(r, "application/json," PB, "application/json", paths[i]);
        check_same(r, PB ";q=0.5,application/cbor;q=0.7,application/json;q=0.3", CBOR, paths[i]);
    }
    rig_close(r);
}

/* Longer than a slice, and than what one turn sends: measured first, then streamed. */
TEST(long_lists)
{
    struct rig   *r = rig_open();
    struct answer a;
    char         *body = malloc(60000);

    for (unsigned i = 0; i < 40; i++) {
        int n = snprintf(body, 60000, "{'metadata':{'name':'big%u'},'data':{'k':'", i);

        memset(body + n, 'x', 40000);
        strcpy(body + n + 40000, "'}}");
        CALL(r, 201, "POST", CM, body);
    }
    free(body);
    check_same(r, PB, PB, CM);
    check_same(r, CBOR, CBOR, CM);
    r->accept = PB;
    a = call(r, "DELETE", CM, NULL);
    CHECK_INT(a.status, 200);
    answer_free(&a);
    rig_close(r);
}

TEST(metadata_alone)
{
    struct rig *r = rig_open();

    make_some(r);
    for (unsigned i = 0; i < 2; i++) {
        const char   *path = i == 0 ? CM "/c1" : CM;
        struct answer plain, other;
        struct json  *tree;
        char          json[120], pb[120];

        snprintf(json, sizeof json, "application/json;as=PartialObjectMetadata%s;g=meta.k8s.io;v=v1", i == 0 ? "" : "List");
        snprintf(pb, sizeof pb, PB ";as=PartialObjectMetadata%s;g=meta.k8s.io;v=v1", i == 0 ? "" : "List");
        r->accept = json;
        plain = call(r, "GET", path, NULL);
        r->accept = pb;
        other = call(r, "GET", path, NULL);
        CHECK_INT(other.status, 200);
        tree = tree_of(&other);
        simplify(tree);
        simplify(plain.obj);
        CHECK(json_equal(tree, plain.obj));
        answer_free(&plain);
        answer_free(&other);
    }
    rig_close(r);
}

TEST(tables)
{
    struct rig   *r = rig_open();
    struct answer plain, other;

    make_some(r);
    r->accept = PB ";as=Table;g=meta.k8s.io;v=v1";
    CALL(r, 406, "GET", PODS, NULL);
    r->accept = PB ";as=Table;g=meta.k8s.io;v=v1,application/json;as=Table;g=meta.k8s.io;v=v1";
    plain = call(r, "GET", PODS, NULL);
    CHECK_STR(str_of(plain.type), "application/json");
    CHECK_AT(plain, "kind", "Table");
    r->accept = "application/cbor;as=Table;g=meta.k8s.io;v=v1";
    other = call(r, "GET", PODS, NULL);
    CHECK(json_equal(tree_of(&other), plain.obj));
    answer_free(&plain);
    answer_free(&other);
    rig_close(r);
}

TEST(failures_too)
{
    static const char *const accepts[] = { PB, CBOR };
    struct rig *r = rig_open();

    for (size_t i = 0; i < ARRAY_LEN(accepts); i++) {
        struct answer a;
        struct json  *tree;

        r->accept = accepts[i];
        a = call(r, "GET", CM "/none", NULL);
        CHECK_INT(a.status, 404);
        CHECK_STR(str_of(a.type), accepts[i]);
        tree = tree_of(&a);
        CHECK_STR(json_path_str(tree, "reason"), "NotFound");
        CHECK_INT(json_path_i64(tree, "code", 0), 404);
        CHECK_STR(json_path_str(tree, "details.name"), "none");
        answer_free(&a);
    }
    r->accept = "text/html";
    CALL(r, 406, "GET", CM, NULL);
    rig_close(r);
}

/* ---- Watches ---------------------------------------------------------------------------------------- */

/* Cut the next frame off; its type, and its object as a tree. */
static struct json *next_event(struct arena *a, const char *format, struct str *rest, struct str *ret_type)
{
    const struct schema_kind *k;
    struct errbuf             err = { "" };
    struct json              *obj = NULL;
    struct str                frame, part;
    uint64_t                  tag, n;

    if (strcmp(format, PB) == 0) {
        CHECK(str_take(rest, 4, &part));
        n = (uint64_t)(unsigned char)part.p[2] << 8 | (unsigned char)part.p[3];
        CHECK(part.p[0] == 0 && part.p[1] == 0 && str_take(rest, (size_t)n, &frame));
        CHECK(str_varint(&frame, &tag) && tag == (1 << 3 | 2) && str_varint(&frame, &n) && str_take(&frame, (size_t)n, ret_type));
        CHECK(str_varint(&frame, &tag) && tag == (2 << 3 | 2) && str_varint(&frame, &n) && n == frame.n);
        CHECK(str_varint(&frame, &tag) && tag == (1 << 3 | 2) && str_varint(&frame, &n) && n == frame.n);
        CHECK_INT(schema_pb_decode(frame, a, &obj, &k, &err), 0);
        return obj;
    }
    /* sequences have no lengths: the end is found by trying */
    for (n = 1; n <= rest->n; n++)
        if (cbor_parse(a, str_upto(*rest, (size_t)n), &obj, &err) == 0)
            break;
    CHECK(n <= rest->n);
    *rest = str_from(*rest, (size_t)n);
    *ret_type = json_path_str(obj, "type");
    return json_getz(obj, "object");
}

static void watch_in(struct rig *r, const char *format, const char *stream_type)
{
    static const char *const types[] = { "ADDED", "MODIFIED", "MODIFIED", "DELETED" };
    struct arena  a = ARENA_INIT;
    struct talk  *t;
    struct str    rest, type;

    r->accept = format;
    t = talk_open(r, "GET", CM "?watch=1&fieldSelector=metadata.name%3Dw&resourceVersion=1", NULL);
    r->accept = NULL;
    CALL(r, 201, "POST", CM, "{'metadata':{'name':'w'},'data':{'k':'1'}}");
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", CM "/w", "{'data':{'k':'2'}}");
    CALL(r, 200, "PATCH", CM "/w", "{'data':{'k':'3'}}");
    r->type = NULL;
    CALL(r, 200, "DELETE", CM "/w", NULL);
    rig_run(r, 100);
    CHECK_STR(str_of(t->type_out), stream_type);
    rest = buf_str(&t->body);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct json *obj = next_event(&a, format, &rest, &type);

        CHECK_STR(type, types[i]);
        CHECK_STR(json_path_str(obj, "kind"), "ConfigMap");
        CHECK_STR(json_path_str(obj, "metadata.name"), "w");
        CHECK_STR(json_path_str(obj, "data.k"), i == 0 ? "1" : i == 1 ? "2" : "3");
    }
    CHECK_INT(rest.n, 0);
    talk_close(t);
    arena_release(&a);
}

TEST(watches)
{
    struct rig *r = rig_open();

    watch_in(r, PB, PB ";stream=watch");
    rig_close(r);
    r = rig_open();
    watch_in(r, CBOR, "application/cbor-seq");
    r->accept = "application/yaml";
    CALL(r, 406, "GET", CM "?watch=1", NULL);
    rig_close(r);
}

/* ---- CBOR in ---------------------------------------------------------------------------------------- */

static struct str cbor_of(struct arena *a, const char *text)
{
    struct buf        b = BUF_INIT;
    struct json_error why;
    struct json      *j;
    char             *copy = arena_cstr(a, str_of(text));
    struct str        s;

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    must_ok(json_parse(a, str_of(copy), &j, &why));
    cbor_write(&b, j);
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

TEST(cbor_bodies)
{
    struct rig   *r = rig_open();
    struct arena  a = ARENA_INIT;
    struct answer got;

    r->type = CBOR;
    r->raw = cbor_of(&a, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a'},'data':{'k':'v'}}");
    CALL(r, 201, "POST", CM, "");
    r->raw = cbor_of(&a, "{'metadata':{'name':'b'},'data':{'k':1}}");
    CALL(r, 400, "POST", CM, "");
    r->raw = STR("\xff");
    CALL(r, 400, "POST", CM, "");
    r->type = "application/apply-patch+cbor";
    r->raw = cbor_of(&a, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a'},'data':{'k':'v','l':'w'}}");
    CALL(r, 200, "PATCH", CM "/a?fieldManager=x", "");
    r->raw = STR_NONE;
    r->type = NULL;
    got = call(r, "GET", CM "/a", NULL);
    CHECK_AT(got, "data.l", "w");
    answer_free(&got);
    arena_release(&a);
    rig_close(r);
}

TEST(cbor_values)
{
    static const struct { const char *in; size_t n; const char *want; } cases[] = {
        { "\x00", 1, "0" }, { "\x17", 1, "23" }, { "\x18\x18", 2, "24" }, { "\x19\x03\xe8", 3, "1000" },
        { "\x1b\x7f\xff\xff\xff\xff\xff\xff\xff", 9, "9223372036854775807" },
        { "\x20", 1, "-1" }, { "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff", 9, "-9223372036854775808" },
        { "\xf9\x3c\x00", 3, "1" }, { "\xf9\x00\x01", 3, "5.9604644775390625e-08" }, { "\xf9\xc4\x00", 3, "-4" },
        { "\xfa\x47\xc3\x50\x00", 5, "100000" }, { "\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a", 9, "1.1" },
        { "\xf4", 1, "false" }, { "\xf5", 1, "true" }, { "\xf6", 1, "null" },
        { "\x41" "a", 2, "\"a\"" }, { "\x61" "a", 2, "\"a\"" }, { "\x40", 1, "\"\"" }, { "\x80", 1, "[]" }, { "\xa0", 1, "{}" },
        { "\x82\x01\x02", 3, "[1,2]" }, { "\xa1\x61" "a\x01", 4, "{\"a\":1}" }, { "\xd9\xd9\xf7\xa1\x41" "a\x01", 7, "{\"a\":1}" },
        { "\xd6\x43\x00\x01\x02", 5, "\"AAEC\"" }, { "\xd5\x42\xff\xfe", 4, "\"__4\"" }, { "\xd7\x42\xff\xfe", 4, "\"fffe\"" },
        { "\xc0\x74" "2013-03-21T20:04:00Z", 22, "\"2013-03-21T20:04:00Z\"" }, { "\xc1\x00", 2, "\"1970-01-01T00:00:00Z\"" },
    };
    static const struct { const char *in; size_t n; } bad[] = {
        { "", 0 }, { "\x18", 1 }, { "\x1c", 1 }, { "\x5f\x41" "a\xff", 4 }, { "\x9f\xff", 2 }, { "\xbf\xff", 2 }, { "\x42" "a", 2 },
        { "\x41\xff", 2 }, { "\x82\x01", 2 }, { "\xa1\x01\x02", 3 }, { "\xa1\x61" "a", 3 }, { "\xf7", 1 }, { "\xf8\xff", 2 },
        { "\xf9\x7c\x00", 3 }, { "\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00", 9 }, { "\x3b\xff\xff\xff\xff\xff\xff\xff\xff", 9 },
        { "\xc2\x41\x01", 3 }, { "\xd6\x61" "a", 3 }, { "\xc1\x41" "a", 3 }, { "\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 9 },
        { "\x5b\xff\xff\xff\xff\xff\xff\xff\xff", 9 }, { "\x01\x01", 2 },
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf    b = BUF_INIT;
        struct errbuf err = { "" };
        struct json  *j;

        CHECK_INT(cbor_parse(&a, str_make(cases[i].in, cases[i].n), &j, &err), 0);
        json_write(&b, j);
        CHECK_STR(buf_str(&b), cases[i].want);
        buf_release(&b);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct errbuf err = { "" };
        struct json  *j;

        if (cbor_parse(&a, str_make(bad[i].in, bad[i].n), &j, &err) == 0)
            test_fail(__FILE__, __LINE__, "bad value %zu is taken", i);
    }
    arena_release(&a);
}

TEST(cbor_depth_and_noise)
{
    struct arena  a = ARENA_INIT;
    struct errbuf err = { "" };
    struct json  *j;
    char          deep[5000];
    uint64_t      x = 1;

    memset(deep, '\x81', sizeof deep);
    CHECK_INT(cbor_parse(&a, str_make(deep, sizeof deep), &j, &err), E_TOOBIG);
    memset(deep, '\xd9', sizeof deep);
    CHECK(cbor_parse(&a, str_make(deep, sizeof deep), &j, &err) < 0);
    for (unsigned i = 0; i < 20000; i++) {
        size_t n = 1 + i % 40;

        for (size_t k = 0; k < n; k++) {
            x = x * 6364136223846793005ull + 1442695040888963407ull;
            deep[k] = (char)(x >> 56);
        }
        cbor_parse(&a, str_make(deep, n), &j, &err);
        arena_reset(&a);
    }
    arena_release(&a);
}
