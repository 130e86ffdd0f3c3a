/* ctrl/endpoints.c: which pods stand behind each service with a selector: its EndpointSlices and its
 * Endpoints object, both from one look at the pods.
 *
 * A pod's change reaches the services that may select it through an index of their selectors' first pair. */
#include "api/json_scan.h"
#include "api/selector.h"
#include "ctrl/endpoints_object.h"
#include "ctrl/slices.h"

#define MANAGER "endpointslice-controller.k8s.io"

struct ep_controller {
    struct controller base;
    struct sweep services_sweep, slices_sweep;
    struct ctrl_env *env;
    struct informer *services, *pods, *nodes, *slices, *endpoints;
    struct workqueue *queue;
    bool ready;
};

/* ---- Slices ------------------------------------------------------------------------------------- */

static struct str zone_of(const struct ep_controller *c, struct arena *a, struct str node)
{
    struct object *o = node.n > 0 ? informer_get(c->nodes, STR_NONE, node) : NULL;

    if (o == NULL)
        return STR_NONE;
    return json_str(json_getz(json_path(object_json(o, a), "metadata.labels"),
                              "topology.kubernetes.io/zone"));
}

/* Traffic that should stay near: each ready endpoint is for its own zone. */
static void set_hints(struct arena *a, struct json *e, const struct json *service, struct str zone)
{
    struct str   way = json_path_str(service, "spec.trafficDistribution");
    struct json *zones;

    if (zone.n == 0 || !(str_is(way, "PreferClose") || str_is(way, "PreferSameZone")))
        return;
    zones = json_setz(a, json_make_path(a, e, "hints"), "forZones", json_array(a));
    json_setz(a, json_push(zones, json_object(a)), "name", json_string_ref(a, zone));
}

static struct json *endpoint_of(const struct ep_controller *c, struct arena *a, const struct backend *b,
                                const struct json *service, struct str ip)
{
    struct json *e = json_object(a), *conditions;
    struct str   hostname = backend_hostname(b, service), node = json_path_str(b->pod, "spec.nodeName");
    struct str   zone = zone_of(c, a, node);

    json_push(json_setz(a, e, "addresses", json_array(a)), json_string_ref(a, ip));
    conditions = json_setz(a, e, "conditions", json_object(a));
    json_setz(a, conditions, "ready", json_bool(a, b->ready));
    json_setz(a, conditions, "serving", json_bool(a, b->serving));
    json_setz(a, conditions, "terminating", json_bool(a, b->terminating));
    if (hostname.n > 0)
        json_setz(a, e, "hostname", json_string_ref(a, hostname));
    json_setz(a, e, "targetRef", backend_target(a, b));
    if (node.n > 0)
        json_setz(a, e, "nodeName", json_string_ref(a, node));
    if (zone.n > 0)
        json_setz(a, e, "zone", json_string_ref(a, zone));
    if (b->ready)
        set_hints(a, e, service, zone);
    return e;
}

static void add_family(struct ep_controller *c, struct slice_plan *plan, const struct json *service,
                       const struct backends *all, const char *type)
{
    struct arena *a = pass_arena(plan->pass);
    bool          v6 = strcmp(type, "IPv6") == 0, any = false;

    for (size_t i = 0; i < all->n; i++) {
        struct str ip = backend_ip(&all->v[i], v6);

        if (ip.n == 0)
            continue;
        any = true;
        json_push(slice_group_for(plan, type, all->v[i].ports)->endpoints,
                  endpoint_of(c, a, &all->v[i], service, ip));
    }
    if (!any)
        slice_group_for(plan, type, json_array(a));
}

static struct slice_plan plan_of(struct ep_controller *c, struct pass *p)
{
    return (struct slice_plan){ .pass = p, .slices = c->slices, .ns = pass_ns(p), .service = pass_name(p),
                                .managed_by = MANAGER, .max_endpoints = CTRL_SLICE_ENDPOINTS };
}

static void correct_slices(struct ep_controller *c, struct pass *p, const struct json *service,
                           const struct backends *all)
{
    struct slice_plan plan = plan_of(c, p);
    struct arena     *a = pass_arena(p);
    struct json      *labels = slice_labels_from(a, service, pass_name(p), MANAGER);

    if (service_has_no_ip(service))
        json_setz(a, labels, HEADLESS_LABEL, json_string_ref(a, STR("")));
    plan.labels = labels;
    plan.owner = owner_ref_new(a, "v1", "Service", service);
    plan.trigger = all->trigger;
    json_each(family, json_path(service, "spec.ipFamilies"))
        add_family(c, &plan, service, all, str_is(json_str(family), "IPv6") ? "IPv6" : "IPv4");
    slices_reconcile(&plan);
}

/* ---- The pass ----------------------------------------------------------------------------------- */

static void ep_sync(void *arg, struct pass *p)
{
    struct ep_controller *c = arg;
    struct object        *o = informer_get(c->services, pass_ns(p), pass_name(p));
    const struct json    *service;
    struct slice_plan     none;
    struct backends       all;

    if (!c->ready)
        return;
    if (o == NULL) {
        none = plan_of(c, p);
        slices_remove(&none);
        endpoints_remove(p, c->endpoints);
        return;
    }
    service = object_json(o, pass_arena(p));
    if (json__first(json_path(service, "spec.selector")) == NULL || is_being_deleted(service) ||
        str_is(json_path_str(service, "spec.type"), "ExternalName"))
        return;
    all = backends_of(p, c->pods, service);
    correct_slices(c, p, service, &all);
    endpoints_correct(p, c->endpoints, service, &all);
}

/* ---- What may concern a service ----------------------------------------------------------------- */

static void on_service(void *arg, enum informer_change what, struct object *old, struct object *new_,
                       struct json *json)
{
    struct ep_controller *c = arg;
    const struct object  *o = new_ != NULL ? new_ : old;

    workqueue_add(c->queue, o->ns, o->name);
}

static struct str part_of(const struct object *o, const char *path)
{
    struct str part = STR_NONE;

    if (o != NULL)
        json_scan_path(blob_str(o->raw), path, &part);
    return part;
}

/* What became of a pod; whether that matters to any service is found out when one selects it. */
struct pod_change { const struct object *old, *new_; bool known, matters; };

static bool matters(struct pod_change *ch)
{
    static const char *const paths[] = { "metadata.labels", "metadata.deletionTimestamp", "spec.nodeName",
                                         "status.podIPs", "status.phase", "status.conditions" };

    if (ch->known)
        return ch->matters;
    ch->known = true;
    ch->matters = ch->old == NULL || ch->new_ == NULL;
    for (size_t i = 0; i < ARRAY_LEN(paths) && !ch->matters; i++)
        ch->matters = !str_eq(part_of(ch->old, paths[i]), part_of(ch->new_, paths[i]));
    return ch->matters;
}

static bool selects(const struct object *service, struct arena *a, struct str labels)
{
    struct str        text = part_of(service, "spec.selector");
    struct json      *map;
    struct json_error why;
    struct selector   sel;

    if (json_parse(a, text, &map, &why) != 0)
        return false;
    selector_from_map(a, map, &sel);
    return selector_matches_text(&sel, labels);
}

/* All services that select something with these labels, if what became of it matters to them. */
static void add_selecting(struct ep_controller *c, struct str ns, struct str labels, struct pod_change *ch)
{
    struct arena   a = ARENA_INIT;
    struct str     rest = labels, key, value;
    struct object *o;

    while (labels.n > 0 && json_scan_member(&rest, &key, &value)) {
        struct str pair;

        if (!json_scan_string(&a, value, &value))
            continue;
        pair = pair_key(&a, ns, key, value);
        for (size_t it = 0; (o = informer_by(c->services, BY_SELECTOR, pair, &it)) != NULL;)
            if (matters(ch) && selects(o, &a, labels))
                workqueue_add(c->queue, o->ns, o->name);
    }
    arena_release(&a);
}

static void on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    struct ep_controller *c = arg;
    struct str            now = part_of(new_, "metadata.labels"), before = part_of(old, "metadata.labels");
    struct pod_change     change = { .old = old, .new_ = new_ };

    if (!c->ready)
        return;
    add_selecting(c, (new_ != NULL ? new_ : old)->ns, new_ != NULL ? now : before, &change);
    if (what == INFORMER_UPDATE && !str_eq(now, before))
        add_selecting(c, old->ns, before, &change);
}

/* Its zone may have changed. */
static void on_node(void *arg, enum informer_change what, struct object *old, struct object *new_,
                    struct json *json)
{
    struct ep_controller *c = arg;
    struct pod_change     moved = { .known = true, .matters = true };
    struct object        *o;

    if (!c->ready || str_eq(part_of(old, "metadata.labels"), part_of(new_, "metadata.labels")))
        return;
    for (size_t it = 0; (o = informer_by(c->pods, BY_NODE, (new_ != NULL ? new_ : old)->name, &it)) != NULL;)
        add_selecting(c, o->ns, part_of(o, "metadata.labels"), &moved);
}

static void add_service_of(struct ep_controller *c, const struct object *slice)
{
    struct arena       a = ARENA_INIT;
    const struct json *labels = json_path(object_json(slice, &a), "metadata.labels");
    struct str         service = json_str(json_getz(labels, SERVICE_NAME_LABEL));

    if (service.n > 0 && str_is(json_str(json_getz(labels, MANAGED_BY_LABEL)), MANAGER))
        workqueue_add(c->queue, slice->ns, service);
    arena_release(&a);
}

static void on_slice(void *arg, enum informer_change what, struct object *old, struct object *new_,
                     struct json *json)
{
    struct ep_controller *c = arg;

    if (c->ready && new_ != NULL)
        add_service_of(c, new_);
    if (c->ready && old != NULL)
        add_service_of(c, old);
}

static void on_endpoints(void *arg, enum informer_change what, struct object *old, struct object *new_,
                         struct json *json)
{
    struct ep_controller *c = arg;
    const struct object  *o = new_ != NULL ? new_ : old;

    if (informer_get(c->services, o->ns, o->name) != NULL)
        workqueue_add(c->queue, o->ns, o->name);
}

/* ---- Start and end ------------------------------------------------------------------------------ */

static void look_at_slice(void *arg, struct object *o)
{
    add_service_of(arg, o);
}

static void ep_ready(struct controller *base)
{
    struct ep_controller *c = container_of(base, struct ep_controller, base);

    c->ready = true;
    sweep_into(&c->services_sweep, c->env->loop, c->services, c->queue);
    sweep_start(&c->slices_sweep, c->env->loop, c->slices, look_at_slice, c);
}

static void ep_stop(struct controller *base)
{
    struct ep_controller *c = container_of(base, struct ep_controller, base);

    sweep_stop(&c->services_sweep);
    sweep_stop(&c->slices_sweep);
    workqueue_free(c->queue);
    mem_free(c);
}

struct controller *endpoints_controller(struct ctrl_env *env)
{
    struct ep_controller *c = mem_new(struct ep_controller);
    struct workqueue_opts qo = { .client = env->client, .name = "endpoints", .sync = ep_sync, .arg = c };

    c->base = (struct controller){ ep_ready, ep_stop };
    c->env = env;
    c->queue = workqueue_new(&qo);
    c->services = shared_listen(env->shared, CLIENT_SERVICES, on_service, c);
    c->pods = shared_listen(env->shared, CLIENT_PODS, on_pod, c);
    c->nodes = shared_listen(env->shared, CLIENT_NODES, on_node, c);
    c->slices = shared_listen(env->shared, CLIENT_ENDPOINTSLICES, on_slice, c);
    c->endpoints = shared_listen(env->shared, CLIENT_ENDPOINTS, on_endpoints, c);
    return &c->base;
}
