/* api/crd/validate.c: is what a user's schema says about values true of this object?
 *
 * One walk over value and schema together, in the original's order and words.  Without causes to add
 * to, it ends at the first thing that is wrong: so are the alternatives of anyOf, oneOf and not tried.
 * Only the outermost alternatives say why they failed, so that the work stays a small multiple of value
 * times schema however deep alternatives are nested. */
#include <math.h>
#include "api/crd/rules.h"
#include "api/names.h"
#include "api/regex.h"
#include "api/schema_impl.h"
#include "api/utf8.h"

struct check {
    struct causes *causes;                       /* NULL: only `failed` is wanted */
    bool failed;
    bool brief;                                  /* within an alternative that says why it failed */
};

static void check_value(struct check *c, const struct schema_field *f, const struct json *v,
                        const struct json *old, const struct at *at);

static bool done(const struct check *c) { return c->failed && c->causes == NULL; }

/* ---- Complaints --------------------------------------------------------------------------------- */

/* Notes a failure; true: somebody wants to know more. */
static bool complain(struct check *c)
{
    c->failed = true;
    return c->causes != NULL;
}

static struct str value_text(struct arena *a, const struct json *v)
{
    struct buf b = BUF_INIT;
    struct str s;

    json_write(&b, v);
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

/* "Invalid value: VALUE: PATH in body WHAT" */
static void invalid(struct check *c, const struct at *at, struct str value, struct str what)
{
    struct str path = at_text(c->causes->arena, at);

    cause_add(c->causes, CAUSE_INVALID, at, "Invalid value: %.*s: %.*s in body %.*s", STR_ARG(value),
              STR_ARG(path), STR_ARG(what));
}

static void wrong_type(struct check *c, const struct at *at, struct str want, struct str is)
{
    struct str path;

    if (!complain(c))
        return;
    path = at_text(c->causes->arena, at);
    cause_add(c->causes, CAUSE_TYPE, at,
              "Invalid value: \"%.*s\": %.*s in body must be of type %.*s: \"%.*s\"", STR_ARG(is),
              STR_ARG(path), STR_ARG(want), STR_ARG(is));
}

static void out_of_bounds(struct check *c, const struct at *at, const struct json *v, const char *what,
                          const struct json *bound)
{
    struct arena *a;

    if (!complain(c))
        return;
    a = c->causes->arena;
    invalid(c, at, value_text(a, v), arena_fmt(a, "should be %s %.*s", what, STR_ARG(bound->s)));
}

/* ---- Types -------------------------------------------------------------------------------------- */

static bool is_integer(const struct json *v)
{
    int64_t n;
    double d;

    if (v->type != JSON_NUMBER)
        return false;
    if (json_i64(v, &n))
        return true;
    d = json_double_or(v, NAN);
    return isfinite(d) && floor(d) == d;
}

static struct str json_type_name(const struct json *v)
{
    static const char *const names[] = { "null", "boolean", "number", "string", "array", "object" };

    return v->type == JSON_NUMBER && is_integer(v) ? STR("integer") : str_of(names[v->type]);
}

static bool has_type(uint8_t type, const struct json *v)
{
    switch ((enum rules_type)type) {
    case RULES_ANY:     return true;
    case RULES_STRING:  return v->type == JSON_STRING;
    case RULES_BOOLEAN: return v->type == JSON_BOOL;
    case RULES_INTEGER: return is_integer(v);
    case RULES_NUMBER:  return v->type == JSON_NUMBER;
    case RULES_ARRAY:   return v->type == JSON_ARRAY;
    case RULES_OBJECT:  return v->type == JSON_OBJECT;
    }
    return false;
}

static const char *type_name(uint8_t type)
{
    static const char *const names[] = { "", "string", "boolean", "integer", "number", "array", "object" };

    return names[type];
}

/* False: nothing more can be said about the value. */
static bool check_type(struct check *c, const struct schema_rules *r, const struct json *v,
                       const struct at *at)
{
    int64_t n;

    if (v->type == JSON_NULL) {
        if (r->type != RULES_ANY && !r->nullable)
            wrong_type(c, at, str_of(type_name(r->type)), STR("null"));
        else if (r->int_or_string && !r->nullable)
            wrong_type(c, at, STR("integer,string"), STR("null"));
        return false;
    }
    if (r->int_or_string && !is_integer(v) && v->type != JSON_STRING) {
        wrong_type(c, at, STR("integer,string"), json_type_name(v));
        return false;
    }
    if (!has_type(r->type, v)) {
        wrong_type(c, at, str_of(type_name(r->type)), json_type_name(v));
        return false;
    }
    if (v->type == JSON_NUMBER && r->text != NULL && str_is(r->text->format, "int32") &&
        (!json_i64(v, &n) || n < INT32_MIN || n > INT32_MAX))
        wrong_type(c, at, STR("int32"), STR("int64"));
    return true;
}

/* ---- Texts, numbers, counts --------------------------------------------------------------------- */

static int64_t characters(struct str s)
{
    int64_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void check_length(struct check *c, const struct rules_bounds *b, const struct json *v,
                         const struct at *at)
{
    int64_t n = b->min_length >= 0 || b->max_length >= 0 ? characters(v->s) : 0;
    struct arena *a;

    if (b->max_length >= 0 && n > b->max_length && complain(c))
        cause_too_long(c->causes, at, (size_t)b->max_length);
    if (b->min_length >= 0 && n < b->min_length && complain(c)) {
        a = c->causes->arena;
        invalid(c, at, value_text(a, v),
                arena_fmt(a, "should be at least %lld chars long", (long long)b->min_length));
    }
}

static void check_string(struct check *c, const struct schema_rules *r, const struct json *v,
                         const struct at *at)
{
    if (r->bounds != NULL)
        check_length(c, r->bounds, v, at);
    if (r->text == NULL || done(c))
        return;
    if (r->text->regex != NULL && regex_match(r->text->regex, v->s) != 1 && complain(c)) {
        struct arena *a = c->causes->arena;

        invalid(c, at, value_text(a, v), arena_fmt(a, "should match '%.*s'", STR_ARG(r->text->pattern)));
    }
    if (r->text->format.n > 0 && !crd_format_fits(r->text->format, v->s))
        wrong_type(c, at, r->text->format, v->s);
}

/* -1, 0, 1; integers of any size exactly. */
static int compare_numbers(const struct json *x, const struct json *y)
{
    int64_t i, k;
    double d, e;

    if (json_i64(x, &i) && json_i64(y, &k))
        return (i > k) - (i < k);
    d = json_double_or(x, 0);
    e = json_double_or(y, 0);
    return (d > e) - (d < e);
}

static bool is_multiple(const struct json *v, const struct json *of)
{
    int64_t n, k;
    double quotient;

    if (json_i64(v, &n) && json_i64(of, &k) && k > 0)
        return n % k == 0;
    quotient = json_double_or(v, 0) / json_double_or(of, 1);
    return floor(quotient) == quotient;
}

static void check_number(struct check *c, const struct rules_bounds *b, const struct json *v,
                         const struct at *at)
{
    int order;

    if (b->multiple != NULL && !is_multiple(v, b->multiple))
        out_of_bounds(c, at, v, "a multiple of", b->multiple);
    if (b->max != NULL && ((order = compare_numbers(v, b->max)) > 0 || (order == 0 && b->below_max)))
        out_of_bounds(c, at, v, b->below_max ? "less than" : "less than or equal to", b->max);
    if (b->min != NULL && ((order = compare_numbers(v, b->min)) < 0 || (order == 0 && b->above_min)))
        out_of_bounds(c, at, v, b->above_min ? "greater than" : "greater than or equal to", b->min);
}

static void check_count(struct check *c, const struct json *v, int64_t min, int64_t max, const char *what,
                        const struct at *at)
{
    struct arena *a;

    if (max >= 0 && v->n > max && complain(c))
        cause_add(c->causes, CAUSE_TOO_MANY, at, "Too many: %u: must have at most %lld items", v->n,
                  (long long)max);
    if (min >= 0 && v->n < min && complain(c)) {
        a = c->causes->arena;
        invalid(c, at, arena_fmt(a, "%u", v->n),
                arena_fmt(a, "should have at least %lld %s", (long long)min, what));
    }
}

static void check_enum(struct check *c, const struct json *enums, const struct json *v, const struct at *at)
{
    struct buf list = BUF_INIT;

    json_each(e, enums)
        if (json_equal(e, v))
            return;
    if (!complain(c))
        return;
    json_each(e, enums) {
        struct str text = e->type == JSON_STRING ? e->s : value_text(c->causes->arena, e);

        buf_fmt(&list, "%s\"%.*s\"", list.n > 0 ? ", " : "", STR_ARG(text));
    }
    cause_add(c->causes, CAUSE_NOT_SUPPORTED, at, "Unsupported value: %.*s: supported values: %.*s",
              STR_ARG(value_text(c->causes->arena, v)), STR_ARG(buf_str(&list)));
    buf_release(&list);
}

/* ---- Alternatives ------------------------------------------------------------------------------- */

static bool fits_at(const struct schema_field *f, const struct json *v, const struct at *at)
{
    struct check c = { .causes = NULL };

    check_value(&c, f, v, NULL, at);
    return !c.failed;
}

/* Says what is wrong with an alternative, but not with alternatives within. */
static void explain(struct check *c, const struct schema_field *f, const struct json *v, const struct at *at)
{
    struct check inner = { .causes = c->causes, .brief = true };

    if (!c->brief && c->causes != NULL)
        check_value(&inner, f, v, NULL, at);
}

static void logic_failed(struct check *c, const struct at *at, const char *what)
{
    struct str path;

    if (!complain(c))
        return;
    path = at_text(c->causes->arena, at);
    cause_add(c->causes, CAUSE_INVALID, at, "Invalid value: \"\": \"%.*s\" must %s", STR_ARG(path), what);
}

static void check_one_of(struct check *c, const struct rules_logic *l, const struct json *v,
                         const struct at *at)
{
    unsigned fit = 0;

    for (unsigned i = 0; i < l->n_one; i++)
        fit += fits_at(&l->one[i], v, at);
    if (fit == 1)
        return;
    if (fit > 1) {
        if (complain(c))
            logic_failed(c, at,
                         arena_fmt(c->causes->arena,
                                   "validate one and only one schema (oneOf). Found %u "
                                   "valid alternatives",
                                   fit)
                             .p);
        return;
    }
    logic_failed(c, at, "validate one and only one schema (oneOf). Found none valid");
    explain(c, &l->one[0], v, at);
}

static void check_logic(struct check *c, const struct rules_logic *l, const struct json *v,
                        const struct at *at)
{
    unsigned fit = 0;

    for (unsigned i = 0; i < l->n_any && fit == 0; i++)
        fit += fits_at(&l->any[i], v, at);
    if (l->n_any > 0 && fit == 0) {
        logic_failed(c, at, "validate at least one schema (anyOf)");
        explain(c, &l->any[0], v, at);
    }
    if (l->n_one > 0 && !done(c))
        check_one_of(c, l, v, at);
    fit = 0;
    for (unsigned i = 0; i < l->n_all && !done(c); i++) {
        bool ok = fits_at(&l->all[i], v, at);

        fit += ok;
        c->failed |= !ok;
        if (!ok)
            explain(c, &l->all[i], v, at);
    }
    if (fit < l->n_all)
        logic_failed(c, at, fit == 0 ? "validate all the schemas (allOf). None validated"
                                     : "validate all the schemas (allOf)");
    if (l->not_ != NULL && !done(c) && fits_at(l->not_, v, at))
        logic_failed(c, at, "not validate the schema (not)");
}

/* ---- Containers --------------------------------------------------------------------------------- */

static void check_list(struct check *c, const struct schema_field *f, const struct json *v,
                       const struct json *old, const struct at *up)
{
    const struct rules_bounds *b = f->rules->bounds;
    struct crd_olds olds;
    long i = 0;

    if (b != NULL)
        check_count(c, v, b->min_items, b->max_items, "items", up);
    if (f->shape != SCHEMA_LIST)
        return;
    if (c->causes != NULL && (f->list_type == SCHEMA_SET || f->list_type == SCHEMA_BY_KEYS)) {
        unsigned before = c->causes->n;

        schema__validate_unique(f, v, up, c->causes);
        c->failed |= c->causes->n > before;
    }
    olds = crd_olds_of(f, old, c->causes != NULL ? c->causes->arena : NULL);
    for (const struct json *e = v->first; e != NULL && !done(c); e = e->next) {
        struct at at = AT_INDEX(up, i++);

        check_value(c, f->element, e, crd_old_element(&olds, e), &at);
    }
}

/* What an object within an object must say of itself. */
static void check_embedded(struct check *c, const struct json *obj, const struct at *up)
{
    static const char *const needed[] = { "apiVersion", "kind" };

    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        struct at at = AT_STR(up, str_of(needed[i]));
        const struct json *v = json_getz(obj, needed[i]);

        if ((v == NULL || (v->type == JSON_STRING && v->s.n == 0)) && complain(c))
            cause_required(c->causes, &at, "must not be empty");
    }
}

static void check_members(struct check *c, const struct schema_field *f, const struct json *obj,
                          const struct json *old, const struct at *up)
{
    bool known = f->shape == SCHEMA_ONE && f->type != NULL && f->type->user != NULL;

    for (const struct json *v = obj->first; v != NULL && !done(c); v = v->next) {
        const struct schema_field *m = known ? schema_field(f->type, v->key)
                                     : f->shape == SCHEMA_MAP ? f->element : NULL;
        struct at at = AT_STR(up, v->key);

        if (m != NULL)
            check_value(c, m, v, json_get(old, v->key), &at);
        if (f->rules->metadata != NULL && str_is(v->key, "metadata"))
            check_value(c, f->rules->metadata, v, json_get(old, v->key), &at);
    }
}

static void check_object(struct check *c, const struct schema_field *f, const struct json *v,
                         const struct json *old, const struct at *up)
{
    const struct schema_rules *r = f->rules;

    if (r->bounds != NULL)
        check_count(c, v, r->bounds->min_members, r->bounds->max_members, "properties", up);
    for (unsigned i = 0; i < r->n_required && !done(c); i++) {
        struct at at = AT_STR(up, r->required[i]);

        if (json_get(v, r->required[i]) == NULL && complain(c))
            cause_required(c->causes, &at, "");
    }
    if (r->embedded && !r->root)
        check_embedded(c, v, up);
    check_members(c, f, v, old, up);
}

static void check_value(struct check *c, const struct schema_field *f, const struct json *v,
                        const struct json *old, const struct at *at)
{
    const struct schema_rules *r = f->rules;

    if (done(c) || (old != NULL && json_equal(v, old)))
        return;
    if (!check_type(c, r, v, at)) {
        if (r->enums != NULL && v->type == JSON_NULL)
            check_enum(c, r->enums, v, at);
        return;
    }
    if (r->logic != NULL)
        check_logic(c, r->logic, v, at);
    if (v->type == JSON_STRING)
        check_string(c, r, v, at);
    else if (v->type == JSON_NUMBER && r->bounds != NULL)
        check_number(c, r->bounds, v, at);
    else if (v->type == JSON_ARRAY)
        check_list(c, f, v, old, at);
    if (r->enums != NULL && !done(c))
        check_enum(c, r->enums, v, at);
    if (v->type == JSON_OBJECT && !done(c))
        check_object(c, f, v, old, at);
}

void crd_validate(const struct schema_field *f, const struct json *v, const struct json *old,
                  const struct at *at, struct causes *causes)
{
    struct check c = { .causes = causes };

    check_value(&c, f, v, old, at);
}

bool crd_fits(const struct schema_field *f, const struct json *v)
{
    return fits_at(f, v, NULL);
}
