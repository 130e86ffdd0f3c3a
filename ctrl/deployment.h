/* ctrl/deployment.h: between the parts of the deployment controller:
 *     deployment.c          the pass: finds the ReplicaSets, decides what to do
 *     deployment_new.c      the ReplicaSet of the current template: finding, naming, making, revisions
 *     deployment_rolling.c  how far which ReplicaSet may be scaled now
 *     deployment_status.c   counts, conditions, progress deadline */
#ifndef CTRL_DEPLOYMENT_H
#define CTRL_DEPLOYMENT_H

#include "ctrl/controller.h"

#define REVISION_ANNOTATION "deployment.kubernetes.io/revision"
#define DESIRED_ANNOTATION  "deployment.kubernetes.io/desired-replicas"
#define MAX_ANNOTATION      "deployment.kubernetes.io/max-replicas"
#define TEMPLATE_HASH       "pod-template-hash"

struct deploy_controller {
    struct controller base;
    struct sweep sweep;
    struct ctrl_env *env;
    struct informer *deployments, *sets, *pods;
    struct workqueue *queue;
    bool ready;
};

/* A ReplicaSet as a pass sees it; replicas is what its spec will ask for after this pass. */
struct deploy_set {
    const struct object *o;
    struct json *json;
    int64_t replicas, ready, available, actual;
    bool is_new, dropped;
};

struct deploy_pass {
    struct deploy_controller *c;
    struct pass *pass;
    struct arena *a;
    const struct object *o;
    struct json *json;
    struct deploy_set *set; size_t n;            /* all of ours, oldest first */
    struct deploy_set *new_set;                  /* NULL: there is none yet */
    int64_t replicas, max_surge, max_unavailable;
    uint64_t own_revision;                       /* to be written on the deployment; 0: as it is */
    /* NULL, or why this pass begins a rollout; of the set with this name: */
    const char *begins;
    struct str begins_name;
    bool paused, recreate;
};

/* deployment_new.c */
bool deploy_template_equal(const struct json *template, const struct json *set_template);
void deploy_find_new(struct deploy_pass *x);
void deploy_make_new(struct deploy_pass *x, int64_t replicas);
/* Revision numbers on the new set and the deployment, annotations carried over.  The deployment's own is
 * only noted: deploy_write_status() sends it, since two writes of one object at a time would be in each
 * other's way. */
void deploy_write_revision(struct deploy_pass *x);
uint64_t deploy_revision_of(const struct json *obj);
void deploy_send_own_revision(struct pass *p, uint64_t revision);

/* deployment_rolling.c */
void deploy_scale(struct deploy_pass *x, struct deploy_set *s, int64_t to);
void deploy_roll(struct deploy_pass *x);
void deploy_recreate(struct deploy_pass *x);
/* The size changed or it is paused: all sets with pods share the change in proportion.  False: nothing to
 * do. */
bool deploy_scale_in_proportion(struct deploy_pass *x);
/* Send what the functions above made different. */
void deploy_send_scales(struct deploy_pass *x);
/* How many the new set may have now. */
int64_t deploy_new_size(const struct deploy_pass *x);

/* deployment_status.c */
void deploy_write_status(struct deploy_pass *x);
bool deploy_is_complete(const struct deploy_pass *x);

static inline struct event_about deploy_about(const struct object *o)
{
    return (struct event_about){
        .api_version = "apps/v1", .kind = "Deployment", .ns = o->ns, .name = o->name, .uid = o->uid
    };
}
static inline struct str annotation(const struct json *obj, const char *key)
{
    return json_str(json_getz(json_getz(json_getz(obj, "metadata"), "annotations"), key));
}

#endif
