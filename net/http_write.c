/* net/http_write.c: answers: heads by a small formatter, bodies by reference, chunks, upgrade.
 * Head and body are queued on the stream in one turn, so they leave in one TLS record. */
#include "net/http_conn.h"

enum { SHARED_MAX = 256 << 10 };                 /* larger blobs are worth a reference more than a copy */

/* ---- heads -------------------------------------------------------------------------------------- */

struct answer {
    int status;
    const char *content_type;
    const struct http_header *extra; size_t n_extra;
    bool has_length, gzip;
    uint64_t length;
};

static bool status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

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
    bool body = status_has_body(a->status);

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

static bool may_gzip(struct http_conn *c, const struct answer *a)
{
    return c->accept_gzip && !c->http_1_0 && !c->head_only && status_has_body(a->status) &&
           http_header_get(a->extra, a->n_extra, "Content-Encoding").p == NULL;
}

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
    bool body = status_has_body(a->status) && !c->head_only;

    if (a->gzip)
        c->gz = gzip_new(c);
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

void http_respond_pieces(struct http_req *req, int status, const char *content_type,
                         const struct http_piece *pieces, size_t n,
                         const struct http_header *extra, size_t n_extra)
{
    struct http_conn *c = req->conn;
    struct answer a = { .status = status, .content_type = content_type, .extra = extra, .n_extra = n_extra };

    must(c->state == CONN_BUSY || c->state == CONN_ORPHAN);
    if (c->state == CONN_ORPHAN) {
        for (size_t i = 0; i < n; i++)
            blob_unref(pieces[i].blob);
        conn__free(c);
        return;
    }
    for (size_t i = 0; i < n; i++)
        a.length += pieces[i].blob != NULL ? pieces[i].len : 0;
    a.gzip = a.length >= GZIP_MIN && may_gzip(c, &a);
    a.has_length = !a.gzip;
    conn_write_head(c, &a);
    conn_send_pieces(c, &a, pieces, n);
    if (a.gzip)
        conn_flush_gzip(c);
    else
        conn__answered(c);
}

void http_respond(struct http_req *req, int status, const char *content_type, struct blob *body,
                  const struct http_header *extra, size_t n_extra)
{
    struct http_piece piece = { body, 0, body != NULL ? body->len : 0 };

    http_respond_pieces(req, status, content_type, &piece, 1, extra, n_extra);
}

/* An answer of the server itself, to what is no request, or none that may go on. */
void conn__error(struct http_conn *c, int status, const char *reason)
{
    struct http_server *srv = c->srv;
    const char *type = srv->o.error_body != NULL ? "application/json" : "text/plain; charset=utf-8";
    struct blob *body = srv->o.error_body != NULL ? srv->o.error_body(srv->o.arg, status, reason)
                                                  : blob_copy(str_of(reason));
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

void http_begin(struct http_req *req, int status, const char *content_type, bool gzip,
                const struct http_header *extra, size_t n_extra)
{
    struct http_conn *c = req->conn;
    struct answer a = { .status = status, .content_type = content_type, .extra = extra, .n_extra = n_extra };

    must(c->state == CONN_BUSY || c->state == CONN_ORPHAN);
    if (c->state == CONN_ORPHAN)
        return;
    c->state = CONN_STREAM;
    c->above = false;
    a.gzip = gzip && may_gzip(c, &a);
    conn_write_head(c, &a);
    if (a.gzip)
        c->gz = gzip_new(c);
    c->head_only |= !status_has_body(status);
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

void conn__send_chunk(struct http_conn *c, const char *p, size_t n)
{
    must(n > 0);
    conn_chunk_open(c, n);
    stream_write(c->s, p, n);
    c->written += n;
    conn_chunk_close(c);
}

void conn__end_body(struct http_conn *c)
{
    if (c->chunked_out && !c->head_only)
        stream_write(c->s, "0\r\n\r\n", 5);
    conn__answered(c);
}

static bool req_can_send(struct http_req *req)
{
    enum conn_state st = req->conn->state;

    must(st == CONN_STREAM || st == CONN_ORPHAN);
    return st == CONN_STREAM && !req->conn->head_only;
}

static void conn_sent(struct http_conn *c, struct http_req *req)
{
    if (http_queued(req) > STREAM_LOW_WATER)
        c->above = true;
}

void http_send(struct http_req *req, const void *p, size_t n)
{
    struct http_conn *c = req->conn;

    if (!req_can_send(req) || n == 0)
        return;
    if (c->gz != NULL) {
        gzip_add(c->gz, blob_copy(str_make(p, n)), 0, n);
        gzip_pump(c->gz);
    } else {
        conn__send_chunk(c, p, n);
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

void http_send_blob(struct http_req *req, struct blob *b, size_t off, size_t len)
{
    struct http_conn *c = req->conn;

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

size_t http_queued(struct http_req *req)
{
    struct http_conn *c = req->conn;

    if (c->s == NULL)
        return 0;
    return stream_queued(c->s) + (c->gz != NULL ? gzip_pending(c->gz) : 0);
}

void http_end(struct http_req *req)
{
    struct http_conn *c = req->conn;

    must(c->state == CONN_STREAM || c->state == CONN_ORPHAN);
    if (c->state == CONN_ORPHAN)
        conn__free(c);
    else if (c->gz != NULL)
        conn_flush_gzip(c);
    else
        conn__end_body(c);
}

void http_abort(struct http_req *req)
{
    struct http_conn *c = req->conn;

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

struct stream *http_upgrade(struct http_req *req, const struct http_header *extra, size_t n_extra,
                            const struct stream_events *ev, void *arg)
{
    struct http_conn *c = req->conn;
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

struct loop *http_req_loop(struct http_req *req)
{
    return req->conn->srv->loop;
}

const struct tls_peer *http_req_tls_peer(struct http_req *req)
{
    return req->conn->s != NULL ? stream_tls_peer(req->conn->s) : NULL;
}

const char *http_req_peer_addr(struct http_req *req)
{
    return req->conn->s != NULL ? stream_peer_addr(req->conn->s) : "";
}
