/* api/http_ws.c: see api/http_ws.h.  The exchange outlives its request, which ends with the upgrade: all it
 * tells is copied.  Browsers cannot set headers: their token comes among the subprotocols. */
#include "api/http_ws.h"
#include "net/http_wire.h"
#include "net/tls.h"
#include "net/ws.h"

#define PING_MS      30000
#define RECEIVE_MAX  (64u << 10)                 /* of a client that has nothing to say */

/* A log is encoded as the subprotocol says; events are text or not by their media type, as the original has
 * it. */
static const char *const protocols[] = { "base64.binary.k8s.io", "binary.k8s.io" };
static const char bearer[] = "base64url.bearer.authorization.k8s.io.";

struct ws_exchange {
    struct exchange x;
    struct arena arena;
    struct http_req *req;                        /* until it is answered */
    struct ws *ws;
    bool messages, log;                          /* what begin() opens: messages; of a log */
    bool text, base64;
    struct timer ping;
    struct ready_item failed;
};

static struct ws_exchange *of(struct exchange *x) { return container_of(x, struct ws_exchange, x); }

static void ws_exchange_free(struct ws_exchange *w)
{
    timer_stop(&w->ping);
    ready_cancel(&w->failed);
    arena_release(&w->arena);
    mem_free(w);
}

static void tell_abort(struct ws_exchange *w)
{
    if (w->x.on_abort != NULL)
        w->x.on_abort(&w->x);
}

/* ---- the socket --------------------------------------------------------------------------------------- */

static void on_message(void *arg, struct ws *ws, bool text, const char *p, size_t n) { }

static void on_drain(void *arg, struct ws *ws)
{
    struct ws_exchange *w = arg;

    if (w->x.on_drain != NULL)
        w->x.on_drain(&w->x);
}

static void on_close(void *arg, struct ws *ws, int code, const char *reason)
{
    tell_abort(arg);
    ws_exchange_free(arg);
}

static const struct ws_events events = { .on_message = on_message, .on_drain = on_drain,
                                         .on_close = on_close };

static void on_ping(struct timer *t)
{
    struct ws_exchange *w = container_of(t, struct ws_exchange, ping);

    ws_ping(w->ws);
    timer_start(t, PING_MS);
}

static void on_failed(struct ready_item *it)
{
    struct ws_exchange *w = container_of(it, struct ws_exchange, failed);

    tell_abort(w);
    ws_exchange_free(w);
}

static void open_socket(struct ws_exchange *w, const char *content_type)
{
    bool named = exchange_header(&w->x, "Sec-WebSocket-Protocol").n > 0;
    struct ws_accept_opts o = { .protocols = protocols, .n_protocols = named ? ARRAY_LEN(protocols) : 0,
                                .max_message = RECEIVE_MAX, .ev = &events, .arg = w };
    const char *protocol = NULL, *reason = NULL;

    w->ws = ws_accept(w->req, &o, &protocol, &reason);
    /* from the loop: the pipeline is in the midst of beginning */
    if (w->ws == NULL) {
        http_respond(w->req, 400, "text/plain", blob_copy(str_of(reason)), NULL, 0);
        ready_post(w->x.loop, &w->failed);
    }
    w->req = NULL;
    w->base64 = w->log && protocol == protocols[0];
    w->text = w->base64 || (!w->log && str_starts(str_of(content_type), STR("application/json")));
    if (w->ws == NULL)
        return;
    timer_start(&w->ping, PING_MS);
    if (w->log)
        ws_send(w->ws, w->text, "", 0);          /* it stands, even if nothing is said for long */
}

static void send_message(struct ws_exchange *w, struct str data)
{
    struct buf b = BUF_INIT;

    if (!w->base64) {
        ws_send(w->ws, w->text, data.p, data.n);
        return;
    }
    base64_encode(&b, data, false);
    ws_send(w->ws, true, b.p, b.n);
    buf_release(&b);
}

/* ---- the exchange's side ------------------------------------------------------------------------------ */

static void x_respond(struct exchange *x, int status, const char *content_type, const struct http_piece *p,
                      size_t n, const struct http_header *extra, size_t n_extra)
{
    struct ws_exchange *w = of(x);

    http_respond_pieces(w->req, status, content_type, p, n, extra, n_extra);
    ws_exchange_free(w);
}

static void x_begin(struct exchange *x, int status, const char *content_type, bool gzip,
                    const struct http_header *extra, size_t n_extra)
{
    struct ws_exchange *w = of(x);

    if (w->messages)
        open_socket(w, content_type);
    else
        http_begin(w->req, status, content_type, gzip, extra, n_extra);
}

static void x_send(struct exchange *x, const struct http_piece *p, size_t n)
{
    struct ws_exchange *w = of(x);

    for (size_t i = 0; i < n; i++) {
        if (w->req != NULL) {
            http_send_blob(w->req, p[i].blob, p[i].off, p[i].len);
            continue;
        }
        if (w->ws != NULL)
            send_message(w, str_make(p[i].blob->data + p[i].off, p[i].len));
        blob_unref(p[i].blob);
    }
}

static size_t x_queued(struct exchange *x)
{
    struct ws_exchange *w = of(x);

    return w->req != NULL ? http_queued(w->req) : w->ws != NULL ? ws_queued(w->ws) : 0;
}

static void x_finish(struct ws_exchange *w, void (*finish)(struct http_req *req))
{
    if (w->ws != NULL) {
        ws_close(w->ws, 1000, "");               /* on_close frees */
    } else if (w->req != NULL) {
        finish(w->req);
        ws_exchange_free(w);
    }
}

static void x_end(struct exchange *x) { x_finish(of(x), http_end); }
static void x_cut(struct exchange *x) { x_finish(of(x), http_abort); }

static void x_messages(struct exchange *x, bool log)
{
    of(x)->messages = true;
    of(x)->log = log;
}

static struct stream *x_upgrade(struct exchange *x, const struct http_header *extra, size_t n_extra,
                                const struct stream_events *ev, void *arg)
{
    struct ws_exchange *w = of(x);
    struct stream *s = http_upgrade(w->req, extra, n_extra, ev, arg);

    ws_exchange_free(w);
    return s;
}

static const struct exchange_ops ops = {
    .respond = x_respond, .begin = x_begin, .send = x_send, .queued = x_queued, .end = x_end, .cut = x_cut,
    .messages = x_messages, .upgrade = x_upgrade,
};

/* ---- the beginning ------------------------------------------------------------------------------------ */

static void on_req_abort(struct http_req *req)
{
    struct ws_exchange *w = req->arg;

    tell_abort(w);
    ws_exchange_free(w);
}

static void on_req_drain(struct http_req *req)
{
    struct ws_exchange *w = req->arg;

    if (w->x.on_drain != NULL)
        w->x.on_drain(&w->x);
}

/* "a, base64url.bearer....TOKEN, b" -> "a, b"; the token becomes an Authorization header. */
static void split_protocols(struct arena *a, struct str list, struct http_header *protocol,
                            struct http_header *authorization)
{
    struct buf kept = BUF_INIT, token = BUF_INIT;
    struct str one;

    while (str_split(&list, ',', &one)) {
        one = str_trim(one);
        if (str_starts(one, str_of(bearer))) {
            if (base64_decode(&token, str_from(one, sizeof bearer - 1), true) == 0)
                authorization->value = arena_fmt(a, "Bearer %.*s", (int)token.n, token.p);
            buf_clear(&token);
            continue;
        }
        if (kept.n > 0)
            buf_z(&kept, ", ");
        buf_str_add(&kept, one);
    }
    protocol->value = arena_str(a, buf_str(&kept));
    buf_release(&kept);
    buf_release(&token);
}

static void copy_headers(struct ws_exchange *w, const struct http_req *req)
{
    struct http_header *h = arena_alloc(&w->arena, (req->n_headers + 1) * sizeof *h), token = { .value =
        { NULL, 0 } };
    bool authorized = http_header_get(req->headers, req->n_headers, "Authorization").n > 0;
    size_t n = 0;

    for (size_t i = 0; i < req->n_headers; i++) {
        h[n] = (struct http_header){ arena_str(&w->arena, req->headers[i].name),
                                     arena_str(&w->arena, req->headers[i].value) };
        if (str_ieq(h[n].name, STR("sec-websocket-protocol")))
            split_protocols(&w->arena, h[n].value, &h[n], &token);
        n += h[n].value.n > 0 || !str_ieq(h[n].name, STR("sec-websocket-protocol"));
    }
    if (token.value.n > 0 && !authorized)
        h[n++] = (struct http_header){ STR("Authorization"), token.value };
    w->x.headers = h;
    w->x.n_headers = n;
}

bool http_ws_asked(const struct http_req *req)
{
    return req->upgrade && str_is(req->method, "GET") &&
           http_list_has(http_header_get(req->headers, req->n_headers, "Upgrade"), "websocket");
}

struct exchange *http_ws_exchange(struct http_req *req)
{
    struct ws_exchange *w = mem_new(struct ws_exchange);
    struct exchange *x = &w->x;

    x->ops = &ops;
    x->loop = http_req_loop(req);
    x->arena = &w->arena;
    x->method = STR("GET");
    x->path = arena_str(&w->arena, req->path);
    x->query = arena_str(&w->arena, req->query);
    x->tls_peer = http_req_tls_peer(req);
    x->peer_addr = arena_cstr(&w->arena, str_of(http_req_peer_addr(req)));
    x->wants_upgrade = true;
    copy_headers(w, req);
    timer_init(&w->ping, x->loop, on_ping);
    ready_init(&w->failed, on_failed);
    w->req = req;
    req->arg = w;
    req->on_abort = on_req_abort;
    req->on_drain = on_req_drain;
    return x;
}
