/* api/kinds/replica_set.c: ReplicaSets. */
#include "api/kinds/kinds_impl.h"

static void replica_set_default(struct kind_ctx *c, struct json *obj)
{
    pod_template_default(c, json_path(obj, "spec.template"));
}

static void replica_set_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "spec"), at_template = AT_KEY(&at, "template"),
              inside = AT_KEY(&at_template, "spec"), containers = AT_KEY(&inside, "containers");

    (void)c;
    workload_check(json_getz(obj, "spec"), "deployment", "ReplicaSet", causes);
    if (json_path(obj, "spec.template") == NULL)
        cause_required(causes, &containers, "");
}

const struct kind_hooks kind_replica_sets = {
    .group = "apps", .plural = "replicasets", .unconditional_update = true,
    .default_ = replica_set_default, .validate = replica_set_validate,
};
