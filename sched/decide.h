/* sched/decide.h: one decision: which node for this pod, or why none.  Pure: reads the snapshot, changes
 * nothing but the classes' kept answers and the turn of equals. */
#ifndef SCHED_DECIDE_H
#define SCHED_DECIDE_H

#include "sched/class.h"

/* Pods that are to be spread (same controller): how many are on each node. */
struct group { struct str key; uint32_t *count; unsigned cap; uint64_t pods; };
struct groups { struct map by_key; };
void groups_release(struct groups *g);
void groups_add_pod(struct groups *g, struct sched_pod *p, unsigned node);
void groups_sub_pod(struct groups *g, struct sched_pod *p, unsigned node);

struct decider {
    struct nodes nodes;
    struct classes classes;
    struct groups groups;
    uint32_t *feasible; unsigned cap;            /* scratch: indexes that passed the filters */
    uint64_t turn;                               /* equals take turns */
};
void decider_init(struct decider *d);
void decider_release(struct decider *d);

/* Index of the best node, or -1. */
long decide(struct decider *d, struct sched_pod *p);
/* "0/3 nodes are available: 1 node(s) had untolerated taint {k: v}, 2 Insufficient cpu." */
struct str decide_why_not(struct decider *d, struct sched_pod *p, struct arena *a);
/* Could this pod run on node i at all as things are? (for waking parked pods) */
enum refusal decide_refusal(struct decider *d, struct sched_pod *p, unsigned i);

#endif
