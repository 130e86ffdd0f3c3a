/* tools/bench_hist.c: see tools/bench_hist.h.
 *
 * Values below 128 have a bucket each; above, the top seven bits below the leading one choose the bucket
 * within the value's power of two. */
#include "tools/bench_hist.h"

void hist_clear(struct hist *h)
{
    memset(h, 0, sizeof *h);
    h->min = UINT64_MAX;
}

static unsigned hist_bucket_of(uint64_t v)
{
    if (v >> HIST_MAX_BITS != 0)
        return HIST_BUCKETS - 1;
    if (v >> HIST_SUB_BITS == 0)
        return (unsigned)v;
    unsigned shift = 63u - (unsigned)__builtin_clzll(v) - HIST_SUB_BITS;
    return ((shift + 1) << HIST_SUB_BITS) + (unsigned)((v >> shift) & ((1u << HIST_SUB_BITS) - 1));
}

uint64_t hist_bucket_low(unsigned i)
{
    unsigned octave = i >> HIST_SUB_BITS;

    must(i <= HIST_BUCKETS);
    if (octave == 0)
        return i;
    return ((uint64_t)(1u << HIST_SUB_BITS) + (i & ((1u << HIST_SUB_BITS) - 1))) << (octave - 1);
}

void hist_add(struct hist *h, uint64_t ns)
{
    h->n++;
    h->sum += ns;
    h->min = MIN_OF(h->min, ns);
    h->max = MAX_OF(h->max, ns);
    h->bucket[hist_bucket_of(ns)]++;
}

void hist_merge(struct hist *to, const struct hist *from)
{
    to->n += from->n;
    to->sum += from->sum;
    to->min = MIN_OF(to->min, from->min);
    to->max = MAX_OF(to->max, from->max);
    for (unsigned i = 0; i < HIST_BUCKETS; i++)
        to->bucket[i] += from->bucket[i];
}

uint64_t hist_at(const struct hist *h, double p)
{
    uint64_t want, seen = 0;

    must(p >= 0 && p <= 1);
    if (h->n == 0)
        return 0;
    want = (uint64_t)(p * (double)h->n + 0.5);
    want = MIN_OF(MAX_OF(want, 1), h->n);
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= want)
            return MAX_OF(MIN_OF(hist_bucket_low(i + 1) - 1, h->max), h->min);
    }
    return h->max;
}
