/* raft/wal.c: gathering records, writing them in batches, moving from segment to segment. */
#include <stdio.h>
#include "raft/wal_impl.h"

static void wal_on_written(struct disk_op *op, int status);
static void wal_on_vote(struct disk_op *op, int status);
static void wal_write_vote(struct wal *w, bool sync);
static void wal_on_spare(struct disk_op *op, int status);
static void wal_on_trashed(struct disk_op *op, int status);
static void wal_on_quiet(struct timer *t);
static void wal_on_closed(struct ready_item *it);
static void wal_on_room(struct timer *t);

struct wal_segment *wal__segment_new(struct wal *w, uint64_t seq, uint64_t max_index)
{
    struct wal_segment *s = mem_new(struct wal_segment);

    s->seq = seq;
    s->max_index = max_index;
    qpush(&w->segments, &s->link);
    return s;
}

static void wal_free(struct wal *w)
{
    while (!qempty(&w->segments))
        mem_free(qentry(qpop(&w->segments), struct wal_segment, link));
    while (!qempty(&w->trash))
        mem_free(qentry(qpop(&w->trash), struct wal_segment, link));
    if (w->file != NULL)
        disk_file_close(w->file);
    if (w->spare != NULL)
        disk_file_close(w->spare);
    if (w->vote_file != NULL)
        disk_file_close(w->vote_file);
    mem_free(w->vote_bytes);
    timer_stop(&w->seal);
    timer_stop(&w->room);
    buf_release(&w->gather);
    buf_release(&w->flight);
    buf_release(&w->config);
    mem_free(w);
}

static int wal_create(struct wal *w, uint64_t seq, struct disk_file **ret, struct errbuf *err)
{
    char name[64];

    snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)seq);
    return disk_file_open(w->disk, name, true, ret, err);
}

static struct vote wal_vote(const struct wal *w)
{
    bool begun = w->at > 0 || w->busy;

    return (struct vote){ .cluster = w->opts.cluster, .head = w->opts.head, .term = w->term, .vote = w->vote,
                          .doubt = w->doubt, .seq = begun ? w->seq : w->prev_seq,
                          .synced = begun ? w->synced : w->prev_end,
                          .prev_seq = begun ? w->prev_seq : 0, .prev_end = begun ? w->prev_end : 0 };
}

/* The files that will be written, from now on. */
static int wal_begin(struct wal *w, bool vote_is_good, struct errbuf *err)
{
    struct vote v = wal_vote(w);
    int rc = vote_is_good && w->leftover == 0 ? 0 : vote_write_now(w->disk, &v, err);
    char name[64];

    snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)w->leftover);
    if (rc == 0 && w->leftover > 0)
        rc = disk_unlink_now(w->disk, name, err);
    if (rc == 0)
        rc = disk_file_open(w->disk, VOTE_NAME, false, &w->vote_file, err);
    if (rc == 0)
        rc = wal_create(w, w->seq, &w->file, err);
    if (rc != 0)
        return rc;
    w->vote_bytes = mem_alloc(VOTE_BYTES);
    wal__segment_new(w, w->seq, 0);
    w->spare_busy = true;                        /* not a spare: the first segment itself */
    disk_allocate(w->file, &w->spare_op, w->size);
    return 0;
}

int wal_open(const struct wal_opts *o, struct wal **ret, struct wal_recovered *ret_found, struct errbuf *err)
{
    struct wal *w = mem_new(struct wal);
    struct wal_recovered found = { 0 };
    int rc;

    w->loop = o->loop;
    w->disk = o->disk;
    w->opts = *o;
    w->bugs = o->bugs;
    w->size = o->segment_bytes > 0 ? o->segment_bytes : RAFT_SEGMENT_BYTES;
    w->opts.segment_bytes = w->size;
    w->op.done = wal_on_written;
    w->vote_op.done = wal_on_vote;
    w->spare_op.done = wal_on_spare;
    w->trash_op.done = wal_on_trashed;
    qinit(&w->segments);
    qinit(&w->trash);
    timer_init(&w->seal, w->loop, wal_on_quiet);
    timer_init(&w->room, w->loop, wal_on_room);
    ready_init(&w->closed, wal_on_closed);
    w->sealed = true;
    rc = wal__replay(w, &found, err);
    if (rc == 0 && !found.damaged && o->inspect == NULL)
        rc = wal_begin(w, found.vote_copies == 2, err);
    if (rc != 0) {
        buf_release(&found.config);
        wal_free(w);
        return rc;
    }
    *ret_found = found;
    *ret = w;
    return 0;
}

int wal_restart(struct wal *w, uint64_t index, uint64_t term, const struct raft_doubt *doubt, struct errbuf *err)
{
    char name[64], aside[80];
    int rc;

    must(w->at == 0 && w->gather.n == 0);
    w->doubt = *doubt;
    w->synced = w->prev_seq = w->prev_end = 0;
    struct vote v = wal_vote(w);
    rc = vote_write_now(w->disk, &v, err);
    while (rc == 0 && !qempty(&w->segments)) {
        struct wal_segment *s = qentry(qfirst(&w->segments), struct wal_segment, link);
        snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)s->seq);
        snprintf(aside, sizeof(aside), RAFT_ASIDE "%s", name);
        if (s->seq < w->seq)
            rc = disk_rename_now(w->disk, name, aside, err);
        qdel(&s->link);
        mem_free(s);
    }
    w->last_index = index;
    w->last_term = term;
    w->commit = w->commit_written = 0;
    wal__remember(w);
    if (rc != 0)
        return rc;
    if (w->file == NULL)
        return wal_begin(w, true, err);
    wal__segment_new(w, w->seq, 0);              /* was begun by wal_open(), is still empty */
    disk_file_close(w->vote_file);
    w->vote_file = NULL;
    return disk_file_open(w->disk, VOTE_NAME, false, &w->vote_file, err);
}

/* ---- Gathering ----------------------------------------------------------------------------------- */

static void wal_add(struct wal *w, enum wal_type type, struct wal_record rec, struct str data)
{
    static const char zero[8];

    rec.type = (uint8_t)type;
    rec.len = (uint32_t)data.n;
    buf_add(&w->gather, &rec, sizeof(rec));
    buf_str_add(&w->gather, data);
    buf_add(&w->gather, zero, wal_padded(data.n) - data.n);
}

static void wal_add_doubt(struct wal *w)
{
    struct wal_doubt d = { w->doubt.lost };

    wal_add(w, WAL_DOUBT, (struct wal_record){ .index = w->doubt.index, .term = w->doubt.term },
            str_make((const char *)&d, sizeof(d)));
}

static void wal_add_commit(struct wal *w)
{
    struct wal_last last = { w->last_index, w->last_term };

    w->commit_written = w->commit;
    wal_add(w, WAL_COMMIT, (struct wal_record){ .index = w->commit }, str_make((const char *)&last, sizeof(last)));
}

void wal_hard(struct wal *w, uint64_t term, uint64_t vote, const struct raft_doubt *doubt)
{
    must(term >= w->term);
    w->term = term;
    w->vote = vote;
    w->vote_stale = true;
    if (memcmp(&w->doubt, doubt, sizeof(*doubt)) != 0) {
        w->doubt = *doubt;
        wal_add_doubt(w);
    }
    wal_add(w, WAL_HARD, (struct wal_record){ .term = term, .index = vote }, STR_NONE);
}

void wal_entry(struct wal *w, uint64_t index, const struct raft_entry *e)
{
    must(index > 0 && e->term > 0);
    must(index <= w->last_index + 1);
    must(e->len <= RAFT_MAX_COMMAND + 4096);
    wal_add(w, WAL_ENTRY, (struct wal_record){ .index = index, .term = e->term, .entry_type = e->type },
            raft_entry_data(e));
    w->last_index = index;
    w->last_term = e->term;
    w->max_index = MAX_OF(w->max_index, index);
}

void wal_base(struct wal *w, uint64_t index, uint64_t term)
{
    must(index > 0 && term > 0);
    wal_add(w, WAL_BASE, (struct wal_record){ .index = index, .term = term }, STR_NONE);
    w->last_index = index;
    w->last_term = term;
}

void wal_config(struct wal *w, uint64_t index, struct str data)
{
    must(data.n > 0);
    w->config_index = index;
    buf_clear(&w->config);
    buf_str_add(&w->config, data);
    wal_add(w, WAL_CONFIG, (struct wal_record){ .index = index }, data);
}

void wal_commit(struct wal *w, uint64_t index)
{
    w->commit = MAX_OF(w->commit, index);        /* less: the log from before the restart is still being applied */
}

uint64_t wal_last_index(const struct wal *w) { return w->last_index; }
uint64_t wal_last_term(const struct wal *w) { return w->last_term; }
bool wal_dirty(const struct wal *w) { return w->gather.n > 0; }
bool wal_starved(const struct wal *w) { return w->starved; }
size_t wal_backlog(const struct wal *w) { return w->gather.n; }
uint64_t wal_waiting_ns(const struct wal *w)
{
    return w->busy || w->parked ? loop_hires_ns(w->loop) - w->started_ns : 0;
}

/* ---- Segments ------------------------------------------------------------------------------------ */

static void wal_fail(struct wal *w, int err)
{
    if (w->failed)
        return;
    w->failed = true;
    timer_stop(&w->seal);
    timer_stop(&w->room);
    if (!w->closing)
        w->opts.failed(w->opts.arg, err);
}

static void wal_write(struct wal *w, bool sync);

/* Makes the next segment's file ahead of need, off the loop, so that moving on costs no more than any batch. */
static void wal_prepare_spare(struct wal *w, uint64_t bytes)
{
    char name[64];

    must(w->spare == NULL && !w->spare_busy);
    w->spare_size = bytes;
    w->spare_busy = w->spare_making = true;
    snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)(w->seq + 1));
    disk_create(w->disk, &w->spare_op, name, bytes);
}

/* Tried again, whoever waits for it. */
static void wal_on_room(struct timer *t)
{
    struct wal *w = container_of(t, struct wal, room);

    if (w->spare == NULL && !w->spare_busy && !w->failed && !w->closing)
        wal_prepare_spare(w, MAX_OF(w->opts.segment_bytes, w->spare_size));
}

/* Made, or (the first segment's) allocated, which is best effort: a full disk shows when it is written. */
static void wal_on_spare(struct disk_op *op, int status)
{
    struct wal *w = container_of(op, struct wal, spare_op);
    bool made = w->spare_making;
    char name[64];

    w->spare_busy = w->spare_making = false;
    if (w->closing) {
        ready_post(w->loop, &w->closed);
        return;
    }
    snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)(w->seq + 1));
    if (made && status == 0)
        status = disk_file_open(w->disk, name, false, &w->spare, NULL);
    if (made && status == E_FULL) {              /* nothing was made, nothing is lost */
        w->starved = true;
        timer_start(&w->room, RAFT_WAL_ROOM_MS);
        return;
    }
    w->starved = w->starved && !made;
    if (made && status != 0)
        wal_fail(w, status);
    if (w->parked && !w->busy && !w->failed) {
        w->parked = false;
        wal_write(w, true);
    }
}

/* The batch does not fit: go on in the spare.  Its header and state records come first, in the same write.
 * False: there is none yet; the batch waits for it. */
static bool wal_next_segment(struct wal *w, uint64_t bytes)
{
    if (w->spare == NULL) {
        if (!w->parked)
            w->started_ns = loop_hires_ns(w->loop);
        w->parked = true;
        if (!w->spare_busy && !w->starved)
            wal_prepare_spare(w, MAX_OF(w->opts.segment_bytes, bytes));
        return false;
    }
    disk_file_close(w->file);
    w->file = w->spare;
    w->spare = NULL;
    w->prev_seq = w->seq;
    w->prev_end = w->synced;                     /* a seal behind it is not promised to be there */
    w->seq++;
    w->size = MAX_OF(w->spare_size, bytes);
    w->at = w->synced = 0;
    wal__segment_new(w, w->seq, 0);
    return true;
}

/* Header and current state, before the first records of a segment. */
static void wal_begin_segment(struct wal *w, struct buf *out)
{
    struct wal_header h = { .magic = WAL_MAGIC, .seq = w->seq, .cluster = w->opts.cluster, .head = w->opts.head,
                            .prev_seq = w->prev_seq, .prev_end = w->prev_end,
                            .prev_index = w->head.index, .prev_term = w->head.index_term };
    struct buf records = w->gather;

    h.crc = wal_header_crc(&h);
    buf_add(out, &h, sizeof(h));
    w->gather = BUF_INIT;
    if (w->head.term > 0)
        wal_add(w, WAL_HARD, (struct wal_record){ .term = w->head.term, .index = w->head.vote }, STR_NONE);
    if (w->doubt.term > 0 || w->doubt.lost)
        wal_add_doubt(w);
    if (w->config.n > 0)
        wal_add(w, WAL_CONFIG, (struct wal_record){ .index = w->config_index }, buf_str(&w->config));
    buf_str_add(out, buf_str(&w->gather));
    buf_release(&w->gather);
    w->gather = records;
}

/* ---- Writing ------------------------------------------------------------------------------------- */

/* Now that the place of each record is known, complete it. */
static void wal_finish_records(struct wal *w, char *p, size_t n, size_t skip)
{
    for (size_t at = skip; at < n; ) {
        struct wal_record rec;
        must(n - at >= sizeof(rec));
        memcpy(&rec, p + at, sizeof(rec));
        rec.synced = (uint32_t)w->synced;
        memcpy(p + at, &rec, sizeof(rec));
        rec.crc = wal_record_crc(w->seq, w->at + at, p + at, rec.len);
        memcpy(p + at, &rec.crc, sizeof(rec.crc));
        at += wal_record_size(rec.len);
        must(at <= n);
    }
}

void wal__remember(struct wal *w)
{
    w->head.index = w->last_index;
    w->head.index_term = w->last_term;
    w->head.term = w->term;
    w->head.vote = w->vote;
}

static void wal_check(const struct wal *w)
{
    must(!qempty(&w->segments));
    must(qentry(w->segments.prev, struct wal_segment, link)->seq == w->seq);
    must(w->seq > w->prev_seq);
    must(w->file != NULL);
    must(w->synced <= w->at);
    must(w->at + w->flight.n <= w->size);
    must(w->at % 8 == 0 && w->gather.n % 8 == 0 && w->flight.n % 8 == 0);
    must(w->busy == (w->flight.n > 0));
    must(w->vote_busy || !w->vote_wait);
    must(w->commit_written <= w->commit);
    must(w->head.term <= w->term);
}

/* Beside the log, at the same time.  Not synced: only as a witness of how far the log was durable. */
static void wal_write_vote(struct wal *w, bool sync)
{
    struct vote v = wal_vote(w);
    struct disk_vec vec = { w->vote_bytes, VOTE_BYTES };

    if (w->vote_busy) {
        w->vote_again |= sync;
        return;
    }
    if (sync)
        w->vote_stale = w->vote_again = false;
    vote_encode(&v, w->vote_bytes);
    w->vote_busy = true;
    disk_write(w->vote_file, &w->vote_op, 0, &vec, 1, sync);
}

static void wal_write(struct wal *w, bool sync)
{
    struct disk_vec v;
    size_t bytes = w->gather.n + sizeof(struct wal_header) + 3 * sizeof(struct wal_record) + w->config.n + 16;
    size_t skip = 0;

    must(!w->busy && w->flight.n == 0);
    must(bytes < UINT32_MAX);
    if (w->at == 0)
        w->size = MAX_OF(w->size, bytes);
    else if (w->at + bytes > w->size && !wal_next_segment(w, bytes))
        return;
    if (w->at == 0) {
        wal_begin_segment(w, &w->flight);
        skip = sizeof(struct wal_header);
        buf_str_add(&w->flight, buf_str(&w->gather));
        buf_clear(&w->gather);
    } else {
        struct buf empty = w->flight;
        w->flight = w->gather;
        w->gather = empty;
    }
    wal_finish_records(w, w->flight.p, w->flight.n, skip);
    struct wal_segment *s = qentry(w->segments.prev, struct wal_segment, link);
    s->max_index = MAX_OF(s->max_index, w->max_index);
    w->max_index = 0;
    wal__remember(w);
    w->flight_mark = w->mark;
    w->busy = true;
    w->sealing = !sync;
    w->landed = false;
    w->started_ns = loop_hires_ns(w->loop);
    if ((w->vote_stale || w->at == 0) && sync) {
        w->vote_wait = true;
        wal_write_vote(w, true);
    }
    wal_check(w);
    v = (struct disk_vec){ w->flight.p, w->flight.n };
    disk_write(w->file, &w->op, w->at, &v, 1, sync && !BUG(w, RAFT_BUG_NO_SYNC));
}

void wal_flush(struct wal *w, struct raft_mark mark)
{
    if (w->failed || w->closing)
        return;
    w->mark = mark;
    if (w->busy || w->gather.n == 0)
        return;
    if (w->commit > w->commit_written)
        wal_add_commit(w);
    wal_write(w, true);
}

/* The batch is on disk, in the log and, where needed, in the vote file. */
static void wal_batch_end(struct wal *w)
{
    uint64_t took = loop_hires_ns(w->loop) - w->started_ns;
    bool sealing = w->sealing;

    w->busy = false;
    w->at += w->flight.n;
    w->stats.bytes += w->flight.n;
    buf_clear(&w->flight);
    if (w->flight.cap > (1u << 20) && w->gather.n == 0)
        buf_release(&w->flight);                 /* after a burst; idle heads stay small */
    if (!w->failed && !sealing) {
        w->synced = w->at;
        w->stats.syncs++;
        w->stats.sync_ns_sum += took;
        w->stats.sync_ns_max = MAX_OF(w->stats.sync_ns_max, took);
        histogram_add(&w->sync_time, took);
        w->sealed = false;
    }
    if (w->closing)
        ready_post(w->loop, &w->closed);
    if (w->closing || w->failed)
        return;
    if (w->at > w->size / 2 && w->spare == NULL && !w->spare_busy && !w->starved)
        wal_prepare_spare(w, w->opts.segment_bytes);
    if (!w->sealed)
        timer_start(&w->seal, RAFT_SEAL_MS);
    if (!sealing)
        w->opts.durable(w->opts.arg, w->flight_mark);
}

static void wal_on_written(struct disk_op *op, int status)
{
    struct wal *w = container_of(op, struct wal, op);

    w->landed = true;
    if (status != 0)
        wal_fail(w, status);
    if (!w->vote_wait)
        wal_batch_end(w);
}

static void wal_on_vote(struct disk_op *op, int status)
{
    struct wal *w = container_of(op, struct wal, vote_op);

    w->vote_busy = false;
    if (status != 0)
        wal_fail(w, status);
    if (w->vote_again && !w->failed) {
        wal_write_vote(w, true);
        return;
    }
    if (w->vote_wait) {
        w->vote_wait = false;
        if (w->landed)
            wal_batch_end(w);
    }
    if (w->closing)
        ready_post(w->loop, &w->closed);
}

/* Nothing was written for a while: say behind the last batch that it was complete.  Not synced: it
 * promises nothing new; and the next batch's `synced` does not count on it. */
static void wal_on_quiet(struct timer *t)
{
    struct wal *w = container_of(t, struct wal, seal);

    if (w->busy || w->failed || w->closing || w->sealed || w->gather.n > 0)
        return;
    w->sealed = true;
    wal_add_commit(w);
    wal_write(w, false);
    wal_write_vote(w, false);
}

/* ---- Removing ------------------------------------------------------------------------------------ */

static void wal_trash_next(struct wal *w)
{
    char name[64];

    if (w->trash_busy || w->trash_stuck || qempty(&w->trash) || w->closing)
        return;
    struct wal_segment *s = qentry(qfirst(&w->trash), struct wal_segment, link);
    snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)s->seq);
    w->trash_busy = true;
    disk_unlink(w->disk, &w->trash_op, name);
}

static void wal_on_trashed(struct disk_op *op, int status)
{
    struct wal *w = container_of(op, struct wal, trash_op);

    /* One that cannot be removed blocks those behind it: the chain must have no hole.  The next start
     * tries again. */
    w->trash_busy = false;
    w->trash_stuck = status != 0 && status != E_NOTFOUND;
    if (!w->trash_stuck)
        mem_free(qentry(qpop(&w->trash), struct wal_segment, link));
    if (w->closing)
        ready_post(w->loop, &w->closed);
    else
        wal_trash_next(w);
}

void wal_trim(struct wal *w, uint64_t index)
{
    if (w->failed || w->closing)
        return;
    /* In order, and never the last: recovery wants an unbroken chain. */
    while (qfirst(&w->segments) != w->segments.prev) {
        struct wal_segment *s = qentry(qfirst(&w->segments), struct wal_segment, link);
        struct wal_segment *next = qentry(s->link.next, struct wal_segment, link);
        if (s->max_index > index || (next->seq == w->seq && w->at == 0))
            break;                               /* its state records are not yet in a later one */
        qdel(&s->link);
        qpush(&w->trash, &s->link);
    }
    wal_trash_next(w);
}

/* ---- The end ------------------------------------------------------------------------------------- */

void wal_close(struct wal *w, void (*done)(void *arg), void *arg)
{
    must(!w->closing);
    w->closing = true;
    w->close_cb = done;
    w->close_arg = arg;
    timer_stop(&w->seal);
    timer_stop(&w->room);
    if (!w->failed && !w->busy && w->synced > 0)
        wal_write_vote(w, false);                /* what is durable is told from what was torn */
    ready_post(w->loop, &w->closed);
}

static void wal_on_closed(struct ready_item *it)
{
    struct wal *w = container_of(it, struct wal, closed);
    void (*cb)(void *) = w->close_cb;
    void *arg = w->close_arg;

    if (w->busy || w->vote_busy || w->spare_busy || w->trash_busy)
        return;                                  /* their callbacks post this again */
    wal_free(w);
    cb(arg);
}

void wal_stats(const struct wal *w, struct wal_stats *ret)
{
    *ret = w->stats;
    ret->sync_time = &w->sync_time;
    ret->segments = 0;
    for (const struct qlink *l = w->segments.next; l != &w->segments; l = l->next)
        ret->segments++;
}
