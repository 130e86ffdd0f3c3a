/* api/openapi_types.c: types of the schema as JSON schemas. */
#include "api/openapi.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

/* Values with a form of their own are types of their own, as in the original. */
static const struct { uint8_t base; const char *name, *help, *v2, *v3;
} own_types[] = {
    { SCHEMA_TIME, META "Time", "A time as RFC 3339 writes it, to the second.",
      "\"type\":\"string\",\"format\":\"date-time\"", NULL },
    { SCHEMA_MICROTIME, META "MicroTime", "A time as RFC 3339 writes it, to the microsecond.",
      "\"type\":\"string\",\"format\":\"date-time\"", NULL },
    { SCHEMA_DURATION, META "Duration", "A span of time such as 1h30m.", "\"type\":\"string\"", NULL },
    { SCHEMA_QUANTITY, "io.k8s.apimachinery.pkg.api.resource.Quantity", "An amount such as 250m, 2 or 1Gi.",
      "\"type\":\"string\"", "\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]" },
    { SCHEMA_INT_OR_STRING, "io.k8s.apimachinery.pkg.util.intstr.IntOrString", "A number or a string.",
      "\"type\":\"string\",\"format\":\"int-or-string\"",
      "\"format\":\"int-or-string\",\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]" },
    { SCHEMA_RAW, "io.k8s.apimachinery.pkg.runtime.RawExtension", "Any object.", "\"type\":\"object\"",
      NULL },
    { SCHEMA_FIELDS_V1, META "FieldsV1", "A set of fields, as a tree of names.", "\"type\":\"object\"",
      NULL },
};

static const char *own_type(uint8_t base)
{
    for (size_t i = 0; i < ARRAY_LEN(own_types); i++)
        if (own_types[i].base == base)
            return own_types[i].name;
    return NULL;
}

static const char *place(const struct openapi *o)
{
    return o->v3 ? "#/components/schemas/" : "#/definitions/";
}

void openapi_see(struct openapi *o, const struct schema_type *t)
{
    size_t at = (size_t)(t - schema_types);

    must(at < schema_n_types);
    if (o->seen[at])
        return;
    o->seen[at] = 1;
    for (unsigned i = 0; i < t->n_fields; i++)
        if (t->fields[i].type != NULL)
            openapi_see(o, t->fields[i].type);
}

void openapi_put_ref(struct openapi *o, const struct schema_type *t)
{
    buf_fmt(&o->out, "{\"$ref\":\"%s%s\"}", place(o), t->name);
}

/* ---- fields ---------------------------------------------------------------------------------------- */

/* The inside of the schema of one value; refs stand in an allOf in version 3, where nothing may stand
 * beside a $ref. */
static void put_value(struct openapi *o, const struct schema_field *f, bool beside_others)
{
    static const char *const plain[] = {
        [SCHEMA_STRING] = "\"type\":\"string\"",
        [SCHEMA_BOOL] = "\"type\":\"boolean\"",
        [SCHEMA_INT32] = "\"type\":\"integer\",\"format\":\"int32\"",
        [SCHEMA_INT64] = "\"type\":\"integer\",\"format\":\"int64\"",
        [SCHEMA_DOUBLE] = "\"type\":\"number\",\"format\":\"double\"",
        [SCHEMA_BYTES] = "\"type\":\"string\",\"format\":\"byte\"",
        [SCHEMA_STRINGS] = "\"type\":\"array\",\"items\":{\"type\":\"string\"}",
    };
    const char *name = f->base == SCHEMA_OBJECT ? f->type->name : own_type(f->base);

    if (name != NULL) {
        bool wrap = o->v3 && beside_others;

        buf_fmt(&o->out, "%s\"$ref\":\"%s%s\"%s", wrap ? "\"allOf\":[{" : "", place(o), name,
                wrap ? "}]" : "");
        return;
    }
    buf_z(&o->out, plain[f->base]);
    if (f->enums == NULL)
        return;
    buf_z(&o->out, ",\"enum\":[");
    for (unsigned i = 0; i < f->enums->n; i++)
        buf_fmt(&o->out, "%s\"%s\"", i > 0 ? "," : "", f->enums->values[i]);
    buf_char(&o->out, ']');
}

static void put_extensions(struct openapi *o, const struct schema_field *f)
{
    static const char *const list_types[] = {
        [SCHEMA_ATOMIC] = "atomic", [SCHEMA_SET] = "set", [SCHEMA_BY_KEYS] = "map"
    };
    bool merge = f->flags & SCHEMA_PATCH_MERGE, retain = f->flags & SCHEMA_RETAIN_KEYS;

    if (f->shape == SCHEMA_LIST)
        buf_fmt(&o->out, ",\"x-kubernetes-list-type\":\"%s\"", list_types[f->list_type]);
    if (f->list_keys != NULL) {
        buf_z(&o->out, ",\"x-kubernetes-list-map-keys\":[");
        for (unsigned i = 0; f->list_keys[i] != NULL; i++)
            buf_fmt(&o->out, "%s\"%s\"", i > 0 ? "," : "", f->list_keys[i]);
        buf_char(&o->out, ']');
    }
    if (f->shape != SCHEMA_LIST && f->list_type == SCHEMA_ATOMIC)
        buf_z(&o->out, ",\"x-kubernetes-map-type\":\"atomic\"");
    if (f->merge_key != NULL)
        buf_fmt(&o->out, ",\"x-kubernetes-patch-merge-key\":\"%s\"", f->merge_key);
    if (merge || retain || f->flags & SCHEMA_PATCH_REPLACE)
        buf_fmt(&o->out, ",\"x-kubernetes-patch-strategy\":\"%s%s%s\"", merge ? "merge" : "",
                merge && retain ? "," : "",
                retain  ? "retainKeys"
                : merge ? ""
                        : "replace");
}

static void put_field(struct openapi *o, const struct schema_field *f)
{
    json_write_string(&o->out, f->name);
    buf_z(&o->out, ":{\"description\":");
    json_write_string(&o->out, str_of(f->help));
    buf_char(&o->out, ',');
    if (f->shape == SCHEMA_ONE) {
        put_value(o, f, true);
    } else {
        buf_z(&o->out, f->shape == SCHEMA_LIST ? "\"type\":\"array\",\"items\":{"
                                               : "\"type\":\"object\",\"additionalProperties\":{");
        put_value(o, f, false);
        buf_char(&o->out, '}');
    }
    if (f->default_json != NULL && (o->v3 || f->type == NULL))
        buf_fmt(&o->out, ",\"default\":%s", f->default_json);
    put_extensions(o, f);
    buf_char(&o->out, '}');
}

/* ---- types ----------------------------------------------------------------------------------------- */

static void put_required(struct openapi *o, const struct schema_type *t)
{
    bool first = true;

    for (unsigned i = 0; i < t->n_fields; i++) {
        if (!(t->fields[i].flags & (SCHEMA_REQUIRED | SCHEMA_ALWAYS)))
            continue;
        buf_z(&o->out, first ? "\"required\":[" : ",");
        json_write_string(&o->out, t->fields[i].name);
        first = false;
    }
    if (!first)
        buf_z(&o->out, "],");
}

static void put_gvk(struct buf *out, const char *group, const char *version, const char *kind, bool *first)
{
    buf_fmt(out, "%s{\"group\":\"%s\",\"kind\":\"%s\",\"version\":\"%s\"}", *first ? "" : ",", group, kind,
            version);
    *first = false;
}

/* The kinds behind a type.  Common ones exist in the core group and in every other one as well. */
static void put_kinds(struct openapi *o, const struct schema_type *t)
{
    bool first = true;

    for (unsigned i = 0; i < schema_n_kinds; i++) {
        const struct schema_kind *k = &schema_kinds[i];

        if (k->type != t)
            continue;
        buf_z(&o->out, ",\"x-kubernetes-group-version-kind\":[");
        if (!k->common) {
            put_gvk(&o->out, k->group, k->version, k->kind, &first);
        } else {
            const struct schema_kind *last = NULL;

            for (unsigned r = 0; r < schema_n_resources; r++) {
                const struct schema_kind *of = schema_resources[r].kind;

                if (last == NULL || strcmp(last->group, of->group) != 0 ||
                    strcmp(last->version, of->version) != 0)
                    put_gvk(&o->out, of->group, of->version, k->kind, &first);
                last = of;
            }
        }
        buf_char(&o->out, ']');
    }
}

static void put_type(struct openapi *o, const struct schema_type *t)
{
    buf_fmt(&o->out, "\"%s\":{\"description\":", t->name);
    json_write_string(&o->out, str_of(t->help));
    buf_fmt(&o->out, ",\"type\":\"object\",%s", t->atomic ? "\"x-kubernetes-map-type\":\"atomic\"," : "");
    put_required(o, t);
    buf_z(&o->out, "\"properties\":{");
    for (unsigned i = 0; i < t->n_fields; i++) {
        if (i > 0)
            buf_char(&o->out, ',');
        put_field(o, &t->fields[i]);
    }
    buf_char(&o->out, '}');
    put_kinds(o, t);
    buf_z(&o->out, "},");
}

void openapi_put_schemas(struct openapi *o)
{
    for (unsigned i = 0; i < schema_n_types; i++)
        if (o->seen[i])
            put_type(o, &schema_types[i]);
    for (unsigned i = 0; i < o->n_custom; i++)
        openapi_put_custom(o, o->custom[i]);
    for (size_t i = 0; i < ARRAY_LEN(own_types); i++)
        buf_fmt(&o->out, "%s\"%s\":{\"description\":\"%s\",%s}", i > 0 ? "," : "", own_types[i].name,
                own_types[i].help, o->v3 && own_types[i].v3 != NULL ? own_types[i].v3 : own_types[i].v2);
}
