/* api/paths.c: what is no resource: discovery, OpenAPI, version, health, metrics. */
#include "api/document.h"
#include "api/health.h"
#include "api/issuer.h"
#include "api/registry.h"
#include "api/saved.h"
#include "api/members.h"

#define TYPE_JSON  "application/json"
#define TYPE_TEXT  "text/plain; charset=utf-8"
/* Go's MIME parser refuses the type that clients ask for (it holds an '@'); this is what they take
 * instead. */
#define TYPE_OPENAPI_PB "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

/* ---- Discovery ------------------------------------------------------------------------------------- */

static void respond_roots(struct call *c, bool core)
{
    int level = accept_discovery(exchange_header(c->x, "Accept"));

    if (level == 2)
        document_respond(c, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                         core ? DOC_AGGREGATED_CORE : DOC_AGGREGATED, STR_NONE, STR_NONE);
    else if (level == 1)
        document_respond(c, "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
                         core ? DOC_AGGREGATED_CORE_BETA : DOC_AGGREGATED_BETA, STR_NONE, STR_NONE);
    else
        document_respond(c, TYPE_JSON, core ? DOC_API_VERSIONS : DOC_GROUPS, STR_NONE, STR_NONE);
}

/* /api..., /apis...; false: neither. */
static bool serve_discovery(struct call *c, const struct str *seg, unsigned n)
{
    if (n == 1 && str_is(seg[0], "api"))
        respond_roots(c, true);
    else if (n == 1 && str_is(seg[0], "apis"))
        respond_roots(c, false);
    else if (n == 2 && str_is(seg[0], "api"))
        document_respond(c, TYPE_JSON, DOC_RESOURCES, STR(""), seg[1]);
    else if (n == 2 && str_is(seg[0], "apis"))
        document_respond(c, TYPE_JSON, DOC_GROUP, seg[1], STR_NONE);
    else if (n == 3 && str_is(seg[0], "apis"))
        document_respond(c, TYPE_JSON, DOC_RESOURCES, seg[1], seg[2]);
    else
        return false;
    return true;
}

/* ---- OpenAPI --------------------------------------------------------------------------------------- */

static bool wants_protobuf(struct str accept)
{
    struct media m;
    unsigned     json_q = 0, pb_q = 0;

    while (media_next(&accept, &m)) {
        if (str_starts(m.type, STR("application/com.github.proto-openapi.spec.v2")) && m.q > pb_q)
            pb_q = m.q;
        if ((str_ieq(m.type, STR("application/json")) || str_is(m.type, "*/*")) && m.q > json_q)
            json_q = m.q;
    }
    return pb_q > json_q || (pb_q > 0 && pb_q == json_q);
}

static bool serve_openapi(struct call *c, const struct str *seg, unsigned n)
{
    if (n < 2 || !str_is(seg[0], "openapi"))
        return false;
    if (n == 2 && str_is(seg[1], "v2")) {
        if (wants_protobuf(exchange_header(c->x, "Accept")))
            document_respond(c, TYPE_OPENAPI_PB, DOC_OPENAPI_V2_PB, STR_NONE, STR_NONE);
        else
            document_respond(c, TYPE_JSON, DOC_OPENAPI_V2, STR_NONE, STR_NONE);
    } else if (n == 2 && str_is(seg[1], "v3")) {
        document_respond(c, TYPE_JSON, DOC_OPENAPI_V3_INDEX, STR_NONE, STR_NONE);
    } else if (n > 2 && str_is(seg[1], "v3")) {
        document_respond(c, TYPE_JSON, DOC_OPENAPI_V3, str_from(c->rq.path, strlen("/openapi/v3/")),
                         STR_NONE);
    } else {
        return false;
    }
    return true;
}

/* ---- The rest -------------------------------------------------------------------------------------- */

static void respond_buf(struct call *c, const char *type, struct buf *b)
{
    struct blob *body = buf_to_blob(b);

    buf_release(b);
    call_respond(c, 200, type, body);
}

/* major and minor are plain numbers: conformance and old clients parse them. */
static void serve_version(struct call *c)
{
    struct buf  b = BUF_INIT;
    struct str  v = str_of(c->api->version), major = STR("1"), minor = STR("33");
    ptrdiff_t   dot = str_find(v, '.');

    if (v.n > 1 && v.p[0] == 'v' && dot > 1) {
        struct str rest = str_from(v, (size_t)dot + 1);
        size_t     digits = 0;

        major = str_make(v.p + 1, (size_t)dot - 1);
        while (digits < rest.n && rest.p[digits] >= '0' && rest.p[digits] <= '9')
            digits++;
        minor = str_upto(rest, digits);
    }
    buf_fmt(&b, "{\n  \"major\": \"%.*s\",\n  \"minor\": \"%.*s\",\n  \"gitVersion\": ", STR_ARG(major),
            STR_ARG(minor));
    json_write_string(&b, v);
    buf_z(&b, ",\n  \"gitCommit\": \"\",\n  \"gitTreeState\": \"clean\",\n  \"buildDate\": "
              "\"1970-01-01T00:00:00Z\",\n"
              "  \"goVersion\": \"none (C11)\",\n  \"compiler\": \"cc\",\n  \"platform\": "
              "\"linux/amd64\"\n}");
    respond_buf(c, TYPE_JSON, &b);
}

static void serve_metrics(struct call *c)
{
    struct buf b = BUF_INIT;

    metrics_write(&b, c->api);
    respond_buf(c, "text/plain; version=0.0.4; charset=utf-8", &b);
}

/* version: NULL or what follows a slash. */
static void add_path(struct buf *b, const char *head, const char *group, const char *version)
{
    buf_z(b, b->n > 0 && b->p[b->n - 1] == '"' ? ",\n    \"" : "\n    \"");
    buf_fmt(b, "%s%s%s%s\"", head, group, version != NULL ? "/" : "", version != NULL ? version : "");
}

static void add_groups(struct buf *b, const struct resource_set *all)
{
    for (unsigned i = 0; i < all->n; i = resource_set_gv_end(all, i)) {
        const struct schema_kind *k = all->at[i]->kind, *last = i > 0 ? all->at[i - 1]->kind : NULL;
        bool same = last != NULL && strcmp(last->group, k->group) == 0;

        if (k->group[0] == '\0')
            continue;
        if (!same)
            add_path(b, "/apis/", k->group, NULL);
        add_path(b, "/apis/", k->group, k->version);
    }
}

static void begin_root(struct buf *b, int code)
{
    struct status s = { .code = code, .reason = REASON_NOT_FOUND,
                        .message = STR("the server could not find the requested resource") };
    struct blob  *text;
    size_t        n;

    buf_z(b, "{");
    if (code != 200) {
        text = status_blob(&s);
        for (n = text->len; n > 0 && text->data[n - 1] != '}'; n--)
            ;
        must(n > 2);
        buf_str_add(b, str_make(text->data + 1, n - 2));
        buf_char(b, ',');
        blob_unref(text);
    }
    buf_z(b, "\n  \"paths\": [");
}

/* Where there is something: the answer to "/", and, beside a failure, to what is not there. */
static void serve_root(struct call *c, int code)
{
    static const char *const first[] = { "/api", "/api/v1", "/apis", "/apis/" };
    static const char *const last[] = { "/coracle/v1/members", "/metrics", "/openapi/v2", "/openapi/v3",
                                        "/openapi/v3/", "/version" };
    struct buf   b = BUF_INIT;
    struct blob *body;

    begin_root(&b, code);
    for (size_t i = 0; issuer_path(c->api, i) != NULL; i++)
        add_path(&b, issuer_path(c->api, i), "", NULL);
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        add_path(&b, first[i], "", NULL);
    add_groups(&b, registry_all(c->api->registry));
    for (size_t i = 0; health_path(i) != NULL; i++)
        add_path(&b, health_path(i), "", NULL);
    for (size_t i = 0; i < ARRAY_LEN(last); i++)
        add_path(&b, last[i], "", NULL);
    buf_z(&b, "\n  ]\n}");
    body = buf_to_blob(&b);
    buf_release(&b);
    call_respond(c, code, TYPE_JSON, body);
}

static bool serve_other(struct call *c, const struct str *seg, unsigned n)
{
    if (n == 0)
        serve_root(c, 200);
    else if (n == 1 && str_is(seg[0], "version"))
        serve_version(c);
    else if (n == 1 && str_is(seg[0], "metrics"))
        serve_metrics(c);
    else if (str_is(c->rq.path, SAVED_PATH))
        saved_serve(c);
    else if (n <= 2 && health_is_path(seg[0]))
        health_serve(c, seg[0], n == 2 ? seg[1] : STR_NONE);
    else
        return false;
    return true;
}

void call_path(struct call *c)
{
    struct str seg[6], rest = c->rq.path.n > 0 ? str_from(c->rq.path, 1) : STR_NONE;
    unsigned   n = 0;

    if (rest.n > 0 && rest.p[rest.n - 1] == '/')
        rest.n--;
    while (rest.n > 0 && n < ARRAY_LEN(seg) && str_split(&rest, '/', &seg[n]))
        n++;
    if (members_serve(c, seg, n))
        return;
    if (strcmp(c->rq.verb_name, "get") != 0 && strcmp(c->rq.verb_name, "head") != 0) {
        call_method_not_allowed(c);
        return;
    }
    if (issuer_serve(c, c->rq.path) || serve_discovery(c, seg, n) || serve_openapi(c, seg, n) ||
        serve_other(c, seg, n))
        return;
    if (n > 0 && (str_is(seg[0], "api") || str_is(seg[0], "apis")))
        call_no_such_path(c);
    else
        serve_root(c, 404);
}
