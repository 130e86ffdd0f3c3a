/* raft/host_propose.c: from raft_propose() to apply, wherever the leader is.
 *
 * A proposal is QUEUED until a leader is known; then PLACED (we lead, or the leader told us the index) or
 * SENT (to the leader, answer outstanding).  The entry carries origin, boot and sequence number, by which
 * its apply finds it here. A PLACED one whose index was applied with something else is certainly lost; a
 * SENT one whose leader is gone may or may not be. */
#include "raft/host.h"

#define PENDING_MIN 64

static struct pending *pending_at(struct raft *r, uint64_t seq)
{
    if (seq < r->first_seq || seq >= r->first_seq + r->pending_n)
        return NULL;
    return &r->pending[seq & (r->pending_cap - 1)];
}

static void pending_grow(struct raft *r)
{
    size_t cap = r->pending_cap > 0 ? 2 * r->pending_cap : PENDING_MIN;
    struct pending *ring = mem_zalloc(cap * sizeof(*ring));

    for (uint64_t s = r->first_seq; s < r->first_seq + r->pending_n; s++)
        ring[s & (cap - 1)] = r->pending[s & (r->pending_cap - 1)];
    mem_free(r->pending);
    r->pending = ring;
    r->pending_cap = cap;
}

/* Out of the ring; holes at the front close. */
static struct raft_proposal *pending_take(struct raft *r, struct pending *n)
{
    struct raft_proposal *p = n->p;

    must(n->state != PENDING_FREE && p != NULL);
    if (n->state == PENDING_QUEUED) {
        must(r->queued_n > 0);
        r->queued_n--;
        r->pending_bytes -= n->entry.len;
    }
    n->entry.owner = blob_unref(n->entry.owner);
    n->state = PENDING_FREE;
    n->p = NULL;
    while (r->pending_n > 0 && pending_at(r, r->first_seq)->state == PENDING_FREE) {
        r->first_seq++;
        r->pending_n--;
    }
    r->queued_from = MAX_OF(r->queued_from, r->first_seq);
    return p;
}

/* May call back into raft_propose(): no pointer into the ring survives it. */
static void pending_fail(struct raft *r, struct pending *n, int err)
{
    struct raft_proposal *p = pending_take(r, n);

    r->proposals_failed++;
    p->failed(p, err);
}

void raft_propose(struct raft *r, struct raft_proposal *p, struct str command)
{
    static const size_t wrap = HOST_WRAP;
    struct blob *b = blob_new(wrap + MIN_OF(command.n, RAFT_MAX_COMMAND));
    struct host_wrap w = { r->opts.id, r->boot, r->first_seq + r->pending_n };

    memcpy(b->data, &w, wrap);
    if (command.n > 0 && command.n <= RAFT_MAX_COMMAND)
        memcpy(b->data + wrap, command.p, command.n);
    if (r->pending_n == r->pending_cap)
        pending_grow(r);
    p->seq = w.seq;
    r->pending_n++;
    struct pending *n = pending_at(r, w.seq);
    *n = (struct pending){ .p = p, .state = PENDING_QUEUED, .born_ns = loop_now_ns(r->loop),
                            .only_term = p->term };
    n->due_ns = n->born_ns + RAFT_NOLEADER_MS * 1000000ull;
    n->entry = (struct raft_entry){ .owner = b, .p = b->data, .len = b->len, .type = RAFT_ENTRY_COMMAND };
    if (command.n > RAFT_MAX_COMMAND)
        n->index = UINT64_MAX;                   /* refused in the step, not from inside this call */
    r->queued_n++;
    r->pending_bytes += n->entry.len;
    r->proposals++;
    raft__arm(r);
}

bool raft__wrap_take(struct str *command, struct host_wrap *ret)
{
    if (command->n < HOST_WRAP)
        return false;
    memcpy(ret, command->p, HOST_WRAP);
    *command = str_from(*command, HOST_WRAP);
    return true;
}

/* ---- Queued -------------------------------------------------------------------------------------- */

/* Why a queued proposal cannot even wait; 0: it may. */
static int queued_refusal(const struct raft *r, const struct pending *n)
{
    if (n->index == UINT64_MAX)
        return E_TOOBIG;
    if (r->disk_failed)
        return r->disk_error == E_FULL ? E_FULL : E_IO;
    if (r->removed)
        return E_NOLEADER;
    if (n->only_term != 0 && (r->core.role != RAFT_LEADER || r->core.hard.term != n->only_term))
        return E_NOLEADER;
    if (r->queued_n > RAFT_MAX_PENDING || r->pending_bytes > RAFT_MAX_PENDING_BYTES)
        return E_FULL;
    return 0;
}

static void propose_refuse(struct raft *r)
{
    uint64_t end = r->first_seq + r->pending_n;

    for (uint64_t s = r->queued_from; s < end; s++) {
        struct pending *n = pending_at(r, s);
        int err = n != NULL && n->state == PENDING_QUEUED ? queued_refusal(r, n) : 0;
        if (err != 0)
            pending_fail(r, n, err);
    }
}

/* Queued ones from *seq on into the batch, up to a message's size; returns how many. They are consecutive. */
static size_t propose_gather(struct raft *r, uint64_t *seq, size_t max_bytes)
{
    size_t n = 0, bytes = 0;
    uint64_t end = r->first_seq + r->pending_n;

    while (*seq < end && pending_at(r, *seq)->state != PENDING_QUEUED)
        (*seq)++;
    for (uint64_t s = *seq; s < end && n < RAFT_MAX_FRAME_ENTRIES; s++) {
        struct pending *p = pending_at(r, s);
        if (p->state != PENDING_QUEUED || (n > 0 && bytes + p->entry.len > max_bytes))
            break;
        if (n == r->batch_cap) {
            r->batch_cap = r->batch_cap > 0 ? 2 * r->batch_cap : 64;
            r->batch = mem_realloc(r->batch, r->batch_cap * sizeof(*r->batch));
        }
        bytes += p->entry.len + RAFT_ENTRY_OVERHEAD;
        r->batch[n++] = p->entry;
    }
    return n;
}

/* They left the queue; the bytes are the log's now, or on their way. */
static void propose_moved(struct raft *r, uint64_t seq, size_t n, struct pending to)
{
    uint64_t due = loop_now_ns(r->loop) + RAFT_PROPOSAL_MS * 1000000ull;

    for (size_t i = 0; i < n; i++) {
        struct pending *p = pending_at(r, seq + i);
        must(p->state == PENDING_QUEUED && r->queued_n > 0);
        r->queued_n--;
        r->pending_bytes -= p->entry.len;
        p->state = to.state;
        p->term = to.term;
        p->leader = to.leader;
        p->index = to.index > 0 ? to.index + i : 0;
        p->due_ns = due;
        if (to.state == PENDING_PLACED)          /* a forwarded one keeps them, in case the leader refuses */
            p->entry.owner = blob_unref(p->entry.owner);
    }
    r->queued_from = seq + n;
}

static bool propose_as_leader(struct raft *r, uint64_t seq, size_t n)
{
    uint64_t first = r->core.trail.last + 1;
    int rc = E_FULL;

    if (!raft__backlogged(r) && !wal_starved(r->wal))
        rc = raft__event(r, (struct raft_event){ .type = RAFT_EV_PROPOSE, .propose = { r->batch, n } });

    if (rc == 0) {
        propose_moved(r, seq, n, (struct pending){ .state = PENDING_PLACED, .index = first, .term = r->core.hard.term });
        return true;
    }
    if (rc == E_AGAIN || rc == E_NOLEADER)       /* handing over: they go to the next leader */
        return false;
    for (size_t i = 0; i < n; i++)
        if (pending_at(r, seq + i) != NULL)
            pending_fail(r, pending_at(r, seq + i), rc);
    return true;
}

static bool propose_forward(struct raft *r, uint64_t seq, size_t n)
{
    struct raft_message m = { .type = RAFT_MSG_PROPOSE, .from = r->opts.id, .to = r->core.leader };

    if (r->core.leader == 0 || !peers_connected(r->peers, r->core.leader))
        return false;
    m.propose.boot = r->boot;
    m.propose.first_seq = seq;
    m.propose.n = n;
    m.propose.entry = r->batch;
    for (size_t i = 0; i < n; i++)
        r->batch[i].term = 1;                    /* the leader sets the real one */
    if (!peers_send(r->peers, &m, NULL))
        return false;
    propose_moved(r, seq, n, (struct pending){ .state = PENDING_SENT, .term = r->core.hard.term,
                                               .leader = r->core.leader });
    return true;
}

void raft__propose_step(struct raft *r)
{
    if (r->queued_n == 0)
        return;
    propose_refuse(r);
    /* What failed() proposes meanwhile comes next turn: the end is fixed here. */
    uint64_t seq = r->queued_from, end = r->first_seq + r->pending_n;
    while (r->queued_n > 0 && seq < end) {
        seq = MAX_OF(seq, r->first_seq);
        size_t n = propose_gather(r, &seq, RAFT_MAX_APPEND);
        if (n == 0)
            break;
        bool moved = r->core.role == RAFT_LEADER ? propose_as_leader(r, seq, n) : propose_forward(r, seq, n);
        if (!moved)
            break;
        seq += n;
    }
}

/* ---- Forwarded ----------------------------------------------------------------------------------- */

/* At the leader: all of a frame or nothing. */
void raft__propose_on_forward(struct raft *r, struct raft_message *m)
{
    struct raft_message re = { .type = RAFT_MSG_PROPOSE_REPLY, .to = m->from };
    uint64_t first = r->core.trail.last + 1;
    int rc = 0;

    for (uint64_t i = 0; i < m->propose.n && rc == 0; i++) {
        const struct raft_entry *e = &m->propose.entry[i];
        if (e->type != RAFT_ENTRY_COMMAND || e->len < HOST_WRAP || e->len > RAFT_MAX_COMMAND + HOST_WRAP)
            rc = E_INVALID;
    }
    if (m->propose.n == 0)
        return;
    if (rc == 0 && (raft__backlogged(r) || wal_starved(r->wal)))
        rc = E_FULL;
    if (rc == 0 && raft_config_find(&r->core.config, m->from) < 0)
        rc = E_NOLEADER;                         /* no member: it will not learn what becomes of them */
    if (rc == 0)
        rc = raft__event(r, (struct raft_event){ .type = RAFT_EV_PROPOSE,
                                                 .propose = { m->propose.entry, m->propose.n } });
    re.term = 0;
    re.propose_reply.boot = m->propose.boot;
    re.propose_reply.first_seq = m->propose.first_seq;
    re.propose_reply.n = m->propose.n;
    re.propose_reply.index = rc == 0 ? first : 0;
    re.propose_reply.err = rc;
    if (rc == 0)
        re.term = r->core.hard.term;
    raft__send(r, &re);
}

static void propose_reply_one(struct raft *r, const struct raft_message *m, uint64_t i)
{
    struct pending *n = pending_at(r, m->propose_reply.first_seq + i);
    int err = m->propose_reply.err;

    if (n == NULL || n->state != PENDING_SENT || n->leader != m->from)
        return;
    if (err == 0) {
        n->state = PENDING_PLACED;
        n->index = m->propose_reply.index + i;
        n->term = m->term;
        n->entry.owner = blob_unref(n->entry.owner);
        if (m->term != r->core.hard.term)
            r->swept_term = 0;                   /* it may be displaced already */
    } else if (err == E_NOLEADER || err == E_AGAIN) {          /* certainly not appended: it may go to another */
        n->state = PENDING_QUEUED;
        n->index = 0;
        n->due_ns = loop_now_ns(r->loop) + RAFT_NOLEADER_MS * 1000000ull;
        r->queued_n++;
        r->pending_bytes += n->entry.len;
        r->queued_from = MIN_OF(r->queued_from, m->propose_reply.first_seq + i);
    } else {
        pending_fail(r, n, err == E_FULL ? E_FULL : E_NOLEADER);
    }
}

void raft__propose_on_reply(struct raft *r, const struct raft_message *m)
{
    if (m->propose_reply.boot != r->boot || m->propose_reply.n > RAFT_MAX_FRAME_ENTRIES)
        return;
    for (uint64_t i = 0; i < m->propose_reply.n; i++)
        propose_reply_one(r, m, i);
}

/* The way to a leader broke: what it did not answer may or may not have reached its log. */
void raft__propose_peer_lost(struct raft *r, uint64_t id)
{
    uint64_t end = r->first_seq + r->pending_n;

    for (uint64_t s = r->first_seq; s < end; s++) {
        struct pending *n = pending_at(r, s);
        if (n != NULL && n->state == PENDING_SENT && n->leader == id)
            pending_fail(r, n, E_UNKNOWN);
    }
}

/* ---- The end of a proposal ----------------------------------------------------------------------- */

struct raft_proposal *raft__propose_match(struct raft *r, const struct host_wrap *w)
{
    if (w->origin != r->opts.id || w->boot != r->boot)
        return NULL;
    struct pending *n = pending_at(r, w->seq);
    if (n == NULL || n->state == PENDING_FREE || n->state == PENDING_QUEUED)
        return NULL;
    histogram_add(&r->proposal_time, loop_now_ns(r->loop) - n->born_ns);
    return pending_take(r, n);
}

/* After a change of term: whatever stands at an applied index and was not ours has displaced ours for
 * good. */
void raft__propose_sweep(struct raft *r)
{
    uint64_t end = r->first_seq + r->pending_n;
    bool open = false;

    if (r->swept_term == r->core.hard.term || r->pending_n == 0)
        return;
    for (uint64_t s = r->first_seq; s < end; s++) {
        struct pending *n = pending_at(r, s);
        if (n == NULL || n->state != PENDING_PLACED)
            continue;
        if (n->index <= r->applied)
            pending_fail(r, n, E_NOLEADER);
        else
            open = true;
    }
    if (!open)
        r->swept_term = r->core.hard.term;
}

/* A snapshot took the place of the entries up to here: whether ours were among them is not known. */
void raft__propose_skipped(struct raft *r, uint64_t upto)
{
    uint64_t end = r->first_seq + r->pending_n;

    for (uint64_t s = r->first_seq; s < end; s++) {
        struct pending *n = pending_at(r, s);
        if (n != NULL && (n->state == PENDING_SENT || (n->state == PENDING_PLACED && n->index <= upto)))
            pending_fail(r, n, E_UNKNOWN);
    }
}

/* By age.  Sequence numbers are given in order of time, so the oldest stand first. */
void raft__propose_expire(struct raft *r)
{
    uint64_t now = loop_now_ns(r->loop), end = r->first_seq + r->pending_n;

    for (uint64_t s = r->first_seq; s < end; s++) {
        struct pending *n = pending_at(r, s);
        if (n == NULL || n->state == PENDING_FREE)
            continue;
        if (n->due_ns > now)
            return;
        pending_fail(r, n, n->state == PENDING_QUEUED ? E_NOLEADER : E_UNKNOWN);
    }
}

void raft__propose_fail_all(struct raft *r, int err)
{
    uint64_t end = r->first_seq + r->pending_n;

    for (uint64_t s = r->first_seq; s < end; s++) {
        struct pending *n = pending_at(r, s);
        if (n != NULL && n->state != PENDING_FREE)
            pending_fail(r, n, n->state == PENDING_QUEUED && !r->closing && !r->given_up ? E_NOLEADER : err);
    }
}
