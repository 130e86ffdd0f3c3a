/* ctrl/gc.c: the garbage collector: deletes what its owners have left, in the three ways a deletion can ask
 * for.
 *
 *     background   an object none of whose owners exists any more is deleted
 *     foreground   an owner with the finalizer foregroundDeletion: dependents first; when none is left that
 *                  blocks, the
 *                  finalizer goes
 *     orphan       an owner with the finalizer orphan: its reference is taken out of every dependent, then
 *                  the finalizer goes */
#include "ctrl/controller.h"
#include "ctrl/gc_graph.h"

struct gc_kind {
    struct gc *gc;
    const struct resource *res;
    struct informer *informer;                   /* NULL: not watched */
    struct gc_kind *next;                        /* of gc->customs */
};

struct gc {
    struct controller base;
    struct ctrl_env *env;
    struct gc_graph graph;
    struct workqueue *queue;
    struct gc_kind *kinds;                       /* by resource->index */
    struct gc_kind *customs;                     /* all that ever were; their informers are our own */
    struct turn_hook first_look;                 /* at all that the first lists showed */
    bool ready;
};

static struct client_resource client_res(const struct resource *r)
{
    return (struct client_resource){ r->kind->group, r->kind->version, r->plural };
}

static void touch(void *arg, struct gc_node *n)
{
    struct gc *gc = arg;
    workqueue_add(gc->queue, STR_NONE, str_of(n->uid));
}

/* NULL: not watched. */
static struct informer *informer_of(const struct gc *gc, const struct resource *res)
{
    const struct gc_kind *k = resource_is_custom(res) ? container_of(res, struct custom_kind, res)->gc
                                                      : &gc->kinds[res->index];

    return k != NULL ? k->informer : NULL;
}

/* The object behind a node as the cache has it; NULL: gone or replaced meanwhile, or of a kind that is not
 * watched. */
static const struct object *cached(struct gc *gc, const struct gc_node *n)
{
    struct informer *by = n->observed ? informer_of(gc, n->res) : NULL;
    struct object *o;

    if (by == NULL)
        return NULL;
    o = informer_get(by, str_of(n->ns), str_of(n->name));
    return o != NULL && str_is(o->uid, n->uid) ? o : NULL;
}

static bool is_foreground(const struct json *obj)
{
    return is_being_deleted(obj) && has_finalizer(obj, "foregroundDeletion");
}

/* ---- Calls -------------------------------------------------------------------------------------- */

static struct client_req request(const char *method, const struct gc_node *n)
{
    return (struct client_req){
        .method = method, .res = client_res(n->res), .ns = str_of(n->ns), .name = str_of(n->name)
    };
}

/* Only as it was seen: its owners may have changed meanwhile. */
static void delete_item(struct pass *p, const struct gc_node *n, const struct json *obj, const char *policy)
{
    struct client_req r = request("DELETE", n);

    r.body_text = arena_fmt(
        pass_arena(p),
        "{\"preconditions\":{\"uid\":\"%s\",\"resourceVersion\":\"%.*s\"},\"propagationPolicy\":\"%s\"}",
        n->uid, STR_ARG(meta_str(obj, "resourceVersion")), policy);
    pass_send(p, &r, 404, NULL);
}

static void drop_finalizer(struct pass *p, const struct gc_node *n, const struct json *obj, const char *name)
{
    struct arena *a = pass_arena(p);
    struct json *patch = json_object(a), *meta = json_object(a), *left = json_array(a);
    struct client_req r = request("PATCH", n);

    json_each(f, json_path(obj, "metadata.finalizers"))
        if (!str_is(json_str(f), name))
            json_push(left, json_copy(a, f));
    json_setz(a, patch, "metadata", meta);
    json_setz(a, meta, "resourceVersion", json_string(a, meta_str(obj, "resourceVersion")));
    json_setz(a, meta, "finalizers", left);
    r.body = patch;
    r.content_type = CLIENT_MERGE_PATCH;
    pass_send(p, &r, 404, NULL);
}

/* Take references out of an item's ownerReferences: those whose owner `unwanted` says so. */
static void drop_references(struct pass *p, const struct gc_node *item, const struct json *obj,
                            bool (*unwanted)(struct gc *gc, const struct gc_node *owner, void *arg),
                            void *arg)
{
    struct arena *a = pass_arena(p);
    struct json *patch = json_object(a), *meta = json_object(a), *left = json_array(a);
    struct client_req r = request("PATCH", item);
    struct gc *gc = pass_owner(p);
    unsigned dropped = 0;

    json_each(ref, json_path(obj, "metadata.ownerReferences")) {
        const struct gc_node *owner = gc_graph_find(&gc->graph, json_str(json_getz(ref, "uid")));
        if (owner != NULL && unwanted(gc, owner, arg))
            dropped++;
        else
            json_push(left, json_copy(a, ref));
    }
    if (dropped == 0)
        return;
    json_setz(a, patch, "metadata", meta);
    json_setz(a, meta, "resourceVersion", json_string(a, meta_str(obj, "resourceVersion")));
    json_setz(a, meta, "ownerReferences", left);
    r.body = patch;
    r.content_type = CLIENT_MERGE_PATCH;
    pass_send(p, &r, 404, NULL);
}

/* ---- Does an owner exist? ----------------------------------------------------------------------- */

static const struct resource *resource_of_ref(const struct gc *gc, const struct json *ref)
{
    struct str api = json_str(json_getz(ref, "apiVersion")), kind = json_str(json_getz(ref, "kind"));
    ptrdiff_t slash = str_find(api, '/');
    struct str group = slash < 0 ? STR_NONE : str_upto(api, (size_t)slash),
               version = slash < 0 ? api : str_from(api, (size_t)slash + 1);

    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct schema_kind *k = schema_resources[i].kind;
        if (str_is(group, k->group) && str_is(version, k->version) && str_is(kind, k->kind) &&
            !schema_resources[i].virtual_)
            return &schema_resources[i];
    }
    return custom_kinds_find(gc->env->customs, group, kind);
}

/* The memo of an item: how many owners were asked for (upper half) and how many answers were definite (lower
 * half). Only when every answer was, those still unknown are absent: a failed call proves nothing, nor does
 * an answer about other owners than the item has now.  Of an owner that waits for its dependents: TOLD, when
 * they know. */
#define TOLD UINT64_MAX

static void on_owner_absent(struct pass *p, const struct client_result *r) { *pass_memo(p) += 1; }

/* Is the owner in a cache? Then nobody needs to be asked. */
static bool find_in_cache(struct gc *gc, const struct gc_node *owner, const struct resource *res,
                          struct str ns, struct str name, struct arena *a)
{
    struct informer *by = informer_of(gc, res);
    const struct object *o = by != NULL ? informer_get(by, ns, name) : NULL;
    bool changed;

    if (o == NULL || !str_is(o->uid, owner->uid))
        return false;
    gc_graph_put(&gc->graph, res, object_json(o, a), &changed);
    return true;
}

static void on_owner_found(struct pass *p, const struct client_result *r)
{
    struct gc *gc = pass_owner(p);
    const struct resource *res = resource_of_ref(gc, r->obj);
    bool changed;

    *pass_memo(p) += 1;
    if (res != NULL && gc_graph_find(&gc->graph, meta_str(r->obj, "uid")) != NULL)
        gc_graph_put(&gc->graph, res, r->obj, &changed);
}

/* Ask for every owner that is neither known to be there nor known to be gone; true if any was asked for: the
 * pass over the same item that follows knows.  Kinds that are not served are left alone, and so is what
 * cannot be (an owner in a namespace of something outside of all): neither there nor gone. */
static bool ask_for_owners(struct gc *gc, struct pass *p, struct gc_node *item, const struct json *obj)
{
    uint64_t memo = *pass_memo(p), asked = 0, rv = 0;
    bool all_answered = memo > 0 && memo != TOLD && memo >> 32 == (memo & UINT32_MAX);

    if (!str_u64(meta_str(obj, "resourceVersion"), &rv) || item->asked_rv != rv)
        all_answered = false;                    /* about other owners, perhaps */
    item->asked_rv = rv;

    json_each(ref, json_path(obj, "metadata.ownerReferences")) {
        struct gc_node *owner = gc_graph_find(&gc->graph, json_str(json_getz(ref, "uid")));
        const struct resource *res = resource_of_ref(gc, ref);
        struct str ns = res != NULL && res->namespaced ? str_of(item->ns) : STR_NONE,
                   name = json_str(json_getz(ref, "name"));
        if (owner == NULL || owner->observed || owner->absent || res == NULL ||
            (res->namespaced && ns.n == 0) || name.n == 0)
            continue;
        if (find_in_cache(gc, owner, res, ns, name, pass_arena(p)))
            continue;
        if (all_answered) {
            owner->absent = true;
            continue;
        }
        struct client_req r = { .method = "GET", .res = client_res(res), .name = name, .ns = ns };
        pass_send_else(p, &r, 404, on_owner_found, on_owner_absent);
        asked++;
    }
    *pass_memo(p) = asked << 32;
    if (asked > 0)
        pass_again_after(p, 1);
    return asked > 0;
}

/* ---- An item that has owners -------------------------------------------------------------------- */

enum ownership { OWNER_SOLID, OWNER_WAITING, OWNER_GONE };

static enum ownership ownership(struct gc *gc, const struct gc_node *owner, struct arena *a)
{
    const struct object *o;

    if (owner->absent)
        return OWNER_GONE;
    o = cached(gc, owner);
    return o != NULL && is_foreground(object_json(o, a)) ? OWNER_WAITING : OWNER_SOLID;
}

static bool not_solid(struct gc *gc, const struct gc_node *owner, void *arg)
{
    return ownership(gc, owner, arg) != OWNER_SOLID;
}

static void collect(struct gc *gc, struct pass *p, struct gc_node *item, const struct json *obj)
{
    unsigned solid = 0, waiting = 0;

    if (is_being_deleted(obj) || ask_for_owners(gc, p, item, obj))
        return;
    for (unsigned i = 0; i < item->n_edges; i++) {
        enum ownership own = ownership(gc, item->edges[i]->owner, pass_arena(p));
        solid += own == OWNER_SOLID;
        waiting += own == OWNER_WAITING;
    }
    if (solid > 0) {
        if (solid < item->n_edges)
            drop_references(p, item, obj, not_solid, pass_arena(p));
        return;
    }
    if (waiting > 0 && !qempty(&item->dependents))
        delete_item(p, item, obj, "Foreground");
    else
        delete_item(p, item, obj,
                    has_finalizer(obj, "orphan")               ? "Orphan"
                    : has_finalizer(obj, "foregroundDeletion") ? "Foreground"
                                                               : "Background");
}

/* ---- An owner that is being deleted ------------------------------------------------------------- */

/* Dependents are told once (the memo of a waiting owner), those that come later look at their owners by
 * themselves. */
static void foreground(struct gc *gc, struct pass *p, const struct gc_node *owner, const struct json *obj)
{
    bool blocked = false, told = *pass_memo(p) == TOLD;

    qeach(&owner->dependents, it, tmp) {
        struct gc_edge *e = qentry(it, struct gc_edge, of_owner);
        if (!told)
            workqueue_add(gc->queue, STR_NONE, str_of(e->item->uid));
        blocked |= e->blocks && e->item->observed;
        if (told && blocked)
            break;
    }
    *pass_memo(p) = TOLD;
    if (!blocked)
        drop_finalizer(p, owner, obj, "foregroundDeletion");
}

static bool is_this(struct gc *gc, const struct gc_node *owner, void *arg) { return owner == arg; }

static void orphan(struct gc *gc, struct pass *p, struct gc_node *owner, const struct json *obj)
{
    bool any = false;

    qeach(&owner->dependents, it, tmp) {
        struct gc_edge *e = qentry(it, struct gc_edge, of_owner);
        const struct object *o = cached(gc, e->item);
        if (o == NULL)
            continue;
        drop_references(p, e->item, object_json(o, pass_arena(p)), is_this, owner);
        any = true;
    }
    if (any)
        pass_again_after(p, 20);                 /* the finalizer goes when the cache shows none any more */
    else
        drop_finalizer(p, owner, obj, "orphan");
}

static void gc_sync(void *arg, struct pass *p)
{
    struct gc *gc = arg;
    struct gc_node *n = gc_graph_find(&gc->graph, pass_name(p));
    const struct object *o;

    if (n == NULL || !gc->ready) {
        *pass_memo(p) = 0;
        return;
    }
    o = cached(gc, n);
    if (o == NULL) {
        *pass_memo(p) = 0;
        return;
    }
    struct json *obj = object_json(o, pass_arena(p));
    if (is_being_deleted(obj) && has_finalizer(obj, "orphan"))
        orphan(gc, p, n, obj);
    else if (is_foreground(obj))
        foreground(gc, p, n, obj);
    else if (n->n_edges > 0)
        collect(gc, p, n, obj);
}

/* ---- Changes ------------------------------------------------------------------------------------ */

static void gc_on_change(void *arg, enum informer_change what, struct object *old, struct object *new_,
                         struct json *json)
{
    struct gc_kind *k = arg;
    struct gc *gc = k->gc;
    struct gc_node *n;
    bool changed;

    if (what == INFORMER_DELETE) {
        gc_graph_drop(&gc->graph, old->uid, touch, gc);
        return;
    }
    n = gc_graph_put(&gc->graph, k->res, json, &changed);
    if (n != NULL && (changed || n->waiting) && gc->ready)
        touch(gc, n);
}

/* A kind that users define came: it is watched like all others; or it went, and with it all its objects. */
static void gc_on_custom(void *arg, struct custom_kind *kind)
{
    struct gc *gc = arg;
    struct gc_kind *k = kind->gc;
    struct object *o;

    if (k == NULL) {
        kind->gc = k = mem_new(struct gc_kind);
        *k = (struct gc_kind){ .gc = gc, .res = &kind->res, .next = gc->customs };
        gc->customs = k;
    }
    if (kind->served) {
        k->informer = informer_start(&(struct informer_opts){ .client = gc->env->client,
                                                              .res = client_res(k->res),
                                                              .on_change = gc_on_change, .arg = k });
        return;
    }
    for (size_t it = 0; (o = informer_next(k->informer, &it)) != NULL;)
        gc_graph_drop(&gc->graph, o->uid, touch, gc);
    informer_stop(k->informer);
    k->informer = NULL;
}

static void forget_customs(struct gc *gc)
{
    for (struct gc_kind *k = gc->customs, *next; k != NULL; k = next) {
        next = k->next;
        informer_stop(k->informer);
        mem_free(k);
    }
}

static void gc_on_first_look(struct turn_hook *h)
{
    struct gc *gc = container_of(h, struct gc, first_look);
    struct gc_node *n = NULL;

    for (int i = 0; i < CTRL_SWEEP_SLICE && (n = gc_graph_unseen(&gc->graph)) != NULL; i++)
        touch(gc, n);
    if (n != NULL)
        turn_arm(gc->env->loop, TURN_NOTIFY, h);
}

static void gc_ready(struct controller *base)
{
    struct gc *gc = container_of(base, struct gc, base);

    gc->ready = true;
    gc->graph.remember = false;                  /* what comes from now on is touched as it comes */
    turn_arm(gc->env->loop, TURN_NOTIFY, &gc->first_look);
}

static void gc_stop(struct controller *base)
{
    struct gc *gc = container_of(base, struct gc, base);

    turn_cancel(&gc->first_look);
    workqueue_free(gc->queue);
    forget_customs(gc);
    gc_graph_release(&gc->graph, gc->env->loop);
    mem_free(gc->kinds);
    mem_free(gc);
}

/* Events own and are owned by nothing and are many; another version of the same data would be seen twice. */
static bool is_collected(const struct resource *r)
{
    const uint32_t need = VERB_LIST | VERB_WATCH | VERB_DELETE;

    return (r->verbs & need) == need && !r->virtual_ && r->stored_as == NULL &&
           strcmp(r->plural, "events") != 0;
}

struct controller *garbage_collector(struct ctrl_env *env)
{
    struct gc *gc = mem_new(struct gc);
    struct workqueue_opts qo = {
        .client = env->client, .name = "garbage-collector", .sync = gc_sync, .arg = gc
    };

    gc->base = (struct controller){ gc_ready, gc_stop };
    gc->env = env;
    gc_graph_init(&gc->graph);
    turn_init(&gc->first_look, gc_on_first_look);
    gc->queue = workqueue_new(&qo);
    gc->kinds = mem_zalloc((schema_n_resources + 1) * sizeof *gc->kinds);
    for (unsigned i = 0; i < schema_n_resources; i++) {
        struct gc_kind *k = &gc->kinds[i];
        *k = (struct gc_kind){ .gc = gc, .res = &schema_resources[i] };
        if (is_collected(k->res))
            k->informer = shared_listen(env->shared, client_res(k->res), gc_on_change, k);
    }
    custom_kinds_listen(env->customs, gc_on_custom, gc);
    return &gc->base;
}
