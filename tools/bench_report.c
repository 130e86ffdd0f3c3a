/* tools/bench_report.c: what people read: a line a second while it runs, and the result. */
#include <stdio.h>
#include <unistd.h>
#include "tools/bench.h"

/* ---- While it runs ------------------------------------------------------------------------------ */

static const char *ms_text(char *to, size_t n, uint64_t ns)
{
    double ms = (double)ns / 1e6;
    snprintf(to, n, ms < 10 ? "%.2f" : ms < 100 ? "%.1f" : "%.0f", ms);
    return to;
}

static void progress_line(struct bench *b, char *to, size_t n)
{
    const struct results *r = &b->res;
    const struct hist *h = &r->second_hist;
    double s = (double)(loop_hires_ns(b->loop) - r->start_ns) / 1e9;
    char p50[24], p99[24];

    switch (b->phase) {
    case PHASE_NAMESPACE:
    case PHASE_PROBE:
        snprintf(to, n, "preparing namespace %s", b->cfg.ns);
        break;
    case PHASE_FILL:
        snprintf(to, n, "creating objects: %llu of %llu", (unsigned long long)b->load.issued,
                 (unsigned long long)b->load.limit);
        break;
    case PHASE_WATCH:
        snprintf(to, n, "opening watches: %u of %u", b->watch.open, b->watch.n);
        break;
    case PHASE_WARMUP:
        snprintf(to, n, "warming up");
        break;
    case PHASE_MEASURE:
    case PHASE_SETTLE:
        snprintf(to, n, "%5.0f s  %8llu/s  p50 %7s ms  p99 %7s ms  %llu errors", s, (unsigned long long)h->n,
                 ms_text(p50, sizeof p50, hist_at(h, 0.5)), ms_text(p99, sizeof p99, hist_at(h, 0.99)),
                 (unsigned long long)r->second_errors);
        break;
    case PHASE_VERIFY:
        snprintf(to, n, "verifying: %llu of %llu found", (unsigned long long)b->failover.found,
                 (unsigned long long)b->failover.n_acked);
        break;
    default:
        snprintf(to, n, "removing the objects");
        break;
    }
}

void report_progress(struct bench *b)
{
    char line[160];

    progress_line(b, line, sizeof line);
    fprintf(stderr, isatty(2) ? "\r\033[K%s" : "%s\n", line);
    hist_clear(&b->res.second_hist);
    b->res.second_errors = 0;
}

/* ---- The result --------------------------------------------------------------------------------- */

static void text_metric(const struct results *r, enum bench_metric m, FILE *to)
{
    static const double at[] = { 0.5, 0.9, 0.99, 0.999, 1 };
    const struct hist *h = r->metric[m];
    char text[24];

    if (h == NULL || h->n == 0)
        return;
    fprintf(to, "%-18s %10llu", metric_names[m], (unsigned long long)h->n);
    for (size_t i = 0; i < ARRAY_LEN(at); i++)
        fprintf(to, " %8s", ms_text(text, sizeof text, hist_at(h, at[i])));
    fprintf(to, " %8s\n", ms_text(text, sizeof text, h->sum / h->n));
}

static void text_errors(const struct results *r, FILE *to)
{
    fprintf(to, "errors             %10llu\n", (unsigned long long)r->n_errors_total);
    for (unsigned i = 0; i < r->n_errors; i++) {
        const struct results_error *e = &r->error[i];
        char status[32];
        snprintf(status, sizeof status,
                 e->status > 0    ? "status %d"
                 : e->status == 0 ? "connection lost"
                                  : "timed out",
                 e->status);
        fprintf(to, "  %-16s %10llu   %s\n", status, (unsigned long long)e->n, e->example);
    }
    if (r->unsent > 0)
        fprintf(to, "due but never sent %10llu\n", (unsigned long long)r->unsent);
}

static void text_procs(const struct bench *b, FILE *to)
{
    for (unsigned i = 0; i < b->procs.n; i++) {
        const struct bench_proc *p = &b->procs.p[i];
        double cpu = (double)proc_cpu_ns(p), n = (double)MAX_OF(b->res.n, 1);
        if (!p->after.ok) {
            fprintf(to, "pid %-14d ended\n", p->pid);
            continue;
        }
        if (p->pid != 0)
            fprintf(to, "pid %-14d ", p->pid);
        else
            fprintf(to, "%-18s ", "this program");
        fprintf(to, "%7.2f s CPU (%5.1f %% of a core), %7.1f us each, %6.1f MB\n", cpu / 1e9,
                cpu / 1e7 / results_seconds(&b->res), cpu / 1e3 / n, (double)p->after.rss_bytes / 1e6);
    }
}

static void text_special(const struct bench *b, FILE *to)
{
    const struct bench_failover *f = &b->failover;
    char gap[24];

    if (b->cfg.work == WORK_WATCH)
        fprintf(to, "watchers           %10u   %llu events received of %llu\n", b->watch.n,
                (unsigned long long)b->watch.received, (unsigned long long)b->watch.expected);
    if (b->cfg.work == WORK_SCHEDULE || b->cfg.work == WORK_START)
        fprintf(to, "pods               %10llu of %lld in %.2f s from the first create\n",
                (unsigned long long)b->watch.reached, (long long)b->cfg.objects, results_seconds(&b->res));
    if (b->cfg.work != WORK_FAILOVER)
        return;
    fprintf(to, "longest gap        %10s ms without a successful write, from %.3f s on",
            ms_text(gap, sizeof gap, f->gap_ns),
            f->gap_at_ns > b->res.start_ns ? (double)(f->gap_at_ns - b->res.start_ns) / 1e9 : 0.0);
    if (f->killed_ns > 0)
        fprintf(to, " (killed at %.3f s)", (double)(f->killed_ns - b->res.start_ns) / 1e9);
    fprintf(to, "\nacknowledged       %10llu   found %llu, lost %llu, further objects %llu\n",
            (unsigned long long)f->n_acked, (unsigned long long)f->found, (unsigned long long)f->lost,
            (unsigned long long)f->strangers);
}

void report_text(const struct bench *b, FILE *to)
{
    const struct results *r = &b->res;

    if (isatty(2))
        fprintf(stderr, "\r\033[K");
    fprintf(to, "%s: %.0f/s for %.2f s, %lld connections to %u server%s%s\n", b->work->name,
            (double)r->n / results_seconds(r), results_seconds(r), (long long)b->cfg.connections,
            b->n_targets, b->n_targets > 1 ? "s" : "", b->cfg.rate > 0 ? ", open loop" : "");
    fprintf(to, "%-18s %10s %8s %8s %8s %8s %8s %8s\n", "latency in ms", "count", "p50", "p90", "p99",
            "p99.9", "max", "mean");
    for (unsigned m = 0; m < METRICS; m++)
        text_metric(r, m, to);
    text_special(b, to);
    text_errors(r, to);
    text_procs(b, to);
    fprintf(to, "received           %10.1f MB\n", (double)r->bytes / 1e6);
}
