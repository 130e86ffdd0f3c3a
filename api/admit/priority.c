/* api/admit/priority.c: Priority: a pod's class becomes its number; at most one class is the default. */
#include <inttypes.h>
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"

#define GROUP "scheduling.k8s.io"

struct class { struct str name, policy; int64_t value; };

/* The two that are always there, though nobody may have made objects of them yet. */
static bool system_class(struct str name, struct class *ret)
{
    bool node = str_is(name, "system-node-critical");

    if (!node && !str_is(name, "system-cluster-critical"))
        return false;
    *ret = (struct class){ name, STR("PreemptLowerPriority"), node ? 2000001000 : 2000000000 };
    return true;
}

static void class_read(const struct json *obj, struct class *ret)
{
    ret->name = json_path_str(obj, "metadata.name");
    ret->policy = json_str(json_getz(obj, "preemptionPolicy"));
    ret->value = json_i64_or(json_getz(obj, "value"), 0);
    if (ret->policy.n == 0)
        ret->policy = STR("PreemptLowerPriority");
}

/* The class of pods that name none: of several defaults the lowest. */
static bool default_class(struct admission *a, struct str but, struct class *ret)
{
    struct admit_list l;
    bool              found = false;

    admit_list_open(&l, a, GROUP, "priorityclasses", STR_NONE);
    while (admit_list_next(&l)) {
        struct json *obj;
        struct class c;

        if (!admit_list_says(&l, "globalDefault", "true") || (obj = admit_list_json(&l)) == NULL)
            continue;
        class_read(obj, &c);
        if (str_eq(c.name, but) || (found && c.value >= ret->value))
            continue;
        *ret = c;
        found = true;
    }
    return found;
}

static bool find_class(struct admission *a, struct json *spec, struct class *ret)
{
    struct str   name = json_str(json_getz(spec, "priorityClassName"));
    struct json *obj;

    if (name.n == 0) {
        *ret = (struct class){ STR_NONE, STR("PreemptLowerPriority"), 0 };
        if (default_class(a, STR_NONE, ret))
            json_setz(a->k->arena, spec, "priorityClassName", json_string(a->k->arena, ret->name));
        return true;
    }
    obj = kind_lookup(a->k, GROUP, "v1", "priorityclasses", STR_NONE, name);
    if (obj == NULL)
        return system_class(name, ret);
    class_read(obj, ret);
    return true;
}

static void admit_pod(struct admission *a)
{
    struct arena      *arena = a->k->arena;
    struct json       *spec = json_getz(a->obj, "spec");
    const struct json *given = json_getz(spec, "priority"), *policy = json_getz(spec, "preemptionPolicy");
    struct class       c;

    if (!json_is(spec, JSON_OBJECT))
        return;
    if (!find_class(a, spec, &c)) {
        a->k->lacking = true;
        admit_refuse(a, "no PriorityClass with name %.*s was found",
                     STR_ARG(json_str(json_getz(spec, "priorityClassName"))));
        return;
    }
    if (given != NULL && json_i64_or(given, 0) != c.value)
        admit_refuse(a,
                     "the integer value of priority (%" PRIi64 ") must not be provided in pod spec; priority "
                     "admission controller computed %" PRIi64 " from the given PriorityClass name",
                     json_i64_or(given, 0), c.value);
    if (json_str(policy).n > 0 && !str_eq(json_str(policy), c.policy))
        admit_refuse(a, "the string value of PreemptionPolicy (%.*s) must not be provided in pod spec; "
                        "priority admission controller computed %.*s from the given PriorityClass name",
                     STR_ARG(json_str(policy)), STR_ARG(c.policy));
    json_setz(arena, spec, "priority", json_int(arena, c.value));
    if (json_is_blank(policy))
        json_setz(arena, spec, "preemptionPolicy", json_string(arena, c.policy));
}

/* A second default is refused; that nobody else makes one meanwhile is left to chance in the original. */
static void check_default(struct admission *a)
{
    struct class other;

    if (!json_true(json_getz(a->obj, "globalDefault")))
        return;
    kind_depend_below(a->k, STR("/registry/priorityclasses/"), false);
    if (default_class(a, a->k->name, &other))
        admit_refuse(a, "PriorityClass %.*s is already marked as default. Only one default can exist",
                     STR_ARG(other.name));
}

const struct admit_plugin admit_priority = {
    .name = "Priority", .on = true,
    .match = { { "", "pods", NULL, ADMIT_CREATE, .mutate = admit_pod },
               { GROUP, "priorityclasses", NULL, ADMIT_WRITES, .validate = check_default } },
};
