/* node/server_forward.c: see node/server_forward_impl.h. */
#include <stdio.h>
#include "node/server_forward_impl.h"

#define CONNECT_MS 10000

static void forward_unref(struct forward *f)
{
    if (f->front != NULL || !qempty(&f->conns))
        return;
    qdel(&f->link);
    pulse_stop(&f->pulse);
    arena_release(&f->arena);
    mem_free(f->ports);
    mem_free(f);
}

struct forward_conn *forward_conn_new(struct forward *f, uint16_t port)
{
    struct forward_conn *c = mem_new(struct forward_conn);

    c->forward = f;
    c->port = port;
    qinit(&c->link);
    return c;
}

void forward_conn_free(struct forward_conn *c)
{
    buf_release(&c->early);
    mem_free(c->request);
    mem_free(c);
}

/* ---- back-pressure ------------------------------------------------------------------------------ */

/* A client has one connection for all: while one pod's port does not take its bytes, all wait. */
static void set_holding(struct forward_conn *c, bool holding)
{
    struct forward *f = c->forward;
    bool before = f->holders > 0;

    if (c->holding == holding)
        return;
    c->holding = holding;
    f->holders += holding ? 1 : -1u;
    if (f->front != NULL && before != (f->holders > 0))
        f->front->hold(f, f->holders > 0);
}

static void set_paused(struct forward *f, bool paused)
{
    if (f->paused == paused)
        return;
    f->paused = paused;
    qeach(&f->conns, it, next) {
        struct forward_conn *c = qentry(it, struct forward_conn, link);
        if (c->backend != NULL)
            (paused ? stream_pause : stream_resume)(c->backend);
    }
}

void forward_on_drain(struct forward *f) { set_paused(f, false); }

/* ---- the pod's side ----------------------------------------------------------------------------- */

static void conn_end(struct forward_conn *c)
{
    struct forward *f = c->forward;

    set_holding(c, false);
    qdel(&c->link);
    if (f->front != NULL)
        f->front->end(c);
    forward_conn_free(c);
    forward_unref(f);
}

static void on_open(void *arg, struct stream *s)
{
    struct forward_conn *c = arg;

    c->open = true;
    stream_write(s, c->early.p, c->early.n);
    set_holding(c, c->early.n > SERVER_QUEUE_MAX);       /* then its draining ends it */
    buf_release(&c->early);
    if (c->client_fin)
        stream_shutdown(s);
    if (c->forward->paused)
        stream_pause(s);
}

static void on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct forward_conn *c = arg;
    struct forward *f = c->forward;

    if (f->front == NULL)
        return;
    pulse_used(&f->pulse);
    f->front->send(c, p, n);
    if (f->front->queued(f) > SERVER_QUEUE_MAX)
        set_paused(f, true);
}

static void on_eof(void *arg, struct stream *s)
{
    struct forward_conn *c = arg;

    c->backend_fin = true;
    if (c->forward->front != NULL)
        c->forward->front->fin(c);
    if (c->client_fin || c->forward->front == NULL)
        stream_close_after_flush(s);
}

static void on_drain(void *arg, struct stream *s) { set_holding(arg, false); }

static int conn_connect(struct forward_conn *c, struct errbuf *err);

static void conn_failed(struct forward_conn *c, const char *why)
{
    struct forward *f = c->forward;
    struct arena a = ARENA_INIT;
    struct str first = server_dial_words(&a, "tcp4", "127.0.0.1", c->port, c->why.s),
               second = server_dial_words(&a, "tcp6", "[::1]", c->port, why);

    if (f->front != NULL)
        f->front->fail(c, arena_fmt(&a, "error forwarding port %u to pod %s, uid : failed to execute "
                                    "portforward in network namespace \"%s\": failed to connect to "
                                    "localhost:%u inside namespace \"%s\", IPv4: %.*s IPv6 %.*s ",
                                    c->port, f->pod, f->netns, c->port, f->pod, STR_ARG(first),
                                    STR_ARG(second)));
    arena_release(&a);
    conn_end(c);
}

static void on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct forward_conn *c = arg;
    struct errbuf why;

    c->backend = NULL;
    if (c->open || c->forward->front == NULL || err == 0) {
        /* also a reset: the client is told by the end of its streams */
        conn_end(c);
    } else if (c->second) {
        conn_failed(c, reason);
    } else {
        c->second = true;
        err_set(&c->why, err, "%s", reason);
        if (conn_connect(c, &why) < 0)
            conn_failed(c, why.s);
    }
}

static int conn_connect(struct forward_conn *c, struct errbuf *err)
{
    static const struct stream_events events = { .on_open = on_open, .on_data = on_data, .on_eof = on_eof,
                                                 .on_drain = on_drain, .on_close = on_close };
    char addr[32];
    struct stream_connect_opts o = { .addr = addr, .netns = c->forward->netns, .timeout_ms = CONNECT_MS,
                                     .ev = &events, .arg = c };

    snprintf(addr, sizeof addr, c->second ? "[::1]:%u" : "127.0.0.1:%u", c->port);
    return stream_connect(c->forward->loop, &o, &c->backend, err);
}

void forward_start(struct forward_conn *c)
{
    struct errbuf err;

    c->started = true;
    qpush(&c->forward->conns, &c->link);
    set_holding(c, c->early.n > SERVER_QUEUE_MAX);
    must(conn_connect(c, &err) == 0);            /* an address of numbers: what fails comes by on_close */
}

/* ---- the client's side -------------------------------------------------------------------------- */

/* What comes before there is a connection waits here: a first attempt may fail and a second succeed. */
void forward_take(struct forward_conn *c, const char *p, size_t n)
{
    if (c->client_fin)
        return;
    pulse_used(&c->forward->pulse);
    if (!c->open) {
        buf_add(&c->early, p, n);
        set_holding(c, c->started && c->early.n > SERVER_QUEUE_MAX);
    } else if (c->backend != NULL) {
        stream_write(c->backend, p, n);
        if (stream_queued(c->backend) > SERVER_QUEUE_MAX)
            set_holding(c, true);
    }
}

void forward_fin(struct forward_conn *c)
{
    c->client_fin = true;
    if (c->backend == NULL || !c->open)
        return;
    if (c->backend_fin)
        stream_close_after_flush(c->backend);
    else
        stream_shutdown(c->backend);
}

void forward_abort(struct forward_conn *c)
{
    if (c->backend != NULL)
        stream_close(c->backend);
}

void forward_on_front_closed(struct forward *f)
{
    f->front = NULL;
    qeach(&f->conns, it, next)
        forward_abort(qentry(it, struct forward_conn, link));
    forward_unref(f);
}

/* ---- the beginning ------------------------------------------------------------------------------ */

static void on_ping(struct pulse *p)
{
    struct forward *f = container_of(p, struct forward, pulse);

    if (f->front != NULL)
        f->front->ping(f);
}

static void on_idle(struct pulse *p)
{
    struct forward *f = container_of(p, struct forward, pulse);

    if (f->front != NULL)
        f->front->close(f);
}

void server_forward(struct node_server *s, struct http_req *req, struct pod *pod)
{
    struct runtime *rt = s->agent->rt;
    const struct rt_sandbox_info *info = pod->sandbox_id[0] != '\0' ? rt->ops->sandbox_get(rt,
        pod->sandbox_id) : NULL;
    struct forward *f;

    if (info == NULL || !info->ready || info->pid <= 0) {
        server_text(req, 400, "pod \"%s\" is not running", pod->name);
        return;
    }
    f = mem_new(struct forward);
    qinit(&f->link);
    qinit(&f->conns);
    qinit(&f->halves);
    f->loop = s->agent->loop;
    snprintf(f->netns, sizeof f->netns, "/proc/%d/ns/net", info->pid);
    f->pod = arena_cstr(&f->arena, str_of(pod->sandbox_id));
    pulse_start(&f->pulse, f->loop, on_ping, on_idle);
    if (!(spdy_asked(req, forward_tunnel) ? forward_accept_spdy : forward_accept_ws)(f, req)) {
        pulse_stop(&f->pulse);
        arena_release(&f->arena);
        mem_free(f->ports);
        mem_free(f);
        return;
    }
    qpush(&s->forwards, &f->link);
    s->n_forwards++;
}

void server_forwards_close(struct node_server *s)
{
    while (!qempty(&s->forwards)) {
        struct forward *f = qentry(qfirst(&s->forwards), struct forward, link);
        qdel(&f->link);
        if (f->front != NULL)
            f->front->close(f);
    }
}
