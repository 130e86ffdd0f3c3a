/* node/pod_status.c: what a pod says of itself: phase, conditions, container statuses; sent when it says something new.
 *
 * The whole status is computed from the facts each time; one PATCH is in flight at most, what changed meanwhile goes with
 * the next.  Times of conditions are kept from the last status unless the condition changes. */
#include "api/time_fmt.h"
#include "node/pod.h"

#define RETRY_MS 1000

static struct json *put(struct arena *a, struct json *o, const char *key, const char *value)
{
    return json_setz(a, o, key, json_string(a, str_of(value)));
}

/* ---- Containers ------------------------------------------------------------------------------------------------ */

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
    bool initializing = !c->init && c->pod->n_init > 0 && c->pod->state == POD_RUN && c->state == CT_IDLE;

    put(a, w, "reason", c->wait_reason != NULL ? c->wait_reason : initializing ? "PodInitializing" : "ContainerCreating");
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
    if (c->state == CT_EXITED) {                 /* stopped before it ever ran */
        struct ct_end e = { .exit_code = 137, .reason = "ContainerStatusUnknown" };
        return terminated(c, a, &e);
    }
    return waiting(c, a);
}

static struct json *container_status(const struct container *c, struct arena *a)
{
    struct json *s = json_object(a);
    const struct ct_end *last = c->state == CT_BACKOFF && c->end.valid ? &c->end : c->last.valid ? &c->last : NULL;
    const struct rt_image_info *image = c->image_id[0] != '\0' ? c->pod->agent->rt->ops->image_get(c->pod->agent->rt, c->image_id) : NULL;

    put(a, s, "name", c->name);
    json_setz(a, s, "state", current_state(c, a));
    json_setz(a, s, "lastState", last != NULL ? terminated(c, a, last) : json_object(a));
    json_setz(a, s, "ready", json_bool(a, c->init && !c->sidecar ? c->state == CT_EXITED && c->end.valid && c->end.exit_code == 0 : c->ready));
    json_setz(a, s, "restartCount", json_int(a, c->attempt));
    json_setz(a, s, "image", json_string(a, json_path_str(c->spec, "image")));
    put(a, s, "imageID", image != NULL && image->id != NULL ? image->id : c->image_id);
    json_setz(a, s, "containerID", json_string(a, full_id(c, a, c->id)));
    json_setz(a, s, "started", json_bool(a, c->started));
    return s;
}

/* ---- Phase -------------------------------------------------------------------------------------------------------- */

static const char *phase(const struct pod *p)
{
    unsigned running = 0, waiting_ones = 0, good = 0, bad = 0;
    struct str policy = json_path_str(p->json, "spec.restartPolicy");

    for (unsigned i = 0; i < p->n_init; i++) {
        const struct container *c = &p->containers[i];
        if (c->sidecar ? !c->started && p->state < POD_STOP : !(c->state == CT_EXITED && c->end.valid && c->end.exit_code == 0)) {
            if (c->state == CT_EXITED && c->end.valid && c->end.exit_code != 0 && str_is(policy, "Never"))
                return "Failed";
            if (p->state < POD_TEARDOWN)
                return "Pending";
        }
    }
    for (unsigned i = p->n_init; i < p->n_containers; i++) {
        const struct container *c = &p->containers[i];
        if (c->state >= CT_POST_START && c->state <= CT_KILL)
            running++;
        else if (c->state == CT_EXITED || c->state == CT_BACKOFF)
            (c->end.valid && c->end.exit_code == 0) ? good++ : bad++;
        else if (c->last.valid)
            bad++;                               /* between two runs */
        else
            waiting_ones++;
    }
    if (p->state >= POD_TEARDOWN && running == 0)
        return bad == 0 && waiting_ones == 0 && good > 0 ? "Succeeded" : "Failed";
    if (waiting_ones > 0)
        return "Pending";
    if (running > 0 || str_is(policy, "Always") || p->state < POD_STOP)
        return "Running";
    return bad == 0 ? "Succeeded" : "Failed";
}

/* ---- Conditions ------------------------------------------------------------------------------------------------------- */

static const struct json *old_condition(const struct json *old, const char *type)
{
    json_each(c, json_getz(old, "conditions"))
        if (str_is(json_path_str(c, "type"), type))
            return c;
    return NULL;
}

static void add_condition(struct pod *p, struct arena *a, struct json *list, const struct json *old, const char *type, bool yes,
                          const char *reason, struct str message)
{
    const struct json *before = old_condition(old, type);
    struct json *c = json_push(list, json_object(a));

    put(a, c, "type", type);
    put(a, c, "status", yes ? "True" : "False");
    if (before != NULL && str_is(json_path_str(before, "status"), yes ? "True" : "False"))
        json_setz(a, c, "lastTransitionTime", json_string(a, json_path_str(before, "lastTransitionTime")));
    else
        json_setz(a, c, "lastTransitionTime", json_string(a, time_text(a, agent_now_s(p->agent))));
    if (!yes && reason != NULL) {
        put(a, c, "reason", reason);
        json_setz(a, c, "message", json_string(a, message));
    }
}

static struct str unready_names(const struct pod *p, struct arena *a)
{
    struct buf b = BUF_INIT;
    struct str s;

    for (unsigned i = p->n_init; i < p->n_containers; i++)
        if (!p->containers[i].ready)
            buf_fmt(&b, "%s%s", b.n > 0 ? " " : "", p->containers[i].name);
    s = arena_fmt(a, "containers with unready status: [%.*s]", STR_ARG(buf_str(&b)));
    buf_release(&b);
    return s;
}

static bool initialized(const struct pod *p)
{
    for (unsigned i = 0; i < p->n_init; i++) {
        const struct container *c = &p->containers[i];
        if (c->sidecar ? !c->started && c->attempt == 0 : !(c->state == CT_EXITED && c->end.valid && c->end.exit_code == 0))
            return false;
    }
    return true;
}

static bool gates_open(const struct pod *p)
{
    json_each(g, json_path(p->json, "spec.readinessGates")) {
        bool yes = false;
        struct arena a = ARENA_INIT;
        const struct json *now = p->object != NULL ? object_json(p->object, &a) : NULL;
        json_each(c, json_path(now, "status.conditions"))
            if (str_eq(json_path_str(c, "type"), json_path_str(g, "conditionType")))
                yes = str_is(json_path_str(c, "status"), "True");
        arena_release(&a);
        if (!yes)
            return false;
    }
    return true;
}

static void add_conditions(struct pod *p, struct arena *a, struct json *status, const struct json *old, const char *ph)
{
    struct json *list = json_setz(a, status, "conditions", json_array(a));
    bool ready = p->n_containers > p->n_init, done = strcmp(ph, "Succeeded") == 0;
    struct str names = unready_names(p, a);

    for (unsigned i = p->n_init; i < p->n_containers; i++)
        ready &= p->containers[i].ready;
    const char *reason = done ? "PodCompleted" : "ContainersNotReady";
    add_condition(p, a, list, old, "PodReadyToStartContainers", p->sandbox_id[0] != '\0' && p->state < POD_TEARDOWN, NULL, STR_NONE);
    add_condition(p, a, list, old, "Initialized", initialized(p), "ContainersNotInitialized", STR("containers with incomplete status"));
    add_condition(p, a, list, old, "Ready", ready && gates_open(p), ready ? "ReadinessGatesNotReady" : reason, done ? STR_NONE : names);
    add_condition(p, a, list, old, "ContainersReady", ready, reason, done ? STR_NONE : names);
}

/* ---- All of it ---------------------------------------------------------------------------------------------------------- */

static struct json *make_status(struct pod *p, struct arena *a)
{
    struct json *s = json_object(a), *old = NULL;
    struct json_error err;
    const char *ph = phase(p);

    if (p->status_sent != NULL)
        must_ok(json_parse(a, str_of(p->status_sent), &old, &err));
    else
        old = json_getz(p->json, "status");
    if (p->start_time == NULL) {
        struct str before = json_path_str(p->json, "status.startTime");
        p->start_time = mem_strndup(before.n > 0 ? before : time_text(a, agent_now_s(p->agent)));
    }
    put(a, s, "phase", ph);
    add_conditions(p, a, s, old, ph);
    put(a, s, "hostIP", p->agent->node_ip);
    json_setz(a, json_push(json_setz(a, s, "hostIPs", json_array(a)), json_object(a)), "ip", json_string(a, str_of(p->agent->node_ip)));
    if (p->ip[0] != '\0') {
        put(a, s, "podIP", p->ip);
        json_setz(a, json_push(json_setz(a, s, "podIPs", json_array(a)), json_object(a)), "ip", json_string(a, str_of(p->ip)));
    }
    put(a, s, "startTime", p->start_time);
    if (p->n_init > 0) {
        struct json *list = json_setz(a, s, "initContainerStatuses", json_array(a));
        for (unsigned i = 0; i < p->n_init; i++)
            json_push(list, container_status(&p->containers[i], a));
    }
    struct json *list = json_setz(a, s, "containerStatuses", json_array(a));
    for (unsigned i = p->n_init; i < p->n_containers; i++)
        json_push(list, container_status(&p->containers[i], a));
    return s;
}

/* ---- Sending --------------------------------------------------------------------------------------------------------------- */

void pod_on_status_retry(struct timer *t) { pod_report(container_of(t, struct pod, status_retry)); }

static void on_sent(void *arg, const struct client_result *r)
{
    struct pod *p = arg;

    p->status_call = NULL;
    if (!r->ok && r->status != 404 && r->status != 409) {
        mem_free(p->status_sent);
        p->status_sent = NULL;
        timer_start(&p->status_retry, RETRY_MS);
        return;
    }
    if (p->state == POD_ENDED && !p->status_dirty) {
        p->final_sent = true;
        pod_tick(p);
    }
    if (p->status_dirty)
        pod_report(p);
}

static void send_status(struct pod *p, struct json *status, struct arena *a)
{
    struct json *patch = json_object(a);
    struct client_req r = { .method = "PATCH", .res = CLIENT_PODS, .ns = str_of(p->ns), .name = str_of(p->name), .sub = "status", .body = patch,
                            .content_type = CLIENT_STRATEGIC_PATCH, .done = on_sent, .arg = p };

    put(a, json_make_path(a, patch, "metadata"), "uid", p->uid);
    json_setz(a, patch, "status", status);
    p->status_call = client_send(p->agent->client, &r);
    if (p->status_call == NULL) {
        timer_start(&p->status_retry, RETRY_MS);
    }
}

void pod_report(struct pod *p)
{
    struct arena a = ARENA_INIT;
    struct buf text = BUF_INIT;
    struct json *status;

    if (!p->wanted || p->final_sent || p->object == NULL)
        return;
    p->status_dirty = true;
    if (p->status_call != NULL || timer_active(&p->status_retry))
        return;
    p->status_dirty = false;
    status = make_status(p, &a);
    json_write(&text, status);
    if (p->status_sent != NULL && str_is(buf_str(&text), p->status_sent)) {
        if (p->state == POD_ENDED) {
            p->final_sent = true;
            pod_tick(p);
        }
    } else {
        mem_free(p->status_sent);
        p->status_sent = mem_strndup(buf_str(&text));
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
