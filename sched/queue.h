/* sched/queue.h: the pods that wait for a node, in three places:
 *     active    to be decided now: by priority, then by arrival
 *     back-off  failed a moment ago: by the time they may be tried again
 *     parked    no node fits: until the cluster changes (or SCHED_FLUSH_MS pass) */
#ifndef SCHED_QUEUE_H
#define SCHED_QUEUE_H

#include "sched/pod.h"

struct pod_heap {
    struct sched_pod **v;
    size_t n, cap;
    bool (*before)(const struct sched_pod *, const struct sched_pod *);
};

struct sched_queue { struct pod_heap active, backoff; struct qlink parked; size_t n_parked; };

void queue_init(struct sched_queue *q);
void queue_release(struct sched_queue *q);       /* empty */
void queue_add(struct sched_queue *q, struct sched_pod *p);                          /* to the active ones */
/* longer with each attempt */
void queue_back_off(struct sched_queue *q, struct sched_pod *p, uint64_t now_ms);
void queue_park(struct sched_queue *q, struct sched_pod *p, uint64_t now_ms);
void queue_remove(struct sched_queue *q, struct sched_pod *p);                       /* from wherever it is */
/* next to decide; NULL */
struct sched_pod *queue_pop(struct sched_queue *q);
/* What is due becomes active. Returns when the next is due (UINT64_MAX: nothing waits). */
uint64_t queue_wake_due(struct sched_queue *q, uint64_t now_ms);
/* The cluster changed: parked pods for which fits() holds go on (to back-off until their time, else
 * active). */
void queue_wake_parked(struct sched_queue *q, uint64_t now_ms, bool (*fits)(void *arg, struct sched_pod *p),
                       void *arg);
/* any but the parked; NULL: none */
struct sched_pod *queue_any(const struct sched_queue *q);
size_t queue_length(const struct sched_queue *q);

#endif
