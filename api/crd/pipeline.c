/* api/crd/pipeline.c: see api/crd/pipeline.h. */
#include "api/answer.h"
#include "api/crd/pipeline.h"

struct held_custom { struct custom *custom; struct held_custom *next; };

static bool use(struct call *c, struct custom_version *v)
{
    struct held_custom *h = arena_new(c->arena, struct held_custom);
    bool writes = c->rq.verb == API_CREATE || c->rq.verb == API_UPDATE || c->rq.verb == API_PATCH;
    struct errbuf err;

    if (writes && custom_compile(v, &err) < 0) {
        call_fail(c, 500, REASON_INTERNAL,
                  "Internal error occurred: the schema of %s/%s %s cannot be used: %s", v->kind.group,
                  v->kind.version, v->kind.kind, err.s);
        return false;
    }
    *h = (struct held_custom){ custom_ref(v->of), c->held };
    c->held = h;
    c->custom = v->of;
    c->res = &v->res;
    c->info = &v->info;
    return true;
}

void call_forget_customs(struct call *c)
{
    for (struct held_custom *h = c->held; h != NULL; h = h->next)
        custom_unref(h->custom);
    c->held = NULL;
    c->custom = NULL;
}

static struct custom_version *find(const struct call *c)
{
    return registry_find(c->api->registry, c->rq.group, c->rq.version, c->rq.resource);
}

static void no_conversion(struct call *c, const struct custom_version *v)
{
    call_fail(c, 500, REASON_INTERNAL,
              "conversion webhook for %s/%s, Kind=%s failed: this server does not call conversion webhooks",
              v->kind.group, v->kind.version, v->kind.kind);
}

bool custom_route(struct call *c, void (*again)(struct call *c))
{
    struct custom_version *v = find(c);

    if (v == NULL && !c->fresh && str_find(c->rq.group, '.') > 0) {
        call_when_fresh(c, again);               /* perhaps made a moment ago, through another head */
        return false;
    }
    if (v == NULL) {
        call_no_such_path(c);
        return false;
    }
    if (v->of->webhook && !v->storage) {         /* all that is stored is of another version */
        no_conversion(c, v);
        return false;
    }
    if (!use(c, v))
        return false;
    if (v->warning.n > 0)
        cause_add(&c->warnings, CAUSE_INVALID, NULL, "%.*s", STR_ARG(v->warning));
    return true;
}

bool custom_convertible(struct call *c, struct str stored)
{
    if (c->custom == NULL || !custom_needs_webhook(custom_of(c->res), stored))
        return true;
    no_conversion(c, custom_of(c->res));
    return false;
}

bool custom_renew(struct call *c)
{
    struct custom_version *v;

    if (c->custom == NULL || registry_is_current(c->api->registry, c->custom))
        return true;
    v = find(c);
    if (v == NULL) {
        call_no_such_path(c);
        return false;
    }
    if (!use(c, v))
        return false;
    if (c->sub != NULL && (c->sub = resource_sub_find(c->res, c->rq.subresource)) == NULL) {
        call_no_such_path(c);
        return false;
    }
    return true;
}

bool custom_may_create(struct call *c)
{
    if (c->custom == NULL || !c->custom->ending)
        return true;
    call_fail(c, 405, REASON_METHOD,
              "create not allowed while custom resource definition is terminating");
    return false;
}

void custom_txn_if(struct store_txn *t, struct call *c)
{
    const struct resource *r;

    if (c->custom == NULL)
        return;
    r = resource_find(STR("apiextensions.k8s.io"), STR("v1"), STR("customresourcedefinitions"));
    must(r != NULL);
    store_txn_if(t, call_key(c, r, STR_NONE, c->custom->name), STORE_MOD, STORE_EQ, c->custom->mod_rev);
}

const struct schema_kind *custom_stored_kind(const struct call *c)
{
    return c->custom != NULL ? &custom_storage(c->custom)->kind : c->info->base->kind;
}
