/* api/kinds/network_policy.c: who may talk to whom. */
#include "net/ip_range.h"
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

/* ---- Checks ----------------------------------------------------------------------------------------- */

static void check_port(const struct json *p, const struct at *at, struct causes *causes)
{
    const struct json *port = json_getz(p, "port"), *end = json_getz(p, "endPort");

    if (end == NULL)
        return;
    if (!field_need(p, "port", at, "must be specified when `endPort` is set", causes))
        return;
    if (json_is(port, JSON_STRING))
        field_refuse(p, "endPort", at, "may not be specified when `port` is non-numeric", causes);
    else if (json_i64_or(end, 0) < json_i64_or(port, 0))
        field_refuse(p, "endPort", at, "must be greater than or equal to `port`", causes);
}

static void check_block(const struct json *block, const struct at *at, struct causes *causes)
{
    struct ip_range whole, part;

    if (!ip_range_parse(json_str(json_getz(block, "cidr")), &whole))
        return;                                  /* the schema says so, here and for the exceptions */
    each_in(e, block, "except", at)
        if (ip_range_parse(json_str(e.it), &part) &&
            (part.bits <= whole.bits || !ip_range_covers(&whole, part.base)))
            cause_invalid(causes, &e.at, json_str(e.it), "must be a strict subset of `cidr`");
}

static void check_peer(const struct json *peer, const struct at *at, struct causes *causes)
{
    const struct json *pods = json_getz(peer, "podSelector"), *spaces = json_getz(peer, "namespaceSelector"),
                      *block = json_getz(peer, "ipBlock");
    struct at at_pods = AT_KEY(at, "podSelector"), at_spaces = AT_KEY(at, "namespaceSelector"),
              at_block = AT_KEY(at, "ipBlock");

    check_label_selector(pods, &at_pods, causes);
    check_label_selector(spaces, &at_spaces, causes);
    if (block != NULL)
        check_block(block, &at_block, causes);
    if (pods == NULL && spaces == NULL && block == NULL)
        cause_required(causes, at, "must specify a peer");
    else if (block != NULL && (pods != NULL || spaces != NULL))
        cause_forbidden(causes, at, "may not specify both ipBlock and another peer");
}

static void check_rules(const struct json *spec, const char *key, const char *peers, const struct at *at,
                        struct causes *causes)
{
    each_in(rule, spec, key, at) {
        each_in(e, rule.it, "ports", &rule.at)
            check_port(e.it, &e.at, causes);
        each_in(e, rule.it, peers, &rule.at)
            check_peer(e.it, &e.at, causes);
    }
}

static void network_policy_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec"), selector = AT_KEY(&at, "podSelector");

    (void)c;
    check_label_selector(json_getz(spec, "podSelector"), &selector, causes);
    check_rules(spec, "ingress", "from", &at, causes);
    check_rules(spec, "egress", "to", &at, causes);
}

const struct kind_hooks kind_network_policies = {
    .group = "networking.k8s.io", .plural = "networkpolicies", .unconditional_update = true,
    .default_ = network_policy_default, .validate = network_policy_validate,
};
