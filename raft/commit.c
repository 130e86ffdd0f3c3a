/* raft/commit.c: what is durable here and on a majority, and the configurations that the log carries. */
#include "raft/core_impl.h"

/* Progress follows the heads, not the slots. */
static void commit_use_config(struct raft_core *c, const struct raft_config *next)
{
    struct raft_progress *old = mem_alloc(sizeof(c->progress));
    struct raft_config    before = c->config;
    bool voted = raft_core__campaigns(c);

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
    if (c->role == RAFT_PRECANDIDATE || c->role == RAFT_CANDIDATE)
        raft_core__follow(c, c->hard.term, 0);   /* it asked others than it would have to ask now */
    else if (!voted && c->role == RAFT_FOLLOWER)
        raft_election__timer(c);
}

uint64_t raft_core__quorum(const struct raft_core *c, const uint64_t value[RAFT_MAX_HEADS])
{
    struct raft_config wrong;

    if (!BUG(c, RAFT_BUG_LEARNER_COUNTS))
        return raft_config_quorum(&c->config, value);
    wrong = c->config;
    for (unsigned i = 0; i < wrong.n; i++)
        if (wrong.head[i].parts & RAFT_LEARNER)
            wrong.head[i].parts |= RAFT_VOTER;
    return raft_config_quorum(&wrong, value);
}

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
    if (BUG(c, RAFT_BUG_CONFIG_LATE) && c->config.index != config_log_at(&c->configs, index)->index)
        commit_use_config(c, config_log_at(&c->configs, index));
}

/* Only entries of the own term commit by counting; older ones with them (thesis 3.6.2, figure 8). */
void raft_commit__advance(struct raft_core *c)
{
    uint64_t match[RAFT_MAX_HEADS];

    must(c->role == RAFT_LEADER);
    for (unsigned i = 0; i < c->config.n; i++)
        match[i] = c->config.head[i].id == c->id ? c->durable : c->progress[i].match;
    uint64_t index = raft_core__quorum(c, match);
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

void raft_commit__adopt(struct raft_core *c, uint64_t index, const struct raft_entry *e)
{
    struct raft_config next;

    if (e->type != RAFT_ENTRY_CONFIG || raft_config_decode(raft_entry_data(e), &next) != 0)
        return;
    next.index = index;
    config_log_add(&c->configs, &next);
    if (!BUG(c, RAFT_BUG_CONFIG_LATE))
        commit_use_config(c, &next);
}

const struct raft_config *raft_core_config(const struct raft_core *c, uint64_t index)
{
    return config_log_at(&c->configs, index);
}

void raft_commit__truncated(struct raft_core *c, uint64_t from)
{
    must(from > c->commit);
    if (!BUG(c, RAFT_BUG_KEEP_EPOCH)) {
        c->epoch++;
        c->durable = MIN_OF(c->durable, from - 1);
    }
    config_log_cut(&c->configs, from);
    if (c->config.index >= from && !BUG(c, RAFT_BUG_CONFIG_STAYS))
        commit_use_config(c, config_log_last(&c->configs));
}

void raft_commit__installed(struct raft_core *c, const struct raft_event *e)
{
    uint64_t index = e->installed.index, term = e->installed.term;
    struct raft_config config = *e->installed.config;

    must(index > c->commit);
    must(c->role != RAFT_LEADER);
    if (trail_term(&c->trail, index) == term) {
        trail_compact(&c->trail, index);         /* the log goes on behind the snapshot: keep that */
    } else {
        trail_reset(&c->trail, index, term);
        config_log_cut(&c->configs, index + 1);
        c->epoch++;
        c->verified = 0;
    }
    c->durable = MAX_OF(MIN_OF(c->durable, c->trail.last), index);
    c->verified = MAX_OF(c->verified, index);    /* committed: the same in every leader's log */
    c->commit = index;
    config.index = MIN_OF(config.index, index);  /* whatever the file says */
    config_log_rebase(&c->configs, &config, index);
    commit_use_config(c, config_log_last(&c->configs));
    c->ack.now = true;
}
