/* api/openapi_paths.c: resources and subresources as paths with operations.
 *
 * Clients read three things here: that an operation exists, its kind, and which parameters it knows
 * (kubectl asks the server to check fields only where PATCH has a parameter fieldValidation). */
#include <stdio.h>
#include "api/openapi.h"

struct operation {
    const char *method, *action;
    const struct schema_kind *kind;              /* what it is about */
    const struct schema_type *body, *answer;     /* NULL: none; text */
    unsigned parameters;                         /* PARAM_* */
    bool custom;                                 /* of a custom kind: no strategic merge */
};

#define PARAM_WRITE 1u                           /* dryRun, fieldManager, fieldValidation */
#define PARAM_FORCE 2u
#define PARAM_LIST  4u                           /* selectors, limit, watch... */

static const struct { unsigned when; const char *name, *type, *help;
} parameters[] = {
    { PARAM_WRITE, "dryRun", "string", "With All nothing is stored." },
    { PARAM_WRITE, "fieldManager", "string", "Name under which the fields are noted as set." },
    { PARAM_WRITE, "fieldValidation", "string",
      "What to do about unknown and duplicate fields: Ignore, Warn or Strict." },
    { PARAM_FORCE, "force", "boolean", "Take over fields that others manage; only for apply." },
    { PARAM_LIST, "allowWatchBookmarks", "boolean", "Also send the current version now and then." },
    { PARAM_LIST, "continue", "string", "Token of the previous part." },
    { PARAM_LIST, "fieldSelector", "string", "Only objects whose fields match." },
    { PARAM_LIST, "labelSelector", "string", "Only objects whose labels match." },
    { PARAM_LIST, "limit", "integer", "At most so many objects at once." },
    { PARAM_LIST, "resourceVersion", "string", "Version to read at or to start from." },
    { PARAM_LIST, "resourceVersionMatch", "string", "How exactly resourceVersion is meant." },
    { PARAM_LIST, "sendInitialEvents", "boolean", "Begin a watch with all that exists." },
    { PARAM_LIST, "timeoutSeconds", "integer", "End the watch after this time." },
    { PARAM_LIST, "watch", "boolean", "Send changes from now on instead of a list." },
};

/* The last one is for built-in kinds only. */
static const char *const patch_types[] = {
    "application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json",
};

/* How many forms a body may have. */
static size_t n_body_types(const struct operation *op)
{
    return strcmp(op->method, "patch") == 0 ? ARRAY_LEN(patch_types) - op->custom : 1;
}

static void put_parameter(struct openapi *o, const char *name, const char *in, const char *type,
                          const char *help)
{
    buf_fmt(&o->out, "{\"name\":\"%s\",\"in\":\"%s\",\"description\":\"%s\",", name, in, help);
    if (strcmp(in, "path") == 0)
        buf_z(&o->out, "\"required\":true,");
    buf_fmt(&o->out,
            o->v3 ? "\"schema\":{\"type\":\"%s\",\"uniqueItems\":true}}"
                  : "\"type\":\"%s\",\"uniqueItems\":true}",
            type);
}

static void put_schema_ref(struct openapi *o, const struct schema_type *t)
{
    buf_z(&o->out, "\"schema\":");
    if (t != NULL)
        openapi_put_ref(o, t);
    else
        buf_z(&o->out, o->v3 ? "{\"type\":\"object\"}" : "{\"type\":\"object\"}");
}

static void put_body(struct openapi *o, const struct operation *op)
{
    bool patch = strcmp(op->method, "patch") == 0;

    if (!o->v3) {
        buf_z(&o->out, "{\"name\":\"body\",\"in\":\"body\",\"required\":true,");
        put_schema_ref(o, patch ? NULL : op->body);
        buf_char(&o->out, '}');
        return;
    }
    buf_z(&o->out, ",\"requestBody\":{\"content\":{");
    for (size_t i = 0; i < n_body_types(op); i++) {
        buf_fmt(&o->out, "%s\"%s\":{", i > 0 ? "," : "", patch ? patch_types[i] : "*/*");
        put_schema_ref(o, patch ? NULL : op->body);
        buf_char(&o->out, '}');
    }
    buf_z(&o->out, "},\"required\":true}");
}

static void put_answer(struct openapi *o, const struct operation *op)
{
    buf_z(&o->out, ",\"responses\":{\"200\":{\"description\":\"OK\"");
    if (op->answer != NULL) {
        buf_z(&o->out, o->v3 ? ",\"content\":{\"application/json\":{" : ",");
        put_schema_ref(o, op->answer);
        if (o->v3)
            buf_z(&o->out, "}}");
    }
    buf_z(&o->out, "},\"401\":{\"description\":\"Unauthorized\"}}");
}

static void put_operation(struct openapi *o, const struct operation *op, bool more)
{
    bool first = true;

    buf_fmt(&o->out, "%s\"%s\":{\"description\":\"%s %s\",", more ? "," : "", op->method, op->action,
            op->kind->kind);
    if (!o->v3) {
        bool patch = strcmp(op->method, "patch") == 0;

        buf_z(&o->out, "\"consumes\":[");
        for (size_t i = 0; i < n_body_types(op); i++)
            buf_fmt(&o->out, "%s\"%s\"", i > 0 ? "," : "", patch ? patch_types[i] : "*/*");
        buf_z(&o->out, "],\"produces\":[\"application/json\",\"application/yaml\"],");
    }
    buf_z(&o->out, "\"parameters\":[");
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        if (!(parameters[i].when & op->parameters))
            continue;
        if (!first)
            buf_char(&o->out, ',');
        put_parameter(o, parameters[i].name, "query", parameters[i].type, parameters[i].help);
        first = false;
    }
    if (!o->v3 && op->body != NULL) {
        if (!first)
            buf_char(&o->out, ',');
        put_body(o, op);
    }
    buf_char(&o->out, ']');
    if (o->v3 && op->body != NULL)
        put_body(o, op);
    put_answer(o, op);
    buf_fmt(&o->out,
            ",\"x-kubernetes-action\":\"%s\",\"x-kubernetes-group-version-kind\":{\"group\":\"%s\",\"kind\":"
            "\"%s\","
            "\"version\":\"%s\"}}",
            op->action, op->kind->group, op->kind->kind, op->kind->version);
}

/* ---- paths -------------------------------------------------------------------------------------- */

static void begin_path(struct openapi *o, const struct resource *r, bool namespaced, const char *rest,
                       bool more)
{
    buf_z(&o->out, more ? ",\"/" : "\"/");
    openapi_gv_path(&o->out, r->kind);
    buf_fmt(&o->out, "/%s%s%s\":{", namespaced ? "namespaces/{namespace}/" : "", r->plural, rest);
}

/* After the operations: what stands in the path itself. */
static void end_path(struct openapi *o, bool namespaced, bool named, bool more)
{
    if (namespaced || named) {
        buf_z(&o->out, more ? ",\"parameters\":[" : "\"parameters\":[");
        if (named)
            put_parameter(o, "name", "path", "string", "Name of the object.");
        if (named && namespaced)
            buf_char(&o->out, ',');
        if (namespaced)
            put_parameter(o, "namespace", "path", "string", "Namespace of the object.");
        buf_char(&o->out, ']');
    }
    buf_char(&o->out, '}');
}

static const struct schema_type *common_type(const char *name)
{
    return schema_kind_find(STR(""), STR("v1"), str_of(name))->type;
}

static void put_collection(struct openapi *o, const struct resource *r, bool more)
{
    const struct schema_kind *k = r->kind;
    const struct operation list = {
        "get", "list", k, NULL, r->list != NULL ? r->list->type : NULL, PARAM_LIST, false
    };
    const struct operation post = { "post", "post", k, k->type, k->type, PARAM_WRITE, false };
    const struct operation purge = {
        "delete", "deletecollection", k, common_type("DeleteOptions"), common_type("Status"), PARAM_LIST,
        false
    };
    bool any = false;

    begin_path(o, r, r->namespaced, "", more);
    if (r->verbs & VERB_LIST)
        put_operation(o, &list, any), any = true;
    if (r->verbs & VERB_CREATE)
        put_operation(o, &post, any), any = true;
    if (r->verbs & VERB_DELETECOLLECTION)
        put_operation(o, &purge, any), any = true;
    end_path(o, r->namespaced, false, any);
    if (r->namespaced && (r->verbs & VERB_LIST)) {
        begin_path(o, r, false, "", true);
        put_operation(o, &list, false);
        end_path(o, false, false, true);
    }
}

/* One object or subresource. */
static void put_single(struct openapi *o, const struct resource *r, const char *rest, uint32_t verbs,
                       const struct schema_kind *k)
{
    const struct operation ops[] = {
        { "get", "get", k, NULL, k->type, 0, false },
        { "put", "put", k, k->type, k->type, PARAM_WRITE, false },
        { "patch", "patch", k, k->type, k->type, PARAM_WRITE | PARAM_FORCE, resource_is_custom(r) },
        { "post", "post", k, k->type, k->type, PARAM_WRITE, false },
        { "delete", "delete", k, common_type("DeleteOptions"), common_type("Status"), 0, false },
    };
    static const uint32_t verb[] = { VERB_GET, VERB_UPDATE, VERB_PATCH, VERB_CREATE, VERB_DELETE };
    bool any = false;

    begin_path(o, r, r->namespaced, rest, true);
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (verbs & verb[i]) {
            put_operation(o, &ops[i], any);
            any = true;
        }
    end_path(o, r->namespaced, true, any);
}

/* The types that those of custom kinds refer to. */
static void see_custom(struct openapi *o, const struct resource *r)
{
    openapi_see(o, schema_kind_find(STR("meta.k8s.io"), STR("v1"), STR("PartialObjectMetadataList"))->type);
    o->custom = mem_realloc(o->custom, (o->n_custom + 1) * sizeof(*o->custom));
    o->custom[o->n_custom++] = r;
}

void openapi_put_paths(struct openapi *o, const struct resource *r, bool more)
{
    char rest[64];

    put_collection(o, r, more);
    if (resource_is_custom(r))
        see_custom(o, r);
    else
        openapi_see(o, r->kind->type);
    if (r->list != NULL && !resource_is_custom(r))
        openapi_see(o, r->list->type);
    openapi_see(o, common_type("DeleteOptions"));
    openapi_see(o, common_type("Status"));
    if (r->verbs & VERB_GET)
        put_single(o, r, "/{name}", r->verbs & ~VERB_CREATE, r->kind);
    for (unsigned i = 0; i < r->n_subs; i++) {
        const struct schema_kind *k = r->subs[i].kind != NULL ? r->subs[i].kind : r->kind;

        must(strlen(r->subs[i].name) < sizeof(rest) - 16);
        snprintf(rest, sizeof(rest), "/{name}/%s", r->subs[i].name);
        put_single(o, r, rest, r->subs[i].verbs, k);
        if (k != r->kind)
            openapi_see(o, k->type);
    }
}
