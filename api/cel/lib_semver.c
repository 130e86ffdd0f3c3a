/* api/cel/lib_semver.c: semantic versions. */
#include "api/cel/opaque.h"

#define VERSION(i) (*(const struct cel_semver *)a[i].u.opaque)

static bool identifiers_ok(struct str s, bool no_leading_zeros)
{
    struct str part;

    while (str_split(&s, '.', &part)) {
        bool digits = true;
        if (part.n == 0)
            return false;
        for (size_t i = 0; i < part.n; i++) {
            char c = part.p[i];
            if (!(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z') && c != '-')
                return false;
            digits &= c >= '0' && c <= '9';
        }
        if (no_leading_zeros && digits && part.n > 1 && part.p[0] == '0')
            return false;
    }
    return true;
}

/* loose: a "v" before it, parts that are missing, zeros before numbers. */
static bool semver_read(struct str s, bool loose, struct cel_semver *ret)
{
    struct str part;
    ptrdiff_t  at;
    unsigned   n = 0;

    *ret = (struct cel_semver){ .pre = STR_NONE };
    if (loose && s.n > 0 && (s.p[0] == 'v' || s.p[0] == 'V'))
        s = str_from(s, 1);
    if ((at = str_find(s, '+')) >= 0) {
        ret->build = str_from(s, (size_t)at + 1);
        s = str_upto(s, (size_t)at);
        if (ret->build.n == 0 || !identifiers_ok(ret->build, false))
            return false;
    }
    if ((at = str_find(s, '-')) >= 0) {
        ret->pre = str_from(s, (size_t)at + 1);
        s = str_upto(s, (size_t)at);
        if (ret->pre.n == 0 || !identifiers_ok(ret->pre, !loose))
            return false;
    }
    if (s.n == 0)
        return false;
    while (n < 3 && str_split(&s, '.', &part)) {
        if (!str_u64(part, &ret->part[n++]) || (!loose && part.n > 1 && part.p[0] == '0'))
            return false;
    }
    return s.p == NULL && (n == 3 || loose);
}

static int order_identifiers(struct str x, struct str y)
{
    uint64_t u, v;
    bool     nx = str_u64(x, &u), ny = str_u64(y, &v);

    if (nx && ny)
        return (u > v) - (u < v);
    if (nx != ny)
        return nx ? -1 : 1;
    int c = str_cmp(x, y);
    return (c > 0) - (c < 0);
}

int cel_semver_order(const struct cel_semver *x, const struct cel_semver *y)
{
    struct str p = x->pre, q = y->pre, i, k;

    for (int part = 0; part < 3; part++)
        if (x->part[part] != y->part[part])
            return x->part[part] < y->part[part] ? -1 : 1;
    if (p.n == 0 || q.n == 0)
        return (p.n == 0) - (q.n == 0);
    for (;;) {
        bool more = str_split(&p, '.', &i), others = str_split(&q, '.', &k);
        int  c;
        if (!more || !others)
            return (int)more - (int)others;
        if ((c = order_identifiers(i, k)) != 0)
            return c;
    }
}

struct str cel_semver_text(struct arena *a, const struct cel_semver *v)
{
    return arena_fmt(a, "%llu.%llu.%llu%s%.*s%s%.*s", (unsigned long long)v->part[0],
                     (unsigned long long)v->part[1], (unsigned long long)v->part[2], v->pre.n > 0 ? "-" : "",
                     STR_ARG(v->pre), v->build.n > 0 ? "+" : "", STR_ARG(v->build));
}

CEL_FN(parse)
{
    struct cel_semver *v = cel_alloc(r, sizeof *v);

    if (v == NULL)
        return cel_over(r);
    if (semver_read(a[0].u.s, n > 1 && a[1].u.b, v))
        return cel_opaque(CEL_SEMVER, v);
    return cel_error(r, "invalid semantic version \"%.*s\"", (int)MIN_OF(a[0].u.s.n, (size_t)100),
                     a[0].u.s.p);
}
CEL_FN(is_semver)
{
    struct cel_semver v;
    return cel_bool(semver_read(a[0].u.s, n > 1 && a[1].u.b, &v));
}
CEL_FN(major) { return cel_int((int64_t)MIN_OF(VERSION(0).part[0], (uint64_t)INT64_MAX)); }
CEL_FN(minor) { return cel_int((int64_t)MIN_OF(VERSION(0).part[1], (uint64_t)INT64_MAX)); }
CEL_FN(patch) { return cel_int((int64_t)MIN_OF(VERSION(0).part[2], (uint64_t)INT64_MAX)); }
CEL_FN(compare) { return cel_int(cel_semver_order(&VERSION(0), &VERSION(1))); }
CEL_FN(less) { return cel_bool(cel_semver_order(&VERSION(0), &VERSION(1)) < 0); }
CEL_FN(greater) { return cel_bool(cel_semver_order(&VERSION(0), &VERSION(1)) > 0); }

#define ROW(name, sig, fn) { name, sig, fn, COST_ONE, SIZE_NONE }
static const struct cel_function versions[] = {
    { "semver", "s:v", parse, COST_SCAN, 0 }, { "semver", "sb:v", parse, COST_SCAN, 0 },
    { "isSemver", "s:b", is_semver, COST_SCAN, 0 }, { "isSemver", "sb:b", is_semver, COST_SCAN, 0 },
    ROW("major", "v.:i", major), ROW("minor", "v.:i", minor), ROW("patch", "v.:i", patch),
    ROW("compareTo", "v.v:i", compare), ROW("isLessThan", "v.v:b", less),
    ROW("isGreaterThan", "v.v:b", greater),
};
const struct cel_library cel_lib_semver = { versions, ARRAY_LEN(versions) };
