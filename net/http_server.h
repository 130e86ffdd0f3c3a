/* net/http_server.h: HTTP server: HTTP/1.1 on llhttp (keep-alive, pipelining in order, chunked both ways, upgrade
 * to another protocol) and HTTP/2 on nghttp2, behind one interface; gzip where the client asks.
 *
 * HTTP/2 is spoken where TLS agrees on it (ALPN: give "h2,http/1.1" to the server's context), and on any
 * connection without ALPN whose first bytes are HTTP/2's preface (prior knowledge).  A handler need not know:
 * a stream is a request like any other, only that many are at work on one connection (max_streams).
 *
 * A request is handed over once its body is complete (at most max_body), or, where on_body says
 * HTTP_BODY_FOLLOWS, with its head: see "Both ways at once" below.  The handler answers now or
 * later, exactly once: http_respond(), or http_begin() .. http_send()* .. http_end(), or http_upgrade().
 * Lifetime: the request (and its arena) lives until it has been answered in full and, if streamed,
 * http_end() or on_abort was reached.  After on_abort nothing may be called on it but reading it during the call.
 * A connection that breaks (HTTP/2: a stream that the client resets) under a request without on_abort leaves
 * the request alive: answer it as ever, nothing is sent.  HTTP/1.1: a peer that closes its half while its answer
 * is streamed counts as gone; one request of a connection at a time, the next is read when the answer is queued.
 * Malformed, oversized and too slow requests are answered here (400, 413, 414, 429, 431, 408, 417, 501, 505)
 * with the body that error_body makes, and the connection (HTTP/2: only that stream) closes.  Control characters
 * in the values of headers given here are sent as spaces: no client's text can become a header. */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "net/http.h"

/* A body has head_ms and so much more as its bytes take at this pace: one that trickles ends, whatever its gaps. */
#define HTTP_BODY_PACE 16                        /* bytes a millisecond */

struct http_server;
struct http_carrier;

struct http_req {
    struct arena arena;                          /* the handler may allocate here */
    struct str method;                           /* "GET" */
    struct str target;                           /* as sent: /api/v1/pods?watch=1 */
    struct str path, query;                      /* split at '?', still escaped */
    const struct http_header *headers; size_t n_headers;
    struct str body;
    bool http_1_0, http_2;
    bool upgrade;                                /* asks for Upgrade: see headers; never in HTTP/2 */
    bool body_done;                              /* false: it follows through on_data */
    const struct http_carrier *carrier; void *via;       /* net/'s own: the connection or stream it came on */
    uint64_t start_ns;                           /* loop_hires_ns when the head was complete */

    /* Set by the handler before it returns without having answered in full.  NULL ok. */
    void (*on_abort)(struct http_req *req);      /* the connection broke; req is freed after */
    void (*on_drain)(struct http_req *req);      /* streaming: room again below STREAM_LOW_WATER */
    /* A body that follows: its bytes, valid during the call; then that the peer closed its half. */
    void (*on_data)(struct http_req *req, struct str data);
    void (*on_eof)(struct http_req *req);        /* body_done is set; the answer goes on */
    void *arg;
};

/* What on_body may say besides 0 and a status. */
#define HTTP_BODY_FOLLOWS 1

struct http_server_opts {
    const char *addr;
    struct tls_ctx *tls;                         /* NULL: plain */
    size_t max_body;                             /* 0: HTTP_MAX_BODY */
    size_t max_bodies;                           /* of all requests being read or answered; 0: 64 * max_body */
    uint64_t idle_ms, head_ms;                   /* 0: 5 min idle, 10 s for a head or a stalled body (HTTP_BODY_PACE) */
    /* HTTP/2: */
    unsigned max_streams;                        /* requests of a connection at a time; 0: 250 */
    uint64_t ping_ms, ping_timeout_ms;           /* ask a silent peer with open streams whether it lives; 0: leave it
                                                    to TCP's keep-alive; timeout 0: 20 s */
    uint64_t client_ping_min_ms;                 /* pings more frequent than this: ENHANCE_YOUR_CALM; 0: 1 s */
    void (*on_request)(void *arg, struct http_req *req);
    /* A head whose body is still to come: 0: read it; else the status to refuse it with, and why.
     * NULL: every body is read.  So nobody fills our memory who may not even ask.
     * HTTP_BODY_FOLLOWS: on_request at once, the body by on_data (HTTP/1.1 reads it as for 0). */
    int  (*on_body)(void *arg, struct http_req *req, const char **ret_reason);
    /* Make the body of an error that the server itself answers (Status JSON).  NULL: plain text. */
    struct blob *(*error_body)(void *arg, int status, const char *reason);
    void *arg;
};
int  http_server_open(struct loop *l, const struct http_server_opts *o, struct http_server **ret, struct errbuf *err);
const char *http_server_addr(struct http_server *s);
/* No new connections; idle ones close, busy ones after their answer; done when all are gone or after grace_ms. */
void http_server_drain(struct http_server *s, uint64_t grace_ms, void (*done)(void *arg), void *arg);
void http_server_close(struct http_server *s);   /* at once; all requests abort */

/* A whole answer.  Takes over one reference of body (NULL: empty).  extra headers may be NULL.
 * Content-Length, Date and, if it pays (>= 128 kB and accepted), Content-Encoding: gzip are added. */
void http_respond(struct http_req *req, int status, const char *content_type, struct blob *body,
                  const struct http_header *extra, size_t n_extra);
/* The same for a body that stands in several pieces (prefix, object, suffix): pieces are referenced, not copied.
 * Takes over one reference of each non-NULL blob. */
struct http_piece { struct blob *blob; uint32_t off, len; };
void http_respond_pieces(struct http_req *req, int status, const char *content_type,
                         const struct http_piece *pieces, size_t n, const struct http_header *extra, size_t n_extra);

/* A streamed answer: chunked (1.0: until close).  gzip: compress if the client accepts it, each piece
 * flushed, at 64 kB of state: for lists, hardly for ten thousand watches. */
void   http_begin(struct http_req *req, int status, const char *content_type, bool gzip,
                  const struct http_header *extra, size_t n_extra);
void   http_send(struct http_req *req, const void *p, size_t n);
void   http_send_blob(struct http_req *req, struct blob *b, size_t off, size_t len);   /* takes one reference */
size_t http_queued(struct http_req *req);        /* bytes not yet taken by the kernel */
void   http_end(struct http_req *req);           /* req is gone after */
/* The same with headers behind the body (gRPC's status): HTTP/2, or chunked; HTTP/1.0 leaves them out. */
void   http_end_trailers(struct http_req *req, const struct http_header *trailers, size_t n);
/* Cut a streamed answer: closes the connection (HTTP/2: resets the stream); no on_abort. */
void   http_abort(struct http_req *req);

/* Both ways at once: a request handed over with HTTP_BODY_FOLLOWS.  If its body_done is false, bytes come by
 * on_data and their end by on_eof (never from inside on_request), before, during and, until the answer is
 * complete, after http_begin().  on_abort comes instead when the client resets the stream or the connection
 * breaks.  Bytes that on_data got count as taken and the client may send as many more, so a handler that
 * queues them pauses: then at most HTTP2_WINDOW wait here and in the client.  An answer that ends before the
 * body does tells the client to stop; what still comes is dropped. */
#define HTTP2_WINDOW (256u << 10)
void   http_req_pause(struct http_req *req);
void   http_req_resume(struct http_req *req);    /* what waits comes from the loop */

/* 101 with these headers; the connection leaves HTTP: the stream is the caller's, bytes already read
 * beyond the head come first through its on_data, from the loop.  req is gone after.  ev NULL: call
 * stream_set_events() (or ws_new()) at once.  "Connection: Upgrade" is added; extra holds Upgrade.
 * NULL when the connection broke meanwhile (only without on_abort).  Only for requests with upgrade set. */
struct stream *http_upgrade(struct http_req *req, const struct http_header *extra, size_t n_extra,
                            const struct stream_events *ev, void *arg);

struct loop *http_req_loop(struct http_req *req);
const struct tls_peer *http_req_tls_peer(struct http_req *req);
const char *http_req_peer_addr(struct http_req *req);

#endif
