/* raft/config.h: who belongs to the group, and what a majority of it is.
 *
 * A configuration travels in log entries and in snapshots, never in command lines after the first start.
 * It is adopted when its entry is appended, not when it commits, and given up when that entry is
 * truncated.  Two voter sets make it joint: while a change is under way a decision needs a majority of
 * both.  Learners get the log and decide nothing.  An empty configuration is that of a head which waits to
 * be told: it decides nothing either.
 *
 * Numbers of heads are given once: last_id is the highest ever given, so whoever has one up to it and is not
 * there was removed, for good. */
#ifndef RAFT_CONFIG_H
#define RAFT_CONFIG_H

#include "net/blob.h"
#include "raft/raft.h"

enum raft_part { RAFT_VOTER = 1, RAFT_VOTER_OLD = 2, RAFT_LEARNER = 4 };   /* a set of bits */

#define RAFT_ADDR_MAX 128
#define RAFT_NAME_MAX 64
struct raft_head {
    uint64_t id;
    unsigned parts;
    char addr[RAFT_ADDR_MAX];                    /* where other heads connect */
    char name[RAFT_NAME_MAX], api[RAFT_ADDR_MAX], client[RAFT_ADDR_MAX];   /* for people and clients; may be empty */
};
struct raft_config { uint64_t index, last_id; unsigned n; struct raft_head head[RAFT_MAX_HEADS]; };

/* Slot of a head, or -1. */
int  raft_config_find(const struct raft_config *c, uint64_t id);
bool raft_config_votes(const struct raft_config *c, uint64_t id);
bool raft_config_joint(const struct raft_config *c);
bool raft_config_alone(const struct raft_config *c, uint64_t id);     /* the one voter, in either set */
bool raft_config_left(const struct raft_config *c, uint64_t id);      /* was a member once and will never be again */
/* E_INVALID: too many, doubled or zero ids, no voter, texts too long. */
int  raft_config_valid(const struct raft_config *c, struct errbuf *err);

/* A number for who votes: equal for equal sets. */
uint64_t raft_config_voters(const struct raft_config *c);
/* The largest v such that a majority of every voter set has value[slot] >= v. */
uint64_t raft_config_quorum(const struct raft_config *c, const uint64_t value[RAFT_MAX_HEADS]);

/* What a change makes of a configuration that is not joint: the goal, without the way there.  E_INVALID,
 * E_NOTFOUND, E_EXISTS, E_FULL, with the reason. */
int  raft_config_change(const struct raft_config *c, const struct raft_change_spec *s, struct raft_config *ret,
                        struct errbuf *err);
/* The step between: decided by the voters of both.  E_FULL: together they are too many.  When the voters are
 * the same, goal itself. */
int  raft_config_join(const struct raft_config *from, const struct raft_config *goal, struct raft_config *ret,
                      struct errbuf *err);
/* A joint one without the old voters: the goal. */
void raft_config_settle(const struct raft_config *joint, struct raft_config *ret);

void raft_config_encode(const struct raft_config *c, struct buf *out);
/* E_CORRUPT; *ret untouched then. */
int  raft_config_decode(struct str in, struct raft_config *ret);

#endif
