/* api/kinds/container_resources.c: requests and limits: known names, nothing negative, within the limits. */
#include "api/json_index.h"
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

static bool is_huge_pages(struct str name) { return str_starts(name, STR("hugepages-")); }

static bool is_standard(struct str name)
{
    return str_is(name, "cpu") || str_is(name, "memory") || str_is(name, "ephemeral-storage") ||
           is_huge_pages(name);
}

/* Devices and the like, "example.com/gpu": counted, never shared. */
static bool is_extended(struct str name)
{
    return !is_standard(name) && str_find(name, '/') >= 0;
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

static struct quantity amount(const struct json *v)
{
    struct quantity q = QUANTITY_ZERO;

    return quantity_from_json(v, &q, NULL) < 0 ? QUANTITY_ZERO : q;
}

static void check_amount(const struct json *v, const struct at *at, struct causes *causes)
{
    if (str_starts(json_str(v), STR("-")))       /* canonical by now: zero has no sign */
        cause_invalid(causes, at, json_str(v), "must be greater than or equal to 0");
    else if (is_extended(v->key) && amount(v).nano % 1000000000 != 0)
        cause_invalid(causes, at, json_str(v), "must be an integer");
}

static void check_list(const struct json *list, const struct at *at, struct causes *causes)
{
    json_each(v, list) {
        struct at here = AT_MAP(at, v->key);

        check_name(v->key, &here, causes);
        check_amount(v, &here, causes);
    }
}

/* What can't be promised twice must be limited to exactly what is asked for. */
static void check_request(const struct json *request, const struct json *limit, const struct at *at_limits,
                          const struct at *at, struct causes *causes)
{
    bool firm = is_extended(request->key) || is_huge_pages(request->key);
    int  cmp;

    if (limit == NULL) {
        if (firm)
            cause_required(causes, at_limits, "Limit must be set for non overcommitable resources");
        return;
    }
    cmp = json_equal(request, limit) ? 0 : quantity_cmp(amount(request), amount(limit));
    if (firm && cmp != 0)
        cause_add(causes, CAUSE_INVALID, at, "Invalid value: \"%.*s\": must be equal to %.*s limit of %.*s",
                  STR_ARG(json_str(request)), STR_ARG(request->key), STR_ARG(json_str(limit)));
    else if (cmp > 0)
        cause_add(causes, CAUSE_INVALID, at,
                  "Invalid value: \"%.*s\": must be less than or equal to %.*s limit of %.*s",
                  STR_ARG(json_str(request)), STR_ARG(request->key), STR_ARG(json_str(limit)));
}

void container_resources_check(const struct json *resources, const struct at *at, struct causes *causes)
{
    const struct json *limits = json_getz(resources, "limits"), *requests = json_getz(resources, "requests");
    struct at          at_limits = AT_KEY(at, "limits"), at_requests = AT_KEY(at, "requests");
    struct json_index  ix;
    bool               huge = false, plain = false;

    if (limits == NULL && requests == NULL)
        return;
    check_list(limits, &at_limits, causes);
    check_list(requests, &at_requests, causes);
    json_index_make(causes->arena, &ix, limits != NULL ? limits : json_object(causes->arena), 0);
    json_each(request, requests)
        check_request(request, json_index_get(&ix, request->key), &at_limits, &at_requests, causes);
    json_each(v, limits) {
        huge |= is_huge_pages(v->key);
        plain |= str_is(v->key, "cpu") || str_is(v->key, "memory");
    }
    json_each(v, requests) {
        huge |= is_huge_pages(v->key);
        plain |= str_is(v->key, "cpu") || str_is(v->key, "memory");
    }
    if (huge && !plain)
        cause_forbidden(causes, at, "HugePages require cpu or memory");
}
