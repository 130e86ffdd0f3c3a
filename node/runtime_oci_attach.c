/* node/runtime_oci_attach.c: the streams of a container's own process, through conmon's attach socket.
 *
 * A SOCK_SEQPACKET socket: what comes is packets of one byte (2 stdout, 3 stderr) and the bytes; what goes is input as it is.
 * Only what is written from now on is seen; earlier output is in the log. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "node/runtime_oci_impl.h"

enum { PACKET_MAX = 32 << 10, SEND_MAX = 8 << 10, PACKETS_PER_TURN = 32, PIPE_STDOUT = 2, PIPE_STDERR = 3 };

struct attach_session {
    struct oci_session base;
    char id[65];
    int fd;
    struct fd_watch *watch;
    struct buf in;                               /* not taken yet */
    bool paused, eof, eof_sent, above;
    struct oci_waiter waiter;
    struct ready_item end;
    struct timer timer;
    struct errbuf reason;
    int status;
};

static struct attach_session *attach_of(struct oci_session *x)
{
    return container_of(x, struct attach_session, base);
}

static void attach_stop(struct attach_session *x)
{
    fd_watch_close(x->watch);
    x->watch = NULL;
    if (x->fd >= 0)
        close(x->fd);
    x->fd = -1;
}

static void attach_finish(struct attach_session *x)
{
    struct rt_session *s = x->base.s;
    struct oci_container *c = oci_container_find(x->base.rt, x->id);
    int status = x->status;

    attach_stop(x);
    qdel(&x->waiter.link);
    ready_cancel(&x->end);
    timer_stop(&x->timer);
    if (c != NULL && c->state == CT_EXITED)
        s->exit_code = c->exit_code;
    s->req.err = x->reason;
    buf_release(&x->in);
    oci_session_finish(&x->base, status);
    mem_free(x);
}

static void attach_on_end(struct ready_item *it)
{
    attach_finish(container_of(it, struct attach_session, end));
}

static void attach_on_exit(struct oci_waiter *w)
{
    attach_finish(container_of(w, struct attach_session, waiter));
}

static void attach_end(struct attach_session *x, int status)
{
    x->status = status;
    attach_stop(x);
    ready_post(x->base.rt->loop, &x->end);
}

/* The monitor closed the socket because it is about to end: its exit status follows in a moment. */
static void attach_on_closed(struct attach_session *x)
{
    struct oci_container *c = oci_container_find(x->base.rt, x->id);

    attach_stop(x);
    if (c != NULL && (c->state == CT_CREATED || c->state == CT_RUNNING))
        oci_container_on_end(c, &x->waiter);
    else
        attach_end(x, 0);
}

static void attach_mode(struct attach_session *x)
{
    if (x->watch != NULL)
        fd_watch_mode(x->watch, !x->paused, x->in.n > 0 || (x->eof && !x->eof_sent));
}

static void attach_send(struct attach_session *x)
{
    struct rt_session *s = x->base.s;

    while (x->in.n > 0) {
        ssize_t n = send(x->fd, x->in.p, MIN_OF(x->in.n, SEND_MAX), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            break;                               /* full, or closed: then reading says so */
        buf_drop(&x->in, (size_t)n);
    }
    if (x->in.n == 0 && x->eof && !x->eof_sent) {
        shutdown(x->fd, SHUT_WR);
        x->eof_sent = true;
    }
    if (x->above && x->in.n <= STREAM_LOW_WATER) {
        x->above = false;
        if (s->on_drain != NULL)
            s->on_drain(s);
    }
}

static void attach_on_ready(void *arg, int fd)
{
    struct attach_session *x = arg;
    struct rt_session *s = x->base.s;
    char packet[PACKET_MAX];

    for (int i = 0; i < PACKETS_PER_TURN && !x->paused; i++) {
        ssize_t n = recv(x->fd, packet, sizeof packet, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0) {
            attach_on_closed(x);
            return;
        }
        if (n > 1)
            s->on_output(s, packet[0] == PIPE_STDERR ? 2 : 1, packet + 1, (size_t)n - 1);
        if (x->fd < 0)
            return;                              /* canceled from inside */
    }
    attach_send(x);
    attach_mode(x);
}

/* The socket lies in the container's directory, whose name may be too long for an address. */
static int attach_connect(struct attach_session *x, const char *dir, struct errbuf *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), rc = 0;

    if (at < 0)
        return err_sys(err, errno, "open %s", dir);
    snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/attach", at);
    x->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (x->fd < 0 || connect(x->fd, (struct sockaddr *)&sa, sizeof sa) < 0)
        rc = err_sys(err, errno, "attach to container %s", x->id);
    close(at);
    return rc;
}

/* ---- what the caller may do ------------------------------------------------------------------- */

static void attach_write(struct oci_session *b, const char *p, size_t n)
{
    struct attach_session *x = attach_of(b);

    if (!b->s->want_stdin || x->fd < 0 || x->eof)
        return;
    buf_add(&x->in, p, n);
    attach_send(x);
    x->above |= x->in.n > STREAM_LOW_WATER;
    attach_mode(x);
}

static void attach_eof(struct oci_session *b)
{
    struct attach_session *x = attach_of(b);

    if (x->fd < 0)
        return;
    x->eof = true;
    attach_send(x);
    attach_mode(x);
}

static void attach_resize(struct oci_session *b, uint16_t cols, uint16_t rows)
{
    struct oci_container *c = oci_container_find(b->rt, attach_of(b)->id);
    char line[32];

    if (c == NULL || cols == 0 || rows == 0)
        return;
    snprintf(line, sizeof line, "1 %u %u\n", rows, cols);
    oci_control(c, line, NULL);                  /* it may be ending just now */
}

static void attach_pause(struct oci_session *b, bool pause)
{
    struct attach_session *x = attach_of(b);

    x->paused = pause;
    attach_mode(x);
}

static size_t attach_queued(const struct oci_session *b)
{
    return container_of(b, const struct attach_session, base)->in.n;
}

static void attach_cancel(struct oci_session *b, int status)
{
    struct attach_session *x = attach_of(b);

    qdel(&x->waiter.link);
    err_set(&x->reason, status, "the session was ended");
    attach_end(x, status);
}

static void attach_on_timer(struct timer *t)
{
    struct attach_session *x = container_of(t, struct attach_session, timer);
    attach_cancel(&x->base, E_TIMEOUT);
}

static const struct oci_session_ops attach_ops = {
    .write = attach_write, .eof = attach_eof, .resize = attach_resize, .pause = attach_pause,
    .queued = attach_queued,
    .cancel = attach_cancel,
};

void oci_attach_open(struct oci_runtime *rt, struct oci_container *c, struct rt_session *s)
{
    struct attach_session *x = mem_new(struct attach_session);

    oci_session_begin(&x->base, &attach_ops, rt, s);
    snprintf(x->id, sizeof x->id, "%s", c->id);
    x->fd = -1;
    qinit(&x->waiter.link);
    x->waiter.fn = attach_on_exit;
    ready_init(&x->end, attach_on_end);
    timer_init(&x->timer, rt->loop, attach_on_timer);
    int rc = attach_connect(x, c->dir, &x->reason);
    if (rc == 0)
        rc = fd_watch_open(rt->loop, x->fd, attach_on_ready, x, &x->watch, &x->reason);
    if (rc < 0) {
        attach_end(x, rc);
        return;
    }
    if (s->timeout_ms > 0)
        timer_start(&x->timer, s->timeout_ms);
    if (s->tty)
        attach_resize(&x->base, s->cols, s->rows);
}
