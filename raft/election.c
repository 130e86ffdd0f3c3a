/* raft/election.c: who leads.
 *
 * Three guards together keep a head that was cut off from disturbing a working group: pre-vote (it first
 * asks whether it could win), stickiness (who hears a leader grants nothing) and check-quorum (a leader
 * that hears no majority steps down, so stickiness cannot keep a dead leader in office).  Raft thesis
 * 4.2.3, 6.4, 9.6. */
#include "raft/core_impl.h"

void raft_election__timer(struct raft_core *c)
{
    c->election_due = c->now_ns + c->election_min_ns
                    + raft_core__random(c, c->election_max_ns - c->election_min_ns);
}

/* The connection to the leader broke: do not sit out the whole timeout, only the part that its lease may
 * count on. */
void raft_election__hurry(struct raft_core *c)
{
    uint64_t earliest = MAX_OF(c->now_ns, c->heard_ns + c->election_min_ns);
    uint64_t due = earliest + raft_core__random(c, (c->election_max_ns - c->election_min_ns) / 4);

    c->election_due = MIN_OF(c->election_due, due);
}

/* Just started, nobody was heard yet, and a peer can be reached from now on: a first campaign may succeed.
 * Not before our own vote may count. */
void raft_election__begin(struct raft_core *c)
{
    uint64_t due = MAX_OF(c->now_ns, c->votes_from_ns) + raft_core__random(c, 2 * c->heartbeat_ns);

    c->election_due = MIN_OF(c->election_due, due);
}

bool raft_election__sticky(const struct raft_core *c)
{
    if (c->role == RAFT_LEADER)
        return true;
    /* By when a leader was heard, not by whether one is known: a lease outlives what made us forget its
     * owner. */
    return c->heard_ns != 0 && c->now_ns < c->heard_ns + c->election_min_ns;
}

static void election_ask(struct raft_core *c, enum raft_message_type type, uint64_t term)
{
    memset(c->poll, 0, sizeof(c->poll));
    for (unsigned i = 0; i < c->config.n; i++) {
        uint64_t to = c->config.head[i].id;
        if (to == c->id || !raft_config_votes(&c->config, to))
            continue;
        struct raft_message *m = raft_core__emit(c, type, to);
        m->term = term;
        m->vote.last_index = c->trail.last;
        m->vote.last_term = trail_last_term(&c->trail);
        m->vote.force = c->forced;
    }
}

static void election_own_vote(struct raft_core *c)
{
    int slot = raft_config_find(&c->config, c->id);

    if (slot >= 0)
        c->poll[slot].granted = 1;
}

/* A majority granted (or can no longer grant)? */
static bool election_won(const struct raft_core *c)
{
    uint64_t yes[RAFT_MAX_HEADS];

    for (unsigned i = 0; i < c->config.n; i++)
        yes[i] = c->poll[i].granted;
    return raft_core__quorum(c, yes) == 1;
}

static bool election_lost(const struct raft_core *c)
{
    uint64_t open[RAFT_MAX_HEADS];

    for (unsigned i = 0; i < c->config.n; i++)
        open[i] = !c->poll[i].refused;
    return raft_core__quorum(c, open) == 0;
}

void raft_election__campaign(struct raft_core *c, bool forced, struct raft_update *u)
{
    must(c->role != RAFT_LEADER);
    c->role = RAFT_CANDIDATE;
    c->forced = forced;
    c->leader = 0;
    c->verified = 0;
    c->ack.round = c->ack.sent_ns = c->ack.told = 0;
    raft_core__hard(c, c->hard.term + 1, c->id);
    raft_election__timer(c);
    election_ask(c, RAFT_MSG_VOTE, c->hard.term);
    (void)u;                                     /* own vote counts when it is durable: raft_election__durable() */
}

static void election_precampaign(struct raft_core *c, struct raft_update *u)
{
    c->role = RAFT_PRECANDIDATE;
    c->forced = false;
    c->leader = 0;
    raft_election__timer(c);
    election_ask(c, RAFT_MSG_PREVOTE, c->hard.term + 1);
    election_own_vote(c);
    if (election_won(c))
        raft_election__campaign(c, false, u);
}

void raft_election__durable(struct raft_core *c, struct raft_update *u)
{
    if (c->role != RAFT_CANDIDATE || c->hard.vote != c->id)
        return;
    election_own_vote(c);
    if (election_won(c))
        raft_core__lead(c, u);
}

/* A leader that a majority has not answered for an election timeout is none. */
static void election_check_quorum(struct raft_core *c)
{
    uint64_t heard[RAFT_MAX_HEADS];

    for (unsigned i = 0; i < c->config.n; i++)
        heard[i] = c->config.head[i].id == c->id ? c->now_ns : c->progress[i].heard_ns;
    if (raft_core__quorum(c, heard) + c->election_max_ns < c->now_ns)
        raft_core__follow(c, c->hard.term, 0);
}

/* Who may not stand and hears no leader has no reason to say anything; its connections may be dead without
 * its noticing, and nobody may dial it because it was removed meanwhile.  So it asks all that it knows, ever
 * more seldom: what cannot be delivered makes the connection anew, and that one begins with a hello, to
 * which a head that was removed is told so. */
static void election_knock(struct raft_core *c)
{
    for (unsigned i = 0; i < c->config.n; i++) {
        if (c->config.head[i].id == c->id)
            continue;
        struct raft_message *m = raft_core__emit(c, RAFT_MSG_READ, c->config.head[i].id);
        m->term = 0;
        m->read.ctx = 0;                         /* no question of the host's: an answer is not waited for */
    }
    c->election_due = c->now_ns + (c->election_max_ns << c->knocks)
                    + raft_core__random(c, c->election_max_ns);
    c->knocks = MIN_OF(c->knocks + 1, RAFT_MAX_KNOCKS);
}

void raft_election__tick(struct raft_core *c, struct raft_update *u)
{
    if (c->role == RAFT_LEADER) {
        election_check_quorum(c);
        return;
    }
    if (c->now_ns < c->election_due)
        return;
    if (raft_core__campaigns(c) && raft_doubt__may_lead(c))
        election_precampaign(c, u);
    else
        election_knock(c);
}

static bool election_log_ok(const struct raft_core *c, const struct raft_message *m)
{
    uint64_t term = trail_last_term(&c->trail);

    if (BUG(c, RAFT_BUG_VOTE_STALE_LOG))
        return true;
    return raft_up_to_date(m->vote.last_term, m->vote.last_index, term, c->trail.last)
        && raft_doubt__covered(c, m->vote.last_term, m->vote.last_index);
}

void raft_election__on_vote(struct raft_core *c, const struct raft_message *m)
{
    bool pre = m->type == RAFT_MSG_PREVOTE;
    bool grant = !c->blank && election_log_ok(c, m) && c->now_ns >= c->votes_from_ns;

    if (pre)
        grant = grant && m->term > c->hard.term && !raft_election__sticky(c);
    else
        grant = grant && (c->hard.vote == m->from || (c->hard.vote == 0 && c->leader == 0));
    if (!pre && BUG(c, RAFT_BUG_VOTE_TWICE) && c->role == RAFT_FOLLOWER)
        grant = election_log_ok(c, m);
    if (grant && !pre) {
        raft_core__hard(c, c->hard.term, m->from);
        raft_election__timer(c);
    }
    struct raft_message *r = raft_core__emit(c, pre ? RAFT_MSG_PREVOTE_REPLY : RAFT_MSG_VOTE_REPLY, m->from);
    r->vote_reply.granted = grant;
    if (pre && grant)
        r->term = m->term;                       /* so that the asker sees which question this answers */
}

void raft_election__on_vote_reply(struct raft_core *c, const struct raft_message *m, struct raft_update *u)
{
    bool pre = m->type == RAFT_MSG_PREVOTE_REPLY;
    int  slot = raft_config_find(&c->config, m->from);

    if (slot < 0 || c->role != (pre ? RAFT_PRECANDIDATE : RAFT_CANDIDATE))
        return;
    if (pre && m->vote_reply.granted && m->term != c->hard.term + 1)
        return;
    if (!pre && m->term != c->hard.term)
        return;
    if (m->vote_reply.granted)
        c->poll[slot].granted = 1;
    else
        c->poll[slot].refused = 1;
    if (election_won(c)) {
        if (pre)
            raft_election__campaign(c, false, u);
        else if (c->hard_durable == c->hard.gen)
            raft_core__lead(c, u);
    } else if (election_lost(c)) {
        raft_core__follow(c, c->hard.term, 0);   /* wait for the next timeout, or for the leader that others hear */
    }
}
