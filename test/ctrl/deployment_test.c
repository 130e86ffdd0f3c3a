/* test/ctrl/deployment_test.c: rollouts: their bounds at every instant, their history, and what their status says. */
#include "test/ctrl/ctrl_rig.h"

static unsigned at_most, at_least;

static void watch_bounds(struct world *w)
{
    struct tally t = tally_of(w, "app", "web");

    if (t.active > at_most)
        test_fail(__FILE__, __LINE__, "%u pods, more than %u", t.active, at_most);
    else if (t.ready < at_least)
        test_fail(__FILE__, __LINE__, "%u pods are ready, fewer than %u", t.ready, at_least);
    else
        return;
    w->on_event = NULL;                          /* told once */
}

#define WEB APPS "/deployments/web"

static void make(struct world *w, unsigned replicas, const char *image, const char *more)
{
    char body[1500];

    snprintf(body, sizeof body, "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web'},'spec':{'replicas':%u,"
             "'selector':{'matchLabels':{'app':'web'}},'template':{'metadata':{'labels':{'app':'web'}},"
             "'spec':{'containers':[{'name':'c','image':'%s'}]}}%s}}", replicas, image, more);
    CALL(w->r, 201, "POST", APPS "/deployments", body);
}

static void set_image(struct world *w, const char *image)
{
    char body[400];

    snprintf(body, sizeof body, "{'spec':{'template':{'spec':{'containers':[{'name':'c','image':'%s'}]}}}}", image);
    patch(w, WEB, body);
}

static unsigned count_sets(struct world *w)
{
    struct answer a = call(w->r, "GET", APPS "/replicasets", NULL);
    unsigned n = 0;

    json_each(it, json_getz(a.obj, "items"))
        n++;
    answer_free(&a);
    return n;
}

/* spec.replicas of the set with this image; -1: there is none. */
static int64_t size_of(struct world *w, const char *image, const char *field)
{
    struct answer a = call(w->r, "GET", APPS "/replicasets", NULL);
    int64_t n = -1;

    json_each(it, json_getz(a.obj, "items"))
        if (str_is(json_path_str(it, "spec.template.spec.containers.0.image"), image))
            n = json_path_i64(it, field, -1);
    answer_free(&a);
    return n;
}

static char *revision_of(struct world *w, const char *image)
{
    static char text[40];
    struct answer a = call(w->r, "GET", APPS "/replicasets", NULL);

    text[0] = '\0';
    json_each(it, json_getz(a.obj, "items"))
        if (str_is(json_path_str(it, "spec.template.spec.containers.0.image"), image))
            snprintf(text, sizeof text, "%.*s", STR_ARG(json_str(json_get(json_path(it, "metadata.annotations"), STR("deployment.kubernetes.io/revision")))));
    answer_free(&a);
    return text;
}

/* As `kubectl rollout status` decides that it is done. */
static bool rolled_out(struct world *w)
{
    struct answer a = call(w->r, "GET", WEB, NULL);
    int64_t want = json_path_i64(a.obj, "spec.replicas", 1), updated = json_path_i64(a.obj, "status.updatedReplicas", 0);
    bool done = json_path_i64(a.obj, "status.observedGeneration", 0) >= json_path_i64(a.obj, "metadata.generation", 0) && updated >= want &&
                json_path_i64(a.obj, "status.replicas", 0) <= updated && json_path_i64(a.obj, "status.availableReplicas", 0) >= updated;

    answer_free(&a);
    return done;
}

static unsigned ms_until_rolled_out(struct world *w, unsigned most_ms)
{
    unsigned ms = 0;

    while (ms < most_ms && !rolled_out(w)) {
        run(w, 20);
        ms += 20;
    }
    CHECK(rolled_out(w));
    return ms;
}

TEST(rolls_within_its_bounds_at_every_instant)
{
    static const struct { const char *strategy; unsigned replicas, most, least; } cases[] = {
        { "'maxSurge':2,'maxUnavailable':1", 10, 12, 9 },       { "'maxSurge':0,'maxUnavailable':3", 10, 10, 7 },
        { "'maxSurge':'25%','maxUnavailable':0", 10, 13, 10 },  { "'maxSurge':'100%','maxUnavailable':'50%'", 6, 12, 3 },
        { "'maxSurge':0,'maxUnavailable':'1%'", 4, 4, 3 },
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct world *w = world_open(3);
        char more[200];
        snprintf(more, sizeof more, ",'strategy':{'type':'RollingUpdate','rollingUpdate':{%s}}", cases[i].strategy);
        make(w, cases[i].replicas, "i:1", more);
        ms_until_rolled_out(w, 5000);
        at_most = cases[i].most;
        at_least = cases[i].least;
        w->on_event = watch_bounds;
        set_image(w, "i:2");
        ms_until_rolled_out(w, 20000);
        CHECK_INT(size_of(w, "i:1", "spec.replicas"), 0);
        CHECK_INT(size_of(w, "i:2", "status.readyReplicas"), cases[i].replicas);
        set_image(w, "i:3");                     /* changed again in the middle */
        run(w, 150);
        set_image(w, "i:4");
        ms_until_rolled_out(w, 20000);
        CHECK_INT(size_of(w, "i:4", "status.readyReplicas"), cases[i].replicas);
        for (unsigned k = 0; k < 5; k++) {       /* and with restarts all the way */
            set_image(w, k % 2 == 0 ? "i:5" : "i:4");
            run(w, 100);
            world_stop_controllers(w);
            world_start_controllers(w);
            run(w, 300);
        }
        ms_until_rolled_out(w, 20000);
        w->faulty->per_mille = 400;              /* pods that should go stay on for a while */
        w->faulty->only_method = "DELETE";
        set_image(w, "i:6");
        ms_until_rolled_out(w, 300000);
        world_close(w);
    }
}

TEST(a_bad_image_stops_the_rollout_and_undo_heals_it)
{
    struct world *w = world_open(2);

    make(w, 4, "i:1", "");                       /* 25%: one more, one fewer */
    ms_until_rolled_out(w, 5000);
    CHECK_TEXT(condition_at(w, WEB, "Progressing", "reason"), "NewReplicaSetAvailable");
    CHECK_TEXT(revision_of(w, "i:1"), "1");
    run(w, 3600 * 1000);                         /* long after, a rollout has its whole deadline before it */
    at_most = 5;
    at_least = 3;
    w->on_event = watch_bounds;
    w->bad_image = "bad";
    set_image(w, "bad");
    run(w, 5000);
    CHECK(!rolled_out(w));
    CHECK_TEXT(condition_at(w, WEB, "Progressing", "status"), "True");
    CHECK_TEXT(condition_at(w, WEB, "Available", "status"), "True");
    CHECK_TEXT(revision_of(w, "bad"), "2");
    set_image(w, "i:1");
    ms_until_rolled_out(w, 10000);
    CHECK_TEXT(revision_of(w, "i:1"), "3");
    CHECK_TEXT(text_at(w, WEB, "metadata.name"), "web");
    CHECK_INT(size_of(w, "bad", "spec.replicas"), 0);
    CHECK_INT(count_sets(w), 2);
    world_close(w);
}

/* Every state that a deployment is ever seen in. */
struct witness { struct world *w; struct informer *i; unsigned late; };

static void witness_on_change(void *arg, enum informer_change what, struct object *old, struct object *new_, struct json *json)
{
    json_each(c, json_path(json, "status.conditions"))
        ((struct witness *)arg)->late += str_is(json_path_str(c, "reason"), "ProgressDeadlineExceeded");
}

static void witness_start_in(void *arg)
{
    struct witness *x = arg;
    struct informer_opts o = { .client = x->w->client, .res = CLIENT_DEPLOYMENTS, .on_change = witness_on_change, .arg = x };
    x->i = informer_start(&o);
}

static void witness_stop_in(void *arg) { informer_stop(((struct witness *)arg)->i); }

TEST(the_deadline_is_told_and_taken_back)
{
    struct world *w = world_open(2);
    struct witness x = { w, NULL, 0 };

    sim_do(w->r->m, witness_start_in, &x);

    make(w, 3, "i:1", ",'progressDeadlineSeconds':20");
    ms_until_rolled_out(w, 5000);
    run(w, 600 * 1000);
    CHECK_TEXT(condition_at(w, WEB, "Progressing", "reason"), "NewReplicaSetAvailable");
    w->bad_image = "bad";
    set_image(w, "bad");
    run(w, 15000);
    CHECK_INT(x.late, 0);                        /* not for a moment did the rollout look late */
    CHECK_TEXT(condition_at(w, WEB, "Progressing", "reason"), "ReplicaSetUpdated");
    run(w, 10000);
    CHECK_TEXT(condition_at(w, WEB, "Progressing", "reason"), "ProgressDeadlineExceeded");
    CHECK_TEXT(condition_at(w, WEB, "Progressing", "status"), "False");
    CHECK(x.late > 0);
    sim_do(w->r->m, witness_stop_in, &x);
    w->bad_image = NULL;
    set_image(w, "good");
    ms_until_rolled_out(w, 10000);
    CHECK_TEXT(condition_at(w, WEB, "Progressing", "reason"), "NewReplicaSetAvailable");
    CHECK_TEXT(condition_at(w, WEB, "Progressing", "status"), "True");
    world_close(w);
}

static void watch_overlap(struct world *w)
{
    unsigned images = 0;
    char seen[8] = "";
    struct arena a = ARENA_INIT;
    struct object *o;

    for (size_t it = 0; (o = informer_next(w->pods, &it)) != NULL;) {
        struct str image = json_path_str(object_json(o, &a), "spec.containers.0.image");
        char mark = image.p[image.n - 1];
        if (strchr(seen, mark) == NULL && images < 7) {
            seen[images++] = mark;
            seen[images] = '\0';
        }
    }
    if (images > 1) {
        test_fail(__FILE__, __LINE__, "pods of %u templates at a time", images);
        w->on_event = NULL;
    }
    arena_release(&a);
}

TEST(recreate_never_overlaps)
{
    struct world *w = world_open(2);

    w->on_event = watch_overlap;
    make(w, 5, "i:1", ",'strategy':{'type':'Recreate'}");
    ms_until_rolled_out(w, 5000);
    set_image(w, "i:2");
    ms_until_rolled_out(w, 10000);
    set_image(w, "i:3");
    run(w, 30);
    set_image(w, "i:4");
    ms_until_rolled_out(w, 10000);
    CHECK_INT(size_of(w, "i:4", "status.readyReplicas"), 5);
    for (unsigned i = 0; i < 40; i++) {          /* changed while pods are just being made */
        set_image(w, i % 2 == 0 ? "i:5" : "i:6");
        run(w, 1 + i * 7 % 50);
        if (i % 5 == 0) {
            world_stop_controllers(w);
            world_start_controllers(w);
        }
    }
    ms_until_rolled_out(w, 20000);
    w->faulty->only_method = "POST";
    w->faulty->per_mille = 150;                  /* pods that come long after they were asked for */
    for (unsigned i = 0; i < 20; i++) {
        set_image(w, i % 2 == 0 ? "i:1" : "i:2");
        run(w, 10 + i * 37 % 400);
    }
    ms_until_rolled_out(w, 300000);
    world_close(w);
}

TEST(paused_it_only_scales)
{
    struct world *w = world_open(2);

    make(w, 3, "i:1", "");
    ms_until_rolled_out(w, 5000);
    patch(w, WEB, "{'spec':{'paused':true}}");
    set_image(w, "i:2");
    run(w, 1000);
    CHECK_INT(count_sets(w), 1);
    CHECK_TEXT(condition_at(w, WEB, "Progressing", "reason"), "DeploymentPaused");
    patch(w, WEB, "{'spec':{'replicas':5}}");
    run(w, 1000);
    CHECK_INT(size_of(w, "i:1", "status.readyReplicas"), 5);
    patch(w, WEB, "{'spec':{'paused':false}}");
    ms_until_rolled_out(w, 10000);
    CHECK_INT(size_of(w, "i:2", "status.readyReplicas"), 5);
    CHECK_TEXT(condition_at(w, WEB, "Progressing", "reason"), "NewReplicaSetAvailable");
    world_close(w);
}

TEST(scaled_in_the_middle_all_sets_share)
{
    struct world *w = world_open(2);
    int64_t old, new_;

    make(w, 10, "i:1", ",'strategy':{'rollingUpdate':{'maxSurge':3,'maxUnavailable':2}}");
    ms_until_rolled_out(w, 5000);
    w->bad_image = "bad";
    set_image(w, "bad");
    run(w, 2000);
    CHECK_INT(size_of(w, "i:1", "spec.replicas"), 8);
    CHECK_INT(size_of(w, "bad", "spec.replicas"), 5);
    patch(w, WEB, "{'spec':{'replicas':15}}");
    run(w, 50);
    old = size_of(w, "i:1", "spec.replicas");
    new_ = size_of(w, "bad", "spec.replicas");
    CHECK_INT(old + new_, 18);
    CHECK_INT(old, 11);
    patch(w, WEB, "{'spec':{'replicas':0}}");
    run(w, 2000);
    CHECK_INT(tally_of(w, "app", "web").all, 0);
    w->bad_image = NULL;
    patch(w, WEB, "{'spec':{'replicas':2}}");
    ms_until_rolled_out(w, 5000);
    CHECK_INT(size_of(w, "bad", "status.readyReplicas"), 2);
    world_close(w);
}

TEST(history_is_kept_to_the_limit_the_latest_last)
{
    struct world *w = world_open(2);
    char image[16];

    make(w, 2, "i:0", ",'revisionHistoryLimit':2");
    ms_until_rolled_out(w, 5000);
    for (unsigned i = 1; i < 6; i++) {
        snprintf(image, sizeof image, "i:%u", i);
        set_image(w, image);
        ms_until_rolled_out(w, 5000);
        run(w, 200);
    }
    CHECK_INT(count_sets(w), 3);
    CHECK_TEXT(revision_of(w, "i:3"), "4");
    set_image(w, "i:3");                         /* the oldest becomes the latest ... */
    ms_until_rolled_out(w, 5000);
    CHECK_TEXT(revision_of(w, "i:3"), "7");
    set_image(w, "i:9");
    ms_until_rolled_out(w, 5000);
    run(w, 200);
    CHECK_INT(count_sets(w), 3);
    CHECK_TEXT(revision_of(w, "i:3"), "7");      /* ... and is kept */
    CHECK_TEXT(revision_of(w, "i:4"), "");
    world_close(w);
}

/* The name that the next set wants is taken by a stranger. */
TEST(a_taken_name_is_counted_and_passed_by)
{
    struct world *w = world_open(2);
    struct answer a;
    char body[600];
    struct str name;

    make(w, 2, "i:1", "");
    ms_until_rolled_out(w, 5000);
    a = call(w->r, "GET", APPS "/replicasets", NULL);
    name = json_path_str(a.obj, "items.0.metadata.name");
    CALL(w->r, 200, "DELETE", WEB "?propagationPolicy=Background", NULL);
    run(w, 2000);
    CHECK_INT(tally_of(w, "app", "web").all, 0);
    snprintf(body, sizeof body, "{'metadata':{'name':'%.*s'},'spec':{'replicas':0,'selector':{'matchLabels':{'app':'other'}},"
             "'template':{'metadata':{'labels':{'app':'other'}},'spec':{'containers':[{'name':'c','image':'x'}]}}}}", STR_ARG(name));
    CALL(w->r, 201, "POST", APPS "/replicasets", body);
    make(w, 2, "i:1", "");
    ms_until_rolled_out(w, 10000);
    CHECK_INT(number_at(w, WEB, "status.collisionCount"), 1);
    CHECK_INT(count_sets(w), 2);
    answer_free(&a);
    world_close(w);
}

TEST(sets_are_adopted_and_let_go)
{
    struct world *w = world_open(2);

    make(w, 3, "i:1", "");
    ms_until_rolled_out(w, 5000);
    CALL(w->r, 200, "DELETE", WEB "?propagationPolicy=Orphan", NULL);
    run(w, 1000);
    CHECK_INT(count_sets(w), 1);
    CHECK_INT(tally_of(w, "app", "web").ready, 3);
    make(w, 3, "i:1", "");
    ms_until_rolled_out(w, 5000);
    CHECK_INT(count_sets(w), 1);
    CHECK_INT(w->created, 3);
    struct answer a = call(w->r, "GET", APPS "/replicasets", NULL);
    char path[200];
    snprintf(path, sizeof path, APPS "/replicasets/%.*s", STR_ARG(json_path_str(a.obj, "items.0.metadata.name")));
    CHECK_AT(a, "items.0.metadata.ownerReferences.0.kind", "Deployment");
    answer_free(&a);
    patch(w, path, "{'metadata':{'labels':{'app':'mine'}}}");
    run(w, 3000);
    CHECK_TEXT(text_at(w, path, "metadata.ownerReferences.0.kind"), "");
    world_close(w);
}

TEST(failures_to_make_pods_are_passed_on)
{
    struct world *w = world_open(1);

    CALL(w->r, 201, "POST", APPS "/deployments", "{'metadata':{'name':'web'},'spec':{'replicas':3,'selector':{'matchLabels':{'app':'web'}},"
         "'template':{'metadata':{'labels':{'app':'web'}},'spec':{'serviceAccountName':'nobody','containers':[{'name':'c','image':'i'}]}}}}");
    run(w, 2000);
    CHECK_TEXT(condition_at(w, WEB, "ReplicaFailure", "reason"), "FailedCreate");
    CHECK_TEXT(condition_at(w, WEB, "Available", "status"), "False");
    CALL(w->r, 201, "POST", NS "/serviceaccounts", "{'metadata':{'name':'nobody'}}");
    run(w, 100000);
    CHECK(rolled_out(w));
    CHECK_TEXT(condition_at(w, WEB, "ReplicaFailure", "reason"), "");
    world_close(w);
}
