/* store/etcd/etcd_http.c: what etcd's port answers to plain HTTP: /health, /version, /metrics. */
#include <inttypes.h>
#include "store/etcd/etcd_impl.h"
#include "store/metrics.h"

static void respond(struct http_req *req, int status, const char *type, struct buf *body)
{
    http_respond(req, status, type, buf_to_blob(body), NULL, 0);
    buf_release(body);
}

static void respond_text(struct http_req *req, int status, const char *type, const char *text)
{
    struct buf b = BUF_INIT;

    buf_z(&b, text);
    respond(req, status, type, &b);
}

/* ---- health: can it be read linearizably? --------------------------------------------------------- */

struct health { struct etcd *e; struct http_req *req; struct raft_read read; };

static void health_answer(struct etcd *e, struct http_req *req, bool healthy)
{
    bool full = healthy && store_space_short(e->store, 0);

    respond_text(req, healthy && !full ? 200 : 503, "application/json",
                 full ? "{\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}"
                 : healthy ? "{\"health\":\"true\",\"reason\":\"\"}"
                 : "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}");
}

static void health_on_read(struct raft_read *read, int err)
{
    struct health *h = container_of(read, struct health, read);
    struct etcd *e = h->e;

    health_answer(e, h->req, err == 0);          /* without on_abort the request waits for its answer */
    mem_free(h);
    etcd_unpin(e);
}

static void serve_health(struct etcd *e, struct http_req *req)
{
    struct health *h;

    if (store_read_now(e->store) || !etcd_has_leader(e)) {
        health_answer(e, req, etcd_has_leader(e));
        return;
    }
    h = mem_new(struct health);
    h->e = e;
    h->req = req;
    h->read.done = health_on_read;
    qinit(&h->read.link);
    etcd_pin(e);
    store_read_barrier(e->store, &h->read);
}

static void serve_version(struct etcd *e, struct http_req *req)
{
    respond_text(req, 200, "application/json",
                 "{\"etcdserver\":\"" ETCD_VERSION "\",\"etcdcluster\":\"" ETCD_CLUSTER "\"}");
}

/* ---- metrics: the names that dashboards for etcd look for ------------------------------------------ */

struct facts { struct raft_status raft; struct store_stats store; const struct etcd *e; };

#define FACT(id, expression) static double fact_##id(const struct facts *f) { return (double)(expression); }
FACT(has_leader, f->raft.leader != 0)
FACT(is_leader, f->raft.is_leader)
FACT(leader_changes, f->raft.leader_changes)
FACT(committed, f->raft.commit)
FACT(applied, f->raft.applied)
FACT(failed, f->raft.proposals_failed)
FACT(fsyncs, f->raft.fsyncs)
FACT(fsync_seconds, f->raft.fsync_ns_sum / 1e9)
FACT(keys, f->store.keys)
FACT(bytes, f->store.bytes)
FACT(all_bytes, f->store.bytes + f->store.event_bytes)
FACT(revision, f->store.rev)
FACT(compacted, f->store.history_start)
FACT(watchers, f->e->n_watches)
FACT(slow, f->store.slow_watches)
FACT(streams, f->e->n_watch_streams)
FACT(events, f->e->events_sent)
FACT(leases, f->store.leases)
FACT(quota, f->store.quota)

static const struct { const char *name, *type; double (*value)(const struct facts *f); } metrics[] = {
    { "etcd_server_has_leader", "gauge", fact_has_leader },
    { "etcd_server_is_leader", "gauge", fact_is_leader },
    { "etcd_server_leader_changes_seen_total", "counter", fact_leader_changes },
    { "etcd_server_proposals_committed_total", "gauge", fact_committed },
    { "etcd_server_proposals_applied_total", "gauge", fact_applied },
    { "etcd_server_proposals_failed_total", "counter", fact_failed },
    { "etcd_server_quota_backend_bytes", "gauge", fact_quota },
    { "etcd_disk_wal_fsync_duration_seconds_count", "counter", fact_fsyncs },
    { "etcd_disk_wal_fsync_duration_seconds_sum", "counter", fact_fsync_seconds },
    { "etcd_mvcc_db_total_size_in_bytes", "gauge", fact_all_bytes },
    { "etcd_mvcc_db_total_size_in_use_in_bytes", "gauge", fact_bytes },
    { "etcd_debugging_mvcc_keys_total", "gauge", fact_keys },
    { "etcd_debugging_mvcc_current_revision", "gauge", fact_revision },
    { "etcd_debugging_mvcc_compact_revision", "gauge", fact_compacted },
    { "etcd_debugging_mvcc_watcher_total", "gauge", fact_watchers },
    { "etcd_debugging_mvcc_slow_watcher_total", "gauge", fact_slow },
    { "etcd_debugging_mvcc_watch_stream_total", "gauge", fact_streams },
    { "etcd_debugging_mvcc_events_total", "counter", fact_events },
    { "etcd_debugging_lease_total", "gauge", fact_leases },
};

static void serve_metrics(struct etcd *e, struct http_req *req)
{
    struct facts f = { .e = e };
    struct buf b = BUF_INIT;

    raft_status(store_raft(e->store), &f.raft);
    store_stats(e->store, &f.store);
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
        buf_fmt(&b, "# TYPE %s %s\n%s %.17g\n", metrics[i].name, metrics[i].type, metrics[i].name,
                metrics[i].value(&f));
    buf_z(&b, "# TYPE grpc_server_started_total counter\n");
    for (unsigned i = 0; i < etcd_n_methods; i++) {
        struct str path = str_from(str_of(etcd_methods[i].path), 1), service;
        str_split(&path, '/', &service);
        buf_fmt(&b, "grpc_server_started_total{grpc_service=\"%.*s\",grpc_method=\"%.*s\"} %" PRIu64 "\n",
                STR_ARG(service), STR_ARG(path), e->handled[i]);
    }
    store_metrics_write(&b, e->store);
    respond(req, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}

static const struct { const char *path; void (*serve)(struct etcd *e, struct http_req *req); } paths[] = {
    { "/health", serve_health }, { "/livez", serve_health }, { "/readyz", serve_health },
    { "/version", serve_version }, { "/metrics", serve_metrics },
};

void etcd_http(struct etcd *e, struct http_req *req)
{
    if (!str_is(req->method, "GET") && !str_is(req->method, "HEAD")) {
        respond_text(req, 405, "text/plain", "Method Not Allowed\n");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (str_is(req->path, paths[i].path)) {
            paths[i].serve(e, req);
            return;
        }
    respond_text(req, 404, "text/plain", "404 page not found\n");
}
