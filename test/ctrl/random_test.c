/* test/ctrl/random_test.c: random users, nodes that die, calls that are lost and controllers that restart; then calm, and
 * what must hold in the end.  CTRL_SEED=n runs one seed, CTRL_SEEDS=n that many. */
#include "test/ctrl/ctrl_rig.h"

struct chaos { struct world *w; uint64_t state; };

static unsigned dice(struct chaos *c, unsigned n)
{
    c->state = c->state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(c->state >> 33) % n;
}

/* Whatever the answer: users make mistakes. */
static void attempt(struct world *w, const char *type, const char *method, const char *target, const char *body)
{
    w->r->type = type;
    struct answer a = call(w->r, method, target, body);
    w->r->type = NULL;
    CHECK(a.status < 500);
    answer_free(&a);
}

static void act_on_deployment(struct chaos *c)
{
    char path[120], body[900];
    unsigned d = dice(c, 3), what = dice(c, 10);

    snprintf(path, sizeof path, APPS "/deployments/d%u", d);
    if (what < 3) {
        snprintf(body, sizeof body, "{'metadata':{'name':'d%u'},'spec':{'replicas':%u,'strategy':%s,'revisionHistoryLimit':2,'selector':{'matchLabels':{'app':'d%u'}},"
                 "'template':{'metadata':{'labels':{'app':'d%u'}},'spec':{'containers':[{'name':'c','image':'i:0'}],'tolerations':[{'key':'node.kubernetes.io/unreachable',"
                 "'operator':'Exists','effect':'NoExecute','tolerationSeconds':10}]}}}}", d, dice(c, 7), dice(c, 4) == 0 ? "{'type':'Recreate'}" : "{'type':'RollingUpdate'}", d, d);
        attempt(c->w, NULL, "POST", APPS "/deployments", body);
    } else if (what < 5) {
        snprintf(body, sizeof body, "{'spec':{'replicas':%u}}", dice(c, 9));
        attempt(c->w, CLIENT_MERGE_PATCH, "PATCH", path, body);
    } else if (what < 8) {
        snprintf(body, sizeof body, "{'spec':{'template':{'spec':{'containers':[{'name':'c','image':'i:%u'}]}}}}", dice(c, 4));
        attempt(c->w, CLIENT_MERGE_PATCH, "PATCH", path, body);
    } else if (what == 8) {
        attempt(c->w, CLIENT_MERGE_PATCH, "PATCH", path, dice(c, 2) == 0 ? "{'spec':{'paused':true}}" : "{'spec':{'paused':false}}");
    } else {
        static const char *const policies[] = { "Background", "Foreground", "Orphan" };
        snprintf(body, sizeof body, "%s?propagationPolicy=%s", path, policies[dice(c, 3)]);
        attempt(c->w, NULL, "DELETE", body, NULL);
    }
}

static void act_on_object(struct chaos *c, const char *list)
{
    struct answer a = call(c->w->r, "GET", list, NULL);
    struct json *items = json_getz(a.obj, "items");
    char path[300], body[400];

    if (items != NULL && items->n > 0) {
        struct json *o = json_at(items, dice(c, items->n));
        snprintf(path, sizeof path, "%s/%.*s", list, STR_ARG(json_path_str(o, "metadata.name")));
        switch (dice(c, 5)) {
        case 0: case 1: attempt(c->w, NULL, "DELETE", path, NULL); break;
        case 2:
            snprintf(body, sizeof body, "{'metadata':{'labels':{'app':'d%u'}}}", dice(c, 4));
            attempt(c->w, CLIENT_MERGE_PATCH, "PATCH", path, body);
            break;
        case 3: attempt(c->w, CLIENT_MERGE_PATCH, "PATCH", path, "{'metadata':{'ownerReferences':null}}"); break;
        case 4:
            snprintf(body, sizeof body, "%s?gracePeriodSeconds=0&propagationPolicy=%s", path, dice(c, 2) == 0 ? "Foreground" : "Orphan");
            attempt(c->w, NULL, "DELETE", body, NULL);
            break;
        }
    }
    answer_free(&a);
}

static void act(struct chaos *c)
{
    struct world *w = c->w;
    unsigned n;

    switch (dice(c, 12)) {
    case 0: case 1: case 2: case 3: case 4: act_on_deployment(c); break;
    case 5: case 6: case 7: act_on_object(c, NS "/pods"); break;
    case 8: act_on_object(c, APPS "/replicasets"); break;
    case 9:
        n = dice(c, w->n_nodes);
        w->node[n].silent = !w->node[n].silent;
        break;
    case 10:
        world_stop_controllers(w);
        run(w, dice(c, 20));
        world_start_controllers(w);
        break;
    case 11: w->faulty->per_mille = dice(c, 2) * dice(c, 200); break;
    }
}

/* ---- In the end -------------------------------------------------------------------------------------------------- */

static const struct json *find_uid(const struct json *list, struct str uid)
{
    json_each(o, json_getz(list, "items"))
        if (str_eq(json_path_str(o, "metadata.uid"), uid))
            return o;
    return NULL;
}

static int64_t pods_of(const struct json *pods, struct str uid)
{
    int64_t n = 0;

    json_each(p, json_getz(pods, "items"))
        n += str_eq(json_path_str(p, "metadata.ownerReferences.0.uid"), uid);
    return n;
}

static void check_sets(uint64_t seed, const struct json *deps, const struct json *sets, const struct json *pods)
{
    json_each(s, json_getz(sets, "items")) {
        struct str name = json_path_str(s, "metadata.name"), uid = json_path_str(s, "metadata.uid");
        const struct json *owner = json_path(s, "metadata.ownerReferences.0");
        int64_t want = json_path_i64(s, "spec.replicas", 1), have = pods_of(pods, uid);
        if (want != have || json_path_i64(s, "status.replicas", 0) != have || json_path_i64(s, "status.readyReplicas", 0) != have)
            test_fail(__FILE__, __LINE__, "seed %llu: set %.*s wants %lld, says %lld, %lld ready, has %lld", (unsigned long long)seed, STR_ARG(name),
                      (long long)want, (long long)json_path_i64(s, "status.replicas", 0), (long long)json_path_i64(s, "status.readyReplicas", 0), (long long)have);
        if (owner != NULL && find_uid(deps, json_path_str(owner, "uid")) == NULL)
            test_fail(__FILE__, __LINE__, "seed %llu: the owner of set %.*s is gone", (unsigned long long)seed, STR_ARG(name));
        if (json_path(s, "metadata.deletionTimestamp") != NULL)
            test_fail(__FILE__, __LINE__, "seed %llu: set %.*s does not go", (unsigned long long)seed, STR_ARG(name));
    }
    json_each(p, json_getz(pods, "items")) {
        const struct json *owner = json_path(p, "metadata.ownerReferences.0");
        if (owner != NULL && find_uid(sets, json_path_str(owner, "uid")) == NULL)
            test_fail(__FILE__, __LINE__, "seed %llu: the owner of a pod is gone", (unsigned long long)seed);
        if (json_path(p, "metadata.deletionTimestamp") != NULL)
            test_fail(__FILE__, __LINE__, "seed %llu: a pod does not go", (unsigned long long)seed);
    }
}

static void check_deployments(uint64_t seed, const struct json *deps, const struct json *sets)
{
    json_each(d, json_getz(deps, "items")) {
        int64_t want = json_path_i64(d, "spec.replicas", 1), sum = 0;
        bool paused = json_path_true(d, "spec.paused");
        json_each(s, json_getz(sets, "items"))
            if (str_eq(json_path_str(s, "metadata.ownerReferences.0.uid"), json_path_str(d, "metadata.uid")))
                sum += json_path_i64(s, "spec.replicas", 1);
        bool done = json_path_i64(d, "status.updatedReplicas", 0) == want && json_path_i64(d, "status.availableReplicas", 0) == want &&
                    json_path_i64(d, "status.replicas", 0) == want && sum == want;
        if ((!done && !paused) || json_path_i64(d, "status.observedGeneration", 0) != json_path_i64(d, "metadata.generation", 0)) {
            struct buf b = BUF_INIT;
            json_write(&b, json_getz(d, "status"));
            test_fail(__FILE__, __LINE__, "seed %llu: %.*s wants %lld, its sets %lld: %.*s", (unsigned long long)seed, STR_ARG(json_path_str(d, "metadata.name")),
                      (long long)want, (long long)sum, STR_ARG(buf_str(&b)));
            buf_release(&b);
        }
    }
}

static void check_end(struct world *w, uint64_t seed)
{
    struct answer deps = call(w->r, "GET", APPS "/deployments", NULL), sets = call(w->r, "GET", APPS "/replicasets", NULL),
                  pods = call(w->r, "GET", NS "/pods", NULL);
    check_sets(seed, deps.obj, sets.obj, pods.obj);
    check_deployments(seed, deps.obj, sets.obj);
    answer_free(&deps);
    answer_free(&sets);
    answer_free(&pods);
}

/* Controllers that come and go leave nothing behind. */
static void check_leaks(struct world *w, uint64_t seed)
{
    long before = 0;

    for (unsigned i = 0; i < 6; i++) {
        world_stop_controllers(w);
        run(w, 1000);
        if (i == 2)
            before = mem_live();
        if (i == 5 && mem_live() > before + 25)    /* (history keeps the leases renewed meanwhile) */
            test_fail(__FILE__, __LINE__, "seed %llu: %ld blocks leaked by three restarts", (unsigned long long)seed, mem_live() - before);
        world_start_controllers(w);
        run(w, 5000);
    }
}

static void one(uint64_t seed)
{
    struct world *w = world_open(4);
    struct chaos c = { w, seed * 7919 + 1 };

    for (unsigned i = 0; i < 120; i++) {
        act(&c);
        run(w, dice(&c, 8) == 0 ? 20000 + dice(&c, 60000) : dice(&c, 300));
    }
    w->faulty->per_mille = 0;
    for (unsigned i = 0; i < w->n_nodes; i++) {
        w->node[i].silent = false;
        world_node_ready(w, w->node[i].name);
    }
    run(w, 900 * 1000);
    uint64_t created = w->created, removed = w->removed;
    check_end(w, seed);
    run(w, 300 * 1000);
    if (w->created != created || w->removed != removed)
        test_fail(__FILE__, __LINE__, "seed %llu: no rest: %llu pods made, %llu gone in the calm", (unsigned long long)seed,
                  (unsigned long long)(w->created - created), (unsigned long long)(w->removed - removed));
    check_leaks(w, seed);
    world_close(w);
}

TEST(random_users)
{
    const char *seed = getenv("CTRL_SEED"), *seeds = getenv("CTRL_SEEDS");
    uint64_t n = seeds != NULL ? strtoull(seeds, NULL, 10) : 12;

    for (uint64_t i = 1; seed == NULL && i <= n; i++)
        one(i);
    if (seed != NULL)
        one(strtoull(seed, NULL, 10));
}
