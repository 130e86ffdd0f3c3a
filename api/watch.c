/* api/watch.c: WATCH: from the store's event log to the client, one frame per event however many watch.
 *
 * A watch is a position; it is pulled when the client has room.  A slow client holds a position and
 * nothing else; one that falls out of history gets 410 and lists again.  Before the live events come, if
 * asked for, the present objects as ADDED, walked from a pinned view in slices (the position is taken
 * first, so nothing is missed in between). */
#include <stdio.h>
#include "api/answer.h"
#include "api/content.h"
#include "api/encode.h"
#include "api/filter.h"
#include "api/list_options.h"
#include "api/shape.h"

#define QUEUE_MAX       (256u << 10)             /* bytes towards one client before we stop pulling */
#define EVENTS_PER_TURN 512
#define INITIAL_PER_TURN 1024                    /* objects looked at */
#define BOOKMARK_MS     60000
#define TIMEOUT_MIN_S   1800                     /* default: up to twice this, so that not all end at once */

/* Slots of store_event.frame: frames in JSON, and behind the labels the same in protobuf. */
enum { FRAME_NATURAL, FRAME_ENTERED, FRAME_LEFT, FRAME_LABELS, FRAME_PROTOBUF };

/* What FRAME_LABELS holds: where the labels are in an event's two states, found once for all selectors. */
struct event_labels { struct str now, before; };

struct watch {
    struct call *call;
    struct filter filter;
    struct store_watch *sw;
    struct str from, to;
    struct store_view *view;                     /* initial objects; NULL: none (left) */
    struct store_cursor cursor;
    bool live, mark_end, columns_sent;
    struct buf row;
    struct timer timeout, bookmark;
    struct ready_item again;
};

static struct watch *watch_of(struct call *c)
{
    return c->state;
}

static void watch_cancel(struct call *c)
{
    struct watch *w = watch_of(c);

    timer_stop(&w->timeout);
    timer_stop(&w->bookmark);
    ready_cancel(&w->again);
    store_watch_close(w->sw);
    if (w->view != NULL)
        store_unpin(w->view);
    buf_release(&w->row);
    must(c->api->metrics.watches > 0);
    c->api->metrics.watches--;
    api_info(c->api, c->res)->watches--;
}

/* ---- Frames ---------------------------------------------------------------------------------------- */

/* An object in this watch's form. */
static void send_object(struct call *c, struct str type, struct blob *object)
{
    struct watch *w = watch_of(c);
    bool plain = shape_is_plain(c, blob_str(object));

    if (plain && c->x->ops->event != NULL) {
        c->x->ops->event(c->x, type, object);
        return;
    }
    if (plain) {
        call_send_blob(c, content_event(&c->out, type, blob_str(object)));
        return;
    }
    buf_clear(&w->row);
    shape_object(&w->row, c, blob_str(object), !w->columns_sent);
    w->columns_sent = true;
    if (c->x->ops->event != NULL) {
        struct blob *b = blob_copy(buf_str(&w->row));

        c->x->ops->event(c->x, type, b);
        blob_unref(b);
        return;
    }
    call_send_blob(c, content_event(&c->out, type, buf_str(&w->row)));
}

/* Where the frame is kept that all share who watch in this form; NULL: each has one of its own.  (CBOR is
 * asked for by few: not worth a slot of every event.) */
static struct blob **shared_frame(const struct call *c, struct store_event *ev, unsigned slot,
                                  struct blob *object)
{
    if (c->x->ops->event != NULL || c->out.format == OUT_CBOR || !shape_is_plain(c, blob_str(object)))
        return NULL;
    return &ev->frame[c->out.format == OUT_PROTOBUF ? FRAME_PROTOBUF + slot : slot];
}

/* The same for an event of the log: what is plain is framed once for all who watch. */
static void send_event(struct call *c, struct store_event *ev, unsigned slot, struct str type,
                       struct blob *object)
{
    struct blob **frame = shared_frame(c, ev, slot, object);

    if (frame == NULL) {
        send_object(c, type, object);
        return;
    }
    if (*frame == NULL)
        *frame = content_event(&c->out, type, blob_str(object));
    call_send_blob(c, blob_ref(*frame));
}

/* The object left the selector: its last matching state, at the revision of the change. */
static void send_left(struct call *c, struct store_event *ev)
{
    struct blob **frame = shared_frame(c, ev, FRAME_LEFT, ev->prev), *last;
    struct buf    b = BUF_INIT;
    uint32_t      rev_at;

    if (frame != NULL && *frame != NULL) {       /* told somebody else already: nothing to make */
        call_send_blob(c, blob_ref(*frame));
        return;
    }
    encode_reopen(&b, blob_str(ev->prev), &rev_at);
    last = rev_at != STORE_NO_REV ? encode_fill(buf_str(&b), rev_at, ev->rev) : blob_ref(ev->prev);
    buf_release(&b);
    send_event(c, ev, FRAME_LEFT, STR("DELETED"), last);
    blob_unref(last);
}

static const struct event_labels *labels_of(struct store_event *ev)
{
    struct blob *b = ev->frame[FRAME_LABELS];

    if (b == NULL) {
        struct event_labels found = {
            .now = filter_labels_of(blob_str(ev->value)), .before = filter_labels_of(blob_str(ev->prev)),
        };

        b = ev->frame[FRAME_LABELS] = blob_copy(str_make((const char *)&found, sizeof(found)));
    }
    return (const struct event_labels *)(const void *)b->data;
}

static void deliver(struct call *c, struct store_event *ev)
{
    static const struct event_labels none = { { NULL, 0 }, { NULL, 0 } };
    const struct filter       *f = &watch_of(c)->filter;
    const struct event_labels *l = f->labels.n > 0 ? labels_of(ev) : &none;
    bool was = ev->prev != NULL && filter_matches_with(f, blob_str(ev->prev), l->before);
    bool is = ev->type == STORE_PUT && filter_matches_with(f, blob_str(ev->value), l->now);

    api_info(c->api, c->res)->watch_events += was || is;
    if (ev->type == STORE_DELETE && was)
        send_event(c, ev, FRAME_NATURAL, STR("DELETED"), ev->value);
    else if (is && was)
        send_event(c, ev, FRAME_NATURAL, STR("MODIFIED"), ev->value);
    else if (is)
        send_event(c, ev, ev->prev == NULL ? FRAME_NATURAL : FRAME_ENTERED, STR("ADDED"), ev->value);
    else if (was)
        send_left(c, ev);
}

/* ---- Bookmarks and ends ---------------------------------------------------------------------------- */

static void put_bookmark(struct buf *b, const char *kind, const char *version, uint64_t rev,
                         const char *notes)
{
    buf_fmt(b, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%llu\","
            "\"creationTimestamp\":null%s}}", kind, version, (unsigned long long)rev, notes);
}

static void send_bookmark(struct call *c, uint64_t rev, bool initial_end)
{
    const struct schema_kind *k = c->res->kind;
    const char  *notes = initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "";
    char         meta[40], version[160];
    struct buf   b = BUF_INIT;
    struct blob *object;

    snprintf(meta, sizeof(meta), "meta.k8s.io/%s", c->out.version);
    snprintf(version, sizeof(version), "%s%s%s", k->group, k->group[0] != '\0' ? "/" : "", k->version);
    if (c->out.shape == OUT_TABLE)
        buf_fmt(&b, "{\"kind\":\"Table\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%llu\"},"
                "\"columnDefinitions\":null,\"rows\":[{\"cells\":[],\"object\":", meta,
                (unsigned long long)rev);
    if (c->out.shape == OUT_OBJECT)
        put_bookmark(&b, k->kind, version, rev, notes);
    else
        put_bookmark(&b, "PartialObjectMetadata", meta, rev, notes);
    if (c->out.shape == OUT_TABLE)
        buf_z(&b, "}]}");
    object = buf_to_blob(&b);
    buf_release(&b);
    if (c->x->ops->event != NULL)
        c->x->ops->event(c->x, STR("BOOKMARK"), object);
    else
        call_send_blob(c, content_event(&c->out, STR("BOOKMARK"), blob_str(object)));
    blob_unref(object);
}

static void on_bookmark(struct timer *t)
{
    struct watch *w = container_of(t, struct watch, bookmark);

    timer_start(&w->bookmark, BOOKMARK_MS);
    if (w->live && w->call->x->ops->queued(w->call->x) <= QUEUE_MAX)
        send_bookmark(w->call, store_watch_seen(w->sw), false);
}

static void on_timeout(struct timer *t)
{
    struct watch *w = container_of(t, struct watch, timeout);
    struct call  *c = w->call;

    if (w->live && c->rq.opt.bookmarks)
        send_bookmark(c, store_watch_seen(w->sw), false);
    call_end(c);
}

/* An ERROR event with a Status, then the end. */
static void fail(struct call *c, const struct status *s)
{
    struct blob *object = status_blob(s);

    if (object->len > 0 && object->data[object->len - 1] == '\n')
        object->len--;
    if (c->x->ops->event != NULL)
        c->x->ops->event(c->x, STR("ERROR"), object);
    else
        call_send_blob(c, content_event(&c->out, STR("ERROR"), blob_str(object)));
    blob_unref(object);
    call_end(c);
}

static void too_old(struct call *c, uint64_t rev)
{
    struct status s = { .code = 410, .reason = REASON_EXPIRED };

    c->api->metrics.too_old++;
    s.message = arena_fmt(c->arena, "too old resource version: %llu (%llu)", (unsigned long long)rev,
                          (unsigned long long)store_history_start(c->api->store));
    fail(c, &s);
}

/* ---- Pumping --------------------------------------------------------------------------------------- */

static void pump_live(struct call *c)
{
    struct watch       *w = watch_of(c);
    struct store_event *ev;
    int                 rc;

    for (unsigned budget = EVENTS_PER_TURN; budget > 0; budget--) {
        if (c->x->ops->queued(c->x) > QUEUE_MAX)
            return;                              /* drain will come */
        rc = store_watch_next(w->sw, &ev);
        if (rc == E_AGAIN)
            return;                              /* on_ready will come */
        if (rc < 0) {
            too_old(c, store_watch_seen(w->sw));
            return;
        }
        deliver(c, ev);
    }
    ready_post(c->api->loop, &w->again);
}

static void initial_done(struct call *c)
{
    struct watch *w = watch_of(c);
    uint64_t      rev = store_view_revision(w->view);

    store_unpin(w->view);
    w->view = NULL;
    w->live = true;
    if (w->mark_end)
        send_bookmark(c, rev, true);
    pump_live(c);
}

static void pump_initial(struct call *c)
{
    struct watch   *w = watch_of(c);
    struct store_kv kv;

    for (unsigned budget = INITIAL_PER_TURN; budget > 0; budget--) {
        if (c->x->ops->queued(c->x) > QUEUE_MAX)
            return;
        if (!store_next(&w->cursor, &kv)) {
            initial_done(c);
            return;
        }
        if (filter_matches(&w->filter, blob_str(kv.value)))
            send_object(c, STR("ADDED"), kv.value);
    }
    ready_post(c->api->loop, &w->again);
}

static void pump(struct call *c)
{
    if (watch_of(c)->view != NULL)
        pump_initial(c);
    else
        pump_live(c);
}

static void on_again(struct ready_item *it)
{
    pump(container_of(it, struct watch, again)->call);
}

static void on_store_ready(void *arg, struct store_watch *sw)
{
    struct watch *w = arg;

    (void)sw;
    if (w->live)
        pump_live(w->call);
}

/* ---- Opening --------------------------------------------------------------------------------------- */

static void watch_range(struct call *c, struct watch *w)
{
    struct filter *f = &w->filter;

    if (f->name.n > 0 && (!c->res->namespaced || f->ns.n > 0)) {
        w->from = call_key(c, c->info->base, f->ns, f->name);
        w->to = STR_NONE;
        return;
    }
    w->from = c->res->namespaced && f->ns.n > 0 ? call_prefix(c, f->ns) : c->info->prefix;
    w->to = store_prefix_end(c->arena, w->from);
}

static void seek_initial(struct call *c, struct watch *w)
{
    struct str to = w->to;

    if (to.n == 0) {                             /* one key: up to the one behind it */
        to = arena_str(c->arena, w->from);
        to.n++;
    }
    store_seek(&w->cursor, w->view, w->from, to);
}

static uint64_t timeout_ms(struct call *c)
{
    if (c->rq.opt.has_timeout)
        return MIN_OF(c->rq.opt.timeout_s, (uint64_t)1 << 31) * 1000;
    return (TIMEOUT_MIN_S + loop_random_u64(c->api->loop) % TIMEOUT_MIN_S) * 1000;
}

static void watch_open(struct call *c, uint64_t after)
{
    struct watch *w = watch_of(c);
    struct store_watch_opts o = { .after_rev = after, .on_ready = on_store_ready, .arg = w,
                                  .tag = w->filter.tag };

    watch_range(c, w);
    o.from = w->from;
    o.to = w->to;
    c->cancel = watch_cancel;
    c->drain = pump;
    c->api->metrics.watches++;
    api_info(c->api, c->res)->watches++;
    timer_init(&w->timeout, c->api->loop, on_timeout);
    timer_init(&w->bookmark, c->api->loop, on_bookmark);
    ready_init(&w->again, on_again);
    call_begin(c, 200, accept_stream_type(&c->out), false);
    if (store_watch_open(c->api->store, &o, &w->sw) < 0) {
        w->sw = NULL;
        too_old(c, after);
        return;
    }
    timer_start(&w->timeout, timeout_ms(c));
    if (c->rq.opt.bookmarks)
        timer_start(&w->bookmark, BOOKMARK_MS);
    w->live = w->view == NULL;
    if (w->view != NULL)
        seek_initial(c, w);
    ready_post(c->api->loop, &w->again);
}

static void open_with_initial(struct call *c)
{
    struct watch *w = watch_of(c);

    w->view = store_pin(c->api->store);
    watch_open(c, store_view_revision(w->view));
}

static void open_after(struct call *c)
{
    watch_open(c, c->rq.opt.rv);
}

static void open_now(struct call *c)
{
    watch_open(c, store_revision(c->api->store));
}

void call_watch(struct call *c)
{
    const struct request_options *o = &c->rq.opt;
    struct watch *w;

    if (!list_options_check(c, true))
        return;
    if (accept_stream_type(&c->out) == NULL) {
        call_fail(c, 406, REASON_NOT_ACCEPTABLE,
                  "only the following media types are accepted: application/json, "
                  "application/vnd.kubernetes.protobuf;stream=watch, application/cbor-seq");
        return;
    }
    w = arena_new(c->arena, struct watch);
    w->call = c;
    if (!filter_parse(c, &w->filter))
        return;
    c->state = w;
    w->mark_end = o->send_initial_events && o->bookmarks;
    if (o->send_initial_events && o->rv > 0)
        call_when_revision(c, o->rv, open_with_initial);
    else if (o->rv > 0)
        call_when_revision(c, o->rv, open_after);
    else if (o->has_send_initial_events && !o->send_initial_events)
        call_when_fresh(c, open_now);
    else if (o->has_rv)
        open_with_initial(c);
    else
        call_when_fresh(c, open_with_initial);
}
