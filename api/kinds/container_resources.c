/* api/kinds/container_resources.c: requests and limits: what is asked for is within the limits. */
#include "api/json_index.h"
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

/* What can't be promised twice must be limited to exactly what is asked for. */
static void check_request(const struct json *request, const struct json *limit, const struct at *at_limits,
                          const struct at *at, struct causes *causes)
{
    bool firm = resource_is_extended(request->key) || resource_is_huge_pages(request->key);
    int  cmp;

    if (limit == NULL) {
        if (firm)
            cause_required(causes, at_limits, "Limit must be set for non overcommitable resources");
        return;
    }
    cmp = json_equal(request, limit) ? 0 : quantity_cmp(json_quantity(request), json_quantity(limit));
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
    check_resources(resources, "limits", at, causes);
    check_resources(resources, "requests", at, causes);
    json_index_make(causes->arena, &ix, limits != NULL ? limits : json_object(causes->arena), 0);
    json_each(request, requests)
        check_request(request, json_index_get(&ix, request->key), &at_limits, &at_requests, causes);
    json_each(v, limits) {
        huge |= resource_is_huge_pages(v->key);
        plain |= str_is(v->key, "cpu") || str_is(v->key, "memory");
    }
    json_each(v, requests) {
        huge |= resource_is_huge_pages(v->key);
        plain |= str_is(v->key, "cpu") || str_is(v->key, "memory");
    }
    if (huge && !plain)
        cause_forbidden(causes, at, "HugePages require cpu or memory");
}
