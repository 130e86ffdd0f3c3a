/* api/cel/lib_quantity.c: Kubernetes' quantities. */
#include "api/cel/impl.h"
#include "api/quantity.h"

#define Q(i) (*(const struct quantity *)a[i].u.opaque)
#define NANO 1000000000

static struct cel_value make(struct cel_run *r, struct quantity q)
{
    struct quantity *p = cel_alloc(r, sizeof *p);

    if (p == NULL)
        return cel_over(r);
    *p = q;
    return cel_opaque(CEL_QUANTITY, p);
}

CEL_FN(parse)
{
    struct quantity q;

    if (quantity_parse(a[0].u.s, &q, NULL) != 0)
        return cel_error(r, "quantities must match the regular expression "
                            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    return make(r, q);
}
CEL_FN(is_quantity)
{
    struct quantity q;
    return cel_bool(quantity_parse(a[0].u.s, &q, NULL) == 0);
}

static bool is_whole(struct quantity q)
{
    return q.nano % NANO == 0 && q.nano / NANO >= INT64_MIN && q.nano / NANO <= INT64_MAX;
}

CEL_FN(sign) { return cel_int(quantity_sign(Q(0))); }
CEL_FN(is_integer) { return cel_bool(is_whole(Q(0))); }
CEL_FN(as_integer)
{
    return is_whole(Q(0)) ? cel_int((int64_t)(Q(0).nano / NANO))
                          : cel_error(r, "cannot convert value to integer");
}
CEL_FN(as_float) { return cel_double(quantity_double(Q(0))); }
CEL_FN(compare) { return cel_int(quantity_cmp(Q(0), Q(1))); }
CEL_FN(less) { return cel_bool(quantity_cmp(Q(0), Q(1)) < 0); }
CEL_FN(greater) { return cel_bool(quantity_cmp(Q(0), Q(1)) > 0); }
CEL_FN(add) { return make(r, quantity_add(Q(0), Q(1))); }
CEL_FN(sub) { return make(r, quantity_sub(Q(0), Q(1))); }
CEL_FN(add_int) { return make(r, quantity_add(Q(0), quantity_make(a[1].u.i, QUANTITY_DECIMAL_SI))); }
CEL_FN(sub_int) { return make(r, quantity_sub(Q(0), quantity_make(a[1].u.i, QUANTITY_DECIMAL_SI))); }

#define ROW(name, sig, fn) { name, sig, fn, COST_ONE, SIZE_NONE }
static const struct cel_function quantities[] = {
    { "quantity", "s:q", parse, COST_SCAN, 0 }, { "isQuantity", "s:b", is_quantity, COST_SCAN, 0 },
    ROW("sign", "q.:i", sign), ROW("isInteger", "q.:b", is_integer), ROW("asInteger", "q.:i", as_integer),
    ROW("asApproximateFloat", "q.:d", as_float), ROW("compareTo", "q.q:i", compare),
    ROW("isLessThan", "q.q:b", less), ROW("isGreaterThan", "q.q:b", greater), ROW("add", "q.q:q", add),
    ROW("add", "q.i:q", add_int), ROW("sub", "q.q:q", sub), ROW("sub", "q.i:q", sub_int),
};
const struct cel_library cel_lib_quantity = { quantities, ARRAY_LEN(quantities) };
