/* raft/snapshot_write.c: a snapshot file written in the background: one slice of the state per turn, each
 * in its own request; synced now and then so that the log's own syncs never wait behind a mountain of
 * dirty pages.  After each slice the writer rests for several times as long as it took: the disk is the
 * log's, and the slower it is, the more so. */
#include "raft/limits.h"
#include "raft/snapshot.h"

#define SYNC_EVERY (2u << 20)

enum writer_state { WRITER_CLEARING, WRITER_WRITING, WRITER_RENAMING, WRITER_DONE };

struct snapshot_writer {
    struct loop *loop;
    struct disk *disk;
    const struct raft_fsm *fsm;
    void *reader;
    struct snapshot_meta meta;
    uint64_t cluster;
    struct snapshot_encoder enc;
    struct disk_file *file;
    struct disk_op op;
    struct timer rest;
    struct buf out;
    char *slice;
    uint64_t at, synced, started_ns;
    enum writer_state state;
    bool ended, canceled;
    int  status;
    void (*done)(void *arg, int status, const struct snapshot_meta *m);
    void *arg;
};

static void writer_on_op(struct disk_op *op, int status);
static void writer_on_rested(struct timer *t);

struct snapshot_writer *snapshot_write(struct loop *l, struct disk *d, uint64_t cluster, const struct raft_fsm *fsm,
                                       const struct snapshot_meta *meta,
                                       void (*done)(void *arg, int status, const struct snapshot_meta *m), void *arg)
{
    struct snapshot_writer *w = mem_new(struct snapshot_writer);

    w->loop = l;
    w->disk = d;
    w->fsm = fsm;
    w->cluster = cluster;
    w->meta = *meta;
    w->done = done;
    w->arg = arg;
    w->op.done = writer_on_op;
    timer_init(&w->rest, l, writer_on_rested);
    w->slice = mem_alloc(RAFT_SNAPSHOT_SLICE);
    w->reader = fsm->snapshot_open(fsm->arg);
    w->state = WRITER_CLEARING;
    disk_unlink(d, &w->op, SNAPSHOT_TMP);        /* of an earlier attempt */
    return w;
}

static void writer_end(struct snapshot_writer *w, int status)
{
    w->state = WRITER_DONE;
    if (w->reader != NULL)
        w->fsm->snapshot_close(w->fsm->arg, w->reader);
    if (w->file != NULL)
        disk_file_close(w->file);
    w->meta.size = w->at;
    buf_release(&w->out);
    mem_free(w->slice);
    w->done(w->arg, status, &w->meta);
    mem_free(w);
}

static void writer_next_slice(struct snapshot_writer *w)
{
    struct disk_vec v;

    w->started_ns = loop_hires_ns(w->loop);
    buf_clear(&w->out);
    if (w->at == 0)
        snapshot_encode_head(&w->enc, w->cluster, &w->meta, &w->out);
    size_t n = w->fsm->snapshot_read(w->fsm->arg, w->reader, w->slice, RAFT_SNAPSHOT_SLICE);
    must(n <= RAFT_SNAPSHOT_SLICE);
    if (n > 0) {
        snapshot_encode_chunk(&w->enc, str_make(w->slice, n), &w->out);
    } else {
        snapshot_encode_end(&w->enc, &w->out);
        w->ended = true;
        w->fsm->snapshot_close(w->fsm->arg, w->reader);
        w->reader = NULL;
    }
    bool sync = w->ended || w->at + w->out.n - w->synced >= SYNC_EVERY;
    if (sync)
        w->synced = w->at + w->out.n;
    v = (struct disk_vec){ w->out.p, w->out.n };
    disk_write(w->file, &w->op, w->at, &v, 1, sync);
}

static void writer_on_rested(struct timer *t)
{
    struct snapshot_writer *w = container_of(t, struct snapshot_writer, rest);

    if (w->canceled)
        writer_end(w, E_CANCELED);
    else
        writer_next_slice(w);
}

static void writer_rest(struct snapshot_writer *w)
{
    uint64_t took = loop_hires_ns(w->loop) - w->started_ns;

    timer_start_ns(&w->rest, MIN_OF(RAFT_SNAPSHOT_REST * took, RAFT_SNAPSHOT_REST_MAX_MS * 1000000ull));
}

static void writer_on_op(struct disk_op *op, int status)
{
    struct snapshot_writer *w = container_of(op, struct snapshot_writer, op);
    char name[SNAPSHOT_NAME_MAX];

    if (w->state == WRITER_CLEARING && status == E_NOTFOUND)
        status = 0;
    if (status == 0 && w->canceled && w->state != WRITER_RENAMING)
        status = E_CANCELED;
    if (status == 0 && w->state == WRITER_CLEARING) {
        w->state = WRITER_WRITING;
        w->started_ns = loop_hires_ns(w->loop);
        status = disk_file_open(w->disk, SNAPSHOT_TMP, true, &w->file, NULL);
    } else if (status == 0 && w->state == WRITER_WRITING) {
        w->at += w->out.n;
    }
    if (status != 0 || w->state == WRITER_RENAMING) {
        writer_end(w, status);
        return;
    }
    if (!w->ended) {
        writer_rest(w);
        return;
    }
    w->state = WRITER_RENAMING;
    disk_file_close(w->file);
    w->file = NULL;
    snapshot_name(name, w->meta.index, w->meta.term);
    disk_rename(w->disk, &w->op, SNAPSHOT_TMP, name);
}

void snapshot_write_cancel(struct snapshot_writer *w)
{
    w->canceled = true;
    if (timer_active(&w->rest))
        timer_start(&w->rest, 0);
}
