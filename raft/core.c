/* raft/core.c: the core's life, dispatch of events, role changes, and the queue that keeps promises back
 * until they are durable. */
#include "raft/core_impl.h"

uint64_t raft_core__random(struct raft_core *c, uint64_t below)
{
    c->rng ^= c->rng << 13;                      /* xorshift: enough to spread timeouts */
    c->rng ^= c->rng >> 7;
    c->rng ^= c->rng << 17;
    return below > 0 ? c->rng % below : 0;
}

/* Before the restart this head may have acknowledged a leader's heartbeat: that leader's lease counts on no
 * vote from here for an election timeout.  Alone, there is nobody to count on it; new, there was no leader. */
static void core_begin_timers(struct raft_core *c)
{
    bool alone = raft_config_alone(&c->config, c->id);

    c->votes_from_ns = c->restarted && !alone ? c->now_ns + c->election_min_ns : 0;
    raft_election__timer(c);
    if (alone)
        c->election_due = c->now_ns;
    else if (!c->restarted)
        c->election_due = c->now_ns + raft_core__random(c, c->election_min_ns);
}

void raft_core_adopt(struct raft_core *c, uint64_t index, const struct raft_entry *e)
{
    must(index <= c->trail.last && index > c->config.index);
    raft_commit__adopt(c, index, e);
    core_begin_timers(c);
}

void raft_core_init(struct raft_core *c, const struct raft_core_opts *o, struct trail *trail)
{
    must(o->id > 0 && o->heartbeat_ns > 0);
    must(o->heartbeat_ns < o->election_min_ns && o->election_min_ns < o->election_max_ns);
    must(o->commit >= trail->offset && o->commit <= trail->last);
    memset(c, 0, sizeof(*c));
    c->id = o->id;
    c->bugs = o->bugs;
    c->rng = (o->seed ^ (o->id * 0x9e3779b97f4a7c15u)) | 1;
    c->config = o->config;
    c->config.index = MIN_OF(o->config.index, trail->offset);
    config_log_init(&c->configs, &c->config);
    c->hard.term = MAX_OF(o->term, trail_last_term(trail));
    c->hard.vote = o->term == c->hard.term ? o->vote : 0;
    c->doubt = o->doubt;
    c->newborn = o->newborn && !BUG(c, RAFT_BUG_NEWBORN_VOTES);
    c->doubt.lost |= c->newborn;
    c->blank = o->config.n == 0 && trail->last == 0;
    c->recall_ctx = (c->rng * 0xd1342543de82ef95u) | 1;
    c->trail = *trail;
    trail_init(trail, 0, 0);
    c->durable = c->trail.last;
    c->commit = o->commit;
    c->now_ns = o->now_ns;
    c->heartbeat_ns = o->heartbeat_ns;
    c->election_min_ns = o->election_min_ns;
    c->election_max_ns = o->election_max_ns;
    c->lease_ns = o->election_min_ns / 100 * RAFT_LEASE_PERCENT;
    c->max_uncommitted = o->max_uncommitted > 0 ? o->max_uncommitted : RAFT_MAX_UNCOMMITTED;
    c->max_append = o->max_append > 0 ? o->max_append : RAFT_MAX_APPEND;
    c->entry_size = o->entry_size;
    c->arg = o->arg;
    c->restarted = o->restarted;
    c->held = mem_alloc(RAFT_MAX_HELD * sizeof(*c->held));
    core_begin_timers(c);
}

void raft_core_release(struct raft_core *c)
{
    trail_release(&c->trail);
    config_log_release(&c->configs);
    c->own.owner = blob_unref(c->own.owner);
    mem_free(c->held);
    mem_free(c->out);
    mem_free(c->read_done);
    c->held = NULL;
    c->out = NULL;
    c->read_done = NULL;
}

void raft_core__hard(struct raft_core *c, uint64_t term, uint64_t vote)
{
    must(term >= c->hard.term);
    must(term > c->hard.term || c->hard.vote == 0 || c->hard.vote == vote || BUG(c, RAFT_BUG_VOTE_TWICE));
    if (term == c->hard.term && vote == c->hard.vote)
        return;
    c->hard.term = term;
    c->hard.vote = vote;
    c->hard.gen++;
}

struct raft_progress *raft_core__peer(struct raft_core *c, uint64_t id)
{
    int slot = raft_config_find(&c->config, id);

    return slot >= 0 && id != c->id ? &c->progress[slot] : NULL;
}

/* ---- Messages ------------------------------------------------------------------------------------ */

static void core_out(struct raft_core *c, const struct raft_message *m)
{
    if (c->out_n == c->out_cap) {
        c->out_cap = c->out_cap > 0 ? 2 * c->out_cap : 32;
        c->out = mem_realloc(c->out, c->out_cap * sizeof(*c->out));
    }
    c->out[c->out_n++] = *m;
}

struct raft_message *raft_core__emit(struct raft_core *c, enum raft_message_type type, uint64_t to)
{
    struct raft_message m = { .type = type, .from = c->id, .to = to, .term = c->hard.term };

    must(to != c->id && to != 0);
    if (c->hard.gen == c->hard_durable || BUG(c, RAFT_BUG_VOTE_BEFORE_SYNC)) {
        core_out(c, &m);
        return &c->out[c->out_n - 1];
    }
    if (c->held_n == RAFT_MAX_HELD) {            /* the disk is very slow; Raft tolerates loss, oldest first */
        memmove(c->held, c->held + 1, (RAFT_MAX_HELD - 1) * sizeof(*c->held));
        c->held_n--;
    }
    c->held[c->held_n].m = m;
    c->held[c->held_n].gen = c->hard.gen;
    return &c->held[c->held_n++].m;
}

static void core_release_held(struct raft_core *c)
{
    size_t n = 0;

    while (n < c->held_n && c->held[n].gen <= c->hard_durable)
        core_out(c, &c->held[n++].m);
    memmove(c->held, c->held + n, (c->held_n - n) * sizeof(*c->held));
    c->held_n -= n;
}

size_t raft_core_flush(struct raft_core *c, uint64_t now_ns, struct raft_message **ret)
{
    c->now_ns = MAX_OF(c->now_ns, now_ns);
    if (!c->failed) {
        core_release_held(c);
        raft_replication__flush(c);
    }
    size_t n = c->out_n;
    c->out_n = 0;
    *ret = c->out;
    return n;
}

/* ---- Roles --------------------------------------------------------------------------------------- */

void raft_core__follow(struct raft_core *c, uint64_t term, uint64_t leader)
{
    if (term > c->hard.term) {
        raft_core__hard(c, term, 0);
        c->verified = 0;
        c->ack.round = c->ack.sent_ns = c->ack.told = 0;
        c->ack.now = false;
    }
    if (c->role == RAFT_LEADER)
        c->verified = 0;
    if (c->leader != leader && leader != 0)
        c->leader_changes++;
    c->role = RAFT_FOLLOWER;
    c->leader = leader;
    c->transfer_to = 0;
    c->wants_snapshot = 0;
    raft_read__drop(c);
    raft_election__timer(c);
}

void raft_core__lead(struct raft_core *c, struct raft_update *u)
{
    must(c->role == RAFT_CANDIDATE);
    must(c->hard_durable == c->hard.gen && c->hard.vote == c->id);
    c->role = RAFT_LEADER;
    c->leader = c->id;
    c->leader_changes++;
    c->term_start = c->trail.last + 1;
    c->verified = 0;
    c->lease_lost = false;
    c->transfer_to = 0;
    c->wants_snapshot = 0;
    c->heartbeat_due = c->now_ns;
    c->quorum_checked_ns = c->now_ns;
    c->uncommitted = 0;
    for (uint64_t i = c->commit + 1; i <= c->trail.last; i++)
        c->uncommitted += c->entry_size(c->arg, i) + RAFT_ENTRY_OVERHEAD;
    for (unsigned i = 0; i < c->config.n; i++)
        raft_progress_init(&c->progress[i], c->config.head[i].id, c->term_start, c->now_ns);
    c->own.owner = blob_unref(c->own.owner);
    c->own = (struct raft_entry){ .type = RAFT_ENTRY_NOOP };
    raft_replication__append_own(c, &c->own, 1, u);
}

/* ---- Events -------------------------------------------------------------------------------------- */

/* A message of a higher term: true if it may raise ours. */
static bool core_higher_term(struct raft_core *c, const struct raft_message *m)
{
    bool from_leader = m->type == RAFT_MSG_APPEND || m->type == RAFT_MSG_HEARTBEAT || m->type == RAFT_MSG_CHUNK;

    if (m->type == RAFT_MSG_PREVOTE || (m->type == RAFT_MSG_PREVOTE_REPLY && m->vote_reply.granted))
        return true;                             /* hypothetical terms */
    if (m->type == RAFT_MSG_VOTE && !m->vote.force && raft_election__sticky(c))
        return false;                            /* a leader is alive: do not let a returning head disturb it */
    if (m->type == RAFT_MSG_VOTE && c->now_ns < c->votes_from_ns)
        return false;
    raft_core__follow(c, m->term, from_leader ? m->from : 0);
    return true;
}

/* A message of a lower term: let its sender know, so that it is not stuck. */
static void core_lower_term(struct raft_core *c, const struct raft_message *m)
{
    struct raft_message *r;

    if (m->type == RAFT_MSG_PREVOTE) {
        raft_core__emit(c, RAFT_MSG_PREVOTE_REPLY, m->from)->vote_reply.granted = false;
    } else if (m->type == RAFT_MSG_APPEND || m->type == RAFT_MSG_HEARTBEAT || m->type == RAFT_MSG_CHUNK) {
        r = raft_core__emit(c, RAFT_MSG_ACK, m->from);
        r->ack.reject = true;                    /* its meaning is the term */
    }
}

static void core_from_leader(struct raft_core *c, const struct raft_message *m, struct raft_update *u)
{
    if (c->role == RAFT_LEADER)
        return;                                  /* two leaders in one term: a forged message */
    if (c->role != RAFT_FOLLOWER || c->leader != m->from)
        raft_core__follow(c, m->term, m->from);
    if (c->blank)
        raft_doubt__told(c, m);
    c->heard_ns = c->now_ns;
    c->knocks = 0;
    raft_election__timer(c);
    if (m->type == RAFT_MSG_APPEND)
        raft_replication__on_append(c, m, u);
    else if (m->type == RAFT_MSG_HEARTBEAT)
        raft_replication__on_heartbeat(c, m);
    else
        u->chunk = true;
}

static void core_receive(struct raft_core *c, const struct raft_message *m, struct raft_update *u)
{
    if (m->from == 0 || m->from == c->id || raft_core_left(c, m->from))
        return;
    if (m->type == RAFT_MSG_RECALL) {
        raft_doubt__on_recall(c, m);
        return;
    }
    if (c->doubt.lost) {                         /* neither what it has nor what it promised is known */
        if (m->type == RAFT_MSG_RECALL_REPLY)
            raft_doubt__on_recall_reply(c, m);
        return;
    }
    if (m->type == RAFT_MSG_READ) {
        raft_read__on_read(c, m);
        return;
    }
    if (m->term > c->hard.term && !core_higher_term(c, m))
        return;
    if (m->term < c->hard.term) {
        core_lower_term(c, m);
        return;
    }
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:          raft_election__on_vote(c, m); break;
    case RAFT_MSG_PREVOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY:    raft_election__on_vote_reply(c, m, u); break;
    case RAFT_MSG_APPEND:
    case RAFT_MSG_HEARTBEAT:
    case RAFT_MSG_CHUNK:         core_from_leader(c, m, u); break;
    case RAFT_MSG_ACK:           raft_replication__on_ack(c, m); break;
    case RAFT_MSG_READ_REPLY:    raft_read__on_reply(c, m); break;
    case RAFT_MSG_TIMEOUT_NOW:
        if (c->role == RAFT_FOLLOWER && m->from == c->leader && raft_core__votes(c) && raft_doubt__may_lead(c))
            raft_election__campaign(c, true, u);
        break;
    default: break;                              /* the host's own messages, or nonsense */
    }
}

static void core_link(struct raft_core *c, uint64_t id, bool up)
{
    struct raft_progress *p = raft_core__peer(c, id);

    if (c->role == RAFT_LEADER && p != NULL) {
        raft_replication__forget(c, p);
        p->gone = !up;
        if (!up)
            raft_transfer__gone(c, id);
    }
    if (c->role == RAFT_FOLLOWER && id == c->leader && !up)
        raft_election__hurry(c);
    if (c->newborn && up)
        raft_doubt__ask(c, id);
    if (c->role == RAFT_FOLLOWER && c->leader == 0 && c->heard_ns == 0 && up)
        raft_election__begin(c);
}

static void core_snapshot_end(struct raft_core *c, uint64_t id)
{
    struct raft_progress *p = raft_core__peer(c, id);

    if (c->role == RAFT_LEADER && p != NULL && p->state == RAFT_SNAPSHOT)
        raft_progress_probe(p, MAX_OF(p->match, c->trail.offset) + 1);
}

static void core_fail(struct raft_core *c)
{
    c->failed = true;
    c->held_n = c->out_n = 0;
    if (c->role != RAFT_FOLLOWER)
        raft_core__follow(c, c->hard.term, 0);
    c->leader = 0;
}

static void core_tick(struct raft_core *c, struct raft_update *u)
{
    if (c->doubt.lost) {
        raft_doubt__tick(c);
        return;
    }
    if (c->role == RAFT_LEADER)
        raft_transfer__tick(c);
    raft_election__tick(c, u);
    if (c->role == RAFT_LEADER && c->now_ns >= c->heartbeat_due)
        raft_replication__beat(c);
}

static int core_event(struct raft_core *c, const struct raft_event *e, struct raft_update *ret)
{
    switch (e->type) {
    case RAFT_EV_TICK:         core_tick(c, ret); break;
    case RAFT_EV_RECEIVE:      core_receive(c, e->message, ret); break;
    case RAFT_EV_PROPOSE:      return raft_replication__propose(c, e->propose.entry, e->propose.n, ret);
    case RAFT_EV_DURABLE:      raft_commit__durable(c, e->durable, ret); break;
    case RAFT_EV_READ:         return raft_read__ask(c, e->read_ctx, c->id);
    case RAFT_EV_TRANSFER:     return raft_transfer__start(c, e->transfer_to);
    case RAFT_EV_CHANGE:       return raft_change__start(c, e->change.spec, e->change.why, ret);
    case RAFT_EV_COMPACT:
        must(e->compact_upto <= c->commit);
        trail_compact(&c->trail, e->compact_upto);
        config_log_forget(&c->configs, c->trail.offset);
        break;
    case RAFT_EV_INSTALLED:    raft_commit__installed(c, e); break;
    case RAFT_EV_SNAPSHOT_END: core_snapshot_end(c, e->snapshot_end.peer); break;
    case RAFT_EV_PEER_UP:      core_link(c, e->peer, true); break;
    case RAFT_EV_PEER_LOST:    core_link(c, e->peer, false); break;
    case RAFT_EV_DISK_FAILED:  core_fail(c); break;
    }
    return 0;
}

/* Who asks for something wants to know that there is nobody to do it. */
static int core_event_failed(const struct raft_event *e)
{
    bool asks = e->type == RAFT_EV_PROPOSE || e->type == RAFT_EV_READ || e->type == RAFT_EV_TRANSFER
             || e->type == RAFT_EV_CHANGE;

    return asks ? E_NOLEADER : 0;
}

int raft_core_step(struct raft_core *c, const struct raft_event *e, struct raft_update *ret)
{
    *ret = (struct raft_update){ 0 };
    c->now_ns = MAX_OF(c->now_ns, e->now_ns);
    if (c->failed)
        return core_event_failed(e);
    int rc = core_event(c, e, ret);
    if (e->type != RAFT_EV_COMPACT)              /* which only takes note of what the host has done */
        raft_change__advance(c, ret);
    return rc;
}

struct raft_mark raft_core_mark(const struct raft_core *c)
{
    return (struct raft_mark){ .epoch = c->epoch, .index = c->trail.last, .hard_gen = c->hard.gen };
}

uint64_t raft_core_due(const struct raft_core *c)
{
    if (c->failed)
        return UINT64_MAX;
    if (c->role == RAFT_LEADER && c->config.n == 1 && raft_core__votes(c))
        return UINT64_MAX;                       /* alone: nobody to be kept in mind */
    if (c->role == RAFT_LEADER)
        return c->transfer_to != 0 ? MIN_OF(c->heartbeat_due, c->transfer_due) : c->heartbeat_due;
    return c->config.n > 0 || c->doubt.lost ? c->election_due : UINT64_MAX;
}

bool raft_core_leading(const struct raft_core *c)
{
    return c->role == RAFT_LEADER && c->commit >= c->term_start;
}
