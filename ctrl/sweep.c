/* ctrl/sweep.c: see ctrl/sweep.h. */
#include "ctrl/sweep.h"

static void on_slice(struct turn_hook *h)
{
    struct sweep *s = container_of(h, struct sweep, hook);
    struct object *o = NULL;

    for (int n = 0; n < CTRL_SWEEP_SLICE && (o = informer_walk_next(&s->walk)) != NULL; n++)
        s->look(s->arg, o);
    if (o != NULL)
        turn_arm(s->loop, TURN_NOTIFY, h);
    else
        sweep_stop(s);
}

void sweep_start(struct sweep *s, struct loop *l, struct informer *by,
                 void (*look)(void *arg, struct object *o), void *arg)
{
    must(s->by == NULL);
    *s = (struct sweep){ .loop = l, .by = by, .look = look, .arg = arg };
    turn_init(&s->hook, on_slice);
    informer_walk_start(&s->walk, by);
    turn_arm(l, TURN_NOTIFY, &s->hook);
}

static void add_to_queue(void *arg, struct object *o) { workqueue_add(arg, o->ns, o->name); }

void sweep_into(struct sweep *s, struct loop *l, struct informer *by, struct workqueue *q)
{
    sweep_start(s, l, by, add_to_queue, q);
}

void sweep_stop(struct sweep *s)
{
    if (s->by == NULL)
        return;
    s->by = NULL;
    turn_cancel(&s->hook);
    informer_walk_stop(&s->walk);
}
