/* api/kinds/replica_set.c: ReplicaSets. */
#include "api/kinds/kinds_impl.h"

static void replica_set_default(struct kind_ctx *c, struct json *obj)
{
    pod_template_default(c, json_path(obj, "spec.template"));
}

static void replica_set_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *selector = json_getz(spec, "selector");
    struct at at = AT_KEY(NULL, "spec"), at_selector = AT_KEY(&at, "selector"),
              at_template = AT_KEY(&at, "template");

    (void)c;
    check_label_selector(selector, &at_selector, causes);
    if (selector != NULL && label_selector_is_empty(selector))
        cause_invalid_raw(causes, &at_selector, STR(GO_EMPTY_SELECTOR),
                          "empty selector is invalid for deployment");
    pod_template_check(json_getz(spec, "template"), selector, &at_template, causes);
}

const struct kind_hooks kind_replica_sets = {
    .group = "apps", .plural = "replicasets", .unconditional_update = true,
    .default_ = replica_set_default, .validate = replica_set_validate,
};
