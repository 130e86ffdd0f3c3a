/* api/kinds/resource_quota.c: limits of all objects of a namespace together. */
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

/* ---- What is counted -------------------------------------------------------------------------------- */

static const char *const plain[] = {
    "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
    "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods",
    "resourcequotas", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps",
    "services.nodeports", "services.loadbalancers",
};
static const char *const counted[] = {
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims",
    "configmaps", "services.nodeports", "services.loadbalancers",
};

static bool is_in(struct str name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(name, list[i]))
            return true;
    return false;
}

static void check_hard(const struct json *v, const struct at *at, struct causes *causes)
{
    const char *wrong = name_check_qualified(v->key);

    if (wrong != NULL)
        cause_invalid(causes, at, v->key, wrong);
    else if (str_find(v->key, '/') < 0 && !is_in(v->key, plain, ARRAY_LEN(plain)) &&
             !str_starts(v->key, STR("hugepages-")) && !str_starts(v->key, STR("requests.hugepages-")))
        cause_invalid(causes, at, v->key, "must be a standard resource for quota");
    if (quantity_sign(json_quantity(v)) < 0)
        cause_invalid(causes, at, json_str(v), "must be greater than or equal to 0");
    else if (is_in(v->key, counted, ARRAY_LEN(counted)) && json_quantity(v).nano % 1000000000 != 0)
        cause_invalid(causes, at, json_str(v), "must be an integer");
}

/* ---- Of which pods ---------------------------------------------------------------------------------- */

static void check_scopes(const struct json *spec, const struct at *at, struct causes *causes)
{
    static const char *const opposites[][2] = { { "BestEffort", "NotBestEffort" },
                                                { "Terminating", "NotTerminating" } };
    const struct json *scopes = json_getz(spec, "scopes");

    for (size_t i = 0; i < ARRAY_LEN(opposites); i++)
        if (list_has(scopes, str_of(opposites[i][0])) && list_has(scopes, str_of(opposites[i][1])))
            field_refuse(spec, "scopes", at, "conflicting scopes", causes);
}

static void check_scope_match(const struct json *m, const struct at *at, struct causes *causes)
{
    static const char *const only_exists[] = { "Terminating", "NotTerminating", "BestEffort", "NotBestEffort",
                                               "CrossNamespacePodAffinity" };
    struct str op = json_str(json_getz(m, "operator"));
    bool       listed = str_is(op, "In") || str_is(op, "NotIn");
    struct at  values = AT_KEY(at, "values");

    if (is_in(json_str(json_getz(m, "scopeName")), only_exists, ARRAY_LEN(only_exists)) &&
        !str_is(op, "Exists"))
        field_refuse(m, "operator", at,
                     "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
                     "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                     "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
                     causes);
    if (listed && json_is_blank(json_getz(m, "values")))
        cause_required(causes, &values,
                       "must be at least one value when `operator` is 'In' or 'NotIn' for scope "
                       "selector");
    if (!listed && json_is_set(json_getz(m, "values")))
        field_refuse(m, "values", at,
                     "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope "
                     "selector",
                     causes);
}

static void quota_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec"), selector = AT_KEY(&at, "scopeSelector");

    (void)c;
    each_in(e, spec, "hard", &at)
        check_hard(e.it, &e.at, causes);
    check_scopes(spec, &at, causes);
    each_in(e, json_getz(spec, "scopeSelector"), "matchExpressions", &selector)
        check_scope_match(e.it, &e.at, causes);
}

const struct kind_hooks kind_resource_quotas = {
    .group = "", .plural = "resourcequotas", .unconditional_update = true, .returns_deleted = true,
    .validate = quota_validate,
};
