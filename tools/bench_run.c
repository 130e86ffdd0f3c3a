/* tools/bench_run.c: the phases of a run, in order; see tools/bench.h. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "tools/bench.h"

#define SETTLE_MS       5000                     /* for events still on their way */
#define SETTLE_GOAL_MS  600000                   /* for pods that still have to be bound or run */
#define PROBE_TRIES     100
#define PROBE_AGAIN_MS  100

#define TO(p) (1u << (p))
static const unsigned phase_next[PHASE_END + 1] = {
    [PHASE_NEW]       = TO(PHASE_NAMESPACE) | TO(PHASE_FILL) | TO(PHASE_MEASURE) | TO(PHASE_END),
    [PHASE_NAMESPACE] = TO(PHASE_PROBE) | TO(PHASE_CLEAN),
    [PHASE_PROBE]     = TO(PHASE_FILL) | TO(PHASE_CLEAN),
    [PHASE_FILL]      = TO(PHASE_WATCH) | TO(PHASE_WARMUP) | TO(PHASE_CLEAN),
    [PHASE_WATCH]     = TO(PHASE_WARMUP) | TO(PHASE_CLEAN),
    [PHASE_WARMUP]    = TO(PHASE_MEASURE) | TO(PHASE_CLEAN),
    [PHASE_MEASURE]   = TO(PHASE_SETTLE) | TO(PHASE_CLEAN) | TO(PHASE_END),
    [PHASE_SETTLE]    = TO(PHASE_VERIFY) | TO(PHASE_CLEAN),
    [PHASE_VERIFY]    = TO(PHASE_CLEAN),
    [PHASE_CLEAN]     = TO(PHASE_END),
};

static void bench_move(struct bench *b, enum bench_phase to)
{
    must(phase_next[b->phase] & TO(to));
    b->phase = to;
    timer_stop(&b->phase_end);
}

static bool has_goal(const struct bench *b)
{
    return b->cfg.work == WORK_SCHEDULE || b->cfg.work == WORK_START;
}

/* ---- The end ------------------------------------------------------------------------------------ */

static void bench_end(struct bench *b)
{
    bench_move(b, PHASE_END);
    timer_stop(&b->second);
    timer_stop(&b->kill);
    control_close(b);
    load_close(b);
    watch_close(b);
    loop_stop(b->loop);
}

static void clean_on_namespace(struct bench *b, int status, struct str body)
{
    bench_end(b);
}

static void clean_on_leases(struct bench *b, int status, struct str body)
{
    struct str path = arena_fmt(&b->arena, "/api/v1/namespaces/%s", b->cfg.ns);
    control_send(b, "DELETE", path, STR_NONE, clean_on_namespace);
}

static void clean_on_pods(struct bench *b, int status, struct str body)
{
    struct str path = arena_fmt(&b->arena, "/apis/coordination.k8s.io/v1/namespaces/%s/leases", b->cfg.ns);

    if (status < 200 || status >= 300)
        fprintf(stderr, "coracle bench: the pods could not be removed: status %d %.*s\n", status,
                (int)MIN_OF(body.n, 300), body.p);
    if (status == 0) {                           /* nobody is there any more: the rest would wait as long */
        bench_end(b);
        return;
    }
    control_send(b, "DELETE", path, STR_NONE, clean_on_leases);
}

/* etcd: one range delete takes all keys; it goes where the load went. */
static void bench_clean_etcd(struct bench *b)
{
    bool can = b->load.open == b->load.n && b->load.in_flight == 0 && b->load.done == NULL && b->load.n > 0;

    if (b->cfg.keep || !can) {
        bench_end(b);
        return;
    }
    b->load.filling = false;
    b->load.cleaning = true;
    load_start(b, false, 1, 0, bench_end);
}

static void bench_clean(struct bench *b)
{
    struct str path = arena_fmt(&b->arena, "/api/v1/namespaces/%s/pods?gracePeriodSeconds=0", b->cfg.ns);

    bench_move(b, PHASE_CLEAN);
    if (b->work->etcd) {
        bench_clean_etcd(b);
        return;
    }
    load_close(b);
    watch_close(b);
    if (b->cfg.keep || b->control.done != NULL ||
        !b->prepared) /* a single request hangs: nothing is left to ask */
        bench_end(b);
    else
        control_send(b, "DELETE", path, STR_NONE, clean_on_pods);
}

void bench_give_up(struct bench *b, const char *fmt, ...)
{
    va_list ap;

    if (b->phase >= PHASE_CLEAN)
        return;
    b->exit_status = 1;
    fprintf(stderr, "coracle bench: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    bench_clean(b);
}

/* ---- Measuring ---------------------------------------------------------------------------------- */

static void bench_on_verified(struct bench *b, const char *error)
{
    if (error != NULL)
        bench_give_up(b, "%s: %llu of %llu", error, (unsigned long long)b->failover.lost,
                      (unsigned long long)b->failover.n_acked);
    else
        bench_clean(b);
}

static void settle_end(struct bench *b)
{
    results_end(&b->res, loop_hires_ns(b->loop));
    if (b->cfg.work == WORK_WATCH && b->watch.received != b->watch.expected)
        b->exit_status = 1;
    if (has_goal(b) && b->watch.reached < (uint64_t)b->cfg.objects) {
        b->exit_status = 1;
        b->res.end_ns = loop_hires_ns(b->loop);
        procs_after(&b->procs);
    }
    if (b->cfg.work == WORK_FAILOVER) {
        bench_move(b, PHASE_VERIFY);
        failover_verify(b, bench_on_verified);
    } else {
        bench_clean(b);
    }
}

/* Has all come that was to come? */
static void settle_check(struct bench *b)
{
    bool waits =
        (b->cfg.work == WORK_WATCH && b->watch.received < b->watch.expected && b->watch.lost_watches == 0) ||
        (has_goal(b) && b->watch.reached < (uint64_t)b->cfg.objects && !b->stopped);

    if (b->phase == PHASE_SETTLE && (!waits || !timer_active(&b->phase_end)))
        settle_end(b);
    else if (b->phase == PHASE_SETTLE && b->cfg.work == WORK_WATCH)
        timer_start(&b->second, 50);
}

void bench_on_goal(struct bench *b)
{
    if (b->watch.reached < (uint64_t)b->cfg.objects || b->phase < PHASE_MEASURE)
        return;
    b->res.end_ns = loop_hires_ns(b->loop);
    procs_after(&b->procs);
    settle_check(b);
}

static void measure_on_done(struct bench *b)
{
    if (b->res.end_ns == 0) {                    /* by count; by time the end was noted when it came */
        b->res.end_ns = loop_hires_ns(b->loop);
        procs_after(&b->procs);
    }
    if (b->cfg.work == WORK_FAILOVER)
        failover_end(b, b->res.end_ns);
    bench_move(b, PHASE_SETTLE);
    timer_start(&b->phase_end, has_goal(b) ? SETTLE_GOAL_MS : SETTLE_MS);
    settle_check(b);
}

static void measure_stop(struct bench *b)
{
    b->res.end_ns = loop_hires_ns(b->loop);
    procs_after(&b->procs);
    if (b->cfg.work == WORK_IDLE) {
        results_end(&b->res, b->res.end_ns);
        bench_end(b);
    } else {
        load_stop(b);
    }
}

static void measure_begin(struct bench *b)
{
    bench_move(b, PHASE_MEASURE);
    results_start(&b->res, b->work->main, loop_hires_ns(b->loop));
    procs_before(&b->procs);
    if (b->cfg.work == WORK_FAILOVER)
        failover_start(b);
    if (b->cfg.kill_pid > 0)
        timer_start(&b->kill, b->cfg.kill_after_ms);
    b->load.issued = 0;
    b->load.limit = (uint64_t)(has_goal(b) ? b->cfg.objects : b->cfg.requests);
    if (b->load.limit == 0)
        timer_start(&b->phase_end, b->cfg.duration_ms);
    timer_start(&b->second, 1000);
}

static void warmup_begin(struct bench *b)
{
    bench_move(b, PHASE_WARMUP);
    b->load.filling = false;
    if (b->cfg.warmup_ms == 0 || has_goal(b)) {
        measure_begin(b);
        load_start(b, false, b->load.limit, (uint64_t)b->cfg.rate, measure_on_done);
        return;
    }
    timer_start(&b->phase_end, b->cfg.warmup_ms);
    load_start(b, false, 0, (uint64_t)b->cfg.rate, measure_on_done);
}

/* ---- Preparing ---------------------------------------------------------------------------------- */

static struct str value_after(struct str text, const char *mark)
{
    const char *at = memmem(text.p, text.n, mark, strlen(mark));
    ptrdiff_t end;

    if (at == NULL)
        return STR_NONE;
    text = str_from(text, (size_t)(at - text.p) + strlen(mark));
    end = str_find(text, '"');
    return end < 0 ? STR_NONE : str_upto(text, (size_t)end);
}

static void watch_on_listed(struct bench *b, int status, struct str body)
{
    struct errbuf err = { "" };

    if (status != 200)
        bench_give_up(b, "cannot list pods: status %d", status);
    else if (watch_open(b, value_after(body, "\"resourceVersion\":\""), warmup_begin, &err) != 0)
        bench_give_up(b, "%s", err.s);
}

static void fill_on_done(struct bench *b)
{
    struct str path = arena_fmt(&b->arena, "/api/v1/namespaces/%s/pods?limit=1", b->cfg.ns);

    if (b->cfg.work != WORK_WATCH && !has_goal(b)) {
        warmup_begin(b);
        return;
    }
    bench_move(b, PHASE_WATCH);
    control_send(b, "GET", path, STR_NONE, watch_on_listed);
}

static void fill_begin(struct bench *b)
{
    uint64_t n = (uint64_t)b->cfg.objects * ((unsigned)b->work->fills_pods + (unsigned)b->work->fills_leases);

    if (b->phase != PHASE_FILL)
        bench_move(b, PHASE_FILL);
    if (b->work->fills_leases)
        b->lease_rv = arena_zalloc(&b->arena, (size_t)b->cfg.objects * sizeof *b->lease_rv);
    if (n > 0)
        load_start(b, true, n, 0, fill_on_done);
    else
        fill_on_done(b);
}

static void probe_send(struct bench *b);

/* A namespace that was just made may still lack what pods need (its service account, say): for a while that
 * is no error. */
static void probe_on_answer(struct bench *b, int status, struct str body)
{
    struct errbuf err = { "" };

    if (status == 201) {
        if (requests_learn(b, body, &err) != 0)
            bench_give_up(b, "%s", err.s);
        else if (load_connect(b, fill_begin, &err) != 0)
            bench_give_up(b, "%s", err.s);
    } else if ((status == 403 || status == 404 || status == 409 || status >= 500) &&
               ++b->probes < PROBE_TRIES) {
        timer_start(&b->phase_end, PROBE_AGAIN_MS);
    } else {
        bench_give_up(b, "cannot create a pod: status %d: %.*s", status, (int)MIN_OF(body.n, 500), body.p);
    }
}

static void probe_send(struct bench *b)
{
    struct str path = arena_fmt(&b->arena, "/api/v1/namespaces/%s/pods?dryRun=All", b->cfg.ns);
    struct str pod = requests_make(b, OP_CREATE, 0, 0);
    const char *body = memmem(pod.p, pod.n, "\r\n\r\n", 4);

    must(body != NULL);
    control_send(b, "POST", path, str_from(pod, (size_t)(body - pod.p) + 4), probe_on_answer);
}

static void namespace_on_answer(struct bench *b, int status, struct str body)
{
    if (status != 201 && status != 409) {
        bench_give_up(b, "cannot create the namespace: status %d %.*s", status, (int)MIN_OF(body.n, 500),
                      body.p);
        return;
    }
    b->prepared = true;
    bench_move(b, PHASE_PROBE);
    probe_send(b);
}

/* ---- Time and people ---------------------------------------------------------------------------- */

static void bench_on_phase_end(struct timer *t)
{
    struct bench *b = container_of(t, struct bench, phase_end);

    switch (b->phase) {
    case PHASE_PROBE:   probe_send(b); break;
    case PHASE_WARMUP:  measure_begin(b); break;
    case PHASE_MEASURE: measure_stop(b); break;
    case PHASE_SETTLE:  settle_end(b); break;
    default:            must(false);
    }
}

static void bench_on_second(struct timer *t)
{
    struct bench *b = container_of(t, struct bench, second);

    timer_start(&b->second, 1000);
    if (b->phase == PHASE_SETTLE && b->cfg.work == WORK_WATCH) {
        settle_check(b);
        return;
    }
    load_expire(b);
    report_progress(b);
}

static void bench_on_kill(struct timer *t)
{
    struct bench *b = container_of(t, struct bench, kill);

    b->failover.killed_ns = loop_hires_ns(b->loop);
    if (kill((pid_t)b->cfg.kill_pid, SIGKILL) != 0)
        bench_give_up(b, "cannot kill process %lld", (long long)b->cfg.kill_pid);
}

static void bench_on_signal(void *arg, int signum)
{
    struct bench *b = arg;

    if (b->stopped)                              /* asked twice: at once */
        _exit(130);
    b->stopped = true;
    if (b->phase == PHASE_MEASURE)
        measure_stop(b);
    else if (b->phase == PHASE_SETTLE)
        settle_check(b);
    else
        bench_give_up(b, "stopped");
}

int bench_start(struct bench *b, struct errbuf *err)
{
    struct str body =
        arena_fmt(&b->arena, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}",
                  b->cfg.ns);

    b->start_ns = loop_hires_ns(b->loop);
    b->rng = loop_random_u64(b->loop) | 1;
    b->next_seq = 1;
    timer_init(&b->phase_end, b->loop, bench_on_phase_end);
    timer_init(&b->second, b->loop, bench_on_second);
    timer_init(&b->kill, b->loop, bench_on_kill);
    results_start(&b->res, b->work->main, b->start_ns);
    loop_on_signal(b->loop, SIGINT, bench_on_signal, b);
    loop_on_signal(b->loop, SIGTERM, bench_on_signal, b);
    control_init(b);
    if (b->work->etcd)
        etcd_requests_init(b);
    else
        requests_init(b);
    timer_start(&b->second, 1000);
    if (b->cfg.work == WORK_IDLE) {
        measure_begin(b);
        return 0;
    }
    if (b->work->etcd) {
        bench_move(b, PHASE_FILL);
        return load_connect(b, fill_begin, err);
    }
    bench_move(b, PHASE_NAMESPACE);
    control_send(b, "POST", STR("/api/v1/namespaces"), body, namespace_on_answer);
    return 0;
}

void bench_release(struct bench *b)
{
    bench_conn_release(&b->control.conn);
    buf_release(&b->control.request);
    buf_release(&b->control.body);
    load_release(b);
    watch_release(b);
    failover_release(b);
    results_release(&b->res);
    requests_release(&b->req);
    arena_release(&b->arena);
}
