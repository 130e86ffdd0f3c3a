/* api/modify.c: see api/modify.h. */
#include "api/modify.h"
#include "api/apply.h"
#include "api/crd/pipeline.h"
#include "api/create.h"
#include "api/managed_fields.h"
#include "api/meta.h"

static void modify_try(struct call *c);

static struct modify *modify_of(struct call *c)
{
    return c->state;
}

static struct json *parse_stored(struct call *c, struct str text)
{
    struct json_error why;
    struct json      *obj;

    if (json_parse(c->arena, text, &obj, &why) == 0)
        return obj;
    call_fail(c, 500, REASON_INTERNAL,
              "Internal error occurred: the stored object cannot be read (offset %zu: %s)", why.offset,
                  why.text);
    return NULL;
}

/* ---- Preconditions ------------------------------------------------------------------------------ */

/* The uid and resourceVersion that the client goes by.  False: answered, or waiting for a fresh view. */
static bool check_expected(struct call *c, struct modify *m, const struct json *old, struct json *obj)
{
    struct str uid = json_path_str(obj, "metadata.uid"), rv = json_path_str(obj, "metadata.resourceVersion");
    struct str old_uid = json_path_str(old, "metadata.uid"),
        old_rv = json_path_str(old, "metadata.resourceVersion");
    bool       stale = (uid.n > 0 && !str_eq(uid, old_uid)) ||
        (rv.n > 0 && !str_is(rv, "0") && !str_eq(rv, old_rv));

    if (stale && !c->fresh) {                    /* perhaps it is we who are behind */
        call_when_fresh(c, modify_try);
        return false;
    }
    if (uid.n > 0 && !str_eq(uid, old_uid)) {
        call_conflict(c, c->rq.name, arena_fmt(c->arena,
                                               "Precondition failed: UID in precondition: %.*s, UID in "
                                               "object meta: %.*s",
                                               STR_ARG(uid), STR_ARG(old_uid)).p);
        return false;
    }
    if (stale) {
        call_conflict(c, c->rq.name, NULL);
        return false;
    }
    if (rv.n == 0 && m->need_rv) {
        struct causes causes;
        struct at     at = AT_KEY(NULL, "metadata"), here = AT_KEY(&at, "resourceVersion");

        causes_init(&causes, c->arena);
        cause_add(&causes, CAUSE_INVALID, &here, "Invalid value: 0x0: must be specified for an update");
        call_invalid(c, c->info->base->kind, c->rq.name, &causes);
        return false;
    }
    return true;
}

/* ---- Parts -------------------------------------------------------------------------------------- */

/* Put back what this request may not touch. */
static void separate(struct call *c, enum modify_part part, const struct json *old, struct json **obj)
{
    const struct json *status = json_getz(old, "status");
    struct json       *whole, *meta;

    if (part == MODIFY_SPEC && c->info->base->has_status) {
        if (status != NULL)
            json_setz(c->arena, *obj, "status", json_copy(c->arena, status));
        else
            json_delz(*obj, "status");
    }
    if (part != MODIFY_STATUS)
        return;
    whole = json_copy(c->arena, old);
    status = json_getz(*obj, "status");
    if (status != NULL)
        json_setz(c->arena, whole, "status", json_copy(c->arena, status));
    else
        json_delz(whole, "status");
    meta = json_setz(c->arena, whole, "metadata", json_copy(c->arena, meta_of(c->arena, *obj)));
    json_delz(meta, "ownerReferences");
    json_delz(meta, "finalizers");
    if (json_path(old, "metadata.ownerReferences") != NULL)
        json_setz(c->arena, meta, "ownerReferences",
                  json_copy(c->arena, json_path(old, "metadata.ownerReferences")));
    if (json_path(old, "metadata.finalizers") != NULL)
        json_setz(c->arena, meta, "finalizers", json_copy(c->arena, json_path(old, "metadata.finalizers")));
    *obj = whole;
}

static bool is_not_metadata(const struct json *m)
{
    return !str_is(m->key, "metadata");
}

bool modify_equal_but_metadata(const struct json *x, const struct json *y)
{
    return json_equal_where(x, y, is_not_metadata);
}

static bool spec_changed(struct call *c, const struct json *old, const struct json *obj)
{
    if (!c->info->base->has_generation)
        return false;
    if (c->info->hooks->spec_changed != NULL)
        return c->info->hooks->spec_changed(old, obj);
    if (schema_field(c->info->base->kind->type, STR("spec")) == NULL)
        return !modify_equal_but_metadata(old, obj);
    return !json_equal(json_getz(old, "spec"), json_getz(obj, "spec"));
}

static void run_hooks(const struct kind_hooks *h, struct kind_ctx *k, enum modify_part part,
                      const struct json *old, struct json *obj)
{
    if (part == MODIFY_STATUS && h->prepare_status != NULL)
        h->prepare_status(k, old, obj);
    if (part != MODIFY_STATUS && h->prepare_update != NULL)
        h->prepare_update(k, old, obj);
}

static void run_checks(const struct kind_hooks *h, struct kind_ctx *k, enum modify_part part,
                       const struct json *old,
                       const struct json *obj, struct causes *causes)
{
    const struct schema_type *type = k->res->kind->type;

    meta_validate(k, h, obj, causes);
    meta_validate_update(k, old, obj, causes);
    schema_validate_over(type, old, obj, NULL, causes);
    if (part == MODIFY_STATUS) {
        if (h->validate_status != NULL)
            h->validate_status(k, old, obj, causes);
        return;
    }
    schema_validate_update(type, old, obj, NULL, causes);
    if (h->validate != NULL)
        h->validate(k, obj, causes);
    if (h->validate_update != NULL)
        h->validate_update(k, old, obj, causes);
}

/* The object as it is stored, with all that the request leaves out or may not touch. */
static void complete(struct call *c, struct modify *m, struct draft *d, const struct json *old)
{
    const struct kind_hooks *h = c->info->hooks;

    separate(c, m->part, old, &d->obj);
    schema_default(c->info->base->kind->type, d->obj, c->arena);
    if (h->default_ != NULL)
        h->default_(&d->kind, d->obj);
}

/* All but admission of the object itself, before its mutating plugins. */
static void modify_complete(struct call *c, struct modify *m, struct draft *d, const struct json *old)
{
    if (m->part == MODIFY_ALL)
        return;
    if (c->info->base != c->res)
        kind_to_stored(c->info->hooks, c->res, d->obj, c->arena);
    complete(c, m, d, old);
    if (!m->tracked)
        apply_note_update(c, old, d->obj);
}

/* Prepared and checked.  False: answered. */
static bool modify_prepare(struct call *c, struct modify *m, struct draft *d, const struct json *old)
{
    const struct kind_hooks *h = c->info->hooks;
    struct causes            causes;
    bool                     changed;

    /* our own small change of what was complete and checked already */
    if (m->part == MODIFY_ALL) {
        managed_keep(c->arena, old, d->obj);
        meta_prepare_update(&d->kind, old, d->obj, false);
        return true;
    }
    meta_prepare_update(&d->kind, old, d->obj, false);
    run_hooks(h, &d->kind, m->part, old, d->obj);
    changed = m->part != MODIFY_STATUS && spec_changed(c, old, d->obj);
    if (changed)
        meta_prepare_update(&d->kind, old, d->obj, true);
    causes_init(&causes, c->arena);
    if (d->kind.refused == 0)
        run_checks(h, &d->kind, m->part, old, d->obj, &causes);
    return write_check(d, &causes, modify_try);
}

/* ---- Storing ------------------------------------------------------------------------------------ */

static void answer(struct call *c, struct modify *m, struct blob *stored)
{
    if (m->answer != NULL)
        m->answer(c, m, stored);
    else
        call_respond_object(c, 200, stored);
}

static void on_modified(struct call *c, void *arg, int err, const struct store_commit *commit)
{
    struct modify *m = arg;

    if (err != 0 && write_lease_lost(c, err))
        modify_try(c);
    else if (err != 0)
        call_store_failed(c, err, true);
    else if (commit->succeeded) {
        if (m->new_lease != 0)
            write_lease_granted(c, m->new_lease);
        answer(c, m, commit->op[m->new_lease != 0].kv.value);
    } else if (write_again(c, c->rq.name)) {
        modify_try(c);
    }
}

/* The last finalizer of a deleted object went: so does the object. */
static bool goes_now(struct call *c, const struct json *old, const struct json *obj)
{
    const struct json *ns_finalizers = json_path(obj, "spec.finalizers");

    if (!meta_deleting(old) || !meta_may_go(obj))
        return false;
    return strcmp(c->info->base->plural, "namespaces") != 0 || ns_finalizers == NULL || ns_finalizers->n == 0;
}

/* reserve: it is being deleted, and this may be a step of that. */
static void modify_commit(struct call *c, struct modify *m, struct draft *d, bool goes, bool reserve)
{
    struct store_txn t;

    m->new_lease = 0;
    if (!goes) {
        write_lease(d);
        m->new_lease = d->new_lease_ttl_ms > 0 ? d->lease : 0;
    } else if (c->info->hooks->on_delete != NULL) {
        c->info->hooks->on_delete(&d->kind, d->obj);
    }
    store_txn_init(&t);
    t.reserve = reserve;
    store_txn_if(&t, d->key, STORE_MOD, STORE_EQ, d->seen);
    custom_txn_if(&t, c);
    write_claims_if(&t, &d->kind);
    if (goes)
        store_txn_delete(&t, d->key, d->text, d->rev_at);
    else
        write_put(&t, d);
    write_claims_then(&t, &d->kind);
    call_commit(c, &t, m, on_modified);
    store_txn_release(&t);
}

static void modify_finish(struct call *c, struct modify *m, struct draft *d, const struct json *old)
{
    bool         goes = goes_now(c, old, d->obj);
    struct blob *b;

    write_encode(d);
    if (c->rq.opt.dry_run) {
        b = encode_fill(d->text, d->rev_at, d->seen);
        answer(c, m, b);
        blob_unref(b);
    } else if (!goes && (encode_equals(d->text, d->rev_at, d->seen, blob_str(d->admit.stored)) ||
                         encode_alike(old, d->obj))) {
        b = blob_ref(d->admit.stored);           /* nothing changes: no new revision */
        answer(c, m, b);
        blob_unref(b);
    } else {
        modify_commit(c, m, d, goes, meta_deleting(old));
    }
}

static void absent(struct call *c, struct modify *m)
{
    if (!c->fresh)
        call_when_fresh(c, modify_try);
    else if (m->create)
        create_from_update(c);
    else
        call_not_found(c);
}

/* ---- Steps -------------------------------------------------------------------------------------- */

static void on_admitted(struct admission *a)
{
    struct draft *d = container_of(a, struct draft, admit);

    if (write_check(d, NULL, modify_try))
        modify_finish(d->call, modify_of(d->call), d, d->old);
}

static void on_mutated(struct admission *a)
{
    struct draft  *d = container_of(a, struct draft, admit);
    struct call   *c = d->call;
    struct modify *m = modify_of(c);

    if (!write_check(d, NULL, modify_try))
        return;
    if (m->merge == NULL) {
        d->obj = a->obj;
        if (a->changed)
            complete(c, m, d, d->old);
    } else {
        d->obj = m->merge(c, m, m->shown, a->obj);
        if (d->obj == NULL || !check_expected(c, m, d->old, d->obj))
            return;
        modify_complete(c, m, d, d->old);
    }
    if (modify_prepare(c, m, d, d->old)) {
        if (m->merge == NULL)
            a->obj = d->obj;
        admit_validate(a, on_admitted);
    }
}

/* What the plugins are told: the object, or what was sent to the subresource. */
static void modify_admit(struct call *c, struct modify *m, struct draft *d, struct json *asked)
{
    admit_begin(&d->admit, c, &d->kind, m->op);
    d->admit.stored = d->stored;
    if (m->merge == NULL) {
        d->obj = asked;
        modify_complete(c, m, d, d->old);
        asked = d->obj;
        d->admit.old = d->old;
    } else if (m->op == ADMIT_UPDATE) {
        d->admit.old = m->face != NULL ? m->face(c, m->shown) : m->shown;
    }
    d->admit.obj = asked;
    admit_mutate(&d->admit, on_mutated);
}

static void modify_try(struct call *c)
{
    struct modify  *m = modify_of(c);
    struct draft   *d = arena_new(c->arena, struct draft);
    struct store_kv kv;
    struct json    *asked;

    d->call = c;
    d->key = m->key;
    if (!store_get(store_live(c->api->store), m->key, &kv)) {
        absent(c, m);
        return;
    }
    d->old = m->shown = parse_stored(c, blob_str(kv.value));
    if (d->old == NULL)
        return;
    d->seen = kv.mod_rev;
    d->stored = kv.value;
    if (!custom_convertible(c, blob_str(kv.value)))
        return;
    if (c->custom != NULL && !custom_reads_plain(custom_of(c->res), blob_str(kv.value)))
        custom_from_stored(custom_of(c->res), d->old, c->arena);
    if (c->info->base != c->res) {
        m->shown = json_copy(c->arena, d->old);
        kind_from_stored(c->info->hooks, c->res, m->shown, c->arena);
    }
    asked = m->make(c, m, m->shown);
    if (asked == NULL || (m->merge == NULL && !check_expected(c, m, d->old, asked)))
        return;
    call_kind_ctx(c, &d->kind, c->rq.ns, c->rq.name);
    modify_admit(c, m, d, asked);
}

void modify_run(struct call *c, struct modify *m)
{
    c->state = m;
    if (m->op == 0)
        m->op = ADMIT_UPDATE;
    m->key = call_key(c, c->info->base, c->rq.ns, c->rq.name);
    if (c->rq.opt.dry_run)
        call_when_fresh(c, modify_try);
    else
        modify_try(c);
}
