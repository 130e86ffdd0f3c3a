/* api/connect_proxy.c: the proxy subresource: a reverse proxy to a pod, a service's endpoint or a node.
 *
 * The request goes on with its method, path below /proxy, query, body and headers, less those of one
 * connection and those that tell who the client is here; the answer comes back as it is, but for a Location
 * that would lead past the proxy.  Redirects are the client's to follow.  What asks for an upgrade becomes
 * a pipe (connect_pipe.c). */
#include "api/answer.h"
#include "api/connect_target.h"
#include "net/http_wire.h"

struct proxy {                                   /* outlives its call while the tunnel is being opened */
    struct api *api;
    struct call *call;                           /* NULL: the client went away */
    struct http_client *node;                    /* opens the tunnel; NULL: there is none */
    struct http_client *backend;
    struct http_call *from;
    struct str prefix;                           /* the path up to and with "/proxy"; in the call's arena */
    const char *host;                            /* of the backend, with its port */
    bool paused;
};

/* ---- Headers ------------------------------------------------------------------------------------------ */

bool connect_is_hop(const struct http_header *h, size_t n, struct str name)
{
    static const char *const hop[] = { "connection", "keep-alive", "proxy-authenticate",
                                       "proxy-authorization",
                                       "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade" };
    const char *z;
    char low[64];

    for (size_t i = 0; i < ARRAY_LEN(hop); i++)
        if (str_ieq(name, str_of(hop[i])))
            return true;
    if (name.n >= sizeof low)
        return false;
    for (size_t i = 0; i < name.n; i++)
        low[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 0x20) : name.p[i];
    low[name.n] = '\0';
    z = low;
    for (size_t i = 0; i < n; i++)
        if (str_ieq(h[i].name, STR("connection")) && http_list_has(h[i].value, z))
            return true;
    return false;
}

/* What says who the client is here is none of the backend's business. */
static bool is_ours(struct str name)
{
    return str_ieq(name, STR("authorization")) || str_ieq(name, STR("content-length")) ||
           (name.n > 12 && str_ieq(str_upto(name, 12), STR("impersonate-"))) ||
           (name.n > 12 && str_ieq(str_upto(name, 12), STR("x-forwarded-")) &&
            !str_ieq(name, STR("x-forwarded-for")));
}

static struct str peer_ip(const struct call *c)
{
    struct str peer = str_of(c->x->peer_addr);
    size_t n = peer.n;

    while (n > 0 && peer.p[n - 1] != ':')
        n--;
    if (n > 0)
        peer.n = n - 1;
    if (peer.n > 2 && peer.p[0] == '[')
        peer = str_make(peer.p + 1, peer.n - 2);
    return peer;
}

static size_t request_headers(struct call *c, const struct proxy *p, struct http_header *to)
{
    const struct exchange *x = c->x;
    struct str before = exchange_header(x, "X-Forwarded-For");
    size_t n = 0;

    for (size_t i = 0; i < x->n_headers && n < HTTP_MAX_HEADERS; i++) {
        struct str name = x->headers[i].name;
        bool upgrade = x->wants_upgrade && str_ieq(name, STR("upgrade"));

        if (upgrade || !(connect_is_hop(x->headers, x->n_headers, name) || is_ours(name) ||
                         str_ieq(name, STR("x-forwarded-for"))))
            to[n++] = x->headers[i];
    }
    to[n++] = (struct http_header){ STR("X-Forwarded-For"),
                                    arena_fmt(c->arena, "%.*s%s%.*s", STR_ARG(before), before.n > 0 ? ", "
                                              : "",
                                              STR_ARG(peer_ip(c))) };
    to[n++] = (struct http_header){ STR("X-Forwarded-Host"), exchange_header(x, "Host") };
    to[n++] = (struct http_header){ STR("X-Forwarded-Proto"), STR("https") };
    to[n++] = (struct http_header){ STR("X-Forwarded-Uri"), x->path };
    return n;
}

/* A path on the backend's host is one below the proxy; anything else is left as it is. */
static struct str location(struct call *c, const struct proxy *p, struct str to)
{
    static const char *const schemes[] = { "http://", "https://" };
    struct str path = to;

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(to, str_of(schemes[i]))) {
            struct str rest = str_from(to, strlen(schemes[i]));
            ptrdiff_t slash = str_find(rest, '/');
            if (!str_is(str_upto(rest, slash >= 0 ? (size_t)slash : rest.n), p->host))
                return to;
            path = slash >= 0 ? str_from(rest, (size_t)slash) : STR("/");
        }
    if (path.n == 0 || path.p[0] != '/' || str_starts(path, STR("//")) || str_starts(path, p->prefix))
        return to;
    return arena_fmt(c->arena, "%.*s%.*s", STR_ARG(p->prefix), STR_ARG(path));
}

/* *ret_type: the content type, which goes apart; NULL: none. */
static size_t answer_headers(struct call *c, const struct proxy *p, const struct http_header *h, size_t n,
                             struct http_header *to, const char **ret_type)
{
    size_t kept = 0;

    *ret_type = NULL;
    for (size_t i = 0; i < n && kept < CONNECT_HEADERS_MAX; i++) {
        struct str name = h[i].name;

        if (str_ieq(name, STR("content-type")))
            *ret_type = arena_cstr(c->arena, h[i].value);
        else if (!connect_is_hop(h, n, name) && !str_ieq(name, STR("content-length")) && !str_ieq(name,
            STR("date")))
            to[kept++] = (struct http_header){ name, str_ieq(name, STR("location")) ? location(c, p,
                h[i].value)
                                                                                   : h[i].value };
    }
    return kept;
}

static void answer_begin(struct call *c, const struct proxy *p, int status, const struct http_header *h,
                         size_t n)
{
    struct http_header to[CONNECT_HEADERS_MAX];
    const char *type;
    size_t kept = answer_headers(c, p, h, n, to, &type);

    call_begin_with(c, status, type, to, kept);
}

/* ---- The end ------------------------------------------------------------------------------------------ */

static void proxy_free(struct proxy *p)
{
    struct api *api = p->api;

    if (p->backend != NULL)
        http_client_free(p->backend);
    mem_free(p);
    api_unpin(api);
}

static void proxy_cancel(struct call *c)
{
    struct proxy *p = c->state;

    if (p->from != NULL)
        http_call_cancel(p->from);
    p->from = NULL;
    p->call = NULL;
    if (p->node == NULL)
        proxy_free(p);
    else
        /* its call ends with E_CANCELED, and that with on_tunnel() */
        http_client_free(p->node);
}

static void unreachable(struct call *c, const char *reason)
{
    connect_unavailable(c, "error trying to reach service: %s", reason);
}

/* ---- An answer ---------------------------------------------------------------------------------------- */

static void on_head(void *arg, struct http_call *from, int status, const struct http_header *h, size_t n)
{
    struct proxy *p = arg;

    answer_begin(p->call, p, status, h, n);
}

static void on_data(void *arg, struct http_call *from, const char *d, size_t n)
{
    struct proxy *p = arg;
    struct call  *c = p->call;

    call_send(c, str_make(d, n));
    if (!p->paused && c->x->ops->queued(c->x) > CONNECT_QUEUE_MAX) {
        p->paused = true;
        http_call_pause(from);
    }
}

static void proxy_drain(struct call *c)
{
    struct proxy *p = c->state;

    if (p->paused && p->from != NULL)
        http_call_resume(p->from);
    p->paused = false;
}

static void on_done(void *arg, struct http_call *from, int err, const char *reason, int status,
                    struct str body)
{
    struct proxy *p = arg;
    struct call  *c = p->call;

    p->from = NULL;                              /* over by itself */
    if (!c->began)
        unreachable(c, reason);
    else if (err != 0)
        call_cut(c);                             /* the client must not take half a body for the whole */
    else
        call_end(c);
}

/* An upgrade that the backend did not want: its answer is the answer. */
static void upgrade_refused(struct call *c, const struct connect_refusal *r)
{
    struct proxy none = { .prefix = STR_NONE, .host = "" };

    if (r->err != 0) {
        unreachable(c, r->reason);
        return;
    }
    if (r->status < 200) {
        call_fail(c, 502, REASON_INTERNAL, "unable to upgrade connection: the backend's handshake is wrong");
        return;
    }
    answer_begin(c, &none, r->status, r->headers, r->n_headers);
    call_send(c, r->body);
    call_end(c);
}

/* ---- The request -------------------------------------------------------------------------------------- */

static struct str target_of(struct call *c)
{
    return arena_fmt(c->arena, "/%.*s%s%.*s", STR_ARG(c->rq.rest), c->rq.query.n > 0 ? "?" : "",
                     STR_ARG(c->rq.query));
}

static void proxy_upgrade(struct call *c, struct proxy *p, const struct http_header *h, size_t n)
{
    struct connect_upgrade_opts o = { .backend = p->backend, .target = target_of(c), .headers = h,
                                      .n_headers = n,
                                      .refused = upgrade_refused };

    p->backend = NULL;
    c->cancel = NULL;
    c->drain = NULL;
    proxy_free(p);
    connect_upgrade(c, &o);
}

static void proxy_send(struct call *c, struct proxy *p)
{
    struct http_header h[CONNECT_HEADERS_MAX];
    size_t n = request_headers(c, p, h);
    struct http_call_opts o = { .method = arena_cstr(c->arena, c->x->method), .target = target_of(c),
                                .headers = h,
                                .n_headers = n, .streamed = true, .on_head = on_head, .on_data = on_data,
                                .on_done = on_done, .arg = p };
    struct errbuf err;
    int rc;

    if (c->x->wants_upgrade && c->x->ops->upgrade != NULL) {
        proxy_upgrade(c, p, h, n);
        return;
    }
    o.body = c->x->body.n > 0 ? blob_copy(c->x->body) : NULL;
    rc = http_call(p->backend, &o, &p->from, &err);
    blob_unref(o.body);
    if (rc < 0)
        unreachable(c, err.s);
}

/* ---- The way there ------------------------------------------------------------------------------------ */

static void on_tunnel(void *arg, int err, const char *reason, int status, const struct http_header *h,
                      size_t n,
                      struct str body, struct stream *s)
{
    struct proxy *p = arg;
    struct call  *c = p->call;
    struct http_client_opts o = { .addrs = &p->host, .n_addrs = 1, .on = s };
    struct errbuf why;

    if (c == NULL) {
        if (s != NULL)
            stream_close(s);
        proxy_free(p);
        return;
    }
    http_client_free(p->node);
    p->node = NULL;
    if (s != NULL && http_client_new(p->api->loop, &o, &p->backend, &why) == 0) {
        proxy_send(c, p);
        return;
    }
    body = str_trim(body);
    unreachable(c, err != 0 ? reason : body.n > 0 ? arena_cstr(c->arena, body) : "its node does not answer");
}

static void dial_pod(struct call *c, struct proxy *p, const struct connect_target *t)
{
    static const struct http_header upgrade = { { "Upgrade", 7 }, { "tcp", 3 } };
    struct http_upgrade_opts o = { .method = "GET", .headers = &upgrade, .n_headers = 1, .on_done = on_tunnel,
                                   .arg = p };
    struct buf b = BUF_INIT;
    struct errbuf err;

    buf_z(&b, "/tunnel/");
    http_escape(&b, t->pod_ns);
    buf_char(&b, '/');
    http_escape(&b, t->pod);
    buf_fmt(&b, "/%u%s", t->port, t->tls ? "?tls=1" : "");
    o.target = arena_str(c->arena, buf_str(&b));
    buf_release(&b);
    p->host = arena_fmt(c->arena, "%.*s:%u", STR_ARG(t->pod), t->port).p;
    if (http_client_upgrade(p->node, &o, &err) == 0)
        return;
    http_client_free(p->node);
    p->node = NULL;
    unreachable(c, err.s);
}

static struct tls_ctx *any_tls(struct api *a)
{
    struct tls_opts o = { .server = false };
    struct errbuf err;

    if (a->any_tls == NULL && tls_ctx_new(&o, &a->any_tls, &err) < 0)
        a->any_tls = NULL;
    return a->any_tls;
}

static void dial_direct(struct call *c, struct proxy *p, const struct connect_target *t)
{
    struct http_client_opts o = { .addrs = &p->host, .n_addrs = 1, .tls = t->tls ? any_tls(c->api) : NULL };
    struct errbuf err;

    p->host = arena_fmt(c->arena, str_find(t->host, ':') >= 0 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(t->host),
                        t->port).p;
    if (http_client_new(c->api->loop, &o, &p->backend, &err) < 0)
        unreachable(c, err.s);
    else
        proxy_send(c, p);
}

/* Relative links of a page work only below a path that ends in '/'. */
static bool redirect_to_slash(struct call *c)
{
    struct str path = c->x->path;
    struct http_header h = { STR("Location"), STR_NONE };

    if (c->rq.rest.n > 0 || c->rq.verb != API_GET || c->x->wants_upgrade || str_ends(path, STR("/")))
        return false;
    h.value = arena_fmt(c->arena, "%.*s/%s%.*s", STR_ARG(path), c->rq.query.n > 0 ? "?" : "",
                        STR_ARG(c->rq.query));
    call_begin_with(c, 301, NULL, &h, 1);
    call_end(c);
    return true;
}

void connect_proxy(struct call *c)
{
    struct connect_target t;
    struct http_client *node = NULL;
    struct proxy *p;

    if (redirect_to_slash(c) || !connect_target_find(c, &t))
        return;
    if (t.node.n > 0 && (node = connect_node(c, t.node)) == NULL)
        return;
    p = mem_new(struct proxy);
    p->api = c->api;
    p->call = c;
    p->prefix = str_upto(c->x->path, c->x->path.n - c->rq.rest.n);
    p->prefix.n -= str_ends(p->prefix, STR("/"));
    p->host = "";
    api_pin(c->api);
    c->state = p;
    c->cancel = proxy_cancel;
    c->drain = proxy_drain;
    if (t.pod.n > 0) {
        p->node = node;
        dial_pod(c, p, &t);
    } else if (node != NULL) {
        p->backend = node;
        proxy_send(c, p);
    } else {
        dial_direct(c, p, &t);
    }
}
