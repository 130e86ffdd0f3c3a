/* node/pod_resize.c: a pod that runs is to have more or less of processor time and memory (pods/resize).
 *
 * What was granted last is in force, or being put in force.  A wish is granted when the node has room for it,
 * else it waits (Deferred) until another pod goes, or for ever (Infeasible); then all of the pod's limits are
 * written at once, without a restart unless the container's resizePolicy asks for one. */
#include <stdio.h>
#include "api/quantity.h"
#include "net/log.h"
#include "node/pod.h"

#define AGAIN_MS 10000                           /* until a write of limits that failed is tried again */

/* A request that may outlive its pod: it knows the pod by uid. */
struct resizing { struct rt_resize r; struct arena arena; struct agent *agent; char *uid; };

static const struct { const char *name; bool milli; } kinds[] = { { "cpu", true }, { "memory", false } };

/* What its spec asks for now. */
static const struct json *wanted_spec(const struct container *c)
{
    json_each(it, json_path(pod_json(c->pod), c->init ? "spec.initContainers" : "spec.containers"))
        if (str_is(json_path_str(it, "name"), c->name))
            return it;
    return c->spec;
}

static const struct json *wanted(const struct container *c) { return json_getz(wanted_spec(c), "resources"); }

static bool same(const struct json *x, const struct json *y)
{
    return (x == NULL || x->n == 0) ? y == NULL || y->n == 0 : y != NULL && json_equal(x, y);
}

/* Init containers that come and go take what they find when they begin. */
static bool is_resizable(const struct container *c) { return !c->init || c->sidecar; }

void pod_resize_begin(struct pod *p, struct container *c)
{
    const char *list = c->init ? "status.initContainerStatuses" : "status.containerStatuses";
    const struct json *granted = json_getz(c->spec, "resources");

    json_each(it, json_path(p->json, list))
        if (str_is(json_path_str(it, "name"), c->name) && json_getz(it, "resources") != NULL)
            granted = json_getz(it, "resources");
    arena_init(&c->granted_arena);
    if (granted != NULL)
        c->granted = pod_tree_copy(&c->granted_arena, granted);
    p->resize.look = true;
}

static void grant(struct container *c)
{
    const struct json *now = wanted(c);

    arena_reset(&c->granted_arena);
    c->granted = now != NULL ? pod_tree_copy(&c->granted_arena, now) : NULL;
}

/* ---- Is there room? ----------------------------------------------------------------------------------- */

static int64_t taken_by_others(const struct pod *p, const char *request, bool milli)
{
    int64_t sum = 0;
    struct str uid;
    void *v;

    for (size_t i = 0; map_next(&p->agent->pods, &i, &uid, &v);) {
        const struct pod *other = v;

        if (other != p && other->state < POD_TEARDOWN)
            sum += pod_amount(other, container_resources, request, milli, false);
    }
    return sum;
}

/* NULL: yes; else the reason of the condition, with its message in `why`. */
static const char *no_room(const struct pod *p, char *why, size_t cap)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *name = kinds[i].name, *request = i == 0 ? "requests.cpu" : "requests.memory";
        bool milli = kinds[i].milli;
        int64_t all = milli ? p->agent->cpu_millis : p->agent->memory_bytes;
        int64_t need = pod_amount(p, wanted, request, milli, false);

        if (all <= 0 || need <= pod_amount(p, container_resources, request, milli, false))
            continue;
        if (need > all) {
            snprintf(why, cap, "Node didn't have enough capacity: %s, requested: %lld, capacity: %lld", name,
                     (long long)need, (long long)all);
            return "Infeasible";
        }
        if (need > all - taken_by_others(p, request, milli)) {
            snprintf(why, cap, "Node didn't have enough resource: %s", name);
            return "Deferred";
        }
    }
    return NULL;
}

void agent_room_made(struct agent *a)
{
    struct str uid;
    void *v;

    for (size_t i = 0; map_next(&a->pods, &i, &uid, &v);) {
        struct pod *p = v;

        if (p->resize.pending != NULL && strcmp(p->resize.pending, "Deferred") == 0) {
            p->resize.look = true;
            pod_tick(p);
        }
    }
}

/* ---- Putting it in force ------------------------------------------------------------------------------ */

static void write_limits(struct pod *p, struct rt_resources before);

static void on_resized(struct rt_req *r, int status)
{
    struct resizing *z = container_of(container_of(r, struct rt_resize, req), struct resizing, r);
    struct pod *p = map_get(&z->agent->pods, str_of(z->uid));

    if (p != NULL && p->resize.op == &z->r) {
        p->resize.op = NULL;
        mem_free(p->resize.error);
        p->resize.error = status != 0 ? mem_strdup(r->err.s) : NULL;
        p->resize.in_progress = status != 0;
        if (status != 0)
            timer_start(&p->resize.again, AGAIN_MS);
        pod_report(p);
        pod_tick(p);
    }
    arena_release(&z->arena);
    mem_free(z->uid);
    mem_free(z);
}

/* The wider of both, so that neither the pod's bound nor its containers' is ever in the way. */
static struct rt_resources widest(struct rt_resources x, struct rt_resources y)
{
    y.cpu_shares = MAX_OF(x.cpu_shares, y.cpu_shares);
    y.cpu_quota_us = x.cpu_quota_us > 0 && y.cpu_quota_us > 0 ? MAX_OF(x.cpu_quota_us, y.cpu_quota_us) : 0;
    y.memory_bytes = x.memory_bytes > 0 && y.memory_bytes > 0 ? MAX_OF(x.memory_bytes, y.memory_bytes) : 0;
    return y;
}

static void write_limits(struct pod *p, struct rt_resources before)
{
    struct resizing *z = mem_new(struct resizing);
    struct rt_limits *list;

    must(p->resize.op == NULL);
    arena_init(&z->arena);
    z->agent = p->agent;
    z->uid = mem_strdup(p->uid);
    list = arena_zalloc(&z->arena, (p->n_containers + 1) * sizeof *list);
    for (unsigned i = 0; i < p->n_containers; i++) {
        const struct container *c = &p->containers[i];

        if (is_resizable(c) && c->id[0] != '\0' && container_is_live(c) && !c->stop_wanted)
            list[z->r.n_containers++] = (struct rt_limits){ arena_cstr(&z->arena, str_of(c->id)),
                                                            container_limits(c) };
    }
    z->r.containers = list;
    z->r.sandbox_id = arena_cstr(&z->arena, str_of(p->sandbox_id));
    z->r.pod = pod_limits(p);
    z->r.pod_meanwhile = widest(before, z->r.pod);
    z->r.req.done = on_resized;
    p->resize.op = &z->r;
    p->resize.in_progress = true;
    p->agent->rt->ops->resize(p->agent->rt, &z->r);
}

void pod_on_resize_again(struct timer *t)
{
    struct pod *p = container_of(t, struct pod, resize.again);

    if (p->state == POD_RUN && p->resize.op == NULL && p->sandbox_id[0] != '\0')
        write_limits(p, pod_limits(p));
}

/* Does what changed of it take a restart? */
static bool takes_restart(const struct container *c)
{
    static const char *const parts[] = { "limits", "requests" };

    json_each(policy, json_getz(wanted_spec(c), "resizePolicy")) {
        struct str name = json_path_str(policy, "resourceName");

        if (!str_is(json_path_str(policy, "restartPolicy"), "RestartContainer"))
            continue;
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            const struct json *was = json_get(json_getz(c->granted, parts[i]), name),
                              *now = json_get(json_getz(wanted(c), parts[i]), name);

            if ((was == NULL) != (now == NULL) || (was != NULL && !json_equal(was, now)))
                return true;
        }
    }
    return false;
}

static void grant_all(struct pod *p)
{
    struct rt_resources before = pod_limits(p);

    for (unsigned i = 0; i < p->n_containers; i++) {
        struct container *c = &p->containers[i];
        bool restart = is_resizable(c) && takes_restart(c);

        grant(c);
        if (restart)
            container_restart(c, "resize requires restart");
    }
    if (p->sandbox_id[0] != '\0')
        write_limits(p, before);
}

static void set_pending(struct pod *p, const char *reason, const char *why)
{
    mem_free(p->resize.why);
    p->resize.pending = reason;
    p->resize.why = reason != NULL ? mem_strdup(why) : NULL;
}

void pod_resize_look(struct pod *p)
{
    char why[200] = "";
    bool differs = false;

    if (!p->resize.look || p->resize.op != NULL)
        return;                                  /* its end ticks */
    p->resize.look = false;
    for (unsigned i = 0; i < p->n_containers; i++)
        differs |= !same(p->containers[i].granted, wanted(&p->containers[i]));
    if (!differs && p->resize.pending == NULL)
        return;
    set_pending(p, differs ? no_room(p, why, sizeof why) : NULL, why);
    if (differs && p->resize.pending == NULL)
        grant_all(p);
    pod_report(p);
}

void pod_resize_release(struct pod *p)
{
    timer_stop(&p->resize.again);
    mem_free(p->resize.why);
    mem_free(p->resize.error);
}
