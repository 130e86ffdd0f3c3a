/* api/metrics.h: counters of the API of one head and the Prometheus text that /metrics answers. */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "api/request.h"
#include "net/blob.h"
#include "store/store.h"

#define METRICS_BUCKETS 12

struct metrics {
    uint64_t requests[API_VERBS][6];             /* by verb and status class (1xx..5xx; [0] unused) */
    uint64_t duration[API_VERBS][METRICS_BUCKETS + 1];
    uint64_t duration_ns[API_VERBS];
    uint64_t in_flight, watches, aborted;
    uint64_t conflicts, retries, too_old;
};
void metrics_count(struct metrics *m, enum api_verb verb, int code, uint64_t duration_ns);
void metrics_write(struct buf *out, const struct metrics *m, struct store *s);

#endif
