/* api/kinds/autoscaler_v1.c: autoscalers of version 1, which are stored as version 2.
 *
 * Version 1 knows one metric, CPU in percent.  Whatever else version 2 says is kept in annotations, as JSON
 * in version 1's older form of metrics, so that nothing is lost when a client of version 1 writes what it
 * read. */
#include "api/kinds/kinds_impl.h"

#define PREFIX "autoscaling.alpha.kubernetes.io/"

/* What has another name or place: below spec.metrics[].PART and status.currentMetrics[].PART. */
static const struct move { const char *part, *v1, *v2_in, *v2; } moves[] = {
    { "resource", "targetAverageUtilization", "target", "averageUtilization" },
    { "resource", "targetAverageValue", "target", "averageValue" },
    { "resource", "currentAverageUtilization", "current", "averageUtilization" },
    { "resource", "currentAverageValue", "current", "averageValue" },
    { "containerResource", "targetAverageUtilization", "target", "averageUtilization" },
    { "containerResource", "targetAverageValue", "target", "averageValue" },
    { "containerResource", "currentAverageUtilization", "current", "averageUtilization" },
    { "containerResource", "currentAverageValue", "current", "averageValue" },
    { "pods", "metricName", "metric", "name" },
    { "pods", "selector", "metric", "selector" },
    { "pods", "targetAverageValue", "target", "averageValue" },
    { "pods", "currentAverageValue", "current", "averageValue" },
    { "object", "target", NULL, "describedObject" },
    { "object", "metricName", "metric", "name" },
    { "object", "selector", "metric", "selector" },
    { "object", "targetValue", "target", "value" },
    { "object", "currentValue", "current", "value" },
    { "external", "metricName", "metric", "name" },
    { "external", "metricSelector", "metric", "selector" },
    { "external", "targetValue", "target", "value" },
    { "external", "targetAverageValue", "target", "averageValue" },
    { "external", "currentValue", "current", "value" },
    { "external", "currentAverageValue", "current", "averageValue" },
};
/* Averages of objects have one name for both: told apart by where they stand. */
static const struct move spec_average = { "object", "averageValue", "target", "averageValue" },
                         status_average = { "object", "averageValue", "current", "averageValue" };

/* Annotations and the lists or objects of version 2 that they stand for. */
static const struct kept {
    const char *key, *in, *member;
    const struct move *average;
    bool metrics;
} kept[] = {
    { PREFIX "metrics", "spec", "metrics", &spec_average, true },
    { PREFIX "behavior", "spec", "behavior", NULL, false },
    { PREFIX "current-metrics", "status", "currentMetrics", &status_average, true },
    { PREFIX "conditions", "status", "conditions", NULL, false },
};

/* ---- one metric --------------------------------------------------------------------------------- */

static void move_up(struct arena *a, struct json *part, const struct move *m)
{
    struct json *v = json_getz(part, m->v1), *in = part;

    if (v == NULL)
        return;
    if (m->v2_in != NULL)
        in = default_object(a, part, m->v2_in);
    if (in == NULL)
        return;
    json_delz(part, m->v1);
    json_setz(a, in, m->v2, v);
}

static void move_down(struct arena *a, struct json *part, const struct move *m)
{
    struct json *in = m->v2_in != NULL ? json_getz(part, m->v2_in) : part, *v = json_getz(in, m->v2);

    if (v == NULL)
        return;
    json_delz(in, m->v2);
    json_setz(a, part, m->v1, v);
}

static void metric_to_v2(struct arena *a, struct json *metric, const struct move *average)
{
    for (size_t i = 0; i < ARRAY_LEN(moves); i++)
        move_up(a, json_getz(metric, moves[i].part), &moves[i]);
    move_up(a, json_getz(metric, average->part), average);
    json_each(part, metric) {
        struct json *target = json_getz(part, "target");

        if (target == NULL)
            continue;
        default_text(a, target, "type", json_getz(target, "averageUtilization") != NULL ? "Utilization"
                     : json_getz(target, "averageValue") != NULL ? "AverageValue" : "Value");
    }
}

static void metric_to_v1(struct arena *a, struct json *metric, const struct move *average)
{
    static const char *const emptied[] = { "metric", "target", "current" };

    move_down(a, json_getz(metric, average->part), average);
    json_each(part, metric)                      /* before "target" becomes the described object */
        json_delz(json_getz(part, "target"), "type");
    for (size_t i = ARRAY_LEN(moves); i-- > 0;)
        move_down(a, json_getz(metric, moves[i].part), &moves[i]);
    json_each(part, metric)
        for (size_t i = 0; i < ARRAY_LEN(emptied); i++)
            if (json_is(json_getz(part, emptied[i]), JSON_OBJECT) && json_getz(part, emptied[i])->n == 0)
                json_delz(part, emptied[i]);
}

/* ---- the one metric that version 1 knows -------------------------------------------------------- */

static void put_cpu(struct arena *a, struct json *metrics, const char *in, struct json *percent)
{
    struct json *metric = json_push(metrics, json_object(a)), *resource, *value;

    default_text(a, metric, "type", "Resource");
    resource = default_object(a, metric, "resource");
    default_text(a, resource, "name", "cpu");
    value = default_object(a, resource, in);
    if (strcmp(in, "target") == 0)
        default_text(a, value, "type", "Utilization");
    json_setz(a, value, "averageUtilization", percent);
}

/* Takes the first metric that is CPU in percent off the list. */
static struct json *take_cpu(struct json *metrics, const char *in)
{
    size_t i = 0;

    json_each(metric, metrics) {
        struct json *resource = json_getz(metric, "resource"),
                    *percent = json_getz(json_getz(resource, in), "averageUtilization");

        if (str_is(json_str(json_getz(resource, "name")), "cpu") && percent != NULL
            && str_is(json_str(json_getz(metric, "type")), "Resource")) {
            json_remove_at(metrics, i);
            return percent;
        }
        i++;
    }
    return NULL;
}

static const char *cpu_field(const struct kept *k)
{
    return k->average == &spec_average ? "targetCPUUtilizationPercentage" : "currentCPUUtilizationPercentage";
}

/* ---- both ways ---------------------------------------------------------------------------------- */

/* What an annotation holds, in the form of version 2; NULL when it isn't such a thing: annotations are the
 * client's, and what is no autoscaler's is passed over, as in the original. */
static struct json *kept_value(struct arena *a, struct json *text, const struct kept *k)
{
    const struct schema_kind *v2;
    struct json *whole = json_object(a), *v;
    struct json_error why;
    struct errbuf err;

    if (text == NULL || json_parse(a, json_str(text), &v, &why) < 0)
        return NULL;
    if (k->metrics)
        json_each(metric, v)
            metric_to_v2(a, metric, k->average);
    json_setz(a, json_make_path(a, whole, k->in), k->member, v);
    v2 = schema_kind_find(STR("autoscaling"), STR("v2"), STR("HorizontalPodAutoscaler"));
    if (schema_conform(v2, whole, a, NULL, &err) < 0)
        return NULL;
    return json_getz(json_getz(whole, k->in), k->member);
}

static void keep_up(struct arena *a, struct json *obj, struct json *annotations, const struct kept *k)
{
    struct json *v = kept_value(a, json_getz(annotations, k->key), k), *percent,
                *in = v != NULL ? default_object(a, obj, k->in) : json_getz(obj, k->in);

    json_delz(annotations, k->key);
    if (!k->metrics) {
        if (in != NULL && v != NULL)
            json_setz(a, in, k->member, v);
        return;
    }
    percent = json_getz(in, cpu_field(k));
    if (v == NULL)
        v = json_array(a);
    if (percent != NULL) {
        json_delz(in, cpu_field(k));
        put_cpu(a, v, k->average->v2_in, percent);
    }
    if (v->n > 0)
        json_setz(a, in, k->member, v);
}

void autoscaler_to_v2(struct arena *a, struct json *obj)
{
    struct json *annotations = json_path(obj, "metadata.annotations");

    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        keep_up(a, obj, annotations, &kept[i]);
    if (annotations != NULL && annotations->n == 0)
        json_delz(json_getz(obj, "metadata"), "annotations");
}

static void keep_down(struct arena *a, struct json *obj, const struct kept *k)
{
    struct json *in = json_getz(obj, k->in), *v = json_getz(in, k->member), *percent;
    struct buf   text = BUF_INIT;

    if (v == NULL)
        return;
    json_delz(in, k->member);
    if (k->metrics) {
        percent = take_cpu(v, k->average->v2_in);
        if (percent != NULL)
            json_setz(a, in, cpu_field(k), percent);
        json_each(metric, v)
            metric_to_v1(a, metric, k->average);
    }
    if (v->n > 0) {
        json_write(&text, v);
        json_setz(a, json_make_path(a, obj, "metadata.annotations"), k->key, json_string(a, buf_str(&text)));
    }
    buf_release(&text);
}

void autoscaler_to_v1(struct arena *a, struct json *obj)
{
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        keep_down(a, obj, &kept[i]);
    default_int(a, json_getz(obj, "status"), "currentReplicas", 0);       /* optional in version 2 */
}
