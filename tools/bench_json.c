/* tools/bench_json.c: the result for programs. */
#include "api/json.h"
#include "node/files.h"
#include "tools/bench.h"

static struct json *num(struct arena *a, double v)
{
    struct json *j = json_new(a, JSON_NUMBER);
    j->s = arena_fmt(a, "%.6g", v);
    return j;
}

static struct json *metric_json(struct arena *a, const struct hist *h)
{
    struct json *o = json_object(a);

    json_setz(a, o, "count", json_int(a, (int64_t)h->n));
    json_setz(a, o, "mean_ms", num(a, (double)h->sum / (double)h->n / 1e6));
    json_setz(a, o, "p50_ms", num(a, (double)hist_at(h, 0.5) / 1e6));
    json_setz(a, o, "p90_ms", num(a, (double)hist_at(h, 0.9) / 1e6));
    json_setz(a, o, "p99_ms", num(a, (double)hist_at(h, 0.99) / 1e6));
    json_setz(a, o, "p999_ms", num(a, (double)hist_at(h, 0.999) / 1e6));
    json_setz(a, o, "max_ms", num(a, (double)h->max / 1e6));
    return o;
}

static struct json *errors_json(struct arena *a, const struct results *r)
{
    struct json *list = json_array(a);

    for (unsigned i = 0; i < r->n_errors; i++) {
        struct json *o = json_push(list, json_object(a));
        json_setz(a, o, "status", json_int(a, r->error[i].status));
        json_setz(a, o, "count", json_int(a, (int64_t)r->error[i].n));
    }
    return list;
}

static struct json *procs_json(struct arena *a, const struct bench *b)
{
    struct json *list = json_array(a);

    for (unsigned i = 0; i < b->procs.n; i++) {
        const struct bench_proc *p = &b->procs.p[i];
        struct json *o = json_push(list, json_object(a));
        json_setz(a, o, "pid", json_int(a, p->pid));
        json_setz(a, o, "alive", json_bool(a, p->after.ok));
        json_setz(a, o, "cpu_s", num(a, (double)proc_cpu_ns(p) / 1e9));
        json_setz(a, o, "cpu_us_per_request",
                  num(a, (double)proc_cpu_ns(p) / 1e3 / (double)MAX_OF(b->res.n, 1)));
        json_setz(a, o, "rss_mb", num(a, (double)p->after.rss_bytes / 1e6));
    }
    return list;
}

static struct json *slots_json(struct arena *a, const struct results *r)
{
    struct json *list = json_array(a);

    for (unsigned i = 0; i < r->n_slots; i++) {
        struct json *o = json_push(list, json_object(a));
        json_setz(a, o, "t_s", num(a, (double)(i * r->slot_ns) / 1e9));
        json_setz(a, o, "count", json_int(a, (int64_t)r->slot[i].n));
        json_setz(a, o, "errors", json_int(a, (int64_t)r->slot[i].errors));
        json_setz(a, o, "p50_ms", num(a, (double)r->slot[i].p50 / 1e6));
        json_setz(a, o, "p99_ms", num(a, (double)r->slot[i].p99 / 1e6));
        json_setz(a, o, "max_ms", num(a, (double)r->slot[i].max / 1e6));
    }
    return list;
}

static void special_json(struct arena *a, struct json *o, const struct bench *b)
{
    const struct bench_failover *f = &b->failover;

    if (b->cfg.work == WORK_WATCH) {
        json_setz(a, o, "watchers", json_int(a, b->watch.n));
        json_setz(a, o, "events_expected", json_int(a, (int64_t)b->watch.expected));
        json_setz(a, o, "events_received", json_int(a, (int64_t)b->watch.received));
    }
    if (b->cfg.work == WORK_SCHEDULE || b->cfg.work == WORK_START)
        json_setz(a, o, "pods", json_int(a, (int64_t)b->watch.reached));
    if (b->cfg.work != WORK_FAILOVER)
        return;
    json_setz(a, o, "longest_gap_ms", num(a, (double)f->gap_ns / 1e6));
    json_setz(a, o, "acknowledged", json_int(a, (int64_t)f->n_acked));
    json_setz(a, o, "lost", json_int(a, (int64_t)f->lost));
    json_setz(a, o, "unacknowledged", json_int(a, (int64_t)f->strangers));
}

int report_json(const struct bench *b, const char *path, struct errbuf *err)
{
    const struct results *r = &b->res;
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct json *o = json_object(&a), *latency = json_object(&a);
    int rc;

    json_setz(&a, o, "workload", json_string(&a, str_of(b->work->name)));
    json_setz(&a, o, "connections", json_int(&a, b->cfg.connections));
    json_setz(&a, o, "rate", json_int(&a, b->cfg.rate));
    json_setz(&a, o, "seconds", num(&a, results_seconds(r)));
    json_setz(&a, o, "requests", json_int(&a, (int64_t)r->n));
    json_setz(&a, o, "per_second", num(&a, (double)r->n / results_seconds(r)));
    for (unsigned m = 0; m < METRICS; m++)
        if (r->metric[m] != NULL && r->metric[m]->n > 0)
            json_setz(&a, latency, metric_names[m], metric_json(&a, r->metric[m]));
    json_setz(&a, o, "latency", latency);
    json_setz(&a, o, "errors", errors_json(&a, r));
    json_setz(&a, o, "unsent", json_int(&a, (int64_t)r->unsent));
    special_json(&a, o, b);
    json_setz(&a, o, "processes", procs_json(&a, b));
    json_setz(&a, o, "over_time", slots_json(&a, r));
    json_write_pretty(&out, o, 2);
    buf_char(&out, '\n');
    rc = file_replace(path, buf_str(&out), 0644, false, err);
    buf_release(&out);
    arena_release(&a);
    return rc;
}
