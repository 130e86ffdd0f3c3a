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

const struct kind_hooks kind_daemon_sets = {
    .group = "apps", .plural = "daemonsets", .unconditional_update = true, .default_ = daemon_set_default,
};
