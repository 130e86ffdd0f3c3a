/* node/container.c: the way up of a container; see node/container.h for the machine and container_end.c for
 * the way down. */
#include <stdio.h>
#include "node/clean_text.h"
#include "node/container_impl.h"
#include "node/logs.h"

#define BACKOFF_FIRST_MS   10000                 /* before the second restart; doubles */
#define BACKOFF_MAX_MS     300000
#define CONFIG_RETRY_MS    60000                 /* what is missing is watched: only to say so again */
#define AGAIN_MS           1000
#define PULL_SHOWN_MS      2000                  /* ErrImagePull, before it is called a back-off */
#define WAIT_TEXT_MAX      1024

/* The request in flight: one at a time.  Whoever does not care any more sets c to NULL and may begin another.
 */
struct ct_op {
    struct container *c;
    struct arena arena;
    union { struct rt_image_ensure image; struct rt_container_create create; struct rt_by_id by_id; };
};

/* What may follow what; anything else is a bug here. */
#define TO(s) (1u << (s))
static const unsigned next_states[CT_STATES] = {
    [CT_IDLE]       = TO(CT_PULL) | TO(CT_START) | TO(CT_RUNNING) | TO(CT_EXITED),
    [CT_PULL]       = TO(CT_CREATE) | TO(CT_WAIT) | TO(CT_EXITED) | TO(CT_PULL),
    [CT_WAIT]       = TO(CT_PULL) | TO(CT_EXITED),
    [CT_CREATE]     = TO(CT_START) | TO(CT_WAIT) | TO(CT_EXITED),
    [CT_START]      = TO(CT_POST_START) | TO(CT_RUNNING) | TO(CT_EXITED),
    [CT_POST_START] = TO(CT_RUNNING) | TO(CT_EXITED) | TO(CT_TERM) | TO(CT_PRE_STOP),
    [CT_RUNNING]    = TO(CT_PRE_STOP) | TO(CT_TERM) | TO(CT_EXITED),
    [CT_PRE_STOP]   = TO(CT_TERM) | TO(CT_EXITED),
    [CT_TERM]       = TO(CT_KILL) | TO(CT_EXITED),
    [CT_KILL]       = TO(CT_EXITED),
    [CT_EXITED]     = TO(CT_BACKOFF) | TO(CT_PULL) | TO(CT_IDLE),
    [CT_BACKOFF]    = TO(CT_PULL) | TO(CT_EXITED) | TO(CT_IDLE),
};

static struct agent *agent_of(const struct container *c) { return c->pod->agent; }

void container__move(struct container *c, enum container_state to)
{
    must(next_states[c->state] & TO(to));
    c->state = to;
    pod_tick(c->pod);
    pod_report(c->pod);
}

void container__set_wait(struct container *c, const char *reason, const char *message)
{
    char *copy = message != NULL ? clean_text(str_of(message), WAIT_TEXT_MAX, false) : NULL;

    mem_free(c->wait_message);
    c->wait_message = copy;
    c->wait_reason = reason;
}

static void container_on_timer(struct timer *t);

void container_init(struct container *c, struct pod *p, const struct json *spec, bool init)
{
    *c = (struct container){ .pod = p, .spec = spec, .init = init };
    c->name = arena_cstr(&p->arena, json_path_str(spec, "name"));
    c->image = mem_strndup(json_path_str(spec, "image"));
    c->sidecar = init && str_is(json_path_str(spec, "restartPolicy"), "Always");
    timer_init(&c->timer, p->agent->loop, container_on_timer);
    pod_resize_begin(p, c);
}

void container_release(struct container *c)
{
    timer_stop(&c->timer);
    container__stop_probes(c);
    container__hook_end(c);
    container__drop_op(c);
    container__end_clear(&c->end);
    container__end_clear(&c->last);
    mem_free(c->wait_message);
    mem_free(c->image);
    arena_release(&c->granted_arena);
    c->wait_message = c->image = NULL;
}

bool container_is_live(const struct container *c)
{
    return c->state >= CT_CREATE && c->state <= CT_KILL;
}

bool container_is_done(const struct container *c)
{
    if (c->state != CT_EXITED || c->op != NULL)
        return false;
    return c->pod->state >= POD_STOP || (!c->changed && !pod_restarts(c->pod, c, c->end.exit_code));
}

const char *container_log_path(const struct container *c, unsigned attempt, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s/pods/%s/logs/%s/%u.log", agent_of(c)->root_dir, c->pod->uid, c->name, attempt);
    return buf;
}

/* ---- Requests ------------------------------------------------------------------------------- */

static struct ct_op *op_new(struct container *c)
{
    struct ct_op *op = mem_new(struct ct_op);

    must(c->op == NULL);
    op->c = c;
    arena_init(&op->arena);
    c->op = op;
    return op;
}

/* The container the request was for, or NULL if nobody waits for it any more; the op is freed by the caller
 * with op_free(). */
static struct container *op_done(struct ct_op *op)
{
    struct container *c = op->c;

    if (c != NULL) {
        c->op = NULL;
        pod_tick(c->pod);
    }
    return c;
}

static void op_free(struct ct_op *op)
{
    arena_release(&op->arena);
    mem_free(op);
}

void container__drop_op(struct container *c)
{
    if (c->op != NULL)
        c->op->c = NULL;
    c->op = NULL;
}

static uint64_t grow(uint64_t ms)
{
    return ms == 0 ? BACKOFF_FIRST_MS : MIN_OF(ms * 2, (uint64_t)BACKOFF_MAX_MS);
}

/* Cannot go on now: wait and begin again with the image.  ms 0: only a kick ends it. */
static void wait_for(struct container *c, const char *reason, const char *message, uint64_t ms)
{
    container__set_wait(c, reason, message);
    container__move(c, CT_WAIT);
    c->wants_kick = false;
    if (ms > 0)
        timer_start(&c->timer, ms);
}

/* ---- Image ---------------------------------------------------------------------------------- */

static void container_create(struct container *c);
static void container_start(struct container *c);
static void begin_run(struct container *c);

static void image_failed(struct container *c, const char *ref, int status, const char *why)
{
    bool never = status != E_INVALID && str_is(json_path_str(c->spec, "imagePullPolicy"), "Never");
    const char *reason = status == E_INVALID ? "InvalidImageName"
                         : never             ? "ErrImageNeverPull"
                                             : "ErrImagePull";
    char text[WAIT_TEXT_MAX];

    c->pull_backoff_ms = grow(c->pull_backoff_ms);
    if (status == E_INVALID) {
        snprintf(text, sizeof text, "Failed to apply default image tag \"%.400s\": %s", ref, why);
        pod_event(c->pod, c, "Warning", "InspectFailed", "%s", text);
        pod_event(c->pod, c, "Warning", "Failed", "Error: InvalidImageName");
    } else if (never) {
        snprintf(text, sizeof text, "Container image \"%.400s\" is not present with pull policy of Never",
                 ref);
        pod_event(c->pod, c, "Warning", "ErrImageNeverPull", "%s", text);
        pod_event(c->pod, c, "Warning", "Failed", "Error: ErrImageNeverPull");
    } else {
        snprintf(text, sizeof text, "Failed to pull image \"%.400s\": %s", ref, why);
        pod_event(c->pod, c, "Warning", "Failed", "%s", text);
        pod_event(c->pod, c, "Warning", "Failed", "Error: ErrImagePull");
    }
    wait_for(c, reason, text, strcmp(reason, "ErrImagePull") == 0 ? PULL_SHOWN_MS : c->pull_backoff_ms);
}

static void on_image(struct rt_req *r, int status)
{
    struct ct_op *op = container_of(r, struct ct_op, image.req);
    struct container *c = op_done(op);

    if (c != NULL && c->state == CT_PULL && status == 0) {
        snprintf(c->image_id, sizeof c->image_id, "%s", op->image.id);
        c->pull_backoff_ms = 0;
        pod_event(c->pod, c, "Normal", "Pulled", "Container image \"%s\" already present on machine",
                  op->image.ref);
        container__move(c, CT_CREATE);
        container_create(c);
    } else if (c != NULL && c->state == CT_PULL) {
        image_failed(c, op->image.ref, status, r->err.s);
    }
    op_free(op);
}

static void container_pull(struct container *c)
{
    struct ct_op *op;

    container__drop_op(c);                       /* of another image */
    op = op_new(c);
    op->image.ref = arena_cstr(&op->arena, str_of(c->image));
    op->image.req.done = on_image;
    if (c->pull_backoff_ms == 0 && agent_of(c)->rt->ops->image_get(agent_of(c)->rt, op->image.ref) == NULL)
        pod_event(c->pod, c, "Normal", "Pulling", "Pulling image \"%s\"", op->image.ref);
    agent_of(c)->rt->ops->image_ensure(agent_of(c)->rt, &op->image);
}

/* The image could not be had: say back-off, as the wait is. */
static void pull_back_off(struct container *c)
{
    char text[WAIT_TEXT_MAX];

    snprintf(text, sizeof text, "Back-off pulling image \"%.400s\"", c->image);
    pod_event(c->pod, c, "Normal", "BackOff", "%s", text);
    pod_event(c->pod, c, "Warning", "Failed", "Error: ImagePullBackOff");
    container__set_wait(c, "ImagePullBackOff", text);
    pod_report(c->pod);
    timer_start(&c->timer, c->pull_backoff_ms - PULL_SHOWN_MS);
}

/* ---- Creation ------------------------------------------------------------------------------- */

/* The process could not be run: as users know it, a run that ended with 128. */
static void start_failed(struct container *c, const char *message)
{
    int64_t now = agent_now_s(agent_of(c));
    struct ct_end e = { .valid = true,
                        .exit_code = 128,
                        .reason = "StartError",
                        .message = clean_text(str_of(message), WAIT_TEXT_MAX, false),
                        .started_s = now,
                        .finished_s = now };

    pod_event(c->pod, c, "Warning", "Failed", "Error: %s", message);
    snprintf(e.id, sizeof e.id, "%s", c->id);
    container__ended(c, e);
}

static void create_failed(struct container *c, int status, const char *why)
{
    if (c->stop_wanted) {
        container__move(c, CT_EXITED);
    } else if (status == E_AGAIN || status == E_CLOSED) {
        wait_for(c, NULL, NULL, AGAIN_MS);       /* the sandbox is just going, or we are */
    } else if (status == E_CHILD) {
        start_failed(c, why);
    } else if (status == E_INVALID) {
        pod_event(c->pod, c, "Warning", "Failed", "Error: %s", why);
        wait_for(c, "CreateContainerConfigError", why, CONFIG_RETRY_MS);
        c->wants_kick = true;
    } else {
        pod_event(c->pod, c, "Warning", "Failed", "Error: %s", why);
        c->pull_backoff_ms = grow(c->pull_backoff_ms);
        wait_for(c, "CreateContainerError", why, c->pull_backoff_ms);
    }
}

static void on_created(struct rt_req *r, int status)
{
    struct ct_op *op = container_of(r, struct ct_op, create.req);
    struct container *c = op_done(op);

    if (c != NULL && status == 0) {
        must(c->state == CT_CREATE);
        snprintf(c->id, sizeof c->id, "%s", op->create.id);
        pod_event(c->pod, c, "Normal", "Created", "Created container: %s", c->name);
        container__move(c, c->stop_wanted ? CT_EXITED : CT_START);
        if (c->state == CT_START)
            container_start(c);
    } else if (c != NULL) {
        create_failed(c, status, r->err.s);
    }
    op_free(op);
}

static void container_create(struct container *c)
{
    struct ct_op *op = op_new(c);
    struct errbuf err = { "" };
    int rc = container__fill(c, &op->create, &op->arena, &err);

    if (rc == 0) {
        op->create.req.done = on_created;
        agent_of(c)->rt->ops->container_create(agent_of(c)->rt, &op->create);
        return;
    }
    op_done(op);
    op_free(op);
    if (rc == E_AGAIN) {
        wait_for(c, NULL, NULL, 0);
        c->wants_kick = true;
    } else {
        create_failed(c, E_INVALID, err.s);
    }
}

/* ---- Start, postStart, probes --------------------------------------------------------------- */

static void on_readiness(struct container *c, struct probe *p, bool ok, const char *reason)
{
    if (!ok)
        pod_event(c->pod, c, "Warning", "Unhealthy", "Readiness probe failed: %s", reason);
    c->ready = ok && c->started;
    pod_report(c->pod);
}

static void unhealthy(struct container *c, const char *probe, const char *what, const char *reason)
{
    int64_t grace = json_path_i64(json_getz(c->spec, probe), "terminationGracePeriodSeconds",
                                  json_path_i64(c->pod->json, "spec.terminationGracePeriodSeconds", 30));
    char why[512];

    if (c->state != CT_RUNNING)
        return;
    pod_event(c->pod, c, "Warning", "Unhealthy", "%s probe failed: %s", what, reason);
    snprintf(why, sizeof why, "Container %s failed %s probe, will be restarted", c->name,
             what[0] == 'L' ? "liveness" : "startup");
    container_stop(c, grace, why);
}

static void on_liveness(struct container *c, struct probe *p, bool ok, const char *reason)
{
    if (!ok)
        unhealthy(c, "livenessProbe", "Liveness", reason);
}

/* Startup has passed: now the other two. */
static void begin_probes(struct container *c)
{
    const struct json *r = json_getz(c->spec, "readinessProbe"), *l = json_getz(c->spec, "livenessProbe");

    c->started = true;
    if (r != NULL)
        c->readiness = probe_start(c, r, "Readiness", on_readiness);
    if (l != NULL)
        c->liveness = probe_start(c, l, "Liveness", on_liveness);
    c->ready = r == NULL;
    pod_report(c->pod);
    pod_tick(c->pod);
}

static void on_startup(struct container *c, struct probe *p, bool ok, const char *reason)
{
    if (!ok) {
        unhealthy(c, "startupProbe", "Startup", reason);
        return;
    }
    if (c->started)
        return;
    probe_stop(c->startup);
    c->startup = NULL;
    begin_probes(c);
}

/* startup_passed: by a run that an agent before this one has seen. */
static void running(struct container *c, bool startup_passed)
{
    const struct json *s = json_getz(c->spec, "startupProbe");

    container__set_wait(c, NULL, NULL);
    container__move(c, CT_RUNNING);
    if (s != NULL && !startup_passed)
        c->startup = probe_start(c, s, "Startup", on_startup);
    else
        begin_probes(c);
}

static void on_post_start(void *arg, bool ok, const char *reason)
{
    struct container *c = arg;

    c->hook->action = NULL;
    container__hook_end(c);
    must(c->state == CT_POST_START);             /* leaving it ends the hook */
    if (ok) {
        running(c, false);
        return;
    }
    pod_event(c->pod, c, "Warning", "FailedPostStartHook", "PostStartHook failed: %s", reason);
    container_stop(c, json_path_i64(c->pod->json, "spec.terminationGracePeriodSeconds", 30),
                   "FailedPostStartHook");
}

static void started(struct container *c, const struct rt_container_info *i)
{
    const struct json *hook = json_path(c->spec, "lifecycle.postStart");

    c->started_s = i != NULL && i->started_ns > 0 ? i->started_ns / 1000000000 : agent_now_s(agent_of(c));
    c->run_since_ms = loop_now_ms(agent_of(c)->loop);
    pod_event(c->pod, c, "Normal", "Started", "Started container %s", c->name);
    if (i != NULL && i->state == RT_EXITED) {    /* as fast as that */
        container__ended(c, container__end_from(c, i));
    } else if (c->stop_wanted) {
        container__move(c, CT_RUNNING);
        container_stop(c, c->kill_grace_s, NULL);
    } else if (hook == NULL) {
        running(c, false);
    } else {
        container__move(c, CT_POST_START);
        container__hook_start(c, hook, on_post_start);
    }
}

static void on_started(struct rt_req *r, int status)
{
    struct ct_op *op = container_of(r, struct ct_op, by_id.req);
    struct container *c = op_done(op);

    if (c != NULL) {
        must(c->state == CT_START);
        if (status == 0)
            started(c, agent_of(c)->rt->ops->container_get(agent_of(c)->rt, c->id));
        else
            start_failed(c, r->err.s);
    }
    op_free(op);
}

static void container_start(struct container *c)
{
    struct ct_op *op = op_new(c);

    op->by_id.id = arena_cstr(&op->arena, str_of(c->id));
    op->by_id.req.done = on_started;
    agent_of(c)->rt->ops->container_start(agent_of(c)->rt, &op->by_id);
}

/* ---- Restart -------------------------------------------------------------------------------- */

struct removal { struct rt_by_id r; char id[65]; };

static void on_removed(struct rt_req *r, int status)
{
    mem_free(container_of(container_of(r, struct rt_by_id, req), struct removal, r));
}

static void remove_run(const struct container *c, const char *id)
{
    struct removal *r;

    if (id[0] == '\0')
        return;
    r = mem_new(struct removal);
    snprintf(r->id, sizeof r->id, "%s", id);
    r->r = (struct rt_by_id){ .req = { .done = on_removed }, .id = r->id };
    agent_of(c)->rt->ops->container_remove(agent_of(c)->rt, &r->r);
}

static void begin_run(struct container *c)
{
    if (c->wait_reason != NULL && strcmp(c->wait_reason, "ImagePullBackOff") != 0)
        container__set_wait(c, NULL, NULL);      /* that one stays until the image is there */
    c->stop_wanted = c->changed = c->wants_kick = false;
    timer_stop(&c->timer);
    container__move(c, CT_PULL);
    container_pull(c);
}

/* The run that ended becomes the last one; of those before only logs of one are kept. */
static void turn_over(struct container *c)
{
    char path[4096];

    remove_run(c, c->last.id);
    container__end_clear(&c->last);
    c->last = c->end;
    c->end = (struct ct_end){ 0 };
    c->attempt++;
    c->id[0] = '\0';
    if (c->attempt >= 2 && !agent_of(c)->hollow)
        log_remove(container_log_path(c, c->attempt - 2, path, sizeof path));
}

static void restart(struct container *c)
{
    if (c->end.valid)
        turn_over(c);
    else
        remove_run(c, c->id);                    /* created for nothing */
    c->id[0] = '\0';
    begin_run(c);
}

void container_again(struct container *c)
{
    if (c->state != CT_EXITED && c->state != CT_BACKOFF)
        return;
    timer_stop(&c->timer);
    if (c->end.valid)
        turn_over(c);
    container__set_wait(c, NULL, NULL);
    c->stop_wanted = false;
    container__move(c, CT_IDLE);
}

/* As Go prints a duration of whole seconds: 10s, 1m20s, 5m0s. */
static void seconds_text(char out[32], uint64_t s)
{
    if (s < 60)
        snprintf(out, 32, "%llus", (unsigned long long)s);
    else
        snprintf(out, 32, "%llum%llus", (unsigned long long)(s / 60), (unsigned long long)(s % 60));
}

/* The first restart comes at once, later ones after a pause that doubles; what could not even start has no
 * free one. */
static void plan_restart(struct container *c)
{
    bool unstartable = c->end.valid && strcmp(c->end.reason, "StartError") == 0, first = c->backoff_ms == 0;
    char text[WAIT_TEXT_MAX], pause[32];

    if (c->changed || (first && !unstartable)) {
        c->backoff_ms = c->changed ? 0 : BACKOFF_FIRST_MS / 2; /* the next failure waits BACKOFF_FIRST_MS */
        restart(c);
        return;
    }
    c->backoff_ms = grow(c->backoff_ms);
    if (first) {
        container__set_wait(c, "RunContainerError", c->end.message);
    } else {
        seconds_text(pause, c->backoff_ms / 1000);
        snprintf(text, sizeof text, "back-off %s restarting failed container=%s pod=%s_%s(%s)", pause,
                 c->name, c->pod->name, c->pod->ns, c->pod->uid);
        container__set_wait(c, "CrashLoopBackOff", text);
        pod_event(c->pod, c, "Warning", "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
                  c->name, c->pod->name, c->pod->ns, c->pod->uid);
    }
    container__move(c, CT_BACKOFF);
    timer_start(&c->timer, c->backoff_ms);
}

static void container_on_timer(struct timer *t)
{
    struct container *c = container_of(t, struct container, timer);

    switch (c->state) {
    case CT_WAIT:
        if (c->wait_reason != NULL && strcmp(c->wait_reason, "ErrImagePull") == 0)
            pull_back_off(c);
        else
            begin_run(c);
        break;
    case CT_BACKOFF:
        restart(c);
        break;
    case CT_PRE_STOP: case CT_TERM: case CT_KILL:
        container__on_stop_timer(c);
        break;
    default:
        break;                                   /* a state that waits for something else */
    }
}

void container_tick(struct container *c, bool may_start)
{
    if (!may_start || c->op != NULL)
        return;
    if (c->state == CT_IDLE)
        begin_run(c);
    else if (c->state == CT_EXITED
             && (c->changed || (c->end.valid && pod_restarts(c->pod, c, c->end.exit_code))))
        plan_restart(c);
}

void container_kick(struct container *c)
{
    if (c->state == CT_WAIT && c->wants_kick)
        begin_run(c);
}

void container_restart(struct container *c, const char *why)
{
    char text[512];

    if (c->state < CT_CREATE || c->state > CT_RUNNING)
        return;                                  /* ending, or not begun: the next run has it */
    c->changed = true;
    snprintf(text, sizeof text, "Container %s %s", c->name, why);
    container_stop(c, json_path_i64(c->pod->json, "spec.terminationGracePeriodSeconds", 30), text);
}

void container_set_image(struct container *c, struct str image)
{
    if (str_is(image, c->image))
        return;
    mem_free(c->image);
    c->image = mem_strndup(image);
    if (c->init && !c->sidecar)
        return; /* what it did is not done again; what it will do is with the new one */
    c->pull_backoff_ms = c->backoff_ms = 0;
    switch (c->state) {
    case CT_PULL: case CT_WAIT:
        container__set_wait(c, NULL, NULL);
        begin_run(c);
        break;
    case CT_BACKOFF:
        container__set_wait(c, NULL, NULL);
        restart(c);
        break;
    default:
        container_restart(c, "definition changed, will be restarted");
        break;
    }
}

/* ---- Found running (or ended) when the agent started ---------------------------------------- */

/* What this container's entry in the API's status says, if it is of this run (any: id NULL). */
static const struct json *told_status(const struct container *c, const char *id)
{
    const struct json *list = json_path(c->pod->json, c->ephemeral ? "status.ephemeralContainerStatuses"
                                                      : c->init    ? "status.initContainerStatuses"
                                                                   : "status.containerStatuses");

    json_each(s, list)
        if (str_is(json_path_str(s, "name"), c->name) &&
            (id == NULL || str_ends(json_path_str(s, "containerID"), str_of(id))))
            return s;
    return NULL;
}

static void adopt_running(struct container *c, const char *id)
{
    const struct json *told = told_status(c, id);

    running(c, json_path_true(told, "started"));
    if (c->started && told != NULL)
        c->ready = json_path_true(told, "ready");    /* its probe will say if that is no longer so */
}

void container_adopt(struct container *c, const struct rt_container_info *i)
{
    if (c->id[0] != '\0' && i->attempt < c->attempt) {
        if (i->state == RT_EXITED && i->attempt + 1 == c->attempt) {
            container__end_clear(&c->last);
            c->last = container__end_from(c, i);     /* the run before the one we have */
        }
        return;
    }
    if (c->end.valid && c->attempt + 1 == i->attempt) {
        container__end_clear(&c->last);
        c->last = c->end;
        c->end = (struct ct_end){ 0 };
    }
    container__end_clear(&c->end);
    snprintf(c->id, sizeof c->id, "%s", i->id);
    snprintf(c->image_id, sizeof c->image_id, "%s", i->image_id);
    c->attempt = i->attempt;
    c->started_s = i->started_ns / 1000000000;
    c->state = CT_IDLE;
    if (i->state == RT_RUNNING) {
        adopt_running(c, i->id);
    } else if (i->state == RT_CREATED) {         /* the agent died before it could start it */
        container__move(c, CT_START);
        container_start(c);
    } else {
        c->end = container__end_from(c, i);
        container__move(c, CT_EXITED);
    }
}

void container_adopt_none(struct container *c)
{
    const struct json *told = told_status(c, NULL);
    struct ct_end e = { .valid = true,
                        .exit_code = 137,
                        .reason = "ContainerStatusUnknown",
                        .finished_s = agent_now_s(agent_of(c)) };

    if (c->state != CT_IDLE || c->id[0] != '\0' || told == NULL || json_path_str(told, "containerID").n == 0)
        return;                                  /* it is known, or has never been made */
    c->attempt = (unsigned)json_path_i64(told, "restartCount", 0);
    if (c->init && !c->sidecar) {                /* it runs for every new sandbox */
        c->attempt++;
        return;
    }
    e.message = mem_strdup("The container could not be located when the agent started");
    c->end = e;
    container__move(c, CT_EXITED);
}
