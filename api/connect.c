/* api/connect.c: see api/connect.h. */
#include <stdarg.h>
#include "api/connect.h"
#include "api/names.h"

#define DEFAULT_NODE_PORT 10250

/* ---- Where the pod is ------------------------------------------------------------------------------- */

struct json *connect_lookup(struct call *c, const char *plural, struct str ns, struct str name)
{
    struct kind_ctx k;

    call_kind_ctx(c, &k, ns, name);
    return kind_lookup(&k, "", "v1", plural, ns, name);
}

bool connect_addr_ok(const struct api *a, struct str host)
{
    uint64_t first;
    struct str rest = host, part;

    if (name_check_ip(host) != NULL)
        /* names could resolve to anything, and differently next time */
        return false;
    if (name_check_ipv4(host) != NULL)
        return !str_is(host, "::") && (!str_is(host, "::1") || a->loopback_nodes) &&
            !str_starts(host, STR("fe8")) &&
               !str_starts(host, STR("::ffff:")) && !str_starts(host, STR("ff"));
    if (!str_split(&rest, '.', &part) || !str_u64(part, &first))
        return false;
    if (first == 127)
        return a->loopback_nodes;
    return first != 0 && first < 224 && !str_starts(host, STR("169.254."));
}

bool connect_node_ip(const struct json *node, struct str *ret)
{
    json_each(it, json_path(node, "status.addresses"))
        if (str_is(json_str(json_getz(it, "type")), "InternalIP")) {
            *ret = json_str(json_getz(it, "address"));
            return true;
        }
    return false;
}

struct http_client *connect_node(struct call *c, struct str node_name)
{
    struct json            *node = connect_lookup(c, "nodes", STR_NONE, node_name);
    struct http_client_opts o = { .tls = c->api->node_tls, .n_addrs = 1 };
    struct http_client     *client;
    struct errbuf           err;
    struct str              host;
    const char             *addr;
    int64_t                 port;

    if (node == NULL || !connect_node_ip(node, &host)) {
        call_fail(c, 500, REASON_INTERNAL,
                  "Internal error occurred: node \"%.*s\" is not known or has no InternalIP",
                      STR_ARG(node_name));
        return NULL;
    }
    port = json_path_i64(node, "status.daemonEndpoints.kubeletEndpoint.Port", DEFAULT_NODE_PORT);
    if (!connect_addr_ok(c->api, host) || port < 1 || port > 65535) {
        call_fail(c, 400, REASON_BAD_REQUEST, "the address of node \"%.*s\" is not allowed",
                  STR_ARG(node_name));
        return NULL;
    }
    addr = arena_fmt(c->arena, str_find(host, ':') >= 0 ? "[%.*s]:%lld" : "%.*s:%lld", STR_ARG(host),
                     (long long)port).p;
    o.addrs = &addr;
    if (c->api->node_tls == NULL || http_client_new(c->api->loop, &o, &client, &err) < 0) {
        call_fail(c, 500, REASON_INTERNAL, "Internal error occurred: this head has no credentials for nodes");
        return NULL;
    }
    return client;
}

void connect_unavailable(struct call *c, const char *fmt, ...)
{
    struct status s = { .code = 503, .reason = REASON_UNAVAILABLE };
    va_list       ap;

    va_start(ap, fmt);
    s.message = arena_vfmt(c->arena, fmt, ap);
    va_end(ap);
    call_respond_status(c, &s);
}

/* ---- Which container -------------------------------------------------------------------------------- */

static void list_names(struct buf *b, const struct json *list)
{
    bool first = true;

    json_each(it, list) {
        if (!first)
            buf_char(b, ' ');
        buf_str_add(b, json_path_str(it, "name"));
        first = false;
    }
}

static bool in_list(const struct json *list, struct str name)
{
    json_each(it, list)
        if (str_eq(json_path_str(it, "name"), name))
            return true;
    return false;
}

/* False: answered. */
static bool choose_container(struct call *c, const struct json *pod, struct str *name)
{
    const struct json *main_ = json_path(pod, "spec.containers"),
        *init = json_path(pod, "spec.initContainers"),
                      *more = json_path(pod, "spec.ephemeralContainers");
    struct buf b = BUF_INIT;

    if (name->n == 0 && main_ != NULL && main_->n == 1) {
        *name = json_path_str(json_at(main_, 0), "name");
        return true;
    }
    if (name->n > 0) {
        if (in_list(main_, *name) || in_list(init, *name) || in_list(more, *name))
            return true;
        call_bad_request(c, "container %.*s is not valid for pod %.*s", STR_ARG(*name), STR_ARG(c->rq.name));
        return false;
    }
    list_names(&b, main_);
    buf_z(&b, "]");
    if (init != NULL && init->n > 0) {
        buf_z(&b, " or one of the init containers: [");
        list_names(&b, init);
        buf_z(&b, "]");
    }
    call_bad_request(c, "a container name must be specified for pod %.*s, choose one of: [%.*s",
                     STR_ARG(c->rq.name), (int)b.n, b.p);
    buf_release(&b);
    return false;
}

/* ---- The target on the node -------------------------------------------------------------------------- */

static void add_param(struct buf *b, const char *key, struct str value)
{
    buf_char(b, '&');
    buf_z(b, key);
    buf_char(b, '=');
    http_escape(b, value);
}

static void pass_params(struct call *c, struct buf *b, const char *const *names, const char *const *as,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str rest = c->rq.query, value;

        while (request_param(c->arena, &rest, names[i], &value))
            add_param(b, as[i], value);
    }
}

static bool truth(struct call *c, const char *name, bool otherwise)
{
    struct str rest = c->rq.query, v;

    if (!request_param(c->arena, &rest, name, &v))
        return otherwise;
    return !str_is(v, "0") && !str_ieq(v, STR("false"));
}

static void add_path(struct call *c, struct buf *b, const char *verb, struct str container)
{
    buf_fmt(b, "/%s/", verb);
    http_escape(b, c->rq.ns);
    buf_char(b, '/');
    http_escape(b, c->rq.name);
    if (container.n > 0) {
        buf_char(b, '/');
        http_escape(b, container);
    }
    buf_z(b, "?");
}

static struct str finish_target(struct call *c, struct buf *b)
{
    struct str s;

    /* "?&a=b" and "?" are both fine to send, but read badly in the node's log. */
    for (size_t i = 0; i + 1 < b->n; i++)
        if (b->p[i] == '?' && b->p[i + 1] == '&') {
            memmove(b->p + i + 1, b->p + i + 2, b->n - i - 2);
            b->n--;
            break;
        }
    s = arena_str(c->arena, buf_str(b));
    buf_release(b);
    return s;
}

static struct str log_target(struct call *c, struct str container)
{
    static const char *const names[] = {
        "follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes", "stream",
    };
    struct buf b = BUF_INIT;

    add_path(c, &b, "containerLogs", container);
    pass_params(c, &b, names, names, ARRAY_LEN(names));
    return finish_target(c, &b);
}

static struct str exec_target(struct call *c, struct str container)
{
    static const char *const names[] = { "command" };
    static const struct { const char *in, *out; bool otherwise; } flags[] = {
        { "stdin", "input", false }, { "stdout", "output", false }, { "stderr", "error", false },
            { "tty", "tty", false },
    };
    struct buf b = BUF_INIT;

    add_path(c, &b, c->sub->name, container);
    if (strcmp(c->sub->name, "exec") == 0)
        pass_params(c, &b, names, names, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (truth(c, flags[i].in, flags[i].otherwise))
            add_param(&b, flags[i].out, STR("1"));
    return finish_target(c, &b);
}

static struct str forward_target(struct call *c, struct str container)
{
    static const char *const names[] = { "ports" }, *const as[] = { "port" };
    struct buf b = BUF_INIT;

    (void)container;
    add_path(c, &b, "portForward", STR_NONE);
    pass_params(c, &b, names, as, 1);
    return finish_target(c, &b);
}

/* ---- Serving ----------------------------------------------------------------------------------------- */

/* What leads to a node: the path there, and how. */
static const struct pod_connect {
    const char *sub;
    bool container, upgrade;
    struct str (*target)(struct call *c, struct str container);
    void (*serve)(struct call *c, struct http_client *node, struct str target);
} pod_connects[] = {
    { "log", true, false, log_target, connect_log },
    { "exec", true, true, exec_target, connect_upgrade_node },
    { "attach", true, true, exec_target, connect_upgrade_node },
    { "portforward", false, true, forward_target, connect_upgrade_node },
};

static const struct pod_connect *pod_connect_of(const struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(pod_connects); i++)
        if (strcmp(c->sub->name, pod_connects[i].sub) == 0)
            return &pod_connects[i];
    return NULL;
}

static bool check_upgrade(struct call *c)
{
    struct str rest = c->rq.query, v, to = exchange_header(c->x, "Upgrade");

    if (!c->x->wants_upgrade || c->x->ops->upgrade == NULL)
        call_bad_request(c, "Upgrade request required");
    else if (!str_ieq(to, STR("websocket")) && !str_ieq(to, STR("SPDY/3.1")))
        call_bad_request(c, "unable to upgrade: WebSocket and SPDY/3.1 are spoken here");
    else if (strcmp(c->sub->name, "exec") == 0 && !request_param(c->arena, &rest, "command", &v))
        call_bad_request(c, "you must specify at least one command for the container");
    else
        return true;
    return false;
}

static void connect_pod(struct call *c)
{
    const struct pod_connect *how = pod_connect_of(c);
    struct json        *pod = connect_lookup(c, "pods", c->rq.ns, c->rq.name);
    struct str          rest = c->rq.query, container = STR_NONE, node;
    struct http_client *client;

    if (pod == NULL) {
        call_not_found(c);
        return;
    }
    if (how->container) {
        request_param(c->arena, &rest, "container", &container);
        if (!choose_container(c, pod, &container))
            return;
    }
    node = json_path_str(pod, "spec.nodeName");
    if (node.n == 0) {
        call_bad_request(c, "pod %.*s does not have a host assigned", STR_ARG(c->rq.name));
        return;
    }
    client = connect_node(c, node);
    if (client != NULL)
        how->serve(c, client, how->target(c, container));
}

static void connect_now(struct call *c, struct json *options)
{
    (void)options;
    if (pod_connect_of(c) == NULL)
        connect_proxy(c);
    else
        connect_pod(c);
}

static void connect_ask(struct call *c)
{
    connect_admit(c, connect_now);
}

void call_connect(struct call *c)
{
    const struct pod_connect *how = pod_connect_of(c);

    if (how == NULL)
        call_when_fresh(c, connect_ask);
    else if (c->rq.verb != API_GET && (!how->upgrade || c->rq.verb != API_CREATE))
        call_method_not_allowed(c);
    else if (!how->upgrade || check_upgrade(c))
        call_when_fresh(c, how->upgrade ? connect_ask : connect_pod);
}
