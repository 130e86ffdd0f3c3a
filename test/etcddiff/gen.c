/* test/etcddiff/gen.c: requests from dice: few keys, so that they meet; mostly sensible, now and then not. */
#include "test/etcddiff/diff.h"

#define TXN_DEPTH 2u                             /* of transactions in transactions */

uint64_t gen_below(struct gen *g, uint64_t n)
{
    uint64_t z = (g->dice += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return (z ^ (z >> 31)) % n;
}

static bool one_in(struct gen *g, unsigned n) { return gen_below(g, n) == 0; }

/* At most a dozen: so many etcd sorts stably. */
static struct str key(struct gen *g, struct arena *a)
{
    static const char *const names[] = { "a", "a/1", "a/2", "a/b/1", "b", "b/1", "c", "\xff", "\xff\xff" };

    if (one_in(g, 150))
        return STR_NONE;
    if (one_in(g, 3))
        return arena_fmt(a, "a/%d", (int)gen_below(g, 4));
    return str_of(names[gen_below(g, ARRAY_LEN(names))]);
}

static struct str prefix_end(struct arena *a, struct str k)
{
    struct str end = arena_str(a, k);

    if (end.n > 0)
        ((char *)(uintptr_t)end.p)[end.n - 1]++;
    return end;
}

/* None, a prefix, everything behind, or any other key: also one before. */
static struct str range_end(struct gen *g, struct arena *a, struct str k)
{
    switch (gen_below(g, 6)) {
    case 0:  return k.n > 0 && k.p[k.n - 1] != '\xff' ? prefix_end(a, k) : STR_NONE;
    case 1:  return (struct str){ "", 1 };
    case 2:  return key(g, a);
    default: return STR_NONE;
    }
}

static struct str value(struct gen *g, struct arena *a)
{
    return one_in(g, 12) ? STR_NONE : arena_fmt(a, "v%d", (int)gen_below(g, 9));
}

/* Zero, near the present, anywhere, or in the future. */
static int64_t revision(struct gen *g)
{
    switch (gen_below(g, 5)) {
    case 0:  return g->rev > 10 ? g->rev - (int64_t)gen_below(g, 10) : 1;
    case 1:  return (int64_t)gen_below(g, (uint64_t)g->rev + 1);
    case 2:  return one_in(g, 8) ? g->rev + 1 + (int64_t)gen_below(g, 5) : 0;
    default: return 0;
    }
}

static int64_t bound(struct gen *g) { return one_in(g, 6) ? (int64_t)gen_below(g, (uint64_t)g->rev + 2) : 0; }

static int64_t lease(struct gen *g) { return one_in(g, 4) ? 1 + (int64_t)gen_below(g, 5) : 0; }

/* past: it may name a revision.  Within a transaction it does not: there our heads refuse what is compacted or of
 * the future even in a branch that is not taken. */
static struct etcd_range *gen_range(struct gen *g, struct arena *a, bool past)
{
    struct etcd_range *r = arena_new(a, struct etcd_range);

    r->key = key(g, a);
    r->range_end = range_end(g, a, r->key);
    r->limit = one_in(g, 3) ? (int64_t)gen_below(g, 5) : 0;
    r->revision = past ? revision(g) : 0;
    r->sort_order = one_in(g, 2) ? (int64_t)gen_below(g, 3) : 0;
    r->sort_target = one_in(g, 2) ? (int64_t)gen_below(g, 5) : 0;
    if (r->sort_order == SORT_NONE && r->limit > 0)
        r->sort_target = SORT_KEY;               /* else etcd sorts the first few of all, not all */
    r->serializable = one_in(g, 3);
    r->keys_only = one_in(g, 5);
    r->count_only = one_in(g, 6);
    r->min_mod = bound(g);
    r->max_mod = bound(g);
    r->min_create = bound(g);
    r->max_create = bound(g);
    return r;
}

static struct etcd_put *gen_put(struct gen *g, struct arena *a)
{
    struct etcd_put *p = arena_new(a, struct etcd_put);

    p->key = key(g, a);
    p->value = value(g, a);
    p->lease = lease(g);
    p->prev_kv = one_in(g, 2);
    p->ignore_value = one_in(g, 12);
    p->ignore_lease = one_in(g, 12);
    if (p->ignore_value && !one_in(g, 5))
        p->value = STR_NONE;
    if (p->ignore_value || (p->ignore_lease && !one_in(g, 5)))
        p->lease = 0;                            /* (no key and no lease: which is missed first differs) */
    return p;
}

/* Not to the end of everything within a transaction: etcd does not see then that it meets a put of the same
 * transaction, and tells watches other previous values than ours. */
static struct etcd_delete *gen_delete(struct gen *g, struct arena *a, bool to_end)
{
    struct etcd_delete *d = arena_new(a, struct etcd_delete);

    d->key = key(g, a);
    d->range_end = one_in(g, 2) ? range_end(g, a, d->key) : STR_NONE;
    if (!to_end && d->range_end.n == 1 && d->range_end.p[0] == '\0')
        d->range_end = STR_NONE;
    d->prev_kv = one_in(g, 2);
    return d;
}

static void gen_compare(struct gen *g, struct arena *a, struct etcd_compare *c)
{
    int64_t n = one_in(g, 2) ? (int64_t)gen_below(g, 4) : revision(g);

    c->result = (int64_t)gen_below(g, 4);
    c->target = (int64_t)gen_below(g, 5);
    c->key = key(g, a);
    c->range_end = one_in(g, 4) ? range_end(g, a, c->key) : STR_NONE;
    /* the member that goes with the target: version, create, mod, value, lease */
    c->which = (uint32_t)(c->target + 4);
    c->version = c->create_revision = c->mod_revision = n;
    c->value = value(g, a);
    c->lease = lease(g);
}

static struct etcd_txn *gen_txn(struct gen *g, struct arena *a, unsigned depth);

/* Deletes only in the outermost: elsewhere they may meet a put of the same transaction, and then what watches are
 * told as the previous value differs. */
static void gen_op(struct gen *g, struct arena *a, struct etcd_op *op, unsigned depth)
{
    op->which = 1 + (uint32_t)gen_below(g, depth > 0 ? 4 : 3);
    if (op->which == OP_DELETE && depth < TXN_DEPTH)
        op->which = OP_PUT;
    switch (op->which) {
    case OP_RANGE:  op->range = gen_range(g, a, false); break;
    case OP_PUT:    op->put = gen_put(g, a); break;
    case OP_DELETE: op->del = gen_delete(g, a, false); break;
    default:        op->txn = gen_txn(g, a, depth - 1); break;
    }
}

static struct pb_list gen_ops(struct gen *g, struct arena *a, unsigned depth)
{
    uint32_t n = (uint32_t)gen_below(g, 4);
    struct etcd_op *op = arena_zalloc(a, 4 * sizeof *op);

    for (uint32_t i = 0; i < n; i++)
        gen_op(g, a, &op[i], depth);
    return (struct pb_list){ op, n, 4 };
}

static struct etcd_txn *gen_txn(struct gen *g, struct arena *a, unsigned depth)
{
    struct etcd_txn *t = arena_new(a, struct etcd_txn);
    struct etcd_compare *c = arena_zalloc(a, 3 * sizeof *c);
    uint32_t n = (uint32_t)gen_below(g, 3);

    for (uint32_t i = 0; i < n; i++)
        gen_compare(g, a, &c[i]);
    t->compare = (struct pb_list){ c, n, 3 };
    t->success = gen_ops(g, a, depth);
    t->failure = gen_ops(g, a, depth);
    return t;
}

static struct request gen_lease(struct gen *g, struct arena *a)
{
    struct etcd_lease_grant *grant = arena_new(a, struct etcd_lease_grant);
    struct etcd_lease_id    *id = arena_new(a, struct etcd_lease_id);

    grant->id = id->id = 1 + (int64_t)gen_below(g, 5);
    grant->ttl = 1000 + 100 * (int64_t)gen_below(g, 5);
    id->keys = one_in(g, 2);
    switch (gen_below(g, 6)) {
    case 0:  return (struct request){ "/etcdserverpb.Lease/LeaseRevoke", &etcd_lease_id_msg, id };
    case 1:
    case 2:  return (struct request){ "/etcdserverpb.Lease/LeaseTimeToLive", &etcd_lease_id_msg, id };
    case 3:  return (struct request){ "/etcdserverpb.Lease/LeaseLeases", &etcd_nothing_msg,
                                      arena_new(a, struct etcd_nothing) };
    default: return (struct request){ "/etcdserverpb.Lease/LeaseGrant", &etcd_lease_grant_msg, grant };
    }
}

static struct request gen_compact(struct gen *g, struct arena *a)
{
    struct etcd_compaction *c = arena_new(a, struct etcd_compaction);

    c->revision = one_in(g, 6) ? revision(g) : g->rev - (int64_t)gen_below(g, 30);
    c->revision = MAX_OF(c->revision, 1);        /* an etcd that was never compacted takes 0, once */
    c->physical = one_in(g, 2);
    return (struct request){ "/etcdserverpb.KV/Compact", &etcd_compaction_msg, c };
}

struct request gen_request(struct gen *g, struct arena *a)
{
    uint64_t which = gen_below(g, 100);

    if (which < 25)
        return (struct request){ "/etcdserverpb.KV/Put", &etcd_put_msg, gen_put(g, a) };
    if (which < 50)
        return (struct request){ "/etcdserverpb.KV/Range", &etcd_range_msg, gen_range(g, a, true) };
    if (which < 60)
        return (struct request){ "/etcdserverpb.KV/DeleteRange", &etcd_delete_msg, gen_delete(g, a, true) };
    if (which < 86)
        return (struct request){ "/etcdserverpb.KV/Txn", &etcd_txn_msg, gen_txn(g, a, TXN_DEPTH) };
    return which < 98 ? gen_lease(g, a) : gen_compact(g, a);
}

struct etcd_watch_request *gen_watch(struct gen *g, struct arena *a)
{
    struct etcd_watch_request *r = arena_new(a, struct etcd_watch_request);
    struct etcd_watch_create *c = arena_new(a, struct etcd_watch_create);
    struct etcd_watch_cancel *end = arena_new(a, struct etcd_watch_cancel);
    int64_t *filter = arena_zalloc(a, sizeof *filter);

    if (g->watches == WATCHES || (g->watches > 3 && one_in(g, 3))) {
        end->watch_id = (int64_t)gen_below(g, (uint64_t)g->watches);
        *r = (struct etcd_watch_request){ .which = WATCH_CANCEL, .cancel = end };
        return r;
    }
    g->watches++;
    do
        c->key = key(g, a);
    while (c->key.n == 0);
    c->range_end = range_end(g, a, c->key);
    c->start_revision = one_in(g, 2) ? revision(g) : 0;
    c->prev_kv = one_in(g, 2);
    *filter = (int64_t)gen_below(g, 2);
    if (one_in(g, 3))
        c->filters = (struct pb_list){ filter, 1, 1 };
    *r = (struct etcd_watch_request){ .which = WATCH_CREATE, .create = c };
    return r;
}
