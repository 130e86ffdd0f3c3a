/* test/api/quota_test.c: quotas are exact: however many write at once, on whichever head, whoever leads. */
#include "test/api/heads_rig.h"

#define CMS    "/api/v1/namespaces/default/configmaps"
#define PODS   "/api/v1/namespaces/default/pods"
#define QUOTAS "/api/v1/namespaces/default/resourcequotas"

static void heads_open(struct heads *g, uint64_t seed)
{
    memset(g, 0, sizeof *g);
    heads_start(g, seed, 4000000);
}

/* A quota whose status says what the controller would. */
static void make_quota(struct rig *r, const char *name, const char *hard, const char *used)
{
    char body[600], path[200];

    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'spec':{'hard':%s}}", name, hard);
    CALL(r, 201, "POST", QUOTAS, body);
    snprintf(path, sizeof path, QUOTAS "/%s/status", name);
    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'status':{'hard':%s,'used':%s}}", name, hard, used);
    CALL(r, 200, "PUT", path, body);
}

static int64_t used(struct rig *r, const char *quota, const char *what)
{
    char          path[200];
    struct answer a;
    int64_t       n;

    snprintf(path, sizeof path, QUOTAS "/%s", quota);
    a = call(r, "GET", path, NULL);
    n = strtoll(arena_cstr(&a.arena, json_str(json_getz(json_path(a.obj, "status.used"), what))), NULL, 10);
    answer_free(&a);
    return n;
}

static int64_t count(struct rig *r, const char *prefix)
{
    struct answer a = call(r, "GET", CMS, NULL);
    int64_t       n = 0;

    json_each(it, json_getz(a.obj, "items"))
        n += str_starts(json_path_str(it, "metadata.name"), str_of(prefix));
    answer_free(&a);
    return n;
}

struct tally { unsigned created, refused, other; };

/* Everybody creates at once, some at each head; cut: the leader is cut off in the midst of it. */
static struct tally storm(struct heads *g, unsigned each, bool cut)
{
    struct talk *t[N][64];
    struct tally got = { 0, 0, 0 };
    char         body[100];

    for (unsigned i = 0; i < each; i++)
        for (unsigned h = 0; h < N; h++) {
            snprintf(body, sizeof body, "{'metadata':{'name':'storm-%u-%u'}}", h, i);
            t[h][i] = talk_open(&g->h[h], "POST", CMS, body);
        }
    if (cut) {
        struct sim_net_opts gone = { .cut = true };
        unsigned            l = leader(g);

        sim_run_for(g->sim, 25000000);
        for (unsigned h = 0; h < N; h++)
            if (h != l) {
                sim_net_link(g->sim, g->h[l].m, g->h[h].m, &gone);
                sim_net_link(g->sim, g->h[h].m, g->h[l].m, &gone);
            }
        sim_run_for(g->sim, 3000000000ull);
        sim_net_heal(g->sim);
    }
    sim_run_for(g->sim, 60000000000ull);
    for (unsigned i = 0; i < each; i++)
        for (unsigned h = 0; h < N; h++) {
            CHECK(t[h][i]->ended);
            if (t[h][i]->status == 201)
                got.created++;
            else if (t[h][i]->status == 403)
                got.refused++;
            else
                got.other++;
            talk_close(t[h][i]);
        }
    return got;
}

TEST(many_at_once_never_exceed)
{
    struct heads g;

    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct tally got;

        heads_open(&g, seed);
        make_quota(&g.h[0], "q", "{'count/configmaps':'20'}", "{'count/configmaps':'0'}");
        got = storm(&g, 16, false);
        CHECK_INT(got.created, 20);
        CHECK_INT(got.refused, 28);              /* nobody is told anything but the truth */
        CHECK_INT(got.other, 0);
        CHECK_INT(used(&g.h[1], "q", "count/configmaps"), 20);
        CHECK_INT(count(&g.h[2], "storm-"), 20);
        heads_close(&g);
    }
}

/* What was answered with an error may or may not have come to pass; but never one without the other. */
TEST(nor_when_the_leader_changes)
{
    struct heads g;

    for (uint64_t seed = 11; seed <= 14; seed++) {
        struct tally got;
        int64_t      n;

        heads_open(&g, seed);
        make_quota(&g.h[0], "q", "{'count/configmaps':'30'}", "{'count/configmaps':'0'}");
        got = storm(&g, 16, true);
        n = count(&g.h[0], "storm-");
        CHECK(n <= 30 && n >= got.created);
        CHECK_INT(used(&g.h[1], "q", "count/configmaps"), n);
        CHECK(got.created > 0);
        heads_close(&g);
    }
}

/* No head has yet heard of a quota that another just made. */
TEST(a_new_quota_counts_at_once)
{
    struct heads g;

    for (uint64_t seed = 21; seed <= 26; seed++) {
        heads_open(&g, seed);
        make_quota(&g.h[seed % N], "q", "{'count/configmaps':'0'}", "{'count/configmaps':'0'}");
        CALL(&g.h[(seed + 1) % N], 403, "POST", CMS, "{'metadata':{'name':'x'}}");
        heads_close(&g);
    }
}

static void told(struct rig *r, const char *target, const char *body, const char *want)
{
    struct answer a = call(r, "POST", target, body);

    if (a.status != 403 || !str_is(json_path_str(a.obj, "message"), want))
        test_fail(__FILE__, __LINE__, "%s: %d %.*s", body, a.status, STR_ARG(json_path_str(a.obj, "message")));
    answer_free(&a);
}

#define POD(name, more) "{'metadata':{'name':'" name "'},'spec':{'containers':[{'name':'c','image':'i'" more "}]}}"
#define REQUESTS(cpu) ",'resources':{'requests':{'cpu':'" cpu "','memory':'1Gi'},'limits':{'cpu':'" cpu "','memory':'1Gi'}}"

TEST(pods_are_counted_by_what_they_ask_for)
{
    struct rig *r = rig_open();

    CALL(r, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", "{'metadata':{'name':'default'}}");
    make_quota(r, "q", "{'requests.cpu':'1','limits.memory':'4Gi','pods':'10','count/pods':'9'}",
               "{'requests.cpu':'0','limits.memory':'0','pods':'0','count/pods':'0'}");
    told(r, PODS, POD("a", ""), "pods \"a\" is forbidden: failed quota: q: must specify limits.memory for: c; "
                                "requests.cpu for: c");
    CALL(r, 201, "POST", PODS, POD("a", REQUESTS("600m")));
    told(r, PODS, POD("b", REQUESTS("401m")),
         "pods \"b\" is forbidden: exceeded quota: q, requested: requests.cpu=401m, used: requests.cpu=600m, "
         "limited: requests.cpu=1");
    CALL(r, 201, "POST", PODS "?dryRun=All", POD("b", REQUESTS("400m")));
    CHECK_INT(used(r, "q", "pods"), 1);
    CALL(r, 201, "POST", PODS, POD("b", REQUESTS("400m")));
    CHECK_INT(used(r, "q", "pods"), 2);
    CHECK_INT(used(r, "q", "count/pods"), 2);
    CALL(r, 409, "POST", PODS, POD("b", REQUESTS("0")));     /* there already: nothing is spent */
    CHECK_INT(used(r, "q", "pods"), 2);
    rig_close(r);
}

TEST(scopes_choose_pods)
{
    struct rig *r = rig_open();

    CALL(r, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", "{'metadata':{'name':'default'}}");
    CALL(r, 201, "POST", QUOTAS, "{'metadata':{'name':'best'},'spec':{'hard':{'pods':'0'},'scopes':['BestEffort']}}");
    CALL(r, 200, "PUT", QUOTAS "/best/status",
         "{'metadata':{'name':'best'},'status':{'hard':{'pods':'0'},'used':{'pods':'0'}}}");
    CALL(r, 201, "POST", QUOTAS,
         "{'metadata':{'name':'prio'},'spec':{'hard':{'pods':'0'},'scopeSelector':{'matchExpressions':["
         "{'scopeName':'PriorityClass','operator':'In','values':['system-node-critical']}]}}}");
    CALL(r, 200, "PUT", QUOTAS "/prio/status",
         "{'metadata':{'name':'prio'},'status':{'hard':{'pods':'0'},'used':{'pods':'0'}}}");
    told(r, PODS, POD("a", ""), "pods \"a\" is forbidden: exceeded quota: best, requested: pods=1, used: pods=0, "
                                "limited: pods=0");
    CALL(r, 201, "POST", PODS, POD("b", REQUESTS("1")));
    told(r, PODS, "{'metadata':{'name':'c'},'spec':{'priorityClassName':'system-node-critical',"
                  "'containers':[{'name':'c','image':'i'" REQUESTS("1") "}]}}",
         "pods \"c\" is forbidden: exceeded quota: prio, requested: pods=1, used: pods=0, limited: pods=0");
    CALL(r, 201, "POST", CMS, "{'metadata':{'name':'no-pod'}}");
    rig_close(r);
}

TEST(services_and_claims_are_charged_when_they_grow)
{
    static const char svc[] = "/api/v1/namespaces/default/services";
    static const char pvc[] = "/api/v1/namespaces/default/persistentvolumeclaims";
    struct rig *r = rig_open();

    make_quota(r, "q", "{'services.nodeports':'1','requests.storage':'10Gi','fast.storageclass.storage.k8s.io/"
                       "requests.storage':'5Gi'}",
               "{'services.nodeports':'0','requests.storage':'0','fast.storageclass.storage.k8s.io/"
               "requests.storage':'0'}");
    CALL(r, 201, "POST", svc, "{'metadata':{'name':'a'},'spec':{'type':'NodePort','ports':[{'port':80}]}}");
    CALL(r, 201, "POST", svc, "{'metadata':{'name':'b'},'spec':{'ports':[{'port':80}]}}");
    r->type = "application/merge-patch+json";
    CALL(r, 403, "PATCH", "/api/v1/namespaces/default/services/b", "{'spec':{'type':'NodePort'}}");
    CALL(r, 200, "PATCH", "/api/v1/namespaces/default/services/a", "{'metadata':{'labels':{'a':'b'}}}");
    r->type = NULL;
    CHECK_INT(used(r, "q", "services.nodeports"), 1);
    told(r, pvc, "{'metadata':{'name':'c'},'spec':{'accessModes':['ReadWriteOnce'],'storageClassName':'fast',"
                 "'resources':{'requests':{'storage':'6Gi'}}}}",
         "persistentvolumeclaims \"c\" is forbidden: exceeded quota: q, requested: "
         "fast.storageclass.storage.k8s.io/requests.storage=6Gi, used: "
         "fast.storageclass.storage.k8s.io/requests.storage=0, limited: "
         "fast.storageclass.storage.k8s.io/requests.storage=5Gi");
    rig_close(r);
}

/* A quota that limits something and does not say how much of it is used lets nobody in. */
TEST(unknown_usage_is_refused)
{
    struct rig *r = rig_open();

    make_quota(r, "q", "{'count/configmaps':'5'}", "{}");
    told(r, CMS, "{'metadata':{'name':'x'}}",
         "configmaps \"x\" is forbidden: status unknown for quota: q, resources: count/configmaps");
    rig_close(r);
}
