/* tools/bench_results.c: see tools/bench_results.h. */
#include "net/err.h"
#include "tools/bench_results.h"

const char *const metric_names[METRICS] = {
    "get", "create", "update", "list", "lease", "write to receipt", "create to bound", "create to running",
    "put", "range", "txn", "all"
};

void results_start(struct results *r, enum bench_metric main, uint64_t now_ns)
{
    results_release(r);
    memset(r, 0, sizeof *r);
    r->main = main;
    r->start_ns = now_ns;
    r->slot_ns = RESULTS_SLOT_NS;
    r->slot_end_ns = now_ns + r->slot_ns;
    hist_clear(&r->slot_hist);
    hist_clear(&r->second_hist);
}

void results_release(struct results *r)
{
    for (unsigned i = 0; i < METRICS; i++) {
        mem_free(r->metric[i]);
        r->metric[i] = NULL;
    }
}

/* Neighbours become one: percentiles of the two are weighed by their counts, which is near enough for a
 * picture. */
static void halve_slots(struct results *r)
{
    for (unsigned i = 0; i < RESULTS_SLOTS / 2; i++) {
        const struct results_slot x = r->slot[2 * i], y = r->slot[2 * i + 1];
        uint64_t n = MAX_OF(x.n + y.n, 1);
        r->slot[i] = (struct results_slot){ .n = x.n + y.n,
                                            .errors = x.errors + y.errors,
                                            .max = MAX_OF(x.max, y.max),
                                            .p50 = (x.p50 * x.n + y.p50 * y.n) / n,
                                            .p99 = (x.p99 * x.n + y.p99 * y.n) / n };
    }
    r->n_slots = RESULTS_SLOTS / 2;
    r->slot_ns *= 2;
}

static void close_slot(struct results *r)
{
    const struct hist *h = &r->slot_hist;

    must(r->n_slots < RESULTS_SLOTS);
    r->slot[r->n_slots++] = (struct results_slot){
        .n = h->n, .errors = r->slot_errors, .p50 = hist_at(h, 0.5), .p99 = hist_at(h, 0.99), .max = h->max
    };
    hist_clear(&r->slot_hist);
    r->slot_errors = 0;
    if (r->n_slots == RESULTS_SLOTS)
        halve_slots(r);
    r->slot_end_ns += r->slot_ns;
}

static void catch_up(struct results *r, uint64_t now_ns)
{
    while (now_ns >= r->slot_end_ns)
        close_slot(r);
}

void results_add(struct results *r, enum bench_metric m, uint64_t latency_ns, uint64_t now_ns)
{
    if (r->metric[m] == NULL) {
        r->metric[m] = mem_alloc(sizeof(struct hist));
        hist_clear(r->metric[m]);
    }
    hist_add(r->metric[m], latency_ns);
    if (m != r->main && r->main != METRIC_ALL)
        return;
    catch_up(r, now_ns);
    hist_add(&r->slot_hist, latency_ns);
    hist_add(&r->second_hist, latency_ns);
    r->n++;
}

void results_error(struct results *r, int status, struct str text, uint64_t now_ns)
{
    struct results_error *e = NULL;

    catch_up(r, now_ns);
    r->slot_errors++;
    r->second_errors++;
    r->n_errors_total++;
    for (unsigned i = 0; i < r->n_errors && e == NULL; i++)
        if (r->error[i].status == status)
            e = &r->error[i];
    if (e == NULL) {
        /* more kinds than rows share the last one */
        e = &r->error[MIN_OF(r->n_errors, RESULTS_ERRORS - 1)];
        r->n_errors = MIN_OF(r->n_errors + 1, RESULTS_ERRORS);
        e->status = status;
        snprintf(e->example, sizeof e->example, "%.*s", (int)MIN_OF(text.n, sizeof e->example - 1),
                 text.n > 0 ? text.p : "");
    }
    e->n++;
}

void results_end(struct results *r, uint64_t now_ns)
{
    if (r->slot_hist.n > 0 || r->slot_errors > 0) {
        r->slot_end_ns = MAX_OF(r->slot_end_ns, now_ns);
        close_slot(r);
    }
    if (r->main == METRIC_ALL) {
        r->metric[METRIC_ALL] = mem_alloc(sizeof(struct hist));
        hist_clear(r->metric[METRIC_ALL]);
        for (unsigned i = 0; i < METRIC_ALL; i++)
            if (r->metric[i] != NULL)
                hist_merge(r->metric[METRIC_ALL], r->metric[i]);
    }
}
