/* tools/bench_grpc.c: see tools/bench_grpc.h. */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include "tools/bench_grpc.h"

#define FRAME_HEAD     9
#define FRAME_MAX      16384u                    /* of either side, as long as nobody says otherwise */
#define FIRST_WINDOW   65535
#define OUR_WINDOW     (1u << 30)                /* for answers; half of it taken is given back */
#define FIRST_SLOTS    64u
#define MAX_ID         0x7ffffffeu
#define HPACK_TABLE    4096u

struct bench_grpc {
    struct loop *loop;
    const struct bench_target *target;
    struct stream *s;                            /* NULL: not connected */
    bool   open;
    struct qlink places;                         /* open, or to be told when the connection is */
    /* Calls in flight, by (id / 2) % n_slots; an id whose slot is taken is left out. */
    struct bench_conn **slot; unsigned n_slots, in_flight;
    uint32_t next_id;
    int64_t window, stream_window;               /* of the connection; of a new stream */
    uint64_t taken;                              /* of OUR_WINDOW */
    nghttp2_hd_deflater *deflater;
    nghttp2_hd_inflater *inflater;
    struct buf in;                               /* a frame that is not whole yet */
    struct buf unsent;                           /* DATA frames that wait for the window */
};

static const unsigned char preface[] =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    "\0\0\6\4\0\0\0\0\0" "\0\4\100\0\0\0"            /* SETTINGS: windows of streams */
    "\0\0\4\10\0\0\0\0\0" "\77\377\0\0";             /* WINDOW_UPDATE: the connection's */

/* ---- frames that go out ------------------------------------------------------------------------- */

static void put_u32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}

static uint32_t get_u32(const char *at)
{
    const unsigned char *p = (const unsigned char *)at;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_head(unsigned char *p, size_t n, int type, int flags, uint32_t id)
{
    put_u32(p, (uint32_t)n << 8 | (uint32_t)type);
    p[4] = (unsigned char)flags;
    put_u32(p + 5, id);
}

/* A frame whose payload is one number. */
static void send_number(struct bench_grpc *g, int type, uint32_t id, uint32_t v)
{
    unsigned char f[FRAME_HEAD + 4];

    put_head(f, 4, type, 0, id);
    put_u32(f + FRAME_HEAD, v);
    stream_write(g->s, f, sizeof f);
}

static void send_ack(struct bench_grpc *g, int type, struct str payload)
{
    unsigned char f[FRAME_HEAD];

    put_head(f, payload.n, type, NGHTTP2_FLAG_ACK, 0);
    stream_write(g->s, f, sizeof f);
    stream_write(g->s, payload.p, payload.n);
}

/* As many whole frames as the window admits. */
static void send_unsent(struct bench_grpc *g)
{
    size_t at = 0;

    while (at < g->unsent.n) {
        size_t n = get_u32(g->unsent.p + at) >> 8;
        if ((int64_t)n > g->window)
            break;
        g->window -= (int64_t)n;
        at += FRAME_HEAD + n;
    }
    if (at == 0)
        return;
    stream_write(g->s, g->unsent.p, at);
    buf_drop(&g->unsent, at);
}

static nghttp2_nv field(struct str name, struct str value)
{
    return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.p, .namelen = name.n,
                         .value = (uint8_t *)(uintptr_t)value.p, .valuelen = value.n };
}

static void send_headers(struct bench_grpc *g, uint32_t id, struct str path)
{
    unsigned char f[FRAME_HEAD + 1024];
    const nghttp2_nv nv[] = {
        field(STR(":method"), STR("POST")),
        field(STR(":scheme"), g->target->tls != NULL ? STR("https") : STR("http")),
        field(STR(":path"), path),
        field(STR(":authority"), str_of(g->target->addr)),
        field(STR("content-type"), STR("application/grpc")),
        field(STR("te"), STR("trailers")),
    };
    ssize_t n = nghttp2_hd_deflate_hd(g->deflater, f + FRAME_HEAD, sizeof f - FRAME_HEAD, nv, ARRAY_LEN(nv));

    must(n > 0);                                 /* our own names and values: they fit */
    put_head(f, (size_t)n, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id);
    stream_write(g->s, f, FRAME_HEAD + (size_t)n);
}

/* The message with gRPC's head of five bytes, in as many frames as it takes. */
static void send_message(struct bench_grpc *g, uint32_t id, struct str message)
{
    unsigned char head[FRAME_HEAD + 5];
    size_t first = MIN_OF(message.n, FRAME_MAX - 5), rest = message.n - first;

    put_head(head, first + 5, NGHTTP2_DATA, rest == 0 ? NGHTTP2_FLAG_END_STREAM : 0, id);
    head[FRAME_HEAD] = 0;
    put_u32(head + FRAME_HEAD + 1, (uint32_t)message.n);
    buf_add(&g->unsent, head, sizeof head);
    buf_add(&g->unsent, message.p, first);
    for (message = str_from(message, first); message.n > 0; message = str_from(message, first)) {
        first = MIN_OF(message.n, (size_t)FRAME_MAX);
        put_head(head, first, NGHTTP2_DATA, first == message.n ? NGHTTP2_FLAG_END_STREAM : 0, id);
        buf_add(&g->unsent, head, FRAME_HEAD);
        buf_add(&g->unsent, message.p, first);
    }
    send_unsent(g);
}

/* ---- calls -------------------------------------------------------------------------------------- */

static struct bench_conn **slot_of(struct bench_grpc *g, uint32_t id)
{
    return &g->slot[(id / 2) & (g->n_slots - 1)];
}

static void grow_slots(struct bench_grpc *g)
{
    struct bench_conn **old = g->slot;
    unsigned n = g->n_slots;

    g->n_slots = MAX_OF(n * 2, FIRST_SLOTS);
    g->slot = mem_zalloc(g->n_slots * sizeof *g->slot);
    for (unsigned i = 0; i < n; i++)
        if (old[i] != NULL)
            *slot_of(g, old[i]->id) = old[i];
    mem_free(old);
}

/* The call's answer is no longer waited for. */
static void forget(struct bench_grpc *g, struct bench_conn *c)
{
    if (c->id == 0)
        return;
    must(*slot_of(g, c->id) == c && g->in_flight > 0);
    *slot_of(g, c->id) = NULL;
    g->in_flight--;
    c->id = 0;
}

static struct bench_conn *call_of(struct bench_grpc *g, uint32_t id)
{
    struct bench_conn *c = id != 0 ? *slot_of(g, id) : NULL;
    return c != NULL && c->id == id ? c : NULL;
}

void bench_grpc_request(struct buf *out, const char *path, struct str message)
{
    must(strlen(path) < 256);
    buf_char(out, (char)strlen(path));
    buf_z(out, path);
    buf_str_add(out, message);
}

void bench_grpc_send(struct bench_conn *c, struct str request)
{
    struct bench_grpc *g = c->grpc;
    size_t n = (unsigned char)request.p[0];

    if (g->in_flight * 2 >= g->n_slots)
        grow_slots(g);
    while (*slot_of(g, g->next_id) != NULL)
        g->next_id += 2;
    c->id = g->next_id;
    *slot_of(g, c->id) = c;
    g->in_flight++;
    g->next_id += 2;
    c->status = 500;                             /* until the server says how it went */
    send_headers(g, c->id, str_make(request.p + 1, n));
    send_message(g, c->id, str_from(request, 1 + n));
}

/* ---- the end of a connection -------------------------------------------------------------------- */

static void place_on_told(struct ready_item *it)
{
    struct bench_conn *c = container_of(it, struct bench_conn, told);

    if (!c->closing) {
        c->open = true;
        c->ev->on_open(c->arg);
    } else {
        c->open = false;
        c->ev->on_close(c->arg, c->reason);
    }
}

static void place_end(struct bench_conn *c, const char *reason)
{
    forget(c->grpc, c);
    qdel(&c->at);
    c->closing = true;
    snprintf(c->reason, sizeof c->reason, "%s", reason);
    ready_post(c->grpc->loop, &c->told);
}

void bench_grpc_close(struct bench_conn *c)
{
    struct bench_grpc *g = c->grpc;
    uint32_t id = c->id;

    if (!qlinked(&c->at))
        return;                                  /* closed already */
    place_end(c, "closed");
    if (id != 0 && g->s != NULL)
        send_number(g, NGHTTP2_RST_STREAM, id, NGHTTP2_CANCEL);
    if (!c->open)                                /* nobody was told that it was open */
        ready_cancel(&c->told);
}

static void end_all(struct bench_grpc *g, const char *reason)
{
    while (!qempty(&g->places))
        place_end(qentry(g->places.next, struct bench_conn, at), reason);
}

/* What one connection needs. */
static void release(struct bench_grpc *g)
{
    g->s = NULL;
    g->open = false;
    nghttp2_hd_deflate_del(g->deflater);
    nghttp2_hd_inflate_del(g->inflater);
    buf_release(&g->in);
    buf_release(&g->unsent);
}

static void on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct bench_grpc *g = arg;

    release(g);
    end_all(g, reason != NULL ? reason : "closed");
}

static void refuse(struct bench_grpc *g, const char *reason)
{
    end_all(g, reason);
    bench_grpc_shut(g);
}

/* ---- frames that come --------------------------------------------------------------------------- */

/* Of gRPC's codes, as its gateways to HTTP have it. */
static int http_status(uint64_t code)
{
    static const int status[] = { 200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503,
                                  500, 401 };
    return code < ARRAY_LEN(status) ? status[code] : 500;
}

static void on_field(struct bench_conn *c, struct str name, struct str value, struct str *ret_message)
{
    uint64_t n;

    if (str_is(name, "grpc-status"))
        c->status = str_u64(value, &n) ? http_status(n) : 500;
    else if (str_is(name, "grpc-message"))
        *ret_message = value;
    else if (str_is(name, ":status") && !str_is(value, "200"))
        c->status = str_u64(value, &n) && n < 600 ? (int)n : 500;
}

/* Every block goes through the inflater, also those of calls that were given up: its table lives on. */
static bool on_headers(struct bench_grpc *g, struct bench_conn *c, struct str block)
{
    struct bench_conn nobody = { .status = 0 };
    char text[200];
    struct str message = STR_NONE;
    int flags = 0;

    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv nv;
        ssize_t n = nghttp2_hd_inflate_hd2(g->inflater, &nv, &flags, (const uint8_t *)block.p, block.n, 1);
        if (n < 0)
            return false;
        block = str_from(block, (size_t)n);
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        struct str told = STR_NONE;
        on_field(c != NULL ? c : &nobody, str_make((const char *)nv.name, nv.namelen),
                 str_make((const char *)nv.value, nv.valuelen), &told);
        if (told.n > 0) {                        /* it is gone with the next field */
            message = str_make(text, MIN_OF(told.n, sizeof text));
            memcpy(text, told.p, message.n);
        }
    }
    nghttp2_hd_inflate_end_headers(g->inflater);
    if (c != NULL && message.n > 0 && c->status >= 300 && c->ev->on_body != NULL)
        c->ev->on_body(c->arg, message.p, message.n);
    return true;
}

static bool on_settings(struct bench_grpc *g, struct str p)
{
    for (; p.n >= 6; p = str_from(p, 6)) {
        unsigned id = get_u32(p.p) >> 16, v = get_u32(p.p + 2);
        if (id == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE)
            nghttp2_hd_deflate_change_table_size(g->deflater, MIN_OF(v, HPACK_TABLE));
        else if (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE)
            g->stream_window = v;
    }
    send_ack(g, NGHTTP2_SETTINGS, STR_NONE);
    return p.n == 0 && g->stream_window >= FIRST_WINDOW;
}

static void on_data_frame(struct bench_grpc *g, struct bench_conn *c, struct str p)
{
    g->taken += p.n;
    if (g->taken > OUR_WINDOW / 2) {
        send_number(g, NGHTTP2_WINDOW_UPDATE, 0, (uint32_t)g->taken);
        g->taken = 0;
    }
    if (c != NULL && c->ev->on_body != NULL)
        c->ev->on_body(c->arg, p.p, p.n);
}

static void call_ended(struct bench_grpc *g, struct bench_conn *c)
{
    forget(g, c);
    c->in_flight = false;
    c->ev->on_response(c->arg, c->status);
}

/* False: this is not what we can go on with. */
static bool on_frame(struct bench_grpc *g, int type, int flags, uint32_t id, struct str p)
{
    struct bench_conn *c = call_of(g, id);

    switch (type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        if (flags & (NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY))
            return false;
        if (type == NGHTTP2_DATA)
            on_data_frame(g, c, p);
        else if (!(flags & NGHTTP2_FLAG_END_HEADERS) || !on_headers(g, c, p))
            return false;
        if (c != NULL && (flags & NGHTTP2_FLAG_END_STREAM) && c->id == id)
            call_ended(g, c);
        return true;
    case NGHTTP2_RST_STREAM:
        if (c != NULL)
            call_ended(g, c);
        return true;
    case NGHTTP2_SETTINGS:
        return (flags & NGHTTP2_FLAG_ACK) != 0 || on_settings(g, p);
    case NGHTTP2_PING:
        if (!(flags & NGHTTP2_FLAG_ACK))
            send_ack(g, NGHTTP2_PING, p);
        return true;
    case NGHTTP2_WINDOW_UPDATE:
        if (id == 0 && p.n == 4)
            g->window += get_u32(p.p) & 0x7fffffff;
        send_unsent(g);
        return true;
    case NGHTTP2_GOAWAY:
    case NGHTTP2_CONTINUATION:
        return false;
    default:
        return true;
    }
}

static void on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct bench_grpc *g = arg;
    struct str in = str_make(p, n);
    bool kept = g->in.n > 0;

    if (kept) {
        buf_str_add(&g->in, in);
        in = buf_str(&g->in);
    }
    while (g->s != NULL && g->open && in.n >= FRAME_HEAD) {
        size_t len = get_u32(in.p) >> 8;
        if (len > FRAME_MAX) {
            refuse(g, "the server sends larger frames than it was asked to");
            return;
        }
        if (in.n < FRAME_HEAD + len)
            break;
        struct str payload = str_make(in.p + FRAME_HEAD, len);
        if (!on_frame(g, in.p[3], in.p[4], get_u32(in.p + 5) & 0x7fffffff, payload)) {
            refuse(g, in.p[3] == NGHTTP2_GOAWAY ? "the server says goodbye"
                                                : "the server sends what this client does not understand");
            return;
        }
        in = str_from(in, FRAME_HEAD + len);
    }
    if (kept)
        buf_drop(&g->in, g->in.n - in.n);
    else
        buf_str_add(&g->in, in);
    if (g->next_id > MAX_ID - 4 * g->n_slots)    /* ids are used up: begin anew */
        refuse(g, "the connection has carried all it can");
}

/* ---- the connection ----------------------------------------------------------------------------- */

static void on_open(void *arg, struct stream *s)
{
    struct bench_grpc *g = arg;

    g->open = true;
    stream_write(s, preface, sizeof preface - 1);
    qeach(&g->places, it, tmp)
        ready_post(g->loop, &qentry(it, struct bench_conn, at)->told);
}

static int dial(struct bench_grpc *g, const struct bench_target *t, struct errbuf *err)
{
    static const struct stream_events events = { .on_open = on_open, .on_data = on_data,
                                                 .on_close = on_close };
    struct stream_connect_opts o = { .addr = t->addr, .tls = t->tls, .tls_name = t->tls_name,
                                     .ev = &events, .arg = g };
    int rc = stream_connect(g->loop, &o, &g->s, err);

    if (rc != 0)
        return rc;
    must(nghttp2_hd_deflate_new(&g->deflater, HPACK_TABLE) == 0);
    must(nghttp2_hd_inflate_new(&g->inflater) == 0);
    g->target = t;
    g->next_id = 1;
    g->window = g->stream_window = FIRST_WINDOW;
    g->taken = 0;
    return 0;
}

int bench_grpc_open(struct bench_conn *c, const struct bench_target *t, struct errbuf *err)
{
    struct bench_grpc *g = c->grpc;
    int rc = g->s == NULL ? dial(g, t, err) : 0;

    if (rc != 0)
        return rc;
    ready_init(&c->told, place_on_told);
    qinit(&c->at);
    qpush(&g->places, &c->at);
    if (g->open)
        ready_post(g->loop, &c->told);
    return 0;
}

struct bench_grpc *bench_grpc_new(struct loop *l)
{
    struct bench_grpc *g = mem_new(struct bench_grpc);

    *g = (struct bench_grpc){ .loop = l };
    qinit(&g->places);
    grow_slots(g);
    return g;
}

void bench_grpc_shut(struct bench_grpc *g)
{
    g->open = false;
    if (g->s != NULL)
        stream_close(g->s);
}

void bench_grpc_free(struct bench_grpc *g)
{
    must(qempty(&g->places));
    if (g->s != NULL)                            /* the loop has stopped before it told */
        release(g);
    mem_free(g->slot);
    mem_free(g);
}
