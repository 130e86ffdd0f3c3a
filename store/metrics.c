/* store/metrics.c: see store/metrics.h. */
#include "net/prom.h"
#include "net/usage.h"
#include "store/alarm.h"
#include "store/metrics.h"
#include "store/store_impl.h"

struct sample {
    struct store *s;
    struct store_stats store;
    struct raft_status raft;
    struct loop_stats loop;
    struct usage usage;
    uint64_t disk_used;
};

/* ---- Rows with labels ---------------------------------------------------------------------------- */

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

static void each_lag(struct buf *out, const char *name, const void *sample)
{
    each_peer(out, name, sample, peer_lag, true);
}

static void each_connected(struct buf *out, const char *name, const void *sample)
{
    each_peer(out, name, sample, peer_connected, false);
}

/* Who this is: not a figure, but what figures are told apart by. */
static void each_info(struct buf *out, const char *name, const void *sample)
{
    const struct sample *s = sample;
    const char *called = "";                     /* until the log has said it */

    for (unsigned i = 0; i < s->raft.n_heads; i++)
        if (s->raft.head[i].id == s->raft.id)
            called = s->raft.head[i].name;
    buf_fmt(out, "%s{id=\"%llu\",", name, (unsigned long long)s->raft.id);
    prom_label(out, "name", str_of(called));
    buf_char(out, ',');
    prom_label(out, "version", str_of(s->s->version));
    buf_z(out, "} 1\n");
}

static void each_alarm(struct buf *out, const char *name, const void *sample)
{
    const struct sample *s = sample;
    struct store_cursor at;
    struct store_alarm a;

    for (store_alarm_seek(&at, s->s); store_alarm_next(&at, &a); )
        buf_fmt(out, "%s{member=\"%llu\",alarm=\"%s\",reason=\"%s\"} 1\n", name,
                (unsigned long long)a.member, store_alarm_name(a.type), store_alarm_reason(a.why));
}

/* ---- The table ----------------------------------------------------------------------------------- */

#define ROW(name, type, help, form, field) PROM_ROW(name, type, help, form, struct sample, field)
#define GAUGE(name, help, field)           ROW(name, "gauge", help, PROM_U64, field)
#define FLAG_(name, help, field)           ROW(name, "gauge", help, PROM_BOOL, field)
#define COUNTER(name, help, field)         ROW(name, "counter", help, PROM_U64, field)
#define HISTOGRAM(name, help, field)       ROW(name, "histogram", help, PROM_HISTOGRAM, field)
#define EACH(name, type, help, fn)         PROM_SERIES(name, type, help, fn)

static const struct prom_row table[] = {
    EACH("coracle_head_info", "gauge", "Which head this is, and of which version.", each_info),
    COUNTER("coracle_requests_total", "Requests answered, by the Kubernetes API or as etcd.", store.served),

    GAUGE("coracle_store_revision", "Newest applied revision.", store.rev),
    GAUGE("coracle_store_compact_revision", "States before it have been compacted away on request.",
          store.compacted),
    GAUGE("coracle_store_history_start_revision", "All events after it are kept here.", store.history_start),
    GAUGE("coracle_store_keys", "Keys stored.", store.keys),
    GAUGE("coracle_store_bytes", "Bytes of keys and values.", store.bytes),
    GAUGE("coracle_store_quota_bytes", "Bytes of keys and values above which nothing may grow.", store.quota),
    FLAG_("coracle_store_space_short", "1 while what grows is refused: an alarm is in force.",
          store.space_short),
    EACH("coracle_alarm", "gauge", "Alarms that are raised, by any head.", each_alarm),
    GAUGE("coracle_disk_free_bytes", "Free on the file system of the data directory; 0: not known.",
          store.disk_free),
    GAUGE("coracle_disk_used_bytes", "Files of log and snapshots.", disk_used),
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
    ROW("coracle_raft_fsync_seconds_max", "gauge", "The longest of them.", PROM_SECONDS, raft.fsync_ns_max),
    COUNTER("coracle_raft_written_bytes_total", "Bytes written to the log.", raft.bytes_written),
    GAUGE("coracle_raft_log_bytes", "Bytes of log entries in memory.", raft.log_bytes),
    GAUGE("coracle_raft_segments", "Files of the log.", raft.segments),
    GAUGE("coracle_raft_snapshot_index", "Log index of the newest snapshot.", raft.snapshot_index),
    GAUGE("coracle_raft_snapshot_bytes", "Size of the newest snapshot.", raft.snapshot_bytes),
    FLAG_("coracle_raft_snapshot_writing", "1 while one is written.", raft.snapshot_writing),
    FLAG_("coracle_raft_snapshot_receiving", "1 while one comes in.", raft.snapshot_receiving),
    ROW("coracle_raft_snapshots_sending", "gauge", "Snapshots on their way to heads that lag.", PROM_U32,
        raft.snapshots_sending),
    FLAG_("coracle_raft_disk_full", "1 while there is no room for more log.", raft.disk_full),
    FLAG_("coracle_raft_disk_failed", "1 when this head's disk has failed.", raft.disk_failed),

    HISTOGRAM("coracle_loop_turn_seconds", "Turns of the loop.", loop.turns),
    ROW("coracle_loop_longest_turn_seconds", "gauge", "The longest turn of the last one to two minutes.",
        PROM_SECONDS, loop.recent_ns),
    GAUGE("coracle_loop_ready", "Items that wait for the next turn.", loop.ready),
    GAUGE("coracle_loop_timers", "Timers that run.", loop.timers),
    GAUGE("coracle_loop_open", "Open connections, files and child processes.", loop.open),

    GAUGE("process_resident_memory_bytes", "Resident memory size in bytes.", usage.rss_bytes),
    GAUGE("process_virtual_memory_bytes", "Virtual memory size in bytes.", usage.virtual_bytes),
    ROW("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
        PROM_SECONDS, usage.cpu_ns),
    GAUGE("process_open_fds", "Number of open file descriptors.", usage.open_fds),
    GAUGE("process_max_fds", "Maximum number of open file descriptors.", usage.max_fds),
    ROW("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.",
        PROM_U64, usage.start_s),
};

void store_metrics_write(struct buf *out, struct store *s)
{
    struct sample now = { .s = s };

    store_stats(s, &now.store);
    raft_status(s->raft, &now.raft);
    now.disk_used = now.raft.segments * now.raft.segment_bytes + now.raft.snapshots_bytes;
    loop_stats(s->loop, &now.loop);
    usage_read(&now.usage);
    if (now.usage.open_fds == 0)                 /* an older kernel: what we know of ourselves */
        now.usage.open_fds = now.loop.open;
    prom_write(out, table, ARRAY_LEN(table), &now);
}
