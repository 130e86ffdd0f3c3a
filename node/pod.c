/* node/pod.c: see node/pod.h for the machine. */
#include <stdarg.h>
#include <stdio.h>
#include "api/pod_rules.h"
#include "api/time_fmt.h"
#include "net/log.h"
#include "node/clean_text.h"
#include "node/env_services.h"
#include "node/pod.h"
#include "node/pod_dir.h"

#define RETRY_FIRST_MS   500
#define RETRY_MAX_MS     30000
#define FORGOTTEN_GRACE_S 2                      /* for pods the API has dropped without waiting for us */
#define MOUNT_EVENT_MS   10000                   /* waiting for a volume's source that long is worth an event */

#define TO(s) (1u << (s))
static const unsigned next_states[POD_ENDED + 1] = {
    [POD_SETUP]    = TO(POD_SANDBOX) | TO(POD_TEARDOWN),
    [POD_SANDBOX]  = TO(POD_RUN) | TO(POD_TEARDOWN),
    [POD_RUN]      = TO(POD_STOP) | TO(POD_SANDBOX),
    [POD_STOP]     = TO(POD_TEARDOWN),
    [POD_TEARDOWN] = TO(POD_ENDED),
    [POD_ENDED]    = 0,
};

static void pod_on_tick(struct ready_item *it);

/* A sandbox of an earlier attempt that is still there. */
struct pod_stale { struct pod_stale *next; char id[65]; };

static void move(struct pod *p, enum pod_state to)
{
    must(next_states[p->state] & TO(to));
    log_debug("pod", "%s/%s: %d -> %d", p->ns, p->name, (int)p->state, (int)to);
    p->state = to;
    if (to >= POD_STOP) {                        /* what was retried before is no matter any more */
        timer_stop(&p->retry);
        p->retry_ms = RETRY_FIRST_MS;
    }
    if (to == POD_TEARDOWN)
        agent_room_made(p->agent);
    pod_report(p);
    pod_tick(p);
}

static void set_waiting(struct pod *p, const char *why)
{
    char *copy = why != NULL ? mem_strdup(why) : NULL;

    mem_free(p->waiting);
    p->waiting = copy;
}

/* ---- Facts others ask for ------------------------------------------------------------------- */

void pod_event(struct pod *p, const struct container *c, const char *type, const char *reason,
               const char *fmt, ...)
{
    struct event_about about = { .api_version = "v1",
                                 .kind = "Pod",
                                 .ns = str_of(p->ns),
                                 .name = str_of(p->name),
                                 .uid = str_of(p->uid) };
    char text[1024], path[300], *clean;
    va_list ap;

    if (!p->wanted)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (c != NULL) {
        snprintf(path, sizeof path, "spec.%s{%s}",
                 c->ephemeral ? "ephemeralContainers" : c->init ? "initContainers" : "containers", c->name);
        about.field_path = str_of(path);
    }
    clean = clean_text(str_of(text), sizeof text, false);
    event_record(p->agent->events, &about, type, reason, "%s", clean);
    mem_free(clean);
}

const struct json *pod_json(const struct pod *p) { return p->now != NULL ? p->now : p->json; }

struct downward pod_downward(const struct pod *p)
{
    const struct agent *a = p->agent;

    return (struct downward){ .pod = pod_json(p),
                              .pod_ip = p->ip,
                              .host_ip = a->node_ip,
                              .node_name = a->name,
                              .node_cpu_millis = a->cpu_millis,
                              .node_memory = a->memory_bytes,
                              .node_storage = a->storage_bytes };
}

bool pod_has_sandbox(const struct pod *p)
{
    return p->state == POD_RUN && p->sandbox_id[0] != '\0' && !p->sandbox_dead;
}

bool pod_is_host_network(const struct pod *p) { return json_path_true(p->json, "spec.hostNetwork"); }

bool pod_restarts(const struct pod *p, const struct container *c, int exit_code)
{
    struct str policy = json_path_str(p->json, "spec.restartPolicy");

    if (p->deleted || !p->wanted || p->doomed != NULL || p->state >= POD_STOP || c->ephemeral)
        return false;
    if (c->sidecar)
        return true;
    if (c->init)                                 /* an init container that succeeded has done its work */
        return exit_code != 0 && !str_is(policy, "Never");
    return str_is(policy, "Always") || (exit_code != 0 && !str_is(policy, "Never"));
}

struct container *pod_container(struct pod *p, struct str name)
{
    for (unsigned i = 0; i < pod_n_all(p); i++)
        if (str_is(name, pod_nth(p, i)->name))
            return pod_nth(p, i);
    return NULL;
}

/* ---- Making and freeing --------------------------------------------------------------------- */

static void content_changed(struct pod *p)
{
    p->volumes_dirty = p->kick = true;
    pod_tick(p);
}

static void pod_on_source(struct source_set *set) { content_changed(container_of(set, struct pod, sources)); }
static void pod_on_volumes(void *arg) { content_changed(arg); }

static void pod_on_retry(struct timer *t) { pod_tick(container_of(t, struct pod, retry)); }

static void pod_on_mount_wait(struct timer *t)
{
    struct pod *p = container_of(t, struct pod, mount_wait);

    if (!p->volumes_ok && p->waiting != NULL)
        pod_event(p, NULL, "Warning", "FailedMount", "%s", p->waiting);
}

static void pod_on_deadline(struct timer *t)
{
    struct pod *p = container_of(t, struct pod, deadline);

    if (p->doomed != NULL || p->state >= POD_STOP)
        return;
    p->doomed = "DeadlineExceeded";
    pod_event(p, NULL, "Normal", "DeadlineExceeded",
              "Pod was active on the node longer than the specified deadline");
    pod_tick(p);
}

/* activeDeadlineSeconds, from status.startTime on. */
static void arm_deadline(struct pod *p)
{
    int64_t limit = json_path_i64(pod_json(p), "spec.activeDeadlineSeconds", -1), start, left;
    uint32_t ns;

    timer_stop(&p->deadline);
    if (limit < 0 || p->state >= POD_STOP || !time_parse(str_of(p->start_time), &start, &ns))
        return;
    left = start + limit - agent_now_s(p->agent);
    timer_start(&p->deadline, (uint64_t)MAX_OF(left, 0) * 1000);
}

static void make_containers(struct pod *p)
{
    const struct json *init = json_path(p->json, "spec.initContainers"),
                      *main_ones = json_path(p->json, "spec.containers");
    unsigned n = 0;

    p->n_init = init != NULL ? init->n : 0;
    p->n_containers = p->n_init + (main_ones != NULL ? main_ones->n : 0);
    p->containers = mem_zalloc((p->n_containers + 1) * sizeof *p->containers);
    json_each(c, init)
        container_init(&p->containers[n++], p, c, true);
    json_each(c, main_ones)
        container_init(&p->containers[n++], p, c, false);
}

struct json *pod_tree_copy(struct arena *a, const struct json *json)
{
    struct buf text = BUF_INIT;
    struct json_error err;
    struct json *own;

    json_write(&text, json);
    must_ok(json_parse(a, arena_str(a, buf_str(&text)), &own, &err));
    buf_release(&text);
    return own;
}

struct json *pod_own_tree(struct pod *p, const struct json *json) { return pod_tree_copy(&p->arena, json); }

struct pod *pod_new(struct agent *a, const char *uid, struct object *o, const struct json *json)
{
    struct pod *p = mem_new(struct pod);
    char dir[4096];

    p->agent = a;
    arena_init(&p->arena);
    arena_init(&p->now_arena);
    p->object = o != NULL ? object_ref(o) : NULL;
    p->wanted = o != NULL;
    p->uid = mem_strdup(uid);
    p->json = pod_tree_copy(&p->arena, json);         /* the caller's lives for one call */
    p->ns = mem_strndup(json_path_str(json, "metadata.namespace"));
    p->name = mem_strndup(json_path_str(json, "metadata.name"));
    p->grace_s = json_path_i64(json, "spec.terminationGracePeriodSeconds", 30);
    p->retry_ms = RETRY_FIRST_MS;
    timer_init(&p->retry, a->loop, pod_on_retry);
    timer_init(&p->mount_wait, a->loop, pod_on_mount_wait);
    timer_init(&p->deadline, a->loop, pod_on_deadline);
    timer_init(&p->status_retry, a->loop, pod_on_status_retry);
    timer_init(&p->resize.again, a->loop, pod_on_resize_again);
    ready_init(&p->tick, pod_on_tick);
    source_set_init(&p->sources, a->sources, pod_on_source);
    snprintf(dir, sizeof dir, "%s/pods/%s/volumes", a->root_dir, p->uid);
    p->volumes = volumes_new(a, dir, &p->sources, pod_on_volumes, p);
    make_containers(p);
    pod_take_ephemeral(p);
    p->volumes_dirty = true;
    pod_begin_status(p);
    arm_deadline(p);
    if (pod_has_ended(json)) { /* ended before this agent began: nothing to run, nothing to say */
        p->state = POD_ENDED;
        p->final_sent = true;
    } else if (!a->hollow) {
        struct downward d = pod_downward(p);
        env_services(&d, &p->sources, &p->arena, NULL, NULL, NULL);
    }
    if (o != NULL)
        pod_update(p, o, json);
    pod_tick(p);
    return p;
}

void pod_free(struct pod *p)
{
    ready_cancel(&p->tick);
    timer_stop(&p->retry);
    timer_stop(&p->mount_wait);
    timer_stop(&p->deadline);
    pod_report_stop(p);
    pod_resize_release(p);
    client_cancel(p->delete_call);
    for (unsigned i = 0; i < p->n_containers; i++)
        container_release(&p->containers[i]);
    mem_free(p->containers);
    pod_free_ephemeral(p);
    volumes_free(p->volumes);
    source_set_release(&p->sources);
    object_unref(p->object);
    arena_release(&p->arena);
    arena_release(&p->now_arena);
    mem_free(p->uid);
    mem_free(p->ns);
    mem_free(p->name);
    while (p->stale != NULL) {
        struct pod_stale *s = p->stale;
        p->stale = s->next;
        mem_free(s);
    }
    mem_free(p->waiting);
    mem_free(p->start_time);
    mem_free(p->status_sent);
    mem_free(p);
}

/* ---- What the API says ---------------------------------------------------------------------- */

/* Users change labels, annotations, images and the deadline of a pod that lives; the rest of its spec is as
 * it was made. */
static bool same_wishes(const struct json *x, const struct json *y)
{
    static const char *const names[] = { "metadata.labels", "metadata.annotations", "spec" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct json *a = json_path(x, names[i]), *b = json_path(y, names[i]);
        if ((a == NULL) != (b == NULL) || (a != NULL && !json_equal(a, b)))
            return false;
    }
    return true;
}

static void take_wishes(struct pod *p, const struct json *json)
{
    static const char *const lists[] = { "spec.initContainers", "spec.containers" };

    if (same_wishes(pod_json(p), json))
        return;
    arena_reset(&p->now_arena);
    p->now = pod_tree_copy(&p->now_arena, json);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_each(spec, json_path(p->now, lists[i])) {
            struct container *c = pod_container(p, json_path_str(spec, "name"));
            if (c != NULL && p->state <= POD_RUN)
                container_set_image(c, json_path_str(spec, "image"));
        }
    if (pod_take_ephemeral(p))
        pod_report(p);
    p->resize.look = true;
    arm_deadline(p);
    content_changed(p);                          /* files made of labels and annotations */
}

/* Somebody (the pod garbage collector, an eviction) has decided that it has failed: it is not to run any
 * more. */
static void take_phase(struct pod *p, const struct json *json)
{
    if (!pod_has_ended(json) || p->state >= POD_STOP)
        return;
    p->final_sent = true;
    p->doomed = "Terminated";
}

void pod_update(struct pod *p, struct object *o, const struct json *json)
{
    int64_t grace;

    if (p->object != o) {
        object_unref(p->object);
        p->object = object_ref(o);
    }
    if (json_path_str(json, "metadata.deletionTimestamp").n > 0) {
        if (json_i64(json_path(json, "metadata.deletionGracePeriodSeconds"), &grace))
            p->grace_s = !p->deleted ? grace : MIN_OF(p->grace_s, grace);
        p->deleted = true;
    }
    take_phase(p, json);
    take_wishes(p, json);
    pod_status_seen(p, json);
    pod_tick(p);
}

void pod_forget(struct pod *p)
{
    p->wanted = false;
    p->grace_s = MIN_OF(p->grace_s, FORGOTTEN_GRACE_S);
    pod_tick(p);
}

/* ---- Setup ---------------------------------------------------------------------------------- */

static void retry_later(struct pod *p)
{
    timer_start(&p->retry, p->retry_ms);
    p->retry_ms = MIN_OF(p->retry_ms * 2, RETRY_MAX_MS);
}

static void volumes_failed(struct pod *p, int rc, const char *why)
{
    set_waiting(p, why);
    pod_report(p);                               /* ContainerCreating */
    if (rc == E_AGAIN || rc == E_NOTFOUND) { /* what is missing is watched; the retry is for what is not */
        if (!timer_active(&p->mount_wait))
            timer_start(&p->mount_wait, MOUNT_EVENT_MS);
    } else {
        pod_event(p, NULL, "Warning", "FailedMount", "%s", why);
        p->volumes_dirty = true;
        retry_later(p);
    }
}

/* Makes or updates them if something has changed.  True: all are there (maybe not the newest content). */
static bool volumes_ready(struct pod *p)
{
    struct downward d = pod_downward(p);
    struct errbuf err = { "" };
    int rc;

    if (p->agent->hollow || !p->volumes_dirty || timer_active(&p->retry))
        return p->volumes_ok || p->agent->hollow;
    p->volumes_dirty = false;
    rc = volumes_update(p->volumes, &d, &err);
    if (rc == 0) {
        timer_stop(&p->mount_wait);
        set_waiting(p, NULL);
        p->kick |= !p->volumes_ok;
        p->volumes_ok = true;
        p->retry_ms = RETRY_FIRST_MS;
    } else if (p->volumes_ok) {                  /* it runs on with what it has */
        log_warn("pod", "%s/%s: volumes: %s", p->ns, p->name, err.s);
    } else {
        volumes_failed(p, rc, err.s);
    }
    return p->volumes_ok;
}

/* ---- The sandbox ---------------------------------------------------------------------------- */

void pod_on_sandbox_made(struct pod *p, const struct rt_sandbox_create *r, int status)
{
    p->making = NULL;
    if (status == 0) {
        snprintf(p->sandbox_id, sizeof p->sandbox_id, "%s", r->id);
        snprintf(p->ip, sizeof p->ip, "%s", pod_is_host_network(p) ? p->agent->node_ip : r->ip);
        p->retry_ms = RETRY_FIRST_MS;
        p->kick = true;
        pod_report(p);
    } else {
        pod_event(p, NULL, "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: %s",
                  r->req.err.s);
        retry_later(p);
    }
    pod_tick(p);
}

static void drop_stale(struct pod *p, const char *id)
{
    for (struct pod_stale **at = &p->stale; *at != NULL; at = &(*at)->next)
        if (strcmp((*at)->id, id) == 0) {
            struct pod_stale *s = *at;
            *at = s->next;
            mem_free(s);
            return;
        }
}

static void add_stale(struct pod *p, const char *id)
{
    struct pod_stale *s = mem_new(struct pod_stale);

    snprintf(s->id, sizeof s->id, "%s", id);
    s->next = p->stale;
    p->stale = s;
}

void pod_on_sandbox_end(struct pod *p, const char *id, bool removed, int status, const char *why)
{
    bool ours = strcmp(id, p->sandbox_id) == 0;

    if (status != 0 && status != E_NOTFOUND) {
        if (status != E_AGAIN)
            log_warn("pod", "%s/%s: cannot end its sandbox: %s", p->ns, p->name, why);
        retry_later(p);
    } else if (!ours) {
        drop_stale(p, id);
    } else {
        p->retry_ms = RETRY_FIRST_MS;
        p->sandbox_stopped = true;
        if (removed || status == E_NOTFOUND)
            p->sandbox_id[0] = p->ip[0] = '\0';
    }
    pod_tick(p);
}

/* One at a time, and not before its retry is due. */
static void end_sandbox(struct pod *p, const char *id, bool remove)
{
    if (p->removing == NULL && !timer_active(&p->retry))
        pod_sandbox_end(p, id, remove);
}

/* It died by itself: what is left of it is stopped, which ends its containers; then it is removed and another
 * one made. */
static void replace_sandbox(struct pod *p)
{
    if (!p->sandbox_stopped) {
        end_sandbox(p, p->sandbox_id, false);
        return;
    }
    for (unsigned i = 0; i < pod_n_all(p); i++)
        container_lost(pod_nth(p, i));
    if (p->sandbox_id[0] != '\0') {
        end_sandbox(p, p->sandbox_id, true);
        return;
    }
    for (unsigned i = 0; i < p->n_init; i++)
        if (!p->containers[i].sidecar)
            container_again(&p->containers[i]);
    p->sandbox_dead = p->sandbox_stopped = p->initialized = false;
    move(p, POD_SANDBOX);
}

/* ---- Run ------------------------------------------------------------------------------------ */

static bool succeeded(const struct container *c)
{
    return c->state == CT_EXITED && c->end.valid && c->end.exit_code == 0;
}

/* Has the init container let the next one begin? */
static bool init_passed(const struct container *c) { return c->sidecar ? c->started : succeeded(c); }

static bool all_done(const struct pod *p)
{
    for (unsigned i = p->n_init; i < p->n_containers; i++)
        if (!container_is_done(&p->containers[i]))
            return false;
    return true;
}

static bool init_failed(const struct pod *p)
{
    for (unsigned i = 0; i < p->n_init; i++) {
        const struct container *c = &p->containers[i];
        if (!c->sidecar && container_is_done(c) && !succeeded(c))
            return true;
    }
    return false;
}

/* Init containers one after the other; once all have passed, sidecars and main containers live on their own.
 */
static void run_containers(struct pod *p)
{
    bool may = p->volumes_ok || p->agent->hollow;

    for (unsigned i = 0; i < p->n_init; i++) {
        struct container *c = &p->containers[i];
        if (!p->initialized || c->sidecar)
            container_tick(c, may);
        may &= p->initialized || init_passed(c);
    }
    if (may && !p->initialized) {
        p->initialized = true;
        pod_report(p);
    }
    for (unsigned i = p->n_init; i < p->n_containers; i++)
        container_tick(&p->containers[i], may);
}

/* ---- Stop ----------------------------------------------------------------------------------- */

static int64_t grace_left(const struct pod *p)
{
    int64_t gone = (int64_t)(loop_now_ms(p->agent->loop) - p->stop_ms) / 1000;

    return MAX_OF(p->grace_s - gone, 0);
}

/* Main containers first; sidecars after them, one by one, the last first. */
static bool stop_all(struct pod *p)
{
    bool live = false;

    if (p->stop_ms == 0)
        p->stop_ms = MAX_OF(loop_now_ms(p->agent->loop), (uint64_t)1);
    for (unsigned i = pod_n_all(p); i-- > 0;) {
        struct container *c = pod_nth(p, i);
        if (c->sidecar && live)
            break;
        if (!c->stop_wanted || p->grace_s < c->kill_grace_s)
            container_stop(c, c->stop_wanted ? p->grace_s : grace_left(p), NULL);
        live |= container_is_live(c) || c->op != NULL;
    }
    return !live;
}

/* ---- The end -------------------------------------------------------------------------------- */

static void on_deleted(void *arg, const struct client_result *r)
{
    struct pod *p = arg;

    p->delete_call = NULL;
    p->delete_sent = r->ok || r->status == 404 || r->status == 409;
    if (!p->delete_sent)
        retry_later(p);
}

/* The API may forget it: everything of it has ended. */
static void delete_object(struct pod *p)
{
    struct arena a = ARENA_INIT;
    struct client_req r = { .method = "DELETE",
                            .res = CLIENT_PODS,
                            .ns = str_of(p->ns),
                            .name = str_of(p->name),
                            .done = on_deleted,
                            .arg = p };

    r.body_text = arena_fmt(&a, "{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%s\"}}", p->uid);
    p->delete_call = client_send(p->agent->client, &r);
    if (p->delete_call == NULL)
        retry_later(p);
    arena_release(&a);
}

static void on_cleaned(struct agent *a, struct str uid)
{
    struct pod *p = map_get(&a->pods, uid);

    if (p != NULL) {
        p->cleaned = true;
        pod_tick(p);
    }
}

/* A pod that ended by itself keeps its containers on disk, for their logs and exit codes, until it is
 * deleted. */
static void pod_ended(struct pod *p)
{
    if (!p->deleted && p->wanted)
        return;
    if (p->sandbox_id[0] != '\0') {
        end_sandbox(p, p->sandbox_id, true);
        return;
    }
    if (p->stale != NULL || p->removing != NULL || (p->wanted && !p->final_sent))
        return;
    if (!p->cleaning) {
        p->cleaning = true;
        pod_dir_remove(p->agent, p->uid, on_cleaned);
    }
    if (!p->cleaned)
        return;
    if (!p->wanted)
        agent_drop_pod(p->agent, p);
    else if (!p->delete_sent && p->delete_call == NULL && !timer_active(&p->retry))
        delete_object(p);
}

/* ---- The tick ------------------------------------------------------------------------------- */

void pod_tick(struct pod *p) { ready_post(p->agent->loop, &p->tick); }

static bool is_forgotten(const struct pod *p) { return p->deleted || !p->wanted; }
static bool is_ending(const struct pod *p) { return is_forgotten(p) || p->doomed != NULL; }

static void tick_setup(struct pod *p)
{
    if (is_ending(p))
        move(p, POD_TEARDOWN);
    else if (volumes_ready(p))
        move(p, POD_SANDBOX);
}

static void tick_sandbox(struct pod *p)
{
    if (p->making != NULL)
        return;                                  /* on_sandbox_made ticks */
    if (is_ending(p))
        move(p, p->sandbox_id[0] != '\0' ? POD_RUN : POD_TEARDOWN);
    else if (p->sandbox_id[0] != '\0')
        move(p, POD_RUN);
    else if (p->stale == NULL && p->removing == NULL && !timer_active(&p->retry))
        pod_sandbox_make(p);
}

static bool has_begun(const struct pod *p)
{
    for (unsigned i = 0; i < p->n_containers; i++)
        if (p->containers[i].id[0] != '\0' || p->containers[i].end.valid || p->containers[i].last.valid)
            return true;
    return false;
}

/* A pod that is never restarted is over when its sandbox is, unless nothing of it has begun. */
static bool must_stop(const struct pod *p)
{
    if (is_ending(p)
        || (p->sandbox_dead && str_is(json_path_str(p->json, "spec.restartPolicy"), "Never") && has_begun(p)))
        return true;
    return p->initialized ? all_done(p) : init_failed(p);
}

static void tick_run(struct pod *p)
{
    bool kick;

    volumes_ready(p);                            /* changed config maps reach running pods */
    if (must_stop(p)) {
        move(p, POD_STOP);
        return;
    }
    if (p->sandbox_dead) {
        replace_sandbox(p);
        return;
    }
    kick = p->kick && p->volumes_ok;
    p->kick = p->kick && !kick;
    for (unsigned i = 0; kick && i < pod_n_all(p); i++)
        container_kick(pod_nth(p, i));
    pod_resize_look(p);
    run_containers(p);
    pod_run_ephemeral(p);
    if (must_stop(p))
        move(p, POD_STOP);
}

static void tick_teardown(struct pod *p)
{
    bool remove = is_forgotten(p);

    if (p->sandbox_id[0] == '\0' || (!remove && p->sandbox_stopped)) {
        for (unsigned i = 0; i < pod_n_all(p); i++)
            container_lost(pod_nth(p, i));
        move(p, POD_ENDED);
    } else {
        end_sandbox(p, p->sandbox_id, remove);
    }
}

static void pod_on_tick(struct ready_item *it)
{
    struct pod *p = container_of(it, struct pod, tick);

    if (!p->agent->synced)
        return;                                  /* it may run already: the agent looks, then ticks all */
    if (p->stale != NULL)
        end_sandbox(p, p->stale->id, true);
    switch (p->state) {
    case POD_SETUP:
        tick_setup(p);
        break;
    case POD_SANDBOX:
        tick_sandbox(p);
        break;
    case POD_RUN:
        tick_run(p);
        break;
    case POD_STOP:
        if (stop_all(p))
            move(p, POD_TEARDOWN);
        break;
    case POD_TEARDOWN:
        tick_teardown(p);
        break;
    case POD_ENDED:
        pod_ended(p);
        break;
    }
}

/* ---- From the runtime ----------------------------------------------------------------------- */

void pod_on_container_exit(struct pod *p, const char *id)
{
    for (unsigned i = 0; i < pod_n_all(p); i++)
        if (strcmp(pod_nth(p, i)->id, id) == 0)
            container_on_exit(pod_nth(p, i));
}

void pod_on_sandbox_death(struct pod *p, const char *id)
{
    if (strcmp(p->sandbox_id, id) != 0 || p->state != POD_RUN || p->sandbox_dead)
        return;
    p->sandbox_dead = true;
    p->sandbox_stopped = false;
    pod_event(p, NULL, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
    pod_tick(p);
}

/* Of several the one that lives, or the newest; the others go. */
void pod_adopt_sandbox(struct pod *p, const struct rt_sandbox_info *i)
{
    const struct rt_sandbox_info *had =
        p->sandbox_id[0] != '\0' ? p->agent->rt->ops->sandbox_get(p->agent->rt, p->sandbox_id) : NULL;

    p->sandbox_attempt = MAX_OF(p->sandbox_attempt, i->attempt + 1);
    if (had != NULL && (had->ready != i->ready ? had->ready : had->attempt > i->attempt)) {
        add_stale(p, i->id);
        return;
    }
    if (had != NULL)
        add_stale(p, had->id);
    snprintf(p->sandbox_id, sizeof p->sandbox_id, "%s", i->id);
    snprintf(p->ip, sizeof p->ip, "%s", i->host_network ? p->agent->node_ip : i->ip);
    p->recovered = true;
}

void pod_adopt_container(struct pod *p, const struct rt_container_info *i)
{
    struct container *c = pod_container(p, str_of(i->name));

    if (c != NULL && p->state != POD_ENDED && strcmp(p->sandbox_id, i->sandbox_id) == 0)
        container_adopt(c, i);
}

void pod_adopted(struct pod *p)
{
    const struct rt_sandbox_info *i =
        p->sandbox_id[0] != '\0' ? p->agent->rt->ops->sandbox_get(p->agent->rt, p->sandbox_id) : NULL;

    if (i == NULL) {
        for (unsigned k = 0; k < pod_n_all(p) && p->state != POD_ENDED && !p->agent->hollow; k++)
            container_adopt_none(pod_nth(p, k));
    } else if (p->state == POD_ENDED) {
        p->state = i->ready ? POD_TEARDOWN : POD_ENDED;  /* ended as the API says: nothing may run */
    } else {
        for (unsigned k = 0; k < pod_n_all(p); k++)
            container_adopt_none(pod_nth(p, k));
        p->initialized = true;
        for (unsigned k = 0; k < p->n_init; k++)
            p->initialized &= init_passed(&p->containers[k]);
        for (unsigned k = p->n_init; k < p->n_containers; k++)
            p->initialized |=
                p->containers[k].id[0] != '\0'; /* a main container has been made: they had passed */
        p->state = POD_RUN;
        if (!i->ready)
            pod_on_sandbox_death(p, i->id);
    }
    pod_tick(p);
}
