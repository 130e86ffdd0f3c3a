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

static void serve_pods(struct node_server *s, struct http_req *req)
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

static void serve_metrics(struct node_server *s, struct http_req *req)
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
    metric(&b, "coracle_node_refused_total", "counter", "Requests without the right to ask.", s->n_refused);
    metric(&b, "coracle_node_longest_turn_nanoseconds", "gauge", "Longest turn of the loop so far.",
           loop_longest_turn_ns(s->agent->loop, false));
    http_respond(req, 200, "text/plain; version=0.0.4", buf_to_blob(&b), NULL, 0);
    buf_release(&b);
}

/* ---- where to --------------------------------------------------------------------------------- */

/* False: answered. */
static bool find_target(struct node_server *s, struct http_req *req, struct str rest, struct server_target *t)
{
    struct str *const into[] = { &t->ns, &t->pod_name, &t->container_name };
    struct str part;

    for (size_t i = 0; i < ARRAY_LEN(into); i++)
        if (!str_split(&rest, '/', &part) || part.n == 0 ||
            !http_unescape(&req->arena, part, false, into[i])) {
            server_text(req, 404, "the path is /VERB/NAMESPACE/POD/CONTAINER");
            return false;
        }
    t->pod = rest.p == NULL ? agent_pod(s->agent, t->ns, t->pod_name) : NULL;
    if (t->pod == NULL) {
        server_text(req, 404, "pod \"%.*s/%.*s\" is not on this node", STR_ARG(t->ns), STR_ARG(t->pod_name));
        return false;
    }
    t->container = pod_container(t->pod, t->container_name);
    if (t->container == NULL) {
        server_text(req, 404, "container \"%.*s\" not found in pod \"%.*s\"", STR_ARG(t->container_name),
                    STR_ARG(t->pod_name));
        return false;
    }
    return true;
}

static bool path_below(struct str path, const char *dir, struct str *ret_rest)
{
    struct str d = str_of(dir);

    if (!str_starts(path, d))
        return false;
    *ret_rest = str_from(path, d.n);
    return true;
}

static void route(struct node_server *s, struct http_req *req)
{
    bool get = str_is(req->method, "GET"), post = str_is(req->method, "POST");
    struct server_target t = { 0 };
    struct str rest;

    if (path_below(req->path, "/exec/", &rest) || path_below(req->path, "/attach/", &rest)) {
        if (!get && !post)
            server_text(req, 405, "GET with a WebSocket handshake");
        else if (find_target(s, req, rest, &t))
            server_exec(s, req, &t, req->path.p[1] == 'a');
    } else if (!get) {
        server_text(req, 405, "only GET is served here");
    } else if (path_below(req->path, "/containerLogs/", &rest)) {
        if (find_target(s, req, rest, &t))
            server_logs(s, req, &t);
    } else if (str_is(req->path, "/pods") || str_is(req->path, "/pods/")) {
        serve_pods(s, req);
    } else if (str_is(req->path, "/healthz")) {
        http_respond(req, 200, "text/plain; charset=utf-8", blob_copy(STR("ok")), NULL, 0);
    } else if (str_is(req->path, "/metrics")) {
        serve_metrics(s, req);
    } else {
        server_text(req, 404, "no such path");
    }
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
    http_server_close(s->http);
    log_hub_free(s->hub);
    mem_free(s);
    a->node_server = NULL;
    a->server = NULL;
}
