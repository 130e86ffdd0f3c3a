/* net/http2_client.c: the client's connections of HTTP/2 and the calls on their streams; see
 * net/http_client_impl.h.
 *
 * A call waits until a connection has room for it; a connection that cannot be made moves all that wait to
 * the next endpoint.  An asking outlives its call: it goes when nghttp2 is done with its stream. */
#include "net/http_client_impl.h"

struct h2_client_conn {
    struct h2_link link;
    struct http_client *client;
    struct stream *s;                            /* until it is open */
    size_t endpoint;
    struct qlink at;                             /* client->h2_conns */
    struct timer idle;
    bool open, dead;
    unsigned n_asking;                           /* pins, with the stream */
};

struct h2_asking {
    struct h2_chan chan;
    struct h2_client_conn *conn;
    struct http_call *call;                      /* NULL: over, or given up */
    unsigned interim;
    size_t cap_headers;
    bool in_answer, in_trailers;
};

static struct h2_client_conn *link_conn(struct h2_link *k)
{
    return container_of(k, struct h2_client_conn, link);
}

static struct h2_asking *chan_asking(struct h2_chan *ch)
{
    return container_of(ch, struct h2_asking, chan);
}

/* ---- ends --------------------------------------------------------------------------------------- */

static void conn_unpin(struct h2_client_conn *c)
{
    struct http_client *client = c->client;

    if (!c->dead || c->n_asking > 0)
        return;
    timer_stop(&c->idle);
    mem_free(c);
    client__unpin(client);
}

/* The call leaves its stream, which goes on alone until it is closed. */
static struct http_call *asking_detach(struct h2_asking *a)
{
    struct http_call *call = a->call;

    a->call = NULL;
    if (call != NULL)
        call->asking = NULL;
    if (a->chan.paused)
        chan_pause(&a->chan, false);
    return call;
}

void h2_call__unbind(struct http_call *call)
{
    struct h2_asking *a = call->asking;

    asking_detach(a);
    chan_reset(&a->chan, NGHTTP2_CANCEL);
}

static void asking_finish(struct h2_asking *a, int err, const char *reason)
{
    struct http_call *call = asking_detach(a);

    if (err != 0 || !a->chan.ended)
        chan_reset(&a->chan, NGHTTP2_CANCEL);
    if (call != NULL)
        call__finish(call, err, reason);
}

/* ---- answers ------------------------------------------------------------------------------------ */

static struct h2_chan *client_on_begin(struct h2_link *k, struct h2_chan *ch)
{
    struct h2_asking *a = ch != NULL ? chan_asking(ch) : NULL;

    if (a == NULL || a->call == NULL)
        return ch;
    a->in_trailers = a->in_answer;
    a->cap_headers = 0;
    if (!a->in_answer)
        a->call->n_headers = 0;
    return ch;
}

static void call_add_header(struct h2_asking *a, struct http_header **list, size_t *n,
                            struct str name, struct str value)
{
    struct arena *arena = &a->call->arena;

    if (*n == HTTP_MAX_HEADERS) {
        a->chan.refused = true;
        return;
    }
    if (*n == a->cap_headers) {
        struct http_header *grown;
        a->cap_headers = MAX_OF(2 * a->cap_headers, (size_t)8);
        grown = arena_alloc(arena, a->cap_headers * sizeof *grown);
        if (*n > 0)
            memcpy(grown, *list, *n * sizeof *grown);
        *list = grown;
    }
    (*list)[(*n)++] = (struct http_header){ arena_str(arena, name), arena_str(arena, value) };
}

static void client_on_header(struct h2_chan *ch, struct str name, struct str value)
{
    struct h2_asking *a = chan_asking(ch);
    struct http_call *call = a->call;
    uint64_t status;

    if (call == NULL)
        return;
    if (a->in_trailers)
        call_add_header(a, &call->trailers, &call->n_trailers, name, value);
    else if (!str_is(name, ":status"))
        call_add_header(a, &call->headers, &call->n_headers, name, value);
    else if (str_u64(value, &status) && status >= 100 && status <= 999)
        call->status = (int)status;
}

static void client_on_head(struct h2_chan *ch, bool end)
{
    struct h2_asking *a = chan_asking(ch);
    struct http_call *call = a->call;

    if (call == NULL || a->in_trailers)
        return;
    if (ch->refused) {
        asking_finish(a, E_TOOBIG, "the answer's head is too large");
        return;
    }
    if (call->status < 200) {                    /* the real one follows */
        if (call->status < 100 || call->status == 101 || ++a->interim > CLIENT_INTERIM_MAX)
            asking_finish(a, E_INVALID, "the answer's status makes no sense");
        return;
    }
    a->in_answer = true;
    if (call->on_head != NULL)
        call->on_head(call->arg, call, call->status, call->headers, call->n_headers);
}

static void client_on_data(struct h2_chan *ch, struct str data)
{
    struct h2_asking *a = chan_asking(ch);
    struct http_call *call = a->call;

    if (call == NULL || data.n == 0)
        return;
    if (call->streamed)
        call->on_data(call->arg, call, data.p, data.n);
    else if (data.n > call->max_body - call->answer.n)
        asking_finish(a, E_TOOBIG, "the answer is too large");
    else
        buf_str_add(&call->answer, data);
}

static void client_on_end(struct h2_chan *ch)
{
    struct h2_asking *a = chan_asking(ch);

    if (a->in_answer)
        asking_finish(a, 0, "");
    else
        asking_finish(a, E_INVALID, "the answer has no head");
}

static void client_on_room(struct h2_chan *ch)
{
    struct http_call *call = chan_asking(ch)->call;

    if (call != NULL && call->on_drain != NULL)
        call->on_drain(call->arg, call);
}

/* A call that the server did not look at starts again elsewhere, if it still has what it sent. */
static bool call_may_retry(struct http_call *call, uint32_t code)
{
    return code == NGHTTP2_REFUSED_STREAM && !call->body_follows && ++call->tried <= call->client->n_addrs;
}

static void asking_lost(struct http_call *call, uint32_t code)
{
    struct errbuf err;

    if (call_may_retry(call, code)) {
        call->status = 0;
        call->n_headers = 0;
        call__start(call);
        return;
    }
    err_set(&err, E_CLOSED, "the server ended the stream: %s", nghttp2_http2_strerror(code));
    call__finish(call, E_CLOSED, err.s);
}

static void client_on_closed(struct h2_chan *ch, uint32_t code)
{
    struct h2_asking *a = chan_asking(ch);
    struct h2_client_conn *c = a->conn;
    struct http_call *call = asking_detach(a);

    if (call != NULL)
        asking_lost(call, code);
    chan_release(ch);
    h2_pool_free(&c->client->h2_pool, a);
    c->n_asking--;
    conn_unpin(c);
}

/* ---- connections -------------------------------------------------------------------------------- */

static bool conn_is_leaving(const struct h2_client_conn *c)
{
    return c->link.ending || c->link.goaway_seen;
}

static bool conn_may_ask(const struct h2_client_conn *c)
{
    if (!c->open || conn_is_leaving(c))
        return false;
    return c->link.n_chans <
           nghttp2_session_get_remote_settings(c->link.ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

/* More may come: a connection is free, or there may be one more, which then connects. */
bool h2_client__has_room(struct http_client *client)
{
    size_t n = 0;

    qeach(&client->h2_conns, it, tmp) {
        struct h2_client_conn *c = qentry(it, struct h2_client_conn, at);
        if (!c->open || conn_may_ask(c))
            return c->open;
        n += !conn_is_leaving(c);
    }
    return n < client->max_conns;
}

static void client_on_settled(struct h2_link *k)
{
    struct h2_client_conn *c = link_conn(k);

    if (k->s == NULL)
        return;
    if (k->n_chans == 0 && (k->goaway_seen || k->ending))
        link_close(k);
    else if (k->n_chans == 0 && !timer_active(&c->idle))
        timer_start(&c->idle, c->client->idle_ms);
    client__serve_waiting(c->client);
}

static void conn_gone(struct h2_client_conn *c)
{
    c->dead = true;
    qdel(&c->at);
}

static void client_on_dead(struct h2_link *k, int err, const char *reason)
{
    struct h2_client_conn *c = link_conn(k);

    link_release(k);
    conn_gone(c);
    client__serve_waiting(c->client);
    conn_unpin(c);
}

static const struct h2_events client_link_events = {
    .on_begin = client_on_begin, .on_header = client_on_header, .on_head = client_on_head,
    .on_data = client_on_data, .on_end = client_on_end, .on_room = client_on_room,
    .on_closed = client_on_closed, .on_settled = client_on_settled, .on_dead = client_on_dead,
};

static void conn_on_open(void *arg, struct stream *s)
{
    struct h2_client_conn *c = arg;
    struct h2_link_opts o = { .server = false, .pool = &c->client->h2_pool };

    if (c->client->tls != NULL && strcmp(stream_alpn(s), "h2") != 0) {
        stream_close(s);                         /* conn_on_close() goes on to the next endpoint */
        return;
    }
    c->s = NULL;
    c->open = true;
    c->client->h2_failed = 0;
    link_open(&c->link, s, &o, &client_link_events);
    client__serve_waiting(c->client);
}

/* It never opened: the next endpoint, unless all have failed in a row. */
static void conn_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct h2_client_conn *c = arg;
    struct http_client *client = c->client;

    conn_gone(c);
    client->at = (client->at + 1) % client->n_addrs;
    if (++client->h2_failed >= client->n_addrs) {
        struct qlink batch;
        qmove(&client->waiting, &batch);
        client->h2_failed = 0;
        while (!qempty(&batch))
            call__finish(qentry(qpop(&batch), struct http_call, wait), err != 0 ? err : E_INVALID,
                         err != 0 ? reason : "the server does not speak HTTP/2");
    }
    client__serve_waiting(client);
    conn_unpin(c);
}

static void conn_on_idle(struct timer *t)
{
    struct h2_client_conn *c = container_of(t, struct h2_client_conn, idle);

    if (c->link.n_chans == 0)
        link_goaway(&c->link, NGHTTP2_NO_ERROR, NULL);
}

static int conn_open(struct http_client *client, struct errbuf *err)
{
    static const struct stream_events events = { .on_open = conn_on_open, .on_close = conn_on_close };
    struct h2_client_conn *c = mem_new(struct h2_client_conn);
    struct stream_connect_opts o = { .addr = client->addrs[client->at], .tls = client->tls,
                                     .tls_name = client->tls_name, .ev = &events, .arg = c };
    int rc = stream_connect(client->loop, &o, &c->s, err);

    if (rc < 0) {
        mem_free(c);
        return rc;
    }
    c->client = client;
    c->endpoint = client->at;
    qinit(&c->at);
    qpush(&client->h2_conns, &c->at);
    timer_init(&c->idle, client->loop, conn_on_idle);
    client->n_conns++;
    return 0;
}

void h2_client__close(struct http_client *client)
{
    qeach(&client->h2_conns, it, tmp) {
        struct h2_client_conn *c = qentry(it, struct h2_client_conn, at);
        if (c->open)
            link_close(&c->link);
        else
            stream_close(c->s);
    }
}

/* ---- calls -------------------------------------------------------------------------------------- */

void h2_call__prepare(struct http_call *call, struct str method, struct str target,
                      const struct http_header *h, size_t n)
{
    struct arena *a = &call->arena;
    struct http_header *copy = arena_alloc(a, (n + 1) * sizeof *copy);
    size_t n_copy = 0;
    struct str authority = call->host_given ? http_header_get(h, n, "Host") : STR_NONE;

    for (size_t i = 0; i < n; i++)
        if (!str_ieq(h[i].name, STR("host")))
            copy[n_copy++] = (struct http_header){ arena_str(a, h[i].name), arena_str(a, h[i].value) };
    nghttp2_nv *nv = arena_alloc(a, (n + 5) * sizeof *nv);
    nv[0] = h2_nv(STR(":method"), arena_str(a, method));
    nv[1] = h2_nv(STR(":scheme"), call->client->tls != NULL ? STR("https") : STR("http"));
    nv[2] = h2_nv(STR(":path"), arena_str(a, target));
    nv[3] = h2_nv(STR(":authority"), arena_str(a, authority));
    call->fields = nv;
    call->n_fields = 4 + h2_fields(nv + 4, a, copy, n_copy);
    if (call->body != NULL)
        nv[call->n_fields++] = h2_nv(STR("content-length"), arena_fmt(a, "%" PRIu32, call->body->len));
}

static void conn_ask(struct h2_client_conn *c, struct http_call *call)
{
    struct h2_asking *a = h2_pool_alloc(&c->client->h2_pool, sizeof *a);
    bool body = call->body_follows || (call->body != NULL && call->body->len > 0);
    const char *addr = c->client->addrs[c->endpoint];

    memset(a, 0, sizeof *a);
    a->conn = c;
    c->n_asking++;
    timer_stop(&c->idle);
    chan_init(&a->chan, &c->link, 0);
    if (strncmp(addr, "unix:", 5) == 0)
        addr = "localhost";
    if (call->fields[3].valuelen == 0)
        call->fields[3] = h2_nv(STR(":authority"), str_of(addr));
    a->call = call;
    call->asking = a;
    if (chan_request(&a->chan, call->fields, call->n_fields, body) < 0) {
        chan_fail(&a->chan);
        return;
    }
    chan_pause(&a->chan, call->paused);
    if (call->body != NULL)
        chan_send(&a->chan, blob_ref(call->body), 0, call->body->len);
    for (size_t i = 0; i < call->n_early; i++)
        chan_send(&a->chan, call->early[i].blob, call->early[i].off, call->early[i].len);
    call->n_early = 0;
    if (body && (!call->body_follows || call->body_ended))
        chan_end(&a->chan, NULL, 0);
}

bool h2_call__place(struct http_call *call, int *ret_rc, struct errbuf *err)
{
    struct http_client *client = call->client;
    size_t n = 0;

    *ret_rc = 0;
    qeach(&client->h2_conns, it, tmp) {
        struct h2_client_conn *c = qentry(it, struct h2_client_conn, at);
        if (conn_may_ask(c)) {
            conn_ask(c, call);
            return true;
        }
        if (!c->open)
            return false;
        n += !conn_is_leaving(c);
    }
    if (n >= client->max_conns)
        return false;
    *ret_rc = E_INVALID;
    for (size_t i = 0; i < client->n_addrs && *ret_rc < 0; i++) {
        *ret_rc = conn_open(client, err);
        if (*ret_rc < 0)                         /* an address nobody can parse: the next */
            client->at = (client->at + 1) % client->n_addrs;
    }
    return *ret_rc < 0;
}

void h2_call__flow(struct http_call *call)
{
    if (call->asking != NULL)
        chan_pause(&call->asking->chan, call->paused);
}

void http_call_send(struct http_call *call, struct blob *b, size_t off, size_t len)
{
    must(call->body_follows && !call->body_ended && off <= b->len && len <= b->len - off);
    if (call->asking != NULL) {
        chan_send(&call->asking->chan, b, off, len);
        return;
    }
    call->early = mem_realloc(call->early, (call->n_early + 1) * sizeof *call->early);
    call->early[call->n_early++] = (struct http_piece){ b, (uint32_t)off, (uint32_t)len };
}

size_t http_call_queued(struct http_call *call)
{
    size_t n = call->asking != NULL ? call->asking->chan.queued : 0;

    for (size_t i = 0; i < call->n_early; i++)
        n += call->early[i].len;
    return n;
}

void http_call_end(struct http_call *call)
{
    must(call->body_follows && !call->body_ended);
    call->body_ended = true;
    if (call->asking != NULL)
        chan_end(&call->asking->chan, NULL, 0);
}
