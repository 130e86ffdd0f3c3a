/* tools/status.h: what `coracle status` knows of the heads, shared by its files: status.c asks them,
 * status_read.c makes figures of what they say, status_show.c shows those as a table, as lines or as JSON. */
#ifndef TOOLS_STATUS_H
#define TOOLS_STATUS_H

#include <stdio.h>
#include "net/blob.h"
#include "raft/raft.h"

#define STATUS_HEADS 32

/* What is read of a head's metrics: series of one name are added up. */
#define STATUS_SERIES(X) \
    X(TERM, "coracle_raft_term") X(IS_LEADER, "coracle_raft_is_leader") X(LEADER, "coracle_raft_leader") \
    X(COMMIT, "coracle_raft_commit_index") X(APPLIED, "coracle_raft_applied_index") \
    X(CHANGES, "coracle_raft_leader_changes_total") \
    X(REVISION, "coracle_store_revision") X(COMPACTED, "coracle_store_compact_revision") \
    X(KEYS, "coracle_store_keys") X(BYTES, "coracle_store_bytes") X(QUOTA, "coracle_store_quota_bytes") \
    X(HISTORY, "coracle_store_event_bytes") X(LEASES, "coracle_store_leases") \
    X(WATCHES, "coracle_store_watches") X(SLOW, "coracle_store_slow_watches") \
    X(EVENTS, "coracle_store_events_total") X(REQUESTS, "coracle_requests_total") \
    X(MEMORY, "process_resident_memory_bytes") X(CPU, "process_cpu_seconds_total") \
    X(STARTED, "process_start_time_seconds") X(SLICE, "coracle_loop_longest_turn_seconds") \
    X(FSYNC_N, "coracle_raft_fsync_seconds_count") X(FSYNC_S, "coracle_raft_fsync_seconds_sum") \
    X(USED, "coracle_disk_used_bytes") X(FREE, "coracle_disk_free_bytes") \
    X(DISK_FULL, "coracle_raft_disk_full") X(DISK_FAILED, "coracle_raft_disk_failed")

#define STATUS_ENUM(id, name) STATUS_##id,
enum status_series { STATUS_SERIES(STATUS_ENUM) STATUS_N_SERIES };
#undef STATUS_ENUM

struct status_sample {
    bool   there[STATUS_N_SERIES];
    double v[STATUS_N_SERIES];
    double at_s;                                 /* when it was asked for, monotonic */
    uint64_t id;                                 /* 0: not told */
    char   name[64], version[64];
    struct { uint64_t peer; double lag; } lag[RAFT_MAX_HEADS]; unsigned n_lag; /* leader: of the others */
    char   alarms[128];                          /* "NOSPACE(1) CORRUPT(2)", as this head knows them */
};
void status_read(struct str text, struct status_sample *ret);

struct status_head {
    uint64_t id;                                 /* 0: not known */
    char   name[64], reason[200];                /* reason: why it is down */
    const char *url, *role;                      /* role: voter, learner, leaving; NULL: not known */
    bool   up, had_before;
    struct status_sample now, before;            /* before: for what is counted a second */
};
struct status_heads {
    struct status_head head[STATUS_HEADS]; unsigned n;
    double wall_s;                               /* of the newest samples */
};

void status_show_table(FILE *to, const struct status_heads *h);
/* One line per head: TIME NAME key=value ...: for logs. */
void status_show_lines(FILE *to, const struct status_heads *h);
void status_show_json(FILE *to, const struct status_heads *h, bool pretty);

#endif
