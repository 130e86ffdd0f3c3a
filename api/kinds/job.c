/* api/kinds/job.c: jobs: their defaults, and the selector that the server gives each. */
#include <inttypes.h>
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

/* ---- Checks ----------------------------------------------------------------------------------------- */

/* Made by us, the selector finds the pods of this very job. */
static void check_own_selector(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *labels = json_path(spec, "selector.matchLabels"),
                      *uid = json_getz(labels, LABEL_UID), *older = json_getz(labels, "controller-uid"),
                      *name = json_getz(labels, LABEL_NAME), *older_name = json_getz(labels, "job-name");
    struct str         ours = json_path_str(obj, "metadata.uid");
    struct at          at = AT_KEY(NULL, "spec");
    unsigned           known = (uid != NULL) + (older != NULL) + (name != NULL) + (older_name != NULL);

    if ((uid != NULL && !str_eq(json_str(uid), ours)) || (older != NULL && !str_eq(json_str(older), ours)) ||
        (name != NULL && !str_eq(json_str(name), c->name)) ||
        (older_name != NULL && !str_eq(json_str(older_name), c->name)) ||
        (labels != NULL && labels->n > known) || !json_is_blank(json_path(spec, "selector.matchExpressions")))
        field_refuse(spec, "selector", &at, "`selector` not auto-generated", causes);
}

/* A pod's host name is the job's name and its index. */
static void check_indexed_name(struct kind_ctx *c, const struct json *spec, struct causes *causes)
{
    struct at   meta = AT_KEY(NULL, "metadata"), at = AT_KEY(&meta, "name");
    int64_t     n = json_i64_or(json_getz(spec, "completions"), 0);
    const char *wrong;

    if (!str_is(json_str(json_getz(spec, "completionMode")), "Indexed") || n <= 0)
        return;
    wrong = name_check_label(arena_fmt(causes->arena, "%.*s-%" PRIi64, STR_ARG(c->name), n - 1));
    if (wrong != NULL)
        cause_invalid(causes, &at, c->name,
                      arena_fmt(causes->arena, "will not able to create pod with invalid DNS label: %s",
                                wrong).p);
}

static void job_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec");
    struct at          at = AT_KEY(NULL, "spec"), selector = AT_KEY(&at, "selector");

    job_spec_check(spec, &at, causes);
    check_label_selector(json_getz(spec, "selector"), &selector, causes);
    if (!c->creating)
        return;
    field_need(spec, "selector", &at, "", causes);
    if (!json_true(json_getz(spec, "manualSelector")))
        check_own_selector(c, obj, causes);
    check_indexed_name(c, spec, causes);
}

static void job_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                struct causes *causes)
{
    struct at at = AT_KEY(NULL, "spec");
    bool suspended = json_path_true(old, "spec.suspend") && json_path(old, "status.startTime") == NULL;

    (void)c;
    job_spec_check_update(json_getz(old, "spec"), json_getz(obj, "spec"), suspended, &at, causes);
}

const struct kind_hooks kind_jobs = {
    .group = "batch", .plural = "jobs", .unconditional_update = true, .default_ = job_default,
    .prepare_create = job_prepare_create, .validate = job_validate, .validate_update = job_validate_update,
};
