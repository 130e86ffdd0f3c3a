/* tools/bench_load.c: see tools/bench.h: the workers and when each sends.
 *
 * Closed loop: a worker sends its next request when the answer to the last has come.  Open loop: requests are
 * due at a steady rate whatever the server does; an idle worker takes the one that is due, and if none is
 * idle the first that becomes so takes it late.  Latency counts from when it was due, so waiting is not left
 * out. */
#include "tools/bench.h"
#include "tools/bench_grpc.h"

#define LOAD_OPENING    32                       /* handshakes at the same time */
/* before a lost connection is tried again, at the next server */
#define LOAD_AGAIN_MS   20
#define LOAD_BODY_KEEP  1024

static void worker_go(struct bench_worker *w);
static void worker_open(struct bench_worker *w);

/* ---- What comes next ---------------------------------------------------------------------------- */

static uint64_t random_below(struct bench *b, uint64_t n)
{
    b->rng ^= b->rng << 13;
    b->rng ^= b->rng >> 7;
    b->rng ^= b->rng << 17;
    return n > 0 ? b->rng % n : 0;
}

static void pick_lease(struct bench_worker *w)
{
    struct bench *b = w->b;
    uint64_t n = (uint64_t)b->cfg.objects;

    w->op = w->stale ? OP_LEASE_GET : OP_LEASE;
    if (w->stale)
        return;                                  /* the same lease again */
    if (w->next_lease >= n)
        w->next_lease = w->number % n;
    w->key = w->next_lease;
    w->next_lease += b->load.n;
}

static void pick_pod(struct bench_worker *w, enum bench_op op)
{
    w->op = op;
    w->key = random_below(w->b, (uint64_t)w->b->cfg.objects);
    if (op == OP_UPDATE)
        w->seq = w->b->next_seq++;
}

static void pick_create(struct bench_worker *w)
{
    w->op = OP_CREATE;
    w->key = w->b->next_key++;
}

static void pick_mixed(struct bench_worker *w)
{
    uint64_t r = random_below(w->b, 100);

    if (r < 60)
        pick_pod(w, OP_GET);
    else if (r < 80)
        pick_pod(w, OP_UPDATE);
    else if (r < 90)
        pick_lease(w);
    else
        pick_create(w);
}

static void pick_fill(struct bench_worker *w)
{
    struct bench *b = w->b;

    if (b->work->etcd) {
        w->op = OP_ETCD_PUT;
        w->key = b->next_key++;
        return;
    }
    if (b->work->fills_pods && b->next_key < (uint64_t)b->cfg.objects) {
        pick_create(w);
        return;
    }
    w->op = OP_LEASE_NEW;
    w->key = b->load.issued - (b->work->fills_pods ? (uint64_t)b->cfg.objects : 0);
}

static void pick(struct bench_worker *w)
{
    if (w->b->load.filling) {
        pick_fill(w);
        return;
    }
    if (w->b->load.cleaning) {
        w->op = OP_ETCD_CLEAN;
        return;
    }
    switch (w->b->cfg.work) {
    case WORK_GET:      pick_pod(w, OP_GET); break;
    case WORK_UPDATE:
    case WORK_WATCH:    pick_pod(w, OP_UPDATE); break;
    case WORK_LIST:     w->op = OP_LIST; break;
    case WORK_LEASE:    pick_lease(w); break;
    case WORK_MIXED:    pick_mixed(w); break;
    case WORK_ETCD_PUT:   pick_pod(w, OP_ETCD_PUT); break;
    case WORK_ETCD_RANGE: pick_pod(w, OP_ETCD_RANGE); break;
    case WORK_ETCD_TXN:   pick_pod(w, OP_ETCD_TXN); break;
    default:            pick_create(w); break;
    }
}

static enum bench_metric metric_of(enum bench_op op)
{
    switch (op) {
    case OP_GET:    return METRIC_GET;
    case OP_CREATE: return METRIC_CREATE;
    case OP_UPDATE: return METRIC_UPDATE;
    case OP_LIST:   return METRIC_LIST;
    case OP_ETCD_PUT:   return METRIC_PUT;
    case OP_ETCD_RANGE: return METRIC_RANGE;
    case OP_ETCD_TXN:   return METRIC_TXN;
    default:        return METRIC_LEASE;
    }
}

/* ---- Sending ------------------------------------------------------------------------------------ */

static bool load_exhausted(const struct bench_load *l)
{
    return !l->running || (l->limit > 0 && l->issued >= l->limit);
}

static void load_check_done(struct bench *b)
{
    struct bench_load *l = &b->load;
    void (*done)(struct bench *) = l->done;

    if (done == NULL || !load_exhausted(l) || l->in_flight > 0 || l->parked > 0)
        return;
    l->running = false;
    l->done = NULL;
    timer_stop(&l->tick);
    done(b);
}

static void worker_send_op(struct bench_worker *w, uint64_t start_ns, uint64_t now_ns)
{
    struct bench *b = w->b;

    w->start_ns = start_ns;
    w->sent_ns = now_ns;
    w->measured = bench_measuring(b) && w->op != OP_DELETE && w->op != OP_LEASE_GET;
    buf_clear(&w->body);
    if (b->cfg.work == WORK_START) {
        w->parked = true;
        b->load.parked++;
    }
    if (b->watch.n > 0 && !b->load.filling && w->op != OP_DELETE)
        watch_sent(b, w->op == OP_UPDATE ? w->seq : w->key, now_ns);
    b->load.in_flight++;
    bench_conn_send(&w->conn, requests_make(b, w->op, w->key, w->seq));
}

static void worker_send(struct bench_worker *w, uint64_t start_ns, uint64_t now_ns)
{
    pick(w);
    w->b->load.issued++;
    worker_send_op(w, start_ns, now_ns);
}

static void load_arm_tick(struct bench *b, uint64_t now_ns)
{
    struct bench_load *l = &b->load;

    if (!timer_active(&l->tick) && !load_exhausted(l))
        timer_start_ns(&l->tick, l->due_ns > now_ns ? l->due_ns - now_ns : 0);
}

static void worker_rest(struct bench_worker *w)
{
    if (qempty(&w->idle))
        qpush(&w->b->load.idle, &w->idle);
}

/* The worker's connection is free: send what is due, or rest. */
static void worker_go(struct bench_worker *w)
{
    struct bench *b = w->b;
    struct bench_load *l = &b->load;
    uint64_t now;

    if (!w->conn.open || w->conn.closing || w->conn.in_flight || w->parked)
        return;
    if (load_exhausted(l)) {
        worker_rest(w);
        load_check_done(b);
        return;
    }
    now = loop_hires_ns(b->loop);
    if (l->period_ns == 0) {
        worker_send(w, now, now);
    } else if (l->due_ns <= now) {
        uint64_t due = l->due_ns;
        l->due_ns += l->period_ns;
        worker_send(w, due, now);
    } else {
        worker_rest(w);
        load_arm_tick(b, now);
    }
}

static void load_on_tick(struct timer *t)
{
    struct bench *b = container_of(t, struct bench, load.tick);
    struct bench_load *l = &b->load;
    uint64_t now = loop_hires_ns(b->loop);

    while (l->due_ns <= now && !qempty(&l->idle) && !load_exhausted(l))
        worker_go(container_of(qpop(&l->idle), struct bench_worker, idle));
    if (!qempty(&l->idle))
        load_arm_tick(b, now);
}

/* ---- Answers ------------------------------------------------------------------------------------ */

static void worker_on_body(void *arg, const char *p, size_t n)
{
    struct bench_worker *w = arg;

    w->b->res.bytes += n;
    if (w->body.n < LOAD_BODY_KEEP && (w->conn.status >= 300 || (w->op >= OP_LEASE && w->op <= OP_LEASE_GET)))
        buf_add(&w->body, p, MIN_OF(n, LOAD_BODY_KEEP - w->body.n));
}

static void worker_note_lease(struct bench_worker *w, bool ok)
{
    static const char mark[] = "\"resourceVersion\":\"";
    struct str body = buf_str(&w->body), rv;
    const char *at = memmem(body.p, body.n, mark, sizeof mark - 1);

    w->stale = true;
    if (!ok || at == NULL)
        return;
    rv = str_from(body, (size_t)(at - body.p) + sizeof mark - 1);
    ptrdiff_t end = str_find(rv, '"');
    w->stale = end < 0 || !str_u64(str_upto(rv, (size_t)end), &w->b->lease_rv[w->key]);
}

/* Create, run, delete, gone: the worker's pods go through these one at a time. */
static void worker_next_in_life(struct bench_worker *w)
{
    uint64_t now = loop_hires_ns(w->b->loop);

    if (!w->conn.open || w->conn.closing || w->conn.in_flight || w->parked)
        return;
    if (w->op == OP_CREATE) {
        w->op = OP_DELETE;
        worker_send_op(w, now, now);
    } else {
        w->op = OP_GET;                          /* nothing under way */
        worker_go(w);
    }
}

static void worker_unpark(struct bench_worker *w)
{
    if (w->parked) {
        w->parked = false;
        w->b->load.parked--;
    }
}

static void worker_count(struct bench_worker *w, int status, uint64_t now)
{
    struct bench *b = w->b;
    bool ok = status >= 200 && status < 300;

    if (b->cfg.work == WORK_FAILOVER && ok && !b->load.filling)
        failover_acked(b, w->key, now);
    if (b->cfg.work == WORK_WATCH && ok && !b->load.filling)
        b->watch.expected += b->cfg.by_node ? 1 : b->watch.n;
    if (!w->measured)
        return;
    if (ok)
        results_add(&b->res, metric_of(w->op), now - w->start_ns, now);
    else
        results_error(&b->res, status, buf_str(&w->body), now);
}

static void worker_on_response(void *arg, int status)
{
    struct bench_worker *w = arg;
    struct bench *b = w->b;
    bool ok = status >= 200 && status < 300;

    must(b->load.in_flight > 0);
    b->load.in_flight--;
    worker_count(w, status, loop_hires_ns(b->loop));
    if (w->op == OP_LEASE || w->op == OP_LEASE_NEW || w->op == OP_LEASE_GET)
        worker_note_lease(w, ok);
    if (b->load.filling && !ok && status != 409) {
        bench_give_up(b, "cannot fill in objects: the server says %d: %.*s", status,
                      STR_ARG(buf_str(&w->body)));
        return;
    }
    if (b->cfg.work == WORK_START && !b->load.filling) {
        if (!ok)
            worker_unpark(w);                    /* there is nothing to wait for */
        worker_next_in_life(w);
    } else {
        worker_go(w);
    }
}

void load_unpark(struct bench *b, uint64_t key, enum bench_op op)
{
    for (unsigned i = 0; i < b->load.n; i++) {
        struct bench_worker *w = &b->load.worker[i];
        if (w->parked && w->key == key && w->op == op) {
            worker_unpark(w);
            worker_next_in_life(w);
            return;
        }
    }
}

/* ---- Connections -------------------------------------------------------------------------------- */

static void worker_on_open(void *arg)
{
    struct bench_worker *w = arg;
    struct bench_load *l = &w->b->load;

    if (!w->counted) {
        w->counted = true;
        l->open++;
        if (l->next_open < l->n)
            worker_open(&l->worker[l->next_open++]);
    }
    if (l->open == l->n && l->connected != NULL) {
        void (*connected)(struct bench *) = l->connected;
        l->connected = NULL;
        connected(w->b);
        return;
    }
    worker_go(w);
}

static void worker_on_close(void *arg, const char *reason)
{
    struct bench_worker *w = arg;
    struct bench *b = w->b;
    bool lost = w->conn.in_flight;

    qdel(&w->idle);
    if (lost) {
        b->load.in_flight--;
        if (w->measured)
            results_error(&b->res, w->timed_out ? -1 : 0, str_of(reason), loop_hires_ns(b->loop));
        worker_unpark(w);
        w->stale = true;
        w->conn.in_flight = false;
    }
    w->timed_out = false;
    if (b->load.closed)
        return;
    if (b->load.connected != NULL && ++b->load.failures > b->load.n * 10 + 50) {
        bench_give_up(b, "cannot connect to %s: %s", b->target[w->target].addr, reason);
        return;
    }
    w->target = (w->target + 1) % b->n_targets;
    timer_start(&w->again, LOAD_AGAIN_MS);
    load_check_done(b);
}

static void worker_open(struct bench_worker *w)
{
    struct errbuf err;

    if (bench_conn_open(&w->conn, w->b->loop, &w->b->target[w->target], &err) != 0)
        bench_give_up(w->b, "cannot connect to %s: %s", w->b->target[w->target].addr, err.s);
}

static void worker_on_again(struct timer *t)
{
    worker_open(container_of(t, struct bench_worker, again));
}

static int load_open_clients(struct bench *b, struct errbuf *err)
{
    struct bench_load *l = &b->load;
    unsigned each = (unsigned)b->cfg.http2, n = (l->n + each - 1) / each;
    int rc = 0;

    l->client = mem_zalloc(n * sizeof *l->client);
    for (; l->n_clients < n && rc == 0; l->n_clients += rc == 0) {
        const struct bench_target *t = &b->target[l->n_clients % b->n_targets];
        struct http_client_opts o = { .addrs = &t->addr, .n_addrs = 1, .tls_name = t->tls_name,
                                      .tls = t->tls != NULL ? b->tls_h2 : NULL, .http2 = true };
        rc = http_client_new(b->loop, &o, &l->client[l->n_clients], err);
    }
    for (unsigned i = 0; i < l->n && rc == 0; i++)
        l->worker[i].conn.h2 = l->client[i / each];
    return rc;
}

static void load_open_grpc(struct bench *b)
{
    struct bench_load *l = &b->load;
    unsigned each = (unsigned)b->cfg.http2;

    l->n_grpc = (l->n + each - 1) / each;
    l->grpc = mem_zalloc(l->n_grpc * sizeof *l->grpc);
    for (unsigned i = 0; i < l->n_grpc; i++)
        l->grpc[i] = bench_grpc_new(b->loop);
    for (unsigned i = 0; i < l->n; i++) {
        l->worker[i].conn.grpc = l->grpc[i / each];
        l->worker[i].target = i / each % b->n_targets;
    }
}

int load_connect(struct bench *b, void (*connected)(struct bench *b), struct errbuf *err)
{
    static const struct bench_conn_events events = { .on_open = worker_on_open, .on_body = worker_on_body,
        .on_response = worker_on_response, .on_close = worker_on_close };
    struct bench_load *l = &b->load;

    l->n = (unsigned)b->cfg.connections;
    l->worker = mem_zalloc(l->n * sizeof *l->worker);
    l->connected = connected;
    qinit(&l->idle);
    timer_init(&l->tick, b->loop, load_on_tick);
    for (unsigned i = 0; i < l->n; i++) {
        struct bench_worker *w = &l->worker[i];
        *w = (struct bench_worker){
            .b = b, .number = i, .target = i % b->n_targets, .next_lease = i, .op = OP_GET
        };
        bench_conn_init(&w->conn, &events, w);
        qinit(&w->idle);
        timer_init(&w->again, b->loop, worker_on_again);
    }
    int rc = 0;
    if (b->work->etcd)
        load_open_grpc(b);
    else if (b->cfg.http2 > 0)
        rc = load_open_clients(b, err);
    if (rc < 0)
        return rc;
    l->next_open = MIN_OF(l->n, LOAD_OPENING);
    for (unsigned i = 0; i < MIN_OF(l->n, LOAD_OPENING); i++)
        worker_open(&l->worker[i]);
    return 0;
}

/* ---- Stretches of load -------------------------------------------------------------------------- */

void load_start(struct bench *b, bool filling, uint64_t limit, uint64_t rate, void (*done)(struct bench *b))
{
    struct bench_load *l = &b->load;

    must(l->done == NULL && l->in_flight == 0);
    l->running = true;
    l->filling = filling;
    l->limit = limit;
    l->issued = 0;
    l->period_ns = rate > 0 ? 1000000000ull / rate : 0;
    l->due_ns = loop_hires_ns(b->loop);
    l->done = done;
    for (unsigned i = 0; i < l->n; i++) {
        qdel(&l->worker[i].idle);
        worker_go(&l->worker[i]);
    }
}

/* What was due and never sent waited at least until now: that counts, or a stall would look like silence. */
static void load_count_unsent(struct bench *b)
{
    struct bench_load *l = &b->load;
    uint64_t now = loop_hires_ns(b->loop);

    for (; l->period_ns > 0 && l->due_ns < now && bench_measuring(b); l->due_ns += l->period_ns)
        b->res.unsent++;
}

void load_stop(struct bench *b)
{
    if (b->load.running)
        load_count_unsent(b);
    b->load.running = false;
    load_check_done(b);
}

void load_expire(struct bench *b)
{
    uint64_t now = loop_hires_ns(b->loop), limit = b->cfg.timeout_ms * 1000000;

    for (unsigned i = 0; i < b->load.n; i++) {
        struct bench_worker *w = &b->load.worker[i];
        if (w->conn.in_flight && now - w->sent_ns > limit) {
            w->timed_out = true;
            bench_conn_close(&w->conn);
        }
    }
}

void load_close(struct bench *b)
{
    struct bench_load *l = &b->load;

    l->closed = true;
    l->running = false;
    l->done = NULL;
    timer_stop(&l->tick);
    for (unsigned i = 0; i < l->n; i++) {
        timer_stop(&l->worker[i].again);
        bench_conn_close(&l->worker[i].conn);
    }
    for (unsigned i = 0; i < l->n_clients; i++)
        http_client_free(l->client[i]);
    l->n_clients = 0;
    for (unsigned i = 0; i < l->n_grpc; i++)
        bench_grpc_shut(l->grpc[i]);
}

void load_release(struct bench *b)
{
    for (unsigned i = 0; i < b->load.n; i++) {
        bench_conn_release(&b->load.worker[i].conn);
        buf_release(&b->load.worker[i].body);
    }
    for (unsigned i = 0; i < b->load.n_grpc; i++)
        bench_grpc_free(b->load.grpc[i]);
    mem_free(b->load.worker);
    mem_free(b->load.client);
    mem_free(b->load.grpc);
}
