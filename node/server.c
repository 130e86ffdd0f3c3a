/* node/server.c: the agent's server: who may ask, and whom it goes to; see node/server.h. */
#include <stdarg.h>
#include "node/server_impl.h"

#define BODY_MAX 4096                            /* nothing served here reads one */

/* ---- helpers ---------------------------------------------------------------------------------- */

void server_text(struct http_req *req, int status, const char *fmt, ...)
{
    struct str text;
    va_list ap;

    va_start(ap, fmt);
    text = arena_vfmt(&req->arena, fmt, ap);
    va_end(ap);
    text = arena_fmt(&req->arena, "%.*s\n", STR_ARG(text));
    http_respond(req, status, "text/plain; charset=utf-8", blob_copy(text), NULL, 0);
}

struct str server_dial_words(struct arena *a, const char *net, const char *host, unsigned port,
                             const char *why)
{
    const char *last = strrchr(why, ':');
    char *cause = arena_cstr(a, str_trim(str_of(last != NULL ? last + 1 : why)));

    if (*cause >= 'A' && *cause <= 'Z')
        *cause |= 0x20;
    return arena_fmt(a, "dial %s %s:%u: connect: %s", net, host, port, cause);
}

bool server_param(struct http_req *req, struct str *rest, const char *name, struct str *ret)
{
    struct str part, key, value;

    while (str_split(rest, '&', &part)) {
        value = part;
        if (!str_split(&value, '=', &key) || !str_is(key, name))
            continue;
        if (value.p == NULL)
            value = STR("");
        if (http_unescape(&req->arena, value, true, ret))
            return true;
    }
    return false;
}

bool server_flag(struct http_req *req, const char *name)
{
    struct str rest = req->query, v;
    return server_param(req, &rest, name, &v) && !str_is(v, "0") && !str_ieq(v, STR("false"));
}

/* ---- who -------------------------------------------------------------------------------------- */

/* The heads' own client certificate, or one of the cluster's masters. */
static bool authorized(struct http_req *req)
{
    const struct tls_peer *peer = http_req_tls_peer(req);

    if (peer == NULL)
        return false;
    if (peer->common_name != NULL && strcmp(peer->common_name, "kube-apiserver-kubelet-client") == 0)
        return true;
    for (size_t i = 0; i < peer->n_organizations; i++)
        if (strcmp(peer->organizations[i], "system:masters") == 0)
            return true;
    return false;
}

/* ---- small answers ---------------------------------------------------------------------------- */

static void serve_pods(struct node_server *s, struct http_req *req, struct str rest)
{
    const struct agent *a = s->agent;
    const struct object *o;
    struct buf b = BUF_INIT;
    bool first = true;
    size_t it = 0;

    buf_z(&b, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[");
    while (a->pod_informer != NULL && (o = informer_next(a->pod_informer, &it)) != NULL) {
        if (!first)
            buf_char(&b, ',');
        first = false;
        buf_str_add(&b, blob_str(o->raw));
    }
    buf_z(&b, "]}\n");
    http_respond(req, 200, "application/json", buf_to_blob(&b), NULL, 0);
    buf_release(&b);
}

struct tally { uint64_t state[RT_EXITED + 1]; };

static void count_container(void *arg, const struct rt_container_info *i)
{
    ((struct tally *)arg)->state[i->state]++;
}
static void count_sandbox(void *arg, const struct rt_sandbox_info *i) { *(uint64_t *)arg += i->ready; }

static size_t list_length(const struct qlink *q)
{
    size_t n = 0;

    for (const struct qlink *it = q->next; it != q; it = it->next)
        n++;
    return n;
}

static void metric(struct buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
    buf_fmt(b, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name, (unsigned long long)v);
}

static void serve_metrics(struct node_server *s, struct http_req *req, struct str rest)
{
    static const char *const states[] = {
        [RT_CREATED] = "created", [RT_RUNNING] = "running", [RT_EXITED] = "exited"
    };
    struct runtime *rt = s->agent->rt;
    struct tally containers = { 0 };
    uint64_t sandboxes = 0;
    struct buf b = BUF_INIT;

    rt->ops->container_each(rt, count_container, &containers);
    rt->ops->sandbox_each(rt, count_sandbox, &sandboxes);
    metric(&b, "kubelet_running_pods", "gauge", "Pods with a running sandbox.", sandboxes);
    buf_z(
        &b,
        "# HELP kubelet_running_containers Containers by state.\n# TYPE kubelet_running_containers gauge\n");
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        buf_fmt(&b, "kubelet_running_containers{container_state=\"%s\"} %llu\n", states[i],
                (unsigned long long)containers.state[i]);
    metric(&b, "coracle_node_pods", "gauge", "Pods this agent looks after.", s->agent->pods.n);
    metric(&b, "coracle_node_log_streams", "gauge", "Logs being sent.", list_length(&s->logs));
    metric(&b, "coracle_node_log_streams_total", "counter", "Logs sent.", s->n_logs);
    metric(&b, "coracle_node_sessions", "gauge", "Exec and attach sessions.", list_length(&s->execs));
    metric(&b, "coracle_node_sessions_total", "counter", "Exec and attach sessions begun.", s->n_execs);
    metric(&b, "coracle_node_forwards", "gauge", "Port-forward sessions.", list_length(&s->forwards));
    metric(&b, "coracle_node_forwards_total", "counter", "Port-forward sessions begun.", s->n_forwards);
    metric(&b, "coracle_node_tunnels", "gauge", "Proxied connections to pods.", list_length(&s->tunnels));
    metric(&b, "coracle_node_refused_total", "counter", "Requests without the right to ask.", s->n_refused);
    metric(&b, "coracle_node_longest_turn_nanoseconds", "gauge", "Longest turn of the loop so far.",
           loop_longest_turn_ns(s->agent->loop, false));
    http_respond(req, 200, "text/plain; version=0.0.4", buf_to_blob(&b), NULL, 0);
    buf_release(&b);
}

/* ---- where to --------------------------------------------------------------------------------- */

/* /NAMESPACE/POD, and /PART if part.  False: answered. */
static bool find_pod(struct node_server *s, struct http_req *req, struct str rest, bool part,
                     struct server_target *t)
{
    struct str *const into[] = { &t->ns, &t->pod_name, &t->part };
    struct str one;

    for (size_t i = 0; i < (part ? 3 : 2); i++)
        if (!str_split(&rest, '/', &one) || one.n == 0 || !http_unescape(&req->arena, one, false, into[i])) {
            server_text(req, 404, part ? "the path is /VERB/NAMESPACE/POD/PART"
                        : "the path is /VERB/NAMESPACE/POD");
            return false;
        }
    t->pod = rest.p == NULL ? agent_pod(s->agent, t->ns, t->pod_name) : NULL;
    if (t->pod == NULL)
        server_text(req, 404, "pod \"%.*s/%.*s\" is not on this node", STR_ARG(t->ns), STR_ARG(t->pod_name));
    return t->pod != NULL;
}

/* False: answered. */
static bool find_container(struct node_server *s, struct http_req *req, struct str rest,
                           struct server_target *t)
{
    if (!find_pod(s, req, rest, true, t))
        return false;
    t->container = pod_container(t->pod, t->part);
    if (t->container == NULL)
        server_text(req, 404, "container \"%.*s\" not found in pod \"%.*s\"", STR_ARG(t->part),
                    STR_ARG(t->pod_name));
    return t->container != NULL;
}

static void serve_logs(struct node_server *s, struct http_req *req, struct str rest)
{
    struct server_target t = { 0 };

    if (find_container(s, req, rest, &t))
        server_logs(s, req, &t);
}

static void serve_exec(struct node_server *s, struct http_req *req, struct str rest)
{
    struct server_target t = { 0 };

    if (find_container(s, req, rest, &t))
        server_exec(s, req, &t, req->path.p[1] == 'a');
}

static void serve_forward(struct node_server *s, struct http_req *req, struct str rest)
{
    struct server_target t = { 0 };

    if (find_pod(s, req, rest, false, &t))
        server_forward(s, req, t.pod);
}

static void serve_tunnel(struct node_server *s, struct http_req *req, struct str rest)
{
    struct server_target t = { 0 };

    if (find_pod(s, req, rest, true, &t))
        server_tunnel(s, req, t.pod, t.part);
}

static void serve_health(struct node_server *s, struct http_req *req, struct str rest)
{
    http_respond(req, 200, "text/plain; charset=utf-8", blob_copy(STR("ok")), NULL, 0);
}

/* A path that ends in '/' stands for all below it.  post: upgrades by POST too, as the original's clients
 * ask. */
static const struct { const char *path; bool post; void (*serve)(struct node_server *, struct http_req *,
                                                                 struct str); }
routes[] = {
    { "/containerLogs/", false, serve_logs },
    { "/exec/", true, serve_exec },
    { "/attach/", true, serve_exec },
    { "/portForward/", true, serve_forward },
    { "/tunnel/", false, serve_tunnel },
    { "/pods", false, serve_pods },
    { "/pods/", false, serve_pods },
    { "/healthz", false, serve_health },
    { "/metrics", false, serve_metrics },
};

static void route(struct node_server *s, struct http_req *req)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        struct str path = str_of(routes[i].path);
        bool below = path.p[path.n - 1] == '/';

        if (below ? !str_starts(req->path, path) : !str_eq(req->path, path))
            continue;
        if (str_is(req->method, "GET") || (routes[i].post && str_is(req->method, "POST")))
            routes[i].serve(s, req, str_from(req->path, path.n));
        else
            server_text(req, 405, "this path is not served for %.*s", STR_ARG(req->method));
        return;
    }
    server_text(req, 404, "no such path");
}

static void on_request(void *arg, struct http_req *req)
{
    struct node_server *s = arg;

    if (authorized(req)) {
        route(s, req);
        return;
    }
    s->n_refused++;
    server_text(req, http_req_tls_peer(req) == NULL ? 401 : 403,
                "only the heads of the cluster may ask this node");
}

/* ---- the whole -------------------------------------------------------------------------------- */

int agent_server_open(struct agent *a, const char *addr, struct tls_ctx *tls, struct errbuf *err)
{
    struct node_server *s = mem_new(struct node_server);
    struct http_server_opts o = { .addr = addr, .tls = tls, .on_request = on_request, .max_body = BODY_MAX,
                                  .arg = s };
    int rc;

    s->agent = a;
    qinit(&s->logs);
    qinit(&s->execs);
    qinit(&s->forwards);
    qinit(&s->dials);
    qinit(&s->tunnels);
    rc = a->hollow ? 0 : log_hub_new(a->loop, &s->hub, err);     /* nobody's log is ever written */
    if (rc == 0)
        rc = http_server_open(a->loop, &o, &s->http, err);
    if (rc != 0) {
        log_hub_free(s->hub);
        mem_free(s);
        return rc;
    }
    a->node_server = s;
    a->server = s->http;
    return 0;
}

void agent_server_close(struct agent *a)
{
    struct node_server *s = a->node_server;

    if (s == NULL)
        return;
    server_logs_close(s);
    server_execs_close(s);
    server_forwards_close(s);
    server_tunnels_close(s);
    http_server_close(s->http);
    tls_ctx_free(s->pod_tls);
    log_hub_free(s->hub);
    mem_free(s);
    a->node_server = NULL;
    a->server = NULL;
}
