/* net/http_server.h: HTTP/1.1 server on llhttp: keep-alive, pipelining in order, chunked both ways,
 * gzip where the client asks, upgrade to another protocol.
 *
 * A request is handed over once its body is complete (at most max_body).  The handler answers now or
 * later, exactly once: http_respond(), or http_begin() .. http_send()* .. http_end(), or http_upgrade().
 * Lifetime: the request (and its arena) lives until it has been answered in full and, if streamed,
 * http_end() or on_abort was reached.  After on_abort nothing may be called on it but reading it during the call.
 * A connection that breaks under a request without on_abort leaves the request alive: answer it as ever,
 * nothing is sent.  A peer that closes its half while its answer is streamed counts as gone.
 * One request of a connection at a time; the next is read when the answer is queued.
 * Malformed, oversized and too slow requests are answered here (400, 413, 414, 429, 431, 408, 417, 501, 505)
 * with the body that error_body makes, and the connection closes.  Control characters in the values of
 * headers given here are sent as spaces: no client's text can become a header. */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "net/http.h"

/* A body has head_ms and so much more as its bytes take at this pace: one that trickles ends, whatever its gaps. */
#define HTTP_BODY_PACE 16                        /* bytes a millisecond */

struct http_server;
struct http_conn;

struct http_req {
    struct arena arena;                          /* the handler may allocate here */
    struct str method;                           /* "GET" */
    struct str target;                           /* as sent: /api/v1/pods?watch=1 */
    struct str path, query;                      /* split at '?', still escaped */
    const struct http_header *headers; size_t n_headers;
    struct str body;
    bool http_1_0;
    bool upgrade;                                /* asks for Upgrade: see headers */
    struct http_conn *conn;
    uint64_t start_ns;                           /* loop_hires_ns when the head was complete */

    /* Set by the handler before it returns without having answered in full.  NULL ok. */
    void (*on_abort)(struct http_req *req);      /* the connection broke; req is freed after */
    void (*on_drain)(struct http_req *req);      /* streaming: room again below STREAM_LOW_WATER */
    void *arg;
};

struct http_server_opts {
    const char *addr;
    struct tls_ctx *tls;                         /* NULL: plain */
    size_t max_body;                             /* 0: HTTP_MAX_BODY */
    size_t max_bodies;                           /* of all requests being read or answered; 0: 64 * max_body */
    uint64_t idle_ms, head_ms;                   /* 0: 5 min idle, 10 s for a head or a stalled body (HTTP_BODY_PACE) */
    void (*on_request)(void *arg, struct http_req *req);
    /* A head whose body is still to come: 0: read it; else the status to refuse it with, and why.
     * NULL: every body is read.  So nobody fills our memory who may not even ask. */
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
void   http_abort(struct http_req *req);         /* cut a streamed answer: closes the connection; no on_abort */

/* 101 with these headers; the connection leaves HTTP: the stream is the caller's, bytes already read
 * beyond the head come first through its on_data, from the loop.  req is gone after.  ev NULL: call
 * stream_set_events() (or ws_new()) at once.  "Connection: Upgrade" is added; extra holds Upgrade.
 * NULL when the connection broke meanwhile (only without on_abort). */
struct stream *http_upgrade(struct http_req *req, const struct http_header *extra, size_t n_extra,
                            const struct stream_events *ev, void *arg);

struct loop *http_req_loop(struct http_req *req);
const struct tls_peer *http_req_tls_peer(struct http_req *req);
const char *http_req_peer_addr(struct http_req *req);

#endif
