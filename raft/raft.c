/* raft/raft.c: a head's raft as a whole: opening, closing, status. */
#include "raft/host.h"

static void host_on_closed(struct ready_item *it);

static void host_defaults(struct raft_opts *o)
{
    if (o->heartbeat_ms == 0)
        o->heartbeat_ms = RAFT_HEARTBEAT_MS;
    if (o->election_min_ms == 0)
        o->election_min_ms = RAFT_ELECTION_MIN_MS;
    if (o->election_max_ms == 0)
        o->election_max_ms = RAFT_ELECTION_MAX_MS;
    if (o->apply_per_turn == 0)
        o->apply_per_turn = RAFT_APPLY_PER_TURN;
    if (o->snapshot_bytes == 0)
        o->snapshot_bytes = RAFT_SNAPSHOT_BYTES;
    if (o->log_bytes == 0)
        o->log_bytes = RAFT_LOG_BYTES;
}

static int host_open_peers(struct raft *r, struct errbuf *err)
{
    struct peers_opts o = { .loop = r->loop, .id = r->opts.id, .cluster = r->opts.cluster,
                            .listen_addr = r->opts.listen_addr, .tls_server = r->opts.tls_server,
                            .tls_client = r->opts.tls_client, .organization = r->opts.peer_organization,
                            .on_message = raft__on_message, .on_up = raft__on_peer_up, .on_lost = raft__on_peer_lost,
                            .has_left = raft__change_has_left, .on_removed = raft__change_on_removed,
                            .arg = r };
    int rc = peers_open(&o, &r->peers, err);

    if (rc == 0)
        r->pins++;
    return rc;
}

static void host_abandon(void *arg)
{
    (void)arg;
}

static void host_free(struct raft *r)
{
    raft_core_release(&r->core);
    raft_log_release(&r->log);
    mem_free(r->pending);
    mem_free(r->batch);
    mem_free(r);
}

static void host_on_part_closed(void *arg)
{
    raft__unpin(arg);
}

/* raft_open() failed half way: what is open closes by itself from the loop, nobody is told. */
static void host_undo(struct raft *r)
{
    r->closing = true;
    r->close_cb = host_abandon;
    if (r->wal != NULL)
        wal_close(r->wal, host_on_part_closed, r);
    if (r->peers != NULL)
        peers_close(r->peers, host_on_part_closed, r);
    raft__unpin(r);
}

int raft_open(const struct raft_opts *o, struct raft **ret, struct errbuf *err)
{
    struct raft *r = mem_new(struct raft);
    int rc;

    must(o->id > 0 && o->loop != NULL && o->disk != NULL);
    r->opts = *o;
    host_defaults(&r->opts);
    r->loop = o->loop;
    r->boot = loop_random_u64(r->loop) | 1;
    r->read_base = r->read_ctx = loop_random_u64(r->loop) / 2;
    r->first_seq = r->queued_from = 1;
    r->pins = 1;
    turn_init(&r->step, raft__on_step);
    turn_init(&r->write, raft__on_write);
    timer_init(&r->tick, r->loop, raft__on_tick);
    raft__memory_init(r);
    ready_init(&r->closed, host_on_closed);
    r->change_ctx = loop_random_u64(r->loop) / 2;
    qinit(&r->inbox);
    qinit(&r->changes);
    qinit(&r->reads_new);
    qinit(&r->reads_asked);
    qinit(&r->reads_placed);
    rc = raft__recover(r, err);
    if (rc == 0)
        rc = host_open_peers(r, err);
    if (rc != 0) {
        host_undo(r);
        return rc;
    }
    raft__snapshot_open(r);
    raft__arm(r);
    *ret = r;
    return 0;
}

/* ---- Closing: a pin for each part that has I/O -------------------------------------------------- */

void raft__unpin(struct raft *r)
{
    must(r->pins > 0);
    if (--r->pins == 0)
        ready_post(r->loop, &r->closed);
}

static void host_drop_inbox(struct raft *r)
{
    while (!qempty(&r->inbox)) {
        struct inbox_item *it = qentry(qpop(&r->inbox), struct inbox_item, link);
        raft_message_release(&it->m);
        blob_unref(it->owner);
        mem_free(it);
    }
}

static void host_on_closed(struct ready_item *it)
{
    struct raft *r = container_of(it, struct raft, closed);
    void (*cb)(void *) = r->close_cb;
    void *arg = r->close_arg;

    raft__propose_fail_all(r, E_UNKNOWN);
    raft__read_fail_all(r, E_CLOSED);
    raft__change_fail_all(r);
    host_drop_inbox(r);
    timer_stop(&r->tick);
    timer_stop(&r->rest);
    host_free(r);
    if (cb != NULL)
        cb(arg);
}

void raft_close(struct raft *r, void (*done)(void *arg), void *arg)
{
    must(!r->closing);
    r->closing = true;
    r->close_cb = done;
    r->close_arg = arg;
    turn_cancel(&r->step);
    turn_cancel(&r->write);
    timer_stop(&r->tick);
    timer_stop(&r->rest);
    raft__snapshot_close(r);
    wal_close(r->wal, host_on_part_closed, r);
    peers_close(r->peers, host_on_part_closed, r);
    raft__unpin(r);
}

void raft_give_up(struct raft *r)
{
    r->given_up = true;
    raft__arm(r);
}

/* ---- The rest ------------------------------------------------------------------------------------ */

static void status_member(struct raft *r, unsigned slot, struct raft_member *ret)
{
    const struct raft_core *c = &r->core;
    const struct raft_head *h = &c->config.head[slot];
    const struct raft_progress *p = &c->progress[slot];
    bool self = h->id == r->opts.id;

    *ret = (struct raft_member){ .id = h->id, .name = h->name, .addr = h->addr, .api = h->api, .client = h->client,
                                 .voter = (h->parts & RAFT_VOTER) != 0 && !(h->parts & RAFT_LEARNER),
                                 .learner = h->parts == RAFT_LEARNER, .leader = h->id == c->leader,
                                 .connected = self || peers_connected(r->peers, h->id) };
    if (self) {
        ret->match = c->durable;
        ret->heard = true;
    } else if (c->role == RAFT_LEADER) {
        ret->match = p->match;
        ret->heard = p->round > 0;
        ret->heard_ms_ago = ret->heard ? (loop_hires_ns(r->loop) - MIN_OF(p->heard_ns, loop_hires_ns(r->loop))) / 1000000 : 0;
    }
    ret->lag = self || c->role == RAFT_LEADER ? c->trail.last - MIN_OF(ret->match, c->trail.last) : 0;
}

void raft_status(struct raft *r, struct raft_status *ret)
{
    const struct raft_core *c = &r->core;
    struct raft_status s = { .id = r->opts.id, .leader = c->leader, .term = c->hard.term, .commit = c->commit,
                             .applied = r->applied, .last = c->trail.last, .durable = c->durable,
                             .snapshot_index = r->snapshot.index,
                             .is_leader = c->role == RAFT_LEADER, .disk_failed = r->disk_failed,
                             .leader_changes = c->leader_changes, .proposals = r->proposals,
                             .proposals_failed = r->proposals_failed, .n_heads = c->config.n,
                             .member = raft_config_find(&c->config, r->opts.id) >= 0,
                             .changing = raft_config_joint(&c->config) || c->config.index > c->commit };
    struct wal_stats w;

    s.repairing = c->doubt.lost || !raft_up_to_date(trail_last_term(&c->trail), c->trail.last, c->doubt.term,
                                                    c->doubt.index);
    wal_stats(r->wal, &w);
    s.fsyncs = w.syncs;
    s.fsync_ns_sum = w.sync_ns_sum;
    s.fsync_ns_max = w.sync_ns_max;
    s.bytes_written = w.bytes;
    s.segments = w.segments;
    s.segment_bytes = r->opts.segment_bytes > 0 ? r->opts.segment_bytes : RAFT_SEGMENT_BYTES;
    s.fsync_time = w.sync_time;
    s.proposal_time = &r->proposal_time;
    s.apply_time = &r->apply_time;
    s.pending = r->pending_n;
    s.log_bytes = r->log.bytes;
    s.snapshot_bytes = r->snapshot.index > 0 ? r->snapshot.size : 0;
    s.snapshots_bytes = s.snapshot_bytes + (r->snapshot_older.index > 0 ? r->snapshot_older.size : 0);
    s.disk_full = wal_starved(r->wal);
    s.snapshot_writing = r->writer != NULL;
    s.snapshot_receiving = snapshot_receiver_active(r->receiver);
    for (unsigned i = 0; i < RAFT_MAX_HEADS; i++)
        s.snapshots_sending += r->sender[i] != NULL;
    for (unsigned i = 0; i < c->config.n; i++)
        status_member(r, i, &s.head[i]);
    *ret = s;
}
