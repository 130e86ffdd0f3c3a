/* test/raft/wiped_test.c: a head whose disk was replaced, started again as it was the first time: it must not make a
 * majority with one that lags, which would forget what was acknowledged. */
#include "test/raft/sim_heads.h"

static void cut(struct head *h, bool on)
{
    struct sim_net_opts o = { .delay_min_ns = MS / 10, .delay_max_ns = MS / 2, .cut = on };

    for (unsigned i = 0; i < w.n_founders; i++) {
        sim_net_link(w.sim, h->m, w.head[i].m, &o);
        sim_net_link(w.sim, w.head[i].m, h->m, &o);
    }
}

static void wipe(struct head *h)
{
    head_power_off(h);
    while (sim_disk_damage(h->m, "", 0, SIM_GONE))
        continue;
}

static bool knows(struct head *h, const char *api)
{
    struct raft_status st;

    raft_status(h->raft, &st);
    return st.n_heads == w.n_founders && strcmp(st.head[0].api, api) == 0;
}

TEST(an_empty_disk_makes_no_majority_that_forgets)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        world_open(seed, 3);
        struct head *leader = world_leader(), *wiped = &w.head[(leader->n + 1) % 3], *lags = &w.head[(leader->n + 2) % 3];
        cut(lags, true);
        head_change(leader, (struct raft_change_spec){ .op = RAFT_UPDATE, .id = 1, .api = "acknowledged" });
        head_power_off(leader);
        wipe(wiped);
        sim_net_heal(w.sim);
        head_start(wiped);
        sim_run_for(w.sim, 10000 * MS);
        CHECK(world_leader() == NULL);
        if (seed % 2) {                          /* once more: what it knows of its loss is on its disk */
            head_power_off(wiped);
            head_start(wiped);
            sim_run_for(w.sim, 10000 * MS);
            CHECK(world_leader() == NULL);
        }
        head_start(leader);
        sim_run_for(w.sim, 10000 * MS);
        CHECK(world_leader() != NULL);
        for (unsigned i = 0; i < 3; i++)
            CHECK(knows(&w.head[i], "acknowledged"));
        sim_free(w.sim);
    }
}

static void join(unsigned i)
{
    head_change(world_leader(), (struct raft_change_spec){ .op = RAFT_ADD, .id = i + 1, .addr = w.head[i].addr });
    head_start(&w.head[i]);
    sim_run_for(w.sim, 2000 * MS);
    head_change(world_leader(), (struct raft_change_spec){ .op = RAFT_PROMOTE, .id = i + 1 });
}

/* The same with a head that had joined. */
TEST(an_empty_disk_of_one_that_joined_makes_no_majority_that_forgets)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_open(seed, 1);
        struct head *leader = &w.head[0], *wiped = &w.head[1], *lags = &w.head[2];
        join(1);
        join(2);
        w.n_founders = 3;
        cut(lags, true);
        w.n_founders = 1;
        head_change(leader, (struct raft_change_spec){ .op = RAFT_UPDATE, .id = 1, .api = "acknowledged" });
        head_power_off(leader);
        wipe(wiped);
        sim_net_heal(w.sim);
        head_start(wiped);
        sim_run_for(w.sim, 10000 * MS);
        CHECK(world_leader() == NULL);
        head_start(leader);
        sim_run_for(w.sim, 10000 * MS);
        CHECK(world_leader() != NULL);
        w.n_founders = 3;
        for (unsigned i = 0; i < 3; i++)
            CHECK(knows(&w.head[i], "acknowledged"));
        sim_free(w.sim);
    }
}

/* One founder is not there yet: the others wait for it, and begin once it is. */
TEST(a_cluster_begins_when_all_are_there)
{
    world_new(3, 3);
    head_start(&w.head[0]);
    head_start(&w.head[1]);
    sim_run_for(w.sim, 5000 * MS);
    CHECK(world_leader() == NULL);
    head_start(&w.head[2]);
    sim_run_for(w.sim, 3000 * MS);
    CHECK(world_leader() != NULL);
    sim_free(w.sim);
}

/* The membership has changed since it was founded: whom it would have to ask it does not know. */
TEST(an_empty_disk_with_an_outdated_command_line_stays_silent)
{
    world_open(5, 3);
    struct head *leader = world_leader(), *wiped = &w.head[(leader->n + 1) % 3];
    head_change(leader, (struct raft_change_spec){ .op = RAFT_ADD, .id = 4, .addr = "h4:1" });
    head_start(&w.head[3]);
    sim_run_for(w.sim, 2000 * MS);
    head_change(leader, (struct raft_change_spec){ .op = RAFT_PROMOTE, .id = 4 });
    wipe(wiped);
    head_start(wiped);
    sim_run_for(w.sim, 20000 * MS);
    struct raft_status st;
    raft_status(wiped->raft, &st);
    CHECK(st.repairing);
    CHECK(st.commit == 0);
    head_change(world_leader(), (struct raft_change_spec){ .op = RAFT_REMOVE, .id = wiped->n + 1 });
    sim_run_for(w.sim, 5000 * MS);
    CHECK(wiped->removed);
    sim_free(w.sim);
}
