/* raft/vote.h: the vote file: term and vote, beside the log, and two witnesses of the log's state.
 *
 * The log holds term and vote, too; this file is written whenever they change, in parallel with the log, and
 * neither counts before both are durable.  So no single damage takes them.  It holds two copies of the same, a
 * page each.  Besides it says how far the log was durable at some time (seq, synced: what ends before that is
 * damaged, not torn; a segment's first write counts only once this file tells of the segment, and of the one
 * before it, whose witness the new one is until it is durable itself), and what this head may have lost
 * (raft/doubt.h).  Every byte of the file is covered by a checksum. */
#ifndef RAFT_VOTE_H
#define RAFT_VOTE_H

#include "net/disk.h"
#include "raft/doubt.h"

#define VOTE_NAME  "vote"
#define VOTE_PAGE  4096
#define VOTE_BYTES (2 * VOTE_PAGE)

struct vote {
    uint64_t cluster, head;
    uint64_t term, vote;
    struct raft_doubt doubt;
    uint64_t seq, synced;                        /* segment of the log, durable up to there; 0: none */
    uint64_t prev_seq, prev_end;                 /* the segment before it, and its end; 0: nothing is said */
};

void vote_encode(const struct vote *v, char out[VOTE_BYTES]);
/* How many copies verify (0: *ret untouched). */
unsigned vote_decode(struct str file, struct vote *ret);
/* Blocking.  E_NOTFOUND; E_CORRUPT: no copy verifies; E_INVALID: of another cluster or head (0: any will
 * do). */
int  vote_read_now(struct disk *d, uint64_t cluster, uint64_t head, struct vote *ret, unsigned *ret_copies,
                   struct errbuf *err);
int  vote_write_now(struct disk *d, const struct vote *v, struct errbuf *err);

#endif
