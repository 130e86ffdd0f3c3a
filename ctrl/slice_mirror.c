/* ctrl/slice_mirror.c: EndpointSlices of Endpoints that people make by hand, for services without selector:
 * whoever reads slices only sees those too. */
#include "ctrl/slices.h"

#define MANAGER         "endpointslicemirroring-controller.k8s.io"
#define LOCK_ANNOTATION "control-plane.alpha.kubernetes.io/leader"
#define LAST_APPLIED    "kubectl.kubernetes.io/last-applied-configuration"

struct mirror_controller {
    struct controller base;
    struct sweep sweep, slices_sweep;
    struct ctrl_env *env;
    struct informer *services, *slices, *endpoints;
    struct workqueue *queue;
    bool ready;
};

/* ---- What to mirror ----------------------------------------------------------------------------- */

static bool is_mirrored(const struct json *endpoints)
{
    return !str_is(json_str(json_getz(json_path(endpoints, "metadata.labels"), SKIP_MIRROR_LABEL)), "true") &&
           json_getz(json_path(endpoints, "metadata.annotations"), LOCK_ANNOTATION) == NULL;
}

static struct json *endpoint_of(struct arena *a, const struct json *address, bool ready)
{
    static const char *const same[] = { "hostname", "targetRef", "nodeName" };
    struct json *e = json_object(a);

    json_push(json_setz(a, e, "addresses", json_array(a)),
              json_string_ref(a, json_str(json_getz(address, "ip"))));
    json_setz(a, json_make_path(a, e, "conditions"), "ready", json_bool(a, ready));
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        if (json_getz(address, same[i]) != NULL)
            json_setz(a, e, same[i], json_copy(a, json_getz(address, same[i])));
    return e;
}

static struct json *ports_of(struct arena *a, const struct json *subset)
{
    static const char *const keys[] = { "name", "protocol", "port", "appProtocol" };
    struct json *ports = json_array(a);

    json_each(it, json_getz(subset, "ports")) {
        struct json *port = json_push(ports, json_object(a));

        json_setz(a, port, "name", json_string_ref(a, json_str(json_getz(it, "name"))));
        for (size_t i = 1; i < ARRAY_LEN(keys); i++)
            if (json_getz(it, keys[i]) != NULL)
                json_setz(a, port, keys[i], json_copy(a, json_getz(it, keys[i])));
    }
    return ports;
}

static void add_addresses(struct slice_plan *plan, const struct json *subset, bool ready)
{
    struct arena *a = pass_arena(plan->pass);
    unsigned      n = 0;

    json_each(address, json_getz(subset, ready ? "addresses" : "notReadyAddresses")) {
        bool v6 = str_find(json_str(json_getz(address, "ip")), ':') >= 0;

        if (n++ == CTRL_ENDPOINTS_MAX)
            return;                              /* as in the original: so many of a subset */
        json_push(slice_group_for(plan, v6 ? "IPv6" : "IPv4", ports_of(a, subset))->endpoints,
                  endpoint_of(a, address, ready));
    }
}

static struct json *annotations_of(struct arena *a, const struct json *endpoints)
{
    struct json *notes = json_object(a);

    json_each(it, json_path(endpoints, "metadata.annotations"))
        if (!str_is(it->key, LAST_APPLIED) && !str_is(it->key, TRIGGER_ANNOTATION))
            json_set(a, notes, it->key, json_copy(a, it));
    return notes;
}

/* ---- The pass ----------------------------------------------------------------------------------- */

static void mirror_sync(void *arg, struct pass *p)
{
    struct mirror_controller *c = arg;
    struct object     *o = informer_get(c->endpoints, pass_ns(p), pass_name(p)),
                      *s = informer_get(c->services, pass_ns(p), pass_name(p));
    struct arena      *a = pass_arena(p);
    struct slice_plan  plan = { .pass = p, .slices = c->slices, .ns = pass_ns(p), .service = pass_name(p),
                                .managed_by = MANAGER, .max_endpoints = CTRL_ENDPOINTS_MAX };
    const struct json *endpoints = o != NULL ? object_json(o, a) : NULL;

    if (!c->ready)
        return;
    if (o == NULL || s == NULL || !is_mirrored(endpoints) ||
        json__first(json_path(object_json(s, a), "spec.selector")) != NULL) {
        slices_remove(&plan);
        return;
    }
    plan.labels = slice_labels_from(a, endpoints, pass_name(p), MANAGER);
    plan.annotations = annotations_of(a, endpoints);
    plan.owner = owner_ref_new(a, "v1", "Endpoints", endpoints);
    json_each(subset, json_getz(endpoints, "subsets")) {
        add_addresses(&plan, subset, true);
        add_addresses(&plan, subset, false);
    }
    slices_reconcile(&plan);
}

/* ---- What may concern one ----------------------------------------------------------------------- */

static void on_thing(void *arg, enum informer_change what, struct object *old, struct object *new_,
                     struct json *json)
{
    struct mirror_controller *c = arg;
    const struct object      *o = new_ != NULL ? new_ : old;

    workqueue_add(c->queue, o->ns, o->name);
}

static void look_at_slice(void *arg, struct object *o)
{
    struct mirror_controller *c = arg;
    struct arena              a = ARENA_INIT;
    const struct json        *labels = json_path(object_json(o, &a), "metadata.labels");
    struct str                service = json_str(json_getz(labels, SERVICE_NAME_LABEL));

    if (service.n > 0 && str_is(json_str(json_getz(labels, MANAGED_BY_LABEL)), MANAGER))
        workqueue_add(c->queue, o->ns, service);
    arena_release(&a);
}

static void on_slice(void *arg, enum informer_change what, struct object *old, struct object *new_,
                     struct json *json)
{
    struct mirror_controller *c = arg;

    if (c->ready)
        look_at_slice(c, new_ != NULL ? new_ : old);
}

static void mirror_ready(struct controller *base)
{
    struct mirror_controller *c = container_of(base, struct mirror_controller, base);

    c->ready = true;
    sweep_into(&c->sweep, c->env->loop, c->endpoints, c->queue);
    sweep_start(&c->slices_sweep, c->env->loop, c->slices, look_at_slice, c);
}

static void mirror_stop(struct controller *base)
{
    struct mirror_controller *c = container_of(base, struct mirror_controller, base);

    sweep_stop(&c->sweep);
    sweep_stop(&c->slices_sweep);
    workqueue_free(c->queue);
    mem_free(c);
}

struct controller *slice_mirror_controller(struct ctrl_env *env)
{
    struct mirror_controller *c = mem_new(struct mirror_controller);
    struct workqueue_opts qo = { .client = env->client, .name = "slice mirror", .sync = mirror_sync,
                                 .arg = c };

    c->base = (struct controller){ mirror_ready, mirror_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->services = shared_listen(env->shared, CLIENT_SERVICES, on_thing, c);
    c->endpoints = shared_listen(env->shared, CLIENT_ENDPOINTS, on_thing, c);
    c->slices = shared_listen(env->shared, CLIENT_ENDPOINTSLICES, on_slice, c);
    return &c->base;
}
