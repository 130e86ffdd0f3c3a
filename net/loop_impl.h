/* net/loop_impl.h: what the two reactors share; for net/ only.
 *
 * net/loop.c holds everything that is the same in both worlds: the timer heap, the ready queue and
 * the phases of a turn.  A world embeds struct loop first in its own and supplies an ops table.  It
 * then drives the loop like this:
 *     loop__wake_up(l);            time passed: the cached clock is void
 *     ...                          I/O callbacks of this turn, if any
 *     loop__turn(l);               timers that are due, ready items, phases
 *     wait until loop__due(l)      0: don't wait; LOOP_NEVER: only I/O can wake it
 */
#ifndef NET_LOOP_IMPL_H
#define NET_LOOP_IMPL_H

#include "net/loop.h"

#define LOOP_NEVER UINT64_MAX
enum { LOOP_CHUNKS = 32 };

struct stream;
struct stream_connect_opts;
struct listener;
struct listener_opts;
struct disk;

struct loop_ops {
    void     (*free)(struct loop *l);            /* after loop__fini() checks */
    void     (*run)(struct loop *l);             /* until l->stopping, or nothing can happen */
    uint64_t (*clock)(struct loop *l);           /* monotonic ns, read anew; never goes back */
    int64_t  (*wall)(struct loop *l);
    void     (*random)(struct loop *l, void *p, size_t n);
    void     (*work)(struct loop *l, struct loop_work *w);
    void     (*on_signal)(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg);
    void     (*memory_rest)(struct loop *l);     /* NULL: there is nothing to give back to */
    /* Something was queued or armed from outside of a turn.  NULL: the world looks by itself. */
    void     (*wake)(struct loop *l);
    /* What else starts from a loop: see net/stream.h and net/disk.h. */
    int      (*connect)(struct loop *l, const struct stream_connect_opts *o, struct stream **ret,
                        struct errbuf *err);
    int      (*listen)(struct loop *l, const struct listener_opts *o, struct listener **ret,
                       struct errbuf *err);
    /* ret_in_use: NULL: to write, locked; else only to look at. */
    int      (*disk_open)(struct loop *l, const char *path, struct disk **ret, bool *ret_in_use,
                          struct errbuf *err);
};

struct loop {
    const struct loop_ops *ops;
    uint64_t       now_ns;                       /* valid unless now_stale */
    bool           now_stale, in_turn, stopping;
    struct timer **heap;                         /* 1-based binary heap; heap[0] is unused */
    size_t         n_heap, cap_heap;
    uint64_t       timer_seq;
    struct qlink   ready;
    struct qlink   phase[TURN_PHASES];
    size_t         n_open;                       /* streams, listeners, disks, files, children */
    uint64_t       longest_turn_ns;
    struct histogram turns;
    struct { uint64_t from_ns, now_ns, before_ns; } recent;      /* longest turns of this minute and the last */
    struct blob   *chunk[LOOP_CHUNKS];           /* spare chunks of output queues (net/stream.c) */
    unsigned       n_chunk;
    unsigned char  dice[256];                    /* random bytes in stock for loop_random() */
    size_t         n_dice;
};

void     loop__init(struct loop *l, const struct loop_ops *ops);
/* Nothing may be open any more.  Frees what init and use made, not l. */
void     loop__fini(struct loop *l);
/* The owner of l died without a chance to clean up (a simulated crash): forgets, checks nothing. */
void     loop__abandon(struct loop *l);
static inline void loop__wake_up(struct loop *l) { l->now_stale = true; }
void     loop__turn(struct loop *l);
/* When loop__turn() is next needed: 0 at once, LOOP_NEVER not by itself, else the earliest timer. */
uint64_t loop__due(const struct loop *l);

#endif
