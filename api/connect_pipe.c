/* api/connect_pipe.c: exec and attach: a WebSocket handed through to the node.
 *
 * The node is asked first, with the client's own handshake; only its verified 101 makes us answer 101 and
 * become a pipe.  Any other answer is passed on as an error and the connection to the node is dropped: a
 * backend that refuses an upgrade never gets to talk to the client, nor the client to it. */
#include "api/answer.h"
#include "api/connect.h"
#include "net/ws.h"

/* waiting for the node's answer; outlives its call if it must */
struct dial {
    struct api *api;
    struct call *call;                           /* NULL: the client went away */
    struct http_client *node;
    char accept[29];
};

struct pipe_end { struct pipe *pipe; struct stream *s; bool paused; };
struct pipe {
    struct qlink link;                           /* api->pipes */
    struct api *api;
    struct pipe_end client, node;
};

/* ---- Piping ------------------------------------------------------------------------------------------ */

static struct pipe_end *other_end(struct pipe_end *e)
{
    return e == &e->pipe->client ? &e->pipe->node : &e->pipe->client;
}

static void end_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct pipe_end *e = arg, *to = other_end(e);

    if (to->s == NULL)
        return;
    stream_write(to->s, p, n);
    if (!e->paused && stream_queued(to->s) > CONNECT_QUEUE_MAX) {
        e->paused = true;
        stream_pause(s);
    }
}

static void end_on_drain(void *arg, struct stream *s)
{
    struct pipe_end *from = other_end(arg);

    (void)s;
    if (from->paused && from->s != NULL)
        stream_resume(from->s);
    from->paused = false;
}

static void end_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct pipe_end *e = arg, *to = other_end(e);
    struct pipe     *p = e->pipe;
    struct api      *api = p->api;

    (void)s;
    (void)err;
    (void)reason;
    e->s = NULL;
    if (to->s != NULL) {
        stream_close_after_flush(to->s);
        return;
    }
    qdel(&p->link);
    mem_free(p);
    api_unpin(api);
}

static const struct stream_events end_events =
    { .on_data = end_on_data, .on_drain = end_on_drain, .on_close = end_on_close };

void connect_close_all(struct api *a)
{
    qeach(&a->pipes, it, next) {
        struct pipe *p = container_of(it, struct pipe, link);

        if (p->client.s != NULL)
            stream_close(p->client.s);
        if (p->node.s != NULL)
            stream_close(p->node.s);
    }
}

/* ---- Dialling ---------------------------------------------------------------------------------------- */

static void dial_free(struct dial *d)
{
    struct api *api = d->api;

    if (d->node != NULL)
        http_client_free(d->node);
    mem_free(d);
    api_unpin(api);
}

static void dial_cancel(struct call *c)
{
    struct dial *d = c->state;

    d->call = NULL;
    if (d->node != NULL)
        http_client_free(d->node);               /* its call ends with E_CANCELED, which frees the dial */
    d->node = NULL;
}

static void refused(struct call *c, int err, const char *reason, int status, struct str body)
{
    struct json_error why;
    struct json      *obj;
    struct str        message = str_trim(body);

    if (err != 0) {
        call_fail(c, 500, REASON_INTERNAL, "Internal error occurred: error dialing backend: %s", reason);
        return;
    }
    if (json_parse(c->arena, body, &obj, &why) == 0 && json_path_str(obj, "message").n > 0)
        message = json_path_str(obj, "message");
    if (status < 400)                            /* a redirect is not followed, a 200 is no upgrade */
        status = 502;
    call_fail(c, status, status_reason_of(status), "unable to upgrade connection: %.*s", STR_ARG(message));
}

static size_t copy_header(struct http_header *to, size_t n, struct arena *a, const struct http_header *h,
                          size_t nh, const char *name)
{
    struct str v = http_header_get(h, nh, name);

    if (v.n == 0)
        return n;
    to[n] = (struct http_header){ str_of(name), arena_str(a, v) };
    return n + 1;
}

/* Both sides have agreed: from here on bytes. */
static void start_pipe(struct call *c, struct stream *s, const struct http_header *h, size_t nh)
{
    struct exchange   *x = c->x;
    struct pipe       *p = mem_new(struct pipe);
    struct http_header extra[4];
    size_t             n = 0;

    p->api = c->api;
    p->client.pipe = p->node.pipe = p;
    p->node.s = s;
    api_pin(p->api);
    qpush(&p->api->pipes, &p->link);
    extra[n++] = (struct http_header){ STR("Upgrade"), STR("websocket") };
    extra[n++] = (struct http_header){ STR("Connection"), STR("Upgrade") };
    n = copy_header(extra, n, c->arena, h, nh, "Sec-WebSocket-Accept");
    n = copy_header(extra, n, c->arena, h, nh, "Sec-WebSocket-Protocol");
    stream_set_events(s, &end_events, &p->node);
    metrics_count(&c->api->metrics, c->rq.verb, 101, 0);
    c->cancel = NULL;
    call_release(c);
    p->client.s = x->ops->upgrade(x, extra, n, &end_events, &p->client);
    if (p->client.s == NULL)
        stream_close(s);
}

static void on_dialed(void *arg, int err, const char *reason, int status, const struct http_header *h,
                      size_t n, struct str body,
                      struct stream *s)
{
    struct dial *d = arg;
    struct call *c = d->call;

    if (c != NULL && err == 0 && status == 101 && s != NULL &&
        str_is(http_header_get(h, n, "Sec-WebSocket-Accept"), d->accept)) {
        start_pipe(c, s, h, n);
    } else {
        if (s != NULL)
            stream_close(s);                     /* events stay the client's: it frees what it gave */
        if (c != NULL) {
            c->cancel = NULL;
            if (status == 101)
                call_fail(c, 502, REASON_INTERNAL,
                          "unable to upgrade connection: the node's handshake is wrong");
            else
                refused(c, err, reason, status, body);
        }
    }
    dial_free(d);
}

static int dial(struct call *c, struct dial *d, struct str target, struct str key, struct errbuf *err)
{
    struct http_header h[5];
    size_t             n = 0;
    struct http_upgrade_opts o = { .method = "GET", .target = target, .headers = h, .on_done = on_dialed,
                                   .arg = d };

    h[n++] = (struct http_header){ STR("Upgrade"), STR("websocket") };
    h[n++] = (struct http_header){ STR("Sec-WebSocket-Key"), key };
    h[n++] = (struct http_header){ STR("Sec-WebSocket-Version"), STR("13") };
    if (exchange_header(c->x, "Sec-WebSocket-Protocol").n > 0)
        h[n++] = (struct http_header){ STR("Sec-WebSocket-Protocol"),
                                       exchange_header(c->x, "Sec-WebSocket-Protocol") };
    o.n_headers = n;
    return http_client_upgrade(d->node, &o, err);
}

void connect_upgrade(struct call *c, struct http_client *node, struct str target)
{
    struct dial  *d = mem_new(struct dial);
    struct str    key = exchange_header(c->x, "Sec-WebSocket-Key");
    struct errbuf err;

    d->api = c->api;
    d->call = c;
    d->node = node;
    api_pin(c->api);
    ws_accept_key(key, d->accept);
    if (key.n != 24 || !str_is(exchange_header(c->x, "Sec-WebSocket-Version"), "13")) {
        dial_free(d);
        call_bad_request(c, "a WebSocket handshake needs Sec-WebSocket-Key and Sec-WebSocket-Version: 13");
        return;
    }
    if (dial(c, d, target, key, &err) < 0) {
        dial_free(d);
        call_fail(c, 500, REASON_INTERNAL, "Internal error occurred: error dialing backend: %s", err.s);
        return;
    }
    c->state = d;
    c->cancel = dial_cancel;
}
