/* node/probe.c: when a probe runs, and when its results make a verdict.
 *
 * Kubernetes' terms hold: the first run after initialDelaySeconds, one every periodSeconds, a verdict after
 * failureThreshold failures or successThreshold successes in a row.  Until its first success a readiness or
 * startup probe runs more often, after 50, 100, 200, 400 ms and so on up to the period, so that a pod which
 * starts in 30 ms is ready in 50 and not in 10 s.  Failures of these runs in between don't count: an
 * application has as much time to start as failureThreshold and period say, and no more is said about it. */
#include "node/pod.h"
#include "node/probe.h"

#define WARM_FIRST_MS  50
#define WARM_SHIFT_MAX 16
#define SECONDS_MAX    INT32_MAX

struct probe {
    struct container *c;
    const struct json *spec;
    void (*on_result)(struct container *c, struct probe *p, bool ok, const char *reason);
    struct timer timer;
    struct action *action;
    uint64_t period_ms, timeout_ms;
    int64_t successes_wanted, failures_wanted;
    bool warm;                                   /* no success yet, and runs in between are wanted */
    unsigned warm_runs;
    uint64_t run_ms, count_ms;                   /* begin of this run; from when on a failure counts */
    int64_t successes, failures;                 /* in a row */
    bool known, verdict;                         /* what was told last */
};

static uint64_t seconds(const struct json *spec, const char *key, int64_t otherwise, int64_t least)
{
    int64_t s = json_i64_or(json_getz(spec, key), otherwise);
    return (uint64_t)MIN_OF(MAX_OF(s, least), (int64_t)SECONDS_MAX);
}

/* As far ahead as the period, or the warm-up, says. */
static void schedule_next(struct probe *p)
{
    uint64_t now = loop_now_ms(p->c->pod->agent->loop), at = p->run_ms + p->period_ms;

    if (p->warm) {
        uint64_t soon = now + ((uint64_t)WARM_FIRST_MS << MIN_OF(p->warm_runs, (unsigned)WARM_SHIFT_MAX));
        p->warm_runs++;
        at = MIN_OF(soon, p->count_ms);
    }
    timer_start(&p->timer, at > now ? at - now : 0);
}

/* The callback may free the probe: last. */
static void on_success(struct probe *p)
{
    p->warm = false;
    p->failures = 0;
    p->successes += p->successes < p->successes_wanted;
    if (!p->c->pod->agent->hollow || p->successes < p->successes_wanted)
        schedule_next(p);                        /* a hollow one has nothing more to find out */
    if (p->successes < p->successes_wanted || (p->known && p->verdict))
        return;
    p->known = p->verdict = true;
    p->on_result(p->c, p, true, "");
}

static void on_failure(struct probe *p, const char *reason)
{
    bool counts = !p->warm || p->run_ms >= p->count_ms;

    p->successes = 0;
    if (counts) {
        p->failures += p->failures < p->failures_wanted;
        p->count_ms = p->run_ms + p->period_ms;
    }
    schedule_next(p);
    if (!counts || p->failures < p->failures_wanted)
        return;
    p->known = true;
    p->verdict = false;
    p->on_result(p->c, p, false, reason);
}

static void probe_on_done(void *arg, bool ok, const char *reason)
{
    struct probe *p = arg;

    p->action = NULL;
    if (ok)
        on_success(p);
    else
        on_failure(p, reason);
}

static void probe_on_timer(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, timer);

    p->run_ms = loop_now_ms(t->loop);
    p->action = action_start(p->c, p->spec, p->timeout_ms, probe_on_done, p);
}

/* The initial delay counts from the container's start, not from ours. */
static uint64_t first_delay(const struct container *c, uint64_t initial_ms)
{
    const struct agent *a = c->pod->agent;
    int64_t for_s = agent_now_s(a) - c->started_s;
    uint64_t age = c->run_since_ms != 0 ? loop_now_ms(a->loop) - c->run_since_ms
                 : c->started_s > 0 && for_s > 0 ? (uint64_t)for_s * 1000 : 0;

    return initial_ms > age ? initial_ms - age : 0;
}

struct probe *probe_start(struct container *c, const struct json *spec, const char *what,
                          void (*on_result)(struct container *c, struct probe *p, bool ok,
                                            const char *reason))
{
    struct probe *p = mem_new(struct probe);

    p->c = c;
    p->spec = spec;
    p->on_result = on_result;
    p->period_ms = seconds(spec, "periodSeconds", 10, 1) * 1000;
    p->timeout_ms = seconds(spec, "timeoutSeconds", 1, 1) * 1000;
    p->successes_wanted = (int64_t)seconds(spec, "successThreshold", 1, 1);
    p->failures_wanted = (int64_t)seconds(spec, "failureThreshold", 3, 1);
    p->warm = what[0] != 'L';                    /* a liveness probe has nothing to gain by haste */
    timer_init(&p->timer, c->pod->agent->loop, probe_on_timer);
    timer_start(&p->timer, first_delay(c, seconds(spec, "initialDelaySeconds", 0, 0) * 1000));
    return p;
}

void probe_stop(struct probe *p)
{
    if (p == NULL)
        return;
    action_cancel(p->action);
    timer_stop(&p->timer);
    mem_free(p);
}
