/* api/deletion.c: see api/delete.h. */
#include "api/delete.h"
#include "api/decode.h"
#include "api/meta.h"
#include "api/pod_rules.h"
#include "api/time_fmt.h"

#define DEFAULT_POD_GRACE_S 30

/* ---- Options --------------------------------------------------------------------------------------- */

static bool set_propagation(struct call *c, struct str policy, struct deletion *o)
{
    o->orphan = str_is(policy, "Orphan");
    o->foreground = str_is(policy, "Foreground");
    o->background = str_is(policy, "Background");
    if (policy.n == 0 || o->orphan || o->foreground || o->background)
        return true;
    call_fail(c, 422, REASON_INVALID,
              "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"%.*s\": "
              "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"", STR_ARG(policy));
    return false;
}

static bool body_options(struct call *c, const struct json *body, struct deletion *o)
{
    const struct json *grace = json_getz(body, "gracePeriodSeconds"),
        *orphan = json_getz(body, "orphanDependents"),
                      *dry = json_getz(body, "dryRun");
    struct str policy = json_str(json_getz(body, "propagationPolicy"));

    if (grace != NULL && grace->type != JSON_NULL && !json_i64(grace, &o->grace_s)) {
        call_bad_request(c, "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: "
                            "gracePeriodSeconds must be an integer");
        return false;
    }
    if (o->grace_s < -1)
        o->grace_s = 1;
    if (json_is(orphan, JSON_BOOL) && policy.n == 0)
        policy = orphan->boolean ? STR("Orphan") : STR("Background");
    if (dry != NULL && dry->n > 0)
        c->rq.opt.dry_run = true;
    o->uid = json_path_str(body, "preconditions.uid");
    o->rv = json_path_str(body, "preconditions.resourceVersion");
    return policy.n == 0 || set_propagation(c, policy, o);
}

/* NULL: answered. */
static struct json *read_options(struct call *c)
{
    struct json *body = decode_plain(c);

    if (body == NULL || body->type == JSON_NULL || body->type == JSON_OBJECT)
        return body;
    call_bad_request(c, "the object provided is unrecognized (must be of type DeleteOptions): it is not an "
                        "object");
    return NULL;
}

bool deletion_options(struct call *c, const struct json *obj, struct deletion *ret)
{
    const struct request_options *q = &c->rq.opt;

    *ret = (struct deletion){ .grace_s = q->has_grace ? q->grace_s : -1 };
    if (q->has_orphan && !set_propagation(c, q->orphan ? STR("Orphan") : STR("Background"), ret))
        return false;
    if (q->propagation.n > 0 && !set_propagation(c, q->propagation, ret))
        return false;
    if (obj == NULL && str_trim(c->x->body).n > 0 && (obj = read_options(c)) == NULL)
        return false;
    return obj == NULL || body_options(c, obj, ret);
}

/* ---- Plan ------------------------------------------------------------------------------------------- */

int64_t pod_grace(struct kind_ctx *c, const struct json *pod, int64_t requested)
{
    (void)c;
    if (json_path_str(pod, "spec.nodeName").n == 0 || pod_has_ended(pod))
        return 0;
    if (requested >= 0)
        return requested;
    return json_path_i64(pod, "spec.terminationGracePeriodSeconds", DEFAULT_POD_GRACE_S);
}

static const char *precondition(struct draft *d, const struct deletion *o, const struct json *old)
{
    struct str uid = json_path_str(old, "metadata.uid"), rv = json_path_str(old, "metadata.resourceVersion");
    struct arena *a = d->kind.arena;

    if (o->uid.n > 0 && !str_eq(o->uid, uid))
        return arena_fmt(a, "Precondition failed: UID in precondition: %.*s, UID in object meta: %.*s",
                         STR_ARG(o->uid), STR_ARG(uid)).p;
    if (o->rv.n > 0 && !str_eq(o->rv, rv))
        return arena_fmt(a, "Precondition failed: ResourceVersion in precondition: %.*s, ResourceVersion in "
                            "object meta: %.*s",
                         STR_ARG(o->rv), STR_ARG(rv)).p;
    return NULL;
}

/* The finalizers by which the garbage collector learns what to do with dependents. */
static void set_gc_finalizers(struct draft *d, const struct deletion *o)
{
    if (!o->orphan && !o->foreground && !o->background)
        return;
    if (!o->orphan)
        meta_del_finalizer(d->obj, "orphan");
    if (!o->foreground)
        meta_del_finalizer(d->obj, "foregroundDeletion");
    if (o->orphan)
        meta_add_finalizer(d->kind.arena, d->obj, "orphan");
    if (o->foreground)
        meta_add_finalizer(d->kind.arena, d->obj, "foregroundDeletion");
}

static void mark(struct draft *d, int64_t at_s, int64_t grace_s, bool first)
{
    struct arena *a = d->kind.arena;
    struct json  *meta = meta_of(a, d->obj);
    int64_t       generation = json_i64_or(json_getz(meta, "generation"), 0);

    json_setz(a, meta, "deletionTimestamp", json_string_ref(a, time_text(a, at_s)));
    json_setz(a, meta, "deletionGracePeriodSeconds", json_int(a, grace_s));
    if (first && generation > 0)
        json_setz(a, meta, "generation", json_int(a, generation + 1));
}

static bool is_namespace(const struct draft *d)
{
    return strcmp(d->kind.res->plural, "namespaces") == 0;
}

static bool has_items(const struct json *obj, const char *path)
{
    const struct json *list = json_path(obj, path);

    return list != NULL && list->n > 0;
}

/* The grace that is left to the object: only ever made shorter. */
static bool mark_graceful(struct draft *d, const struct deletion *o, int64_t grace_s)
{
    int64_t  now_s = d->kind.wall_ns / 1000000000, due_s, was_s;
    uint32_t ns;

    if (!meta_deleting(d->obj)) {
        mark(d, now_s + grace_s, grace_s, true);
        return true;
    }
    was_s = json_path_i64(d->obj, "metadata.deletionGracePeriodSeconds", 0);
    if (o->grace_s < 0 || grace_s >= was_s ||
        !time_parse(json_path_str(d->obj, "metadata.deletionTimestamp"), &due_s, &ns))
        return false;
    mark(d, due_s - was_s + grace_s, grace_s, false);
    return true;
}

bool deletion_find(struct draft *d)
{
    struct store_kv kv;

    if (!store_get(store_live(d->call->api->store), d->key, &kv))
        return false;
    d->seen = kv.mod_rev;
    d->stored = kv.value;
    d->stored_lease = kv.lease;
    return true;
}

void deletion_admit(struct draft *d, void (*then)(struct admission *a))
{
    admit_begin(&d->admit, d->call, &d->kind, ADMIT_DELETE);
    d->admit.stored = d->stored;
    admit_decide(&d->admit, then);
}

enum deletion_step deletion_plan(struct draft *d, const struct deletion *o, const char **ret_why)
{
    const struct kind_hooks *h = d->call->info->hooks;
    struct json_error        why;
    bool    held, changed, deleting;
    int64_t grace_s;

    if (json_parse(d->kind.arena, blob_str(d->stored), &d->obj, &why) < 0)
        return DELETION_BROKEN;
    *ret_why = precondition(d, o, d->obj);
    if (*ret_why != NULL)
        return DELETION_CONFLICT;
    deleting = meta_deleting(d->obj);
    grace_s = h->grace != NULL ? h->grace(&d->kind, d->obj, o->grace_s) : 0;
    set_gc_finalizers(d, o);
    if (!deleting && h->prepare_delete != NULL)
        h->prepare_delete(&d->kind, d->obj);
    held = has_items(d->obj, "metadata.finalizers") ||
        (is_namespace(d) && has_items(d->obj, "spec.finalizers"));
    if (grace_s == 0 && !held) {
        write_encode(d);
        return DELETION_REMOVE;
    }
    if (grace_s > 0)
        changed = mark_graceful(d, o, grace_s);
    else if ((changed = !deleting || json_path_i64(d->obj, "metadata.deletionGracePeriodSeconds", 0) > 0))
        mark(d, d->kind.wall_ns / 1000000000, 0, !deleting);
    if (is_namespace(d))
        json_setz(d->kind.arena, json_make_path(d->kind.arena, d->obj, "status"), "phase",
                  json_string(d->kind.arena, STR("Terminating")));
    write_encode(d);
    return changed || !encode_equals(d->text, d->rev_at, d->seen, blob_str(d->stored)) ? DELETION_MARK
                                                                                       : DELETION_NOTHING;
}

void deletion_txn(struct store_txn *t, struct draft *d, enum deletion_step step)
{
    must(step == DELETION_MARK || step == DELETION_REMOVE);
    if (step == DELETION_REMOVE && d->call->info->hooks->on_delete != NULL)
        d->call->info->hooks->on_delete(&d->kind, d->obj);
    t->reserve = true;                           /* the mark of what is to go needs room, too */
    store_txn_if(t, d->key, STORE_MOD, STORE_EQ, d->seen);
    write_claims_if(t, &d->kind);
    if (step == DELETION_REMOVE)
        store_txn_delete(t, d->key, d->text, d->rev_at);
    else
        store_txn_put(t, d->key, d->text, d->rev_at, write_tag(d->call, d->obj), d->stored_lease);
    write_claims_then(t, &d->kind);
}
