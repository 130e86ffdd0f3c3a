/* test/net/ws_test.c: WebSocket: our two sides against each other, and each against raw frames. */
#include "net/http_client.h"
#include "net/ws.h"
#include "test/net/http_rig.h"

struct side {
    struct ws *w;
    struct buf log;                              /* every event, one line each */
    bool pause_each;
    size_t bytes;
};

static void side_on_message(void *arg, struct ws *w, bool text, const char *p, size_t n)
{
    struct side *s = arg;

    s->bytes += n;
    if (n <= 200)
        buf_fmt(&s->log, "%s:%.*s\n", text ? "text" : "bin", (int)n, p);
    else
        buf_fmt(&s->log, "%s:%zu\n", text ? "text" : "bin", n);
    if (s->pause_each)
        ws_pause(w);
}

static void side_on_close(void *arg, struct ws *w, int code, const char *reason)
{
    struct side *s = arg;

    buf_fmt(&s->log, "close:%d:%s\n", code, reason);
    s->w = NULL;
}

static const struct ws_events side_events = { .on_message = side_on_message, .on_close = side_on_close };

struct wrig { struct mem_world *w; struct listener *ln; long blocks; struct side srv, cli; struct raw raw; bool srv_is_client; };

static void wrig_on_accept(void *arg, struct stream *s)
{
    struct wrig *g = arg;

    g->srv.w = ws_new(s, g->srv_is_client, 1000000, &side_events, &g->srv);
}

static void wrig_on_open(void *arg, struct stream *s)
{
    struct wrig *g = arg;

    g->cli.w = ws_new(s, true, 1000000, &side_events, &g->cli);
}

static const struct stream_events wrig_cli_events = { .on_open = wrig_on_open, .on_close = NULL };

/* raw: the other side speaks bytes to ours, which is a server (or a client, if as_client). */
static void wrig_open(struct wrig *g, bool raw, bool as_client)
{
    struct listener_opts o = { .addr = "ws", .on_accept = wrig_on_accept, .arg = g };
    struct stream_connect_opts co = { .addr = "ws", .ev = &wrig_cli_events, .arg = g };
    struct stream *s;

    *g = (struct wrig){ .blocks = mem_live(), .srv_is_client = as_client };
    g->w = mem_world_new();
    must(listener_open(&g->w->l, &o, &g->ln, NULL) == 0);
    if (raw)
        raw_open(g->w, "ws", &g->raw);
    else
        must(stream_connect(&g->w->l, &co, &s, NULL) == 0);
    mem_run_for(g->w, 1);
}

static void wrig_close(struct wrig *g)
{
    if (g->raw.s != NULL && !g->raw.closed)
        stream_close(g->raw.s);
    if (g->cli.w != NULL)
        ws_close(g->cli.w, 1000, NULL);
    mem_run_for(g->w, 60000);
    CHECK(g->srv.w == NULL && g->cli.w == NULL);
    listener_close(g->ln);
    buf_release(&g->raw.got);
    buf_release(&g->srv.log);
    buf_release(&g->cli.log);
    loop_free(&g->w->l);
    CHECK_INT(mem_live(), g->blocks);
}

TEST(accept_key)
{
    char key[29];

    ws_accept_key(STR("dGhlIHNhbXBsZSBub25jZQ=="), key);     /* RFC 6455 1.3 */
    CHECK_STR(str_of(key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(both_sides)
{
    static char big[70000];
    struct wrig g;

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)('a' + i % 23);
    for (size_t piece = 1; piece < 100000; piece = piece * 9 + 1) {
        wrig_open(&g, false, false);
        g.w->piece = piece;
        ws_send(g.cli.w, true, "hi", 2);
        ws_send(g.cli.w, true, "", 0);
        ws_send_channel(g.cli.w, '2', "out", 3);
        ws_send(g.srv.w, false, "yo", 2);
        ws_ping(g.srv.w);
        ws_ping(g.cli.w);
        static const size_t sizes[] = { 125, 126, 127, 200, 65535, 65536, 70000 };
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            ws_send(g.cli.w, true, big, sizes[i]);
            ws_send(g.srv.w, true, big, sizes[i]);
        }
        ws_close(g.cli.w, 1001, "bye");
        ws_close(g.cli.w, 1002, "twice");
        ws_send(g.cli.w, true, "after", 5);
        mem_run_for(g.w, 4000);
        CHECK(str_starts(buf_str(&g.srv.log), STR("text:hi\ntext:\nbin:2out\ntext:abc")));
        CHECK(str_ends(buf_str(&g.srv.log), STR("\ntext:65535\ntext:65536\ntext:70000\nclose:1001:bye\n")));
        CHECK_STR(buf_str(&g.cli.log), "close:1001:\n");
        wrig_close(&g);
    }
    wrig_open(&g, false, false);                 /* the server's messages, while the client is open */
    ws_send(g.srv.w, false, "yo", 2);
    for (size_t n = 65530; n < 65540; n++)
        ws_send(g.srv.w, true, big, n);
    mem_run_for(g.w, 100);
    CHECK(str_starts(buf_str(&g.cli.log), STR("bin:yo\ntext:65530\n")));
    CHECK(str_ends(buf_str(&g.cli.log), STR("text:65539\n")));
    wrig_close(&g);
}

/* Masked with 1,2,3,4 when told so. */
static void frame(struct buf *b, int first, bool masked, const char *p, size_t n)
{
    static const unsigned char mask[4] = { 1, 2, 3, 4 };

    buf_char(b, (char)first);
    must(n < 65536);
    buf_char(b, (char)((masked ? 0x80 : 0) | (n < 126 ? n : 126)));
    if (n >= 126) {
        buf_char(b, (char)(n >> 8));
        buf_char(b, (char)n);
    }
    if (masked)
        buf_add(b, mask, 4);
    for (size_t i = 0; i < n; i++)
        buf_char(b, masked ? (char)(p[i] ^ mask[i & 3]) : p[i]);
}

TEST(fragments_at_every_split)
{
    struct buf b = BUF_INIT;
    struct wrig g;

    frame(&b, 0x01, true, "h\xc3", 2);           /* cut inside a character */
    frame(&b, 0x89, true, "pi", 2);              /* a ping between the fragments */
    frame(&b, 0x00, true, "", 0);
    frame(&b, 0x80, true, "\xa4llo, world", 11);
    frame(&b, 0x82, true, "\xff\xfe", 2);
    frame(&b, 0x88, true, "\x03\xe8" "done", 6);
    for (size_t at = 0; at < b.n; at++) {
        wrig_open(&g, true, false);
        stream_write(g.raw.s, b.p, at);
        mem_run_for(g.w, 1);
        stream_write(g.raw.s, b.p + at, b.n - at);
        mem_run_for(g.w, 100);
        CHECK_STR(buf_str(&g.srv.log), "text:h\xc3\xa4llo, world\nbin:\xff\xfe\nclose:1000:done\n");
        CHECK_STR(buf_str(&g.raw.got), "\x8a\x02pi\x88\x02\x03\xe8");
        CHECK(g.raw.closed);
        wrig_close(&g);
    }
    buf_release(&b);
}

/* Sends bytes to a server (or client) and returns the close code it answers with; 0: none. */
static int code_for(const char *bytes, size_t n, bool as_client)
{
    struct wrig g;
    int code = 0;

    wrig_open(&g, true, as_client);
    stream_write(g.raw.s, bytes, n);
    mem_run_for(g.w, 100);
    const unsigned char *p = (unsigned char *)g.raw.got.p;
    if (g.raw.got.n >= 4 && p[0] == 0x88 && !as_client)
        code = p[2] << 8 | p[3];
    if (g.raw.got.n >= 8 && p[0] == 0x88 && as_client)
        code = (p[6] ^ p[2]) << 8 | (p[7] ^ p[3]);
    if (code != 0)
        CHECK(g.raw.closed);
    wrig_close(&g);
    return code;
}

#define CODE(bytes, client) code_for(bytes, sizeof(bytes) - 1, client)

TEST(broken_rules)
{
    CHECK_INT(CODE("\x81\x82\0\0\0\0hi", false), 0);
    CHECK_INT(CODE("\x81\x02hi", true), 0);
    CHECK_INT(CODE("\x81\x02hi", false), 1002);                  /* unmasked client */
    CHECK_INT(CODE("\x81\x82\0\0\0\0hi", true), 1002);           /* masked server */
    CHECK_INT(CODE("\xc1\x82\0\0\0\0hi", false), 1002);          /* RSV1..3 */
    CHECK_INT(CODE("\xa1\x82\0\0\0\0hi", false), 1002);
    CHECK_INT(CODE("\x91\x82\0\0\0\0hi", false), 1002);
    for (int op = 3; op < 16; op++) {
        char f[] = { (char)(0x80 | op), (char)0x80, 0, 0, 0, 0 };
        CHECK_INT(code_for(f, sizeof f, false), op >= 8 && op <= 10 ? (op == 8 ? 0 : 0) : 1002);
    }
    CHECK_INT(CODE("\x09\x80\0\0\0\0", false), 1002);            /* a ping in pieces */
    CHECK_INT(CODE("\x89\xfe\0\x7e\0\0\0\0", false), 1002);      /* a long ping */
    CHECK_INT(CODE("\x80\x80\0\0\0\0", false), 1002);            /* continuation of nothing */
    CHECK_INT(CODE("\x01\x80\0\0\0\0\x81\x80\0\0\0\0", false), 1002);
    CHECK_INT(CODE("\x81\xfe\0\x05\0\0\0\0hello", false), 1002); /* not the shortest length */
    CHECK_INT(CODE("\x81\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", false), 1002);
    CHECK_INT(CODE("\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", false), 1002);
    CHECK_INT(CODE("\x82\xff\0\0\0\0\0\x0f\x42\x41\0\0\0\0", false), 1009);  /* 1,000,001 bytes */
    CHECK_INT(CODE("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", false), 1009);
    CHECK_INT(CODE("\x88\x81\0\0\0\0\x03", false), 1002);        /* half a close code */
    CHECK_INT(CODE("\x88\x82\0\0\0\0\x03\xe8", false), 1000);
    CHECK_INT(CODE("\x88\x82\0\0\0\0\x03\xed", false), 1002);    /* 1005 must not be sent */
    CHECK_INT(CODE("\x88\x82\0\0\0\0\x03\xee", false), 1002);
    CHECK_INT(CODE("\x88\x82\0\0\0\0\x03\xe7", false), 1002);    /* 999 */
    CHECK_INT(CODE("\x88\x82\0\0\0\0\x13\x88", false), 1002);    /* 5000 */
    CHECK_INT(CODE("\x88\x82\0\0\0\0\x0f\xa0", false), 4000);
    CHECK_INT(CODE("\x88\x83\0\0\0\0\x03\xe8\xff", false), 1007);
}

TEST(text_is_utf8)
{
    static const struct { const char *s; bool good; } cases[] = {
        { "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", true }, { "plain old ascii text", true },
        { "\xf0\x9f\x98\x80", true }, { "\xf4\x8f\xbf\xbf", true }, { "\xed\x9f\xbf", true }, { "\xef\xbf\xbf", true },
        { "\xf4\x90\x80\x80", false }, { "\xed\xa0\x80", false }, { "\xc0\x80", false }, { "\xc1\xbf", false },
        { "\xe0\x80\x80", false }, { "\xf0\x80\x80\x80", false }, { "\x80", false }, { "\xc3", false },
        { "abcdefgh\xff", false }, { "abcdefg\xc3", false }, { "\xe2\x82", false }, { "\xf5\x80\x80\x80", false },
        { "abcdefgh\xe2\x82\xac" "abcdefgh\xe2\x82\xac", true },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b = BUF_INIT;
        frame(&b, 0x81, true, cases[i].s, strlen(cases[i].s));
        if (code_for(b.p, b.n, false) != (cases[i].good ? 0 : 1007))
            test_fail(__FILE__, __LINE__, "case %zu", i);
        buf_release(&b);
    }
}

TEST(too_long_in_fragments)
{
    struct buf b = BUF_INIT;
    char part[60000];

    memset(part, 'x', sizeof part);
    for (int i = 0; i < 17; i++)                 /* 1,020,000 bytes: one fragment over */
        frame(&b, i == 0 ? 0x02 : 0x00, true, part, sizeof part);
    CHECK_INT(code_for(b.p, b.n, false), 1009);
    buf_release(&b);
}

TEST(broken_and_silent_peers)
{
    struct wrig g;

    wrig_open(&g, true, false);                  /* gone without a word */
    stream_close(g.raw.s);
    mem_run_for(g.w, 20000);
    CHECK_STR(buf_str(&g.srv.log), "close:1006:\n");
    wrig_close(&g);
    wrig_open(&g, true, false);                  /* gone in the midst of a frame */
    stream_write(g.raw.s, "\x81\x85\0\0\0\0h", 7);
    stream_shutdown(g.raw.s);
    mem_run_for(g.w, 20000);
    CHECK_STR(buf_str(&g.srv.log), "close:1006:\n");
    wrig_close(&g);
    wrig_open(&g, true, false);                  /* never answers our close, and goes on talking */
    ws_close(g.srv.w, 1000, "enough");
    for (int i = 0; i < 4; i++) {
        stream_write(g.raw.s, "\x81\x82\0\0\0\0hi", 8);
        mem_run_for(g.w, 1000);
    }
    CHECK_INT(g.srv.log.n, 0);
    mem_run_for(g.w, 20000);
    CHECK_STR(buf_str(&g.srv.log), "close:1006:\n");
    CHECK_STR(buf_str(&g.raw.got), "\x88\x08\x03\xe8" "enough");
    wrig_close(&g);
    wrig_open(&g, true, false);                  /* pings and never reads */
    stream_pause(g.raw.s);
    for (int i = 0; i < 20000; i++)
        stream_write(g.raw.s, "\x89\xfd\0\0\0\0" "ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
                              "pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp", 131);
    mem_run_for(g.w, 1000);
    CHECK(ws_queued(g.srv.w) < 300000);
    wrig_close(&g);
}

TEST(pause_holds_messages_back)
{
    struct wrig g;

    wrig_open(&g, true, false);
    g.srv.pause_each = true;
    for (int i = 0; i < 3; i++)
        stream_write(g.raw.s, "\x81\x82\0\0\0\0hi", 8);
    stream_shutdown(g.raw.s);
    for (size_t i = 1; i <= 3; i++) {
        mem_run_for(g.w, 1000);
        CHECK_INT(g.srv.log.n, i * 8);
        ws_resume(g.srv.w);
    }
    mem_run_for(g.w, 1000);
    CHECK_STR(buf_str(&g.srv.log), "text:hi\ntext:hi\ntext:hi\nclose:1006:\n");
    wrig_close(&g);
    wrig_open(&g, true, false);                  /* paused, our close still sees the peer's */
    ws_pause(g.srv.w);
    ws_close(g.srv.w, 1000, NULL);
    stream_write(g.raw.s, "\x88\x82\0\0\0\0\x03\xe8", 8);
    mem_run_for(g.w, 1000);
    CHECK_STR(buf_str(&g.srv.log), "close:1000:\n");
    wrig_close(&g);
}
