/* api/metrics.h: what this head counts, and the Prometheus text that /metrics answers.
 *
 * Requests are counted by what they are about (api/metrics_requests.c); everything else is a row of a table:
 * of this API in api/metrics.c, of what lies below it in store/metrics.c.  Names are those of kube-apiserver
 * where it has such a figure, else they begin with coracle_. */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "api/request.h"
#include "net/blob.h"
#include "net/map.h"

struct api;
struct resource;
struct call;

struct metrics {
    struct map series;                           /* of requests: labels -> struct metrics_series */
    uint64_t in_flight, mutating, watches;       /* now: all, those that write, those that watch */
    uint64_t aborted, retries, too_old;
};
void metrics_init(struct metrics *m);
void metrics_release(struct metrics *m);
/* The request is answered with this code. */
void metrics_count(struct call *c, int code, uint64_t duration_ns);
void metrics_write_requests(struct buf *out, const struct metrics *m);
void metrics_write(struct buf *out, struct api *a);

#endif
