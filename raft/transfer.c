/* raft/transfer.c: a leader hands over on purpose (thesis 3.10): it stops taking proposals, brings the
 * successor up to date and tells it to campaign at once.
 *
 * The successor's campaign ignores stickiness, on which the lease rests, so the lease is given up before
 * the word is sent, for the rest of the term: should the handover fail, the word may still be under way.
 * Reads go by rounds then.  A leader that is no voter any more is done once the word is out. */
#include "raft/core_impl.h"

static int transfer_pick(const struct raft_core *c)
{
    int best = -1;

    for (unsigned i = 0; i < c->config.n; i++) {
        if (c->config.head[i].id == c->id || !raft_config_votes(&c->config, c->config.head[i].id))
            continue;
        if (c->progress[i].gone || c->progress[i].heard_ns + c->election_min_ns < c->now_ns)
            continue;                            /* silent */
        if (best < 0 || c->progress[i].match > c->progress[best].match)
            best = (int)i;
    }
    return best;
}

int raft_transfer__start(struct raft_core *c, uint64_t to)
{
    if (c->role != RAFT_LEADER)
        return E_NOLEADER;
    if (to == c->id)
        return E_EXISTS;
    int slot = to != 0 ? raft_config_find(&c->config, to) : transfer_pick(c);
    if (slot < 0 || !raft_config_votes(&c->config, c->config.head[slot].id))
        return E_NOTFOUND;
    c->transfer_to = c->config.head[slot].id;
    c->transfer_due = c->now_ns + c->election_max_ns;
    raft_transfer__advance(c);
    return 0;
}

void raft_transfer__advance(struct raft_core *c)
{
    struct raft_progress *p = c->transfer_to != 0 ? raft_core__peer(c, c->transfer_to) : NULL;

    if (p == NULL || p->match < c->trail.last)
        return;
    c->lease_lost = true;
    raft_core__emit(c, RAFT_MSG_TIMEOUT_NOW, c->transfer_to);
    if (!raft_core__votes(c) && c->config.index <= c->commit)
        raft_core__follow(c, c->hard.term, 0);
}

void raft_transfer__gone(struct raft_core *c, uint64_t id)
{
    if (c->transfer_to == id)
        c->transfer_to = 0;
}

void raft_transfer__tick(struct raft_core *c)
{
    if (c->transfer_to != 0 && c->now_ns >= c->transfer_due)
        c->transfer_to = 0;
}
