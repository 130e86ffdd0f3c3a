/* api/kinds/service_validate.c: what of a service's spec goes with what. */
#include <inttypes.h>
#include "api/kinds/kinds_impl.h"

static struct str text(const struct json *spec, const char *key) { return json_str(json_getz(spec, key)); }
static bool is_type(const struct json *spec, const char *type) { return str_is(text(spec, "type"), type); }

/* ---- Ports ------------------------------------------------------------------------------------------ */

struct ports { struct causes *causes; struct seen names, node_ports; bool several, cluster_only; };

static void check_target(const struct json *target, const struct at *at, struct causes *causes)
{
    const char *wrong;

    if (json_is(target, JSON_NUMBER)) {
        wrong = name_check_port_number(json_i64_or(target, 0));
        if (wrong != NULL)
            cause_invalid_int(causes, at, json_i64_or(target, 0), wrong);
    } else if (json_is(target, JSON_STRING)) {
        check_text(name_check_port, target->s, at, causes);
    }
}

static void check_node_port(struct ports *p, const struct json *port, const struct at *at)
{
    int64_t    n = json_i64_or(json_getz(port, "nodePort"), 0);
    struct at  here = AT_KEY(at, "nodePort");
    struct str key;

    if (n == 0)
        return;
    if (p->cluster_only) {
        cause_forbidden(p->causes, &here, "may not be used when `type` is 'ClusterIP'");
        return;
    }
    key = arena_fmt(p->causes->arena, "%.*s %" PRIi64, STR_ARG(text(port, "protocol")), n);
    if (!seen_add(&p->node_ports, key))
        cause_add(p->causes, CAUSE_DUPLICATE, &here, "Duplicate value: %" PRIi64, n);
}

static void check_port(struct ports *p, const struct json *port, const struct at *at)
{
    struct at at_name = AT_KEY(at, "name"), target = AT_KEY(at, "targetPort"),
              app = AT_KEY(at, "appProtocol");
    struct str name = text(port, "name");

    if (name.n == 0 && p->several)
        cause_required(p->causes, &at_name, "");
    else if (name.n > 0 && !seen_add(&p->names, name))
        cause_duplicate(p->causes, &at_name, name);
    check_target(json_getz(port, "targetPort"), &target, p->causes);
    check_text(name_check_qualified, text(port, "appProtocol"), &app, p->causes);
    check_node_port(p, port, at);
}

static void check_ports(const struct json *spec, const struct at *up, struct causes *causes)
{
    const struct json *list = json_getz(spec, "ports");
    struct at          at = AT_KEY(up, "ports");
    struct ports       p = { .causes = causes };
    unsigned           i = 0;

    if (json_is_blank(list)) {
        if (!service_is_headless(spec) && !is_type(spec, "ExternalName"))
            cause_required(causes, &at, "");
        return;
    }
    if (list->n > SERVICE_PORTS_MAX) {
        cause_too_many(causes, &at, list->n, SERVICE_PORTS_MAX);
        return;
    }
    p.several = list->n > 1;
    p.cluster_only = is_type(spec, "ClusterIP");
    p.names = seen_new(causes->arena, list->n);
    p.node_ports = seen_new(causes->arena, list->n);
    json_each(port, list) {
        struct at here = AT_INDEX(&at, i);

        i++;
        check_port(&p, port, &here);
    }
}

/* ---- From outside ------------------------------------------------------------------------------------- */

static void check_external(const struct json *spec, const struct at *up, struct causes *causes)
{
    struct at  ips = AT_KEY(up, "externalIPs"), name = AT_KEY(up, "externalName");
    struct str s = text(spec, "externalName");
    unsigned   i = 0;

    json_each(it, json_getz(spec, "externalIPs")) {
        struct at here = AT_INDEX(&ips, i);

        i++;
        if (name_check_ip(json_str(it)) != NULL)
            cause_invalid(causes, &here, json_str(it), name_check_ip(json_str(it)));
        else
            check_routable_ip(json_str(it), &here, causes);
    }
    if (!is_type(spec, "ExternalName"))
        return;
    if (s.n == 0)
        cause_required(causes, &name, "");
    else if (s.n > 1 && s.p[s.n - 1] == '.')
        s.n--;
    check_text(name_check_subdomain, s, &name, causes);
}

/* ---- What goes with what ---------------------------------------------------------------------------- */

static void check_load_balancer(const struct json *spec, const struct at *up, struct causes *causes)
{
    static const char *const only[] = { "loadBalancerSourceRanges", "allocateLoadBalancerNodePorts",
                                        "loadBalancerClass" };
    struct at class = AT_KEY(up, "loadBalancerClass");
    struct at ranges = AT_KEY(up, "loadBalancerSourceRanges");
    unsigned  i = 0;

    check_text(name_check_qualified, text(spec, "loadBalancerClass"), &class, causes);
    for (size_t k = 0; k < ARRAY_LEN(only); k++) {
        struct at here = AT_STR(up, str_of(only[k]));

        if (!is_type(spec, "LoadBalancer") && !json_is_blank(json_getz(spec, only[k])))
            cause_forbidden(causes, &here, "may only be used when `type` is 'LoadBalancer'");
    }
    json_each(it, json_getz(spec, "loadBalancerSourceRanges")) {
        struct at here = AT_INDEX(&ranges, i);

        i++;
        if (name_check_cidr(str_trim(json_str(it))) != NULL)
            cause_invalid(causes, &here, json_str(it), name_check_cidr(str_trim(json_str(it))));
    }
}

static void check_traffic(const struct json *spec, const struct at *up, struct causes *causes)
{
    static const char *const ways[] = { "PreferClose", "PreferSameNode", "PreferSameZone" };
    struct at external = AT_KEY(up, "externalTrafficPolicy"), health = AT_KEY(up, "healthCheckNodePort"),
              at_way = AT_KEY(up, "trafficDistribution");
    bool outside = is_type(spec, "NodePort") || is_type(spec, "LoadBalancer") ||
                   !json_is_blank(json_getz(spec, "externalIPs"));
    int64_t    port = json_i64_or(json_getz(spec, "healthCheckNodePort"), 0);
    struct str way = text(spec, "trafficDistribution");
    bool       known = way.n == 0;

    if (!outside && text(spec, "externalTrafficPolicy").n > 0)
        cause_invalid(causes, &external, text(spec, "externalTrafficPolicy"),
                      "may only be set for externally-accessible services");
    if (port != 0 && !service_wants_health_port(spec))
        cause_invalid_int(
            causes, &health, port,
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        known |= str_is(way, ways[i]);
    if (!known)
        cause_unsupported(causes, &at_way, way, ways, ARRAY_LEN(ways));
}

void service_check(struct kind_ctx *c, const struct json *service, struct causes *causes)
{
    const struct json *spec = json_getz(service, "spec"), *ports = json_getz(spec, "ports");
    struct at          at = AT_KEY(NULL, "spec"), selector = AT_KEY(&at, "selector");

    if (!json_is(spec, JSON_OBJECT))
        return;
    check_ports(spec, &at, causes);
    check_labels(json_getz(spec, "selector"), &selector, causes);
    service_check_families(c, spec, causes);
    check_external(spec, &at, causes);
    check_load_balancer(spec, &at, causes);
    check_traffic(spec, &at, causes);
    service_check_ips(c, spec, causes);
    if (ports == NULL || ports->n <= SERVICE_PORTS_MAX)
        service_check_ports(c, spec, causes);
}
