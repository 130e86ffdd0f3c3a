/* ctrl/endpoints_object.c: see ctrl/endpoints_object.h. */
#include <stdlib.h>
#include "ctrl/endpoints_object.h"
#include "ctrl/slices.h"

#define OWN_LABEL           "endpoints.kubernetes.io/managed-by"
#define OWN_NAME            "endpoint-controller"
#define CAPACITY_ANNOTATION "endpoints.kubernetes.io/over-capacity"
#define LOCK_ANNOTATION     "control-plane.alpha.kubernetes.io/leader"

/* Addresses in the order of their texts: what is the same looks the same. */
static int by_ip(const void *x, const void *y)
{
    const struct json *const *a = x, *const *b = y;

    return str_cmp(json_str(json_getz(*a, "ip")), json_str(json_getz(*b, "ip")));
}

static void sort_addresses(struct arena *a, struct json *list)
{
    struct json **v = arena_alloc(a, (list->n + 1) * sizeof(struct json *)), **to = v;
    unsigned      n = list->n;

    json_each(it, list)
        *to++ = it;
    qsort(v, n, sizeof(*v), by_ip);
    list->first = list->last = NULL;
    list->n = 0;
    for (unsigned i = 0; i < n; i++) {
        v[i]->next = NULL;
        json_push(list, v[i]);
    }
}

static struct json *address_of(struct arena *a, const struct backend *b, const struct json *service,
                               struct str ip)
{
    struct json *address = json_object(a);
    struct str   hostname = backend_hostname(b, service), node = json_path_str(b->pod, "spec.nodeName");

    json_setz(a, address, "ip", json_string_ref(a, ip));
    if (hostname.n > 0)
        json_setz(a, address, "hostname", json_string_ref(a, hostname));
    if (node.n > 0)
        json_setz(a, address, "nodeName", json_string_ref(a, node));
    json_setz(a, address, "targetRef", backend_target(a, b));
    return address;
}

/* Pods that serve the same ports share a subset. */
static struct json *subset_for(struct arena *a, struct json *subsets, struct json *ports)
{
    struct json *subset;

    json_each(it, subsets)
        if (json_equal(json_getz(it, "ports"), ports))
            return it;
    subset = json_push(subsets, json_object(a));
    json_setz(a, subset, "ports", ports);
    return subset;
}

static struct json *ports_of(struct arena *a, const struct backend *b)
{
    struct json *ports = json_copy(a, b->ports);

    json_each(port, ports)
        if (json_str(json_getz(port, "name")).n == 0)
            json_delz(port, "name");
    return ports;
}

/* *ret_left_out: there are more than one object should hold. */
static struct json *subsets_of(struct arena *a, const struct json *service, const struct backends *all,
                               bool *ret_left_out)
{
    struct json *subsets = json_array(a);
    bool         v6 = str_is(json_path_str(service, "spec.ipFamilies.0"), "IPv6");
    unsigned     n = 0;

    *ret_left_out = false;
    for (size_t i = 0; i < all->n; i++) {
        const struct backend *b = &all->v[i];
        struct str            ip = backend_ip(b, v6);
        const char           *key = b->ready ? "addresses" : "notReadyAddresses";
        struct json          *subset, *list;

        if (ip.n == 0 || (b->terminating && !service_publishes_not_ready(service)) ||
            (b->ports->n == 0 && !service_has_no_ip(service)))
            continue;
        if (n++ == CTRL_ENDPOINTS_MAX) {
            *ret_left_out = true;
            break;
        }
        subset = subset_for(a, subsets, ports_of(a, b));
        list = json_getz(subset, key);
        if (list == NULL)
            list = json_setz(a, subset, key, json_array(a));
        json_push(list, address_of(a, b, service, ip));
    }
    json_each(subset, subsets) {
        if (json_getz(subset, "addresses") != NULL)
            sort_addresses(a, json_getz(subset, "addresses"));
        if (json_getz(subset, "notReadyAddresses") != NULL)
            sort_addresses(a, json_getz(subset, "notReadyAddresses"));
        if (json_getz(subset, "ports")->n == 0)
            json_delz(subset, "ports");
    }
    return subsets;
}

/* ---- The object --------------------------------------------------------------------------------- */

static struct json *labels_of(struct arena *a, const struct json *service)
{
    const struct json *own = json_path(service, "metadata.labels");
    struct json       *labels = own != NULL ? json_copy(a, own) : json_object(a);

    json_delz(labels, HEADLESS_LABEL);
    if (service_has_no_ip(service))
        json_setz(a, labels, HEADLESS_LABEL, json_string_ref(a, STR("")));
    json_setz(a, labels, OWN_LABEL, json_string_ref(a, STR(OWN_NAME)));
    return labels;
}

static struct json *object_new(struct pass *p)
{
    struct arena *a = pass_arena(p);
    struct json  *obj = json_object(a), *meta = json_make_path(a, obj, "metadata");

    json_setf(a, obj, "apiVersion", "%s", "v1");
    json_setf(a, obj, "kind", "%s", "Endpoints");
    json_setz(a, meta, "name", json_string_ref(a, pass_name(p)));
    json_setz(a, meta, "namespace", json_string_ref(a, pass_ns(p)));
    return obj;
}

static bool is_as_wanted(const struct json *there, const struct json *labels, const struct json *subsets,
                         bool left_out)
{
    const struct json *was = json_getz(there, "subsets"), *notes = json_path(there, "metadata.annotations");

    return (was == NULL || was->n == 0 ? subsets->n == 0 : json_equal(was, subsets)) &&
           json_equal(json_path(there, "metadata.labels"), labels) &&
           (json_getz(notes, CAPACITY_ANNOTATION) != NULL) == left_out;
}

void endpoints_correct(struct pass *p, struct informer *endpoints, const struct json *service,
                       const struct backends *b)
{
    struct arena      *a = pass_arena(p);
    struct object     *o = informer_get(endpoints, pass_ns(p), pass_name(p));
    const struct json *there = o != NULL ? object_json(o, a) : NULL;
    bool               left_out;
    struct json       *subsets = subsets_of(a, service, b, &left_out), *labels = labels_of(a, service);
    struct json       *notes, *obj;
    struct client_req  r = { .method = "POST", .res = CLIENT_ENDPOINTS, .ns = pass_ns(p) };

    if (there != NULL && is_as_wanted(there, labels, subsets, left_out))
        return;
    obj = there != NULL ? json_copy(a, there) : object_new(p);
    json_setz(a, json_make_path(a, obj, "metadata"), "labels", labels);
    notes = json_make_path(a, obj, "metadata.annotations");
    if (b->trigger.n > 0)
        json_setz(a, notes, TRIGGER_ANNOTATION, json_string_ref(a, b->trigger));
    json_delz(notes, CAPACITY_ANNOTATION);
    if (left_out)
        json_setf(a, notes, CAPACITY_ANNOTATION, "%s", "truncated");
    json_setz(a, obj, "subsets", subsets);
    if (there != NULL) {
        r.method = "PUT";
        r.name = pass_name(p);
    }
    r.body = obj;
    pass_expect(p, endpoints);
    pass_send(p, &r, 0, NULL);
}

void endpoints_remove(struct pass *p, struct informer *endpoints)
{
    struct object    *o = informer_get(endpoints, pass_ns(p), pass_name(p));
    struct client_req r = { .method = "DELETE", .res = CLIENT_ENDPOINTS, .ns = pass_ns(p),
                            .name = pass_name(p) };
    const struct json *json;

    if (o == NULL)
        return;
    json = object_json(o, pass_arena(p));
    if (json_getz(json_path(json, "metadata.annotations"), LOCK_ANNOTATION) != NULL)
        return;                                  /* somebody's lock of old, no service's */
    pass_send(p, &r, 404, NULL);
}
