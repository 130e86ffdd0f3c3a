/* api/server.c: see api/server.h: opening, closing, and the first steps of every request. */
#include "api/answer.h"
#include "api/bootstrap.h"
#include "api/authz.h"
#include "api/connect.h"
#include "api/deadline.h"
#include "api/health.h"
#include "api/heads.h"
#include "api/impersonate.h"
#include "api/mirror.h"
#include "api/node_gate.h"
#include "api/parts.h"

#define DEFAULT_ISSUER "https://kubernetes.default.svc"
#define DEFAULT_CIDR   "10.96.0.0/16"
#define DEFAULT_PORTS  "30000-32767"
#define IN_FLIGHT_MAX  20000                     /* requests being answered at a time, watches not counted */

/* ---- One request --------------------------------------------------------------------------------- */

static void on_abort(struct exchange *x)
{
    struct call *c = x->state;

    c->api->metrics.aborted++;
    call_release(c);
}

static void on_drain(struct exchange *x)
{
    struct call *c = x->state;

    if (c->drain != NULL)
        c->drain(c);
}

static struct call *call_new(struct api *a, struct exchange *x)
{
    struct call *c = arena_new(x->arena, struct call);

    c->api = a;
    c->x = x;
    c->arena = x->arena;
    c->start_ns = loop_hires_ns(a->loop);
    c->rq.verb = API_OTHER;
    c->rq.verb_name = "";
    c->out.version = "v1";
    causes_init(&c->warnings, x->arena);
    qinit(&c->due);
    call_wait_init(c);
    qpush(&a->calls, &c->link);
    a->metrics.in_flight++;
    x->state = c;
    x->on_abort = on_abort;
    x->on_drain = on_drain;
    return c;
}

static const char *scope_text(const struct call *c, struct arena *a)
{
    if (c->rq.ns.n > 0)
        return arena_fmt(a, "in the namespace \"%.*s\"", STR_ARG(c->rq.ns)).p;
    return "at the cluster scope";
}

static void refuse(struct call *c)
{
    struct str what = c->rq.resource;

    if (!c->rq.is_resource) {
        call_fail(c, 403, REASON_FORBIDDEN, "forbidden: User \"%.*s\" cannot %s path \"%.*s\"",
                  STR_ARG(c->user->name),
                  c->rq.verb_name, STR_ARG(c->rq.path));
        return;
    }
    if (c->rq.subresource.n > 0)
        what = arena_fmt(c->arena, "%.*s/%.*s", STR_ARG(c->rq.resource), STR_ARG(c->rq.subresource));
    call_forbidden(c, "User \"%.*s\" cannot %s resource \"%.*s\" in API group \"%.*s\" %s",
                   STR_ARG(c->user->name),
                   c->rq.verb_name, STR_ARG(what), STR_ARG(c->rq.group), scope_text(c, c->arena));
}

static bool allowed(struct call *c)
{
    struct authz_attr attr = {
        .user = c->user, .verb = c->rq.verb_name, .group = c->rq.group, .resource = c->rq.resource,
        .subresource = c->rq.subresource, .ns = c->rq.ns, .name = c->rq.name, .path = c->rq.path,
            .is_resource = c->rq.is_resource,
    };
    const char *reason;

    return authz_allowed(&attr, &reason);
}

static uint32_t verb_bit(enum api_verb v)
{
    static const uint32_t bits[API_VERBS] = {
        VERB_GET, VERB_LIST, VERB_WATCH, VERB_CREATE, VERB_UPDATE, VERB_PATCH, VERB_DELETE,
            VERB_DELETECOLLECTION, 0,
    };

    return bits[v];
}

/* The resource behind the tuple, and that path and scope fit it.  False: answered. */
static bool find_resource(struct call *c)
{
    struct request *rq = &c->rq;

    c->res = resource_find(rq->group, rq->version, rq->resource);
    if (c->res == NULL) {
        call_no_such_path(c);
        return false;
    }
    c->info = &c->api->info[c->res->index];
    if (rq->subresource.n > 0) {
        c->sub = resource_sub_find(c->res, rq->subresource);
        if (c->sub == NULL || (rq->rest.n > 0 && !c->sub->connect)) {
            call_no_such_path(c);
            return false;
        }
    }
    if (c->res->namespaced && rq->ns.n == 0 &&
        (rq->name.n > 0 || (rq->verb == API_CREATE && !c->res->virtual_))) {
        if (rq->verb == API_CREATE)
            call_bad_request(c, "an empty namespace may not be set during creation");
        else
            call_no_such_path(c);
        return false;
    }
    if (!c->res->namespaced && rq->ns.n > 0 && !str_eq(rq->ns, rq->name)) {
        call_no_such_path(c);
        return false;
    }
    return true;
}

static bool negotiate(struct call *c)
{
    bool can_table = !c->res->virtual_ && c->sub == NULL;

    if (!accept_parse(exchange_header(c->x, "Accept"), can_table, &c->out)) {
        call_fail(c, 406, REASON_NOT_ACCEPTABLE,
                  "only the following media types are accepted: application/json, application/yaml, "
                  "application/vnd.kubernetes.protobuf, application/cbor");
        return false;
    }
    if (c->rq.opt.pretty)
        c->out.pretty = true;
    return true;
}

static void run_verb(struct call *c)
{
    switch (c->rq.verb) {
    case API_GET:              call_get(c); return;
    case API_LIST:             call_list(c); return;
    case API_WATCH:            call_watch(c); return;
    case API_CREATE:           call_create(c); return;
    case API_UPDATE:
    case API_PATCH:            call_update(c); return;
    case API_DELETE:           call_delete(c); return;
    case API_DELETECOLLECTION: call_delete_collection(c); return;
    case API_OTHER:            break;
    }
    call_method_not_allowed(c);
}

/* A watch or a log for one who asked for a WebSocket. */
static void choose_messages(struct call *c)
{
    bool log = c->sub != NULL && c->sub->connect && strcmp(c->sub->name, "log") == 0;

    if (c->x->ops->messages != NULL && (log || c->rq.verb == API_WATCH))
        c->x->ops->messages(c->x, log);
}

static void route(struct call *c)
{
    uint32_t verbs;

    if (!find_resource(c) || !node_gate(c))
        return;
    verbs = c->sub != NULL ? c->sub->verbs : c->res->verbs;
    if ((verbs & verb_bit(c->rq.verb)) == 0 && !(c->sub != NULL && c->sub->connect)) {
        call_method_not_allowed(c);
        return;
    }
    choose_messages(c);
    if (c->sub != NULL && c->sub->connect) {
        call_connect(c);
        return;
    }
    if (!negotiate(c))
        return;
    if (c->rq.verb != API_WATCH)
        deadline_start(c);
    if (c->res->virtual_)
        call_virtual(c);
    else if (c->sub != NULL && strcmp(c->sub->name, "status") != 0)
        call_subresource(c);
    else
        run_verb(c);
}

static void authenticate(struct call *c);

/* Rules that are not known yet allow and refuse nothing; health and version need none, and who makes the
 * rules of a fresh cluster cannot wait for them. */
static bool needs_no_rules(const struct call *c)
{
    struct str rest = str_from(c->rq.path, 1), first;

    if (c->rq.is_resource)
        return c->x->user != NULL && str_is(c->x->user->name, USER_API);
    str_split(&rest, '/', &first);
    return health_is_path(first) || str_is(first, "version");
}

void api_serve(struct api *a, struct exchange *x)
{
    struct call  *c = call_new(a, x);
    struct errbuf err;

    if (a->closing) {
        call_fail(c, 503, REASON_UNAVAILABLE, "this head is shutting down");
        return;
    }
    if (a->metrics.in_flight - a->metrics.watches > IN_FLIGHT_MAX) {
        call_fail(c, 429, REASON_TOO_MANY, "too many requests are being answered, please try again later");
        return;
    }
    if (request_parse(x->arena, x->method, x->path, x->query, &c->rq, &err) < 0) {
        call_bad_request(c, "%s", err.s);
        return;
    }
    if (needs_no_rules(c))
        authenticate(c);
    else
        call_when_ready(c, authenticate);
}

static void authenticate(struct call *c)
{
    struct api *a = c->api;

    if (authn_exchange(a->authn, c->x, &c->user) < 0) {
        call_fail(c, 401, REASON_UNAUTHORIZED, "Unauthorized");
        return;
    }
    c->mutating = c->rq.verb >= API_CREATE && c->rq.verb <= API_DELETECOLLECTION;
    a->metrics.mutating += c->mutating;
    if (!impersonate(c))
        return;
    if (!allowed(c)) {
        if (authn_in_group(c->user, GROUP_UNAUTHENTICATED))
            call_fail(c, 401, REASON_UNAUTHORIZED, "Unauthorized");
        else
            refuse(c);
        return;
    }
    if (c->rq.is_resource)
        route(c);
    else
        call_path(c);
}

/* ---- Opening and closing ------------------------------------------------------------------------- */

static char *copy_or_null(const char *z)
{
    return z != NULL ? mem_strdup(z) : NULL;
}

static void info_fill(struct api *a, const struct resource *r)
{
    struct resource_info  *i = &a->info[r->index];
    const struct resource *base = r->stored_as != NULL ? r->stored_as : r;
    struct buf             b = BUF_INIT;

    i->hooks = kind_hooks_find(base);
    i->base = base;
    buf_fmt(&b, "/registry/%s/", base->storage != NULL ? base->storage : base->plural);
    i->prefix = str_make(mem_strndup(buf_str(&b)), b.n);
    buf_release(&b);
}

static void info_make(struct api *a)
{
    a->info = mem_zalloc((schema_n_resources + 1) * sizeof(*a->info));
    for (unsigned i = 0; i < schema_n_resources; i++) {
        must(schema_resources[i].index == i);
        info_fill(a, &schema_resources[i]);
    }
}

static void api_free(struct api *a)
{
    struct str key;
    void      *doc;

    for (unsigned i = 0; a->info != NULL && i < schema_n_resources; i++)
        mem_free((char *)a->info[i].prefix.p);
    mem_free(a->info);
    deadline_stop(a);
    for (unsigned i = 0; i < a->n_http; i++)
        http_server_close(a->http[i]);
    for (size_t i = 0; map_next(&a->documents, &i, &key, &doc);)
        blob_unref(doc);
    map_release(&a->documents);
    parts_close(a);
    tls_ctx_free(a->any_tls);
    buf_release(&a->scratch);
    mem_free(a->issuer);
    mem_free(a->version);
    mem_free(a->cluster);
    mem_free(a->advertise_host);
    mem_free(a->ca_pem);
    mem_free(a->key_pem);
    metrics_release(&a->metrics);
    mem_free(a);
}

static int net_parse(const struct api_opts *o, struct service_net *net, struct errbuf *err)
{
    const char *cidr = o->service_cidr != NULL ? o->service_cidr : DEFAULT_CIDR;
    const char *ports = o->node_ports != NULL ? o->node_ports : DEFAULT_PORTS;
    struct str  rest = str_of(ports), part;
    uint64_t    min = 0, max = 0;

    if (!ip_ranges_parse(str_of(cidr), net->range, ARRAY_LEN(net->range), &net->n) ||
        (net->n == 2 && net->range[0].base.v6 == net->range[1].base.v6))
        return err_set(err, E_INVALID, "addresses of services: \"%s\" must be a range, or an IPv4 and an "
                                       "IPv6 range separated by a comma", cidr);
    for (unsigned i = 0; i < net->n; i++)
        if (net->range[i].n == 0)
            return err_set(err, E_INVALID, "addresses of services: \"%s\" has no addresses to give", cidr);
    if (!str_split(&rest, '-', &part) || !str_u64(str_trim(part), &min) || !str_u64(str_trim(rest), &max) ||
        min == 0 || max > UINT16_MAX || min > max)
        return err_set(err, E_INVALID, "ports of services: \"%s\" must be like %s", ports, DEFAULT_PORTS);
    net->port_min = (uint16_t)min;
    net->port_max = (uint16_t)max;
    return 0;
}

int api_open(const struct api_opts *o, struct api **ret, struct errbuf *err)
{
    struct api *a = mem_new(struct api);
    int         rc;

    a->loop = o->loop;
    a->store = o->store;
    a->node_tls = o->node_tls;
    a->issuer = mem_strdup(o->issuer != NULL ? o->issuer : DEFAULT_ISSUER);
    a->version = mem_strdup(o->version != NULL ? o->version : "v1.33.0+coracle");
    a->cluster = copy_or_null(o->cluster);
    a->advertise_host = copy_or_null(o->advertise_host);
    a->advertise_port = o->advertise_port;
    a->ca_pem = mem_strndup(o->ca_pem);
    a->key_pem = o->service_account_key_pem.n > 0 ? mem_strndup(o->service_account_key_pem) : NULL;
    metrics_init(&a->metrics);
    qinit(&a->calls);
    deadline_init(a);
    qinit(&a->pipes);
    info_make(a);
    rc = net_parse(o, &a->net, err);
    if (rc == 0)
        rc = parts_open(a, o, err);
    if (rc == 0 && o->listen_addr != NULL)
        rc = api_http_open(a, o, err);
    if (rc < 0) {
        api_free(a);
        return rc;
    }
    a->heads = heads_join(a);
    *ret = a;
    return 0;
}

const char *api_addr(struct api *a)
{
    return a->n_http > 0 ? http_server_addr(a->http[0]) : "";
}

void api_pin(struct api *a)
{
    a->pins++;
}

static void on_closed(struct ready_item *it)
{
    struct api *a = container_of(it, struct api, close_item);
    void (*done)(void *) = a->close_done;
    void *arg = a->close_arg;

    must(qempty(&a->calls) && qempty(&a->due));
    api_free(a);
    if (done != NULL)
        done(arg);
}

void api_unpin(struct api *a)
{
    must(a->pins > 0);
    if (--a->pins == 0 && a->closing) {
        ready_init(&a->close_item, on_closed);
        ready_post(a->loop, &a->close_item);
    }
}

/* Whoever still waits is told so; streams just end: their clients come back, to another head. */
static void end_calls(struct api *a)
{
    while (!qempty(&a->calls)) {
        struct call *c = container_of(qfirst(&a->calls), struct call, link);

        if (c->began)
            call_end(c);
        else
            call_fail(c, 503, REASON_UNAVAILABLE, "this head is shutting down");
    }
}

static void on_drained(void *arg)
{
    api_unpin(arg);
}

void api_close(struct api *a, void (*done)(void *arg), void *arg)
{
    must(!a->closing);
    a->closing = true;
    a->close_done = done;
    a->close_arg = arg;
    api_pin(a);
    bootstrap_stop(a);
    heads_leave(a->heads);
    end_calls(a);
    connect_close_all(a);
    parts_close(a);
    for (unsigned i = 0; i < a->n_http; i++) {
        api_pin(a);
        http_server_drain(a->http[i], 1000, on_drained, a);
    }
    api_unpin(a);
}
