/* sched/scheduler.c: from watched pods and nodes to bindings; see sched/scheduler.h.
 *
 *     waiting --decide--> assumed --binding accepted, seen with its node--> bound
 *        ^                   |
 *        |                   +--refused or lost--> back-off
 *        +--- back-off <--- parked <--- no node fits
 *
 * Decisions are synchronous on the snapshot, in slices per turn; bindings are calls in flight. */
#include "api/json_scan.h"
#include "api/pod_rules.h"
#include "api/time_fmt.h"
#include "net/log.h"
#include "net/slices.h"
#include "sched/decide.h"
#include "sched/queue.h"
#include "sched/scheduler.h"

struct scheduler {
    struct client *client;
    struct loop *loop;
    char *name;
    unsigned max_binds, binds;
    struct shared *own;                          /* NULL: the informers are somebody else's */
    struct informer *pods, *nodes;
    struct event_recorder *events;
    struct decider decider;
    struct sched_queue queue;
    struct qlink assumed, bound;                 /* the other pods by state; assumed: oldest first */
    struct qlink in_flight;                      /* bindings */
    struct ready_item work;
    struct timer wake;
    /* nodes that parked pods are to be tried on this turn */
    unsigned *roomier; unsigned n_roomier, cap_roomier;
    struct scheduler_stats stats;
    uint64_t seq;
};

static void schedule_soon(struct scheduler *s)
{
    if (informer_synced(s->nodes) && informer_synced(s->pods))
        ready_post(s->loop, &s->work);
}

/* ---- Counting on nodes --------------------------------------------------------------------------------- */

static void count(struct scheduler *s, struct sched_pod *p, struct str node)
{
    nodes_add_pod(&s->decider.nodes, node, p);
    groups_add_pod(&s->decider.groups, p, (unsigned)p->node);
}

static void uncount(struct scheduler *s, struct sched_pod *p)
{
    if (p->node < 0)
        return;
    groups_sub_pod(&s->decider.groups, p, (unsigned)p->node);
    nodes_sub_pod(&s->decider.nodes, p);
}

/* ---- Binding ------------------------------------------------------------------------------------------- */

/* A binding in flight; finds its pod again by name, since the pod may go meanwhile. */
struct bind {
    struct qlink link;
    struct scheduler *s;
    struct client_call *call;
    char *ns, *name, *uid, *node;
};

static void bind_free(struct bind *b)
{
    qdel(&b->link);
    mem_free(b->ns);
    mem_free(b->name);
    mem_free(b->uid);
    mem_free(b->node);
    mem_free(b);
}

static struct event_about about_pod(const struct object *o)
{
    return (struct event_about){
        .api_version = "v1", .kind = "Pod", .ns = o->ns, .name = o->name, .uid = o->uid
    };
}

static void bind_failed(struct scheduler *s, struct sched_pod *p, const struct client_result *r,
                        const char *node)
{
    struct event_about about = about_pod(p->object);

    s->stats.bind_errors++;
    qdel(&p->link);
    uncount(s, p);
    event_record(s->events, &about, "Warning", "FailedScheduling", "binding to %s failed: %s %.*s", node,
                 r->reason, STR_ARG(r->message));
    queue_back_off(&s->queue, p, loop_now_ms(s->loop));
    schedule_soon(s);
}

/* Counted on; to be seen with its node before long. */
static void assume(struct scheduler *s, struct sched_pod *p)
{
    p->state = POD_ASSUMED;
    p->due_ms = loop_now_ms(s->loop) + SCHED_ASSUME_MS;
    qdel(&p->link);
    qpush(&s->assumed, &p->link);
}

static void on_bound(void *arg, const struct client_result *r)
{
    struct bind *b = arg;
    struct scheduler *s = b->s;
    struct object *o = informer_get(s->pods, str_of(b->ns), str_of(b->name));
    struct sched_pod *p = o != NULL && str_is(o->uid, b->uid) ? o->scheduler : NULL;

    must(s->binds > 0);
    s->binds--;
    if (p != NULL)
        p->binding = false;
    if (r->ok) {
        struct event_about about = { .api_version = "v1",
                                     .kind = "Pod",
                                     .ns = str_of(b->ns),
                                     .name = str_of(b->name),
                                     .uid = str_of(b->uid) };
        s->stats.scheduled++;
        event_record(s->events, &about, "Normal", "Scheduled", "Successfully assigned %s/%s to %s", b->ns,
                     b->name, b->node);
    } else if (p != NULL && p->state == POD_ASSUMED && (r->err != 0 || r->status >= 500)) {
        /* done or not, nobody knows: its room is kept until it shows or not */
        assume(s, p);
        s->stats.bind_errors++;
    } else if (p != NULL && p->state == POD_ASSUMED) {
        bind_failed(s, p, r, b->node);
    }
    bind_free(b);
    schedule_soon(s);
}

static void bind_start(struct scheduler *s, struct sched_pod *p, const char *node)
{
    const struct object *o = p->object;
    struct bind *b = mem_new(struct bind);
    struct arena a = ARENA_INIT;
    struct json *body = json_object(&a), *meta = json_object(&a), *target = json_object(&a);
    struct client_req r = { .method = "POST",
                            .res = CLIENT_PODS,
                            .ns = o->ns,
                            .name = o->name,
                            .sub = "binding",
                            .body = body,
                            .done = on_bound,
                            .arg = b };

    *b = (struct bind){ .s = s,
                        .ns = mem_strndup(o->ns),
                        .name = mem_strndup(o->name),
                        .uid = mem_strndup(o->uid),
                        .node = mem_strdup(node) };
    qinit(&b->link);
    qpush(&s->in_flight, &b->link);
    json_setz(&a, body, "apiVersion", json_string_ref(&a, STR("v1")));
    json_setz(&a, body, "kind", json_string_ref(&a, STR("Binding")));
    json_setz(&a, meta, "name", json_string_ref(&a, o->name));
    json_setz(&a, meta, "namespace", json_string_ref(&a, o->ns));
    json_setz(&a, meta, "uid", json_string_ref(&a, o->uid));
    json_setz(&a, target, "apiVersion", json_string_ref(&a, STR("v1")));
    json_setz(&a, target, "kind", json_string_ref(&a, STR("Node")));
    json_setz(&a, target, "name", json_string_ref(&a, str_of(node)));
    json_setz(&a, body, "metadata", meta);
    json_setz(&a, body, "target", target);
    p->binding = true;
    s->binds++;
    b->call = client_send(s->client, &r);
    if (b->call == NULL) {
        struct client_result lost = { .err = E_IO, .reason = "the API cannot be reached" };
        on_bound(b, &lost);
    }
    arena_release(&a);
}

/* ---- Unschedulable: say so in the status and as an event ----------------------------------------------- */

static void report(struct scheduler *s, struct sched_pod *p, struct str message)
{
    struct arena a = ARENA_INIT;
    struct json *body = json_object(&a), *conds = json_array(&a), *c = json_object(&a);
    struct event_about about = about_pod(p->object);
    struct client_req r = { .method = "PATCH",
                            .res = CLIENT_PODS,
                            .ns = p->object->ns,
                            .name = p->object->name,
                            .sub = "status",
                            .body = body,
                            .content_type = CLIENT_STRATEGIC_PATCH };

    event_record(s->events, &about, "Warning", "FailedScheduling", "%.*s", STR_ARG(message));
    if (str_eq(p->reported, message)) {
        arena_release(&a);
        return;
    }
    p->reported = arena_str(&p->arena, message);
    json_setz(&a, json_make_path(&a, body, "metadata"), "uid", json_string_ref(&a, p->object->uid));
    json_setz(&a, json_make_path(&a, body, "status"), "conditions", conds);
    json_push(conds, c);
    json_setz(&a, c, "type", json_string_ref(&a, STR("PodScheduled")));
    json_setz(&a, c, "status", json_string_ref(&a, STR("False")));
    json_setz(&a, c, "reason", json_string_ref(&a, STR("Unschedulable")));
    json_setz(&a, c, "message", json_string_ref(&a, message));
    json_setz(&a, c, "lastTransitionTime", json_string_ref(&a, time_text_ns(&a, loop_wall_ns(s->loop))));
    client_send(s->client, &r);
    arena_release(&a);
}

/* ---- Deciding ------------------------------------------------------------------------------------------ */

static void schedule_one(struct scheduler *s, struct sched_pod *p)
{
    long node = decide(&s->decider, p);

    if (node < 0) {
        struct arena a = ARENA_INIT;
        s->stats.unschedulable++;
        report(s, p, decide_why_not(&s->decider, p, &a));
        queue_park(&s->queue, p, loop_now_ms(s->loop));
        arena_release(&a);
        return;
    }
    const char *name = s->decider.nodes.info[node].name;
    assume(s, p);
    count(s, p, str_of(name));
    bind_start(s, p, name);
}

/* Bound, as the API said, but never seen so: look at it again. They stand in the order they were assumed. */
static uint64_t drop_lost_assumptions(struct scheduler *s, uint64_t now)
{
    while (!qempty(&s->assumed)) {
        struct sched_pod *p = qentry(qfirst(&s->assumed), struct sched_pod, link);
        if (p->due_ms > now)
            return p->due_ms;
        qdel(&p->link);
        if (p->binding) {                        /* its answer is still to come: give it more time */
            p->due_ms = now + SCHED_ASSUME_MS;
            qpush(&s->assumed, &p->link);
            continue;
        }
        uncount(s, p);
        queue_back_off(&s->queue, p, now);
    }
    return UINT64_MAX;
}

struct fit { struct scheduler *s; unsigned node; };

static bool fits_node(void *arg, struct sched_pod *p)
{
    const struct fit *f = arg;
    return decide_refusal(&f->s->decider, p, f->node) == REFUSED_NOT;
}

static void wake_parked(struct scheduler *s, uint64_t now)
{
    const struct nodes *t = &s->decider.nodes;

    for (unsigned k = 0; k < s->n_roomier && s->queue.n_parked > 0; k++) {
        struct fit f = { s, s->roomier[k] };
        if (f.node < t->n && t->present[f.node])
            queue_wake_parked(&s->queue, now, fits_node, &f);
    }
    s->n_roomier = 0;
}

static void on_work(struct ready_item *it)
{
    struct scheduler *s = container_of(it, struct scheduler, work);
    uint64_t now = loop_now_ms(s->loop), next;
    struct sched_pod *p = NULL;

    drop_lost_assumptions(s, now);
    wake_parked(s, now);
    queue_wake_due(&s->queue, now);
    for (unsigned i = 0; i < SCHED_DECISIONS_PER_TURN && s->binds < s->max_binds; i++) {
        p = queue_pop(&s->queue);
        if (p == NULL)
            break;
        schedule_one(s, p);
    }
    if (p != NULL && s->binds < s->max_binds)
        ready_post(s->loop, it);                 /* the slice is used up, not the queue */
    next = MIN_OF(drop_lost_assumptions(s, now), queue_wake_due(&s->queue, now));
    if (next != UINT64_MAX)
        timer_start(&s->wake, next > now ? next - now : 1);
}

static void on_wake(struct timer *t) { schedule_soon(container_of(t, struct scheduler, wake)); }

/* ---- Changes ------------------------------------------------------------------------------------------- */

/* Node i got room or changed: only pods that could now run there are tried again, once for all that happens
 * this turn. */
static void node_changed(struct scheduler *s, long i)
{
    if (i < 0 || s->queue.n_parked == 0)
        return;
    for (unsigned k = 0; k < s->n_roomier; k++)
        if (s->roomier[k] == (unsigned)i)
            return;
    if (s->n_roomier == s->cap_roomier) {
        s->cap_roomier = s->cap_roomier == 0 ? 16 : s->cap_roomier * 2;
        s->roomier = mem_realloc(s->roomier, s->cap_roomier * sizeof *s->roomier);
    }
    s->roomier[s->n_roomier++] = (unsigned)i;
    schedule_soon(s);
}

static void on_node(void *arg, enum informer_change what, struct object *old, struct object *new_,
                    struct json *json)
{
    struct scheduler *s = arg;

    if (what == INFORMER_DELETE)
        nodes_remove(&s->decider.nodes, old->name);
    else if (nodes_put(&s->decider.nodes, new_, json))
        node_changed(s, nodes_find(&s->decider.nodes, new_->name));
    s->stats.nodes = s->decider.nodes.n_present;
}

/* Out of every list and count. */
static void forget(struct scheduler *s, struct sched_pod *p)
{
    long node = p->node;

    queue_remove(&s->queue, p);
    qdel(&p->link);
    uncount(s, p);
    sched_pod_free(p);
    if (node >= 0 && (unsigned)node < s->decider.nodes.n && s->decider.nodes.info[node].name != NULL)
        node_changed(s, node);
}

/* What a scheduler, perhaps another before this one, wrote to its status: need not be written again. */
static struct str message_of(const struct json *pod)
{
    json_each(c, json_path(pod, "status.conditions"))
        if (str_is(json_path_str(c, "type"), "PodScheduled") &&
            str_is(json_path_str(c, "reason"), "Unschedulable"))
            return json_path_str(c, "message");
    return STR_NONE;
}

/* A pod that was not known before, or whose spec says something new. */
static void admit(struct scheduler *s, struct object *o, const struct json *json)
{
    struct sched_pod *p;
    bool placed = json_path_str(json, "spec.nodeName").n > 0;

    o->scheduler = NULL;
    if (pod_has_ended(json) || (!placed && !sched_pod_is_ours(json, s->name)))
        return;                                  /* it takes no room: looked at again when it changes */
    p = sched_pod_new(o, json, ++s->seq);
    o->scheduler = p;
    p->reported = arena_str(&p->arena, message_of(json));
    if (placed) {
        p->state = POD_BOUND;
        qpush(&s->bound, &p->link);
        count(s, p, p->node_name);
    } else if (p->state == POD_GATED) {
        qpush(&s->bound, &p->link);
    } else {
        queue_add(&s->queue, p);
        schedule_soon(s);
    }
}

/* Assumed and now seen on that very node: nothing needs to be counted anew. */
static bool confirms(struct scheduler *s, struct sched_pod *p, const struct object *o,
                     const struct json *json)
{
    struct str node = json_path_str(json, "spec.nodeName");

    return p->state == POD_ASSUMED && str_eq(p->object->uid, o->uid) && node.n > 0 && p->node >= 0 &&
           !pod_has_ended(json) && str_is(node, s->decider.nodes.info[p->node].name);
}

/* Does what changed matter here?  Status updates of running pods are most of all changes. */
static bool same_to_us(const struct sched_pod *p, const struct object *o, const struct json *json)
{
    struct str was = STR_NONE, is = STR_NONE;

    if (!str_eq(p->object->uid, o->uid) || pod_has_ended(json))
        return false;
    /* on its way out or not: it takes its room until it is gone */
    if (p->state == POD_BOUND)
        return str_eq(json_path_str(json, "spec.nodeName"), p->node_name);
    json_scan_path(blob_str(p->object->raw), "spec", &was);
    json_scan_path(blob_str(o->raw), "spec", &is);
    return str_eq(was, is) && p->state != POD_GATED && json_path(json, "metadata.deletionTimestamp") == NULL;
}

static void on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                   struct json *json)
{
    struct scheduler *s = arg;
    struct sched_pod *p = old != NULL ? old->scheduler : NULL;

    if (what == INFORMER_DELETE) {
        if (p != NULL)
            forget(s, p);
        return;
    }
    if (p != NULL && confirms(s, p, new_, json)) {
        qdel(&p->link);
        p->state = POD_BOUND;
        p->node_name = arena_str(&p->arena, json_path_str(json, "spec.nodeName"));
        qpush(&s->bound, &p->link);
    } else if (p != NULL && !same_to_us(p, new_, json)) {
        forget(s, p);
        p = NULL;
    }
    if (p == NULL) {
        admit(s, new_, json);
        return;
    }
    object_unref(p->object);
    p->object = object_ref(new_);
    new_->scheduler = p;
}

static void on_synced(void *arg) { schedule_soon(arg); }

/* ---- Life ---------------------------------------------------------------------------------------------- */

struct scheduler *scheduler_start(const struct scheduler_opts *o)
{
    struct scheduler *s = mem_new(struct scheduler);
    s->client = o->client;
    s->loop = client_loop(o->client);
    s->name = mem_strdup(o->name != NULL ? o->name : "default-scheduler");
    s->max_binds = o->max_binds_in_flight > 0 ? o->max_binds_in_flight : SCHED_BINDS_IN_FLIGHT;
    decider_init(&s->decider);
    queue_init(&s->queue);
    qinit(&s->assumed);
    qinit(&s->bound);
    qinit(&s->in_flight);
    ready_init(&s->work, on_work);
    timer_init(&s->wake, s->loop, on_wake);
    s->events = event_recorder_new(o->client, s->name, NULL);
    s->own = o->shared == NULL ? shared_new(o->client, NULL) : NULL;
    struct shared *shared = s->own != NULL ? s->own : o->shared;
    s->nodes = shared_listen(shared, CLIENT_NODES, on_node, s);
    s->pods = shared_listen(shared, CLIENT_PODS, on_pod, s);
    shared_on_resource_synced(shared, s->nodes, on_synced, s);
    shared_on_resource_synced(shared, s->pods, on_synced, s);
    return s;
}

/* A pod that is still in one of the places; NULL: none is left. */
static struct sched_pod *any_pod(struct scheduler *s)
{
    struct qlink *lists[] = { &s->bound, &s->assumed, &s->queue.parked };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (!qempty(lists[i]))
            return qentry(qfirst(lists[i]), struct sched_pod, link);
    return queue_any(&s->queue);
}

static bool free_some(void *state)
{
    struct scheduler *s = state;
    struct sched_pod *p = NULL;

    for (int n = 0; n < SCHED_FREED_PER_TURN && (p = any_pod(s)) != NULL; n++) {
        queue_remove(&s->queue, p);
        qdel(&p->link);
        uncount(s, p);
        sched_pod_free(p);
    }
    if (p != NULL)
        return false;
    queue_release(&s->queue);
    decider_release(&s->decider);
    mem_free(s->name);
    mem_free(s);
    return true;
}

void scheduler_stop(struct scheduler *s)
{
    if (s == NULL)
        return;
    ready_cancel(&s->work);
    timer_stop(&s->wake);
    mem_free(s->roomier);
    qeach(&s->in_flight, l, tmp) {
        struct bind *b = qentry(l, struct bind, link);
        client_cancel(b->call);
        bind_free(b);
    }
    shared_free(s->own);
    event_recorder_free(s->events);
    slices_run(s->loop, free_some, s);
}

void scheduler_stats(const struct scheduler *s, struct scheduler_stats *ret)
{
    *ret = s->stats;
    ret->queued = queue_length(&s->queue);
}
