/* ctrl/workqueue.c: see ctrl/workqueue.h. */
#include <stdarg.h>
#include <stdio.h>
#include "ctrl/workqueue.h"
#include "net/log.h"
#include "net/slices.h"

/* A key the queue knows: waiting, being worked on, delayed, or remembered for its back-off. */
struct key {
    struct qlink link;                           /* ready, when waiting */
    struct workqueue *q;
    char *text;                                  /* "ns/name" */
    struct str ns, name;
    struct timer delay;
    struct pass *pass;                           /* being worked on */
    uint64_t backoff_ms, memo;
    struct informer *expect; uint64_t expect_rv, expect_until_ms, doubt_until_ms;
    bool dirty;
};

struct pass {
    struct key *key;
    struct arena arena;
    struct qlink calls;
    unsigned pending;
    uint64_t again_ms;
    bool in_sync, failed;
};

typedef void (*pass_answer)(struct pass *, const struct client_result *);
struct call {
    struct qlink link;
    struct pass *pass;
    struct client_call *call;
    const char *method;
    int fine;
    bool expected;                               /* the next pass must see what it wrote */
    pass_answer on_ok, on_fine;
};

struct workqueue {
    struct workqueue_opts o;
    struct loop *loop;
    struct map keys;
    struct qlink ready;
    size_t n_ready, n_passes;
    struct ready_item work;
};

static void queue_on_work(struct ready_item *it);

struct workqueue *workqueue_new(const struct workqueue_opts *o)
{
    struct workqueue *q = mem_new(struct workqueue);

    q->o = *o;
    q->loop = client_loop(o->client);
    qinit(&q->ready);
    ready_init(&q->work, queue_on_work);
    return q;
}

static void pass_free(struct pass *p)
{
    while (!qempty(&p->calls)) {
        struct call *c = qentry(qpop(&p->calls), struct call, link);
        client_cancel(c->call);
        mem_free(c);
    }
    arena_release(&p->arena);
    mem_free(p);
}

static void key_free(struct key *k)
{
    if (k->pass != NULL)
        pass_free(k->pass);
    timer_stop(&k->delay);
    qdel(&k->link);
    mem_free(k->text);
    mem_free(k);
}

/* Keys that nobody works on any more: inert memory. */
struct remains { struct map keys; size_t at; };

static bool remains_free_some(void *state)
{
    struct remains *r = state;
    struct str key;
    void *val;

    for (int i = 0; i < CTRL_SWEEP_SLICE; i++) {
        if (!map_next(&r->keys, &r->at, &key, &val)) {
            map_release(&r->keys);
            mem_free(r);
            return true;
        }
        key_free(val);
    }
    return false;
}

/* Timers and calls end at once, since they lead back here: the ready list and the calls of CTRL_PASSES
 * passes are short work, the timers a few steps in a heap each. */
void workqueue_free(struct workqueue *q)
{
    struct remains *r;
    struct str key;
    void *val;

    if (q == NULL)
        return;
    ready_cancel(&q->work);
    r = mem_new(struct remains);
    r->keys = q->keys;
    for (size_t it = 0; map_next(&r->keys, &it, &key, &val);) {
        struct key *k = val;
        timer_stop(&k->delay);
        qinit(&k->link);                         /* the list it is in goes as a whole */
        if (k->pass != NULL)
            pass_free(k->pass);
        k->pass = NULL;
    }
    if (remains_free_some(r))
        r = NULL;
    if (r != NULL)
        slices_run(q->loop, remains_free_some, r);
    mem_free(q);
}

size_t workqueue_length(const struct workqueue *q) { return q->n_ready; }

/* ---- Adding ------------------------------------------------------------------------------------- */

static void key_make_ready(struct key *k)
{
    if (!qlinked(&k->link) && k->pass == NULL) {
        qpush(&k->q->ready, &k->link);
        k->q->n_ready++;
        ready_post(k->q->loop, &k->q->work);
    }
    k->dirty = true;
}

static void key_on_delay(struct timer *t) { key_make_ready(container_of(t, struct key, delay)); }

static struct key *key_get(struct workqueue *q, struct str ns, struct str name)
{
    char text[640];
    int  n = snprintf(text, sizeof text, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
    struct key *k;

    must(n >= 0 && (size_t)n < sizeof text);     /* names are at most 253 bytes each */
    k = map_get(&q->keys, str_make(text, (size_t)n));
    if (k != NULL)
        return k;
    k = mem_new(struct key);
    k->q = q;
    k->text = mem_strdup(text);
    k->ns = str_make(k->text, ns.n);
    k->name = str_make(k->text + ns.n + 1, name.n);
    qinit(&k->link);
    timer_init(&k->delay, q->loop, key_on_delay);
    map_put(&q->keys, str_of(k->text), k);
    return k;
}

void workqueue_add(struct workqueue *q, struct str ns, struct str name)
{
    key_make_ready(key_get(q, ns, name));
}

static void key_delay(struct key *k, uint64_t ms)
{
    uint64_t now = loop_now_ns(k->q->loop);

    if (!timer_active(&k->delay) || k->delay.due_ns > now + ms * 1000000)
        timer_start(&k->delay, ms);
}

void workqueue_add_after(struct workqueue *q, struct str ns, struct str name, uint64_t ms)
{
    key_delay(key_get(q, ns, name), ms);
}

/* ---- Passes ------------------------------------------------------------------------------------- */

/* Over: forget the key unless something about it is still to be remembered. */
static void pass_finish(struct pass *p)
{
    struct key *k = p->key;
    struct workqueue *q = k->q;
    bool failed = p->failed;

    must(k->pass == p && p->pending == 0 && q->n_passes > 0);
    if (p->again_ms > 0)
        key_delay(k, p->again_ms);
    k->pass = NULL;
    q->n_passes--;
    pass_free(p);
    if (failed) {
        k->backoff_ms = k->backoff_ms == 0 ? CTRL_BACKOFF_FIRST_MS
                                           : MIN_OF(k->backoff_ms * 2, CTRL_BACKOFF_MAX_MS);
        key_delay(k, k->backoff_ms);
    } else {
        k->backoff_ms = 0;
    }
    if (k->dirty) {
        key_make_ready(k);
    } else if (!timer_active(&k->delay) && k->expect == NULL && k->memo == 0) {
        map_del(&q->keys, str_of(k->text));
        key_free(k);
    }
    if (!qempty(&q->ready))
        ready_post(q->loop, &q->work);
}

/* Has what this key's last pass wrote come back?  If not, the watch event that brings it adds the key
 * again. */
static bool key_is_stale(struct key *k)
{
    uint64_t now = loop_now_ms(k->q->loop), until = k->doubt_until_ms;

    if (k->expect == NULL)
        return false;
    if (informer_revision(k->expect) < k->expect_rv)
        until = MAX_OF(until, k->expect_until_ms);
    if (now >= until) {
        k->expect = NULL;
        return false;
    }
    key_delay(k, until - now);
    return true;
}

static void pass_start(struct key *k)
{
    struct workqueue *q = k->q;
    struct pass *p;

    k->dirty = false;
    if (key_is_stale(k))
        return;
    p = mem_new(struct pass);
    p->key = k;
    arena_init(&p->arena);
    qinit(&p->calls);
    k->pass = p;
    q->n_passes++;
    p->in_sync = true;
    q->o.sync(q->o.arg, p);
    p->in_sync = false;
    if (p->pending == 0)
        pass_finish(p);
}

static void queue_on_work(struct ready_item *it)
{
    struct workqueue *q = container_of(it, struct workqueue, work);

    for (int n = 0; n < CTRL_PASSES_PER_TURN && q->n_passes < CTRL_PASSES && !qempty(&q->ready); n++) {
        struct key *k = qentry(qpop(&q->ready), struct key, link);
        q->n_ready--;
        pass_start(k);
    }
    if (!qempty(&q->ready) && q->n_passes < CTRL_PASSES)
        ready_post(q->loop, it);
}

/* ---- Inside a pass ------------------------------------------------------------------------------ */

struct str pass_ns(const struct pass *p) { return p->key->ns; }
struct str pass_name(const struct pass *p) { return p->key->name; }
struct arena *pass_arena(struct pass *p) { return &p->arena; }
struct client *pass_client(struct pass *p) { return p->key->q->o.client; }
void *pass_owner(struct pass *p) { return p->key->q->o.arg; }
uint64_t *pass_memo(struct pass *p) { return &p->key->memo; }

void pass_again_after(struct pass *p, uint64_t ms)
{
    p->again_ms = p->again_ms == 0 ? MAX_OF(ms, 1) : MIN_OF(p->again_ms, MAX_OF(ms, 1));
}

void pass_fail(struct pass *p, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    p->failed = true;
    log_debug(p->key->q->o.name, "%s: %s", p->key->text, text);
}

void pass_expect(struct pass *p, struct informer *by)
{
    struct key *k = p->key;

    if (k->expect != by)
        k->expect_rv = k->doubt_until_ms = 0;
    k->expect = by;
    k->expect_until_ms = loop_now_ms(k->q->loop) + CTRL_EXPECT_MS;
}

/* What must be seen by watch before the next pass; an answer that leaves open what was done: anything may
 * come. */
static void call_note_revision(struct call *c, const struct client_result *r)
{
    struct key *k = c->pass->key;
    uint64_t rv;

    if (!c->expected || k->expect == NULL)
        return;
    if (r->ok && str_u64(json_path_str(r->obj, "metadata.resourceVersion"), &rv))
        k->expect_rv = MAX_OF(k->expect_rv, rv);
    else if (r->err != 0 || r->status >= 500)
        k->doubt_until_ms = loop_now_ms(k->q->loop) + CTRL_STALE_MS;
}

static void call_on_done(void *arg, const struct client_result *r)
{
    struct call *c = arg;
    struct pass *p = c->pass;
    const struct workqueue *q = p->key->q;

    qdel(&c->link);
    must(p->pending > 0);
    call_note_revision(c, r);
    if (r->ok) {
        if (c->on_ok != NULL)
            c->on_ok(p, r);
    } else if (r->err == 0 && r->status == c->fine) {
        if (c->on_fine != NULL)
            c->on_fine(p, r);
    } else {
        pass_fail(p, "%s %.*s", r->reason, STR_ARG(r->message));
        if (q->o.on_refused != NULL)
            q->o.on_refused(p, c->method, r);
    }
    mem_free(c);
    if (--p->pending == 0 && !p->in_sync)
        pass_finish(p);
}

static bool is_expected(const struct pass *p, const struct client_req *r)
{
    struct client_resource by;

    if (p->key->expect == NULL || strcmp(r->method, "GET") == 0)
        return false;
    by = informer_resource(p->key->expect);
    return strcmp(by.plural, r->res.plural) == 0 && strcmp(by.group, r->res.group) == 0;
}

void pass_send(struct pass *p, const struct client_req *r, int fine, pass_answer on_ok)
{
    pass_send_else(p, r, fine, on_ok, NULL);
}

void pass_send_else(struct pass *p, const struct client_req *r, int fine, pass_answer on_ok,
                    pass_answer on_fine)
{
    struct call *c = mem_new(struct call);
    struct client_req req = *r;

    *c = (struct call){ .pass = p, .method = r->method, .fine = fine, .expected = is_expected(p, r),
                        .on_ok = on_ok, .on_fine = on_fine };
    qinit(&c->link);
    req.done = call_on_done;
    req.arg = c;
    c->call = client_send(pass_client(p), &req);
    if (c->call == NULL) {
        mem_free(c);
        pass_fail(p, "the API cannot be reached");
        return;
    }
    qpush(&p->calls, &c->link);
    p->pending++;
}
