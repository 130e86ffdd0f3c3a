/* net/http_client.h: HTTP client with a pool of keep-alive connections to one or several equivalent endpoints (the
 * heads); a failed connect moves on to the next endpoint.  HTTP/1.1, or HTTP/2 with many calls on a connection.
 *
 * A call is answered exactly once: on_done(err, ...) last.  A request that failed before one byte was
 * written, or that an HTTP/2 server says it did not look at, is retried on another connection by itself;
 * anything else is the caller's decision.
 * Host, Content-Length and (upgrades) Connection are added; Content-Length and Transfer-Encoding may not
 * be given, nor control characters in any header: E_INVALID. */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "net/http.h"

struct http_client;
struct http_call;

struct http_client_opts {
    const char *const *addrs; size_t n_addrs;    /* copied */
    struct tls_ctx *tls;                         /* borrowed; NULL: plain */
    const char *tls_name;                        /* NULL: that of the address */
    /* an open stream, taken over: the only connection there will be */
    struct stream *on;
    size_t max_conns;                            /* 0: 64; more calls wait in order.  Streamed (watch) and upgraded calls don't count. */
    uint64_t idle_ms;                            /* 0: 90 s */
    /* HTTP/2 and nothing else: without TLS unasked ("prior knowledge"), with it by ALPN, which the context has to
     * offer.  max_conns then counts connections of any call (0: 1), each with as many calls as the server allows.
     * No upgrades. */
    bool http2;
};
int  http_client_new(struct loop *l, const struct http_client_opts *o, struct http_client **ret, struct errbuf *err);
void http_client_free(struct http_client *c);    /* calls in flight: on_done(E_CANCELED) from the loop first */
struct loop *http_client_loop(struct http_client *c);

struct http_call_opts {
    const char *method;
    struct str target;                           /* path and query, escaped; copied */
    const struct http_header *headers; size_t n_headers;    /* copied */
    struct blob *body;                           /* a reference is taken for the call; NULL: none */
    bool body_follows;                           /* HTTP/2: by http_call_send() .. http_call_end() */
    bool streamed;                               /* own connection, no limit on time between bytes */
    uint64_t timeout_ms;                         /* whole call; 0: 30 s, none if streamed */
    size_t max_body;                             /* collected bodies; 0: 64 MiB */
    /* Streamed calls: head, then data; NULL in collected calls.  on_head is given all headers. */
    void (*on_head)(void *arg, struct http_call *c, int status, const struct http_header *h, size_t n);
    void (*on_data)(void *arg, struct http_call *c, const char *p, size_t n);
    /* Once, last.  err 0: the answer is complete; body: collected bytes (collected calls), during the call. */
    void (*on_done)(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body);
    void (*on_drain)(void *arg, struct http_call *c);        /* what is queued fell to STREAM_LOW_WATER; NULL ok */
    void *arg;
};
int  http_call(struct http_client *c, const struct http_call_opts *o, struct http_call **ret /* NULL ok */, struct errbuf *err);
void http_call_cancel(struct http_call *c);      /* on_done is not called */
void http_call_pause(struct http_call *c);       /* streamed: back-pressure */
void http_call_resume(struct http_call *c);
/* Headers of the answer, valid in on_head and on_done; headers behind its body (HTTP/2), valid in on_done. */
struct str http_call_header(struct http_call *c, const char *name);
struct str http_call_trailer(struct http_call *c, const char *name);
/* body_follows: until on_done.  An answer that is complete before the body ends the call. */
void   http_call_send(struct http_call *c, struct blob *b, size_t off, size_t len);      /* takes one reference */
size_t http_call_queued(struct http_call *c);
void   http_call_end(struct http_call *c);

/* Upgrade: sends the request with Connection: Upgrade; on 101 gives the stream away, else collects the refusal. */
struct http_upgrade_opts {
    const char *method; struct str target;
    const struct http_header *headers; size_t n_headers;    /* must hold Upgrade */
    uint64_t timeout_ms;
    /* status 101: s is the caller's, call stream_set_events() at once; otherwise s is NULL. */
    void (*on_done)(void *arg, int err, const char *reason, int status, const struct http_header *h, size_t n,
                    struct str body, struct stream *s);
    void *arg;
};
int  http_client_upgrade(struct http_client *c, const struct http_upgrade_opts *o, struct errbuf *err);

#endif
