/* raft/config_log.c: see raft/config_log.h. */
#include "raft/config_log.h"

static struct raft_config *config_copy(const struct raft_config *c)
{
    struct raft_config *copy = mem_alloc(sizeof(*copy));

    *copy = *c;
    return copy;
}

static void config_log_drop(struct config_log *l, size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i++)
        mem_free(l->at[i]);
    memmove(l->at + from, l->at + from + n, (l->n - from - n) * sizeof(l->at[0]));
    l->n -= n;
}

static void config_log_push(struct config_log *l, const struct raft_config *c)
{
    if (l->n == l->cap) {
        l->cap = l->cap > 0 ? 2 * l->cap : 4;
        l->at = mem_realloc(l->at, l->cap * sizeof(l->at[0]));
    }
    l->at[l->n++] = config_copy(c);
}

void config_log_init(struct config_log *l, const struct raft_config *base)
{
    *l = (struct config_log){ 0 };
    config_log_push(l, base);
}

void config_log_release(struct config_log *l)
{
    config_log_drop(l, 0, l->n);
    mem_free(l->at);
    *l = (struct config_log){ 0 };
}

void config_log_add(struct config_log *l, const struct raft_config *c)
{
    must(l->n > 0 && c->index > config_log_last(l)->index);
    config_log_push(l, c);
}

void config_log_cut(struct config_log *l, uint64_t from)
{
    while (l->n > 1 && config_log_last(l)->index >= from)
        config_log_drop(l, l->n - 1, 1);
    must(config_log_last(l)->index < from);
}

void config_log_forget(struct config_log *l, uint64_t upto)
{
    while (l->n > 1 && l->at[1]->index <= upto)
        config_log_drop(l, 0, 1);
}

void config_log_rebase(struct config_log *l, const struct raft_config *base, uint64_t upto)
{
    must(base->index <= upto);
    config_log_forget(l, upto);
    if (l->at[0]->index <= upto)
        *l->at[0] = *base;
}

const struct raft_config *config_log_at(const struct config_log *l, uint64_t index)
{
    size_t i = l->n - 1;

    while (i > 0 && l->at[i]->index > index)
        i--;
    return l->at[i];
}
