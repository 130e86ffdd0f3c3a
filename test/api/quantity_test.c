/* test/api/quantity_test.c: parsing, canonical text, rounding and sums of quantities. */
#include <stdlib.h>
#include "api/quantity.h"
#include "test/test.h"

static void canonical_at(int line, const char *text, const char *want)
{
    struct arena a = ARENA_INIT;
    struct quantity q, again;
    struct errbuf err;
    struct str s;

    if (quantity_parse(str_of(text), &q, &err) != 0) {
        test_fail(__FILE__, line, "%s: %s", text, err.s);
        return;
    }
    s = quantity_text(&a, q);
    if (!str_is(s, want))
        test_fail(__FILE__, line, "%s is %.*s, not %s", text, STR_ARG(s), want);
    if (quantity_parse(s, &again, &err) != 0 || again.nano != q.nano)
        test_fail(__FILE__, line, "%.*s does not read back", STR_ARG(s));
    arena_release(&a);
}

static void bad_at(int line, const char *text, int code, const char *part)
{
    struct quantity q;
    struct errbuf err = { "" };

    if (quantity_parse(str_of(text), &q, &err) != code || strstr(err.s, part) == NULL)
        test_fail(__FILE__, line, "%s: %s", text, err.s);
}

static struct quantity Q(const char *text)
{
    struct quantity q = QUANTITY_ZERO;

    must_ok(quantity_parse(str_of(text), &q, NULL));
    return q;
}

#define CANON(text, want) canonical_at(__LINE__, text, want)
#define BAD(text, part) bad_at(__LINE__, text, E_INVALID, part)

TEST(canonical_decimal)
{
    CANON("0", "0");
    CANON("-0", "0");
    CANON("0m", "0");
    CANON("0Mi", "0");
    CANON("000", "0");
    CANON("0.000", "0");
    CANON("1", "1");
    CANON("+1", "1");
    CANON("-1", "-1");
    CANON("007", "7");
    CANON("1000m", "1");
    CANON("1500m", "1500m");
    CANON("0.5", "500m");
    CANON("1.5", "1500m");
    CANON(".5", "500m");
    CANON("5.", "5");
    CANON("100m", "100m");
    CANON("1000", "1k");
    CANON("1500", "1500");
    CANON("1000000", "1M");
    CANON("1k", "1k");
    CANON("1000k", "1M");
    CANON("1.1k", "1100");
    CANON("12M", "12M");
    CANON("1000E", "1e21");
    CANON("1E", "1E");
    CANON("9E", "9E");
    CANON("100n", "100n");
    CANON("1000n", "1u");
    CANON("0.9n", "1n");
    CANON("0.0000000001", "1n");
    CANON("-0.1n", "-1n");
    CANON("1.0000000001", "1000000001n");
    CANON("0.1u", "100n");
    CANON("1.23456789", "1234567890n");
    CANON("9223372036854775807", "9223372036854775807");
    CANON("18446744073709551616", "18446744073709551616");
    CANON("-9223372036854775808", "-9223372036854775808");
    CANON("9223372036854775807m", "9223372036854775807m");
    CANON("9223372036854775807n", "9223372036854775807n");
    CANON("9223372036854775807k", "9223372036854775807k");
    CANON("123456789.123456789", "123456789123456789n");
    CANON("0.50000000000000000000000000000000000000000000", "500m");
    CANON("1.0000000000000000000000000000000000000001", "1000000001n");
    CANON("00000000000000000000000000000000000000000000000001", "1");
}

TEST(canonical_exponent)
{
    CANON("1e3", "1e3");
    CANON("1E3", "1e3");
    CANON("12e6", "12e6");
    CANON("1000e3", "1e6");
    CANON("1e0", "1");
    CANON("1e-3", "1e-3");
    CANON("1e1", "10");
    CANON("1e2", "100");
    CANON("100e1", "1e3");
    CANON("1e-9", "1e-9");
    CANON("1e-10", "1e-9");
    CANON("1e-1000000", "1e-9");
    CANON("1e+3", "1e3");
    CANON("1.5e3", "1500");
    CANON("1e20", "100e18");
    CANON("0e999999999999", "0");
    CANON("0.000000000000000000001e30", "1e9");
    CANON("100000000000000000000000000000e-20", "1e9");
}

TEST(canonical_binary)
{
    CANON("1Ki", "1Ki");
    CANON("1024Ki", "1Mi");
    CANON("1024Mi", "1Gi");
    CANON("1.5Gi", "1536Mi");
    CANON("0.5Ki", "512");
    CANON("1000Ki", "1000Ki");
    CANON("1.1Ki", "1126400m");
    CANON("0.5Mi", "512Ki");
    CANON("1Ei", "1Ei");
    CANON("7Ei", "7Ei");
    CANON("8Ei", "9223372036854775807");
    CANON("100Ei", "9223372036854775807");
    CANON("99999999999999999999999999999999999999999Ki", "9223372036854775807");
    CANON("-1Ki", "-1Ki");
    CANON("-1.5Gi", "-1536Mi");
    CANON("1023Ki", "1023Ki");
    CANON("64Gi", "64Gi");
    CANON("0.0001Ki", "102400u");
    CANON("1.0000000001Ki", "1024000000103n");
}

TEST(refused)
{
    BAD("", "regular expression");
    BAD(" ", "regular expression");
    BAD("1 ", "regular expression");
    BAD(" 1", "regular expression");
    BAD("-", "regular");
    BAD("+", "regular");
    BAD(".", "regular");
    BAD("--1", "regular");
    BAD("1.1.1", "regular");
    BAD("a", "regular");
    BAD("1a", "regular");
    BAD("1,5", "regular");
    BAD("1Kb", "regular");
    BAD("0x1", "regular");
    BAD("1GiB", "regular");
    BAD("Ki", "regular");
    BAD("1i", "suffix");
    BAD("1ki", "suffix");
    BAD("1K", "suffix");
    BAD("1mi", "suffix");
    BAD("1MM", "suffix");
    BAD("1e", "suffix");
    BAD("1E-", "suffix");
    BAD("1e+", "suffix");
    BAD("1ee3", "suffix");
    BAD("1e3k", "suffix");
    BAD("1k3", "suffix");
    BAD("1-", "suffix");
    BAD("1e1.5", "regular"); BAD("1Kie3", "suffix"); BAD("1\xc2\xb5", "regular");
    bad_at(__LINE__, "1e30", E_TOOBIG, "large"); bad_at(__LINE__, "1e999999999999999", E_TOOBIG, "large");
    bad_at(__LINE__, "99999999999999999999999999999", E_TOOBIG, "large");
    bad_at(__LINE__, "100000000000E", E_TOOBIG, "large");
    struct quantity q;
    CHECK_INT(quantity_parse(STR("1\0"), &q, NULL), E_INVALID);
}

TEST(rounding_is_away_from_zero)
{
    CHECK_INT(quantity_value(Q("1500m")), 2);
    CHECK_INT(quantity_value(Q("-1500m")), -2);
    CHECK_INT(quantity_value(Q("1n")), 1);
    CHECK_INT(quantity_value(Q("1Gi")), 1 << 30);
    CHECK_INT(quantity_milli(Q("250m")), 250);
    CHECK_INT(quantity_milli(Q("2")), 2000);
    CHECK_INT(quantity_milli(Q("1u")), 1);
    CHECK_INT(quantity_milli(Q("0.1")), 100);
    CHECK_INT(quantity_value(Q("9223372036854775807")), INT64_MAX);
    CHECK_INT(quantity_value(Q("18446744073709551616")), INT64_MAX);
    CHECK_INT(quantity_milli(Q("8Ei")), INT64_MAX);
    CHECK_INT(quantity_value(Q("-18446744073709551616")), INT64_MIN);
    CHECK_INT(quantity_value(Q("7Ei")), (int64_t)7 << 60);
    CHECK(quantity_double(Q("1500m")) == 1.5);
}

TEST(sums_and_order)
{
    struct arena a = ARENA_INIT;
    struct quantity most = Q("9999999999999999999999999999");

    CHECK_STR(quantity_text(&a, quantity_add(Q("1Gi"), Q("512Mi"))), "1536Mi");
    CHECK_STR(quantity_text(&a, quantity_add(Q("0"), Q("512Mi"))), "512Mi");
    CHECK_STR(quantity_text(&a, quantity_sub(Q("1"), Q("250m"))), "750m");
    CHECK_STR(quantity_text(&a, quantity_sub(Q("1Gi"), Q("2Gi"))), "-1Gi");
    CHECK_STR(quantity_text(&a, quantity_sub(Q("0"), Q("2Gi"))), "-2Gi");
    CHECK_STR(quantity_text(&a, quantity_make(1000, QUANTITY_DECIMAL_SI)), "1k");
    CHECK_STR(quantity_text(&a, quantity_make(2048, QUANTITY_BINARY_SI)), "2Ki");
    CHECK_STR(quantity_text(&a, quantity_make_milli(1500, QUANTITY_DECIMAL_SI)), "1500m");
    CHECK_STR(quantity_text(&a, quantity_make(INT64_MIN, QUANTITY_BINARY_SI)), "-8Ei");
    CHECK_STR(quantity_text(&a, quantity_make(INT64_MIN, QUANTITY_DECIMAL_EXPONENT)), "-9223372036854775808");
    CHECK(quantity_cmp(Q("1"), Q("1000m")) == 0 && quantity_cmp(Q("1Ki"), Q("1k")) > 0 &&
          quantity_cmp(Q("-1"), Q("1n")) < 0);
    CHECK(quantity_sign(Q("-1n")) == -1 && quantity_sign(Q("0")) == 0 && quantity_is_zero(Q("0Gi")));
    most = quantity_add(quantity_add(most, most), quantity_add(most, most));
    CHECK(quantity_cmp(most, quantity_add(most, most)) == 0);            /* stays at the largest */
    most = quantity_sub(quantity_sub(QUANTITY_ZERO, most), most);
    CHECK(quantity_sign(most) < 0 && quantity_text(&a, most).n > 0);
    arena_release(&a);
}

TEST(from_json)
{
    struct arena a = ARENA_INIT;
    struct quantity q;

    CHECK(quantity_from_json(NULL, &q, NULL) == 0 && q.nano == 0);
    CHECK(quantity_from_json(json_null(&a), &q, NULL) == 0 && q.nano == 0);
    CHECK(quantity_from_json(json_string(&a, STR(" 1Ki ")), &q, NULL) == 0 && quantity_value(q) == 1024);
    CHECK(quantity_from_json(json_int(&a, 3), &q, NULL) == 0 && quantity_value(q) == 3);
    CHECK(quantity_from_json(json_bool(&a, true), &q, NULL) == E_INVALID);
    CHECK(quantity_from_json(json_object(&a), &q, NULL) == E_INVALID);
    CHECK(quantity_from_json(json_string(&a, STR("")), &q, NULL) == E_INVALID);
    arena_release(&a);
}

/* Whatever the number: text keeps the value, and the suffix changes nothing but the scale. */
TEST(random_values_survive_text)
{
    uint64_t s = 88172645463325252u;
    char text[QUANTITY_TEXT_MAX];

    for (int i = 0; i < 200000; i++) {
        struct quantity q, again;

        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        q.nano = (quantity_int)(int64_t)s >> (i % 60);
        q.nano *= (int64_t[]){ 1, 1000, 1000000000, 1024000000000, 1000000000000000000 }[i % 5];
        q.format = (enum quantity_format)(s % 3);
        if (q.format == QUANTITY_BINARY_SI &&
            (q.nano > (quantity_int)INT64_MAX * 1000000000 || q.nano < -(quantity_int)INT64_MAX * 1000000000))
            q.format = QUANTITY_DECIMAL_SI;      /* such a one can't be parsed: it is capped */
        struct str t = str_make(text, quantity_write(q, text));
        if (quantity_parse(t, &again, NULL) != 0 || again.nano != q.nano)
            test_fail(__FILE__, __LINE__, "%.*s", STR_ARG(t));
    }
}
