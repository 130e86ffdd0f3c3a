/* raft/wal_replay.c: reading the log back: the chain of segments, torn tails, damage.
 *
 * Every byte read here is taken as hostile.  What a torn last write explains is cut off; everything else
 * is E_CORRUPT, never "repaired" by dropping it: what is dropped may have been acknowledged. */
#include <stdio.h>
#include <stdlib.h>
#include "raft/wal_impl.h"

#define WHAT_TO_DO "this head's log is damaged; if the other heads are well, move its data directory away and " \
                   "start it empty, else restore a backup"

struct replay_file { uint64_t seq, size; };
struct replay {
    struct wal *w;
    struct wal_recovered *found;
    struct replay_file *file; size_t n, cap;
    uint64_t seq;                                /* segment at hand */
    uint64_t last, last_term;
    bool     based;                              /* last is set */
    uint64_t max_index;                          /* in this segment */
};

static void replay_on_file(void *arg, const char *name, uint64_t size)
{
    struct replay *r = arg;
    char *end;

    if (strlen(name) != 24 || strncmp(name, "wal-", 4) != 0 || strcmp(name + 20, ".seg") != 0)
        return;
    uint64_t seq = strtoull(name + 4, &end, 16);
    if (end != name + 20 || seq == 0)
        return;
    if (r->n == r->cap) {
        r->cap = r->cap > 0 ? 2 * r->cap : 16;
        r->file = mem_realloc(r->file, r->cap * sizeof(*r->file));
    }
    r->file[r->n++] = (struct replay_file){ seq, size };
}

static int replay_by_seq(const void *a, const void *b)
{
    uint64_t x = ((const struct replay_file *)a)->seq, y = ((const struct replay_file *)b)->seq;

    return (x > y) - (x < y);
}

static int replay_damage(const struct replay *r, uint64_t at, struct errbuf *err, const char *what)
{
    return err_set(err, E_CORRUPT, "%s/" WAL_NAME " at byte %llu: %s; " WHAT_TO_DO, disk_path(r->w->disk),
                   (unsigned long long)r->seq, (unsigned long long)at, what);
}

/* A whole, verifying record at `at`? */
static bool replay_record(const struct replay *r, struct str seg, uint64_t at, struct wal_record *ret)
{
    struct wal_record rec;

    if (at > seg.n || seg.n - at < sizeof(rec))
        return false;
    memcpy(&rec, seg.p + at, sizeof(rec));
    if (rec.type == 0 || rec.type >= WAL_TYPES || rec.zero != 0 || rec.synced > at)
        return false;
    if (rec.len > seg.n || wal_record_size(rec.len) > seg.n - at)
        return false;
    if (rec.crc != wal_record_crc(r->seq, at, seg.p + at, rec.len))
        return false;
    *ret = rec;
    return true;
}

/* Is there anything behind `at` that was written when `at` was already durable? */
static bool replay_was_durable(const struct replay *r, struct str seg, uint64_t at)
{
    struct wal_record rec;

    for (uint64_t i = wal_padded(at + 1); i + sizeof(rec) <= seg.n; i += 8)
        if (seg.p[i + offsetof(struct wal_record, type)] != 0 && replay_record(r, seg, i, &rec) && rec.synced > at)
            return true;
    return false;
}

static bool replay_header(const struct replay *r, struct str seg, struct wal_header *ret)
{
    struct wal_header h;

    if (seg.n < sizeof(h))
        return false;
    memcpy(&h, seg.p, sizeof(h));
    if (h.magic != WAL_MAGIC || h.crc != wal_header_crc(&h) || h.seq != r->seq)
        return false;
    *ret = h;
    return true;
}

static int replay_base(struct replay *r, uint64_t index, uint64_t term, struct errbuf *err)
{
    r->last = index;
    r->last_term = term;
    r->based = true;
    return r->w->opts.replay.base(r->w->opts.replay.arg, index, term, err);
}

static int replay_one(struct replay *r, uint64_t at, const struct wal_record *rec, struct str data, struct errbuf *err)
{
    struct wal_recovered *f = r->found;

    switch (rec->type) {
    case WAL_ENTRY:
        if (rec->index == 0 || rec->index > r->last + 1)
            return replay_damage(r, at, err, "entries are missing before this one");
        if (rec->term == 0 || (rec->index == r->last + 1 && rec->term < r->last_term))
            return replay_damage(r, at, err, "its term is older than that of the entry before it");
        r->last = rec->index;
        r->last_term = rec->term;
        r->max_index = MAX_OF(r->max_index, rec->index);
        return r->w->opts.replay.entry(r->w->opts.replay.arg, rec->index, rec->term, rec->entry_type, data, err);
    case WAL_HARD:
        if (rec->term < f->term)
            return replay_damage(r, at, err, "the term goes back");
        f->term = rec->term;
        f->vote = rec->index;
        return 0;
    case WAL_COMMIT:
        f->commit = MAX_OF(f->commit, rec->index);
        return 0;
    case WAL_BASE:
        return replay_base(r, rec->index, rec->term, err);
    default:
        r->w->config_index = rec->index;
        buf_clear(&f->config);
        buf_str_add(&f->config, data);
        return 0;
    }
}

/* All records of one segment; *ret_end: where the first thing stands that is not one. */
static int replay_records(struct replay *r, struct str seg, uint64_t *ret_end, struct errbuf *err)
{
    struct wal_record rec;
    uint64_t at = sizeof(struct wal_header);
    int rc = 0;

    while (rc == 0 && replay_record(r, seg, at, &rec)) {
        rc = replay_one(r, at, &rec, str_make(seg.p + at + sizeof(rec), rec.len), err);
        at += wal_record_size(rec.len);
    }
    *ret_end = at;
    return rc;
}

static int replay_chain(struct replay *r, const struct wal_header *h, uint64_t prev_end, bool first, struct errbuf *err)
{
    if (h->cluster != r->w->opts.cluster || h->head != r->w->opts.head)
        return err_set(err, E_INVALID, "%s holds the log of head %llu of another cluster or of another head",
                       disk_path(r->w->disk), (unsigned long long)h->head);
    if (first)
        return replay_base(r, h->prev_index, h->prev_term, err);
    if (h->prev_seq != r->w->prev_seq)
        return replay_damage(r, 0, err, "the segment before it is missing");
    if (h->prev_end > prev_end)
        return replay_damage(r, 0, err, "the segment before it ends too early");
    return 0;
}

/* Cut what a torn last write left, so that it is never mistaken for anything later. */
static int replay_cut(struct replay *r, struct str seg, uint64_t end, struct errbuf *err)
{
    char name[64];
    uint64_t used = seg.n;

    while (used > end && seg.p[used - 1] == 0)
        used--;
    r->found->torn_bytes += used - end;
    snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)r->seq);
    if (end == 0)
        return disk_unlink_now(r->w->disk, name, err);
    /* Also when there is nothing to cut: what a killed process wrote may not be on the platter yet, and
     * from now on we vouch for it.  Truncating syncs. */
    return disk_truncate_now(r->w->disk, name, end, err);
}

/* One segment. Sets w->seq past it, and prev_* if it is kept. */
static int replay_segment(struct replay *r, bool last, bool first, struct str seg, struct errbuf *err)
{
    struct wal_header h;
    uint64_t end = 0;
    int rc;

    r->max_index = 0;
    if (!replay_header(r, seg, &h)) {
        if (!last || replay_was_durable(r, seg, 0))
            return replay_damage(r, 0, err, "the header does not verify");
        return replay_cut(r, seg, 0, err);
    }
    rc = replay_chain(r, &h, r->w->prev_end, first, err);
    if (rc == 0)
        rc = replay_records(r, seg, &end, err);
    if (rc != 0)
        return rc;
    if (replay_was_durable(r, seg, end))
        return replay_damage(r, end, err, "a record does not verify, but later ones do");
    if (last)
        rc = replay_cut(r, seg, end, err);
    r->w->prev_seq = r->seq;
    r->w->prev_end = end;
    wal__segment_new(r->w, r->seq, r->max_index);
    return rc;
}

static bool replay_is_blank(struct str seg)
{
    for (size_t i = 0; i < seg.n; i++)
        if (seg.p[i] != 0)
            return false;
    return true;
}

static int replay_read(struct replay *r, size_t i, struct buf *ret, struct errbuf *err)
{
    char name[64];

    r->seq = r->file[i].seq;
    buf_clear(ret);
    snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)r->seq);
    return disk_read_now(r->w->disk, name, ret, err);
}

/* Files made ahead and never written are no part of the log. */
static int replay_drop_blank(struct replay *r, struct buf *seg, struct errbuf *err)
{
    int rc = 0;

    while (rc == 0 && r->n > 0) {
        rc = replay_read(r, r->n - 1, seg, err);
        if (rc != 0 || !replay_is_blank(buf_str(seg)))
            break;
        rc = replay_cut(r, buf_str(seg), 0, err);
        r->n--;
    }
    return rc;
}

int wal__replay(struct wal *w, struct wal_recovered *found, struct errbuf *err)
{
    struct replay r = { .w = w, .found = found };
    struct buf seg = BUF_INIT;
    uint64_t newest = 0;
    int rc = disk_list_now(w->disk, replay_on_file, &r, err);

    if (r.n > 0)
        qsort(r.file, r.n, sizeof(*r.file), replay_by_seq);
    if (rc == 0 && r.n > 0)
        newest = r.file[r.n - 1].seq;
    if (rc == 0)
        rc = replay_drop_blank(&r, &seg, err);
    for (size_t i = 0; rc == 0 && i < r.n; i++) {
        rc = replay_read(&r, i, &seg, err);
        if (rc == 0)
            rc = replay_segment(&r, i + 1 == r.n, i == 0, buf_str(&seg), err);
    }
    found->any = !qempty(&w->segments);
    buf_release(&seg);
    mem_free(r.file);
    if (rc != 0)
        return rc;
    w->seq = newest + 1;
    w->term = found->term;
    w->vote = found->vote;
    found->commit = MIN_OF(found->commit, r.last);
    w->commit = w->commit_written = found->commit;
    w->last_index = r.last;
    w->last_term = r.last_term;
    wal__remember(w);
    buf_str_add(&w->config, buf_str(&found->config));
    return 0;
}
