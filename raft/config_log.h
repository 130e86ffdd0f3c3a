/* raft/config_log.h: every configuration that the log in memory carries, and the one in force where it begins.
 *
 * The newest is the one in use, committed or not; the others are there to go back to when a conflict cuts
 * the log, and for snapshots, which are taken of the past. Thread: loop only.  Nothing here fails. */
#ifndef RAFT_CONFIG_LOG_H
#define RAFT_CONFIG_LOG_H

#include "raft/config.h"

struct config_log { struct raft_config **at; size_t n, cap; };     /* by index, oldest first; n > 0 once begun */

void config_log_init(struct config_log *l, const struct raft_config *base);
void config_log_release(struct config_log *l);
void config_log_add(struct config_log *l, const struct raft_config *c);        /* c->index: behind all others */
void config_log_cut(struct config_log *l, uint64_t from);                      /* entries >= from are gone */
void config_log_forget(struct config_log *l, uint64_t upto);                   /* the log begins behind upto */
/* The log up to base->index is replaced by a state in which base is in force. */
void config_log_rebase(struct config_log *l, const struct raft_config *base, uint64_t upto);
/* In force at an index that the log covers. */
const struct raft_config *config_log_at(const struct config_log *l, uint64_t index);
static inline const struct raft_config *config_log_last(const struct config_log *l) { return l->at[l->n - 1]; }

#endif
