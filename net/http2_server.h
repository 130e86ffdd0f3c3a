/* net/http2_server.h: what http2_server.c (connections, requests coming in) and http2_answer.c (what goes
 * out) share; nobody else includes this.
 *
 *   HEAD --head--> BODY --end--> BUSY --http_begin--> STREAM --http_end--> DONE --chan closed--> freed
 *            \--HTTP_BODY_FOLLOWS---^ \---http_respond---------------------^
 *   BUSY, STREAM --chan closed, no on_abort--> ORPHAN: kept for the handler until it answers
 *
 * A request holds its slot (arena, body) until it is answered; its chan lives until the answer went out. */
#ifndef NET_HTTP2_SERVER_H
#define NET_HTTP2_SERVER_H

#include "net/http2_link.h"
#include "net/http_conn.h"

enum h2_state { H2_HEAD, H2_BODY, H2_BUSY, H2_STREAM, H2_DONE, H2_ORPHAN };

struct h2_conn {
    struct h2_link link;
    struct http_server *srv;
    struct qlink at;                             /* srv->h2_conns */
    struct timer timer;                          /* runs while something is to be looked after */
    unsigned n_reqs;                             /* alive, orphans too */
    unsigned n_receiving;                        /* in HEAD or BODY */
    uint64_t idle_ns;                            /* since when without a stream; 0: busy */
    uint64_t ping_ns;                            /* when we asked */
    uint64_t taken_seen, stalled_ns;             /* the stream takes nothing since */
    bool draining, last_said;                    /* GOAWAY: soon; and which stream was the last */
    bool dead;                                   /* the stream is gone; freed with the last request */
};

struct h2_req {
    struct h2_chan chan;
    struct h2_conn *conn;
    struct http_slot *slot;                      /* NULL: answered */
    enum h2_state state;
    bool dispatching;                            /* inside on_request */
    bool head_only, accept_gzip, has_length, expect_continue, too_many, trailing;
    bool above;                                  /* on_drain is owed */
    struct gzip *gz;
    struct str authority;
    size_t cap_headers;
    uint64_t length;
    uint64_t since_ns;                           /* BODY: its deadline; later: nothing is taken since, or 0 */
};

/* http2_answer.c */
extern const struct http_carrier h2_carrier;
void h2_req__error(struct h2_req *r, int status, const char *reason);
void h2_req__drain(struct h2_req *r);
void h2_req__continue(struct h2_req *r);         /* 100 */

/* http2_server.c */
void h2_req__release_slot(struct h2_req *r);
void h2_req__free(struct h2_req *r);             /* may free the connection */

#endif
