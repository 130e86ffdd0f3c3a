/* api/metrics.c: see api/metrics.h.  A scrape takes one sample of everything, then writes the
 * table's rows. */
#include "api/call.h"
#include "net/usage.h"

struct sample {
    struct api *api;
    struct store_stats store;
    struct raft_status raft;
    struct loop_stats loop;
    struct usage usage;
    uint64_t longest_ns, read_only, aborted, retries, too_old;
};

enum form { FORM_U64, FORM_U32, FORM_BOOL, FORM_NS, FORM_HISTOGRAM, FORM_EACH };

struct metric {
    const char *name, *type, *help;
    enum form form;
    size_t at;                                   /* in the sample */
    void (*each)(struct buf *out, const char *name, const struct sample *s);
};

/* ---- Writing values ------------------------------------------------------------------------------ */

void metrics_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_seconds(struct buf *out, uint64_t ns)
{
    buf_fmt(out, "%llu.%09llu", (unsigned long long)(ns / 1000000000u),
            (unsigned long long)(ns % 1000000000u));
}

static void write_histogram(struct buf *out, const char *name, const struct histogram *h)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        sum += h->n[i];
        buf_fmt(out, "%s_bucket{le=\"", name);
        if (i < HISTOGRAM_BUCKETS)
            buf_fmt(out, "%.9g", (double)histogram_bound_ns(i) / 1e9);
        else
            buf_z(out, "+Inf");
        buf_fmt(out, "\"} %llu\n", (unsigned long long)sum);
    }
    buf_fmt(out, "%s_sum ", name);
    metrics_seconds(out, h->sum_ns);
    buf_fmt(out, "\n%s_count %llu\n", name, (unsigned long long)sum);
}

static void write_one(struct buf *out, const struct metric *m, const struct sample *s)
{
    const char *at = (const char *)s + m->at;
    const struct histogram *h;
    uint64_t v = 0;
    unsigned u;

    if (m->form == FORM_HISTOGRAM) {
        memcpy(&h, at, sizeof h);
        write_histogram(out, m->name, h);
        return;
    }
    buf_fmt(out, "%s ", m->name);
    if (m->form == FORM_U32) {
        memcpy(&u, at, sizeof u);
        v = u;
    } else if (m->form == FORM_BOOL) {
        v = *(const bool *)at;
    } else {
        memcpy(&v, at, sizeof v);
    }
    if (m->form == FORM_NS)
        metrics_seconds(out, v);
    else
        buf_u64(out, v);
    buf_char(out, '\n');
}

/* ---- Rows with labels ---------------------------------------------------------------------------- */

static void each_number(struct buf *out, const char *name, const char *labels, uint64_t v)
{
    buf_fmt(out, "%s{%s} %llu\n", name, labels, (unsigned long long)v);
}

static void each_in_flight(struct buf *out, const char *name, const struct sample *s)
{
    each_number(out, name, "request_kind=\"mutating\"", s->api->metrics.mutating);
    each_number(out, name, "request_kind=\"readOnly\"", s->read_only);
}

static void each_peer(struct buf *out, const char *name, const struct sample *s,
                      uint64_t (*value)(const struct raft_member *m), bool leader_only)
{
    for (unsigned i = 0; i < s->raft.n_heads; i++) {
        const struct raft_member *m = &s->raft.head[i];
        if (m->id == s->raft.id || (leader_only && !s->raft.is_leader))
            continue;
        buf_fmt(out, "%s{peer=\"%llu\"} %llu\n", name, (unsigned long long)m->id,
                (unsigned long long)value(m));
    }
}

static uint64_t peer_lag(const struct raft_member *m) { return m->lag; }
static uint64_t peer_connected(const struct raft_member *m) { return m->connected; }

static void each_lag(struct buf *out, const char *name, const struct sample *s)
{
    each_peer(out, name, s, peer_lag, true);
}

static void each_connected(struct buf *out, const char *name, const struct sample *s)
{
    each_peer(out, name, s, peer_connected, false);
}

static void each_resource(struct buf *out, const char *name, const struct sample *s,
                          uint64_t (*value)(const struct sample *s, const struct resource *r))
{
    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct resource *r = &schema_resources[i];
        uint64_t v = value(s, r);
        if (v > 0)
            buf_fmt(out, "%s{group=\"%s\",version=\"%s\",resource=\"%s\",kind=\"%s\"} %llu\n", name,
                    r->kind->group, r->kind->version, r->plural, r->kind->kind, (unsigned long long)v);
    }
}

static uint64_t resource_watches(const struct sample *s, const struct resource *r)
{
    return s->api->info[r->index].watches;
}

static uint64_t resource_events(const struct sample *s, const struct resource *r)
{
    return s->api->info[r->index].watch_events;
}

static void each_watch(struct buf *out, const char *name, const struct sample *s)
{
    each_resource(out, name, s, resource_watches);
}

static void each_event(struct buf *out, const char *name, const struct sample *s)
{
    each_resource(out, name, s, resource_events);
}

/* Two look-ups in the tree each: what is stored is counted in its nodes. */
static void each_stored(struct buf *out, const char *name, const struct sample *s)
{
    struct arena a;

    arena_init(&a);
    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct resource *r = &schema_resources[i];
        struct str prefix = s->api->info[r->index].prefix;
        if (r->virtual_ || r->stored_as != NULL || prefix.n == 0)
            continue;
        buf_fmt(out, "%s{resource=\"%s%s%s\"} %llu\n", name, r->plural, r->kind->group[0] != '\0' ? "." : "",
                r->kind->group, (unsigned long long)store_count(store_live(s->api->store), prefix,
                                                                store_prefix_end(&a, prefix)));
    }
    arena_release(&a);
}

static void each_build(struct buf *out, const char *name, const struct sample *s)
{
    buf_fmt(out, "%s{git_version=\"%s\",platform=\"linux/amd64\"} 1\n", name, s->api->version);
}

/* ---- The table ----------------------------------------------------------------------------------- */

#define ROW(name, type, help, form, field) { name, type, help, form, offsetof(struct sample, field), NULL }
#define EACH(name, type, help, fn)         { name, type, help, FORM_EACH, 0, fn }
#define GAUGE(name, help, field)           ROW(name, "gauge", help, FORM_U64, field)
#define FLAG_(name, help, field)           ROW(name, "gauge", help, FORM_BOOL, field)
#define COUNTER(name, help, field)         ROW(name, "counter", help, FORM_U64, field)
#define HISTOGRAM(name, help, field)       ROW(name, "histogram", help, FORM_HISTOGRAM, field)

static const struct metric table[] = {
    EACH("apiserver_current_inflight_requests", "gauge", "Requests being answered, watches not counted.",
         each_in_flight),
    EACH("apiserver_longrunning_requests", "gauge", "Open watches, by resource.", each_watch),
    EACH("apiserver_watch_events_total", "counter", "Events sent to watches, by resource.", each_event),
    EACH("apiserver_storage_objects", "gauge", "Objects stored, by resource.", each_stored),
    EACH("kubernetes_build_info", "gauge", "The version of this head.", each_build),
    COUNTER("coracle_api_aborted_total", "Requests whose client went away before the answer.", aborted),
    COUNTER("coracle_api_write_retries_total", "Writes tried again after losing a race.", retries),
    COUNTER("coracle_api_watch_too_old_total", "Watches ended because history no longer reached back.",
            too_old),

    GAUGE("coracle_store_revision", "Newest applied revision.", store.rev),
    GAUGE("coracle_store_compact_revision", "States before it have been compacted away on request.",
          store.compacted),
    GAUGE("coracle_store_history_start_revision", "All events after it are kept here.", store.history_start),
    GAUGE("coracle_store_keys", "Keys stored.", store.keys),
    GAUGE("coracle_store_bytes", "Bytes of keys and values.", store.bytes),
    GAUGE("coracle_store_leases", "Leases.", store.leases),
    GAUGE("coracle_store_events", "Events kept for watches.", store.events),
    GAUGE("coracle_store_event_bytes", "Bytes of those events.", store.event_bytes),
    COUNTER("coracle_store_events_total", "Events that came to pass since the start.", store.events_ever),
    GAUGE("coracle_store_watches", "Open watches.", store.watches),
    GAUGE("coracle_store_slow_watches", "Watches that have events waiting.", store.slow_watches),
    GAUGE("coracle_store_pins", "Views pinned by readers.", store.pins),
    GAUGE("coracle_store_nodes", "Nodes of trees in memory.", store.nodes),
    GAUGE("coracle_store_dead_nodes", "Nodes of trees waiting to be freed.", store.dead_nodes),

    GAUGE("coracle_raft_term", "Current term.", raft.term),
    FLAG_("coracle_raft_is_leader", "1 on the leader.", raft.is_leader),
    GAUGE("coracle_raft_leader", "Number of the head that leads; 0: none known.", raft.leader),
    COUNTER("coracle_raft_leader_changes_total", "Changes of leader seen.", raft.leader_changes),
    GAUGE("coracle_raft_last_index", "Newest log index here.", raft.last),
    GAUGE("coracle_raft_commit_index", "Newest committed log index known here.", raft.commit),
    GAUGE("coracle_raft_applied_index", "Newest applied log index.", raft.applied),
    EACH("coracle_raft_peer_lag", "gauge", "Entries that a head lacks (on the leader only).", each_lag),
    EACH("coracle_raft_peer_connected", "gauge", "1: there is a connection to that head.", each_connected),
    COUNTER("coracle_raft_proposals_total", "Commands proposed here.", raft.proposals),
    COUNTER("coracle_raft_proposals_failed_total", "Proposals that failed.", raft.proposals_failed),
    GAUGE("coracle_raft_proposals_pending", "Proposals without outcome.", raft.pending),
    HISTOGRAM("coracle_raft_proposal_seconds", "From a proposal to its apply here.", raft.proposal_time),
    HISTOGRAM("coracle_raft_apply_seconds", "What one turn of the loop spent on applying.", raft.apply_time),
    COUNTER("coracle_raft_fsyncs_total", "Synchronous writes of the log.", raft.fsyncs),
    HISTOGRAM("coracle_raft_fsync_seconds", "One synchronous write of the log.", raft.fsync_time),
    ROW("coracle_raft_fsync_seconds_max", "gauge", "The longest of them.", FORM_NS, raft.fsync_ns_max),
    COUNTER("coracle_raft_written_bytes_total", "Bytes written to the log.", raft.bytes_written),
    GAUGE("coracle_raft_log_bytes", "Bytes of log entries in memory.", raft.log_bytes),
    GAUGE("coracle_raft_segments", "Files of the log.", raft.segments),
    GAUGE("coracle_raft_snapshot_index", "Log index of the newest snapshot.", raft.snapshot_index),
    GAUGE("coracle_raft_snapshot_bytes", "Size of the newest snapshot.", raft.snapshot_bytes),
    FLAG_("coracle_raft_snapshot_writing", "1 while one is written.", raft.snapshot_writing),
    FLAG_("coracle_raft_snapshot_receiving", "1 while one comes in.", raft.snapshot_receiving),
    ROW("coracle_raft_snapshots_sending", "gauge", "Snapshots on their way to heads that lag.", FORM_U32,
        raft.snapshots_sending),
    FLAG_("coracle_raft_disk_full", "1 while there is no room for more log.", raft.disk_full),
    FLAG_("coracle_raft_disk_failed", "1 when this head's disk has failed.", raft.disk_failed),

    HISTOGRAM("coracle_loop_turn_seconds", "Turns of the loop.", loop.turns),
    ROW("coracle_loop_longest_turn_seconds", "gauge", "The longest turn since the last scrape.", FORM_NS,
        longest_ns),
    GAUGE("coracle_loop_ready", "Items that wait for the next turn.", loop.ready),
    GAUGE("coracle_loop_timers", "Timers that run.", loop.timers),
    GAUGE("coracle_loop_open", "Open connections, files and child processes.", loop.open),

    GAUGE("process_resident_memory_bytes", "Resident memory size in bytes.", usage.rss_bytes),
    GAUGE("process_virtual_memory_bytes", "Virtual memory size in bytes.", usage.virtual_bytes),
    ROW("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", FORM_NS,
        usage.cpu_ns),
    GAUGE("process_open_fds", "Number of open file descriptors.", usage.open_fds),
    GAUGE("process_max_fds", "Maximum number of open file descriptors.", usage.max_fds),
    ROW("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.",
        FORM_U64, usage.start_s),
};

void metrics_write(struct buf *out, struct api *a)
{
    struct metrics *m = &a->metrics;
    struct sample s = { .api = a, .aborted = m->aborted, .retries = m->retries, .too_old = m->too_old,
                        .read_only = m->in_flight - m->watches - m->mutating };

    store_stats(a->store, &s.store);
    raft_status(store_raft(a->store), &s.raft);
    loop_stats(a->loop, &s.loop);
    usage_read(&s.usage);
    s.longest_ns = loop_longest_turn_ns(a->loop, true);
    if (s.usage.open_fds == 0)                   /* an older kernel: what we know of ourselves */
        s.usage.open_fds = s.loop.open;
    metrics_write_requests(out, m);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        metrics_head(out, table[i].name, table[i].type, table[i].help);
        if (table[i].form == FORM_EACH)
            table[i].each(out, table[i].name, &s);
        else
            write_one(out, &table[i], &s);
    }
}
