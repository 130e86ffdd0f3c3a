/* api/cel/lib_optional.c: values that may be there or not. */
#include "api/cel/impl.h"

CEL_FN(of) { return cel_some(r, a[0]); }
CEL_FN(none) { return cel_none(); }

static bool is_zero(const struct cel_value *v)
{
    switch (v->kind) {
    case CEL_NULL: return true;
    case CEL_BOOL: return !v->u.b;
    case CEL_INT: case CEL_UINT: case CEL_DURATION: return v->u.i == 0;
    case CEL_DOUBLE: return v->u.d == 0;
    case CEL_STRING: case CEL_BYTES: return v->u.s.n == 0;
    case CEL_LIST: case CEL_MAP: return cel_count(v) == 0;
    case CEL_OPTIONAL: return v->u.some == NULL;
    default: return false;
    }
}

CEL_FN(of_non_zero) { return is_zero(&a[0]) ? cel_none() : cel_some(r, a[0]); }
CEL_FN(has_value) { return cel_bool(a[0].u.some != NULL); }
CEL_FN(value) { return a[0].u.some != NULL ? *a[0].u.some : cel_error(r, "optional.none() dereference"); }
CEL_FN(or_else) { return a[0].u.some != NULL ? a[0] : a[1]; }
CEL_FN(or_value) { return a[0].u.some != NULL ? *a[0].u.some : a[1]; }

static const struct cel_function optionals[] = {
    { "optional.of", "A:oA", of, COST_ONE, 0 },
    { "optional.none", ":oA", none, COST_ONE, 0 },
    { "optional.ofNonZeroValue", "A:oA", of_non_zero, COST_ONE, 0 },
    { "hasValue", "oA.:b", has_value, COST_ONE, 0 },
    { "value", "oA.:A", value, COST_ONE, SIZE_SAME },
    { "or", "oA.oA:oA", or_else, COST_ONE, SIZE_SAME },
    { "orValue", "oA.A:A", or_value, COST_ONE, SIZE_JOIN },
};
const struct cel_library cel_lib_optional = { optionals, ARRAY_LEN(optionals) };
