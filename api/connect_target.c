/* api/connect_target.c: see api/connect_target.h. */
#include "api/connect_target.h"

struct wanted { struct str scheme, name, port; };

/* name, name:port, scheme:name:port; an empty scheme or port is none. */
static bool split_id(struct str id, struct wanted *w)
{
    struct str part[3], rest = id;
    size_t n = 0;

    *w = (struct wanted){ { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
    while (n < 3 && str_split(&rest, ':', &part[n]))
        n++;
    if (rest.p != NULL)
        return false;
    w->name = n == 3 ? part[1] : part[0];
    w->port = n == 1 ? STR_NONE : part[n - 1];
    if (n == 3)
        w->scheme = part[0];
    return w->name.n > 0 && (w->scheme.n == 0 || str_is(w->scheme, "http") || str_is(w->scheme, "https"));
}

static bool port_ok(struct str text, uint16_t *ret)
{
    uint64_t v;

    if (!str_u64(text, &v) || v < 1 || v > UINT16_MAX)
        return false;
    *ret = (uint16_t)v;
    return true;
}

static bool no_port(struct call *c, const struct wanted *w)
{
    connect_unavailable(c, "no service port \"%.*s\" found for service \"%.*s\"",
              STR_ARG(w->port),
              STR_ARG(w->name));
    return false;
}

/* ---- Pods -------------------------------------------------------------------------------------------- */

static int64_t first_port(const struct json *pod, int64_t otherwise)
{
    json_each(it, json_path(pod, "spec.containers"))
        json_each(port, json_getz(it, "ports"))
            return json_path_i64(port, "containerPort", otherwise);
    return otherwise;
}

static bool find_pod(struct call *c, const struct wanted *w, struct connect_target *t)
{
    struct json *pod = connect_lookup(c, "pods", c->rq.ns, w->name);

    if (w->port.n > 0 && !port_ok(w->port, &t->port)) {
        call_bad_request(c, "invalid pod request \"%.*s\"", STR_ARG(c->rq.name));
        return false;
    }
    if (pod == NULL) {
        c->rq.name = w->name;
        call_not_found(c);
        return false;
    }
    if (w->port.n == 0)
        t->port = (uint16_t)first_port(pod, t->tls ? 443 : 80);
    t->pod_ns = c->rq.ns;
    t->pod = w->name;
    t->node = json_path_str(pod, "spec.nodeName");
    if (t->node.n == 0 || json_path_str(pod, "status.podIP").n == 0) {
        call_bad_request(c, "address not allowed");
        return false;
    }
    return true;
}

/* ---- Services ---------------------------------------------------------------------------------------- */

/* The name of the wanted port, which endpoints know it by; false: answered. */
static bool service_port(struct call *c, const struct json *service, const struct wanted *w, struct str *ret)
{
    const struct json *ports = json_path(service, "spec.ports");
    uint64_t number;

    *ret = w->port;
    if (w->port.n == 0 && ports != NULL && ports->n == 1) {
        *ret = json_path_str(json_at(ports, 0), "name");
        return true;
    }
    if (!str_u64(w->port, &number))
        return true;                             /* a name: the endpoints know whether it is one */
    json_each(it, ports)
        if (json_path_i64(it, "port", 0) == (int64_t)number) {
            *ret = json_path_str(it, "name");
            return true;
        }
    return no_port(c, w);
}

static bool endpoint_port(const struct json *subset, struct str name, uint16_t *ret)
{
    json_each(it, json_getz(subset, "ports"))
        if (str_eq(json_path_str(it, "name"), name)) {
            int64_t port = json_path_i64(it, "port", 0);
            *ret = (uint16_t)port;
            return port > 0 && port <= UINT16_MAX;
        }
    return false;
}

static bool use_endpoint(struct call *c, const struct json *address, struct connect_target *t)
{
    struct json *pod;

    if (!str_is(json_path_str(address, "targetRef.kind"), "Pod")) {
        t->host = json_path_str(address, "ip");
        if (connect_addr_ok(c->api, t->host))
            return true;
        call_bad_request(c, "address not allowed");
        return false;
    }
    t->pod_ns = c->rq.ns;                        /* never another namespace's, whatever the endpoint says */
    t->pod = json_path_str(address, "targetRef.name");
    pod = connect_lookup(c, "pods", t->pod_ns, t->pod);
    t->node = json_path_str(pod, "spec.nodeName");
    if (t->node.n > 0)
        return true;
    connect_unavailable(c, "pod \"%.*s\" is not running", STR_ARG(t->pod));
    return false;
}

/* Any of the ready ones, from a random subset on. */
static bool pick_endpoint(struct call *c, const struct json *endpoints, struct str port, struct str name,
                          struct connect_target *t)
{
    const struct json *subsets = json_getz(endpoints, "subsets");
    uint64_t dice = loop_random_u64(c->api->loop);

    for (size_t i = 0; subsets != NULL && i < subsets->n; i++) {
        const struct json *subset = json_at(subsets, (dice + i) % subsets->n);
        const struct json *addresses = json_getz(subset, "addresses");

        if (addresses != NULL && addresses->n > 0 && endpoint_port(subset, port, &t->port))
            return use_endpoint(c, json_at(addresses, (dice >> 32) % addresses->n), t);
    }
    connect_unavailable(c, "no endpoints available for service \"%.*s\"", STR_ARG(name));
    return false;
}

static bool find_service(struct call *c, const struct wanted *w, struct connect_target *t)
{
    struct json *service = connect_lookup(c, "services", c->rq.ns, w->name);
    struct str port;

    if (service == NULL) {
        c->rq.name = w->name;
        call_not_found(c);
        return false;
    }
    return service_port(c, service, w, &port) &&
           pick_endpoint(c, connect_lookup(c, "endpoints", c->rq.ns, w->name), port, w->name, t);
}

/* ---- Nodes ------------------------------------------------------------------------------------------- */

static bool find_node(struct call *c, const struct wanted *w, struct connect_target *t)
{
    struct json *node = connect_lookup(c, "nodes", STR_NONE, w->name);
    int64_t agent_port = json_path_i64(node, "status.daemonEndpoints.kubeletEndpoint.Port", 10250);

    if (node == NULL) {
        c->rq.name = w->name;
        call_not_found(c);
        return false;
    }
    if (w->port.n > 0 && !port_ok(w->port, &t->port)) {
        call_bad_request(c, "invalid node request \"%.*s\"", STR_ARG(c->rq.name));
        return false;
    }
    if (w->port.n == 0 || t->port == agent_port) {
        t->node = w->name;
        return true;
    }
    if (connect_node_ip(node, &t->host) && connect_addr_ok(c->api, t->host))
        return true;
    call_bad_request(c, "address not allowed");
    return false;
}

bool connect_target_find(struct call *c, struct connect_target *t)
{
    static const struct { const char *plural, *one; bool (*find)(struct call *, const struct wanted *,
                                                                 struct connect_target *); } kinds[] = {
        { "pods", "pod", find_pod }, { "services", "service", find_service }, { "nodes", "node", find_node },
    };
    struct wanted w;

    *t = (struct connect_target){ .port = 0 };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(c->res->plural, kinds[i].plural) != 0)
            continue;
        if (!split_id(c->rq.name, &w)) {
            call_bad_request(c, "invalid %s request \"%.*s\"", kinds[i].one, STR_ARG(c->rq.name));
            return false;
        }
        t->tls = str_is(w.scheme, "https");
        return kinds[i].find(c, &w, t);
    }
    call_no_such_path(c);
    return false;
}
