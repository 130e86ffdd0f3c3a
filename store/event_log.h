/* store/event_log.h: the newest events, in order: what watches read and pins of the past are undone with.
 *
 * Every event has a position; positions count from 0 and are never reused.  The log holds
 * [event_log_first, event_log_end).  Events live in chunks that never move, so a pointer is good until
 * the event is trimmed, which happens only in event_log_trim(), in TURN_FREE.
 * Age is this head's own business: how far back history reaches may differ between heads. */
#ifndef STORE_EVENT_LOG_H
#define STORE_EVENT_LOG_H

#include "store/btree.h"
#include "store/store.h"

struct event {
    struct store_event pub;
    struct blob *key;
    uint64_t at_ns;                              /* loop time of apply */
};

#define EVENT_CHUNK 128
struct event_chunk { struct event ev[EVENT_CHUNK]; };

struct event_log {
    /* power of two; chunk of position p: ring[p / EVENT_CHUNK & mask] */
    struct event_chunk **ring;
    size_t   ring_cap;
    uint64_t first, end;
    uint64_t oldest;                             /* what a restart left before first goes in slices */
    uint64_t trimmed_rev;                        /* all events after this revision are here */
    uint64_t compacted;                          /* events before this revision may go at once */
    uint64_t bytes, max_bytes, max_age_ns;
};

void event_log_init(struct event_log *l, uint64_t max_age_ns, uint64_t max_bytes);
void event_log_release(struct event_log *l);
/* Forget everything; history starts anew behind rev. Positions go on.  Memory is given back by trimming. */
void event_log_restart(struct event_log *l, uint64_t rev);

static inline uint64_t event_log_first(const struct event_log *l) { return l->first; }
static inline uint64_t event_log_end(const struct event_log *l) { return l->end; }
static inline struct event *event_log_at(const struct event_log *l, uint64_t pos)
{
    must(pos >= l->first && pos < l->end);
    return &l->ring[pos / EVENT_CHUNK & (l->ring_cap - 1)]->ev[pos % EVENT_CHUNK];
}

/* The next event, to be filled in at once (key, value and prev with references of their own), then _added. */
struct event *event_log_append(struct event_log *l);
void          event_log_added(struct event_log *l, struct event *e, uint64_t now_ns);
/* Position of the first event with a revision above rev. */
uint64_t      event_log_after(const struct event_log *l, uint64_t rev);
/* Nobody is to see events before rev any more; they go in event_log_trim(). */
void          event_log_compact(struct event_log *l, uint64_t rev);
/* The oldest revision after which a watch may start. */
static inline uint64_t event_log_start(const struct event_log *l)
{
    return l->compacted > l->trimmed_rev ? l->compacted - 1 : l->trimmed_rev;
}
/* Let go of what is over age or over size, at most `budget` events; true when more is to go. */
bool          event_log_trim(struct event_log *l, uint64_t now_ns, unsigned budget);

#endif
