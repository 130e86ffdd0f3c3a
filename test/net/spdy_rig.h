/* test/net/spdy_rig.h: an echoing SPDY session on one end of a stream, bytes on the other; and a maker of
 * frames. */
#ifndef TEST_NET_SPDY_RIG_H
#define TEST_NET_SPDY_RIG_H

#include "net/spdy_block.h"
#include "net/spdy_impl.h"
#include "test/net/http_rig.h"

enum { FRAME_SYN = 1, FRAME_REPLY, FRAME_RST, FRAME_SETTINGS, FRAME_PING = 6, FRAME_GOAWAY, FRAME_HEADERS,
       FRAME_WINDOW };

struct frames { struct buf b; struct spdy_packer *p; };

static inline void frames_free(struct frames *f)
{
    spdy_packer_free(f->p);
    buf_release(&f->b);
}

static inline void put32(struct buf *b, uint32_t v)
{
    unsigned char x[4] = { v >> 24, v >> 16, v >> 8, v };
    buf_add(b, x, 4);
}

static inline void put_control(struct frames *f, unsigned type, unsigned flags, struct str body)
{
    put32(&f->b, 0x80030000u | type);
    put32(&f->b, flags << 24 | (uint32_t)body.n);
    buf_str_add(&f->b, body);
}

/* SYN_STREAM with a streamtype header (NULL: no headers). */
static inline void put_syn(struct frames *f, uint32_t id, unsigned flags, const char *type)
{
    struct http_header h = { STR("streamType"), str_of(type) };
    struct buf b = BUF_INIT;

    if (f->p == NULL)
        f->p = spdy_packer_new();
    put32(&b, id);
    put32(&b, 0);
    buf_add(&b, "\0\0", 2);
    spdy_pack(f->p, &h, type != NULL, &b);
    put_control(f, FRAME_SYN, flags, buf_str(&b));
    buf_release(&b);
}

static inline void put_two(struct frames *f, unsigned type, uint32_t a, uint32_t b)
{
    struct buf x = BUF_INIT;

    put32(&x, a);
    put32(&x, b);
    put_control(f, type, 0, buf_str(&x));
    buf_release(&x);
}

static inline void put_ping(struct frames *f, uint32_t id)
{
    unsigned char x[4] = { id >> 24, id >> 16, id >> 8, id };
    put_control(f, FRAME_PING, 0, str_make((char *)x, 4));
}

static inline void put_data(struct frames *f, uint32_t id, unsigned flags, const char *z)
{
    put32(&f->b, id);
    put32(&f->b, flags << 24 | (uint32_t)strlen(z));
    buf_z(&f->b, z);
}

/* ---- the session -------------------------------------------------------------------------------------- */

struct spdy_rig {
    struct mem_world *w;
    struct listener *ln;
    long blocks;
    struct spdy *sp;
    struct buf log;                              /* what the session heard; data of a stream in one piece */
    uint32_t data_of;
    unsigned closes, streams;
    bool pause_each, free_each;
    struct raw raw;
};

static void echo_on_stream(void *arg, struct spdy_stream *st)
{
    struct spdy_rig *r = arg;

    r->streams++;
    r->data_of = 0;
    buf_fmt(&r->log, "[%u %.*s]", spdy_stream_id(st), STR_ARG(spdy_stream_header(st, "streamtype")));
    if (r->free_each)
        spdy_stream_free(st);
    else
        spdy_stream_reply(st);
}

static void echo_on_data(void *arg, struct spdy_stream *st, const char *p, size_t n)
{
    struct spdy_rig *r = arg;

    if (r->data_of != spdy_stream_id(st))
        buf_fmt(&r->log, "(%u)", spdy_stream_id(st));
    r->data_of = spdy_stream_id(st);
    buf_add(&r->log, p, n);
    spdy_stream_send(st, p, n);
    if (r->pause_each)
        spdy_pause(r->sp);
}

static void echo_on_fin(void *arg, struct spdy_stream *st)
{
    struct spdy_rig *r = arg;

    buf_fmt(&r->log, "{%u fin}", spdy_stream_id(st));
    r->data_of = 0;
    spdy_stream_fin(st);
    spdy_stream_free(st);
}

static void echo_on_reset(void *arg, struct spdy_stream *st)
{
    struct spdy_rig *r = arg;

    buf_fmt(&r->log, "{%u reset}", spdy_stream_id(st));
    r->data_of = 0;
    spdy_stream_free(st);
}

static void echo_on_close(void *arg, struct spdy *sp, int err, const char *reason)
{
    struct spdy_rig *r = arg;

    r->closes++;
    r->sp = NULL;
    buf_fmt(&r->log, "close:%s", reason);
}

static const struct spdy_events echo_events = {
    .on_stream = echo_on_stream, .on_data = echo_on_data, .on_fin = echo_on_fin, .on_reset = echo_on_reset,
    .on_close = echo_on_close,
};

static void spdy_rig_on_accept(void *arg, struct stream *s)
{
    struct spdy_rig *r = arg;

    r->sp = spdy__new(&r->w->l, &echo_events, r);
    stream_set_events(s, &spdy__stream_events, r->sp);
    spdy__on_stream(r->sp, s);
}

static inline void spdy_rig_open(struct spdy_rig *r)
{
    struct listener_opts o = { .addr = "spdy", .on_accept = spdy_rig_on_accept, .arg = r };

    *r = (struct spdy_rig){ .blocks = mem_live() };
    r->w = mem_world_new();
    must(listener_open(&r->w->l, &o, &r->ln, NULL) == 0);
    raw_open(r->w, "spdy", &r->raw);
    mem_run_for(r->w, 1);
}

/* False: it did not end as it should. */
static inline bool spdy_rig_close(struct spdy_rig *r)
{
    bool good;

    if (!r->raw.closed)
        stream_close(r->raw.s);
    for (int i = 0; i < 100000 && r->sp != NULL; i++) {
        spdy_resume(r->sp);
        mem_run_for(r->w, 1);
    }
    mem_run_for(r->w, 30000);
    listener_close(r->ln);
    buf_release(&r->raw.got);
    buf_release(&r->log);
    loop_free(&r->w->l);
    good = r->closes == 1 && r->raw.closed && mem_live() == r->blocks;
    return good;
}

#endif
