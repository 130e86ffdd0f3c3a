/* api/cel/value.c: values: from JSON and back, lists and maps of either make, equality, order, text. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "api/cel/impl.h"
#include "api/time_fmt.h"
#include "api/utf8.h"
#include "net/tls.h"

/* ---- Made in a run ---------------------------------------------------------------------------------- */

struct cel_value cel_error(struct cel_run *r, const char *fmt, ...)
{
    struct cel_value v = { .kind = CEL_ERROR };
    va_list          ap;

    va_start(ap, fmt);
    v.u.s = arena_vfmt(r->arena, fmt, ap);
    va_end(ap);
    return v;
}

struct cel_value cel_over(struct cel_run *r)
{
    r->over = true;
    return (struct cel_value){ .kind = CEL_ERROR,
                               .u.s = STR("operation cancelled: actual cost limit exceeded") };
}

struct cel_value cel_no_overload(struct cel_run *r)
{
    (void)r;
    return (struct cel_value){ .kind = CEL_ERROR, .u.s = STR("no such overload") };
}

void *cel_alloc(struct cel_run *r, size_t n)
{
    r->memory += n;
    if (r->memory > CEL_MAX_MEMORY) {
        r->over = true;
        return NULL;
    }
    return arena_alloc(r->arena, n);
}

struct cel_value cel_some(struct cel_run *r, struct cel_value v)
{
    struct cel_value *some = cel_alloc(r, sizeof *some);

    if (some == NULL)
        return cel_over(r);
    *some = v;
    return (struct cel_value){ .kind = CEL_OPTIONAL, .u.some = some };
}

struct cel_value cel_type_value(const struct cel_type *t)
{
    return (struct cel_value){ .kind = CEL_TYPE, .type = t };
}

struct cel_value cel_text(struct cel_run *r, struct str s)
{
    char *to = cel_alloc(r, s.n + 1);

    if (to == NULL)
        return cel_over(r);
    if (s.n > 0)
        memcpy(to, s.p, s.n);
    to[s.n] = '\0';
    return cel_string(str_make(to, s.n));
}

struct cel_value cel_take_buf(struct cel_run *r, struct buf *b)
{
    struct cel_value v = cel_text(r, buf_str(b));

    buf_release(b);
    return v;
}

struct cel_items *cel_items_new(struct cel_run *r, unsigned cap)
{
    struct cel_items *items = cel_alloc(r, sizeof *items);
    struct cel_value *v = cel_alloc(r, cap * sizeof *v);

    if (items == NULL || v == NULL)
        return NULL;
    *items = (struct cel_items){ 0, cap, v };
    return items;
}

bool cel_items_add(struct cel_run *r, struct cel_items *items, struct cel_value v)
{
    if (items->n == items->cap) {
        unsigned          cap = items->cap * 2 + 4;
        struct cel_value *more = cel_alloc(r, cap * sizeof *more);
        if (more == NULL)
            return false;
        if (items->n > 0)
            memcpy(more, items->v, items->n * sizeof *more);
        items->v = more;
        items->cap = cap;
    }
    items->v[items->n++] = v;
    return true;
}

struct cel_value cel_list(const struct cel_items *items)
{
    return (struct cel_value){ .kind = CEL_LIST, .u.items = items };
}

struct cel_value cel_map(const struct cel_items *items)
{
    return (struct cel_value){ .kind = CEL_MAP, .u.items = items };
}

/* ---- From JSON -------------------------------------------------------------------------------------- */

static struct cel_value bad_json(const char *why)
{
    return (struct cel_value){ .kind = CEL_ERROR, .u.s = str_of(why) };
}

static struct cel_value number_value(struct str text, enum cel_kind kind)
{
    struct cel_value v = cel_int(0);
    char             room[64];
    bool             whole = kind != CEL_DOUBLE && str_i64(text, &v.u.i);

    if (whole && kind == CEL_UINT)
        return v.u.i < 0 ? bad_json("unsigned integer overflow") : cel_uint((uint64_t)v.u.i);
    if (whole)
        return v;
    if (text.n >= sizeof room)
        return bad_json("a number with too many digits");
    memcpy(room, text.p, text.n);
    room[text.n] = '\0';
    v = cel_double(strtod(room, NULL));
    if (kind == CEL_INT && v.u.d == floor(v.u.d) && fabs(v.u.d) < 9.2e18)
        return cel_int((int64_t)v.u.d);
    return v;
}

/* A time, or a day alone. */
static bool read_time(struct str s, struct cel_value *ret)
{
    char day[] = "0000-00-00T00:00:00Z";

    ret->kind = CEL_TIMESTAMP;
    if (s.n == 10) {
        memcpy(day, s.p, 10);
        s = str_of(day);
    }
    return time_parse(s, &ret->u.time.s, &ret->u.time.ns);
}

static struct cel_value string_value(struct str s, enum cel_kind kind)
{
    struct cel_value v = cel_string(s);

    switch (kind) {
    case CEL_BYTES:
        v.kind = CEL_BYTES;
        v.json = true;
        return v;
    case CEL_TIMESTAMP:
        return read_time(s, &v) ? v : bad_json("not a timestamp");
    case CEL_DURATION:
        v.kind = CEL_DURATION;
        return duration_parse(s, &v.u.i) ? v : bad_json("not a duration");
    default:
        return v;
    }
}

struct cel_value cel_from_json(const struct json *j, const struct cel_type *t)
{
    struct cel_value v = { .kind = CEL_NULL };

    switch (j != NULL ? (enum json_type)j->type : JSON_NULL) {
    case JSON_NULL:
        return v;
    case JSON_BOOL:
        return cel_bool(j->boolean);
    case JSON_NUMBER:
        return number_value(j->s, t != NULL ? t->kind : CEL_DYN);
    case JSON_STRING:
        return string_value(j->s, t != NULL ? t->kind : CEL_DYN);
    case JSON_ARRAY: case JSON_OBJECT:
        v.kind = j->type == JSON_ARRAY ? CEL_LIST : CEL_MAP;
        v.json = true;
        v.type = t != NULL && t->kind == CEL_DYN ? NULL : t;
        v.u.tree = j;
        return v;
    }
    return v;
}

/* The type of a member or an element. */
static const struct cel_type *type_below(const struct cel_type *t, struct str key)
{
    const struct cel_field *f;

    if (t == NULL || t->kind != CEL_OBJECT)
        return t != NULL ? t->elem : NULL;
    f = cel_type_field(t, key);
    return f != NULL ? f->type : NULL;
}

struct cel_value cel_decoded(struct cel_run *r, const struct cel_value *v)
{
    struct buf       b = BUF_INIT;
    int              rc = base64_decode(&b, v->u.s, false);
    struct cel_value bytes = cel_take_buf(r, &b);

    if (rc != 0)
        return cel_error(r, "not base64");
    if (bytes.kind == CEL_STRING)
        bytes.kind = CEL_BYTES;
    return bytes;
}

/* ---- To JSON ---------------------------------------------------------------------------------------- */

static struct json *items_to_json(struct arena *a, const struct cel_value *v)
{
    struct json     *to = json_new(a, v->kind == CEL_LIST ? JSON_ARRAY : JSON_OBJECT);
    struct cel_walk  w = { .of = v };
    struct cel_value key, value;

    while (cel_next(&w, &key, &value)) {
        struct json *j = cel_to_json(a, v->kind == CEL_LIST ? &key : &value);
        if (j == NULL)
            return NULL;
        if (v->kind == CEL_LIST)
            json_push(to, j);
        else
            json_set(a, to, cel_value_text(a, &key), j);
    }
    return to;
}

struct json *cel_to_json(struct arena *a, const struct cel_value *v)
{
    struct json *j;

    switch (v->kind) {
    case CEL_NULL:   return json_null(a);
    case CEL_BOOL:   return json_bool(a, v->u.b);
    case CEL_INT:    return json_int(a, v->u.i);
    case CEL_UINT: case CEL_DOUBLE:
        j = json_new(a, JSON_NUMBER);
        j->s = cel_value_text(a, v);
        return j;
    case CEL_LIST: case CEL_MAP:
        return v->json ? json_copy(a, v->u.tree) : items_to_json(a, v);
    case CEL_STRING: case CEL_TIMESTAMP: case CEL_DURATION:
        return json_string(a, cel_value_text(a, v));
    default: return NULL;
    }
}

/* ---- Lists and maps --------------------------------------------------------------------------------- */

uint64_t cel_count(const struct cel_value *v)
{
    if (v->json)
        return v->u.tree->n;
    return v->kind == CEL_MAP ? v->u.items->n / 2 : v->u.items->n;
}

bool cel_next(struct cel_walk *w, struct cel_value *ret_key, struct cel_value *ret_value)
{
    const struct cel_value *of = w->of;

    if (of->json) {
        w->tree = w->i++ == 0 ? json__first(of->u.tree) : w->tree->next;
        if (w->tree == NULL)
            return false;
        if (of->kind == CEL_LIST) {
            *ret_key = cel_from_json(w->tree, type_below(of->type, STR_NONE));
            return true;
        }
        *ret_key = cel_string(w->tree->key);
        *ret_value = cel_from_json(w->tree, type_below(of->type, w->tree->key));
        return true;
    }
    if (w->i >= of->u.items->n)
        return false;
    *ret_key = of->u.items->v[w->i++];
    if (of->kind == CEL_MAP)
        *ret_value = of->u.items->v[w->i++];
    return true;
}

bool cel_list_at(const struct cel_value *list, uint64_t i, struct cel_value *ret)
{
    if (i >= cel_count(list))
        return false;
    *ret = list->json ? cel_from_json(json_at(list->u.tree, i), type_below(list->type, STR_NONE))
                      : list->u.items->v[i];
    return true;
}

bool cel_map_find_text(const struct cel_value *map, struct str key, struct cel_value *ret)
{
    struct cel_value v = cel_string(key);
    const struct json *j;

    if (!map->json)
        return cel_map_find(map, &v, ret);
    if ((j = json_get(map->u.tree, key)) == NULL)
        return false;
    *ret = cel_from_json(j, type_below(map->type, key));
    return true;
}

bool cel_map_find(const struct cel_value *map, const struct cel_value *key, struct cel_value *ret)
{
    if (map->json)
        return key->kind == CEL_STRING && cel_map_find_text(map, key->u.s, ret);
    for (unsigned i = 0; i + 1 < map->u.items->n; i += 2) {
        if (cel_compare(&map->u.items->v[i], key) == 0) {   /* keys are scalars */
            *ret = map->u.items->v[i + 1];
            return true;
        }
    }
    return false;
}

/* ---- Order and equality ----------------------------------------------------------------------------- */

static bool is_number(const struct cel_value *v) { return v->kind >= CEL_INT && v->kind <= CEL_DOUBLE; }

static int order_i64(int64_t x, int64_t y) { return (x > y) - (x < y); }
static int order_u64(uint64_t x, uint64_t y) { return (x > y) - (x < y); }

/* A double against a whole number, exactly; 2: not a number. */
static int order_double_int(double d, bool negative, uint64_t magnitude)
{
    double whole;

    if (isnan(d))
        return 2;
    if (d >= 18446744073709551616.0)
        return 1;
    if (d <= -9223372036854775809.0)
        return -1;
    if ((d < 0) != negative)
        return d < 0 ? -1 : (magnitude == 0 && d == 0) ? 0 : 1;
    whole = trunc(fabs(d));
    int c = order_u64((uint64_t)whole, magnitude);
    if (c == 0 && whole != fabs(d))
        c = 1;
    return negative ? -c : c;
}

static int order_numbers(const struct cel_value *x, const struct cel_value *y)
{
    if (x->kind == CEL_INT && y->kind == CEL_INT)
        return order_i64(x->u.i, y->u.i);
    if (x->kind == CEL_DOUBLE && y->kind == CEL_DOUBLE)
        return isnan(x->u.d) || isnan(y->u.d) ? 2 : (x->u.d > y->u.d) - (x->u.d < y->u.d);
    if (y->kind == CEL_DOUBLE) {
        int c = order_numbers(y, x);
        return c == 2 ? 2 : -c;
    }
    if (x->kind == CEL_DOUBLE) {
        bool negative = y->kind == CEL_INT && y->u.i < 0;
        return order_double_int(x->u.d, negative, negative ? 0 - y->u.u : y->u.u);
    }
    if (x->kind == CEL_INT && x->u.i < 0)
        return -1;
    if (y->kind == CEL_INT && y->u.i < 0)
        return 1;
    return order_u64(x->u.u, y->u.u);
}

int cel_compare(const struct cel_value *x, const struct cel_value *y)
{
    int c;

    if (is_number(x) && is_number(y))
        return order_numbers(x, y);
    if (x->kind != y->kind)
        return 3;
    switch (x->kind) {
    case CEL_BOOL: return (int)x->u.b - (int)y->u.b;
    case CEL_STRING: case CEL_BYTES:
        c = str_cmp(x->u.s, y->u.s);
        return (c > 0) - (c < 0);
    case CEL_TIMESTAMP:
        c = order_i64(x->u.time.s, y->u.time.s);
        return c != 0 ? c : order_u64(x->u.time.ns, y->u.time.ns);
    case CEL_DURATION: return order_i64(x->u.i, y->u.i);
    default: return 3;
    }
}

/* Memory compared is cheap, not free. */
static bool charge_text(struct cel_run *r, const struct cel_value *x, const struct cel_value *y)
{
    if (x->kind != y->kind || (x->kind != CEL_STRING && x->kind != CEL_BYTES))
        return true;
    return cel_charge(r, MIN_OF(x->u.s.n, y->u.s.n) / 256);
}

int cel_order(struct cel_run *r, const struct cel_value *x, const struct cel_value *y)
{
    return charge_text(r, x, y) ? cel_compare(x, y) : 0;
}

static bool equal_lists(struct cel_run *r, const struct cel_value *x, const struct cel_value *y)
{
    struct cel_walk  a = { .of = x }, b = { .of = y };
    struct cel_value p, q, ignored;

    if (cel_count(x) != cel_count(y) || !cel_charge(r, cel_count(x) / 8))
        return false;
    while (cel_next(&a, &p, &ignored))
        if (!cel_next(&b, &q, &ignored) || !cel_equal(r, &p, &q))
            return false;
    return true;
}

/* Both are walked alike as long as they have their entries in the same order. */
static bool equal_maps(struct cel_run *r, const struct cel_value *x, const struct cel_value *y)
{
    struct cel_walk  a = { .of = x }, b = { .of = y };
    struct cel_value key, value, other_key, other;

    if (cel_count(x) != cel_count(y) || !cel_charge(r, cel_count(x) / 8))
        return false;
    while (cel_next(&a, &key, &value)) {
        bool same = cel_next(&b, &other_key, &other) && cel_compare(&key, &other_key) == 0;
        if (!same && (!cel_charge(r, cel_count(y) / 16) || !cel_map_find(y, &key, &other)))
            return false;
        if (!cel_equal(r, &value, &other))
            return false;
    }
    return true;
}

bool cel_equal(struct cel_run *r, const struct cel_value *x, const struct cel_value *y)
{
    int c = charge_text(r, x, y) ? cel_compare(x, y) : 1;

    if (c != 3)
        return c == 0;
    if (x->kind != y->kind)
        return false;
    switch (x->kind) {
    case CEL_NULL: return true;
    case CEL_LIST: return equal_lists(r, x, y);
    case CEL_MAP:  return equal_maps(r, x, y);
    case CEL_TYPE: return x->type->kind == y->type->kind;
    case CEL_OPTIONAL:
        if (x->u.some == NULL || y->u.some == NULL)
            return x->u.some == y->u.some;
        return cel_equal(r, x->u.some, y->u.some);
    default: return cel_opaque_equal(x, y);
    }
}

/* ---- Sizes and text --------------------------------------------------------------------------------- */

/* Bytes that continue no character, eight at a time. */
size_t cel_runes(struct str s)
{
    const uint64_t ones = 0x0101010101010101u;
    size_t         n = s.n, i = 0;
    uint64_t       w;

    for (; i + 8 <= s.n; i += 8) {
        memcpy(&w, s.p + i, 8);
        n -= ((w >> 7 & ~w >> 6 & ones) * ones) >> 56;
    }
    for (; i < s.n; i++)
        n -= ((unsigned char)s.p[i] & 0xc0) == 0x80;
    return n;
}

ptrdiff_t cel_rune_at(struct str s, int64_t rune)
{
    size_t at = 0;

    if (rune < 0)
        return -1;
    for (; rune > 0 && at < s.n; rune--)
        for (at++; at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80;)
            at++;
    return rune == 0 ? (ptrdiff_t)at : -1;
}

uint64_t cel_size_of(const struct cel_value *v)
{
    switch (v->kind) {
    case CEL_STRING: case CEL_BYTES: return v->u.s.n;
    case CEL_LIST: case CEL_MAP: return cel_count(v);
    default: return 1;
    }
}

/* The shortest text that reads back as the same number, in Go's %g form. */
static struct str double_text(struct arena *a, double d)
{
    char room[40], *e;

    if (isnan(d))
        return STR("NaN");
    if (isinf(d))
        return d > 0 ? STR("+Inf") : STR("-Inf");
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(room, sizeof room, "%.*e", digits - 1, d);
        if (strtod(room, NULL) == d)
            break;
    }
    e = strchr(room, 'e');
    int exponent = atoi(e + 1), digits = (int)(e - room) - (room[0] == '-') - (strchr(room, '.') != NULL);
    if (exponent < -4 || exponent >= 6)
        return arena_str(a, str_of(room));
    return arena_fmt(a, "%.*f", MAX_OF(digits - 1 - exponent, 0), d);
}

static struct str timestamp_text(struct arena *a, const struct cel_value *v)
{
    struct str s = time_text(a, v->u.time.s), fraction;

    if (v->u.time.ns == 0)
        return s;
    fraction = arena_fmt(a, "%09u", v->u.time.ns);
    while (fraction.p[fraction.n - 1] == '0')
        fraction.n--;
    return arena_fmt(a, "%.*s.%.*sZ", (int)s.n - 1, s.p, STR_ARG(fraction));
}

/* Seconds with as many decimals as it takes: "1.5s". */
static struct str duration_value_text(struct arena *a, int64_t ns)
{
    uint64_t   magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    struct str s =
        arena_fmt(a, "%s%llu.%09llu", ns < 0 ? "-" : "", (unsigned long long)(magnitude / 1000000000),
                  (unsigned long long)(magnitude % 1000000000));

    while (s.p[s.n - 1] == '0')
        s.n--;
    s.n -= s.p[s.n - 1] == '.';
    return arena_fmt(a, "%.*ss", STR_ARG(s));
}

struct str cel_value_text(struct arena *a, const struct cel_value *v)
{
    struct buf   b = BUF_INIT;
    struct json *j;
    struct str   s;

    switch (v->kind) {
    case CEL_NULL:      return STR("null");
    case CEL_BOOL:      return v->u.b ? STR("true") : STR("false");
    case CEL_INT:       return arena_fmt(a, "%lld", (long long)v->u.i);
    case CEL_UINT:      return arena_fmt(a, "%llu", (unsigned long long)v->u.u);
    case CEL_DOUBLE:    return double_text(a, v->u.d);
    case CEL_STRING: case CEL_BYTES: case CEL_ERROR: return v->u.s;
    case CEL_TIMESTAMP: return timestamp_text(a, v);
    case CEL_DURATION:  return duration_value_text(a, v->u.i);
    case CEL_TYPE:      return str_of(cel_kind_name(v->type->kind));
    case CEL_LIST: case CEL_MAP:
        if ((j = cel_to_json(a, v)) == NULL)
            return str_of(cel_kind_name((enum cel_kind)v->kind));
        json_write(&b, j);
        s = arena_str(a, buf_str(&b));
        buf_release(&b);
        return s;
    default:
        return cel_opaque_text(a, v);
    }
}
