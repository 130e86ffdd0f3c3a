/* api/metrics.c: see api/metrics.h. */
#include "api/metrics.h"

static const uint64_t bucket_us[METRICS_BUCKETS] =
    { 50, 100, 250, 500, 1000, 2500, 5000, 10000, 50000, 100000, 500000, 1000000 };

void metrics_count(struct metrics *m, enum api_verb verb, int code, uint64_t duration_ns)
{
    unsigned class_ = (unsigned)code / 100, b = 0;

    must((unsigned)verb < API_VERBS);
    m->requests[verb][class_ < 6 ? class_ : 5]++;
    m->duration_ns[verb] += duration_ns;
    while (b < METRICS_BUCKETS && duration_ns > bucket_us[b] * 1000)
        b++;
    m->duration[verb][b]++;
    if (code == 409)
        m->conflicts++;
}

static void help(struct buf *out, const char *name, const char *type, const char *text)
{
    buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, text, name, type);
}

static void gauge(struct buf *out, const char *name, const char *type, const char *text, double value)
{
    help(out, name, type, text);
    buf_fmt(out, "%s %.17g\n", name, value);
}

static void write_requests(struct buf *out, const struct metrics *m)
{
    help(out, "apiserver_request_total", "counter", "Requests answered, by verb and class of status code.");
    for (unsigned v = 0; v < API_VERBS; v++)
        for (unsigned c = 1; c < 6; c++)
            if (m->requests[v][c] > 0)
                buf_fmt(out, "apiserver_request_total{verb=\"%s\",code=\"%uxx\"} %llu\n",
                        request_verb_name((enum api_verb)v), c,
                        (unsigned long long)m->requests[v][c]);
}

static void write_durations(struct buf *out, const struct metrics *m)
{
    help(out, "apiserver_request_duration_seconds", "histogram",
         "Time from a complete request to its complete answer, by verb.");
    for (unsigned v = 0; v < API_VERBS; v++) {
        uint64_t    sum = 0;
        const char *verb = request_verb_name((enum api_verb)v);

        for (unsigned b = 0; b <= METRICS_BUCKETS; b++) {
            sum += m->duration[v][b];
            if (b < METRICS_BUCKETS)
                buf_fmt(out, "apiserver_request_duration_seconds_bucket{verb=\"%s\",le=\"%g\"} %llu\n", verb,
                        (double)bucket_us[b] / 1e6, (unsigned long long)sum);
        }
        buf_fmt(out, "apiserver_request_duration_seconds_bucket{verb=\"%s\",le=\"+Inf\"} %llu\n", verb,
                (unsigned long long)sum);
        buf_fmt(out, "apiserver_request_duration_seconds_sum{verb=\"%s\"} %.9f\n", verb,
                (double)m->duration_ns[v] / 1e9);
        buf_fmt(out, "apiserver_request_duration_seconds_count{verb=\"%s\"} %llu\n", verb,
                (unsigned long long)sum);
    }
}

static void write_store(struct buf *out, struct store *s)
{
    struct store_stats st;

    store_stats(s, &st);
    gauge(out, "coracle_store_revision", "gauge", "Newest applied revision.", (double)st.rev);
    gauge(out, "coracle_store_keys", "gauge", "Keys stored.", (double)st.keys);
    gauge(out, "coracle_store_bytes", "gauge", "Bytes of keys and values.", (double)st.bytes);
    gauge(out, "coracle_store_events", "gauge", "Events kept for watches.", (double)st.events);
    gauge(out, "coracle_store_event_bytes", "gauge", "Bytes of those events.", (double)st.event_bytes);
    gauge(out, "coracle_store_watches", "gauge", "Open watches.", (double)st.watches);
    gauge(out, "coracle_store_slow_watches", "gauge", "Watches that have events waiting.",
          (double)st.slow_watches);
    gauge(out, "coracle_store_pins", "gauge", "Views pinned by readers.", (double)st.pins);
    gauge(out, "coracle_store_leases", "gauge", "Leases.", (double)st.leases);
}

static void write_raft(struct buf *out, struct raft *r)
{
    struct raft_status st;

    raft_status(r, &st);
    gauge(out, "coracle_raft_term", "gauge", "Current term.", (double)st.term);
    gauge(out, "coracle_raft_is_leader", "gauge", "1 on the leader.", st.is_leader);
    gauge(out, "coracle_raft_commit_index", "gauge", "Newest committed log index known here.",
          (double)st.commit);
    gauge(out, "coracle_raft_applied_index", "gauge", "Newest applied log index.", (double)st.applied);
    gauge(out, "coracle_raft_snapshot_index", "gauge", "Log index of the newest snapshot.",
          (double)st.snapshot_index);
    gauge(out, "coracle_raft_disk_failed", "gauge", "1 when this head's disk has failed.", st.disk_failed);
    gauge(out, "coracle_raft_leader_changes_total", "counter", "Changes of leader seen.",
          (double)st.leader_changes);
    gauge(out, "coracle_raft_proposals_total", "counter", "Commands proposed here.", (double)st.proposals);
    gauge(out, "coracle_raft_proposals_failed_total", "counter", "Proposals that failed.",
          (double)st.proposals_failed);
    gauge(out, "coracle_raft_fsyncs_total", "counter", "Synchronous writes of the log.", (double)st.fsyncs);
    gauge(out, "coracle_raft_fsync_seconds_sum", "counter", "Time spent in them.",
          (double)st.fsync_ns_sum / 1e9);
    gauge(out, "coracle_raft_fsync_seconds_max", "gauge", "The longest of them.",
          (double)st.fsync_ns_max / 1e9);
    gauge(out, "coracle_raft_written_bytes_total", "counter", "Bytes written to the log.",
          (double)st.bytes_written);
}

void metrics_write(struct buf *out, const struct metrics *m, struct store *s)
{
    write_requests(out, m);
    write_durations(out, m);
    gauge(out, "apiserver_current_inflight_requests", "gauge",
          "Requests being answered, watches not counted.",
          (double)(m->in_flight - m->watches));
    gauge(out, "apiserver_longrunning_requests", "gauge", "Open watch requests.", (double)m->watches);
    gauge(out, "coracle_api_aborted_total", "counter", "Requests whose client went away before the answer.",
          (double)m->aborted);
    gauge(out, "coracle_api_write_retries_total", "counter", "Writes tried again after losing a race.",
          (double)m->retries);
    gauge(out, "coracle_api_watch_too_old_total", "counter",
          "Watches ended because history no longer reached back.", (double)m->too_old);
    write_store(out, s);
    write_raft(out, store_raft(s));
}
