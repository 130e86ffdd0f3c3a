/* raft/host.h: one head's raft from the inside: what its files share; nobody else includes it.
 *
 * raft.c           life, status
 * host_recover.c   from files to a running core
 * host_step.c      the turn: events into the core, duties out of it, in one fixed order
 * host_propose.c   local proposals, forwarding, matching them up at apply
 * host_read.c      linearizable reads
 * host_change.c    changes of the membership, handovers, our own removal
 * host_snapshot.c  snapshots taken, sent, received
 * host_memory.c    how much of the log stays in memory */
#ifndef RAFT_HOST_H
#define RAFT_HOST_H

#include "raft/bugs.h"
#include "raft/core.h"
#include "raft/log.h"
#include "raft/peer.h"
#include "raft/snapshot.h"
#include "raft/wal.h"

/* In front of every command: who proposed it. */
#define HOST_WRAP 24
struct host_wrap { uint64_t origin, boot, seq; };

struct inbox_item { struct qlink link; struct raft_message m; struct blob *owner; };

enum pending_state { PENDING_FREE, PENDING_QUEUED, PENDING_SENT, PENDING_PLACED };
struct pending {
    struct raft_proposal *p;
    struct raft_entry entry;                     /* while QUEUED: its bytes */
    enum pending_state state;
    uint64_t born_ns, due_ns;
    uint64_t index, term;                        /* PLACED: where; SENT: term = that of the forwarding */
    uint64_t leader;                             /* SENT: to whom */
    uint64_t only_term;                          /* not 0: the proposer's condition */
};

/* A change that this head, as leader, has begun; from 0: none. */
struct change_served { uint64_t from, ctx, id, due_ns; enum raft_change_op op; };

struct raft {
    struct raft_opts opts;
    struct loop *loop;
    struct raft_core core;
    struct raft_log log;
    struct wal *wal;
    struct peers *peers;
    uint64_t boot;                               /* a fresh number each start: tells our proposals from those of a past life */
    uint64_t applied, hard_written, epoch_seen;
    bool     leading_told, disk_failed, closing, given_up, founding, outdated_told;
    int      disk_error;
    /* What the peers were told by: index and epoch of the configuration in force, the settled one, the leader. */
    uint64_t peers_told[4];
    bool     peers_fresh;

    /* Membership. */
    struct qlink changes;                        /* asked here */
    struct change_served served[RAFT_MAX_CHANGES];
    uint64_t change_ctx, change_after_ns, publish_after_ns;
    struct raft_change publish;                  /* our own name and URLs */
    bool     publishing, removed, removed_told;

    struct turn_hook step, write;
    struct timer tick;
    struct qlink inbox;
    uint64_t inbox_bytes;
    struct { uint64_t id; bool up; } link_news[64];
    unsigned link_news_n;
    struct raft_mark durable;
    bool     durable_news;

    /* Proposals: a ring by sequence number. */
    struct pending *pending;
    size_t   pending_cap, pending_n;             /* n: slots from first_seq on, holes included */
    uint64_t first_seq, queued_from;
    uint64_t queued_n, pending_bytes;
    uint64_t swept_term;                         /* placed proposals of earlier terms may be lost: look */
    struct raft_entry *batch; size_t batch_cap;

    /* Reads. */
    struct qlink reads_new, reads_asked, reads_placed;
    uint64_t read_ctx, read_asked_ns;            /* questions are numbered on ... */
    uint64_t read_base;                          /* ... from a random number: a former life's are others */

    /* Snapshots. */
    struct snapshot_meta snapshot;               /* newest on disk; index 0: none */
    struct snapshot_meta snapshot_older;         /* the one before it, kept in case it does not verify */
    uint64_t bytes_since;                        /* of log applied since it was pinned */
    uint64_t load, load_seen;                    /* bytes applied since the last rest; at the timer's last look */
    struct timer rest;
    struct snapshot_writer *writer;
    uint64_t writer_index;                       /* of the state it writes */
    struct snapshot_receiver *receiver;
    struct snapshot_sender *sender[RAFT_MAX_HEADS];
    uint64_t offer_after_ns;                     /* no snapshot is offered before; one has just been refused */
    uint64_t handover_ns;                        /* when we last tried to hand over because of a slow disk */
    struct disk_op trash_op;
    bool     trash_busy;
    struct snapshot_meta trash[RAFT_SNAPSHOTS_KEPT + 2]; unsigned trash_n;

    uint64_t proposals, proposals_failed;
    struct histogram proposal_time, apply_time;
    unsigned pins;                               /* each thing with I/O that must end before we may be freed */
    void (*close_cb)(void *arg);
    void *close_arg;
    struct ready_item closed;
};

/* raft.c */
void raft__unpin(struct raft *r);

/* host_recover.c */
int  raft__recover(struct raft *r, struct errbuf *err);
/* The first configuration, into the log. */
void raft__recover_founded(struct raft *r, const struct raft_config *config);

/* host_step.c */
void raft__arm(struct raft *r);
/* The disk does not keep up: take nothing more for now. */
bool raft__backlogged(const struct raft *r);
int  raft__event(struct raft *r, struct raft_event e);
void raft__send(struct raft *r, struct raft_message *m);           /* from is filled in */
void raft__on_step(struct turn_hook *h);
void raft__on_write(struct turn_hook *h);
void raft__on_tick(struct timer *t);
void raft__on_durable(void *arg, struct raft_mark mark);
void raft__on_disk_failed(void *arg, int err);
void raft__on_message(void *arg, struct raft_message *m, struct blob *owner);
void raft__on_peer_up(void *arg, uint64_t id);
void raft__on_peer_lost(void *arg, uint64_t id);

/* host_propose.c */
bool raft__wrap_take(struct str *command, struct host_wrap *ret);
void raft__propose_step(struct raft *r);
void raft__propose_expire(struct raft *r);
void raft__propose_on_forward(struct raft *r, struct raft_message *m);
void raft__propose_on_reply(struct raft *r, const struct raft_message *m);
void raft__propose_peer_lost(struct raft *r, uint64_t id);
/* An applied entry's own proposal, taken off the ring, or NULL. */
struct raft_proposal *raft__propose_match(struct raft *r, const struct host_wrap *w);
void raft__propose_sweep(struct raft *r);
void raft__propose_skipped(struct raft *r, uint64_t upto);
void raft__propose_fail_all(struct raft *r, int err);

/* host_read.c */
void raft__read_step(struct raft *r);
void raft__read_results(struct raft *r);
void raft__read_deliver(struct raft *r);
void raft__read_fail_all(struct raft *r, int err);

/* host_change.c */
void raft__change_step(struct raft *r);
uint64_t raft__change_due(const struct raft *r);
void raft__change_on_request(struct raft *r, const struct raft_message *m);
void raft__change_on_reply(struct raft *r, const struct raft_message *m);
bool raft__change_has_left(void *arg, uint64_t id);
void raft__change_on_removed(void *arg, uint64_t by);
void raft__change_fail_all(struct raft *r);

/* host_snapshot.c */
void raft__snapshot_step(struct raft *r);
void raft__snapshot_open(struct raft *r);
void raft__snapshot_close(struct raft *r);
void raft__snapshot_on_chunk(struct raft *r, struct raft_message *m, struct blob *owner);
void raft__snapshot_on_reply(struct raft *r, const struct raft_message *m);
/* Index of the snapshot that head `id`, which needs one, gets. */
uint64_t raft__snapshot_for(const struct raft *r, uint64_t id);

/* host_memory.c */
void raft__memory_init(struct raft *r);
void raft__memory_step(struct raft *r);

#endif
