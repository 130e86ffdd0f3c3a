/* api/openapi.c: the OpenAPI documents: version 2 as a whole, version 3 one by one for each group version,
 * and the index of these. */
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
    mem_free(o->custom);
    return b;
}

void openapi_gv_path(struct buf *out, const struct schema_kind *k)
{
    if (*k->group == '\0')
        buf_fmt(out, "api/%s", k->version);
    else
        buf_fmt(out, "apis/%s/%s", k->group, k->version);
}

struct blob *openapi_v2(const struct resource_set *all)
{
    struct openapi o;

    openapi_begin(&o, false);
    buf_z(&o.out, "{\"swagger\":\"2.0\"," INFO ",\"paths\":{");
    for (unsigned i = 0; i < all->n; i++)
        openapi_put_paths(&o, all->at[i], i > 0);
    buf_z(&o.out, "},\"definitions\":{");
    openapi_put_schemas(&o);
    buf_z(&o.out, "},\"securityDefinitions\":{\"BearerToken\":{\"type\":\"apiKey\",\"name\":"
                  "\"authorization\",\"in\":\"header\"}}}");
    return openapi_finish(&o);
}

struct blob *openapi_v3(const struct openapi_gv *gv)
{
    struct openapi o;

    openapi_begin(&o, true);
    buf_z(&o.out, "{\"openapi\":\"3.0.0\"," INFO ",\"paths\":{");
    for (unsigned i = 0; i < gv->n; i++)
        openapi_put_paths(&o, gv->at[i], i > 0);
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

struct blob *openapi_v3_index(const struct resource_set *all, openapi_tag_fn *tag, void *arg)
{
    struct buf out = BUF_INIT, path = BUF_INIT;
    struct blob *b;

    buf_z(&out, "{\"paths\":{");
    for (unsigned i = 0, end; i < all->n; i = end) {
        struct str its;

        end = resource_set_gv_end(all, i);
        buf_clear(&path);
        openapi_gv_path(&path, all->at[i]->kind);
        its = tag(arg, &(struct openapi_gv){ buf_str(&path), all->at + i, end - i });
        buf_fmt(&out, "%s\"%.*s\":{\"serverRelativeURL\":\"/openapi/v3/%.*s?hash=%.*s\"}", i > 0 ? "," : "",
                STR_ARG(buf_str(&path)), STR_ARG(buf_str(&path)), STR_ARG(its));
    }
    buf_z(&out, "}}");
    b = buf_to_blob(&out);
    buf_release(&out);
    buf_release(&path);
    return b;
}

bool openapi_find(const struct resource_set *all, struct str path, struct openapi_gv *ret)
{
    struct buf its = BUF_INIT;
    bool found = false;

    for (unsigned i = 0, end; i < all->n && !found; i = end) {
        end = resource_set_gv_end(all, i);
        buf_clear(&its);
        openapi_gv_path(&its, all->at[i]->kind);
        found = str_eq(buf_str(&its), path);
        if (found)
            *ret = (struct openapi_gv){ path, all->at + i, end - i };
    }
    buf_release(&its);
    return found;
}
