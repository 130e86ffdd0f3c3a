/* api/crd/hooks.c: what all kinds that users define have in common beyond their schema. */
#include "api/crd/custom.h"
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

const struct kind_hooks kind_custom = {
    .group = "", .plural = "", .prepare_status = custom_prepare_status, .spec_changed = custom_spec_changed,
};
