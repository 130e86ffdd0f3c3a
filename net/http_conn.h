/* net/http_conn.h: what the files of the HTTP server (http_server.c, http_conn.c, http_write.c,
 * http_gzip.c) share; nobody else includes this.
 *
 * A connection answers one request at a time.  Bytes that come meanwhile wait in `in`; above its bound
 * the stream is paused.  An idle connection owns neither request nor buffers: those come from the
 * server's stock when the first byte of a head arrives and go back with the answer.
 *
 *   HEAD --head--> BODY --body--> BUSY --http_begin--> STREAM --http_end--> (FLUSH) --> HEAD
 *                                  | http_respond ---------------------------^        any --> CLOSED
 *   FLUSH: the handler is through, but gzip is at work, or much is queued before the connection may end.
 *   BUSY, STREAM --connection breaks, no on_abort--> ORPHAN: kept for the handler until it answers */
#ifndef NET_HTTP_CONN_H
#define NET_HTTP_CONN_H

#include "net/http_server.h"
#include "net/http_wire.h"
#include "net/log.h"

#define CONN_IN_MAX        HTTP_MAX_HEAD_BYTES   /* unread bytes kept while busy; one read more at most */
#define CONN_OUT_MAX       (4 * STREAM_LOW_WATER)/* no next request is begun, no slice compressed above this */
#define CONN_REQS_PER_TURN 64                    /* pipelined requests of one connection in one turn */
#define SLOT_KEEP          64                    /* requests in stock */
#define SLOT_BODY_KEEP     (16u << 10)           /* body buffer a stocked request may keep */
#define GZIP_MIN           (128u << 10)          /* complete answers below go uncompressed */
#define GZIP_SLICE         (256u << 10)          /* input of one visit to the thread pool */
#define GZIP_INLINE        (4u << 10)            /* streamed pieces up to this are compressed on the loop */
#define GZIP_AT_ONCE       2                     /* visits at a time: the pool also syncs the log */

/* A request and its memory, taken from stock. */
struct http_slot { struct http_req req; struct buf body; struct qlink link; uint64_t body_since_ms; };

enum conn_state { CONN_HEAD, CONN_BODY, CONN_BUSY, CONN_STREAM, CONN_FLUSH, CONN_CLOSED, CONN_ORPHAN,
                  CONN_GIVEN /* upgraded */ };

struct http_conn {
    struct http_server *srv;
    struct stream *s;                            /* NULL: broken (ORPHAN) or given away */
    struct qlink link;
    struct timer timer;
    uint64_t deadline_ns;                        /* the timer looks at it when it fires; UINT64_MAX: none */
    struct ready_item again;                     /* goes on with `in` */
    enum conn_state state;
    bool keep_alive, http_1_0, head_only, accept_gzip, chunked_out;      /* of the request at hand */
    bool continue_due;                           /* 100 is sent unless the body is there */
    bool eof, paused;
    bool above;                                  /* on_drain is owed to the handler */
    bool processing;                             /* inside conn_process(): it releases the request */
    unsigned reqs_this_turn;
    struct buf in;
    size_t scan_at;
    struct http_body framing;
    struct http_slot *slot;
    struct gzip *gz;
    uint64_t written, written_seen;              /* watchdog of a stalled streamed answer */
};

struct http_server {
    struct loop *loop;
    struct listener *ln;
    struct http_server_opts o;
    char *addr;
    struct qlink conns;
    size_t n_conns;                              /* pins: the server is freed after the last */
    bool draining, closing;
    struct timer grace;
    struct ready_item drained;
    void (*on_drained)(void *arg); void *drain_arg;
    struct qlink stock; size_t n_stock;
    size_t bodies;                               /* bytes in the bodies of all slots that are out */
    struct http_parser parser;
    struct http_head head;
    struct buf out;                              /* scratch for heads */
    struct blob *shared, *shared_chunk;          /* the blob sent last, and it as a chunk: see http_send_blob() */
    char date[96]; size_t date_len; uint64_t date_until_ns;
    struct qlink gzip_waiting; unsigned gzip_running;
};

/* http_server.c */
struct http_slot *server__slot_take(struct http_server *srv);
void server__slot_put(struct http_server *srv, struct http_slot *slot);
void server__conn_gone(struct http_server *srv);         /* the last statement of whoever drops a pin */
struct str server__date(struct http_server *srv);

/* http_conn.c */
void conn__accept(struct http_server *srv, struct stream *s);
void conn__deadline(struct http_conn *c, uint64_t ms);
void conn__answered(struct http_conn *c);                /* the answer is queued in full: go on */
void conn__close(struct http_conn *c);                   /* at once */
void conn__drain(struct http_conn *c);                   /* room again: tell the handler */
void conn__release_slot(struct http_conn *c);
void conn__free(struct http_conn *c);

/* http_write.c */
void conn__error(struct http_conn *c, int status, const char *reason);
void conn__send_chunk(struct http_conn *c, const char *p, size_t n);
void conn__end_body(struct http_conn *c);

/* http_gzip.c: one compressed answer of one connection. */
struct gzip *gzip_new(struct http_conn *c);
void   gzip_add(struct gzip *g, struct blob *b, size_t off, size_t len);   /* takes a reference */
void   gzip_end(struct gzip *g);
size_t gzip_pending(const struct gzip *g);
void   gzip_pump(struct gzip *g);
void   gzip_drop(struct gzip *g);                        /* the connection is gone or has no more use for it */

#endif
