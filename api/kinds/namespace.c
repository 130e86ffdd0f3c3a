/* api/kinds/namespace.c: namespaces: held by the finalizer "kubernetes" until their content is gone. */
#include "api/kinds/kinds_impl.h"

#define NAME_LABEL "kubernetes.io/metadata.name"

/* So that selectors can pick a namespace by name. */
static void namespace_default(struct kind_ctx *c, struct json *obj)
{
    struct str         name = json_path_str(obj, "metadata.name");
    const struct json *labels = json_path(obj, "metadata.labels");

    if (name.n > 0 && !str_eq(json_str(json_getz(labels, NAME_LABEL)), name))
        json_setz(c->arena, json_make_path(c->arena, obj, "metadata.labels"), NAME_LABEL,
                  json_string_ref(c->arena, name));
}

static bool has(const struct json *list, const char *what)
{
    json_each(it, list)
        if (str_is(json_str(it), what))
            return true;
    return false;
}

static void namespace_prepare_create(struct kind_ctx *c, struct json *obj)
{
    struct json *spec = json_make_path(c->arena, obj, "spec"), *finalizers = json_getz(spec, "finalizers");

    if (!json_is(finalizers, JSON_ARRAY))
        finalizers = json_setz(c->arena, spec, "finalizers", json_array(c->arena));
    if (!has(finalizers, "kubernetes"))
        json_push(finalizers, json_string_ref(c->arena, STR("kubernetes")));
    json_setz(c->arena, json_setz(c->arena, obj, "status", json_object(c->arena)), "phase",
              json_string_ref(c->arena, STR("Active")));
}

/* Finalizers change by .../finalize only. */
static void namespace_prepare_update(struct kind_ctx *c, const struct json *old, struct json *obj)
{
    const struct json *was = json_path(old, "spec.finalizers");
    struct json       *spec = json_make_path(c->arena, obj, "spec");

    if (was != NULL)
        json_setz(c->arena, spec, "finalizers", json_copy(c->arena, was));
    else
        json_delz(spec, "finalizers");
}

static void namespace_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    struct at spec = AT_KEY(NULL, "spec"), at = AT_KEY(&spec, "finalizers");
    unsigned  i = 0;

    (void)c;
    json_each(it, json_path(obj, "spec.finalizers")) {
        struct at   here = AT_INDEX(&at, i);
        struct str  s = json_str(it);
        const char *wrong = name_check_qualified(s);

        i++;
        if (wrong != NULL)
            cause_invalid(causes, &here, s, wrong);
        else if (!str_is(s, "kubernetes") && str_find(s, '/') < 0)
            cause_invalid(causes, &here, s,
                          "name is neither a standard finalizer name nor is it fully qualified");
    }
}

/* Who isn't being deleted is active, and the other way round. */
static void namespace_validate_status(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                      struct causes *causes)
{
    struct at  status = AT_KEY(NULL, "status"), at = AT_KEY(&status, "phase");
    struct str phase = json_path_str(obj, "status.phase");
    bool       deleting = json_path_str(obj, "metadata.deletionTimestamp").n > 0;

    (void)c;
    (void)old;
    if (!deleting && !str_is(phase, "Active"))
        cause_invalid(causes, &at, phase, "may only be 'Active' if `deletionTimestamp` is empty");
    if (deleting && !str_is(phase, "Terminating"))
        cause_invalid(causes, &at, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
}

const struct kind_hooks kind_namespaces = {
    .group = "",
    .plural = "namespaces",
    .name = KIND_NAME_LABEL,
    .unconditional_update = true,
    .default_ = namespace_default,
    .prepare_create = namespace_prepare_create,
    .prepare_update = namespace_prepare_update,
    .validate = namespace_validate,
    .validate_status = namespace_validate_status,
};
