/* api/cel/lib_strings.c: functions of strings; positions count characters. */
#include "api/cel/impl.h"
#include "api/utf8.h"

#define TEXT(i) (a[i].u.s)

static struct cel_value out_of_range(struct cel_run *r, int64_t at)
{
    return cel_error(r, "index out of range: %lld", (long long)at);
}

static ptrdiff_t find_text(struct str in, struct str what, size_t from)
{
    const char *p;

    if (what.n == 0)
        return (ptrdiff_t)from;
    p = from < in.n ? memmem(in.p + from, in.n - from, what.p, what.n) : NULL;
    return p != NULL ? p - in.p : -1;
}

CEL_FN(contains) { return cel_bool(find_text(TEXT(0), TEXT(1), 0) >= 0); }
CEL_FN(starts_with) { return cel_bool(str_starts(TEXT(0), TEXT(1))); }
CEL_FN(ends_with) { return cel_bool(str_ends(TEXT(0), TEXT(1))); }

/* ---- Positions -------------------------------------------------------------------------------------- */

CEL_FN(char_at)
{
    ptrdiff_t at = cel_rune_at(TEXT(0), a[1].u.i);

    if (at < 0)
        return out_of_range(r, a[1].u.i);
    if ((size_t)at == TEXT(0).n)
        return cel_string(STR(""));
    return cel_string(str_make(TEXT(0).p + at, MAX_OF(utf8_len(TEXT(0).p + at, TEXT(0).p + TEXT(0).n), 1u)));
}

static struct cel_value rune_index(struct str s, ptrdiff_t byte)
{
    return cel_int(byte < 0 ? -1 : (int64_t)cel_runes(str_upto(s, (size_t)byte)));
}

CEL_FN(index_of)
{
    ptrdiff_t from = n > 2 ? cel_rune_at(TEXT(0), a[2].u.i) : 0;

    return from < 0 ? out_of_range(r, a[2].u.i)
                    : rune_index(TEXT(0), find_text(TEXT(0), TEXT(1), (size_t)from));
}

CEL_FN(last_index_of)
{
    ptrdiff_t from = n > 2 ? cel_rune_at(TEXT(0), a[2].u.i) : (ptrdiff_t)TEXT(0).n;

    if (from < 0)
        return out_of_range(r, a[2].u.i);
    for (ptrdiff_t at = from; at >= 0; at--)
        if (str_starts(str_from(TEXT(0), (size_t)at), TEXT(1)))
            return rune_index(TEXT(0), at);
    return cel_int(-1);
}

CEL_FN(substring)
{
    ptrdiff_t from = cel_rune_at(TEXT(0), a[1].u.i), to = (ptrdiff_t)TEXT(0).n;

    if (n > 2)
        to = cel_rune_at(TEXT(0), a[2].u.i);
    if (from < 0)
        return out_of_range(r, a[1].u.i);
    if (to < 0)
        return out_of_range(r, a[2].u.i);
    if (to < from)
        return cel_error(r, "invalid substring range. start: %lld, end: %lld", (long long)a[1].u.i,
                         (long long)a[2].u.i);
    return cel_string(str_make(TEXT(0).p + from, (size_t)(to - from)));
}

/* ---- Changed copies --------------------------------------------------------------------------------- */

static struct cel_value mapped(struct cel_run *r, struct str s, char from, char to, int by)
{
    char *out = cel_alloc(r, s.n + 1);

    if (out == NULL)
        return cel_over(r);
    for (size_t i = 0; i < s.n; i++)
        out[i] = (char)(s.p[i] >= from && s.p[i] <= to ? s.p[i] + by : s.p[i]);
    return cel_string(str_make(out, s.n));
}

CEL_FN(lower_ascii) { return mapped(r, TEXT(0), 'A', 'Z', 'a' - 'A'); }
CEL_FN(upper_ascii) { return mapped(r, TEXT(0), 'a', 'z', 'A' - 'a'); }

CEL_FN(reverse)
{
    struct str s = TEXT(0);
    char      *out = cel_alloc(r, s.n + 1);

    if (out == NULL)
        return cel_over(r);
    for (size_t at = 0, len; at < s.n; at += len) {
        len = MAX_OF(utf8_len(s.p + at, s.p + s.n), 1u);
        memcpy(out + s.n - at - len, s.p + at, len);
    }
    return cel_string(str_make(out, s.n));
}

/* Length of the white space (as Unicode has it) at p; 0: none. */
static unsigned space_at(const char *p, const char *end)
{
    const unsigned char *u = (const unsigned char *)p;
    unsigned             len = utf8_len(p, end), c;

    if (len == 1)
        return u[0] == ' ' || (u[0] >= '\t' && u[0] <= '\r');
    if (len == 2)
        return u[0] == 0xc2 && (u[1] == 0x85 || u[1] == 0xa0) ? 2 : 0;
    if (len != 3)
        return 0;
    c = (u[0] & 0xfu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
    return c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000 ? 3 : 0;
}

CEL_FN(trim)
{
    const char *p = TEXT(0).p, *end = p + TEXT(0).n, *last = p;
    unsigned    len;

    while (p < end && (len = space_at(p, end)) > 0)
        p += len;
    last = p;
    for (const char *q = p; q < end; q += len) {
        bool space = (len = space_at(q, end)) > 0;
        len = space ? len : MAX_OF(utf8_len(q, end), 1u);
        if (!space)
            last = q + len;
    }
    return cel_string(str_make(p, (size_t)(last - p)));
}

CEL_FN(replace)
{
    struct str s = TEXT(0), what = TEXT(1);
    int64_t    left = n > 3 ? a[3].u.i : -1;
    struct buf b = BUF_INIT;
    size_t     at = 0;

    if (left < 0)
        left = INT64_MAX;
    while (left-- > 0 && at <= s.n && b.n < CEL_MAX_MEMORY) {
        ptrdiff_t hit = find_text(s, what, at);
        size_t    step = what.n;
        if (hit < 0)
            break;
        buf_add(&b, s.p + at, (size_t)hit - at);
        buf_str_add(&b, TEXT(2));
        if (step == 0 && (size_t)hit < s.n) {    /* between any two characters */
            step = MAX_OF(utf8_len(s.p + hit, s.p + s.n), 1u);
            buf_add(&b, s.p + hit, step);
        }
        at = (size_t)hit + MAX_OF(step, (size_t)1);
    }
    if (at < s.n)
        buf_add(&b, s.p + at, s.n - at);
    return cel_take_buf(r, &b);
}

/* ---- Lists ------------------------------------------------------------------------------------------ */

CEL_FN(split)
{
    struct cel_items *items = cel_items_new(r, 4);
    struct str        s = TEXT(0), sep = TEXT(1);
    int64_t           left = n > 2 ? a[2].u.i : -1;
    size_t            at = 0;

    if (items == NULL)
        return cel_over(r);
    if (left == 0)
        return cel_list(items);
    for (; left < 0 || left > 1; left -= left > 0) {
        ptrdiff_t hit = find_text(s, sep, at);
        if (sep.n == 0)
            hit = at < s.n ? (ptrdiff_t)(at + MAX_OF(utf8_len(s.p + at, s.p + s.n), 1u)) : -1;
        if (hit < 0 || (sep.n == 0 && (size_t)hit == s.n))
            break;
        if (!cel_items_add(r, items, cel_string(str_make(s.p + at, (size_t)hit - at))))
            return cel_over(r);
        at = (size_t)hit + sep.n;
    }
    if (sep.n == 0 && s.n == 0)
        return cel_list(items);
    return cel_items_add(r, items, cel_string(str_from(s, at))) ? cel_list(items) : cel_over(r);
}

CEL_FN(join)
{
    struct buf       b = BUF_INIT;
    struct cel_value v, ignored;
    bool             ok = true;
    unsigned         i = 0;

    for (struct cel_walk w = { .of = &a[0] }; ok && cel_next(&w, &v, &ignored); i++) {
        ok = v.kind == CEL_STRING && b.n < CEL_MAX_MEMORY;
        if (i > 0 && n > 1)
            buf_str_add(&b, TEXT(1));
        if (ok)
            buf_str_add(&b, v.u.s);
    }
    v = cel_take_buf(r, &b);
    return ok ? v : cel_no_overload(r);
}

CEL_FN(quote)
{
    static const char names[] = "\aa\bb\ff\nn\rr\tt\vv\\\\\"\"";
    struct buf        b = BUF_INIT;

    buf_char(&b, '"');
    for (size_t i = 0; i < TEXT(0).n; i++) {
        const char *hit = NULL;
        for (size_t k = 0; k + 1 < sizeof names && hit == NULL; k += 2)
            if (names[k] == TEXT(0).p[i])
                hit = &names[k + 1];
        if (hit != NULL)
            buf_char(&b, '\\');
        buf_char(&b, hit != NULL ? *hit : TEXT(0).p[i]);
    }
    buf_char(&b, '"');
    return cel_take_buf(r, &b);
}

#define ROW(name, sig, fn, cost, size) { name, sig, fn, cost, size }
static const struct cel_function strings[] = {
    ROW("contains", "s.s:b", contains, COST_PRODUCT, 0),
    ROW("startsWith", "s.s:b", starts_with, COST_SCAN_ARG, 0),
    ROW("endsWith", "s.s:b", ends_with, COST_SCAN_ARG, 0),
    ROW("charAt", "s.i:s", char_at, COST_SCAN, 0),
    ROW("indexOf", "s.s:i", index_of, COST_PRODUCT, 0),
    ROW("indexOf", "s.si:i", index_of, COST_PRODUCT, 0),
    ROW("lastIndexOf", "s.s:i", last_index_of, COST_PRODUCT, 0),
    ROW("lastIndexOf", "s.si:i", last_index_of, COST_PRODUCT, 0),
    ROW("substring", "s.i:s", substring, COST_SCAN, SIZE_SAME),
    ROW("substring", "s.ii:s", substring, COST_SCAN, SIZE_SAME),
    ROW("lowerAscii", "s.:s", lower_ascii, COST_SCAN, SIZE_SAME),
    ROW("upperAscii", "s.:s", upper_ascii, COST_SCAN, SIZE_SAME),
    ROW("trim", "s.:s", trim, COST_SCAN, SIZE_SAME),
    ROW("reverse", "s.:s", reverse, COST_SCAN, SIZE_SAME),
    ROW("replace", "s.ss:s", replace, COST_SCAN, 0),
    ROW("replace", "s.ssi:s", replace, COST_SCAN, 0),
    ROW("split", "s.s:ls", split, COST_SCAN, SIZE_SAME),
    ROW("split", "s.si:ls", split, COST_SCAN, SIZE_SAME),
    ROW("join", "ls.:s", join, COST_WALK, 0),
    ROW("join", "ls.s:s", join, COST_WALK, 0),
    ROW("strings.quote", "s:s", quote, COST_SCAN, 0),
    ROW("format", "s.l*:s", cel_format_text, COST_SCAN, 0),
};
const struct cel_library cel_lib_strings = { strings, ARRAY_LEN(strings) };
