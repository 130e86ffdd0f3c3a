/* store/compactor.c: see store/compactor.h. */
#include "store/compactor.h"
#include "store/store_impl.h"

#define COMPACT_PARTS    5u                      /* of the retention between compactions by age */
#define COMPACT_RETRY_MS 1000u
#define SHRUNK_BYTES     (16ull << 20)           /* of snapshots that may be too large */
#define REST_BYTES       (8ull << 20)            /* of history gone, before memory is worth giving back */
#define REST_MS          2000u                   /* after the last of them */

/* ---- Forgetting ------------------------------------------------------------------------------------ */

/* The newest revision that may be the oldest kept; not above `compacted`: nothing to do. */
static uint64_t compact_target(const struct compactor *k)
{
    const struct state *s = &k->store->state;
    uint64_t now = loop_now_ns(k->store->loop), lo = s->log.first, hi = s->log.end;

    if (k->mode == STORE_COMPACT_REVISION)
        return s->now.rev > k->retention ? s->now.rev - k->retention : 0;
    while (lo < hi) {                            /* the first event that is not too old */
        uint64_t mid = lo + (hi - lo) / 2;
        if (now - event_log_at(&s->log, mid)->at_ns >= k->retention)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == s->log.first)
        return s->log.trimmed_rev;
    return event_log_at(&s->log, lo - 1)->pub.rev;
}

static void compact_on_decided(struct store_commit *c, int err)
{
    struct compactor *k = container_of(c, struct compactor, commit);

    k->busy = false;
    if (k->store->closing)
        return;
    if (err == 0 || err == E_STALE)              /* E_STALE: somebody else compacted, which is as well */
        compactor_look(k);
    else if (!timer_active(&k->timer))
        timer_start(&k->timer, COMPACT_RETRY_MS);
}

static void compact_to(struct compactor *k, uint64_t rev)
{
    struct store_txn t;

    store_txn_init(&t);
    store_txn_compact(&t, rev);
    k->busy = true;
    k->commit.done = compact_on_decided;
    store_commit(k->store, &k->commit, &t);
    store_txn_release(&t);
}

static void compact_on_timer(struct timer *t)
{
    struct compactor *k = container_of(t, struct compactor, timer);
    uint64_t target = compact_target(k);

    if (k->store->closing || !k->store->leading)
        return;
    if (!k->busy && target > k->store->state.now.compacted)
        compact_to(k, target);
    compactor_look(k);
}

/* ---- Giving back ----------------------------------------------------------------------------------- */

static void give_back_files(struct compactor *k)
{
    uint64_t state = k->store->state.now.bytes;
    struct raft_status st;

    raft_status(k->store->raft, &st);
    if (st.snapshots_bytes > 4 * state + SHRUNK_BYTES && !st.snapshot_writing)
        raft_snapshot_soon(k->store->raft);
}

static void rest_on_timer(struct timer *t)
{
    struct compactor *k = container_of(t, struct compactor, rest);

    if (k->store->closing)
        return;
    k->freed = 0;
    loop_memory_rest(k->store->loop);
}

void compactor_freed(struct compactor *k, uint64_t bytes)
{
    k->freed += bytes;
    if (k->freed >= REST_BYTES && bytes > 0 && !k->store->closing)
        timer_start(&k->rest, REST_MS);
}

/* ---- Life ------------------------------------------------------------------------------------------ */

void compactor_look(struct compactor *k)
{
    const struct image *m = &k->store->state.now;

    if (k->store->closing)
        return;
    if (m->compacted != k->compacted) {
        k->compacted = m->compacted;
        give_back_files(k);
    }
    if (!k->store->leading || k->busy || k->mode == STORE_COMPACT_OFF)
        return;
    if (k->mode == STORE_COMPACT_PERIODIC) {
        if (m->rev > MAX_OF(m->compacted, 1u) && !timer_active(&k->timer))
            timer_start_ns(&k->timer, k->retention / COMPACT_PARTS + 1);
    } else if (compact_target(k) >= m->compacted + MAX_OF(k->retention / COMPACT_PARTS, 1u)) {
        compact_to(k, compact_target(k));
    }
}

void compactor_init(struct compactor *k, struct store *s, enum store_compaction mode, uint64_t retention)
{
    *k = (struct compactor){ .store = s, .mode = retention > 0 ? mode : STORE_COMPACT_OFF,
                             .retention = retention };
    if (mode == STORE_COMPACT_PERIODIC)
        k->retention = MIN_OF(retention, UINT64_MAX / 4000000) * 1000000;
    timer_init(&k->timer, s->loop, compact_on_timer);
    timer_init(&k->rest, s->loop, rest_on_timer);
    qinit(&k->commit.link);
}

void compactor_release(struct compactor *k)
{
    must(!k->busy);
    timer_stop(&k->timer);
    timer_stop(&k->rest);
}
