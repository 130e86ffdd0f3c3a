/* net/histogram.c: see histogram.h. */
#include "net/histogram.h"
#include "net/must.h"

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++)
        sum += h->n[i];
    return sum;
}

/* Within a bucket all are taken to be spread evenly; nothing is known of how far the last one reaches. */
uint64_t histogram_quantile_ns(const struct histogram *h, double q)
{
    double want = q * (double)histogram_count(h), below = 0;

    must(q >= 0 && q <= 1);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double n = (double)h->n[i], from = i > 0 ? (double)histogram_bound_ns(i - 1) : 0;
        if (n > 0 && below + n >= want)
            return (uint64_t)(from + ((double)histogram_bound_ns(i) - from) * (want - below) / n);
        below += n;
    }
    return below < want ? histogram_bound_ns(HISTOGRAM_BUCKETS - 1) : 0;
}
