/* raft/doubt.c: votes of a head that lost part of its log, and the questions of one that does not
 * even know what it lost. */
#include "raft/core_impl.h"

bool raft_doubt__covered(const struct raft_core *c, uint64_t last_term, uint64_t last_index)
{
    if (BUG(c, RAFT_BUG_FORGET_DOUBT))
        return true;
    return raft_up_to_date(last_term, last_index, c->doubt.term, c->doubt.index);
}

bool raft_doubt__may_lead(const struct raft_core *c)
{
    return !c->doubt.lost && raft_doubt__covered(c, trail_last_term(&c->trail), c->trail.last);
}

/* ---- Lost ---------------------------------------------------------------------------------------- */

void raft_doubt__ask(struct raft_core *c, uint64_t id)
{
    if (id == c->id || !raft_config_votes(&c->config, id) || c->outdated)
        return;
    struct raft_message *m = raft_core__emit(c, RAFT_MSG_RECALL, id);
    m->term = 0;
    m->recall.ctx = c->recall_ctx;
}

void raft_doubt__tick(struct raft_core *c)
{
    must(c->doubt.lost && c->role == RAFT_FOLLOWER);
    if (c->now_ns < c->election_due)
        return;
    raft_election__timer(c);
    for (unsigned i = 0; i < c->config.n; i++)
        raft_doubt__ask(c, c->config.head[i].id);
}

void raft_doubt__told(struct raft_core *c, const struct raft_message *m)
{
    uint64_t index = m->type == RAFT_MSG_APPEND ? m->append.commit
                   : m->type == RAFT_MSG_HEARTBEAT ? m->heartbeat.commit : m->chunk.index;

    must(c->blank && c->trail.last == 0);
    c->blank = false;
    raft_doubt_widen(&c->doubt, index, m->term);
    c->hard.gen++;                               /* the disk is told */
}

/* Who asks is lost.  So are we: it will not answer, and whatever it once counted of ours is forgotten.  What
 * others did with it they did before now: they are asked anew. */
static void doubt_both_lost(struct raft_core *c, uint64_t other)
{
    int slot = raft_config_find(&c->config, other);

    if (slot < 0 || c->recall[slot].lost)
        return;
    c->recall[slot].lost = true;
    for (unsigned i = 0; i < c->config.n; i++)
        c->recall[i].answered = false;
    c->recall_ctx = raft_core__random(c, UINT64_MAX) | 1;
    c->election_due = c->now_ns;
}

/* Any head that is not lost itself answers with what it would vote by. */
void raft_doubt__on_recall(struct raft_core *c, const struct raft_message *m)
{
    if (m->recall.ctx == 0)
        return;
    if (c->doubt.lost && !c->newborn) {
        doubt_both_lost(c, m->from);
        return;
    }
    struct raft_message *r = raft_core__emit(c, RAFT_MSG_RECALL_REPLY, m->from);
    r->recall_reply.ctx = m->recall.ctx;
    r->recall_reply.voters = raft_config_voters(&c->config);
    r->recall_reply.newborn = c->newborn;
    r->recall_reply.last_index = c->trail.last;
    r->recall_reply.last_term = trail_last_term(&c->trail);
    if (!c->newborn && !raft_doubt__may_lead(c)) {
        r->recall_reply.last_index = c->doubt.index;
        r->recall_reply.last_term = c->doubt.term;
    }
    int slot = raft_config_find(&c->config, m->from);
    if (c->newborn && slot >= 0 && !c->recall[slot].answered)
        raft_doubt__ask(c, m->from);             /* its way to us has only now become open */
}

/* Nobody has an entry: the cluster begins.  Who has voted already is in a term. */
static void doubt_born(struct raft_core *c, uint64_t term)
{
    c->newborn = false;
    c->doubt = (struct raft_doubt){ 0 };
    if (term > c->hard.term)
        raft_core__hard(c, term, RAFT_VOTE_UNKNOWN);
    raft_election__begin(c);
}

/* True: it is a lost head from now on. */
static bool doubt_newborn(struct raft_core *c)
{
    bool all = true, history = false;
    uint64_t term = 0;

    for (unsigned i = 0; i < c->config.n; i++) {
        if (c->config.head[i].id == c->id || !raft_config_votes(&c->config, c->config.head[i].id))
            continue;
        all = all && c->recall[i].answered;
        history = history || c->recall[i].last_index > 0;
        term = MAX_OF(term, c->recall[i].term);
    }
    if (!history && all)
        doubt_born(c, term);
    if (!history)
        return false;
    c->newborn = false;
    c->votes_from_ns = c->now_ns + c->election_min_ns;         /* as after any restart */
    c->hard.gen++;                               /* the disk is told that it is lost */
    for (unsigned i = 0; i < c->config.n; i++)
        if (c->recall[i].newborn)
            doubt_both_lost(c, c->config.head[i].id);
    return true;
}

static void doubt_resolve(struct raft_core *c)
{
    struct raft_doubt d = c->doubt;
    uint64_t term = c->hard.term, lost[RAFT_MAX_HEADS];

    for (unsigned i = 0; i < c->config.n; i++) {
        uint64_t id = c->config.head[i].id;
        lost[i] = !c->recall[i].answered;
        if (id == c->id || !raft_config_votes(&c->config, id))
            continue;
        if (lost[i] && !c->recall[i].lost)
            return;
        if (lost[i])
            continue;
        term = MAX_OF(term, c->recall[i].term);
        raft_doubt_widen(&d, c->recall[i].last_index, c->recall[i].last_term);
    }
    if (raft_core__quorum(c, lost) != 0)
        return;                                  /* what they decided together nobody else need know */
    c->doubt = (struct raft_doubt){ .index = d.index, .term = d.term };
    c->hard.term = term;
    c->hard.vote = RAFT_VOTE_UNKNOWN;
    c->hard.gen++;
    raft_election__timer(c);
}

void raft_doubt__on_recall_reply(struct raft_core *c, const struct raft_message *m)
{
    int slot = raft_config_find(&c->config, m->from);

    must(c->doubt.lost);
    if (slot < 0 || m->from == c->id || m->recall_reply.ctx != c->recall_ctx)
        return;
    if (m->term >= UINT64_MAX / 2 || m->recall_reply.last_term > m->term)
        return;
    bool newborn = m->recall_reply.newborn != 0;
    if (newborn && !c->newborn) {
        doubt_both_lost(c, m->from);
        return;
    }
    c->outdated |= !newborn && m->recall_reply.voters != raft_config_voters(&c->config);
    c->recall[slot].answered = true;
    c->recall[slot].newborn = newborn;
    c->recall[slot].term = m->term;
    c->recall[slot].last_index = m->recall_reply.last_index;
    c->recall[slot].last_term = m->recall_reply.last_term;
    if (!c->outdated && (!c->newborn || doubt_newborn(c)))
        doubt_resolve(c);
}
