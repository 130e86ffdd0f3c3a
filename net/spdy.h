/* net/spdy.h: SPDY/3.1, the server's side, over a stream or inside a WebSocket: what kubectl speaks for
 * exec, attach and port-forward.
 *
 * As the original's peers do, nobody here keeps flow-control windows: the connection's own back-pressure
 * bounds what is under way.  spdy_pause() stops all streams of a session at once.
 * Lifetime: a session lives until its on_close, which comes exactly once, last, from the loop.  A stream is
 * the owner's from on_stream until spdy_stream_free() or on_close (then all streams that are left go with
 * it). */
#ifndef NET_SPDY_H
#define NET_SPDY_H

#include "net/http_server.h"
#include "net/ws.h"

#define SPDY_STREAMS_MAX 2000                    /* at a time; more are refused */

struct spdy;
struct spdy_stream;

struct spdy_events {
    /* The peer opened a stream.  Answer with spdy_stream_reply(), or free it: that refuses it.  Its bytes
     * follow. */
    void (*on_stream)(void *arg, struct spdy_stream *st);
    void (*on_data)(void *arg, struct spdy_stream *st, const char *p, size_t n);
    void (*on_fin)(void *arg, struct spdy_stream *st);       /* the peer sends no more on it */
    /* the peer wants no more of it; still to be freed */
    void (*on_reset)(void *arg, struct spdy_stream *st);
    void (*on_goaway)(void *arg, struct spdy *sp);           /* the peer opens no more; NULL ok */
    void (*on_drain)(void *arg, struct spdy *sp);            /* see stream_events; NULL ok */
    void (*on_close)(void *arg, struct spdy *sp, int err, const char *reason);
};

struct str spdy_stream_header(const struct spdy_stream *st, const char *name);
uint32_t   spdy_stream_id(const struct spdy_stream *st);
void   spdy_stream_set(struct spdy_stream *st, void *user);
void  *spdy_stream_get(const struct spdy_stream *st);
void   spdy_stream_reply(struct spdy_stream *st);
void   spdy_stream_send(struct spdy_stream *st, const void *p, size_t n);   /* nothing after fin or reset */
void   spdy_stream_fin(struct spdy_stream *st);  /* we send no more on it */
/* Resets what is still open of it.  No event follows. */
void   spdy_stream_free(struct spdy_stream *st);

size_t spdy_queued(const struct spdy *sp);
void   spdy_pause(struct spdy *sp);
void   spdy_resume(struct spdy *sp);
void   spdy_ping(struct spdy *sp);
/* Tells the peer to open no more streams; what is open goes on. */
void   spdy_goaway(struct spdy *sp);
void   spdy_close(struct spdy *sp);              /* after what is queued; on_close follows */

/* ---- handshakes (net/spdy_accept.c) ---- */

/* Answers req with 101: an Upgrade to SPDY/3.1, or a WebSocket of the subprotocol `tunnel`.  protocols:
 * those of X-Stream-Protocol-Version spoken here; the client's first that is among them is chosen.
 * NULL: nothing was answered; why and with which status. */
struct spdy_accept_opts {
    const char *const *protocols; size_t n_protocols;
    const char *tunnel;                          /* NULL: none */
    const struct spdy_events *ev; void *arg;
};
struct spdy_refusal { int status; const char *reason; };
struct spdy *spdy_accept(struct http_req *req, const struct spdy_accept_opts *o, const char **ret_protocol,
                         struct spdy_refusal *ret_why);
/* Does req ask for what spdy_accept() gives? */
bool spdy_asked(const struct http_req *req, const char *tunnel);

#endif
