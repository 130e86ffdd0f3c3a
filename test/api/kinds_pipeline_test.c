/* test/api/kinds_pipeline_test.c: what the pipeline does for pods, workloads, leases, events, budgets,
 * tokens, reviews. */
#include "api/client.h"
#include "net/tls.h"
#include "net/tls.h"
#include "test/api/api_rig.h"

#define PODS "/api/v1/namespaces/default/pods"

static const char pod_p[] = "{'metadata':{'name':'p','labels':{'app':'x'}},"
                            "'spec':{'containers':[{'name':'c','image':'i'}]}}";

static void make_account(struct rig *r)
{
    struct answer a = call(r, "POST", "/api/v1/namespaces/default/serviceaccounts",
                           "{'metadata':{'name':'default'}}");

    CHECK(a.status == 201 || a.status == 409);
    answer_free(&a);
    a = call(r, "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
             "{'metadata':{'name':'reads'},'rules':[{'apiGroups':[''],'resources':['pods'],'verbs':['list']}]}");
    CHECK(a.status == 201 || a.status == 409);
    answer_free(&a);
    a = call(r, "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
             "{'metadata':{'name':'reads'},'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':'Role',"
             "'name':'reads'},'subjects':[{'kind':'ServiceAccount','name':'default','namespace':'default'}]}");
    CHECK(a.status == 201 || a.status == 409);
    answer_free(&a);
}

static void bind(struct rig *r, const char *pod)
{
    char path[200];

    snprintf(path, sizeof path, PODS "/%s/binding", pod);
    CALL(r, 201, "POST", path, "{'apiVersion':'v1','kind':'Binding','target':{'kind':'Node','name':'n1'}}");
}

TEST(pods_are_bound_once)
{
    struct rig   *r = rig_open();
    struct answer a;

    make_account(r);
    CALL(r, 201, "POST", PODS, pod_p);
    CALL(r, 422, "POST", PODS "/p/binding", "{'target':{'kind':'Pod','name':'n1'}}");
    CALL(r, 422, "POST", PODS "/p/binding", "{'target':{'kind':'Node'}}");
    bind(r, "p");
    a = call(r, "GET", PODS "/p", NULL);
    CHECK_AT(a, "spec.nodeName", "n1");
    CHECK_AT(a, "status.conditions.0.type", "PodScheduled");
    CHECK_AT(a, "status.conditions.0.status", "True");
    answer_free(&a);
    a = call(r, "POST", PODS "/p/binding", "{'target':{'kind':'Node','name':'n2'}}");
    CHECK_INT(a.status, 409);
    CHECK(strstr(json_path_str(a.obj, "message").p, "already assigned to node \"n1\"") != NULL);
    answer_free(&a);
    CALL(r, 404, "POST", PODS "/none/binding", "{'target':{'kind':'Node','name':'n2'}}");
    a = call(r, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", NULL);
    CHECK_INT(json_getz(a.obj, "items")->n, 1);
    answer_free(&a);
    rig_close(r);
}

TEST(pods_go_gracefully)
{
    struct rig   *r = rig_open();
    struct answer a;
    char          first[21] = "";

    make_account(r);
    CALL(r, 201, "POST", PODS, pod_p);
    CALL(r, 200, "DELETE", PODS "/p", NULL);     /* no node: at once */
    CALL(r, 404, "GET", PODS "/p", NULL);
    CALL(r, 201, "POST", PODS, pod_p);
    bind(r, "p");
    a = call(r, "DELETE", PODS "/p", NULL);
    CHECK_INT(a.status, 200);
    CHECK_INT(json_path_i64(a.obj, "metadata.deletionGracePeriodSeconds", -1), 30);
    snprintf(first, sizeof first, "%.*s", STR_ARG(json_path_str(a.obj, "metadata.deletionTimestamp")));
    answer_free(&a);
    a = call(r, "DELETE", PODS "/p?gracePeriodSeconds=60", NULL);    /* never longer */
    CHECK_AT(a, "metadata.deletionTimestamp", first);
    answer_free(&a);
    a = call(r, "DELETE", PODS "/p", "{'gracePeriodSeconds':5}");
    CHECK_INT(json_path_i64(a.obj, "metadata.deletionGracePeriodSeconds", -1), 5);
    CHECK(!str_is(json_path_str(a.obj, "metadata.deletionTimestamp"), first));
    answer_free(&a);
    CALL(r, 200, "DELETE", PODS "/p?gracePeriodSeconds=0", NULL);
    CALL(r, 404, "GET", PODS "/p", NULL);
    rig_close(r);
}

TEST(watch_by_node_sees_its_pods_only)
{
    struct rig  *r = rig_open();
    struct talk *t;

    make_account(r);
    CALL(r, 201, "POST", PODS, pod_p);
    t = talk_open(r, "GET", "/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn1", NULL);
    rig_run(r, 50);
    CHECK_INT(t->body.n, 0);
    bind(r, "p");
    rig_run(r, 50);
    CHECK(str_starts(buf_str(&t->body), STR("{\"type\":\"ADDED\"")));
    talk_close(t);
    rig_close(r);
}

TEST(status_and_spec_are_separate)
{
    static const char d[] = "{'metadata':{'name':'d'},'spec':{'replicas':2,"
                            "'selector':{'matchLabels':{'a':'b'}},"
        "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i'}]}}},"
        "'status':{'replicas':9}}";
    struct rig   *r = rig_open();
    struct answer a = call(r, "POST", "/apis/apps/v1/namespaces/default/deployments", d);

#define D "/apis/apps/v1/namespaces/default/deployments/d"
    CHECK_INT(a.status, 201);
    CHECK_INT(json_path_i64(a.obj, "status.replicas", 0), 0);
    CHECK_INT(json_path_i64(a.obj, "metadata.generation", 0), 1);
    answer_free(&a);
    r->type = "application/merge-patch+json";
    a = call(r, "PATCH", D "/status",
             "{'spec':{'replicas':7},'status':{'replicas':2,'observedGeneration':1}}");
    CHECK_INT(a.status, 200);
    CHECK_INT(json_path_i64(a.obj, "spec.replicas", 0), 2);
    CHECK_INT(json_path_i64(a.obj, "status.replicas", 0), 2);
    CHECK_INT(json_path_i64(a.obj, "metadata.generation", 0), 1);
    answer_free(&a);
    a = call(r, "PATCH", D, "{'spec':{'replicas':3},'status':{'replicas':8}}");
    CHECK_INT(json_path_i64(a.obj, "spec.replicas", 0), 3);
    CHECK_INT(json_path_i64(a.obj, "status.replicas", 0), 2);
    CHECK_INT(json_path_i64(a.obj, "metadata.generation", 0), 2);
    answer_free(&a);
    a = call(r, "GET", D "/scale", NULL);
    CHECK_AT(a, "kind", "Scale");
    CHECK_INT(json_path_i64(a.obj, "spec.replicas", 0), 3);
    CHECK_AT(a, "status.selector", "a=b");
    answer_free(&a);
    a = call(r, "PATCH", D "/scale", "{'spec':{'replicas':5}}");
    CHECK_AT(a, "kind", "Scale");
    CHECK_INT(json_path_i64(a.obj, "spec.replicas", 0), 5);
    answer_free(&a);
    CALL(r, 422, "PATCH", D "/scale", "{'spec':{'replicas':-5}}");
    r->type = NULL;
    CALL(r, 200, "PUT", D "/scale", "{'metadata':{'name':'d','namespace':'default'},'spec':{'replicas':0}}");
    a = call(r, "GET", D, NULL);
    CHECK_INT(json_path_i64(a.obj, "spec.replicas", -1), 0);
    answer_free(&a);
    rig_close(r);
}

static const char pod_sized[] =
    "{'metadata':{'name':'s'},'spec':{'containers':[{'name':'c','image':'i','resources':{'requests':{'cpu':'100m',"
    "'memory':'64Mi'},'limits':{'cpu':'200m','memory':'128Mi'}}}],'initContainers':[{'name':'i','image':'i','resources':{"
    "'limits':{'cpu':'200m','memory':'128Mi'}}}]}}";

TEST(a_resize_changes_processor_time_and_memory_and_nothing_else)
{
    static const struct { const char *change, *field; } bad[] = {
        { "{'containers':[{'name':'c','resources':{'limits':{'memory':'100Mi'}}}]}",
          "spec.containers[0].resources.limits.memory" },
        { "{'containers':[{'name':'c','resources':{'limits':{'cpu':null}}}]}", "spec.containers[0].resources.limits" },
        { "{'containers':[{'name':'c','resources':{'requests':{'example.com/x':'1'},'limits':{'example.com/x':'1'}}}]}",
          "spec.containers[0].resources.limits" },
        { "{'containers':[{'name':'c','resources':{'requests':{'cpu':'200m','memory':'256Mi'}}}]}", "spec" },
        { "{'containers':[{'name':'d','image':'i'}]}", "spec.containers" },
        { "{'initContainers':[{'name':'i','resources':{'limits':{'cpu':'1'}}}]}", "spec.initContainers[0]" },
    };
    struct rig   *r = rig_open();
    struct answer a;

    make_account(r);
    CALL(r, 201, "POST", PODS, pod_sized);
    r->type = "application/strategic-merge-patch+json";
    a = call(r, "PATCH", PODS "/s/resize",
             "{'metadata':{'labels':{'sly':'yes'}},'spec':{'nodeName':'sly','containers':[{'name':'c','image':'sly',"
             "'resources':{'requests':{'cpu':'150m'},'limits':{'memory':'256Mi'}}}]}}");
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "spec.containers.0.resources.requests.cpu", "150m");
    CHECK_AT(a, "spec.containers.0.resources.limits.memory", "256Mi");
    CHECK_AT(a, "spec.containers.0.resources.limits.cpu", "200m");
    CHECK_AT(a, "spec.containers.0.image", "i");
    CHECK_AT(a, "spec.nodeName", "");
    CHECK_AT(a, "metadata.labels.sly", "");
    CHECK_INT(json_path_i64(a.obj, "metadata.generation", 0), 2);
    answer_free(&a);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char body[400];

        snprintf(body, sizeof body, "{'spec':%s}", bad[i].change);
        a = call(r, "PATCH", PODS "/s/resize", body);
        CHECK_INT(a.status, 422);
        CHECK_AT(a, "details.causes.0.field", bad[i].field);
        answer_free(&a);
    }
    CALL(r, 200, "GET", PODS "/s/resize", NULL);
    CALL(r, 422, "PATCH", PODS "/s",             /* by no other way */
         "{'spec':{'containers':[{'name':'c','resources':{'requests':{'cpu':'170m'}}}]}}");
    CALL(r, 200, "PATCH", PODS "/s/resize",
         "{'spec':{'containers':[{'name':'c','resizePolicy':[{'resourceName':'memory','restartPolicy':"
         "'RestartContainer'}],'resources':{'limits':{'memory':'100Mi'}}}]}}");
    rig_close(r);
}

TEST(ephemeral_containers_are_only_added)
{
    struct rig   *r = rig_open();
    struct answer a;

    make_account(r);
    CALL(r, 201, "POST", PODS, pod_p);
    r->type = "application/strategic-merge-patch+json";
    a = call(r, "PATCH", PODS "/p/ephemeralcontainers",
             "{'metadata':{'labels':{'sly':'yes'}},'spec':{'nodeName':'sly','ephemeralContainers':["
             "{'name':'dbg','image':'busybox','targetContainerName':'c'}]}}");
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "spec.ephemeralContainers.0.name", "dbg");
    CHECK_AT(a, "spec.ephemeralContainers.0.terminationMessagePolicy", "File");
    CHECK_AT(a, "spec.nodeName", "");            /* nothing else changes this way */
    CHECK_AT(a, "metadata.labels.sly", "");
    answer_free(&a);
    CALL(r, 200, "PATCH", PODS "/p/ephemeralcontainers",
         "{'spec':{'ephemeralContainers':[{'name':'two','image':'busybox'}]}}");
    a = call(r, "PATCH", PODS "/p/ephemeralcontainers",
             "{'spec':{'ephemeralContainers':[{'name':'dbg','image':'other'}]}}");
    CHECK_INT(a.status, 422);
    CHECK_AT(a, "details.causes.0.field", "spec.ephemeralContainers[1]");
    answer_free(&a);
    a = call(r, "PATCH", PODS "/p/ephemeralcontainers",
             "{'spec':{'ephemeralContainers':[{'name':'dbg','$patch':'delete'}]}}");
    CHECK_INT(a.status, 422);
    CHECK_AT(a, "details.causes.0.field", "spec.ephemeralContainers");
    answer_free(&a);
    CALL(r, 422, "PATCH", PODS "/p/ephemeralcontainers",
         "{'spec':{'ephemeralContainers':[{'name':'x','image':'i','targetContainerName':'none'}]}}");
    CALL(r, 422, "PATCH", PODS "/p/ephemeralcontainers",
         "{'spec':{'ephemeralContainers':[{'name':'x','image':'i','ports':[{'containerPort':80}]}]}}");
    CALL(r, 422, "PATCH", PODS "/p",
         "{'spec':{'ephemeralContainers':[{'name':'three','image':'busybox'}]}}");
    r->type = NULL;
    a = call(r, "GET", PODS "/p/ephemeralcontainers", NULL);
    CHECK_INT(a.status, 200);
    CHECK_INT(json_path(a.obj, "spec.ephemeralContainers")->n, 2);
    answer_free(&a);
    rig_close(r);
}

TEST(eviction_asks_the_budget)
{
    struct rig   *r = rig_open();
    struct answer a;

    make_account(r);
    CALL(r, 201, "POST", PODS, pod_p);
    bind(r, "p");
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", PODS "/p/status",
         "{'status':{'phase':'Running','conditions':[{'type':'Ready','status':'True'}]}}");
    r->type = NULL;
    CALL(r, 201, "POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
         "{'metadata':{'name':'b'},'spec':{'minAvailable':1,'selector':{'matchLabels':{'app':'x'}}}}");
    a = call(r, "POST", PODS "/p/eviction",
             "{'apiVersion':'policy/v1','kind':'Eviction','metadata':{'name':'p'}}");
    CHECK_INT(a.status, 429);
    CHECK_AT(a, "reason", "TooManyRequests");
    CHECK_AT(a, "message", "Cannot evict pod as it would violate the pod's disruption budget.");
    CHECK_AT(a, "details.causes.0.reason", "DisruptionBudget");
    CHECK(strstr(a.extra, "Retry-After: 10") != NULL);          /* not counted yet: soon */
    answer_free(&a);
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b/status",
         "{'status':{'observedGeneration':1,'disruptionsAllowed':0,'currentHealthy':1,"
         "'desiredHealthy':1,'expectedPods':1}}");
    r->type = NULL;
    a = call(r, "POST", PODS "/p/eviction", "{'metadata':{'name':'p'}}");
    CHECK_INT(a.status, 429);
    CHECK(strstr(a.extra, "Retry-After: ") == NULL);            /* who knows when */
    answer_free(&a);
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b/status",
         "{'status':{'observedGeneration':1,'disruptionsAllowed':1,'currentHealthy':2,"
         "'desiredHealthy':1,'expectedPods':2}}");
    r->type = NULL;
    CALL(r, 400, "POST", PODS "/p/eviction", "{'metadata':{'name':'q'}}");
    CALL(r, 201, "POST", PODS "/p/eviction", "{'metadata':{'name':'p'}}");
    a = call(r, "GET", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b", NULL);
    CHECK_INT(json_path_i64(a.obj, "status.disruptionsAllowed", -1), 0);
    CHECK(json_path_str(a.obj, "status.disruptedPods.p").n == 20);
    answer_free(&a);
    a = call(r, "GET", PODS "/p", NULL);
    CHECK(json_path_str(a.obj, "metadata.deletionTimestamp").n == 20);
    answer_free(&a);
    rig_close(r);
}

TEST(leases_by_put)
{
    struct rig   *r = rig_open();
    struct answer a;

#define L "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    CALL(r, 201, "PUT", L "/n1", "{'metadata':{'name':'n1'},'spec':{'holderIdentity':'n1',"
                                 "'leaseDurationSeconds':40}}");
    a = call(r, "PUT", L "/n1", "{'metadata':{'name':'n1'},'spec':{'holderIdentity':'n2'}}");
    CHECK_INT(a.status, 422);
    CHECK_AT(a, "details.causes.0.field", "metadata.resourceVersion");
    answer_free(&a);
    rig_close(r);
}

TEST(events_have_two_faces_and_an_end)
{
    struct rig   *r = rig_open();
    struct answer a;

    CALL(r, 201, "POST", "/api/v1/namespaces/default/events",
         "{'metadata':{'name':'e'},'involvedObject':{'kind':'Pod','namespace':'default','name':'p'},"
         "'reason':'Why','message':'words','type':'Normal'}");
    a = call(r, "GET", "/apis/events.k8s.io/v1/namespaces/default/events/e", NULL);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "apiVersion", "events.k8s.io/v1");
    CHECK_AT(a, "note", "words");
    CHECK_AT(a, "regarding.name", "p");
    answer_free(&a);
    a = call(r, "GET", "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp", NULL);
    CHECK_INT(json_getz(a.obj, "items")->n, 1);
    answer_free(&a);
    a = call(r, "GET", "/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=regarding.name%3Dp",
             NULL);
    CHECK_INT(json_getz(a.obj, "items")->n, 1);
    CHECK_AT(a, "items.0.note", "words");
    answer_free(&a);
    rig_run(r, 58ull * 60 * 1000);
    CALL(r, 200, "GET", "/api/v1/namespaces/default/events/e", NULL);
    rig_run(r, 10ull * 60 * 1000);
    CALL(r, 404, "GET", "/api/v1/namespaces/default/events/e", NULL);
    rig_close(r);
}

/* An event of the newer group, with these fields before those that any may have. */
static struct answer new_event(struct rig *r, const char *name, const char *fields)
{
    char body[900];

    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'regarding':{'kind':'Pod','namespace':'default','name':'p'}%s}",
             name, fields);
    return call(r, "POST", "/apis/events.k8s.io/v1/namespaces/default/events", body);
}

#define GOOD_EVENT ",'eventTime':'2026-01-01T00:00:00.000000Z','reportingController':'example.com/c'," \
                   "'reportingInstance':'c-1','action':'Do','reason':'Why','type':'Normal','note':'n'"

TEST(new_events_are_strict)
{
    static const struct { const char *fields, *field; unsigned n; } wrong[] = {
        { ",'reason':'Why','type':'Normal'", "eventTime", 4 },
        { GOOD_EVENT ",'deprecatedCount':1", "count", 1 },
        { GOOD_EVENT ",'deprecatedSource':{'component':'c'}", "source", 1 },
        { GOOD_EVENT ",'deprecatedFirstTimestamp':'2026-01-01T00:00:00Z'", "firstTimestamp", 1 },
        { GOOD_EVENT ",'deprecatedLastTimestamp':'2026-01-01T00:00:00Z'", "lastTimestamp", 1 },
        { GOOD_EVENT ",'type':'Odd'", "type", 1 },
        { GOOD_EVENT ",'action':''", "action", 1 },
    };
    const char   *path = "/apis/events.k8s.io/v1/namespaces/default/events/good";
    struct rig   *r = rig_open();
    struct answer a;

    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        a = new_event(r, "bad", wrong[i].fields);
        CHECK_INT(a.status, 422);
        CHECK_AT(a, "details.causes.0.field", wrong[i].field);
        CHECK_INT(json_path(a.obj, "details.causes")->n, wrong[i].n);
        answer_free(&a);
    }
    a = new_event(r, "good", GOOD_EVENT ",'deprecatedCount':0");
    CHECK_INT(a.status, 201);
    answer_free(&a);
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", path, "{'series':{'count':2,'lastObservedTime':'2026-01-01T00:00:01.000000Z'}}");
    CALL(r, 422, "PATCH", path, "{'note':'other'}");
    CALL(r, 422, "PATCH", path, "{'deprecatedCount':3}");
    CALL(r, 200, "PATCH", "/api/v1/namespaces/default/events/good", "{'message':'other','count':3}");
    r->type = NULL;
    rig_close(r);
}

TEST(tokens)
{
    struct buf      key = BUF_INIT, pub = BUF_INIT;
    struct api_opts o = { 0 };
    struct rig     *r;
    struct answer   a;
    char            bearer[4096], uid[64];

    must_ok(pki_new_key(&key, &pub, NULL));
    o.service_account_key_pem = buf_str(&key);
    o.service_account_pub_pem = buf_str(&pub);
    o.token_lines = STR("sesame,ali,7,\"system:masters,x\"\n# comment\nplain,bob,8\n");
    r = rig_open_with(&o);
    make_account(r);
    a = call(r, "POST", "/api/v1/namespaces/default/serviceaccounts/default/token",
             "{'spec':{'expirationSeconds':600}}");
    CHECK_INT(a.status, 201);
    snprintf(bearer, sizeof bearer, "Bearer %.*s", STR_ARG(json_path_str(a.obj, "status.token")));
    answer_free(&a);
    CALL(r, 422, "POST", "/api/v1/namespaces/default/serviceaccounts/default/token",
         "{'spec':{'expirationSeconds':60}}");
    CALL(r, 404, "POST", "/api/v1/namespaces/default/serviceaccounts/none/token", "{}");
    r->bearer = bearer;
    a = call(r, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
    CHECK_INT(a.status, 201);
    CHECK_AT(a, "status.userInfo.username", "system:serviceaccount:default:default");
    CHECK_AT(a, "status.userInfo.groups.0", "system:serviceaccounts");
    snprintf(uid, sizeof uid, "%.*s", STR_ARG(json_path_str(a.obj, "status.userInfo.uid")));
    CHECK_INT(strlen(uid), 36);
    answer_free(&a);
    CALL(r, 200, "GET", PODS, NULL);
    CALL(r, 403, "GET", "/api/v1/namespaces/default/secrets", NULL);
    bearer[strlen(bearer) - 9] ^= 1;
    CALL(r, 401, "GET", PODS, NULL);
    bearer[strlen(bearer) - 9] ^= 1;
    rig_run(r, 590 * 1000);
    CALL(r, 200, "GET", PODS, NULL);
    rig_run(r, 20 * 1000);
    CALL(r, 401, "GET", PODS, NULL);
    r->bearer = "Bearer sesame";
    CALL(r, 200, "GET", "/api/v1/namespaces/default/secrets", NULL);
    r->bearer = "Bearer plain";
    CALL(r, 403, "GET", PODS, NULL);
    CALL(r, 200, "GET", "/version", NULL);
    r->bearer = "Basic eDp5";
    CALL(r, 401, "GET", PODS, NULL);
    r->bearer = "Bearer sesamE";
    CALL(r, 401, "GET", "/version", NULL);
    r->bearer = NULL;
    rig_close(r);
    buf_release(&key);
    buf_release(&pub);
}

TEST(deleting_the_account_ends_its_tokens)
{
    struct buf      key = BUF_INIT, pub = BUF_INIT;
    struct api_opts o = { 0 };
    struct rig     *r;
    struct answer   a;
    char            bearer[4096];

    must_ok(pki_new_key(&key, &pub, NULL));
    o.service_account_key_pem = buf_str(&key);
    o.service_account_pub_pem = buf_str(&pub);
    r = rig_open_with(&o);
    make_account(r);
    a = call(r, "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", "{}");
    snprintf(bearer, sizeof bearer, "Bearer %.*s", STR_ARG(json_path_str(a.obj, "status.token")));
    answer_free(&a);
    r->bearer = bearer;
    CALL(r, 200, "GET", PODS, NULL);
    r->bearer = NULL;
    CALL(r, 200, "DELETE", "/api/v1/namespaces/default/serviceaccounts/default", NULL);
    make_account(r);                             /* the same name is another account */
    r->bearer = bearer;
    CALL(r, 401, "GET", PODS, NULL);
    r->bearer = NULL;
    rig_close(r);
    buf_release(&key);
    buf_release(&pub);
}

TEST(authorization)
{
    struct rig   *r = rig_open();
    struct answer a;

    r->user = "eve";
    a = call(r, "GET", PODS, NULL);
    CHECK_INT(a.status, 403);
    CHECK_AT(a, "message", "pods is forbidden: User \"eve\" cannot list resource \"pods\" in API group \"\" "
                           "in the namespace \"default\"");
    answer_free(&a);
    a = call(r, "GET", "/metrics", NULL);
    CHECK_INT(a.status, 403);
    answer_free(&a);
    a = call(r, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
             "{'spec':{'resourceAttributes':{'verb':'get','resource':'pods'}}}");
    CHECK_INT(a.status, 201);
    CHECK(!json_path_true(a.obj, "status.allowed"));
    CHECK(json_path(a.obj, "status.allowed") != NULL);
    answer_free(&a);
    r->user = "system:node:n1";
    r->group = "system:nodes";
    CALL(r, 403, "GET", PODS, NULL);
    CALL(r, 403, "GET", PODS "?fieldSelector=spec.nodeName%3Dn2", NULL);
    CALL(r, 200, "GET", PODS "?fieldSelector=spec.nodeName%3Dn1", NULL);
    CALL(r, 403, "DELETE", "/api/v1/namespaces/default", NULL);
    r->user = "";                                /* nobody */
    r->group = NULL;
    CALL(r, 200, "GET", "/healthz", NULL);
    CALL(r, 200, "GET", "/version", NULL);
    CALL(r, 403, "GET", "/api", NULL);
    CALL(r, 403, "GET", PODS, NULL);
    r->user = NULL;
    a = call(r, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
             "{'spec':{'resourceAttributes':{'verb':'get','resource':'pods'}}}");
    CHECK(json_path_true(a.obj, "status.allowed"));
    answer_free(&a);
    CALL(r, 422, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "{'spec':{}}");
    rig_close(r);
}

TEST(a_node_writes_only_its_own)
{
    static const char account[] = "/api/v1/namespaces/default/serviceaccounts/default/token";
    static const char lease[] = "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease',"
                                "'metadata':{'name':'n2'},'spec':{}}";
    static const char done[] = "{'status':{'phase':'Running'}}";
    static const char any[] = "{'spec':{}}";
    char        bound[200];
    struct buf key = BUF_INIT, pub = BUF_INIT;
    struct api_opts o = { 0 };
    struct answer a;
    struct rig *r;

    must(pki_new_key(&key, &pub, NULL) == 0);
    o.service_account_key_pem = buf_str(&key);
    o.service_account_pub_pem = buf_str(&pub);
    r = rig_open_with(&o);
    make_account(r);
    CALL(r, 201, "POST", PODS, pod_p);
    bind(r, "p");                                /* to n1 */
    a = call(r, "GET", PODS "/p", NULL);
    snprintf(bound, sizeof bound, "{'spec':{'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'p','uid':'%.*s'}}}",
             STR_ARG(json_path_str(a.obj, "metadata.uid")));
    answer_free(&a);
    r->group = "system:nodes";
    r->user = "system:node:n2";
    r->type = "application/merge-patch+json";
    CALL(r, 403, "PATCH", PODS "/p/status", done);
    CALL(r, 404, "PATCH", "/api/v1/nodes/n1/status", done);
    CALL(r, 404, "PATCH", "/api/v1/nodes/n2/status", any);
    r->type = NULL;
    CALL(r, 403, "DELETE", PODS "/p", NULL);
    CALL(r, 403, "POST", PODS, pod_p);
    CALL(r, 403, "POST", account, any);
    CALL(r, 403, "POST", account, bound);
    CALL(r, 201, "POST", L, lease);
    CALL(r, 422, "PUT", L "/n2", lease);     /* no version */
    r->user = "system:node:n1";
    CALL(r, 403, "PUT", L "/n2", lease);
    CALL(r, 403, "POST", account, any);
    CALL(r, 201, "POST", account, bound);
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", PODS "/p/status", done);
    r->type = NULL;
    CALL(r, 200, "DELETE", PODS "/p", NULL);
    r->user = "system:node:";                    /* a node without a name owns nothing */
    CALL(r, 403, "PUT", L "/n2", lease);
    rig_close(r);
    buf_release(&key);
    buf_release(&pub);
}

TEST(impersonation)
{
    struct rig   *r = rig_open();
    struct answer a;

    r->as = "bob";
    CALL(r, 403, "GET", PODS, NULL);
    r->as_group = "system:masters";
    CALL(r, 200, "GET", PODS, NULL);
    a = call(r, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
    CHECK_AT(a, "status.userInfo.username", "bob");
    answer_free(&a);
    r->user = "eve";
    CALL(r, 403, "GET", "/version", NULL);
    r->as = NULL;
    CALL(r, 400, "GET", "/version", NULL);
    rig_close(r);
}

static struct answer who(struct rig *r)
{
    return call(r, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
}

TEST(impersonated_accounts_have_their_groups)
{
    struct rig   *r = rig_open();
    struct answer a;

    r->as = "system:serviceaccount:ns1:robot";
    a = who(r);
    CHECK_AT(a, "status.userInfo.groups.0", "system:serviceaccounts");
    CHECK_AT(a, "status.userInfo.groups.1", "system:serviceaccounts:ns1");
    CHECK_AT(a, "status.userInfo.groups.2", "system:authenticated");
    answer_free(&a);
    r->as_group = "others";                      /* groups asked for are all there are */
    a = who(r);
    CHECK_AT(a, "status.userInfo.groups.0", "others");
    CHECK_AT(a, "status.userInfo.groups.1", "system:authenticated");
    CHECK_AT(a, "status.userInfo.groups.2", "");
    answer_free(&a);
    r->as_group = "system:authenticated";        /* not twice */
    a = who(r);
    CHECK_AT(a, "status.userInfo.groups.0", "system:authenticated");
    CHECK_AT(a, "status.userInfo.groups.1", "");
    answer_free(&a);
    r->as = "system:anonymous";
    r->as_group = NULL;
    CALL(r, 403, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
    r->as = "system:serviceaccount:ns1:no:name"; /* a user like any other */
    a = who(r);
    CHECK_AT(a, "status.userInfo.groups.0", "system:authenticated");
    answer_free(&a);
    r->as = "system:serviceaccount:ns1:robot";
    r->user = "eve";
    a = who(r);
    CHECK_INT(a.status, 403);
    CHECK_AT(a, "message", "serviceaccounts \"robot\" is forbidden: User \"eve\" cannot impersonate resource "
                           "\"serviceaccounts\" in API group \"\" in the namespace \"ns1\"");
    answer_free(&a);
    rig_close(r);
}

TEST(impersonated_uid_and_extra)
{
    struct rig   *r = rig_open();
    struct answer a;

    r->as = "bob";
    r->as_uid = "u-1";
    r->as_extra[0] = "view";
    r->as_extra[1] = "Red";
    a = who(r);
    CHECK_AT(a, "status.userInfo.uid", "u-1");
    CHECK_STR(json_str(json_at(json_getz(json_path(a.obj, "status.userInfo.extra"), "scopes"), 0)), "view");
    CHECK_STR(json_str(json_at(json_getz(json_path(a.obj, "status.userInfo.extra"), "example.com/team"), 0)), "Red");
    answer_free(&a);
    r->as = NULL;                                /* each of them needs a user */
    CALL(r, 400, "GET", "/version", NULL);
    r->as_uid = NULL;
    CALL(r, 400, "GET", "/version", NULL);
    rig_close(r);
}

TEST(delete_options_in_protobuf)
{
    static const char options[] = "k8s\0\x0a\x13\x0a\x02v1\x12\x0d" "DeleteOptions\x12\x02\x08\x05";
    struct rig   *r = rig_open();
    struct answer a;

    make_account(r);
    CALL(r, 201, "POST", PODS, pod_p);
    bind(r, "p");
    r->type = "application/vnd.kubernetes.protobuf";
    r->raw = str_make(options, sizeof options - 1);
    a = call(r, "DELETE", PODS "/p", NULL);
    CHECK_INT(a.status, 200);
    CHECK_INT(json_path_i64(a.obj, "metadata.deletionGracePeriodSeconds", -1), 5);
    answer_free(&a);
    r->raw = str_make(options, sizeof options - 3);
    CALL(r, 400, "DELETE", PODS "/p", NULL);
    r->raw = STR_NONE;
    rig_close(r);
}
