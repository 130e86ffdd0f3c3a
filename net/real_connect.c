/* net/real_connect.c: outgoing connections: name lookup on the thread pool, then one address after
 * the other until one answers. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <sched.h>
#include <unistd.h>
#include "net/proc.h"
#include "net/real_stream.h"

enum { DIAL_ADDRS = 8 };

/* Lives while the stream connects; outlives it only while a lookup is on the thread pool. */
struct real_connect {
    struct real_stream *rs;                      /* NULL: canceled during the lookup */
    struct tls_ctx     *tls;
    char               *netns;                   /* NULL: ours */
    struct addr_text    text;
    struct addr         addr[DIAL_ADDRS];
    unsigned            n_addr, next, unacked_ms;
    bool                looking_up;
    uv_getaddrinfo_t    req;
    struct ready_item   begin;                   /* connect from the loop: failures come from there, too */
};

static void dial_free(struct real_connect *d)
{
    mem_free(d->netns);
    mem_free(d);
}

void real_connect_cancel(struct real_stream *rs)
{
    struct real_connect *d = rs->dial;

    rs->dial = NULL;
    d->rs = NULL;
    ready_cancel(&d->begin);
    if (!d->looking_up)
        dial_free(d);
    else
        uv_cancel((uv_req_t *)&d->req);          /* if it runs already, its callback frees */
}

static void dial_done(struct real_stream *rs)
{
    struct tls_ctx *tls = rs->dial->tls;
    struct addr     peer = rs->dial->addr[rs->dial->next - 1];
    char            text[ADDR_TEXT_MAX];

    addr_format(&peer, text);
    rs->base.peer = mem_strdup(text);
    real_connect_cancel(rs);
    real_stream_established(rs, tls);
}

/* A socket belongs to the namespace that its thread is in when it is made; only this thread changes its
 * own, and is back before anything else happens. */
static int socket_in(const char *netns, int family)
{
    int home, away, fd = -1, errnum;

    if (netns == NULL)
        return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    away = home >= 0 ? open(netns, O_RDONLY | O_CLOEXEC) : -1;
    if (away >= 0 && setns(away, CLONE_NEWNET) == 0) {
        fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        errnum = errno;
        must(setns(home, CLONE_NEWNET) == 0);
        errno = errnum;
    }
    errnum = errno;
    if (away >= 0)
        close(away);
    if (home >= 0)
        close(home);
    errno = errnum;
    return fd;
}

/* 0: connected or under way; else the errno of this attempt. */
static int dial_try(struct real_stream *rs, const struct addr *a)
{
    struct errbuf err;
    int fd = socket_in(rs->dial->netns, a->ss.ss_family);

    if (fd < 0)
        return errno;
    if (a->ss.ss_family != AF_UNIX)
        real_tcp_options(fd, rs->dial->unacked_ms);
    if (real_stream_attach(rs, fd, &err) < 0)
        return ENOMEM;
    if (connect(fd, (const struct sockaddr *)&a->ss, a->len) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR)
        return errno;
    rs->connecting = true;
    real_stream_watch(rs);
    return 0;
}

/* Try the remaining addresses; `errnum` is why the one before failed, 0 at first. */
static void dial_next(struct real_stream *rs, int errnum)
{
    struct real_connect *d = rs->dial;
    struct errbuf err;
    char text[ADDR_TEXT_MAX];

    while (d->next < d->n_addr) {
        errnum = dial_try(rs, &d->addr[d->next++]);
        if (errnum == 0) {
            if (!rs->connecting)
                dial_done(rs);
            return;
        }
        real_stream_detach(rs);
    }
    addr_format(&d->addr[d->n_addr - 1], text);
    int code = err_sys(&err, errnum, "connect to %s", d->text.is_unix ? d->text.host : text);
    stream__fail(&rs->base, errnum == ETIMEDOUT ? E_TIMEOUT : code, err.s);
}

void real_connect_on_event(struct real_stream *rs)
{
    int       errnum = 0;
    socklen_t len = sizeof errnum;

    if (getsockopt(rs->fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0)
        errnum = errno;
    if (errnum == 0) {
        dial_done(rs);
        return;
    }
    real_stream_detach(rs);
    dial_next(rs, errnum);
}

static void dial_on_begin(struct ready_item *it)
{
    struct real_connect *d = container_of(it, struct real_connect, begin);
    dial_next(d->rs, 0);
}

static void dial_on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct real_connect *d = container_of(req, struct real_connect, req);
    struct errbuf err;

    d->looking_up = false;
    if (d->rs == NULL) {
        uv_freeaddrinfo(res);
        dial_free(d);
        return;
    }
    loop_now_ns(d->rs->base.loop);
    if (status < 0)
        res = NULL;
    for (struct addrinfo *ai = res; ai != NULL && d->n_addr < DIAL_ADDRS; ai = ai->ai_next) {
        struct addr *a = &d->addr[d->n_addr++];
        memset(a, 0, sizeof *a);
        a->len = MIN_OF(ai->ai_addrlen, (socklen_t)sizeof a->ss);
        memcpy(&a->ss, ai->ai_addr, a->len);
        addr_set_port(a, d->text.port);
    }
    uv_freeaddrinfo(res);
    if (d->n_addr > 0) {
        dial_next(d->rs, 0);
        return;
    }
    err_set(&err, E_NOTFOUND, "look up %s: %s", d->text.host,
            status < 0 ? uv_strerror(status) : "no address");
    stream__fail(&d->rs->base, E_NOTFOUND, err.s);
}

static int dial_lookup(struct loop *l, struct real_connect *d, struct errbuf *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
    int rc = uv_getaddrinfo(&real_loop(l)->uv, &d->req, dial_on_lookup, d->text.host, NULL, &hints);

    if (rc < 0)
        return err_set(err, E_INVALID, "look up %s: %s", d->text.host, uv_strerror(rc));
    d->looking_up = true;
    return 0;
}

int real_connect(struct loop *l, const struct stream_connect_opts *o, struct stream **ret, struct errbuf *err)
{
    struct real_connect *d;
    struct addr_text     text;
    int rc = addr_split(o->addr, &text, err);

    if (rc < 0)
        return rc;
    d = mem_new(struct real_connect);
    d->tls = o->tls;
    d->unacked_ms = (unsigned)MIN_OF(o->unacked_ms, UINT_MAX);
    d->text = text;
    d->netns = o->netns != NULL ? mem_strdup(o->netns) : NULL;
    ready_init(&d->begin, dial_on_begin);
    if (addr_numeric(&d->text, &d->addr[0])) {
        d->n_addr = 1;
        ready_post(l, &d->begin);
    } else if ((rc = dial_lookup(l, d, err)) < 0) {
        dial_free(d);
        return rc;
    }
    d->rs = real_stream_new(l, o->ev, o->arg);
    d->rs->dial = d;
    if (o->tls != NULL)
        d->rs->tls_name = mem_strdup(o->tls_name != NULL ? o->tls_name : d->text.host);
    stream__deadline(&d->rs->base, o->timeout_ms > 0 ? o->timeout_ms : REAL_OPEN_MS);
    *ret = &d->rs->base;
    return 0;
}

/* ---- an open descriptor as a stream ---------------------------------------------------------- */

int stream_from_fd(struct loop *l, int fd, const struct stream_events *ev, void *arg, struct stream **ret,
                   struct errbuf *err)
{
    struct real_stream *rs = real_stream_new(l, ev, arg);

    if (real_stream_attach(rs, fd, err) < 0) {
        stream__discard(&rs->base);
        return E_IO;
    }
    rs->base.peer = mem_strdup("fd");
    rs->base.state = STREAM_OPEN;                /* nothing to wait for, and on_open is for connects */
    real_stream_watch(rs);
    *ret = &rs->base;
    return 0;
}
