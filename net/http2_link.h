/* net/http2_link.h: one HTTP/2 connection on nghttp2, as server (http2_server.c) and client (http2_client.c)
 * share it; nobody else includes this.
 *
 * A link joins a stream (bytes) and an nghttp2 session (frames); a chan is one stream of the session: a queue
 * of pieces that go out by reference, and a gate for what comes in.  Out: chans only queue; once a turn, in
 * TURN_FLUSH, the link lets nghttp2 make frames of what flow control admits, into the stream's queue up to
 * LINK_OUT_MAX and round robin over the chans, and flushes.  So all answers of a turn share TLS records, and
 * a large one does not delay the small.  In: bytes that the owner did not take (a paused chan) stay counted
 * against the peer's windows: at most HTTP2_WINDOW per chan, LINK_WINDOW per link.
 *
 * Events may call anything here but link_open() and link_release() of the same link.  on_room, on_closed and
 * on_dead come when nghttp2 is not at work.  What a peer may do for nothing in return (reset, settings, empty
 * frames, pings) comes out of a budget, and a header block has to end; a peer that exceeds it is told to calm
 * down and disconnected. */
#ifndef NET_HTTP2_LINK_H
#define NET_HTTP2_LINK_H

#include "net/http2_pool.h"
#include "net/http_server.h"

#define LINK_OUT_MAX      (2 * STREAM_LOW_WATER) /* bytes in the stream's queue, framed already */
#define LINK_WINDOW       (1u << 20)
#define LINK_HEADERS_MAX  (64u << 10)            /* of one header list, names and values and 32 each */
#define LINK_BLOCK_MAX    (4 * LINK_HEADERS_MAX) /* bytes of one block that are read only to refuse it */
#define LINK_NUISANCES    2000                   /* budget, and what comes back to it in a second */
#define LINK_NUISANCES_PS 200
#define LINK_PINGS        20                     /* too frequent pings that are overlooked */

struct h2_link;
struct h2_chan;

struct h2_events {
    /* A header block of a new stream (server) or for ch begins.  The server makes a chan; NULL refuses it. */
    struct h2_chan *(*on_begin)(struct h2_link *k, struct h2_chan *ch);
    void (*on_header)(struct h2_chan *ch, struct str name, struct str value);
    /* The block is complete; the peer's half ends with it: on_end follows. */
    void (*on_head)(struct h2_chan *ch, bool end);
    void (*on_data)(struct h2_chan *ch, struct str data);
    void (*on_end)(struct h2_chan *ch);
    void (*on_room)(struct h2_chan *ch);                     /* h2_chan.queued fell to STREAM_LOW_WATER */
    /* The chan's last: complete both ways (code 0), or reset by either side, or the link broke. */
    void (*on_closed)(struct h2_chan *ch, uint32_t code);
    void (*on_goaway)(struct h2_link *k);                    /* the peer wants no new streams.  NULL ok. */
    void (*on_settled)(struct h2_link *k);                   /* after bytes came or went: timers, draining */
    void (*on_dead)(struct h2_link *k, int err, const char *reason);     /* the link's last; release it */
};

struct h2_link {
    const struct h2_events *ev;
    nghttp2_session *ng;
    struct h2_pool *pool;                        /* borrowed */
    struct stream *s;                            /* NULL: broken */
    struct loop *loop;
    struct turn_hook pump;
    struct qlink chans, owed;                    /* owed: on_closed or on_room when nghttp2 is through */
    unsigned n_chans, n_unsent;                  /* n_unsent: with bytes queued */
    uint64_t written;                            /* bytes into the stream's queue */
    struct h2_chan *heading;                     /* whose header block comes; its bytes so far in `block` */
    size_t block;
    unsigned nuisances, pings;                   /* budget left; pings too many */
    uint64_t refilled_ns, pinged_ns, ping_min_ns;
    uint64_t rx_ns;                              /* when the last bytes came */
    bool server, in_block, ending, eof;          /* ending: no more bytes are read */
    bool ping_out, goaway_seen;
};

struct h2_chan {
    struct h2_link *link;
    struct qlink at, owed;
    int32_t id;
    bool closed;                                 /* on_closed is due or was told */
    bool refused;                                /* header list too long: the rest is skipped */
    uint32_t code;
    size_t headers;                              /* size of the list so far */
    /* Out. */
    struct http_piece *piece; unsigned first, n, cap;        /* ring; cap is a power of two */
    struct http_piece few[4];                    /* the ring as long as it is small */
    size_t queued;
    uint64_t taken, taken_seen;                  /* bytes framed; for the owner's watchdog */
    bool begun, ended, deferred, above, head_sent, end_sent;
    nghttp2_nv *trailer; size_t n_trailer;
    /* In. */
    bool paused, peer_done, end_due;             /* end_due: on_end waits behind `held` */
    bool lingers;                                /* closed in order, but a paused owner has not taken all */
    struct buf held;
    struct ready_item again;
};

/* ping_min_ms: pings of the peer more often than this count; max_streams: that the peer may open. */
struct h2_link_opts { bool server; unsigned max_streams; uint64_t ping_min_ms; struct h2_pool *pool; };
void link_open(struct h2_link *k, struct stream *s, const struct h2_link_opts *o, const struct h2_events *ev);
/* Bytes from elsewhere than the stream (read too far before).  May end in on_dead from the loop. */
void link_feed(struct h2_link *k, struct str bytes);
void link_arm(struct h2_link *k);                /* something was submitted to k->ng */
void link_say_goaway(struct h2_link *k, uint32_t code, const char *why);
void link_goaway(struct h2_link *k, uint32_t code, const char *why);     /* says so, then closes in order */
void link_calm(struct h2_link *k, const char *why);
void link_ping(struct h2_link *k);               /* ping_out until the answer is there */
void link_close(struct h2_link *k);              /* at once; on_closed of all, on_dead */
void link_release(struct h2_link *k);            /* after on_dead; chans stay until their owner frees them */

void chan_init(struct h2_chan *ch, struct h2_link *k, int32_t id);
void chan_release(struct h2_chan *ch);           /* after on_closed */
/* Out.  Each is harmless on a closed chan. */
/* Answers (server), asks (client: the id, or nghttp2's error); body: send and end follow. */
void chan_head(struct h2_chan *ch, const nghttp2_nv *nv, size_t n, bool body);
int  chan_request(struct h2_chan *ch, const nghttp2_nv *nv, size_t n, bool body);
void chan_fail(struct h2_chan *ch);              /* chan_request() did: on_closed follows, as if refused */
void chan_send(struct h2_chan *ch, struct blob *b, size_t off, size_t len);      /* takes one reference */
void chan_end(struct h2_chan *ch, const nghttp2_nv *trailer, size_t n);          /* trailer: copied */
void chan_reset(struct h2_chan *ch, uint32_t code);
void chan_pause(struct h2_chan *ch, bool paused);

static inline nghttp2_nv h2_nv(struct str name, struct str value)
{
    return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.p, .namelen = name.n,
                         .value = (uint8_t *)(uintptr_t)value.p, .valuelen = value.n };
}
/* http2_fields.c: headers as fields, of which nv has room for n: names in lower case, no control characters
 * in values, none of those that only a connection of HTTP/1.1 has.  Copies, where it must, into a. */
size_t h2_fields(nghttp2_nv *nv, struct arena *a, const struct http_header *h, size_t n);

#endif
