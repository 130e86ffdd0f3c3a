/* api/columns_batch.c: kubectl get jobs, autoscalers, metrics and component statuses. */
#include "api/columns.h"
#include "api/quantity.h"
#include "api/time_fmt.h"

schema_column_fn column_job_status, column_job_completions, column_job_duration;
schema_column_fn column_hpa_reference, column_hpa_targets, column_hpa_targets_v1;
schema_column_fn column_pod_metrics_cpu, column_pod_metrics_memory;
schema_column_fn column_component_status, column_component_message, column_component_error;

/* ---- jobs --------------------------------------------------------------------------------------- */

void column_job_status(struct buf *out, const struct json *obj, int64_t now_s)
{
    static const char *const later[] = { "Suspended", "FailureTarget", "SuccessCriteriaMet" };
    const char *is = "Running";

    for (size_t i = ARRAY_LEN(later); i-- > 0;)
        if (condition_holds(obj, later[i]))
            is = later[i];
    if (json_path_str(obj, "metadata.deletionTimestamp").n > 0)
        is = "Terminating";
    if (condition_holds(obj, "Failed"))
        is = "Failed";
    if (condition_holds(obj, "Complete"))
        is = "Complete";
    cell_text(out, str_of(is));
}

void column_job_completions(struct buf *out, const struct json *obj, int64_t now_s)
{
    long long done = json_path_i64(obj, "status.succeeded", 0),
              parallel = json_path_i64(obj, "spec.parallelism", 0);

    if (json_path(obj, "spec.completions") != NULL)
        buf_fmt(out, "\"%lld/%lld\"", done, (long long)json_path_i64(obj, "spec.completions", 0));
    else if (parallel > 1)
        buf_fmt(out, "\"%lld/1 of %lld\"", done, parallel);
    else
        buf_fmt(out, "\"%lld/1\"", done);
}

void column_job_duration(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct str started = json_path_str(obj, "status.startTime"),
               ended = json_path_str(obj, "status.completionTime");
    struct arena a = ARENA_INIT;
    int64_t from, to;
    uint32_t ns;

    if (ended.n == 0 && condition_holds(obj, "Failed"))
        ended = json_str(json_getz(condition(obj, "Failed"), "lastTransitionTime"));
    if (!time_parse(started, &from, &ns))
        cell_text(out, STR(""));
    else
        cell_text(out, duration_human(&a, (time_parse(ended, &to, &ns) ? to : now_s) - from));
    arena_release(&a);
}

/* ---- autoscalers -------------------------------------------------------------------------------- */

#define TARGETS_SHOWN 2

void column_hpa_reference(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct buf text = BUF_INIT;

    buf_fmt(&text, "%.*s/%.*s", STR_ARG(json_path_str(obj, "spec.scaleTargetRef.kind")),
            STR_ARG(json_path_str(obj, "spec.scaleTargetRef.name")));
    cell_text(out, buf_str(&text));
    buf_release(&text);
}

static void put_current(struct buf *text, const struct json *current, const char *what, const char *unit)
{
    struct str v = scalar_text(json_getz(current, what));

    if (v.n > 0)
        buf_fmt(text, "%.*s%s", STR_ARG(v), unit);
    else
        buf_z(text, "<unknown>");
}

/* "cpu: 12%/80%", "5/10 (avg)", "<unknown>/100m" */
static void put_target(struct buf *text, const struct json *metric, const struct json *status)
{
    static const struct { const char *type, *part; bool named, avg;
    } sources[] = {
        { "Resource", "resource", true, false }, { "ContainerResource", "containerResource", true, false },
        { "Pods", "pods", false, false },        { "Object", "object", false, true },
        { "External", "external", false, true },
    };
    struct str type = json_str(json_getz(metric, "type"));

    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        const struct json *part = json_getz(metric, sources[i].part), *target = json_getz(part, "target"),
                          *current = json_getz(json_getz(status, sources[i].part), "current");
        const char *what = json_getz(target, "averageUtilization") != NULL ? "averageUtilization"
            : json_getz(target, "averageValue") != NULL ? "averageValue" : "value";
        const char *unit = strcmp(what, "averageUtilization") == 0 ? "%" : "";

        if (!str_is(type, sources[i].type))
            continue;
        if (sources[i].named)
            buf_fmt(text, "%.*s: ", STR_ARG(json_str(json_getz(part, "name"))));
        put_current(text, current, what, unit);
        buf_fmt(text, "/%.*s%s%s", STR_ARG(scalar_text(json_getz(target, what))), unit,
                sources[i].avg && strcmp(what, "averageValue") == 0 ? " (avg)" : "");
        return;
    }
    buf_z(text, "<unknown type>");
}

void column_hpa_targets(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *metrics = json_path(obj, "spec.metrics"),
                      *statuses = json_path(obj, "status.currentMetrics");
    const struct json *status = statuses != NULL && statuses->type == JSON_ARRAY ? statuses->first : NULL;
    struct buf text = BUF_INIT;
    unsigned n = 0;

    json_each(metric, metrics) {
        if (n < TARGETS_SHOWN) {
            buf_z(&text, n > 0 ? ", " : "");
            put_target(&text, metric, status);
        }
        status = status != NULL ? status->next : NULL;
        n++;
    }
    if (n > TARGETS_SHOWN)
        buf_fmt(&text, " + %u more...", n - TARGETS_SHOWN);
    cell_or_none(out, buf_str(&text));
    buf_release(&text);
}

void column_hpa_targets_v1(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *target = json_path(obj, "spec.targetCPUUtilizationPercentage");
    struct buf text = BUF_INIT;

    if (target != NULL) {
        buf_z(&text, "cpu: ");
        put_current(&text, json_getz(obj, "status"), "currentCPUUtilizationPercentage", "%");
        buf_fmt(&text, "/%.*s%%", STR_ARG(scalar_text(target)));
    }
    cell_or_none(out, buf_str(&text));
    buf_release(&text);
}

/* ---- metrics ------------------------------------------------------------------------------------ */

static void usage_sum(struct buf *out, const struct json *obj, const char *resource)
{
    struct arena a = ARENA_INIT;
    struct quantity sum = QUANTITY_ZERO, q;
    struct errbuf err;

    json_each(c, json_getz(obj, "containers"))
        if (quantity_from_json(json_getz(json_getz(c, "usage"), resource), &q, &err) == 0)
            sum = quantity_add(sum, q);
    cell_text(out, quantity_text(&a, sum));
    arena_release(&a);
}

void column_pod_metrics_cpu(struct buf *out, const struct json *obj, int64_t now_s)
{
    usage_sum(out, obj, "cpu");
}
void column_pod_metrics_memory(struct buf *out, const struct json *obj, int64_t now_s)
{
    usage_sum(out, obj, "memory");
}

/* ---- component statuses ------------------------------------------------------------------------- */

static const struct json *health(const struct json *obj)
{
    json_each(c, json_getz(obj, "conditions"))
        if (str_is(json_str(json_getz(c, "type")), "Healthy"))
            return c;
    return NULL;
}

void column_component_status(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct str s = json_str(json_getz(health(obj), "status"));
    cell_text(out, str_is(s, "True")    ? STR("Healthy")
                   : str_is(s, "False") ? STR("Unhealthy")
                                        : STR("Unknown"));
}

void column_component_message(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_text(out, json_str(json_getz(health(obj), "message")));
}

void column_component_error(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_text(out, json_str(json_getz(health(obj), "error")));
}
