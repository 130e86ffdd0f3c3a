/* net/stream_impl.h: what real and simulated streams share; for net/ only.
 *
 * net/stream.c keeps the output queue, the states, deadlines, the one on_close and the pins.  A world
 * embeds struct stream first in its own, supplies an ops table, moves bytes, and reports with
 * stream__opened(), stream__data(), stream__eof(), stream__sent() and stream__fail().
 *
 *     OPENING --opened--> OPEN --close or fail--> CLOSED --on_close, pins all gone--> freed
 *        \________________________close or fail______/
 *
 * Pins: one belongs to the stream until on_close was delivered; a world holds one more for every
 * callback of its own that may still come (stream__pin), and around code that calls the owner and
 * goes on afterwards.  Inside any event callback the owner may close the stream, so check s->state
 * after each. */
#ifndef NET_STREAM_IMPL_H
#define NET_STREAM_IMPL_H

#include "net/loop_impl.h"
#include "net/stream.h"

struct stream_ops {
    /* OPEN, with bytes queued or s->shut_wanted: send what goes now, tell stream__sent(), and arrange to call
     * stream__flush() when more may go.  With the queue empty and shut_wanted: close our half and set shut_done. */
    void (*flush)(struct stream *s);
    /* stream__wants_data() may have changed. */
    void (*reading)(struct stream *s);
    /* Stop all I/O and let go of the link; no event may be reported any more.  s->err is 0 for an orderly end. */
    void (*shut)(struct stream *s);
    /* Last: what the world still owns, and the memory of the stream. */
    void (*free)(struct stream *s);
    const char *(*local_addr)(struct stream *s);
    const struct tls_peer *(*tls_peer)(struct stream *s);
    const char *(*alpn)(struct stream *s);
    void (*keep_buffers)(struct stream *s);      /* NULL: nothing to keep */
};

/* A piece of the output queue: one reference of a blob, or a few bytes. */
enum stream_seg_kind { SEG_BLOB, SEG_CHUNK, SEG_TEXT };
struct stream_seg {
    union {
        struct blob *blob;                       /* SEG_CHUNK: the loop's, filled by small writes */
        char text[16];                           /* a few bytes between blobs: frames of chunks */
    };
    uint32_t off, len;
    uint8_t  kind;                               /* enum stream_seg_kind */
};

enum stream_state { STREAM_OPENING, STREAM_OPEN, STREAM_CLOSED };

struct stream {
    const struct stream_ops *ops;
    struct loop *loop;
    const struct stream_events *ev;
    void        *arg;
    enum stream_state state;
    bool         paused, eof;                    /* eof: the peer's half is closed, and it was told */
    bool         shut_wanted, shut_done;         /* our half */
    bool         lingering;                      /* close_after_flush: send the rest, discard what comes */
    bool         above_low;                      /* on_drain is owed */
    unsigned     pins;
    struct stream_seg *seg;                      /* ring: cap_seg is a power of two */
    unsigned     seg_head, n_seg, cap_seg;
    size_t       queued;
    struct turn_hook  flush;
    struct ready_item closed, again;             /* again: delivers unread */
    struct buf   unread;                         /* given back by stream_unread() */
    struct timer deadline;
    int          err;
    char        *reason;                         /* NULL: err_text(err) */
    char        *peer;                           /* NULL until known */
    void       (*on_gone)(void *arg, struct stream *s);      /* told after on_close, just before s is freed; NULL ok */
    void        *gone_arg;
};

void stream__init(struct stream *s, struct loop *l, const struct stream_ops *ops,
                  const struct stream_events *ev, void *arg);
/* Give up on a stream whose maker failed before anybody saw it. */
void stream__discard(struct stream *s);
void stream__deadline(struct stream *s, uint64_t ms);

static inline void stream__pin(struct stream *s) { s->pins++; }
void stream__unpin(struct stream *s);            /* may free s */

/* Reports of the world; all of them may call the owner. */
void stream__opened(struct stream *s);
void stream__data(struct stream *s, const char *p, size_t n);
void stream__eof(struct stream *s);
void stream__fail(struct stream *s, int err, const char *reason);
/* Send what can be sent: from TURN_FLUSH, or when the link takes more. */
void stream__flush(struct stream *s);

static inline bool stream__wants_data(const struct stream *s)
{
    return s->state == STREAM_OPEN && !s->eof && s->unread.n == 0 && (!s->paused || s->lingering);
}

/* The i-th piece of the queue from its front, i < n_seg. */
static inline struct stream_seg *stream__seg(const struct stream *s, unsigned i)
{
    return &s->seg[(s->seg_head + i) & (s->cap_seg - 1)];
}
/* Until the queue changes. */
static inline const char *stream__seg_data(const struct stream_seg *g)
{
    return (g->kind == SEG_TEXT ? g->text : g->blob->data) + g->off;
}
/* The first n bytes of the queue are sent. */
void stream__sent(struct stream *s, size_t n);

struct listener_ops {
    void (*close)(struct listener *ln);          /* frees it, at once or later */
    const char *(*addr)(struct listener *ln);
};
struct listener { const struct listener_ops *ops; struct loop *loop; };

#endif
