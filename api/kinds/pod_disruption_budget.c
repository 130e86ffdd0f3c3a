/* api/kinds/pod_disruption_budget.c: how many pods may be taken away at a time. */
#include "api/kinds/kinds_impl.h"

static void budget_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *least = json_getz(spec, "minAvailable"),
                      *most = json_getz(spec, "maxUnavailable");
    struct at at = AT_KEY(NULL, "spec"), at_least = AT_KEY(&at, "minAvailable"),
              at_most = AT_KEY(&at, "maxUnavailable"), at_selector = AT_KEY(&at, "selector");

    (void)c;
    if (least != NULL && most != NULL)
        cause_invalid_raw(causes, &at, json_text(causes->arena, spec),
                          "minAvailable and maxUnavailable cannot be both set");
    check_int_or_percent(least, &at_least, causes);
    check_at_most_100_percent(least, &at_least, causes);
    check_int_or_percent(most, &at_most, causes);
    check_at_most_100_percent(most, &at_most, causes);
    check_label_selector(json_getz(spec, "selector"), &at_selector, causes);
}

static void budget_validate_status(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                   struct causes *causes)
{
    static const char *const counts[] = { "disruptionsAllowed", "currentHealthy", "desiredHealthy",
                                          "expectedPods" };
    struct at at = AT_KEY(NULL, "status");

    (void)c;
    (void)old;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct at here = AT_STR(&at, str_of(counts[i]));
        int64_t   n = json_i64_or(json_getz(json_getz(obj, "status"), counts[i]), 0);

        if (n < 0)
            cause_invalid_int(causes, &here, n, "must be greater than or equal to 0");
    }
}

const struct kind_hooks kind_pod_disruption_budgets = {
    .group = "policy", .plural = "poddisruptionbudgets",
    .validate = budget_validate, .validate_status = budget_validate_status,
};
