/* api/kinds/persistent_volume.c: volumes, claims of them, and what drivers say. */
#include "api/kinds/kinds_impl.h"

#define STORAGE .group = "storage.k8s.io"

/* dataSource is the older form of dataSourceRef: what can be said in both is. */
static void claim_prepare(struct kind_ctx *c, struct json *obj)
{
    struct json *spec = json_getz(obj, "spec"), *source = json_getz(spec, "dataSource"),
                *ref = json_getz(spec, "dataSourceRef");

    if (source != NULL && ref == NULL)
        json_setz(c->arena, spec, "dataSourceRef", json_copy(c->arena, source));
    else if (source == NULL && ref != NULL && json_is_blank(json_getz(ref, "namespace")))
        json_setz(c->arena, spec, "dataSource", json_copy(c->arena, ref));
}

static void claim_prepare_update(struct kind_ctx *c, const struct json *old, struct json *obj)
{
    (void)old;
    claim_prepare(c, obj);
}

static void volume_prepare_create(struct kind_ctx *c, struct json *obj)
{
    struct json *status = json_make_path(c->arena, obj, "status");

    json_setz(c->arena, status, "lastPhaseTransitionTime", json_string_ref(c->arena, kind_now(c)));
}

static void driver_default(struct kind_ctx *c, struct json *obj)
{
    struct json *spec = json_getz(obj, "spec");

    if (json_is(spec, JSON_OBJECT) && json_is_blank(json_getz(spec, "volumeLifecycleModes")))
        json_push(json_setz(c->arena, spec, "volumeLifecycleModes", json_array(c->arena)),
                  json_string_ref(c->arena, STR("Persistent")));
}

const struct kind_hooks kind_persistent_volumes = {
    .group = "", .plural = "persistentvolumes", .unconditional_update = true, .returns_deleted = true,
    .prepare_create = volume_prepare_create,
};
const struct kind_hooks kind_persistent_volume_claims = {
    .group = "", .plural = "persistentvolumeclaims", .unconditional_update = true, .returns_deleted = true,
    .prepare_create = claim_prepare, .prepare_update = claim_prepare_update,
};
const struct kind_hooks kind_csi_drivers = {
    STORAGE, .plural = "csidrivers", .default_ = driver_default,
};
const struct kind_hooks kind_csi_nodes = { STORAGE, .plural = "csinodes" };
const struct kind_hooks kind_csi_storage_capacities = { STORAGE, .plural = "csistoragecapacities" };
const struct kind_hooks kind_volume_attachments = { STORAGE, .plural = "volumeattachments" };
