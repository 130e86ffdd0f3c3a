/* raft/replication.c: entries from the leader to the followers, and their answers.
 *
 * A follower answers from its state, not message by message: how far it matches the leader's log, how much
 * of that is durable, and the newest round it has seen.  Whatever came in one turn is answered once. */
#include "raft/core_impl.h"

/* ---- Leader -------------------------------------------------------------------------------------- */

void raft_replication__append_own(struct raft_core *c, struct raft_entry *entry, size_t n, struct raft_update *u)
{
    must(c->role == RAFT_LEADER && n > 0);
    must(u->n == 0);
    u->first = c->trail.last + 1;
    u->n = n;
    u->entry = entry;
    for (size_t i = 0; i < n; i++) {
        entry[i].term = c->hard.term;
        trail_append(&c->trail, c->hard.term);
        c->uncommitted += entry[i].len + RAFT_ENTRY_OVERHEAD;
        raft_commit__adopt(c, c->trail.last, &entry[i]);
    }
}

int raft_replication__propose(struct raft_core *c, struct raft_entry *entry, size_t n, struct raft_update *u)
{
    uint64_t bytes = 0;

    must(n > 0);
    if (c->role != RAFT_LEADER)
        return E_NOLEADER;
    if (c->transfer_to != 0)
        return E_AGAIN;
    for (size_t i = 0; i < n; i++) {
        must(entry[i].type == RAFT_ENTRY_COMMAND);
        bytes += entry[i].len + RAFT_ENTRY_OVERHEAD;
    }
    if (c->uncommitted > 0 && c->uncommitted + bytes > c->max_uncommitted)
        return E_FULL;                           /* no quorum answers: push back rather than grow */
    raft_replication__append_own(c, entry, n, u);
    return 0;
}

/* How many entries from `first` on fit one message; at least one if there is any. */
static uint64_t replication_batch(struct raft_core *c, uint64_t first, uint64_t *ret_bytes)
{
    uint64_t n = 0, bytes = 0;

    while (first + n <= c->trail.last && n < RAFT_MAX_FRAME_ENTRIES) {
        uint64_t size = c->entry_size(c->arg, first + n) + RAFT_ENTRY_OVERHEAD;
        if (n > 0 && bytes + size > c->max_append)
            break;
        bytes += size;
        n++;
    }
    *ret_bytes = bytes;
    return n;
}

static void replication_send_one(struct raft_core *c, struct raft_progress *p)
{
    uint64_t bytes, n = replication_batch(c, p->next, &bytes);
    struct raft_message *m = raft_core__emit(c, RAFT_MSG_APPEND, p->id);

    m->append.prev_index = p->next - 1;
    m->append.prev_term = trail_term(&c->trail, p->next - 1);
    m->append.commit = c->commit;
    m->append.round = c->round;
    m->append.sent_ns = c->now_ns;
    m->append.n = n;
    must(m->append.prev_index == 0 || m->append.prev_term > 0);
    p->commit_told = MIN_OF(c->commit, p->next - 1 + n);
    if (p->state == RAFT_PROBE)
        p->probing = true;
    else if (n > 0)
        raft_progress_sent(p, p->next + n - 1, bytes);
}

/* Send what the peer's state allows. */
static void replication_send(struct raft_core *c, unsigned slot)
{
    struct raft_progress *p = &c->progress[slot];

    while (p->state != RAFT_SNAPSHOT) {
        if (p->next - 1 < c->trail.offset) {     /* compacted away */
            raft_progress_snapshot(p);
            c->wants_snapshot |= 1u << slot;
            return;
        }
        if (p->state == RAFT_PROBE ? p->probing : p->next > c->trail.last || raft_progress_full(p))
            break;
        replication_send_one(c, p);
    }
    /* News of a commit do not wait for the next entries: followers answer their own clients by it. */
    if (p->state == RAFT_REPLICATE && p->commit_told < MIN_OF(c->commit, p->next - 1)) {
        struct raft_message *m = raft_core__emit(c, RAFT_MSG_HEARTBEAT, p->id);
        m->heartbeat.commit = c->commit;
        m->heartbeat.round = m->heartbeat.sent_ns = 0;
        p->commit_told = MIN_OF(c->commit, p->next - 1);
    }
}

/* A heartbeat to all, and with it a new round. */
void raft_replication__beat(struct raft_core *c)
{
    must(c->role == RAFT_LEADER);
    c->round++;
    c->heartbeat_due = c->now_ns + c->heartbeat_ns;
    for (unsigned i = 0; i < c->config.n; i++) {
        struct raft_progress *p = &c->progress[i];
        if (p->id == c->id)
            continue;
        struct raft_message *m = raft_core__emit(c, RAFT_MSG_HEARTBEAT, p->id);
        m->heartbeat.commit = c->commit;
        m->heartbeat.round = c->round;
        m->heartbeat.sent_ns = c->now_ns;
        p->beat_round = c->round;
        p->beat_next = p->next;
    }
}

/* The peer refused: go back to where the logs may agree.  Both sides skip whole terms at a time. */
static void replication_refused(struct raft_core *c, struct raft_progress *p, const struct raft_message *m)
{
    uint64_t prev = m->ack.prev_index, hint = m->ack.hint_index;

    if (prev == 0 || prev <= p->match || p->state == RAFT_SNAPSHOT)
        return;                                  /* of an earlier time */
    if (p->state == RAFT_PROBE ? prev != p->next - 1 : prev >= p->next)
        return;
    uint64_t back = hint < c->trail.offset ? hint : trail_back(&c->trail, hint, m->ack.hint_term);
    raft_progress_probe(p, MIN_OF(back + 1, prev));
}

static void replication_accepted(struct raft_core *c, struct raft_progress *p, const struct raft_message *m)
{
    uint64_t verified = MAX_OF(m->ack.verified, m->ack.match);

    raft_progress_matched(p, m->ack.match);
    switch (p->state) {
    case RAFT_PROBE:
        p->probing = false;
        if (verified + 1 >= p->next && verified > 0)
            raft_progress_replicate(p, verified + 1);
        break;
    case RAFT_REPLICATE:
        /* It has seen a heartbeat that was sent after entries which it has not seen: they are lost. */
        if (p->beat_round != 0 && m->ack.round >= p->beat_round && verified + 1 < p->beat_next)
            raft_progress_probe(p, MAX_OF(verified, p->match) + 1);
        break;
    case RAFT_SNAPSHOT:
        if (p->match >= c->trail.offset)
            raft_progress_probe(p, p->match + 1);
        break;
    }
}

void raft_replication__forget(struct raft_core *c, struct raft_progress *p)
{
    must(c->role == RAFT_LEADER);
    raft_progress_forget(p, c->round + 1);
    raft_replication__beat(c);                   /* which asks what it has */
}

/* In one life and term what a head matches never shrinks, nor does the round it has seen.  More of one and
 * less of the other: it has restarted, and perhaps lost what it once acknowledged.  Its former life has
 * ended before this answer, so it answered no round that begins only now. */
static bool replication_restarted(const struct raft_progress *p, const struct raft_message *m)
{
    return m->ack.round > p->round && m->ack.match < p->match;
}

void raft_replication__on_ack(struct raft_core *c, const struct raft_message *m)
{
    struct raft_progress *p = raft_core__peer(c, m->from);

    if (c->role != RAFT_LEADER || p == NULL)
        return;
    if (m->ack.match > c->trail.last || m->ack.verified > c->trail.last)
        return;                                  /* it cannot have what we never had */
    if (m->ack.round > c->round || m->ack.sent_ns > c->now_ns)
        return;
    bool restarted = replication_restarted(p, m);
    p->heard_ns = c->now_ns;
    p->round = MAX_OF(p->round, m->ack.round);
    p->acked_sent_ns = MAX_OF(p->acked_sent_ns, m->ack.sent_ns);
    if (restarted)
        raft_replication__forget(c, p);
    else if (m->ack.round < p->from_round)
        ;                                        /* of a former life, maybe */
    else if (m->ack.reject)
        replication_refused(c, p, m);
    else
        replication_accepted(c, p, m);
    raft_commit__advance(c);
    raft_read__advance(c);
    raft_transfer__advance(c);
}

/* ---- Follower ------------------------------------------------------------------------------------ */

static void replication_seen(struct raft_core *c, uint64_t round, uint64_t sent_ns)
{
    c->ack.round = MAX_OF(c->ack.round, round);
    c->ack.sent_ns = MAX_OF(c->ack.sent_ns, sent_ns);
}

static uint64_t replication_match(const struct raft_core *c)
{
    uint64_t durable = BUG(c, RAFT_BUG_ACK_BEFORE_SYNC) ? c->trail.last : c->durable;

    return MIN_OF(durable, c->verified);
}

static void replication_refuse(struct raft_core *c, const struct raft_message *m)
{
    struct raft_message *r = raft_core__emit(c, RAFT_MSG_ACK, m->from);
    uint64_t hint = trail_back(&c->trail, m->append.prev_index, m->append.prev_term);

    memset(&r->ack, 0, sizeof(r->ack));
    r->ack.match = replication_match(c);
    r->ack.verified = c->verified;
    r->ack.reject = true;
    r->ack.prev_index = m->append.prev_index;
    r->ack.hint_index = hint;
    r->ack.hint_term = trail_term(&c->trail, hint);
    r->ack.round = c->ack.round;
    r->ack.sent_ns = c->ack.sent_ns;
}

/* Terms must be positive, not decrease, and not exceed the sender's. */
static bool replication_sane(const struct raft_message *m)
{
    uint64_t term = m->append.prev_term;

    if ((m->append.prev_index == 0) != (m->append.prev_term == 0) || m->append.prev_index > UINT64_MAX / 2)
        return false;
    for (uint64_t i = 0; i < m->append.n; i++) {
        if (m->append.entry[i].term < MAX_OF(term, 1))
            return false;
        term = m->append.entry[i].term;
    }
    return term <= m->term;
}

/* Entries that the log does not have yet; false if the message contradicts what is settled. */
static bool replication_store(struct raft_core *c, const struct raft_message *m, struct raft_update *u)
{
    uint64_t skip = 0, index = m->append.prev_index + 1;

    for (; skip < m->append.n; skip++, index++) {
        if (index <= c->trail.offset)
            continue;
        if (index > c->trail.last)
            break;
        if (trail_term(&c->trail, index) == m->append.entry[skip].term)
            continue;
        if (index <= c->commit || index <= c->verified)
            return false;
        if (BUG(c, RAFT_BUG_NO_TRUNCATE))
            return true;
        u->truncate = index;
        trail_truncate(&c->trail, index);
        raft_commit__truncated(c, index);
        break;
    }
    u->first = index;
    u->n = m->append.n - skip;
    u->entry = m->append.entry + skip;
    for (uint64_t i = skip; i < m->append.n; i++) {
        must(c->trail.last + 1 == index + (i - skip));
        trail_append(&c->trail, m->append.entry[i].term);
        raft_commit__adopt(c, c->trail.last, &m->append.entry[i]);
    }
    return true;
}

void raft_replication__on_append(struct raft_core *c, const struct raft_message *m, struct raft_update *u)
{
    uint64_t prev = m->append.prev_index;

    if (!replication_sane(m))
        return;
    replication_seen(c, m->append.round, m->append.sent_ns);
    if (prev > c->trail.last || (prev >= c->trail.offset && trail_term(&c->trail, prev) != m->append.prev_term)) {
        replication_refuse(c, m);
        return;
    }
    if (!replication_store(c, m, u))
        return;
    c->verified = MAX_OF(c->verified, MIN_OF(prev + m->append.n, c->trail.last));
    raft_commit__to(c, MIN_OF(m->append.commit, c->verified));
    if (u->n == 0)
        c->ack.now = true;                       /* else once they are durable */
}

void raft_replication__on_heartbeat(struct raft_core *c, const struct raft_message *m)
{
    uint64_t known = BUG(c, RAFT_BUG_COMMIT_UNVERIFIED) ? c->trail.last : c->verified;

    if (known > 0)
        raft_commit__to(c, MIN_OF(m->heartbeat.commit, known));
    if (m->heartbeat.round > 0) {
        replication_seen(c, m->heartbeat.round, m->heartbeat.sent_ns);
        c->ack.now = true;
    }
}

static void replication_answer(struct raft_core *c)
{
    uint64_t match = replication_match(c);

    if (c->leader == 0 || (!c->ack.now && match <= c->ack.told))
        return;
    struct raft_message *m = raft_core__emit(c, RAFT_MSG_ACK, c->leader);
    memset(&m->ack, 0, sizeof(m->ack));
    m->ack.match = match;
    m->ack.verified = c->verified;
    m->ack.round = c->ack.round;
    m->ack.sent_ns = c->ack.sent_ns;
    c->ack.told = match;
    c->ack.now = false;
}

void raft_replication__flush(struct raft_core *c)
{
    if (c->role == RAFT_FOLLOWER) {
        replication_answer(c);
        return;
    }
    if (c->role != RAFT_LEADER)
        return;
    if (raft_read__wants_round(c))
        raft_replication__beat(c);
    for (unsigned i = 0; i < c->config.n; i++)
        if (c->progress[i].id != c->id)
            replication_send(c, i);
}
