/* api/kinds/job.c: jobs: their defaults, and the selector that the server gives each. */
#include "api/kinds/kinds_impl.h"

#define LABEL_UID  "batch.kubernetes.io/controller-uid"
#define LABEL_NAME "batch.kubernetes.io/job-name"

static void job_default(struct kind_ctx *c, struct json *obj)
{
    struct arena *a = c->arena;
    struct json  *spec = json_getz(obj, "spec");

    pod_template_default(c, json_getz(spec, "template"));
    if (json_getz(spec, "completions") == NULL && json_getz(spec, "parallelism") == NULL)
        default_int(a, spec, "completions", 1);
    default_int(a, spec, "parallelism", 1);
    default_int(a, spec, "backoffLimit", json_getz(spec, "backoffLimitPerIndex") != NULL ? INT32_MAX : 6);
    default_text(a, spec, "completionMode", "NonIndexed");
    default_bool(a, spec, "suspend", false);
    default_bool(a, spec, "manualSelector", false);
    default_text(a, spec, "podReplacementPolicy",
                 json_getz(spec, "podFailurePolicy") != NULL ? "Failed" : "TerminatingOrFailed");
    default_labels(a, obj, json_path(spec, "template.metadata.labels"));
}

/* Pods of this very job, and of no other of the same name, are found by its UID; the old labels go on for
 * those who look for them. */
static void job_prepare_create(struct kind_ctx *c, struct json *obj)
{
    struct arena *a = c->arena;
    struct json  *spec = json_getz(obj, "spec"), *labels;
    struct str    uid = json_path_str(obj, "metadata.uid");

    if (!json_is(spec, JSON_OBJECT) || json_true(json_getz(spec, "manualSelector")))
        return;
    labels = json_make_path(a, spec, "template.metadata.labels");
    json_setz(a, labels, "controller-uid", json_string(a, uid));
    json_setz(a, labels, LABEL_UID, json_string(a, uid));
    json_setz(a, labels, "job-name", json_string(a, c->name));
    json_setz(a, labels, LABEL_NAME, json_string(a, c->name));
    default_labels(a, obj, labels);
    labels = json_make_path(a, spec, "selector.matchLabels");
    json_setz(a, labels, LABEL_UID, json_string(a, uid));
}

static void cron_job_default(struct kind_ctx *c, struct json *obj)
{
    pod_template_default(c, json_path(obj, "spec.jobTemplate.spec.template"));
}

const struct kind_hooks kind_jobs = {
    .group = "batch", .plural = "jobs", .unconditional_update = true, .default_ = job_default,
    .prepare_create = job_prepare_create,
};
const struct kind_hooks kind_cron_jobs = {
    .group = "batch", .plural = "cronjobs", .unconditional_update = true, .default_ = cron_job_default,
};
