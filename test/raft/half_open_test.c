/* test/raft/half_open_test.c: whole heads in the simulated world whose connections are dead without their noticing:
 * who only listens would listen for ever. */
#include "test/raft/sim_heads.h"

/* The only head that could tell the other, a learner, loses power, comes back, and knows it no more: neither does it
 * dial, nor has the learner anything to say over a connection that it believes to be there. */
TEST(a_learner_removed_while_cut_off_learns_of_it)
{
    struct sim_net_opts cut = { .cut = true };

    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_open(seed, 1);
        head_change(&w.head[0], (struct raft_change_spec){ .op = RAFT_ADD, .id = 2, .addr = "h2:1" });
        head_start(&w.head[1]);
        sim_run_for(w.sim, 2000 * MS);
        sim_net_link(w.sim, w.head[0].m, w.head[1].m, &cut);
        sim_net_link(w.sim, w.head[1].m, w.head[0].m, &cut);
        sim_run_for(w.sim, 100 * MS);
        head_power_off(&w.head[0]);
        head_start(&w.head[0]);
        sim_run_for(w.sim, 1000 * MS);
        head_change(&w.head[0], (struct raft_change_spec){ .op = RAFT_REMOVE, .id = 2 });
        sim_run_for(w.sim, 100 * MS * seed * seed);            /* up to 40 s: connections give up meanwhile */
        CHECK(!w.head[1].removed);
        sim_net_heal(w.sim);
        sim_run_for(w.sim, 60000 * MS);
        if (!w.head[1].removed)
            test_fail(__FILE__, __LINE__, "seed %llu: it was never told", (unsigned long long)seed);
        sim_free(w.sim);
    }
}

static uint32_t no_bytes(void *arg, uint64_t index) { return 0; }

/* A learner whose peers are there and have no leader either: it asks soon, then ever more seldom, and anew at the old
 * pace once a leader was heard. */
TEST(who_hears_no_leader_asks_ever_more_seldom)
{
    struct raft_core_opts o = { .id = 1, .seed = 1, .now_ns = MS, .heartbeat_ns = 50 * MS, .election_min_ns = 200 * MS,
                                .election_max_ns = 400 * MS, .entry_size = no_bytes, .restarted = true, .term = 1 };
    uint64_t asked = 0, in_a_minute = 0;
    struct raft_message *m, beat = { .type = RAFT_MSG_HEARTBEAT, .from = 2, .to = 1, .term = 1 };
    struct raft_core c;
    struct raft_update u;
    struct trail t;

    o.config = (struct raft_config){ .n = 2, .last_id = 2, .head = { { .id = 1, .parts = RAFT_LEARNER },
                                                                     { .id = 2, .parts = RAFT_VOTER } } };
    trail_init(&t, 0, 0);
    raft_core_init(&c, &o, &t);
    for (uint64_t now = 0; (now = raft_core_due(&c)) < 3600000 * MS; ) {
        raft_core_step(&c, &(struct raft_event){ .type = RAFT_EV_TICK, .now_ns = now }, &u);
        asked += raft_core_flush(&c, now, &m);
        in_a_minute = now < 60000 * MS ? asked : in_a_minute;
    }
    CHECK(in_a_minute >= 6);
    CHECK(asked < 250);
    raft_core_step(&c, &(struct raft_event){ .type = RAFT_EV_RECEIVE, .now_ns = 3700000 * MS, .message = &beat }, &u);
    CHECK(raft_core_due(&c) <= 3700400 * MS);
    raft_core_release(&c);
}
