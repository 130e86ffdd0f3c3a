/* raft/core_check.c: what holds in a core between any two steps. */
#include "raft/core_impl.h"

static void core_check_log(const struct raft_core *c)
{
    trail_check(&c->trail);
    must(c->commit >= c->trail.offset);
    must(c->commit <= c->trail.last);
    must(c->durable <= c->trail.last);
    must(c->verified <= c->trail.last);
    must(trail_last_term(&c->trail) <= c->hard.term);
    must(!c->doubt.lost || (c->role == RAFT_FOLLOWER && c->leader == 0));
    must(c->config.n <= RAFT_MAX_HEADS);
    must(c->config.n > 0 || c->role == RAFT_FOLLOWER);         /* empty: it waits to be told who there is */
    must(c->config.index <= c->trail.last || BUG(c, RAFT_BUG_CONFIG_STAYS));
    must(c->configs.n > 0 && c->configs.at[0]->index <= c->trail.offset);
    must(c->configs.n == 1 || c->configs.at[1]->index > c->trail.offset);
    must(c->config.index == config_log_last(&c->configs)->index || BUG(c, RAFT_BUG_CONFIG_LATE));
}

static void core_check_role(const struct raft_core *c)
{
    must(c->hard_durable <= c->hard.gen);
    must(c->held_n <= RAFT_MAX_HELD);
    must(c->read_n <= RAFT_MAX_READS);
    switch (c->role) {
    case RAFT_FOLLOWER:
        must(c->leader != c->id);
        must(c->read_n == 0);
        must(c->transfer_to == 0);
        break;
    case RAFT_PRECANDIDATE:
        must(c->leader == 0);
        break;
    case RAFT_CANDIDATE:
        must(c->leader == 0);
        must(c->hard.vote == c->id);
        break;
    case RAFT_LEADER:
        must(c->leader == c->id);
        must(c->hard.vote == c->id);
        must(c->hard_durable == c->hard.gen);
        must(c->term_start > 0 && c->term_start <= c->trail.last);
        must(c->trail.offset >= c->term_start || trail_term(&c->trail, c->term_start) == c->hard.term);
        must(!c->failed);
        break;
    }
}

void raft_core_check(const struct raft_core *c)
{
    core_check_log(c);
    core_check_role(c);
    if (c->role != RAFT_LEADER)
        return;
    for (unsigned i = 0; i < c->config.n; i++) {
        must(c->progress[i].id == c->config.head[i].id);
        if (c->progress[i].id != c->id)
            raft_progress_check(&c->progress[i], c->trail.last);
    }
    for (unsigned i = 1; i < c->read_n; i++)
        must(c->read[(c->read_at + i - 1) % RAFT_MAX_READS].round <= c->read[(c->read_at + i) % RAFT_MAX_READS].round);
}
