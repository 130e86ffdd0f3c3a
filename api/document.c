/* api/document.c: see api/document.h. */
#include <inttypes.h>
#include "api/document.h"

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

/* ---- Keeping --------------------------------------------------------------------------------------- */

/* There are as many as group versions.  Only the two large v2 documents, which few clients ask for, are made
 * anew. */
static bool is_kept(enum document d)
{
    return d != DOC_OPENAPI_V2 && d != DOC_OPENAPI_V2_PB;
}

/* A reference; NULL: none such.  *ret_tag: its hash. */
static struct blob *document_take(struct call *c, enum document d, struct str x, struct str y,
                                  struct str *ret_tag)
{
    struct map  *kept = &c->api->documents;
    struct str   key = arena_fmt(c->arena, "%d %.*s %.*s", (int)d, STR_ARG(x), STR_ARG(y));
    struct str   tag_key = arena_fmt(c->arena, "tag %.*s", STR_ARG(key));
    struct blob *doc = map_get(kept, key), *tag = map_get(kept, tag_key);

    if (doc != NULL)
        doc = blob_ref(doc);
    else if ((doc = document_make(d, x, y)) == NULL)
        return NULL;
    else if (is_kept(d))
        map_put(kept, key, blob_ref(doc));
    if (tag == NULL) {
        tag = blob_copy(arena_fmt(c->arena, "%016" PRIX64, openapi_hash(blob_str(doc))));
        map_put(kept, tag_key, tag);
    }
    *ret_tag = blob_str(tag);
    return doc;
}

/* ---- Who has it already ---------------------------------------------------------------------------- */

/* "x", W/"x", or * among others. */
static bool tag_matches(struct str header, struct str tag)
{
    struct str one;

    while (str_split(&header, ',', &one)) {
        one = str_trim(one);
        if (str_starts(one, STR("W/")))
            one = str_from(one, 2);
        if (str_is(one, "*") || (one.n == tag.n + 2 && one.p[0] == '"' && one.p[one.n - 1] == '"' &&
                                 str_eq(str_make(one.p + 1, tag.n), tag)))
            return true;
    }
    return false;
}

/* What is asked for by its hash never changes; the aggregated documents may be kept and asked about. */
static const char *cache_control(struct call *c, enum document d)
{
    struct str rest = c->rq.query, hash = STR_NONE;

    if (d == DOC_OPENAPI_V3 && request_param(c->arena, &rest, "hash", &hash) && hash.n > 0)
        return "public, immutable";
    if (d >= DOC_AGGREGATED_CORE && d <= DOC_AGGREGATED_BETA)
        return "public";
    return NULL;
}

/* The hash in the address is not that of the document (any more): it is elsewhere. */
static bool is_elsewhere(struct call *c, enum document d, struct str tag)
{
    struct str rest = c->rq.query, hash = STR_NONE;

    return d == DOC_OPENAPI_V3 && request_param(c->arena, &rest, "hash", &hash) && hash.n > 0 &&
           !str_eq(hash, tag);
}

void document_respond(struct call *c, const char *type, enum document d, struct str x, struct str y)
{
    struct http_header h[3];
    struct str         tag;
    struct blob       *doc = document_take(c, d, x, y, &tag);

    if (doc == NULL) {
        call_no_such_path(c);
        return;
    }
    if (is_elsewhere(c, d, tag)) {
        blob_unref(doc);
        h[0] = (struct http_header){ STR("Location"), arena_fmt(c->arena, "/openapi/v3/%.*s?hash=%.*s",
                                                                STR_ARG(x), STR_ARG(tag)) };
        call_respond_with(c, 301, NULL, NULL, &(struct answer_headers){ h, 1, NULL });
        return;
    }
    h[0] = (struct http_header){ STR("ETag"), arena_fmt(c->arena, "\"%.*s\"", STR_ARG(tag)) };
    h[1] = (struct http_header){ STR("Vary"), STR("Accept") };
    if (tag_matches(exchange_header(c->x, "If-None-Match"), tag)) {
        blob_unref(doc);
        call_respond_with(c, 304, NULL, NULL, &(struct answer_headers){ h, 2, cache_control(c, d) });
        return;
    }
    call_respond_with(c, 200, type, doc, &(struct answer_headers){ h, 2, cache_control(c, d) });
}
