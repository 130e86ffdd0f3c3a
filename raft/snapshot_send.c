/* raft/snapshot_send.c: our newest snapshot file to one head that lags behind the log: one chunk per
 * answer; a chunk without answer is sent again, and after a number of those it is given up. */
#include "raft/limits.h"
#include "raft/snapshot.h"

#define RESEND_MS    300
#define RESENDS_MAX  30

struct snapshot_sender {
    struct snapshot_sender_opts o;
    struct disk_file *file;
    struct disk_op op;
    char *slice;
    size_t got;
    uint64_t at;
    unsigned resends;
    bool reading, canceled, ok;
    struct timer again;
    struct ready_item end;
};

static void sender_on_read(struct disk_op *op, int status);
static void sender_on_again(struct timer *t);

static void sender_on_end(struct ready_item *it)
{
    struct snapshot_sender *s = container_of(it, struct snapshot_sender, end);

    must(!s->reading);
    timer_stop(&s->again);
    disk_file_close(s->file);
    mem_free(s->slice);
    s->o.done(s->o.arg, s, s->ok);
    mem_free(s);
}

static void sender_finish(struct snapshot_sender *s, bool ok)
{
    s->ok = ok;
    s->canceled = true;
    timer_stop(&s->again);
    if (!s->reading)
        ready_post(s->o.loop, &s->end);
}

static void sender_read(struct snapshot_sender *s)
{
    must(!s->reading && s->at < s->o.meta.size);
    s->reading = true;
    disk_read(s->file, &s->op, s->at, s->slice, RAFT_SNAPSHOT_SLICE, &s->got);
}

int snapshot_send(const struct snapshot_sender_opts *o, struct snapshot_sender **ret, struct errbuf *err)
{
    struct snapshot_sender *s = mem_new(struct snapshot_sender);
    char name[SNAPSHOT_NAME_MAX];
    int rc;

    s->o = *o;
    snapshot_name(name, o->meta.index, o->meta.term);
    rc = disk_file_open(o->disk, name, false, &s->file, err);
    if (rc != 0 || o->meta.size == 0) {
        if (rc == 0)
            disk_file_close(s->file);
        mem_free(s);
        return rc != 0 ? rc : err_set(err, E_CORRUPT, "%s is empty", name);
    }
    s->slice = mem_alloc(RAFT_SNAPSHOT_SLICE);
    s->op.done = sender_on_read;
    timer_init(&s->again, o->loop, sender_on_again);
    ready_init(&s->end, sender_on_end);
    sender_read(s);
    *ret = s;
    return 0;
}

static void sender_on_read(struct disk_op *op, int status)
{
    struct snapshot_sender *s = container_of(op, struct snapshot_sender, op);
    struct raft_message m = { .type = RAFT_MSG_CHUNK, .to = s->o.to };

    s->reading = false;
    if (s->canceled || status != 0 || s->got == 0) {
        s->canceled = false;
        sender_finish(s, s->ok);
        return;
    }
    m.chunk.index = s->o.meta.index;
    m.chunk.snap_term = s->o.meta.term;
    m.chunk.offset = s->at;
    m.chunk.total = s->o.meta.size;
    m.chunk.data = str_make(s->slice, MIN_OF(s->got, s->o.meta.size - s->at));
    timer_start(&s->again, RESEND_MS);
    s->o.send(s->o.arg, &m);
}

static void sender_on_again(struct timer *t)
{
    struct snapshot_sender *s = container_of(t, struct snapshot_sender, again);

    if (s->canceled || s->reading)
        return;
    if (++s->resends > RESENDS_MAX)
        sender_finish(s, false);
    else
        sender_read(s);
}

void snapshot_send_on_reply(struct snapshot_sender *s, const struct raft_message *m)
{
    if (s->canceled || s->reading || m->from != s->o.to || m->chunk_reply.index != s->o.meta.index)
        return;
    if (!m->chunk_reply.ok || m->chunk_reply.done) {
        sender_finish(s, m->chunk_reply.done);
        return;
    }
    if (m->chunk_reply.offset >= s->o.meta.size)
        return;                                  /* nonsense; the timer goes on */
    s->resends = 0;
    s->at = m->chunk_reply.offset;
    timer_stop(&s->again);
    sender_read(s);
}

void snapshot_send_cancel(struct snapshot_sender *s)
{
    if (!s->canceled)
        sender_finish(s, false);
}

uint64_t snapshot_send_to(const struct snapshot_sender *s) { return s->o.to; }
uint64_t snapshot_send_index(const struct snapshot_sender *s) { return s->o.meta.index; }
