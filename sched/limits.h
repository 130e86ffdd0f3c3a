/* sched/limits.h: every bound of the scheduler. */
#ifndef SCHED_LIMITS_H
#define SCHED_LIMITS_H

#define SCHED_BINDS_IN_FLIGHT   512      /* bindings sent and not yet answered */
#define SCHED_DECISIONS_PER_TURN 256     /* the rest of the queue waits for the next turn */
#define SCHED_FREED_PER_TURN    128      /* pods forgotten in one turn when the scheduler stops */
#define SCHED_CLASSES           64       /* pod classes whose static answers are kept; the least used goes */
#define SCHED_BACKOFF_FIRST_MS  1000
#define SCHED_BACKOFF_MAX_MS    10000
/* unschedulable pods are tried again after this even if nothing happened */
#define SCHED_FLUSH_MS          300000
#define SCHED_ASSUME_MS         30000    /* a bound pod must show up with its node by then */
#define SCHED_EXTENDED          8        /* extended resources (vendor.com/thing) that one pod may ask for */
/* of one resource, one pod: 32,768 such pods still fit 64 bits */
#define SCHED_MAX_AMOUNT        (1ll << 48)
#define SCHED_MAX_SCORE         100

#endif
