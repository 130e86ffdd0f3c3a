/* api/admit.c: see api/admit.h: the steps of an admission through the rows of the table. */
#include <stdarg.h>
#include "api/admit/plugin.h"
#include "api/json_scan.h"
#include "api/registry.h"

/* ---- Which rows ---------------------------------------------------------------------------------------- */

static bool concerns(const struct admit_plugin *p, const struct resource *r)
{
    for (const struct admit_match *m = p->match; m->ops != 0; m++)
        if (m->plural == NULL || (strcmp(m->plural, r->plural) == 0 && strcmp(m->group, r->kind->group) == 0))
            return true;
    return false;
}

/* Looked for once for each resource. */
static uint64_t plugins_of(const struct admit *t, struct resource_info *info)
{
    if (info->admits != 0)
        return info->admits;
    for (unsigned i = 0; i < admit_n_plugins; i++)
        if ((t->on >> i & 1) != 0 && concerns(admit_plugins[i], info->base))
            info->admits |= 1ull << i;
    return info->admits;
}

static bool fits(const struct admit_match *m, const struct admission *a)
{
    const struct resource *r = a->k->res;
    const char            *sub = a->k->sub != NULL ? a->k->sub->name : NULL;

    if ((m->ops & a->op) == 0)
        return false;
    if (m->plural != NULL && (strcmp(m->plural, r->plural) != 0 || strcmp(m->group, r->kind->group) != 0))
        return false;
    if (m->sub == NULL || sub == NULL)
        return sub == NULL && (m->sub == NULL || strcmp(m->sub, "*") == 0);
    return strcmp(m->sub, "*") == 0 || strcmp(m->sub, sub) == 0;
}

/* ---- Steps --------------------------------------------------------------------------------------------- */

/* True: done with this row. */
static bool ask(struct admission *a, const struct admit_plugin *p)
{
    for (const struct admit_match *m = p->match; m->ops != 0; m++) {
        void (*now)(struct admission *) = a->validating ? m->validate : m->mutate;
        bool (*later)(struct admission *) = a->validating ? m->validate_later : m->mutate_later;

        if ((now == NULL && later == NULL) || !fits(m, a))
            continue;
        if (later != NULL)
            return later(a);
        now(a);
        return true;
    }
    return true;
}

static bool rows_go(struct admission *a)
{
    while (a->k->refused == 0 && a->at < admit_n_plugins && a->plugins >> a->at != 0) {
        const struct admit_plugin *p = admit_plugins[a->at];

        if ((a->plugins >> a->at & 1) != 0 && !ask(a, p)) {
            must(a->suspended);
            return false;
        }
        a->at++;
    }
    return true;
}

static void go(struct admission *a)
{
    if (!rows_go(a))
        return;
    if (!a->validating && a->changed && !a->again && a->k->refused == 0) {
        a->again = true;
        a->at = 0;
        if (!rows_go(a))
            return;
    }
    a->then(a);
}

static void start(struct admission *a, bool validating, void (*then)(struct admission *a))
{
    must(!a->suspended && a->k->refused == 0);
    a->validating = validating;
    a->at = 0;
    a->then = then;
    go(a);
}

void admit_begin(struct admission *a, struct call *c, struct kind_ctx *k, enum admit_op op)
{
    *a = (struct admission){ .call = c, .k = k, .op = op };
    a->plugins = plugins_of(c->api->admit, api_info(c->api, c->res));
    a->kind = k->sub != NULL && k->sub->kind != NULL ? k->sub->kind : k->res->kind;
    qinit(&a->link);
}

void admit_mutate(struct admission *a, void (*then)(struct admission *a))
{
    start(a, false, then);
}

void admit_validate(struct admission *a, void (*then)(struct admission *a))
{
    start(a, true, then);
}

static void decide_validating(struct admission *a)
{
    if (a->k->refused != 0)
        a->decided(a);
    else
        admit_validate(a, a->decided);
}

void admit_decide(struct admission *a, void (*then)(struct admission *a))
{
    a->decided = then;
    admit_mutate(a, decide_validating);
}

/* ---- Waiting ------------------------------------------------------------------------------------------- */

void admit_suspend(struct admission *a, void (*cancel)(struct admission *a))
{
    must(!a->suspended && cancel != NULL);
    a->suspended = true;
    a->cancel = cancel;
    if (a->held == NULL && a->stored != NULL)
        a->held = blob_ref(a->stored);
    qdel(&a->link);
    qpush(&a->call->admissions, &a->link);
}

void admit_renew(struct admission *a)
{
    a->k->view = store_live(a->call->api->store);
}

void admit_resume(struct admission *a)
{
    must(a->suspended);
    a->suspended = false;
    a->cancel = NULL;
    admit_renew(a);
    a->at++;
    go(a);
}

void admit_release(struct admission *a)
{
    if (a->call == NULL)
        return;                                  /* never began */
    qdel(&a->link);
    qinit(&a->link);
    if (a->suspended) {
        a->suspended = false;
        a->cancel(a);
    }
    a->held = blob_unref(a->held);
}

void admit_release_all(struct call *c)
{
    while (!qempty(&c->admissions))
        admit_release(container_of(qfirst(&c->admissions), struct admission, link));
    admit_turn_end(c);
}

/* ---- For plugins ----------------------------------------------------------------------------- */

void *admit_state(const struct admission *a)
{
    return a->call->api->admit->state[a->at];
}

void admit_refuse(struct admission *a, const char *fmt, ...)
{
    struct str why;
    va_list    ap;

    va_start(ap, fmt);
    why = arena_vfmt(a->k->arena, fmt, ap);
    va_end(ap);
    kind_refuse(a->k, 403, REASON_FORBIDDEN, "%.*s", STR_ARG(why));
}

void admit_note(struct admission *a, const char *key, struct str value)
{
    struct admit_note *n = arena_new(a->call->arena, struct admit_note);

    n->key = str_of(key);
    n->value = arena_str(a->call->arena, value);
    n->next = a->call->notes;
    a->call->notes = n;
}

const struct json *admit_old(struct admission *a)
{
    struct json_error why;
    struct json      *old;

    if (a->old == NULL && a->stored != NULL &&
        json_parse(a->k->arena, blob_str(a->stored), &old, &why) == 0)
        a->old = old;
    return a->old;
}

bool admit_is(const struct admission *a, const char *group, const char *plural, const char *sub)
{
    const struct resource *r = a->k->res;

    return strcmp(r->plural, plural) == 0 && strcmp(r->kind->group, group) == 0 &&
           strcmp(a->k->sub != NULL ? a->k->sub->name : "", sub) == 0;
}

static bool is_kind(const struct resource *r, struct str group, struct str version, struct str kind)
{
    return !r->virtual_ && str_is(kind, r->kind->kind) && str_is(group, r->kind->group) &&
           str_is(version, r->kind->version);
}

const struct resource *admit_resource_of(struct admission *a, struct str api_version, struct str kind)
{
    const struct resource_set *all = registry_all(a->call->api->registry);
    struct str                 group = STR_NONE, version = api_version;
    ptrdiff_t                  slash = str_find(api_version, '/');

    if (slash >= 0) {
        group = str_upto(api_version, (size_t)slash);
        version = str_from(api_version, (size_t)slash + 1);
    }
    for (unsigned i = 0; i < all->n; i++)
        if (is_kind(all->at[i], group, version, kind))
            return all->at[i];
    return NULL;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

void admit_list_open(struct admit_list *l, struct admission *a, const char *group, const char *plural,
                     struct str ns)
{
    const struct resource *r = resource_find(str_of(group), STR("v1"), str_of(plural));
    struct str             prefix;

    must(r != NULL);
    *l = (struct admit_list){ .a = a, .plural = plural };
    prefix = r->namespaced ? arena_fmt(a->k->arena, "/registry/%s/%.*s/", r->storage, STR_ARG(ns))
                           : arena_fmt(a->k->arena, "/registry/%s/", r->storage);
    l->to = store_prefix_end(a->k->arena, prefix);
    store_seek(&l->cursor, a->k->view, prefix, l->to);
}

bool admit_list_next(struct admit_list *l)
{
    if (!store_next(&l->cursor, &l->kv))
        return false;
    if (++l->n <= ADMIT_LIST_MAX)
        return true;
    admit_refuse(l->a, "there are more than %d %s that all have to be looked at", ADMIT_LIST_MAX, l->plural);
    return false;
}

bool admit_list_says(const struct admit_list *l, const char *path, const char *raw)
{
    struct str text;

    return json_scan_path(blob_str(l->kv.value), path, &text) && str_is(text, raw);
}

struct json *admit_list_json(const struct admit_list *l)
{
    struct arena     *arena = l->a->k->arena;
    struct json_error why;
    struct json      *obj;

    return json_parse(arena, arena_str(arena, blob_str(l->kv.value)), &obj, &why) == 0 ? obj : NULL;
}
