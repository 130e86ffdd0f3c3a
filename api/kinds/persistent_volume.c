/* api/kinds/persistent_volume.c: volumes: where they are is fixed, who has them isn't. */
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

static void volume_prepare_create(struct kind_ctx *c, struct json *obj)
{
    struct json *status = json_make_path(c->arena, obj, "status");

    json_setz(c->arena, status, "lastPhaseTransitionTime", json_string_ref(c->arena, kind_now(c)));
}

void check_access_modes(const struct json *spec, const struct at *at, struct causes *causes)
{
    static const char *const modes[] = { "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce",
                                         "ReadWriteOncePod" };
    const struct json *list = json_getz(spec, "accessModes");
    struct at          here = AT_KEY(at, "accessModes");

    each_in(e, spec, "accessModes", at) {
        struct str s = json_str(e.it);
        bool       known = false;

        for (size_t i = 0; i < ARRAY_LEN(modes); i++)
            known |= str_is(s, modes[i]);
        if (!known)
            cause_unsupported(causes, &here, s, modes, ARRAY_LEN(modes));
    }
    if (list != NULL && list->n > 1 && list_has(list, STR("ReadWriteOncePod")))
        cause_forbidden(causes, &here, "may not use ReadWriteOncePod with other access modes");
}

/* ---- Where it is ------------------------------------------------------------------------------------ */

static void check_secret(const struct json *obj, const char *key, const struct at *up, struct causes *causes)
{
    const struct json *ref = json_getz(obj, key);
    struct at          at = AT_STR(up, str_of(key));

    if (ref == NULL)
        return;
    field_need(ref, "name", &at, "", causes);
    field_need(ref, "namespace", &at, "", causes);
}

static void check_csi(const struct json *csi, const struct at *at, struct causes *causes)
{
    static const char *const secrets[] = { "controllerPublishSecretRef", "nodeStageSecretRef",
                                           "nodePublishSecretRef", "controllerExpandSecretRef",
                                           "nodeExpandSecretRef" };

    field_check(name_check_csi_driver, csi, "driver", at, causes);
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        check_secret(csi, secrets[i], at, causes);
}

static void check_no_dots(const struct json *source, const struct at *at, struct causes *causes)
{
    if (path_has_dot_dot(json_str(json_getz(source, "path"))))
        field_refuse(source, "path", at, "must not contain '..'", causes);
}

static void check_host_path(const struct json *spec, const struct at *at, struct causes *causes)
{
    const struct json *source = json_getz(spec, "hostPath");
    struct at          here = AT_KEY(at, "hostPath");

    check_no_dots(source, &here, causes);
    if (str_is(json_str(json_getz(source, "path")), "/") &&
        str_is(json_str(json_getz(spec, "persistentVolumeReclaimPolicy")), "Recycle"))
        field_forbid(spec, "persistentVolumeReclaimPolicy", at,
                     "may not be 'recycle' for a hostPath mount of '/'", causes);
}

static void check_source(const struct json *spec, const struct at *at, struct causes *causes)
{
    const struct json *local = json_getz(spec, "local"), *csi = json_getz(spec, "csi");
    struct at          at_local = AT_KEY(at, "local"), at_nfs = AT_KEY(at, "nfs"), at_csi = AT_KEY(at, "csi");

    check_host_path(spec, at, causes);
    check_absolute_path(json_getz(spec, "nfs"), "path", &at_nfs, causes);
    check_no_dots(local, &at_local, causes);
    if (local != NULL)
        field_need(spec, "nodeAffinity", at, "Local volume requires node affinity", causes);
    if (csi != NULL)
        check_csi(csi, &at_csi, causes);
}

/* ---- The whole -------------------------------------------------------------------------------------- */

/* Its size, and nothing else. */
static void check_capacity(const struct json *spec, const struct at *at, struct causes *causes)
{
    static const char *const storage[] = { "storage" };
    const struct json *capacity = json_getz(spec, "capacity");
    struct at          here = AT_KEY(at, "capacity"), size = AT_MAP(&here, STR("storage"));

    if (json_is_blank(capacity))
        cause_required(causes, &here, "");
    else if (json_getz(capacity, "storage") == NULL || capacity->n > 1)
        cause_unsupported(causes, &here, json_text(causes->arena, capacity), storage, 1);
    else if (quantity_sign(json_quantity(json_getz(capacity, "storage"))) <= 0)
        cause_invalid(causes, &size, json_str(json_getz(capacity, "storage")), "must be greater than zero");
}

void volume_spec_check(const struct json *spec, const struct at *at, struct causes *causes)
{
    const struct json *affinity = json_getz(spec, "nodeAffinity");
    struct at          at_affinity = AT_KEY(at, "nodeAffinity"), required = AT_KEY(&at_affinity, "required");

    check_access_modes(spec, at, causes);
    check_source(spec, at, causes);
    if (affinity != NULL &&
        field_need(affinity, "required", &at_affinity, "must specify required node constraints", causes))
        check_node_selector(json_getz(affinity, "required"), &required, causes);
    field_check(name_check_subdomain, spec, "storageClassName", at, causes);
    field_check(name_check_subdomain, spec, "volumeAttributesClassName", at, causes);
}

static void volume_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec");

    (void)c;
    check_capacity(spec, &at, causes);
    volume_spec_check(spec, &at, causes);
}

/* The fields that say where it is: all that aren't about something else. */
static bool is_source(struct str key)
{
    static const char *const others[] = {
        "capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName",
        "mountOptions", "volumeMode", "nodeAffinity", "volumeAttributesClassName",
    };

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_is(key, others[i]))
            return false;
    return true;
}

static bool sources_in(const struct json *spec, const struct json *other)
{
    json_each(it, spec)
        if (is_source(it->key) && !json_same(it, json_get(other, it->key)))
            return false;
    return true;
}

static void volume_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                   struct causes *causes)
{
    const struct json *was = json_getz(old, "spec"), *now = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec"), here = AT_KEY(&at, "persistentvolumesource");

    (void)c;
    if (!sources_in(was, now) || !sources_in(now, was))
        cause_forbidden(causes, &here, "spec.persistentvolumesource is immutable after creation");
    if (json_getz(was, "nodeAffinity") != NULL && json_getz(now, "nodeAffinity") == NULL)
        field_keep(was, now, "nodeAffinity", &at, causes);
}

const struct kind_hooks kind_persistent_volumes = {
    .group = "", .plural = "persistentvolumes", .unconditional_update = true, .returns_deleted = true,
    .prepare_create = volume_prepare_create, .validate = volume_validate,
    .validate_update = volume_validate_update,
};
