/* net/real_listen.c: listening sockets.
 *
 * Accepts a bounded number per wake-up and keeps a bounded number of handshakes under way.  When the
 * process is out of file descriptors the listener rests a moment instead of spinning. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "net/log.h"
#include "net/real_stream.h"

enum {
    LISTEN_BACKLOG = 4096,
    ACCEPTS_PER_WAKE = 64,
    HANDSHAKES_MAX = 1024,                       /* each may hold some 50 KiB and a descriptor */
    REST_MS = 100,
};

struct real_listener {
    struct listener base;
    int             fd;
    uv_poll_t      *poll;
    struct tls_ctx *tls;
    void          (*on_accept)(void *arg, struct stream *s);
    void           *arg;
    char           *addr, *unlink_path;
    struct timer    rest;                        /* active: not accepting, out of descriptors */
    bool            short_of_fds;                /* said so already */
    bool            accepting, closed;           /* closed while accepting: freed at its end */
    struct qlink    shaking;                     /* streams in their handshake */
    size_t          n_shaking;
    int             fd_end;                      /* descriptors from here on are not for clients */
};

static void listener_on_poll(uv_poll_t *h, int status, int events);

static void listener_watch(struct real_listener *ln)
{
    if (ln->closed)
        return;
    if (timer_active(&ln->rest) || ln->n_shaking >= HANDSHAKES_MAX)
        uv_poll_stop(ln->poll);
    else if (!uv_is_active((uv_handle_t *)ln->poll))
        must_ok(uv_poll_start(ln->poll, UV_READABLE, listener_on_poll));
}

static void listener_on_rested(struct timer *t)
{
    listener_watch(container_of(t, struct real_listener, rest));
}

static void listener_release(struct real_listener *ln)
{
    must(ln->closed && ln->n_shaking == 0);
    mem_free(ln->addr);
    mem_free(ln->unlink_path);
    mem_free(ln);
}

/* ---- accepting ------------------------------------------------------------------------------- */

static void accepted_on_ready(struct real_stream *rs, bool ok)
{
    struct real_listener *ln = rs->owner;

    must(qlinked(&rs->link) && ln->n_shaking > 0);
    qdel(&rs->link);
    ln->n_shaking--;
    rs->owner = NULL;
    if (ln->n_shaking == HANDSHAKES_MAX - 1)
        listener_watch(ln);
    if (ok)
        ln->on_accept(ln->arg, &rs->base);       /* may close ln */
}

static void accept_one(struct real_listener *ln, int fd, const struct addr *peer)
{
    struct real_stream *rs = real_stream_new(ln->base.loop, NULL, NULL);
    struct errbuf err;
    char text[ADDR_TEXT_MAX];

    addr_format(peer, text);
    rs->base.peer = mem_strdup(text);
    if (real_stream_attach(rs, fd, &err) < 0) {
        log_warn("net", "accept on %s: %s", ln->addr, err.s);
        stream__discard(&rs->base);
        return;
    }
    rs->owner = ln;
    rs->on_ready = accepted_on_ready;
    qpush(&ln->shaking, &rs->link);
    ln->n_shaking++;
    if (ln->tls != NULL)
        stream__deadline(&rs->base, REAL_OPEN_MS);
    real_stream_established(rs, ln->tls);
}

static void accept_rest(struct real_listener *ln, const char *why)
{
    if (!ln->short_of_fds)
        log_warn("net", "accept on %s: %s", ln->addr, why);
    ln->short_of_fds = true;
    timer_start(&ln->rest, REST_MS);
}

static bool accept_out_of_fds(struct real_listener *ln, int errnum)
{
    if (errnum != EMFILE && errnum != ENFILE && errnum != ENOBUFS && errnum != ENOMEM)
        return false;
    accept_rest(ln, strerror(errnum));
    return true;
}

/* The kernel hands out the lowest descriptor that is free, so its number tells how many are in use.
 * Closing sends the client elsewhere at once. */
static bool accept_too_many(struct real_listener *ln, int fd)
{
    if (fd < ln->fd_end)
        return false;
    close(fd);
    accept_rest(ln, "too many connections; further ones are closed");
    return true;
}

static void listener_on_poll(uv_poll_t *h, int status, int events)
{
    struct real_listener *ln = h->data;

    loop_now_ns(ln->base.loop);                  /* the turn begins here */
    ln->accepting = true;
    for (int i = 0; i < ACCEPTS_PER_WAKE && !ln->closed && ln->n_shaking < HANDSHAKES_MAX; i++) {
        struct addr peer = { .len = sizeof peer.ss };
        int fd = accept4(ln->fd, (struct sockaddr *)&peer.ss, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && accept_too_many(ln, fd))
            break;
        if (fd >= 0) {
            ln->short_of_fds = false;
            accept_one(ln, fd, &peer);
        } else if (errno == EAGAIN || accept_out_of_fds(ln, errno)) {
            break;
        }                                        /* else: that client is gone already */
    }
    ln->accepting = false;
    if (ln->closed)
        listener_release(ln);
    else
        listener_watch(ln);
}

static void real_listener_close(struct listener *base)
{
    struct real_listener *ln = container_of(base, struct real_listener, base);

    must(!ln->closed);
    ln->closed = true;
    timer_stop(&ln->rest);
    real_poll_close(ln->poll);
    close(ln->fd);
    if (ln->unlink_path != NULL)
        unlink(ln->unlink_path);
    while (!qempty(&ln->shaking))                /* nobody knows these yet */
        stream_close(&qentry(qfirst(&ln->shaking), struct real_stream, link)->base);
    must(ln->base.loop->n_open > 0);
    ln->base.loop->n_open--;
    if (!ln->accepting)
        listener_release(ln);
}

/* ---- opening --------------------------------------------------------------------------------- */

static const char *real_listener_addr(struct listener *base)
{
    return container_of(base, struct real_listener, base)->addr;
}

static const struct listener_ops real_listener_ops = { real_listener_close, real_listener_addr };

/* A socket file without a listener behind it is left from a crash. */
static bool unix_is_stale(const struct addr *a)
{
    int  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool stale = fd >= 0 && connect(fd, (const struct sockaddr *)&a->ss, a->len) < 0 && errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return stale;
}

static int bind_unix(int fd, const struct addr *a)
{
    const char *path = ((const struct sockaddr_un *)(const void *)&a->ss)->sun_path;
    int rc = bind(fd, (const struct sockaddr *)&a->ss, a->len);

    if (rc < 0 && errno == EADDRINUSE && unix_is_stale(a)) {
        unlink(path);
        rc = bind(fd, (const struct sockaddr *)&a->ss, a->len);
    }
    return rc < 0 ? rc : chmod(path, 0600);      /* nobody can connect before listen() */
}

/* A listening socket, or -1 and errno. */
static int socket_listen(const struct addr *a)
{
    int on = 1, fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc = fd;

    if (fd >= 0 && a->ss.ss_family == AF_UNIX) {
        rc = bind_unix(fd, a);
    } else if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        real_tcp_options(fd, 0);
        rc = bind(fd, (const struct sockaddr *)&a->ss, a->len);
    }
    if (rc >= 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    int errnum = errno;
    if (fd >= 0)
        close(fd);
    errno = errnum;
    return -1;
}

static char *listener_name(int fd, const struct addr_text *t)
{
    struct addr a = { .len = sizeof a.ss };
    char text[ADDR_TEXT_MAX + 8];

    if (t->is_unix) {
        snprintf(text, sizeof text, "unix:%.110s", t->host);
    } else {
        must_ok(getsockname(fd, (struct sockaddr *)&a.ss, &a.len));
        addr_format(&a, text);
    }
    return mem_strdup(text);
}

/* At most half of all are kept from clients. */
static int fd_end(unsigned spare)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur > INT_MAX)
        return INT_MAX;
    return (int)(r.rlim_cur - MIN_OF(r.rlim_cur / 2, (rlim_t)spare));
}

int real_listen(struct loop *l, const struct listener_opts *o, struct listener **ret, struct errbuf *err)
{
    struct addr_text t;
    struct addr      a;
    int fd, rc = addr_split(o->addr, &t, err);

    if (rc < 0)
        return rc;
    if (!addr_numeric(&t, &a))
        return err_set(err, E_INVALID, "listen on %s: not an IP address", o->addr);
    if ((fd = socket_listen(&a)) < 0)
        return err_sys(err, errno, "listen on %s", o->addr);
    struct real_listener *ln = mem_new(struct real_listener);
    if ((ln->poll = real_poll_open(l, fd, ln, err)) == NULL) {
        close(fd);
        mem_free(ln);
        return E_IO;
    }
    ln->base = (struct listener){ &real_listener_ops, l };
    ln->fd = fd;
    ln->tls = o->tls;
    ln->on_accept = o->on_accept;
    ln->arg = o->arg;
    ln->fd_end = fd_end(o->spare_files);
    ln->addr = listener_name(fd, &t);
    ln->unlink_path = t.is_unix ? mem_strdup(t.host) : NULL;
    qinit(&ln->shaking);
    timer_init(&ln->rest, l, listener_on_rested);
    l->n_open++;
    listener_watch(ln);
    *ret = &ln->base;
    return 0;
}
