/* api/paths.c: what is no resource: discovery, OpenAPI, version, health, metrics. */
#include "api/call.h"
#include "api/health.h"
#include "api/saved.h"
#include "api/members.h"

#define TYPE_JSON  "application/json"
#define TYPE_TEXT  "text/plain; charset=utf-8"
/* Go's MIME parser refuses the type that clients ask for (it holds an '@'); this is what they take
 * instead. */
#define TYPE_OPENAPI_PB "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

/* ---- Documents made from the tables ---------------------------------------------------------------- */

enum document {
    DOC_API_VERSIONS, DOC_GROUPS, DOC_GROUP, DOC_RESOURCES, DOC_AGGREGATED_CORE, DOC_AGGREGATED_CORE_BETA,
        DOC_AGGREGATED,
    DOC_AGGREGATED_BETA, DOC_OPENAPI_V2, DOC_OPENAPI_V2_PB, DOC_OPENAPI_V3_INDEX, DOC_OPENAPI_V3
};

static struct blob *document_make(enum document d, struct str x, struct str y)
{
    switch (d) {
    case DOC_API_VERSIONS:         return discovery_api_versions();
    case DOC_GROUPS:               return discovery_group_list();
    case DOC_GROUP:                return discovery_group(x);
    case DOC_RESOURCES:            return discovery_resource_list(x, y);
    case DOC_AGGREGATED_CORE:      return discovery_aggregated(true, false);
    case DOC_AGGREGATED_CORE_BETA: return discovery_aggregated(true, true);
    case DOC_AGGREGATED:           return discovery_aggregated(false, false);
    case DOC_AGGREGATED_BETA:      return discovery_aggregated(false, true);
    case DOC_OPENAPI_V2:           return openapi_v2();
    case DOC_OPENAPI_V2_PB:        return openapi_v2_pb();
    case DOC_OPENAPI_V3_INDEX:     return openapi_v3_index();
    case DOC_OPENAPI_V3:           return openapi_v3(x);
    }
    return NULL;
}

/* Kept once made: there are as many as group versions.  Only the two large v2 documents, which few clients
 * ask for, are made anew. */
static void respond_document(struct call *c, const char *type, enum document d, struct str x, struct str y)
{
    struct str   key = arena_fmt(c->arena, "%d %.*s %.*s", (int)d, STR_ARG(x), STR_ARG(y));
    struct blob *doc = map_get(&c->api->documents, key);

    if (doc == NULL && (doc = document_make(d, x, y)) == NULL) {
        call_no_such_path(c);
        return;
    }
    if (d == DOC_OPENAPI_V2 || d == DOC_OPENAPI_V2_PB) {
        call_respond(c, 200, type, doc);
        return;
    }
    map_put(&c->api->documents, key, doc);
    call_respond(c, 200, type, blob_ref(doc));
}

/* ---- Discovery ------------------------------------------------------------------------------------- */

static void respond_roots(struct call *c, bool core)
{
    int level = accept_discovery(exchange_header(c->x, "Accept"));

    if (level == 2)
        respond_document(c, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                         core ? DOC_AGGREGATED_CORE : DOC_AGGREGATED, STR_NONE, STR_NONE);
    else if (level == 1)
        respond_document(c, "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
                         core ? DOC_AGGREGATED_CORE_BETA : DOC_AGGREGATED_BETA, STR_NONE, STR_NONE);
    else
        respond_document(c, TYPE_JSON, core ? DOC_API_VERSIONS : DOC_GROUPS, STR_NONE, STR_NONE);
}

/* /api..., /apis...; false: neither. */
static bool serve_discovery(struct call *c, const struct str *seg, unsigned n)
{
    if (n == 1 && str_is(seg[0], "api"))
        respond_roots(c, true);
    else if (n == 1 && str_is(seg[0], "apis"))
        respond_roots(c, false);
    else if (n == 2 && str_is(seg[0], "api"))
        respond_document(c, TYPE_JSON, DOC_RESOURCES, STR(""), seg[1]);
    else if (n == 2 && str_is(seg[0], "apis"))
        respond_document(c, TYPE_JSON, DOC_GROUP, seg[1], STR_NONE);
    else if (n == 3 && str_is(seg[0], "apis"))
        respond_document(c, TYPE_JSON, DOC_RESOURCES, seg[1], seg[2]);
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
            respond_document(c, TYPE_OPENAPI_PB, DOC_OPENAPI_V2_PB, STR_NONE, STR_NONE);
        else
            respond_document(c, TYPE_JSON, DOC_OPENAPI_V2, STR_NONE, STR_NONE);
    } else if (n == 2 && str_is(seg[1], "v3")) {
        respond_document(c, TYPE_JSON, DOC_OPENAPI_V3_INDEX, STR_NONE, STR_NONE);
    } else if (n > 2 && str_is(seg[1], "v3")) {
        respond_document(c, TYPE_JSON, DOC_OPENAPI_V3, str_from(c->rq.path, strlen("/openapi/v3/")),
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

static void serve_root(struct call *c)
{
    struct buf b = BUF_INIT;

    buf_z(&b, "{\"paths\":[\"/api\",\"/api/v1\",\"/apis\"");
    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct schema_kind *k = schema_resources[i].kind;
        bool seen = k->group[0] == '\0';

        for (unsigned j = 0; j < i && !seen; j++)
            seen = strcmp(schema_resources[j].kind->group, k->group) == 0 &&
                strcmp(schema_resources[j].kind->version, k->version) == 0;
        if (!seen)
            buf_fmt(&b, ",\"/apis/%s/%s\"", k->group, k->version);
    }
    buf_z(&b, ",\"/coracle/v1/members\",\"/healthz\",\"/livez\",\"/metrics\"");
    buf_z(&b, ",\"/openapi/v2\",\"/openapi/v3\",\"/readyz\","
              "\"/version\"]}");
    respond_buf(c, TYPE_JSON, &b);
}

static bool serve_other(struct call *c, const struct str *seg, unsigned n)
{
    if (n == 0)
        serve_root(c);
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
    if (!serve_discovery(c, seg, n) && !serve_openapi(c, seg, n) && !serve_other(c, seg, n))
        call_no_such_path(c);
}
