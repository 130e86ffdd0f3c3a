/* test/api/kinds_rig_test.c: the kinds' hooks through the whole pipeline: admission of pods, services and what they are given
 * once in the cluster, namespaces, secrets. */
#include "test/api/api_rig.h"

#define PODS "/api/v1/namespaces/default/pods"
#define SVCS "/api/v1/namespaces/default/services"

/* The cause's field and message. */
static void refused(struct rig *r, const char *method, const char *target, const char *body, const char *field, const char *message)
{
    struct answer a = call(r, method, target, body);

    if (a.status != 422 || !str_is(json_path_str(a.obj, "details.causes.0.field"), field) ||
        strstr(a.body.p, message) == NULL)
        test_fail(__FILE__, __LINE__, "%s %s: %d %.*s", method, body, a.status, STR_ARG(a.body));
    answer_free(&a);
}

static void make_account(struct rig *r, const char *more)
{
    char body[300];

    snprintf(body, sizeof body, "{'metadata':{'name':'default'}%s}", more);
    CALL(r, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", body);
}

TEST(pods_are_admitted)
{
    struct rig   *r = rig_open();
    struct answer a;

    a = call(r, "POST", PODS, "{'metadata':{'name':'p'},'spec':{'containers':[{'name':'c','image':'i'}]}}");
    CHECK_INT(a.status, 403);
    CHECK_AT(a, "message", "pods \"p\" is forbidden: error looking up service account default/default: serviceaccount \"default\" not found");
    answer_free(&a);
    make_account(r, ",'imagePullSecrets':[{'name':'pull'}]");
    a = call(r, "POST", PODS, "{'metadata':{'name':'p'},'spec':{'initContainers':[{'name':'d','image':'i'}],'containers':[{'name':'c','image':'i',"
                              "'resources':{'limits':{'cpu':'1','memory':'1Gi'}}}],'tolerations':[{'key':'node.kubernetes.io/not-ready','operator':'Exists'}]}}");
    CHECK_INT(a.status, 201);
    CHECK_AT(a, "status.phase", "Pending");
    CHECK_AT(a, "status.qosClass", "Burstable");
    CHECK_AT(a, "spec.serviceAccountName", "default");
    CHECK_AT(a, "spec.imagePullSecrets.0.name", "pull");
    CHECK_AT(a, "spec.containers.0.volumeMounts.0.mountPath", "/var/run/secrets/kubernetes.io/serviceaccount");
    CHECK_AT(a, "spec.initContainers.0.volumeMounts.0.mountPath", "/var/run/secrets/kubernetes.io/serviceaccount");
    CHECK(str_starts(json_path_str(a.obj, "spec.volumes.0.name"), STR("kube-api-access-")));
    CHECK(str_eq(json_path_str(a.obj, "spec.volumes.0.name"), json_path_str(a.obj, "spec.containers.0.volumeMounts.0.name")));
    CHECK_INT(json_path_i64(a.obj, "spec.volumes.0.projected.sources.0.serviceAccountToken.expirationSeconds", 0), 3607);
    CHECK_INT(json_path(a.obj, "spec.tolerations")->n, 2);
    CHECK_AT(a, "spec.tolerations.1.key", "node.kubernetes.io/unreachable");
    CHECK_INT(json_path_i64(a.obj, "spec.tolerations.1.tolerationSeconds", 0), 300);
    CHECK_INT(json_path_i64(a.obj, "spec.priority", -1), 0);
    CHECK_AT(a, "spec.preemptionPolicy", "PreemptLowerPriority");
    answer_free(&a);
    a = call(r, "POST", PODS, "{'metadata':{'name':'q'},'spec':{'automountServiceAccountToken':false,'priorityClassName':'system-node-critical',"
                              "'containers':[{'name':'c','image':'i','resources':{'limits':{'cpu':'1','memory':'1Gi'}}}]}}");
    CHECK_INT(a.status, 201);
    CHECK(json_path(a.obj, "spec.volumes") == NULL);
    CHECK_AT(a, "status.qosClass", "Guaranteed");
    CHECK_INT(json_path_i64(a.obj, "spec.priority", -1), 2000001000);
    answer_free(&a);
    CALL(r, 403, "POST", PODS, "{'metadata':{'name':'s'},'spec':{'priorityClassName':'mine','containers':[{'name':'c','image':'i'}]}}");
    a = call(r, "POST", PODS, "{'metadata':{'name':'g'},'spec':{'schedulingGates':[{'name':'x'}],'containers':[{'name':'c','image':'i'}]}}");
    CHECK_AT(a, "status.qosClass", "BestEffort");
    CHECK_AT(a, "status.conditions.0.reason", "SchedulingGated");
    answer_free(&a);
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", PODS "/p", "{'metadata':{'labels':{'a':'b'}}}");
    CALL(r, 200, "PATCH", PODS "/p", "{'spec':{'activeDeadlineSeconds':100}}");
    refused(r, "PATCH", PODS "/p", "{'spec':{'hostname':'a'}}", "spec", "pod updates may not change fields other than");
    a = call(r, "PATCH", PODS "/p/status", "{'status':{'qosClass':null,'phase':'Running','podIP':'10.0.0.1','podIPs':[{'ip':'10.0.0.1'}]}}");
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "status.qosClass", "Burstable");
    answer_free(&a);
    refused(r, "PATCH", PODS "/p/status", "{'status':{'podIP':'10.0.0.2'}}", "status.podIP", "podIPs[0] must equal podIP");
    rig_close(r);
}

TEST(pods_wait_for_the_default_account)
{
    struct rig  *r = rig_open();
    struct talk *t = talk_open(r, "POST", PODS, "{'metadata':{'name':'p'},'spec':{'containers':[{'name':'c','image':'i'}]}}");

    rig_run(r, 300);
    CHECK(!t->ended);
    CALL(r, 201, "POST", "/api/v1/namespaces/default/configmaps", "{'metadata':{'name':'m'}}");
    rig_run(r, 100);
    CHECK(!t->ended);
    make_account(r, "");
    rig_run(r, 50);
    CHECK(t->ended);
    CHECK_INT(t->status, 201);
    talk_close(t);
    t = talk_open(r, "POST", "/api/v1/namespaces/kube-system/pods", "{'metadata':{'name':'p'},'spec':{'containers':[{'name':'c','image':'i'}]}}");
    rig_run(r, 100);
    CHECK(!t->ended);
    talk_close(t);                               /* the client leaves while we wait */
    t = talk_open(r, "POST", PODS, "{'metadata':{'name':'q'},'spec':{'serviceAccountName':'other','containers':[{'name':'c','image':'i'}]}}");
    rig_run(r, 50);
    CHECK_INT(t->status, 403);                   /* nobody is about to make that one */
    talk_close(t);
    rig_close(r);
}

TEST(services_get_addresses)
{
    struct rig   *r = rig_open();
    struct answer a;
    char          ip[64], body[300];

    a = call(r, "POST", SVCS, "{'metadata':{'name':'a'},'spec':{'selector':{'a':'b'},'ports':[{'port':80}]}}");
    CHECK_INT(a.status, 201);
    snprintf(ip, sizeof ip, "%.*s", STR_ARG(json_path_str(a.obj, "spec.clusterIP")));
    CHECK(strncmp(ip, "10.96.", 6) == 0);
    CHECK_AT(a, "spec.clusterIPs.0", ip);
    CHECK_AT(a, "spec.ipFamilies.0", "IPv4");
    CHECK_AT(a, "spec.ipFamilyPolicy", "SingleStack");
    CHECK_AT(a, "spec.internalTrafficPolicy", "Cluster");
    CHECK_INT(json_path_i64(a.obj, "spec.ports.0.targetPort", 0), 80);
    answer_free(&a);
    snprintf(body, sizeof body, "{'metadata':{'name':'b'},'spec':{'clusterIP':'%s','ports':[{'port':80}]}}", ip);
    refused(r, "POST", SVCS, body, "spec.clusterIPs", "provided IP is already allocated");
    refused(r, "POST", SVCS, "{'metadata':{'name':'b'},'spec':{'clusterIP':'10.97.0.1','ports':[{'port':80}]}}", "spec.clusterIPs", "the provided network does not match the current range");
    refused(r, "POST", SVCS, "{'metadata':{'name':'b'},'spec':{'clusterIP':'x','ports':[{'port':80}]}}", "spec.clusterIPs[0]", "must be a valid IP");
    refused(r, "POST", SVCS, "{'metadata':{'name':'b'},'spec':{}}", "spec.ports", "Required value");
    refused(r, "POST", SVCS, "{'metadata':{'name':'B'},'spec':{'ports':[{'port':80}]}}", "metadata.name", "DNS-1035");
    refused(r, "PUT", SVCS "/a", "{'metadata':{'name':'a'},'spec':{'clusterIP':'10.96.7.7','ports':[{'port':80}]}}", "spec.clusterIPs[0]", "may not change once set");
    a = call(r, "PUT", SVCS "/a", "{'metadata':{'name':'a'},'spec':{'ports':[{'port':81}]}}");
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "spec.clusterIP", ip);
    answer_free(&a);
    CALL(r, 200, "DELETE", SVCS "/a", NULL);
    CALL(r, 201, "POST", SVCS, body);            /* given back: free again */
    a = call(r, "POST", SVCS, "{'metadata':{'name':'h'},'spec':{'clusterIP':'None','ports':[{'port':80}]}}");
    CHECK_AT(a, "spec.clusterIPs.0", "None");
    CHECK_AT(a, "spec.ipFamilyPolicy", "RequireDualStack");
    answer_free(&a);
    rig_close(r);
}

TEST(services_get_node_ports)
{
    struct rig   *r = rig_open();
    struct answer a;
    int64_t       port;
    char          body[300];

    refused(r, "POST", SVCS, "{'metadata':{'name':'n'},'spec':{'ports':[{'port':80,'nodePort':30080}]}}", "spec.ports[0].nodePort", "may not be used when");
    refused(r, "POST", SVCS, "{'metadata':{'name':'n'},'spec':{'type':'NodePort','ports':[{'port':80,'nodePort':80}]}}", "spec.ports[0].nodePort", "not in the valid range");
    CALL(r, 201, "POST", SVCS, "{'metadata':{'name':'fix'},'spec':{'type':'NodePort','ports':[{'port':80,'nodePort':30080}]}}");
    refused(r, "POST", SVCS, "{'metadata':{'name':'n'},'spec':{'type':'NodePort','ports':[{'port':80,'nodePort':30080}]}}", "spec.ports[0].nodePort", "provided port is already allocated");
    a = call(r, "POST", SVCS, "{'metadata':{'name':'n'},'spec':{'type':'NodePort','ports':[{'name':'a','port':80},{'name':'b','port':80,'protocol':'UDP'},{'name':'c','port':81}]}}");
    CHECK_INT(a.status, 201);
    port = json_path_i64(a.obj, "spec.ports.0.nodePort", 0);
    CHECK(port >= 30000 && port <= 32767);
    CHECK_INT(json_path_i64(a.obj, "spec.ports.1.nodePort", 0), port);
    CHECK(json_path_i64(a.obj, "spec.ports.2.nodePort", 0) != port);
    CHECK_AT(a, "spec.externalTrafficPolicy", "Cluster");
    answer_free(&a);
    r->type = "application/merge-patch+json";
    a = call(r, "PATCH", SVCS "/n", "{'spec':{'ports':[{'name':'a','port':80}]}}");      /* carried over */
    CHECK_INT(json_path_i64(a.obj, "spec.ports.0.nodePort", 0), port);
    answer_free(&a);
    a = call(r, "PATCH", SVCS "/n", "{'spec':{'type':'ClusterIP'}}");
    CHECK_INT(a.status, 200);
    CHECK_INT(json_path_i64(a.obj, "spec.ports.0.nodePort", 0), 0);
    CHECK(json_path(a.obj, "spec.externalTrafficPolicy") == NULL);
    answer_free(&a);
    r->type = NULL;
    snprintf(body, sizeof body, "{'metadata':{'name':'m'},'spec':{'type':'NodePort','ports':[{'port':80,'nodePort':%d}]}}", (int)port);
    CALL(r, 201, "POST", SVCS, body);            /* given back by the change of type */
    r->type = "application/merge-patch+json";
    a = call(r, "PATCH", SVCS "/m", "{'spec':{'type':'ExternalName','externalName':'a.b'}}");
    CHECK_INT(a.status, 200);
    CHECK(json_path(a.obj, "spec.clusterIP") == NULL);
    answer_free(&a);
    refused(r, "PATCH", SVCS "/m", "{'spec':{'externalName':''}}", "spec.externalName", "Required value");
    a = call(r, "PATCH", SVCS "/m", "{'spec':{'type':'LoadBalancer','externalTrafficPolicy':'Local'}}");
    CHECK_INT(a.status, 200);
    CHECK(json_path_str(a.obj, "spec.clusterIP").n > 0);
    CHECK(json_path_i64(a.obj, "spec.healthCheckNodePort", 0) >= 30000);
    answer_free(&a);
    rig_close(r);
}

/* A small range given out to the last address, then given back. */
TEST(ranges_run_out)
{
    struct api_opts o = { .service_cidr = "10.5.0.0/29" };
    struct rig     *r = rig_open_with(&o);
    struct answer   a;
    char            body[200];

    for (int i = 0; i < 6; i++) {                /* a range of eight but the first and the last */
        snprintf(body, sizeof body, "{'metadata':{'name':'s%d'},'spec':{'ports':[{'port':80}]}}", i);
        CALL(r, 201, "POST", SVCS, body);
    }
    a = call(r, "POST", SVCS, "{'metadata':{'name':'x'},'spec':{'ports':[{'port':80}]}}");
    CHECK_INT(a.status, 500);
    CHECK_AT(a, "message", "Internal error occurred: failed to allocate a serviceIP: range is full");
    answer_free(&a);
    CALL(r, 200, "DELETE", SVCS "/s3", NULL);
    CALL(r, 201, "POST", SVCS, "{'metadata':{'name':'x'},'spec':{'ports':[{'port':80}]}}");
    CALL(r, 500, "POST", SVCS "?dryRun=All", "{'metadata':{'name':'y'},'spec':{'ports':[{'port':80}]}}");
    rig_close(r);
}

TEST(nodes_register_with_their_status)
{
    struct rig   *r = rig_open();
    struct answer a = call(r, "POST", "/api/v1/nodes", "{'metadata':{'name':'n'},'status':{'capacity':{'cpu':'2'}}}");

    CHECK_INT(a.status, 201);
    CHECK_AT(a, "status.capacity.cpu", "2");
    answer_free(&a);
    r->type = "application/merge-patch+json";
    a = call(r, "PATCH", "/api/v1/nodes/n", "{'spec':{'unschedulable':true},'status':{'capacity':{'cpu':'3'}}}");
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "status.capacity.cpu", "2");     /* later by .../status only */
    answer_free(&a);
    rig_close(r);
}

TEST(namespaces)
{
    struct rig   *r = rig_open();
    struct answer a = call(r, "POST", "/api/v1/namespaces", "{'metadata':{'name':'n'}}");

    CHECK_INT(a.status, 201);
    CHECK_AT(a, "status.phase", "Active");
    CHECK_AT(a, "spec.finalizers.0", "kubernetes");
    CHECK_STR(json_str(json_getz(json_path(a.obj, "metadata.labels"), "kubernetes.io/metadata.name")), "n");
    answer_free(&a);
    a = call(r, "PUT", "/api/v1/namespaces/n", "{'metadata':{'name':'n'},'spec':{'finalizers':[]}}");
    CHECK_AT(a, "spec.finalizers.0", "kubernetes");
    answer_free(&a);
    refused(r, "POST", "/api/v1/namespaces", "{'metadata':{'name':'a.b'}}", "metadata.name", "Invalid value");
    r->type = "application/merge-patch+json";
    refused(r, "PATCH", "/api/v1/namespaces/n/status", "{'status':{'phase':'Terminating'}}", "status.phase", "may only be 'Active'");
    rig_close(r);
}
