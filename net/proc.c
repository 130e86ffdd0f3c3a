/* net/proc.c: children: their pipes, their end.
 *
 * Each child has a pidfd in the loop's poll: no signal handler, no race with reused pids.  A proc is
 * over when the child was reaped and the streams on its pipes are gone; then on_exit comes from the
 * loop, and the proc is freed after it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net/proc.h"
#include "net/real_loop.h"
#include "net/spawn.h"
#include "net/stream_impl.h"

struct proc {
    struct loop   *loop;
    pid_t          pid;
    int            pidfd, status;
    uv_poll_t     *poll;
    bool           reaped, detached;
    struct stream *stdio[3];                     /* NULL: none, or gone */
    struct ready_item over;
    struct qlink   link;                         /* in the loop's children */
    void         (*on_reaped)(void *arg, struct proc *p);
    void         (*on_exit)(void *arg, struct proc *p, int status);
    void          *arg;
};

static void proc_free(struct proc *p)
{
    qdel(&p->link);
    ready_cancel(&p->over);
    real_poll_close(p->poll);
    if (p->pidfd >= 0)
        close(p->pidfd);
    mem_free(p);
}

static void proc_check_over(struct proc *p)
{
    if (!p->reaped || p->stdio[0] != NULL || p->stdio[1] != NULL || p->stdio[2] != NULL)
        return;
    if (p->detached)
        proc_free(p);
    else
        ready_post(p->loop, &p->over);
}

static void proc_on_over(struct ready_item *it)
{
    struct proc *p = container_of(it, struct proc, over);

    must(p->loop->n_open > 0);
    p->loop->n_open--;
    p->on_exit(p->arg, p, p->status);
    proc_free(p);
}

static void proc_on_pidfd(uv_poll_t *h, int status, int events)
{
    struct proc *p = h->data;
    int   ws;
    pid_t pid = waitpid(p->pid, &ws, WNOHANG);

    loop_now_ns(p->loop);                        /* the turn begins here */
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return;
    if (pid < 0)
        p->status = 255;                         /* somebody else reaped it: unknown */
    else
        p->status = WIFEXITED(ws) ? WEXITSTATUS(ws) : 128 + WTERMSIG(ws);
    p->reaped = true;
    real_poll_close(p->poll);
    p->poll = NULL;
    if (p->stdio[0] != NULL && !p->detached)
        stream_close(p->stdio[0]);               /* its reader is gone */
    if (p->on_reaped != NULL && !p->detached)
        p->on_reaped(p->arg, p);                 /* on_exit comes later, so p is still there */
    proc_check_over(p);
}

static void proc_on_stream_gone(void *arg, struct stream *s)
{
    struct proc *p = arg;

    for (int i = 0; i < 3; i++)
        if (p->stdio[i] == s)
            p->stdio[i] = NULL;
    proc_check_over(p);
}

/* ---- spawning --------------------------------------------------------------------------------- */

/* Descriptors of one spawn: the child's ends, and ours of the pipes. */
struct ends { int *child; size_t n_child; bool opened[3]; int ours[3]; };

static void ends_close_child(struct ends *e)
{
    for (int i = 0; i < 3; i++)
        if (e->opened[i])
            close(e->child[i]);
    mem_free(e->child);
}

static void ends_close_ours(struct ends *e)
{
    for (int i = 0; i < 3; i++)
        if (e->ours[i] >= 0)
            close(e->ours[i]);
}

static int ends_open_one(struct ends *e, int i, int what)
{
    int fd[2];

    if (what >= 0) {
        e->child[i] = what;
        return 0;
    }
    if (what != PROC_PIPE) {
        e->child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    } else if (pipe2(fd, O_CLOEXEC) == 0) {
        e->child[i] = fd[i > 0];                 /* 0 is read by the child, 1 and 2 are written */
        e->ours[i] = fd[i == 0];
        fcntl(e->ours[i], F_SETFL, O_NONBLOCK);
    } else {
        return -1;
    }
    e->opened[i] = e->child[i] >= 0;
    return e->opened[i] ? 0 : -1;
}

static int ends_open(struct ends *e, const struct proc_opts *o, struct errbuf *err)
{
    *e = (struct ends){ .n_child = 3 + o->n_fds, .ours = { -1, -1, -1 } };
    e->child = mem_zalloc(e->n_child * sizeof *e->child);
    for (size_t i = 0; i < o->n_fds; i++)
        e->child[3 + i] = o->fds[i];
    for (int i = 0; i < 3; i++)
        if (ends_open_one(e, i, o->stdio[i]) < 0)
            return err_sys(err, errno, "descriptors for %s", o->argv[0]);
    return 0;
}

/* Streams on our ends, before there is a child, so that only the spawn itself can fail late. */
static int proc_open_streams(struct proc *p, struct ends *e, struct errbuf *err)
{
    for (int i = 0; i < 3; i++) {
        if (e->ours[i] < 0)
            continue;
        int fd = e->ours[i];
        e->ours[i] = -1;                         /* the stream's now, whatever comes */
        int rc = stream_from_fd(p->loop, fd, NULL, NULL, &p->stdio[i], err);
        if (rc < 0)
            return rc;
        p->stdio[i]->on_gone = proc_on_stream_gone;
        p->stdio[i]->gone_arg = p;
    }
    return 0;
}

static void proc_abort(struct proc *p)
{
    for (int i = 0; i < 3; i++)
        if (p->stdio[i] != NULL) {
            p->stdio[i]->on_gone = NULL;
            stream__discard(p->stdio[i]);
        }
    proc_free(p);
}

static int proc_start(struct proc *p, const struct proc_opts *o, struct ends *e, struct errbuf *err)
{
    struct spawn sp = { .argv = o->argv, .env = o->env, .cwd = o->cwd, .fds = e->child, .n_fds = e->n_child,
                        .setsid = o->setsid, .die_with_parent = o->die_with_parent };
    int rc = proc_open_streams(p, e, err);

    if (rc == 0)
        rc = spawn_child(&sp, &p->pid, err);
    if (rc < 0)
        return rc;
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (p->pidfd >= 0)
        p->poll = real_poll_open(p->loop, p->pidfd, p, err);
    else
        err_sys(err, errno, "watch %s", o->argv[0]);
    if (p->poll != NULL) {
        must_ok(uv_poll_start(p->poll, UV_READABLE, proc_on_pidfd));
        return 0;
    }
    kill(p->pid, SIGKILL);                       /* a child nobody would hear of again */
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return E_IO;
}

int proc_spawn(struct loop *l, const struct proc_opts *o, struct proc **ret, struct errbuf *err)
{
    struct proc *p;
    struct ends  e;
    int rc = ends_open(&e, o, err);

    p = mem_new(struct proc);
    p->loop = l;
    p->pidfd = -1;
    p->on_reaped = o->on_reaped;
    p->on_exit = o->on_exit;
    p->arg = o->arg;
    ready_init(&p->over, proc_on_over);
    qpush(&real_loop(l)->children, &p->link);
    if (rc == 0)
        rc = proc_start(p, o, &e, err);
    ends_close_child(&e);
    ends_close_ours(&e);
    if (rc < 0) {
        proc_abort(p);
        return rc;
    }
    l->n_open++;
    *ret = p;
    return 0;
}

int proc_pid(const struct proc *p)
{
    return p->pid;
}

struct stream *proc_stdio(struct proc *p, int i)
{
    must(i >= 0 && i < 3);
    return p->stdio[i];
}

void proc_kill(struct proc *p, int signum)
{
    if (!p->reaped)                              /* until then the pid is the child's, dead or alive */
        kill(p->pid, signum);
}

void proc_kill_group(struct proc *p, int signum)
{
    if (!p->reaped)
        kill(-p->pid, signum);
}

bool proc_exited(const struct proc *p)
{
    return p->reaped;
}

void proc_detach(struct proc *p)
{
    must(!p->detached);
    p->detached = true;
    must(p->loop->n_open > 0);
    p->loop->n_open--;
    for (int i = 0; i < 3; i++)
        if (p->stdio[i] != NULL) {
            p->stdio[i]->on_gone = NULL;         /* the streams stay the caller's */
            p->stdio[i] = NULL;
        }
    if (p->poll != NULL)
        uv_unref((uv_handle_t *)p->poll);        /* reaped if we are there; nothing waits for it */
    proc_check_over(p);
}

void proc__forget_children(struct loop *l)
{
    while (!qempty(&real_loop(l)->children)) {
        struct proc *p = qentry(qfirst(&real_loop(l)->children), struct proc, link);
        must(p->detached);
        proc_free(p);
    }
}
