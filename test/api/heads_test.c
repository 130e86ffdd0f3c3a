/* test/api/heads_test.c: three heads behind slow links: whichever is asked, nobody is told something
 * stale. */
#include "test/api/heads_rig.h"

#define CM "/api/v1/namespaces/default/configmaps"

static void heads_open_with(struct heads *g, uint64_t seed, const char *const hosts[N], const unsigned ports[N])
{
    memset(g, 0, sizeof *g);
    for (unsigned i = 0; i < N; i++) {
        g->h[i].opts.advertise_host = hosts[i];
        g->h[i].opts.advertise_port = ports[i];
    }
    heads_start(g, seed, 8000000);
}

static void heads_open(struct heads *g, uint64_t seed)
{
    heads_open_with(g, seed, (const char *const[N]){ 0 }, (const unsigned[N]){ 0 });
}

/* Written at one head, at once asked for at the next, which has not heard of it yet. */
TEST(any_head_will_do)
{
    struct heads g;

    for (uint64_t seed = 1; seed <= 6; seed++) {
        heads_open(&g, seed);
        for (unsigned i = 0; i < 12; i++) {
            struct rig   *a = &g.h[i % N], *b = &g.h[(i + 1) % N], *c = &g.h[(i + 2) % N];
            char          ns[100], path[200], body[300];
            struct answer r;

            snprintf(body, sizeof body, "{'metadata':{'name':'n%u'}}", i);
            CALL(a, 201, "POST", "/api/v1/namespaces", body);
            snprintf(ns, sizeof ns, "/api/v1/namespaces/n%u/configmaps", i);
            CALL(b, 201, "POST", ns, "{'metadata':{'name':'x'},'data':{'k':'1'}}");
            snprintf(path, sizeof path, "%s/x", ns);
            CALL(c, 200, "GET", path, NULL);
            r = call(b, "GET", path, NULL);
            snprintf(body, sizeof body, "{'metadata':{'name':'x','resourceVersion':'%.*s'},'data':{'k':'2'}}",
                     STR_ARG(json_path_str(r.obj, "metadata.resourceVersion")));
            answer_free(&r);
            CALL(c, 200, "PUT", path, body);
            r = call(a, "GET", path, NULL);
            CHECK_AT(r, "data.k", "2");
            snprintf(body, sizeof body, "{'metadata':{'name':'x','resourceVersion':'%.*s'},'data':{'k':'3'}}",
                     STR_ARG(json_path_str(r.obj, "metadata.resourceVersion")));
            answer_free(&r);
            CALL(b, 200, "PUT", path, body);     /* b may be behind c: it must find out, not say conflict */
            CALL(a, 409, "PUT", path, body);
            CALL(c, 409, "POST", ns, "{'metadata':{'name':'x'}}");
            CALL(a, 200, "DELETE", path, NULL);
            CALL(b, 404, "GET", path, NULL);
            CALL(c, 404, "DELETE", path, NULL);
        }
        heads_close(&g);
    }
}

/* A watch on a follower goes on through a change of leader, and the cluster answers again. */
TEST(watch_survives_the_leader)
{
    struct heads g;
    struct talk *t;
    unsigned     old, other;

    heads_open(&g, 7);
    old = leader(&g);
    other = (old + 1) % N;
    t = talk_open(&g.h[other], "GET", CM "?watch=1", NULL);
    sim_run_for(g.sim, 100000000);
    CALL(&g.h[other], 201, "POST", CM, "{'metadata':{'name':'before'}}");
    sim_crash(g.h[old].m);
    g.h[old].api = NULL;
    g.h[old].store = NULL;
    sim_run_for(g.sim, 3000000000ull);
    CALL(&g.h[other], 201, "POST", CM, "{'metadata':{'name':'after'}}");
    sim_run_for(g.sim, 100000000);
    CHECK(!t->ended);
    CHECK(strstr(buf_str(&t->body).p, "\"name\":\"before\"") != NULL);
    CHECK(strstr(buf_str(&t->body).p, "\"name\":\"after\"") != NULL);
    talk_close(t);
    sim_free(g.sim);
}

/* Without a majority: writes and reads say so, in time, and tell when to come back. */
TEST(no_majority)
{
    struct heads  g;
    struct answer a;
    unsigned      keep;

    heads_open(&g, 8);
    keep = leader(&g);
    for (unsigned i = 0; i < N; i++)
        if (i != keep)
            sim_crash(g.h[i].m);
    sim_run_for(g.sim, 5000000000ull);
    a = call(&g.h[keep], "GET", CM, NULL);
    CHECK(a.status == 503 || a.status == 504);
    CHECK(strstr(a.extra, "Retry-After: 1") != NULL);
    answer_free(&a);
    a = call(&g.h[keep], "POST", CM, "{'metadata':{'name':'x'}}");
    CHECK(a.status == 503 || a.status == 504);
    answer_free(&a);
    a = call(&g.h[keep], "GET", CM "?resourceVersion=0", NULL);
    CHECK_INT(a.status, 200);
    answer_free(&a);
    a = call(&g.h[keep], "GET", "/readyz", NULL);
    CHECK_INT(a.status, 500);
    answer_free(&a);
    CALL(&g.h[keep], 200, "GET", "/livez", NULL);
    sim_free(g.sim);
}

/* ---- The endpoints of default/kubernetes ---------------------------------------------------------------- */

#define ENDPOINTS "/api/v1/namespaces/default/endpoints/kubernetes"
#define SLICES    "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"

/* "ip:port ip:port ...", in order, of the Endpoints; and of the slices, which must say the same. */
static void check_served(struct rig *r, const char *want)
{
    struct answer e = call(r, "GET", ENDPOINTS, NULL), s = call(r, "GET", SLICES, NULL);
    struct buf    have = BUF_INIT, sliced = BUF_INIT;

    json_each(sub, json_getz(e.obj, "subsets"))
        json_each(a, json_getz(sub, "addresses"))
            buf_fmt(&have, "%.*s:%lld ", STR_ARG(json_path_str(a, "ip")), (long long)json_path_i64(sub, "ports.0.port", 0));
    json_each(slice, json_getz(s.obj, "items"))
        json_each(a, json_getz(slice, "endpoints"))
            buf_fmt(&sliced, "%.*s:%lld ", STR_ARG(json_path_str(a, "addresses.0")),
                    (long long)json_path_i64(slice, "ports.0.port", 0));
    CHECK_INT(strcmp(arena_cstr(&e.arena, buf_str(&have)), want), 0);
    CHECK_INT(strcmp(arena_cstr(&e.arena, buf_str(&sliced)), want), 0);
    buf_release(&have);
    buf_release(&sliced);
    answer_free(&e);
    answer_free(&s);
}

static const char *const three_hosts[N] = { "10.0.0.1", "10.0.0.2", "10.0.0.3" };
static const unsigned    one_port[N] = { 6443, 6443, 6443 };
#define ALL_THREE "10.0.0.1:6443 10.0.0.2:6443 10.0.0.3:6443 "

static const char *without(unsigned i)
{
    static const char *const text[N] = { "10.0.0.2:6443 10.0.0.3:6443 ", "10.0.0.1:6443 10.0.0.3:6443 ",
                                         "10.0.0.1:6443 10.0.0.2:6443 " };
    return text[i];
}

/* A head that dies is listed for its lease's time, no longer; when it is back it is listed again. Leader or not. */
TEST(dead_heads_leave_the_service)
{
    for (unsigned leads = 0; leads < 2; leads++) {
        struct heads g;
        unsigned     dead, other;

        heads_open_with(&g, 9 + leads, three_hosts, one_port);
        dead = (leader(&g) + !leads) % N;
        other = (dead + 1) % N;
        check_served(&g.h[other], ALL_THREE);
        sim_crash(g.h[dead].m);
        sim_run_for(g.sim, 9000000000ull);
        check_served(&g.h[other], ALL_THREE);
        sim_run_for(g.sim, 11000000000ull);
        check_served(&g.h[other], without(dead));
        sim_boot(g.h[dead].m);
        sim_do(g.h[dead].m, rig_open_in, &g.h[dead]);
        sim_run_for(g.sim, 2000000000ull);
        check_served(&g.h[other], ALL_THREE);
        heads_close(&g);
    }
}

/* One that stops in order goes at once; what somebody else wrote into the endpoints is put right. */
TEST(leaving_and_meddling)
{
    struct heads g;
    unsigned     leaves, other;

    heads_open_with(&g, 11, three_hosts, one_port);
    leaves = leader(&g);
    other = (leaves + 1) % N;
    CALL(&g.h[other], 200, "DELETE", ENDPOINTS, NULL);
    g.h[other].type = "application/merge-patch+json";
    CALL(&g.h[other], 200, "PATCH", SLICES "/kubernetes", "{'endpoints':[{'addresses':['6.6.6.6']}]}");
    g.h[other].type = NULL;
    sim_run_for(g.sim, 7000000000ull);
    check_served(&g.h[other], ALL_THREE);
    sim_do(g.h[leaves].m, rig_close_in, &g.h[leaves]);
    sim_run_for(g.sim, 3000000000ull);
    CHECK(g.h[leaves].api == NULL);
    check_served(&g.h[other], without(leaves));
    for (unsigned i = 0; i < N; i++)
        if (i != leaves)
            sim_do(g.h[i].m, rig_close_in, &g.h[i]);
    sim_run_for(g.sim, 20000000000ull);
    for (unsigned i = 0; i < N; i++)
        CHECK(g.h[i].api == NULL && g.h[i].store == NULL);
    sim_free(g.sim);
}

/* Heads on one machine differ by port: a subset and a slice each. */
TEST(heads_on_several_ports)
{
    static const char *const one[N] = { "10.0.0.9", "10.0.0.9", "10.0.0.9" };
    struct heads g;

    heads_open_with(&g, 12, one, (const unsigned[N]){ 6445, 6443, 6444 });
    check_served(&g.h[0], "10.0.0.9:6443 10.0.0.9:6444 10.0.0.9:6445 ");
    sim_crash(g.h[1].m);
    sim_run_for(g.sim, 20000000000ull);
    check_served(&g.h[0], "10.0.0.9:6444 10.0.0.9:6445 ");
    sim_boot(g.h[1].m);
    sim_do(g.h[1].m, rig_open_in, &g.h[1]);
    sim_run_for(g.sim, 2000000000ull);
    check_served(&g.h[0], "10.0.0.9:6443 10.0.0.9:6444 10.0.0.9:6445 ");
    heads_close(&g);
}
