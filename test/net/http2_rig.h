/* test/net/http2_rig.h: a server with tell-tale handlers and a client that speaks HTTP/2 frame by frame, in a world in
 * memory; shared by the tests of HTTP/2 and its fuzz target. */
#ifndef TEST_NET_HTTP2_RIG_H
#define TEST_NET_HTTP2_RIG_H

#include "net/http2_link.h"
#include "test/net/mem_world.h"
#include "test/test.h"

#define RIG_KEPT 600

struct rig2 {
    struct mem_world *w;
    struct http_server *srv;
    long blocks;                                 /* of heap, before */
    int requests, aborts, drains, eofs;
    struct http_req *kept[RIG_KEPT]; int n_kept; /* of /later, /stream and /both: the test answers */
    size_t got;                                  /* bytes by on_data */
    bool echo;                                   /* /both: what comes goes back */
};

static void rig2_forget(struct rig2 *g, struct http_req *req)
{
    for (int i = 0; i < g->n_kept; i++)
        if (g->kept[i] == req) {
            g->kept[i] = g->kept[--g->n_kept];
            return;
        }
}

static void rig2_on_abort(struct http_req *req)
{
    struct rig2 *g = req->arg;

    g->aborts++;
    rig2_forget(g, req);
}

static void rig2_on_drain(struct http_req *req) { ((struct rig2 *)req->arg)->drains++; }

static void rig2_on_data(struct http_req *req, struct str data)
{
    struct rig2 *g = req->arg;

    g->got += data.n;
    if (g->echo)
        http_send(req, data.p, data.n);
}

static void rig2_on_eof(struct http_req *req)
{
    static const struct http_header trailers[] = { { STR("grpc-status"), STR("0") }, { STR("Grpc-Message"), STR("a\nb") } };
    struct rig2 *g = req->arg;

    g->eofs++;
    must(req->body_done);
    if (!g->echo)
        return;
    rig2_forget(g, req);
    http_end_trailers(req, trailers, 2);
}

static inline struct blob *rig2_bytes(size_t n)
{
    struct blob *b = blob_new(n);

    for (size_t i = 0; i < n; i++)
        b->data[i] = (char)('a' + (i * 2654435761u >> 13) % 26);
    return b;
}

static void rig2_keep(struct rig2 *g, struct http_req *req, bool orphan)
{
    must(g->n_kept < RIG_KEPT);
    g->kept[g->n_kept++] = req;
    req->arg = g;
    if (!orphan)
        req->on_abort = rig2_on_abort;
    req->on_drain = rig2_on_drain;
    req->on_data = rig2_on_data;
    req->on_eof = rig2_on_eof;
}

static void rig2_handle(void *arg, struct http_req *req)
{
    static const struct http_header extra[] = { { STR("X-Upper"), STR("v") }, { STR("Connection"), STR("close") },
                                                { STR("X-Evil"), STR("a\r\nb: c") } };
    struct rig2 *g = arg;
    uint64_t n;

    g->requests++;
    if (str_is(req->path, "/hello")) {
        http_respond(req, 200, "text/plain", blob_copy(STR("hello")), extra, 3);
    } else if (str_is(req->path, "/echo")) {
        http_respond(req, 200, NULL, blob_copy(req->body), NULL, 0);
    } else if (str_is(req->path, "/host")) {
        http_respond(req, 200, NULL, blob_copy(http_header_get(req->headers, req->n_headers, "Host")), NULL, 0);
    } else if (str_is(req->path, "/big") && str_u64(req->query, &n)) {
        http_respond(req, 200, "text/plain", rig2_bytes(n), NULL, 0);
    } else if (str_is(req->path, "/none")) {
        http_respond(req, 204, NULL, NULL, NULL, 0);
    } else if (str_is(req->path, "/later")) {
        rig2_keep(g, req, str_is(req->query, "orphan"));
    } else if (str_is(req->path, "/stream") || str_is(req->path, "/both")) {
        rig2_keep(g, req, str_is(req->query, "orphan"));
        http_begin(req, 200, "text/plain", str_is(req->query, "gzip"), NULL, 0);
    } else {
        http_respond(req, 404, "text/plain", blob_copy(STR("no such thing")), NULL, 0);
    }
}

static int rig2_judge(void *arg, struct http_req *req, const char **ret_reason)
{
    *ret_reason = "no body of yours";
    if (str_is(req->path, "/both"))
        return HTTP_BODY_FOLLOWS;
    return http_header_get(req->headers, req->n_headers, "X-Refuse").p != NULL ? 401 : 0;
}

static inline void rig2_open_opts(struct rig2 *g, struct http_server_opts o)
{
    *g = (struct rig2){ .blocks = mem_live() };
    g->w = mem_world_new();
    o.addr = "srv";
    o.on_request = rig2_handle;
    o.on_body = rig2_judge;
    o.arg = g;
    must(http_server_open(&g->w->l, &o, &g->srv, NULL) == 0);
}

static inline void rig2_open(struct rig2 *g)
{
    rig2_open_opts(g, (struct http_server_opts){ .max_body = 300000, .max_bodies = 700000 });
}

/* What the test kept is answered: as if nothing had happened. */
static inline void rig2_answer_kept(struct rig2 *g)
{
    while (g->n_kept > 0) {
        struct http_req *req = g->kept[--g->n_kept];
        if (str_is(req->path, "/later"))
            http_respond(req, 200, NULL, blob_copy(STR("late")), NULL, 0);
        else
            http_end(req);
    }
}

/* Everything given back, or the test fails. */
static inline void rig2_close(struct rig2 *g)
{
    if (g->srv != NULL)
        http_server_close(g->srv);
    mem_run(&g->w->l);
    rig2_answer_kept(g);
    mem_run(&g->w->l);
    loop_free(&g->w->l);
    CHECK_INT(mem_live(), g->blocks);
}

/* ---- frames ----------------------------------------------------------------------------------------- */

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
enum { F_DATA, F_HEADERS, F_PRIORITY, F_RST, F_SETTINGS, F_PUSH, F_PING, F_GOAWAY, F_WINDOW, F_CONTINUATION };
enum { FL_END = 1, FL_ACK = 1, FL_HEAD = 4, FL_PAD = 8 };

static inline void put32(struct buf *b, uint32_t v)
{
    unsigned char p[4] = { (unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v };
    buf_add(b, p, 4);
}

static inline void put_frame(struct buf *b, int type, int flags, uint32_t id, struct str payload)
{
    unsigned char head[5] = { (unsigned char)(payload.n >> 16), (unsigned char)(payload.n >> 8), (unsigned char)payload.n,
                              (unsigned char)type, (unsigned char)flags };
    buf_add(b, head, 5);
    put32(b, id);
    buf_str_add(b, payload);
}

static inline void put_number(struct buf *b, int type, int flags, uint32_t id, uint32_t v)
{
    struct buf p = BUF_INIT;

    put32(&p, v);
    put_frame(b, type, flags, id, buf_str(&p));
    buf_release(&p);
}

static inline void put_setting(struct buf *b, uint16_t what, uint32_t v)
{
    struct buf p = BUF_INIT;

    buf_char(&p, (char)(what >> 8));
    buf_char(&p, (char)what);
    put32(&p, v);
    put_frame(b, F_SETTINGS, 0, 0, buf_str(&p));
    buf_release(&p);
}

/* A field, literal and not indexed. */
static inline void put_field(struct buf *b, struct str name, struct str value)
{
    struct str part[2] = { name, value };

    buf_char(b, 0);
    for (int i = 0; i < 2; i++) {
        size_t n = part[i].n;
        if (n < 127) {
            buf_char(b, (char)n);
        } else {
            buf_char(b, 127);
            buf_varint(b, n - 127);
        }
        buf_str_add(b, part[i]);
    }
}

/* method, path and more fields "name: value" separated by newlines. */
static inline void put_fields(struct buf *b, const char *method, const char *path, const char *more)
{
    struct str rest = str_of(more), line;

    put_field(b, STR(":method"), str_of(method));
    put_field(b, STR(":scheme"), STR("http"));
    put_field(b, STR(":path"), str_of(path));
    put_field(b, STR(":authority"), STR("srv"));
    while (more != NULL && str_split(&rest, '\n', &line)) {
        ptrdiff_t colon = str_find(str_from(line, 1), ':');
        put_field(b, str_upto(line, (size_t)colon + 1), str_trim(str_from(line, (size_t)colon + 2)));
    }
}

static inline void put_request(struct buf *b, uint32_t id, const char *method, const char *path, const char *more, bool end)
{
    struct buf p = BUF_INIT;

    put_fields(&p, method, path, more);
    put_frame(b, F_HEADERS, FL_HEAD | (end ? FL_END : 0), id, buf_str(&p));
    buf_release(&p);
}

static inline void put_hello(struct buf *b)
{
    buf_z(b, PREFACE);
    put_frame(b, F_SETTINGS, 0, 0, STR_NONE);
}

/* ---- a raw peer ------------------------------------------------------------------------------------- */

#define PEER_STREAMS 1300

struct answer2 { int status, data_frames; bool ended, trailers; int reset; struct buf body; char header[300]; };
struct peer {
    struct rig2 *g;
    struct stream *s;
    struct buf in, block;
    nghttp2_hd_inflater *hd;
    bool closed, hold_windows, mute, deaf;       /* mute: answers nothing; deaf: looks at nothing either */
    int goaway, pongs, pings, settings, acks;    /* goaway: its code, -1: none */
    char goaway_why[64];
    uint32_t goaway_last;
    struct answer2 a[PEER_STREAMS];              /* of stream 2 * i + 1 */
    int order[PEER_STREAMS * 4]; int n_order;    /* streams in the order of their data frames */
};

static uint32_t get32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void peer_headers(struct peer *r, struct answer2 *a, struct str block)
{
    const unsigned char *p = (const unsigned char *)block.p;
    size_t n = block.n;
    int flags;

    a->trailers = a->status != 0;
    for (;;) {
        nghttp2_nv nv;
        ssize_t took = nghttp2_hd_inflate_hd2(r->hd, &nv, &flags, p, n, 1);
        must(took >= 0);
        p += took;
        n -= (size_t)took;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            size_t at = strlen(a->header);
            if (str_is(str_make((char *)nv.name, nv.namelen), ":status"))
                a->status = (nv.value[0] - '0') * 100 + (nv.value[1] - '0') * 10 + nv.value[2] - '0';
            else if (!str_is(str_make((char *)nv.name, nv.namelen), "date"))
                snprintf(a->header + at, sizeof a->header - at, "%.*s=%.*s;", (int)nv.namelen, (char *)nv.name,
                         (int)nv.valuelen, (char *)nv.value);
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(r->hd);
}

static void peer_send_buf(struct peer *r, struct buf *b)
{
    if (!r->closed)
        stream_write(r->s, b->p, b->n);
    buf_release(b);
}

static void peer_data(struct peer *r, struct answer2 *a, uint32_t id, struct str body)
{
    struct buf b = BUF_INIT;

    buf_str_add(&a->body, body);
    a->data_frames++;
    if (r->n_order < (int)ARRAY_LEN(r->order))
        r->order[r->n_order++] = (int)id;
    if (r->hold_windows || body.n == 0)
        return;
    put_number(&b, F_WINDOW, 0, 0, (uint32_t)body.n);
    put_number(&b, F_WINDOW, 0, id, (uint32_t)body.n);
    peer_send_buf(r, &b);
}

static void peer_frame(struct peer *r, int type, int flags, uint32_t id, struct str p)
{
    struct answer2 none = { 0 }, *a = id % 2 == 1 && id / 2 < PEER_STREAMS ? &r->a[id / 2] : &none;
    struct buf b = BUF_INIT;

    switch (type) {
    case F_HEADERS: case F_CONTINUATION:
        buf_str_add(&r->block, p);
        if (flags & FL_HEAD) {
            peer_headers(r, a, buf_str(&r->block));
            buf_clear(&r->block);
        }
        break;
    case F_DATA: peer_data(r, a, id, p); break;
    case F_RST: a->reset = (int)get32(p.p) + 1; break;
    case F_SETTINGS:
        *(flags & FL_ACK ? &r->acks : &r->settings) += 1;
        if ((flags & FL_ACK) == 0 && !r->mute)
            put_frame(&b, F_SETTINGS, FL_ACK, 0, STR_NONE);
        break;
    case F_PING:
        *(flags & FL_ACK ? &r->pongs : &r->pings) += 1;
        if ((flags & FL_ACK) == 0 && !r->mute)
            put_frame(&b, F_PING, FL_ACK, 0, p);
        break;
    case F_GOAWAY:
        r->goaway_last = get32(p.p);
        r->goaway = (int)get32(p.p + 4);
        snprintf(r->goaway_why, sizeof r->goaway_why, "%.*s", (int)(p.n - 8), p.p + 8);
        break;
    default: break;
    }
    if ((type == F_HEADERS || type == F_DATA) && (flags & FL_END))
        a->ended = true;
    peer_send_buf(r, &b);
}

static void peer_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct peer *r = arg;
    size_t at = 0;

    if (r->deaf)
        return;
    buf_add(&r->in, p, n);
    while (r->in.n - at >= 9) {
        const unsigned char *h = (const unsigned char *)r->in.p + at;
        size_t len = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
        if (r->in.n - at < 9 + len)
            break;
        peer_frame(r, h[3], h[4], get32((const char *)h + 5), str_make((const char *)h + 9, len));
        at += 9 + len;
    }
    buf_drop(&r->in, at);
}

static void peer_on_close(void *arg, struct stream *s, int err, const char *reason) { ((struct peer *)arg)->closed = true; }

static inline struct peer *peer_open(struct rig2 *g)
{
    static const struct stream_events ev = { .on_data = peer_on_data, .on_close = peer_on_close };
    struct peer *r = mem_new(struct peer);
    struct stream_connect_opts o = { .addr = "srv", .ev = &ev, .arg = r };

    r->g = g;
    r->goaway = -1;
    must(nghttp2_hd_inflate_new(&r->hd) == 0);
    must(stream_connect(&g->w->l, &o, &r->s, NULL) == 0);
    mem_run_for(g->w, 1);
    return r;
}

static inline void peer_close(struct peer *r)
{
    if (!r->closed)
        stream_close(r->s);
    while (!r->closed && mem_step(r->g->w)) { }
    mem_run_for(r->g->w, 1);
    for (size_t i = 0; i < PEER_STREAMS; i++)
        buf_release(&r->a[i].body);
    buf_release(&r->in);
    buf_release(&r->block);
    nghttp2_hd_inflate_del(r->hd);
    mem_free(r);
}

/* Sends, and lets ms pass. */
static inline void peer_say(struct peer *r, struct buf *b, uint64_t ms)
{
    peer_send_buf(r, b);
    mem_run_for(r->g->w, ms);
}

#endif
