/* test/fuzz/fuzz_http2.c: hostile bytes at the HTTP/2 of server and client.  First byte: which side, whether what
 * follows is bytes of the wire or a recipe for frames, and what the handlers do; second: how the bytes are cut.
 * Whatever comes, nothing may break or leak, and a client's call ends once. */
#include "net/http_client.h"
#include "test/net/http2_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void test_register(struct test *t) { }

void test_fail(const char *file, int line, const char *fmt, ...)
{
    panic_at(file, line, fmt);
}

/* Frames that mostly make sense: 4 bytes each say type, flags, stream and length; headers are real requests. */
static void cook(struct buf *out, const uint8_t *p, size_t n)
{
    static const char *const path[] = { "/hello", "/later", "/later?orphan", "/stream", "/both", "/both?orphan", "/echo",
                                        "/big?300000", "/stream?gzip" };

    for (; n >= 4; p += 4, n -= 4) {
        uint32_t id = p[2] % 16;
        size_t len = MIN_OF((size_t)p[3], n - 4);
        struct buf fields = BUF_INIT;
        if (p[0] % 16 == 11) {
            put_request(out, id, p[1] & 64 ? "GET" : "POST", path[p[3] % ARRAY_LEN(path)], "accept-encoding: gzip", p[1] & 1);
        } else if (p[0] % 16 == 12) {
            put_field(&fields, STR(":status"), p[1] & 2 ? STR("200") : STR("103"));
            put_frame(out, F_HEADERS, FL_HEAD | (p[1] & 1), id, buf_str(&fields));
        } else if (p[0] % 16 == 13) {
            put_number(out, p[1] & 1 ? F_WINDOW : F_RST, 0, id, (uint32_t)p[3] << (p[1] % 24));
        } else if (p[0] % 16 == 14) {
            put_setting(out, p[1] % 8, (uint32_t)p[3] << (p[2] % 24));
        } else {
            put_frame(out, p[0] % 16, p[1], id, str_make((const char *)p + 4, len));
            p += len;
            n -= len;
        }
        buf_release(&fields);
    }
}

static void stir(struct rig2 *g, unsigned how)
{
    for (int i = 0; i < g->n_kept; i++) {
        struct http_req *req = g->kept[i];
        (how & 1 ? http_req_pause : http_req_resume)(req);
        if (strncmp(req->path.p, "/later", 6) != 0)
            http_send_blob(req, rig2_bytes(how % 7 * 20000 + 1), 0, how % 7 * 20000 + 1);
    }
    if (how & 2)
        rig2_answer_kept(g);
}

static void fuzz_server(struct rig2 *g, struct str in, unsigned how)
{
    struct peer *r = peer_open(g);

    r->deaf = true;                              /* what comes back may be HTTP/1.1 */
    stream_write(r->s, in.p, in.n);
    for (int i = 0; i < 20 && !r->closed; i++) {
        mem_run_for(g->w, i == 15 ? 100000 : 5);
        stir(g, how + (unsigned)i);
        if (i == 10 && (how & 4))
            http_server_drain(g->srv, 1000, NULL, NULL);
    }
    peer_close(r);
}

struct server { struct str say; int done; };

static void server_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct server *u = arg;

    stream_write(s, u->say.p, u->say.n);
    u->say.n = 0;
}

static void server_on_accept(void *arg, struct stream *s)
{
    static const struct stream_events ev = { .on_data = server_on_data };

    stream_set_events(s, &ev, arg);
}

static void call_on_data(void *arg, struct http_call *c, const char *p, size_t n) { http_call_pause(c); }

static void call_on_done(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body)
{
    ((struct server *)arg)->done++;
}

static void fuzz_client(struct rig2 *g, struct str in, unsigned how)
{
    const char *addr = "server";
    struct server u = { in, 0 };
    struct listener_opts lo = { .addr = addr, .on_accept = server_on_accept, .arg = &u };
    struct http_client_opts o = { .addrs = &addr, .n_addrs = 1, .http2 = true };
    struct http_client *c;
    struct listener *ln;

    must(listener_open(&g->w->l, &lo, &ln, NULL) == 0 && http_client_new(&g->w->l, &o, &c, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        bool streamed = (how >> i & 1) != 0;
        struct http_call_opts co = { .method = i == 0 ? "HEAD" : "POST", .target = STR("/x"), .streamed = streamed,
                                     .body_follows = i == 2, .timeout_ms = 1000, .on_done = call_on_done,
                                     .on_data = streamed ? call_on_data : NULL, .arg = &u };
        must(http_call(c, &co, NULL, NULL) == 0);
    }
    mem_run_for(g->w, 5000);
    must(u.done == 4);
    listener_close(ln);
    http_client_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig2 g;
    struct buf in = BUF_INIT;

    if (size < 2)
        return 0;
    rig2_open(&g);
    if (data[1] != 0)
        g.w->piece = data[1];
    bool server = (data[0] & 1) == 0;
    g.echo = data[0] & 32;
    if (server && (data[0] & 64) == 0)
        buf_z(&in, PREFACE);
    if (data[0] & 2) {
        put_frame(&in, F_SETTINGS, 0, 0, STR_NONE);
        cook(&in, data + 2, size - 2);
    } else {
        buf_add(&in, data + 2, size - 2);
    }
    if (server)
        fuzz_server(&g, buf_str(&in), data[0] >> 2);
    else
        fuzz_client(&g, buf_str(&in), data[0] >> 2);
    mem_run_for(g.w, 10);
    buf_release(&in);
    rig2_close(&g);
    return 0;
}
