/* api/kinds/resource_name.c: maps of resources and how much of each: known names, nothing negative. */
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

bool resource_is_huge_pages(struct str name) { return str_starts(name, STR("hugepages-")); }

static bool is_standard(struct str name)
{
    return str_is(name, "cpu") || str_is(name, "memory") || str_is(name, "ephemeral-storage") ||
           resource_is_huge_pages(name);
}

bool resource_is_extended(struct str name)
{
    return !is_standard(name) && str_find(name, '/') >= 0;
}

struct quantity json_quantity(const struct json *v)
{
    struct quantity q = QUANTITY_ZERO;

    return quantity_from_json(v, &q, NULL) < 0 ? QUANTITY_ZERO : q;
}

static void check_name(struct str name, const struct at *at, struct causes *causes)
{
    const char *wrong;

    if (is_standard(name))
        return;
    wrong = name_check_qualified(name);
    if (wrong != NULL)
        cause_invalid(causes, at, name, wrong);
    else if (str_find(name, '/') < 0)
        cause_invalid(causes, at, name, "must be a standard resource type or fully qualified");
}

void check_resource_amount(const struct json *v, const struct at *at, struct causes *causes)
{
    if (str_starts(json_str(v), STR("-")))       /* canonical by now: zero has no sign */
        cause_invalid(causes, at, json_str(v), "must be greater than or equal to 0");
    else if (resource_is_extended(v->key) && json_quantity(v).nano % 1000000000 != 0)
        cause_invalid(causes, at, json_str(v), "must be an integer");
}

void check_resources(const struct json *obj, const char *key, const struct at *up, struct causes *causes)
{
    each_in(e, obj, key, up) {
        check_name(e.it->key, &e.at, causes);
        check_resource_amount(e.it, &e.at, causes);
    }
}
