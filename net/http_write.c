/* net/http_write.c: answers over HTTP/1.1: heads by a small formatter, bodies by reference, chunks, upgrade.
 * Head and body are queued on the stream in one turn, so they leave in one TLS record. */
#include "net/http_conn.h"

enum { SHARED_MAX = 256 << 10 };                 /* larger blobs are worth a reference more than a copy */

/* ---- heads -------------------------------------------------------------------------------------- */

static void head_status(struct buf *out, int status)
{
    if (status == 200) {
        buf_str_add(out, STR("HTTP/1.1 200 OK\r\n"));
        return;
    }
    buf_str_add(out, STR("HTTP/1.1 "));
    buf_u64(out, (uint64_t)status);
    buf_char(out, ' ');
    buf_z(out, http_status_text(status));
    buf_str_add(out, STR("\r\n"));
}

static void head_extra(struct buf *out, const struct http_header *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (http_is_token(h[i].name))
            http_header_add(out, h[i].name, h[i].value);
        else
            log_warn("http", "an answer's header with a malformed name was left out");
    }
}

/* Decides whether the connection goes on, and says so. */
static void head_connection(struct http_conn *c, struct buf *out)
{
    if (c->srv->draining || c->eof)
        c->keep_alive = false;
    if (!c->keep_alive)
        buf_str_add(out, STR("Connection: close\r\n"));
    else if (c->http_1_0)
        buf_str_add(out, STR("Connection: keep-alive\r\n"));
}

static void conn_write_head(struct http_conn *c, const struct answer *a)
{
    struct buf *out = &c->srv->out;
    bool body = http__status_has_body(a->status);

    c->chunked_out = body && !a->has_length && !c->http_1_0;
    if (body && !a->has_length && c->http_1_0)
        c->keep_alive = false;                   /* its end is the connection's end */
    buf_clear(out);
    head_status(out, a->status);
    buf_str_add(out, server__date(c->srv));
    if (a->content_type != NULL)
        http_header_add(out, STR("Content-Type"), str_of(a->content_type));
    if (body && a->has_length) {
        buf_str_add(out, STR("Content-Length: "));
        buf_u64(out, a->length);
        buf_str_add(out, STR("\r\n"));
    }
    if (c->chunked_out)
        buf_str_add(out, STR("Transfer-Encoding: chunked\r\n"));
    if (a->gzip)
        buf_str_add(out, STR("Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"));
    head_connection(c, out);
    head_extra(out, a->extra, a->n_extra);
    buf_str_add(out, STR("\r\n"));
    stream_write(c->s, out->p, out->n);
    c->written = stream_queued(c->s);
    c->written_seen = 0;
}

/* ---- whole answers ------------------------------------------------------------------------------ */

static bool conn_accepts_gzip(struct http_req *req)
{
    struct http_conn *c = req->via;

    return c->accept_gzip && !c->http_1_0 && !c->head_only;
}

static void conn_send_chunk(struct http_conn *c, const char *p, size_t n);
static void conn_end_body(struct http_conn *c, const struct http_header *trailers, size_t n);

static bool gzip_on_full(void *to) { return stream_queued(((struct http_conn *)to)->s) > CONN_OUT_MAX; }
static void gzip_on_out(void *to, const char *p, size_t n) { conn_send_chunk(to, p, n); }
static void gzip_on_drain(void *to) { conn__drain(to); }

static void gzip_on_end(void *to)
{
    struct http_conn *c = to;

    c->gz = NULL;
    conn_end_body(c, NULL, 0);
}

static const struct gzip_sink conn_gzip_sink = { gzip_on_full, gzip_on_out, gzip_on_drain, gzip_on_end };

static void conn_flush_gzip(struct http_conn *c)
{
    c->state = CONN_FLUSH;
    if (!c->processing)
        conn__release_slot(c);
    conn__deadline(c, c->srv->o.idle_ms);
    gzip_end(c->gz);
}

static void conn_send_pieces(struct http_conn *c, const struct answer *a,
                             const struct http_piece *pieces, size_t n)
{
    bool body = http__status_has_body(a->status) && !c->head_only;

    if (a->gzip)
        c->gz = gzip_new(c->srv, &conn_gzip_sink, c);
    for (size_t i = 0; i < n; i++) {
        const struct http_piece *p = &pieces[i];
        if (p->blob == NULL)
            continue;
        must(p->off <= p->blob->len && p->len <= p->blob->len - p->off);
        if (!body || p->len == 0)
            blob_unref(p->blob);
        else if (a->gzip)
            gzip_add(c->gz, p->blob, p->off, p->len);
        else
            stream_write_blob(c->s, p->blob, p->off, p->len);
    }
}

static void conn_respond(struct http_req *req, const struct answer *a, const struct http_piece *pieces, size_t n)
{
    struct http_conn *c = req->via;

    must(c->state == CONN_BUSY || c->state == CONN_ORPHAN);
    if (c->state == CONN_ORPHAN) {
        for (size_t i = 0; i < n; i++)
            blob_unref(pieces[i].blob);
        conn__free(c);
        return;
    }
    conn_write_head(c, a);
    conn_send_pieces(c, a, pieces, n);
    if (a->gzip)
        conn_flush_gzip(c);
    else
        conn__answered(c);
}

/* An answer of the server itself, to what is no request, or none that may go on. */
void conn__error(struct http_conn *c, int status, const char *reason)
{
    struct http_server *srv = c->srv;
    const char *type;
    struct blob *body = server__error_body(srv, status, reason, &type);
    struct answer a = { .status = status, .content_type = type, .has_length = true,
                        .length = body != NULL ? body->len : 0 };

    c->keep_alive = false;
    conn_write_head(c, &a);
    if (body != NULL && !c->head_only)
        stream_write_blob(c->s, body, 0, body->len);
    else
        blob_unref(body);
    conn__release_slot(c);
    c->state = CONN_CLOSED;
    stream_close_after_flush(c->s);              /* which reads on, so that no reset eats the answer */
}

/* ---- streamed answers --------------------------------------------------------------------------- */

static void conn_begin(struct http_req *req, const struct answer *a)
{
    struct http_conn *c = req->via;

    must(c->state == CONN_BUSY || c->state == CONN_ORPHAN);
    if (c->state == CONN_ORPHAN)
        return;
    c->state = CONN_STREAM;
    c->above = false;
    conn_write_head(c, a);
    if (a->gzip)
        c->gz = gzip_new(c->srv, &conn_gzip_sink, c);
    c->head_only |= !http__status_has_body(a->status);
    conn__deadline(c, c->srv->o.idle_ms);
}

enum { CHUNK_LINE = 20 };

/* The line before a chunk of n bytes, at the end of `line`. */
static struct str chunk_line(char line[CHUNK_LINE], size_t n)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = CHUNK_LINE;

    line[--at] = '\n';
    line[--at] = '\r';
    do {
        line[--at] = hex[n & 15];
        n >>= 4;
    } while (n > 0);
    return str_make(line + at, CHUNK_LINE - at);
}

static void conn_chunk_open(struct http_conn *c, size_t n)
{
    char       line[CHUNK_LINE];
    struct str text;

    if (!c->chunked_out)
        return;
    text = chunk_line(line, n);
    stream_write(c->s, text.p, text.n);
    c->written += text.n;
}

static void conn_chunk_close(struct http_conn *c)
{
    if (!c->chunked_out)
        return;
    stream_write(c->s, "\r\n", 2);
    c->written += 2;
}

static void conn_send_chunk(struct http_conn *c, const char *p, size_t n)
{
    must(n > 0);
    conn_chunk_open(c, n);
    stream_write(c->s, p, n);
    c->written += n;
    conn_chunk_close(c);
}

static void conn_end_body(struct http_conn *c, const struct http_header *trailers, size_t n)
{
    struct buf *out = &c->srv->out;

    if (c->chunked_out && !c->head_only) {
        buf_clear(out);
        buf_str_add(out, STR("0\r\n"));
        head_extra(out, trailers, n);
        buf_str_add(out, STR("\r\n"));
        stream_write(c->s, out->p, out->n);
    }
    conn__answered(c);
}

static bool req_can_send(struct http_req *req)
{
    const struct http_conn *c = req->via;

    must(c->state == CONN_STREAM || c->state == CONN_ORPHAN);
    return c->state == CONN_STREAM && !c->head_only;
}

static size_t conn_queued(struct http_req *req);

static void conn_sent(struct http_conn *c, struct http_req *req)
{
    if (conn_queued(req) > STREAM_LOW_WATER)
        c->above = true;
}

static void conn_send(struct http_req *req, const void *p, size_t n)
{
    struct http_conn *c = req->via;

    if (!req_can_send(req) || n == 0)
        return;
    if (c->gz != NULL) {
        gzip_add(c->gz, blob_copy(str_make(p, n)), 0, n);
        gzip_pump(c->gz);
    } else {
        conn_send_chunk(c, p, n);
    }
    conn_sent(c, req);
}

static struct blob *chunk_of(struct blob *b)
{
    char         line[CHUNK_LINE];
    struct str   open = chunk_line(line, b->len);
    struct blob *whole = blob_new(open.n + b->len + 2);

    memcpy(whole->data, open.p, open.n);
    memcpy(whole->data + open.n, b->data, b->len);
    memcpy(whole->data + open.n + b->len, "\r\n", 2);
    return whole;
}

/* What goes to many, one after the other, is framed once: from its second receiver on, each holds a reference to
 * the finished chunk, and nothing is copied for it.  True: taken over. */
static bool conn_send_shared(struct http_conn *c, struct blob *b)
{
    struct http_server *srv = c->srv;

    if (!c->chunked_out || b->len > SHARED_MAX)
        return false;
    if (srv->shared != b) {                      /* holding it keeps its address from being another's */
        blob_unref(srv->shared);
        srv->shared_chunk = blob_unref(srv->shared_chunk);
        srv->shared = blob_ref(b);
        return false;
    }
    if (srv->shared_chunk == NULL)
        srv->shared_chunk = chunk_of(b);
    stream_write_blob(c->s, blob_ref(srv->shared_chunk), 0, srv->shared_chunk->len);
    c->written += srv->shared_chunk->len;
    blob_unref(b);
    return true;
}

static void conn_send_blob(struct http_req *req, struct blob *b, size_t off, size_t len)
{
    struct http_conn *c = req->via;

    must(off <= b->len && len <= b->len - off);
    if (!req_can_send(req) || len == 0) {
        blob_unref(b);
        return;
    }
    if (c->gz != NULL) {
        gzip_add(c->gz, b, off, len);
        gzip_pump(c->gz);
    } else if (len != b->len || !conn_send_shared(c, b)) {
        conn_chunk_open(c, len);
        stream_write_blob(c->s, b, off, len);
        c->written += len;
        conn_chunk_close(c);
    }
    conn_sent(c, req);
}

static size_t conn_queued(struct http_req *req)
{
    struct http_conn *c = req->via;

    if (c->s == NULL)
        return 0;
    return stream_queued(c->s) + (c->gz != NULL ? gzip_pending(c->gz) : 0);
}

static void conn_end(struct http_req *req, const struct http_header *trailers, size_t n)
{
    struct http_conn *c = req->via;

    must(c->state == CONN_STREAM || c->state == CONN_ORPHAN);
    if (c->state == CONN_ORPHAN)
        conn__free(c);
    else if (c->gz != NULL)
        conn_flush_gzip(c);
    else
        conn_end_body(c, trailers, n);
}

static void conn_abort(struct http_req *req)
{
    struct http_conn *c = req->via;

    must(c->state == CONN_BUSY || c->state == CONN_STREAM || c->state == CONN_ORPHAN);
    if (c->state == CONN_ORPHAN) {
        conn__free(c);
        return;
    }
    c->state = CONN_CLOSED;
    if (!c->processing)
        conn__release_slot(c);
    stream_close(c->s);
}

/* ---- upgrade ------------------------------------------------------------------------------------ */

static struct stream *conn_upgrade(struct http_req *req, const struct http_header *extra, size_t n_extra,
                                   const struct stream_events *ev, void *arg)
{
    struct http_conn *c = req->via;
    struct stream *s = c->s;
    struct buf *out = &c->srv->out;

    must(c->state == CONN_BUSY || c->state == CONN_ORPHAN);
    if (c->state == CONN_ORPHAN) {
        conn__free(c);
        return NULL;
    }
    buf_clear(out);
    head_status(out, 101);
    if (http_header_get(extra, n_extra, "Connection").p == NULL)
        buf_str_add(out, STR("Connection: Upgrade\r\n"));
    head_extra(out, extra, n_extra);
    buf_str_add(out, STR("\r\n"));
    stream_write(s, out->p, out->n);
    if (ev != NULL)
        stream_set_events(s, ev, arg);
    if (c->paused)
        stream_resume(s);
    c->state = CONN_GIVEN;
    c->s = NULL;
    if (c->eof)
        stream_close_after_flush(s);
    if (!c->processing) {                        /* else conn_process() returns to who knows the rest */
        if (c->in.n > 0)
            stream_unread(s, c->in.p, c->in.n);
        conn__free(c);
    }
    return s;
}

static void conn_flow(struct http_req *req, bool paused) { }     /* its body came before it */
static struct stream *conn_stream(struct http_req *req) { return ((struct http_conn *)req->via)->s; }
static struct http_server *conn_server(struct http_req *req) { return ((struct http_conn *)req->via)->srv; }

const struct http_carrier http_conn_carrier = {
    .accepts_gzip = conn_accepts_gzip, .respond = conn_respond, .begin = conn_begin, .send = conn_send,
    .send_blob = conn_send_blob, .queued = conn_queued, .end = conn_end, .abort = conn_abort, .flow = conn_flow,
    .upgrade = conn_upgrade, .stream = conn_stream, .server = conn_server,
};
