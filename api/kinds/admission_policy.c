/* api/kinds/admission_policy.c: policies about writes that need no webhook, and where they hold. */
#include "api/kinds/kinds_impl.h"
#include "api/policy/policy.h"

#define ADMISSION .group = "admissionregistration.k8s.io"
#define ANNOTATIONS_MAX 20

static bool has_line_break(struct str s) { return str_find(s, '\n') >= 0 || str_find(s, '\r') >= 0; }

static void check_validation(const struct json *v, const struct at *at, struct causes *causes)
{
    static const char *const reasons[] = { "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized" };

    if (has_line_break(json_str(json_getz(v, "message"))))
        field_refuse(v, "message", at, "message must not contain line breaks", causes);
    if (json_is_set(json_getz(v, "message")) && str_trim(json_str(json_getz(v, "message"))).n == 0)
        field_refuse(v, "message", at, "message must be non-empty if specified", causes);
    field_one_of(v, "reason", at, reasons, ARRAY_LEN(reasons), causes);
}

/* `policy`: must say which resources; a binding may leave it to its policy. */
static void check_match(const struct json *match, bool policy, const struct at *at, struct causes *causes)
{
    struct at spaces = AT_KEY(at, "namespaceSelector"), objects = AT_KEY(at, "objectSelector");

    if (match == NULL)
        return;
    if (policy)
        field_need(match, "resourceRules", at, "", causes);
    check_label_selector(json_getz(match, "namespaceSelector"), &spaces, causes);
    check_label_selector(json_getz(match, "objectSelector"), &objects, causes);
    each_in(e, match, "resourceRules", at)
        check_admission_rule(e.it, &e.at, causes);
    each_in(e, match, "excludeResourceRules", at)
        check_admission_rule(e.it, &e.at, causes);
}

static void check_annotations_told(const struct json *spec, const struct at *at, struct causes *causes)
{
    const struct json *list = json_getz(spec, "auditAnnotations");
    struct at          here = AT_KEY(at, "auditAnnotations");
    struct seen        keys = seen_new(causes->arena, list != NULL ? list->n : 0);

    if (list != NULL && list->n > ANNOTATIONS_MAX)
        cause_too_many(causes, &here, list->n, ANNOTATIONS_MAX);
    each_in(e, spec, "auditAnnotations", at) {
        struct at  at_key = AT_KEY(&e.at, "key");
        struct str key = json_str(json_getz(e.it, "key"));

        if (key.n > 0 && !seen_add(&keys, key))
            cause_duplicate(causes, &at_key, key);
    }
}

static void on_mistake(void *arg, const struct at *at, struct str text, struct str why)
{
    struct causes *causes = arg;

    if (text.n > 0)                              /* else the tables tell that it is required */
        cause_invalid(causes, at, text, arena_cstr(causes->arena, why));
}

/* What does not compile is not stored; whether it fits the kinds it is about is told in the status. */
static void check_expressions(const struct json *spec, struct causes *causes)
{
    static const struct policy_types any = { NULL, NULL };
    struct policy p = { .name = STR_NONE };

    policy_compile(&p, spec, &any, on_mistake, causes);
    arena_release(&p.arena);
}

static void policy_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec"), match = AT_KEY(&at, "matchConstraints");

    (void)c;
    if (json_is_blank(json_getz(spec, "validations")) && json_is_blank(json_getz(spec, "auditAnnotations"))) {
        field_need(spec, "validations", &at, "validations or auditAnnotations must contain at least one item",
                   causes);
        field_need(spec, "auditAnnotations", &at,
                   "validations or auditAnnotations must contain at least one item", causes);
    }
    each_in(e, spec, "validations", &at)
        check_validation(e.it, &e.at, causes);
    check_match(json_getz(spec, "matchConstraints"), true, &match, causes);
    check_annotations_told(spec, &at, causes);
    check_expressions(spec, causes);
}

const struct kind_hooks kind_admission_policies = {
    ADMISSION, .plural = "validatingadmissionpolicies", .validate = policy_validate,
};

/* ---- Where it holds --------------------------------------------------------------------------------- */

static void check_param(const struct json *ref, const struct at *at, struct causes *causes)
{
    bool      name = json_is_set(json_getz(ref, "name")), selector = json_getz(ref, "selector") != NULL;
    struct at at_selector = AT_KEY(at, "selector");

    if (name && selector)
        field_forbid(ref, "name", at, "name and selector are mutually exclusive", causes);
    else if (!name && !selector)
        cause_required(causes, at, "one of name or selector must be specified");
    field_check(name_check_path_segment, ref, "name", at, causes);
    check_label_selector(json_getz(ref, "selector"), &at_selector, causes);
    field_need(ref, "parameterNotFoundAction", at, "", causes);
}

static void binding_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *actions = json_getz(spec, "validationActions"),
                      *ref = json_getz(spec, "paramRef");
    struct at at = AT_KEY(NULL, "spec"), at_ref = AT_KEY(&at, "paramRef"),
              match = AT_KEY(&at, "matchResources");

    (void)c;
    field_check(name_check_subdomain, spec, "policyName", &at, causes);
    if (ref != NULL)
        check_param(ref, &at_ref, causes);
    check_match(json_getz(spec, "matchResources"), false, &match, causes);
    if (list_has(actions, STR("Deny")) && list_has(actions, STR("Warn")))
        field_refuse(
            spec, "validationActions", &at,
            "must not contain both Deny and Warn (repeating the same validation failure information in "
            "the API response and headers serves no purpose)",
            causes);
}

const struct kind_hooks kind_admission_bindings = {
    ADMISSION, .plural = "validatingadmissionpolicybindings", .validate = binding_validate,
};
