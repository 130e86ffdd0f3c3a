/* ctrl/disruption.c: computes for every PodDisruptionBudget how many pods may be evicted now; the eviction subresource
 * refuses more.  The expected number of pods comes from the controllers that own them (ReplicaSets and their
 * Deployments); pods without one count as themselves. */
#include "api/selector.h"
#include "api/time_fmt.h"
#include "ctrl/controller.h"

#define DISRUPTED_MS 120000                      /* an eviction that did not lead to a deletion is forgotten */

struct pdb_controller {
    struct controller base;
    struct ctrl_env *env;
    struct informer *budgets, *pods, *sets;
    struct workqueue *queue;
    bool ready;
};

struct pdb_counts { int64_t expected, healthy, wanted; };

/* ---- Counting ------------------------------------------------------------------------------------------------- */

/* Each controller once: what its spec asks for. */
static int64_t expected_of(struct pdb_controller *c, struct arena *a, struct map *seen, const struct object *o, const struct json *pod)
{
    const struct json *ref = controller_ref(pod);
    struct object *set;

    if (ref == NULL)
        return 1;
    if (map_put(seen, json_str(json_getz(ref, "uid")), (void *)1) != NULL)
        return 0;
    set = informer_get(c->sets, o->ns, json_str(json_getz(ref, "name")));
    return set != NULL ? json_path_i64(object_json(set, a), "spec.replicas", 1) : 1;
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

static struct pdb_counts count(struct pdb_controller *c, struct pass *p, const struct json *budget, struct json *disrupted)
{
    struct arena *a = pass_arena(p);
    struct pdb_counts n = { 0 };
    struct map seen = MAP_INIT;
    struct selector sel;
    struct object *o;

    if (selector_from_json(a, json_path(budget, "spec.selector"), &sel, NULL) != 0)
        return n;
    for (size_t it = 0; (o = informer_next(c->pods, &it)) != NULL;) {
        if (!str_eq(o->ns, pass_ns(p)))
            continue;
        struct json *pod = object_json(o, a);
        if (!selector_matches(&sel, json_path(pod, "metadata.labels")) || pod_has_ended(pod))
            continue;
        n.expected += expected_of(c, a, &seen, o, pod);
        if (is_being_deleted(pod))
            continue;
        if (is_disrupted(c, budget, o)) {
            json_set(a, disrupted, o->name, json_copy(a, json_get(json_path(budget, "status.disruptedPods"), o->name)));
            pass_again_after(p, DISRUPTED_MS);
            continue;
        }
        n.healthy += pod_is_ready(pod);
    }
    map_release(&seen);
    const struct json *max = json_path(budget, "spec.maxUnavailable"), *min = json_path(budget, "spec.minAvailable");
    if (max != NULL)
        n.wanted = MAX_OF(n.expected - count_or_percent(max, n.expected, true, 0), 0);
    else
        n.wanted = count_or_percent(min, n.expected, true, 1);
    return n;
}

/* ---- The pass ---------------------------------------------------------------------------------------------------- */

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
    struct json *conditions = json_getz(old, "conditions") != NULL ? json_copy(a, json_getz(old, "conditions")) : json_array(a);
    const struct { const char *key; int64_t v; } numbers[] = {
        { "disruptionsAllowed", allowed }, { "currentHealthy", n.healthy }, { "desiredHealthy", n.wanted }, { "expectedPods", n.expected },
        { "observedGeneration", json_path_i64(whole, "metadata.generation", 0) },
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        json_setz(a, status, numbers[i].key, json_int(a, numbers[i].v));
    if (disrupted->n > 0)
        json_setz(a, status, "disruptedPods", disrupted);
    condition_set(a, conditions, "DisruptionAllowed", allowed > 0 ? "True" : "False", allowed > 0 ? "SufficientPods" : "InsufficientPods",
                  STR_NONE, time_text(a, env_now_s(c->env)));
    json_each(cond, conditions)
        json_delz(cond, "lastUpdateTime");       /* not a field of these */
    json_setz(a, status, "conditions", conditions);
    if (old != NULL && json_equal(old, status))
        return;
    json_setz(a, whole, "status", status);
    struct client_req r = { .method = "PUT", .res = CLIENT_PDBS, .ns = o->ns, .name = o->name, .sub = "status", .body = whole };
    pass_send(p, &r, 404, NULL);
}

/* ---- What may concern a budget -------------------------------------------------------------------------------------- */

static void on_budget(void *arg, enum informer_change what, struct object *old, struct object *new_, struct json *json)
{
    struct pdb_controller *c = arg;

    if (new_ != NULL)
        workqueue_add(c->queue, new_->ns, new_->name);
}

static void on_pod_or_set(void *arg, enum informer_change what, struct object *old, struct object *new_, struct json *json)
{
    struct pdb_controller *c = arg;
    struct str ns = (new_ != NULL ? new_ : old)->ns;
    struct object *o;

    for (size_t it = 0; (o = informer_next(c->budgets, &it)) != NULL;)
        if (str_eq(o->ns, ns))
            workqueue_add(c->queue, o->ns, o->name);
}

static void pdb_ready(struct controller *base)
{
    struct pdb_controller *c = container_of(base, struct pdb_controller, base);
    struct object *o;

    c->ready = true;
    for (size_t it = 0; (o = informer_next(c->budgets, &it)) != NULL;)
        workqueue_add(c->queue, o->ns, o->name);
}

static void pdb_stop(struct controller *base)
{
    struct pdb_controller *c = container_of(base, struct pdb_controller, base);

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
    c->pods = shared_listen(env->shared, CLIENT_PODS, on_pod_or_set, c);
    c->sets = shared_listen(env->shared, CLIENT_REPLICASETS, on_pod_or_set, c);
    return &c->base;
}
