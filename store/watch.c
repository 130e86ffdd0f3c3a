/* store/watch.c: see watch.h. */
#include "store/limits.h"
#include "store/watch.h"

enum watch_kind { WATCH_EXACT, WATCH_PREFIX, WATCH_STEM, WATCH_RANGE };

/* Parked watches of one exact key, prefix or (never shared) other range. It exists while any watch, parked
 * or not, belongs to it. */
struct watch_range {
    struct str   bytes, to;                      /* the map's key is a copy of bytes; to: of WATCH_RANGE */
    enum watch_kind kind;
    struct qlink untagged;
    struct map   tags;                           /* 8 bytes of tag -> struct watch_tag */
    uint64_t     n;
    char         text[];
};
struct watch_tag { uint64_t tag, n; struct qlink parked; };

/* There may be a million: what is known by range or hub is not kept here again. */
struct store_watch {
    struct watch_hub *hub;
    struct qlink link;                           /* parked: in its range's list; awake: in hub.queued, if at all */
    struct qlink all;
    uint64_t     tag, after_rev;
    uint64_t     pos;                            /* awake: next position to look at */
    uint64_t     seen;
    uint32_t     generation;                     /* not the hub's: history was replaced since, it is stale */
    bool         awake, stale;
    struct watch_range *range;
    struct watch_tag   *tagged;                  /* NULL without a tag, or for WATCH_RANGE */
    void       (*on_ready)(void *arg, struct store_watch *w);
    void        *arg;
};

void watch_hub_init(struct watch_hub *h, struct event_log *log, void (*want_turn)(void *arg), void *arg)
{
    *h = (struct watch_hub){ .log = log, .want_turn = want_turn, .arg = arg };
    qinit(&h->scanned);
    qinit(&h->queued);
    qinit(&h->all);
    qinit(&h->restarted);
}

void watch_hub_release(struct watch_hub *h)
{
    must(h->n == 0);
    must(h->exact.n == 0 && h->prefixes.n == 0 && h->stems.n == 0 && h->n_stems == 0);
    map_release(&h->stems);
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

/* The slot of this length of stems; n_stems: there is none. */
static unsigned stem_slot(const struct watch_hub *h, size_t len)
{
    unsigned i = 0;

    while (i < h->n_stems && h->stem[i].len != len)
        i++;
    return i;
}

/* All that starts with the same bytes (or everything): the kinds of range that can be looked up. */
static enum watch_kind watch_kind_of(const struct watch_hub *h, struct str from, struct str to)
{
    unsigned char last = from.n > 0 ? (unsigned char)from.p[from.n - 1] : 0;

    if (to.n == 0)
        return from.n == 0 ? WATCH_PREFIX : WATCH_EXACT;
    if (from.n != to.n || last == 0xff || (unsigned char)to.p[to.n - 1] != last + 1
        || memcmp(from.p, to.p, from.n - 1) != 0)
        return WATCH_RANGE;
    if (last == '/')
        return WATCH_PREFIX;
    return stem_slot(h, from.n) < WATCH_STEMS ? WATCH_STEM : WATCH_RANGE;
}

static void stem_add(struct watch_hub *h, size_t len)
{
    unsigned i = stem_slot(h, len);

    must(i < WATCH_STEMS);
    if (i == h->n_stems) {
        h->stem[i].len = len;
        h->stem[i].n = 0;
        h->n_stems++;
    }
    h->stem[i].n++;
}

static void stem_drop(struct watch_hub *h, size_t len)
{
    unsigned i = stem_slot(h, len);

    must(i < h->n_stems && h->stem[i].n > 0);
    if (--h->stem[i].n == 0)
        h->stem[i] = h->stem[--h->n_stems];
}

static struct map *range_map(struct watch_hub *h, enum watch_kind kind)
{
    switch (kind) {
    case WATCH_EXACT:  return &h->exact;
    case WATCH_PREFIX: return &h->prefixes;
    case WATCH_STEM:   return &h->stems;
    case WATCH_RANGE:  break;
    }
    return NULL;
}

static struct watch_range *range_get(struct watch_hub *h, enum watch_kind kind, struct str bytes,
                                     struct str to)
{
    struct map *m = range_map(h, kind);
    struct watch_range *r = m != NULL ? map_get(m, bytes) : NULL;
    size_t more = kind == WATCH_RANGE ? to.n : 0;

    if (r != NULL)
        return r;
    r = mem_zalloc(sizeof *r + bytes.n + more);
    if (bytes.n > 0)
        memcpy(r->text, bytes.p, bytes.n);
    if (more > 0)
        memcpy(r->text + bytes.n, to.p, more);
    r->bytes = str_make(r->text, bytes.n);
    r->to = str_make(r->text + bytes.n, more);
    r->kind = kind;
    qinit(&r->untagged);
    if (m != NULL)
        must(map_put(m, bytes, r) == NULL);
    if (kind == WATCH_PREFIX)
        h->n_depth[depth_of(bytes)]++;
    if (kind == WATCH_STEM)
        stem_add(h, bytes.n);
    return r;
}

static void range_put_back(struct watch_hub *h, struct watch_range *r)
{
    struct map *m = range_map(h, r->kind);

    must(r->n > 0);
    if (--r->n > 0)
        return;
    must(qempty(&r->untagged) && r->tags.n == 0);
    if (m != NULL)
        must(map_del(m, r->bytes) == r);
    if (r->kind == WATCH_PREFIX)
        h->n_depth[depth_of(r->bytes)]--;
    if (r->kind == WATCH_STEM)
        stem_drop(h, r->bytes.n);
    map_release(&r->tags);
    mem_free(r);
}

static void watch_join(struct store_watch *w, struct str from, struct str to)
{
    w->range = range_get(w->hub, watch_kind_of(w->hub, from, to), from, to);
    w->range->n++;
    if (w->tag == 0 || w->range->kind == WATCH_RANGE)
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
    if (!qlinked(&w->link))
        qpush(&w->hub->queued, &w->link);
    w->hub->want_turn(w->hub->arg);
}

/* Up to where a parked watch was offered everything. */
static uint64_t watch_parked_seen(const struct store_watch *w)
{
    return MAX_OF(w->seen, w->generation == w->hub->generation ? w->hub->seen_rev : w->hub->ended_rev);
}

static void watch_wake(struct store_watch *w, uint64_t pos)
{
    must(!w->awake);
    qdel(&w->link);
    w->seen = watch_parked_seen(w);
    w->awake = true;
    w->hub->n_awake++;
    w->pos = pos;
    watch_queue(w);
}

static void watch_park(struct store_watch *w)
{
    struct qlink *q = w->tagged != NULL ? &w->tagged->parked
                    : w->range->kind != WATCH_RANGE ? &w->range->untagged : &w->hub->scanned;

    must(w->awake && !w->stale);
    w->awake = false;
    w->hub->n_awake--;
    qdel(&w->link);                              /* it may be queued */
    qpush(q, &w->link);
}

static bool watch_wants(const struct store_watch *w, const struct store_event *e)
{
    if (e->rev <= w->after_rev)
        return false;
    if (w->tag != 0 && e->tag != w->tag && e->prev_tag != w->tag)
        return false;
    switch (w->range->kind) {
    case WATCH_EXACT:  return str_eq(e->key, w->range->bytes);
    case WATCH_PREFIX:
    case WATCH_STEM:   return str_starts(e->key, w->range->bytes);
    case WATCH_RANGE:  return str_cmp(e->key, w->range->bytes) >= 0 && str_cmp(e->key, w->range->to) < 0;
    }
    return false;
}

/* Wake the parked watches of one list that want the event at pos. */
static void wake_list(struct qlink *list, const struct store_event *e, uint64_t pos)
{
    qeach(list, it, tmp) {
        struct store_watch *w = qentry(it, struct store_watch, link);
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
    for (unsigned i = 0; i < h->n_stems; i++)
        if (h->stem[i].len <= e->key.n)
            wake_range(map_get(&h->stems, str_upto(e->key, h->stem[i].len)), e, pos);
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
    h->generation++;                             /* all that are open are stale; they are told in slices */
    if (qempty(&h->restarted))
        h->ended_rev = h->seen_rev;              /* else those that were ended before hold it down */
    if (!qempty(&h->all))
        qprepend(&h->restarted, &h->all);
    h->seen_rev = rev;
    h->want_turn(h->arg);
}

/* Of the watches that a restart has ended, the next so many. */
static void hub_end_some(struct watch_hub *h)
{
    for (unsigned n = 0; n < STORE_WATCH_PER_TURN && !qempty(&h->restarted); n++) {
        struct store_watch *w = qentry(qpop(&h->restarted), struct store_watch, all);
        qpush(&h->all, &w->all);
        if (!w->awake)
            watch_wake(w, event_log_end(h->log));
        w->stale = true;
        watch_queue(w);
    }
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* Move to the next event this watch wants, looking at no more than *budget events.
 * 0: it is at w->pos.  E_AGAIN: there is none (parked now), or the slice is used up (queued now).
 * E_STALE: for good. */
static int watch_scan(struct store_watch *w, unsigned *budget)
{
    struct event_log *log = w->hub->log;

    if (w->generation != w->hub->generation || (w->awake && w->pos < event_log_first(log)))
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
    return w->awake ? w->seen : watch_parked_seen(w);
}

void watch_hub_turn(struct watch_hub *h)
{
    unsigned     told = 0, looked = 0;
    struct qlink batch;

    hub_end_some(h);
    qmove(&h->queued, &batch);
    while (!qempty(&batch) && told < STORE_WATCH_PER_TURN && looked < STORE_SCAN_PER_TURN) {
        struct store_watch *w = qentry(qpop(&batch), struct store_watch, link);
        unsigned budget = STORE_SCAN_PER_WATCH;
        int rc = watch_scan(w, &budget);
        looked += STORE_SCAN_PER_WATCH - budget;
        told++;
        if (rc != E_AGAIN)
            w->on_ready(w->arg, w);              /* may close w */
    }
    if (!qempty(&batch))
        qprepend(&h->queued, &batch);
    if (!qempty(&h->queued) || !qempty(&h->restarted))
        h->want_turn(h->arg);
}

/* ---- life ---------------------------------------------------------------------------------------- */

int watch_hub_open(struct watch_hub *h, const struct store_watch_opts *o, struct store_watch **ret)
{
    struct store_watch *w;

    must(o->on_ready != NULL);
    if (o->after_rev < event_log_start(h->log))
        return E_STALE;
    w = mem_new(struct store_watch);
    w->hub = h;
    w->generation = h->generation;
    w->tag = o->tag;
    w->after_rev = w->seen = o->after_rev;
    w->on_ready = o->on_ready;
    w->arg = o->arg;
    qinit(&w->link);
    qpush(&h->all, &w->all);
    h->n++;
    watch_join(w, o->from, o->to);
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
    qdel(&w->link);
    qdel(&w->all);
    must(w->hub->n > 0);
    w->hub->n--;
    w->hub->n_awake -= w->awake;
    watch_leave(w);
    mem_free(w);
}
