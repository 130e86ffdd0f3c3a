/* test/net/histogram_test.c: every duration lands in the bucket whose bounds say so; what a process uses is told. */
#include <time.h>
#include "net/histogram.h"
#include "net/usage.h"
#include "test/test.h"

static unsigned bucket_of(uint64_t ns)
{
    struct histogram h = { .sum_ns = 0 };

    histogram_add(&h, ns);
    CHECK_INT(histogram_count(&h), 1);
    CHECK_INT(h.sum_ns, ns);
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++)
        if (h.n[i] == 1)
            return i;
    return UINT32_MAX;
}

TEST(bounds_belong_to_the_bucket_below)
{
    CHECK_INT(bucket_of(0), 0);
    CHECK_INT(bucket_of(1), 0);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        CHECK_INT(bucket_of(histogram_bound_ns(i)), i);
        CHECK_INT(bucket_of(histogram_bound_ns(i) - 1), i);
        CHECK_INT(bucket_of(histogram_bound_ns(i) + 1), i + 1);
    }
    CHECK_INT(bucket_of(UINT64_MAX), HISTOGRAM_BUCKETS);
}

TEST(quantiles_lie_within_their_bucket)
{
    struct histogram h = { .sum_ns = 0 };

    CHECK_INT(histogram_quantile_ns(&h, 0.99), 0);
    for (int i = 0; i < 90; i++)
        histogram_add(&h, 20000);
    for (int i = 0; i < 10; i++)
        histogram_add(&h, 900000);
    CHECK(histogram_quantile_ns(&h, 0.5) > 16384 && histogram_quantile_ns(&h, 0.5) <= 32768);
    CHECK(histogram_quantile_ns(&h, 0.9) <= 32768);
    CHECK(histogram_quantile_ns(&h, 0.99) > 524288 && histogram_quantile_ns(&h, 0.99) <= 1048576);
    CHECK_INT(histogram_quantile_ns(&h, 1), 1048576);
    for (int i = 0; i < 1000; i++)
        histogram_add(&h, UINT64_MAX / 4);
    CHECK_INT(histogram_quantile_ns(&h, 0.99), histogram_bound_ns(HISTOGRAM_BUCKETS - 1));
}

TEST(usage_is_ours)
{
    struct usage before, after;
    char *p = mem_zalloc(32 << 20);
    volatile uint64_t work = 0;

    usage_read(&before);
    for (size_t i = 0; i < 32u << 20; i += 4096)
        p[i] = 1;
    for (unsigned i = 0; i < 20000000; i++)
        work += i;
    usage_read(&after);
    CHECK(after.rss_bytes > before.rss_bytes + (16 << 20));
    CHECK(after.cpu_ns > before.cpu_ns);
    CHECK(after.virtual_bytes >= after.rss_bytes);
    CHECK(after.max_fds >= 3 && after.machine_bytes > 1 << 20);
    CHECK(after.start_s > 0 && after.start_s <= time(NULL) && after.start_s > time(NULL) - 3600);
    mem_free(p);
}
