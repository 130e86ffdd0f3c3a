/* api/kinds/pod_placement.c: where a pod may go: node selector, affinity, tolerations, topology spread. */
#include "api/kinds/kinds_impl.h"

#define REQUIRED_KEY  "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED_KEY "preferredDuringSchedulingIgnoredDuringExecution"

typedef void (*check_item)(const struct json *item, const struct at *at, struct causes *causes);

/* Check every item of parent's list `key`, at its index. */
static void check_each(const struct json *parent, const char *key, const struct at *up, check_item check,
                       struct causes *causes)
{
    struct at list = AT_STR(up, str_of(key));
    unsigned  i = 0;

    json_each(it, json_getz(parent, key)) {
        struct at here = AT_INDEX(&list, i);

        i++;
        check(it, &here, causes);
    }
}

/* ---- Nodes ------------------------------------------------------------------------------------------ */

static void check_node_expression(const struct json *e, const struct at *at, struct causes *causes)
{
    struct str         op = json_str(json_getz(e, "operator"));
    const struct json *values = json_getz(e, "values");
    struct at          at_key = AT_KEY(at, "key"), at_values = AT_KEY(at, "values");

    check_selector_values(e, at, causes);
    if ((str_is(op, "Gt") || str_is(op, "Lt")) && (values == NULL || values->n != 1))
        cause_required(causes, &at_values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
    check_text(name_check_qualified, json_str(json_getz(e, "key")), &at_key, causes);
}

/* Only a node's name can be asked for. */
static void check_node_field(const struct json *e, const struct at *at, struct causes *causes)
{
    struct str         op = json_str(json_getz(e, "operator")), key = json_str(json_getz(e, "key"));
    const struct json *values = json_getz(e, "values");
    struct at at_op = AT_KEY(at, "operator"), at_key = AT_KEY(at, "key"), at_values = AT_KEY(at, "values");

    if (!str_is(op, "In") && !str_is(op, "NotIn"))
        cause_invalid(causes, &at_op, op, "not a valid selector operator");
    else if (values == NULL || values->n != 1)
        cause_required(causes, &at_values,
                       "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
    if (!str_is(key, "metadata.name")) {
        cause_invalid(causes, &at_key, key, "not a valid field selector key");
    } else if (values != NULL && values->n == 1) {
        struct at here = AT_INDEX(&at_values, 0);

        check_text(name_check_subdomain, json_str(json_at(values, 0)), &here, causes);
    }
}

static void check_node_term(const struct json *term, const struct at *at, struct causes *causes)
{
    check_each(term, "matchExpressions", at, check_node_expression, causes);
    check_each(term, "matchFields", at, check_node_field, causes);
}

static void check_node_wish(const struct json *wish, const struct at *at, struct causes *causes)
{
    struct at preference = AT_KEY(at, "preference");

    check_node_term(json_getz(wish, "preference"), &preference, causes);
}

static void check_node_affinity(const struct json *affinity, const struct at *at, struct causes *causes)
{
    const struct json *required = json_getz(affinity, REQUIRED_KEY);
    struct at at_required = AT_KEY(at, REQUIRED_KEY), at_terms = AT_KEY(&at_required, "nodeSelectorTerms");

    if (required != NULL && json_is_blank(json_getz(required, "nodeSelectorTerms")))
        cause_required(causes, &at_terms, "must have at least one node selector term");
    check_each(required, "nodeSelectorTerms", &at_required, check_node_term, causes);
    check_each(affinity, PREFERRED_KEY, at, check_node_wish, causes);
}

/* ---- Other pods ------------------------------------------------------------------------------------- */

static void check_namespace(const struct json *ns, const struct at *at, struct causes *causes)
{
    const char *wrong = name_check_label(json_str(ns));

    if (wrong != NULL)
        cause_invalid(causes, at, json_str(ns), wrong);
}

static void check_pod_term(const struct json *term, const struct at *at, struct causes *causes)
{
    struct at selector = AT_KEY(at, "labelSelector"), ns_selector = AT_KEY(at, "namespaceSelector"),
              key = AT_KEY(at, "topologyKey");

    check_label_selector(json_getz(term, "labelSelector"), &selector, causes);
    check_label_selector(json_getz(term, "namespaceSelector"), &ns_selector, causes);
    check_each(term, "namespaces", at, check_namespace, causes);
    check_text(name_check_qualified, json_str(json_getz(term, "topologyKey")), &key, causes);
}

static void check_pod_wish(const struct json *wish, const struct at *at, struct causes *causes)
{
    struct at term = AT_KEY(at, "podAffinityTerm");

    check_pod_term(json_getz(wish, "podAffinityTerm"), &term, causes);
}

static void check_pod_affinity(const struct json *affinity, const struct at *at, struct causes *causes)
{
    check_each(affinity, REQUIRED_KEY, at, check_pod_term, causes);
    check_each(affinity, PREFERRED_KEY, at, check_pod_wish, causes);
}

static void check_affinity(const struct json *affinity, const struct at *at, struct causes *causes)
{
    struct at node = AT_KEY(at, "nodeAffinity"), pod = AT_KEY(at, "podAffinity"),
              anti = AT_KEY(at, "podAntiAffinity");

    if (affinity == NULL)
        return;
    check_node_affinity(json_getz(affinity, "nodeAffinity"), &node, causes);
    check_pod_affinity(json_getz(affinity, "podAffinity"), &pod, causes);
    check_pod_affinity(json_getz(affinity, "podAntiAffinity"), &anti, causes);
}

/* ---- Tolerations ------------------------------------------------------------------------------------ */

static void check_toleration(const struct json *t, const struct at *at, struct causes *causes)
{
    struct str key = json_str(json_getz(t, "key")), op = json_str(json_getz(t, "operator")),
               value = json_str(json_getz(t, "value")), effect = json_str(json_getz(t, "effect"));
    struct at  at_key = AT_KEY(at, "key"), at_op = AT_KEY(at, "operator"), at_effect = AT_KEY(at, "effect");

    check_text(name_check_qualified, key, &at_key, causes);
    if (key.n == 0 && !str_is(op, "Exists"))
        cause_invalid(
            causes, &at_op, op,
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
    if (json_getz(t, "tolerationSeconds") != NULL && !str_is(effect, "NoExecute"))
        cause_invalid(causes, &at_effect, effect,
                      "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (!str_is(op, "Exists"))
        check_text(name_check_label_value, value, &at_op, causes);
    else if (value.n > 0)
        cause_invalid_raw(causes, &at_op, json_text(causes->arena, t),
                          "value must be empty when `operator` is 'Exists'");
}

/* ---- Spread ----------------------------------------------------------------------------------------- */

static void check_spread(const struct json *s, const struct at *at, struct causes *causes)
{
    const struct json *domains = json_getz(s, "minDomains");
    struct at key = AT_KEY(at, "topologyKey"), selector = AT_KEY(at, "labelSelector"),
              at_domains = AT_KEY(at, "minDomains");
    struct str         when = json_str(json_getz(s, "whenUnsatisfiable"));

    check_text(name_check_qualified, json_str(json_getz(s, "topologyKey")), &key, causes);
    check_label_selector(json_getz(s, "labelSelector"), &selector, causes);
    if (domains != NULL && when.n > 0 && !str_is(when, "DoNotSchedule"))
        cause_invalid_int(causes, &at_domains, json_i64_or(domains, 0),
                          "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway");
}

void pod_placement_check(const struct json *spec, const struct at *at, struct causes *causes)
{
    struct at selector = AT_KEY(at, "nodeSelector"), affinity = AT_KEY(at, "affinity");

    check_labels(json_getz(spec, "nodeSelector"), &selector, causes);
    check_affinity(json_getz(spec, "affinity"), &affinity, causes);
    check_each(spec, "tolerations", at, check_toleration, causes);
    check_each(spec, "topologySpreadConstraints", at, check_spread, causes);
}
