/* tools/bench_conn.c: see tools/bench_conn.h. */
#include <strings.h>
#include "tools/bench_grpc.h"

#define CONN_HEAD_MAX (64u << 10)                /* an answer's head; what is longer is no answer */

void bench_conn_init(struct bench_conn *c, const struct bench_conn_events *ev, void *arg)
{
    *c = (struct bench_conn){ .ev = ev, .arg = arg, .part = BUF_INIT };
    qinit(&c->at);
}

void bench_conn_release(struct bench_conn *c)
{
    must(c->stream == NULL);
    buf_release(&c->part);
}

void bench_conn_close(struct bench_conn *c)
{
    c->closing = true;
    if (c->grpc != NULL)
        bench_grpc_close(c);
    if (c->h2 != NULL)
        bench_h2_close(c);
    if (c->stream != NULL)
        stream_close(c->stream);
}

void bench_conn_send(struct bench_conn *c, struct str request)
{
    must(c->open && !c->in_flight && !c->closing);
    c->in_flight = true;
    if (c->grpc != NULL)
        bench_grpc_send(c, request);
    else if (c->h2 != NULL)
        bench_h2_send(c, request);
    else
        stream_write(c->stream, request.p, request.n);
}

/* ---- The head ----------------------------------------------------------------------------------- */

static bool header_is(struct str line, const char *name, struct str *ret_value)
{
    size_t n = strlen(name);

    if (line.n <= n || line.p[n] != ':' || strncasecmp(line.p, name, n) != 0)
        return false;
    *ret_value = str_trim(str_from(line, n + 1));
    return true;
}

/* One header line; false: not one we can go on with. */
static bool conn_header(struct bench_conn *c, struct str line)
{
    struct str v;

    switch (line.p[0] | 0x20) {
    case 'c':
        if (header_is(line, "content-length", &v)) {
            c->state = CONN_LENGTH;
            return str_u64(v, &c->left);
        }
        if (header_is(line, "connection", &v) && str_ieq(v, STR("close")))
            c->last = true;
        return true;
    case 't':
        if (header_is(line, "transfer-encoding", &v) && str_ieq(v, STR("chunked")))
            c->state = CONN_CHUNK_SIZE;
        return true;
    default:
        return true;
    }
}

static bool conn_parse_head(struct bench_conn *c, struct str head)
{
    struct str line;

    if (head.n < 12 || memcmp(head.p, "HTTP/1.", 7) != 0 || head.p[8] != ' ')
        return false;
    c->status = 0;
    for (int i = 9; i < 12; i++) {
        if (head.p[i] < '0' || head.p[i] > '9')
            return false;
        c->status = c->status * 10 + (head.p[i] - '0');
    }
    c->last = head.p[7] == '0';
    c->state = CONN_UNTIL_EOF;
    c->left = 0;
    str_split(&head, '\n', &line);
    while (str_split(&head, '\n', &line))
        if (line.n > 1 && !conn_header(c, line))
            return false;
    if (c->status == 204 || c->status == 304) {
        c->state = CONN_LENGTH;
        c->left = 0;
    }
    return true;
}

/* ---- Framing: each step takes some of *in; false: the bytes are no HTTP ------------------------- */

static void conn_finish(struct bench_conn *c)
{
    c->state = CONN_HEAD;
    c->in_flight = false;
    if (c->last)
        bench_conn_close(c);
    c->ev->on_response(c->arg, c->status);
}

/* Cut up to and with `end` off *in; what came before in pieces is put in front.  False: not all there yet. */
static bool conn_take(struct bench_conn *c, struct str *in, struct str end, struct str *ret)
{
    size_t had = c->part.n, back = MIN_OF(had, end.n - 1);
    const char *at;

    if (had == 0) {
        at = memmem(in->p, in->n, end.p, end.n);
        if (at != NULL) {
            size_t n = (size_t)(at - in->p) + end.n;
            *ret = str_upto(*in, n);
            *in = str_from(*in, n);
            return true;
        }
        buf_str_add(&c->part, *in);
        *in = str_from(*in, in->n);
        return false;
    }
    buf_str_add(&c->part, *in);
    at = memmem(c->part.p + had - back, c->part.n - had + back, end.p, end.n);
    if (at == NULL) {
        *in = str_from(*in, in->n);
        return false;
    }
    size_t n = (size_t)(at - c->part.p) + end.n;
    must(n > had);
    *ret = str_make(c->part.p, n);
    *in = str_from(*in, n - had);
    c->part.n = 0;                               /* *ret stays valid until the next piece is kept */
    return true;
}

static bool conn_step_head(struct bench_conn *c, struct str *in)
{
    struct str head;

    if (!c->in_flight)
        return false;                            /* nobody asked */
    if (!conn_take(c, in, STR("\r\n\r\n"), &head))
        return c->part.n <= CONN_HEAD_MAX;
    if (!conn_parse_head(c, head))
        return false;
    if (c->status < 200)                         /* 100: the real one follows */
        c->state = CONN_HEAD;
    else if (c->state == CONN_LENGTH && c->left == 0)
        conn_finish(c);
    return true;
}

static bool conn_step_body(struct bench_conn *c, struct str *in)
{
    size_t n = c->state == CONN_UNTIL_EOF ? in->n : MIN_OF(in->n, c->left);

    if (c->ev->on_body != NULL)
        c->ev->on_body(c->arg, in->p, n);
    *in = str_from(*in, n);
    if (c->state == CONN_UNTIL_EOF)
        return true;
    c->left -= n;
    if (c->left == 0 && c->state == CONN_LENGTH)
        conn_finish(c);
    else if (c->left == 0)
        c->state = CONN_CHUNK_END;
    return true;
}

static bool conn_chunk_size(struct str line, uint64_t *ret)
{
    uint64_t v = 0;
    size_t i = 0;

    for (; i < line.n && i < 15; i++) {
        int c = line.p[i] | 0x20;
        if (c >= '0' && c <= '9')
            v = v * 16 + (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v * 16 + (uint64_t)(c - 'a' + 10);
        else
            break;
    }
    *ret = v;
    return i > 0 && i < 15;
}

static bool conn_step_line(struct bench_conn *c, struct str *in)
{
    struct str line;

    if (!conn_take(c, in, STR("\n"), &line))
        return c->part.n <= CONN_HEAD_MAX;
    switch (c->state) {
    case CONN_CHUNK_SIZE:
        if (!conn_chunk_size(line, &c->left))
            return false;
        c->state = c->left > 0 ? CONN_CHUNK : CONN_TRAILER;
        return true;
    case CONN_CHUNK_END:
        c->state = CONN_CHUNK_SIZE;
        return line.n <= 2;
    default:
        if (line.n <= 2)                         /* the empty line after the trailers */
            conn_finish(c);
        return true;
    }
}

static bool conn_step(struct bench_conn *c, struct str *in)
{
    switch (c->state) {
    case CONN_HEAD:
        return conn_step_head(c, in);
    case CONN_LENGTH:
    case CONN_UNTIL_EOF:
    case CONN_CHUNK:
        return conn_step_body(c, in);
    default:
        return conn_step_line(c, in);
    }
}

/* ---- The stream --------------------------------------------------------------------------------- */

static void conn_on_open(void *arg, struct stream *s)
{
    struct bench_conn *c = arg;

    c->open = true;
    if (!c->closing)
        c->ev->on_open(c->arg);
}

static void conn_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct bench_conn *c = arg;
    struct str in = str_make(p, n);

    while (in.n > 0 && !c->closing)
        if (!conn_step(c, &in)) {
            bench_conn_close(c);
            return;
        }
}

static void conn_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct bench_conn *c = arg;
    bool ended = c->in_flight && c->state == CONN_UNTIL_EOF && err == 0;

    c->stream = NULL;
    c->open = false;
    c->closing = true;
    buf_release(&c->part);
    if (ended) {
        c->in_flight = false;
        c->ev->on_response(c->arg, c->status);
    }
    c->ev->on_close(c->arg, reason != NULL ? reason : "closed");
}

int bench_conn_open(struct bench_conn *c, struct loop *l, const struct bench_target *t, struct errbuf *err)
{
    static const struct stream_events events = { .on_open = conn_on_open,
                                                 .on_data = conn_on_data,
                                                 .on_close = conn_on_close };
    struct stream_connect_opts o = {
        .addr = t->addr, .tls = t->tls, .tls_name = t->tls_name, .ev = &events, .arg = c
    };

    must(c->stream == NULL);
    c->open = c->in_flight = c->closing = c->last = false;
    c->state = CONN_HEAD;
    c->part.n = 0;
    if (c->grpc != NULL)
        return bench_grpc_open(c, t, err);
    if (c->h2 != NULL) {
        bench_h2_open(c);
        return 0;
    }
    return stream_connect(l, &o, &c->stream, err);
}
