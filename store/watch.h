/* store/watch.h: the hub: who wants to know of which event.
 *
 * A watch that has seen everything is parked in the index: by exact key, by '/'-ended prefix, or by a prefix
 * that ends elsewhere (a stem), and there by tag if it asked for one; other ranges are in a list that is
 * scanned.  An event looks up its key, each of its '/'-ended prefixes and its stems of the lengths there are,
 * and takes the watches it finds out of the index: they are awake, a position in the log,
 * until they have read to its end and park again.  So an event costs its look-ups plus the parked watches
 * that want it, however many others there are, and a watch that is busy reading costs nothing at all.
 *
 *     parked ----event matches----> queued ----turn: match found----> told: on_ready ran, the owner reads
 *        ^                             |  ^                                |
 *        +-------end of the log--------+  +-------slice used up------------+----end of the log----> parked */
#ifndef STORE_WATCH_H
#define STORE_WATCH_H

#include "net/map.h"
#include "store/event_log.h"

#define WATCH_DEPTHS 16
#define WATCH_STEMS  32                          /* lengths of stems at a time; those of others are scanned */

struct watch_hub {
    struct event_log *log;
    struct map    exact, prefixes, stems;        /* bytes -> struct watch_range */
    /* prefix ranges by number of slashes (last: that many or more) */
    unsigned      n_depth[WATCH_DEPTHS];
    struct { size_t len; uint64_t n; } stem[WATCH_STEMS]; unsigned n_stems;      /* ranges by length */
    struct qlink  scanned;                       /* parked watches of other ranges */
    struct qlink  queued;                        /* awake watches to be looked after */
    /* all that are open; restarted: those of them that a restart has ended and that do not know it yet */
    struct qlink  all, restarted;
    uint32_t      generation;                    /* restarts so far */
    uint64_t      ended_rev;                     /* what those in `restarted` have seen at least */
    uint64_t      n, n_awake;
    /* revision up to which events were offered: what parked watches have seen */
    uint64_t      seen_rev;
    /* something is queued: call watch_hub_turn() this turn or next */
    void        (*want_turn)(void *arg);
    void         *arg;
};

void watch_hub_init(struct watch_hub *h, struct event_log *log, void (*want_turn)(void *arg), void *arg);
void watch_hub_release(struct watch_hub *h);     /* all watches closed first */
/* Offer the events from position `from` to the end of the log; rev: the state's revision. */
void watch_hub_events(struct watch_hub *h, uint64_t from, uint64_t rev);
/* History was replaced: all watches end with E_STALE. */
void watch_hub_restart(struct watch_hub *h, uint64_t rev);
/* Tell watches, scan for lagging ones, in bounded slices. */
void watch_hub_turn(struct watch_hub *h);
int  watch_hub_open(struct watch_hub *h, const struct store_watch_opts *o, struct store_watch **ret);

#endif
