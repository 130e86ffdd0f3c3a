/* store/etcd/etcd_watch.h: what the two halves of Watch share: requests (etcd_watch.c) and events
 * (etcd_watch_send.c).
 *
 * One gRPC stream carries many watches.  Each is a watch of the store, which is a position in the event log;
 * what is encoded for it and not yet sent is one batch: whole revisions, so that no revision is split over
 * answers (but by who asked for fragments).  Above ETCD_QUEUE_MAX unsent bytes of the stream nothing is
 * pulled: a slow client costs its position and one batch of references, and in the end history runs out for
 * it ("compacted"). */
#ifndef STORE_ETCD_WATCH_H
#define STORE_ETCD_WATCH_H

#include "net/map.h"
#include "store/etcd/etcd_impl.h"

struct etcd_watcher;

struct etcd_watch_stream {
    struct etcd_stream s;
    struct map    watchers;                      /* 8 bytes of id -> struct etcd_watcher */
    int64_t       next_id;
    struct qlink  waiting;                       /* watchers that go on when there is room, or next turn */
    struct ready_item again;
    struct timer  progress;
    bool          admin;
};

struct etcd_watcher {
    struct etcd_watch_stream *ws;
    struct store_watch *w;
    struct qlink waiting;
    int64_t  id;
    bool     prev_kv, notify, fragment, no_put, no_delete, own;
    bool     told;                               /* something was sent since the last progress tick */
    /* The batch: encoded events, and the revision of the last. */
    struct blob **event; size_t n, cap;
    size_t   bytes;
    uint64_t rev;
};

/* An answer without events. */
struct etcd_watch_note { uint64_t rev; int64_t id; bool created,
                         canceled; uint64_t compact_revision; const char *reason; };
void etcd_watch_note(struct etcd_watch_stream *ws, const struct etcd_watch_note *n);
/* Events up to this revision have been sent or are not for it. */
uint64_t etcd_watcher_seen(const struct etcd_watcher *x);
void etcd_watcher_on_ready(void *arg, struct store_watch *w);
void etcd_watch_on_again(struct ready_item *it);
void etcd_watcher_close(struct etcd_watcher *x);
static inline struct str etcd_watch_key(const int64_t *id) { return str_make((const char *)id, sizeof *id); }

#endif
