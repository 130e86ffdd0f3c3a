/* raft/commit.c: what is durable here and on a majority, and the configurations that the log carries. */
#include "raft/core_impl.h"

void raft_commit__to(struct raft_core *c, uint64_t index)
{
    must(index <= c->trail.last);
    if (index <= c->commit)
        return;
    if (c->role == RAFT_LEADER) {
        for (uint64_t i = c->commit + 1; i <= index; i++) {
            uint64_t bytes = c->entry_size(c->arg, i) + RAFT_ENTRY_OVERHEAD;
            c->uncommitted -= MIN_OF(bytes, c->uncommitted);
        }
    }
    c->commit = index;
    if (c->config.index <= index)
        c->config_before = c->config;
}

/* Only entries of the own term commit by counting; older ones with them (thesis 3.6.2, figure 8). */
void raft_commit__advance(struct raft_core *c)
{
    uint64_t match[RAFT_MAX_HEADS];

    must(c->role == RAFT_LEADER);
    for (unsigned i = 0; i < c->config.n; i++)
        match[i] = c->config.head[i].id == c->id ? c->durable : c->progress[i].match;
    uint64_t index = raft_config_quorum(&c->config, match);
    must(index <= c->trail.last);
    if (index <= c->commit)
        return;
    if (trail_term(&c->trail, index) == c->hard.term || BUG(c, RAFT_BUG_COMMIT_OLD_TERM))
        raft_commit__to(c, index);
}

void raft_commit__durable(struct raft_core *c, struct raft_mark mark, struct raft_update *u)
{
    must(mark.hard_gen <= c->hard.gen);
    must(mark.epoch <= c->epoch);
    c->hard_durable = MAX_OF(c->hard_durable, mark.hard_gen);
    /* A log that was cut back since the write was put together proves nothing by its old length. */
    if (mark.epoch == c->epoch || BUG(c, RAFT_BUG_KEEP_EPOCH))
        c->durable = MAX_OF(c->durable, MIN_OF(mark.index, c->trail.last));
    if (c->hard_durable == c->hard.gen)
        raft_election__durable(c, u);
    if (c->role == RAFT_LEADER)
        raft_commit__advance(c);
}

/* Progress follows the heads, not the slots. */
static void commit_use_config(struct raft_core *c, const struct raft_config *next)
{
    struct raft_progress *old = mem_alloc(sizeof(c->progress));
    struct raft_config    before = c->config;

    memcpy(old, c->progress, sizeof(c->progress));
    c->config = *next;
    c->wants_snapshot = 0;                       /* by slot: found anew at the next flush */
    for (unsigned i = 0; i < next->n; i++) {
        int slot = raft_config_find(&before, next->head[i].id);
        if (slot >= 0 && old[slot].id == next->head[i].id)
            c->progress[i] = old[slot];
        else
            raft_progress_init(&c->progress[i], next->head[i].id, c->trail.last + 1, c->now_ns);
        if (c->progress[i].state == RAFT_SNAPSHOT)
            raft_progress_probe(&c->progress[i], c->progress[i].match + 1);
    }
    mem_free(old);
}

void raft_commit__adopt(struct raft_core *c, uint64_t index, const struct raft_entry *e)
{
    struct raft_config next;

    if (e->type != RAFT_ENTRY_CONFIG || raft_config_decode(raft_entry_data(e), &next) != 0)
        return;
    if (c->config.index <= c->commit)
        c->config_before = c->config;
    next.index = index;
    commit_use_config(c, &next);
}

void raft_core_adopt(struct raft_core *c, uint64_t index, const struct raft_entry *e)
{
    must(index <= c->trail.last && index > c->config.index);
    raft_commit__adopt(c, index, e);
}

void raft_commit__truncated(struct raft_core *c, uint64_t from)
{
    must(from > c->commit);
    if (!BUG(c, RAFT_BUG_KEEP_EPOCH)) {
        c->epoch++;
        c->durable = MIN_OF(c->durable, from - 1);
    }
    if (c->config.index >= from) {
        must(c->config_before.index < from);
        commit_use_config(c, &c->config_before);
    }
}

void raft_commit__installed(struct raft_core *c, const struct raft_event *e)
{
    uint64_t index = e->installed.index, term = e->installed.term;

    must(index > c->commit);
    must(c->role != RAFT_LEADER);
    if (trail_term(&c->trail, index) == term) {
        trail_compact(&c->trail, index);         /* the log goes on behind the snapshot: keep that */
    } else {
        trail_reset(&c->trail, index, term);
        c->epoch++;
        c->verified = 0;
    }
    c->durable = MAX_OF(MIN_OF(c->durable, c->trail.last), index);
    c->verified = MAX_OF(c->verified, index);    /* committed: the same in every leader's log */
    c->commit = index;
    c->config_before = *e->installed.config;
    if (c->config.index <= index)
        commit_use_config(c, e->installed.config);
    c->ack.now = true;
}
