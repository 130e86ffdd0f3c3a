/* test/api/hostile_test.c: bodies, headers and verbs that nobody should send: the right 4xx, nothing
 * stored, nothing leaked. */
#include "test/api/api_rig.h"

#define CM "/api/v1/namespaces/default/configmaps"

/* Every answer is a Status that says failure, in the 4xx. */
static void refused(struct rig *r, const char *method, const char *target, const char *body)
{
    struct answer a = call(r, method, target, body);

    if (a.status < 400 || a.status >= 500)
        test_fail(__FILE__, __LINE__, "%s %s %.60s: %d %.*s", method, target, body != NULL ? body : "",
                  a.status, STR_ARG(a.body));
    CHECK_AT(a, "kind", "Status");
    CHECK_AT(a, "status", "Failure");
    CHECK_INT(json_path_i64(a.obj, "code", 0), a.status);
    CHECK(json_path_str(a.obj, "message").n > 0);
    CHECK(json_path_str(a.obj, "reason").n > 0);
    answer_free(&a);
}

static uint64_t revision(struct rig *r) { return store_revision(r->store); }

static const char *const bodies[] = {
    "", " ", "{", "}", "[]", "null", "1", "\"x\"", "{}", "{'metadata':1}", "{'metadata':{'name':1}}",
        "{'metadata':{'name':{}}}",
    "{'metadata':{'name':'a','labels':[]}}", "{'metadata':{'name':'a','labels':{'x':1}}}",
        "{'metadata':{'name':'a'},'data':[]}",
    "{'metadata':{'name':'a'},'data':{'k':1}}", "{'metadata':{'name':'a'},'data':{'k':null,'l':[]}}",
        "{'metadata':{'name':'../x'}}",
    "{'metadata':{'name':'a/b'}}", "{'metadata':{'name':'..'}}", "{'metadata':{'name':'a\\u0000'}}",
        "{'metadata':{'name':'a\n'}}",
    "{'apiVersion':'v2','kind':'ConfigMap','metadata':{'name':'a'}}",
        "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'a'}}",
    "{'apiVersion':1,'kind':'ConfigMap','metadata':{'name':'a'}}",
    "{'metadata':{'name':'a','creationTimestamp':'yesterday'}}", "{'metadata':{'name':'a','generateName':7}}",
    "{'metadata':{'name':'a','namespace':'b'}}", "{'metadata':{'name':'a','ownerReferences':{}}}",
        "{'metadata':{'name':'a','finalizers':'x'}}",
    "{'metadata':{'name':'a'},'immutable':'yes'}",
        "{'metadata':{'name':'a'},'binaryData':{'k':'not base64!'}}",
    "{'metadata':{'name':'a'}} trailing", "{'metadata':{'name':'a'},}", "{\xff:1}",
        "{'metadata':{'name':'\xc0\x80'}}",
    "{'metadata':{'name':'a','generation':1e999}}", "{'metadata':{'name':'a','generation':-1.5}}",
};

TEST(bodies_are_refused)
{
    struct rig *r = rig_open();
    uint64_t    rev = revision(r);

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        refused(r, "POST", CM, bodies[i]);
        refused(r, "PUT", CM "/a", bodies[i]);
    }
    r->type = "application/yaml";
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        if (strstr(bodies[i], "trailing") == NULL && strcmp(bodies[i], "{'metadata':{'name':'a'},}") != 0)
            refused(r, "POST", CM, bodies[i]);
    r->type = "application/vnd.kubernetes.protobuf";
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        refused(r, "POST", CM, bodies[i]);
    CHECK_INT(revision(r), rev);
    rig_close(r);
}

TEST(deep_and_wide)
{
    struct rig *r = rig_open();
    uint64_t    rev = revision(r);
    size_t      n = 200000;
    char       *deep = malloc(n + 1);

    memset(deep, '[', n);
    deep[n] = '\0';
    refused(r, "POST", CM, deep);
    memset(deep, '{', n);
    refused(r, "POST", CM, deep);
    for (size_t i = 0; i + 5 <= n; i += 5)
        memcpy(deep + i, "{'a':", 5);
    refused(r, "POST", CM, deep);
    r->type = "application/yaml";
    refused(r, "POST", CM, "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c "
                           "[*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                           "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: "
                           "[*e,*e,*e,*e,*e,*e]\n");
    CHECK_INT(revision(r), rev);
    free(deep);
    rig_close(r);
}

TEST(patches_are_refused)
{
    static const char *const types[] = {
        "application/json-patch+json", "application/merge-patch+json",
            "application/strategic-merge-patch+json", "application/apply-patch+yaml", "x/y",
    };
    static const char *const patches[] = {
        "", "{", "1", "null", "[[]]", "[{'op':'add'}]", "[{'op':'add','path':'x','value':1}]",
            "[{'op':'copy','from':'/a','path':'/b'}]",
        "[{'op':'replace','path':'','value':1}]", "[{'op':'replace','path':'/metadata','value':null}]",
            "[{'op':'remove','path':'/metadata/name'}]",
        "{'metadata':null,'kind':7}", "{'metadata':{'name':'zzz'}}", "{'metadata':{'uid':'zzz'}}",
            "{'data':7}", "{'$patch':'explode'}",
        "{'metadata':{'labels':{'a':{}}}}", "{'apiVersion':'apps/v1'}",
    };
    struct rig *r = rig_open();
    uint64_t    rev;

    CALL(r, 201, "POST", CM, "{'metadata':{'name':'a'},'data':{'k':'v'}}");
    rev = revision(r);
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        for (size_t j = 0; j < ARRAY_LEN(patches); j++) {
            struct answer a;

            r->type = types[i];
            a = call(r, "PATCH", CM "/a", patches[j]);
            if (a.status >= 500 || (a.status == 200 && revision(r) != rev))
                test_fail(__FILE__, __LINE__, "%s %s: %d %.*s", types[i], patches[j], a.status,
                          STR_ARG(a.body));
            answer_free(&a);
        }
    CHECK_INT(revision(r), rev);
    rig_close(r);
}

TEST(verbs_and_places)
{
    struct rig *r = rig_open();

    refused(r, "POST", CM "/a", "{'metadata':{'name':'a'}}");
    refused(r, "PUT", CM, "{'metadata':{'name':'a'}}");
    refused(r, "PATCH", CM, "{}");
    refused(r, "BREW", CM, NULL);
    refused(r, "GET", "/api/v1/teapots", NULL);
    refused(r, "GET", "/api/v9/pods", NULL);
    refused(r, "GET", "/apis/nope/v1/pods", NULL);
    refused(r, "GET", CM "/a/status", NULL);
    refused(r, "GET", CM "/a/b/c", NULL);
    refused(r, "GET", "/api/v1/namespaces/default/nodes", NULL);
    refused(r, "GET", "/api/v1/namespaces/default/nodes/n", NULL);
    refused(r, "GET", "/api/v1/pods/p", NULL);
    refused(r, "GET", "/nope", NULL);
    refused(r, "POST", "/healthz", NULL);
    refused(r, "GET", "/api/v1/namespaces/default/pods/..%2fx", NULL);
    refused(r, "GET", CM "?labelSelector=a%20in%20(", NULL);
    refused(r, "GET", CM "?fieldSelector=x", NULL);
    refused(r, "GET", CM "?continue=AAAA", NULL);
    refused(r, "DELETE", CM "/a", "{'gracePeriodSeconds':[]}");
    refused(r, "DELETE", CM "/a", "nonsense: [");
    refused(r, "GET", "/api/v1/namespaces/default/pods/p/exec", NULL);
    refused(r, "GET", "/api/v1/namespaces/default/pods/p/log", NULL);
    refused(r, "POST", "/api/v1/namespaces/default/pods/p/log", NULL);
    rig_close(r);
}

/* A client that goes away at any time leaves nothing behind (the sanitizer and rig_close look). */
TEST(clients_go_away)
{
    static const struct { const char *method, *target, *body; } calls[] = {
        { "POST", CM, "{'metadata':{'generateName':'x-'}}" },
        { "PUT", CM "/a", "{'metadata':{'name':'a'},'data':{'x':'y'}}" },
        { "DELETE", CM, NULL },
        { "GET", CM "?watch=1", NULL },
        { "GET", CM "?limit=1", NULL },
        { "GET", CM "?resourceVersion=100000", NULL },
        { "DELETE", CM "/a", NULL },
    };
    struct rig *r = rig_open();

    CALL(r, 201, "POST", CM, "{'metadata':{'name':'a'}}");
    for (unsigned wait_us = 0; wait_us < 3000; wait_us += 150)
        for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
            struct talk *t = talk_open(r, calls[i].method, calls[i].target, calls[i].body);

            sim_run_for(r->sim, wait_us * 1000);
            talk_close(t);
        }
    CALL(r, 200, "GET", CM, NULL);
    rig_close(r);
}

TEST(closing_ends_what_is_open)
{
    struct rig  *r = rig_open();
    struct talk *t = talk_open(r, "GET", CM "?watch=1", NULL), *u, *v;

    rig_run(r, 10);
    u = talk_open(r, "GET", CM "?resourceVersion=100000", NULL);
    v = talk_open(r, "POST", CM, "{'metadata':{'name':'a'}}");
    sim_do(r->m, rig_close_in, r);
    rig_run(r, 5000);
    CHECK(t->ended && u->ended && v->ended);
    CHECK_INT(u->status, 503);
    CHECK(r->api == NULL && r->store == NULL);
    talk_close(t);
    talk_close(u);
    talk_close(v);
    sim_free(r->sim);
    free(r);
}
