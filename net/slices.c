/* net/slices.c: see net/slices.h. */
#include "net/slices.h"

struct slices { struct turn_hook hook; struct loop *loop; bool (*step)(void *state); void *state; };

static void on_slice(struct turn_hook *h)
{
    struct slices *s = container_of(h, struct slices, hook);

    if (s->step(s->state))
        mem_free(s);
    else
        turn_arm(s->loop, TURN_FREE, h);
}

void slices_run(struct loop *l, bool (*step)(void *state), void *state)
{
    struct slices *s = mem_new(struct slices);

    *s = (struct slices){ .loop = l, .step = step, .state = state };
    turn_init(&s->hook, on_slice);
    turn_arm(l, TURN_FREE, &s->hook);
}
