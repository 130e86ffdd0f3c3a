/* raft/log.c: the ring of entries in memory. */
#include "raft/limits.h"
#include "raft/log.h"

void raft_log_init(struct raft_log *l, uint64_t offset)
{
    *l = (struct raft_log){ .first = offset + 1 };
}

static void log_drop(struct raft_log *l, struct raft_entry *e)
{
    must(l->bytes >= e->len + RAFT_ENTRY_OVERHEAD);
    l->bytes -= e->len + RAFT_ENTRY_OVERHEAD;
    e->owner = blob_unref(e->owner);
    e->p = NULL;
}

void raft_log_reset(struct raft_log *l, uint64_t offset)
{
    if (l->n > 0)
        raft_log_cut(l, l->first);
    must(l->n == 0 && l->bytes == 0);
    l->head = 0;
    l->first = offset + 1;
}

void raft_log_release(struct raft_log *l)
{
    raft_log_reset(l, 0);
    mem_free(l->ring);
    l->ring = NULL;
    l->cap = 0;
}

static void log_grow(struct raft_log *l)
{
    size_t cap = l->cap > 0 ? 2 * l->cap : 256;
    struct raft_entry *ring = mem_alloc(cap * sizeof(*ring));

    for (size_t i = 0; i < l->n; i++)
        ring[i] = l->ring[(l->head + i) & (l->cap - 1)];
    mem_free(l->ring);
    l->ring = ring;
    l->cap = cap;
    l->head = 0;
}

void raft_log_add(struct raft_log *l, const struct raft_entry *e)
{
    must(e->term > 0 && e->type != 0);
    if (l->n == l->cap)
        log_grow(l);
    struct raft_entry *at = &l->ring[(l->head + l->n++) & (l->cap - 1)];
    *at = *e;
    if (at->owner != NULL)
        blob_ref(at->owner);
    l->bytes += e->len + RAFT_ENTRY_OVERHEAD;
}

void raft_log_cut(struct raft_log *l, uint64_t from)
{
    must(from >= l->first);
    while (l->n > 0 && raft_log_last(l) >= from) {
        log_drop(l, raft_log_at(l, raft_log_last(l)));
        l->n--;
    }
}

void raft_log_forget(struct raft_log *l, uint64_t upto)
{
    while (l->n > 0 && l->first <= upto) {
        log_drop(l, raft_log_at(l, l->first));
        l->head = (l->head + 1) & (l->cap - 1);
        l->first++;
        l->n--;
    }
    if (l->n == 0 && upto >= l->first)
        l->first = upto + 1;
}

void raft_log_check(const struct raft_log *l)
{
    must(l->first > 0);
    must(l->n <= l->cap);
    must((l->cap & (l->cap - 1)) == 0);
    must(l->cap == 0 || l->head < l->cap);
    must(l->bytes >= l->n * RAFT_ENTRY_OVERHEAD);
    must(l->n > 0 || l->bytes == 0);
}
