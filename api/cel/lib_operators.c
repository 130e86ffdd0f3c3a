/* api/cel/lib_operators.c: the operators, as functions by the names that errors call them. */
#include <math.h>
#include "api/cel/impl.h"

#define OVERFLOW(r)  cel_error(r, "integer overflow")
#define UOVERFLOW(r) cel_error(r, "unsigned integer overflow")

/* ---- Equality and order ----------------------------------------------------------------------------- */

CEL_FN(equal) { return cel_bool(cel_equal(r, &a[0], &a[1])); }
CEL_FN(unequal) { return cel_bool(!cel_equal(r, &a[0], &a[1])); }

/* NaN is in no order with anything. */
CEL_FN(less) { return cel_bool(cel_compare(&a[0], &a[1]) == -1); }
CEL_FN(greater) { return cel_bool(cel_compare(&a[0], &a[1]) == 1); }
CEL_FN(less_equal)
{
    int c = cel_compare(&a[0], &a[1]);
    return cel_bool(c == -1 || c == 0);
}
CEL_FN(greater_equal)
{
    int c = cel_compare(&a[0], &a[1]);
    return cel_bool(c == 1 || c == 0);
}

/* ---- Whole numbers ---------------------------------------------------------------------------------- */

#define WHOLE(fn, member, make, builtin, fail)                                \
    CEL_FN(fn)                                                                \
    {                                                                         \
        struct cel_value v = make(0);                                         \
        return builtin(a[0].u.member, a[1].u.member, &v.u.member) ? fail(r) : v; \
    }
WHOLE(add_int, i, cel_int, __builtin_add_overflow, OVERFLOW)
WHOLE(sub_int, i, cel_int, __builtin_sub_overflow, OVERFLOW)
WHOLE(mul_int, i, cel_int, __builtin_mul_overflow, OVERFLOW)
WHOLE(add_uint, u, cel_uint, __builtin_add_overflow, UOVERFLOW)
WHOLE(sub_uint, u, cel_uint, __builtin_sub_overflow, UOVERFLOW)
WHOLE(mul_uint, u, cel_uint, __builtin_mul_overflow, UOVERFLOW)

CEL_FN(div_int)
{
    if (a[1].u.i == 0)
        return cel_error(r, "division by zero");
    return a[0].u.i == INT64_MIN && a[1].u.i == -1 ? OVERFLOW(r) : cel_int(a[0].u.i / a[1].u.i);
}
CEL_FN(mod_int)
{
    if (a[1].u.i == 0)
        return cel_error(r, "modulus by zero");
    return a[0].u.i == INT64_MIN && a[1].u.i == -1 ? OVERFLOW(r) : cel_int(a[0].u.i % a[1].u.i);
}
CEL_FN(div_uint)
{
    return a[1].u.u == 0 ? cel_error(r, "division by zero") : cel_uint(a[0].u.u / a[1].u.u);
}
CEL_FN(mod_uint)
{
    return a[1].u.u == 0 ? cel_error(r, "modulus by zero") : cel_uint(a[0].u.u % a[1].u.u);
}
CEL_FN(negate_int) { return a[0].u.i == INT64_MIN ? OVERFLOW(r) : cel_int(-a[0].u.i); }

/* ---- Doubles ---------------------------------------------------------------------------------------- */

CEL_FN(add_double) { return cel_double(a[0].u.d + a[1].u.d); }
CEL_FN(sub_double) { return cel_double(a[0].u.d - a[1].u.d); }
CEL_FN(mul_double) { return cel_double(a[0].u.d * a[1].u.d); }
CEL_FN(div_double) { return cel_double(a[0].u.d / a[1].u.d); }
CEL_FN(negate_double) { return cel_double(-a[0].u.d); }

/* ---- Times ------------------------------------------------------------------------------------------ */

/* A time moved by nanoseconds (of any number); years 1 to 9999. */
static struct cel_value moved(struct cel_run *r, const struct cel_value *t, int64_t ns, bool back)
{
    struct cel_value v = *t;
    int64_t          s = ns / 1000000000, rest = (int64_t)t->u.time.ns + (back ? -1 : 1) * (ns % 1000000000);

    v.u.time.s += back ? -s : s;
    if (rest < 0) {
        rest += 1000000000;
        v.u.time.s--;
    } else if (rest >= 1000000000) {
        rest -= 1000000000;
        v.u.time.s++;
    }
    v.u.time.ns = (uint32_t)rest;
    if (v.u.time.s < -62135596800 || v.u.time.s > 253402300799)
        return cel_error(r, "timestamp overflow");
    return v;
}

CEL_FN(add_time_duration) { return moved(r, &a[0], a[1].u.i, false); }
CEL_FN(add_duration_time) { return moved(r, &a[1], a[0].u.i, false); }
CEL_FN(sub_time_duration) { return moved(r, &a[0], a[1].u.i, true); }

CEL_FN(sub_times)
{
    int64_t ns;

    if (__builtin_mul_overflow(a[0].u.time.s - a[1].u.time.s, 1000000000, &ns) ||
        __builtin_add_overflow(ns, (int64_t)a[0].u.time.ns - (int64_t)a[1].u.time.ns, &ns))
        return cel_error(r, "duration overflow");
    return cel_duration(ns);
}

CEL_FN(add_durations)
{
    int64_t ns;
    return __builtin_add_overflow(a[0].u.i, a[1].u.i, &ns) ? cel_error(r, "duration overflow")
                                                           : cel_duration(ns);
}
CEL_FN(sub_durations)
{
    int64_t ns;
    return __builtin_sub_overflow(a[0].u.i, a[1].u.i, &ns) ? cel_error(r, "duration overflow")
                                                           : cel_duration(ns);
}
CEL_FN(negate_duration)
{
    return a[0].u.i == INT64_MIN ? cel_error(r, "duration overflow") : cel_duration(-a[0].u.i);
}

/* ---- Strings, lists, maps --------------------------------------------------------------------------- */

CEL_FN(add_text)
{
    struct cel_value v = a[0];
    char            *to = cel_alloc(r, a[0].u.s.n + a[1].u.s.n + 1);

    if (to == NULL)
        return cel_over(r);
    if (a[0].u.s.n > 0)
        memcpy(to, a[0].u.s.p, a[0].u.s.n);
    if (a[1].u.s.n > 0)
        memcpy(to + a[0].u.s.n, a[1].u.s.p, a[1].u.s.n);
    v.u.s = str_make(to, a[0].u.s.n + a[1].u.s.n);
    return v;
}

CEL_FN(add_lists)
{
    struct cel_items *items = cel_items_new(r, (unsigned)(cel_count(&a[0]) + cel_count(&a[1])));
    struct cel_value  v, ignored;

    if (items == NULL || !cel_charge(r, (cel_count(&a[0]) + cel_count(&a[1])) / 16))
        return cel_over(r);
    for (unsigned i = 0; i < 2; i++)
        for (struct cel_walk w = { .of = &a[i] }; cel_next(&w, &v, &ignored);)
            items->v[items->n++] = v;
    return cel_list(items);
}

/* A step through many entries costs less than a unit of cost, but not nothing. */
static bool charge_search(struct cel_run *r, const struct cel_value *in)
{
    return cel_charge(r, cel_count(in) / 32);
}

CEL_FN(in_list)
{
    struct cel_value v, ignored;

    for (struct cel_walk w = { .of = &a[1] }; cel_next(&w, &v, &ignored);)
        if (cel_equal(r, &v, &a[0]))
            return cel_bool(true);
    return cel_bool(false);
}

CEL_FN(in_map)
{
    struct cel_value ignored;

    return charge_search(r, &a[1]) ? cel_bool(cel_map_find(&a[1], &a[0], &ignored)) : cel_over(r);
}

/* As an index: any number without a fraction. */
static bool whole_index(const struct cel_value *v, int64_t *ret)
{
    if (v->kind == CEL_DOUBLE && v->u.d == floor(v->u.d) && fabs(v->u.d) < 9e18)
        *ret = (int64_t)v->u.d;
    else if (v->kind == CEL_INT || (v->kind == CEL_UINT && v->u.i >= 0))
        *ret = v->u.i;
    else
        return false;
    return true;
}

/* 1 found, 0 not there, -1: an error in *ret. */
static int look_up(struct cel_run *r, const struct cel_value *in, const struct cel_value *key,
                   struct cel_value *ret)
{
    int64_t i = 0;

    if (!charge_search(r, in)) {
        *ret = cel_over(r);
        return -1;
    }
    if (in->kind == CEL_MAP)
        return cel_map_find(in, key, ret);
    if (!whole_index(key, &i)) {
        *ret = cel_error(r, "unsupported index type '%s' in list", cel_kind_name((enum cel_kind)key->kind));
        return -1;
    }
    return i >= 0 && cel_list_at(in, (uint64_t)i, ret);
}

static struct cel_value index_of(struct cel_run *r, struct cel_value in, const struct cel_value *key,
                                 bool optional)
{
    struct cel_value v;
    struct str       text;
    int              found;

    if (in.kind == CEL_OPTIONAL) {
        if (in.u.some == NULL)
            return in;
        in = *in.u.some;
        optional = true;
    }
    if (in.kind != CEL_LIST && in.kind != CEL_MAP)
        return cel_no_overload(r);
    found = look_up(r, &in, key, &v);
    if (found < 0 || (found == 1 && cel_failed(&v)))
        return v;
    if (optional)
        return found ? cel_some(r, v) : cel_none();
    if (found)
        return v;
    text = cel_value_text(r->arena, key);
    return cel_error(r, in.kind == CEL_LIST ? "index out of bounds: %.*s" : "no such key: %.*s",
                     STR_ARG(text));
}

CEL_FN(index_plain) { return index_of(r, a[0], &a[1], false); }
CEL_FN(index_optional) { return index_of(r, a[0], &a[1], true); }

CEL_FN(size_text)
{
    return cel_charge(r, a[0].u.s.n / 1024) ? cel_int((int64_t)cel_runes(a[0].u.s)) : cel_over(r);
}
CEL_FN(size_bytes) { return cel_int((int64_t)a[0].u.s.n); }
CEL_FN(size_items) { return cel_int((int64_t)cel_count(&a[0])); }

CEL_FN(not) { return cel_bool(!a[0].u.b); }

/* ---- The table -------------------------------------------------------------------------------------- */

#define ORDER(name, fn)                                                         \
    { name, "ii:b", fn, COST_ONE, 0 }, { name, "ss:b", fn, COST_LEAST, 0 },     \
        { name, "dd:b", fn, COST_ONE, 0 }, { name, "bb:b", fn, COST_ONE, 0 },   \
        { name, "uu:b", fn, COST_ONE, 0 }, { name, "yy:b", fn, COST_LEAST, 0 }, \
        { name, "tt:b", fn, COST_ONE, 0 }, { name, "DD:b", fn, COST_ONE, 0 },   \
        { name, "iu:b", fn, COST_ONE, 0 }, { name, "id:b", fn, COST_ONE, 0 },   \
        { name, "ui:b", fn, COST_ONE, 0 }, { name, "ud:b", fn, COST_ONE, 0 },   \
        { name, "di:b", fn, COST_ONE, 0 },                                      \
    {                                                                           \
        name, "du:b", fn, COST_ONE, 0                                           \
    }
#define SIZE(sig, msig, fn) { "size", sig, fn, COST_ONE, 0 }, { "size", msig, fn, COST_ONE, 0 }

static const struct cel_function operators[] = {
    { "_==_", "AA:b", equal, COST_LEAST, 0 },
    { "_!=_", "AA:b", unequal, COST_LEAST, 0 },
    ORDER("_<_", less),
    ORDER("_<=_", less_equal),
    ORDER("_>_", greater),
    ORDER("_>=_", greater_equal),
    { "_+_", "ii:i", add_int, COST_ONE, 0 },
    { "_+_", "uu:u", add_uint, COST_ONE, 0 },
    { "_+_", "dd:d", add_double, COST_ONE, 0 },
    { "_+_", "ss:s", add_text, COST_SCAN_BOTH, SIZE_SUM },
    { "_+_", "yy:y", add_text, COST_SCAN_BOTH, SIZE_SUM },
    { "_+_", "lAlA:lA", add_lists, COST_ONE, SIZE_SUM },
    { "_+_", "tD:t", add_time_duration, COST_ONE, 0 },
    { "_+_", "Dt:t", add_duration_time, COST_ONE, 0 },
    { "_+_", "DD:D", add_durations, COST_ONE, 0 },
    { "_-_", "ii:i", sub_int, COST_ONE, 0 },
    { "_-_", "uu:u", sub_uint, COST_ONE, 0 },
    { "_-_", "dd:d", sub_double, COST_ONE, 0 },
    { "_-_", "tt:D", sub_times, COST_ONE, 0 },
    { "_-_", "tD:t", sub_time_duration, COST_ONE, 0 },
    { "_-_", "DD:D", sub_durations, COST_ONE, 0 },
    { "_*_", "ii:i", mul_int, COST_ONE, 0 },
    { "_*_", "uu:u", mul_uint, COST_ONE, 0 },
    { "_*_", "dd:d", mul_double, COST_ONE, 0 },
    { "_/_", "ii:i", div_int, COST_ONE, 0 },
    { "_/_", "uu:u", div_uint, COST_ONE, 0 },
    { "_/_", "dd:d", div_double, COST_ONE, 0 },
    { "_%_", "ii:i", mod_int, COST_ONE, 0 },
    { "_%_", "uu:u", mod_uint, COST_ONE, 0 },
    { "-_", "i:i", negate_int, COST_ONE, 0 },
    { "-_", "d:d", negate_double, COST_ONE, 0 },
    { "-_", "D:D", negate_duration, COST_ONE, 0 },
    { "!_", "b:b", not, COST_ONE, 0 },
    { "@in", "AlA:b", in_list, COST_WALK_ARG, 0 },
    { "@in", "AmAB:b", in_map, COST_ONE, 0 },
    { "_[_]", "lAi:A", index_plain, COST_ONE, 0 },
    { "_[_]", "mABA:B", index_plain, COST_ONE, 0 },
    { "_[_]", "olAi:oA", index_plain, COST_ONE, 0 },
    { "_[_]", "omABA:oB", index_plain, COST_ONE, 0 },
    { "_[?_]", "lAi:oA", index_optional, COST_ONE, 0 },
    { "_[?_]", "mABA:oB", index_optional, COST_ONE, 0 },
    { "_[?_]", "olAi:oA", index_optional, COST_ONE, 0 },
    { "_[?_]", "omABA:oB", index_optional, COST_ONE, 0 },
    SIZE("s:i", "s.:i", size_text),
    SIZE("y:i", "y.:i", size_bytes),
    SIZE("lA:i", "lA.:i", size_items),
    SIZE("mAB:i", "mAB.:i", size_items),
};
const struct cel_library cel_lib_operators = { operators, ARRAY_LEN(operators) };
