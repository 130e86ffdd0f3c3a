/* node/runtime_oci_state.c: sandboxes and containers in memory and their records on disk. */
#include <stdio.h>
#include <openssl/evp.h>
#include "api/json.h"
#include "net/log.h"
#include "node/runtime_oci_impl.h"

static const char *const sandbox_states[] = { "making", "ready", "stopped" };
static const char *const container_states[] = { "making", "created", "running", "exited" };

/* ---- in memory -------------------------------------------------------------------------------- */

struct oci_sandbox *oci_sandbox_find(struct oci_runtime *rt, const char *id)
{
    return id != NULL ? map_get(&rt->sandboxes, str_of(id)) : NULL;
}

struct oci_container *oci_container_find(struct oci_runtime *rt, const char *id)
{
    return id != NULL ? map_get(&rt->containers, str_of(id)) : NULL;
}

static char *dir_of(struct oci_runtime *rt, const char *kind, const char *id)
{
    struct buf b = BUF_INIT;

    buf_fmt(&b, "%s/%s/%s", rt->root, kind, id);
    char *dir = mem_strndup(buf_str(&b));
    buf_release(&b);
    return dir;
}

struct oci_sandbox *oci_sandbox_new(struct oci_runtime *rt, const char *id)
{
    struct oci_sandbox *sb = mem_new(struct oci_sandbox);

    must(strlen(id) < sizeof sb->id);
    sb->rt = rt;
    snprintf(sb->id, sizeof sb->id, "%s", id);
    sb->dir = dir_of(rt, "sandboxes", id);
    must(map_put(&rt->sandboxes, str_of(id), sb) == NULL);
    return sb;
}

struct oci_container *oci_container_new(struct oci_runtime *rt, const char *id)
{
    struct oci_container *c = mem_new(struct oci_container);

    must(strlen(id) < sizeof c->id);
    c->rt = rt;
    snprintf(c->id, sizeof c->id, "%s", id);
    c->dir = dir_of(rt, "containers", id);
    qinit(&c->waiters);
    must(map_put(&rt->containers, str_of(id), c) == NULL);
    return c;
}

void oci_sandbox_free(struct oci_sandbox *sb)
{
    must(!sb->busy);
    pid_watch_close(sb->watch);
    map_del(&sb->rt->sandboxes, str_of(sb->id));
    for (size_t i = 0; i < sb->n_ports; i++) {
        mem_free((char *)(uintptr_t)sb->ports[i].protocol);
        mem_free((char *)(uintptr_t)sb->ports[i].host_ip);
    }
    mem_free(sb->ports);
    mem_free(sb->pod_uid);
    mem_free(sb->pod_name);
    mem_free(sb->pod_namespace);
    mem_free(sb->hostname);
    mem_free(sb->domain);
    mem_free(sb->extra_hosts);
    mem_free(sb->cgroup);
    mem_free(sb->dir);
    buf_release(&sb->memo);
    mem_free(sb);
}

void oci_container_free(struct oci_container *c)
{
    must(!c->busy && !c->collecting && qempty(&c->waiters));
    pid_watch_close(c->watch);
    map_del(&c->rt->containers, str_of(c->id));
    mem_free(c->pod_uid);
    mem_free(c->name);
    mem_free(c->image);
    mem_free(c->log_path);
    mem_free(c->termination_path);
    mem_free(c->cgroup);
    mem_free(c->dir);
    buf_release(&c->memo);
    mem_free(c);
}

void oci_sandbox_refresh(struct oci_sandbox *sb)
{
    sb->info = (struct rt_sandbox_info){
        .id = sb->id, .pod_uid = sb->pod_uid, .pod_name = sb->pod_name, .pod_namespace = sb->pod_namespace,
        .attempt = sb->attempt, .ready = sb->state == SB_READY && sb->holder.pid > 0,
        .host_network = sb->host_network,
        .ip = sb->ip, .pid = sb->state == SB_READY ? sb->holder.pid : 0, .created_ns = sb->created_ns,
        .memo = buf_str(&sb->memo),
    };
}

void oci_container_refresh(struct oci_container *c)
{
    bool live = c->state == CT_CREATED || c->state == CT_RUNNING;

    c->info = (struct rt_container_info){
        .id = c->id, .sandbox_id = c->sandbox_id, .pod_uid = c->pod_uid, .name = c->name,
        .attempt = c->attempt,
        .image = c->image, .image_id = c->image_id,
        .state = c->state == CT_EXITED ? RT_EXITED : c->state == CT_RUNNING ? RT_RUNNING : RT_CREATED,
        .pid = live ? c->init.pid : 0, .created_ns = c->created_ns, .started_ns = c->started_ns,
        .finished_ns = c->finished_ns, .exit_code = c->exit_code, .oom_killed = c->oom_killed,
        .lost = c->lost,
        .log_path = c->log_path, .termination_file = c->termination_path, .memo = buf_str(&c->memo),
    };
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void put(struct arena *a, struct json *o, const char *key, const char *z)
{
    if (z != NULL && *z != '\0')
        json_setz(a, o, key, json_string(a, str_of(z)));
}

static void put_int(struct arena *a, struct json *o, const char *key, int64_t v)
{
    if (v != 0)
        json_setz(a, o, key, json_int(a, v));
}

static void put_flag(struct arena *a, struct json *o, const char *key, bool v)
{
    if (v)
        json_setz(a, o, key, json_bool(a, true));
}

/* The caller's bytes may be anything: base64. */
static void put_memo(struct arena *a, struct json *o, const struct buf *memo)
{
    if (memo->n == 0)
        return;
    char *text = arena_alloc(a, memo->n / 3 * 4 + 8);
    int n = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)memo->p, (int)memo->n);
    json_setz(a, o, "memo", json_string_ref(a, str_make(text, (size_t)n)));
}

static void put_proc(struct arena *a, struct json *o, const char *key, const struct proc_id *id)
{
    if (id->pid <= 0)
        return;
    struct json *p = json_setz(a, o, key, json_object(a));
    put_int(a, p, "pid", id->pid);
    put_int(a, p, "start", (int64_t)id->start_ticks);
    put(a, p, "boot", id->boot);
}

static int record_write(const char *dir, const struct json *o, struct errbuf *err)
{
    struct buf b = BUF_INIT;
    struct file_path p;
    int rc = file_path(&p, err, "%s/record.json", dir);

    json_write(&b, o);
    if (rc == 0)
        rc = file_replace(p.s, buf_str(&b), 0600, false, err);
    buf_release(&b);
    return rc;
}

int oci_sandbox_save(const struct oci_sandbox *sb, struct errbuf *err)
{
    struct arena a = ARENA_INIT;
    struct json *o = json_object(&a), *ports, *p;

    put(&a, o, "state", sandbox_states[sb->state]);
    put(&a, o, "podUID", sb->pod_uid);
    put(&a, o, "podName", sb->pod_name);
    put(&a, o, "podNamespace", sb->pod_namespace);
    put(&a, o, "hostname", sb->hostname);
    put(&a, o, "domain", sb->domain);
    put(&a, o, "cgroup", sb->cgroup);
    put(&a, o, "ip", sb->ip);
    put_int(&a, o, "attempt", sb->attempt);
    put_int(&a, o, "created", sb->created_ns);
    put_flag(&a, o, "hostNetwork", sb->host_network);
    put_flag(&a, o, "hostPID", sb->host_pid);
    put_flag(&a, o, "hostIPC", sb->host_ipc);
    put_flag(&a, o, "sharePID", sb->share_pid);
    put_proc(&a, o, "holder", &sb->holder);
    put_memo(&a, o, &sb->memo);
    ports = json_setz(&a, o, "ports", json_array(&a));
    for (size_t i = 0; i < sb->n_ports; i++) {
        p = json_push(ports, json_object(&a));
        put_int(&a, p, "host", sb->ports[i].host_port);
        put_int(&a, p, "container", sb->ports[i].container_port);
        put(&a, p, "protocol", sb->ports[i].protocol);
        put(&a, p, "ip", sb->ports[i].host_ip);
    }
    int rc = record_write(sb->dir, o, err);
    arena_release(&a);
    return rc;
}

int oci_container_save(const struct oci_container *c, struct errbuf *err)
{
    struct arena a = ARENA_INIT;
    struct json *o = json_object(&a);

    put(&a, o, "state", container_states[c->state]);
    put(&a, o, "sandbox", c->sandbox_id);
    put(&a, o, "podUID", c->pod_uid);
    put(&a, o, "name", c->name);
    put(&a, o, "image", c->image);
    put(&a, o, "imageID", c->image_id);
    put(&a, o, "log", c->log_path);
    put(&a, o, "termination", c->termination_path);
    put(&a, o, "cgroup", c->cgroup);
    put_int(&a, o, "attempt", c->attempt);
    put_int(&a, o, "created", c->created_ns);
    put_int(&a, o, "started", c->started_ns);
    put_int(&a, o, "finished", c->finished_ns);
    put_int(&a, o, "exitCode", c->exit_code);
    put_flag(&a, o, "oomKilled", c->oom_killed);
    put_flag(&a, o, "lost", c->lost);
    put_flag(&a, o, "tty", c->tty);
    put_flag(&a, o, "stdin", c->want_stdin);
    put_flag(&a, o, "sharedPID", c->shared_pid);
    put_proc(&a, o, "init", &c->init);
    put_proc(&a, o, "monitor", &c->monitor);
    put_memo(&a, o, &c->memo);
    int rc = record_write(c->dir, o, err);
    arena_release(&a);
    return rc;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static char *take(const struct json *o, const char *key)
{
    return mem_strndup(json_str(json_getz(o, key)));
}

static void take_proc(const struct json *o, const char *key, struct proc_id *ret)
{
    const struct json *p = json_getz(o, key);
    struct str boot = json_str(json_getz(p, "boot"));
    int64_t pid = json_i64_or(json_getz(p, "pid"), 0);

    if (pid <= 0 || pid > INT32_MAX || boot.n >= sizeof ret->boot)
        return;
    ret->pid = (pid_t)pid;
    ret->start_ticks = (uint64_t)json_i64_or(json_getz(p, "start"), 0);
    snprintf(ret->boot, sizeof ret->boot, "%.*s", STR_ARG(boot));
}

static void take_memo(const struct json *o, struct buf *ret)
{
    struct str text = json_str(json_getz(o, "memo"));

    if (text.n == 0 || text.n % 4 != 0 || text.n > OCI_MEMO_MAX * 2)
        return;
    buf_reserve(ret, text.n);
    int n = EVP_DecodeBlock((unsigned char *)ret->p, (const unsigned char *)text.p, (int)text.n);
    if (n <= 0)
        return;
    ret->n = (size_t)n - (text.p[text.n - 1] == '=') - (text.p[text.n - 2] == '=');
}

static unsigned state_of(const struct json *o, const char *const *names, unsigned n)
{
    for (unsigned i = 1; i < n; i++)
        if (str_is(json_str(json_getz(o, "state")), names[i]))
            return i;
    return 0;                                    /* also for what cannot be read: undone */
}

static void sandbox_read(struct oci_sandbox *sb, const struct json *o)
{
    const struct json *ports = json_getz(o, "ports");
    struct str ip = json_str(json_getz(o, "ip"));

    sb->state = (enum sandbox_state)state_of(o, sandbox_states, ARRAY_LEN(sandbox_states));
    sb->pod_uid = take(o, "podUID");
    sb->pod_name = take(o, "podName");
    sb->pod_namespace = take(o, "podNamespace");
    sb->hostname = take(o, "hostname");
    sb->domain = take(o, "domain");
    sb->cgroup = take(o, "cgroup");
    snprintf(sb->ip, sizeof sb->ip, "%.*s", (int)MIN_OF(ip.n, sizeof sb->ip - 1), ip.n > 0 ? ip.p : "");
    sb->attempt = (uint32_t)json_path_i64(o, "attempt", 0);
    sb->created_ns = json_path_i64(o, "created", 0);
    sb->host_network = json_path_true(o, "hostNetwork");
    sb->host_pid = json_path_true(o, "hostPID");
    sb->host_ipc = json_path_true(o, "hostIPC");
    sb->share_pid = json_path_true(o, "sharePID");
    take_proc(o, "holder", &sb->holder);
    take_memo(o, &sb->memo);
    if (!json_is(ports, JSON_ARRAY) || ports->n == 0)
        return;
    sb->ports = mem_zalloc(sizeof *sb->ports * ports->n);
    json_each(p, ports) {
        struct rt_port *port = &sb->ports[sb->n_ports++];
        port->host_port = (uint16_t)json_path_i64(p, "host", 0);
        port->container_port = (uint16_t)json_path_i64(p, "container", 0);
        port->protocol = take(p, "protocol");
        port->host_ip = take(p, "ip");
    }
}

static char *take_or_null(const struct json *o, const char *key)
{
    return json_str(json_getz(o, key)).n > 0 ? take(o, key) : NULL;
}

static void container_read(struct oci_container *c, const struct json *o)
{
    struct str sandbox = json_str(json_getz(o, "sandbox")), image = json_str(json_getz(o, "imageID"));

    c->state = (enum container_state)state_of(o, container_states, ARRAY_LEN(container_states));
    snprintf(c->sandbox_id, sizeof c->sandbox_id, "%.*s", (int)MIN_OF(sandbox.n, 64),
             sandbox.n > 0 ? sandbox.p : "");
    snprintf(c->image_id, sizeof c->image_id, "%.*s", (int)MIN_OF(image.n, 79), image.n > 0 ? image.p : "");
    c->pod_uid = take(o, "podUID");
    c->name = take(o, "name");
    c->image = take(o, "image");
    c->log_path = take_or_null(o, "log");
    c->termination_path = take_or_null(o, "termination");
    c->cgroup = take(o, "cgroup");
    c->attempt = (uint32_t)json_path_i64(o, "attempt", 0);
    c->created_ns = json_path_i64(o, "created", 0);
    c->started_ns = json_path_i64(o, "started", 0);
    c->finished_ns = json_path_i64(o, "finished", 0);
    c->exit_code = (int)json_path_i64(o, "exitCode", 0);
    c->oom_killed = json_path_true(o, "oomKilled");
    c->lost = json_path_true(o, "lost");
    c->tty = json_path_true(o, "tty");
    c->want_stdin = json_path_true(o, "stdin");
    c->shared_pid = json_path_true(o, "sharedPID");
    take_proc(o, "init", &c->init);
    take_proc(o, "monitor", &c->monitor);
    take_memo(o, &c->memo);
}

/* An unreadable record is an empty object: state "making". */
static struct json *record_parse(struct arena *a, const char *dir)
{
    struct buf b = BUF_INIT;
    struct file_path p;
    struct json_error je;
    struct errbuf err;
    struct json *o = NULL;
    int rc = file_path(&p, &err, "%s/record.json", dir);

    if (rc == 0)
        rc = file_read(p.s, OCI_RECORD_MAX, &b, &err);
    if (rc == 0 && json_parse(a, arena_str(a, buf_str(&b)), &o, &je) < 0)
        rc = err_set(&err, E_CORRUPT, "%s: %s", p.s, je.text);
    if (rc < 0 && rc != E_NOTFOUND)
        log_warn("runtime", "record is damaged: %s", err.s);
    buf_release(&b);
    return rc == 0 ? o : json_object(a);
}

static int load_sandbox(void *arg, const char *name)
{
    struct oci_runtime *rt = arg;
    struct arena a = ARENA_INIT;

    if (!file_name_ok(name) || strlen(name) > 64)
        return 0;
    struct oci_sandbox *sb = oci_sandbox_new(rt, name);
    sandbox_read(sb, record_parse(&a, sb->dir));
    oci_sandbox_refresh(sb);
    arena_release(&a);
    return 0;
}

static int load_container(void *arg, const char *name)
{
    struct oci_runtime *rt = arg;
    struct arena a = ARENA_INIT;

    if (!file_name_ok(name) || strlen(name) > 64)
        return 0;
    struct oci_container *c = oci_container_new(rt, name);
    container_read(c, record_parse(&a, c->dir));
    oci_container_refresh(c);
    arena_release(&a);
    return 0;
}

int oci_records_load(struct oci_runtime *rt, struct errbuf *err)
{
    struct file_path p;
    int rc = file_path(&p, err, "%s/sandboxes", rt->root);

    if (rc == 0)
        rc = file_each(p.s, load_sandbox, rt, err);
    if (rc == 0)
        rc = file_path(&p, err, "%s/containers", rt->root);
    return rc < 0 ? rc : file_each(p.s, load_container, rt, err);
}
