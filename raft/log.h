/* raft/log.h: the entries themselves, in memory: the newest (raft/host_memory.c says how many).
 * A ring of slices; each holds a reference on the bytes it lies in. Thread: loop only. */
#ifndef RAFT_LOG_H
#define RAFT_LOG_H

#include "raft/message.h"

struct raft_log { struct raft_entry *ring; size_t cap, n, head; uint64_t first, bytes; };

void raft_log_init(struct raft_log *l, uint64_t offset);           /* empty; the first entry will be offset + 1 */
void raft_log_release(struct raft_log *l);
static inline uint64_t raft_log_last(const struct raft_log *l) { return l->first + l->n - 1; }
static inline struct raft_entry *raft_log_at(const struct raft_log *l, uint64_t index)
{
    must(index >= l->first && index < l->first + l->n);
    return &l->ring[(l->head + (index - l->first)) & (l->cap - 1)];
}
void raft_log_add(struct raft_log *l, const struct raft_entry *e);  /* takes a reference on e->owner */
void raft_log_cut(struct raft_log *l, uint64_t from);               /* entries >= from go */
void raft_log_forget(struct raft_log *l, uint64_t upto);            /* entries <= upto go */
void raft_log_reset(struct raft_log *l, uint64_t offset);
void raft_log_check(const struct raft_log *l);

#endif
