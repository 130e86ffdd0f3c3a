/* raft/trail.c: the run-length summary of a log's terms. */
#include "net/arena.h"
#include "raft/trail.h"

void trail_init(struct trail *t, uint64_t offset, uint64_t term)
{
    *t = (struct trail){ .offset = offset, .offset_term = term, .last = offset };
}

void trail_release(struct trail *t)
{
    mem_free(t->run);
    trail_init(t, 0, 0);
}

/* Number of runs that begin at or before index. */
static size_t trail_runs_upto(const struct trail *t, uint64_t index)
{
    size_t lo = 0, hi = t->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->run[mid].index <= index)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint64_t trail_term(const struct trail *t, uint64_t index)
{
    if (index < t->offset || index > t->last)
        return 0;
    if (index == t->offset)
        return t->offset_term;
    size_t n = trail_runs_upto(t, index);
    must(n > 0);
    return t->run[n - 1].term;
}

uint64_t trail_last_term(const struct trail *t)
{
    return t->n > 0 ? t->run[t->n - 1].term : t->offset_term;
}

void trail_append(struct trail *t, uint64_t term)
{
    must(term > 0);
    must(term >= trail_last_term(t));
    t->last++;
    if (t->n > 0 && t->run[t->n - 1].term == term)
        return;
    if (t->n == t->cap) {
        t->cap = t->cap > 0 ? 2 * t->cap : 8;
        t->run = mem_realloc(t->run, t->cap * sizeof(*t->run));
    }
    t->run[t->n++] = (struct trail_run){ t->last, term };
}

void trail_truncate(struct trail *t, uint64_t from)
{
    must(from > t->offset);
    if (from > t->last)
        return;
    t->last = from - 1;
    while (t->n > 0 && t->run[t->n - 1].index >= from)
        t->n--;
}

void trail_compact(struct trail *t, uint64_t upto)
{
    if (upto <= t->offset)
        return;
    must(upto <= t->last);
    uint64_t term = trail_term(t, upto);
    size_t   gone = trail_runs_upto(t, upto);

    must(gone > 0);
    if (upto < t->last && (gone == t->n || t->run[gone].index > upto + 1)) {
        gone--;                                  /* the run goes on beyond upto */
        t->run[gone].index = upto + 1;
    }
    memmove(t->run, t->run + gone, (t->n - gone) * sizeof(*t->run));
    t->n -= gone;
    t->offset = upto;
    t->offset_term = term;
}

void trail_reset(struct trail *t, uint64_t offset, uint64_t term)
{
    t->n = 0;
    t->offset = t->last = offset;
    t->offset_term = term;
}

uint64_t trail_back(const struct trail *t, uint64_t index, uint64_t term)
{
    uint64_t i = MIN_OF(index, t->last);

    if (i <= t->offset)
        return t->offset;
    for (size_t n = trail_runs_upto(t, i); n > 0; n--) {
        if (t->run[n - 1].term <= term)
            return i;
        i = t->run[n - 1].index - 1;
    }
    return t->offset;
}

void trail_check(const struct trail *t)
{
    must(t->offset <= t->last);
    must((t->offset == 0) == (t->offset_term == 0));
    must((t->n == 0) == (t->offset == t->last));
    if (t->n > 0) {
        must(t->run[0].index == t->offset + 1);
        must(t->run[0].term >= t->offset_term);
        must(t->run[t->n - 1].index <= t->last);
    }
    for (size_t i = 1; i < t->n; i++) {
        must(t->run[i - 1].index < t->run[i].index);
        must(t->run[i - 1].term < t->run[i].term);
    }
}
