/* api/kinds/cron_job.c: jobs by the clock. */
#include "api/kinds/kinds_impl.h"

#define NAME_MAX_CHARS 52                        /* the jobs' names are eleven longer */

static void cron_job_default(struct kind_ctx *c, struct json *obj)
{
    pod_template_default(c, json_path(obj, "spec.jobTemplate.spec.template"));
}

static bool says_zone(struct str schedule)
{
    return memmem(schedule.p != NULL ? schedule.p : "", schedule.n, "TZ", 2) != NULL;
}

static bool is_zone_name(struct str s)
{
    struct str part;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], low = (char)(c | 0x20);

        if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && c != '/' && c != '_' && c != '-' &&
            c != '+')
            return false;
    }
    while (str_split(&s, '/', &part))
        if (part.n == 0)
            return false;
    return true;
}

static void check_zone(const struct json *spec, const struct at *at, struct causes *causes)
{
    const struct json *zone = json_getz(spec, "timeZone");
    struct str         s = json_str(zone);

    if (!json_is(zone, JSON_STRING))
        return;
    if (s.n == 0)
        field_refuse(spec, "timeZone", at, "timeZone must be nil or non-empty string", causes);
    else if (s.n == 5 && strncasecmp(s.p, "local", 5) == 0)
        field_refuse(spec, "timeZone", at,
                     "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
                     causes);
    else if (!is_zone_name(s))
        field_refuse(spec, "timeZone", at, arena_fmt(causes->arena, "unknown time zone %.*s", STR_ARG(s)).p,
                     causes);
}

static void check_schedule(const struct json *spec, const struct at *at, struct causes *causes)
{
    struct str  schedule = json_str(json_getz(spec, "schedule"));
    const char *wrong;

    if (schedule.n == 0)
        return;                                  /* required: the schema says so */
    wrong = cron_schedule_wrong(causes->arena, schedule);
    if (wrong != NULL)
        field_refuse(spec, "schedule", at, wrong, causes);
    if (says_zone(schedule) && json_getz(spec, "timeZone") != NULL)
        field_refuse(spec, "timeZone", at, "cannot use both timeZone field and TZ or CRON_TZ in schedule",
                     causes);
}

static void cron_job_validate(struct kind_ctx *c, const struct json *obj, struct causes *causes)
{
    const struct json *spec = json_getz(obj, "spec"), *job = json_path(spec, "jobTemplate.spec");
    struct at at = AT_KEY(NULL, "spec"), tmpl = AT_KEY(&at, "jobTemplate"), at_job = AT_KEY(&tmpl, "spec"),
              manual = AT_KEY(&at_job, "manualSelector"), meta = AT_KEY(NULL, "metadata"),
              name = AT_KEY(&meta, "name");
    static const char *const allowed[] = { "nil", "false" };

    check_schedule(spec, &at, causes);
    check_zone(spec, &at, causes);
    job_spec_check(job, &at_job, causes);
    if (json_getz(job, "selector") != NULL)
        field_refuse(job, "selector", &at_job, "`selector` will be auto-generated", causes);
    if (json_true(json_getz(job, "manualSelector")))
        cause_unsupported(causes, &manual, STR("true"), allowed, ARRAY_LEN(allowed));
    if (!c->creating)
        return;
    if (says_zone(json_str(json_getz(spec, "schedule"))))
        field_refuse(spec, "schedule", &at,
                     "cannot use TZ or CRON_TZ in schedule, use timeZone field instead", causes);
    if (c->name.n > NAME_MAX_CHARS)
        cause_invalid(causes, &name, c->name, "must be no more than 52 characters");
}

static void cron_job_validate_update(struct kind_ctx *c, const struct json *old, const struct json *obj,
                                     struct causes *causes)
{
    struct str before = json_path_str(old, "spec.schedule"), now = json_path_str(obj, "spec.schedule");
    struct at  at = AT_KEY(NULL, "spec");

    (void)c;
    if (says_zone(now) && !str_eq(before, now))
        field_refuse(json_getz(obj, "spec"), "schedule", &at,
                     "cannot use TZ or CRON_TZ in schedule, use timeZone field instead", causes);
}

const struct kind_hooks kind_cron_jobs = {
    .group = "batch", .plural = "cronjobs", .unconditional_update = true, .default_ = cron_job_default,
    .validate = cron_job_validate, .validate_update = cron_job_validate_update,
};
