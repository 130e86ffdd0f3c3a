/* ctrl/namespace.c: empties namespaces that are being deleted, then lets them go.
 *
 * Everything of every kind is deleted (one deletecollection a kind); pods take their grace, objects with
 * finalizers their time: what is left is counted in the namespace's conditions and looked at again when
 * something of it goes. */
#include "api/schema.h"
#include "api/time_fmt.h"
#include "ctrl/controller.h"

/* while something is left: kinds that are not watched here */
#define AGAIN_MS 1000

struct ns_controller {
    struct controller base;
    struct sweep sweep;
    struct ctrl_env *env;
    struct informer *namespaces;
    struct workqueue *queue;
    bool ready;
};

static bool is_emptied(const struct resource *r)
{
    return r->namespaced && !r->virtual_ && r->stored_as == NULL && (r->verbs & VERB_DELETECOLLECTION) &&
           (r->verbs & VERB_LIST);
}

static struct client_resource client_res(const struct resource *r)
{
    return (struct client_resource){ r->kind->group, r->kind->version, r->plural };
}

/* The memo of a namespace: 0 not begun, then: */
#define EMPTIED  1                               /* deletions sent */
/* one more for every kind that answered what is left of it */
#define COUNTING 2
#define LEFT_1   (1ull << 32)                    /* ... and in the upper half what was found */

static void count_answer(struct pass *p) { *pass_memo(p) += 1; }
static void on_not_served(struct pass *p, const struct client_result *r) { count_answer(p); }

static void on_counted(struct pass *p, const struct client_result *r)
{
    uint64_t n = 0;

    json_each(item, json_getz(r->obj, "items"))
        n++;
    n += (uint64_t)json_path_i64(r->obj, "metadata.remainingItemCount", 0);
    *pass_memo(p) += n * LEFT_1;
    count_answer(p);
}

static unsigned n_emptied(const struct ns_controller *c)
{
    unsigned n = 0;
    struct custom_kind *k;

    for (unsigned i = 0; i < schema_n_resources; i++)
        n += is_emptied(&schema_resources[i]);
    for (size_t it = 0; (k = custom_kinds_next(c->env->customs, &it)) != NULL;)
        n += k->res.namespaced;
    return n;
}

static void send_kind(struct pass *p, struct client_req *r, const struct resource *res,
                      void (*on_ok)(struct pass *p, const struct client_result *r))
{
    r->res = client_res(res);
    pass_send_else(p, r, 404, on_ok, on_ok != NULL ? on_not_served : NULL);
}

/* Deletes and counts are separate passes: a count must see what the deletes did. */
static void each_kind(struct pass *p, struct client_req r,
                      void (*on_ok)(struct pass *p, const struct client_result *r))
{
    struct ns_controller *c = pass_owner(p);
    struct custom_kind *k;

    r.ns = pass_name(p);
    for (unsigned i = 0; i < schema_n_resources; i++)
        if (is_emptied(&schema_resources[i]))
            send_kind(p, &r, &schema_resources[i], on_ok);
    for (size_t it = 0; (k = custom_kinds_next(c->env->customs, &it)) != NULL;)
        if (k->res.namespaced)
            send_kind(p, &r, &k->res, on_ok);
    pass_again_after(p, 1);
}

static void empty(struct pass *p)
{
    *pass_memo(p) = EMPTIED;
    each_kind(
        p,
        (struct client_req){ .method = "DELETE", .body_text = STR("{\"propagationPolicy\":\"Background\"}") },
        NULL);
}

static void count(struct pass *p)
{
    *pass_memo(p) = COUNTING;
    each_kind(p, (struct client_req){ .method = "GET", .query = STR("limit=1") }, on_counted);
}

static void finalize(struct pass *p, const struct json *ns)
{
    struct arena *a = pass_arena(p);
    struct json *whole = json_copy(a, ns), *left = json_array(a);
    struct client_req r = {
        .method = "PUT", .res = CLIENT_NAMESPACES, .name = pass_name(p), .sub = "finalize", .body = whole
    };

    json_each(f, json_path(ns, "spec.finalizers"))
        if (!str_is(json_str(f), "kubernetes"))
            json_push(left, json_copy(a, f));
    json_setz(a, json_make_path(a, whole, "spec"), "finalizers", left);
    *pass_memo(p) = 0;
    pass_send(p, &r, 404, NULL);
}

static void say_remaining(struct ns_controller *c, struct pass *p, const struct json *ns, uint64_t left)
{
    struct arena *a = pass_arena(p);
    struct json *whole = json_copy(a, ns), *status = json_make_path(a, whole, "status"),
                *conds = json_getz(status, "conditions");
    struct client_req r = {
        .method = "PUT", .res = CLIENT_NAMESPACES, .name = pass_name(p), .sub = "status", .body = whole
    };

    if (conds == NULL)
        conds = json_setz(a, status, "conditions", json_array(a));
    bool changed = condition_set(
        a, conds, "NamespaceContentRemaining", "True", "SomeResourcesRemain",
        arena_fmt(a, "Some resources are remaining: at least %llu", (unsigned long long)left),
        time_text(a, env_now_s(c->env)));
    json_each(cond, conds)
        json_delz(cond, "lastUpdateTime");       /* not a field of these */
    if (changed)
        pass_send(p, &r, 409, NULL);
}

static void ns_sync(void *arg, struct pass *p)
{
    struct ns_controller *c = arg;
    struct object *o = informer_get(c->namespaces, STR_NONE, pass_name(p));
    uint64_t *memo = pass_memo(p);
    struct json *ns;

    if (o == NULL || !c->ready) {
        *memo = 0;
        return;
    }
    ns = object_json(o, pass_arena(p));
    if (!is_being_deleted(ns) || json__first(json_path(ns, "spec.finalizers")) == NULL) {
        *memo = 0;
        return;
    }
    /* every kind answered, and nothing is left: a failed call proves nothing */
    if (*memo == COUNTING + n_emptied(c)) {
        finalize(p, ns);
    } else if (*memo >= LEFT_1) {
        say_remaining(c, p, ns, *memo / LEFT_1);
        *memo = 0;
        pass_again_after(p, AGAIN_MS);
    } else if (*memo >= EMPTIED) {
        count(p);
    } else {
        empty(p);
    }
}

static void on_namespace(void *arg, enum informer_change what, struct object *old, struct object *new_,
                         struct json *json)
{
    struct ns_controller *c = arg;

    if (new_ != NULL && is_being_deleted(json))
        workqueue_add(c->queue, STR_NONE, new_->name);
}

/* The last pods are what a namespace usually waits for. */
static void on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    struct ns_controller *c = arg;
    struct object *ns;

    if (what != INFORMER_DELETE || (ns = informer_get(c->namespaces, STR_NONE, old->ns)) == NULL)
        return;
    if (memmem(ns->raw->data, ns->raw->len, "\"deletionTimestamp\"", 19) != NULL)
        workqueue_add(c->queue, STR_NONE, ns->name);
}

static void ns_ready(struct controller *base)
{
    struct ns_controller *c = container_of(base, struct ns_controller, base);

    c->ready = true;
    sweep_into(&c->sweep, c->env->loop, c->namespaces, c->queue);
}

static void ns_stop(struct controller *base)
{
    struct ns_controller *c = container_of(base, struct ns_controller, base);

    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    mem_free(c);
}

struct controller *namespace_controller(struct ctrl_env *env)
{
    struct ns_controller *c = mem_new(struct ns_controller);
    struct workqueue_opts qo = { .client = env->client, .name = "namespace", .sync = ns_sync, .arg = c };

    c->base = (struct controller){ ns_ready, ns_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->namespaces = shared_listen(env->shared, CLIENT_NAMESPACES, on_namespace, c);
    shared_listen(env->shared, CLIENT_PODS, on_pod, c);
    return &c->base;
}
