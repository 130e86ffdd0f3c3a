/* api/write.c: see api/write.h. */
#include "api/write.h"
#include "api/answer.h"
#include "api/crd/pipeline.h"

#define EVENT_TTL_MS      (60ull * 60 * 1000)
#define EVENT_BUCKET_MS   (5ull * 60 * 1000)     /* events of this long share a lease */
#define EVENT_LEASE_KEYS  2048                   /* or this many: revoking a lease is one transaction */

/* ---- Checks ---------------------------------------------------------------------------------------- */

static void on_something_new(struct store_wait *w, int err)
{
    struct call *c = container_of(w, struct call, wait);

    c->waiting = false;
    if (err == 0 || err == E_TIMEOUT)
        c->then(c);
    else
        call_store_failed(c, err, true);
}

/* A new namespace's default account comes a moment after the namespace, and this head may be behind.  True:
 * the call waits. */
static bool wait_for_lacking(struct call *c, const struct kind_ctx *k, void (*again)(struct call *c))
{
    uint64_t now_ms = loop_now_ms(c->api->loop);

    if (!k->lacking)
        return false;
    if (!c->fresh) {
        call_when_fresh(c, again);
        return true;
    }
    if (c->give_up_ms == 0)
        c->give_up_ms = now_ms + k->lacking_ms;
    if (now_ms >= c->give_up_ms)
        return false;
    must(!c->waiting);
    c->waiting = true;
    c->then = again;
    c->wait.done = on_something_new;
    store_wait_revision(c->api->store, &c->wait, store_revision(c->api->store) + 1,
                        (unsigned)(c->give_up_ms - now_ms));
    return true;
}

bool write_check(struct draft *d, const struct causes *causes, void (*again)(struct call *c))
{
    struct call *c = d->call;

    if (wait_for_lacking(c, &d->kind, again))
        return false;
    if (d->kind.refused != 0)
        call_refused(c, &d->kind);
    else if (causes != NULL && causes->n > 0)
        call_invalid(c, c->info->base->kind, d->kind.name, causes);
    else
        return true;
    return false;
}

struct passing { struct draft d; void (*then)(struct call *c, struct json *obj); };

static void on_passed(struct admission *a)
{
    struct passing *p = container_of(a, struct passing, d.admit);

    if (a->k->refused != 0)
        call_refused(p->d.call, a->k);
    else
        p->then(p->d.call, a->obj);
}

void write_admitted(struct call *c, enum admit_op op, struct json *obj,
                    void (*then)(struct call *c, struct json *obj))
{
    struct passing *p = arena_new(c->arena, struct passing);

    p->d.call = c;
    p->then = then;
    call_kind_ctx(c, &p->d.kind, c->rq.ns, c->rq.name);
    admit_begin(&p->d.admit, c, &p->d.kind, op);
    p->d.admit.obj = obj;
    admit_decide(&p->d.admit, on_passed);
}

void write_encode(struct draft *d)
{
    struct buf *b = &d->call->api->scratch;

    buf_clear(b);
    encode_object(b, custom_stored_kind(d->call), d->obj, &d->rev_at);
    d->text = buf_str(b);
}

/* ---- Claims ---------------------------------------------------------------------------------------- */

/* Only the last word on a key counts. */
static bool superseded(const struct kind_ctx *k, const struct kind_claim *claim)
{
    for (const struct kind_claim *later = k->claims; later != claim; later = later->next)
        if (str_eq(later->key, claim->key))
            return true;
    return false;
}

void write_claims_if(struct store_txn *t, const struct kind_ctx *k)
{
    for (const struct kind_claim *claim = k->claims; claim != NULL; claim = claim->next)
        if (!superseded(k, claim))
            store_txn_if(t, claim->key, STORE_MOD, STORE_EQ, claim->seen);
    for (const struct kind_guard *g = k->guards; g != NULL; g = g->next) {
        struct store_range below = { g->from, g->to };

        if (g->to.n > 0)
            store_txn_if_range(t, below, g->only_new ? STORE_CREATE : STORE_MOD, STORE_LT, g->seen + 1);
        else
            store_txn_if(t, g->from, STORE_MOD, STORE_EQ, g->seen);
    }
}

void write_claims_then(struct store_txn *t, const struct kind_ctx *k)
{
    for (const struct kind_claim *claim = k->claims; claim != NULL; claim = claim->next) {
        if (superseded(k, claim))
            continue;
        if (claim->take)
            store_txn_put(t, claim->key, claim->text, claim->rev_at, 0, 0);
        else
            store_txn_delete(t, claim->key, claim->text, claim->rev_at);
    }
}

/* ---- Put -------------------------------------------------------------------------------------------- */

uint64_t write_tag(const struct call *c, const struct json *obj)
{
    const char *path = c->info->hooks->tag_path;
    struct str  value = path != NULL ? json_path_str(obj, path) : STR_NONE;

    return value.n > 0 ? tag_hash(value) : 0;
}

void write_put(struct store_txn *t, const struct draft *d)
{
    if (d->new_lease_ttl_ms > 0)
        store_txn_lease_grant(t, d->lease, d->new_lease_ttl_ms);
    store_txn_put(t, d->key, d->text, d->rev_at, write_tag(d->call, d->obj), d->lease);
}

void write_lease(struct draft *d)
{
    struct api *api = d->call->api;
    uint64_t    bucket = loop_now_ms(api->loop) / EVENT_BUCKET_MS;

    d->lease = d->new_lease_ttl_ms = 0;
    if (strcmp(d->kind.res->storage, "events") != 0)
        return;
    if (api->events.id != 0 && api->events.bucket == bucket && api->events.keys < EVENT_LEASE_KEYS) {
        api->events.keys++;
        d->lease = api->events.id;
        return;
    }
    /* A lease of its own, granted with the object; once that is done it serves those that come after. */
    d->lease = loop_random_u64(api->loop) >> 1 | 1;
    d->new_lease_ttl_ms = EVENT_TTL_MS + EVENT_BUCKET_MS;
}

void write_lease_granted(struct call *c, uint64_t id)
{
    struct api *api = c->api;

    api->events.id = id;
    api->events.bucket = loop_now_ms(api->loop) / EVENT_BUCKET_MS;
    api->events.keys = 1;
}

bool write_lease_lost(struct call *c, int err)
{
    if (strcmp(c->info->base->storage, "events") != 0 || (err != E_NOTFOUND && err != E_EXISTS))
        return false;
    c->api->events.id = 0;
    return ++c->tries < WRITE_TRIES_MAX;
}

bool write_again(struct call *c, struct str name)
{
    c->api->metrics.retries++;
    c->fresh = true;                             /* what beat us has been applied here */
    if (++c->tries < WRITE_TRIES_MAX)
        return custom_renew(c);
    call_conflict(c, name, NULL);
    return false;
}
