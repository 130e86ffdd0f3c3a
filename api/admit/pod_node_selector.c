/* api/admit/pod_node_selector.c: PodNodeSelector: a namespace's pods go to its nodes only. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"

#define ANNOTATION "scheduler.alpha.kubernetes.io/node-selector"

/* podNodeSelectorPluginConfig of the configuration: clusterDefaultNodeSelector, and namespaces' allowed
 * labels. */
static const struct json *config_of(const struct admission *a)
{
    return admit_state(a);
}

/* "a=b,c=d" as a map; false: it is something else. */
static bool read_labels(struct arena *a, struct str text, struct json **ret)
{
    struct str one;

    *ret = json_object(a);
    while (str_split(&text, ',', &one)) {
        ptrdiff_t eq = str_find(one, '=');

        if (str_trim(one).n == 0)
            continue;
        if (eq <= 0)
            return false;
        json_set(a, *ret, str_trim(str_upto(one, (size_t)eq)),
                 json_string(a, str_trim(str_from(one, (size_t)eq + 1))));
    }
    return true;
}

/* What all pods of the namespace must have.  False: refused. */
static bool namespace_labels(struct admission *a, struct json **ret)
{
    const struct json *ns = kind_lookup(a->k, "", "v1", "namespaces", STR_NONE, a->k->ns);
    const struct json *said = json_getz(json_path(ns, "metadata.annotations"), ANNOTATION);

    if (said == NULL)
        said = json_getz(config_of(a), "clusterDefaultNodeSelector");
    if (read_labels(a->k->arena, json_str(said), ret))
        return true;
    kind_refuse(a->k, 500, REASON_INTERNAL, "the node selector of namespace %.*s cannot be read: %.*s",
                STR_ARG(a->k->ns), STR_ARG(json_str(said)));
    return false;
}

static void mutate(struct admission *a)
{
    struct json *spec = json_getz(a->obj, "spec"), *labels, *selector;

    if (!json_is(spec, JSON_OBJECT) || !namespace_labels(a, &labels) || labels->n == 0)
        return;
    selector = json_make_path(a->k->arena, spec, "nodeSelector");
    json_each(it, labels) {
        const struct json *has = json_get(selector, it->key);

        if (has != NULL && !str_eq(json_str(has), json_str(it)))
            admit_refuse(a, "pod node label selector conflicts with its namespace node label selector");
        else if (has == NULL)
            json_set(a->k->arena, selector, it->key, json_copy(a->k->arena, it));
    }
}

static void validate(struct admission *a)
{
    const struct json *selector = json_path(a->obj, "spec.nodeSelector");
    struct str         allowed = json_str(json_get(config_of(a), a->k->ns));
    struct json       *own, *list;

    if (!namespace_labels(a, &own))
        return;
    json_each(it, own)
        if (!str_eq(json_str(json_get(selector, it->key)), json_str(it))) {
            admit_refuse(a, "pod node label selector conflicts with its namespace node label selector");
            return;
        }
    if (allowed.n == 0 || !read_labels(a->k->arena, allowed, &list))
        return;
    json_each(it, selector)
        if (!str_eq(json_str(json_get(list, it->key)), json_str(it)))
            admit_refuse(a, "pod node label selector labels conflict with its namespace whitelist");
}

static int open_config(struct admit *t, const struct json *config, void **ret_state, struct errbuf *err)
{
    struct json *labels;

    config = json_getz(config, "podNodeSelectorPluginConfig");
    json_each(it, config)
        if (!read_labels(&t->arena, json_str(it), &labels))
            return err_set(err, E_INVALID, "%.*s: must be labels, \"a=b,c=d\"", STR_ARG(it->key));
    *ret_state = (void *)config;
    return 0;
}

const struct admit_plugin admit_pod_node_selector = {
    .name = "PodNodeSelector",
    .match = { { "", "pods", NULL, ADMIT_CREATE, .mutate = mutate, .validate = validate } },
    .open = open_config,
};
