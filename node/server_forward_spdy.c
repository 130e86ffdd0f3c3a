/* node/server_forward_spdy.c: port-forward over SPDY, straight or tunnelled in a WebSocket: for every
 * connection the client opens an error and a data stream with the same requestID. */
#include <stdio.h>
#include "node/server_forward_impl.h"

#define PAIR_MS 30000                            /* for the second stream of a pair */

const char forward_tunnel[] = "SPDY/3.1+portforward.k8s.io";

/* ---- to the client ---------------------------------------------------------------------------- */

static void front_send(struct forward_conn *c, const char *p, size_t n)
{
    if (c->data != NULL)
        spdy_stream_send(c->data, p, n);
}

/* The pod sends no more, so nothing can go wrong any more that were worth telling: clients wait for both to
 * end. */
static void front_fin(struct forward_conn *c)
{
    if (c->data != NULL)
        spdy_stream_fin(c->data);
    if (c->error != NULL)
        spdy_stream_fin(c->error);
}

static void front_fail(struct forward_conn *c, struct str why)
{
    if (c->error != NULL)
        spdy_stream_send(c->error, why.p, why.n);
    front_fin(c);
}

static void front_end(struct forward_conn *c)
{
    front_fin(c);
    if (c->data != NULL)
        spdy_stream_free(c->data);
    if (c->error != NULL)
        spdy_stream_free(c->error);
}

static size_t front_queued(const struct forward *f) { return spdy_queued(f->spdy); }
static void front_hold(struct forward *f, bool hold) { (hold ? spdy_pause : spdy_resume)(f->spdy); }
static void front_ping(struct forward *f) { spdy_ping(f->spdy); }
static void front_close(struct forward *f) { spdy_close(f->spdy); }

static const struct forward_front front = {
    .send = front_send, .fin = front_fin, .fail = front_fail, .end = front_end, .queued = front_queued,
    .hold = front_hold, .ping = front_ping, .close = front_close,
};

/* ---- pairs -------------------------------------------------------------------------------------- */

static void half_drop(struct forward_conn *c)
{
    timer_stop(&c->patience);
    qdel(&c->link);
    front_end(c);
    forward_conn_free(c);
}

static void on_patience(struct timer *t)
{
    struct forward_conn *c = container_of(t, struct forward_conn, patience);
    char why[80];

    snprintf(why, sizeof why, "(request=%.30s) timed out waiting for streams", c->request);
    front_fail(c, str_of(why));
    half_drop(c);
}

static struct forward_conn *half_of(struct forward *f, const char *request, uint16_t port)
{
    qeach(&f->halves, it, next) {
        struct forward_conn *c = qentry(it, struct forward_conn, link);
        if (strcmp(c->request, request) == 0)
            return c;
    }
    struct forward_conn *c = forward_conn_new(f, port);
    c->request = mem_strdup(request);
    timer_init(&c->patience, f->loop, on_patience);
    timer_start(&c->patience, PAIR_MS);
    qpush(&f->halves, &c->link);
    return c;
}

/* Clients that name no request open the error stream first and the data stream next. */
static void request_of(const struct spdy_stream *st, bool data, char *ret, size_t size)
{
    struct str id = spdy_stream_header(st, "requestid");

    if (id.n > 0)
        snprintf(ret, size, "%.*s", STR_ARG(id));
    else
        snprintf(ret, size, "stream %u", spdy_stream_id(st) - (data ? 2 : 0));
}

static void on_stream(void *arg, struct spdy_stream *st)
{
    struct forward *f = arg;
    struct str type = spdy_stream_header(st, "streamtype");
    bool data = str_is(type, "data");
    struct forward_conn *c;
    uint64_t port;
    char request[256];

    if (!str_u64(spdy_stream_header(st, "port"), &port) || port < 1 || port > UINT16_MAX ||
        (!data && !str_is(type, "error"))) {
        spdy_stream_free(st);
        return;
    }
    request_of(st, data, request, sizeof request);
    c = half_of(f, request, (uint16_t)port);
    struct spdy_stream **place = data ? &c->data : &c->error;
    if (*place != NULL) {
        spdy_stream_free(st);
        return;
    }
    *place = st;
    spdy_stream_set(st, c);
    spdy_stream_reply(st);
    if (data)
        c->port = (uint16_t)port;
    if (c->data == NULL || c->error == NULL)
        return;
    timer_stop(&c->patience);
    qdel(&c->link);
    forward_start(c);
}

/* ---- from the client -------------------------------------------------------------------------- */

static void on_data(void *arg, struct spdy_stream *st, const char *p, size_t n)
{
    struct forward_conn *c = spdy_stream_get(st);

    if (st != c->data)
        return;
    forward_take(c, p, n);
    if (!c->started && c->early.n > SERVER_QUEUE_MAX)
        half_drop(c);                            /* so much, and still no error stream */
}

static void on_fin(void *arg, struct spdy_stream *st)
{
    struct forward_conn *c = spdy_stream_get(st);

    if (st == c->data)
        forward_fin(c);
}

static void on_reset(void *arg, struct spdy_stream *st)
{
    struct forward_conn *c = spdy_stream_get(st);
    bool data = st == c->data;

    *(data ? &c->data : &c->error) = NULL;
    spdy_stream_free(st);
    if (!c->started)
        half_drop(c);
    else if (data)
        forward_abort(c);
}

static void on_drain(void *arg, struct spdy *sp) { forward_on_drain(arg); }

static void on_close(void *arg, struct spdy *sp, int err, const char *reason)
{
    struct forward *f = arg;

    while (!qempty(&f->halves)) {                /* their streams go with the session */
        struct forward_conn *c = qentry(qpop(&f->halves), struct forward_conn, link);
        timer_stop(&c->patience);
        forward_conn_free(c);
    }
    forward_on_front_closed(f);
}

static const struct spdy_events events = {
    .on_stream = on_stream, .on_data = on_data, .on_fin = on_fin, .on_reset = on_reset, .on_drain = on_drain,
    .on_close = on_close,
};

bool forward_accept_spdy(struct forward *f, struct http_req *req)
{
    static const char *const protocols[] = { "portforward.k8s.io" };
    struct spdy_accept_opts o = { .protocols = protocols, .n_protocols = 1, .tunnel = forward_tunnel,
                                  .ev = &events, .arg = f };
    const char *protocol;
    struct spdy_refusal why;

    f->spdy = spdy_accept(req, &o, &protocol, &why);
    if (f->spdy == NULL) {
        server_text(req, why.status, "%s", why.reason);
        return false;
    }
    f->front = &front;
    return true;
}
