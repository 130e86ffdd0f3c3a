/* raft/trail.h: which term every log index has, without the entries: runs of (first index, term).
 *
 * The core decides on indexes and terms alone; the bytes stay with the host.  A log of millions of entries
 * is a handful of runs, since a run ends only where leadership changed.  Indexes <= offset are compacted
 * away; the term at offset itself is still known, as it is what an append is matched against. Thread: loop
 * only.  Nothing here fails. */
#ifndef RAFT_TRAIL_H
#define RAFT_TRAIL_H

#include <stdbool.h>
#include <stdint.h>
#include "net/must.h"

struct trail_run { uint64_t index, term; };
struct trail {
    uint64_t offset, offset_term;                /* the last compacted entry; 0, 0 at the very beginning */
    uint64_t last;                               /* offset if empty */
    struct trail_run *run;
    size_t n, cap;
};

void trail_init(struct trail *t, uint64_t offset, uint64_t term);
void trail_release(struct trail *t);
/* Term at index; 0 when index < offset or > last. */
uint64_t trail_term(const struct trail *t, uint64_t index);
uint64_t trail_last_term(const struct trail *t);
void trail_append(struct trail *t, uint64_t term);                 /* terms never decrease */
void trail_truncate(struct trail *t, uint64_t from);               /* from > offset: entries >= from are gone */
void trail_compact(struct trail *t, uint64_t upto);                /* upto <= last: becomes the offset */
void trail_reset(struct trail *t, uint64_t offset, uint64_t term); /* empty, after offset */
/* Largest i <= index (and >= offset) whose term is <= term: where two logs that differ at index can at
 * best agree. */
uint64_t trail_back(const struct trail *t, uint64_t index, uint64_t term);
void trail_check(const struct trail *t);

#endif
