/* api/policy/set.c: the policies and bindings that this head knows, as its store has them. */
#include "api/policy/policy.h"
#include "net/map.h"

struct policies {
    struct mirror_feed *policy_feed, *binding_feed;
    struct map by_name, bindings;                /* struct policy, struct policy_binding */
};

static void on_policy(void *arg, const struct mirror_event *ev)
{
    struct policies *t = arg;
    struct policy   *p = ev->what == MIRROR_PUT ? policy_new(ev) : NULL;

    policy_free(p != NULL ? map_put(&t->by_name, ev->name, p) : map_del(&t->by_name, ev->name));
}

static void on_binding(void *arg, const struct mirror_event *ev)
{
    struct policies       *t = arg;
    struct policy_binding *b = ev->what == MIRROR_PUT ? policy_binding_new(ev) : NULL;

    policy_binding_free(b != NULL ? map_put(&t->bindings, ev->name, b) : map_del(&t->bindings, ev->name));
}

static struct mirror_feed *follow(struct policies *t, struct mirror *m, const char *plural,
                                  void (*on_event)(void *arg, const struct mirror_event *ev))
{
    struct mirror_opts o = {
        .res = resource_find(STR("admissionregistration.k8s.io"), STR("v1"), str_of(plural)), .vital = true,
        .on_event = on_event, .arg = t,
    };

    return mirror_follow(m, &o);
}

struct policies *policies_new(struct mirror *m)
{
    struct policies *t = mem_new(struct policies);

    t->policy_feed = follow(t, m, "validatingadmissionpolicies", on_policy);
    t->binding_feed = follow(t, m, "validatingadmissionpolicybindings", on_binding);
    return t;
}

void policies_free(struct policies *t)
{
    struct str key;
    void      *v;

    if (t == NULL)
        return;
    mirror_unfollow(t->policy_feed);
    mirror_unfollow(t->binding_feed);
    for (size_t i = 0; map_next(&t->by_name, &i, &key, &v);)
        policy_free(v);
    for (size_t i = 0; map_next(&t->bindings, &i, &key, &v);)
        policy_binding_free(v);
    map_release(&t->by_name);
    map_release(&t->bindings);
    mem_free(t);
}

void policies_ask(struct policies *t, struct admission *a)
{
    struct str key;
    void      *v;

    for (size_t i = 0; a->k->refused == 0 && map_next(&t->bindings, &i, &key, &v);) {
        const struct policy_binding *b = v;
        const struct policy         *p = map_get(&t->by_name, b->policy);
        if (p != NULL && scope_covers(&p->scope, a) && scope_covers(&b->scope, a))
            policy_ask(p, b, a);
    }
}
