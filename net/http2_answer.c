/* net/http2_answer.c: answers over HTTP/2: heads as name-value lists, bodies by reference; see
 * net/http2_server.h. */
#include <stdio.h>
#include "net/http2_server.h"

static struct h2_req *req_h2(struct http_req *req)
{
    return req->via;
}

static void h2_write_head(struct h2_req *r, const struct answer *a, bool body)
{
    struct arena *arena = &r->slot->req.arena;
    nghttp2_nv *nv = arena_alloc(arena, (6 + a->n_extra) * sizeof *nv);
    struct str date = server__date(r->conn->srv);
    char status[8], length[24];
    size_t n = 0;

    must(snprintf(status, sizeof status, "%03d", a->status) == 3);
    nv[n++] = h2_nv(STR(":status"), str_make(status, 3));
    nv[n++] = h2_nv(STR("date"), str_make(date.p + 6, date.n - 8));
    if (a->content_type != NULL)
        nv[n++] = h2_nv(STR("content-type"), str_of(a->content_type));
    if (a->has_length && a->length > 0 && http__status_has_body(a->status)) {
        int len = snprintf(length, sizeof length, "%" PRIu64, a->length);
        nv[n++] = h2_nv(STR("content-length"), str_make(length, (size_t)len));
    }
    if (a->gzip) {
        nv[n++] = h2_nv(STR("content-encoding"), STR("gzip"));
        nv[n++] = h2_nv(STR("vary"), STR("Accept-Encoding"));
    }
    n += h2_fields(nv + n, arena, a->extra, a->n_extra);
    chan_head(&r->chan, nv, n, body);
}

/* ---- compression -------------------------------------------------------------------------------- */

static bool h2_accepts_gzip(struct http_req *req)
{
    return req_h2(req)->accept_gzip && !req_h2(req)->head_only;
}

static bool gzip_on_full(void *to) { return ((struct h2_req *)to)->chan.queued > CONN_OUT_MAX; }
static void gzip_on_drain(void *to) { h2_req__drain(to); }

static void gzip_on_out(void *to, const char *p, size_t n)
{
    chan_send(&((struct h2_req *)to)->chan, blob_copy(str_make(p, n)), 0, n);
}

static void gzip_on_end(void *to)
{
    struct h2_req *r = to;

    r->gz = NULL;
    chan_end(&r->chan, NULL, 0);
}

static const struct gzip_sink h2_gzip_sink = { gzip_on_full, gzip_on_out, gzip_on_drain, gzip_on_end };

/* ---- answers ------------------------------------------------------------------------------------ */

static void h2_answered(struct h2_req *r)
{
    r->state = H2_DONE;
    r->since_ns = 0;
    chan_pause(&r->chan, false);                 /* what still comes is dropped */
    if (!r->dispatching)
        h2_req__release_slot(r);
}

static void h2_respond(struct http_req *req, const struct answer *a,
                       const struct http_piece *pieces, size_t n)
{
    struct h2_req *r = req_h2(req);
    bool body = a->length > 0 && http__status_has_body(a->status) && !r->head_only;

    must(r->state == H2_BUSY || r->state == H2_ORPHAN);
    if (r->state == H2_BUSY) {
        h2_write_head(r, a, body);
        if (a->gzip && body)
            r->gz = gzip_new(r->conn->srv, &h2_gzip_sink, r);
    }
    for (size_t i = 0; i < n; i++) {
        if (r->state == H2_ORPHAN || !body || pieces[i].len == 0)
            blob_unref(pieces[i].blob);
        else if (pieces[i].blob == NULL)
            continue;
        else if (r->gz != NULL)
            gzip_add(r->gz, pieces[i].blob, pieces[i].off, pieces[i].len);
        else
            chan_send(&r->chan, pieces[i].blob, pieces[i].off, pieces[i].len);
    }
    if (r->state == H2_ORPHAN) {
        h2_req__free(r);
        return;
    }
    if (r->gz != NULL)
        gzip_end(r->gz);
    else if (body)
        chan_end(&r->chan, NULL, 0);
    h2_answered(r);
}

void h2_req__error(struct h2_req *r, int status, const char *reason)
{
    struct answer a = { .status = status, .has_length = true };
    struct blob *body = server__error_body(r->conn->srv, status, reason, &a.content_type);
    struct http_piece piece = { body, 0, body != NULL ? body->len : 0 };

    a.length = piece.len;
    r->slot->req.via = r;
    r->state = H2_BUSY;
    h2_respond(&r->slot->req, &a, &piece, 1);
}

void h2_req__continue(struct h2_req *r)
{
    nghttp2_nv nv = h2_nv(STR(":status"), STR("100"));

    nghttp2_submit_headers(r->conn->link.ng, NGHTTP2_FLAG_NONE, r->chan.id, NULL, &nv, 1, NULL);
    link_arm(&r->conn->link);
}

/* ---- streamed answers --------------------------------------------------------------------------- */

static void h2_begin(struct http_req *req, const struct answer *a)
{
    struct h2_req *r = req_h2(req);

    must(r->state == H2_BUSY || r->state == H2_ORPHAN);
    if (r->state == H2_ORPHAN)
        return;
    r->state = H2_STREAM;
    h2_write_head(r, a, true);
    if (a->gzip)
        r->gz = gzip_new(r->conn->srv, &h2_gzip_sink, r);
    r->head_only |= !http__status_has_body(a->status);
}

static size_t h2_queued(struct http_req *req)
{
    struct h2_req *r = req_h2(req);

    return r->chan.queued + (r->gz != NULL ? gzip_pending(r->gz) : 0);
}

static void h2_send_blob(struct http_req *req, struct blob *b, size_t off, size_t len)
{
    struct h2_req *r = req_h2(req);

    must(r->state == H2_STREAM || r->state == H2_ORPHAN);
    if (r->state == H2_ORPHAN || r->head_only || r->chan.closed || len == 0) {
        blob_unref(b);
        return;
    }
    if (r->gz != NULL) {
        gzip_add(r->gz, b, off, len);
        gzip_pump(r->gz);
    } else {
        chan_send(&r->chan, b, off, len);
    }
    r->above |= h2_queued(req) > STREAM_LOW_WATER;
}

static void h2_send(struct http_req *req, const void *p, size_t n)
{
    if (n > 0)
        h2_send_blob(req, blob_copy(str_make(p, n)), 0, n);
}

void h2_req__drain(struct h2_req *r)
{
    if (r->gz != NULL && !r->chan.closed)
        gzip_pump(r->gz);
    if (r->state != H2_STREAM || !r->above || h2_queued(&r->slot->req) > STREAM_LOW_WATER)
        return;
    r->above = false;
    if (r->slot->req.on_drain != NULL)
        r->slot->req.on_drain(&r->slot->req);
}

static void h2_end(struct http_req *req, const struct http_header *trailers, size_t n)
{
    struct h2_req *r = req_h2(req);

    must(r->state == H2_STREAM || r->state == H2_ORPHAN);
    if (r->state == H2_ORPHAN) {
        h2_req__free(r);
        return;
    }
    if (r->gz != NULL && !r->chan.closed) {
        gzip_end(r->gz);
    } else {
        nghttp2_nv *nv = arena_alloc(&req->arena, (n + 1) * sizeof *nv);
        chan_end(&r->chan, nv, h2_fields(nv, &req->arena, trailers, n));
    }
    h2_answered(r);
}

static void h2_cut(struct h2_req *r, uint32_t code)
{
    must(r->state == H2_BUSY || r->state == H2_STREAM || r->state == H2_ORPHAN);
    if (r->state == H2_ORPHAN) {
        h2_req__free(r);
        return;
    }
    chan_reset(&r->chan, code);
    h2_answered(r);
}

static void h2_abort(struct http_req *req)
{
    h2_cut(req_h2(req), NGHTTP2_INTERNAL_ERROR);
}

static void h2_flow(struct http_req *req, bool paused)
{
    if (req_h2(req)->state == H2_BUSY || req_h2(req)->state == H2_STREAM)
        chan_pause(&req_h2(req)->chan, paused);
}

/* A stream of HTTP/2 is nobody's to take over: the client is told to come by HTTP/1.1. */
static struct stream *h2_upgrade(struct http_req *req, const struct http_header *extra, size_t n_extra,
                                 const struct stream_events *ev, void *arg)
{
    h2_cut(req_h2(req), NGHTTP2_HTTP_1_1_REQUIRED);
    return NULL;
}

static struct stream *h2_stream(struct http_req *req) { return req_h2(req)->conn->link.s; }
static struct http_server *h2_server(struct http_req *req) { return req_h2(req)->conn->srv; }

const struct http_carrier h2_carrier = {
    .accepts_gzip = h2_accepts_gzip, .respond = h2_respond, .begin = h2_begin, .send = h2_send,
    .send_blob = h2_send_blob, .queued = h2_queued, .end = h2_end, .abort = h2_abort, .flow = h2_flow,
    .upgrade = h2_upgrade, .stream = h2_stream, .server = h2_server,
};
