/* sched/scheduler.h: binds pods without a node to nodes, through the API like any other scheduler.
 *
 * Runs on the leading head (or anywhere a client reaches): watches nodes and pods, decides on a snapshot
 * held in flat arrays, assumes, then binds; a failed bind is undone and retried with back-off.  Nothing
 * blocks: the queue is worked off in bounded slices per turn, binds are pipelined. */
#ifndef SCHED_SCHEDULER_H
#define SCHED_SCHEDULER_H

#include "api/shared.h"

struct scheduler;
struct scheduler_opts {
    struct client *client;                       /* borrowed, outlives the scheduler */
    /* Of nodes and pods, made in this turn of the loop, borrowed, freed in the turn that stops the scheduler;
     * NULL: it makes its own. */
    struct shared *shared;
    const char *name;                            /* NULL: default-scheduler */
    unsigned max_binds_in_flight;                /* 0: default of sched/limits.h */
};
struct scheduler *scheduler_start(const struct scheduler_opts *o);
/* NULL ok; in-flight calls are canceled; frees in slices: its loop runs on */
void scheduler_stop(struct scheduler *s);

struct scheduler_stats { uint64_t scheduled, unschedulable, bind_errors, queued, nodes; };
void scheduler_stats(const struct scheduler *s, struct scheduler_stats *ret);

#endif
