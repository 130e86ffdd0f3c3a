/* test/api/heads_rig.h: three heads' APIs in one simulated world, behind slow links. */
#ifndef TEST_API_HEADS_RIG_H
#define TEST_API_HEADS_RIG_H

#include "test/api/api_rig.h"

#define N 3

struct heads { struct sim *sim; struct rig h[N]; };

/* What g->h[i].opts already says is kept; all else is made. */
static void heads_start(struct heads *g, uint64_t seed, uint64_t delay_max_ns)
{
    struct sim_net_opts slow = { .delay_min_ns = 200000, .delay_max_ns = delay_max_ns };

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

#endif
