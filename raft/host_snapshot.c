/* raft/host_snapshot.c: when a snapshot is taken, what is forgotten after it, and its way to heads that
 * lag. */
#include "net/log.h"
#include "raft/host.h"

/* ---- Taking one ---------------------------------------------------------------------------------- */

static void snapshot_trash_next(struct raft *r)
{
    char name[SNAPSHOT_NAME_MAX];

    if (r->trash_busy || r->trash_n == 0 || r->closing)
        return;
    snapshot_name(name, r->trash[0].index, r->trash[0].term);
    r->trash_busy = true;
    r->pins++;
    disk_unlink(r->opts.disk, &r->trash_op, name);
}

static void snapshot_on_trashed(struct disk_op *op, int status)
{
    struct raft *r = container_of(op, struct raft, trash_op);

    r->trash_busy = false;
    memmove(r->trash, r->trash + 1, --r->trash_n * sizeof(r->trash[0]));
    snapshot_trash_next(r);
    raft__unpin(r);
}

/* A new one is in force: the log before the one before it is not needed any more, nor are older ones. */
static void snapshot_in_force(struct raft *r, const struct snapshot_meta *m)
{
    must(m->index > r->snapshot.index);
    if (r->snapshot_older.index > 0 && r->trash_n < ARRAY_LEN(r->trash)) {
        r->trash[r->trash_n++] = r->snapshot_older;
        snapshot_trash_next(r);
    }
    r->snapshot_older = r->snapshot;
    r->snapshot = *m;
    if (!r->disk_failed)
        wal_trim(r->wal, r->snapshot_older.index);
}

static void snapshot_on_written(void *arg, int status, const struct snapshot_meta *m)
{
    struct raft *r = arg;

    r->writer = NULL;
    if (status == 0 && !r->closing && m->index > r->snapshot.index) {
        snapshot_in_force(r, m);
    } else if (status != 0 && status != E_CANCELED && !r->closing) {
        r->offer_after_ns = loop_now_ns(r->loop) + RAFT_SNAPSHOT_RETRY_MS * 1000000ull;
        log_error("raft", "head %llu: a snapshot could not be written: %s; the log grows on until the next try",
                  (unsigned long long)r->opts.id, err_text(status));
    }
    raft__arm(r);
    raft__unpin(r);
}

void raft_snapshot_meta(const struct raft *r, struct snapshot_meta *ret, uint64_t *ret_cluster)
{
    uint64_t at = r->applied;

    if (BUG(&r->core, RAFT_BUG_SNAPSHOT_BEHIND) && at > MAX_OF(r->core.trail.offset, r->snapshot.index) + 1)
        at--;
    *ret = (struct snapshot_meta){ .index = at, .term = trail_term(&r->core.trail, at) };
    if (ret->index > 0)
        ret->config = *raft_core_config(&r->core, r->applied);
    *ret_cluster = r->opts.cluster;
}

void raft_snapshot_soon(struct raft *r)
{
    r->bytes_since = MAX_OF(r->bytes_since, MAX_OF(r->opts.snapshot_bytes, r->snapshot.size));
    raft__arm(r);
}

static void snapshot_take(struct raft *r)
{
    struct snapshot_meta m;
    uint64_t cluster;

    raft_snapshot_meta(r, &m, &cluster);
    must(m.index > r->snapshot.index && m.term > 0);
    r->bytes_since = 0;
    r->writer_index = m.index;
    r->pins++;
    r->writer = snapshot_write(r->loop, r->opts.disk, r->opts.cluster, &r->opts.fsm, &m, snapshot_on_written, r);
}

/* ---- Sending ------------------------------------------------------------------------------------- */

static void snapshot_on_chunk_out(void *arg, struct raft_message *m)
{
    struct raft *r = arg;

    m->term = r->core.hard.term;
    if (!r->closing && r->core.role == RAFT_LEADER)
        raft__send(r, m);
}

static void snapshot_on_sent(void *arg, struct snapshot_sender *s, bool ok)
{
    struct raft *r = arg;
    uint64_t to = snapshot_send_to(s);

    for (unsigned i = 0; i < RAFT_MAX_HEADS; i++)
        if (r->sender[i] == s)
            r->sender[i] = NULL;
    if (!ok)
        r->offer_after_ns = loop_now_ns(r->loop) + RAFT_SNAPSHOT_RETRY_MS * 1000000ull;
    if (!r->closing) {
        log_info("raft", "snapshot for head %llu: %s", (unsigned long long)to, ok ? "sent" : "given up");
        raft__event(r, (struct raft_event){ .type = RAFT_EV_SNAPSHOT_END, .snapshot_end = { to, ok } });
        raft__arm(r);
    }
    raft__unpin(r);
}

static struct snapshot_sender **snapshot_slot(struct raft *r, uint64_t to)
{
    struct snapshot_sender **empty = NULL;

    for (unsigned i = 0; i < RAFT_MAX_HEADS; i++) {
        if (r->sender[i] != NULL && snapshot_send_to(r->sender[i]) == to)
            return NULL;                         /* one is on its way */
        if (r->sender[i] == NULL && empty == NULL)
            empty = &r->sender[i];
    }
    return empty;
}

static void snapshot_begin_send(struct raft *r, uint64_t to)
{
    struct snapshot_sender_opts o = { .loop = r->loop, .disk = r->opts.disk, .meta = r->snapshot, .to = to,
                                      .send = snapshot_on_chunk_out, .done = snapshot_on_sent, .arg = r };
    struct snapshot_sender **slot = snapshot_slot(r, to);
    struct errbuf err = { { 0 } };
    int rc;

    if (slot == NULL)
        return;
    must(r->snapshot.index > 0 && r->snapshot.index >= r->core.trail.offset);
    rc = snapshot_send(&o, slot, &err);
    if (rc == 0) {
        r->pins++;
        return;
    }
    *slot = NULL;
    log_error("raft", "snapshot for head %llu: %s", (unsigned long long)to, err.s);
}

void raft__snapshot_on_reply(struct raft *r, const struct raft_message *m)
{
    for (unsigned i = 0; i < RAFT_MAX_HEADS; i++)
        if (r->sender[i] != NULL && snapshot_send_to(r->sender[i]) == m->from)
            snapshot_send_on_reply(r->sender[i], m);
}

/* ---- Receiving ----------------------------------------------------------------------------------- */

static void snapshot_on_reply_out(void *arg, uint64_t to, uint64_t index, uint64_t offset, bool done, bool ok)
{
    struct raft *r = arg;
    struct raft_message m = { .type = RAFT_MSG_CHUNK_REPLY, .to = to, .term = r->core.hard.term };

    m.chunk_reply.index = index;
    m.chunk_reply.offset = offset;
    m.chunk_reply.done = done;
    m.chunk_reply.ok = ok;
    if (!r->closing)
        raft__send(r, &m);
}

static bool snapshot_on_wanted(void *arg, const struct snapshot_meta *m)
{
    struct raft *r = arg;

    return !r->closing && !r->disk_failed && m->index > r->core.commit && r->core.role != RAFT_LEADER;
}

static void snapshot_on_installed(void *arg, const struct snapshot_meta *m)
{
    struct raft *r = arg;
    bool keep = trail_term(&r->core.trail, m->index) == m->term;

    log_info("raft", "head %llu took over a snapshot at %llu", (unsigned long long)r->opts.id,
             (unsigned long long)m->index);
    if (keep) {
        raft_log_forget(&r->log, m->index);
    } else {
        raft_log_reset(&r->log, m->index);
        wal_base(r->wal, m->index, m->term);
    }
    r->applied = m->index;
    r->bytes_since = 0;
    raft__event(r, (struct raft_event){ .type = RAFT_EV_INSTALLED, .installed = { m->index, m->term, &m->config } });
    if (r->writer != NULL)
        snapshot_write_cancel(r->writer);        /* it pins a state that is past */
    snapshot_in_force(r, m);
    raft__propose_skipped(r, m->index);
    if (r->opts.fsm.applied != NULL)
        r->opts.fsm.applied(r->opts.fsm.arg, r->applied);
    raft__arm(r);
}

/* Its file is of no use any more, but the log may well be written on. */
static void snapshot_on_failed(void *arg, int status)
{
    struct raft *r = arg;

    log_error("raft", "head %llu: a leader's snapshot could not be stored: %s", (unsigned long long)r->opts.id,
              err_text(status));
}

void raft__snapshot_on_chunk(struct raft *r, struct raft_message *m, struct blob *owner)
{
    if (m->chunk.index <= r->core.commit)
        snapshot_on_reply_out(r, m->from, m->chunk.index, m->chunk.total, true, true);     /* we have more already */
    else
        snapshot_receive(r->receiver, m, owner);
}

/* ---- The turn, and life -------------------------------------------------------------------------- */

/* A snapshot costs as much as it is long: the larger the state, the longer the log that one stands for.  A head
 * that joins may be given the whole log: before the first configuration in it, it cannot say whose state it has. */
static bool snapshot_is_due(const struct raft *r)
{
    if (raft_core_config(&r->core, r->applied)->n == 0)
        return false;
    return r->bytes_since >= MAX_OF(r->opts.snapshot_bytes, r->snapshot.size) && r->applied > r->snapshot.index;
}

/* To the heads that need more than the log in memory; first a newer one, if ours does not reach up to it either. */
static void snapshot_offer(struct raft *r)
{
    if (r->core.wants_snapshot == 0 || loop_now_ns(r->loop) < r->offer_after_ns)
        return;
    if (r->snapshot.index < r->core.trail.offset) {
        if (r->writer == NULL && !r->disk_failed)
            snapshot_take(r);
        return;
    }
    for (unsigned slot = 0; r->core.wants_snapshot != 0 && slot < r->core.config.n; slot++) {
        if (!(r->core.wants_snapshot & (1u << slot)))
            continue;
        r->core.wants_snapshot &= ~(uint64_t)(1u << slot);
        snapshot_begin_send(r, r->core.config.head[slot].id);
    }
}

void raft__snapshot_step(struct raft *r)
{
    if (r->writer == NULL && !r->disk_failed && snapshot_is_due(r))
        snapshot_take(r);
    snapshot_offer(r);
    for (unsigned i = 0; i < RAFT_MAX_HEADS; i++) {
        struct snapshot_sender *to = r->sender[i];
        if (to != NULL && (r->core.role != RAFT_LEADER || raft_config_find(&r->core.config, snapshot_send_to(to)) < 0))
            snapshot_send_cancel(to);
    }
}

uint64_t raft__snapshot_for(const struct raft *r, uint64_t id)
{
    for (unsigned i = 0; i < RAFT_MAX_HEADS; i++)
        if (r->sender[i] != NULL && snapshot_send_to(r->sender[i]) == id)
            return snapshot_send_index(r->sender[i]);
    if (r->snapshot.index >= r->core.trail.offset)
        return r->snapshot.index;
    return r->writer != NULL ? r->writer_index : r->applied;
}

void raft__snapshot_open(struct raft *r)
{
    struct snapshot_receiver_opts o = { .loop = r->loop, .disk = r->opts.disk, .cluster = r->opts.cluster,
                                        .fsm = &r->opts.fsm, .reply = snapshot_on_reply_out,
                                        .wanted = snapshot_on_wanted, .installed = snapshot_on_installed,
                                        .failed = snapshot_on_failed, .arg = r };

    r->receiver = snapshot_receiver_new(&o);
    r->trash_op.done = snapshot_on_trashed;
    r->pins++;
}

static void snapshot_on_closed(void *arg)
{
    raft__unpin(arg);
}

void raft__snapshot_close(struct raft *r)
{
    if (r->writer != NULL)
        snapshot_write_cancel(r->writer);
    for (unsigned i = 0; i < RAFT_MAX_HEADS; i++)
        if (r->sender[i] != NULL)
            snapshot_send_cancel(r->sender[i]);
    snapshot_receiver_close(r->receiver, snapshot_on_closed, r);
}
