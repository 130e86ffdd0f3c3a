/* tools/bench_conn.h: one HTTP/1.1 connection of the load generator: request bytes go out as they are, of an
 * answer only status and framing are looked at.  One request at a time.  With an HTTP/2 client it is a place
 * on a connection that others share (bench_conn_h2.c): the same bytes are taken apart again.  With a
 * bench_grpc it is a place for calls of gRPC (bench_grpc.h).
 *
 * Lifetime: embedded in its owner; after bench_conn_open() until on_close the owner stays.  Nothing is called
 * from inside bench_conn_open(), _send() and _close(). */
#ifndef TOOLS_BENCH_CONN_H
#define TOOLS_BENCH_CONN_H

#include "net/http_client.h"

/* Where a connection leads to; shared by many. */
struct bench_target {
    const char *addr;                            /* "127.0.0.1:6443" */
    const char *tls_name;                        /* NULL: that of addr */
    struct tls_ctx *tls;                         /* NULL: plain */
};

struct bench_conn_events {
    void (*on_open)(void *arg);
    /* Part of a body, as it comes; NULL: bodies are dropped. */
    void (*on_body)(void *arg, const char *p, size_t n);
    /* The answer is complete. */
    void (*on_response)(void *arg, int status);
    /* Last: it ended, and with it a request in flight.  reason: for people. */
    void (*on_close)(void *arg, const char *reason);
};

enum bench_conn_state {
    CONN_HEAD,
    CONN_LENGTH,
    CONN_UNTIL_EOF,
    CONN_CHUNK_SIZE,
    CONN_CHUNK,
    CONN_CHUNK_END,
    CONN_TRAILER
};

struct bench_conn {
    struct stream *stream;                       /* NULL: closed */
    const struct bench_conn_events *ev;
    void *arg;
    enum bench_conn_state state;
    bool open, in_flight, last;                  /* last: the server closes after this answer */
    bool closing;
    int  status;
    uint64_t left;                               /* of the body or chunk */
    struct buf part;                             /* a head or line that came in pieces */
    struct http_client *h2;                      /* NULL: HTTP/1.1.  Borrowed; set before it is opened. */
    struct http_call *call;
    struct bench_grpc *grpc;                     /* gRPC, likewise */
    struct qlink at;                             /* bench_grpc.places */
    uint32_t id;                                 /* of its call; 0: none */
    struct ready_item told;                      /* HTTP/2: on_open or on_close from the loop */
    char reason[128];
};

void bench_conn_init(struct bench_conn *c, const struct bench_conn_events *ev, void *arg);
int  bench_conn_open(struct bench_conn *c, struct loop *l, const struct bench_target *t, struct errbuf *err);
void bench_conn_send(struct bench_conn *c, struct str request);
void bench_conn_close(struct bench_conn *c);     /* on_close follows, if it was open */
void bench_conn_release(struct bench_conn *c);   /* after on_close, or never opened */

/* bench_conn_h2.c, for bench_conn.c. */
void bench_h2_open(struct bench_conn *c);
void bench_h2_send(struct bench_conn *c, struct str request);
void bench_h2_close(struct bench_conn *c);

#endif
