/* api/kinds/controller_revision.c: past states of workloads.  data can't change: the schema says so. */
#include "api/kinds/kinds_impl.h"

static void controller_revision_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    struct at at_data = AT_KEY(NULL, "data"), at_revision = AT_KEY(NULL, "revision");
    int64_t   revision = json_i64_or(json_getz(obj, "revision"), 0);

    (void)c;
    if (json_getz(obj, "data") == NULL)
        cause_required(causes, &at_data, "data is mandatory");
    if (revision < 0)
        cause_invalid_int(causes, &at_revision, revision, "must be greater than or equal to 0");
}

const struct kind_hooks kind_controller_revisions = {
    .group = "apps",
    .plural = "controllerrevisions",
    .unconditional_update = true,
    .validate = controller_revision_validate,
};
