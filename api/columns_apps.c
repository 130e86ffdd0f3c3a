/* api/columns_apps.c: kubectl get deployments, disruption budgets, revisions, and events in both their
 * forms. */
#include "api/columns.h"

schema_column_fn column_deployment_ready, column_revision_controller, column_pdb_min_available,
    column_pdb_max_unavailable;
schema_column_fn column_event_last_seen, column_event_first_seen, column_event_object, column_event_subobject,
                 column_event_source, column_event_message, column_event_count;

void column_deployment_ready(struct buf *out, const struct json *obj, int64_t now_s)
{
    buf_fmt(out, "\"%lld/%lld\"", (long long)json_path_i64(obj, "status.readyReplicas", 0),
            (long long)json_path_i64(obj, "spec.replicas", 0));
}

/* "statefulset.apps/web" */
void column_revision_controller(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct buf text = BUF_INIT;

    json_each(o, json_path(obj, "metadata.ownerReferences")) {
        struct str kind = json_str(json_getz(o, "kind")), group = json_str(json_getz(o, "apiVersion"));
        struct str name = json_str(json_getz(o, "name"));
        ptrdiff_t slash = str_find(group, '/');

        if (!json_true(json_getz(o, "controller")))
            continue;
        for (size_t i = 0; i < kind.n; i++)
            buf_char(&text, kind.p[i] >= 'A' && kind.p[i] <= 'Z' ? (char)(kind.p[i] + 32) : kind.p[i]);
        if (slash > 0)
            buf_fmt(&text, ".%.*s", (int)slash, group.p);
        buf_fmt(&text, "/%.*s", STR_ARG(name));
        break;
    }
    cell_or_none(out, buf_str(&text));
    buf_release(&text);
}

static void int_or_string(struct buf *out, const struct json *v)
{
    if (v == NULL)
        cell_text(out, STR("N/A"));
    else
        cell_text(out, v->type == JSON_STRING || v->type == JSON_NUMBER ? v->s : STR(""));
}

void column_pdb_min_available(struct buf *out, const struct json *obj, int64_t now_s)
{
    int_or_string(out, json_path(obj, "spec.minAvailable"));
}

void column_pdb_max_unavailable(struct buf *out, const struct json *obj, int64_t now_s)
{
    int_or_string(out, json_path(obj, "spec.maxUnavailable"));
}

/* ---- events: the fields have other names in events.k8s.io ---------------------------------------- */

static const struct json *either(const struct json *obj, const char *core, const char *newer)
{
    const struct json *v = json_getz(obj, core);
    return v != NULL ? v : json_getz(obj, newer);
}

static struct str first_seen(const struct json *obj)
{
    struct str first = json_str(either(obj, "firstTimestamp", "deprecatedFirstTimestamp"));
    return first.n > 0 ? first : json_str(json_getz(obj, "eventTime"));
}

void column_event_first_seen(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_since(out, first_seen(obj), now_s);
}

void column_event_last_seen(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct str last = json_path_str(obj, "series.lastObservedTime");

    if (last.n == 0)
        last = json_str(either(obj, "lastTimestamp", "deprecatedLastTimestamp"));
    cell_since(out, last.n > 0 ? last : first_seen(obj), now_s);
}

void column_event_object(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *ref = either(obj, "involvedObject", "regarding");
    struct str kind = json_str(json_getz(ref, "kind")), name = json_str(json_getz(ref, "name"));
    struct buf text = BUF_INIT;

    for (size_t i = 0; i < kind.n; i++)
        buf_char(&text, kind.p[i] >= 'A' && kind.p[i] <= 'Z' ? (char)(kind.p[i] + 32) : kind.p[i]);
    if (name.n > 0) {
        buf_char(&text, '/');
        buf_str_add(&text, name);
    }
    cell_text(out, buf_str(&text));
    buf_release(&text);
}

void column_event_subobject(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_text(out, json_str(json_getz(either(obj, "involvedObject", "regarding"), "fieldPath")));
}

void column_event_source(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *source = either(obj, "source", "deprecatedSource");
    struct str who = json_str(json_getz(source, "component")), where = json_str(json_getz(source, "host"));
    struct buf text = BUF_INIT;

    if (who.n == 0)
        who = json_str(either(obj, "reportingComponent", "reportingController"));
    if (where.n == 0)
        where = json_str(json_getz(obj, "reportingInstance"));
    buf_str_add(&text, who);
    if (where.n > 0) {
        buf_z(&text, ", ");
        buf_str_add(&text, where);
    }
    cell_text(out, buf_str(&text));
    buf_release(&text);
}

void column_event_message(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_text(out, str_trim(json_str(either(obj, "message", "note"))));
}

void column_event_count(struct buf *out, const struct json *obj, int64_t now_s)
{
    int64_t n = json_path_i64(obj, "series.count", 0);

    if (n == 0)
        n = json_i64_or(either(obj, "count", "deprecatedCount"), 0);
    cell_int(out, n > 0 ? n : 1);
}
