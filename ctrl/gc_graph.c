/* ctrl/gc_graph.c: see ctrl/gc_graph.h. */
#include "ctrl/gc_graph.h"
#include "ctrl/limits.h"
#include "ctrl/objects.h"
#include "net/slices.h"

struct gc_node *gc_graph_find(const struct gc_graph *g, struct str uid) { return map_get(&g->by_uid, uid); }

static struct gc_node *node_get(struct gc_graph *g, struct str uid)
{
    struct gc_node *n = gc_graph_find(g, uid);

    if (n != NULL)
        return n;
    n = mem_new(struct gc_node);
    n->uid = mem_strndup(uid);
    qinit(&n->dependents);
    qinit(&n->unseen);
    if (g->remember)
        qpush(&g->unseen, &n->unseen);
    map_put(&g->by_uid, uid, n);
    return n;
}

static void node_free(struct gc_node *n)
{
    qdel(&n->unseen);
    mem_free(n->uid);
    mem_free(n->ns);
    mem_free(n->name);
    mem_free(n->edges);
    mem_free(n);
}

/* Neither owning nor owned, nor waiting for that to be so: not our business any more. */
static bool is_alone(const struct gc_node *n)
{
    return n->n_edges == 0 && qempty(&n->dependents) && !n->waiting;
}

static void node_drop_if_alone(struct gc_graph *g, struct gc_node *n)
{
    if (!is_alone(n))
        return;
    map_del(&g->by_uid, str_of(n->uid));
    node_free(n);
}

static void edges_clear(struct gc_graph *g, struct gc_node *n)
{
    for (unsigned i = 0; i < n->n_edges; i++) {
        struct gc_edge *e = n->edges[i];
        qdel(&e->of_owner);
        if (e->owner != n)
            node_drop_if_alone(g, e->owner);
        mem_free(e);
    }
    mem_free(n->edges);
    n->edges = NULL;
    n->n_edges = 0;
}

static bool same_edges(const struct gc_node *n, const struct json *refs)
{
    unsigned i = 0;

    json_each(r, refs) {
        if (i == n->n_edges || !str_is(json_str(json_getz(r, "uid")), n->edges[i]->owner->uid) ||
            n->edges[i]->blocks != json_true(json_getz(r, "blockOwnerDeletion")))
            return false;
        i++;
    }
    return i == n->n_edges;
}

static void edges_set(struct gc_graph *g, struct gc_node *n, const struct json *refs)
{
    unsigned count = refs != NULL ? refs->n : 0;
    struct gc_edge **edges = mem_zalloc((count + 1) * sizeof *edges);
    unsigned i = 0;

    /* link the new before the old go, so that shared owners stay */
    json_each(r, refs) {
        struct gc_edge *e = mem_new(struct gc_edge);
        e->item = n;
        e->owner = node_get(g, json_str(json_getz(r, "uid")));
        e->blocks = json_true(json_getz(r, "blockOwnerDeletion"));
        qpush(&e->owner->dependents, &e->of_owner);
        edges[i++] = e;
    }
    edges_clear(g, n);
    n->edges = edges;
    n->n_edges = i;
}

struct gc_node *gc_graph_put(struct gc_graph *g, const struct resource *res, const struct json *obj,
                             bool *ret_changed)
{
    const struct json *refs = json_path(obj, "metadata.ownerReferences");
    struct str uid = meta_str(obj, "uid");
    struct gc_node *n = gc_graph_find(g, uid);

    bool waiting = is_being_deleted(obj) &&
                   (has_finalizer(obj, "orphan") || has_finalizer(obj, "foregroundDeletion"));

    *ret_changed = false;
    if (n == NULL && json__first(refs) == NULL && !waiting)
        return NULL;
    n = node_get(g, uid);
    if (!n->observed) {
        n->observed = true;
        n->res = res;
        n->ns = mem_strndup(meta_str(obj, "namespace"));
        n->name = mem_strndup(meta_str(obj, "name"));
    }
    n->waiting = waiting;
    if (!same_edges(n, refs)) {
        edges_set(g, n, refs);
        *ret_changed = true;
    }
    if (!is_alone(n))
        return n;
    node_drop_if_alone(g, n);
    return NULL;
}

void gc_graph_drop(struct gc_graph *g, struct str uid, void (*touched)(void *arg, struct gc_node *n),
                   void *arg)
{
    struct gc_node *n = gc_graph_find(g, uid);

    if (n == NULL)
        return;
    qeach(&n->dependents, it, tmp)
        touched(arg, qentry(it, struct gc_edge, of_owner)->item);
    for (unsigned i = 0; i < n->n_edges; i++)
        touched(arg, n->edges[i]->owner);
    edges_clear(g, n);
    n->waiting = false;
    n->observed = false;
    n->absent = true;
    node_drop_if_alone(g, n);
}

void gc_graph_init(struct gc_graph *g)
{
    *g = (struct gc_graph){ .by_uid = MAP_INIT, .remember = true };
    qinit(&g->unseen);
}

struct gc_node *gc_graph_unseen(struct gc_graph *g)
{
    return qempty(&g->unseen) ? NULL : qentry(qpop(&g->unseen), struct gc_node, unseen);
}

/* A graph on its way out: the map is walked but not changed. */
struct remains { struct map by_uid; size_t at; };

static bool remains_free_some(void *state)
{
    struct remains *r = state;
    struct str key;
    void *val;

    for (int i = 0; i < CTRL_SWEEP_SLICE; i++) {
        if (!map_next(&r->by_uid, &r->at, &key, &val)) {
            map_release(&r->by_uid);
            mem_free(r);
            return true;
        }
        struct gc_node *n = val;
        for (unsigned k = 0; k < n->n_edges; k++)
            mem_free(n->edges[k]);
        qinit(&n->unseen);                       /* its neighbours may be gone */
        node_free(n);
    }
    return false;
}

void gc_graph_release(struct gc_graph *g, struct loop *l)
{
    struct remains *r = mem_new(struct remains);

    *r = (struct remains){ .by_uid = g->by_uid };
    gc_graph_init(g);
    slices_run(l, remains_free_some, r);
}
