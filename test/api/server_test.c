/* test/api/server_test.c: the request pipeline end to end: one head in the simulated world. */
#include "test/api/api_rig.h"

#define CM "/api/v1/namespaces/default/configmaps"

static const char cm_a[] = "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'a','labels':{'app':'x'}},'data':{'k':'v'}}";

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
