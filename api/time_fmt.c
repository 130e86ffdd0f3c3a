/* api/time_fmt.c: times and durations as text. */
#include "api/time_fmt.h"

#include <stdio.h>

#define DAY_S 86400
#define YEAR_MAX 9999
#define TIME_MIN (-62167219200)         /* 0000-01-01T00:00:00Z */
#define TIME_MAX 253402300799           /* 9999-12-31T23:59:59Z */

/* ---- calendar ---------------------------------------------------------------------------------- */

struct date { int year, month, day; };

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Years begin in March here, so that the leap day is the last; an era is 400 years of 146097 days. 719468
 * days lie between 0000-03-01 and 1970-01-01. */
static int64_t days_of_date(struct date d)
{
    int64_t year = d.year - (d.month <= 2), era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400, month = (d.month + 9) % 12;
    int64_t day = (153 * month + 2) / 5 + d.day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;
}

static struct date date_of_days(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t day = of_era - (365 * year + year / 4 - year / 100), month = (5 * day + 2) / 153;

    return (struct date){ (int)(year + era * 400 + (month >= 10)), (int)(month < 10 ? month + 3 : month - 9),
                          (int)(day - (153 * month + 2) / 5 + 1) };
}

/* ---- parsing times ----------------------------------------------------------------------------- */

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Exactly n digits, at most max. */
static bool cut_number(struct str *s, unsigned n, int min, int max, int *ret)
{
    int v = 0;

    if (s->n < n)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (!is_digit(s->p[i]))
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_from(*s, n);
    *ret = v;
    return v >= min && v <= max;
}

static bool cut_char(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = str_from(*s, 1);
    return true;
}

static bool cut_fraction(struct str *s, uint32_t *ret_ns, unsigned *ret_digits)
{
    uint32_t ns = 0, unit = 100000000;
    unsigned n = 0;

    *ret_ns = *ret_digits = 0;
    if (!cut_char(s, '.'))
        return true;
    for (; s->n > 0 && is_digit(s->p[0]); n++, unit /= 10) {
        ns += (uint32_t)(s->p[0] - '0') * unit;
        *s = str_from(*s, 1);
    }
    *ret_ns = ns;
    *ret_digits = n;
    return n > 0;
}

static bool cut_offset(struct str *s, int *ret_seconds)
{
    int hours, minutes;
    bool minus;

    if (cut_char(s, 'Z')) {
        *ret_seconds = 0;
        return true;
    }
    minus = s->n > 0 && s->p[0] == '-';
    if (!cut_char(s, minus ? '-' : '+') || !cut_number(s, 2, 0, 24, &hours) || !cut_char(s, ':') ||
        !cut_number(s, 2, 0, 59, &minutes))
        return false;
    *ret_seconds = (hours * 60 + minutes) * (minus ? -60 : 60);
    return true;
}

static bool parse(struct str s, bool micro, int64_t *ret_s, uint32_t *ret_ns)
{
    struct date d;
    int hour, minute, second, offset;
    unsigned digits;
    uint32_t ns;

    if (!cut_number(&s, 4, 0, YEAR_MAX, &d.year) || !cut_char(&s, '-') ||
        !cut_number(&s, 2, 1, 12, &d.month) || !cut_char(&s, '-') ||
        !cut_number(&s, 2, 1, days_in_month(d.year, d.month), &d.day) || !cut_char(&s, 'T') ||
        !cut_number(&s, 2, 0, 23, &hour) || !cut_char(&s, ':') || !cut_number(&s, 2, 0, 59, &minute) ||
        !cut_char(&s, ':') || !cut_number(&s, 2, 0, 59, &second) || !cut_fraction(&s, &ns, &digits) ||
        !cut_offset(&s, &offset) || s.n != 0 || (micro && digits != 6))
        return false;
    *ret_s = days_of_date(d) * DAY_S + hour * 3600 + minute * 60 + second - offset;
    *ret_ns = ns;
    return true;
}

bool time_parse(struct str s, int64_t *ret_s, uint32_t *ret_ns)
{
    return parse(s, false, ret_s, ret_ns);
}

bool time_parse_micro(struct str s, int64_t *ret_s, uint32_t *ret_ns)
{
    return parse(s, true, ret_s, ret_ns);
}

/* ---- writing times ----------------------------------------------------------------------------- */

static char *put_digits(char *to, unsigned v, unsigned n)
{
    for (unsigned i = n; i-- > 0; v /= 10)
        to[i] = (char)('0' + v % 10);
    return to + n;
}

/* Up to the seconds, without the zone: 19 bytes. */
static char *put_time(char *to, int64_t s)
{
    int64_t days;
    struct date d;
    unsigned of_day;

    s = MIN_OF(MAX_OF(s, TIME_MIN), TIME_MAX);
    days = (s >= 0 ? s : s - (DAY_S - 1)) / DAY_S;
    of_day = (unsigned)(s - days * DAY_S);
    d = date_of_days(days);
    to = put_digits(to, (unsigned)d.year, 4);
    *to++ = '-';
    to = put_digits(to, (unsigned)d.month, 2);
    *to++ = '-';
    to = put_digits(to, (unsigned)d.day, 2);
    *to++ = 'T';
    to = put_digits(to, of_day / 3600, 2);
    *to++ = ':';
    to = put_digits(to, of_day / 60 % 60, 2);
    *to++ = ':';
    return put_digits(to, of_day % 60, 2);
}

size_t time_write(int64_t s, char to[TIME_TEXT_MAX])
{
    *put_time(to, s) = 'Z';
    return TIME_TEXT_MAX;
}

size_t time_write_micro(int64_t s, uint32_t ns, char to[TIME_MICRO_TEXT_MAX])
{
    char *p = put_time(to, s);

    must(ns < 1000000000);
    *p++ = '.';
    p = put_digits(p, ns / 1000, 6);
    *p = 'Z';
    return TIME_MICRO_TEXT_MAX;
}

struct str time_text(struct arena *a, int64_t s)
{
    char text[TIME_TEXT_MAX];

    return arena_str(a, str_make(text, time_write(s, text)));
}

struct str time_micro_text(struct arena *a, int64_t s, uint32_t ns)
{
    char text[TIME_MICRO_TEXT_MAX];

    return arena_str(a, str_make(text, time_write_micro(s, ns, text)));
}

static int64_t floor_seconds(int64_t ns)
{
    return ns / 1000000000 - (ns % 1000000000 < 0);
}

struct str time_text_ns(struct arena *a, int64_t wall_ns)
{
    return time_text(a, floor_seconds(wall_ns));
}

struct str time_micro_text_ns(struct arena *a, int64_t wall_ns)
{
    int64_t s = floor_seconds(wall_ns);

    return time_micro_text(a, s, (uint32_t)(wall_ns - s * 1000000000));
}

/* ---- durations --------------------------------------------------------------------------------- */

static uint64_t cut_unit(struct str *s)
{
    static const struct { const char *name; uint64_t ns; } units[] = {
        { "ns", 1 }, { "us", 1000 }, { "\xc2\xb5s", 1000 }, { "\xce\xbcs", 1000 }, { "ms", 1000000 },
        { "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 },
    };

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        struct str name = str_of(units[i].name);

        if (str_starts(*s, name)) {
            *s = str_from(*s, name.n);
            return units[i].ns;
        }
    }
    return 0;
}

/* One "12.5h"; the fraction is cut off below a nanosecond. */
static bool cut_duration(struct str *s, uint64_t *ret_ns)
{
    const uint64_t limit = (uint64_t)1 << 63;
    uint64_t whole = 0, fraction = 0, scale = 1, unit;
    size_t digits = 0;

    for (; s->n > 0 && is_digit(s->p[0]); digits++, *s = str_from(*s, 1)) {
        if (whole > limit / 10)
            return false;
        whole = whole * 10 + (uint64_t)(s->p[0] - '0');
    }
    if (cut_char(s, '.')) {
        for (; s->n > 0 && is_digit(s->p[0]); digits++, *s = str_from(*s, 1)) {
            if (scale <= 100000000000000) {
                fraction = fraction * 10 + (uint64_t)(s->p[0] - '0');
                scale *= 10;
            }
        }
    }
    unit = cut_unit(s);
    if (digits == 0 || unit == 0 || whole > limit / unit)
        return false;
    __extension__ unsigned __int128 part = (unsigned __int128)fraction * unit / scale;
    *ret_ns = whole * unit + (uint64_t)part;
    return *ret_ns <= limit;
}

bool duration_parse(struct str s, int64_t *ret_ns)
{
    uint64_t total = 0, limit = INT64_MAX, part;
    bool negative = s.n > 0 && s.p[0] == '-';

    if (!cut_char(&s, '-'))
        cut_char(&s, '+');
    if (str_is(s, "0")) {
        *ret_ns = 0;
        return true;
    }
    if (s.n == 0)
        return false;
    limit += negative;
    while (s.n > 0) {
        if (!cut_duration(&s, &part) || part > limit - total)
            return false;
        total += part;
    }
    *ret_ns = negative ? (int64_t)(0 - total) : (int64_t)total;
    return true;
}

/* v / 10^decimals with no trailing zeros. */
static int write_fraction(char *to, uint64_t v, int decimals)
{
    uint64_t unit = 1;
    int n;

    for (int i = 0; i < decimals; i++)
        unit *= 10;
    n = snprintf(to, DURATION_TEXT_MAX, "%llu", (unsigned long long)(v / unit));
    if (v % unit == 0)
        return n;
    n += snprintf(to + n, DURATION_TEXT_MAX - (size_t)n, ".%0*llu", decimals, (unsigned long long)(v % unit));
    while (to[n - 1] == '0')
        n--;
    return n;
}

size_t duration_write(int64_t ns, char to[DURATION_TEXT_MAX])
{
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    char text[DURATION_TEXT_MAX * 2];
    int n = 0;

    if (ns < 0)
        text[n++] = '-';
    if (v == 0 || v >= 1000000000) {
        uint64_t minutes = v / 60000000000;

        if (minutes >= 60)
            n += snprintf(text + n, 24, "%lluh", (unsigned long long)(minutes / 60));
        if (minutes > 0)
            n += snprintf(text + n, 24, "%llum", (unsigned long long)(minutes % 60));
        n += write_fraction(text + n, v % 60000000000, 9);
        text[n++] = 's';
    } else {
        int decimals = v >= 1000000 ? 6 : v >= 1000 ? 3 : 0;
        const char *unit = decimals == 6 ? "ms" : decimals == 3 ? "\xc2\xb5s" : "ns";

        n += write_fraction(text + n, v, decimals);
        memcpy(text + n, unit, strlen(unit));
        n += (int)strlen(unit);
    }
    must(n <= DURATION_TEXT_MAX);
    memcpy(to, text, (size_t)n);
    return (size_t)n;
}

struct str duration_text(struct arena *a, int64_t ns)
{
    char text[DURATION_TEXT_MAX];

    return arena_str(a, str_make(text, duration_write(ns, text)));
}

/* "3h12m", or "3h" without a remainder. */
static struct str two_units(struct arena *a, int64_t big, char big_unit, int64_t small, char small_unit)
{
    if (small == 0)
        return arena_fmt(a, "%lld%c", (long long)big, big_unit);
    return arena_fmt(a, "%lld%c%lld%c", (long long)big, big_unit, (long long)small, small_unit);
}

struct str duration_human(struct arena *a, int64_t seconds)
{
    int64_t minutes = seconds / 60, hours = seconds / 3600, days = hours / 24;

    if (seconds < -1)
        return STR("<invalid>");                 /* clocks may differ by a second or so */
    if (seconds <= 0)
        return STR("0s");
    if (seconds < 120)
        return two_units(a, seconds, 's', 0, 0);
    if (minutes < 10)
        return two_units(a, minutes, 'm', seconds % 60, 's');
    if (minutes < 3 * 60)
        return two_units(a, minutes, 'm', 0, 0);
    if (hours < 8)
        return two_units(a, hours, 'h', minutes % 60, 'm');
    if (hours < 48)
        return two_units(a, hours, 'h', 0, 0);
    if (days < 8)
        return two_units(a, days, 'd', hours % 24, 'h');
    if (days < 2 * 365)
        return two_units(a, days, 'd', 0, 0);
    if (days < 8 * 365)
        return two_units(a, days / 365, 'y', days % 365, 'd');
    return two_units(a, days / 365, 'y', 0, 0);
}
