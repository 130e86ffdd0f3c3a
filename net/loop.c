/* net/loop.c: timers, ready items and the phases of a turn, the same in both worlds. */
#include "net/loop_impl.h"

/* More in one turn wait for the next, which comes without waiting but looks at the sockets first. */
enum { READY_PER_TURN = 1024 };
/* Items that post themselves again (long lists, slice by slice) share a turn only so long: sockets and the log, and
 * with them the heartbeats that keep a leader, wait for its end. */
#define READY_SLICE_NS 4000000u
#define RECENT_NS      60000000000ull

void loop__init(struct loop *l, const struct loop_ops *ops)
{
    memset(l, 0, sizeof *l);
    l->ops = ops;
    l->now_stale = true;
    qinit(&l->ready);
    for (int i = 0; i < TURN_PHASES; i++)
        qinit(&l->phase[i]);
}

void loop__abandon(struct loop *l)
{
    while (l->n_chunk > 0)
        blob_unref(l->chunk[--l->n_chunk]);
    mem_free(l->heap);
    l->heap = NULL;
    l->n_heap = 0;
}

void loop__fini(struct loop *l)
{
    must(!l->in_turn);
    must(l->n_open == 0);
    must(l->n_heap == 0);
    must(qempty(&l->ready));
    for (int i = 0; i < TURN_PHASES; i++)
        must(qempty(&l->phase[i]));
    loop__abandon(l);
}

/* ---- the world's own ------------------------------------------------------------------------ */

void loop_free(struct loop *l)
{
    if (l != NULL)
        l->ops->free(l);
}

void loop_run(struct loop *l)
{
    must(!l->in_turn);
    l->stopping = false;
    l->ops->run(l);
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}

uint64_t loop_now_ns(struct loop *l)
{
    if (l->now_stale) {
        uint64_t now = l->ops->clock(l);
        must(now >= l->now_ns);
        l->now_ns = now;
        l->now_stale = false;
    }
    return l->now_ns;
}

uint64_t loop_hires_ns(struct loop *l)
{
    return l->ops->clock(l);
}

int64_t loop_wall_ns(struct loop *l)
{
    return l->ops->wall(l);
}

void loop_random(struct loop *l, void *p, size_t n)
{
    if (n > sizeof l->dice / 4) {
        l->ops->random(l, p, n);
        return;
    }
    if (l->n_dice < n) {
        l->ops->random(l, l->dice, sizeof l->dice);
        l->n_dice = sizeof l->dice;
    }
    l->n_dice -= n;
    memcpy(p, l->dice + l->n_dice, n);
    memset(l->dice + l->n_dice, 0, n);           /* said once */
}

uint64_t loop_random_u64(struct loop *l)
{
    uint64_t v;

    loop_random(l, &v, sizeof v);
    return v;
}

void loop_work(struct loop *l, struct loop_work *w)
{
    l->ops->work(l, w);
}

void loop_on_signal(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg)
{
    l->ops->on_signal(l, signum, fn, arg);
}

void loop_memory_rest(struct loop *l)
{
    if (l->ops->memory_rest != NULL)
        l->ops->memory_rest(l);
}

uint64_t loop_longest_turn_ns(struct loop *l, bool reset)
{
    uint64_t v = l->longest_turn_ns;
    if (reset)
        l->longest_turn_ns = 0;
    return v;
}

static void loop_recent(struct loop *l, uint64_t now, uint64_t took)
{
    if (now - l->recent.from_ns >= RECENT_NS) {
        bool idle = now - l->recent.from_ns >= 2 * (uint64_t)RECENT_NS;
        l->recent.before_ns = idle ? 0 : l->recent.now_ns;
        l->recent.now_ns = 0;
        l->recent.from_ns = now;
    }
    l->recent.now_ns = MAX_OF(l->recent.now_ns, took);
}

void loop_stats(struct loop *l, struct loop_stats *ret)
{
    size_t ready = 0;

    loop_recent(l, loop_now_ns(l), 0);
    qeach(&l->ready, it, tmp)
        ready++;
    *ret = (struct loop_stats){ .turns = &l->turns, .recent_ns = MAX_OF(l->recent.now_ns, l->recent.before_ns),
                                .ready = ready, .timers = l->n_heap, .open = l->n_open };
}

static void loop_queued(struct loop *l)
{
    if (!l->in_turn && l->ops->wake != NULL)
        l->ops->wake(l);
}

/* ---- timers: a binary heap by due time, then by start ---------------------------------------- */

static bool timer_before(const struct timer *a, const struct timer *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->seq < b->seq;
}

static void heap_set(struct loop *l, size_t at, struct timer *t)
{
    l->heap[at] = t;
    t->heap_at = at;
}

static void heap_up(struct loop *l, size_t at, struct timer *t)
{
    for (; at > 1 && timer_before(t, l->heap[at / 2]); at /= 2)
        heap_set(l, at, l->heap[at / 2]);
    heap_set(l, at, t);
}

static void heap_down(struct loop *l, size_t at, struct timer *t)
{
    for (size_t kid; (kid = 2 * at) <= l->n_heap; at = kid) {
        if (kid < l->n_heap && timer_before(l->heap[kid + 1], l->heap[kid]))
            kid++;
        if (!timer_before(l->heap[kid], t))
            break;
        heap_set(l, at, l->heap[kid]);
    }
    heap_set(l, at, t);
}

void timer_init(struct timer *t, struct loop *l, void (*fn)(struct timer *t))
{
    *t = (struct timer){ .loop = l, .fn = fn };
}

void timer_start_ns(struct timer *t, uint64_t delay_ns)
{
    struct loop *l = t->loop;
    /* From the clock, not from the turn's start: a callback that took long must not make it early. */
    uint64_t now = l->ops->clock(l);

    timer_stop(t);
    if (__builtin_add_overflow(now, delay_ns, &t->due_ns))
        t->due_ns = LOOP_NEVER - 1;
    t->seq = ++l->timer_seq;
    if (l->n_heap + 1 >= l->cap_heap) {
        l->cap_heap = MAX_OF(2 * l->cap_heap, (size_t)16);
        l->heap = mem_realloc(l->heap, l->cap_heap * sizeof *l->heap);
    }
    heap_up(l, ++l->n_heap, t);
    loop_queued(l);
}

void timer_start(struct timer *t, uint64_t delay_ms)
{
    uint64_t ns;
    timer_start_ns(t, __builtin_mul_overflow(delay_ms, 1000000u, &ns) ? LOOP_NEVER : ns);
}

void timer_stop(struct timer *t)
{
    struct loop *l = t->loop;
    size_t       at = t->heap_at;

    if (at == 0)
        return;
    must(at <= l->n_heap && l->heap[at] == t);
    struct timer *last = l->heap[l->n_heap--];
    t->heap_at = 0;
    if (last == t)
        return;
    if (at > 1 && timer_before(last, l->heap[at / 2]))
        heap_up(l, at, last);
    else
        heap_down(l, at, last);
}

static void timers_run(struct loop *l)
{
    uint64_t now = loop_now_ns(l), seq = l->timer_seq;

    while (l->n_heap > 0) {
        struct timer *t = l->heap[1];
        /* Timers started by these callbacks sort after all that were due: theirs is the next turn. */
        if (t->due_ns > now || t->seq > seq)
            break;
        timer_stop(t);
        t->fn(t);
    }
}

/* ---- the turn -------------------------------------------------------------------------------- */

void ready_post(struct loop *l, struct ready_item *it)
{
    if (qlinked(&it->link))
        return;
    qpush(&l->ready, &it->link);
    loop_queued(l);
}

void turn_arm(struct loop *l, enum turn_phase phase, struct turn_hook *h)
{
    must(phase < TURN_PHASES);
    if (qlinked(&h->link))
        return;
    qpush(&l->phase[phase], &h->link);
    loop_queued(l);
}

static void ready_run(struct loop *l)
{
    uint64_t until = l->ops->clock(l) + READY_SLICE_NS;

    for (int budget = READY_PER_TURN; budget > 0 && !qempty(&l->ready); budget--) {
        struct ready_item *it = qentry(qpop(&l->ready), struct ready_item, link);
        it->fn(it);
        if (l->ops->clock(l) >= until)
            return;
    }
}

static void phase_run(struct loop *l, enum turn_phase phase)
{
    struct qlink batch;

    qmove(&l->phase[phase], &batch);             /* armed again meanwhile: next turn */
    while (!qempty(&batch)) {
        struct turn_hook *h = qentry(qpop(&batch), struct turn_hook, link);
        h->fn(h);
    }
}

void loop__turn(struct loop *l)
{
    must(!l->in_turn);
    l->in_turn = true;
    uint64_t began = loop_now_ns(l);
    timers_run(l);
    ready_run(l);
    for (int i = 0; i < TURN_PHASES; i++)
        phase_run(l, (enum turn_phase)i);
    uint64_t took = l->ops->clock(l) - began;
    l->longest_turn_ns = MAX_OF(l->longest_turn_ns, took);
    histogram_add(&l->turns, took);
    loop_recent(l, began, took);
    l->in_turn = false;
}

uint64_t loop__due(const struct loop *l)
{
    if (!qempty(&l->ready))
        return 0;
    for (int i = 0; i < TURN_PHASES; i++)
        if (!qempty(&l->phase[i]))
            return 0;
    return l->n_heap > 0 ? l->heap[1]->due_ns : LOOP_NEVER;
}
