/* api/admit/default_class.c: DefaultStorageClass and DefaultIngressClass: what names no class gets the
 * default one; of several the newest. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"

static bool is_default(const struct json *class, const char *const *annotations)
{
    const struct json *notes = json_path(class, "metadata.annotations");

    for (; *annotations != NULL; annotations++)
        if (str_is(json_str(json_getz(notes, *annotations)), "true"))
            return true;
    return false;
}

/* Newer, and of equal ones the first by name (as the walk goes). Times in RFC 3339 sort as text. */
static struct str find_default(struct admission *a, const char *group, const char *plural,
                               const char *const *annotations)
{
    struct str        name = STR_NONE, since = STR_NONE;
    struct admit_list l;

    for (admit_list_open(&l, a, group, plural, STR_NONE); admit_list_next(&l);) {
        struct json *class;
        struct str   created;

        if (memmem(l.kv.value->data, l.kv.value->len, "is-default-class", 16) == NULL)
            continue;
        class = admit_list_json(&l);
        created = json_path_str(class, "metadata.creationTimestamp");
        if (class == NULL || !is_default(class, annotations) || (name.n > 0 && str_cmp(created, since) <= 0))
            continue;
        name = json_path_str(class, "metadata.name");
        since = created;
    }
    return name;
}

static bool has_annotation(const struct json *obj, const char *key)
{
    return json_getz(json_path(obj, "metadata.annotations"), key) != NULL;
}

static void set_class(struct admission *a, const char *field, struct str name)
{
    if (name.n > 0)
        json_setz(a->k->arena, json_make_path(a->k->arena, a->obj, "spec"), field,
                  json_string(a->k->arena, name));
}

static void claim_create(struct admission *a)
{
    static const char *const annotations[] = { "storageclass.kubernetes.io/is-default-class",
                                               "storageclass.beta.kubernetes.io/is-default-class", NULL };

    if (json_path(a->obj, "spec.storageClassName") == NULL &&
        !has_annotation(a->obj, "volume.beta.kubernetes.io/storage-class"))
        set_class(a, "storageClassName", find_default(a, "storage.k8s.io", "storageclasses", annotations));
}

static void ingress_create(struct admission *a)
{
    static const char *const annotations[] = { "ingressclass.kubernetes.io/is-default-class", NULL };

    if (json_path(a->obj, "spec.ingressClassName") == NULL &&
        !has_annotation(a->obj, "kubernetes.io/ingress.class"))
        set_class(a, "ingressClassName",
                  find_default(a, "networking.k8s.io", "ingressclasses", annotations));
}

const struct admit_plugin admit_default_storage_class = {
    .name = "DefaultStorageClass", .on = true,
    .match = { { "", "persistentvolumeclaims", NULL, ADMIT_CREATE, .mutate = claim_create } },
};
const struct admit_plugin admit_default_ingress_class = {
    .name = "DefaultIngressClass", .on = true,
    .match = { { "networking.k8s.io", "ingresses", NULL, ADMIT_CREATE, .mutate = ingress_create } },
};
