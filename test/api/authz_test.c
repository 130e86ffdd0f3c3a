/* test/api/authz_test.c: who may do what: roles and bindings, what nodes may read, what nobody may give away;
 * and that every layer goes by the same tuple. */
#include "api/call.h"
#include "api/rbac/rbac.h"
#include "test/api/api_rig.h"

#define RBAC  "/apis/rbac.authorization.k8s.io/v1"
#define NS    "/api/v1/namespaces/default"
#define AUTHZ "'apiGroup':'rbac.authorization.k8s.io'"

static void make(struct rig *r, const char *path, const char *body) { CALL(r, 201, "POST", path, body); }

/* ---- Rules ------------------------------------------------------------------------------------------- */

static const struct {
    const char *rule, *verb, *group, *resource, *sub, *name;
    bool allowed;
} rule_rows[] = {
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods']}", "get", "", "pods", "", "x", true },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods']}", "list", "", "pods", "", "", false },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods']}", "get", "", "pods", "log", "x", false },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods/log']}", "get", "", "pods", "log", "x", true },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods/log']}", "get", "", "pods", "", "x", false },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['*/log']}", "get", "", "pods", "log", "x", true },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['*/log']}", "get", "", "pods", "blog", "x", false },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['*']}", "get", "", "pods", "log", "x", true },
    { "{'verbs':['*'],'apiGroups':['*'],'resources':['*']}", "frob", "any", "thing", "", "", true },
    { "{'verbs':['frob'],'apiGroups':['*'],'resources':['*']}", "frob", "any", "thing", "", "", true },
    { "{'verbs':['frob'],'apiGroups':['*'],'resources':['*']}", "frobs", "any", "thing", "", "", false },
    { "{'verbs':['get'],'apiGroups':['apps'],'resources':['pods']}", "get", "", "pods", "", "x", false },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods'],'resourceNames':['a']}",
      "get", "", "pods", "", "a", true },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods'],'resourceNames':['a']}",
      "get", "", "pods", "", "b", false },
    { "{'verbs':['create'],'apiGroups':[''],'resources':['pods'],'resourceNames':['a']}",
      "create", "", "pods", "", "", false },
    { "{'verbs':['get'],'nonResourceURLs':['*']}", "get", "", "pods", "", "", false },
    { "{}", "get", "", "pods", "", "", false },
};

static struct json *parse(struct arena *a, const char *text)
{
    char        *z = arena_cstr(a, str_of(text));
    struct json *j;

    for (char *p = z; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    must_ok(json_parse(a, str_of(z), &j, NULL));
    return j;
}

static struct rbac_rule *compile(struct arena *a, const char *rule, size_t *n)
{
    return rules_compile(a, parse(a, arena_fmt(a, "[%s]", rule).p), n);
}

TEST(rules)
{
    for (size_t i = 0; i < ARRAY_LEN(rule_rows); i++) {
        struct arena      a = ARENA_INIT;
        struct authz_attr t = { .verb = rule_rows[i].verb, .group = str_of(rule_rows[i].group),
                                .resource = str_of(rule_rows[i].resource),
                                .subresource = str_of(rule_rows[i].sub), .name = str_of(rule_rows[i].name),
                                .is_resource = true };
        struct rbac_ask   ask;
        size_t            n;
        struct rbac_rule *r = compile(&a, rule_rows[i].rule, &n);

        CHECK_INT(n, 1);
        rule_ask_init(&ask, &a, &t);
        if (rule_allows(r, &ask) != rule_rows[i].allowed)
            test_fail(__FILE__, __LINE__, "row %zu: %s", i, rule_rows[i].rule);
        arena_release(&a);
    }
}

static const struct { const char *held, *want, *missing; } cover_rows[] = {
    { "{'verbs':['*'],'apiGroups':['*'],'resources':['*']}",
      "{'verbs':['get','*'],'apiGroups':['','*'],'resources':['pods','*','*/scale']}", "" },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods']}",
      "{'verbs':['get','list'],'apiGroups':[''],'resources':['pods']}",
      "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\"]}" },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods']}",
      "{'verbs':['get'],'apiGroups':[''],'resources':['pods'],'resourceNames':['a']}", "" },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods'],'resourceNames':['a']}",
      "{'verbs':['get'],'apiGroups':[''],'resources':['pods']}",
      "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}" },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['*/log']}",
      "{'verbs':['get'],'apiGroups':[''],'resources':['pods/log']}", "" },
    { "{'verbs':['get'],'nonResourceURLs':['/a/*']}", "{'verbs':['get'],'nonResourceURLs':['/a/b','/a/*']}", "" },
    { "{'verbs':['get'],'nonResourceURLs':['/a/*']}", "{'verbs':['get'],'nonResourceURLs':['*']}",
      "{NonResourceURLs:[\"*\"], Verbs:[\"get\"]}" },
    { "{'verbs':['get'],'apiGroups':[''],'resources':['pods']}", "{'verbs':['*'],'apiGroups':[''],'resources':['pods']}",
      "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"*\"]}" },
};

TEST(what_a_rule_lacks)
{
    for (size_t i = 0; i < ARRAY_LEN(cover_rows); i++) {
        struct arena            a = ARENA_INIT;
        struct buf              text = BUF_INIT;
        size_t                  n, m, k;
        const struct rbac_rule *held = compile(&a, cover_rows[i].held, &n);
        const struct rbac_rule *want = compile(&a, cover_rows[i].want, &m);
        struct rbac_rule       *missing;

        k = rules_missing(&a, (struct rbac_held){ &held, 1 }, want, m, &missing);
        for (size_t x = 0; x < k; x++)
            rule_text(&text, &missing[x]);
        CHECK_STR(buf_str(&text), cover_rows[i].missing);
        buf_release(&text);
        arena_release(&a);
    }
}

/* Taking a role apart must not take for ever: the rest counts as not held. */
TEST(a_role_of_a_billion_simple_rules_is_refused_soon)
{
    struct arena            a = ARENA_INIT;
    struct json            *rule = json_object(&a), *list;
    const char *const       keys[] = { "verbs", "apiGroups", "resources", "resourceNames" };
    size_t                  n, m;
    const struct rbac_rule *held = compile(&a, "{'verbs':['v0'],'apiGroups':['*'],'resources':['*']}", &n);
    struct rbac_rule       *want, *missing;

    for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
        list = json_setz(&a, rule, keys[k], json_array(&a));
        for (unsigned i = 0; i < 300; i++)
            json_push(list, json_string(&a, arena_fmt(&a, "v%u", k == 0 ? 0 : i)));
    }
    list = json_array(&a);
    json_push(list, rule);
    want = rules_compile(&a, list, &m);
    CHECK(rules_missing(&a, (struct rbac_held){ &held, 1 }, want, m, &missing) > 0);
    arena_release(&a);
}

/* ---- Roles and bindings ------------------------------------------------------------------------------ */

TEST(bindings_grant_where_they_are)
{
    struct rig   *r = rig_open();
    struct answer a;

    make(r, "/api/v1/namespaces", "{'metadata':{'name':'other'}}");
    make(r, RBAC "/namespaces/default/rolebindings",
         "{'metadata':{'name':'b'},'roleRef':{" AUTHZ ",'kind':'Role','name':'reader'},"
         "'subjects':[{'kind':'User',"AUTHZ",'name':'bob'},{'kind':'Group',"AUTHZ",'name':'team'}]}");
    r->user = "bob";
    a = call(r, "GET", NS "/pods", NULL);        /* the role is not there yet */
    CHECK_INT(a.status, 403);
    CHECK_AT(a, "message", "pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" in the "
                           "namespace \"default\": RBAC: role.rbac.authorization.k8s.io \"reader\" not found");
    answer_free(&a);
    r->user = NULL;
    make(r, RBAC "/namespaces/default/roles",
         "{'metadata':{'name':'reader'},'rules':[{'apiGroups':[''],'resources':['pods'],'verbs':['get','list']}]}");
    r->user = "bob";
    CALL(r, 200, "GET", NS "/pods", NULL);
    CALL(r, 403, "GET", "/api/v1/namespaces/other/pods", NULL);
    CALL(r, 403, "GET", "/api/v1/pods", NULL);
    r->user = "eve";
    CALL(r, 403, "GET", NS "/pods", NULL);
    r->group = "team";
    CALL(r, 200, "GET", NS "/pods", NULL);
    r->user = r->group = NULL;
    CALL(r, 200, "DELETE", RBAC "/namespaces/default/rolebindings/b", NULL);
    r->user = "bob";
    CALL(r, 403, "GET", NS "/pods", NULL);
    rig_close(r);
}

/* Names that could be mistaken for others when keys are put together. */
TEST(subjects_are_not_mixed_up)
{
    struct rig *r = rig_open();

    make(r, RBAC "/namespaces/default/rolebindings",
         "{'metadata':{'name':'b'},'roleRef':{" AUTHZ ",'kind':'ClusterRole','name':'cluster-admin'},"
         "'subjects':[{'kind':'User',"AUTHZ",'name':'a:b'},{'kind':'ServiceAccount','name':'x','namespace':'n1'},"
         "{'kind':'User',"AUTHZ",'name':'\\u0000kube-system'}]}");
    static const struct { const char *user; int status; } rows[] = {
        { "a:b", 200 }, { "a", 403 }, { "b", 403 }, { "system:serviceaccount:n1:x", 200 },
        { "system:serviceaccount:default:x", 403 }, { "x", 403 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        r->user = rows[i].user;
        CALL(r, rows[i].status, "GET", NS "/secrets", NULL);
        CALL(r, 403, "GET", "/api/v1/namespaces/kube-system/secrets", NULL);
    }
    r->user = "nobody";
    r->group = "a:b";                            /* a group is no user */
    CALL(r, 403, "GET", NS "/secrets", NULL);
    rig_close(r);
}

TEST(nobody_gives_more_than_he_has)
{
    struct rig   *r = rig_open();
    struct answer a;

    make(r, RBAC "/clusterroles",
         "{'metadata':{'name':'roles'},'rules':[{'apiGroups':['rbac.authorization.k8s.io'],'resources':['*'],"
         "'verbs':['get','list','create','update','patch','delete']},"
         "{'apiGroups':[''],'resources':['pods'],'verbs':['get']}]}");
    make(r, RBAC "/clusterrolebindings",
         "{'metadata':{'name':'roles'},'roleRef':{" AUTHZ ",'kind':'ClusterRole','name':'roles'},"
         "'subjects':[{'kind':'User',"AUTHZ",'name':'bob'}]}");
    r->user = "bob";
    make(r, RBAC "/clusterroles",
         "{'metadata':{'name':'fine'},'rules':[{'apiGroups':[''],'resources':['pods'],'verbs':['get']}]}");
    a = call(r, "POST", RBAC "/clusterroles",
             "{'metadata':{'name':'more'},'rules':[{'apiGroups':[''],'resources':['pods','secrets'],'verbs':['get','list']}]}");
    CHECK_INT(a.status, 403);
    CHECK_AT(a, "message",
             "clusterroles.rbac.authorization.k8s.io \"more\" is forbidden: user \"bob\" (groups=[\"nobody\" "
             "\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n"
             "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\"]}\n"
             "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}");
    answer_free(&a);
    a = call(r, "POST", RBAC "/clusterrolebindings",
             "{'metadata':{'name':'me'},'roleRef':{" AUTHZ ",'kind':'ClusterRole','name':'cluster-admin'},"
             "'subjects':[{'kind':'User',"AUTHZ",'name':'bob'}]}");
    CHECK_INT(a.status, 403);
    answer_free(&a);
    CALL(r, 404, "POST", RBAC "/clusterrolebindings",
         "{'metadata':{'name':'none'},'roleRef':{" AUTHZ ",'kind':'ClusterRole','name':'none'}}");
    CALL(r, 403, "POST", RBAC "/clusterroles",
         "{'metadata':{'name':'all'},'aggregationRule':{'clusterRoleSelectors':[{'matchLabels':{'a':'b'}}]}}");
    r->type = "application/merge-patch+json";
    CALL(r, 403, "PATCH", RBAC "/clusterroles/fine", "{'rules':[{'apiGroups':['*'],'resources':['*'],'verbs':['*']}]}");
    CALL(r, 200, "PATCH", RBAC "/clusterroles/cluster-admin", "{'metadata':{'labels':{'seen':'yes'}}}");
    r->type = NULL;
    r->user = NULL;
    make(r, RBAC "/clusterroles",
         "{'metadata':{'name':'binds'},'rules':[{'apiGroups':['rbac.authorization.k8s.io'],'resources':['clusterroles'],"
         "'resourceNames':['view'],'verbs':['bind']},{'apiGroups':['rbac.authorization.k8s.io'],"
         "'resources':['clusterroles'],'resourceNames':['more'],'verbs':['escalate']}]}");
    make(r, RBAC "/clusterrolebindings",
         "{'metadata':{'name':'binds'},'roleRef':{" AUTHZ ",'kind':'ClusterRole','name':'binds'},"
         "'subjects':[{'kind':'User',"AUTHZ",'name':'bob'}]}");
    r->user = "bob";
    make(r, RBAC "/clusterrolebindings",
         "{'metadata':{'name':'v'},'roleRef':{" AUTHZ ",'kind':'ClusterRole','name':'view'},"
         "'subjects':[{'kind':'User',"AUTHZ",'name':'eve'}]}");
    CALL(r, 403, "POST", RBAC "/clusterrolebindings",
         "{'metadata':{'name':'e'},'roleRef':{" AUTHZ ",'kind':'ClusterRole','name':'cluster-admin'},"
         "'subjects':[{'kind':'User',"AUTHZ",'name':'eve'}]}");
    rig_close(r);
}

TEST(the_default_roles_come_back_and_are_completed)
{
    struct rig   *r = rig_open();
    struct answer a;

    CALL(r, 200, "GET", RBAC "/clusterroles/system:controller:job-controller", NULL);
    a = call(r, "GET", RBAC "/clusterrolebindings?limit=500", NULL);
    CHECK(json_getz(a.obj, "items")->n > 40);
    answer_free(&a);
    r->user = "eve";                             /* what everyone may */
    CALL(r, 200, "GET", "/api", NULL);
    CALL(r, 200, "GET", "/openapi/v3", NULL);
    CALL(r, 403, "GET", "/metrics", NULL);
    CALL(r, 201, "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", "{'spec':{'namespace':'default'}}");
    r->user = "";                                /* what nobody may */
    CALL(r, 200, "GET", "/version", NULL);
    CALL(r, 403, "GET", "/api", NULL);
    rig_close(r);
}

TEST(names_in_selectors_count_as_names)
{
    struct rig *r = rig_open();

    make(r, RBAC "/namespaces/default/roles",
         "{'metadata':{'name':'one'},'rules':[{'apiGroups':[''],'resources':['secrets'],'resourceNames':['a'],"
         "'verbs':['get','list','watch']}]}");
    make(r, RBAC "/namespaces/default/rolebindings",
         "{'metadata':{'name':'one'},'roleRef':{" AUTHZ ",'kind':'Role','name':'one'},"
         "'subjects':[{'kind':'User',"AUTHZ",'name':'bob'}]}");
    r->user = "bob";
    CALL(r, 200, "GET", NS "/secrets?fieldSelector=metadata.name%3Da", NULL);
    CALL(r, 200, "GET", NS "/secrets?fieldSelector=metadata.name%3D%3Da", NULL);
    CALL(r, 403, "GET", NS "/secrets?fieldSelector=metadata.name%3Db", NULL);
    CALL(r, 403, "GET", NS "/secrets?fieldSelector=metadata.name!%3Da", NULL);
    CALL(r, 403, "GET", NS "/secrets?fieldSelector=metadata.names%3Da", NULL);
    CALL(r, 403, "GET", NS "/secrets", NULL);
    CALL(r, 403, "GET", NS "/secrets/b?fieldSelector=metadata.name%3Da", NULL);
    rig_close(r);
}

/* ---- Nodes ------------------------------------------------------------------------------------------- */

static void bind_pod(struct rig *r, const char *pod, const char *node)
{
    char path[100], body[200];

    snprintf(path, sizeof path, NS "/pods/%s/binding", pod);
    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'target':{'kind':'Node','name':'%s'}}", pod, node);
    make(r, path, body);
}

TEST(a_node_reads_what_its_pods_refer_to)
{
    static const char *const things[] = { "a", "b", "c", "d", "e" };
    struct rig *r = rig_open();
    char        body[200];

    make(r, NS "/serviceaccounts", "{'metadata':{'name':'default'}}");
    for (size_t i = 0; i < ARRAY_LEN(things); i++) {
        snprintf(body, sizeof body, "{'metadata':{'name':'%s'}}", things[i]);
        make(r, NS "/secrets", body);
        make(r, NS "/configmaps", body);
    }
    make(r, NS "/pods", "{'metadata':{'name':'p'},'spec':{'containers':[{'name':'x','image':'i',"
                        "'env':[{'name':'E','valueFrom':{'secretKeyRef':{'name':'b','key':'k'}}}],"
                        "'envFrom':[{'configMapRef':{'name':'a'}}]}],"
                        "'initContainers':[{'name':'y','image':'i','envFrom':[{'secretRef':{'name':'c'}}]}],"
                        "'volumes':[{'name':'v','secret':{'secretName':'a'}},"
                        "{'name':'w','projected':{'sources':[{'configMap':{'name':'b'}}]}}]}}");
    r->group = "system:nodes";
    r->user = "system:node:n1";
    CALL(r, 403, "GET", NS "/secrets/a", NULL);  /* not bound yet */
    r->user = r->group = NULL;
    bind_pod(r, "p", "n1");
    r->group = "system:nodes";
    r->user = "system:node:n1";
    CALL(r, 200, "GET", NS "/secrets/a", NULL);
    CALL(r, 200, "GET", NS "/secrets/b", NULL);
    CALL(r, 200, "GET", NS "/secrets/c", NULL);
    CALL(r, 200, "GET", NS "/configmaps/a", NULL);
    CALL(r, 200, "GET", NS "/configmaps/b", NULL);
    CALL(r, 200, "GET", NS "/secrets?fieldSelector=metadata.name%3Da", NULL);
    CALL(r, 403, "GET", NS "/secrets/d", NULL);
    CALL(r, 403, "GET", NS "/configmaps/c", NULL);
    CALL(r, 403, "GET", NS "/secrets", NULL);
    CALL(r, 403, "GET", "/api/v1/namespaces/kube-system/secrets/a", NULL);
    CALL(r, 403, "DELETE", NS "/secrets/a", NULL);
    CALL(r, 200, "GET", NS "/pods/p", NULL);
    r->user = "system:node:n2";
    CALL(r, 403, "GET", NS "/secrets/a", NULL);
    CALL(r, 403, "GET", NS "/pods/p", NULL);
    r->user = "system:node:";
    CALL(r, 403, "GET", NS "/secrets/a", NULL);
    r->user = "bob";                             /* of the group, but no node */
    CALL(r, 403, "GET", NS "/secrets/a", NULL);
    r->user = r->group = NULL;
    CALL(r, 200, "DELETE", NS "/pods/p?gracePeriodSeconds=0", NULL);
    r->group = "system:nodes";
    r->user = "system:node:n1";
    CALL(r, 403, "GET", NS "/secrets/a", NULL);  /* the pod is gone */
    rig_close(r);
}

/* ---- Reviews ----------------------------------------------------------------------------------------- */

static bool asked(struct rig *r, const char *spec, const char *reason)
{
    char          body[600];
    struct answer a;
    bool          yes;

    snprintf(body, sizeof body, "{'spec':%s}", spec);
    a = call(r, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body);
    CHECK_INT(a.status, 201);
    yes = json_path_true(a.obj, "status.allowed");
    if (reason != NULL)
        CHECK_AT(a, "status.reason", reason);
    answer_free(&a);
    return yes;
}

TEST(reviews_say_what_requests_meet)
{
    struct rig *r = rig_open();

    CHECK(asked(r, "{'user':'x','groups':['system:masters'],'resourceAttributes':{'verb':'get','resource':'pods'}}", NULL));
    CHECK(!asked(r, "{'user':'x','resourceAttributes':{'verb':'get','resource':'pods'}}", NULL));
    CHECK(asked(r, "{'user':'system:kube-scheduler','resourceAttributes':{'verb':'create','resource':'pods','subresource':'binding'}}",
                "RBAC: allowed by ClusterRoleBinding \"system:kube-scheduler\" of ClusterRole \"system:kube-scheduler\" to User "
                "\"system:kube-scheduler\""));
    CHECK(asked(r, "{'user':'system:serviceaccount:kube-system:job-controller','resourceAttributes':{'verb':'create',"
                   "'resource':'pods','namespace':'default'}}", NULL));
    CHECK(asked(r, "{'user':'x','groups':['system:authenticated'],'nonResourceAttributes':{'verb':'get','path':'/apis/apps/v1'}}", NULL));
    CHECK(!asked(r, "{'user':'x','groups':['system:authenticated'],'nonResourceAttributes':{'verb':'get','path':'/metrics'}}", NULL));
    rig_close(r);
}

/* ---- One tuple ---------------------------------------------------------------------------------------- */

/* Whatever the path: what is authorized is what is stored.  Each user may touch one object only; no spelling of a
 * path gives it another. */
TEST(what_is_authorized_is_what_is_read)
{
    static const char *const parts[] = { "api", "v1", "namespaces", "default", "kube-system", "secrets", "a", "b", ".", "..",
                                         "%2e%2e", "%2f", "a%2fb", "", "configmaps", "status", "apis", "watch", "proxy", "A",
                                         "secrets%2fb", "%61", "a;b", "a%00", "default%2fsecrets%2fb" };
    struct rig *r = rig_open();
    uint64_t    seed = 12345;
    unsigned    good = 0;

    make(r, NS "/secrets", "{'metadata':{'name':'a'}}");
    make(r, NS "/secrets", "{'metadata':{'name':'b'}}");
    make(r, "/api/v1/namespaces/kube-system/secrets", "{'metadata':{'name':'a'}}");
    make(r, RBAC "/namespaces/default/roles",
         "{'metadata':{'name':'one'},'rules':[{'apiGroups':['*'],'resources':['*'],'resourceNames':['a'],'verbs':['*']}]}");
    make(r, RBAC "/namespaces/default/rolebindings",
         "{'metadata':{'name':'one'},'roleRef':{" AUTHZ ",'kind':'Role','name':'one'},"
         "'subjects':[{'kind':'User',"AUTHZ",'name':'bob'}]}");
    r->user = "bob";
    CALL(r, 200, "GET", NS "/secrets/a", NULL);
    for (unsigned i = 0; i < 1500; i++) {
        char          path[400] = "/api/v1/namespaces/default/secrets/a";
        struct answer a;
        size_t        n = i % 3 == 0 ? strlen(NS "/secrets") : i % 3 == 1 ? strlen(NS) : 0;

        path[n] = '\0';
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        for (unsigned k = 0; k < 1 + (seed >> 60) % 4; k++) {
            uint64_t x = (seed >> (8 * (k % 6) + 10)) * 2654435761u >> 7;

            snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", parts[x % ARRAY_LEN(parts)]);
        }
        a = call(r, "GET", path, NULL);
        if (a.status == 200 && str_is(json_path_str(a.obj, "kind"), "Secret")) {
            good++;
            CHECK_AT(a, "metadata.name", "a");
            CHECK_AT(a, "metadata.namespace", "default");
        } else {
            CHECK(json_path(a.obj, "items") == NULL || !str_is(json_path_str(a.obj, "kind"), "SecretList"));
        }
        answer_free(&a);
    }
    CHECK(good > 0);
    rig_close(r);
}
