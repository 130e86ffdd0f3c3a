/* tools/bench_results.h: what was measured: a histogram per metric, latency over time, errors by status. */
#ifndef TOOLS_BENCH_RESULTS_H
#define TOOLS_BENCH_RESULTS_H

#include <stdio.h>
#include "net/blob.h"
#include "tools/bench_hist.h"

enum bench_metric {
    METRIC_GET,
    METRIC_CREATE,
    METRIC_UPDATE,
    METRIC_LIST,
    METRIC_LEASE,
    METRIC_RECEIPT,
    METRIC_BOUND,
    METRIC_RUNNING,
    METRIC_PUT,
    METRIC_RANGE,
    METRIC_TXN,
    METRIC_ALL,
    METRICS
};
extern const char *const metric_names[METRICS];

/* A stretch of time; its width doubles, two becoming one, whenever RESULTS_SLOTS are full. */
#define RESULTS_SLOTS    1024
#define RESULTS_SLOT_NS  100000000ull
struct results_slot { uint64_t n, errors, p50, p99, max; };

#define RESULTS_ERRORS 16
struct results_error { int status; uint64_t n; char example[160]; };

struct results {
    struct hist *metric[METRICS];                /* NULL: none came */
    enum bench_metric main;
    struct hist slot_hist, second_hist;          /* of the slot and of the second that go on */
    uint64_t slot_errors, second_errors, slot_ns, slot_end_ns;
    struct results_slot slot[RESULTS_SLOTS]; unsigned n_slots;
    /* status 0: connection lost, -1: timed out */
    struct results_error error[RESULTS_ERRORS]; unsigned n_errors;
    uint64_t start_ns, end_ns, n, n_errors_total, unsent, bytes;
};

void results_start(struct results *r, enum bench_metric main, uint64_t now_ns);
void results_add(struct results *r, enum bench_metric m, uint64_t latency_ns, uint64_t now_ns);
/* text: an example of the answer, or why the connection ended; may be empty. */
void results_error(struct results *r, int status, struct str text, uint64_t now_ns);
void results_end(struct results *r, uint64_t now_ns);
void results_release(struct results *r);
static inline double results_seconds(const struct results *r)
{
    return (double)(r->end_ns - r->start_ns) / 1e9;
}

struct bench;
void report_progress(struct bench *b);           /* once a second */
void report_text(const struct bench *b, FILE *to);
int  report_json(const struct bench *b, const char *path, struct errbuf *err);
int  report_svg(const struct bench *b, const char *path, struct errbuf *err);

#endif
