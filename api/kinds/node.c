/* api/kinds/node.c: nodes: taints, pod ranges that are given once, and a spec of which little may change. */
#include "api/kinds/kinds_impl.h"

/* The first of several ranges has a field of its own. */
static void node_default(struct kind_ctx *c, struct json *obj)
{
    struct json *spec = json_getz(obj, "spec");
    const struct json *one = json_getz(spec, "podCIDR"), *list = json_getz(spec, "podCIDRs");

    if (!json_is_blank(one) && json_is_blank(list))
        json_push(json_setz(c->arena, spec, "podCIDRs", json_array(c->arena)), json_copy(c->arena, one));
    else if (json_is_blank(one) && !json_is_blank(list))
        json_setz(c->arena, spec, "podCIDR", json_copy(c->arena, json_at(list, 0)));
}

static void check_taints(const struct json *list, const struct at *at, struct causes *causes)
{
    struct seen seen = seen_new(causes->arena, list != NULL ? list->n : 0);
    unsigned    i = 0;

    json_each(taint, list) {
        struct at  here = AT_INDEX(at, i), at_value = AT_KEY(&here, "value");
        struct str key = json_str(json_getz(taint, "key")), effect = json_str(json_getz(taint, "effect"));

        i++;
        check_text(name_check_label_value, json_str(json_getz(taint, "value")), &at_value, causes);
        if (!seen_add(&seen, arena_fmt(causes->arena, "%.*s:%.*s", STR_ARG(key), STR_ARG(effect))))
            cause_add(causes, CAUSE_DUPLICATE, &here,
                      "Duplicate value: %.*s: taints must be unique by key and effect pair",
                      STR_ARG(json_text(causes->arena, taint)));
    }
}

static void check_cidrs(const struct json *spec, const struct at *up, struct causes *causes)
{
    const struct json *list = json_getz(spec, "podCIDRs");
    struct at          at = AT_KEY(up, "podCIDRs");
    unsigned           i = 0;

    json_each(it, list) {
        struct at here = AT_INDEX(&at, i);

        if (name_check_cidr(json_str(it)) != NULL)
            cause_invalid(causes, &here, json_str(it), name_check_cidr(json_str(it)));
        i++;
    }
    if (i > 2)
        cause_invalid_raw(causes, &at, json_text(causes->arena, list),
                          "may specify no more than one CIDR for each IP family");
    if (i > 0 && !str_eq(json_str(json_at(list, 0)), json_str(json_getz(spec, "podCIDR"))))
        cause_invalid_raw(causes, &at, json_text(causes->arena, list), "first value must match `podCIDR`");
}

static void node_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec"), taints = AT_KEY(&at, "taints");

    (void)c;
    if (!json_is_blank(json_getz(spec, "taints")))
        check_taints(json_getz(spec, "taints"), &taints, causes);
    check_cidrs(spec, &at, causes);
}

/* Given once; then it stays. */
static void check_once(const struct json *was, const struct json *spec, const char *key, const struct at *up,
                       const char *why, struct causes *causes)
{
    const struct json *before = json_getz(was, key), *now = json_getz(spec, key);
    struct at          at = AT_STR(up, str_of(key));

    if (!json_is_blank(before) && (json_is_blank(now) || !json_equal(before, now)))
        cause_forbidden(causes, &at, why);
}

static void node_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                 struct causes *causes)
{
    static const char *const free_keys[] = { "podCIDR", "podCIDRs",      "providerID",
                                             "taints",  "unschedulable", "configSource" };
    const struct json *was = json_getz(old, "spec"), *spec = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec");
    struct json       *x, *y;

    check_once(was, spec, "podCIDRs", &at, "node updates may not change podCIDR except from \"\" to valid",
               causes);
    check_once(was, spec, "providerID", &at,
               "node updates may not change providerID except from \"\" to valid", causes);
    x = was != NULL ? json_copy(c->arena, was) : json_object(c->arena);
    y = spec != NULL ? json_copy(c->arena, spec) : json_object(c->arena);
    for (size_t i = 0; i < ARRAY_LEN(free_keys); i++) {
        json_delz(x, free_keys[i]);
        json_delz(y, free_keys[i]);
    }
    if (!json_equal(x, y))
        cause_forbidden(causes, &at, "node updates may only change labels, taints, or capacity");
}

static void node_validate_status(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                 struct causes *causes)
{
    const struct json *list = json_path(obj, "status.addresses");
    struct at          status = AT_KEY(NULL, "status"), at = AT_KEY(&status, "addresses");
    struct seen        seen;
    unsigned           i = 0;

    (void)c;
    (void)old;
    if (json_is_blank(list))
        return;
    seen = seen_new(causes->arena, list->n);
    json_each(it, list) {
        struct at here = AT_INDEX(&at, i);

        i++;
        if (!seen_add(&seen, arena_fmt(causes->arena, "%.*s %.*s", STR_ARG(json_str(json_getz(it, "type"))),
                                       STR_ARG(json_str(json_getz(it, "address"))))))
            cause_add(causes, CAUSE_DUPLICATE, &here, "Duplicate value: %.*s",
                      STR_ARG(json_text(causes->arena, it)));
    }
}

const struct kind_hooks kind_nodes = {
    .group = "",
    .plural = "nodes",
    .status_on_create = true,
    .unconditional_update = true,
    .default_ = node_default,
    .validate = node_validate,
    .validate_update = node_validate_update,
    .validate_status = node_validate_status,
};
