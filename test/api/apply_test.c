/* test/api/apply_test.c: server-side apply: who owns what, who may take what from whom, and what goes. */
#include "api/managed_fields.h"
#include "test/api/api_rig.h"

#define CM "/api/v1/namespaces/default/configmaps"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/default/deployments"

/* ---- Sets ------------------------------------------------------------------------------------------ */

static struct field_set set_of(struct arena *a, const char *text)
{
    struct json_error why;
    struct json      *v1;
    struct field_set  s;
    char             *copy = arena_cstr(a, str_of(text));

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    must_ok(json_parse(a, str_of(copy), &v1, &why));
    CHECK_INT(field_set_decode(a, v1, &s), 0);
    return s;
}

static bool is(struct arena *a, struct field_set s, const char *text)
{
    struct buf b = BUF_INIT;
    bool       same;

    field_set_write(&b, s);
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] == '"')
            b.p[i] = '\'';
    same = str_is(buf_str(&b), text);
    if (!same)
        printf("%.*s\nnot\n%s\n", (int)b.n, b.p, text);
    buf_release(&b);
    return same;
}

TEST(sets)
{
    struct arena     a = ARENA_INIT;
    struct field_set x = set_of(&a, "{'f:b':{},'f:a':{'.':{},'f:c':{}},'k:{\\'y\\':1,\\'x\\':\\'s\\'}':{'f:d':{}}}");
    struct field_set y = set_of(&a, "{'f:a':{'f:c':{},'f:e':{}},'f:b':{'f:z':{}},'k:{\\'x\\':\\'s\\',\\'y\\':1}':{}}");

    CHECK(is(&a, x, "{'f:a':{'.':{},'f:c':{}},'f:b':{},'k:{\\'x\\':\\'s\\',\\'y\\':1}':{'f:d':{}}}"));
    CHECK(is(&a, field_set_union(&a, x, y), "{'f:a':{'.':{},'f:c':{},'f:e':{}},'f:b':{'.':{},'f:z':{}},"
             "'k:{\\'x\\':\\'s\\',\\'y\\':1}':{'.':{},'f:d':{}}}"));
    CHECK(is(&a, field_set_minus(&a, x, y), "{'f:a':{},'f:b':{},'k:{\\'x\\':\\'s\\',\\'y\\':1}':{'f:d':{}}}"));
    CHECK(is(&a, field_set_minus(&a, y, x), "{'f:a':{'f:e':{}},'f:b':{'f:z':{}},'k:{\\'x\\':\\'s\\',\\'y\\':1}':{}}"));
    CHECK(is(&a, field_set_common(&a, x, y), "{'f:a':{'f:c':{}}}"));
    CHECK(is(&a, field_set_prune(&a, y, x), "{'k:{\\'x\\':\\'s\\',\\'y\\':1}':{}}"));
    CHECK(is(&a, field_set_prune(&a, x, y), "{'f:a':{},'f:b':{}}"));
    CHECK(field_set_equal(x, x) && !field_set_equal(x, y));
    CHECK(field_set_empty(field_set_minus(&a, x, x)) && field_set_equal(field_set_common(&a, y, y), y));
    arena_release(&a);
}

TEST(what_is_no_set)
{
    static const char *const bad[] = {
        "[]", "1", "{\"a\":{}}", "{\"f\":{}}", "{\"x:a\":{}}", "{\"f:a\":1}", "{\"f:a\":{\"f:b\":[]}}", "{\"k:\":{}}",
        "{\"k:{}\":{}}", "{\"k:{\\\"a\\\":{}}\":{}}", "{\"k:[1]\":{}}", "{\"v:x\":{}}", "{\"v:{}\":{}}", "{\"i:x\":{}}",
        "{\"k:{\\\"a\\\":1,\\\"b\\\":1,\\\"c\\\":1,\\\"d\\\":1,\\\"e\\\":1,\\\"f\\\":1,\\\"g\\\":1,\\\"h\\\":1,\\\"i\\\":1}\":{}}",
    };
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct json_error why;
        struct json      *v1;
        struct field_set  s;

        must_ok(json_parse(&a, str_of(bad[i]), &v1, &why));
        if (field_set_decode(&a, v1, &s) != E_INVALID)
            CHECK_STR(str_of(bad[i]), "refused");
    }
    arena_release(&a);
}

/* Laws of sets, on random ones: what none of the cases above thought of. */
static struct json *random_v1(struct arena *a, uint64_t *seed, unsigned depth)
{
    static const char *const names[] = { "f:a", "f:b", "f:c", "k:{\"n\":1}", "k:{\"n\":2}", "v:\"x\"", "i:3", "." };
    struct json *obj = json_object(a);

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
        if (*seed >> 62 != 0)
            continue;
        json_append(obj, str_of(names[i]), depth > 0 && names[i][0] != '.' ? random_v1(a, seed, depth - 1) : json_object(a));
    }
    return obj;
}

static struct json *written_v1(struct arena *a, struct field_set s)
{
    struct buf   b = BUF_INIT;
    struct json *v1 = NULL;

    field_set_write(&b, s);
    CHECK_INT(json_parse(a, arena_str(a, buf_str(&b)), &v1, NULL), 0);
    buf_release(&b);
    return v1;
}

TEST(laws_of_sets)
{
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct arena     a = ARENA_INIT;
        uint64_t         s = seed;
        struct field_set x, y, common, both;

        CHECK_INT(field_set_decode(&a, random_v1(&a, &s, 3), &x), 0);
        CHECK_INT(field_set_decode(&a, random_v1(&a, &s, 3), &y), 0);
        common = field_set_common(&a, x, y);
        both = field_set_union(&a, x, y);
        CHECK(field_set_equal(both, field_set_union(&a, y, x)));
        CHECK(field_set_equal(common, field_set_common(&a, y, x)));
        CHECK(field_set_equal(field_set_union(&a, field_set_minus(&a, x, y), common), x));
        CHECK(field_set_equal(field_set_minus(&a, both, y), field_set_minus(&a, x, y)));
        CHECK(field_set_empty(field_set_common(&a, field_set_minus(&a, x, y), y)));
        struct json *written = written_v1(&a, y);
        CHECK(field_set_within(x, written) == field_set_empty(field_set_minus(&a, x, y)));
        CHECK(field_set_within(common, written));
        CHECK(field_set_touches(x, written) == !field_set_empty(common));
        arena_release(&a);
    }
}

/* ---- Through the API ------------------------------------------------------------------------------- */

static struct answer apply(struct rig *r, const char *path, const char *manager, bool force, const char *body)
{
    char          target[400];
    struct answer a;

    snprintf(target, sizeof target, "%s?fieldManager=%s%s", path, manager, force ? "&force=true" : "");
    r->type = "application/apply-patch+yaml";
    a = call(r, "PATCH", target, body);
    r->type = "application/json";
    return a;
}

static void apply_gives(struct rig *r, int want, const char *path, const char *manager, bool force, const char *body)
{
    struct answer a = apply(r, path, manager, force, body);

    CHECK_INT(a.status, want);
    if (a.status != want)
        CHECK_AT(a, "message", "");
    answer_free(&a);
}

/* The text of one manager's fields, quotes as '; "" if it has none. */
static void check_owns(struct rig *r, const char *path, const char *manager, const char *operation, const char *want)
{
    struct answer a = call(r, "GET", path, NULL);
    struct buf    b = BUF_INIT;

    json_each(e, json_path(a.obj, "metadata.managedFields"))
        if (str_is(json_str(json_getz(e, "manager")), manager) && str_is(json_str(json_getz(e, "operation")), operation))
            json_write(&b, json_getz(e, "fieldsV1"));
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] == '"')
            b.p[i] = '\'';
    CHECK_STR(buf_str(&b), want);
    buf_release(&b);
    answer_free(&a);
}

#define CM_BODY(data) "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {" data "}\n"

TEST(created_and_taken_back)
{
    struct rig   *r = rig_open();
    struct answer a;

    apply_gives(r, 201, CM "/a", "one", false, CM_BODY("x: '1', w: '1'"));
    check_owns(r, CM "/a", "one", "Apply", "{'f:data':{'f:w':{},'f:x':{}}}");
    apply_gives(r, 200, CM "/a", "two", false, CM_BODY("w: '1', z: '1'"));
    apply_gives(r, 200, CM "/a", "one", false, CM_BODY("x: '2'"));
    a = call(r, "GET", CM "/a", NULL);
    CHECK_AT(a, "data.x", "2");
    CHECK_AT(a, "data.w", "1");                  /* the other one still says so */
    CHECK_AT(a, "data.z", "1");
    answer_free(&a);
    apply_gives(r, 200, CM "/a", "two", false, CM_BODY(""));
    a = call(r, "GET", CM "/a", NULL);
    CHECK(json_path(a.obj, "data.w") == NULL && json_path(a.obj, "data.z") == NULL);
    CHECK_AT(a, "data.x", "2");
    answer_free(&a);
    rig_close(r);
}

TEST(the_same_again_changes_nothing)
{
    struct rig   *r = rig_open();
    struct answer first, again;

    apply_gives(r, 201, CM "/a", "one", false, CM_BODY("x: '1'"));
    first = call(r, "GET", CM "/a", NULL);
    rig_run(r, 5000);
    apply_gives(r, 200, CM "/a", "one", false, CM_BODY("x: '1'"));
    again = call(r, "GET", CM "/a", NULL);
    CHECK(json_equal(first.obj, again.obj));
    answer_free(&first);
    answer_free(&again);
    rig_close(r);
}

/* A map with nothing in it is not kept, so it is no news to anybody; it is owned all the same. */
TEST(an_empty_map_may_be_everybodys)
{
    struct rig   *r = rig_open();
    struct answer a, b;

    apply_gives(r, 201, CM "/a", "one", false, CM_BODY(""));
    apply_gives(r, 200, CM "/a", "two", false, CM_BODY(""));
    check_owns(r, CM "/a", "one", "Apply", "{'f:data':{}}");
    check_owns(r, CM "/a", "two", "Apply", "{'f:data':{}}");
    a = call(r, "GET", CM "/a", NULL);
    CHECK(json_getz(a.obj, "data") == NULL);
    apply_gives(r, 200, CM "/a", "two", false, CM_BODY(""));
    b = call(r, "GET", CM "/a", NULL);
    CHECK(json_equal(a.obj, b.obj));
    answer_free(&a);
    answer_free(&b);
    rig_close(r);
}

TEST(conflicts_name_who_and_what)
{
    struct rig   *r = rig_open();
    struct answer a;

    apply_gives(r, 201, CM "/a", "one", false, CM_BODY("x: '1', w: '1'"));
    a = apply(r, CM "/a", "two", false, CM_BODY("x: '2'"));
    CHECK_INT(a.status, 409);
    CHECK_AT(a, "reason", "Conflict");
    CHECK_AT(a, "message", "Apply failed with 1 conflict: conflict with \"one\": .data.x");
    CHECK_AT(a, "details.causes.0.reason", "FieldManagerConflict");
    CHECK_AT(a, "details.causes.0.field", ".data.x");
    answer_free(&a);
    a = apply(r, CM "/a", "two", false, CM_BODY("x: '2', w: '2'"));
    CHECK_AT(a, "message", "Apply failed with 2 conflicts: conflicts with \"one\":\n- .data.w\n- .data.x");
    answer_free(&a);
    apply_gives(r, 200, CM "/a", "two", true, CM_BODY("x: '2'"));
    check_owns(r, CM "/a", "one", "Apply", "{'f:data':{'f:w':{}}}");
    check_owns(r, CM "/a", "two", "Apply", "{'f:data':{'f:x':{}}}");
    /* what was lost is not taken back by who no longer owns it */
    apply_gives(r, 200, CM "/a", "one", false, CM_BODY("w: '1'"));
    a = call(r, "GET", CM "/a", NULL);
    CHECK_AT(a, "data.x", "2");
    answer_free(&a);
    rig_close(r);
}

TEST(updates_take_without_asking)
{
    struct rig   *r = rig_open();
    struct answer a;

    apply_gives(r, 201, CM "/a", "one", false, CM_BODY("x: '1', w: '1'"));
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", CM "/a?fieldManager=edit", "{'data':{'x':'3','n':'1'}}");
    check_owns(r, CM "/a", "one", "Apply", "{'f:data':{'f:w':{}}}");
    check_owns(r, CM "/a", "edit", "Update", "{'f:data':{'f:n':{},'f:x':{}}}");
    a = apply(r, CM "/a", "one", false, CM_BODY("x: '1', w: '1'"));
    CHECK_AT(a, "message", "Apply failed with 1 conflict: conflict with \"edit\" using v1: .data.x");
    answer_free(&a);
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", CM "/a?fieldManager=edit", "{'data':{'x':null}}");
    check_owns(r, CM "/a", "edit", "Update", "{'f:data':{'f:n':{}}}");
    apply_gives(r, 200, CM "/a", "one", false, CM_BODY("x: '1', w: '1'"));
    rig_close(r);
}

TEST(created_by_update_is_tracked)
{
    struct rig *r = rig_open();

    CALL(r, 201, "POST", CM "?fieldManager=maker", "{'metadata':{'name':'a','labels':{'l':'1'}},'data':{'x':'1'}}");
    check_owns(r, CM "/a", "maker", "Update", "{'f:data':{'.':{},'f:x':{}},'f:metadata':{'f:labels':{'.':{},'f:l':{}}}}");
    rig_close(r);
}

/* An object that nobody is noted for: all of it belongs to who wrote it before the first apply. */
TEST(before_the_first_apply)
{
    struct rig   *r = rig_open();
    struct answer a;

    CALL(r, 201, "POST", CM, "{'metadata':{'name':'a'},'data':{'x':'1','w':'1'}}");
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", CM "/a", "{'metadata':{'managedFields':[{}]}}");
    CALL(r, 200, "PATCH", CM "/a?fieldManager=edit", "{'data':{'w':'2'}}");
    a = call(r, "GET", CM "/a", NULL);
    CHECK(json_path(a.obj, "metadata.managedFields") == NULL);
    answer_free(&a);
    a = apply(r, CM "/a", "one", false, CM_BODY("x: '2'"));
    CHECK_AT(a, "message", "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.x");
    answer_free(&a);
    apply_gives(r, 200, CM "/a", "one", false, CM_BODY("x: '1'"));
    check_owns(r, CM "/a", "before-first-apply", "Update", "{'f:data':{'.':{},'f:w':{},'f:x':{}}}");
    check_owns(r, CM "/a", "one", "Apply", "{'f:data':{'f:x':{}}}");
    rig_close(r);
}

/* kubectl apply, then kubectl apply --server-side: no conflict with itself where nobody else meddled. */
TEST(from_client_side_apply)
{
    static const char applied[] =
        "{'metadata':{'name':'a','annotations':{'kubectl.kubernetes.io/last-applied-configuration':"
        "'{\\'apiVersion\\':\\'v1\\',\\'kind\\':\\'ConfigMap\\',\\'metadata\\':{\\'name\\':\\'a\\'},\\'data\\':"
        "{\\'x\\':\\'1\\',\\'w\\':\\'1\\'}}'}},'data':{'x':'1','w':'1'}}";
    struct rig   *r = rig_open();
    struct answer a;

    CALL(r, 201, "POST", CM "?fieldManager=kubectl-client-side-apply", applied);
    apply_gives(r, 200, CM "/a", "kubectl", false, CM_BODY("x: '2', w: '1'"));
    a = call(r, "GET", CM "/a", NULL);
    CHECK_AT(a, "data.x", "2");
    CHECK(strstr(json_str(json_getz(json_path(a.obj, "metadata.annotations"),
                                    "kubectl.kubernetes.io/last-applied-configuration")).p, "\\\"x\\\":\\\"2\\\"") != NULL ||
          strstr(json_str(json_getz(json_path(a.obj, "metadata.annotations"),
                                    "kubectl.kubernetes.io/last-applied-configuration")).p, "\"x\":\"2\"") != NULL);
    answer_free(&a);
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", CM "/a?fieldManager=other", "{'data':{'w':'9'}}");
    apply_gives(r, 409, CM "/a", "kubectl", false, CM_BODY("x: '2', w: '1'"));
    rig_close(r);
}

static const char deployment[] =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: 2\n"
    "  selector: {matchLabels: {app: x}}\n  template:\n    metadata: {labels: {app: x}}\n    spec:\n      containers:\n"
    "      - {name: b, image: i, ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}]}\n"
    "      - {name: a, image: i, env: [{name: E, value: '1'}]}\n";
static const char deployment_less[] =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n"
    "  selector: {matchLabels: {app: x}}\n  template:\n    metadata: {labels: {app: x}}\n    spec:\n      containers:\n"
    "      - {name: a, image: i}\n"
    "      - {name: b, image: i, ports: [{containerPort: 80, protocol: UDP}]}\n";

TEST(lists_by_key)
{
    struct rig   *r = rig_open();
    struct answer a;

    apply_gives(r, 201, DEPLOYMENTS "/d", "one", false, deployment);
    r->type = "application/strategic-merge-patch+json";
    CALL(r, 200, "PATCH", DEPLOYMENTS "/d?fieldManager=inject",
         "{'spec':{'template':{'spec':{'containers':[{'name':'side','image':'s'}]}}}}");
    apply_gives(r, 200, DEPLOYMENTS "/d", "one", false, deployment_less);
    a = call(r, "GET", DEPLOYMENTS "/d", NULL);
    CHECK_INT(json_path(a.obj, "spec.template.spec.containers")->n, 3);
    CHECK_AT(a, "spec.template.spec.containers.0.name", "side");
    CHECK_AT(a, "spec.template.spec.containers.1.name", "a");
    CHECK_AT(a, "spec.template.spec.containers.2.name", "b");
    CHECK(json_path(a.obj, "spec.template.spec.containers.1.env") == NULL);
    CHECK_INT(json_path(a.obj, "spec.template.spec.containers.2.ports")->n, 1);
    CHECK_AT(a, "spec.template.spec.containers.2.ports.0.protocol", "UDP");
    CHECK_INT(json_path_i64(a.obj, "spec.replicas", 0), 1);       /* the default again */
    answer_free(&a);
    apply_gives(r, 400, DEPLOYMENTS "/d", "one", false,
                "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{image: i}]}}}");
    apply_gives(r, 400, DEPLOYMENTS "/d", "one", false,
                "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{name: a}, {name: a}]}}}");
    rig_close(r);
}

/* A selector is one thing, and so is an owner's reference within its list. */
TEST(atomic_structs)
{
    static const char owned[] =
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  ownerReferences:\n"
        "  - {apiVersion: v1, kind: Node, name: node1, uid: u1}\n";
    struct rig *r = rig_open();

    apply_gives(r, 201, DEPLOYMENTS "/d", "one", false,
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {app: x}}\n"
                "  template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: i, env: [{name: E, "
                "valueFrom: {configMapKeyRef: {name: c, key: k}}}]}]}}\n");
    check_owns(r, DEPLOYMENTS "/d", "one", "Apply",
               "{'f:spec':{'f:selector':{},'f:template':{'f:metadata':{'f:labels':{'f:app':{}}},'f:spec':{'f:containers':"
               "{'k:{\\'name\\':\\'c\\'}':{'.':{},'f:env':{'k:{\\'name\\':\\'E\\'}':{'.':{},'f:name':{},'f:valueFrom':"
               "{'f:configMapKeyRef':{}}}},'f:image':{},'f:name':{}}}}}}}");
    apply_gives(r, 201, CM "/a", "one", false, owned);
    check_owns(r, CM "/a", "one", "Apply", "{'f:metadata':{'f:ownerReferences':{'k:{\\'uid\\':\\'u1\\'}':{}}}}");
    rig_close(r);
}

TEST(parts_of_an_object)
{
    struct rig   *r = rig_open();
    struct answer a;

    apply_gives(r, 201, DEPLOYMENTS "/d", "one", false, deployment);
    apply_gives(r, 200, DEPLOYMENTS "/d/status", "ctl", false,
                "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 9}\nstatus: {observedGeneration: 1}\n");
    check_owns(r, DEPLOYMENTS "/d", "ctl", "Apply", "{'f:status':{'f:observedGeneration':{}}}");
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", DEPLOYMENTS "/d/scale?fieldManager=hpa", "{'spec':{'replicas':5}}");
    a = apply(r, DEPLOYMENTS "/d", "one", false, deployment);
    CHECK_AT(a, "message", "Apply failed with 1 conflict: conflict with \"hpa\" with subresource \"scale\" using apps/v1: "
             ".spec.replicas");
    answer_free(&a);
    apply_gives(r, 200, DEPLOYMENTS "/d/scale", "scaler", true,
                "apiVersion: autoscaling/v1\nkind: Scale\nmetadata: {name: d}\nspec: {replicas: 4}\n");
    check_owns(r, DEPLOYMENTS "/d", "scaler", "Apply", "{'f:spec':{'f:replicas':{}}}");
    check_owns(r, DEPLOYMENTS "/d", "hpa", "Update", "");
    rig_close(r);
}

TEST(what_is_refused)
{
    struct rig   *r = rig_open();
    struct answer a;

    CALL(r, 201, "POST", CM, "{'metadata':{'name':'a'},'data':{'x':'1'}}");
    r->type = "application/apply-patch+yaml";
    a = call(r, "PATCH", CM "/a", CM_BODY(""));
    CHECK_INT(a.status, 422);
    CHECK_AT(a, "message", "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
    answer_free(&a);
    r->type = "application/merge-patch+json";
    CALL(r, 422, "PATCH", CM "/a?force=true", "{}");
    apply_gives(r, 400, CM "/a", "one", false, "kind: ConfigMap\n");
    apply_gives(r, 400, CM "/a", "one", false, "apiVersion: v1\n");
    apply_gives(r, 400, CM "/a", "one", false, "apiVersion: v1\nkind: Secret\n");
    apply_gives(r, 400, CM "/a", "one", false, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n");
    apply_gives(r, 400, CM "/a", "one", false, "- 1\n");
    apply_gives(r, 400, CM "/a", "one", false, "apiVersion: v1\nkind: ConfigMap\nmetadata: {managedFields: [{manager: x}]}\n");
    apply_gives(r, 409, CM "/b", "one", false, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, uid: abc}\n");
    apply_gives(r, 409, CM "/a", "one", false, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, resourceVersion: '1'}\n");
    apply_gives(r, 404, CM "/b/status", "one", false, CM_BODY(""));
    r->type = "application/apply-patch+yaml";
    CALL(r, 415, "POST", CM, "{'metadata':{'name':'c'}}");
    rig_close(r);
}

/* So many updaters, and still few entries; nothing that one of them set is forgotten. */
TEST(old_updaters_become_one)
{
    struct rig   *r = rig_open();
    struct answer a;

    apply_gives(r, 201, CM "/a", "one", false, CM_BODY("x: '1'"));
    r->type = "application/merge-patch+json";
    for (unsigned i = 0; i < 25; i++) {
        char path[200], body[100];

        snprintf(path, sizeof path, CM "/a?fieldManager=m%02u", i);
        snprintf(body, sizeof body, "{'data':{'k%02u':'1'}}", i);
        CALL(r, 200, "PATCH", path, body);
        rig_run(r, 1000);
    }
    a = call(r, "GET", CM "/a", NULL);
    CHECK_INT(json_path(a.obj, "metadata.managedFields")->n, 11);
    answer_free(&a);
    a = apply(r, CM "/a", "one", false, CM_BODY("x: '1', k00: '2'"));
    CHECK_AT(a, "message", "Apply failed with 1 conflict: conflict with \"ancient-changes\" using v1: .data.k00");
    answer_free(&a);
    rig_close(r);
}
