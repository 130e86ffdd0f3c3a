/* api/kinds/stateful_set.c: StatefulSets. */
#include "api/kinds/kinds_impl.h"

/* Claims in the template carry their kind, as clients that read them as objects expect. */
static void claims_default(struct kind_ctx *c, struct json *claims)
{
    json_each(claim, claims) {
        json_setz(c->arena, claim, "apiVersion", json_string_ref(c->arena, STR("v1")));
        json_setz(c->arena, claim, "kind", json_string_ref(c->arena, STR("PersistentVolumeClaim")));
    }
}

static void stateful_set_default(struct kind_ctx *c, struct json *obj)
{
    struct arena *a = c->arena;
    struct json  *spec = json_getz(obj, "spec"), *strategy = json_getz(spec, "updateStrategy"),
                 *policy = default_object(a, spec, "persistentVolumeClaimRetentionPolicy");

    pod_template_default(c, json_getz(spec, "template"));
    claims_default(c, json_getz(spec, "volumeClaimTemplates"));
    default_text(a, policy, "whenDeleted", "Retain");
    default_text(a, policy, "whenScaled", "Retain");
    if (str_is(json_str(json_getz(strategy, "type")), "RollingUpdate"))
        default_int(a, default_object(a, strategy, "rollingUpdate"), "partition", 0);
}

static void stateful_set_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *strategy = json_getz(spec, "updateStrategy"),
                      *missing = json_path(strategy, "rollingUpdate.maxUnavailable");
    struct at at = AT_KEY(NULL, "spec"), at_strategy = AT_KEY(&at, "updateStrategy"),
              rolling = AT_KEY(&at_strategy, "rollingUpdate"),
              at_missing = AT_KEY(&rolling, "maxUnavailable");
    bool percent;

    (void)c;
    workload_check(spec, "statefulset", "StatefulSet", causes);
    if (str_is(json_str(json_getz(strategy, "type")), "OnDelete") &&
        json_getz(strategy, "rollingUpdate") != NULL)
        field_refuse(strategy, "rollingUpdate", &at_strategy,
                     "only allowed for updateStrategy 'RollingUpdate'", causes);
    check_int_or_percent(missing, &at_missing, causes);
    check_at_most_100_percent(missing, &at_missing, causes);
    if (missing != NULL && int_or_percent(missing, &percent) == 0)
        cause_invalid_raw(causes, &at_missing, go_int_or_string(causes->arena, missing), "cannot be 0");
}

#define MAY_CHANGE                                                                                           \
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "                 \
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "                  \
    "'minReadySeconds' are forbidden"

static void stateful_set_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                         struct causes *causes)
{
    static const char *const fixed[] = { "selector", "volumeClaimTemplates", "serviceName",
                                         "podManagementPolicy" };
    struct at at = AT_KEY(NULL, "spec");

    (void)c;
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        if (json_same(json_getz(json_getz(old, "spec"), fixed[i]),
                      json_getz(json_getz(obj, "spec"), fixed[i])))
            continue;
        cause_forbidden(causes, &at, MAY_CHANGE);
        return;
    }
}

const struct kind_hooks kind_stateful_sets = {
    .group = "apps", .plural = "statefulsets", .unconditional_update = true, .default_ = stateful_set_default,
    .validate = stateful_set_validate, .validate_update = stateful_set_validate_update,
};
