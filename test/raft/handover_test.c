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

static struct raft_proposal proposal;
static struct raft_read read_req;
static int proposal_err, read_err;

static void on_failed(struct raft_proposal *p, int err) { proposal_err = err; }
static void on_read(struct raft_read *r, int err) { read_err = err; }

static void head_in_wait(void *arg)
{
    struct head *h = arg;

    proposal.failed = on_failed;
    raft_propose(h->raft, &proposal, STR("x"));
    read_req = (struct raft_read){ .done = on_read };
    raft_read(h->raft, &read_req);
}

static void head_in_give_up(void *arg) { raft_give_up(((struct head *)arg)->raft); }

/* Without a majority all kinds of questions wait; not for a head that is about to go. */
TEST(who_goes_waits_for_nothing)
{
    world_open(1, 3);
    struct head *leader = world_leader();
    others_go(leader, HEADS_MAX);
    sim_run_for(w.sim, 1000 * MS);
    head_ask(leader, (struct raft_change_spec){ .op = RAFT_ADD, .addr = "h4:1" });
    proposal_err = read_err = 0;
    sim_do(leader->m, head_in_wait, leader);
    sim_run_for(w.sim, 1000 * MS);
    CHECK(!w.done && proposal_err == 0 && read_err == 0);
    sim_do(leader->m, head_in_give_up, leader);
    sim_run_for(w.sim, MS);
    CHECK(w.done);
    CHECK_INT(w.err, E_UNKNOWN);
    CHECK_INT(proposal_err, E_UNKNOWN);
    CHECK_INT(read_err, E_NOLEADER);
    sim_do(leader->m, head_in_wait, leader);
    proposal_err = read_err = 0;
    sim_run_for(w.sim, MS);
    CHECK_INT(proposal_err, E_UNKNOWN);
    CHECK_INT(read_err, E_NOLEADER);
    head_close(leader);
    sim_run_for(w.sim, 1000 * MS);
    CHECK(leader->raft == NULL);
    sim_free(w.sim);
}

static void head_in_propose(void *arg)
{
    proposal.failed = on_failed;
    raft_propose(((struct head *)arg)->raft, &proposal, STR("y"));
}

/* What only a leader may say is said in its term or not at all: a follower would pass it on to the next leader. */
TEST(the_word_of_a_former_leader_does_not_reach_the_next)
{
    for (unsigned step = 0; step < 20; step++) {
        struct raft_status st;
        world_open(step + 1, 3);
        struct head *leader = world_leader();
        raft_status(leader->raft, &st);
        proposal = (struct raft_proposal){ .term = st.term };
        proposal_err = 0;
        sim_do(leader->m, head_in_propose, leader);
        sim_run_for(w.sim, 200 * MS);
        CHECK_INT(proposal_err, 0);
        CHECK_INT(applied_own, 1);
        head_ask(leader, (struct raft_change_spec){ .op = RAFT_TRANSFER });
        sim_run_for(w.sim, step * STEP_NS / 4);
        sim_do(leader->m, head_in_propose, leader);
        sim_run_for(w.sim, 1000 * MS);
        CHECK(w.done && w.err == 0);
        CHECK(proposal_err == E_NOLEADER ? applied == 3 : proposal_err == 0 && applied == 6);
        proposal_err = 0;
        sim_do(leader->m, head_in_propose, leader);
        sim_run_for(w.sim, 1000 * MS);
        CHECK_INT(proposal_err, E_NOLEADER);
        proposal.term = 0;                       /* anybody's word is passed on */
        proposal_err = 0;
        sim_do(leader->m, head_in_propose, leader);
        sim_run_for(w.sim, 1000 * MS);
        CHECK_INT(proposal_err, 0);
        sim_free(w.sim);
    }
}
