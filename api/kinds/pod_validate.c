/* api/kinds/pod_validate.c: cross-field rules of a pod's spec, of pods and of templates. */
#include "api/kinds/kinds_impl.h"

#define NAMESERVERS_MAX 3
#define SEARCHES_MAX    32
#define SEARCH_CHARS_MAX 2048

/* ---- DNS -------------------------------------------------------------------------------------------- */

static void check_nameservers(const struct json *list, const struct at *at, struct causes *causes)
{
    unsigned i = 0;

    if (list != NULL && list->n > NAMESERVERS_MAX)
        cause_invalid_raw(causes, at, json_text(causes->arena, list),
                          "must not have more than 3 nameservers");
    json_each(it, list) {
        struct at here = AT_INDEX(at, i);

        i++;
        if (name_check_ip(json_str(it)) != NULL)
            cause_invalid(causes, &here, json_str(it), name_check_ip(json_str(it)));
    }
}

static void check_searches(const struct json *list, const struct at *at, struct causes *causes)
{
    size_t   chars = list != NULL && list->n > 0 ? list->n - 1 : 0;
    unsigned i = 0;

    if (list != NULL && list->n > SEARCHES_MAX)
        cause_invalid_raw(causes, at, json_text(causes->arena, list),
                          "must not have more than 32 search paths");
    json_each(it, list) {
        struct at  here = AT_INDEX(at, i);
        struct str s = json_str(it);

        i++;
        chars += s.n;
        if (s.n > 1 && s.p[s.n - 1] == '.')
            s.n--;
        if (!str_is(s, "."))
            check_text(name_check_subdomain, s, &here, causes);
    }
    if (chars > SEARCH_CHARS_MAX)
        cause_invalid_raw(causes, at, json_text(causes->arena, list),
                          "must not have more than 2048 characters (including spaces) in the search list");
}

static void check_dns(const struct json *spec, const struct at *at, struct causes *causes)
{
    const struct json *config = json_getz(spec, "dnsConfig"), *servers = json_getz(config, "nameservers");
    struct at at_config = AT_KEY(at, "dnsConfig"), at_servers = AT_KEY(&at_config, "nameservers"),
              at_searches = AT_KEY(&at_config, "searches"), at_options = AT_KEY(&at_config, "options");
    unsigned  i = 0;

    if (str_is(json_str(json_getz(spec, "dnsPolicy")), "None")) {
        if (config == NULL)
            cause_required(causes, &at_config, "must provide `dnsConfig` when `dnsPolicy` is None");
        else if (json_is_blank(servers))
            cause_required(causes, &at_servers,
                           "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
    if (config == NULL)
        return;
    check_nameservers(servers, &at_servers, causes);
    check_searches(json_getz(config, "searches"), &at_searches, causes);
    json_each(it, json_getz(config, "options")) {
        struct at here = AT_INDEX(&at_options, i);

        i++;
        if (json_str(json_getz(it, "name")).n == 0)
            cause_required(causes, &here, "must not be empty");
    }
}

/* ---- Other lists ------------------------------------------------------------------------------------ */

static void check_host_aliases(const struct json *list, const struct at *at, struct causes *causes)
{
    unsigned i = 0;

    json_each(alias, list) {
        struct at here = AT_INDEX(at, i), names = AT_KEY(&here, "hostnames");
        unsigned  k = 0;

        i++;
        json_each(name, json_getz(alias, "hostnames")) {
            struct at  there = AT_INDEX(&names, k);
            const char *wrong = name_check_subdomain(json_str(name));

            k++;
            if (wrong != NULL)
                cause_invalid(causes, &there, json_str(name), wrong);
        }
    }
}

static void check_gates(const struct json *spec, const struct at *at, struct causes *causes)
{
    struct at gates = AT_KEY(at, "schedulingGates"), conditions = AT_KEY(at, "readinessGates");
    unsigned  i = 0;

    json_each(gate, json_getz(spec, "schedulingGates")) {
        struct at here = AT_INDEX(&gates, i), name = AT_KEY(&here, "name");

        i++;
        check_text(name_check_qualified, json_str(json_getz(gate, "name")), &name, causes);
    }
    i = 0;
    json_each(gate, json_getz(spec, "readinessGates")) {
        struct at here = AT_INDEX(&conditions, i), type = AT_KEY(&here, "conditionType");

        i++;
        check_text(name_check_qualified, json_str(json_getz(gate, "conditionType")), &type, causes);
    }
}

/* ---- Devices ------------------------------------------------------------------------------------------ */

static void check_resource_claim(const struct json *claim, const struct at *at, struct causes *causes)
{
    bool named = json_is_set(json_getz(claim, "resourceClaimName")),
         made = json_is_set(json_getz(claim, "resourceClaimTemplateName"));

    field_check(name_check_label, claim, "name", at, causes);
    field_check(name_check_subdomain, claim, "resourceClaimName", at, causes);
    field_check(name_check_subdomain, claim, "resourceClaimTemplateName", at, causes);
    if (named && made)
        cause_invalid_raw(
            causes, at, json_text(causes->arena, claim),
            "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
    else if (!named && !made)
        cause_invalid_raw(causes, at, json_text(causes->arena, claim),
                          "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
}

static void check_resource_claims(const struct json *spec, const struct at *at, struct causes *causes)
{
    each_in(e, spec, "resourceClaims", at)
        check_resource_claim(e.it, &e.at, causes);
}

/* ---- The whole -------------------------------------------------------------------------------------- */

static void check_process_namespace(const struct json *spec, const struct at *at, struct causes *causes)
{
    if (json_true(json_getz(spec, "hostPID")) && json_true(json_getz(spec, "shareProcessNamespace")))
        field_refuse(spec, "shareProcessNamespace", at,
                     "ShareProcessNamespace and HostPID cannot both be enabled", causes);
}

void pod_spec_check(const struct json *spec, const struct at *at, bool is_pod, struct causes *causes)
{
    struct at volumes = AT_KEY(at, "volumes"), aliases = AT_KEY(at, "hostAliases");

    if (!json_is(spec, JSON_OBJECT))
        return;
    volumes_check(json_getz(spec, "volumes"), &volumes, causes);
    containers_check(spec, at, is_pod, causes);
    check_dns(spec, at, causes);
    check_host_aliases(json_getz(spec, "hostAliases"), &aliases, causes);
    check_gates(spec, at, causes);
    each_in(e, spec, "imagePullSecrets", at)
        field_need(e.it, "name", &e.at, "", causes);
    check_process_namespace(spec, at, causes);
    check_resource_claims(spec, at, causes);
    check_resources(spec, "overhead", at, causes);
    pod_placement_check(spec, at, causes);
    pod_security_check(spec, at, causes);
    pod_os_check(spec, at, causes);
}
