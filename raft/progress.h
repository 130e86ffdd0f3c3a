/* raft/progress.h: what a leader knows of one follower, and how fast it may send.
 *
 * PROBE: where the logs agree is not known; one message at a time.  REPLICATE: known; messages are sent
 * ahead up to a window.  SNAPSHOT: what it needs is no longer in the log; the host sends a snapshot file
 * meanwhile. */
#ifndef RAFT_PROGRESS_H
#define RAFT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include "raft/limits.h"

enum raft_progress_state { RAFT_PROBE, RAFT_REPLICATE, RAFT_SNAPSHOT };

struct raft_progress {
    uint64_t id;
    enum raft_progress_state state;
    uint64_t match, next;                        /* durable there as far as known; next to send. match < next */
    bool     probing;                            /* PROBE: a message is under way */
    bool     gone;                               /* no connection: it hears nothing */
    uint64_t from_round;                         /* answers to rounds before it may be of a former life: not believed */
    uint64_t heard_ns;                           /* any answer of this term came */
    uint64_t round, acked_sent_ns;               /* newest round it has answered, and when that was sent */
    uint64_t commit_told;
    uint64_t beat_round, beat_next;              /* the last heartbeat, and `next` at that time: to notice loss */
    /* Window: last index and bytes of each message without answer, oldest first. */
    struct { uint64_t last, bytes; } flight[RAFT_MAX_INFLIGHT];
    unsigned flight_at, flight_n;
    uint64_t flight_bytes;
};

void raft_progress_init(struct raft_progress *p, uint64_t id, uint64_t next, uint64_t now_ns);
void raft_progress_probe(struct raft_progress *p, uint64_t next);
void raft_progress_replicate(struct raft_progress *p, uint64_t next);
void raft_progress_snapshot(struct raft_progress *p);
/* What it has is no longer known: it may have restarted, and then it has only what its disk gave back.
 * Nothing it said to a round before from_round counts any more; where the logs agree is asked anew. */
void raft_progress_forget(struct raft_progress *p, uint64_t from_round);
bool raft_progress_full(const struct raft_progress *p);
void raft_progress_sent(struct raft_progress *p, uint64_t last, uint64_t bytes);
/* Everything up to match is there: advances match and next, frees the window. */
void raft_progress_matched(struct raft_progress *p, uint64_t match);
void raft_progress_check(const struct raft_progress *p, uint64_t last);

#endif
