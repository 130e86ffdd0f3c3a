/* api/kinds/limit_range.c: limits of single objects, and of all together. */
#include "api/kinds/kinds_impl.h"

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

const struct kind_hooks kind_limit_ranges = {
    .group = "", .plural = "limitranges", .unconditional_update = true, .create_on_update = true,
    .default_ = limit_range_default,
};
const struct kind_hooks kind_resource_quotas = {
    .group = "", .plural = "resourcequotas", .unconditional_update = true, .returns_deleted = true,
};
