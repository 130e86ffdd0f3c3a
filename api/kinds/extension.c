/* api/kinds/extension.c: what extends the API itself: kinds that users define, API groups of other servers,
 * webhooks and policies.  PUT needs a resourceVersion for all of them. */
#include "api/kinds/kinds_impl.h"

static struct str lower(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);

    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
    return str_make(p, s.n);
}

static void definition_default(struct kind_ctx *c, struct json *obj)
{
    struct arena *a = c->arena;
    struct json  *spec = json_getz(obj, "spec"), *names = json_getz(spec, "names");
    struct str    kind = json_str(json_getz(names, "kind"));

    if (kind.n > 0 && json_is_blank(json_getz(names, "singular")))
        json_setz(a, names, "singular", json_string_ref(a, lower(a, kind)));
    if (kind.n > 0 && json_is_blank(json_getz(names, "listKind")))
        json_setf(a, names, "listKind", "%.*sList", STR_ARG(kind));
    default_text(a, default_object(a, spec, "conversion"), "strategy", "None");
}

static void definition_prepare_create(struct kind_ctx *c, struct json *obj)
{
    struct json *stored = json_setz(c->arena, json_make_path(c->arena, obj, "status"), "storedVersions",
                                    json_array(c->arena));

    json_each(version, json_path(obj, "spec.versions"))
        if (json_true(json_getz(version, "storage")))
            json_push(stored, json_string(c->arena, json_str(json_getz(version, "name"))));
}

static void api_service_default(struct kind_ctx *c, struct json *obj)
{
    default_int(c->arena, json_path(obj, "spec.service"), "port", 443);
}

const struct kind_hooks kind_definitions = {
    .group = "apiextensions.k8s.io", .plural = "customresourcedefinitions", .default_ = definition_default,
    .prepare_create = definition_prepare_create,
};
const struct kind_hooks kind_api_services = {
    .group = "apiregistration.k8s.io", .plural = "apiservices", .default_ = api_service_default,
};

#define ADMISSION .group = "admissionregistration.k8s.io"
const struct kind_hooks kind_mutating_webhooks = { ADMISSION, .plural = "mutatingwebhookconfigurations" };
const struct kind_hooks kind_validating_webhooks = { ADMISSION, .plural = "validatingwebhookconfigurations" };
const struct kind_hooks kind_admission_policies = { ADMISSION, .plural = "validatingadmissionpolicies" };
const struct kind_hooks kind_admission_bindings = {
    ADMISSION, .plural = "validatingadmissionpolicybindings",
};
