/* test/raft/half_open_test.c: whole heads in the simulated world whose connections are dead without their noticing:
 * who only listens would listen for ever. */
#include "net/log.h"
#include "net/sim.h"
#include "raft/core.h"
#include "test/test.h"

#define MS    1000000ull
#define HEADS 2

struct head {
    unsigned n;
    struct sim_machine *m;
    struct raft *raft;
    struct disk *disk;
    bool leading, removed;
};

static struct world {
    struct sim *sim;
    struct head head[HEADS];
    struct raft_peer_opts founder;
    struct raft_change change;
    struct raft_change_spec spec;
    bool done;
    int  err;
} w;

static void on_apply(void *arg, uint64_t index, struct str command, struct raft_proposal *local) { }
static void *on_snapshot_open(void *arg) { return arg; }
static size_t on_snapshot_read(void *arg, void *reader, char *buf, size_t cap) { return 0; }
static void on_snapshot_close(void *arg, void *reader) { }
static void on_restore_begin(void *arg) { }
static int  on_restore_data(void *arg, struct str data) { return 0; }
static int  on_restore_end(void *arg, bool ok) { return 0; }
static void on_leading(void *arg, bool leader) { ((struct head *)arg)->leading = leader; }
static void on_removed(void *arg) { ((struct head *)arg)->removed = true; }

static void head_in_start(void *arg)
{
    struct head *h = arg;
    struct raft_opts o = { .loop = sim_machine_loop(h->m), .id = h->n + 1, .cluster = 9, .heads = &w.founder,
                           .n_heads = h->n == 0, .join = h->n > 0, .listen_addr = h->n == 0 ? "a:1" : "b:1" };

    o.fsm = (struct raft_fsm){ on_apply, NULL, on_snapshot_open, on_snapshot_read, on_snapshot_close, on_restore_begin,
                               on_restore_data, on_restore_end, on_leading, on_removed, h };
    h->leading = false;
    must_ok(disk_open(o.loop, "data", &h->disk, NULL));
    o.disk = h->disk;
    must_ok(raft_open(&o, &h->raft, NULL));
}

static void head_start(struct head *h)
{
    if (!sim_up(h->m))
        sim_boot(h->m);
    sim_do(h->m, head_in_start, h);
}

static void on_changed(struct raft_change *c, int err, const char *reason, uint64_t id)
{
    w.done = true;
    w.err = err;
}

static void head_in_change(void *arg)
{
    w.done = false;
    w.change.done = on_changed;
    raft_change(((struct head *)arg)->raft, &w.change, &w.spec);
}

static void change(struct raft_change_spec s)
{
    w.spec = s;
    sim_do(w.head[0].m, head_in_change, &w.head[0]);
    for (int i = 0; i < 200 && !w.done; i++)
        sim_run_for(w.sim, 50 * MS);
    CHECK(w.done);
    CHECK_INT(w.err, 0);
}

static void world_open(uint64_t seed)
{
    log_level = LOG_NONE;
    w = (struct world){ .sim = sim_new(seed), .founder = { 1, "a:1" } };
    for (unsigned i = 0; i < HEADS; i++)
        w.head[i] = (struct head){ .n = i, .m = sim_machine_new(w.sim, i == 0 ? "a" : "b") };
    head_start(&w.head[0]);
    sim_run_for(w.sim, 1000 * MS);
    CHECK(w.head[0].leading);
}

/* The only head that could tell the other, a learner, loses power, comes back, and knows it no more: neither does it
 * dial, nor has the learner anything to say over a connection that it believes to be there. */
TEST(a_learner_removed_while_cut_off_learns_of_it)
{
    struct sim_net_opts cut = { .cut = true };

    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_open(seed);
        change((struct raft_change_spec){ .op = RAFT_ADD, .id = 2, .addr = "b:1" });
        head_start(&w.head[1]);
        sim_run_for(w.sim, 2000 * MS);
        sim_net_link(w.sim, w.head[0].m, w.head[1].m, &cut);
        sim_net_link(w.sim, w.head[1].m, w.head[0].m, &cut);
        sim_run_for(w.sim, 100 * MS);
        sim_power_off(w.head[0].m);
        head_start(&w.head[0]);
        sim_run_for(w.sim, 1000 * MS);
        change((struct raft_change_spec){ .op = RAFT_REMOVE, .id = 2 });
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
