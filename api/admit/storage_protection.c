/* api/admit/storage_protection.c: StorageObjectInUseProtection: volumes and claims stay while they are
 * used; a controller takes the finalizer off (ctrl/storage_protection.c). */
#include "api/admit/plugin.h"
#include "api/meta.h"

static void hold(struct admission *a, const char *finalizer)
{
    if (!meta_has_finalizer(a->obj, finalizer))
        meta_add_finalizer(a->k->arena, a->obj, finalizer);
}

static void claim_create(struct admission *a)
{
    hold(a, "kubernetes.io/pvc-protection");
}

static void volume_create(struct admission *a)
{
    hold(a, "kubernetes.io/pv-protection");
}

const struct admit_plugin admit_storage_protection = {
    .name = "StorageObjectInUseProtection", .on = true,
    .match = { { "", "persistentvolumeclaims", NULL, ADMIT_CREATE, .mutate = claim_create },
               { "", "persistentvolumes", NULL, ADMIT_CREATE, .mutate = volume_create } },
};
