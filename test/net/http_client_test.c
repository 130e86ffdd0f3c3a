/* test/net/http_client_test.c: the HTTP client against our server, and against servers that lie, stall,
 * break off and vanish. */
#include "net/http_client.h"
#include "test/net/http_rig.h"

/* What a call came to. */
struct outcome {
    int done, err, status, heads;
    char body[4096]; size_t n_body;
    char reason[200];
    struct http_client *client; struct http_call *call;
    bool cancel_in_data, pause_in_data, again;
    size_t bytes;
};

static void out_on_done(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body)
{
    struct outcome *o = arg;

    o->done++;
    o->err = err;
    o->status = status;
    o->n_body = MIN_OF(body.n, sizeof o->body);
    o->bytes += body.n;
    if (o->n_body > 0)
        memcpy(o->body, body.p, o->n_body);
    snprintf(o->reason, sizeof o->reason, "%s", reason);
    if (o->again) {                              /* the next call, from inside the end of this one */
        struct http_call_opts co = { .method = "GET", .target = STR("/hello"), .on_done = out_on_done, .arg = o };
        o->again = false;
        CHECK(http_call(o->client, &co, NULL, NULL) == 0);
    }
}

static void out_on_head(void *arg, struct http_call *c, int status, const struct http_header *h, size_t n)
{
    ((struct outcome *)arg)->heads++;
}

static void out_on_data(void *arg, struct http_call *c, const char *p, size_t n)
{
    struct outcome *o = arg;

    size_t room = sizeof o->body - o->n_body, take = MIN_OF(n, room);
    memcpy(o->body + o->n_body, p, take);
    o->n_body += take;
    o->bytes += n;
    if (o->pause_in_data)
        http_call_pause(c);
    if (o->cancel_in_data)
        http_call_cancel(c);
}

static struct http_client *client_of(struct rig *g, const char *a, const char *b, size_t max_conns)
{
    const char *addrs[2] = { a, b };
    struct http_client_opts o = { .addrs = addrs, .n_addrs = b != NULL ? 2 : 1, .max_conns = max_conns };
    struct http_client *c;

    must(http_client_new(&g->w->l, &o, &c, NULL) == 0);
    return c;
}

static void start(struct http_client *c, const char *method, const char *target, bool streamed, struct outcome *o)
{
    struct http_call_opts co = { .method = method, .target = str_of(target), .streamed = streamed,
                                 .on_head = streamed ? out_on_head : NULL, .on_data = streamed ? out_on_data : NULL,
                                 .on_done = out_on_done, .arg = o };
    struct errbuf err;

    o->client = c;
    must(http_call(c, &co, &o->call, &err) == 0);
}

static size_t conns_of(struct rig *g)
{
    size_t n = 0;

    qeach(&g->w->streams, it, tmp)
        n++;
    return n / 2;
}

TEST(calls_and_keep_alive)
{
    struct rig g;
    struct outcome o[5] = { 0 };

    rig_open(&g);
    struct http_client *c = client_of(&g, "srv", NULL, 1);
    for (int i = 0; i < 4; i++)                  /* one connection: they wait for each other */
        start(c, i == 2 ? "HEAD" : "GET", i == 1 ? "/now" : "/hello", false, &o[i]);
    o[3].again = true;
    CHECK_INT(o[0].done, 0);                     /* nothing from inside the call */
    mem_run_for(g.w, 100);
    CHECK_INT(conns_of(&g), 1);
    for (int i = 0; i < 4; i++)
        CHECK(o[i].done == (i == 3 ? 2 : 1) && o[i].err == 0 && o[i].status == 200);
    CHECK_STR(str_make(o[0].body, o[0].n_body), "hello");
    CHECK_STR(str_make(o[1].body, o[1].n_body), "onetwo");
    CHECK_INT(o[2].n_body, 0);
    CHECK_INT(g.requests, 5);
    mem_run_for(g.w, 100000);                    /* idle for 90 s */
    CHECK_INT(conns_of(&g), 0);
    http_client_free(c);
    rig_close(&g);
}

TEST(bodies_and_limits)
{
    struct rig g;
    struct outcome a = { 0 }, b = { 0 };
    struct http_header h = { STR("X-A"), STR("b") }, evil = { STR("X-A"), STR("b\r\nX-B: c") };

    rig_open(&g);
    struct blob *body = blob_copy(STR("some bytes"));
    struct http_client *c = client_of(&g, "srv", NULL, 0);
    struct http_call_opts o = { .method = "POST", .target = STR("/echo"), .body = body, .headers = &h, .n_headers = 1,
                                .on_done = out_on_done, .arg = &a };
    CHECK(http_call(c, &o, NULL, NULL) == 0);
    blob_unref(body);
    o = (struct http_call_opts){ .method = "GET", .target = STR("/big"), .max_body = 1000, .on_done = out_on_done, .arg = &b };
    CHECK(http_call(c, &o, NULL, NULL) == 0);
    mem_run_for(g.w, 100);
    CHECK(a.err == 0 && a.status == 200);
    CHECK_STR(str_make(a.body, a.n_body), "some bytes");
    CHECK(b.done == 1 && b.err == E_TOOBIG);
    o.headers = &evil;
    o.n_headers = 1;
    CHECK_INT(http_call(c, &o, NULL, NULL), E_INVALID);
    o.n_headers = 0;
    o.target = STR("/a b");
    CHECK_INT(http_call(c, &o, NULL, NULL), E_INVALID);
    o.target = STR("/a\r\nX: y");
    CHECK_INT(http_call(c, &o, NULL, NULL), E_INVALID);
    http_client_free(c);
    rig_close(&g);
}

TEST(endpoints_fail_over)
{
    struct rig g;
    struct outcome o[3] = { 0 };

    rig_open(&g);
    struct http_client *c = client_of(&g, "nobody", "srv", 0), *none = client_of(&g, "nobody", "nothing", 0),
                       *odd = client_of(&g, "?", "srv", 0), *bad = client_of(&g, "?", NULL, 0);
    struct http_call_opts co = { .method = "GET", .target = STR("/hello"), .on_done = out_on_done, .arg = &o[0] };
    start(c, "GET", "/hello", false, &o[0]);
    start(none, "GET", "/hello", false, &o[1]);
    start(odd, "GET", "/hello", false, &o[2]);
    CHECK_INT(http_call(bad, &co, NULL, NULL), E_INVALID);
    mem_run_for(g.w, 100);
    CHECK(o[0].done == 1 && o[0].err == 0 && o[0].status == 200);
    CHECK(o[1].done == 1 && o[1].err == E_IO && strstr(o[1].reason, "refused") != NULL);
    CHECK(o[2].done == 1 && o[2].err == 0);
    http_client_free(c);
    http_client_free(none);
    http_client_free(odd);
    http_client_free(bad);
    rig_close(&g);
}

/* A server that answers every connection with the same bytes. */
struct liar { struct listener *ln; struct str bytes; bool then_close, reset; uint32_t seen; int accepts; struct stream *s; };

static void liar_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct liar *r = arg;

    for (size_t i = 0; i < n; i++)               /* the end of a head, however cut */
        r->seen = r->seen << 8 | (unsigned char)p[i];
    if (r->seen != 0x0d0a0d0a)
        return;
    stream_write(s, r->bytes.p, r->bytes.n);
    if (r->reset)
        stream_close(s);
    else if (r->then_close)
        stream_close_after_flush(s);
}

static void liar_on_close(void *arg, struct stream *s, int err, const char *reason) { }
static const struct stream_events liar_events = { .on_data = liar_on_data, .on_close = liar_on_close };

static void liar_on_accept(void *arg, struct stream *s)
{
    struct liar *r = arg;

    r->accepts++;
    r->s = s;
    stream_set_events(s, &liar_events, r);
}

static void liar_open(struct rig *g, struct liar *r, const char *bytes, bool then_close)
{
    struct listener_opts o = { .addr = "liar", .on_accept = liar_on_accept, .arg = r };

    *r = (struct liar){ .bytes = str_of(bytes), .then_close = then_close };
    must(listener_open(&g->w->l, &o, &r->ln, NULL) == 0);
}

TEST(answers_good_and_bad_in_pieces)
{
    static const struct { const char *bytes; bool close; int err, status; const char *body; } as[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", false, 0, 200, "ab" },
        { "HTTP/1.1 200 OK\r\n\r\nab", true, 0, 200, "ab" },
        { "HTTP/1.0 200 OK\r\n\r\nab", true, 0, 200, "ab" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", false, 0, 200, "ab" },
        { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", false, 0, 201, "" },
        { "HTTP/1.1 204 No\r\n\r\n", false, 0, 204, "" },
        { "HTTP/1.1 304 Same\r\nContent-Length: 50\r\n\r\n", false, 0, 304, "" },
        { "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\na", false, 0, 200, "a" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", true, E_CLOSED, 200, "" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", true, E_CLOSED, 200, "" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", true, E_CLOSED, 200, "" },
        { "HTTP/1.1 200 OK\r\nContent-Le", true, E_CLOSED, 0, "" },
        { "", true, E_CLOSED, 0, "" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", false, E_INVALID, 0, "" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nab", false, E_INVALID, 0, "" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab", false, E_INVALID, 0, "" },
        { "HTTP/1.1 200 OK\nContent-Length: 2\n\nab", false, E_INVALID, 0, "" },
        { "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nab", false, E_INVALID, 0, "" },
        { "HTTP/1.1 101 Switch\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", false, E_INVALID, 0, "" },
        { "HTTP/1.1 099 Odd\r\n\r\n", false, E_INVALID, 0, "" },
        { "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nab", false, E_INVALID, 0, "" },
        { "SSH-2.0-OpenSSH\r\n\r\n", false, E_INVALID, 0, "" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab", false, E_INVALID, 200, "" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", false, E_INVALID, 200, "" },
    };
    struct rig g;

    rig_open(&g);
    for (size_t i = 0; i < ARRAY_LEN(as); i++)
        for (size_t piece = 1; piece < 200; piece = piece * 3 + 1) {
            struct outcome o = { 0 };
            struct liar r;
            g.w->piece = piece;
            liar_open(&g, &r, as[i].bytes, as[i].close);
            struct http_client *c = client_of(&g, "liar", NULL, 0);
            start(c, "GET", "/x", false, &o);
            mem_run_for(g.w, 1000);
            if (o.done != 1 || o.err != as[i].err || o.status != as[i].status ||
                !str_is(str_make(o.body, o.n_body), as[i].body))
                test_fail(__FILE__, __LINE__, "answer %zu by %zu: done %d err %d (%s) status %d", i, piece, o.done, o.err, o.reason, o.status);
            listener_close(r.ln);
            http_client_free(c);
            mem_run_for(g.w, 20000);
        }
    rig_close(&g);
}

/* Bytes after an answer must never become the next call's answer. */
TEST(unasked_bytes_poison_no_call)
{
    struct rig g;
    struct liar r;

    rig_open(&g);
    liar_open(&g, &r, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", false);
    struct http_client *c = client_of(&g, "liar", NULL, 1);
    struct outcome o[3] = { 0 };
    for (int i = 0; i < 3; i++)
        start(c, "GET", "/x", false, &o[i]);
    mem_run_for(g.w, 1000);
    for (int i = 0; i < 3; i++) {
        CHECK(o[i].done == 1 && o[i].err == 0);
        CHECK_STR(str_make(o[i].body, o[i].n_body), "a");
    }
    CHECK_INT(r.accepts, 3);
    listener_close(r.ln);
    http_client_free(c);
    rig_close(&g);
}

TEST(timeouts_and_cancel)
{
    struct rig g;
    struct liar r;
    struct outcome o[4] = { 0 };

    rig_open(&g);
    liar_open(&g, &r, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nstall", false);
    struct http_client *c = client_of(&g, "liar", NULL, 1);
    start(c, "GET", "/x", false, &o[0]);
    start(c, "GET", "/x", false, &o[1]);         /* waits, and times out waiting */
    start(c, "GET", "/x", true, &o[2]);
    start(c, "GET", "/x", false, &o[3]);
    http_call_cancel(o[3].call);
    mem_run_for(g.w, 29000);
    CHECK(o[0].done == 0 && o[1].done == 0 && o[2].bytes == 5 && o[2].heads == 1);
    mem_run_for(g.w, 2000);
    CHECK(o[0].done == 1 && o[0].err == E_TIMEOUT);
    CHECK(o[1].done == 1 && o[1].err == E_TIMEOUT);
    mem_run_for(g.w, 1000000);
    CHECK_INT(o[2].done, 0);                     /* a stream may be silent for ever */
    http_call_cancel(o[2].call);
    mem_run_for(g.w, 10);
    CHECK_INT(o[2].done + o[3].done, 0);
    o[2] = (struct outcome){ .cancel_in_data = true };
    start(c, "GET", "/x", true, &o[2]);
    mem_run_for(g.w, 10);
    CHECK(o[2].bytes == 5 && o[2].done == 0);
    /* The client goes with calls in flight, one waiting. */
    o[0] = o[1] = o[2] = (struct outcome){ 0 };
    for (int i = 0; i < 3; i++)
        start(c, "GET", "/x", i == 2, &o[i]);
    mem_run_for(g.w, 10);
    http_client_free(c);
    CHECK_INT(o[0].done + o[1].done + o[2].done, 0);
    mem_run_for(g.w, 10);
    for (int i = 0; i < 3; i++)
        CHECK(o[i].done == 1 && o[i].err == E_CANCELED);
    listener_close(r.ln);
    rig_close(&g);
}

/* Only what cannot have been heard is said again. */
TEST(retry_only_when_nothing_was_sent)
{
    struct rig g;
    struct liar r;
    struct outcome o = { 0 };

    rig_open(&g);
    liar_open(&g, &r, "", false);
    r.reset = true;
    struct http_client *c = client_of(&g, "liar", "srv", 1);
    start(c, "POST", "/hello", false, &o);
    mem_run_for(g.w, 100);
    CHECK(o.done == 1 && o.err != 0 && g.requests == 0);
    listener_close(r.ln);
    o = (struct outcome){ 0 };
    start(c, "POST", "/hello", false, &o);       /* now it cannot even connect: the other endpoint */
    mem_run_for(g.w, 100);
    CHECK(o.done == 1 && o.err == 0 && g.requests == 1);
    /* An idle connection that the server closes: the next call takes a new one. */
    http_server_close(g.srv);
    struct http_server_opts so = { .addr = "srv", .on_request = rig_handle, .arg = &g };
    must(http_server_open(&g.w->l, &so, &g.srv, NULL) == 0);
    o = (struct outcome){ 0 };
    mem_run_for(g.w, 10);
    start(c, "GET", "/hello", false, &o);
    mem_run_for(g.w, 100);
    CHECK(o.done == 1 && o.err == 0);
    http_client_free(c);
    rig_close(&g);
}

TEST(streamed_pause_resume)
{
    struct rig g;
    struct outcome o = { .pause_in_data = true };
    size_t seen = 0;

    rig_open(&g);
    g.w->piece = 5000;
    struct http_client *c = client_of(&g, "srv", NULL, 0);
    start(c, "GET", "/big", true, &o);
    mem_run_for(g.w, 100);
    for (int rounds = 0; o.done == 0 && rounds < 1000; rounds++) {
        CHECK(o.bytes > seen && o.bytes <= seen + 5000);
        seen = o.bytes;
        mem_run_for(g.w, 100);
        CHECK_INT(o.bytes, seen);                /* paused is paused */
        http_call_resume(o.call);
        mem_run_for(g.w, 100);
    }
    CHECK(o.done == 1 && o.err == 0 && o.bytes == g.big->len);
    /* An answer that ends by close, paused before its end. */
    struct liar r;
    liar_open(&g, &r, "HTTP/1.1 200 OK\r\n\r\nlast words", true);
    struct http_client *d = client_of(&g, "liar", NULL, 0);
    g.w->piece = 24;
    o = (struct outcome){ .pause_in_data = true };
    start(d, "GET", "/x", true, &o);
    for (int i = 0; i < 5 && o.done == 0; i++) {
        mem_run_for(g.w, 100);
        if (o.done == 0)
            http_call_resume(o.call);
    }
    CHECK(o.done == 1 && o.err == 0 && o.bytes == 10);
    listener_close(r.ln);
    http_client_free(c);
    http_client_free(d);
    rig_close(&g);
}

struct upgraded { int done, err, status; struct stream *s; struct buf got; bool closed; };

static void up_on_data(void *arg, struct stream *s, const char *p, size_t n) { buf_add(&((struct upgraded *)arg)->got, p, n); }
static void up_on_close(void *arg, struct stream *s, int err, const char *reason) { ((struct upgraded *)arg)->closed = true; }
static const struct stream_events up_events = { .on_data = up_on_data, .on_close = up_on_close };

static void up_on_done(void *arg, int err, const char *reason, int status, const struct http_header *h, size_t n,
                       struct str body, struct stream *s)
{
    struct upgraded *u = arg;

    u->done++;
    u->err = err;
    u->status = status;
    u->s = s;
    if (s != NULL)
        stream_set_events(s, &up_events, u);
    else
        buf_str_add(&u->got, body);
}

TEST(upgrade)
{
    static const struct http_header h = { { "Upgrade", 7 }, { "echo", 4 } };
    static const char yes[] = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst bytes";
    struct rig g;
    struct liar r;

    rig_open(&g);
    liar_open(&g, &r, yes, false);
    struct http_client *c = client_of(&g, "liar", NULL, 1), *d = client_of(&g, "srv", NULL, 1);
    struct http_upgrade_opts o = { .method = "GET", .target = STR("/upgrade"), .headers = &h, .n_headers = 1,
                                   .on_done = up_on_done };
    for (size_t piece = 1; piece < sizeof yes; piece++) {
        struct upgraded u = { 0 };
        o.arg = &u;
        g.w->piece = piece;
        CHECK(http_client_upgrade(c, &o, NULL) == 0);
        mem_run_for(g.w, 100);
        CHECK(u.done == 1 && u.err == 0 && u.status == 101 && u.s != NULL);
        CHECK_STR(buf_str(&u.got), "first bytes");
        if (u.s != NULL)
            stream_close(u.s);
        mem_run_for(g.w, 100);
        CHECK(u.closed);
        buf_release(&u.got);
    }
    g.w->piece = 1000;
    struct upgraded u = { 0 };
    o.arg = &u;
    o.target = STR("/nothing");
    CHECK(http_client_upgrade(d, &o, NULL) == 0);
    mem_run_for(g.w, 100);
    CHECK(u.done == 1 && u.err == 0 && u.status == 404 && u.s == NULL);
    CHECK_STR(buf_str(&u.got), "no such thing");
    buf_clear(&u.got);
    o.target = STR("/upgrade");                  /* our own server, both ends of it */
    CHECK(http_client_upgrade(d, &o, NULL) == 0);
    mem_run_for(g.w, 100);
    CHECK(u.done == 2 && u.status == 101 && g.upgraded != NULL);
    stream_write(u.s, "to server", 9);
    stream_write(g.upgraded, "to client", 9);
    mem_run_for(g.w, 100);
    CHECK_STR(buf_str(&u.got), "to client");
    CHECK_STR(buf_str(&g.upgraded_got), "to server");
    stream_close(u.s);
    buf_release(&u.got);
    listener_close(r.ln);
    http_client_free(c);
    http_client_free(d);
    rig_close(&g);
}
