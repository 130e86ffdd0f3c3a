/* node/runtime_oci_exit.c: how containers end.
 *
 * The container's monitor (conmon) writes the exit status and leaves; we notice by its pidfd.  Nothing is added to
 * the record: the status file says the same to every agent that asks.  A monitor that left without a status was
 * killed: then its container is ended too, because nobody would ever know when it does. */
#include <stdio.h>
#include <sys/stat.h>
#include "net/log.h"
#include "node/runtime_oci_impl.h"

struct exit_found { int code; bool oom, lost; int64_t finished_ns; };
struct exit_job { struct loop_work work; struct oci_container *c; struct exit_found found; };

static void exit_read(struct oci_runtime *rt, const struct oci_container *c, struct exit_found *f)
{
    struct file_path p;
    struct buf b = BUF_INIT;
    struct errbuf err;
    struct stat st;
    uint64_t code;

    if (file_path(&p, NULL, "%s/exit", c->dir) == 0 && stat(p.s, &st) == 0
        && file_read(p.s, 64, &b, NULL) == 0
        && str_u64(str_trim(buf_str(&b)), &code) && code <= 255) {
        f->code = (int)code;
        f->finished_ns = st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec;
    } else {
        f->code = 137;
        f->lost = true;
    }
    buf_release(&b);
    /* Without a PID namespace of its own, children outlive the first process. */
    if ((f->lost || c->shared_pid) && oci_cgroup_ours(rt, c->cgroup)
        && cgroup_kill(&rt->cg, c->cgroup, OCI_KILL_TIMEOUT_MS, &err) < 0)
        log_warn("runtime", "container %s: %s", c->id, err.s);
    if (file_path(&p, NULL, "%s/oom", c->dir) == 0 && file_exists(p.s))
        f->oom = true;
    else if (f->code == 137 && !f->lost)
        f->oom = cgroup_oom_kills(&rt->cg, c->cgroup) > 0;
}

static void exit_apply(struct oci_container *c, const struct exit_found *f)
{
    c->state = CT_EXITED;
    c->exit_code = f->code;
    c->oom_killed = f->oom;
    c->lost = f->lost;
    c->finished_ns = f->finished_ns > 0 ? f->finished_ns : loop_wall_ns(c->rt->loop);
    c->finished_ns = MAX_OF(c->finished_ns, c->started_ns);      /* a file's date may lag some ms */
    pid_watch_close(c->watch);
    c->watch = NULL;
    oci_container_refresh(c);
}

static void exit_fn(struct loop_work *w)
{
    struct exit_job *j = container_of(w, struct exit_job, work);
    exit_read(j->c->rt, j->c, &j->found);
}

static void exit_done(struct loop_work *w)
{
    struct exit_job *j = container_of(w, struct exit_job, work);
    struct oci_container *c = j->c;
    struct oci_runtime *rt = c->rt;
    struct qlink waiters;
    char id[65];

    exit_apply(c, &j->found);
    c->collecting = false;
    mem_free(j);
    snprintf(id, sizeof id, "%s", c->id);
    qmove(&c->waiters, &waiters);
    if (rt->base.events != NULL && c->info.started_ns > 0)
        rt->base.events->on_container_exit(rt->base.events_arg, id);     /* may ask for its removal */
    while (!qempty(&waiters)) {
        struct oci_waiter *next = qentry(qpop(&waiters), struct oci_waiter, link);
        next->fn(next);
    }
    oci_unpin(rt);
}

static void collect(struct oci_container *c)
{
    struct exit_job *j = mem_new(struct exit_job);

    must(c->ended && !c->collecting && c->state != CT_EXITED);
    c->collecting = true;
    j->c = c;
    j->work = (struct loop_work){ .fn = exit_fn, .done = exit_done };
    oci_pin(c->rt);
    loop_work(c->rt->loop, &j->work);
}

void oci_container_settle(struct oci_container *c)
{
    if (c->ended && !c->busy && !c->collecting && (c->state == CT_CREATED || c->state == CT_RUNNING))
        collect(c);
}

static void on_monitor_gone(void *arg)
{
    struct oci_container *c = arg;

    c->ended = true;
    oci_container_settle(c);
}

void oci_container_watch(struct oci_container *c)
{
    struct errbuf err;

    if (c->state != CT_CREATED && c->state != CT_RUNNING)
        return;
    if (pid_watch_open(c->rt->loop, &c->monitor, on_monitor_gone, c, &c->watch, &err) < 0) {
        log_error("runtime", "container %s: %s", c->id, err.s);
        c->watch = NULL;
    }
}

void oci_container_recover(struct oci_container *c)
{
    struct exit_found f = { 0 };
    struct file_path p;

    /* Created, then started by an agent that died before it could say so: the start pipe is gone. */
    if (c->state == CT_CREATED && file_path(&p, NULL, "%s/%s/exec.fifo", c->rt->crun_root, c->id) == 0
        && !file_exists(p.s)) {
        c->state = CT_RUNNING;
        c->started_ns = c->created_ns;
    }
    if ((c->state == CT_CREATED || c->state == CT_RUNNING) && !proc_id_alive(&c->monitor)) {
        c->ended = true;
        exit_read(c->rt, c, &f);
        exit_apply(c, &f);
    }
    oci_container_refresh(c);
    oci_container_watch(c);
}

void oci_container_on_end(struct oci_container *c, struct oci_waiter *w)
{
    must(c->state == CT_CREATED || c->state == CT_RUNNING);
    qpush(&c->waiters, &w->link);
}
