/* api/heads.c: see api/heads.h.
 *
 *     JOINING --granted--> JOINED --lease lost--> JOINING          any --heads_leave()--> LEAVING --> freed
 *
 * The key is put together with its lease in one transaction.  A round of corrections looks at Endpoints and
 * slices once; what it finds wrong it writes, and whatever a write's answer is, the next round sees. */
#include "api/heads.h"
#include "api/bootstrap.h"
#include "api/answer.h"
#include "api/client.h"
#include "api/heads_objects.h"
#include "net/log.h"
#include <stdio.h>

#define PREFIX      "/coracle/heads/"
#define RETRY_MS    200
#define LEAVE_TRIES 5

struct heads {
    struct api *api;
    struct client *client;
    struct store_watch *watch;
    struct store_commit commit;                  /* joining, leaving */
    uint64_t lease;
    struct timer renew, correct;
    unsigned calls, tries;
    bool committing, renewing, joined, leaving;
    char key[48];
};

static void join(struct heads *h);
static void revoke(struct heads *h);

/* ---- Our own key ----------------------------------------------------------------------------------- */

static void maybe_free(struct heads *h)
{
    struct api *api = h->api;

    if (h->committing || h->renewing)
        return;
    timer_stop(&h->renew);
    mem_free(h);
    api_unpin(api);
}

static void on_joined(struct store_commit *c, int err)
{
    struct heads *h = container_of(c, struct heads, commit);

    h->committing = false;
    h->joined = err == 0;
    if (h->leaving) {
        revoke(h);
        return;
    }
    timer_start(&h->renew, err == 0 ? HEADS_RENEW_MS : RETRY_MS);
    if (err == 0)
        timer_start(&h->correct, 0);
}

static void join(struct heads *h)
{
    struct store_txn t;
    struct arena     a = ARENA_INIT;

    must(!h->committing && !h->leaving);
    h->lease = loop_random_u64(h->api->loop) >> 1 | 1;
    store_txn_init(&t);
    t.reserve = true;
    store_txn_lease_grant(&t, h->lease, HEADS_LIVE_MS);
    store_txn_put(&t, str_of(h->key), arena_fmt(&a, "%s:%u", h->api->advertise_host, h->api->advertise_port),
                  STORE_NO_REV, 0, h->lease);
    h->commit.done = on_joined;
    h->committing = true;
    store_commit(h->api->store, &h->commit, &t);
    store_txn_release(&t);
    arena_release(&a);
}

static void on_renewed(void *arg, int err, uint64_t ttl_ms)
{
    struct heads *h = arg;

    (void)ttl_ms;
    h->renewing = false;
    if (h->leaving) {
        maybe_free(h);
        return;
    }
    h->joined = err != E_NOTFOUND;
    timer_start(&h->renew, err == 0 ? HEADS_RENEW_MS : RETRY_MS);
    if (err == 0 && h->calls == 0)
        timer_start(&h->correct, 0);             /* somebody may have changed what we wrote */
}

static void on_renew(struct timer *t)
{
    struct heads *h = container_of(t, struct heads, renew);

    if (h->leaving) {
        revoke(h);
    } else if (!h->joined) {
        join(h);
    } else {
        h->renewing = true;
        store_lease_keep_alive(h->api->store, h->lease, on_renewed, h);
    }
}

static void on_revoked(struct store_commit *c, int err)
{
    struct heads *h = container_of(c, struct heads, commit);

    h->committing = false;
    if (err == E_NOLEADER && ++h->tries < LEAVE_TRIES)
        timer_start(&h->renew, RETRY_MS / 2);    /* leadership is being handed over */
    else
        maybe_free(h);
}

static void revoke(struct heads *h)
{
    struct store_txn t;

    store_txn_init(&t);
    store_txn_lease_revoke(&t, h->lease);
    h->commit.done = on_revoked;
    h->committing = true;
    store_commit(h->api->store, &h->commit, &t);
    store_txn_release(&t);
}

/* ---- Corrections ----------------------------------------------------------------------------------- */

static void on_written(void *arg, const struct client_result *r)
{
    struct heads *h = arg;

    h->calls--;
    /* Refused for what it is (a host name is no address): not again before the next renewal. */
    if (!r->ok && (r->err != 0 || r->status == 404 || r->status == 409 || r->status >= 500))
        timer_start(&h->correct, RETRY_MS);
}

static void send(struct heads *h, struct client_req *q)
{
    q->ns = STR("default");
    q->arg = h;
    h->calls++;
    if (client_send(h->client, q) == NULL) {
        h->calls--;
        timer_start(&h->correct, RETRY_MS);
    }
}

static void write_object(void *arg, const char *method, struct client_resource res, struct str name,
                         struct json *body)
{
    struct client_req q = { .method = method, .res = res, .name = name, .body = body, .done = on_written };

    send(arg, &q);
}

/* The live heads, as far as this head has applied; what follows a linearizable read is as new as that. */
static struct head_list live_heads(struct heads *h, struct arena *a)
{
    struct head_list    l = { 0 };
    struct store_cursor c;
    struct store_kv     kv;

    store_seek(&c, store_live(h->api->store), STR(PREFIX), store_prefix_end(a, STR(PREFIX)));
    while (store_next(&c, &kv))
        head_list_add(&l, arena_str(a, blob_str(kv.value)));
    return l;
}

static void on_endpoints(void *arg, const struct client_result *r)
{
    struct heads    *h = arg;
    struct head_list live;

    h->calls--;
    if (!r->ok && r->status != 404) {
        timer_start(&h->correct, RETRY_MS);
        return;
    }
    live = live_heads(h, r->arena);
    if (live.n > 0)
        head_endpoints_correct(r->arena, &live, r->ok ? r->obj : NULL, write_object, h);
}

static void on_slices(void *arg, const struct client_result *r)
{
    struct heads    *h = arg;
    struct head_list live;

    h->calls--;
    if (!r->ok) {
        timer_start(&h->correct, RETRY_MS);
        return;
    }
    live = live_heads(h, r->arena);
    if (live.n > 0)
        head_slices_correct(r->arena, &live, json_getz(r->obj, "items"), write_object, h);
}

static void on_correct(struct timer *t)
{
    struct heads *h = container_of(t, struct heads, correct);
    struct client_req endpoints = { .method = "GET", .res = CLIENT_ENDPOINTS, .name = STR("kubernetes"),
                                    .done = on_endpoints };
    struct client_req slices = { .method = "GET", .res = CLIENT_ENDPOINTSLICES, .done = on_slices,
                                 .query = STR("labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes") };

    if (h->calls > 0) {                          /* one round at a time */
        timer_start(t, RETRY_MS);
        return;
    }
    send(h, &endpoints);
    send(h, &slices);
}

/* ---- Watching the others --------------------------------------------------------------------------- */

static void open_watch(struct heads *h);

static void on_ready(void *arg, struct store_watch *w)
{
    struct heads       *h = arg;
    struct store_event *e;
    int                 rc;

    while ((rc = store_watch_next(w, &e)) == 0)
        if (!timer_active(&h->correct))
            timer_start(&h->correct, 0);
    if (rc == E_STALE) {
        store_watch_close(w);
        open_watch(h);
    }
}

static void open_watch(struct heads *h)
{
    struct store_watch_opts o = { .on_ready = on_ready, .arg = h, .from = STR(PREFIX),
                                  .after_rev = store_revision(h->api->store) };
    struct arena a = ARENA_INIT;

    o.to = store_prefix_end(&a, o.from);
    h->watch = NULL;
    int rc = store_watch_open(h->api->store, &o, &h->watch);
    must(rc == 0);                               /* from now on is never too old */
    arena_release(&a);
}

/* ---- Life ------------------------------------------------------------------------------------------ */

struct heads *heads_join(struct api *a)
{
    static const char *const groups[] = { GROUP_MASTERS, GROUP_AUTHENTICATED, NULL };
    struct raft_status       st;
    struct heads            *h;

    if (a->advertise_host == NULL)
        return NULL;
    raft_status(store_raft(a->store), &st);
    h = mem_new(struct heads);
    h->api = a;
    snprintf(h->key, sizeof(h->key), PREFIX "%llu", (unsigned long long)st.id);
    h->client = client_new_local(a, a->loop, USER_API, groups);
    timer_init(&h->renew, a->loop, on_renew);
    timer_init(&h->correct, a->loop, on_correct);
    open_watch(h);
    timer_start(&h->renew, 0);
    api_pin(a);
    return h;
}

void heads_leave(struct heads *h)
{
    if (h == NULL)
        return;
    must(!h->leaving);
    h->leaving = true;
    timer_stop(&h->correct);
    timer_stop(&h->renew);
    store_watch_close(h->watch);
    client_free(h->client);
    if (h->committing)
        return;                                  /* on_joined() goes on */
    if (h->joined)
        revoke(h);
    else
        maybe_free(h);
}
