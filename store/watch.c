/* store/watch.c: see watch.h. */
#include "store/limits.h"
#include "store/watch.h"

/* Parked watches of one exact key or prefix. It exists while any watch, parked or not, belongs to it. */
struct watch_range {
    struct str   bytes;                          /* the map's key is a copy of it */
    bool         exact;
    struct qlink untagged;
    struct map   tags;                           /* 8 bytes of tag -> struct watch_tag */
    uint64_t     n;
    char         text[];
};
struct watch_tag { uint64_t tag, n; struct qlink parked; };

enum watch_kind { WATCH_EXACT, WATCH_PREFIX, WATCH_RANGE };
struct store_watch {
    struct watch_hub *hub;
    struct qlink parked;                         /* in its range's list while parked */
    struct qlink queued, all;
    enum watch_kind kind;
    struct str   from, to;
    uint64_t     tag, after_rev;
    uint64_t     pos;                            /* awake: next position to look at */
    uint64_t     seen;
    bool         awake, stale;
    struct watch_range *range;                   /* NULL for WATCH_RANGE */
    struct watch_tag   *tagged;                  /* NULL without a tag */
    void       (*on_ready)(void *arg, struct store_watch *w);
    void        *arg;
    char         text[];
};

void watch_hub_init(struct watch_hub *h, struct event_log *log, void (*want_turn)(void *arg), void *arg)
{
    *h = (struct watch_hub){ .log = log, .want_turn = want_turn, .arg = arg };
    qinit(&h->scanned);
    qinit(&h->queued);
    qinit(&h->all);
}

void watch_hub_release(struct watch_hub *h)
{
    must(h->n == 0);
    must(h->exact.n == 0 && h->prefixes.n == 0);
    map_release(&h->exact);
    map_release(&h->prefixes);
}

/* ---- the index ----------------------------------------------------------------------------------- */

static unsigned depth_of(struct str prefix)
{
    unsigned d = 0;

    for (size_t i = 0; i < prefix.n; i++)
        d += prefix.p[i] == '/';
    return MIN_OF(d, WATCH_DEPTHS - 1u);
}

static struct str tag_key(const uint64_t *tag)
{
    return str_make((const char *)tag, sizeof *tag);
}

/* All that starts with a '/'-ended prefix (or everything): the kinds of range that can be looked up. */
static enum watch_kind watch_kind_of(struct str from, struct str to)
{
    if (to.n == 0)
        return from.n == 0 ? WATCH_PREFIX : WATCH_EXACT;
    if (from.n == to.n && from.p[from.n - 1] == '/' && to.p[to.n - 1] == '/' + 1
        && memcmp(from.p, to.p, from.n - 1) == 0)
        return WATCH_PREFIX;
    return WATCH_RANGE;
}

static struct watch_range *range_get(struct watch_hub *h, struct str bytes, bool exact)
{
    struct map *m = exact ? &h->exact : &h->prefixes;
    struct watch_range *r = map_get(m, bytes);

    if (r != NULL)
        return r;
    r = mem_zalloc(sizeof *r + bytes.n);
    if (bytes.n > 0)
        memcpy(r->text, bytes.p, bytes.n);
    r->bytes = str_make(r->text, bytes.n);
    r->exact = exact;
    qinit(&r->untagged);
    must(map_put(m, bytes, r) == NULL);
    if (!exact)
        h->n_depth[depth_of(bytes)]++;
    return r;
}

static void range_put_back(struct watch_hub *h, struct watch_range *r)
{
    must(r->n > 0);
    if (--r->n > 0)
        return;
    must(qempty(&r->untagged) && r->tags.n == 0);
    must(map_del(r->exact ? &h->exact : &h->prefixes, r->bytes) == r);
    if (!r->exact)
        h->n_depth[depth_of(r->bytes)]--;
    map_release(&r->tags);
    mem_free(r);
}

static void watch_join(struct store_watch *w)
{
    if (w->kind == WATCH_RANGE)
        return;
    w->range = range_get(w->hub, w->from, w->kind == WATCH_EXACT);
    w->range->n++;
    if (w->tag == 0)
        return;
    w->tagged = map_get(&w->range->tags, tag_key(&w->tag));
    if (w->tagged == NULL) {
        w->tagged = mem_new(struct watch_tag);
        w->tagged->tag = w->tag;
        qinit(&w->tagged->parked);
        map_put(&w->range->tags, tag_key(&w->tag), w->tagged);
    }
    w->tagged->n++;
}

static void watch_leave(struct store_watch *w)
{
    if (w->range == NULL)
        return;
    if (w->tagged != NULL && --w->tagged->n == 0) {
        must(qempty(&w->tagged->parked));
        must(map_del(&w->range->tags, tag_key(&w->tag)) == w->tagged);
        mem_free(w->tagged);
    }
    range_put_back(w->hub, w->range);
}

/* ---- parking and waking -------------------------------------------------------------------------- */

static void watch_queue(struct store_watch *w)
{
    must(w->awake);
    if (!qlinked(&w->queued))
        qpush(&w->hub->queued, &w->queued);
    w->hub->want_turn(w->hub->arg);
}

static void watch_wake(struct store_watch *w, uint64_t pos)
{
    must(!w->awake);
    qdel(&w->parked);
    w->seen = MAX_OF(w->seen, w->hub->seen_rev);
    w->awake = true;
    w->hub->n_awake++;
    w->pos = pos;
    watch_queue(w);
}

static void watch_park(struct store_watch *w)
{
    struct qlink *q = w->tagged != NULL ? &w->tagged->parked
                    : w->range != NULL ? &w->range->untagged : &w->hub->scanned;

    must(w->awake && !w->stale);
    must(!qlinked(&w->parked));
    w->awake = false;
    w->hub->n_awake--;
    qdel(&w->queued);
    qpush(q, &w->parked);
}

static bool watch_wants(const struct store_watch *w, const struct store_event *e)
{
    if (e->rev <= w->after_rev)
        return false;
    if (w->tag != 0 && e->tag != w->tag && e->prev_tag != w->tag)
        return false;
    switch (w->kind) {
    case WATCH_EXACT:  return str_eq(e->key, w->from);
    case WATCH_PREFIX: return str_starts(e->key, w->from);
    case WATCH_RANGE:  return str_cmp(e->key, w->from) >= 0 && str_cmp(e->key, w->to) < 0;
    }
    return false;
}

/* Wake the parked watches of one list that want the event at pos. */
static void wake_list(struct qlink *list, const struct store_event *e, uint64_t pos)
{
    qeach(list, it, tmp) {
        struct store_watch *w = qentry(it, struct store_watch, parked);
        if (watch_wants(w, e))
            watch_wake(w, pos);
    }
}

static void wake_tag(struct watch_range *r, uint64_t tag, const struct store_event *e, uint64_t pos)
{
    struct watch_tag *t = tag != 0 ? map_get(&r->tags, tag_key(&tag)) : NULL;

    if (t != NULL)
        wake_list(&t->parked, e, pos);
}

static void wake_range(struct watch_range *r, const struct store_event *e, uint64_t pos)
{
    if (r == NULL)
        return;
    wake_list(&r->untagged, e, pos);
    if (r->tags.n == 0)
        return;
    wake_tag(r, e->tag, e, pos);
    if (e->prev_tag != e->tag)
        wake_tag(r, e->prev_tag, e, pos);
}

static void hub_event(struct watch_hub *h, uint64_t pos)
{
    const struct store_event *e = &event_log_at(h->log, pos)->pub;
    unsigned depth = 0;

    if (h->exact.n > 0)
        wake_range(map_get(&h->exact, e->key), e, pos);
    if (h->n_depth[0] > 0)
        wake_range(map_get(&h->prefixes, str_make("", 0)), e, pos);
    for (size_t i = 0; i < e->key.n && h->prefixes.n > 0; i++) {
        if (e->key.p[i] != '/')
            continue;
        depth += depth < WATCH_DEPTHS - 1u;
        if (h->n_depth[depth] > 0)
            wake_range(map_get(&h->prefixes, str_upto(e->key, i + 1)), e, pos);
    }
    wake_list(&h->scanned, e, pos);
}

void watch_hub_events(struct watch_hub *h, uint64_t from, uint64_t rev)
{
    must(from >= event_log_first(h->log));
    must(rev >= h->seen_rev);
    for (uint64_t pos = from; h->n > h->n_awake && pos < event_log_end(h->log); pos++)
        hub_event(h, pos);
    h->seen_rev = rev;
}

void watch_hub_restart(struct watch_hub *h, uint64_t rev)
{
    qeach(&h->all, it, tmp) {
        struct store_watch *w = qentry(it, struct store_watch, all);
        if (!w->awake)
            watch_wake(w, event_log_end(h->log));
        w->stale = true;
        watch_queue(w);
    }
    h->seen_rev = rev;
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* Move to the next event this watch wants, looking at no more than *budget events.
 * 0: it is at w->pos.  E_AGAIN: there is none (parked now), or the slice is used up (queued now).
 * E_STALE: for good. */
static int watch_scan(struct store_watch *w, unsigned *budget)
{
    struct event_log *log = w->hub->log;

    if (!w->stale && w->awake && w->pos < event_log_first(log))
        w->stale = true;
    if (w->stale)
        return E_STALE;
    if (!w->awake)
        return E_AGAIN;
    for (; w->pos < event_log_end(log); w->pos++) {
        const struct store_event *e = &event_log_at(log, w->pos)->pub;
        if (watch_wants(w, e))
            return 0;
        if (*budget == 0) {
            watch_queue(w);
            return E_AGAIN;
        }
        --*budget;
        w->seen = MAX_OF(w->seen, e->rev - 1);
    }
    watch_park(w);
    return E_AGAIN;
}

int store_watch_peek(struct store_watch *w, struct store_event **ret)
{
    unsigned budget = STORE_SCAN_PER_WATCH;
    int rc = watch_scan(w, &budget);

    if (rc != 0)
        return rc;
    *ret = &event_log_at(w->hub->log, w->pos)->pub;
    must((*ret)->rev > w->after_rev && (*ret)->rev >= w->seen);
    w->seen = MAX_OF(w->seen, (*ret)->rev - 1);  /* there may be more of the same revision */
    return 0;
}

int store_watch_next(struct store_watch *w, struct store_event **ret)
{
    int rc = store_watch_peek(w, ret);

    w->pos += rc == 0;
    return rc;
}

uint64_t store_watch_seen(const struct store_watch *w)
{
    return w->awake ? w->seen : MAX_OF(w->seen, w->hub->seen_rev);
}

void watch_hub_turn(struct watch_hub *h)
{
    unsigned     told = 0, looked = 0;
    struct qlink batch;

    qmove(&h->queued, &batch);
    while (!qempty(&batch) && told < STORE_WATCH_PER_TURN && looked < STORE_SCAN_PER_TURN) {
        struct store_watch *w = qentry(qpop(&batch), struct store_watch, queued);
        unsigned budget = STORE_SCAN_PER_WATCH;
        int rc = watch_scan(w, &budget);
        looked += STORE_SCAN_PER_WATCH - budget;
        told++;
        if (rc != E_AGAIN)
            w->on_ready(w->arg, w);              /* may close w */
    }
    if (!qempty(&batch))
        qprepend(&h->queued, &batch);
    if (!qempty(&h->queued))
        h->want_turn(h->arg);
}

/* ---- life ---------------------------------------------------------------------------------------- */

int watch_hub_open(struct watch_hub *h, const struct store_watch_opts *o, struct store_watch **ret)
{
    struct store_watch *w;

    must(o->on_ready != NULL);
    if (o->after_rev < event_log_start(h->log))
        return E_STALE;
    w = mem_zalloc(sizeof *w + o->from.n + o->to.n);
    w->hub = h;
    if (o->from.n > 0)
        memcpy(w->text, o->from.p, o->from.n);
    if (o->to.n > 0)
        memcpy(w->text + o->from.n, o->to.p, o->to.n);
    w->from = str_make(w->text, o->from.n);
    w->to = str_make(w->text + o->from.n, o->to.n);
    w->kind = watch_kind_of(w->from, w->to);
    w->tag = o->tag;
    w->after_rev = w->seen = o->after_rev;
    w->on_ready = o->on_ready;
    w->arg = o->arg;
    qinit(&w->parked);
    qinit(&w->queued);
    qpush(&h->all, &w->all);
    h->n++;
    watch_join(w);
    w->awake = true;
    h->n_awake++;
    w->pos = event_log_after(h->log, o->after_rev);
    if (w->pos == event_log_end(h->log))
        watch_park(w);
    else
        watch_queue(w);
    *ret = w;
    return 0;
}

void store_watch_close(struct store_watch *w)
{
    if (w == NULL)
        return;
    qdel(&w->parked);
    qdel(&w->queued);
    qdel(&w->all);
    must(w->hub->n > 0);
    w->hub->n--;
    w->hub->n_awake -= w->awake;
    watch_leave(w);
    mem_free(w);
}
