/* api/delete.c: DELETE of one object. */
#include "api/delete.h"

static void delete_try(struct call *c);

static void answer_removed(struct call *c, struct blob *last)
{
    struct status s = { .code = 200 };
    struct json_error why;
    struct json  *obj;

    if (c->info->hooks->returns_deleted) {
        call_respond_object(c, 200, last);
        return;
    }
    s.details.name = c->rq.name;
    s.details.group = str_of(c->res->kind->group);
    s.details.kind = str_of(c->res->plural);
    if (json_parse(c->arena, blob_str(last), &obj, &why) == 0)
        s.details.uid = json_path_str(obj, "metadata.uid");
    call_respond_status(c, &s);
}

static void on_marked(struct call *c, void *arg, int err, const struct store_commit *commit)
{
    const enum deletion_step *step = arg;

    if (err != 0)
        call_store_failed(c, err, true);
    else if (!commit->succeeded) {
        if (write_again(c, c->rq.name))
            delete_try(c);
    } else if (*step == DELETION_REMOVE)
        answer_removed(c, commit->op[0].kv.value);
    else
        call_respond_object(c, 200, commit->op[0].kv.value);
}

static void delete_commit(struct call *c, struct draft *d, enum deletion_step step)
{
    enum deletion_step *done = arena_new(c->arena, enum deletion_step);
    struct store_txn    t;

    *done = step;
    store_txn_init(&t);
    deletion_txn(&t, d, step);
    call_commit(c, &t, done, on_marked);
    store_txn_release(&t);
}

static void delete_dry(struct call *c, struct draft *d, enum deletion_step step)
{
    struct blob *b = encode_fill(d->text, d->rev_at, d->seen);

    if (step == DELETION_REMOVE)
        answer_removed(c, b);
    else
        call_respond_object(c, 200, b);
    blob_unref(b);
}

static void on_admitted(struct admission *a)
{
    struct draft      *d = container_of(a, struct draft, admit);
    struct call       *c = d->call;
    const char        *why = NULL;
    enum deletion_step step;

    if (!write_check(d, NULL, delete_try))
        return;
    step = deletion_plan(d, c->state, &why);
    if (step == DELETION_BROKEN)
        call_fail(c, 500, REASON_INTERNAL, "Internal error occurred: the stored object cannot be read");
    else if (step == DELETION_CONFLICT && !c->fresh)
        call_when_fresh(c, delete_try);
    else if (step == DELETION_CONFLICT)
        call_conflict(c, c->rq.name, why);
    else if (step == DELETION_NOTHING)
        call_respond_object(c, 200, d->stored);
    else if (c->rq.opt.dry_run)
        delete_dry(c, d, step);
    else
        delete_commit(c, d, step);
}

static void delete_try(struct call *c)
{
    struct draft *d = arena_new(c->arena, struct draft);

    d->call = c;
    d->key = call_key(c, c->info->base, c->rq.ns, c->rq.name);
    call_kind_ctx(c, &d->kind, c->rq.ns, c->rq.name);
    if (deletion_find(d))
        deletion_admit(d, on_admitted);
    else if (!c->fresh)
        call_when_fresh(c, delete_try);
    else
        call_not_found(c);
}

void call_delete(struct call *c)
{
    struct deletion *o = arena_new(c->arena, struct deletion);

    if (!deletion_options(c, NULL, o))
        return;
    c->state = o;
    if (c->rq.opt.dry_run)
        call_when_fresh(c, delete_try);
    else
        delete_try(c);
}
