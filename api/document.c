/* api/document.c: see api/document.h. */
#include <inttypes.h>
#include "api/document.h"
#include "api/registry.h"

struct document_key { enum document d; struct str x, y; };

static struct str document_tag(struct call *c, const struct document_key *k, struct blob *doc);

/* ---- Making ---------------------------------------------------------------------------------------- */

/* Custom kinds' documents are told from their definitions: so the index needs none of them made. */
static struct str gv_tag(void *arg, const struct openapi_gv *gv)
{
    struct call *c = arg;
    uint64_t     hash = registry_hash(gv->at, gv->n);

    if (hash != 0)
        return arena_fmt(c->arena, "%016" PRIX64, hash ^ openapi_hash(str_of(c->api->version)));
    return document_tag(c, &(struct document_key){ DOC_OPENAPI_V3, gv->path, STR_NONE }, NULL);
}

static struct blob *document_make(struct call *c, const struct document_key *k)
{
    const struct resource_set *all = registry_all(c->api->registry);
    struct openapi_gv          gv;

    switch (k->d) {
    case DOC_API_VERSIONS:         return discovery_api_versions();
    case DOC_GROUPS:               return discovery_group_list(all);
    case DOC_GROUP:                return discovery_group(all, k->x);
    case DOC_RESOURCES:            return discovery_resource_list(all, k->x, k->y);
    case DOC_AGGREGATED_CORE:      return discovery_aggregated(all, true, false);
    case DOC_AGGREGATED_CORE_BETA: return discovery_aggregated(all, true, true);
    case DOC_AGGREGATED:           return discovery_aggregated(all, false, false);
    case DOC_AGGREGATED_BETA:      return discovery_aggregated(all, false, true);
    case DOC_OPENAPI_V2:           return openapi_v2(all);
    case DOC_OPENAPI_V2_PB:        return openapi_v2_pb(all);
    case DOC_OPENAPI_V3_INDEX:     return openapi_v3_index(all, gv_tag, c);
    case DOC_OPENAPI_V3:           return openapi_find(all, k->x, &gv) ? openapi_v3(&gv) : NULL;
    }
    return NULL;
}

/* ---- Keeping --------------------------------------------------------------------------------------- */

static struct str key_text(struct arena *a, const struct document_key *k)
{
    return arena_fmt(a, "%d %.*s %.*s", (int)k->d, STR_ARG(k->x), STR_ARG(k->y));
}

/* The two large v2 documents, which few clients ask for, are made anew, and so are those of custom kinds, of
 * which there may be thousands. */
static bool is_kept(struct call *c, const struct document_key *k)
{
    struct openapi_gv gv;

    if (k->d == DOC_OPENAPI_V2 || k->d == DOC_OPENAPI_V2_PB)
        return false;
    if (k->d != DOC_OPENAPI_V3 || !openapi_find(registry_all(c->api->registry), k->x, &gv))
        return true;
    return registry_hash(gv.at, gv.n) == 0;
}

/* A reference; NULL: none such. */
static struct blob *document_take(struct call *c, const struct document_key *k)
{
    struct str   key = key_text(c->arena, k);
    struct blob *doc = map_get(&c->api->documents, key);

    if (doc != NULL)
        return blob_ref(doc);
    doc = document_make(c, k);
    if (doc != NULL && is_kept(c, k))
        map_put(&c->api->documents, key, blob_ref(doc));
    return doc;
}

/* doc: the document, NULL: not at hand. */
static struct str document_tag(struct call *c, const struct document_key *k, struct blob *doc)
{
    struct str        key = arena_fmt(c->arena, "tag %.*s", STR_ARG(key_text(c->arena, k)));
    struct blob      *tag = map_get(&c->api->documents, key);
    struct openapi_gv gv;

    if (tag != NULL)
        return blob_str(tag);
    if (k->d == DOC_OPENAPI_V3 && openapi_find(registry_all(c->api->registry), k->x, &gv) &&
        registry_hash(gv.at, gv.n) != 0)
        return gv_tag(c, &gv);
    doc = doc != NULL ? blob_ref(doc) : document_take(c, k);
    must(doc != NULL);                           /* who asks for a tag has found the document */
    tag = blob_copy(arena_fmt(c->arena, "%016" PRIX64, openapi_hash(blob_str(doc))));
    blob_unref(doc);
    map_put(&c->api->documents, key, tag);
    return blob_str(tag);
}

/* Does this document, or its tag, tell of the group? */
static bool tells_of(struct str key, struct str group)
{
    struct str d, x, y, api, g;
    uint64_t   kind = 0;

    if (str_starts(key, STR("tag ")))
        key = str_from(key, 4);
    must(str_split(&key, ' ', &d) && str_split(&key, ' ', &x) && str_u64(d, &kind));
    y = x;
    switch ((enum document)kind) {
    case DOC_API_VERSIONS: case DOC_AGGREGATED_CORE: case DOC_AGGREGATED_CORE_BETA:
        return false;
    case DOC_GROUP: case DOC_RESOURCES:
        return str_eq(x, group);
    case DOC_OPENAPI_V3:
        return str_split(&y, '/', &api) && str_split(&y, '/', &g) && str_eq(g, group);
    default:
        return true;
    }
}

void documents_forget(struct api *a, struct str group)
{
    struct str key;
    void      *doc;

    for (size_t i = 0; map_next(&a->documents, &i, &key, &doc);)
        if (tells_of(key, group)) {
            map_del(&a->documents, key);
            blob_unref(doc);
        }
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
    const struct document_key key = { d, x, y };
    struct http_header h[3];
    struct str         tag;
    struct blob       *doc = document_take(c, &key);

    if (doc == NULL) {
        call_no_such_path(c);
        return;
    }
    tag = document_tag(c, &key, doc);
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
