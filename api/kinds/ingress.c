/* api/kinds/ingress.c: ways in from outside by host and path, and classes of them. */
#include "api/kinds/kinds_impl.h"

#define CLASS_ANNOTATION "kubernetes.io/ingress.class"
#define CONTROLLER_MAX   250

/* ---- Where requests go ------------------------------------------------------------------------------ */

static void check_service(const struct json *service, const struct at *backend, struct causes *causes)
{
    const struct json *port = json_getz(service, "port");
    struct at          at = AT_KEY(backend, "service"), at_port = AT_KEY(&at, "port");
    struct str         name = json_str(json_getz(port, "name"));
    int64_t            number = json_i64_or(json_getz(port, "number"), 0);
    const char        *wrong = name_check_port_number(number);

    if (name.n > 0 && number != 0)
        cause_invalid(causes, backend, STR(""), "cannot set both port name & port number");
    else if (name.n > 0)
        field_check(name_check_port, port, "name", &at_port, causes);
    else if (number != 0 && wrong != NULL)
        field_refuse(port, "number", &at_port, wrong, causes);
    else if (number == 0)
        cause_required(causes, backend, "port name or number is required");
}

static void check_backend(const struct json *backend, const struct at *at, struct causes *causes)
{
    const struct json *service = json_getz(backend, "service"), *resource = json_getz(backend, "resource");

    if (service != NULL && resource != NULL)
        cause_invalid(causes, at, STR(""), "cannot set both resource and service backends");
    else if (service != NULL)
        check_service(service, at, causes);
    else if (resource == NULL)
        cause_invalid(causes, at, STR(""), "resource or service backend is required");
}

/* ---- Which requests --------------------------------------------------------------------------------- */

static bool contains(struct str s, const char *what)
{
    return s.n > 0 && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

/* A path that proxies read differently is no path. */
static void check_plain_path(const struct json *p, const struct at *at, struct causes *causes)
{
    static const char *const within[] = { "//", "/./", "/../", "%2f", "%2F" }, *const at_end[] = { "/..",
                                                                                                   "/." };
    struct str               path = json_str(json_getz(p, "path"));
    struct at                here = AT_KEY(at, "path");

    if (path.n == 0 || path.p[0] != '/')
        cause_invalid(causes, &here, path, "must be an absolute path");
    for (size_t i = 0; i < ARRAY_LEN(within); i++)
        if (contains(path, within[i]))
            field_refuse(p, "path", at, arena_fmt(causes->arena, "must not contain '%s'", within[i]).p,
                         causes);
    for (size_t i = 0; i < ARRAY_LEN(at_end); i++)
        if (str_ends(path, str_of(at_end[i])))
            field_refuse(p, "path", at, arena_fmt(causes->arena, "cannot end with '%s'", at_end[i]).p,
                         causes);
}

static void check_path(const struct json *p, const struct at *at, struct causes *causes)
{
    struct str type = json_str(json_getz(p, "pathType")), path = json_str(json_getz(p, "path"));
    struct at  backend = AT_KEY(at, "backend");

    if (str_is(type, "Exact") || str_is(type, "Prefix"))
        check_plain_path(p, at, causes);
    else if (path.n > 0 && path.p[0] != '/')
        field_refuse(p, "path", at, "must be an absolute path", causes);
    check_backend(json_getz(p, "backend"), &backend, causes);
}

static void ingress_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *backend = json_getz(spec, "defaultBackend"),
                      *annotations = json_path(obj, "metadata.annotations");
    struct at at = AT_KEY(NULL, "spec"), at_backend = AT_KEY(&at, "defaultBackend"),
              meta = AT_KEY(NULL, "metadata"), notes = AT_KEY(&meta, "annotations"),
              note = AT_MAP(&notes, STR(CLASS_ANNOTATION));

    if (json_is_blank(json_getz(spec, "rules")) && backend == NULL)
        cause_invalid_raw(causes, &at, STR("null"), "either `defaultBackend` or `rules` must be specified");
    if (backend != NULL)
        check_backend(backend, &at_backend, causes);
    each_in(rule, spec, "rules", &at) {
        struct at http = AT_KEY(&rule.at, "http");

        field_check(name_check_host, rule.it, "host", &rule.at, causes);
        each_in(e, json_getz(rule.it, "http"), "paths", &http)
            check_path(e.it, &e.at, causes);
    }
    each_in(tls, spec, "tls", &at) {
        field_check(name_check_subdomain, tls.it, "secretName", &tls.at, causes);
        each_in(e, tls.it, "hosts", &tls.at)
            check_text(name_check_host, json_str(e.it), &e.at, causes);
    }
    if (c->creating && json_getz(spec, "ingressClassName") != NULL &&
        json_getz(annotations, CLASS_ANNOTATION) != NULL)
        cause_invalid(causes, &note, json_str(json_getz(annotations, CLASS_ANNOTATION)),
                      "can not be set when the class field is also set");
}

const struct kind_hooks kind_ingresses = {
    .group = "networking.k8s.io", .plural = "ingresses", .unconditional_update = true,
    .validate = ingress_validate,
};

/* ---- Classes ---------------------------------------------------------------------------------------- */

static void class_default(struct kind_ctx *c, struct json *obj)
{
    default_text(c->arena, json_path(obj, "spec.parameters"), "scope", "Cluster");
}

static void check_parameters(const struct json *p, const struct at *at, struct causes *causes)
{
    static const char *const scopes[] = { "Cluster", "Namespace" };
    struct str               scope = json_str(json_getz(p, "scope"));

    field_check(name_check_subdomain, p, "apiGroup", at, causes);
    field_check(name_check_path_segment, p, "kind", at, causes);
    field_check(name_check_path_segment, p, "name", at, causes);
    field_one_of(p, "scope", at, scopes, ARRAY_LEN(scopes), causes);
    if (str_is(scope, "Namespace") &&
        field_need(p, "namespace", at, "`parameters.scope` is set to 'Namespace'", causes))
        field_check(name_check_label, p, "namespace", at, causes);
    if (str_is(scope, "Cluster"))
        field_forbid(p, "namespace", at, "`parameters.scope` is set to 'Cluster'", causes);
}

static void class_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *parameters = json_getz(spec, "parameters");
    struct at at = AT_KEY(NULL, "spec"), at_parameters = AT_KEY(&at, "parameters"),
              controller = AT_KEY(&at, "controller");

    (void)c;
    if (json_str(json_getz(spec, "controller")).n > CONTROLLER_MAX)
        cause_too_long(causes, &controller, CONTROLLER_MAX);
    if (field_need(spec, "controller", &at, "", causes))
        field_check(name_check_domain_path, spec, "controller", &at, causes);
    if (parameters != NULL)
        check_parameters(parameters, &at_parameters, causes);
}

const struct kind_hooks kind_ingress_classes = {
    .group = "networking.k8s.io", .plural = "ingressclasses", .unconditional_update = true,
    .default_ = class_default, .validate = class_validate,
};
