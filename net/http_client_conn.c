/* net/http_client_conn.c: one connection of the client: the request out, the answer in.  The server is
 * not trusted either: its framing is read as strictly as a client's is on the other side. */
#include "net/http_client_impl.h"

/* ---- ends --------------------------------------------------------------------------------------- */

void client_conn__close(struct client_conn *c)
{
    if (c->closed)
        return;
    c->closed = true;
    qdel(&c->idle);
    timer_stop(&c->timer);
    stream_close(c->s);
}

/* The call on this connection fails, and the connection with it. */
static void conn_fail(struct client_conn *c, int err, const char *reason)
{
    struct http_call *call = c->call;

    if (call != NULL)
        call__finish(call, err, reason);
    client_conn__close(c);
}

/* The connection broke.  Only a request of which nothing can have left is tried again. */
static void conn_lost(struct client_conn *c, int err, const char *reason)
{
    struct http_call *call = c->call;
    struct http_client *client = c->client;

    if (call == NULL)
        return;
    if (c->sent) {
        call__finish(call, err != 0 ? err : E_CLOSED, err != 0 ? reason : "the server closed the connection");
        return;
    }
    if (!c->reused) {                            /* a stale idle connection says nothing about its endpoint */
        call->tried++;
        if (client->at == c->endpoint)
            client->at = (client->at + 1) % client->n_addrs;
    }
    c->call = NULL;
    call->conn = NULL;
    if (call->tried >= client->n_addrs)
        call__finish(call, err != 0 ? err : E_CLOSED, reason);
    else
        call__start(call);
}

/* ---- answers ------------------------------------------------------------------------------------ */

/* The answer is complete.  The connection is free before the caller hears of it. */
static void conn_complete(struct client_conn *c)
{
    struct http_call *call = c->call;

    c->call = NULL;
    call->conn = NULL;
    c->in_body = false;
    if (!c->keep_alive || !c->pooled || c->eof)
        client_conn__close(c);
    else
        client__conn_idle(c);
    call__finish(call, 0, "");
}

static void detached_on_data(void *arg, struct stream *s, const char *p, size_t n) { }
static const struct stream_events detached_events = { .on_data = detached_on_data };

/* 101: the stream becomes the caller's, with what was read of the new protocol. */
static void conn_give(struct client_conn *c, const char *rest, size_t n)
{
    struct http_call *call = c->call;
    struct stream *s = c->s;

    c->call = NULL;
    call->conn = NULL;
    c->closed = true;
    c->s = NULL;
    call->ending = true;
    qdel(&call->link);
    timer_stop(&call->timer);
    stream_set_events(s, &detached_events, NULL);
    if (n > 0)
        stream_unread(s, rest, n);
    call->on_upgraded(call->arg, 0, "", 101, call->headers, call->n_headers, STR_NONE, s);   /* may close s */
    buf_release(&call->answer);
    arena_release(&call->arena);
    blob_unref(call->body);
    mem_free(call);
}

static void call_keep_head(struct http_call *call, const struct http_head *h)
{
    call->status = h->status;
    call->n_headers = h->n_headers;
    call->headers = arena_alloc(&call->arena, (h->n_headers + 1) * sizeof *call->headers);
    memcpy(call->headers, h->headers, h->n_headers * sizeof *call->headers);
}

static void conn_begin_answer(struct client_conn *c, const struct http_head *h)
{
    struct http_call *call = c->call;
    enum http_framing kind;

    if (call->head_only || h->status == 204 || h->status == 304)
        kind = HTTP_BODY_NONE;
    else
        kind = h->chunked ? HTTP_BODY_CHUNKED : h->has_length ? HTTP_BODY_LENGTH : HTTP_BODY_EOF;
    http_body_init(&c->framing, kind, h->length);
    c->keep_alive = h->keep_alive && kind != HTTP_BODY_EOF;
    c->in_body = true;
    if (kind == HTTP_BODY_LENGTH && !call->streamed && h->length > call->max_body) {
        conn_fail(c, E_TOOBIG, "the answer is too large");
        return;
    }
    if (call->on_head != NULL)
        call->on_head(call->arg, call, call->status, call->headers, call->n_headers);
    if (c->call == call && c->framing.kind == HTTP_BODY_NONE)
        conn_complete(c);
}

/* Returns the bytes done with; 0: needs more. */
static size_t conn_read_head(struct client_conn *c, const char *p, size_t n)
{
    struct http_client *client = c->client;
    struct http_call *call = c->call;
    const char *reason = NULL;
    ptrdiff_t len = http_head_scan(&c->scan_at, p, n);

    if (len > HTTP_MAX_HEAD_BYTES || (len == HTTP_SCAN_MORE && n > HTTP_MAX_HEAD_BYTES)) {
        conn_fail(c, E_TOOBIG, "the answer's head is too large");
        return n;
    }
    if (len == HTTP_SCAN_BAD) {
        conn_fail(c, E_INVALID, "the answer's head is malformed");
        return n;
    }
    if (len == HTTP_SCAN_MORE)
        return 0;
    c->scan_at = 0;
    struct str bytes = arena_str(&call->arena, str_make(p, (size_t)len));
    if (http_head_parse(&client->parser, false, bytes, &client->head, &reason) != 0) {
        conn_fail(c, E_INVALID, reason);
        return n;
    }
    const struct http_head *h = &client->head;
    if (h->status == 101 && call->upgrade) {
        call_keep_head(call, h);
        conn_give(c, p + len, n - (size_t)len);
        return n;
    }
    if (h->status == 101 || h->status < 100 || (h->status < 200 && ++c->interim > CLIENT_INTERIM_MAX)) {
        conn_fail(c, E_INVALID, "the answer's status makes no sense");
        return n;
    }
    if (h->status >= 200) {
        call_keep_head(call, h);
        conn_begin_answer(c, h);
    }
    return (size_t)len;
}

/* False: the call is over. */
static bool conn_deliver(struct client_conn *c, struct str data)
{
    struct http_call *call = c->call;

    if (data.n == 0)
        return true;
    if (call->streamed) {
        call->on_data(call->arg, call, data.p, data.n);
        return c->call == call;
    }
    if (data.n > call->max_body - call->answer.n) {
        conn_fail(c, E_TOOBIG, "the answer is too large");
        return false;
    }
    buf_str_add(&call->answer, data);
    return true;
}

static size_t conn_read_body(struct client_conn *c, const char *p, size_t n)
{
    struct str in = str_make(p, n), data;
    int rc = HTTP_BODY_MORE;

    while (in.n > 0 && rc == HTTP_BODY_MORE && !c->call->paused) {
        rc = http_body_step(&c->framing, &in, &data);
        if (!conn_deliver(c, data))
            return n;
    }
    if (rc == HTTP_BODY_BAD)
        conn_fail(c, E_INVALID, "the answer's chunks are malformed");
    else if (rc == HTTP_BODY_DONE)
        conn_complete(c);
    return n - in.n;
}

/* Reads the answer of the call that is bound now; stops where it ends, pauses or is given up. */
static size_t conn_process(struct client_conn *c, const char *p, size_t n)
{
    struct http_call *call = c->call;
    size_t off = 0, used = 1;

    must(!c->processing);
    c->processing = true;
    while (off < n && used > 0 && !c->closed && c->call == call && !call->paused) {
        used = c->in_body ? conn_read_body(c, p + off, n - off) : conn_read_head(c, p + off, n - off);
        off += used;
    }
    c->processing = false;
    return off;
}

/* ---- the stream's events ------------------------------------------------------------------------ */

/* The end of the peer's bytes, once all of them were looked at. */
static void conn_at_eof(struct client_conn *c)
{
    if (c->call == NULL || c->closed)
        client_conn__close(c);
    else if (c->in_body && c->framing.kind == HTTP_BODY_EOF)
        conn_complete(c);
    else if (c->in_body || c->in.n > 0)
        conn_fail(c, E_CLOSED, "the server closed the connection in the midst of its answer");
    else if (c->sent)
        conn_fail(c, E_CLOSED, "the server closed the connection without an answer");
    else {
        conn_lost(c, 0, "the server closed the connection");
        client_conn__close(c);
    }
}

static void conn_hold(struct client_conn *c, bool hold)
{
    if (c->held == hold)
        return;
    c->held = hold;
    (hold ? stream_pause : stream_resume)(c->s);
}

/* An idle connection must be silent: what comes unasked would be taken for the next answer. */
static void conn_unasked(struct client_conn *c)
{
    if (c->call != NULL)
        conn_lost(c, 0, "the server spoke unasked");
    client_conn__close(c);
}

/* After bytes were looked at for `call`; n are left. */
static void conn_settle(struct client_conn *c, struct http_call *call, size_t n)
{
    if (c->s == NULL) {                          /* given away */
        client__conn_gone(c);
        return;
    }
    if (c->closed)
        return;
    if (c->in.n == 0)
        buf_release(&c->in);
    if (c->call != call && n > 0)
        conn_unasked(c);
    if (c->closed)
        return;
    conn_hold(c, c->call != NULL && c->call->paused);
    if (!c->held && c->eof)
        conn_at_eof(c);
}

static void conn_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct client_conn *c = arg;
    struct http_call *call = c->call;

    if (c->closed)
        return;
    if (call == NULL || !c->sent) {
        conn_unasked(c);
        return;
    }
    if (c->in.n > 0) {
        buf_add(&c->in, p, n);
        p = c->in.p;
        n = c->in.n;
    }
    size_t used = conn_process(c, p, n);
    if (c->in.n > 0)
        buf_drop(&c->in, used);
    else if (!c->closed && c->call == call)
        buf_add(&c->in, p + used, n - used);
    conn_settle(c, call, n - used);
}

static void conn_on_again(struct ready_item *it)
{
    struct client_conn *c = container_of(it, struct client_conn, again);
    struct http_call *call = c->call;

    if (c->closed || call == NULL || call->paused)
        return;
    size_t used = conn_process(c, c->in.p, c->in.n);
    buf_drop(&c->in, used);
    conn_settle(c, call, c->in.n);
}

void client_conn__flow(struct client_conn *c)
{
    if (c->closed || c->processing)
        return;                                  /* conn_settle() will look */
    if (c->call->paused)
        conn_hold(c, true);
    else
        ready_post(c->client->loop, &c->again);
}

static void conn_on_eof(void *arg, struct stream *s)
{
    struct client_conn *c = arg;

    c->eof = true;
    if (c->call == NULL || !c->call->paused)
        conn_at_eof(c);
}

static void conn_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct client_conn *c = arg;

    c->closed = true;
    conn_lost(c, err, reason);
    client__conn_gone(c);
}

/* ---- requests ----------------------------------------------------------------------------------- */

/* Runs after the stream's own flush: from now on the server may have seen the request. */
static void conn_on_flushed(struct turn_hook *h)
{
    container_of(h, struct client_conn, flushed)->sent = true;
}

static void conn_write_request(struct client_conn *c)
{
    struct http_call *call = c->call;
    const char *addr = c->client->addrs[c->endpoint];

    must(c->open && !c->closed);
    c->in_body = false;
    c->scan_at = 0;
    c->interim = 0;
    stream_write(c->s, call->request_line.p, call->request_line.n);
    if (!call->host_given) {
        stream_write(c->s, "Host: ", 6);
        if (strncmp(addr, "unix:", 5) == 0)
            addr = "localhost";
        stream_write(c->s, addr, strlen(addr));
        stream_write(c->s, "\r\n", 2);
    }
    stream_write(c->s, call->request_headers.p, call->request_headers.n);
    if (call->body != NULL)
        stream_write_blob(c->s, blob_ref(call->body), 0, call->body->len);
    turn_arm(c->client->loop, TURN_FLUSH, &c->flushed);
}

void client_conn__assign(struct client_conn *c, struct http_call *call)
{
    must(c->call == NULL && call->conn == NULL && !c->closed);
    c->call = call;
    call->conn = c;
    c->sent = false;
    if (c->open)
        conn_write_request(c);
}

static void conn_on_open(void *arg, struct stream *s)
{
    struct client_conn *c = arg;

    c->open = true;
    if (c->call != NULL)
        conn_write_request(c);
}

static void conn_on_idle(struct timer *t)
{
    client_conn__close(container_of(t, struct client_conn, timer));
}

static const struct stream_events client_conn_events = {
    .on_open = conn_on_open, .on_data = conn_on_data, .on_eof = conn_on_eof, .on_close = conn_on_close,
};

static int conn_connect(struct client_conn *c, struct errbuf *err)
{
    struct http_client *client = c->client;
    struct stream_connect_opts o = { .addr = client->addrs[c->endpoint], .tls = client->tls,
                                     .tls_name = client->tls_name, .ev = &client_conn_events, .arg = c };

    if (!client->only)
        return stream_connect(client->loop, &o, &c->s, err);
    if (client->on == NULL)
        return err_set(err, E_CLOSED, "the connection is gone");
    c->s = client->on;
    client->on = NULL;
    c->open = true;
    stream_set_events(c->s, &client_conn_events, c);
    return 0;
}

int client_conn__open(struct http_client *client, struct http_call *call, struct errbuf *err)
{
    struct client_conn *c = mem_new(struct client_conn);

    c->client = client;
    c->endpoint = (call->first + call->tried) % client->n_addrs;
    c->pooled = !call->streamed && !call->upgrade;
    int rc = conn_connect(c, err);
    if (rc < 0) {
        mem_free(c);
        return rc;
    }
    qinit(&c->idle);
    qinit(&c->link);
    qpush(&client->conns, &c->link);
    timer_init(&c->timer, client->loop, conn_on_idle);
    turn_init(&c->flushed, conn_on_flushed);
    ready_init(&c->again, conn_on_again);
    client->n_conns++;
    client->n_pooled += c->pooled;
    client_conn__assign(c, call);
    return 0;
}
