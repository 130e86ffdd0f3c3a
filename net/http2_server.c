/* net/http2_server.c: HTTP/2 connections of the server: streams become requests; time limits; draining.
 * See net/http2_server.h. */
#include "net/http2_server.h"

#define TAKES_AT_LEAST (16u << 10)               /* bytes of an answer within idle_ms, or it is given up */

static struct h2_conn *link_conn(struct h2_link *k) { return container_of(k, struct h2_conn, link); }
static struct h2_req *chan_req(struct h2_chan *ch) { return container_of(ch, struct h2_req, chan); }

/* ---- life --------------------------------------------------------------------------------------- */

static void conn_unpin(struct h2_conn *c)
{
    struct http_server *srv = c->srv;

    if (!c->dead || c->n_reqs > 0)
        return;
    qdel(&c->at);
    mem_free(c);
    server__conn_gone(srv);
}

void h2_req__release_slot(struct h2_req *r)
{
    struct http_slot *slot = r->slot;

    r->slot = NULL;
    if (slot != NULL)
        server__slot_put(r->conn->srv, slot);
}

void h2_req__free(struct h2_req *r)
{
    struct h2_conn *c = r->conn;

    if (r->gz != NULL)
        gzip_drop(r->gz);
    h2_req__release_slot(r);
    chan_release(&r->chan);
    h2_pool_free(&c->srv->h2_pool, r);
    must(c->n_reqs > 0);
    c->n_reqs--;
    conn_unpin(c);
}

static void req_set_state(struct h2_req *r, enum h2_state state)
{
    bool was = r->state <= H2_BODY, is = state <= H2_BODY;

    r->conn->n_receiving += (unsigned)is - (unsigned)was;
    r->state = state;
}

/* ---- heads -------------------------------------------------------------------------------------- */

static struct h2_chan *h2_on_begin(struct h2_link *k, struct h2_chan *ch)
{
    struct h2_conn *c = link_conn(k);

    if (ch != NULL) {
        chan_req(ch)->trailing = true;
        return ch;
    }
    if (c->n_reqs >= 2 * c->srv->o.max_streams)  /* it resets, and their handlers are still at work */
        return NULL;
    struct h2_req *r = h2_pool_alloc(&c->srv->h2_pool, sizeof *r);
    memset(r, 0, sizeof *r);
    r->conn = c;
    r->slot = server__slot_take(c->srv);
    c->n_reqs++;
    c->n_receiving++;
    return &r->chan;
}

static void req_pseudo(struct h2_req *r, struct str name, struct str value)
{
    struct http_req *req = &r->slot->req;

    if (str_is(name, ":path"))
        req->target = value;
    else if (str_is(name, ":method"))
        req->method = value;
    else if (str_is(name, ":authority"))
        r->authority = value;
}

static void req_header(struct h2_req *r, struct str name, struct str value)
{
    struct http_req *req = &r->slot->req;
    struct http_header *list = (struct http_header *)(uintptr_t)req->headers;

    if (req->n_headers == HTTP_MAX_HEADERS) {
        r->too_many = true;
        return;
    }
    if (req->n_headers == r->cap_headers) {
        r->cap_headers = MAX_OF(2 * r->cap_headers, (size_t)16);
        list = arena_alloc(&req->arena, r->cap_headers * sizeof *list);
        if (req->n_headers > 0)
            memcpy(list, req->headers, req->n_headers * sizeof *list);
        req->headers = list;
    }
    list[req->n_headers++] = (struct http_header){ name, value };
}

/* What of the headers concerns us: as for HTTP/1.1 (http_wire.c). */
static void req_meaning(struct h2_req *r, struct str name, struct str value)
{
    if (str_is(name, "accept-encoding"))
        r->accept_gzip |= http_accepts_gzip(value);
    else if (str_is(name, "expect"))
        r->expect_continue = str_ieq(value, STR("100-continue"));
    else if (str_is(name, "content-length"))     /* nghttp2 holds the body to it */
        r->has_length = str_u64(value, &r->length);
    else if (str_is(name, "host") && r->authority.p == NULL)
        r->authority = STR("");                  /* is there already */
}

static void h2_on_header(struct h2_chan *ch, struct str name, struct str value)
{
    struct h2_req *r = chan_req(ch);

    if (r->state != H2_HEAD || r->trailing)
        return;
    struct arena *a = &r->slot->req.arena;
    char *copy = arena_alloc(a, name.n + value.n + 1);
    memcpy(copy, name.p, name.n);
    memcpy(copy + name.n, value.p, value.n);
    name = str_make(copy, name.n);
    value = str_make(copy + name.n, value.n);
    if (name.n > 0 && name.p[0] == ':') {
        req_pseudo(r, name, value);
    } else {
        req_meaning(r, name, value);
        req_header(r, name, value);
    }
}

static void req_dispatch(struct h2_req *r)
{
    struct http_server *srv = r->conn->srv;
    struct http_req *req = &r->slot->req;

    req_set_state(r, H2_BUSY);
    r->since_ns = 0;
    req->body = buf_str(&r->slot->body);
    r->dispatching = true;
    srv->o.on_request(srv->o.arg, req);
    r->dispatching = false;
    if (r->state == H2_DONE)
        h2_req__release_slot(r);                 /* answered on the spot */
}

static void req_refuse(struct h2_req *r, int status, const char *reason)
{
    req_set_state(r, H2_BUSY);
    h2_req__error(r, status, reason);
}

/* 0, or the status to refuse the head with. */
static int req_judge_head(struct h2_req *r, const char **reason)
{
    struct http_req *req = &r->slot->req;

    if (r->chan.refused || r->too_many) {
        *reason = "the request head is too large";
        return 431;
    }
    if (req->target.p == NULL || !http_is_token(req->method) || !http_is_target(req->target) ||
        !http__split_target(req)) {
        *reason = "method or target of the request are malformed, or CONNECT";
        return 400;
    }
    if (r->authority.n > 0)
        req_header(r, STR("host"), r->authority);
    if (r->has_length && r->length > r->conn->srv->o.max_body) {
        *reason = "the request body is too large";
        return 413;
    }
    return 0;
}

static void h2_on_head(struct h2_chan *ch, bool end)
{
    struct h2_req *r = chan_req(ch);
    struct http_server *srv = r->conn->srv;
    struct http_req *req = r->slot != NULL ? &r->slot->req : NULL;
    const char *reason = NULL;

    if (r->state != H2_HEAD || r->trailing)
        return;
    req->http_2 = true;
    req->body_done = end;
    req->carrier = &h2_carrier;
    req->via = r;
    req->start_ns = loop_hires_ns(srv->loop);
    r->head_only = str_is(req->method, "HEAD");
    int status = req_judge_head(r, &reason);
    if (status == 0 && !end && srv->o.on_body != NULL)
        status = srv->o.on_body(srv->o.arg, req, &reason);
    if (status == HTTP_BODY_FOLLOWS) {
        req_dispatch(r);
    } else if (status != 0) {
        req_refuse(r, status, reason);
    } else {
        req_set_state(r, H2_BODY);               /* if it ends here, h2_on_end() is next */
        r->slot->body_since_ms = loop_now_ms(srv->loop);
        r->since_ns = loop_now_ns(srv->loop) + srv->o.head_ms * 1000000;
        if (r->has_length)                       /* what is promised is believed in steps only */
            buf_reserve(&r->slot->body, MIN_OF((size_t)r->length, SLOT_BODY_KEEP));
        if (r->expect_continue && !end)
            h2_req__continue(r);
    }
}

/* ---- bodies ------------------------------------------------------------------------------------- */

static void h2_on_data(struct h2_chan *ch, struct str data)
{
    struct h2_req *r = chan_req(ch);
    struct http_server *srv = r->conn->srv;
    const char *reason = NULL;
    int status;

    switch (r->state) {
    case H2_BODY:
        status = server__body_add(srv, r->slot, data, &reason);
        if (status != 0)
            req_refuse(r, status, reason);
        else
            r->since_ns = loop_now_ns(srv->loop) + server__body_patience_ms(srv, r->slot) * 1000000;
        break;
    case H2_BUSY:
    case H2_STREAM:
        if (r->slot->req.on_data != NULL)
            r->slot->req.on_data(&r->slot->req, data);
        break;
    default:
        break;
    }
}

static void h2_on_end(struct h2_chan *ch)
{
    struct h2_req *r = chan_req(ch);

    switch (r->state) {
    case H2_BODY:
        r->slot->req.body_done = true;
        req_dispatch(r);
        break;
    case H2_BUSY:
    case H2_STREAM:
        r->slot->req.body_done = true;
        if (r->slot->req.on_eof != NULL)
            r->slot->req.on_eof(&r->slot->req);
        break;
    default:
        break;
    }
}

static void h2_on_room(struct h2_chan *ch)
{
    h2_req__drain(chan_req(ch));
}

static void h2_on_closed(struct h2_chan *ch, uint32_t code)
{
    struct h2_req *r = chan_req(ch);

    if (r->state <= H2_BODY)
        req_set_state(r, H2_DONE);
    if (r->gz != NULL)
        gzip_drop(r->gz);
    r->gz = NULL;
    if (r->state == H2_BUSY || r->state == H2_STREAM) {
        struct http_req *req = &r->slot->req;
        if (req->on_abort == NULL) {
            r->state = H2_ORPHAN;                /* its handler still holds the request */
            return;
        }
        r->state = H2_DONE;
        req->on_abort(req);
    }
    h2_req__free(r);
}

/* ---- time --------------------------------------------------------------------------------------- */

static bool conn_has_unsent(const struct h2_conn *c)
{
    return c->link.n_unsent > 0 || stream_queued(c->link.s) > 0;
}

/* A connection with only quiet streams (watches) needs none. */
static bool conn_needs_timer(const struct h2_conn *c)
{
    return c->link.n_chans == 0 || c->n_receiving > 0 || conn_has_unsent(c) || c->srv->o.ping_ms != 0;
}

/* It stays where it is if it fires early enough. */
static void conn_start_timer(struct h2_conn *c)
{
    const struct http_server_opts *o = &c->srv->o;
    uint64_t ms = o->head_ms;

    if (!conn_needs_timer(c))
        return;
    if (c->link.n_chans == 0 && !c->link.in_block)
        ms = o->idle_ms;
    else if (c->link.ping_out)
        ms = MIN_OF(ms, o->ping_timeout_ms);
    else if (o->ping_ms != 0)
        ms = MIN_OF(ms, o->ping_ms);
    if (!timer_active(&c->timer) || c->timer.due_ns > loop_now_ns(c->srv->loop) + ms * 1000000)
        timer_start(&c->timer, ms);
}

/* One that collects a body, or whose answer is not taken, has so long. */
static void req_check_time(struct h2_req *r, uint64_t now)
{
    const struct http_server_opts *o = &r->conn->srv->o;
    struct h2_chan *ch = &r->chan;

    if (r->state == H2_BODY) {
        if (now >= r->since_ns)
            req_refuse(r, 408, "the request body took too long");
        return;
    }
    if (r->state < H2_STREAM)
        return;
    if (ch->queued == 0 || ch->taken - ch->taken_seen >= TAKES_AT_LEAST || r->since_ns == 0) {
        r->since_ns = ch->queued > 0 ? now : 0;
        ch->taken_seen = ch->taken;
    } else if (now - r->since_ns >= o->idle_ms * 1000000) {
        chan_reset(ch, NGHTTP2_CANCEL);
    }
}

/* The whole connection: does its peer take bytes, does it live? */
static void conn_check_time(struct h2_conn *c, uint64_t now)
{
    const struct http_server_opts *o = &c->srv->o;
    struct h2_link *k = &c->link;
    uint64_t taken = k->written - stream_queued(k->s);

    if (stream_queued(k->s) == 0 || taken != c->taken_seen) {
        c->stalled_ns = now;
        c->taken_seen = taken;
    } else if (now - c->stalled_ns >= o->idle_ms * 1000000) {
        link_close(k);
        return;
    }
    if (k->in_block && now - k->rx_ns >= o->head_ms * 1000000)
        link_close(k);
    else if (k->ping_out && now - c->ping_ns >= o->ping_timeout_ms * 1000000 && k->rx_ns < c->ping_ns)
        link_close(k);
    else if (o->ping_ms != 0 && !k->ping_out && k->n_chans > 0 && now - k->rx_ns >= o->ping_ms * 1000000) {
        c->ping_ns = now;
        link_ping(k);
    }
}

static void conn_on_timer(struct timer *t)
{
    struct h2_conn *c = container_of(t, struct h2_conn, timer);
    uint64_t now = loop_now_ns(c->srv->loop);

    conn_check_time(c, now);
    qeach(&c->link.chans, it, tmp)
        req_check_time(chan_req(qentry(it, struct h2_chan, at)), now);
    if (c->link.n_chans == 0 && now - c->idle_ns >= c->srv->o.idle_ms * 1000000)
        link_goaway(&c->link, NGHTTP2_NO_ERROR, NULL);
    conn_start_timer(c);
}

/* After bytes came or went. */
static void h2_on_settled(struct h2_link *k)
{
    struct h2_conn *c = link_conn(k);

    if (k->s == NULL)
        return;
    if (k->n_chans > 0)
        c->idle_ns = 0;
    else if (c->idle_ns == 0)
        c->idle_ns = loop_now_ns(k->loop);
    if (c->draining && k->n_chans == 0 && !k->ending) {
        link_goaway(k, NGHTTP2_NO_ERROR, NULL);
    } else if (c->draining && !c->last_said && !k->ping_out) {
        c->last_said = true;                     /* whoever was told has stopped: name the last */
        link_say_goaway(k, NGHTTP2_NO_ERROR, NULL);
    }
    conn_start_timer(c);
}

/* ---- the connection ----------------------------------------------------------------------------- */

static void h2_on_dead(struct h2_link *k, int err, const char *reason)
{
    struct h2_conn *c = link_conn(k);

    timer_stop(&c->timer);
    link_release(k);
    c->dead = true;
    conn_unpin(c);
}

static const struct h2_events conn_events = {
    .on_begin = h2_on_begin, .on_header = h2_on_header, .on_head = h2_on_head, .on_data = h2_on_data,
    .on_end = h2_on_end, .on_room = h2_on_room, .on_closed = h2_on_closed, .on_settled = h2_on_settled,
    .on_dead = h2_on_dead,
};

void h2_conn__accept(struct http_server *srv, struct stream *s, struct str first)
{
    struct h2_link_opts o = { .server = true, .max_streams = srv->o.max_streams, .pool = &srv->h2_pool,
                              .ping_min_ms = srv->o.client_ping_min_ms };
    struct h2_conn *c = mem_new(struct h2_conn);

    c->srv = srv;
    qinit(&c->at);
    qpush(&srv->h2_conns, &c->at);
    srv->n_conns++;
    timer_init(&c->timer, srv->loop, conn_on_timer);
    c->idle_ns = loop_now_ns(srv->loop);
    link_open(&c->link, s, &o, &conn_events);
    if (srv->draining || srv->closing)
        link_close(&c->link);
    else
        conn_start_timer(c);
    if (first.n > 0)
        link_feed(&c->link, first);
}

/* GOAWAY in two steps (RFC 9113 6.8): what the client sent before it heard of it is still served. */
void h2_conn__drain(struct qlink *at)
{
    struct h2_conn *c = qentry(at, struct h2_conn, at);

    if (c->dead || c->draining)
        return;
    c->draining = true;
    if (c->link.n_chans == 0) {
        link_goaway(&c->link, NGHTTP2_NO_ERROR, NULL);
        return;
    }
    nghttp2_submit_shutdown_notice(c->link.ng);
    link_ping(&c->link);
}

void h2_conn__close(struct qlink *at)
{
    struct h2_conn *c = qentry(at, struct h2_conn, at);

    if (!c->dead)
        link_close(&c->link);
}
