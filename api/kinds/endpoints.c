/* api/kinds/endpoints.c: the addresses behind a service, in one object. */
#include "api/kinds/kinds_impl.h"

/* The API server of a cluster on one machine is announced at that machine's own loopback address. */
bool is_own_service(const struct kind_ctx *c)
{
    return str_is(c->ns, "default") && str_is(c->name, "kubernetes");
}

static void check_addresses(struct kind_ctx *c, const struct json *list, const struct at *at,
                            struct causes *causes)
{
    unsigned i = 0;

    json_each(it, list) {
        struct at here = AT_INDEX(at, i), ip = AT_KEY(&here, "ip"), node = AT_KEY(&here, "nodeName");

        i++;
        if (!is_own_service(c))
            check_routable_ip(json_str(json_getz(it, "ip")), &ip, causes);
        check_text(name_check_subdomain, json_str(json_getz(it, "nodeName")), &node, causes);
    }
}

static void check_ports(const struct json *list, const struct at *at, struct causes *causes)
{
    struct seen names;
    unsigned    i = 0;

    if (json_is_blank(list))
        return;
    names = seen_new(causes->arena, list->n);
    json_each(it, list) {
        struct at here = AT_INDEX(at, i), at_name = AT_KEY(&here, "name"), app = AT_KEY(&here, "appProtocol");
        struct str name = json_str(json_getz(it, "name"));

        i++;
        if (name.n == 0 && list->n > 1)
            cause_required(causes, &at_name, "");
        else if (name.n > 0 && name_check_label(name) != NULL)
            cause_invalid(causes, &at_name, name, name_check_label(name));
        else if (name.n > 0 && !seen_add(&names, name))
            cause_duplicate(causes, &at_name, name);
        check_text(name_check_qualified, json_str(json_getz(it, "appProtocol")), &app, causes);
    }
}

static void endpoints_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    struct at list = AT_KEY(NULL, "subsets");
    unsigned  i = 0;

    json_each(subset, json_getz(obj, "subsets")) {
        const struct json *ready = json_getz(subset, "addresses"),
                          *other = json_getz(subset, "notReadyAddresses");
        struct at at = AT_INDEX(&list, i), at_ready = AT_KEY(&at, "addresses"),
                  at_other = AT_KEY(&at, "notReadyAddresses"), ports = AT_KEY(&at, "ports");

        i++;
        if (json_is_blank(ready) && json_is_blank(other))
            cause_required(causes, &at, "must specify `addresses` or `notReadyAddresses`");
        check_addresses(c, ready, &at_ready, causes);
        check_addresses(c, other, &at_other, causes);
        check_ports(json_getz(subset, "ports"), &ports, causes);
    }
}

const struct kind_hooks kind_endpoints = {
    .group = "",
    .plural = "endpoints",
    .unconditional_update = true,
    .create_on_update = true,
    .validate = endpoints_validate,
};
