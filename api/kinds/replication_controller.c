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

static void pod_template_object_default(struct kind_ctx *c, struct json *obj)
{
    pod_template_default(c, json_getz(obj, "template"));
}

const struct kind_hooks kind_replication_controllers = {
    .group = "", .plural = "replicationcontrollers", .unconditional_update = true,
    .default_ = replication_controller_default,
};
const struct kind_hooks kind_pod_templates = {
    .group = "", .plural = "podtemplates", .unconditional_update = true, .returns_deleted = true,
    .default_ = pod_template_object_default,
};
