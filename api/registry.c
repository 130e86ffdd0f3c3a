/* api/registry.c: see api/registry.h. */
#include <stdlib.h>
#include "api/document.h"
#include "api/mirror.h"
#include "api/registry.h"

#define NAME_MAX_BYTES  512                      /* of plural.group: longer names are nobody's */

struct registry {
    struct api *api;
    struct str prefix;                           /* of the definitions' keys */
    struct map by_name;                          /* struct custom by plural.group */
    struct mirror_feed *feed;
    struct ready_item retiring;
    const struct resource **all;                 /* sorted; NULL: to be made */
    struct resource_set set;
};

/* ---- Changes ------------------------------------------------------------------------------------ */

static void forget_order(struct registry *g, const struct custom *cu)
{
    mem_free(g->all);
    g->all = NULL;
    documents_forget(g->api, cu->group);
}

static void drop(struct registry *g, struct custom *cu)
{
    map_del(&g->by_name, cu->name);
    if (cu->established)
        forget_order(g, cu);
    ready_post(g->api->loop, &g->retiring);
    custom_unref(cu);
}

/* The rows stay as they are when the definition's status or metadata changed. */
static bool same_rows(const struct custom *x, const struct custom *y)
{
    return str_eq(x->spec, y->spec) && str_eq(x->names, y->names);
}

static void renew(struct registry *g, struct custom *old, struct custom *cu)
{
    bool was = old->established;

    blob_unref(old->text);
    old->text = blob_ref(cu->text);
    old->spec = cu->spec;
    old->names = cu->names;
    old->mod_rev = cu->mod_rev;
    old->established = cu->established;
    old->ending = cu->ending;
    if (was != old->established)
        forget_order(g, old);
}

/* Where a group stands in the tables; behind them: schema_n_resources. */
static unsigned group_place(struct str group)
{
    for (unsigned i = 0; i < schema_n_resources; i++)
        if (str_is(group, schema_resources[i].kind->group))
            return i;
    return schema_n_resources;
}

static void put(struct registry *g, struct str name, struct blob *text, uint64_t rev)
{
    struct custom *old = map_get(&g->by_name, name), *cu = custom_new(text, name, rev);

    if (cu == NULL)                              /* no definition: somebody wrote past the API */
        return;
    if (old != NULL && same_rows(old, cu)) {
        renew(g, old, cu);
        custom_unref(cu);
        return;
    }
    cu->place = group_place(cu->group);
    if (old != NULL)
        drop(g, old);
    map_put(&g->by_name, cu->name, cu);
    if (cu->established)
        forget_order(g, cu);
}

/* ---- Following the store ------------------------------------------------------------------------ */

/* Watches on rows that were replaced end: their clients come back and see the new ones. */
static void retire(struct ready_item *it)
{
    struct registry *g = container_of(it, struct registry, retiring);
    struct qlink *next;

    for (struct qlink *l = g->api->calls.next; l != &g->api->calls; l = next) {
        struct call *c = container_of(l, struct call, link);

        next = l->next;
        if (c->custom != NULL && c->began && c->rq.verb == API_WATCH &&
            map_get(&g->by_name, c->custom->name) != c->custom)
            call_end(c);
    }
}

static void on_event(void *arg, const struct mirror_event *ev)
{
    struct registry *g = arg;
    struct custom *cu = map_get(&g->by_name, ev->name);

    if (ev->what == MIRROR_PUT && (cu == NULL || cu->mod_rev < ev->rev))
        put(g, ev->name, ev->object, ev->rev);
    else if (ev->what == MIRROR_GONE && cu != NULL)
        drop(g, cu);
}

int registry_open(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    struct registry *g = mem_new(struct registry);
    struct mirror_opts m = { .vital = true, .on_event = on_event, .arg = g };

    (void)o;
    (void)err;
    m.res = resource_find(STR("apiextensions.k8s.io"), STR("v1"), STR("customresourcedefinitions"));
    must(m.res != NULL);
    g->api = a;
    g->prefix = a->info[m.res->index].prefix;
    ready_init(&g->retiring, retire);
    g->feed = mirror_follow(a->mirror, &m);
    a->registry = g;
    return 0;
}

void registry_close(struct api *a)
{
    struct registry *g = a->registry;
    struct str name;
    void *cu;

    if (g == NULL)
        return;
    a->registry = NULL;
    mirror_unfollow(g->feed);
    ready_cancel(&g->retiring);
    for (size_t i = 0; map_next(&g->by_name, &i, &name, &cu);)
        custom_unref(cu);
    map_release(&g->by_name);
    mem_free(g->all);
    mem_free(g);
}

struct resource_info *api_info(const struct api *a, const struct resource *r)
{
    return resource_is_custom(r) ? &custom_of(r)->info : &a->info[r->index];
}

/* ---- Looking up --------------------------------------------------------------------------------- */

/* The index says of this name what the live view says. */
static struct custom *as_stored(struct registry *g, struct str name)
{
    char key[NAME_MAX_BYTES];
    struct custom *cu = map_get(&g->by_name, name);
    struct store_kv kv;

    if (g->prefix.n + name.n > sizeof(key))
        return NULL;
    memcpy(key, g->prefix.p, g->prefix.n);
    memcpy(key + g->prefix.n, name.p, name.n);
    if (!store_get(store_live(g->api->store), str_make(key, g->prefix.n + name.n), &kv)) {
        if (cu != NULL)
            drop(g, cu);
        return NULL;
    }
    if (cu == NULL || cu->mod_rev != kv.mod_rev)
        put(g, name, kv.value, kv.mod_rev);
    return map_get(&g->by_name, name);
}

struct custom_version *registry_find(struct registry *g, struct str group, struct str version,
                                     struct str plural)
{
    char name[NAME_MAX_BYTES];
    struct custom *cu;

    if (plural.n + group.n + 1 > sizeof(name) || group.n == 0 || plural.n == 0)
        return NULL;
    memcpy(name, plural.p, plural.n);
    name[plural.n] = '.';
    memcpy(name + plural.n + 1, group.p, group.n);
    cu = as_stored(g, str_make(name, plural.n + group.n + 1));
    for (unsigned i = 0; cu != NULL && i < cu->n; i++)
        if (custom_is_served(cu, &cu->version[i]) && str_is(version, cu->version[i].kind.version))
            return &cu->version[i];
    return NULL;
}

bool registry_is_current(struct registry *g, const struct custom *cu)
{
    return as_stored(g, cu->name) == cu;
}

void registry_each(struct registry *g, void (*fn)(void *arg, struct custom_version *v), void *arg)
{
    struct str name;
    void *val;

    for (size_t i = 0; map_next(&g->by_name, &i, &name, &val);) {
        struct custom *cu = val;

        for (unsigned k = 0; k < cu->n; k++)
            if (custom_is_served(cu, &cu->version[k]))
                fn(arg, &cu->version[k]);
    }
}

/* ---- In order ----------------------------------------------------------------------------------- */

/* v1 before v1beta2 before v1beta1 before v1alpha1, v2 before v1, and all of these before other names. */
struct version_rank { int stage; uint64_t major, minor; };

static struct version_rank rank_of(const char *version)
{
    struct version_rank r = { -1, 0, 0 };
    const char *p = version + 1;
    char *end;

    if (version[0] != 'v' || p[0] < '1' || p[0] > '9')
        return r;
    r.major = strtoull(p, &end, 10);
    if (*end == '\0') {
        r.stage = 2;
        return r;
    }
    r.stage = strncmp(end, "beta", 4) == 0 ? 1 : strncmp(end, "alpha", 5) == 0 ? 0 : -1;
    p = end + (r.stage == 1 ? 4 : 5);
    if (r.stage < 0 || p[0] < '1' || p[0] > '9')
        return (struct version_rank){ -1, 0, 0 };
    r.minor = strtoull(p, &end, 10);
    return *end == '\0' ? r : (struct version_rank){ -1, 0, 0 };
}

static int by_version(const char *x, const char *y)
{
    struct version_rank a = rank_of(x), b = rank_of(y);

    if (a.stage != b.stage)
        return a.stage > b.stage ? -1 : 1;
    if (a.major != b.major)
        return a.major > b.major ? -1 : 1;
    if (a.minor != b.minor)
        return a.minor > b.minor ? -1 : 1;
    return strcmp(x, y);
}

/* Built-in versions as the tables have them, before others. */
static unsigned version_place(const struct resource *r)
{
    for (unsigned i = 0; i < schema_n_resources; i++)
        if (strcmp(schema_resources[i].kind->group, r->kind->group) == 0 &&
            strcmp(schema_resources[i].kind->version, r->kind->version) == 0)
            return i;
    return schema_n_resources;
}

struct placed { const struct resource *r; unsigned group, version; };

static int by_place(const void *x, const void *y)
{
    const struct placed *a = x, *b = y;
    int order;

    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if ((order = strcmp(a->r->kind->group, b->r->kind->group)) != 0)
        return order;
    if (a->version != b->version)
        return a->version < b->version ? -1 : 1;
    if ((order = by_version(a->r->kind->version, b->r->kind->version)) != 0)
        return order;
    if (a->r->index != b->r->index)
        return a->r->index < b->r->index ? -1 : 1;
    return strcmp(a->r->plural, b->r->plural);
}

struct collected { struct placed *at; unsigned n, cap; };

static void collect(struct collected *c, struct placed p)
{
    if (c->n == c->cap) {
        c->cap = c->cap * 2 + 128;
        c->at = mem_realloc(c->at, c->cap * sizeof(*c->at));
    }
    c->at[c->n++] = p;
}

static void collect_custom(void *arg, struct custom_version *v)
{
    unsigned place = v->of->place;

    collect(arg,
            (struct placed){ &v->res, place, place < schema_n_resources ? version_place(&v->res) : place });
}

/* The tables are sorted: a group's place is that of its first row, and so is a version's. */
static void collect_built_in(struct collected *c)
{
    unsigned group = 0, version = 0;

    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct schema_kind *k = schema_resources[i].kind,
                                 *last = schema_resources[i > 0 ? i - 1 : 0].kind;

        if (strcmp(last->group, k->group) != 0)
            group = version = i;
        else if (strcmp(last->version, k->version) != 0)
            version = i;
        collect(c, (struct placed){ &schema_resources[i], group, version });
    }
}

const struct resource_set *registry_all(struct registry *g)
{
    struct collected c = { NULL, 0, 0 };

    if (g->all != NULL)
        return &g->set;
    collect_built_in(&c);
    registry_each(g, collect_custom, &c);
    qsort(c.at, c.n, sizeof(*c.at), by_place);
    g->all = mem_alloc(c.n * sizeof(*g->all));
    for (unsigned i = 0; i < c.n; i++)
        g->all[i] = c.at[i].r;
    g->set = (struct resource_set){ g->all, c.n };
    mem_free(c.at);
    return &g->set;
}

uint64_t registry_hash(const struct resource *const *gv, unsigned n)
{
    uint64_t hash = 0;

    for (unsigned i = 0; i < n; i++)
        if (resource_is_custom(gv[i]))
            hash = hash * 1099511628211u + (custom_of(gv[i])->of->hash | 1);
    return hash;
}
