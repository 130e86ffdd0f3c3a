/* ctrl/role_aggregation.c: cluster roles made of others (aggregationRule): their rules are those of all
 * cluster roles that one of the selectors matches, in the order of the names, each rule once. */
#include "api/selector.h"
#include "ctrl/controller.h"
#include "net/map.h"
#include <stdlib.h>

#define CLUSTER_ROLES ((struct client_resource){ "rbac.authorization.k8s.io", "v1", "clusterroles" })

struct aggregation {
    struct controller base;
    struct sweep sweep;
    struct ctrl_env *env;
    struct informer *roles;
    struct workqueue *queue;
    struct map made;                             /* names of roles that are made of others */
    bool ready;
};

/* ---- One role ---------------------------------------------------------------------------------------- */

static int by_name(const void *x, const void *y)
{
    const struct object *const *a = x, *const *b = y;

    return str_cmp((*a)->name, (*b)->name);
}

static struct object **all_by_name(const struct aggregation *c, struct arena *a, size_t *ret_n)
{
    struct object **v = arena_alloc(a, (informer_count(c->roles) + 1) * sizeof(*v)), *o;

    *ret_n = 0;
    for (size_t it = 0; (o = informer_next(c->roles, &it)) != NULL;)
        v[(*ret_n)++] = o;
    qsort(v, *ret_n, sizeof(*v), by_name);
    return v;
}

static void add_rules(struct arena *a, struct json *to, const struct json *from)
{
    json_each(rule, from) {
        bool had = false;

        json_each(it, to)
            had |= json_equal(it, rule);
        if (!had)
            json_push(to, json_copy(a, rule));
    }
}

/* NULL: a selector is none. */
static struct json *rules_of(const struct aggregation *c, struct arena *a, const struct json *role,
                             struct str own_name)
{
    struct json     *rules = json_array(a);
    size_t           n;
    struct object  **v = all_by_name(c, a, &n);

    json_each(it, json_path(role, "aggregationRule.clusterRoleSelectors")) {
        struct selector s;

        if (selector_from_json(a, it, &s, NULL) < 0)
            return NULL;
        for (size_t i = 0; i < n; i++) {
            struct json *other = object_json(v[i], a);

            if (!str_eq(v[i]->name, own_name) && selector_matches(&s, json_path(other, "metadata.labels")))
                add_rules(a, rules, json_getz(other, "rules"));
        }
    }
    return rules;
}

static void sync(void *arg, struct pass *p)
{
    struct aggregation *c = arg;
    struct arena       *a = pass_arena(p);
    struct object      *o = informer_get(c->roles, STR_NONE, pass_name(p));
    struct json        *role = o != NULL ? object_json(o, a) : NULL, *rules, *had;
    struct client_req   r = { .method = "PUT", .res = CLUSTER_ROLES, .name = pass_name(p), .body = role };

    if (!c->ready || role == NULL || json_getz(role, "aggregationRule") == NULL || is_being_deleted(role))
        return;
    rules = rules_of(c, a, role, pass_name(p));
    had = json_getz(role, "rules");
    if (rules == NULL || (json_is(had, JSON_ARRAY) ? json_equal(had, rules) : rules->n == 0))
        return;
    json_setz(a, role, "rules", rules);
    pass_expect(p, c->roles);
    pass_send(p, &r, 404, NULL);                 /* 409: somebody was faster, once more */
}

/* ---- Which roles ------------------------------------------------------------------------------------- */

static void on_role(void *arg, enum informer_change what, struct object *old, struct object *new_,
                    struct json *json)
{
    struct aggregation *c = arg;
    struct str          name = new_ != NULL ? new_->name : old->name, key;
    void               *mark;

    (void)what;
    if (new_ != NULL && json_getz(json, "aggregationRule") != NULL)
        map_put(&c->made, name, c);
    else
        map_del(&c->made, name);
    if (!c->ready)
        return;
    for (size_t i = 0; map_next(&c->made, &i, &key, &mark);)
        workqueue_add(c->queue, STR_NONE, key);
}

static void aggregation_ready(struct controller *base)
{
    struct aggregation *c = container_of(base, struct aggregation, base);

    c->ready = true;
    sweep_into(&c->sweep, c->env->loop, c->roles, c->queue);
}

static void aggregation_stop(struct controller *base)
{
    struct aggregation *c = container_of(base, struct aggregation, base);

    sweep_stop(&c->sweep);
    workqueue_free(c->queue);
    map_release(&c->made);
    mem_free(c);
}

struct controller *role_aggregation_controller(struct ctrl_env *env)
{
    struct aggregation   *c = mem_new(struct aggregation);
    struct workqueue_opts qo = {
        .client = env->client, .name = "role-aggregation", .sync = sync, .arg = c
    };

    c->base = (struct controller){ aggregation_ready, aggregation_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->roles = shared_listen(env->shared, CLUSTER_ROLES, on_role, c);
    return &c->base;
}
