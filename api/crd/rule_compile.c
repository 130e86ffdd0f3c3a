/* api/crd/rule_compile.c: rules in CEL, compiled against the types that a schema gives to values.
 *
 * Types are made only on the way to rules: most schemas have none.  What a rule may cost at most is estimated
 * from the bounds that the schema gives, and, where it gives none, from how much fits into a request. */
#include "api/crd/rule.h"

#define REQUEST_BYTES 3145728u                   /* more than an object can be */
#define SELF 0u
#define OLD  1u

struct compiler {
    struct arena *arena;
    struct causes *causes;                       /* NULL: nobody wants them */
    uint64_t total;                              /* estimate of all rules of the schema */
};

static uint64_t multiply(uint64_t x, uint64_t y) { return y != 0 && x > UINT64_MAX / y ? UINT64_MAX : x * y; }
static uint64_t add(uint64_t x, uint64_t y) { return x > UINT64_MAX - y ? UINT64_MAX : x + y; }

/* ---- Types -------------------------------------------------------------------------------------- */

static const struct cel_type *type_of(struct compiler *c, const struct schema_field *f);

/* The fewest bytes that a value takes in JSON. */
static uint64_t least_bytes(const struct schema_field *f)
{
    uint64_t n = 2;

    switch ((enum rules_type)f->rules->type) {
    case RULES_STRING:  return 2 + (f->rules->bounds != NULL && f->rules->bounds->min_length > 0
                                        ? (uint64_t)f->rules->bounds->min_length : 0);
    case RULES_BOOLEAN: return 4;
    case RULES_INTEGER: case RULES_NUMBER: case RULES_ANY: return 1;
    case RULES_ARRAY:   return 2;
    case RULES_OBJECT:  break;
    }
    for (unsigned i = 0; i < f->rules->n_required && f->type != NULL && f->type->user != NULL; i++) {
        const struct schema_field *m = schema_field(f->type, f->rules->required[i]);

        if (m != NULL && m->rules != NULL && m->rules->default_ == NULL)
            n += m->name.n + 4 + least_bytes(m);
    }
    return n;
}

static uint64_t most(int64_t said, uint64_t otherwise)
{
    return said >= 0 ? (uint64_t)said : otherwise;
}

/* How many elements a list or map can have. */
static uint64_t most_elements(const struct schema_field *f)
{
    const struct rules_bounds *b = f->rules->bounds;
    bool list = f->shape == SCHEMA_LIST;
    uint64_t each = least_bytes(f->element) + (list ? 1 : 6);

    return most(b == NULL ? -1 : list ? b->max_items : b->max_members, (REQUEST_BYTES - 2) / each);
}

static struct cel_type *bounded(struct compiler *c, enum cel_kind kind, uint64_t max)
{
    struct cel_type *t = arena_new(c->arena, struct cel_type);

    *t = *cel_type(kind);
    t->max = max;
    return t;
}

static uint64_t longest_enum(const struct json *enums)
{
    uint64_t n = 0;

    json_each(e, enums)
        n = MAX_OF(n, (uint64_t)json_str(e).n);
    return n;
}

static const struct cel_type *text_type(struct compiler *c, const struct schema_field *f)
{
    const struct schema_rules *r = f->rules;

    if (f->base == SCHEMA_TIME)
        return cel_type(CEL_TIMESTAMP);
    if (f->base == SCHEMA_DURATION)
        return cel_type(CEL_DURATION);
    if (r->enums != NULL)
        return bounded(c, CEL_STRING, longest_enum(r->enums));
    return bounded(c, f->base == SCHEMA_BYTES ? CEL_BYTES : CEL_STRING,
                   most(r->bounds != NULL ? r->bounds->max_length : -1, REQUEST_BYTES - 2));
}

static bool is_required(const struct schema_rules *r, struct str name)
{
    for (unsigned i = 0; i < r->n_required; i++)
        if (str_eq(r->required[i], name))
            return true;
    return false;
}

/* Of metadata, rules see the names. */
static const struct cel_type *metadata_type(struct compiler *c)
{
    static const char *const names[] = { "name", "generateName" };
    struct cel_type *t = arena_new(c->arena, struct cel_type);
    struct cel_field *fields = arena_zalloc(c->arena, ARRAY_LEN(names) * sizeof(*fields));

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        fields[i] = (struct cel_field){ str_of(names[i]), bounded(c, CEL_STRING, 253), false };
    *t = (struct cel_type){ .kind = CEL_OBJECT, .name = STR("metadata"), .fields = fields,
                            .n_fields = ARRAY_LEN(names), .max = CEL_UNBOUNDED };
    return t;
}

static const struct cel_type *object_type(struct compiler *c, const struct schema_field *f)
{
    struct cel_type *t = arena_new(c->arena, struct cel_type);
    struct cel_field *fields = arena_zalloc(c->arena, f->type->n_fields * sizeof(*fields));

    for (unsigned i = 0; i < f->type->n_fields; i++) {
        const struct schema_field *m = &f->type->fields[i];
        bool metadata = m->type != NULL && m->type->user == NULL;

        fields[i] = (struct cel_field){
            m->name, metadata ? metadata_type(c) : type_of(c, m),
            is_required(f->rules, m->name) || m->rules->default_ != NULL || (f->rules->embedded && i < 3),
        };
    }
    *t = (struct cel_type){ .kind = CEL_OBJECT, .name = STR("object"), .fields = fields,
                            .n_fields = f->type->n_fields, .max = CEL_UNBOUNDED };
    return t;
}

static const struct cel_type *plain_type(struct compiler *c, const struct schema_field *f)
{
    switch ((enum rules_type)f->rules->type) {
    case RULES_STRING:  return text_type(c, f);
    case RULES_BOOLEAN: return cel_type(CEL_BOOL);
    case RULES_INTEGER: return cel_type(CEL_INT);
    case RULES_NUMBER:  return cel_type(CEL_DOUBLE);
    default:            return cel_type(CEL_DYN);
    }
}

static const struct cel_type *type_of(struct compiler *c, const struct schema_field *f)
{
    struct cel_type *t;

    if (f->shape != SCHEMA_ONE) {
        t = arena_new(c->arena, struct cel_type);
        *t = *(f->shape == SCHEMA_LIST ? cel_type_list(c->arena, type_of(c, f->element))
                                       : cel_type_map(c->arena, type_of(c, f->element)));
        t->max = most_elements(f);
        return t;
    }
    if (f->type != NULL && f->type->user != NULL)
        return object_type(c, f);
    return plain_type(c, f);
}

/* ---- Rules -------------------------------------------------------------------------------------- */

/* A value's place in the schema: how many of it an object can have, and whether an old one can be told. */
struct where { const struct at *at; uint64_t times; bool correlated; };

static void refuse(struct compiler *c, const struct json *rule, const char *key, const struct at *at,
                   struct str why)
{
    struct at here = AT_STR(at, str_of(key));
    struct buf text = BUF_INIT;

    if (c->causes == NULL)
        return;
    json_write(&text, json_getz(rule, key));
    cause_add(c->causes, CAUSE_INVALID, &here, "Invalid value: %.*s: %.*s", STR_ARG(buf_str(&text)),
              STR_ARG(why));
    buf_release(&text);
}

static void too_costly(struct compiler *c, uint64_t cost, uint64_t limit, const struct at *at, bool whole)
{
    if (c->causes == NULL || cost <= limit)
        return;
    if (cost == UINT64_MAX || cost / limit > 100)
        cause_add(c->causes, CAUSE_FORBIDDEN, at,
                  "Forbidden: %s cost%s exceeds budget by factor of more than 100x%s",
                  whole ? "x-kubernetes-validations estimated rule" : "estimated rule",
                  whole ? " total for entire OpenAPIv3 schema" : "",
                  whole
                      ? ""
                      : " (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where "
                        "arrays, maps, and strings are declared)");
    else
        cause_add(c->causes, CAUSE_FORBIDDEN, at, "Forbidden: %s cost%s exceeds budget by factor of %.1fx%s",
                  whole ? "x-kubernetes-validations estimated rule" : "estimated rule",
                  whole ? " total for entire OpenAPIv3 schema" : "", (double)cost / (double)limit,
                  whole
                      ? ""
                      : " (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where "
                        "arrays, maps, and strings are declared)");
}

static const char *reason_of(const struct json *rule)
{
    static const char *const known[] = { CAUSE_REQUIRED, CAUSE_DUPLICATE, CAUSE_FORBIDDEN };
    struct str said = json_str(json_getz(rule, "reason"));

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(said, known[i]))
            return known[i];
    return CAUSE_INVALID;
}

static bool is_blank(struct str s) { return str_trim(s).n == 0; }

static bool compile_message(struct compiler *c, const struct cel_env *env, const struct json *said,
                            struct crd_rule *r, const struct at *at)
{
    struct str text = json_str(json_getz(said, "messageExpression")), why;

    if (is_blank(text))
        return true;
    if (cel_compile(&r->message_program, env, arena_str(c->arena, text), cel_type(CEL_STRING), c->arena,
                    &why) == 0)
        return true;
    refuse(c, said, "messageExpression", at,
           arena_fmt(c->arena, "messageExpression compilation failed: %.*s", STR_ARG(why)));
    return false;
}

/* False: it cannot be used. */
static bool compile_rule(struct compiler *c, const struct cel_type *type, const struct json *said,
                         const struct where *w, struct crd_rule *r)
{
    struct cel_type optional = { .kind = CEL_OPTIONAL, .elem = type, .max = CEL_UNBOUNDED }, *old_type;
    struct cel_var vars[2] = { { STR("self"), type }, { STR("oldSelf"), type } };
    struct cel_env env = { vars, 2 };
    struct at at_rule = AT_KEY(w->at, "rule");
    struct str why;
    uint64_t cost;

    r->optional_old = json_true(json_getz(said, "optionalOldSelf"));
    if (r->optional_old) {
        old_type = arena_new(c->arena, struct cel_type);
        *old_type = optional;
        vars[1].type = old_type;
    }
    r->rule = arena_str(c->arena, json_str(json_getz(said, "rule")));
    r->message = arena_str(c->arena, str_trim(json_str(json_getz(said, "message"))));
    r->reason = reason_of(said);
    r->field_path = arena_str(c->arena, json_str(json_getz(said, "fieldPath")));
    if (is_blank(r->rule)) {
        refuse(c, said, "rule", w->at, STR("rule is not specified"));
        return false;
    }
    if (cel_compile(&r->program, &env, r->rule, cel_type(CEL_BOOL), c->arena, &why) < 0) {
        refuse(c, said, "rule", w->at, why);
        return false;
    }
    r->transition = cel_program_uses(r->program, OLD);
    if (r->transition && !w->correlated) {
        refuse(c, said, "rule", w->at,
               STR("oldSelf cannot be used on the uncorrelatable portion of the schema"));
        return false;
    }
    cost = multiply(cel_program_estimate(r->program), w->times);
    too_costly(c, cost, CEL_ESTIMATE_RULE, &at_rule, false);
    c->total = add(c->total, cost);
    return compile_message(c, &env, said, r, w->at);
}

static void compile_here(struct compiler *c, const struct schema_field *f, const struct where *w)
{
    const struct json *list = f->rules->validations;
    struct crd_rules *own;
    struct at rules = AT_KEY(w->at, "x-kubernetes-validations");
    long i = 0;

    if (list == NULL)
        return;
    own = arena_new(c->arena, struct crd_rules);
    own->at = arena_zalloc(c->arena, list->n * sizeof(*own->at));
    own->type = type_of(c, f);
    json_each(said, list) {
        struct at at = AT_INDEX(&rules, i++);
        struct where here = { &at, w->times, w->correlated };

        own->n += compile_rule(c, own->type, said, &here, &own->at[own->n]);
        if (own->n < list->n)
            own->at[own->n] = (struct crd_rule){ 0 };
    }
    *f->rules->compiled = own;
}

/* ---- The schema --------------------------------------------------------------------------------- */

static void compile_all(struct compiler *c, const struct schema_field *f, const struct where *w)
{
    struct at members = AT_KEY(w->at, "properties"),
              element = AT_STR(w->at, f->shape == SCHEMA_LIST ? STR("items") : STR("additionalProperties"));

    if (!f->rules->deep_validations)
        return;
    compile_here(c, f, w);
    if (f->element != NULL) {
        bool told = f->shape == SCHEMA_MAP || f->list_type == SCHEMA_BY_KEYS;
        struct where here = { &element, multiply(w->times, most_elements(f)), w->correlated && told };

        compile_all(c, f->element, &here);
    }
    for (unsigned i = 0;
         f->element == NULL && f->type != NULL && f->type->user != NULL && i < f->type->n_fields; i++) {
        struct at at = AT_MAP(&members, f->type->fields[i].name);
        struct where here = { &at, w->times, w->correlated };

        if (f->type->fields[i].type == NULL || f->type->fields[i].type->user != NULL)
            compile_all(c, &f->type->fields[i], &here);
    }
}

void crd_rules_compile(const struct schema_field *f, struct arena *a, const struct at *at,
                       struct causes *causes)
{
    struct compiler c = { a, causes, 0 };
    struct where root = { at, 1, true };

    compile_all(&c, f, &root);
    too_costly(&c, c.total, CEL_ESTIMATE_CRD, at, true);
}
