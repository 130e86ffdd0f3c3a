/* api/deadline.c: see api/deadline.h.  All have the same time, so the oldest is always the next: one queue
 * and one timer, which is not moved when a request ends but looks again when it fires. */
#include "api/deadline.h"

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
        if (c->began)
            call_end(c);
        else
            call_fail(c, 504, REASON_TIMEOUT,
                      "Timeout: request did not complete within the allotted timeout");
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

    must(!qlinked(&c->due));
    c->due_ns = loop_now_ns(a->loop) + (uint64_t)REQUEST_MS * 1000000;
    qpush(&a->due, &c->due);
    if (!timer_active(&a->overdue))
        timer_start(&a->overdue, REQUEST_MS);
}
