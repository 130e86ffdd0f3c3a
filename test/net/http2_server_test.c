/* test/net/http2_server_test.c: the server's HTTP/2 against clients good, slow, broken and hostile, frame by frame. */
#include <zlib.h>
#include "test/net/http2_rig.h"

/* A connection on which HELLO is said already. */
static struct peer *hello(struct rig2 *g)
{
    struct peer *r = peer_open(g);
    struct buf b = BUF_INIT;

    put_hello(&b);
    peer_say(r, &b, 5);
    CHECK(r->settings == 1 && r->acks == 1);
    return r;
}

static void ask(struct peer *r, uint32_t id, const char *method, const char *path, const char *more)
{
    struct buf b = BUF_INIT;

    put_request(&b, id, method, path, more, true);
    peer_say(r, &b, 5);
}

TEST(plain_get)
{
    struct rig2 g;

    rig2_open(&g);
    struct peer *r = hello(&g);
    ask(r, 1, "GET", "/hello?x=1", "accept: */*");
    CHECK_INT(r->a[0].status, 200);
    CHECK_STR(buf_str(&r->a[0].body), "hello");
    CHECK_STR(str_of(r->a[0].header), "content-type=text/plain;content-length=5;x-upper=v;x-evil=a  b: c;");
    CHECK(r->a[0].ended && r->a[0].reset == 0);
    ask(r, 3, "GET", "/host", NULL);             /* :authority, for handlers that look for Host */
    CHECK_STR(buf_str(&r->a[1].body), "srv");
    ask(r, 5, "GET", "/none", NULL);
    CHECK(r->a[2].status == 204 && r->a[2].ended && r->a[2].data_frames == 0);
    ask(r, 7, "HEAD", "/hello", NULL);
    CHECK(r->a[3].status == 200 && r->a[3].ended && r->a[3].body.n == 0);
    CHECK(strstr(r->a[3].header, "content-length=5") != NULL);
    ask(r, 9, "GET", "/nowhere", NULL);
    CHECK_INT(r->a[4].status, 404);
    CHECK(!r->closed && r->goaway == -1);
    peer_close(r);
    rig2_close(&g);
}

/* The same conversation, cut at every byte, gives the same answers. */
TEST(every_split_point)
{
    struct buf all = BUF_INIT;
    struct rig2 g;

    put_hello(&all);
    put_request(&all, 1, "POST", "/echo", "content-length: 11", false);
    put_frame(&all, F_DATA, 0, 1, STR("hello "));
    put_request(&all, 3, "GET", "/hello", NULL, true);
    put_frame(&all, F_DATA, FL_END | FL_PAD, 1, STR("\3world\0\0\0"));
    put_request(&all, 5, "POST", "/both", NULL, false);
    put_frame(&all, F_DATA, FL_END, 5, STR("both"));
    for (size_t cut = 0; cut <= all.n; cut++) {
        rig2_open(&g);
        g.echo = true;
        struct peer *r = peer_open(&g);
        r->mute = r->hold_windows = true;        /* nothing else between the pieces */
        if (cut == all.n)
            g.w->piece = 1;
        stream_write(r->s, all.p, cut);
        mem_run_for(g.w, 2);
        stream_write(r->s, all.p + cut, all.n - cut);
        mem_run_for(g.w, 20);
        CHECK_STR(buf_str(&r->a[0].body), "hello world");
        CHECK_STR(buf_str(&r->a[1].body), "hello");
        CHECK_STR(buf_str(&r->a[2].body), "both");
        CHECK(r->a[2].trailers && strstr(r->a[2].header, "grpc-status=0;grpc-message=a b;") != NULL);
        CHECK(r->a[0].ended && r->a[1].ended && r->a[2].ended && r->goaway == -1);
        peer_close(r);
        rig2_close(&g);
    }
    buf_release(&all);
}

TEST(both_protocols_on_one_port)
{
    struct rig2 g;
    struct buf b = BUF_INIT;

    rig2_open(&g);
    struct peer *r = peer_open(&g);
    r->mute = true;
    buf_z(&b, "PRI * HTTP/2.0\r\n\r\nno preface at all.......");
    peer_say(r, &b, 100);
    CHECK(r->closed);
    peer_close(r);
    r = peer_open(&g);
    buf_z(&b, "PRX");                            /* slowly, then not at all */
    peer_say(r, &b, 60000);
    CHECK(r->closed);
    CHECK(r->in.n > 12 && memcmp(r->in.p, "HTTP/1.1 408", 12) == 0);
    peer_close(r);
    rig2_close(&g);
}

TEST(bodies_follow_both_ways)
{
    struct rig2 g;
    struct buf b = BUF_INIT;

    rig2_open(&g);
    struct peer *r = hello(&g);
    put_request(&b, 1, "POST", "/both", "te: trailers", false);
    peer_say(r, &b, 5);
    CHECK(g.n_kept == 1 && !g.kept[0]->body_done && r->a[0].status == 200 && !r->a[0].ended);
    http_send(g.kept[0], "first", 5);            /* before a byte of the body */
    mem_run_for(g.w, 5);
    CHECK_STR(buf_str(&r->a[0].body), "first");
    put_frame(&b, F_DATA, 0, 1, STR("abc"));
    peer_say(r, &b, 5);
    CHECK(g.got == 3 && g.eofs == 0);
    put_frame(&b, F_DATA, FL_END, 1, STR("de"));
    peer_say(r, &b, 5);
    CHECK(g.got == 5 && g.eofs == 1 && g.kept[0]->body_done && !r->a[0].ended);
    http_send(g.kept[0], "after", 5);            /* the peer's half is closed, ours is not */
    http_end(g.kept[0]);
    g.n_kept = 0;
    mem_run_for(g.w, 5);
    CHECK_STR(buf_str(&r->a[0].body), "firstafter");
    CHECK(r->a[0].ended && r->a[0].reset == 0 && !r->a[0].trailers);

    put_request(&b, 3, "POST", "/both", NULL, false);     /* an answer that ends first stops the client */
    peer_say(r, &b, 5);
    http_end(g.kept[0]);
    g.n_kept = 0;
    put_frame(&b, F_DATA, 0, 3, STR("late"));
    peer_say(r, &b, 5);
    CHECK(r->a[1].ended && r->a[1].reset == 1 + NGHTTP2_NO_ERROR && g.got == 5);

    put_request(&b, 5, "POST", "/both", NULL, false);
    put_frame(&b, F_DATA, 0, 5, STR("x"));
    put_number(&b, F_RST, 0, 5, NGHTTP2_CANCEL);
    peer_say(r, &b, 5);
    CHECK(g.aborts == 1 && g.n_kept == 0 && g.got == 6);
    peer_close(r);
    rig2_close(&g);
}

/* A handler that pauses holds the client back by its window, and loses nothing. */
TEST(a_paused_body_closes_the_window)
{
    struct rig2 g;
    struct buf b = BUF_INIT;
    static char zeros[16384];

    rig2_open(&g);
    struct peer *r = hello(&g);
    put_request(&b, 1, "POST", "/both", NULL, false);
    peer_say(r, &b, 5);
    http_req_pause(g.kept[0]);
    for (unsigned i = 0; i < HTTP2_WINDOW / sizeof zeros; i++)
        put_frame(&b, F_DATA, 0, 1, str_make(zeros, sizeof zeros));
    peer_say(r, &b, 5);
    CHECK(g.got == 0 && !r->closed && r->a[0].reset == 0);
    ask(r, 3, "GET", "/hello", NULL);            /* others go on */
    CHECK_INT(r->a[1].status, 200);
    http_req_resume(g.kept[0]);
    CHECK_INT(g.got, 0);                         /* from the loop */
    mem_run_for(g.w, 5);
    CHECK_INT(g.got, HTTP2_WINDOW);
    put_frame(&b, F_DATA, FL_END, 1, str_make(zeros, sizeof zeros));
    http_req_pause(g.kept[0]);
    peer_say(r, &b, 5);
    CHECK_INT(g.eofs, 0);
    http_req_resume(g.kept[0]);
    mem_run_for(g.w, 5);
    CHECK(g.got == HTTP2_WINDOW + sizeof zeros && g.eofs == 1);
    http_end(g.kept[0]);
    g.n_kept = 0;

    put_request(&b, 5, "POST", "/both", NULL, false);     /* beyond the window: that stream fails */
    peer_say(r, &b, 5);
    http_req_pause(g.kept[0]);
    for (unsigned i = 0; i <= HTTP2_WINDOW / sizeof zeros; i++)
        put_frame(&b, F_DATA, 0, 5, str_make(zeros, sizeof zeros));
    peer_say(r, &b, 5);
    CHECK(r->a[2].reset == 1 + NGHTTP2_FLOW_CONTROL_ERROR || r->goaway == NGHTTP2_FLOW_CONTROL_ERROR);
    peer_close(r);
    rig2_close(&g);
}

TEST(refusals)
{
    static const struct { int status; const char *method, *path, *more; } bad[] = {
        { 413, "POST", "/echo", "content-length: 300001" }, { 401, "POST", "/echo", "x-refuse: 1" },
        { 400, "GET", "no/slash", NULL }, { 400, "GET", "/a b", NULL }, { 431, "GET", "/hello", "LONG" },
        { 431, "GET", "/hello", "MANY" },
    };
    struct rig2 g;
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        rig2_open(&g);
        struct peer *r = hello(&g);
        struct buf fields = BUF_INIT;
        bool big = bad[i].more != NULL && bad[i].more[0] >= 'L' && bad[i].more[0] <= 'M';
        put_fields(&fields, bad[i].method, bad[i].path, big ? NULL : bad[i].more);
        for (int k = 0; big && k < (bad[i].more[0] == 'L' ? 9 : 200); k++) {
            struct blob *v = rig2_bytes(bad[i].more[0] == 'L' ? 8000 : 3);
            put_field(&fields, STR("x-y"), blob_str(v));
            blob_unref(v);
        }
        for (size_t at = 0, n; at < fields.n; at += n) {
            n = MIN_OF((size_t)16384, fields.n - at);
            put_frame(&b, at == 0 ? F_HEADERS : F_CONTINUATION, at + n == fields.n ? FL_HEAD : 0, 1, str_make(fields.p + at, n));
        }
        peer_say(r, &b, 5);
        if (r->a[0].status != bad[i].status && !((i == 2 || i == 3) && r->a[0].reset != 0))
            test_fail(__FILE__, __LINE__, "case %zu: status %d", i, r->a[0].status);
        CHECK(g.requests == 0 && !r->closed && r->goaway == -1);
        put_request(&b, 3, "GET", "/hello", NULL, true);   /* only the stream was refused */
        peer_say(r, &b, 5);
        CHECK_INT(r->a[1].status, 200);
        buf_release(&fields);
        peer_close(r);
        rig2_close(&g);
    }
}

TEST(bodies_share_the_budget)
{
    struct rig2 g;
    struct buf b = BUF_INIT;
    static char zeros[16000];
    int status[4] = { 0 };

    rig2_open(&g);
    struct peer *r = hello(&g);
    for (uint32_t id = 1; id < 8; id += 2)
        put_request(&b, id, "POST", "/later", NULL, false);
    for (int i = 0; i < 16; i++)                 /* 4 * 256,000 where 700,000 may be */
        for (uint32_t id = 1; id < 8; id += 2) {
            put_frame(&b, F_DATA, i == 15 ? FL_END : 0, id, str_make(zeros, sizeof zeros));
            peer_say(r, &b, 1);
        }
    for (int i = 0; i < 4; i++)
        status[r->a[i].status == 429 ? 1 : r->a[i].status == 0 ? 0 : 3]++;
    CHECK(status[1] >= 1 && status[0] >= 1 && status[3] == 0);
    CHECK_INT(g.n_kept, status[0]);
    rig2_answer_kept(&g);
    mem_run_for(g.w, 5);
    peer_close(r);
    rig2_close(&g);
}

static void say_calm(const char *what, void (*flood)(struct buf *b, uint32_t i), uint32_t n, int code, const char *why)
{
    struct rig2 g;
    struct buf b = BUF_INIT;

    rig2_open(&g);
    struct peer *r = hello(&g);
    for (uint32_t i = 0; i < n && !r->closed; i++) {
        flood(&b, i);
        if (i % 50 == 49)
            peer_say(r, &b, 0);
    }
    peer_say(r, &b, 1500);
    if (!r->closed || r->goaway != code || (why != NULL && strcmp(r->goaway_why, why) != 0))
        test_fail(__FILE__, __LINE__, "%s: closed %d, code %d, %s", what, r->closed, r->goaway, r->goaway_why);
    CHECK(g.n_kept == 0 && g.requests <= 4000);
    peer_close(r);
    rig2_close(&g);
}

static void flood_resets(struct buf *b, uint32_t i)
{
    put_request(b, 2 * i + 1, "GET", "/later", NULL, true);
    put_number(b, F_RST, 0, 2 * i + 1, NGHTTP2_CANCEL);
}

/* The client makes us reset: a window too large is an error of the stream. */
static void flood_made_resets(struct buf *b, uint32_t i)
{
    put_request(b, 2 * i + 1, "GET", "/later", NULL, true);
    put_number(b, F_WINDOW, 0, 2 * i + 1, 0x7fffffff);
}

static void flood_settings(struct buf *b, uint32_t i) { put_setting(b, 4, 65535 + i % 2); }
static void flood_pings(struct buf *b, uint32_t i) { put_frame(b, F_PING, 0, 0, STR("pingping")); }
static void flood_priority(struct buf *b, uint32_t i) { put_frame(b, F_PRIORITY, 0, 2 * i + 1, STR("\0\0\0\0\7")); }

static void flood_empty(struct buf *b, uint32_t i)
{
    if (i == 0)
        put_request(b, 1, "POST", "/echo", NULL, false);
    put_frame(b, F_DATA, 0, 1, STR_NONE);
}

static void flood_continuation(struct buf *b, uint32_t i)
{
    struct buf p = BUF_INIT;

    put_field(&p, STR("x"), STR("0123456789012345678901234567890123456789"));
    if (i == 0)
        put_request(b, 1, "GET", "/later", NULL, true);
    put_frame(b, i == 0 ? F_HEADERS : F_CONTINUATION, 0, 3, buf_str(&p));
    buf_release(&p);
}

TEST(floods_are_calmed)
{
    say_calm("resets", flood_resets, 20000, NGHTTP2_ENHANCE_YOUR_CALM, NULL);
    say_calm("made resets", flood_made_resets, 20000, NGHTTP2_ENHANCE_YOUR_CALM, NULL);
    say_calm("settings", flood_settings, 20000, NGHTTP2_ENHANCE_YOUR_CALM, NULL);
    say_calm("pings", flood_pings, 100, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    say_calm("priority", flood_priority, 20000, NGHTTP2_ENHANCE_YOUR_CALM, NULL);
    say_calm("empty data", flood_empty, 20000, NGHTTP2_ENHANCE_YOUR_CALM, NULL);
}

TEST(header_blocks_end)
{
    struct rig2 g;
    struct buf b = BUF_INIT;

    rig2_open(&g);
    struct peer *r = hello(&g);
    for (uint32_t i = 0; i < 10000 && !r->closed; i++) {
        flood_continuation(&b, i);
        peer_say(r, &b, 0);
    }
    mem_run_for(g.w, 1500);
    CHECK(r->closed && r->in.n == 0);
    peer_close(r);
    r = hello(&g);                               /* nor does one take for ever */
    flood_continuation(&b, 0);
    peer_say(r, &b, 60000);
    CHECK(r->closed);
    peer_close(r);
    rig2_answer_kept(&g);
    rig2_close(&g);
}

/* Handlers that hold on to requests of which the client knows no more count against it. */
TEST(streams_at_a_time)
{
    struct rig2 g;
    struct buf b = BUF_INIT;
    int refused = 0;

    rig2_open(&g);
    struct peer *r = hello(&g);
    for (uint32_t i = 0; i < 260; i++)
        put_request(&b, 2 * i + 1, "GET", "/later?orphan", NULL, true);
    peer_say(r, &b, 5);
    for (int i = 0; i < 260; i++)
        refused += r->a[i].reset == 1 + NGHTTP2_REFUSED_STREAM;
    CHECK(g.n_kept == 250 && (refused == 10 || r->goaway == NGHTTP2_PROTOCOL_ERROR));
    peer_close(r);
    rig2_answer_kept(&g);                        /* to nobody */
    r = hello(&g);
    for (uint32_t i = 0; i < 550; i++) {
        put_request(&b, 2 * i + 1, "GET", "/later?orphan", NULL, true);
        put_number(&b, F_RST, 0, 2 * i + 1, NGHTTP2_CANCEL);
    }
    peer_say(r, &b, 5);
    CHECK_INT(g.n_kept, 500);
    CHECK_INT(g.aborts, 0);
    peer_close(r);
    rig2_answer_kept(&g);
    CHECK(g.n_kept == 0);
    rig2_close(&g);
}

TEST(a_reset_in_every_state)
{
    static const char *const path[] = { "/later", "/stream", "/later?orphan", "/stream?orphan", "/both", "/both?orphan", "/big?200000",
                                        "/stream?gzip", "/echo" };

    for (size_t i = 0; i < ARRAY_LEN(path); i++)
        for (int how = 0; how < 6; how++) {
            struct rig2 g;
            struct buf b = BUF_INIT;
            rig2_open(&g);
            struct peer *r = hello(&g);
            put_request(&b, 1, "POST", path[i], "accept-encoding: gzip", how % 2 == 0);
            if (how >= 2)
                peer_say(r, &b, 5);
            if (how >= 4 && g.n_kept == 1 && strncmp(path[i], "/later", 6) != 0)
                http_send(g.kept[0], "some", 4);
            put_number(&b, F_RST, 0, 1, NGHTTP2_CANCEL);
            peer_say(r, &b, 5);
            if (g.n_kept == 1 && strncmp(path[i], "/later", 6) != 0)
                http_send(g.kept[0], "more", 4);
            ask(r, 3, "GET", "/hello", NULL);
            CHECK(r->a[1].status == 200 && r->goaway == -1);
            CHECK(g.n_kept == 0 || strstr(path[i], "orphan") != NULL);
            if (how % 3 == 0)
                peer_close(r);
            rig2_answer_kept(&g);
            if (how % 3 != 0)
                peer_close(r);
            rig2_close(&g);
        }
}

/* Bodies that nobody took, of streams that were reset, don't use up the connection's window. */
TEST(resets_give_the_window_back)
{
    static char zeros[16384];
    struct rig2 g;
    struct buf b = BUF_INIT;

    rig2_open(&g);
    struct peer *r = hello(&g);
    for (uint32_t id = 1; id < 41; id += 2) {    /* 20 * 128 kB, where the window is 1 MB */
        put_request(&b, id, "POST", "/both", NULL, false);
        peer_say(r, &b, 5);
        http_req_pause(g.kept[0]);
        for (int i = 0; i < 8; i++)
            put_frame(&b, F_DATA, 0, id, str_make(zeros, sizeof zeros));
        peer_say(r, &b, 5);
        if (id % 4 == 1)
            put_number(&b, F_RST, 0, id, NGHTTP2_CANCEL);
        else
            http_abort(g.kept[--g.n_kept]);
        peer_say(r, &b, 5);
        CHECK(g.n_kept == 0 && g.got == 0);
    }
    CHECK(r->goaway == -1 && !r->closed && g.aborts == 10);
    peer_close(r);
    rig2_close(&g);
}

static size_t unzip(struct str in, char *out, size_t room)
{
    z_stream z = { .next_in = (unsigned char *)(uintptr_t)in.p, .avail_in = (uInt)in.n, .next_out = (unsigned char *)out,
                   .avail_out = (uInt)room };

    must(inflateInit2(&z, 15 + 16) == Z_OK);
    inflate(&z, Z_SYNC_FLUSH);
    inflateEnd(&z);
    return z.total_out;
}

TEST(compressed_answers)
{
    static char out[400000];
    struct rig2 g;

    rig2_open(&g);
    struct peer *r = hello(&g);
    ask(r, 1, "GET", "/big?300000", "accept-encoding: gzip");
    mem_run_for(g.w, 5);
    CHECK(strstr(r->a[0].header, "content-encoding=gzip;vary=Accept-Encoding;") != NULL && r->a[0].ended);
    CHECK_INT(unzip(buf_str(&r->a[0].body), out, sizeof out), 300000);
    struct blob *want = rig2_bytes(300000);
    CHECK(memcmp(out, want->data, want->len) == 0);
    blob_unref(want);
    ask(r, 3, "GET", "/stream?gzip", "accept-encoding: gzip");
    http_send(g.kept[0], "event", 5);
    mem_run_for(g.w, 5);
    CHECK(unzip(buf_str(&r->a[1].body), out, sizeof out) == 5 && memcmp(out, "event", 5) == 0);
    http_end(g.kept[0]);
    g.n_kept = 0;
    mem_run_for(g.w, 5);
    CHECK(r->a[1].ended);
    peer_close(r);
    rig2_close(&g);
}

/* Streams share the connection: a small answer behind large ones does not wait for their end, and large ones advance
 * together. */
TEST(streams_are_served_in_turn)
{
    struct rig2 g;
    struct buf b = BUF_INIT;
    int at = -1, switches = 0;

    rig2_open(&g);
    struct peer *r = hello(&g);
    put_number(&b, F_WINDOW, 0, 0, 100 << 20);
    put_setting(&b, 4, 64 << 20);
    peer_say(r, &b, 5);
    r->hold_windows = true;
    put_request(&b, 1, "GET", "/big?3000000", NULL, true);
    put_request(&b, 3, "GET", "/big?3000000", NULL, true);
    put_request(&b, 5, "GET", "/hello", NULL, true);
    peer_say(r, &b, 100);
    CHECK(r->a[0].ended && r->a[1].ended && r->a[0].body.n == 3000000);
    for (int i = 0; i < r->n_order; i++) {
        if (r->order[i] == 5 && at < 0)
            at = i;
        switches += i > 0 && r->order[i] != r->order[i - 1];
    }
    CHECK(at >= 0 && at < 20);
    CHECK(switches > 50);
    peer_close(r);
    rig2_close(&g);
}

/* A stream that is not read holds up to its own bound, and others go on. */
TEST(back_pressure)
{
    struct rig2 g;
    struct buf b = BUF_INIT;

    rig2_open(&g);
    struct peer *r = hello(&g);
    r->hold_windows = true;
    ask(r, 1, "GET", "/stream", NULL);
    http_send_blob(g.kept[0], rig2_bytes(200000), 0, 200000);
    mem_run_for(g.w, 5);
    CHECK_INT(r->a[0].body.n, 65535);            /* the window of RFC 9113 */
    CHECK(http_queued(g.kept[0]) == 200000 - 65535 && g.drains == 0);
    put_number(&b, F_WINDOW, 0, 0, 1000000);
    peer_say(r, &b, 5);
    ask(r, 3, "GET", "/hello", NULL);
    CHECK_INT(r->a[1].status, 200);
    put_number(&b, F_WINDOW, 0, 1, 80000);
    peer_say(r, &b, 5);
    CHECK(g.drains == 1 && http_queued(g.kept[0]) == 200000 - 65535 - 80000);
    put_number(&b, F_WINDOW, 0, 1, 80000);
    peer_say(r, &b, 5);
    CHECK(g.drains == 1 && http_queued(g.kept[0]) == 0 && r->a[0].body.n == 200000);
    http_end(g.kept[0]);
    g.n_kept = 0;
    mem_run_for(g.w, 5);
    CHECK(r->a[0].ended);
    peer_close(r);

    r = hello(&g);                               /* a connection that is not read at all */
    put_number(&b, F_WINDOW, 0, 0, 100 << 20);
    put_setting(&b, 4, 64 << 20);
    peer_say(r, &b, 5);
    stream_pause(r->s);
    for (uint32_t id = 1; id < 40; id += 2)
        put_request(&b, id, "GET", "/big?1000000", NULL, true);
    peer_say(r, &b, 1000);
    CHECK(!r->closed);
    mem_run_for(g.w, 20 * 60000);                /* is given up */
    stream_resume(r->s);
    mem_run_for(g.w, 5);
    CHECK(r->closed && r->a[0].body.n < 1000000);
    peer_close(r);
    rig2_close(&g);
}

/* An answer that is taken a few bytes at a time is given up, too; a watch on which nothing happens is not. */
TEST(tiny_windows_do_not_hold_memory)
{
    struct rig2 g;
    struct buf b = BUF_INIT;

    rig2_open(&g);
    struct peer *r = hello(&g);
    r->hold_windows = true;
    put_setting(&b, 4, 1);
    peer_say(r, &b, 5);
    ask(r, 1, "GET", "/big?100000", NULL);
    ask(r, 3, "GET", "/stream", NULL);
    for (int i = 0; i < 40 && !r->closed; i++) {
        put_number(&b, F_WINDOW, 0, 1, 1);
        peer_say(r, &b, 30000);
    }
    CHECK(r->a[0].reset == 1 + NGHTTP2_CANCEL && r->a[0].body.n < 100);
    CHECK(!r->closed && !r->a[1].ended && r->a[1].reset == 0 && g.n_kept == 1);
    http_end(g.kept[0]);
    g.n_kept = 0;
    mem_run_for(g.w, 5);
    CHECK(r->a[1].ended);
    peer_close(r);
    rig2_close(&g);
}

TEST(time_limits)
{
    struct rig2 g;
    struct buf b = BUF_INIT;

    rig2_open_opts(&g, (struct http_server_opts){ .ping_ms = 20000, .ping_timeout_ms = 5000 });
    struct peer *r = hello(&g);
    put_request(&b, 1, "POST", "/echo", NULL, false);
    put_frame(&b, F_DATA, 0, 1, STR("half"));
    peer_say(r, &b, 25000);
    CHECK(r->a[0].status == 408 && r->a[0].ended && !r->closed && g.requests == 0);
    mem_run_for(g.w, 400000);                    /* then idle */
    CHECK(r->closed && r->goaway == NGHTTP2_NO_ERROR);
    peer_close(r);
    r = hello(&g);
    ask(r, 1, "GET", "/stream", NULL);           /* busy is not idle, and the peer answers our pings */
    mem_run_for(g.w, 900000);
    CHECK(!r->closed && r->pings >= 20 && g.aborts == 0);
    r->mute = true;                              /* until it does not */
    mem_run_for(g.w, 60000);
    CHECK(r->closed && g.aborts == 1);
    peer_close(r);
    rig2_close(&g);
}

/* A client's own pings are answered, at a decent pace for ever. */
TEST(pings_are_answered)
{
    struct rig2 g;
    struct buf b = BUF_INIT;

    rig2_open(&g);
    struct peer *r = hello(&g);
    ask(r, 1, "GET", "/stream", NULL);
    for (int i = 0; i < 200; i++) {
        put_frame(&b, F_PING, 0, 0, STR("12345678"));
        peer_say(r, &b, 1500);
    }
    CHECK(r->pongs == 200 && !r->closed);
    for (int i = 0; i < 200; i++) {              /* and often, where each follows data (gRPC measures the way) */
        put_frame(&b, F_PING, 0, 0, STR("12345678"));
        http_send(g.kept[0], "x", 1);
        peer_say(r, &b, 5);
    }
    CHECK(r->pongs == 400 && !r->closed);
    http_end(g.kept[0]);
    g.n_kept = 0;
    peer_close(r);
    rig2_close(&g);
}

static void on_drained(void *arg) { ++*(int *)arg; }

TEST(draining)
{
    struct rig2 g;
    struct buf b = BUF_INIT;
    int drained = 0;

    rig2_open(&g);
    struct peer *idle = hello(&g), *r = hello(&g);
    ask(r, 1, "GET", "/later", NULL);
    http_server_drain(g.srv, 10000, on_drained, &drained);
    put_request(&b, 3, "GET", "/hello", NULL, true);       /* sent before the client knew */
    peer_say(r, &b, 5);
    CHECK(idle->goaway == NGHTTP2_NO_ERROR);
    CHECK(r->goaway == NGHTTP2_NO_ERROR && r->a[1].status == 200 && r->goaway_last == 3 && !r->closed);
    ask(r, 5, "GET", "/hello", NULL);            /* and after: ignored */
    CHECK_INT(r->a[2].status, 0);
    mem_run_for(g.w, 1100);
    CHECK(idle->closed && drained == 0);
    rig2_answer_kept(&g);
    mem_run_for(g.w, 1100);
    CHECK(r->a[0].status == 200 && r->a[0].ended && r->closed && drained == 1);
    peer_close(r);
    peer_close(idle);
    rig2_close(&g);

    rig2_open(&g);                               /* the grace ends */
    r = hello(&g);
    ask(r, 1, "GET", "/stream", NULL);
    http_server_drain(g.srv, 3000, on_drained, &drained);
    mem_run_for(g.w, 3100);
    CHECK(r->closed && drained == 2 && g.aborts == 1);
    peer_close(r);
    rig2_close(&g);
}

TEST(random_frames)
{
    unsigned seed = 7;

    for (int round = 0; round < 300; round++) {
        struct rig2 g;
        struct buf b = BUF_INIT;
        rig2_open(&g);
        struct peer *r = hello(&g);
        for (int i = 0; i < 40 && !r->closed; i++) {
            char junk[40];
            seed = seed * 1103515245 + 12345;
            unsigned x = seed >> 8;
            for (size_t k = 0; k < sizeof junk; k++)
                junk[k] = (char)((seed = seed * 1103515245 + 12345) >> 16);
            if (x % 3 == 0)
                put_request(&b, x / 3 % 16, "POST", x & 64 ? "/both" : "/later?orphan", NULL, x & 1);
            else
                put_frame(&b, (int)(x / 3 % 11), (int)(x >> 12 & 63), x / 33 % 8, str_make(junk, x / 7 % 3 ? x % 9 : x % sizeof junk));
            if (x & 32)
                rig2_answer_kept(&g);
            peer_say(r, &b, x & 128 ? 1 : 0);
        }
        peer_close(r);
        rig2_answer_kept(&g);
        rig2_close(&g);
    }
}
