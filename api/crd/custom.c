/* api/crd/custom.c: see api/crd/custom.h: a stored definition as rows. */
#include "api/crd/custom.h"
#include "api/crd/rule.h"
#include "api/json_query.h"
#include "api/json_scan.h"
#include "api/openapi.h"

#define GENERIC_VERBS                                                                                        \
    (VERB_GET | VERB_LIST | VERB_WATCH | VERB_CREATE | VERB_UPDATE | VERB_PATCH | VERB_DELETE |              \
     VERB_DELETECOLLECTION)

static const char *own(struct custom *cu, struct str s) { return arena_cstr(&cu->arena, s); }

static const char *own_member(struct custom *cu, const struct json *obj, const char *key)
{
    return own(cu, json_str(json_getz(obj, key)));
}

/* ---- Names -------------------------------------------------------------------------------------- */

static const char *const *own_list(struct custom *cu, const struct json *list)
{
    const char **names = arena_alloc(&cu->arena, ((list != NULL ? list->n : 0) + 1) * sizeof(*names));
    unsigned n = 0;

    json_each(v, list)
        names[n++] = own(cu, json_str(v));
    names[n] = NULL;
    return names;
}

/* "com.example.stable.v1.CronTab": as OpenAPI names types of Go packages. */
static const char *type_name(struct custom *cu, const char *version, const char *kind)
{
    struct buf b = BUF_INIT;
    struct str rest = cu->group;
    const char *name;

    while (rest.n > 0) {
        size_t at = rest.n;

        while (at > 0 && rest.p[at - 1] != '.')
            at--;
        buf_str_add(&b, str_from(rest, at));
        buf_char(&b, '.');
        rest = str_upto(rest, at > 0 ? at - 1 : 0);
    }
    buf_fmt(&b, "%s.%s", version, kind);
    name = own(cu, buf_str(&b));
    buf_release(&b);
    return name;
}

/* ---- Columns ------------------------------------------------------------------------------------ */

static const struct schema_column name_column = {
    .name = "Name", .type = "string", .format = "name", .path = "metadata.name",
    .help = "Name must be unique within a namespace.",
};

static void column_of(struct custom *cu, const struct json *said, struct schema_column *c)
{
    struct errbuf err;

    /* a path that was let in by another program and is none leads nowhere */
    *c = (struct schema_column){
        .name = own_member(cu, said, "name"), .type = own_member(cu, said, "type"),
        .format = own_member(cu, said, "format"), .help = own_member(cu, said, "description"),
        .priority = (int)json_i64_or(json_getz(said, "priority"), 0),
    };
    if (json_query_compile(&cu->arena, json_str(json_getz(said, "jsonPath")), &c->query, &err) < 0)
        c->query = NULL;
}

static void add_columns(struct custom *cu, const struct json *version, struct custom_version *v)
{
    const struct json *said = json_getz(version, "additionalPrinterColumns");
    unsigned n = 1;
    struct schema_column *c;

    c = arena_zalloc(&cu->arena, ((said != NULL ? said->n : 0) + 2) * sizeof(*c));
    c[0] = name_column;
    json_each(one, said)
        column_of(cu, one, &c[n++]);
    if (n == 1) {
        struct errbuf err;

        c[n] = (struct schema_column){ .name = "Age", .type = "date", .format = "",
                                       .help = "When the object was made." };
        must_ok(json_query_compile(&cu->arena, STR(".metadata.creationTimestamp"), &c[n++].query, &err));
    }
    v->res.columns = c;
    v->res.n_columns = n;
}

/* ---- One version -------------------------------------------------------------------------------- */

/* ".spec.replicas" as a dotted path. */
static const char *dotted(struct custom *cu, const struct json *v)
{
    struct str s = json_str(v);

    return s.n > 1 && s.p[0] == '.' ? own(cu, str_from(s, 1)) : NULL;
}

static void add_subresources(struct custom *cu, const struct json *version, struct custom_version *v)
{
    const struct json *subs = json_getz(version, "subresources"), *scale = json_getz(subs, "scale");
    unsigned n = 0;

    if (json_is(json_getz(subs, "status"), JSON_OBJECT)) {
        v->sub[n++] = (struct resource_sub){ .name = "status", .verbs = VERB_GET | VERB_UPDATE | VERB_PATCH,
                                             .of_status = true };
        v->res.has_status = true;
    }
    if (json_is(scale, JSON_OBJECT)) {
        v->sub[n] = (struct resource_sub){ .name = "scale", .verbs = VERB_GET | VERB_UPDATE | VERB_PATCH };
        v->sub[n++].kind = schema_kind_find(STR("autoscaling"), STR("v1"), STR("Scale"));
        v->spec_replicas = dotted(cu, json_getz(scale, "specReplicasPath"));
        v->status_replicas = dotted(cu, json_getz(scale, "statusReplicasPath"));
        v->labels = dotted(cu, json_getz(scale, "labelSelectorPath"));
    }
    v->res.subs = v->sub;
    v->res.n_subs = n;
}

static const char *const *selectable(struct custom *cu, const struct json *version)
{
    const struct json *list = json_getz(version, "selectableFields");
    const char **paths = arena_zalloc(&cu->arena, ((list != NULL ? list->n : 0) + 1) * sizeof(*paths));
    unsigned n = 0;

    json_each(f, list) {
        const char *path = dotted(cu, json_getz(f, "jsonPath"));

        if (path != NULL)
            paths[n++] = path;
    }
    return paths;
}

static struct str deprecation(struct custom *cu, const struct json *version, const struct custom_version *v)
{
    const struct json *said = json_getz(version, "deprecationWarning");

    if (!json_true(json_getz(version, "deprecated")))
        return STR_NONE;
    if (json_is(said, JSON_STRING))
        return arena_str(&cu->arena, said->s);
    return arena_fmt(&cu->arena, "%s/%s %s is deprecated", v->kind.group, v->kind.version, v->kind.kind);
}

/* Lists look like every kind's: the built-in list of partial objects has the same members. */
static void name_types(struct custom *cu, struct custom_version *v)
{
    const struct schema_kind *partial = schema_kind_find(STR("meta.k8s.io"), STR("v1"),
                                                         STR("PartialObjectMetadataList"));

    must(partial != NULL);
    v->type = (struct schema_type){ .name = type_name(cu, v->kind.version, v->kind.kind), .help = "" };
    v->list_type = *partial->type;
    v->list_type.name = type_name(cu, v->kind.version, v->list.kind);
    v->kind.type = &v->type;
    v->list.type = &v->list_type;
}

static void version_make(struct custom *cu, const struct json *spec, const struct json *names,
                         const struct json *version, struct custom_version *v)
{
    const char *group = own(cu, cu->group), *name = own_member(cu, version, "name");

    v->of = cu;
    v->kind = (struct schema_kind){ .group = group, .version = name, .kind = own_member(cu, names, "kind") };
    v->list =
        (struct schema_kind){ .group = group, .version = name, .kind = own_member(cu, names, "listKind") };
    name_types(cu, v);
    v->served = json_true(json_getz(version, "served"));
    v->storage = json_true(json_getz(version, "storage"));
    v->warning = deprecation(cu, version, v);
    v->res = (struct resource){
        .kind = &v->kind,
        .list = &v->list,
        .plural = own(cu, cu->plural),
        .singular = own_member(cu, names, "singular"),
        .short_names = own_list(cu, json_getz(names, "shortNames")),
        .categories = own_list(cu, json_getz(names, "categories")),
        .verbs = GENERIC_VERBS,
        .namespaced = str_is(json_str(json_getz(spec, "scope")), "Namespaced"),
        .has_generation = true,
        .select = selectable(cu, version),
        .index = RESOURCE_CUSTOM,
        .storage = arena_fmt(&cu->arena, "%.*s/%.*s", STR_ARG(cu->group), STR_ARG(cu->plural)).p,
    };
    add_subresources(cu, version, v);
    v->info = (struct resource_info){
        .hooks = &kind_custom,
        .base = &v->res,
        .prefix = arena_fmt(&cu->arena, "/registry/%s/", v->res.storage),
    };
}

/* ---- A definition ------------------------------------------------------------------------------- */

static bool condition_is_true(const struct json *obj, const char *type)
{
    json_each(c, json_path(obj, "status.conditions"))
        if (str_is(json_str(json_getz(c, "type")), type))
            return str_is(json_str(json_getz(c, "status")), "True");
    return false;
}

/* Only what rows are made of is copied: most of a definition is schemas, which are not looked at here. */
static void custom_fill(struct custom *cu, const struct json *obj)
{
    const struct json *spec = json_getz(obj, "spec"), *names = json_path(obj, "status.acceptedNames"),
                      *versions = json_getz(spec, "versions");

    cu->group = arena_str(&cu->arena, json_str(json_getz(spec, "group")));
    cu->plural = arena_str(&cu->arena, json_path_str(spec, "names.plural"));
    cu->established = condition_is_true(obj, "Established");
    cu->webhook = str_is(json_path_str(spec, "conversion.strategy"), "Webhook");
    cu->ending = json_path(obj, "metadata.deletionTimestamp") != NULL;
    if (!json_is(versions, JSON_ARRAY) || versions->n == 0)
        return;
    cu->version = arena_zalloc(&cu->arena, versions->n * sizeof(*cu->version));
    json_each(version, versions)
        version_make(cu, spec, names, version, &cu->version[cu->n++]);
}

struct custom *custom_new(struct blob *text, struct str name, uint64_t mod_rev)
{
    struct arena a = ARENA_INIT;
    struct custom *cu;
    struct json_error why;
    struct json *obj;
    struct str raw = blob_str(text);

    if (json_parse(&a, raw, &obj, &why) < 0 || !json_is(obj, JSON_OBJECT)) {
        arena_release(&a);
        return NULL;
    }
    cu = mem_new(struct custom);
    cu->refs = 1;
    arena_init_sized(&cu->arena, 1024);
    cu->text = blob_ref(text);
    cu->name = arena_str(&cu->arena, name);
    cu->mod_rev = cu->since = mod_rev;
    if (!json_scan_path(raw, "spec", &cu->spec))
        cu->spec = STR_NONE;
    if (!json_scan_path(raw, "status.acceptedNames", &cu->names))
        cu->names = STR_NONE;
    cu->hash = openapi_hash(cu->spec) * 31 + openapi_hash(cu->names);
    custom_fill(cu, obj);
    arena_release(&a);
    return cu;
}

void custom_unref(struct custom *cu)
{
    if (cu == NULL)
        return;
    must(cu->refs > 0);
    if (--cu->refs > 0)
        return;
    blob_unref(cu->text);
    arena_release(&cu->arena);
    mem_free(cu);
}

const struct custom_version *custom_storage(const struct custom *cu)
{
    for (unsigned i = 0; i < cu->n; i++)
        if (cu->version[i].storage)
            return &cu->version[i];
    return &cu->version[0];                      /* definitions without one are not stored */
}

/* ---- Schemas ------------------------------------------------------------------------------------ */

static const struct json *version_in(const struct json *definition, struct str version)
{
    json_each(v, json_path(definition, "spec.versions"))
        if (str_eq(json_str(json_getz(v, "name")), version))
            return v;
    return NULL;
}

const struct json *custom_schema(const struct json *definition, struct str version)
{
    return json_path(version_in(definition, version), "schema.openAPIV3Schema");
}

void custom_make_columns(struct custom_version *v)
{
    struct arena a = ARENA_INIT;
    struct json_error why;
    struct json *obj;

    if (!v->tabled && json_parse(&a, blob_str(v->of->text), &obj, &why) == 0)
        add_columns(v->of, version_in(obj, str_of(v->kind.version)), v);
    v->tabled = true;
    arena_release(&a);
}

int custom_compile(struct custom_version *v, struct errbuf *err)
{
    struct arena a = ARENA_INIT;
    struct json_error why;
    struct json *obj;
    int rc;

    if (v->compiled)
        return 0;
    rc = json_parse(&a, blob_str(v->of->text), &obj, &why);
    if (rc < 0)
        err_set(err, rc, "%s", why.text);
    else
        rc = crd_compile(custom_schema(obj, str_of(v->kind.version)), &v->of->arena, &v->type, err);
    if (rc == 0)
        crd_rules_compile(v->type.user, &v->of->arena, NULL, NULL);
    v->compiled = rc == 0;
    arena_release(&a);
    return rc;
}

/* ---- Reading ------------------------------------------------------------------------------------ */

/* Objects are stored with their version in front ... */
static bool is_of_version(const struct custom_version *v, struct str stored)
{
    struct str version, text;

    if (!json_scan_path(stored, "apiVersion", &version) || version.n < 2)
        return false;
    text = str_make(version.p + 1, version.n - 2);
    return str_starts(text, v->of->group) && text.n > v->of->group.n &&
           str_is(str_from(text, v->of->group.n + 1), v->kind.version);
}

bool custom_needs_webhook(const struct custom_version *v, struct str stored)
{
    return v->of->webhook && !is_of_version(v, stored);
}

/* ... and the revision in their metadata. */
bool custom_reads_plain(const struct custom_version *v, struct str stored)
{
    struct str rev_text;
    uint64_t rev = 0;

    if (!is_of_version(v, stored))
        return false;
    if (!json_scan_path(stored, "metadata.resourceVersion", &rev_text) || rev_text.n < 3)
        return false;
    return str_u64(str_make(rev_text.p + 1, rev_text.n - 2), &rev) && rev >= v->of->since;
}

void custom_from_stored(struct custom_version *v, struct json *obj, struct arena *a)
{
    struct errbuf err;

    if (!json_is(obj, JSON_OBJECT))
        return;
    /* in a list: as it is, and it says so */
    if (v->of->webhook && !str_eq(json_str(json_getz(obj, "apiVersion")), schema_api_version(a, &v->kind)))
        return;
    json_setz(a, obj, "apiVersion", json_string_ref(a, schema_api_version(a, &v->kind)));
    json_setz(a, obj, "kind", json_string_ref(a, str_of(v->kind.kind)));
    /* what older schemas let in and this one cannot read stays as it is */
    if (custom_compile(v, &err) == 0 && schema_conform(&v->kind, obj, a, NULL, &err) == 0)
        schema_default(v->kind.type, obj, a);
}
