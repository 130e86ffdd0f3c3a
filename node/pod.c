/* node/pod.c: see node/pod.h for the machine. */
#include <stdarg.h>
#include <stdio.h>
#include "api/quantity.h"
#include "net/log.h"
#include "node/files.h"
#include "node/pod.h"

#define RETRY_FIRST_MS   500
#define RETRY_MAX_MS     30000
#define FORGOTTEN_GRACE_S 2                      /* for pods the API has dropped without waiting for us */
#define MOUNT_EVENT_MS   10000                   /* waiting for a volume's source that long is worth an event */

#define TO(s) (1u << (s))
static const unsigned next_states[POD_ENDED + 1] = {
    [POD_SETUP]    = TO(POD_SANDBOX) | TO(POD_TEARDOWN),
    [POD_SANDBOX]  = TO(POD_RUN) | TO(POD_SETUP) | TO(POD_TEARDOWN),
    [POD_RUN]      = TO(POD_STOP) | TO(POD_SANDBOX),
    [POD_STOP]     = TO(POD_TEARDOWN),
    [POD_TEARDOWN] = TO(POD_ENDED),
    [POD_ENDED]    = 0,
};

static void pod_on_tick(struct ready_item *it);
static void pod_run(struct pod *p);

static void move(struct pod *p, enum pod_state to)
{
    must(next_states[p->state] & TO(to));
    log_debug("pod", "%s/%s: %d -> %d", p->ns, p->name, (int)p->state, (int)to);
    p->state = to;
    pod_report(p);
    pod_tick(p);
}

static void set_waiting(struct pod *p, const char *why)
{
    char *copy = why != NULL ? mem_strdup(why) : NULL;

    mem_free(p->waiting);
    p->waiting = copy;
}

/* ---- Facts others ask for -------------------------------------------------------------------------------------- */

void pod_event(struct pod *p, const struct container *c, const char *type, const char *reason, const char *fmt, ...)
{
    struct event_about about = { .api_version = "v1", .kind = "Pod", .ns = str_of(p->ns), .name = str_of(p->name), .uid = str_of(p->uid) };
    char text[1024], path[300];
    va_list ap;

    if (!p->wanted)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (c != NULL) {
        snprintf(path, sizeof path, "spec.%s{%s}", c->init ? "initContainers" : "containers", c->name);
        about.field_path = str_of(path);
    }
    event_record(p->agent->events, &about, type, reason, "%s", text);
}

struct downward pod_downward(const struct pod *p)
{
    const struct agent *a = p->agent;

    return (struct downward){ .pod = p->json, .pod_ip = p->ip, .host_ip = a->node_ip, .node_name = a->name, .node_cpu_millis = a->cpu_millis,
                              .node_memory = a->memory_bytes, .node_storage = a->storage_bytes };
}

bool pod_is_host_network(const struct pod *p) { return json_path_true(p->json, "spec.hostNetwork"); }

bool pod_restarts(const struct pod *p, const struct container *c, int exit_code)
{
    struct str policy = json_path_str(p->json, "spec.restartPolicy");

    if (p->deleted || !p->wanted || p->state >= POD_STOP)
        return false;
    if (c->sidecar)
        return true;
    if (c->init)                                 /* an init container that succeeded has done its work */
        return exit_code != 0 && !str_is(policy, "Never");
    return str_is(policy, "Always") || (exit_code != 0 && !str_is(policy, "Never"));
}

struct container *pod_container(struct pod *p, struct str name)
{
    for (unsigned i = 0; i < p->n_containers; i++)
        if (str_is(name, p->containers[i].name))
            return &p->containers[i];
    return NULL;
}

/* ---- Making and freeing -------------------------------------------------------------------------------------------- */

static void pod_on_source(struct source_set *set) { pod_tick(container_of(set, struct pod, sources)); }

static void pod_on_volumes(void *arg)
{
    struct pod *p = arg;
    pod_tick(p);
}

static void pod_on_retry(struct timer *t) { pod_tick(container_of(t, struct pod, retry)); }

static void pod_on_mount_wait(struct timer *t)
{
    struct pod *p = container_of(t, struct pod, mount_wait);

    if (p->state == POD_SETUP && p->waiting != NULL)
        pod_event(p, NULL, "Warning", "FailedMount", "%s", p->waiting);
}

static void make_containers(struct pod *p)
{
    const struct json *init = json_path(p->json, "spec.initContainers"), *main_ones = json_path(p->json, "spec.containers");
    unsigned n = 0;

    p->n_init = init != NULL ? init->n : 0;
    p->n_containers = p->n_init + (main_ones != NULL ? main_ones->n : 0);
    p->containers = mem_zalloc((p->n_containers + 1) * sizeof *p->containers);
    json_each(c, init)
        container_init(&p->containers[n++], p, c, true);
    json_each(c, main_ones)
        container_init(&p->containers[n++], p, c, false);
}

static bool has_ended_before(const struct json *json)
{
    struct str phase = json_path_str(json, "status.phase");
    return str_is(phase, "Succeeded") || str_is(phase, "Failed");
}

struct pod *pod_new(struct agent *a, struct object *o, struct json *json)
{
    struct pod *p = mem_new(struct pod);
    char dir[4096];

    p->agent = a;
    arena_init(&p->arena);
    arena_init(&p->meta);
    p->object = o != NULL ? object_ref(o) : NULL;
    p->wanted = o != NULL;
    struct buf text = BUF_INIT;
    struct json_error err;
    json_write(&text, json);                     /* a tree of our own: the caller's lives for one call */
    must_ok(json_parse(&p->arena, arena_str(&p->arena, buf_str(&text)), &p->json, &err));
    buf_release(&text);
    p->uid = mem_strndup(json_path_str(json, "metadata.uid"));
    p->ns = mem_strndup(json_path_str(json, "metadata.namespace"));
    p->name = mem_strndup(json_path_str(json, "metadata.name"));
    p->grace_s = json_path_i64(json, "spec.terminationGracePeriodSeconds", 30);
    p->retry_ms = RETRY_FIRST_MS;
    timer_init(&p->retry, a->loop, pod_on_retry);
    timer_init(&p->mount_wait, a->loop, pod_on_mount_wait);
    timer_init(&p->status_retry, a->loop, pod_on_status_retry);
    ready_init(&p->tick, pod_on_tick);
    source_set_init(&p->sources, a->sources, pod_on_source);
    snprintf(dir, sizeof dir, "%s/pods/%s/volumes", a->root_dir, p->uid);
    p->volumes = volumes_new(a, dir, &p->sources, pod_on_volumes, p);
    make_containers(p);
    if (has_ended_before(json)) {                /* ended before this agent began: nothing to run, nothing to say */
        p->state = POD_ENDED;
        p->final_sent = true;
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
    pod_report_stop(p);
    client_cancel(p->delete_call);
    for (unsigned i = 0; i < p->n_containers; i++)
        container_release(&p->containers[i]);
    mem_free(p->containers);
    volumes_free(p->volumes, p->state == POD_ENDED);
    source_set_release(&p->sources);
    object_unref(p->object);
    arena_release(&p->arena);
    arena_release(&p->meta);
    mem_free(p->uid);
    mem_free(p->ns);
    mem_free(p->name);
    mem_free(p->waiting);
    mem_free(p->start_time);
    mem_free(p->status_sent);
    mem_free(p);
}

/* ---- What the API says ------------------------------------------------------------------------------------------------ */

/* Labels and annotations may change while the pod lives; files made of them follow. */
static void take_metadata(struct pod *p, const struct json *json)
{
    static const char *const names[] = { "labels", "annotations" };
    struct json *meta = json_make_path(&p->arena, p->json, "metadata");

    arena_reset(&p->meta);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct json *now = json_getz(json_getz(json, "metadata"), names[i]);
        json_setz(&p->arena, meta, names[i], now != NULL ? json_copy(&p->meta, now) : json_object(&p->meta));
    }
}

void pod_update(struct pod *p, struct object *o, const struct json *json)
{
    int64_t grace;

    take_metadata(p, json);

    if (p->object != o) {
        object_unref(p->object);
        p->object = object_ref(o);
    }
    if (json_path_str(json, "metadata.deletionTimestamp").n > 0) {
        if (json_i64(json_path(json, "metadata.deletionGracePeriodSeconds"), &grace))
            p->grace_s = !p->deleted ? grace : MIN_OF(p->grace_s, grace);
        p->deleted = true;
    }
    pod_tick(p);
}

void pod_forget(struct pod *p)
{
    p->wanted = false;
    p->grace_s = MIN_OF(p->grace_s, FORGOTTEN_GRACE_S);
    pod_tick(p);
}

/* ---- Setup ---------------------------------------------------------------------------------------------------------------- */

static void retry_later(struct pod *p)
{
    timer_start(&p->retry, p->retry_ms);
    p->retry_ms = MIN_OF(p->retry_ms * 2, RETRY_MAX_MS);
}

static bool volumes_ready(struct pod *p)
{
    struct downward d = pod_downward(p);
    struct errbuf err = { "" };
    int rc;

    if (p->agent->hollow)
        return true;
    rc = volumes_update(p->volumes, &d, &err);
    if (rc == 0) {
        timer_stop(&p->mount_wait);
        set_waiting(p, NULL);
        return true;
    }
    if (p->state != POD_SETUP) {
        log_warn("pod", "%s/%s: volumes: %s", p->ns, p->name, err.s);
        return false;
    }
    set_waiting(p, err.s);
    pod_report(p);
    if (rc == E_AGAIN) {
        if (!timer_active(&p->mount_wait))
            timer_start(&p->mount_wait, MOUNT_EVENT_MS);
    } else if (!timer_active(&p->retry)) {
        pod_event(p, NULL, "Warning", "FailedMount", "%s", err.s);
        retry_later(p);
    }
    return false;
}

/* ---- The sandbox ---------------------------------------------------------------------------------------------------------- */

/* A request that may outlive its pod: it knows the pod by uid. */
struct making { struct rt_sandbox_create r; struct arena arena; struct agent *agent; char *uid; };

static struct pod *pod_by_uid(struct agent *a, const char *uid) { return map_get(&a->pods, str_of(uid)); }

static void on_sandbox(struct rt_req *r, int status)
{
    struct making *m = container_of(container_of(r, struct rt_sandbox_create, req), struct making, r);
    struct pod *p = pod_by_uid(m->agent, m->uid);

    if (p != NULL && p->making == &m->r) {
        p->making = NULL;
        if (status == 0) {
            snprintf(p->sandbox_id, sizeof p->sandbox_id, "%s", m->r.id);
            snprintf(p->ip, sizeof p->ip, "%s", pod_is_host_network(p) ? m->agent->node_ip : m->r.ip);
            p->retry_ms = RETRY_FIRST_MS;
        } else {
            set_waiting(p, r->err.s);
            pod_event(p, NULL, "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: %s", r->err.s);
            retry_later(p);
        }
        pod_tick(p);
        pod_report(p);
    }
    arena_release(&m->arena);
    mem_free(m->uid);
    mem_free(m);
}

static struct rt_resources pod_resources(const struct pod *p)
{
    struct rt_resources r = { 0 };
    int64_t cpu = 0, limit = 0, memory = 0;
    bool all_cpu = true, all_memory = true;

    for (unsigned i = p->n_init; i < p->n_containers; i++) {
        const struct json *res = json_getz(p->containers[i].spec, "resources");
        struct quantity q;
        if (quantity_from_json(json_path(res, "requests.cpu"), &q, NULL) == 0)
            cpu += quantity_milli(q);
        all_cpu &= json_path(res, "limits.cpu") != NULL && quantity_from_json(json_path(res, "limits.cpu"), &q, NULL) == 0;
        limit += all_cpu ? quantity_milli(q) : 0;
        all_memory &= json_path(res, "limits.memory") != NULL && quantity_from_json(json_path(res, "limits.memory"), &q, NULL) == 0;
        memory += all_memory ? quantity_value(q) : 0;
    }
    r.cpu_shares = (uint64_t)MAX_OF(MIN_OF(cpu * 1024 / 1000, 262144), 2);
    if (all_cpu && p->n_init == 0) {
        r.cpu_period_us = 100000;
        r.cpu_quota_us = MAX_OF(limit * 100, 1000);
    }
    if (all_memory && p->n_init == 0)
        r.memory_bytes = memory;
    return r;
}

static const char *resolv_conf(const struct pod *p, struct arena *a)
{
    struct str policy = json_path_str(p->json, "spec.dnsPolicy");
    const struct json *config = json_path(p->json, "spec.dnsConfig");
    const struct agent *ag = p->agent;
    bool cluster = ag->cluster_dns != NULL && !str_is(policy, "Default") && !str_is(policy, "None") &&
                   (!pod_is_host_network(p) || str_is(policy, "ClusterFirstWithHostNet"));
    struct buf b = BUF_INIT;

    if (!cluster && json__first(config) == NULL)
        return NULL;                             /* the host's */
    const char *domain = ag->cluster_domain != NULL ? ag->cluster_domain : "cluster.local";
    if (cluster) {
        buf_fmt(&b, "search %s.svc.%s svc.%s %s", p->ns, domain, domain, domain);
        json_each(s, json_getz(config, "searches"))
            buf_fmt(&b, " %.*s", STR_ARG(json_str(s)));
        buf_fmt(&b, "\nnameserver %s\noptions ndots:5\n", ag->cluster_dns);
    }
    json_each(n, json_getz(config, "nameservers"))
        buf_fmt(&b, "nameserver %.*s\n", STR_ARG(json_str(n)));
    json_each(o, json_getz(config, "options")) {
        struct str v = json_path_str(o, "value");
        buf_fmt(&b, "options %.*s%s%.*s\n", STR_ARG(json_path_str(o, "name")), v.n > 0 ? ":" : "", STR_ARG(v));
    }
    struct str s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s.p;
}

static const char *extra_hosts(const struct pod *p, struct arena *a)
{
    struct buf b = BUF_INIT;

    json_each(h, json_path(p->json, "spec.hostAliases")) {
        buf_str_add(&b, json_path_str(h, "ip"));
        json_each(n, json_getz(h, "hostnames"))
            buf_fmt(&b, "\t%.*s", STR_ARG(json_str(n)));
        buf_char(&b, '\n');
    }
    struct str s = b.n > 0 ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_release(&b);
    return s.p;
}

static void fill_ports(const struct pod *p, struct rt_sandbox_create *r, struct arena *a)
{
    size_t n = 0;

    for (unsigned i = 0; i < p->n_containers; i++)
        json_each(port, json_getz(p->containers[i].spec, "ports"))
            n += json_path_i64(port, "hostPort", 0) > 0;
    if (n == 0 || pod_is_host_network(p))
        return;
    struct rt_port *v = arena_zalloc(a, n * sizeof *v);
    r->ports = v;
    for (unsigned i = 0; i < p->n_containers; i++)
        json_each(port, json_getz(p->containers[i].spec, "ports")) {
            struct str proto = json_path_str(port, "protocol"), ip = json_path_str(port, "hostIP");
            if (json_path_i64(port, "hostPort", 0) <= 0)
                continue;
            v[r->n_ports++] = (struct rt_port){ (uint16_t)json_path_i64(port, "hostPort", 0), (uint16_t)json_path_i64(port, "containerPort", 0),
                                                str_is(proto, "UDP") ? "udp" : str_is(proto, "SCTP") ? "sctp" : "tcp",
                                                ip.n > 0 ? arena_cstr(a, ip) : NULL };
        }
}

static void fill_sysctls(const struct pod *p, struct rt_sandbox_create *r, struct arena *a)
{
    const struct json *list = json_path(p->json, "spec.securityContext.sysctls");
    struct rt_sysctl *v = arena_zalloc(a, ((list != NULL ? list->n : 0) + 1) * sizeof *v);

    json_each(s, list)
        v[r->n_sysctls++] = (struct rt_sysctl){ arena_cstr(a, json_path_str(s, "name")), arena_cstr(a, json_path_str(s, "value")) };
    r->sysctls = v;
}

/* The pod's object goes along, so that an agent that restarts can stop what the API has forgotten meanwhile. */
static struct str sandbox_memo(const struct pod *p, struct arena *a)
{
    struct buf b = BUF_INIT;
    struct str s;

    json_write(&b, p->json);
    s = b.n <= 64 << 10 ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_release(&b);
    return s;
}

static void make_sandbox(struct pod *p)
{
    struct making *m = mem_new(struct making);
    struct str hostname = json_path_str(p->json, "spec.hostname"), subdomain = json_path_str(p->json, "spec.subdomain");
    struct rt_sandbox_create *r = &m->r;

    arena_init(&m->arena);
    m->agent = p->agent;
    m->uid = mem_strdup(p->uid);
    if (hostname.n == 0)
        hostname = str_of(p->name);
    hostname.n = MIN_OF(hostname.n, (size_t)63);
    while (hostname.n > 1 && (hostname.p[hostname.n - 1] == '-' || hostname.p[hostname.n - 1] == '.'))
        hostname.n--;
    r->req.done = on_sandbox;
    r->pod_uid = arena_cstr(&m->arena, str_of(p->uid));
    r->pod_name = arena_cstr(&m->arena, str_of(p->name));
    r->pod_namespace = arena_cstr(&m->arena, str_of(p->ns));
    r->attempt = p->sandbox_attempt++;
    r->hostname = arena_cstr(&m->arena, hostname);
    if (subdomain.n > 0)
        r->domain = arena_fmt(&m->arena, "%.*s.%s.svc.%s", STR_ARG(subdomain), p->ns,
                              p->agent->cluster_domain != NULL ? p->agent->cluster_domain : "cluster.local").p;
    r->host_network = pod_is_host_network(p);
    r->host_pid = json_path_true(p->json, "spec.hostPID");
    r->host_ipc = json_path_true(p->json, "spec.hostIPC");
    r->share_pid = json_path_true(p->json, "spec.shareProcessNamespace");
    r->resolv_conf = resolv_conf(p, &m->arena);
    r->extra_hosts = extra_hosts(p, &m->arena);
    r->resources = pod_resources(p);
    fill_ports(p, r, &m->arena);
    fill_sysctls(p, r, &m->arena);
    r->memo = sandbox_memo(p, &m->arena);
    p->making = r;
    p->agent->rt->ops->sandbox_create(p->agent->rt, r);
}

/* ---- Run ------------------------------------------------------------------------------------------------------------------- */

/* Has the init container let the next one begin? */
static bool init_passed(const struct container *c)
{
    return c->sidecar ? c->started : c->state == CT_EXITED && c->end.valid && c->end.exit_code == 0;
}

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
        if (!c->sidecar && c->state == CT_EXITED && c->end.valid && c->end.exit_code != 0 && container_is_done(c))
            return true;
    }
    return false;
}

static void pod_run(struct pod *p)
{
    bool may = true;

    for (unsigned i = 0; i < p->n_init; i++) {
        container_tick(&p->containers[i], may);
        may &= init_passed(&p->containers[i]);
    }
    if (!may && init_failed(p)) {
        move(p, POD_STOP);
        return;
    }
    for (unsigned i = p->n_init; i < p->n_containers; i++)
        container_tick(&p->containers[i], may);
    if (may && all_done(p))
        move(p, POD_STOP);                       /* nothing will run again: sidecars go, the sandbox too */
}

/* ---- Stop ------------------------------------------------------------------------------------------------------------------- */

/* Main containers first; sidecars after them, the last first. */
static bool stop_all(struct pod *p)
{
    bool live = false;

    for (unsigned i = p->n_containers; i-- > 0;) {
        struct container *c = &p->containers[i];
        if (c->sidecar && live && i + 1 >= p->n_init)
            break;
        if (!c->stop_wanted)
            container_stop(c, p->grace_s);
        live |= container_is_live(c) || c->op != NULL;
    }
    return !live;
}

/* ---- Teardown ---------------------------------------------------------------------------------------------------------------- */

struct teardown { struct rt_by_id r; struct agent *agent; char *uid; char id[65]; bool stopped, remove; };

static void teardown_free(struct teardown *t)
{
    mem_free(t->uid);
    mem_free(t);
}

static void on_torn_down(struct rt_req *r, int status)
{
    struct teardown *t = container_of(container_of(r, struct rt_by_id, req), struct teardown, r);
    struct pod *p = pod_by_uid(t->agent, t->uid);

    if (p != NULL && p->removing == &t->r) {
        p->removing = NULL;
        if (status == 0) {
            p->sandbox_id[0] = t->remove ? '\0' : p->sandbox_id[0];
            p->removing_id[0] = '\0';
            if (p->state == POD_TEARDOWN)
                move(p, POD_ENDED);
        } else {
            log_warn("pod", "%s/%s: cannot remove its sandbox: %s", p->ns, p->name, r->err.s);
            retry_later(p);
        }
        pod_tick(p);
    }
    teardown_free(t);
}

/* A pod that ended by itself keeps its containers on disk, for their logs and exit codes, until it is deleted. */
static void tear_down(struct pod *p, bool remove)
{
    struct teardown *t = mem_new(struct teardown);
    const struct runtime_ops *ops = p->agent->rt->ops;

    t->agent = p->agent;
    t->uid = mem_strdup(p->uid);
    t->remove = remove;
    snprintf(t->id, sizeof t->id, "%s", p->sandbox_id);
    t->r = (struct rt_by_id){ .req = { .done = on_torn_down }, .id = t->id };
    p->removing = &t->r;
    (remove ? ops->sandbox_remove : ops->sandbox_stop)(p->agent->rt, &t->r);
}

static void on_deleted(void *arg, const struct client_result *r)
{
    struct pod *p = arg;

    p->delete_call = NULL;
    if (!r->ok && r->status != 404 && r->status != 409)
        retry_later(p);
}

/* The API may forget it: everything of it has ended. */
static void delete_object(struct pod *p)
{
    struct arena a = ARENA_INIT;
    struct client_req r = { .method = "DELETE", .res = CLIENT_PODS, .ns = str_of(p->ns), .name = str_of(p->name), .done = on_deleted, .arg = p };

    r.body_text = arena_fmt(&a, "{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%s\"}}", p->uid);
    p->delete_call = client_send(p->agent->client, &r);
    arena_release(&a);
}

static void remove_directories(struct pod *p)
{
    struct file_path dir;

    volumes_free(p->volumes, true);
    p->volumes = volumes_new(p->agent, "", &p->sources, pod_on_volumes, p);
    if (file_path(&dir, NULL, "%s/pods/%s", p->agent->root_dir, p->uid) == 0)
        file_remove_tree(dir.s, NULL);
}

static void pod_ended(struct pod *p)
{
    if (!p->deleted && p->wanted)
        return;                                  /* it stays as it is, to be looked at, until it is deleted */
    if (p->sandbox_id[0] != '\0') {
        if (p->removing == NULL && !timer_active(&p->retry))
            tear_down(p, true);
        return;
    }
    if (!p->wanted) {
        remove_directories(p);
        agent_drop_pod(p->agent, p);
        return;
    }
    if (p->final_sent && p->delete_call == NULL && !timer_active(&p->retry)) {
        remove_directories(p);
        delete_object(p);
    }
}

/* ---- The tick -------------------------------------------------------------------------------------------------------------------- */

void pod_tick(struct pod *p) { ready_post(p->agent->loop, &p->tick); }

static bool is_ending(const struct pod *p) { return p->deleted || !p->wanted; }

static void tick_setup(struct pod *p)
{
    if (is_ending(p))
        move(p, POD_TEARDOWN);
    else if (!timer_active(&p->retry) && volumes_ready(p))
        move(p, POD_SANDBOX);
}

static void tick_sandbox(struct pod *p)
{
    if (p->making != NULL)
        return;                                  /* on_sandbox ticks */
    if (p->sandbox_id[0] != '\0')
        move(p, is_ending(p) ? POD_TEARDOWN : POD_RUN);
    else if (is_ending(p))
        move(p, POD_TEARDOWN);
    else if (p->removing == NULL && !timer_active(&p->retry))
        make_sandbox(p);
}

static void tick_run(struct pod *p)
{
    if (is_ending(p)) {
        move(p, POD_STOP);
        return;
    }
    if (!p->agent->hollow)
        volumes_ready(p);                        /* changed config maps reach running pods */
    pod_run(p);
}

static void pod_on_tick(struct ready_item *it)
{
    struct pod *p = container_of(it, struct pod, tick);

    if (!p->agent->synced)
        return;                                  /* it may run already: the agent looks, then ticks all */
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
        if (p->sandbox_id[0] == '\0')
            move(p, POD_ENDED);
        else if (p->removing == NULL && !timer_active(&p->retry))
            tear_down(p, is_ending(p));
        break;
    case POD_ENDED:
        pod_ended(p);
        break;
    }
}

/* ---- From the runtime -------------------------------------------------------------------------------------------------------------- */

void pod_on_container_exit(struct pod *p, const char *id)
{
    for (unsigned i = 0; i < p->n_containers; i++)
        if (strcmp(p->containers[i].id, id) == 0)
            container_on_exit(&p->containers[i]);
}

/* Its containers are ended by now or will be told as such; a new sandbox is made, then they are started again. */
void pod_on_sandbox_death(struct pod *p, const char *id)
{
    if (strcmp(p->sandbox_id, id) != 0 || p->state != POD_RUN)
        return;
    pod_event(p, NULL, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
    tear_down(p, true);
    p->sandbox_id[0] = '\0';
    p->ip[0] = '\0';
    move(p, POD_SANDBOX);
}

void pod_adopt_sandbox(struct pod *p, const struct rt_sandbox_info *i)
{
    if (p->sandbox_id[0] != '\0' || (p->state != POD_SETUP && p->state != POD_ENDED))
        return;
    snprintf(p->sandbox_id, sizeof p->sandbox_id, "%s", i->id);
    snprintf(p->ip, sizeof p->ip, "%s", i->host_network ? p->agent->node_ip : i->ip);
    p->sandbox_attempt = i->attempt + 1;
    p->recovered = true;
    if (p->state == POD_ENDED)
        return;
    p->state = i->ready ? POD_RUN : POD_TEARDOWN;
    if (!i->ready && !is_ending(p) && !str_is(json_path_str(p->json, "spec.restartPolicy"), "Never"))
        p->state = POD_RUN;                      /* it died while no agent was there: on_sandbox_death follows */
    if (p->state == POD_RUN && !i->ready)
        pod_on_sandbox_death(p, i->id);
}

void pod_adopt_container(struct pod *p, const struct rt_container_info *i)
{
    struct container *c = pod_container(p, str_of(i->name));

    if (c != NULL && strcmp(p->sandbox_id, i->sandbox_id) == 0)
        container_adopt(c, i);
}
