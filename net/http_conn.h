/* net/http_conn.h: what the files of the HTTP server (http_server.c, http_req.c, http_gzip.c; http_conn.c and
 * http_write.c for HTTP/1.1; http2_server.c and http2_answer.c) share; nobody else includes this.
 *
 * A request knows its carrier: an HTTP/1.1 connection or an HTTP/2 stream.  http_req.c is what all carriers
 * have in common.
 *
 * An HTTP/1.1 connection answers one request at a time.  Bytes that come meanwhile wait in `in`; above its bound
 * the stream is paused.  An idle connection owns neither request nor buffers: those come from the
 * server's stock when the first byte of a head arrives and go back with the answer.
 *
 *   HEAD --head--> BODY --body--> BUSY --http_begin--> STREAM --http_end--> (FLUSH) --> HEAD
 *                                  | http_respond ---------------------------^        any --> CLOSED
 *   FLUSH: the handler is through, but gzip is at work, or much is queued before the connection may end.
 *   BUSY, STREAM --connection breaks, no on_abort--> ORPHAN: kept for the handler until it answers */
#ifndef NET_HTTP_CONN_H
#define NET_HTTP_CONN_H

#include "net/http2_pool.h"
#include "net/http_server.h"
#include "net/http_wire.h"
#include "net/log.h"

#define CONN_IN_MAX        HTTP_MAX_HEAD_BYTES   /* unread bytes kept while busy; one read more at most */
#define CONN_OUT_MAX       (4 * STREAM_LOW_WATER)/* no next request is begun, no slice compressed above this */
#define CONN_REQS_PER_TURN 64                    /* pipelined requests of one connection in one turn */
#define HTTP2_STREAMS      250                   /* Go's default, which clients are used to */
#define SLOT_KEEP          64                    /* requests in stock */
#define SLOT_BODY_KEEP     (16u << 10)           /* body buffer a stocked request may keep */
#define GZIP_MIN           (128u << 10)          /* complete answers below go uncompressed */
#define GZIP_SLICE         (256u << 10)          /* input of one visit to the thread pool */
#define GZIP_INLINE        (4u << 10)            /* streamed pieces up to this are compressed on the loop */
#define GZIP_AT_ONCE       2                     /* visits at a time: the pool also syncs the log */

/* A request and its memory, taken from stock. */
struct http_slot { struct http_req req; struct buf body; struct qlink link; uint64_t body_since_ms; };

/* The head of an answer. */
struct answer {
    int status;
    const char *content_type;
    const struct http_header *extra; size_t n_extra;
    bool has_length, gzip;
    uint64_t length;
};

/* What carries a request; the interface of http_server.h, after the checks that are the same for all.
 * accepts_gzip: the client does, and may be sent it; head_only: HEAD. */
struct http_carrier {
    bool (*accepts_gzip)(struct http_req *req);
    void (*respond)(struct http_req *req, const struct answer *a, const struct http_piece *pieces, size_t n);
    void (*begin)(struct http_req *req, const struct answer *a);
    void (*send)(struct http_req *req, const void *p, size_t n);
    void (*send_blob)(struct http_req *req, struct blob *b, size_t off, size_t len);
    size_t (*queued)(struct http_req *req);
    void (*end)(struct http_req *req, const struct http_header *trailers, size_t n);
    void (*abort)(struct http_req *req);
    void (*flow)(struct http_req *req, bool paused);
    struct stream *(*upgrade)(struct http_req *req, const struct http_header *extra, size_t n_extra,
                              const struct stream_events *ev, void *arg);
    struct stream *(*stream)(struct http_req *req);      /* NULL when it broke */
    struct http_server *(*server)(struct http_req *req);
};

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
    bool fresh;                                  /* its first bytes tell HTTP/1.1 from HTTP/2 */
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
    struct qlink conns, h2_conns;
    struct h2_pool h2_pool;
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
struct str server__date(struct http_server *srv);        /* "Date: ...\r\n" */
/* More of a body: 0, or the status to refuse it with. */
int server__body_add(struct http_server *srv, struct http_slot *slot, struct str data, const char **ret_reason);
/* How long to wait for the next bytes of a body: neither long silent nor, on the whole, too slow. */
uint64_t server__body_patience_ms(struct http_server *srv, const struct http_slot *slot);
/* The body of an answer of the server itself; NULL ok. */
struct blob *server__error_body(struct http_server *srv, int status, const char *reason, const char **ret_type);

/* http_conn.c */
void conn__accept(struct http_server *srv, struct stream *s);
void conn__deadline(struct http_conn *c, uint64_t ms);
void conn__answered(struct http_conn *c);                /* the answer is queued in full: go on */
void conn__close(struct http_conn *c);                   /* at once */
void conn__drain(struct http_conn *c);                   /* room again: tell the handler */
void conn__release_slot(struct http_conn *c);
void conn__free(struct http_conn *c);

/* http_req.c */
bool http__status_has_body(int status);
bool http__split_target(struct http_req *req);           /* /path?query, "*" or the absolute form; else false */

/* http_write.c */
extern const struct http_carrier http_conn_carrier;
void conn__error(struct http_conn *c, int status, const char *reason);

/* http2_server.c */
void h2_conn__accept(struct http_server *srv, struct stream *s, struct str first);
void h2_conn__drain(struct qlink *at);                   /* of srv->h2_conns: GOAWAY, then what is at work ends */
void h2_conn__close(struct qlink *at);

/* http_gzip.c: one compressed answer, and where it goes. */
struct gzip_sink {
    bool (*full)(void *to);                              /* the next slice waits for gzip_pump() */
    void (*out)(void *to, const char *p, size_t n);
    void (*drain)(void *to);                             /* a slice is through: look again */
    void (*end)(void *to);                               /* the last is out, and the compressor gone */
};
struct gzip *gzip_new(struct http_server *srv, const struct gzip_sink *sink, void *to);
void   gzip_add(struct gzip *g, struct blob *b, size_t off, size_t len);   /* takes a reference */
void   gzip_end(struct gzip *g);
size_t gzip_pending(const struct gzip *g);
void   gzip_pump(struct gzip *g);
void   gzip_drop(struct gzip *g);                        /* the connection is gone or has no more use for it */

#endif
