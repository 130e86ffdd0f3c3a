/* net/http_client_impl.h: what the files of the HTTP client share; nobody else includes this.
 *
 * http_client.c keeps the calls and the pool, http_client_conn.c one connection of HTTP/1.1 and the answer on
 * it, http2_client.c those of HTTP/2.  A call is in exactly one place: waiting for a connection, or bound to one
 * (conn->call == call) or to a stream of one (asking->call == call).
 * Every way a call can end goes through call__finish(); it is unbound first, so nothing that the
 * caller does in on_done can reach a half-finished call. */
#ifndef NET_HTTP_CLIENT_IMPL_H
#define NET_HTTP_CLIENT_IMPL_H

#include "net/http2_link.h"
#include "net/http_client.h"
#include "net/http_wire.h"

#define CLIENT_INTERIM_MAX 16                    /* 1xx answers before the real one */

struct client_conn;
struct h2_asking;                                /* a call on a stream of HTTP/2 */

struct http_call {
    struct http_client *client;
    struct qlink link;                           /* client->calls: all of them */
    struct qlink wait;                           /* client->waiting */
    struct client_conn *conn;
    struct h2_asking *asking;
    struct timer timer;
    struct arena arena;                          /* request head; then the answer's */
    struct str request_line, request_headers;
    bool host_given, head_only, streamed, upgrade, paused, ending;
    bool body_follows, body_ended;
    nghttp2_nv *fields; size_t n_fields;         /* HTTP/2: the request's head, in arena */
    struct blob *body;
    struct http_piece *early; size_t n_early;    /* sent before there was a stream */
    size_t first, tried;                         /* endpoint it began with, and how many failed it */
    size_t max_body;
    int status;
    struct http_header *headers; size_t n_headers;
    struct http_header *trailers; size_t n_trailers;
    struct buf answer;
    void (*on_head)(void *arg, struct http_call *c, int status, const struct http_header *h, size_t n);
    void (*on_data)(void *arg, struct http_call *c, const char *p, size_t n);
    void (*on_done)(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body);
    void (*on_upgraded)(void *arg, int err, const char *reason, int status, const struct http_header *h, size_t n,
                        struct str body, struct stream *s);
    void (*on_drain)(void *arg, struct http_call *c);
    void *arg;
};

struct http_client {
    struct loop *loop;
    char **addrs; size_t n_addrs, at;            /* at: the endpoint that new connections try first */
    struct tls_ctx *tls;
    char *tls_name;
    struct stream *on; bool only;                /* the one connection: not used yet; there are no others */
    size_t max_conns, n_pooled;
    uint64_t idle_ms;
    struct qlink calls, waiting, conns, idle;
    size_t n_conns;                              /* pins: memory goes after the last */
    bool closing, http2;
    struct qlink h2_conns;
    struct h2_pool h2_pool;
    size_t h2_failed;                            /* endpoints in a row that let nobody in */
    struct ready_item bury;
    struct http_parser parser;
    struct http_head head;
    struct buf out;
};

struct client_conn {
    struct http_client *client;
    struct stream *s;
    struct qlink link, idle;
    struct http_call *call;
    size_t endpoint;
    bool open, pooled, reused, sent, closed, eof, in_body, keep_alive, processing, held;
    unsigned interim;
    struct timer timer;                          /* idle */
    struct turn_hook flushed;
    struct ready_item again;
    struct buf in;
    size_t scan_at;
    struct http_body framing;
};

/* http_client.c */
void call__finish(struct http_call *call, int err, const char *reason);
void call__start(struct http_call *call);                /* may finish it: only from the loop */
void client__conn_idle(struct client_conn *c);           /* has answered and may serve again */
void client__conn_gone(struct client_conn *c);           /* frees it */
void client__serve_waiting(struct http_client *c);
void client__unpin(struct http_client *c);               /* a connection is gone; may free c */

/* http_client_conn.c */
int  client_conn__open(struct http_client *client, struct http_call *call, struct errbuf *err);
void client_conn__assign(struct client_conn *c, struct http_call *call);
void client_conn__close(struct client_conn *c);
void client_conn__flow(struct client_conn *c);           /* the call was paused or resumed */

/* http2_client.c */
void h2_call__prepare(struct http_call *call, struct str method, struct str target,
                      const struct http_header *h, size_t n);
/* False: it has to wait (ret_rc 0: for a connection that was begun, or room). */
bool h2_call__place(struct http_call *call, int *ret_rc, struct errbuf *err);
bool h2_client__has_room(struct http_client *client);    /* a call would not have to wait for another's end */
void h2_call__unbind(struct http_call *call);            /* cancels its stream */
void h2_call__flow(struct http_call *call);              /* paused or resumed; nothing without a stream */
void h2_client__close(struct http_client *client);       /* all connections, at once */

#endif
