/* api/kinds/daemon_set.c: DaemonSets. */
#include "api/kinds/kinds_impl.h"

static void daemon_set_default(struct kind_ctx *c, struct json *obj)
{
    struct json *strategy = json_path(obj, "spec.updateStrategy"), *rolling;

    pod_template_default(c, json_path(obj, "spec.template"));
    if (!str_is(json_str(json_getz(strategy, "type")), "RollingUpdate"))
        return;
    rolling = default_object(c->arena, strategy, "rollingUpdate");
    default_int(c->arena, rolling, "maxUnavailable", 1);
    default_int(c->arena, rolling, "maxSurge", 0);
}

/* A node's pod is taken away before or after the new one runs: exactly one of the two is above zero. */
static void check_strategy(const struct json *strategy, const struct at *up, struct causes *causes)
{
    const struct json *rolling = json_getz(strategy, "rollingUpdate"),
                      *missing = json_getz(rolling, "maxUnavailable"),
                      *extra = json_getz(rolling, "maxSurge");
    struct at at = AT_KEY(up, "rollingUpdate"), at_missing = AT_KEY(&at, "maxUnavailable"),
              at_extra = AT_KEY(&at, "maxSurge");
    bool      percent, some_missing = int_or_percent(missing, &percent) != 0,
              some_extra = int_or_percent(extra, &percent) != 0;

    if (!str_is(json_str(json_getz(strategy, "type")), "RollingUpdate"))
        return;
    check_int_or_percent(missing, &at_missing, causes);
    check_at_most_100_percent(missing, &at_missing, causes);
    check_int_or_percent(extra, &at_extra, causes);
    check_at_most_100_percent(extra, &at_extra, causes);
    if (some_missing && some_extra)
        cause_invalid_raw(causes, &at_extra, go_int_or_string(causes->arena, extra),
                          "may not be set when maxUnavailable is non-zero");
    else if (!some_missing && !some_extra)
        cause_required(causes, &at_missing, "cannot be 0 when maxSurge is 0");
}

static void daemon_set_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "spec"), strategy = AT_KEY(&at, "updateStrategy");

    (void)c;
    workload_check(json_getz(obj, "spec"), "daemonset", "DaemonSet", causes);
    check_strategy(json_path(obj, "spec.updateStrategy"), &strategy, causes);
}

const struct kind_hooks kind_daemon_sets = {
    .group = "apps", .plural = "daemonsets", .unconditional_update = true, .default_ = daemon_set_default,
    .validate = daemon_set_validate,
};
