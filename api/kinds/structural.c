/* api/kinds/structural.c: is the schema of a user's kind structural, so that unknown fields can be pruned?
 *
 * Every value says its type outside of allOf, anyOf, oneOf and not; those only narrow values down.  Schemas
 * nest no deeper than JSON does, so walking them recursively is bounded. */
#include "api/kinds/kinds_impl.h"

static const char *const types[] = { "array", "boolean", "integer", "number", "object", "string" };
static const char *const unsupported[] = { "$ref", "definitions", "dependencies", "patternProperties", "id",
                                           "additionalItems" };
static const char *const only_outside[] = {
    "title", "description", "type", "default", "nullable", "additionalProperties",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
};

static void check_schema(const struct json *schema, bool inside, const struct at *at, struct causes *causes);

/* Inside, only what narrows down may stand. */
static void check_inside(const struct json *schema, const struct at *at, struct causes *causes)
{
    for (size_t i = 0; i < ARRAY_LEN(only_outside); i++) {
        const struct json *v = json_getz(schema, only_outside[i]);

        if (json_is_set(v) && !(v->type == JSON_BOOL && !v->boolean))
            field_forbid(schema, only_outside[i], at, "must be empty to be structural", causes);
    }
}

static void check_own_fields(const struct json *schema, const struct at *at, struct causes *causes)
{
    const struct json *more = json_getz(schema, "additionalProperties");

    for (size_t i = 0; i < ARRAY_LEN(unsupported); i++)
        field_forbid(schema, unsupported[i], at,
                     arena_fmt(causes->arena, "%s is not supported", unsupported[i]).p, causes);
    field_one_of(schema, "type", at, types, ARRAY_LEN(types), causes);
    if (json_true(json_getz(schema, "uniqueItems")))
        field_forbid(schema, "uniqueItems", at,
                     "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
                     causes);
    if (json_is(more, JSON_BOOL) && !more->boolean)
        field_forbid(schema, "additionalProperties", at, "additionalProperties cannot be set to false",
                     causes);
    if (more != NULL && json_is_set(json_getz(schema, "properties")))
        field_forbid(schema, "additionalProperties", at,
                     "additionalProperties and properties are mutual exclusive", causes);
    if (str_is(json_str(json_getz(schema, "type")), "array"))
        field_need(schema, "items", at, "must be specified", causes);
}

/* A value of a known type, or of any: then it says so. */
static void check_typed(const struct json *schema, const struct at *at, const char *what,
                        struct causes *causes)
{
    if (json_true(json_getz(schema, "x-kubernetes-int-or-string")) ||
        json_true(json_getz(schema, "x-kubernetes-preserve-unknown-fields")))
        return;
    field_need(schema, "type", at, arena_fmt(causes->arena, "must not be empty for specified %s", what).p,
               causes);
}

static void check_list(const struct json *schema, const struct at *at, struct causes *causes)
{
    static const char *const lists[] = { "atomic", "map", "set" }, *const maps[] = { "atomic", "granular" };
    struct str               type = json_str(json_getz(schema, "x-kubernetes-list-type"));

    field_one_of(schema, "x-kubernetes-list-type", at, lists, ARRAY_LEN(lists), causes);
    field_one_of(schema, "x-kubernetes-map-type", at, maps, ARRAY_LEN(maps), causes);
    if (!str_is(type, "map")) {
        field_forbid(schema, "x-kubernetes-list-map-keys", at,
                     "must be only specified if x-kubernetes-list-type is map", causes);
        return;
    }
    field_need(schema, "x-kubernetes-list-map-keys", at, "must not be empty if x-kubernetes-list-type is map",
               causes);
    each_in(e, schema, "x-kubernetes-list-map-keys", at)
        if (json_get(json_path(schema, "items.properties"), json_str(e.it)) == NULL)
            cause_invalid(causes, &e.at, json_str(e.it), "entries must all be names of item properties");
}

static void check_children(const struct json *schema, bool inside, const struct at *at, struct causes *causes)
{
    static const char *const several[] = { "allOf", "anyOf", "oneOf" };
    const struct json *items = json_getz(schema, "items"), *more = json_getz(schema, "additionalProperties"),
                      *not = json_getz(schema, "not");
    struct at at_items = AT_KEY(at, "items"), at_more = AT_KEY(at, "additionalProperties"),
              at_not = AT_KEY(at, "not");

    each_in(e, schema, "properties", at) {
        if (!inside)
            check_typed(e.it, &e.at, "object fields", causes);
        check_schema(e.it, inside, &e.at, causes);
    }
    if (json_is(items, JSON_ARRAY))
        cause_forbidden(causes, &at_items, "items must be a schema object and not an array");
    if (json_is(items, JSON_OBJECT)) {
        if (!inside)
            check_typed(items, &at_items, "array items", causes);
        check_schema(items, inside, &at_items, causes);
    }
    if (json_is(more, JSON_OBJECT)) {
        if (!inside)
            check_typed(more, &at_more, "object fields", causes);
        check_schema(more, inside, &at_more, causes);
    }
    for (size_t i = 0; i < ARRAY_LEN(several); i++)
        each_in(e, schema, several[i], at)
            check_schema(e.it, true, &e.at, causes);
    if (not != NULL)
        check_schema(not, true, &at_not, causes);
}

static void check_schema(const struct json *schema, bool inside, const struct at *at, struct causes *causes)
{
    if (!json_is(schema, JSON_OBJECT))
        return;
    if (inside)
        check_inside(schema, at, causes);
    check_own_fields(schema, at, causes);
    check_list(schema, at, causes);
    check_children(schema, inside, at, causes);
}

void structural_check(const struct json *schema, const struct at *at, struct causes *causes)
{
    struct str type = json_str(json_getz(schema, "type"));

    if (type.n == 0)
        field_need(schema, "type", at, "must not be empty at the root", causes);
    else if (!str_is(type, "object"))
        field_refuse(schema, "type", at, "must be object at the root", causes);
    check_schema(schema, false, at, causes);
}
