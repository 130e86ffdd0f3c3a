/* node/node_lease.c: the node's Lease in kube-node-lease: made, renewed, made anew when it vanishes.
 *
 * A renewal is a merge patch of four fields: the cheapest sign of life there is.  What fails is tried again
 * soon and then ever more slowly; the lease is good for four intervals, so one lost renewal costs nothing. */
#include "api/time_fmt.h"
#include "node/node_report_impl.h"

#define LEASE_NAMESPACE   "kube-node-lease"
#define RETRY_FIRST_MS    200
#define TIMEOUT_MIN_MS    1000
#define TIMEOUT_MAX_MS    10000

struct node_lease {
    struct node_report *report;
    struct client_call *call;
    struct timer timer;
    uint64_t every_ms, good_ms;                  /* good: when it was renewed last */
    unsigned failures;
    bool exists, owner_due;                      /* owner: the next patch names it, too */
};

static void lease_on_done(void *arg, const struct client_result *res);

static struct json *lease_owner(const struct node_lease *l, struct arena *a)
{
    struct json *list = json_array(a), *o = json_push(list, json_object(a));

    json_setz(a, o, "apiVersion", json_string(a, STR("v1")));
    json_setz(a, o, "kind", json_string(a, STR("Node")));
    json_setz(a, o, "name", json_string(a, str_of(l->report->agent->name)));
    json_setz(a, o, "uid", json_string(a, str_of(l->report->uid)));
    return list;
}

static struct json *lease_body(const struct node_lease *l, struct arena *a)
{
    const struct agent *agent = l->report->agent;
    struct json *o = json_object(a), *spec;

    if (!l->exists) {
        json_setz(a, o, "apiVersion", json_string(a, STR("coordination.k8s.io/v1")));
        json_setz(a, o, "kind", json_string(a, STR("Lease")));
    }
    if (!l->exists || l->owner_due) {
        struct json *meta = json_setz(a, o, "metadata", json_object(a));
        json_setz(a, meta, "name", json_string(a, str_of(agent->name)));
        if (l->report->uid != NULL)
            json_setz(a, meta, "ownerReferences", lease_owner(l, a));
    }
    spec = json_setz(a, o, "spec", json_object(a));
    json_setz(a, spec, "holderIdentity", json_string(a, str_of(agent->name)));
    json_setz(a, spec, "leaseDurationSeconds",
              json_int(a, (int64_t)MAX_OF((4 * l->every_ms + 999) / 1000, 1)));
    json_setz(a, spec, "renewTime", json_string(a, time_micro_text_ns(a, loop_wall_ns(agent->loop))));
    return o;
}

static void lease_fail(struct node_lease *l)
{
    timer_start(&l->timer, report_backoff(l->report->agent->loop, l->failures, RETRY_FIRST_MS, l->every_ms));
    l->failures++;
}

static void lease_send(struct node_lease *l)
{
    struct arena a = ARENA_INIT;
    const struct agent *agent = l->report->agent;
    struct client_req q = {
        .method = l->exists ? "PATCH" : "POST",
        .res = CLIENT_LEASES,
        .ns = STR(LEASE_NAMESPACE),
        .name = l->exists ? str_of(agent->name) : STR_NONE,
        .body = lease_body(l, &a),
        .content_type = l->exists ? CLIENT_MERGE_PATCH : NULL,
        .timeout_ms = MAX_OF(MIN_OF(l->every_ms, TIMEOUT_MAX_MS), TIMEOUT_MIN_MS),
        .done = lease_on_done,
        .arg = l,
    };

    l->call = client_send(agent->client, &q);
    if (l->call == NULL)
        lease_fail(l);
    arena_release(&a);
}

static void lease_renewed(struct node_lease *l)
{
    struct loop *loop = l->report->agent->loop;
    uint64_t now = loop_now_ms(loop), away = now - l->good_ms;

    l->failures = 0;
    l->good_ms = now;
    /* Spread: nodes that started together must not all come at the same moment for ever. */
    timer_start(&l->timer, l->every_ms - l->every_ms * (loop_random_u64(loop) % 1000) / 10000);
    if (away >= 4 * l->every_ms)
        report_was_away(l->report);
}

static void lease_on_done(void *arg, const struct client_result *res)
{
    struct node_lease *l = arg;

    l->call = NULL;
    if (res->ok) {
        l->owner_due = l->owner_due && !l->exists;
        l->exists = true;
        lease_renewed(l);
    } else if (!l->exists && res->err == 0 && res->status == 409) {
        l->exists = l->owner_due = true;         /* from an earlier life of this node */
        lease_send(l);
    } else if (l->exists && res->err == 0 && res->status == 404) {
        l->exists = false;                       /* most likely collected with its node */
        lease_fail(l);
        report_gone(l->report);
    } else {
        lease_fail(l);
    }
}

static void lease_on_timer(struct timer *t) { lease_send(container_of(t, struct node_lease, timer)); }

struct node_lease *node_lease_start(struct node_report *r)
{
    struct node_lease *l = mem_new(struct node_lease);

    l->report = r;
    l->every_ms = r->agent->lease_ms > 0 ? r->agent->lease_ms : NODE_LEASE_MS;
    l->good_ms = loop_now_ms(r->agent->loop);
    timer_init(&l->timer, r->agent->loop, lease_on_timer);
    lease_send(l);
    return l;
}

void node_lease_owner(struct node_lease *l)
{
    l->owner_due = true;
    if (l->call == NULL) {
        timer_stop(&l->timer);
        lease_send(l);
    }
}

void node_lease_stop(struct node_lease *l)
{
    if (l == NULL)
        return;
    client_cancel(l->call);
    timer_stop(&l->timer);
    mem_free(l);
}
