/* api/crd/compile.c: an OpenAPI schema as rows of the schema tables.
 *
 * One walk down the JSON tree, which ends where JSON does (JSON_MAX_DEPTH).  Texts are copied: the definition
 * that they came from may go while the rows are in use. */
#include "api/crd/rules.h"
#include "api/regex.h"
#include "api/schema_hash.h"

#define MEMBERS_MAX 32768                        /* of one type: places in its table of names are 16 bits */

struct compile { struct arena *arena; struct errbuf *err; };

static int compile_value(struct compile *c, const struct json *schema, bool root, struct schema_field *f);

static const struct { const char *name; uint8_t type, base; } type_names[] = {
    { "string", RULES_STRING, SCHEMA_STRING },    { "boolean", RULES_BOOLEAN, SCHEMA_BOOL },
    { "integer", RULES_INTEGER, SCHEMA_INT64 },   { "number", RULES_NUMBER, SCHEMA_DOUBLE },
    { "array", RULES_ARRAY, SCHEMA_RAW },         { "object", RULES_OBJECT, SCHEMA_RAW },
};

/* Texts that CEL knows as more than texts. */
static const struct { const char *format; uint8_t base; } text_bases[] = {
    { "byte", SCHEMA_BYTES },         { "date-time", SCHEMA_TIME }, { "datetime", SCHEMA_TIME },
    { "date", SCHEMA_TIME },          { "duration", SCHEMA_DURATION },
};

const struct schema_field crd_any = {
    .base = SCHEMA_RAW, .list_type = SCHEMA_GRANULAR, .flags = SCHEMA_NULLABLE, .min = 1,
    .rules = &(const struct schema_rules){ .nullable = true, .open = true },
};

/* ---- Copies ------------------------------------------------------------------------------------- */

static struct json *own_json(struct arena *a, const struct json *v)
{
    struct json *copy = json_new(a, (enum json_type)v->type);

    copy->boolean = v->boolean;
    if (v->type == JSON_STRING || v->type == JSON_NUMBER)
        copy->s = arena_str(a, v->s);
    json_each(e, v)
        json_append(copy, e->key.n > 0 ? arena_str(a, e->key) : e->key, own_json(a, e));
    return copy;
}

static const struct json *own_number(struct compile *c, const struct json *schema, const char *key)
{
    const struct json *v = json_getz(schema, key);

    return json_is(v, JSON_NUMBER) ? own_json(c->arena, v) : NULL;
}

static struct str own_text(struct compile *c, const struct json *schema, const char *key)
{
    struct str s = json_str(json_getz(schema, key));

    return s.n > 0 ? arena_str(c->arena, s) : STR_NONE;
}

static const char *const *own_names(struct compile *c, const struct json *list)
{
    const char **names;
    unsigned n = 0;

    if (!json_is(list, JSON_ARRAY) || list->n == 0)
        return NULL;
    names = arena_alloc(c->arena, (list->n + 1) * sizeof(*names));
    json_each(v, list)
        names[n++] = arena_cstr(c->arena, json_str(v));
    names[n] = NULL;
    return names;
}

/* ---- What must hold of a value ------------------------------------------------------------------ */

static bool flag(const struct json *schema, const char *key) { return json_true(json_getz(schema, key)); }

static const struct rules_bounds *compile_bounds(struct compile *c, const struct json *schema)
{
    static const struct { const char *key; size_t at; } counts[] = {
        { "minLength", offsetof(struct rules_bounds, min_length) },
        { "maxLength", offsetof(struct rules_bounds, max_length) },
        { "minItems", offsetof(struct rules_bounds, min_items) },
        { "maxItems", offsetof(struct rules_bounds, max_items) },
        { "minProperties", offsetof(struct rules_bounds, min_members) },
        { "maxProperties", offsetof(struct rules_bounds, max_members) },
    };
    struct rules_bounds b = { .min = own_number(c, schema, "minimum"),
                              .max = own_number(c, schema, "maximum"),
                              .multiple = own_number(c, schema, "multipleOf"),
                              .above_min = flag(schema, "exclusiveMinimum"),
                              .below_max = flag(schema, "exclusiveMaximum") };
    bool any = b.min != NULL || b.max != NULL || b.multiple != NULL;
    struct rules_bounds *own;

    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        int64_t n = json_i64_or(json_getz(schema, counts[i].key), -1);

        memcpy((char *)&b + counts[i].at, &n, sizeof(n));
        any |= n >= 0;
    }
    if (!any)
        return NULL;
    own = arena_new(c->arena, struct rules_bounds);
    *own = b;
    return own;
}

static int compile_text(struct compile *c, const struct json *schema, const struct rules_text **ret)
{
    struct str pattern = own_text(c, schema, "pattern"), format = own_text(c, schema, "format");
    struct rules_text *t;

    *ret = NULL;
    if (pattern.n == 0 && format.n == 0)
        return 0;
    t = arena_new(c->arena, struct rules_text);
    *t = (struct rules_text){ .pattern = pattern, .format = format };
    if (pattern.n > 0 && regex_compile(&t->regex, pattern, c->arena, c->err) < 0)
        return E_INVALID;
    *ret = t;
    return 0;
}

static int compile_several(struct compile *c, const struct json *list, const struct schema_field **ret,
                           unsigned *ret_n)
{
    struct schema_field *f;
    unsigned n = 0;

    *ret = NULL;
    *ret_n = 0;
    if (!json_is(list, JSON_ARRAY) || list->n == 0)
        return 0;
    f = arena_zalloc(c->arena, list->n * sizeof(*f));
    json_each(v, list) {
        int rc = compile_value(c, v, false, &f[n++]);

        if (rc < 0)
            return rc;
    }
    *ret = f;
    *ret_n = n;
    return 0;
}

static int compile_logic(struct compile *c, const struct json *schema, const struct rules_logic **ret)
{
    const struct json *not = json_getz(schema, "not");
    struct rules_logic l = { 0 }, *own;
    struct schema_field *f;
    int rc;

    *ret = NULL;
    if ((rc = compile_several(c, json_getz(schema, "allOf"), &l.all, &l.n_all)) < 0 ||
        (rc = compile_several(c, json_getz(schema, "anyOf"), &l.any, &l.n_any)) < 0 ||
        (rc = compile_several(c, json_getz(schema, "oneOf"), &l.one, &l.n_one)) < 0)
        return rc;
    if (json_is(not, JSON_OBJECT)) {
        f = arena_new(c->arena, struct schema_field);
        if ((rc = compile_value(c, not, false, f)) < 0)
            return rc;
        l.not_ = f;
    }
    if (l.n_all + l.n_any + l.n_one == 0 && l.not_ == NULL)
        return 0;
    own = arena_new(c->arena, struct rules_logic);
    *own = l;
    *ret = own;
    return 0;
}

static void compile_required(struct compile *c, const struct json *schema, struct schema_rules *r)
{
    const struct json *list = json_getz(schema, "required");
    struct str *names;

    if (!json_is(list, JSON_ARRAY) || list->n == 0)
        return;
    names = arena_alloc(c->arena, list->n * sizeof(*names));
    json_each(v, list)
        names[r->n_required++] = arena_str(c->arena, json_str(v));
    r->required = names;
}

static int compile_rules(struct compile *c, const struct json *schema, struct schema_rules *r)
{
    const struct json *enums = json_getz(schema, "enum"),
                      *validations = json_getz(schema, "x-kubernetes-validations");
    struct str type = json_str(json_getz(schema, "type"));
    int rc;

    for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
        if (str_is(type, type_names[i].name))
            r->type = type_names[i].type;
    r->nullable = flag(schema, "nullable");
    r->open = flag(schema, "x-kubernetes-preserve-unknown-fields");
    r->embedded = r->root || flag(schema, "x-kubernetes-embedded-resource");
    r->int_or_string = flag(schema, "x-kubernetes-int-or-string");
    if (json_is(enums, JSON_ARRAY) && enums->n > 0)
        r->enums = own_json(c->arena, enums);
    if (json_is(validations, JSON_ARRAY) && validations->n > 0) {
        r->validations = own_json(c->arena, validations);
        r->deep_validations = true;
    }

    compile_required(c, schema, r);
    r->bounds = compile_bounds(c, schema);
    if ((rc = compile_text(c, schema, &r->text)) < 0)
        return rc;
    return compile_logic(c, schema, &r->logic);
}

/* ---- Members ------------------------------------------------------------------------------------ */

static void index_members(struct compile *c, struct schema_type *t)
{
    unsigned size = 4;
    uint16_t *hash;

    while (size < 2 * t->n_fields)
        size *= 2;
    hash = arena_zalloc(c->arena, size * sizeof(*hash));
    for (unsigned i = 0; i < t->n_fields; i++) {
        unsigned at = schema_hash(t->fields[i].name.p, t->fields[i].name.n) & (size - 1);

        while (hash[at] != 0)
            at = (at + 1) & (size - 1);
        hash[at] = (uint16_t)(i + 1);
    }
    t->hash = hash;
    t->hash_mask = size - 1;
}

/* The type of metadata, wherever it stands. */
static const struct schema_type *object_meta(void)
{
    const struct schema_kind *k =
        schema_kind_find(STR("meta.k8s.io"), STR("v1"), STR("PartialObjectMetadata"));

    must(k != NULL);
    return schema_field(k->type, STR("metadata"))->type;
}

static void plain_member(struct compile *c, struct schema_field *f, const char *name)
{
    struct schema_rules *r = arena_new(c->arena, struct schema_rules);

    r->type = RULES_STRING;
    *f = (struct schema_field){ .name = str_of(name), .base = SCHEMA_STRING, .list_type = SCHEMA_GRANULAR,
                                .flags = SCHEMA_NULLABLE, .min = 1, .rules = r };
}

/* apiVersion, kind and metadata are what they are; a schema may only narrow names down. */
static int compile_embedded(struct compile *c, const struct json *members, struct schema_field *f,
                            struct schema_rules *r)
{
    const struct json *said = json_getz(members, "metadata");
    struct schema_field *metadata;
    int rc;

    plain_member(c, &f[0], "apiVersion");
    plain_member(c, &f[1], "kind");
    plain_member(c, &f[2], "metadata");
    f[2].base = SCHEMA_OBJECT;
    f[2].type = object_meta();
    ((struct schema_rules *)(uintptr_t)f[2].rules)->type = RULES_OBJECT;
    if (!json_is(said, JSON_OBJECT))
        return 0;
    metadata = arena_new(c->arena, struct schema_field);
    if ((rc = compile_value(c, said, false, metadata)) < 0)
        return rc;
    r->metadata = metadata;
    return 0;
}

static bool is_own_member(struct str name)
{
    return str_is(name, "apiVersion") || str_is(name, "kind") || str_is(name, "metadata");
}

/* t: empty, but for its name. */
static int compile_members(struct compile *c, const struct json *members, struct schema_rules *r,
                           struct schema_type *t)
{
    unsigned n = (json_is(members, JSON_OBJECT) ? members->n : 0) + 3;
    struct schema_field *f;
    int rc;

    if (n > MEMBERS_MAX)
        return err_set(c->err, E_INVALID, "an object may have at most %d properties", MEMBERS_MAX - 3);
    f = arena_zalloc(c->arena, n * sizeof(*f));
    n = 0;
    if (r->embedded) {
        if ((rc = compile_embedded(c, members, f, r)) < 0)
            return rc;
        n = 3;
    }
    json_each(m, members) {
        if (r->embedded && is_own_member(m->key))
            continue;
        if ((rc = compile_value(c, m, false, &f[n])) < 0)
            return rc;
        f[n++].name = arena_str(c->arena, m->key);
    }
    t->fields = f;
    t->n_fields = n;
    index_members(c, t);
    return 0;
}

/* ---- Values ------------------------------------------------------------------------------------- */

static uint8_t list_type_of(struct compile *c, const struct json *schema, struct schema_field *f)
{
    struct str type = json_str(json_getz(schema, "x-kubernetes-list-type"));

    if (str_is(type, "map"))
        f->list_keys = own_names(c, json_getz(schema, "x-kubernetes-list-map-keys"));
    if (f->list_keys != NULL)
        return SCHEMA_BY_KEYS;
    return str_is(type, "set") ? SCHEMA_SET : SCHEMA_ATOMIC;
}

static int compile_element(struct compile *c, const struct json *schema, struct schema_field *f)
{
    struct schema_field *e = arena_new(c->arena, struct schema_field);
    int rc = compile_value(c, schema, false, e);

    f->element = e;
    f->base = e->shape == SCHEMA_ONE ? e->base : SCHEMA_RAW;
    f->type = e->shape == SCHEMA_ONE ? e->type : NULL;
    return rc;
}

/* An object with members of its own, or which is known to have none. */
static int compile_object(struct compile *c, const struct json *members, struct schema_rules *r,
                          struct schema_field *f)
{
    struct schema_type *t = arena_new(c->arena, struct schema_type);

    t->name = "object";
    t->help = "";
    t->user = f;
    f->base = SCHEMA_OBJECT;
    f->type = t;
    return compile_members(c, members, r, t);
}

static uint8_t base_of(const struct schema_rules *r)
{
    uint8_t base = SCHEMA_RAW;

    if (r->int_or_string)
        return SCHEMA_INT_OR_STRING;
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
        if (r->type == type_names[i].type)
            base = type_names[i].base;
    for (size_t i = 0; r->type == RULES_STRING && r->text != NULL && i < ARRAY_LEN(text_bases); i++)
        if (str_is(r->text->format, text_bases[i].format))
            base = text_bases[i].base;
    return base;
}

static int compile_shape(struct compile *c, const struct json *schema, struct schema_rules *r,
                         struct schema_field *f)
{
    static const struct json anything = { .type = JSON_OBJECT };
    const struct json *members = json_getz(schema, "properties"), *items = json_getz(schema, "items"),
                      *more = json_getz(schema, "additionalProperties");
    bool more_of_any = json_true(more);

    f->base = base_of(r);
    f->list_type = str_is(json_str(json_getz(schema, "x-kubernetes-map-type")), "atomic") ? SCHEMA_ATOMIC
                                                                                          : SCHEMA_GRANULAR;
    if (json_is(items, JSON_OBJECT)) {
        f->shape = SCHEMA_LIST;
        f->list_type = list_type_of(c, schema, f);
        return compile_element(c, items, f);
    }
    if (json_is(more, JSON_OBJECT) || more_of_any) {
        f->shape = SCHEMA_MAP;
        return compile_element(c, more_of_any ? &anything : more, f);
    }
    if (r->embedded || (json_is(members, JSON_OBJECT) && members->n > 0) ||
        (r->type == RULES_OBJECT && !r->open))
        return compile_object(c, members, r, f);
    return 0;
}

/* What stands in for a member that is absent: pruned and with the defaults of its own members. */
static void compile_default(struct compile *c, const struct json *schema, struct schema_field *f,
                            struct schema_rules *r)
{
    const struct json *given = json_getz(schema, "default");
    struct json *own;

    if (given == NULL || given->type == JSON_NULL)
        return;
    own = own_json(c->arena, given);
    crd_prune(f, own);
    crd_default(f, own, c->arena);
    r->default_ = own;
    r->deep_defaults = true;
}

/* What is below a value makes its own walkers come by. */
static void note_below(const struct schema_field *f, struct schema_rules *r)
{
    if (f->element != NULL) {
        r->deep_defaults = f->element->rules->deep_defaults;
        r->deep_validations |= f->element->rules->deep_validations;
    }
    for (unsigned i = 0;
         f->element == NULL && f->type != NULL && f->type->user != NULL && i < f->type->n_fields; i++) {
        r->deep_defaults |= f->type->fields[i].rules->deep_defaults;
        r->deep_validations |= f->type->fields[i].rules->deep_validations;
    }
}

static int compile_value(struct compile *c, const struct json *schema, bool root, struct schema_field *f)
{
    struct schema_rules *r = arena_new(c->arena, struct schema_rules);
    int rc;

    r->root = root;
    *f = (struct schema_field){ .flags = SCHEMA_NULLABLE, .min = 1, .help = "", .rules = r };
    if ((rc = compile_rules(c, schema, r)) < 0 || (rc = compile_shape(c, schema, r, f)) < 0)
        return rc;
    note_below(f, r);
    if (r->deep_validations)
        r->compiled = arena_new(c->arena, struct crd_rules *);
    compile_default(c, schema, f, r);
    return 0;
}

int crd_compile(const struct json *schema, struct arena *a, struct schema_type *root, struct errbuf *err)
{
    static const struct json nothing = { .type = JSON_OBJECT };
    struct compile c = { a, err };
    struct schema_field *f = arena_new(a, struct schema_field);
    const char *name = root->name;
    int rc = compile_value(&c, json_is(schema, JSON_OBJECT) ? schema : &nothing, true, f);

    if (rc < 0)
        return rc;
    must(f->type != NULL && f->type->user == f);  /* the root is embedded: always an object */
    *root = *f->type;
    root->name = name;
    f->type = root;
    return 0;
}
