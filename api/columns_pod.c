/* api/columns_pod.c: kubectl get pods.  The Status column tells the most telling thing: why a container
 * waits or ended rather than the pod's phase, how far initialization is, and that the pod is going away. */
#include <stdio.h>
#include "api/columns.h"
#include "api/pod_rules.h"

schema_column_fn column_pod_ready, column_pod_status, column_pod_restarts, column_pod_ip, column_pod_node,
                 column_pod_nominated, column_pod_gates;

struct restarts { int64_t n; struct str last; };                 /* last: when, RFC 3339 compares as text */

struct pod_view {
    int64_t ready, total;
    struct restarts restarts;
    char text[96];                               /* where reason is made here */
    struct str reason;
};

static bool condition_is_true(const struct json *obj, const char *type)
{
    json_each(c, json_path(obj, "status.conditions"))
        if (str_is(json_str(json_getz(c, "type")), type))
            return str_is(json_str(json_getz(c, "status")), "True");
    return false;
}

static void count_restarts(struct restarts *r, const struct json *status)
{
    struct str at = json_path_str(status, "lastState.terminated.finishedAt");

    r->n += json_i64_or(json_getz(status, "restartCount"), 0);
    if (str_cmp(at, r->last) > 0)
        r->last = at;
}

static bool restarts_always(const struct json *container)
{
    return str_is(json_str(json_getz(container, "restartPolicy")), "Always");
}

static const struct json *container_named(const struct json *obj, const char *list, struct str name)
{
    json_each(c, json_path(obj, list))
        if (str_eq(json_str(json_getz(c, "name")), name))
            return c;
    return NULL;
}

static void set_reason(struct pod_view *v, const char *prefix, struct str reason)
{
    int n = snprintf(v->text, sizeof(v->text), "%s%.*s", prefix, (int)MIN_OF(reason.n, (size_t)80), reason.p);
    v->reason = str_make(v->text, MIN_OF((size_t)n, sizeof(v->text) - 1));
}

/* Why a container ended: its reason, else the signal or the code. */
static void set_ended(struct pod_view *v, const char *prefix, const struct json *terminated)
{
    struct str reason = json_str(json_getz(terminated, "reason"));
    int64_t signal = json_i64_or(json_getz(terminated, "signal"), 0);
    char text[48];

    if (reason.n == 0) {
        if (signal != 0)
            snprintf(text, sizeof(text), "Signal:%lld", (long long)signal);
        else
            snprintf(text, sizeof(text), "ExitCode:%lld",
                     (long long)json_i64_or(json_getz(terminated, "exitCode"), 0));
        reason = str_of(text);
    }
    set_reason(v, prefix, reason);
}

/* Init containers run one after the other: the first that has not done its part says where the pod is.
 * True while they are not through. */
static bool view_init(struct pod_view *v, const struct json *obj, struct restarts *sidecars)
{
    const struct json *specs = json_path(obj, "spec.initContainers");
    int64_t i = 0;

    json_each(s, json_path(obj, "status.initContainerStatuses")) {
        const struct json *ended = json_path(s, "state.terminated");
        struct str waiting = json_path_str(s, "state.waiting.reason");
        bool sidecar = restarts_always(
            container_named(obj, "spec.initContainers", json_str(json_getz(s, "name"))));
        char text[48];

        count_restarts(&v->restarts, s);
        if (sidecar)
            count_restarts(sidecars, s);
        if (ended != NULL && json_i64_or(json_getz(ended, "exitCode"), 0) == 0) {
            i++;
            continue;
        }
        if (sidecar && json_true(json_getz(s, "started"))) {
            v->ready += json_true(json_getz(s, "ready"));
            i++;
            continue;
        }
        if (ended != NULL) {
            set_ended(v, "Init:", ended);
        } else if (waiting.n > 0 && !str_is(waiting, "PodInitializing")) {
            set_reason(v, "Init:", waiting);
        } else {
            snprintf(text, sizeof(text), "%lld/%u", (long long)i, specs != NULL ? specs->n : 0u);
            set_reason(v, "Init:", str_of(text));
        }
        return true;
    }
    return false;
}

/* The reason of the first container that has one counts; a running one makes up for others that completed. */
static void view_containers(struct pod_view *v, const struct json *obj)
{
    bool found = false, running = false;

    json_each(s, json_path(obj, "status.containerStatuses")) {
        const struct json *ended = json_path(s, "state.terminated");
        struct str waiting = json_path_str(s, "state.waiting.reason");

        count_restarts(&v->restarts, s);
        if (waiting.n > 0) {
            if (!found)
                set_reason(v, "", waiting);
            found = true;
        } else if (ended != NULL) {
            if (!found)
                set_ended(v, "", ended);
            found = true;
        } else if (json_true(json_getz(s, "ready")) && json_path(s, "state.running") != NULL) {
            running = true;
            v->ready++;
        }
    }
    if (running && str_is(v->reason, "Completed"))
        v->reason = condition_is_true(obj, "Ready") ? STR("Running") : STR("NotReady");
}

static void view_make(struct pod_view *v, const struct json *obj)
{
    struct restarts sidecars = { 0 };
    struct str phase = json_path_str(obj, "status.phase"), why = json_path_str(obj, "status.reason");
    const struct json *containers = json_path(obj, "spec.containers");

    *v = (struct pod_view){ .total = containers != NULL ? containers->n : 0,
                            .reason = why.n > 0 ? why : phase };
    json_each(c, json_path(obj, "spec.initContainers"))
        v->total += restarts_always(c);
    json_each(c, json_path(obj, "status.conditions"))
        if (str_is(json_str(json_getz(c, "type")), "PodScheduled")
            && str_is(json_str(json_getz(c, "reason")), "SchedulingGated"))
            v->reason = STR("SchedulingGated");
    if (!view_init(v, obj, &sidecars) || condition_is_true(obj, "Initialized")) {
        v->restarts = sidecars;
        view_containers(v, obj);
    }
    if (json_path_str(obj, "metadata.deletionTimestamp").n == 0)
        return;
    if (str_is(why, "NodeLost"))
        v->reason = STR("Unknown");
    else if (!pod_has_ended(obj))
        v->reason = STR("Terminating");
}

void column_pod_ready(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct pod_view v;

    view_make(&v, obj);
    buf_fmt(out, "\"%lld/%lld\"", (long long)v.ready, (long long)v.total);
}

void column_pod_status(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct pod_view v;

    view_make(&v, obj);
    cell_text(out, v.reason);
}

void column_pod_restarts(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct pod_view v;

    view_make(&v, obj);
    buf_fmt(out, "\"%lld", (long long)v.restarts.n);
    if (v.restarts.n != 0 && v.restarts.last.n > 0) {
        buf_z(out, " (");
        since_text(out, v.restarts.last, now_s);
        buf_z(out, " ago)");
    }
    buf_char(out, '"');
}

void column_pod_ip(struct buf *out, const struct json *obj, int64_t now_s)
{
    struct str first = json_path_str(obj, "status.podIPs.0.ip");
    cell_or_none(out, first.n > 0 ? first : json_path_str(obj, "status.podIP"));
}

void column_pod_node(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_or_none(out, json_path_str(obj, "spec.nodeName"));
}

void column_pod_nominated(struct buf *out, const struct json *obj, int64_t now_s)
{
    cell_or_none(out, json_path_str(obj, "status.nominatedNodeName"));
}

void column_pod_gates(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *gates = json_path(obj, "spec.readinessGates");
    unsigned open = 0;

    json_each(g, gates) {
        struct str type = json_str(json_getz(g, "conditionType"));

        json_each(c, json_path(obj, "status.conditions"))
            if (str_eq(json_str(json_getz(c, "type")), type)) {
                open += str_is(json_str(json_getz(c, "status")), "True");
                break;
            }
    }
    if (gates == NULL || gates->n == 0)
        cell_text(out, STR("<none>"));
    else
        buf_fmt(out, "\"%u/%u\"", open, gates->n);
}
