/* ctrl/backends.c: see ctrl/backends.h. */
#include "api/json_scan.h"
#include "api/selector.h"
#include "ctrl/backends.h"

bool service_publishes_not_ready(const struct json *service)
{
    return json_path_true(service, "spec.publishNotReadyAddresses");
}

bool service_has_no_ip(const struct json *service)
{
    return str_is(json_path_str(service, "spec.clusterIP"), "None");
}

struct str backend_ip(const struct backend *b, bool v6)
{
    const struct json *ips = json_path(b->pod, "status.podIPs");
    struct str         only = json_path_str(b->pod, "status.podIP");

    json_each(it, ips) {
        struct str ip = json_str(json_getz(it, "ip"));

        if (ip.n > 0 && (str_find(ip, ':') >= 0) == v6)
            return ip;
    }
    return only.n > 0 && (str_find(only, ':') >= 0) == v6 ? only : STR_NONE;
}

struct str backend_hostname(const struct backend *b, const struct json *service)
{
    struct str subdomain = json_path_str(b->pod, "spec.subdomain");

    if (subdomain.n == 0 || !str_eq(subdomain, meta_str(service, "name")))
        return STR_NONE;
    return json_path_str(b->pod, "spec.hostname");
}

struct json *backend_target(struct arena *a, const struct backend *b)
{
    struct json *ref = json_object(a);

    json_setf(a, ref, "kind", "%s", "Pod");
    json_setz(a, ref, "namespace", json_string_ref(a, meta_str(b->pod, "namespace")));
    json_setz(a, ref, "name", json_string_ref(a, meta_str(b->pod, "name")));
    json_setz(a, ref, "uid", json_string_ref(a, meta_str(b->pod, "uid")));
    return ref;
}

/* ---- Ports -------------------------------------------------------------------------------------- */

static int64_t port_of_container(const struct json *container, struct str name, struct str protocol)
{
    json_each(it, json_getz(container, "ports"))
        if (str_eq(json_str(json_getz(it, "name")), name) &&
            str_eq(json_str(json_getz(it, "protocol")), protocol))
            return json_path_i64(it, "containerPort", 0);
    return 0;
}

/* Named ports are those of containers and of sidecars.  0: there is none such. */
static int64_t port_by_name(const struct json *pod, struct str name, struct str protocol)
{
    int64_t n = 0;

    json_each(c, json_path(pod, "spec.containers"))
        if (n == 0)
            n = port_of_container(c, name, protocol);
    json_each(c, json_path(pod, "spec.initContainers"))
        if (n == 0 && str_is(json_str(json_getz(c, "restartPolicy")), "Always"))
            n = port_of_container(c, name, protocol);
    return n;
}

static struct json *ports_in(struct arena *a, const struct json *service, const struct json *pod)
{
    struct json *ports = json_array(a);

    json_each(it, json_path(service, "spec.ports")) {
        const struct json *target = json_getz(it, "targetPort"), *app = json_getz(it, "appProtocol");
        struct str         protocol = json_str(json_getz(it, "protocol"));
        int64_t n = json_is(target, JSON_STRING) ? port_by_name(pod, target->s, protocol)
                                                 : json_i64_or(target, json_path_i64(it, "port", 0));
        struct json *port;

        if (n == 0)
            continue;
        port = json_push(ports, json_object(a));
        json_setz(a, port, "name", json_string_ref(a, json_str(json_getz(it, "name"))));
        json_setz(a, port, "protocol", json_string_ref(a, protocol));
        json_setz(a, port, "port", json_int(a, n));
        if (app != NULL)
            json_setz(a, port, "appProtocol", json_copy(a, app));
    }
    return ports;
}

/* ---- Pods --------------------------------------------------------------------------------------- */

static void add(struct backends *all, struct arena *a, const struct json *service, const struct json *pod)
{
    struct backend *b = &all->v[all->n];
    struct str      when = json_str(json_getz(condition_get(pod, "Ready"), "lastTransitionTime"));

    *b = (struct backend){ .pod = pod, .serving = pod_is_ready(pod), .terminating = is_being_deleted(pod) };
    if (backend_ip(b, false).n == 0 && backend_ip(b, true).n == 0)
        return;
    b->ready = (b->serving && !b->terminating) || service_publishes_not_ready(service);
    b->ports = ports_in(a, service, pod);
    if (str_cmp(when, all->trigger) > 0)         /* such times sort as texts */
        all->trigger = when;
    all->n++;
}

static bool matches(const struct selector *sel, const struct object *o)
{
    struct str labels = STR_NONE;

    json_scan_path(blob_str(o->raw), "metadata.labels", &labels);
    return selector_matches_text(sel, labels);
}

struct backends backends_of(struct pass *p, struct informer *pods, const struct json *service)
{
    struct arena   *a = pass_arena(p);
    struct backends all = { NULL, 0, STR_NONE };
    struct selector sel;
    struct object  *o;
    size_t          cap = 0;

    selector_from_map(a, json_path(service, "spec.selector"), &sel);
    for (size_t it = 0; (o = informer_by(pods, BY_NAMESPACE, pass_ns(p), &it)) != NULL;) {
        const struct json *pod;

        if (!matches(&sel, o))
            continue;
        pod = object_json(o, a);
        if (pod_has_ended(pod))
            continue;
        if (all.n == cap) {
            struct backend *more = arena_alloc(a, (cap * 2 + 16) * sizeof(*more));

            if (all.n > 0)
                memcpy(more, all.v, all.n * sizeof(*more));
            all.v = more;
            cap = cap * 2 + 16;
        }
        add(&all, a, service, pod);
    }
    return all;
}
