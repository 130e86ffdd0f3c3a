/* sched/nodes.h: the snapshot of all nodes that decisions are made on, as flat arrays by node index.
 *
 * What every decision reads (room left) stands in parallel arrays, so that looking at a thousand nodes
 * touches few cache lines; what only a new pod class or a report reads (labels, taints, images) hangs off
 * them. An index is stable while its node exists; freed ones are used again.  A node's pods may be known
 * before the node is: such usage waits in a nameless-to-others entry that is not `present`. */
#ifndef SCHED_NODES_H
#define SCHED_NODES_H

#include "net/map.h"
#include "sched/pod.h"

struct node_port { struct host_port p; unsigned count; };
struct node_extended { char *name; int64_t allocatable, used; };

struct node_info {
    char *name;
    struct arena arena;                          /* holds json and its text; made anew at each change */
    struct json *json;                           /* the Node object */
    struct str labels;                           /* JSON text of metadata.labels */
    bool unschedulable;
    struct node_port *ports; unsigned n_ports, cap_ports;
    struct node_extended *extended; unsigned n_extended;
    /* nodes->changes when labels, taints, images or such changed */
    uint64_t changed;
};

struct nodes {
    unsigned n, cap;                             /* indexes in use: [0, n), some not present */
    bool    *present;
    int64_t *cpu, *memory, *storage, *pods;      /* allocatable */
    int64_t *used_cpu, *used_memory, *used_storage, *used_pods;
    int64_t *score_cpu, *score_memory;           /* used, with defaults for pods that ask for nothing */
    int64_t *counted;                            /* `counts` when any of these last changed */
    struct node_info *info;
    struct map by_name;                          /* name -> index + 1 */
    unsigned n_present, n_free;                  /* nodes known; indexes below n without a name */
    uint64_t changes;
    /* only grows: orders what was counted and what was made from it */
    int64_t  counts;
};

void nodes_init(struct nodes *t);
void nodes_release(struct nodes *t);
/* Add or change (now: o as a tree); returns true when something that could make a pod fit has changed. */
bool nodes_put(struct nodes *t, const struct object *o, const struct json *now);
void nodes_remove(struct nodes *t, struct str name);
/* Index of a name, or -1. */
long nodes_find(const struct nodes *t, struct str name);
/* Count a pod on a node (made if unknown) and take it off again. */
void nodes_add_pod(struct nodes *t, struct str name, struct sched_pod *p);
void nodes_sub_pod(struct nodes *t, struct sched_pod *p);
void nodes_check(const struct nodes *t);         /* invariants */

#endif
