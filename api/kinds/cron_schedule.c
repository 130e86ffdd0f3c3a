/* api/kinds/cron_schedule.c: is a schedule one that a clock can follow?
 *
 * Five fields (minute, hour, day of month, month, day of week), each a list of ranges with steps, or @daily
 * and the like, or "@every 1h30m".  A zone may stand in front: TZ=Europe/Berlin 0 5 * * *. */
#include <inttypes.h>
#include "api/kinds/kinds_impl.h"

struct cron_field { int64_t min, max; const char *const *names; };

static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun",
                                      "jul", "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const days[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };
static const struct cron_field fields[] = {
    { 0, 59, NULL }, { 0, 23, NULL }, { 1, 31, NULL }, { 1, 12, months }, { 0, 6, days },
};
static const char *const shorthands[] = { "@yearly", "@annually", "@monthly", "@weekly",
                                          "@daily",  "@midnight", "@hourly" };

/* A number, or a name: names count from the field's smallest number. */
static bool parse_value(const struct cron_field *f, struct str s, int64_t *ret)
{
    for (int64_t i = 0; f->names != NULL && f->names[i] != NULL; i++)
        if (s.n == 3 && strncasecmp(s.p, f->names[i], 3) == 0) {
            *ret = f->min + i;
            return true;
        }
    return s.n > 0 && s.p[0] != '+' && s.p[0] != '-' && str_i64(s, ret);
}

static const char *bad_number(struct arena *a, struct str s)
{
    return arena_fmt(a, "failed to parse int from %.*s: strconv.Atoi: parsing \"%.*s\": invalid syntax",
                     STR_ARG(s), STR_ARG(s)).p;
}

/* "5", "1-5", "*", "?"; `stepped`: a single number then goes on to the end. */
static const char *span_wrong(struct arena *a, const struct cron_field *f, struct str span, struct str whole,
                              bool stepped)
{
    struct str rest = span, low, high, more;
    int64_t    from, to;

    if (str_is(span, "*") || str_is(span, "?"))
        return NULL;
    str_split(&rest, '-', &low);
    if (!parse_value(f, low, &from))
        return bad_number(a, low);
    to = stepped ? f->max : from;
    if (str_split(&rest, '-', &high)) {
        if (str_split(&rest, '-', &more))
            return arena_fmt(a, "too many hyphens: %.*s", STR_ARG(whole)).p;
        if (!parse_value(f, high, &to))
            return bad_number(a, high);
    }
    if (from < f->min)
        return arena_fmt(a, "beginning of range (%" PRIi64 ") below minimum (%" PRIi64 "): %.*s", from,
                         f->min, STR_ARG(whole))
            .p;
    if (to > f->max)
        return arena_fmt(a, "end of range (%" PRIi64 ") above maximum (%" PRIi64 "): %.*s", to, f->max,
                         STR_ARG(whole)).p;
    if (from > to)
        return arena_fmt(a, "beginning of range (%" PRIi64 ") beyond end of range (%" PRIi64 "): %.*s", from,
                         to, STR_ARG(whole))
            .p;
    return NULL;
}

static const char *range_wrong(struct arena *a, const struct cron_field *f, struct str range)
{
    struct str  rest = range, span, step, more;
    int64_t     n;
    bool        stepped = str_find(range, '/') >= 0;
    const char *wrong;

    if (!str_split(&rest, '/', &span))
        return bad_number(a, range);
    wrong = span_wrong(a, f, span, range, stepped);
    if (wrong != NULL || !stepped)
        return wrong;
    if (!str_split(&rest, '/', &step))
        step = STR("");
    if (str_split(&rest, '/', &more))
        return arena_fmt(a, "too many slashes: %.*s", STR_ARG(range)).p;
    if (step.n == 0 || !str_i64(step, &n) || n < 0)
        return bad_number(a, step);
    return n == 0 ? arena_fmt(a, "step of range should be a positive number: %.*s", STR_ARG(range)).p : NULL;
}

/* Go's durations: numbers with units, such as 1h30m or 1.5h. */
static bool is_duration(struct str s)
{
    static const char *const units[] = { "ns", "us", "ms", "s", "m", "h" };
    size_t i = s.n > 0 && (s.p[0] == '+' || s.p[0] == '-') ? 1 : 0;

    if (i == s.n)
        return false;
    while (i < s.n) {
        size_t digits = 0, unit = 0;

        for (; i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.'); i++)
            digits += s.p[i] != '.';
        for (size_t k = 0; k < ARRAY_LEN(units) && unit == 0; k++)
            if (str_starts(str_from(s, i), str_of(units[k])))
                unit = strlen(units[k]);
        if (digits == 0 || unit == 0)
            return false;
        i += unit;
    }
    return true;
}

static const char *shorthand_wrong(struct arena *a, struct str s)
{
    for (size_t i = 0; i < ARRAY_LEN(shorthands); i++)
        if (str_is(s, shorthands[i]))
            return NULL;
    if (!str_starts(s, STR("@every ")))
        return arena_fmt(a, "unrecognized descriptor: %.*s", STR_ARG(s)).p;
    if (!is_duration(str_from(s, 7)))
        return arena_fmt(a, "failed to parse duration %.*s: time: invalid duration \"%.*s\"", STR_ARG(s),
                         STR_ARG(str_from(s, 7))).p;
    return NULL;
}

const char *cron_schedule_wrong(struct arena *a, struct str schedule)
{
    struct str  rest, field, range, list;
    unsigned    n = 0;
    const char *wrong;

    if (str_starts(schedule, STR("TZ=")) || str_starts(schedule, STR("CRON_TZ="))) {
        ptrdiff_t space = str_find(schedule, ' ');

        schedule = str_trim(str_from(schedule, space < 0 ? schedule.n : (size_t)space));
    }
    if (str_starts(schedule, STR("@")))
        return shorthand_wrong(a, schedule);
    rest = schedule;
    while (str_split(&rest, ' ', &field))
        n += field.n > 0;
    if (n != ARRAY_LEN(fields))
        return arena_fmt(a, "expected exactly 5 fields, found %u: [%.*s]", n, STR_ARG(schedule)).p;
    rest = schedule;
    for (n = 0; str_split(&rest, ' ', &field);) {
        if (field.n == 0)
            continue;
        for (list = field; str_split(&list, ',', &range);)
            if (range.n > 0 && (wrong = range_wrong(a, &fields[n], range)) != NULL)
                return wrong;
        n++;
    }
    return NULL;
}
