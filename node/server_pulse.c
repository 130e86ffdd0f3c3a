/* node/server_pulse.c: see node/server_pulse.h. */
#include "node/server_pulse.h"

static void pulse_on_timer(struct timer *t)
{
    struct pulse *p = container_of(t, struct pulse, timer);
    uint64_t quiet_ms = loop_now_ms(t->loop) - p->used_ms;

    if (quiet_ms >= PULSE_IDLE_MS) {
        p->idle(p);
        return;
    }
    timer_start(t, PULSE_PING_MS);
    if (quiet_ms >= PULSE_PING_MS)
        p->ping(p);
}

void pulse_start(struct pulse *p, struct loop *l, void (*ping)(struct pulse *p),
                 void (*idle)(struct pulse *p))
{
    timer_init(&p->timer, l, pulse_on_timer);
    p->ping = ping;
    p->idle = idle;
    pulse_used(p);
    timer_start(&p->timer, PULSE_PING_MS);
}

void pulse_stop(struct pulse *p)
{
    if (p->timer.loop != NULL)
        timer_stop(&p->timer);
}
