/* api/kinds/kinds.c: the one table of hooks. A kind's own file defines `const struct kind_hooks kind_X`; it is listed here. */
#include "api/kinds.h"

static const struct kind_hooks kind_pods_plain = {
    .group = "", .plural = "pods", .unconditional_update = true, .returns_deleted = true, .tag_path = "spec.nodeName",
    .grace = pod_grace,
};
static const struct kind_hooks kind_leases = {
    .group = "coordination.k8s.io", .plural = "leases", .create_on_update = true,
};
static const struct kind_hooks kind_endpoints = {
    .group = "", .plural = "endpoints", .unconditional_update = true, .create_on_update = true,
};
static const struct kind_hooks kind_events = {
    .group = "", .plural = "events", .unconditional_update = true, .create_on_update = true,
};
static const struct kind_hooks kind_events_new = {
    .group = "events.k8s.io", .plural = "events", .unconditional_update = true, .create_on_update = true,
};
static const struct kind_hooks kind_pdbs = {
    .group = "policy", .plural = "poddisruptionbudgets",
};

/* Kinds with nothing of their own to say. */
static const struct kind_hooks kind_neutral = { .group = "", .plural = "", .unconditional_update = true };

static const struct kind_hooks *const kind_table[] = {
    &kind_pods_plain,
    &kind_leases,
    &kind_endpoints,
    &kind_events,
    &kind_events_new,
    &kind_pdbs,
};

const struct kind_hooks *kind_hooks_find(const struct resource *r)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_table); i++)
        if (strcmp(kind_table[i]->plural, r->plural) == 0 && strcmp(kind_table[i]->group, r->kind->group) == 0)
            return kind_table[i];
    return &kind_neutral;
}
