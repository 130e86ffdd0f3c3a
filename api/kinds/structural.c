/* api/kinds/structural.c: is the schema of a user's kind structural, so that unknown fields can be
 * pruned, and can it be used at all?
 *
 * Every value says its type outside of allOf, anyOf, oneOf and not; those only narrow values down, and
 * only values that the schema knows outside of them.  Schemas nest no deeper than JSON does, so walking
 * them recursively is bounded. */
#include "api/crd/rule.h"
#include "api/kinds/kinds_impl.h"
#include "api/regex.h"

#define INT_OR_STRING "x-kubernetes-int-or-string"
#define OPEN          "x-kubernetes-preserve-unknown-fields"
#define EMBEDDED      "x-kubernetes-embedded-resource"
#define LIST_TYPE     "x-kubernetes-list-type"
#define LIST_KEYS     "x-kubernetes-list-map-keys"
#define MAP_TYPE      "x-kubernetes-map-type"

static const char *const types[] = { "array", "boolean", "integer", "number", "object", "string" };
static const char *const unsupported[] = { "$ref", "definitions", "dependencies", "patternProperties", "id",
                                           "additionalItems" };
static const char *const only_outside[] = {
    "title", "description", "type", "default", "nullable", "additionalProperties", OPEN, EMBEDDED,
    INT_OR_STRING, LIST_TYPE, LIST_KEYS, MAP_TYPE,
};
static const char *const several[] = { "allOf", "anyOf", "oneOf" };

/* A schema on its way through the checks.  root: of objects, which are embedded by nature. */
struct place { const struct json *schema; const struct at *at; bool inside, root; };

static void check_schema(struct place p, struct causes *causes);

static bool flag(const struct json *schema, const char *key) { return json_true(json_getz(schema, key)); }
static struct str type_of(const struct json *schema) { return json_str(json_getz(schema, "type")); }

/* ---- Inside of allOf and the like --------------------------------------------------------------- */

/* Inside, only what narrows down may stand. */
static void check_inside(const struct json *schema, const struct at *at, struct causes *causes)
{
    for (size_t i = 0; i < ARRAY_LEN(only_outside); i++) {
        const struct json *v = json_getz(schema, only_outside[i]);

        if (json_is_set(v) && !(v->type == JSON_BOOL && !v->boolean))
            field_forbid(schema, only_outside[i], at, "must be empty to be structural", causes);
    }
}

/* [{type: integer}, {type: string}], which says again what int-or-string says. */
static bool is_int_or_string(const struct json *any)
{
    const struct json *x = json_at(any, 0), *y = json_at(any, 1);

    return json_is(any, JSON_ARRAY) && any->n == 2 && x->n == 1 && y->n == 1 &&
           ((str_is(type_of(x), "integer") && str_is(type_of(y), "string")) ||
            (str_is(type_of(x), "string") && str_is(type_of(y), "integer")));
}

/* Values that are narrowed down must be known outside. */
static void check_known(const struct json *outer, const struct json *inner, const struct at *at_outer,
                        const struct at *at_inner, struct causes *causes)
{
    const struct json *items = json_getz(inner, "items");
    struct at          at_items = AT_KEY(at_outer, "items"), in_items = AT_KEY(at_inner, "items"),
              at_members = AT_KEY(at_outer, "properties");

    each_in(e, inner, "properties", at_inner) {
        const struct json *known = json_get(json_getz(outer, "properties"), e.it->key);
        struct at          here = AT_MAP(&at_members, e.it->key);

        if (known == NULL)
            known = json_getz(outer, "additionalProperties");
        if (known == NULL)
            cause_required(causes, &here,
                           arena_fmt(causes->arena, "because it is defined in %.*s",
                                     STR_ARG(at_text(causes->arena, &e.at))).p);
        else
            check_known(known, e.it, &here, &e.at, causes);
    }
    if (json_is(items, JSON_OBJECT) && json_is(json_getz(outer, "items"), JSON_OBJECT))
        check_known(json_getz(outer, "items"), items, &at_items, &in_items, causes);
    else if (json_is(items, JSON_OBJECT))
        cause_required(causes, &at_items,
                       arena_fmt(causes->arena, "because it is defined in %.*s",
                                 STR_ARG(at_text(causes->arena, &in_items))).p);
}

static void check_alternative(struct place p, const struct json *inner, const struct at *at,
                              struct causes *causes)
{
    check_schema((struct place){ inner, at, true, false }, causes);
    if (!p.inside)
        check_known(p.schema, inner, p.at, at, causes);
}

static void check_logic(struct place p, struct causes *causes)
{
    const struct json *not = json_getz(p.schema, "not");
    struct at          at_not = AT_KEY(p.at, "not");
    bool               both = flag(p.schema, INT_OR_STRING);

    for (size_t i = 0; i < ARRAY_LEN(several); i++) {
        if (both && is_int_or_string(json_getz(p.schema, several[i])))
            continue;
        each_in(e, p.schema, several[i], p.at) {
            if (both && i == 0 && e.i == 0 && is_int_or_string(json_getz(e.it, "anyOf")))
                continue;
            check_alternative(p, e.it, &e.at, causes);
        }
    }
    if (json_is(not, JSON_OBJECT))
        check_alternative(p, not, &at_not, causes);
}

/* ---- One schema --------------------------------------------------------------------------------- */

static void check_own_fields(const struct json *schema, const struct at *at, struct causes *causes)
{
    const struct json *more = json_getz(schema, "additionalProperties"), *open = json_getz(schema, OPEN);
    struct at          at_items = AT_KEY(at, "items");

    for (size_t i = 0; i < ARRAY_LEN(unsupported); i++)
        field_forbid(schema, unsupported[i], at,
                     arena_fmt(causes->arena, "%s is not supported", unsupported[i]).p, causes);
    field_one_of(schema, "type", at, types, ARRAY_LEN(types), causes);
    if (flag(schema, "uniqueItems"))
        field_forbid(schema, "uniqueItems", at,
                     "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
                     causes);
    if (json_is(more, JSON_BOOL) && !more->boolean)
        field_forbid(schema, "additionalProperties", at, "additionalProperties cannot be set to false",
                     causes);
    if (more != NULL && !json_is_blank(json_getz(schema, "properties")))
        field_forbid(schema, "additionalProperties", at,
                     "additionalProperties and properties are mutual exclusive", causes);
    if (json_is(json_getz(schema, "items"), JSON_ARRAY))
        cause_forbidden(causes, &at_items, "items must be a schema object and not an array");
    if (str_is(type_of(schema), "array"))
        field_need(schema, "items", at, "must be specified", causes);
    if (json_is(open, JSON_BOOL) && !open->boolean)
        field_refuse(schema, OPEN, at, "must be true or undefined", causes);
}

static void check_pattern(const struct json *schema, const struct at *up, struct causes *causes)
{
    struct str    pattern = json_str(json_getz(schema, "pattern"));
    struct arena  a = ARENA_INIT;
    struct regex *re;
    struct errbuf err;

    if (pattern.n > 0 && regex_compile(&re, pattern, &a, &err) < 0)
        field_refuse(schema, "pattern", up,
                     arena_fmt(causes->arena, "must be a valid regular expression, but isn't: %s", err.s).p,
                     causes);
    arena_release(&a);
}

/* A value that is an object of its own, int or string, of any type: each excludes something. */
static void check_extensions(struct place p, struct causes *causes)
{
    const struct json *schema = p.schema, *metadata = json_path(schema, "properties.metadata");
    struct at          at = AT_KEY(p.at, "properties"), at_meta = AT_MAP(&at, STR("metadata"));

    if (flag(schema, INT_OR_STRING) && type_of(schema).n > 0)
        field_refuse(schema, "type", p.at, "must be empty if x-kubernetes-int-or-string is true", causes);
    if (flag(schema, EMBEDDED) && !str_is(type_of(schema), "object"))
        field_refuse(schema, "type", p.at, "must be object if x-kubernetes-embedded-resource is true",
                     causes);
    if (flag(schema, EMBEDDED) && !flag(schema, OPEN) && json_is_blank(json_getz(schema, "properties")))
        field_need(schema, "properties", p.at,
                   "must not be empty if x-kubernetes-embedded-resource is true without "
                   "x-kubernetes-preserve-unknown-fields", causes);
    if ((p.root || flag(schema, EMBEDDED)) && metadata != NULL)
        json_each(m, json_getz(metadata, "properties"))
            if (!str_is(m->key, "name") && !str_is(m->key, "generateName")) {
                cause_forbidden(causes, &at_meta,
                                "must not specify anything other than name and generateName, but metadata is "
                                "implicitly specified");
                break;
            }
}

/* What is absent gets a value that the schema itself takes. */
static void check_default(const struct json *schema, const struct at *at, struct causes *causes)
{
    const struct json *given = json_getz(schema, "default");
    struct schema_type holder = { .name = "" };
    struct arena       a = ARENA_INIT;
    struct json        wrap = { .type = JSON_OBJECT }, members = { .type = JSON_OBJECT }, *own, *value;
    struct errbuf      err;

    if (given == NULL || given->type == JSON_NULL)
        return;
    own = json_copy(&a, schema);
    json_delz(own, "default");
    json_append(&members, STR("value"), own);
    json_append(&wrap, STR("properties"), &members);
    if (crd_compile(&wrap, &a, &holder, &err) == 0) {
        const struct schema_field *f = schema_field(&holder, STR("value"));

        value = json_copy(&a, given);
        if (crd_prune(f, value))
            field_refuse(schema, "default", at, "must not specify fields that the schema does not know",
                         causes);
        else {
            struct causes found;
            struct at     here = AT_KEY(at, "default");

            causes_init(&found, &a);
            crd_default(f, value, &a);
            crd_validate(f, value, NULL, NULL, &found);
            if (found.n > 0)
                cause_invalid_raw(causes, &here, json_text(causes->arena, given),
                                  arena_fmt(causes->arena, "must be valid: %.*s",
                                            STR_ARG(found.first->message)).p);
        }
    }
    arena_release(&a);
}

/* ---- Lists -------------------------------------------------------------------------------------- */

static void check_list_keys(const struct json *schema, const struct at *at, struct causes *causes)
{
    const struct json *items = json_getz(schema, "items"), *members = json_getz(items, "properties");
    struct at          at_items = AT_KEY(at, "items"), at_members = AT_KEY(&at_items, "properties");
    struct seen        keys = seen_new(causes->arena, json_getz(schema, LIST_KEYS) != NULL
                                                   ? json_getz(schema, LIST_KEYS)->n : 0);

    each_in(e, schema, LIST_KEYS, at) {
        const struct json *member = json_get(members, json_str(e.it));
        struct at          here = AT_MAP(&at_members, json_str(e.it)), at_type = AT_KEY(&here, "type"),
                  at_default = AT_KEY(&here, "default");

        if (member == NULL) {
            cause_invalid(causes, &e.at, json_str(e.it), "entries must all be names of item properties");
            continue;
        }
        if (!seen_add(&keys, json_str(e.it)))
            cause_duplicate(causes, &e.at, json_str(e.it));
        if (str_is(type_of(member), "array") || str_is(type_of(member), "object"))
            cause_invalid(causes, &at_type, type_of(member),
                          "must be a scalar type if parent array's x-kubernetes-list-type is map");
        if (json_getz(member, "default") == NULL && !list_has(json_getz(items, "required"), json_str(e.it)))
            cause_required(
                causes, &at_default,
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
                "required property");
    }
}

static void check_list(const struct json *schema, const struct at *at, struct causes *causes)
{
    static const char *const lists[] = { "atomic", "map", "set" }, *const maps[] = { "atomic", "granular" };
    const struct json       *items = json_getz(schema, "items");
    struct str               type = json_str(json_getz(schema, LIST_TYPE)), of = type_of(items);
    struct at                at_items = AT_KEY(at, "items");

    field_one_of(schema, LIST_TYPE, at, lists, ARRAY_LEN(lists), causes);
    field_one_of(schema, MAP_TYPE, at, maps, ARRAY_LEN(maps), causes);
    if (json_is_set(json_getz(schema, MAP_TYPE)) && !str_is(type_of(schema), "object"))
        field_refuse(schema, "type", at, "must be object if x-kubernetes-map-type is specified", causes);
    if (type.n > 0 && !str_is(type_of(schema), "array"))
        field_refuse(schema, "type", at, "must be array if x-kubernetes-list-type is specified", causes);
    if ((str_is(type, "map") || str_is(type, "set")) && flag(items, "nullable"))
        field_forbid(items, "nullable", &at_items,
                     arena_fmt(causes->arena, "cannot be nullable when x-kubernetes-list-type is %.*s",
                               STR_ARG(type)).p, causes);
    if (str_is(type, "set") &&
        ((str_is(of, "object") && !str_is(json_str(json_getz(items, MAP_TYPE)), "atomic")) ||
         (str_is(of, "array") && json_is_set(json_getz(items, LIST_TYPE)) &&
          !str_is(json_str(json_getz(items, LIST_TYPE)), "atomic"))))
        field_refuse(items, "type", &at_items,
                     "must be atomic as item of a list with x-kubernetes-list-type=set", causes);
    if (!str_is(type, "map")) {
        field_forbid(schema, LIST_KEYS, at, "must be only specified if x-kubernetes-list-type is map",
                     causes);
        return;
    }
    if (!str_is(of, "object"))
        field_refuse(items, "type", &at_items,
                     "must be object if parent array's x-kubernetes-list-type is map", causes);
    field_need(schema, LIST_KEYS, at, "must not be empty if x-kubernetes-list-type is map", causes);
    check_list_keys(schema, at, causes);
}

/* ---- Walking ------------------------------------------------------------------------------------ */

/* A value of a known type, or of any: then it says so. */
static void check_typed(const struct json *schema, const struct at *at, const char *what,
                        struct causes *causes)
{
    if (flag(schema, INT_OR_STRING) || flag(schema, OPEN))
        return;
    field_need(schema, "type", at, arena_fmt(causes->arena, "must not be empty for specified %s", what).p,
               causes);
}

static void check_child(struct place p, const struct json *child, const struct at *at, const char *what,
                        struct causes *causes)
{
    if (!p.inside)
        check_typed(child, at, what, causes);
    check_schema((struct place){ child, at, p.inside, false }, causes);
}

static bool is_own_member(struct place p, struct str name)
{
    return (p.root || flag(p.schema, EMBEDDED)) &&
           (str_is(name, "apiVersion") || str_is(name, "kind") || str_is(name, "metadata"));
}

static void check_children(struct place p, struct causes *causes)
{
    const struct json *items = json_getz(p.schema, "items"),
                      *more = json_getz(p.schema, "additionalProperties");
    struct at          at_items = AT_KEY(p.at, "items"), at_more = AT_KEY(p.at, "additionalProperties");

    each_in(e, p.schema, "properties", p.at) {
        struct place child = { e.it, &e.at, p.inside, false };

        if (is_own_member(p, e.it->key))
            check_schema(child, causes);         /* its type is known */
        else
            check_child(p, e.it, &e.at, "object fields", causes);
    }
    if (json_is(items, JSON_OBJECT))
        check_child(p, items, &at_items, "array items", causes);
    if (json_is(more, JSON_OBJECT))
        check_child(p, more, &at_more, "object fields", causes);
    check_logic(p, causes);
}

static void check_schema(struct place p, struct causes *causes)
{
    if (!json_is(p.schema, JSON_OBJECT))
        return;
    if (p.inside)
        check_inside(p.schema, p.at, causes);
    check_own_fields(p.schema, p.at, causes);
    check_pattern(p.schema, p.at, causes);
    check_extensions(p, causes);
    check_list(p.schema, p.at, causes);
    check_children(p, causes);
}

/* Defaults are tried once the schema is known to be one. */
static void check_defaults(const struct json *schema, const struct at *at, struct causes *causes)
{
    const struct json *items = json_getz(schema, "items"), *more = json_getz(schema, "additionalProperties");
    struct at          at_items = AT_KEY(at, "items"), at_more = AT_KEY(at, "additionalProperties");

    check_default(schema, at, causes);
    each_in(e, schema, "properties", at)
        check_defaults(e.it, &e.at, causes);
    if (json_is(items, JSON_OBJECT))
        check_defaults(items, &at_items, causes);
    if (json_is(more, JSON_OBJECT))
        check_defaults(more, &at_more, causes);
}

/* Rules in CEL are compiled against the types that the schema gives. */
static void check_rules(const struct json *schema, const struct at *at, struct causes *causes)
{
    struct schema_type root = { .name = "" };
    struct arena       a = ARENA_INIT;
    struct errbuf      err;

    if (crd_compile(schema, &a, &root, &err) < 0)
        cause_invalid_raw(causes, at, STR("\"\""), arena_fmt(causes->arena, "%s", err.s).p);
    else
        crd_rules_compile(root.user, &a, at, causes);
    arena_release(&a);
}

void structural_check(const struct json *schema, const struct at *at, struct causes *causes)
{
    struct str type = type_of(schema);
    unsigned   before = causes->n;

    if (type.n == 0)
        field_need(schema, "type", at, "must not be empty at the root", causes);
    else if (!str_is(type, "object"))
        field_refuse(schema, "type", at, "must be object at the root", causes);
    check_schema((struct place){ schema, at, false, true }, causes);
    if (causes->n == before)
        check_defaults(schema, at, causes);
    if (causes->n == before)
        check_rules(schema, at, causes);
}
