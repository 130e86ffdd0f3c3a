/* node/server_forward_ws.c: port-forward over WebSocket with ?port=N,M: channel 2i carries the bytes of the
 * i-th port, channel 2i+1 what went wrong.  The first message on each of ours is the port (two bytes,
 * little-endian). */
#include "node/server_forward_impl.h"

#define PORTS_MAX 100

static const char *const protocols[] = { "v4.channel.k8s.io", "v4.base64.channel.k8s.io" };

/* ---- to the client ---------------------------------------------------------------------------- */

static void send_channel(struct forward *f, unsigned channel, const void *p, size_t n)
{
    struct buf b = BUF_INIT;

    if (!f->base64) {
        ws_send_channel(f->ws, (unsigned char)channel, p, n);
        return;
    }
    buf_char(&b, (char)('0' + channel));
    base64_encode(&b, str_make(p, n), false);
    ws_send(f->ws, true, b.p, b.n);
    buf_release(&b);
}

static void front_send(struct forward_conn *c, const char *p, size_t n)
{
    send_channel(c->forward, c->channel, p, n);
}

/* No message says that one side of a channel ended: with the pod's end the connection is over. */
static void front_fin(struct forward_conn *c) { forward_fin(c); }

static void front_fail(struct forward_conn *c, struct str why)
{
    send_channel(c->forward, c->channel + 1, why.p, why.n);
}

static void front_end(struct forward_conn *c)
{
    struct forward *f = c->forward;

    f->ports[c->channel / 2] = NULL;
    if (++f->n_over == f->n_ports)
        ws_close(f->ws, 1000, "");
}

static size_t front_queued(const struct forward *f) { return ws_queued(f->ws); }
static void front_hold(struct forward *f, bool hold) { (hold ? ws_pause : ws_resume)(f->ws); }
static void front_ping(struct forward *f) { ws_ping(f->ws); }
static void front_close(struct forward *f) { ws_close(f->ws, 1001, "the session ends"); }

static const struct forward_front front = {
    .send = front_send, .fin = front_fin, .fail = front_fail, .end = front_end, .queued = front_queued,
    .hold = front_hold, .ping = front_ping, .close = front_close,
};

/* ---- from the client -------------------------------------------------------------------------- */

static void take(struct forward *f, unsigned channel, struct str data)
{
    if (channel % 2 == 0 && channel / 2 < f->n_ports && f->ports[channel / 2] != NULL)
        forward_take(f->ports[channel / 2], data.p, data.n);
}

static void on_message(void *arg, struct ws *w, bool text, const char *p, size_t n)
{
    struct forward *f = arg;
    struct buf b = BUF_INIT;

    if (n == 0)
        return;
    if (!f->base64)
        take(f, (unsigned char)p[0], str_make(p + 1, n - 1));
    else if (base64_decode(&b, str_make(p + 1, n - 1), false) == 0)
        take(f, (unsigned char)p[0] - (unsigned)'0', buf_str(&b));
    else
        ws_close(w, 1007, "a message that is not base64");
    buf_release(&b);
}

static void on_drain(void *arg, struct ws *w) { forward_on_drain(arg); }
static void on_close(void *arg, struct ws *w, int code, const char *reason) { forward_on_front_closed(arg); }
static const struct ws_events events = { .on_message = on_message, .on_drain = on_drain,
                                         .on_close = on_close };

/* ---- the beginning ------------------------------------------------------------------------------ */

/* "80", "80,443", several parameters.  NULL: fine. */
static const char *read_ports(struct http_req *req, uint16_t *ports, size_t *n)
{
    struct str rest = req->query, list, one;
    uint64_t v;

    *n = 0;
    while (server_param(req, &rest, "port", &list))
        while (str_split(&list, ',', &one)) {
            if (!str_u64(one, &v) || v < 1 || v > UINT16_MAX)
                return "a port must be a number between 1 and 65535";
            if (*n == PORTS_MAX)
                return "too many ports";
            ports[(*n)++] = (uint16_t)v;
        }
    return *n > 0 ? NULL : "query parameter \"port\" is required";
}

static void begin(struct forward *f, const uint16_t *ports)
{
    for (size_t i = 0; i < f->n_ports; i++) {
        unsigned char prefix[2] = { (unsigned char)ports[i], (unsigned char)(ports[i] >> 8) };
        struct forward_conn *c = f->ports[i] = forward_conn_new(f, ports[i]);
        c->channel = (unsigned)i * 2;
        send_channel(f, c->channel, prefix, 2);
        send_channel(f, c->channel + 1, prefix, 2);
        forward_start(c);
    }
}

bool forward_accept_ws(struct forward *f, struct http_req *req)
{
    bool named = http_header_get(req->headers, req->n_headers, "Sec-WebSocket-Protocol").p != NULL;
    struct ws_accept_opts o = { .protocols = protocols, .n_protocols = named ? ARRAY_LEN(protocols) : 0,
                                .max_message = SERVER_MESSAGE_MAX, .ev = &events, .arg = f };
    const char *protocol = NULL, *reason;
    uint16_t ports[PORTS_MAX];

    reason = read_ports(req, ports, &f->n_ports);
    if (reason == NULL)
        f->ws = ws_accept(req, &o, &protocol, &reason);
    if (f->ws == NULL) {
        server_text(req, 400, "%s", reason);
        return false;
    }
    f->base64 = protocol == protocols[1];
    f->ports = mem_zalloc(f->n_ports * sizeof(struct forward_conn *));
    f->front = &front;
    begin(f, ports);
    return true;
}
