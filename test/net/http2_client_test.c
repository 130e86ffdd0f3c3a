/* test/net/http2_client_test.c: the client's HTTP/2 against our own server, and against servers that refuse, leave and
 * break off. */
#include "net/http_client.h"
#include "test/net/http2_rig.h"

struct told {
    struct rig2 *g;
    int heads, done, err, status, drains;
    bool pause;                                  /* at the head and after each piece */
    struct buf got;
    char trailer[32], reason[100];
    struct http_call *call;
};

static void on_head(void *arg, struct http_call *c, int status, const struct http_header *h, size_t n)
{
    struct told *t = arg;

    t->heads++;
    if (t->pause)
        http_call_pause(c);
}

static void on_data(void *arg, struct http_call *c, const char *p, size_t n)
{
    struct told *t = arg;

    buf_add(&t->got, p, n);
    if (t->pause)
        http_call_pause(c);
}

static void on_drain(void *arg, struct http_call *c) { ((struct told *)arg)->drains++; }

static void on_done(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body)
{
    struct told *t = arg;
    struct str trailer = http_call_trailer(c, "grpc-status");

    t->done++;
    t->err = err;
    t->status = status;
    t->call = NULL;
    snprintf(t->reason, sizeof t->reason, "%s", reason);
    snprintf(t->trailer, sizeof t->trailer, "%.*s", STR_ARG(trailer));
    buf_str_add(&t->got, body);
}

static struct http_client *client_new(struct rig2 *g, const char *const *addrs, size_t n)
{
    struct http_client_opts o = { .addrs = addrs, .n_addrs = n, .http2 = true };
    struct http_client *c;

    must(http_client_new(&g->w->l, &o, &c, NULL) == 0);
    return c;
}

enum { PLAIN = 0, STREAMED = 1, FOLLOWS = 2 };

static void call(struct http_client *c, struct told *t, const char *method, const char *target, struct blob *body, int how)
{
    struct http_call_opts o = { .method = method, .target = str_of(target), .body = body, .streamed = how & STREAMED,
                                .body_follows = how & FOLLOWS, .on_done = on_done, .on_drain = on_drain, .arg = t };

    if (how & STREAMED) {
        o.on_head = on_head;
        o.on_data = on_data;
    }
    must(http_call(c, &o, &t->call, NULL) == 0);
    blob_unref(body);
}

static void told_free(struct told *t)
{
    buf_release(&t->got);
    *t = (struct told){ 0 };
}

static void finish(struct rig2 *g, struct http_client *c)
{
    http_client_free(c);
    mem_run_for(g->w, 5);
    rig2_close(g);
}

TEST(calls_share_a_connection)
{
    const char *addr = "srv";
    struct rig2 g;
    static struct told t[400];

    rig2_open_opts(&g, (struct http_server_opts){ 0 });
    struct http_client *c = client_new(&g, &addr, 1);
    for (int i = 0; i < 400; i++)                /* more than the server allows at a time */
        call(c, &t[i], i % 2 ? "POST" : "GET", i % 2 ? "/echo" : "/big?70000", i % 2 ? rig2_bytes(50000) : NULL, PLAIN);
    mem_run_for(g.w, 1000);
    for (int i = 0; i < 400; i++) {
        struct blob *want = rig2_bytes(i % 2 ? 50000 : 70000);
        if (t[i].done != 1 || t[i].err != 0 || t[i].status != 200 || !str_eq(buf_str(&t[i].got), blob_str(want)))
            test_fail(__FILE__, __LINE__, "call %d: done %d, %s, status %d", i, t[i].done, t[i].reason, t[i].status);
        blob_unref(want);
        told_free(&t[i]);
    }
    CHECK_INT(g.requests, 400);
    finish(&g, c);
}

TEST(both_ways_with_trailers)
{
    const char *addr = "srv";
    struct rig2 g;
    struct told t = { 0 };

    rig2_open(&g);
    g.echo = true;
    struct http_client *c = client_new(&g, &addr, 1);
    call(c, &t, "POST", "/both", NULL, STREAMED | FOLLOWS);
    http_call_send(t.call, blob_copy(STR("-early-")), 1, 5);       /* before there is a connection */
    mem_run_for(g.w, 5);
    CHECK(t.heads == 1 && t.done == 0);
    CHECK_STR(buf_str(&t.got), "early");
    http_call_send(t.call, blob_copy(STR(" late")), 0, 5);
    mem_run_for(g.w, 5);
    CHECK_STR(buf_str(&t.got), "early late");
    http_call_end(t.call);
    mem_run_for(g.w, 5);
    CHECK(t.done == 1 && t.err == 0 && t.status == 200);
    CHECK_STR(str_of(t.trailer), "0");
    told_free(&t);

    g.echo = false;                              /* an answer that ends first */
    call(c, &t, "POST", "/both", NULL, STREAMED | FOLLOWS);
    mem_run_for(g.w, 5);
    http_end(g.kept[0]);
    g.n_kept = 0;
    mem_run_for(g.w, 5);
    CHECK(t.done == 1 && t.err == 0);
    told_free(&t);

    call(c, &t, "POST", "/both", NULL, STREAMED | FOLLOWS);        /* and one given up */
    mem_run_for(g.w, 5);
    http_call_cancel(t.call);
    mem_run_for(g.w, 5);
    CHECK(t.done == 0 && g.aborts == 1);
    told_free(&t);
    finish(&g, c);
}

TEST(back_pressure_both_ways)
{
    const char *addr = "srv";
    struct rig2 g;
    struct told t = { .pause = true };

    rig2_open(&g);
    struct http_client *c = client_new(&g, &addr, 1);
    call(c, &t, "GET", "/big?1000000", NULL, STREAMED);
    mem_run_for(g.w, 100);
    CHECK(t.heads == 1 && t.got.n == 0 && t.done == 0);
    for (int i = 0; i < 200 && t.done == 0; i++) {
        http_call_resume(t.call);
        mem_run_for(g.w, 5);
    }
    struct blob *want = rig2_bytes(1000000);
    CHECK(t.done == 1 && t.err == 0 && str_eq(buf_str(&t.got), blob_str(want)));
    blob_unref(want);
    told_free(&t);

    t.pause = true;                              /* what is complete is delivered even if the server is gone */
    call(c, &t, "GET", "/big?1000", NULL, STREAMED);
    mem_run_for(g.w, 5);
    CHECK(t.heads == 1 && t.got.n == 0 && t.done == 0);
    http_server_close(g.srv);
    g.srv = NULL;
    mem_run_for(g.w, 5);
    CHECK_INT(t.done, 0);
    http_call_resume(t.call);
    mem_run_for(g.w, 5);
    if (t.done == 0)
        http_call_resume(t.call);
    mem_run_for(g.w, 5);
    CHECK(t.got.n == 1000 && t.done == 1 && t.err == 0);
    told_free(&t);
    finish(&g, c);
}

TEST(a_body_that_is_not_taken_waits)
{
    const char *addr = "srv";
    struct rig2 g;
    struct told t = { 0 };

    rig2_open(&g);
    struct http_client *c = client_new(&g, &addr, 1);
    call(c, &t, "POST", "/both", NULL, STREAMED | FOLLOWS);
    mem_run_for(g.w, 5);
    http_req_pause(g.kept[0]);
    http_call_send(t.call, rig2_bytes(1000000), 0, 1000000);
    mem_run_for(g.w, 50);
    CHECK_INT(http_call_queued(t.call), 1000000 - HTTP2_WINDOW);
    CHECK(g.got == 0 && t.drains == 0);
    http_req_resume(g.kept[0]);
    mem_run_for(g.w, 50);
    CHECK(g.got == 1000000 && t.drains == 1 && http_call_queued(t.call) == 0);
    http_call_end(t.call);
    mem_run_for(g.w, 5);
    CHECK_INT(g.eofs, 1);
    http_abort(g.kept[0]);
    g.n_kept = 0;
    mem_run_for(g.w, 5);
    CHECK(t.done == 1 && t.err == E_CLOSED);
    told_free(&t);
    finish(&g, c);
}

TEST(endpoints_and_ends)
{
    const char *addrs[] = { "nobody", "srv" };
    struct rig2 g;
    struct told t[3] = { { 0 } };

    rig2_open(&g);
    struct http_client *c = client_new(&g, addrs, 2);
    call(c, &t[0], "GET", "/hello", NULL, PLAIN);
    mem_run_for(g.w, 5);
    CHECK(t[0].err == 0 && t[0].status == 200);
    CHECK_STR(buf_str(&t[0].got), "hello");
    call(c, &t[1], "GET", "/later", NULL, PLAIN);
    mem_run_for(g.w, 5);
    http_server_drain(g.srv, 1000, NULL, NULL);
    mem_run_for(g.w, 5);
    rig2_answer_kept(&g);                        /* what is at work is finished */
    mem_run_for(g.w, 100);
    CHECK(t[1].done == 1 && t[1].err == 0);
    call(c, &t[2], "GET", "/hello", NULL, PLAIN);
    mem_run_for(g.w, 100);
    CHECK(t[2].done == 1 && t[2].err == E_IO);
    for (int i = 0; i < 3; i++)
        told_free(&t[i]);
    call(c, &t[0], "GET", "/hello", NULL, PLAIN);
    http_client_free(c);
    mem_run_for(g.w, 5);
    CHECK(t[0].done == 1 && t[0].err == E_CANCELED);
    told_free(&t[0]);
    rig2_close(&g);
}

TEST(idle_connections_close_and_come_back)
{
    const char *addr = "srv";
    struct rig2 g;
    struct told t = { 0 };

    rig2_open(&g);
    struct http_client *c = client_new(&g, &addr, 1);
    for (int i = 0; i < 3; i++) {
        call(c, &t, "GET", "/hello", NULL, PLAIN);
        mem_run_for(g.w, 100000);
        CHECK(t.done == 1 && t.err == 0 && qempty(&g.w->streams));
        told_free(&t);
    }
    finish(&g, c);
}

/* ---- a server that says what the test wants --------------------------------------------------------- */

struct puppet { struct buf say; int accepted; bool close, spoke; };

static void puppet_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct puppet *u = arg;

    stream_write(s, u->say.p, u->spoke ? 0 : u->say.n);
    u->spoke = true;                             /* the request came with the preface */
    if (u->close)
        stream_close_after_flush(s);
}

static void puppet_on_accept(void *arg, struct stream *s)
{
    static const struct stream_events ev = { .on_data = puppet_on_data };
    struct puppet *u = arg;

    u->accepted++;
    u->spoke = false;
    stream_set_events(s, &ev, u);
}

static int ask_puppet(struct buf *say, bool close, int *ret_accepted)
{
    const char *addr = "puppet";
    struct puppet u = { .say = *say, .close = close };
    struct listener_opts lo = { .addr = addr, .on_accept = puppet_on_accept, .arg = &u };
    struct listener *ln;
    struct told t = { 0 };
    struct rig2 g;

    rig2_open(&g);
    must(listener_open(&g.w->l, &lo, &ln, NULL) == 0);
    struct http_client *c = client_new(&g, &addr, 1);
    call(c, &t, "GET", "/hello", NULL, PLAIN);
    mem_run_for(g.w, 60000);
    CHECK_INT(t.done, 1);
    int err = t.err;
    *ret_accepted = u.accepted;
    listener_close(ln);
    told_free(&t);
    http_client_free(c);
    mem_run_for(g.w, 5);
    rig2_close(&g);
    buf_release(say);
    return err;
}

TEST(servers_that_misbehave)
{
    struct buf b = BUF_INIT, p = BUF_INIT;
    int n;

    buf_z(&b, "HTTP/1.1 400 Bad Request\r\n\r\n");
    CHECK(ask_puppet(&b, true, &n) != 0);
    put_frame(&b, F_SETTINGS, 0, 0, STR_NONE);   /* an answer with no head */
    put_frame(&b, F_DATA, FL_END, 1, STR("data"));
    CHECK(ask_puppet(&b, false, &n) != 0);
    put_frame(&b, F_SETTINGS, 0, 0, STR_NONE);   /* refused: tried again, and then nobody answers */
    put_number(&b, F_RST, 0, 1, NGHTTP2_REFUSED_STREAM);
    CHECK_INT(ask_puppet(&b, false, &n), E_TIMEOUT);
    put_frame(&b, F_SETTINGS, 0, 0, STR_NONE);
    put_frame(&b, F_GOAWAY, 0, 0, STR("\0\0\0\0\0\0\0\0bye"));
    CHECK_INT(ask_puppet(&b, false, &n), E_CLOSED);
    CHECK_INT(n, 2);                             /* on another connection */
    put_frame(&b, F_SETTINGS, 0, 0, STR_NONE);   /* broken off in the midst */
    put_field(&p, STR(":status"), STR("200"));
    put_frame(&b, F_HEADERS, FL_HEAD, 1, buf_str(&p));
    put_frame(&b, F_DATA, 0, 1, STR("data"));
    CHECK_INT(ask_puppet(&b, true, &n), E_CLOSED);
    CHECK_INT(n, 1);
    put_frame(&b, F_SETTINGS, 0, 0, STR_NONE);   /* a push, which nobody allowed */
    put_frame(&b, F_PUSH, FL_HEAD, 1, STR("\0\0\0\2"));
    CHECK(ask_puppet(&b, false, &n) != 0);
    buf_clear(&p);
    put_field(&p, STR(":status"), STR("20x"));
    put_frame(&b, F_SETTINGS, 0, 0, STR_NONE);
    put_frame(&b, F_HEADERS, FL_HEAD | FL_END, 1, buf_str(&p));
    CHECK(ask_puppet(&b, false, &n) != 0);
    put_frame(&b, F_SETTINGS, 0, 0, STR_NONE);   /* silence */
    CHECK_INT(ask_puppet(&b, false, &n), E_TIMEOUT);
    buf_release(&p);
}
