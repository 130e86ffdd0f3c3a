/* api/connect_log.c: a container's log from its node to the client, as fast as the client reads. */
#include "api/connect.h"

#define REFUSAL_MAX 4096                         /* of a node's error text */

struct log {
    struct call *call;
    struct http_client *node;
    struct http_call *from;
    struct buf refusal;
    int  status;
    bool paused;
};

static void log_cancel(struct call *c)
{
    struct log *l = c->state;

    if (l->from != NULL)
        http_call_cancel(l->from);
    http_client_free(l->node);
    buf_release(&l->refusal);
}

static void log_drain(struct call *c)
{
    struct log *l = c->state;

    if (l->paused)
        http_call_resume(l->from);
    l->paused = false;
}

static void on_head(void *arg, struct http_call *from, int status, const struct http_header *h, size_t n)
{
    struct log *l = arg;

    (void)from;
    (void)h;
    (void)n;
    l->status = status;
    if (status == 200)
        call_begin(l->call, 200, "text/plain", false);
}

static void on_data(void *arg, struct http_call *from, const char *p, size_t n)
{
    struct log  *l = arg;
    struct call *c = l->call;

    if (l->status != 200) {
        if (l->refusal.n < REFUSAL_MAX)
            buf_add(&l->refusal, p, MIN_OF(n, REFUSAL_MAX - l->refusal.n));
        return;
    }
    call_send(c, str_make(p, n));
    if (!l->paused && c->x->ops->queued(c->x) > CONNECT_QUEUE_MAX) {
        l->paused = true;
        http_call_pause(from);
    }
}

static void on_done(void *arg, struct http_call *from, int err, const char *reason, int status,
                    struct str body)
{
    struct log  *l = arg;
    struct call *c = l->call;
    struct str   text = str_trim(buf_str(&l->refusal));

    (void)from;
    (void)body;
    l->from = NULL;                              /* over by itself */
    if (c->began)
        /* broken off: the log just ends, as when the container does */
        call_end(c);
    else if (err != 0)
        call_fail(c, 500, REASON_INTERNAL, "Internal error occurred: the node cannot be reached: %s", reason);
    else if (status == 200) {
        call_begin(c, 200, "text/plain", false);
        call_end(c);
    } else
        call_fail(c, status >= 400 ? status : 500,
                  status >= 400 ? status_reason_of(status) : REASON_INTERNAL, "%.*s", STR_ARG(text));
}

void connect_log(struct call *c, struct http_client *node, struct str target)
{
    struct log   *l = arena_new(c->arena, struct log);
    struct errbuf err;
    struct http_call_opts o = {
        .method = "GET", .target = target, .streamed = true, .on_head = on_head, .on_data = on_data,
            .on_done = on_done, .arg = l,
    };

    l->call = c;
    l->node = node;
    if (http_call(node, &o, &l->from, &err) < 0) {
        http_client_free(node);
        call_fail(c, 500, REASON_INTERNAL, "Internal error occurred: the node cannot be reached: %s", err.s);
        return;
    }
    c->state = l;
    c->cancel = log_cancel;
    c->drain = log_drain;
}
