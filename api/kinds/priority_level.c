/* api/kinds/priority_level.c: how many requests may be served at a time. */
#include <inttypes.h>
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

static void check_response(const struct json *limited, const struct at *up, struct causes *causes)
{
    const struct json *response = json_getz(limited, "limitResponse"),
                      *queuing = json_getz(response, "queuing");
    struct at          at = AT_KEY(up, "limitResponse"), here = AT_KEY(&at, "queuing");
    struct str         type = json_str(json_getz(response, "type"));
    int64_t            queues = json_i64_or(json_getz(queuing, "queues"), 0);

    if (str_is(type, "Reject"))
        field_forbid(response, "queuing", &at, "must be nil if limited.limitResponse.type is not Limited",
                     causes);
    if (str_is(type, "Queue"))
        field_need(response, "queuing", &at, "must not be empty if limited.limitResponse.type is Limited",
                   causes);
    if (queuing != NULL && json_i64_or(json_getz(queuing, "handSize"), 0) > queues)
        field_refuse(queuing, "handSize", &here,
                     arena_fmt(causes->arena, "should not be greater than queues (%" PRIi64 ")", queues).p,
                     causes);
}

static void priority_level_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec"), limited = AT_KEY(&at, "limited");
    struct str         type = json_str(json_getz(spec, "type"));

    if (str_is(type, "Exempt")) {
        field_forbid(spec, "limited", &at, "must be nil if the type is not Limited", causes);
        if (!str_is(c->name, "exempt"))
            field_refuse(spec, "type", &at, "must be 'Limited' unless the name is 'exempt'", causes);
    } else if (str_is(type, "Limited")) {
        field_forbid(spec, "exempt", &at, "must be nil if the type is Limited", causes);
        if (field_need(spec, "limited", &at, "must not be empty when type is Limited", causes))
            check_response(json_getz(spec, "limited"), &limited, causes);
    }
}

const struct kind_hooks kind_priority_levels = {
    .group = "flowcontrol.apiserver.k8s.io", .plural = "prioritylevelconfigurations",
    .unconditional_update = true, .default_ = priority_level_default, .validate = priority_level_validate,
};
