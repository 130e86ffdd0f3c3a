/* api/crd/hooks.c: what all kinds that users define have in common beyond their schema. */
#include "api/crd/custom.h"
#include "api/crd/rule.h"
#include "api/modify.h"

/* Through .../status nothing but the status is written: of metadata, labels and annotations stay too. */
static void custom_prepare_status(struct kind_ctx *c, const struct json *old, struct json *obj)
{
    static const char *const kept[] = { "labels", "annotations" };
    struct json *meta = json_getz(obj, "metadata");

    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const struct json *was = json_getz(json_getz(old, "metadata"), kept[i]);

        if (was != NULL)
            json_setz(c->arena, meta, kept[i], json_copy(c->arena, was));
        else
            json_delz(meta, kept[i]);
    }
}

static bool custom_spec_changed(const struct json *old, const struct json *obj)
{
    return !modify_equal_but_metadata(old, obj);
}

static void custom_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    if (c->creating)                             /* updates have an old state that rules may look at */
        crd_rules_check(c->res->kind->type->user, obj, NULL, c->arena, causes);
}

static void custom_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                   struct causes *causes)
{
    crd_rules_check(c->res->kind->type->user, obj, old, c->arena, causes);
}

const struct kind_hooks kind_custom = {
    .group = "",
    .plural = "",
    .bare_finalizers = true,
    .prepare_status = custom_prepare_status,
    .spec_changed = custom_spec_changed,
    .validate = custom_validate,
    .validate_update = custom_validate_update,
    .validate_status = custom_validate_update,
};
