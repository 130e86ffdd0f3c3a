/* api/admit/runtime_class.c: RuntimeClass: what a pod's runtime needs beside its containers, and where it
 * is. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"

static const struct json *class_of(struct admission *a, struct str name)
{
    const struct json *class = kind_lookup(a->k, "node.k8s.io", "v1", "runtimeclasses", STR_NONE, name);

    if (class == NULL) {
        a->k->lacking = a->k->refused == 0;
        admit_refuse(a, "pod rejected: RuntimeClass \"%.*s\" not found", STR_ARG(name));
    }
    return class;
}

static void set_selector(struct admission *a, struct json *spec, const struct json *wanted)
{
    struct arena *arena = a->k->arena;

    json_each(it, wanted) {
        struct json *selector = json_make_path(arena, spec, "nodeSelector");
        struct json *has = json_get(selector, it->key);

        if (has == NULL)
            json_set(arena, selector, it->key, json_copy(arena, it));
        else if (!str_eq(json_str(has), json_str(it)))
            admit_refuse(a, "conflict: runtimeClass.scheduling.nodeSelector[%.*s] = %.*s; "
                            "pod.spec.nodeSelector[%.*s] = %.*s",
                         STR_ARG(it->key), STR_ARG(json_str(it)), STR_ARG(it->key), STR_ARG(json_str(has)));
    }
}

static bool has_equal(const struct json *list, const struct json *one)
{
    json_each(it, list)
        if (json_equal(it, one))
            return true;
    return false;
}

static void add_tolerations(struct arena *arena, struct json *spec, const struct json *more)
{
    struct json *list = json_getz(spec, "tolerations");

    json_each(it, more) {
        if (has_equal(list, it))
            continue;
        if (!json_is(list, JSON_ARRAY))
            list = json_setz(arena, spec, "tolerations", json_array(arena));
        json_push(list, json_copy(arena, it));
    }
}

static void mutate(struct admission *a)
{
    struct json       *spec = json_getz(a->obj, "spec");
    struct str         name = json_str(json_getz(spec, "runtimeClassName"));
    const struct json *class, *fixed, *given = json_getz(spec, "overhead");

    if (name.n == 0 || (class = class_of(a, name)) == NULL)
        return;
    fixed = json_path(class, "overhead.podFixed");
    if (fixed != NULL && json_is_set(given) && !json_equal(given, fixed))
        admit_refuse(a, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    else if (fixed != NULL)
        json_setz(a->k->arena, spec, "overhead", json_copy(a->k->arena, fixed));
    set_selector(a, spec, json_path(class, "scheduling.nodeSelector"));
    add_tolerations(a->k->arena, spec, json_path(class, "scheduling.tolerations"));
}

static void validate(struct admission *a)
{
    const struct json *spec = json_getz(a->obj, "spec"), *class = NULL, *fixed, *given;
    struct str         name = json_str(json_getz(spec, "runtimeClassName"));

    given = json_getz(spec, "overhead");
    if (name.n > 0 && (class = class_of(a, name)) == NULL)
        return;
    fixed = json_path(class, "overhead.podFixed");
    if (fixed == NULL && json_is_set(given) && given->n > 0)
        admit_refuse(a, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
    else if (fixed != NULL && !json_equal(given, fixed))
        admit_refuse(a, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
}

const struct admit_plugin admit_runtime_class = {
    .name = "RuntimeClass", .on = true,
    .match = { { "", "pods", NULL, ADMIT_CREATE, .mutate = mutate, .validate = validate } },
};
