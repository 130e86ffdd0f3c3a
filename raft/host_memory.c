/* raft/host_memory.c: how much of the log stays in memory, under load and after it.
 *
 * Memory is for followers that lag; the files keep what a restart needs, and a follower that lags further gets a
 * snapshot, a fresh one if need be.  So entries go when they are applied and old, whatever has been snapshotted. */
#include "raft/host.h"

/* What the heads that answer still need begins behind this index. */
static uint64_t memory_followers_have(const struct raft *r)
{
    uint64_t have = r->applied, patience = r->opts.election_max_ms * 1000000ull;

    if (r->core.role != RAFT_LEADER)
        return have;
    for (unsigned i = 0; i < r->core.config.n; i++) {
        const struct raft_progress *p = &r->core.progress[i];
        if (p->id == r->opts.id || r->core.now_ns - p->heard_ns > patience)
            continue;
        have = MIN_OF(have, p->state == RAFT_SNAPSHOT ? raft__snapshot_for(r, p->id) : p->match);
    }
    return have;
}

static void memory_trim(struct raft *r, uint64_t keep)
{
    uint64_t upto = r->log.first - 1, bytes = r->log.bytes, have;

    if (bytes <= keep || r->core.failed)         /* one whose disk failed takes no part any more */
        return;
    have = memory_followers_have(r);
    while (upto < r->applied && bytes > (upto < have ? keep : keep * RAFT_LOG_PATIENCE))
        bytes -= raft_log_at(&r->log, ++upto)->len + RAFT_ENTRY_OVERHEAD;
    if (upto < r->log.first)
        return;
    raft__event(r, (struct raft_event){ .type = RAFT_EV_COMPACT, .compact_upto = upto });
    raft_log_forget(&r->log, upto);
}

/* Armed by load, and only until it is over. */
static void memory_on_rest(struct timer *t)
{
    struct raft *r = container_of(t, struct raft, rest);

    if (r->closing)
        return;
    if (r->load - r->load_seen >= RAFT_QUIET_BYTES) {
        r->load_seen = r->load;
        timer_start(t, RAFT_QUIET_MS);
        return;
    }
    r->load = r->load_seen = 0;
    memory_trim(r, MIN_OF(r->opts.log_bytes, RAFT_LOG_QUIET_BYTES));
    loop_memory_rest(r->loop);
}

void raft__memory_init(struct raft *r)
{
    timer_init(&r->rest, r->loop, memory_on_rest);
}

void raft__memory_step(struct raft *r)
{
    memory_trim(r, r->opts.log_bytes);
    if (r->load < RAFT_LOAD_BYTES || timer_active(&r->rest))
        return;
    r->load_seen = r->load;
    timer_start(&r->rest, RAFT_QUIET_MS);
}
