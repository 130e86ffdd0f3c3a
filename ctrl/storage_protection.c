/* ctrl/storage_protection.c: claims and volumes that are being deleted go once nobody uses them: a claim when
 * no pod has it mounted or is about to, a volume when no claim is bound to it.  Admission puts the finalizers
 * on (api/admit/storage_protection.c). */
#include "ctrl/controller.h"

#define CLAIM_FINALIZER  "kubernetes.io/pvc-protection"
#define VOLUME_FINALIZER "kubernetes.io/pv-protection"

struct protection {
    struct controller base;
    struct ctrl_env *env;
    struct workqueue *queue;
    struct informer *claims, *volumes, *pods;
    struct sweep claims_sweep, volumes_sweep;
    bool ready;
};

static bool claim_is_used(struct protection *c, struct pass *p)
{
    struct str     key = claim_key(pass_arena(p), pass_ns(p), pass_name(p));
    struct object *o;

    for (size_t it = 0; (o = informer_by(c->pods, BY_CLAIM, key, &it)) != NULL;)
        if (!pod_has_ended(object_json(o, pass_arena(p))))
            return true;
    return false;
}

static void let_go(struct pass *p, const struct object *o, struct client_resource res, const char *finalizer)
{
    struct arena     *a = pass_arena(p);
    struct json      *whole = json_copy(a, object_json(o, a)), *left = json_array(a);
    struct client_req r = { .method = "PUT", .res = res, .ns = o->ns, .name = o->name, .body = whole };

    json_each(f, json_path(whole, "metadata.finalizers"))
        if (!str_is(json_str(f), finalizer))
            json_push(left, json_copy(a, f));
    json_setz(a, json_getz(whole, "metadata"), "finalizers", left);
    pass_send(p, &r, 404, NULL);
}

/* Claims have a namespace, volumes have none. */
static void protection_sync(void *arg, struct pass *p)
{
    struct protection *c = arg;
    bool               claim = pass_ns(p).n > 0;
    const char        *finalizer = claim ? CLAIM_FINALIZER : VOLUME_FINALIZER;
    struct object     *o = informer_get(claim ? c->claims : c->volumes, pass_ns(p), pass_name(p));
    struct json       *obj;

    if (o == NULL || !c->ready)
        return;
    obj = object_json(o, pass_arena(p));
    if (!is_being_deleted(obj) || !has_finalizer(obj, finalizer))
        return;
    if (claim ? claim_is_used(c, p) : str_is(json_path_str(obj, "status.phase"), "Bound"))
        return;
    pass_expect(p, claim ? c->claims : c->volumes);
    let_go(p, o, claim ? CLIENT_CLAIMS : CLIENT_VOLUMES, finalizer);
}

/* ---- What may concern one -------------------------------------------------------------------- */

static void on_storage(void *arg, enum informer_change what, struct object *old, struct object *new_,
                       struct json *json)
{
    struct protection *c = arg;

    if (new_ != NULL && is_being_deleted(json))
        workqueue_add(c->queue, new_->ns, new_->name);
}

static void on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    struct protection *c = arg;
    struct arena       a = ARENA_INIT;

    if (what != INFORMER_DELETE && !pod_has_ended(json))
        return;
    json_each(volume, json_path(json, "spec.volumes")) {
        struct str claim = claim_of_volume(&a, json, volume);

        if (claim.n > 0)
            workqueue_add(c->queue, meta_str(json, "namespace"), claim);
    }
    arena_release(&a);
}

static void protection_ready(struct controller *base)
{
    struct protection *c = container_of(base, struct protection, base);

    c->ready = true;
    sweep_into(&c->claims_sweep, c->env->loop, c->claims, c->queue);
    sweep_into(&c->volumes_sweep, c->env->loop, c->volumes, c->queue);
}

static void protection_stop(struct controller *base)
{
    struct protection *c = container_of(base, struct protection, base);

    sweep_stop(&c->claims_sweep);
    sweep_stop(&c->volumes_sweep);
    workqueue_free(c->queue);
    mem_free(c);
}

struct controller *storage_protection_controller(struct ctrl_env *env)
{
    struct protection    *c = mem_new(struct protection);
    struct workqueue_opts qo = { .client = env->client, .name = "storage protection", .sync = protection_sync,
                                 .arg = c };

    c->base = (struct controller){ protection_ready, protection_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->claims = shared_listen(env->shared, CLIENT_CLAIMS, on_storage, c);
    c->volumes = shared_listen(env->shared, CLIENT_VOLUMES, on_storage, c);
    c->pods = shared_listen(env->shared, CLIENT_PODS, on_pod, c);
    return &c->base;
}
