/* api/cel/lib_convert.c: int(), string() and the other conversions; type(), dyn(). */
#include <math.h>
#include <stdlib.h>
#include "api/cel/impl.h"
#include "api/quantity.h"
#include "api/time_fmt.h"
#include "api/utf8.h"

CEL_FN(same) { return a[0]; }

static struct cel_value bad_number(struct cel_run *r, const char *how, struct str s)
{
    return cel_error(r, "strconv.%s: parsing \"%.*s\": invalid syntax", how, (int)MIN_OF(s.n, (size_t)200),
                     s.p);
}

/* ---- Whole numbers ---------------------------------------------------------------------------------- */

CEL_FN(int_of_uint) { return a[0].u.i < 0 ? cel_error(r, "integer overflow") : cel_int(a[0].u.i); }
CEL_FN(int_of_double)
{
    return !(a[0].u.d > -9223372036854775808.0 && a[0].u.d < 9223372036854775808.0)
               ? cel_error(r, "integer overflow") : cel_int((int64_t)a[0].u.d);
}
CEL_FN(int_of_text)
{
    struct str s = a[0].u.s;
    int64_t    i;

    if (s.n > 1 && s.p[0] == '+' && s.p[1] != '-')
        s = str_from(s, 1);
    return str_i64(s, &i) ? cel_int(i) : bad_number(r, "ParseInt", a[0].u.s);
}
CEL_FN(int_of_time) { return cel_int(a[0].u.time.s); }
CEL_FN(int_of_duration) { return cel_int(a[0].u.i); }

CEL_FN(uint_of_int)
{
    return a[0].u.i < 0 ? cel_error(r, "unsigned integer overflow") : cel_uint(a[0].u.u);
}
CEL_FN(uint_of_double)
{
    return !(a[0].u.d >= 0 && a[0].u.d < 18446744073709551616.0) ? cel_error(r, "unsigned integer overflow")
                                                                 : cel_uint((uint64_t)a[0].u.d);
}
CEL_FN(uint_of_text)
{
    uint64_t u;
    return str_u64(a[0].u.s, &u) ? cel_uint(u) : bad_number(r, "ParseUint", a[0].u.s);
}

/* ---- Doubles, bool ---------------------------------------------------------------------------------- */

CEL_FN(double_of_int) { return cel_double((double)a[0].u.i); }
CEL_FN(double_of_uint) { return cel_double((double)a[0].u.u); }
CEL_FN(double_of_text)
{
    struct str s = a[0].u.s;
    char      *z = arena_cstr(r->arena, s), *end;
    double     d = strtod(z, &end);

    /* No blank before it, no hexadecimal whole numbers. */
    if (s.n == 0 || end != z + s.n || z[0] == ' ' || (z[0] >= '\t' && z[0] <= '\r'))
        return bad_number(r, "ParseFloat", s);
    return cel_double(d);
}

CEL_FN(bool_of_text)
{
    static const char *const words[] = { "1", "t", "true", "TRUE", "True", "T", "0", "f", "false", "FALSE",
                                         "False", "F" };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_is(a[0].u.s, words[i]))
            return cel_bool(i < 6);
    return bad_number(r, "ParseBool", a[0].u.s);
}

/* ---- Text ------------------------------------------------------------------------------------------- */

CEL_FN(text_of) { return cel_string(cel_value_text(r->arena, &a[0])); }
CEL_FN(text_of_bytes)
{
    return utf8_valid(a[0].u.s) ? cel_string(a[0].u.s)
                                : cel_error(r, "invalid UTF-8 in bytes, cannot convert to string");
}
CEL_FN(bytes_of_text)
{
    struct cel_value v = a[0];

    v.kind = CEL_BYTES;
    return v;
}

/* ---- Times ------------------------------------------------------------------------------------------ */

CEL_FN(time_of_text)
{
    struct cel_value v = { .kind = CEL_TIMESTAMP };

    if (time_parse(a[0].u.s, &v.u.time.s, &v.u.time.ns) && v.u.time.s >= -62135596800 &&
        v.u.time.s <= 253402300799)
        return v;
    return cel_error(r, "invalid timestamp: %.*s", (int)MIN_OF(a[0].u.s.n, (size_t)100), a[0].u.s.p);
}
CEL_FN(time_of_int)
{
    struct cel_value v = { .kind = CEL_TIMESTAMP };

    v.u.time.s = a[0].u.i;
    v.u.time.ns = 0;
    if (a[0].u.i < -62135596800 || a[0].u.i > 253402300799)
        return cel_error(r, "timestamp overflow");
    return v;
}
CEL_FN(duration_of_text)
{
    int64_t ns;

    if (duration_parse(a[0].u.s, &ns))
        return cel_duration(ns);
    return cel_error(r, "time: invalid duration \"%.*s\"", (int)MIN_OF(a[0].u.s.n, (size_t)100), a[0].u.s.p);
}

CEL_FN(type_of)
{
    return cel_type_value(cel_type((enum cel_kind)a[0].kind));
}

#define ROW(name, sig, fn) { name, sig, fn, COST_ONE, SIZE_NONE }
static const struct cel_function conversions[] = {
    ROW("int", "i:i", same),
    ROW("int", "u:i", int_of_uint),
    ROW("int", "d:i", int_of_double),
    ROW("int", "s:i", int_of_text),
    ROW("int", "t:i", int_of_time),
    ROW("int", "D:i", int_of_duration),
    ROW("uint", "u:u", same),
    ROW("uint", "i:u", uint_of_int),
    ROW("uint", "d:u", uint_of_double),
    ROW("uint", "s:u", uint_of_text),
    ROW("double", "d:d", same),
    ROW("double", "i:d", double_of_int),
    ROW("double", "u:d", double_of_uint),
    ROW("double", "s:d", double_of_text),
    ROW("bool", "b:b", same),
    ROW("bool", "s:b", bool_of_text),
    { "string", "s:s", same, COST_ONE, SIZE_SAME },
    ROW("string", "i:s", text_of),
    ROW("string", "u:s", text_of),
    ROW("string", "d:s", text_of),
    ROW("string", "b:s", text_of),
    ROW("string", "t:s", text_of),
    ROW("string", "D:s", text_of),
    { "string", "y:s", text_of_bytes, COST_SCAN, SIZE_SAME },
    ROW("string", "p:s", text_of),
    ROW("string", "c:s", text_of),
    ROW("bytes", "y:y", same),
    { "bytes", "s:y", bytes_of_text, COST_SCAN, SIZE_SAME },
    ROW("timestamp", "t:t", same),
    ROW("timestamp", "s:t", time_of_text),
    ROW("timestamp", "i:t", time_of_int),
    ROW("duration", "D:D", same),
    ROW("duration", "s:D", duration_of_text),
    ROW("type", "A:TA", type_of),
    ROW("dyn", "A:*", same),
};
const struct cel_library cel_lib_convert = { conversions, ARRAY_LEN(conversions) };
