/* api/kinds/pod_placement.c: where a pod may go: node selector, affinity, tolerations, topology spread. */
#include "api/kinds/kinds_impl.h"

#define REQUIRED_KEY  "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED_KEY "preferredDuringSchedulingIgnoredDuringExecution"

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
    each_in(e, term, "matchExpressions", at)
        check_node_expression(e.it, &e.at, causes);
    each_in(e, term, "matchFields", at)
        check_node_field(e.it, &e.at, causes);
}

static void check_node_wish(const struct json *wish, const struct at *at, struct causes *causes)
{
    struct at preference = AT_KEY(at, "preference");

    check_node_term(json_getz(wish, "preference"), &preference, causes);
}

void check_node_selector(const struct json *selector, const struct at *at, struct causes *causes)
{
    struct at terms = AT_KEY(at, "nodeSelectorTerms");

    if (selector != NULL && json_is_blank(json_getz(selector, "nodeSelectorTerms")))
        cause_required(causes, &terms, "must have at least one node selector term");
    each_in(e, selector, "nodeSelectorTerms", at)
        check_node_term(e.it, &e.at, causes);
}

static void check_node_affinity(const struct json *affinity, const struct at *at, struct causes *causes)
{
    struct at required = AT_KEY(at, REQUIRED_KEY);

    check_node_selector(json_getz(affinity, REQUIRED_KEY), &required, causes);
    each_in(e, affinity, PREFERRED_KEY, at)
        check_node_wish(e.it, &e.at, causes);
}

/* ---- Other pods ------------------------------------------------------------------------------------- */

static void check_namespace(const struct json *ns, const struct at *at, struct causes *causes)
{
    const char *wrong = name_check_label(json_str(ns));

    if (wrong != NULL)
        cause_invalid(causes, at, json_str(ns), wrong);
}

static size_t count(const struct json *list) { return list != NULL ? list->n : 0; }

/* Keys whose values are taken from the pod itself: they go with a selector, which doesn't name them too. */
static void check_label_keys(const struct json *term, const char *key, const struct at *at,
                             struct causes *causes)
{
    const struct json *selector = json_getz(term, "labelSelector"), *more, *labels;
    struct seen        named;

    if (json_is_blank(json_getz(term, key)))
        return;
    if (selector == NULL)
        field_forbid(term, key, at, "must not be specified when labelSelector is not set", causes);
    labels = json_getz(selector, "matchLabels");
    more = json_getz(selector, "matchExpressions");
    named = seen_new(causes->arena, count(labels) + count(more));
    json_each(it, labels)
        seen_add(&named, it->key);
    json_each(it, more)
        seen_add(&named, json_str(json_getz(it, "key")));
    each_in(e, term, key, at) {
        const char *wrong = name_check_qualified(json_str(e.it));

        if (wrong != NULL)
            cause_invalid(causes, &e.at, json_str(e.it), wrong);
        else if (seen_has(&named, json_str(e.it)))
            cause_invalid(causes, &e.at, json_str(e.it),
                          arena_fmt(causes->arena, "exists in both %s and labelSelector", key).p);
    }
}

/* No key can be asked to match and not to match. */
static void check_opposite_keys(const struct json *term, const struct at *at, struct causes *causes)
{
    const struct json *not = json_getz(term, "mismatchLabelKeys");
    struct seen        keys;

    if (json_is_blank(not) || json_is_blank(json_getz(term, "matchLabelKeys")))
        return;
    keys = seen_new(causes->arena, not->n);
    json_each(it, not)
        seen_add(&keys, json_str(it));
    each_in(e, term, "matchLabelKeys", at)
        if (seen_has(&keys, json_str(e.it)))
            cause_invalid(causes, &e.at, json_str(e.it),
                          "exists in both matchLabelKeys and mismatchLabelKeys");
}

static void check_pod_term(const struct json *term, const struct at *at, struct causes *causes)
{
    struct at selector = AT_KEY(at, "labelSelector"), ns_selector = AT_KEY(at, "namespaceSelector"),
              key = AT_KEY(at, "topologyKey");

    check_label_selector(json_getz(term, "labelSelector"), &selector, causes);
    check_label_selector(json_getz(term, "namespaceSelector"), &ns_selector, causes);
    each_in(e, term, "namespaces", at)
        check_namespace(e.it, &e.at, causes);
    check_text(name_check_qualified, json_str(json_getz(term, "topologyKey")), &key, causes);
    check_label_keys(term, "matchLabelKeys", at, causes);
    check_label_keys(term, "mismatchLabelKeys", at, causes);
    check_opposite_keys(term, at, causes);
}

static void check_pod_wish(const struct json *wish, const struct at *at, struct causes *causes)
{
    struct at term = AT_KEY(at, "podAffinityTerm");

    check_pod_term(json_getz(wish, "podAffinityTerm"), &term, causes);
}

static void check_pod_affinity(const struct json *affinity, const struct at *at, struct causes *causes)
{
    each_in(e, affinity, REQUIRED_KEY, at)
        check_pod_term(e.it, &e.at, causes);
    each_in(e, affinity, PREFERRED_KEY, at)
        check_pod_wish(e.it, &e.at, causes);
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
    check_label_keys(s, "matchLabelKeys", at, causes);
}

void check_tolerations(const struct json *parent, const struct at *at, struct causes *causes)
{
    each_in(e, parent, "tolerations", at)
        check_toleration(e.it, &e.at, causes);
}

void pod_placement_check(const struct json *spec, const struct at *at, struct causes *causes)
{
    struct at selector = AT_KEY(at, "nodeSelector"), affinity = AT_KEY(at, "affinity");

    check_labels(json_getz(spec, "nodeSelector"), &selector, causes);
    check_affinity(json_getz(spec, "affinity"), &affinity, causes);
    check_tolerations(spec, at, causes);
    each_in(e, spec, "topologySpreadConstraints", at)
        check_spread(e.it, &e.at, causes);
}
