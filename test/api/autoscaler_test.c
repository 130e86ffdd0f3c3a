/* test/api/autoscaler_test.c: autoscalers of version 1 are stored as version 2 and lose nothing on the way. */
#include "test/api/api_rig.h"

#define V1 "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
#define V2 "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
#define TARGET "'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'web'},'maxReplicas':5"

TEST(cpu_in_percent_is_seen_in_both_versions)
{
    struct rig   *r = rig_open();
    struct answer a;

    CALL(r, 201, "POST", V1, "{'metadata':{'name':'a'},'spec':{" TARGET ",'targetCPUUtilizationPercentage':70}}");
    a = call(r, "GET", V2 "/a", NULL);
    CHECK_AT(a, "apiVersion", "autoscaling/v2");
    CHECK_AT(a, "spec.metrics.0.resource.name", "cpu");
    CHECK_AT(a, "spec.metrics.0.resource.target.type", "Utilization");
    CHECK_INT(json_path_i64(a.obj, "spec.metrics.0.resource.target.averageUtilization", 0), 70);
    CHECK_INT(json_path_i64(a.obj, "spec.minReplicas", 0), 1);
    CHECK(json_path(a.obj, "spec.targetCPUUtilizationPercentage") == NULL);
    answer_free(&a);
    a = call(r, "GET", V1 "/a", NULL);
    CHECK_AT(a, "apiVersion", "autoscaling/v1");
    CHECK_INT(json_path_i64(a.obj, "spec.targetCPUUtilizationPercentage", 0), 70);
    CHECK(json_path(a.obj, "spec.metrics") == NULL);
    CHECK(json_path(a.obj, "metadata.annotations") == NULL);
    answer_free(&a);
    rig_close(r);
}

/* All that version 2 can say, read and written back through version 1, is as it was. */
TEST(the_way_through_version_1_loses_nothing)
{
    static const char spec[] = "{'metadata':{'name':'b','annotations':{'mine':'kept'}},'spec':{" TARGET ",'minReplicas':2,'behavior':{'scaleDown':"
        "{'stabilizationWindowSeconds':60}},'metrics':["
        "{'type':'Pods','pods':{'metric':{'name':'rps','selector':{'matchLabels':{'a':'b'}}},'target':{'type':'AverageValue','averageValue':'10'}}},"
        "{'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization','averageUtilization':60}}},"
        "{'type':'Resource','resource':{'name':'memory','target':{'type':'AverageValue','averageValue':'1Gi'}}},"
        "{'type':'ContainerResource','containerResource':{'name':'cpu','container':'c','target':{'type':'Utilization','averageUtilization':50}}},"
        "{'type':'Object','object':{'describedObject':{'kind':'Ingress','name':'i'},'metric':{'name':'hits'},'target':{'type':'Value','value':'3'}}},"
        "{'type':'External','external':{'metric':{'name':'queue'},'target':{'type':'AverageValue','averageValue':'7'}}}]}}";
    struct rig   *r = rig_open();
    struct answer v2, v1, again;
    struct buf    body = BUF_INIT;

    CALL(r, 201, "POST", V2, spec);
    v2 = call(r, "GET", V2 "/b", NULL);
    CHECK_INT(json_path_i64(v2.obj, "spec.behavior.scaleUp.policies.1.value", 0), 100);
    v1 = call(r, "GET", V1 "/b", NULL);
    CHECK_INT(json_path_i64(v1.obj, "spec.targetCPUUtilizationPercentage", 0), 60);
    CHECK(json_path(v1.obj, "spec.metrics") == NULL);
    CHECK(json_path(v1.obj, "spec.behavior") == NULL);
    CHECK_INT(json_path(v1.obj, "metadata.annotations")->n, 3);
    json_write(&body, v1.obj);
    buf_char(&body, '\0');
    r->raw = str_make(body.p, body.n - 1);
    CALL(r, 200, "PUT", V1 "/b", "");
    r->raw = STR_NONE;
    again = call(r, "GET", V2 "/b", NULL);
    /* the CPU metric goes to the end; everything else stays in its place */
    CHECK_INT(json_path(again.obj, "spec.metrics")->n, 6);
    CHECK_INT(json_path_i64(again.obj, "spec.metrics.5.resource.target.averageUtilization", 0), 60);
    CHECK(json_equal(json_path(again.obj, "spec.metrics.0"), json_path(v2.obj, "spec.metrics.0")));
    for (unsigned i = 1; i < 5; i++)
        CHECK(json_equal(json_at(json_path(again.obj, "spec.metrics"), i), json_at(json_path(v2.obj, "spec.metrics"), i + 1)));
    CHECK(json_equal(json_path(again.obj, "spec.behavior"), json_path(v2.obj, "spec.behavior")));
    CHECK(json_equal(json_path(again.obj, "metadata.annotations"), json_path(v2.obj, "metadata.annotations")));
    buf_release(&body);
    answer_free(&v2);
    answer_free(&v1);
    answer_free(&again);
    rig_close(r);
}

TEST(annotations_that_hold_something_else_are_passed_over)
{
    static const char *const bad[] = { "[1]", "{", "5", "[{\\\"type\\\":3}]", "[{\\\"resource\\\":[]}]", "null", "{\\\"a\\\":[]}", "" };
    struct rig *r = rig_open();
    char        body[700];

    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer a;

        snprintf(body, sizeof body, "{'metadata':{'name':'c%u','annotations':{'autoscaling.alpha.kubernetes.io/metrics':'%s',"
                 "'autoscaling.alpha.kubernetes.io/behavior':'%s','autoscaling.alpha.kubernetes.io/conditions':'%s'}},'spec':{" TARGET "}}",
                 i, bad[i], bad[i], bad[i]);
        a = call(r, "POST", V1, body);
        CHECK_INT(a.status, 201);
        CHECK_INT(json_path_i64(a.obj, "spec.targetCPUUtilizationPercentage", 0), 80);
        answer_free(&a);
    }
    rig_close(r);
}
