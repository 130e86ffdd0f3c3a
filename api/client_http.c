/* api/client_http.c: the client over HTTP to any of the heads. */
#include <stdio.h>
#include "api/client_impl.h"
#include "api/json_scan.h"

#define WATCH_LINE_MAX (8u << 20)                /* one event; objects are at most 3 MiB */

struct http_transport {
    struct client client;
    struct http_client *http;
    char *authorization, *user_agent;
};

struct http_transport_call {
    struct client_call call;
    struct http_call *http;
};

struct http_transport_watch {
    struct client_watch watch;
    struct http_call *http;                      /* NULL: has ended */
    /* what came of the next event; of a refusal: the whole body */
    struct buf line;
    int status;
};

static struct http_transport *transport(struct client *c)
{
    return container_of(c, struct http_transport, client);
}

static size_t add_headers(const struct http_transport *t, const char *content_type, struct http_header *h)
{
    size_t n = 0;

    h[n++] = (struct http_header){ STR("Accept"), STR("application/json") };
    if (content_type != NULL)
        h[n++] = (struct http_header){ STR("Content-Type"), str_of(content_type) };
    if (t->authorization != NULL)
        h[n++] = (struct http_header){ STR("Authorization"), str_of(t->authorization) };
    if (t->user_agent != NULL)
        h[n++] = (struct http_header){ STR("User-Agent"), str_of(t->user_agent) };
    return n;
}

/* ---- Calls ----------------------------------------------------------------------------------------- */

static void http_on_done(void *arg, struct http_call *h, int err, const char *reason, int status,
                         struct str body)
{
    struct http_transport_call *c = arg;

    client__deliver(&c->call, err, reason, status, body);
    mem_free(c);
}

static struct client_call *http_send_call(struct client *cl, const struct client_wire *w)
{
    struct http_transport *t = transport(cl);
    struct http_transport_call *c = mem_new(struct http_transport_call);
    struct http_header headers[4];
    struct blob *body = w->body.n > 0 ? blob_copy(w->body) : NULL;
    struct http_call_opts o = {
        .method = w->method,
        .target = w->target,
        .headers = headers,
        .n_headers = add_headers(t, w->content_type, headers),
        .body = body,
        .timeout_ms = w->timeout_ms,
        .on_done = http_on_done,
        .arg = c,
    };
    int rc = http_call(t->http, &o, &c->http, NULL);

    blob_unref(body);
    if (rc != 0) {
        mem_free(c);
        return NULL;
    }
    return &c->call;
}

static void http_cancel_call(struct client_call *call)
{
    struct http_transport_call *c = container_of(call, struct http_transport_call, call);

    http_call_cancel(c->http);
    mem_free(c);
}

/* ---- Watches --------------------------------------------------------------------------------------- */

static bool watch_line(struct http_transport_watch *w, struct str line)
{
    struct str type, object;
    struct arena a = ARENA_INIT;
    bool open;

    if (line.n == 0)
        return true;
    if (!json_scan_path(line, "type", &type) || !json_scan_string(&a, type, &type) ||
        !json_scan_path(line, "object", &object)) {
        client__end(&w->watch, E_INVALID, "an event makes no sense");
        arena_release(&a);
        return false;
    }
    if (str_is(type, "ERROR")) {
        struct str message;
        int err = client__status_error(object, &a, &message);
        client__end(&w->watch, err, arena_cstr(&a, message));
        open = false;
    } else {
        struct blob *b = blob_copy(object);
        open = client__event(&w->watch, type, b);
        blob_unref(b);
    }
    arena_release(&a);
    return open;
}

static void watch_on_head(void *arg, struct http_call *h, int status, const struct http_header *hd, size_t n)
{
    struct http_transport_watch *w = arg;
    w->status = status;
}

static void watch_on_data(void *arg, struct http_call *h, const char *p, size_t n)
{
    struct http_transport_watch *w = arg;
    struct str in = str_make(p, n);

    while (in.n > 0 && w->status == 200) {
        ptrdiff_t nl = str_find(in, '\n');
        size_t part = nl < 0 ? in.n : (size_t)nl;
        bool open;
        if (w->line.n + part > WATCH_LINE_MAX) {
            client__end(&w->watch, E_TOOBIG, "an event is over the limit");
            return;
        }
        if (nl >= 0 && w->line.n == 0) {         /* the usual case: the whole line is here, no copy */
            open = watch_line(w, str_upto(in, part));
        } else {
            buf_add(&w->line, in.p, part);
            if (nl < 0)
                return;
            struct buf line = w->line;           /* the watch may be gone when watch_line returns */
            w->line = BUF_INIT;
            open = watch_line(w, buf_str(&line));
            buf_release(&line);
        }
        if (!open)
            return;
        in = str_from(in, part + 1);
    }
    if (w->status != 200 && w->line.n + in.n < WATCH_LINE_MAX)
        buf_add(&w->line, in.p, in.n);
}

static void watch_on_done(void *arg, struct http_call *h, int err, const char *reason, int status,
                          struct str body)
{
    struct http_transport_watch *w = arg;
    struct arena a = ARENA_INIT;
    struct str message = STR_NONE;

    w->http = NULL;
    if (err == 0 && w->status != 200) {
        err = client__status_error(buf_str(&w->line), &a, &message);
        if (w->status == 410)
            err = E_STALE;
        client__end(&w->watch, err, arena_cstr(&a, message));
    } else {
        client__end(&w->watch, err, reason);
    }
    arena_release(&a);
}

static struct client_watch *http_watch(struct client *cl, struct str target)
{
    struct http_transport *t = transport(cl);
    struct http_transport_watch *w = mem_new(struct http_transport_watch);
    struct http_header headers[4];
    struct http_call_opts o = {
        .method = "GET",
        .target = target,
        .headers = headers,
        .n_headers = add_headers(t, NULL, headers),
        .streamed = true,
        .on_head = watch_on_head,
        .on_data = watch_on_data,
        .on_done = watch_on_done,
        .arg = w,
    };

    if (http_call(t->http, &o, &w->http, NULL) != 0) {
        mem_free(w);
        return NULL;
    }
    return &w->watch;
}

static void http_watch_close(struct client_watch *watch)
{
    struct http_transport_watch *w = container_of(watch, struct http_transport_watch, watch);

    if (w->http != NULL)
        http_call_cancel(w->http);
    buf_release(&w->line);
    mem_free(w);
}

/* ---- Life ------------------------------------------------------------------------------------------ */

static void http_free(struct client *c)
{
    struct http_transport *t = transport(c);

    http_client_free(t->http);
    mem_free(t->authorization);
    mem_free(t->user_agent);
    mem_free(t);
}

static const struct client_ops http_ops = {
    .send = http_send_call,
    .cancel = http_cancel_call,
    .watch = http_watch,
    .watch_close = http_watch_close,
    .free = http_free,
};

int client_new_http(const struct client_http_opts *o, struct client **ret, struct errbuf *err)
{
    struct http_transport *t = mem_new(struct http_transport);
    struct http_client_opts ho = {
        .addrs = o->servers, .n_addrs = o->n_servers, .tls = o->tls, .tls_name = o->tls_name
    };
    int rc = http_client_new(o->loop, &ho, &t->http, err);

    if (rc != 0) {
        mem_free(t);
        return rc;
    }
    client__init(&t->client, &http_ops, o->loop);
    if (o->bearer_token != NULL) {
        size_t n = strlen(o->bearer_token) + sizeof "Bearer ";
        t->authorization = mem_alloc(n);
        snprintf(t->authorization, n, "Bearer %s", o->bearer_token);
    }
    if (o->user_agent != NULL)
        t->user_agent = mem_strdup(o->user_agent);
    *ret = &t->client;
    return 0;
}
