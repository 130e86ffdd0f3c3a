/* api/kinds/extension.c: what extends the API itself: kinds that users define, API groups of other servers.
 * PUT needs a resourceVersion for them. */
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

/* ---- Kinds that users define ------------------------------------------------------------------------ */

static void check_names(const struct json *spec, const struct at *up, struct causes *causes)
{
    static const char *const kinds[] = { "kind", "listKind" };
    const struct json *names = json_getz(spec, "names");
    struct at          at = AT_KEY(up, "names");
    struct str kind = json_str(json_getz(names, "kind")), list = json_str(json_getz(names, "listKind"));

    field_need(names, "plural", &at, "", causes);
    field_need(names, "kind", &at, "", causes);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct at   here = AT_STR(&at, str_of(kinds[i]));
        struct str  s = json_str(json_getz(names, kinds[i]));
        const char *wrong = s.n > 0 ? name_check_label_1035(lower(causes->arena, s)) : NULL;

        if (wrong != NULL)
            cause_invalid(
                causes, &here, s,
                arena_fmt(causes->arena, "may have mixed case, but should otherwise match: %s", wrong).p);
    }
    if (kind.n > 0 && str_eq(kind, list))
        field_refuse(names, "listKind", &at, "kind and listKind may not be the same", causes);
}

static void check_conversion(const struct json *spec, const struct at *up, struct causes *causes)
{
    const struct json *conversion = json_getz(spec, "conversion"), *hook = json_getz(conversion, "webhook");
    struct at          at = AT_KEY(up, "conversion"), at_hook = AT_KEY(&at, "webhook"),
              client = AT_KEY(&at_hook, "clientConfig");

    if (!str_is(json_str(json_getz(conversion, "strategy")), "Webhook")) {
        field_forbid(conversion, "webhook", &at, "should not be set when strategy is not set to Webhook",
                     causes);
        return;
    }
    if (hook == NULL) {
        cause_required(causes, &client, "required when strategy is set to Webhook");
        return;
    }
    check_webhook_client(json_getz(hook, "clientConfig"), &client, causes);
}

static void check_versions(const struct json *spec, const struct at *up, struct causes *causes)
{
    const struct json *list = json_getz(spec, "versions");
    struct at          at = AT_KEY(up, "versions");
    struct seen        names = seen_new(causes->arena, list != NULL ? list->n : 0);
    unsigned           stored = 0;
    bool               unique = true;

    each_in(e, spec, "versions", up) {
        const struct json *schema = json_path(e.it, "schema.openAPIV3Schema");
        struct at          at_schema = AT_KEY(&e.at, "schema"), here = AT_KEY(&at_schema, "openAPIV3Schema");

        stored += json_true(json_getz(e.it, "storage"));
        unique &= seen_add(&names, json_str(json_getz(e.it, "name")));
        if (json_is_set(json_getz(e.it, "deprecationWarning")) && !json_true(json_getz(e.it, "deprecated")))
            field_refuse(e.it, "deprecationWarning", &e.at, "can only be set for deprecated versions",
                         causes);
        if (schema == NULL)
            cause_required(causes, &here, "schemas are required");
        else
            structural_check(schema, &here, causes);
    }
    if (!unique)
        cause_invalid_raw(causes, &at, STR("null"), "must contain unique version names");
    if (!json_is_blank(list) && stored != 1)
        cause_invalid_raw(causes, &at, STR("null"),
                          "must have exactly one version marked as storage version");
}

static void definition_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec");
    struct str group = json_str(json_getz(spec, "group")), plural = json_path_str(spec, "names.plural");
    struct at at = AT_KEY(NULL, "spec"), meta = AT_KEY(NULL, "metadata"), name = AT_KEY(&meta, "name");

    if (!str_eq(c->name, arena_fmt(causes->arena, "%.*s.%.*s", STR_ARG(plural), STR_ARG(group))))
        cause_invalid(causes, &name, c->name, "must be spec.names.plural+\".\"+spec.group");
    if (group.n > 0 && str_find(group, '.') < 0)
        field_refuse(spec, "group", &at, "should be a domain with at least one dot", causes);
    check_names(spec, &at, causes);
    check_versions(spec, &at, causes);
    check_conversion(spec, &at, causes);
    if (json_true(json_getz(spec, "preserveUnknownFields")))
        field_refuse(spec, "preserveUnknownFields", &at,
                     "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                     "spec.versions[*].schema instead", causes);
}

/* What objects are stored under stays, and so do versions that objects may be stored in. */
static void definition_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                       struct causes *causes)
{
    const struct json *was = json_getz(old, "spec"), *now = json_getz(obj, "spec"),
                      *versions = json_getz(now, "versions");
    struct at   at = AT_KEY(NULL, "spec"), names = AT_KEY(&at, "names"), status = AT_KEY(NULL, "status");
    struct seen known = seen_new(causes->arena, versions != NULL ? versions->n : 0);

    (void)c;
    field_keep(was, now, "group", &at, causes);
    field_keep(was, now, "scope", &at, causes);
    field_keep(json_getz(was, "names"), json_getz(now, "names"), "plural", &names, causes);
    field_keep(json_getz(was, "names"), json_getz(now, "names"), "kind", &names, causes);
    json_each(it, versions)
        seen_add(&known, json_str(json_getz(it, "name")));
    each_in(e, json_getz(obj, "status"), "storedVersions", &status)
        if (!seen_has(&known, json_str(e.it)))
            cause_invalid(causes, &e.at, json_str(e.it),
                          arena_fmt(causes->arena,
                                    "missing from spec.versions; %.*s was previously a storage version, and "
                                    "must remain in spec.versions until a storage migration ensures no data "
                                    "remains persisted in it and removes it from status.storedVersions",
                                    STR_ARG(json_str(e.it)))
                              .p);
}

const struct kind_hooks kind_definitions = {
    .group = "apiextensions.k8s.io", .plural = "customresourcedefinitions", .default_ = definition_default,
    .prepare_create = definition_prepare_create, .validate = definition_validate,
    .validate_update = definition_validate_update,
};

/* ---- API groups of other servers -------------------------------------------------------------------- */

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
    .group = "apiregistration.k8s.io", .plural = "apiservices", .default_ = api_service_default,
    .validate = api_service_validate,
};
