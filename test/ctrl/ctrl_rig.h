/* test/ctrl/ctrl_rig.h: a head with controllers in virtual time, and the rest of a cluster as a puppet show: nodes that
 * renew their leases, pods that are bound, become ready and end after virtual milliseconds.
 *
 * Everything but the controllers is told what to do: nodes can fall silent, pods can refuse to become ready.
 * on_event is called at every single change of a pod, for checks that must hold at every instant. */
#ifndef TEST_CTRL_RIG_H
#define TEST_CTRL_RIG_H

#include "api/informer.h"
#include "api/time_fmt.h"
#include "ctrl/controllers.h"
#include "test/api/api_rig.h"
#include "test/api/faulty.h"

#define PUPPET_NODES 8

struct world;
struct puppet_node { struct world *w; struct timer lease; char name[16]; bool there, silent, tainted; unsigned load; };
struct puppet_act { struct qlink link; struct world *w; struct timer at; struct client_call *call; char *ns, *name, *uid, *node; int what; };

struct world {
    struct rig *r;
    struct client *ctrl_client, *client;
    struct faulty *faulty;                       /* what the controllers use, over ctrl_client */
    struct controllers *controllers;
    struct controllers_opts opts;
    struct informer *pods, *nodes;
    struct qlink acts;
    struct puppet_node node[PUPPET_NODES];
    unsigned n_nodes;
    uint64_t start_ms, stop_ms;                  /* until ready; until gone */
    bool never_ready;
    const char *bad_image;                       /* pods of this image never become ready */
    void (*on_event)(struct world *w);
    uint64_t created, removed;                   /* pods, ever */
};

/* ---- The nodes' side --------------------------------------------------------------------------------------- */

enum { ACT_BIND = 1, ACT_START = 2, ACT_STOP = 4 };

static struct puppet_node *puppet_find(struct world *w, const char *name)
{
    for (unsigned i = 0; i < w->n_nodes; i++)
        if (strcmp(w->node[i].name, name) == 0)
            return &w->node[i];
    return NULL;
}

static void act_free(struct puppet_act *x)
{
    timer_stop(&x->at);
    client_cancel(x->call);
    qdel(&x->link);
    mem_free(x->ns);
    mem_free(x->name);
    mem_free(x->uid);
    mem_free(x->node);
    mem_free(x);
}

static void act_on_done(void *arg, const struct client_result *r)
{
    struct puppet_act *x = arg;

    x->call = NULL;
    if (!r->ok && r->status != 404 && !(r->status == 409 && x->what == ACT_BIND))
        timer_start(&x->at, 300);
    else
        act_free(x);
}

/* The least loaded that lives and is not tainted. */
static struct puppet_node *puppet_place(struct world *w)
{
    struct puppet_node *best = NULL;

    for (unsigned i = 0; i < w->n_nodes; i++)
        if (w->node[i].there && !w->node[i].silent && !w->node[i].tainted && (best == NULL || w->node[i].load < best->load))
            best = &w->node[i];
    return best;
}

static void act_send(struct puppet_act *x, const char *method, const char *sub, const char *type, struct str body)
{
    struct client_req r = { .method = method, .res = CLIENT_PODS, .ns = str_of(x->ns), .name = str_of(x->name), .sub = sub,
                            .content_type = type, .body_text = body, .done = act_on_done, .arg = x };
    x->call = client_send(x->w->client, &r);
}

static void act_on_time(struct timer *t)
{
    struct puppet_act *x = container_of(t, struct puppet_act, at);
    struct puppet_node *n = x->node[0] != '\0' ? puppet_find(x->w, x->node) : NULL;
    struct arena a = ARENA_INIT;

    if (x->what == ACT_BIND) {
        n = puppet_place(x->w);
        if (n == NULL) {
            timer_start(&x->at, 500);
            return;
        }
        n->load++;
        act_send(x, "POST", "binding", NULL, arena_fmt(&a, "{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"metadata\":{\"name\":\"%s\",\"uid\":\"%s\"},"
                 "\"target\":{\"kind\":\"Node\",\"name\":\"%s\"}}", x->name, x->uid, n->name));
    } else if (n == NULL || !n->there || n->silent) {
        timer_start(&x->at, 1000);
    } else if (x->what == ACT_START) {
        act_send(x, "PATCH", "status", CLIENT_STRATEGIC_PATCH, arena_fmt(&a, "{\"metadata\":{\"uid\":\"%s\"},\"status\":{\"phase\":\"Running\",\"conditions\":["
                 "{\"type\":\"Ready\",\"status\":\"%s\",\"lastTransitionTime\":\"%.*s\"}]}}", x->uid, x->w->never_ready ? "False" : "True",
                 STR_ARG(time_text_ns(&a, loop_wall_ns(client_loop(x->w->client))))));
    } else {
        act_send(x, "DELETE", NULL, NULL, arena_fmt(&a, "{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%s\"}}", x->uid));
    }
    arena_release(&a);
}

static void act_new(struct world *w, struct object *o, const struct json *pod, int what, uint64_t ms)
{
    struct puppet_act *x;

    if (((uintptr_t)o->user & (unsigned)what) != 0)
        return;
    o->user = (void *)((uintptr_t)o->user | (unsigned)what);
    x = mem_new(struct puppet_act);
    x->w = w;
    x->what = what;
    x->ns = mem_strndup(o->ns);
    x->name = mem_strndup(o->name);
    x->uid = mem_strndup(o->uid);
    x->node = mem_strndup(json_path_str(pod, "spec.nodeName"));
    qinit(&x->link);
    qpush(&w->acts, &x->link);
    timer_init(&x->at, client_loop(w->client), act_on_time);
    timer_start(&x->at, ms);
}

static bool is_ready(const struct json *pod)
{
    json_each(c, json_path(pod, "status.conditions"))
        if (str_is(json_path_str(c, "type"), "Ready"))
            return str_is(json_path_str(c, "status"), "True");
    return false;
}

static void world_on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_, struct json *json)
{
    struct world *w = arg;

    w->created += what == INFORMER_ADD;
    w->removed += what == INFORMER_DELETE;
    if (what != INFORMER_DELETE) {
        bool bound = json_path_str(json, "spec.nodeName").n > 0, leaving = json_path_str(json, "metadata.deletionTimestamp").n > 0;
        bool bad = w->bad_image != NULL && str_is(json_path_str(json, "spec.containers.0.image"), w->bad_image);
        if (str_is(json_path_str(json, "status.phase"), "Running") && !is_ready(json))
            new_->user = (void *)((uintptr_t)new_->user & ~(uintptr_t)ACT_START);      /* a controller said so: the node knows better */
        if (bound && leaving)
            act_new(w, new_, json, ACT_STOP, w->stop_ms);
        else if (bound && !bad)
            act_new(w, new_, json, ACT_START, w->start_ms);
        else if (!bound && !leaving)
            act_new(w, new_, json, ACT_BIND, 5);
    }
    if (w->on_event != NULL)
        w->on_event(w);
}

static void world_on_node(void *arg, enum informer_change what, struct object *old, struct object *new_, struct json *json)
{
    struct world *w = arg;
    struct puppet_node *n;
    char name[64];

    snprintf(name, sizeof name, "%.*s", STR_ARG((new_ != NULL ? new_ : old)->name));
    if ((n = puppet_find(w, name)) == NULL)
        return;
    n->there = what != INFORMER_DELETE;
    n->tainted = n->there && json__first(json_path(json, "spec.taints")) != NULL;
}

static void node_on_lease(struct timer *t)
{
    struct puppet_node *n = container_of(t, struct puppet_node, lease);
    struct arena a = ARENA_INIT;
    struct client_req r = { .method = "PATCH", .res = CLIENT_LEASES, .ns = STR("kube-node-lease"), .name = str_of(n->name),
                            .content_type = CLIENT_MERGE_PATCH };

    r.body_text = arena_fmt(&a, "{\"spec\":{\"renewTime\":\"%.*s\"}}", STR_ARG(time_micro_text_ns(&a, loop_wall_ns(client_loop(n->w->client)))));
    if (!n->silent)
        client_send(n->w->client, &r);
    timer_start(&n->lease, 10000);
    arena_release(&a);
}

/* ---- The world ------------------------------------------------------------------------------------------------- */

__attribute__((unused)) static void world_start_controllers_in(void *arg)
{
    struct world *w = arg;
    w->opts.client = &w->faulty->client;
    w->controllers = controllers_start(&w->opts);
}

__attribute__((unused)) static void world_stop_controllers_in(void *arg)
{
    struct world *w = arg;
    controllers_stop(w->controllers);
    w->controllers = NULL;
}

#define world_start_controllers(w) sim_do((w)->r->m, world_start_controllers_in, (w))
#define world_stop_controllers(w)  sim_do((w)->r->m, world_stop_controllers_in, (w))

static void world_open_in(void *arg)
{
    static const char *const masters[] = { "system:masters", NULL };
    struct world *w = arg;
    struct loop *l = sim_machine_loop(w->r->m);

    qinit(&w->acts);
    w->client = client_new_local(w->r->api, l, "puppets", masters);
    w->ctrl_client = client_new_local(w->r->api, l, "system:kube-controller-manager", masters);
    w->faulty = faulty_new(w->ctrl_client);
    struct informer_opts po = { .client = w->client, .res = CLIENT_PODS, .on_change = world_on_pod, .arg = w };
    struct informer_opts no = { .client = w->client, .res = CLIENT_NODES, .on_change = world_on_node, .arg = w };
    w->pods = informer_start(&po);
    w->nodes = informer_start(&no);
    for (unsigned i = 0; i < PUPPET_NODES; i++)
        timer_init(&w->node[i].lease, l, node_on_lease);
}

static void node_beat_in(void *arg) { node_on_lease(&((struct puppet_node *)arg)->lease); }

static void world_node_ready(struct world *w, const char *name)
{
    char path[80], body[400];
    struct arena a = ARENA_INIT;
    struct str now = time_text_ns(&a, loop_wall_ns(sim_machine_loop(w->r->m)));

    snprintf(path, sizeof path, "/api/v1/nodes/%s/status", name);
    snprintf(body, sizeof body, "{'status':{'allocatable':{'cpu':'64','memory':'64Gi','pods':'500'},'conditions':[{'type':'Ready','status':'True','reason':'KubeletReady',"
             "'lastHeartbeatTime':'%.*s','lastTransitionTime':'%.*s'}]}}", STR_ARG(now), STR_ARG(now));
    w->r->type = CLIENT_STRATEGIC_PATCH;
    CALL(w->r, 200, "PATCH", path, body);
    w->r->type = NULL;
    arena_release(&a);
}

static void world_add_node(struct world *w)
{
    struct puppet_node *n = &w->node[w->n_nodes++];
    char body[256];

    n->w = w;
    n->there = true;
    snprintf(n->name, sizeof n->name, "n%u", w->n_nodes);
    snprintf(body, sizeof body, "{'apiVersion':'v1','kind':'Node','metadata':{'name':'%s'}}", n->name);
    CALL(w->r, 201, "POST", "/api/v1/nodes", body);
    world_node_ready(w, n->name);
    snprintf(body, sizeof body, "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':'%s','namespace':'kube-node-lease'},'spec':{}}", n->name);
    CALL(w->r, 201, "POST", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", body);
    sim_do(w->r->m, node_beat_in, n);
}

static struct world *world_open(unsigned nodes)
{
    struct world *w = calloc(1, sizeof *w);

    w->r = rig_open();
    w->start_ms = 40;
    w->stop_ms = 60;
    sim_do(w->r->m, world_open_in, w);
    for (unsigned i = 0; i < nodes; i++)
        world_add_node(w);
    world_start_controllers(w);
    rig_run(w->r, 500);
    return w;
}

static void world_close_in(void *arg)
{
    struct world *w = arg;

    controllers_stop(w->controllers);
    informer_stop(w->pods);
    informer_stop(w->nodes);
    while (!qempty(&w->acts))
        act_free(qentry(qfirst(&w->acts), struct puppet_act, link));
    for (unsigned i = 0; i < PUPPET_NODES; i++)
        timer_stop(&w->node[i].lease);
    client_free(w->client);
    client_free(&w->faulty->client);
    client_free(w->ctrl_client);
}

static void world_close(struct world *w)
{
    sim_do(w->r->m, world_close_in, w);
    rig_close(w->r);
    free(w);
}

static void run(struct world *w, uint64_t ms) { rig_run(w->r, ms); }

/* ---- Looking ------------------------------------------------------------------------------------------------------ */

struct tally { unsigned all, active, ready, leaving, bound; };

/* Pods whose label `key` has this value ("" for any), as the puppets' cache has them now. */
__attribute__((unused)) static struct tally tally_of(struct world *w, const char *key, const char *value)
{
    struct tally t = { 0 };
    struct arena a = ARENA_INIT;
    struct object *o;

    for (size_t it = 0; (o = informer_next(w->pods, &it)) != NULL;) {
        struct json *pod = object_json(o, &a);
        struct str phase = json_path_str(pod, "status.phase");
        if (value[0] != '\0' && !str_is(json_str(json_get(json_path(pod, "metadata.labels"), str_of(key))), value))
            continue;
        bool leaving = json_path_str(pod, "metadata.deletionTimestamp").n > 0, ended = str_is(phase, "Failed") || str_is(phase, "Succeeded");
        bool ready = is_ready(pod);
        t.all++;
        t.leaving += leaving;
        t.active += !leaving && !ended;
        t.ready += ready && !leaving && !ended;
        t.bound += json_path_str(pod, "spec.nodeName").n > 0;
    }
    arena_release(&a);
    return t;
}

__attribute__((unused)) static int64_t number_at(struct world *w, const char *target, const char *path)
{
    struct answer a = call(w->r, "GET", target, NULL);
    int64_t n = a.status == 200 ? json_path_i64(a.obj, path, 0) : -1;

    answer_free(&a);
    return n;
}

__attribute__((unused)) static char *text_at(struct world *w, const char *target, const char *path)
{
    static char text[4][400];
    static unsigned turn;
    struct answer a = call(w->r, "GET", target, NULL);
    char *to = text[turn++ % 4];

    snprintf(to, sizeof text[0], "%.*s", STR_ARG(json_path_str(a.obj, path)));
    answer_free(&a);
    return to;
}

__attribute__((unused)) static void patch(struct world *w, const char *target, const char *body)
{
    w->r->type = CLIENT_MERGE_PATCH;
    CALL(w->r, 200, "PATCH", target, body);
    w->r->type = NULL;
}

/* Status of a condition, "" if absent. */
__attribute__((unused)) static char *condition_at(struct world *w, const char *target, const char *type, const char *field)
{
    static char text[4][400];
    static unsigned turn;
    struct answer a = call(w->r, "GET", target, NULL);
    char *to = text[turn++ % 4];

    to[0] = '\0';
    json_each(c, json_path(a.obj, "status.conditions"))
        if (str_is(json_path_str(c, "type"), type))
            snprintf(to, sizeof text[0], "%.*s", STR_ARG(json_str(json_getz(c, field))));
    answer_free(&a);
    return to;
}

#define NS "/api/v1/namespaces/default"
#define APPS "/apis/apps/v1/namespaces/default"

#define CHECK_TEXT(got, want) CHECK_STR(str_of(got), want)

#endif
