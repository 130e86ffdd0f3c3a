/* store/etcd/etcd_kv.c: KV.Put, DeleteRange, Txn and Compact. */
#include "store/etcd/etcd_txn.h"

static void kv_dropped(struct etcd_call *c)
{
    etcd_txn_release(c->job);
}

static void kv_decided(struct etcd_call *c)
{
    etcd_txn_answer(c->job);
}

/* A transaction that only reads: on the state as it is now, without the log. */
static void kv_read(struct etcd_call *c)
{
    struct etcd_txn_job *j = c->job;
    struct store_txn t;
    enum etcd_error  err;
    int rc;

    etcd_txn_release(j);
    j->n_ops = 0;
    store_txn_init(&t);
    err = etcd_txn_build(j, &t);                 /* anew: what is the past is known only behind the barrier */
    if (err == ETCD_OK && j->writes) {
        etcd_commit(c, &t, kv_decided);
        return;
    }
    if (err == ETCD_OK && (rc = store_read_txn(c->e->store, &c->commit, &t)) != 0)
        err = etcd_error_of(rc);
    store_txn_release(&t);
    if (err != ETCD_OK)
        etcd_fail(c, err);
    else
        etcd_txn_answer(j);
}

static void kv_start(struct etcd_call *c, struct etcd_txn_job *j)
{
    struct store_txn t;
    enum etcd_error  err;

    j->c = c;
    c->job = j;
    c->dropped = kv_dropped;
    store_txn_init(&t);
    err = etcd_txn_build(j, &t);
    if (err == ETCD_OK)
        err = etcd_txn_check(j);
    if (err == ETCD_OK && j->puts && store_space_short(c->e->store, t.buf.n))
        err = ETCD_NO_SPACE;
    if ((err == ETCD_OK || err == ETCD_FUTURE_REV) && !j->writes) {
        store_txn_release(&t);
        etcd_when_current(c, j->serializable, kv_read);
    } else if (err == ETCD_OK) {
        etcd_commit(c, &t, kv_decided);
    } else {
        store_txn_release(&t);
        etcd_fail(c, err);
    }
}

void etcd_kv_put(struct etcd_call *c)
{
    struct etcd_txn_job *j = arena_new(&c->arena, struct etcd_txn_job);

    j->one.which = OP_PUT;
    j->one.put = c->request;
    kv_start(c, j);
}

/* ---- very large deletes ---------------------------------------------------------------------------
 * More keys than one transaction may touch go in several, each with a revision of its own: the heads stay
 * responsive, and others may see the range half gone.  (Within a Txn, or with prev_kv, it is refused.) */

struct delete_job { struct store_range keys; struct buf until; uint64_t deleted; };

static void delete_some(struct etcd_call *c);

static void delete_dropped(struct etcd_call *c)
{
    buf_release(&((struct delete_job *)c->job)->until);
}

static void delete_decided(struct etcd_call *c)
{
    struct delete_job *j = c->job;

    j->deleted += c->commit.op[0].deleted;
    if (j->until.n > 0)
        delete_some(c);
    else
        etcd_reply(c, &etcd_reply_deleted, &(struct etcd_reply){ .a = (int64_t)j->deleted });
}

/* The first ETCD_DELETE_SLICE keys; `until` is empty if those are all. */
static void delete_some(struct etcd_call *c)
{
    struct delete_job *j = c->job;
    struct store_cursor at;
    struct store_kv  kv;
    struct store_txn t;
    unsigned n = 0;

    buf_clear(&j->until);
    store_seek(&at, store_live(c->e->store), j->keys.from, j->keys.to);
    while (n <= ETCD_DELETE_SLICE && store_next(&at, &kv))
        n++;
    if (n > ETCD_DELETE_SLICE)
        buf_str_add(&j->until, kv.key);
    store_txn_init(&t);
    store_txn_delete_range(&t, j->keys.from, n > ETCD_DELETE_SLICE ? buf_str(&j->until) : j->keys.to);
    etcd_commit(c, &t, delete_decided);
}

static bool delete_is_large(struct etcd_call *c, struct store_range *ret)
{
    const struct etcd_delete *d = c->request;
    struct etcd_who who = { c->e, c->admin };

    return d->range_end.n > 0 && !d->prev_kv
           && etcd_map(who, &c->arena, d->key, d->range_end, true, ret) == ETCD_OK
           && store_count(store_live(c->e->store), ret->from, ret->to) > ETCD_DELETE_SLICE;
}

static void delete_large(struct etcd_call *c, const struct store_range *keys)
{
    struct delete_job *j = arena_new(&c->arena, struct delete_job);

    j->keys = *keys;
    c->job = j;
    c->dropped = delete_dropped;
    delete_some(c);
}

void etcd_kv_delete(struct etcd_call *c)
{
    struct etcd_txn_job *j = arena_new(&c->arena, struct etcd_txn_job);
    struct store_range keys;

    if (delete_is_large(c, &keys)) {
        delete_large(c, &keys);
        return;
    }
    j->one.which = OP_DELETE;
    j->one.del = c->request;
    kv_start(c, j);
}

void etcd_kv_txn(struct etcd_call *c)
{
    struct etcd_txn_job *j = arena_new(&c->arena, struct etcd_txn_job);

    j->txn = c->request;
    kv_start(c, j);
}

static void kv_compacted(struct etcd_call *c)
{
    etcd_reply(c, &etcd_reply_header, &(struct etcd_reply){ .header = NULL });
}

/* `physical` asks to wait until the space is free: it is, in the turns that follow. */
void etcd_kv_compact(struct etcd_call *c)
{
    const struct etcd_compaction *r = c->request;
    struct store_txn t;

    if (r->revision <= 0) {
        etcd_fail(c, ETCD_COMPACTED);
        return;
    }
    store_txn_init(&t);
    store_txn_compact(&t, (uint64_t)r->revision);
    etcd_commit(c, &t, kv_compacted);
}
