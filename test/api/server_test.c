/* test/api/server_test.c: the request pipeline end to end: one head in the simulated world. */
#include "test/api/api_rig.h"

#define CM "/api/v1/namespaces/default/configmaps"

static const char cm_a[] = "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a',"
                           "'labels':{'app':'x'}},'data':{'k':'v'}}";

TEST(create_get_delete)
{
    struct rig   *r = rig_open();
    struct answer a = call(r, "POST", CM, cm_a);

    CHECK_INT(a.status, 201);
    CHECK_AT(a, "kind", "ConfigMap");
    CHECK_AT(a, "apiVersion", "v1");
    CHECK_AT(a, "metadata.name", "a");
    CHECK_AT(a, "metadata.namespace", "default");
    CHECK_INT(json_path_str(a.obj, "metadata.uid").n, 36);
    CHECK(json_path_str(a.obj, "metadata.resourceVersion").n > 0);
    CHECK_INT(json_path_str(a.obj, "metadata.creationTimestamp").n, 20);
    CHECK(json_path(a.obj, "metadata.generation") == NULL);
    answer_free(&a);
    a = call(r, "POST", CM, cm_a);
    CHECK_INT(a.status, 409);
    CHECK_AT(a, "reason", "AlreadyExists");
    CHECK_AT(a, "message", "configmaps \"a\" already exists");
    CHECK_AT(a, "details.name", "a");
    CHECK_AT(a, "details.kind", "configmaps");
    answer_free(&a);
    a = call(r, "GET", CM "/a", NULL);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "data.k", "v");
    answer_free(&a);
    a = call(r, "DELETE", CM "/a", NULL);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "status", "Success");
    CHECK_AT(a, "details.kind", "configmaps");
    CHECK_INT(json_path_str(a.obj, "details.uid").n, 36);
    answer_free(&a);
    a = call(r, "GET", CM "/a", NULL);
    CHECK_INT(a.status, 404);
    CHECK_AT(a, "message", "configmaps \"a\" not found");
    answer_free(&a);
    rig_close(r);
}

/* ---- Writing ------------------------------------------------------------------------------------------ */

static char *rv_of(struct rig *r, const char *path)
{
    struct answer a = call(r, "GET", path, NULL);
    char         *rv = strndup(json_path_str(a.obj, "metadata.resourceVersion").p,
                               json_path_str(a.obj, "metadata.resourceVersion").n);

    answer_free(&a);
    return rv;
}

static char *text(const char *fmt, ...)
{
    char   *s = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0)
        abort();
    va_end(ap);
    return s;
}

TEST(update_and_conflict)
{
    struct rig   *r = rig_open();
    char         *rv, *body;
    struct answer a;

    CALL(r, 201, "POST", CM, cm_a);
    rv = rv_of(r, CM "/a");
    body = text("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a','resourceVersion':'%s'},"
                "'data':{'k':'w'}}", rv);
    a = call(r, "PUT", CM "/a", body);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "data.k", "w");
    CHECK(json_path(a.obj, "metadata.labels") == NULL);
    CHECK_INT(json_path_str(a.obj, "metadata.uid").n, 36);
    CHECK(!str_is(json_path_str(a.obj, "metadata.resourceVersion"), rv));
    answer_free(&a);
    a = call(r, "PUT", CM "/a", body);
    CHECK_INT(a.status, 409);
    CHECK_AT(a, "reason", "Conflict");
    CHECK_AT(a, "message", "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; "
                           "please apply your "
                           "changes to the latest version and try again");
    answer_free(&a);
    free(body);
    free(rv);
    /* Without a version: as it is; the same once more: no new version. */
    CALL(r, 200, "PUT", CM "/a", cm_a);
    rv = rv_of(r, CM "/a");
    CALL(r, 200, "PUT", CM "/a", cm_a);
    body = rv_of(r, CM "/a");
    CHECK_STR(str_of(body), rv);
    free(body);
    free(rv);
    CALL(r, 404, "PUT", CM "/nope", "{'metadata':{'name':'nope'}}");
    CALL(r, 400, "PUT", CM "/a", "{'metadata':{'name':'b'}}");
    CALL(r, 400, "PUT", CM "/a", "{'metadata':{'name':'a','namespace':'other'}}");
    a = call(r, "PUT", CM "/a", "{'metadata':{'name':'a','uid':'x'}}");
    CHECK_INT(a.status, 409);
    CHECK(str_starts(json_path_str(a.obj, "message"),
                     STR("Operation cannot be fulfilled on configmaps \"a\": Precondition failed: UID in "
                         "precondition: x")));
    answer_free(&a);
    rig_close(r);
}

TEST(patches)
{
    struct rig   *r = rig_open();
    struct answer a;

    CALL(r, 201, "POST", CM, cm_a);
    r->type = "application/merge-patch+json";
    a = call(r, "PATCH", CM "/a", "{'data':{'k':null,'n':'1'},'metadata':{'labels':{'b':'c'}}}");
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "data.n", "1");
    CHECK(json_path(a.obj, "data.k") == NULL);
    CHECK_AT(a, "metadata.labels.b", "c");
    CHECK_AT(a, "metadata.labels.app", "x");
    answer_free(&a);
    CALL(r, 400, "PATCH", CM "/a", "[]");
    CALL(r, 400, "PATCH", CM "/a", "{'data':");
    CALL(r, 400, "PATCH", CM "/a", "{'kind':'Secret'}");
    CALL(r, 422, "PATCH", CM "/a", "{'metadata':{'name':'b'}}");
    CALL(r, 409, "PATCH", CM "/a", "{'metadata':{'resourceVersion':'1'}}");
    r->type = "application/json-patch+json";
    a = call(r, "PATCH", CM "/a", "[{'op':'test','path':'/data/n','value':'1'},{'op':'add',"
                                  "'path':'/data/m','value':'2'}]");
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "data.m", "2");
    answer_free(&a);
    CALL(r, 422, "PATCH", CM "/a", "[{'op':'test','path':'/data/n','value':'7'}]");
    CALL(r, 400, "PATCH", CM "/a", "[{'op':'jump'}]");
    CALL(r, 400, "PATCH", CM "/a", "{}");
    CALL(r, 422, "PATCH", CM "/a", "[{'op':'remove','path':'/data/none'}]");
    r->type = "application/apply-patch+yaml";
    CALL(r, 422, "PATCH", CM "/a", "{}");
    r->type = "text/plain";
    CALL(r, 415, "PATCH", CM "/a", "{}");
    CALL(r, 415, "POST", CM, cm_a);
    rig_close(r);
}

TEST(dry_run_changes_nothing)
{
    struct rig   *r = rig_open();
    struct answer a = call(r, "POST", CM "?dryRun=All", cm_a);

    CHECK_INT(a.status, 201);
    CHECK(json_path(a.obj, "metadata.resourceVersion") == NULL);
    CHECK_INT(json_path_str(a.obj, "metadata.uid").n, 36);
    answer_free(&a);
    CALL(r, 404, "GET", CM "/a", NULL);
    CALL(r, 201, "POST", CM, cm_a);
    CALL(r, 409, "POST", CM "?dryRun=All", cm_a);
    a = call(r, "PUT", CM "/a?dryRun=All", "{'metadata':{'name':'a'},'data':{'k':'other'}}");
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "data.k", "other");
    answer_free(&a);
    CALL(r, 200, "DELETE", CM "/a?dryRun=All", NULL);
    a = call(r, "GET", CM "/a", NULL);
    CHECK_AT(a, "data.k", "v");
    answer_free(&a);
    CALL(r, 400, "POST", CM "?dryRun=Some", cm_a);
    CALL(r, 200, "DELETE", CM "/a", "{'dryRun':['All']}");
    CALL(r, 200, "GET", CM "/a", NULL);
    rig_close(r);
}

TEST(field_validation)
{
    static const char odd[] = "{'metadata':{'name':'o'},'data':{'k':'1','k':'2'},'foo':1,'bar':{}}";
    struct rig   *r = rig_open();
    struct answer a = call(r, "POST", CM "?fieldValidation=Strict", odd);

    CHECK_INT(a.status, 400);
    CHECK(strstr(json_path_str(a.obj, "message").p, "unknown field \"foo\"") != NULL);
    CHECK(strstr(json_path_str(a.obj, "message").p, "unknown field \"bar\"") != NULL);
    CHECK(strstr(json_path_str(a.obj, "message").p, "duplicate field \"data.k\"") != NULL);
    answer_free(&a);
    a = call(r, "POST", CM "?fieldValidation=Warn", odd);
    CHECK_INT(a.status, 201);
    CHECK(strstr(a.extra, "Warning: 299 - \"unknown field \\\"foo\\\"\"") != NULL);
    CHECK_AT(a, "data.k", "2");
    answer_free(&a);
    a = call(r, "PUT", CM "/o?fieldValidation=Ignore", odd);
    CHECK_INT(a.status, 200);
    CHECK(strstr(a.extra, "Warning") == NULL);
    answer_free(&a);
    CALL(r, 400, "POST", CM "?fieldValidation=Maybe", odd);
    rig_close(r);
}

TEST(names_and_metadata)
{
    struct rig   *r = rig_open();
    struct answer a = call(r, "POST", CM, "{'metadata':{'generateName':'web-'}}");

    CHECK_INT(a.status, 201);
    CHECK_INT(json_path_str(a.obj, "metadata.name").n, 9);
    CHECK(str_starts(json_path_str(a.obj, "metadata.name"), STR("web-")));
    answer_free(&a);
    a = call(r, "POST", CM, "{'metadata':{}}");
    CHECK_INT(a.status, 422);
    CHECK_AT(a, "message", "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName "
                           "is required");
    CHECK_AT(a, "details.causes.0.reason", "FieldValueRequired");
    CHECK_AT(a, "details.causes.0.field", "metadata.name");
    answer_free(&a);
    CALL(r, 422, "POST", CM, "{'metadata':{'name':'UPPER'}}");
    CALL(r, 422, "POST", CM, "{'metadata':{'name':'a','labels':{'-':'x'}}}");
    CALL(r, 422, "POST", CM, "{'metadata':{'name':'a','labels':{'x':'a b'}}}");
    CALL(r, 422, "POST", CM, "{'metadata':{'name':'a','finalizers':['nope']}}");
    CALL(r, 422, "POST", CM, "{'metadata':{'name':'a','ownerReferences':[{'kind':'X'}]}}");
    CALL(r, 400, "POST", CM, "{'metadata':{'name':'a','resourceVersion':'1'}}");
    CALL(r, 404, "POST", "/api/v1/namespaces/none/configmaps", cm_a);
    CALL(r, 400, "POST", "/api/v1/configmaps", cm_a);
    rig_close(r);
}

TEST(finalizers_hold)
{
    struct rig   *r = rig_open();
    struct answer a;

    CALL(r, 201, "POST", CM, "{'metadata':{'name':'f','finalizers':['example.com/x']}}");
    a = call(r, "DELETE", CM "/f", NULL);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "kind", "ConfigMap");
    CHECK_INT(json_path_str(a.obj, "metadata.deletionTimestamp").n, 20);
    CHECK_INT(json_path_i64(a.obj, "metadata.deletionGracePeriodSeconds", -1), 0);
    answer_free(&a);
    CALL(r, 200, "DELETE", CM "/f", NULL);
    CALL(r, 422, "PUT", CM "/f", "{'metadata':{'name':'f','finalizers':['example.com/x','example.com/y']}}");
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", CM "/f", "{'metadata':{'finalizers':null}}");
    r->type = NULL;
    CALL(r, 404, "GET", CM "/f", NULL);
    CALL(r, 201, "POST", CM, "{'metadata':{'name':'g'}}");
    a = call(r, "DELETE", CM "/g?propagationPolicy=Foreground", NULL);
    CHECK_AT(a, "metadata.finalizers.0", "foregroundDeletion");
    answer_free(&a);
    CALL(r, 201, "POST", CM, "{'metadata':{'name':'h'}}");
    CALL(r, 409, "DELETE", CM "/h", "{'preconditions':{'uid':'other'}}");
    CALL(r, 422, "DELETE", CM "/h", "{'propagationPolicy':'Sideways'}");
    CALL(r, 400, "DELETE", CM "/h", "{'gracePeriodSeconds':'x'}");
    CALL(r, 400, "DELETE", CM "/h", "[1,2");
    CALL(r, 200, "DELETE", CM "/h", "{'propagationPolicy':'Background'}");
    rig_close(r);
}

TEST(namespace_ends)
{
    struct rig   *r = rig_open();
    struct answer a;

    CALL(r, 201, "POST", "/api/v1/namespaces",
         "{'metadata':{'name':'n'},'spec':{'finalizers':['kubernetes']}}");
    CALL(r, 201, "POST", "/api/v1/namespaces/n/configmaps", cm_a);
    a = call(r, "DELETE", "/api/v1/namespaces/n", NULL);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "status.phase", "Terminating");
    answer_free(&a);
    a = call(r, "POST", "/api/v1/namespaces/n/configmaps", "{'metadata':{'name':'late'}}");
    CHECK_INT(a.status, 403);
    CHECK_AT(a, "message", "configmaps \"late\" is forbidden: unable to create new content in namespace n "
                           "because it is being terminated");
    CHECK_AT(a, "details.causes.0.reason", "NamespaceTerminating");
    answer_free(&a);
    CALL(r, 200, "DELETE", "/api/v1/namespaces/n/configmaps", NULL);
    CALL(r, 404, "GET", "/api/v1/namespaces/n/configmaps/a", NULL);
    CALL(r, 200, "PUT", "/api/v1/namespaces/n/finalize", "{'metadata':{'name':'n'},'spec':{}}");
    CALL(r, 404, "GET", "/api/v1/namespaces/n", NULL);
    rig_close(r);
}

/* Whoever does not read its list is let go after a minute; a watch may last. */
TEST(requests_end_in_time)
{
    struct rig  *r = rig_open();
    struct talk *list, *watch;
    static char  body[40100];
    char         filler[40000];

    memset(filler, 'x', sizeof filler);
    for (int i = 0; i < 50; i++) {
        snprintf(body, sizeof body, "{'metadata':{'name':'m%d'},'data':{'k':'%.39000s'}}", i, filler);
        CALL(r, 201, "POST", "/api/v1/namespaces/default/configmaps", body);
    }
    r->queued = 1 << 30;
    list = talk_open(r, "GET", "/api/v1/configmaps", NULL);
    watch = talk_open(r, "GET", "/api/v1/configmaps?watch=1", NULL);
    rig_run(r, 59000);
    CHECK(list->answered && !list->ended);
    CHECK(watch->answered && !watch->ended);
    rig_run(r, 2000);
    CHECK(list->ended);
    CHECK(!watch->ended);
    talk_close(list);
    talk_close(watch);
    r->queued = 0;
    CALL(r, 200, "GET", "/api/v1/configmaps", NULL);
    rig_close(r);
}
