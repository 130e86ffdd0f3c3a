/* ctrl/gc_graph.h: who owns whom, as ownerReferences say.
 *
 * Only objects that own or are owned are in it.  An owner may be known by its references alone: then it is
 * not `observed` and whether it exists must be asked.  Uids are never used twice, so that what was absent
 * once stays so. */
#ifndef CTRL_GC_GRAPH_H
#define CTRL_GC_GRAPH_H

#include "api/schema.h"
#include "net/loop.h"
#include "net/map.h"

struct gc_node;
struct gc_edge {                                 /* one ownerReference: item -> owner */
    struct qlink of_owner;                       /* owner->dependents */
    struct gc_node *item, *owner;
    bool blocks;                                 /* blockOwnerDeletion */
};
struct gc_node {
    struct qlink unseen;
    char *uid;
    const struct resource *res;                  /* NULL: not known (by reference only) */
    char *ns, *name;
    bool observed, absent;
    uint64_t asked_rv;                           /* revision of the item whose owners were last asked for */
    /* being deleted, with a finalizer that is ours to drop: stays here */
    bool waiting;
    struct gc_edge **edges; unsigned n_edges;    /* to its owners */
    struct qlink dependents;
};
/* unseen: nodes in the order they were made, until somebody takes them off. */
struct gc_graph { struct map by_uid; struct qlink unseen; bool remember; };

void gc_graph_init(struct gc_graph *g);

/* Takes the content over and frees it in slices: the loop runs on. */
void gc_graph_release(struct gc_graph *g, struct loop *l);
/* The next node that was made while `remember` was set and nobody has seen; NULL: none is left. */
struct gc_node *gc_graph_unseen(struct gc_graph *g);
struct gc_node *gc_graph_find(const struct gc_graph *g, struct str uid);
/* The object as it is now; *ret_changed: its owners changed.  NULL: it has nothing to do with any other. */
struct gc_node *gc_graph_put(struct gc_graph *g, const struct resource *res, const struct json *obj,
                             bool *ret_changed);
/* The object is gone: call before gc_graph_drop with on_dependent / on_owner to hear whom that concerns. */
void gc_graph_drop(struct gc_graph *g, struct str uid, void (*touched)(void *arg, struct gc_node *n),
                   void *arg);

#endif
