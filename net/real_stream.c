/* net/real_stream.c: streams on non-blocking file descriptors, plain or with TLS.
 *
 * One epoll wake-up, one read, one write per request and reply: reads stop at the first short one
 * (the poll is level-triggered and tells of the rest), writes are gathered over a whole turn, and
 * interest in writability is registered only while the kernel's buffer is full. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "net/real_stream.h"

enum {
    READS_PER_WAKE = 8,                          /* of REAL_READ_SIZE; the other streams want a turn, too */
    RECORDS_PER_WAKE = 32,                       /* the same for TLS */
    FLUSH_BYTES_MAX = 1 << 20,                   /* per stream and turn */
    FLUSH_IOV = 64,
    TLS_RECORD = 16384,
};

static void real_keep_buffers(struct stream *s)
{
    if (real_stream(s)->ssl != NULL)
        SSL_clear_mode(real_stream(s)->ssl, SSL_MODE_RELEASE_BUFFERS);
}

static const struct stream_ops real_stream_ops;
static void stream_on_more(struct ready_item *it);

struct real_stream *real_stream_new(struct loop *l, const struct stream_events *ev, void *arg)
{
    struct real_stream *rs = mem_new(struct real_stream);

    stream__init(&rs->base, l, &real_stream_ops, ev, arg);
    rs->fd = -1;
    qinit(&rs->link);
    ready_init(&rs->more, stream_on_more);
    return rs;
}

static void stream_on_poll(uv_poll_t *h, int status, int events);

int real_stream_attach(struct real_stream *rs, int fd, struct errbuf *err)
{
    int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
    struct stat st;

    must(rs->fd < 0);
    rs->fd = fd;
    rs->can_read = mode != O_WRONLY;
    rs->can_write = mode != O_RDONLY;
    rs->is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    rs->poll = real_poll_open(rs->base.loop, fd, rs, err);
    return rs->poll != NULL ? 0 : E_IO;
}

void real_stream_detach(struct real_stream *rs)
{
    real_poll_close(rs->poll);
    rs->poll = NULL;
    if (rs->fd >= 0)
        close(rs->fd);
    rs->fd = -1;
    rs->events = 0;
    rs->connecting = rs->want_write = false;
}

void real_tcp_options(int fd, unsigned unacked_ms)
{
    int on = 1, idle_s = 30, interval_s = 10, probes = 3;

    /* A refused option costs speed, not correctness. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    if (unacked_ms > 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
}

void real_stream_watch(struct real_stream *rs)
{
    struct stream *s = &rs->base;
    int events = 0;

    if (rs->poll == NULL)
        return;
    if (rs->connecting || rs->want_write)
        events |= UV_WRITABLE;
    if (!rs->connecting && rs->can_read && (s->state == STREAM_OPENING || stream__wants_data(s)))
        events |= UV_READABLE;
    if (events == rs->events)
        return;
    rs->events = events;
    if (events == 0)
        must_ok(uv_poll_stop(rs->poll));
    else
        must_ok(uv_poll_start(rs->poll, events, stream_on_poll));
}

/* ---- failing --------------------------------------------------------------------------------- */

static void fail_errno(struct real_stream *rs, int errnum, const char *what)
{
    struct errbuf err;
    int code = err_sys(&err, errnum, "%s", what);

    if (errnum == EPIPE || errnum == ECONNRESET)
        code = E_CLOSED;
    else if (errnum == ETIMEDOUT)
        code = E_TIMEOUT;
    stream__fail(&rs->base, code, err.s);
}

/* A TLS call returned rc <= 0.  False: the stream has failed; true: it only has to wait. */
static bool tls_may_wait(struct real_stream *rs, int rc, const char *what)
{
    struct errbuf err;
    int errnum = errno, code;

    switch (SSL_get_error(rs->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return true;
    case SSL_ERROR_WANT_WRITE:
        rs->want_write = true;
        return true;
    case SSL_ERROR_SYSCALL:
        rs->broken = true;
        ERR_clear_error();
        if (errnum != 0)
            fail_errno(rs, errnum, what);
        else
            stream__fail(&rs->base, E_CLOSED, "the peer hung up without a TLS goodbye");
        return false;
    default:
        rs->broken = true;
        if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            ERR_clear_error();
            stream__fail(&rs->base, E_CLOSED, "the peer hung up without a TLS goodbye");
            return false;
        }
        code = tls__reason(rs->ssl, &err);
        stream__fail(&rs->base, code, err.s);
        return false;
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static void stream_ready(struct real_stream *rs)
{
    void (*on_ready)(struct real_stream *rs, bool ok) = rs->on_ready;

    if (on_ready != NULL) {
        rs->on_ready = NULL;
        stream__opened(&rs->base);
        on_ready(rs, true);
    } else {
        stream__opened(&rs->base);
    }
}

static void handshake_step(struct real_stream *rs)
{
    const unsigned char *alpn;
    unsigned             n_alpn;

    rs->want_write = false;
    errno = 0;
    int rc = SSL_do_handshake(rs->ssl);
    if (rc != 1) {
        tls_may_wait(rs, rc, "TLS handshake");
        return;
    }
    rs->peer = tls__peer(rs->ssl);
    SSL_get0_alpn_selected(rs->ssl, &alpn, &n_alpn);
    if (n_alpn > 0 && n_alpn < sizeof rs->alpn)
        memcpy(rs->alpn, alpn, n_alpn);
    stream_ready(rs);
    /* What came right behind the handshake was read with it: no poll will tell of it. */
    if (rs->base.state == STREAM_OPEN && SSL_has_pending(rs->ssl))
        ready_post(rs->base.loop, &rs->more);
}

void real_stream_established(struct real_stream *rs, struct tls_ctx *tls)
{
    struct errbuf err;

    rs->connecting = false;
    stream__pin(&rs->base);
    if (tls == NULL) {
        stream_ready(rs);
    } else {
        rs->ssl = tls__session(tls, rs->fd, rs->tls_name, &err);
        if (rs->ssl == NULL)
            stream__fail(&rs->base, E_INVALID, err.s);
        else
            handshake_step(rs);
    }
    if (rs->base.state != STREAM_CLOSED)
        real_stream_watch(rs);
    stream__unpin(&rs->base);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void read_plain(struct real_stream *rs)
{
    struct stream *s = &rs->base;
    char *buf = real_read_buf(s->loop);

    for (int i = 0; i < READS_PER_WAKE && stream__wants_data(s); i++) {
        ssize_t n = read(rs->fd, buf, REAL_READ_SIZE);
        if (n > 0) {
            stream__data(s, buf, (size_t)n);
            if (n < REAL_READ_SIZE)
                return;
        } else if (n == 0 || (errno == EIO && !rs->is_socket)) {
            stream__eof(s);                      /* EIO: the other side of a terminal is gone */
            return;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            fail_errno(rs, errno, "read");
            return;
        }
    }
}

static void read_tls(struct real_stream *rs)
{
    struct stream *s = &rs->base;
    char *buf = real_read_buf(s->loop);

    for (int i = 0; i < RECORDS_PER_WAKE && stream__wants_data(s); i++) {
        errno = 0;
        int n = SSL_read(rs->ssl, buf, REAL_READ_SIZE);
        if (n > 0) {
            stream__data(s, buf, (size_t)n);
        } else if (SSL_get_error(rs->ssl, n) == SSL_ERROR_ZERO_RETURN) {
            stream__eof(s);
            return;
        } else {
            tls_may_wait(rs, n, "read");
            return;
        }
        if (s->state == STREAM_CLOSED || !SSL_has_pending(rs->ssl))
            return;
    }
    if (stream__wants_data(s))
        ready_post(s->loop, &rs->more);
}

static void read_some(struct real_stream *rs)
{
    if (!rs->can_read)
        return;
    if (rs->ssl != NULL)
        read_tls(rs);
    else
        read_plain(rs);
}

static void stream_on_more(struct ready_item *it)
{
    struct real_stream *rs = container_of(it, struct real_stream, more);

    must(rs->base.state == STREAM_OPEN);
    stream__pin(&rs->base);
    read_some(rs);
    if (rs->base.state != STREAM_CLOSED)
        real_stream_watch(rs);
    stream__unpin(&rs->base);
}

static void real_reading(struct stream *s)
{
    struct real_stream *rs = real_stream(s);

    /* A pause takes effect when the next bytes come: most are over by then.  So is a resume free. */
    if (!stream__wants_data(s))
        return;
    real_stream_watch(rs);
    if (rs->ssl != NULL && SSL_has_pending(rs->ssl))
        ready_post(s->loop, &rs->more);
}

static void stream_on_poll(uv_poll_t *h, int status, int events)
{
    struct real_stream *rs = h->data;
    struct stream      *s = &rs->base;

    loop_now_ns(s->loop);                        /* the turn begins here */
    if (rs->connecting) {
        real_connect_on_event(rs);
        return;
    }
    stream__pin(s);
    if (status < 0) {                            /* an error waits at the descriptor: libuv stopped polling */
        rs->events = 0;
        events = UV_READABLE | UV_WRITABLE;      /* reading and writing tell which */
    }
    if (s->state == STREAM_OPENING)
        handshake_step(rs);
    if (s->state == STREAM_OPEN && rs->want_write && (events & UV_WRITABLE)) {
        rs->want_write = false;
        stream__flush(s);
    }
    if (s->state == STREAM_OPEN && (events & UV_READABLE))
        read_some(rs);
    if (s->state != STREAM_CLOSED)
        real_stream_watch(rs);
    stream__unpin(s);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The peer may have said why before it hung up: hear that first. */
static void write_failed(struct real_stream *rs, int errnum)
{
    if (rs->ssl == NULL && rs->is_socket && stream__wants_data(&rs->base))
        read_plain(rs);
    if (rs->base.state != STREAM_CLOSED)
        fail_errno(rs, errnum, "write");
}

/* True: all of it went. */
static bool write_plain(struct real_stream *rs, size_t *ret_n)
{
    struct stream *s = &rs->base;
    struct iovec   iov[FLUSH_IOV];
    size_t         total = 0;
    unsigned       n = 0;
    ssize_t        rc;

    for (; n < FLUSH_IOV && n < s->n_seg; n++) {
        struct stream_seg *g = stream__seg(s, n);
        iov[n] = (struct iovec){ (char *)(uintptr_t)stream__seg_data(g), g->len };
        total += g->len;
    }
    do
        rc = writev(rs->fd, iov, (int)n);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 && errno != EAGAIN) {
        write_failed(rs, errno);
        return false;
    }
    *ret_n = rc > 0 ? (size_t)rc : 0;
    stream__sent(s, *ret_n);
    rs->want_write = *ret_n < total;
    return !rs->want_write;
}

/* Up to one record from the front of the queue, in one piece.  After a blocked write the library
 * wants the same bytes again, and gets them: the queue only grows at its end. */
static const char *record_gather(struct stream *s, char *room, size_t *ret_n)
{
    struct stream_seg *g = stream__seg(s, 0);
    size_t n = 0;

    *ret_n = MIN_OF(s->queued, (size_t)TLS_RECORD);
    if (g->len >= *ret_n)
        return stream__seg_data(g);
    for (unsigned i = 0; n < *ret_n; i++) {
        g = stream__seg(s, i);
        size_t part = MIN_OF((size_t)g->len, *ret_n - n);
        memcpy(room + n, stream__seg_data(g), part);
        n += part;
    }
    return room;
}

static bool write_tls(struct real_stream *rs, size_t *ret_n)
{
    char        room[TLS_RECORD];
    const char *p = record_gather(&rs->base, room, ret_n);

    errno = 0;
    int rc = SSL_write(rs->ssl, p, (int)*ret_n);
    if (rc <= 0) {
        tls_may_wait(rs, rc, "write");
        return false;
    }
    stream__sent(&rs->base, (size_t)rc);
    return true;
}

static void half_close(struct real_stream *rs)
{
    struct stream *s = &rs->base;

    if (rs->ssl != NULL) {
        errno = 0;
        int rc = SSL_shutdown(rs->ssl);
        if (rc < 0 && !tls_may_wait(rs, rc, "TLS goodbye"))
            return;
        if (rs->want_write)
            return;
    }
    s->shut_done = true;
    if (rs->is_socket)
        shutdown(rs->fd, SHUT_WR);
    else if (!rs->can_read)
        stream__fail(s, 0, NULL);                /* a pipe ends by being closed */
}

static void real_flush(struct stream *s)
{
    struct real_stream *rs = real_stream(s);
    size_t sent = 0, n = 0;

    if (rs->want_write)
        return;                                  /* the poll will call again */
    while (s->queued > 0 && sent < FLUSH_BYTES_MAX) {
        if (!(rs->ssl != NULL ? write_tls(rs, &n) : write_plain(rs, &n)))
            break;
        sent += n;
    }
    if (s->state == STREAM_CLOSED)
        return;
    if (s->queued > 0 && !rs->want_write)
        turn_arm(s->loop, TURN_FLUSH, &s->flush);
    if (s->queued == 0 && s->shut_wanted && !s->shut_done)
        half_close(rs);
    if (s->state != STREAM_CLOSED)
        real_stream_watch(rs);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void real_shut(struct stream *s)
{
    struct real_stream *rs = real_stream(s);
    void (*on_ready)(struct real_stream *rs, bool ok) = rs->on_ready;

    ready_cancel(&rs->more);
    if (rs->dial != NULL)
        real_connect_cancel(rs);
    if (rs->ssl != NULL && !rs->broken && s->err == 0 && !s->shut_done && SSL_is_init_finished(rs->ssl)) {
        SSL_shutdown(rs->ssl);                   /* as far as it goes at once */
        ERR_clear_error();
    }
    SSL_free(rs->ssl);
    rs->ssl = NULL;
    real_stream_detach(rs);
    rs->on_ready = NULL;
    if (on_ready != NULL)
        on_ready(rs, false);
}

static void real_free(struct stream *s)
{
    struct real_stream *rs = real_stream(s);

    must(rs->fd < 0 && rs->poll == NULL && rs->dial == NULL);
    tls__peer_free(rs->peer);
    mem_free(rs->local);
    mem_free(rs->tls_name);
    mem_free(rs);
}

static const char *real_local_addr(struct stream *s)
{
    struct real_stream *rs = real_stream(s);
    struct addr a = { .len = sizeof a.ss };
    char text[ADDR_TEXT_MAX];

    if (rs->local == NULL && rs->fd >= 0 && getsockname(rs->fd, (struct sockaddr *)&a.ss, &a.len) == 0) {
        addr_format(&a, text);
        rs->local = mem_strdup(text);
    }
    return rs->local != NULL ? rs->local : "";
}

static const struct tls_peer *real_tls_peer(struct stream *s)
{
    return real_stream(s)->peer;
}

static const char *real_alpn(struct stream *s)
{
    return real_stream(s)->alpn;
}

static const struct stream_ops real_stream_ops = {
    .flush = real_flush,
    .reading = real_reading,
    .shut = real_shut,
    .free = real_free,
    .local_addr = real_local_addr,
    .tls_peer = real_tls_peer,
    .alpn = real_alpn,
    .keep_buffers = real_keep_buffers,
};
