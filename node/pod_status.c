/* node/pod_status.c: what a pod says of itself: phase, conditions, container statuses; sent when it says
 * something new.
 *
 * The whole status is computed from the facts each time; one PATCH is in flight at most, what changed
 * meanwhile goes with the next.  Times of conditions are kept from the last status unless the condition
 * changes. */
#include "api/time_fmt.h"
#include "net/log.h"
#include "node/pod.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   30000

static struct json *put(struct arena *a, struct json *o, const char *key, const char *value)
{
    return json_setz(a, o, key, json_string(a, str_of(value)));
}

/* ---- Containers ----------------------------------------------------------------------------- */

static void put_time(struct arena *a, struct json *o, const char *key, int64_t s)
{
    json_setz(a, o, key, s > 0 ? json_string(a, time_text(a, s)) : json_null(a));
}

static struct str full_id(const struct container *c, struct arena *a, const char *id)
{
    return id[0] != '\0' ? arena_fmt(a, "%s://%s", c->pod->agent->hollow ? "hollow" : "crun", id) : STR_NONE;
}

static struct json *terminated(const struct container *c, struct arena *a, const struct ct_end *e)
{
    struct json *state = json_object(a), *t = json_setz(a, state, "terminated", json_object(a));

    json_setz(a, t, "exitCode", json_int(a, e->exit_code));
    put(a, t, "reason", e->reason != NULL ? e->reason : "Error");
    if (e->message != NULL)
        put(a, t, "message", e->message);
    put_time(a, t, "startedAt", e->started_s);
    put_time(a, t, "finishedAt", e->finished_s);
    if (e->id[0] != '\0')
        json_setz(a, t, "containerID", json_string(a, full_id(c, a, e->id)));
    return state;
}

static struct json *waiting(const struct container *c, struct arena *a)
{
    struct json *state = json_object(a), *w = json_setz(a, state, "waiting", json_object(a));

    put(a, w, "reason",
        c->wait_reason != NULL ? c->wait_reason
        : c->pod->n_init > 0   ? "PodInitializing"
                               : "ContainerCreating");
    if (c->wait_message != NULL)
        put(a, w, "message", c->wait_message);
    return state;
}

static struct json *current_state(const struct container *c, struct arena *a)
{
    if (c->state >= CT_POST_START && c->state <= CT_KILL) {
        struct json *state = json_object(a);
        put_time(a, json_setz(a, state, "running", json_object(a)), "startedAt", c->started_s);
        return state;
    }
    if (c->state == CT_EXITED && c->end.valid)
        return terminated(c, a, &c->end);
    if (c->state == CT_EXITED && c->pod->initialized && c->pod->state >= POD_STOP) {
        struct ct_end e = { .exit_code = 137, .reason = "ContainerStatusUnknown",
                            .message = "The container could not be located when the pod was terminated" };
        return terminated(c, a, &e);             /* stopped before it ever ran */
    }
    return waiting(c, a);
}

/* What it may use, and what was set aside for it. */
static void put_granted(const struct container *c, struct arena *a, struct json *s)
{
    const struct json *requests = json_getz(c->granted, "requests");

    if (c->granted == NULL || c->granted->n == 0)
        return;
    json_setz(a, s, "resources", json_copy(a, c->granted));
    if (requests != NULL)
        json_setz(a, s, "allocatedResources", json_copy(a, requests));
}

static struct json *container_status(const struct container *c, struct arena *a)
{
    struct json *s = json_object(a);
    const struct ct_end *last = c->state == CT_BACKOFF && c->end.valid ? &c->end
                                : c->last.valid                        ? &c->last
                                                                       : NULL;
    const struct rt_image_info *image =
        c->image_id[0] != '\0' ? c->pod->agent->rt->ops->image_get(c->pod->agent->rt, c->image_id) : NULL;

    put(a, s, "name", c->name);
    json_setz(a, s, "state", current_state(c, a));
    json_setz(a, s, "lastState", last != NULL ? terminated(c, a, last) : json_object(a));
    json_setz(a, s, "ready",
              json_bool(a, c->init && !c->sidecar
                               ? c->state == CT_EXITED && c->end.valid && c->end.exit_code == 0
                               : c->ready));
    json_setz(a, s, "restartCount", json_int(a, c->attempt));
    put(a, s, "image", c->image);
    put(a, s, "imageID", image != NULL && image->id != NULL ? image->id : c->image_id);
    json_setz(a, s, "containerID", json_string(a, full_id(c, a, c->id[0] != '\0' ? c->id : c->last.id)));
    json_setz(a, s, "started", json_bool(a, c->started));
    put_granted(c, a, s);
    return s;
}

/* ---- Phase ---------------------------------------------------------------------------------- */

/* Until the pod is taken down no phase is final: something may still run. */
static const char *final_phase(const struct pod *p)
{
    unsigned good = 0;

    if (p->doomed != NULL)
        return "Failed";
    for (unsigned i = p->n_init; i < p->n_containers; i++)
        good += p->containers[i].end.valid && p->containers[i].end.exit_code == 0;
    return good > 0 && good == p->n_containers - p->n_init ? "Succeeded" : "Failed";
}

static const char *phase(const struct pod *p)
{
    bool ran = false;

    if (p->state >= POD_TEARDOWN)
        return final_phase(p);
    for (unsigned i = p->n_init; i < p->n_containers; i++) {
        const struct container *c = &p->containers[i];
        if (!(c->state >= CT_POST_START && c->state <= CT_KILL) && !c->end.valid && !c->last.valid)
            return "Pending";                    /* it has never run */
        ran = true;
    }
    return ran && p->initialized ? "Running" : "Pending";
}

/* ---- Conditions ----------------------------------------------------------------------------- */

static const struct json *old_condition(const struct json *old, const char *type)
{
    json_each(c, json_getz(old, "conditions"))
        if (str_is(json_path_str(c, "type"), type))
            return c;
    return NULL;
}

static void add_condition(struct pod *p, struct arena *a, struct json *list, const struct json *old,
                          const char *type, bool yes, const char *reason, struct str message)
{
    const struct json *before = old_condition(old, type);
    struct json *c = json_push(list, json_object(a));

    put(a, c, "type", type);
    put(a, c, "status", yes ? "True" : "False");
    if (before != NULL && str_is(json_path_str(before, "status"), yes ? "True" : "False"))
        json_setz(a, c, "lastTransitionTime", json_string(a, json_path_str(before, "lastTransitionTime")));
    else
        json_setz(a, c, "lastTransitionTime", json_string(a, time_text(a, agent_now_s(p->agent))));
    /* The patch merges: what is not true any more has to be taken out. */
    json_setz(a, c, "reason", reason != NULL ? json_string(a, str_of(reason)) : json_null(a));
    json_setz(a, c, "message", message.n > 0 ? json_string(a, message) : json_null(a));
}

/* "containers with unready status: [a b]" */
static struct str names_text(const struct pod *p, struct arena *a, const char *what, bool init)
{
    struct buf b = BUF_INIT;
    struct str s;

    for (unsigned i = init ? 0 : p->n_init; i < (init ? p->n_init : p->n_containers); i++) {
        const struct container *c = &p->containers[i];
        if (init ? !(c->sidecar ? c->started : c->end.valid && c->end.exit_code == 0) : !c->ready)
            buf_fmt(&b, "%s%s", b.n > 0 ? " " : "", c->name);
    }
    s = arena_fmt(a, "containers with %s status: [%.*s]", what, STR_ARG(buf_str(&b)));
    buf_release(&b);
    return s;
}

/* Readiness gates are conditions that others set. */
static struct str closed_gate(const struct pod *p, struct arena *a)
{
    const struct json *gates = json_path(p->json, "spec.readinessGates"), *now;

    if (json__first(gates) == NULL || p->object == NULL)
        return STR_NONE;
    now = json_getz(object_json(p->object, a), "status");
    json_each(g, gates) {
        struct str type = json_path_str(g, "conditionType");
        const struct json *c = old_condition(now, arena_cstr(a, type));
        if (c == NULL)
            return arena_fmt(a, "corresponding condition of pod readiness gate \"%.*s\" does not exist.",
                             STR_ARG(type));
        if (!str_is(json_path_str(c, "status"), "True"))
            return arena_fmt(a, "the status of pod readiness gate \"%.*s\" is not \"True\", but %.*s",
                             STR_ARG(type), STR_ARG(json_path_str(c, "status")));
    }
    return STR_NONE;
}

/* One that is there only while it is true. */
static void add_passing(struct pod *p, struct arena *a, struct json *list, const struct json *old,
                        const char *type, bool yes, const char *reason, const char *message)
{
    const struct json *before = old_condition(old, type);
    struct json *gone;

    if (yes) {
        add_condition(p, a, list, old, type, true, reason, message != NULL ? str_of(message) : STR_NONE);
    } else if (before != NULL && json_getz(before, "$patch") == NULL) {
        gone = json_push(list, json_object(a));  /* the patch merges */
        put(a, gone, "type", type);
        put(a, gone, "$patch", "delete");
    }
}

static void add_conditions(struct pod *p, struct arena *a, struct json *status, const struct json *old,
                           const char *ph)
{
    struct json *list = json_setz(a, status, "conditions", json_array(a));
    bool ready = p->n_containers > p->n_init, good = strcmp(ph, "Succeeded") == 0,
         bad = strcmp(ph, "Failed") == 0;
    struct str why = STR_NONE, gate = closed_gate(p, a);
    const char *reason = good ? "PodCompleted" : bad ? "PodFailed" : "ContainersNotReady";

    for (unsigned i = p->n_init; i < p->n_containers; i++)
        ready &= p->containers[i].ready && !good && !bad;
    if (!ready && !good && !bad)
        why = names_text(p, a, "unready", false);
    add_condition(p, a, list, old, "PodReadyToStartContainers",
                  p->sandbox_id[0] != '\0' && !p->sandbox_dead && p->state < POD_TEARDOWN, NULL, STR_NONE);
    if (p->initialized || p->n_init == 0 || good)
        add_condition(p, a, list, old, "Initialized", true, good ? reason : NULL, STR_NONE);
    else
        add_condition(p, a, list, old, "Initialized", false, "ContainersNotInitialized",
                      names_text(p, a, "incomplete", true));
    add_condition(p, a, list, old, "Ready", ready && gate.n == 0,
                  !ready       ? reason
                  : gate.n > 0 ? "ReadinessGatesNotReady"
                               : NULL,
                  !ready ? why : gate);
    add_condition(p, a, list, old, "ContainersReady", ready, ready ? NULL : reason, why);
    add_passing(p, a, list, old, "PodResizePending", p->resize.pending != NULL, p->resize.pending,
                p->resize.why);
    add_passing(p, a, list, old, "PodResizeInProgress", p->resize.in_progress,
                p->resize.error != NULL ? "Error" : NULL, p->resize.error);
}

/* ---- All of it ------------------------------------------------------------------------------ */

void pod_begin_status(struct pod *p)
{
    struct arena a = ARENA_INIT;
    struct str before = json_path_str(p->json, "status.startTime");

    p->start_time = mem_strndup(before.n > 0 ? before : time_text(&a, agent_now_s(p->agent)));
    p->status_retry_ms = RETRY_FIRST_MS;
    arena_release(&a);
}

/* A list that the patch must not merge with the addresses from before. */
static void put_ips(struct arena *a, struct json *s, const char *key, const char *ip)
{
    struct json *list = json_setz(a, s, key, json_array(a));

    put(a, json_push(list, json_object(a)), "$patch", "replace");
    put(a, json_push(list, json_object(a)), "ip", ip);
}

static void put_containers(struct pod *p, struct arena *a, struct json *s, const char *key, unsigned from,
                           unsigned to)
{
    struct json *list = json_setz(a, s, key, json_array(a));

    for (unsigned i = from; i < to; i++)
        json_push(list, container_status(pod_nth(p, i), a));
}

static struct json *make_status(struct pod *p, struct arena *a)
{
    struct json *s = json_object(a), *old;
    const char *ph = phase(p);
    struct json_error err;

    if (p->status_sent != NULL)
        must_ok(json_parse(a, str_of(p->status_sent), &old, &err));
    else
        old = json_getz(p->object != NULL ? object_json(p->object, a) : p->json, "status");
    put(a, s, "phase", ph);
    if (p->doomed != NULL && strcmp(ph, "Failed") == 0) {
        put(a, s, "reason", p->doomed);
        put(a, s, "message", "Pod was active on the node longer than the specified deadline");
    }
    add_conditions(p, a, s, old, ph);
    put(a, s, "hostIP", p->agent->node_ip);
    put_ips(a, s, "hostIPs", p->agent->node_ip);
    if (p->ip[0] != '\0') {
        put(a, s, "podIP", p->ip);
        put_ips(a, s, "podIPs", p->ip);
    }
    put(a, s, "startTime", p->start_time);
    if (p->n_init > 0)
        put_containers(p, a, s, "initContainerStatuses", 0, p->n_init);
    put_containers(p, a, s, "containerStatuses", p->n_init, p->n_containers);
    if (p->n_ephemeral > 0)
        put_containers(p, a, s, "ephemeralContainerStatuses", p->n_containers, pod_n_all(p));
    return s;
}

/* ---- Sending -------------------------------------------------------------------------------- */

/* Phase and our conditions, for comparing. */
static unsigned status_gist(const struct json *status)
{
    static const char *const ours[] = { "PodReadyToStartContainers", "Initialized", "Ready",
                                        "ContainersReady" };
    struct str ph = json_path_str(status, "phase");
    unsigned gist = ph.n > 0 ? (unsigned)(unsigned char)ph.p[0] << ARRAY_LEN(ours) : 0;

    for (unsigned i = 0; i < ARRAY_LEN(ours); i++)
        if (str_is(json_path_str(old_condition(status, ours[i]), "status"), "True"))
            gist |= 1u << i;
    return gist;
}

void pod_status_seen(struct pod *p, const struct json *json)
{
    if (p->status_sent == NULL || p->status_call != NULL || p->status_lost || p->object->rv <= p->status_rv ||
        status_gist(json_getz(json, "status")) == p->status_gist)
        return;
    mem_free(p->status_sent);                    /* the API does not have it any more */
    p->status_sent = NULL;
    pod_report(p);
}

void pod_on_status_retry(struct timer *t) { pod_report(container_of(t, struct pod, status_retry)); }

static void again_later(struct pod *p)
{
    p->status_lost = true;
    timer_start(&p->status_retry, p->status_retry_ms);
    p->status_retry_ms = MIN_OF(p->status_retry_ms * 2, (uint64_t)RETRY_MAX_MS);
}

static void final_is_sent(struct pod *p)
{
    p->final_sent = true;
    pod_tick(p);
}

/* It stands there; what others wrote after it may have been heard of before. */
static void status_is_sent(struct pod *p, const struct client_result *r)
{
    struct arena a = ARENA_INIT;

    if (r->ok && str_u64(json_path_str(r->obj, "metadata.resourceVersion"), &p->status_rv) &&
        p->object != NULL && p->object->rv > p->status_rv)
        pod_status_seen(p, object_json(p->object, &a));
    arena_release(&a);
}

static void on_sent(void *arg, const struct client_result *r)
{
    struct pod *p = arg;

    p->status_call = NULL;
    if (!r->ok && r->status != 404 && r->status != 409) {
        log_warn("pod", "%s/%s: its status is refused: %d %.*s", p->ns, p->name, r->status,
                 STR_ARG(r->message));
        again_later(p);
        return;
    }
    p->status_retry_ms = RETRY_FIRST_MS;
    if (p->status_dirty)
        pod_report(p);
    else if (p->state == POD_ENDED)
        final_is_sent(p);
    else
        status_is_sent(p, r);
}

static void send_status(struct pod *p, struct json *status, struct arena *a)
{
    struct json *patch = json_object(a);
    struct client_req r = { .method = "PATCH",
                            .res = CLIENT_PODS,
                            .ns = str_of(p->ns),
                            .name = str_of(p->name),
                            .sub = "status",
                            .body = patch,
                            .content_type = CLIENT_STRATEGIC_PATCH,
                            .done = on_sent,
                            .arg = p };

    p->status_gist = status_gist(status);
    put(a, json_make_path(a, patch, "metadata"), "uid", p->uid);
    json_setz(a, patch, "status", status);
    p->status_call = client_send(p->agent->client, &r);
    if (p->status_call == NULL)
        again_later(p);
}

void pod_report(struct pod *p)
{
    struct arena a = ARENA_INIT;
    struct buf text = BUF_INIT;
    struct json *status;

    if (!p->wanted || p->final_sent || !p->agent->synced)
        return;                                  /* before that, half of what runs is not known yet */
    p->status_dirty = true;
    if (p->status_call != NULL || timer_active(&p->status_retry))
        return;
    p->status_dirty = false;
    status = make_status(p, &a);
    json_write(&text, status);
    if (!p->status_lost && p->status_sent != NULL && str_is(buf_str(&text), p->status_sent)) {
        if (p->state == POD_ENDED)
            final_is_sent(p);
    } else {
        mem_free(p->status_sent);
        p->status_sent = mem_strndup(buf_str(&text));
        p->status_lost = false;
        send_status(p, status, &a);
    }
    buf_release(&text);
    arena_release(&a);
}

void pod_report_stop(struct pod *p)
{
    client_cancel(p->status_call);
    p->status_call = NULL;
    timer_stop(&p->status_retry);
}
