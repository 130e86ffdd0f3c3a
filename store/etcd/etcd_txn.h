/* store/etcd/etcd_txn.h: etcd's writing requests as transactions of the store, and their answers.
 *
 * A Put or DeleteRange is a transaction of one operation.  The request is checked and translated in one walk
 * (etcd_txn_build); after the decision the same walk, along the branches that were taken, measures and writes
 * the answer (etcd_txn_answer), so operations and results need no list of their own. */
#ifndef STORE_ETCD_TXN_H
#define STORE_ETCD_TXN_H

#include "store/etcd/etcd_write.h"

struct etcd_txn_job {
    struct etcd_call *c;
    struct etcd_op    one;                       /* Put, DeleteRange */
    struct etcd_txn  *txn;                       /* Txn; else NULL */
    /* ranges that read an earlier revision: their views are pinned */
    struct etcd_found *past;
    bool   writes, puts, serializable;
    size_t n_ops;                                /* over all levels */
};

/* Does it put the same key twice, or put what it deletes? */
enum etcd_error etcd_txn_check(struct etcd_txn_job *j);
enum etcd_error etcd_txn_build(struct etcd_txn_job *j, struct store_txn *t);
/* From c->commit, which has been decided. */
void etcd_txn_answer(struct etcd_txn_job *j);
void etcd_txn_release(struct etcd_txn_job *j);

#endif
