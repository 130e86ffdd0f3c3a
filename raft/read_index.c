/* raft/read_index.c: linearizable reads without writing.
 *
 * A leader that may have been replaced must not answer.  Either a majority answers a heartbeat that was
 * sent after the read came in (a round; all reads of one turn share it), or the lease holds: a majority
 * answered a heartbeat sent less than lease_ns ago, so for as long no majority grants anyone a vote.  The
 * lease counts from sending, the followers' refusal from receiving, which is later; the difference between
 * lease and election timeout covers clock drift. Thesis 6.4. */
#include "raft/core_impl.h"

bool raft_core_lease(const struct raft_core *c, uint64_t now_ns)
{
    uint64_t sent[RAFT_MAX_HEADS];

    if (!raft_core_leading(c) || c->lease_lost || c->failed)
        return false;
    for (unsigned i = 0; i < c->config.n; i++)
        sent[i] = c->config.head[i].id == c->id ? now_ns : c->progress[i].acked_sent_ns;
    uint64_t base = raft_core__quorum(c, sent);
    uint64_t lease = BUG(c, RAFT_BUG_LEASE_TOO_LONG) ? 8 * c->election_max_ns : c->lease_ns;
    return base > 0 && now_ns < base + lease;
}

static void read_done(struct raft_core *c, uint64_t ctx, uint64_t index, int err)
{
    if (c->read_done_n == c->read_done_cap) {
        c->read_done_cap = c->read_done_cap > 0 ? 2 * c->read_done_cap : 16;
        c->read_done = mem_realloc(c->read_done, c->read_done_cap * sizeof(*c->read_done));
    }
    c->read_done[c->read_done_n++] = (struct raft_read_done){ ctx, index, err };
}

size_t raft_core_reads(struct raft_core *c, struct raft_read_done **ret)
{
    size_t n = c->read_done_n;

    c->read_done_n = 0;
    *ret = c->read_done;
    return n;
}

static void read_answer(struct raft_core *c, const struct raft_read_wait *w)
{
    if (w->from == c->id) {
        read_done(c, w->ctx, w->index, 0);
        return;
    }
    struct raft_message *m = raft_core__emit(c, RAFT_MSG_READ_REPLY, w->from);
    m->read_reply.ctx = w->ctx;
    m->read_reply.index = w->index;
    m->read_reply.ok = true;
}

static void read_refuse(struct raft_core *c, uint64_t ctx, uint64_t from)
{
    if (from == c->id) {
        read_done(c, ctx, 0, E_NOLEADER);
        return;
    }
    struct raft_message *m = raft_core__emit(c, RAFT_MSG_READ_REPLY, from);
    m->read_reply.ctx = ctx;
    m->read_reply.index = 0;
    m->read_reply.ok = false;
}

/* On a leader: what is committed now, but at least the own no-op: before it, commit may lag behind what an
 * earlier leader acknowledged. */
static int read_as_leader(struct raft_core *c, uint64_t ctx, uint64_t from)
{
    struct raft_read_wait w = { .ctx = ctx, .from = from, .index = MAX_OF(c->commit, c->term_start),
                                .round = c->round + 1 };

    if (raft_core_lease(c, c->now_ns) || raft_config_alone(&c->config, c->id) || BUG(c, RAFT_BUG_READ_UNCONFIRMED)) {
        read_answer(c, &w);
        return 0;
    }
    if (c->read_n == RAFT_MAX_READS)
        return E_FULL;
    c->read[(c->read_at + c->read_n++) % RAFT_MAX_READS] = w;
    return 0;
}

int raft_read__ask(struct raft_core *c, uint64_t ctx, uint64_t from)
{
    if (c->role == RAFT_LEADER)
        return read_as_leader(c, ctx, from);
    if (c->leader == 0)
        return E_NOLEADER;
    struct raft_message *m = raft_core__emit(c, RAFT_MSG_READ, c->leader);
    m->term = 0;
    m->read.ctx = ctx;
    return 0;
}

void raft_read__on_read(struct raft_core *c, const struct raft_message *m)
{
    if (raft_config_find(&c->config, m->from) < 0)
        return;
    if (c->role != RAFT_LEADER || read_as_leader(c, m->read.ctx, m->from) != 0)
        read_refuse(c, m->read.ctx, m->from);
}

/* A reply of an earlier term says what was acknowledged before our question, too: dispatch drops it all
 * the same, and the host asks again. */
void raft_read__on_reply(struct raft_core *c, const struct raft_message *m)
{
    if (m->from == c->leader)
        read_done(c, m->read_reply.ctx, m->read_reply.index, m->read_reply.ok ? 0 : E_NOLEADER);
}

bool raft_read__wants_round(const struct raft_core *c)
{
    return c->read_n > 0 && c->read[(c->read_at + c->read_n - 1) % RAFT_MAX_READS].round > c->round;
}

void raft_read__advance(struct raft_core *c)
{
    uint64_t round[RAFT_MAX_HEADS];

    if (c->read_n == 0)
        return;
    for (unsigned i = 0; i < c->config.n; i++)
        round[i] = c->config.head[i].id == c->id ? c->round : c->progress[i].round;
    uint64_t confirmed = raft_core__quorum(c, round);
    while (c->read_n > 0 && c->read[c->read_at].round <= confirmed) {
        read_answer(c, &c->read[c->read_at]);
        c->read_at = (c->read_at + 1) % RAFT_MAX_READS;
        c->read_n--;
    }
}

void raft_read__drop(struct raft_core *c)
{
    while (c->read_n > 0) {
        read_refuse(c, c->read[c->read_at].ctx, c->read[c->read_at].from);
        c->read_at = (c->read_at + 1) % RAFT_MAX_READS;
        c->read_n--;
    }
}
