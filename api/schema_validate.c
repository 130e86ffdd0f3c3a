/* api/schema_validate.c: is what the tables say about values true of this object?
 *
 * Expects a tree that schema_conform() has passed: types are right, so only values are looked at.  Nothing
 * is allocated unless something is wrong or a long list must be checked for duplicates. */
#include <inttypes.h>
#include <stdlib.h>
#include "api/crd/rules.h"
#include "api/names.h"
#include "api/quantity.h"
#include "api/schema_impl.h"

#define SCAN_MAX 16                              /* lists up to this length are compared pair by pair */

static void validate_object(const struct schema_type *t, const struct json *obj, const struct at *at,
                            struct causes *causes);

/* ---- single values ------------------------------------------------------------------------------ */

static void validate_enum(const struct schema_field *f, struct str s, const struct at *at,
                          struct causes *causes)
{
    if (s.n == 0)
        return;                                  /* as good as absent */
    for (unsigned i = 0; i < f->enums->n; i++)
        if (str_is(s, f->enums->values[i]))
            return;
    cause_unsupported(causes, at, s, f->enums->values, f->enums->n);
}

static void validate_range(const struct schema_field *f, const struct json *v, const struct at *at,
                           struct causes *causes)
{
    int64_t n = json_i64_or(v, 0);

    if (f->min > f->max || (n >= f->min && n <= f->max))
        return;
    if (f->min != INT64_MIN && f->max != INT64_MAX)
        cause_add(causes, CAUSE_INVALID, at,
                  "Invalid value: %" PRIi64 ": must be between %" PRIi64 " and %" PRIi64 ", inclusive", n,
                  f->min, f->max);
    else if (f->max == INT64_MAX)
        cause_add(causes, CAUSE_INVALID, at,
                  "Invalid value: %" PRIi64 ": must be greater than or equal to %" PRIi64, n, f->min);
    else
        cause_add(causes, CAUSE_INVALID, at,
                  "Invalid value: %" PRIi64 ": must be less than or equal to %" PRIi64, n, f->max);
}

static void validate_amount(const struct schema_field *f, const struct json *v, const struct at *at,
                            struct causes *causes)
{
    struct quantity q;
    struct errbuf err;

    if (f->min > f->max || quantity_from_json(v, &q, &err) < 0 || quantity_sign(q) >= 0)
        return;
    cause_invalid(causes, at, v->s, "must be greater than or equal to 0");
}

/* A port by number or by name. */
static void validate_port(const struct json *v, const struct at *at, struct causes *causes)
{
    const char *why = v->type == JSON_NUMBER ? name_check_port_number(json_i64_or(v, 0))
                                             : name_check_port(json_str(v));

    if (why == NULL)
        return;
    if (v->type == JSON_NUMBER)
        cause_invalid_raw(causes, at, v->s, why);
    else
        cause_invalid(causes, at, json_str(v), why);
}

static void validate_value(const struct schema_field *f, const struct json *v, const struct at *at,
                           struct causes *causes)
{
    if (f->base == SCHEMA_OBJECT)
        validate_object(f->type, v, at, causes);
    else if (f->enums != NULL)
        validate_enum(f, json_str(v), at, causes);
    else if (f->base == SCHEMA_INT32 || f->base == SCHEMA_INT64)
        validate_range(f, v, at, causes);
    else if (f->base == SCHEMA_QUANTITY)
        validate_amount(f, v, at, causes);
    else if (f->base == SCHEMA_INT_OR_STRING && f->format != NULL)
        validate_port(v, at, causes);
    else if (f->format != NULL && json_str(v).n > 0) {
        name_check_fn *check = name_check_find(f->format);
        const char *why;

        must(check != NULL);                     /* our own schema files */
        why = check(v->s);
        if (why != NULL)
            cause_invalid(causes, at, v->s, why);
    }
}

/* ---- duplicates --------------------------------------------------------------------------------- */

bool schema__same_keys(const struct schema_field *f, const struct json *x, const struct json *y)
{
    if (f->list_keys == NULL)
        return json_equal(x, y);
    for (const char *const *key = f->list_keys; *key != NULL; key++) {
        const struct json *a = json_getz(x, *key), *b = json_getz(y, *key);

        if (a == NULL || b == NULL || !json_equal(a, b))
            return false;
    }
    return true;
}

static void duplicate(const struct schema_field *f, const struct json *v, long i, const struct at *up,
                      struct causes *causes)
{
    struct at at = AT_INDEX(up, i);
    struct buf text = BUF_INIT;

    if (f->list_keys != NULL && f->list_keys[1] == NULL && f->rules == NULL) {
        struct at key = AT_STR(&at, str_of(f->list_keys[0]));
        const struct json *value = json_getz(v, f->list_keys[0]);

        json_write(&text, value);
        cause_add(causes, CAUSE_DUPLICATE, &key, "Duplicate value: %.*s", STR_ARG(buf_str(&text)));
        buf_release(&text);
        return;
    }
    if (f->list_keys == NULL)
        json_write(&text, v);
    for (const char *const *key = f->list_keys; key != NULL && *key != NULL; key++) {
        buf_fmt(&text, "%c\"%s\":", key == f->list_keys ? '{' : ',', *key);
        json_write(&text, json_getz(v, *key));
    }
    if (f->list_keys != NULL)
        buf_char(&text, '}');
    cause_add(causes, CAUSE_DUPLICATE, &at, "Duplicate value: %.*s", STR_ARG(buf_str(&text)));
    buf_release(&text);
}

struct keyed { uint64_t hash; long i; const struct json *v; };

static int by_hash(const void *x, const void *y)
{
    const struct keyed *a = x, *b = y;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->i > b->i) - (a->i < b->i);
}

uint64_t schema__hash_keys(const struct schema_field *f, const struct json *v)
{
    uint64_t h = 0;

    if (f->list_keys == NULL)
        return v->type == JSON_STRING || v->type == JSON_NUMBER ? str_hash(v->s) : 0;
    for (const char *const *key = f->list_keys; *key != NULL; key++) {
        const struct json *k = json_getz(v, *key);

        if (k != NULL && (k->type == JSON_STRING || k->type == JSON_NUMBER))
            h = h * 31 + str_hash(k->s);
    }
    return h;
}

/* Of elements with equal hashes, only neighbours are compared: enough to find that a long list has
 * duplicates, and never quadratic. */
static void unique_long(const struct schema_field *f, const struct json *list, const struct at *at,
                        struct causes *causes)
{
    struct keyed *all = arena_alloc(causes->arena, list->n * sizeof(*all));
    long n = 0;

    json_each(v, list) {
        all[n] = (struct keyed){ schema__hash_keys(f, v), n, v };
        n++;
    }
    qsort(all, (size_t)n, sizeof(*all), by_hash);
    for (long i = 1; i < n; i++)
        if (all[i].hash == all[i - 1].hash && schema__same_keys(f, all[i].v, all[i - 1].v))
            duplicate(f, all[i].v, all[i].i, at, causes);
}

void schema__validate_unique(const struct schema_field *f, const struct json *list, const struct at *at,
                             struct causes *causes)
{
    long i = 0;

    if (list->n > SCAN_MAX) {
        unique_long(f, list, at, causes);
        return;
    }
    json_each(v, list) {
        for (const struct json *u = list->first; u != v; u = u->next)
            if (schema__same_keys(f, u, v)) {
                duplicate(f, v, i, at, causes);
                break;
            }
        i++;
    }
}

/* ---- objects ------------------------------------------------------------------------------------ */

static bool is_empty(const struct schema_field *f, const struct json *v)
{
    if (f->shape != SCHEMA_ONE)
        return v->n == 0;
    return v->type == JSON_STRING && v->s.n == 0;
}

static void validate_length(const struct schema_field *f, const struct json *list, const struct at *at,
                            struct causes *causes)
{
    if (f->max_items > 0 && list->n > f->max_items)
        cause_add(causes, CAUSE_TOO_MANY, at, "Too many: %u: must have at most %u items", list->n,
                  f->max_items);
    if (list->n < f->min_items)
        cause_add(causes, CAUSE_INVALID, at, "Invalid value: %u: must have at least %u items", list->n,
                  f->min_items);
}

static void validate_field(const struct schema_field *f, const struct json *v, const struct at *at,
                           struct causes *causes)
{
    bool plain = f->base != SCHEMA_OBJECT && f->enums == NULL && f->format == NULL && f->min > f->max;
    long i = 0;

    if ((f->flags & SCHEMA_REQUIRED) && is_empty(f, v)) {
        cause_required(causes, at, "");
        return;
    }
    if (f->shape == SCHEMA_LIST)
        validate_length(f, v, at, causes);
    if (f->flags & SCHEMA_UNIQUE)
        schema__validate_unique(f, v, at, causes);
    if (plain)
        return;
    if (f->shape == SCHEMA_ONE) {
        validate_value(f, v, at, causes);
        return;
    }
    json_each(e, v) {
        struct at in = f->shape == SCHEMA_LIST ? AT_INDEX(at, i++) : AT_MAP(at, e->key);

        validate_value(f, e, &in, causes);
    }
}

/* `seen`: a bit for every field that is there. */
static void validate_one_of(const struct schema_type *t, const uint64_t *seen, const struct at *up,
                            struct causes *causes)
{
    const struct schema_one_of *o = t->one_of;
    unsigned n = 0;

    for (unsigned i = 0; i < o->n; i++) {
        unsigned f = o->fields[i];
        struct at at = AT_STR(up, t->fields[f].name);

        if (seen[f / 64] >> f % 64 & 1 && n++ > 0 && o->several != NULL)
            cause_forbidden(causes, &at, o->several);
    }
    if (n == 0 || (n > 1 && o->several == NULL))
        cause_required(causes, up, o->none);
}

static void validate_object(const struct schema_type *t, const struct json *obj, const struct at *up,
                            struct causes *causes)
{
    uint64_t seen[SCHEMA_MAX_FIELDS / 64] = { 0 };

    if (!json_is(obj, JSON_OBJECT))
        return;
    json_each(v, obj) {
        const struct schema_field *f = schema_field(t, v->key);
        struct at at = AT_STR(up, v->key);

        if (f == NULL || v->type == JSON_NULL)
            continue;
        seen[(f - t->fields) / 64] |= (uint64_t)1 << (f - t->fields) % 64;
        validate_field(f, v, &at, causes);
    }
    for (unsigned i = 0; i < t->n_fields; i++)
        if ((t->fields[i].flags & SCHEMA_REQUIRED) && !(seen[i / 64] >> i % 64 & 1)) {
            struct at at = AT_STR(up, t->fields[i].name);

            cause_required(causes, &at, "");
        }
    if (t->one_of != NULL)
        validate_one_of(t, seen, up, causes);
}

void schema_validate(const struct schema_type *t, const struct json *obj, const struct at *at,
                     struct causes *causes)
{
    schema_validate_over(t, NULL, obj, at, causes);
}

void schema_validate_over(const struct schema_type *t, const struct json *old, const struct json *obj,
                          const struct at *at, struct causes *causes)
{
    if (t->user != NULL)
        crd_validate(t->user, obj, old, at, causes);
    else
        validate_object(t, obj, at, causes);
}

/* ---- updates ------------------------------------------------------------------------------------ */

static void immutable_field(const struct schema_field *f, const struct json *old, const struct json *v,
                            const struct at *at, struct causes *causes)
{
    struct buf text = BUF_INIT;

    if (old == v || (old != NULL && v != NULL && json_equal(old, v)))
        return;
    if (v != NULL)
        json_write(&text, v);
    else
        buf_z(&text, f->base == SCHEMA_STRING ? "\"\"" : "null");
    cause_invalid_raw(causes, at, buf_str(&text), "field is immutable");
    buf_release(&text);
}

void schema_validate_update(const struct schema_type *t, const struct json *old, const struct json *obj,
                            const struct at *up, struct causes *causes)
{
    if (!t->deep_immutable || !json_is(obj, JSON_OBJECT) || !json_is(old, JSON_OBJECT))
        return;
    for (unsigned i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &t->fields[i];
        struct at at = AT_STR(up, f->name);

        if (f->flags & SCHEMA_IMMUTABLE)
            immutable_field(f, json_get(old, f->name), json_get(obj, f->name), &at, causes);
        else if (f->shape == SCHEMA_ONE && f->type != NULL && f->type->deep_immutable)
            schema_validate_update(f->type, json_get(old, f->name), json_get(obj, f->name), &at, causes);
    }
}
