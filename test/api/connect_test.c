/* test/api/connect_test.c: logs and exec through a head to a node, over real sockets: what is passed on,
 * and what is not. */
#include <stdlib.h>
#include "api/json.h"
#include "api/server.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "net/ws.h"
#include "test/test.h"

#define LOG_BYTES (3u << 20)

struct rig {
    struct loop *l;
    struct disk *disk;
    struct store *store;
    struct api *api;
    struct http_server *node;
    struct http_client *cli;
    struct tls_ctx *node_srv, *node_cli;
    struct timer guard;
    char target[600];                            /* what the node was asked */
    char protocol[80];
    struct buf pod_heard;
    struct ws *ws;
    size_t sent;
    struct stream *echo;
    /* The last answer. */
    int err, status;
    struct buf body;
    struct stream *up;
};

/* ---- The node ---------------------------------------------------------------------------------------- */

static void echo_data(void *arg, struct stream *s, const char *p, size_t n) { stream_write(s, p, n); }
static void echo_close(void *arg, struct stream *s, int err,
                       const char *reason) { ((struct rig *)arg)->echo = NULL; }
static const struct stream_events echo_events = { .on_data = echo_data, .on_close = echo_close };

static void log_fill(struct http_req *req)
{
    struct rig *g = req->arg;
    char        piece[1000];

    memset(piece, 'x', sizeof piece);
    while (g->sent < LOG_BYTES && http_queued(req) < 4 * STREAM_LOW_WATER) {
        http_send(req, piece, sizeof piece);
        g->sent += sizeof piece;
    }
    if (g->sent >= LOG_BYTES)
        http_end(req);
}

static void node_upgrade(struct rig *g, struct http_req *req, bool honest)
{
    char accept[29];
    struct http_header h[3] = {
        { STR("Upgrade"), STR("websocket") }, { STR("Sec-WebSocket-Accept"), STR_NONE },
        { STR("Sec-WebSocket-Protocol"), STR("v5.channel.k8s.io") },
    };

    ws_accept_key(honest ? http_header_get(req->headers, req->n_headers,
                                           "Sec-WebSocket-Key") : STR("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    h[1].value = str_of(accept);
    snprintf(g->protocol, sizeof g->protocol, "%.*s",
             STR_ARG(http_header_get(req->headers, req->n_headers, "Sec-WebSocket-Protocol")));
    g->echo = http_upgrade(req, h, 3, &echo_events, g);
}

/* A pod behind a tunnel: the bytes of one answer to whatever is asked. */
static void pod_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct rig *g = arg;
    static const char answer[] = "HTTP/1.1 418 x\r\nX-Pod: yes\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
                                 "Location: /there\r\nContent-Length: 5\r\n\r\nhello";

    buf_add(&g->pod_heard, p, n);
    if (memmem(g->pod_heard.p, g->pod_heard.n, "\r\n\r\n", 4) != NULL)
        stream_write(s, answer, strlen(answer) - (memmem(g->pod_heard.p, g->pod_heard.n, "/half", 5) ? 2
                                                  : 0));
    if (memmem(g->pod_heard.p, g->pod_heard.n, "/half", 5) != NULL)
        stream_close_after_flush(s);
}
static const struct stream_events pod_events = { .on_data = pod_data, .on_close = echo_close };

static bool node_tunnel(struct rig *g, struct http_req *req)
{
    static const struct http_header tcp = { { "Upgrade", 7 }, { "tcp", 3 } };

    if (strstr(g->target, "/tunnel/default/p/81") != NULL)
        http_respond(req, 503, "text/plain", blob_copy(STR("dial tcp 10.1.1.1:81: refused\n")), NULL, 0);
    else if (strstr(g->target, "/tunnel/default/p/80") != NULL)
        g->echo = http_upgrade(req, &tcp, 1, &pod_events, g);
    else
        return false;
    return true;
}

static void node_on_request(void *arg, struct http_req *req)
{
    struct rig *g = arg;
    struct http_header location = { STR("Location"), STR("https://169.254.169.254/latest") };

    snprintf(g->target, sizeof g->target, "%.*s", STR_ARG(req->target));
    req->arg = g;
    if (node_tunnel(g, req))
        return;
    if (strstr(g->target, "/containerLogs/default/p/short") != NULL) {
        http_respond(req, 200, "text/plain", blob_copy(STR("one line\n")), NULL, 0);
    } else if (strstr(g->target, "/away") != NULL) {
        location.value = STR("/elsewhere?a=b");
        http_respond(req, 302, "text/plain", blob_copy(STR("go there")), &location, 1);
    } else if (strstr(g->target, "/containerLogs/default/p/big") != NULL) {
        g->sent = 0;
        req->on_drain = log_fill;
        http_begin(req, 200, "text/plain", false, NULL, 0);
        log_fill(req);
    } else if (strstr(g->target, "/containerLogs/") != NULL) {
        http_respond(req, 400, "text/plain",
                     blob_copy(STR("container \"c\" in pod \"p\" is waiting to start: "
                                   "ContainerCreating\n")), NULL, 0);
    } else if (strstr(g->target, "command=redirect") != NULL) {
        http_respond(req, 302, "text/plain", blob_copy(STR("go there")), &location, 1);
    } else if (strstr(g->target, "command=refuse") != NULL) {
        http_respond(req, 403, "application/json",
                     blob_copy(STR("{\"kind\":\"Status\",\"message\":\"not you\"}")), NULL, 0);
    } else {
        node_upgrade(g, req, strstr(g->target, "command=lie") == NULL);
    }
}

/* ---- Driving ----------------------------------------------------------------------------------------- */

static void on_guard(struct timer *t)
{
    test_fail(__FILE__, __LINE__, "gave up waiting");
    loop_stop(container_of(t, struct rig, guard)->l);
}

static void run(struct rig *g)
{
    timer_start(&g->guard, 10000);
    loop_run(g->l);
    timer_stop(&g->guard);
}

static void on_done(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body)
{
    struct rig *g = arg;

    g->err = err;
    g->status = status;
    buf_clear(&g->body);
    buf_str_add(&g->body, body);
    loop_stop(g->l);
}

static const struct http_header bearer = { { "Authorization", 13 }, { "Bearer sesame", 13 } };

static int call(struct rig *g, const char *method, const char *target, const char *body)
{
    struct blob *b = body != NULL ? blob_copy(str_of(body)) : NULL;
    struct http_call_opts o = { .method = method, .target = str_of(target), .headers = &bearer,
                                .n_headers = 1, .body = b,
                                .on_done = on_done, .arg = g };

    must_ok(http_call(g->cli, &o, NULL, NULL));
    blob_unref(b);
    run(g);
    return g->err != 0 ? g->err : g->status;
}

static void on_upgraded(void *arg, int err, const char *reason, int status, const struct http_header *h,
                        size_t n, struct str body,
                        struct stream *s)
{
    struct rig *g = arg;

    on_done(arg, NULL, err, reason, status, body);
    g->up = s;
}

static int upgrade(struct rig *g, const char *target, const char *to)
{
    struct http_header h[] = {
        bearer, { STR("Upgrade"), str_of(to) }, { STR("Sec-WebSocket-Key"), STR("AQIDBAUGBwgJCgsMDQ4PEA==") },
        { STR("Sec-WebSocket-Version"), STR("13") },
            { STR("Sec-WebSocket-Protocol"), STR("v5.channel.k8s.io") },
    };
    struct http_upgrade_opts o = { .method = "GET", .target = str_of(target), .headers = h,
                                   .n_headers = ARRAY_LEN(h),
                                   .on_done = on_upgraded, .arg = g };

    must_ok(http_client_upgrade(g->cli, &o, NULL));
    run(g);
    return g->err != 0 ? g->err : g->status;
}

static void make_tls(struct rig *g)
{
    struct buf  ca = BUF_INIT, ca_key = BUF_INIT, cert = BUF_INIT, key = BUF_INIT;
    const char *sans[] = { "127.0.0.1" };
    struct pki_req r = { .common_name = "ca", .ca = true, .days = 2 };
    struct tls_opts o = { .server = true };

    must_ok(pki_issue(&r, &ca, &ca_key, NULL));
    r = (struct pki_req){ .common_name = "x", .sans = sans, .n_sans = 1, .server = true, .client = true,
                          .days = 2,
                          .ca_cert_pem = buf_str(&ca), .ca_key_pem = buf_str(&ca_key) };
    must_ok(pki_issue(&r, &cert, &key, NULL));
    o.ca_pem = buf_str(&ca);
    o.cert_pem = buf_str(&cert);
    o.key_pem = buf_str(&key);
    must_ok(tls_ctx_new(&o, &g->node_srv, NULL));
    o.server = false;
    must_ok(tls_ctx_new(&o, &g->node_cli, NULL));
    buf_release(&ca);
    buf_release(&ca_key);
    buf_release(&cert);
    buf_release(&key);
}

static void open_head(struct rig *g)
{
    struct raft_peer_opts peer = { 1, "127.0.0.1:0" };
    struct store_opts so = { .raft = { .loop = g->l, .id = 1, .cluster = 7, .heads = &peer, .n_heads = 1,
                                       .listen_addr = "127.0.0.1:0" } };
    struct api_opts   o = { .loop = g->l, .listen_addr = "127.0.0.1:0", .node_tls = g->node_cli,
                            .token_lines = STR("sesame,ali,1,system:masters\n") };
    struct errbuf     err = { "" };
    char              path[300];

    snprintf(path, sizeof path, "%s/data", test_dir());
    if (disk_open(g->l, path, &g->disk, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.s);
    so.raft.disk = g->disk;
    must_ok(store_open(&so, &g->store, &err));
    o.store = g->store;
    must_ok(api_open(&o, &g->api, &err));
    api_bootstrap(g->api);
}

static void open_all(struct rig *g)
{
    struct http_server_opts so = { .addr = "127.0.0.1:0", .on_request = node_on_request, .arg = g };
    const char *addr;
    struct http_client_opts co = { .addrs = &addr, .n_addrs = 1 };
    char        body[400];

    memset(g, 0, sizeof *g);
    g->l = loop_new_real();
    timer_init(&g->guard, g->l, on_guard);
    make_tls(g);
    open_head(g);
    so.tls = g->node_srv;
    must_ok(http_server_open(g->l, &so, &g->node, NULL));
    addr = api_addr(g->api);
    must_ok(http_client_new(g->l, &co, &g->cli, NULL));
    for (unsigned i = 0; i < 200 && call(g, "GET", "/api/v1/namespaces/default", NULL) != 200; i++)
        ;
    snprintf(body, sizeof body, "{\"metadata\":{\"name\":\"n\"},"
                                "\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
                                "\"address\":\"127.0.0.1\"}],"
             "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":%s}}}}",
                 strrchr(http_server_addr(g->node), ':') + 1);
    CHECK_INT(call(g, "POST", "/api/v1/nodes", "{\"metadata\":{\"name\":\"n\"}}"), 201);
    CHECK_INT(call(g, "PUT", "/api/v1/nodes/n/status", body), 200);
    call(g, "POST", "/api/v1/namespaces/default/serviceaccounts", "{\"metadata\":{\"name\":\"default\"}}");
    CHECK_INT(call(g, "POST", "/api/v1/namespaces/default/pods",
                   "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"nodeName\":\"n\",\"containers\":"
              "[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"big\",\"image\":\"i\"},"
              "{\"name\":\"short\",\"image\":\"i\"}]}}"), 201);
}

static void on_store_closed(void *arg)
{
    struct rig *g = arg;

    disk_close(g->disk);
    if (g->node != NULL)
        http_server_close(g->node);
    loop_stop(g->l);
}

static void on_api_closed(void *arg) { store_close(((struct rig *)arg)->store, on_store_closed, arg); }

static void close_all(struct rig *g)
{
    http_client_free(g->cli);
    api_close(g->api, on_api_closed, g);
    run(g);
    loop_run(g->l);                              /* what was closed last says goodbye */
    tls_ctx_free(g->node_srv);
    tls_ctx_free(g->node_cli);
    buf_release(&g->body);
    buf_release(&g->pod_heard);
    loop_free(g->l);
}

static struct str message(struct rig *g)
{
    static char       out[400];
    struct arena      a = ARENA_INIT;
    struct json      *obj;
    struct json_error err;

    out[0] = '\0';
    if (json_parse(&a, buf_str(&g->body), &obj, &err) == 0)
        snprintf(out, sizeof out, "%.*s", STR_ARG(json_path_str(obj, "message")));
    arena_release(&a);
    return str_of(out);
}

#define POD "/api/v1/namespaces/default/pods/p"

/* ---- Tests ------------------------------------------------------------------------------------------- */

TEST(logs)
{
    struct rig g;

    open_all(&g);
    CHECK_INT(call(&g, "GET", POD "/log?container=big&tailLines=5&follow=true&evil=1", NULL), 200);
    CHECK_STR(str_of(g.target), "/containerLogs/default/p/big?follow=true&tailLines=5");
    CHECK(g.body.n >= LOG_BYTES);
    CHECK_INT(call(&g, "GET", POD "/log?container=c", NULL), 400);
    CHECK_STR(message(&g), "container \"c\" in pod \"p\" is waiting to start: ContainerCreating");
    CHECK_INT(call(&g, "GET", POD "/log", NULL), 400);
    CHECK_STR(message(&g), "a container name must be specified for pod p, choose one of: [c big short]");
    CHECK_INT(call(&g, "GET", POD "/log?container=zzz", NULL), 400);
    CHECK_INT(call(&g, "GET", "/api/v1/namespaces/default/pods/none/log", NULL), 404);
    close_all(&g);
}

static void raw_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct rig *g = arg;

    buf_add(&g->body, p, n);
    if (g->body.n >= (1u << 20))
        loop_stop(g->l);
}

static void raw_closed(void *arg, struct stream *s, int err,
                       const char *reason) { loop_stop(((struct rig *)arg)->l); }
static const struct stream_events raw_events = { .on_data = raw_data, .on_close = raw_closed };

TEST(exec_pipes_bytes)
{
    struct rig g;
    char       piece[4096];

    open_all(&g);
    CHECK_INT(upgrade(&g, POD "/exec?container=c&command=sh&command=-c&command=a+b%26c&stdin=true&"
                              "stdout=1&tty=false", "websocket"), 101);
    CHECK_STR(str_of(g.target), "/exec/default/p/c?command=sh&command=-c&command=a%20b%26c&input=1&output=1");
    CHECK_STR(str_of(g.protocol), "v5.channel.k8s.io");
    if (g.up != NULL) {
        stream_set_events(g.up, &raw_events, &g);
        buf_clear(&g.body);
        memset(piece, 'y', sizeof piece);
        for (unsigned i = 0; i < 256; i++)       /* more than either side may queue */
            stream_write(g.up, piece, sizeof piece);
        run(&g);
        CHECK_INT(g.body.n, 1u << 20);
        stream_close(g.up);
        run(&g);
        for (unsigned i = 0; i < 100 && g.echo != NULL; i++)
            call(&g, "GET", "/version", NULL);
        CHECK(g.echo == NULL);                   /* the node hears of it */
    }
    close_all(&g);
}

TEST(exec_refusals_are_passed_on)
{
    struct rig g;

    open_all(&g);
    CHECK_INT(upgrade(&g, POD "/exec?container=c&command=refuse", "websocket"), 403);
    CHECK_STR(message(&g), "unable to upgrade connection: not you");
    CHECK_INT(upgrade(&g, POD "/exec?container=c&command=redirect", "websocket"), 502);
    CHECK_INT(upgrade(&g, POD "/exec?container=c&command=lie", "websocket"), 502);
    CHECK_INT(upgrade(&g, POD "/exec?container=c", "websocket"), 400);
    CHECK_INT(upgrade(&g, POD "/exec?container=c&command=x", "h2c"), 400);
    CHECK_INT(upgrade(&g, POD "/exec?container=c&command=x", "SPDY/3.1"), 502);      /* it says websocket */
    CHECK_INT(call(&g, "POST", POD "/exec?container=c&command=x", ""), 400);
    CHECK_INT(upgrade(&g, "/api/v1/namespaces/default/pods/none/exec?command=x", "websocket"), 404);
    CHECK_INT(call(&g, "PUT", "/api/v1/nodes/n/status",
                   "{\"metadata\":{\"name\":\"n\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
                   "\"address\":\"169.254.169.254\"}]}}"), 200);
    CHECK_INT(upgrade(&g, POD "/exec?container=c&command=x", "websocket"), 400);
    CHECK_INT(call(&g, "GET", POD "/log?container=c", NULL), 400);
    http_server_close(g.node);
    g.node = NULL;
    CHECK_INT(call(&g, "PUT", "/api/v1/nodes/n/status",
                   "{\"metadata\":{\"name\":\"n\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
                   "\"address\":\"127.0.0.1\"}],"
                   "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":1}}}}"), 200);
    CHECK_INT(upgrade(&g, POD "/exec?container=c&command=x", "websocket"), 500);
    CHECK_INT(call(&g, "GET", POD "/log?container=c", NULL), 500);
    close_all(&g);
}

/* ---- Messages of a WebSocket ----------------------------------------------------------------------------
 * */

static void ws_message(void *arg, struct ws *w, bool text, const char *p, size_t n)
{
    struct rig *g = arg;

    buf_fmt(&g->body, "%s<%.*s>", text ? "text" : "bin", (int)n, p);
    if (n > 0)
        loop_stop(g->l);
}

static void ws_closed(void *arg, struct ws *w, int code, const char *reason)
{
    struct rig *g = arg;

    g->ws = NULL;
    buf_fmt(&g->body, "close:%d", code);
    loop_stop(g->l);
}

static const struct ws_events ws_events = { .on_message = ws_message, .on_close = ws_closed };

static void ws_opened(void *arg, int err, const char *reason, int status, struct str body, struct ws *w,
                      struct str protocol)
{
    struct rig *g = arg;

    on_done(arg, NULL, err, reason, status, body);
    g->ws = w;
    snprintf(g->protocol, sizeof g->protocol, "%.*s", STR_ARG(protocol));
}

static int open_ws(struct rig *g, const char *target, const char *protocols, bool authorized)
{
    struct ws_connect_opts o = { .target = str_of(target), .headers = &bearer, .n_headers = authorized,
                                 .protocols = protocols, .max_message = 1 << 20, .ev = &ws_events,
                                 .on_open = ws_opened, .arg = g };

    must_ok(ws_connect(g->cli, &o, NULL));
    run(g);
    return g->err != 0 ? g->err : g->status;
}

static bool heard(struct rig *g, const char *z) { return memmem(g->body.p, g->body.n, z, strlen(z)) != NULL; }

#define PODS "/api/v1/namespaces/default/pods"

TEST(a_watch_as_messages)
{
    struct rig g;

    open_all(&g);
    CHECK_INT(open_ws(&g, PODS "?watch=1", NULL, true), 101);
    while (!heard(&g, "}\n>") && g.ws != NULL)
        run(&g);
    CHECK(heard(&g, "text<{\"type\":\"ADDED\",\"object\":{") && heard(&g, "\"name\":\"p\"") && heard(&g,
        "}\n>"));
    buf_clear(&g.body);
    ws_send(g.ws, true, "ignored", 7);
    CHECK_INT(call(&g, "DELETE", POD "?gracePeriodSeconds=0", NULL), 200);
    while (!heard(&g, "DELETED") && g.ws != NULL)
        run(&g);
    close_all(&g);
}

TEST(a_watch_of_a_browser_with_its_token_among_the_protocols)
{
    struct rig g;

    open_all(&g);
    CHECK_INT(open_ws(&g, PODS "?watch=1", "base64.binary.k8s.io", false), 403);
    CHECK_INT(open_ws(&g, PODS "?watch=1",
                      "base64url.bearer.authorization.k8s.io.c2VzYW1l, base64.binary.k8s.io", false), 101);
    CHECK_STR(str_of(g.protocol), "base64.binary.k8s.io");
    while (!heard(&g, "}\n>") && g.ws != NULL)
        run(&g);
    CHECK(heard(&g, "text<{\"type\":\"ADDED\""));              /* as the original: events are not encoded */
    ws_close(g.ws, 1000, "");
    while (g.ws != NULL)
        run(&g);
    CHECK_INT(open_ws(&g, PODS "?watch=1&resourceVersion=zzz", NULL, true), 400);
    CHECK_INT(open_ws(&g, PODS "?watch=1", "strange", true), 400);
    close_all(&g);
}

TEST(a_log_as_messages)
{
    struct rig g;

    open_all(&g);
    CHECK_INT(open_ws(&g, POD "/log?container=short", NULL, true), 101);
    while (g.ws != NULL)
        run(&g);
    CHECK_STR(buf_str(&g.body), "bin<>bin<one line\n>close:1000");
    CHECK_INT(open_ws(&g, POD "/log?container=short", "base64.binary.k8s.io", true), 101);
    while (g.ws != NULL)
        run(&g);
    CHECK_STR(buf_str(&g.body), "text<>text<b25lIGxpbmUK>close:1000");
    CHECK_INT(open_ws(&g, POD "/log?container=none", NULL, true), 400);
    close_all(&g);
}

/* ---- The proxy
 * ------------------------------------------------------------------------------------------- */

static bool pod_heard(struct rig *g, const char *z)
{
    return memmem(g->pod_heard.p, g->pod_heard.n, z, strlen(z)) != NULL;
}

static void pod_runs(struct rig *g)
{
    CHECK_INT(call(g, "PUT", POD "/status",
                   "{\"metadata\":{\"name\":\"p\"},\"status\":{\"phase\":\"Running\","
                                            "\"podIP\":\"10.1.1.1\"}}"), 200);
}

TEST(proxy_to_a_pod)
{
    struct rig g;

    open_all(&g);
    CHECK_INT(call(&g, "GET", PODS "/p/proxy/x", NULL), 400);
    CHECK_STR(message(&g), "address not allowed");
    pod_runs(&g);
    CHECK_INT(call(&g, "POST", PODS "/p:80/proxy/a/b/?limit=many&watch=1", "{}"), 418);
    CHECK_STR(str_of(g.target), "/tunnel/default/p/80");
    CHECK_STR(buf_str(&g.body), "hello");
    CHECK(pod_heard(&g, "POST /a/b/?limit=many&watch=1 HTTP/1.1\r\n") && pod_heard(&g, "\r\n\r\n{}"));
    CHECK(pod_heard(&g, "X-Forwarded-Uri: " PODS "/p:80/proxy/a/b/\r\n"));
    CHECK(pod_heard(&g, "X-Forwarded-For: 127.0.0.1\r\n"));
    CHECK(!pod_heard(&g, "sesame"));
    CHECK_INT(call(&g, "GET", PODS "/https:p:80/proxy/", NULL), 418);
    CHECK_STR(str_of(g.target), "/tunnel/default/p/80?tls=1");
    CHECK_INT(call(&g, "GET", PODS "/p:80/proxy/half", NULL), E_CLOSED);     /* half a body is no body */
    CHECK_INT(call(&g, "GET", PODS "/p:81/proxy/", NULL), 503);
    CHECK_STR(message(&g), "error trying to reach service: dial tcp 10.1.1.1:81: refused");
    CHECK_INT(call(&g, "GET", PODS "/p:80/proxy", NULL), 301);
    CHECK_INT(call(&g, "GET", PODS "/none:80/proxy/", NULL), 404);
    CHECK_STR(message(&g), "pods \"none\" not found");
    CHECK_INT(call(&g, "GET", PODS "/ftp:p:80/proxy/", NULL), 400);
    CHECK_INT(call(&g, "GET", PODS "/p:0/proxy/", NULL), 400);
    CHECK_INT(call(&g, "GET", PODS "/p:80:80:80/proxy/", NULL), 400);
    close_all(&g);
}

TEST(proxy_to_nodes_and_services)
{
    struct rig g;

    open_all(&g);
    CHECK_INT(call(&g, "GET", "/api/v1/nodes/n/proxy/away", NULL), 302);
    CHECK_STR(str_of(g.target), "/away");
    CHECK_INT(upgrade(&g, "/api/v1/nodes/n/proxy/exec/command=lie", "websocket"), 502);
    CHECK_INT(upgrade(&g, "/api/v1/nodes/n/proxy/command=refuse", "websocket"), 403);
    CHECK_INT(upgrade(&g, "/api/v1/nodes/n/proxy/command=x", "websocket"), 101);
    if (g.up != NULL)
        stream_close(g.up);
    CHECK_INT(call(&g, "GET", "/api/v1/nodes/none/proxy/", NULL), 404);
    CHECK_INT(call(&g, "POST", "/api/v1/namespaces/default/services",
                   "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"ports\":[{\"name\":\"web\",\"port\":8000}]}}"), 201);
    CHECK_INT(call(&g, "GET", "/api/v1/namespaces/default/services/s:8000/proxy/", NULL), 503);
    CHECK_STR(message(&g), "no endpoints available for service \"s\"");
    CHECK_INT(call(&g, "GET", "/api/v1/namespaces/default/services/s:8001/proxy/", NULL), 503);
    CHECK_STR(message(&g), "no service port \"8001\" found for service \"s\"");
    pod_runs(&g);
    CHECK_INT(call(&g, "POST", "/api/v1/namespaces/default/endpoints",
                   "{\"metadata\":{\"name\":\"s\"},\"subsets\":[{\"addresses\":[{\"ip\":\"10.1.1.1\",\"targetRef\":"
                   "{\"kind\":\"Pod\",\"name\":\"p\",\"namespace\":\"kube-system\"}}],\"ports\":"
                   "[{\"name\":\"web\",\"port\":80}]}]}"), 201);
    CHECK_INT(call(&g, "GET", "/api/v1/namespaces/default/services/s:web/proxy/", NULL), 418);
    /* of the service's namespace, never another */
    CHECK_STR(str_of(g.target), "/tunnel/default/p/80");
    CHECK_INT(call(&g, "GET", "/api/v1/namespaces/default/services/none/proxy/", NULL), 404);
    close_all(&g);
}
