/* test/api/pb_test.c: protobuf as client-go writes it, made here by a small encoder of our own, and protobuf as nobody
 * should write it. */
#include "test/api/api_fixture.h"

/* ---- an encoder: fields nest by begin/end --------------------------------------------------------- */

struct enc { struct buf b[12]; unsigned depth; };

static struct buf *top(struct enc *e) { return &e->b[e->depth]; }

static void put_varint(struct enc *e, uint32_t n, uint64_t v)
{
    buf_varint(top(e), (uint64_t)n << 3);
    buf_varint(top(e), v);
}

static void put_bytes(struct enc *e, uint32_t n, struct str s)
{
    buf_varint(top(e), (uint64_t)n << 3 | 2);
    buf_varint(top(e), s.n);
    buf_str_add(top(e), s);
}

static void put(struct enc *e, uint32_t n, const char *z) { put_bytes(e, n, str_of(z)); }

static void begin(struct enc *e)
{
    must(e->depth + 1 < ARRAY_LEN(e->b));
    e->depth++;
}

static void end(struct enc *e, uint32_t n)
{
    struct buf *inner = top(e);

    e->depth--;
    put_bytes(e, n, buf_str(inner));
    buf_clear(inner);
}

static void put_entry(struct enc *e, uint32_t n, const char *key, const char *value)
{
    begin(e);
    put(e, 1, key);
    put(e, 2, value);
    end(e, n);
}

static void release(struct enc *e)
{
    for (size_t i = 0; i < ARRAY_LEN(e->b); i++)
        buf_release(&e->b[i]);
}

/* k8s\0 Unknown{typeMeta, raw} around what has been written so far. */
static struct str envelope(struct enc *e, struct arena *a, const char *version, const char *kind_name)
{
    struct str raw = arena_str(a, buf_str(top(e)));

    must(e->depth == 0);
    buf_clear(top(e));
    buf_add(top(e), "k8s\0", 4);
    begin(e);
    put(e, 1, version);
    put(e, 2, kind_name);
    end(e, 1);
    put_bytes(e, 2, raw);
    put(e, 3, "");
    put(e, 4, "");
    return buf_str(top(e));
}

/* ---- what clients write --------------------------------------------------------------------------- */

/* Deployment x with one container, the way client-go encodes it: zero values of non-pointers and empty structs included. */
static void put_deployment(struct enc *e)
{
    begin(e);                                            /* metadata */
    put(e, 1, "x");
    put(e, 3, "");
    put(e, 5, "");
    put_varint(e, 7, 0);
    begin(e); end(e, 8);                                 /* creationTimestamp: zero */
    put_entry(e, 11, "app", "x");
    end(e, 1);
    begin(e);                                            /* spec */
    put_varint(e, 1, 0);                                 /* replicas: a pointer, so this zero is meant */
    begin(e); put_entry(e, 1, "app", "x"); end(e, 2);
    begin(e);                                            /* template */
    begin(e); put(e, 1, ""); put_entry(e, 11, "app", "x"); end(e, 1);
    begin(e);                                            /* pod spec */
    begin(e);                                            /* volume: its source is an embedded struct */
    put(e, 1, "v");
    begin(e); begin(e); put(e, 1, "Memory"); begin(e); put(e, 1, "1Gi"); end(e, 2); end(e, 2); end(e, 2);
    end(e, 1);
    begin(e);                                            /* container */
    put(e, 1, "y");
    put(e, 2, "img");
    put(e, 5, "");
    begin(e);                                            /* env with a secretKeyRef: embedded LocalObjectReference */
    put(e, 1, "PW");
    put(e, 2, "");
    begin(e); begin(e); begin(e); put(e, 1, "creds"); end(e, 1); put(e, 2, "password"); end(e, 4); end(e, 3);
    end(e, 7);
    begin(e);                                            /* resources: map of quantities */
    begin(e); put(e, 1, "cpu"); begin(e); put(e, 1, "500m"); end(e, 2); end(e, 1);
    end(e, 8);
    begin(e);                                            /* livenessProbe: embedded handler with IntOrString ports */
    begin(e); begin(e); put(e, 1, "/h"); begin(e); put_varint(e, 1, 1); put_varint(e, 2, 0); put(e, 3, "http"); end(e, 2); end(e, 2);
    end(e, 1);
    put_varint(e, 2, 0);
    put_varint(e, 4, 7);
    end(e, 10);
    begin(e); put_varint(e, 2, 0); end(e, 15);           /* securityContext: privileged=false, a pointer */
    put_varint(e, 16, 0);                                /* stdin=false, no pointer */
    end(e, 2);
    put(e, 3, "");
    put_varint(e, 4, 0);                                 /* terminationGracePeriodSeconds=0, a pointer */
    end(e, 2);
    end(e, 3);
    begin(e); put(e, 1, ""); end(e, 4);                  /* strategy */
    put_varint(e, 5, 0);
    put_varint(e, 7, 0);
    end(e, 2);
    begin(e); put_varint(e, 1, 0); end(e, 3);            /* status */
}

TEST(a_deployment_as_kubectl_sends_it)
{
    struct enc e = { 0 };
    struct arena a = ARENA_INIT;
    const struct schema_kind *k;
    struct errbuf err = { "" };
    struct json *obj = NULL;

    put_deployment(&e);
    CHECK_INT(schema_pb_decode(envelope(&e, &a, "apps/v1", "Deployment"), &a, &obj, &k, &err), 0);
    CHECK(k == kind("apps", "Deployment"));
    CHECK_JSON(&a, obj, "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'x','labels':{'app':'x'}},'spec':{'replicas':0,"
        "'selector':{'matchLabels':{'app':'x'}},'template':{'metadata':{'labels':{'app':'x'}},'spec':{'volumes':[{'name':'v','emptyDir':"
        "{'medium':'Memory','sizeLimit':'1Gi'}}],'containers':[{'name':'y','image':'img','env':[{'name':'PW','valueFrom':{'secretKeyRef':"
        "{'name':'creds','key':'password'}}}],'resources':{'limits':{'cpu':'500m'}},'livenessProbe':{'httpGet':{'path':'/h','port':'http'},"
        "'periodSeconds':7},'securityContext':{'privileged':false}}],'terminationGracePeriodSeconds':0}},'strategy':{}},'status':{}}");
    CHECK_INT(schema_conform(k, obj, &a, NULL, &err), 0);
    release(&e);
    arena_release(&a);
}

/* Bodies as kubectl 1.32 sent them: create deployment --replicas=0 --port=80, create configmap, auth can-i, create token. */
TEST(bodies_of_kubectl)
{
    static const struct { const char *hex, *want; } bodies[] = {
        {
          "6b3873000a150a07617070732f7631120a4465706c6f796d656e7412ba010a1f0a0377656212001a0022002a00320038"
          "0042005a0a0a0361707012037765621288010800120c0a0a0a0361707012037765621a6e0a1c0a0012001a0022002a00"
          "3200380042005a0a0a036170701203776562124e12300a056e67696e7812076e67696e783a312a00320a0a0010001850"
          "22002a0042006a007200800100880100900100a201001a00320042004a0052005800600068008201008a01009a0100c2"
          "010022020a00280038001a0c0800100018002000280038001a002200",
          "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web','labels':{'app':'web'}},'sp"
          "ec':{'replicas':0,'selector':{'matchLabels':{'app':'web'}},'template':{'metadata':{'labels':{'ap"
          "p':'web'}},'spec':{'containers':[{'name':'nginx','image':'nginx:1','ports':[{'containerPort':80}"
          "],'resources':{}}]}},'strategy':{}},'status':{}}" },
        {
          "6b3873000a0f0a0276311209436f6e6669674d617012230a110a016312001a0022002a0032003800420012060a016112"
          "013112060a01621201321a002200",
          "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'data':{'a':'1','b':'2'}}" },
        {
          "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a65637441636365"
          "7373526576696577123d0a100a0012001a0022002a00320038004200121f0a1d0a0764656661756c7412046c6973741a"
          "0022002a04706f647332003a001a08080012001a0020001a002200",
          "{'apiVersion':'authorization.k8s.io/v1','kind':'SelfSubjectAccessReview','metadata':{},'spec':{'"
          "resourceAttributes':{'namespace':'default','verb':'list','resource':'pods'}},'status':{'allowed'"
          ":false}}" },
        {
          "6b3873000a280a1861757468656e7469636174696f6e2e6b38732e696f2f7631120c546f6b656e52657175657374121a"
          "0a100a0012001a0022002a0032003800420012001a040a0012001a002200",
          "{'apiVersion':'authentication.k8s.io/v1','kind':'TokenRequest','metadata':{},'spec':{},'status':"
          "{'token':''}}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct arena a = ARENA_INIT;
        const struct schema_kind *k;
        struct errbuf err = { "" };
        struct json *obj = NULL;
        struct str body = { arena_alloc(&a, strlen(bodies[i].hex)), strlen(bodies[i].hex) / 2 };

        for (size_t b = 0; b < body.n; b++) {
            unsigned byte;

            CHECK_INT(sscanf(bodies[i].hex + 2 * b, "%2x", &byte), 1);
            ((char *)(uintptr_t)body.p)[b] = (char)byte;
        }
        CHECK_INT(schema_pb_decode(body, &a, &obj, &k, &err), 0);
        CHECK_JSON(&a, obj, bodies[i].want);
        arena_release(&a);
    }
}

TEST(every_prefix_and_every_flipped_byte_is_survived)
{
    struct enc e = { 0 };
    struct arena a = ARENA_INIT;
    struct str whole;
    unsigned accepted = 0;

    put_deployment(&e);
    whole = arena_str(&a, envelope(&e, &a, "apps/v1", "Deployment"));
    for (size_t n = 0; n < whole.n; n++) {
        struct arena b = ARENA_INIT;
        const struct schema_kind *k;
        struct json *obj;
        char *copy = malloc(n + 1);              /* exact size: an over-read is seen by ASan */

        memcpy(copy, whole.p, n);
        accepted += schema_pb_decode(str_make(copy, n), &b, &obj, &k, NULL) == 0;
        free(copy);
        arena_release(&b);
    }
    CHECK(accepted <= 3);                        /* only cuts between the envelope's fields can pass */
    for (size_t n = 0; n < whole.n; n++)
        for (int bit = 0; bit < 8; bit++) {
            struct arena b = ARENA_INIT;
            const struct schema_kind *k;
            struct errbuf err;
            struct json *obj;
            char *copy = arena_cstr(&b, whole);

            copy[n] = (char)(copy[n] ^ 1 << bit);
            if (schema_pb_decode(str_make(copy, whole.n), &b, &obj, &k, &err) == 0
                && schema_conform(k, obj, &b, NULL, &err) == 0)
                schema_default(k->type, obj, &b);
            arena_release(&b);
        }
    release(&e);
    arena_release(&a);
}

TEST(wire_oddities)
{
    struct enc e = { 0 };
    struct arena a = ARENA_INIT;
    struct json *obj = NULL;
    struct errbuf err = { "" };

    begin(&e); put_varint(&e, 1, 1700000000); put_varint(&e, 2, 123456789); end(&e, 3);      /* acquireTime */
    put_varint(&e, 2, 15);
    begin(&e); end(&e, 4);
    put(&e, 99, "unknown");
    put_varint(&e, 98, 7);
    CHECK_INT(schema_pb_decode_type(schema_field(kind("coordination.k8s.io", "Lease")->type, STR("spec"))->type,
                                    buf_str(top(&e)), &a, &obj, &err), 0);
    CHECK_JSON(&a, obj, "{'acquireTime':'2023-11-14T22:13:20.123456Z','leaseDurationSeconds':15}");
    buf_clear(top(&e));

    put_entry(&e, 2, "b", "\x01\x02\xff");                                                   /* secret data: bytes */
    put_entry(&e, 2, "a", "");
    put_entry(&e, 2, "b", "y");
    put_entry(&e, 2, "b", "zz");                                                             /* the last one counts */
    put_varint(&e, 5, 0);                                                                    /* immutable: a pointer */
    put(&e, 3, "");
    CHECK_INT(schema_pb_decode_type(kind("", "Secret")->type, buf_str(top(&e)), &a, &obj, &err), 0);
    CHECK_JSON(&a, obj, "{'data':{'b':'eno=','a':''},'immutable':false}");
    buf_clear(top(&e));

    put_varint(&e, 4, 1);                                                                    /* supplementalGroups, packed or not */
    put_bytes(&e, 4, STR("\x02\xac\x02"));
    CHECK_INT(schema_pb_decode_type(schema_field(schema_field(kind("", "Pod")->type, STR("spec"))->type, STR("securityContext"))->type,
                                    buf_str(top(&e)), &a, &obj, &err), 0);
    CHECK_JSON(&a, obj, "{'supplementalGroups':[1,2,300]}");
    buf_clear(top(&e));

    begin(&e); put(&e, 1, "{\"f:metadata\":{}}"); end(&e, 7);                                 /* managed fields */
    CHECK_INT(schema_pb_decode_type(schema_field(schema_field(kind("", "Pod")->type, STR("metadata"))->type, STR("managedFields"))->type,
                                    buf_str(top(&e)), &a, &obj, &err), 0);
    CHECK_JSON(&a, obj, "{'fieldsV1':{'f:metadata':{}}}");
    buf_clear(top(&e));

    begin(&e);                                                                               /* extra: lists in a map */
    put_entry(&e, 4, "scopes", "\x0a\x01x\x0a\x01y");
    end(&e, 1);
    CHECK_INT(schema_pb_decode_type(schema_field(kind("authentication.k8s.io", "SelfSubjectReview")->type, STR("status"))->type,
                                    buf_str(top(&e)), &a, &obj, &err), 0);
    CHECK_JSON(&a, obj, "{'userInfo':{'extra':{'scopes':['x','y']}}}");
    release(&e);
    arena_release(&a);
}

TEST(delete_options_come_under_the_group_of_their_object)
{
    struct enc e = { 0 };
    struct arena a = ARENA_INIT;
    const struct schema_kind *k = NULL;
    struct json *obj = NULL;
    struct errbuf err = { "" };

    put_varint(&e, 1, 0);
    put(&e, 4, "Background");
    CHECK_INT(schema_pb_decode(envelope(&e, &a, "apps/v1", "DeleteOptions"), &a, &obj, &k, &err), 0);
    CHECK_JSON(&a, obj, "{'apiVersion':'apps/v1','kind':'DeleteOptions','gracePeriodSeconds':0,'propagationPolicy':'Background'}");
    buf_clear(top(&e));
    CHECK_INT(schema_pb_decode(envelope(&e, &a, "apps/v1", "Nonsense"), &a, &obj, &k, &err), E_NOTFOUND);
    CHECK_STR(str_of(err.s), "no kind \"Nonsense\" is registered for version \"apps/v1\"");
    release(&e);
    arena_release(&a);
}

TEST(hostile_messages_are_refused)
{
    static const struct { struct str in; const char *error; } bad[] = {
        { { "", 0 }, "protobuf: the body does not begin with k8s\\0" },
        { { "k8s", 3 }, "protobuf: the body does not begin with k8s\\0" },
        { { "k8s\0\x0a\xff\xff\xff\xff\x0f", 10 }, "protobuf: message is cut short" },
        { { "k8s\0\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 15 }, "protobuf: message is cut short" },
        { { "k8s\0\x00\x00", 6 }, "protobuf: bad tag" },
        { { "k8s\0\x0b\x0c", 6 }, "protobuf: wire type is not supported" },
        { { "k8s\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 15 }, "protobuf: bad tag" },
        { { "k8s\0\x08\x01", 6 }, "protobuf: wrong wire type" },
        { { "k8s\0\x0a\x03\x0a\x01\xff", 9 }, "protobuf: a string is not UTF-8" },
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct schema_kind *k;
        struct errbuf err = { "" };
        struct json *obj;

        CHECK_INT(schema_pb_decode(bad[i].in, &a, &obj, &k, &err), E_INVALID);
        CHECK_STR(str_of(err.s), bad[i].error);
    }
    arena_release(&a);
}

/* A ControllerRevision whose data is a ControllerRevision whose data ...: must not eat the stack. */
TEST(envelopes_in_envelopes_are_bounded)
{
    struct arena a = ARENA_INIT;
    struct enc e = { 0 };
    struct str inner = STR("{}");
    const struct schema_kind *k;
    struct errbuf err = { "" };
    struct json *obj;

    for (int i = 0; i < 2000; i++) {
        begin(&e); put_bytes(&e, 1, inner); end(&e, 2);
        inner = arena_str(&a, envelope(&e, &a, "apps/v1", "ControllerRevision"));
        buf_clear(top(&e));
        if (i == 10)
            CHECK_INT(schema_pb_decode(inner, &a, &obj, &k, &err), 0);
    }
    CHECK_INT(schema_pb_decode(inner, &a, &obj, &k, &err), E_TOOBIG);
    release(&e);
    arena_release(&a);
}

TEST(embedded_json_stays_within_the_depth_that_json_has)
{
    struct arena a = ARENA_INIT;
    struct enc e = { 0 };
    const struct schema_kind *k;
    struct errbuf err = { "" };
    struct json *obj;
    char deep[2 * 510 + 1];

    memset(deep, '[', 510);
    memset(deep + 510, ']', 510);
    deep[1020] = '\0';
    begin(&e); put(&e, 1, deep); end(&e, 2);
    CHECK_INT(schema_pb_decode(envelope(&e, &a, "apps/v1", "ControllerRevision"), &a, &obj, &k, &err), E_TOOBIG);
    release(&e);
    arena_release(&a);
}

TEST(maps_with_many_keys_are_not_quadratic)
{
    struct arena a = ARENA_INIT;
    struct enc e = { 0 };
    struct json *obj = NULL;
    double t;

    for (int i = 0; i < 60000; i++) {
        char key[16];

        snprintf(key, sizeof(key), "k%d", 59999 - i / 3);
        put_entry(&e, 2, key, i % 3 == 2 ? "new" : "old");
    }
    t = seconds();
    CHECK_INT(schema_pb_decode_type(kind("", "ConfigMap")->type, buf_str(top(&e)), &a, &obj, NULL), 0);
    CHECK(seconds() - t < 2);
    CHECK_INT(json_getz(obj, "data")->n, 20000);
    CHECK_STR(json_str(json_get(json_getz(obj, "data"), STR("k59999"))), "new");
    release(&e);
    arena_release(&a);
}

TEST(speed_of_a_deployment)
{
    struct arena a = ARENA_INIT, b = ARENA_INIT;
    struct enc e = { 0 };
    struct str in;
    int n = 20000;
    double t;

    put_deployment(&e);
    in = envelope(&e, &a, "apps/v1", "Deployment");
    t = seconds();
    for (int i = 0; i < n; i++) {
        const struct schema_kind *k;
        struct json *obj;

        arena_reset(&b);
        CHECK_INT(schema_pb_decode(in, &b, &obj, &k, NULL), 0);
    }
    t = (seconds() - t) / n * 1e6;
    printf("deployment of %zu bytes: decode %.2f us\n", in.n, t);
    CHECK(t < 200);
    release(&e);
    arena_release(&a);
    arena_release(&b);
}
