/* ctrl/resource_quota.c: quotas' status: what is limited, and how much of it is used.
 *
 * Admission adds to the usage in the transaction that stores an object (api/admit/resource_quota.c); here all
 * is counted anew when a quota comes or changes and when something of its namespace goes.  The count is as
 * good as that of admission: it is made of lists that are newer than the quota as it was read, and written
 * only if the quota is still that one; whoever was admitted meanwhile has changed it: it is counted again. */
#include "ctrl/controller.h"
#include "api/json_scan.h"
#include "api/quota.h"
#include "api/schema.h"
#include "net/http.h"

#define PAGE        "200"                        /* objects looked at per turn */
#define RECOUNT_MS  300                          /* what goes is waited for a while: much goes together */

struct quota_controller {
    struct controller base;
    struct ctrl_env *env;
    struct workqueue *queue;
    struct informer *quotas;
    struct sweep sweep;
    bool ready;
};

/* One count under way; in the pass's arena. */
struct recount {
    struct json *quota;
    struct amounts used;                           /* of every name of spec.hard */
    struct counted {
        const struct resource *res;
        struct counted *next;
    } *kinds;                                    /* still to be counted, the first of them now */
};

static struct recount *recount_of(struct pass *p)
{
    return (struct recount *)(uintptr_t)*pass_memo(p);
}

/* ---- Counting -------------------------------------------------------------------------------- */

static struct quota_kind kind_of(const struct resource *r)
{
    return (struct quota_kind){ r->kind->group, r->plural };
}

/* Kinds whose objects all use the same: their number is enough. */
static bool is_plain(const struct resource *r)
{
    static const char *const other[] = { "pods", "services", "persistentvolumeclaims" };

    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        if (r->kind->group[0] == '\0' && strcmp(r->plural, other[i]) == 0)
            return false;
    return true;
}

static void finish(struct pass *p);

static void on_page(struct pass *p, const struct client_result *r);

static void ask(struct pass *p, struct str from)
{
    const struct resource *res = recount_of(p)->kinds->res;
    struct client_req      q = {
        .method = "GET",
        .res = { res->kind->group, res->kind->version, res->plural },
        .ns = pass_ns(p),
        .query = is_plain(res) ? STR("limit=1") : STR("limit=" PAGE),
    };

    if (from.n > 0) {
        struct buf b = BUF_INIT;

        buf_z(&b, "limit=" PAGE "&continue=");
        http_escape(&b, from);
        q.query = arena_str(pass_arena(p), buf_str(&b));
        buf_release(&b);
    }
    pass_send(p, &q, 0, on_page);
}

static void next(struct pass *p)
{
    if (recount_of(p)->kinds != NULL)
        ask(p, STR_NONE);
    else
        finish(p);
}

/* Only what the quota limits counts. */
static void add(struct recount *rc, const struct amounts *its, int64_t times)
{
    for (unsigned i = 0; i < its->n; i++) {
        struct quantity *sum = amounts_get(&rc->used, its->v[i].name);

        if (sum == NULL)
            continue;
        if (times == 1)
            *sum = quantity_add(*sum, its->v[i].amount);
        else
            *sum = quantity_add(*sum, quantity_make(quantity_value(its->v[i].amount) * times,
                                                    its->v[i].amount.format));
    }
}

static void count_page(struct pass *p, const struct client_result *r)
{
    struct quota_controller *c = pass_owner(p);
    struct recount          *rc = recount_of(p);
    const struct resource   *res = rc->kinds->res;
    struct quota_kind        k = kind_of(res);
    const struct json       *items = json_getz(r->obj, "items");
    int64_t more = json_path_i64(r->obj, "metadata.remainingItemCount", 0);

    json_each(it, items) {
        struct amounts its = amounts_make(r->arena);

        if (!quota_selects(&k, json_getz(rc->quota, "spec"), it))
            continue;
        quota_usage(&its, &k, it, env_now_s(c->env));
        add(rc, &its, is_plain(res) ? more + 1 : 1);
    }
}

static void on_page(struct pass *p, const struct client_result *r)
{
    struct recount *rc = recount_of(p);
    struct str      from = json_path_str(r->obj, "metadata.continue");

    count_page(p, r);
    if (from.n > 0 && !is_plain(rc->kinds->res)) {
        ask(p, from);
        return;
    }
    rc->kinds = rc->kinds->next;
    next(p);
}

static void finish(struct pass *p)
{
    struct recount    *rc = recount_of(p);
    struct arena      *a = pass_arena(p);
    struct json       *status = json_object(a);
    const struct json *hard = json_path(rc->quota, "spec.hard");
    struct client_req  r = { .method = "PUT", .res = CLIENT_RESOURCEQUOTAS, .ns = pass_ns(p),
                             .name = pass_name(p), .sub = "status", .body = rc->quota };

    if (hard != NULL)
        json_setz(a, status, "hard", json_copy(a, hard));
    if (rc->used.n > 0)
        json_setz(a, status, "used", amounts_json(&rc->used));
    *pass_memo(p) = 0;
    if (json_equal(json_getz(rc->quota, "status"), status))
        return;
    json_setz(a, rc->quota, "status", status);
    pass_send(p, &r, 409, NULL);                 /* changed meanwhile: that change brings the next pass */
}

/* ---- A pass ---------------------------------------------------------------------------------- */

static const struct resource *find(struct str group, struct str plural)
{
    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct resource *r = &schema_resources[i];

        if (str_is(group, r->kind->group) && str_is(plural, r->plural) && r->namespaced && !r->virtual_)
            return r;
    }
    return NULL;
}

static void add_kind(struct recount *rc, struct arena *a, const struct resource *res)
{
    struct counted *k;

    for (k = rc->kinds; k != NULL; k = k->next)
        if (k->res == res)
            return;
    k = arena_new(a, struct counted);
    *k = (struct counted){ res, rc->kinds };
    rc->kinds = k;
}

/* What is counted from nothing; of a kind that is not ours to list, what admission has counted stays. */
static void begin(struct pass *p, struct recount *rc)
{
    struct arena *a = pass_arena(p);

    rc->used = amounts_make(a);
    json_each(it, json_path(rc->quota, "spec.hard")) {
        const struct json     *was = json_get(json_path(rc->quota, "status.used"), it->key);
        const struct resource *res = NULL;
        struct str             group, plural;
        struct quantity        q = QUANTITY_ZERO;

        if (quota_kind_of(a, it->key, &group, &plural))
            res = find(group, plural);
        if (res != NULL)
            add_kind(rc, a, res);
        else if (quantity_from_json(was, &q, NULL) < 0)
            q = QUANTITY_ZERO;
        amounts_add(&rc->used, it->key, q);
    }
}

static void quota_sync(void *arg, struct pass *p)
{
    struct quota_controller *c = arg;
    struct object           *o = informer_get(c->quotas, pass_ns(p), pass_name(p));
    struct recount          *rc;

    *pass_memo(p) = 0;
    if (o == NULL || !c->ready)
        return;
    rc = arena_new(pass_arena(p), struct recount);
    rc->quota = json_copy(pass_arena(p), object_json(o, pass_arena(p)));
    *pass_memo(p) = (uintptr_t)rc;
    pass_expect(p, c->quotas);
    begin(p, rc);
    next(p);
}

/* ---- What may concern a quota ---------------------------------------------------------------- */

static void recount_soon(struct quota_controller *c, struct str ns)
{
    struct object *o;

    for (size_t it = 0; (o = informer_by(c->quotas, ONLY_BY_NAMESPACE, ns, &it)) != NULL;)
        workqueue_add_after(c->queue, ns, o->name, RECOUNT_MS);
}

static bool is_settled(const struct json *quota)
{
    const struct json *hard = json_path(quota, "spec.hard"), *known = json_path(quota, "status.hard");

    return hard != NULL && known != NULL && json_equal(hard, known);
}

/* Charges change it as well: they need no count. */
static void on_quota(void *arg, enum informer_change what, struct object *old, struct object *new_,
                     struct json *json)
{
    struct quota_controller *c = arg;

    if (what == INFORMER_DELETE)
        recount_soon(c, old->ns);                /* quotas are counted, too */
    else if (what == INFORMER_ADD || !is_settled(json))
        workqueue_add(c->queue, new_->ns, new_->name);
}

static bool has_ended(const struct object *o)
{
    struct str phase;

    return json_scan_path(blob_str(o->raw), "status.phase", &phase) &&
           (str_is(phase, "\"Succeeded\"") || str_is(phase, "\"Failed\""));
}

static void on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    if (what == INFORMER_DELETE || (what == INFORMER_UPDATE && has_ended(new_) && !has_ended(old)))
        recount_soon(arg, old->ns);
}

static void on_other(void *arg, enum informer_change what, struct object *old, struct object *new_,
                     struct json *json)
{
    if (what == INFORMER_DELETE)
        recount_soon(arg, old->ns);
}

/* They use less when they change, too. */
static void on_changing(void *arg, enum informer_change what, struct object *old, struct object *new_,
                        struct json *json)
{
    if (what != INFORMER_ADD)
        recount_soon(arg, old->ns);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void quota_ready(struct controller *base)
{
    struct quota_controller *c = container_of(base, struct quota_controller, base);

    c->ready = true;
    sweep_into(&c->sweep, c->env->loop, c->quotas, c->queue);
}

static void quota_stop(struct controller *base)
{
    struct quota_controller *c = container_of(base, struct quota_controller, base);

    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    mem_free(c);
}

/* Every kind that the garbage collector follows anyway. */
static void follow(struct quota_controller *c, const struct resource *r)
{
    struct client_resource res = { r->kind->group, r->kind->version, r->plural };
    const uint32_t         need = VERB_LIST | VERB_WATCH | VERB_DELETE;

    if (!r->namespaced || r->virtual_ || r->stored_as != NULL || (r->verbs & need) != need ||
        strcmp(r->plural, "events") == 0 || strcmp(r->plural, "leases") == 0 ||
        strcmp(r->plural, "resourcequotas") == 0)
        return;
    if (is_plain(r))
        shared_listen(c->env->shared, res, on_other, c);
    else
        shared_listen(c->env->shared, res, strcmp(r->plural, "pods") == 0 ? on_pod : on_changing, c);
}

struct controller *resource_quota_controller(struct ctrl_env *env)
{
    struct quota_controller *c = mem_new(struct quota_controller);
    struct workqueue_opts    qo = { .client = env->client, .name = "resource quota", .sync = quota_sync,
                                    .arg = c };

    c->base = (struct controller){ quota_ready, quota_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    for (unsigned i = 0; i < schema_n_resources; i++)
        follow(c, &schema_resources[i]);
    c->quotas = shared_listen(env->shared, CLIENT_RESOURCEQUOTAS, on_quota, c);
    return &c->base;
}
