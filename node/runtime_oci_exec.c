/* node/runtime_oci_exec.c: another process in a running container, by `crun exec` as our child.
 *
 * Without a tty its three pipes are the session's streams.  With one, crun makes the terminal inside the container
 * and hands its master over a socket (SCM_RIGHTS).  The session ends when the child has and its streams are read. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include "node/oci_spec.h"
#include "node/runtime_oci_impl.h"

enum { SAID_MAX = 512, CONFIG_MAX = 4 << 20, TTY_LINGER_MS = 1000 };

struct exec_session {
    struct oci_session base;
    struct loop_work work;
    char id[65], *dir;                           /* of the container */
    char spec[FILE_PATH_MAX], pidfile[FILE_PATH_MAX], socket[128];
    struct proc *proc;
    struct stream *in, *out, *err;               /* tty: in and out are one */
    int listener, master;                        /* tty: where crun connects; a dup of the master, for its size */
    bool connected;                              /* listener is crun's connection now */
    struct fd_watch *watch;
    uint16_t cols, rows;
    struct buf early;                            /* input before there is a stream */
    bool early_eof, exited, paused;
    char said[SAID_MAX]; size_t n_said;          /* first words on stderr: the reason when nothing was started */
    struct timer timer;
    int exit_code, status, ending;               /* ending: why we are killing it */
    struct errbuf reason;
};

static struct exec_session *exec_of(struct oci_session *x)
{
    return container_of(x, struct exec_session, base);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void close_console(struct exec_session *x)
{
    fd_watch_close(x->watch);
    x->watch = NULL;
    if (x->listener >= 0)
        close(x->listener);
    x->listener = -1;
    if (*x->socket != '\0')
        unlink(x->socket);
    x->socket[0] = '\0';
}

static void exec_finish(struct exec_session *x, int status)
{
    struct rt_session *s = x->base.s;

    must(x->in == NULL && x->out == NULL && x->err == NULL);
    timer_stop(&x->timer);
    close_console(x);
    if (x->master >= 0)
        close(x->master);
    unlink(x->spec);
    unlink(x->pidfile);
    s->exit_code = x->exit_code;
    s->req.err = x->reason;
    buf_release(&x->early);
    mem_free(x->dir);
    oci_session_finish(&x->base, status);
    mem_free(x);
}

/* crun writes the pid file once the process is there. */
static bool was_started(const struct exec_session *x)
{
    return file_exists(x->pidfile);
}

static void exec_maybe_finish(struct exec_session *x)
{
    if (!x->exited || x->in != NULL || x->out != NULL || x->err != NULL)
        return;
    if (x->ending < 0) {
        err_set(&x->reason, x->ending, x->ending == E_TIMEOUT ? "the command timed out"
                : "the session was ended");
        exec_finish(x, x->ending);
    } else if (!was_started(x)) {
        struct str why = str_trim(str_make(x->said, x->n_said));
        exec_finish(x, err_set(&x->reason, E_CHILD, "failed to exec in container: %.*s",
                               (int)MIN_OF(why.n, 200),
                               why.n > 0 ? why.p : "the OCI runtime did not say why"));
    } else {
        exec_finish(x, 0);
    }
}

static void take_console(struct exec_session *x);

static void exec_on_exit(void *arg, struct proc *p, int status)
{
    struct exec_session *x = arg;

    x->proc = NULL;
    x->exited = true;
    x->exit_code = status;
    take_console(x);
    close_console(x);
    if (x->in != NULL && x->in != x->out)
        stream_close(x->in);
    /* Whatever the process left behind may keep the terminal open for ever. */
    if (x->base.s->tty && x->out != NULL)
        timer_start(&x->timer, TTY_LINGER_MS);
    exec_maybe_finish(x);
}

/* ---- streams ---------------------------------------------------------------------------------- */

static void out_on_data(void *arg, struct stream *st, const char *p, size_t n)
{
    struct exec_session *x = arg;
    x->base.s->on_output(x->base.s, 1, p, n);
}

static void err_on_data(void *arg, struct stream *st, const char *p, size_t n)
{
    struct exec_session *x = arg;
    size_t keep = MIN_OF(n, SAID_MAX - x->n_said);

    memcpy(x->said + x->n_said, p, keep);
    x->n_said += keep;
    if (!x->base.s->tty)                         /* with a tty it is crun's own, told as the reason */
        x->base.s->on_output(x->base.s, 2, p, n);
}

static void in_on_data(void *arg, struct stream *st, const char *p, size_t n) { }

static void in_on_drain(void *arg, struct stream *st)
{
    struct exec_session *x = arg;
    if (x->base.s->on_drain != NULL)
        x->base.s->on_drain(x->base.s);
}

static void in_on_close(void *arg, struct stream *st, int err, const char *reason)
{
    struct exec_session *x = arg;
    x->in = NULL;
    exec_maybe_finish(x);
}

static void out_on_close(void *arg, struct stream *st, int err, const char *reason)
{
    struct exec_session *x = arg;
    if (x->in == x->out)
        x->in = NULL;
    x->out = NULL;
    exec_maybe_finish(x);
}

static void err_on_close(void *arg, struct stream *st, int err, const char *reason)
{
    struct exec_session *x = arg;
    x->err = NULL;
    exec_maybe_finish(x);
}

static const struct stream_events in_events = { .on_data = in_on_data, .on_drain = in_on_drain,
                                                .on_close = in_on_close };
static const struct stream_events out_events = { .on_data = out_on_data, .on_drain = in_on_drain,
                                                 .on_close = out_on_close };
static const struct stream_events err_events = { .on_data = err_on_data, .on_close = err_on_close };

static void flush_early(struct exec_session *x)
{
    if (x->in == NULL)
        return;
    stream_write(x->in, x->early.p, x->early.n);
    buf_clear(&x->early);
    if (x->early_eof && x->in != x->out)
        stream_shutdown(x->in);
    if (x->paused && x->out != NULL)
        stream_pause(x->out);
}

/* ---- the terminal ----------------------------------------------------------------------------- */

static int receive_fd(int conn)
{
    union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } control;
    char byte[64];
    struct iovec iov = { byte, sizeof byte };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                        .msg_controllen = sizeof control };
    int fd = -1;

    if (recvmsg(conn, &m, MSG_CMSG_CLOEXEC) < 0)
        return -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

static void set_size(struct exec_session *x)
{
    struct winsize ws = { .ws_row = x->rows, .ws_col = x->cols };

    if (x->master >= 0 && x->cols > 0 && x->rows > 0)
        ioctl(x->master, TIOCSWINSZ, &ws);
}

static void console_on_message(void *arg, int conn)
{
    struct exec_session *x = arg;
    int fd = receive_fd(conn);

    close_console(x);                            /* closes conn */
    if (fd < 0)
        return;                                  /* crun fails then, and says so */
    x->master = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    set_size(x);
    if (stream_from_fd(x->base.rt->loop, fd, &out_events, x, &x->out, &x->reason) < 0) {
        x->out = NULL;
        return;
    }
    x->in = x->out;
    flush_early(x);
}

/* crun is there: listen no more, wait for its message. */
static void console_on_connect(void *arg, int listener)
{
    struct exec_session *x = arg;
    int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (conn < 0)
        return;
    fd_watch_close(x->watch);
    x->watch = NULL;
    close(x->listener);
    x->listener = conn;
    x->connected = true;
    if (fd_watch_open(x->base.rt->loop, conn, console_on_message, x, &x->watch, &x->reason) < 0)
        x->watch = NULL;
}

/* A command that is quick may be over before the loop has seen its terminal come: what it said is in there. */
static void take_console(struct exec_session *x)
{
    if (x->watch != NULL && !x->connected)
        console_on_connect(x, x->listener);
    if (x->watch != NULL && x->connected)
        console_on_message(x, x->listener);
}

static int console_listen(struct exec_session *x, struct errbuf *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    if (strlen(x->socket) >= sizeof sa.sun_path)
        return err_set(err, E_TOOBIG, "run directory has too long a name for sockets");
    memcpy(sa.sun_path, x->socket, strlen(x->socket));
    x->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (x->listener < 0 || bind(x->listener, (struct sockaddr *)&sa, sizeof sa) < 0
        || listen(x->listener, 1) < 0)
        return err_sys(err, errno, "console socket %s", x->socket);
    return 0;
}

/* ---- starting --------------------------------------------------------------------------------- */

static void exec_on_timer(struct timer *t)
{
    struct exec_session *x = container_of(t, struct exec_session, timer);

    if (x->exited && x->out != NULL)
        stream_close(x->out);                    /* the terminal lingered */
    else if (!x->exited)
        x->base.ops->cancel(&x->base, E_TIMEOUT);
}

static void prepare_fn(struct loop_work *w)
{
    struct exec_session *x = container_of(w, struct exec_session, work);
    const struct rt_session *s = x->base.s;
    struct buf config = BUF_INIT, out = BUF_INIT;
    struct file_path p;
    int rc = file_path(&p, &x->reason, "%s/config.json", x->dir);

    if (rc == 0)
        rc = file_read(p.s, CONFIG_MAX, &config, &x->reason);
    if (rc == 0)
        rc = oci_exec_write(&out, buf_str(&config), s->argv, s->n_argv, s->tty, s->cols, s->rows, &x->reason);
    if (rc == 0)
        rc = file_replace(x->spec, buf_str(&out), 0600, false, &x->reason);
    if (rc == 0 && s->tty)
        rc = console_listen(x, &x->reason);
    buf_release(&config);
    buf_release(&out);
    x->status = rc;
}

static int exec_spawn(struct exec_session *x)
{
    struct oci_runtime *rt = x->base.rt;
    const struct rt_session *s = x->base.s;
    const char *argv[16];
    unsigned n = 0;
    struct proc_opts o = {
        .argv = argv, .stdio = { s->want_stdin && !s->tty ? PROC_PIPE : -1, s->tty ? -1 : PROC_PIPE,
                                 PROC_PIPE },
        .on_exit = exec_on_exit, .arg = x,
    };

    argv[n++] = rt->crun;
    argv[n++] = "--root";
    argv[n++] = rt->crun_root;
    argv[n++] = "exec";
    argv[n++] = "--process";
    argv[n++] = x->spec;
    argv[n++] = "--pid-file";
    argv[n++] = x->pidfile;
    if (s->tty) {
        argv[n++] = "--tty";
        argv[n++] = "--console-socket";
        argv[n++] = x->socket;
    }
    argv[n++] = x->id;
    argv[n] = NULL;
    must(n < ARRAY_LEN(argv));
    int rc = proc_spawn(rt->loop, &o, &x->proc, &x->reason);
    if (rc < 0)
        return rc;
    x->err = proc_stdio(x->proc, 2);
    stream_set_events(x->err, &err_events, x);
    if (!s->tty) {
        x->out = proc_stdio(x->proc, 1);
        stream_set_events(x->out, &out_events, x);
    }
    if (o.stdio[0] == PROC_PIPE) {
        x->in = proc_stdio(x->proc, 0);
        stream_set_events(x->in, &in_events, x);
    }
    return 0;
}

static void prepare_done(struct loop_work *w)
{
    struct exec_session *x = container_of(w, struct exec_session, work);
    struct rt_session *s = x->base.s;
    int rc = x->status;

    if (rc == 0 && x->ending < 0)
        rc = err_set(&x->reason, x->ending, "the session was ended");
    if (rc == 0)
        rc = exec_spawn(x);
    if (rc == 0 && s->tty)
        rc = fd_watch_open(x->base.rt->loop, x->listener, console_on_connect, x, &x->watch, &x->reason);
    if (rc < 0 && x->proc == NULL) {
        exec_finish(x, rc);
        return;
    }
    if (rc < 0)
        x->base.ops->cancel(&x->base, rc);
    if (s->timeout_ms > 0)
        timer_start(&x->timer, s->timeout_ms);
    if (!s->tty)
        flush_early(x);
}

/* ---- what the caller may do ------------------------------------------------------------------- */

static void exec_write(struct oci_session *b, const char *p, size_t n)
{
    struct exec_session *x = exec_of(b);

    if (!b->s->want_stdin || x->exited || x->early_eof)
        return;
    if (x->in != NULL)
        stream_write(x->in, p, n);
    else
        buf_add(&x->early, p, n);
}

static void exec_eof(struct oci_session *b)
{
    struct exec_session *x = exec_of(b);

    if (x->in != NULL && b->s->tty)
        stream_write(x->in, "\004", 1);          /* a terminal has no half-close: end of file is a key */
    else if (x->in != NULL)
        stream_shutdown(x->in);
    else if (b->s->tty)
        buf_add(&x->early, "\004", 1);
    x->early_eof = true;
}

static void exec_resize(struct oci_session *b, uint16_t cols, uint16_t rows)
{
    struct exec_session *x = exec_of(b);

    x->cols = cols;
    x->rows = rows;
    set_size(x);
}

static void exec_pause(struct oci_session *b, bool pause)
{
    struct exec_session *x = exec_of(b);
    struct stream *st[2] = { x->out, b->s->tty ? NULL : x->err };

    x->paused = pause;
    for (unsigned i = 0; i < 2; i++)
        if (st[i] != NULL && pause)
            stream_pause(st[i]);
        else if (st[i] != NULL)
            stream_resume(st[i]);
}

static size_t exec_queued(const struct oci_session *b)
{
    const struct exec_session *x = container_of(b, const struct exec_session, base);
    return x->in != NULL ? stream_queued(x->in) : x->early.n;
}

/* The process inside, if it is still that process: its cgroup carries the container's id. */
static void kill_inside(const struct exec_session *x)
{
    struct buf b = BUF_INIT;
    struct file_path p;
    struct proc_id id;
    uint64_t pid;

    if (file_read(x->pidfile, 64, &b, NULL) < 0 || !str_u64(str_trim(buf_str(&b)), &pid) || pid > INT32_MAX
        || !proc_id_of((pid_t)pid, &id))
        goto out;
    buf_clear(&b);
    if (file_path(&p, NULL, "/proc/%d/cgroup", (int)pid) == 0 && file_read(p.s, 64 << 10, &b, NULL) == 0
        && memmem(b.p, b.n, x->id, strlen(x->id)) != NULL)
        proc_id_signal(&id, SIGKILL, NULL);
out:
    buf_release(&b);
}

static void exec_cancel(struct oci_session *b, int status)
{
    struct exec_session *x = exec_of(b);

    must(status < 0);
    if (x->ending < 0 || x->exited)
        return;
    x->ending = status;
    if (x->proc == NULL)
        return;                                  /* still being prepared: not started then */
    kill_inside(x);
    proc_kill(x->proc, SIGKILL);
    if (x->out != NULL)
        stream_close(x->out);
    if (x->err != NULL)
        stream_close(x->err);
}

static const struct oci_session_ops exec_ops = {
    .write = exec_write, .eof = exec_eof, .resize = exec_resize, .pause = exec_pause, .queued = exec_queued,
    .cancel = exec_cancel,
};

void oci_exec_open(struct oci_runtime *rt, struct oci_container *c, struct rt_session *s)
{
    struct exec_session *x = mem_new(struct exec_session);
    unsigned long long tag = loop_random_u64(rt->loop);

    oci_session_begin(&x->base, &exec_ops, rt, s);
    snprintf(x->id, sizeof x->id, "%s", c->id);
    x->dir = mem_strdup(c->dir);
    snprintf(x->spec, sizeof x->spec, "%s/exec-%llx.json", c->dir, tag);
    snprintf(x->pidfile, sizeof x->pidfile, "%s/exec-%llx.pid", c->dir, tag);
    if (s->tty)
        snprintf(x->socket, sizeof x->socket, "%s/tty-%llx", rt->run, tag);
    x->listener = x->master = -1;
    x->cols = s->cols;
    x->rows = s->rows;
    timer_init(&x->timer, rt->loop, exec_on_timer);
    x->work = (struct loop_work){ .fn = prepare_fn, .done = prepare_done };
    loop_work(rt->loop, &x->work);
}
