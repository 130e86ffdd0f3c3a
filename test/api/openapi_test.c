/* test/api/openapi_test.c: discovery and OpenAPI documents parse, hold together, and show what clients look for. */
#include "test/api/api_fixture.h"

/* All that is built in. */
static const struct resource_set *built_in(void)
{
    static const struct resource *rows[256];
    static struct resource_set    all;

    CHECK(schema_n_resources < ARRAY_LEN(rows));
    for (all.n = 0; all.n < schema_n_resources; all.n++)
        rows[all.n] = &schema_resources[all.n];
    all.at = rows;
    return &all;
}

static struct blob *v3(const char *path)
{
    struct openapi_gv gv;

    return openapi_find(built_in(), str_of(path), &gv) ? openapi_v3(&gv) : NULL;
}

static struct str hash_tag(void *arg, const struct openapi_gv *gv)
{
    struct blob *b = openapi_v3(gv);
    struct str   tag = arena_fmt(arg, "%016llX", (unsigned long long)openapi_hash(blob_str(b)));

    blob_unref(b);
    return tag;
}

static struct json *document(struct arena *a, struct blob *b)
{
    struct json_error err = { .text = "no document" };
    struct json *j = NULL;

    if (b == NULL || json_parse(a, arena_str(a, blob_str(b)), &j, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s at %zu", err.text, err.offset);
    blob_unref(b);
    return j;
}

static const struct json *named(const struct json *list, const char *key, const char *name)
{
    json_each(v, list)
        if (str_is(json_path_str(v, key), name))
            return v;
    return NULL;
}

TEST(legacy_discovery)
{
    struct arena a = ARENA_INIT;
    struct json *list = document(&a, discovery_resource_list(built_in(), STR(""), STR("v1")));
    const struct json *r = named(json_getz(list, "resources"), "name", "pods");

    CHECK_STR(json_path_str(list, "groupVersion"), "v1");
    CHECK_JSON(&a, r, "{'name':'pods','singularName':'pod','namespaced':true,'kind':'Pod','verbs':['create','delete','deletecollection',"
                      "'get','list','patch','update','watch'],'shortNames':['po'],'categories':['all'],'storageVersionHash':'xPOwRZ+Yhw8='}");
    r = named(json_getz(list, "resources"), "name", "pods/eviction");            /* drain looks for exactly this */
    CHECK_JSON(&a, r, "{'name':'pods/eviction','singularName':'','namespaced':true,'group':'policy','version':'v1','kind':'Eviction',"
                      "'verbs':['create']}");
    list = document(&a, discovery_group_list(built_in()));
    CHECK(named(json_getz(list, "groups"), "name", "apps") != NULL);
    CHECK(named(json_getz(list, "groups"), "name", "") == NULL);
    CHECK_JSON(&a, document(&a, discovery_group(built_in(), STR("policy"))), "{'kind':'APIGroup','apiVersion':'v1','name':'policy','versions':"
               "[{'groupVersion':'policy/v1','version':'v1'}],'preferredVersion':{'groupVersion':'policy/v1','version':'v1'}}");
    CHECK(discovery_group(built_in(), STR("")) == NULL && discovery_group(built_in(), STR("none")) == NULL);
    CHECK(discovery_resource_list(built_in(), STR("apps"), STR("v2")) == NULL);
    CHECK_STR(json_path_str(document(&a, discovery_api_versions()), "versions.0"), "v1");
    arena_release(&a);
}

TEST(aggregated_discovery)
{
    struct arena a = ARENA_INIT;
    struct json *core = document(&a, discovery_aggregated(built_in(), true, false)), *rest = document(&a, discovery_aggregated(built_in(), false, true));
    const struct json *apps = named(json_getz(rest, "items"), "metadata.name", "apps"), *r;

    CHECK_STR(json_path_str(core, "apiVersion"), "apidiscovery.k8s.io/v2");
    CHECK_STR(json_path_str(rest, "apiVersion"), "apidiscovery.k8s.io/v2beta1");
    CHECK_INT(json_getz(core, "items")->n, 1);
    CHECK_STR(json_path_str(apps, "versions.0.freshness"), "Current");
    r = named(json_path(apps, "versions.0.resources"), "resource", "deployments");
    CHECK_STR(json_path_str(r, "scope"), "Namespaced");
    CHECK_STR(json_path_str(r, "singularResource"), "deployment");
    CHECK_JSON(&a, json_path(r, "responseKind"), "{'group':'apps','version':'v1','kind':'Deployment'}");
    CHECK_JSON(&a, json_path(r, "subresources.0"), "{'subresource':'scale','responseKind':{'group':'autoscaling','version':'v1','kind':'Scale'},"
                                                   "'verbs':['get','patch','update']}");
    arena_release(&a);
}

/* Every $ref leads somewhere. */
static void check_refs(const struct json *j, const struct json *schemas, const char *prefix)
{
    struct str ref = json_str(json_getz(j, "$ref"));

    if (ref.n > 0) {
        CHECK(str_starts(ref, str_of(prefix)));
        if (json_get(schemas, str_from(ref, strlen(prefix))) == NULL)
            test_fail(__FILE__, __LINE__, "%.*s leads nowhere", STR_ARG(ref));
    }
    json_each(v, j)
        check_refs(v, schemas, prefix);
}

TEST(openapi_v3_of_every_group_version)
{
    struct arena a = ARENA_INIT;
    struct json *index = document(&a, openapi_v3_index(built_in(), hash_tag, &a));
    struct str again = text_of(&a, document(&a, openapi_v3_index(built_in(), hash_tag, &a)));
    unsigned n = 0;

    CHECK(str_eq(again, text_of(&a, index)));
    json_each(p, json_getz(index, "paths")) {
        struct json *doc = document(&a, v3(arena_cstr(&a, p->key)));
        struct str url = json_path_str(p, "serverRelativeURL");

        CHECK(str_starts(url, arena_fmt(&a, "/openapi/v3/%.*s?hash=", STR_ARG(p->key))));
        CHECK_STR(json_path_str(doc, "openapi"), "3.0.0");
        check_refs(doc, json_path(doc, "components.schemas"), "#/components/schemas/");
        n++;
    }
    CHECK(n >= 8);
    CHECK(v3("apis/none/v1") == NULL && v3("") == NULL);
    arena_release(&a);
}

/* What kubectl 1.29 and later decide server-side validation by. */
TEST(patch_operations_know_field_validation)
{
    struct arena a = ARENA_INIT;
    struct json *doc = document(&a, v3("apis/apps/v1"));
    const struct json *op = json_get(json_getz(doc, "paths"), STR("/apis/apps/v1/namespaces/{namespace}/deployments/{name}"));

    op = json_getz(op, "patch");
    CHECK_JSON(&a, json_getz(op, "x-kubernetes-group-version-kind"), "{'group':'apps','kind':'Deployment','version':'v1'}");
    CHECK(named(json_getz(op, "parameters"), "name", "fieldValidation") != NULL);
    arena_release(&a);
}

TEST(openapi_v2_has_merge_keys_and_kinds)
{
    struct arena a = ARENA_INIT;
    struct json *doc = document(&a, openapi_v2(built_in()));
    const struct json *defs = json_getz(doc, "definitions"), *spec = json_getz(defs, "io.k8s.api.core.v1.PodSpec");

    check_refs(doc, defs, "#/definitions/");
    CHECK_STR(json_path_str(spec, "properties.containers.x-kubernetes-patch-merge-key"), "name");
    CHECK_STR(json_path_str(spec, "properties.containers.x-kubernetes-patch-strategy"), "merge");
    CHECK_STR(json_path_str(spec, "properties.volumes.x-kubernetes-patch-strategy"), "merge,retainKeys");
    CHECK_JSON(&a, json_path(spec, "required"), "['containers']");
    CHECK_JSON(&a, json_getz(json_getz(defs, "io.k8s.api.apps.v1.Deployment"), "x-kubernetes-group-version-kind"),
               "[{'group':'apps','kind':'Deployment','version':'v1'}]");
    arena_release(&a);
}

/* How many fields of a message have this number, and the bytes of the last. */
static unsigned fields_of(struct str in, uint64_t number, struct str *ret_last)
{
    unsigned n = 0;

    while (in.n > 0) {
        uint64_t tag, value;
        struct str bytes = STR_NONE;

        if (!str_varint(&in, &tag) || !str_varint(&in, &value)
            || ((tag & 7) == 2 && !str_take(&in, (size_t)value, &bytes)) || ((tag & 7) != 2 && (tag & 7) != 0)) {
            test_fail(__FILE__, __LINE__, "malformed");
            return n;
        }
        if (tag >> 3 != number)
            continue;
        *ret_last = bytes;
        n++;
    }
    return n;
}

/* The same document in protobuf: as many paths and definitions, and a merge key where one belongs. */
TEST(openapi_v2_as_protobuf)
{
    struct arena a = ARENA_INIT;
    struct json *doc = document(&a, openapi_v2(built_in()));
    struct blob *b = openapi_v2_pb(built_in());
    struct str part = STR_NONE, name = STR_NONE;

    CHECK_INT(fields_of(blob_str(b), 1, &part), 1);
    CHECK_STR(part, "2.0");
    CHECK_INT(fields_of(blob_str(b), 8, &part), 1);
    CHECK_INT(fields_of(part, 2, &name), json_getz(doc, "paths")->n);
    CHECK_INT(fields_of(blob_str(b), 9, &part), 1);
    CHECK_INT(fields_of(part, 1, &name), json_getz(doc, "definitions")->n);
    CHECK_INT(fields_of(name, 1, &part), 1);                     /* the last definition has a name ... */
    CHECK(json_get(json_getz(doc, "definitions"), part) != NULL);
    CHECK_INT(fields_of(name, 2, &part), 1);                     /* ... and a schema with a description */
    CHECK_INT(fields_of(part, 4, &name), 1);
    blob_unref(b);
    arena_release(&a);
}
