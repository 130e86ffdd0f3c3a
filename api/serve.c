/* api/serve.c: the first steps of every request, in one order:
 *
 *   parse -> rules known? -> authenticate -> impersonate -> authorize -> route -> the verb
 *
 * One tuple (c->rq) is parsed once; each step goes by it, and may take its time: it calls the next when it is
 * done.  A step that refuses answers, and the call is gone. */
#include "api/answer.h"
#include "api/authz.h"
#include "api/connect.h"
#include "api/crd/pipeline.h"
#include "api/deadline.h"
#include "api/health.h"
#include "api/impersonate.h"

#define IN_FLIGHT_MAX  20000                     /* requests being answered at a time, watches not counted */

static void on_abort(struct exchange *x)
{
    struct call *c = x->state;

    c->api->metrics.aborted++;
    audit_ended(c, 0, NULL, 0);
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
    qinit(&c->admissions);
    qinit(&c->due);
    call_wait_init(c);
    qpush(&a->calls, &c->link);
    a->metrics.in_flight++;
    x->state = c;
    x->on_abort = on_abort;
    x->on_drain = on_drain;
    return c;
}

/* ---- Route -------------------------------------------------------------------------------------- */

static uint32_t verb_bit(enum api_verb v)
{
    static const uint32_t bits[API_VERBS] = {
        VERB_GET, VERB_LIST, VERB_WATCH, VERB_CREATE, VERB_UPDATE, VERB_PATCH, VERB_DELETE,
            VERB_DELETECOLLECTION, 0,
    };

    return bits[v];
}

static void route(struct call *c);

/* The resource behind the tuple, and that path and scope fit it.  False: answered, or it will be. */
static bool find_resource(struct call *c)
{
    struct request *rq = &c->rq;

    c->res = resource_find(rq->group, rq->version, rq->resource);
    if (c->res != NULL)
        c->info = &c->api->info[c->res->index];
    else if (!custom_route(c, route))
        return false;
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
    /* only of namespaces themselves the tuple says that they are in one: rights within a namespace
     * reach nothing outside of it, whatever it is called */
    if (!c->res->namespaced && rq->ns.n > 0 &&
        (rq->group.n > 0 || !str_is(rq->resource, "namespaces") || !str_eq(rq->ns, rq->name))) {
        call_no_such_path(c);
        return false;
    }
    return true;
}

static bool negotiate(struct call *c)
{
    bool can_table = !c->res->virtual_ && c->sub == NULL;
    unsigned can = (can_table ? ACCEPT_TABLE : 0) | (c->custom == NULL ? ACCEPT_PROTOBUF : 0);

    if (!accept_parse(exchange_header(c->x, "Accept"), can, &c->out)) {
        call_fail(c, 406, REASON_NOT_ACCEPTABLE,
                  "only the following media types are accepted: application/json, application/yaml, "
                  "application/vnd.kubernetes.protobuf, application/cbor");
        return false;
    }
    if (c->rq.opt.pretty)
        c->out.pretty = true;
    if (c->custom != NULL && c->out.shape == OUT_TABLE)
        custom_make_columns(custom_of(c->res));
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

    if (!find_resource(c))
        return;
    verbs = c->sub != NULL ? c->sub->verbs : c->res->verbs;
    if ((verbs & verb_bit(c->rq.verb)) == 0 && !(c->sub != NULL && c->sub->connect)) {
        call_method_not_allowed(c);
        return;
    }
    choose_messages(c);
    if (c->sub != NULL && c->sub->connect) {
        deadline_end(c);
        call_connect(c);
        return;
    }
    if (!negotiate(c))
        return;
    if (c->rq.verb == API_WATCH)
        deadline_end(c);
    if (c->res->virtual_)
        call_virtual(c);
    else if (c->sub != NULL && strcmp(c->sub->name, "status") != 0)
        call_subresource(c);
    else
        run_verb(c);
}

/* ---- Authorize ---------------------------------------------------------------------------------- */

static void call_on_asked(struct authz_query *q)
{
    struct call *c = container_of(q, struct call, may);

    c->then(c);
}

static void ask(struct call *c, const struct authz_attr *attr, bool want_reason, void (*then)(struct call *c))
{
    c->may = (struct authz_query){ .attr = *attr, .arena = c->arena, .want_reason = want_reason,
                                   .done = call_on_asked };
    c->then = then;
    if (authz_ask(c->api->authz, &c->may))
        then(c);
}

void call_may(struct call *c, const struct authz_attr *attr, void (*then)(struct call *c))
{
    ask(c, attr, false, then);
}

void call_review(struct call *c, const struct authz_attr *attr, void (*then)(struct call *c))
{
    ask(c, attr, true, then);
}

static void refuse(struct call *c)
{
    struct str why = authz_refusal(c->arena, &c->may);

    if (c->rq.is_resource)
        call_forbidden(c, "%.*s", STR_ARG(why));
    else
        call_fail(c, 403, REASON_FORBIDDEN, "forbidden: %.*s", STR_ARG(why));
}

static void authorized(struct call *c)
{
    audit_decided(c);
    if (c->may.decision != AUTHZ_ALLOW)
        refuse(c);
    else if (c->rq.is_resource)
        route(c);
    else
        call_path(c);
}

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

static void authorize(struct call *c)
{
    const struct request *rq = &c->rq;
    struct authz_attr attr = {
        .user = c->user, .verb = rq->verb_name, .group = rq->group, .version = rq->version,
        .resource = rq->resource, .subresource = rq->subresource, .ns = rq->ns, .name = rq->only,
        .fields = rq->opt.field_selector, .labels = rq->opt.label_selector,
        .path = rq->path, .is_resource = rq->is_resource,
    };

    if (!mirror_ready(c->api->mirror) && !rq->is_resource && needs_no_rules(c))
        call_path(c);
    else
        call_may(c, &attr, authorized);
}

/* ---- Authenticate ------------------------------------------------------------------------------- */

static void authenticated(struct call *c)
{
    c->user = c->who.err == 0 ? c->who.user : NULL;
    audit_received(c);
    if (c->who.err != 0) {
        call_fail(c, 401, REASON_UNAUTHORIZED, "Unauthorized");
        return;
    }
    c->mutating = c->rq.verb >= API_CREATE && c->rq.verb <= API_DELETECOLLECTION;
    c->api->metrics.mutating += c->mutating;
    impersonate(c, authorize);
}

static void call_on_known(struct authn_query *q)
{
    authenticated(container_of(q, struct call, who));
}

static void authenticate(struct call *c)
{
    c->who.done = call_on_known;
    if (authn_exchange(c->api->authn, c->x, &c->who))
        authenticated(c);
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
    deadline_start(c);
    if (needs_no_rules(c))
        authenticate(c);
    else
        call_when_ready(c, authenticate);
}
