/* api/write.c: see api/write.h. */
#include "api/write.h"
#include "api/answer.h"
#include "api/crd/pipeline.h"
#include "api/json_scan.h"

#define EVENT_TTL_MS      (60ull * 60 * 1000)
#define EVENT_BUCKET_MS   (5ull * 60 * 1000)     /* events of this long share a lease */
#define EVENT_LEASE_KEYS  2048                   /* or this many: revoking a lease is one transaction */

static bool is_terminating(struct str ns_object)
{
    struct str raw;

    return json_scan_path(ns_object, "metadata.deletionTimestamp", &raw) && raw.n > 2;
}

bool write_namespace(struct call *c, struct str ns, struct str name, uint64_t *ret_rev,
                     void (*again)(struct call *c))
{
    const struct resource *r;
    struct store_kv        kv;
    struct status          s = { .code = 404, .reason = REASON_NOT_FOUND };

    *ret_rev = 0;
    if (!c->info->base->namespaced)
        return true;
    r = resource_find(STR(""), STR("v1"), STR("namespaces"));
    must(r != NULL);
    if (store_get(store_live(c->api->store), call_key(c, r, STR_NONE, ns), &kv)) {
        *ret_rev = kv.mod_rev;
        if (!is_terminating(blob_str(kv.value)))
            return true;
        call_terminating(c, name, ns);
        return false;
    }
    if (!c->fresh) {                             /* this head may just not know of it yet */
        call_when_fresh(c, again);
        return false;
    }
    s.details.name = ns;
    s.details.kind = STR("namespaces");
    s.message = arena_fmt(c->arena, "namespaces \"%.*s\" not found", STR_ARG(ns));
    call_respond_status(c, &s);
    return false;
}

bool write_check(struct call *c, const struct kind_ctx *k, struct str name, const struct causes *causes)
{
    if (k->refused != 0) {
        call_refused(c, k);
        return false;
    }
    if (causes->n > 0) {
        call_invalid(c, c->info->base->kind, name, causes);
        return false;
    }
    return true;
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
