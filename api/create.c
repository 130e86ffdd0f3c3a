/* api/create.c: POST, and PUT of what may be created that way. */
#include "api/answer.h"
#include "api/apply.h"
#include "api/crd/pipeline.h"
#include "api/create.h"
#include "api/decode.h"
#include "api/meta.h"
#include "api/write.h"

static void create_try(struct call *c);

static bool check_place(struct call *c, const struct json *obj)
{
    if (!decode_check_namespace(c, obj) || !decode_check_name(c, obj))
        return false;
    if (json_path_str(obj, "metadata.resourceVersion").n > 0 && c->rq.verb == API_CREATE) {
        call_bad_request(c, "resourceVersion should not be set on objects to be created");
        return false;
    }
    return true;
}

/* ---- What the object needs and is not there -------------------------------------------------------- */

static void on_something_new(struct store_wait *w, int err)
{
    struct call *c = container_of(w, struct call, wait);

    c->waiting = false;
    if (err == 0 || err == E_TIMEOUT)
        create_try(c);
    else
        call_store_failed(c, err, true);
}

/* A new namespace's default account comes a moment after the namespace, and this head may be behind.  True:
 * the call waits. */
static bool wait_for_lacking(struct call *c, const struct kind_ctx *k)
{
    uint64_t now_ms = loop_now_ms(c->api->loop);

    if (!k->lacking)
        return false;
    if (!c->fresh) {
        call_when_fresh(c, create_try);
        return true;
    }
    if (c->give_up_ms == 0)
        c->give_up_ms = now_ms + k->lacking_ms;
    if (now_ms >= c->give_up_ms)
        return false;
    must(!c->waiting);
    c->waiting = true;
    c->wait.done = on_something_new;
    store_wait_revision(c->api->store, &c->wait, store_revision(c->api->store) + 1,
                        (unsigned)(c->give_up_ms - now_ms));
    return true;
}

/* ---- Building -------------------------------------------------------------------------------------- */

/* Body to complete, checked object.  False: answered, or the call waits. */
static bool create_build(struct call *c, struct draft *d)
{
    const struct kind_hooks  *h = c->info->hooks;
    const struct schema_type *type = c->info->base->kind->type;
    struct causes             causes;
    struct kind_ctx          *k = &d->kind;

    if (c->rq.name.n > 0)
        json_setz(c->arena, meta_of(c->arena, d->obj), "name", json_string_ref(c->arena, c->rq.name));
    if (c->info->base != c->res)
        kind_to_stored(c->info->hooks, c->res, d->obj, c->arena);
    causes_init(&causes, c->arena);
    k->creating = true;
    meta_prepare_create(k, d->obj);
    if (c->info->base->has_status && !h->status_on_create)
        json_delz(d->obj, "status");
    schema_default(type, d->obj, c->arena);
    if (h->default_ != NULL)
        h->default_(k, d->obj);
    if (!apply_asked(c))
        apply_note_update(c, NULL, d->obj);
    if (h->prepare_create != NULL)
        h->prepare_create(k, d->obj);
    if (c->info->base->has_status && c->custom == NULL && json_getz(d->obj, "status") == NULL)
        json_setz(c->arena, d->obj, "status", json_object(c->arena));
    meta_validate(k, h, d->obj, &causes);
    schema_validate(type, d->obj, NULL, &causes);
    if (h->validate != NULL && k->refused == 0)
        h->validate(k, d->obj, &causes);
    return !wait_for_lacking(c, k) && write_check(c, k, k->name, &causes);
}

struct created { struct str key, name; bool generated; uint64_t new_lease; };

static void on_created(struct call *c, void *arg, int err, const struct store_commit *commit)
{
    const struct created *done = arg;
    struct store_kv       kv;

    if (err != 0) {
        if (write_lease_lost(c, err))
            create_try(c);
        else
            call_store_failed(c, err, true);
        return;
    }
    if (commit->succeeded) {
        if (done->new_lease != 0)
            write_lease_granted(c, done->new_lease);
        call_respond_object(c, 201, commit->op[done->new_lease != 0].kv.value);
        return;
    }
    if (store_get(store_live(c->api->store), done->key, &kv) && !done->generated && c->rq.verb == API_CREATE)
        call_exists(c, done->name);
    else if (!write_again(c, done->name))
        return;
    else if (c->rq.verb != API_CREATE)
        /* created by somebody else meanwhile: then it is an update */
        call_update(c);
    else
        create_try(c);
}

static void create_commit(struct call *c, struct draft *d, uint64_t ns_rev, bool generated)
{
    const struct resource *namespaces = resource_find(STR(""), STR("v1"), STR("namespaces"));
    struct created        *done = arena_new(c->arena, struct created);
    struct store_txn       t;

    write_lease(d);
    done->key = d->key;
    done->name = d->kind.name;
    done->generated = generated;
    done->new_lease = d->new_lease_ttl_ms > 0 ? d->lease : 0;
    store_txn_init(&t);
    store_txn_if(&t, d->key, STORE_MOD, STORE_EQ, 0);
    if (ns_rev > 0)                              /* nothing slips into a namespace that ends meanwhile */
        store_txn_if(&t, call_key(c, namespaces, STR_NONE, c->rq.ns), STORE_MOD, STORE_EQ, ns_rev);
    custom_txn_if(&t, c);
    write_claims_if(&t, &d->kind);
    write_put(&t, d);
    write_claims_then(&t, &d->kind);
    call_commit(c, &t, done, on_created);
    store_txn_release(&t);
}

/* Everything but the commit. */
static void create_dry(struct call *c, struct draft *d)
{
    struct store_kv kv;
    struct blob    *b;

    if (store_get(store_live(c->api->store), d->key, &kv)) {
        call_exists(c, d->kind.name);
        return;
    }
    b = encode_fill(d->text, d->rev_at, 0);
    call_respond_object(c, 201, b);
    blob_unref(b);
}

static void create_try(struct call *c)
{
    struct draft d = { .call = c };
    uint64_t     ns_rev;
    bool         generated;

    if (!custom_may_create(c))
        return;
    d.obj = apply_asked(c) ? apply_make(c, NULL, NULL) : decode_body(c, c->res->kind);
    if (d.obj == NULL || !check_place(c, d.obj))
        return;
    generated = c->rq.name.n == 0 && json_path_str(d.obj, "metadata.name").n == 0;
    if (!write_namespace(c, c->rq.ns, json_path_str(d.obj, "metadata.name"), &ns_rev, create_try))
        return;
    call_kind_ctx(c, &d.kind, c->rq.ns, json_path_str(d.obj, "metadata.name"));
    if (!create_build(c, &d))
        return;
    d.key = call_key(c, c->info->base, c->rq.ns, d.kind.name);
    write_encode(&d);
    if (c->rq.opt.dry_run)
        create_dry(c, &d);
    else
        create_commit(c, &d, ns_rev, generated);
}

void create_from_update(struct call *c)
{
    create_try(c);
}

void call_create(struct call *c)
{
    if (c->rq.name.n > 0) {
        call_method_not_allowed(c);
        return;
    }
    if (c->rq.opt.dry_run)
        call_when_fresh(c, create_try);
    else
        create_try(c);
}
