/* api/kinds/extension.c: API groups of other servers.  PUT needs a resourceVersion for them. */
#include "api/kinds/kinds_impl.h"

static void api_service_default(struct kind_ctx *c, struct json *obj)
{
    default_int(c->arena, json_path(obj, "spec.service"), "port", 443);
}

static void check_local(const struct json *spec, const struct at *at, struct causes *causes)
{
    if (json_is_set(json_getz(spec, "caBundle")))
        field_refuse(spec, "caBundle", at, "local APIServices may not have a caBundle", causes);
    if (json_true(json_getz(spec, "insecureSkipTLSVerify")))
        field_refuse(spec, "insecureSkipTLSVerify", at,
                     "local APIServices may not have insecureSkipTLSVerify", causes);
}

static void api_service_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *service = json_getz(spec, "service");
    struct str group = json_str(json_getz(spec, "group")), version = json_str(json_getz(spec, "version")),
               full = arena_fmt(causes->arena, "%.*s.%.*s", STR_ARG(version), STR_ARG(group));
    struct at at = AT_KEY(NULL, "spec"), at_group = AT_KEY(&at, "group"), at_service = AT_KEY(&at, "service"),
              meta = AT_KEY(NULL, "metadata"), name = AT_KEY(&meta, "name");

    if (!str_eq(c->name, full))
        cause_invalid(
            causes, &name, c->name,
            arena_fmt(causes->arena, "must be `spec.version+\".\"+spec.group`: \"%.*s\"", STR_ARG(full)).p);
    if (group.n == 0 && !str_is(version, "v1"))
        cause_required(causes, &at_group, "only v1 may have an empty group and it better be legacy kube");
    field_check(name_check_subdomain, spec, "group", &at, causes);
    field_check(name_check_label_1035, spec, "version", &at, causes);
    if (service == NULL) {
        check_local(spec, &at, causes);
        return;
    }
    field_need(service, "namespace", &at_service, "", causes);
    field_need(service, "name", &at_service, "", causes);
    if (json_true(json_getz(spec, "insecureSkipTLSVerify")) && json_is_set(json_getz(spec, "caBundle")))
        field_refuse(spec, "insecureSkipTLSVerify", &at, "may not be true if caBundle is present", causes);
}

const struct kind_hooks kind_api_services = {
    .group = "apiregistration.k8s.io",
    .plural = "apiservices",
    .bare_finalizers = true,
    .default_ = api_service_default,
    .validate = api_service_validate,
};
