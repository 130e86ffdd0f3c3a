/* store/etcd/etcd_lease.c: Lease: grant, revoke, keep-alive, time to live, list.  Ids are etcd's signed
 * numbers, seconds on the wire, milliseconds in the store. */
#include "store/etcd/etcd_impl.h"

/* ---- grant and revoke ----------------------------------------------------------------------------- */

static int64_t grant_ttl(const struct etcd_lease_grant *r)
{
    return MAX_OF(r->ttl, (int64_t)ETCD_MIN_TTL);
}

static void lease_granted(struct etcd_call *c)
{
    const struct etcd_lease_grant *r = c->request;

    etcd_reply(c, &etcd_reply_lease, &(struct etcd_reply){ .a = r->id, .b = grant_ttl(r) });
}

void etcd_lease_grant(struct etcd_call *c)
{
    struct etcd_lease_grant *r = c->request;
    struct store_txn t;

    if (r->ttl > ETCD_MAX_TTL) {
        etcd_fail(c, ETCD_LEASE_TTL);
        return;
    }
    if (store_space_short(c->e->store, 0)) {
        etcd_fail(c, ETCD_NO_SPACE);
        return;
    }
    while (r->id == 0)
        r->id = (int64_t)(loop_random_u64(c->e->loop) & INT64_MAX);
    store_txn_init(&t);
    store_txn_lease_grant(&t, (uint64_t)r->id, (uint64_t)grant_ttl(r) * 1000);
    etcd_commit(c, &t, lease_granted);
}

static void lease_revoked(struct etcd_call *c)
{
    if (c->commit.op[0].found)
        etcd_reply(c, &etcd_reply_header, &(struct etcd_reply){ .header = NULL });
    else
        etcd_fail(c, ETCD_LEASE_NOT_FOUND);
}

/* Does the Kubernetes API keep something on this lease? */
static bool lease_is_own(struct etcd *e, uint64_t id)
{
    struct buf key = BUF_INIT;
    bool own = store_lease_next_key(e->store, id, STR_NONE, &key) && key.p[0] != 'u';

    buf_release(&key);
    return own;
}

void etcd_lease_revoke(struct etcd_call *c)
{
    const struct etcd_lease_id *r = c->request;
    struct store_txn t;

    if (lease_is_own(c->e, (uint64_t)r->id)) {
        etcd_fail(c, ETCD_DENIED);
        return;
    }
    store_txn_init(&t);
    store_txn_lease_revoke(&t, (uint64_t)r->id);
    etcd_commit(c, &t, lease_revoked);
}

/* ---- asking --------------------------------------------------------------------------------------- */

static void ttl_keys(struct etcd_call *c, uint64_t id, struct pb_list *keys)
{
    struct buf at = BUF_INIT, found = BUF_INIT;
    uint32_t cap = 0;

    while (store_lease_next_key(c->e->store, id, buf_str(&at), &found)) {
        struct str *list = keys->at;
        if (keys->n == cap) {
            cap = cap > 0 ? cap * 2 : 16;
            list = arena_alloc(&c->arena, cap * sizeof *list);
            if (keys->n > 0)
                memcpy(list, keys->at, keys->n * sizeof *list);
            keys->at = list;
        }
        list[keys->n++] = arena_str(&c->arena, etcd_user_key(buf_str(&found)));
        buf_clear(&at);
        buf_str_add(&at, buf_str(&found));
        buf_char(&at, '\0');                     /* the next one is behind it */
        buf_clear(&found);
    }
    buf_release(&at);
    buf_release(&found);
}

static void lease_ttl(struct etcd_call *c)
{
    const struct etcd_lease_id *r = c->request;
    struct etcd_reply reply = { .a = r->id, .b = -1 };
    uint64_t granted, left;

    if (store_lease_get(c->e->store, (uint64_t)r->id, &granted, &left)) {
        reply.b = (int64_t)(left / 1000);
        reply.c = (int64_t)(granted / 1000);
        if (r->keys)
            ttl_keys(c, (uint64_t)r->id, &reply.list);
    }
    etcd_reply(c, &etcd_reply_ttl, &reply);
}

void etcd_lease_ttl(struct etcd_call *c)
{
    etcd_when_current(c, false, lease_ttl);
}

/* All leases, ETCD_RANGE_SLICE a turn. */
struct leases_job { struct etcd_call *c; struct ready_item again; uint64_t next; struct pb_list list; };

static void leases_run(struct ready_item *it)
{
    struct leases_job *j = container_of(it, struct leases_job, again);
    uint64_t id;

    for (unsigned i = 0; i < ETCD_RANGE_SLICE; i++) {
        struct etcd_number *at;
        if (!store_lease_next(j->c->e->store, j->next, &id)) {
            etcd_reply(j->c, &etcd_reply_leases, &(struct etcd_reply){ .list = j->list });
            return;
        }
        if (j->list.n == j->list.cap) {
            j->list.cap = j->list.cap > 0 ? j->list.cap * 2 : 64;
            j->list.at = mem_realloc(j->list.at, j->list.cap * sizeof *at);
        }
        at = j->list.at;
        at[j->list.n++] = (struct etcd_number){ (int64_t)id };
        j->next = id + 1;
    }
    ready_post(j->c->e->loop, &j->again);
}

static void leases_dropped(struct etcd_call *c)
{
    struct leases_job *j = c->job;

    ready_cancel(&j->again);
    mem_free(j->list.at);
}

static void leases_begin(struct etcd_call *c)
{
    leases_run(&((struct leases_job *)c->job)->again);
}

void etcd_lease_leases(struct etcd_call *c)
{
    struct leases_job *j = arena_new(&c->arena, struct leases_job);

    j->c = c;
    ready_init(&j->again, leases_run);
    c->job = j;
    c->dropped = leases_dropped;
    etcd_when_current(c, false, leases_begin);
}

/* ---- keeping alive -------------------------------------------------------------------------------- */

/* renewals of one stream under way; then its reading stops */
#define KEEP_MAX 1024

struct keep_stream { struct etcd_stream s; unsigned waiting; bool ended, paused; };
struct keep { struct keep_stream *ks; int64_t id; };

/* Freed once the call is over and no renewal is under way. */
static void keep_settle(struct keep_stream *ks)
{
    struct etcd *e = ks->s.e;

    if (ks->s.grpc.req != NULL || ks->waiting > 0)
        return;
    mem_free(ks);
    etcd_unpin(e);
}

static void keep_answer(struct keep_stream *ks, int64_t id, uint64_t ttl_ms)
{
    struct etcd *e = ks->s.e;
    struct etcd_header h;
    struct etcd_reply  r = { .header = &h, .a = id, .b = (int64_t)(ttl_ms / 1000) };

    etcd_header(e, store_revision(e->store), &h);
    buf_clear(&e->out);
    etcd_append(&e->out, &etcd_reply_lease, &r);
    grpc_add(&ks->s.grpc, buf_str(&e->out));
}

static void keep_on_kept(void *arg, int err, uint64_t ttl_ms)
{
    struct keep *k = arg;
    struct keep_stream *ks = k->ks;
    int64_t id = k->id;

    mem_free(k);
    ks->waiting--;
    if (ks->s.grpc.req != NULL && err != 0 && err != E_NOTFOUND)
        etcd_stream_finish(&ks->s, etcd_error_of(err));
    else if (ks->s.grpc.req != NULL)
        keep_answer(ks, id, err == 0 ? ttl_ms : 0);      /* 0: it is gone */
    if (ks->s.grpc.req != NULL && ks->ended && ks->waiting == 0)
        etcd_stream_finish(&ks->s, ETCD_OK);
    if (ks->s.grpc.req != NULL && ks->paused && ks->waiting < KEEP_MAX / 2) {
        ks->paused = false;
        http_req_resume(ks->s.grpc.req);
    }
    keep_settle(ks);
}

static void keep_stop(struct etcd_stream *s, enum etcd_error err)
{
    struct keep_stream *ks = container_of(s, struct keep_stream, s);

    etcd_stream_finish(s, err);
    keep_settle(ks);
}

static void keep_on_message(struct grpc_call *g, struct str message)
{
    struct keep_stream *ks = container_of(g, struct keep_stream, s.grpc);
    struct arena a = ARENA_INIT;
    struct etcd_lease_id r;
    struct keep *k;

    if (pb_decode(&a, &etcd_lease_id_msg, message, ETCD_MAX_ITEMS, &r) != 0) {
        keep_stop(&ks->s, ETCD_MALFORMED);
        return;
    }
    k = mem_new(struct keep);
    k->ks = ks;
    k->id = r.id;
    if (++ks->waiting >= KEEP_MAX && !ks->paused) {
        ks->paused = true;
        http_req_pause(g->req);
    }
    store_lease_keep_alive(ks->s.e->store, (uint64_t)r.id, keep_on_kept, k);
}

static void keep_on_end(struct grpc_call *g)
{
    struct keep_stream *ks = container_of(g, struct keep_stream, s.grpc);

    ks->ended = true;
    if (ks->waiting == 0)
        keep_stop(&ks->s, ETCD_OK);
}

static void keep_on_gone(struct grpc_call *g)
{
    struct keep_stream *ks = container_of(g, struct keep_stream, s.grpc);

    etcd_stream_close(&ks->s);
    keep_settle(ks);
}

static const struct grpc_events keep_events = { keep_on_message, keep_on_end, NULL, keep_on_gone };

void etcd_lease_keep_alive(struct etcd *e, struct http_req *req)
{
    struct keep_stream *ks = mem_new(struct keep_stream);

    ks->s.stop = keep_stop;
    if (!etcd_stream_open(e, &ks->s, req, &keep_events))
        mem_free(ks);
}
