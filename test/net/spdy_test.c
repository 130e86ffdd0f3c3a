/* test/net/spdy_test.c: SPDY sessions against bytes: cut anywhere, hostile, too many, unread. */
#include <zlib.h>
#include "test/net/spdy_rig.h"
#include "test/test.h"

static void ask(struct spdy_rig *r, struct frames *f)
{
    if (!r->raw.closed)
        stream_write(r->raw.s, f->b.p, f->b.n);
    buf_clear(&f->b);
    mem_run_for(r->w, 1000);
}

/* The frames of the answer as a list: type or data, stream, length, fin. */
static struct str answers(struct spdy_rig *r, struct buf *ret)
{
    const unsigned char *p = (unsigned char *)r->raw.got.p;
    size_t n = r->raw.got.n;

    buf_clear(ret);
    while (n >= 8) {
        uint32_t len = (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
        if (p[0] & 0x80)
            buf_fmt(ret, "c%u ", p[3]);
        else
            buf_fmt(ret, "d%u:%u%s ", p[3], len, p[4] ? "f" : "");
        if (n < 8 + len)
            break;
        p += 8 + len;
        n -= 8 + len;
    }
    if (n > 0)
        buf_z(ret, "rest");
    return buf_str(ret);
}

static void conversation(struct frames *f)
{
    put_syn(f, 1, 0, "error");
    put_syn(f, 3, 0, "data");
    put_data(f, 3, 0, "hello ");
    put_two(f, FRAME_WINDOW, 3, 65536);
    put_data(f, 3, 0, "world");
    put_ping(f, 1);
    put_data(f, 1, 1, "");
    put_control(f, FRAME_SETTINGS, 0, STR("\0\0\0\0"));
    put_control(f, 77, 0, STR("whatever"));
    put_data(f, 3, 1, "!");
    put_syn(f, 5, 1, "stdin");
    put_data(f, 3, 0, "late");
    put_syn(f, 7, 0, "resize");
    put_two(f, FRAME_RST, 7, 5);
}

TEST(a_conversation_cut_anywhere)
{
    for (size_t piece = 1; piece < 200; piece += piece < 40 ? 1 : 37) {
        struct spdy_rig r;
        struct frames f = { 0 };
        struct buf got = BUF_INIT;

        spdy_rig_open(&r);
        r.w->piece = piece;
        conversation(&f);
        ask(&r, &f);
        CHECK_STR(buf_str(&r.log),
                  "[1 error][3 data](3)hello world{1 fin}(3)!{3 fin}[5 stdin]{5 fin}[7 resize]{7 reset}");
        answers(&r, &got);
        CHECK(str_starts(buf_str(&got), STR("c2 c2 d3:")));
        CHECK(str_ends(buf_str(&got), STR("c2 d5:0f c2 ")));
        CHECK(str_has(buf_str(&got), "c6 d1:0f "));
        frames_free(&f);
        buf_release(&got);
        CHECK(spdy_rig_close(&r));
    }
}

TEST(nothing_is_lost_by_pausing)
{
    struct spdy_rig r;
    struct frames f = { 0 };

    spdy_rig_open(&r);
    r.pause_each = true;
    r.w->piece = 7;
    conversation(&f);
    ask(&r, &f);
    for (int i = 0; i < 200; i++) {
        spdy_resume(r.sp);
        mem_run_for(r.w, 10);
    }
    CHECK_STR(buf_str(&r.log),
              "[1 error][3 data](3)hello world{1 fin}(3)!{3 fin}[5 stdin]{5 fin}[7 resize]{7 reset}");
    frames_free(&f);
    CHECK(spdy_rig_close(&r));
}

/* ---- Hostile ------------------------------------------------------------------------------------------ */

static void expect_end(struct frames *f, const char *reason)
{
    struct spdy_rig r;
    struct buf got = BUF_INIT, want = BUF_INIT;

    spdy_rig_open(&r);
    ask(&r, f);
    buf_fmt(&want, "close:%s", reason);
    CHECK(r.raw.closed || r.raw.eof);
    if (!str_ends(buf_str(&r.log), buf_str(&want)))
        test_fail(__FILE__, __LINE__, "%.*s, not %s", (int)r.log.n, r.log.p, reason);
    CHECK(str_ends(answers(&r, &got), STR("c7 ")));
    buf_release(&got);
    buf_release(&want);
    CHECK(spdy_rig_close(&r));
    frames_free(f);
    *f = (struct frames){ 0 };
}

/* SYN_STREAM 1 with this text as its block, compressed without the dictionary's help. */
static void put_block(struct frames *f, struct str plain)
{
    unsigned char packed[40000];
    z_stream z = { .next_in = (Bytef *)plain.p, .avail_in = (unsigned)plain.n, .next_out = packed,
                   .avail_out = sizeof packed };
    struct buf b = BUF_INIT;

    must(deflateInit(&z, 9) == Z_OK && deflate(&z, Z_SYNC_FLUSH) == Z_OK && z.avail_out > 0);
    deflateEnd(&z);
    buf_add(&b, "\0\0\0\1\0\0\0\0\0\0", 10);
    buf_add(&b, packed, sizeof packed - z.avail_out);
    put_control(f, FRAME_SYN, 0, buf_str(&b));
    buf_release(&b);
}

TEST(what_breaks_the_rules_ends_the_session)
{
    struct frames f = { 0 };
    struct buf bomb = BUF_INIT;

    buf_add(&f.b, "GET / HTTP/1.1\r\n\r\n", 18);
    expect_end(&f, "data for a stream that was never opened");
    buf_add(&f.b, "\x80\x02\0\6\0\0\0\4\0\0\0\1", 12);
    expect_end(&f, "not a frame of SPDY/3.1");
    put_control(&f, FRAME_PING, 0, STR("12345"));
    expect_end(&f, "a control frame of a wrong length");
    put_control(&f, FRAME_SYN, 0, STR("123456789"));
    expect_end(&f, "a control frame of a wrong length");
    buf_add(&f.b, "\x80\3\0\1\0\xff\xff\xff", 8);
    expect_end(&f, "a control frame of a wrong length");
    put_syn(&f, 2, 0, "data");
    expect_end(&f, "a stream's number is not the next odd one");
    put_syn(&f, 3, 0, "data");
    put_syn(&f, 3, 0, "data");
    expect_end(&f, "a stream's number is not the next odd one");
    put_control(&f, FRAME_SYN, 0, STR("\0\0\0\1\0\0\0\0\0\0garbage"));
    expect_end(&f, "a header block does not unpack");
    put_block(&f, STR("\0\0\0\1\0\0\0\1x"));
    expect_end(&f, "a header block is malformed");
    put_block(&f, STR("\0\0\0\1\0\0\0\1X\0\0\0\0"));
    expect_end(&f, "a header block is malformed");
    put_block(&f, STR("\0\0\0\1\0\0\0\1x\xff\xff\xff\xff"));
    expect_end(&f, "a header block is malformed");
    put_block(&f, STR("\0\0\0\2\0\0\0\1x\0\0\0\0\0\0\0\1x\0\0\0\0"));
    expect_end(&f, "a header comes twice");
    put_block(&f, STR("\0\0\0\0tail"));
    expect_end(&f, "a header block has a tail");
    put_block(&f, STR("\xff\xff\xff\xff"));
    expect_end(&f, "a header block with no or too many headers");
    buf_reserve(&bomb, 10 << 20);
    memset(bomb.p, 'a', 10 << 20);
    put_block(&f, str_make(bomb.p, 10 << 20));
    expect_end(&f, "a header block is too long");
    buf_release(&bomb);
}

TEST(too_many_streams_are_refused_and_the_others_live)
{
    struct spdy_rig r;
    struct frames f = { 0 };
    size_t before;

    spdy_rig_open(&r);
    for (uint32_t i = 0; i < SPDY_STREAMS_MAX; i++)
        put_syn(&f, 2 * i + 1, 0, NULL);
    ask(&r, &f);
    CHECK_INT(r.streams, SPDY_STREAMS_MAX);
    before = r.raw.got.n;
    put_syn(&f, 2 * SPDY_STREAMS_MAX + 1, 0, "data");
    put_data(&f, 1, 0, "x");
    ask(&r, &f);
    CHECK_INT(r.streams, SPDY_STREAMS_MAX);
    CHECK_INT(r.raw.got.n, before + 16 + 9);     /* a reset, and the echo */
    put_data(&f, 1, 1, "");
    put_syn(&f, 2 * SPDY_STREAMS_MAX + 3, 0, "data");
    ask(&r, &f);
    CHECK_INT(r.streams, SPDY_STREAMS_MAX + 1);
    frames_free(&f);
    CHECK(spdy_rig_close(&r));
}

/* A peer that asks and never reads: what waits for it is bounded. */
TEST(floods_of_a_peer_that_does_not_read)
{
    struct spdy_rig r;
    struct frames f = { 0 };

    spdy_rig_open(&r);
    stream_pause(r.raw.s);
    for (uint32_t i = 0; i < 200000; i++)
        put_ping(&f, 2 * i + 1);
    ask(&r, &f);
    CHECK(r.sp != NULL && spdy_queued(r.sp) <= (2u << 20));
    frames_free(&f);
    CHECK(spdy_rig_close(&r));
    f = (struct frames){ 0 };

    spdy_rig_open(&r);
    r.free_each = true;
    stream_pause(r.raw.s);
    for (uint32_t i = 0; i < 200000; i++) {
        put_syn(&f, 2 * i + 1, 0, NULL);
        put_two(&f, FRAME_RST, 2 * i + 1, 5);
    }
    ask(&r, &f);
    mem_run_for(r.w, 20000);
    CHECK(str_ends(buf_str(&r.log), STR("close:the peer opens streams and does not read the answers")));
    frames_free(&f);
    CHECK(spdy_rig_close(&r));
}

/* ---- Through a WebSocket ------------------------------------------------------------------------------- */

struct tunnel { struct spdy_rig r; struct ws *ws; struct buf got; bool gone; };

static void tunnel_on_accept(void *arg, struct stream *s)
{
    struct tunnel *t = arg;

    t->r.sp = spdy__new(&t->r.w->l, &echo_events, &t->r);
    spdy__on_ws(t->r.sp, ws_new(s, false, 1 << 20, &spdy__ws_events, t->r.sp));
}

static void cli_on_message(void *arg, struct ws *w, bool text, const char *p, size_t n)
{
    buf_add(&((struct tunnel *)arg)->got, p, n);
}
static void cli_on_close(void *arg, struct ws *w, int code,
                         const char *reason) { ((struct tunnel *)arg)->gone = true; }
static const struct ws_events cli_events = { .on_message = cli_on_message, .on_close = cli_on_close };

static void tunnel_on_open(void *arg, struct stream *s)
{
    struct tunnel *t = arg;
    t->ws = ws_new(s, true, 1 << 20, &cli_events, t);
}

TEST(the_same_through_a_websocket_in_messages_of_any_size)
{
    static const struct stream_events open_events = { .on_open = tunnel_on_open, .on_close = NULL };

    for (size_t piece = 1; piece < 80; piece += 13) {
        struct tunnel t = { .r.blocks = mem_live() };
        struct listener_opts o = { .addr = "t", .on_accept = tunnel_on_accept, .arg = &t };
        struct stream_connect_opts co = { .addr = "t", .ev = &open_events, .arg = &t };
        struct frames f = { 0 };
        struct stream *s;

        t.r.w = mem_world_new();
        must(listener_open(&t.r.w->l, &o, &t.r.ln, NULL) == 0 && stream_connect(&t.r.w->l, &co, &s,
                                                                                NULL) == 0);
        mem_run_for(t.r.w, 1);
        conversation(&f);
        for (size_t at = 0; at < f.b.n; at += piece)
            ws_send(t.ws, false, f.b.p + at, MIN_OF(piece, f.b.n - at));
        mem_run_for(t.r.w, 1000);
        CHECK_STR(buf_str(&t.r.log),
                  "[1 error][3 data](3)hello world{1 fin}(3)!{3 fin}[5 stdin]{5 fin}[7 resize]{7 reset}");
        CHECK(t.got.n > 8 * 10);
        ws_send(t.ws, true, "text", 4);          /* no frames */
        mem_run_for(t.r.w, 30000);
        CHECK(t.gone && t.r.closes == 1);
        frames_free(&f);
        buf_release(&t.got);
        buf_release(&t.r.log);
        listener_close(t.r.ln);
        loop_free(&t.r.w->l);
        CHECK_INT(mem_live(), t.r.blocks);
    }
}
