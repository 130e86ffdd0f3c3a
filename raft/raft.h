/* raft/raft.h: one head's member of the consensus group: the pure core (raft/core.h) tied to its log
 * (raft/wal.h), its snapshot files (raft/snapshot.h) and its peers (raft/peer.h).
 *
 * What goes in are opaque commands; what comes out, on every head in the same order, is fsm.apply().
 * Acknowledged = durable on a majority: a proposal's apply happens only after that.
 * Lifetime: the fsm and the loop outlive the raft.  Thread: loop only.  Re-entry: nothing below calls
 * back from inside itself; apply and failed come from TURN_STEP. */
#ifndef RAFT_RAFT_H
#define RAFT_RAFT_H

#include "net/disk.h"
#include "net/stream.h"

struct raft;

#define RAFT_MAX_COMMAND (4u << 20)              /* bytes of one command */
#define RAFT_MAX_HEADS   9                       /* learners, and those on their way out, included */

/* One proposal in flight; embedded in the proposer's request. Either failed() or, on this head,
 * fsm.apply() with it comes, exactly once.  raft_propose copies data. */
struct raft_proposal {
    struct qlink link;
    uint64_t seq;                                /* raft's */
    uint64_t term;                               /* not 0: as leader in that term, else E_NOLEADER */
    /* E_NOLEADER, E_FULL: certainly not applied, may be retried.  E_UNKNOWN: may or may not come to
     * pass later (leader changed while it was under way).  E_TOOBIG. */
    void (*failed)(struct raft_proposal *p, int err);
};

/* The replicated state machine. */
struct raft_fsm {
    /* A committed command; local: the proposal if this head made it and still waits for it, else NULL. */
    void (*apply)(void *arg, uint64_t index, struct str command, struct raft_proposal *local);
    /* A run of applies is over (once per turn that had any): hand results out. NULL ok. */
    void (*applied)(void *arg, uint64_t index);
    /* Pin the state as it is now and return a reader of it; read() fills up to cap bytes, 0 at the end, bounded
     * work per call; close() unpins.  The state may change meanwhile; the reader must not see it. */
    void  *(*snapshot_open)(void *arg);
    size_t (*snapshot_read)(void *arg, void *reader, char *buf, size_t cap);
    void   (*snapshot_close)(void *arg, void *reader);
    /* Replace the whole state: begin, data in order, then end (ok: all came and verified, take it over; else keep
     * the old state). data returns E_CORRUPT when the bytes make no sense. */
    void (*restore_begin)(void *arg);
    int  (*restore_data)(void *arg, struct str data);
    int  (*restore_end)(void *arg, bool ok);
    /* Leadership came or went on this head (leader: own term's first entry is applied). NULL ok. */
    void (*leading)(void *arg, bool leader);
    /* This head was a member and has been removed, for good: once. Whatever it still has is of the past. NULL ok. */
    void (*removed)(void *arg);
    void *arg;
};

struct raft_peer_opts { uint64_t id; const char *addr; };

struct raft_opts {
    struct loop *loop;
    struct disk *disk;                           /* the data directory; borrowed */
    uint64_t id;                                 /* this head, > 0 */
    uint64_t cluster;                            /* refuses peers of another cluster */
    /* Initial membership incl. this head; only used when the disk is empty.  None with join: this head was
     * added to a running cluster (raft_change) and waits to be called by it. */
    const struct raft_peer_opts *heads; size_t n_heads;
    bool join;
    /* Told to the others once this head is a member, for people and clients.  NULL: nothing is told. */
    const char *name, *api_url, *client_url;
    const char *listen_addr;                     /* for peers */
    struct tls_ctx *tls_server, *tls_client;     /* mutual; NULL in the simulator */
    const char *peer_organization;               /* that a peer's certificate must carry; NULL: any the CA signed */
    struct raft_fsm fsm;
    /* 0: defaults of raft/limits.h (heartbeat 50, election 200..400, snapshot every 64 MiB of log). */
    unsigned heartbeat_ms, election_min_ms, election_max_ms;
    uint64_t snapshot_bytes;
    uint64_t log_bytes;                          /* entries kept in memory; 0: 16 MiB */
    size_t   segment_bytes;                      /* of the log's files; 0: 16 MiB */
    unsigned apply_per_turn;                     /* entries; 0: 8192 */
    size_t   append_bytes;                       /* of entries in one message to a peer; 0: 1 MiB */
    unsigned bugs;                               /* tests only: see raft/bugs.h */
};

/* After a failed open, run the loop once before closing the disk: what was half open closes from there.
 * Recovers snapshot and log (blocking; the state machine gets restore_* and nothing is applied until commit is
 * known), then joins.  E_CORRUPT: the data directory is damaged; the text says where and what to do. */
int  raft_open(const struct raft_opts *o, struct raft **ret, struct errbuf *err);
/* Stops; proposals fail with E_UNKNOWN; done once all I/O has ended.  Then raft is freed. */
void raft_close(struct raft *r, void (*done)(void *arg), void *arg);

/* From now on nothing waits any more, for this head is about to go: what has no outcome yet, and what is
 * still asked, fails soon: proposals and changes with E_UNKNOWN, reads with E_NOLEADER. */
void raft_give_up(struct raft *r);

/* On any head; a follower forwards to the leader. */
void raft_propose(struct raft *r, struct raft_proposal *p, struct str command);

/* Linearizable reads.  raft_read_now: true if the applied state may be read at this very moment (leader with a valid
 * lease whose own term is applied).  Else raft_read: done(req, 0) once the applied state includes all that was
 * acknowledged before the call; E_NOLEADER / E_TIMEOUT otherwise. */
bool raft_read_now(struct raft *r);
struct raft_read { struct qlink link; uint64_t seq, index, due_ns; void (*done)(struct raft_read *req, int err); };
void raft_read(struct raft *r, struct raft_read *req);
void raft_read_cancel(struct raft *r, struct raft_read *req);

/* ---- Membership -----------------------------------------------------------------------------------
 *
 * Every change goes by joint consensus (thesis 4.3): safe at any time, under load, whatever fails; one at a
 * time.  A new head is added as a learner, which gets the log (or a snapshot) and decides nothing; once it
 * has caught up it may be promoted.  Numbers of heads are never given twice. */
enum raft_change_op {
    RAFT_ADD = 1,                                /* a learner; id 0: the next number */
    RAFT_PROMOTE,                                /* learner to voter; E_AGAIN while it lags */
    RAFT_DEMOTE,                                 /* voter to learner */
    RAFT_REMOVE,                                 /* for good; a leader hands over first */
    RAFT_REPLACE,                                /* voter id goes, learner `by` takes its place, in one step */
    RAFT_UPDATE,                                 /* name, address, URLs */
    RAFT_TRANSFER,                               /* leadership to id; 0: the most up to date */
    RAFT_CHANGE_OPS
};
struct raft_change_spec {
    enum raft_change_op op;
    uint64_t id, by;
    const char *name, *addr, *api, *client;      /* ADD, UPDATE; NULL: as it was */
};
/* On any head; embedded in the asker's request, which lives until done (from the loop, once).  0: it has come
 * to pass, id: whom it was about; else reason says why: E_NOLEADER, E_NOTFOUND, E_EXISTS, E_INVALID, E_FULL,
 * E_CONFLICT (another change has been under way for 2 s), E_AGAIN (not now), E_TIMEOUT (transfer: nobody took over), E_UNKNOWN (no
 * answer: it may come to pass yet; look at the members). */
struct raft_change {
    struct qlink link;
    uint64_t ctx, due_ns, sent_to;               /* raft's */
    struct raft_change_spec spec;                /* raft's copy; the texts are its, too */
    char *texts;
    void (*done)(struct raft_change *c, int err, const char *reason, uint64_t id);
};
void raft_change(struct raft *r, struct raft_change *c, const struct raft_change_spec *spec);

struct raft_member {
    uint64_t id;
    const char *name, *addr, *api, *client;      /* borrowed until the next turn; may be empty */
    bool voter, learner;                         /* neither, or both: on its way out of the voters */
    bool leader, connected;
    /* Known on the leader only: what it has on disk, how many entries it lags, when it was last heard. */
    uint64_t match, lag, heard_ms_ago;
    bool heard;
};

struct raft_status {
    uint64_t id, leader, term, commit, applied, last, durable, snapshot_index;     /* durable: here */
    bool     is_leader, disk_failed;
    bool     disk_full;                          /* no room for more log: a leader refuses writes */
    bool     repairing;                          /* it lost part of its log and does not have all of it back */
    uint64_t leader_changes, proposals, proposals_failed, fsyncs, fsync_ns_sum, fsync_ns_max, bytes_written;
    /* From raft_propose() to apply, here; one write with its sync; what one turn spends on applying.  Borrowed. */
    const struct histogram *proposal_time, *fsync_time, *apply_time;
    uint64_t pending;                            /* proposals without outcome */
    uint64_t log_bytes;                          /* of entries in memory */
    uint64_t segments, segment_bytes;            /* the log's files, and the size of each */
    uint64_t snapshot_bytes;                     /* of the newest on disk */
    uint64_t snapshots_bytes;                    /* of all that are kept */
    bool     snapshot_writing, snapshot_receiving; unsigned snapshots_sending;
    bool     member, changing;                   /* is this head one; is a change under way */
    unsigned n_heads;
    struct raft_member head[RAFT_MAX_HEADS];
};
void raft_status(struct raft *r, struct raft_status *ret);

/* The state has become much smaller than the snapshots on disk: the next is taken now, if anything is new. */
void raft_snapshot_soon(struct raft *r);

#endif
