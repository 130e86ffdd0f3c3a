/* api/crd/openapi.c: the schemas of custom kinds as OpenAPI publishes them.
 *
 * Version 3 takes a schema as it was given.  Version 2 knows less: what it has no word for is left out,
 * and where it would say too much, so is what would forbid values that are allowed. */
#include "api/crd/custom.h"
#include "api/openapi.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

static const char *place(const struct openapi *o)
{
    return o->v3 ? "#/components/schemas/" : "#/definitions/";
}

static bool is_of(const char *const *names, size_t n, struct str key)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(key, names[i]))
            return true;
    return false;
}

static bool flag(const struct json *schema, const char *key) { return json_true(json_getz(schema, key)); }

/* ---- Version 2 ---------------------------------------------------------------------------------- */

static void put_v2(struct buf *out, const struct json *schema);

/* False: version 2 cannot say it. */
static bool says_v2(const struct json *schema, struct str key)
{
    static const char *const unknown[] = { "nullable", "oneOf", "anyOf", "allOf", "not", "default",
                                           "x-kubernetes-validations", "example" };
    static const char *const closed[] = { "type", "properties", "items", "additionalProperties", "required" };

    if (is_of(unknown, ARRAY_LEN(unknown), key))
        return false;
    if (flag(schema, "x-kubernetes-preserve-unknown-fields") && is_of(closed, ARRAY_LEN(closed), key))
        return false;
    if ((flag(schema, "nullable") || flag(schema, "x-kubernetes-int-or-string")) && str_is(key, "type"))
        return false;
    return !(str_is(key, "enum") && flag(schema, "nullable"));
}

static void put_members_v2(struct buf *out, const struct json *members)
{
    bool first = true;

    json_each(m, members) {
        if (!first)
            buf_char(out, ',');
        json_write_string(out, m->key);
        buf_char(out, ':');
        put_v2(out, m);
        first = false;
    }
}

static void put_v2(struct buf *out, const struct json *schema)
{
    bool first = true;

    buf_char(out, '{');
    json_each(m, schema) {
        if (!says_v2(schema, m->key))
            continue;
        if (!first)
            buf_char(out, ',');
        first = false;
        json_write_string(out, m->key);
        buf_char(out, ':');
        if (str_is(m->key, "properties")) {
            buf_char(out, '{');
            put_members_v2(out, m);
            buf_char(out, '}');
        } else if ((str_is(m->key, "items") || str_is(m->key, "additionalProperties")) &&
                   m->type == JSON_OBJECT) {
            put_v2(out, m);
        } else {
            json_write(out, m);
        }
    }
    buf_char(out, '}');
}

/* ---- A kind ------------------------------------------------------------------------------------- */

static void put_own_members(struct openapi *o, const char *meta, const char *help)
{
    buf_fmt(&o->out,
            "\"apiVersion\":{\"description\":\"Version of the schema that this object "
            "follows.\",\"type\":\"string\"},"
            "\"kind\":{\"description\":\"What this object is.\",\"type\":\"string\"},"
            "\"metadata\":{\"description\":\"%s\",%s\"$ref\":\"%s" META "%s\"%s}",
            help, o->v3 ? "\"allOf\":[{" : "", place(o), meta, o->v3 ? "}]" : "");
}

static void put_gvk(struct openapi *o, const struct schema_kind *k)
{
    buf_fmt(&o->out,
            ",\"x-kubernetes-group-version-kind\":[{\"group\":\"%s\",\"kind\":\"%s\",\"version\":\"%s\"}]",
            k->group, k->kind, k->version);
}

static void put_properties(struct openapi *o, const struct json *schema)
{
    const struct json *members = json_getz(schema, "properties");

    buf_z(&o->out, ",\"properties\":{");
    put_own_members(o, "ObjectMeta", "Standard metadata.");
    json_each(m, members) {
        if (str_is(m->key, "apiVersion") || str_is(m->key, "kind") || str_is(m->key, "metadata"))
            continue;
        buf_char(&o->out, ',');
        json_write_string(&o->out, m->key);
        buf_char(&o->out, ':');
        if (o->v3)
            json_write(&o->out, m);
        else
            put_v2(&o->out, m);
    }
    buf_char(&o->out, '}');
}

static void put_kind(struct openapi *o, const struct schema_kind *k, const struct json *schema)
{
    buf_fmt(&o->out, "\"%s\":{\"type\":\"object\"", k->type->name);
    json_each(m, schema) {
        if (str_is(m->key, "type") || str_is(m->key, "properties") || (!o->v3 && !says_v2(schema, m->key)))
            continue;
        buf_char(&o->out, ',');
        json_write_string(&o->out, m->key);
        buf_char(&o->out, ':');
        json_write(&o->out, m);
    }
    put_properties(o, schema);
    put_gvk(o, k);
    buf_z(&o->out, "},");
}

static void put_list(struct openapi *o, const struct resource *r)
{
    buf_fmt(&o->out,
            "\"%s\":{\"description\":\"%s is a list of %s.\",\"type\":\"object\",\"required\":[\"items\"],"
            "\"properties\":{\"items\":{\"description\":\"The objects.\",\"type\":\"array\",\"items\":"
            "{\"$ref\":\"%s%s\"}},",
            r->list->type->name, r->list->kind, r->kind->kind, place(o), r->kind->type->name);
    put_own_members(o, "ListMeta", "Standard metadata of lists.");
    buf_char(&o->out, '}');
    put_gvk(o, r->list);
    buf_z(&o->out, "},");
}

void openapi_put_custom(struct openapi *o, const struct resource *r)
{
    const struct custom_version *v = custom_of(r);
    struct arena a = ARENA_INIT;
    struct json_error why;
    struct json *definition;

    if (json_parse(&a, blob_str(v->of->text), &definition, &why) < 0)
        definition = NULL;
    put_kind(o, r->kind, custom_schema(definition, str_of(r->kind->version)));
    put_list(o, r);
    arena_release(&a);
}
