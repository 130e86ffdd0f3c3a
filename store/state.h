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
/* The keys as of an earlier revision, by undoing events of history on a copy of `from`: the present, or a later
 * past that is still pinned.  Costs O(events between), so it goes in steps: they may be given up at any time
 * by releasing the image. */
struct rewind { struct image image; uint64_t rev, pos; };
/* E_STALE, E_FUTURE: and *ret is untouched. */
int  state_rewind_begin(const struct state *s, const struct image *from, uint64_t rev, struct rewind *ret);
/* Undo up to n events.  0: image is as of rev; E_AGAIN: more is to be undone; E_STALE: history was let go of. */
int  state_rewind_some(const struct state *s, struct rewind *r, unsigned n);
/* All of it at once. */
int  state_rewind(const struct state *s, const struct image *from, uint64_t rev, struct image *ret);
/* How many that would be, for what can be wound back. */
uint64_t state_rewind_cost(const struct state *s, const struct image *from, uint64_t rev);
/* The image (taken over) becomes the state; history starts anew there. */
void state_replace(struct state *s, struct image *with);
void state_kv(const struct btree_item *it, struct store_kv *ret);

#endif
