/* raft/core_impl.h: what the files of the core say to each other; nobody else includes it.
 *
 * core.c        life, dispatch by term, role changes, messages kept until durable
 * election.c    pre-vote, vote, timeouts, stickiness
 * replication.c appends to followers and on followers, conflict back-off
 * commit.c      what a majority has; durability marks; configurations in the log
 * read_index.c  linearizable reads: rounds and the lease
 * transfer.c    handing leadership over
 * doubt.c       what a head may still do that lost part of its log
 * change.c      changes of the membership: what is refused, the joint step, a leader that is no voter any more
 * core_check.c  invariants */
#ifndef RAFT_CORE_IMPL_H
#define RAFT_CORE_IMPL_H

#include "raft/bugs.h"
#include "raft/core.h"

/* core.c */
uint64_t raft_core__random(struct raft_core *c, uint64_t below);
void raft_core__hard(struct raft_core *c, uint64_t term, uint64_t vote);
void raft_core__follow(struct raft_core *c, uint64_t term, uint64_t leader);
void raft_core__lead(struct raft_core *c, struct raft_update *u);
/* A message to fill in; it leaves at the next flush, or once term and vote as they are now are durable. */
struct raft_message *raft_core__emit(struct raft_core *c, enum raft_message_type type, uint64_t to);
struct raft_progress *raft_core__peer(struct raft_core *c, uint64_t id);
/* A voter, or one that was until a change which is not settled as far as we know: our log may be the only one that
 * can still win, so we campaign (thesis 4.2.2), though our own vote counts no more. */
bool raft_core__campaigns(const struct raft_core *c);
/* Over the configuration in force. */
uint64_t raft_core__quorum(const struct raft_core *c, const uint64_t value[RAFT_MAX_HEADS]);
static inline bool raft_core__votes(const struct raft_core *c) { return raft_config_votes(&c->config, c->id); }

/* election.c */
void raft_election__timer(struct raft_core *c);
void raft_election__hurry(struct raft_core *c);
void raft_election__begin(struct raft_core *c);
void raft_election__tick(struct raft_core *c, struct raft_update *u);
void raft_election__campaign(struct raft_core *c, bool forced, struct raft_update *u);
bool raft_election__sticky(const struct raft_core *c);
void raft_election__on_vote(struct raft_core *c, const struct raft_message *m);
void raft_election__on_vote_reply(struct raft_core *c, const struct raft_message *m, struct raft_update *u);
/* Own vote became durable: it counts now. */
void raft_election__durable(struct raft_core *c, struct raft_update *u);

/* replication.c */
int  raft_replication__propose(struct raft_core *c, struct raft_entry *entry, size_t n, struct raft_update *u);
void raft_replication__on_append(struct raft_core *c, const struct raft_message *m, struct raft_update *u);
void raft_replication__on_heartbeat(struct raft_core *c, const struct raft_message *m);
void raft_replication__on_ack(struct raft_core *c, const struct raft_message *m);
void raft_replication__flush(struct raft_core *c);
void raft_replication__beat(struct raft_core *c);
/* The peer may have restarted: believe only what it says from now on. */
void raft_replication__forget(struct raft_core *c, struct raft_progress *p);
void raft_replication__append_own(struct raft_core *c, struct raft_entry *entry, size_t n, struct raft_update *u);

/* commit.c */
void raft_commit__advance(struct raft_core *c);
void raft_commit__to(struct raft_core *c, uint64_t index);
void raft_commit__durable(struct raft_core *c, struct raft_mark mark, struct raft_update *u);
void raft_commit__adopt(struct raft_core *c, uint64_t index, const struct raft_entry *e);
void raft_commit__truncated(struct raft_core *c, uint64_t from);
void raft_commit__installed(struct raft_core *c, const struct raft_event *e);

/* read_index.c */
int  raft_read__ask(struct raft_core *c, uint64_t ctx, uint64_t from);
void raft_read__on_read(struct raft_core *c, const struct raft_message *m);
void raft_read__on_reply(struct raft_core *c, const struct raft_message *m);
void raft_read__advance(struct raft_core *c);
void raft_read__drop(struct raft_core *c);
bool raft_read__wants_round(const struct raft_core *c);

/* doubt.c */
/* A log with this end holds all that this head may have acknowledged and lost. */
bool raft_doubt__covered(const struct raft_core *c, uint64_t last_term, uint64_t last_index);
bool raft_doubt__may_lead(const struct raft_core *c);
void raft_doubt__tick(struct raft_core *c);
void raft_doubt__ask(struct raft_core *c, uint64_t id);
/* A blank head hears its first leader. */
void raft_doubt__told(struct raft_core *c, const struct raft_message *m);
void raft_doubt__on_recall(struct raft_core *c, const struct raft_message *m);
void raft_doubt__on_recall_reply(struct raft_core *c, const struct raft_message *m);

/* change.c */
int  raft_change__start(struct raft_core *c, const struct raft_change_spec *s, struct errbuf *why, struct raft_update *u);
/* After each event: what follows from a configuration that has become settled. */
void raft_change__advance(struct raft_core *c, struct raft_update *u);

/* transfer.c */
int  raft_transfer__start(struct raft_core *c, uint64_t to);
void raft_transfer__advance(struct raft_core *c);
void raft_transfer__tick(struct raft_core *c);
/* The connection to that head is gone: if it was to take over, the handover is called off. */
void raft_transfer__gone(struct raft_core *c, uint64_t id);

#endif
