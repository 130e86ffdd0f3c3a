/* net/stream.h: byte streams with back-pressure: TCP, unix sockets, either with TLS; or the
 * simulator's links.
 *
 * Addresses are text: "127.0.0.1:6443", "[::1]:6443", "10.1.2.3:0", "unix:/run/x.sock".
 * Lifetime: a stream is made by stream_connect() or handed to on_accept; it is freed after its
 * on_close, which comes exactly once, last, from the loop, whoever closed it.  Thread: loop only.
 * Writing never blocks and never fails: bytes queue (references, no copies) and leave in TURN_FLUSH;
 * the owner looks at stream_queued() and stops producing above its own bound until on_drain. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "net/loop.h"
#include "net/tls.h"

struct stream;

struct stream_events {
    /* Connected and, with TLS, verified; only for stream_connect().  NULL ok. */
    void (*on_open)(void *arg, struct stream *s);
    /* Bytes came; valid during the call; all are consumed (use stream_pause() to stop the next). */
    void (*on_data)(void *arg, struct stream *s, const char *p, size_t n);
    /* The peer will send no more (half-close).  NULL: the stream closes itself. */
    void (*on_eof)(void *arg, struct stream *s);
    /* Queue fell to STREAM_LOW_WATER or below after having been above it.  NULL ok. */
    void (*on_drain)(void *arg, struct stream *s);
    /* Once, last.  err 0: closed in order (by us, or by the peer after eof); else why, `reason` for people. */
    void (*on_close)(void *arg, struct stream *s, int err, const char *reason);
};

#define STREAM_LOW_WATER  (64u << 10)

struct stream_connect_opts {
    const char *addr;                            /* copied */
    struct tls_ctx *tls;                         /* NULL: plain.  Borrowed, must outlive the stream. */
    const char *tls_name;                        /* name or IP the certificate must carry; NULL: that of addr */
    /* Connect from this network namespace ("/proc/42/ns/net"; copied); NULL: ours.  The simulator has but
     * one. */
    const char *netns;
    uint64_t timeout_ms;                         /* until open; 0: 10 s */
    /* What the other side has not acknowledged for so long ends the connection, be it that it has vanished or that
     * it takes nothing.  0: when the system gives up, minutes later.  The simulator's has a time of its own. */
    uint64_t unacked_ms;
    const struct stream_events *ev;              /* borrowed, static */
    void *arg;
};
/* Errors (address cannot be parsed) come back at once; everything else through on_close. */
int stream_connect(struct loop *l, const struct stream_connect_opts *o, struct stream **ret, struct errbuf *err);
/* Change who is called (protocol upgrade: HTTP gives its stream away). */
void stream_set_events(struct stream *s, const struct stream_events *ev, void *arg);

/* Queue bytes.  stream_write_blob takes over one reference of b and sends [off, off+len). */
void   stream_write(struct stream *s, const void *p, size_t n);               /* copies */
void   stream_write_blob(struct stream *s, struct blob *b, size_t off, size_t len);
size_t stream_queued(const struct stream *s);
/* Put bytes that on_data got too many of (a protocol ended in their midst) back: copied, they come first, from the
 * loop, to whoever is called then, unless paused.  Harmless on a closing stream. */
void   stream_unread(struct stream *s, const void *p, size_t n);
void   stream_pause(struct stream *s);
void   stream_resume(struct stream *s);
void   stream_shutdown(struct stream *s);        /* after the queue: our half closes (TLS: close_notify) */
void   stream_close(struct stream *s);           /* drop queue, close; idempotent; on_close follows */
void   stream_close_after_flush(struct stream *s);  /* send the queue (bounded by 10 s), then close */

struct loop *stream_loop(struct stream *s);
const char  *stream_peer_addr(struct stream *s); /* "10.0.0.1:4567", "unix" */
const char  *stream_local_addr(struct stream *s);
/* The verified client (or server) certificate's subject; NULL without one. */
const struct tls_peer *stream_tls_peer(struct stream *s);
/* Of the few that talk all the time: trade some 34 kB for not allocating TLS buffers with each record. */
void         stream_keep_buffers(struct stream *s);
const char  *stream_alpn(struct stream *s);      /* "h2", "http/1.1" or "" */

struct listener;
struct listener_opts {
    const char *addr;                            /* port 0: the system picks; see listener_addr() */
    struct tls_ctx *tls;
    /* TLS handshake done.  The callee calls stream_set_events() at once. */
    void (*on_accept)(void *arg, struct stream *s);
    void *arg;
    unsigned spare_files;                        /* descriptors of the process that clients here may not use up */
};
int  listener_open(struct loop *l, const struct listener_opts *o, struct listener **ret, struct errbuf *err);
void listener_close(struct listener *ln);        /* accepted streams stay */
const char *listener_addr(struct listener *ln);  /* with the real port */

#endif
