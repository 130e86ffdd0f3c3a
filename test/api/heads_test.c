/* test/api/heads_test.c: three heads behind slow links: whichever is asked, nobody is told something
 * stale. */
#include "test/api/api_rig.h"

#define N  3
#define CM "/api/v1/namespaces/default/configmaps"

struct heads { struct sim *sim; struct rig h[N]; };

static void heads_open(struct heads *g, uint64_t seed)
{
    struct sim_net_opts slow = { .delay_min_ns = 200000, .delay_max_ns = 8000000 };

    memset(g, 0, sizeof *g);
    g->sim = sim_new(seed);
    sim_net_default(g->sim, &slow);
    for (unsigned i = 0; i < N; i++)
        rig_start(&g->h[i], g->sim, i, N);
    sim_run_for(g->sim, 5000000000ull);
}

static unsigned leader(struct heads *g)
{
    struct raft_status st;

    for (unsigned i = 0; i < N; i++) {
        raft_status(store_raft(g->h[i].store), &st);
        if (st.is_leader)
            return i;
    }
    return 0;
}

static void heads_close(struct heads *g)
{
    for (unsigned i = 0; i < N; i++)
        sim_do(g->h[i].m, rig_close_in, &g->h[i]);
    sim_run_for(g->sim, 20000000000ull);
    for (unsigned i = 0; i < N; i++)
        CHECK(g->h[i].api == NULL && g->h[i].store == NULL);
    sim_free(g->sim);
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
