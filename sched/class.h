/* sched/class.h: pods that ask the same of a node's standing facts (labels, taints, images) form a class.
 *
 * For each class the answers of the static filters and scores are kept per node, and made anew only for
 * nodes that changed: a thousand pods of one Deployment evaluate each node's labels and taints once.  Beside
 * them stands what a node's room is worth to the pod that was decided last: it holds for the next that asks
 * for the same, but on the nodes that got or lost a pod. */
#ifndef SCHED_CLASS_H
#define SCHED_CLASS_H

#include "sched/nodes.h"

/* Why a node is refused; in the order in which the filters run. */
enum refusal {
    REFUSED_NOT,
    REFUSED_UNSCHEDULABLE, REFUSED_TAINT, REFUSED_AFFINITY,                       /* static */
    REFUSED_PORTS, REFUSED_PODS, REFUSED_CPU, REFUSED_MEMORY, REFUSED_STORAGE, REFUSED_EXTENDED
};

struct class_node {                              /* one node's answers */
    uint64_t seen;                               /* node_info.changed they were made from; 0: never */
    uint8_t  refusal;                            /* REFUSED_NOT or a static one */
    /* raw: sum of preferred weights; intolerable PreferNoSchedule taints */
    int16_t  affinity, prefer_not;
    uint8_t  image;                              /* 0..100 */
    uint8_t  room;                               /* 0..200: least allocated and balanced, ... */
    int64_t  scored;                             /* ... when nodes->counts was this; 0: never */
};

struct class_ {
    struct arena arena;
    struct json *pod_spec;                       /* the parts that matter, in the arena */
    struct str key;
    struct class_node *node; unsigned cap;
    uint64_t used;                               /* for choosing the one to forget */
    bool has_affinity_score, has_image_score;    /* any preferred term; any image known on any node */
    /* What the last pod asked for, and nodes->counts when it was the first to: older scores are another's. */
    struct class_asked { int64_t cpu, memory, score_cpu, score_memory; bool best_effort; } asked;
    int64_t asked_at;
};

struct classes { struct class_ *v[SCHED_CLASSES]; unsigned n; uint64_t clock; };

void classes_release(struct classes *t);
/* The class of a pod; made, and the least used forgotten, where needed. */
struct class_ *classes_of(struct classes *t, const struct sched_pod *p);
/* Bring the answers for node i up to date and return them. */
const struct class_node *class_node(struct class_ *c, const struct nodes *t, unsigned i);
/* A decision for a pod that asks for this begins. */
void class_ask(struct class_ *c, struct nodes *t, const struct class_asked *asked);
/* Which taint refuses node i (for the message): key and value. */
void class_taint(const struct class_ *c, const struct nodes *t, unsigned i, struct str *ret_key,
                 struct str *ret_value);

#endif
