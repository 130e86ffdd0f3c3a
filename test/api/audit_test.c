/* test/api/audit_test.c: the audit policy rule by rule, and what stands in the log after real requests. */
#include <unistd.h>
#include "api/audit/audit.h"
#include "test/api/api_rig.h"

/* ---- The policy ---------------------------------------------------------------------------------- */

#define POLICY(rules) "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n" rules

static struct audit_verdict ask(const char *policy, const char *method, const char *target, const char *user,
                                const char *group)
{
    struct str           groups[] = { str_of(group) };
    struct exchange_user u = { .name = str_of(user), .groups = groups, .n_groups = 1 };
    struct audit_policy *p;
    struct arena         a;
    struct request       rq;
    struct errbuf        err;
    struct audit_verdict v = { 0 };
    struct str           path = str_of(target), query = STR_NONE;
    ptrdiff_t            q = str_find(path, '?');

    if (q >= 0) {
        query = str_from(path, (size_t)q + 1);
        path = str_upto(path, (size_t)q);
    }
    arena_init(&a);
    CHECK_INT(request_parse(&a, str_of(method), path, query, &rq, &err), 0);
    if (audit_policy_parse(str_of(policy), &p, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s: %s", policy, err.s);
    v = audit_policy_ask(p, &rq, user != NULL ? &u : NULL);
    audit_policy_free(p);
    arena_release(&a);
    return v;
}

TEST(the_first_rule_that_fits_decides)
{
    static const struct { const char *rule, *method, *target, *user, *group; bool fits; } rows[] = {
        { "level: Metadata", "GET", "/healthz", NULL, "", true },
        { "level: Metadata, users: [eve]", "GET", "/api/v1/pods", "eve", "", true },
        { "level: Metadata, users: [eve]", "GET", "/api/v1/pods", "adam", "", false },
        { "level: Metadata, users: [eve]", "GET", "/api/v1/pods", NULL, "", false },
        { "level: Metadata, userGroups: [a, b]", "GET", "/api/v1/pods", "eve", "b", true },
        { "level: Metadata, userGroups: [a, b]", "GET", "/api/v1/pods", "eve", "c", false },
        { "level: Metadata, verbs: [watch]", "GET", "/api/v1/pods?watch=1", "eve", "", true },
        { "level: Metadata, verbs: [watch]", "GET", "/api/v1/pods", "eve", "", false },
        { "level: Metadata, namespaces: [x]", "GET", "/api/v1/namespaces/x/pods", "eve", "", true },
        { "level: Metadata, namespaces: [x]", "GET", "/api/v1/namespaces/y/pods", "eve", "", false },
        { "level: Metadata, namespaces: ['']", "GET", "/api/v1/nodes", "eve", "", true },
        { "level: Metadata, namespaces: [x]", "GET", "/healthz", "eve", "", false },
        { "level: Metadata, resources: [{group: ''}]", "GET", "/api/v1/pods", "eve", "", true },
        { "level: Metadata, resources: [{group: apps}]", "GET", "/api/v1/pods", "eve", "", false },
        { "level: Metadata, resources: [{group: '', resources: [pods]}]", "GET", "/api/v1/pods", "eve", "",
          true },
        { "level: Metadata, resources: [{group: '', resources: [pods]}]", "GET",
          "/api/v1/namespaces/x/pods/a/log", "eve", "", false },
        { "level: Metadata, resources: [{group: '', resources: [pods/log]}]", "GET",
          "/api/v1/namespaces/x/pods/a/log", "eve", "", true },
        { "level: Metadata, resources: [{group: '', resources: ['pods/*']}]", "GET",
          "/api/v1/namespaces/x/pods/a/log", "eve", "", true },
        { "level: Metadata, resources: [{group: '', resources: ['*/status']}]", "GET",
          "/api/v1/namespaces/x/pods/a/status", "eve", "", true },
        { "level: Metadata, resources: [{group: '', resources: ['*/status']}]", "GET",
          "/api/v1/namespaces/x/pods/a/log", "eve", "", false },
        { "level: Metadata, resources: [{group: '', resources: ['*']}]", "GET",
          "/api/v1/namespaces/x/pods/a/log", "eve", "", true },
        { "level: Metadata, resources: [{group: '', resources: [pods], resourceNames: [a]}]", "GET",
          "/api/v1/namespaces/x/pods/a", "eve", "", true },
        { "level: Metadata, resources: [{group: '', resources: [pods], resourceNames: [a]}]", "GET",
          "/api/v1/namespaces/x/pods/b", "eve", "", false },
        { "level: Metadata, nonResourceURLs: ['/healthz*']", "GET", "/healthz/etcd", "eve", "", true },
        { "level: Metadata, nonResourceURLs: ['/healthz*']", "GET", "/version", "eve", "", false },
        { "level: Metadata, nonResourceURLs: ['*']", "GET", "/api/v1/pods", "eve", "", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char policy[512];
        struct audit_verdict v;

        snprintf(policy, sizeof policy, POLICY("- {%s}\n"), rows[i].rule);
        v = ask(policy, rows[i].method, rows[i].target, rows[i].user, rows[i].group);
        if ((v.level == AUDIT_METADATA) != rows[i].fits)
            test_fail(__FILE__, __LINE__, "%s: %s", rows[i].rule, rows[i].target);
        snprintf(policy, sizeof policy, POLICY("- {%s}\n- {level: Request, omitStages: [Panic]}\n"),
                 rows[i].rule);
        v = ask(policy, rows[i].method, rows[i].target, rows[i].user, rows[i].group);
        CHECK_INT(v.level, rows[i].fits ? AUDIT_METADATA : AUDIT_REQUEST);
        CHECK_INT(v.omit_stages, rows[i].fits ? 0 : 1 << AUDIT_PANIC);
    }
}

TEST(a_policy_that_is_wrong_says_where)
{
    static const struct { const char *policy, *says; } rows[] = {
        { "kind: Policy", "apiVersion" },
        { "apiVersion: audit.k8s.io/v1\nkind: Policy", "without a rule" },
        { "a: [", "line" },
        { POLICY("- {level: All}"), "rules[0].level" },
        { POLICY("- {level: None}\n- {users: [x]}"), "rules[1].level" },
        { POLICY("- {level: None, who: me}"), "unknown field \"who\"" },
        { POLICY("- {level: None, users: x}"), "rules[0].users: must be a list" },
        { POLICY("- {level: None, users: [1]}"), "rules[0].users: must be a list" },
        { POLICY("- {level: None, omitStages: [Never]}"), "rules[0].omitStages" },
        { POLICY("- {level: None, resources: [{group: a/v1}]}"), "without its version" },
        { POLICY("- {level: None, resources: [{resourceNames: [a]}]}"), "at least one resource" },
        { POLICY("- {level: None, nonResourceURLs: [/a], namespaces: [x]}"), "cannot apply to both" },
        { POLICY("- 5"), "must be an object" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct audit_policy *p;
        struct errbuf        err = { "" };

        CHECK(audit_policy_parse(str_of(rows[i].policy), &p, &err) < 0);
        if (strstr(err.s, rows[i].says) == NULL)
            test_fail(__FILE__, __LINE__, "%s: \"%s\"", rows[i].policy, err.s);
    }
}

/* ---- The log ----------------------------------------------------------------------------------------- */

static char log_path[64];
static size_t log_read;                          /* so much of it was looked at */

static struct rig *open_with(const char *policy)
{
    static struct audit_opts audit;
    static struct api_opts   o;

    snprintf(log_path, sizeof log_path, "/tmp/audit-test-XXXXXX");
    close(mkstemp(log_path));
    log_read = 0;
    audit = (struct audit_opts){ .policy = str_of(policy), .log_path = log_path };
    o = (struct api_opts){ .audit = &audit };
    return rig_open_with(&o);
}

static struct str log_text(struct arena *a)
{
    struct buf b = BUF_INIT;
    char       part[4096];
    size_t     n;
    FILE      *f = fopen(log_path, "r");
    struct str ret;

    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(&b, part, n);
    fclose(f);
    ret = arena_str(a, buf_str(&b));
    buf_release(&b);
    return ret;
}

/* The events that came since, of the requests of test users, as an array. */
static struct json *events(struct rig *r, struct arena *a)
{
    struct json *ret = json_array(a), *e;
    struct str   all, line;

    rig_run(r, 100);
    all = log_text(a);
    all = str_from(all, log_read);
    log_read += all.n;
    while (str_split(&all, '\n', &line))
        if (line.n > 0) {
            struct json_error bad;

            CHECK_INT(json_parse(a, line, &e, &bad), 0);
            if (!str_starts(json_path_str(e, "user.username"), STR("system:")))
                json_push(ret, e);
        }
    return ret;
}

static void check_event(const struct json *e, const char *path, const char *want)
{
    CHECK_STR(json_path_str(e, path), want);
}

#define CM "{'metadata':{'name':'cm'},'data':{'a':'1'}}"

TEST(metadata_of_a_write)
{
    struct rig  *r = open_with(POLICY("- {level: None, userGroups: ['system:nodes']}\n- {level: Metadata}"));
    struct json *all, *e;
    struct arena a;

    arena_init(&a);
    r->user = "eve";
    r->group = "system:masters";
    CALL(r, 201, "POST", "/api/v1/namespaces/default/configmaps?fieldManager=x", CM);
    all = events(r, &a);
    CHECK_INT(all->n, 2);
    check_event(e = json_at(all, 0), "stage", "RequestReceived");
    CHECK(json_path(e, "responseStatus") == NULL);
    check_event(e, "apiVersion", "audit.k8s.io/v1");
    check_event(e, "user.groups.0", "system:masters");
    check_event(e, "requestURI", "/api/v1/namespaces/default/configmaps?fieldManager=x");
    check_event(e = json_at(all, 1), "stage", "ResponseComplete");
    CHECK(str_eq(json_path_str(e, "auditID"), json_path_str(json_at(all, 0), "auditID")));
    CHECK_INT(json_path_str(e, "auditID").n, 36);
    check_event(e, "verb", "create");
    check_event(e, "objectRef.resource", "configmaps");
    check_event(e, "objectRef.namespace", "default");
    check_event(e, "objectRef.name", "cm");
    CHECK_STR(json_str(json_get(json_getz(e, "annotations"), STR("authorization.k8s.io/decision"))), "allow");
    CHECK_INT(json_path_i64(e, "responseStatus.code", 0), 201);
    CHECK(json_path(e, "requestObject") == NULL && json_path(e, "responseObject") == NULL);
    CHECK_INT(json_path_str(e, "stageTimestamp").n, 27);

    CALL(r, 409, "POST", "/api/v1/namespaces/default/configmaps", CM);
    e = json_at(events(r, &a), 1);
    check_event(e, "responseStatus.reason", "AlreadyExists");
    check_event(e, "responseStatus.message", "configmaps \"cm\" already exists");
    arena_release(&a);
    rig_close(r);
    unlink(log_path);
}

TEST(who_is_refused_is_told_of)
{
    struct rig  *r = open_with(POLICY("- {level: Metadata, omitStages: [RequestReceived]}"));
    struct json *all, *e;
    struct arena a;

    arena_init(&a);
    r->user = "eve";
    r->group = "nobodies";
    CALL(r, 403, "GET", "/api/v1/namespaces/default/secrets/s", NULL);
    all = events(r, &a);
    CHECK_INT(all->n, 1);
    e = json_at(all, 0);
    CHECK_STR(json_str(json_get(json_getz(e, "annotations"), STR("authorization.k8s.io/decision"))), "forbid");
    CHECK_INT(json_path_i64(e, "responseStatus.code", 0), 403);
    r->user = r->group = NULL;
    r->bearer = "canary-of-a-token";
    CALL(r, 401, "GET", "/api/v1/namespaces/default/pods", NULL);
    all = events(r, &a);
    CHECK_INT(all->n, 1);
    CHECK_INT(json_path_i64(json_at(all, 0), "responseStatus.code", 0), 401);
    r->bearer = NULL;
    r->user = "eve";
    r->group = "system:masters";
    r->as = "adam";
    CALL(r, 403, "GET", "/api/v1/namespaces/default/pods", NULL);
    all = events(r, &a);
    check_event(json_at(all, 0), "user.username", "eve");
    check_event(json_at(all, 0), "impersonatedUser.username", "adam");
    CHECK(memmem(log_text(&a).p, log_text(&a).n, "canary", 6) == NULL);
    arena_release(&a);
    rig_close(r);
    unlink(log_path);
}

/* Bodies, whatever their encoding; and never those that let somebody in. */
TEST(bodies)
{
    struct rig  *r = open_with("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n"
                               "omitManagedFields: true\nrules: [{level: RequestResponse}]");
    struct json *e;
    struct arena a;

    arena_init(&a);
    r->user = "eve";
    r->group = "system:masters";
    CALL(r, 201, "POST", "/api/v1/namespaces/default/configmaps", CM);
    e = json_at(events(r, &a), 0);
    check_event(e, "requestObject.data.a", "1");
    check_event(e, "responseObject.metadata.namespace", "default");
    CHECK(json_path(e, "responseObject.metadata.managedFields") == NULL);
    r->type = "application/yaml";
    r->accept = "application/vnd.kubernetes.protobuf";
    CALL(r, 200, "PUT", "/api/v1/namespaces/default/configmaps/cm",
         "metadata: {name: cm}\ndata:\n  a: |\n    two\n    lines\n");
    e = json_at(events(r, &a), 0);
    check_event(e, "requestObject.data.a", "two\nlines\n");
    check_event(e, "responseObject.data.a", "two\nlines\n");
    r->type = r->accept = NULL;
    CALL(r, 400, "POST", "/api/v1/namespaces/default/configmaps", "{'metadata");
    e = json_at(events(r, &a), 0);
    CHECK(json_path(e, "requestObject") == NULL);
    CHECK_INT(json_path_i64(e, "responseObject.code", 0), 400);
    CALL(r, 201, "POST", "/api/v1/namespaces/default/secrets",
         "{'metadata':{'name':'s'},'stringData':{'a':'canary-of-a-secret'}}");
    CALL(r, 200, "GET", "/api/v1/namespaces/default/secrets/s", NULL);
    CALL(r, 200, "GET", "/api/v1/secrets", NULL);
    CALL(r, 201, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", "{'spec':{'token':'canary'}}");
    CHECK_INT(events(r, &a)->n, 4);
    CHECK(memmem(log_text(&a).p, log_text(&a).n, "canary", 6) == NULL);
    arena_release(&a);
    rig_close(r);
    unlink(log_path);
}

TEST(a_watch_begins_and_ends)
{
    struct rig  *r = open_with(POLICY("- {level: Metadata, omitStages: [RequestReceived], users: [eve]}"));
    struct json *all;
    struct talk *t;
    struct arena a;

    arena_init(&a);
    r->user = "eve";
    r->group = "system:masters";
    t = talk_open(r, "GET", "/api/v1/pods?watch=1", NULL);
    rig_run(r, 200);
    all = events(r, &a);
    CHECK_INT(all->n, 1);
    check_event(json_at(all, 0), "stage", "ResponseStarted");
    check_event(json_at(all, 0), "verb", "watch");
    talk_close(t);
    all = events(r, &a);
    CHECK_INT(all->n, 1);
    check_event(json_at(all, 0), "stage", "ResponseComplete");
    arena_release(&a);
    rig_close(r);
    unlink(log_path);
}
