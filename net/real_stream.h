/* net/real_stream.h: streams on file descriptors, for the other real_*.c files. */
#ifndef NET_REAL_STREAM_H
#define NET_REAL_STREAM_H

#include "net/addr.h"
#include "net/real_loop.h"
#include "net/stream_impl.h"
#include "net/tls_impl.h"

enum { REAL_OPEN_MS = 10000 };                   /* default time for connect and handshake */

struct real_connect;

struct real_stream {
    struct stream   base;
    int             fd;                          /* -1: not yet, or closed */
    bool            can_read, can_write, is_socket;
    bool            connecting;                  /* a connect(2) is under way */
    bool            want_write;                  /* the kernel's buffer is full */
    bool            broken;                      /* TLS failed: it must not be shut down in order */
    int             events;                      /* what uv_poll watches */
    uv_poll_t      *poll;
    struct ready_item more;                      /* read on: TLS holds bytes that no poll tells of */
    SSL            *ssl;                         /* NULL: plain */
    struct tls_peer *peer;
    char            alpn[32];
    char           *local;                       /* made when asked for */
    char           *tls_name;
    struct real_connect *dial;                   /* while connecting; see real_connect.c */
    /* Accepted and still in its handshake: told once how that ended.  NULL afterwards. */
    void          (*on_ready)(struct real_stream *rs, bool ok);
    void           *owner;
    struct qlink    link;
};

static inline struct real_stream *real_stream(struct stream *s)
{
    return container_of(s, struct real_stream, base);
}

/* A stream without a file descriptor yet. */
struct real_stream *real_stream_new(struct loop *l, const struct stream_events *ev, void *arg);
/* Give it one; the stream takes it over, also on failure. */
int  real_stream_attach(struct real_stream *rs, int fd, struct errbuf *err);
/* Take the descriptor away again (a connect that failed, before the next address). */
void real_stream_detach(struct real_stream *rs);
/* The link stands: start the handshake if tls is set, else open. */
void real_stream_established(struct real_stream *rs, struct tls_ctx *tls);
void real_stream_watch(struct real_stream *rs);  /* poll for what the state needs */
/* Small replies at once, dead peers noticed; accepted sockets inherit it from their listener. */
void real_tcp_options(int fd, unsigned unacked_ms);        /* 0: see stream_connect_opts */

/* real_connect.c: the connect(2) under way has ended; the stream is going away. */
void real_connect_on_event(struct real_stream *rs);
void real_connect_cancel(struct real_stream *rs);

#endif
