/* store/state.h: the state machine: image + history, and how a committed command changes them.
 *
 * state_apply() is a pure function of (image, command): no clock, no dice, nothing of this head decides, so
 * every head that applies the same log has the same image.  What it is told besides, the time, only dates
 * the events for trimming.  Thread: loop only.  No callbacks. */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "store/event_log.h"
#include "store/image.h"
#include "store/txn.h"

struct state {
    struct btree_pool pool;
    struct image      now;
    struct event_log  log;
    /* Leases that the last command granted, touched or removed (an id may appear twice). */
    uint64_t          lease_changed[TXN_MAX_WAY]; unsigned n_lease_changed;
    unsigned          bugs;                      /* tests only: see raft/bugs.h */
};

struct state_result {
    /* 0, or why the whole command was refused (nothing happened) */
    int      err;
    bool     succeeded;
    uint64_t rev;
    /* in the arena; blobs borrowed from image and history */
    const struct store_op_result *op; size_t n_op;
};

void state_init(struct state *s, uint64_t history_ns, uint64_t history_bytes);
void state_release(struct state *s);
/* results NULL: nobody asks, only s changes (ret may be NULL then).
 * Refusals: see struct store_commit.
 * Keys and values in results live until history is trimmed in TURN_FREE: whatever leaves the tree stays in
 * an event. */
void state_apply(struct state *s, struct str command, uint64_t now_ns, struct arena *results,
                 struct state_result *ret);
/* What a command that only reads would find now; E_INVALID if it writes. */
int  state_read(struct state *s, struct str command, struct arena *results, struct state_result *ret);
/* The keys as of an earlier revision, by undoing events of history on `from`: the present, or a later past
 * that is still pinned; costs O(events between).  E_STALE, E_FUTURE. */
int  state_rewind(const struct state *s, const struct image *from, uint64_t rev, struct image *ret);
/* The image (taken over) becomes the state; history starts anew there. */
void state_replace(struct state *s, struct image *with);
void state_kv(const struct btree_item *it, struct store_kv *ret);

#endif
