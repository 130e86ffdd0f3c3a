/* store/store.h: the replicated key-value state: every change is a transaction that gets the next
 * revision, is decided the same way on every head, and becomes an immutable event.
 *
 * Keys and values are bytes; the store knows nothing of what they mean.  The tree is a copy-on-write
 * B+tree (store/btree.h): pinning a view is O(1) and lets the past be read while the present moves on.
 * Revisions are 64-bit, count transactions that changed something, never go back or repeat; an empty store is
 * at 1, as etcd's is, so that no client takes its answers for "no revision".
 * Thread: loop only.  Callbacks come from the loop, never from inside the call. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "net/blob.h"
#include "raft/raft.h"
#include "store/btree.h"

struct store;

/* What is forgotten by itself, on all heads alike: what is older than `retention` ms, or all but the newest
 * `retention` revisions. */
enum store_compaction { STORE_COMPACT_OFF, STORE_COMPACT_PERIODIC, STORE_COMPACT_REVISION };

struct store_opts {
    struct raft_opts raft;                       /* fsm is filled in by the store */
    uint64_t history_ms;                         /* how long events are kept at least; 0: 5 min ... */
    uint64_t history_bytes;                      /* ... but at most this much; 0: 256 MiB */
    enum store_compaction compaction;            /* store/compactor.h */
    uint64_t retention;                          /* 0: off */
    uint64_t quota_bytes;                        /* of keys and values: store/space.h; 0: 2 GiB */
    const char *version;                         /* of this program, for metrics; borrowed; NULL: unknown */
    /* This head began or ceased to lead. */
    void (*on_leading)(void *arg, bool leader);
    /* This head was removed from the cluster: it will learn nothing new.  From within raft's turn: the store
     * is closed later. */
    void (*on_removed)(void *arg);
    void *arg;
};
/* Closing: views, watches and barriers of the owner end first; commits under way get E_UNKNOWN or E_CLOSED.
 * */
int  store_open(const struct store_opts *o, struct store **ret, struct errbuf *err);
void store_close(struct store *s, void (*done)(void *arg), void *arg);
struct raft *store_raft(struct store *s);
struct loop *store_loop(struct store *s);
/* Newest applied revision here; oldest revision after which all events are still there. */
uint64_t store_revision(const struct store *s);
uint64_t store_history_start(const struct store *s);
/* What a transaction has compacted explicitly (0: nothing): states before it are refused on every head. */
uint64_t store_compacted(const struct store *s);

/* ---- Reading ------------------------------------------------------------------------------------ */

struct store_kv {
    /* valid as long as the view is pinned (live view: until the next turn) */
    struct str   key;
    struct blob *value;                          /* borrowed */
    uint64_t create_rev, mod_rev, version, lease;
    uint64_t tag;                                /* what the writer gave: see store_txn_put */
};

/* A state at one revision.  The live view is not pinned: use it within a call, not across turns. */
struct store_view;
struct store_view *store_live(struct store *s);
struct store_view *store_pin(struct store *s);                 /* now */
/* As of an earlier revision; E_STALE: history no longer reaches back, E_FUTURE: not here yet. */
int      store_pin_at(struct store *s, uint64_t rev, struct store_view **ret);
void     store_unpin(struct store_view *v);
/* Winding back over many changes takes its time: who serves clients asks first whether it is short (or not
 * possible at all), and else waits for it: done comes from the loop; with 0 store_pin_at() is short during
 * the call.  E_STALE; E_CLOSED. */
bool     store_pin_is_near(struct store *s, uint64_t rev);
struct store_rewind { struct qlink link; uint64_t rev; void (*done)(struct store_rewind *w, int err); };
void     store_rewind(struct store *s, struct store_rewind *w, uint64_t rev);
void     store_rewind_cancel(struct store_rewind *w);
uint64_t store_view_revision(const struct store_view *v);

bool     store_get(struct store_view *v, struct str key, struct store_kv *ret);
/* Keys in [from, to); to.n == 0: to the end.  O(log n). */
uint64_t store_count(struct store_view *v, struct str from, struct str to);
/* for (store_seek(&c, v, from, to); store_next(&c, &kv); )  Bound the number per turn yourself; a cursor on a
 * pinned view may be kept across turns, one on the live view may not. */
/* to is borrowed: keep it as long as the cursor */
struct store_cursor { struct btree_cursor at; struct str to; };
void     store_seek(struct store_cursor *c, struct store_view *v, struct str from, struct str to);
bool     store_next(struct store_cursor *c, struct store_kv *ret);

/* Linearizable reading: true: the live view is good right now; else wait for done. See raft_read(). */
bool store_read_now(struct store *s);
void store_read_barrier(struct store *s, struct raft_read *req);
/* done(0) once store_revision() >= rev; E_TIMEOUT; E_CLOSED. */
struct store_wait { struct qlink link; struct timer timer; uint64_t rev; void (*done)(struct store_wait *w,
    int err); };
void store_wait_revision(struct store *s, struct store_wait *w, uint64_t rev, uint64_t timeout_ms);
void store_wait_cancel(struct store_wait *w);

/* ---- Writing ------------------------------------------------------------------------------------ */

/* A transaction being written: if all compares hold, the `then` operations are done, else the `orelse` ones.
 * Built up in a buffer, nothing is copied twice.  At most STORE_MAX_OPS operations. */
#define STORE_MAX_OPS   512
#define STORE_NO_REV    UINT32_MAX
struct store_txn {
    struct buf buf;
    uint32_t n_if, n_then, n_else;
    int  part;
    bool reserve;                                /* done even when space is short */
};
#define STORE_MAX_DEPTH 16                       /* of transactions within transactions */

enum store_target { STORE_MOD, STORE_CREATE, STORE_VERSION, STORE_LEASE };
enum store_relation { STORE_EQ, STORE_NE, STORE_LT, STORE_GT };

void store_txn_init(struct store_txn *t);
void store_txn_release(struct store_txn *t);
/* First all compares, then all then-operations, then (after store_txn_else) the others. An absent key counts
 * as 0. */
void store_txn_if(struct store_txn *t, struct str key, enum store_target target, enum store_relation rel,
                  uint64_t value);
void store_txn_if_value(struct store_txn *t, struct str key, enum store_relation rel, struct str value);
/* The same of every key in [from, to); if there is none: as for an absent key. */
struct store_range { struct str from, to; };     /* to.n == 0: to the end */
void store_txn_if_range(struct store_txn *t, struct store_range r, enum store_target target,
                        enum store_relation rel,
                        uint64_t value);
void store_txn_if_range_value(struct store_txn *t, struct store_range r, enum store_relation rel,
                              struct str value);
/* rev_at: offset in value at which the new revision's decimal digits are inserted; STORE_NO_REV: stored as
 * is.
 * tag: kept with the key and shown in events, for indexed watching (0: none).  lease 0: none. */
void store_txn_put(struct store_txn *t, struct str key, struct str value, uint32_t rev_at, uint64_t tag,
                   uint64_t lease);
/* A put that keeps the value or the lease that the key has; without the key the transaction is refused. */
enum store_keep { STORE_KEEP_VALUE = 1, STORE_KEEP_LEASE = 2 };
void store_txn_put_keep(struct store_txn *t, struct str key, struct str value, uint64_t lease, unsigned keep);
/* last: what the DELETE event shows as value (with revision inserted at rev_at); empty: the value as it was.
 * Deleting an absent key does nothing. */
void store_txn_delete(struct store_txn *t, struct str key, struct str last, uint32_t rev_at);
void store_txn_delete_range(struct store_txn *t, struct str from, struct str to);
/* The same, and op[i].kvs are the keys as they were. */
void store_txn_take_range(struct store_txn *t, struct str from, struct str to);
void store_txn_get(struct store_txn *t, struct str key);       /* result in op[i] */
/* Up to limit (0: all) keys as op[i].kvs, and op[i].count of all; count_only: only that. */
void store_txn_range(struct store_txn *t, struct str from, struct str to, uint64_t limit, bool count_only);
/* A whole transaction as one operation.  Its compares see the state before the outermost one began; all
 * operations have one revision.  inner may be released after the call. */
void store_txn_nest(struct store_txn *t, const struct store_txn *inner);
/* Forget the past before rev: refused with E_STALE (compacted already) or E_FUTURE. */
void store_txn_compact(struct store_txn *t, uint64_t rev);
void store_txn_else(struct store_txn *t);
/* Leases are granted and revoked in transactions too; id 0: the store picks one (result lease). */
void store_txn_lease_grant(struct store_txn *t, uint64_t id, uint64_t ttl_ms);
void store_txn_lease_revoke(struct store_txn *t, uint64_t id);

struct store_op_result {
    /* put: as stored; delete: the last state (mod_rev: the deletion's); get */
    struct store_kv kv;
    struct store_kv prev;                        /* put, delete: as it was, if found */
    bool found;                                  /* put, delete, get: there was one */
    bool succeeded;                              /* nested: its compares held */
    uint64_t deleted, lease, count;
    const struct store_kv *kvs; size_t n_kvs;    /* range, take_range */
    const struct store_op_result *op; size_t n_op;       /* nested: of the part that was done */
    uint64_t rev;                                /* of the state once this operation was done */
};
struct store_commit {
    struct raft_proposal proposal;               /* the store's */
    struct store *store;
    uint64_t term;                               /* the caller's; not 0: as leader in that term only */
    struct qlink link;
    int err;
    /* err 0: decided; results valid during the call.  Nothing happened: E_NOLEADER, E_FULL, E_IO, E_CLOSED,
     * E_NOSPACE (store/space.h);
     * E_TOOBIG, E_INVALID
     * (a limit of store/limits.h, an empty key), E_NOTFOUND (a put names a lease that is not there),
     * E_CONFLICT (a put
     * keeps something of a key that is not there), E_EXISTS (grant of an id in use), E_STALE and E_FUTURE
     * (compaction).
     * E_UNKNOWN: it may or may not come to pass. */
    void (*done)(struct store_commit *c, int err);
    bool     succeeded;                          /* the compares held */
    /* revision of this transaction, or the current one if it changed nothing */
    uint64_t rev;
    const struct store_op_result *op; size_t n_op;
};
/* The caller's c lives until done. t may be released after the call. */
void store_commit(struct store *s, struct store_commit *c, const struct store_txn *t);
/* A transaction that only reads (get, range, nested), decided on the live view at once, without the log: c is
 * filled
 * in as for done(), which is not called.  Wait for store_read_barrier() first if it has to be linearizable.
 * E_INVALID: it would write.  E_TOOBIG. */
int store_read_txn(struct store *s, struct store_commit *c, const struct store_txn *t);

/* Leases: time counts on the leader, never early; a new leader gives every lease its full time again. */
/* On any head; E_NOTFOUND: it is gone. */
void store_lease_keep_alive(struct store *s, uint64_t id, void (*done)(void *arg, int err, uint64_t ttl_ms),
                            void *arg);
/* The time left is known on the leader only; elsewhere it is the full time. */
bool store_lease_get(struct store *s, uint64_t id, uint64_t *ret_ttl_ms, uint64_t *ret_left_ms);
/* The first lease with id >= from; the first key attached to a lease that is >= from (appended to ret_key).
 * False: no more. */
bool store_lease_next(struct store *s, uint64_t from, uint64_t *ret_id);
bool store_lease_next_key(struct store *s, uint64_t id, struct str from, struct buf *ret_key);

/* ---- Watching ----------------------------------------------------------------------------------- */

enum store_event_type { STORE_PUT, STORE_DELETE };
struct store_event {
    uint64_t rev;
    enum store_event_type type;
    struct str key;
    struct blob *value;                          /* PUT: stored; DELETE: last state as given by the deleter */
    struct blob *prev;                           /* value before, NULL on create */
    uint64_t create_rev, version, lease, tag;
    uint64_t prev_create_rev, prev_mod_rev, prev_version, prev_lease, prev_tag;      /* 0 on create */
    /* who watches keeps encoded forms here: one encoding for all */
    struct blob *frame[7];
};

/* A watch is a position in the event log.  It is pulled: on_ready says that something is there (or that it
 * ended);
 * the owner then calls store_watch_next() until E_AGAIN and will be told again, or leaves it for when its
 * sink has
 * room.  Events come in revision order, each once, none skipped; one that fell out of history ends with
 * E_STALE.
 * Parked watches cost nothing; an event touches only those whose range and tag it matches. */
struct store_watch;
struct store_watch_opts {
    /* Copied; [from, to); to.n == 0 with from.n > 0: the one key from.  A single key and what starts with the
     * same bytes are indexed, other ranges are scanned. */
    struct str from, to;
    uint64_t tag;                                /* only events whose tag or prev_tag is this; 0: all */
    uint64_t after_rev;                          /* first event has rev > after_rev */
    void (*on_ready)(void *arg, struct store_watch *w);
    void *arg;
};
/* E_STALE */
int  store_watch_open(struct store *s, const struct store_watch_opts *o, struct store_watch **ret);
/* 0: *ret is the next event, valid until the next turn; E_AGAIN; E_STALE (for good). */
int  store_watch_next(struct store_watch *w, struct store_event **ret);
/* The same, but it stays the next one. */
int  store_watch_peek(struct store_watch *w, struct store_event **ret);
/* All events up to and including this revision have been returned by store_watch_next (for bookmarks). */
uint64_t store_watch_seen(const struct store_watch *w);
void store_watch_close(struct store_watch *w);   /* NULL ok */

struct store_stats {
    uint64_t rev, history_start, compacted;
    uint64_t keys, bytes, leases, pins;
    uint64_t events, event_bytes, events_ever;   /* kept for watches; ever: since the start */
    uint64_t watches, slow_watches;              /* slow: they have events waiting */
    uint64_t nodes, dead_nodes;                  /* of trees: in memory; waiting to be freed */
    uint64_t served;                             /* requests answered since the start */
    uint64_t quota, disk_free;                   /* disk_free 0: not known */
    bool     space_short;
};
void store_stats(const struct store *s, struct store_stats *ret);
/* Would this many bytes more be too many, or is an alarm in force? */
bool store_space_short(struct store *s, size_t more);
/* A face of the store has answered a request: counted. */
void store_served(struct store *s);

/* to for "everything that starts with prefix": prefix with its last byte incremented (n 0: unbounded). */
struct str store_prefix_end(struct arena *a, struct str prefix);

#endif
