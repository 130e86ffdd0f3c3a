/* node/runtime_oci_sandbox.c: pods' surroundings: holder of the namespaces, cgroup, address, shared files.
 *
 * create: prepare (pool) -> CNI ADD -> record (pool) -> answer; on failure all is torn down before the answer.
 * stop and remove are one flow, teardown, over the steps of enum td_step; remove goes further. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include "net/log.h"
#include "node/mountns.h"
#include "node/overlay.h"
#include "node/runtime_oci_impl.h"
#include "node/spawn.h"

enum { SHM_DEFAULT = 64 << 20, HOSTS_MAX = 1 << 20, PURGE_TRIES = 5 };

typedef void (*sandbox_done_fn)(void *arg, int status);
static void teardown(struct oci_sandbox *sb, bool remove, struct errbuf *err, sandbox_done_fn done,
                     void *arg);

/* ---- create: the blocking part ---------------------------------------------------------------- */

struct create_op {
    struct loop_work work;
    struct oci_sandbox *sb;
    struct rt_sandbox_create *req;
    struct cni_request cni;
    char netns[64];
    struct errbuf err;
    int rc;
};

static int write_file(const struct oci_sandbox *sb, const char *name, struct str text, struct errbuf *err)
{
    struct file_path p;
    int rc = file_path(&p, err, "%s/%s", sb->dir, name);

    return rc < 0 ? rc : file_replace(p.s, text, 0644, false, err);
}

static void hosts_text(const struct oci_sandbox *sb, struct buf *b)
{
    if (sb->host_network) {
        buf_z(b, "# Kubernetes-managed hosts file (host network).\n");
        file_read("/etc/hosts", HOSTS_MAX, b, NULL);
    } else {
        buf_z(b, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
              "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
        if (*sb->domain != '\0')
            buf_fmt(b, "%s\t%s.%s\t%s\n", sb->ip, sb->hostname, sb->domain, sb->hostname);
        else
            buf_fmt(b, "%s\t%s\n", sb->ip, sb->hostname);
    }
    buf_z(b, sb->extra_hosts);
}

static int write_hosts(const struct oci_sandbox *sb, struct errbuf *err)
{
    struct buf b = BUF_INIT;

    hosts_text(sb, &b);
    int rc = write_file(sb, "hosts", buf_str(&b), err);
    buf_release(&b);
    return rc;
}

static int write_names(const struct create_op *op, struct errbuf *err)
{
    const struct oci_sandbox *sb = op->sb;
    struct buf b = BUF_INIT;
    int rc;

    buf_fmt(&b, "%s\n", sb->hostname);
    rc = write_file(sb, "hostname", buf_str(&b), err);
    buf_clear(&b);
    if (op->req->resolv_conf != NULL)
        buf_z(&b, op->req->resolv_conf);
    else
        file_read("/etc/resolv.conf", HOSTS_MAX, &b, NULL);      /* a node without one: neither has the pod */
    if (rc == 0)
        rc = write_file(sb, "resolv.conf", buf_str(&b), err);
    buf_release(&b);
    return rc;
}

static int make_shm(const struct create_op *op, struct errbuf *err)
{
    struct file_path p;
    int rc = file_path(&p, err, "%s/shm", op->sb->dir);

    if (rc == 0 && mkdir(p.s, 0755) < 0)
        rc = err_sys(err, errno, "mkdir %s", p.s);
    if (rc < 0 || op->sb->host_ipc)
        return rc;
    return tmpfs_mount(p.s, op->req->shm_bytes > 0 ? op->req->shm_bytes : SHM_DEFAULT, 01777, err);
}

static void add_procs(void *arg, const char *file)
{
    struct spawn_opts *o = arg;
    if (o->n_cgroups < SPAWN_CGROUPS_MAX)
        o->cgroup_procs[o->n_cgroups++] = mem_strdup(file);
}

/* Registered before it has namespaces of its own: the mount namespace, which counts here, it has from birth. */
static int record_holder(void *arg, pid_t pid, struct errbuf *err)
{
    struct oci_sandbox *sb = arg;

    if (!proc_id_of(pid, &sb->holder))
        return err_set(err, E_CHILD, "the sandbox's process ended at once");
    int rc = oci_sandbox_save(sb, err);
    return rc < 0 ? rc : mountns_hold(sb->rt->run, sb->id, &sb->holder, err);
}

/* The holder does nothing but exist.  In a shared PID namespace it is process 1; ignoring SIGCHLD, which execve
 * keeps, it reaps without a line of code. */
static int start_holder(struct create_op *op, struct errbuf *err)
{
    static const char *const argv[] = { "sleep", "infinity", NULL };
    static const char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                       NULL };
    struct oci_sandbox *sb = op->sb;
    pid_t pid;
    struct spawn_opts o = {
        .argv = argv, .env = env, .hostname = sb->hostname, .reap = true, .announce = record_holder,
        .arg = sb,
        .sysctls = op->req->sysctls, .n_sysctls = op->req->n_sysctls,
        .unshare = (sb->host_network ? 0 : CLONE_NEWNET | CLONE_NEWUTS) | (sb->host_ipc ? 0 : CLONE_NEWIPC)
                 | (sb->share_pid ? CLONE_NEWPID : 0),
    };

    cgroup_each_procs(&sb->rt->cg, sb->rt->monitors, add_procs, &o);
    int rc = spawn_detached(&o, &pid, err);
    for (unsigned i = 0; i < o.n_cgroups; i++)
        mem_free(o.cgroup_procs[i]);
    return rc;
}

static int prepare(struct create_op *op, struct errbuf *err)
{
    struct oci_sandbox *sb = op->sb;
    int rc = file_mkdirs(sb->dir, 0755, err);

    if (rc == 0)
        rc = oci_sandbox_save(sb, err);
    if (rc == 0)
        rc = cgroup_create(&sb->rt->cg, sb->cgroup, &op->req->resources, true, err);
    if (rc == 0)
        rc = start_holder(op, err);
    if (rc == 0)
        rc = write_names(op, err);
    return rc == 0 ? make_shm(op, err) : rc;
}

static void prepare_fn(struct loop_work *w)
{
    struct create_op *op = container_of(w, struct create_op, work);
    op->rc = prepare(op, &op->err);
}

static void record_fn(struct loop_work *w)
{
    struct create_op *op = container_of(w, struct create_op, work);

    op->rc = write_hosts(op->sb, &op->err);
    if (op->rc == 0)
        op->rc = oci_sandbox_save(op->sb, &op->err);
}

/* ---- create: the flow ------------------------------------------------------------------------- */

static void create_answer(struct create_op *op, int rc)
{
    struct rt_sandbox_create *req = op->req;

    req->req.err = op->err;
    mem_free(op);
    req->req.done(&req->req, rc);
}

static void create_on_undone(void *arg, int status)
{
    struct create_op *op = arg;
    create_answer(op, op->rc);                   /* why it failed, not what the undoing met */
}

static void create_fail(struct create_op *op, int rc)
{
    struct oci_sandbox *sb = op->sb;
    struct oci_runtime *rt = sb->rt;

    op->rc = rc;
    sb->busy = false;
    sb->state = SB_MAKING;
    teardown(sb, true, NULL, create_on_undone, op);
    oci_unpin(rt);
}

static void record_done(struct loop_work *w)
{
    struct create_op *op = container_of(w, struct create_op, work);
    struct oci_sandbox *sb = op->sb;

    if (op->rc < 0) {
        create_fail(op, op->rc);
        return;
    }
    sb->busy = false;
    oci_sandbox_refresh(sb);
    oci_sandbox_watch(sb);
    snprintf(op->req->id, sizeof op->req->id, "%s", sb->id);
    snprintf(op->req->ip, sizeof op->req->ip, "%s", sb->ip);
    struct oci_runtime *rt = sb->rt;
    create_answer(op, 0);
    oci_unpin(rt);
}

static void record(struct create_op *op)
{
    op->sb->state = SB_READY;
    op->work = (struct loop_work){ .fn = record_fn, .done = record_done };
    loop_work(op->sb->rt->loop, &op->work);
}

static void create_on_network(struct rt_req *r, int status)
{
    struct create_op *op = container_of(r, struct create_op, cni.req);

    if (status < 0) {
        op->err = r->err;
        create_fail(op, status);
        return;
    }
    snprintf(op->sb->ip, sizeof op->sb->ip, "%s", op->cni.ip);
    record(op);
}

static void prepare_done(struct loop_work *w)
{
    struct create_op *op = container_of(w, struct create_op, work);
    struct oci_sandbox *sb = op->sb;

    if (op->rc < 0) {
        create_fail(op, op->rc);
        return;
    }
    if (sb->host_network) {
        record(op);
        return;
    }
    snprintf(op->netns, sizeof op->netns, "/proc/%d/ns/net", (int)sb->holder.pid);
    op->cni = (struct cni_request){ .req.done = create_on_network, .id = sb->id, .netns = op->netns,
                                    .ports = sb->ports, .n_ports = sb->n_ports };
    cni_add(sb->rt->cni, &op->cni);
}

static const struct oci_sandbox *sandbox_with_cgroup(struct oci_runtime *rt, const char *path)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&rt->sandboxes, &i, &key, &val); )
        if (strcmp(((struct oci_sandbox *)val)->cgroup, path) == 0)
            return val;
    return NULL;
}

static int create_check(struct oci_runtime *rt, const struct rt_sandbox_create *r, const char *cgroup,
                        struct errbuf *err)
{
    if (rt->closing)
        return err_set(err, E_CLOSED, "the runtime is closing");
    if (r->pod_uid == NULL || !file_name_ok(r->pod_uid) || r->pod_name == NULL || r->pod_namespace == NULL)
        return err_set(err, E_INVALID, "sandbox without a proper pod UID, name and namespace");
    if (!r->host_network && (r->hostname == NULL || strlen(r->hostname) > 63 || *r->hostname == '\0'))
        return err_set(err, E_INVALID, "host name of 1 to 63 bytes expected");
    if (r->share_pid && r->host_pid)
        return err_set(err, E_INVALID, "hostPID and shareProcessNamespace exclude each other");
    if (r->memo.n > OCI_MEMO_MAX)
        return err_set(err, E_INVALID, "memo of %zu bytes", r->memo.n);
    if (!r->host_network && !cni_ready(rt->cni))
        return err_set(err, E_AGAIN, "the node has no pod CIDR yet");
    const struct oci_sandbox *other = sandbox_with_cgroup(rt, cgroup);
    if (other != NULL)
        return err_set(err, other->busy ? E_AGAIN : E_CONFLICT,
                       "pod %s has a sandbox of attempt %u already", r->pod_uid,
                       r->attempt);
    return 0;
}

static struct oci_sandbox *sandbox_of(struct oci_runtime *rt, const struct rt_sandbox_create *r,
                                      const char *cgroup)
{
    char id[65], host[256] = "localhost";

    oci_new_id(rt, id);
    struct oci_sandbox *sb = oci_sandbox_new(rt, id);
    if (r->host_network && file_exists("/proc/sys/kernel/hostname")) {
        struct buf b = BUF_INIT;
        if (file_read("/proc/sys/kernel/hostname", 255, &b, NULL) == 0)
            snprintf(host, sizeof host, "%.*s", STR_ARG(str_trim(buf_str(&b))));
        buf_release(&b);
    }
    sb->pod_uid = mem_strdup(r->pod_uid);
    sb->pod_name = mem_strdup(r->pod_name);
    sb->pod_namespace = mem_strdup(r->pod_namespace);
    sb->hostname = mem_strdup(r->host_network ? host : r->hostname);
    sb->domain = mem_strdup(r->domain != NULL ? r->domain : "");
    sb->extra_hosts = mem_strdup(r->extra_hosts != NULL ? r->extra_hosts : "");
    sb->cgroup = mem_strdup(cgroup);
    buf_str_add(&sb->memo, r->memo);
    sb->attempt = r->attempt;
    sb->host_network = r->host_network;
    sb->host_pid = r->host_pid;
    sb->host_ipc = r->host_ipc;
    sb->share_pid = r->share_pid;
    sb->created_ns = loop_wall_ns(rt->loop);
    sb->n_ports = r->host_network ? 0 : r->n_ports;
    sb->ports = sb->n_ports > 0 ? mem_zalloc(sizeof *sb->ports * sb->n_ports) : NULL;
    for (size_t i = 0; i < sb->n_ports; i++) {
        sb->ports[i] = r->ports[i];
        sb->ports[i].protocol = mem_strdup(r->ports[i].protocol != NULL ? r->ports[i].protocol : "tcp");
        sb->ports[i].host_ip = mem_strdup(r->ports[i].host_ip != NULL ? r->ports[i].host_ip : "");
    }
    oci_sandbox_refresh(sb);
    return sb;
}

void oci_sandbox_create(struct runtime *base, struct rt_sandbox_create *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    struct file_path cgroup;
    char attempt[16] = "";
    int rc;

    if (r->attempt > 0)
        snprintf(attempt, sizeof attempt, ".%u", r->attempt);
    rc = file_path(&cgroup, &r->req.err, "%s/pod%s%s", rt->cgroup_parent, r->pod_uid, attempt);
    if (rc == 0)
        rc = create_check(rt, r, cgroup.s, &r->req.err);
    if (rc < 0) {
        oci_answer(rt, &r->req, rc);
        return;
    }
    struct create_op *op = mem_new(struct create_op);
    op->req = r;
    op->sb = sandbox_of(rt, r, cgroup.s);
    op->sb->busy = true;
    op->work = (struct loop_work){ .fn = prepare_fn, .done = prepare_done };
    oci_pin(rt);
    loop_work(rt->loop, &op->work);
}

/* ---- the holder's death ----------------------------------------------------------------------- */

static void on_holder_gone(void *arg)
{
    struct oci_sandbox *sb = arg;
    struct oci_runtime *rt = sb->rt;
    char id[65];

    pid_watch_close(sb->watch);
    sb->watch = NULL;
    sb->holder.pid = 0;
    oci_sandbox_refresh(sb);
    snprintf(id, sizeof id, "%s", sb->id);
    if (sb->state == SB_READY && !sb->busy && rt->base.events != NULL)
        rt->base.events->on_sandbox_death(rt->base.events_arg, id);
}

void oci_sandbox_watch(struct oci_sandbox *sb)
{
    struct errbuf err;

    if (sb->state != SB_READY || sb->holder.pid == 0)
        return;
    if (pid_watch_open(sb->rt->loop, &sb->holder, on_holder_gone, sb, &sb->watch, &err) < 0) {
        log_error("runtime", "sandbox %s: %s", sb->id, err.s);
        sb->watch = NULL;
    }
}

/* ---- stop and remove -------------------------------------------------------------------------- */

enum td_step { TD_KILL, TD_WAIT, TD_NETWORK, TD_HOLDER, TD_CONTAINERS, TD_FILES, TD_DONE };

struct teardown {
    struct loop_work work;
    struct oci_sandbox *sb;
    enum td_step step;
    bool remove;
    struct oci_waiter waiter;
    struct timer timer;
    struct cni_request cni;
    char netns[64];
    sandbox_done_fn done;
    void *arg;
    struct errbuf err, *ret_err;
    int rc;
};

static void td_tick(struct teardown *t);

static void td_next(struct teardown *t, int rc)
{
    t->rc = rc;
    t->step = rc < 0 ? TD_DONE : t->step + 1;
    td_tick(t);
}

/* A container of this sandbox for which `want` holds. */
static struct oci_container *td_container(struct teardown *t, bool live)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&t->sb->rt->containers, &i, &key, &val); ) {
        struct oci_container *c = val;
        if (strcmp(c->sandbox_id, t->sb->id) == 0 && (!live || c->state == CT_CREATED
                                                      || c->state == CT_RUNNING))
            return c;
    }
    return NULL;
}

static void td_kill_fn(struct loop_work *w)
{
    struct teardown *t = container_of(w, struct teardown, work);
    struct oci_sandbox *sb = t->sb;

    if (oci_cgroup_ours(sb->rt, sb->cgroup))
        t->rc = cgroup_kill(&sb->rt->cg, sb->cgroup, OCI_KILL_TIMEOUT_MS, &t->err);
}

static void td_holder_fn(struct loop_work *w)
{
    struct teardown *t = container_of(w, struct teardown, work);
    struct oci_sandbox *sb = t->sb;
    struct file_path p;

    if (sb->holder.pid > 0)
        proc_id_signal(&sb->holder, SIGKILL, NULL);
    mountns_release(sb->rt->run, sb->id);
    if ((t->rc = file_path(&p, &t->err, "%s/shm", sb->dir)) == 0)
        t->rc = unmount_path(p.s, &t->err);
    if (t->rc == 0 && !t->remove)
        t->rc = oci_sandbox_save(sb, &t->err);
}

static void td_files_fn(struct loop_work *w)
{
    struct teardown *t = container_of(w, struct teardown, work);
    struct oci_sandbox *sb = t->sb;

    if (oci_cgroup_ours(sb->rt, sb->cgroup))
        t->rc = cgroup_remove(&sb->rt->cg, sb->cgroup, &t->err);
    if (t->rc == 0)
        t->rc = file_remove_tree(sb->dir, &t->err);
}

static void td_work_done(struct loop_work *w)
{
    struct teardown *t = container_of(w, struct teardown, work);
    td_next(t, t->rc);
}

static void td_work(struct teardown *t, void (*fn)(struct loop_work *w))
{
    t->work = (struct loop_work){ .fn = fn, .done = td_work_done };
    loop_work(t->sb->rt->loop, &t->work);
}

static void td_on_end(struct oci_waiter *w)
{
    td_tick(container_of(w, struct teardown, waiter));   /* is there another? */
}

static void td_on_timeout(struct timer *timer)
{
    struct teardown *t = container_of(timer, struct teardown, timer);

    qdel(&t->waiter.link);
    td_next(t, err_set(&t->err, E_TIMEOUT, "containers of sandbox %s do not end", t->sb->id));
}

/* Their processes are dead; their monitors are about to say so. */
static void td_wait(struct teardown *t)
{
    struct oci_container *c = td_container(t, true);

    if (c == NULL) {
        timer_stop(&t->timer);
        td_next(t, 0);
        return;
    }
    if (!timer_active(&t->timer))
        timer_start(&t->timer, OCI_EXIT_WAIT_MS);
    oci_container_on_end(c, &t->waiter);
}

static void td_on_network(struct rt_req *r, int status)
{
    struct teardown *t = container_of(r, struct teardown, cni.req);

    if (status < 0)
        t->err = r->err;
    else
        t->sb->ip[0] = '\0';
    td_next(t, status);
}

static void td_network(struct teardown *t)
{
    struct oci_sandbox *sb = t->sb;

    if (sb->host_network || sb->state == SB_STOPPED || (sb->state == SB_MAKING && sb->holder.pid == 0)) {
        td_next(t, 0);
        return;
    }
    if (proc_id_alive(&sb->holder))
        snprintf(t->netns, sizeof t->netns, "/proc/%d/ns/net", (int)sb->holder.pid);
    t->cni = (struct cni_request){ .req.done = td_on_network, .id = sb->id, .netns = t->netns,
                                   .ports = sb->ports,
                                   .n_ports = sb->n_ports };
    cni_del(sb->rt->cni, &t->cni);
}

static void td_on_discarded(void *arg, int status)
{
    struct teardown *t = arg;

    if (status < 0)
        td_next(t, err_set(&t->err, status, "a container of sandbox %s could not be removed", t->sb->id));
    else
        td_tick(t);
}

static void td_containers(struct teardown *t)
{
    struct oci_container *c = td_container(t, false);

    if (c == NULL)
        td_next(t, 0);
    else if (c->busy)
        td_next(t, err_set(&t->err, E_AGAIN, "container %s is being changed", c->id));
    else
        oci_container_discard(c, td_on_discarded, t);
}

static void td_finish(struct teardown *t)
{
    struct oci_sandbox *sb = t->sb;
    struct oci_runtime *rt = sb->rt;
    sandbox_done_fn done = t->done;
    void *arg = t->arg;
    int rc = t->rc;

    sb->busy = false;
    timer_stop(&t->timer);
    if (rc < 0)
        log_warn("runtime", "sandbox %s: %s", sb->id, t->err.s);
    if (t->ret_err != NULL)
        *t->ret_err = t->err;
    if (rc == 0 && t->remove)
        oci_sandbox_free(sb);
    else
        oci_sandbox_refresh(sb);
    mem_free(t);
    if (done != NULL)
        done(arg, rc);
    oci_unpin(rt);
}

static void td_tick(struct teardown *t)
{
    struct oci_sandbox *sb = t->sb;

    switch (t->step) {
    case TD_KILL:
        td_work(t, td_kill_fn);
        break;
    case TD_WAIT:
        td_wait(t);
        break;
    case TD_NETWORK:
        td_network(t);
        break;
    case TD_HOLDER:
        sb->state = SB_STOPPED;
        pid_watch_close(sb->watch);
        sb->watch = NULL;
        td_work(t, td_holder_fn);
        break;
    case TD_CONTAINERS:
        sb->holder.pid = 0;
        if (t->remove)
            td_containers(t);
        else
            td_finish(t);
        break;
    case TD_FILES:
        td_work(t, td_files_fn);
        break;
    case TD_DONE:
        td_finish(t);
        break;
    }
}

static void teardown(struct oci_sandbox *sb, bool remove, struct errbuf *err, sandbox_done_fn done, void *arg)
{
    struct teardown *t = mem_new(struct teardown);

    must(!sb->busy);
    sb->busy = true;
    t->sb = sb;
    t->remove = remove;
    t->ret_err = err;
    t->done = done;
    t->arg = arg;
    t->waiter.fn = td_on_end;
    qinit(&t->waiter.link);
    timer_init(&t->timer, sb->rt->loop, td_on_timeout);
    oci_pin(sb->rt);
    td_tick(t);
}

void oci_sandbox_undo(struct oci_sandbox *sb, void (*done)(void *arg, int status), void *arg)
{
    teardown(sb, true, NULL, done, arg);
}

static void end_on_done(void *arg, int status)
{
    struct rt_by_id *r = arg;
    r->req.done(&r->req, status);
}

static void end(struct runtime *base, struct rt_by_id *r, bool remove)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    struct oci_sandbox *sb = oci_sandbox_find(rt, r->id);
    struct str key;
    void *val;
    int rc = 0;

    if (rt->closing)
        rc = err_set(&r->req.err, E_CLOSED, "the runtime is closing");
    else if (sb == NULL && !remove)
        rc = err_set(&r->req.err, E_NOTFOUND, "no sandbox %s", r->id);
    else if (sb != NULL && sb->busy)
        rc = err_set(&r->req.err, E_AGAIN, "sandbox %s is being changed", r->id);
    for (size_t i = 0; rc == 0 && sb != NULL && map_next(&rt->containers, &i, &key, &val); ) {
        const struct oci_container *c = val;
        if (strcmp(c->sandbox_id, sb->id) == 0 && c->busy)
            rc = err_set(&r->req.err, E_AGAIN, "container %s is being changed", c->id);
    }
    if (rc < 0 || sb == NULL || (!remove && sb->state == SB_STOPPED))
        oci_answer(rt, &r->req, rc);
    else
        teardown(sb, remove, &r->req.err, end_on_done, r);
}

void oci_sandbox_stop(struct runtime *base, struct rt_by_id *r) { end(base, r, false); }
void oci_sandbox_remove(struct runtime *base, struct rt_by_id *r) { end(base, r, true); }

/* ---- purge ------------------------------------------------------------------------------------ */

struct purge_op { struct loop_work work; struct oci_runtime *rt; struct rt_req *req; struct errbuf err; unsigned waiting; int rc; };

static void purge_child(void *arg, const char *name)
{
    struct purge_op *op = arg;
    struct file_path p;

    if (strncmp(name, "pod", 3) != 0 && strcmp(name, "monitors") != 0)
        return;                                  /* not ours: whoever started the agent may keep it here too */
    if (file_path(&p, NULL, "%s/%s", op->rt->cgroup_parent, name) < 0)
        return;
    int rc = E_TIMEOUT;
    /* A process that a dead agent had just made may still be on its way in. */
    for (int i = 0; i < PURGE_TRIES && rc < 0; i++) {
        rc = cgroup_kill(&op->rt->cg, p.s, OCI_KILL_TIMEOUT_MS, &op->err);
        if (rc == 0)
            rc = cgroup_remove(&op->rt->cg, p.s, &op->err);
    }
    op->rc = rc < 0 ? rc : op->rc;
}

static void purge_fn(struct loop_work *w)
{
    struct purge_op *op = container_of(w, struct purge_op, work);

    cgroup_each_child(&op->rt->cg, op->rt->cgroup_parent, purge_child, op);
    if (op->rc == 0)
        cgroup_remove(&op->rt->cg, op->rt->cgroup_parent, NULL);
}

static void purge_work_done(struct loop_work *w)
{
    struct purge_op *op = container_of(w, struct purge_op, work);
    struct oci_runtime *rt = op->rt;
    struct rt_req *req = op->req;
    int rc = op->rc;

    req->err = op->err;
    mem_free(op);
    req->done(req, rc);
    oci_unpin(rt);
}

static void purge_on_removed(void *arg, int status)
{
    struct purge_op *op = arg;

    if (status < 0)
        op->rc = err_set(&op->err, status, "not every sandbox could be removed");
    if (--op->waiting > 0)
        return;
    op->work = (struct loop_work){ .fn = purge_fn, .done = purge_work_done };
    loop_work(op->rt->loop, &op->work);
}

void oci_purge(struct runtime *base, struct rt_req *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);

    if (rt->undoing > 0) {                       /* first what the start has begun */
        rt->purge = r;
        return;
    }
    struct purge_op *op = mem_new(struct purge_op);
    struct str key;
    void *val;

    op->rt = rt;
    op->req = r;
    op->waiting = 1;
    oci_pin(rt);
    for (size_t i = 0; map_next(&rt->sandboxes, &i, &key, &val); ) {
        struct oci_sandbox *sb = val;
        if (sb->busy)
            continue;                            /* its cgroup goes below all the same */
        op->waiting++;
        teardown(sb, true, NULL, purge_on_removed, op);
    }
    purge_on_removed(op, 0);
}
