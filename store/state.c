/* store/state.c: see state.h. */
#include "store/limits.h"
#include "store/state.h"
#include "store/txn.h"

/* One command being applied. */
struct apply {
    struct state *s;
    uint64_t rev;                                /* what this transaction gets if it changes something */
    uint64_t now_ns;
    bool     changed;
};

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

static bool compares_hold(const struct image *m, struct txn_part part)
{
    struct txn_op op;

    while (txn_next(&part, &op)) {
        const struct btree_item *it = btree_get(&m->keys, op.key);
        bool holds;
        if (op.kind == TXN_COMPARE) {
            uint64_t have = target_of(it, op.target);
            holds = related((have > op.number) - (have < op.number), op.relation);
        } else {                                 /* an absent key has no value that could be compared */
            holds = it != NULL && related(str_cmp(blob_str(it->value), op.value), op.relation);
        }
        if (!holds)
            return false;
    }
    return true;
}

/* ---- refusing ------------------------------------------------------------------------------------ */

/* Leases that came and went earlier in the transaction that is being checked. */
struct lease_changes { struct { uint64_t id; bool there; } at[STORE_MAX_OPS]; unsigned n; };

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
    must(lc->n < STORE_MAX_OPS);
    lc->at[lc->n].id = id;
    lc->at[lc->n++].there = there;
}

/* A transaction is all or nothing, so whatever could fail is found out before anything is touched. */
static int apply_refuses(const struct image *m, struct txn_part part)
{
    struct lease_changes lc;
    struct txn_op op;
    uint64_t touched = 0;
    uint32_t n = part.n;

    lc.n = 0;
    while (txn_next(&part, &op)) {
        switch (op.kind) {
        case TXN_PUT:
            if (op.lease == 0)
                break;
            if (!lease_there(m, &lc, op.lease))
                return E_NOTFOUND;
            if (image_lease_keys(m, op.lease) + n > STORE_MAX_LEASE_KEYS)
                return E_TOOBIG;
            break;
        case TXN_DELETE_RANGE:
            touched += btree_count(&m->keys, op.key, op.to);
            break;
        case TXN_LEASE_GRANT:
            if (op.lease != 0 && lease_there(m, &lc, op.lease))
                return E_EXISTS;
            if (op.lease != 0)
                lease_change(&lc, op.lease, true);
            break;
        case TXN_LEASE_REVOKE:
        case TXN_LEASE_EXPIRE:
            touched += image_lease_keys(m, op.lease);
            lease_change(&lc, op.lease, false);
            break;
        default:
            break;
        }
        if (touched > STORE_MAX_TXN_EVENTS)
            return E_TOOBIG;
    }
    return 0;
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
    e->prev_create = prev->create_rev;
    e->prev_mod = prev->mod_rev;
    e->prev_version = prev->version;
    e->prev_lease = prev->lease;
}

static void apply_put(struct apply *a, const struct txn_op *op, struct store_op_result *res)
{
    struct event_log *log = &a->s->log;
    struct btree_item prev;
    struct blob *value = splice(op->value, op->rev_at, a->rev);
    const struct btree_item *it = image_put(&a->s->now, op->key, value, a->rev, op->tag, op->lease, &prev);
    struct event *e = event_log_append(log);

    a->changed = true;
    e->key = blob_ref(it->key);
    e->lease = it->lease;
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
    }
    return true;
}

static uint64_t apply_delete_range(struct apply *a, struct str from, struct str to)
{
    uint64_t n = 0;

    for (;;) {
        struct btree_cursor c;
        const struct btree_item *it;
        btree_seek(&c, &a->s->now.keys, from);
        it = btree_next(&c);
        if (it == NULL || (to.n > 0 && str_cmp(blob_str(it->key), to) >= 0))
            return n;
        must(apply_delete(a, blob_str(it->key), STR_NONE, STORE_NO_REV, NULL));
        n++;
    }
}

static void apply_lease_changed(struct apply *a, uint64_t id)
{
    must(a->s->n_lease_changed < STORE_MAX_OPS);
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
    } else if (op->kind == TXN_LEASE_EXPIRE && found && l.touches == op->number && m->epoch == op->epoch) {
        apply_revoke(a, op->lease, res);
    }
    if (res != NULL) {
        res->found = found;
        res->lease = op->lease;
    }
}

static void apply_op(struct apply *a, const struct txn_op *op, struct store_op_result *res)
{
    const struct btree_item *it;
    bool found;

    switch (op->kind) {
    case TXN_PUT:
        apply_put(a, op, res);
        break;
    case TXN_DELETE:
        found = apply_delete(a, op->key, op->value, op->rev_at, res);
        if (res != NULL) {
            res->found = found;
            res->deleted = found;
        }
        break;
    case TXN_DELETE_RANGE: {
        uint64_t n = apply_delete_range(a, op->key, op->to);
        if (res != NULL)
            res->deleted = n;
        break;
    }
    case TXN_GET:
        if (res != NULL && (it = btree_get(&a->s->now.keys, op->key)) != NULL) {
            res->found = true;
            state_kv(it, &res->kv);
        }
        break;
    case TXN_LEASE_GRANT:
        apply_grant(a, op, res);
        break;
    case TXN_LEASE_REVOKE:
        apply_revoke(a, op->lease, res);
        break;
    default:
        apply_lease(a, op, res);
        break;
    }
}

static void apply_part(struct apply *a, struct txn_part part, struct store_op_result *res)
{
    struct txn_op op;

    for (uint32_t i = 0; txn_next(&part, &op); i++) {
        must(op.kind != TXN_COMPARE && op.kind != TXN_COMPARE_VALUE);
        apply_op(a, &op, res != NULL ? &res[i] : NULL);
    }
}

void state_apply(struct state *s, struct str command, uint64_t now_ns, struct arena *results,
                 struct state_result *ret)
{
    struct apply a = { s, s->now.rev + 1, now_ns, false };
    struct store_op_result *res = NULL;
    struct state_result out = { .rev = s->now.rev };
    struct txn t;
    struct txn_part *part;

    must(s->now.rev < UINT64_MAX - 1);
    s->n_lease_changed = 0;
    out.err = txn_decode(command, &t);
    if (out.err == 0) {
        out.succeeded = compares_hold(&s->now, t.compares);
        part = out.succeeded ? &t.then : &t.orelse;
        out.err = apply_refuses(&s->now, *part);
        if (out.err == 0) {
            if (results != NULL && part->n > 0) {
                res = arena_zalloc(results, part->n * sizeof *res);
                out.op = res;
                out.n_op = part->n;
            }
            apply_part(&a, *part, res);
        }
    }
    if (a.changed)
        out.rev = s->now.rev = a.rev;
    if (ret != NULL)
        *ret = out;
}

/* ---- the past and the whole ---------------------------------------------------------------------- */

static void undo_one(struct btree *keys, const struct event *e)
{
    struct btree_item *it, gone;
    bool existed;

    if (e->prev_mod == 0) {                      /* it made the key */
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
    it->create_rev = e->prev_create;
    it->mod_rev = e->prev_mod;
    it->version = e->prev_version;
    it->lease = e->prev_lease;
    it->tag = e->pub.prev_tag;
}

int state_rewind(const struct state *s, const struct image *from, uint64_t rev, struct image *ret)
{
    uint64_t to;

    must(from->rev <= s->now.rev);
    if (rev > from->rev)
        return E_FUTURE;
    if (rev < s->log.trimmed_rev)
        return E_STALE;
    image_share(ret, from);
    to = event_log_after(&s->log, rev);
    for (uint64_t pos = event_log_after(&s->log, from->rev); pos-- > to; )
        undo_one(&ret->keys, event_log_at(&s->log, pos));
    ret->rev = rev;
    return 0;
}

void state_replace(struct state *s, struct image *with)
{
    must(with->keys.pool == &s->pool);
    image_release(&s->now);                      /* taken apart in slices, in TURN_FREE */
    s->now = *with;
    image_init(with, &s->pool);
    event_log_restart(&s->log, s->now.rev);
}
