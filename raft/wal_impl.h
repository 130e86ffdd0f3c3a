/* raft/wal_impl.h: shared by wal.c (writing) and wal_replay.c (recovery). */
#ifndef RAFT_WAL_IMPL_H
#define RAFT_WAL_IMPL_H

#include "raft/bugs.h"
#include "raft/limits.h"
#include "raft/wal.h"
#include "raft/wal_format.h"
#include "raft/vote.h"

struct wal_segment { struct qlink link; uint64_t seq, max_index; };

struct wal {
    struct loop *loop;
    struct disk *disk;
    struct wal_opts opts;
    unsigned bugs;
    struct qlink segments;                       /* oldest first; the last one is being written */

    struct disk_file *file, *spare;              /* of the last segment, and of the one after it */
    uint64_t seq, at, size, spare_size;          /* at: next offset; 0: not even the header is written */
    uint64_t synced;                             /* everything before is durable */
    uint64_t prev_seq, prev_end;
    uint64_t leftover;                           /* a segment of which nothing was ever durable, to be removed */
    struct disk_op spare_op;
    bool     spare_busy, spare_making;
    bool     parked;                             /* a batch waits for the spare */
    bool     starved;                            /* there is no room for it: tried again by and by */
    struct timer room;

    struct buf gather, flight;
    uint64_t last_index, last_term;              /* of the log, with what is gathered */
    uint64_t term, vote;
    struct raft_doubt doubt;
    /* The state before `gather`: what a new segment begins with. */
    struct { uint64_t index, index_term, term, vote; } head;
    struct buf config;
    uint64_t config_index, commit, commit_written, max_index;
    /* The vote file: two requests never are under way at once. */
    struct disk_file *vote_file;
    struct disk_op vote_op;
    char    *vote_bytes;                         /* VOTE_BYTES, of the request under way */
    bool     vote_stale;                         /* term, vote or doubt changed since it was last written */
    bool     vote_busy, vote_again;              /* again: the one under way does not have the newest */
    bool     vote_wait;                          /* the batch under way counts once this is durable, too */
    struct raft_mark mark, flight_mark;
    struct disk_op op;
    bool     busy, landed, sealing, failed, closing, sealed;       /* landed: the log's part of the batch is */
    uint64_t started_ns;
    struct timer seal;

    struct qlink trash;                          /* segments to remove, one at a time */
    struct disk_op trash_op;
    bool     trash_busy, trash_stuck;
    struct ready_item closed;
    void (*close_cb)(void *arg);
    void *close_arg;
    struct wal_stats stats;
    struct histogram sync_time;
};

/* Reads every segment, reports what it finds, cuts off a torn tail; leaves seq, prev_* and segments set. */
int wal__replay(struct wal *w, struct wal_recovered *found, struct errbuf *err);
/* What is gathered from now on comes after the state as it is. */
void wal__remember(struct wal *w);
struct wal_segment *wal__segment_new(struct wal *w, uint64_t seq, uint64_t max_index);

#endif
