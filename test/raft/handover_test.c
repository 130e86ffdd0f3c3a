/* test/raft/handover_test.c: a leader that is to go hands over; when nobody is there to take it, it does not wait for
 * long. */
#include "test/raft/sim_heads.h"

#define STEP_NS 200000ull                        /* between two moments at which the others go */
#define STEPS   60

/* How long it takes until the outcome is known. */
static uint64_t handover_ns(void)
{
    uint64_t from = sim_now_ns(w.sim);

    while (!w.done && sim_now_ns(w.sim) < from + 20000 * MS)
        sim_run_for(w.sim, MS);
    return sim_now_ns(w.sim) - from;
}

static void others_go(const struct head *leader, unsigned but)
{
    for (unsigned i = 0; i < w.n_founders; i++)
        if (&w.head[i] != leader && i != but)
            head_close(&w.head[i]);
}

/* All are told to end at once: whatever of a handover has happened when the others close. */
static void all_end(unsigned heads)
{
    for (unsigned step = 0; step < STEPS; step++) {
        world_open(step + 1, heads);
        struct head *leader = world_leader();
        head_ask(leader, (struct raft_change_spec){ .op = RAFT_TRANSFER });
        sim_run_for(w.sim, step * STEP_NS);
        others_go(leader, HEADS_MAX);
        uint64_t took = handover_ns();
        if (took > 100 * MS)
            test_fail(__FILE__, __LINE__, "step %u of %u heads: it took %llu ms", step, heads,
                      (unsigned long long)(took / MS));
        sim_free(w.sim);
    }
}

TEST(nobody_is_left_to_take_over)
{
    all_end(3);
    all_end(5);
}

/* The one that was to take over goes; the other does it instead. */
TEST(another_takes_over)
{
    unsigned handed = 0;

    for (unsigned step = 0; step < STEPS; step++) {
        world_open(step + 1, 3);
        struct head *leader = world_leader();
        unsigned stays = (leader->n + 1 + step % 2) % 3;
        head_ask(leader, (struct raft_change_spec){ .op = RAFT_TRANSFER });
        sim_run_for(w.sim, step / 2 * STEP_NS / 4);
        others_go(leader, stays);
        uint64_t took = handover_ns();
        handed += w.err == 0;
        if (w.err != 0 || took > 1000 * MS)
            test_fail(__FILE__, __LINE__, "step %u: %d after %llu ms", step, w.err, (unsigned long long)(took / MS));
        sim_free(w.sim);
    }
    CHECK_INT(handed, STEPS);
}
