/* test/raft/cluster.h: several raft cores in one process, in virtual time, under a seeded scheduler that
 * delays, drops, doubles and reorders messages, cuts links, pauses and crashes heads (losing what was not
 * durable) and lets disks and clocks run at different speeds.  After every step it checks what Raft
 * promises; the first broken promise is kept as text in `broken`.  It includes the core's sources, so that
 * bugs can be planted in them (raft/core_impl.h). */
#ifndef TEST_RAFT_CLUSTER_H
#define TEST_RAFT_CLUSTER_H

#define RAFT_BUGS
#include "raft/config.c"
#include "raft/config_change.c"
#include "raft/config_log.c"
#include "raft/trail.c"
#include "raft/progress.c"
#include "raft/core.c"
#include "raft/core_check.c"
#include "raft/election.c"
#include "raft/replication.c"
#include "raft/commit.c"
#include "raft/read_index.c"
#include "raft/transfer.c"
#include "raft/doubt.c"
#include "raft/change.c"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MS          1000000ull
#define NODES       9                            /* the first few are members from the start, others are added later */
#define LOG_MAX     4096
#define QUEUE_MAX   8192
#define INDEX_MAX   20000
#define ENTRY_BYTES (150u << 10)                 /* as told to flow control: a few entries fill a message */

#define CONFIG_BIT  (1ull << 63)                 /* a value that is the number of a configuration */
#define CONFIGS     1024
struct cell { uint64_t term, value; };
struct image { uint64_t index, term, hash; struct raft_config config; };       /* a snapshot */
struct store_log { uint64_t first; size_t n; struct cell at[LOG_MAX]; };   /* entries first ... first + n - 1 */

struct node {
    uint64_t id;
    bool     up, added;                          /* added: a member once */
    uint64_t paused_until;
    struct raft_core core;
    struct store_log log;
    struct image image;                          /* newest snapshot, always durable */
    uint64_t applied, hash;
    double   rate;
    uint64_t skew;
    /* Disk: what a crash leaves; and the one write under way. */
    struct store_log disk;
    uint64_t disk_term, disk_vote;
    bool     ever;
    bool     writing;
    uint64_t write_no, written_gen, dirty_from, disk_min, disk_max;
    struct { struct raft_mark mark; uint64_t term, vote, from; size_t n; struct cell at[LOG_MAX]; } write;
    uint64_t tick_at;
    bool     chunk_busy;
};

enum what { W_DELIVER, W_DISK, W_TICK, W_CLIENT, W_CHAOS, W_UNPAUSE };
struct happening {
    uint64_t at, no;
    enum what what;
    unsigned node;
    uint64_t arg;
    struct raft_message m;
    struct raft_entry *entry;                    /* copied entries of m, freed with it */
    struct image image;
};

struct read_rec { uint64_t ctx, floor; unsigned node; bool open; };

struct cluster {
    uint64_t rng, now, no;
    unsigned n, members;                         /* heads; of those, members from the start */
    struct blob *config[CONFIGS]; unsigned configs;
    bool     changes;                            /* the dice change the membership */
    struct node node[NODES];
    struct happening *queue[QUEUE_MAX]; size_t queue_n;
    unsigned drop, dup, slow;                    /* per 1000 */
    uint64_t delay_min, delay_max;
    bool     cut[NODES][NODES];
    struct cell settled[INDEX_MAX];              /* what any head ever applied */
    uint64_t settled_hash[INDEX_MAX], settled_in[INDEX_MAX], settled_n;     /* in: a term by which it was committed */
    uint64_t leader_of[4096];                    /* by term */
    struct read_rec read[256]; unsigned read_next;
    uint64_t next_value, next_ctx, committed_values, reads_ok, lease_reads, elections, snapshots, restarts, refusals, changed, hindered;
    unsigned bugs;
    bool     chaos, quiet;
    char     broken[256];
    char     trace[8192]; size_t trace_n; bool tracing;
};

static inline uint64_t cl_random(struct cluster *cl, uint64_t below)
{
    cl->rng ^= cl->rng << 13;
    cl->rng ^= cl->rng >> 7;
    cl->rng ^= cl->rng << 17;
    return below > 0 ? (cl->rng >> 11) % below : 0;
}

static inline bool cl_chance(struct cluster *cl, unsigned per_mille) { return cl_random(cl, 1000) < per_mille; }

static PRINTF_LIKE(2, 3) void cl_break(struct cluster *cl, const char *fmt, ...)
{
    va_list ap;

    if (cl->broken[0] != '\0')
        return;
    va_start(ap, fmt);
    vsnprintf(cl->broken, sizeof(cl->broken), fmt, ap);
    va_end(ap);
}

static PRINTF_LIKE(2, 3) void cl_trace(struct cluster *cl, const char *fmt, ...)
{
    va_list ap;

    if (!cl->tracing || cl->trace_n + 128 > sizeof(cl->trace))
        return;
    va_start(ap, fmt);
    cl->trace_n += (size_t)vsnprintf(cl->trace + cl->trace_n, sizeof(cl->trace) - cl->trace_n, fmt, ap);
    va_end(ap);
}

/* ---- The queue of things to come: a heap by time, then by order of making ------------------------- */

static bool cl_before(const struct happening *a, const struct happening *b)
{
    return a->at != b->at ? a->at < b->at : a->no < b->no;
}

static struct happening *cl_post(struct cluster *cl, uint64_t at, enum what what, unsigned node)
{
    struct happening *h = calloc(1, sizeof(*h));
    size_t i = cl->queue_n++;

    if (cl->queue_n > QUEUE_MAX)
        abort();
    h->at = at;
    h->no = cl->no++;
    h->what = what;
    h->node = node;
    for (; i > 0 && cl_before(h, cl->queue[(i - 1) / 2]); i = (i - 1) / 2)
        cl->queue[i] = cl->queue[(i - 1) / 2];
    cl->queue[i] = h;
    return h;
}

static struct happening *cl_take(struct cluster *cl)
{
    struct happening *top = cl->queue[0], *last = cl->queue[--cl->queue_n];
    size_t i = 0;

    for (;;) {
        size_t kid = 2 * i + 1;
        if (kid >= cl->queue_n)
            break;
        if (kid + 1 < cl->queue_n && cl_before(cl->queue[kid + 1], cl->queue[kid]))
            kid++;
        if (!cl_before(cl->queue[kid], last))
            break;
        cl->queue[i] = cl->queue[kid];
        i = kid;
    }
    cl->queue[i] = last;
    return top;
}

static void cl_drop(struct happening *h)
{
    free(h->entry);
    free(h);
}

/* ---- Logs ----------------------------------------------------------------------------------------- */

static uint64_t log_last(const struct store_log *l) { return l->first + l->n - 1; }
static struct cell *log_at(struct store_log *l, uint64_t i)
{
    return i >= l->first && i < l->first + l->n ? &l->at[i - l->first] : NULL;
}

static void log_cut(struct store_log *l, uint64_t from)
{
    if (from < l->first)
        l->n = 0;
    else if (from < l->first + l->n)
        l->n = from - l->first;
}

static void log_forget(struct store_log *l, uint64_t upto)
{
    if (upto < l->first)
        return;
    uint64_t gone = MIN_OF(upto - l->first + 1, l->n);
    memmove(l->at, l->at + gone, (l->n - gone) * sizeof(l->at[0]));
    l->n -= gone;
    l->first = upto + 1;
}

static void log_add(struct store_log *l, struct cell c)
{
    if (l->n == LOG_MAX)
        abort();
    l->at[l->n++] = c;
}

/* Configurations stand in logs by number: equal bytes, equal number. */
static struct cell cell_of(struct cluster *cl, const struct raft_entry *e)
{
    unsigned i = 0;

    if (e->type != RAFT_ENTRY_CONFIG)
        return (struct cell){ e->term, (uintptr_t)e->p };
    while (i < cl->configs && !str_eq(blob_str(cl->config[i]), raft_entry_data(e)))
        i++;
    if (i == CONFIGS)
        abort();
    if (i == cl->configs)
        cl->config[cl->configs++] = blob_copy(raft_entry_data(e));
    return (struct cell){ e->term, CONFIG_BIT | i };
}

static struct raft_entry cell_entry(struct cluster *cl, const struct cell *c)
{
    struct blob *b = c->value & CONFIG_BIT ? cl->config[c->value & ~CONFIG_BIT] : NULL;

    if (b != NULL)
        return (struct raft_entry){ .term = c->term, .p = b->data, .len = b->len, .type = RAFT_ENTRY_CONFIG };
    return (struct raft_entry){ .term = c->term, .p = (char *)(uintptr_t)c->value, .type = RAFT_ENTRY_COMMAND };
}

static uint32_t node_entry_size(void *arg, uint64_t index)
{
    (void)arg;
    (void)index;
    return ENTRY_BYTES;
}

static uint64_t node_clock(const struct cluster *cl, const struct node *nd)
{
    return nd->skew + (uint64_t)((double)cl->now * nd->rate);
}

/* ---- Promises ------------------------------------------------------------------------------------- */

static bool cl_durable_by(struct cluster *cl, const struct raft_config *config, uint64_t index, uint64_t term)
{
    uint64_t has[RAFT_MAX_HEADS] = { 0 };

    for (unsigned i = 0; i < config->n; i++) {
        struct node *nd = &cl->node[config->head[i].id - 1];
        struct cell *c = log_at(&nd->disk, index);
        has[i] = nd->image.index >= index || (c != NULL && c->term == term);
    }
    return raft_config_quorum(config, has) == 1;
}

/* By the configuration in force where it stands, or by a later one: which of them its leader counted by is not
 * known here, but C_new may follow a joint one at once, and then that counts. */
static bool cl_durable_on(struct cluster *cl, const struct node *nd, uint64_t index, uint64_t term)
{
    const struct config_log *l = &nd->core.configs;
    bool durable = false;

    for (size_t i = 0; i < l->n && !durable; i++)
        if (l->at[i]->index >= raft_core_config(&nd->core, index)->index)
            durable = cl_durable_by(cl, l->at[i], index, term);
    return durable;
}

static void cl_check_settle(struct cluster *cl, struct node *nd, uint64_t index, struct cell c)
{
    if (index >= INDEX_MAX)
        abort();
    if (index > cl->settled_n) {
        if (index != cl->settled_n + 1)
            cl_break(cl, "head %llu applied %llu before anybody %llu", (unsigned long long)nd->id,
                     (unsigned long long)index, (unsigned long long)cl->settled_n + 1);
        if (!cl_durable_on(cl, nd, index, c.term))
            cl_break(cl, "entry %llu applied but not durable on a majority", (unsigned long long)index);
        cl->settled[index] = c;
        cl->settled_hash[index] = nd->hash;
        cl->settled_in[index] = nd->core.hard.term;
        cl->settled_n = index;
        cl->committed_values += c.value != 0 && !(c.value & CONFIG_BIT);
        cl->changed += (c.value & CONFIG_BIT) != 0;
    } else if (cl->settled[index].term != c.term || cl->settled[index].value != c.value) {
        cl_break(cl, "heads applied different entries at %llu", (unsigned long long)index);
    } else if (cl->settled_hash[index] != nd->hash) {
        cl_break(cl, "state differs at %llu", (unsigned long long)index);
    }
}

static void cl_check_leader(struct cluster *cl, struct node *nd)
{
    struct raft_core *c = &nd->core;
    uint64_t *of = &cl->leader_of[c->hard.term % 4096];

    if (*of != 0 && *of != nd->id)
        cl_break(cl, "two leaders in term %llu", (unsigned long long)c->hard.term);
    if (*of == 0)
        cl->elections++;
    else
        return;
    *of = nd->id;
    cl_trace(cl, "%llu leads term %llu\n", (unsigned long long)nd->id, (unsigned long long)c->hard.term);
    for (uint64_t i = MAX_OF(nd->image.index + 1, 1); i <= cl->settled_n; i++) {
        struct cell *e = log_at(&nd->log, i);
        if (cl->settled_in[i] >= c->hard.term)
            continue;                            /* a late winner of an old term need not have what came after it */
        if (e == NULL || e->term != cl->settled[i].term)
            cl_break(cl, "leader of term %llu lacks committed entry %llu", (unsigned long long)c->hard.term,
                     (unsigned long long)i);
    }
}

/* If two logs agree on the term at an index, they agree on everything before it. */
static void cl_check_matching(struct cluster *cl, struct node *a, struct node *b)
{
    uint64_t hi = MIN_OF(log_last(&a->log), log_last(&b->log)), lo = MAX_OF(a->log.first, b->log.first);
    bool     same = false;

    for (uint64_t i = hi; i >= lo && i > 0 && a->log.n > 0 && b->log.n > 0; i--) {
        struct cell *x = log_at(&a->log, i), *y = log_at(&b->log, i);
        if (x == NULL || y == NULL)
            break;
        if (same && (x->term != y->term || x->value != y->value))
            cl_break(cl, "logs of %llu and %llu differ at %llu but agree later", (unsigned long long)a->id,
                     (unsigned long long)b->id, (unsigned long long)i);
        same |= x->term == y->term;
    }
}

static void cl_check_all(struct cluster *cl)
{
    for (unsigned i = 0; i < cl->n; i++)
        for (unsigned j = i + 1; j < cl->n; j++)
            if (cl->node[i].up && cl->node[j].up)
                cl_check_matching(cl, &cl->node[i], &cl->node[j]);
}

/* ---- One head: duties ----------------------------------------------------------------------------- */

static void node_send(struct cluster *cl, struct node *nd, const struct raft_message *m)
{
    unsigned to = (unsigned)m->to - 1, copies = 1 + cl_chance(cl, cl->dup);

    if (cl->cut[nd->id - 1][to] || cl_chance(cl, cl->drop))
        return;
    while (copies-- > 0) {
        uint64_t delay = cl->delay_min + cl_random(cl, cl->delay_max - cl->delay_min + 1);
        if (cl_chance(cl, cl->slow))
            delay += cl_random(cl, 400 * MS);
        struct happening *h = cl_post(cl, cl->now + delay, W_DELIVER, to);
        h->m = *m;
        if (m->type == RAFT_MSG_CHUNK)
            h->image = nd->image;
        if (m->type != RAFT_MSG_APPEND)
            continue;
        h->entry = calloc(m->append.n + 1, sizeof(*h->entry));
        for (uint64_t i = 0; i < m->append.n; i++) {
            struct cell *c = log_at(&nd->log, m->append.prev_index + 1 + i);
            if (c == NULL)
                abort();
            h->entry[i] = cell_entry(cl, c);
        }
        h->m.append.entry = h->entry;
    }
}

static void node_write(struct cluster *cl, struct node *nd)
{
    struct raft_core *c = &nd->core;

    if (nd->writing || c->failed || (nd->written_gen == c->hard.gen && nd->dirty_from > log_last(&nd->log)
                                     && nd->dirty_from == UINT64_MAX))
        return;
    nd->writing = true;
    nd->write.mark = raft_core_mark(c);
    nd->write.term = c->hard.term;
    nd->write.vote = c->hard.vote;
    nd->write.from = MAX_OF(nd->dirty_from, nd->log.first);
    nd->write.n = 0;
    if (nd->dirty_from != UINT64_MAX)
        for (uint64_t i = nd->write.from; i <= log_last(&nd->log); i++)
            nd->write.at[nd->write.n++] = *log_at(&nd->log, i);
    else
        nd->write.from = UINT64_MAX;
    nd->written_gen = c->hard.gen;
    nd->dirty_from = UINT64_MAX;
    uint64_t took = nd->disk_min + cl_random(cl, nd->disk_max - nd->disk_min + 1);
    if (cl_chance(cl, cl->slow / 2))
        took += cl_random(cl, 300 * MS);
    cl_post(cl, cl->now + took, W_DISK, (unsigned)nd->id - 1)->arg = ++nd->write_no;
}

/* The write reached the platter: all of it, or (crash) the hard state and the first n entries. */
static void node_platter(struct node *nd, size_t n)
{
    nd->disk_term = nd->write.term;
    nd->disk_vote = nd->write.vote;
    nd->ever = true;
    if (nd->write.from == UINT64_MAX)
        return;
    log_cut(&nd->disk, MAX_OF(nd->write.from, nd->disk.first));
    for (size_t i = 0; i < n; i++)
        if (nd->write.from + i == nd->disk.first + nd->disk.n)
            log_add(&nd->disk, nd->write.at[i]);
}

static void node_apply(struct cluster *cl, struct node *nd)
{
    while (nd->applied < nd->core.commit) {
        struct cell *c = log_at(&nd->log, nd->applied + 1);
        if (c == NULL) {
            cl_break(cl, "committed entry %llu is not in the log", (unsigned long long)nd->applied + 1);
            return;
        }
        nd->applied++;
        nd->hash = (nd->hash ^ c->value ^ c->term) * 0x100000001b3ull;
        cl_check_settle(cl, nd, nd->applied, *c);
    }
}

static void node_reads(struct cluster *cl, struct node *nd)
{
    struct raft_read_done *r;
    size_t n = raft_core_reads(&nd->core, &r);

    for (size_t i = 0; i < n; i++) {
        struct read_rec *rec = &cl->read[r[i].ctx % 256];
        if (!rec->open || rec->ctx != r[i].ctx)
            continue;
        rec->open = false;
        if (r[i].err != 0)
            continue;
        cl->reads_ok++;
        if (r[i].index < rec->floor)
            cl_break(cl, "read at %llu is older than %llu, acknowledged before it", (unsigned long long)r[i].index,
                     (unsigned long long)rec->floor);
    }
    if (raft_core_lease(&nd->core, node_clock(cl, nd))) {
        cl->lease_reads++;
        if (nd->core.commit < cl->settled_n)
            cl_break(cl, "lease read at %llu is older than %llu", (unsigned long long)nd->core.commit,
                     (unsigned long long)cl->settled_n);
    }
}

static void node_log_duties(struct cluster *cl, struct node *nd, const struct raft_update *u)
{
    if (u->truncate > 0) {
        log_cut(&nd->log, u->truncate);
        nd->dirty_from = MIN_OF(nd->dirty_from, u->truncate);
    }
    if (u->n > 0)
        nd->dirty_from = MIN_OF(nd->dirty_from, u->first);
    for (size_t i = 0; i < u->n; i++)
        log_add(&nd->log, cell_of(cl, &u->entry[i]));
}

static void node_snapshots(struct cluster *cl, struct node *nd)
{
    struct raft_core *c = &nd->core;

    for (unsigned slot = 0; slot < c->config.n && c->role == RAFT_LEADER; slot++) {
        if (!(c->wants_snapshot & (1u << slot)))
            continue;
        c->wants_snapshot &= ~(1u << slot);
        struct raft_message m = { .type = RAFT_MSG_CHUNK, .from = nd->id, .to = c->config.head[slot].id,
                                  .term = c->hard.term };
        node_send(cl, nd, &m);
        struct raft_update  u;
        struct raft_event   e = { .type = RAFT_EV_SNAPSHOT_END, .now_ns = node_clock(cl, nd),
                                  .snapshot_end = { m.to, true } };
        if (cl_chance(cl, 300)) {                /* else it stays in SNAPSHOT until acknowledged or probed */
            raft_core_step(c, &e, &u);
            node_log_duties(cl, nd, &u);
        } else {
            cl_post(cl, cl->now + 50 * MS, W_UNPAUSE, (unsigned)nd->id - 1)->arg = m.to;
        }
    }
}

static void node_finish(struct cluster *cl, struct node *nd)
{
    struct raft_message *m;
    size_t n;

    n = raft_core_flush(&nd->core, node_clock(cl, nd), &m);
    for (size_t i = 0; i < n; i++)
        node_send(cl, nd, &m[i]);
    node_snapshots(cl, nd);
    node_write(cl, nd);
    node_apply(cl, nd);
    node_reads(cl, nd);
    raft_core_check(&nd->core);
    if (nd->core.role == RAFT_LEADER)
        cl_check_leader(cl, nd);
    uint64_t due = raft_core_due(&nd->core), now = node_clock(cl, nd);
    uint64_t wait = due > now ? (uint64_t)((double)(due - now) / nd->rate) + 1 : 1;
    if (due != UINT64_MAX && (nd->tick_at <= cl->now || nd->tick_at > cl->now + wait)) {
        nd->tick_at = cl->now + wait;
        cl_post(cl, nd->tick_at, W_TICK, (unsigned)nd->id - 1);
    }
}

static int node_step(struct cluster *cl, struct node *nd, struct raft_event e)
{
    struct raft_update u;

    e.now_ns = node_clock(cl, nd);
    int rc = raft_core_step(&nd->core, &e, &u);
    node_log_duties(cl, nd, &u);
    return u.chunk ? 1 : rc;
}

static void node_install(struct cluster *cl, struct node *nd, const struct image *im)
{
    if (im->index <= nd->core.commit || nd->core.role == RAFT_LEADER)
        return;
    cl->snapshots++;
    nd->image = *im;
    nd->applied = im->index;
    nd->hash = im->hash;
    bool keep = trail_term(&nd->core.trail, im->index) == im->term;
    if (keep) {
        log_forget(&nd->log, im->index);
        struct cell *c = log_at(&nd->disk, im->index);
        if (c != NULL && c->term == im->term)
            log_forget(&nd->disk, im->index);
        else
            nd->disk = (struct store_log){ .first = im->index + 1 };
        nd->dirty_from = im->index + 1;          /* what the disk lost by this is written again */
    } else {
        nd->log = (struct store_log){ .first = im->index + 1 };
        nd->disk = (struct store_log){ .first = im->index + 1 };
        nd->dirty_from = UINT64_MAX;
    }
    if (nd->writing)
        nd->write.n = 0;
    if (nd->writing && nd->write.from != UINT64_MAX)
        nd->write.from = UINT64_MAX;
    nd->write.mark.index = MIN_OF(nd->write.mark.index, im->index);
    struct raft_event e = { .type = RAFT_EV_INSTALLED,
                            .installed = { im->index, im->term, &im->config } };
    node_step(cl, nd, e);
}

/* ---- Life of a head ------------------------------------------------------------------------------- */

static struct raft_config cl_first_config(const struct cluster *cl)
{
    struct raft_config c = { .n = cl->members, .last_id = cl->members };

    for (unsigned i = 0; i < c.n; i++) {
        c.head[i] = (struct raft_head){ .id = i + 1, .parts = RAFT_VOTER };
        snprintf(c.head[i].addr, sizeof(c.head[i].addr), "h%u", i + 1);
    }
    return c;
}

static void node_boot(struct cluster *cl, struct node *nd)
{
    struct raft_core_opts o = {
        .id = nd->id, .seed = cl_random(cl, UINT64_MAX), .heartbeat_ns = 50 * MS, .election_min_ns = 200 * MS,
        .election_max_ns = 400 * MS, .max_uncommitted = 64 * ENTRY_BYTES, .term = nd->disk_term, .vote = nd->disk_vote,
        .commit = nd->image.index, .restarted = nd->ever, .entry_size = node_entry_size,
    };
    struct trail t;

    o.now_ns = node_clock(cl, nd);
    if (nd->image.index > 0)
        o.config = nd->image.config;
    else if (nd->id <= cl->members)
        o.config = cl_first_config(cl);
    nd->log = nd->disk;
    trail_init(&t, nd->image.index, nd->image.term);
    for (size_t i = 0; i < nd->log.n; i++)
        trail_append(&t, nd->log.at[i].term);
    raft_core_init(&nd->core, &o, &t);
    nd->core.bugs = cl->bugs;
    for (size_t i = 0; i < nd->log.n; i++) {
        struct raft_entry e = cell_entry(cl, &nd->log.at[i]);
        if (e.type == RAFT_ENTRY_CONFIG)
            raft_core_adopt(&nd->core, nd->log.first + i, &e);
    }
    nd->applied = nd->image.index;
    nd->hash = nd->image.hash;
    nd->up = nd->added = true;
    nd->writing = false;
    nd->write_no++;
    nd->written_gen = 0;
    nd->dirty_from = UINT64_MAX;
    nd->paused_until = 0;
    nd->tick_at = 0;
    node_finish(cl, nd);
}

static void node_crash(struct cluster *cl, struct node *nd)
{
    if (!nd->up)
        return;
    if (nd->writing && cl_chance(cl, 600))
        node_platter(nd, cl_random(cl, nd->write.n + 1));
    raft_core_release(&nd->core);
    nd->up = false;
    nd->writing = false;
    nd->write_no++;
    cl->restarts++;
}

static void node_compact(struct cluster *cl, struct node *nd)
{
    struct raft_event e = { .type = RAFT_EV_COMPACT };

    if (nd->writing || nd->dirty_from != UINT64_MAX || nd->applied <= nd->image.index)
        return;
    if (nd->core.durable < nd->applied || log_last(&nd->disk) < nd->applied)
        return;
    nd->image = (struct image){ nd->applied, trail_term(&nd->core.trail, nd->applied), nd->hash,
                                *raft_core_config(&nd->core, nd->applied) };
    e.compact_upto = nd->applied;
    node_step(cl, nd, e);
    log_forget(&nd->log, nd->applied);
    log_forget(&nd->disk, nd->applied);
}

static struct node *cl_leader(struct cluster *cl)
{
    struct node *best = NULL;

    for (unsigned i = 0; i < cl->n; i++)
        if (cl->node[i].up && cl->node[i].core.role == RAFT_LEADER
            && (best == NULL || cl->node[i].core.hard.term > best->core.hard.term))
            best = &cl->node[i];
    return best;
}

static int cl_propose(struct cluster *cl, struct node *nd, unsigned n)
{
    struct raft_entry entry[8] = { 0 };

    for (unsigned i = 0; i < n; i++)
        entry[i] = (struct raft_entry){ .p = (char *)(uintptr_t)++cl->next_value, .type = RAFT_ENTRY_COMMAND };
    int rc = node_step(cl, nd, (struct raft_event){ .type = RAFT_EV_PROPOSE, .propose = { entry, n } });
    node_finish(cl, nd);
    return rc;
}

static int cl_read(struct cluster *cl, struct node *nd)
{
    uint64_t ctx = ++cl->next_ctx;

    cl->read[ctx % 256] = (struct read_rec){ ctx, cl->settled_n, (unsigned)nd->id - 1, true };
    int rc = node_step(cl, nd, (struct raft_event){ .type = RAFT_EV_READ, .read_ctx = ctx });
    node_finish(cl, nd);
    return rc;
}

static int cl_change(struct cluster *cl, struct node *nd, struct raft_change_spec spec, struct errbuf *why)
{
    int rc = node_step(cl, nd, (struct raft_event){ .type = RAFT_EV_CHANGE, .change = { &spec, why } });

    node_finish(cl, nd);
    return rc;
}

/* A new head: empty, it waits to be called. */
static int cl_add(struct cluster *cl, struct node *leader, struct errbuf *why)
{
    char addr[16];

    snprintf(addr, sizeof(addr), "h%llu", (unsigned long long)leader->core.config.last_id + 1);
    int rc = cl_change(cl, leader, (struct raft_change_spec){ .op = RAFT_ADD, .addr = addr }, why);
    if (rc == 0 && !cl->node[leader->core.config.last_id - 1].up)
        node_boot(cl, &cl->node[leader->core.config.last_id - 1]);
    return rc;
}

static struct cluster *cl_new(uint64_t seed, unsigned n)
{
    struct cluster *cl = calloc(1, sizeof(*cl));

    cl->rng = (seed + 1) * 0x9e3779b97f4a7c15ull;
    cl->now = 1000 * MS;
    cl->n = cl->members = n;
    cl->delay_min = MS / 10;
    cl->delay_max = MS;
    for (unsigned i = 0; i < NODES; i++) {
        struct node *nd = &cl->node[i];
        nd->id = i + 1;
        nd->rate = 1;
        nd->skew = cl_random(cl, 1000000 * MS);
        nd->disk_min = MS / 10;
        nd->disk_max = MS;
        nd->disk.first = 1;
    }
    return cl;
}

static void cl_boot(struct cluster *cl)
{
    for (unsigned i = 0; i < cl->members; i++)
        node_boot(cl, &cl->node[i]);
}

static void cl_free(struct cluster *cl)
{
    for (unsigned i = 0; i < cl->n; i++)
        if (cl->node[i].up)
            raft_core_release(&cl->node[i].core);
    for (size_t i = 0; i < cl->queue_n; i++)
        cl_drop(cl->queue[i]);
    for (unsigned i = 0; i < cl->configs; i++)
        blob_unref(cl->config[i]);
    free(cl);
}

/* ---- What the dice do ------------------------------------------------------------------------------ */

static void cl_client(struct cluster *cl)
{
    struct node *nd = &cl->node[cl_random(cl, cl->n)];

    cl_post(cl, cl->now + cl_random(cl, 20 * MS), W_CLIENT, 0);
    if (!nd->up || nd->paused_until > cl->now)
        return;
    if (nd->core.role == RAFT_LEADER && cl_chance(cl, 700))
        cl_propose(cl, nd, 1 + (unsigned)cl_random(cl, 4));
    else
        cl_read(cl, nd);
}

static void cl_chaos_cuts(struct cluster *cl)
{
    unsigned a = (unsigned)cl_random(cl, cl->n), b = (unsigned)cl_random(cl, cl->n);

    switch (cl_random(cl, 4)) {
    case 0: memset(cl->cut, 0, sizeof(cl->cut)); break;
    case 1: cl->cut[a][b] = a != b; break;       /* one direction only */
    case 2:
        for (unsigned i = 0; i < cl->n; i++)
            cl->cut[a][i] = cl->cut[i][a] = i != a;
        break;
    default:
        for (unsigned i = 0; i < cl->n; i++)
            for (unsigned j = 0; j < cl->n; j++)
                cl->cut[i][j] = (i % 2) != (j % 2);
        break;
    }
}

/* Whoever leads (or believes so) is asked for any change to anybody. */
static void cl_chaos_change(struct cluster *cl, struct node *nd)
{
    struct raft_change_spec s = { .op = RAFT_PROMOTE + (unsigned)cl_random(cl, 4), .id = 1 + cl_random(cl, cl->n),
                                  .by = 1 + cl_random(cl, cl->n) };

    if (!nd->up || nd->paused_until > cl->now || nd->core.role != RAFT_LEADER)
        return;
    if (nd->core.config.last_id < cl->n && cl_chance(cl, 300))
        cl_add(cl, nd, NULL);
    else if (cl_change(cl, nd, s, NULL) != 0)
        cl->hindered++;
}

static void cl_chaos(struct cluster *cl)
{
    struct node *nd = &cl->node[cl_random(cl, cl->n)];

    if (!cl->chaos)
        return;
    cl_post(cl, cl->now + cl_random(cl, 300 * MS), W_CHAOS, 0);
    for (unsigned i = 0; cl->changes && i < cl->n; i++)
        if (cl_chance(cl, 700))
            cl_chaos_change(cl, &cl->node[i]);
    switch (cl_random(cl, 9)) {
    case 0: case 1: node_crash(cl, nd); break;
    case 2: case 3:
        if (!nd->up && nd->added)
            node_boot(cl, nd);
        break;
    case 4: cl_chaos_cuts(cl); break;
    case 5:
        if (nd->up)
            nd->paused_until = cl->now + cl_random(cl, 1000 * MS);
        break;
    case 6:
        if (nd->up)
            node_compact(cl, nd);
        break;
    case 7:
        cl->drop = (unsigned)cl_random(cl, 200);
        cl->delay_max = cl->delay_min + cl_random(cl, 30 * MS);
        nd->disk_max = nd->disk_min + cl_random(cl, 60 * MS);
        break;
    case 8:
        if (nd->up && nd->core.role == RAFT_LEADER && nd->paused_until <= cl->now) {
            node_step(cl, nd, (struct raft_event){ .type = RAFT_EV_TRANSFER, .transfer_to = 0 });
            node_finish(cl, nd);
        }
        break;
    }
}

static void cl_on_disk(struct cluster *cl, struct node *nd, uint64_t no)
{
    if (!nd->writing || no != nd->write_no)
        return;                                  /* of before a crash */
    nd->writing = false;
    node_platter(nd, nd->write.n);
    node_step(cl, nd, (struct raft_event){ .type = RAFT_EV_DURABLE, .durable = nd->write.mark });
    node_finish(cl, nd);
}

static void cl_on_deliver(struct cluster *cl, struct node *nd, struct happening *h)
{
    if (cl->cut[h->m.from - 1][nd->id - 1])
        return;
    cl->refusals += h->m.type == RAFT_MSG_ACK && h->m.ack.reject;
    int rc = node_step(cl, nd, (struct raft_event){ .type = RAFT_EV_RECEIVE, .message = &h->m });
    if (rc == 1 && h->m.type == RAFT_MSG_CHUNK)
        node_install(cl, nd, &h->image);
    node_finish(cl, nd);
}

/* The next thing happens; false when there is none before `until`. */
static bool cl_step(struct cluster *cl, uint64_t until)
{
    if (cl->queue_n == 0 || cl->queue[0]->at > until)
        return false;
    struct happening *h = cl_take(cl);
    struct node *nd = &cl->node[h->node];

    cl->now = MAX_OF(cl->now, h->at);
    if (h->what == W_CLIENT) {
        cl_client(cl);
    } else if (h->what == W_CHAOS) {
        cl_chaos(cl);
    } else if (nd->up && nd->paused_until > cl->now) {
        struct happening *again = cl_post(cl, nd->paused_until, h->what, h->node);
        again->m = h->m;
        again->arg = h->arg;
        again->entry = h->entry;
        again->image = h->image;
        h->entry = NULL;
    } else if (nd->up) {
        switch (h->what) {
        case W_DELIVER: cl_on_deliver(cl, nd, h); break;
        case W_DISK:    cl_on_disk(cl, nd, h->arg); break;
        case W_UNPAUSE:
            node_step(cl, nd, (struct raft_event){ .type = RAFT_EV_SNAPSHOT_END, .snapshot_end = { h->arg, true } });
            node_finish(cl, nd);
            break;
        default:
            node_step(cl, nd, (struct raft_event){ .type = RAFT_EV_TICK });
            node_finish(cl, nd);
            break;
        }
    }
    cl_drop(h);
    return true;
}

static void cl_run(struct cluster *cl, uint64_t ns)
{
    uint64_t until = cl->now + ns, steps = 0;

    while (cl->broken[0] == '\0' && cl_step(cl, until))
        if (++steps % 64 == 0)
            cl_check_all(cl);
    cl->now = MAX_OF(cl->now, until);
}

#endif
