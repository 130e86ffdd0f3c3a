/* store/metrics.h: what every head counts, whichever face is asked: the state, its log and peers, the loop,
 * the process.  coracle_* and process_*, as Prometheus text (net/prom.h). */
#ifndef STORE_METRICS_H
#define STORE_METRICS_H

#include "store/store.h"

void store_metrics_write(struct buf *out, struct store *s);

#endif
