/* test/net/loop_test.c: timers, ready items and turn phases on the real reactor. */
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include "net/loop.h"
#include "test/test.h"

static struct loop *l;
static char         trail[4096];
static size_t       n_trail;

static void mark(char c)
{
    if (n_trail < sizeof trail - 1)
        trail[n_trail++] = c;
    trail[n_trail] = '\0';
}

static long begin(void)
{
    long live = mem_live();
    n_trail = 0;
    trail[0] = '\0';
    l = loop_new_real();
    return live;
}

static void end(long live)
{
    loop_free(l);
    CHECK_INT(mem_live(), live);
}

/* ---- timers ----------------------------------------------------------------------------------- */

struct clocked { struct timer t; uint64_t asked_ns, delay_ns; int runs; unsigned id; };
static unsigned order[512], n_order;

static void clocked_on_timer(struct timer *t)
{
    struct clocked *c = container_of(t, struct clocked, t);
    CHECK(loop_hires_ns(l) - c->asked_ns >= c->delay_ns);
    CHECK(loop_now_ns(l) - c->asked_ns >= c->delay_ns);
    c->runs++;
    order[n_order++] = c->id;
}

/* Never early, in the order of due times; the same delay in the order of starts. */
TEST(timers_order_and_never_early)
{
    long live = begin();
    struct clocked c[200];

    n_order = 0;
    for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
        c[i] = (struct clocked){ .id = i, .delay_ns = (i * 7919 % 20) * 700000 };
        timer_init(&c[i].t, l, clocked_on_timer);
        CHECK(!timer_active(&c[i].t));
    }
    for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
        c[i].asked_ns = loop_hires_ns(l);
        timer_start_ns(&c[i].t, c[i].delay_ns);
    }
    loop_run(l);
    CHECK_INT(n_order, ARRAY_LEN(c));
    for (unsigned i = 1; i < n_order; i++) {
        const struct clocked *a = &c[order[i - 1]], *b = &c[order[i]];
        CHECK(a->t.due_ns <= b->t.due_ns);
        if (a->delay_ns == b->delay_ns)
            CHECK(a->id < b->id);
    }
    end(live);
}

static void trap_on_timer(struct timer *t)
{
    CHECK(0 && "a stopped timer ran");
}

/* Stops, restarts and random removals from the middle of the heap. */
TEST(timers_stop_and_restart)
{
    long live = begin();
    struct clocked c[300];
    uint64_t seed = 1;

    n_order = 0;
    for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        c[i] = (struct clocked){ .id = i, .delay_ns = (seed >> 40) % 5000000 };
        timer_init(&c[i].t, l, i % 3 == 0 ? trap_on_timer : clocked_on_timer);
        c[i].asked_ns = loop_hires_ns(l);
        timer_start_ns(&c[i].t, c[i].delay_ns);
    }
    for (unsigned i = 0; i < ARRAY_LEN(c); i += 3)
        timer_stop(&c[i].t);
    for (unsigned i = 1; i < ARRAY_LEN(c); i += 3) {
        c[i].delay_ns = (i * 31 % 7) * 1000000;
        c[i].asked_ns = loop_hires_ns(l);
        timer_start_ns(&c[i].t, c[i].delay_ns);          /* replaces */
    }
    timer_stop(&c[0].t);                                  /* twice is fine */
    loop_run(l);
    CHECK_INT(n_order, 200);
    for (unsigned i = 0; i < ARRAY_LEN(c); i++)
        CHECK_INT(c[i].runs, i % 3 != 0);
    for (unsigned i = 1; i < n_order; i++)
        CHECK(c[order[i - 1]].t.due_ns <= c[order[i]].t.due_ns);
    end(live);
}

static int n_ticks;
static void tick_on_timer(struct timer *t)
{
    mark('t');
    if (++n_ticks < 5)
        timer_start(t, 0);
}
static void between_on_ready(struct ready_item *it)
{
    mark('r');
    if (n_ticks < 5)
        ready_post(l, it);
}

/* A timer that restarts itself with no delay does not keep the turn to itself. */
TEST(timer_of_no_delay_takes_turns)
{
    long live = begin();
    struct timer t;

    n_ticks = 0;
    timer_init(&t, l, tick_on_timer);
    timer_start(&t, 0);
    struct ready_item r;
    ready_init(&r, between_on_ready);
    ready_post(l, &r);
    loop_run(l);
    CHECK_INT(n_ticks, 5);
    CHECK(strstr(trail, "tt") == NULL);
    end(live);
}

TEST(huge_delays)
{
    long live = begin();
    struct timer a, b;
    timer_init(&a, l, trap_on_timer);
    timer_init(&b, l, tick_on_timer);
    timer_start(&a, UINT64_MAX);
    n_ticks = 100;
    timer_start(&b, 1);
    CHECK(timer_active(&a));
    timer_stop(&a);
    timer_start_ns(&a, UINT64_MAX - 1);
    CHECK(a.due_ns > b.due_ns);                          /* no wrap to the past */
    timer_stop(&a);
    loop_run(l);
    CHECK_INT(n_ticks, 101);
    end(live);
}

/* ---- ready items and phases -------------------------------------------------------------------- */

struct named_hook { struct turn_hook h; char name; struct named_hook *arms; enum turn_phase phase; };
struct named_item { struct ready_item it; char name; struct named_item *posts; };

static void named_on_phase(struct turn_hook *h)
{
    struct named_hook *n = container_of(h, struct named_hook, h);
    mark(n->name);
    if (n->arms != NULL)
        turn_arm(l, n->arms->phase, &n->arms->h);
}

static void named_on_ready(struct ready_item *it)
{
    struct named_item *n = container_of(it, struct named_item, it);
    mark(n->name);
    if (n->posts != NULL)
        ready_post(l, &n->posts->it);
}

static void hook_set(struct named_hook *n, char name, enum turn_phase phase)
{
    *n = (struct named_hook){ .name = name, .phase = phase };
    turn_init(&n->h, named_on_phase);
}

static void spell_timer(struct timer *t)
{
    mark('T');
}

TEST(phases_in_their_order)
{
    long live = begin();
    struct named_hook h[TURN_PHASES];
    struct named_item a = { .name = 'a' }, b = { .name = 'b' };
    struct timer t;

    for (int i = TURN_PHASES - 1; i >= 0; i--) {         /* armed backwards */
        hook_set(&h[i], (char)('0' + i), (enum turn_phase)i);
        turn_arm(l, (enum turn_phase)i, &h[i].h);
        turn_arm(l, (enum turn_phase)i, &h[i].h);        /* twice is once */
    }
    ready_init(&a.it, named_on_ready);
    ready_init(&b.it, named_on_ready);
    a.posts = &b;
    ready_post(l, &a.it);
    ready_post(l, &a.it);
    timer_init(&t, l, spell_timer);
    timer_start(&t, 0);
    CHECK_STR(str_of(trail), "");                        /* nothing runs inside the calls */
    loop_run(l);
    CHECK_STR(str_of(trail), "Tab01234");
    end(live);
}

TEST(hooks_armed_within_the_turn)
{
    long live = begin();
    struct named_hook step, flush, late, again;

    hook_set(&step, 's', TURN_STEP);
    hook_set(&flush, 'f', TURN_FLUSH);
    hook_set(&late, 'w', TURN_WRITE);
    hook_set(&again, 'x', TURN_FREE);
    step.arms = &flush;                                  /* later phase: the same turn */
    flush.arms = &late;                                  /* passed phase: the next */
    again.arms = NULL;
    turn_arm(l, TURN_STEP, &step.h);
    turn_arm(l, TURN_FREE, &again.h);
    loop_run(l);
    CHECK_STR(str_of(trail), "sfxw");
    turn_arm(l, TURN_STEP, &step.h);
    turn_cancel(&step.h);
    loop_run(l);
    CHECK_STR(str_of(trail), "sfxw");
    end(live);
}

static struct named_item *victim;
static void cancels_on_ready(struct ready_item *it)
{
    mark('c');
    ready_cancel(&victim->it);
}

TEST(ready_canceled_by_the_one_before)
{
    long live = begin();
    struct named_item v = { .name = 'v' };
    struct ready_item c;

    victim = &v;
    ready_init(&v.it, named_on_ready);
    ready_init(&c, cancels_on_ready);
    ready_post(l, &c);
    ready_post(l, &v.it);
    loop_run(l);
    CHECK_STR(str_of(trail), "c");
    end(live);
}

static int n_spins;
static void spin_on_ready(struct ready_item *it)
{
    if (n_spins++ < 100000)
        ready_post(l, it);
}
static void stop_on_phase(struct turn_hook *h)
{
    mark('p');
    CHECK(n_spins < 5000);                               /* the phases came although items kept coming */
    n_spins = 100000;
}

TEST(ready_items_cannot_starve_the_phases)
{
    long live = begin();
    struct ready_item it;
    struct turn_hook h;

    n_spins = 0;
    ready_init(&it, spin_on_ready);
    turn_init(&h, stop_on_phase);
    ready_post(l, &it);
    turn_arm(l, TURN_STEP, &h);
    loop_run(l);
    CHECK_STR(str_of(trail), "p");
    end(live);
}

/* Few items that take long share a turn only for a few milliseconds. */
struct slow { struct ready_item it; struct turn_hook hook; int runs, without_phase, worst; };

static void slow_on_phase(struct turn_hook *h)
{
    struct slow *s = container_of(h, struct slow, hook);
    s->worst = MAX_OF(s->worst, s->without_phase);
    s->without_phase = 0;
}

static void slow_on_ready(struct ready_item *it)
{
    struct slow *s = container_of(it, struct slow, it);
    uint64_t until = loop_hires_ns(l) + 3000000;

    while (loop_hires_ns(l) < until)
        ;
    s->runs++;
    s->without_phase++;
    turn_arm(l, TURN_STEP, &s->hook);
    if (s->runs < 20)
        ready_post(l, it);
}

TEST(slow_ready_items_let_the_phases_run)
{
    long live = begin();
    struct slow s = { .runs = 0 };

    ready_init(&s.it, slow_on_ready);
    turn_init(&s.hook, slow_on_phase);
    ready_post(l, &s.it);
    loop_run(l);
    CHECK_INT(s.runs, 20);
    CHECK(s.worst >= 1 && s.worst <= 2);
    end(live);
}

/* ---- work, signals, clocks --------------------------------------------------------------------- */

struct sum { struct loop_work w; int in, out; bool done; };
static void sum_fn(struct loop_work *w) { struct sum *s = container_of(w, struct sum, w); s->out = s->in * 2; }
static void sum_done(struct loop_work *w) { container_of(w, struct sum, w)->done = true; }

TEST(work_on_threads)
{
    long live = begin();
    struct sum s[64];

    for (int i = 0; i < 64; i++) {
        s[i] = (struct sum){ .w = { sum_fn, sum_done, NULL }, .in = i };
        loop_work(l, &s[i].w);
    }
    loop_run(l);
    for (int i = 0; i < 64; i++) {
        CHECK(s[i].done);
        CHECK_INT(s[i].out, 2 * i);
    }
    end(live);
}

static void gate_fn(struct loop_work *w)
{
    struct timespec ts = { 0, 100000000 };
    nanosleep(&ts, NULL);                                /* long after the timer is due */
}

static void gate_done(struct loop_work *w)
{
    mark('w');
}

static void late_on_ready(struct ready_item *it)
{
    uint64_t t0 = loop_hires_ns(l);
    while (loop_hires_ns(l) - t0 < 3000000)
        ;
}

/* A timer that falls due while a turn runs must not wait for the next I/O. */
TEST(timer_due_before_the_wait)
{
    long live = begin();
    struct loop_work  gate = { gate_fn, gate_done, NULL };
    struct ready_item late;
    struct timer      t;

    loop_work(l, &gate);
    ready_init(&late, late_on_ready);
    ready_post(l, &late);
    timer_init(&t, l, spell_timer);
    timer_start(&t, 1);
    loop_run(l);
    CHECK_STR(str_of(trail), "Tw");
    end(live);
}

static void on_usr1(void *arg, int signum)
{
    mark('u');
    CHECK_INT(signum, SIGUSR1);
    loop_stop(arg);
}

TEST(signals_and_stop)
{
    long live = begin();
    struct timer far;

    loop_on_signal(l, SIGUSR1, on_usr1, l);
    loop_run(l);                                         /* a signal handler alone keeps nothing going */
    timer_init(&far, l, trap_on_timer);
    timer_start(&far, 60000);
    kill(getpid(), SIGUSR1);
    loop_run(l);
    CHECK_STR(str_of(trail), "u");
    timer_stop(&far);
    end(live);
}

static void long_on_ready(struct ready_item *it)
{
    uint64_t t0 = loop_hires_ns(l), cached = loop_now_ns(l);
    while (loop_hires_ns(l) - t0 < 3000000)
        ;
    CHECK(loop_now_ns(l) == cached);                     /* one time for the whole turn */
}

TEST(clocks_and_dice)
{
    long live = begin();
    struct ready_item it;
    unsigned char a[64], b[64];

    ready_init(&it, long_on_ready);
    ready_post(l, &it);
    loop_run(l);
    CHECK(loop_longest_turn_ns(l, true) >= 3000000);
    CHECK_INT(loop_longest_turn_ns(l, false), 0);
    CHECK(loop_wall_ns(l) > 1700000000000000000);
    loop_random(l, a, sizeof a);
    loop_random(l, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    uint64_t x = 0, y = ~(uint64_t)0;
    for (int i = 0; i < 200; i++) {
        uint64_t v = loop_random_u64(l);
        x |= v;
        y &= v;
    }
    CHECK(x == ~(uint64_t)0 && y == 0);
    end(live);
}
