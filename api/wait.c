/* api/wait.c: what a call waits for: a linearizable view, a revision, a commit. */
#include "api/answer.h"

#define REVISION_WAIT_MS 3000                    /* as the original waits for its cache */

static void on_read(struct raft_read *req, int err)
{
    struct call *c = container_of(req, struct call, read);

    c->reading = false;
    if (err != 0) {
        call_store_failed(c, err, false);
        return;
    }
    c->fresh = true;
    c->then(c);
}

void call_when_fresh(struct call *c, void (*then)(struct call *c))
{
    if (c->fresh || store_read_now(c->api->store)) {
        c->fresh = true;
        then(c);
        return;
    }
    must(!c->reading);
    c->then = then;
    c->reading = true;
    c->read.done = on_read;
    store_read_barrier(c->api->store, &c->read);
}

/* ---- Ready --------------------------------------------------------------------------------------- */

static void on_mirror(struct mirror_wait *w, int err)
{
    struct call *c = container_of(w, struct call, until_ready);

    if (err == 0)
        c->then(c);
    else
        call_store_failed(c, err, false);
}

void call_wait_init(struct call *c)
{
    mirror_wait_init(&c->until_ready, on_mirror);
    qinit(&c->rewind.link);
}

void call_when_ready(struct call *c, void (*then)(struct call *c))
{
    c->then = then;
    if (mirror_ready(c->api->mirror))
        then(c);
    else
        mirror_wait(c->api->mirror, &c->until_ready);
}

/* ---- Revisions ----------------------------------------------------------------------------------- */

static void on_revision(struct store_wait *w, int err)
{
    struct call *c = container_of(w, struct call, wait);
    uint64_t     rev = w->rev;

    c->waiting = false;
    if (err == 0)
        c->then(c);
    else if (err == E_TIMEOUT)
        call_too_large_rv(c, rev);
    else
        call_store_failed(c, err, false);
}

void call_when_revision(struct call *c, uint64_t rev, void (*then)(struct call *c))
{
    if (store_revision(c->api->store) >= rev) {
        then(c);
        return;
    }
    must(!c->waiting);
    c->then = then;
    c->waiting = true;
    c->wait.done = on_revision;
    store_wait_revision(c->api->store, &c->wait, rev, REVISION_WAIT_MS);
}

static void on_rewound(struct store_rewind *w, int err)
{
    struct call *c = container_of(w, struct call, rewind);

    if (err == E_CLOSED)
        call_store_failed(c, err, false);
    else
        c->then(c);                              /* which finds out itself what cannot be */
}

void call_when_near(struct call *c, uint64_t rev, void (*then)(struct call *c))
{
    if (store_pin_is_near(c->api->store, rev)) {
        then(c);
        return;
    }
    c->then = then;
    c->rewind.done = on_rewound;
    store_rewind(c->api->store, &c->rewind, rev);
}

/* ---- Commits ------------------------------------------------------------------------------------- */

struct commit {
    struct store_commit commit;
    struct api *api;
    struct call *call;                           /* NULL: nobody waits any more */
    struct commit *next;                         /* of the call */
    void *arg;
    void (*done)(struct call *c, void *arg, int err, const struct store_commit *commit);
};

static void commit_unlink(struct commit *k)
{
    struct commit **at = &k->call->commits;

    while (*at != k) {
        must(*at != NULL);
        at = &(*at)->next;
    }
    *at = k->next;
}

static void on_commit(struct store_commit *sc, int err)
{
    struct commit *k = container_of(sc, struct commit, commit);
    struct api    *api = k->api;

    if (k->call != NULL) {
        commit_unlink(k);
        k->done(k->call, k->arg, err, sc);
    }
    mem_free(k);
    api_unpin(api);
}

void call_commit(struct call *c, const struct store_txn *t, void *arg,
                 void (*done)(struct call *c, void *arg, int err, const struct store_commit *commit))
{
    struct commit *k = mem_new(struct commit);

    k->commit.done = on_commit;
    k->commit.term = c->x->user != NULL ? c->x->user->lead_term : 0;
    k->api = c->api;
    k->call = c;
    k->arg = arg;
    k->done = done;
    k->next = c->commits;
    c->commits = k;
    api_pin(c->api);
    store_commit(c->api->store, &k->commit, t);
}

void call_forget_commits(struct call *c)
{
    for (struct commit *k = c->commits; k != NULL; k = k->next)
        k->call = NULL;
    c->commits = NULL;
}
