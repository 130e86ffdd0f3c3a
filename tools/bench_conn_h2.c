/* tools/bench_conn_h2.c: a place on a shared connection of HTTP/2, as a bench_conn: see bench_conn.h. */
#include <stdio.h>
#include "tools/bench_conn.h"

#define H2_HEADERS 16                            /* more than any request of ours has */

static void conn_on_told(struct ready_item *it)
{
    struct bench_conn *c = container_of(it, struct bench_conn, told);

    if (!c->closing) {
        c->open = true;
        c->ev->on_open(c->arg);
    } else if (c->open) {
        c->open = false;
        c->ev->on_close(c->arg, c->reason);
    }
}

void bench_h2_open(struct bench_conn *c)
{
    ready_init(&c->told, conn_on_told);
    ready_post(http_client_loop(c->h2), &c->told);
}

void bench_h2_close(struct bench_conn *c)
{
    if (c->call != NULL)
        http_call_cancel(c->call);
    c->call = NULL;
    if (c->open) {
        snprintf(c->reason, sizeof c->reason, "closed");
        ready_post(http_client_loop(c->h2), &c->told);
    } else {
        ready_cancel(&c->told);
    }
}

static void conn_on_head(void *arg, struct http_call *call, int status, const struct http_header *h, size_t n)
{
    ((struct bench_conn *)arg)->status = status;
}

static void conn_on_data(void *arg, struct http_call *call, const char *p, size_t n)
{
    struct bench_conn *c = arg;

    if (c->ev->on_body != NULL)
        c->ev->on_body(c->arg, p, n);
}

static void conn_on_done(void *arg, struct http_call *call, int err, const char *reason, int status,
                         struct str body)
{
    struct bench_conn *c = arg;

    c->call = NULL;
    if (err == 0) {
        c->in_flight = false;
        c->ev->on_response(c->arg, status);
        return;
    }
    snprintf(c->reason, sizeof c->reason, "%s", reason);
    c->closing = true;
    ready_post(http_client_loop(c->h2), &c->told);
}

/* The request's text in parts; headers that the client makes itself are left out. */
static size_t request_split(struct str text, struct str *method, struct str *target, struct http_header *h,
                            struct str *body)
{
    const char *end = memmem(text.p, text.n, "\r\n\r\n", 4);
    struct str head, line, name;
    size_t n = 0;

    must(end != NULL);
    head = str_make(text.p, (size_t)(end - text.p));
    *body = str_from(text, head.n + 4);
    must(str_split(&head, '\n', &line) && str_split(&line, ' ', method) && str_split(&line, ' ', target));
    while (str_split(&head, '\n', &line)) {
        must(n < H2_HEADERS && str_split(&line, ':', &name));
        if (!str_ieq(name, STR("content-length")))
            h[n++] = (struct http_header){ name, str_trim(line) };
    }
    return n;
}

void bench_h2_send(struct bench_conn *c, struct str request)
{
    struct http_header h[H2_HEADERS];
    struct str method, target, body;
    size_t n = request_split(request, &method, &target, h, &body);
    char verb[16];
    struct errbuf err = { "" };

    snprintf(verb, sizeof verb, "%.*s", STR_ARG(method));
    struct http_call_opts o = { .method = verb, .target = target, .headers = h, .n_headers = n,
                                .streamed = true, .on_head = conn_on_head, .on_data = conn_on_data,
                                .on_done = conn_on_done, .arg = c };
    if (body.n > 0)
        o.body = blob_copy(body);
    if (http_call(c->h2, &o, &c->call, &err) < 0)
        conn_on_done(c, NULL, E_INVALID, err.s, 0, STR_NONE);
    blob_unref(o.body);
}
