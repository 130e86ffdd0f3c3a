/* tools/bench_hist.h: a histogram of latencies: buckets that grow with the value, so that a percentile is
 * right to within 0.8 % from 1 ns to 73 minutes, in memory that does not depend on how many values came. */
#ifndef TOOLS_BENCH_HIST_H
#define TOOLS_BENCH_HIST_H

#include "net/str.h"

#define HIST_SUB_BITS  7                         /* 128 buckets per power of two */
#define HIST_MAX_BITS  42                        /* larger values count as the largest */
#define HIST_BUCKETS   ((HIST_MAX_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
    uint64_t n, sum, min, max;
    uint64_t bucket[HIST_BUCKETS];
};

void hist_clear(struct hist *h);
void hist_add(struct hist *h, uint64_t ns);
void hist_merge(struct hist *to, const struct hist *from);
/* The value that p (0..1) of all values do not exceed; 0 when there are none; never above the maximum. */
uint64_t hist_at(const struct hist *h, double p);
/* Bounds of a bucket, for pictures: [low, high). */
uint64_t hist_bucket_low(unsigned i);

#endif
