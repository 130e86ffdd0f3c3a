/* ctrl/indexes.c: see ctrl/indexes.h. */
#include "ctrl/indexes.h"
#include "ctrl/objects.h"

static struct str orphans_of(struct arena *a, struct str ns, struct str label, struct str value)
{
    return arena_join(a, (const struct str[]){ STR("orphans/"), ns, STR("/"), label, STR("="), value }, 6);
}

struct str orphans_key(struct arena *a, struct str ns, const struct json *label_selector)
{
    const struct json *first = json__first(json_getz(label_selector, "matchLabels"));

    return first != NULL ? orphans_of(a, ns, first->key, json_str(first))
                         : orphans_of(a, ns, STR(""), STR(""));
}

static void keys_of_owner(const struct json *obj, struct arena *a, struct str *out, unsigned max,
                          unsigned *ret_n)
{
    struct str uid = controller_uid(obj), ns = meta_str(obj, "namespace");
    const struct json *labels = json_path(obj, "metadata.labels");
    unsigned n = 1;

    *ret_n = uid.n > 0 || labels == NULL ? 1 : labels->n + 1;
    if (*ret_n > max)
        return;
    out[0] = uid.n > 0 ? uid : orphans_of(a, ns, STR(""), STR(""));
    if (uid.n == 0)
        json_each(l, labels)
            out[n++] = orphans_of(a, ns, l->key, json_str(l));
}

static void keys_of_namespace(const struct json *obj, struct arena *a, struct str *out, unsigned max,
                              unsigned *ret_n)
{
    out[0] = meta_str(obj, "namespace");
    *ret_n = 1;
}

static void keys_of_node(const struct json *obj, struct arena *a, struct str *out, unsigned max,
                         unsigned *ret_n)
{
    out[0] = json_path_str(obj, "spec.nodeName");
    *ret_n = out[0].n > 0;
}

struct str claim_key(struct arena *a, struct str ns, struct str claim)
{
    return arena_join(a, (const struct str[]){ ns, STR("/"), claim }, 3);
}

struct str claim_of_volume(struct arena *a, const struct json *pod, const struct json *volume)
{
    if (json_getz(volume, "ephemeral") != NULL)
        return arena_join(a, (const struct str[]){ meta_str(pod, "name"), STR("-"),
                                                   json_str(json_getz(volume, "name")) }, 3);
    return json_path_str(volume, "persistentVolumeClaim.claimName");
}

static void keys_of_claims(const struct json *obj, struct arena *a, struct str *out, unsigned max,
                           unsigned *ret_n)
{
    *ret_n = 0;
    json_each(volume, json_path(obj, "spec.volumes")) {
        struct str claim = claim_of_volume(a, obj, volume);

        if (claim.n == 0)
            continue;
        if (*ret_n < max)
            out[*ret_n] = claim_key(a, meta_str(obj, "namespace"), claim);
        (*ret_n)++;
    }
}

struct str pair_key(struct arena *a, struct str ns, struct str label, struct str value)
{
    return arena_join(a, (const struct str[]){ ns, STR("/"), label, STR("="), value }, 5);
}

static void keys_of_selector(const struct json *obj, struct arena *a, struct str *out, unsigned max,
                             unsigned *ret_n)
{
    const struct json *first = json__first(json_path(obj, "spec.selector"));

    *ret_n = first != NULL;
    if (first != NULL)
        out[0] = pair_key(a, meta_str(obj, "namespace"), first->key, json_str(first));
}

static void keys_of_service(const struct json *obj, struct arena *a, struct str *out, unsigned max,
                            unsigned *ret_n)
{
    struct str name = json_str(json_getz(json_path(obj, "metadata.labels"), "kubernetes.io/service-name"));

    *ret_n = name.n > 0;
    if (name.n > 0)
        out[0] = pair_key(a, meta_str(obj, "namespace"), STR("kubernetes.io/service-name"), name);
}

static bool is_of(const struct informer_opts *o, struct client_resource res)
{
    return strcmp(o->res.group, res.group) == 0 && strcmp(o->res.plural, res.plural) == 0;
}

void ctrl_indexes(struct informer_opts *o)
{
    bool pods = is_of(o, CLIENT_PODS);

    if (pods || is_of(o, CLIENT_REPLICASETS)) {
        o->index[o->n_index++].keys = keys_of_owner;
        o->index[o->n_index++].keys = keys_of_namespace;
    }
    if (pods) {
        o->index[o->n_index++].keys = keys_of_node;
        o->index[o->n_index++].keys = keys_of_claims;
    }
    if (is_of(o, CLIENT_PDBS) || is_of(o, CLIENT_RESOURCEQUOTAS) || is_of(o, CLIENT_DEPLOYMENTS))
        o->index[o->n_index++].keys = keys_of_namespace;
    if (is_of(o, CLIENT_SERVICES))
        o->index[o->n_index++].keys = keys_of_selector;
    if (is_of(o, CLIENT_ENDPOINTSLICES))
        o->index[o->n_index++].keys = keys_of_service;
}
