/* net/http_conn.c: one connection of the server: bytes become requests, one at a time; see
 * net/http_conn.h for the states.  Nothing here allocates for a plain GET: the head is copied once,
 * into the arena of a stocked request, because a handler may answer after the bytes read are gone. */
#include "net/http_conn.h"

static void conn_finish(struct http_conn *c);

/* ---- time --------------------------------------------------------------------------------------- */

/* The timer stays where it is as long as it fires early enough: a request moves only the deadline. */
void conn__deadline(struct http_conn *c, uint64_t ms)
{
    c->deadline_ns = loop_now_ns(c->srv->loop) + ms * 1000000;
    if (!timer_active(&c->timer) || c->timer.due_ns > c->deadline_ns)
        timer_start(&c->timer, ms);
}

static void conn_no_deadline(struct http_conn *c)
{
    c->deadline_ns = UINT64_MAX;
}

/* An answer is still queued: does the peer take bytes at all? */
static void conn_watch_reader(struct http_conn *c)
{
    uint64_t taken = c->written - stream_queued(c->s);

    if (stream_queued(c->s) > 0 && taken == c->written_seen)
        conn__close(c);
    c->written_seen = taken;
    conn__deadline(c, c->srv->o.idle_ms);
}

static void conn_on_overdue(struct http_conn *c)
{
    switch (c->state) {
    case CONN_HEAD:
        if (stream_queued(c->s) > 0)
            conn_watch_reader(c);                /* slow is not idle */
        else if (c->in.n > 0)
            conn__error(c, 408, "the request head took too long");
        else
            conn__close(c);
        break;
    case CONN_BODY:
        conn__error(c, 408, "the request body took too long");
        break;
    case CONN_STREAM:
    case CONN_FLUSH:
        conn_watch_reader(c);
        break;
    default:
        break;
    }
}

static void conn_on_timer(struct timer *t)
{
    struct http_conn *c = container_of(t, struct http_conn, timer);
    uint64_t now = loop_now_ns(c->srv->loop);

    if (c->deadline_ns == UINT64_MAX)
        return;
    if (now < c->deadline_ns)
        timer_start_ns(t, c->deadline_ns - now);
    else
        conn_on_overdue(c);
}

/* ---- a request ---------------------------------------------------------------------------------- */

void conn__release_slot(struct http_conn *c)
{
    struct http_slot *slot = c->slot;

    c->slot = NULL;
    if (slot != NULL)
        server__slot_put(c->srv, slot);
}

static void conn_dispatch(struct http_conn *c)
{
    struct http_req *req = &c->slot->req;

    c->state = CONN_BUSY;
    conn_no_deadline(c);
    req->body = buf_str(&c->slot->body);
    c->srv->o.on_request(c->srv->o.arg, req);
    if (c->state != CONN_BUSY && c->state != CONN_STREAM)
        conn__release_slot(c);                   /* answered on the spot */
}

static void req_fill(struct http_conn *c, struct http_req *req, const struct http_head *h)
{
    struct http_header *copy = arena_alloc(&req->arena, (h->n_headers + 1) * sizeof *copy);

    memcpy(copy, h->headers, h->n_headers * sizeof *copy);
    req->headers = copy;
    req->n_headers = h->n_headers;
    req->method = h->method;
    req->target = h->target;
    req->http_1_0 = h->http_1_0;
    req->upgrade = h->upgrade;
    req->body_done = true;
    req->carrier = &http_conn_carrier;
    req->via = c;
    req->start_ns = loop_hires_ns(c->srv->loop);
    c->keep_alive = h->keep_alive;
    c->http_1_0 = h->http_1_0;
    c->accept_gzip = h->accept_gzip;
    c->head_only = str_is(h->method, "HEAD");
    c->continue_due = h->expect_continue;
}

/* 0: this body may be sent; else the status that says why not. */
static int conn_judge_body(struct http_conn *c, const struct http_head *h, const char **reason)
{
    const struct http_server_opts *o = &c->srv->o;

    if (h->has_length && h->length > o->max_body) {
        *reason = "the request body is too large";
        return 413;
    }
    if (o->on_body == NULL || (!h->chunked && h->length == 0))
        return 0;
    return o->on_body(o->arg, &c->slot->req, reason);
}

static void conn_begin_body(struct http_conn *c, const struct http_head *h)
{
    const char *reason = NULL;
    int status = conn_judge_body(c, h, &reason);

    if (status != 0 && status != HTTP_BODY_FOLLOWS) {
        conn__error(c, status, reason);
        return;
    }
    http_body_init(&c->framing, h->chunked ? HTTP_BODY_CHUNKED : HTTP_BODY_LENGTH, h->length);
    if (c->framing.kind == HTTP_BODY_NONE) {
        conn_dispatch(c);
        return;
    }
    if (h->has_length)                           /* what is promised is believed in steps only */
        buf_reserve(&c->slot->body, MIN_OF((size_t)h->length, SLOT_BODY_KEEP));
    c->state = CONN_BODY;
    c->slot->body_since_ms = loop_now_ms(c->srv->loop);
    conn__deadline(c, c->srv->o.head_ms);
}

static void conn_take_head(struct http_conn *c, struct str bytes)
{
    struct http_head *h = &c->srv->head;
    const char *reason = NULL;

    c->slot = server__slot_take(c->srv);
    struct http_req *req = &c->slot->req;
    char *copy = arena_alloc(&req->arena, bytes.n);
    memcpy(copy, bytes.p, bytes.n);
    c->http_1_0 = c->head_only = c->accept_gzip = false;
    int status = http_head_parse(&c->srv->parser, true, str_make(copy, bytes.n), h, &reason);
    if (status == 0) {
        req_fill(c, req, h);
        if (!http__split_target(req)) {
            status = 400;
            reason = "the request target is not a path";
        }
    }
    if (status != 0)
        conn__error(c, status, reason);
    else
        conn_begin_body(c, h);
}

/* Looks for one head at p; returns the bytes done with, 0: it needs more. */
static size_t conn_read_head(struct http_conn *c, const char *p, size_t n)
{
    if (c->scan_at == 0 && n >= 2 && p[0] == '\r' && p[1] == '\n')
        return 2;                                /* an empty line before a request is forgiven */
    ptrdiff_t len = http_head_scan(&c->scan_at, p, n);
    if (len > HTTP_MAX_HEAD_BYTES || (len == HTTP_SCAN_MORE && n > HTTP_MAX_HEAD_BYTES)) {
        if (memchr(p, '\n', n) != NULL)
            conn__error(c, 431, "the request head is too large");
        else
            conn__error(c, 414, "the request target is too long");
        return n;
    }
    if (len == HTTP_SCAN_BAD) {
        conn__error(c, 400, "the request head is malformed: lines end in CR LF and are not folded");
        return n;
    }
    if (len == HTTP_SCAN_MORE)
        return 0;
    c->scan_at = 0;
    c->reqs_this_turn++;
    conn_take_head(c, str_make(p, (size_t)len));
    return (size_t)len;
}

static size_t conn_read_body(struct http_conn *c, const char *p, size_t n)
{
    struct str in = str_make(p, n), data;
    const char *reason = NULL;
    int rc = HTTP_BODY_MORE;

    c->continue_due = false;
    while (in.n > 0 && rc == HTTP_BODY_MORE) {
        rc = http_body_step(&c->framing, &in, &data);
        int status = server__body_add(c->srv, c->slot, data, &reason);
        if (status != 0) {
            conn__error(c, status, reason);
            return n;
        }
    }
    if (rc == HTTP_BODY_BAD) {
        conn__error(c, 400, "the request body's chunks are malformed");
        return n;
    }
    if (rc == HTTP_BODY_DONE)
        conn_dispatch(c);
    else
        conn__deadline(c, server__body_patience_ms(c->srv, c->slot));
    return n - in.n;
}

/* ---- bytes -------------------------------------------------------------------------------------- */

/* May the next request begin?  Not while the client leaves earlier answers lying. */
static bool conn_blocked(const struct http_conn *c)
{
    return c->reqs_this_turn >= CONN_REQS_PER_TURN || stream_queued(c->s) > CONN_OUT_MAX;
}

/* Returns how many of the bytes are done with. */
static size_t conn_process(struct http_conn *c, const char *p, size_t n)
{
    size_t off = 0, used = 1;

    must(!c->processing);
    c->processing = true;
    while (off < n && used > 0) {
        if (c->state == CONN_HEAD)
            used = conn_blocked(c) ? 0 : conn_read_head(c, p + off, n - off);
        else if (c->state == CONN_BODY)
            used = conn_read_body(c, p + off, n - off);
        else
            used = c->state == CONN_CLOSED ? n - off : 0;
        off += used;
    }
    c->processing = false;
    return off;
}

/* Where the connection stands after some bytes were looked at. */
static void conn_settle(struct http_conn *c)
{
    if (c->state == CONN_CLOSED) {
        buf_release(&c->in);
        return;
    }
    if (c->state == CONN_BODY && c->continue_due) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        stream_write(c->s, go_on, sizeof go_on - 1);
        c->continue_due = false;
    }
    if (c->state == CONN_HEAD && c->in.n > 0 && conn_blocked(c)) {
        if (stream_queued(c->s) <= CONN_OUT_MAX)
            ready_post(c->srv->loop, &c->again);
    } else if (c->state == CONN_HEAD && c->eof) {
        conn_finish(c);
        return;
    }
    bool full = c->in.n > CONN_IN_MAX || (c->in.n > 0 && c->state == CONN_HEAD && conn_blocked(c));
    if (full != c->paused) {
        c->paused = full;
        (full ? stream_pause : stream_resume)(c->s);
    }
}

/* The stream leaves HTTP: what was read too far goes with it. */
static void conn_give_rest(struct http_conn *c, struct stream *s, const char *p, size_t n)
{
    if (n > 0)
        stream_unread(s, p, n);
    conn__free(c);
}

static void conn_continue(struct http_conn *c)
{
    struct stream *s = c->s;
    size_t used = conn_process(c, c->in.p, c->in.n);

    if (c->state == CONN_GIVEN) {
        conn_give_rest(c, s, c->in.p + used, c->in.n - used);
        return;
    }
    buf_drop(&c->in, used);
    if (c->in.n == 0)
        buf_release(&c->in);
    else if (used > 0 && c->state == CONN_HEAD)
        conn__deadline(c, c->srv->o.head_ms);    /* a new head has begun */
    conn_settle(c);
}

static void conn_on_again(struct ready_item *it)
{
    struct http_conn *c = container_of(it, struct http_conn, again);

    c->reqs_this_turn = 0;
    conn_continue(c);
}

static void conn_give_h2(struct http_conn *c, struct str first)
{
    struct stream *s = c->s;

    c->state = CONN_GIVEN;
    c->s = NULL;
    h2_conn__accept(c->srv, s, first);
    conn__free(c);
}

/* The first bytes of a connection whose TLS agreed on nothing: no method of HTTP/1.1 begins like HTTP/2's preface.
 * True: they are taken. */
static bool conn_sniff(struct http_conn *c, const char *p, size_t n)
{
    static const char preface[4] = "PRI ";
    size_t had = c->in.n, look = MIN_OF(n, sizeof preface - had);

    must(had < sizeof preface);
    c->fresh = memcmp(p, preface + had, look) == 0;
    if (!c->fresh)
        return false;
    buf_add(&c->in, p, n);
    if (c->in.n >= sizeof preface)
        conn_give_h2(c, buf_str(&c->in));
    else
        conn__deadline(c, c->srv->o.head_ms);
    return true;
}

static void conn_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct http_conn *c = arg;

    if (c->state == CONN_CLOSED || (c->fresh && conn_sniff(c, p, n)))
        return;
    c->reqs_this_turn = 0;
    if (c->in.n > 0 || (c->state != CONN_HEAD && c->state != CONN_BODY)) {
        buf_add(&c->in, p, n);
        conn_continue(c);
        return;
    }
    size_t used = conn_process(c, p, n);
    if (c->state == CONN_GIVEN) {
        conn_give_rest(c, s, p + used, n - used);
        return;
    }
    if (used < n) {
        buf_add(&c->in, p + used, n - used);
        if (c->state == CONN_HEAD)
            conn__deadline(c, c->srv->o.head_ms);
    }
    conn_settle(c);
}

/* ---- between requests --------------------------------------------------------------------------- */

/* No more requests: what is queued goes out, then the connection ends.  The stream's own patience with
 * that is short, so much is waited for here, as long as the peer keeps reading. */
static void conn_finish(struct http_conn *c)
{
    if (stream_queued(c->s) > STREAM_LOW_WATER) {
        c->state = CONN_FLUSH;
        conn__deadline(c, c->srv->o.idle_ms);
        return;
    }
    c->state = CONN_CLOSED;                      /* `in` may be at work: it is emptied later */
    stream_close_after_flush(c->s);
}

void conn__answered(struct http_conn *c)
{
    if (!c->processing)
        conn__release_slot(c);
    if (!c->keep_alive) {
        conn_finish(c);
        return;
    }
    c->state = CONN_HEAD;
    conn__deadline(c, c->srv->o.idle_ms);
    if (!c->processing && (c->in.n > 0 || c->paused || c->eof))
        ready_post(c->srv->loop, &c->again);     /* never the next request from inside this answer */
}

void conn__close(struct http_conn *c)
{
    if (c->s == NULL)
        return;
    if (c->state != CONN_BUSY && c->state != CONN_STREAM)
        c->state = CONN_CLOSED;                  /* those two stay, for on_abort */
    stream_close(c->s);
}

static void conn_on_eof(void *arg, struct stream *s)
{
    struct http_conn *c = arg;

    c->eof = true;
    switch (c->state) {
    case CONN_HEAD:
        ready_post(c->srv->loop, &c->again);     /* what came before the end is still answered */
        break;
    case CONN_BODY:
    case CONN_STREAM:
        conn__close(c);
        break;
    default:
        break;
    }
}

void conn__drain(struct http_conn *c)
{
    struct http_req *req;

    if (c->gz != NULL)
        gzip_pump(c->gz);
    else if (c->state == CONN_FLUSH && stream_queued(c->s) <= STREAM_LOW_WATER)
        conn_finish(c);
    if (c->state == CONN_HEAD && c->in.n > 0)
        ready_post(c->srv->loop, &c->again);
    if (c->state != CONN_STREAM || !c->above)
        return;
    req = &c->slot->req;
    if (http_queued(req) > STREAM_LOW_WATER)
        return;
    c->above = false;
    if (req->on_drain != NULL)
        req->on_drain(req);
}

static void conn_on_drain(void *arg, struct stream *s)
{
    conn__drain(arg);
}

void conn__free(struct http_conn *c)
{
    struct http_server *srv = c->srv;

    timer_stop(&c->timer);
    ready_cancel(&c->again);
    qdel(&c->link);
    if (c->gz != NULL)
        gzip_drop(c->gz);
    conn__release_slot(c);
    buf_release(&c->in);
    mem_free(c);
    server__conn_gone(srv);
}

static void conn_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct http_conn *c = arg;

    c->s = NULL;
    timer_stop(&c->timer);
    ready_cancel(&c->again);
    if (c->gz != NULL)
        gzip_drop(c->gz);
    c->gz = NULL;
    if (c->state == CONN_BUSY || c->state == CONN_STREAM) {
        struct http_req *req = &c->slot->req;
        if (req->on_abort == NULL) {
            c->state = CONN_ORPHAN;              /* its handler still holds the request */
            return;
        }
        c->state = CONN_CLOSED;
        req->on_abort(req);
    }
    conn__free(c);
}

static const struct stream_events conn_events = {
    .on_data = conn_on_data, .on_eof = conn_on_eof, .on_drain = conn_on_drain, .on_close = conn_on_close,
};

void conn__accept(struct http_server *srv, struct stream *s)
{
    const char *alpn = stream_alpn(s);

    if (strcmp(alpn, "h2") == 0) {
        h2_conn__accept(srv, s, STR_NONE);
        return;
    }
    struct http_conn *c = mem_new(struct http_conn);
    c->fresh = *alpn == '\0';
    c->srv = srv;
    c->s = s;
    qinit(&c->link);
    qpush(&srv->conns, &c->link);
    srv->n_conns++;
    timer_init(&c->timer, srv->loop, conn_on_timer);
    ready_init(&c->again, conn_on_again);
    stream_set_events(s, &conn_events, c);
    conn__deadline(c, srv->o.head_ms);           /* the first request is expected soon */
    if (srv->draining || srv->closing)
        conn__close(c);
}
