/* tools/progress.h: what a person sees while something takes its time: a spinner per step on a terminal, one
 * plain line per finished step otherwise. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include "net/loop.h"

struct progress {
    struct loop *loop;
    struct timer spin;
    bool terminal, running;
    unsigned frame;
    uint64_t start_ns, step_ns;
    char text[160];
};

void progress_init(struct progress *p, struct loop *l);
void progress_start(struct progress *p, const char *fmt, ...) PRINTF_LIKE(2, 3);     /* a step begins */
/* it goes on: other text */
void progress_update(struct progress *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* it ended well: text and time */
void progress_done(struct progress *p);
void progress_fail(struct progress *p);
/* Seconds since progress_init. */
double progress_seconds(const struct progress *p);

#endif
