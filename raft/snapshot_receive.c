/* raft/snapshot_receive.c: a leader's snapshot file, chunk by chunk onto our disk, then verified into the
 * state machine, then named.  The sender sends one chunk per answer, so nothing queues.
 *
 * A checked chain of states; in each but IDLE and WAITING exactly one request is under way. */
#include "raft/limits.h"
#include "raft/snapshot.h"

enum receiver_state { RECV_IDLE, RECV_CLEARING, RECV_WAITING, RECV_WRITING, RECV_READING, RECV_RENAMING };

struct snapshot_receiver {
    struct snapshot_receiver_opts o;
    enum receiver_state state;
    uint64_t from, index, term, total, at;
    struct disk_file *file;
    struct disk_op op;
    struct blob *chunk_owner;
    struct str chunk;
    struct snapshot_parser parser;
    bool restoring;
    char *slice;
    size_t got;
    struct ready_item closed;
    bool closing;
    void (*close_cb)(void *arg);
    void *close_arg;
};

static void receiver_on_op(struct disk_op *op, int status);
static void receiver_on_closed(struct ready_item *it);

struct snapshot_receiver *snapshot_receiver_new(const struct snapshot_receiver_opts *o)
{
    struct snapshot_receiver *r = mem_new(struct snapshot_receiver);

    r->o = *o;
    r->op.done = receiver_on_op;
    ready_init(&r->closed, receiver_on_closed);
    return r;
}

static bool receiver_busy(const struct snapshot_receiver *r)
{
    return r->state != RECV_IDLE && r->state != RECV_WAITING;
}

/* Back to IDLE; what was received is left to be cleared by the next one. */
static void receiver_drop(struct snapshot_receiver *r)
{
    if (r->restoring)
        r->o.fsm->restore_end(r->o.fsm->arg, false);
    if (r->restoring || r->slice != NULL)
        snapshot_parser_release(&r->parser);
    r->restoring = false;
    if (r->file != NULL)
        disk_file_close(r->file);
    r->file = NULL;
    mem_free(r->slice);
    r->slice = NULL;
    r->chunk_owner = blob_unref(r->chunk_owner);
    r->state = RECV_IDLE;
    r->index = 0;
}

bool snapshot_receiver_active(const struct snapshot_receiver *r) { return r != NULL && r->state != RECV_IDLE; }

static void receiver_write(struct snapshot_receiver *r)
{
    struct disk_vec v = { r->chunk.p, r->chunk.n };

    must(r->chunk_owner != NULL && r->at + r->chunk.n <= r->total);
    r->state = RECV_WRITING;
    disk_write(r->file, &r->op, r->at, &v, 1, true);
}

static bool receiver_sane(const struct raft_message *m)
{
    return m->chunk.index > 0 && m->chunk.snap_term > 0 && m->chunk.data.n > 0
        && m->chunk.data.n <= RAFT_SNAPSHOT_SLICE && m->chunk.total <= INT64_MAX
        && m->chunk.offset <= m->chunk.total && m->chunk.data.n <= m->chunk.total - m->chunk.offset;
}

void snapshot_receive(struct snapshot_receiver *r, const struct raft_message *m, struct blob *owner)
{
    if (r->closing || receiver_busy(r) || !receiver_sane(m))
        return;                                  /* the sender asks again */
    bool same = r->state == RECV_WAITING && r->index == m->chunk.index && r->term == m->chunk.snap_term
             && r->total == m->chunk.total && r->from == m->from;
    if (same && m->chunk.offset != r->at) {
        r->o.reply(r->o.arg, r->from, r->index, r->at, false, true);
        return;
    }
    if (!same && m->chunk.offset != 0) {
        r->o.reply(r->o.arg, m->from, m->chunk.index, 0, false, true);
        return;
    }
    r->chunk_owner = blob_ref(owner);
    r->chunk = m->chunk.data;
    if (same) {
        receiver_write(r);
        return;
    }
    struct blob *keep = blob_ref(owner);
    receiver_drop(r);
    r->chunk_owner = keep;
    r->from = m->from;
    r->index = m->chunk.index;
    r->term = m->chunk.snap_term;
    r->total = m->chunk.total;
    r->at = 0;
    r->state = RECV_CLEARING;
    disk_unlink(r->o.disk, &r->op, SNAPSHOT_RECV);
}

/* All is here: read it back through the parser, slice by slice, into the state machine. */
static void receiver_read(struct snapshot_receiver *r)
{
    r->state = RECV_READING;
    disk_read(r->file, &r->op, r->at, r->slice, RAFT_SNAPSHOT_SLICE, &r->got);
}

static void receiver_begin_restore(struct snapshot_receiver *r)
{
    r->slice = mem_alloc(RAFT_SNAPSHOT_SLICE);
    snapshot_parser_init(&r->parser, r->o.cluster, r->o.fsm);
    r->o.fsm->restore_begin(r->o.fsm->arg);
    r->restoring = true;
    r->at = 0;
    receiver_read(r);
}

static void receiver_refuse(struct snapshot_receiver *r)
{
    uint64_t from = r->from, index = r->index;

    receiver_drop(r);
    r->o.reply(r->o.arg, from, index, 0, false, false);
}

static void receiver_read_done(struct snapshot_receiver *r)
{
    char name[SNAPSHOT_NAME_MAX];

    if (r->got > RAFT_SNAPSHOT_SLICE || snapshot_parse(&r->parser, str_make(r->slice, r->got), NULL) != 0) {
        receiver_refuse(r);
        return;
    }
    r->at += r->got;
    if (r->got > 0 && r->at < r->total) {
        receiver_read(r);
        return;
    }
    if (!r->parser.ended || r->parser.meta.index != r->index || r->parser.meta.term != r->term
        || !r->o.wanted(r->o.arg, &r->parser.meta)) {
        receiver_refuse(r);
        return;
    }
    disk_file_close(r->file);
    r->file = NULL;
    snapshot_name(name, r->index, r->term);
    r->state = RECV_RENAMING;
    disk_rename(r->o.disk, &r->op, SNAPSHOT_RECV, name);
}

/* Durable under its name: now it counts, unless the log overtook it meanwhile. */
static void receiver_take_over(struct snapshot_receiver *r)
{
    struct snapshot_meta meta = r->parser.meta;
    uint64_t from = r->from;
    bool wanted = r->o.wanted(r->o.arg, &meta);

    meta.size = r->total;
    if (wanted) {
        r->restoring = false;
        wanted = r->o.fsm->restore_end(r->o.fsm->arg, true) == 0;
    }
    receiver_drop(r);
    if (wanted)
        r->o.installed(r->o.arg, &meta);
    r->o.reply(r->o.arg, from, meta.index, meta.size, wanted, wanted);
}

static void receiver_on_op(struct disk_op *op, int status)
{
    struct snapshot_receiver *r = container_of(op, struct snapshot_receiver, op);

    if (r->state == RECV_CLEARING && (status == 0 || status == E_NOTFOUND))
        status = disk_file_open(r->o.disk, SNAPSHOT_RECV, true, &r->file, NULL);
    if (r->closing) {
        receiver_drop(r);
        ready_post(r->o.loop, &r->closed);
        return;
    }
    if (status != 0) {
        r->o.failed(r->o.arg, status);
        receiver_refuse(r);
        return;
    }
    switch (r->state) {
    case RECV_CLEARING: receiver_write(r); break;
    case RECV_WRITING:
        r->at += r->chunk.n;
        r->chunk_owner = blob_unref(r->chunk_owner);
        if (r->at == r->total) {
            receiver_begin_restore(r);
        } else {
            r->state = RECV_WAITING;
            r->o.reply(r->o.arg, r->from, r->index, r->at, false, true);
        }
        break;
    case RECV_READING:  receiver_read_done(r); break;
    case RECV_RENAMING: receiver_take_over(r); break;
    default:            must(!"a request in a state that has none");
    }
}

static void receiver_on_closed(struct ready_item *it)
{
    struct snapshot_receiver *r = container_of(it, struct snapshot_receiver, closed);
    void (*cb)(void *) = r->close_cb;
    void *arg = r->close_arg;

    if (receiver_busy(r))
        return;
    receiver_drop(r);
    mem_free(r);
    cb(arg);
}

void snapshot_receiver_close(struct snapshot_receiver *r, void (*done)(void *arg), void *arg)
{
    r->closing = true;
    r->close_cb = done;
    r->close_arg = arg;
    ready_post(r->o.loop, &r->closed);
}
