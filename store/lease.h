/* store/lease.h: the time of leases, kept by the leader alone.
 *
 * What leases exist is replicated (store/image.h); when one ends is not.  The leader runs a clock for each;
 * one that runs out becomes a transaction that revokes it.  A new leader gives every lease its full time
 * again, so a lease may live longer than asked but never shorter:
 *   - a renewal that the leader grants from memory is granted only while it surely leads (store.c asks raft);
 *   - a renewal that came through the log counts in `touches`, and an expiry proposed before it names
 *     the old count;
 *   - an expiry names the epoch (term) of the leader that found it, and every new leader first logs its own.
 * However many leases there are, none of this takes longer than a slice: a new leader starts its clocks, and
 * a former one gives them back, some thousand per turn; who asks for one that is not there yet starts it.
 * Thread: loop only. */
#ifndef STORE_LEASE_H
#define STORE_LEASE_H

#include "net/loop.h"
#include "net/map.h"
#include "store/image.h"

struct lease_clock;
struct lease_keeper {
    struct loop  *loop;
    const struct image *image;
    struct timer  timer;
    struct map    clocks;                        /* id -> struct lease_clock; some may be of a former life */
    uint64_t      life;                          /* counts times of leading and of following */
    struct ready_item slice;
    bool          counting;                      /* leases from next_id on may have no clock yet */
    uint64_t      next_id;
    size_t        sweep_at;                      /* where in the map the search for old clocks is */
    struct lease_clock **heap; size_t n, cap;    /* by due time */
    bool          leading;
    uint64_t      epoch;
    /* Propose that this lease ends (touches: seen); propose that this epoch begins. */
    void        (*expire)(void *arg, uint64_t id, uint64_t touches, uint64_t epoch);
    void        (*begin)(void *arg, uint64_t epoch);
    void         *arg;
};

void lease_keeper_init(struct lease_keeper *k, struct loop *l, const struct image *m);
void lease_keeper_release(struct lease_keeper *k);
void lease_keeper_lead(struct lease_keeper *k, uint64_t epoch);    /* every lease starts anew */
void lease_keeper_follow(struct lease_keeper *k);
/* A command granted, touched or removed this lease. */
void lease_keeper_changed(struct lease_keeper *k, uint64_t id);
/* Give it its full time again; false: not leading, absent, its end is under way already, or
 * may be, as our epoch is not applied yet. */
bool lease_keeper_renew(struct lease_keeper *k, uint64_t id);
/* What expire() proposed did not come to pass; try again soon, if it still applies. */
void lease_keeper_retry(struct lease_keeper *k, uint64_t id);
bool lease_keeper_left(const struct lease_keeper *k, uint64_t id, uint64_t *ret_ms);

#endif
