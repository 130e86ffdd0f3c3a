/* store/event_log.c: see event_log.h. */
#include "store/event_log.h"

void event_log_init(struct event_log *l, uint64_t max_age_ns, uint64_t max_bytes)
{
    *l = (struct event_log){ .max_age_ns = max_age_ns, .max_bytes = max_bytes };
}

/* What an event is charged for.  Its value may be shared with the tree and with the next event's prev: each
 * value is charged to the event that brought it. */
static uint64_t event_bytes(const struct event *e)
{
    return sizeof *e + e->key->len + (e->pub.value != NULL ? e->pub.value->len : 0);
}

static void event_log_drop_oldest(struct event_log *l)
{
    size_t        slot = l->oldest / EVENT_CHUNK & (l->ring_cap - 1);
    struct event *e = &l->ring[slot]->ev[l->oldest % EVENT_CHUNK];

    must(l->oldest < l->end && l->oldest <= l->first);
    must(l->bytes >= event_bytes(e));
    l->bytes -= event_bytes(e);
    if (l->oldest == l->first) {
        must(e->pub.rev >= l->trimmed_rev);
        l->trimmed_rev = e->pub.rev;
        l->first++;
    }
    for (size_t i = 0; i < ARRAY_LEN(e->pub.frame); i++)
        blob_unref(e->pub.frame[i]);
    blob_unref(e->pub.value);
    blob_unref(e->pub.prev);
    blob_unref(e->key);
    l->oldest++;
    if (l->oldest % EVENT_CHUNK == 0) {
        mem_free(l->ring[slot]);
        l->ring[slot] = NULL;
    }
}

void event_log_restart(struct event_log *l, uint64_t rev)
{
    l->first = l->end;
    l->trimmed_rev = rev;
}

void event_log_release(struct event_log *l)
{
    while (l->oldest < l->end)
        event_log_drop_oldest(l);
    must(l->bytes == 0);
    for (size_t i = 0; i < l->ring_cap; i++)     /* the chunk in use, if any */
        mem_free(l->ring[i]);
    mem_free(l->ring);
    l->ring = NULL;
    l->ring_cap = 0;
}

static void event_log_grow(struct event_log *l)
{
    size_t cap = l->ring_cap > 0 ? l->ring_cap * 2 : 16;
    struct event_chunk **ring = mem_zalloc(cap * sizeof *ring);

    for (uint64_t c = l->oldest / EVENT_CHUNK; l->ring_cap > 0 && c * EVENT_CHUNK < l->end; c++)
        ring[c & (cap - 1)] = l->ring[c & (l->ring_cap - 1)];
    mem_free(l->ring);
    l->ring = ring;
    l->ring_cap = cap;
}

struct event *event_log_append(struct event_log *l)
{
    uint64_t chunk = l->end / EVENT_CHUNK;
    struct event *e;
    size_t slot;

    if (chunk - l->oldest / EVENT_CHUNK >= l->ring_cap)
        event_log_grow(l);
    slot = chunk & (l->ring_cap - 1);
    if (l->ring[slot] == NULL)
        l->ring[slot] = mem_alloc(sizeof(struct event_chunk));
    e = &l->ring[slot]->ev[l->end % EVENT_CHUNK];
    l->end++;
    *e = (struct event){ .at_ns = 0 };
    return e;
}

void event_log_added(struct event_log *l, struct event *e, uint64_t now_ns)
{
    must(e == event_log_at(l, l->end - 1));
    must(e->key != NULL && e->pub.rev > 0);
    must(l->end - l->first < 2 || event_log_at(l, l->end - 2)->pub.rev <= e->pub.rev);
    must(e->pub.rev > l->trimmed_rev);
    e->at_ns = now_ns;
    l->bytes += event_bytes(e);
}

uint64_t event_log_after(const struct event_log *l, uint64_t rev)
{
    uint64_t lo = l->first, hi = l->end;

    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (event_log_at(l, mid)->pub.rev <= rev)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void event_log_compact(struct event_log *l, uint64_t rev)
{
    must(rev >= l->compacted);
    l->compacted = rev;
}

static bool event_log_over(const struct event_log *l, uint64_t now_ns)
{
    if (l->first == l->end)
        return false;
    if (l->bytes > l->max_bytes || event_log_at(l, l->first)->pub.rev < l->compacted)
        return true;
    uint64_t at = event_log_at(l, l->first)->at_ns;
    return now_ns > at && now_ns - at > l->max_age_ns;
}

bool event_log_trim(struct event_log *l, uint64_t now_ns, unsigned budget)
{
    while (l->oldest < l->first || event_log_over(l, now_ns)) {
        if (budget-- == 0)
            return true;
        event_log_drop_oldest(l);
    }
    return false;
}
