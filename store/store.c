/* store/store.c: ties the state machine to raft, and says what happens in which phase of a turn:
 *     TURN_STEP    raft applies: state changes, watches are queued, results are kept
 *     TURN_NOTIFY  commits are answered in apply order, then waiters for a revision, then watches
 *     TURN_FREE    history is trimmed, dead tree nodes are taken apart
 * Results of commits borrow from tree and history; nothing of those goes before TURN_FREE. */
#include "raft/bugs.h"
#include "raft/limits.h"
#include "store/limits.h"
#include "store/store_impl.h"
#include "store/txn.h"

/* ---- turns --------------------------------------------------------------------------------------- */

void store__notify_soon(struct store *s)
{
    turn_arm(s->loop, TURN_NOTIFY, &s->notify);
}

void store__tidy_soon(struct store *s)
{
    turn_arm(s->loop, TURN_FREE, &s->tidy);
}

static void store_want_turn(void *arg)
{
    store__notify_soon(arg);
}

static void store_answer_commits(struct store *s)
{
    struct qlink batch;

    qmove(&s->done, &batch);                     /* what answers bring about is answered next time */
    while (!qempty(&batch)) {
        struct store_commit *c = qentry(qpop(&batch), struct store_commit, link);
        c->done(c, c->err);                      /* may free c */
    }
    arena_reset(&s->results);
    if (!qempty(&s->done))
        store__notify_soon(s);
}

static void store_answer_waits(struct store *s)
{
    while (!qempty(&s->waits)) {
        struct store_wait *w = qentry(qfirst(&s->waits), struct store_wait, link);
        if (w->rev > s->state.now.rev)
            return;
        store_wait_cancel(w);
        w->done(w, 0);
    }
}

static void store_on_notify(struct turn_hook *h)
{
    struct store *s = container_of(h, struct store, notify);

    space_look(&s->space);
    compactor_look(&s->compactor);
    store_answer_commits(s);
    store_answer_waits(s);
    watch_hub_turn(&s->hub);
}

/* Bounded by number and, as caches may be cold, by time. */
static bool store_free_some(struct store *s)
{
    uint64_t until = loop_hires_ns(s->loop) + STORE_FREE_SLICE_NS;
    bool more = true;

    for (unsigned n = 0; more && n < STORE_FREE_PER_TURN; n += STORE_FREE_AT_ONCE) {
        more = btree_pool_drain(&s->state.pool, STORE_FREE_AT_ONCE);
        if (loop_hires_ns(s->loop) >= until)
            break;
    }
    return more;
}

static void store_on_tidy(struct turn_hook *h)
{
    struct store *s = container_of(h, struct store, tidy);
    uint64_t bytes;
    bool more;

    if (!qempty(&s->done)) {                     /* results that are still to be told borrow from history */
        store__tidy_soon(s);
        return;
    }
    bytes = s->state.log.bytes;
    more = event_log_trim(&s->state.log, loop_now_ns(s->loop), STORE_TRIM_PER_TURN);
    compactor_freed(&s->compactor, bytes - s->state.log.bytes);
    more |= store_free_some(s);
    if (more)
        store__tidy_soon(s);
    if (event_log_first(&s->state.log) < event_log_end(&s->state.log) && !timer_active(&s->history))
        timer_start_ns(&s->history, s->state.log.max_age_ns / 8 + 1);
}

static void store_on_history(struct timer *t)
{
    store__tidy_soon(container_of(t, struct store, history));
}

/* ---- the state machine for raft ------------------------------------------------------------------ */

static void store_apply(void *arg, uint64_t index, struct str command, struct raft_proposal *local)
{
    struct store *s = arg;
    uint64_t      from = event_log_end(&s->state.log);
    struct state_result r;

    must(index > 0);
    state_apply(&s->state, command, loop_now_ns(s->loop), local != NULL ? &s->results : NULL, &r);
    watch_hub_events(&s->hub, from, s->state.now.rev);
    for (unsigned i = 0; i < s->state.n_lease_changed; i++)
        lease_keeper_changed(&s->leases, s->state.lease_changed[i]);
    if (local == NULL)
        return;
    struct store_commit *c = container_of(local, struct store_commit, proposal);
    must(!qlinked(&c->link));
    c->err = r.err;
    c->succeeded = r.succeeded;
    c->rev = r.rev;
    c->op = r.op;
    c->n_op = r.n_op;
    qpush(&s->done, &c->link);
}

static void store_applied(void *arg, uint64_t index)
{
    store__notify_soon(arg);
    store__tidy_soon(arg);
}

static void *store_snapshot_open(void *arg)
{
    return snapshot_writer_new(&((struct store *)arg)->state.now);
}

static size_t store_snapshot_read(void *arg, void *reader, char *p, size_t cap)
{
    return snapshot_writer_read(reader, p, cap);
}

static void store_snapshot_close(void *arg, void *reader)
{
    snapshot_writer_free(reader);
    store__tidy_soon(arg);
}

static void store_restore_begin(void *arg)
{
    struct store *s = arg;

    snapshot_reader_free(s->restoring);
    s->restoring = snapshot_reader_new(&s->state.pool);
}

static int store_restore_data(void *arg, struct str data)
{
    struct store *s = arg;

    must(s->restoring != NULL);
    return snapshot_reader_data(s->restoring, data);
}

static int store_restore_end(void *arg, bool ok)
{
    struct store *s = arg;
    struct image  image;
    int rc = 0;

    must(s->restoring != NULL);
    if (ok)
        rc = snapshot_reader_take(s->restoring, &image);
    if (ok && rc == 0 && image.rev < s->state.now.rev) {
        image_release(&image);                   /* revisions never go back, whatever a file says */
        rc = E_CORRUPT;
    }
    snapshot_reader_free(s->restoring);
    s->restoring = NULL;
    if (ok && rc == 0) {
        image.rev -= BUG(&s->state, RAFT_BUG_REVISION_AGAIN) && image.rev > 2;
        state_replace(&s->state, &image);
        if (!BUG(&s->state, RAFT_BUG_WATCH_STAYS))
            watch_hub_restart(&s->hub, s->state.now.rev);
        if (s->leading)
            lease_keeper_lead(&s->leases, s->leases.epoch);
        store__notify_soon(s);
    }
    store__tidy_soon(s);
    return rc;
}

static void store_leading(void *arg, bool leader)
{
    struct store *s = arg;
    struct raft_status st;

    if (s->leading == leader)
        return;
    s->leading = leader;
    if (leader) {
        raft_status(s->raft, &st);
        lease_keeper_lead(&s->leases, st.term);
    } else {
        lease_keeper_follow(&s->leases);
    }
    store__notify_soon(s);                        /* the quota's alarm is the leader's */
    if (s->on_leading != NULL && !s->closing)
        s->on_leading(s->arg, leader);
}

static void store_removed(void *arg)
{
    struct store *s = arg;

    if (s->on_removed != NULL && !s->closing)
        s->on_removed(s->arg);
}

/* ---- committing ---------------------------------------------------------------------------------- */

/* Decided without raft: tell it from the loop like every other. */
static void commit_settle(struct store_commit *c, int err)
{
    c->err = err;
    c->op = NULL;
    c->n_op = 0;
    c->succeeded = false;
    c->rev = c->store->state.now.rev;
    must(!qlinked(&c->link));
    qpush(&c->store->done, &c->link);
    store__notify_soon(c->store);
}

static void commit_on_failed(struct raft_proposal *p, int err)
{
    must(err != 0);
    commit_settle(container_of(p, struct store_commit, proposal), err);
}

void store_commit(struct store *s, struct store_commit *c, const struct store_txn *t)
{
    struct str command = STR_NONE;
    int rc = s->closing ? E_CLOSED : txn_command(t, &command);

    if (rc == 0 && space_refuses(&s->space, t))
        rc = E_NOSPACE;
    must(c->done != NULL);
    c->store = s;
    qinit(&c->link);
    if (rc != 0) {
        commit_settle(c, rc);
        return;
    }
    c->proposal = (struct raft_proposal){ .failed = commit_on_failed, .term = c->term };
    qinit(&c->proposal.link);
    raft_propose(s->raft, &c->proposal, command);
}

int store_read_txn(struct store *s, struct store_commit *c, const struct store_txn *t)
{
    struct state_result r;
    struct str command;
    int rc = txn_command(t, &command);

    if (rc == 0)
        rc = state_read(&s->state, command, &s->results, &r);
    if (rc != 0)
        return rc;
    store__notify_soon(s);                        /* where results are given back */
    c->succeeded = r.succeeded;
    c->rev = r.rev;
    c->op = r.op;
    c->n_op = r.n_op;
    return 0;
}

/* ---- leases -------------------------------------------------------------------------------------- */

/* A commit that the store makes for itself, or a keep-alive. */
struct lease_commit {
    struct store_commit commit;
    uint64_t id;
    void   (*done)(void *arg, int err, uint64_t ttl_ms);
    void    *arg;
};

static struct lease_commit *lease_commit_new(struct store *s, uint64_t id,
                                             void (*done)(struct store_commit *c, int err))
{
    struct lease_commit *lc = mem_new(struct lease_commit);

    lc->id = id;
    lc->commit.store = s;
    lc->commit.done = done;
    qinit(&lc->commit.link);
    return lc;
}

static void lease_on_expired(struct store_commit *c, int err)
{
    struct lease_commit *lc = container_of(c, struct lease_commit, commit);

    lease_keeper_retry(&c->store->leases, lc->id);   /* nothing to do if it is gone */
    mem_free(lc);
}

static void store_lease_expire(void *arg, uint64_t id, uint64_t touches, uint64_t epoch)
{
    struct lease_commit *lc = lease_commit_new(arg, id, lease_on_expired);
    struct store_txn t;

    store_txn_init(&t);
    txn_lease_expire(&t, id, touches, epoch);
    store_commit(arg, &lc->commit, &t);
    store_txn_release(&t);
}

static void lease_on_begun(struct store_commit *c, int err)
{
    mem_free(container_of(c, struct lease_commit, commit));      /* the keeper looks at the image */
}

static void store_lease_begin(void *arg, uint64_t epoch)
{
    struct lease_commit *lc = lease_commit_new(arg, 0, lease_on_begun);
    struct store_txn t;

    store_txn_init(&t);
    txn_lease_epoch(&t, epoch);
    store_commit(arg, &lc->commit, &t);
    store_txn_release(&t);
}

static void lease_on_kept(struct store_commit *c, int err)
{
    struct lease_commit *lc = container_of(c, struct lease_commit, commit);
    struct image_lease   l = { .ttl_ms = 0 };

    if (err == 0 && !image_lease_get(&c->store->state.now, lc->id, &l))
        err = E_NOTFOUND;
    lc->done(lc->arg, err, err == 0 ? l.ttl_ms : 0);
    mem_free(lc);
}

void store_lease_keep_alive(struct store *s, uint64_t id, void (*done)(void *arg, int err, uint64_t ttl_ms),
                            void *arg)
{
    struct lease_commit *lc = lease_commit_new(s, id, lease_on_kept);
    struct store_txn t;

    lc->done = done;
    lc->arg = arg;
    if (!s->closing && s->leading && raft_read_now(s->raft) && lease_keeper_renew(&s->leases, id)) {
        commit_settle(&lc->commit, 0);
        return;
    }
    store_txn_init(&t);
    txn_lease_touch(&t, id);
    store_commit(s, &lc->commit, &t);
    store_txn_release(&t);
}

bool store_lease_get(struct store *s, uint64_t id, uint64_t *ret_ttl_ms, uint64_t *ret_left_ms)
{
    struct image_lease l;

    if (!image_lease_get(&s->state.now, id, &l))
        return false;
    *ret_ttl_ms = *ret_left_ms = l.ttl_ms;
    lease_keeper_left(&s->leases, id, ret_left_ms);
    return true;
}

bool store_lease_next(struct store *s, uint64_t from, uint64_t *ret_id)
{
    struct image_lease l;
    bool there = image_lease_next(&s->state.now, from, &l);

    if (there)
        *ret_id = l.id;
    return there;
}

bool store_lease_next_key(struct store *s, uint64_t id, struct str from, struct buf *ret_key)
{
    return image_lease_next_key(&s->state.now, id, from, ret_key);
}

/* ---- waiting ------------------------------------------------------------------------------------- */

bool store_read_now(struct store *s)
{
    return !s->closing && raft_read_now(s->raft);
}

void store_read_barrier(struct store *s, struct raft_read *req)
{
    raft_read(s->raft, req);
}

static void wait_on_timer(struct timer *t)
{
    struct store_wait *w = container_of(t, struct store_wait, timer);

    qdel(&w->link);
    w->done(w, E_TIMEOUT);
}

void store_wait_revision(struct store *s, struct store_wait *w, uint64_t rev, uint64_t timeout_ms)
{
    struct qlink *after = s->waits.prev;

    must(w->done != NULL);
    while (after != &s->waits && qentry(after, struct store_wait, link)->rev > rev)
        after = after->prev;
    w->rev = rev;
    qpush_front(after, &w->link);
    timer_init(&w->timer, s->loop, wait_on_timer);
    timer_start(&w->timer, timeout_ms);
    if (rev <= s->state.now.rev || s->closing)
        store__notify_soon(s);
}

void store_wait_cancel(struct store_wait *w)
{
    qdel(&w->link);
    timer_stop(&w->timer);
}

/* ---- watches ------------------------------------------------------------------------------------- */

int store_watch_open(struct store *s, const struct store_watch_opts *o, struct store_watch **ret)
{
    return watch_hub_open(&s->hub, o, ret);
}

/* ---- life ---------------------------------------------------------------------------------------- */

static struct store *store_new(const struct store_opts *o)
{
    struct store *s = mem_new(struct store);
    uint64_t history_ms = o->history_ms > 0 ? o->history_ms : STORE_HISTORY_MS;

    s->loop = o->raft.loop;
    s->on_leading = o->on_leading;
    s->on_removed = o->on_removed;
    s->arg = o->arg;
    s->version = o->version != NULL ? o->version : "";
    state_init(&s->state, MIN_OF(history_ms, UINT64_MAX / 4000000) * 1000000,
               o->history_bytes > 0 ? o->history_bytes : STORE_HISTORY_BYTES);
    s->state.bugs = o->raft.bugs;
    watch_hub_init(&s->hub, &s->state.log, store_want_turn, s);
    lease_keeper_init(&s->leases, s->loop, &s->state.now);
    s->leases.expire = store_lease_expire;
    s->leases.begin = store_lease_begin;
    s->leases.arg = s;
    compactor_init(&s->compactor, s, o->compaction, o->retention);
    space_init(&s->space, s, o->raft.disk, o->quota_bytes > 0 ? o->quota_bytes : STORE_QUOTA_BYTES,
               o->raft.segment_bytes > 0 ? o->raft.segment_bytes : RAFT_SEGMENT_BYTES);
    s->live = (struct store_view){ .store = s, .image = &s->state.now };
    qinit(&s->pins);
    qinit(&s->waits);
    qinit(&s->done);
    store__rewind_init(s);
    arena_init(&s->results);
    turn_init(&s->notify, store_on_notify);
    turn_init(&s->tidy, store_on_tidy);
    timer_init(&s->history, s->loop, store_on_history);
    return s;
}

static void store_free(struct store *s)
{
    must(s->n_pins == 0 && qempty(&s->pins));
    must(qempty(&s->done) && qempty(&s->waits));
    timer_stop(&s->history);
    turn_cancel(&s->notify);
    turn_cancel(&s->tidy);
    snapshot_reader_free(s->restoring);
    watch_hub_release(&s->hub);
    lease_keeper_release(&s->leases);
    space_release(&s->space);
    compactor_release(&s->compactor);
    state_release(&s->state);
    arena_release(&s->results);
    mem_free(s);
}

int store_open(const struct store_opts *o, struct store **ret, struct errbuf *err)
{
    struct store    *s = store_new(o);
    struct raft_opts ro = o->raft;
    int rc;

    ro.fsm = (struct raft_fsm){
        .apply = store_apply, .applied = store_applied,
        .snapshot_open = store_snapshot_open, .snapshot_read = store_snapshot_read,
        .snapshot_close = store_snapshot_close,
        .restore_begin = store_restore_begin, .restore_data = store_restore_data,
        .restore_end = store_restore_end,
        .leading = store_leading, .removed = store_removed, .arg = s,
    };
    rc = raft_open(&ro, &s->raft, err);
    if (rc != 0) {
        store_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

static void store_on_raft_closed(void *arg)
{
    struct store *s = arg;
    void (*closed)(void *) = s->closed;
    void  *closed_arg = s->closed_arg;

    while (!qempty(&s->done))
        store_answer_commits(s);
    while (!qempty(&s->waits)) {
        struct store_wait *w = qentry(qfirst(&s->waits), struct store_wait, link);
        store_wait_cancel(w);
        w->done(w, E_CLOSED);
    }
    store__rewind_close(s);
    store_free(s);
    if (closed != NULL)
        closed(closed_arg);
}

void store_close(struct store *s, void (*done)(void *arg), void *arg)
{
    must(!s->closing);
    s->closing = true;
    s->closed = done;
    s->closed_arg = arg;
    raft_close(s->raft, store_on_raft_closed, s);
}

struct raft *store_raft(struct store *s) { return s->raft; }
struct loop *store_loop(struct store *s) { return s->loop; }
uint64_t store_revision(const struct store *s) { return s->state.now.rev; }
uint64_t store_history_start(const struct store *s) { return event_log_start(&s->state.log); }
uint64_t store_compacted(const struct store *s) { return s->state.now.compacted; }

void store_stats(const struct store *s, struct store_stats *ret)
{
    const struct event_log *log = &s->state.log;

    *ret = (struct store_stats){
        .rev = s->state.now.rev, .history_start = event_log_start(log), .keys = btree_len(&s->state.now.keys),
        .bytes = s->state.now.bytes, .events = event_log_end(log) - event_log_first(log),
        .event_bytes = log->bytes, .events_ever = event_log_end(log), .compacted = s->state.now.compacted,
        .nodes = s->state.pool.nodes, .dead_nodes = s->state.pool.n_dead,
        .watches = s->hub.n, .slow_watches = s->hub.n_awake, .pins = s->n_pins,
        .leases = s->state.now.n_leases, .served = s->served,
        .quota = s->space.quota, .disk_free = s->space.room.free, .space_short = s->space.tight,
    };
}

bool store_space_short(struct store *s, size_t more) { return space_short(&s->space, more); }

void store_served(struct store *s) { s->served++; }
