/* test/ctrl/replicaset_test.c: as many pods as asked for: never more, the right ones go, strangers are taken in. */
#include <time.h>
#include "test/ctrl/ctrl_rig.h"

static unsigned most, wanted;

static void watch_count(struct world *w)
{
    unsigned n = tally_of(w, "app", "web").active;

    most = MAX_OF(most, n);
    if (n > wanted)
        test_fail(__FILE__, __LINE__, "%u pods where %u are wanted", n, wanted);
}

static void make_set(struct world *w, const char *name, unsigned replicas, const char *more)
{
    char body[1000];

    snprintf(body, sizeof body, "{'apiVersion':'apps/v1','kind':'ReplicaSet','metadata':{'name':'%s'},'spec':{'replicas':%u,"
             "'selector':{'matchLabels':{'app':'web'}},'template':{'metadata':{'labels':{'app':'web'}},"
             "'spec':{'containers':[{'name':'c','image':'i:1'}]}}%s}}", name, replicas, more);
    CALL(w->r, 201, "POST", APPS "/replicasets", body);
}

static void make_pod(struct world *w, const char *name, const char *app, const char *more_meta)
{
    char body[600];

    snprintf(body, sizeof body, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','labels':{'app':'%s'}%s},"
             "'spec':{'containers':[{'name':'c','image':'i:1'}]}}", name, app, more_meta);
    CALL(w->r, 201, "POST", NS "/pods", body);
}

static void scale(struct world *w, const char *name, unsigned n)
{
    char path[200], body[80];

    snprintf(path, sizeof path, APPS "/replicasets/%s", name);
    snprintf(body, sizeof body, "{'spec':{'replicas':%u}}", n);
    wanted = n;
    patch(w, path, body);
}

TEST(scales_up_and_down_and_never_makes_too_many)
{
    struct world *w = world_open(3);

    most = 0;
    wanted = 50;
    w->on_event = watch_count;
    make_set(w, "web", 50, "");
    run(w, 1500);
    CHECK_INT(tally_of(w, "app", "web").ready, 50);
    CHECK_INT(w->created, 50);
    CHECK_INT(number_at(w, APPS "/replicasets/web", "status.readyReplicas"), 50);
    CHECK_INT(number_at(w, APPS "/replicasets/web", "status.availableReplicas"), 50);
    CHECK_INT(number_at(w, APPS "/replicasets/web", "status.fullyLabeledReplicas"), 50);
    CHECK_INT(number_at(w, APPS "/replicasets/web", "status.observedGeneration"), 1);
    w->on_event = NULL;
    scale(w, "web", 7);
    run(w, 1500);
    CHECK_INT(tally_of(w, "app", "web").all, 7);
    CHECK_INT(w->created, 50);
    CHECK_INT(w->removed, 43);
    scale(w, "web", 0);
    run(w, 1500);
    CHECK_INT(tally_of(w, "app", "web").all, 0);
    CHECK_INT(number_at(w, APPS "/replicasets/web", "status.replicas"), 0);
    world_close(w);
}

/* Pods that nobody starts: nothing but their creation moves, so nothing but that may be waited for. */
TEST(scales_up_at_once_without_nodes)
{
    struct world *w = world_open(0);

    make_set(w, "web", 200, "");
    run(w, 1000);
    CHECK_INT(tally_of(w, "app", "web").active, 200);
    CHECK_INT(w->created, 200);
    CHECK_INT(number_at(w, APPS "/replicasets/web", "status.replicas"), 200);
    world_close(w);
}

/* However often and whenever the controllers stop and start, none too many is ever seen. */
TEST(restarts_in_the_middle_make_none_too_many)
{
    struct world *w = world_open(2);

    wanted = 60;
    w->on_event = watch_count;
    make_set(w, "web", 60, "");
    for (unsigned i = 0; i < 30; i++) {
        run(w, 3 + i % 7);
        world_stop_controllers(w);
        if (i % 3 == 0)
            run(w, i % 5);
        world_start_controllers(w);
    }
    run(w, 3000);
    CHECK_INT(tally_of(w, "app", "web").ready, 60);
    CHECK_INT(w->created, 60);
    world_close(w);
}

TEST(the_least_useful_go_first)
{
    struct world *w = world_open(2);
    struct answer a;

    wanted = 100;
    make_set(w, "web", 5, "");
    run(w, 800);
    w->start_ms = 100000;                        /* what comes now is never ready */
    scale(w, "web", 8);
    run(w, 500);
    CHECK_INT(tally_of(w, "app", "web").ready, 5);
    scale(w, "web", 5);
    run(w, 500);
    CHECK_INT(tally_of(w, "app", "web").ready, 5);
    CHECK_INT(tally_of(w, "app", "web").all, 5);
    /* a price on its head */
    a = call(w->r, "GET", NS "/pods", NULL);
    struct str cheap = arena_str(&a.arena, json_path_str(a.obj, "items.3.metadata.name"));
    char path[300];
    snprintf(path, sizeof path, NS "/pods/%.*s", STR_ARG(cheap));
    patch(w, path, "{'metadata':{'annotations':{'controller.kubernetes.io/pod-deletion-cost':'-10'}}}");
    scale(w, "web", 4);
    run(w, 500);
    CALL(w->r, 404, "GET", path, NULL);
    answer_free(&a);
    world_close(w);
}

TEST(adopts_and_lets_go)
{
    struct world *w = world_open(2);

    make_pod(w, "stray", "web", "");
    make_pod(w, "other", "db", "");
    make_set(w, "web", 3, "");
    run(w, 800);
    CHECK_INT(tally_of(w, "app", "web").ready, 3);
    CHECK_INT(w->created, 4);
    CHECK_TEXT(text_at(w, NS "/pods/stray", "metadata.ownerReferences.0.name"), "web");
    CHECK_TEXT(text_at(w, NS "/pods/other", "metadata.ownerReferences.0.name"), "");
    /* relabeled: let go, and replaced */
    patch(w, NS "/pods/stray", "{'metadata':{'labels':{'app':'debug'}}}");
    run(w, 800);
    CHECK_TEXT(text_at(w, NS "/pods/stray", "metadata.ownerReferences.0.name"), "");
    CHECK_INT(tally_of(w, "app", "web").ready, 3);
    /* and back: one too many, one goes */
    patch(w, NS "/pods/stray", "{'metadata':{'labels':{'app':'web'}}}");
    run(w, 800);
    CHECK_INT(tally_of(w, "app", "web").all, 3);
    /* someone else's is not taken */
    CALL(w->r, 201, "POST", NS "/configmaps", "{'metadata':{'name':'x'}}");
    char owner[300];
    snprintf(owner, sizeof owner, ",'ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap','name':'x','uid':'%s','controller':true}]",
             text_at(w, NS "/configmaps/x", "metadata.uid"));
    make_pod(w, "taken", "web", owner);
    run(w, 500);
    CHECK_TEXT(text_at(w, NS "/pods/taken", "metadata.ownerReferences.0.kind"), "ConfigMap");
    CHECK_TEXT(text_at(w, NS "/pods/taken", "metadata.ownerReferences.1.kind"), "");
    world_close(w);
}

/* A quota by admission is not there; a template that admission refuses is: one call at a time, later and later. */
TEST(a_refused_template_costs_few_calls)
{
    struct world *w = world_open(1);
    struct answer a;
    unsigned n = 0;

    CALL(w->r, 201, "POST", APPS "/replicasets", "{'apiVersion':'apps/v1','kind':'ReplicaSet','metadata':{'name':'web'},'spec':{'replicas':40,"
         "'selector':{'matchLabels':{'app':'web'}},'template':{'metadata':{'labels':{'app':'web'}},"
         "'spec':{'serviceAccountName':'nobody','priorityClassName':'none-such','containers':[{'name':'c','image':'i:1'}]}}}}");
    run(w, 10000);
    CHECK_INT(tally_of(w, "app", "web").all, 0);
    CHECK_TEXT(condition_at(w, APPS "/replicasets/web", "ReplicaFailure", "status"), "True");
    CHECK_TEXT(condition_at(w, APPS "/replicasets/web", "ReplicaFailure", "reason"), "FailedCreate");
    a = call(w->r, "GET", NS "/events", NULL);
    json_each(e, json_path(a.obj, "items"))
        n += str_is(json_path_str(e, "reason"), "FailedCreate");
    CHECK(n >= 1);
    answer_free(&a);
    world_close(w);
}

TEST(min_ready_seconds_delay_availability)
{
    struct world *w = world_open(1);

    make_set(w, "web", 2, ",'minReadySeconds':5");
    run(w, 1000);
    CHECK_INT(number_at(w, APPS "/replicasets/web", "status.readyReplicas"), 2);
    CHECK_INT(number_at(w, APPS "/replicasets/web", "status.availableReplicas"), 0);
    run(w, 7000);
    CHECK_INT(number_at(w, APPS "/replicasets/web", "status.availableReplicas"), 2);
    world_close(w);
}

TEST(ended_and_deleted_pods_are_replaced)
{
    struct world *w = world_open(2);
    struct answer a;

    make_set(w, "web", 3, "");
    run(w, 800);
    a = call(w->r, "GET", NS "/pods", NULL);
    char path[300];
    snprintf(path, sizeof path, NS "/pods/%.*s", STR_ARG(json_path_str(a.obj, "items.0.metadata.name")));
    CALL(w->r, 200, "DELETE", path, NULL);
    snprintf(path, sizeof path, NS "/pods/%.*s/status", STR_ARG(json_path_str(a.obj, "items.1.metadata.name")));
    patch(w, path, "{'status':{'phase':'Failed'}}");
    answer_free(&a);
    run(w, 800);
    CHECK_INT(tally_of(w, "app", "web").ready, 3);
    CHECK_INT(w->created, 5);
    world_close(w);
}

/* Answers are lost, of calls that were done and of calls that were not: whoever does not know waits and looks. */
TEST(lost_answers_make_none_too_many)
{
    struct world *w = world_open(2);

    wanted = 40;
    w->on_event = watch_count;
    w->faulty->per_mille = 250;
    make_set(w, "web", 40, "");
    run(w, 400000);
    CHECK(w->faulty->lost > 5);
    CHECK_INT(tally_of(w, "app", "web").ready, 40);
    CHECK_INT(w->created, 40);
    w->on_event = NULL;
    scale(w, "web", 11);
    run(w, 400000);
    CHECK_INT(tally_of(w, "app", "web").all, 11);
    CHECK_INT(w->removed, 29);                   /* none too many went, either */
    CHECK_INT(w->created, 40);
    world_close(w);
}

/* A big set: nothing in a pass may grow with the square of it. */
TEST(thousands_of_pods_of_one_set)
{
    struct world *w = world_open(0);
    struct timespec t1, t2;

    make_set(w, "web", 3000, "");
    clock_gettime(CLOCK_MONOTONIC, &t1);
    for (unsigned i = 0; i < 100 && w->created < 3000; i++)
        run(w, 200);
    CHECK_INT(w->created, 3000);
    scale(w, "web", 10);
    for (unsigned i = 0; i < 100 && w->removed < 2990; i++)
        run(w, 200);
    clock_gettime(CLOCK_MONOTONIC, &t2);
    CHECK_INT(w->removed, 2990);
    printf("3000 pods made and deleted in %.2f s of CPU time\n", (double)(t2.tv_sec - t1.tv_sec) + (double)(t2.tv_nsec - t1.tv_nsec) * 1e-9);
    world_close(w);
}
