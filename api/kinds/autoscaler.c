/* api/kinds/autoscaler.c: autoscalers: their defaults. */
#include "api/kinds/kinds_impl.h"

struct rule { const char *type; int value; };
static const struct rule grow[] = { { "Pods", 4 }, { "Percent", 100 } }, shrink[] = { { "Percent", 100 } };
#define RULE_PERIOD_S 15

/* Without metrics: 80 % of CPU. */
static void metrics_default(struct arena *a, struct json *spec)
{
    struct json *metric, *resource, *target;

    if (!json_is(spec, JSON_OBJECT) || !json_is_blank(json_getz(spec, "metrics")))
        return;
    metric = json_push(json_setz(a, spec, "metrics", json_array(a)), json_object(a));
    default_text(a, metric, "type", "Resource");
    resource = default_object(a, metric, "resource");
    default_text(a, resource, "name", "cpu");
    target = default_object(a, resource, "target");
    default_text(a, target, "type", "Utilization");
    default_int(a, target, "averageUtilization", 80);
}

static void rules_default(struct arena *a, struct json *rules, const struct rule *list, size_t n)
{
    struct json *policies;

    if (rules == NULL)
        return;
    default_text(a, rules, "selectPolicy", "Max");
    if (json_getz(rules, "policies") != NULL)
        return;
    policies = json_setz(a, rules, "policies", json_array(a));
    for (size_t i = 0; i < n; i++) {
        struct json *policy = json_push(policies, json_object(a));

        default_text(a, policy, "type", list[i].type);
        default_int(a, policy, "value", list[i].value);
        default_int(a, policy, "periodSeconds", RULE_PERIOD_S);
    }
}

static void autoscaler_default(struct kind_ctx *c, struct json *obj)
{
    struct arena *a = c->arena;
    struct json  *spec = json_getz(obj, "spec"), *behavior = json_getz(spec, "behavior"), *up;

    metrics_default(a, spec);
    if (behavior == NULL)
        return;
    up = default_object(a, behavior, "scaleUp");
    default_int(a, up, "stabilizationWindowSeconds", 0);
    rules_default(a, up, grow, ARRAY_LEN(grow));
    rules_default(a, default_object(a, behavior, "scaleDown"), shrink, ARRAY_LEN(shrink));
}

const struct kind_hooks kind_autoscalers = {
    .group = "autoscaling", .plural = "horizontalpodautoscalers", .unconditional_update = true,
    .default_ = autoscaler_default, .to_stored = autoscaler_to_v2, .from_stored = autoscaler_to_v1,
};
