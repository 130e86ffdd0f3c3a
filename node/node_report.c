/* node/node_report.c: registration and status of the node; see node/node_report.h.
 *
 *     UNREGISTERED --POST; 409: PATCH--> REGISTERED --PATCH status, when something changed or every status_ms--.
 *          ^----------- 404, or the informer saw our Node go --------------------------------------------------'
 *
 * One request at a time; what changes meanwhile is sent after it. */
#include "api/time_fmt.h"
#include "net/log.h"
#include "node/node_report_impl.h"

#define RETRY_FIRST_MS   10
#define RETRY_EARLY_MS   200                     /* at most, while the heads may still be starting */
#define RETRY_MAX_MS     2000
#define EARLY_MS         30000

static void report_go(struct node_report *r);

uint64_t report_backoff(struct loop *l, unsigned failures, uint64_t first_ms, uint64_t most_ms)
{
    uint64_t ms = MIN_OF(first_ms << MIN_OF(failures, 16u), MAX_OF(most_ms, first_ms));
    return ms - ms / 2 * (loop_random_u64(l) % 1024) / 1024;
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void report_fail(struct node_report *r, const char *doing, const struct client_result *res)
{
    struct loop *l = r->agent->loop;
    bool early = loop_now_ms(l) - r->began_ms < EARLY_MS;
    struct arena a = ARENA_INIT;
    struct str why = res == NULL     ? STR("the request cannot be sent")
                     : res->err != 0 ? str_of(res->reason)
                                     : arena_fmt(&a, "%d %.*s", res->status, STR_ARG(res->message));

    if (r->complaint == NULL || !str_is(why, r->complaint)) {
        log_warn("node", "%s %s: %.*s", doing, r->agent->name, STR_ARG(why));
        mem_free(r->complaint);
        r->complaint = mem_strndup(why);
    }
    arena_release(&a);
    timer_start(&r->timer,
                report_backoff(l, r->failures, RETRY_FIRST_MS, early ? RETRY_EARLY_MS : RETRY_MAX_MS));
    r->failures++;
}

static void report_succeed(struct node_report *r)
{
    r->failures = 0;
    mem_free(r->complaint);
    r->complaint = NULL;
}

/* What the API holds of our conditions: who is as it should be keeps its time. */
static void learn_conditions(struct node_report *r, const struct json *node)
{
    for (enum node_condition i = 0; i < COND_COUNT; i++) {
        int64_t s = 0;
        uint32_t ns;

        json_each(c, json_path(node, "status.conditions"))
            if (str_is(json_path_str(c, "type"), node_condition_type(i)) &&
                str_is(json_path_str(c, "status"), node_condition_good(i)) &&
                !time_parse(json_path_str(c, "lastTransitionTime"), &s, &ns))
                s = 0;
        r->since_s[i] = s;
    }
}

static void learn_rv(struct node_report *r, struct str rv)
{
    uint64_t v;

    if (str_u64(rv, &v))
        r->seen_rv = v;
}

/* A range that the control plane gave us, where we came with none. */
static void adopt_pod_cidr(struct agent *a, const struct json *node)
{
    struct str cidr = json_path_str(node, "spec.podCIDR");
    struct errbuf err;
    char *text;

    if (a->pod_cidr != NULL || cidr.n == 0)
        return;
    text = mem_strndup(cidr);
    if (a->rt->ops->set_pod_cidr(a->rt, text, &err) == 0) {
        a->pod_cidr = text;
        return;
    }
    log_warn("node", "the pod range given to this node is no good: %s", err.s);
    mem_free(text);
}

static void report_registered(struct node_report *r, const struct json *node)
{
    struct str uid = json_path_str(node, "metadata.uid");
    bool new_uid = r->uid == NULL || !str_is(uid, r->uid);

    report_succeed(r);
    r->registered = r->dirty = true;
    r->sent_hash = 0;
    learn_conditions(r, node);
    learn_rv(r, json_path_str(node, "metadata.resourceVersion"));
    adopt_pod_cidr(r->agent, node);
    if (new_uid) {
        mem_free(r->uid);
        r->uid = mem_strndup(uid);
        log_info("node", "registered as %s", r->agent->name);
    }
    if (r->lease == NULL)
        r->lease = node_lease_start(r);
    else if (new_uid)
        node_lease_owner(r->lease);
    report_go(r);
}

/* ---- registering ------------------------------------------------------------------------------ */

static void register_send(struct node_report *r, bool patch, bool with_spec);

static void on_patched(void *arg, const struct client_result *res)
{
    struct node_report *r = arg;

    r->call = NULL;
    if (res->ok)
        report_registered(r, res->obj);
    else if (res->err == 0 && (res->status == 422 || res->status == 403))
        register_send(r, true, false);           /* its pod range was set before and cannot change: live with it */
    else
        report_fail(r, "cannot register node", res);
}

static void on_patched_plain(void *arg, const struct client_result *res)
{
    struct node_report *r = arg;

    r->call = NULL;
    if (res->ok) {
        struct str cidr = json_path_str(res->obj, "spec.podCIDR");
        if (r->agent->pod_cidr != NULL && cidr.n > 0 && !str_is(cidr, r->agent->pod_cidr))
            log_warn(
                "node",
                "node %s is known with pods in %.*s, but has them in %s: other nodes will not reach them",
                r->agent->name, STR_ARG(cidr), r->agent->pod_cidr);
        report_registered(r, res->obj);
    } else {
        report_fail(r, "cannot register node", res);
    }
}

static void on_created(void *arg, const struct client_result *res)
{
    struct node_report *r = arg;

    r->call = NULL;
    if (res->ok)
        report_registered(r, res->obj);
    else if (res->err == 0 && res->status == 409)
        register_send(r, true, true);
    else
        report_fail(r, "cannot register node", res);
}

/* A merge patch replaces lists: podCIDRs is to be our one range, not every range there ever was. */
static void register_send(struct node_report *r, bool patch, bool with_spec)
{
    struct arena a = ARENA_INIT;
    struct json *body = node_registration(r, &a, patch);
    struct client_req q = {
        .method = patch ? "PATCH" : "POST",
        .res = CLIENT_NODES,
        .name = patch ? str_of(r->agent->name) : STR_NONE,
        .body = body,
        .content_type = patch ? CLIENT_MERGE_PATCH : NULL,
        .arg = r,
        .done = !patch      ? on_created
                : with_spec ? on_patched
                            : on_patched_plain,
    };

    if (!with_spec)
        json_delz(body, "spec");
    r->call = client_send(r->agent->client, &q);
    if (r->call == NULL)
        report_fail(r, "cannot register node", NULL);
    arena_release(&a);
}

/* ---- status ----------------------------------------------------------------------------------- */

static void on_status(void *arg, const struct client_result *res)
{
    struct node_report *r = arg;
    uint64_t every = r->agent->status_ms > 0 ? r->agent->status_ms : NODE_STATUS_MS;

    r->call = NULL;
    if (res->err == 0 && res->status == 404) {
        report_gone(r);
        return;
    }
    if (!res->ok) {
        r->sent_hash = 0;                        /* who knows what arrived */
        report_fail(r, "cannot report status of node", res);
        return;
    }
    report_succeed(r);
    r->sent_hash = r->sending_hash;
    learn_conditions(r, res->obj);
    learn_rv(r, json_path_str(res->obj, "metadata.resourceVersion"));
    timer_start(&r->timer, every - every / 10 * (loop_random_u64(r->agent->loop) % 1024) / 1024);
    if (r->dirty)
        report_go(r);
}

/* beat: even if there is nothing new. */
static void status_send(struct node_report *r, bool beat)
{
    struct arena a = ARENA_INIT;
    struct client_req q = { .method = "PATCH",
                            .res = CLIENT_NODES,
                            .name = str_of(r->agent->name),
                            .sub = "status",
                            .content_type = CLIENT_STRATEGIC_PATCH,
                            .done = on_status,
                            .arg = r };

    r->dirty = false;
    q.body = node_status(r, &a, &r->sending_hash);
    if (beat || r->sending_hash != r->sent_hash) {
        timer_stop(&r->timer);
        r->call = client_send(r->agent->client, &q);
        if (r->call == NULL)
            report_fail(r, "cannot report status of node", NULL);
    }
    arena_release(&a);
}

/* ---- when ------------------------------------------------------------------------------------- */

static void report_go(struct node_report *r)
{
    if (r->call != NULL)
        return;                                  /* its answer goes on */
    if (!r->registered) {
        timer_stop(&r->timer);
        register_send(r, false, true);
    } else if (r->dirty) {
        status_send(r, r->sent_hash == 0);
    }
}

static void report_on_timer(struct timer *t)
{
    struct node_report *r = container_of(t, struct node_report, timer);

    if (r->registered && r->call == NULL)
        status_send(r, true);
    else
        report_go(r);
}

static void report_on_soon(struct ready_item *it)
{
    struct node_report *r = container_of(it, struct node_report, soon);

    if (r->registered && r->failures == 0)       /* else the next attempt carries it */
        report_go(r);
}

void node_report_changed(struct node_report *r)
{
    r->dirty = true;
    ready_post(r->agent->loop, &r->soon);
}

void report_gone(struct node_report *r)
{
    if (!r->registered)
        return;
    log_warn("node", "node %s or its lease is gone from the API: registering again", r->agent->name);
    client_cancel(r->call);
    r->call = NULL;
    r->registered = false;
    r->began_ms = loop_now_ms(r->agent->loop);
    report_go(r);
}

void report_was_away(struct node_report *r)
{
    r->since_s[COND_READY] = 0;
    r->sent_hash = 0;                            /* what we sent is not what stands there */
    node_report_changed(r);
}

void report_seen(struct node_report *r, struct str rv, const struct json *node)
{
    uint64_t v;

    if (!r->registered || r->call != NULL || !str_u64(rv, &v) || v <= r->seen_rv)
        return;
    r->seen_rv = v;
    learn_conditions(r, node);
    if (r->since_s[COND_READY] == 0)             /* somebody took us for dead */
        report_was_away(r);
}

struct node_report *node_report_start(struct agent *a)
{
    struct node_report *r = mem_new(struct node_report);

    r->agent = a;
    r->began_ms = loop_now_ms(a->loop);
    r->facts = node_facts_read(a);
    timer_init(&r->timer, a->loop, report_on_timer);
    ready_init(&r->soon, report_on_soon);
    report_go(r);
    if (!a->hollow)
        r->peers = node_peers_start(r);
    return r;
}

void node_report_stop(struct node_report *r)
{
    if (r == NULL)
        return;
    node_peers_stop(r->peers);
    node_lease_stop(r->lease);
    client_cancel(r->call);
    timer_stop(&r->timer);
    ready_cancel(&r->soon);
    mem_free(r->uid);
    mem_free(r->facts);
    mem_free(r->complaint);
    mem_free(r);
}
