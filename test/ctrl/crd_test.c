/* test/ctrl/crd_test.c: kinds that users define, from definition to deletion: names, what is served and told of, what
 * is stored and read, older schemas and other versions, and that nothing is left behind. */
#include "test/ctrl/ctrl_rig.h"

#define CRDS  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define BOATS "/apis/sea.example.com/v1/namespaces/default/boats"
#define SUBS  "'subresources':{'status':{},'scale':{'specReplicasPath':'.spec.crew','statusReplicasPath':'.status.crew'," \
              "'labelSelectorPath':'.status.selector'}}"
#define COLUMNS "'additionalPrinterColumns':[{'name':'Crew','type':'integer','jsonPath':'.spec.crew'}," \
                "{'name':'Ready','type':'string','jsonPath':'.status.conditions[?(@.type==\\'Ready\\')].status'}]"

static void define(struct world *w, const char *name, const char *names, const char *versions, const char *more)
{
    char body[6000];

    snprintf(body, sizeof body, "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition','metadata':{'name':'%s.sea.example.com'},"
             "'spec':{'group':'sea.example.com','scope':'Namespaced','names':{%s},'versions':[%s]%s}}", name, names, versions, more);
    CALL(w->r, 201, "POST", CRDS, body);
    run(w, 100);
}

static void version_text(char *to, size_t n, const char *name, const char *flags, const char *schema, const char *more)
{
    snprintf(to, n, "{'name':'%s',%s,'schema':{'openAPIV3Schema':%s}%s}", name, flags, schema, more);
}

#define BOAT_NAMES "'plural':'boats','kind':'Boat','shortNames':['bo'],'categories':['all']"
#define BOAT_SCHEMA "{'type':'object','properties':{'spec':{'type':'object','properties':{'crew':{'type':'integer','default':1,'minimum':0}," \
                    "'name':{'type':'string'},'free':{'type':'object','x-kubernetes-preserve-unknown-fields':true}}},'status':{'type':'object'," \
                    "'x-kubernetes-preserve-unknown-fields':true}}}"

static void define_boats(struct world *w)
{
    char v[3000];

    version_text(v, sizeof v, "v1", "'served':true,'storage':true", BOAT_SCHEMA, "," SUBS ",'selectableFields':[{'jsonPath':'.spec.name'}]");
    define(w, "boats", BOAT_NAMES, v, "");
}

static void boat(struct world *w, int want, const char *name, const char *spec)
{
    char body[800];

    snprintf(body, sizeof body, "{'apiVersion':'sea.example.com/v1','kind':'Boat','metadata':{'name':'%s'},'spec':{%s}}", name, spec);
    CALL(w->r, want, "POST", BOATS, body);
}

static void check_text(struct world *w, const char *path, const char *at, const char *want)
{
    struct answer a = call(w->r, "GET", path, NULL);

    if (!str_is(json_path_str(a.obj, at), want))
        test_fail(__FILE__, __LINE__, "%s %s: %.*s", path, at, STR_ARG(a.body));
    answer_free(&a);
}

static void check_number(struct world *w, const char *path, const char *at, int64_t want)
{
    struct answer a = call(w->r, "GET", path, NULL);

    if (json_path_i64(a.obj, at, -77) != want)
        test_fail(__FILE__, __LINE__, "%s %s: %.*s", path, at, STR_ARG(a.body));
    answer_free(&a);
}

static bool says(struct world *w, const char *path, const char *text)
{
    struct answer a = call(w->r, "GET", path, NULL);
    bool is = a.status == 200 && memmem(a.body.p, a.body.n, text, strlen(text)) != NULL;

    answer_free(&a);
    return is;
}

static void change(struct world *w, int want, const char *path, const char *type, const char *body)
{
    w->r->type = type;
    CALL(w->r, want, "PATCH", path, body);
    w->r->type = NULL;
}

TEST(from_definition_to_deletion)
{
    struct world *w = world_open(0);
    struct answer a;

    CALL(w->r, 404, "GET", BOATS, NULL);
    a = call(w->r, "POST", CRDS "?dryRun=All", "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition','metadata':{'name':'odds.sea.example.com'},"
             "'spec':{'group':'sea.example.com','scope':'Cluster','names':{'plural':'odds','kind':'Odd'},'versions':[{'name':'v1','served':true,'storage':true,"
             "'schema':{'openAPIV3Schema':{'type':'object','properties':{'a':{'type':'string','format':'odd'},'b':{'type':'string','format':'odd'}}}}}]}}");
    CHECK_INT(a.status, 201);
    CHECK(strstr(a.extra, "unrecognized format \\\"odd\\\"") != NULL);
    answer_free(&a);
    define_boats(w);
    check_text(w, CRDS "/boats.sea.example.com", "status.conditions.0.type", "NamesAccepted");
    check_text(w, CRDS "/boats.sea.example.com", "status.conditions.1.type", "Established");
    check_text(w, CRDS "/boats.sea.example.com", "status.conditions.1.status", "True");
    check_text(w, CRDS "/boats.sea.example.com", "status.acceptedNames.listKind", "BoatList");
    check_text(w, CRDS "/boats.sea.example.com", "status.storedVersions.0", "v1");
    boat(w, 201, "a", "'name':'Ann'");
    boat(w, 409, "a", "'name':'Ann'");
    boat(w, 422, "b", "'crew':-1");
    check_number(w, BOATS "/a", "spec.crew", 1);
    check_number(w, BOATS "/a", "metadata.generation", 1);
    check_text(w, BOATS, "kind", "BoatList");
    check_text(w, BOATS "?fieldSelector=spec.name%3DAnn", "items.0.metadata.name", "a");
    check_text(w, BOATS "?fieldSelector=spec.name%3DBob", "items.0.metadata.name", "");
    CALL(w->r, 400, "GET", BOATS "?fieldSelector=spec.crew%3D1", NULL);
    /* all but strategic patches; status and spec apart */
    change(w, 415, BOATS "/a", CLIENT_STRATEGIC_PATCH, "{'spec':{'crew':2}}");
    change(w, 200, BOATS "/a", CLIENT_MERGE_PATCH, "{'spec':{'crew':2},'status':{'crew':9}}");
    check_number(w, BOATS "/a", "status.crew", -77);
    check_number(w, BOATS "/a", "metadata.generation", 2);
    change(w, 200, BOATS "/a/status", CLIENT_MERGE_PATCH, "{'spec':{'crew':3},'status':{'crew':2,'selector':'x=y'},'metadata':{'labels':{'a':'b'}}}");
    check_number(w, BOATS "/a", "spec.crew", 2);
    check_number(w, BOATS "/a", "status.crew", 2);
    check_number(w, BOATS "/a", "metadata.generation", 2);
    check_text(w, BOATS "/a", "metadata.labels.a", "");
    /* its size */
    check_text(w, BOATS "/a/scale", "status.selector", "x=y");
    check_number(w, BOATS "/a/scale", "spec.replicas", 2);
    change(w, 200, BOATS "/a/scale", CLIENT_MERGE_PATCH, "{'spec':{'replicas':5}}");
    check_number(w, BOATS "/a", "spec.crew", 5);
    /* no object without a revision may be replaced */
    CALL(w->r, 422, "PUT", BOATS "/a", "{'apiVersion':'sea.example.com/v1','kind':'Boat','metadata':{'name':'a'},'spec':{}}");
    /* deletion: with what has finalizers it waits, and nothing comes in meanwhile */
    change(w, 200, BOATS "/a", CLIENT_MERGE_PATCH, "{'metadata':{'finalizers':['x.y/z']}}");
    boat(w, 201, "c", "");
    CALL(w->r, 200, "DELETE", CRDS "/boats.sea.example.com", NULL);
    run(w, 3000);
    check_text(w, CRDS "/boats.sea.example.com", "metadata.finalizers.0", "customresourcecleanup.apiextensions.k8s.io");
    check_text(w, CRDS "/boats.sea.example.com", "status.conditions.2.reason", "InstanceDeletionInProgress");
    CALL(w->r, 404, "GET", BOATS "/c", NULL);
    boat(w, 405, "d", "");
    change(w, 200, BOATS "/a", CLIENT_MERGE_PATCH, "{'metadata':{'finalizers':null}}");
    run(w, 3000);
    CALL(w->r, 404, "GET", CRDS "/boats.sea.example.com", NULL);
    CALL(w->r, 404, "GET", BOATS, NULL);
    CHECK(!says(w, "/apis", "sea.example.com"));
    /* nothing is left of the old ones */
    define_boats(w);
    check_text(w, BOATS, "items.0.metadata.name", "");
    world_close(w);
}

TEST(what_clients_are_told)
{
    struct world *w = world_open(0);
    char v[3000];
    struct answer a;

    CHECK(!says(w, "/openapi/v3", "sea.example.com"));
    CHECK(!says(w, "/apis", "sea.example.com"));
    version_text(v, sizeof v, "v1", "'served':true,'storage':true", BOAT_SCHEMA, "," SUBS
                 ",'additionalPrinterColumns':[{'name':'Crew','type':'integer','jsonPath':'.spec.crew'},"
                 "{'name':'Ready','type':'string','jsonPath':'.status.conditions[0].status'},{'name':'Wrong','type':'date','jsonPath':'.spec.name'}]");
    define(w, "boats", BOAT_NAMES, v, "");
    CHECK(says(w, "/apis", "sea.example.com") && says(w, "/apis/sea.example.com", "sea.example.com/v1"));
    check_text(w, "/apis/sea.example.com/v1", "resources.0.shortNames.0", "bo");
    check_text(w, "/apis/sea.example.com/v1", "resources.2.name", "boats/scale");
    CHECK(says(w, "/openapi/v3", "\"apis/sea.example.com/v1\""));
    CHECK(says(w, "/openapi/v3/apis/sea.example.com/v1", "com.example.sea.v1.BoatList"));
    CHECK(says(w, "/openapi/v3/apis/sea.example.com/v1", "fieldValidation"));
    CHECK(says(w, "/openapi/v2", "com.example.sea.v1.Boat"));
    CHECK(says(w, "/", "/apis/sea.example.com/v1"));
    boat(w, 201, "a", "'name':'Ann'");
    w->r->accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    a = call(w->r, "GET", BOATS, NULL);
    CHECK_AT(a, "columnDefinitions.1.name", "Crew");
    CHECK_AT(a, "rows.0.cells.0", "a");
    CHECK_INT(json_path_i64(a.obj, "rows.0.cells.1", 0), 1);
    CHECK(json_path(a.obj, "rows.0.cells.2")->type == JSON_NULL);
    CHECK_AT(a, "rows.0.cells.3", "<invalid>");
    answer_free(&a);
    /* no protobuf of what has no numbers; of metadata there is */
    w->r->accept = "application/vnd.kubernetes.protobuf";
    CALL(w->r, 406, "GET", BOATS, NULL);
    w->r->accept = "application/vnd.kubernetes.protobuf,application/json";
    a = call(w->r, "GET", BOATS "/a", NULL);
    CHECK(strcmp(a.type, "application/json") == 0);
    answer_free(&a);
    w->r->accept = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    CALL(w->r, 200, "GET", BOATS, NULL);
    w->r->accept = NULL;
    w->r->type = "application/vnd.kubernetes.protobuf";
    CALL(w->r, 415, "POST", BOATS, "k8s");
    w->r->type = NULL;
    CALL(w->r, 200, "DELETE", CRDS "/boats.sea.example.com", NULL);
    run(w, 3000);
    CHECK(!says(w, "/openapi/v3", "sea.example.com") && !says(w, "/openapi/v2", "sea.example.com"));
    CALL(w->r, 404, "GET", "/openapi/v3/apis/sea.example.com/v1", NULL);
    CALL(w->r, 404, "GET", "/apis/sea.example.com/v1", NULL);
    world_close(w);
}

/* Names are given out once in a group; who could not have one gets it when it is free. */
TEST(names_that_others_have)
{
    struct world *w = world_open(0);
    char v[3000];

    define_boats(w);
    version_text(v, sizeof v, "v1", "'served':true,'storage':true", "{'type':'object'}", "");
    define(w, "ships", "'plural':'ships','kind':'Boat','shortNames':['bo']", v, "");
    check_text(w, CRDS "/ships.sea.example.com", "status.conditions.0.status", "False");
    check_text(w, CRDS "/ships.sea.example.com", "status.conditions.0.reason", "ShortNamesConflict");
    check_text(w, CRDS "/ships.sea.example.com", "status.conditions.1.status", "False");
    check_text(w, CRDS "/ships.sea.example.com", "status.acceptedNames.plural", "ships");
    CALL(w->r, 404, "GET", "/apis/sea.example.com/v1/ships", NULL);
    CALL(w->r, 200, "DELETE", CRDS "/boats.sea.example.com", NULL);
    run(w, 3000);
    check_text(w, CRDS "/ships.sea.example.com", "status.conditions.0.status", "True");
    check_text(w, CRDS "/ships.sea.example.com", "status.conditions.1.status", "True");
    CALL(w->r, 200, "GET", "/apis/sea.example.com/v1/ships", NULL);
    world_close(w);
}

static struct talk *watch_boats(struct world *w, const char *query)
{
    char path[200];

    snprintf(path, sizeof path, BOATS "?watch=true%s", query);
    return talk_open(w->r, "GET", path, NULL);
}

/* What is stored before a default came, or with a field that the schema no longer knows, is read as the schema says
 * now; watches that began with the old one end. */
TEST(schemas_that_change)
{
    struct world *w = world_open(0);
    struct talk *t;

    define_boats(w);
    boat(w, 201, "a", "'name':'Ann','free':{'x':1}");
    t = watch_boats(w, "");
    run(w, 200);
    CHECK(!t->ended && memmem(t->body.p, t->body.n, "ADDED", 5) != NULL);
    w->r->type = CLIENT_JSON_PATCH;
    CALL(w->r, 200, "PATCH", CRDS "/boats.sea.example.com",
         "[{'op':'add','path':'/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/mast','value':{'type':'string','default':'one'}},"
         "{'op':'remove','path':'/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/free'}]");
    w->r->type = NULL;
    run(w, 200);
    CHECK(t->ended);
    talk_close(t);
    check_text(w, BOATS "/a", "spec.mast", "one");
    check_text(w, BOATS, "items.0.spec.mast", "one");
    check_number(w, BOATS "/a", "spec.free.x", -77);
    t = watch_boats(w, "&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan");
    run(w, 200);
    CHECK(memmem(t->body.p, t->body.n, "\"mast\":\"one\"", 12) != NULL);
    talk_close(t);
    /* a status or a label of the definition changes nothing of that */
    t = watch_boats(w, "");
    run(w, 200);
    change(w, 200, CRDS "/boats.sea.example.com", CLIENT_MERGE_PATCH, "{'metadata':{'labels':{'a':'b'}}}");
    boat(w, 201, "b", "");
    run(w, 200);
    CHECK(!t->ended && memmem(t->body.p, t->body.n, "\"name\":\"b\"", 10) != NULL);
    talk_close(t);
    world_close(w);
}

TEST(several_versions)
{
    struct world *w = world_open(0);
    char v1[1500], v2[1500], both[3100];
    struct talk *t;

    version_text(v1, sizeof v1, "v1", "'served':true,'storage':true,'deprecated':true", BOAT_SCHEMA, "");
    version_text(v2, sizeof v2, "v2", "'served':true,'storage':false", BOAT_SCHEMA, "");
    snprintf(both, sizeof both, "%s,%s", v1, v2);
    define(w, "boats", BOAT_NAMES, both, "");
    check_text(w, "/apis/sea.example.com", "preferredVersion.version", "v2");
    boat(w, 201, "a", "'name':'Ann'");
    check_text(w, BOATS "/a", "apiVersion", "sea.example.com/v1");
    check_text(w, "/apis/sea.example.com/v2/namespaces/default/boats/a", "apiVersion", "sea.example.com/v2");
    check_text(w, "/apis/sea.example.com/v2/boats", "items.0.apiVersion", "sea.example.com/v2");
    t = talk_open(w->r, "GET", "/apis/sea.example.com/v2/boats?watch=true", NULL);
    run(w, 200);
    CHECK(memmem(t->body.p, t->body.n, "\"apiVersion\":\"sea.example.com/v2\"", 33) != NULL);
    talk_close(t);
    /* the other one is stored from now on; what was stored stays readable */
    change(w, 200, CRDS "/boats.sea.example.com", CLIENT_JSON_PATCH,
          "[{'op':'replace','path':'/spec/versions/0/storage','value':false},{'op':'replace','path':'/spec/versions/1/storage','value':true}]");
    run(w, 200);
    check_text(w, CRDS "/boats.sea.example.com", "status.storedVersions.1", "v2");
    CALL(w->r, 201, "POST", "/apis/sea.example.com/v2/namespaces/default/boats",
         "{'apiVersion':'sea.example.com/v2','kind':'Boat','metadata':{'name':'b'},'spec':{}}");
    check_text(w, BOATS "/b", "apiVersion", "sea.example.com/v1");
    check_text(w, "/apis/sea.example.com/v2/namespaces/default/boats/a", "spec.name", "Ann");
    change(w, 200, BOATS "/a", CLIENT_MERGE_PATCH, "{'spec':{'name':'Bea'}}");
    check_text(w, "/apis/sea.example.com/v2/namespaces/default/boats/a", "spec.name", "Bea");
    /* a version that objects may be stored in can't be dropped */
    change(w, 422, CRDS "/boats.sea.example.com", CLIENT_JSON_PATCH, "[{'op':'remove','path':'/spec/versions/0'}]");
    change(w, 422, CRDS "/boats.sea.example.com/status", CLIENT_MERGE_PATCH, "{'status':{'storedVersions':['v1']}}");
    change(w, 200, CRDS "/boats.sea.example.com/status", CLIENT_MERGE_PATCH, "{'status':{'storedVersions':['v2']}}");
    change(w, 200, CRDS "/boats.sea.example.com", CLIENT_JSON_PATCH, "[{'op':'remove','path':'/spec/versions/0'}]");
    run(w, 200);
    CALL(w->r, 404, "GET", BOATS "/a", NULL);
    check_text(w, "/apis/sea.example.com/v2/namespaces/default/boats/a", "spec.name", "Bea");
    world_close(w);
}

/* Versions that only a webhook can turn into each other: what is stored in one is not passed off as another. */
TEST(versions_that_need_a_webhook)
{
    struct world *w = world_open(0);
    char v1[1500], v2[1500], both[3100];

    version_text(v1, sizeof v1, "v1", "'served':true,'storage':true", BOAT_SCHEMA, "");
    version_text(v2, sizeof v2, "v2", "'served':true,'storage':false", BOAT_SCHEMA, "");
    snprintf(both, sizeof both, "%s,%s", v1, v2);
    define(w, "boats", BOAT_NAMES, both, ",'conversion':{'strategy':'Webhook','webhook':{'conversionReviewVersions':['v1'],"
           "'clientConfig':{'service':{'namespace':'a','name':'b'}}}}");
    boat(w, 201, "a", "'name':'Ann'");
    check_text(w, BOATS "/a", "spec.name", "Ann");
    CALL(w->r, 500, "GET", "/apis/sea.example.com/v2/namespaces/default/boats/a", NULL);
    CALL(w->r, 500, "POST", "/apis/sea.example.com/v2/namespaces/default/boats", "{'apiVersion':'sea.example.com/v2','kind':'Boat','metadata':{'name':'b'}}");
    change(w, 200, CRDS "/boats.sea.example.com", CLIENT_JSON_PATCH,
           "[{'op':'replace','path':'/spec/versions/0/storage','value':false},{'op':'replace','path':'/spec/versions/1/storage','value':true}]");
    run(w, 200);
    CALL(w->r, 500, "GET", "/apis/sea.example.com/v2/namespaces/default/boats/a", NULL);
    change(w, 500, "/apis/sea.example.com/v2/namespaces/default/boats/a", CLIENT_MERGE_PATCH, "{'spec':{'name':'Bea'}}");
    check_text(w, "/apis/sea.example.com/v2/boats", "items.0.apiVersion", "sea.example.com/v1");
    CALL(w->r, 200, "DELETE", "/apis/sea.example.com/v2/namespaces/default/boats/a", NULL);
    world_close(w);
}

/* A right within a namespace must not reach an object of the cluster that bears the namespace's name. */
TEST(paths_of_another_scope)
{
    struct world *w = world_open(0);
    char v[1500];

    version_text(v, sizeof v, "v1", "'served':true,'storage':true", "{'type':'object'}", "");
    define(w, "ports", "'plural':'ports','kind':'Port'", v, ",'scope':'Cluster'");
    CALL(w->r, 201, "POST", "/apis/sea.example.com/v1/ports", "{'apiVersion':'sea.example.com/v1','kind':'Port','metadata':{'name':'default'}}");
    CALL(w->r, 200, "GET", "/apis/sea.example.com/v1/ports/default", NULL);
    CALL(w->r, 404, "GET", "/apis/sea.example.com/v1/namespaces/default/ports/default", NULL);
    CALL(w->r, 404, "DELETE", "/apis/sea.example.com/v1/namespaces/default/ports/default", NULL);
    CALL(w->r, 404, "GET", "/apis/sea.example.com/v1/namespaces/default/ports", NULL);
    CALL(w->r, 404, "GET", "/apis/apiextensions.k8s.io/v1/namespaces/default/customresourcedefinitions/default", NULL);
    CALL(w->r, 400, "GET", "/apis/sea.example.com/v1/ports/..%2Fboats", NULL);
    CALL(w->r, 200, "GET", "/api/v1/namespaces/default", NULL);
    define_boats(w);
    CALL(w->r, 404, "GET", "/apis/sea.example.com/v1/boats/a", NULL);
    CALL(w->r, 400, "POST", "/apis/sea.example.com/v1/boats", "{'apiVersion':'sea.example.com/v1','kind':'Boat','metadata':{'name':'a'}}");
    world_close(w);
}

TEST(applied_members_that_no_schema_knows)
{
    struct world *w = world_open(0);
    const char *fields;

    define_boats(w);
    w->r->type = "application/apply-patch+yaml";
    CALL(w->r, 201, "PATCH", BOATS "/a?fieldManager=one",
         "{'apiVersion':'sea.example.com/v1','kind':'Boat','metadata':{'name':'a'},'spec':{'free':{'x':{'p':1},'l':[1]}}}");
    CALL(w->r, 200, "PATCH", BOATS "/a?fieldManager=two",
         "{'apiVersion':'sea.example.com/v1','kind':'Boat','metadata':{'name':'a'},'spec':{'free':{'x':{'q':2}}}}");
    CALL(w->r, 409, "PATCH", BOATS "/a?fieldManager=two",
         "{'apiVersion':'sea.example.com/v1','kind':'Boat','metadata':{'name':'a'},'spec':{'free':{'l':[2]}}}");
    CALL(w->r, 200, "PATCH", BOATS "/a?fieldManager=one",
         "{'apiVersion':'sea.example.com/v1','kind':'Boat','metadata':{'name':'a'},'spec':{'free':{'x':{}}}}");
    w->r->type = NULL;
    check_number(w, BOATS "/a", "spec.free.x.q", 2);
    check_number(w, BOATS "/a", "spec.free.x.p", -77);
    CHECK(!says(w, BOATS "/a", "\"l\":"));
    fields = "\"f:free\":{\"f:x\":{\".\":{},\"f:q\":{}}}";
    CHECK(says(w, BOATS "/a", fields));
    world_close(w);
}

TEST(owners_and_namespaces)
{
    struct world *w = world_open(0);
    struct answer a;
    char body[500];

    define_boats(w);
    boat(w, 201, "owner", "");
    a = call(w->r, "GET", BOATS "/owner", NULL);
    snprintf(body, sizeof body, "{'metadata':{'name':'owned','ownerReferences':[{'apiVersion':'sea.example.com/v1','kind':'Boat','name':'owner','uid':'%.*s'}]}}",
             STR_ARG(json_path_str(a.obj, "metadata.uid")));
    answer_free(&a);
    CALL(w->r, 201, "POST", "/api/v1/namespaces/default/configmaps", body);
    run(w, 1000);
    CALL(w->r, 200, "GET", "/api/v1/namespaces/default/configmaps/owned", NULL);
    CALL(w->r, 200, "DELETE", BOATS "/owner", NULL);
    run(w, 2000);
    CALL(w->r, 404, "GET", "/api/v1/namespaces/default/configmaps/owned", NULL);
    CALL(w->r, 201, "POST", "/api/v1/namespaces", "{'metadata':{'name':'n'}}");
    CALL(w->r, 201, "POST", "/apis/sea.example.com/v1/namespaces/n/boats", "{'apiVersion':'sea.example.com/v1','kind':'Boat','metadata':{'name':'x'}}");
    CALL(w->r, 200, "DELETE", "/api/v1/namespaces/n", NULL);
    run(w, 5000);
    CALL(w->r, 404, "GET", "/api/v1/namespaces/n", NULL);
    check_text(w, "/apis/sea.example.com/v1/boats", "items.0.metadata.name", "");
    world_close(w);
}
