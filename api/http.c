/* api/http.c: HTTP requests as exchanges. */
#include "api/answer.h"
#include "api/http_ws.h"

static struct http_req *req_of(struct exchange *x)
{
    return x->transport;
}

static void http_x_respond(struct exchange *x, int status, const char *content_type,
                           const struct http_piece *p, size_t n,
                           const struct http_header *extra, size_t n_extra)
{
    http_respond_pieces(req_of(x), status, content_type, p, n, extra, n_extra);
}

static void http_x_begin(struct exchange *x, int status, const char *content_type, bool gzip,
                         const struct http_header *extra,
                         size_t n_extra)
{
    http_begin(req_of(x), status, content_type, gzip, extra, n_extra);
}

static void http_x_send(struct exchange *x, const struct http_piece *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        http_send_blob(req_of(x), p[i].blob, p[i].off, p[i].len);
}

static size_t http_x_queued(struct exchange *x)
{
    return http_queued(req_of(x));
}

static void http_x_end(struct exchange *x)
{
    http_end(req_of(x));
}

static void http_x_cut(struct exchange *x)
{
    http_abort(req_of(x));
}

static struct stream *http_x_upgrade(struct exchange *x, const struct http_header *extra, size_t n_extra,
                                     const struct stream_events *ev, void *arg)
{
    return http_upgrade(req_of(x), extra, n_extra, ev, arg);
}

/* No .event: what a thousand watchers get is framed once, by the pipeline. */
static const struct exchange_ops http_ops = {
    .respond = http_x_respond, .begin = http_x_begin, .send = http_x_send, .queued = http_x_queued,
        .end = http_x_end,
    .cut = http_x_cut, .upgrade = http_x_upgrade,
};

static void on_req_abort(struct http_req *req)
{
    struct exchange *x = req->arg;

    if (x->on_abort != NULL)
        x->on_abort(x);
}

static void on_req_drain(struct http_req *req)
{
    struct exchange *x = req->arg;

    if (x->on_drain != NULL)
        x->on_drain(x);
}

static struct exchange *exchange_new(struct api *a, struct http_req *req)
{
    struct exchange *x = arena_new(&req->arena, struct exchange);

    x->ops = &http_ops;
    x->transport = req;
    x->loop = a->loop;
    x->arena = &req->arena;
    x->method = req->method;
    x->path = req->path;
    x->query = req->query;
    x->headers = req->headers;
    x->n_headers = req->n_headers;
    x->body = req->body;
    x->tls_peer = http_req_tls_peer(req);
    x->peer_addr = http_req_peer_addr(req);
    x->wants_upgrade = req->upgrade;
    return x;
}

/* Nothing that anonymous clients may do has a body: theirs is not read. */
static int on_body(void *arg, struct http_req *req, const char **ret_reason)
{
    struct api *a = arg;

    *ret_reason = "Unauthorized";
    return authn_may_send(a->authn, exchange_new(a, req)) ? 0 : 401;
}

static void on_request(void *arg, struct http_req *req)
{
    struct api      *a = arg;
    struct exchange *x;

    if (http_ws_asked(req)) {
        api_serve(a, http_ws_exchange(req));
        return;
    }
    x = exchange_new(a, req);
    req->arg = x;
    req->on_abort = on_req_abort;
    req->on_drain = on_req_drain;
    api_serve(a, x);
}

/* Requests that never became exchanges (malformed, oversized, too slow) get a Status too. */
static struct blob *error_body(void *arg, int status, const char *reason)
{
    struct status s = { .code = status, .reason = status_reason_of(status), .message = str_of(reason) };

    (void)arg;
    return status_blob(&s);
}

static bool is_loopback(const char *addr) { return strncmp(addr, "127.", 4) == 0 ||
                                            strncmp(addr, "[::1]", 5) == 0; }

/* Addresses are separated by commas: loopback for people on this machine, another for nodes. */
int api_http_open(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    struct http_server_opts ho = { .tls = o->tls, .on_request = on_request, .on_body = on_body,
                                   .error_body = error_body, .arg = a };
    struct str rest = str_of(o->listen_addr), one;
    struct arena arena = ARENA_INIT;
    int rc = 0;

    a->loopback_nodes = true;
    while (rc == 0 && str_split(&rest, ',', &one)) {
        if (a->n_http == API_MAX_LISTENERS) {
            rc = err_set(err, E_TOOBIG, "more than %d addresses to listen on", API_MAX_LISTENERS);
            break;
        }
        ho.addr = arena_cstr(&arena, one);
        rc = http_server_open(a->loop, &ho, &a->http[a->n_http], err);
        if (rc == 0)
            a->loopback_nodes &= is_loopback(http_server_addr(a->http[a->n_http++]));
    }
    arena_release(&arena);
    return rc;
}
