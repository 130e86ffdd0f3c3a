/* api/kinds/autoscaler.c: autoscalers: their defaults, and which metric is told how. */
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

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

/* ---- Checks ----------------------------------------------------------------------------------------- */

struct metric_source { const char *type, *field; };
static const struct metric_source sources[] = {
    { "Object", "object" }, { "Pods", "pods" }, { "Resource", "resource" },
    { "ContainerResource", "containerResource" }, { "External", "external" },
};

static void check_positive(const struct json *target, const char *key, const struct at *at,
                           struct causes *causes)
{
    const struct json *v = json_getz(target, key);

    if (v != NULL && quantity_sign(json_quantity(v)) <= 0)
        field_refuse(target, key, at, "must be positive", causes);
}

/* Which numbers a target has depends on what is measured. */
static void check_target(const struct json *metric, const char *source, const struct at *up,
                         struct causes *causes)
{
    const struct json *target = json_getz(metric, "target");
    struct at          at = AT_KEY(up, "target");
    bool value = json_getz(target, "value") != NULL, average = json_getz(target, "averageValue") != NULL,
         share = json_getz(target, "averageUtilization") != NULL;

    check_positive(target, "value", &at, causes);
    check_positive(target, "averageValue", &at, causes);
    if (strcmp(source, "pods") == 0) {
        field_need(target, "averageValue", &at, "must specify a positive target averageValue", causes);
    } else if (strcmp(source, "object") == 0) {
        if (!value)
            field_need(target, "averageValue", &at,
                       "must set either a target value for metric or a per-pod target", causes);
    } else if (strcmp(source, "external") == 0) {
        if (!value)
            field_need(target, "averageValue", &at,
                       "must set either a target value for metric or a per-pod target", causes);
        else if (average)
            field_forbid(target, "value", &at,
                         "may not set both a target value for metric and a per-pod target", causes);
    } else if (!average) {
        field_need(target, "averageUtilization", &at,
                   "must set either a target raw value or a target utilization", causes);
    } else if (share) {
        field_forbid(target, "averageValue", &at,
                     "may not set both a target raw value and a target utilization", causes);
    }
}

static void check_metric(const struct json *metric, const struct at *at, struct causes *causes)
{
    struct str type = json_str(json_getz(metric, "type"));

    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        const struct json *source = json_getz(metric, sources[i].field);
        struct at here = AT_STR(at, str_of(sources[i].field)), identity = AT_KEY(&here, "metric"),
                  selector = AT_KEY(&identity, "selector");

        if (!str_is(type, sources[i].type)) {
            field_forbid(metric, sources[i].field, at, "must populate the given metric source only", causes);
            continue;
        }
        if (!field_need(metric, sources[i].field, at, "must populate information for the given metric source",
                        causes))
            continue;
        check_label_selector(json_path(source, "metric.selector"), &selector, causes);
        check_target(source, sources[i].field, &here, causes);
    }
}

static void check_rules(const struct json *behavior, const char *key, const struct at *up,
                        struct causes *causes)
{
    const struct json *rules = json_getz(behavior, key), *tolerance = json_getz(rules, "tolerance");
    struct at          at = AT_STR(up, str_of(key));

    if (rules == NULL)
        return;
    field_need(rules, "policies", &at, "must specify at least one Policy", causes);
    if (tolerance != NULL && quantity_sign(json_quantity(tolerance)) < 0)
        field_refuse(rules, "tolerance", &at, "must be greater or equal to zero", causes);
}

static void autoscaler_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *behavior = json_getz(spec, "behavior");
    struct at          at = AT_KEY(NULL, "spec"), at_behavior = AT_KEY(&at, "behavior");

    (void)c;
    if (json_i64_or(json_getz(spec, "maxReplicas"), 0) < json_i64_or(json_getz(spec, "minReplicas"), 1))
        field_refuse(spec, "maxReplicas", &at, "must be greater than or equal to `minReplicas`", causes);
    each_in(e, spec, "metrics", &at)
        check_metric(e.it, &e.at, causes);
    check_rules(behavior, "scaleUp", &at_behavior, causes);
    check_rules(behavior, "scaleDown", &at_behavior, causes);
}

const struct kind_hooks kind_autoscalers = {
    .group = "autoscaling", .plural = "horizontalpodautoscalers", .unconditional_update = true,
    .default_ = autoscaler_default, .validate = autoscaler_validate,
    .to_stored = autoscaler_to_v2, .from_stored = autoscaler_to_v1,
};
