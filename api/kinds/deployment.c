/* api/kinds/deployment.c: deployments. */
#include <inttypes.h>
#include "api/kinds/kinds_impl.h"

static void deployment_default(struct kind_ctx *c, struct json *obj)
{
    struct arena *a = c->arena;
    struct json  *strategy = json_path(obj, "spec.strategy"), *rolling = json_getz(strategy, "rollingUpdate");

    pod_template_default(c, json_path(obj, "spec.template"));
    if (!json_is(strategy, JSON_OBJECT) || !str_is(json_str(json_getz(strategy, "type")), "RollingUpdate"))
        return;
    if (!json_is(rolling, JSON_OBJECT))
        rolling = json_setz(a, strategy, "rollingUpdate", json_object(a));
    if (json_getz(rolling, "maxUnavailable") == NULL)
        json_setz(a, rolling, "maxUnavailable", json_string_ref(a, STR("25%")));
    if (json_getz(rolling, "maxSurge") == NULL)
        json_setz(a, rolling, "maxSurge", json_string_ref(a, STR("25%")));
}

static void check_rolling(const struct json *rolling, const struct at *at, struct causes *causes)
{
    const struct json *unavailable = json_getz(rolling, "maxUnavailable"),
                      *surge = json_getz(rolling, "maxSurge");
    struct at          at_unavailable = AT_KEY(at, "maxUnavailable"), at_surge = AT_KEY(at, "maxSurge");
    bool               percent;

    check_int_or_percent(unavailable, &at_unavailable, causes);
    check_int_or_percent(surge, &at_surge, causes);
    if (int_or_percent(unavailable, &percent) == 0 && int_or_percent(surge, &percent) == 0)
        cause_invalid_raw(causes, &at_unavailable, go_int_or_string(causes->arena, unavailable),
                          "may not be 0 when `maxSurge` is 0");
    check_at_most_100_percent(unavailable, &at_unavailable, causes);
}

static void check_strategy(const struct json *strategy, const struct at *at, struct causes *causes)
{
    const struct json *rolling = json_getz(strategy, "rollingUpdate");
    struct at          here = AT_KEY(at, "rollingUpdate");
    struct str         type = json_str(json_getz(strategy, "type"));

    if (str_is(type, "Recreate") && rolling != NULL)
        cause_forbidden(causes, &here, "may not be specified when strategy `type` is 'Recreate'");
    else if (str_is(type, "RollingUpdate") && rolling == NULL)
        cause_required(causes, &here, "this should be defaulted and never be nil");
    else if (str_is(type, "RollingUpdate"))
        check_rolling(rolling, &here, causes);
}

static void deployment_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *deadline = json_getz(spec, "progressDeadlineSeconds");
    struct at at = AT_KEY(NULL, "spec"), at_strategy = AT_KEY(&at, "strategy");

    (void)c;
    workload_check(spec, "deployment", "ReplicaSet", causes);
    check_strategy(json_getz(spec, "strategy"), &at_strategy, causes);
    if (deadline != NULL && json_i64_or(deadline, 0) >= 0 &&
        json_i64_or(deadline, 0) <= json_i64_or(json_getz(spec, "minReadySeconds"), 0))
        field_refuse(spec, "progressDeadlineSeconds", &at, "must be greater than minReadySeconds", causes);
}

const struct kind_hooks kind_deployments = {
    .group = "apps", .plural = "deployments", .unconditional_update = true,
    .default_ = deployment_default, .validate = deployment_validate,
};
