/* test/ctrl/leaders_test.c: two leaders for a while: the old one is cut off and does not know, its controllers work on.
 *
 * Three heads, each with controllers while it believes it leads, as a real head does it.  Pods are deleted and sets scaled
 * through the majority while the old leader sees nothing of it and, in the middle of its own work, writes what it can.
 * Nothing of that may come to pass: every pod lost is replaced exactly once, whoever does it. */
#include "ctrl/controllers.h"
#include "api/informer.h"
#include "test/api/api_rig.h"

#define N    3
#define PODS "/api/v1/namespaces/default/pods"
#define SETS "/apis/apps/v1/namespaces/default/replicasets"

struct head { struct rig r; struct client *client; struct controllers *ctrl; };
struct heads { struct sim *sim; struct head h[N]; unsigned leading, most_leading; };
static struct heads *now;                        /* the one world of the running test */

static void stop_leading(struct head *h)
{
    if (h->ctrl == NULL)
        return;
    controllers_stop(h->ctrl);
    client_free(h->client);
    h->ctrl = NULL;
    now->leading--;
}

/* As tools/head.c does it. */
static void on_leading(void *rig, bool leader)
{
    static const char *const masters[] = { "system:masters", NULL };
    struct head *h = container_of((struct rig *)rig, struct head, r);
    struct controllers_opts o = { 0 };

    if (!leader) {
        stop_leading(h);
        return;
    }
    h->client = client_new_local(h->r.api, sim_machine_loop(h->r.m), "system:kube-controller-manager", masters);
    o.client = h->client;
    h->ctrl = controllers_start(&o);
    now->leading++;
    now->most_leading = MAX_OF(now->most_leading, now->leading);
}

static void run(struct heads *g, uint64_t ms) { sim_run_for(g->sim, ms * 1000000); }

static void heads_open(struct heads *g, uint64_t seed)
{
    struct sim_net_opts slow = { .delay_min_ns = 200000, .delay_max_ns = 3000000 };

    memset(g, 0, sizeof *g);
    now = g;
    g->sim = sim_new(seed);
    sim_net_default(g->sim, &slow);
    for (unsigned i = 0; i < N; i++) {
        g->h[i].r.on_leading = on_leading;
        rig_start(&g->h[i].r, g->sim, i, N);
    }
    run(g, 5000);
}

static void stop_in(void *arg) { stop_leading(arg); }

static void heads_close(struct heads *g)
{
    for (unsigned i = 0; i < N; i++) {
        sim_do(g->h[i].r.m, stop_in, &g->h[i]);
        g->h[i].r.on_leading = NULL;
        sim_do(g->h[i].r.m, rig_close_in, &g->h[i].r);
    }
    run(g, 20000);
    sim_free(g->sim);
}

static unsigned leader(struct heads *g, unsigned not)
{
    struct raft_status st;

    for (unsigned i = 0; i < N; i++) {
        raft_status(store_raft(g->h[i].r.store), &st);
        if (i != not && st.is_leader)
            return i;
    }
    return N;
}

/* Both directions between one head and all others. */
static void cut(struct heads *g, unsigned one)
{
    struct sim_net_opts gone = { .delay_min_ns = 1, .delay_max_ns = 2, .cut = true };

    for (unsigned i = 0; i < N; i++)
        if (i != one) {
            sim_net_link(g->sim, g->h[one].r.m, g->h[i].r.m, &gone);
            sim_net_link(g->sim, g->h[i].r.m, g->h[one].r.m, &gone);
        }
}

static unsigned pods(struct rig *r)
{
    struct answer a = call(r, "GET", PODS, NULL);
    unsigned n = 0;

    json_each(p, json_getz(a.obj, "items"))
        n += json_path_str(p, "metadata.deletionTimestamp").n == 0;
    answer_free(&a);
    return n;
}

static void delete_some(struct rig *r, unsigned n)
{
    struct answer a = call(r, "GET", PODS, NULL);

    json_each(p, json_getz(a.obj, "items")) {
        struct answer d;
        char path[300];
        if (n-- == 0)
            break;
        snprintf(path, sizeof path, PODS "/%.*s", STR_ARG(json_path_str(p, "metadata.name")));
        d = call(r, "DELETE", path, NULL);
        CHECK(d.status == 200 || d.status == 404);
        answer_free(&d);
    }
    answer_free(&a);
}

static void scale(struct rig *r, unsigned replicas)
{
    char body[80];

    snprintf(body, sizeof body, "{'spec':{'replicas':%u}}", replicas);
    r->type = CLIENT_MERGE_PATCH;
    CALL(r, 200, "PATCH", SETS "/web", body);
    r->type = NULL;
}

/* Work for the old leader at the very moment it is cut off: it takes it up, and is never answered. */
static unsigned one_life(uint64_t seed)
{
    struct heads g;
    unsigned old, other, fresh;

    heads_open(&g, seed);
    old = leader(&g, N);
    other = (old + 1) % N;
    CALL(&g.h[other].r, 201, "POST", SETS, "{'metadata':{'name':'web'},'spec':{'replicas':20,'selector':{'matchLabels':{'app':'web'}},"
         "'template':{'metadata':{'labels':{'app':'web'}},'spec':{'containers':[{'name':'c','image':'i'}]}}}}");
    run(&g, 3000);
    CHECK_INT(pods(&g.h[other].r), 20);
    scale(&g.h[old].r, 30);                      /* its controllers have just begun with it */
    run(&g, sim_below(g.sim, 8));
    cut(&g, old);
    run(&g, 1500 + sim_below(g.sim, 1500));
    fresh = leader(&g, old);
    CHECK(fresh != N);
    if (fresh != N) {
        delete_some(&g.h[fresh].r, 7);
        scale(&g.h[fresh].r, 12);
        run(&g, sim_below(g.sim, 3000));
        scale(&g.h[fresh].r, 16);
        sim_net_heal(g.sim);
        run(&g, 10000);
        for (unsigned i = 0; i < N; i++)
            CHECK_INT(pods(&g.h[i].r), 16);
        CHECK_INT(g.leading, 1);
    }
    heads_close(&g);
    return g.most_leading;
}

TEST(an_old_leader_does_no_harm)
{
    unsigned two = 0;

    for (uint64_t seed = 1; seed <= 12; seed++)
        two += one_life(seed) == 2;
    CHECK(two > 0);                              /* or the test shows nothing */
}

/* How many pods were ever made, seen by one who follows all along. */
TEST(each_pod_is_replaced_once)
{
    struct heads g;
    unsigned old, other;
    struct talk *watch;
    size_t made = 0;

    heads_open(&g, 99);
    old = leader(&g, N);
    other = (old + 1) % N;
    watch = talk_open(&g.h[other].r, "GET", PODS "?watch=1", NULL);
    CALL(&g.h[other].r, 201, "POST", SETS, "{'metadata':{'name':'web'},'spec':{'replicas':10,'selector':{'matchLabels':{'app':'web'}},"
         "'template':{'metadata':{'labels':{'app':'web'}},'spec':{'containers':[{'name':'c','image':'i'}]}}}}");
    run(&g, 3000);
    cut(&g, old);
    run(&g, 3000);
    delete_some(&g.h[other].r, 6);
    run(&g, 2000);
    sim_net_heal(g.sim);
    run(&g, 10000);
    CHECK_INT(pods(&g.h[old].r), 10);
    buf_char(&watch->body, '\0');
    for (const char *p = watch->body.p; (p = strstr(p, "\"type\":\"ADDED\"")) != NULL; p++)
        made++;
    CHECK_INT(made, 16);
    talk_close(watch);
    heads_close(&g);
}
