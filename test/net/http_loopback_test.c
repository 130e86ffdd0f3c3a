/* test/net/http_loopback_test.c: HTTP server and client in one real loop, over TCP and TLS: what the
 * world in memory cannot show (records, real back-pressure, the real thread pool). */
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/ws.h"
#include "test/test.h"

struct rig {
    struct loop *l;
    struct http_server *srv;
    struct http_client *cli;
    struct tls_ctx *srv_tls, *cli_tls;
    struct blob *big;
    long blocks;
    unsigned left;                               /* things to await */
    size_t bytes, bad, aborted;
    struct http_req *stream;
    struct ws *srv_ws, *cli_ws;
    struct buf log;
    struct timer guard;
    size_t received;
};

static void rig_done(struct rig *g)
{
    must(g->left > 0);
    if (--g->left == 0)
        loop_stop(g->l);
}

static void rig_on_guard(struct timer *t)
{
    struct rig *g = container_of(t, struct rig, guard);

    test_fail(__FILE__, __LINE__, "gave up with %u things to come", g->left);
    loop_stop(g->l);
}

static void rig_run(struct rig *g, unsigned things)
{
    g->left = things;
    timer_start(&g->guard, 20000);
    loop_run(g->l);
    timer_stop(&g->guard);
}

/* ---- the server's side -------------------------------------------------------------------------- */

static void srv_ws_message(void *arg, struct ws *w, bool text, const char *p, size_t n) { ws_send(w, text, p, n); }
static void srv_ws_close(void *arg, struct ws *w, int code, const char *reason) { rig_done(arg); }
static const struct ws_events srv_ws_events = { .on_message = srv_ws_message, .on_close = srv_ws_close };

static void srv_fill(struct http_req *req)
{
    struct rig *g = req->arg;

    while (g->bytes < (8u << 20) && http_queued(req) < 4 * STREAM_LOW_WATER) {
        http_send_blob(req, blob_ref(g->big), 0, 10000);
        g->bytes += 10000;
    }
    if (g->bytes >= (8u << 20))
        http_end(req);
}

static void srv_on_abort(struct http_req *req)
{
    struct rig *g = req->arg;

    g->aborted++;
    g->stream = NULL;
    rig_done(g);
}

static void srv_on_request(void *arg, struct http_req *req)
{
    static const char *const protocols[] = { "v5.echo", "v4.echo" };
    static const struct http_header up = { { "Upgrade", 7 }, { "websocket", 9 } };
    struct rig *g = arg;

    req->arg = g;
    if (str_is(req->path, "/big")) {
        http_respond(req, 200, "application/json", blob_ref(g->big), NULL, 0);
    } else if (str_is(req->path, "/echo")) {
        http_respond(req, 200, NULL, blob_copy(req->body), NULL, 0);
    } else if (str_is(req->path, "/flow")) {
        req->on_drain = srv_fill;
        req->on_abort = srv_on_abort;
        http_begin(req, 200, "text/plain", false, NULL, 0);
        srv_fill(req);
    } else if (str_is(req->path, "/watch")) {
        req->on_abort = srv_on_abort;
        g->stream = req;
        http_begin(req, 200, "text/plain", false, NULL, 0);
        http_send(req, "event", 5);
    } else if (str_is(req->path, "/accept")) {
        struct ws_accept_opts o = { .protocols = protocols, .n_protocols = 2, .max_message = 1 << 20,
                                    .ev = &srv_ws_events, .arg = g };
        const char *protocol = NULL, *reason = NULL;
        if (ws_accept(req, &o, &protocol, &reason) == NULL)
            http_respond(req, 400, "text/plain", blob_copy(str_of(reason)), NULL, 0);
    } else {
        struct stream *s = http_upgrade(req, &up, 1, NULL, NULL);
        g->srv_ws = ws_new(s, false, 1 << 20, &srv_ws_events, g);
    }
}

/* ---- the rig ------------------------------------------------------------------------------------ */

static void rig_certificates(struct rig *g)
{
    static const char *const sans[] = { "127.0.0.1" };
    struct buf ca = BUF_INIT, ca_key = BUF_INIT, cert = BUF_INIT, key = BUF_INIT;
    struct pki_req r = { .common_name = "ca", .ca = true, .days = 1 };

    must(pki_issue(&r, &ca, &ca_key, NULL) == 0);
    r = (struct pki_req){ .common_name = "srv", .server = true, .days = 1, .sans = sans, .n_sans = 1,
                          .ca_cert_pem = buf_str(&ca), .ca_key_pem = buf_str(&ca_key) };
    must(pki_issue(&r, &cert, &key, NULL) == 0);
    struct tls_opts so = { .server = true, .cert_pem = buf_str(&cert), .key_pem = buf_str(&key) };
    struct tls_opts co = { .ca_pem = buf_str(&ca) };
    must(tls_ctx_new(&so, &g->srv_tls, NULL) == 0 && tls_ctx_new(&co, &g->cli_tls, NULL) == 0);
    buf_release(&ca);
    buf_release(&ca_key);
    buf_release(&cert);
    buf_release(&key);
}

static void rig_open(struct rig *g, bool tls)
{
    *g = (struct rig){ .blocks = mem_live() };
    g->l = loop_new_real();
    timer_init(&g->guard, g->l, rig_on_guard);
    if (tls)
        rig_certificates(g);
    g->big = blob_new(3 << 20);
    for (size_t i = 0; i < g->big->len; i++)
        g->big->data[i] = (char)("{\"kind\": 0123456789}"[i % 20] + (i * 2654435761u >> 30) % 3);
    struct http_server_opts so = { .addr = "127.0.0.1:0", .tls = g->srv_tls, .on_request = srv_on_request, .arg = g };
    must(http_server_open(g->l, &so, &g->srv, NULL) == 0);
    const char *addr = http_server_addr(g->srv);
    struct http_client_opts co = { .addrs = &addr, .n_addrs = 1, .tls = g->cli_tls };
    must(http_client_new(g->l, &co, &g->cli, NULL) == 0);
}

static void rig_close(struct rig *g)
{
    http_client_free(g->cli);
    http_server_close(g->srv);
    loop_run(g->l);
    loop_free(g->l);
    tls_ctx_free(g->srv_tls);
    tls_ctx_free(g->cli_tls);
    blob_unref(g->big);
    buf_release(&g->log);
    CHECK_INT(mem_live(), g->blocks);
}

/* ---- the client's side -------------------------------------------------------------------------- */

static void echo_on_done(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body)
{
    struct rig *g = arg;

    if (err != 0 || status != 200 || body.n != 2000)
        test_fail(__FILE__, __LINE__, "err %d (%s) status %d, %zu bytes", err, reason, status, body.n);
    rig_done(g);
}

static void big_on_done(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body)
{
    struct rig *g = arg;

    CHECK(err == 0 && status == 200);
    CHECK_STR(http_call_header(c, "content-encoding"), "gzip");
    CHECK(body.n > 1000 && body.n < g->big->len / 2);
    rig_done(g);
}

static void flow_on_data(void *arg, struct http_call *c, const char *p, size_t n)
{
    struct rig *g = arg;

    for (size_t i = 0; i < n; i += 1000)
        g->bad += p[i] == 0;
    g->received += n;
    if (g->log.n == 0) {                         /* a pause in its midst */
        buf_char(&g->log, '.');
        http_call_pause(c);
        http_call_resume(c);
    }
}

static void flow_on_done(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body)
{
    struct rig *g = arg;

    CHECK(err == 0 && status == 200);
    rig_done(g);
}

static void watch_on_data(void *arg, struct http_call *c, const char *p, size_t n)
{
    CHECK_STR(str_make(p, n), "event");
    http_call_cancel(c);
}

static void never(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body)
{
    test_fail(__FILE__, __LINE__, "a canceled call came back: %d %s", err, reason);
}

static void all_of_it(bool tls)
{
    static const struct http_header gz = { { "Accept-Encoding", 15 }, { "gzip", 4 } };
    struct rig g;

    rig_open(&g, tls);
    struct blob *body = blob_new(2000);
    memset(body->data, 'x', body->len);
    struct http_call_opts o = { .method = "POST", .target = STR("/echo"), .body = body, .on_done = echo_on_done, .arg = &g };
    for (int i = 0; i < 300; i++)
        CHECK(http_call(g.cli, &o, NULL, NULL) == 0);
    rig_run(&g, 300);
    blob_unref(body);
    o = (struct http_call_opts){ .method = "GET", .target = STR("/big"), .headers = &gz, .n_headers = 1,
                                 .on_done = big_on_done, .arg = &g };
    for (int i = 0; i < 5; i++)
        CHECK(http_call(g.cli, &o, NULL, NULL) == 0);
    rig_run(&g, 5);
    o = (struct http_call_opts){ .method = "GET", .target = STR("/flow"), .streamed = true, .on_data = flow_on_data,
                                 .on_done = flow_on_done, .arg = &g };
    CHECK(http_call(g.cli, &o, NULL, NULL) == 0);
    rig_run(&g, 1);
    CHECK(g.bytes >= (8u << 20) && g.received == g.bytes && g.bad == 0);
    o = (struct http_call_opts){ .method = "GET", .target = STR("/watch"), .streamed = true, .on_data = watch_on_data,
                                 .on_done = never, .arg = &g };
    CHECK(http_call(g.cli, &o, NULL, NULL) == 0);
    rig_run(&g, 1);                              /* the server sees the watcher go */
    CHECK_INT(g.aborted, 1);
    rig_close(&g);
}

TEST(over_tcp) { all_of_it(false); }
TEST(over_tls) { all_of_it(true); }

static void cli_ws_message(void *arg, struct ws *w, bool text, const char *p, size_t n)
{
    struct rig *g = arg;

    buf_fmt(&g->log, "%zu,", n);
    if (n == 100000)
        ws_close(w, 1000, "done");
}

static void cli_ws_close(void *arg, struct ws *w, int code, const char *reason)
{
    CHECK_INT(code, 1000);
    rig_done(arg);
}

static void ws_on_upgraded(void *arg, int err, const char *reason, int status, const struct http_header *h, size_t n,
                           struct str body, struct stream *s)
{
    static const struct ws_events ev = { .on_message = cli_ws_message, .on_close = cli_ws_close };
    struct rig *g = arg;

    CHECK(err == 0 && status == 101 && s != NULL);
    if (s == NULL) {
        loop_stop(g->l);
        return;
    }
    g->cli_ws = ws_new(s, true, 1 << 20, &ev, g);
    for (size_t len = 1; len <= 100000; len *= 10)
        ws_send(g->cli_ws, true, g->big->data, len);
}

TEST(websocket_over_tls)
{
    static const struct http_header h = { { "Upgrade", 7 }, { "websocket", 9 } };
    struct rig g;

    rig_open(&g, true);
    struct http_upgrade_opts o = { .method = "GET", .target = STR("/ws"), .headers = &h, .n_headers = 1,
                                   .on_done = ws_on_upgraded, .arg = &g };
    CHECK(http_client_upgrade(g.cli, &o, NULL) == 0);
    rig_run(&g, 2);
    CHECK_STR(buf_str(&g.log), "1,10,100,1000,10000,100000,");
    rig_close(&g);
}

/* A client that doesn't wait for the 101: its first frame comes in the same record. */
static void early_on_open(void *arg, struct stream *s)
{
    static const char req[] = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                              "\x82\x85\0\0\0\0early\x88\x80\0\0\0\0";
    stream_write(s, req, sizeof req - 1);
}

static void early_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    buf_add(&((struct rig *)arg)->log, p, n);
}

static void early_on_close(void *arg, struct stream *s, int err, const char *reason) { rig_done(arg); }

TEST(early_bytes_over_tcp_and_tls)
{
    static const struct stream_events ev = { .on_open = early_on_open, .on_data = early_on_data, .on_close = early_on_close };
    struct rig g;
    struct stream *s;

    for (int tls = 0; tls < 2; tls++) {
        rig_open(&g, tls != 0);
        struct stream_connect_opts o = { .addr = http_server_addr(g.srv), .tls = g.cli_tls, .ev = &ev, .arg = &g };
        must(stream_connect(g.l, &o, &s, NULL) == 0);
        rig_run(&g, 2);
        CHECK(str_ends(buf_str(&g.log), STR("\r\n\r\n\x82\x05" "early\x88\x00")));
        rig_close(&g);
    }
}

static void conn_on_open(void *arg, int err, const char *reason, int status, struct str body, struct ws *w, struct str protocol)
{
    struct rig *g = arg;

    if (w == NULL) {
        buf_fmt(&g->log, "%d %d %.*s;", err, status, STR_ARG(body));
        rig_done(g);
        return;
    }
    buf_fmt(&g->log, "%.*s ", STR_ARG(protocol));
    ws_send(w, false, g->big->data, 100000);
}

TEST(websocket_handshakes)
{
    static const struct ws_events ev = { .on_message = cli_ws_message, .on_close = cli_ws_close };
    struct rig g;

    rig_open(&g, false);
    struct ws_connect_opts o = { .target = STR("/accept"), .protocols = "v3.echo, v4.echo", .max_message = 1 << 20,
                                 .ev = &ev, .on_open = conn_on_open, .arg = &g };
    CHECK(ws_connect(g.cli, &o, NULL) == 0);
    rig_run(&g, 2);
    CHECK_STR(buf_str(&g.log), "v4.echo 100000,");
    buf_clear(&g.log);
    o.protocols = "v3.echo";
    CHECK(ws_connect(g.cli, &o, NULL) == 0);
    rig_run(&g, 1);
    CHECK_STR(buf_str(&g.log), "0 400 none of the offered WebSocket protocols is spoken here;");
    buf_clear(&g.log);
    o.target = STR("/plain");                    /* says 101 without the accept key: not believed */
    CHECK(ws_connect(g.cli, &o, NULL) == 0);
    rig_run(&g, 2);
    CHECK_STR(buf_str(&g.log), "-4 101 ;");
    o.n_headers = 33;
    CHECK_INT(ws_connect(g.cli, &o, NULL), E_TOOBIG);
    rig_close(&g);
}
