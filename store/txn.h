/* store/txn.h: the bytes of a transaction: written by store_txn_* (store/store.h), read by every head when
 * the log has committed them.
 *
 *     command  version:1  n_if:le32  n_then:le32  n_else:le32  op...
 *     op       kind:1 and its fields; strings with a varint length, numbers as varints
 *
 * Commands come from the log and so from peers: txn_decode() checks every byte and bound before anything is
 * applied, so that a command is either refused as a whole, on every head alike, or safe to walk. */
#ifndef STORE_TXN_H
#define STORE_TXN_H

#include "store/store.h"

#define TXN_VERSION 1

enum txn_kind {
    TXN_COMPARE = 1, TXN_COMPARE_VALUE, TXN_PUT, TXN_DELETE, TXN_DELETE_RANGE, TXN_GET,
    TXN_LEASE_GRANT, TXN_LEASE_REVOKE,
    /* a keep-alive that a follower took: counts, and restarts the leader's timer */
    TXN_LEASE_TOUCH,
    TXN_LEASE_EXPIRE,                            /* revoke, if epoch is current and nobody touched it since */
    /* a new leader keeps the time: what older ones found expired no longer counts */
    TXN_LEASE_EPOCH,
    TXN_COMPARE_RANGE, TXN_COMPARE_RANGE_VALUE, TXN_PUT_KEEP, TXN_TAKE_RANGE, TXN_RANGE,
    TXN_NESTED,                                  /* value: a command */
    TXN_COMPACT,
    TXN_KINDS
};

struct txn_op {
    enum txn_kind kind;
    struct str key, to, value;                   /* into the command */
    uint32_t   rev_at;                           /* STORE_NO_REV or <= value.n */
    uint64_t   tag, lease;
    /* compare: with what; grant: ttl in ms; expire: touches; epoch; range: limit; compact: revision */
    uint64_t   number;
    unsigned   flags;                            /* put: enum store_keep; range: 1 count only */
    uint64_t   epoch;
    enum store_target   target;
    enum store_relation relation;
};

struct txn_part { struct str bytes; uint32_t n; };
struct txn { struct txn_part compares, then, orelse; bool nests, writes; };

/* Operations on any way through a transaction and those nested in it. */
#define TXN_MAX_WAY (2 * STORE_MAX_OPS)
/* 0, or E_INVALID / E_TOOBIG and *ret is untouched.  STORE_MAX_OPS bounds compares, then and else each, over
 * all levels together. */
int  txn_decode(struct str command, struct txn *ret);
/* What is nested in a decoded transaction. */
void txn_nested(const struct txn_op *op, struct txn *ret);
static inline bool txn_compares(enum txn_kind k)
{
    return k == TXN_COMPARE || k == TXN_COMPARE_VALUE || k == TXN_COMPARE_RANGE
        || k == TXN_COMPARE_RANGE_VALUE;
}
/* Cut the next operation off a part of a decoded transaction; false after the last. */
bool txn_next(struct txn_part *part, struct txn_op *ret);

/* What only the store itself writes. */
void txn_lease_touch(struct store_txn *t, uint64_t id);
void txn_lease_expire(struct store_txn *t, uint64_t id, uint64_t touches, uint64_t epoch);
void txn_lease_epoch(struct store_txn *t, uint64_t epoch);
/* The finished command, or E_TOOBIG. It lives as long as t. */
int  txn_command(const struct store_txn *t, struct str *ret);

#endif
