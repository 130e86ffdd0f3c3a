/* api/openapi.c: the OpenAPI documents: version 2 as a whole, version 3 one by one for each group version,
 * and the index of these. */
#include <inttypes.h>
#include "net/arena.h"
#include "api/openapi.h"

#define INFO "\"info\":{\"title\":\"Kubernetes\",\"version\":\"v1.33.0\"}"

void openapi_begin(struct openapi *o, bool v3)
{
    *o = (struct openapi){ .out = BUF_INIT, .v3 = v3, .seen = mem_zalloc(schema_n_types) };
}

struct blob *openapi_finish(struct openapi *o)
{
    struct blob *b = buf_to_blob(&o->out);

    buf_release(&o->out);
    mem_free(o->seen);
    return b;
}

void openapi_gv_path(struct buf *out, const struct schema_kind *k)
{
    if (*k->group == '\0')
        buf_fmt(out, "api/%s", k->version);
    else
        buf_fmt(out, "apis/%s/%s", k->group, k->version);
}

static bool same_gv(const struct schema_kind *a, const struct schema_kind *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->version, b->version) == 0;
}

struct blob *openapi_v2(void)
{
    struct openapi o;

    openapi_begin(&o, false);
    buf_z(&o.out, "{\"swagger\":\"2.0\"," INFO ",\"paths\":{");
    for (unsigned i = 0; i < schema_n_resources; i++)
        openapi_put_paths(&o, &schema_resources[i], i > 0);
    buf_z(&o.out, "},\"definitions\":{");
    openapi_put_schemas(&o);
    buf_z(&o.out, "},\"securityDefinitions\":{\"BearerToken\":{\"type\":\"apiKey\",\"name\":"
                  "\"authorization\",\"in\":\"header\"}}}");
    return openapi_finish(&o);
}

static struct blob *document(const struct schema_kind *of)
{
    struct openapi o;
    bool more = false;

    openapi_begin(&o, true);
    buf_z(&o.out, "{\"openapi\":\"3.0.0\"," INFO ",\"paths\":{");
    for (unsigned i = 0; i < schema_n_resources; i++)
        if (same_gv(schema_resources[i].kind, of)) {
            openapi_put_paths(&o, &schema_resources[i], more);
            more = true;
        }
    buf_z(&o.out, "},\"components\":{\"schemas\":{");
    openapi_put_schemas(&o);
    buf_z(&o.out, "},\"securitySchemes\":{\"BearerToken\":{\"type\":\"apiKey\",\"name\":\"authorization\","
                  "\"in\":\"header\"}}}}");
    return openapi_finish(&o);
}

/* Of the text alone: the same on every head and in every run, since clients keep documents by it. */
uint64_t openapi_hash(struct str s)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return h;
}

struct blob *openapi_v3_index(void)
{
    struct buf out = BUF_INIT;
    struct blob *b;

    buf_z(&out, "{\"paths\":{");
    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct schema_kind *k = schema_resources[i].kind;
        struct blob *doc;

        if (i > 0 && same_gv(k, schema_resources[i - 1].kind))
            continue;
        doc = document(k);
        buf_z(&out, i > 0 ? ",\"" : "\"");
        openapi_gv_path(&out, k);
        buf_z(&out, "\":{\"serverRelativeURL\":\"/openapi/v3/");
        openapi_gv_path(&out, k);
        buf_fmt(&out, "?hash=%016" PRIX64 "\"}", openapi_hash(blob_str(doc)));
        blob_unref(doc);
    }
    buf_z(&out, "}}");
    b = buf_to_blob(&out);
    buf_release(&out);
    return b;
}

struct blob *openapi_v3(struct str path)
{
    struct buf its = BUF_INIT;
    struct blob *found = NULL;

    for (unsigned i = 0; found == NULL && i < schema_n_resources; i++) {
        if (i > 0 && same_gv(schema_resources[i].kind, schema_resources[i - 1].kind))
            continue;
        buf_clear(&its);
        openapi_gv_path(&its, schema_resources[i].kind);
        if (str_eq(buf_str(&its), path))
            found = document(schema_resources[i].kind);
    }
    buf_release(&its);
    return found;
}
