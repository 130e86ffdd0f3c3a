/* node/server_pulse.h: the pulse of a session: a ping when nothing was said for a while, so that what lies
 * between keeps the connection and our TCP finds out about a peer that vanished; an end when nobody used it
 * for hours.  A peer that lives but does not read (`kubectl exec ... | less`) answers no ping, so silence
 * alone ends nothing. */
#ifndef NODE_SERVER_PULSE_H
#define NODE_SERVER_PULSE_H

#include "net/loop.h"

#define PULSE_PING_MS 30000
#define PULSE_IDLE_MS (4ull * 3600 * 1000)

struct pulse {
    struct timer timer;
    uint64_t used_ms;                            /* when a byte was last moved */
    void (*ping)(struct pulse *p);
    void (*idle)(struct pulse *p);               /* last: the owner ends */
};
void pulse_start(struct pulse *p, struct loop *l, void (*ping)(struct pulse *p),
                 void (*idle)(struct pulse *p));
void pulse_stop(struct pulse *p);                /* also when it was never started */
static inline void pulse_used(struct pulse *p) { p->used_ms = loop_now_ms(p->timer.loop); }

#endif
