/* raft/config.h: who belongs to the group, and what a majority of it is.
 *
 * A configuration travels in log entries and in snapshots, never in command lines after the first start.
 * It is adopted when its entry is appended, not when it commits, and given up when that entry is
 * truncated.  Two voter sets make it joint: while a change is under way a decision needs a majority of
 * both.  Learners get the log and decide nothing. */
#ifndef RAFT_CONFIG_H
#define RAFT_CONFIG_H

#include "net/blob.h"
#include "raft/raft.h"

enum raft_part { RAFT_VOTER = 1, RAFT_VOTER_OLD = 2, RAFT_LEARNER = 4 };   /* a set of bits */

#define RAFT_ADDR_MAX 128
struct raft_head { uint64_t id; unsigned parts; char addr[RAFT_ADDR_MAX]; };
struct raft_config { uint64_t index; unsigned n; struct raft_head head[RAFT_MAX_HEADS]; };

/* Slot of a head, or -1. */
int  raft_config_find(const struct raft_config *c, uint64_t id);
bool raft_config_votes(const struct raft_config *c, uint64_t id);
bool raft_config_joint(const struct raft_config *c);
unsigned raft_config_voters(const struct raft_config *c);      /* in either set */
/* E_INVALID: too many, doubled or zero ids, no voter, address too long. */
int  raft_config_valid(const struct raft_config *c, struct errbuf *err);

/* The largest v such that a majority of every voter set has value[slot] >= v. */
uint64_t raft_config_quorum(const struct raft_config *c, const uint64_t value[RAFT_MAX_HEADS]);

void raft_config_encode(const struct raft_config *c, struct buf *out);
/* E_CORRUPT; *ret untouched then. */
int  raft_config_decode(struct str in, struct raft_config *ret);

#endif
