/* api/json_tree.c: making, reading, changing and comparing trees. */
#include "api/json.h"
#include "api/json_index.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- making ------------------------------------------------------------------------------------ */

struct json *json_new(struct arena *a, enum json_type type)
{
    struct json *j = arena_new(a, struct json);

    j->type = (uint8_t)type;
    if (type == JSON_NUMBER)
        j->s = STR("0");
    return j;
}

struct json *json_object(struct arena *a) { return json_new(a, JSON_OBJECT); }
struct json *json_array(struct arena *a) { return json_new(a, JSON_ARRAY); }
struct json *json_null(struct arena *a) { return json_new(a, JSON_NULL); }

struct json *json_string_ref(struct arena *a, struct str s)
{
    struct json *j = json_new(a, JSON_STRING);

    j->s = s;
    return j;
}

struct json *json_raw(struct arena *a, struct str text)
{
    struct json *j = json_string_ref(a, text);

    j->flags = JSON_F_RAW;
    return j;
}

struct json *json_string(struct arena *a, struct str s)
{
    return json_string_ref(a, arena_str(a, s));
}

struct json *json_int(struct arena *a, int64_t v)
{
    struct json *j = json_new(a, JSON_NUMBER);

    j->s = arena_fmt(a, "%lld", (long long)v);
    return j;
}

struct json *json_bool(struct arena *a, bool v)
{
    struct json *j = json_new(a, JSON_BOOL);

    j->boolean = v;
    return j;
}

struct json *json_copy(struct arena *a, const struct json *j)
{
    struct json *to, **end;

    if (j == NULL)
        return NULL;
    to = arena_alloc(a, sizeof *to);
    *to = *j;
    to->next = NULL;
    if (j->type < JSON_ARRAY)
        return to;
    end = &to->first;
    to->first = to->last = NULL;
    json_each(it, j) {
        to->last = *end = json_copy(a, it);
        end = &to->last->next;
    }
    return to;
}

/* ---- members and elements ---------------------------------------------------------------------- */

struct json *json_get(const struct json *obj, struct str key)
{
    if (!json_is(obj, JSON_OBJECT))
        return NULL;
    for (struct json *it = obj->first; it != NULL; it = it->next)
        if (it->key.n == key.n &&
            (key.n == 0 || (it->key.p[0] == key.p[0] && memcmp(it->key.p, key.p, key.n) == 0)))
            return it;
    return NULL;
}

static void link_after(struct json *parent, struct json *prev, struct json *node)
{
    must(node->next == NULL && node != parent);
    struct json **at = prev != NULL ? &prev->next : &parent->first;

    node->next = *at;
    *at = node;
    if (node->next == NULL)
        parent->last = node;
    parent->n++;
}

static void unlink_after(struct json *parent, struct json *prev, struct json *node)
{
    *(prev != NULL ? &prev->next : &parent->first) = node->next;
    if (parent->last == node)
        parent->last = prev;
    node->next = NULL;
    must(parent->n > 0);
    parent->n--;
}

/* The member with this key, and the one before it; prev is the last member when there is none. */
static struct json *find_with_prev(const struct json *obj, struct str key, struct json **ret_prev)
{
    struct json *prev = NULL, *it = obj->first;

    for (; it != NULL && !str_eq(it->key, key); it = it->next)
        prev = it;
    *ret_prev = prev;
    return it;
}

static struct json *set_member(struct arena *a, struct json *obj, struct str key, struct json *val,
                               bool copy_key)
{
    struct json *prev, *had;

    must(json_is(obj, JSON_OBJECT) && val != NULL);
    had = find_with_prev(obj, key, &prev);
    if (had == val)
        return val;
    if (had != NULL) {
        val->key = had->key;
        unlink_after(obj, prev, had);
    } else {
        val->key = copy_key ? arena_str(a, key) : key;
    }
    link_after(obj, prev, val);
    return val;
}

struct json *json_set(struct arena *a, struct json *obj, struct str key, struct json *val)
{
    return set_member(a, obj, key, val, true);
}

struct json *json_setz(struct arena *a, struct json *obj, const char *key, struct json *val)
{
    return set_member(a, obj, str_of(key), val, false);
}

struct json *json_append(struct json *parent, struct str key, struct json *val)
{
    must(parent->type >= JSON_ARRAY && val != parent);
    val->key = key;
    val->next = NULL;
    *(parent->last != NULL ? &parent->last->next : &parent->first) = val;
    parent->last = val;
    parent->n++;
    return val;
}

void json_sweep_nulls(struct json *parent)
{
    struct json *next, *v = parent->first;

    parent->first = parent->last = NULL;
    parent->n = 0;
    for (; v != NULL; v = next) {
        next = v->next;
        if (v->type != JSON_NULL)
            json_append(parent, v->key, v);
    }
}

bool json_del(struct json *obj, struct str key)
{
    struct json *prev, *it;

    if (!json_is(obj, JSON_OBJECT))
        return false;
    it = find_with_prev(obj, key, &prev);
    if (it == NULL)
        return false;
    unlink_after(obj, prev, it);
    return true;
}

bool json_delz(struct json *obj, const char *key)
{
    return json_del(obj, str_of(key));
}

struct json *json_at(const struct json *arr, size_t i)
{
    struct json *it;

    if (!json_is(arr, JSON_ARRAY) || i >= arr->n)
        return NULL;
    for (it = arr->first; i > 0; i--)
        it = it->next;
    return it;
}

struct json *json_push(struct json *arr, struct json *val)
{
    must(json_is(arr, JSON_ARRAY));
    val->key = STR_NONE;
    link_after(arr, arr->last, val);
    return val;
}

void json_insert(struct json *arr, size_t i, struct json *val)
{
    must(json_is(arr, JSON_ARRAY) && i <= arr->n);
    val->key = STR_NONE;
    link_after(arr, i == arr->n ? arr->last : i > 0 ? json_at(arr, i - 1) : NULL, val);
}

struct json *json_remove_at(struct json *arr, size_t i)
{
    struct json *prev, *it;

    if (!json_is(arr, JSON_ARRAY) || i >= arr->n)
        return NULL;
    prev = i > 0 ? json_at(arr, i - 1) : NULL;
    it = prev != NULL ? prev->next : arr->first;
    unlink_after(arr, prev, it);
    return it;
}

/* ---- paths ------------------------------------------------------------------------------------- */

static bool next_step(const char **path, struct str *ret)
{
    size_t n;

    if (**path == '\0')
        return false;
    n = strcspn(*path, ".");
    *ret = str_make(*path, n);
    *path += n + ((*path)[n] == '.');
    return true;
}

static bool step_index(struct str s, size_t *ret)
{
    size_t v = 0;

    if (s.n == 0 || s.n > 9)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (size_t)(s.p[i] - '0');
    }
    *ret = v;
    return true;
}

struct json *json_path(const struct json *j, const char *path)
{
    struct json *at = (struct json *)(uintptr_t)j;
    struct str step;
    size_t i;

    while (at != NULL && next_step(&path, &step)) {
        if (at->type == JSON_ARRAY)
            at = step_index(step, &i) ? json_at(at, i) : NULL;
        else
            at = json_get(at, step);
    }
    return at;
}

struct json *json_make_path(struct arena *a, struct json *obj, const char *path)
{
    struct str step;
    size_t i;

    while (next_step(&path, &step)) {
        struct json *next =
            obj->type == JSON_ARRAY && step_index(step, &i) ? json_at(obj, i) : json_get(obj, step);

        if (next == NULL || (next->type != JSON_OBJECT && next->type != JSON_ARRAY)) {
            must(obj->type == JSON_OBJECT);
            next = json_set(a, obj, step, json_object(a));
        }
        obj = next;
    }
    return obj;
}

struct str json_path_str(const struct json *j, const char *path)
{
    return json_str(json_path(j, path));
}

int64_t json_path_i64(const struct json *j, const char *path, int64_t otherwise)
{
    return json_i64_or(json_path(j, path), otherwise);
}

bool json_path_true(const struct json *j, const char *path)
{
    return json_true(json_path(j, path));
}

struct json *json_setf(struct arena *a, struct json *obj, const char *key, const char *fmt, ...)
{
    struct str s;
    va_list ap;

    va_start(ap, fmt);
    s = arena_vfmt(a, fmt, ap);
    va_end(ap);
    return json_setz(a, obj, key, json_string_ref(a, s));
}

/* ---- numbers ----------------------------------------------------------------------------------- */

bool json_i64(const struct json *j, int64_t *ret)
{
    uint64_t v = 0, limit;
    bool negative;
    size_t i;

    if (!json_is(j, JSON_NUMBER) || j->s.n == 0)
        return false;
    negative = j->s.p[0] == '-';
    limit = (uint64_t)INT64_MAX + negative;
    for (i = negative; i < j->s.n; i++) {
        unsigned d = (unsigned)(j->s.p[i] - '0');

        if (d > 9 || v > (limit - d) / 10)
            return false;
        v = v * 10 + d;
    }
    if (i == negative)
        return false;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

int64_t json_i64_or(const struct json *j, int64_t otherwise)
{
    int64_t v;

    return json_i64(j, &v) ? v : otherwise;
}

/* The exact text of any double is shorter than this; longer numbers are not meant as one. */
double json_double_or(const struct json *j, double otherwise)
{
    char z[1100];

    if (!json_is(j, JSON_NUMBER) || j->s.n == 0 || j->s.n >= sizeof z)
        return otherwise;
    memcpy(z, j->s.p, j->s.n);
    z[j->s.n] = '\0';
    return strtod(z, NULL);
}

/* ---- comparing --------------------------------------------------------------------------------- */

/* A number's text taken apart: significant digits (with a '.' somewhere among them) times a power of ten. */
struct decimal { bool negative; const char *p, *end; int64_t exponent; };

static struct decimal decimal_of(struct str s)
{
    struct decimal d = { .p = s.p, .end = s.p + s.n };
    const char *mantissa_end, *dot;
    int64_t e = 0;

    if (d.p < d.end && *d.p == '-') {
        d.negative = true;
        d.p++;
    }
    for (mantissa_end = d.p; mantissa_end < d.end && (*mantissa_end | 0x20) != 'e';)
        mantissa_end++;
    if (mantissa_end < d.end) {
        const char *q = mantissa_end + 1;
        bool minus = q < d.end && *q == '-';

        for (q += q < d.end && (*q == '-' || *q == '+'); q < d.end; q++)
            e = MIN_OF(e * 10 + (*q - '0'), (int64_t)1 << 48);   /* far beyond any text's length */
        e = minus ? -e : e;
    }
    dot = memchr(d.p, '.', (size_t)(mantissa_end - d.p));
    d.end = mantissa_end;
    d.exponent = e + ((dot != NULL ? dot : mantissa_end) - d.p);
    for (; d.p < d.end && (*d.p == '0' || *d.p == '.'); d.p++)
        d.exponent -= *d.p == '0';
    while (d.end > d.p && (d.end[-1] == '0' || d.end[-1] == '.'))
        d.end--;
    if (d.p == d.end)
        d = (struct decimal){ .p = d.p, .end = d.p };        /* zero has no sign */
    return d;
}

static int next_digit(struct decimal *d)
{
    if (d->p < d->end && *d->p == '.')
        d->p++;
    return d->p < d->end ? *d->p++ : 0;
}

static bool number_equal(struct str x, struct str y)
{
    struct decimal a, b;
    int c;

    if (str_eq(x, y))
        return true;
    if (x.n == 0 || y.n == 0)
        return false;
    a = decimal_of(x);
    b = decimal_of(y);
    if (a.negative != b.negative || a.exponent != b.exponent)
        return false;
    do {
        c = next_digit(&a);
        if (c != next_digit(&b))
            return false;
    } while (c != 0);
    return true;
}

static bool object_equal(const struct json *x, const struct json *y)
{
    struct arena scratch = ARENA_INIT;
    struct json_index ix = { .obj = y };
    const struct json *guess = y->first;         /* mostly the order is the same */
    bool equal = true;

    json_each(it, x) {
        const struct json *other = guess;

        if (other == NULL || !str_eq(other->key, it->key)) {
            if (ix.slots == NULL && y->n >= JSON_INDEX_FROM)
                json_index_make(&scratch, &ix, y, 0);
            other = json_index_get(&ix, it->key);
        }
        if (other == NULL || !json_equal(it, other)) {
            equal = false;
            break;
        }
        guess = other->next;
    }
    arena_release(&scratch);
    return equal;
}

struct str json_double_text(struct arena *a, double d)
{
    char text[40];
    int n = 0;

    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof(text), "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    return arena_str(a, str_make(text, (size_t)n));
}

/* What is JSON text already is compared as such. */
static bool text_equal(const struct json *x, const struct json *y)
{
    struct buf a = BUF_INIT, b = BUF_INIT;
    bool equal;

    json_write(&a, x);
    json_write(&b, y);
    equal = str_eq(buf_str(&a), buf_str(&b));
    buf_release(&b);
    buf_release(&a);
    return equal;
}

bool json_equal(const struct json *x, const struct json *y)
{
    if (x == NULL || y == NULL)
        return x == y;
    if ((x->flags | y->flags) & JSON_F_RAW)
        return text_equal(x, y);
    if (x->type != y->type)
        return false;
    switch (x->type) {
    case JSON_NULL: return true;
    case JSON_BOOL: return x->boolean == y->boolean;
    case JSON_NUMBER: return number_equal(x->s, y->s);
    case JSON_STRING: return str_eq(x->s, y->s);
    default: break;
    }
    if (x->n != y->n)
        return false;
    if (x->type == JSON_OBJECT)
        return object_equal(x, y);
    for (const struct json *a = x->first, *b = y->first; a != NULL; a = a->next, b = b->next)
        if (!json_equal(a, b))
            return false;
    return true;
}

bool json_equal_where(const struct json *x, const struct json *y, bool (*counts)(const struct json *m))
{
    uint32_t n = 0;

    json_each(m, y)
        n += counts(m);
    json_each(m, x) {
        if (!counts(m))
            continue;
        if (!json_equal(m, json_get(y, m->key)))
            return false;
        n--;
    }
    return n == 0;
}
