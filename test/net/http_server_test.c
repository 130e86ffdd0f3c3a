/* test/net/http_server_test.c: the HTTP server against clients good, slow, broken and hostile. */
#include <stdlib.h>
#include <zlib.h>
#include "net/http_wire.h"
#include "test/net/http_rig.h"

#define HELLO_ANSWER "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 00:00:00 GMT\r\nContent-Type: text/plain\r\n" \
                     "Content-Length: 5\r\n\r\nhello"

static size_t count(struct str s, const char *z)
{
    size_t n = 0;

    for (const char *p = s.p; (p = memmem(p, (size_t)(s.p + s.n - p), z, strlen(z))) != NULL; p++)
        n++;
    return n;
}

TEST(plain_get)
{
    struct rig g;

    rig_open(&g);
    CHECK_STR(rig_ask(&g, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"), HELLO_ANSWER);
    struct str a = rig_ask(&g, "GET /target?a=%20b&c HTTP/1.1\r\nHost: a\r\nX:\r\nY:  z \r\n\r\n");
    CHECK(str_ends(a, STR("\r\n\r\nGET /target a=%20b&c 3")));
    a = rig_ask(&g, "GET http://proxy/target?q HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(str_ends(a, STR("\r\n\r\nGET /target q 1")));
    CHECK_INT(status_of(rig_ask(&g, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")), 404);
    a = rig_ask(&g, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(status_of(a) == 204 && !str_has(a, "Content-Length") && !str_has(a, "chunked"));
    rig_close(&g);
}

TEST(every_split_point)
{
    static const char *const reqs[] = {
        "GET /hello HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        "\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n6 \r\n world\r\n0\r\nT: v\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    struct rig g;

    rig_open(&g);
    for (size_t i = 0; i < ARRAY_LEN(reqs); i++) {
        struct str whole = str_of(reqs[i]), a = rig_ask(&g, reqs[i]);
        char want[1000];
        size_t n_want = a.n;
        memcpy(want, a.p, a.n);
        CHECK(status_of(a) == 200);
        CHECK(i == 0 || str_has(a, i == 3 ? "abcHTTP/1.1 200" : "hello world"));
        for (size_t at = 1; at < whole.n; at++) {
            a = rig_ask_at(&g, whole, at);
            if (!str_eq(a, str_make(want, n_want)))
                test_fail(__FILE__, __LINE__, "request %zu differs when split at %zu", i, at);
        }
        g.w->piece = 1;
        a = rig_ask(&g, reqs[i]);
        CHECK(str_eq(a, str_make(want, n_want)));
        g.w->piece = 64 << 10;
    }
    rig_close(&g);
}

TEST(malformed_is_refused_and_closed)
{
    static const struct { int status; const char *req; } bad[] = {
        { 400, "GET /hello HTTP/1.1\nHost: a\n\n" },
        { 400, "GET /hello HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\r\n Host: a\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\r\nHost: a\r\nX\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\r\nHost: a\r\nX: a\x01" "b\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\r\n\r\n" },
        { 400, "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" },
        { 400, "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n" },
        { 400, "GET /hel\tlo HTTP/1.1\r\nHost: a\r\n\r\n" },
        { 400, "GET hello HTTP/1.1\r\nHost: a\r\n\r\n" },
        { 505, "GET /hello\r\nHost: a\r\n\r\n" },
        { 400, "GET /hello  HTTP/1.1\r\nHost: a\r\n\r\n" },
        { 400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" },
        { 400, "get /hello HTTP/1.1\r\nHost: a\r\n\r\n" },
        { 400, "\x16\x03\x01\x02\r\n\r\n" },
        { 505, "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n" },
        { 505, "GET /hello HTTP/1.7\r\nHost: a\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nabc" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\nabc" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\nabc" },
        { 413, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\nabc" },
        { 413, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nabc" },
        { 413, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n" },
        { 417, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\na" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\rxabc\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nabc\r\n0\r\n\r\n" },
        { 400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n\r\n" },
        { 413, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\nabc" },
    };
    struct rig g;

    rig_open(&g);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        /* What follows must never be served: that is what smuggling is. */
        char all[1000];
        snprintf(all, sizeof all, "%sGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", bad[i].req);
        struct str a = rig_ask(&g, all);
        if (i + 1 == ARRAY_LEN(bad))
            continue;                            /* that one is a body not yet over the limit */
        if (status_of(a) != bad[i].status && !(bad[i].status == 400 && status_of(a) == 501))
            test_fail(__FILE__, __LINE__, "case %zu: %d, not %d: %s", i, status_of(a), bad[i].status, bad[i].req);
        CHECK(str_has(a, "Connection: close\r\n"));
        CHECK_INT(count(a, "HTTP/1.1 "), 1);
    }
    CHECK_INT(g.requests, 0);
    CHECK_INT(status_of(rig_ask(&g, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")) / 100 == 4 ||
              status_of(rig_ask(&g, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")) == 501, 1);
    rig_close(&g);
}

TEST(limits)
{
    struct rig g;
    struct buf b = BUF_INIT;

    rig_open(&g);
    buf_z(&b, "GET /");
    while (b.n < HTTP_MAX_HEAD_BYTES + 10)
        buf_z(&b, "0123456789");
    CHECK_INT(status_of(rig_ask_at(&g, buf_str(&b), 0)), 414);
    buf_clear(&b);
    buf_z(&b, "GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
    while (b.n < HTTP_MAX_HEAD_BYTES + 10)
        buf_z(&b, "0123456789");
    CHECK_INT(status_of(rig_ask_at(&g, buf_str(&b), 0)), 431);
    buf_z(&b, "\r\n\r\n");
    CHECK_INT(status_of(rig_ask_at(&g, buf_str(&b), 0)), 431);
    for (int n = HTTP_MAX_HEADERS - 1; n <= HTTP_MAX_HEADERS; n++) {
        buf_clear(&b);
        buf_z(&b, "GET /hello HTTP/1.1\r\nHost: a\r\n");
        for (int i = 0; i < n; i++)
            buf_fmt(&b, "X-%d: y\r\n", i);
        buf_z(&b, "\r\n");
        CHECK_INT(status_of(rig_ask_at(&g, buf_str(&b), 0)), n < HTTP_MAX_HEADERS ? 200 : 431);
    }
    /* A body one byte over, in chunks; and one just at the limit. */
    for (unsigned over = 0; over < 2; over++) {
        buf_clear(&b);
        buf_z(&b, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 10; i++) {
            buf_fmt(&b, "%x\r\n", 10000 + (i == 9 ? over : 0));
            for (unsigned k = 0; k < 10000 + (i == 9 ? over : 0); k++)
                buf_char(&b, 'x');
            buf_z(&b, "\r\n");
        }
        buf_z(&b, "0\r\n\r\n");
        CHECK_INT(status_of(rig_ask_at(&g, buf_str(&b), 0)), over ? 413 : 200);
    }
    /* Chunk extensions without end. */
    buf_clear(&b);
    buf_z(&b, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 2000; i++)
        buf_z(&b, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n");
    buf_z(&b, "0\r\n\r\n");
    CHECK_INT(status_of(rig_ask_at(&g, buf_str(&b), 0)), 400);
    buf_release(&b);
    rig_close(&g);
}

TEST(bodies_are_judged_by_their_head)
{
    struct rig g;
    struct raw r;
    struct str a;

    rig_open(&g);
    raw_open(g.w, "srv", &r);
    raw_send(&r, "POST /echo HTTP/1.1\r\nHost: a\r\nX-Refuse: 1\r\nContent-Length: 3\r\n\r\n");
    mem_run_for(g.w, 10);
    CHECK_INT(status_of(buf_str(&r.got)), 401);          /* before a byte of it has come */
    CHECK_INT(g.requests, 0);
    raw_close(&g, &r);
    a = rig_ask(&g, "POST /echo HTTP/1.1\r\nHost: a\r\nX-Refuse: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
    CHECK(status_of(a) == 401 && count(a, "HTTP/1.1") == 1 && str_has(a, "Connection: close\r\n"));
    a = rig_ask(&g, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Refuse: 1\r\nContent-Length: 0\r\n\r\n");
    CHECK_INT(status_of(a), 200);
    rig_close(&g);
}

/* Two and a half of the largest bodies fit at a time; small ones always do. */
TEST(bodies_share_a_budget)
{
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    static char half[99999];
    struct rig g;
    struct raw r[3];

    memset(half, 'x', sizeof half);
    rig_open(&g);
    for (int i = 0; i < 3; i++) {
        raw_open(g.w, "srv", &r[i]);
        raw_send(&r[i], head);
        stream_write(r[i].s, half, sizeof half);
        mem_run_for(g.w, 10);
        CHECK_INT(r[i].got.n > 0, i == 2);
    }
    CHECK_INT(status_of(buf_str(&r[2].got)), 429);
    CHECK_INT(status_of(rig_ask(&g, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")), 200);
    raw_close(&g, &r[2]);
    raw_send(&r[0], "y");                        /* an end, and a break: both give their share back */
    mem_run_for(g.w, 10);
    CHECK_INT(status_of(buf_str(&r[0].got)), 200);
    raw_close(&g, &r[0]);
    raw_close(&g, &r[1]);
    for (int i = 0; i < 2; i++) {
        raw_open(g.w, "srv", &r[i]);
        raw_send(&r[i], head);
        stream_write(r[i].s, half, sizeof half);
        raw_send(&r[i], "z");
        mem_run_for(g.w, 10);
        CHECK_INT(status_of(buf_str(&r[i].got)), 200);
        raw_close(&g, &r[i]);
    }
    rig_close(&g);
}

TEST(keep_alive_and_versions)
{
    struct rig g;

    rig_open(&g);
    struct raw r;
    raw_open(g.w, "srv", &r);
    for (int i = 1; i <= 3; i++) {
        const char *req = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
        raw_send(&r, req);
        mem_run_for(g.w, 10);
        CHECK_INT(count(buf_str(&r.got), "hello"), i);
        CHECK(!r.closed && !r.eof);
    }
    raw_close(&g, &r);
    raw_open(g.w, "srv", &r);                    /* the last request comes out of the buffer of unread bytes */
    raw_send(&r, "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.0\r\n\r\nGET /hello HTTP/1.0\r\n\r\n");
    mem_run_for(g.w, 10);
    http_respond(g.held, 204, NULL, NULL, NULL, 0);
    g.held = NULL;
    mem_run_for(g.w, 10);
    CHECK(count(buf_str(&r.got), "hello") == 1 && r.closed);
    raw_close(&g, &r);
    struct str a = rig_ask(&g, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(count(a, "hello") == 1 && str_has(a, "Connection: close\r\n"));
    a = rig_ask(&g, "GET /hello HTTP/1.0\r\n\r\n");
    CHECK(status_of(a) == 200 && str_has(a, "Connection: close\r\n"));
    a = rig_ask(&g, "GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /hello HTTP/1.0\r\n\r\n");
    CHECK(count(a, "hello") == 2 && count(a, "Connection: keep-alive\r\n") == 1);
    a = rig_ask(&g, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\nAccept-Encoding: gzip\r\n\r\n");
    CHECK(str_ends(a, STR("\r\n\r\nonetwo")) && !str_has(a, "chunked") && str_has(a, "Connection: close"));
    a = rig_ask(&g, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(str_ends(a, STR("chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")));
    a = rig_ask(&g, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\nHEAD /now HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(count(a, "HTTP/1.1 200") == 3 && count(a, "hello") == 1 && count(a, "\r\n\r\nHTTP") == 2 && !str_has(a, "one"));
    rig_close(&g);
}

TEST(expect_continue)
{
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    struct rig g;
    struct raw r;

    rig_open(&g);
    raw_open(g.w, "srv", &r);
    stream_write(r.s, head, sizeof head - 1);
    mem_run_for(g.w, 10);
    CHECK_STR(buf_str(&r.got), "HTTP/1.1 100 Continue\r\n\r\n");
    raw_send(&r, "abc");
    mem_run_for(g.w, 10);
    CHECK(str_ends(buf_str(&r.got), STR("\r\n\r\nabc")));
    raw_close(&g, &r);
    CHECK(!str_has(rig_ask(&g, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"), "100 Cont"));
    rig_close(&g);
}

TEST(pipelined_answers_keep_their_order)
{
    struct rig g;
    struct raw r;
    struct buf b = BUF_INIT;

    rig_open(&g);
    raw_open(g.w, "srv", &r);
    buf_z(&b, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 500; i++)
        buf_fmt(&b, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n%04d", i);
    stream_write(r.s, b.p, b.n);
    mem_run_for(g.w, 100);
    CHECK_INT(g.requests, 1);                    /* one at a time */
    CHECK_INT(r.got.n, 0);
    http_respond(g.held, 200, NULL, blob_copy(STR("first")), NULL, 0);
    g.held = NULL;
    mem_run_for(g.w, 100);
    CHECK_INT(g.requests, 501);
    const char *at = memmem(r.got.p, r.got.n, "first", 5);
    CHECK(at != NULL);
    for (int i = 0; i < 500 && at != NULL; i++) {
        char want[16];
        snprintf(want, sizeof want, "\n%04d", i);
        at = memmem(at, (size_t)(r.got.p + r.got.n - at), want, 5);
        if (at == NULL)
            test_fail(__FILE__, __LINE__, "answer %d is missing or out of order", i);
    }
    buf_release(&b);
    raw_close(&g, &r);
    rig_close(&g);
}

/* A client that asks and asks and never reads must not make the server hold its answers. */
TEST(flood_without_reading_is_bounded)
{
    struct rig g;
    struct raw r;

    rig_open(&g);
    raw_open(g.w, "srv", &r);
    mem_run_for(g.w, 1);
    stream_pause(r.s);
    for (int i = 0; i < 3000; i++)
        raw_send(&r, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    mem_run_for(g.w, 1000);
    CHECK(g.requests >= 1 && g.requests <= 3);
    stream_resume(r.s);
    for (int i = 0; i < 20; i++) {
        mem_run_for(g.w, 5);
        buf_clear(&r.got);
    }
    CHECK(g.requests > 3);
    raw_close(&g, &r);
    rig_close(&g);
}

TEST(slow_and_idle_peers)
{
    struct rig g;
    struct raw r;
    const char *half = "GET /hello HTT";

    rig_open(&g);
    raw_open(g.w, "srv", &r);                    /* silent from the start */
    mem_run_for(g.w, 31000);
    CHECK(r.closed && r.got.n == 0);
    raw_close(&g, &r);
    raw_open(g.w, "srv", &r);                    /* a head that dribbles gets no extra time */
    for (size_t i = 0; i < strlen(half); i++) {
        if (!r.closed)
            stream_write(r.s, half + i, 1);
        mem_run_for(g.w, 3000);
    }
    CHECK_INT(status_of(buf_str(&r.got)), 408);
    raw_close(&g, &r);
    raw_open(g.w, "srv", &r);                    /* a stalled body */
    half = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab";
    raw_send(&r, half);
    mem_run_for(g.w, 31000);
    CHECK_INT(status_of(buf_str(&r.got)), 408);
    CHECK(r.closed);
    raw_close(&g, &r);
    raw_open(g.w, "srv", &r);                    /* nor does a body that dribbles */
    raw_send(&r, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n");
    for (int i = 0; i < 6 && !r.closed; i++) {
        stream_write(r.s, "x", 1);
        mem_run_for(g.w, 3000);
    }
    CHECK_INT(status_of(buf_str(&r.got)), 408);
    CHECK(r.closed);
    raw_close(&g, &r);
    raw_open(g.w, "srv", &r);                    /* a large one on a thin line has the time it needs */
    raw_send(&r, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 93000\r\n\r\n");
    for (int i = 0; i < 15; i++) {
        char some[6200] = "";
        CHECK(!r.closed);
        stream_write(r.s, some, sizeof some);
        mem_run_for(g.w, 1000);
    }
    CHECK_INT(status_of(buf_str(&r.got)), 200);
    raw_close(&g, &r);
    raw_open(g.w, "srv", &r);                    /* idle after an answer: five minutes */
    raw_send(&r, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    mem_run_for(g.w, 200000);
    CHECK(!r.closed);
    mem_run_for(g.w, 200000);
    CHECK(r.closed && status_of(buf_str(&r.got)) == 200);
    raw_close(&g, &r);
    CHECK_INT(g.requests, 2);
    rig_close(&g);
}

/* A big answer to a slow reader: patience as long as it reads, with and without keep-alive. */
TEST(slow_reader_of_a_whole_answer)
{
    struct rig g;
    struct raw r;

    rig_open(&g);
    g.w->capacity = 1000;
    for (int keep = 0; keep < 2; keep++) {
        raw_open(g.w, "srv", &r);
        raw_send(&r, keep ? "GET /big HTTP/1.1\r\nHost: a\r\n\r\n" : "GET /big HTTP/1.0\r\n\r\n");
        stream_pause(r.s);
        mem_run_for(g.w, 1);
        for (int i = 0; i < 8; i++) {            /* a little every four minutes */
            mem_run_for(g.w, 240000);
            stream_resume(r.s);
            mem_step(g.w);
            mem_step(g.w);
            mem_step(g.w);
            stream_pause(r.s);
        }
        CHECK(!r.closed && r.got.n < 100000);
        stream_resume(r.s);
        mem_run_for(g.w, 1000);
        CHECK(r.closed == !keep && str_ends(buf_str(&r.got), str_make(g.big->data, g.big->len)));
        buf_clear(&r.got);
        raw_close(&g, &r);
        raw_open(g.w, "srv", &r);                /* and none with one that never does */
        raw_send(&r, keep ? "GET /big HTTP/1.1\r\nHost: a\r\n\r\n" : "GET /big HTTP/1.0\r\n\r\n");
        stream_pause(r.s);
        mem_run_for(g.w, 1);
        mem_run_for(g.w, 1000000);
        stream_resume(r.s);
        mem_run_for(g.w, 10);
        CHECK(r.closed && r.err != 0);
        raw_close(&g, &r);
    }
    rig_close(&g);
}

TEST(broken_connections_abort_or_orphan)
{
    struct rig g;
    struct raw r;

    rig_open(&g);
    for (int how = 0; how < 3; how++) {
        const char *req = how == 0 ? "GET /later HTTP/1.1\r\nHost: a\r\n\r\n" : how == 1 ? "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
                                   : "GET /later?orphan HTTP/1.1\r\nHost: a\r\n\r\n";
        raw_open(g.w, "srv", &r);
        raw_send(&r, req);
        mem_run_for(g.w, 10);
        CHECK(g.held != NULL);
        stream_close(r.s);
        mem_run_for(g.w, 10);
        CHECK_INT(g.aborts, how == 0 ? 0 : how == 1 ? 1 : 1);
        if (how == 0) {                          /* only our half closed, for all that can be known: answer */
            http_respond(g.held, 200, NULL, blob_copy(STR("late")), NULL, 0);
        } else if (how == 2) {
            CHECK(http_queued(g.held) == 0);
            http_respond(g.held, 200, NULL, blob_copy(STR("late")), NULL, 0);
        }
        g.held = NULL;
        mem_run_for(g.w, 10);
        raw_close(&g, &r);
    }
    /* The server closes with requests of each kind open. */
    struct raw a, b;
    raw_open(g.w, "srv", &a);
    raw_send(&a, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    mem_run_for(g.w, 10);
    g.held = NULL;
    raw_open(g.w, "srv", &b);
    raw_send(&b, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    mem_run_for(g.w, 10);
    http_server_close(g.srv);
    g.srv = NULL;
    mem_run_for(g.w, 10);
    CHECK_INT(g.aborts, 3);
    raw_close(&g, &a);
    raw_close(&g, &b);
    rig_close(&g);
}

TEST(slow_reader_of_a_stream)
{
    struct rig g;
    struct raw r;
    char part[5000];
    size_t sent = 0;

    memset(part, 'x', sizeof part);
    rig_open(&g);
    raw_open(g.w, "srv", &r);
    raw_send(&r, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    mem_run_for(g.w, 10);
    stream_pause(r.s);
    while (http_queued(g.held) < 2 * STREAM_LOW_WATER && sent < (4u << 20)) {
        http_send(g.held, part, sizeof part);
        sent += sizeof part;
        mem_run_for(g.w, 1);
    }
    CHECK(sent < (1u << 20) && g.drains == 0);
    stream_resume(r.s);
    mem_run_for(g.w, 100);
    CHECK_INT(g.drains, 1);
    CHECK_INT(http_queued(g.held), 0);
    http_end(g.held);
    g.held = NULL;
    mem_run_for(g.w, 10);
    CHECK(str_ends(buf_str(&r.got), STR("xx\r\n0\r\n\r\n")));
    CHECK_INT(count(buf_str(&r.got), "1388\r\n"), sent / sizeof part);
    buf_clear(&r.got);
    /* And one that never reads again is cut off, some time. */
    raw_send(&r, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    mem_run_for(g.w, 10);
    stream_pause(r.s);
    for (int i = 0; i < 100; i++)
        http_send(g.held, part, sizeof part);
    mem_run_for(g.w, 11 * 60 * 1000);
    CHECK_INT(g.aborts, 1);
    raw_close(&g, &r);
    rig_close(&g);
}

/* Takes the chunks of an answer apart and unzips them. */
static size_t gunzip_chunks(struct str answer, char *out, size_t cap, bool *whole)
{
    const char *p = memmem(answer.p, answer.n, "\r\n\r\n", 4);
    z_stream z = { 0 };
    int rc = Z_OK;

    *whole = false;
    if (p == NULL || inflateInit2(&z, 15 + 16) != Z_OK)
        return 0;
    z.next_out = (unsigned char *)out;
    z.avail_out = (uInt)cap;
    for (p += 4; p < answer.p + answer.n;) {
        size_t n = strtoul(p, NULL, 16);
        p = memchr(p, '\n', (size_t)(answer.p + answer.n - p));
        if (p == NULL || n == 0 || n > (size_t)(answer.p + answer.n - p))
            break;
        z.next_in = (unsigned char *)p + 1;
        z.avail_in = (uInt)n;
        rc = inflate(&z, Z_SYNC_FLUSH);
        p += 1 + n + 2;
    }
    *whole = rc == Z_STREAM_END;
    inflateEnd(&z);
    return cap - z.avail_out;
}

TEST(gzip_of_whole_answers)
{
    static char out[2 << 20];
    struct rig g;
    bool whole;

    rig_open(&g);
    for (int i = 0; i < 2; i++) {
        struct str a = rig_ask(&g, "GET /big HTTP/1.1\r\nHost: a\r\nAccept-Encoding: deflate, gzip;q=0.5\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        CHECK(str_has(a, "Content-Encoding: gzip\r\n") && !str_has(a, "Content-Length: 1"));
        CHECK(a.n < g.big->len / 2);
        CHECK(str_ends(a, STR("hello")));        /* the next answer comes after */
        size_t n = gunzip_chunks(a, out, sizeof out, &whole);
        CHECK(whole && n == g.big->len && memcmp(out, g.big->data, n) == 0);
        g.w->capacity = 1000;                    /* again through a straw */
    }
    g.w->capacity = 256 << 10;
    CHECK(!str_has(rig_ask(&g, "GET /big HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip;q=0\r\n\r\n"), "Content-Encoding"));
    CHECK(!str_has(rig_ask(&g, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"), "Content-Encoding"));
    CHECK(!str_has(rig_ask(&g, "HEAD /big HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"), "Content-Encoding"));
    CHECK(!str_has(rig_ask(&g, "GET /hello HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"), "Content-Encoding"));
    rig_close(&g);
}

TEST(gzip_of_streamed_answers)
{
    static char out[4 << 20];
    struct rig g;
    struct raw r;
    bool whole;
    size_t sent = 3;

    rig_open(&g);
    raw_open(g.w, "srv", &r);
    const char *req = "GET /stream?gzip HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
    raw_send(&r, req);
    mem_run_for(g.w, 10);
    http_send(g.held, "one", 3);
    mem_run_for(g.w, 10);
    CHECK_INT(gunzip_chunks(buf_str(&r.got), out, sizeof out, &whole), 3);   /* an event is seen at once */
    for (int i = 0; i < 40; i++) {
        size_t len = 10 + (size_t)i * 1999;
        http_send_blob(g.held, blob_ref(g.big), (size_t)i * 100, len);
        sent += len;
        if (i % 7 == 0)
            mem_run_for(g.w, 1);
    }
    http_end(g.held);
    g.held = NULL;
    mem_run_for(g.w, 100);
    CHECK_INT(gunzip_chunks(buf_str(&r.got), out, sizeof out, &whole), sent);
    CHECK(whole && memcmp(out, "one", 3) == 0);
    size_t at = 3;
    for (int i = 0; i < 40; at += 10 + (size_t)i * 1999, i++)
        CHECK(memcmp(out + at, g.big->data + i * 100, 10 + (size_t)i * 1999) == 0);
    CHECK(str_ends(buf_str(&r.got), STR("\r\n0\r\n\r\n")));
    /* Gone in the midst of compression. */
    raw_send(&r, req);
    mem_run_for(g.w, 10);
    http_send_blob(g.held, blob_ref(g.big), 0, g.big->len);
    stream_close(r.s);
    mem_run_for(g.w, 100);
    CHECK_INT(g.aborts, 1);
    raw_close(&g, &r);
    rig_close(&g);
}

/* Blobs that are sent again and again take another way than those sent once: the bytes must be the same. */
TEST(shared_blobs_in_chunks)
{
    static const char order[] = "aabbbabaaaccac";
    struct buf want = BUF_INIT;
    struct rig g;
    struct raw r;

    rig_open(&g);
    struct blob *blob[3] = { blob_copy(STR("first")), blob_copy(STR("the second blob")), blob_new(400 << 10) };
    memset(blob[2]->data, 'x', blob[2]->len);
    g.w->capacity = 8 << 20;
    raw_open(g.w, "srv", &r);
    raw_send(&r, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    mem_run_for(g.w, 10);
    buf_str_add(&want, buf_str(&r.got));
    for (size_t i = 0; i < sizeof order - 1; i++) {
        struct blob *b = blob[order[i] - 'a'];
        if (i % 5 == 4) {                        /* parts of a blob have chunks of their own */
            http_send_blob(g.held, blob_ref(b), 1, b->len - 1);
            buf_fmt(&want, "%x\r\n%.*s\r\n", b->len - 1, (int)b->len - 1, b->data + 1);
        }
        http_send_blob(g.held, blob_ref(b), 0, b->len);
        buf_fmt(&want, "%x\r\n%.*s\r\n", b->len, (int)b->len, b->data);
        mem_run_for(g.w, i % 3 == 0 ? 20 : 0);
    }
    http_end(g.held);
    g.held = NULL;
    buf_z(&want, "0\r\n\r\n");
    mem_run_for(g.w, 500);
    CHECK_INT(r.got.n, want.n);
    CHECK(str_eq(buf_str(&r.got), buf_str(&want)));
    for (size_t i = 0; i < ARRAY_LEN(blob); i++)
        blob_unref(blob[i]);
    buf_release(&want);
    raw_close(&g, &r);
    rig_close(&g);
}

TEST(upgrade_with_early_bytes)
{
    static const char req[] = "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\nearly";
    struct rig g;
    struct raw r;

    rig_open(&g);
    for (size_t at = 1; at < sizeof req - 1; at++) {
        raw_open(g.w, "srv", &r);
        stream_write(r.s, req, at);
        mem_run_for(g.w, 1);
        stream_write(r.s, req + at, sizeof req - 1 - at);
        mem_run_for(g.w, 1);
        raw_send(&r, "late");
        mem_run_for(g.w, 10);
        CHECK_STR(buf_str(&g.upgraded_got), "earlylate");
        CHECK_STR(buf_str(&r.got), "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
        buf_clear(&g.upgraded_got);
        stream_close(r.s);
        mem_run_for(g.w, 10);
        CHECK(g.upgraded == NULL);
        raw_close(&g, &r);
    }
    CHECK_INT(status_of(rig_ask(&g, "GET /upgrade HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n\r\n")), 404);
    rig_close(&g);
}

TEST(headers_cannot_be_injected)
{
    struct rig g;

    rig_open(&g);
    struct str a = rig_ask(&g, "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(str_has(a, "X-Evil: a  Set-Cookie: b\r\n"));
    CHECK(!str_has(a, "\nSet-Cookie"));
    rig_close(&g);
}

static void on_drained(void *arg) { ++*(int *)arg; }

TEST(drain)
{
    struct rig g;
    struct raw idle, busy, stuck;
    int done = 0;

    rig_open(&g);
    raw_open(g.w, "srv", &idle);
    raw_send(&idle, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    mem_run_for(g.w, 10);
    raw_open(g.w, "srv", &stuck);
    raw_send(&stuck, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    mem_run_for(g.w, 10);
    g.held = NULL;
    raw_open(g.w, "srv", &busy);
    raw_send(&busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    mem_run_for(g.w, 10);
    http_server_drain(g.srv, 5000, on_drained, &done);
    mem_run_for(g.w, 10);
    CHECK(idle.closed && !busy.closed && !stuck.closed && done == 0);
    http_respond(g.held, 200, NULL, blob_copy(STR("bye")), NULL, 0);
    g.held = NULL;
    mem_run_for(g.w, 10);
    CHECK(busy.closed && str_has(buf_str(&busy.got), "Connection: close\r\n") && str_ends(buf_str(&busy.got), STR("bye")));
    CHECK(done == 0 && g.aborts == 0);
    mem_run_for(g.w, 5000);
    CHECK(done == 1 && g.aborts == 1 && stuck.closed);
    raw_close(&g, &idle);
    raw_close(&g, &busy);
    raw_close(&g, &stuck);
    rig_close(&g);
}

TEST(half_closed_client_is_answered)
{
    struct rig g;
    struct raw r;

    rig_open(&g);
    raw_open(g.w, "srv", &r);
    raw_send(&r, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    stream_shutdown(r.s);
    mem_run_for(g.w, 10);
    CHECK_INT(count(buf_str(&r.got), "hello"), 2);
    CHECK(r.closed);
    raw_close(&g, &r);
    rig_close(&g);
}

TEST(escapes_and_tokens)
{
    static const struct { const char *in; bool form, ok; const char *out; } un[] = {
        { "plain", false, true, "plain" }, { "", false, true, "" }, { "a%20b%2Fc", false, true, "a b/c" },
        { "a+b", false, true, "a+b" }, { "a+b", true, true, "a b" }, { "%41", true, true, "A" }, { "%4a%4A", true, true, "JJ" },
        { "%", false, false, "" }, { "%4", false, false, "" }, { "a%4", false, false, "" }, { "%4g", false, false, "" },
        { "%00", false, false, "" }, { "%%41", false, false, "" },
    };
    struct arena a = ARENA_INIT;
    struct buf b = BUF_INIT;
    struct str got;

    for (size_t i = 0; i < ARRAY_LEN(un); i++) {
        bool ok = http_unescape(&a, str_of(un[i].in), un[i].form, &got);
        if (ok != un[i].ok || (ok && !str_is(got, un[i].out)))
            test_fail(__FILE__, __LINE__, "case %zu: \"%s\"", i, un[i].in);
    }
    CHECK(!http_unescape(&a, str_make("a\0b", 3), false, &got));
    char all[255];
    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    http_escape(&b, str_make(all, sizeof all));
    CHECK(http_is_target(buf_str(&b)));
    CHECK(http_unescape(&a, buf_str(&b), true, &got) && str_eq(got, str_make(all, sizeof all)));
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        bool want = (i >= '0' && i <= '9') || ((i | 32) >= 'a' && (i | 32) <= 'z') || (i > 0 && i < 128 && strchr("!#$%&'*+-.^_`|~", i));
        if (http_is_token(str_make(&c, 1)) != want)
            test_fail(__FILE__, __LINE__, "byte %d", i);
    }
    arena_release(&a);
    buf_release(&b);
}
