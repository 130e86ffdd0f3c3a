/* test/api/object_gen.h: random objects, made from the schema alone: valid by what the tables say (what a kind's own rules
 * say is up to it), or damaged.  All chance comes from one die, so that a trial is repeated by its seed or its bytes. */
#ifndef TEST_API_OBJECT_GEN_H
#define TEST_API_OBJECT_GEN_H

#include "api/schema.h"

/* ---- Chance ----------------------------------------------------------------------------------------- */

/* Bytes of a fuzzer while there are any, then numbers that follow from them. */
struct dice { struct str bytes; uint64_t state; };

static inline uint64_t dice_next(struct dice *d)
{
    uint64_t z;

    if (d->bytes.n >= 2) {
        z = (unsigned char)d->bytes.p[0] | (uint64_t)(unsigned char)d->bytes.p[1] << 8;
        d->bytes = str_from(d->bytes, 2);
        d->state = (d->state ^ z) * 0x100000001b3ull;
        return z;
    }
    z = d->state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline size_t dice_below(struct dice *d, size_t n) { return dice_next(d) % n; }
static inline bool dice_one_in(struct dice *d, size_t n) { return dice_below(d, n) == 0; }
#define DICE_PICK(d, list) ((list)[dice_below((d), ARRAY_LEN(list))])

/* ---- Values ----------------------------------------------------------------------------------------- */

/* What YAML takes for something else unless it is quoted, what JSON escapes, what is long. */
static const char *const gen_texts[] = {
    "a", "x", "b-1", "example.com/y", "10.0.0.1", "web", "true", "null", "~", "0x1f", "1e3", "012", "1_000", "off", "2026-01-01",
    "- a", "a: b", "# c", "'", "\"quoted\"", "back\\slash", "two\nlines", " lead", "trail ", "tab\there", "<&>", "\xc3\xa9t\xc3\xa9",
    "\xe2\x80\xa8", "{}", "[a]", "*x", "&x", "!t", "%d", "@", "`", "|", ">", "?", "a\n", "\n", "/a/b", "key=value", "1", "-1", "1.50",
};

struct gen { struct arena *arena; struct dice *dice; unsigned budget; };

static inline struct json *gen_literal(struct gen *g, const char *text)
{
    struct json_error err;
    struct json *v;

    must_ok(json_parse(g->arena, str_of(text), &v, &err));
    return v;
}

/* Something that a format's check takes, and once in a while not. */
static inline struct str gen_format(struct gen *g, const char *format)
{
    static const char *const ips[] = { "10.0.0.9", "fd00::7", "192.168.7.1" };
    static const char *const names[] = { "a", "name-1", "x", "web" };

    if (dice_one_in(g->dice, 25))
        return str_of(DICE_PICK(g->dice, gen_texts));
    if (strcmp(format, "ip") == 0)
        return str_of(DICE_PICK(g->dice, ips));
    if (strcmp(format, "ipv4") == 0)
        return STR("10.0.0.9");
    if (strcmp(format, "cidr") == 0)
        return STR("10.3.0.0/16");
    if (strcmp(format, "uuid") == 0)
        return STR("11111111-2222-3333-4444-555555555555");
    return str_of(DICE_PICK(g->dice, names));
}

static inline struct json *gen_string(struct gen *g, const struct schema_field *f)
{
    struct str s;

    if (f->enums != NULL && f->enums->n > 0)
        s = str_of(f->enums->values[dice_below(g->dice, f->enums->n)]);
    else if (f->format != NULL)
        s = gen_format(g, f->format);
    else
        s = str_of(DICE_PICK(g->dice, gen_texts));
    return json_string(g->arena, s);
}

static inline struct json *gen_number(struct gen *g, const struct schema_field *f)
{
    static const int64_t some[] = { 1, 2, 10, 80, 300, 1000, 65535, INT32_MAX };
    int64_t v = DICE_PICK(g->dice, some), low = f->min <= f->max ? f->min : INT64_MIN;
    int64_t high = f->min <= f->max ? f->max : f->base == SCHEMA_INT32 ? INT32_MAX : INT64_MAX;

    if (f->base == SCHEMA_INT64 && dice_one_in(g->dice, 8))
        v = INT64_MAX - 7;
    return json_int(g->arena, v < low ? low : v > high ? high : v);
}

static inline struct json *gen_object(struct gen *g, const struct schema_type *t, unsigned depth);

/* One of the forms that there are. */
static inline struct json *gen_either(struct gen *g, const struct schema_type *t)
{
    const struct schema_field *f = &t->fields[dice_below(g->dice, t->n_fields)];

    if (f->base == SCHEMA_BOOL)
        return json_bool(g->arena, true);
    return gen_literal(g, f->shape != SCHEMA_LIST ? "{}" : f->base == SCHEMA_STRING ? "[\"a\"]" : "[{}]");
}

static inline struct json *gen_value(struct gen *g, const struct schema_field *f, unsigned depth)
{
    static const char *const quantities[] = { "\"100m\"", "\"1Gi\"", "\"1.5\"", "\"0\"", "2", "\"12e6\"", "\"0.5Gi\"" };
    static const char *const ports[] = { "80", "\"http\"", "\"50%\"", "1", "8080" };
    static const char *const durations[] = { "\"1h0m0s\"", "\"1.5s\"", "\"0s\"", "\"90s\"" };
    static const char *const raws[] = { "{\"a\":[1,{\"b\":null}],\"c\":\"d\"}", "{}", "{\"x\":1.5}", "{\"kind\":\"K\",\"apiVersion\":\"v1\"}" };
    static const char *const bytes[] = { "\"\"", "\"AA==\"", "\"AAE=\"", "\"aGVsbG8K\"" };
    static const char *const doubles[] = { "0.5", "1", "1e-7", "123456789.25" };

    switch ((enum schema_base)f->base) {
    case SCHEMA_STRING:        return gen_string(g, f);
    case SCHEMA_BOOL:          return json_bool(g->arena, dice_one_in(g->dice, 2));
    case SCHEMA_INT32:
    case SCHEMA_INT64:         return gen_number(g, f);
    case SCHEMA_DOUBLE:        return gen_literal(g, DICE_PICK(g->dice, doubles));
    case SCHEMA_BYTES:         return gen_literal(g, DICE_PICK(g->dice, bytes));
    case SCHEMA_TIME:          return gen_literal(g, "\"2026-01-02T03:04:05Z\"");
    case SCHEMA_MICROTIME:     return gen_literal(g, "\"2026-01-02T03:04:05.000006Z\"");
    case SCHEMA_DURATION:      return gen_literal(g, DICE_PICK(g->dice, durations));
    case SCHEMA_QUANTITY:      return gen_literal(g, DICE_PICK(g->dice, quantities));
    case SCHEMA_INT_OR_STRING: return gen_literal(g, DICE_PICK(g->dice, ports));
    case SCHEMA_RAW:           return f->either != NULL ? gen_either(g, f->either) : gen_literal(g, DICE_PICK(g->dice, raws));
    case SCHEMA_FIELDS_V1:     return gen_literal(g, "{\"f:spec\":{}}");
    case SCHEMA_STRINGS:       return gen_literal(g, "[\"a\",\"b\"]");
    case SCHEMA_OBJECT:        return gen_object(g, f->type, depth + 1);
    }
    return json_null(g->arena);
}

static inline struct json *gen_field(struct gen *g, const struct schema_field *f, unsigned depth)
{
    static const char *const keys[] = { "a", "b.c/d", "Key_1", "cpu", "memory", "x.y", "true" };
    size_t n = 1 + dice_below(g->dice, 2);
    struct json *v;

    if (f->shape == SCHEMA_ONE)
        return gen_value(g, f, depth);
    v = f->shape == SCHEMA_LIST ? json_array(g->arena) : json_object(g->arena);
    n = f->shape == SCHEMA_LIST && n < f->min_items ? f->min_items : n;
    for (size_t i = 0; i < n; i++) {
        struct json *in = gen_value(g, f, depth);

        if (f->shape == SCHEMA_LIST)
            json_push(v, in);
        else
            json_set(g->arena, v, str_of(DICE_PICK(g->dice, keys)), in);
    }
    return v;
}

/* ---- Objects ---------------------------------------------------------------------------------------- */

#define GEN_DEPTH_MAX 9

/* Another way to say what a field says that is there too; and the series of events, whose zeros the two groups keep
 * differently. */
static inline bool gen_is_alias(const struct schema_field *f)
{
    return str_is(f->name, "serviceAccount") || str_is(f->name, "stringData") || str_is(f->name, "series");
}

/* A new one: what is required, and a few fields more. */
static inline struct json *gen_object(struct gen *g, const struct schema_type *t, unsigned depth)
{
    struct json *obj = json_object(g->arena);

    for (unsigned i = 0; i < t->n_fields && depth < GEN_DEPTH_MAX; i++) {
        const struct schema_field *f = &t->fields[i];
        bool wanted = (f->flags & SCHEMA_REQUIRED) || (g->budget > 0 && dice_one_in(g->dice, t->n_fields / 2 + 1));

        if (!wanted || gen_is_alias(f))
            continue;
        if (g->budget > 0)
            g->budget--;
        json_setz(g->arena, obj, arena_cstr(g->arena, f->name), gen_field(g, f, depth));
    }
    return obj;
}

/* Some of the fields that are not there yet, here and below. */
static inline void gen_grow(struct gen *g, const struct schema_type *t, struct json *obj, unsigned depth)
{
    for (unsigned i = 0; i < t->n_fields && depth < GEN_DEPTH_MAX; i++) {
        const struct schema_field *f = &t->fields[i];
        struct json *v = json_get(obj, f->name);

        if (v == NULL && !gen_is_alias(f) && g->budget > 0 && dice_one_in(g->dice, t->n_fields / 2 + 2)) {
            g->budget--;
            json_setz(g->arena, obj, arena_cstr(g->arena, f->name), gen_field(g, f, depth));
        } else if (v != NULL && f->type != NULL && f->shape == SCHEMA_ONE && json_is(v, JSON_OBJECT)) {
            gen_grow(g, f->type, v, depth + 1);
        } else if (v != NULL && f->type != NULL) {
            json_each(in, v)
                if (json_is(in, JSON_OBJECT))
                    gen_grow(g, f->type, in, depth + 1);
        }
    }
}

/* Labels, annotations and the like; the rest of metadata is the server's. */
static inline void gen_metadata(struct gen *g, struct json *meta)
{
    static const char *const labels[] = { "a", "app", "example.com/tier" }, *const values[] = { "", "b", "x.Y_2" };

    for (size_t n = dice_below(g->dice, 3); n > 0; n--)
        json_setz(g->arena, json_make_path(g->arena, meta, "labels"), DICE_PICK(g->dice, labels),
                  json_string(g->arena, str_of(DICE_PICK(g->dice, values))));
    for (size_t n = dice_below(g->dice, 3); n > 0; n--)
        json_setz(g->arena, json_make_path(g->arena, meta, "annotations"), DICE_PICK(g->dice, labels),
                  json_string(g->arena, str_of(DICE_PICK(g->dice, gen_texts))));
    if (dice_one_in(g->dice, 6))
        json_setz(g->arena, meta, "finalizers", gen_literal(g, "[\"example.com/hold\"]"));
    if (dice_one_in(g->dice, 6))
        json_setz(g->arena, meta, "ownerReferences",
                  gen_literal(g, "[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"o\",\"uid\":\"u-1\"}]"));
}

/* ---- Damage ----------------------------------------------------------------------------------------- */

static inline struct json *gen_wrong(struct gen *g)
{
    static const char *const wrong[] = { "null", "true", "-1", "1e400", "99999999999999999999", "1.5", "\"\"", "[]", "{}", "[null]",
                                         "{\"\":null}", "\"\\u0000\"", "[[[]]]", "\"wrong\"", "-0", "[{}]" };

    return gen_literal(g, DICE_PICK(g->dice, wrong));
}

/* One node somewhere gets another value, a member that nobody knows, or goes. */
static inline void gen_damage(struct gen *g, struct json *obj)
{
    struct json *v = obj, *in = NULL;

    while (json_is(v, JSON_OBJECT) && v->n > 0 && (in == NULL || !dice_one_in(g->dice, 4))) {
        size_t at = dice_below(g->dice, v->n);

        in = v;
        for (v = v->first; at > 0; at--)
            v = v->next;
        if (json_is(v, JSON_ARRAY) && v->n > 0 && json_is(v->first, JSON_OBJECT))
            v = json_at(v, dice_below(g->dice, v->n));
    }
    if (in == NULL || dice_one_in(g->dice, 4))
        json_setz(g->arena, json_is(v, JSON_OBJECT) ? v : obj, "nobodyKnows", gen_wrong(g));
    else if (dice_one_in(g->dice, 4))
        json_del(in, v->key);
    else if (v->key.n > 0)
        json_set(g->arena, in, v->key, gen_wrong(g));
}

/* Bytes changed, cut, doubled. */
static inline struct str gen_damage_bytes(struct gen *g, struct str s)
{
    char *p = arena_alloc(g->arena, s.n + 1);

    memcpy(p, s.p, s.n);
    for (size_t n = 1 + dice_below(g->dice, 3); n > 0 && s.n > 0; n--)
        p[dice_below(g->dice, s.n)] = (char)dice_next(g->dice);
    return str_make(p, dice_one_in(g->dice, 3) && s.n > 0 ? dice_below(g->dice, s.n) : s.n);
}

#endif
