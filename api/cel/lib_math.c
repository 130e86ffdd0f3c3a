/* api/cel/lib_math.c: greatest and least, rounding, bits. */
#include <math.h>
#include "api/cel/impl.h"

static struct cel_value extreme(struct cel_run *r, const struct cel_value *a, unsigned n, int sign)
{
    struct cel_value best = a[0];

    for (unsigned i = 0; i < n; i++) {
        int c = cel_compare(&a[i], &best);
        if (a[i].kind < CEL_INT || a[i].kind > CEL_DOUBLE || c > 2)
            return cel_no_overload(r);
        if (c == sign)
            best = a[i];
    }
    return best;
}

static struct cel_value extreme_of_list(struct cel_run *r, const struct cel_value *list, int sign)
{
    struct cel_value pair[2] = { { .kind = CEL_DYN } }, v, ignored;

    for (struct cel_walk w = { .of = list }; cel_next(&w, &v, &ignored);) {
        pair[1] = v;
        pair[0] = pair[0].kind == CEL_DYN ? extreme(r, &v, 1, sign) : extreme(r, pair, 2, sign);
        if (cel_failed(&pair[0]))
            return pair[0];
    }
    return pair[0].kind == CEL_DYN
               ? cel_error(r, "math.@%s(list) argument must not be empty", sign > 0 ? "max" : "min")
               : pair[0];
}

CEL_FN(greatest) { return extreme(r, a, n, 1); }
CEL_FN(least) { return extreme(r, a, n, -1); }
CEL_FN(greatest_list) { return extreme_of_list(r, &a[0], 1); }
CEL_FN(least_list) { return extreme_of_list(r, &a[0], -1); }

CEL_FN(ceil_of) { return cel_double(ceil(a[0].u.d)); }
CEL_FN(floor_of) { return cel_double(floor(a[0].u.d)); }
CEL_FN(round_of) { return cel_double(round(a[0].u.d)); }
CEL_FN(trunc_of) { return cel_double(trunc(a[0].u.d)); }
CEL_FN(sqrt_double) { return cel_double(sqrt(a[0].u.d)); }
CEL_FN(sqrt_int) { return cel_double(sqrt((double)a[0].u.i)); }
CEL_FN(sqrt_uint) { return cel_double(sqrt((double)a[0].u.u)); }
CEL_FN(is_nan) { return cel_bool(isnan(a[0].u.d)); }
CEL_FN(is_inf) { return cel_bool(isinf(a[0].u.d)); }
CEL_FN(is_finite) { return cel_bool(isfinite(a[0].u.d)); }
CEL_FN(same) { return a[0]; }
CEL_FN(abs_int)
{
    return a[0].u.i == INT64_MIN ? cel_error(r, "integer overflow")
                                 : cel_int(a[0].u.i < 0 ? -a[0].u.i : a[0].u.i);
}
CEL_FN(abs_double) { return cel_double(fabs(a[0].u.d)); }
CEL_FN(sign_int) { return cel_int((a[0].u.i > 0) - (a[0].u.i < 0)); }
CEL_FN(sign_uint) { return cel_uint(a[0].u.u > 0); }
CEL_FN(sign_double) { return isnan(a[0].u.d) ? a[0] : cel_double((a[0].u.d > 0) - (a[0].u.d < 0)); }

static struct cel_value bits(struct cel_value v, uint64_t u)
{
    v.u.u = u;
    return v;
}
CEL_FN(bit_and) { return bits(a[0], a[0].u.u & a[1].u.u); }
CEL_FN(bit_or) { return bits(a[0], a[0].u.u | a[1].u.u); }
CEL_FN(bit_xor) { return bits(a[0], a[0].u.u ^ a[1].u.u); }
CEL_FN(bit_not) { return bits(a[0], ~a[0].u.u); }
CEL_FN(shift_left)
{
    if (a[1].u.i < 0)
        return cel_error(r, "math.bitShiftLeft() negative offset: %lld", (long long)a[1].u.i);
    return bits(a[0], a[1].u.i > 63 ? 0 : a[0].u.u << a[1].u.i);
}
CEL_FN(shift_right)
{
    if (a[1].u.i < 0)
        return cel_error(r, "math.bitShiftRight() negative offset: %lld", (long long)a[1].u.i);
    return bits(a[0], a[1].u.i > 63 ? 0 : a[0].u.u >> a[1].u.i);
}

#define ROW(name, sig, fn) { name, sig, fn, COST_ONE, SIZE_NONE }
#define EXTREME(name, fn, list_fn)                                                                   \
    ROW(name, "i:i", same), ROW(name, "u:u", same), ROW(name, "d:d", same), ROW(name, "ii:i", fn),   \
        ROW(name, "uu:u", fn), ROW(name, "dd:d", fn), ROW(name, "**:*", fn), ROW(name, "***:*", fn), \
        ROW(name, "****:*", fn), ROW(name, "*****:*", fn), ROW(name, "li:i", list_fn),               \
        ROW(name, "lu:u", list_fn), ROW(name, "ld:d", list_fn)
#define WHOLE(name, fn) ROW(name, "ii:i", fn), ROW(name, "uu:u", fn)
static const struct cel_function math[] = {
    EXTREME("math.greatest", greatest, greatest_list), EXTREME("math.least", least, least_list),
    ROW("math.ceil", "d:d", ceil_of), ROW("math.floor", "d:d", floor_of), ROW("math.round", "d:d", round_of),
    ROW("math.trunc", "d:d", trunc_of), ROW("math.isNaN", "d:b", is_nan), ROW("math.isInf", "d:b", is_inf),
    ROW("math.isFinite", "d:b", is_finite), ROW("math.sqrt", "d:d", sqrt_double),
    ROW("math.sqrt", "i:d", sqrt_int), ROW("math.sqrt", "u:d", sqrt_uint), ROW("math.abs", "i:i", abs_int),
    ROW("math.abs", "u:u", same), ROW("math.abs", "d:d", abs_double), ROW("math.sign", "i:i", sign_int),
    ROW("math.sign", "u:u", sign_uint), ROW("math.sign", "d:d", sign_double), WHOLE("math.bitAnd", bit_and),
    WHOLE("math.bitOr", bit_or), WHOLE("math.bitXor", bit_xor), ROW("math.bitNot", "i:i", bit_not),
    ROW("math.bitNot", "u:u", bit_not), ROW("math.bitShiftLeft", "ii:i", shift_left),
    ROW("math.bitShiftLeft", "ui:u", shift_left), ROW("math.bitShiftRight", "ii:i", shift_right),
    ROW("math.bitShiftRight", "ui:u", shift_right),
};
const struct cel_library cel_lib_math = { math, ARRAY_LEN(math) };
