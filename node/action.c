/* node/action.c: one probe or hook done once: exec, httpGet, tcpSocket, grpc (as a TCP connect) or sleep.
 *
 * Whatever happens, the verdict is kept first, then the I/O is taken down, then the owner is told from the
 * loop, once. An exec that is canceled leaves its session behind, which ends by itself: the runtime owns it
 * until then. */
#include "net/http_client.h"
#include "node/pod.h"
#include "node/probe.h"

#define OUTPUT_MAX   (10u << 10)                 /* of an exec, kept for the message; of an HTTP answer, read at all */

struct exec_run;

struct action {
    struct container *c;
    struct loop *loop;
    void (*done)(void *arg, bool ok, const char *reason);
    void *arg;
    struct timer limit;
    struct ready_item tell;
    bool decided, ok, sleeping;
    struct buf reason;                           /* NUL-terminated once decided */
    struct exec_run *exec;
    struct http_client *http; struct http_call *call; struct tls_ctx *tls;
    int status; size_t body_n;
    struct stream *stream;
    struct buf about;                            /* "dial tcp 10.1.2.3:80", "Get \"http://...\"": what failed */
};

struct exec_run {                                /* freed when its session is done */
    struct rt_session s;
    struct action *action;                       /* NULL: nobody wants to know any more */
    struct arena arena;
    struct buf output;
    uint64_t timeout_ms;
};

/* ---- the end ---------------------------------------------------------------------------------- */

static void stream_ignore_data(void *arg, struct stream *s, const char *p, size_t n) { }
static void stream_ignore_close(void *arg, struct stream *s, int err, const char *reason) { }
static const struct stream_events stream_orphan = { .on_data = stream_ignore_data,
                                                    .on_close = stream_ignore_close };

/* No I/O after this. */
static void action_quiet(struct action *x)
{
    timer_stop(&x->limit);
    if (x->exec != NULL) {
        struct container *c = x->c;
        x->exec->action = NULL;
        c->pod->agent->rt->ops->session_cancel(&x->exec->s);
        x->exec = NULL;
    }
    if (x->call != NULL)
        http_call_cancel(x->call);
    if (x->http != NULL)
        http_client_free(x->http);
    x->call = NULL;
    x->http = NULL;
    if (x->stream != NULL) {
        stream_set_events(x->stream, &stream_orphan, NULL);
        stream_close(x->stream);
        x->stream = NULL;
    }
    tls_ctx_free(x->tls);
    x->tls = NULL;
}

static void action_free(struct action *x)
{
    action_quiet(x);
    ready_cancel(&x->tell);
    buf_release(&x->reason);
    buf_release(&x->about);
    mem_free(x);
}

static void action_on_tell(struct ready_item *it)
{
    struct action *x = container_of(it, struct action, tell);
    void (*done)(void *, bool, const char *) = x->done;
    struct buf reason = x->reason;
    void *arg = x->arg;
    bool ok = x->ok;

    x->reason = BUF_INIT;
    action_free(x);
    done(arg, ok, reason.p);
    buf_release(&reason);
}

/* The verdict; what comes after the first is not heard. */
static void action_decide(struct action *x, bool ok, struct str reason)
{
    if (x->decided)
        return;
    x->decided = true;
    x->ok = ok;
    buf_clear(&x->reason);
    for (size_t i = 0; i < reason.n; i++)        /* it goes into texts for people, and may be any bytes */
        buf_char(&x->reason, reason.p[i] == '\0' ? ' ' : reason.p[i]);
    buf_char(&x->reason, '\0');
    action_quiet(x);
    ready_post(x->loop, &x->tell);
}

static void action_fail_about(struct action *x, const char *why)
{
    struct arena a = ARENA_INIT;
    action_decide(x, false,
                  arena_fmt(&a, "%.*s: %s", (int)x->about.n, x->about.n > 0 ? x->about.p : "", why));
    arena_release(&a);
}

static void action_on_limit(struct timer *t)
{
    struct action *x = container_of(t, struct action, limit);

    if (x->sleeping)
        action_decide(x, true, STR(""));
    else
        action_fail_about(x, "context deadline exceeded");
}

/* ---- exec ------------------------------------------------------------------------------------- */

static void exec_on_output(struct rt_session *s, int which, const char *p, size_t n)
{
    struct exec_run *e = container_of(s, struct exec_run, s);

    if (e->output.n < OUTPUT_MAX)
        buf_add(&e->output, p, MIN_OF(n, OUTPUT_MAX - e->output.n));
}

static void exec_on_done(struct rt_req *req, int status)
{
    struct exec_run *e = container_of(container_of(req, struct rt_session, req), struct exec_run, s);
    struct action *x = e->action;

    if (x != NULL) {
        x->exec = NULL;
        if (status == E_TIMEOUT)
            action_decide(
                x, false,
                arena_fmt(&e->arena, "command timed out after %llu ms", (unsigned long long)e->timeout_ms));
        else if (status != 0)
            action_decide(x, false, arena_fmt(&e->arena, "the command could not be run: %s", req->err.s));
        else if (e->s.exit_code != 0 && e->output.n == 0)
            action_decide(x, false, arena_fmt(&e->arena, "command exited with %d", e->s.exit_code));
        else
            action_decide(x, e->s.exit_code == 0, buf_str(&e->output));
    }
    buf_release(&e->output);
    arena_release(&e->arena);
    mem_free(e);
}

static void exec_start(struct action *x, const struct json *spec, uint64_t timeout_ms)
{
    const struct json *command = json_getz(spec, "command");
    struct exec_run *e = mem_new(struct exec_run);
    struct runtime *rt = x->c->pod->agent->rt;
    const char **argv = arena_alloc(&e->arena, (1 + (command != NULL ? command->n : 0)) * sizeof *argv);
    size_t n = 0;

    json_each(it, command)
        argv[n++] = arena_cstr(&e->arena, json_str(it));
    if (n == 0) {
        arena_release(&e->arena);
        mem_free(e);
        action_decide(x, false, STR("the probe has no command"));
        return;
    }
    argv[n] = NULL;
    e->action = x;
    e->timeout_ms = timeout_ms;
    e->s = (struct rt_session){ .req.done = exec_on_done,
                                .container_id = arena_cstr(&e->arena, str_of(x->c->id)),
                                .argv = argv,
                                .n_argv = n,
                                .timeout_ms = timeout_ms,
                                .on_output = exec_on_output };
    x->exec = e;
    rt->ops->session_open(rt, &e->s);
}

/* ---- where to --------------------------------------------------------------------------------- */

static bool port_by_name(const struct container *c, struct str name, int64_t *ret)
{
    json_each(it, json_getz(c->spec, "ports"))
        if (str_eq(json_path_str(it, "name"), name))
            return json_i64(json_getz(it, "containerPort"), ret);
    return false;
}

/* host:port text into *ret; false: decided. */
static bool target_find(struct action *x, const struct json *spec, struct buf *ret)
{
    const struct pod *pod = x->c->pod;
    const struct json *port = json_getz(spec, "port");
    struct str host = json_path_str(spec, "host");
    int64_t n = 0;

    if (host.n == 0)
        host = str_of(pod->ip[0] != '\0'            ? pod->ip
                      : pod->agent->node_ip != NULL ? pod->agent->node_ip
                                                    : "127.0.0.1");
    if (json_is(port, JSON_STRING) ? !port_by_name(x->c, json_str(port), &n) && !str_i64(json_str(port), &n)
                                   : !json_i64(port, &n))
        n = 0;
    if (n < 1 || n > 65535) {
        action_decide(x, false, STR("the probe's port is none of the container's"));
        return false;
    }
    buf_fmt(ret, str_find(host, ':') >= 0 ? "[%.*s]:%lld" : "%.*s:%lld", STR_ARG(host), (long long)n);
    return true;
}

/* ---- tcpSocket -------------------------------------------------------------------------------- */

static void tcp_on_open(void *arg, struct stream *s) { action_decide(arg, true, STR("")); }

static void tcp_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct action *x = arg;

    x->stream = NULL;
    action_fail_about(x, reason);
}

static void tcp_start(struct action *x, const struct json *spec, uint64_t timeout_ms)
{
    static const struct stream_events events = { .on_open = tcp_on_open,
                                                 .on_data = stream_ignore_data,
                                                 .on_close = tcp_on_close };
    struct buf addr = BUF_INIT;
    struct stream_connect_opts o = { .timeout_ms = timeout_ms, .ev = &events, .arg = x };
    struct errbuf err;

    if (target_find(x, spec, &addr)) {
        buf_fmt(&x->about, "dial tcp %.*s", (int)addr.n, addr.p);
        buf_char(&addr, '\0');
        o.addr = addr.p;
        if (stream_connect(x->loop, &o, &x->stream, &err) < 0)
            action_fail_about(x, err.s);
    }
    buf_release(&addr);
}

/* ---- httpGet ---------------------------------------------------------------------------------- */

static void http_decide(struct action *x)
{
    struct arena a = ARENA_INIT;
    bool ok = x->status >= 200 && x->status < 400;

    action_decide(x, ok, ok ? STR("") : arena_fmt(&a, "HTTP probe failed with statuscode: %d", x->status));
    arena_release(&a);
}

static void http_on_head(void *arg, struct http_call *c, int status, const struct http_header *h, size_t n)
{
    ((struct action *)arg)->status = status;
}

static void http_on_data(void *arg, struct http_call *c, const char *p, size_t n)
{
    struct action *x = arg;

    x->body_n += n;
    if (x->body_n > OUTPUT_MAX)
        http_decide(x);
}

static void http_on_done(void *arg, struct http_call *c, int err, const char *reason, int status,
                         struct str body)
{
    struct action *x = arg;

    x->call = NULL;
    if (err != 0)
        action_fail_about(x, reason);
    else
        http_decide(x);
}

/* The path as the spec has it, with what no request line may carry escaped. */
static struct str http_target(struct arena *a, struct str path)
{
    struct buf b = BUF_INIT;

    if (path.n == 0 || path.p[0] != '/')
        buf_char(&b, '/');
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '#' || c == '"' || c == '<' || c == '>')
            buf_fmt(&b, "%%%02X", c);
        else
            buf_char(&b, (char)c);
    }
    struct str s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

static size_t http_headers(struct arena *a, const struct json *spec, struct http_header **ret)
{
    const struct json *list = json_getz(spec, "httpHeaders");
    struct http_header *h = arena_alloc(a, ((list != NULL ? list->n : 0) + 3) * sizeof *h);
    size_t n = 0;

    json_each(it, list)
        h[n++] = (struct http_header){ json_path_str(it, "name"), json_path_str(it, "value") };
    if (http_header_get(h, n, "User-Agent").p == NULL)
        h[n++] = (struct http_header){ STR("User-Agent"), STR("kube-probe/1.33") };
    if (http_header_get(h, n, "Accept").p == NULL)
        h[n++] = (struct http_header){ STR("Accept"), STR("*/*") };
    if (http_header_get(h, n, "Connection").p == NULL)
        h[n++] = (struct http_header){ STR("Connection"), STR("close") };
    *ret = h;
    return n;
}

static int http_go(struct action *x, const struct json *spec, const char *addr, struct str target, bool https,
                   uint64_t timeout_ms, struct errbuf *err)
{
    struct arena a = ARENA_INIT;
    struct tls_opts insecure = { 0 };            /* probes ask whether it answers, not who it is */
    struct http_client_opts o = { .addrs = &addr, .n_addrs = 1, .max_conns = 1 };
    struct http_call_opts q = { .method = "GET",
                                .target = target,
                                .streamed = true,
                                .timeout_ms = timeout_ms,
                                .on_head = http_on_head,
                                .on_data = http_on_data,
                                .on_done = http_on_done,
                                .arg = x };
    struct http_header *headers;
    int rc = https ? tls_ctx_new(&insecure, &x->tls, err) : 0;

    o.tls = x->tls;
    if (rc == 0)
        rc = http_client_new(x->loop, &o, &x->http, err);
    if (rc == 0) {
        q.n_headers = http_headers(&a, spec, &headers);
        q.headers = headers;
        rc = http_call(x->http, &q, &x->call, err);
    }
    arena_release(&a);
    return rc;
}

static void http_start(struct action *x, const struct json *spec, uint64_t timeout_ms)
{
    bool https = str_ieq(json_path_str(spec, "scheme"), STR("HTTPS"));
    struct arena a = ARENA_INIT;
    struct buf addr = BUF_INIT;
    struct errbuf err;

    if (target_find(x, spec, &addr)) {
        struct str target = http_target(&a, json_path_str(spec, "path"));
        buf_fmt(&x->about, "Get \"%s://%.*s%.*s\"", https ? "https" : "http", (int)addr.n, addr.p,
                STR_ARG(target));
        buf_char(&addr, '\0');
        if (http_go(x, spec, addr.p, target, https, timeout_ms, &err) < 0)
            action_fail_about(x, err.s);
    }
    buf_release(&addr);
    arena_release(&a);
}

/* ---- the interface ---------------------------------------------------------------------------- */

static void sleep_start(struct action *x, const struct json *spec)
{
    int64_t s = json_path_i64(spec, "seconds", 0);

    x->sleeping = true;
    timer_start(&x->limit, (uint64_t)MAX_OF(MIN_OF(s, (int64_t)INT32_MAX), 0) * 1000);
}

struct action *action_start(struct container *c, const struct json *spec, uint64_t timeout_ms,
                            void (*done)(void *arg, bool ok, const char *reason), void *arg)
{
    struct agent *agent = c->pod->agent;
    struct action *x = mem_new(struct action);
    const struct json *how;

    x->c = c;
    x->loop = agent->loop;
    x->done = done;
    x->arg = arg;
    timer_init(&x->limit, x->loop, action_on_limit);
    ready_init(&x->tell, action_on_tell);
    if ((how = json_getz(spec, "sleep")) != NULL) {
        sleep_start(x, how);
        return x;
    }
    if (agent->hollow) {
        action_decide(x, true, STR(""));
        return x;
    }
    if ((how = json_getz(spec, "exec")) != NULL)
        exec_start(x, how, timeout_ms);
    else if ((how = json_getz(spec, "httpGet")) != NULL)
        http_start(x, how, timeout_ms);
    else if ((how = json_getz(spec, "tcpSocket")) != NULL || (how = json_getz(spec, "grpc")) != NULL)
        tcp_start(x, how, timeout_ms);
    else
        action_decide(x, false, STR("it names nothing to do"));
    if (!x->decided && x->exec == NULL && timeout_ms > 0)
        timer_start(&x->limit, timeout_ms);      /* an exec's session keeps its own time */
    return x;
}

void action_cancel(struct action *x)
{
    if (x != NULL)
        action_free(x);
}
