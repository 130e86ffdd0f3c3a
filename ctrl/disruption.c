/* ctrl/disruption.c: computes for every PodDisruptionBudget how many pods may be evicted now; the eviction
 * subresource refuses more.  The expected number of pods comes from the controllers that own them
 * (ReplicaSets and their Deployments); pods without one count as themselves. */
#include "api/json_scan.h"
#include "api/selector.h"
#include "api/time_fmt.h"
#include "ctrl/controller.h"

/* an eviction that did not lead to a deletion is forgotten */
#define DISRUPTED_MS 120000

struct pdb_controller {
    struct controller base;
    struct sweep sweep;
    struct ctrl_env *env;
    struct informer *budgets, *pods, *sets, *deployments;
    struct workqueue *queue;
    bool ready;
};

struct pdb_counts { int64_t expected, healthy, wanted; };

/* ---- Counting ----------------------------------------------------------------------------------- */

/* The object that a reference means, if the cache has that very one. */
static struct json *referred(struct informer *by, const struct json *ref, struct str ns, struct arena *a)
{
    struct object *o = ref != NULL ? informer_get(by, ns, json_str(json_getz(ref, "name"))) : NULL;

    return o != NULL && str_eq(o->uid, json_str(json_getz(ref, "uid"))) ? object_json(o, a) : NULL;
}

/* Each controller once: what its spec asks for. A Deployment's sets are one. */
static int64_t expected_of(struct pdb_controller *c, struct arena *a, struct map *seen,
                           const struct object *o, const struct json *pod)
{
    const struct json *ref = controller_ref(pod);
    struct json *set, *deployment;

    if (ref == NULL)
        return 1;
    if (map_put(seen, json_str(json_getz(ref, "uid")), (void *)1) != NULL)
        return 0;
    set = referred(c->sets, ref, o->ns, a);
    if (set == NULL)
        return 1;
    deployment = referred(c->deployments, controller_ref(set), o->ns, a);
    if (deployment == NULL)
        return json_path_i64(set, "spec.replicas", 1);
    return map_put(seen, controller_uid(set), (void *)1) == NULL
               ? json_path_i64(deployment, "spec.replicas", 1)
               : 0;
}

/* Pods that an eviction has marked are on their way out though they may still look healthy. */
static bool is_disrupted(struct pdb_controller *c, const struct json *budget, const struct object *pod)
{
    int64_t since;
    uint32_t ns;

    if (!time_parse(json_str(json_get(json_path(budget, "status.disruptedPods"), pod->name)), &since, &ns))
        return false;
    return env_now_s(c->env) < since + DISRUPTED_MS / 1000;
}

static struct pdb_counts count(struct pdb_controller *c, struct pass *p, const struct json *budget,
                               struct json *disrupted)
{
    struct arena *a = pass_arena(p);
    struct pdb_counts n = { 0 };
    struct map seen = MAP_INIT;
    struct selector sel;
    struct object *o;
    int64_t pods = 0;

    if (selector_from_json(a, json_path(budget, "spec.selector"), &sel, NULL) != 0)
        return n;
    for (size_t it = 0; (o = informer_by(c->pods, BY_NAMESPACE, pass_ns(p), &it)) != NULL;) {
        struct str labels = STR_NONE;
        json_scan_path(blob_str(o->raw), "metadata.labels", &labels);
        if (!selector_matches_text(&sel, labels))
            continue;
        struct json *pod = object_json(o, a);
        if (pod_has_ended(pod))
            continue;
        pods++;
        n.expected += expected_of(c, a, &seen, o, pod);
        if (is_being_deleted(pod))
            continue;
        if (is_disrupted(c, budget, o)) {
            json_set(a, disrupted, o->name,
                     json_copy(a, json_get(json_path(budget, "status.disruptedPods"), o->name)));
            pass_again_after(p, DISRUPTED_MS);
            continue;
        }
        n.healthy += pod_is_ready(pod);
    }
    map_release(&seen);
    const struct json *max = json_path(budget, "spec.maxUnavailable"),
                      *min = json_path(budget, "spec.minAvailable");
    if (max == NULL && json_is(min, JSON_NUMBER))
        /* a number needs nobody's opinion of how many there should be */
        n.expected = pods;
    if (max != NULL)
        n.wanted = MAX_OF(n.expected - count_or_percent(max, n.expected, true, 0), 0);
    else
        n.wanted = count_or_percent(min, n.expected, true, 1);
    return n;
}

/* ---- The pass ----------------------------------------------------------------------------------- */

static void pdb_sync(void *arg, struct pass *p)
{
    struct pdb_controller *c = arg;
    struct object *o = informer_get(c->budgets, pass_ns(p), pass_name(p));
    struct arena *a = pass_arena(p);

    if (o == NULL || !c->ready)
        return;
    struct json *whole = object_json(o, a), *disrupted = json_object(a), *status = json_object(a);
    struct pdb_counts n = count(c, p, whole, disrupted);
    int64_t allowed = n.expected > 0 ? MAX_OF(n.healthy - n.wanted, 0) : 0;
    const struct json *old = json_getz(whole, "status");
    struct json *conditions = json_getz(old, "conditions") != NULL
                                  ? json_copy(a, json_getz(old, "conditions"))
                                  : json_array(a);
    const struct { const char *key; int64_t v;
    } numbers[] = {
        { "disruptionsAllowed", allowed },
        { "currentHealthy", n.healthy },
        { "desiredHealthy", n.wanted },
        { "expectedPods", n.expected },
        { "observedGeneration", json_path_i64(whole, "metadata.generation", 0) },
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        json_setz(a, status, numbers[i].key, json_int(a, numbers[i].v));
    if (disrupted->n > 0)
        json_setz(a, status, "disruptedPods", disrupted);
    condition_set(a, conditions, "DisruptionAllowed", allowed > 0 ? "True" : "False",
                  allowed > 0 ? "SufficientPods" : "InsufficientPods", STR_NONE,
                  time_text(a, env_now_s(c->env)));
    json_each(cond, conditions)
        json_delz(cond, "lastUpdateTime");       /* not a field of these */
    json_setz(a, status, "conditions", conditions);
    if (old != NULL && json_equal(old, status))
        return;
    json_setz(a, whole, "status", status);
    struct client_req r = {
        .method = "PUT", .res = CLIENT_PDBS, .ns = o->ns, .name = o->name, .sub = "status", .body = whole
    };
    pass_send(p, &r, 404, NULL);
}

/* ---- What may concern a budget ------------------------------------------------------------------ */

static void on_budget(void *arg, enum informer_change what, struct object *old, struct object *new_,
                      struct json *json)
{
    struct pdb_controller *c = arg;

    if (new_ != NULL)
        workqueue_add(c->queue, new_->ns, new_->name);
}

static bool selects(const struct object *budget, struct arena *a, struct str labels)
{
    struct json_error err;
    struct selector sel;
    struct str text;
    struct json *j = NULL;

    if (json_scan_path(blob_str(budget->raw), "spec.selector", &text) && json_parse(a, text, &j, &err) != 0)
        return true;
    return selector_from_json(a, j, &sel, NULL) == 0 && selector_matches_text(&sel, labels);
}

static struct str labels_of(const struct object *o)
{
    struct str labels = STR_NONE;

    if (o != NULL)
        json_scan_path(blob_str(o->raw), "metadata.labels", &labels);
    return labels;
}

static void on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    struct pdb_controller *c = arg;
    struct arena a = ARENA_INIT;
    struct object *o;

    for (size_t it = 0;
         (o = informer_by(c->budgets, ONLY_BY_NAMESPACE, (new_ != NULL ? new_ : old)->ns, &it)) != NULL;)
        if (selects(o, &a, labels_of(new_)) || selects(o, &a, labels_of(old)))
            workqueue_add(c->queue, o->ns, o->name);
    arena_release(&a);
}

/* Sets and Deployments: their sizes count. */
static void on_owner(void *arg, enum informer_change what, struct object *old, struct object *new_,
                     struct json *json)
{
    struct pdb_controller *c = arg;
    struct object *o;
    struct str was, is;

    if (what == INFORMER_UPDATE && json_scan_path(blob_str(old->raw), "spec.replicas", &was) &&
        json_scan_path(blob_str(new_->raw), "spec.replicas", &is) && str_eq(was, is))
        return;
    for (size_t it = 0;
         (o = informer_by(c->budgets, ONLY_BY_NAMESPACE, (new_ != NULL ? new_ : old)->ns, &it)) != NULL;)
        workqueue_add(c->queue, o->ns, o->name);
}

static void pdb_ready(struct controller *base)
{
    struct pdb_controller *c = container_of(base, struct pdb_controller, base);

    c->ready = true;
    sweep_into(&c->sweep, c->env->loop, c->budgets, c->queue);
}

static void pdb_stop(struct controller *base)
{
    struct pdb_controller *c = container_of(base, struct pdb_controller, base);

    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    mem_free(c);
}

struct controller *disruption_controller(struct ctrl_env *env)
{
    struct pdb_controller *c = mem_new(struct pdb_controller);
    struct workqueue_opts qo = { .client = env->client, .name = "disruption", .sync = pdb_sync, .arg = c };

    c->base = (struct controller){ pdb_ready, pdb_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->budgets = shared_listen(env->shared, CLIENT_PDBS, on_budget, c);
    c->pods = shared_listen(env->shared, CLIENT_PODS, on_pod, c);
    c->sets = shared_listen(env->shared, CLIENT_REPLICASETS, on_owner, c);
    c->deployments = shared_listen(env->shared, CLIENT_DEPLOYMENTS, on_owner, c);
    return &c->base;
}
