/* api/kinds/replication_controller.c: ReplicationControllers, and templates that stand alone. */
#include "api/kinds/kinds_impl.h"

/* Without a selector and labels of its own it takes the template's labels. */
static void replication_controller_default(struct kind_ctx *c, struct json *obj)
{
    struct json *spec = json_getz(obj, "spec"), *labels = json_path(spec, "template.metadata.labels");

    pod_template_default(c, json_getz(spec, "template"));
    if (json_is_blank(labels))
        return;
    if (json_is(spec, JSON_OBJECT) && json_is_blank(json_getz(spec, "selector")))
        json_setz(c->arena, spec, "selector", json_copy(c->arena, labels));
    default_labels(c->arena, obj, labels);
}

/* Its selector is a plain map: as a LabelSelector it says the same. */
static void replication_controller_validate(struct kind_ctx *c, const struct json *obj,
                                            struct causes *causes)
{
    struct arena      *a = causes->arena;
    const struct json *spec = json_getz(obj, "spec"), *map = json_getz(spec, "selector"),
                      *tmpl = json_getz(spec, "template");
    struct at at = AT_KEY(NULL, "spec"), at_map = AT_KEY(&at, "selector"), at_tmpl = AT_KEY(&at, "template");
    struct json *selector = json_object(a);

    (void)c;
    check_labels(map, &at_map, causes);
    if (json_is(map, JSON_OBJECT))
        json_setz(a, selector, "matchLabels", json_copy(a, map));
    if (tmpl == NULL)
        return;
    pod_template_check(tmpl, selector, &at_tmpl, causes);
    pod_template_check_lasting(tmpl, &at_tmpl, "ReplicationController", causes);
}

static void pod_template_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    struct at at = AT_KEY(NULL, "template");

    (void)c;
    pod_template_check(json_getz(obj, "template"), NULL, &at, causes);
}

static void pod_template_object_default(struct kind_ctx *c, struct json *obj)
{
    pod_template_default(c, json_getz(obj, "template"));
}

const struct kind_hooks kind_replication_controllers = {
    .group = "", .plural = "replicationcontrollers", .unconditional_update = true,
    .default_ = replication_controller_default, .validate = replication_controller_validate,
};
const struct kind_hooks kind_pod_templates = {
    .group = "", .plural = "podtemplates", .unconditional_update = true, .returns_deleted = true,
    .default_ = pod_template_object_default, .validate = pod_template_validate,
};
