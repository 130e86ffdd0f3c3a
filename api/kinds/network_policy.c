/* api/kinds/network_policy.c: network policies, and classes of Ingresses. */
#include "api/kinds/kinds_impl.h"

static void ports_default(struct kind_ctx *c, struct json *rules)
{
    json_each(rule, rules)
        json_each(port, json_getz(rule, "ports"))
            default_text(c->arena, port, "protocol", "TCP");
}

static void network_policy_default(struct kind_ctx *c, struct json *obj)
{
    struct json *spec = json_getz(obj, "spec"), *egress = json_getz(spec, "egress"), *types;

    ports_default(c, json_getz(spec, "ingress"));
    ports_default(c, egress);
    if (!json_is(spec, JSON_OBJECT) || !json_is_blank(json_getz(spec, "policyTypes")))
        return;
    types = json_setz(c->arena, spec, "policyTypes", json_array(c->arena));
    json_push(types, json_string_ref(c->arena, STR("Ingress")));
    if (!json_is_blank(egress))
        json_push(types, json_string_ref(c->arena, STR("Egress")));
}

static void ingress_class_default(struct kind_ctx *c, struct json *obj)
{
    default_text(c->arena, json_path(obj, "spec.parameters"), "scope", "Cluster");
}

const struct kind_hooks kind_network_policies = {
    .group = "networking.k8s.io", .plural = "networkpolicies", .unconditional_update = true,
    .default_ = network_policy_default,
};
const struct kind_hooks kind_ingress_classes = {
    .group = "networking.k8s.io", .plural = "ingressclasses", .unconditional_update = true,
    .default_ = ingress_class_default,
};
