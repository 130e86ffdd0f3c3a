/* api/negotiate.c: see api/negotiate.h. */
#include "api/negotiate.h"

struct str media_param(const struct media *m, const char *name)
{
    struct str rest = m->params, part;

    while (str_split(&rest, ';', &part)) {
        ptrdiff_t eq = str_find(part, '=');
        struct str v;

        if (eq < 0 || !str_ieq(str_trim(str_upto(part, (size_t)eq)), str_of(name)))
            continue;
        v = str_trim(str_from(part, (size_t)eq + 1));
        if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
            v = str_make(v.p + 1, v.n - 2);
        return v;
    }
    return STR_NONE;
}

/* "1", "0.8", "0.875" in thousandths; nonsense counts as 1 as most servers do. */
static unsigned parse_q(struct str v)
{
    unsigned q = 0, digit = 100;

    if (v.n == 0 || v.p[0] < '0' || v.p[0] > '1')
        return 1000;
    if (v.p[0] == '1')
        return 1000;
    for (size_t i = 2; i < v.n && i < 5 && v.p[1] == '.'; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return 1000;
        q += (unsigned)(v.p[i] - '0') * digit;
        digit /= 10;
    }
    return q;
}

bool media_next(struct str *rest, struct media *ret)
{
    struct str part;

    while (str_split(rest, ',', &part)) {
        ptrdiff_t semi = str_find(part, ';');
        struct str q;

        ret->type = str_trim(semi < 0 ? part : str_upto(part, (size_t)semi));
        ret->params = semi < 0 ? STR_NONE : str_from(part, (size_t)semi + 1);
        if (ret->type.n == 0)
            continue;
        q = media_param(ret, "q");
        ret->q = q.p == NULL ? 1000 : parse_q(q);
        return true;
    }
    return false;
}

static const struct { const char *type, *stream; } formats[] = {
    [OUT_JSON]     = { "application/json", "application/json" },
    [OUT_YAML]     = { "application/yaml", NULL },
    [OUT_PROTOBUF] = { "application/vnd.kubernetes.protobuf",
                       "application/vnd.kubernetes.protobuf;stream=watch" },
    [OUT_CBOR]     = { "application/cbor", "application/cbor-seq" },
};

static bool type_format(struct str type, enum out_format *ret)
{
    if (str_is(type, "*/*") || str_ieq(type, STR("application/*"))) {
        *ret = OUT_JSON;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_ieq(type, str_of(formats[i].type)) ||
            (i == OUT_CBOR && str_ieq(type, str_of(formats[i].stream)))) {
            *ret = (enum out_format)i;
            return true;
        }
    return false;
}

/* What this media range asks for, if we can make it. */
static bool media_accept(const struct media *m, unsigned can, struct accept *ret)
{
    struct str as, g, v;

    if (!type_format(m->type, &ret->format))
        return false;
    ret->shape = OUT_OBJECT;
    ret->version = "v1";
    as = media_param(m, "as");
    if (as.n == 0)
        return ret->format != OUT_PROTOBUF || (can & ACCEPT_PROTOBUF);
    g = media_param(m, "g");
    v = media_param(m, "v");
    if (!(can & ACCEPT_TABLE) || !str_is(g, "meta.k8s.io") || (!str_is(v, "v1") && !str_is(v, "v1beta1")))
        return false;
    ret->version = str_is(v, "v1") ? "v1" : "v1beta1";
    if (str_is(as, "Table") && ret->format != OUT_PROTOBUF)
        ret->shape = OUT_TABLE;
    else if (str_is(as, "PartialObjectMetadata"))
        ret->shape = OUT_PARTIAL;
    else if (str_is(as, "PartialObjectMetadataList"))
        ret->shape = OUT_PARTIAL_LIST;
    else
        return false;
    return true;
}

bool accept_parse(struct str header, unsigned can, struct accept *ret)
{
    struct media  m;
    struct accept best = { OUT_JSON, OUT_OBJECT, "v1", false }, one = best;
    unsigned      best_q = 0;
    bool          any = false;

    while (media_next(&header, &m)) {
        any = true;
        if (m.q > best_q && media_accept(&m, can, &one)) {
            best = one;
            best_q = m.q;
        }
    }
    if (any && best_q == 0)
        return false;
    *ret = best;
    return true;
}

const char *accept_content_type(const struct accept *a)
{
    return formats[a->format].type;
}

const char *accept_stream_type(const struct accept *a)
{
    return formats[a->format].stream;
}

int accept_discovery(struct str header)
{
    struct media m;
    unsigned     best_q = 0;
    int          best = 0;

    while (media_next(&header, &m)) {
        int        level = 0;
        struct str v = media_param(&m, "v");

        if (m.q <= best_q || !(str_ieq(m.type, STR("application/json")) || str_is(m.type, "*/*")))
            continue;
        if (media_param(&m, "as").n > 0) {
            if (!str_is(media_param(&m, "as"), "APIGroupDiscoveryList") ||
                !str_is(media_param(&m, "g"), "apidiscovery.k8s.io"))
                continue;
            level = str_is(v, "v2") ? 2 : str_is(v, "v2beta1") ? 1 : -1;
            if (level < 0)
                continue;
        }
        best = level;
        best_q = m.q;
    }
    return best;
}

enum body_format body_format_of(struct str content_type)
{
    static const struct { const char *type; enum body_format format; } known[] = {
        { "application/json", BODY_JSON },
        { "application/yaml", BODY_YAML },
        { "application/x-yaml", BODY_YAML },
        { "text/yaml", BODY_YAML },
        { "application/vnd.kubernetes.protobuf", BODY_PROTOBUF },
        { "application/cbor", BODY_CBOR },
        { "application/json-patch+json", BODY_JSON_PATCH },
        { "application/merge-patch+json", BODY_MERGE_PATCH },
        { "application/strategic-merge-patch+json", BODY_STRATEGIC_PATCH },
        { "application/apply-patch+yaml", BODY_APPLY_PATCH },
        { "application/apply-patch+cbor", BODY_APPLY_PATCH_CBOR },
    };
    struct media m;

    if (!media_next(&content_type, &m))
        return BODY_JSON;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_ieq(m.type, str_of(known[i].type)))
            return known[i].format;
    return BODY_UNKNOWN;
}
