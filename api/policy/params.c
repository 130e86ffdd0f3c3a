/* api/policy/params.c: the objects that a policy's parameters come from. */
#include "api/call.h"
#include "api/policy/policy.h"
#include "api/registry.h"

/* ---- The resource of a kind ------------------------------------------------------------------------- */

struct search { struct str version, kind; const struct resource *found; };

static bool is_version(struct str api_version, const struct schema_kind *k)
{
    struct str group = STR(""), version = api_version;
    ptrdiff_t  slash = str_find(api_version, '/');

    if (slash >= 0) {
        group = str_upto(api_version, (size_t)slash);
        version = str_from(api_version, (size_t)slash + 1);
    }
    return str_is(group, k->group) && str_is(version, k->version);
}

static void try_resource(struct search *s, const struct resource *r)
{
    if (s->found == NULL && str_is(s->kind, r->kind->kind) && is_version(s->version, r->kind) && !r->virtual_)
        s->found = r;
}

static void on_custom(void *arg, struct custom_version *v) { try_resource(arg, &v->res); }

static const struct resource *resource_of(const struct policy *p, const struct admission *a)
{
    struct search s = { p->param_version, p->param_kind, NULL };

    for (unsigned i = 0; i < schema_n_resources; i++)
        try_resource(&s, &schema_resources[i]);
    if (s.found == NULL)
        registry_each(a->call->api->registry, on_custom, &s);
    return s.found;
}

/* ---- Objects ---------------------------------------------------------------------------------------- */

struct params { const struct json **list; unsigned n; };

static const struct json *read_object(struct admission *a, const struct store_kv *kv)
{
    struct json_error why;
    struct json      *obj;

    return json_parse(a->k->arena, arena_str(a->k->arena, blob_str(kv->value)), &obj, &why) == 0 ? obj : NULL;
}

static void by_name(struct params *to, struct admission *a, const struct resource *r, struct str ns,
                    struct str name)
{
    struct store_kv    kv;
    const struct json *obj;

    if (str_find(name, '/') >= 0 || str_find(ns, '/') >= 0 ||
        !store_get(a->k->view, kind_object_key(a->k->arena, r, ns, name), &kv) ||
        (obj = read_object(a, &kv)) == NULL)
        return;
    to->list[to->n++] = obj;
}

/* False: more than POLICY_PARAMS_MAX objects. */
static bool by_selector(struct params *to, struct admission *a, const struct resource *r, struct str ns,
                        const struct selector *want)
{
    const struct resource *base = r->stored_as != NULL ? r->stored_as : r;
    struct arena          *arena = a->k->arena;
    struct store_cursor    cursor;
    struct store_kv        kv;
    struct str             prefix = arena_fmt(arena, "/registry/%s/", base->storage);
    unsigned               seen = 0;

    if (base->namespaced)
        prefix = arena_fmt(arena, "/registry/%s/%.*s/", base->storage, STR_ARG(ns));
    store_seek(&cursor, a->k->view, prefix, store_prefix_end(arena, prefix));
    while (store_next(&cursor, &kv)) {
        const struct json *obj;
        if (++seen > POLICY_PARAMS_MAX)
            return false;
        if ((obj = read_object(a, &kv)) != NULL && selector_matches(want, json_path(obj, "metadata.labels")))
            to->list[to->n++] = obj;
    }
    return true;
}

bool policy_params(const struct policy *p, const struct policy_binding *b, struct admission *a,
                   const struct json ***ret, unsigned *ret_n, struct str *ret_why)
{
    struct arena          *arena = a->k->arena;
    const struct resource *r;
    struct params          found = { NULL, 0 };
    struct str             ns = json_str(json_getz(b->param_ref, "namespace"));

    found.list = arena_zalloc(arena, (b->by_selector ? POLICY_PARAMS_MAX : 1) * sizeof *found.list);
    *ret = found.list;
    *ret_n = 1;
    if (p->param_kind.n == 0 || b->param_ref == NULL)
        return true;
    *ret_n = 0;
    if ((r = resource_of(p, a)) == NULL) {
        *ret_why = arena_fmt(arena, "failed to find resource referenced by paramKind: '%.*s, Kind=%.*s'",
                             STR_ARG(p->param_version), STR_ARG(p->param_kind));
        return false;
    }
    if (r->namespaced && ns.n == 0)
        ns = a->k->ns;
    if (r->namespaced && ns.n == 0) {
        *ret_why =
            STR("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
        return false;
    }
    if (!b->by_selector)
        by_name(&found, a, r, ns, json_str(json_getz(b->param_ref, "name")));
    else if (!by_selector(&found, a, r, ns, &b->params)) {
        *ret_why = arena_fmt(arena, "there are more than %d %s that all have to be looked at",
                             POLICY_PARAMS_MAX, r->plural);
        return false;
    }
    *ret_n = found.n;
    *ret_why = STR("no params found for policy binding with `Deny` parameterNotFoundAction");
    return found.n > 0 || b->allow_missing;
}
