/* ctrl/sweep.h: a look at every object of an informer, a slice a turn: how controllers begin when their
 * caches are full.
 *
 * Embedded in its controller, zeroed before; what changes meanwhile is told by the informer as ever. */
#ifndef CTRL_SWEEP_H
#define CTRL_SWEEP_H

#include "ctrl/workqueue.h"

struct sweep {
    struct turn_hook hook;                       /* (ready items would go on within the turn) */
    struct loop *loop;
    struct informer *by;
    struct informer_walk walk;
    void (*look)(void *arg, struct object *o);
    void *arg;
};
void sweep_start(struct sweep *s, struct loop *l, struct informer *by,
                 void (*look)(void *arg, struct object *o), void *arg);
/* The commonest look: add every object's key to a queue. */
void sweep_into(struct sweep *s, struct loop *l, struct informer *by, struct workqueue *q);
void sweep_stop(struct sweep *s);                /* also one that never began, or is through */

#endif
