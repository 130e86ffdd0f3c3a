/* store/etcd/etcd_txn.c: see etcd_txn.h: from the request to the store's transaction. */
#include "store/etcd/etcd_txn.h"
#include "store/etcd/etcd_found.h"
#include "store/limits.h"

static struct etcd_who who_of(const struct etcd_txn_job *j)
{
    return (struct etcd_who){ j->c->e, j->c->admin };
}

/* ---- compares ------------------------------------------------------------------------------------- */

enum { TARGET_VERSION, TARGET_CREATE, TARGET_MOD, TARGET_VALUE, TARGET_LEASE, TARGETS };
enum { RESULT_EQUAL, RESULT_GREATER, RESULT_LESS, RESULT_NOT_EQUAL, RESULTS };

static const enum store_relation relations[RESULTS] = { STORE_EQ, STORE_GT, STORE_LT, STORE_NE };
static const struct { enum store_target target; uint32_t which; size_t at; } targets[TARGETS] = {
    [TARGET_VERSION] = { STORE_VERSION, 4, offsetof(struct etcd_compare, version) },
    [TARGET_CREATE]  = { STORE_CREATE, 5, offsetof(struct etcd_compare, create_revision) },
    [TARGET_MOD]     = { STORE_MOD, 6, offsetof(struct etcd_compare, mod_revision) },
    [TARGET_LEASE]   = { STORE_LEASE, 8, offsetof(struct etcd_compare, lease) },
};

static void build_number(struct store_txn *t, const struct etcd_compare *c, const struct store_range *keys)
{
    const char *field = (const char *)c + targets[c->target].at;
    int64_t  v = c->which == targets[c->target].which ? *(const int64_t *)(const void *)field : 0;
    uint64_t number = (uint64_t)v;
    enum store_relation rel = relations[c->result];

    if (v < 0 && c->target != TARGET_LEASE) {    /* every number of a key is above it */
        number = rel == STORE_EQ || rel == STORE_LT ? 0 : UINT64_MAX;
        rel = number == 0 ? STORE_LT : STORE_NE;
    }
    if (c->range_end.n > 0)
        store_txn_if_range(t, *keys, targets[c->target].target, rel, number);
    else
        store_txn_if(t, keys->from, targets[c->target].target, rel, number);
}

static enum etcd_error build_compare(struct etcd_txn_job *j, struct store_txn *t,
                                     const struct etcd_compare *c)
{
    struct store_range keys;
    enum etcd_error err = etcd_map(who_of(j), &j->c->arena, c->key, c->range_end, false, &keys);
    struct str value = c->which == 7 ? c->value : STR_NONE;

    if (err != ETCD_OK)
        return err;
    if (c->target < 0 || c->target >= TARGETS || c->result < 0 || c->result >= RESULTS)
        return ETCD_MALFORMED;
    if (c->target != TARGET_VALUE)
        build_number(t, c, &keys);
    else if (c->range_end.n > 0)
        store_txn_if_range_value(t, keys, relations[c->result], value);
    else
        store_txn_if_value(t, keys.from, relations[c->result], value);
    return ETCD_OK;
}

/* ---- operations ----------------------------------------------------------------------------------- */

static enum etcd_error build_txn(struct etcd_txn_job *j, struct store_txn *t, struct etcd_txn *r,
                                 unsigned room,
                                 unsigned depth);

static enum etcd_error build_put(struct etcd_txn_job *j, struct store_txn *t, const struct etcd_put *p)
{
    unsigned keep = (p->ignore_value ? STORE_KEEP_VALUE : 0) | (p->ignore_lease ? STORE_KEEP_LEASE : 0);
    struct store_range keys;
    enum etcd_error err;

    if (p->key.n == 0)
        return ETCD_EMPTY_KEY;
    if (p->ignore_value && p->value.n > 0)
        return ETCD_VALUE_PROVIDED;
    if (p->ignore_lease && p->lease != 0)
        return ETCD_LEASE_PROVIDED;
    if ((err = etcd_map(who_of(j), &j->c->arena, p->key, STR_NONE, true, &keys)) != ETCD_OK)
        return err;
    if (keep != 0)
        store_txn_put_keep(t, keys.from, p->value, (uint64_t)p->lease, keep);
    else
        store_txn_put(t, keys.from, p->value, STORE_NO_REV, 0, (uint64_t)p->lease);
    j->writes = j->puts = true;
    return ETCD_OK;
}

static enum etcd_error build_delete(struct etcd_txn_job *j, struct store_txn *t, const struct etcd_delete *d)
{
    struct store_range keys;
    enum etcd_error err = etcd_map(who_of(j), &j->c->arena, d->key, d->range_end, true, &keys);

    if (err != ETCD_OK)
        return err;
    if (d->range_end.n == 0)
        store_txn_delete(t, keys.from, STR_NONE, STORE_NO_REV);
    else if (d->prev_kv)
        store_txn_take_range(t, keys.from, keys.to);
    else
        store_txn_delete_range(t, keys.from, keys.to);
    j->writes = true;
    return ETCD_OK;
}

/* A range of the past is read from a view that is pinned now; the transaction only keeps its place. */
static enum etcd_error build_range(struct etcd_txn_job *j, struct store_txn *t, struct etcd_op *op)
{
    const struct etcd_range *r = op->range;
    struct etcd_found *f = op->found = arena_new(&j->c->arena, struct etcd_found);
    enum etcd_error err = etcd_map(who_of(j), &j->c->arena, r->key, r->range_end, false, &f->keys);
    bool count_only = r->count_only;

    if (err == ETCD_OK)
        err = etcd_range_check(r);
    if (err == ETCD_OK)
        err = etcd_view_at(j->c->e, r->revision, &f->view);
    if (err != ETCD_OK)
        return err;
    j->serializable &= r->serializable;
    if (f->view != NULL) {
        f->next = j->past;
        j->past = f;
        count_only = true;
        if (store_count(f->view, f->keys.from, f->keys.to) > STORE_MAX_TXN_READS)
            return ETCD_TOO_LARGE;
    }
    store_txn_range(t, f->keys.from, f->keys.to, r->limit > 0 && !etcd_range_whole(r) ? (uint64_t)r->limit
                    : 0, count_only);
    return ETCD_OK;
}

static enum etcd_error build_nested(struct etcd_txn_job *j, struct store_txn *t, struct etcd_txn *r,
                                    unsigned room,
                                    unsigned depth)
{
    struct store_txn inner;
    enum etcd_error  err;

    if (depth + 1 >= STORE_MAX_DEPTH)
        return ETCD_TOO_MANY_OPS;
    store_txn_init(&inner);
    err = build_txn(j, &inner, r, room, depth + 1);
    if (err == ETCD_OK)
        store_txn_nest(t, &inner);
    store_txn_release(&inner);
    return err;
}

static enum etcd_error build_op(struct etcd_txn_job *j, struct store_txn *t, struct etcd_op *op,
                                unsigned room,
                                unsigned depth)
{
    if (++j->n_ops > STORE_MAX_OPS)
        return ETCD_TOO_MANY_OPS;
    switch (op->which) {
    case OP_RANGE:  return build_range(j, t, op);
    case OP_PUT:    return build_put(j, t, op->put);
    case OP_DELETE: return build_delete(j, t, op->del);
    case OP_TXN:    return build_nested(j, t, op->txn, room, depth);
    default:        return ETCD_KEY_NOT_FOUND;   /* etcd's answer to an operation that is none */
    }
}

static enum etcd_error build_txn(struct etcd_txn_job *j, struct store_txn *t, struct etcd_txn *r,
                                 unsigned room,
                                 unsigned depth)
{
    struct etcd_compare *compare = r->compare.at;
    struct etcd_op *then = r->success.at, *orelse = r->failure.at;
    uint32_t most = MAX_OF(r->compare.n, MAX_OF(r->success.n, r->failure.n));
    enum etcd_error err = most > room ? ETCD_TOO_MANY_OPS : ETCD_OK;

    for (uint32_t i = 0; err == ETCD_OK && i < r->compare.n; i++)
        err = build_compare(j, t, &compare[i]);
    for (uint32_t i = 0; err == ETCD_OK && i < r->success.n; i++)
        err = build_op(j, t, &then[i], room - most, depth);
    if (err == ETCD_OK)
        store_txn_else(t);
    for (uint32_t i = 0; err == ETCD_OK && i < r->failure.n; i++)
        err = build_op(j, t, &orelse[i], room - most, depth);
    return err;
}

enum etcd_error etcd_txn_build(struct etcd_txn_job *j, struct store_txn *t)
{
    j->serializable = true;
    if (j->txn == NULL)
        return build_op(j, t, &j->one, 0, 0);
    return build_txn(j, t, j->txn, j->c->e->o.max_txn_ops, 0);
}

void etcd_txn_release(struct etcd_txn_job *j)
{
    for (; j->past != NULL; j->past = j->past->next)
        store_unpin(j->past->view);
}

/* ---- duplicates ----------------------------------------------------------------------------------- */

/* What the operations of one branch touch, nested ones included.  of: the nested transaction that a put came
 * from, if any: its puts were looked at within it, and those of its two branches never meet. */
struct touched_put { struct str key; const struct etcd_txn *of; };
struct touched {
    struct touched_put *put; size_t n_put;
    const struct etcd_delete **del; size_t n_del;
};

static bool deletes(const struct etcd_delete *d, struct str key)
{
    if (d->range_end.n == 0)
        return str_eq(d->key, key);
    /* etcd does not see that the byte 0 means "to the end" here, and lets it pass */
    return str_cmp(key, d->key) >= 0 && str_cmp(key, d->range_end) < 0;
}

static bool touch_put(struct touched *t, struct touched_put p)
{
    for (size_t i = 0; i < t->n_put; i++)
        if (str_eq(t->put[i].key, p.key) && (p.of == NULL || t->put[i].of != p.of))
            return false;
    for (size_t i = 0; i < t->n_del; i++)
        if (deletes(t->del[i], p.key))
            return false;
    t->put[t->n_put++] = p;
    return true;
}

static bool touch(struct etcd_txn_job *j, const struct pb_list *ops, struct touched *t);

/* The two branches of a nested transaction, one after the other. */
static bool touch_nested(struct etcd_txn_job *j, const struct etcd_txn *txn, struct touched *t)
{
    struct touched in[2] = { { NULL, 0, NULL, 0 }, { NULL, 0, NULL, 0 } };

    for (int branch = 0; branch < 2; branch++) {
        if (!touch(j, branch == 0 ? &txn->success : &txn->failure, &in[branch]))
            return false;
        for (size_t i = 0; i < in[branch].n_put; i++)
            if (!touch_put(t, (struct touched_put){ in[branch].put[i].key, txn }))
                return false;
    }
    for (int branch = 0; branch < 2; branch++)   /* what one deletes the other may put */
        for (size_t i = 0; i < in[branch].n_del; i++)
            t->del[t->n_del++] = in[branch].del[i];
    return true;
}

static bool touch(struct etcd_txn_job *j, const struct pb_list *ops, struct touched *t)
{
    const struct etcd_op *op = ops->at;

    if (ops->n == 0)
        return true;
    t->put = arena_alloc(&j->c->arena, j->n_ops * sizeof *t->put);
    t->del = arena_alloc(&j->c->arena, j->n_ops * sizeof *t->del);
    for (uint32_t i = 0; i < ops->n; i++)
        if (op[i].which == OP_DELETE)
            t->del[t->n_del++] = op[i].del;
    for (uint32_t i = 0; i < ops->n; i++)
        if (op[i].which == OP_TXN && !touch_nested(j, op[i].txn, t))
            return false;
    for (uint32_t i = 0; i < ops->n; i++)
        if (op[i].which == OP_PUT && !touch_put(t, (struct touched_put){ op[i].put->key, NULL }))
            return false;
    return true;
}

enum etcd_error etcd_txn_check(struct etcd_txn_job *j)
{
    struct touched then = { NULL, 0, NULL, 0 }, orelse = then;

    if (j->txn == NULL || !j->puts)
        return ETCD_OK;
    return touch(j, &j->txn->success, &then) && touch(j, &j->txn->failure, &orelse) ? ETCD_OK
        : ETCD_DUPLICATE_KEY;
}
