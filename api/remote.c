/* api/remote.c: see api/remote.h. */
#include "api/remote.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "net/tls.h"
#include <stdio.h>

#define TIMEOUT_MS 10000
#define ANSWER_MAX (1u << 20)

struct remote {
    struct loop *loop;
    struct http_client *http;
    struct tls_ctx *tls;
    struct arena arena;                          /* the url's parts */
    const char *path;
    char *bearer;                                /* "Bearer ..."; NULL: none */
    uint64_t timeout_ms;
    struct qlink calls;
};

struct remote_call {
    struct qlink link;
    struct remote *remote;
    struct http_call *http;
    struct ready_item failed;                    /* it could not even be sent */
    struct errbuf why;
    remote_done done;
    void *arg;
};

int remote_url(struct arena *a, struct str url, const char **ret_addr, const char **ret_name,
               const char **ret_path, struct errbuf *err)
{
    struct str host = url, path = STR("/");
    ptrdiff_t  at;

    if (!str_starts(url, STR("https://")))
        return err_set(err, E_INVALID, "%.*s: must begin with https://", STR_ARG(url));
    host = str_from(url, strlen("https://"));
    if ((at = str_find(host, '/')) >= 0) {
        path = str_from(host, (size_t)at);
        host = str_upto(host, (size_t)at);
    }
    if (host.n == 0 || str_find(host, '@') >= 0 || str_find(path, '#') >= 0)
        return err_set(err, E_INVALID, "%.*s: must be https://HOST[:PORT][/PATH]", STR_ARG(url));
    at = host.p[0] == '[' ? str_find(host, ']') : 0;
    if (at < 0)
        return err_set(err, E_INVALID, "%.*s: an address in brackets does not end", STR_ARG(url));
    at = str_find(str_from(host, (size_t)at), ':') < 0 ? -1 : at + str_find(str_from(host, (size_t)at), ':');
    *ret_name = arena_cstr(a, at < 0 ? host : str_upto(host, (size_t)at));
    *ret_addr = at < 0 ? arena_fmt(a, "%.*s:443", STR_ARG(host)).p : arena_cstr(a, host);
    *ret_path = arena_cstr(a, path);
    return 0;
}

int remote_new(struct loop *l, const struct remote_opts *o, struct remote **ret, struct errbuf *err)
{
    struct remote *r = mem_new(struct remote);
    struct tls_opts to = { .ca_pem = o->ca_pem, .cert_pem = o->cert_pem, .key_pem = o->key_pem };
    struct http_client_opts ho = { .n_addrs = 1 };
    const char *addr;
    int rc;

    qinit(&r->calls);
    r->loop = l;
    r->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS;
    if (o->bearer.n > 0) {
        r->bearer = mem_alloc(o->bearer.n + sizeof("Bearer "));
        snprintf(r->bearer, o->bearer.n + sizeof("Bearer "), "Bearer %.*s", STR_ARG(o->bearer));
    }
    rc = remote_url(&r->arena, str_of(o->url), &addr, &ho.tls_name, &r->path, err);
    if (rc == 0 && o->ca_pem.n == 0)             /* tls_ctx_new would verify nobody */
        rc = err_set(err, E_INVALID, "%s: needs to know who may sign its certificate", o->url);
    if (rc == 0)
        rc = tls_ctx_new(&to, &r->tls, err);
    ho.addrs = &addr;
    ho.tls = r->tls;
    if (rc == 0)
        rc = http_client_new(l, &ho, &r->http, err);
    if (rc < 0) {
        remote_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void remote_free(struct remote *r)
{
    if (r == NULL)
        return;
    while (!qempty(&r->calls))
        remote_cancel(qentry(qfirst(&r->calls), struct remote_call, link));
    if (r->http != NULL)
        http_client_free(r->http);
    tls_ctx_free(r->tls);
    arena_release(&r->arena);
    mem_free(r->bearer);
    mem_free(r);
}

static void finish(struct remote_call *c, const struct json *obj, const char *why)
{
    remote_done done = c->done;
    void       *arg = c->arg;

    qdel(&c->link);
    mem_free(c);
    done(arg, obj, why);
}

static void on_failed(struct ready_item *it)
{
    struct remote_call *c = container_of(it, struct remote_call, failed);
    struct errbuf       why = c->why;

    finish(c, NULL, why.s);
}

static void on_done(void *arg, struct http_call *h, int err, const char *reason, int status, struct str body)
{
    struct remote_call *c = arg;
    struct arena        a = ARENA_INIT;
    struct json        *obj = NULL;
    struct json_error   bad;
    const char         *why = NULL;

    (void)h;
    if (err != 0)
        why = arena_fmt(&a, "%s", reason != NULL ? reason : err_text(err)).p;
    else if (status < 200 || status > 299)
        why = arena_fmt(&a, "it answered with status %d", status).p;
    else if (json_parse(&a, body, &obj, &bad) < 0 || !json_is(obj, JSON_OBJECT))
        why = "its answer is no JSON object", obj = NULL;
    finish(c, obj, why);
    arena_release(&a);
}

struct remote_call *remote_send(struct remote *r, const char *path, const struct json *body,
                                remote_done done, void *arg)
{
    struct remote_call *c = mem_new(struct remote_call);
    struct http_header  h[3] = { { STR("Accept"), STR("application/json") } };
    struct http_call_opts o = {
        .method = body != NULL ? "POST" : "GET", .target = str_of(path != NULL ? path : r->path),
        .headers = h, .n_headers = 1, .timeout_ms = r->timeout_ms, .max_body = ANSWER_MAX,
        .on_done = on_done, .arg = c,
    };
    struct buf text = BUF_INIT;
    int        rc;

    c->remote = r;
    c->done = done;
    c->arg = arg;
    ready_init(&c->failed, on_failed);
    qpush(&r->calls, &c->link);
    if (body != NULL) {
        json_write(&text, body);
        o.body = buf_to_blob(&text);
        h[o.n_headers++] = (struct http_header){ STR("Content-Type"), STR("application/json") };
    }
    if (r->bearer != NULL)
        h[o.n_headers++] = (struct http_header){ STR("Authorization"), str_of(r->bearer) };
    rc = http_call(r->http, &o, &c->http, &c->why);
    blob_unref(o.body);
    buf_release(&text);
    if (rc < 0) {
        c->http = NULL;
        ready_post(r->loop, &c->failed);
    }
    return c;
}

void remote_cancel(struct remote_call *c)
{
    if (c == NULL)
        return;
    if (c->http != NULL)
        http_call_cancel(c->http);
    ready_cancel(&c->failed);
    qdel(&c->link);
    mem_free(c);
}
