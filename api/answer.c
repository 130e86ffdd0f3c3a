/* api/answer.c: the ends of a call: whole answers, failures, streamed answers. */
#include <stdarg.h>
#include "api/answer.h"
#include "api/admit.h"
#include "api/deadline.h"
#include "api/json_scan.h"
#include "api/shape.h"
#include "api/content.h"

#define WARNING_BYTES_MAX 4096                   /* of all Warning headers together */
#define HEADERS_MAX       40

/* ---- Accounting and headers ---------------------------------------------------------------------- */

/* Whatever happens now, nothing of this call may call back any more. */
void call_release(struct call *c)
{
    struct api *api = c->api;

    if (c->reading)
        raft_read_cancel(store_raft(api->store), &c->read);
    if (c->waiting)
        store_wait_cancel(&c->wait);
    c->reading = c->waiting = false;
    store_rewind_cancel(&c->rewind);
    mirror_wait_cancel(&c->until_ready);
    authn_cancel(&c->who);
    authz_cancel(&c->may);
    if (c->cancel != NULL)
        c->cancel(c);
    c->cancel = NULL;
    admit_release_all(c);
    call_forget_commits(c);
    call_forget_customs(c);
    must(api->metrics.in_flight > 0);
    api->metrics.in_flight--;
    api->metrics.mutating -= c->mutating;
    deadline_end(c);
    qdel(&c->link);
    c->x->on_abort = NULL;
    c->x->on_drain = NULL;
}

static void count(struct call *c, int code)
{
    metrics_count(c, code, loop_hires_ns(c->api->loop) - c->start_ns);
}

static size_t warning_headers(struct call *c, struct http_header *h, size_t max)
{
    size_t n = 0, bytes = 0;

    for (const struct cause *w = c->warnings.first; w != NULL && n < max &&
         bytes < WARNING_BYTES_MAX; w = w->next) {
        struct buf b = BUF_INIT;

        buf_z(&b, "299 - \"");
        for (size_t i = 0; i < w->message.n; i++) {
            char ch = w->message.p[i];

            if (ch == '"' || ch == '\\')
                buf_char(&b, '\\');
            buf_char(&b, (unsigned char)ch < 0x20 || ch == 0x7f ? ' ' : ch);
        }
        buf_char(&b, '"');
        bytes += b.n;
        h[n++] = (struct http_header){ STR("Warning"), arena_str(c->arena, buf_str(&b)) };
        buf_release(&b);
    }
    return n;
}

static size_t common_headers(struct call *c, struct http_header *h, unsigned retry_after_s,
                             const struct answer_headers *more)
{
    size_t n = 0;

    h[n++] = (struct http_header){ STR("Cache-Control"), more != NULL && more->cache_control != NULL
                                                             ? str_of(more->cache_control)
                                                             : STR("no-cache, private") };
    if (retry_after_s > 0)
        h[n++] = (struct http_header){ STR("Retry-After"), arena_fmt(c->arena, "%u", retry_after_s) };
    if (c->audit != NULL)
        h[n++] = (struct http_header){ STR("Audit-Id"), c->audit->id };
    for (size_t i = 0; more != NULL && i < more->n && n < HEADERS_MAX; i++)
        h[n++] = more->h[i];
    return n + warning_headers(c, h + n, HEADERS_MAX - n);
}

static void respond_all(struct call *c, int code, const char *content_type, const struct http_piece *pieces,
                        size_t n_pieces, const struct http_header *h, size_t n)
{
    struct exchange *x = c->x;

    count(c, code);
    audit_ended(c, code, pieces, n_pieces);
    call_release(c);
    x->ops->respond(x, code, content_type, pieces, n_pieces, h, n);
}

static void respond(struct call *c, int code, const char *content_type, struct blob *body,
                    unsigned retry_after_s, const struct answer_headers *more)
{
    struct http_header h[HEADERS_MAX];
    struct http_piece  piece = { body, 0, body != NULL ? body->len : 0 };
    size_t             n = common_headers(c, h, retry_after_s, more);

    respond_all(c, code, content_type, &piece, body != NULL ? 1 : 0, h, n);
}

void call_respond_pieces(struct call *c, int code, const char *content_type,
                         const struct http_piece *pieces, size_t n)
{
    struct http_header h[HEADERS_MAX];

    respond_all(c, code, content_type, pieces, n, h, common_headers(c, h, 0, NULL));
}

void call_respond(struct call *c, int code, const char *content_type, struct blob *body)
{
    respond(c, code, content_type, body, 0, NULL);
}

void call_respond_with(struct call *c, int code, const char *content_type, struct blob *body,
                       const struct answer_headers *more)
{
    respond(c, code, content_type, body, 0, more);
}

/* ---- Objects ------------------------------------------------------------------------------------- */

/* Takes over what is in b. */
static void respond_buf(struct call *c, int code, struct buf *b, unsigned retry_after_s,
                        const struct answer_headers *more)
{
    struct blob *body = buf_to_blob(b);

    buf_release(b);
    respond(c, code, accept_content_type(&c->out), body, retry_after_s, more);
}

/* From JSON text of ours to what the client reads best. */
static void respond_text(struct call *c, int code, struct str text, unsigned retry_after_s,
                         const struct answer_headers *more)
{
    struct buf        b = BUF_INIT;
    struct json      *obj;
    struct json_error why;

    if (json_parse(c->arena, text, &obj, &why) < 0) {
        c->out.format = OUT_JSON;
        buf_str_add(&b, text);
    } else {
        content_write(&b, &c->out, obj);
    }
    respond_buf(c, code, &b, retry_after_s, more);
}

/* Text can be sent as it is. */
static bool wants_text(const struct call *c)
{
    return c->out.format == OUT_JSON && !c->out.pretty;
}

void call_respond_object(struct call *c, int code, struct blob *object)
{
    struct buf b = BUF_INIT;

    if (shape_is_plain(c, blob_str(object)) && wants_text(c)) {
        respond(c, code, "application/json", blob_ref(object), 0, NULL);
        return;
    }
    shape_object(&b, c, blob_str(object), true);
    if (wants_text(c)) {
        respond_buf(c, code, &b, 0, NULL);
        return;
    }
    respond_text(c, code, arena_str(c->arena, buf_str(&b)), 0, NULL);
    buf_release(&b);
}

void call_respond_tree(struct call *c, int code, const struct json *obj)
{
    struct buf b = BUF_INIT;

    content_write(&b, &c->out, obj);
    respond_buf(c, code, &b, 0, NULL);
}

/* ---- Failures ------------------------------------------------------------------------------------ */

void call_respond_status(struct call *c, const struct status *s)
{
    struct blob          *text = status_blob(s);
    struct http_header    allow = { STR("Allow"), s->allow };
    struct answer_headers more = { &allow, s->allow.n > 0, NULL };

    must(!c->began);
    if (c->audit != NULL)
        c->audit->status = s;
    if (wants_text(c)) {
        respond(c, s->code, "application/json", text, s->retry_after_s, &more);
        return;
    }
    respond_text(c, s->code, arena_str(c->arena, blob_str(text)), s->retry_after_s, &more);
    blob_unref(text);
}

struct str call_resource_name(const struct call *c)
{
    if (c->res == NULL)
        return c->rq.resource;
    if (c->res->kind->group[0] == '\0')
        return str_of(c->res->plural);
    return arena_fmt(c->arena, "%s.%s", c->res->plural, c->res->kind->group);
}

static struct status about(const struct call *c, int code, const char *reason, struct str name)
{
    struct status s = { .code = code, .reason = reason };

    s.details.name = name;
    s.details.group = c->res != NULL ? str_of(c->res->kind->group) : c->rq.group;
    s.details.kind = c->res != NULL ? str_of(c->res->plural) : c->rq.resource;
    return s;
}

void call_fail(struct call *c, int code, const char *reason, const char *fmt, ...)
{
    struct status s = { .code = code, .reason = reason };
    va_list       ap;

    va_start(ap, fmt);
    s.message = arena_vfmt(c->arena, fmt, ap);
    va_end(ap);
    if (code == 429 || code == 503)
        s.retry_after_s = 1;
    call_respond_status(c, &s);
}

void call_bad_request(struct call *c, const char *fmt, ...)
{
    struct status s = { .code = 400, .reason = REASON_BAD_REQUEST };
    va_list       ap;

    va_start(ap, fmt);
    s.message = arena_vfmt(c->arena, fmt, ap);
    va_end(ap);
    call_respond_status(c, &s);
}

void call_not_found(struct call *c)
{
    struct status s = about(c, 404, REASON_NOT_FOUND, c->rq.name);

    s.message = arena_fmt(c->arena, "%.*s \"%.*s\" not found", STR_ARG(call_resource_name(c)),
                          STR_ARG(c->rq.name));
    call_respond_status(c, &s);
}

void call_exists(struct call *c, struct str name)
{
    struct status s = about(c, 409, REASON_ALREADY_EXISTS, name);

    s.message = arena_fmt(c->arena, "%.*s \"%.*s\" already exists", STR_ARG(call_resource_name(c)),
                          STR_ARG(name));
    call_respond_status(c, &s);
}

void call_conflict(struct call *c, struct str name, const char *detail)
{
    struct status s = about(c, 409, REASON_CONFLICT, name);

    s.message = arena_fmt(c->arena, "Operation cannot be fulfilled on %.*s \"%.*s\": %s",
                          STR_ARG(call_resource_name(c)),
                          STR_ARG(name), detail != NULL ? detail : MODIFIED_TEXT);
    call_respond_status(c, &s);
}

static void forbid(struct call *c, struct str name, struct str why)
{
    struct status s = about(c, 403, REASON_FORBIDDEN, name);

    if (name.n > 0)
        s.message = arena_fmt(c->arena, "%.*s \"%.*s\" is forbidden: %.*s", STR_ARG(call_resource_name(c)),
                              STR_ARG(name), STR_ARG(why));
    else
        s.message = arena_fmt(c->arena, "%.*s is forbidden: %.*s", STR_ARG(call_resource_name(c)),
                              STR_ARG(why));
    call_respond_status(c, &s);
}

void call_forbidden(struct call *c, const char *fmt, ...)
{
    struct str why;
    va_list    ap;

    va_start(ap, fmt);
    why = arena_vfmt(c->arena, fmt, ap);
    va_end(ap);
    forbid(c, c->rq.name, why);
}

void call_refused(struct call *c, const struct kind_ctx *k)
{
    struct status s = about(c, k->refused, k->refused_reason, k->name);

    must(k->refused >= 400);
    if (k->refused_status != NULL) {
        call_respond_status(c, k->refused_status);
        return;
    }
    if (k->refused == 403) {
        forbid(c, k->name, k->refused_message);
        return;
    }
    s.message = k->refused_message;
    if (k->refused == 429 || k->refused == 503)
        s.retry_after_s = 1;
    call_respond_status(c, &s);
}

void call_invalid(struct call *c, const struct schema_kind *kind, struct str name,
                  const struct causes *causes)
{
    struct status s = { .code = 422, .reason = REASON_INVALID, .causes = causes };
    const char   *dot = kind->group[0] != '\0' ? "." : "";

    s.details.name = name;
    s.details.group = str_of(kind->group);
    s.details.kind = str_of(kind->kind);
    s.message = arena_fmt(c->arena, "%s%s%s \"%.*s\" is invalid: %.*s", kind->kind, dot, kind->group,
                          STR_ARG(name),
                          STR_ARG(status_causes_text(c->arena, causes)));
    call_respond_status(c, &s);
}

/* What may be done with this path, by its verbs. */
static struct str allowed_methods(struct call *c)
{
    static const struct { const char *method; uint32_t item, collection; } methods[] = {
        { "GET", VERB_GET, VERB_LIST | VERB_WATCH }, { "POST", 0, VERB_CREATE }, { "PUT", VERB_UPDATE, 0 },
        { "PATCH", VERB_PATCH, 0 }, { "DELETE", VERB_DELETE, VERB_DELETECOLLECTION },
    };
    uint32_t   verbs = c->sub != NULL ? c->sub->verbs : c->res != NULL ? c->res->verbs : 0;
    struct buf b = BUF_INIT;
    struct str all;

    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        uint32_t bits = c->rq.name.n > 0 ? methods[i].item : methods[i].collection;

        if (c->sub != NULL)
            bits = methods[i].item | methods[i].collection;
        if ((verbs & bits) != 0 || (c->res == NULL && i == 0))
            buf_fmt(&b, "%s%s", b.n > 0 ? ", " : "", methods[i].method);
    }
    all = arena_str(c->arena, buf_str(&b));
    buf_release(&b);
    return all;
}

void call_method_not_allowed(struct call *c)
{
    struct status s = about(c, 405, REASON_METHOD, STR_NONE);

    s.allow = allowed_methods(c);
    s.message = STR("the server does not allow this method on the requested resource");
    call_respond_status(c, &s);
}

void call_no_such_path(struct call *c)
{
    call_fail(c, 404, REASON_NOT_FOUND, "the server could not find the requested resource");
}

void call_too_large_rv(struct call *c, uint64_t rv)
{
    struct status s = { .code = 504, .reason = REASON_TIMEOUT, .retry_after_s = 1 };
    struct causes causes;

    causes_init(&causes, c->arena);
    cause_add(&causes, "ResourceVersionTooLarge", NULL, "Too large resource version");
    s.causes = &causes;
    s.message = arena_fmt(c->arena, "Timeout: Too large resource version: %llu, current: %llu",
                          (unsigned long long)rv,
                          (unsigned long long)store_revision(c->api->store));
    call_respond_status(c, &s);
}

void call_store_failed(struct call *c, int err, bool write)
{
    struct status s = { .code = 503, .reason = REASON_UNAVAILABLE, .retry_after_s = 1 };

    switch (err) {
    case E_NOLEADER:
        s.message = STR("the control plane has no leader at the moment; nothing was changed, try again");
        break;
    case E_NOSPACE:                              /* as kube-apiserver passes etcd's refusal on */
        s.code = 500;
        s.reason = "";
        s.retry_after_s = 0;
        s.message = STR("etcdserver: mvcc: database space exceeded");
        break;
    case E_FULL:
        s.code = 507;
        s.reason = "InsufficientStorage";
        s.retry_after_s = 0;
        s.message = STR("the disk of the control plane is full or failing; nothing was changed");
        break;
    case E_TOOBIG:
        s.code = 413;
        s.reason = REASON_TOO_LARGE;
        s.retry_after_s = 0;
        s.message = STR("Request entity too large: the object is over the limit of the store");
        break;
    default:
        /* A write whose fate is unknown must not be repeated blindly: no Retry-After, the client looks
         * first. */
        s.code = 504;
        s.reason = REASON_TIMEOUT;
        s.retry_after_s = write ? 0 : 1;
        s.message = write ? STR("Timeout: the control plane changed its leader meanwhile; the write may or "
                                "may not have been done")
                          : STR("Timeout: the control plane did not confirm in time that this head is up to "
                                "date");
    }
    call_respond_status(c, &s);
}

/* ---- Streamed answers ---------------------------------------------------------------------------- */

/* An answer of which nobody knows how long it will go on. */
static void began(struct call *c, int code)
{
    must(!c->began);
    c->began = true;
    if (c->rq.verb == API_WATCH || (c->sub != NULL && c->sub->connect))
        audit_started(c, code);
}

void call_begin(struct call *c, int code, const char *content_type, bool gzip)
{
    struct http_header h[HEADERS_MAX];
    size_t             n = common_headers(c, h, 0, NULL);

    began(c, code);
    c->x->ops->begin(c->x, code, content_type, gzip, h, n);
}

void call_begin_with(struct call *c, int code, const char *content_type, const struct http_header *h,
                     size_t n)
{
    began(c, code);
    c->x->ops->begin(c->x, code, content_type, false, h, n);
}

void call_send_blob(struct call *c, struct blob *b)
{
    struct http_piece piece = { b, 0, b->len };

    must(c->began);
    c->x->ops->send(c->x, &piece, 1);
}

void call_send(struct call *c, struct str bytes)
{
    if (bytes.n > 0)
        call_send_blob(c, blob_copy(bytes));
}

void call_cut(struct call *c)
{
    struct exchange *x = c->x;

    must(c->began);
    count(c, 502);
    audit_ended(c, 502, NULL, 0);
    call_release(c);
    (x->ops->cut != NULL ? x->ops->cut : x->ops->end)(x);
}

void call_end(struct call *c)
{
    struct exchange *x = c->x;

    must(c->began);
    count(c, 200);
    audit_ended(c, 200, NULL, 0);
    call_release(c);
    x->ops->end(x);
}
