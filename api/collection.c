/* api/collection.c: deletecollection: every object that a list would show, each deleted in a transaction
 * of its own.
 *
 * (One transaction for many would give their events one revision, and a watch that breaks in between could
 * not resume.) The list is walked at one revision; up to IN_FLIGHT deletions are under way at a time.  The
 * answer is the list of what was deleted, or, when that would be large, a Status. */
#include "api/answer.h"
#include "api/delete.h"
#include "api/filter.h"
#include "api/shape.h"

#define IN_FLIGHT        32
#define KEYS_PER_TURN    1024
#define ANSWER_BYTES_MAX (4u << 20)

struct item {
    struct qlink link;
    struct call *call;
    char *key, *name;
    unsigned tries;
    struct draft d;
    struct arena arena;                          /* of the draft */
};

struct collection {
    struct filter filter;
    struct deletion deletion;
    struct store_view *view;
    struct store_cursor cursor;
    struct str prefix;
    struct qlink items;                          /* under way */
    unsigned in_flight;
    uint64_t taken;
    bool end;
    int err;                                     /* of the first that failed */
    const struct kind_ctx *refused;              /* the first that may not go; NULL: none */
    struct arena refusal;                        /* ... and what it is told in */
    struct buf answer;
    bool too_long;
    struct ready_item again;
    struct call *call;
};

static void item_try(struct item *it);
static void collection_go(struct call *c);

static void item_free(struct collection *k, struct item *it)
{
    qdel(&it->link);
    must(k->in_flight > 0);
    k->in_flight--;
    admit_release(&it->d.admit);
    arena_release(&it->arena);
    mem_free(it->key);
    mem_free(it->name);
    mem_free(it);
}

static void collection_cancel(struct call *c)
{
    struct collection *k = c->state;

    while (!qempty(&k->items))
        item_free(k, container_of(qfirst(&k->items), struct item, link));
    ready_cancel(&k->again);
    if (k->view != NULL)
        store_unpin(k->view);
    buf_release(&k->answer);
    arena_release(&k->refusal);
}

/* ---- One object ------------------------------------------------------------------------------------ */

static void item_done(struct item *it)
{
    struct call       *c = it->call;
    struct collection *k = c->state;

    item_free(k, it);
    ready_post(c->api->loop, &k->again);
}

static void on_committed(struct call *c, void *arg, int err, const struct store_commit *commit)
{
    struct item       *it = arg;
    struct collection *k = c->state;

    if (err == 0 && !commit->succeeded && ++it->tries < WRITE_TRIES_MAX) {
        item_try(it);
        return;
    }
    if (err != 0 && k->err == 0)
        k->err = err;
    item_done(it);
}

static void item_commit(struct item *it, enum deletion_step step)
{
    struct store_txn t;

    store_txn_init(&t);
    deletion_txn(&t, &it->d, step);
    call_commit(it->call, &t, it, on_committed);
    store_txn_release(&t);
}

/* The first refusal is the answer: what it is told in must outlive the item. */
static void item_refused(struct item *it)
{
    struct collection *k = it->call->state;

    if (k->refused == NULL) {
        struct kind_ctx *kind = arena_new(it->call->arena, struct kind_ctx);

        *kind = it->d.kind;
        kind->name = arena_str(it->call->arena, kind->name);
        k->refused = kind;
        k->refusal = it->arena;
        arena_init(&it->arena);
    }
    item_done(it);
}

static void on_admitted(struct admission *a)
{
    struct item       *it = container_of(a, struct item, d.admit);
    struct collection *k = it->call->state;
    const char        *why;
    enum deletion_step step;

    if (a->k->refused != 0) {
        item_refused(it);
        return;
    }
    step = deletion_plan(&it->d, &k->deletion, &why);
    if ((step == DELETION_MARK || step == DELETION_REMOVE) && !it->call->rq.opt.dry_run)
        item_commit(it, step);
    else
        item_done(it);
}

/* From what is stored now; what is gone or going already is fine. */
static void item_try(struct item *it)
{
    struct call *c = it->call;

    admit_release(&it->d.admit);
    arena_reset(&it->arena);
    it->d = (struct draft){ .call = c, .key = str_of(it->key) };
    call_kind_ctx(c, &it->d.kind, c->rq.ns, str_of(it->name));
    it->d.kind.arena = &it->arena;
    if (deletion_find(&it->d))
        deletion_admit(&it->d, on_admitted);
    else
        item_done(it);
}

/* ---- All of them ----------------------------------------------------------------------------------- */

static void answer_add(struct call *c, struct collection *k, struct str stored)
{
    if (k->too_long)
        return;
    shape_list_item(&k->answer, c, stored, k->taken == 0);
    k->too_long = k->answer.n > ANSWER_BYTES_MAX;
}

static void item_start(struct call *c, const struct store_kv *kv)
{
    struct collection *k = c->state;
    struct item       *it = mem_new(struct item);
    struct str         rest = str_from(kv->key, k->prefix.n), part, name = rest;

    while (str_split(&rest, '/', &part))
        name = part;
    answer_add(c, k, blob_str(kv->value));
    k->taken++;
    it->call = c;
    it->key = mem_strndup(kv->key);
    it->name = mem_strndup(name);
    qpush(&k->items, &it->link);
    k->in_flight++;
    item_try(it);
}

static void finish(struct call *c)
{
    struct collection *k = c->state;
    struct status      s = { .code = 200 };
    struct shape_list  form;
    struct buf         b = BUF_INIT;
    struct blob       *body;

    if (k->err != 0) {
        call_store_failed(c, k->err, true);
        return;
    }
    if (k->refused != NULL) {
        call_refused(c, k->refused);
        return;
    }
    if (k->too_long) {
        s.details.group = str_of(c->res->kind->group);
        s.details.kind = str_of(c->res->plural);
        call_respond_status(c, &s);
        return;
    }
    form.metadata = arena_fmt(c->arena, "\"resourceVersion\":\"%llu\"",
                              (unsigned long long)store_view_revision(k->view));
    form.items = k->taken;
    form.bytes = k->answer.n;
    shape_list_open(&b, c, &form);
    buf_str_add(&b, buf_str(&k->answer));
    shape_list_close(&b, c, &form);
    body = buf_to_blob(&b);
    buf_release(&b);
    call_respond(c, 200, shape_list_sized(c) ? accept_content_type(&c->out) : "application/json", body);
}

static bool page_full(const struct call *c, const struct collection *k)
{
    return c->rq.opt.limit > 0 && k->taken >= c->rq.opt.limit;
}

static bool failed(const struct collection *k)
{
    return k->err != 0 || k->refused != NULL;
}

static void collection_go(struct call *c)
{
    struct collection *k = c->state;
    struct store_kv    kv;
    unsigned           budget = KEYS_PER_TURN;

    while (!k->end && !failed(k) && k->in_flight < IN_FLIGHT && budget-- > 0) {
        if (page_full(c, k) || !store_next(&k->cursor, &kv))
            k->end = true;
        else if (filter_matches(&k->filter, blob_str(kv.value)))
            item_start(c, &kv);
    }
    if (k->in_flight == 0 && (k->end || failed(k)))
        finish(c);
    else if (k->in_flight == 0)
        ready_post(c->api->loop, &k->again);
}

static void on_again(struct ready_item *it)
{
    collection_go(container_of(it, struct collection, again)->call);
}

static void open_now(struct call *c)
{
    struct collection *k = c->state;

    k->view = store_pin(c->api->store);
    c->cancel = collection_cancel;
    k->prefix = call_prefix(c, k->filter.ns);
    store_seek(&k->cursor, k->view, k->prefix, store_prefix_end(c->arena, k->prefix));
    collection_go(c);
}

void call_delete_collection(struct call *c)
{
    struct collection *k = arena_new(c->arena, struct collection);

    k->call = c;
    qinit(&k->items);
    ready_init(&k->again, on_again);
    if (!filter_parse(c, &k->filter) || !deletion_options(c, NULL, &k->deletion))
        return;
    c->state = k;
    call_when_fresh(c, open_now);
}
