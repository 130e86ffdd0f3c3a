/* net/loop.h: the reactor everything runs on.  One thread; every callback comes from loop_run().
 *
 * There are two implementations behind this interface: the real one on libuv (net/real_*.c) and a
 * simulated one with virtual time (net/sim*.c).  Code above net/ cannot tell which it runs on: time,
 * randomness, streams (net/stream.h), files (net/disk.h) and children (net/proc.h) all start from a
 * struct loop.
 *
 * A turn: I/O callbacks and timers run, then ready items, then the end-of-turn phases in their fixed
 * order, then the loop waits.  A callback only records and arms a turn hook; the phases decide and act:
 *     TURN_STEP    consensus and store step over what came in
 *     TURN_WRITE   one write to the log for all of it
 *     TURN_NOTIFY  watchers and readers are handed what was applied
 *     TURN_FLUSH   sockets are written, one system call each
 *     TURN_FREE    what was retired is freed
 * A hook armed for a phase that has passed runs next turn, which then comes without waiting. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "net/err.h"
#include "net/histogram.h"
#include "net/list.h"
#include "net/blob.h"

struct loop;

struct loop *loop_new_real(void);
/* Needs every handle closed first: must() fails on leaked streams, timers or files. */
void         loop_free(struct loop *l);
/* Runs until loop_stop() or until nothing is left that could ever happen. */
void         loop_run(struct loop *l);
void         loop_stop(struct loop *l);

/* Monotonic, cached once a turn; loop_hires_ns() reads the clock anew (for measuring). */
uint64_t loop_now_ns(struct loop *l);
static inline uint64_t loop_now_ms(struct loop *l) { return loop_now_ns(l) / 1000000; }
uint64_t loop_hires_ns(struct loop *l);
/* Wall clock, ns since 1970 UTC, read anew. May jump. */
int64_t  loop_wall_ns(struct loop *l);
/* Random bytes fit for keys and UIDs (seeded in the simulator). */
void     loop_random(struct loop *l, void *p, size_t n);
uint64_t loop_random_u64(struct loop *l);

/* One-shot timers, embedded in their owner.  Restarting replaces; stopping a stopped one is fine.
 * fn may restart or free its own timer's owner.  Never early, order by due time then by start. */
struct timer { struct loop *loop; void (*fn)(struct timer *t); uint64_t due_ns, seq; size_t heap_at; };
void timer_init(struct timer *t, struct loop *l, void (*fn)(struct timer *t));
void timer_start(struct timer *t, uint64_t delay_ms);
void timer_start_ns(struct timer *t, uint64_t delay_ns);
void timer_stop(struct timer *t);
static inline bool timer_active(const struct timer *t) { return t->heap_at != 0; }

/* Results known at once are delivered from the loop, not from inside the call: post an item.
 * Once posted it stays until it runs or is canceled; posting twice is one run. */
struct ready_item { struct qlink link; void (*fn)(struct ready_item *it); };
static inline void ready_init(struct ready_item *it, void (*fn)(struct ready_item *)) { qinit(&it->link); it->fn = fn; }
void ready_post(struct loop *l, struct ready_item *it);
static inline void ready_cancel(struct ready_item *it) { qdel(&it->link); }

enum turn_phase { TURN_STEP, TURN_WRITE, TURN_NOTIFY, TURN_FLUSH, TURN_FREE, TURN_PHASES };
/* Armed for one run of one phase; arming an armed one is fine. */
struct turn_hook { struct qlink link; void (*fn)(struct turn_hook *h); };
static inline void turn_init(struct turn_hook *h, void (*fn)(struct turn_hook *)) { qinit(&h->link); h->fn = fn; }
void turn_arm(struct loop *l, enum turn_phase phase, struct turn_hook *h);
static inline void turn_cancel(struct turn_hook *h) { qdel(&h->link); }

/* Work off the loop: fn runs on the thread pool (real) or at once (simulated); done comes on the loop.
 * fn must touch only what the caller leaves alone meanwhile. */
struct loop_work { void (*fn)(struct loop_work *w); void (*done)(struct loop_work *w); void *impl; };
void loop_work(struct loop *l, struct loop_work *w);

/* Signals (real loop only; ignored in the simulator): fn on the loop for each. */
void loop_on_signal(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg);

/* A load is over: what free memory the process still holds goes back to the system.  Takes milliseconds after a large
 * load; for when there is nothing else to do. */
void loop_memory_rest(struct loop *l);

/* How long slices took, for metrics: longest turn since the last call, in ns. */
uint64_t loop_longest_turn_ns(struct loop *l, bool reset);
struct loop_stats {
    const struct histogram *turns;               /* borrowed */
    uint64_t recent_ns;                          /* the longest turn of the last one to two minutes */
    size_t   ready, timers, open;                /* queued items; timers that run; streams, files, children */
};
void loop_stats(struct loop *l, struct loop_stats *ret);

#endif
