/* api/connect_pipe.c: exec, attach, port-forward and upgrades through the proxy: a connection handed through.
 *
 * The backend is asked first, with the client's own handshake; only its verified 101 makes us answer 101 and
 * become a pipe.  Any other answer is passed on and the connection to the backend is dropped: a backend
 * that refuses an upgrade never gets to talk to the client, nor the client to it. */
#include "api/answer.h"
#include "api/connect.h"
#include "api/json.h"
#include "net/http_wire.h"
#include "net/pipe.h"
#include "net/ws.h"

/* waiting for the backend's answer; outlives its call if it must */
struct dial {
    struct api *api;
    struct call *call;                           /* NULL: the client went away */
    struct http_client *backend;
    void (*refused)(struct call *c, const struct connect_refusal *r);
    struct str protocol;                         /* what was asked for; in the call's arena */
    char accept[29];                             /* WebSocket's; "" for others */
};

void connect_close_all(struct api *a)
{
    pipe_close_all(&a->pipes);
}

static void dial_free(struct dial *d)
{
    struct api *api = d->api;

    if (d->backend != NULL)
        http_client_free(d->backend);
    mem_free(d);
    api_unpin(api);
}

static void dial_cancel(struct call *c)
{
    struct dial *d = c->state;

    d->call = NULL;
    if (d->backend != NULL)
        http_client_free(d->backend);            /* its call ends with E_CANCELED, which frees the dial */
    d->backend = NULL;
}

/* ---- Agreed ------------------------------------------------------------------------------------------ */

static void on_pipe_end(void *arg) { api_unpin(arg); }

/* What a 101 says to the client; the server adds Connection. */
static size_t answer_headers(struct http_header *to, size_t max, struct arena *a, const struct http_header *h,
                             size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n && kept < max; i++)
        if (str_ieq(h[i].name, STR("upgrade")) || !connect_is_hop(h, n, h[i].name))
            to[kept++] = (struct http_header){ arena_str(a, h[i].name), arena_str(a, h[i].value) };
    return kept;
}

/* Both sides have agreed: from here on bytes. */
static void start_pipe(struct call *c, struct stream *backend, const struct http_header *h, size_t nh)
{
    struct exchange   *x = c->x;
    struct api        *api = c->api;
    struct http_header extra[CONNECT_HEADERS_MAX];
    size_t             n = answer_headers(extra, ARRAY_LEN(extra), c->arena, h, nh);
    struct stream     *client;

    metrics_count(c, 101, 0);
    audit_started(c, 101);
    audit_ended(c, 101, NULL, 0);
    c->cancel = NULL;
    call_release(c);
    client = x->ops->upgrade(x, extra, n, NULL, NULL);
    if (client == NULL) {
        stream_close(backend);
        return;
    }
    api_pin(api);
    pipe_start(client, backend, &api->pipes, on_pipe_end, api);
}

static bool verified(const struct dial *d, const struct http_header *h, size_t n)
{
    return str_ieq(http_header_get(h, n, "Upgrade"), d->protocol) &&
           http_list_has(http_header_get(h, n, "Connection"), "upgrade") &&
           (d->accept[0] == '\0' || str_is(http_header_get(h, n, "Sec-WebSocket-Accept"), d->accept));
}

static void on_dialed(void *arg, int err, const char *reason, int status, const struct http_header *h,
                      size_t n, struct str body, struct stream *s)
{
    struct dial *d = arg;
    struct call *c = d->call;

    if (c != NULL && err == 0 && status == 101 && s != NULL && verified(d, h, n)) {
        start_pipe(c, s, h, n);
    } else {
        if (s != NULL)
            stream_close(s);                     /* events stay the client's: it frees what it gave */
        if (c != NULL) {
            c->cancel = NULL;
            if (status == 101)
                call_fail(c, 502, REASON_INTERNAL,
                          "unable to upgrade connection: the backend's handshake is wrong");
            else
                d->refused(c, &(struct connect_refusal){ err, reason, status, h, n, body });
        }
    }
    dial_free(d);
}

/* ---- Dialling ---------------------------------------------------------------------------------------- */

/* What is wrong with the client's handshake; NULL: nothing. */
static const char *handshake_judge(struct call *c, struct dial *d)
{
    struct str key = exchange_header(c->x, "Sec-WebSocket-Key");

    if (!http_list_has(d->protocol, "websocket"))
        return NULL;
    if (key.n != 24 || !str_is(exchange_header(c->x, "Sec-WebSocket-Version"), "13"))
        return "a WebSocket handshake needs Sec-WebSocket-Key and Sec-WebSocket-Version: 13";
    ws_accept_key(key, d->accept);
    return NULL;
}

void connect_upgrade(struct call *c, const struct connect_upgrade_opts *o)
{
    struct dial  *d = mem_new(struct dial);
    struct errbuf err;
    const char   *bad;
    struct http_upgrade_opts uo = { .method = arena_cstr(c->arena, c->x->method), .target = o->target,
                                    .headers = o->headers, .n_headers = o->n_headers, .on_done = on_dialed,
                                    .arg = d };

    d->api = c->api;
    d->call = c;
    d->backend = o->backend;
    d->refused = o->refused;
    d->protocol = str_trim(exchange_header(c->x, "Upgrade"));
    api_pin(c->api);
    bad = handshake_judge(c, d);
    if (bad != NULL) {
        dial_free(d);
        call_bad_request(c, "%s", bad);
        return;
    }
    if (http_client_upgrade(d->backend, &uo, &err) < 0) {
        dial_free(d);
        o->refused(c, &(struct connect_refusal){ .err = E_INVALID, .reason = err.s });
        return;
    }
    c->state = d;
    c->cancel = dial_cancel;
}

/* ---- To a node: the client's handshake and nothing else of its headers -------------------------------- */

static void node_refused(struct call *c, const struct connect_refusal *r)
{
    struct json_error why;
    struct json      *obj;
    struct str        message = str_trim(r->body);
    int               status = r->status;

    if (r->err != 0) {
        call_fail(c, 500, REASON_INTERNAL, "Internal error occurred: error dialing backend: %s", r->reason);
        return;
    }
    if (json_parse(c->arena, r->body, &obj, &why) == 0 && json_path_str(obj, "message").n > 0)
        message = json_path_str(obj, "message");
    if (status < 400)                            /* a redirect is not followed, a 200 is no upgrade */
        status = 502;
    call_fail(c, status, status_reason_of(status), "unable to upgrade connection: %.*s", STR_ARG(message));
}

void connect_upgrade_node(struct call *c, struct http_client *node, struct str target)
{
    static const char *const names[] = { "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
                                         "Sec-WebSocket-Protocol", "X-Stream-Protocol-Version" };
    struct http_header h[CONNECT_HEADERS_MAX];
    struct connect_upgrade_opts o = { .backend = node, .target = target, .headers = h,
                                      .refused = node_refused };

    for (size_t i = 0; i < c->x->n_headers; i++)
        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            if (str_ieq(c->x->headers[i].name, str_of(names[k])) && o.n_headers < ARRAY_LEN(h))
                h[o.n_headers++] = (struct http_header){ str_of(names[k]), c->x->headers[i].value };
    connect_upgrade(c, &o);
}
