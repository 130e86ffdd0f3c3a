/* raft/core.h: Raft as a step function.  Events go in, duties come out; no clock, socket, disk or luck
 * inside: time arrives in each event, randomness comes from a seed, and the order between disk and network
 * is kept here, not by the caller's care: a message that promises something is released only once what it
 * promises is durable.
 *
 * The caller's part, in this order:
 *     1. raft_core_step() for each event, doing the log duties in its update at once (they are about memory:
 *        the entries that are now in the log and those that no longer are)
 *     2. raft_core_flush() once for all of them: messages to send now (batched per turn by nature)
 *     3. write hard state (when hard.gen changed) and new log entries in that order, sync, and report
 *        RAFT_EV_DURABLE with the mark taken by raft_core_mark() when the write was put together
 *     4. apply entries up to commit, whenever it likes
 *     5. come back no later than raft_core_due() with RAFT_EV_TICK
 *
 * Units: ns of a monotonic clock that need not agree between heads, only run at about the same rate.  The
 * term 0 and index 0 mean none.  Nothing a message says can make a must() fail. */
#ifndef RAFT_CORE_H
#define RAFT_CORE_H

#include "raft/config_log.h"
#include "raft/doubt.h"
#include "raft/limits.h"
#include "raft/message.h"
#include "raft/progress.h"
#include "raft/trail.h"

enum raft_role { RAFT_FOLLOWER, RAFT_PRECANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

struct raft_core_opts {
    uint64_t id, seed, now_ns;
    uint64_t heartbeat_ns, election_min_ns, election_max_ns;
    uint64_t max_uncommitted;                    /* 0: RAFT_MAX_UNCOMMITTED */
    uint64_t max_append;                         /* 0: RAFT_MAX_APPEND */
    struct raft_config config;
    uint64_t term, vote, commit;                 /* as recovered */
    unsigned bugs;                               /* tests only: see bugs.h */
    bool restarted;                              /* there was a state: hold votes back for one election timeout */
    struct raft_doubt doubt;                     /* acknowledged entries that this head may have lost */
    bool newborn;                                /* its disk is empty, and it is not alone */
    /* Bytes of the entry at an index the log holds: for flow control.  The host's log answers. */
    uint32_t (*entry_size)(void *arg, uint64_t index);
    void *arg;
};

/* What a write covers. epoch tells a log that was truncated meanwhile from the one that was written. */
struct raft_mark { uint64_t epoch, index, hard_gen; };

enum raft_event_type {
    RAFT_EV_TICK,
    RAFT_EV_RECEIVE,
    RAFT_EV_PROPOSE,                             /* E_NOLEADER, E_FULL, E_AGAIN (handing over) when refused, all of it */
    RAFT_EV_DURABLE,
    RAFT_EV_READ,                                /* result by raft_core_reads(); E_NOLEADER, E_FULL at once */
    RAFT_EV_TRANSFER,                            /* E_NOLEADER, E_NOTFOUND (no such voter), E_EXISTS (it is me) */
    RAFT_EV_CHANGE,                              /* of the membership; see raft_config_change(); E_NOLEADER, E_AGAIN, E_CONFLICT */
    RAFT_EV_COMPACT,                             /* the log up to index is no longer in memory */
    RAFT_EV_INSTALLED,                           /* a leader's snapshot has replaced state and log, durably */
    RAFT_EV_SNAPSHOT_END,                        /* sending one to a peer has ended, well or not */
    RAFT_EV_PEER_UP, RAFT_EV_PEER_LOST,          /* connection made, or gone with what was under way */
    RAFT_EV_DISK_FAILED                          /* nothing can be made durable any more: fall silent */
};

struct raft_event {
    enum raft_event_type type;
    uint64_t now_ns;
    union {
        const struct raft_message *message;
        struct { struct raft_entry *entry; size_t n; } propose;    /* terms are filled in */
        struct raft_mark durable;
        uint64_t read_ctx;
        uint64_t transfer_to;                    /* 0: the most up to date */
        struct { const struct raft_change_spec *spec; struct errbuf *why; } change;
        uint64_t compact_upto;
        struct { uint64_t index, term; const struct raft_config *config; } installed;
        struct { uint64_t peer; bool ok; } snapshot_end;
        uint64_t peer;
    };
};

/* Log duties of one step: first truncate, then append.  entry: the event's, or the core's own (a no-op, a
 * configuration), which is there until the next step. */
struct raft_update {
    uint64_t truncate;                           /* entries >= this are gone; 0: none */
    uint64_t first; size_t n; struct raft_entry *entry;
    bool     chunk;                              /* the message was a snapshot chunk of the current leader: take it */
};

struct raft_read_done { uint64_t ctx, index; int err; };
struct raft_read_wait { uint64_t ctx, from, index, round; };

struct raft_core {
    uint64_t id;
    enum raft_role role;
    uint64_t leader;
    struct { uint64_t term, vote, gen; } hard;
    uint64_t hard_durable;                       /* gen that is on disk */
    bool     failed, restarted;

    struct trail trail;
    uint64_t epoch;                              /* counts truncations */
    uint64_t durable, commit, verified;
    struct raft_config config;                   /* in force: the newest of configs */
    struct config_log configs;

    /* Time. */
    uint64_t now_ns, heartbeat_ns, election_min_ns, election_max_ns, lease_ns;
    uint64_t rng;
    uint64_t heard_ns, election_due, votes_from_ns;     /* leader heard; campaign at; no vote before */
    unsigned knocks;                             /* questions since a leader was heard */

    /* What was lost, and what others said about it. */
    struct raft_doubt doubt;
    bool     newborn, blank, outdated;           /* see raft/doubt.h */
    uint64_t recall_ctx;
    struct { uint64_t term, last_index, last_term; bool answered, newborn, lost; } recall[RAFT_MAX_HEADS];

    /* Candidate. */
    struct { uint8_t granted, refused; } poll[RAFT_MAX_HEADS];
    bool     forced;                             /* this campaign is a handover */

    /* Follower: what the leader is to be told. */
    struct { bool now; uint64_t round, sent_ns, told; } ack;

    /* Leader. */
    uint64_t term_start;                         /* index of its no-op */
    uint64_t round, heartbeat_due, quorum_checked_ns;
    uint64_t uncommitted;                        /* bytes */
    bool     lease_lost;
    uint64_t transfer_to, transfer_due;
    struct raft_progress progress[RAFT_MAX_HEADS];      /* by slot of config */
    uint64_t max_uncommitted, max_append;
    uint64_t wants_snapshot;                     /* bit per slot: peer needs a snapshot, start sending */

    /* Reads. */
    struct raft_read_wait read[RAFT_MAX_READS];  /* ring, rounds never decrease */
    unsigned read_at, read_n;
    struct raft_read_done *read_done; size_t read_done_n, read_done_cap;

    /* Messages: ready to leave, and those that wait for hard state (with the gen they need). */
    struct raft_message *out; size_t out_n, out_cap;
    struct { struct raft_message m; uint64_t gen; } *held; size_t held_n;

    struct raft_entry own;
    uint32_t (*entry_size)(void *arg, uint64_t index);
    void *arg;
    uint64_t leader_changes;
    unsigned bugs;                               /* tests plant errors to see that they are found; see bugs.h */
};

/* trail: the recovered log; taken over. All of it is durable. */
void raft_core_init(struct raft_core *c, const struct raft_core_opts *o, struct trail *trail);
void raft_core_release(struct raft_core *c);
/* After init, for each configuration entry in the recovered log, in order. */
void raft_core_adopt(struct raft_core *c, uint64_t index, const struct raft_entry *e);
int  raft_core_step(struct raft_core *c, const struct raft_event *e, struct raft_update *ret);
/* Messages to send now; valid until the next call. */
size_t raft_core_flush(struct raft_core *c, uint64_t now_ns, struct raft_message **ret);
/* Reads that were answered since the last call; valid until the next step. */
size_t raft_core_reads(struct raft_core *c, struct raft_read_done **ret);
/* The configuration in force at an index of the log. */
const struct raft_config *raft_core_config(const struct raft_core *c, uint64_t index);
/* That head was a member, it is settled that it is none any more, and it does not lead us out of courtesy. */
bool raft_core_left(const struct raft_core *c, uint64_t id);
struct raft_mark raft_core_mark(const struct raft_core *c);
uint64_t raft_core_due(const struct raft_core *c);
/* The leader may answer reads from what it has committed, at this moment (own term committed, lease
 * valid). */
bool raft_core_lease(const struct raft_core *c, uint64_t now_ns);
/* A leader whose own term has a committed entry. */
bool raft_core_leading(const struct raft_core *c);
/* Invariants; dies on a broken one. */
void raft_core_check(const struct raft_core *c);

#endif
