/* test/ctrl/gc_test.c: what goes when owners go, what stays, and that nothing goes by mistake; namespaces; pod GC. */
#include "test/ctrl/ctrl_rig.h"

#define MAPS NS "/configmaps"

/* A config map owned by another object. */
static void make_map(struct world *w, const char *name, const char *api, const char *kind, const char *owner, const char *uid, const char *more)
{
    char body[800];

    if (kind == NULL)
        snprintf(body, sizeof body, "{'metadata':{'name':'%s'%s}}", name, more);
    else
        snprintf(body, sizeof body, "{'metadata':{'name':'%s','ownerReferences':[{'apiVersion':'%s','kind':'%s','name':'%s','uid':'%s','blockOwnerDeletion':true}]%s}}",
                 name, api, kind, owner, uid, more);
    CALL(w->r, 201, "POST", MAPS, body);
}

static const char *uid_of(struct world *w, const char *path) { return text_at(w, path, "metadata.uid"); }

static bool there(struct world *w, const char *path)
{
    struct answer a = call(w->r, "GET", path, NULL);
    bool is = a.status == 200;

    CHECK(a.status == 200 || a.status == 404);
    answer_free(&a);
    return is;
}

TEST(background_foreground_orphan)
{
    static const char *const policies[] = { "Background", "Foreground", "Orphan" };

    for (unsigned i = 0; i < ARRAY_LEN(policies); i++) {
        struct world *w = world_open(0);
        char uid[80], path[120];
        make_map(w, "a", NULL, NULL, NULL, NULL, "");
        snprintf(uid, sizeof uid, "%s", uid_of(w, MAPS "/a"));
        make_map(w, "b", "v1", "ConfigMap", "a", uid, "");
        snprintf(uid, sizeof uid, "%s", uid_of(w, MAPS "/b"));
        make_map(w, "c", "v1", "ConfigMap", "b", uid, "");
        run(w, 200);
        CHECK(there(w, MAPS "/a") && there(w, MAPS "/b") && there(w, MAPS "/c"));
        snprintf(path, sizeof path, MAPS "/a?propagationPolicy=%s", policies[i]);
        CALL(w->r, 200, "DELETE", path, NULL);
        run(w, 1000);
        CHECK(!there(w, MAPS "/a"));
        CHECK_INT(there(w, MAPS "/b"), i == 2);
        CHECK_INT(there(w, MAPS "/c"), i == 2);
        if (i == 2)
            CHECK_TEXT(text_at(w, MAPS "/b", "metadata.ownerReferences.0.name"), "");
        world_close(w);
    }
}

TEST(foreground_waits_for_those_that_block)
{
    struct world *w = world_open(0);
    char uid[80];

    make_map(w, "a", NULL, NULL, NULL, NULL, "");
    snprintf(uid, sizeof uid, "%s", uid_of(w, MAPS "/a"));
    make_map(w, "b", "v1", "ConfigMap", "a", uid, ",'finalizers':['example.com/wait']");
    run(w, 100);
    CALL(w->r, 200, "DELETE", MAPS "/a?propagationPolicy=Foreground", NULL);
    run(w, 3000);
    CHECK(there(w, MAPS "/a") && there(w, MAPS "/b"));
    CHECK(text_at(w, MAPS "/b", "metadata.deletionTimestamp")[0] != '\0');
    patch(w, MAPS "/b", "{'metadata':{'finalizers':null}}");
    run(w, 1000);
    CHECK(!there(w, MAPS "/a") && !there(w, MAPS "/b"));
    /* nobody depends on it at all */
    make_map(w, "alone", NULL, NULL, NULL, NULL, "");
    CALL(w->r, 200, "DELETE", MAPS "/alone?propagationPolicy=Foreground", NULL);
    make_map(w, "alone2", NULL, NULL, NULL, NULL, "");
    CALL(w->r, 200, "DELETE", MAPS "/alone2?propagationPolicy=Orphan", NULL);
    run(w, 1000);
    CHECK(!there(w, MAPS "/alone") && !there(w, MAPS "/alone2"));
    world_close(w);
}

TEST(owners_of_all_sorts)
{
    struct world *w = world_open(1);
    char node[80], map[80], body[600];

    snprintf(node, sizeof node, "%s", uid_of(w, "/api/v1/nodes/n1"));
    make_map(w, "a", NULL, NULL, NULL, NULL, "");
    snprintf(map, sizeof map, "%s", uid_of(w, MAPS "/a"));
    make_map(w, "by-node", "v1", "Node", "n1", node, "");
    make_map(w, "by-other-uid", "v1", "ConfigMap", "a", "00000000-0000-0000-0000-000000000001", "");
    make_map(w, "by-unknown-kind", "example.com/v1", "Thing", "t", "00000000-0000-0000-0000-000000000002", "");
    make_map(w, "by-gone", "v1", "Secret", "gone", "00000000-0000-0000-0000-000000000003", "");
    /* two owners, one of them gone: stays, and loses that reference */
    snprintf(body, sizeof body, "{'metadata':{'name':'two','ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap','name':'a','uid':'%s'},"
             "{'apiVersion':'v1','kind':'Secret','name':'gone','uid':'00000000-0000-0000-0000-000000000003'}]}}", map);
    CALL(w->r, 201, "POST", MAPS, body);
    /* something of the cluster cannot be owned by something in a namespace: left alone */
    snprintf(body, sizeof body, "{'metadata':{'name':'nscope','ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap','name':'zzz','uid':'00000000-0000-0000-0000-000000000004'}]}}");
    CALL(w->r, 201, "POST", "/api/v1/namespaces", body);
    run(w, 2000);
    CHECK(there(w, MAPS "/by-node"));
    CHECK(!there(w, MAPS "/by-other-uid"));
    CHECK(there(w, MAPS "/by-unknown-kind"));
    CHECK(!there(w, MAPS "/by-gone"));
    CHECK(there(w, MAPS "/two"));
    CHECK_TEXT(text_at(w, MAPS "/two", "metadata.ownerReferences.0.name"), "a");
    CHECK_TEXT(text_at(w, MAPS "/two", "metadata.ownerReferences.1.name"), "");
    CHECK_TEXT(text_at(w, "/api/v1/namespaces/nscope", "status.phase"), "Active");
    CALL(w->r, 200, "DELETE", "/api/v1/nodes/n1", NULL);
    run(w, 2000);
    CHECK(!there(w, MAPS "/by-node"));
    world_close(w);
}

TEST(what_happened_while_nobody_looked)
{
    struct world *w = world_open(0);
    char uid[80];

    make_map(w, "a", NULL, NULL, NULL, NULL, "");
    snprintf(uid, sizeof uid, "%s", uid_of(w, MAPS "/a"));
    make_map(w, "b", "v1", "ConfigMap", "a", uid, "");
    make_map(w, "kept", NULL, NULL, NULL, NULL, "");
    run(w, 100);
    world_stop_controllers(w);
    CALL(w->r, 200, "DELETE", MAPS "/a", NULL);
    make_map(w, "x", NULL, NULL, NULL, NULL, "");
    CALL(w->r, 200, "DELETE", MAPS "/x?propagationPolicy=Foreground", NULL);
    run(w, 100);
    CHECK(there(w, MAPS "/b") && there(w, MAPS "/x"));
    world_start_controllers(w);
    run(w, 1000);
    CHECK(!there(w, MAPS "/b") && !there(w, MAPS "/x") && there(w, MAPS "/kept"));
    world_close(w);
}

/* However many calls are lost: what has an owner stays, what has none goes. */
TEST(lost_calls_prove_nothing)
{
    struct world *w = world_open(0);
    char uid[80], name[40], path[120];

    make_map(w, "a", NULL, NULL, NULL, NULL, "");
    snprintf(uid, sizeof uid, "%s", uid_of(w, MAPS "/a"));
    world_stop_controllers(w);
    w->faulty->per_mille = 700;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "b%u", i);
        make_map(w, name, "v1", "ConfigMap", "a", uid, "");
        snprintf(name, sizeof name, "c%u", i);
        make_map(w, name, "v1", "ConfigMap", "no", "00000000-0000-0000-0000-000000000005", "");
    }
    /* an owner of a kind that nobody watches must be asked for: by calls that are lost */
    for (unsigned i = 0; i < 40; i++) {
        char body[300];
        snprintf(name, sizeof name, "e%u", i);
        snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'involvedObject':{'kind':'Pod','name':'x','namespace':'default'},'reason':'R'}", name);
        CALL(w->r, 201, "POST", NS "/events", body);
        snprintf(path, sizeof path, NS "/events/%s", name);
        make_map(w, name, "v1", "Event", name, uid_of(w, path), "");
    }
    w->faulty->per_mille = 300;
    world_start_controllers(w);
    run(w, 60000);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(path, sizeof path, MAPS "/e%u", i);
        CHECK(there(w, path));
    }
    CHECK(w->faulty->lost > 10);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(path, sizeof path, MAPS "/b%u", i);
        CHECK(there(w, path));
        snprintf(path, sizeof path, MAPS "/c%u", i);
        CHECK(!there(w, path));
    }
    w->faulty->per_mille = 500;
    CALL(w->r, 200, "DELETE", MAPS "/a?propagationPolicy=Foreground", NULL);
    run(w, 300000);
    CHECK(!there(w, MAPS "/a") && !there(w, MAPS "/b0") && !there(w, MAPS "/b39"));
    world_close(w);
}

/* ---- Namespaces ------------------------------------------------------------------------------------------------- */

TEST(namespaces_are_emptied_first)
{
    struct world *w = world_open(1);

    CALL(w->r, 201, "POST", "/api/v1/namespaces", "{'metadata':{'name':'old'}}");
    run(w, 300);
    CHECK(there(w, "/api/v1/namespaces/old/serviceaccounts/default"));
    CALL(w->r, 201, "POST", "/api/v1/namespaces/old/configmaps", "{'metadata':{'name':'held','finalizers':['example.com/x']}}");
    CALL(w->r, 201, "POST", "/api/v1/namespaces/old/secrets", "{'metadata':{'name':'s'}}");
    CALL(w->r, 201, "POST", "/api/v1/namespaces/old/pods", "{'metadata':{'name':'p'},'spec':{'containers':[{'name':'c','image':'i'}]}}");
    CALL(w->r, 201, "POST", "/apis/apps/v1/namespaces/old/deployments", "{'metadata':{'name':'d'},'spec':{'replicas':3,'selector':{'matchLabels':{'app':'d'}},"
         "'template':{'metadata':{'labels':{'app':'d'}},'spec':{'containers':[{'name':'c','image':'i'}]}}}}");
    run(w, 1000);
    CHECK_INT(tally_of(w, "app", "d").ready, 3);
    w->stop_ms = 5000;
    CALL(w->r, 200, "DELETE", "/api/v1/namespaces/old", NULL);
    run(w, 2000);
    CHECK(there(w, "/api/v1/namespaces/old/pods/p"));
    CHECK(!there(w, "/api/v1/namespaces/old/secrets/s"));
    CHECK_TEXT(text_at(w, "/api/v1/namespaces/old", "status.phase"), "Terminating");
    run(w, 8000);
    CHECK(!there(w, "/api/v1/namespaces/old/pods/p"));
    CHECK(there(w, "/api/v1/namespaces/old"));
    CHECK_TEXT(condition_at(w, "/api/v1/namespaces/old", "NamespaceContentRemaining", "status"), "True");
    patch(w, "/api/v1/namespaces/old/configmaps/held", "{'metadata':{'finalizers':null}}");
    run(w, 3000);
    CHECK(!there(w, "/api/v1/namespaces/old"));
    CHECK(there(w, "/api/v1/namespaces/default/serviceaccounts/default"));
    world_close(w);
}

TEST(namespaces_go_though_calls_are_lost)
{
    struct world *w = world_open(1);

    CALL(w->r, 201, "POST", "/api/v1/namespaces", "{'metadata':{'name':'old'}}");
    run(w, 300);
    CALL(w->r, 201, "POST", "/api/v1/namespaces/old/pods", "{'metadata':{'name':'p'},'spec':{'containers':[{'name':'c','image':'i'}]}}");
    run(w, 500);
    w->faulty->per_mille = 30;
    CALL(w->r, 200, "DELETE", "/api/v1/namespaces/old", NULL);
    run(w, 200000);
    CHECK(!there(w, "/api/v1/namespaces/old"));
    world_close(w);
}

/* ---- Service accounts and the root certificate ---------------------------------------------------------------------- */

TEST(every_namespace_has_its_account_and_certificate)
{
    struct world *w = world_open(0);

    world_stop_controllers(w);
    w->opts.ca_pem = STR("-----CA-----");
    world_start_controllers(w);
    CALL(w->r, 201, "POST", "/api/v1/namespaces", "{'metadata':{'name':'new'}}");
    run(w, 500);
    CHECK(there(w, "/api/v1/namespaces/new/serviceaccounts/default"));
    struct answer a = call(w->r, "GET", "/api/v1/namespaces/new/configmaps/kube-root-ca.crt", NULL);
    CHECK_STR(json_str(json_get(json_getz(a.obj, "data"), STR("ca.crt"))), "-----CA-----");
    answer_free(&a);
    CALL(w->r, 200, "DELETE", "/api/v1/namespaces/new/serviceaccounts/default", NULL);
    CALL(w->r, 200, "DELETE", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt", NULL);
    patch(w, "/api/v1/namespaces/new/configmaps/kube-root-ca.crt", "{'data':{'ca.crt':'forged'}}");
    run(w, 500);
    CHECK(there(w, "/api/v1/namespaces/new/serviceaccounts/default"));
    CHECK(there(w, "/api/v1/namespaces/default/configmaps/kube-root-ca.crt"));
    a = call(w->r, "GET", "/api/v1/namespaces/new/configmaps/kube-root-ca.crt", NULL);
    CHECK_STR(json_str(json_get(json_getz(a.obj, "data"), STR("ca.crt"))), "-----CA-----");
    answer_free(&a);
    world_close(w);
}

/* ---- Pods nobody clears away ------------------------------------------------------------------------------------------ */

TEST(pods_of_lost_nodes_and_too_many_ended_ones_go)
{
    struct world *w = world_open(1);
    char body[300], path[120];

    world_stop_controllers(w);
    w->opts.terminated_pod_gc_threshold = 5;
    world_start_controllers(w);
    for (unsigned i = 0; i < 12; i++) {
        snprintf(body, sizeof body, "{'metadata':{'name':'p%u','labels':{'app':'x'}},'spec':{'containers':[{'name':'c','image':'i'}]}}", i);
        CALL(w->r, 201, "POST", NS "/pods", body);
        run(w, 1100);
    }
    for (unsigned i = 0; i < 10; i++) {
        snprintf(path, sizeof path, NS "/pods/p%u/status", i);
        patch(w, path, i % 2 == 0 ? "{'status':{'phase':'Succeeded'}}" : "{'status':{'phase':'Failed'}}");
    }
    run(w, 45000);
    CHECK_INT(tally_of(w, "app", "x").all, 7);
    CHECK(there(w, NS "/pods/p9") && !there(w, NS "/pods/p0"));
    /* the node goes; a while later its pods */
    w->node[0].there = false;
    CALL(w->r, 200, "DELETE", "/api/v1/nodes/n1", NULL);
    run(w, 30000);
    CHECK(there(w, NS "/pods/p11"));
    run(w, 20000);
    CHECK_INT(tally_of(w, "app", "x").all, 0);
    world_close(w);
}

/* The most blocks of memory that came or went in one turn while the world ran so long: how long its turns are, counted. */
static long busiest_turn(struct world *w, uint64_t ms)
{
    uint64_t end = sim_now_ns(w->r->sim) + ms * 1000000;
    long most = 0;

    while (sim_now_ns(w->r->sim) < end) {
        long before = mem_live();
        if (!sim_step(w->r->sim))
            break;
        most = MAX_OF(most, labs(mem_live() - before));
    }
    return most;
}

TEST(thousands_of_objects_make_no_long_turn)
{
    struct world *w = world_open(0);
    char name[20];

    make_map(w, "owner", NULL, NULL, NULL, NULL, "");
    snprintf(name, sizeof name, "%s", "");
    char uid[80];
    snprintf(uid, sizeof uid, "%s", uid_of(w, MAPS "/owner"));
    world_stop_controllers(w);
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "m%d", i);
        make_map(w, name, "v1", "ConfigMap", "owner", uid, "");
    }
    run(w, 1000);
    long idle = mem_live();
    world_start_controllers(w);
    CHECK(busiest_turn(w, 3000) < 4000);
    CHECK(mem_live() - idle > 2000 * 5);
    world_stop_controllers(w);
    CHECK(mem_live() - idle > 2000 * 4);         /* little at once */
    CHECK(busiest_turn(w, 1000) < 4000);
    CHECK(mem_live() - idle < 200);
    world_close(w);
}
