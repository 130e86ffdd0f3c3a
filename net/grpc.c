/* net/grpc.c: see grpc.h. */
#include <stdio.h>
#include "net/grpc.h"

#define CONTENT_TYPE "application/grpc"

bool grpc_is_call(const struct http_req *req)
{
    return req->http_2 && str_starts(http_header_get(req->headers, req->n_headers, "content-type"),
                                     STR(CONTENT_TYPE));
}

/* ---- answering ------------------------------------------------------------------------------------ */

/* grpc-message: printable ASCII but '%' as it is. */
static struct str escaped(struct arena *a, const char *message)
{
    size_t n = strlen(message), at = 0;
    char  *p = arena_alloc(a, 3 * n + 1);

    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)message[i];
        if (ch >= 0x20 && ch < 0x7f && ch != '%')
            p[at++] = message[i];
        else
            at += (size_t)sprintf(p + at, "%%%02X", ch);
    }
    return str_make(p, at);
}

static void send_status(struct http_req *req, enum grpc_code code, const char *message)
{
    char number[4];
    int  n = snprintf(number, sizeof number, "%u", (unsigned)code);
    struct http_header trailer[2] = { { STR("grpc-status"), str_make(number, (size_t)n) } };

    if (message != NULL)
        trailer[1] = (struct http_header){ STR("grpc-message"), escaped(&req->arena, message) };
    http_end_trailers(req, trailer, message != NULL ? 2 : 1);
}

void grpc_refuse(struct http_req *req, enum grpc_code code, const char *message)
{
    http_begin(req, 200, CONTENT_TYPE, false, NULL, 0);
    send_status(req, code, message);
}

/* Nothing may come any more; the request is left to the caller. */
static struct http_req *call_over(struct grpc_call *c)
{
    struct http_req *req = c->req;

    must(req != NULL);
    c->req = NULL;
    timer_stop(&c->deadline);
    buf_release(&c->in);
    req->on_abort = NULL;
    req->on_drain = NULL;
    req->on_data = NULL;
    req->on_eof = NULL;
    return req;
}

void grpc_finish(struct grpc_call *c, enum grpc_code code, const char *message)
{
    bool begun = c->begun;
    struct http_req *req = call_over(c);

    if (!begun)
        http_begin(req, 200, CONTENT_TYPE, false, NULL, 0);
    send_status(req, code, message);
}

static void call_begin(struct grpc_call *c)
{
    must(c->req != NULL);
    if (!c->begun)
        http_begin(c->req, 200, CONTENT_TYPE, false, NULL, 0);
    c->begun = true;
}

void grpc_head(struct buf *out, size_t n)
{
    char head[GRPC_HEAD] = { 0, (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

    must(n <= GRPC_MAX_MESSAGE);
    buf_add(out, head, sizeof head);
}

void grpc_add(struct grpc_call *c, struct str s)
{
    call_begin(c);
    if (s.n > 0)
        http_send(c->req, s.p, s.n);
}

void grpc_add_blob(struct grpc_call *c, struct blob *b, size_t off, size_t n)
{
    call_begin(c);
    http_send_blob(c->req, b, off, n);
}

/* ---- messages that come --------------------------------------------------------------------------- */

static size_t head_length(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (size_t)u[1] << 24 | (size_t)u[2] << 16 | (size_t)u[3] << 8 | u[4];
}

/* Cut a message off *in.  1: it is in *ret; 0: it is not whole yet; -1: the call was refused and is over. */
static int next_message(struct grpc_call *c, struct str *in, struct str *ret)
{
    char   text[96];
    size_t n;

    if (in->n < GRPC_HEAD)
        return 0;
    n = head_length(in->p);
    if (in->p[0] != 0) {
        grpc_finish(c, GRPC_UNIMPLEMENTED, "grpc: compressed messages are not taken");
        return -1;
    }
    if (n > c->max_message) {
        snprintf(text, sizeof text, "grpc: received message larger than max (%zu vs. %zu)", n,
                 c->max_message);
        grpc_finish(c, GRPC_RESOURCE_EXHAUSTED, text);
        return -1;
    }
    if (in->n - GRPC_HEAD < n)
        return 0;
    *ret = str_make(in->p + GRPC_HEAD, n);
    *in = str_from(*in, GRPC_HEAD + n);
    return 1;
}

static void call_on_data(struct http_req *req, struct str data)
{
    struct grpc_call *c = req->arg;
    struct str in = data, message;
    struct buf own = BUF_INIT;                   /* what `in` points into if a message came in pieces */
    int rc = 0;

    if (c->in.n > 0) {
        buf_str_add(&c->in, data);
        own = c->in;
        c->in = BUF_INIT;
        in = buf_str(&own);
    }
    while (c->req == req && (rc = next_message(c, &in, &message)) > 0)
        c->ev->on_message(c, message);           /* may finish the call */
    if (rc == 0 && in.n > 0 && in.n == own.n) {  /* still not whole: no byte is moved */
        c->in = own;
        return;
    }
    if (rc == 0)
        buf_str_add(&c->in, in);
    buf_release(&own);
}

static void call_on_eof(struct http_req *req)
{
    struct grpc_call *c = req->arg;

    if (c->in.n > 0)
        grpc_finish(c, GRPC_INTERNAL, "grpc: the message is cut short");
    else
        c->ev->on_end(c);
}

static void call_on_drain(struct http_req *req)
{
    struct grpc_call *c = req->arg;

    if (c->ev->on_drain != NULL)
        c->ev->on_drain(c);
}

static void call_on_abort(struct http_req *req)
{
    struct grpc_call *c = req->arg;

    call_over(c);
    c->ev->on_gone(c);
}

static void call_on_deadline(struct timer *t)
{
    struct grpc_call *c = container_of(t, struct grpc_call, deadline);

    grpc_finish(c, GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    c->ev->on_gone(c);
}

/* ---- beginning ------------------------------------------------------------------------------------ */

/* "100m": at most eight digits and a unit.  False: none, or malformed. */
static bool parse_timeout(struct str s, uint64_t *ret_ns)
{
    static const struct { char unit; uint64_t ns; } units[] = {
        { 'H', 3600000000000 }, { 'M', 60000000000 }, { 'S', 1000000000 }, { 'm', 1000000 }, { 'u', 1000 },
            { 'n', 1 },
    };
    uint64_t n;

    if (s.n < 2 || s.n > 9 || !str_u64(str_upto(s, s.n - 1), &n))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (units[i].unit == s.p[s.n - 1]) {
            *ret_ns = n * MIN_OF(units[i].ns, UINT64_MAX / 4 / (n + 1));
            return true;
        }
    return false;
}

static void call_init(struct grpc_call *c, struct http_req *req, const struct grpc_events *ev,
                      size_t max_message)
{
    struct str timeout = http_header_get(req->headers, req->n_headers, "grpc-timeout");
    uint64_t ns;

    *c = (struct grpc_call){ .req = req, .ev = ev, .in = BUF_INIT, .max_message = max_message };
    timer_init(&c->deadline, http_req_loop(req), call_on_deadline);
    req->arg = c;
    if (timeout.n > 0 && parse_timeout(timeout, &ns))
        timer_start_ns(&c->deadline, ns);
}

bool grpc_unary(struct grpc_call *c, struct http_req *req, const struct grpc_events *ev, size_t max_message,
                struct str *ret_message)
{
    struct str in = req->body;
    int rc;

    call_init(c, req, ev, max_message);
    rc = next_message(c, &in, ret_message);
    if (rc < 0)
        return false;
    if (rc == 0 || in.n > 0) {
        grpc_finish(c, GRPC_INTERNAL, "grpc: the request is not one message");
        return false;
    }
    req->on_abort = call_on_abort;
    req->on_drain = call_on_drain;
    return true;
}

bool grpc_stream(struct grpc_call *c, struct http_req *req, const struct grpc_events *ev, size_t max_message)
{
    call_init(c, req, ev, max_message);
    if (req->body_done) {                        /* a stream that asks for nothing */
        grpc_finish(c, GRPC_OK, NULL);
        return false;
    }
    req->on_abort = call_on_abort;
    req->on_drain = call_on_drain;
    req->on_data = call_on_data;
    req->on_eof = call_on_eof;
    return true;
}
