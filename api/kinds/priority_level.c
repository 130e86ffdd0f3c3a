/* api/kinds/priority_level.c: how many requests may be served at a time. */
#include "api/kinds/kinds_impl.h"

static void priority_level_default(struct kind_ctx *c, struct json *obj)
{
    struct arena *a = c->arena;
    struct json  *spec = json_getz(obj, "spec"), *limited = json_getz(spec, "limited"), *exempt;

    default_int(a, limited, "nominalConcurrencyShares", 30);
    if (!str_is(json_str(json_getz(spec, "type")), "Exempt"))
        return;
    exempt = default_object(a, spec, "exempt");
    default_int(a, exempt, "nominalConcurrencyShares", 0);
    default_int(a, exempt, "lendablePercent", 0);
}

const struct kind_hooks kind_priority_levels = {
    .group = "flowcontrol.apiserver.k8s.io", .plural = "prioritylevelconfigurations",
    .unconditional_update = true, .default_ = priority_level_default,
};
