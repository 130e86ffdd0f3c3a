/* api/cel/lib_lists.c: lists as wholes: sums, order, sets, slices. */
#include <stdlib.h>
#include "api/cel/impl.h"

#define EACH(list, v) for (struct cel_walk w_ = { .of = (list) }; cel_next(&w_, &(v), &ignored);)

/* ---- Order ------------------------------------------------------------------------------------------ */

CEL_FN(is_sorted)
{
    struct cel_value before = { .kind = CEL_DYN }, v, ignored;

    EACH(&a[0], v) {
        int c = before.kind == CEL_DYN ? 0 : cel_order(r, &before, &v);
        if (c > 1)
            return cel_no_overload(r);
        if (c == 1)
            return cel_bool(false);
        before = v;
    }
    return cel_bool(true);
}

static struct cel_value extreme(struct cel_run *r, const struct cel_value *list, int sign, const char *name)
{
    struct cel_value best = { .kind = CEL_DYN }, v, ignored;

    EACH(list, v) {
        int c = best.kind == CEL_DYN ? sign : cel_order(r, &v, &best);
        if (c > 1)
            return cel_no_overload(r);
        if (c == sign)
            best = v;
    }
    return best.kind == CEL_DYN ? cel_error(r, "%s called on empty list", name) : best;
}

CEL_FN(least) { return extreme(r, &a[0], -1, "min"); }
CEL_FN(most) { return extreme(r, &a[0], 1, "max"); }

/* ---- Sums ------------------------------------------------------------------------------------------- */

/* The operator that adds two of a kind. */
static struct cel_value add_two(struct cel_run *r, struct cel_value x, struct cel_value y)
{
    bool over = false;

    if (x.kind != y.kind)
        return cel_no_overload(r);
    switch (x.kind) {
    case CEL_INT: case CEL_DURATION: over = __builtin_add_overflow(x.u.i, y.u.i, &x.u.i); break;
    case CEL_UINT: over = __builtin_add_overflow(x.u.u, y.u.u, &x.u.u); break;
    case CEL_DOUBLE: x.u.d += y.u.d; break;
    default: return cel_no_overload(r);
    }
    return over ? cel_error(r, x.kind == CEL_UINT ? "unsigned integer overflow" : "integer overflow") : x;
}

static struct cel_value sum_from(struct cel_run *r, const struct cel_value *list, struct cel_value zero)
{
    struct cel_value sum = zero, v, ignored;
    bool             first = true;

    EACH(list, v) {
        sum = first ? v : add_two(r, sum, v);
        if (cel_failed(&sum))
            return sum;
        first = false;
    }
    return sum;
}

CEL_FN(sum_int) { return sum_from(r, &a[0], cel_int(0)); }
CEL_FN(sum_uint) { return sum_from(r, &a[0], cel_uint(0)); }
CEL_FN(sum_double) { return sum_from(r, &a[0], cel_double(0)); }
CEL_FN(sum_duration) { return sum_from(r, &a[0], cel_duration(0)); }

/* ---- Places ----------------------------------------------------------------------------------------- */

static struct cel_value place_of(struct cel_run *r, const struct cel_value *list,
                                 const struct cel_value *what, bool last)
{
    struct cel_value v, ignored, found = cel_int(-1);
    int64_t          i = 0;

    EACH(list, v) {
        if (cel_equal(r, &v, what)) {
            found = cel_int(i);
            if (!last)
                break;
        }
        i++;
    }
    return found;
}

CEL_FN(index_of) { return place_of(r, &a[0], &a[1], false); }
CEL_FN(last_index_of) { return place_of(r, &a[0], &a[1], true); }

CEL_FN(slice)
{
    struct cel_items *items;
    struct cel_value  v, ignored;
    int64_t           i = 0, size = (int64_t)cel_count(&a[0]);

    if (a[1].u.i < 0 || a[2].u.i < 0)
        return cel_error(r, "cannot slice(%lld, %lld), negative indexes not supported", (long long)a[1].u.i,
                         (long long)a[2].u.i);
    if (a[1].u.i > a[2].u.i)
        return cel_error(r, "cannot slice(%lld, %lld), start index must be less than or equal to end index",
                         (long long)a[1].u.i, (long long)a[2].u.i);
    if (a[2].u.i > size)
        return cel_error(r, "cannot slice(%lld, %lld), list is length %lld", (long long)a[1].u.i,
                         (long long)a[2].u.i, (long long)size);
    if ((items = cel_items_new(r, (unsigned)(a[2].u.i - a[1].u.i))) == NULL)
        return cel_over(r);
    EACH(&a[0], v)
        if (i++ >= a[1].u.i && i <= a[2].u.i)
            items->v[items->n++] = v;
    return cel_list(items);
}

/* ---- Other lists ------------------------------------------------------------------------------------ */

static bool flatten_into(struct cel_run *r, struct cel_items *to, const struct cel_value *list, int64_t depth)
{
    struct cel_value v, ignored;

    EACH(list, v) {
        if (v.kind == CEL_LIST && depth > 0 ? !flatten_into(r, to, &v, depth - 1) : !cel_items_add(r, to, v))
            return false;
    }
    return true;
}

CEL_FN(flatten)
{
    struct cel_items *items = cel_items_new(r, 0);

    if (n > 1 && a[1].u.i < 0)
        return cel_error(r, "level must be non-negative");
    if (items == NULL || !flatten_into(r, items, &a[0], n > 1 ? MIN_OF(a[1].u.i, (int64_t)CEL_MAX_DEPTH) : 1))
        return cel_over(r);
    return cel_list(items);
}

static struct cel_items *copy_items(struct cel_run *r, const struct cel_value *list)
{
    struct cel_items *items = cel_items_new(r, (unsigned)cel_count(list));
    struct cel_value  v, ignored;

    if (items == NULL)
        return NULL;
    EACH(list, v)
        items->v[items->n++] = v;
    return items;
}

static int order(const void *x, const void *y) { return cel_compare(x, y); }

CEL_FN(sort)
{
    struct cel_items *items = copy_items(r, &a[0]);

    if (items == NULL)
        return cel_over(r);
    for (unsigned i = 1; i < items->n; i++) {
        /* As much again for each halving of the list: what the comparisons of sorting may add up to. */
        for (unsigned left = items->n; left > 1 && cel_charge(r, cel_size_of(&items->v[i]) / 256); left /= 2)
            continue;
        if (cel_order(r, &items->v[i - 1], &items->v[i]) > 1)
            return cel_error(r, "list elements must have the same type");
        if (r->over)
            return cel_over(r);
    }
    qsort(items->v, items->n, sizeof *items->v, order);
    return cel_list(items);
}

CEL_FN(reversed)
{
    struct cel_items *items = copy_items(r, &a[0]);

    if (items == NULL)
        return cel_over(r);
    for (unsigned i = 0, k = items->n; i + 1 < k; i++) {
        struct cel_value v = items->v[i];
        items->v[i] = items->v[--k];
        items->v[k] = v;
    }
    return cel_list(items);
}

static bool has(struct cel_run *r, const struct cel_value *list, const struct cel_value *what)
{
    return place_of(r, list, what, false).u.i >= 0;
}

CEL_FN(distinct)
{
    struct cel_items *items = cel_items_new(r, 0);
    struct cel_value  v, ignored;

    if (items == NULL)
        return cel_over(r);
    EACH(&a[0], v) {
        struct cel_value so_far = cel_list(items);
        if (!cel_charge(r, items->n / 8))
            return cel_over(r);
        if (!has(r, &so_far, &v) && !cel_items_add(r, items, v))
            return cel_over(r);
    }
    return cel_list(items);
}

CEL_FN(range)
{
    struct cel_items *items = cel_items_new(r, 0);

    if (items == NULL)
        return cel_over(r);
    for (int64_t i = 0; i < a[0].u.i; i++)
        if (!cel_items_add(r, items, cel_int(i)) || !cel_charge(r, 1))
            return cel_over(r);
    return cel_list(items);
}

/* ---- Sets ------------------------------------------------------------------------------------------- */

static bool all_in(struct cel_run *r, const struct cel_value *these, const struct cel_value *in)
{
    struct cel_value v, ignored;

    EACH(these, v)
        if (!has(r, in, &v))
            return false;
    return true;
}

CEL_FN(sets_contains) { return cel_bool(all_in(r, &a[1], &a[0])); }
CEL_FN(sets_equivalent) { return cel_bool(all_in(r, &a[0], &a[1]) && all_in(r, &a[1], &a[0])); }
CEL_FN(sets_intersects)
{
    struct cel_value v, ignored;

    EACH(&a[0], v)
        if (has(r, &a[1], &v))
            return cel_bool(true);
    return cel_bool(false);
}

#define ORDERED(name, fn, result)                                                                       \
    { name, "li.:" result("i"), fn, COST_WALK, 0 }, { name, "lu.:" result("u"), fn, COST_WALK, 0 },     \
        { name, "ld.:" result("d"), fn, COST_WALK, 0 }, { name, "lb.:" result("b"), fn, COST_WALK, 0 }, \
        { name, "lD.:" result("D"), fn, COST_WALK, 0 }, { name, "lt.:" result("t"), fn, COST_WALK, 0 }, \
        { name, "ls.:" result("s"), fn, COST_WALK, 0 },                                                 \
    {                                                                                                   \
        name, "ly.:" result("y"), fn, COST_WALK, 0                                                      \
    }
#define OF_BOOL(t) "b"
#define OF_SAME(t) t

static const struct cel_function lists[] = {
    ORDERED("isSorted", is_sorted, OF_BOOL), ORDERED("min", least, OF_SAME), ORDERED("max", most, OF_SAME),
    { "sum", "li.:i", sum_int, COST_WALK, 0 }, { "sum", "lu.:u", sum_uint, COST_WALK, 0 },
    { "sum", "ld.:d", sum_double, COST_WALK, 0 }, { "sum", "lD.:D", sum_duration, COST_WALK, 0 },
    { "indexOf", "lA.A:i", index_of, COST_WALK, 0 }, { "lastIndexOf", "lA.A:i", last_index_of, COST_WALK, 0 },
    { "slice", "lA.ii:lA", slice, COST_WALK, SIZE_SAME }, { "flatten", "l*.:l*", flatten, COST_WALK, 0 },
    { "flatten", "l*.i:l*", flatten, COST_WALK, 0 }, { "sort", "lA.:lA", sort, COST_WALK, SIZE_SAME },
    { "reverse", "lA.:lA", reversed, COST_WALK, SIZE_SAME },
    { "distinct", "lA.:lA", distinct, COST_WALK, SIZE_SAME }, { "lists.range", "i:li", range, COST_ONE, 0 },
    { "sets.contains", "lAlA:b", sets_contains, COST_WALK_PRODUCT, 0 },
    { "sets.equivalent", "lAlA:b", sets_equivalent, COST_WALK_PRODUCT, 0 },
    { "sets.intersects", "lAlA:b", sets_intersects, COST_WALK_PRODUCT, 0 },
};
const struct cel_library cel_lib_lists = { lists, ARRAY_LEN(lists) };
