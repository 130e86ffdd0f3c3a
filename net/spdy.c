/* net/spdy.c: SPDY/3.1 frames and streams; see net/spdy.h.
 *
 * Every frame begins with eight bytes.  Data goes to its stream as it comes, whatever the frame's length;
 * control frames are gathered, and none that is meant here is long.  What a frame asks of us is bounded:
 * new streams are taken a few at a time, and a peer that does not read our answers gets no more of them. */
#include "net/map.h"
#include "net/spdy_block.h"
#include "net/spdy_impl.h"

#define CONTROL_MAX   (64u << 10)
/* unread by the peer: then it gets no pong, and no new stream */
#define ANSWERS_MAX   (1u << 20)
#define OPENS_A_TURN  32
#define VERSION       3

enum { SYN_STREAM = 1, SYN_REPLY, RST_STREAM, SETTINGS, PING = 6, GOAWAY, HEADERS, WINDOW_UPDATE };
enum { FLAG_FIN = 1 };
enum { RST_REFUSED = 3, RST_CANCEL = 5 };
enum { GOAWAY_OK, GOAWAY_PROTOCOL };

struct carrier {
    void (*write)(void *to, const void *p, size_t n);
    size_t (*queued)(void *to);
    void (*pause)(void *to, bool pause);
    void (*close)(void *to);
};

struct spdy_stream {
    struct spdy *session;
    unsigned char key[4];                        /* of session->streams */
    uint32_t id;
    struct arena arena;
    struct http_header *headers; size_t n_headers;
    bool fin_in, fin_out;
    void *user;
};

struct spdy {
    struct loop *loop;
    const struct carrier *carrier; void *to;
    const struct spdy_events *ev; void *arg;
    struct map streams;
    uint32_t last_id;                            /* highest the peer opened */
    uint32_t ping_id;
    bool paused, processing, gone_away;
    bool held;                                   /* the link was told to pause */
    bool ended;                                  /* nothing more is read */
    int  err;
    struct errbuf why;
    /* The frame at hand. */
    unsigned char head[8];
    unsigned n_head;
    uint32_t left;
    struct spdy_stream *at;                      /* of a data frame; NULL: nobody's */
    unsigned opens;                              /* streams opened in this turn */
    struct buf control, in, out;
    struct ready_item again;
    struct spdy_packer *packer;
    struct spdy_unpacker *unpacker;
};

static uint32_t be32(const void *p)
{
    const unsigned char *b = p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void set_be32(unsigned char *b, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        b[i] = (unsigned char)(v >> (24 - 8 * i));
}

static bool is_control(const struct spdy *sp) { return sp->head[0] & 0x80; }
static unsigned control_type(const struct spdy *sp) { return (unsigned)sp->head[2] << 8 | sp->head[3]; }

/* ---- out ---------------------------------------------------------------------------------------- */

static void send_control(struct spdy *sp, unsigned type, const void *p, size_t n)
{
    unsigned char h[8] = { 0x80, VERSION, 0, (unsigned char)type };

    if (sp->ended)
        return;
    set_be32(h + 4, (uint32_t)n);                /* no flags */
    buf_clear(&sp->out);
    buf_add(&sp->out, h, 8);
    buf_add(&sp->out, p, n);
    sp->carrier->write(sp->to, sp->out.p, sp->out.n);
}

static void send_two(struct spdy *sp, unsigned type, uint32_t a, uint32_t b)
{
    unsigned char x[8];

    set_be32(x, a);
    set_be32(x + 4, b);
    send_control(sp, type, x, 8);
}

static void send_data(struct spdy *sp, uint32_t id, bool fin, const void *p, size_t n)
{
    unsigned char h[8];

    if (sp->ended)
        return;
    set_be32(h, id);
    set_be32(h + 4, (uint32_t)n);
    h[4] = fin ? FLAG_FIN : 0;
    sp->carrier->write(sp->to, h, 8);
    if (n > 0)
        sp->carrier->write(sp->to, p, n);
}

/* Answers that a peer can ask for without end. */
static bool may_answer(struct spdy *sp)
{
    return sp->carrier->queued(sp->to) <= ANSWERS_MAX;
}

/* ---- ends --------------------------------------------------------------------------------------- */

static void session_end(struct spdy *sp)
{
    if (sp->ended)
        return;
    sp->ended = true;
    sp->carrier->close(sp->to);
}

void spdy_goaway(struct spdy *sp)
{
    if (!sp->gone_away)
        send_two(sp, GOAWAY, sp->last_id, GOAWAY_OK);
    sp->gone_away = true;
}

void spdy_close(struct spdy *sp)
{
    spdy_goaway(sp);
    session_end(sp);
}

static void session_fail(struct spdy *sp, int err, const char *reason)
{
    if (sp->ended)
        return;
    sp->err = err_set(&sp->why, err, "%s", reason);
    send_two(sp, GOAWAY, sp->last_id, GOAWAY_PROTOCOL);
    session_end(sp);
}

static void stream_release(struct spdy_stream *st)
{
    arena_release(&st->arena);
    mem_free(st);
}

static void session_free(struct spdy *sp)
{
    struct str key;
    void *st;

    for (size_t i = 0; map_next(&sp->streams, &i, &key, &st);)
        stream_release(st);
    map_release(&sp->streams);
    ready_cancel(&sp->again);
    spdy_packer_free(sp->packer);
    spdy_unpacker_free(sp->unpacker);
    buf_release(&sp->control);
    buf_release(&sp->in);
    buf_release(&sp->out);
    mem_free(sp);
}

/* ---- streams ------------------------------------------------------------------------------------ */

static struct spdy_stream *stream_find(const struct spdy *sp, uint32_t id)
{
    unsigned char key[4];

    set_be32(key, id);
    return map_get(&sp->streams, str_make((char *)key, 4));
}

static struct str stream_key(const struct spdy_stream *st) { return str_make((const char *)st->key, 4); }

struct str spdy_stream_header(const struct spdy_stream *st, const char *name)
{
    return http_header_get(st->headers, st->n_headers, name);
}

uint32_t spdy_stream_id(const struct spdy_stream *st) { return st->id; }
void spdy_stream_set(struct spdy_stream *st, void *user) { st->user = user; }
void *spdy_stream_get(const struct spdy_stream *st) { return st->user; }

void spdy_stream_reply(struct spdy_stream *st)
{
    struct buf b = BUF_INIT;

    buf_add(&b, st->key, 4);
    spdy_pack(st->session->packer, NULL, 0, &b);
    send_control(st->session, SYN_REPLY, b.p, b.n);
    buf_release(&b);
}

void spdy_stream_send(struct spdy_stream *st, const void *p, size_t n)
{
    const char *at = p;

    while (n > 0 && !st->fin_out) {              /* a frame's length has 24 bits */
        size_t part = MIN_OF(n, (size_t)1 << 20);
        send_data(st->session, st->id, false, at, part);
        at += part;
        n -= part;
    }
}

void spdy_stream_fin(struct spdy_stream *st)
{
    if (!st->fin_out)
        send_data(st->session, st->id, true, NULL, 0);
    st->fin_out = true;
}

void spdy_stream_free(struct spdy_stream *st)
{
    struct spdy *sp = st->session;

    if (!st->fin_in || !st->fin_out)
        send_two(sp, RST_STREAM, st->id, RST_CANCEL);
    if (sp->at == st)
        sp->at = NULL;
    must(map_del(&sp->streams, stream_key(st)) == st);
    stream_release(st);
}

static void stream_on_fin(struct spdy *sp, struct spdy_stream *st)
{
    if (st->fin_in)
        return;
    st->fin_in = true;
    sp->ev->on_fin(sp->arg, st);
}

/* ---- control frames: the payload is in sp->control, long enough (see control_length) ------------ */

/* A block must be unpacked even if nobody wants its headers: the next builds on it. */
static struct spdy_stream *open_stream(struct spdy *sp, uint32_t id, struct str block)
{
    struct spdy_stream *st = mem_new(struct spdy_stream);
    struct errbuf err;
    int rc = spdy_unpack(sp->unpacker, block, &st->arena, &st->headers, &st->n_headers, &err);

    if (rc == 0 && sp->streams.n < SPDY_STREAMS_MAX && !sp->gone_away) {
        st->session = sp;
        st->id = id;
        set_be32(st->key, id);
        map_put(&sp->streams, stream_key(st), st);
        return st;
    }
    stream_release(st);
    if (rc != 0)
        session_fail(sp, rc, err.s);
    else
        send_two(sp, RST_STREAM, id, RST_REFUSED);
    return NULL;
}

static void on_syn_stream(struct spdy *sp, struct str body)
{
    uint32_t id = be32(body.p) & 0x7fffffff;
    struct spdy_stream *st;

    if (id % 2 == 0 || id <= sp->last_id) {
        session_fail(sp, E_INVALID, "a stream's number is not the next odd one");
        return;
    }
    if (!may_answer(sp)) {
        session_fail(sp, E_TOOBIG, "the peer opens streams and does not read the answers");
        return;
    }
    sp->last_id = id;
    sp->opens++;
    st = open_stream(sp, id, str_from(body, 10));
    if (st == NULL)
        return;
    sp->ev->on_stream(sp->arg, st);
    if ((sp->head[4] & FLAG_FIN) && !sp->ended && (st = stream_find(sp, id)) != NULL)
        stream_on_fin(sp, st);
}

static void on_headers(struct spdy *sp, struct str body)
{
    struct arena a = ARENA_INIT;
    struct http_header *h;
    struct errbuf err;
    size_t n;
    int rc = spdy_unpack(sp->unpacker, str_from(body, 4), &a, &h, &n, &err);
    struct spdy_stream *st = stream_find(sp, be32(body.p) & 0x7fffffff);

    arena_release(&a);
    if (rc != 0)
        session_fail(sp, rc, err.s);
    else if ((sp->head[4] & FLAG_FIN) && st != NULL)
        stream_on_fin(sp, st);
}

static void on_rst_stream(struct spdy *sp, struct str body)
{
    struct spdy_stream *st = stream_find(sp, be32(body.p) & 0x7fffffff);

    if (st == NULL)
        return;
    st->fin_in = st->fin_out = true;
    sp->ev->on_reset(sp->arg, st);
}

static void on_ping(struct spdy *sp, struct str body)
{
    if (be32(body.p) % 2 == 1 && may_answer(sp)) /* even: the answer to ours */
        send_control(sp, PING, body.p, 4);
}

static void on_goaway(struct spdy *sp, struct str body)
{
    if (sp->ev->on_goaway != NULL)
        sp->ev->on_goaway(sp->arg, sp);
}

/* What is known of each kind: how short it may be, and who takes it (NULL: read and forgotten). */
static const struct control { unsigned least, most; void (*take)(struct spdy *sp,
                                                                 struct str body); } controls[] = {
    [SYN_STREAM] = { 10, CONTROL_MAX, on_syn_stream },
    [SYN_REPLY] = { 4, CONTROL_MAX, on_headers },
    [RST_STREAM] = { 8, 8, on_rst_stream },
    [SETTINGS] = { 4, CONTROL_MAX, NULL },
    [PING] = { 4, 4, on_ping },
    [GOAWAY] = { 8, 8, on_goaway },
    [HEADERS] = { 4, CONTROL_MAX, on_headers },
    [WINDOW_UPDATE] = { 8, 8, NULL },
};

/* Kinds nobody knows are skipped, as the specification asks. */
static const struct control *control_of(const struct spdy *sp)
{
    static const struct control unknown = { 0, CONTROL_MAX, NULL };
    unsigned type = control_type(sp);

    return type < ARRAY_LEN(controls) && controls[type].most > 0 ? &controls[type] : &unknown;
}

/* ---- in ----------------------------------------------------------------------------------------- */

static void frame_done(struct spdy *sp)
{
    struct spdy_stream *st = sp->at;

    sp->n_head = 0;
    sp->at = NULL;
    if (!is_control(sp)) {
        if (st != NULL && (sp->head[4] & FLAG_FIN))
            stream_on_fin(sp, st);
        return;
    }
    const struct control *c = control_of(sp);
    if (c->take != NULL)
        c->take(sp, buf_str(&sp->control));
    buf_clear(&sp->control);
    if (sp->control.cap > 4096)
        buf_release(&sp->control);
}

static void head_done(struct spdy *sp)
{
    sp->left = be32(sp->head + 4) & 0xffffff;
    if (is_control(sp)) {
        const struct control *c = control_of(sp);
        if ((sp->head[0] & 0x7f) != 0 || sp->head[1] != VERSION) {
            session_fail(sp, E_INVALID, "not a frame of SPDY/3.1");
            return;
        }
        if (sp->left < c->least || sp->left > c->most) {
            session_fail(sp, E_INVALID, "a control frame of a wrong length");
            return;
        }
    } else {
        uint32_t id = be32(sp->head);
        sp->at = stream_find(sp, id);
        if (id == 0 || id > sp->last_id) {
            session_fail(sp, E_INVALID, "data for a stream that was never opened");
            return;
        }
        if (sp->at != NULL && sp->at->fin_in)    /* late, or lawless: in either case nobody's */
            sp->at = NULL;
    }
    if (sp->left == 0)
        frame_done(sp);
}

static size_t take_some(struct spdy *sp, const char *p, size_t n)
{
    size_t take;

    if (sp->n_head < 8) {
        take = MIN_OF(n, (size_t)(8 - sp->n_head));
        memcpy(sp->head + sp->n_head, p, take);
        sp->n_head += (unsigned)take;
        if (sp->n_head == 8)
            head_done(sp);
        return take;
    }
    take = MIN_OF(n, (size_t)sp->left);
    sp->left -= (uint32_t)take;
    if (is_control(sp))
        buf_add(&sp->control, p, take);
    else if (sp->at != NULL)
        sp->ev->on_data(sp->arg, sp->at, p, take);
    if (sp->left == 0 && !sp->ended)
        frame_done(sp);
    return take;
}

/* Returns what was taken: all, unless paused or opening too many streams at once. */
static size_t session_take(struct spdy *sp, const char *p, size_t n)
{
    size_t off = 0;

    must(!sp->processing);
    sp->processing = true;
    sp->opens = 0;
    while (off < n && !sp->ended && !sp->paused && sp->opens < OPENS_A_TURN)
        off += take_some(sp, p + off, n - off);
    sp->processing = false;
    return sp->ended ? n : off;
}

/* The link is read while nothing waits here. */
static void session_settle(struct spdy *sp)
{
    bool hold = sp->paused || sp->in.n > 0;

    if (sp->ended || sp->processing)
        return;
    if (hold != sp->held)
        sp->carrier->pause(sp->to, hold);
    sp->held = hold;
    if (sp->in.n == 0)
        buf_release(&sp->in);
    else if (!sp->paused)
        ready_post(sp->loop, &sp->again);
}

static void session_on_bytes(struct spdy *sp, const char *p, size_t n)
{
    if (sp->ended)
        return;
    size_t used = sp->in.n > 0 || sp->paused ? 0 : session_take(sp, p, n);
    buf_add(&sp->in, p + used, n - used);
    session_settle(sp);
}

static void session_on_again(struct ready_item *it)
{
    struct spdy *sp = container_of(it, struct spdy, again);

    if (sp->ended || sp->paused)
        return;
    size_t used = session_take(sp, sp->in.p, sp->in.n);
    if (!sp->ended)
        buf_drop(&sp->in, used);
    session_settle(sp);
}

void spdy_pause(struct spdy *sp)
{
    sp->paused = true;
    session_settle(sp);
}

void spdy_resume(struct spdy *sp)
{
    sp->paused = false;
    session_settle(sp);
}

size_t spdy_queued(const struct spdy *sp)
{
    return sp->carrier->queued(sp->to);
}

void spdy_ping(struct spdy *sp)
{
    unsigned char x[4];

    sp->ping_id = (sp->ping_id + 2) & 0x7fffffff;        /* a server's are even */
    set_be32(x, sp->ping_id);
    send_control(sp, PING, x, 4);
}

/* ---- the two carriers --------------------------------------------------------------------------- */

static void session_on_close(struct spdy *sp, int err, const char *reason)
{
    sp->ended = true;
    sp->ev->on_close(sp->arg, sp, sp->err != 0 ? sp->err : err, sp->err != 0 ? sp->why.s : reason);
    session_free(sp);
}

static void session_on_drain(struct spdy *sp)
{
    if (!sp->ended && sp->ev->on_drain != NULL)
        sp->ev->on_drain(sp->arg, sp);
}

static void by_stream_write(void *to, const void *p, size_t n) { stream_write(to, p, n); }
static size_t by_stream_queued(void *to) { return stream_queued(to); }
static void by_stream_pause(void *to, bool pause) { (pause ? stream_pause : stream_resume)(to); }
static void by_stream_close(void *to) { stream_close_after_flush(to); }
static const struct carrier by_stream = { by_stream_write, by_stream_queued, by_stream_pause,
                                          by_stream_close };

static void stream_on_data(void *arg, struct stream *s, const char *p, size_t n) { session_on_bytes(arg, p,
    n); }
static void stream_on_drain(void *arg, struct stream *s) { session_on_drain(arg); }
static void stream_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    session_on_close(arg, err, reason);
}
const struct stream_events spdy__stream_events = {
    .on_data = stream_on_data, .on_drain = stream_on_drain, .on_close = stream_on_close,
};

static void by_ws_write(void *to, const void *p, size_t n) { ws_send(to, false, p, n); }
static size_t by_ws_queued(void *to) { return ws_queued(to); }
static void by_ws_pause(void *to, bool pause) { (pause ? ws_pause : ws_resume)(to); }
static void by_ws_close(void *to) { ws_close(to, 1000, ""); }
static const struct carrier by_ws = { by_ws_write, by_ws_queued, by_ws_pause, by_ws_close };

static void ws_on_message(void *arg, struct ws *w, bool text, const char *p, size_t n)
{
    if (text)
        session_fail(arg, E_INVALID, "text where SPDY's frames were agreed on");
    else
        session_on_bytes(arg, p, n);
}
static void ws_on_drain(void *arg, struct ws *w) { session_on_drain(arg); }
static void ws_on_close(void *arg, struct ws *w, int code, const char *reason)
{
    session_on_close(arg, code == 1006 ? E_CLOSED : 0, reason);
}
const struct ws_events spdy__ws_events = {
    .on_message = ws_on_message, .on_drain = ws_on_drain, .on_close = ws_on_close,
};

struct spdy *spdy__new(struct loop *l, const struct spdy_events *ev, void *arg)
{
    struct spdy *sp = mem_new(struct spdy);

    must(ev->on_stream != NULL && ev->on_data != NULL && ev->on_fin != NULL && ev->on_reset != NULL &&
         ev->on_close != NULL);
    sp->loop = l;
    sp->ev = ev;
    sp->arg = arg;
    sp->packer = spdy_packer_new();
    sp->unpacker = spdy_unpacker_new();
    ready_init(&sp->again, session_on_again);
    return sp;
}

void spdy__discard(struct spdy *sp) { session_free(sp); }

void spdy__on_stream(struct spdy *sp, struct stream *s)
{
    sp->carrier = &by_stream;
    sp->to = s;
}

void spdy__on_ws(struct spdy *sp, struct ws *w)
{
    sp->carrier = &by_ws;
    sp->to = w;
}
