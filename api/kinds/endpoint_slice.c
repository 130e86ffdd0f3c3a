/* api/kinds/endpoint_slice.c: some of the addresses behind a service.  That addressType can't change is
 * said in the schema. */
#include "api/kinds/kinds_impl.h"

#define ENDPOINTS_MAX 1000
#define ADDRESSES_MAX 100
#define PORTS_MAX     20000
#define ZONES_MAX     8

static void check_address(struct kind_ctx *c, struct str type, struct str s, const struct at *at,
                          struct causes *causes)
{
    const char *wrong = NULL;

    if (str_is(type, "IPv4"))
        wrong = name_check_ipv4(s);
    else if (str_is(type, "IPv6"))
        wrong =
            name_check_ip(s) != NULL || name_check_ipv4(s) == NULL ? "must be a valid IPv6 address" : NULL;
    else if (str_is(type, "FQDN"))
        wrong = name_check_subdomain(s);
    if (wrong != NULL)
        cause_invalid(causes, at, s, wrong);
    else if (!str_is(type, "FQDN") && !is_own_service(c))
        check_routable_ip(s, at, causes);
}

static void check_hints(const struct json *hints, const struct at *up, struct causes *causes)
{
    const struct json *zones = json_getz(hints, "forZones");
    struct at          at = AT_KEY(up, "forZones");
    unsigned           i = 0;

    if (zones == NULL)
        return;
    if (zones->n > ZONES_MAX)
        cause_too_many(causes, &at, zones->n, ZONES_MAX);
    json_each(zone, zones) {
        struct at here = AT_INDEX(&at, i), name = AT_KEY(&here, "name");

        i++;
        check_text(name_check_label_value, json_str(json_getz(zone, "name")), &name, causes);
    }
}

static void check_endpoint(struct kind_ctx *c, struct str type, const struct json *e, const struct at *at,
                           struct causes *causes)
{
    const struct json *addresses = json_getz(e, "addresses");
    struct at list = AT_KEY(at, "addresses"), node = AT_KEY(at, "nodeName"), hints = AT_KEY(at, "hints");
    unsigned           i = 0;

    if (json_is_blank(addresses))
        cause_required(causes, &list, "must contain at least 1 address");
    else if (addresses->n > ADDRESSES_MAX)
        cause_too_many(causes, &list, addresses->n, ADDRESSES_MAX);
    json_each(it, addresses) {
        struct at here = AT_INDEX(&list, i);

        if (++i > ADDRESSES_MAX)
            break;
        check_address(c, type, json_str(it), &here, causes);
    }
    check_text(name_check_subdomain, json_str(json_getz(e, "nodeName")), &node, causes);
    check_hints(json_getz(e, "hints"), &hints, causes);
}

static void check_ports(const struct json *list, struct causes *causes)
{
    struct at   at = AT_KEY(NULL, "ports");
    struct seen names;
    unsigned    i = 0;

    if (json_is_blank(list))
        return;
    if (list->n > PORTS_MAX) {
        cause_too_many(causes, &at, list->n, PORTS_MAX);
        return;
    }
    names = seen_new(causes->arena, list->n);
    json_each(it, list) {
        struct at here = AT_INDEX(&at, i), at_name = AT_KEY(&here, "name"),
                  app = AT_KEY(&here, "appProtocol");
        struct str name = json_str(json_getz(it, "name"));

        i++;
        check_text(name_check_label, name, &at_name, causes);
        if (!seen_add(&names, name))
            cause_duplicate(causes, &at_name, name);
        check_text(name_check_qualified, json_str(json_getz(it, "appProtocol")), &app, causes);
    }
}

static void endpoint_slice_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *list = json_getz(obj, "endpoints");
    struct at          at = AT_KEY(NULL, "endpoints");
    struct str         type = json_str(json_getz(obj, "addressType"));
    unsigned           i = 0;

    if (list != NULL && list->n > ENDPOINTS_MAX)
        cause_too_many(causes, &at, list->n, ENDPOINTS_MAX);
    json_each(e, list) {
        struct at here = AT_INDEX(&at, i);

        if (++i > ENDPOINTS_MAX)
            break;
        check_endpoint(c, type, e, &here, causes);
    }
    check_ports(json_getz(obj, "ports"), causes);
}

const struct kind_hooks kind_endpoint_slices = {
    .group = "discovery.k8s.io",
    .plural = "endpointslices",
    .unconditional_update = true,
    .validate = endpoint_slice_validate,
};
