/* sched/pod.h: what scheduling needs to know of a pod, taken once from its JSON. */
#ifndef SCHED_POD_H
#define SCHED_POD_H

#include "api/informer.h"
#include "sched/limits.h"

/* What a pod asks for: the larger of (sum of containers and sidecars, any init container) plus overhead. */
struct request {
    int64_t cpu, memory, storage;                /* millis, bytes, bytes (ephemeral) */
    /* the same, but 100m and 200Mi a container that asks for none */
    int64_t score_cpu, score_memory;
    unsigned n_extended;
    struct { struct str name; int64_t amount; } extended[SCHED_EXTENDED];
};

struct host_port { struct str ip, protocol; int64_t port; };

enum pod_state {
    POD_WAITING,                                 /* in the active queue */
    POD_BACKOFF,                                 /* until its timer */
    POD_PARKED,                                  /* unschedulable until something changes */
    /* counted on a node; the binding is under way or not seen yet */
    POD_ASSUMED,
    POD_BOUND,                                   /* has a node, according to the API */
    POD_GATED                                    /* schedulingGates: not ours yet */
};

struct class_;
struct group;

struct sched_pod {
    struct qlink link;                           /* in a queue, by state */
    struct object *object;                       /* one reference */
    struct arena arena;                          /* holds the texts below */
    enum pod_state state;
    int64_t  priority;
    uint64_t seq;                                /* order of arrival */
    struct request req;
    struct host_port *ports; unsigned n_ports;
    struct str class_key;                        /* all that static filters and scores look at, as text */
    /* pods that are to be spread: namespace and controller's uid; empty: none */
    struct str group_key;
    struct str node_name;                        /* where it is, once bound */
    struct str reported;                         /* the last unschedulable message written to its status */
    long     node;                               /* index it is counted on; -1: none */
    struct group *group;                         /* counted in; NULL: not counted */
    uint64_t due_ms;                             /* end of back-off, of parking, or of assumption */
    unsigned attempts;
    size_t   heap_at;                            /* sched/queue.c */
    bool     best_effort, binding;               /* binding: a call is in flight */
};

/* From a pod as it stands in the API; holds a reference of o. */
struct sched_pod *sched_pod_new(struct object *o, const struct json *json, uint64_t seq);
void              sched_pod_free(struct sched_pod *p);
/* Would the scheduler of this name place it? (no node, right schedulerName, not ending) */
bool sched_pod_is_ours(const struct json *json, const char *scheduler);
/* cpu, memory, ephemeral-storage: those that have places of their own. */
bool sched_is_core_resource(struct str name);

#endif
