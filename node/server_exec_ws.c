/* node/server_exec_ws.c: exec and attach over WebSocket: messages that begin with their channel.
 *
 *     0 stdin   1 stdout   2 stderr   3 how it ended   4 size of the terminal   255 (v5) this channel is
 * closed
 *
 * In the base64 forms messages are text: the channel is a digit, what follows is encoded. */
#include "node/server_exec_impl.h"

/* What a client may ask for, best first. */
static const struct exec_channels { const char *protocol; bool status, half_close, base64; } forms[] = {
    { "v5.channel.k8s.io", true, true, false },
    { "v4.channel.k8s.io", true, false, false },
    { "v4.base64.channel.k8s.io", true, false, true },
    { "v3.channel.k8s.io", false, false, false },
    { "v2.channel.k8s.io", false, false, false },
    { "channel.k8s.io", false, false, false },
    { "base64.channel.k8s.io", false, false, true },
};
static const struct exec_channels unnamed = { NULL, false, false, false };

/* ---- to the client ---------------------------------------------------------------------------- */

static void front_send(struct exec *e, unsigned channel, const void *p, size_t n)
{
    struct buf b = BUF_INIT;

    if (!e->channels->base64) {
        ws_send_channel(e->ws, (unsigned char)channel, p, n);
        return;
    }
    buf_char(&b, (char)('0' + channel));
    base64_encode(&b, str_make(p, n), false);
    ws_send(e->ws, true, b.p, b.n);
    buf_release(&b);
}

static size_t front_queued(const struct exec *e) { return ws_queued(e->ws); }
static void front_hold(struct exec *e, bool hold) { (hold ? ws_pause : ws_resume)(e->ws); }
static void front_ping(struct exec *e) { ws_ping(e->ws); }
static void front_close(struct exec *e) { ws_close(e->ws, 1001, "the session ends"); }

static void front_end(struct exec *e, struct str how)
{
    if (how.n > 0)
        front_send(e, CHANNEL_ERROR, how.p, how.n);
    ws_close(e->ws, 1000, "");
}

static const struct exec_front front = {
    .send = front_send, .queued = front_queued, .hold = front_hold, .end = front_end, .ping = front_ping,
    .close = front_close,
};

/* ---- from the client -------------------------------------------------------------------------- */

static void take(struct exec *e, unsigned channel, struct str data)
{
    if (channel == CHANNEL_STDIN)
        exec_take_stdin(e, data.p, data.n);
    else if (channel == CHANNEL_RESIZE)
        exec_take_resize(e, data);
    else if (channel == CHANNEL_CLOSE && e->channels->half_close && data.n == 1 && data.p[0] == CHANNEL_STDIN)
        exec_stdin_eof(e);
}                                                /* other channels are ours to write */

static void on_message(void *arg, struct ws *w, bool text, const char *p, size_t n)
{
    struct exec *e = arg;
    struct buf b = BUF_INIT;

    if (n == 0)
        return;
    if (!e->channels->base64)
        take(e, (unsigned char)p[0], str_make(p + 1, n - 1));
    else if (base64_decode(&b, str_make(p + 1, n - 1), false) == 0)
        take(e, (unsigned char)p[0] - (unsigned)'0', buf_str(&b));
    else
        ws_close(w, 1007, "a message that is not base64");
    buf_release(&b);
}

static void on_drain(void *arg, struct ws *w) { exec_on_drain(arg); }
static void on_close(void *arg, struct ws *w, int code, const char *reason) { exec_on_front_closed(arg); }
static const struct ws_events events = { .on_message = on_message, .on_drain = on_drain,
                                         .on_close = on_close };

/* An empty message on the lowest channel of ours says that the connection stands; clients of the first
 * protocols may wait for it.  Those of v5 do not, and some kubectl versions complain of it ("Unknown stream
 * id 1, discarding message"): they begin to read before they have made their streams. */
static void greet(struct exec *e)
{
    if (!e->channels->half_close)
        front_send(e, e->want_out ? CHANNEL_STDOUT : e->want_err ? CHANNEL_STDERR : CHANNEL_ERROR, "", 0);
}

/* A client that names no protocol speaks the first one. */
bool exec_accept_ws(struct exec *e, struct http_req *req)
{
    bool named = http_header_get(req->headers, req->n_headers, "Sec-WebSocket-Protocol").p != NULL;
    const char *protocols[ARRAY_LEN(forms)], *protocol = NULL, *reason;
    struct ws_accept_opts o = { .protocols = protocols, .n_protocols = named ? ARRAY_LEN(forms) : 0,
                                .max_message = SERVER_MESSAGE_MAX, .ev = &events, .arg = e };

    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        protocols[i] = forms[i].protocol;
    e->channels = &unnamed;
    e->ws = ws_accept(req, &o, &protocol, &reason);
    if (e->ws == NULL) {
        server_text(req, 400, "%s", reason);
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (protocol == forms[i].protocol)
            e->channels = &forms[i];
    e->status = e->channels->status;
    e->front = &front;
    greet(e);
    exec_begin(e);
    return true;
}
