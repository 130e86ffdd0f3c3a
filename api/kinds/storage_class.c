/* api/kinds/storage_class.c: classes of storage, attachments of volumes, and what drivers say of themselves.
 */
#include "api/json_index.h"
#include "api/kinds/kinds_impl.h"

#define STORAGE .group = "storage.k8s.io"

#define PARAMETERS_MAX 512
#define MAP_MAX_BYTES  (256u << 10)
#define NODE_ID_MAX    192

static size_t map_bytes(const struct json *map)
{
    size_t n = 0;

    json_each(it, map)
        n += it->key.n + json_str(it).n;
    return n;
}

/* ---- Classes ---------------------------------------------------------------------------------------- */

static struct str lower(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);

    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
    return str_make(p, s.n);
}

static void check_parameters(const struct json *map, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "parameters");

    if (map != NULL && map->n > PARAMETERS_MAX)
        cause_too_long(causes, &at, PARAMETERS_MAX);
    if (map_bytes(map) > MAP_MAX_BYTES)
        cause_too_long(causes, &at, MAP_MAX_BYTES);
    json_each(it, map)
        if (it->key.n == 0)
            cause_invalid(causes, &at, it->key, "field can not be empty.");
}

static void check_topology(const struct json *term, const struct at *at, struct causes *causes)
{
    const struct json *list = json_getz(term, "matchLabelExpressions");
    struct seen        keys = seen_new(causes->arena, list != NULL ? list->n : 0);

    each_in(e, term, "matchLabelExpressions", at) {
        struct at  at_key = AT_KEY(&e.at, "key");
        struct str key = json_str(json_getz(e.it, "key"));

        field_check(name_check_qualified, e.it, "key", &e.at, causes);
        if (key.n > 0 && !seen_add(&keys, key))
            cause_duplicate(causes, &at_key, key);
    }
}

static void class_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    static const char *const policies[] = { "Delete", "Retain" };
    struct at at = AT_KEY(NULL, "provisioner");

    (void)c;
    check_text(name_check_qualified, lower(causes->arena, json_str(json_getz(obj, "provisioner"))), &at,
               causes);
    check_parameters(json_getz(obj, "parameters"), causes);
    field_one_of(obj, "reclaimPolicy", NULL, policies, ARRAY_LEN(policies), causes);
    each_in(e, obj, "allowedTopologies", NULL)
        check_topology(e.it, &e.at, causes);
}

static void class_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                  struct causes *causes)
{
    (void)c;
    field_keep_forbidden(old, obj, "parameters", NULL, "updates to parameters are forbidden.", causes);
    field_keep_forbidden(old, obj, "provisioner", NULL, "updates to provisioner are forbidden.", causes);
    field_keep_forbidden(old, obj, "reclaimPolicy", NULL, "updates to reclaimPolicy are forbidden.", causes);
    field_keep(old, obj, "volumeBindingMode", NULL, causes);
}

const struct kind_hooks kind_storage_classes = {
    STORAGE, .plural = "storageclasses", .unconditional_update = true,
    .validate = class_validate, .validate_update = class_validate_update,
};

/* ---- Attachments ------------------------------------------------------------------------------------ */

static void attachment_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    static const char  one[] = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    const struct json *spec = json_getz(obj, "spec"), *source = json_getz(spec, "source"),
                      *name = json_getz(source, "persistentVolumeName"),
                      *inside = json_getz(source, "inlineVolumeSpec");
    struct at at = AT_KEY(NULL, "spec"), at_source = AT_KEY(&at, "source"),
              at_inside = AT_KEY(&at_source, "inlineVolumeSpec");

    (void)c;
    field_check(name_check_csi_driver, spec, "attacher", &at, causes);
    field_check(name_check_subdomain, spec, "nodeName", &at, causes);
    if (name == NULL && inside == NULL)
        cause_required(causes, &at_source, one);
    else if (name != NULL && inside != NULL)
        cause_forbidden(causes, &at_source, one);
    else if (name != NULL)
        field_need(source, "persistentVolumeName", &at_source, "must specify non empty persistentVolumeName",
                   causes);
    else
        volume_spec_check(inside, &at_inside, causes);
}

static void attachment_validate_status(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                       struct causes *causes)
{
    struct at status = AT_KEY(NULL, "status"), at = AT_KEY(&status, "attachmentMetadata");

    (void)c;
    (void)old;
    if (map_bytes(json_path(obj, "status.attachmentMetadata")) > MAP_MAX_BYTES)
        cause_too_long(causes, &at, MAP_MAX_BYTES);
}

const struct kind_hooks kind_volume_attachments = {
    STORAGE, .plural = "volumeattachments", .validate = attachment_validate,
    .validate_status = attachment_validate_status,
};

/* ---- Drivers ---------------------------------------------------------------------------------------- */

static void driver_default(struct kind_ctx *c, struct json *obj)
{
    struct json *spec = json_getz(obj, "spec");

    if (json_is(spec, JSON_OBJECT) && json_is_blank(json_getz(spec, "volumeLifecycleModes")))
        json_push(json_setz(c->arena, spec, "volumeLifecycleModes", json_array(c->arena)),
                  json_string_ref(c->arena, STR("Persistent")));
}

static void driver_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *tokens = json_getz(spec, "tokenRequests");
    struct at          meta = AT_KEY(NULL, "metadata"), at = AT_KEY(NULL, "spec");
    struct seen        audiences = seen_new(causes->arena, tokens != NULL ? tokens->n : 0);

    (void)c;
    field_check(name_check_csi_driver, json_getz(obj, "metadata"), "name", &meta, causes);
    each_in(e, spec, "tokenRequests", &at) {
        struct at here = AT_KEY(&e.at, "audience");

        if (!seen_add(&audiences, json_str(json_getz(e.it, "audience"))))
            cause_duplicate(causes, &here, json_str(json_getz(e.it, "audience")));
    }
}

static void driver_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                   struct causes *causes)
{
    struct at at = AT_KEY(NULL, "spec");

    (void)c;
    field_keep(json_getz(old, "spec"), json_getz(obj, "spec"), "volumeLifecycleModes", &at, causes);
}

const struct kind_hooks kind_csi_drivers = {
    STORAGE, .plural = "csidrivers", .default_ = driver_default, .validate = driver_validate,
    .validate_update = driver_validate_update,
};

/* ---- Drivers on a node ------------------------------------------------------------------------------ */

static void check_node_driver(const struct json *driver, const struct at *at, struct causes *causes)
{
    const struct json *list = json_getz(driver, "topologyKeys");
    struct seen        keys = seen_new(causes->arena, list != NULL ? list->n : 0);

    field_check(name_check_csi_driver, driver, "name", at, causes);
    if (json_str(json_getz(driver, "nodeID")).n > NODE_ID_MAX)
        field_refuse(driver, "nodeID", at, "must be 192 characters or less", causes);
    each_in(e, driver, "topologyKeys", at) {
        const char *wrong = name_check_qualified(json_str(e.it));

        if (wrong != NULL)
            cause_invalid(causes, &e.at, json_str(e.it), wrong);
        if (!seen_add(&keys, json_str(e.it)))
            cause_duplicate(causes, &e.at, json_str(e.it));
    }
}

static void csi_node_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "spec");

    (void)c;
    each_in(e, json_getz(obj, "spec"), "drivers", &at)
        check_node_driver(e.it, &e.at, causes);
}

static struct str driver_text(struct arena *a, const struct json *driver)
{
    return arena_fmt(a, "%.*s %.*s", STR_ARG(json_str(json_getz(driver, "nodeID"))),
                     STR_ARG(json_text(a, json_getz(driver, "topologyKeys"))));
}

/* A driver that is there stays as it registered; how much it can take may be learned. */
static void csi_node_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                     struct causes *causes)
{
    struct json       *known = json_object(c->arena);
    const struct json *drivers = json_path(old, "spec.drivers"), *was;
    struct at          at = AT_KEY(NULL, "CSINodeDriver");
    struct json_index  ix;

    if (json_equal(json_getz(old, "spec"), json_getz(obj, "spec")))
        return;
    json_each(it, drivers)
        object_append(known, json_str(json_getz(it, "name")),
                      json_string_ref(c->arena, driver_text(c->arena, it)));
    json_index_make(c->arena, &ix, known, 0);
    json_each(it, json_path(obj, "spec.drivers")) {
        was = json_index_get(&ix, json_str(json_getz(it, "name")));
        if (was != NULL && !str_eq(json_str(was), driver_text(c->arena, it)))
            cause_invalid_raw(causes, &at, json_text(causes->arena, it), "field is immutable");
    }
}

const struct kind_hooks kind_csi_nodes = {
    STORAGE, .plural = "csinodes", .validate = csi_node_validate, .validate_update = csi_node_validate_update,
};

static void capacity_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "nodeTopology");

    (void)c;
    check_label_selector(json_getz(obj, "nodeTopology"), &at, causes);
}

const struct kind_hooks kind_csi_storage_capacities = {
    STORAGE, .plural = "csistoragecapacities", .validate = capacity_validate,
};
