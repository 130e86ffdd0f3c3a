/* net/http_client.c: calls, the pool of connections, endpoints; see net/http_client_impl.h. */
#include "net/http_client_impl.h"

/* ---- the client --------------------------------------------------------------------------------- */

static void client_on_bury(struct ready_item *it);

int http_client_new(struct loop *l, const struct http_client_opts *o, struct http_client **ret,
                    struct errbuf *err)
{
    if (o->n_addrs == 0)
        return err_set(err, E_INVALID, "no address to talk to");
    struct http_client *c = mem_new(struct http_client);
    c->loop = l;
    c->n_addrs = o->n_addrs;
    c->addrs = mem_alloc(o->n_addrs * sizeof *c->addrs);
    for (size_t i = 0; i < o->n_addrs; i++)
        c->addrs[i] = mem_strdup(o->addrs[i]);
    c->tls = o->tls;
    c->tls_name = o->tls_name != NULL ? mem_strdup(o->tls_name) : NULL;
    c->http2 = o->http2;
    c->on = o->on;
    c->only = o->on != NULL;
    c->max_conns = o->max_conns != 0 ? o->max_conns : o->http2 ? 1 : 64;
    c->idle_ms = o->idle_ms != 0 ? o->idle_ms : 90 * 1000;
    qinit(&c->calls);
    qinit(&c->waiting);
    qinit(&c->conns);
    qinit(&c->idle);
    qinit(&c->h2_conns);
    h2_pool_init(&c->h2_pool);
    ready_init(&c->bury, client_on_bury);
    http_parser_init(&c->parser);
    *ret = c;
    return 0;
}

static void client_release(struct http_client *c)
{
    must(qempty(&c->calls) && qempty(&c->conns) && c->n_conns == 0);
    ready_cancel(&c->bury);
    if (c->on != NULL)
        stream_close(c->on);
    for (size_t i = 0; i < c->n_addrs; i++)
        mem_free(c->addrs[i]);
    mem_free(c->addrs);
    mem_free(c->tls_name);
    h2_pool_release(&c->h2_pool);
    buf_release(&c->out);
    mem_free(c);
}

static void client_on_bury(struct ready_item *it)
{
    struct http_client *c = container_of(it, struct http_client, bury);

    c->n_conns++;                                /* hold it */
    while (!qempty(&c->calls))
        call__finish(qentry(qfirst(&c->calls), struct http_call, link), E_CANCELED, "the client is closing");
    qeach(&c->conns, at, tmp)
        client_conn__close(qentry(at, struct client_conn, link));
    h2_client__close(c);
    client__unpin(c);
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    must(!c->closing);
    c->closing = true;
    ready_post(c->loop, &c->bury);
}

struct loop *http_client_loop(struct http_client *c)
{
    return c->loop;
}

/* ---- the pool ----------------------------------------------------------------------------------- */

void client__serve_waiting(struct http_client *c)
{
    while (!c->closing && !qempty(&c->waiting) &&
           (c->http2 ? h2_client__has_room(c) : !qempty(&c->idle) || c->n_pooled < c->max_conns))
        call__start(qentry(qpop(&c->waiting), struct http_call, wait));
}

void client__unpin(struct http_client *client)
{
    must(client->n_conns > 0);
    client->n_conns--;
    if (client->closing && client->n_conns == 0 && qempty(&client->calls))
        client_release(client);
}

void client__conn_idle(struct client_conn *c)
{
    struct http_client *client = c->client;

    must(c->pooled && c->call == NULL && !c->closed);
    qpush_front(&client->idle, &c->idle);        /* the warmest serves next, the others may time out */
    timer_start(&c->timer, client->idle_ms);
    client__serve_waiting(client);
}

void client__conn_gone(struct client_conn *c)
{
    struct http_client *client = c->client;
    bool pooled = c->pooled;

    must(c->call == NULL && client->n_conns > 0);
    qdel(&c->link);
    qdel(&c->idle);
    timer_stop(&c->timer);
    turn_cancel(&c->flushed);
    ready_cancel(&c->again);
    buf_release(&c->in);
    mem_free(c);
    client->n_pooled -= pooled;
    if (pooled)
        client__serve_waiting(client);
    client__unpin(client);
}

/* ---- calls -------------------------------------------------------------------------------------- */

static void call_unbind(struct http_call *call)
{
    struct client_conn *c = call->conn;

    call->conn = NULL;
    if (c != NULL) {
        c->call = NULL;
        client_conn__close(c);
    }
    if (call->asking != NULL)
        h2_call__unbind(call);
}

static void call_free(struct http_call *call)
{
    qdel(&call->link);
    qdel(&call->wait);
    timer_stop(&call->timer);
    for (size_t i = 0; i < call->n_early; i++)
        blob_unref(call->early[i].blob);
    mem_free(call->early);
    blob_unref(call->body);
    buf_release(&call->answer);
    arena_release(&call->arena);
    mem_free(call);
}

void call__finish(struct http_call *call, int err, const char *reason)
{
    struct str body = call->streamed || err != 0 ? STR_NONE : buf_str(&call->answer);

    must(!call->ending);
    call_unbind(call);
    call->ending = true;
    qdel(&call->link);
    timer_stop(&call->timer);
    if (call->upgrade)
        call->on_upgraded(call->arg, err, reason, call->status, call->headers, call->n_headers, body, NULL);
    else
        call->on_done(call->arg, call, err, reason, call->status, body);
    call_free(call);
}

/* Give the call a connection: an idle one, a new one, or a place in the queue. */
static int call_place(struct http_call *call, struct errbuf *err)
{
    struct http_client *c = call->client;
    bool own = call->streamed || call->upgrade;
    int rc = E_INVALID;

    if (c->http2) {
        if (!h2_call__place(call, &rc, err))
            qpush(&c->waiting, &call->wait);
        return rc;
    }
    if (!own && !qempty(&c->idle)) {
        struct client_conn *conn = qentry(qpop(&c->idle), struct client_conn, idle);
        timer_stop(&conn->timer);
        conn->reused = true;
        client_conn__assign(conn, call);
        return 0;
    }
    if (!own && c->n_pooled >= c->max_conns) {
        qpush(&c->waiting, &call->wait);
        return 0;
    }
    for (; rc < 0 && call->tried < c->n_addrs; call->tried += rc < 0)
        rc = client_conn__open(c, call, err);    /* an address nobody can parse: the next */
    return rc;
}

void call__start(struct http_call *call)
{
    struct errbuf err = { "" };
    int rc = call_place(call, &err);

    if (rc < 0)
        call__finish(call, rc, err.s);
}

static void call_on_timeout(struct timer *t)
{
    call__finish(container_of(t, struct http_call, timer), E_TIMEOUT, "no complete answer in time");
}

static int headers_check(const struct http_header *h, size_t n, bool *ret_host, struct errbuf *err)
{
    *ret_host = false;
    for (size_t i = 0; i < n; i++) {
        if (!http_is_token(h[i].name) || !http_is_field_value(h[i].value))
            return err_set(err, E_INVALID, "header %zu has characters that no header may have", i);
        if (str_ieq(h[i].name, STR("content-length")) || str_ieq(h[i].name, STR("transfer-encoding")))
            return err_set(err, E_INVALID, "header %.*s is set by the client itself", STR_ARG(h[i].name));
        *ret_host |= str_ieq(h[i].name, STR("host"));
    }
    return 0;
}

static struct str request_headers(struct http_call *call, struct str method,
                                  const struct http_header *h, size_t n)
{
    struct buf *out = &call->client->out;
    bool sends = str_is(method, "POST") || str_is(method, "PUT") || str_is(method, "PATCH");

    buf_clear(out);
    for (size_t i = 0; i < n; i++)
        http_header_add(out, h[i].name, h[i].value);
    if (call->upgrade && http_header_get(h, n, "Connection").p == NULL)
        buf_str_add(out, STR("Connection: Upgrade\r\n"));
    if (call->body != NULL || sends) {
        buf_str_add(out, STR("Content-Length: "));
        buf_u64(out, call->body != NULL ? call->body->len : 0);
        buf_str_add(out, STR("\r\n"));
    }
    buf_str_add(out, STR("\r\n"));
    return arena_str(&call->arena, buf_str(out));
}

/* The parts that plain calls and upgrades share.  NULL: refused, reason in err. */
static struct http_call *call_new(struct http_client *c, const struct http_call_opts *o, bool upgrade, int *rc,
                                  struct errbuf *err)
{
    struct str method = str_of(o->method);
    bool host = false;

    *rc = c->closing ? err_set(err, E_CANCELED, "the client is closing") : 0;
    if (*rc == 0 && (!http_is_token(method) || !http_is_target(o->target)))
        *rc = err_set(err, E_INVALID, "method or target has characters that no request may have");
    if (*rc == 0)
        *rc = headers_check(o->headers, o->n_headers, &host, err);
    if (*rc == 0 && (c->http2 ? upgrade : o->body_follows))
        *rc = err_set(err, E_INVALID, "HTTP/1.1 has no body that follows, HTTP/2 no upgrade");
    if (*rc < 0)
        return NULL;
    struct http_call *call = mem_new(struct http_call);
    call->client = c;
    call->first = c->at;
    call->host_given = host;
    call->head_only = str_is(method, "HEAD");
    call->streamed = o->streamed;
    call->upgrade = upgrade;
    call->max_body = o->max_body != 0 ? o->max_body : 64u << 20;
    call->body = o->body != NULL ? blob_ref(o->body) : NULL;
    call->arg = o->arg;
    call->on_head = o->on_head;
    call->on_data = o->on_data;
    call->on_done = o->on_done;
    qinit(&call->link);
    qinit(&call->wait);
    qpush(&c->calls, &call->link);
    timer_init(&call->timer, c->loop, call_on_timeout);
    call->body_follows = o->body_follows;
    call->on_drain = o->on_drain;
    if (c->http2) {
        h2_call__prepare(call, method, o->target, o->headers, o->n_headers);
        return call;
    }
    call->request_line = arena_fmt(&call->arena, "%s %.*s HTTP/1.1\r\n", o->method, STR_ARG(o->target));
    call->request_headers = request_headers(call, method, o->headers, o->n_headers);
    return call;
}

static int call_launch(struct http_call *call, uint64_t timeout_ms, struct errbuf *err)
{
    if (timeout_ms != 0)
        timer_start(&call->timer, timeout_ms);
    int rc = call_place(call, err);
    if (rc < 0)
        call_free(call);
    return rc;
}

int http_call(struct http_client *c, const struct http_call_opts *o, struct http_call **ret, struct errbuf *err)
{
    int rc;

    must(o->on_done != NULL && (o->streamed ? o->on_data != NULL : o->on_data == NULL && o->on_head == NULL));
    struct http_call *call = call_new(c, o, false, &rc, err);
    if (call == NULL)
        return rc;
    rc = call_launch(call, o->timeout_ms != 0 ? o->timeout_ms : o->streamed ? 0 : 30 * 1000, err);
    if (rc == 0 && ret != NULL)
        *ret = call;
    return rc;
}

int http_client_upgrade(struct http_client *c, const struct http_upgrade_opts *o, struct errbuf *err)
{
    struct http_call_opts co = { .method = o->method, .target = o->target, .headers = o->headers,
                                 .n_headers = o->n_headers, .max_body = HTTP_MAX_BODY, .arg = o->arg };
    int rc;

    must(o->on_done != NULL);
    struct http_call *call = call_new(c, &co, true, &rc, err);
    if (call == NULL)
        return rc;
    call->on_upgraded = o->on_done;
    return call_launch(call, o->timeout_ms != 0 ? o->timeout_ms : 30 * 1000, err);
}

void http_call_cancel(struct http_call *call)
{
    if (call->ending)
        return;
    call_unbind(call);
    call_free(call);
}

void http_call_pause(struct http_call *call)
{
    must(call->streamed);
    call->paused = true;
    if (call->conn != NULL)
        client_conn__flow(call->conn);
    h2_call__flow(call);
}

void http_call_resume(struct http_call *call)
{
    must(call->streamed);
    call->paused = false;
    if (call->conn != NULL)
        client_conn__flow(call->conn);
    h2_call__flow(call);
}

struct str http_call_header(struct http_call *call, const char *name)
{
    return http_header_get(call->headers, call->n_headers, name);
}

struct str http_call_trailer(struct http_call *call, const char *name)
{
    return http_header_get(call->trailers, call->n_trailers, name);
}
