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

const struct kind_hooks kind_stateful_sets = {
    .group = "apps", .plural = "statefulsets", .unconditional_update = true, .default_ = stateful_set_default,
};
