/* api/kinds/kinds.c: the one table of hooks.  A kind's own file defines its entry; it is listed here. */
#include "api/kinds/kinds_impl.h"

/* Kinds with nothing of their own to say. */
static const struct kind_hooks kind_neutral = { .group = "", .plural = "", .unconditional_update = true };

static const struct kind_hooks *const kind_table[] = {
    &kind_pods,
    &kind_core_events,
    &kind_leases,
    &kind_nodes,
    &kind_namespaces,
    &kind_config_maps,
    &kind_secrets,
    &kind_service_accounts,
    &kind_services,
    &kind_endpoints,
    &kind_endpoint_slices,
    &kind_deployments,
    &kind_replica_sets,
    &kind_controller_revisions,
    &kind_pod_disruption_budgets,
};

const struct kind_hooks *kind_hooks_find(const struct resource *r)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_table); i++)
        if (strcmp(kind_table[i]->plural, r->plural) == 0 &&
            strcmp(kind_table[i]->group, r->kind->group) == 0)
            return kind_table[i];
    return &kind_neutral;
}
