/* api/admit/claim_resize.c: PersistentVolumeClaimResize: only what a class makes, and lets grow, can grow. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

static bool may_grow(struct admission *a)
{
    struct str         name = json_path_str(a->obj, "spec.storageClassName");
    const struct json *class = kind_lookup(a->k, "storage.k8s.io", "v1", "storageclasses", STR_NONE, name);

    return json_true(json_getz(class, "allowVolumeExpansion"));
}

static void validate(struct admission *a)
{
    static const char path[] = "spec.resources.requests.storage";

    if (quantity_cmp(json_quantity(json_path(a->obj, path)), json_quantity(json_path(a->old, path))) <= 0)
        return;
    if (!str_is(json_path_str(a->old, "status.phase"), "Bound"))
        admit_refuse(a, "Only bound persistent volume claims can be expanded");
    else if (!may_grow(a))
        admit_refuse(a, "only dynamically provisioned pvc can be resized and the storageclass that "
                        "provisions the pvc must support resize");
}

const struct admit_plugin admit_claim_resize = {
    .name = "PersistentVolumeClaimResize", .on = true,
    .match = { { "", "persistentvolumeclaims", NULL, ADMIT_UPDATE, .validate = validate } },
};
