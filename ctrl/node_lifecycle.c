/* ctrl/node_lifecycle.c: tells living nodes from silent ones, keeps taints true, and evicts pods from lost
 * nodes.
 *
 * A node lives while its Lease (kube-node-lease) or its status keeps changing.  What counts is when a change
 * was seen here, by our own clock: node clocks don't matter, and a new leader gives every node a full grace
 * period.  There is no polling: one timer stands at the earliest moment at which something could be due. */
#include "api/time_fmt.h"
#include "ctrl/controller.h"

#define LEASE_NAMESPACE "kube-node-lease"

/* object->user of nodes. Both times are of our own clock: how long a pod bears a taint is counted from when
 * we saw it. */
struct node_state { uint64_t seen_ms, tainted_ms; char *taints; };

struct node_controller {
    struct controller base;
    struct sweep sweep;
    struct ctrl_env *env;
    struct informer *nodes, *leases, *pods;
    struct workqueue *queue, *evictions;         /* nodes; pods */
    bool ready;
};

/* ---- Signs of life ------------------------------------------------------------------------------ */

static struct node_state *state_of(struct object *node)
{
    if (node->user == NULL)
        node->user = mem_new(struct node_state);
    return node->user;
}

static void state_free(struct object *node)
{
    struct node_state *s = node->user;

    if (s != NULL)
        mem_free(s->taints);
    mem_free(s);
    node->user = NULL;
}

static void saw(struct node_controller *c, struct object *node)
{
    state_of(node)->seen_ms = loop_now_ms(c->env->loop);
}

/* Other NoExecute taints than before: what pods bear of them is counted anew. */
static void saw_taints(struct node_controller *c, struct object *node, const struct json *json)
{
    struct node_state *s = state_of(node);
    struct buf b = BUF_INIT;

    json_each(t, json_path(json, "spec.taints"))
        if (str_is(json_str(json_getz(t, "effect")), "NoExecute")) {
            buf_str_add(&b, json_str(json_getz(t, "key")));
            buf_char(&b, '=');
            buf_str_add(&b, json_str(json_getz(t, "value")));
            buf_char(&b, ' ');
        }
    if (s->taints == NULL || !str_is(buf_str(&b), s->taints)) {
        mem_free(s->taints);
        s->taints = mem_strndup(buf_str(&b));
        s->tainted_ms = loop_now_ms(c->env->loop);
    }
    buf_release(&b);
}

static void on_lease(void *arg, enum informer_change what, struct object *old, struct object *new_,
                     struct json *json)
{
    struct node_controller *c = arg;
    struct object *node;

    if (new_ == NULL || !str_is(new_->ns, LEASE_NAMESPACE))
        return;
    node = informer_get(c->nodes, STR_NONE, new_->name);
    if (node == NULL)
        return;
    struct node_state *s = node->user;
    bool was_late = s == NULL || loop_now_ms(c->env->loop) - s->seen_ms >= c->env->o->node_monitor_grace_ms;
    saw(c, node);
    if (was_late)
        workqueue_add(c->queue, STR_NONE, node->name);
}

static void on_node(void *arg, enum informer_change what, struct object *old, struct object *new_,
                    struct json *json)
{
    struct node_controller *c = arg;

    if (what == INFORMER_DELETE) {
        state_free(old);
        return;
    }
    saw_taints(c, new_, json);
    /* Our own writes are no sign of life: only a newer heartbeat in Ready is. */
    if (what == INFORMER_ADD) {
        saw(c, new_);
    } else {
        struct arena a = ARENA_INIT;
        struct str was = json_str(
            json_getz(condition_get(object_json(old, &a), "Ready"), "lastHeartbeatTime"));
        if (!str_eq(was, json_str(json_getz(condition_get(json, "Ready"), "lastHeartbeatTime"))))
            saw(c, new_);
        arena_release(&a);
    }
    workqueue_add(c->queue, STR_NONE, new_->name);
}

/* ---- Taints ------------------------------------------------------------------------------------- */

struct taint_rule { const char *key, *effect; };
static const struct taint_rule managed[] = {
    { "node.kubernetes.io/unschedulable", "NoSchedule" },
    { "node.kubernetes.io/not-ready", "NoSchedule" },
    { "node.kubernetes.io/not-ready", "NoExecute" },
    { "node.kubernetes.io/unreachable", "NoSchedule" },
    { "node.kubernetes.io/unreachable", "NoExecute" },
    { "node.kubernetes.io/memory-pressure", "NoSchedule" },
    { "node.kubernetes.io/disk-pressure", "NoSchedule" },
    { "node.kubernetes.io/pid-pressure", "NoSchedule" },
    { "node.kubernetes.io/network-unavailable", "NoSchedule" },
};

static bool taint_wanted(const struct taint_rule *t, const struct json *node, struct str ready)
{
    if (strstr(t->key, "unschedulable") != NULL)
        return json_path_true(node, "spec.unschedulable");
    if (strstr(t->key, "not-ready") != NULL)
        return str_is(ready, "False");
    if (strstr(t->key, "unreachable") != NULL)
        return str_is(ready, "Unknown");
    if (strstr(t->key, "memory-pressure") != NULL)
        return condition_is(node, "MemoryPressure", "True");
    if (strstr(t->key, "disk-pressure") != NULL)
        return condition_is(node, "DiskPressure", "True");
    if (strstr(t->key, "pid-pressure") != NULL)
        return condition_is(node, "PIDPressure", "True");
    return condition_is(node, "NetworkUnavailable", "True");
}

static bool taint_is(const struct json *taint, const struct taint_rule *t)
{
    return str_is(json_str(json_getz(taint, "key")), t->key) &&
           str_is(json_str(json_getz(taint, "effect")), t->effect);
}

static const struct taint_rule *managed_rule(const struct json *taint)
{
    for (size_t i = 0; i < ARRAY_LEN(managed); i++)
        if (taint_is(taint, &managed[i]))
            return &managed[i];
    return NULL;
}

static const struct json *taint_find(const struct json *node, const struct taint_rule *t)
{
    json_each(have, json_path(node, "spec.taints"))
        if (taint_is(have, t))
            return have;
    return NULL;
}

static void write_taints(struct node_controller *c, struct pass *p, const struct json *node, struct str ready)
{
    struct arena *a = pass_arena(p);
    struct json *patch = json_object(a), *taints = json_array(a);
    bool changed = false;

    json_each(have, json_path(node, "spec.taints"))
        if (managed_rule(have) == NULL)
            json_push(taints, json_copy(a, have));
    for (size_t i = 0; i < ARRAY_LEN(managed); i++) {
        const struct json *have = taint_find(node, &managed[i]);
        bool want = taint_wanted(&managed[i], node, ready);
        changed |= want != (have != NULL);
        if (!want)
            continue;
        struct json *t = have != NULL ? json_copy(a, have) : json_object(a);
        if (have == NULL) {
            json_setz(a, t, "key", json_string_ref(a, str_of(managed[i].key)));
            json_setz(a, t, "effect", json_string_ref(a, str_of(managed[i].effect)));
            json_setz(a, t, "timeAdded", json_string(a, time_text(a, env_now_s(c->env))));
        }
        json_push(taints, t);
    }
    if (!changed)
        return;
    struct client_req r = { .method = "PATCH",
                            .res = CLIENT_NODES,
                            .name = pass_name(p),
                            .body = patch,
                            .content_type = CLIENT_MERGE_PATCH };
    json_setz(a, json_make_path(a, patch, "metadata"), "resourceVersion",
              json_string(a, meta_str(node, "resourceVersion")));
    json_setz(a, json_make_path(a, patch, "spec"), "taints", taints);
    pass_expect(p, c->nodes);
    pass_send(p, &r, 404, NULL);
}

/* ---- A silent node: its conditions are unknown, its pods are not ready -------------------------- */

static void mark_unknown(struct node_controller *c, struct pass *p, const struct json *node)
{
    static const char *const types[] = { "Ready", "MemoryPressure", "DiskPressure", "PIDPressure" };
    struct arena *a = pass_arena(p);
    struct json *patch = json_object(a),
                *conds = json_setz(a, json_make_path(a, patch, "status"), "conditions", json_array(a));
    struct client_req r = { .method = "PATCH",
                            .res = CLIENT_NODES,
                            .name = pass_name(p),
                            .sub = "status",
                            .body = patch,
                            .content_type = CLIENT_STRATEGIC_PATCH };
    struct event_about about = {
        .api_version = "v1", .kind = "Node", .name = pass_name(p), .uid = meta_str(node, "uid")
    };

    /* Only as it was seen: it may have spoken meanwhile, to another head. */
    json_setz(a, json_make_path(a, patch, "metadata"), "resourceVersion",
              json_string(a, meta_str(node, "resourceVersion")));
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct json *cond = json_push(conds, json_object(a));
        json_setz(a, cond, "type", json_string_ref(a, str_of(types[i])));
        json_setz(a, cond, "status", json_string_ref(a, STR("Unknown")));
        json_setz(a, cond, "reason", json_string_ref(a, STR("NodeStatusUnknown")));
        json_setz(a, cond, "message", json_string_ref(a, STR("Kubelet stopped posting node status.")));
        json_setz(a, cond, "lastTransitionTime", json_string(a, time_text(a, env_now_s(c->env))));
    }
    pass_expect(p, c->nodes);
    pass_send(p, &r, 404, NULL);
    event_record(c->env->events, &about, "Normal", "NodeNotReady", "Node %.*s status is now: NodeNotReady",
                 STR_ARG(pass_name(p)));
}

static void mark_pods_unready(struct node_controller *c, struct pass *p)
{
    struct arena *a = pass_arena(p);
    struct object *o;

    for (size_t it = 0; (o = informer_by(c->pods, BY_NODE, pass_name(p), &it)) != NULL;) {
        struct json *pod = object_json(o, a);
        if (!pod_is_ready(pod) || pod_has_ended(pod))
            continue;
        struct json *patch = json_object(a),
                    *conds = json_setz(a, json_make_path(a, patch, "status"), "conditions", json_array(a));
        struct json *cond = json_push(conds, json_object(a));
        struct client_req r = { .method = "PATCH",
                                .res = CLIENT_PODS,
                                .ns = o->ns,
                                .name = o->name,
                                .sub = "status",
                                .body = patch,
                                .content_type = CLIENT_STRATEGIC_PATCH };
        struct json *meta = json_make_path(a, patch, "metadata");
        json_setz(a, meta, "uid", json_string(a, o->uid));
        json_setz(a, meta, "resourceVersion", json_string(a, meta_str(pod, "resourceVersion")));
        json_setz(a, cond, "type", json_string_ref(a, STR("Ready")));
        json_setz(a, cond, "status", json_string_ref(a, STR("False")));
        json_setz(a, cond, "lastTransitionTime", json_string(a, time_text(a, env_now_s(c->env))));
        pass_send(p, &r, 404, NULL);
    }
}

static void silence_confirmed(struct pass *p, const struct client_result *r)
{
    struct node_controller *c = pass_owner(p);
    struct object *o = informer_get(c->nodes, STR_NONE, pass_name(p));
    struct json *node;

    if (o == NULL)
        return;
    node = object_json(o, pass_arena(p));
    mark_pods_unready(c, p);
    mark_unknown(c, p, node);                    /* taints follow when this is seen */
}

static void silence_lease_read(struct pass *p, const struct client_result *r)
{
    struct node_controller *c = pass_owner(p);
    struct object *o = informer_get(c->nodes, STR_NONE, pass_name(p)),
                  *known = informer_get(c->leases, STR(LEASE_NAMESPACE), pass_name(p));
    uint64_t rv;

    if (o != NULL && str_u64(json_path_str(r->obj, "metadata.resourceVersion"), &rv) &&
        (known == NULL || rv > known->rv)) {
        saw(c, o);
        pass_again_after(p, c->env->o->node_monitor_grace_ms);
        return;
    }
    silence_confirmed(p, r);
}

/* Maybe it is us who did not hear: stopped for a while, and another leads by now.  Nothing is concluded from
 * silence before a read that a majority of heads stands behind has found no newer sign of life. */
static void confirm_silence(struct pass *p)
{
    struct client_req r = { .method = "GET", .res = CLIENT_LEASES, .ns = STR(LEASE_NAMESPACE),
                            .name = pass_name(p) };

    pass_send_else(p, &r, 404, silence_lease_read, silence_confirmed);
}

/* ---- Eviction by NoExecute taints --------------------------------------------------------------- */

/* Milliseconds until the pod must leave its node; UINT64_MAX: it may stay. */
static uint64_t eviction_due_ms(struct node_controller *c, const struct json *pod, const struct object *o,
                                const struct json *node)
{
    const struct node_state *state = o->user;
    uint64_t due = UINT64_MAX, borne = loop_now_ms(c->env->loop) - state->tainted_ms;

    json_each(taint, json_path(node, "spec.taints")) {
        int64_t s;
        if (!str_is(json_str(json_getz(taint, "effect")), "NoExecute") ||
            (s = pod_bears(json_getz(pod, "spec"), taint)) < 0)
            continue;
        uint64_t most = (uint64_t)MIN_OF(s, INT32_MAX) * 1000;
        due = MIN_OF(due, most > borne ? most - borne : 0);
    }
    return due;
}

/* When nobody is heard of, it is us who are cut off; and there is nowhere to go. */
static bool any_alive(struct node_controller *c)
{
    uint64_t now = loop_now_ms(c->env->loop);
    struct object *o;

    for (size_t it = 0; (o = informer_next(c->nodes, &it)) != NULL;)
        if (now - ((const struct node_state *)o->user)->seen_ms < c->env->o->node_monitor_grace_ms)
            return true;
    return false;
}

static void evict(struct node_controller *c, struct pass *p, const struct object *o)
{
    struct event_about about = {
        .api_version = "v1", .kind = "Pod", .ns = o->ns, .name = o->name, .uid = o->uid
    };
    struct client_req r = { .method = "DELETE", .res = CLIENT_PODS, .ns = o->ns, .name = o->name };

    r.body_text = arena_fmt(pass_arena(p), "{\"preconditions\":{\"uid\":\"%.*s\"}}", STR_ARG(o->uid));
    event_record(c->env->events, &about, "Normal", "TaintManagerEviction",
                 "Marking for deletion Pod %.*s/%.*s", STR_ARG(o->ns), STR_ARG(o->name));
    pass_send(p, &r, 404, NULL);
}

static void evict_node_read(struct pass *p, const struct client_result *r)
{
    struct node_controller *c = pass_owner(p);
    struct object *o = informer_get(c->pods, pass_ns(p), pass_name(p)), *node;
    struct json *pod = o != NULL ? object_json(o, pass_arena(p)) : NULL;

    node = informer_get(c->nodes, STR_NONE, json_path_str(pod, "spec.nodeName"));
    if (node != NULL && str_eq(node->name, json_path_str(r->obj, "metadata.name")) &&
        eviction_due_ms(c, pod, node, r->obj) == 0)
        evict(c, p, o);
}

static void evict_sync(void *arg, struct pass *p)
{
    struct node_controller *c = arg;
    struct object *o = informer_get(c->pods, pass_ns(p), pass_name(p)), *node;
    struct arena *a = pass_arena(p);
    struct json *pod;

    if (o == NULL || !c->ready)
        return;
    pod = object_json(o, a);
    node = informer_get(c->nodes, STR_NONE, json_path_str(pod, "spec.nodeName"));
    if (node == NULL || is_being_deleted(pod))
        return;
    uint64_t due = eviction_due_ms(c, pod, node, object_json(node, a));
    if (due == UINT64_MAX)
        return;
    if (due == 0 && !any_alive(c))
        due = c->env->o->node_monitor_period_ms;
    if (due > 0) {
        pass_again_after(p, due);
        return;
    }
    struct client_req r = { .method = "GET", .res = CLIENT_NODES, .name = node->name };
    pass_send(p, &r, 404, evict_node_read);      /* as with silence: not on our word alone */
}

static void consider_evictions(struct node_controller *c, const struct json *node, struct str name)
{
    struct object *o;

    json_each(taint, json_path(node, "spec.taints")) {
        if (!str_is(json_str(json_getz(taint, "effect")), "NoExecute"))
            continue;
        for (size_t it = 0; (o = informer_by(c->pods, BY_NODE, name, &it)) != NULL;)
            workqueue_add(c->evictions, o->ns, o->name);
        return;
    }
}

static void on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    struct node_controller *c = arg;
    struct object *node;

    if (what == INFORMER_DELETE || json_path_str(json, "spec.nodeName").n == 0 || is_being_deleted(json))
        return;
    node = informer_get(c->nodes, STR_NONE, json_path_str(json, "spec.nodeName"));
    if (node != NULL && memmem(node->raw->data, node->raw->len, "NoExecute", 9) != NULL)
        workqueue_add(c->evictions, new_->ns, new_->name);
}

/* ---- The pass over one node --------------------------------------------------------------------- */

static void node_sync(void *arg, struct pass *p)
{
    struct node_controller *c = arg;
    struct object *o = informer_get(c->nodes, STR_NONE, pass_name(p));
    uint64_t now = loop_now_ms(c->env->loop), grace = c->env->o->node_monitor_grace_ms;
    const struct node_state *s;
    struct json *node;

    if (o == NULL || !c->ready)
        return;
    node = object_json(o, pass_arena(p));
    s = o->user;
    struct str ready = json_str(json_getz(condition_get(node, "Ready"), "status"));
    if (now - s->seen_ms >= grace) {
        if (!str_is(ready, "Unknown")) {
            confirm_silence(p);
            return;
        }
        mark_pods_unready(c, p);
    } else {
        pass_again_after(p, s->seen_ms + grace - now);
    }
    write_taints(c, p, node, ready);
    consider_evictions(c, node, o->name);
}

/* Everyone has the full time from here on. */
static void first_look(void *arg, struct object *o)
{
    struct node_controller *c = arg;

    saw(c, o);
    state_of(o)->tainted_ms = loop_now_ms(c->env->loop);
    workqueue_add(c->queue, STR_NONE, o->name);
}

static void node_ready(struct controller *base)
{
    struct node_controller *c = container_of(base, struct node_controller, base);

    c->ready = true;
    sweep_start(&c->sweep, c->env->loop, c->nodes, first_look, c);
}

static void node_stop(struct controller *base)
{
    struct node_controller *c = container_of(base, struct node_controller, base);
    struct object *o;

    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    workqueue_free(c->evictions);
    for (size_t it = 0; (o = informer_next(c->nodes, &it)) != NULL;)
        state_free(o);
    mem_free(c);
}

struct controller *node_lifecycle_controller(struct ctrl_env *env)
{
    struct node_controller *c = mem_new(struct node_controller);
    struct workqueue_opts qo = {
        .client = env->client, .name = "node-lifecycle", .sync = node_sync, .arg = c
    };
    struct workqueue_opts eo = {
        .client = env->client, .name = "taint-eviction", .sync = evict_sync, .arg = c
    };

    c->base = (struct controller){ node_ready, node_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->evictions = workqueue_new(&eo);
    c->nodes = shared_listen(env->shared, CLIENT_NODES, on_node, c);
    c->leases = shared_listen(env->shared, CLIENT_LEASES, on_lease, c);
    c->pods = shared_listen(env->shared, CLIENT_PODS, on_pod, c);
    return &c->base;
}
