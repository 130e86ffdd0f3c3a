/* node/runtime_oci_container.c: create, start, kill and remove a container.
 *
 * create: prepare (pool) -> conmon reports on its sync pipe -> record (pool) -> answer; anything that fails on the way
 * is taken apart again (pool) before the answer.  start: crun start -> record -> answer. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "api/json.h"
#include "net/log.h"
#include "node/runtime_oci_impl.h"

enum { REPORT_MAX = 64 << 10 };

/* ---- create ----------------------------------------------------------------------------------- */

struct create_op {
    struct loop_work work;
    struct oci_runtime *rt;
    struct oci_container *c;
    struct rt_container_create *req;
    struct oci_prepare prep;
    struct arena arena;
    struct rt_image_info image;
    struct stream *pipe;
    struct buf report;
    struct timer timer;
    int rc;
};

static void create_finish(struct create_op *op)
{
    struct oci_runtime *rt = op->rt;
    struct rt_container_create *req = op->req;
    struct oci_container *c = op->c;
    int rc = op->rc;

    req->req.err = op->prep.err;
    arena_release(&op->arena);
    buf_release(&op->report);
    mem_free(op);
    c->busy = false;
    if (rc < 0) {
        oci_container_free(c);
    } else {
        snprintf(req->id, sizeof req->id, "%s", c->id);
        oci_container_refresh(c);
        oci_container_watch(c);
    }
    req->req.done(&req->req, rc);
    oci_unpin(rt);
}

static void create_undo_fn(struct loop_work *w)
{
    struct create_op *op = container_of(w, struct create_op, work);
    struct errbuf err;

    if (oci_container_wipe(op->rt, op->c, &err) < 0)     /* the next start tries again: its record says "making" */
        log_warn("runtime", "container %s: %s", op->c->id, err.s);
}

static void create_undo_done(struct loop_work *w)
{
    create_finish(container_of(w, struct create_op, work));
}

static void create_fail(struct create_op *op, int rc)
{
    must(rc < 0);
    op->rc = rc;
    op->work = (struct loop_work){ .fn = create_undo_fn, .done = create_undo_done };
    loop_work(op->rt->loop, &op->work);
}

static void create_record_fn(struct loop_work *w)
{
    struct create_op *op = container_of(w, struct create_op, work);
    op->rc = oci_container_save(op->c, &op->prep.err);
}

static void create_record_done(struct loop_work *w)
{
    struct create_op *op = container_of(w, struct create_op, work);

    if (op->rc < 0)
        create_fail(op, op->rc);
    else
        create_finish(op);
}

/* "{"pid": 1234}", or {"pid": -1, "message": "why"}. */
static int report_parse(struct create_op *op)
{
    struct json_error je;
    struct json *doc;
    int64_t pid = 0;

    if (op->report.n == 0)
        return err_set(&op->prep.err, E_CHILD, "conmon ended without saying why");
    if (json_parse(&op->arena, buf_str(&op->report), &doc, &je) < 0)
        return err_set(&op->prep.err, E_CHILD, "conmon said: %.*s", (int)MIN_OF(op->report.n, 180),
                       op->report.p);
    pid = json_path_i64(doc, "pid", json_path_i64(doc, "data", -1));
    if (pid <= 0 || pid > INT32_MAX) {
        struct str why = str_trim(json_path_str(doc, "message"));
        return err_set(&op->prep.err, E_CHILD, "failed to create container: %.*s", (int)MIN_OF(why.n, 200),
                       why.n > 0 ? why.p : "the OCI runtime did not say why");
    }
    /* Ended within this moment: then its monitor tells the rest. */
    if (!proc_id_of((pid_t)pid, &op->c->init))
        op->c->init.pid = 0;
    return 0;
}

static void create_on_report_closed(void *arg, struct stream *s, int err, const char *reason)
{
    struct create_op *op = arg;

    op->pipe = NULL;
    timer_stop(&op->timer);
    int rc = op->rc < 0 ? op->rc : report_parse(op);
    if (rc < 0) {
        create_fail(op, rc);
        return;
    }
    op->c->state = CT_CREATED;
    op->c->created_ns = loop_wall_ns(op->rt->loop);
    op->work = (struct loop_work){ .fn = create_record_fn, .done = create_record_done };
    loop_work(op->rt->loop, &op->work);
}

static void create_on_report(void *arg, struct stream *s, const char *p, size_t n)
{
    struct create_op *op = arg;

    buf_add(&op->report, p, MIN_OF(n, REPORT_MAX - op->report.n));
    if (op->report.n == REPORT_MAX || str_find(buf_str(&op->report), '\n') >= 0)
        stream_close(s);
}

static void create_on_timeout(struct timer *t)
{
    struct create_op *op = container_of(t, struct create_op, timer);

    op->rc = err_set(&op->prep.err, E_TIMEOUT, "the OCI runtime did not create the container within %d s",
                     OCI_START_TIMEOUT_MS / 1000);
    stream_close(op->pipe);
}

static const struct stream_events report_events = { .on_data = create_on_report,
                                                    .on_close = create_on_report_closed };

static void create_prepare_fn(struct loop_work *w)
{
    struct create_op *op = container_of(w, struct create_op, work);
    op->rc = oci_prepare_run(&op->prep);
}

static void create_prepare_done(struct loop_work *w)
{
    struct create_op *op = container_of(w, struct create_op, work);
    int rc = op->rc;

    if (rc == 0)
        rc = stream_from_fd(op->rt->loop, op->prep.sync_fd, &report_events, op, &op->pipe, &op->prep.err);
    if (rc < 0) {
        create_fail(op, rc);
        return;
    }
    timer_start(&op->timer, OCI_START_TIMEOUT_MS);
}

static const char *const *copy_strings(struct arena *a, const char *const *from, size_t n)
{
    const char **to = arena_alloc(a, sizeof *to * (n + 1));

    for (size_t i = 0; i < n; i++)
        to[i] = arena_cstr(a, str_of(from[i]));
    to[n] = NULL;
    return to;
}

/* The table may change while the pool works. */
static void copy_image(struct create_op *op, const struct rt_image_info *from)
{
    struct arena *a = &op->arena;
    size_t n;

    op->image = (struct rt_image_info){
        .id = arena_cstr(a, str_of(from->id)), .user = arena_cstr(a, str_of(from->user)),
        .cwd = arena_cstr(a, str_of(from->cwd)),
        .entrypoint = copy_strings(a, from->entrypoint, from->n_entrypoint),
        .n_entrypoint = from->n_entrypoint,
        .cmd = copy_strings(a, from->cmd, from->n_cmd), .n_cmd = from->n_cmd,
        .env = copy_strings(a, from->env, from->n_env), .n_env = from->n_env,
    };
    const char *const *layers = image_store_layers(op->rt->images, from->id, &n);
    op->prep.layers = copy_strings(a, layers, n);
    op->prep.n_layers = n;
}

static struct oci_container *create_container(struct oci_runtime *rt, const struct oci_sandbox *sb,
                                              const struct rt_container_create *r, const char *image_id)
{
    struct buf b = BUF_INIT;
    char id[65];

    oci_new_id(rt, id);
    struct oci_container *c = oci_container_new(rt, id);
    snprintf(c->sandbox_id, sizeof c->sandbox_id, "%s", sb->id);
    snprintf(c->image_id, sizeof c->image_id, "%s", image_id);
    c->pod_uid = mem_strdup(sb->pod_uid);
    c->name = mem_strdup(r->name);
    c->image = mem_strdup(r->image);
    c->log_path = r->log_path != NULL ? mem_strdup(r->log_path) : NULL;
    buf_fmt(&b, "%s/%s", sb->cgroup, id);
    c->cgroup = mem_strndup(buf_str(&b));
    buf_clear(&b);
    buf_fmt(&b, "%s/termination", c->dir);
    c->termination_path = r->termination_path != NULL ? mem_strndup(buf_str(&b)) : NULL;
    buf_release(&b);
    buf_str_add(&c->memo, r->memo);
    c->attempt = r->attempt;
    c->tty = r->tty;
    c->want_stdin = r->want_stdin;
    c->shared_pid = sb->share_pid || sb->host_pid || r->pid_target != NULL;
    c->busy = true;
    return c;
}

static bool is_running(const struct oci_container *c) { return c != NULL && c->state == CT_RUNNING; }

static int create_check(struct oci_runtime *rt, const struct rt_container_create *r,
                        struct oci_sandbox **ret_sb,
                        const struct rt_image_info **ret_image, struct errbuf *err)
{
    struct oci_sandbox *sb = oci_sandbox_find(rt, r->sandbox_id);
    const struct rt_image_info *im = image_store_get(rt->images, r->image);

    if (rt->closing)
        return err_set(err, E_CLOSED, "the runtime is closing");
    if (sb == NULL)
        return err_set(err, E_NOTFOUND, "no sandbox %s", r->sandbox_id);
    if (!sb->info.ready || sb->busy)
        return err_set(err, E_AGAIN, "sandbox %s is not ready", r->sandbox_id);
    if (im == NULL)
        return err_set(err, E_NOTFOUND, "no image %s", r->image);
    if (r->pid_target != NULL && !is_running(oci_container_find(rt, r->pid_target)))
        return err_set(err, E_AGAIN, "container %s does not run", r->pid_target);
    if (!file_name_ok(r->name))
        return err_set(err, E_INVALID, "container name \"%.60s\" is not valid", r->name);
    if (r->memo.n > OCI_MEMO_MAX)
        return err_set(err, E_INVALID, "memo of %zu bytes", r->memo.n);
    *ret_sb = sb;
    *ret_image = im;
    return 0;
}

void oci_container_create(struct runtime *base, struct rt_container_create *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    const struct rt_image_info *im = NULL;
    struct oci_sandbox *sb = NULL;
    int rc = create_check(rt, r, &sb, &im, &r->req.err);

    if (rc < 0) {
        oci_answer(rt, &r->req, rc);
        return;
    }
    struct create_op *op = mem_new(struct create_op);
    op->rt = rt;
    op->req = r;
    op->c = create_container(rt, sb, r, im->id);
    copy_image(op, im);
    op->prep.rt = rt;
    op->prep.c = op->c;
    op->prep.req = r;
    op->prep.image = &op->image;
    op->prep.holder_pid = sb->holder.pid;
    op->prep.sandbox_dir = arena_cstr(&op->arena, str_of(sb->dir));
    op->prep.hostname = arena_cstr(&op->arena, str_of(sb->hostname));
    op->prep.host_network = sb->host_network;
    op->prep.host_pid = sb->host_pid;
    op->prep.host_ipc = sb->host_ipc;
    op->prep.share_pid = sb->share_pid;
    op->prep.target_pid = r->pid_target != NULL ? oci_container_find(rt, r->pid_target)->init.pid : 0;
    timer_init(&op->timer, rt->loop, create_on_timeout);
    op->work = (struct loop_work){ .fn = create_prepare_fn, .done = create_prepare_done };
    oci_pin(rt);
    loop_work(rt->loop, &op->work);
}

/* ---- start ------------------------------------------------------------------------------------ */

struct start_op { struct loop_work work; struct oci_container *c; struct rt_by_id *req; struct errbuf err; int rc; };

static void start_finish(struct start_op *op)
{
    struct oci_container *c = op->c;
    struct oci_runtime *rt = c->rt;
    struct rt_by_id *req = op->req;
    int rc = op->rc;

    req->req.err = op->err;
    mem_free(op);
    c->busy = false;
    oci_container_refresh(c);
    oci_container_settle(c);                     /* it may have ended already: told after this answer */
    req->req.done(&req->req, rc);
    oci_unpin(rt);
}

static void start_record_fn(struct loop_work *w)
{
    struct start_op *op = container_of(w, struct start_op, work);

    if (oci_container_save(op->c, &op->err) < 0) /* it runs: a start that is not recorded is found out later */
        log_warn("runtime", "container %s: %s", op->c->id, op->err.s);
}

static void start_record_done(struct loop_work *w)
{
    start_finish(container_of(w, struct start_op, work));
}

static void start_on_run(void *arg, const struct proc_run_result *r)
{
    struct start_op *op = arg;

    if (r->status != 0 || r->timed_out) {
        op->rc = oci_child_error(&op->err, "failed to start container", r);
        start_finish(op);
        return;
    }
    op->c->state = CT_RUNNING;
    op->c->started_ns = loop_wall_ns(op->c->rt->loop);
    op->work = (struct loop_work){ .fn = start_record_fn, .done = start_record_done };
    loop_work(op->c->rt->loop, &op->work);
}

void oci_container_start(struct runtime *base, struct rt_by_id *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    struct oci_container *c = oci_container_find(rt, r->id);
    int rc = 0;

    if (rt->closing)
        rc = err_set(&r->req.err, E_CLOSED, "the runtime is closing");
    else if (c == NULL)
        rc = err_set(&r->req.err, E_NOTFOUND, "no container %s", r->id);
    else if (c->state != CT_CREATED || c->busy)
        rc = err_set(&r->req.err, E_AGAIN, "container %s cannot be started now", r->id);
    if (rc < 0) {
        oci_answer(rt, &r->req, rc);
        return;
    }
    struct start_op *op = mem_new(struct start_op);
    op->c = c;
    op->req = r;
    const char *const args[] = { "start", c->id, NULL };
    rc = oci_crun(rt, args, start_on_run, op, &r->req.err);
    if (rc < 0) {
        mem_free(op);
        oci_answer(rt, &r->req, rc);
        return;
    }
    c->busy = true;
    oci_pin(rt);
}

/* ---- kill ------------------------------------------------------------------------------------- */

struct kill_op { struct loop_work work; struct oci_runtime *rt; struct rt_kill *req; char *cgroup; int rc; };

static void kill_fn(struct loop_work *w)
{
    struct kill_op *op = container_of(w, struct kill_op, work);
    op->rc = cgroup_kill(&op->rt->cg, op->cgroup, OCI_KILL_TIMEOUT_MS, &op->req->req.err);
}

static void kill_done(struct loop_work *w)
{
    struct kill_op *op = container_of(w, struct kill_op, work);
    struct oci_runtime *rt = op->rt;
    struct rt_req *req = &op->req->req;
    int rc = op->rc;

    mem_free(op->cgroup);
    mem_free(op);
    req->done(req, rc);
    oci_unpin(rt);
}

/* Without a PID namespace of its own a container has no first process whose end is everyone's. */
static void kill_cgroup(struct oci_runtime *rt, struct oci_container *c, struct rt_kill *r)
{
    struct kill_op *op = mem_new(struct kill_op);

    op->rt = rt;
    op->req = r;
    op->cgroup = mem_strdup(c->cgroup);
    op->work = (struct loop_work){ .fn = kill_fn, .done = kill_done };
    oci_pin(rt);
    loop_work(rt->loop, &op->work);
}

void oci_container_kill(struct runtime *base, struct rt_kill *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    struct oci_container *c = oci_container_find(rt, r->id);
    int rc = 0;

    if (c == NULL) {
        rc = err_set(&r->req.err, E_NOTFOUND, "no container %s", r->id);
    } else if (c->state == CT_CREATED || c->state == CT_RUNNING) {
        if (r->signum == SIGKILL && c->shared_pid) {
            kill_cgroup(rt, c, r);
            return;
        }
        rc = proc_id_signal(&c->init, r->signum, &r->req.err);
        rc = rc == E_NOTFOUND ? 0 : rc;
    }
    oci_answer(rt, &r->req, rc);
}

/* ---- remove ----------------------------------------------------------------------------------- */

struct discard_op {
    struct loop_work work;
    struct oci_container *c;
    struct oci_waiter waiter;
    void (*done)(void *arg, int status);
    void *arg;
    struct errbuf err;
    int rc;
};

static void discard_fn(struct loop_work *w)
{
    struct discard_op *op = container_of(w, struct discard_op, work);
    op->rc = oci_container_wipe(op->c->rt, op->c, &op->err);
}

static void discard_done(struct loop_work *w)
{
    struct discard_op *op = container_of(w, struct discard_op, work);
    struct oci_container *c = op->c;
    struct oci_runtime *rt = c->rt;
    void (*done)(void *arg, int status) = op->done;
    void *arg = op->arg;
    int rc = op->rc;

    c->busy = false;
    while (rc == 0 && !qempty(&c->waiters)) {    /* who waits for its end: this was it */
        struct oci_waiter *next = qentry(qpop(&c->waiters), struct oci_waiter, link);
        next->fn(next);
    }
    if (rc < 0)
        log_warn("runtime", "remove container %s: %s", c->id, op->err.s);
    else
        oci_container_free(c);
    mem_free(op);
    done(arg, rc);
    oci_unpin(rt);
}

static void discard_go(struct discard_op *op)
{
    pid_watch_close(op->c->watch);
    op->c->watch = NULL;
    op->work = (struct loop_work){ .fn = discard_fn, .done = discard_done };
    loop_work(op->c->rt->loop, &op->work);
}

static void discard_on_end(struct oci_waiter *w)
{
    discard_go(container_of(w, struct discard_op, waiter));
}

void oci_container_discard(struct oci_container *c, void (*done)(void *arg, int status), void *arg)
{
    struct discard_op *op = mem_new(struct discard_op);

    must(!c->busy);
    c->busy = true;
    op->c = c;
    op->done = done;
    op->arg = arg;
    op->waiter.fn = discard_on_end;
    oci_pin(c->rt);
    if (c->collecting)                           /* the pool reads its files just now */
        oci_container_on_end(c, &op->waiter);
    else
        discard_go(op);
}

static void remove_on_discarded(void *arg, int status)
{
    struct rt_by_id *req = arg;

    if (status < 0)
        err_set(&req->req.err, status, "container %s could not be removed", req->id);
    req->req.done(&req->req, status);
}

void oci_container_remove(struct runtime *base, struct rt_by_id *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    struct oci_container *c = oci_container_find(rt, r->id);
    int rc = 0;

    if (rt->closing)
        rc = err_set(&r->req.err, E_CLOSED, "the runtime is closing");
    else if (c != NULL && c->busy)
        rc = err_set(&r->req.err, E_AGAIN, "container %s is being changed", r->id);
    else if (c != NULL && c->state == CT_RUNNING)
        rc = err_set(&r->req.err, E_CONFLICT, "container %s is running", r->id);
    if (rc < 0 || c == NULL)
        oci_answer(rt, &r->req, rc);
    else
        oci_container_discard(c, remove_on_discarded, r);
}

/* ---- logs and counters ------------------------------------------------------------------------ */

int oci_container_reopen_log(struct runtime *base, const char *id, struct errbuf *err)
{
    struct oci_container *c = oci_container_find(oci_runtime_of(base), id);

    if (c == NULL)
        return err_set(err, E_NOTFOUND, "no container %s", id);
    return oci_control(c, "2 0 0\n", err);
}

struct stats_op { struct loop_work work; struct oci_runtime *rt; struct rt_stats_get *req; char *cgroup; struct cgroup_stats st; int rc; };

static void stats_fn(struct loop_work *w)
{
    struct stats_op *op = container_of(w, struct stats_op, work);
    op->rc = cgroup_read_stats(&op->rt->cg, op->cgroup, &op->st, &op->req->req.err);
}

static void stats_done(struct loop_work *w)
{
    struct stats_op *op = container_of(w, struct stats_op, work);
    struct oci_runtime *rt = op->rt;
    struct rt_stats_get *r = op->req;
    int rc = op->rc;

    r->cpu_ns = op->st.cpu_ns;
    r->memory_bytes = op->st.memory_bytes;
    r->working_set_bytes = op->st.working_set_bytes;
    r->pids = op->st.pids;
    mem_free(op->cgroup);
    mem_free(op);
    r->req.done(&r->req, rc);
    oci_unpin(rt);
}

void oci_stats(struct runtime *base, struct rt_stats_get *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    struct oci_container *c = oci_container_find(rt, r->id);
    struct oci_sandbox *sb = oci_sandbox_find(rt, r->id);

    if (c == NULL && sb == NULL) {
        oci_answer(rt, &r->req, err_set(&r->req.err, E_NOTFOUND, "no container or sandbox %s", r->id));
        return;
    }
    struct stats_op *op = mem_new(struct stats_op);
    op->rt = rt;
    op->req = r;
    op->cgroup = mem_strdup(c != NULL ? c->cgroup : sb->cgroup);
    op->work = (struct loop_work){ .fn = stats_fn, .done = stats_done };
    oci_pin(rt);
    loop_work(rt->loop, &op->work);
}
