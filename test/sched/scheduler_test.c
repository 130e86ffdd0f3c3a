/* test/sched/scheduler_test.c: the scheduler against a real API in virtual time: it binds all that fits, never too much,
 * never twice, says why not, and wakes up when something changes. */
#include <time.h>
#include "net/map.h"
#include "sched/scheduler.h"
#include "api/informer.h"
#include "test/api/api_rig.h"
#include "test/api/faulty.h"

struct stage {
    struct rig *r;
    struct client *inner, *client;
    struct faulty *faulty;
    struct scheduler *s;
    struct informer *pods;
    struct scheduler_opts opts;
    unsigned bound;
};

static void stage_on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_, struct json *json)
{
    struct stage *g = arg;
    struct arena a = ARENA_INIT;
    struct str now = json_path_str(json, "spec.nodeName");

    if (what == INFORMER_UPDATE) {
        struct str was = json_path_str(object_json(old, &a), "spec.nodeName");
        if (was.n > 0 && !str_eq(was, now))
            test_fail(__FILE__, __LINE__, "%.*s moved from %.*s to %.*s", STR_ARG(new_->name), STR_ARG(was), STR_ARG(now));
        g->bound += was.n == 0 && now.n > 0;
    }
    arena_release(&a);
}

static void start_in(void *arg)
{
    struct stage *g = arg;
    g->opts.client = &g->faulty->client;
    g->s = scheduler_start(&g->opts);
}

static void stop_in(void *arg)
{
    struct stage *g = arg;
    scheduler_stop(g->s);
    g->s = NULL;
}

static void open_in(void *arg)
{
    static const char *const masters[] = { "system:masters", NULL };
    struct stage *g = arg;
    struct loop *l = sim_machine_loop(g->r->m);

    g->client = client_new_local(g->r->api, l, "admin", masters);
    g->inner = client_new_local(g->r->api, l, "system:kube-scheduler", masters);
    g->faulty = faulty_new(g->inner);
    struct informer_opts po = { .client = g->client, .res = CLIENT_PODS, .on_change = stage_on_pod, .arg = g };
    g->pods = informer_start(&po);
}

static void close_in(void *arg)
{
    struct stage *g = arg;

    scheduler_stop(g->s);
    informer_stop(g->pods);
    client_free(g->client);
    client_free(&g->faulty->client);
    client_free(g->inner);
}

static struct stage *stage_open(void)
{
    struct stage *g = calloc(1, sizeof *g);

    /* no controller here says that a node is ready */
    struct api_opts o = { .disable_admission = "TaintNodesByCondition" };

    g->r = rig_open_with(&o);
    sim_do(g->r->m, open_in, g);
    sim_do(g->r->m, start_in, g);
    CALL(g->r, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", "{'metadata':{'name':'default'}}");
    rig_run(g->r, 300);
    return g;
}

static void stage_close(struct stage *g)
{
    sim_do(g->r->m, close_in, g);
    rig_close(g->r);
    free(g);
}

static void add_node(struct stage *g, const char *name, const char *allocatable)
{
    char path[80], body[400];

    snprintf(body, sizeof body, "{'metadata':{'name':'%s'}}", name);
    CALL(g->r, 201, "POST", "/api/v1/nodes", body);
    snprintf(path, sizeof path, "/api/v1/nodes/%s/status", name);
    snprintf(body, sizeof body, "{'status':{'allocatable':{%s},'conditions':[{'type':'Ready','status':'True'}]}}", allocatable);
    g->r->type = CLIENT_MERGE_PATCH;
    CALL(g->r, 200, "PATCH", path, body);
    g->r->type = NULL;
}

#define BIG  "'cpu':'64','memory':'64Gi','pods':'1000'"
#define TINY "'cpu':'2','memory':'4Gi','pods':'100'"

static void add_pod(struct stage *g, const char *name, const char *requests, const char *more)
{
    char body[700];

    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'spec':{'containers':[{'name':'c','image':'i','resources':{'requests':{%s},'limits':{%s}}}]%s}}",
             name, requests, strchr(requests, '/') != NULL ? requests : "", more);
    CALL(g->r, 201, "POST", "/api/v1/namespaces/default/pods", body);
}

static char *at(struct stage *g, const char *target, const char *path)
{
    static char text[4][600];
    static unsigned turn;
    struct answer a = call(g->r, "GET", target, NULL);
    char *to = text[turn++ % 4];

    snprintf(to, sizeof text[0], "%.*s", STR_ARG(json_path_str(a.obj, path)));
    answer_free(&a);
    return to;
}

#define POD "/api/v1/namespaces/default/pods/"
#define NODE_OF(g, name) at((g), POD name, "spec.nodeName")

/* What pods ask for (millis of CPU, one a pod of this test) must fit. */
static void check_fits(struct stage *g, unsigned per_node)
{
    struct answer a = call(g->r, "GET", "/api/v1/pods", NULL);
    struct map on = MAP_INIT;

    json_each(p, json_getz(a.obj, "items")) {
        struct str node = json_path_str(p, "spec.nodeName");
        if (node.n > 0)
            map_put(&on, node, (void *)((uintptr_t)map_get(&on, node) + 1));
    }
    struct str key;
    void *val;
    for (size_t it = 0; map_next(&on, &it, &key, &val);)
        if ((uintptr_t)val > per_node)
            test_fail(__FILE__, __LINE__, "%.*s has %lu pods", STR_ARG(key), (unsigned long)(uintptr_t)val);
    map_release(&on);
    answer_free(&a);
}

TEST(binds_what_fits_and_says_why_not)
{
    struct stage *g = stage_open();

    add_pod(g, "early", "'cpu':'1'", "");
    rig_run(g->r, 200);
    CHECK_STR(str_of(at(g, POD "early", "status.conditions.0.message")), "no nodes available to schedule pods");
    add_node(g, "n1", TINY);
    rig_run(g->r, 1500);
    CHECK_STR(str_of(NODE_OF(g, "early")), "n1");
    add_pod(g, "fits", "'cpu':'1'", "");
    add_pod(g, "too-much", "'cpu':'1'", "");
    rig_run(g->r, 200);
    CHECK_STR(str_of(NODE_OF(g, "fits")), "n1");
    CHECK_STR(str_of(NODE_OF(g, "too-much")), "");
    CHECK_STR(str_of(at(g, POD "too-much", "status.conditions.0.reason")), "Unschedulable");
    CHECK_STR(str_of(at(g, POD "too-much", "status.conditions.0.message")), "0/1 nodes are available: 1 Insufficient cpu.");
    /* room is made */
    CALL(g->r, 200, "DELETE", POD "fits?gracePeriodSeconds=0", NULL);
    rig_run(g->r, 1500);
    CHECK_STR(str_of(NODE_OF(g, "too-much")), "n1");
    /* one that has ended makes room as well */
    add_pod(g, "next", "'cpu':'1'", "");
    rig_run(g->r, 200);
    CHECK_STR(str_of(NODE_OF(g, "next")), "");
    g->r->type = CLIENT_MERGE_PATCH;
    CALL(g->r, 200, "PATCH", POD "early/status", "{'status':{'phase':'Succeeded'}}");
    g->r->type = NULL;
    rig_run(g->r, 1500);
    CHECK_STR(str_of(NODE_OF(g, "next")), "n1");
    check_fits(g, 3);
    stage_close(g);
}

/* A pod on its way out keeps its room, and does not wake others for nothing. */
TEST(leaving_pods_keep_their_room)
{
    struct stage *g = stage_open();
    struct scheduler_stats s1, s2;

    add_node(g, "n1", TINY);
    add_pod(g, "a", "'cpu':'2'", "");
    rig_run(g->r, 200);
    add_pod(g, "b", "'cpu':'2'", "");
    rig_run(g->r, 5000);
    scheduler_stats(g->s, &s1);
    CALL(g->r, 200, "DELETE", POD "a", NULL);
    rig_run(g->r, 5000);
    g->r->type = CLIENT_MERGE_PATCH;
    CALL(g->r, 200, "PATCH", POD "a/status", "{'status':{'message':'ending'}}");
    g->r->type = NULL;
    rig_run(g->r, 5000);
    scheduler_stats(g->s, &s2);
    CHECK_INT(s2.unschedulable, s1.unschedulable);
    CHECK_STR(str_of(NODE_OF(g, "b")), "");
    CALL(g->r, 200, "DELETE", POD "a?gracePeriodSeconds=0", NULL);
    rig_run(g->r, 1500);
    CHECK_STR(str_of(NODE_OF(g, "b")), "n1");
    stage_close(g);
}

TEST(wakes_up_for_nodes_tolerations_and_gates)
{
    struct stage *g = stage_open();

    add_node(g, "n1", TINY);
    g->r->type = CLIENT_MERGE_PATCH;
    CALL(g->r, 200, "PATCH", "/api/v1/nodes/n1", "{'spec':{'taints':[{'key':'k','value':'v','effect':'NoSchedule'}]}}");
    g->r->type = NULL;
    add_pod(g, "a", "", "");
    add_pod(g, "b", "", "");
    add_pod(g, "gated", "", ",'schedulingGates':[{'name':'example.com/g'}],'tolerations':[{'operator':'Exists'}]");
    add_pod(g, "other", "", ",'schedulerName':'mine','tolerations':[{'operator':'Exists'}]");
    rig_run(g->r, 300);
    CHECK_STR(str_of(at(g, POD "a", "status.conditions.0.message")), "0/1 nodes are available: 1 node(s) had untolerated taint {k: v}.");
    CHECK_STR(str_of(NODE_OF(g, "gated")), "");
    g->r->type = CLIENT_MERGE_PATCH;
    CALL(g->r, 200, "PATCH", POD "gated", "{'spec':{'schedulingGates':null}}");
    g->r->type = NULL;
    struct answer a = call(g->r, "GET", POD "b", NULL);
    struct json *more = json_push(json_path(a.obj, "spec.tolerations") != NULL ? json_path(a.obj, "spec.tolerations")
                                  : json_setz(&a.arena, json_path(a.obj, "spec"), "tolerations", json_array(&a.arena)), json_object(&a.arena));
    json_setf(&a.arena, more, "operator", "Exists");
    struct buf text = BUF_INIT;
    json_write(&text, a.obj);
    g->r->raw = buf_str(&text);
    CALL(g->r, 200, "PUT", POD "b", "");
    g->r->raw = STR_NONE;
    buf_release(&text);
    answer_free(&a);
    rig_run(g->r, 3000);
    CHECK_STR(str_of(NODE_OF(g, "gated")), "n1");
    CHECK_STR(str_of(NODE_OF(g, "b")), "n1");
    CHECK_STR(str_of(NODE_OF(g, "a")), "");
    CHECK_STR(str_of(NODE_OF(g, "other")), "");
    g->r->type = CLIENT_MERGE_PATCH;
    CALL(g->r, 200, "PATCH", "/api/v1/nodes/n1", "{'spec':{'taints':null}}");
    g->r->type = NULL;
    rig_run(g->r, 3000);
    CHECK_STR(str_of(NODE_OF(g, "a")), "n1");
    stage_close(g);
}

/* Pods are seen before nodes when the scheduler starts: what they use of scarce things counts all the same. */
TEST(scarce_things_are_counted_across_restarts)
{
    struct stage *g = stage_open();

    add_node(g, "n1", BIG ",'vendor.com/gpu':'2','hugepages-2Mi':'8Mi'");
    add_pod(g, "a", "'vendor.com/gpu':'1'", "");
    add_pod(g, "b", "'vendor.com/gpu':'1'", "");
    rig_run(g->r, 500);
    CHECK_STR(str_of(NODE_OF(g, "a")), "n1");
    g->faulty->per_mille = 500;                  /* sometimes the pods are known first, sometimes the nodes */
    g->faulty->only_method = "GET";
    add_pod(g, "too-many", "'vendor.com/gpu':'1'", "");
    for (unsigned i = 0; i < 12; i++) {
        sim_do(g->r->m, stop_in, g);
        sim_do(g->r->m, start_in, g);
        rig_run(g->r, 2000);
        CHECK_STR(str_of(NODE_OF(g, "too-many")), "");
    }
    CALL(g->r, 200, "DELETE", POD "too-many?gracePeriodSeconds=0", NULL);
    add_pod(g, "c", "'vendor.com/gpu':'1'", "");
    rig_run(g->r, 500);
    CHECK_STR(str_of(NODE_OF(g, "c")), "");
    CHECK_STR(str_of(at(g, POD "c", "status.conditions.0.message")), "0/1 nodes are available: 1 Insufficient vendor.com/gpu.");
    CALL(g->r, 200, "DELETE", POD "a?gracePeriodSeconds=0", NULL);
    rig_run(g->r, 2000);
    CHECK_STR(str_of(NODE_OF(g, "c")), "n1");
    stage_close(g);
}

/* Bindings are lost before and after they are done; pods are deleted under the scheduler's hands, some made again. */
TEST(lost_bindings_and_vanishing_pods)
{
    struct stage *g = stage_open();
    char name[24], path[100];

    for (unsigned i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "n%u", i);
        add_node(g, name, "'cpu':'10','memory':'64Gi','pods':'100'");
    }
    g->faulty->per_mille = 300;
    for (unsigned i = 0; i < 120; i++) {
        snprintf(name, sizeof name, "p%u", i);
        add_pod(g, name, "'cpu':'1'", "");
        if (i % 3 == 0) {
            snprintf(path, sizeof path, POD "p%u?gracePeriodSeconds=0", i);
            struct answer a = call(g->r, "DELETE", path, NULL);
            answer_free(&a);
            if (i % 2 == 0)
                add_pod(g, name, "'cpu':'1'", "");
        }
        if (i % 40 == 39) {
            sim_do(g->r->m, stop_in, g);
            rig_run(g->r, 1500);                 /* what is still under way to the API gets there */
            sim_do(g->r->m, start_in, g);
        }
    }
    rig_run(g->r, 300000);
    check_fits(g, 10);
    struct answer a = call(g->r, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3D", NULL);
    CHECK_INT(json_getz(a.obj, "items")->n, 0);   /* 100 pods, room for 100 */
    answer_free(&a);
    CHECK(g->faulty->lost > 20);
    stage_close(g);
}

struct flood { struct stage *g; unsigned n, answered; };

static void flood_on_done(void *arg, const struct client_result *r)
{
    struct flood *f = arg;
    CHECK(r->ok);
    f->answered++;
}

static void flood_in(void *arg)
{
    struct flood *f = arg;
    char body[300];

    for (unsigned i = 0; i < f->n; i++) {
        snprintf(body, sizeof body, "{\"metadata\":{\"name\":\"f%u\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]}}", i);
        struct client_req r = { .method = "POST", .res = CLIENT_PODS, .ns = STR("default"), .body_text = str_of(body), .done = flood_on_done, .arg = f };
        client_send(f->g->client, &r);
    }
}

static double wall(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

TEST(thousands_of_pods)
{
    struct stage *g = stage_open();
    struct flood f = { g, 5000, 0 };
    char name[24];

    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "n%u", i);
        add_node(g, name, BIG);
    }
    sim_do(g->r->m, stop_in, g);
    sim_do(g->r->m, flood_in, &f);
    while (f.answered < f.n)
        rig_run(g->r, 10);
    double t = wall();
    sim_do(g->r->m, start_in, g);
    for (unsigned i = 0; i < 2000 && g->bound < f.n; i++) {
        rig_run(g->r, 5);
        if (i == 3) {                            /* a new leader in the middle */
            sim_do(g->r->m, stop_in, g);
            sim_do(g->r->m, start_in, g);
        }
    }
    printf("scheduled %u pods on 100 nodes: %.0f pods/s of CPU time, API and store included\n", g->bound, g->bound / (wall() - t));
    CHECK_INT(g->bound, f.n);
    check_fits(g, 64);
    stage_close(g);
}

TEST(schedulers_that_come_and_go_leave_nothing)
{
    struct stage *g = stage_open();
    struct flood f = { g, 90, 0 };
    long before = 0;

    add_node(g, "n1", "'cpu':'100','memory':'64Gi','pods':'1000','vendor.com/gpu':'2'");
    sim_do(g->r->m, flood_in, &f);
    rig_run(g->r, 3000);
    for (unsigned i = 0; i < 8; i++) {
        sim_do(g->r->m, stop_in, g);
        rig_run(g->r, 1000);
        if (i == 3)
            before = mem_live();
        if (i == 7 && mem_live() > before + 10)
            test_fail(__FILE__, __LINE__, "%ld blocks leaked by four restarts", mem_live() - before);
        sim_do(g->r->m, start_in, g);
        rig_run(g->r, i % 2 == 0 ? 3000 : 1);
    }
    stage_close(g);
}

/* Many parked pods, and nodes that change again and again: no storm of decisions. */
TEST(parked_pods_sleep)
{
    struct stage *g = stage_open();
    struct flood f = { g, 500, 0 };
    struct scheduler_stats s;

    add_node(g, "n1", "'cpu':'100m','memory':'1Gi','pods':'10'");
    sim_do(g->r->m, flood_in, &f);
    rig_run(g->r, 2000);
    CHECK_INT(f.answered, 500);
    for (unsigned i = 0; i < 50; i++) {
        char body[100];
        snprintf(body, sizeof body, "{'metadata':{'labels':{'turn':'%u'}}}", i);
        g->r->type = CLIENT_MERGE_PATCH;
        CALL(g->r, 200, "PATCH", "/api/v1/nodes/n1", body);
        g->r->type = NULL;
    }
    rig_run(g->r, 60000);
    scheduler_stats(g->s, &s);
    CHECK_INT(s.unschedulable, 500);
    CHECK_INT(s.queued, 500);
    rig_run(g->r, 300000);                       /* after five minutes everything is tried again */
    scheduler_stats(g->s, &s);
    CHECK_INT(s.unschedulable, 1000);
    stage_close(g);
}

/* The most blocks of memory that came or went in one turn while the world ran so long: how long its turns are, counted. */
static long busiest_turn(struct stage *g, uint64_t ms)
{
    uint64_t end = sim_now_ns(g->r->sim) + ms * 1000000;
    long most = 0;

    while (sim_now_ns(g->r->sim) < end) {
        long before = mem_live();
        if (!sim_step(g->r->sim))
            break;
        most = MAX_OF(most, labs(mem_live() - before));
    }
    return most;
}

TEST(thousands_of_pods_make_no_long_turn)
{
    struct stage *g = stage_open();
    struct flood f = { g, 4000, 0 };
    long live;

    add_node(g, "n1", "'cpu':'1000','memory':'6400Gi','pods':'2000'");
    sim_do(g->r->m, flood_in, &f);
    rig_run(g->r, 20000);
    CHECK_INT(g->bound, 1000);                   /* half is bound, half is parked */
    live = mem_live();
    sim_do(g->r->m, stop_in, g);
    CHECK(live - mem_live() < 2000);
    CHECK(busiest_turn(g, 1000) < 2000);
    CHECK(live - mem_live() > 4000 * 4);
    sim_do(g->r->m, start_in, g);
    rig_run(g->r, 3000);
    CHECK(mem_live() > live - 1000);
    stage_close(g);
}
