/* test/raft/heads.h: three real hosts in one real loop, with a small state machine, for tests of raft.h. */
#ifndef TEST_RAFT_HEADS_H
#define TEST_RAFT_HEADS_H

#include <stdlib.h>
#include <unistd.h>
#include "net/log.h"
#include "raft/limits.h"
#include "raft/raft.h"
#include "test/test.h"

#define HEADS_MAX 6

/* State: how many commands, a hash over all of them, and ballast to make snapshots large. */
struct head {
    struct group *g;
    unsigned n;
    struct disk *disk;
    struct raft *raft;
    uint64_t count, hash, ballast;
    uint64_t applied, restores;
    bool leading, closed, join;                  /* join: was not there from the start */
    unsigned removed;
    struct { uint64_t count, hash; size_t at; char *bytes; size_t n; } in;
};

struct group {
    struct loop *loop;
    unsigned n, founders;
    struct head head[HEADS_MAX];
    char addr[HEADS_MAX][RAFT_MAX_HEADS * 16];
    char dir[HEADS_MAX][256];
    struct raft_peer_opts peer[HEADS_MAX];
    struct raft_opts base;
    size_t ballast;
    struct timer poll;
    bool (*until)(struct group *g);
    uint64_t deadline;
    bool timed_out;
};

static void head_apply(void *arg, uint64_t index, struct str command, struct raft_proposal *local);
static void (*head_on_local)(struct head *h, uint64_t index, struct raft_proposal *p);

static void head_apply(void *arg, uint64_t index, struct str command, struct raft_proposal *local)
{
    struct head *h = arg;

    if (index <= h->applied)
        test_fail(__FILE__, __LINE__, "index went back");
    h->applied = index;
    h->count++;
    for (size_t i = 0; i < command.n && i < 16; i++)
        h->hash = (h->hash ^ (unsigned char)command.p[i]) * 0x100000001b3ull;
    if (local != NULL && head_on_local != NULL)
        head_on_local(h, index, local);
}

struct head_reader { uint64_t v[2]; size_t at, total; };

static void *head_snapshot_open(void *arg)
{
    struct head *h = arg;
    struct head_reader *r = mem_new(struct head_reader);

    r->v[0] = h->count;
    r->v[1] = h->hash;
    r->total = 16 + h->ballast;
    return r;
}

static size_t head_snapshot_read(void *arg, void *reader, char *buf, size_t cap)
{
    struct head_reader *r = reader;
    size_t n = MIN_OF(cap, r->total - r->at);

    memset(buf, 'b', n);
    if (r->at == 0)
        memcpy(buf, r->v, 16);
    r->at += n;
    return n;
}

static void head_snapshot_close(void *arg, void *reader) { mem_free(reader); }

static void head_restore_begin(void *arg)
{
    struct head *h = arg;

    memset(&h->in, 0, sizeof(h->in));
}

static int head_restore_data(void *arg, struct str data)
{
    struct head *h = arg;

    if (h->in.at == 0) {
        if (data.n < 16)
            return E_CORRUPT;
        memcpy(&h->in.count, data.p, 8);
        memcpy(&h->in.hash, data.p + 8, 8);
    }
    for (size_t i = h->in.at == 0 ? 16 : 0; i < data.n; i++)
        if (data.p[i] != 'b')
            return E_CORRUPT;
    h->in.at += data.n;
    return 0;
}

static int head_restore_end(void *arg, bool ok)
{
    struct head *h = arg;

    if (!ok)
        return 0;
    h->count = h->in.count;
    h->hash = h->in.hash;
    h->restores++;
    return 0;
}

static void head_leading(void *arg, bool leader) { ((struct head *)arg)->leading = leader; }
static void head_removed(void *arg) { ((struct head *)arg)->removed++; }

static int head_start_err(struct head *h, struct errbuf *err)
{
    struct group *g = h->g;
    struct raft_opts o = g->base;
    int rc;

    h->count = h->hash = h->applied = 0;
    h->leading = h->closed = false;
    h->ballast = g->ballast;
    rc = disk_open(g->loop, g->dir[h->n], &h->disk, err);
    if (rc != 0)
        return rc;
    o.loop = g->loop;
    o.disk = h->disk;
    o.id = h->n + 1;
    o.cluster = 0xc0ffee;
    o.heads = g->peer;
    o.n_heads = h->join ? 0 : g->founders;
    o.join = h->join;
    o.listen_addr = g->addr[h->n];
    o.fsm = (struct raft_fsm){ head_apply, NULL, head_snapshot_open, head_snapshot_read, head_snapshot_close,
                               head_restore_begin, head_restore_data, head_restore_end, head_leading, head_removed, h };
    return raft_open(&o, &h->raft, err);
}

static void head_start(struct head *h)
{
    struct errbuf err = { { 0 } };

    if (head_start_err(h, &err) != 0) {
        test_fail(__FILE__, __LINE__, "head %u: %s", h->n + 1, err.s);
        abort();
    }
}

/* A head that was not there from the start: it starts empty and waits to be called. */
static inline struct head *group_add(struct group *g)
{
    struct head *h = &g->head[g->n++];

    h->join = true;
    return h;
}

static void group_on_poll(struct timer *t)
{
    struct group *g = container_of(t, struct group, poll);

    g->timed_out = loop_now_ms(g->loop) > g->deadline;
    if (g->timed_out || g->until(g))
        loop_stop(g->loop);
    else
        timer_start(t, 1);
}

/* Run the loop until the condition holds; false after `ms`. */
static bool group_run(struct group *g, bool (*until)(struct group *g), uint64_t ms)
{
    g->until = until;
    g->deadline = loop_now_ms(g->loop) + ms;
    timer_start(&g->poll, 0);
    loop_run(g->loop);
    return !g->timed_out;
}

/* One change of the membership or handover at a time. */
struct asked { struct raft_change c; bool out; int err; uint64_t id; char reason[256]; };
static struct asked asked;

static void asked_on_done(struct raft_change *c, int err, const char *reason, uint64_t id)
{
    asked.out = false;
    asked.err = err;
    asked.id = id;
    snprintf(asked.reason, sizeof(asked.reason), "%s", reason);
}

static inline bool asked_is_done(struct group *g) { return !asked.out; }

static inline void group_ask(struct head *h, struct raft_change_spec s)
{
    asked = (struct asked){ .out = true };
    asked.c.done = asked_on_done;
    raft_change(h->raft, &asked.c, &s);
}

/* The outcome; the id it was about in asked.id. */
static inline int group_change(struct head *h, struct raft_change_spec s)
{
    group_ask(h, s);
    return group_run(h->g, asked_is_done, 12000) ? asked.err : E_TIMEOUT;
}

static void head_on_closed(void *arg) { ((struct head *)arg)->closed = true; }

static bool group_all_closed(struct group *g)
{
    for (unsigned i = 0; i < g->n; i++)
        if (g->head[i].raft != NULL && !g->head[i].closed && g->head[i].disk == NULL)
            return false;
    return true;
}

static struct head *closing_head;
static bool head_is_closed(struct group *g) { return closing_head->closed; }

static void head_stop(struct head *h)
{
    if (h->raft == NULL)
        return;
    raft_close(h->raft, head_on_closed, h);
    closing_head = h;
    if (!group_run(h->g, head_is_closed, 5000))
        test_fail(__FILE__, __LINE__, "head %u does not close", h->n + 1);
    disk_close(h->disk);
    h->raft = NULL;
    h->disk = NULL;
    h->leading = false;
}

static struct head *group_leader(struct group *g)
{
    for (unsigned i = 0; i < g->n; i++)
        if (g->head[i].raft != NULL && g->head[i].leading)
            return &g->head[i];
    return NULL;
}

static bool group_has_leader(struct group *g) { return group_leader(g) != NULL; }

static struct group *group_new(unsigned n, const struct raft_opts *base, size_t ballast)
{
    static unsigned no;
    struct group *g = mem_new(struct group);
    const char *dir = test_dir();

    g->loop = loop_new_real();
    g->n = g->founders = n;
    g->base = *base;
    g->ballast = ballast;
    no++;
    timer_init(&g->poll, g->loop, group_on_poll);
    for (unsigned i = 0; i < HEADS_MAX; i++) {
        g->head[i].g = g;
        g->head[i].n = i;
        snprintf(g->addr[i], sizeof(g->addr[i]), "unix:%s/g%u-%u.sock", dir, no, i);
        snprintf(g->dir[i], sizeof(g->dir[i]), "%s/g%u-%u", dir, no, i);
        g->peer[i] = (struct raft_peer_opts){ i + 1, g->addr[i] };
    }
    return g;
}

static void group_free(struct group *g)
{
    for (unsigned i = 0; i < g->n; i++)
        head_stop(&g->head[i]);
    group_run(g, group_all_closed, 100);
    loop_free(g->loop);
    mem_free(g);
}

#endif
