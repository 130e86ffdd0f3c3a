/* api/cel/lib_time.c: parts of times and durations. */
#include "api/cel/impl.h"

struct calendar { int64_t year; int month, day, yday, wday, hour, minute, second; };

/* Civil date of a count of days since 1970, by eras of 400 years that begin in March. */
static void split_time(int64_t s, struct calendar *c)
{
    int64_t  days = s / 86400 - (s % 86400 < 0), rest = s - days * 86400, z = days + 719468;
    int64_t  era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), m = (5 * doy + 2) / 153;
    bool     leap;

    c->month = (int)(m < 10 ? m + 2 : m - 10);
    c->day = (int)(doy - (153 * m + 2) / 5 + 1);
    c->year = (int64_t)yoe + era * 400 + (c->month <= 1);
    leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
    c->yday = (int)(doy >= 306 ? doy - 306 : doy + 59 + leap);
    c->wday = (int)(((days + 4) % 7 + 7) % 7);
    c->hour = (int)(rest / 3600);
    c->minute = (int)(rest / 60 % 60);
    c->second = (int)(rest % 60);
}

/* "UTC", "+02:00", "-08:30", "02:00".  Names of places would need their history, which no program carries. */
static bool zone_offset(struct str zone, int64_t *ret)
{
    int64_t sign = 1, hours, minutes;

    if (str_empty(zone) || str_is(zone, "UTC") || str_is(zone, "Etc/UTC") || str_is(zone, "GMT")) {
        *ret = 0;
        return true;
    }
    if (zone.p[0] == '+' || zone.p[0] == '-') {
        sign = zone.p[0] == '-' ? -1 : 1;
        zone = str_from(zone, 1);
    }
    if (zone.n != 5 || zone.p[2] != ':' || !str_i64(str_upto(zone, 2), &hours) ||
        !str_i64(str_from(zone, 3), &minutes) || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *ret = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* An error, or CEL_DYN and the calendar. */
static struct cel_value calendar_of(struct cel_run *r, const struct cel_value *a, unsigned n,
                                    struct calendar *ret)
{
    int64_t offset = 0;

    if (n > 1 && !zone_offset(a[1].u.s, &offset))
        return cel_error(r, "unknown time zone %.*s", (int)MIN_OF(a[1].u.s.n, (size_t)100), a[1].u.s.p);
    split_time(a[0].u.time.s + offset, ret);
    return (struct cel_value){ .kind = CEL_DYN };
}

#define PART(fn, expression)                                   \
    CEL_FN(fn)                                                 \
    {                                                          \
        struct calendar  c;                                    \
        struct cel_value v = calendar_of(r, a, n, &c);         \
        return v.kind == CEL_DYN ? cel_int(expression) : v;    \
    }
PART(full_year, c.year)
PART(month, c.month)
PART(date, c.day)
PART(day_of_month, c.day - 1)
PART(day_of_week, c.wday)
PART(day_of_year, c.yday)
PART(hours, c.hour)
PART(minutes, c.minute)
PART(seconds, c.second)
PART(milliseconds, a[0].u.time.ns / 1000000)

CEL_FN(duration_hours) { return cel_int(a[0].u.i / 3600000000000); }
CEL_FN(duration_minutes) { return cel_int(a[0].u.i / 60000000000); }
CEL_FN(duration_seconds) { return cel_int(a[0].u.i / 1000000000); }
CEL_FN(duration_milliseconds) { return cel_int(a[0].u.i / 1000000 % 1000); }

#define OF_TIME(name, fn) { name, "t.:i", fn, COST_ONE, 0 }, { name, "t.s:i", fn, COST_ONE, 0 }
static const struct cel_function times[] = {
    OF_TIME("getFullYear", full_year),
    OF_TIME("getMonth", month),
    OF_TIME("getDate", date),
    OF_TIME("getDayOfMonth", day_of_month),
    OF_TIME("getDayOfWeek", day_of_week),
    OF_TIME("getDayOfYear", day_of_year),
    OF_TIME("getHours", hours),
    OF_TIME("getMinutes", minutes),
    OF_TIME("getSeconds", seconds),
    OF_TIME("getMilliseconds", milliseconds),
    { "getHours", "D.:i", duration_hours, COST_ONE, 0 },
    { "getMinutes", "D.:i", duration_minutes, COST_ONE, 0 },
    { "getSeconds", "D.:i", duration_seconds, COST_ONE, 0 },
    { "getMilliseconds", "D.:i", duration_milliseconds, COST_ONE, 0 },
};
const struct cel_library cel_lib_time = { times, ARRAY_LEN(times) };
