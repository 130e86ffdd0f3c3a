/* node/server_exec_spdy.c: exec and attach over SPDY: the client opens a stream for each channel, named by
 * its streamType header; the process starts when all that the request promised are there.
 *
 * In the end our halves close and the client is left to hang up: what it has not read yet would be lost to
 * it if we did. */
#include "node/server_exec_impl.h"

#define STREAMS_MS 30000                         /* for the client to open them */

static const char *const stream_types[CHANNELS] = {
    [CHANNEL_STDIN] = "stdin", [CHANNEL_STDOUT] = "stdout", [CHANNEL_STDERR] = "stderr",
        [CHANNEL_ERROR] = "error",
    [CHANNEL_RESIZE] = "resize",
};
static const struct { const char *protocol; bool status, resize; } forms[] = {
    { "v4.channel.k8s.io", true, true },
    { "v3.channel.k8s.io", false, true },
    { "v2.channel.k8s.io", false, false },
    { "channel.k8s.io", false, false },
};

/* ---- to the client ---------------------------------------------------------------------------- */

static void front_send(struct exec *e, unsigned channel, const void *p, size_t n)
{
    if (e->streams[channel] != NULL)
        spdy_stream_send(e->streams[channel], p, n);
}

static size_t front_queued(const struct exec *e) { return spdy_queued(e->spdy); }
static void front_hold(struct exec *e, bool hold) { (hold ? spdy_pause : spdy_resume)(e->spdy); }
static void front_ping(struct exec *e) { spdy_ping(e->spdy); }
static void front_close(struct exec *e) { spdy_close(e->spdy); }

static void front_end(struct exec *e, struct str how)
{
    front_send(e, CHANNEL_ERROR, how.p, how.n);
    for (unsigned i = 0; i < CHANNELS; i++)
        if (e->streams[i] != NULL)
            spdy_stream_fin(e->streams[i]);
    spdy_goaway(e->spdy);
}

static const struct exec_front front = {
    .send = front_send, .queued = front_queued, .hold = front_hold, .end = front_end, .ping = front_ping,
    .close = front_close,
};

/* ---- from the client -------------------------------------------------------------------------- */

static unsigned channel_of(const struct exec *e, const struct spdy_stream *st)
{
    for (unsigned i = 0; i < CHANNELS; i++)
        if (e->streams[i] == st)
            return i;
    return CHANNELS;
}

static bool complete(const struct exec *e)
{
    for (unsigned i = 0; i < CHANNELS; i++)
        if (e->wanted[i] && e->streams[i] == NULL)
            return false;
    return true;
}

static void on_stream(void *arg, struct spdy_stream *st)
{
    struct exec *e = arg;
    struct str type = spdy_stream_header(st, "streamtype");

    for (unsigned i = 0; i < CHANNELS; i++)
        if (str_is(type, stream_types[i]) && e->wanted[i] && e->streams[i] == NULL) {
            e->streams[i] = st;
            spdy_stream_reply(st);
            if (complete(e)) {
                timer_stop(&e->patience);
                exec_begin(e);
            }
            return;
        }
    spdy_stream_free(st);
}

/* Sizes come as one JSON object after the other, cut anywhere. */
static void take_resize(struct exec *e, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (e->n_size == sizeof e->size)
            e->n_size = 0;                       /* no size is that long */
        e->size[e->n_size++] = p[i];
        if (p[i] != '}')
            continue;
        exec_take_resize(e, str_make(e->size, e->n_size));
        e->n_size = 0;
    }
}

static void on_data(void *arg, struct spdy_stream *st, const char *p, size_t n)
{
    struct exec *e = arg;
    unsigned channel = channel_of(e, st);

    if (channel == CHANNEL_STDIN)
        exec_take_stdin(e, p, n);
    else if (channel == CHANNEL_RESIZE)
        take_resize(e, p, n);
}

static void on_fin(void *arg, struct spdy_stream *st)
{
    if (channel_of(arg, st) == CHANNEL_STDIN)
        exec_stdin_eof(arg);
}

static void on_reset(void *arg, struct spdy_stream *st)
{
    struct exec *e = arg;
    unsigned channel = channel_of(e, st);

    if (channel == CHANNEL_STDIN)
        exec_stdin_eof(e);
    must(channel < CHANNELS);
    e->streams[channel] = NULL;
    e->wanted[channel] = false;                  /* it will not come again */
    spdy_stream_free(st);
}

/* The client opens no more, and that is how one says it has read all. */
static void on_goaway(void *arg, struct spdy *sp)
{
    struct exec *e = arg;

    if (e->session_done || !e->begun)
        spdy_close(sp);
}

static void on_drain(void *arg, struct spdy *sp) { exec_on_drain(arg); }

static void on_close(void *arg, struct spdy *sp, int err, const char *reason)
{
    struct exec *e = arg;

    timer_stop(&e->patience);
    exec_on_front_closed(e);
}

static const struct spdy_events events = {
    .on_stream = on_stream, .on_data = on_data, .on_fin = on_fin, .on_reset = on_reset,
        .on_goaway = on_goaway,
    .on_drain = on_drain, .on_close = on_close,
};

static void on_patience(struct timer *t)
{
    spdy_close(container_of(t, struct exec, patience)->spdy);
}

bool exec_accept_spdy(struct exec *e, struct http_req *req)
{
    const char *protocols[ARRAY_LEN(forms)], *protocol = NULL;
    struct spdy_accept_opts o = { .protocols = protocols, .n_protocols = ARRAY_LEN(forms), .ev = &events,
                                  .arg = e };
    struct loop *loop = http_req_loop(req);
    struct spdy_refusal why;
    size_t form = 0;

    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        protocols[i] = forms[i].protocol;
    e->spdy = spdy_accept(req, &o, &protocol, &why);
    if (e->spdy == NULL) {
        server_text(req, why.status, "%s", why.reason);
        return false;
    }
    while (forms[form].protocol != protocol)
        form++;
    e->front = &front;
    e->status = forms[form].status;
    e->wanted[CHANNEL_ERROR] = true;
    e->wanted[CHANNEL_STDIN] = e->s.want_stdin;
    e->wanted[CHANNEL_STDOUT] = e->want_out;
    e->wanted[CHANNEL_STDERR] = e->want_err;
    e->wanted[CHANNEL_RESIZE] = e->s.tty && forms[form].resize;
    timer_init(&e->patience, loop, on_patience);
    timer_start(&e->patience, STREAMS_MS);
    return true;
}
