/* net/stream.c: the part of streams that is the same in both worlds; see stream_impl.h.
 *
 * The output queue is a ring of blob references.  Small writes are copied into chunks of CHUNK_SIZE
 * that go round between the streams of a loop, so a reply costs no allocation in the steady state. */
#include "net/stream_impl.h"

enum {
    CHUNK_SIZE = 4096,
    FLUSH_DEADLINE_MS = 10000,                   /* close_after_flush: for a peer that doesn't read */
    LINGER_MS = 1000,                            /* and then for one that doesn't close */
};

static const struct stream_events no_events;

static void stream_on_flush_turn(struct turn_hook *h);
static void stream_on_closed(struct ready_item *it);
static void stream_on_deadline(struct timer *t);
static void stream_on_again(struct ready_item *it);

void stream__init(struct stream *s, struct loop *l, const struct stream_ops *ops,
                  const struct stream_events *ev, void *arg)
{
    memset(s, 0, sizeof *s);
    s->ops = ops;
    s->loop = l;
    s->ev = ev != NULL ? ev : &no_events;
    s->arg = arg;
    s->state = STREAM_OPENING;
    s->pins = 1;
    turn_init(&s->flush, stream_on_flush_turn);
    ready_init(&s->closed, stream_on_closed);
    ready_init(&s->again, stream_on_again);
    timer_init(&s->deadline, l, stream_on_deadline);
    l->n_open++;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void queue_drop(struct stream *s);

static void stream_shut(struct stream *s)
{
    must(s->state != STREAM_CLOSED);
    s->state = STREAM_CLOSED;
    timer_stop(&s->deadline);
    turn_cancel(&s->flush);
    ready_cancel(&s->again);
    buf_release(&s->unread);
    s->ops->shut(s);
    queue_drop(s);
}

void stream__discard(struct stream *s)
{
    s->ev = &no_events;
    stream_shut(s);
    stream__unpin(s);
}

void stream__unpin(struct stream *s)
{
    must(s->pins > 0);
    if (--s->pins > 0)
        return;
    must(s->state == STREAM_CLOSED);
    must(s->queued == 0 && !timer_active(&s->deadline));
    must(s->loop->n_open > 0);
    s->loop->n_open--;
    if (s->on_gone != NULL)
        s->on_gone(s->gone_arg, s);
    mem_free(s->seg);
    mem_free(s->reason);
    mem_free(s->peer);
    s->ops->free(s);
}

void stream__fail(struct stream *s, int err, const char *reason)
{
    if (s->state == STREAM_CLOSED)
        return;
    s->err = err;
    if (reason != NULL)
        s->reason = mem_strdup(reason);
    stream_shut(s);
    ready_post(s->loop, &s->closed);
}

static void stream_on_closed(struct ready_item *it)
{
    struct stream *s = container_of(it, struct stream, closed);

    if (s->ev->on_close != NULL)
        s->ev->on_close(s->arg, s, s->err, s->reason != NULL ? s->reason : err_text(s->err));
    stream__unpin(s);
}

void stream_close(struct stream *s)
{
    stream__fail(s, 0, NULL);
}

void stream__deadline(struct stream *s, uint64_t ms)
{
    timer_start(&s->deadline, ms);
}

static void stream_on_deadline(struct timer *t)
{
    struct stream *s = container_of(t, struct stream, deadline);

    if (s->lingering && s->queued == 0)
        stream__fail(s, 0, NULL);                /* all was sent; the peer is only slow to hang up */
    else if (s->lingering)
        stream__fail(s, E_TIMEOUT, "the peer did not take the rest");
    else
        stream__fail(s, E_TIMEOUT, "no connection in time");
}

/* Our close of a socket with unread input would reset it, and the peer might lose the end of what
 * we sent.  So our half closes first, and input is discarded until the peer closes its own. */
void stream_close_after_flush(struct stream *s)
{
    if (s->state == STREAM_CLOSED || s->lingering)
        return;
    if (s->state == STREAM_OPENING || (s->eof && s->queued == 0)) {
        stream__fail(s, 0, NULL);
        return;
    }
    s->lingering = true;
    if (s->unread.n > 0)
        ready_post(s->loop, &s->again);
    stream_shutdown(s);
    stream__deadline(s, FLUSH_DEADLINE_MS);
    s->ops->reading(s);
}

/* ---- reports --------------------------------------------------------------------------------- */

void stream__opened(struct stream *s)
{
    must(s->state == STREAM_OPENING);
    timer_stop(&s->deadline);
    s->state = STREAM_OPEN;
    if (s->queued > 0 || s->shut_wanted)
        turn_arm(s->loop, TURN_FLUSH, &s->flush);
    if (s->ev->on_open != NULL)
        s->ev->on_open(s->arg, s);
}

void stream__data(struct stream *s, const char *p, size_t n)
{
    must(s->state == STREAM_OPEN && !s->eof);
    if (!s->lingering && s->ev->on_data != NULL)
        s->ev->on_data(s->arg, s, p, n);
}

void stream__eof(struct stream *s)
{
    must(s->state == STREAM_OPEN && !s->eof);
    s->eof = true;
    if (s->lingering || s->ev->on_eof == NULL) {
        if (s->queued == 0 && (s->shut_done || !s->lingering))
            stream__fail(s, 0, NULL);
        else
            stream_close_after_flush(s);
        return;
    }
    s->ev->on_eof(s->arg, s);
}

void stream__flush(struct stream *s)
{
    if (s->state != STREAM_OPEN)
        return;
    stream__pin(s);
    s->ops->flush(s);
    if (s->state == STREAM_OPEN && s->lingering && s->queued == 0 && s->shut_done) {
        if (s->eof)
            stream__fail(s, 0, NULL);
        else
            stream__deadline(s, LINGER_MS);
    }
    if (s->state == STREAM_OPEN && s->above_low && s->queued <= STREAM_LOW_WATER) {
        s->above_low = false;
        if (s->ev->on_drain != NULL && !s->lingering)
            s->ev->on_drain(s->arg, s);
    }
    stream__unpin(s);
}

static void stream_on_flush_turn(struct turn_hook *h)
{
    stream__flush(container_of(h, struct stream, flush));
}

/* ---- the output queue ------------------------------------------------------------------------ */

static struct blob *chunk_take(struct loop *l)
{
    return l->n_chunk > 0 ? l->chunk[--l->n_chunk] : blob_new(CHUNK_SIZE);
}

static void seg_release(struct loop *l, struct stream_seg *g)
{
    if (g->kind == SEG_CHUNK && l->n_chunk < LOOP_CHUNKS)
        l->chunk[l->n_chunk++] = g->blob;
    else if (g->kind != SEG_TEXT)
        blob_unref(g->blob);
    g->kind = SEG_TEXT;
    g->len = 0;
}

static struct stream_seg *seg_push(struct stream *s)
{
    if (s->n_seg == s->cap_seg) {
        unsigned cap = MAX_OF(2 * s->cap_seg, 8u);
        struct stream_seg *seg = mem_alloc(cap * sizeof *seg);
        for (unsigned i = 0; i < s->n_seg; i++)
            seg[i] = *stream__seg(s, i);
        mem_free(s->seg);
        s->seg = seg;
        s->seg_head = 0;
        s->cap_seg = cap;
    }
    s->n_seg++;
    return stream__seg(s, s->n_seg - 1);
}

static void seg_pop(struct stream *s)
{
    seg_release(s->loop, stream__seg(s, 0));
    s->seg_head = (s->seg_head + 1) & (s->cap_seg - 1);
    s->n_seg--;
}

static void queue_drop(struct stream *s)
{
    while (s->n_seg > 0)
        seg_pop(s);
    s->queued = 0;
}

void stream__sent(struct stream *s, size_t n)
{
    must(n <= s->queued);
    s->queued -= n;
    while (n > 0) {
        struct stream_seg *g = stream__seg(s, 0);
        if (n < g->len) {
            g->off += (uint32_t)n;
            g->len -= (uint32_t)n;
            return;
        }
        n -= g->len;
        seg_pop(s);
    }
    must(s->queued > 0 || s->n_seg == 0);
}

/* False: nothing written now could ever leave. */
static bool queue_open(const struct stream *s)
{
    return s->state != STREAM_CLOSED && !s->shut_wanted;
}

static void queue_added(struct stream *s, size_t n)
{
    s->queued += n;
    s->above_low |= s->queued > STREAM_LOW_WATER;
    if (s->state == STREAM_OPEN)
        turn_arm(s->loop, TURN_FLUSH, &s->flush);
}

/* A few bytes behind a blob stay in the queue itself; more of them, and all else, fill chunks. */
static bool write_text(struct stream *s, const char *p, size_t n)
{
    struct stream_seg *g = s->n_seg > 0 ? stream__seg(s, s->n_seg - 1) : NULL;

    if (n > sizeof g->text || (g != NULL && g->kind == SEG_CHUNK))
        return false;
    if (g == NULL || g->kind == SEG_BLOB) {
        g = seg_push(s);
        *g = (struct stream_seg){ .kind = SEG_TEXT };
    }
    if (n > sizeof g->text - g->off - g->len)
        return false;
    memcpy(g->text + g->off + g->len, p, n);
    g->len += (uint32_t)n;
    return true;
}

static void write_chunks(struct stream *s, const char *from, size_t n)
{
    for (size_t left = n, part; left > 0; left -= part, from += part) {
        struct stream_seg *g = s->n_seg > 0 ? stream__seg(s, s->n_seg - 1) : NULL;
        if (g == NULL || g->kind != SEG_CHUNK || g->off + g->len == CHUNK_SIZE) {
            struct blob *b = chunk_take(s->loop);
            g = seg_push(s);
            *g = (struct stream_seg){ .blob = b, .kind = SEG_CHUNK };
        }
        part = MIN_OF(left, (size_t)(CHUNK_SIZE - g->off - g->len));
        memcpy(g->blob->data + g->off + g->len, from, part);
        g->len += (uint32_t)part;
    }
}

void stream_write(struct stream *s, const void *p, size_t n)
{
    if (!queue_open(s) || n == 0)
        return;
    if (!write_text(s, p, n))
        write_chunks(s, p, n);
    queue_added(s, n);
}

void stream_write_blob(struct stream *s, struct blob *b, size_t off, size_t len)
{
    must(off <= b->len && len <= b->len - off);
    if (!queue_open(s) || len == 0) {
        blob_unref(b);
        return;
    }
    *seg_push(s) = (struct stream_seg){
        .blob = b, .off = (uint32_t)off, .len = (uint32_t)len, .kind = SEG_BLOB
    };
    queue_added(s, len);
}

size_t stream_queued(const struct stream *s)
{
    return s->queued;
}

void stream_shutdown(struct stream *s)
{
    if (s->shut_wanted || s->state == STREAM_CLOSED)
        return;
    s->shut_wanted = true;
    if (s->state == STREAM_OPEN)
        turn_arm(s->loop, TURN_FLUSH, &s->flush);
}

/* ---- the rest of the interface --------------------------------------------------------------- */

int stream_connect(struct loop *l, const struct stream_connect_opts *o, struct stream **ret,
                   struct errbuf *err)
{
    return l->ops->connect(l, o, ret, err);
}

void stream_set_events(struct stream *s, const struct stream_events *ev, void *arg)
{
    s->ev = ev != NULL ? ev : &no_events;
    s->arg = arg;
}

void stream_unread(struct stream *s, const void *p, size_t n)
{
    if (s->state != STREAM_OPEN || n == 0)
        return;
    must(s->unread.n == 0);
    buf_add(&s->unread, p, n);
    ready_post(s->loop, &s->again);
    s->ops->reading(s);                          /* nothing newer before these */
}

static void stream_on_again(struct ready_item *it)
{
    struct stream *s = container_of(it, struct stream, again);
    struct buf bytes = s->unread;

    if (s->state != STREAM_OPEN || (s->paused && !s->lingering))
        return;                                  /* stream_resume() posts again */
    s->unread = BUF_INIT;
    stream__pin(s);
    if (!s->lingering && s->ev->on_data != NULL)
        s->ev->on_data(s->arg, s, bytes.p, bytes.n);
    buf_release(&bytes);
    if (s->state == STREAM_OPEN)
        s->ops->reading(s);
    stream__unpin(s);
}

void stream_pause(struct stream *s)
{
    if (s->paused)
        return;
    s->paused = true;
    if (s->state == STREAM_OPEN)
        s->ops->reading(s);
}

void stream_resume(struct stream *s)
{
    if (!s->paused)
        return;
    s->paused = false;
    if (s->unread.n > 0)
        ready_post(s->loop, &s->again);
    if (s->state == STREAM_OPEN)
        s->ops->reading(s);
}

struct loop *stream_loop(struct stream *s)
{
    return s->loop;
}

const char *stream_peer_addr(struct stream *s)
{
    return s->peer != NULL ? s->peer : "";
}

const char *stream_local_addr(struct stream *s)
{
    return s->ops->local_addr(s);
}

const struct tls_peer *stream_tls_peer(struct stream *s)
{
    return s->ops->tls_peer(s);
}

void stream_keep_buffers(struct stream *s)
{
    if (s->ops->keep_buffers != NULL && s->state != STREAM_CLOSED)
        s->ops->keep_buffers(s);
}

const char *stream_alpn(struct stream *s)
{
    return s->ops->alpn(s);
}

int listener_open(struct loop *l, const struct listener_opts *o, struct listener **ret, struct errbuf *err)
{
    return l->ops->listen(l, o, ret, err);
}

void listener_close(struct listener *ln)
{
    if (ln != NULL)
        ln->ops->close(ln);
}

const char *listener_addr(struct listener *ln)
{
    return ln->ops->addr(ln);
}
