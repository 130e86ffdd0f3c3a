/* test/ctrl/node_test.c: silent nodes, their taints and their pods; disruption budgets. */
#include "test/ctrl/ctrl_rig.h"

static void make_web(struct world *w, unsigned replicas, unsigned bears_s)
{
    char body[1200];

    snprintf(body, sizeof body, "{'metadata':{'name':'web'},'spec':{'replicas':%u,'selector':{'matchLabels':{'app':'web'}},"
             "'template':{'metadata':{'labels':{'app':'web'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'tolerations':["
             "{'key':'node.kubernetes.io/unreachable','operator':'Exists','effect':'NoExecute','tolerationSeconds':%u}]}}}}", replicas, bears_s);
    CALL(w->r, 201, "POST", APPS "/deployments", body);
    run(w, 2000);
    CHECK_INT(tally_of(w, "app", "web").ready, replicas);
}

static unsigned taints_of(struct world *w, const char *node, const char *key)
{
    char path[80];
    struct answer a;
    unsigned n = 0;

    snprintf(path, sizeof path, "/api/v1/nodes/%s", node);
    a = call(w->r, "GET", path, NULL);
    json_each(t, json_path(a.obj, "spec.taints"))
        n += str_is(json_path_str(t, "key"), key);
    answer_free(&a);
    return n;
}

#define UNREACHABLE "node.kubernetes.io/unreachable"

TEST(a_silent_node_is_tainted_and_its_pods_replaced)
{
    struct world *w = world_open(3);

    make_web(w, 6, 30);
    w->node[0].silent = true;
    run(w, 30000);
    CHECK_INT(taints_of(w, "n1", UNREACHABLE), 0);
    run(w, 25000);
    CHECK_TEXT(condition_at(w, "/api/v1/nodes/n1", "Ready", "status"), "Unknown");
    CHECK_TEXT(condition_at(w, "/api/v1/nodes/n1", "Ready", "reason"), "NodeStatusUnknown");
    CHECK_INT(taints_of(w, "n1", UNREACHABLE), 2);
    CHECK_INT(tally_of(w, "app", "web").ready, 4);
    CHECK_INT(tally_of(w, "app", "web").leaving, 0);
    run(w, 30000);
    CHECK_INT(tally_of(w, "app", "web").ready, 6);
    CHECK_INT(tally_of(w, "app", "web").leaving, 2);     /* nobody is there to end them */
    w->node[0].silent = false;
    world_node_ready(w, "n1");
    run(w, 15000);
    CHECK_INT(taints_of(w, "n1", UNREACHABLE), 0);
    CHECK_INT(tally_of(w, "app", "web").all, 6);
    world_close(w);
}

TEST(a_node_that_comes_back_in_time_keeps_its_pods)
{
    struct world *w = world_open(2);

    make_web(w, 4, 60);
    w->node[0].silent = true;
    run(w, 70000);
    CHECK_INT(taints_of(w, "n1", UNREACHABLE), 2);
    w->node[0].silent = false;
    world_node_ready(w, "n1");
    run(w, 100000);
    CHECK_INT(taints_of(w, "n1", UNREACHABLE), 0);
    CHECK_INT(w->removed, 0);
    world_close(w);
}

/* Whoever begins to lead has heard of nobody yet: all have their time anew, nodes and pods. */
TEST(a_new_leader_gives_everybody_time)
{
    struct world *w = world_open(2);

    make_web(w, 4, 60);
    w->node[0].silent = true;
    run(w, 35000);
    world_stop_controllers(w);
    world_start_controllers(w);
    run(w, 30000);
    CHECK_INT(taints_of(w, "n1", UNREACHABLE), 0);
    run(w, 20000);
    CHECK_INT(taints_of(w, "n1", UNREACHABLE), 2);
    world_stop_controllers(w);
    run(w, 600000);                              /* all heads were down for ten minutes */
    world_start_controllers(w);
    run(w, 30000);
    CHECK_INT(w->removed, 0);
    CHECK_INT(tally_of(w, "app", "web").leaving, 0);
    run(w, 40000);
    CHECK_INT(tally_of(w, "app", "web").leaving, 2);
    world_close(w);
}

TEST(when_nobody_is_heard_of_nobody_is_evicted)
{
    struct world *w = world_open(2);

    make_web(w, 4, 5);
    w->node[0].silent = w->node[1].silent = true;
    run(w, 300000);
    CHECK_INT(taints_of(w, "n1", UNREACHABLE), 2);
    CHECK_INT(tally_of(w, "app", "web").leaving, 0);
    w->node[1].silent = false;
    world_node_ready(w, "n2");
    run(w, 60000);
    CHECK_INT(taints_of(w, "n2", UNREACHABLE), 0);
    CHECK_INT(tally_of(w, "app", "web").leaving, 2);
    world_close(w);
}

TEST(conditions_become_taints)
{
    struct world *w = world_open(1);

    w->r->type = CLIENT_STRATEGIC_PATCH;
    CALL(w->r, 200, "PATCH", "/api/v1/nodes/n1/status", "{'status':{'conditions':[{'type':'Ready','status':'False'},{'type':'MemoryPressure','status':'True'}]}}");
    w->r->type = NULL;
    patch(w, "/api/v1/nodes/n1", "{'spec':{'unschedulable':true,'taints':[{'key':'mine','effect':'NoSchedule'}]}}");
    run(w, 500);
    CHECK_INT(taints_of(w, "n1", "node.kubernetes.io/not-ready"), 2);
    CHECK_INT(taints_of(w, "n1", "node.kubernetes.io/memory-pressure"), 1);
    CHECK_INT(taints_of(w, "n1", "node.kubernetes.io/unschedulable"), 1);
    CHECK_INT(taints_of(w, "n1", "mine"), 1);
    world_node_ready(w, "n1");
    patch(w, "/api/v1/nodes/n1", "{'spec':{'unschedulable':false}}");
    run(w, 500);
    CHECK_INT(taints_of(w, "n1", "node.kubernetes.io/not-ready"), 0);
    CHECK_INT(taints_of(w, "n1", "node.kubernetes.io/unschedulable"), 0);
    CHECK_INT(taints_of(w, "n1", "mine"), 1);
    world_close(w);
}

/* ---- Budgets --------------------------------------------------------------------------------------------------- */

#define PDBS "/apis/policy/v1/namespaces/default/poddisruptionbudgets"

static void check_budget(struct world *w, const char *name, int allowed, int healthy, int wanted, int expected)
{
    char path[200];

    snprintf(path, sizeof path, PDBS "/%s", name);
    CHECK_INT(number_at(w, path, "status.disruptionsAllowed"), allowed);
    CHECK_INT(number_at(w, path, "status.currentHealthy"), healthy);
    CHECK_INT(number_at(w, path, "status.desiredHealthy"), wanted);
    CHECK_INT(number_at(w, path, "status.expectedPods"), expected);
}

TEST(budgets_allow_what_they_say)
{
    struct world *w = world_open(2);

    make_web(w, 10, 300);
    CALL(w->r, 201, "POST", PDBS, "{'metadata':{'name':'min'},'spec':{'minAvailable':8,'selector':{'matchLabels':{'app':'web'}}}}");
    CALL(w->r, 201, "POST", PDBS, "{'metadata':{'name':'percent'},'spec':{'minAvailable':'75%','selector':{'matchLabels':{'app':'web'}}}}");
    CALL(w->r, 201, "POST", PDBS, "{'metadata':{'name':'max'},'spec':{'maxUnavailable':'30%','selector':{'matchLabels':{'app':'web'}}}}");
    CALL(w->r, 201, "POST", PDBS, "{'metadata':{'name':'none'},'spec':{'maxUnavailable':1,'selector':{'matchLabels':{'app':'nobody'}}}}");
    run(w, 500);
    check_budget(w, "min", 2, 10, 8, 10);
    check_budget(w, "percent", 2, 10, 8, 10);
    check_budget(w, "max", 3, 10, 7, 10);
    check_budget(w, "none", 0, 0, 0, 0);
    /* in the midst of a rollout, old and new pods are those of one Deployment */
    w->bad_image = "bad";
    patch(w, APPS "/deployments/web", "{'spec':{'template':{'spec':{'containers':[{'name':'c','image':'bad'}]}}}}");
    run(w, 2000);
    check_budget(w, "max", 1, 8, 7, 10);
    patch(w, APPS "/deployments/web", "{'spec':{'replicas':4,'template':{'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}");
    run(w, 5000);
    check_budget(w, "max", 2, 4, 2, 4);
    check_budget(w, "min", 0, 4, 8, 4);
    world_close(w);
}

/* Leases are watched: the period bounds only how soon evictions that were held back go on. */
TEST(the_monitor_period_bounds_held_back_evictions)
{
    static const struct { uint64_t period_ms; unsigned leaving; } of[] = { { 1000, 2 }, { 60000, 0 } };

    for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
        struct world *w = world_open(2);
        world_stop_controllers(w);
        w->opts.node_monitor_period_ms = of[i].period_ms;
        world_start_controllers(w);
        make_web(w, 4, 5);
        w->node[0].silent = w->node[1].silent = true;
        run(w, 300000);
        CHECK_INT(tally_of(w, "app", "web").leaving, 0);
        w->node[1].silent = false;
        world_node_ready(w, "n2");
        run(w, 2500);
        CHECK_INT(tally_of(w, "app", "web").leaving, of[i].leaving);
        run(w, 60000);
        CHECK_INT(tally_of(w, "app", "web").leaving, 2);
        world_close(w);
    }
}
