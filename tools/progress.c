/* tools/progress.c: see tools/progress.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tools/progress.h"

#define SPIN_MS 80

static void draw(struct progress *p)
{
    static const char *const frames[] = { "⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏" };

    if (!p->terminal || !p->running)
        return;
    printf("\r\033[K%s %s", frames[p->frame++ % ARRAY_LEN(frames)], p->text);
    fflush(stdout);
}

static void on_spin(struct timer *t)
{
    struct progress *p = container_of(t, struct progress, spin);

    draw(p);
    timer_start(t, SPIN_MS);
}

void progress_init(struct progress *p, struct loop *l)
{
    const char *term = getenv("TERM");

    *p = (struct progress){ .loop = l, .start_ns = loop_hires_ns(l) };
    p->terminal = isatty(1) && term != NULL && strcmp(term, "dumb") != 0;
    timer_init(&p->spin, l, on_spin);
}

double progress_seconds(const struct progress *p)
{
    return (double)(loop_hires_ns(p->loop) - p->start_ns) / 1e9;
}

void progress_start(struct progress *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p->text, sizeof p->text, fmt, ap);
    va_end(ap);
    p->step_ns = loop_hires_ns(p->loop);
    p->running = true;
    draw(p);
    if (p->terminal)
        timer_start(&p->spin, SPIN_MS);
}

void progress_update(struct progress *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p->text, sizeof p->text, fmt, ap);
    va_end(ap);
    draw(p);
}

static void finish(struct progress *p, const char *mark, const char *plain)
{
    double took = (double)(loop_hires_ns(p->loop) - p->step_ns) / 1e9;

    if (!p->running)
        return;
    p->running = false;
    timer_stop(&p->spin);
    if (p->terminal)
        printf("\r\033[K%s %s (%.2f s)\n", mark, p->text, took);
    else
        printf("%s%s (%.2f s)\n", plain, p->text, took);
    fflush(stdout);
}

void progress_done(struct progress *p) { finish(p, "\033[32m✓\033[0m", ""); }
void progress_fail(struct progress *p) { finish(p, "\033[31m✗\033[0m", "failed: "); }
