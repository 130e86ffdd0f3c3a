/* test/raft/sim_heads.h: whole heads in the simulated world with a state machine that keeps nothing, for tests of who
 * leads, who belongs and who learns of it. */
#ifndef TEST_RAFT_SIM_HEADS_H
#define TEST_RAFT_SIM_HEADS_H

#include "net/log.h"
#include "net/sim.h"
#include "raft/core.h"
#include "test/test.h"

#define MS        1000000ull
#define HEADS_MAX 5

struct head {
    unsigned n;
    char     name[4], addr[8];
    struct sim_machine *m;
    struct raft *raft;                           /* NULL: not started, or closed */
    struct disk *disk;
    bool leading, removed;
};

static struct world {
    struct sim *sim;
    unsigned n_founders;
    struct head head[HEADS_MAX];
    struct raft_peer_opts founder[HEADS_MAX];
    struct raft_change change;                   /* one at a time */
    struct raft_change_spec spec;
    bool done;
    int  err;
} w;

static unsigned applied, applied_own;            /* commands, by all heads; of proposals that waited here */

static void on_apply(void *arg, uint64_t index, struct str command, struct raft_proposal *local)
{
    applied++;
    applied_own += local != NULL;
}
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
    struct raft_opts o = { .loop = sim_machine_loop(h->m), .id = h->n + 1, .cluster = 9, .heads = w.founder,
                           .n_heads = h->n < w.n_founders ? w.n_founders : 0, .join = h->n >= w.n_founders,
                           .listen_addr = h->addr };

    o.fsm = (struct raft_fsm){ on_apply, NULL, on_snapshot_open, on_snapshot_read, on_snapshot_close, on_restore_begin,
                               on_restore_data, on_restore_end, on_leading, on_removed, h };
    h->leading = false;
    must_ok(disk_open(o.loop, "data", &h->disk, NULL));
    o.disk = h->disk;
    must_ok(raft_open(&o, &h->raft, NULL));
}

static inline void head_start(struct head *h)
{
    if (!sim_up(h->m))
        sim_boot(h->m);
    sim_do(h->m, head_in_start, h);
}

static void head_on_closed(void *arg)
{
    struct head *h = arg;

    disk_close(h->disk);
    h->raft = NULL;
}

static void head_in_close(void *arg) { raft_close(((struct head *)arg)->raft, head_on_closed, arg); }
static inline void head_close(struct head *h) { sim_do(h->m, head_in_close, h); }

static inline void head_power_off(struct head *h)
{
    sim_power_off(h->m);
    h->raft = NULL;
    h->leading = false;
}

static inline struct head *world_leader(void)
{
    for (unsigned i = 0; i < HEADS_MAX; i++)
        if (w.head[i].leading)
            return &w.head[i];
    return NULL;
}

static void on_changed(struct raft_change *c, int err, const char *reason, uint64_t id)
{
    w.done = true;
    w.err = err;
}

static void head_in_change(void *arg) { raft_change(((struct head *)arg)->raft, &w.change, &w.spec); }

static inline void head_ask(struct head *h, struct raft_change_spec s)
{
    w.spec = s;
    w.done = false;
    w.change.done = on_changed;
    sim_do(h->m, head_in_change, h);
}

/* It comes to pass. */
static inline void head_change(struct head *h, struct raft_change_spec s)
{
    head_ask(h, s);
    for (int i = 0; i < 200 && !w.done; i++)
        sim_run_for(w.sim, 50 * MS);
    CHECK(w.done);
    CHECK_INT(w.err, 0);
}

static inline void world_new(uint64_t seed, unsigned founders)
{
    log_level = LOG_NONE;
    applied = applied_own = 0;
    w = (struct world){ .sim = sim_new(seed), .n_founders = founders };
    for (unsigned i = 0; i < HEADS_MAX; i++) {
        struct head *h = &w.head[i];
        h->n = i;
        snprintf(h->name, sizeof(h->name), "h%u", i + 1);
        snprintf(h->addr, sizeof(h->addr), "h%u:1", i + 1);
        h->m = sim_machine_new(w.sim, h->name);
        w.founder[i] = (struct raft_peer_opts){ i + 1, h->addr };
    }
}

/* Founders are started, and one of them leads. */
static inline void world_open(uint64_t seed, unsigned founders)
{
    world_new(seed, founders);
    for (unsigned i = 0; i < founders; i++)
        head_start(&w.head[i]);
    sim_run_for(w.sim, 1000 * MS);
    CHECK(world_leader() != NULL);
}

#endif
