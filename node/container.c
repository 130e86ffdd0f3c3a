/* node/container.c: see node/container.h for the machine. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "api/quantity.h"
#include "api/time_fmt.h"
#include "node/env.h"
#include "node/files.h"
#include "node/pod.h"
#include "node/probe.h"

#define BACKOFF_FIRST_MS   10000                 /* before the second restart; doubles */
#define BACKOFF_MAX_MS     300000
#define BACKOFF_FORGET_MS  600000                /* a run that long starts the count anew */
#define CONFIG_RETRY_MS    5000                  /* a config map or secret is missing: it is watched too */
#define MESSAGE_MAX        4096

/* The request in flight: one at a time. */
struct ct_op {
    struct container *c;
    struct arena arena;
    union { struct rt_image_ensure image; struct rt_container_create create; struct rt_by_id by_id; };
};

struct ct_hook { struct container *c; struct action *action; struct timer limit; };

/* What may follow what; anything else is a bug here. */
#define TO(s) (1u << (s))
static const unsigned next_states[CT_STATES] = {
    [CT_IDLE]       = TO(CT_PULL) | TO(CT_RUNNING) | TO(CT_EXITED) | TO(CT_BACKOFF),
    [CT_PULL]       = TO(CT_CREATE) | TO(CT_WAIT) | TO(CT_EXITED),
    [CT_WAIT]       = TO(CT_PULL) | TO(CT_EXITED),
    [CT_CREATE]     = TO(CT_START) | TO(CT_WAIT) | TO(CT_EXITED),
    [CT_START]      = TO(CT_POST_START) | TO(CT_RUNNING) | TO(CT_EXITED) | TO(CT_TERM),
    [CT_POST_START] = TO(CT_RUNNING) | TO(CT_EXITED) | TO(CT_TERM) | TO(CT_PRE_STOP) | TO(CT_KILL),
    [CT_RUNNING]    = TO(CT_PRE_STOP) | TO(CT_TERM) | TO(CT_KILL) | TO(CT_EXITED),
    [CT_PRE_STOP]   = TO(CT_TERM) | TO(CT_KILL) | TO(CT_EXITED),
    [CT_TERM]       = TO(CT_KILL) | TO(CT_EXITED),
    [CT_KILL]       = TO(CT_EXITED),
    [CT_EXITED]     = TO(CT_BACKOFF) | TO(CT_PULL) | TO(CT_IDLE),
    [CT_BACKOFF]    = TO(CT_PULL) | TO(CT_EXITED),
};

static struct agent *agent_of(const struct container *c) { return c->pod->agent; }

static void move(struct container *c, enum container_state to)
{
    must(next_states[c->state] & TO(to));
    c->state = to;
    pod_tick(c->pod);
    pod_report(c->pod);
}

static void set_wait(struct container *c, const char *reason, const char *message)
{
    char *copy = message != NULL ? mem_strdup(message) : NULL;

    mem_free(c->wait_message);
    c->wait_message = copy;
    c->wait_reason = reason;
}

static void container_on_timer(struct timer *t);

void container_init(struct container *c, struct pod *p, const struct json *spec, bool init)
{
    *c = (struct container){ .pod = p, .spec = spec, .init = init };
    c->name = arena_cstr(&p->arena, json_path_str(spec, "name"));
    c->sidecar = init && str_is(json_path_str(spec, "restartPolicy"), "Always");
    timer_init(&c->timer, p->agent->loop, container_on_timer);
}

static void end_clear(struct ct_end *e)
{
    mem_free(e->message);
    *e = (struct ct_end){ 0 };
}

static void stop_probes(struct container *c)
{
    probe_stop(c->startup);
    probe_stop(c->readiness);
    probe_stop(c->liveness);
    c->startup = c->readiness = c->liveness = NULL;
}

static void hook_end(struct container *c)
{
    if (c->hook == NULL)
        return;
    action_cancel(c->hook->action);
    timer_stop(&c->hook->limit);
    mem_free(c->hook);
    c->hook = NULL;
}

void container_release(struct container *c)
{
    timer_stop(&c->timer);
    stop_probes(c);
    hook_end(c);
    if (c->op != NULL)
        c->op->c = NULL;                         /* its callback only frees it */
    end_clear(&c->end);
    end_clear(&c->last);
    mem_free(c->wait_message);
    c->wait_message = NULL;
}

bool container_is_live(const struct container *c)
{
    return c->state >= CT_CREATE && c->state <= CT_KILL && c->state != CT_WAIT;
}

bool container_is_done(const struct container *c)
{
    if (c->state != CT_EXITED)
        return false;
    return c->pod->state >= POD_STOP || !pod_restarts(c->pod, c, c->end.exit_code);
}

const char *container_log_path(const struct container *c, unsigned attempt, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s/pods/%s/logs/%s/%u.log", agent_of(c)->root_dir, c->pod->uid, c->name, attempt);
    return buf;
}

/* ---- Requests -------------------------------------------------------------------------------------------------- */

static struct ct_op *op_new(struct container *c)
{
    struct ct_op *op = mem_new(struct ct_op);

    must(c->op == NULL);
    op->c = c;
    arena_init(&op->arena);
    c->op = op;
    return op;
}

/* The container the request was for, or NULL if that is gone; the op is freed by the caller with op_free(). */
static struct container *op_done(struct ct_op *op)
{
    struct container *c = op->c;

    if (c != NULL)
        c->op = NULL;
    return c;
}

static void op_free(struct ct_op *op)
{
    arena_release(&op->arena);
    mem_free(op);
}

static uint64_t grow_backoff(struct container *c)
{
    c->backoff_ms = c->backoff_ms == 0 ? BACKOFF_FIRST_MS : MIN_OF(c->backoff_ms * 2, BACKOFF_MAX_MS);
    return c->backoff_ms;
}

/* Cannot go on now: wait and begin again with the image. */
static void wait_and_retry(struct container *c, const char *reason, const char *message, uint64_t ms)
{
    set_wait(c, reason, message);
    move(c, CT_WAIT);
    timer_start(&c->timer, ms);
}

/* ---- Image ------------------------------------------------------------------------------------------------------- */

static void container_create(struct container *c);

static void on_image(struct rt_req *r, int status)
{
    struct ct_op *op = container_of(r, struct ct_op, image.req);
    struct container *c = op_done(op);
    char text[600];

    if (c == NULL || c->state != CT_PULL) {
        op_free(op);
        return;
    }
    if (status == 0) {
        snprintf(c->image_id, sizeof c->image_id, "%s", op->image.id);
        pod_event(c->pod, c, "Normal", "Pulled", "Container image \"%s\" already present on machine", op->image.ref);
        move(c, CT_CREATE);
        container_create(c);
    } else {
        bool never = str_is(json_path_str(c->spec, "imagePullPolicy"), "Never");
        snprintf(text, sizeof text, "Failed to pull image \"%s\": %s", op->image.ref, r->err.s);
        if (never) {
            snprintf(text, sizeof text, "Container image \"%s\" is not present with pull policy of Never", op->image.ref);
            pod_event(c->pod, c, "Warning", "ErrImageNeverPull", "%s", text);
        } else {
            pod_event(c->pod, c, "Warning", "Failed", "%s", text);
            pod_event(c->pod, c, "Warning", "Failed", "Error: ErrImagePull");
        }
        wait_and_retry(c, never ? "ErrImageNeverPull" : "ErrImagePull", text, grow_backoff(c));
    }
    op_free(op);
}

static void container_pull(struct container *c)
{
    struct ct_op *op = op_new(c);

    op->image.ref = arena_cstr(&op->arena, json_path_str(c->spec, "image"));
    op->image.req.done = on_image;
    if (agent_of(c)->rt->ops->image_get(agent_of(c)->rt, op->image.ref) == NULL && c->backoff_ms == 0)
        pod_event(c->pod, c, "Normal", "Pulling", "Pulling image \"%s\"", op->image.ref);
    agent_of(c)->rt->ops->image_ensure(agent_of(c)->rt, &op->image);
}

/* ---- Creation ------------------------------------------------------------------------------------------------------- */

static int64_t resource(const struct container *c, const char *which, const char *what, bool milli)
{
    struct quantity q;

    if (quantity_from_json(json_getz(json_path(c->spec, which), what), &q, NULL) != 0)
        return 0;
    return milli ? quantity_milli(q) : quantity_value(q);
}

/* Guaranteed: -997; Burstable: the less memory asked for, the sooner it goes; BestEffort: 1000. */
static int oom_score(const struct container *c)
{
    struct str qos = json_path_str(c->pod->json, "status.qosClass");
    int64_t ask = resource(c, "resources.requests", "memory", false), all = agent_of(c)->memory_bytes;

    if (str_is(qos, "Guaranteed"))
        return -997;
    if (str_is(qos, "BestEffort") || all <= 0)
        return 1000;
    int64_t score = 1000 - 1000 * (MIN_OF(ask, all) / 1024) / MAX_OF(all / 1024, 1);
    return (int)MAX_OF(MIN_OF(score, 999), 3);
}

static struct rt_resources resources_of(const struct container *c)
{
    int64_t cpu = resource(c, "resources.requests", "cpu", true), limit = resource(c, "resources.limits", "cpu", true);
    struct rt_resources r = { .memory_bytes = resource(c, "resources.limits", "memory", false), .oom_score_adj = oom_score(c) };

    if (cpu == 0)
        cpu = limit;
    r.cpu_shares = (uint64_t)MAX_OF(MIN_OF(cpu * 1024 / 1000, 262144), 2);
    if (limit > 0) {
        r.cpu_period_us = 100000;
        r.cpu_quota_us = MAX_OF(limit * 100, 1000);
    }
    return r;
}

static const char *const *string_list(struct arena *a, const struct json *list, size_t *ret_n)
{
    const char **v = arena_alloc(a, ((list != NULL ? list->n : 0) + 1) * sizeof *v);

    *ret_n = 0;
    json_each(e, list)
        v[(*ret_n)++] = arena_cstr(a, json_str(e));
    return v;
}

/* A field of the container's securityContext, else of the pod's. */
static const struct json *security(const struct container *c, const char *key)
{
    const struct json *own = json_getz(json_getz(c->spec, "securityContext"), key);
    return own != NULL ? own : json_getz(json_path(c->pod->json, "spec.securityContext"), key);
}

static struct rt_security security_of(const struct container *c, struct arena *a)
{
    const struct json *own = json_getz(c->spec, "securityContext"), *allow = json_getz(own, "allowPrivilegeEscalation");
    const struct json *groups = json_path(c->pod->json, "spec.securityContext.supplementalGroups");
    struct rt_security s = { .privileged = json_path_true(own, "privileged"), .read_only_root = json_path_true(own, "readOnlyRootFilesystem"),
                             .no_new_privileges = allow != NULL && !json_true(allow), .run_as_non_root = json_true(security(c, "runAsNonRoot")),
                             .unmasked_proc = str_is(json_path_str(own, "procMount"), "Unmasked") };
    int64_t v;

    if (json_i64(security(c, "runAsUser"), &v)) {
        s.has_uid = true;
        s.uid = (uint32_t)v;
    }
    if (json_i64(security(c, "runAsGroup"), &v)) {
        s.has_gid = true;
        s.gid = (uint32_t)v;
    }
    uint32_t *list = arena_alloc(a, ((groups != NULL ? groups->n : 0) + 2) * sizeof *list);
    json_each(g, groups)
        list[s.n_groups++] = (uint32_t)json_i64_or(g, 0);
    if (json_i64(json_path(c->pod->json, "spec.securityContext.fsGroup"), &v))
        list[s.n_groups++] = (uint32_t)v;
    s.groups = list;
    s.cap_add = string_list(a, json_path(own, "capabilities.add"), &s.n_cap_add);
    s.cap_drop = string_list(a, json_path(own, "capabilities.drop"), &s.n_cap_drop);
    return s;
}

static int mounts_of(struct container *c, struct rt_container_create *r, struct arena *a, struct errbuf *err)
{
    const struct json *list = json_getz(c->spec, "volumeMounts");
    struct rt_mount *m = arena_zalloc(a, ((list != NULL ? list->n : 0) + 1) * sizeof *m);

    r->mounts = m;
    json_each(e, list) {
        struct str name = json_path_str(e, "name"), sub = json_path_str(e, "subPath"), prop = json_path_str(e, "mountPropagation");
        bool read_only = false;
        const char *source = volumes_path(c->pod->volumes, name, &read_only);
        if (source == NULL)
            return err_set(err, E_INVALID, "volume \"%.*s\" is not there", STR_ARG(name));
        struct str dest = json_path_str(e, "mountPath");
        *m++ = (struct rt_mount){ .source = source, .sub_path = sub.n > 0 ? arena_cstr(a, sub) : NULL,
                                  .dest = dest.n > 0 && dest.p[0] == '/' ? arena_cstr(a, dest) : arena_fmt(a, "/%.*s", STR_ARG(dest)).p,
                                  .read_only = read_only || json_path_true(e, "readOnly"),
                                  .propagation = str_is(prop, "Bidirectional") ? RT_PROP_BIDIRECTIONAL
                                                 : str_is(prop, "HostToContainer") ? RT_PROP_HOST_TO_CONTAINER : RT_PROP_NONE };
        r->n_mounts++;
    }
    return 0;
}

static int fill_create(struct container *c, struct rt_container_create *r, struct arena *a, struct errbuf *err)
{
    struct downward d = pod_downward(c->pod);
    struct env_result env;
    char path[4096];
    int rc = env_resolve(&d, &c->pod->sources, c->spec, a, &env, err);

    if (rc == 0)
        rc = mounts_of(c, r, a, err);
    if (rc != 0)
        return rc;
    struct str cwd = json_path_str(c->spec, "workingDir"), term = json_path_str(c->spec, "terminationMessagePath");
    r->sandbox_id = c->pod->sandbox_id;
    r->name = c->name;
    r->attempt = c->attempt;
    r->image = arena_cstr(a, json_path_str(c->spec, "image"));
    r->command = env.command;
    r->n_command = env.n_command;
    r->args = env.args;
    r->n_args = env.n_args;
    r->env = env.env;
    r->n_env = env.n_env;
    r->cwd = cwd.n > 0 ? arena_cstr(a, cwd) : NULL;
    r->resources = resources_of(c);
    r->security = security_of(c, a);
    r->tty = json_path_true(c->spec, "tty");
    r->want_stdin = json_path_true(c->spec, "stdin");
    r->stdin_once = json_path_true(c->spec, "stdinOnce");
    r->log_path = arena_cstr(a, str_of(container_log_path(c, c->attempt, path, sizeof path)));
    r->termination_path = term.n > 0 ? arena_cstr(a, term) : NULL;
    return 0;
}

static void container_start(struct container *c);
static void ended(struct container *c, struct ct_end end);

/* It could not be created or started: as users know it, a run that ended with 128. */
static void failed_to_run(struct container *c, const char *reason, const char *message)
{
    int64_t now = agent_now_s(agent_of(c));

    pod_event(c->pod, c, "Warning", "Failed", "Error: %s", message);
    if (c->state == CT_CREATE) {
        wait_and_retry(c, reason, message, grow_backoff(c));
        return;
    }
    ended(c, (struct ct_end){ .valid = true, .exit_code = 128, .reason = "StartError", .message = mem_strdup(message),
                              .started_s = now, .finished_s = now });
}

static void on_created(struct rt_req *r, int status)
{
    struct ct_op *op = container_of(r, struct ct_op, create.req);
    struct container *c = op_done(op);

    if (c == NULL) {
        op_free(op);
        return;
    }
    if (status == 0) {
        snprintf(c->id, sizeof c->id, "%s", op->create.id);
        pod_event(c->pod, c, "Normal", "Created", "Created container: %s", c->name);
        if (c->state == CT_CREATE) {
            move(c, CT_START);
            container_start(c);
        }
    } else if (c->state == CT_CREATE) {
        failed_to_run(c, status == E_INVALID ? "CreateContainerConfigError" : status == E_CHILD ? "RunContainerError" : "CreateContainerError",
                      r->err.s);
    }
    op_free(op);
}

static void container_create(struct container *c)
{
    struct ct_op *op = op_new(c);
    struct errbuf err = { "" };
    int rc = fill_create(c, &op->create, &op->arena, &err);

    if (rc == 0) {
        op->create.req.done = on_created;
        agent_of(c)->rt->ops->container_create(agent_of(c)->rt, &op->create);
        return;
    }
    op_done(op);
    op_free(op);
    if (rc == E_AGAIN) {
        wait_and_retry(c, "ContainerCreating", NULL, CONFIG_RETRY_MS);
        return;
    }
    pod_event(c->pod, c, "Warning", "Failed", "Error: %s", err.s);
    wait_and_retry(c, "CreateContainerConfigError", err.s, CONFIG_RETRY_MS);
}

/* ---- Start, postStart, probes ------------------------------------------------------------------------------------------ */

static void on_readiness(struct container *c, struct probe *p, bool ok, const char *reason)
{
    if (!ok)
        pod_event(c->pod, c, "Warning", "Unhealthy", "Readiness probe failed: %s", reason);
    c->ready = ok && c->started;
    pod_report(c->pod);
}

static void unhealthy(struct container *c, const char *what, const char *reason)
{
    int64_t grace = json_path_i64(json_getz(c->spec, "livenessProbe"), "terminationGracePeriodSeconds",
                                  json_path_i64(c->pod->json, "spec.terminationGracePeriodSeconds", 30));
    if (c->state != CT_RUNNING)
        return;
    pod_event(c->pod, c, "Warning", "Unhealthy", "%s probe failed: %s", what, reason);
    pod_event(c->pod, c, "Normal", "Killing", "Container %s failed %s probe, will be restarted", c->name, what[0] == 'L' ? "liveness" : "startup");
    container_stop(c, grace);
}

static void on_liveness(struct container *c, struct probe *p, bool ok, const char *reason)
{
    if (!ok)
        unhealthy(c, "Liveness", reason);
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
        unhealthy(c, "Startup", reason);
        return;
    }
    if (c->started)
        return;
    probe_stop(c->startup);
    c->startup = NULL;
    begin_probes(c);
}

static void running(struct container *c)
{
    const struct json *s = json_getz(c->spec, "startupProbe");

    set_wait(c, NULL, NULL);
    move(c, CT_RUNNING);
    if (s != NULL)
        c->startup = probe_start(c, s, "Startup", on_startup);
    else
        begin_probes(c);
    if (c->stop_wanted)
        container_stop(c, c->kill_grace_s);
}

static void kill_with(struct container *c, int signum);

static void on_post_start(void *arg, bool ok, const char *reason)
{
    struct container *c = arg;

    c->hook->action = NULL;
    hook_end(c);
    if (c->state != CT_POST_START)
        return;
    if (ok) {
        running(c);
        return;
    }
    pod_event(c->pod, c, "Warning", "FailedPostStartHook", "PostStartHook failed: %s", reason);
    move(c, CT_KILL);
    kill_with(c, 9);
}

static void on_started(struct rt_req *r, int status)
{
    struct ct_op *op = container_of(r, struct ct_op, by_id.req);
    struct container *c = op_done(op);

    if (c == NULL || c->state != CT_START) {
        op_free(op);
        return;
    }
    if (status == 0) {
        const struct json *hook = json_path(c->spec, "lifecycle.postStart");
        c->started_s = agent_now_s(agent_of(c));
        c->run_since_ms = loop_now_ms(agent_of(c)->loop);
        pod_event(c->pod, c, "Normal", "Started", "Started container %s", c->name);
        if (hook == NULL) {
            running(c);
        } else {
            move(c, CT_POST_START);
            c->hook = mem_new(struct ct_hook);
            c->hook->action = action_start(c, hook, 0, on_post_start, c);
        }
    } else {
        failed_to_run(c, "RunContainerError", r->err.s);
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

/* ---- Stop ------------------------------------------------------------------------------------------------------------------ */

struct kill { struct rt_kill r; char id[65]; };

static void on_killed(struct rt_req *r, int status) { mem_free(container_of(container_of(r, struct rt_kill, req), struct kill, r)); }

/* Whether it worked shows when the container ends. */
static void kill_with(struct container *c, int signum)
{
    struct kill *k = mem_new(struct kill);

    snprintf(k->id, sizeof k->id, "%s", c->id);
    k->r = (struct rt_kill){ .req = { .done = on_killed }, .id = k->id, .signum = signum };
    agent_of(c)->rt->ops->container_kill(agent_of(c)->rt, &k->r);
}

static int stop_signal(const struct container *c)
{
    static const struct { const char *name; int n; } names[] = {
        { "SIGTERM", 15 }, { "SIGQUIT", 3 }, { "SIGINT", 2 }, { "SIGHUP", 1 }, { "SIGKILL", 9 }, { "SIGUSR1", 10 }, { "SIGUSR2", 12 },
        { "SIGWINCH", 28 }, { "SIGRTMIN+3", 37 },
    };
    const struct rt_image_info *i = agent_of(c)->rt->ops->image_get(agent_of(c)->rt, c->image_id);
    const char *want = i != NULL ? i->stop_signal : "";

    for (size_t k = 0; k < ARRAY_LEN(names); k++)
        if (strcmp(want, names[k].name) == 0 || strcmp(want, names[k].name + 3) == 0)
            return names[k].n;
    return 15;
}

static void send_term(struct container *c)
{
    hook_end(c);
    move(c, CT_TERM);
    kill_with(c, stop_signal(c));
}

static void send_kill(struct container *c)
{
    hook_end(c);
    move(c, CT_KILL);
    kill_with(c, 9);
}

static void on_pre_stop(void *arg, bool ok, const char *reason)
{
    struct container *c = arg;

    c->hook->action = NULL;
    if (!ok)
        pod_event(c->pod, c, "Warning", "FailedPreStopHook", "PreStopHook failed: %s", reason);
    if (c->state == CT_PRE_STOP)
        send_term(c);
    else
        hook_end(c);
}

void container_stop(struct container *c, int64_t grace_s)
{
    const struct json *hook = json_path(c->spec, "lifecycle.preStop");

    c->stop_wanted = true;
    c->kill_grace_s = grace_s;
    stop_probes(c);
    c->ready = false;
    switch (c->state) {
    case CT_RUNNING:
        pod_event(c->pod, c, "Normal", "Killing", "Stopping container %s", c->name);
        timer_start(&c->timer, (uint64_t)MAX_OF(grace_s, 0) * 1000);    /* preStop and SIGTERM share it */
        if (hook != NULL && grace_s > 0) {
            move(c, CT_PRE_STOP);
            c->hook = mem_new(struct ct_hook);
            c->hook->action = action_start(c, hook, 0, on_pre_stop, c);
        } else if (grace_s > 0) {
            send_term(c);
        } else {
            send_kill(c);
        }
        break;
    case CT_POST_START:
        send_kill(c);
        break;
    case CT_TERM: case CT_PRE_STOP:
        timer_start(&c->timer, (uint64_t)MAX_OF(grace_s, 0) * 1000);    /* a shorter grace was asked for */
        break;
    case CT_PULL: case CT_WAIT: case CT_BACKOFF: case CT_CREATE:
        if (c->state != CT_CREATE || c->op == NULL) {
            timer_stop(&c->timer);
            move(c, CT_EXITED);
        }
        break;
    case CT_IDLE: case CT_START: case CT_KILL: case CT_EXITED: case CT_STATES:
        break;                                   /* nothing runs, or its end is on the way, or running() looks */
    }
}

/* ---- The end of a run ------------------------------------------------------------------------------------------------------- */

/* What the container wrote for us before it ended; else, if asked for, the end of its log. */
static char *termination_message(const struct container *c, const struct rt_container_info *i, bool failed)
{
    struct buf b = BUF_INIT;
    char *text = NULL;

    if (i->termination_file != NULL)
        file_read(i->termination_file, 1 << 20, &b, NULL);
    if (b.n == 0 && failed && str_is(json_path_str(c->spec, "terminationMessagePolicy"), "FallbackToLogsOnError") && i->log_path != NULL)
        file_read(i->log_path, 1 << 20, &b, NULL);
    if (b.n > 0) {
        struct str s = buf_str(&b);
        text = mem_strndup(s.n > MESSAGE_MAX ? str_from(s, s.n - MESSAGE_MAX) : s);
    }
    buf_release(&b);
    return text;
}

static struct ct_end end_from(const struct container *c, const struct rt_container_info *i)
{
    struct ct_end e = { .valid = true, .oom = i->oom_killed, .exit_code = i->exit_code, .started_s = i->started_ns / 1000000000,
                        .finished_s = i->finished_ns / 1000000000 };

    snprintf(e.id, sizeof e.id, "%s", i->id);
    e.reason = i->oom_killed ? "OOMKilled" : i->lost ? "ContainerStatusUnknown" : i->exit_code == 0 ? "Completed" : "Error";
    e.message = termination_message(c, i, i->exit_code != 0);
    return e;
}

static void ended(struct container *c, struct ct_end end)
{
    stop_probes(c);
    hook_end(c);
    timer_stop(&c->timer);
    end_clear(&c->end);
    c->end = end;
    c->ready = c->started = false;
    if (c->run_since_ms > 0 && loop_now_ms(agent_of(c)->loop) - c->run_since_ms > BACKOFF_FORGET_MS)
        c->backoff_ms = 0;
    move(c, CT_EXITED);
}

void container_on_exit(struct container *c)
{
    const struct rt_container_info *i = agent_of(c)->rt->ops->container_get(agent_of(c)->rt, c->id);

    if (i == NULL || i->state != RT_EXITED || c->state == CT_EXITED || c->state == CT_IDLE || c->state == CT_BACKOFF)
        return;
    if (c->state == CT_WAIT || c->state == CT_PULL)
        return;                                  /* an earlier run */
    ended(c, end_from(c, i));
}

/* ---- Restart ------------------------------------------------------------------------------------------------------------------ */

struct removal { struct rt_by_id r; char id[65]; };

static void on_removed(struct rt_req *r, int status) { mem_free(container_of(container_of(r, struct rt_by_id, req), struct removal, r)); }

/* Of ended runs only the last is kept, for logs --previous. */
static void remove_run(struct container *c, const char *id)
{
    struct removal *r;

    if (id[0] == '\0')
        return;
    r = mem_new(struct removal);
    snprintf(r->id, sizeof r->id, "%s", id);
    r->r = (struct rt_by_id){ .req = { .done = on_removed }, .id = r->id };
    agent_of(c)->rt->ops->container_remove(agent_of(c)->rt, &r->r);
}

static void remove_old_logs(const struct container *c)
{
    char path[4096];

    if (c->attempt >= 2)
        unlink(container_log_path(c, c->attempt - 2, path, sizeof path));
}

static void begin_run(struct container *c)
{
    set_wait(c, c->wait_reason != NULL && strcmp(c->wait_reason, "ErrImagePull") == 0 ? "ErrImagePull" : "ContainerCreating", NULL);
    c->stop_wanted = false;
    move(c, CT_PULL);
    container_pull(c);
}

static void restart(struct container *c)
{
    if (c->end.valid) {
        remove_run(c, c->last.id);
        end_clear(&c->last);
        c->last = c->end;
        c->end = (struct ct_end){ 0 };
        c->attempt++;
        c->id[0] = '\0';
        remove_old_logs(c);
    }
    begin_run(c);
}

/* The first restart comes at once, later ones after a pause that doubles. */
static void plan_restart(struct container *c)
{
    char text[400];

    if (c->backoff_ms == 0) {
        grow_backoff(c);
        c->backoff_ms /= 2;                      /* the next failure waits BACKOFF_FIRST_MS */
        restart(c);
        return;
    }
    grow_backoff(c);
    snprintf(text, sizeof text, "back-off %llus restarting failed container=%s pod=%s_%s(%s)", (unsigned long long)c->backoff_ms / 1000, c->name,
             c->pod->name, c->pod->ns, c->pod->uid);
    set_wait(c, "CrashLoopBackOff", text);
    pod_event(c->pod, c, "Warning", "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)", c->name, c->pod->name,
              c->pod->ns, c->pod->uid);
    move(c, CT_BACKOFF);
    timer_start(&c->timer, c->backoff_ms);
}

/* The retry of an image that could not be had: say back-off, as the wait is. */
static void retry_image(struct container *c)
{
    if (c->wait_reason != NULL && strcmp(c->wait_reason, "ErrImagePull") == 0) {
        struct str image = json_path_str(c->spec, "image");
        char text[600];
        snprintf(text, sizeof text, "Back-off pulling image \"%.*s\"", STR_ARG(image));
        pod_event(c->pod, c, "Normal", "BackOff", "%s", text);
        pod_event(c->pod, c, "Warning", "Failed", "Error: ImagePullBackOff");
        set_wait(c, "ImagePullBackOff", text);
        pod_report(c->pod);
        timer_start(&c->timer, c->backoff_ms > 2000 ? c->backoff_ms - 2000 : 1);
        return;
    }
    begin_run(c);
}

static void container_on_timer(struct timer *t)
{
    struct container *c = container_of(t, struct container, timer);

    switch (c->state) {
    case CT_WAIT:
        retry_image(c);
        break;
    case CT_BACKOFF:
        restart(c);
        break;
    case CT_PRE_STOP: case CT_TERM:
        send_kill(c);
        break;
    default:
        break;                                   /* a state that waits for something else */
    }
}

void container_tick(struct container *c, bool may_start)
{
    if (c->state == CT_IDLE && may_start)
        begin_run(c);
    else if (c->state == CT_EXITED && may_start && c->end.valid && pod_restarts(c->pod, c, c->end.exit_code))
        plan_restart(c);
}

/* ---- Found running (or ended) when the agent started ---------------------------------------------------------------------------- */

void container_adopt(struct container *c, const struct rt_container_info *i)
{
    if (i->state == RT_EXITED && c->id[0] != '\0' && i->attempt + 1 == c->attempt) {
        end_clear(&c->last);
        c->last = end_from(c, i);                /* the run before the one we have */
        return;
    }
    if (c->id[0] != '\0' && i->attempt < c->attempt)
        return;
    if (c->id[0] != '\0' && c->end.valid) {
        end_clear(&c->last);
        c->last = c->end;
        c->end = (struct ct_end){ 0 };
    }
    snprintf(c->id, sizeof c->id, "%s", i->id);
    snprintf(c->image_id, sizeof c->image_id, "%s", i->image_id);
    c->attempt = i->attempt;
    c->started_s = i->started_ns / 1000000000;
    c->run_since_ms = loop_now_ms(agent_of(c)->loop);
    c->state = CT_IDLE;
    if (i->state == RT_RUNNING) {
        running(c);
        c->ready = c->started;                   /* as it was; its probe will say if that is no longer so */
        return;
    }
    if (i->state == RT_EXITED)
        c->end = end_from(c, i);
    else                                         /* created but never started: the agent died in between */
        c->end = (struct ct_end){ .valid = true, .exit_code = 137, .reason = "ContainerStatusUnknown",
                                  .finished_s = agent_now_s(agent_of(c)) };
    snprintf(c->end.id, sizeof c->end.id, "%s", i->id);
    move(c, CT_EXITED);
}
