/* api/cel/lib_regex.c: matches, find, findAll.  A constant pattern was compiled with the expression and
 * comes along with its text (eval.c); another is compiled for the call. */
#include "api/cel/impl.h"

static struct regex *compiled(struct cel_run *r, const struct cel_value *pattern, struct cel_value *ret_error)
{
    struct errbuf err = { "" };
    struct regex *re = (struct regex *)(void *)(uintptr_t)pattern->type;
    size_t        before = arena_used(r->arena);

    if (re != NULL)
        return re;
    if (regex_compile(&re, pattern->u.s, r->arena, &err) != 0)
        *ret_error = cel_error(r, "%s", err.s);
    r->memory += arena_used(r->arena) - before;
    if (r->memory > CEL_MAX_MEMORY) {
        *ret_error = cel_over(r);
        return NULL;
    }
    return re;
}

static struct cel_value too_much(struct cel_run *r)
{
    return cel_error(r, "regular expression: too much work");
}

CEL_FN(matches)
{
    struct cel_value v = cel_null();
    struct regex    *re = compiled(r, &a[1], &v);
    int              yes = re != NULL ? regex_match(re, a[0].u.s) : 0;

    return re == NULL ? v : yes < 0 ? too_much(r) : cel_bool(yes == 1);
}

CEL_FN(find)
{
    struct cel_value  v = cel_null();
    struct regex     *re = compiled(r, &a[1], &v);
    struct regex_span s;
    int               yes = re != NULL ? regex_find(re, a[0].u.s, 0, &s) : 0;

    if (re == NULL || yes < 0)
        return re == NULL ? v : too_much(r);
    return cel_string(yes ? str_make(a[0].u.s.p + s.from, s.to - s.from) : STR(""));
}

CEL_FN(find_all)
{
    struct cel_items *items = cel_items_new(r, 0);
    struct cel_value  v = cel_null();
    struct regex     *re = compiled(r, &a[1], &v);
    struct regex_span s;
    int64_t           left = n > 2 ? a[2].u.i : -1;
    struct str        text = a[0].u.s;
    size_t            at = 0, end = SIZE_MAX;
    int               yes = 0;

    if (re == NULL || items == NULL)
        return re == NULL ? v : cel_over(r);
    while (left != 0 && at <= text.n && (yes = regex_find(re, text, at, &s)) == 1) {
        bool empty = s.to == s.from;
        if (!cel_charge(r, regex_steps(re) / 64))
            return cel_over(r);
        at = empty ? s.to + 1 : s.to;
        while (empty && at < text.n && ((unsigned char)text.p[at] & 0xc0) == 0x80)
            at++;
        if (empty && s.to == end)
            continue;                            /* an empty match right behind another is none */
        end = s.to;
        left -= left > 0;
        if (!cel_items_add(r, items, cel_string(str_make(text.p + s.from, s.to - s.from))))
            return cel_over(r);
    }
    return yes < 0 ? too_much(r) : cel_list(items);
}

static const struct cel_function regexes[] = {
    { "matches", "s.s:b", matches, COST_REGEX, 0 },
    { "matches", "ss:b", matches, COST_REGEX, 0 },
    { "find", "s.s:s", find, COST_REGEX, SIZE_SAME },
    { "findAll", "s.s:ls", find_all, COST_REGEX, SIZE_SAME },
    { "findAll", "s.si:ls", find_all, COST_REGEX, SIZE_SAME },
};
const struct cel_library cel_lib_regex = { regexes, ARRAY_LEN(regexes) };
