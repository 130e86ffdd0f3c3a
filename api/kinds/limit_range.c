/* api/kinds/limit_range.c: limits of single objects. */
#include "api/json_index.h"
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

/* What `to` does not say it takes from `from`. */
static void fill_in(struct arena *a, struct json *item, const char *to, const char *from)
{
    struct json *target = default_object(a, item, to);

    json_each(v, json_getz(item, from))
        if (json_get(target, v->key) == NULL)
            json_set(a, target, v->key, json_copy(a, v));
    if (target->n == 0)
        json_delz(item, to);
}

static void limit_range_default(struct kind_ctx *c, struct json *obj)
{
    json_each(item, json_path(obj, "spec.limits")) {
        if (!json_is(item, JSON_OBJECT) || !str_is(json_str(json_getz(item, "type")), "Container"))
            continue;
        fill_in(c->arena, item, "default", "max");
        fill_in(c->arena, item, "defaultRequest", "default");
        fill_in(c->arena, item, "defaultRequest", "min");
    }
}

/* ---- Checks ----------------------------------------------------------------------------------------- */

struct bound { const char *low, *low_name, *high, *high_name, *at; };
/* Each lower one is at most the higher one, resource by resource. */
static const struct bound bounds[] = {
    { "min", "min value", "max", "max value", "min" },
    { "min", "min value", "defaultRequest", "default request value", "defaultRequest" },
    { "defaultRequest", "default request value", "max", "max value", "defaultRequest" },
    { "min", "min value", "default", "default value", "default" },
    { "default", "default value", "max", "max value", "default" },
    { "defaultRequest", "default request value", "default", "default limit value", "defaultRequest" },
};

static void check_bound(const struct json *item, const struct bound *b, const struct at *up,
                        struct causes *causes)
{
    const struct json *low = json_getz(item, b->low), *high = json_getz(item, b->high), *other;
    struct at          at = AT_STR(up, str_of(b->at));
    struct json_index  ix;

    if (json_is_blank(low) || json_is_blank(high))
        return;
    json_index_make(causes->arena, &ix, high, 0);
    json_each(v, low) {
        struct at here = AT_MAP(&at, v->key);

        other = json_index_get(&ix, v->key);
        if (other != NULL && quantity_cmp(json_quantity(v), json_quantity(other)) > 0)
            cause_invalid(causes, &here, json_str(strcmp(b->at, b->low) == 0 ? v : other),
                          arena_fmt(causes->arena, "%s %.*s is greater than %s %.*s", b->low_name,
                                    STR_ARG(json_str(v)), b->high_name, STR_ARG(json_str(other))).p);
    }
}

static void check_ratios(const struct json *item, const struct at *at, struct causes *causes)
{
    struct quantity one = quantity_make(1, QUANTITY_DECIMAL_SI);

    each_in(e, item, "maxLimitRequestRatio", at)
        if (quantity_cmp(json_quantity(e.it), one) < 0)
            cause_invalid(causes, &e.at, json_str(e.it),
                          arena_fmt(causes->arena, "ratio %.*s is less than 1", STR_ARG(json_str(e.it))).p);
}

static void check_names(const struct json *item, const struct at *at, struct causes *causes)
{
    static const char *const maps[] = { "max", "min", "default", "defaultRequest", "maxLimitRequestRatio" };

    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        each_in(e, item, maps[i], at) {
            const char *wrong = name_check_qualified(e.it->key);

            if (wrong != NULL)
                cause_invalid(causes, &e.at, e.it->key, wrong);
        }
}

static void check_limit(const struct json *item, const struct at *at, struct causes *causes)
{
    struct str type = json_str(json_getz(item, "type"));

    check_names(item, at, causes);
    if (str_is(type, "Pod")) {
        field_forbid(item, "default", at, "may not be specified when `type` is 'Pod'", causes);
        field_forbid(item, "defaultRequest", at, "may not be specified when `type` is 'Pod'", causes);
    }
    if (str_is(type, "PersistentVolumeClaim") && json_getz(json_getz(item, "min"), "storage") == NULL &&
        json_getz(json_getz(item, "max"), "storage") == NULL)
        cause_required(causes, at,
                       "either minimum or maximum storage value is required, but neither was provided");
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
        check_bound(item, &bounds[i], at, causes);
    check_ratios(item, at, causes);
}

static void limit_range_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *limits = json_path(obj, "spec.limits");
    struct at          at = AT_KEY(NULL, "spec");
    struct seen        types = seen_new(causes->arena, limits != NULL ? limits->n : 0);

    (void)c;
    each_in(e, json_getz(obj, "spec"), "limits", &at) {
        struct at  here = AT_KEY(&e.at, "type");
        struct str type = json_str(json_getz(e.it, "type"));

        field_check(name_check_qualified, e.it, "type", &e.at, causes);
        if (type.n > 0 && !seen_add(&types, type))
            cause_duplicate(causes, &here, type);
        check_limit(e.it, &e.at, causes);
    }
}

const struct kind_hooks kind_limit_ranges = {
    .group = "", .plural = "limitranges", .unconditional_update = true, .create_on_update = true,
    .default_ = limit_range_default, .validate = limit_range_validate,
};
