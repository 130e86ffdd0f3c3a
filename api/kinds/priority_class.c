/* api/kinds/priority_class.c: priorities of pods; the highest are the system's own.  Runtime classes. */
#include "api/kinds/kinds_impl.h"

#define USER_MAX 1000000000

struct system_class { const char *name; int64_t value; };
static const struct system_class system_classes[] = {
    { "system-node-critical", 2000001000 }, { "system-cluster-critical", 2000000000 },
};

static void class_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    int64_t   value = json_i64_or(json_getz(obj, "value"), 0);
    struct at meta = AT_KEY(NULL, "metadata"), name = AT_KEY(&meta, "name"), at = AT_KEY(NULL, "value");

    for (size_t i = 0; i < ARRAY_LEN(system_classes); i++)
        if (str_is(c->name, system_classes[i].name) && value == system_classes[i].value)
            return;
    if (str_starts(c->name, STR("system-")))
        cause_forbidden(causes, &name,
                        "priority class names with 'system-' prefix are reserved for system use only");
    if (value > USER_MAX)
        cause_forbidden(causes, &at, "maximum allowed value of a user defined priority is 1000000000");
}

static void class_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                  struct causes *causes)
{
    (void)c;
    field_keep_forbidden(old, obj, "value", NULL, "may not be changed in an update.", causes);
    field_keep(old, obj, "preemptionPolicy", NULL, causes);
}

const struct kind_hooks kind_priority_classes = {
    .group = "scheduling.k8s.io", .plural = "priorityclasses", .unconditional_update = true,
    .validate = class_validate, .validate_update = class_validate_update,
};

/* ---- Runtimes --------------------------------------------------------------------------------------- */

static void runtime_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *scheduling = json_getz(obj, "scheduling");
    struct at overhead = AT_KEY(NULL, "overhead"), at = AT_KEY(NULL, "scheduling"),
              selector = AT_KEY(&at, "nodeSelector");

    (void)c;
    check_resources(json_getz(obj, "overhead"), "podFixed", &overhead, causes);
    check_labels(json_getz(scheduling, "nodeSelector"), &selector, causes);
    check_tolerations(scheduling, &at, causes);
}

const struct kind_hooks kind_runtime_classes = {
    .group = "node.k8s.io", .plural = "runtimeclasses", .unconditional_update = true,
    .validate = runtime_validate,
};
