/* api/deadline.c: see api/deadline.h.  Almost all have the same time, so the oldest is always the next: one
 * queue and one timer, which is not moved when a request ends but looks again when it fires.  Who asks for
 * less has a timer of its own. */
#include "api/deadline.h"

struct own_deadline { struct timer timer; struct call *call; };

static void give_up(struct call *c)
{
    if (c->began)
        call_end(c);
    else
        call_fail(c, 504, REASON_TIMEOUT, "Timeout: request did not complete within the allotted timeout");
}

static void on_own(struct timer *t)
{
    give_up(container_of(t, struct own_deadline, timer)->call);
}

static void on_overdue(struct timer *t)
{
    struct api *a = container_of(t, struct api, overdue);
    uint64_t    now = loop_now_ns(a->loop);

    while (!qempty(&a->due)) {
        struct call *c = container_of(qfirst(&a->due), struct call, due);

        if (c->due_ns > now) {
            timer_start_ns(t, c->due_ns - now);
            return;
        }
        qdel(&c->due);
        give_up(c);
    }
}

void deadline_init(struct api *a)
{
    qinit(&a->due);
    timer_init(&a->overdue, a->loop, on_overdue);
}

void deadline_stop(struct api *a)
{
    timer_stop(&a->overdue);
}

void deadline_start(struct call *c)
{
    struct api *a = c->api;

    must(!qlinked(&c->due) && c->own_deadline == NULL);
    if (c->rq.opt.timeout_ms > 0 && c->rq.opt.timeout_ms < REQUEST_MS) {
        c->own_deadline = arena_new(c->arena, struct own_deadline);
        c->own_deadline->call = c;
        timer_init(&c->own_deadline->timer, a->loop, on_own);
        timer_start(&c->own_deadline->timer, c->rq.opt.timeout_ms);
        return;
    }
    c->due_ns = loop_now_ns(a->loop) + (uint64_t)REQUEST_MS * 1000000;
    qpush(&a->due, &c->due);
    if (!timer_active(&a->overdue))
        timer_start(&a->overdue, REQUEST_MS);
}

void deadline_end(struct call *c)
{
    qdel(&c->due);
    if (c->own_deadline != NULL)
        timer_stop(&c->own_deadline->timer);
    c->own_deadline = NULL;
}
