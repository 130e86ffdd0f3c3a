/* api/kinds/service_cidr.c: ranges that services take addresses from, and the addresses that are taken. */
#include "api/kinds/kinds_impl.h"

static void check_canonical(const struct json *it, struct str canonical, const struct at *at,
                            struct causes *causes)
{
    if (!str_eq(json_str(it), canonical))
        cause_invalid(causes, at, json_str(it),
                      arena_fmt(causes->arena, "must be in canonical form (\"%.*s\")", STR_ARG(canonical)).p);
}

static void service_cidr_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *cidrs = json_path(obj, "spec.cidrs");
    struct at          spec = AT_KEY(NULL, "spec"), at = AT_KEY(&spec, "cidrs");
    struct ip_range    range[2];
    unsigned           i = 0, n = 0;

    if (json_is_blank(cidrs)) {
        cause_required(causes, &at, "at least one CIDR required");
        return;
    }
    if (cidrs->n > ARRAY_LEN(range))
        return;                                  /* the schema has said so */
    json_each(it, cidrs) {
        struct at here = AT_INDEX(&at, i);

        i++;
        if (!ip_range_parse(json_str(it), &range[n]))
            continue;
        check_canonical(it, ip_range_text(c->arena, &range[n]), &here, causes);
        n++;
    }
    if (n == 2 && range[0].base.v6 == range[1].base.v6)
        cause_invalid_raw(causes, &at, json_text(causes->arena, cidrs),
                          "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
                          "2001:db8::/64");
}

/* A second family may be added. */
static void service_cidr_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                         struct causes *causes)
{
    const struct json *was = json_path(old, "spec.cidrs"), *is = json_path(obj, "spec.cidrs");
    struct at          spec = AT_KEY(NULL, "spec"), at = AT_KEY(&spec, "cidrs");
    unsigned           i = 0;

    (void)c;
    if (was == NULL || is == NULL)
        return;
    if (was->n != is->n && !(was->n == 1 && is->n == 2)) {
        cause_invalid_raw(causes, &at, json_text(causes->arena, is), "field is immutable");
        return;
    }
    json_each(it, was) {
        struct at here = AT_INDEX(&at, i);

        if (!json_equal(it, json_at(is, i)))
            cause_invalid(causes, &here, json_str(json_at(is, i)), "field is immutable");
        i++;
    }
}

const struct kind_hooks kind_service_cidrs = {
    .group = "networking.k8s.io",
    .plural = "servicecidrs",
    .unconditional_update = true,
    .validate = service_cidr_validate,
    .validate_update = service_cidr_validate_update,
};

static void ip_address_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    struct at meta = AT_KEY(NULL, "metadata"), name = AT_KEY(&meta, "name");
    const struct json *it = json_path(obj, "metadata.name");
    struct ip          ip;

    if (!ip_parse(json_str(it), &ip))
        cause_invalid(causes, &name, json_str(it),
                      "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    else
        check_canonical(it, ip_text(c->arena, ip), &name, causes);
}

const struct kind_hooks kind_ip_addresses = {
    .group = "networking.k8s.io",
    .plural = "ipaddresses",
    .name = KIND_NAME_PATH,
    .unconditional_update = true,
    .validate = ip_address_validate,
};
