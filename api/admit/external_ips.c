/* api/admit/external_ips.c: DenyServiceExternalIPs: nobody takes over addresses by naming them in a service;
 * those a service has may go. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"

static void validate(struct admission *a)
{
    const struct json *had = json_path(a->old, "spec.externalIPs");

    json_each(ip, json_path(a->obj, "spec.externalIPs"))
        if (!list_has(had, json_str(ip)))
            admit_refuse(a, "Use of external IPs is denied by admission control");
}

const struct admit_plugin admit_external_ips = {
    .name = "DenyServiceExternalIPs",
    .match = { { "", "services", NULL, ADMIT_WRITES, .validate = validate } },
};
