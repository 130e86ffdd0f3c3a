/* test/etcddiff/talk.c: two servers over HTTP/2, asked in step; a stream of watches to each. */
#include <stdio.h>
#include <stdlib.h>
#include "test/etcddiff/diff.h"

#define QUIET_MS  150                            /* etcd looks after late watches every 100 ms */
#define ANSWER_MS 10000

struct server {
    struct loop *loop;
    struct http_client *http;
    struct http_call *stream;                    /* of watches; NULL: none yet */
    struct buf in;                               /* of it: half a message */
    struct buf told[WATCHES];
    uint64_t   answers;                          /* created or canceled */
    struct answer *answer;                       /* waited for; NULL: none */
    struct timer quiet;
    bool       still;
    const char *addr;
};

static const struct http_header headers[] = { { STR("content-type"), STR("application/grpc") },
                                              { STR("te"), STR("trailers") } };

static void give_up(const struct server *s, const char *what)
{
    fprintf(stderr, "%s: %s\n", s->addr, what);
    exit(1);
}

/* ---- One answer ------------------------------------------------------------------------------------ */

/* Refusals have no body, and what would stand behind it stands in the head. */
static struct str end_field(struct http_call *c, const char *name)
{
    struct str s = http_call_trailer(c, name);

    return s.n > 0 ? s : http_call_header(c, name);
}

static void on_done(void *arg, struct http_call *c, int err, const char *reason, int status, struct str body)
{
    struct server *s = arg;
    struct str text = end_field(c, "grpc-message");
    uint64_t code;

    if (err != 0)
        give_up(s, reason != NULL ? reason : err_text(err));
    s->answer->code = str_u64(end_field(c, "grpc-status"), &code) ? (int)code : -1;
    snprintf(s->answer->message, sizeof s->answer->message, "%.*s", STR_ARG(text));
    if (body.n >= GRPC_HEAD)
        buf_str_add(&s->answer->body, str_from(body, GRPC_HEAD));
    s->answer = NULL;
    loop_stop(s->loop);
}

static struct blob *framed(const struct pb_message *m, const void *body)
{
    struct buf b = BUF_INIT;
    struct blob *ret;

    grpc_head(&b, pb_size(m, body));
    pb_encode(&b, m, body);
    ret = blob_copy(buf_str(&b));
    buf_release(&b);
    return ret;
}

void ask_both(struct server *const s[SERVERS], const struct request *r, struct answer ret[SERVERS])
{
    struct errbuf err = { "" };

    for (unsigned i = 0; i < SERVERS; i++) {
        struct blob *body = framed(r->msg, r->body);
        struct http_call_opts o = { .method = "POST", .target = str_of(r->path), .headers = headers,
                                    .n_headers = ARRAY_LEN(headers), .body = body, .timeout_ms = ANSWER_MS,
                                    .on_done = on_done, .arg = s[i] };
        s[i]->answer = &ret[i];
        if (http_call(s[i]->http, &o, NULL, &err) != 0)
            give_up(s[i], err.s);
        blob_unref(body);
    }
    while (s[0]->answer != NULL || s[1]->answer != NULL)
        loop_run(s[0]->loop);
}

/* ---- Watches --------------------------------------------------------------------------------------- */

static bool ended(struct str told) { return memmem(told.p, told.n, "canceled", 8) != NULL; }

static void on_message(struct server *s, struct str message)
{
    struct buf text = BUF_INIT;
    int64_t id;

    text_watch(&text, message, &id);
    /* etcd cancels what has ended by compaction once more, when asked to */
    if (id >= 0 && id < WATCHES && !ended(buf_str(&s->told[id])))
        buf_str_add(&s->told[id], buf_str(&text));
    if (text.n > 0 && text.p[0] != 'e')          /* not events: it is made, or ended */
        s->answers++;
    buf_release(&text);
}

static void on_data(void *arg, struct http_call *c, const char *p, size_t n)
{
    struct server *s = arg;

    buf_add(&s->in, p, n);
    while (s->in.n >= GRPC_HEAD) {
        const unsigned char *q = (const unsigned char *)s->in.p;
        size_t len = (size_t)q[1] << 24 | (size_t)q[2] << 16 | (size_t)q[3] << 8 | q[4];
        if (s->in.n < GRPC_HEAD + len)
            break;
        on_message(s, str_make(s->in.p + GRPC_HEAD, len));
        buf_drop(&s->in, GRPC_HEAD + len);
    }
    s->still = false;
    timer_start(&s->quiet, QUIET_MS);
}

static void on_head(void *arg, struct http_call *c, int status, const struct http_header *h, size_t n)
{
    if (status != 200)
        give_up(arg, "no stream of watches");
}

static void on_stream_done(void *arg, struct http_call *c, int err, const char *reason, int status,
                           struct str body)
{
    give_up(arg, "the stream of watches has ended");
}

static void on_quiet(struct timer *t)
{
    struct server *s = container_of(t, struct server, quiet);

    s->still = true;
    loop_stop(s->loop);
}

static void stream_open(struct server *s)
{
    struct http_call_opts o = { .method = "POST", .target = STR("/etcdserverpb.Watch/Watch"),
                                .headers = headers, .n_headers = ARRAY_LEN(headers), .streamed = true,
                                .body_follows = true, .on_head = on_head, .on_data = on_data,
                                .on_done = on_stream_done, .arg = s };
    struct errbuf err = { "" };

    if (http_call(s->http, &o, &s->stream, &err) != 0)
        give_up(s, err.s);
}

void settle_both(struct server *const s[SERVERS])
{
    for (unsigned i = 0; i < SERVERS; i++) {
        s[i]->still = false;
        timer_start(&s[i]->quiet, QUIET_MS);
    }
    while (!s[0]->still || !s[1]->still)
        loop_run(s[0]->loop);
}

void watch_both(struct server *const s[SERVERS], const struct etcd_watch_request *r)
{
    if (r->which == WATCH_CANCEL)
        settle_both(s);                          /* what is on its way to a watch that ends may or may not come */
    for (unsigned i = 0; i < SERVERS; i++) {
        struct blob *b = framed(&etcd_watch_request_msg, r);
        if (s[i]->stream == NULL)
            stream_open(s[i]);
        http_call_send(s[i]->stream, b, 0, b->len);
    }
    settle_both(s);
}

struct str server_told(const struct server *s, int64_t id) { return buf_str(&s->told[id]); }

/* ---- Life ------------------------------------------------------------------------------------------ */

struct server *server_open(struct loop *l, const char *addr)
{
    struct http_client_opts o = { .addrs = &addr, .n_addrs = 1, .http2 = true };
    struct server *s = mem_new(struct server);
    struct errbuf err = { "" };

    s->loop = l;
    s->addr = addr;
    timer_init(&s->quiet, l, on_quiet);
    if (http_client_new(l, &o, &s->http, &err) != 0)
        give_up(s, err.s);
    return s;
}

void server_close(struct server *s)
{
    timer_stop(&s->quiet);
    if (s->stream != NULL)
        http_call_cancel(s->stream);
    http_client_free(s->http);
    buf_release(&s->in);
    for (unsigned i = 0; i < WATCHES; i++)
        buf_release(&s->told[i]);
    mem_free(s);
}
