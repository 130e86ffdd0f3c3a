/* raft/wal.h: the write-ahead log: entries, term and vote, durable in batches.
 *
 * Records are gathered in memory; wal_flush() writes all of them with one write and one fdatasync, one
 * such batch at a time; what comes meanwhile is gathered for the next.  Nothing is written when there is
 * nothing to write, except that a quiet log is sealed once (no sync) so that its last batch, too, is told
 * from a torn one, and the vote file told how far the log was durable. Any failed write or sync is final: `failed` is called once and nothing is written any
 * more. Lifetime: loop and disk outlive the log.  Thread: loop only.  Re-entry: durable and failed come
 * from the loop. */
#ifndef RAFT_WAL_H
#define RAFT_WAL_H

#include "net/disk.h"
#include "raft/core.h"

struct wal;

/* What recovery finds, in order.  Each may return E_CORRUPT (with reason) to end it. */
struct wal_replay {
    int (*base)(void *arg, uint64_t index, uint64_t term, struct errbuf *err);    /* the log begins anew after index */
    int (*entry)(void *arg, uint64_t index, uint64_t term, uint8_t type, struct str data, struct errbuf *err);
    void *arg;
};

struct wal_recovered {
    bool     any;                                /* there was a log */
    uint64_t term, vote, commit;
    uint64_t torn_bytes;                         /* of an unfinished last write, dropped */
    bool     damaged;                            /* what was reported is not all that there had been: wal_restart() */
    struct errbuf damage;                        /* where, and what */
    struct raft_doubt doubt;                     /* what may have been acknowledged and is not there any more */
    unsigned vote_copies;                        /* of the vote file that verify; damage: why there is none */
    struct errbuf vote_damage;
    uint64_t mark_seq, mark, mark_prev_seq, mark_prev_end;     /* what the vote file says about the log */
    struct buf config;                           /* newest record of one; to be released */
};

/* What there is, to be looked at only: each segment, and everything that is wrong. */
struct wal_inspected {
    const char *name;
    uint64_t seq, size, used, cluster, head;     /* used: behind its last record; cluster 0: the header is bad */
    uint64_t records, first, last, last_term;    /* entries; 0: none */
};
struct wal_inspect {
    void (*segment)(void *arg, const struct wal_inspected *s);
    void (*problem)(void *arg, const char *name, uint64_t at, const char *what, uint64_t last);
    void *arg;
};

struct wal_opts {
    struct loop *loop;
    struct disk *disk;
    uint64_t cluster, head;                      /* 0 (to look only): any */
    const struct wal_inspect *inspect;           /* not NULL: nothing is changed or written, ever */
    size_t   segment_bytes;                      /* 0: RAFT_SEGMENT_BYTES */
    unsigned bugs;                               /* tests only: see raft/bugs.h */
    struct wal_replay replay;
    void (*durable)(void *arg, struct raft_mark mark);
    void (*failed)(void *arg, int err);
    void *arg;
};

/* Blocking.  Reports what is there up to the first damage that a torn last write does not explain; if there is
 * any (found.damaged), nothing was changed on disk and nothing may be written before wal_restart(). E_INVALID: the
 * log of another head. */
int  wal_open(const struct wal_opts *o, struct wal **ret, struct wal_recovered *ret_found, struct errbuf *err);
/* Blocking.  Begins the log anew behind an entry; all segments are put aside (bad-*), after `doubt` has been made
 * durable.  The caller then adds the entries that it still has. */
int  wal_restart(struct wal *w, uint64_t index, uint64_t term, const struct raft_doubt *doubt, struct errbuf *err);
/* done(arg) from the loop once nothing is in flight; then w is freed. What was gathered but not flushed is
 * not written. */
void wal_close(struct wal *w, void (*done)(void *arg), void *arg);

/* Term and vote, in the log and in the vote file: durable when both are. */
void wal_hard(struct wal *w, uint64_t term, uint64_t vote, const struct raft_doubt *doubt);
void wal_entry(struct wal *w, uint64_t index, const struct raft_entry *e);
void wal_base(struct wal *w, uint64_t index, uint64_t term);
void wal_config(struct wal *w, uint64_t index, struct str data);
void wal_commit(struct wal *w, uint64_t index);  /* a hint; goes with the next batch, alone it causes none */
uint64_t wal_last_index(const struct wal *w);     /* of the log, with what is gathered */
uint64_t wal_last_term(const struct wal *w);
bool wal_dirty(const struct wal *w);
/* There is no room for the next segment: what is under way still fits, but nothing new should be taken.
 * Tried again by and by. */
bool wal_starved(const struct wal *w);
size_t wal_backlog(const struct wal *w);         /* bytes gathered and not yet being written */
uint64_t wal_waiting_ns(const struct wal *w);    /* how long the write under way has taken so far; 0: none is */
/* mark: what everything gathered so far amounts to. Starts a write if none is under way; else the next one
 * covers it. */
void wal_flush(struct wal *w, struct raft_mark mark);
/* Entries up to index are no longer needed: whole segments of them are removed. */
void wal_trim(struct wal *w, uint64_t index);

struct wal_stats {
    uint64_t syncs, sync_ns_sum, sync_ns_max, bytes; unsigned segments;
    const struct histogram *sync_time;           /* borrowed */
};
void wal_stats(const struct wal *w, struct wal_stats *ret);

#endif
