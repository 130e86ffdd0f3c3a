/* test/api/service_test.c: what services are given once in the cluster: addresses of both families, ports of
 * the nodes; by one head, by three at a time, and across the end of a leader. */
#include "test/api/heads_rig.h"

#define SVCS "/api/v1/namespaces/default/services"
#define IPS  "/apis/networking.k8s.io/v1/ipaddresses"
#define CIDRS "/apis/networking.k8s.io/v1/servicecidrs"

static void refused(struct rig *r, const char *method, const char *target, const char *body, const char *field, const char *message)
{
    struct answer a = call(r, method, target, body);

    if (a.status != 422 || !str_is(json_path_str(a.obj, "details.causes.0.field"), field) || strstr(a.body.p, message) == NULL)
        test_fail(__FILE__, __LINE__, "%s %s: %d %.*s", method, body, a.status, STR_ARG(a.body));
    answer_free(&a);
}

TEST(services_of_both_families)
{
    struct api_opts o = { .service_cidr = "10.96.0.0/16,fd00:1::/112" };
    struct rig     *r = rig_open_with(&o);
    struct answer   a;
    char            path[200], second[64];

    a = call(r, "POST", SVCS, "{'metadata':{'name':'one'},'spec':{'ports':[{'port':80}]}}");
    CHECK_AT(a, "spec.ipFamilyPolicy", "SingleStack");
    CHECK_INT(json_path(a.obj, "spec.clusterIPs")->n, 1);
    answer_free(&a);
    a = call(r, "POST", SVCS, "{'metadata':{'name':'two'},'spec':{'ipFamilyPolicy':'RequireDualStack','ports':[{'port':80}]}}");
    CHECK_INT(a.status, 201);
    CHECK_AT(a, "spec.ipFamilies.0", "IPv4");
    CHECK_AT(a, "spec.ipFamilies.1", "IPv6");
    CHECK(str_starts(json_path_str(a.obj, "spec.clusterIPs.0"), STR("10.96.")));
    CHECK(str_starts(json_path_str(a.obj, "spec.clusterIPs.1"), STR("fd00:1::")));
    snprintf(second, sizeof second, "%.*s", STR_ARG(json_path_str(a.obj, "spec.clusterIPs.1")));
    answer_free(&a);
    snprintf(path, sizeof path, IPS "/%s", second);
    a = call(r, "GET", path, NULL);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "spec.parentRef.name", "two");
    CHECK_AT(a, "spec.parentRef.resource", "services");
    CHECK(json_path_str(a.obj, "metadata.uid").n > 0 && json_path_str(a.obj, "metadata.resourceVersion").n > 0);
    CHECK_STR(json_str(json_getz(json_path(a.obj, "metadata.labels"), "ipaddress.kubernetes.io/ip-family")), "IPv6");
    answer_free(&a);
    a = call(r, "POST", SVCS, "{'metadata':{'name':'six'},'spec':{'ipFamilies':['IPv6'],'ipFamilyPolicy':'PreferDualStack','ports':[{'port':80}]}}");
    CHECK_INT(a.status, 201);
    CHECK_AT(a, "spec.ipFamilies.1", "IPv4");
    CHECK(str_starts(json_path_str(a.obj, "spec.clusterIP"), STR("fd00:1::")));
    answer_free(&a);
    refused(r, "POST", SVCS, "{'metadata':{'name':'x'},'spec':{'ipFamilies':['IPv4','IPv6'],'ports':[{'port':80}]}}", "spec.ipFamilyPolicy", "when multiple IP families are specified");
    refused(r, "POST", SVCS, "{'metadata':{'name':'x'},'spec':{'ipFamilyPolicy':'RequireDualStack','clusterIPs':['10.96.5.5','10.96.5.6'],'ports':[{'port':80}]}}", "spec.clusterIPs", "no more than one IP for each IP family");
    refused(r, "POST", SVCS, "{'metadata':{'name':'x'},'spec':{'ipFamilies':['IPv6'],'clusterIP':'10.96.5.5','ports':[{'port':80}]}}", "spec.clusterIPs[0]", "expected an IPv6 value");
    r->type = "application/merge-patch+json";
    a = call(r, "PATCH", SVCS "/one", "{'spec':{'ipFamilyPolicy':'PreferDualStack'}}");      /* up */
    CHECK_INT(a.status, 200);
    CHECK_INT(json_path(a.obj, "spec.clusterIPs")->n, 2);
    answer_free(&a);
    a = call(r, "PATCH", SVCS "/two", "{'spec':{'ipFamilyPolicy':'SingleStack'}}");          /* down */
    CHECK_INT(a.status, 200);
    CHECK_INT(json_path(a.obj, "spec.clusterIPs")->n, 1);
    CHECK_INT(json_path(a.obj, "spec.ipFamilies")->n, 1);
    answer_free(&a);
    CALL(r, 404, "GET", path, NULL);             /* its second address is free */
    refused(r, "PATCH", SVCS "/six", "{'spec':{'ipFamilies':['IPv6']}}", "spec.ipFamilyPolicy", "must be 'SingleStack' to release the secondary IP family");
    r->type = NULL;
    CALL(r, 200, "DELETE", SVCS, NULL);
    a = call(r, "GET", IPS, NULL);
    CHECK_INT(json_path(a.obj, "items")->n, 0);
    answer_free(&a);
    rig_close(r);
}

TEST(ranges_are_objects)
{
    struct api_opts o = { .service_cidr = "10.5.0.0/29", .node_ports = "31000-31001" };
    struct rig     *r = rig_open_with(&o);
    struct answer   a;
    char            body[200];

    a = call(r, "GET", CIDRS "/kubernetes", NULL);
    CHECK_AT(a, "spec.cidrs.0", "10.5.0.0/29");
    answer_free(&a);
    for (int i = 0; i < 6; i++) {
        snprintf(body, sizeof body, "{'metadata':{'name':'s%d'},'spec':{'ports':[{'port':80}]}}", i);
        CALL(r, 201, "POST", SVCS, body);
    }
    CALL(r, 500, "POST", SVCS, "{'metadata':{'name':'x'},'spec':{'ports':[{'port':80}]}}");
    CALL(r, 201, "POST", CIDRS, "{'metadata':{'name':'more'},'spec':{'cidrs':['10.6.0.0/24']}}");
    a = call(r, "POST", SVCS, "{'metadata':{'name':'x'},'spec':{'ports':[{'port':80}]}}");
    CHECK_INT(a.status, 201);
    CHECK(str_starts(json_path_str(a.obj, "spec.clusterIP"), STR("10.6.0.")));
    answer_free(&a);
    refused(r, "POST", SVCS, "{'metadata':{'name':'y'},'spec':{'clusterIP':'10.6.0.0','ports':[{'port':80}]}}", "spec.clusterIPs",
            "failed to allocate IP 10.6.0.0: the provided IP (10.6.0.0) is not in the valid range. The range of valid IPs is 10.6.0.0/24");
    refused(r, "POST", CIDRS, "{'metadata':{'name':'bad'},'spec':{'cidrs':['10.6.0.1/24']}}", "spec.cidrs[0]", "canonical");
    refused(r, "PUT", CIDRS "/more", "{'metadata':{'name':'more'},'spec':{'cidrs':['10.7.0.0/24']}}", "spec.cidrs[0]", "field is immutable");
    CALL(r, 200, "PUT", CIDRS "/more", "{'metadata':{'name':'more'},'spec':{'cidrs':['10.6.0.0/24','fd00::/64']}}");
    refused(r, "POST", IPS, "{'metadata':{'name':'10.6.0.01'},'spec':{'parentRef':{'resource':'services','name':'a'}}}", "metadata.name", "must be a valid IP");
    /* Whoever holds an address, services don't get it. */
    CALL(r, 201, "POST", IPS, "{'metadata':{'name':'10.6.0.9'},'spec':{'parentRef':{'resource':'things','name':'a'}}}");
    refused(r, "POST", SVCS, "{'metadata':{'name':'y'},'spec':{'clusterIP':'10.6.0.9','ports':[{'port':80}]}}", "spec.clusterIPs", "provided IP is already allocated");
    CALL(r, 201, "POST", SVCS, "{'metadata':{'name':'p1'},'spec':{'type':'NodePort','ports':[{'port':80}]}}");
    CALL(r, 201, "POST", SVCS, "{'metadata':{'name':'p2'},'spec':{'type':'NodePort','ports':[{'port':80}]}}");
    CALL(r, 500, "POST", SVCS, "{'metadata':{'name':'p3'},'spec':{'type':'NodePort','ports':[{'port':80}]}}");
    refused(r, "POST", SVCS, "{'metadata':{'name':'p3'},'spec':{'type':'NodePort','ports':[{'port':80,'nodePort':30000}]}}", "spec.ports[0].nodePort", "The range of valid ports is 31000-31001");
    rig_close(r);
}

/* ---- Three heads ------------------------------------------------------------------------------------- */

static void heads_open(struct heads *g, uint64_t seed)
{
    memset(g, 0, sizeof *g);
    for (unsigned i = 0; i < N; i++) {
        g->h[i].opts.service_cidr = "10.5.0.0/27";
        g->h[i].opts.node_ports = "31000-31019";
    }
    heads_start(g, seed, 8000000);
}

/* Every address and port has one holder, and every address its object. */
static unsigned check_once(struct rig *r)
{
    struct answer a = call(r, "GET", SVCS, NULL), b = call(r, "GET", IPS, NULL);
    bool          port[65536] = { false };
    unsigned      ips = 0;

    json_each(s, json_getz(a.obj, "items")) {
        unsigned found = 0;

        json_each(p, json_path(s, "spec.ports")) {
            int64_t n = json_path_i64(p, "nodePort", 0);
            CHECK(n == 0 || !port[n]);
            port[n] = n != 0;
        }
        if (!json_is(json_path(s, "spec.clusterIPs"), JSON_ARRAY))
            continue;
        ips++;
        json_each(it, json_getz(b.obj, "items"))
            found += str_eq(json_path_str(it, "metadata.name"), json_path_str(s, "spec.clusterIP")) &&
                     str_eq(json_path_str(it, "spec.parentRef.name"), json_path_str(s, "metadata.name"));
        CHECK_INT(found, 1);
    }
    CHECK_INT(json_getz(b.obj, "items")->n, ips);
    answer_free(&a);
    answer_free(&b);
    return ips;
}

/* Its memory went with its machine. */
static void talk_forget(struct talk *t)
{
    free(t->method);
    free(t->target);
    free(t->body_in);
    free(t);
}

/* All heads give out the last addresses and ports at the same time; in every other world the leader crashes
 * amid it and comes back. */
TEST(nothing_is_given_out_twice)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct heads  g;
        struct talk  *t[60];
        unsigned      made = 0, dead = N, left = 0;

        heads_open(&g, seed);
        if (seed % 2 == 0)
            dead = leader(&g);
        for (unsigned i = 0; i < 60; i++) {
            char body[300];

            if (i == 40 && dead < N) {
                sim_run_for(g.sim, 3000000 * seed);
                sim_crash(g.h[dead].m);
            }
            snprintf(body, sizeof body, "{'metadata':{'name':'s%u'},'spec':{'type':'NodePort',%s'ports':[{'port':80%s}]}}", i,
                     i % 5 == 0 ? "'clusterIP':'10.5.0.7'," : "", i % 7 == 0 ? ",'nodePort':31003" : "");
            t[i] = i >= 40 && i % N == dead ? NULL : talk_open(&g.h[i % N], "POST", SVCS, body);
        }
        sim_run_for(g.sim, 15000000000ull);
        for (unsigned i = 0; i < 60; i++)
            if (t[i] != NULL && i % N == dead) {
                talk_forget(t[i]);
            } else if (t[i] != NULL) {
                CHECK(t[i]->ended);
                CHECK(t[i]->status != 201 || dead < N || ++made <= 20);
                talk_close(t[i]);
            }
        if (dead < N) {
            sim_boot(g.h[dead].m);
            sim_do(g.h[dead].m, rig_open_in, &g.h[dead]);
            sim_run_for(g.sim, 5000000000ull);
        }
        for (unsigned i = 0; i < N; i++)
            left = check_once(&g.h[i]);
        CHECK(left > (dead < N ? 0 : 10) && left <= 20);     /* as many as there are ports; a dead leader's are lost */
        CHECK(dead < N || made == left);
        CALL(&g.h[1], 200, "DELETE", SVCS, NULL);
        CHECK_INT(check_once(&g.h[2]), 0);
        CALL(&g.h[0], 201, "POST", SVCS, "{'metadata':{'name':'s'},'spec':{'type':'NodePort','clusterIP':'10.5.0.7','ports':[{'port':80,'nodePort':31003}]}}");
        heads_close(&g);
    }
}

/* A claim whose holder does not use the port holds nothing. */
static void claim_on_done(struct store_commit *c, int err) { CHECK_INT(err, 0); }

static void claim_in(void *arg)
{
    static struct store_commit c;
    struct rig      *r = arg;
    struct store_txn t;

    store_txn_init(&t);
    store_txn_put(&t, STR("/claims/nodeport/30500"), STR("default/gone"), STORE_NO_REV, 0, 0);
    store_txn_put(&t, STR("/claims/nodeport/30501"), STR("default/there"), STORE_NO_REV, 0, 0);
    c.done = claim_on_done;
    store_commit(r->store, &c, &t);
    store_txn_release(&t);
}

TEST(stale_claims_hold_nothing)
{
    struct rig *r = rig_open();

    CALL(r, 201, "POST", SVCS, "{'metadata':{'name':'there'},'spec':{'ports':[{'port':80}]}}");
    sim_do(r->m, claim_in, r);
    rig_run(r, 100);
    CALL(r, 201, "POST", SVCS, "{'metadata':{'name':'a'},'spec':{'type':'NodePort','ports':[{'port':80,'nodePort':30500}]}}");
    CALL(r, 201, "POST", SVCS, "{'metadata':{'name':'b'},'spec':{'type':'NodePort','ports':[{'port':80,'nodePort':30501}]}}");
    refused(r, "POST", SVCS, "{'metadata':{'name':'c'},'spec':{'type':'NodePort','ports':[{'port':80,'nodePort':30501}]}}", "spec.ports[0].nodePort", "provided port is already allocated");
    rig_close(r);
}

/* What every cluster has comes back when somebody removes it. */
TEST(defaults_are_restored)
{
    struct rig   *r = rig_open();
    struct answer a;

    CALL(r, 200, "GET", "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical", NULL);
    a = call(r, "GET", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", NULL);
    CHECK_INT(json_getz(a.obj, "items")->n, 13);
    answer_free(&a);
    a = call(r, "GET", "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations", NULL);
    CHECK_INT(json_getz(a.obj, "items")->n, 8);
    answer_free(&a);
    CALL(r, 200, "DELETE", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/exempt", NULL);
    CALL(r, 200, "DELETE", CIDRS "/kubernetes", NULL);
    rig_run(r, 2000);
    CALL(r, 200, "GET", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/exempt", NULL);
    CALL(r, 200, "GET", CIDRS "/kubernetes", NULL);
    rig_close(r);
}
