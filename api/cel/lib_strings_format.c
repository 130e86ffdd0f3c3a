/* api/cel/lib_strings_format.c: "%s has %d of %.2f".format([...]). */
#include <math.h>
#include <stdio.h>
#include "api/cel/impl.h"

struct clause { char verb; int precision; };     /* precision -1: none given */

/* A clause behind its '%'; false: there is none such. */
static bool take_clause(struct str *s, struct clause *ret)
{
    *ret = (struct clause){ .precision = -1 };
    if (s->n > 0 && s->p[0] == '.') {
        ret->precision = 0;
        for (*s = str_from(*s, 1); s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9'; *s = str_from(*s, 1))
            ret->precision = MIN_OF(ret->precision * 10 + (s->p[0] - '0'), 1000);
    }
    if (s->n == 0)
        return false;
    ret->verb = s->p[0];
    *s = str_from(*s, 1);
    return strchr("sdfebxXo", ret->verb) != NULL;
}

static bool add_string(struct cel_run *r, struct buf *b, const struct cel_value *v);

static bool add_items(struct cel_run *r, struct buf *b, const struct cel_value *v)
{
    struct cel_value key, value;
    bool             list = v->kind == CEL_LIST, first = true;

    buf_char(b, list ? '[' : '{');
    for (struct cel_walk w = { .of = v }; cel_next(&w, &key, &value); first = false) {
        if (!first)
            buf_z(b, ", ");
        if (!add_string(r, b, &key))
            return false;
        if (!list) {
            buf_z(b, ": ");
            if (!add_string(r, b, &value))
                return false;
        }
    }
    buf_char(b, list ? ']' : '}');
    return true;
}

static bool add_string(struct cel_run *r, struct buf *b, const struct cel_value *v)
{
    if (b->n > CEL_MAX_MEMORY || cel_failed(v))
        return false;
    if (v->kind == CEL_LIST || v->kind == CEL_MAP)
        return add_items(r, b, v);
    buf_str_add(b, cel_value_text(r->arena, v));
    return true;
}

static bool add_whole(struct buf *b, struct clause c, const struct cel_value *v)
{
    bool     negative = v->kind == CEL_INT && v->u.i < 0;
    uint64_t u = negative ? 0 - v->u.u : v->u.u;

    if (v->kind == CEL_BOOL && c.verb == 'b')
        u = v->u.b;
    else if (v->kind != CEL_INT && v->kind != CEL_UINT)
        return false;
    if (negative)
        buf_char(b, '-');
    if (c.verb == 'b') {
        int bit = 63;
        while (bit > 0 && (u >> bit & 1) == 0)
            bit--;
        for (; bit >= 0; bit--)
            buf_char(b, (char)('0' + (u >> bit & 1)));
        return true;
    }
    buf_fmt(b, c.verb == 'd' ? "%llu" : c.verb == 'o' ? "%llo" : c.verb == 'x' ? "%llx" : "%llX",
            (unsigned long long)u);
    return true;
}

static bool add_double(struct buf *b, struct clause c, const struct cel_value *v)
{
    double d = v->kind == CEL_DOUBLE ? v->u.d : v->kind == CEL_INT ? (double)v->u.i : (double)v->u.u;

    if (v->kind != CEL_DOUBLE && v->kind != CEL_INT && v->kind != CEL_UINT)
        return false;
    if (isnan(d) || isinf(d))
        buf_z(b, isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
    else
        buf_fmt(b, c.verb == 'f' ? "%.*f" : "%.*e", c.precision < 0 ? 6 : c.precision, d);
    return true;
}

static bool add_hex_text(struct buf *b, struct clause c, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_fmt(b, c.verb == 'x' ? "%02x" : "%02X", (unsigned char)s.p[i]);
    return true;
}

static bool add_clause(struct cel_run *r, struct buf *b, struct clause c, const struct cel_value *v)
{
    if (c.verb == 's')
        return add_string(r, b, v);
    if (c.verb == 'd' && v->kind == CEL_DOUBLE)
        return add_string(r, b, v);
    if (c.verb == 'f' || c.verb == 'e')
        return add_double(b, c, v);
    if ((c.verb | 32) == 'x' && (v->kind == CEL_STRING || v->kind == CEL_BYTES))
        return add_hex_text(b, c, v->u.s);
    return add_whole(b, c, v);
}

/* NULL, or why not. */
static const char *format_all(struct cel_run *r, struct buf *b, struct str s, const struct cel_value *list)
{
    struct cel_walk  w = { .of = list };
    struct cel_value v, ignored;
    struct clause    c;

    while (s.n > 0) {
        char first = s.p[0];
        s = str_from(s, 1);
        if (first != '%') {
            buf_char(b, first);
            continue;
        }
        if (s.n > 0 && s.p[0] == '%') {
            buf_char(b, '%');
            s = str_from(s, 1);
            continue;
        }
        if (!take_clause(&s, &c))
            return "could not parse formatting clause: unrecognized formatting clause";
        if (!cel_next(&w, &v, &ignored))
            return "index out of range: too few arguments for the formatting string";
        if (!add_clause(r, b, c, &v))
            return "error during formatting: the clause does not take this type";
    }
    return NULL;
}

struct cel_value cel_format_text(struct cel_run *r, const struct cel_value *a, unsigned n)
{
    struct buf       b = BUF_INIT;
    const char      *why = format_all(r, &b, a[0].u.s, &a[1]);
    struct cel_value v = cel_take_buf(r, &b);

    (void)n;
    return why != NULL ? cel_error(r, "%s", why) : v;
}
