/* api/subresource.c: see api/subresource.h: which file serves which. */
#include "api/subresource.h"
#include "api/decode.h"
#include "api/modify.h"
#include "api/patch.h"

static const struct { const char *name; void (*serve)(struct call *c); } table[] = {
    { "scale", scale_serve },
    { "binding", binding_serve },
    { "eviction", eviction_serve },
    { "token", token_serve },
    { "finalize", finalize_serve },
};

void call_subresource(struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strcmp(c->sub->name, table[i].name) == 0) {
            table[i].serve(c);
            return;
        }
    /* pods/ephemeralcontainers, pods/resize: the object itself, by another name. */
    if (c->rq.verb == API_GET)
        call_get(c);
    else if (c->rq.verb == API_UPDATE || c->rq.verb == API_PATCH)
        call_update(c);
    else
        call_method_not_allowed(c);
}

/* ---- Namespace: finalize --------------------------------------------------------------------------- */

static struct json *finalize_make(struct call *c, struct modify *m, struct json *old)
{
    (void)m;
    (void)old;
    return decode_body(c, c->res->kind);
}

static struct json *finalize_merge(struct call *c, struct modify *m, struct json *old, struct json *body)
{
    struct json *obj = json_copy(c->arena, old), *list = json_path(body, "spec.finalizers");

    (void)m;
    if (list != NULL)
        json_setz(c->arena, json_make_path(c->arena, obj, "spec"), "finalizers", json_copy(c->arena, list));
    else
        json_delz(json_make_path(c->arena, obj, "spec"), "finalizers");
    if (json_path(body, "metadata.resourceVersion") != NULL)
        json_setz(c->arena, json_getz(obj, "metadata"), "resourceVersion",
                  json_copy(c->arena, json_path(body, "metadata.resourceVersion")));
    return obj;
}

void finalize_serve(struct call *c)
{
    struct modify *m = arena_new(c->arena, struct modify);

    m->part = MODIFY_ALL;
    m->make = finalize_make;
    m->merge = finalize_merge;
    modify_run(c, m);
}
