/* raft/wal_replay.c: reading the log back: the chain of segments, torn tails, damage.
 *
 * What a torn last write explains is cut off.  Everything else is damage, and never "repaired" by dropping
 * it: what is dropped may have been acknowledged.  Up to the first damage the log is handed on; behind it
 * records serve only as witnesses of what there had been: the newest term and vote, the membership, and the
 * identity of the last entry.  Where even those are missing the head is lost (raft/doubt.h). */
#include <stdio.h>
#include <stdlib.h>
#include "raft/wal_impl.h"
#include "raft/wal_scan.h"

struct replay_file { uint64_t seq, size; };
struct replay {
    struct wal *w;
    struct wal_recovered *found;
    struct replay_file *file; size_t n, cap;
    uint64_t seq;                                /* segment at hand */
    uint64_t last, last_term;
    uint64_t max_index;                          /* in this segment */
    bool     broken;                             /* damage was met: only witnesses count from here on */
    bool     end_unknown, hard_unknown;          /* no witness since the last damage */
    struct wal_inspected look;                   /* of this segment */
    bool     cut;                                /* a planted error: the rest of the segment is ignored */
};

static void replay_on_file(void *arg, const char *name, uint64_t size)
{
    struct replay *r = arg;
    uint64_t seq = wal_name_seq(name);

    if (seq == 0)
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

/* The first damage is the one that people are told of. */
static void replay_damage(struct replay *r, uint64_t at, const char *what)
{
    if (BUG(r->w, RAFT_BUG_CUT_AT_DAMAGE)) {
        r->cut = true;
        return;
    }
    if (r->w->opts.inspect != NULL) {
        char name[64];
        snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)r->seq);
        r->w->opts.inspect->problem(r->w->opts.inspect->arg, name, at, what, r->last);
    }
    if (!r->broken)
        err_set(&r->found->damage, E_CORRUPT, WAL_NAME " at byte %llu: %s; entries behind %llu may be lost",
                (unsigned long long)r->seq, (unsigned long long)at, what, (unsigned long long)r->last);
    r->broken = r->end_unknown = r->hard_unknown = true;
}

/* ---- Records ------------------------------------------------------------------------------------- */

static void replay_end_is(struct replay *r, uint64_t index, uint64_t term)
{
    raft_doubt_widen(&r->found->doubt, index, term);
    r->end_unknown = false;
}

static int replay_base(struct replay *r, uint64_t index, uint64_t term, struct errbuf *err)
{
    if (r->broken) {
        replay_end_is(r, index, term);
        return 0;
    }
    r->last = index;
    r->last_term = term;
    return r->w->opts.replay.base(r->w->opts.replay.arg, index, term, err);
}

static int replay_entry(struct replay *r, uint64_t at, const struct wal_record *rec, struct str data,
                        struct errbuf *err)
{
    r->look.first = r->look.first > 0 ? r->look.first : rec->index;
    r->look.last = rec->index;
    r->look.last_term = rec->term;
    if (rec->index == 0 || rec->index > r->last + 1)
        replay_damage(r, at, "entries are missing before this one");
    else if (rec->term == 0 || (rec->index == r->last + 1 && rec->term < r->last_term))
        replay_damage(r, at, "its term is older than that of the entry before it");
    if (r->broken) {
        replay_end_is(r, rec->index, rec->term);
        return 0;
    }
    r->last = rec->index;
    r->last_term = rec->term;
    r->max_index = MAX_OF(r->max_index, rec->index);
    return r->w->opts.replay.entry(r->w->opts.replay.arg, rec->index, rec->term, rec->entry_type, data, err);
}

static void replay_hard(struct replay *r, uint64_t at, const struct wal_record *rec)
{
    if (rec->term < r->found->term) {
        replay_damage(r, at, "the term goes back");
        return;
    }
    r->found->term = rec->term;
    r->found->vote = rec->index;
    r->hard_unknown = false;
}

static void replay_commit(struct replay *r, const struct wal_record *rec, struct str data)
{
    struct wal_last last;

    /* Behind damage it speaks of entries that may have taken the place of those before it. */
    if (!r->broken)
        r->found->commit = MAX_OF(r->found->commit, rec->index);
    if (data.n < sizeof(last))
        return;
    memcpy(&last, data.p, sizeof(last));
    if (r->broken)
        replay_end_is(r, last.index, last.term);
}

static int replay_on_record(void *arg, uint64_t at, const struct wal_record *rec, struct str data,
                            struct errbuf *err)
{
    struct replay *r = arg;
    struct wal_recovered *f = r->found;
    struct wal_doubt d;

    if (r->cut)
        return 0;
    r->look.records++;
    switch (rec->type) {
    case WAL_ENTRY:  return replay_entry(r, at, rec, data, err);
    case WAL_HARD:   replay_hard(r, at, rec); return 0;
    case WAL_COMMIT: replay_commit(r, rec, data); return 0;
    case WAL_BASE:   return replay_base(r, rec->index, rec->term, err);
    case WAL_DOUBT:
        if (data.n < sizeof(d))
            return 0;
        memcpy(&d, data.p, sizeof(d));
        raft_doubt_widen(&f->doubt, rec->index, rec->term);
        f->doubt.lost = d.lost != 0;
        return 0;
    default:
        r->w->config_index = rec->index;
        buf_clear(&f->config);
        buf_str_add(&f->config, data);
        return 0;
    }
}

static int replay_on_hole(void *arg, uint64_t at, uint64_t to, struct errbuf *err)
{
    struct replay *r = arg;

    (void)to;
    replay_damage(r, at, "what was written here does not verify");
    return 0;
}

/* ---- Segments ------------------------------------------------------------------------------------ */

static void replay_show(struct replay *r)
{
    char name[64];

    if (r->w->opts.inspect == NULL)
        return;
    snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)r->seq);
    r->look.name = name;
    r->w->opts.inspect->segment(r->w->opts.inspect->arg, &r->look);
}

static int replay_chain(struct replay *r, const struct wal_header *h, bool first, struct errbuf *err)
{
    const struct wal_opts *o = &r->w->opts;

    r->look.cluster = h->cluster;
    r->look.head = h->head;
    if ((o->cluster != 0 && h->cluster != o->cluster) || (o->head != 0 && h->head != o->head))
        return err_set(err, E_INVALID, "%s holds the log of head %llu of another cluster or of another head",
                       disk_path(r->w->disk), (unsigned long long)h->head);
    if (first)
        return replay_base(r, h->prev_index, h->prev_term, err);
    if (h->prev_seq != r->w->prev_seq)
        replay_damage(r, 0, "the segment before it is missing");
    else if (h->prev_end > r->w->prev_end)
        replay_damage(r, 0, "the segment before it ends too early");
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
    if (r->w->opts.inspect != NULL)
        return 0;
    snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)r->seq);
    if (end == 0)
        return disk_unlink_now(r->w->disk, name, err);
    /* Also when there is nothing to cut: what a killed process wrote may not be on the platter yet, and
     * from now on we vouch for it.  Truncating syncs. */
    return disk_truncate_now(r->w->disk, name, end, err);
}

/* Nothing of the newest segment became durable, so it cannot say what was before it; the vote file does. */
static bool replay_mark_holds(struct replay *r)
{
    const struct wal_recovered *f = r->found;

    if (r->seq != f->mark_seq || f->mark_prev_seq == 0)
        return true;
    if (f->mark_prev_seq != r->w->prev_seq)
        replay_damage(r, 0, "the segment before it is missing");
    else if (f->mark_prev_end > r->w->prev_end)
        replay_damage(r, 0, "the segment before it ends too early");
    return !r->broken;
}

/* One segment; `last`: of those that there are. */
static int replay_segment(struct replay *r, bool last, bool first, struct str seg, struct errbuf *err)
{
    struct wal_scan s = { .seq = r->seq, .bytes = seg, .record = replay_on_record, .hole = replay_on_hole,
                          .arg = r };
    struct wal_header h;
    uint64_t end = 0;
    int rc = 0;

    if (r->found->mark_seq == r->seq)
        s.durable = r->found->mark;
    r->max_index = 0;
    r->cut = false;
    r->look = (struct wal_inspected){ .seq = r->seq, .size = seg.n };
    if (wal_scan_header(&s, &h))
        rc = replay_chain(r, &h, first, err);
    else if (!last)
        replay_damage(r, 0, "the header does not verify");
    if (rc == 0)
        rc = wal_scan_records(&s, &end, err);
    if (rc != 0)
        return rc;
    /* Where something is damaged, who says that this is only torn? */
    if (last && r->broken && !wal_scan_blank(str_from(seg, end)))
        r->end_unknown = r->hard_unknown = true;
    if (last && !r->broken && end == 0 && r->seq <= r->found->mark_seq && replay_mark_holds(r)) {
        r->w->leftover = r->seq;                 /* the vote file speaks of it: first that, then this */
        return 0;
    }
    if (last && !r->broken) {
        rc = replay_cut(r, seg, end, err);
        if (end == 0)
            return rc;
    }
    r->look.used = end;
    replay_show(r);
    r->w->prev_seq = r->seq;
    r->w->prev_end = end;
    wal__segment_new(r->w, r->seq, r->max_index);
    return rc;
}

/* A segment that the disk does not give out is damaged like one whose bytes are wrong. */
static void replay_read(struct replay *r, size_t i, struct buf *ret)
{
    char name[64];

    r->seq = r->file[i].seq;
    buf_clear(ret);
    snprintf(name, sizeof(name), WAL_NAME, (unsigned long long)r->seq);
    if (disk_read_now(r->w->disk, name, ret, NULL) != 0)
        replay_damage(r, 0, "the file cannot be read");
}

/* Files made ahead and never written are no part of the log. */
static int replay_drop_blank(struct replay *r, struct buf *seg, struct errbuf *err)
{
    int rc = 0;

    while (rc == 0 && r->n > 0 && r->file[r->n - 1].seq > r->found->mark_seq) {
        replay_read(r, r->n - 1, seg);
        if (r->broken || !wal_scan_blank(buf_str(seg)))
            break;
        r->look = (struct wal_inspected){ .seq = r->seq, .size = seg->n };
        replay_show(r);
        rc = replay_cut(r, buf_str(seg), 0, err);
        r->n--;
    }
    return rc;
}

/* ---- All of it ------------------------------------------------------------------------------------- */

/* What log and vote file say together.  An intention that reached only one of them was not acted on: it may be
 * kept. */
static void replay_merge_vote(struct replay *r, const struct vote *v, bool known)
{
    struct wal_recovered *f = r->found;

    if (known) {
        if (v->term > f->term || (v->term == f->term && f->vote == 0)) {
            f->term = v->term;
            f->vote = v->vote;
        }
        raft_doubt_widen(&f->doubt, v->doubt.index, v->doubt.term);
        f->doubt.lost |= v->doubt.lost;
    }
    if (!r->broken)
        return;
    if (BUG(r->w, RAFT_BUG_NEVER_LOST))
        r->end_unknown = r->hard_unknown = false;
    raft_doubt_widen(&f->doubt, r->last, r->last_term);
    f->doubt.lost |= r->end_unknown || (r->hard_unknown && !known);
}

static int replay_files(struct replay *r, struct errbuf *err)
{
    struct buf seg = BUF_INIT;
    int rc = replay_drop_blank(r, &seg, err);

    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        replay_read(r, i, &seg);
        rc = replay_segment(r, i + 1 == r->n, i == 0, buf_str(&seg), err);
    }
    if (rc == 0 && r->found->mark_seq > r->w->prev_seq && r->w->leftover == 0) {
        r->seq = r->found->mark_seq;
        replay_damage(r, 0, "the file is missing");
    }
    buf_release(&seg);
    return rc;
}

int wal__replay(struct wal *w, struct wal_recovered *found, struct errbuf *err)
{
    struct replay r = { .w = w, .found = found };
    struct vote v = { .term = 0 };
    uint64_t newest = 0;
    int rc = vote_read_now(w->disk, w->opts.cluster, w->opts.head, &v, &found->vote_copies,
                           &found->vote_damage);
    int vote_rc = rc;
    bool known = rc == 0;

    if (rc == E_INVALID)
        return err_set(err, rc, "%s", found->vote_damage.s);
    found->mark_seq = v.seq;
    found->mark = v.synced;
    found->mark_prev_seq = v.prev_seq;
    found->mark_prev_end = v.prev_end;
    rc = disk_list_now(w->disk, replay_on_file, &r, err);
    if (r.n > 0)
        qsort(r.file, r.n, sizeof(*r.file), replay_by_seq);
    if (rc == 0 && r.n > 0)
        newest = r.file[r.n - 1].seq;
    if (rc == 0)
        rc = replay_files(&r, err);
    mem_free(r.file);
    /* The vote file is there before the first segment's: this head has lived, it is no new one. */
    if (rc == 0 && !known && !r.broken && qempty(&w->segments) && (vote_rc == E_CORRUPT || newest > 0))
        replay_damage(&r, 0, "neither the log nor the vote file is there");
    if (rc != 0)
        return rc;
    replay_merge_vote(&r, &v, known);
    /* A vote file of term 0 alone: made by a start that came to nothing. */
    found->any = r.broken || (known && v.term > 0) || !qempty(&w->segments);
    found->damaged = r.broken;
    w->seq = MAX_OF(newest, v.seq) + 1;
    if (BUG(w, RAFT_BUG_LOSE_VOTE)) {
        found->vote = 0;
        found->any = false;                      /* nor does it hold back votes, as after any restart */
    }
    w->term = found->term;
    w->vote = found->vote;
    w->doubt = found->doubt;
    found->commit = MIN_OF(found->commit, r.last);
    w->commit = w->commit_written = found->commit;
    w->last_index = r.last;
    w->last_term = r.last_term;
    wal__remember(w);
    buf_str_add(&w->config, buf_str(&found->config));
    return 0;
}
