/* net/sim.c: events, dice, machines, clocks, crash and boot; see sim_impl.h. */
#include <stdio.h>
#include "net/log.h"
#include "net/sim_impl.h"

enum {
    TURN_MIN_NS = 1000, TURN_MAX_NS = 20000,     /* from an event to the turn that answers it */
    WORK_MIN_NS = 20000, WORK_MAX_NS = 500000,   /* a job on the thread pool */
};
#define WALL_EPOCH 1767225600000000000ll         /* 2026-01-01: the day the world begins */

struct sim_loop { struct loop base; struct sim_machine *machine; };

/* Before the first allocation of the program, as mem_track() demands; only programs that use the simulator
 * link this file.  Hash tables must not differ between runs either. */
__attribute__((constructor)) static void sim_on_start(void)
{
    mem_track();
    str_hash_seed(1);
}

/* ---- dice ---------------------------------------------------------------------------------------- */

static uint64_t dice_roll(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t sim_random(struct sim *s)
{
    return dice_roll(&s->dice);
}

uint64_t sim_below(struct sim *s, uint64_t n)
{
    must(n > 0);
    return sim_random(s) % n;
}

uint64_t sim__between(struct sim *s, uint64_t min, uint64_t max)
{
    return max > min ? min + sim_below(s, max - min + 1) : min;
}

bool sim__chance(struct sim *s, unsigned per_million)
{
    return per_million > 0 && sim_below(s, 1000000) < per_million;
}

void sim__mix(struct sim *s, uint64_t v)
{
    s->hash = (s->hash ^ v) * 0x9e3779b97f4a7c15ull;
    s->hash ^= s->hash >> 29;
}

uint64_t sim_hash(const struct sim *s)
{
    return s->hash;
}

/* ---- events -------------------------------------------------------------------------------------- */

struct mem_domain *sim__outside(void)
{
    return mem_domain_enter(NULL);
}

static bool event_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void heap_set(struct sim *s, size_t at, struct sim_event *e)
{
    s->heap[at] = e;
    e->heap_at = at;
}

static void heap_up(struct sim *s, size_t at, struct sim_event *e)
{
    for (; at > 1 && event_before(e, s->heap[at / 2]); at /= 2)
        heap_set(s, at, s->heap[at / 2]);
    heap_set(s, at, e);
}

static void heap_down(struct sim *s, size_t at, struct sim_event *e)
{
    for (size_t kid; (kid = 2 * at) <= s->n_heap; at = kid) {
        if (kid < s->n_heap && event_before(s->heap[kid + 1], s->heap[kid]))
            kid++;
        if (!event_before(s->heap[kid], e))
            break;
        heap_set(s, at, s->heap[kid]);
    }
    heap_set(s, at, e);
}

static void heap_remove(struct sim *s, struct sim_event *e)
{
    size_t at = e->heap_at;
    struct sim_event *last;

    must(at > 0 && at <= s->n_heap && s->heap[at] == e);
    last = s->heap[s->n_heap--];
    e->heap_at = 0;
    if (last == e)
        return;
    if (at > 1 && event_before(last, s->heap[at / 2]))
        heap_up(s, at, last);
    else
        heap_down(s, at, last);
}

struct sim_event *sim__at(struct sim *s, uint64_t at, struct sim_machine *m, void (*fn)(void *arg), void *arg)
{
    struct mem_domain *was = sim__outside();
    struct sim_event  *e = mem_new(struct sim_event);

    must(at >= s->now);
    *e = (struct sim_event){ .at = at, .seq = ++s->seq, .machine = m, .fn = fn, .arg = arg };
    if (s->n_heap + 1 >= s->cap_heap) {
        s->cap_heap = MAX_OF(2 * s->cap_heap, (size_t)64);
        s->heap = mem_realloc(s->heap, s->cap_heap * sizeof *s->heap);
    }
    heap_up(s, ++s->n_heap, e);
    mem_domain_enter(was);
    return e;
}

void sim__cancel(struct sim *s, struct sim_event *e)
{
    if (e == NULL)
        return;
    heap_remove(s, e);
    mem_free(e);
}

/* All events of a machine that is no more. */
static void events_drop(struct sim *s, const struct sim_machine *m)
{
    size_t n = 0;

    for (size_t i = 1; i <= s->n_heap; i++) {
        if (s->heap[i]->machine == m)
            mem_free(s->heap[i]);
        else
            s->heap[++n] = s->heap[i];
    }
    s->n_heap = n;
    for (size_t i = n; i >= 1; i--)
        heap_down(s, i, s->heap[i]);
}

bool sim_step(struct sim *s)
{
    struct sim_event *e, run;

    must(s->running == NULL);
    if (s->n_heap == 0)
        return false;
    e = s->heap[1];
    heap_remove(s, e);
    run = *e;
    mem_free(e);
    must(run.at >= s->now);
    s->now = run.at;
    sim__mix(s, run.at ^ run.seq << 40 ^ (run.machine != NULL ? run.machine->index + 1 : 0));
    if (run.machine != NULL)
        sim__call(run.machine, run.fn, run.arg);
    else
        run.fn(run.arg);
    return true;
}

void sim_run_for(struct sim *s, uint64_t ns)
{
    uint64_t until = s->now + ns;

    while (s->n_heap > 0 && s->heap[1]->at <= until)
        sim_step(s);
    s->now = until;
}

uint64_t sim_now_ns(struct sim *s)
{
    return s->now;
}

static long long sim_log_clock(void *arg)
{
    return WALL_EPOCH + (long long)((struct sim *)arg)->now;
}

struct sim *sim_new(uint64_t seed)
{
    struct sim *s = mem_new(struct sim);

    s->dice = seed;
    s->hash = 1;
    s->next_port = 40000;
    s->net = (struct sim_net_opts){ .delay_min_ns = 50000, .delay_max_ns = 400000 };
    qinit(&s->machines);
    qinit(&s->conns);
    log_clock(sim_log_clock, s);
    return s;
}

static void machine_free(struct sim_machine *m);

void sim_free(struct sim *s)
{
    must(s->running == NULL);
    while (!qempty(&s->machines))
        machine_free(qentry(qpop(&s->machines), struct sim_machine, link));
    sim__net_free(s);
    while (s->n_heap > 0)
        sim__cancel(s, s->heap[s->n_heap]);
    mem_free(s->heap);
    mem_free(s);
    log_clock(NULL, NULL);
}

/* ---- clocks -------------------------------------------------------------------------------------- */

struct sim_machine *sim__machine_of(struct loop *l)
{
    return container_of(l, struct sim_loop, base)->machine;
}

static uint64_t machine_clock(const struct sim_machine *m)
{
    return m->mono_base + (uint64_t)((double)(m->sim->now - m->mono_at) * m->mono_rate);
}

/* The world's time at which the machine's clock surely shows `mono`. */
static uint64_t machine_when(const struct sim_machine *m, uint64_t mono)
{
    uint64_t now = machine_clock(m);
    double   wait;

    if (mono <= now)
        return m->sim->now;
    wait = (double)(mono - now) / m->mono_rate;
    return m->sim->now + (wait < 1e18 ? (uint64_t)wait : (uint64_t)1e18) + 1;
}

static uint64_t sim_loop_clock(struct loop *l)
{
    return machine_clock(sim__machine_of(l));
}

static int64_t sim_loop_wall(struct loop *l)
{
    const struct sim_machine *m = sim__machine_of(l);
    return WALL_EPOCH + (int64_t)m->sim->now + m->wall_jump;
}

void sim_clock_skew(struct sim_machine *m, int64_t wall_jump_ns, double monotonic_rate)
{
    must(monotonic_rate > 0.01 && monotonic_rate < 100);
    m->mono_base = machine_clock(m);
    m->mono_at = m->sim->now;
    m->mono_rate = monotonic_rate;
    m->wall_jump = wall_jump_ns;
}

/* ---- turns --------------------------------------------------------------------------------------- */

static void machine_on_turn(void *arg)
{
    struct sim_machine *m = arg;

    m->turn = NULL;
    loop__turn(m->loop);
}

static void machine_schedule(struct sim_machine *m)
{
    struct sim *s = m->sim;
    uint64_t due = loop__due(m->loop), at;

    if (due == LOOP_NEVER)
        return;
    /* A turn takes time, so a loop that never rests cannot stop the world's clock. */
    at = due == 0 || due <= machine_clock(m) ? s->now + sim__between(s, TURN_MIN_NS, TURN_MAX_NS)
        : machine_when(m, due);
    if (m->turn != NULL && m->turn->at <= at)
        return;                                  /* it comes early enough */
    sim__cancel(s, m->turn);
    m->turn = sim__at(s, at, m, machine_on_turn, m);
}

void sim__call(struct sim_machine *m, void (*fn)(void *arg), void *arg)
{
    struct sim *s = m->sim;
    struct mem_domain *was;

    must(m->loop != NULL && s->running == NULL);
    was = mem_domain_enter(&m->mem);
    s->running = m;
    loop__wake_up(m->loop);
    fn(arg);
    s->running = NULL;
    mem_domain_enter(was);
    if (m->loop != NULL)                         /* it may have ended itself in good order */
        machine_schedule(m);
}

void sim_do(struct sim_machine *m, void (*fn)(void *arg), void *arg)
{
    sim__call(m, fn, arg);
}

/* ---- the loop of a machine ----------------------------------------------------------------------- */

static void sim_loop_run(struct loop *l)
{
    struct sim *s = sim__machine_of(l)->sim;

    while (!l->stopping && sim_step(s))
        continue;
}

static void sim_loop_random(struct loop *l, void *p, size_t n)
{
    struct sim_machine *m = sim__machine_of(l);

    for (size_t i = 0; i < n; i++)
        ((unsigned char *)p)[i] = (unsigned char)(dice_roll(&m->dice) >> 24);
}

static void sim_work_done(void *arg)
{
    struct loop_work *w = arg;
    w->done(w);
}

static void sim_loop_work(struct loop *l, struct loop_work *w)
{
    struct sim_machine *m = sim__machine_of(l);

    w->fn(w);
    sim__at(m->sim, m->sim->now + sim__between(m->sim, WORK_MIN_NS, WORK_MAX_NS), m, sim_work_done, w);
}

/* Called from outside of events and of sim_do(). */
static void sim_loop_wake(struct loop *l)
{
    struct sim_machine *m = sim__machine_of(l);

    if (m->sim->running == NULL)
        machine_schedule(m);
}

static void sim_loop_on_signal(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg)
{
}

static void sim_loop_free(struct loop *l)
{
    struct sim_machine *m = sim__machine_of(l);

    loop__fini(l);
    sim__cancel(m->sim, m->turn);
    m->turn = NULL;
    m->loop = NULL;
    mem_free(container_of(l, struct sim_loop, base));
}

static const struct loop_ops sim_loop_ops = {
    .free = sim_loop_free, .run = sim_loop_run, .clock = sim_loop_clock, .wall = sim_loop_wall,
    .random = sim_loop_random, .work = sim_loop_work, .on_signal = sim_loop_on_signal, .wake = sim_loop_wake,
    .connect = sim__connect, .listen = sim__listen, .disk_open = sim__disk_open,
};

/* ---- machines ------------------------------------------------------------------------------------ */

struct sim_machine *sim_machine_new(struct sim *s, const char *name)
{
    struct mem_domain  *was = sim__outside();
    struct sim_machine *m = mem_new(struct sim_machine);

    m->sim = s;
    m->name = mem_strdup(name);
    m->index = s->n_machines++;
    m->mono_rate = 1;
    m->dice = sim_random(s);
    m->disk = (struct sim_disk_opts){ .op_min_ns = 50000, .op_max_ns = 300000 };
    mem_domain_init(&m->mem);
    qinit(&m->listeners);
    qinit(&m->disks);
    qinit(&m->stuck);
    qpush(&s->machines, &m->link);
    mem_domain_enter(was);
    sim_boot(m);
    return m;
}

struct loop *sim_machine_loop(struct sim_machine *m)
{
    must(m->loop != NULL);
    return m->loop;
}

const char *sim_machine_name(const struct sim_machine *m)
{
    return m->name;
}

bool sim_up(const struct sim_machine *m)
{
    return m->loop != NULL;
}

void sim_boot(struct sim_machine *m)
{
    struct mem_domain *was;
    struct sim_loop   *l;

    must(m->loop == NULL && m->sim->running == NULL);
    was = mem_domain_enter(&m->mem);
    l = mem_new(struct sim_loop);
    loop__init(&l->base, &sim_loop_ops);
    l->machine = m;
    m->loop = &l->base;
    mem_domain_enter(was);
}

/* Power off: whatever the machine was about to do does not happen. */
static void machine_stop(struct sim_machine *m, bool silent)
{
    struct sim *s = m->sim;

    events_drop(s, m);
    m->turn = NULL;
    qinit(&m->stuck);
    sim__net_crash(m, silent);
    sim__disk_crash(m);
    if (m->loop != NULL)
        loop__abandon(m->loop);
    m->loop = NULL;
    mem_domain_drop(&m->mem);
}

void sim_crash(struct sim_machine *m)
{
    must(m->sim->running == NULL && m->loop != NULL);
    sim__mix(m->sim, 0xdead + m->index);
    machine_stop(m, false);
}

void sim_power_off(struct sim_machine *m)
{
    must(m->sim->running == NULL && m->loop != NULL);
    sim__mix(m->sim, 0xdeaf + m->index);
    machine_stop(m, true);
}

static void machine_free(struct sim_machine *m)
{
    machine_stop(m, false);
    sim__disk_free(m);
    mem_free(m->links);
    mem_free(m->name);
    mem_free(m);
}
