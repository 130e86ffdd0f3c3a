/* store/state.c: see state.h. */
#include <limits.h>
#include "raft/bugs.h"
#include "store/limits.h"
#include "store/state.h"
#include "store/txn.h"

/* One command being applied. */
struct apply {
    struct state *s;
    uint64_t rev;                                /* what this transaction gets if it changes something */
    uint64_t now_ns;
    bool     changed;
    struct arena *results;                       /* NULL: nobody asks */
    const struct way *way;
    unsigned nested;                             /* how many nested ones have been entered */
};

/* Which part of each nested transaction is done, in the order in which a walk meets them. */
struct way { bool then[TXN_MAX_WAY]; unsigned n; };

void state_init(struct state *s, uint64_t history_ns, uint64_t history_bytes)
{
    s->pool = BTREE_POOL_INIT;
    image_init(&s->now, &s->pool);
    event_log_init(&s->log, history_ns, history_bytes);
    s->n_lease_changed = 0;
}

void state_release(struct state *s)
{
    event_log_release(&s->log);
    image_release(&s->now);
    btree_pool_drain(&s->pool, UINT32_MAX);
}

void state_kv(const struct btree_item *it, struct store_kv *ret)
{
    *ret = (struct store_kv){
        .key = blob_str(it->key), .value = it->value, .create_rev = it->create_rev, .mod_rev = it->mod_rev,
        .version = it->version, .lease = it->lease, .tag = it->tag,
    };
}

/* ---- comparing ----------------------------------------------------------------------------------- */

static bool related(int cmp, enum store_relation rel)
{
    switch (rel) {
    case STORE_EQ: return cmp == 0;
    case STORE_NE: return cmp != 0;
    case STORE_LT: return cmp < 0;
    case STORE_GT: return cmp > 0;
    }
    must(!"a relation");
    return false;
}

static uint64_t target_of(const struct btree_item *it, enum store_target target)
{
    if (it == NULL)
        return 0;
    switch (target) {
    case STORE_MOD:     return it->mod_rev;
    case STORE_CREATE:  return it->create_rev;
    case STORE_VERSION: return it->version;
    case STORE_LEASE:   return it->lease;
    }
    must(!"a target");
    return 0;
}

static bool item_holds(const struct btree_item *it, const struct txn_op *op)
{
    uint64_t have;

    if (op->kind == TXN_COMPARE_VALUE || op->kind == TXN_COMPARE_RANGE_VALUE)
        return it != NULL                        /* an absent key has no value that could be compared */
               && related(str_cmp(blob_str(it->value), op->value), op->relation);
    have = target_of(it, op->target);
    return related((have > op->number) - (have < op->number), op->relation);
}

static bool range_holds(const struct image *m, const struct txn_op *op)
{
    struct btree_cursor c;
    const struct btree_item *it;
    unsigned n = 0;

    btree_seek(&c, &m->keys, op->key);
    while ((it = btree_next(&c)) != NULL && (op->to.n == 0 || str_cmp(blob_str(it->key), op->to) < 0)) {
        if (!item_holds(it, op))
            return false;
        n++;
    }
    return n > 0 || item_holds(NULL, op);
}

static bool compares_hold(const struct image *m, struct txn_part part)
{
    struct txn_op op;

    while (txn_next(&part, &op)) {
        bool range = op.kind == TXN_COMPARE_RANGE || op.kind == TXN_COMPARE_RANGE_VALUE;
        if (range ? !range_holds(m, &op) : !item_holds(btree_get(&m->keys, op.key), &op))
            return false;
    }
    return true;
}

/* Keys that the ranges in all compares look at. */
static uint64_t compares_cost(const struct image *m, struct txn_part part)
{
    struct txn_op op;
    uint64_t n = 0;

    while (txn_next(&part, &op))
        if (op.kind == TXN_COMPARE_RANGE || op.kind == TXN_COMPARE_RANGE_VALUE)
            n += btree_count(&m->keys, op.key, op.to);
    return n;
}

/* Decide this transaction and those nested in the part that is to be done, before any of it is done: the
 * outermost
 * is way->then[0].  False: that takes looking at more keys than one transaction may. */
static bool choose(const struct image *m, const struct txn *t, struct way *way, uint64_t *cost)
{
    struct txn_part part;
    struct txn_op   op;
    struct txn      inner;
    bool            then;

    *cost += compares_cost(m, t->compares);
    if (*cost > STORE_MAX_TXN_READS)
        return false;
    then = compares_hold(m, t->compares);
    must(way->n < TXN_MAX_WAY);
    way->then[way->n++] = then;
    part = then ? t->then : t->orelse;
    while (t->nests && txn_next(&part, &op)) {
        if (op.kind != TXN_NESTED)
            continue;
        txn_nested(&op, &inner);
        if (!choose(m, &inner, way, cost))
            return false;
    }
    return true;
}

/* ---- refusing ------------------------------------------------------------------------------------ */

/* Leases that came and went earlier in the transaction that is being checked. */
struct lease_changes { struct { uint64_t id; bool there; } at[TXN_MAX_WAY]; unsigned n; };

static bool lease_there(const struct image *m, const struct lease_changes *lc, uint64_t id)
{
    struct image_lease l;

    for (unsigned i = lc->n; i-- > 0; )
        if (lc->at[i].id == id)
            return lc->at[i].there;
    return image_lease_get(m, id, &l);
}

static void lease_change(struct lease_changes *lc, uint64_t id, bool there)
{
    must(lc->n < TXN_MAX_WAY);
    lc->at[lc->n].id = id;
    lc->at[lc->n++].there = there;
}

/* What is summed up while a transaction is looked over. */
struct looked { struct lease_changes leases; uint64_t touched,
                read; const struct way *way; unsigned nested; };

static int refuses_put(const struct image *m, struct looked *k, const struct txn_op *op)
{
    if (op->kind == TXN_PUT_KEEP && btree_get(&m->keys, op->key) == NULL)
        return E_CONFLICT;
    if (op->lease == 0 || (op->flags & STORE_KEEP_LEASE))
        return 0;
    if (!lease_there(m, &k->leases, op->lease))
        return E_NOTFOUND;
    return image_lease_keys(m, op->lease) + TXN_MAX_WAY > STORE_MAX_LEASE_KEYS ? E_TOOBIG : 0;
}

static int refuses_lease(const struct image *m, struct looked *k, const struct txn_op *op)
{
    if (op->kind == TXN_LEASE_GRANT) {
        if (op->lease != 0 && lease_there(m, &k->leases, op->lease))
            return E_EXISTS;
        if (op->lease != 0)
            lease_change(&k->leases, op->lease, true);
    } else {
        k->touched += image_lease_keys(m, op->lease);
        lease_change(&k->leases, op->lease, false);
    }
    return 0;
}

static int refuses_part(const struct image *m, struct looked *k, struct txn_part part);

static int refuses_nested(const struct image *m, struct looked *k, const struct txn_op *op)
{
    struct txn inner;

    txn_nested(op, &inner);
    return refuses_part(m, k, k->way->then[k->nested++] ? inner.then : inner.orelse);
}

static int refuses_compact(const struct image *m, uint64_t rev)
{
    return rev <= m->compacted ? E_STALE : rev > m->rev ? E_FUTURE : 0;
}

/* A transaction is all or nothing, so whatever could fail is found out before anything is touched. */
static int refuses_part(const struct image *m, struct looked *k, struct txn_part part)
{
    struct txn_op op;
    uint64_t n;
    int rc = 0;

    while (rc == 0 && txn_next(&part, &op)) {
        switch (op.kind) {
        case TXN_PUT:
        case TXN_PUT_KEEP:
            rc = refuses_put(m, k, &op);
            break;
        case TXN_DELETE_RANGE:
        case TXN_TAKE_RANGE:
            k->touched += btree_count(&m->keys, op.key, op.to);
            break;
        case TXN_RANGE:
            n = op.flags ? 0 : btree_count(&m->keys, op.key, op.to);
            k->read += op.number > 0 ? MIN_OF(n, op.number) : n;
            break;
        case TXN_LEASE_GRANT:
        case TXN_LEASE_REVOKE:
        case TXN_LEASE_EXPIRE:
            rc = refuses_lease(m, k, &op);
            break;
        case TXN_NESTED:
            rc = refuses_nested(m, k, &op);
            break;
        case TXN_COMPACT:
            rc = refuses_compact(m, op.number);
            break;
        default:
            break;
        }
        if (rc == 0 && (k->touched > STORE_MAX_TXN_EVENTS || k->read > STORE_MAX_TXN_READS))
            rc = E_TOOBIG;
    }
    return rc;
}

/* ---- changing ------------------------------------------------------------------------------------ */

/* The value as it is stored: with the revision's digits at rev_at. */
static struct blob *splice(struct str value, uint32_t rev_at, uint64_t rev)
{
    char   digits[20];
    size_t n = sizeof digits;
    struct blob *b;

    if (rev_at == STORE_NO_REV)
        return blob_copy(value);
    must(rev_at <= value.n && rev > 0);
    for (; rev > 0; rev /= 10)
        digits[--n] = (char)('0' + rev % 10);
    b = blob_new(value.n + sizeof digits - n);
    if (rev_at > 0)
        memcpy(b->data, value.p, rev_at);
    memcpy(b->data + rev_at, digits + n, sizeof digits - n);
    if (value.n > rev_at)
        memcpy(b->data + rev_at + (sizeof digits - n), value.p + rev_at, value.n - rev_at);
    return b;
}

static void event_remember(struct event *e, const struct btree_item *prev)
{
    e->pub.prev = prev->value;
    e->pub.prev_tag = prev->tag;
    e->pub.prev_create_rev = prev->create_rev;
    e->pub.prev_mod_rev = prev->mod_rev;
    e->pub.prev_version = prev->version;
    e->pub.prev_lease = prev->lease;
}

/* The state before an operation; its key is the event's, its value too: both live until history is trimmed.
 * */
static void result_prev(struct store_op_result *res, const struct btree_item *prev, struct blob *key)
{
    struct btree_item it = *prev;

    it.key = key;
    state_kv(&it, &res->prev);
}

/* A put that keeps something becomes one that says it all.  The value is referenced, not copied. */
static struct blob *kept(const struct image *m, const struct txn_op *op, uint64_t *lease)
{
    const struct btree_item *it = btree_get(&m->keys, op->key);

    /* refuses_put() has been here, and duplicates were refused before */
    must(it != NULL);
    if (op->flags & STORE_KEEP_LEASE)
        *lease = it->lease;
    return op->flags & STORE_KEEP_VALUE ? blob_ref(it->value) : NULL;
}

static void apply_put(struct apply *a, const struct txn_op *op, struct store_op_result *res)
{
    struct event_log *log = &a->s->log;
    struct btree_item prev;
    uint64_t     lease = op->lease;
    struct blob *keep = op->kind == TXN_PUT_KEEP ? kept(&a->s->now, op, &lease) : NULL;
    struct blob *value = keep != NULL ? keep : splice(op->value, op->rev_at, a->rev);
    const struct btree_item *it = image_put(&a->s->now, op->key, value, a->rev, op->tag, lease, &prev);
    struct event *e = event_log_append(log);

    a->changed = true;
    e->key = blob_ref(it->key);
    e->pub.lease = it->lease;
    e->pub.rev = a->rev;
    e->pub.type = STORE_PUT;
    e->pub.key = blob_str(e->key);
    e->pub.value = blob_ref(it->value);
    e->pub.create_rev = it->create_rev;
    e->pub.version = it->version;
    e->pub.tag = it->tag;
    event_remember(e, &prev);                    /* the old value's reference moves from tree to event */
    event_log_added(log, e, a->now_ns);
    if (res != NULL) {
        state_kv(it, &res->kv);
        res->found = prev.mod_rev > 0;
        if (res->found)
            result_prev(res, &prev, e->key);
    }
}

/* last and rev_at as in store_txn_delete(). False: absent. */
static bool apply_delete(struct apply *a, struct str key, struct str last, uint32_t rev_at,
                         struct store_op_result *res)
{
    struct event_log *log = &a->s->log;
    struct btree_item gone;
    struct event *e;

    if (!image_remove(&a->s->now, key, &gone))
        return false;
    a->changed = true;
    e = event_log_append(log);
    e->key = gone.key;
    e->pub.rev = a->rev;
    e->pub.type = STORE_DELETE;
    e->pub.key = blob_str(e->key);
    e->pub.value = last.n > 0 ? splice(last, rev_at, a->rev) : blob_ref(gone.value);
    e->pub.create_rev = gone.create_rev;
    e->pub.version = gone.version;
    event_remember(e, &gone);
    event_log_added(log, e, a->now_ns);
    if (res != NULL) {
        state_kv(&gone, &res->kv);
        res->kv.value = e->pub.value;
        res->kv.mod_rev = a->rev;
        result_prev(res, &gone, e->key);
    }
    return true;
}

/* The first key of [from, to); NULL: none. */
static const struct btree_item *first_in(const struct btree *keys, struct str from, struct str to)
{
    struct btree_cursor c;
    const struct btree_item *it;

    btree_seek(&c, keys, from);
    it = btree_next(&c);
    return it != NULL && (to.n == 0 || str_cmp(blob_str(it->key), to) < 0) ? it : NULL;
}

/* take: keys as they were, res->count of them. */
static void apply_delete_range(struct apply *a, const struct txn_op *op, struct store_op_result *res)
{
    bool   take = op->kind == TXN_TAKE_RANGE && res != NULL;
    size_t room = take ? (size_t)btree_count(&a->s->now.keys, op->key, op->to) : 0;
    struct store_kv *kvs = room > 0 ? arena_alloc(a->results, room * sizeof *kvs) : NULL;
    const struct btree_item *it;
    uint64_t n = 0;

    while ((it = first_in(&a->s->now.keys, op->key, op->to)) != NULL) {
        struct store_op_result one = { .found = false };
        must(apply_delete(a, blob_str(it->key), STR_NONE, STORE_NO_REV, take ? &one : NULL));
        must(!take || n < room);
        if (take)
            kvs[n] = one.prev;
        n++;
    }
    if (res != NULL) {
        res->deleted = n;
        res->kvs = kvs;
        res->n_kvs = take ? (size_t)n : 0;
    }
}

static void read_range(struct apply *a, const struct txn_op *op, struct store_op_result *res)
{
    const struct btree *keys = &a->s->now.keys;
    struct btree_cursor c;
    struct store_kv *kvs;
    uint64_t n;

    res->count = btree_count(keys, op->key, op->to);
    n = op->flags ? 0 : op->number > 0 ? MIN_OF(op->number, res->count) : res->count;
    if (n == 0)
        return;
    res->kvs = kvs = arena_alloc(a->results, (size_t)n * sizeof *kvs);
    res->n_kvs = (size_t)n;
    btree_seek(&c, keys, op->key);
    for (uint64_t i = 0; i < n; i++)
        state_kv(btree_next(&c), &kvs[i]);
}

static void apply_lease_changed(struct apply *a, uint64_t id)
{
    must(a->s->n_lease_changed < TXN_MAX_WAY);
    a->s->lease_changed[a->s->n_lease_changed++] = id;
}

static void apply_revoke(struct apply *a, uint64_t id, struct store_op_result *res)
{
    struct image_lease l;
    struct blob *key;
    uint64_t n = 0;
    bool     found = image_lease_get(&a->s->now, id, &l);

    if (found) {
        image_lease_remove(&a->s->now, id);
        apply_lease_changed(a, id);
        while ((key = image_lease_any_key(&a->s->now, id)) != NULL) {
            must(apply_delete(a, blob_str(key), STR_NONE, STORE_NO_REV, NULL));
            blob_unref(key);
            n++;
        }
    }
    if (res != NULL) {
        res->found = found;
        res->deleted = n;
        res->lease = id;
    }
}

static void apply_grant(struct apply *a, const struct txn_op *op, struct store_op_result *res)
{
    struct image *m = &a->s->now;
    struct image_lease l = { op->lease, op->number, 0 }, there;

    while (l.id == 0 || (op->lease == 0 && image_lease_get(m, l.id, &there)))
        l.id = ++m->lease_seq;
    image_lease_set(m, &l);
    apply_lease_changed(a, l.id);
    if (res != NULL)
        res->lease = l.id;
}

static void apply_lease(struct apply *a, const struct txn_op *op, struct store_op_result *res)
{
    struct image *m = &a->s->now;
    struct image_lease l;
    bool found = image_lease_get(m, op->lease, &l);

    if (op->kind == TXN_LEASE_EPOCH) {
        m->epoch = MAX_OF(m->epoch, op->epoch);
    } else if (op->kind == TXN_LEASE_TOUCH && found) {
        l.touches++;
        image_lease_set(m, &l);
        apply_lease_changed(a, l.id);
    } else if (op->kind == TXN_LEASE_EXPIRE && found
               && ((l.touches == op->number && m->epoch == op->epoch) || BUG(a->s, RAFT_BUG_EXPIRE_ANYWAY))) {
        apply_revoke(a, op->lease, res);
    }
    if (res != NULL) {
        res->found = found;
        res->lease = op->lease;
    }
}

static void apply_compact(struct apply *a, uint64_t rev)
{
    a->s->now.compacted = rev;
    event_log_compact(&a->s->log, rev);
}

static void apply_part(struct apply *a, struct txn_part part, const struct store_op_result **ret,
                       size_t *ret_n);

static void apply_nested(struct apply *a, const struct txn_op *op, struct store_op_result *res)
{
    struct store_op_result unused;
    struct txn inner;
    bool then = a->way->then[a->nested++];

    txn_nested(op, &inner);
    res = res != NULL ? res : &unused;
    res->succeeded = then;
    apply_part(a, then ? inner.then : inner.orelse, &res->op, &res->n_op);
}

static void apply_op(struct apply *a, const struct txn_op *op, struct store_op_result *res)
{
    const struct btree_item *it;
    bool found;

    switch (op->kind) {
    case TXN_PUT:
    case TXN_PUT_KEEP:
        apply_put(a, op, res);
        break;
    case TXN_DELETE:
        found = apply_delete(a, op->key, op->value, op->rev_at, res);
        if (res != NULL) {
            res->found = found;
            res->deleted = found;
        }
        break;
    case TXN_DELETE_RANGE:
    case TXN_TAKE_RANGE:
        apply_delete_range(a, op, res);
        break;
    case TXN_GET:
        if (res != NULL && (it = btree_get(&a->s->now.keys, op->key)) != NULL) {
            res->found = true;
            state_kv(it, &res->kv);
        }
        break;
    case TXN_RANGE:
        if (res != NULL)
            read_range(a, op, res);
        break;
    case TXN_NESTED:
        apply_nested(a, op, res);
        break;
    case TXN_LEASE_GRANT:
        apply_grant(a, op, res);
        break;
    case TXN_LEASE_REVOKE:
        apply_revoke(a, op->lease, res);
        break;
    case TXN_COMPACT:
        apply_compact(a, op->number);
        break;
    default:
        apply_lease(a, op, res);
        break;
    }
}

static void apply_part(struct apply *a, struct txn_part part, const struct store_op_result **ret,
                       size_t *ret_n)
{
    struct store_op_result *res = NULL;
    struct txn_op op;

    if (a->results != NULL && part.n > 0)
        res = arena_zalloc(a->results, part.n * sizeof *res);
    *ret = res;
    *ret_n = res != NULL ? part.n : 0;
    for (uint32_t i = 0; txn_next(&part, &op); i++) {
        must(!txn_compares(op.kind));
        apply_op(a, &op, res != NULL ? &res[i] : NULL);
        if (res != NULL)
            res[i].rev = a->changed ? a->rev : a->rev - 1;
    }
}

/* Decide a decoded command, and do it unless it is refused as a whole. */
static void decide(struct apply *a, const struct txn *t, struct state_result *ret)
{
    struct way    way = { .n = 0 };
    struct looked look;
    struct txn_part part;
    uint64_t cost = 0;

    if (!choose(&a->s->now, t, &way, &cost)) {
        ret->err = E_TOOBIG;
        return;
    }
    look.leases.n = 0;
    look.touched = look.read = 0;
    look.way = a->way = &way;
    look.nested = a->nested = 1;                 /* 0 is the outermost */
    ret->succeeded = way.then[0];
    part = ret->succeeded ? t->then : t->orelse;
    ret->err = refuses_part(&a->s->now, &look, part);
    if (ret->err == 0)
        apply_part(a, part, &ret->op, &ret->n_op);
}

void state_apply(struct state *s, struct str command, uint64_t now_ns, struct arena *results,
                 struct state_result *ret)
{
    struct apply a = { .s = s, .rev = s->now.rev + 1, .now_ns = now_ns, .results = results };
    struct state_result out = { .rev = s->now.rev };
    struct txn t;

    must(s->now.rev < UINT64_MAX - 1);
    s->n_lease_changed = 0;
    out.err = txn_decode(command, &t);
    if (out.err == 0)
        decide(&a, &t, &out);
    if (a.changed)
        out.rev = s->now.rev = a.rev;
    if (ret != NULL)
        *ret = out;
}

int state_read(struct state *s, struct str command, struct arena *results, struct state_result *ret)
{
    struct txn t;
    int rc = txn_decode(command, &t);

    if (rc == 0 && t.writes)
        rc = E_INVALID;
    if (rc == 0) {
        state_apply(s, command, 0, results, ret);
        rc = ret->err;
    }
    return rc;
}

/* ---- the past and the whole ---------------------------------------------------------------------- */

static void undo_one(struct btree *keys, const struct event *e)
{
    struct btree_item *it, gone;
    bool existed;

    if (e->pub.prev_mod_rev == 0) {                      /* it made the key */
        must(e->pub.type == STORE_PUT);
        must(btree_remove(keys, blob_str(e->key), &gone));
        blob_unref(gone.key);
        blob_unref(gone.value);
        return;
    }
    it = btree_edit_blob(keys, e->key, &existed);
    must(existed == (e->pub.type == STORE_PUT));
    must(!existed || it->mod_rev == e->pub.rev);
    blob_unref(it->value);
    it->value = blob_ref(e->pub.prev);
    it->create_rev = e->pub.prev_create_rev;
    it->mod_rev = e->pub.prev_mod_rev;
    it->version = e->pub.prev_version;
    it->lease = e->pub.prev_lease;
    it->tag = e->pub.prev_tag;
}

static int rewind_allowed(const struct state *s, uint64_t rev)
{
    return rev < s->log.trimmed_rev || rev < s->now.compacted ? E_STALE : 0;
}

uint64_t state_rewind_cost(const struct state *s, const struct image *from, uint64_t rev)
{
    uint64_t end = event_log_after(&s->log, from->rev), to = event_log_after(&s->log, rev);

    return end > to ? end - to : 0;
}

int state_rewind_begin(const struct state *s, const struct image *from, uint64_t rev, struct rewind *ret)
{
    int rc;

    must(from->rev <= s->now.rev);
    if (rev > from->rev)
        return E_FUTURE;
    if ((rc = rewind_allowed(s, rev)) != 0)
        return rc;
    image_share(&ret->image, from);
    ret->rev = rev;
    ret->pos = event_log_after(&s->log, from->rev);
    return 0;
}

int state_rewind_some(const struct state *s, struct rewind *r, unsigned n)
{
    int rc = rewind_allowed(s, r->rev);
    uint64_t to;

    if (rc != 0)
        return rc;
    to = event_log_after(&s->log, r->rev);
    for (; r->pos > to; n--) {
        if (n == 0)
            return E_AGAIN;
        undo_one(&r->image.keys, event_log_at(&s->log, --r->pos));
    }
    r->image.rev = r->rev;
    return 0;
}

int state_rewind(const struct state *s, const struct image *from, uint64_t rev, struct image *ret)
{
    struct rewind r;
    int rc = state_rewind_begin(s, from, rev, &r);

    if (rc != 0)
        return rc;
    must(state_rewind_some(s, &r, UINT_MAX) == 0);
    *ret = r.image;
    return 0;
}

void state_replace(struct state *s, struct image *with)
{
    must(with->keys.pool == &s->pool);
    image_release(&s->now);                      /* taken apart in slices, in TURN_FREE */
    s->now = *with;
    image_init(with, &s->pool);
    event_log_restart(&s->log, s->now.rev);
    event_log_compact(&s->log, s->now.compacted);
}
