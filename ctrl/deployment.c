/* ctrl/deployment.c: rolls Deployments out through ReplicaSets; see ctrl/deployment.h for its parts. */
#include <stdlib.h>
#include "api/selector.h"
#include "api/time_fmt.h"
#include "ctrl/deployment.h"

/* ---- The ReplicaSets of a Deployment ------------------------------------------------------------ */

static void adopt_or_release(struct deploy_pass *x, const struct object *set, bool adopt)
{
    struct json *patch = json_object(x->a), *meta = json_object(x->a), *refs = json_array(x->a);
    struct client_req r = { .method = "PATCH",
                            .res = CLIENT_REPLICASETS,
                            .ns = set->ns,
                            .name = set->name,
                            .body = patch,
                            .content_type = CLIENT_STRATEGIC_PATCH };

    json_setz(x->a, patch, "metadata", meta);
    json_setz(x->a, meta, "uid", json_string(x->a, set->uid));
    json_setz(x->a, meta, "ownerReferences", refs);
    if (adopt) {
        json_push(refs, owner_ref_new(x->a, "apps/v1", "Deployment", x->json));
    } else {
        struct json *gone = json_push(refs, json_object(x->a));
        json_setz(x->a, gone, "$patch", json_string_ref(x->a, STR("delete")));
        json_setz(x->a, gone, "uid", json_string(x->a, x->o->uid));
    }
    pass_send(x->pass, &r, 404, NULL);
}

static void take_set(struct deploy_pass *x, const struct object *o, const struct selector *sel, bool owned)
{
    struct json *j = object_json(o, x->a);
    bool matches = selector_matches(sel, json_path(j, "metadata.labels"));

    if (!str_eq(o->ns, x->o->ns) || is_being_deleted(j))
        return;
    if (owned != matches) {
        if (!is_being_deleted(x->json))
            adopt_or_release(x, o, matches);
        if (!matches || is_being_deleted(x->json))
            return;
    }
    x->set[x->n++] = (struct deploy_set){
        .o = o,
        .json = j,
        .replicas = json_path_i64(j, "spec.replicas", 1),
        .actual = json_path_i64(j, "status.replicas", 0),
        .ready = json_path_i64(j, "status.readyReplicas", 0),
        .available = json_path_i64(j, "status.availableReplicas", 0),
    };
}

static int older_first(const void *a, const void *b)
{
    const struct deploy_set *x = a, *y = b;
    int c = str_cmp(meta_str(x->json, "creationTimestamp"), meta_str(y->json, "creationTimestamp"));

    return c != 0 ? c : str_cmp(x->o->name, y->o->name);
}

static bool find_sets(struct deploy_pass *x)
{
    struct str orphans = orphans_key(x->a, x->o->ns, json_path(x->json, "spec.selector"));
    struct selector sel;
    struct object *o;
    size_t most = 0;

    if (selector_from_json(x->a, json_path(x->json, "spec.selector"), &sel, NULL) != 0)
        return false;
    for (size_t it = 0; informer_by(x->c->sets, BY_OWNER, x->o->uid, &it) != NULL;)
        most++;
    for (size_t it = 0; informer_by(x->c->sets, BY_OWNER, orphans, &it) != NULL;)
        most++;
    x->set = arena_alloc(x->a, (most + 1) * sizeof *x->set);
    for (size_t it = 0; (o = informer_by(x->c->sets, BY_OWNER, x->o->uid, &it)) != NULL;)
        take_set(x, o, &sel, true);
    for (size_t it = 0; (o = informer_by(x->c->sets, BY_OWNER, orphans, &it)) != NULL;)
        take_set(x, o, &sel, false);
    qsort(x->set, x->n, sizeof *x->set, older_first);
    return true;
}

/* The old one without pods whose revision is the lowest; NULL: all have pods. */
static struct deploy_set *least_recent(struct deploy_pass *x)
{
    struct deploy_set *least = NULL;

    for (size_t i = 0; i < x->n; i++) {
        struct deploy_set *s = &x->set[i];
        if (s->is_new || s->dropped || s->replicas != 0 || s->actual != 0)
            continue;
        if (least == NULL || deploy_revision_of(s->json) < deploy_revision_of(least->json))
            least = s;
    }
    return least;
}

/* Old ones without pods beyond the history limit go. */
static void clean_history(struct deploy_pass *x)
{
    int64_t keep = json_path_i64(x->json, "spec.revisionHistoryLimit", 10), old = 0;
    struct deploy_set *s;

    for (size_t i = 0; i < x->n; i++)
        old += !x->set[i].is_new;
    for (; old > keep && (s = least_recent(x)) != NULL; old--) {
        struct client_req r = {
            .method = "DELETE", .res = CLIENT_REPLICASETS, .ns = s->o->ns, .name = s->o->name
        };
        r.body_text = arena_fmt(x->a,
                                "{\"preconditions\":{\"uid\":\"%.*s\"},\"propagationPolicy\":\"Background\"}",
                                STR_ARG(s->o->uid));
        s->dropped = true;
        pass_send(x->pass, &r, 404, NULL);
    }
}

/* ---- The pass ----------------------------------------------------------------------------------- */

static void read_spec(struct deploy_pass *x)
{
    const struct json *rolling = json_path(x->json, "spec.strategy.rollingUpdate");

    x->replicas = json_path_i64(x->json, "spec.replicas", 1);
    x->paused = json_path_true(x->json, "spec.paused");
    x->recreate = str_is(json_path_str(x->json, "spec.strategy.type"), "Recreate");
    if (x->recreate)
        return;
    x->max_surge = count_or_percent(json_getz(rolling, "maxSurge"), x->replicas, true, 1);
    x->max_unavailable = MIN_OF(count_or_percent(json_getz(rolling, "maxUnavailable"), x->replicas, false, 0),
                                x->replicas);
    if (x->max_surge == 0 && x->max_unavailable == 0)
        /* percentages of few pods may round to nothing; something must move */
        x->max_unavailable = 1;
}

static void roll_out(struct deploy_pass *x)
{
    if (x->recreate)
        deploy_recreate(x);
    else if (x->new_set == NULL)
        deploy_make_new(x, deploy_new_size(x));
    else
        deploy_roll(x);
    deploy_write_revision(x);
}

static void deploy_sync(void *arg, struct pass *p)
{
    struct deploy_controller *c = arg;
    struct deploy_pass x = { .c = c, .pass = p, .a = pass_arena(p) };

    *pass_memo(p) = 0;
    if (!c->ready)
        return;
    x.o = informer_get(c->deployments, pass_ns(p), pass_name(p));
    if (x.o == NULL)
        return;
    x.json = object_json(x.o, x.a);
    read_spec(&x);
    if (!find_sets(&x))
        return;
    deploy_find_new(&x);
    if (!is_being_deleted(x.json)) {
        if (!deploy_scale_in_proportion(&x))
            roll_out(&x);
        deploy_send_scales(&x);
        if (deploy_is_complete(&x))
            clean_history(&x);
    }
    deploy_write_status(&x);
}

/* ---- What may concern a Deployment -------------------------------------------------------------- */

static void on_deployment(void *arg, enum informer_change what, struct object *old, struct object *new_,
                          struct json *json)
{
    struct deploy_controller *c = arg;
    const struct object *o = new_ != NULL ? new_ : old;

    workqueue_add(c->queue, o->ns, o->name);
}

static bool add_owner(struct deploy_controller *c, struct str ns, const struct json *obj)
{
    const struct json *ref = controller_ref(obj);

    if (ref != NULL && str_is(json_str(json_getz(ref, "kind")), "Deployment"))
        workqueue_add(c->queue, ns, json_str(json_getz(ref, "name")));
    return ref != NULL;
}

static void on_set(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    struct deploy_controller *c = arg;
    struct str ns = (new_ != NULL ? new_ : old)->ns;
    struct object *d;

    if (add_owner(c, ns, json) || what == INFORMER_DELETE)
        return;
    for (size_t it = 0; (d = informer_by(c->deployments, ONLY_BY_NAMESPACE, ns, &it)) != NULL;)
        workqueue_add(c->queue, ns, d->name);    /* nobody's: any of them may want it */
}

/* Recreate waits for the last old pod. */
static void on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    struct deploy_controller *c = arg;
    const struct json *ref = controller_ref(json);
    struct arena a = ARENA_INIT;
    struct object *set;

    if (what != INFORMER_DELETE || ref == NULL)
        return;
    set = informer_get(c->sets, old->ns, json_str(json_getz(ref, "name")));
    if (set != NULL)
        add_owner(c, old->ns, object_json(set, &a));
    arena_release(&a);
}

static void deploy_ready(struct controller *base)
{
    struct deploy_controller *c = container_of(base, struct deploy_controller, base);

    c->ready = true;
    sweep_into(&c->sweep, c->env->loop, c->deployments, c->queue);
}

static void deploy_stop(struct controller *base)
{
    struct deploy_controller *c = container_of(base, struct deploy_controller, base);

    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    mem_free(c);
}

struct controller *deployment_controller(struct ctrl_env *env)
{
    struct deploy_controller *c = mem_new(struct deploy_controller);
    struct workqueue_opts qo = { .client = env->client, .name = "deployment", .sync = deploy_sync, .arg = c };

    c->base = (struct controller){ deploy_ready, deploy_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->deployments = shared_listen(env->shared, CLIENT_DEPLOYMENTS, on_deployment, c);
    c->sets = shared_listen(env->shared, CLIENT_REPLICASETS, on_set, c);
    c->pods = shared_listen(env->shared, CLIENT_PODS, on_pod, c);
    return &c->base;
}
