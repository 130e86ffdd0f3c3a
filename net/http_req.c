/* net/http_req.c: what a request and its answer are whatever carries them: the interface of net/http_server.h
 * on top of struct http_carrier. */
#include "net/http_conn.h"

bool http__status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

bool http__split_target(struct http_req *req)
{
    struct str t = req->target;

    if (t.p[0] != '/' && !str_is(t, "*")) {
        static const struct str http = { "http://", 7 }, https = { "https://", 8 };
        bool plain = str_starts(t, http);
        if (!plain && !str_starts(t, https))
            return false;
        t = str_from(t, plain ? http.n : https.n);
        ptrdiff_t slash = str_find(t, '/');
        if (slash <= 0)
            return false;
        t = str_from(t, (size_t)slash);
    }
    ptrdiff_t mark = str_find(t, '?');
    req->path = mark < 0 ? t : str_upto(t, (size_t)mark);
    req->query = mark < 0 ? STR("") : str_from(t, (size_t)mark + 1);
    return true;
}

static bool may_gzip(struct http_req *req, const struct answer *a)
{
    return req->carrier->accepts_gzip(req) && http__status_has_body(a->status) &&
           http_header_get(a->extra, a->n_extra, "Content-Encoding").p == NULL;
}

void http_respond_pieces(struct http_req *req, int status, const char *content_type,
                         const struct http_piece *pieces, size_t n,
                         const struct http_header *extra, size_t n_extra)
{
    struct answer a = { .status = status, .content_type = content_type, .extra = extra, .n_extra = n_extra };

    for (size_t i = 0; i < n; i++)
        a.length += pieces[i].blob != NULL ? pieces[i].len : 0;
    a.gzip = a.length >= GZIP_MIN && may_gzip(req, &a);
    a.has_length = !a.gzip;
    req->carrier->respond(req, &a, pieces, n);
}

void http_respond(struct http_req *req, int status, const char *content_type, struct blob *body,
                  const struct http_header *extra, size_t n_extra)
{
    struct http_piece piece = { body, 0, body != NULL ? body->len : 0 };

    http_respond_pieces(req, status, content_type, &piece, 1, extra, n_extra);
}

void http_begin(struct http_req *req, int status, const char *content_type, bool gzip,
                const struct http_header *extra, size_t n_extra)
{
    struct answer a = { .status = status, .content_type = content_type, .extra = extra, .n_extra = n_extra };

    a.gzip = gzip && may_gzip(req, &a);
    req->carrier->begin(req, &a);
}

void http_send(struct http_req *req, const void *p, size_t n)
{
    req->carrier->send(req, p, n);
}

void http_send_blob(struct http_req *req, struct blob *b, size_t off, size_t len)
{
    must(off <= b->len && len <= b->len - off);
    req->carrier->send_blob(req, b, off, len);
}

size_t http_queued(struct http_req *req)
{
    return req->carrier->queued(req);
}

void http_end(struct http_req *req)
{
    req->carrier->end(req, NULL, 0);
}

void http_end_trailers(struct http_req *req, const struct http_header *trailers, size_t n)
{
    req->carrier->end(req, trailers, n);
}

void http_abort(struct http_req *req)
{
    req->carrier->abort(req);
}

void http_req_pause(struct http_req *req)
{
    req->carrier->flow(req, true);
}

void http_req_resume(struct http_req *req)
{
    req->carrier->flow(req, false);
}

struct stream *http_upgrade(struct http_req *req, const struct http_header *extra, size_t n_extra,
                            const struct stream_events *ev, void *arg)
{
    must(req->upgrade);
    return req->carrier->upgrade(req, extra, n_extra, ev, arg);
}

struct loop *http_req_loop(struct http_req *req)
{
    return req->carrier->server(req)->loop;
}

const struct tls_peer *http_req_tls_peer(struct http_req *req)
{
    struct stream *s = req->carrier->stream(req);

    return s != NULL ? stream_tls_peer(s) : NULL;
}

const char *http_req_peer_addr(struct http_req *req)
{
    struct stream *s = req->carrier->stream(req);

    return s != NULL ? stream_peer_addr(s) : "";
}
