/* test/ctrl/endpoints_test.c: EndpointSlices and Endpoints follow pods, services and people. */
#include "test/ctrl/ctrl_rig.h"

#define PODS   NS "/pods"
#define SVCS   NS "/services"
#define SLICES "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
#define OF(service) SLICES "?labelSelector=kubernetes.io/service-name%3D" service

static void add_pod(struct world *w, const char *name, const char *labels, const char *more)
{
    char body[600];

    snprintf(body, sizeof body, "{'metadata':{'name':'%s','labels':%s},'spec':{'terminationGracePeriodSeconds':30,"
             "'containers':[{'name':'c','image':'i','ports':[{'name':'web','containerPort':8080}]}]%s}}", name, labels, more);
    CALL(w->r, 201, "POST", PODS, body);
}

/* What the node would say. */
static void set_pod(struct world *w, const char *name, const char *ips, const char *ready)
{
    char path[100], body[500], first[64];

    snprintf(first, sizeof first, "%.*s", (int)strcspn(ips, ","), ips);
    snprintf(path, sizeof path, PODS "/%s/status", name);
    snprintf(body, sizeof body, "{'status':{'phase':'Running','podIP':'%s','podIPs':[{'ip':'%s'}%s%s%s],"
             "'conditions':[{'type':'Ready','status':'%s','lastTransitionTime':'2026-01-01T00:00:07Z'}]}}", first, first,
             strchr(ips, ',') ? ",{'ip':'" : "", strchr(ips, ',') ? strchr(ips, ',') + 1 : "", strchr(ips, ',') ? "'}" : "", ready);
    w->r->type = CLIENT_STRATEGIC_PATCH;
    CALL(w->r, 200, "PATCH", path, body);
    w->r->type = NULL;
}

/* Endpoints of a service over all its slices: how many, and how many of them are ready. */
struct seen_slices { unsigned slices, all, ready, largest; };
static struct seen_slices slices_of(struct world *w, const char *target)
{
    struct seen_slices s = { 0 };
    struct answer      a = call(w->r, "GET", target, NULL);

    json_each(slice, json_getz(a.obj, "items")) {
        const struct json *list = json_getz(slice, "endpoints");
        s.slices++;
        if (list != NULL && list->n > s.largest)
            s.largest = list->n;
        json_each(e, list) {
            s.all++;
            s.ready += json_path_true(e, "conditions.ready");
        }
    }
    answer_free(&a);
    return s;
}

static struct world *open_alone(void)
{
    struct world *w = world_open(0);

    rig_run(w->r, 1000);
    return w;
}

TEST(slices_follow_pods)
{
    struct world  *w = open_alone();
    struct answer  a;
    struct seen_slices s;

    CALL(w->r, 201, "POST", SVCS, "{'metadata':{'name':'s','labels':{'l':'1'}},'spec':{'selector':{'app':'a','tier':'x'},"
         "'ports':[{'name':'http','port':80,'targetPort':'web'},{'name':'raw','port':81}]}}");
    run(w, 200);
    s = slices_of(w, OF("s"));
    CHECK_INT(s.slices, 1);                      /* empty, but there */
    CHECK_INT(s.all, 0);
    add_pod(w, "p1", "{'app':'a','tier':'x'}", ",'nodeName':'n9','hostname':'h','subdomain':'s'");
    add_pod(w, "p2", "{'app':'a','tier':'x'}", "");
    add_pod(w, "other", "{'app':'a'}", "");
    set_pod(w, "p1", "10.1.0.1", "True");
    set_pod(w, "p2", "10.1.0.2", "False");
    set_pod(w, "other", "10.1.0.3", "True");
    run(w, 300);
    a = call(w->r, "GET", OF("s"), NULL);
    CHECK_INT(json_getz(a.obj, "items")->n, 1);
    CHECK_AT(a, "items.0.addressType", "IPv4");
    CHECK_AT(a, "items.0.metadata.labels.l", "1");
    CHECK_STR(json_str(json_getz(json_path(a.obj, "items.0.metadata.labels"), "endpointslice.kubernetes.io/managed-by")),
              "endpointslice-controller.k8s.io");
    CHECK_AT(a, "items.0.metadata.ownerReferences.0.kind", "Service");
    CHECK_STR(json_str(json_getz(json_path(a.obj, "items.0.metadata.annotations"), "endpoints.kubernetes.io/last-change-trigger-time")),
              "2026-01-01T00:00:07Z");
    CHECK_INT(json_path(a.obj, "items.0.ports")->n, 2);
    CHECK_AT(a, "items.0.ports.0.name", "http");
    CHECK_INT(json_path_i64(a.obj, "items.0.ports.0.port", 0), 8080);
    CHECK_INT(json_path_i64(a.obj, "items.0.ports.1.port", 0), 81);
    json_each(e, json_path(a.obj, "items.0.endpoints")) {
        bool first = str_is(json_path_str(e, "targetRef.name"), "p1");
        CHECK_STR(json_path_str(e, "addresses.0"), first ? "10.1.0.1" : "10.1.0.2");
        CHECK(json_path_true(e, "conditions.ready") == first);
        CHECK(json_path_true(e, "conditions.serving") == first);
        CHECK_STR(json_path_str(e, "nodeName"), first ? "n9" : "");
        CHECK_STR(json_path_str(e, "hostname"), first ? "h" : "");
    }
    answer_free(&a);
    a = call(w->r, "GET", NS "/endpoints/s", NULL);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "subsets.0.addresses.0.ip", "10.1.0.1");
    CHECK_AT(a, "subsets.0.addresses.0.targetRef.name", "p1");
    CHECK_AT(a, "subsets.0.notReadyAddresses.0.ip", "10.1.0.2");
    CHECK_AT(a, "metadata.labels.l", "1");
    answer_free(&a);
    CALL(w->r, 200, "DELETE", PODS "/p1", "{'gracePeriodSeconds':30}");
    run(w, 200);
    a = call(w->r, "GET", OF("s"), NULL);
    json_each(e, json_path(a.obj, "items.0.endpoints"))
        if (str_is(json_path_str(e, "targetRef.name"), "p1")) {
            CHECK(!json_path_true(e, "conditions.ready"));
            CHECK(json_path_true(e, "conditions.serving"));
            CHECK(json_path_true(e, "conditions.terminating"));
        }
    answer_free(&a);
    patch(w, PODS "/p2", "{'metadata':{'labels':{'tier':'y'}}}");
    CALL(w->r, 200, "DELETE", PODS "/p1", "{'gracePeriodSeconds':0}");
    run(w, 200);
    CHECK_INT(slices_of(w, OF("s")).all, 0);
    CALL(w->r, 200, "DELETE", SVCS "/s", NULL);
    run(w, 200);
    CHECK_INT(slices_of(w, OF("s")).slices, 0);
    CALL(w->r, 404, "GET", NS "/endpoints/s", NULL);
    world_close(w);
}

/* Nothing to do: nothing is written, whatever pods tell of themselves that is no business of services. */
TEST(slices_are_left_alone)
{
    struct world *w = open_alone();
    int64_t       before;

    CALL(w->r, 201, "POST", SVCS, "{'metadata':{'name':'s'},'spec':{'selector':{'app':'a'},'ports':[{'port':80}]}}");
    CALL(w->r, 201, "POST", SVCS, "{'metadata':{'name':'h'},'spec':{'selector':{'app':'a'},'clusterIP':'None','publishNotReadyAddresses':true}}");
    add_pod(w, "p1", "{'app':'a'}", "");
    set_pod(w, "p1", "10.1.0.1", "False");
    run(w, 300);
    CHECK_INT(slices_of(w, OF("s")).ready, 0);
    CHECK_INT(slices_of(w, OF("h")).ready, 1);
    before = atoll(text_at(w, OF("s"), "items.0.metadata.resourceVersion"));
    patch(w, PODS "/p1", "{'metadata':{'annotations':{'x':'y'}}}");
    patch(w, SVCS "/s", "{'metadata':{'annotations':{'x':'y'}}}");
    world_stop_controllers(w);
    run(w, 100);
    world_start_controllers(w);
    run(w, 2000);
    CHECK_INT(atoll(text_at(w, OF("s"), "items.0.metadata.resourceVersion")), before);
    CALL(w->r, 200, "DELETE", SLICES, NULL);     /* somebody tidies up: they come back */
    CALL(w->r, 200, "DELETE", NS "/endpoints/s", NULL);
    run(w, 300);
    CHECK_INT(slices_of(w, OF("s")).all, 1);
    CALL(w->r, 200, "GET", NS "/endpoints/s", NULL);
    world_close(w);
}

TEST(slices_hold_a_hundred)
{
    struct world *w = open_alone();
    struct seen_slices s;
    char          name[100], ip[20];

    CALL(w->r, 201, "POST", SVCS, "{'metadata':{'name':'s'},'spec':{'selector':{'app':'a'},'ports':[{'port':80}]}}");
    for (int i = 0; i < 230; i++) {
        snprintf(name, sizeof name, "p%d", i);
        snprintf(ip, sizeof ip, "10.1.%d.%d", i / 200, i % 200 + 1);
        add_pod(w, name, "{'app':'a'}", "");
        set_pod(w, name, ip, "True");
    }
    run(w, 500);
    s = slices_of(w, OF("s"));
    CHECK_INT(s.all, 230);
    CHECK_INT(s.slices, 3);
    CHECK_INT(s.largest, 100);
    for (int i = 0; i < 225; i++) {
        snprintf(name, sizeof name, PODS "/p%d", i);
        CALL(w->r, 200, "DELETE", name, "{'gracePeriodSeconds':0}");
    }
    run(w, 500);
    CHECK_INT(slices_of(w, OF("s")).all, 5);
    world_close(w);
}

TEST(hand_made_endpoints_are_mirrored)
{
    struct world *w = open_alone();
    struct answer a;

    CALL(w->r, 201, "POST", SVCS, "{'metadata':{'name':'m'},'spec':{'ports':[{'port':80}]}}");
    CALL(w->r, 201, "POST", NS "/endpoints", "{'metadata':{'name':'m','labels':{'k':'v'},'annotations':{'n':'1'}},"
         "'subsets':[{'addresses':[{'ip':'10.9.0.1'},{'ip':'fd00::9'}],'notReadyAddresses':[{'ip':'10.9.0.2'}],'ports':[{'port':80}]}]}");
    run(w, 300);
    CHECK_INT(slices_of(w, OF("m")).slices, 2);  /* one of each family */
    CHECK_INT(slices_of(w, OF("m")).all, 3);
    CHECK_INT(slices_of(w, OF("m")).ready, 2);
    a = call(w->r, "GET", OF("m"), NULL);
    CHECK_AT(a, "items.0.metadata.ownerReferences.0.kind", "Endpoints");
    CHECK_AT(a, "items.0.metadata.labels.k", "v");
    CHECK_AT(a, "items.0.metadata.annotations.n", "1");
    answer_free(&a);
    patch(w, NS "/endpoints/m", "{'subsets':[{'addresses':[{'ip':'10.9.0.3'}],'ports':[{'port':80}]}]}");
    run(w, 300);
    CHECK_INT(slices_of(w, OF("m")).slices, 1);
    CHECK_INT(slices_of(w, OF("m")).all, 1);
    patch(w, NS "/endpoints/m", "{'metadata':{'labels':{'endpointslice.kubernetes.io/skip-mirror':'true'}}}");
    run(w, 300);
    CHECK_INT(slices_of(w, OF("m")).slices, 0);
    patch(w, NS "/endpoints/m", "{'metadata':{'labels':null}}");
    run(w, 300);
    CHECK_INT(slices_of(w, OF("m")).slices, 1);
    CALL(w->r, 200, "DELETE", SVCS "/m", NULL);
    run(w, 500);
    CHECK_INT(slices_of(w, OF("m")).slices, 0);
    CALL(w->r, 404, "GET", NS "/endpoints/m", NULL);
    world_close(w);
}

/* ---- Ranges and addresses ------------------------------------------------------------------------------ */

#define CIDRS "/apis/networking.k8s.io/v1/servicecidrs"
#define IPS   "/apis/networking.k8s.io/v1/ipaddresses"

TEST(ranges_in_use_stay)
{
    struct world *w = open_alone();
    struct answer a;

    CALL(w->r, 201, "POST", CIDRS, "{'metadata':{'name':'more'},'spec':{'cidrs':['10.6.0.0/24']}}");
    run(w, 300);
    CHECK_TEXT(condition_at(w, CIDRS "/more", "Ready", "status"), "True");
    CHECK_TEXT(text_at(w, CIDRS "/more", "metadata.finalizers.0"), "networking.k8s.io/service-cidr-finalizer");
    CALL(w->r, 201, "POST", SVCS, "{'metadata':{'name':'s'},'spec':{'clusterIP':'10.6.0.9','ports':[{'port':80}]}}");
    CALL(w->r, 200, "DELETE", CIDRS "/more", NULL);
    run(w, 20000);
    CHECK_TEXT(condition_at(w, CIDRS "/more", "Ready", "status"), "False");
    CHECK_TEXT(condition_at(w, CIDRS "/more", "Ready", "reason"), "Terminating");
    CALL(w->r, 422, "POST", SVCS, "{'metadata':{'name':'t'},'spec':{'clusterIP':'10.6.0.10','ports':[{'port':80}]}}");
    CALL(w->r, 200, "DELETE", SVCS "/s", NULL);
    run(w, 12000);
    CALL(w->r, 404, "GET", CIDRS "/more", NULL);
    a = call(w->r, "GET", CIDRS "/kubernetes", NULL);
    CHECK_INT(a.status, 200);
    answer_free(&a);
    world_close(w);
}

TEST(addresses_are_put_right)
{
    struct world *w = open_alone();

    CALL(w->r, 201, "POST", SVCS, "{'metadata':{'name':'s'},'spec':{'clusterIP':'10.96.0.9','ports':[{'port':80}]}}");
    run(w, 200);
    CALL(w->r, 200, "DELETE", IPS "/10.96.0.9", NULL);      /* the service has it all the same */
    run(w, 300);
    CHECK_TEXT(text_at(w, IPS "/10.96.0.9", "spec.parentRef.name"), "s");
    CALL(w->r, 201, "POST", IPS, "{'metadata':{'name':'10.96.0.77','labels':{'ipaddress.kubernetes.io/managed-by':'ipallocator.k8s.io'}},"
         "'spec':{'parentRef':{'resource':'services','namespace':'default','name':'nobody'}}}");
    CALL(w->r, 201, "POST", IPS, "{'metadata':{'name':'10.96.0.78'},'spec':{'parentRef':{'resource':'services','namespace':'default','name':'nobody'}}}");
    run(w, 300);
    CALL(w->r, 404, "GET", IPS "/10.96.0.77", NULL);
    CALL(w->r, 200, "GET", IPS "/10.96.0.78", NULL);        /* not the allocator's: somebody knows why */
    CALL(w->r, 200, "DELETE", SVCS "/s", NULL);
    run(w, 300);
    CALL(w->r, 404, "GET", IPS "/10.96.0.9", NULL);
    world_close(w);
}
