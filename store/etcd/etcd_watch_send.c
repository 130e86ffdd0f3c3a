/* store/etcd/etcd_watch_send.c: Watch.Watch: events from the store's log to the stream; see etcd_watch.h.
 *
 * An event is encoded once, in the two forms that are asked for (with and without the value before), and kept
 * with the event: all who watch it send that blob.  What is in front of it, header and watch id, is a few
 * bytes. */
#include "store/etcd/etcd_watch.h"

#define BATCH_MAX  (256u << 10)                  /* bytes after which a batch ends with its revision */
#define BATCH_COPY (4u << 10)                    /* smaller answers leave in one piece */

enum { FRAME_PLAIN, FRAME_PREV };

/* ---- one event ------------------------------------------------------------------------------------ */

static size_t kv_size(const struct store_kv *kv)
{
    return pb_str_size(1, etcd_user_key(kv->key).n) + pb_int_size(2, kv->create_rev)
        + pb_int_size(3, kv->mod_rev)
           + pb_int_size(4, kv->version) + pb_str_size(5, blob_str(kv->value).n) + pb_int_size(6, kv->lease);
}

static void kv_add(struct buf *b, uint32_t number, const struct store_kv *kv)
{
    pb_add_head(b, number, kv_size(kv));
    pb_add_str(b, 1, etcd_user_key(kv->key));
    pb_add_int(b, 2, kv->create_rev);
    pb_add_int(b, 3, kv->mod_rev);
    pb_add_int(b, 4, kv->version);
    pb_add_str(b, 5, blob_str(kv->value));
    pb_add_int(b, 6, kv->lease);
}

/* WatchResponse.events, with its tag. */
static struct blob *event_encode(const struct store_event *ev, bool with_prev)
{
    bool gone = ev->type == STORE_DELETE;
    struct store_kv prev = { ev->key, ev->prev, ev->prev_create_rev, ev->prev_mod_rev, ev->prev_version,
                             ev->prev_lease, 0 };
    struct store_kv kv = { .key = ev->key, .mod_rev = ev->rev };
    struct buf b = BUF_INIT;
    struct blob *ret;
    size_t n;

    if (!gone)
        kv = (struct store_kv){ ev->key, ev->value, ev->create_rev, ev->rev, ev->version, ev->lease, 0 };
    with_prev = with_prev && ev->prev_mod_rev > 0;
    n = kv_size(&kv);
    n = pb_int_size(1, gone) + pb_head_size(2, n) + n;
    if (with_prev)
        n += pb_head_size(3, kv_size(&prev)) + kv_size(&prev);
    buf_reserve(&b, n + 16);
    pb_add_head(&b, 11, n);
    pb_add_int(&b, 1, gone);
    kv_add(&b, 2, &kv);
    if (with_prev)
        kv_add(&b, 3, &prev);
    ret = blob_copy(buf_str(&b));
    buf_release(&b);
    return ret;
}

/* A reference is the caller's. */
static struct blob *event_frame(const struct etcd_watcher *x, struct store_event *ev)
{
    struct blob **slot = &ev->frame[x->prev_kv ? FRAME_PREV : FRAME_PLAIN];

    if (x->own)                                  /* those slots are the API's, for its own events */
        return event_encode(ev, x->prev_kv);
    if (*slot == NULL)
        *slot = event_encode(ev, x->prev_kv);
    return blob_ref(*slot);
}

/* ---- answers -------------------------------------------------------------------------------------- */

/* All of a WatchResponse but its events, behind gRPC's head for `more` bytes in addition. */
static void response_head(struct etcd *e, const struct etcd_watch_note *n, bool fragment, size_t more)
{
    struct buf *b = &e->out;
    struct etcd_header h;
    size_t header, size;

    etcd_header(e, n->rev, &h);
    header = pb_size(&etcd_header_msg, &h);
    size = pb_head_size(1, header) + header + pb_int_size(2, (uint64_t)n->id) + pb_int_size(3, n->created)
           + pb_int_size(4, n->canceled) + pb_int_size(5, n->compact_revision)
           + pb_str_size(6, str_of(n->reason).n) + pb_int_size(7, fragment);
    buf_clear(b);
    grpc_head(b, size + more);
    pb_add_head(b, 1, header);
    pb_encode(b, &etcd_header_msg, &h);
    pb_add_int(b, 2, (uint64_t)n->id);
    pb_add_int(b, 3, n->created);
    pb_add_int(b, 4, n->canceled);
    pb_add_int(b, 5, n->compact_revision);
    pb_add_str(b, 6, str_of(n->reason));
    pb_add_int(b, 7, fragment);
    must(b->n == GRPC_HEAD + size);
}

void etcd_watch_note(struct etcd_watch_stream *ws, const struct etcd_watch_note *n)
{
    response_head(ws->s.e, n, false, 0);
    grpc_add(&ws->s.grpc, buf_str(&ws->s.e->out));
}

/* Events [from, to) of the batch; their references go. */
static void send_events(struct etcd_watcher *x, size_t from, size_t to, size_t bytes, uint64_t rev)
{
    struct etcd *e = x->ws->s.e;
    bool copy = bytes <= BATCH_COPY;

    response_head(e, &(struct etcd_watch_note){ .rev = rev, .id = x->id }, to < x->n, bytes);
    for (size_t i = from; copy && i < to; i++) {
        buf_str_add(&e->out, blob_str(x->event[i]));
        blob_unref(x->event[i]);
    }
    grpc_add(&x->ws->s.grpc, buf_str(&e->out));
    for (size_t i = from; !copy && i < to; i++)
        grpc_add_blob(&x->ws->s.grpc, x->event[i], 0, x->event[i]->len);
    e->events_sent += to - from;
}

static void batch_send(struct etcd_watcher *x)
{
    size_t limit = x->fragment ? x->ws->s.e->o.max_request_bytes : GRPC_MAX_MESSAGE - BATCH_MAX;
    size_t from = 0, bytes = 0;
    uint64_t seen = store_watch_seen(x->w), rev = MAX_OF(x->rev, seen);

    if (x->n == 0)
        return;
    for (size_t i = 0; i < x->n; i++) {
        if (i > from && bytes + x->event[i]->len > limit) {
            send_events(x, from, i, bytes, rev);
            from = i;
            bytes = 0;
        }
        bytes += x->event[i]->len;
    }
    send_events(x, from, x->n, bytes, rev);
    x->n = 0;
    x->bytes = 0;
    x->told = true;
}

static void batch_add(struct etcd_watcher *x, struct store_event *ev)
{
    x->rev = ev->rev;
    if (ev->type == STORE_PUT ? x->no_put : x->no_delete)
        return;
    if (x->n == x->cap) {
        x->cap = x->cap > 0 ? x->cap * 2 : 8;
        x->event = mem_realloc(x->event, x->cap * sizeof *x->event);
    }
    x->event[x->n] = event_frame(x, ev);
    x->bytes += x->event[x->n++]->len;
}

uint64_t etcd_watcher_seen(const struct etcd_watcher *x)
{
    uint64_t seen = store_watch_seen(x->w);

    return x->n > 0 ? MIN_OF(seen, x->rev - 1) : seen;
}

/* ---- pulling -------------------------------------------------------------------------------------- */

void etcd_watcher_close(struct etcd_watcher *x)
{
    struct etcd_watch_stream *ws = x->ws;

    must(map_del(&ws->watchers, etcd_watch_key(&x->id)) == x);
    ws->s.e->n_watches--;
    qdel(&x->waiting);
    store_watch_close(x->w);
    for (size_t i = 0; i < x->n; i++)
        blob_unref(x->event[i]);
    mem_free(x->event);
    mem_free(x);
}

static void watcher_wait(struct etcd_watcher *x, bool next_turn)
{
    struct etcd_watch_stream *ws = x->ws;

    if (!qlinked(&x->waiting))
        qpush(&ws->waiting, &x->waiting);
    if (next_turn)
        ready_post(ws->s.e->loop, &ws->again);
}

static void watcher_compacted(struct etcd_watcher *x)
{
    struct etcd_watch_stream *ws = x->ws;
    struct store *s = ws->s.e->store;
    uint64_t start = store_history_start(s) + 1;
    struct etcd_watch_note n = { .rev = store_revision(s), .id = x->id, .canceled = true,
                                 .compact_revision = MAX_OF(start, store_compacted(s)) };

    etcd_watcher_close(x);
    etcd_watch_note(ws, &n);
}

/* Pull until there is nothing or the client has enough to take. */
static void watcher_pump(struct etcd_watcher *x)
{
    struct store_event *ev;
    int rc = 0;

    while (grpc_queued(&x->ws->s.grpc) <= ETCD_QUEUE_MAX && (rc = store_watch_peek(x->w, &ev)) == 0) {
        if (x->bytes > BATCH_MAX && ev->rev != x->rev) {
            batch_send(x);
            continue;
        }
        must_ok(store_watch_next(x->w, &ev));
        batch_add(x, ev);
    }
    if (rc == E_STALE) {
        watcher_compacted(x);
    } else if (rc == 0) {
        watcher_wait(x, false);
    } else if (store_watch_seen(x->w) >= x->rev) {
        batch_send(x);
    /* in the midst of a revision: the rest has not been looked at */
    } else {
        watcher_wait(x, true);
    }
}

void etcd_watcher_on_ready(void *arg, struct store_watch *w)
{
    struct etcd_watcher *x = arg;

    if (!qlinked(&x->waiting))
        watcher_pump(x);
}

void etcd_watch_on_again(struct ready_item *it)
{
    struct etcd_watch_stream *ws = container_of(it, struct etcd_watch_stream, again);
    struct qlink batch;

    qmove(&ws->waiting, &batch);
    while (!qempty(&batch)) {
        watcher_pump(qentry(qpop(&batch), struct etcd_watcher, waiting));
        if (grpc_queued(&ws->s.grpc) > ETCD_QUEUE_MAX)
            break;
    }
    qprepend(&ws->waiting, &batch);
}
