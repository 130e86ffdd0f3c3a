/* ctrl/admission_policy.c: the status of ValidatingAdmissionPolicies: whether their expressions fit the
 * types of the kinds that their rules name, once for each generation. */
#include "api/policy/type_check.h"
#include "ctrl/controller.h"

struct policy_controller {
    struct controller base;
    struct sweep sweep;
    struct informer *policies;
    struct ctrl_env *env;
    struct workqueue *queue;
    bool ready;
};

static void policy_sync(void *arg, struct pass *p)
{
    struct policy_controller *c = arg;
    struct object            *o = informer_get(c->policies, STR_NONE, pass_name(p));
    struct arena             *a = pass_arena(p);
    struct client_req         r = { .method = "PATCH", .res = CLIENT_ADMISSION_POLICIES, .name = pass_name(p),
                                    .sub = "status", .content_type = CLIENT_MERGE_PATCH };
    struct json              *obj, *patch, *status, *checked;
    int64_t                   generation;

    if (o == NULL || !c->ready)
        return;
    obj = object_json(o, a);
    generation = json_path_i64(obj, "metadata.generation", 0);
    if (json_path_i64(obj, "status.observedGeneration", 0) == generation)
        return;
    pass_expect(p, c->policies);
    patch = json_object(a);
    status = json_setz(a, patch, "status", json_object(a));
    json_setz(a, status, "observedGeneration", json_int(a, generation));
    checked = json_setz(a, status, "typeChecking", policy_type_check(json_getz(obj, "spec"), a));
    if (checked->n == 0)
        json_setz(a, checked, "expressionWarnings", json_null(a));   /* those of before go */
    r.body = patch;
    pass_send(p, &r, 404, NULL);
}

static void on_policy(void *arg, enum informer_change what, struct object *old, struct object *new_,
                      struct json *json)
{
    struct policy_controller *c = arg;

    if (c->ready && new_ != NULL)
        workqueue_add(c->queue, STR_NONE, new_->name);
}

static void policy_ready(struct controller *base)
{
    struct policy_controller *c = container_of(base, struct policy_controller, base);

    c->ready = true;
    sweep_into(&c->sweep, c->env->loop, c->policies, c->queue);
}

static void policy_stop(struct controller *base)
{
    struct policy_controller *c = container_of(base, struct policy_controller, base);

    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    mem_free(c);
}

struct controller *admission_policy_controller(struct ctrl_env *env)
{
    struct policy_controller *c = mem_new(struct policy_controller);
    struct workqueue_opts     queue = {
            .client = env->client, .name = "admission policies", .sync = policy_sync, .arg = c
    };

    c->base = (struct controller){ policy_ready, policy_stop };
    c->env = env;
    c->queue = workqueue_new(&queue);
    c->policies = shared_listen(env->shared, CLIENT_ADMISSION_POLICIES, on_policy, c);
    return &c->base;
}
