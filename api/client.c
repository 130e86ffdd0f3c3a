/* api/client.c: what both transports share: writing requests, reading answers. */
#include "api/client_impl.h"

void client__init(struct client *c, const struct client_ops *ops, struct loop *l)
{
    c->ops = ops;
    c->loop = l;
    qinit(&c->calls);
    qinit(&c->watches);
}

struct loop *client_loop(struct client *c) { return c->loop; }

void client_free(struct client *c)
{
    while (!qempty(&c->calls))
        client_cancel(qentry(qfirst(&c->calls), struct client_call, link));
    while (!qempty(&c->watches))
        client_watch_close(qentry(qfirst(&c->watches), struct client_watch, link));
    c->ops->free(c);
}

/* ---- Requests -------------------------------------------------------------------------------------- */

static void add_path(struct buf *b, const struct client_resource *r, struct str ns)
{
    if (r->group[0] == '\0') {
        buf_z(b, "/api/");
    } else {
        buf_z(b, "/apis/");
        buf_z(b, r->group);
        buf_char(b, '/');
    }
    buf_z(b, r->version);
    if (ns.n > 0) {
        buf_z(b, "/namespaces/");
        http_escape(b, ns);
    }
    buf_char(b, '/');
    buf_z(b, r->plural);
}

static struct client_call *start(struct client *c, const struct client_wire *w, client_done done, void *arg)
{
    struct client_call *call = c->ops->send(c, w);

    if (call == NULL)
        return NULL;
    call->client = c;
    call->done = done;
    call->arg = arg;
    qpush(&c->calls, &call->link);
    return call;
}

struct client_call *client_send(struct client *c, const struct client_req *r)
{
    struct buf target = BUF_INIT, body = BUF_INIT;
    struct client_wire w = { .method = r->method, .timeout_ms = r->timeout_ms };

    add_path(&target, &r->res, r->ns);
    if (r->name.n > 0) {
        buf_char(&target, '/');
        http_escape(&target, r->name);
    }
    if (r->sub != NULL) {
        buf_char(&target, '/');
        buf_z(&target, r->sub);
    }
    if (r->query.n > 0) {
        buf_char(&target, '?');
        buf_str_add(&target, r->query);
    }
    if (r->body != NULL)
        json_write(&body, r->body);
    w.target = buf_str(&target);
    w.body = r->body != NULL ? buf_str(&body) : r->body_text;
    if (w.body.n > 0)
        w.content_type = r->content_type != NULL ? r->content_type : "application/json";
    struct client_call *call = start(c, &w, r->done, r->arg);
    buf_release(&target);
    buf_release(&body);
    return call;
}

struct client_call *client_send_path(struct client *c, const char *method, struct str target, struct str body,
                                     client_done done, void *arg)
{
    struct client_wire w = { .method = method, .target = target, .body = body,
                             .content_type = body.n > 0 ? "application/json" : NULL };
    return start(c, &w, done, arg);
}

void client_cancel(struct client_call *call)
{
    if (call == NULL)
        return;
    qdel(&call->link);
    call->client->ops->cancel(call);
}

/* ---- Answers --------------------------------------------------------------------------------------- */

void client__deliver(struct client_call *call, int err, const char *reason, int status, struct str body)
{
    struct arena a = ARENA_INIT;
    struct json_error jerr;
    struct client_result r = {
        .err = err, .reason = reason != NULL ? reason : "", .status = status, .body = body, .arena = &a
    };

    qdel(&call->link);
    if (call->done == NULL)
        return;
    r.ok = err == 0 && status >= 200 && status < 300;
    if (err == 0 && json_parse(&a, body, &r.obj, &jerr) != 0)
        r.obj = NULL;
    if (err == 0 && !r.ok) {
        r.reason = arena_cstr(&a, json_path_str(r.obj, "reason"));
        r.message = r.obj != NULL ? json_path_str(r.obj, "message") : body;
    }
    call->done(call->arg, &r);
    arena_release(&a);
}

int client__status_error(struct str status_json, struct arena *a, struct str *ret_message)
{
    struct json_error jerr;
    struct json *j;

    if (json_parse(a, status_json, &j, &jerr) != 0) {
        *ret_message = status_json;
        return E_IO;
    }
    *ret_message = json_path_str(j, "message");
    return json_path_i64(j, "code", 0) == 410 ? E_STALE : E_IO;
}

/* ---- Watches --------------------------------------------------------------------------------------- */

struct client_watch *client_watch(struct client *c, const struct client_watch_opts *o)
{
    struct buf target = BUF_INIT;

    add_path(&target, &o->res, o->ns);
    buf_z(&target, "?watch=1&allowWatchBookmarks=true");
    if (o->resource_version.n > 0) {
        buf_z(&target, "&resourceVersion=");
        http_escape(&target, o->resource_version);
    }
    if (o->query.n > 0) {
        buf_char(&target, '&');
        buf_str_add(&target, o->query);
    }
    struct client_watch *w = c->ops->watch(c, buf_str(&target));
    buf_release(&target);
    if (w == NULL)
        return NULL;
    w->client = c;
    w->o = *o;
    w->o.ns = w->o.query = w->o.resource_version = STR_NONE;
    qpush(&c->watches, &w->link);
    return w;
}

void client_watch_close(struct client_watch *w)
{
    if (w == NULL || w->closed)
        return;
    w->closed = true;
    qdel(&w->link);
    if (!w->in_callback)
        w->client->ops->watch_close(w);
}

bool client__event(struct client_watch *w, struct str type, struct blob *object)
{
    must(!w->closed && !w->in_callback);
    w->in_callback = true;
    w->o.on_event(w->o.arg, type, object);
    w->in_callback = false;
    if (!w->closed)
        return true;
    w->client->ops->watch_close(w);
    return false;
}

void client__end(struct client_watch *w, int err, const char *reason)
{
    void (*on_end)(void *, int, const char *) = w->o.on_end;
    void *arg = w->o.arg;

    must(!w->closed && !w->in_callback);
    w->closed = true;
    qdel(&w->link);
    /* reason may live in the watch: it is freed after the callback */
    w->in_callback = true;
    on_end(arg, err, reason);
    w->in_callback = false;
    w->client->ops->watch_close(w);
}
