/* net/http_server.c: the listener, its connections as a set, draining and closing, and the stock of
 * requests.  What happens on one connection is in http_conn.c and http_write.c. */
#include <stdio.h>
#include <time.h>
#include "net/http_conn.h"

#define SPARE_FILES 64                           /* for disks, children and peers, however many clients come */

static void server_on_accept(void *arg, struct stream *s)
{
    struct http_server *srv = arg;

    conn__accept(srv, s);
}

static void server_on_grace(struct timer *t)
{
    struct http_server *srv = container_of(t, struct http_server, grace);

    qeach(&srv->conns, it, tmp)
        conn__close(qentry(it, struct http_conn, link));
    qeach(&srv->h2_conns, at, next)
        h2_conn__close(at);
}

static void server_on_drained(struct ready_item *it)
{
    struct http_server *srv = container_of(it, struct http_server, drained);
    void (*done)(void *) = srv->on_drained;

    timer_stop(&srv->grace);
    srv->on_drained = NULL;
    if (done != NULL)
        done(srv->drain_arg);
}

int http_server_open(struct loop *l, const struct http_server_opts *o, struct http_server **ret,
                     struct errbuf *err)
{
    struct http_server *srv = mem_new(struct http_server);

    must(o->on_request != NULL);
    srv->loop = l;
    srv->o = *o;
    srv->o.addr = NULL;
    if (srv->o.max_body == 0)
        srv->o.max_body = HTTP_MAX_BODY;
    if (srv->o.max_bodies == 0)
        srv->o.max_bodies = 64 * srv->o.max_body;
    if (srv->o.idle_ms == 0)
        srv->o.idle_ms = 5 * 60 * 1000;
    if (srv->o.head_ms == 0)
        srv->o.head_ms = 10 * 1000;
    if (srv->o.max_streams == 0)
        srv->o.max_streams = HTTP2_STREAMS;
    if (srv->o.ping_timeout_ms == 0)
        srv->o.ping_timeout_ms = 20 * 1000;
    if (srv->o.client_ping_min_ms == 0)
        srv->o.client_ping_min_ms = 1000;
    qinit(&srv->conns);
    qinit(&srv->h2_conns);
    h2_pool_init(&srv->h2_pool);
    qinit(&srv->stock);
    qinit(&srv->gzip_waiting);
    timer_init(&srv->grace, l, server_on_grace);
    ready_init(&srv->drained, server_on_drained);
    http_parser_init(&srv->parser);
    struct listener_opts lo = { .addr = o->addr, .tls = o->tls, .on_accept = server_on_accept, .arg = srv,
                                .spare_files = SPARE_FILES };
    int rc = listener_open(l, &lo, &srv->ln, err);
    if (rc < 0) {
        mem_free(srv);
        return rc;
    }
    srv->addr = mem_strdup(listener_addr(srv->ln));
    *ret = srv;
    return 0;
}

const char *http_server_addr(struct http_server *srv)
{
    return srv->addr;
}

static void server_free(struct http_server *srv)
{
    must(srv->n_conns == 0 && qempty(&srv->conns) && qempty(&srv->h2_conns));
    must(srv->gzip_running == 0 && srv->bodies == 0);
    timer_stop(&srv->grace);
    ready_cancel(&srv->drained);
    while (!qempty(&srv->stock)) {
        struct http_slot *slot = qentry(qpop(&srv->stock), struct http_slot, link);
        arena_release(&slot->req.arena);
        buf_release(&slot->body);
        mem_free(slot);
    }
    h2_pool_release(&srv->h2_pool);
    buf_release(&srv->out);
    blob_unref(srv->shared);
    blob_unref(srv->shared_chunk);
    mem_free(srv->addr);
    mem_free(srv);
}

void server__conn_gone(struct http_server *srv)
{
    must(srv->n_conns > 0);
    if (--srv->n_conns > 0)
        return;
    if (srv->closing)
        server_free(srv);
    else if (srv->draining)
        ready_post(srv->loop, &srv->drained);
}

void http_server_drain(struct http_server *srv, uint64_t grace_ms, void (*done)(void *arg), void *arg)
{
    must(!srv->closing && !srv->draining);
    srv->draining = true;
    srv->on_drained = done;
    srv->drain_arg = arg;
    listener_close(srv->ln);
    srv->ln = NULL;
    qeach(&srv->conns, it, tmp) {
        struct http_conn *c = qentry(it, struct http_conn, link);
        if (c->state == CONN_HEAD && c->in.n == 0)
            conn__close(c);
    }
    qeach(&srv->h2_conns, at, next)
        h2_conn__drain(at);
    timer_start(&srv->grace, grace_ms);
    if (srv->n_conns == 0)
        ready_post(srv->loop, &srv->drained);
}

void http_server_close(struct http_server *srv)
{
    must(!srv->closing);
    srv->closing = true;
    srv->on_drained = NULL;
    timer_stop(&srv->grace);
    ready_cancel(&srv->drained);
    if (srv->ln != NULL)
        listener_close(srv->ln);
    srv->ln = NULL;
    srv->n_conns++;                              /* hold it while walking */
    qeach(&srv->conns, it, tmp)
        conn__close(qentry(it, struct http_conn, link));
    qeach(&srv->h2_conns, at, next)
        h2_conn__close(at);
    server__conn_gone(srv);
}

/* ---- stock -------------------------------------------------------------------------------------- */

struct http_slot *server__slot_take(struct http_server *srv)
{
    struct http_slot *slot;

    if (!qempty(&srv->stock)) {
        srv->n_stock--;
        return qentry(qpop(&srv->stock), struct http_slot, link);
    }
    slot = mem_new(struct http_slot);
    qinit(&slot->link);
    return slot;
}

void server__slot_put(struct http_server *srv, struct http_slot *slot)
{
    struct arena arena = slot->req.arena;

    must(srv->bodies >= slot->body.n);
    srv->bodies -= slot->body.n;
    if (srv->n_stock >= SLOT_KEEP) {
        arena_release(&arena);
        buf_release(&slot->body);
        mem_free(slot);
        return;
    }
    arena_reset(&arena);
    memset(&slot->req, 0, sizeof slot->req);
    slot->req.arena = arena;
    buf_clear(&slot->body);
    if (slot->body.cap > SLOT_BODY_KEEP)
        buf_release(&slot->body);
    qpush_front(&srv->stock, &slot->link);       /* the warm one is taken next */
    srv->n_stock++;
}

/* Large bodies share a budget; small ones pass, so that a few large ones don't end leases. */
int server__body_add(struct http_server *srv, struct http_slot *slot, struct str data, const char **ret_reason)
{
    struct buf *body = &slot->body;

    if (data.n > srv->o.max_body - body->n) {
        *ret_reason = "the request body is too large";
        return 413;
    }
    if (body->n + data.n > SLOT_BODY_KEEP && srv->bodies + data.n > srv->o.max_bodies) {
        *ret_reason = "too many large request bodies at a time, please try again later";
        return 429;
    }
    buf_str_add(body, data);
    srv->bodies += data.n;
    return 0;
}

uint64_t server__body_patience_ms(struct http_server *srv, const struct http_slot *slot)
{
    uint64_t patience = srv->o.head_ms, taken = loop_now_ms(srv->loop) - slot->body_since_ms;
    uint64_t whole = patience + slot->body.n / HTTP_BODY_PACE;

    return MIN_OF(patience, whole > taken ? whole - taken : 0);
}

struct blob *server__error_body(struct http_server *srv, int status, const char *reason, const char **ret_type)
{
    bool own = srv->o.error_body != NULL;

    *ret_type = own ? "application/json" : "text/plain; charset=utf-8";
    return own ? srv->o.error_body(srv->o.arg, status, reason) : blob_copy(str_of(reason));
}

/* The Date header, made once a second. */
struct str server__date(struct http_server *srv)
{
    uint64_t now = loop_now_ns(srv->loop);

    if (now >= srv->date_until_ns) {
        static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        int64_t   wall = loop_wall_ns(srv->loop);
        time_t    sec = (time_t)(wall / 1000000000);
        struct tm tm;
        gmtime_r(&sec, &tm);
        int n = snprintf(srv->date, sizeof srv->date, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
                         days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
                         tm.tm_hour, tm.tm_min, tm.tm_sec);
        must(n > 0);
        srv->date_len = MIN_OF((size_t)n, sizeof srv->date - 1);
        srv->date_until_ns = now + 1000000000u - (uint64_t)(wall % 1000000000);
    }
    return str_make(srv->date, srv->date_len);
}
