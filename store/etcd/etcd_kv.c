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
    if (err == ETCD_OK && j->puts && etcd_out_of_space(c->e, t.buf.n))
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

void etcd_kv_delete(struct etcd_call *c)
{
    struct etcd_txn_job *j = arena_new(&c->arena, struct etcd_txn_job);

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
