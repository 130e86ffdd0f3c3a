/* api/eviction.c: pods/eviction: a deletion that asks the pod's disruption budget first.
 *
 * The budget's count goes down in the same transaction that marks or removes the pod: no two evictions can
 * spend the same disruption, and none is spent in vain. */
#include "api/decode.h"
#include "api/delete.h"
#include "api/meta.h"
#include "api/pod_rules.h"
#include "api/selector.h"
#include "api/subresource.h"
#include "api/time_fmt.h"

#define RETRY_AFTER_S 10
#define VIOLATES      "Cannot evict pod as it would violate the pod's disruption budget."

struct eviction { struct deletion deletion; struct json *body; };

static void evict_try(struct call *c);

struct budget { struct str key; uint64_t rev; struct json *obj; unsigned n; };

/* The budgets of the namespace that cover the pod. */
static void find_budgets(struct call *c, const struct json *pod, struct budget *ret)
{
    const struct resource *r = resource_find(STR("policy"), STR("v1"), STR("poddisruptionbudgets"));
    struct str             prefix;
    struct store_cursor    cursor;
    struct store_kv        kv;

    *ret = (struct budget){ .n = 0 };
    if (r == NULL)
        return;
    prefix = call_key(c, r, c->rq.ns, STR_NONE);
    store_seek(&cursor, store_live(c->api->store), prefix, store_prefix_end(c->arena, prefix));
    while (store_next(&cursor, &kv)) {
        struct json_error why;
        struct selector   sel;
        struct json      *obj;

        if (json_parse(c->arena, blob_str(kv.value), &obj, &why) < 0 ||
            selector_from_json(c->arena, json_path(obj, "spec.selector"), &sel, NULL) < 0 ||
            !selector_matches(&sel, json_path(pod, "metadata.labels")))
            continue;
        ret->n++;
        ret->key = arena_str(c->arena, kv.key);
        ret->rev = kv.mod_rev;
        ret->obj = obj;
    }
}

static bool pod_ready(const struct json *pod)
{
    json_each(it, json_path(pod, "status.conditions"))
        if (str_is(json_str(json_getz(it, "type")), "Ready"))
            return str_is(json_str(json_getz(it, "status")), "True");
    return false;
}

/* A pod that serves nobody yet or any more disrupts nothing. */
static bool budget_applies(const struct json *pod)
{
    return !meta_deleting(pod) && !str_is(json_path_str(pod, "status.phase"), "Pending") &&
           !pod_has_ended(pod);
}

/* retry_after_s: 0 where nobody knows when; clients would repeat a request that has it by themselves,
 * unasked. */
static void refuse(struct call *c, unsigned retry_after_s, struct str cause_text)
{
    struct status s = { .code = 429, .reason = REASON_TOO_MANY, .message = STR(VIOLATES),
                        .retry_after_s = retry_after_s };
    struct causes causes;

    causes_init(&causes, c->arena);
    cause_add(&causes, "DisruptionBudget", NULL, "%.*s", STR_ARG(cause_text));
    s.causes = &causes;
    call_respond_status(c, &s);
}

/* Take one disruption off the budget; *ret_spend: it changed.  False: answered. */
static bool spend(struct call *c, struct budget *b, const struct json *pod, bool *ret_spend)
{
    struct json *status = json_make_path(c->arena, b->obj, "status");
    int64_t      allowed = json_i64_or(json_getz(status, "disruptionsAllowed"), 0);
    int64_t      healthy = json_i64_or(json_getz(status, "currentHealthy"), 0),
        desired = json_i64_or(json_getz(status, "desiredHealthy"), 0);
    struct str   name = json_path_str(b->obj, "metadata.name");

    *ret_spend = false;
    if (!pod_ready(pod) && (str_is(json_path_str(b->obj, "spec.unhealthyPodEvictionPolicy"), "AlwaysAllow") ||
                            (healthy >= desired && desired > 0)))
        return true;
    if (json_i64_or(json_getz(status, "observedGeneration"), 0) < json_path_i64(b->obj,
            "metadata.generation", 0)) {
        refuse(c, RETRY_AFTER_S, arena_fmt(c->arena, "The disruption budget %.*s is still being processed by "
                                                     "the server.", STR_ARG(name)));
        return false;
    }
    if (allowed <= 0) {
        refuse(c, 0, arena_fmt(c->arena, "The disruption budget %.*s needs %lld healthy pods and has %lld "
                                         "currently", STR_ARG(name), (long long)desired, (long long)healthy));
        return false;
    }
    json_setz(c->arena, status, "disruptionsAllowed", json_int(c->arena, allowed - 1));
    json_set(c->arena, json_make_path(c->arena, status, "disruptedPods"), c->rq.name,
             json_string_ref(c->arena, time_text_ns(c->arena, loop_wall_ns(c->api->loop))));
    *ret_spend = true;
    return true;
}

static void answer_done(struct call *c)
{
    struct status s = { .code = 201 };

    call_respond_status(c, &s);
}

static void on_evicted(struct call *c, void *arg, int err, const struct store_commit *commit)
{
    (void)arg;
    if (err != 0)
        call_store_failed(c, err, true);
    else if (commit->succeeded)
        answer_done(c);
    else if (write_again(c, c->rq.name))
        evict_try(c);
}

static void commit(struct call *c, struct draft *d, enum deletion_step step, const struct budget *b,
                   bool spent)
{
    const struct resource *r = resource_find(STR("policy"), STR("v1"), STR("poddisruptionbudgets"));
    struct store_txn       t;
    struct buf             text = BUF_INIT;
    uint32_t               rev_at;

    store_txn_init(&t);
    if (spent)
        store_txn_if(&t, b->key, STORE_MOD, STORE_EQ, b->rev);
    deletion_txn(&t, d, step);
    if (spent) {
        encode_object(&text, r->kind, b->obj, &rev_at);
        store_txn_put(&t, b->key, buf_str(&text), rev_at, 0, 0);
        buf_release(&text);
    }
    call_commit(c, &t, NULL, on_evicted);
    store_txn_release(&t);
}

/* The pod is there: may it go?  False: answered. */
static bool ask_budget(struct call *c, const struct json *pod, struct budget *b, bool *ret_spent)
{
    *ret_spent = false;
    if (!budget_applies(pod))
        return true;
    find_budgets(c, pod, b);
    if (b->n > 1) {
        call_fail(c, 500, REASON_INTERNAL,
                  "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
                  "support.");
        return false;
    }
    return b->n == 0 || spend(c, b, pod, ret_spent);
}

static void evict_run(struct call *c, struct draft *d)
{
    struct eviction   *e = c->state;
    struct budget      b = { .n = 0 };
    struct json_error  bad;
    struct json       *pod;
    const char        *why = NULL;
    bool               spent;
    enum deletion_step step = deletion_plan(d, &e->deletion, &why);

    if (step == DELETION_CONFLICT) {
        call_conflict(c, c->rq.name, why);
        return;
    }
    if (step == DELETION_BROKEN || json_parse(c->arena, blob_str(d->stored), &pod, &bad) < 0) {
        call_fail(c, 500, REASON_INTERNAL, "Internal error occurred: the stored object cannot be read");
        return;
    }
    if (!ask_budget(c, pod, &b, &spent))
        return;
    if (step == DELETION_NOTHING || c->rq.opt.dry_run)
        answer_done(c);
    else
        commit(c, d, step, &b, spent);
}

static void evict_try(struct call *c)
{
    struct draft *d = arena_new(c->arena, struct draft);

    d->call = c;
    d->key = call_key(c, c->info->base, c->rq.ns, c->rq.name);
    call_kind_ctx(c, &d->kind, c->rq.ns, c->rq.name);
    if (deletion_find(d))
        evict_run(c, d);
    else
        call_not_found(c);
}

static void on_admitted(struct call *c, struct json *body)
{
    (void)body;
    evict_try(c);
}

/* Admission sees the Eviction; that the pod then goes is no deletion of its own to it. */
static void evict_ask(struct call *c)
{
    const struct eviction *e = c->state;

    write_admitted(c, ADMIT_CREATE, e->body, on_admitted);
}

void eviction_serve(struct call *c)
{
    struct eviction   *e = arena_new(c->arena, struct eviction);
    struct json       *body = decode_body(c, c->sub->kind);
    const struct json *options;
    struct str         name;

    if (body == NULL)
        return;
    name = json_path_str(body, "metadata.name");
    if (name.n > 0 && !str_eq(name, c->rq.name)) {
        call_bad_request(c, "name in URL does not match name in Eviction object");
        return;
    }
    options = json_getz(body, "deleteOptions");
    if (!deletion_options(c, options != NULL ? options : json_object(c->arena), &e->deletion))
        return;
    e->body = body;
    c->state = e;
    call_when_fresh(c, evict_ask);
}
