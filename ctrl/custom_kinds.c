/* ctrl/custom_kinds.c: see ctrl/custom_kinds.h. */
#include "ctrl/custom_kinds.h"
#include "ctrl/objects.h"
#include "net/map.h"

#define LISTENERS 4

struct custom_kinds {
    struct map rows;                             /* struct custom_kind by the definition's name */
    struct arena arena;                          /* their texts */
    struct { void (*fn)(void *arg, struct custom_kind *k); void *arg; } listener[LISTENERS];
    unsigned n;
};

static void tell(struct custom_kinds *c, struct custom_kind *k, bool served)
{
    if (k->served == served)
        return;
    k->served = served;
    for (unsigned i = 0; i < c->n; i++)
        c->listener[i].fn(c->listener[i].arg, k);
}

static const char *own(struct custom_kinds *c, struct str s) { return arena_cstr(&c->arena, s); }

/* The version that objects are stored in if it is served, else another one that is; empty: none. */
static struct str version_of(const struct json *crd)
{
    struct str found = STR_NONE;

    json_each(v, json_path(crd, "spec.versions"))
        if (json_true(json_getz(v, "served")) && (found.n == 0 || json_true(json_getz(v, "storage"))))
            found = json_str(json_getz(v, "name"));
    return found;
}

static void fill(struct custom_kinds *c, struct custom_kind *k, const struct json *crd)
{
    k->kind = (struct schema_kind){
        .group = own(c, json_path_str(crd, "spec.group")), .version = own(c, version_of(crd)),
        .kind = own(c, json_path_str(crd, "spec.names.kind")),
    };
    k->res = (struct resource){
        .kind = &k->kind,
        .list = &k->kind,
        .plural = own(c, json_path_str(crd, "spec.names.plural")),
        .singular = "",
        .namespaced = str_is(json_path_str(crd, "spec.scope"), "Namespaced"),
        .verbs = VERB_GET | VERB_LIST | VERB_WATCH | VERB_DELETE | VERB_DELETECOLLECTION,
        .index = RESOURCE_CUSTOM,
    };
}

static void on_crd(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    struct custom_kinds *c = arg;
    struct custom_kind *k = map_get(&c->rows, new_ != NULL ? new_->name : old->name);
    bool served =
        what != INFORMER_DELETE && condition_is(json, "Established", "True") && version_of(json).n > 0;

    if (k == NULL && !served)
        return;
    if (k == NULL) {
        k = mem_new(struct custom_kind);
        map_put(&c->rows, new_->name, k);
        fill(c, k, json);
    } else if (served && !str_is(version_of(json), k->kind.version)) {
        tell(c, k, false);
        fill(c, k, json);
    }
    tell(c, k, served);
}

struct custom_kinds *custom_kinds_new(struct shared *s)
{
    struct custom_kinds *c = mem_new(struct custom_kinds);

    arena_init_sized(&c->arena, 512);
    shared_listen(s, CLIENT_CRDS, on_crd, c);
    return c;
}

void custom_kinds_free(struct custom_kinds *c)
{
    struct str name;
    void *k;

    for (size_t i = 0; map_next(&c->rows, &i, &name, &k);)
        mem_free(k);
    map_release(&c->rows);
    arena_release(&c->arena);
    mem_free(c);
}

void custom_kinds_listen(struct custom_kinds *c, void (*fn)(void *arg, struct custom_kind *k), void *arg)
{
    must(c->n < LISTENERS);
    c->listener[c->n].fn = fn;
    c->listener[c->n++].arg = arg;
}

struct custom_kind *custom_kinds_next(const struct custom_kinds *c, size_t *it)
{
    struct str name;
    void *k;

    while (map_next(&c->rows, it, &name, &k))
        if (((struct custom_kind *)k)->served)
            return k;
    return NULL;
}

const struct resource *custom_kinds_find(const struct custom_kinds *c, struct str group, struct str kind)
{
    struct custom_kind *k;

    for (size_t it = 0; (k = custom_kinds_next(c, &it)) != NULL;)
        if (str_is(group, k->kind.group) && str_is(kind, k->kind.kind))
            return &k->res;
    return NULL;
}
