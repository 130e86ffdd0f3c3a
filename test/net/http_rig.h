/* test/net/http_rig.h: an HTTP server with a few tell-tale handlers and raw clients, in a world in
 * memory; shared by the tests of server, client and WebSocket. */
#ifndef TEST_NET_HTTP_RIG_H
#define TEST_NET_HTTP_RIG_H

#include "net/http_server.h"
#include "test/net/mem_world.h"
#include "test/test.h"

struct rig {
    struct mem_world *w;
    struct http_server *srv;
    long blocks;                                 /* of heap, before */
    int  requests, aborts, drains;
    struct http_req *held;                       /* of /later and /stream: the test answers */
    struct stream *upgraded;
    struct buf upgraded_got;
    int  upgraded_closed;
    struct blob *big;
};

/* A peer that speaks bytes. */
struct raw { struct stream *s; struct buf got; bool closed, eof; int err; };

static void raw_on_data(void *arg, struct stream *s, const char *p, size_t n) { buf_add(&((struct raw *)arg)->got, p, n); }
static void raw_on_eof(void *arg, struct stream *s) { ((struct raw *)arg)->eof = true; stream_close_after_flush(s); }
static void raw_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct raw *r = arg;

    r->closed = true;
    r->err = err;
}

static const struct stream_events raw_events = { .on_data = raw_on_data, .on_eof = raw_on_eof, .on_close = raw_on_close };

static inline void raw_open(struct mem_world *w, const char *addr, struct raw *r)
{
    struct stream_connect_opts o = { .addr = addr, .ev = &raw_events, .arg = r };

    *r = (struct raw){ 0 };
    must(stream_connect(&w->l, &o, &r->s, NULL) == 0);
}

static inline void raw_send(struct raw *r, const char *z)
{
    if (!r->closed)
        stream_write(r->s, z, strlen(z));
}

static inline void raw_close(struct rig *g, struct raw *r)
{
    if (!r->closed)
        stream_close(r->s);
    while (!r->closed && mem_step(g->w)) { }
    buf_release(&r->got);
}

static void rig_on_abort(struct http_req *req)
{
    struct rig *g = req->arg;

    g->aborts++;
    g->held = NULL;
}

static void rig_on_drain(struct http_req *req) { ((struct rig *)req->arg)->drains++; }

static void rig_up_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct rig *g = arg;

    buf_add(&g->upgraded_got, p, n);
}

static void rig_up_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct rig *g = arg;

    g->upgraded = NULL;
    g->upgraded_closed++;
}

static const struct stream_events rig_up_events = { .on_data = rig_up_data, .on_close = rig_up_close };

static inline void rig_big(struct rig *g, size_t n)
{
    if (g->big != NULL)
        return;
    g->big = blob_new(n);
    for (size_t i = 0; i < n; i++)
        g->big->data[i] = (char)("{\"kind\": 0123456789}"[i % 20] + (i * 2654435761u >> 30) % 3);
}

static void rig_handle(void *arg, struct http_req *req)
{
    static const struct http_header up = { { "Upgrade", 7 }, { "echo", 4 } };
    static const struct http_header evil = { { "X-Evil", 6 }, { "a\r\nSet-Cookie: b", 16 } };
    struct rig *g = arg;

    g->requests++;
    if (str_is(req->path, "/hello")) {
        http_respond(req, 200, "text/plain", blob_copy(STR("hello")), NULL, 0);
    } else if (str_is(req->path, "/echo")) {
        http_respond(req, 200, NULL, blob_copy(req->body), NULL, 0);
    } else if (str_is(req->path, "/target")) {
        struct str s = arena_fmt(&req->arena, "%.*s %.*s %.*s %zu", STR_ARG(req->method), STR_ARG(req->path),
                                 STR_ARG(req->query), req->n_headers);
        http_respond(req, 200, NULL, blob_copy(s), NULL, 0);
    } else if (str_is(req->path, "/none")) {
        http_respond(req, 204, NULL, NULL, NULL, 0);
    } else if (str_is(req->path, "/evil")) {
        http_respond(req, 200, NULL, NULL, &evil, 1);
    } else if (str_is(req->path, "/big")) {
        rig_big(g, 130 << 10);
        http_respond(req, 200, "application/json", blob_ref(g->big), NULL, 0);
    } else if (str_is(req->path, "/upgrade") && req->upgrade) {
        g->upgraded = http_upgrade(req, &up, 1, &rig_up_events, g);
    } else if (str_is(req->path, "/now")) {
        http_begin(req, 200, "text/plain", true, NULL, 0);
        http_send(req, "one", 3);
        http_send_blob(req, blob_copy(STR("--two--")), 2, 3);
        http_end(req);
    } else if (str_is(req->path, "/later") || str_is(req->path, "/stream")) {
        must(g->held == NULL);
        g->held = req;
        req->arg = g;
        if (str_is(req->path, "/stream")) {
            req->on_abort = rig_on_abort;
            req->on_drain = rig_on_drain;
            http_begin(req, 200, "text/plain", str_is(req->query, "gzip"), NULL, 0);
        } else if (!str_is(req->query, "orphan")) {
            req->on_abort = rig_on_abort;
        }
    } else {
        http_respond(req, 404, "text/plain", blob_copy(STR("no such thing")), NULL, 0);
    }
}

static int rig_judge(void *arg, struct http_req *req, const char **ret_reason)
{
    *ret_reason = "no body of yours";
    return http_header_get(req->headers, req->n_headers, "X-Refuse").p != NULL ? 401 : 0;
}

static inline void rig_open_lazy(struct rig *g)
{
    struct http_server_opts o = { .addr = "srv", .on_request = rig_handle, .on_body = rig_judge, .arg = g,
                                  .max_body = 100000, .max_bodies = 250000 };

    *g = (struct rig){ .blocks = mem_live() };
    g->w = mem_world_new();
    must(http_server_open(&g->w->l, &o, &g->srv, NULL) == 0);
}

static inline void rig_open(struct rig *g)
{
    rig_open_lazy(g);
    rig_big(g, 1 << 20);
}

/* Everything given back, or the test fails. */
static inline void rig_close(struct rig *g)
{
    if (g->srv != NULL)
        http_server_close(g->srv);
    mem_run(&g->w->l);
    blob_unref(g->big);
    buf_release(&g->upgraded_got);
    loop_free(&g->w->l);
    CHECK_INT(mem_live(), g->blocks);
}

/* Sends `bytes` on a connection of its own and gives what came back within a second. */
static inline struct str rig_ask_at(struct rig *g, struct str bytes, size_t split)
{
    static char   got[2 << 20];
    struct raw    r;

    raw_open(g->w, "srv", &r);
    mem_run_for(g->w, 1);
    stream_write(r.s, bytes.p, split);
    mem_run_for(g->w, 1);
    stream_write(r.s, bytes.p + split, bytes.n - split);
    mem_run_for(g->w, 1000);
    must(r.got.n < sizeof got);
    if (r.got.n > 0)
        memcpy(got, r.got.p, r.got.n);
    size_t n = r.got.n;
    raw_close(g, &r);
    for (char *d = got; (d = memmem(d, n - (size_t)(d - got), "\r\nDate: ", 8)) != NULL; d++)
        memcpy(d + 25, "00:00:00", 8);           /* the one thing that may differ */
    return str_make(got, n);
}

static inline struct str rig_ask(struct rig *g, const char *bytes) { return rig_ask_at(g, str_of(bytes), 0); }
static inline bool str_has(struct str s, const char *z) { return memmem(s.p, s.n, z, strlen(z)) != NULL; }
static inline int status_of(struct str s) { return s.n > 12 && memcmp(s.p, "HTTP/1.1 ", 9) == 0 ? (s.p[9] - '0') * 100 + (s.p[10] - '0') * 10 + s.p[11] - '0' : 0; }

#endif
