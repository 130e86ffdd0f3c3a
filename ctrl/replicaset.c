/* ctrl/replicaset.c: keeps as many pods as each ReplicaSet asks for.
 *
 * One pass: take in and let go pods by selector, create or delete the difference, write the status.
 * Creation starts with one pod and doubles while it succeeds, so that a template nobody accepts costs one
 * refused call at a time. */
#include <stdlib.h>
#include "api/json_scan.h"
#include "api/selector.h"
#include "api/time_fmt.h"
#include "ctrl/controller.h"

struct rs_controller {
    struct controller base;
    struct sweep sweep;
    struct ctrl_env *env;
    struct informer *sets, *pods;
    struct workqueue *queue;
    struct map refusals;                         /* uid of a set -> why its last pod was refused */
    bool ready;
};

/* One pod as a pass sees it. */
struct rs_pod { const struct object *o; const struct json *json; int rank[6]; int64_t ready, born; };

struct rs_pass {
    struct rs_controller *c;
    struct pass *pass;
    struct arena *a;
    const struct object *set;
    const struct json *json;
    struct selector selector;
    struct rs_pod *pod; size_t n;                /* active, ours */
    struct map on_node;                          /* node -> how many of them, while ranking */
    int64_t wanted, min_ready;
};

/* The memo of a set: the calls of the last burst of creations in the upper half, how many succeeded in the
 * lower. */
#define MEMO_SENT(memo) ((int64_t)((memo) >> 32))
#define MEMO_OK(memo)   ((int64_t)((memo) & UINT32_MAX))

/* ---- Which pods are ours ------------------------------------------------------------------------ */

static void adopt_or_release(struct rs_pass *x, const struct object *pod, bool adopt)
{
    struct json *patch = json_object(x->a), *meta = json_object(x->a), *refs = json_array(x->a);
    struct client_req r = { .method = "PATCH",
                            .res = CLIENT_PODS,
                            .ns = pod->ns,
                            .name = pod->name,
                            .body = patch,
                            .content_type = CLIENT_STRATEGIC_PATCH };

    json_setz(x->a, patch, "metadata", meta);
    json_setz(x->a, meta, "uid", json_string(x->a, pod->uid));
    json_setz(x->a, meta, "ownerReferences", refs);
    if (adopt) {
        json_push(refs, owner_ref_new(x->a, "apps/v1", "ReplicaSet", x->json));
    } else {
        struct json *gone = json_push(refs, json_object(x->a));
        json_setz(x->a, gone, "$patch", json_string_ref(x->a, STR("delete")));
        json_setz(x->a, gone, "uid", json_string(x->a, x->set->uid));
    }
    pass_send(x->pass, &r, 404, NULL);
}

static void take_pod(struct rs_pass *x, const struct object *o, bool owned)
{
    const struct json *pod = object_json(o, x->a);
    bool matches = selector_matches(&x->selector, json_path(pod, "metadata.labels"));

    if (!str_eq(o->ns, x->set->ns) || !pod_is_active(pod))
        return;
    if (owned && !matches && is_being_deleted(x->json))
        return;
    if (owned && !matches) {
        adopt_or_release(x, o, false);
        return;
    }
    if (!owned && (!matches || is_being_deleted(x->json)))
        return;
    if (!owned)
        adopt_or_release(x, o, true);
    x->pod[x->n++] = (struct rs_pod){ .o = o, .json = pod };
}

static void find_pods(struct rs_pass *x)
{
    struct str orphans = orphans_key(x->a, x->set->ns, json_path(x->json, "spec.selector"));
    struct object *o;
    size_t most = 0;

    for (size_t it = 0; informer_by(x->c->pods, BY_OWNER, x->set->uid, &it) != NULL;)
        most++;
    for (size_t it = 0; informer_by(x->c->pods, BY_OWNER, orphans, &it) != NULL;)
        most++;
    x->pod = arena_alloc(x->a, (most + 1) * sizeof *x->pod);
    for (size_t it = 0; (o = informer_by(x->c->pods, BY_OWNER, x->set->uid, &it)) != NULL;)
        take_pod(x, o, true);
    for (size_t it = 0; (o = informer_by(x->c->pods, BY_OWNER, orphans, &it)) != NULL;)
        take_pod(x, o, false);
}

/* ---- More --------------------------------------------------------------------------------------- */

static struct json *new_pod(struct rs_pass *x)
{
    struct json *pod = json_object(x->a), *meta = json_object(x->a), *refs = json_array(x->a);
    const struct json *template = json_path(x->json, "spec.template");

    json_setz(x->a, pod, "apiVersion", json_string_ref(x->a, STR("v1")));
    json_setz(x->a, pod, "kind", json_string_ref(x->a, STR("Pod")));
    json_setz(x->a, pod, "metadata", meta);
    json_setf(x->a, meta, "generateName", "%.*s-", STR_ARG(x->set->name));
    json_setz(x->a, meta, "namespace", json_string(x->a, x->set->ns));
    static const char *const kept[] = { "labels", "annotations", "finalizers" };
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const struct json *v = json_getz(json_getz(template, "metadata"), kept[i]);
        if (v != NULL)
            json_setz(x->a, meta, kept[i], json_copy(x->a, v));
    }
    json_setz(x->a, meta, "ownerReferences", refs);
    json_push(refs, owner_ref_new(x->a, "apps/v1", "ReplicaSet", x->json));
    json_setz(x->a, pod, "spec", json_copy(x->a, json_getz(template, "spec")));
    return pod;
}

static struct event_about about_set(const struct object *o)
{
    return (struct event_about){
        .api_version = "apps/v1", .kind = "ReplicaSet", .ns = o->ns, .name = o->name, .uid = o->uid
    };
}

static void on_created(struct pass *p, const struct client_result *r)
{
    struct rs_controller *c = pass_owner(p);
    struct object *set = informer_get(c->sets, pass_ns(p), pass_name(p));

    if (set != NULL) {
        struct event_about about = about_set(set);
        event_record(c->env->events, &about, "Normal", "SuccessfulCreate", "Created pod: %.*s",
                     STR_ARG(meta_str(r->obj, "name")));
    }
    *pass_memo(p) += 1;
}

static void refusal_forget(struct rs_controller *c, struct str uid) { mem_free(map_del(&c->refusals, uid)); }

/* Of all calls of a pass only creations are told of: the rest is repeated in silence. */
static void on_refused(struct pass *p, const char *method, const struct client_result *r)
{
    struct rs_controller *c = pass_owner(p);
    struct object *set = informer_get(c->sets, pass_ns(p), pass_name(p));
    struct str why = r->message.n > 0 ? r->message : str_of(r->reason);

    if (set == NULL || strcmp(method, "POST") != 0)
        return;
    struct event_about about = about_set(set);
    event_record(c->env->events, &about, "Warning", "FailedCreate", "Error creating: %.*s", STR_ARG(why));
    mem_free(map_put(&c->refusals, set->uid, mem_strndup(why)));
}

static void create_pods(struct rs_pass *x, int64_t n)
{
    struct client_req r = { .method = "POST", .res = CLIENT_PODS, .ns = x->set->ns };
    int64_t sent = MEMO_SENT(*pass_memo(x->pass)), ok = MEMO_OK(*pass_memo(x->pass));

    n = MIN_OF(n, sent == 0 || ok < sent ? 1 : MIN_OF(sent * 2, CTRL_BURST));
    *pass_memo(x->pass) = (uint64_t)n << 32;
    pass_expect(x->pass, x->c->pods);
    r.body = new_pod(x);
    for (int64_t i = 0; i < n; i++)
        pass_send(x->pass, &r, 0, on_created);
    pass_again_after(x->pass, CTRL_STALE_MS);
}

/* ---- Fewer: the least useful first -------------------------------------------------------------- */

static void count_on_nodes(struct rs_pass *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct str node = json_path_str(x->pod[i].json, "spec.nodeName");
        if (node.n > 0)
            map_put(&x->on_node, node, (void *)((uintptr_t)map_get(&x->on_node, node) + 1));
    }
}

/* Each place of rank: the larger, the sooner it goes. */
static void rank_pod(const struct rs_pass *x, struct rs_pod *p)
{
    struct str phase = json_path_str(p->json, "status.phase");
    int64_t cost = 0, restarts = 0, t;
    uint32_t ns;

    str_i64(json_str(json_get(json_path(p->json, "metadata.annotations"),
                              STR("controller.kubernetes.io/pod-deletion-cost"))),
            &cost);
    json_each(c, json_path(p->json, "status.containerStatuses"))
        restarts = MAX_OF(restarts, json_path_i64(c, "restartCount", 0));
    p->rank[0] = json_path_str(p->json, "spec.nodeName").n == 0;
    p->rank[1] = str_is(phase, "Running") ? 0 : str_is(phase, "Pending") ? 2 : 1;
    p->rank[2] = !pod_is_ready(p->json);
    p->rank[3] = (int)-MAX_OF(MIN_OF(cost, INT32_MAX), -INT32_MAX);
    p->rank[4] = (int)(uintptr_t)map_get(&x->on_node, json_path_str(p->json, "spec.nodeName"));
    p->rank[5] = (int)MIN_OF(restarts, INT32_MAX);
    p->ready = time_parse(json_str(json_getz(condition_get(p->json, "Ready"), "lastTransitionTime")), &t, &ns)
                   ? t
                   : 0;
    p->born = time_parse(meta_str(p->json, "creationTimestamp"), &t, &ns) ? t : 0;
}

static int sooner(const void *a, const void *b)
{
    const struct rs_pod *x = a, *y = b;

    for (size_t i = 0; i < ARRAY_LEN(x->rank); i++) {
        if (i == 5 && x->ready != y->ready)      /* restarts count less than how long it has been ready */
            return x->ready > y->ready ? -1 : 1;
        if (x->rank[i] != y->rank[i])
            return x->rank[i] > y->rank[i] ? -1 : 1;
    }
    if (x->born != y->born)
        return x->born > y->born ? -1 : 1;
    return str_cmp(y->o->name, x->o->name);      /* so that one pass chooses as the one before it did */
}

static void on_deleted(struct pass *p, const struct client_result *r)
{
    struct rs_controller *c = pass_owner(p);
    struct object *set = informer_get(c->sets, pass_ns(p), pass_name(p));
    struct str name = json_path_str(r->obj, "details.name");

    if (name.n == 0)
        name = meta_str(r->obj, "name");
    if (set != NULL) {
        struct event_about about = about_set(set);
        event_record(c->env->events, &about, "Normal", "SuccessfulDelete", "Deleted pod: %.*s",
                     STR_ARG(name));
    }
}

static void delete_pods(struct rs_pass *x, int64_t n)
{
    count_on_nodes(x);
    for (size_t i = 0; i < x->n; i++)
        rank_pod(x, &x->pod[i]);
    map_release(&x->on_node);
    qsort(x->pod, x->n, sizeof *x->pod, sooner);
    *pass_memo(x->pass) = 0;
    pass_expect(x->pass, x->c->pods);
    for (int64_t i = 0; i < MIN_OF(n, CTRL_BURST); i++) {
        struct client_req r = {
            .method = "DELETE", .res = CLIENT_PODS, .ns = x->set->ns, .name = x->pod[i].o->name
        };
        r.body_text = arena_fmt(x->a, "{\"preconditions\":{\"uid\":\"%.*s\"}}", STR_ARG(x->pod[i].o->uid));
        pass_send(x->pass, &r, 404, on_deleted);
    }
}

/* ---- Status ------------------------------------------------------------------------------------- */

struct rs_counts { int64_t replicas, labeled, ready, available; };

static struct rs_counts count_pods(struct rs_pass *x)
{
    const struct json *labels = json_path(x->json, "spec.template.metadata.labels");
    struct rs_counts n = { .replicas = (int64_t)x->n };
    uint64_t left, soonest = 0;

    for (size_t i = 0; i < x->n; i++) {
        const struct json *pod = x->pod[i].json, *have = json_path(pod, "metadata.labels");
        bool all = true;
        json_each(l, labels)
            all &= str_eq(json_str(json_get(have, l->key)), json_str(l));
        n.labeled += all;
        n.ready += pod_is_ready(pod);
        n.available += pod_is_available(pod, x->min_ready, env_now_s(x->c->env), &left);
        if (left > 0)
            soonest = soonest == 0 ? left : MIN_OF(soonest, left);
    }
    if (soonest > 0)
        pass_again_after(x->pass, soonest);
    return n;
}

/* ReplicaFailure, while pods are refused. True: the conditions are not as they were. */
static bool set_failure(struct rs_pass *x, const struct json *old, struct json *status)
{
    const char *why = map_get(&x->c->refusals, x->set->uid);
    struct json *conditions = json_getz(old, "conditions");
    bool changed;

    if (conditions == NULL && why == NULL)
        return false;
    conditions = json_setz(x->a, status, "conditions",
                           conditions != NULL ? json_copy(x->a, conditions) : json_array(x->a));
    if (why == NULL)
        return condition_drop(conditions, "ReplicaFailure");
    changed = condition_set(x->a, conditions, "ReplicaFailure", "True", "FailedCreate", str_of(why),
                            time_text(x->a, env_now_s(x->c->env)));
    json_each(c, conditions)
        json_delz(c, "lastUpdateTime");          /* not a field of these */
    return changed;
}

static void write_status(struct rs_pass *x)
{
    struct rs_counts n = count_pods(x);
    const struct json *old = json_getz(x->json, "status");
    struct json *whole = json_copy(x->a, x->json), *status = json_object(x->a);
    const struct { const char *key; int64_t v;
    } numbers[] = {
        { "replicas", n.replicas },
        { "fullyLabeledReplicas", n.labeled },
        { "readyReplicas", n.ready },
        { "availableReplicas", n.available },
        { "observedGeneration", json_path_i64(x->json, "metadata.generation", 0) },
    };
    bool same = true;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        same &= json_i64_or(json_getz(old, numbers[i].key), 0) == numbers[i].v;
        json_setz(x->a, status, numbers[i].key, json_int(x->a, numbers[i].v));
    }
    same &= !set_failure(x, old, status);
    if (same)
        return;
    json_setz(x->a, whole, "status", status);
    struct client_req r = { .method = "PUT",
                            .res = CLIENT_REPLICASETS,
                            .ns = x->set->ns,
                            .name = x->set->name,
                            .sub = "status",
                            .body = whole };
    pass_send(x->pass, &r, 404, NULL);
}

/* ---- The pass ----------------------------------------------------------------------------------- */

static void rs_sync(void *arg, struct pass *p)
{
    struct rs_controller *c = arg;
    struct rs_pass x = { .c = c, .pass = p, .a = pass_arena(p) };

    if (!c->ready)
        return;                                  /* added again when the caches are filled */
    x.set = informer_get(c->sets, pass_ns(p), pass_name(p));
    if (x.set == NULL) {
        *pass_memo(p) = 0;
        return;
    }
    x.json = object_json(x.set, x.a);
    if (selector_from_json(x.a, json_path(x.json, "spec.selector"), &x.selector, NULL) != 0)
        return;                                  /* cannot be stored like this */
    x.wanted = json_path_i64(x.json, "spec.replicas", 1);
    x.min_ready = json_path_i64(x.json, "spec.minReadySeconds", 0);
    find_pods(&x);
    int64_t missing = x.wanted - (int64_t)x.n;
    if (missing <= 0 || MEMO_OK(*pass_memo(p)) > 0)
        refusal_forget(c, x.set->uid);
    if (is_being_deleted(x.json) || missing == 0)
        *pass_memo(p) = 0;
    else if (missing > 0)
        create_pods(&x, missing);
    else
        delete_pods(&x, -missing);
    write_status(&x);
}

/* ---- What may concern a set --------------------------------------------------------------------- */

static void rs_on_set(void *arg, enum informer_change what, struct object *old, struct object *new_,
                      struct json *json)
{
    struct rs_controller *c = arg;
    const struct object *o = new_ != NULL ? new_ : old;

    if (what == INFORMER_DELETE)
        refusal_forget(c, o->uid);
    workqueue_add(c->queue, o->ns, o->name);
}

static void add_owner(struct rs_controller *c, struct str ns, const struct json *pod)
{
    const struct json *ref = controller_ref(pod);

    if (ref != NULL && str_is(json_str(json_getz(ref, "kind")), "ReplicaSet"))
        workqueue_add(c->queue, ns, json_str(json_getz(ref, "name")));
}

/* A pod nobody controls: a set of its namespace that selects it may want it. */
static void add_candidates(struct rs_controller *c, struct str ns, const struct json *labels)
{
    struct arena a = ARENA_INIT;
    struct object *o;

    for (size_t it = 0; (o = informer_by(c->sets, BY_NAMESPACE, ns, &it)) != NULL;) {
        struct json_error err;
        struct selector sel;
        struct str text;
        struct json *j;
        arena_reset(&a);
        if (json_scan_path(blob_str(o->raw), "spec.selector", &text) && json_parse(&a, text, &j, &err) == 0 &&
            selector_from_json(&a, j, &sel, NULL) == 0 && selector_matches(&sel, labels))
            workqueue_add(c->queue, ns, o->name);
    }
    arena_release(&a);
}

/* The owner references of an object's last state, without parsing the rest of it. */
static const struct json *owners_before(const struct object *o, struct arena *a)
{
    struct json *j = json_object(a), *refs;
    struct json_error err;
    struct str text;

    if (json_scan_path(blob_str(o->raw), "metadata.ownerReferences", &text) &&
        json_parse(a, text, &refs, &err) == 0)
        json_setz(a, json_make_path(a, j, "metadata"), "ownerReferences", refs);
    return j;
}

static void rs_on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                      struct json *json)
{
    struct rs_controller *c = arg;
    struct arena a = ARENA_INIT;

    if (controller_ref(json) != NULL)
        add_owner(c, (new_ != NULL ? new_ : old)->ns, json);
    else if (what != INFORMER_DELETE)
        add_candidates(c, new_->ns, json_path(json, "metadata.labels"));
    if (what == INFORMER_UPDATE) {
        const struct json *before = owners_before(old, &a);
        if (!str_eq(controller_uid(before), controller_uid(json)))
            add_owner(c, old->ns, before);       /* let go */
    }
    arena_release(&a);
}

static void rs_ready(struct controller *base)
{
    struct rs_controller *c = container_of(base, struct rs_controller, base);

    c->ready = true;
    sweep_into(&c->sweep, c->env->loop, c->sets, c->queue);
}

static void rs_stop(struct controller *base)
{
    struct rs_controller *c = container_of(base, struct rs_controller, base);

    struct str uid;
    void *why;

    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    for (size_t it = 0; map_next(&c->refusals, &it, &uid, &why);)
        mem_free(why);
    map_release(&c->refusals);
    mem_free(c);
}

struct controller *replicaset_controller(struct ctrl_env *env)
{
    struct rs_controller *c = mem_new(struct rs_controller);
    struct workqueue_opts qo = {
        .client = env->client, .name = "replicaset", .sync = rs_sync, .on_refused = on_refused, .arg = c
    };

    c->base = (struct controller){ rs_ready, rs_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->sets = shared_listen(env->shared, CLIENT_REPLICASETS, rs_on_set, c);
    c->pods = shared_listen(env->shared, CLIENT_PODS, rs_on_pod, c);
    return &c->base;
}
