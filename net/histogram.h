/* net/histogram.h: how long something takes, counted in fixed buckets: adding one is two additions.
 *
 * The bounds double from 16 us to 8.6 s, fine enough for a percentile that people read and coarse enough for a
 * few hundred bytes each. */
#ifndef NET_HISTOGRAM_H
#define NET_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 20
#define HISTOGRAM_SHIFT   14                     /* the first bound: 2^14 ns */

/* n[i]: how many took at most histogram_bound_ns(i) and more than the bound before; the last: all others. */
struct histogram { uint64_t n[HISTOGRAM_BUCKETS + 1], sum_ns; };

static inline uint64_t histogram_bound_ns(unsigned i) { return 1ull << (HISTOGRAM_SHIFT + i); }

static inline void histogram_add(struct histogram *h, uint64_t ns)
{
    uint64_t over = ns > 0 ? (ns - 1) >> HISTOGRAM_SHIFT : 0;
    unsigned i = over > 0 ? 64 - (unsigned)__builtin_clzll(over) : 0;

    h->n[i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS]++;
    h->sum_ns += ns;
}

uint64_t histogram_count(const struct histogram *h);
/* What a share q (0..1) took at most, as far as the buckets tell; 0: nothing was counted. */
uint64_t histogram_quantile_ns(const struct histogram *h, double q);

#endif
