/* test/tools/bench_hist_test.c: percentiles are right to within 0.8 %, whatever the values. */
#include <stdlib.h>
#include "test/test.h"
#include "tools/bench_hist.h"

static struct hist a, b;

static void check_near(uint64_t got, uint64_t want)
{
    uint64_t off = got > want ? got - want : want - got;

    if (off * 1000 > want * 8)
        test_fail(__FILE__, __LINE__, "%llu is more than 0.8 %% off %llu", (unsigned long long)got, (unsigned long long)want);
}

TEST(empty_and_one)
{
    hist_clear(&a);
    CHECK_INT(hist_at(&a, 0.99), 0);
    hist_add(&a, 12345678);
    CHECK_INT(a.n, 1);
    CHECK_INT(a.min, 12345678);
    CHECK_INT(a.max, 12345678);
    check_near(hist_at(&a, 0), 12345678);
    check_near(hist_at(&a, 1), 12345678);
    CHECK(hist_at(&a, 1) <= a.max);
}

TEST(percentiles_of_known_values)
{
    hist_clear(&a);
    for (uint64_t i = 1; i <= 100000; i++)
        hist_add(&a, i * 1000);
    CHECK_INT(a.n, 100000);
    CHECK_INT(a.sum, 100000ll * 100001 / 2 * 1000);
    check_near(hist_at(&a, 0.5), 50000000);
    check_near(hist_at(&a, 0.9), 90000000);
    check_near(hist_at(&a, 0.999), 99900000);
    CHECK(hist_at(&a, 1) <= a.max);
}

/* Single values of every size: what comes out is what went in, and never more than it. */
TEST(every_size)
{
    for (uint64_t v = 1; v < 1ull << HIST_MAX_BITS; v = v * 5 / 4 + 1) {
        hist_clear(&a);
        hist_add(&a, v);
        check_near(hist_at(&a, 0.5), v);
        CHECK(hist_at(&a, 0.5) <= v);
    }
    for (unsigned i = 1; i < HIST_BUCKETS; i++)
        CHECK(hist_bucket_low(i) > hist_bucket_low(i - 1));
    hist_clear(&a);
    hist_add(&a, UINT64_MAX / 2);                /* beyond the largest: counted there */
    hist_add(&a, 0);
    CHECK_INT(a.n, 2);
    CHECK_INT(a.min, 0);
    CHECK(hist_at(&a, 1) > 1ull << (HIST_MAX_BITS - 1));
}

TEST(merged_is_as_if_one_had_counted)
{
    static struct hist both;

    hist_clear(&a);
    hist_clear(&b);
    hist_clear(&both);
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t v = (uint64_t)i * i * 977 % 90000007 + 1;
        hist_add(i % 3 == 0 ? &a : &b, v);
        hist_add(&both, v);
    }
    hist_merge(&a, &b);
    CHECK_INT(memcmp(&a, &both, sizeof a), 0);
    hist_clear(&b);
    hist_merge(&a, &b);                          /* nothing changes nothing */
    CHECK_INT(memcmp(&a, &both, sizeof a), 0);
    hist_merge(&b, &a);
    CHECK_INT(b.min, both.min);
}
