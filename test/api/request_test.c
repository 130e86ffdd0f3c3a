/* test/api/request_test.c: paths and queries to tuples: what is meant, and what is refused. */
#include "api/request.h"
#include "test/test.h"

static struct arena arena;
static struct errbuf why;

static int parse(const char *method, const char *target, struct request *r)
{
    const char *q = strchr(target, '?');

    arena_reset(&arena);
    return request_parse(&arena, str_of(method),
                         q != NULL ? str_make(target, (size_t)(q - target)) : str_of(target),
                         q != NULL ? str_of(q + 1) : STR_NONE, r, &why);
}

/* verb group/version resource/sub ns name rest */
static void check(const char *method, const char *target, const char *want)
{
    struct request r;
    char           is[400];

    if (parse(method, target, &r) < 0) {
        CHECK_STR(str_of(why.s), want);
        return;
    }
    if (r.is_resource)
        snprintf(is, sizeof is, "%s %.*s/%.*s %.*s/%.*s %.*s %.*s %.*s", r.verb_name, STR_ARG(r.group),
                 STR_ARG(r.version),
                 STR_ARG(r.resource), STR_ARG(r.subresource), STR_ARG(r.ns), STR_ARG(r.name),
                     STR_ARG(r.rest));
    else
        snprintf(is, sizeof is, "%s %.*s", r.verb_name, STR_ARG(r.path));
    CHECK_STR(str_of(is), want);
}

TEST(paths)
{
    check("GET", "/api/v1/namespaces/n/pods/p", "get /v1 pods/ n p ");
    check("HEAD", "/api/v1/namespaces/n/pods/p", "get /v1 pods/ n p ");
    check("GET", "/api/v1/namespaces/n/pods", "list /v1 pods/ n  ");
    check("GET", "/api/v1/namespaces/n/pods/", "list /v1 pods/ n  ");
    check("GET", "/api/v1/pods?watch=1", "watch /v1 pods/   ");
    check("GET", "/api/v1/pods?watch=false", "list /v1 pods/   ");
    check("GET", "/api/v1/pods?watch", "watch /v1 pods/   ");
    check("GET", "/api/v1/watch/namespaces/n/pods/p", "watch /v1 pods/ n p ");
    check("POST", "/apis/apps/v1/namespaces/n/deployments", "create apps/v1 deployments/ n  ");
    check("PUT", "/apis/apps/v1/namespaces/n/deployments/d/status", "update apps/v1 deployments/status n d ");
    check("PATCH", "/apis/apps/v1/namespaces/n/deployments/d", "patch apps/v1 deployments/ n d ");
    check("DELETE", "/api/v1/nodes/x", "delete /v1 nodes/  x ");
    check("DELETE", "/api/v1/nodes", "deletecollection /v1 nodes/   ");
    check("GET", "/api/v1/namespaces", "list /v1 namespaces/   ");
    check("GET", "/api/v1/namespaces/n", "get /v1 namespaces/ n n ");
    check("PUT", "/api/v1/namespaces/n/finalize", "update /v1 namespaces/finalize n n ");
    check("GET", "/api/v1/namespaces/n/status", "get /v1 namespaces/status n n ");
    check("GET", "/api/v1/namespaces/n/status/x", "get /v1 status/ n x ");
    check("GET", "/api/v1/nodes/x/proxy/a%2Fb/c",
          "Name parameter invalid: a path segment may not be \".\" or \"..\" or contain '/', '%' or control "
          "characters");
    check("GET", "/api/v1/nodes/x/proxy/a/c%20d", "get /v1 nodes/proxy  x a/c%20d");
    check("TRACE", "/api/v1/nodes/x", "trace /v1 nodes/  x ");
    check("GET", "/", "get /");
    check("GET", "/healthz", "get /healthz");
    check("GET", "/health%7A", "get /healthz");
    check("GET", "/api", "get /api");
    check("GET", "/api/v1", "get /api/v1");
    check("GET", "/apis/apps/v1", "get /apis/apps/v1");
}

/* Nothing that could be read in two ways gets through. */
TEST(hostile_paths)
{
    static const char *const bad[] = {
        "", "x", "//", "/api//v1/pods", "/api/v1/namespaces//pods", "/api/v1/namespaces/../pods",
            "/api/v1/./pods",
        "/api/v1/namespaces/n/pods/%2e%2e", "/api/v1/namespaces/n/pods/..", "/api/v1/namespaces/n/pods/a%2fb",
        "/api/v1/namespaces/n%2fpods%2fx/configmaps", "/api/v1/namespaces/n/pods/a%252fb", "/api/v1/pods/%",
            "/api/v1/pods/%4",
        "/api/v1/pods/%zz", "/api/v1/pods/a%00b", "/api/v1/pods/a%0ab", "/api/v1/pods/%7f",
            "/%2e%2e/api/v1/pods", "/%",
    };
    struct request r;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (parse("GET", bad[i], &r) == 0)
            test_fail(__FILE__, __LINE__, "let in: %s", bad[i]);
}

TEST(too_many_segments)
{
    char           path[1000] = "/api/v1";
    struct request r;

    while (strlen(path) < 990)
        strcat(path, "/x");
    CHECK(parse("GET", path, &r) < 0);
}

TEST(options)
{
    struct request r;

    CHECK_INT(parse("GET", "/api/v1/pods?limit=500&continue=abc&labelSelector=a%3Db%2Cc&"
                           "fieldSelector=metadata.name+x", &r), 0);
    CHECK_INT(r.opt.limit, 500);
    CHECK_STR(r.opt.continue_, "abc");
    CHECK_STR(r.opt.label_selector, "a=b,c");
    CHECK_STR(r.opt.field_selector, "metadata.name x");
    CHECK(!r.opt.has_rv);
    CHECK_INT(parse("GET", "/api/v1/pods?resourceVersion=", &r), 0);
    CHECK(!r.opt.has_rv);
    CHECK_INT(parse("GET", "/api/v1/pods?resourceVersion=0", &r), 0);
    CHECK(r.opt.has_rv && r.opt.rv == 0);
    CHECK_INT(parse("DELETE", "/api/v1/pods/x?gracePeriodSeconds=0&propagationPolicy=Orphan&"
                              "orphanDependents=false", &r), 0);
    CHECK(r.opt.has_grace && r.opt.grace_s == 0 && r.opt.has_orphan && !r.opt.orphan);
    CHECK_STR(r.opt.propagation, "Orphan");
    CHECK_INT(parse("POST", "/api/v1/pods?dryRun=All&fieldValidation=Strict&fieldManager=me&force=true",
                    &r), 0);
    CHECK(r.opt.dry_run && r.opt.validation == FIELDS_STRICT && r.opt.force);
    CHECK_INT(parse("GET", "/api/v1/pods?&&=&a=%zz&limit=5&", &r), 0);
    CHECK_INT(r.opt.limit, 5);
}

TEST(bad_options)
{
    static const char *const bad[] = {
        "/api/v1/pods?limit=x", "/api/v1/pods?limit=-1", "/api/v1/pods?limit=99999999999999999999",
            "/api/v1/pods?resourceVersion=-1",
        "/api/v1/pods?resourceVersion=0x1", "/api/v1/pods?timeoutSeconds=soon", "/api/v1/pods?dryRun=Some",
        "/api/v1/pods?fieldValidation=strict", "/api/v1/pods?gracePeriodSeconds=",
    };
    struct request r;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (parse("GET", bad[i], &r) == 0)
            test_fail(__FILE__, __LINE__, "let in: %s", bad[i]);
}

TEST(repeated_parameters)
{
    struct str rest = STR("command=a&x=y&command=b+c&command"), v;

    arena_reset(&arena);
    CHECK(request_param(&arena, &rest, "command", &v));
    CHECK_STR(v, "a");
    CHECK(request_param(&arena, &rest, "command", &v));
    CHECK_STR(v, "b c");
    CHECK(request_param(&arena, &rest, "command", &v));
    CHECK_STR(v, "");
    CHECK(!request_param(&arena, &rest, "command", &v));

    /* One that is not there leaves the caller's default alone, whatever stands last. */
    rest = STR("command=a&stdout=1");
    v = STR("default");
    CHECK(!request_param(&arena, &rest, "container", &v));
    CHECK_STR(v, "default");
}
