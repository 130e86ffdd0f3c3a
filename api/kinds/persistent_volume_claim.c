/* api/kinds/persistent_volume_claim.c: claims of volumes: what they ask for is fixed, but for growing. */
#include "api/kinds/kinds_impl.h"
#include "api/quantity.h"

/* ---- Sources ---------------------------------------------------------------------------------------- */

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

static void check_data_source(const struct json *spec, const char *key, const struct at *up,
                              struct causes *causes)
{
    const struct json *source = json_getz(spec, key);
    struct at          at = AT_STR(up, str_of(key));
    struct str         group = json_str(json_getz(source, "apiGroup"));

    if (source == NULL)
        return;
    if (group.n == 0 && !str_is(json_str(json_getz(source, "kind")), "PersistentVolumeClaim"))
        field_refuse(source, "kind", &at,
                     "must be 'PersistentVolumeClaim' when referencing the default apiGroup", causes);
    field_check(name_check_subdomain, source, "apiGroup", &at, causes);
}

static void check_data_sources(const struct json *spec, const struct at *at, struct causes *causes)
{
    static const char *const parts[] = { "apiGroup", "kind", "name" };
    const struct json *source = json_getz(spec, "dataSource"), *ref = json_getz(spec, "dataSourceRef");

    check_data_source(spec, "dataSource", at, causes);
    check_data_source(spec, "dataSourceRef", at, causes);
    if (source == NULL || ref == NULL)
        return;
    if (json_is_set(json_getz(ref, "namespace"))) {
        field_refuse(spec, "dataSource", at, "may not be specified when dataSourceRef.namespace is specified",
                     causes);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!json_same(json_getz(source, parts[i]), json_getz(ref, parts[i]))) {
            field_refuse(spec, "dataSource", at, "must match dataSourceRef", causes);
            return;
        }
}

/* ---- What is asked for ------------------------------------------------------------------------------ */

static void check_size(const struct json *spec, const struct at *up, struct causes *causes)
{
    const struct json *size = json_path(spec, "resources.requests.storage");
    struct at          at = AT_KEY(up, "resources"), here = AT_MAP(&at, STR("storage"));

    if (size == NULL)
        cause_required(causes, &here, "");
    else if (quantity_sign(json_quantity(size)) <= 0)
        cause_invalid(causes, &here, json_str(size), "must be greater than zero");
}

void claim_spec_check(const struct json *spec, const struct at *at, struct causes *causes)
{
    struct at selector = AT_KEY(at, "selector");

    if (field_need(spec, "accessModes", at, "at least 1 access mode is required", causes))
        check_access_modes(spec, at, causes);
    check_label_selector(json_getz(spec, "selector"), &selector, causes);
    check_size(spec, at, causes);
    field_check(name_check_subdomain, spec, "storageClassName", at, causes);
    field_check(name_check_subdomain, spec, "volumeAttributesClassName", at, causes);
    check_data_sources(spec, at, causes);
}

static void claim_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "spec");

    (void)c;
    claim_spec_check(json_getz(obj, "spec"), &at, causes);
}

/* ---- Updates ---------------------------------------------------------------------------------------- */

static void check_growth(const struct json *old, const struct json *obj, struct causes *causes)
{
    const struct json *was = json_path(old, "spec.resources.requests.storage"),
                      *now = json_path(obj, "spec.resources.requests.storage");
    struct at spec = AT_KEY(NULL, "spec"), resources = AT_KEY(&spec, "resources"),
              requests = AT_KEY(&resources, "requests"), at = AT_KEY(&requests, "storage");

    if (quantity_cmp(json_quantity(now), json_quantity(was)) < 0 &&
        quantity_cmp(json_quantity(now), json_quantity(json_path(old, "status.capacity.storage"))) <= 0)
        cause_forbidden(causes, &at, "field can not be less than status.capacity");
}

/* The old spec with what may change as it is now.  volume and class: given once. */
static struct json *with_changes(struct arena *a, const struct json *old, const struct json *obj)
{
    struct json       *spec = json_copy(a, json_getz(old, "spec"));
    const struct json *now = json_getz(obj, "spec"), *size = json_path(now, "resources.requests.storage"),
                      *attributes = json_getz(now, "volumeAttributesClassName");
    bool               bound = str_is(json_path_str(obj, "status.phase"), "Bound");

    if (json_is_blank(json_getz(spec, "volumeName")) && json_is_set(json_getz(now, "volumeName")))
        json_setz(a, spec, "volumeName", json_copy(a, json_getz(now, "volumeName")));
    if (json_getz(spec, "storageClassName") == NULL && json_getz(now, "storageClassName") != NULL)
        json_setz(a, spec, "storageClassName", json_copy(a, json_getz(now, "storageClassName")));
    if (bound && size != NULL)
        json_setz(a, json_make_path(a, spec, "resources.requests"), "storage", json_copy(a, size));
    if (bound && json_is_set(attributes))
        json_setz(a, spec, "volumeAttributesClassName", json_copy(a, attributes));
    return spec;
}

static void claim_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                  struct causes *causes)
{
    struct at at = AT_KEY(NULL, "spec");

    if (json_equal(json_getz(old, "spec"), json_getz(obj, "spec")))
        return;
    if (!json_equal(with_changes(c->arena, old, obj), json_getz(obj, "spec"))) {
        cause_forbidden(causes, &at, "spec is immutable after creation except resources.requests and "
                                     "volumeAttributesClassName for bound claims");
        return;
    }
    check_growth(old, obj, causes);
}

const struct kind_hooks kind_persistent_volume_claims = {
    .group = "", .plural = "persistentvolumeclaims", .unconditional_update = true, .returns_deleted = true,
    .prepare_create = claim_prepare, .prepare_update = claim_prepare_update, .validate = claim_validate,
    .validate_update = claim_validate_update,
};
