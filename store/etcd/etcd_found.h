/* store/etcd/etcd_found.h: what a range within a transaction is answered with. */
#ifndef STORE_ETCD_FOUND_H
#define STORE_ETCD_FOUND_H

#include "store/etcd/etcd_impl.h"

struct etcd_found {
    struct store_range keys;
    /* of the revision it asks for; NULL: the transaction's own state */
    struct store_view *view;
    struct etcd_found *next;                     /* with a view */
    struct store_kv   *kvs; size_t n;            /* in the order wanted, at most the limit */
    uint64_t count;
    bool     more;
};

#endif
