/* test/raft/world_test.c: three whole hosts (core, log, snapshots, peers) in the simulated world: machines
 * crash and lose what was not synced, links break, are cut and delay, disks are slow, fail and fill up.
 * By seed.
 *
 * Checked all along: every head applies the same at the same index, nothing twice; a read sees what was
 * acknowledged before it.  And in peace at the end: all heads agree and everything acknowledged is there. */
#include <stdlib.h>
#include "net/log.h"
#include "net/sim.h"
#include "raft/raft.h"
#include "test/test.h"

#define HEADS  3
#define OPS    6000
#define INDEX_MAX 40000

struct op { struct raft_proposal p; uint64_t id; unsigned head; bool out, acked; int result; };
struct ask { struct raft_read r; unsigned head; uint64_t floor; bool out; };

struct head {
    unsigned n;
    struct sim_machine *m;
    struct raft *raft;
    uint64_t applied, n_ids;
    uint32_t id[OPS];                            /* of the operations in the state, in order */
    uint32_t in[OPS]; uint64_t n_in; size_t in_bytes; uint64_t in_applied;
    bool opened, boot_failed, transferring;
    struct raft_change transfer;
};

static struct world {
    struct sim *sim;
    uint64_t seed;
    struct head head[HEADS];
    struct op op[OPS];
    struct ask ask[256];
    uint64_t n_ops, n_acked, n_reads, n_now, n_crashes, n_restores;
    uint64_t acked_index, settled[INDEX_MAX];
    struct raft_peer_opts peer[HEADS];
} w;

static void broken(const char *what, uint64_t a, uint64_t b)
{
    test_fail(__FILE__, __LINE__, "SEED=%llu: %s (%llu, %llu)", (unsigned long long)w.seed, what, (unsigned long long)a,
              (unsigned long long)b);
}

/* ---- The state machine ----------------------------------------------------------------------------- */

static void head_apply(void *arg, uint64_t index, struct str command, struct raft_proposal *local)
{
    struct head *h = arg;
    uint64_t id = 0;

    must(command.n >= 8 && index < INDEX_MAX);
    memcpy(&id, command.p, 8);
    if (index <= h->applied)
        broken("applied again", index, h->applied);
    h->applied = index;
    if (w.settled[index] == 0)
        w.settled[index] = id;
    if (w.settled[index] != id)
        broken("heads apply different commands", index, id);
    h->id[h->n_ids++] = (uint32_t)id;
    if (local == NULL)
        return;
    struct op *o = container_of(local, struct op, p);
    if (o->id != id || o->head != h->n || !o->out)
        broken("an apply with another's proposal", id, o->id);
    o->out = false;
    o->acked = true;
    w.n_acked++;
    w.acked_index = MAX_OF(w.acked_index, index);
}

/* A snapshot: applied, then the ids; 64 bytes of ballast each. */
struct reader { uint64_t applied, n, at; uint32_t id[OPS]; };
#define UNIT 64

static void *head_snapshot_open(void *arg)
{
    struct head *h = arg;
    struct reader *r = mem_new(struct reader);

    r->applied = h->applied;
    r->n = h->n_ids;
    memcpy(r->id, h->id, sizeof(r->id));
    return r;
}

static size_t head_snapshot_read(void *arg, void *reader, char *buf, size_t cap)
{
    struct reader *r = reader;
    size_t n = 0;

    for (; r->at <= r->n && cap - n >= UNIT; r->at++, n += UNIT) {
        memset(buf + n, 'u', UNIT);
        if (r->at == 0)
            memcpy(buf + n, &r->applied, 8);
        else
            memcpy(buf + n, &r->id[r->at - 1], 4);
    }
    return n;
}

static void head_snapshot_close(void *arg, void *reader) { mem_free(reader); }

static void head_restore_begin(void *arg)
{
    struct head *h = arg;

    h->n_in = h->in_bytes = 0;
}

static int head_restore_data(void *arg, struct str d)
{
    struct head *h = arg;

    must(d.n % UNIT == 0);
    for (size_t at = 0; at < d.n; at += UNIT, h->in_bytes += UNIT) {
        if (h->in_bytes == 0)
            memcpy(&h->in_applied, d.p + at, 8);
        else
            memcpy(&h->in[h->n_in++], d.p + at, 4);
    }
    return 0;
}

static int head_restore_end(void *arg, bool ok)
{
    struct head *h = arg;

    if (!ok)
        return 0;
    if (h->in_applied < h->applied)
        broken("a snapshot takes the state back", h->in_applied, h->applied);
    h->applied = h->in_applied;
    h->n_ids = h->n_in;
    memcpy(h->id, h->in, sizeof(h->id));
    w.n_restores++;
    return 0;
}

/* ---- Life of a head -------------------------------------------------------------------------------- */

static void head_do_open(void *arg)
{
    struct head *h = arg;
    struct raft_opts o = { .loop = sim_machine_loop(h->m), .id = h->n + 1, .cluster = 9, .heads = w.peer, .n_heads = HEADS,
                           .listen_addr = w.peer[h->n].addr, .snapshot_bytes = 30000, .log_bytes = 9000, .segment_bytes = 16384 };
    struct errbuf err = { { 0 } };

    o.fsm = (struct raft_fsm){ head_apply, NULL, head_snapshot_open, head_snapshot_read, head_snapshot_close,
                               head_restore_begin, head_restore_data, head_restore_end, NULL, NULL, h };
    h->raft = NULL;
    h->transferring = false;
    h->applied = h->n_ids = 0;
    int rc = disk_open(o.loop, "data", &o.disk, &err);
    if (rc == 0)
        rc = raft_open(&o, &h->raft, &err);
    if (rc != 0) {
        test_fail(__FILE__, __LINE__, "SEED=%llu: head %u: %s", (unsigned long long)w.seed, h->n + 1, err.s);
        h->raft = NULL;
        h->boot_failed = true;
    }
}

static void head_boot(struct head *h)
{
    struct sim_disk_opts d = { .op_min_ns = 20000, .op_max_ns = 1000000 };

    sim_disk(h->m, &d);
    if (!sim_up(h->m))
        sim_boot(h->m);
    sim_do(h->m, head_do_open, h);
}

static void head_crash(struct head *h)
{
    if (!sim_up(h->m))
        return;
    sim_crash(h->m);
    h->raft = NULL;
    w.n_crashes++;
    for (uint64_t i = 0; i < w.n_ops; i++)       /* whoever asked is gone, too */
        if (w.op[i].head == h->n)
            w.op[i].out = false;
    for (unsigned i = 0; i < ARRAY_LEN(w.ask); i++)
        if (w.ask[i].head == h->n)
            w.ask[i].out = false;
}

static void op_on_failed(struct raft_proposal *p, int err)
{
    struct op *o = container_of(p, struct op, p);

    if (!o->out)
        broken("a proposal ends twice", o->id, (uint64_t)-err);
    o->out = false;
    o->result = err;
}

static void head_do_propose(void *arg)
{
    struct head *h = arg;
    static char text[600];
    struct op *o = &w.op[w.n_ops++];

    *o = (struct op){ .id = w.n_ops, .head = h->n, .out = true };
    o->p.failed = op_on_failed;
    memcpy(text, &o->id, 8);
    raft_propose(h->raft, &o->p, str_make(text, 8 + sim_below(w.sim, 500)));
}

static void ask_on_done(struct raft_read *r, int err)
{
    struct ask *a = container_of(r, struct ask, r);

    if (!a->out)
        broken("a read ends twice", a->head, (uint64_t)-err);
    a->out = false;
    if (err != 0)
        return;
    w.n_reads++;
    if (w.head[a->head].applied < a->floor)
        broken("a read is older than what was acknowledged before it", w.head[a->head].applied, a->floor);
}

static void head_do_read(void *arg)
{
    struct head *h = arg;

    if (raft_read_now(h->raft)) {
        w.n_now++;
        if (h->applied < w.acked_index)
            broken("a lease read is older than what was acknowledged", h->applied, w.acked_index);
    }
    for (unsigned i = 0; i < ARRAY_LEN(w.ask); i++) {
        if (w.ask[i].out)
            continue;
        w.ask[i] = (struct ask){ .head = h->n, .floor = w.acked_index, .out = true };
        w.ask[i].r.done = ask_on_done;
        raft_read(h->raft, &w.ask[i].r);
        return;
    }
}

static void transfer_on_done(struct raft_change *c, int err, const char *reason, uint64_t id) { container_of(c, struct head, transfer)->transferring = false; }

static void head_do_transfer(void *arg)
{
    struct head *h = arg;
    struct raft_change_spec s = { .op = RAFT_TRANSFER };

    if (h->transferring)
        return;
    h->transferring = true;
    h->transfer.done = transfer_on_done;
    raft_change(h->raft, &h->transfer, &s);
}

/* ---- The dice -------------------------------------------------------------------------------------- */

static void chaos_net(void)
{
    struct sim_net_opts calm = { .delay_min_ns = 50000, .delay_max_ns = 500000 };
    struct sim_net_opts o = { .delay_min_ns = 50000, .delay_max_ns = 1000000 + sim_below(w.sim, 30000000),
                              .drop_per_million = (unsigned)sim_below(w.sim, 20000), .cut = sim_below(w.sim, 2) };
    unsigned a = (unsigned)sim_below(w.sim, HEADS), b = (unsigned)sim_below(w.sim, HEADS);

    if (sim_below(w.sim, 3) == 0) {
        sim_net_heal(w.sim);
        return;
    }
    (void)calm;
    if (a != b)
        sim_net_link(w.sim, w.head[a].m, w.head[b].m, &o);
    if (a != b && sim_below(w.sim, 2))
        sim_net_link(w.sim, w.head[b].m, w.head[a].m, &o);
}

static void chaos_disk(struct head *h)
{
    struct sim_disk_opts o = { .op_min_ns = 20000, .op_max_ns = 1000000 + sim_below(w.sim, 40000000) };

    if (sim_below(w.sim, 6) == 0)
        o.fail_per_million = 5000;
    if (sim_below(w.sim, 8) == 0)
        o.capacity = 300000;
    if (sim_below(w.sim, 8) == 0)
        o.stuck = true;
    sim_disk(h->m, &o);
}

static void chaos(void)
{
    struct head *h = &w.head[sim_below(w.sim, HEADS)];

    switch (sim_below(w.sim, 40)) {
    case 0: head_crash(h); break;
    case 1: case 2: case 3:
        if (!sim_up(h->m))
            head_boot(h);
        break;
    case 4: chaos_net(); break;
    case 5: chaos_disk(h); break;
    case 6:
        if (h->raft != NULL)
            sim_do(h->m, head_do_transfer, h);
        break;
    case 7:
        if (sim_below(w.sim, 10) == 0)           /* power cut */
            for (unsigned i = 0; i < HEADS; i++)
                head_crash(&w.head[i]);
        break;
    default:
        if (h->raft != NULL && w.n_ops < OPS)
            sim_do(h->m, sim_below(w.sim, 3) ? head_do_propose : head_do_read, h);
        break;
    }
}

/* ---- Peace ----------------------------------------------------------------------------------------- */

static bool heads_agree(void)
{
    for (unsigned i = 1; i < HEADS; i++)
        if (w.head[i].n_ids != w.head[0].n_ids || w.head[i].applied != w.head[0].applied
            || memcmp(w.head[i].id, w.head[0].id, w.head[0].n_ids * sizeof(uint32_t)) != 0)
            return false;
    return true;
}

static void check_all_there(void)
{
    static uint8_t seen[OPS + 1];

    memset(seen, 0, sizeof(seen));
    for (uint64_t i = 0; i < w.head[0].n_ids; i++) {
        uint32_t id = w.head[0].id[i];
        if (id == 0 || id > OPS || seen[id])
            broken("applied twice", id, i);
        else
            seen[id] = 1;
    }
    for (uint64_t i = 0; i < w.n_ops; i++) {
        if (w.op[i].acked && !seen[w.op[i].id])
            broken("acknowledged, but gone", w.op[i].id, 0);
        if (seen[w.op[i].id] && !w.op[i].acked && (w.op[i].result == E_NOLEADER || w.op[i].result == E_FULL))
            broken("refused for certain, but there", w.op[i].id, (uint64_t)-w.op[i].result);
        if (w.op[i].out)
            broken("never answered", w.op[i].id, w.op[i].head);
    }
}

static void peace(void)
{
    sim_net_heal(w.sim);
    for (unsigned i = 0; i < HEADS; i++) {
        head_crash(&w.head[i]);                  /* also those whose disk had failed */
        head_boot(&w.head[i]);
    }
    if (w.head[0].boot_failed || w.head[1].boot_failed || w.head[2].boot_failed)
        return;
    sim_run_for(w.sim, 4000000000u);
    uint64_t acked = w.n_acked;
    for (unsigned i = 0; i < HEADS; i++)
        sim_do(w.head[i].m, head_do_propose, &w.head[i]);
    sim_run_for(w.sim, 8000000000u);
    if (w.n_acked != acked + HEADS)
        broken("in peace a proposal is not answered", w.n_acked, acked);
    if (!heads_agree())
        broken("in peace the heads do not agree", w.head[0].applied, w.head[1].applied);
    check_all_there();
}

static void life(uint64_t seed)
{
    struct sim_net_opts net = { .delay_min_ns = 50000, .delay_max_ns = 500000 };
    static const char *const name[HEADS] = { "h1", "h2", "h3" }, *const addr[HEADS] = { "h1:2380", "h2:2380", "h3:2380" };

    memset(&w, 0, sizeof(w));
    w.seed = seed;
    w.sim = sim_new(seed);
    sim_net_default(w.sim, &net);
    for (unsigned i = 0; i < HEADS; i++) {
        w.head[i].n = i;
        w.head[i].m = sim_machine_new(w.sim, name[i]);
        w.peer[i] = (struct raft_peer_opts){ i + 1, addr[i] };
    }
    for (unsigned i = 0; i < HEADS; i++)
        head_boot(&w.head[i]);
    sim_run_for(w.sim, 1000000000);
    for (unsigned i = 0; i < 1500; i++) {
        chaos();
        sim_run_for(w.sim, sim_below(w.sim, 12000000));
    }
    peace();
    for (unsigned i = 0; i < HEADS; i++)
        head_crash(&w.head[i]);
    sim_free(w.sim);
}

TEST(worlds)
{
    const char *one = getenv("SEED"), *many = getenv("SEEDS");
    uint64_t first = one != NULL ? strtoull(one, NULL, 0) : 1;
    uint64_t n = one != NULL ? 1 : many != NULL ? strtoull(many, NULL, 0) : 40;
    uint64_t acked = 0, ops = 0, reads = 0, now = 0, crashes = 0, restores = 0;
    enum log_level before = log_level;

    log_level = one != NULL ? LOG_DEBUG : (enum log_level)-1;   /* failing disks are the point here */
    for (uint64_t seed = first; seed < first + n; seed++) {
        life(seed);
        acked += w.n_acked;
        ops += w.n_ops;
        reads += w.n_reads;
        now += w.n_now;
        crashes += w.n_crashes;
        restores += w.n_restores;
    }
    log_level = before;
    printf("  %llu worlds: %llu of %llu proposals acknowledged, %llu reads, %llu by lease, %llu crashes, %llu restores\n",
           (unsigned long long)n, (unsigned long long)acked, (unsigned long long)ops, (unsigned long long)reads,
           (unsigned long long)now, (unsigned long long)crashes, (unsigned long long)restores);
    CHECK(acked > 100 * n);
    CHECK(one != NULL || (reads > 20 * n && now > 10 * n && crashes > 5 * n && restores > n));
}
