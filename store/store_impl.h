/* store/store_impl.h: struct store, shared by store.c (raft, commits, turns) and view.c (reading). */
#ifndef STORE_STORE_IMPL_H
#define STORE_STORE_IMPL_H

#include "store/compactor.h"
#include "store/lease.h"
#include "store/snapshot.h"
#include "store/space.h"
#include "store/state.h"
#include "store/watch.h"

struct store_view {
    struct store *store;
    const struct image *image;                   /* &pinned, or for the live view the state's own */
    struct image pinned;
    /* pins of the same revision share a view; 0: the live view */
    uint32_t     refs;
    struct qlink link;                           /* in store.pins */
};

struct store {
    struct loop *loop;
    struct raft *raft;
    struct state state;
    struct watch_hub hub;
    struct lease_keeper leases;
    struct space space;
    struct compactor compactor;
    struct store_view live;
    struct qlink pins;                           /* newest first */
    uint64_t     n_pins;
    struct qlink rewinds;                        /* store_rewind, in order; the first is being worked on */
    struct rewind winding; bool is_winding;
    struct ready_item rewind;
    struct qlink waits;                          /* store_wait by revision */
    struct qlink done;                           /* commits decided, to be told in TURN_NOTIFY, in order */
    struct arena results;                        /* of those */
    struct turn_hook notify, tidy;
    struct timer history;                        /* trims by age while nothing happens */
    struct snapshot_reader *restoring;
    void       (*on_leading)(void *arg, bool leader);
    void       (*on_removed)(void *arg);
    void        *arg;
    bool         leading, closing;
    const char  *version;                        /* never NULL */
    uint64_t     served;
    void       (*closed)(void *arg);
    void        *closed_arg;
};

/* Another look at commits, watches and space in this turn's TURN_NOTIFY, or the next's. */
void store__notify_soon(struct store *s);
/* view.c */
void store__rewind_init(struct store *s);
/* The waiting ones are told E_CLOSED. */
void store__rewind_close(struct store *s);
/* Dead nodes and old history go in TURN_FREE. */
void store__tidy_soon(struct store *s);

#endif
