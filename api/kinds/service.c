/* api/kinds/service.c: services: defaults, address families, and what an update carries over. */
#include "api/kinds/kinds_impl.h"

#define AFFINITY_TIMEOUT_S 10800                 /* three hours */

static struct str type_of(const struct json *spec) { return json_str(json_getz(spec, "type")); }

static bool is_external(const struct json *spec)
{
    return str_is(type_of(spec), "NodePort") || str_is(type_of(spec), "LoadBalancer") ||
           !json_is_blank(json_getz(spec, "externalIPs"));
}

static void set_if_blank(struct kind_ctx *c, struct json *spec, const char *key, struct str value)
{
    if (json_is_blank(json_getz(spec, key)))
        json_setz(c->arena, spec, key, json_string_ref(c->arena, value));
}

/* ---- Defaults --------------------------------------------------------------------------------------- */

static void default_affinity(struct kind_ctx *c, struct json *spec)
{
    struct json *config;

    if (!str_is(json_str(json_getz(spec, "sessionAffinity")), "ClientIP")) {
        json_delz(spec, "sessionAffinityConfig");
        return;
    }
    config = json_make_path(c->arena, spec, "sessionAffinityConfig.clientIP");
    if (json_getz(config, "timeoutSeconds") == NULL)
        json_setz(c->arena, config, "timeoutSeconds", json_int(c->arena, AFFINITY_TIMEOUT_S));
}

static void default_ports(struct kind_ctx *c, struct json *spec)
{
    json_each(port, json_getz(spec, "ports")) {
        const struct json *target = json_getz(port, "targetPort"), *number = json_getz(port, "port");
        bool absent = json_is_blank(target) || (target->type == JSON_NUMBER && json_i64_or(target, 0) == 0);

        if (absent && number != NULL && port->type == JSON_OBJECT)
            json_setz(c->arena, port, "targetPort", json_copy(c->arena, number));
    }
}

/* The first of several addresses has a field of its own. */
static void default_cluster_ips(struct kind_ctx *c, struct json *spec)
{
    struct str ip = json_str(json_getz(spec, "clusterIP"));

    if (ip.n == 0 && !json_is_blank(json_getz(spec, "clusterIPs")))
        json_setz(c->arena, spec, "clusterIP",
                  json_copy(c->arena, json_at(json_getz(spec, "clusterIPs"), 0)));
}

static void service_default(struct kind_ctx *c, struct json *obj)
{
    struct json *spec = json_getz(obj, "spec");
    struct str   type = type_of(spec);

    if (!json_is(spec, JSON_OBJECT))
        return;
    default_affinity(c, spec);
    default_ports(c, spec);
    if (is_external(spec))
        set_if_blank(c, spec, "externalTrafficPolicy", STR("Cluster"));
    if (!str_is(type, "ExternalName"))
        set_if_blank(c, spec, "internalTrafficPolicy", STR("Cluster"));
    if (str_is(type, "LoadBalancer") && json_getz(spec, "allocateLoadBalancerNodePorts") == NULL)
        json_setz(c->arena, spec, "allocateLoadBalancerNodePorts", json_bool(c->arena, true));
}

/* ---- Creation --------------------------------------------------------------------------------------- */

static void mirror_cluster_ip(struct kind_ctx *c, struct json *spec)
{
    struct str ip = json_str(json_getz(spec, "clusterIP"));

    if (ip.n > 0 && json_is_blank(json_getz(spec, "clusterIPs")))
        json_push(json_setz(c->arena, spec, "clusterIPs", json_array(c->arena)),
                  json_string_ref(c->arena, ip));
}

static void service_prepare_create(struct kind_ctx *c, struct json *obj)
{
    struct json *spec = json_getz(obj, "spec");

    json_setz(c->arena, json_setz(c->arena, obj, "status", json_object(c->arena)), "loadBalancer",
              json_object(c->arena));
    if (!json_is(spec, JSON_OBJECT))
        return;
    default_cluster_ips(c, spec);
    mirror_cluster_ip(c, spec);
    service_choose_families(c, NULL, spec);
    service_take_ips(c, NULL, spec);
    service_take_ports(c, NULL, spec);
}

/* ---- Updates ---------------------------------------------------------------------------------------- */

static void carry(struct kind_ctx *c, const struct json *was, struct json *spec, const char *key)
{
    if (json_is_blank(json_getz(spec, key)) && json_getz(was, key) != NULL)
        json_setz(c->arena, spec, key, json_copy(c->arena, json_getz(was, key)));
}

/* Old clients know clusterIP only: its list follows. */
static void follow_cluster_ip(struct kind_ctx *c, const struct json *was, struct json *spec)
{
    struct str before = json_str(json_getz(was, "clusterIP")), now = json_str(json_getz(spec, "clusterIP"));

    if (str_eq(before, now)) {
        if (json_is_blank(json_getz(spec, "clusterIPs")) && service_wants_cluster_ip(spec))
            carry(c, was, spec, "clusterIPs");
    } else if (json_is_blank(json_getz(spec, "clusterIPs")) ||
               json_same(json_getz(was, "clusterIPs"), json_getz(spec, "clusterIPs"))) {
        json_delz(spec, "clusterIPs");
        mirror_cluster_ip(c, spec);
    }
}

static void carry_cluster_ip(struct kind_ctx *c, const struct json *was, struct json *spec)
{
    if (!service_wants_cluster_ip(was) || !service_wants_cluster_ip(spec))
        return;
    if (json_is_blank(json_getz(spec, "clusterIP")) && json_is_blank(json_getz(spec, "clusterIPs"))) {
        carry(c, was, spec, "clusterIP");
        carry(c, was, spec, "clusterIPs");
    }
}

static void carry_node_ports(struct kind_ctx *c, const struct json *was, struct json *spec)
{
    const struct json *list = json_getz(was, "ports"), *ports = json_getz(spec, "ports");

    if (!service_wants_node_ports(was) || !service_wants_node_ports(spec) ||
        (ports != NULL && ports->n > SERVICE_PORTS_MAX))
        return;
    json_each(port, ports) {
        if (json_i64_or(json_getz(port, "nodePort"), 0) != 0)
            continue;
        json_each(before, list) if (json_equal(json_getz(before, "port"), json_getz(port, "port")) &&
                                    json_equal(json_getz(before, "protocol"), json_getz(port, "protocol")))
        {
            carry(c, before, port, "nodePort");
            if (json_i64_or(json_getz(port, "nodePort"), 0) == 0 && json_getz(before, "nodePort") != NULL)
                json_setz(c->arena, port, "nodePort", json_copy(c->arena, json_getz(before, "nodePort")));
            break;
        }
    }
}

static void drop_unless_changed(const struct json *was, struct json *spec, const char *key)
{
    if (json_same(json_getz(was, key), json_getz(spec, key)))
        json_delz(spec, key);
}

static void drop_node_ports(const struct json *was, struct json *spec)
{
    const struct json *before = json__first(json_getz(was, "ports"));

    json_each(port, json_getz(spec, "ports")) {
        if (before != NULL && json_same(json_getz(before, "nodePort"), json_getz(port, "nodePort")))
            json_delz(port, "nodePort");
        before = before != NULL ? before->next : NULL;
    }
}

/* A client that changes the type and nothing else need not know what the old type had brought along. */
static void drop_what_the_type_brought(const struct json *was, struct json *spec)
{
    static const char *const addresses[] = { "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy",
                                             "internalTrafficPolicy" };

    if (service_wants_cluster_ip(was) && !service_wants_cluster_ip(spec))
        for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
            drop_unless_changed(was, spec, addresses[i]);
    if (service_wants_node_ports(was) && !service_wants_node_ports(spec))
        drop_node_ports(was, spec);
    if (service_wants_health_port(was) && !service_wants_health_port(spec))
        drop_unless_changed(was, spec, "healthCheckNodePort");
    if (is_external(was) && !is_external(spec))
        drop_unless_changed(was, spec, "externalTrafficPolicy");
    if (str_is(type_of(was), "LoadBalancer") && !str_is(type_of(spec), "LoadBalancer")) {
        drop_unless_changed(was, spec, "allocateLoadBalancerNodePorts");
        drop_unless_changed(was, spec, "loadBalancerClass");
    }
    if (str_is(type_of(was), "ExternalName") && !str_is(type_of(spec), "ExternalName"))
        drop_unless_changed(was, spec, "externalName");
}

static void service_prepare_update(struct kind_ctx *c, const struct json *old, struct json *obj)
{
    const struct json *was = json_getz(old, "spec");
    struct json       *spec = json_getz(obj, "spec");

    if (!json_is(spec, JSON_OBJECT) || !json_is(was, JSON_OBJECT))
        return;
    carry_cluster_ip(c, was, spec);
    follow_cluster_ip(c, was, spec);
    carry_node_ports(c, was, spec);
    if (service_wants_health_port(was) && service_wants_health_port(spec) &&
        json_i64_or(json_getz(spec, "healthCheckNodePort"), 0) == 0)
        json_delz(spec, "healthCheckNodePort");
    if (service_wants_health_port(was) && service_wants_health_port(spec))
        carry(c, was, spec, "healthCheckNodePort");
    drop_what_the_type_brought(was, spec);
    default_cluster_ips(c, spec);
    if (service_wants_cluster_ip(was) && service_wants_cluster_ip(spec)) {
        carry(c, was, spec, "ipFamilies");
        carry(c, was, spec, "ipFamilyPolicy");
    }
    service_choose_families(c, was, spec);
    service_take_ips(c, was, spec);
    service_take_ports(c, was, spec);
}

const struct json *service_stored_spec(struct kind_ctx *c)
{
    return c->creating ? NULL
                       : json_getz(kind_lookup(c, "", "v1", "services", c->ns, c->name), "spec");
}

/* ---- Checks ----------------------------------------------------------------------------------------- */

static void service_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                    struct causes *causes)
{
    const struct json *was = json_getz(old, "spec"), *spec = json_getz(obj, "spec"),
                      *families = json_getz(spec, "ipFamilies");
    struct at          at = AT_KEY(NULL, "spec"), ips = AT_KEY(&at, "clusterIPs"), first = AT_INDEX(&ips, 0),
              list = AT_KEY(&at, "ipFamilies"), family = AT_INDEX(&list, 0);
    struct str before = json_str(json_getz(was, "clusterIP")), now = json_str(json_getz(spec, "clusterIP"));

    (void)c;
    service_check_reduced(was, spec, causes);
    if (str_is(type_of(was), "LoadBalancer") && str_is(type_of(spec), "LoadBalancer"))
        field_keep(was, spec, "loadBalancerClass", &at, causes);
    if (!service_wants_cluster_ip(was) || !service_wants_cluster_ip(spec) || before.n == 0)
        return;
    if (!str_eq(before, now))
        cause_invalid_raw(causes, &first, json_text(causes->arena, json_getz(spec, "clusterIPs")),
                          "may not change once set");
    if (json_is_set(json_getz(was, "ipFamilies")) &&
        !json_same(json_at(json_getz(was, "ipFamilies"), 0), json_at(families, 0)))
        cause_invalid_raw(causes, &family, json_text(causes->arena, families), "may not change once set");
}

static void service_validate_status(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                    struct causes *causes)
{
    struct at status = AT_KEY(NULL, "status"), at = AT_KEY(&status, "loadBalancer");

    (void)c;
    (void)old;
    each_in(e, json_path(obj, "status.loadBalancer"), "ingress", &at) {
        struct str host = json_str(json_getz(e.it, "hostname"));

        field_check(name_check_ip, e.it, "ip", &e.at, causes);
        if (json_is_blank(json_getz(e.it, "ip")))
            field_forbid(e.it, "ipMode", &e.at, "may not be specified when `ip` is not set", causes);
        if (host.n > 0 && name_check_ip(host) == NULL)
            field_refuse(e.it, "hostname", &e.at, "must be a DNS name, not an IP address", causes);
        else
            field_check(name_check_subdomain, e.it, "hostname", &e.at, causes);
    }
}

static void service_on_delete(struct kind_ctx *c, const struct json *obj)
{
    service_give_back_ips(c, json_getz(obj, "spec"));
    service_give_back_ports(c, json_getz(obj, "spec"));
}

const struct kind_hooks kind_services = {
    .group = "",
    .plural = "services",
    .name = KIND_NAME_LABEL_1035,
    .unconditional_update = true,
    .create_on_update = true,
    .returns_deleted = true,
    .default_ = service_default,
    .prepare_create = service_prepare_create,
    .prepare_update = service_prepare_update,
    .validate = service_check,
    .validate_update = service_validate_update,
    .validate_status = service_validate_status,
    .on_delete = service_on_delete,
};
