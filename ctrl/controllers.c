/* ctrl/controllers.c: starts and stops all controllers: a row each. */
#include "ctrl/controller.h"

static struct controller *(*const all[])(struct ctrl_env *env) = {
    replicaset_controller, deployment_controller, node_lifecycle_controller,  garbage_collector,
    namespace_controller,  pod_gc_controller,     service_account_controller, disruption_controller,
    endpoints_controller,  slice_mirror_controller, service_cidr_controller,
    crd_controller,        admission_policy_controller,
    resource_quota_controller, storage_protection_controller,
    role_aggregation_controller,
};

struct controllers {
    struct controllers_opts o;
    struct ctrl_env env;
    struct shared *own;                          /* NULL: somebody else's are used */
    struct controller *running[ARRAY_LEN(all)];
};

static void controllers_on_synced(void *arg)
{
    struct controllers *c = arg;

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        c->running[i]->ready(c->running[i]);
}

struct controllers *controllers_start(const struct controllers_opts *o)
{
    struct controllers *c = mem_new(struct controllers);

    c->o = *o;
    if (c->o.node_monitor_period_ms == 0)
        c->o.node_monitor_period_ms = 5000;
    if (c->o.node_monitor_grace_ms == 0)
        c->o.node_monitor_grace_ms = 40000;
    if (c->o.terminated_pod_gc_threshold == 0)
        c->o.terminated_pod_gc_threshold = 12500;
    c->own = o->shared == NULL ? shared_new(o->client, ctrl_indexes) : NULL;
    c->env = (struct ctrl_env){ .o = &c->o,
                                .client = o->client,
                                .loop = client_loop(o->client),
                                .shared = c->own != NULL ? c->own : o->shared,
                                .events = event_recorder_new(o->client, "controller-manager", NULL) };
    c->env.customs = custom_kinds_new(c->env.shared);
    shared_on_synced(c->env.shared, controllers_on_synced, c);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        c->running[i] = all[i](&c->env);
    return c;
}

void controllers_stop(struct controllers *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        c->running[i]->stop(c->running[i]);
    shared_free(c->own);
    custom_kinds_free(c->env.customs);
    event_recorder_free(c->env.events);
    mem_free(c);
}
