/* raft/host_step.c: the turn of one head.
 *
 * Callbacks only record.  TURN_STEP then does, in this order: durability news, connections, messages, own
 * proposals, reads, time; sends what the core has to say (appends leave before our own write of the same
 * entries has begun); applies what is committed; hands out reads.  TURN_WRITE starts one write for all of
 * it. */
#include "net/log.h"
#include "raft/host.h"

void raft__arm(struct raft *r)
{
    if (!r->closing)
        turn_arm(r->loop, TURN_STEP, &r->step);
}

bool raft__backlogged(const struct raft *r) { return wal_backlog(r->wal) > RAFT_WAL_BACKLOG; }

/* ---- Records ------------------------------------------------------------------------------------- */

void raft__on_durable(void *arg, struct raft_mark mark)
{
    struct raft *r = arg;

    r->durable = mark;
    r->durable_news = true;
    raft__arm(r);
}

void raft__on_disk_failed(void *arg, int err)
{
    struct raft *r = arg;

    if (r->disk_failed)
        return;
    r->disk_failed = true;
    r->disk_error = err;
    log_error("raft", "head %llu: %s: %s; it takes no part any more until it is restarted on a good disk",
              (unsigned long long)r->opts.id, disk_path(r->opts.disk), err_text(err));
    raft__arm(r);
}

void raft__on_message(void *arg, struct raft_message *m, struct blob *owner)
{
    struct raft *r = arg;

    if (r->inbox_bytes + owner->len > RAFT_MAX_INBOX_BYTES || r->closing) {
        raft_message_release(m);                 /* more than a turn can take: as if lost */
        return;
    }
    struct inbox_item *it = mem_new(struct inbox_item);
    r->inbox_bytes += owner->len;
    it->m = *m;
    it->owner = blob_ref(owner);
    qpush(&r->inbox, &it->link);
    raft__arm(r);
}

static void host_link_news(struct raft *r, uint64_t id, bool up)
{
    if (r->link_news_n == ARRAY_LEN(r->link_news))             /* flapping; the newest say enough */
        memmove(r->link_news, r->link_news + 1, --r->link_news_n * sizeof(r->link_news[0]));
    r->link_news[r->link_news_n].id = id;
    r->link_news[r->link_news_n++].up = up;
    raft__arm(r);
}

void raft__on_peer_up(void *arg, uint64_t id) { host_link_news(arg, id, true); }
void raft__on_peer_lost(void *arg, uint64_t id) { host_link_news(arg, id, false); }

void raft__on_tick(struct timer *t)
{
    raft__arm(container_of(t, struct raft, tick));
}

/* ---- Events into the core ------------------------------------------------------------------------ */

/* The cluster begins; or it has begun long ago, and what this head had is gone. */
static void host_founded(struct raft *r)
{
    r->founding = false;
    raft__recover_founded(r, &r->core.config);
    if (r->core.doubt.lost)
        log_error("raft", "head %llu: %s is empty, but its cluster has a history: it takes no part before "
                  "all other heads have told what they have", (unsigned long long)r->opts.id,
                  disk_path(r->opts.disk));
}

static void host_log_duties(struct raft *r, const struct raft_update *u)
{
    if (r->disk_failed)
        return;
    if (r->founding && !r->core.newborn)
        host_founded(r);
    if (r->core.hard.gen != r->hard_written) {   /* before the entries of the new term */
        r->hard_written = r->core.hard.gen;
        wal_hard(r->wal, r->core.hard.term, r->core.hard.vote, &r->core.doubt);
    }
    if (u->truncate > 0)
        raft_log_cut(&r->log, u->truncate);
    for (size_t i = 0; i < u->n; i++) {
        must(u->first + i == raft_log_last(&r->log) + 1);
        raft_log_add(&r->log, &u->entry[i]);
        wal_entry(r->wal, u->first + i, &u->entry[i]);
    }
}

int raft__event(struct raft *r, struct raft_event e)
{
    struct raft_update u;

    e.now_ns = loop_hires_ns(r->loop);           /* leases are counted by it: fresh, not the turn's */
    int rc = raft_core_step(&r->core, &e, &u);
    host_log_duties(r, &u);
    return u.chunk ? 1 : rc;
}

static void host_message(struct raft *r, struct inbox_item *it)
{
    struct raft_message *m = &it->m;

    switch (m->type) {
    case RAFT_MSG_PROPOSE:       raft__propose_on_forward(r, m); break;
    case RAFT_MSG_PROPOSE_REPLY: raft__propose_on_reply(r, m); break;
    case RAFT_MSG_CHANGE:        raft__change_on_request(r, m); break;
    case RAFT_MSG_CHANGE_REPLY:  raft__change_on_reply(r, m); break;
    case RAFT_MSG_CHUNK_REPLY:   raft__snapshot_on_reply(r, m); break;
    default:
        if (m->type == RAFT_MSG_APPEND && m->append.n > 0 && raft__backlogged(r))
            break;                               /* as if lost: the leader sends it again, slower */
        if (raft__event(r, (struct raft_event){ .type = RAFT_EV_RECEIVE, .message = m }) == 1)
            raft__snapshot_on_chunk(r, m, it->owner);
        break;
    }
}

static void host_inbox(struct raft *r)
{
    struct qlink batch;

    qmove(&r->inbox, &batch);
    r->inbox_bytes = 0;
    while (!qempty(&batch)) {
        struct inbox_item *it = qentry(qpop(&batch), struct inbox_item, link);
        if (!r->disk_failed)
            host_message(r, it);
        raft_message_release(&it->m);
        blob_unref(it->owner);
        mem_free(it);
    }
}

static void host_news(struct raft *r)
{
    if (r->disk_failed && !r->core.failed) {
        raft__event(r, (struct raft_event){ .type = RAFT_EV_DISK_FAILED });
        raft__propose_fail_all(r, E_UNKNOWN);
    }
    if (r->durable_news && !r->disk_failed) {
        r->durable_news = false;
        raft__event(r, (struct raft_event){ .type = RAFT_EV_DURABLE, .durable = r->durable });
    }
    for (unsigned i = 0; i < r->link_news_n; i++) {
        bool up = r->link_news[i].up;
        raft__event(r, (struct raft_event){ .type = up ? RAFT_EV_PEER_UP : RAFT_EV_PEER_LOST,
                                            .peer = r->link_news[i].id });
        if (!up)
            raft__propose_peer_lost(r, r->link_news[i].id);
    }
    r->link_news_n = 0;
}

/* ---- Duties -------------------------------------------------------------------------------------- */

void raft__send(struct raft *r, struct raft_message *m)
{
    m->from = r->opts.id;
    peers_send(r->peers, m, &r->log);
}

static void host_send(struct raft *r)
{
    struct raft_message *m;
    size_t n = raft_core_flush(&r->core, loop_hires_ns(r->loop), &m);

    for (size_t i = 0; i < n; i++)
        peers_send(r->peers, &m[i], &r->log);
}

static void host_apply_one(struct raft *r, uint64_t index)
{
    struct raft_entry *e = raft_log_at(&r->log, index);
    struct str command = raft_entry_data(e);
    struct host_wrap w;

    r->applied = index;
    r->bytes_since += e->len + RAFT_ENTRY_OVERHEAD;
    r->load += e->len + RAFT_ENTRY_OVERHEAD;
    if (e->type != RAFT_ENTRY_COMMAND || !raft__wrap_take(&command, &w))
        return;
    r->opts.fsm.apply(r->opts.fsm.arg, index, command, raft__propose_match(r, &w));
}

/* Bounded: the rest waits for the next turn, which then comes at once. */
static void host_apply(struct raft *r)
{
    uint64_t upto = BUG(&r->core, RAFT_BUG_APPLY_EARLY) ? raft_log_last(&r->log) : r->core.commit;
    uint64_t until = MIN_OF(upto, r->applied + r->opts.apply_per_turn), from = r->applied;

    must(r->applied <= upto || BUG(&r->core, RAFT_BUG_APPLY_EARLY));
    if (from >= until)
        return;
    uint64_t began = loop_hires_ns(r->loop);
    do
        for (unsigned n = 0; n < RAFT_APPLY_AT_ONCE && r->applied < until; n++)
            host_apply_one(r, r->applied + 1);
    while (r->applied < until && loop_hires_ns(r->loop) - began < RAFT_APPLY_SLICE_NS);
    histogram_add(&r->apply_time, loop_hires_ns(r->loop) - began);
    raft__propose_sweep(r);
    if (r->opts.fsm.applied != NULL)
        r->opts.fsm.applied(r->opts.fsm.arg, r->applied);
    if (!r->disk_failed)
        wal_commit(r->wal, r->applied);
    if (r->applied < r->core.commit)
        raft__arm(r);
}

/* Followers' disks commit without ours, but a head that cannot write should not be the one that leads. */
static void host_slow_disk(struct raft *r)
{
    uint64_t limit = RAFT_WAL_SLOW_MS * 1000000ull, now = loop_now_ns(r->loop);

    bool starved = wal_starved(r->wal);

    if (r->core.role != RAFT_LEADER || now - r->handover_ns < limit)
        return;
    if (!starved && wal_waiting_ns(r->wal) < limit)
        return;
    r->handover_ns = now;
    if (starved)
        log_warn("raft", "head %llu: there is no room on its disk for more log: handing over leadership",
                 (unsigned long long)r->opts.id);
    else
        log_warn("raft", "head %llu: its disk has not finished a write for %llu ms: handing over leadership",
                 (unsigned long long)r->opts.id, (unsigned long long)(wal_waiting_ns(r->wal) / 1000000));
    (void)raft__event(r, (struct raft_event){ .type = RAFT_EV_TRANSFER, .transfer_to = 0 });
}

static void host_leading(struct raft *r)
{
    bool leading = raft_core_leading(&r->core) && r->applied >= r->core.term_start;

    if (r->core.role != RAFT_LEADER || leading == r->leading_told) {
        if (r->core.role == RAFT_LEADER || !r->leading_told)
            return;
        leading = false;
    }
    r->leading_told = leading;
    log_info("raft", "head %llu %s term %llu", (unsigned long long)r->opts.id,
             leading ? "leads from" : "no longer leads in", (unsigned long long)r->core.hard.term);
    if (r->opts.fsm.leading != NULL)
        r->opts.fsm.leading(r->opts.fsm.arg, leading);
}

/* Whom to dial and whom to shut out depends on all of these. */
static void host_config(struct raft *r)
{
    uint64_t now[4] = { r->core.config.index, r->core.epoch, raft_core_config(&r->core, r->core.commit)->index,
                        r->core.leader };

    if (r->peers_fresh && memcmp(now, r->peers_told, sizeof(now)) == 0)
        return;
    r->peers_fresh = true;
    memcpy(r->peers_told, now, sizeof(now));
    peers_use(r->peers, &r->core.config);
}

static void host_rearm(struct raft *r)
{
    uint64_t due = MIN_OF(raft_core_due(&r->core), raft__change_due(r)), now = loop_now_ns(r->loop);
    bool     waiting = r->pending_n > 0 || !qempty(&r->reads_asked) || !qempty(&r->reads_placed);

    if (waiting)                                 /* their time-outs, coarsely */
        due = MIN_OF(due, now + RAFT_READ_RETRY_MS * 1000000ull);
    if (due != UINT64_MAX)
        timer_start_ns(&r->tick, due > now ? due - now : 1);
    else
        timer_stop(&r->tick);
}

static void host_outdated(struct raft *r)
{
    unsigned long long id = r->opts.id;

    r->outdated_told = true;
    log_error("raft", "head %llu: %s has lost what it held, and the membership is another by now: "
              "coracle member remove %llu, then coracle member add, and start it with --join on an empty "
              "directory",
              id, disk_path(r->opts.disk), id);
}

static void host_give_up(struct raft *r)
{
    raft__propose_fail_all(r, E_UNKNOWN);
    raft__read_fail_all(r, E_NOLEADER);
    raft__change_fail_all(r);
}

/* What holds between core, log, files and queues at the end of a step. */
static void host_check(const struct raft *r)
{
    raft_core_check(&r->core);
    raft_log_check(&r->log);
    must(r->log.first == r->core.trail.offset + 1);
    must(raft_log_last(&r->log) == r->core.trail.last);
    must(r->applied <= r->core.commit);
    must(r->applied >= r->core.trail.offset);
    must(r->snapshot.index <= r->applied);
    must(r->snapshot_older.index <= r->snapshot.index);
    must(r->hard_written <= r->core.hard.gen);
    must(r->pending_n <= r->pending_cap);
    must((r->pending_cap & (r->pending_cap - 1)) == 0);
    must(r->queued_n <= r->pending_n);
    must(r->queued_from >= r->first_seq);
    must(r->queued_n > 0 || r->pending_bytes == 0);
    must(r->trash_n <= ARRAY_LEN(r->trash));
    must(r->link_news_n <= ARRAY_LEN(r->link_news));
    must(r->inbox_bytes > 0 || qempty(&r->inbox));
    must(!r->disk_failed || r->core.failed || r->core.role == RAFT_FOLLOWER || r->disk_error != 0);
}

void raft__on_step(struct turn_hook *h)
{
    struct raft *r = container_of(h, struct raft, step);

    if (r->closing)
        return;
    host_news(r);
    if (r->given_up)
        host_give_up(r);
    host_inbox(r);
    if (r->core.outdated && !r->outdated_told)
        host_outdated(r);
    raft__propose_step(r);
    raft__read_step(r);
    if (loop_hires_ns(r->loop) >= raft_core_due(&r->core))
        raft__event(r, (struct raft_event){ .type = RAFT_EV_TICK });
    host_slow_disk(r);
    raft__change_step(r);
    host_send(r);
    host_config(r);
    host_apply(r);
    host_leading(r);
    raft__read_results(r);
    raft__read_deliver(r);
    raft__propose_expire(r);
    raft__snapshot_step(r);
    raft__memory_step(r);
    host_check(r);
    if (!r->disk_failed && wal_dirty(r->wal))
        turn_arm(r->loop, TURN_WRITE, &r->write);
    host_rearm(r);
}

void raft__on_write(struct turn_hook *h)
{
    struct raft *r = container_of(h, struct raft, write);

    if (!r->closing && !r->disk_failed)
        wal_flush(r->wal, raft_core_mark(&r->core));
}
