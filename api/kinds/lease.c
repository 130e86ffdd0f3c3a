/* api/kinds/lease.c: leases: who holds one says who it is. */
#include "api/kinds/kinds_impl.h"

static void lease_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *holder = json_getz(spec, "holderIdentity");
    struct at at = AT_KEY(NULL, "spec"), at_holder = AT_KEY(&at, "holderIdentity"),
              at_preferred = AT_KEY(&at, "preferredHolder");

    (void)c;
    if (json_is(holder, JSON_STRING) && holder->s.n == 0)
        cause_invalid(causes, &at_holder, STR(""), "must not be empty");
    if (!json_is_blank(json_getz(spec, "preferredHolder")) && json_is_blank(json_getz(spec, "strategy")))
        cause_forbidden(causes, &at_preferred, "may only be specified when `strategy` is defined");
}

const struct kind_hooks kind_leases = {
    .group = "coordination.k8s.io", .plural = "leases", .create_on_update = true, .validate = lease_validate,
};
