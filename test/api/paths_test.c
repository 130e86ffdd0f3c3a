/* test/api/paths_test.c: what is no resource: documents and their tags, health, unknown paths; and what failures say
 * in headers. */
#include "test/api/api_rig.h"

/* A header of the answer; "": none. */
static const char *header(const struct answer *a, const char *name)
{
    static char  out[4][300];
    static unsigned turn;
    char        *to = out[turn++ % 4], key[80];
    const char  *at;

    snprintf(key, sizeof key, "%s: ", name);
    at = strstr(a->extra, key);
    to[0] = '\0';
    if (at != NULL && (at == a->extra || at[-1] == '\n'))
        snprintf(to, sizeof out[0], "%.*s", (int)strcspn(at + strlen(key), "\n"), at + strlen(key));
    return to;
}

static struct answer get_if(struct rig *r, const char *path, const char *accept, const char *tag)
{
    struct answer a;

    r->accept = accept;
    r->if_none_match = tag;
    a = call(r, "GET", path, NULL);
    r->accept = r->if_none_match = NULL;
    return a;
}

TEST(documents_have_tags)
{
    static const struct { const char *path, *accept, *cache; } docs[] = {
        { "/api", NULL, "no-cache, private" },
        { "/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", "public" },
        { "/api", "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList", "public" },
        { "/apis/apps/v1", NULL, "no-cache, private" },
        { "/openapi/v2", NULL, "no-cache, private" },
        { "/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "no-cache, private" },
        { "/openapi/v3", NULL, "no-cache, private" },
        { "/openapi/v3/apis/apps/v1", NULL, "no-cache, private" },
    };
    struct rig *r = rig_open();
    char        tags[ARRAY_LEN(docs)][40], list[400];

    for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
        struct answer a = get_if(r, docs[i].path, docs[i].accept, NULL);

        CHECK_INT(a.status, 200);
        snprintf(tags[i], sizeof tags[i], "%s", header(&a, "ETag"));
        CHECK(strlen(tags[i]) > 10 && tags[i][0] == '"');
        CHECK_STR(str_of(header(&a, "Vary")), "Accept");
        CHECK_STR(str_of(header(&a, "Cache-Control")), docs[i].cache);
        answer_free(&a);
        a = get_if(r, docs[i].path, docs[i].accept, tags[i]);
        CHECK_INT(a.status, 304);
        CHECK_INT(a.body.n, 0);
        CHECK_STR(str_of(header(&a, "ETag")), tags[i]);
        answer_free(&a);
        snprintf(list, sizeof list, "\"other\", W/%s", tags[i]);
        a = get_if(r, docs[i].path, docs[i].accept, list);
        CHECK_INT(a.status, 304);
        answer_free(&a);
        a = get_if(r, docs[i].path, docs[i].accept, "\"other\"");
        CHECK_INT(a.status, 200);
        answer_free(&a);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(tags[i], tags[k]) != 0);
    }
    rig_close(r);
}

/* The index of OpenAPI v3 names documents by their hash; those never change. */
TEST(hashes_of_the_index_hold)
{
    struct rig   *r = rig_open();
    struct answer index = call(r, "GET", "/openapi/v3", NULL), a;
    unsigned      n = 0;

    json_each(it, json_getz(index.obj, "paths")) {
        struct str url = json_path_str(it, "serverRelativeURL");
        char       target[200];

        snprintf(target, sizeof target, "%.*s", STR_ARG(url));
        a = call(r, "GET", target, NULL);
        CHECK_INT(a.status, 200);
        CHECK_STR(str_of(header(&a, "Cache-Control")), "public, immutable");
        CHECK(strstr(target, "?hash=") != NULL && strncmp(strstr(target, "?hash=") + 6, header(&a, "ETag") + 1, 16) == 0);
        answer_free(&a);
        n++;
    }
    CHECK(n > 15);
    answer_free(&index);
    a = call(r, "GET", "/openapi/v3/api/v1?hash=0123", NULL);
    CHECK_INT(a.status, 301);
    CHECK(strncmp(header(&a, "Location"), "/openapi/v3/api/v1?hash=", 24) == 0);
    answer_free(&a);
    rig_close(r);
}

static void check_body(struct rig *r, const char *path, int status, const char *want)
{
    struct answer a = call(r, "GET", path, NULL);

    CHECK_INT(a.status, status);
    if (!str_is(a.body, want))
        test_fail(__FILE__, __LINE__, "%s: \"%.*s\"", path, STR_ARG(a.body));
    answer_free(&a);
}

TEST(health)
{
    struct rig   *r = rig_open();
    struct answer a;

    check_body(r, "/healthz", 200, "ok");
    check_body(r, "/livez?verbose", 200, "[+]ping ok\n[+]log ok\nlivez check passed\n");
    check_body(r, "/readyz?verbose&exclude=etcd", 200,
               "[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check passed\n");
    check_body(r, "/livez?verbose&exclude=me", 200,
               "[+]ping ok\n[+]log ok\nwarn: some health checks cannot be excluded: no matches for \"me\"\nlivez check passed\n");
    check_body(r, "/readyz/etcd", 200, "ok");
    check_body(r, "/livez/ping", 200, "ok");
    a = call(r, "GET", "/readyz", NULL);
    CHECK_STR(str_of(header(&a, "X-Content-Type-Options")), "nosniff");
    CHECK_STR(str_of(a.type), "text/plain; charset=utf-8");
    answer_free(&a);
    CALL(r, 404, "GET", "/readyz/nothing", NULL);
    rig_close(r);
}

static bool lists(const struct answer *a, const char *path)
{
    json_each(it, json_getz(a->obj, "paths"))
        if (str_is(json_str(it), path))
            return true;
    return false;
}

TEST(unknown_paths)
{
    struct rig   *r = rig_open();
    struct answer a = call(r, "GET", "/nope", NULL);

    CHECK_INT(a.status, 404);
    CHECK(lists(&a, "/apis/apps/v1") && lists(&a, "/apis/apps") && lists(&a, "/readyz/etcd") && lists(&a, "/version"));
    answer_free(&a);
    a = call(r, "GET", "/", NULL);
    CHECK_INT(a.status, 200);
    json_each(it, json_getz(a.obj, "paths")) {   /* each of them answers */
        char path[200];

        snprintf(path, sizeof path, "%.*s", STR_ARG(json_str(it)));
        CALL(r, 200, "GET", path, NULL);
    }
    answer_free(&a);
    a = call(r, "GET", "/apis/none.example/v1", NULL);
    CHECK_INT(a.status, 404);
    CHECK_AT(a, "reason", "NotFound");
    CHECK_AT(a, "message", "the server could not find the requested resource");
    answer_free(&a);
    CALL(r, 404, "GET", "/api/v1/nothings", NULL);
    CALL(r, 404, "GET", "/api/v1/namespaces/default/pods/a/nothing", NULL);
    CALL(r, 200, "GET", "/api/v1/namespaces/", NULL);
    CALL(r, 400, "GET", "/api/v1/namespaces/default/pods/a%2Fb", NULL);
    CALL(r, 400, "GET", "/api/v1/namespaces/default/pods/..%2f", NULL);
    rig_close(r);
}

TEST(failures_tell_what_is_allowed)
{
    static const struct { const char *method, *path, *allow; } rows[] = {
        { "POST", "/api/v1/namespaces/default/configmaps/x", "GET, PUT, PATCH, DELETE" },
        { "PUT", "/api/v1/namespaces/default/configmaps", "GET, POST, DELETE" },
        { "OPTIONS", "/api/v1/namespaces/default/configmaps", "GET, POST, DELETE" },
        { "DELETE", "/apis/apps/v1/namespaces/default/deployments/x/scale", "GET, PUT, PATCH" },
        { "DELETE", "/version", "GET" },
        { "GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "POST" },
    };
    struct rig *r = rig_open();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer a = call(r, rows[i].method, rows[i].path, "{}");

        if (a.status != 405 || strcmp(header(&a, "Allow"), rows[i].allow) != 0)
            test_fail(__FILE__, __LINE__, "%s %s: %d %s", rows[i].method, rows[i].path, a.status, header(&a, "Allow"));
        CHECK_AT(a, "reason", "MethodNotAllowed");
        answer_free(&a);
    }
    CALL(r, 400, "GET", "/api/v1/pods?timeout=soon", NULL);
    CALL(r, 200, "GET", "/api/v1/pods?timeout=5s", NULL);
    rig_close(r);
}

/* Without a majority nothing is confirmed: a client that gave a time hears of it then. */
TEST(clients_set_deadlines)
{
    struct rig   h[3];
    struct sim  *sim = sim_new(5);
    struct talk *t, *u;

    memset(h, 0, sizeof h);
    for (unsigned i = 0; i < 3; i++)
        rig_start(&h[i], sim, i, 3);
    sim_run_for(sim, 5000000000ull);
    sim_crash(h[1].m);
    sim_crash(h[2].m);
    sim_run_for(sim, 300000000ull);
    t = talk_open(&h[0], "GET", "/api/v1/namespaces/default?timeout=700ms", NULL);
    u = talk_open(&h[0], "GET", "/api/v1/namespaces/default", NULL);
    sim_run_for(sim, 600000000ull);
    CHECK(!t->ended);
    sim_run_for(sim, 200000000ull);
    CHECK(t->ended);
    CHECK_INT(t->status, 504);
    sim_run_for(sim, 70000000000ull);
    CHECK(u->ended);
    CHECK(u->status >= 503);
    CHECK(strstr(u->extra, "Retry-After: 1") != NULL);
    talk_close(t);
    talk_close(u);
    sim_do(h[0].m, rig_close_in, &h[0]);
    sim_run_for(sim, 20000000000ull);
    sim_free(sim);
}
