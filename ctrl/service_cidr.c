/* ctrl/service_cidr.c: ranges that services take their addresses from, and whether each address is held by
 * whom it says.
 *
 * A range gets a finalizer and is declared ready.  One that is being deleted goes when no address in it would
 * be left without a range.  An address whose service is gone, or does not use it, is given back; one that a
 * service uses and that nobody holds is taken again.  Both look at the API itself before they act: the API
 * changes a service and its addresses in one transaction, caches see one after the other. */
#include "net/ip_range.h"
#include "api/time_fmt.h"
#include "ctrl/controller.h"

#define FINALIZER   "networking.k8s.io/service-cidr-finalizer"
#define MANAGED_BY  "ipaddress.kubernetes.io/managed-by"
#define MANAGER     "ipallocator.k8s.io"
#define FAMILY      "ipaddress.kubernetes.io/ip-family"

struct cidr_controller {
    struct controller base;
    struct sweep addresses_sweep, services_sweep, cidrs_sweep;
    struct ctrl_env *env;
    struct informer *cidrs, *addresses, *services;
    struct workqueue *ranges, *held, *used;      /* by range; by address; by service */
    bool ready;
};

/* ---- Ranges ------------------------------------------------------------------------------------- */

static bool covers(const struct json *cidr, struct ip ip)
{
    struct ip_range range;

    json_each(it, json_path(cidr, "spec.cidrs"))
        if (ip_range_parse(json_str(it), &range) && ip_range_covers(&range, ip))
            return true;
    return false;
}

/* In another range that stays. */
static bool covered_elsewhere(struct cidr_controller *c, struct arena *a, struct str but, struct ip ip)
{
    struct object *o;

    for (size_t it = 0; (o = informer_next(c->cidrs, &it)) != NULL;)
        if (!str_eq(o->name, but) && !is_being_deleted(object_json(o, a)) && covers(object_json(o, a), ip))
            return true;
    return false;
}

static bool is_needed(struct cidr_controller *c, struct arena *a, const struct json *cidr)
{
    struct object *o;
    struct ip      ip;

    for (size_t it = 0; (o = informer_next(c->addresses, &it)) != NULL;)
        if (ip_parse(o->name, &ip) && covers(cidr, ip) &&
            !covered_elsewhere(c, a, meta_str(cidr, "name"), ip))
            return true;
    return false;
}

static void send_cidr(struct pass *p, const struct json *obj, const char *sub)
{
    struct client_req r = { .method = "PUT", .res = CLIENT_SERVICECIDRS, .name = pass_name(p), .sub = sub,
                            .body = obj };

    pass_send(p, &r, 404, NULL);
}

static void declare(struct cidr_controller *c, struct pass *p, const struct json *cidr, const char *status,
                    const char *reason, struct str message)
{
    struct arena *a = pass_arena(p);
    struct json  *obj = json_copy(a, cidr), *conditions = json_path(obj, "status.conditions");

    if (conditions == NULL)
        conditions = json_setz(a, json_make_path(a, obj, "status"), "conditions", json_array(a));
    if (condition_set(a, conditions, "Ready", status, reason, message, time_text(a, env_now_s(c->env))))
        send_cidr(p, obj, "status");
}

static void let_go(struct cidr_controller *c, struct pass *p, const struct json *cidr)
{
    struct arena *a = pass_arena(p);
    struct json  *obj = json_copy(a, cidr), *list = json_path(obj, "metadata.finalizers"), *kept;
    int64_t       since = env_now_s(c->env), deleted = 0;
    uint32_t      ns;

    if (!has_finalizer(cidr, FINALIZER))
        return;
    if (is_needed(c, a, cidr)) {
        declare(c, p, cidr, "False", "Terminating",
                STR("There are still IPAddresses referencing the ServiceCIDR, please remove them or create a "
                    "new ServiceCIDR"));
        return;
    }
    /* Who was about to take an address from it has done so by then. */
    if (time_parse(meta_str(cidr, "deletionTimestamp"), &deleted, &ns) &&
        since < deleted + CTRL_CIDR_GRACE_S) {
        pass_again_after(p, (uint64_t)(deleted + CTRL_CIDR_GRACE_S - since) * 1000);
        return;
    }
    kept = json_array(a);
    json_each(it, list)
        if (!str_is(json_str(it), FINALIZER))
            json_push(kept, json_copy(a, it));
    json_setz(a, json_make_path(a, obj, "metadata"), "finalizers", kept);
    send_cidr(p, obj, NULL);
}

static void range_sync(void *arg, struct pass *p)
{
    struct cidr_controller *c = arg;
    struct object          *o = informer_get(c->cidrs, STR_NONE, pass_name(p));
    struct arena           *a = pass_arena(p);
    struct json            *cidr, *list;

    if (o == NULL || !c->ready)
        return;
    cidr = object_json(o, a);
    pass_expect(p, c->cidrs);
    if (is_being_deleted(cidr)) {
        let_go(c, p, cidr);
    } else if (!has_finalizer(cidr, FINALIZER)) {
        list = json_path(cidr, "metadata.finalizers");
        if (list == NULL)
            list = json_setz(a, json_make_path(a, cidr, "metadata"), "finalizers", json_array(a));
        json_push(list, json_string_ref(a, STR(FINALIZER)));
        send_cidr(p, cidr, NULL);
    } else {
        declare(c, p, cidr, "True", "",
                str_is(pass_name(p), "kubernetes") ? STR("Kubernetes default Service CIDR is ready")
                                                   : STR("Kubernetes Service CIDR is ready"));
    }
}

/* ---- Addresses that are held -------------------------------------------------------------------- */

static bool uses(const struct json *service, struct str ip)
{
    json_each(it, json_path(service, "spec.clusterIPs"))
        if (str_eq(json_str(it), ip))
            return true;
    return false;
}

static void give_back(struct pass *p)
{
    struct cidr_controller *c = pass_owner(p);
    struct object          *o = informer_get(c->addresses, STR_NONE, pass_name(p));
    struct arena           *a = pass_arena(p);
    struct client_req r = { .method = "DELETE", .res = CLIENT_IPADDRESSES, .name = pass_name(p),
                            .body = json_object(a) };

    if (o == NULL)
        return;
    /* As it was when the service was looked at: not one that was taken meanwhile. */
    json_setf(a, json_make_path(a, (struct json *)r.body, "preconditions"), "resourceVersion", "%llu",
              (unsigned long long)o->rv);
    pass_send(p, &r, 404, NULL);
}

static void on_service_read(struct pass *p, const struct client_result *r)
{
    if (!uses(r->obj, pass_name(p)))
        give_back(p);
}

static void on_no_service(struct pass *p, const struct client_result *r)
{
    give_back(p);
}

static void held_sync(void *arg, struct pass *p)
{
    struct cidr_controller *c = arg;
    struct object          *o = informer_get(c->addresses, STR_NONE, pass_name(p)), *s;
    struct arena           *a = pass_arena(p);
    const struct json      *address, *parent;
    struct client_req       r = { .method = "GET", .res = CLIENT_SERVICES };

    if (o == NULL || !c->ready)
        return;
    address = object_json(o, a);
    parent = json_path(address, "spec.parentRef");
    if (!str_is(json_str(json_getz(json_path(address, "metadata.labels"), MANAGED_BY)), MANAGER) ||
        !str_is(json_str(json_getz(parent, "resource")), "services"))
        return;                                  /* somebody else's */
    r.ns = json_str(json_getz(parent, "namespace"));
    r.name = json_str(json_getz(parent, "name"));
    s = informer_get(c->services, r.ns, r.name);
    if (s != NULL && uses(object_json(s, a), pass_name(p)))
        return;
    if (r.ns.n == 0 || r.name.n == 0)
        give_back(p);
    else
        pass_send_else(p, &r, 404, on_service_read, on_no_service);
}

/* ---- Addresses that are used -------------------------------------------------------------------- */

static struct json *address_new(struct arena *a, const struct json *service, struct ip ip, struct str text)
{
    struct json *obj = json_object(a), *labels, *parent;

    json_setf(a, obj, "apiVersion", "%s", "networking.k8s.io/v1");
    json_setf(a, obj, "kind", "%s", "IPAddress");
    json_setz(a, json_make_path(a, obj, "metadata"), "name", json_string_ref(a, text));
    labels = json_make_path(a, obj, "metadata.labels");
    json_setf(a, labels, FAMILY, "%s", ip.v6 ? "IPv6" : "IPv4");
    json_setf(a, labels, MANAGED_BY, "%s", MANAGER);
    parent = json_make_path(a, obj, "spec.parentRef");
    json_setf(a, parent, "group", "%s", "");
    json_setf(a, parent, "resource", "%s", "services");
    json_setz(a, parent, "namespace", json_string_ref(a, meta_str(service, "namespace")));
    json_setz(a, parent, "name", json_string_ref(a, meta_str(service, "name")));
    return obj;
}

static void used_sync(void *arg, struct pass *p)
{
    struct cidr_controller *c = arg;
    struct object          *o = informer_get(c->services, pass_ns(p), pass_name(p));
    struct arena           *a = pass_arena(p);
    const struct json      *service;
    struct ip               ip;

    if (o == NULL || !c->ready)
        return;
    service = object_json(o, a);
    json_each(it, json_path(service, "spec.clusterIPs")) {
        struct client_req r = { .method = "POST", .res = CLIENT_IPADDRESSES };

        if (!ip_parse(json_str(it), &ip) || informer_get(c->addresses, STR_NONE, json_str(it)) != NULL)
            continue;
        /* Where it is there after all nothing happens; where the service goes meanwhile, held_sync() will
         * see to it. */
        r.body = address_new(a, service, ip, json_str(it));
        pass_send(p, &r, 409, NULL);
    }
}

/* ---- What may concern whom ---------------------------------------------------------------------- */

static void on_cidr(void *arg, enum informer_change what, struct object *old, struct object *new_,
                    struct json *json)
{
    struct cidr_controller *c = arg;
    struct object          *o;

    if (new_ != NULL)
        workqueue_add(c->ranges, STR_NONE, new_->name);
    /* One range may stand in for another. */
    for (size_t it = 0; c->ready && (o = informer_next(c->cidrs, &it)) != NULL;)
        workqueue_add(c->ranges, STR_NONE, o->name);
}

static void add_deleted_ranges(struct cidr_controller *c)
{
    struct arena   a = ARENA_INIT;
    struct object *o;

    for (size_t it = 0; (o = informer_next(c->cidrs, &it)) != NULL;)
        if (is_being_deleted(object_json(o, &a)))
            workqueue_add(c->ranges, STR_NONE, o->name);
    arena_release(&a);
}

static void on_address(void *arg, enum informer_change what, struct object *old, struct object *new_,
                       struct json *json)
{
    struct cidr_controller *c = arg;
    const struct json      *parent = json_path(json, "spec.parentRef");

    if (!c->ready)
        return;
    if (new_ != NULL) {
        workqueue_add(c->held, STR_NONE, new_->name);
        return;
    }
    workqueue_add(c->used, json_str(json_getz(parent, "namespace")), json_str(json_getz(parent, "name")));
    add_deleted_ranges(c);
}

static void on_service(void *arg, enum informer_change what, struct object *old, struct object *new_,
                       struct json *json)
{
    struct cidr_controller *c = arg;

    if (!c->ready)
        return;
    if (new_ != NULL)
        workqueue_add(c->used, new_->ns, new_->name);
    json_each(it, json_path(json, "spec.clusterIPs"))
        if (new_ == NULL && informer_get(c->addresses, STR_NONE, json_str(it)) != NULL)
            workqueue_add(c->held, STR_NONE, json_str(it));
}

/* ---- Start and end ------------------------------------------------------------------------------ */

static void cidr_ready(struct controller *base)
{
    struct cidr_controller *c = container_of(base, struct cidr_controller, base);

    c->ready = true;
    sweep_into(&c->cidrs_sweep, c->env->loop, c->cidrs, c->ranges);
    sweep_into(&c->addresses_sweep, c->env->loop, c->addresses, c->held);
    sweep_into(&c->services_sweep, c->env->loop, c->services, c->used);
}

static void cidr_stop(struct controller *base)
{
    struct cidr_controller *c = container_of(base, struct cidr_controller, base);

    sweep_stop(&c->cidrs_sweep);
    sweep_stop(&c->addresses_sweep);
    sweep_stop(&c->services_sweep);
    workqueue_free(c->ranges);
    workqueue_free(c->held);
    workqueue_free(c->used);
    mem_free(c);
}

struct controller *service_cidr_controller(struct ctrl_env *env)
{
    struct cidr_controller *c = mem_new(struct cidr_controller);
    struct workqueue_opts ranges = { .client = env->client, .name = "service ranges", .sync = range_sync,
                                     .arg = c },
        held = { .client = env->client, .name = "service addresses", .sync = held_sync, .arg = c },
        used = { .client = env->client, .name = "addresses of services", .sync = used_sync, .arg = c };

    c->base = (struct controller){ cidr_ready, cidr_stop };
    c->env = env;
    c->ranges = workqueue_new(&ranges);
    c->held = workqueue_new(&held);
    c->used = workqueue_new(&used);
    c->cidrs = shared_listen(env->shared, CLIENT_SERVICECIDRS, on_cidr, c);
    c->addresses = shared_listen(env->shared, CLIENT_IPADDRESSES, on_address, c);
    c->services = shared_listen(env->shared, CLIENT_SERVICES, on_service, c);
    return &c->base;
}
