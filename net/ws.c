/* net/ws.c: WebSocket frames (RFC 6455), strict: no extensions, no reserved bits, minimal lengths,
 * masks where they must be and only there, whole UTF-8 in text.  A peer that breaks a rule gets the
 * close code that says which, and 1006 goes to our side.
 *
 * A frame's header is gathered in hdr; a message's payload in msg, unless it lies whole and unmasked
 * in what was read, then it is handed on where it lies. */
#include "net/ws.h"

#define WS_CLOSE_MS     5000                     /* for the peer's half of the closing handshake */
#define WS_PONG_BOUND   (4 * STREAM_LOW_WATER)   /* a peer that pings and doesn't read gets no more pongs */
#define WS_MSG_KEEP     (16u << 10)

enum { OP_MORE = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };
enum ws_state { WS_OPEN, WS_CLOSING /* our close is sent */, WS_ENDED /* nothing more is read */ };

struct ws {
    struct stream *s;
    bool client, paused, eof, processing, frame_final;
    enum ws_state state;
    size_t max_message;
    const struct ws_events *ev;
    void *arg;
    struct timer timer;
    struct ready_item again;
    /* The frame at hand. */
    unsigned char hdr[14], mask[4], op;
    unsigned n_hdr;
    bool in_payload;
    uint64_t left, frame_len;
    unsigned mask_at;
    unsigned msg_op;                             /* of the message under way; 0: none */
    struct buf msg, in;
    unsigned char ctl[125]; unsigned n_ctl;
    int close_code;
    char close_reason[128];
};

/* ---- pieces that know no connection ------------------------------------------------------------- */

/* XOR with the mask, beginning at its byte `at`; eight bytes at a time. */
static void mask_bytes(char *p, size_t n, const unsigned char mask[4], unsigned at)
{
    unsigned char turned[8];
    uint64_t m, v;

    for (unsigned i = 0; i < 8; i++)
        turned[i] = mask[(at + i) & 3];
    memcpy(&m, turned, 8);
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&v, p, 8);
        v ^= m;
        memcpy(p, &v, 8);
    }
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(p[i] ^ turned[i]);
}

/* Length of the well-formed sequence at p (n >= 1), 0: none. */
static size_t utf8_one(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

    if (len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) ||
        (c == 0xf4 && p[1] > 0x8f))
        return 0;                                /* over-long, surrogate, beyond U+10FFFF */
    return len;
}

static bool utf8_valid(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    uint64_t v;

    while (n > 0) {
        if (n >= 8 && (memcpy(&v, p, 8), (v & 0x8080808080808080u) == 0)) {
            p += 8;
            n -= 8;
            continue;
        }
        size_t len = utf8_one(p, n);
        if (len == 0)
            return false;
        p += len;
        n -= len;
    }
    return true;
}

static bool close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* ---- out ---------------------------------------------------------------------------------------- */

static void ws_write_payload(struct ws *w, const char *p, size_t n, const unsigned char mask[4], unsigned *at)
{
    char part[4096];

    if (!w->client) {
        stream_write(w->s, p, n);
        return;
    }
    while (n > 0) {
        size_t take = MIN_OF(n, sizeof part);
        memcpy(part, p, take);
        mask_bytes(part, take, mask, *at);
        *at = (*at + (unsigned)take) & 3;
        stream_write(w->s, part, take);
        p += take;
        n -= take;
    }
}

/* One frame, its payload in two parts (the channel byte and the rest). */
static void ws_write_frame(struct ws *w, unsigned op, const void *a, size_t na, const void *b, size_t nb)
{
    unsigned char h[14], mask[4];
    unsigned n = 0, at = 0;
    uint64_t len = (uint64_t)na + nb;
    unsigned char mask_bit = w->client ? 0x80 : 0;

    h[n++] = (unsigned char)(0x80 | op);
    if (len < 126) {
        h[n++] = (unsigned char)(mask_bit | len);
    } else {
        unsigned bytes = len < 65536 ? 2 : 8;
        h[n++] = mask_bit | (bytes == 2 ? 126 : 127);
        for (unsigned i = bytes; i-- > 0;)
            h[n++] = (unsigned char)(len >> (8 * i));
    }
    if (w->client) {
        loop_random(stream_loop(w->s), mask, 4);
        memcpy(h + n, mask, 4);
        n += 4;
    }
    stream_write(w->s, h, n);
    ws_write_payload(w, a, na, mask, &at);
    ws_write_payload(w, b, nb, mask, &at);
}

static void ws_write_close(struct ws *w, int code, const char *reason)
{
    unsigned char p[125];
    size_t n = 0, len = reason != NULL ? strlen(reason) : 0;

    if (code != 1005) {
        p[n++] = (unsigned char)(code >> 8);
        p[n++] = (unsigned char)code;
        len = MIN_OF(len, sizeof p - n);
        while (len > 0 && !utf8_valid(reason, len))
            len--;                               /* cut at a character */
        if (len > 0)
            memcpy(p + n, reason, len);
        n += len;
    }
    ws_write_frame(w, OP_CLOSE, p, n, NULL, 0);
}

/* ---- ends --------------------------------------------------------------------------------------- */

static void ws_end(struct ws *w)
{
    w->state = WS_ENDED;
    timer_stop(&w->timer);
    stream_close_after_flush(w->s);
}

/* The peer broke a rule; it is told which, our side hears 1006. */
static void ws_fail(struct ws *w, int code, const char *reason)
{
    if (w->state == WS_OPEN)
        ws_write_close(w, code, reason);
    w->close_code = 1006;
    strncpy(w->close_reason, reason, sizeof w->close_reason - 1);
    ws_end(w);
}

static void ws_on_close_frame(struct ws *w)
{
    unsigned code = 1005;

    if (w->n_ctl == 1) {
        ws_fail(w, 1002, "a close frame with half a code");
        return;
    }
    if (w->n_ctl >= 2) {
        code = (unsigned)w->ctl[0] << 8 | w->ctl[1];
        if (!close_code_valid(code)) {
            ws_fail(w, 1002, "a close code that must not be sent");
            return;
        }
        if (!utf8_valid((char *)w->ctl + 2, w->n_ctl - 2)) {
            ws_fail(w, 1007, "a close reason that is not UTF-8");
            return;
        }
        memcpy(w->close_reason, w->ctl + 2, w->n_ctl - 2);
        w->close_reason[w->n_ctl - 2] = '\0';
    }
    w->close_code = (int)code;
    if (w->state == WS_OPEN)
        ws_write_close(w, (int)code, NULL);
    ws_end(w);
}

static void ws_on_control(struct ws *w)
{
    if (w->op == OP_CLOSE)
        ws_on_close_frame(w);
    else if (w->op == OP_PING && w->state == WS_OPEN && stream_queued(w->s) <= WS_PONG_BOUND)
        ws_write_frame(w, OP_PONG, w->ctl, w->n_ctl, NULL, 0);
}

/* ---- in ----------------------------------------------------------------------------------------- */

static void ws_message(struct ws *w, const char *p, size_t n)
{
    bool text = w->msg_op == OP_TEXT;

    w->msg_op = 0;
    if (w->state != WS_OPEN)
        return;                                  /* we said goodbye: what still comes is not looked at */
    if (text && !utf8_valid(p, n))
        ws_fail(w, 1007, "a text message that is not UTF-8");
    else
        w->ev->on_message(w->arg, w, text, p, n);
}

static void ws_frame_done(struct ws *w)
{
    w->in_payload = false;
    w->n_hdr = 0;
    if (w->op >= OP_CLOSE) {
        ws_on_control(w);
    } else if (w->frame_final) {
        ws_message(w, w->msg.p, w->msg.n);
        buf_clear(&w->msg);
        if (w->msg.cap > WS_MSG_KEEP)
            buf_release(&w->msg);
    }
}

/* Size of the header that begins with the bytes there are. */
static unsigned hdr_size(const struct ws *w)
{
    if (w->n_hdr < 2)
        return 2;
    unsigned len = w->hdr[1] & 0x7f;
    return 2 + (len == 126 ? 2 : len == 127 ? 8 : 0) + (w->hdr[1] & 0x80 ? 4 : 0);
}

/* The rules for what may stand in a header; 0 or the close code, and why. */
static int hdr_judge(struct ws *w, const char **reason)
{
    unsigned short_len = w->hdr[1] & 0x7f;
    bool     final = w->hdr[0] & 0x80;

    *reason = NULL;
    if (w->hdr[0] & 0x70)
        *reason = "a reserved bit is set";
    else if ((w->op > OP_BINARY && w->op < OP_CLOSE) || w->op > OP_PONG)
        *reason = "an unknown kind of frame";
    else if (!(w->hdr[1] & 0x80) != w->client)
        *reason = w->client ? "a server must not mask" : "a client must mask";
    else if (w->op >= OP_CLOSE && (!final || short_len > 125))
        *reason = "a control frame in pieces or too long";
    else if (w->op == OP_MORE && w->msg_op == 0)
        *reason = "a continuation of nothing";
    else if ((w->op == OP_TEXT || w->op == OP_BINARY) && w->msg_op != 0)
        *reason = "a message inside a message";
    else if ((short_len == 126 && w->left < 126) || (short_len == 127 && w->left < 65536) || w->left >> 63 != 0)
        *reason = "a length that is not in its shortest form";
    if (*reason != NULL)
        return 1002;
    if (w->op < OP_CLOSE && w->left > w->max_message - w->msg.n) {
        *reason = "the message is too long";
        return 1009;
    }
    return 0;
}

static void hdr_done(struct ws *w)
{
    unsigned at = 2, bytes = (w->hdr[1] & 0x7f) == 126 ? 2 : (w->hdr[1] & 0x7f) == 127 ? 8 : 0;
    const char *reason;

    w->op = w->hdr[0] & 0x0f;
    w->frame_final = w->hdr[0] & 0x80;
    w->left = bytes == 0 ? w->hdr[1] & 0x7f : 0;
    for (unsigned i = 0; i < bytes; i++)
        w->left = w->left << 8 | w->hdr[at++];
    memset(w->mask, 0, 4);
    if (w->hdr[1] & 0x80)
        memcpy(w->mask, w->hdr + at, 4);
    int code = hdr_judge(w, &reason);
    if (code != 0) {
        ws_fail(w, code, reason);
        return;
    }
    w->frame_len = w->left;
    w->mask_at = 0;
    w->in_payload = true;
    w->n_ctl = 0;
    if (w->op == OP_TEXT || w->op == OP_BINARY)
        w->msg_op = w->op;
    if (w->left == 0)
        ws_frame_done(w);
}

static size_t ws_take_header(struct ws *w, const char *p, size_t n)
{
    size_t used = 0;

    while (used < n && w->n_hdr < hdr_size(w))
        w->hdr[w->n_hdr++] = (unsigned char)p[used++];
    if (w->n_hdr >= 2 && w->n_hdr == hdr_size(w))
        hdr_done(w);
    return used;
}

static size_t ws_take_payload(struct ws *w, const char *p, size_t n)
{
    size_t take = (size_t)MIN_OF((uint64_t)n, w->left);
    bool   control = w->op >= OP_CLOSE;

    if (!control && w->client && take == w->frame_len && w->frame_final && w->msg.n == 0) {
        w->in_payload = false;                   /* whole and unmasked: hand it on where it lies */
        w->n_hdr = 0;
        ws_message(w, p, take);
        return take;
    }
    char *to;
    if (control) {
        must(w->n_ctl + take <= sizeof w->ctl);
        to = (char *)w->ctl + w->n_ctl;
        w->n_ctl += (unsigned)take;
        memcpy(to, p, take);
    } else {
        buf_add(&w->msg, p, take);
        to = w->msg.p + w->msg.n - take;
    }
    if (!w->client)
        mask_bytes(to, take, w->mask, w->mask_at);
    w->mask_at = (w->mask_at + (unsigned)take) & 3;
    w->left -= take;
    if (w->left == 0)
        ws_frame_done(w);
    return take;
}

static size_t ws_process(struct ws *w, const char *p, size_t n)
{
    size_t off = 0;

    must(!w->processing);
    w->processing = true;
    while (off < n && w->state != WS_ENDED && !w->paused)
        off += w->in_payload ? ws_take_payload(w, p + off, n - off) : ws_take_header(w, p + off, n - off);
    w->processing = false;
    return w->state == WS_ENDED ? n : off;
}

static void ws_settle(struct ws *w)
{
    if (w->state == WS_ENDED)
        return;
    if (w->in.n == 0)
        buf_release(&w->in);
    if (w->paused)
        return;
    if (w->eof) {
        w->close_code = 1006;
        ws_end(w);
    } else {
        stream_resume(w->s);
    }
}

static void ws_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct ws *w = arg;

    if (w->state == WS_ENDED)
        return;
    if (w->in.n > 0 || w->paused) {
        buf_add(&w->in, p, n);
        if (!w->paused)
            ready_post(stream_loop(s), &w->again);
        return;
    }
    size_t used = ws_process(w, p, n);
    if (used < n)
        buf_add(&w->in, p + used, n - used);
    if (w->paused)
        stream_pause(s);
    ws_settle(w);
}

static void ws_on_again(struct ready_item *it)
{
    struct ws *w = container_of(it, struct ws, again);

    if (w->state == WS_ENDED || w->paused)
        return;
    size_t used = ws_process(w, w->in.p, w->in.n);
    if (w->state != WS_ENDED)
        buf_drop(&w->in, used);
    ws_settle(w);
}

static void ws_on_eof(void *arg, struct stream *s)
{
    struct ws *w = arg;

    w->eof = true;
    if (w->state != WS_ENDED && w->in.n == 0)
        ws_settle(w);
}

static void ws_on_drain(void *arg, struct stream *s)
{
    struct ws *w = arg;

    if (w->state == WS_OPEN && w->ev->on_drain != NULL)
        w->ev->on_drain(w->arg, w);
}

static void ws_on_stream_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct ws *w = arg;

    timer_stop(&w->timer);
    ready_cancel(&w->again);
    if (w->close_code == 1006 && w->close_reason[0] == '\0' && err != 0)
        strncpy(w->close_reason, reason, sizeof w->close_reason - 1);
    w->state = WS_ENDED;
    w->ev->on_close(w->arg, w, w->close_code, w->close_reason);
    buf_release(&w->msg);
    buf_release(&w->in);
    mem_free(w);
}

static void ws_on_timer(struct timer *t)
{
    ws_end(container_of(t, struct ws, timer));
}

/* ---- the interface ------------------------------------------------------------------------------ */

static const struct stream_events ws_stream_events = {
    .on_data = ws_on_data, .on_eof = ws_on_eof, .on_drain = ws_on_drain, .on_close = ws_on_stream_close,
};

struct ws *ws_new(struct stream *s, bool client, size_t max_message, const struct ws_events *ev, void *arg)
{
    struct ws *w = mem_new(struct ws);

    must(ev->on_message != NULL && ev->on_close != NULL);
    w->s = s;
    w->client = client;
    w->max_message = max_message;
    w->ev = ev;
    w->arg = arg;
    w->close_code = 1006;
    timer_init(&w->timer, stream_loop(s), ws_on_timer);
    ready_init(&w->again, ws_on_again);
    stream_set_events(s, &ws_stream_events, w);
    return w;
}

void ws_send(struct ws *w, bool text, const void *p, size_t n)
{
    if (w->state == WS_OPEN)
        ws_write_frame(w, text ? OP_TEXT : OP_BINARY, p, n, NULL, 0);
}

void ws_send_channel(struct ws *w, unsigned char channel, const void *p, size_t n)
{
    if (w->state == WS_OPEN)
        ws_write_frame(w, OP_BINARY, &channel, 1, p, n);
}

void ws_ping(struct ws *w)
{
    if (w->state == WS_OPEN)
        ws_write_frame(w, OP_PING, NULL, 0, NULL, 0);
}

size_t ws_queued(struct ws *w)
{
    return stream_queued(w->s);
}

void ws_pause(struct ws *w)
{
    w->paused = true;
    if (!w->processing && w->state != WS_ENDED)
        stream_pause(w->s);
}

void ws_resume(struct ws *w)
{
    w->paused = false;
    if (!w->processing && w->state != WS_ENDED)
        ready_post(stream_loop(w->s), &w->again);
}

void ws_close(struct ws *w, int code, const char *reason)
{
    if (w->state != WS_OPEN)
        return;
    ws_write_close(w, code, reason);
    w->state = WS_CLOSING;
    timer_start(&w->timer, WS_CLOSE_MS);
    if (w->paused)
        ws_resume(w);                            /* or the peer's answer is never seen */
}
