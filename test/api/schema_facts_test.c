/* test/api/schema_facts_test.c: the schema says of every kind what the original's API says: no resource, type, field or
 * value is missing, and types, protobuf numbers, merge keys and list types are the same.  Compares with
 * ../shared/kubernetes-facts; passes over what isn't there. */
#include "test/api/api_fixture.h"

#define FACTS "../shared/kubernetes-facts/"
#define MAX_COLUMNS 12

struct table { FILE *in; char *line; size_t cap; struct str column[MAX_COLUMNS]; unsigned n; };

static bool table_open(struct table *t, const char *file)
{
    char path[200];

    *t = (struct table){ 0 };
    snprintf(path, sizeof path, FACTS "%s", file);
    t->in = fopen(path, "r");
    return t->in != NULL && getline(&t->line, &t->cap, t->in) > 0;      /* the first line names the columns */
}

static bool table_next(struct table *t)
{
    ssize_t n = getline(&t->line, &t->cap, t->in);
    struct str rest = n > 0 ? str_make(t->line, (size_t)n - (t->line[n - 1] == '\n')) : STR_NONE;

    t->n = 0;
    while (n > 0 && t->n < MAX_COLUMNS && str_split(&rest, '\t', &t->column[t->n]))
        t->n++;
    for (unsigned i = t->n; i < MAX_COLUMNS; i++)
        t->column[i] = STR("");
    if (n <= 0) {
        free(t->line);
        fclose(t->in);
    }
    return n > 0;
}

/* "core/v1.PodSpec" of the facts as OpenAPI names it. */
static struct str openapi_name(struct arena *a, struct str fact)
{
    static const struct { const char *fact, *openapi; } others[] = {
        { "meta/v1", "io.k8s.apimachinery.pkg.apis.meta.v1" },
        { "apiextensions/v1", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1" },
        { "apiregistration/v1", "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1" },
    };
    ptrdiff_t slash = str_find(fact, '/'), dot = str_find(fact, '.');
    struct str package = str_make(fact.p, (size_t)dot), name = str_from(fact, (size_t)dot + 1);

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_is(package, others[i].fact))
            return arena_fmt(a, "%s.%.*s", others[i].openapi, STR_ARG(name));
    return arena_fmt(a, "io.k8s.api.%.*s.%.*s.%.*s", (int)slash, fact.p, (int)(dot - slash - 1), fact.p + slash + 1,
                     STR_ARG(name));
}

static const struct schema_type *type_of(struct arena *a, struct str fact)
{
    struct str name = openapi_name(a, fact);

    for (unsigned i = 0; i < schema_n_types; i++)
        if (str_is(name, schema_types[i].name))
            return &schema_types[i];
    return NULL;
}

/* ---- which types must be there ------------------------------------------------------------------ */

/* Types that no resource leads to: options in URLs, messages to webhooks, other documents, and what the schema says
 * by other means. */
static bool is_elsewhere(struct str fact)
{
    static const char *const prefixes[] = { "admission/", "apidiscovery/", "meta/v1.", "apiextensions/v1.Conversion",
                                            "autoscaling/v1." };
    static const char *const types[] = {
        "apiextensions/v1.JSON", "core/v1.PodStatusResult", "core/v1.AvoidPods", "core/v1.PreferAvoidPodsEntry",
        "core/v1.PodSignature", "core/v1.Preconditions", "core/v1.PodPortForwardOptions", "core/v1.PodProxyOptions",
        "core/v1.NodeProxyOptions", "core/v1.ServiceProxyOptions", "core/v1.SerializedReference", "core/v1.RangeAllocation",
    };

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(fact, str_of(prefixes[i])))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_is(fact, types[i]))
            return true;
    return false;
}

/* ---- fields -------------------------------------------------------------------------------------- */

/* Whether the field's type is what the facts say; `fact` without [] and map:. */
static bool same_base(struct arena *a, const struct schema_field *f, struct str fact)
{
    static const struct { const char *fact; uint8_t base; } plain[] = {
        { "string", SCHEMA_STRING }, { "bool", SCHEMA_BOOL }, { "int32", SCHEMA_INT32 }, { "int64", SCHEMA_INT64 },
        { "double", SCHEMA_DOUBLE }, { "bytes", SCHEMA_BYTES }, { "time", SCHEMA_TIME }, { "microtime", SCHEMA_MICROTIME },
        { "quantity", SCHEMA_QUANTITY }, { "intorstring", SCHEMA_INT_OR_STRING }, { "any", SCHEMA_RAW },
        { "meta/v1.FieldsV1", SCHEMA_FIELDS_V1 }, { "[]string", SCHEMA_STRINGS },
    };

    if (str_starts(fact, STR("string:")))
        return f->base == SCHEMA_STRING;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (str_is(fact, plain[i].fact))
            return f->base == plain[i].base;
    if (f->either != NULL)
        return str_is(openapi_name(a, fact), f->either->name);
    if (str_is(fact, "apiextensions/v1.JSON"))
        return f->base == SCHEMA_RAW;
    return f->base == SCHEMA_OBJECT && str_is(openapi_name(a, fact), f->type->name);
}

static const char *wrong_shape(struct arena *a, const struct schema_field *f, struct str fact)
{
    uint8_t shape = SCHEMA_ONE;

    if (str_starts(fact, STR("[]")))
        shape = SCHEMA_LIST, fact = str_from(fact, 2);
    else if (str_starts(fact, STR("map:")))
        shape = SCHEMA_MAP, fact = str_from(fact, 4);
    if (f->shape != shape)
        return "shape";
    return same_base(a, f, fact) ? NULL : "type";
}

static const char *wrong_merge(const struct schema_field *f, const struct table *t)
{
    struct str strategy = t->column[4], key = t->column[5], list = t->column[6], keys = t->column[7];
    bool merge = str_starts(strategy, STR("merge")), retain = strategy.n > 0 && memchr(strategy.p, 'K', strategy.n) != NULL;
    struct buf own = BUF_INIT;
    bool same;

    if (merge != !!(f->flags & SCHEMA_PATCH_MERGE) || retain != !!(f->flags & SCHEMA_RETAIN_KEYS))
        return "patch strategy";
    if (!str_eq(key, f->merge_key != NULL ? str_of(f->merge_key) : STR("")))
        return "merge key";
    for (const char *const *k = f->list_keys; k != NULL && *k != NULL; k++)
        buf_fmt(&own, "%s%s", own.n > 0 ? "," : "", *k);
    same = str_eq(buf_str(&own), keys);
    buf_release(&own);
    if (!same)
        return "list keys";
    if (f->shape == SCHEMA_LIST && list.n > 0)
        return str_is(list, "map") == (f->list_type == SCHEMA_BY_KEYS) && str_is(list, "set") == (f->list_type == SCHEMA_SET)
            ? NULL : "list type";
    return (f->shape != SCHEMA_LIST && str_is(list, "atomic") && f->base != SCHEMA_BYTES) != (f->list_type == SCHEMA_ATOMIC)
        && f->shape != SCHEMA_LIST && f->base != SCHEMA_BYTES ? "map type" : NULL;
}

static const char *wrong_field(struct arena *a, const struct schema_type *type, const struct table *t)
{
    const struct schema_field *f = schema_field(type, t->column[1]);
    const char *why;
    char number[16];

    if (f == NULL)
        return "missing";
    if ((why = wrong_shape(a, f, t->column[2])) != NULL)
        return why;
    snprintf(number, sizeof number, "%u", f->pb);
    if (t->column[8].n > 0 && !str_is(t->column[8], number))
        return "protobuf number";
    if (str_is(t->column[3], "optional") && (f->flags & SCHEMA_ALWAYS))
        return "required in OpenAPI";
    if (str_is(t->column[3], "required") && !(f->flags & (SCHEMA_ALWAYS | SCHEMA_REQUIRED)) && f->default_json == NULL)
        return "not required in OpenAPI";
    return wrong_merge(f, t);
}

TEST(all_types_and_fields_are_those_of_the_original)
{
    struct arena a = ARENA_INIT;
    struct table t;
    unsigned seen = 0;

    if (!table_open(&t, "fields.tsv"))
        return;
    while (table_next(&t)) {
        const struct schema_type *type = type_of(&a, t.column[0]);
        const char *why = NULL;

        if (is_elsewhere(t.column[0]) && type == NULL)
            continue;
        if (type == NULL)
            why = "no such type";
        else if (!str_is(t.column[1], "<inline>"))
            why = wrong_field(&a, type, &t);
        if (why != NULL)
            test_fail(__FILE__, __LINE__, "%.*s %.*s: %s", STR_ARG(t.column[0]), STR_ARG(t.column[1]), why);
        seen++;
    }
    CHECK(seen > 2000);
    arena_release(&a);
}

/* ---- values -------------------------------------------------------------------------------------- */

/* Where the schema has an enum for a named string type, it has all of its values. */
static void check_values(const struct schema_field *f, struct str fact, struct str values)
{
    struct str value;

    while (values.p != NULL && str_split(&values, ' ', &value)) {
        bool found = value.n == 0;

        for (unsigned i = 0; i < f->enums->n; i++)
            found |= str_is(value, f->enums->values[i]);
        if (!found)
            test_fail(__FILE__, __LINE__, "%.*s: no %.*s", STR_ARG(fact), STR_ARG(value));
    }
}

TEST(enums_have_all_their_values)
{
    struct arena a = ARENA_INIT;
    struct table values, t;
    unsigned checked = 0;

    if (!table_open(&values, "enums.tsv"))
        return;
    while (table_next(&values)) {
        struct str fact = arena_fmt(&a, "string:%.*s", STR_ARG(values.column[0]));

        if (str_is(values.column[0], "certificates/v1.KeyUsage"))        /* values with blanks: not told apart there */
            continue;
        must(table_open(&t, "fields.tsv"));
        while (table_next(&t)) {
            const struct schema_type *type = type_of(&a, t.column[0]);
            const struct schema_field *f = type != NULL ? schema_field(type, t.column[1]) : NULL;

            if (f == NULL || f->enums == NULL || !str_eq(t.column[2], fact))
                continue;
            check_values(f, values.column[0], arena_str(&a, values.column[1]));
            checked++;
        }
    }
    CHECK(checked > 50);
    arena_release(&a);
}

/* ---- resources ----------------------------------------------------------------------------------- */

static struct str joined(struct arena *a, const char *const *list)
{
    struct buf b = BUF_INIT;
    struct str s;

    for (; *list != NULL; list++)
        buf_fmt(&b, "%s%s", b.n > 0 ? " " : "", *list);
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

static uint32_t verbs_of(struct str text)
{
    static const char *const names[] = { "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection" };
    struct str verb;
    uint32_t bits = 0;

    while (text.n > 0 && str_split(&text, ' ', &verb))
        for (unsigned i = 0; i < ARRAY_LEN(names); i++)
            if (str_is(verb, names[i]))
                bits |= 1u << i;
    return bits;
}

/* Columns of the facts are those of an older version: ours has them all, perhaps others beside. */
static void check_columns(const struct resource *r, struct str columns)
{
    struct str one, part;

    while (columns.n > 0 && str_split(&columns, ';', &one)) {
        bool found = false;

        str_split(&one, ':', &part);
        for (unsigned i = 0; i < r->n_columns; i++)
            found |= str_is(part, r->columns[i].name);
        found |= str_is(part, "AssuredConcurrencyShares");              /* named otherwise since flowcontrol/v1 */
        if (!found)
            test_fail(__FILE__, __LINE__, "%s: no column %.*s", r->plural, STR_ARG(part));
    }
}

/* Tunnels to what runs on nodes, and changes to running pods, are there when nodes can serve them: told, no more. */
static void check_sub(const struct resource *r, struct str sub)
{
    static const char *const of_nodes[] = { "proxy", "portforward", "ephemeralcontainers", "resize" };
    bool told = false;

    if (resource_sub_find(r, sub) != NULL)
        return;
    for (size_t i = 0; i < ARRAY_LEN(of_nodes); i++)
        told |= str_is(sub, of_nodes[i]);
    if (told)
        fprintf(stderr, "no subresource %s/%.*s\n", r->plural, STR_ARG(sub));
    else
        test_fail(__FILE__, __LINE__, "%s: no subresource %.*s", r->plural, STR_ARG(sub));
}

TEST(resources_are_those_of_the_original)
{
    struct arena a = ARENA_INIT;
    struct table t;
    unsigned seen = 0;

    if (!table_open(&t, "resources.tsv"))
        return;
    while (table_next(&t)) {
        const struct resource *r = resource_find(t.column[0], t.column[1], t.column[2]);
        struct str subs = t.column[8], sub;

        seen++;
        if (r == NULL) {
            test_fail(__FILE__, __LINE__, "no resource %.*s", STR_ARG(t.column[2]));
            continue;
        }
        CHECK_STR(t.column[3], r->singular);
        CHECK_STR(t.column[4], r->kind->kind);
        CHECK(str_is(t.column[5], "true") == r->namespaced);
        CHECK(str_eq(joined(&a, r->short_names), t.column[6]));
        CHECK(str_eq(joined(&a, r->categories), t.column[7]));
        if (verbs_of(t.column[9]) != r->verbs)
            test_fail(__FILE__, __LINE__, "%s: other verbs", r->plural);
        while (subs.n > 0 && str_split(&subs, ' ', &sub))
            check_sub(r, sub);
        check_columns(r, t.column[10]);
    }
    CHECK_INT(seen, schema_n_resources);
    arena_release(&a);
}
