/* api/kinds/flow_schema.c: which requests belong together, and what priority they have. */
#include "api/kinds/kinds_impl.h"

static void check_subject(const struct json *subject, const struct at *at, struct causes *causes)
{
    static const struct { const char *kind, *field; } kinds[] = {
        { "User", "user" }, { "Group", "group" }, { "ServiceAccount", "serviceAccount" },
    };
    struct str kind = json_str(json_getz(subject, "kind"));

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_is(kind, kinds[i].kind))
            field_need(subject, kinds[i].field, at,
                       arena_fmt(causes->arena, "%s is required when subject kind is '%s'", kinds[i].field,
                                 kinds[i].kind).p, causes);
        else if (kind.n > 0)
            field_forbid(subject, kinds[i].field, at,
                         arena_fmt(causes->arena, "%s is forbidden when subject kind is not '%s'",
                                   kinds[i].field, kinds[i].kind)
                             .p,
                         causes);
    }
}

static void check_resource_rule(const struct json *rule, const struct at *at, struct causes *causes)
{
    field_star_alone(rule, "verbs", "verbs", at, causes);
    field_star_alone(rule, "apiGroups", "api groups", at, causes);
    field_star_alone(rule, "resources", "resources", at, causes);
    field_star_alone(rule, "namespaces", "namespaces", at, causes);
    if (!json_true(json_getz(rule, "clusterScope")))
        field_need(rule, "namespaces", at,
                   "resource rules that are not cluster scoped must supply at least one namespace", causes);
}

static void check_path_rule(const struct json *rule, const struct at *at, struct causes *causes)
{
    field_star_alone(rule, "verbs", "verbs", at, causes);
    field_star_alone(rule, "nonResourceURLs", "non-resource URLs", at, causes);
    each_in(e, rule, "nonResourceURLs", at) {
        struct str path = json_str(e.it);

        if (!str_is(path, "*") && (path.n == 0 || path.p[0] != '/'))
            cause_invalid(causes, &e.at, path, "must start with slash");
    }
}

static void check_rule(const struct json *rule, const struct at *at, struct causes *causes)
{
    each_in(e, rule, "subjects", at)
        check_subject(e.it, &e.at, causes);
    if (json_is_blank(json_getz(rule, "resourceRules")) && json_is_blank(json_getz(rule, "nonResourceRules")))
        cause_required(causes, at, "at least one of resourceRules and nonResourceRules has to be non-empty");
    each_in(e, rule, "resourceRules", at)
        check_resource_rule(e.it, &e.at, causes);
    each_in(e, rule, "nonResourceRules", at)
        check_path_rule(e.it, &e.at, causes);
}

static void flow_schema_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *level = json_getz(spec, "priorityLevelConfiguration");
    struct at          at = AT_KEY(NULL, "spec"), at_level = AT_KEY(&at, "priorityLevelConfiguration");

    if (json_i64_or(json_getz(spec, "matchingPrecedence"), 0) == 1 && !str_is(c->name, "exempt"))
        field_refuse(spec, "matchingPrecedence", &at,
                     "only the schema named 'exempt' may have matchingPrecedence 1", causes);
    field_check(name_check_subdomain, level, "name", &at_level, causes);
    each_in(e, spec, "rules", &at)
        check_rule(e.it, &e.at, causes);
}

const struct kind_hooks kind_flow_schemas = {
    .group = "flowcontrol.apiserver.k8s.io", .plural = "flowschemas", .unconditional_update = true,
    .validate = flow_schema_validate,
};
