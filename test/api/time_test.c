/* test/api/time_test.c: RFC 3339 times, MicroTime, Go durations, ages. */
#include "api/time_fmt.h"
#include "test/test.h"

static void good_at(int line, const char *text, int64_t s, uint32_t ns)
{
    int64_t rs = -1;
    uint32_t rns = 1;

    if (!time_parse(str_of(text), &rs, &rns) || rs != s || rns != ns)
        test_fail(__FILE__, line, "%s: %" PRId64 " %" PRIu32, text, rs, rns);
}

static bool bad(const char *text)
{
    int64_t s;
    uint32_t ns;

    return !time_parse(str_of(text), &s, &ns);
}

#define GOOD(text, s, ns) good_at(__LINE__, text, s, ns)

TEST(times_are_read)
{
    GOOD("1970-01-01T00:00:00Z", 0, 0);
    GOOD("2024-02-29T12:34:56Z", 1709210096, 0);
    GOOD("2000-02-29T00:00:00Z", 951782400, 0);
    GOOD("1969-12-31T23:59:59Z", -1, 0);
    GOOD("0001-01-01T00:00:00Z", -62135596800, 0);
    GOOD("9999-12-31T23:59:59Z", 253402300799, 0);
    GOOD("0000-01-01T00:00:00Z", -62167219200, 0);
    GOOD("2024-05-01T10:00:00+02:00", 1714550400, 0);
    GOOD("2024-05-01T10:00:00-05:30", 1714577400, 0);
    GOOD("2024-05-01T10:00:00.5Z", 1714557600, 500000000);
    GOOD("2024-05-01T10:00:00.123456Z", 1714557600, 123456000);
    GOOD("2024-05-01T10:00:00.123456789987Z", 1714557600, 123456789);
    GOOD("1900-03-01T00:00:00Z", -2203891200, 0);
}

TEST(other_texts_are_not_times)
{
    CHECK(bad(""));
    CHECK(bad("2024-05-01"));
    CHECK(bad("2024-05-01T10:00:00"));
    CHECK(bad("2024-05-01 10:00:00Z"));
    CHECK(bad("2024-05-01t10:00:00Z"));
    CHECK(bad("2024-05-01T10:00:00z"));
    CHECK(bad("2024-13-01T10:00:00Z"));
    CHECK(bad("2024-00-01T10:00:00Z"));
    CHECK(bad("2024-05-32T10:00:00Z"));
    CHECK(bad("2024-05-00T10:00:00Z"));
    CHECK(bad("2023-02-29T10:00:00Z"));
    CHECK(bad("1900-02-29T10:00:00Z"));
    CHECK(bad("2024-04-31T10:00:00Z"));
    CHECK(bad("2024-05-01T24:00:00Z"));
    CHECK(bad("2024-05-01T10:60:00Z"));
    CHECK(bad("2024-05-01T10:00:60Z"));
    CHECK(bad("2024-05-01T10:00:00.Z"));
    CHECK(bad("2024-05-01T10:00:00+0200"));
    CHECK(bad("2024-05-01T10:00:00+25:00"));
    CHECK(bad("2024-05-01T10:00:00+02:60"));
    CHECK(bad("2024-05-01T10:00:00Zx"));
    CHECK(bad(" 2024-05-01T10:00:00Z"));
    CHECK(bad("24-05-01T10:00:00Z"));
    CHECK(bad("2024-5-01T10:00:00Z"));
    CHECK(bad("-024-05-01T10:00:00Z"));
    CHECK(bad("2024-05-01T10:00:0Z"));
    CHECK(bad("99999-05-01T10:00:00Z"));
    CHECK(bad("2024-05-01T1a:00:00Z"));
}

TEST(micro_time_has_six_decimals)
{
    int64_t s;
    uint32_t ns;

    CHECK(time_parse_micro(STR("2024-05-01T10:00:00.000001Z"), &s, &ns) && ns == 1000);
    CHECK(time_parse_micro(STR("2024-05-01T10:00:00.000001+01:00"), &s, &ns) && s == 1714554000);
    CHECK(!time_parse_micro(STR("2024-05-01T10:00:00Z"), &s, &ns));
    CHECK(!time_parse_micro(STR("2024-05-01T10:00:00.001Z"), &s, &ns));
    CHECK(!time_parse_micro(STR("2024-05-01T10:00:00.0000001Z"), &s, &ns));
}

TEST(times_are_written)
{
    struct arena a = ARENA_INIT;

    CHECK_STR(time_text(&a, 0), "1970-01-01T00:00:00Z"); CHECK_STR(time_text(&a, -1), "1969-12-31T23:59:59Z");
    CHECK_STR(time_text(&a, 1709210096), "2024-02-29T12:34:56Z");
    CHECK_STR(time_text(&a, INT64_MAX), "9999-12-31T23:59:59Z");
    CHECK_STR(time_text(&a, INT64_MIN), "0000-01-01T00:00:00Z");
    CHECK_STR(time_micro_text(&a, 0, 999999999), "1970-01-01T00:00:00.999999Z");
    CHECK_STR(time_text_ns(&a, -1), "1969-12-31T23:59:59Z");
    CHECK_STR(time_micro_text_ns(&a, -1000), "1969-12-31T23:59:59.999999Z");
    CHECK_STR(time_micro_text_ns(&a, 1714557600123456789), "2024-05-01T10:00:00.123456Z");
    CHECK_STR(time_text_ns(&a, INT64_MIN), "1677-09-21T00:12:43Z");
    CHECK_STR(time_micro_text_ns(&a, INT64_MAX), "2262-04-11T23:47:16.854775Z");
    arena_release(&a);
}

TEST(every_day_reads_back)
{
    char text[TIME_TEXT_MAX];

    for (int64_t s = -62167219200; s < 253402300800; s += 86400 + 1) {
        int64_t back = 0;
        uint32_t ns;

        time_write(s, text);
        if (!time_parse(str_make(text, sizeof text), &back, &ns) || back != s)
            test_fail(__FILE__, __LINE__, "%.*s", (int)sizeof text, text);
        s += 3;
    }
}

static void duration_at(int line, const char *text, int64_t ns, const char *canonical)
{
    struct arena a = ARENA_INIT;
    int64_t got = 12345;

    if (!duration_parse(str_of(text), &got) || got != ns || !str_is(duration_text(&a, ns), canonical))
        test_fail(__FILE__, line, "%s: %" PRId64 " %.*s", text, got, STR_ARG(duration_text(&a, ns)));
    arena_release(&a);
}

#define DURATION(text, ns, canonical) duration_at(__LINE__, text, ns, canonical)

TEST(go_durations)
{
    int64_t v;

    DURATION("0", 0, "0s");
    DURATION("0s", 0, "0s");
    DURATION("-0", 0, "0s");
    DURATION("5s", 5000000000, "5s");
    DURATION("1m", 60000000000, "1m0s");
    DURATION("90m", 5400000000000, "1h30m0s");
    DURATION("1h15m30.918273645s", 4530918273645, "1h15m30.918273645s");
    DURATION("1.5h", 5400000000000, "1h30m0s");
    DURATION("300ms", 300000000, "300ms");
    DURATION("-1.5s", -1500000000, "-1.5s");
    DURATION("+5s", 5000000000, "5s");
    DURATION("1.5ms", 1500000, "1.5ms");
    DURATION("2us", 2000, "2\xc2\xb5s");
    DURATION("2\xc2\xb5s", 2000, "2\xc2\xb5s");
    DURATION("2\xce\xbcs", 2000, "2\xc2\xb5s");
    DURATION("7ns", 7, "7ns");
    DURATION(".5s", 500000000, "500ms");
    DURATION("5.s", 5000000000, "5s");
    DURATION("9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s");
    DURATION("-9223372036854775808ns", INT64_MIN, "-2562047h47m16.854775808s");
    DURATION("1h1h", 7200000000000, "2h0m0s");
    DURATION("0.3333333333333333333h", 1200000000000 - 1, "19m59.999999999s");
    CHECK(!duration_parse(STR(""), &v));
    CHECK(!duration_parse(STR("5"), &v));
    CHECK(!duration_parse(STR("s"), &v));
    CHECK(!duration_parse(STR(".s"), &v));
    CHECK(!duration_parse(STR("-"), &v));
    CHECK(!duration_parse(STR("5d"), &v));
    CHECK(!duration_parse(STR("5s "), &v));
    CHECK(!duration_parse(STR("5 s"), &v));
    CHECK(!duration_parse(STR("--5s"), &v));
    CHECK(!duration_parse(STR("5s-5s"), &v));
    CHECK(!duration_parse(STR("9223372036854775808ns"), &v));
    CHECK(!duration_parse(STR("99999999999999999999999ns"), &v));
    CHECK(!duration_parse(STR("3000000h"), &v));
    CHECK(!duration_parse(STR("2562047h48m"), &v));
    CHECK(!duration_parse(STR("1e3s"), &v)); CHECK(!duration_parse(STR("00"), &v));
}

static void age_at(int line, int64_t seconds, const char *want)
{
    struct arena a = ARENA_INIT;
    struct str s = duration_human(&a, seconds);

    if (!str_is(s, want))
        test_fail(__FILE__, line, "%" PRId64 " s: %.*s, not %s", seconds, STR_ARG(s), want);
    arena_release(&a);
}

#define AGE(seconds, want) age_at(__LINE__, seconds, want)

TEST(ages_as_kubectl_shows_them)
{
    AGE(-2, "<invalid>");
    AGE(INT64_MIN, "<invalid>");
    AGE(-1, "0s");
    AGE(0, "0s");
    AGE(1, "1s");
    AGE(119, "119s");
    AGE(120, "2m");
    AGE(150, "2m30s");
    AGE(599, "9m59s");
    AGE(600, "10m");
    AGE(659, "10m");
    AGE(10799, "179m");
    AGE(10800, "3h");
    AGE(11520, "3h12m");
    AGE(28799, "7h59m");
    AGE(28800, "8h");
    AGE(172799, "47h");
    AGE(172800, "2d");
    AGE(352800, "4d2h");
    AGE(8 * 86400 - 1, "7d23h");
    AGE(8 * 86400, "8d");
    AGE(729 * 86400, "729d");
    AGE(730 * 86400, "2y");
    AGE(731 * 86400, "2y1d");
    AGE(2919LL * 86400, "7y364d");
    AGE(2920LL * 86400, "8y");
    AGE(3650LL * 86400, "10y");
}
