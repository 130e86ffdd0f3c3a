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
    &kind_service_cidrs,
    &kind_ip_addresses,
    &kind_endpoint_slices,
    &kind_deployments,
    &kind_replica_sets,
    &kind_controller_revisions,
    &kind_pod_disruption_budgets,
    &kind_stateful_sets,
    &kind_daemon_sets,
    &kind_replication_controllers,
    &kind_pod_templates,
    &kind_jobs,
    &kind_cron_jobs,
    &kind_autoscalers,
    &kind_network_policies,
    &kind_ingress_classes,
    &kind_roles,
    &kind_cluster_roles,
    &kind_role_bindings,
    &kind_cluster_role_bindings,
    &kind_persistent_volumes,
    &kind_persistent_volume_claims,
    &kind_csi_drivers,
    &kind_csi_nodes,
    &kind_csi_storage_capacities,
    &kind_volume_attachments,
    &kind_limit_ranges,
    &kind_resource_quotas,
    &kind_priority_levels,
    &kind_certificate_requests,
    &kind_definitions,
    &kind_api_services,
    &kind_mutating_webhooks,
    &kind_validating_webhooks,
    &kind_admission_policies,
    &kind_admission_bindings,
    &kind_ingresses,
    &kind_storage_classes,
    &kind_priority_classes,
    &kind_runtime_classes,
    &kind_flow_schemas,
};

void kind_to_stored(const struct kind_hooks *h, const struct resource *r, struct json *obj, struct arena *a)
{
    schema_to_stored(r, obj, a);
    if (r->stored_as != NULL && h->to_stored != NULL)
        h->to_stored(a, obj);
}

void kind_from_stored(const struct kind_hooks *h, const struct resource *r, struct json *obj, struct arena *a)
{
    schema_from_stored(r, obj, a);
    if (r->stored_as != NULL && h->from_stored != NULL)
        h->from_stored(a, obj);
}

const struct kind_hooks *kind_hooks_find(const struct resource *r)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_table); i++)
        if (strcmp(kind_table[i]->plural, r->plural) == 0 &&
            strcmp(kind_table[i]->group, r->kind->group) == 0)
            return kind_table[i];
    return &kind_neutral;
}
