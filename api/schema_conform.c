/* api/schema_conform.c: make a tree that a client sent fit its type.
 *
 * One walk over what is there; fields are found by hash and nothing is allocated unless something must be
 * changed or complained about.  The errors are worded as Go's decoder words them, because people search
 * for those words. */
#include "api/crd/rules.h"
#include "api/quantity.h"
#include "api/schema_impl.h"
#include "api/time_fmt.h"

/* unknown and duplicate fields named in one answer, as in the original */
#define STRICT_MAX 100
_Static_assert(STRICT_MAX < CAUSES_KEPT, "the hundred and the line that says there are more");

/* ---- complaints --------------------------------------------------------------------------------- */

void schema__warn(struct conform *c, const char *what, const struct at *at)
{
    if (c->warnings == NULL || c->warnings->n > STRICT_MAX)
        return;
    if (c->warnings->n == STRICT_MAX)
        cause_add(c->warnings, CAUSE_INVALID, NULL, "more unknown or duplicate fields than are shown here");
    else
        cause_add(c->warnings, CAUSE_INVALID, NULL, "%s field \"%.*s\"", what,
                  STR_ARG(at_text(c->arena, at)));
}

void schema__note_duplicate(struct conform *c, struct json *v, const struct at *at)
{
    if (v->flags & JSON_F_DUPLICATE) {
        schema__warn(c, "duplicate", at);
        v->flags &= (uint8_t)~JSON_F_DUPLICATE;
    }
}

/* The path without indexes: Go's decoder does not tell them. */
static struct str path_text(struct conform *c, const struct at *at)
{
    struct str up = at->up != NULL ? path_text(c, at->up) : STR("");

    if (at->index >= 0)
        return up;
    return arena_fmt(c->arena, "%.*s%s%.*s", STR_ARG(up), up.n > 0 ? "." : "", STR_ARG(at->key));
}

static const char *go_type(const struct schema_field *f, bool element)
{
    static const char *const one[] = {
        [SCHEMA_STRING] = "string",
        [SCHEMA_BOOL] = "bool",
        [SCHEMA_INT32] = "int32",
        [SCHEMA_INT64] = "int64",
        [SCHEMA_DOUBLE] = "float64",
        [SCHEMA_BYTES] = "[]uint8",
        [SCHEMA_TIME] = "v1.Time",
        [SCHEMA_MICROTIME] = "v1.MicroTime",
        [SCHEMA_DURATION] = "v1.Duration",
        [SCHEMA_QUANTITY] = "resource.Quantity",
        [SCHEMA_INT_OR_STRING] = "intstr.IntOrString",
        [SCHEMA_RAW] = "runtime.RawExtension",
        [SCHEMA_FIELDS_V1] = "v1.FieldsV1",
        [SCHEMA_STRINGS] = "[]string",
    };
    const char *dot = f->base == SCHEMA_OBJECT ? schema_short_name(f->type) : one[f->base];

    if (element || f->shape == SCHEMA_ONE)
        return dot;
    return f->shape == SCHEMA_LIST ? "list" : "map";
}

static int wrong_type(struct conform *c, const struct schema_type *in, const struct schema_field *f,
                      bool element, const struct json *v, const struct at *at)
{
    static const char *const names[] = { "null", "bool", "number", "string", "array", "object" };
    bool number = v->type == JSON_NUMBER && (f->base == SCHEMA_INT32 || f->base == SCHEMA_INT64) &&
                  v->s.n < 40;
    struct str path = path_text(c, at);

    return err_set(c->err, E_INVALID,
                   "%s in version \"%s\" cannot be handled as a %s: json: cannot unmarshal %s%s%.*s into Go "
                   "struct field %s.%.*s of type %s",
                   c->kind->kind, c->kind->version, c->kind->kind, names[v->type], number ? " " : "",
                   number ? (int)v->s.n : 0, number ? v->s.p : "", schema_short_name(in), STR_ARG(path),
                   go_type(f, element));
}

static int wrong_text(struct conform *c, const char *why, struct str text, const struct at *at)
{
    struct str path = path_text(c, at);

    return err_set(c->err, E_INVALID, "%s in version \"%s\" cannot be handled as a %s: %.*s: %s \"%.*s\"",
                   c->kind->kind, c->kind->version, c->kind->kind, STR_ARG(path), why,
                   (int)MIN_OF(text.n, (size_t)64), text.p);
}

/* ---- single values ------------------------------------------------------------------------------ */

/* Seconds, UTC: the usual form is left alone. */
static int conform_time(struct conform *c, const struct schema_field *f, struct json *v, const struct at *at)
{
    bool micro = f->base == SCHEMA_MICROTIME;
    size_t usual = micro ? TIME_MICRO_TEXT_MAX : TIME_TEXT_MAX;
    uint32_t ns;
    int64_t s;

    if (!time_parse(v->s, &s, &ns))
        return wrong_text(c, "not a time as RFC 3339 writes it:", v->s, at);
    if (v->s.n != usual || v->s.p[usual - 1] != 'Z')
        v->s = micro ? time_micro_text(c->arena, s, ns) : time_text(c->arena, s);
    return 0;
}

static int conform_quantity(struct conform *c, struct json *v, const struct at *at)
{
    char text[QUANTITY_TEXT_MAX];
    struct quantity q;
    size_t n;

    if (quantity_from_json(v, &q, NULL) < 0)
        return wrong_text(c, "quantities must match the regular expression "
                          "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$', not", v->s, at);
    n = quantity_write(q, text);
    v->type = JSON_STRING;
    if (!str_eq(v->s, str_make(text, n)))
        v->s = arena_str(c->arena, str_make(text, n));
    return 0;
}

static bool is_base64(struct str s)
{
    size_t pad = 0;

    if (s.n % 4 != 0)
        return false;
    while (pad < 2 && pad < s.n && s.p[s.n - pad - 1] == '=')
        pad++;
    for (size_t i = 0; i < s.n - pad; i++) {
        char ch = s.p[i];

        if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '+' ||
              ch == '/'))
            return false;
    }
    return true;
}

static bool is_integer(const struct schema_field *f, const struct json *v)
{
    int64_t n;

    if (!str_i64(v->s, &n))
        return false;
    return f->base != SCHEMA_INT32 || (n >= INT32_MIN && n <= INT32_MAX);
}

static bool right_int_or_string(const struct json *v)
{
    int64_t n;

    return v->type == JSON_STRING
        || (v->type == JSON_NUMBER && str_i64(v->s, &n) && n >= INT32_MIN && n <= INT32_MAX);
}

static bool is_strings(const struct json *v)
{
    if (v->type != JSON_ARRAY)
        return false;
    json_each(e, v)
        if (e->type != JSON_STRING)
            return false;
    return true;
}

static bool right_type(const struct schema_field *f, const struct json *v)
{
    switch ((enum schema_base)f->base) {
    case SCHEMA_STRING: case SCHEMA_TIME: case SCHEMA_MICROTIME: case SCHEMA_DURATION: case SCHEMA_BYTES:
        return v->type == JSON_STRING;
    case SCHEMA_BOOL:
        return v->type == JSON_BOOL;
    case SCHEMA_INT32: case SCHEMA_INT64:
        return v->type == JSON_NUMBER && is_integer(f, v);
    case SCHEMA_DOUBLE:
        return v->type == JSON_NUMBER;
    case SCHEMA_QUANTITY:
        return v->type == JSON_STRING || v->type == JSON_NUMBER;
    case SCHEMA_INT_OR_STRING:
        return right_int_or_string(v);
    case SCHEMA_STRINGS:
        return is_strings(v);
    case SCHEMA_OBJECT: case SCHEMA_FIELDS_V1:
        return v->type == JSON_OBJECT;
    case SCHEMA_RAW:
        return true;
    }
    return false;
}

static int conform_value(struct conform *c, const struct schema_type *in, const struct schema_field *f,
                         bool element, struct json *v, const struct at *at)
{
    int64_t ns;

    if (!right_type(f, v))
        return wrong_type(c, in, f, element, v, at);
    switch ((enum schema_base)f->base) {
    case SCHEMA_OBJECT:
        return schema__conform_object(c, f->type, v, at);
    case SCHEMA_TIME: case SCHEMA_MICROTIME:
        return conform_time(c, f, v, at);
    case SCHEMA_DURATION:
        return duration_parse(v->s, &ns) ? 0 : wrong_text(c, "not a duration:", v->s, at);
    case SCHEMA_QUANTITY:
        return conform_quantity(c, v, at);
    case SCHEMA_BYTES:
        return is_base64(v->s) ? 0 : wrong_text(c, "illegal base64 data:", v->s, at);
    default:
        return 0;
    }
}

/* ---- lists, maps, objects ------------------------------------------------------------------------ */

/* What Go makes of a null among list elements or map values. */
static void null_to_zero(const struct schema_field *f, struct json *v)
{
    if (f->base == SCHEMA_OBJECT)
        *v = (struct json){ .type = JSON_OBJECT, .key = v->key, .next = v->next };
    else if (f->base == SCHEMA_STRING || f->base == SCHEMA_BYTES)
        *v = (struct json){ .type = JSON_STRING, .key = v->key, .s = STR(""), .next = v->next };
}

static int conform_list(struct conform *c, const struct schema_type *in, const struct schema_field *f,
                        struct json *list, const struct at *up)
{
    long i = 0;

    if (list->type != JSON_ARRAY)
        return wrong_type(c, in, f, false, list, up);
    json_each(v, list) {
        struct at at = AT_INDEX(up, i++);
        int rc;

        if (v->type == JSON_NULL)
            null_to_zero(f, v);
        rc = conform_value(c, in, f, true, v, &at);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int conform_map(struct conform *c, const struct schema_type *in, const struct schema_field *f,
                       struct json *map, const struct at *up)
{
    if (map->type != JSON_OBJECT)
        return wrong_type(c, in, f, false, map, up);
    json_each(v, map) {
        struct at at = AT_STR(up, v->key);
        int rc;

        schema__note_duplicate(c, v, &at);
        if (v->type == JSON_NULL)
            null_to_zero(f, v);
        rc = conform_value(c, in, f, true, v, &at);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* A default of zero means that the field is always there. */
static bool zero_by_default(const struct schema_field *f)
{
    const char *d = f->default_json;

    return d != NULL && (strcmp(d, "0") == 0 || strcmp(d, "\"\"") == 0 || strcmp(d, "false") == 0);
}

bool schema_says_nothing(const struct schema_field *f, const struct json *v)
{
    if ((f->flags & SCHEMA_NULLABLE) || f->pb == 0 || (v->flags & JSON_F_RAW))
        return false;
    if (f->shape != SCHEMA_ONE)                  /* protobuf can't tell an empty list from none */
        return v->n == 0;
    if ((f->flags & (SCHEMA_REQUIRED | SCHEMA_ALWAYS)) || zero_by_default(f))
        return false;
    switch ((enum schema_base)f->base) {
    case SCHEMA_BOOL:
        return !v->boolean;
    case SCHEMA_STRING: case SCHEMA_BYTES:
        return v->s.n == 0;
    case SCHEMA_INT32: case SCHEMA_INT64: case SCHEMA_DOUBLE:
        return (v->s.p[0] == '0' || v->s.p[0] == '-') && json_double_or(v, 1) == 0;
    default:
        return false;
    }
}

void schema_leave_out(const struct schema_type *t, struct json *obj)
{
    struct json *next;

    if (t->user != NULL)
        return;
    for (struct json *v = json__first(obj); v != NULL; v = next) {
        const struct schema_field *f = schema_field(t, v->key);

        next = v->next;
        if (f == NULL || v->type == JSON_NULL)
            continue;
        if (f->base == SCHEMA_OBJECT && f->shape == SCHEMA_ONE)
            schema_leave_out(f->type, v);
        else if (f->base == SCHEMA_OBJECT)
            json_each(in, v)
                schema_leave_out(f->type, in);
        if (schema_says_nothing(f, v))
            json_del(obj, v->key);
    }
}

static int conform_field(struct conform *c, const struct schema_type *t, const struct schema_field *f,
                         struct json *v, const struct at *at)
{
    if (f->shape == SCHEMA_LIST)
        return conform_list(c, t, f, v, at);
    if (f->shape == SCHEMA_MAP)
        return conform_map(c, t, f, v, at);
    return conform_value(c, t, f, false, v, at);
}

int schema__conform_object(struct conform *c, const struct schema_type *t, struct json *obj,
                           const struct at *up)
{
    struct json *prev = NULL, *next;

    for (struct json *v = obj->first; v != NULL; v = next) {
        const struct schema_field *f = schema_field(t, v->key);
        struct at at = AT_STR(up, v->key);
        bool goes = f == NULL || v->type == JSON_NULL;

        next = v->next;
        schema__note_duplicate(c, v, &at);
        if (f == NULL)
            schema__warn(c, "unknown", &at);
        if (!goes) {
            int rc = conform_field(c, t, f, v, &at);

            if (rc < 0)
                return rc;
            goes = !c->keep && schema_says_nothing(f, v);
        }
        if (!goes) {
            prev = v;
        } else {
            if (prev != NULL)
                prev->next = next;
            else
                obj->first = next;
            obj->n--;
        }
    }
    obj->last = prev;
    return 0;
}

static int conform(struct conform *c, struct json *obj)
{
    const struct schema_kind *k = c->kind;

    if (!json_is(obj, JSON_OBJECT))
        return err_set(c->err, E_INVALID,
                       "%s in version \"%s\" cannot be handled as a %s: json: an object is expected", k->kind,
                       k->version, k->kind);
    if (k->type->user != NULL)
        return crd_conform(k, obj, c->arena, c->warnings, c->err);
    return schema__conform_object(c, k->type, obj, NULL);
}

int schema_conform(const struct schema_kind *k, struct json *obj, struct arena *a, struct causes *warnings,
                   struct errbuf *err)
{
    struct conform c = { k, a, warnings, err, false };

    return conform(&c, obj);
}

int schema_conform_applied(const struct schema_kind *k, struct json *obj, struct arena *a,
                           struct causes *warnings, struct errbuf *err)
{
    struct conform c = { k, a, warnings, err, true };

    return conform(&c, obj);
}
