/* ctrl/pod_gc.c: removes pods nobody will ever clear away: ended ones beyond a threshold (the oldest first),
 * those bound to nodes that are gone, and those deleted before they had a node. */
#include <stdlib.h>
#include "api/json_scan.h"
#include "ctrl/controller.h"

#define COUNTED ((void *)1)                      /* object->user of pods that are counted in n_ended */
#define LOST_NODE_MS 40000                       /* a node may be registered anew for that long */

struct pod_gc {
    struct controller base;
    struct sweep sweep;
    struct ctrl_env *env;
    struct informer *pods, *nodes;
    struct workqueue *queue;
    size_t n_ended;
    struct timer trim;
    bool ready;
};

static void delete_now(struct pass *p, const struct object *o)
{
    struct client_req r = { .method = "DELETE", .res = CLIENT_PODS, .ns = o->ns, .name = o->name };

    r.body_text = arena_fmt(pass_arena(p), "{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%.*s\"}}",
                            STR_ARG(o->uid));
    pass_send(p, &r, 404, NULL);
}

static void gc_sync(void *arg, struct pass *p)
{
    struct pod_gc *c = arg;
    struct object *o = informer_get(c->pods, pass_ns(p), pass_name(p));

    if (o == NULL || !c->ready)
        return;
    struct json *pod = object_json(o, pass_arena(p));
    struct str node = json_path_str(pod, "spec.nodeName");
    if (node.n == 0) {
        if (is_being_deleted(pod))
            delete_now(p, o);
        return;
    }
    if (informer_get(c->nodes, STR_NONE, node) != NULL) {
        *pass_memo(p) = 0;
        return;
    }
    /* The memo is when the node was missed first. */
    uint64_t now = loop_now_ms(c->env->loop);
    if (*pass_memo(p) == 0)
        *pass_memo(p) = now;
    if (now - *pass_memo(p) < LOST_NODE_MS) {
        pass_again_after(p, LOST_NODE_MS - (now - *pass_memo(p)));
        return;
    }
    *pass_memo(p) = 0;
    delete_now(p, o);
}

#define TRIM_MS 20000                            /* at most so often: every pod is looked at */

/* ---- Too many ended ones ------------------------------------------------------------------------ */

struct ended { const struct object *o; struct str born; };

static void trim_when_due(struct pod_gc *c)
{
    if (c->ready && c->n_ended > c->env->o->terminated_pod_gc_threshold && !timer_active(&c->trim))
        timer_start(&c->trim, TRIM_MS);
}

static int older_first(const void *a, const void *b)
{
    return str_cmp(((const struct ended *)a)->born, ((const struct ended *)b)->born);
}

static bool phase_is_ended(const struct object *o)
{
    struct str phase;

    return json_scan_path(blob_str(o->raw), "status.phase", &phase) &&
           (str_is(phase, "\"Succeeded\"") || str_is(phase, "\"Failed\""));
}

static void gc_on_trim(struct timer *t)
{
    struct pod_gc *c = container_of(t, struct pod_gc, trim);
    struct ended *v = mem_alloc((c->n_ended + 1) * sizeof *v);
    struct arena a = ARENA_INIT;
    struct object *o;
    size_t n = 0;

    for (size_t i = 0; (o = informer_next(c->pods, &i)) != NULL && n < c->n_ended;) {
        struct str born = STR_NONE, gone;
        if (!phase_is_ended(o) || json_scan_path(blob_str(o->raw), "metadata.deletionTimestamp", &gone))
            continue;
        json_scan_path(blob_str(o->raw), "metadata.creationTimestamp", &born);
        v[n++] = (struct ended){ o, born };
    }
    qsort(v, n, sizeof *v, older_first);
    for (size_t i = 0; i + c->env->o->terminated_pod_gc_threshold < n; i++) {
        struct client_req r = {
            .method = "DELETE", .res = CLIENT_PODS, .ns = v[i].o->ns, .name = v[i].o->name
        };
        r.body_text = arena_fmt(&a, "{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%.*s\"}}",
                                STR_ARG(v[i].o->uid));
        client_send(c->env->client, &r);
    }
    mem_free(v);
    arena_release(&a);
    trim_when_due(c);
}

static void gc_on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                      struct json *json)
{
    struct pod_gc *c = arg;
    /* (what a deletion brings as `old` may be newer than what was counted) */
    if (old != NULL && old->user == COUNTED) {
        must(c->n_ended > 0);
        c->n_ended--;
        old->user = NULL;
    }
    if (what == INFORMER_DELETE)
        return;
    new_->user = pod_has_ended(json) ? COUNTED : NULL;
    c->n_ended += new_->user == COUNTED;
    trim_when_due(c);
    if (!c->ready)
        return;
    struct str node = json_path_str(json, "spec.nodeName");
    if (node.n == 0 ? is_being_deleted(json) : informer_get(c->nodes, STR_NONE, node) == NULL)
        workqueue_add(c->queue, new_->ns, new_->name);
}

static void gc_on_node(void *arg, enum informer_change what, struct object *old, struct object *new_,
                       struct json *json)
{
    struct pod_gc *c = arg;
    struct object *o;

    if (what != INFORMER_DELETE)
        return;
    for (size_t it = 0; (o = informer_by(c->pods, BY_NODE, old->name, &it)) != NULL;)
        workqueue_add(c->queue, o->ns, o->name);
}

static void first_look(void *arg, struct object *o)
{
    struct pod_gc *c = arg;
    struct str node, gone;
    bool bound = json_scan_path(blob_str(o->raw), "spec.nodeName", &node) && node.n > 2;

    if (bound ? informer_get(c->nodes, STR_NONE, str_make(node.p + 1, node.n - 2)) == NULL
              : json_scan_path(blob_str(o->raw), "metadata.deletionTimestamp", &gone))
        workqueue_add(c->queue, o->ns, o->name);
}

static void gc_ready(struct controller *base)
{
    struct pod_gc *c = container_of(base, struct pod_gc, base);

    c->ready = true;
    sweep_start(&c->sweep, c->env->loop, c->pods, first_look, c);
    trim_when_due(c);
}

static void gc_stop(struct controller *base)
{
    struct pod_gc *c = container_of(base, struct pod_gc, base);

    timer_stop(&c->trim);
    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    mem_free(c);
}

struct controller *pod_gc_controller(struct ctrl_env *env)
{
    struct pod_gc *c = mem_new(struct pod_gc);
    struct workqueue_opts qo = { .client = env->client, .name = "pod-gc", .sync = gc_sync, .arg = c };

    c->base = (struct controller){ gc_ready, gc_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    timer_init(&c->trim, env->loop, gc_on_trim);
    c->pods = shared_listen(env->shared, CLIENT_PODS, gc_on_pod, c);
    c->nodes = shared_listen(env->shared, CLIENT_NODES, gc_on_node, c);
    return &c->base;
}
