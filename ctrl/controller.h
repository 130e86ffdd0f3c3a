/* ctrl/controller.h: what every controller is given and how it is started; one function per file of the same
 * name. */
#ifndef CTRL_CONTROLLER_H
#define CTRL_CONTROLLER_H

#include "ctrl/controllers.h"
#include "ctrl/custom_kinds.h"
#include "ctrl/objects.h"
#include "ctrl/indexes.h"
#include "ctrl/sweep.h"
#include "ctrl/workqueue.h"

struct ctrl_env {
    const struct controllers_opts *o;            /* defaults filled in */
    struct client *client;
    struct loop *loop;
    struct shared *shared;
    struct event_recorder *events;
    struct custom_kinds *customs;
};

/* A running controller: freed by stop. ready: the caches are filled, passes may begin. */
struct controller { void (*ready)(struct controller *c); void (*stop)(struct controller *c); };

struct controller *replicaset_controller(struct ctrl_env *env);
struct controller *deployment_controller(struct ctrl_env *env);
struct controller *node_lifecycle_controller(struct ctrl_env *env);
struct controller *garbage_collector(struct ctrl_env *env);
struct controller *namespace_controller(struct ctrl_env *env);
struct controller *pod_gc_controller(struct ctrl_env *env);
struct controller *service_account_controller(struct ctrl_env *env);
struct controller *disruption_controller(struct ctrl_env *env);
struct controller *endpoints_controller(struct ctrl_env *env);
struct controller *slice_mirror_controller(struct ctrl_env *env);
struct controller *service_cidr_controller(struct ctrl_env *env);
struct controller *crd_controller(struct ctrl_env *env);
struct controller *admission_policy_controller(struct ctrl_env *env);
struct controller *storage_protection_controller(struct ctrl_env *env);
struct controller *resource_quota_controller(struct ctrl_env *env);
struct controller *role_aggregation_controller(struct ctrl_env *env);

static inline int64_t env_now_s(const struct ctrl_env *env) { return loop_wall_ns(env->loop) / 1000000000; }

#endif
