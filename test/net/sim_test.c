/* test/net/sim_test.c: the simulated world keeps its promises: order, back-pressure, crashes, disks, same
 * seed same run. */
#include "net/sim.h"
#include "net/tls.h"
#include "test/test.h"

#define MS 1000000ull

/* ---- streams: a server that echoes and a client that checks ---------------------------------------- */

struct echo {
    struct sim *sim; struct sim_machine *m; struct listener *ln; struct stream *s;
    unsigned accepted, closed; bool hold;
};
struct caller {
    struct sim *sim; struct sim_machine *m; struct stream *s;
    size_t to_send, sent, got; unsigned opened, drained, closed; int err; bool eof;
};

static unsigned char byte_at(size_t i) { return (unsigned char)(i * 31 + i / 251); }

static void echo_on_data(void *arg, struct stream *s, const char *p, size_t n) { stream_write(s, p, n); }
static void echo_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    ((struct echo *)arg)->closed++;
    ((struct echo *)arg)->s = NULL;
}
static const struct stream_events echo_ev = { .on_data = echo_on_data, .on_close = echo_on_close };

static void echo_on_accept(void *arg, struct stream *s)
{
    struct echo *e = arg;

    e->accepted++;
    e->s = s;
    stream_set_events(s, &echo_ev, e);
    if (e->hold)
        stream_pause(s);
}

static void echo_start(void *arg)
{
    struct echo *e = arg;
    struct listener_opts o = { .addr = "server:1", .on_accept = echo_on_accept, .arg = e };

    must_ok(listener_open(sim_machine_loop(e->m), &o, &e->ln, NULL));
}

static void caller_fill(struct caller *c)
{
    while (c->sent < c->to_send && stream_queued(c->s) < (128u << 10)) {
        char piece[3000];
        size_t n = MIN_OF(sizeof piece, c->to_send - c->sent);
        for (size_t i = 0; i < n; i++)
            piece[i] = (char)byte_at(c->sent + i);
        stream_write(c->s, piece, n);
        c->sent += n;
    }
}

static void caller_on_open(void *arg, struct stream *s) { ((struct caller *)arg)->opened++; caller_fill(arg); }
static void caller_on_drain(void *arg, struct stream *s) { ((struct caller *)arg)->drained++; caller_fill(arg); }
static void caller_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct caller *c = arg;

    for (size_t i = 0; i < n; i++, c->got++)
        must((unsigned char)p[i] == byte_at(c->got));
    if (c->got == c->to_send)
        stream_close_after_flush(s);
}
static void caller_on_close(void *arg, struct stream *s, int err, const char *reason)
{
    struct caller *c = arg;

    c->closed++;
    c->err = err;
    c->s = NULL;
}
static const struct stream_events caller_ev = {
    .on_open = caller_on_open, .on_data = caller_on_data, .on_drain = caller_on_drain,
    .on_close = caller_on_close,
};

static void caller_start(void *arg)
{
    struct caller *c = arg;
    struct stream_connect_opts o = { .addr = "server:1", .ev = &caller_ev, .arg = c };

    must_ok(stream_connect(sim_machine_loop(c->m), &o, &c->s, NULL));
}

struct pair { struct sim *s; struct echo e; struct caller c; };

static void pair_open(struct pair *p, uint64_t seed, size_t bytes)
{
    memset(p, 0, sizeof *p);
    p->s = sim_new(seed);
    p->e = (struct echo){ .sim = p->s, .m = sim_machine_new(p->s, "server") };
    p->c = (struct caller){ .sim = p->s, .m = sim_machine_new(p->s, "client"), .to_send = bytes };
    sim_do(p->e.m, echo_start, &p->e);
    sim_do(p->c.m, caller_start, &p->c);
}

TEST(sim_echo_in_order_with_back_pressure)
{
    long live = mem_live();
    struct pair p;

    pair_open(&p, 1, 3 << 20);
    sim_run_for(p.s, 60000 * MS);
    CHECK_INT(p.c.opened, 1);
    CHECK_INT(p.c.got, 3 << 20);
    CHECK(p.c.drained > 5);
    CHECK_INT(p.c.closed, 1);
    CHECK_INT(p.c.err, 0);
    CHECK_INT(p.e.closed, 1);
    sim_free(p.s);
    CHECK_INT(mem_live(), live);
}

TEST(sim_same_seed_same_run)
{
    uint64_t hash[3];

    for (int i = 0; i < 3; i++) {
        struct pair p;
        pair_open(&p, i < 2 ? 7 : 8, 100000);
        sim_run_for(p.s, 5000 * MS);
        hash[i] = sim_hash(p.s);
        sim_free(p.s);
    }
    CHECK(hash[0] == hash[1]);
    CHECK(hash[0] != hash[2]);
}

TEST(sim_a_reader_that_pauses_holds_its_peer_up)
{
    struct pair p;

    pair_open(&p, 2, 2 << 20);
    p.e.hold = true;
    sim_run_for(p.s, 1000 * MS);
    CHECK_INT(p.c.got, 0);
    CHECK(p.c.sent < (600u << 10));
    sim_free(p.s);
}

TEST(sim_a_cut_link_stalls_and_heals_or_gives_up)
{
    struct pair p;
    struct sim_net_opts cut = { 1000, 2000, 0, true };

    pair_open(&p, 3, 1 << 20);
    sim_run_for(p.s, 1 * MS);
    sim_net_link(p.s, p.e.m, p.c.m, &cut);       /* one way */
    size_t got = p.c.got;
    sim_run_for(p.s, 5000 * MS);
    CHECK_INT(p.c.got, got);
    CHECK_INT(p.c.closed, 0);
    sim_net_heal(p.s);
    sim_run_for(p.s, 10000 * MS);
    CHECK_INT(p.c.got, 1 << 20);
    sim_free(p.s);

    pair_open(&p, 4, 1 << 20);
    sim_run_for(p.s, 2 * MS);
    sim_net_link(p.s, p.c.m, p.e.m, &cut);
    sim_net_link(p.s, p.e.m, p.c.m, &cut);
    sim_run_for(p.s, 40000 * MS);
    CHECK_INT(p.c.closed, 1);
    CHECK_INT(p.c.err, E_TIMEOUT);
    sim_free(p.s);
}

TEST(sim_connect_to_nobody_and_into_the_dark)
{
    struct pair p;
    struct sim_net_opts cut = { 1000, 2000, 0, true };

    pair_open(&p, 5, 10);
    sim_crash(p.e.m);
    sim_run_for(p.s, 20000 * MS);
    CHECK_INT(p.c.closed, 1);
    sim_boot(p.e.m);
    sim_do(p.c.m, caller_start, &p.c);
    sim_run_for(p.s, 100 * MS);
    CHECK_INT(p.c.closed, 2);
    CHECK_INT(p.c.err, E_IO);
    sim_net_default(p.s, &cut);
    sim_do(p.c.m, caller_start, &p.c);
    sim_run_for(p.s, 9000 * MS);
    CHECK_INT(p.c.closed, 2);
    sim_run_for(p.s, 2000 * MS);
    CHECK_INT(p.c.closed, 3);
    CHECK_INT(p.c.err, E_TIMEOUT);
    sim_free(p.s);
}

TEST(sim_a_crash_frees_everything_and_peers_notice)
{
    struct pair p;
    long live = mem_live();

    pair_open(&p, 6, 8 << 20);
    sim_run_for(p.s, 3 * MS);
    CHECK_INT(p.e.accepted, 1);
    CHECK_INT(p.c.closed, 0);
    sim_crash(p.e.m);
    CHECK(!sim_up(p.e.m));
    sim_run_for(p.s, 100 * MS);
    CHECK_INT(p.c.closed, 1);
    CHECK_INT(p.c.err, E_IO);
    CHECK_INT(p.e.closed, 0);                    /* it had no time to say anything */
    sim_free(p.s);
    CHECK_INT(mem_live(), live);
}

static void caller_say(void *arg) { stream_write(((struct caller *)arg)->s, "x", 1); }

/* Who lost power said nothing: its peer learns only when it sends, sooner if the machine is back by then. */
TEST(sim_a_power_cut_leaves_connections_half_open)
{
    for (int back = 0; back < 2; back++) {
        long live = mem_live();
        struct pair p;
        pair_open(&p, 10, 0);
        sim_run_for(p.s, 100 * MS);
        CHECK_INT(p.c.opened, 1);
        sim_power_off(p.e.m);
        sim_run_for(p.s, 60000 * MS);
        if (back)
            sim_boot(p.e.m);
        sim_run_for(p.s, 60000 * MS);
        CHECK_INT(p.c.closed, 0);
        sim_do(p.c.m, caller_say, &p.c);
        sim_run_for(p.s, 10000 * MS);
        CHECK_INT(p.c.closed, back);
        sim_run_for(p.s, 10000 * MS);
        CHECK_INT(p.c.closed, 1);
        CHECK_INT(p.c.err, back ? E_IO : E_TIMEOUT);
        sim_free(p.s);
        CHECK_INT(mem_live(), live);
    }
}

/* ---- timers and clocks ---------------------------------------------------------------------------- */

struct alarm { struct sim *s; struct sim_machine *m; struct timer t; uint64_t rang_at; };
static void alarm_on_ring(struct timer *t)
{
    struct alarm *a = container_of(t, struct alarm, t);
    a->rang_at = sim_now_ns(a->s);
}
static void alarm_start(void *arg)
{
    struct alarm *a = arg;
    timer_init(&a->t, sim_machine_loop(a->m), alarm_on_ring);
    timer_start(&a->t, 1000);
}

TEST(sim_clocks_run_at_their_own_rate)
{
    struct alarm a = { .s = sim_new(9) };

    a.m = sim_machine_new(a.s, "m");
    sim_clock_skew(a.m, 0, 2.0);
    sim_do(a.m, alarm_start, &a);
    sim_run_for(a.s, 2000 * MS);
    CHECK(a.rang_at >= 500 * MS && a.rang_at < 501 * MS);
    sim_clock_skew(a.m, -3600 * 1000000000ll, 0.5);
    uint64_t from = sim_now_ns(a.s);
    sim_do(a.m, alarm_start, &a);
    sim_run_for(a.s, 5000 * MS);
    CHECK(a.rang_at - from >= 2000 * MS && a.rang_at - from < 2001 * MS);
    sim_free(a.s);
}

/* ---- disks ---------------------------------------------------------------------------------------- */

struct writer {
    struct sim_machine *m; struct disk *d; struct disk_file *f; struct disk_op op;
    char *data; size_t n, off; bool sync, create, done; int status;
};
static void writer_on_done(struct disk_op *op, int status)
{
    struct writer *w = container_of(op, struct writer, op);
    w->done = true;
    w->status = status;
}
static void writer_open(void *arg)
{
    struct writer *w = arg;
    must_ok(disk_open(sim_machine_loop(w->m), "data", &w->d, NULL));
    must_ok(disk_file_open(w->d, "log", w->create, &w->f, NULL));
}
static void writer_write(void *arg)
{
    struct writer *w = arg;
    struct disk_vec v = { w->data, w->n };
    w->done = false;
    w->op.done = writer_on_done;
    disk_write(w->f, &w->op, w->off, &v, 1, w->sync);
}
static struct buf found;
static void writer_read_back(void *arg)
{
    struct writer *w = arg;
    writer_open(w);
    buf_clear(&found);
    must_ok(disk_read_now(w->d, "log", &found, NULL));
}

TEST(sim_a_crash_keeps_what_was_synced_and_tears_the_rest)
{
    unsigned lost = 0, kept = 0, torn = 0;

    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct sim *s = sim_new(seed);
        struct writer w = { .m = sim_machine_new(s, "m"), .data = mem_alloc(4096), .n = 4096,
            .create = true };
        sim_do(w.m, writer_open, &w);
        memset(w.data, 'a', 4096);
        w.sync = true;
        sim_do(w.m, writer_write, &w);
        sim_run_for(s, 10 * MS);
        must(w.done && w.status == 0);
        memset(w.data, 'b', 4096);
        w.off = 4096;
        w.sync = false;
        sim_do(w.m, writer_write, &w);
        sim_run_for(s, seed % 2 ? 10 * MS : 0);
        sim_crash(w.m);
        sim_boot(w.m);
        w.create = false;
        sim_do(w.m, writer_read_back, &w);
        must(found.n >= 4096 && found.n <= 8192);
        for (size_t i = 0; i < 4096; i++)
            must(found.p[i] == 'a');
        size_t b = 0;
        for (size_t i = 4096; i < found.n; i++) {
            must(found.p[i] == 'b' || found.p[i] == 0);
            b += found.p[i] == 'b';
        }
        must(b % 512 == 0);
        lost += b == 0;
        kept += b == 4096;
        torn += b > 0 && b < 4096;
        mem_free(w.data);
        found = BUF_INIT;                        /* it was the machine's memory */
        sim_free(s);
    }
    CHECK(lost > 5 && kept > 5 && torn > 5);
}

TEST(sim_disks_fill_up_fail_get_stuck_and_rot)
{
    struct sim *s = sim_new(4);
    struct writer w = { .m = sim_machine_new(s, "m"), .data = mem_zalloc(1000), .n = 1000, .create = true,
        .sync = true };
    struct sim_disk_opts o = { .op_min_ns = MS, .op_max_ns = 2 * MS, .capacity = 1500 };

    sim_disk(w.m, &o);
    sim_do(w.m, writer_open, &w);
    sim_do(w.m, writer_write, &w);
    sim_run_for(s, 3 * MS);
    CHECK(w.done && w.status == 0);
    o.stuck = true;
    sim_disk(w.m, &o);
    sim_do(w.m, writer_write, &w);
    sim_run_for(s, 5000 * MS);
    CHECK(!w.done);
    o.stuck = false;
    sim_disk(w.m, &o);
    sim_run_for(s, 3 * MS);
    CHECK(w.done && w.status == 0);
    w.off = 1000;
    sim_do(w.m, writer_write, &w);
    sim_run_for(s, 3 * MS);
    CHECK(w.done && w.status == E_FULL);
    o.capacity = 0;
    sim_disk(w.m, &o);
    sim_do(w.m, writer_write, &w);
    sim_run_for(s, 3 * MS);
    CHECK(w.done && w.status == E_FULL);         /* poisoned: never as if it had worked */
    sim_crash(w.m);
    CHECK(sim_disk_damage(w.m, "lo", 0, SIM_BIT));
    CHECK(!sim_disk_damage(w.m, "absent", 0, SIM_BIT));
    sim_boot(w.m);
    w.create = false;
    sim_do(w.m, writer_read_back, &w);
    unsigned bits = 0;
    for (size_t i = 0; i < found.n; i++)
        bits += (unsigned)__builtin_popcount((unsigned char)found.p[i]);
    CHECK_INT(bits, 1);
    sim_crash(w.m);
    found = BUF_INIT;                            /* it was the machine's memory */
    sim_boot(w.m);
    w.off = 0;
    o.fail_per_million = 1000000;
    sim_disk(w.m, &o);
    sim_do(w.m, writer_open, &w);
    sim_do(w.m, writer_write, &w);
    sim_run_for(s, 3 * MS);
    CHECK(w.done && w.status == E_IO);
    mem_free(w.data);
    sim_free(s);
}
