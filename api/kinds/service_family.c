/* api/kinds/service_family.c: address families: how many a service has, which, and in what order.
 *
 * A headless service without selector, whose addresses others provide, may have any; all others only those
 * that the cluster has ranges for. */
#include "api/kinds/kinds_impl.h"

static struct str text(const struct json *spec, const char *key) { return json_str(json_getz(spec, key)); }

static struct str policy_of(const struct json *spec) { return text(spec, "ipFamilyPolicy"); }
static bool is_single(const struct json *spec) { return str_is(policy_of(spec), "SingleStack"); }

static unsigned count_of(const struct json *spec, const char *key)
{
    const struct json *list = json_getz(spec, key);

    return json_is(list, JSON_ARRAY) ? list->n : 0;
}

static bool is_free_choice(const struct json *spec)
{
    return service_is_headless(spec) && json_is_blank(json_getz(spec, "selector"));
}

static struct str name_of(bool v6) { return v6 ? STR("IPv6") : STR("IPv4"); }

static bool is_configured(const struct kind_ctx *c, struct str family)
{
    for (unsigned i = 0; i < c->net->n; i++)
        if (str_eq(family, name_of(c->net->range[i].base.v6)))
            return true;
    return false;
}

static bool same(const struct json *x, const struct json *y, const char *key)
{
    x = json_getz(x, key);
    y = json_getz(y, key);
    return json_is_blank(x) ? json_is_blank(y) : !json_is_blank(y) && json_equal(x, y);
}

/* Fewer than there were, the first ones kept. */
static bool is_reduced(const struct json *was, const struct json *spec, const char *key)
{
    return count_of(was, key) == 2 && count_of(spec, key) == 1 &&
           json_equal(json_at(json_getz(was, key), 0), json_at(json_getz(spec, key), 0));
}

/* ---- Choosing --------------------------------------------------------------------------------------- */

/* A service that prefers two follows no change of the cluster by itself. */
static bool stays_as_it_was(const struct json *was, const struct json *spec)
{
    return was != NULL && service_wants_cluster_ip(was) &&
           str_is(policy_of(was), "PreferDualStack") && str_is(policy_of(spec), "PreferDualStack") &&
           same(was, spec, "clusterIP") && same(was, spec, "clusterIPs") && same(was, spec, "ipFamilies");
}

static void choose_policy(struct kind_ctx *c, struct json *spec)
{
    if (policy_of(spec).n == 0)
        json_setz(c->arena, spec, "ipFamilyPolicy",
                  json_string_ref(c->arena, is_free_choice(spec) ? STR("RequireDualStack")
                                                                 : STR("SingleStack")));
}

/* To say that one is enough gives the second back. */
static void drop_second(const struct json *was, struct json *spec, const char *key)
{
    if (was != NULL && is_single(spec) && same(was, spec, key) && count_of(spec, key) == 2)
        json_remove_at(json_getz(spec, key), 1);
}

static void families_of_ips(struct kind_ctx *c, struct json *spec, struct json *families)
{
    unsigned  i = 0;
    struct ip ip;

    json_each(it, json_getz(spec, "clusterIPs"))
        if (ip_parse(json_str(it), &ip) && i++ >= families->n && families->n < 2)
            json_push(families, json_string_ref(c->arena, name_of(ip.v6)));
}

void service_choose_families(struct kind_ctx *c, const struct json *was, struct json *spec)
{
    struct json *families;
    bool         both;

    if (!service_wants_cluster_ip(spec) || stays_as_it_was(was, spec))
        return;
    choose_policy(c, spec);
    drop_second(was, spec, "clusterIPs");
    drop_second(was, spec, "ipFamilies");
    if (!is_single(spec) && (is_reduced(was, spec, "clusterIPs") || is_reduced(was, spec, "ipFamilies")))
        return;                                  /* will be refused: service_check_reduced */
    families = json_getz(spec, "ipFamilies");
    if (!json_is(families, JSON_ARRAY))
        families = json_setz(c->arena, spec, "ipFamilies", json_array(c->arena));
    families_of_ips(c, spec, families);
    if (families->n == 0)
        json_push(families, json_string_ref(c->arena, name_of(c->net->range[0].base.v6)));
    both = !is_single(spec) && (is_free_choice(spec) || c->net->n == 2);
    if (both && families->n == 1)
        json_push(families, json_string_ref(c->arena,
                                            name_of(str_is(json_str(json_at(families, 0)), "IPv4"))));
}

/* ---- Checks ----------------------------------------------------------------------------------------- */

void service_check_reduced(const struct json *was, const struct json *spec, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "spec"), policy = AT_KEY(&at, "ipFamilyPolicy");

    if (!service_wants_cluster_ip(was) || !service_wants_cluster_ip(spec) || is_single(spec))
        return;
    if (is_reduced(was, spec, "clusterIPs"))
        cause_invalid(causes, &policy, policy_of(spec),
                      "must be 'SingleStack' to release the secondary cluster IP");
    if (is_reduced(was, spec, "ipFamilies"))
        cause_invalid(causes, &policy, policy_of(spec),
                      "must be 'SingleStack' to release the secondary IP family");
}

/* Services that only name another place have none of all this. */
static void check_none(const struct json *spec, const struct at *up, struct causes *causes)
{
    static const char *const fields[] = { "ipFamilies", "ipFamilyPolicy" };
    struct at ips = AT_KEY(up, "clusterIPs");

    if (text(spec, "clusterIP").n > 0 || !json_is_blank(json_getz(spec, "clusterIPs")))
        cause_forbidden(causes, &ips, "may not be set for ExternalName services");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct at here = AT_STR(up, str_of(fields[i]));

        if (!json_is_blank(json_getz(spec, fields[i])))
            cause_forbidden(causes, &here, "may not be set for ExternalName services");
    }
}

static void check_family_list(struct kind_ctx *c, const struct json *spec, const struct at *up,
                              struct causes *causes)
{
    static const char *const known[] = { "IPv4", "IPv6" };
    const struct json *list = json_getz(spec, "ipFamilies");
    struct at          at = AT_KEY(up, "ipFamilies");
    unsigned           i = 0;

    if (list != NULL && list->n > 2)
        cause_invalid_raw(causes, &at, json_text(causes->arena, list), "may only hold up to 2 values");
    json_each(it, list) {
        struct at  here = AT_INDEX(&at, i);
        struct str s = json_str(it);

        if (!str_is(s, "IPv4") && !str_is(s, "IPv6"))
            cause_unsupported(causes, &here, s, known, ARRAY_LEN(known));
        else if (!is_configured(c, s) && !is_free_choice(spec))
            cause_invalid(causes, &here, s, "not configured on this cluster");
        else if (i == 1 && str_eq(s, json_str(json_at(list, 0))))
            cause_duplicate(causes, &here, s);
        if (++i > 2)
            break;
    }
}

/* One address and the family that stands at its place. */
static void check_ip(struct kind_ctx *c, const struct json *spec, unsigned i, const struct at *at,
                     struct causes *causes)
{
    const struct json *ips = json_getz(spec, "clusterIPs");
    struct str         s = json_str(json_at(ips, i));
    struct str         family = json_str(json_at(json_getz(spec, "ipFamilies"), i));
    struct ip          ip;

    if (!ip_parse(s, &ip))
        cause_invalid(causes, at, s, name_check_ip(s));
    else if (!is_configured(c, name_of(ip.v6)))
        cause_invalid_raw(causes, at, json_text(causes->arena, ips),
                          arena_fmt(causes->arena, "%s is not configured on this cluster",
                                    ip.v6 ? "IPv6" : "IPv4").p);
    else if (family.n > 0 && !str_eq(family, name_of(ip.v6)))
        cause_invalid(causes, at, s,
                      arena_fmt(causes->arena, "expected an %.*s value as indicated by `ipFamilies[%u]`",
                                STR_ARG(family), i).p);
}

static void check_ips(struct kind_ctx *c, const struct json *spec, const struct at *up, struct causes *causes)
{
    const struct json *ips = json_getz(spec, "clusterIPs");
    struct at          at = AT_KEY(up, "clusterIPs");
    unsigned           n = count_of(spec, "clusterIPs");
    struct ip          x, y;

    if (n > 2)
        cause_invalid_raw(causes, &at, json_text(causes->arena, ips), "may only hold up to 2 values");
    if (n > 0 && !str_eq(json_str(json_at(ips, 0)), text(spec, "clusterIP")))
        cause_invalid_raw(causes, &at, json_text(causes->arena, ips), "first value must match `clusterIP`");
    for (unsigned i = 0; i < MIN_OF(n, 2u); i++) {
        struct at  here = AT_INDEX(&at, i);
        struct str s = json_str(json_at(ips, i));

        if (!str_is(s, "None"))
            check_ip(c, spec, i, &here, causes);
        else if (n > 1)
            cause_invalid_raw(causes, &at, json_text(causes->arena, ips),
                              "'None' must be the first and only value");
        else if (!str_is(text(spec, "type"), "ClusterIP"))
            cause_invalid(causes, &here, s,
                          arena_fmt(causes->arena, "may not be set to 'None' for %.*s services",
                                    STR_ARG(text(spec, "type"))).p);
    }
    if (n == 2 && ip_parse(json_str(json_at(ips, 0)), &x) && ip_parse(json_str(json_at(ips, 1)), &y) &&
        x.v6 == y.v6)
        cause_invalid_raw(causes, &at, json_text(causes->arena, ips),
                          "may specify no more than one IP for each IP family");
}

static void check_policy(struct kind_ctx *c, const struct json *spec, const struct at *up,
                         struct causes *causes)
{
    struct at at = AT_KEY(up, "ipFamilyPolicy");

    if (str_is(policy_of(spec), "RequireDualStack") && c->net->n < 2 && !is_free_choice(spec))
        cause_invalid(causes, &at, policy_of(spec), "this cluster is not configured for dual-stack services");
    if (is_single(spec) && count_of(spec, "clusterIPs") == 2)
        cause_invalid(causes, &at, policy_of(spec),
                      "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are "
                      "specified");
    if (is_single(spec) && count_of(spec, "ipFamilies") == 2)
        cause_invalid(causes, &at, policy_of(spec),
                      "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are "
                      "specified");
}

void service_check_families(struct kind_ctx *c, const struct json *spec, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "spec");

    if (!service_wants_cluster_ip(spec)) {
        check_none(spec, &at, causes);
        return;
    }
    check_ips(c, spec, &at, causes);
    check_family_list(c, spec, &at, causes);
    check_policy(c, spec, &at, causes);
}
