/* test/store/etcd_rig.h: heads with etcd's face in the simulated world, and a gRPC client beside them. */
#ifndef TEST_STORE_ETCD_RIG_H
#define TEST_STORE_ETCD_RIG_H

#include "net/grpc.h"
#include "net/http_client.h"
#include "net/log.h"
#include "net/sim.h"
#include "store/etcd/etcd.h"
#include "store/etcd/etcd_messages.h"
#include "test/test.h"

#define MS 1000000ull
#define HEADS 3

struct rig;
struct head {
    struct rig *r;
    struct sim_machine *m;
    unsigned i;
    struct store *store;
    struct disk *disk;
    struct etcd *etcd;
    bool leading;
};
struct rig {
    struct sim *s;
    struct head head[HEADS];
    unsigned n;
    /* as beside a Kubernetes API; the simulator's peers are masters */
    bool mixed;
    uint64_t history_bytes, snapshot_bytes;
    enum store_compaction compaction; uint64_t retention;
    struct sim_machine *cm;
    struct http_client *client[HEADS];
};

static void rig_on_leading(void *arg, bool leader) { ((struct head *)arg)->leading = leader; }

static void in_open(void *arg)
{
    static const char *const peer_addr[HEADS] = { "h1:2380", "h2:2380", "h3:2380" };
    static const char *const addr[HEADS] = { "h1:2379", "h2:2379", "h3:2379" };
    struct head *h = arg;
    struct raft_peer_opts peer[HEADS];
    struct store_opts o = { .on_leading = rig_on_leading, .arg = h, .history_bytes = h->r->history_bytes,
                            .compaction = h->r->compaction, .retention = h->r->retention,
                            .history_ms = 3600000, .quota_bytes = 1 << 20 };
    struct errbuf err = { "" };

    for (unsigned i = 0; i < h->r->n; i++)
        peer[i] = (struct raft_peer_opts){ i + 1, peer_addr[i] };
    must_ok(disk_open(sim_machine_loop(h->m), "data", &h->disk, &err));
    o.raft = (struct raft_opts){ .loop = sim_machine_loop(h->m), .disk = h->disk, .id = h->i + 1,
                                 .cluster = 7,
                                 .heads = peer, .n_heads = h->r->n, .listen_addr = peer_addr[h->i],
                                 .snapshot_bytes = h->r->snapshot_bytes };
    must_ok(store_open(&o, &h->store, &err));
    struct etcd_opts eo = { .loop = o.raft.loop, .store = h->store, .cluster = 7, .member = h->i + 1,
                            .addrs = { addr[h->i] }, .n_addrs = 1, .store_only = !h->r->mixed,
                            .progress_ms = 1000 };
    must_ok(etcd_open(&eo, &h->etcd, &err));
}

static void in_client(void *arg)
{
    static const char *const addr[HEADS] = { "h1:2379", "h2:2379", "h3:2379" };
    struct rig *r = arg;
    struct errbuf err = { "" };

    for (unsigned i = 0; i < r->n; i++) {
        struct http_client_opts o = { .addrs = &addr[i], .n_addrs = 1, .http2 = true };
        must_ok(http_client_new(sim_machine_loop(r->cm), &o, &r->client[i], &err));
    }
}

static inline struct head *rig_leader(struct rig *r)
{
    for (unsigned i = 0; i < r->n; i++)
        if (r->head[i].leading)
            return &r->head[i];
    return NULL;
}

static inline void rig_open(struct rig *r, unsigned n)
{
    static const char *const name[HEADS] = { "h1", "h2", "h3" };

    log_level = LOG_NONE;
    r->s = sim_new(n);
    r->n = n;
    r->cm = sim_machine_new(r->s, "c");
    for (unsigned i = 0; i < n; i++)
        r->head[i] = (struct head){ .r = r, .i = i, .m = sim_machine_new(r->s, name[i]) };
    for (unsigned i = 0; i < n; i++)
        sim_do(r->head[i].m, in_open, &r->head[i]);
    sim_do(r->cm, in_client, r);
    sim_run_for(r->s, 1500 * MS);
    must(rig_leader(r) != NULL);
}

static void on_store_closed(void *arg)
{
    struct head *h = arg;

    disk_close(h->disk);
    h->store = NULL;
}

static void on_etcd_closed(void *arg)
{
    struct head *h = arg;

    h->etcd = NULL;
    store_close(h->store, on_store_closed, h);
}

static void in_close(void *arg) { etcd_close(((struct head *)arg)->etcd, on_etcd_closed, arg); }
static void in_client_close(void *arg)
{
    struct rig *r = arg;

    for (unsigned i = 0; i < r->n; i++)
        http_client_free(r->client[i]);
}

/* Streams may be open: they end, everything is given back. */
static inline void rig_close(struct rig *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        sim_do(r->head[i].m, in_close, &r->head[i]);
        sim_run_for(r->s, 12000 * MS);
        CHECK(r->head[i].store == NULL);
    }
    sim_do(r->cm, in_client_close, r);
    sim_run_for(r->s, 1000 * MS);
    sim_free(r->s);
}

/* ---- commits, without etcd ------------------------------------------------------------------------- */

struct write { struct store_commit commit; struct store_txn txn; struct store *store; bool done; int err; };

static inline void on_written(struct store_commit *c, int err)
{
    struct write *w = container_of(c, struct write, commit);

    w->done = true;
    w->err = err;
}

static inline void in_commit(void *arg)
{
    struct write *w = arg;

    w->commit.done = on_written;
    store_commit(w->store, &w->commit, &w->txn);
}

/* Decided on that head, and what follows it by itself; t is released. */
static inline int commit(struct rig *r, unsigned head, struct store_txn *t)
{
    struct write *w = mem_new(struct write);
    int err;

    w->txn = *t;
    w->store = r->head[head].store;
    sim_do(r->head[head].m, in_commit, w);
    for (int i = 0; i < 200 && !w->done; i++)
        sim_run_for(r->s, 10 * MS);
    CHECK(w->done);
    err = w->err;
    store_txn_release(t);
    mem_free(w);
    sim_run_for(r->s, 100 * MS);                 /* alarms are raised and cleared behind it */
    return err;
}

/* ---- calls ------------------------------------------------------------------------------------------ */

struct rpc {
    struct rig *r;
    unsigned head;                               /* which client */
    const char *path;
    struct buf request;                          /* a gRPC message, with its head */
    bool streamed;
    struct http_call *call;
    bool done;
    int  err, code;                              /* code: grpc-status; -1: none */
    char message[200];
    struct buf reply;                            /* all that came */
    size_t cancel_after;
};

/* What the test keeps is not the machine's memory. */
static void rpc_keep(struct rpc *p, const void *from, size_t n)
{
    struct mem_domain *was = mem_domain_enter(NULL);

    buf_add(&p->reply, from, n);
    mem_domain_enter(was);
}

static void rpc_finish(struct rpc *p, struct http_call *c, int err)
{
    uint64_t code;
    struct str text = http_call_trailer(c, "grpc-message");

    p->done = true;
    p->err = err;
    p->call = NULL;
    p->code = str_u64(http_call_trailer(c, "grpc-status"), &code) ? (int)code : -1;
    snprintf(p->message, sizeof p->message, "%.*s", STR_ARG(text));
}

static void rpc_on_done(void *arg, struct http_call *c, int err, const char *reason, int status,
                        struct str body)
{
    struct rpc *p = arg;

    if (!p->streamed)
        rpc_keep(p, body.p, body.n);
    rpc_finish(p, c, err);
}

static void rpc_on_head(void *arg, struct http_call *c, int status, const struct http_header *h, size_t n)
{
    CHECK_INT(status, 200);
}

static void rpc_on_data(void *arg, struct http_call *c, const char *p, size_t n)
{
    rpc_keep(arg, p, n);
}

static void in_rpc(void *arg)
{
    static const struct http_header headers[] = { { STR("content-type"), STR("application/grpc") },
                                                  { STR("te"), STR("trailers") } };
    struct rpc *p = arg;
    struct blob *body = p->streamed ? NULL : blob_copy(buf_str(&p->request));
    struct http_call_opts o = { .method = "POST", .target = str_of(p->path), .headers = headers,
                                .n_headers = 2,
                                .body = body, .streamed = p->streamed, .body_follows = p->streamed,
                                .on_head = p->streamed ? rpc_on_head : NULL,
                                .on_data = p->streamed ? rpc_on_data : NULL, .on_done = rpc_on_done, .arg =
                                    p };
    struct errbuf err = { "" };

    must_ok(http_call(p->r->client[p->head], &o, &p->call, &err));
    blob_unref(body);
    if (p->streamed && p->request.n > 0)
        http_call_send(p->call, blob_copy(buf_str(&p->request)), 0, p->request.n);
    buf_clear(&p->request);
}

static inline void in_rpc_send(void *arg)
{
    struct rpc *p = arg;

    http_call_send(p->call, blob_copy(buf_str(&p->request)), 0, p->request.n);
    buf_clear(&p->request);
}

static inline void in_rpc_cancel(void *arg)
{
    struct rpc *p = arg;

    http_call_cancel(p->call);
    p->call = NULL;
}

static inline void rpc_add(struct rpc *p, const struct pb_message *m, const void *request)
{
    grpc_head(&p->request, pb_size(m, request));
    pb_encode(&p->request, m, request);
}

/* A unary call, waited for; the answer's message, valid until rpc_release(). */
static inline struct str rpc_do(struct rpc *p, struct rig *r, const char *path, const struct pb_message *m,
                                const void *request)
{
    *p = (struct rpc){ .r = r, .head = p->head, .path = path, .request = BUF_INIT, .reply = BUF_INIT };
    rpc_add(p, m, request);
    sim_do(r->cm, in_rpc, p);
    for (int i = 0; i < 200 && !p->done; i++)
        sim_run_for(r->s, 50 * MS);
    CHECK(p->done);
    CHECK_INT(p->err, 0);
    return p->reply.n >= GRPC_HEAD ? str_from(buf_str(&p->reply), GRPC_HEAD) : STR_NONE;
}

static inline void rpc_release(struct rpc *p)
{
    buf_release(&p->request);
    buf_release(&p->reply);
}

/* ---- reading answers -------------------------------------------------------------------------------- */

/* The n-th (from 0) occurrence of a field; false: there is none. */
static inline bool field_at(struct str message, uint32_t number, unsigned n, struct pb_item *ret)
{
    while (message.n > 0) {
        must(pb_next(&message, ret) == NULL);
        if (ret->number == number && n-- == 0)
            return true;
    }
    return false;
}

static inline uint64_t int_of(struct str message, uint32_t number)
{
    struct pb_item it;

    return field_at(message, number, 0, &it) ? it.value : 0;
}

static inline struct str bytes_of(struct str message, uint32_t number)
{
    struct pb_item it;

    return field_at(message, number, 0, &it) ? it.bytes : STR_NONE;
}

static inline struct str nth_of(struct str message, uint32_t number, unsigned n)
{
    struct pb_item it;

    return field_at(message, number, n, &it) ? it.bytes : STR_NONE;
}

static inline unsigned count_of(struct str message, uint32_t number)
{
    struct pb_item it;
    unsigned n = 0;

    while (field_at(message, number, n, &it))
        n++;
    return n;
}

/* Cut the next message off what a stream has brought; false: there is none. */
static inline bool stream_next(struct rpc *p, size_t *at, struct str *ret)
{
    const unsigned char *q = (const unsigned char *)p->reply.p + *at;
    size_t n;

    if (p->reply.n < *at + GRPC_HEAD)
        return false;
    n = (size_t)q[1] << 24 | (size_t)q[2] << 16 | (size_t)q[3] << 8 | q[4];
    if (p->reply.n < *at + GRPC_HEAD + n)
        return false;
    *ret = str_make(p->reply.p + *at + GRPC_HEAD, n);
    *at += GRPC_HEAD + n;
    return true;
}

#endif
