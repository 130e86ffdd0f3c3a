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

struct creation { struct draft d; bool generated; };

/* ---- Building -------------------------------------------------------------------------------------- */

/* Names, and what nobody has to say. */
static void complete(struct call *c, struct draft *d)
{
    const struct kind_hooks *h = c->info->hooks;

    meta_prepare_create(&d->kind, d->obj);
    if (c->info->base->has_status && !h->status_on_create)
        json_delz(d->obj, "status");
    schema_default(c->info->base->kind->type, d->obj, c->arena);
    if (h->default_ != NULL)
        h->default_(&d->kind, d->obj);
}

/* What is given to new objects, and all checks.  False: answered, or the call waits. */
static bool prepare(struct call *c, struct draft *d)
{
    const struct kind_hooks *h = c->info->hooks;
    struct kind_ctx         *k = &d->kind;
    struct causes            causes;

    causes_init(&causes, c->arena);
    if (h->prepare_create != NULL)
        h->prepare_create(k, d->obj);
    if (c->info->base->has_status && c->custom == NULL && json_getz(d->obj, "status") == NULL)
        json_setz(c->arena, d->obj, "status", json_object(c->arena));
    meta_validate(k, h, d->obj, &causes);
    schema_validate(c->info->base->kind->type, d->obj, NULL, &causes);
    if (h->validate != NULL && k->refused == 0)
        h->validate(k, d->obj, &causes);
    return write_check(d, &causes, create_try);
}

/* ---- Storing ----------------------------------------------------------------------------------------- */

static void on_created(struct call *c, void *arg, int err, const struct store_commit *commit)
{
    const struct creation *n = arg;
    const struct draft    *d = &n->d;
    struct store_kv        kv;
    bool                   leased = d->new_lease_ttl_ms > 0;

    if (err != 0) {
        if (write_lease_lost(c, err))
            create_try(c);
        else
            call_store_failed(c, err, true);
        return;
    }
    if (commit->succeeded) {
        if (leased)
            write_lease_granted(c, d->lease);
        call_respond_object(c, 201, commit->op[leased].kv.value);
        return;
    }
    if (store_get(store_live(c->api->store), d->key, &kv) && !n->generated && c->rq.verb == API_CREATE)
        call_exists(c, d->kind.name);
    else if (!write_again(c, d->kind.name))
        return;
    else if (c->rq.verb != API_CREATE)
        /* created by somebody else meanwhile: then it is an update */
        call_update(c);
    else
        create_try(c);
}

static void create_commit(struct call *c, struct creation *n)
{
    struct draft    *d = &n->d;
    struct store_txn t;

    write_lease(d);
    store_txn_init(&t);
    store_txn_if(&t, d->key, STORE_MOD, STORE_EQ, 0);
    custom_txn_if(&t, c);
    write_claims_if(&t, &d->kind);
    write_put(&t, d);
    write_claims_then(&t, &d->kind);
    call_commit(c, &t, n, on_created);
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

/* ---- Steps ------------------------------------------------------------------------------------------- */

static void on_admitted(struct admission *a)
{
    struct creation *n = container_of(a, struct creation, d.admit);
    struct draft    *d = &n->d;

    if (!write_check(d, NULL, create_try))
        return;
    d->key = call_key(d->call, d->call->info->base, d->call->rq.ns, d->kind.name);
    write_encode(d);
    if (d->call->rq.opt.dry_run)
        create_dry(d->call, d);
    else
        create_commit(d->call, n);
}

static void on_mutated(struct admission *a)
{
    struct draft *d = container_of(a, struct draft, admit);

    if (!write_check(d, NULL, create_try))
        return;
    d->obj = a->obj;
    if (a->changed)
        complete(d->call, d);
    if (prepare(d->call, d))
        admit_validate(a, on_admitted);
}

static void create_try(struct call *c)
{
    struct creation *n = arena_new(c->arena, struct creation);
    struct draft    *d = &n->d;

    if (!custom_may_create(c))
        return;
    d->call = c;
    d->obj = apply_asked(c) ? apply_make(c, NULL, NULL) : decode_body(c, c->res->kind);
    if (d->obj == NULL || !check_place(c, d->obj))
        return;
    n->generated = c->rq.name.n == 0 && json_path_str(d->obj, "metadata.name").n == 0;
    call_kind_ctx(c, &d->kind, c->rq.ns, json_path_str(d->obj, "metadata.name"));
    d->kind.creating = true;
    if (c->rq.name.n > 0)
        json_setz(c->arena, meta_of(c->arena, d->obj), "name", json_string_ref(c->arena, c->rq.name));
    if (c->info->base != c->res)
        kind_to_stored(c->info->hooks, c->res, d->obj, c->arena);
    complete(c, d);
    if (!apply_asked(c))
        apply_note_update(c, NULL, d->obj);
    admit_begin(&d->admit, c, &d->kind, ADMIT_CREATE);
    d->admit.obj = d->obj;
    d->admit.generated = n->generated;
    admit_mutate(&d->admit, on_mutated);
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
