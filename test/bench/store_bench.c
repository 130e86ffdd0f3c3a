/* test/bench/store_bench.c: the store's figures, measured through Raft on real files, as a Markdown table.
 *
 *     make build/test/bench/store_bench && build/test/bench/store_bench [--rows] [--dir DIR] [part...]
 *
 * Parts: write (3 members, each a process), keys, watches, leases (one member).  SECONDS_EACH (5) is how long
 * each load lasts, SCALE (1) divides the sizes for a quick look.  --rows: only the rows, for run.sh. */
#include <stdarg.h>
#include <sys/stat.h>
#include "test/bench/store_bench_heads.h"

#define IN_FLIGHT_MAX 4096
#define MS            1000000ull

static struct bench { double seconds; unsigned scale; const char *dir; } bench = { .seconds = 5, .scale = 1 };

static void row(const char *what, const char *target, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void row(const char *what, const char *target, const char *fmt, ...)
{
    va_list ap;

    printf("| %s | %s | ", what, target);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf(" |\n");
    fflush(stdout);
}

static double mb(uint64_t bytes) { return (double)bytes / 1e6; }
static double ms(uint64_t ns) { return (double)ns / 1e6; }

/* ---- running the loop until something holds ------------------------------------------------------ */

struct until { struct timer timer; struct loop *loop; bool (*is)(void *arg); void *arg; };

static void until_on_timer(struct timer *t)
{
    struct until *u = container_of(t, struct until, timer);

    if (u->is(u->arg))
        loop_stop(u->loop);
    else
        timer_start(t, 2);
}

static void run_until(struct loop *l, bool (*is)(void *arg), void *arg)
{
    struct until u = { .loop = l, .is = is, .arg = arg };

    if (is(arg))
        return;
    timer_init(&u.timer, l, until_on_timer);
    timer_start(&u.timer, 2);
    loop_run(l);
}

struct pause { struct loop *loop; uint64_t due_ns; };
static bool pause_is_over(void *arg)
{
    struct pause *p = arg;
    return loop_hires_ns(p->loop) >= p->due_ns;
}

static void pause_ms(struct loop *l, uint64_t ms)
{
    run_until(l, pause_is_over, &(struct pause){ l, loop_hires_ns(l) + ms * MS });
}

static bool all_are_there(void *arg)
{
    struct heads *h = arg;
    struct raft_status st;
    unsigned up = 0;

    raft_status(store_raft(h->me.store), &st);
    for (unsigned i = 0; i < st.n_heads; i++)
        up += st.head[i].connected && st.head[i].lag == 0;
    return up == h->n && st.leader != 0;
}

static bool is_leading(void *arg) { return ((struct heads *)arg)->me.leading; }

static void lead_on_answer(struct raft_change *c, int err, const char *reason, uint64_t id)
{
    if (err != 0) {
        fprintf(stderr, "store_bench: member %llu leads, and goes on: %s\n", (unsigned long long)id, reason);
        exit(1);
    }
}

/* The first election may be another's: it hands over to the member that is measured. */
static void lead(struct heads *h)
{
    struct raft_change_spec me = { .op = RAFT_TRANSFER, .id = 1 };
    struct raft_change c = { .done = lead_on_answer };
    struct raft_status st;

    run_until(h->me.loop, all_are_there, h);
    raft_status(store_raft(h->me.store), &st);
    if (!st.is_leader)
        raft_change(store_raft(h->me.store), &c, &me);
    run_until(h->me.loop, is_leading, h);
    pause_ms(h->me.loop, 100);                   /* c is answered */
}

/* ---- closed loops of writes ---------------------------------------------------------------------- */

struct writer { struct store_commit c; struct load *load; uint64_t began; };
struct load {
    struct heads *h;
    struct writer writer[IN_FLIGHT_MAX];
    void (*txn)(struct load *l, struct store_txn *t);    /* the next write */
    uint64_t at, left, end_ns, failed;
    unsigned running;
    uint64_t pace_ns;                            /* 0: as fast as it goes; else one writer's pause */
    struct histogram quiet, busy;                /* latencies; busy: while a snapshot was being written */
    uint32_t *sample; size_t n_samples, cap_samples;
    char value[4096];
};

static void writer_start(struct writer *w)
{
    struct store_txn t;

    store_txn_init(&t);
    w->load->txn(w->load, &t);
    w->load->left--;
    w->load->at++;
    w->began = loop_hires_ns(w->load->h->me.loop);
    store_commit(w->load->h->me.store, &w->c, &t);
    store_txn_release(&t);
}

static bool snapshot_is_written(struct heads *h)
{
    struct raft_status st;

    raft_status(store_raft(h->me.store), &st);
    return st.snapshot_writing;
}

static void writer_on_done(struct store_commit *c, int err)
{
    struct writer *w = container_of(c, struct writer, c);
    struct load *l = w->load;
    uint64_t now = loop_hires_ns(l->h->me.loop), took = now - w->began;

    l->failed += err != 0;
    if (l->n_samples < l->cap_samples)
        l->sample[l->n_samples++] = (uint32_t)MIN_OF(took / 100, (uint64_t)UINT32_MAX);
    if (l->pace_ns > 0)
        histogram_add(snapshot_is_written(l->h) ? &l->busy : &l->quiet, took);
    if (l->left > 0 && now < l->end_ns)
        writer_start(w);
    else if (--l->running == 0)
        loop_stop(l->h->me.loop);
}

struct load_opts { unsigned in_flight; uint64_t n; double seconds; };

/* n writes, or as many as take so long. */
static void load_run(struct load *l, struct load_opts o)
{
    struct loop *loop = l->h->me.loop;

    must(o.in_flight <= IN_FLIGHT_MAX);
    l->left = o.n > 0 ? o.n : UINT64_MAX;
    l->end_ns = o.seconds > 0 ? loop_hires_ns(loop) + (uint64_t)(o.seconds * 1e9) : UINT64_MAX;
    l->n_samples = 0;
    l->running = (unsigned)MIN_OF(o.in_flight, l->left);
    for (unsigned i = 0, n = l->running; i < n; i++) {
        l->writer[i] = (struct writer){ .load = l };
        l->writer[i].c.done = writer_on_done;
        writer_start(&l->writer[i]);
    }
    loop_run(loop);
    must(l->running == 0);
    if (l->failed > 0)
        fprintf(stderr, "store_bench: %llu writes failed\n", (unsigned long long)l->failed);
}

static struct load *load_new(struct heads *h, void (*txn)(struct load *l, struct store_txn *t))
{
    struct load *l = mem_new(struct load);

    l->h = h;
    l->txn = txn;
    l->cap_samples = 8u << 20;
    l->sample = mem_alloc(l->cap_samples * sizeof *l->sample);
    memset(l->value, 'v', sizeof l->value);
    return l;
}

static void load_free(struct load *l)
{
    mem_free(l->sample);
    mem_free(l);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double load_percentile_ms(struct load *l, double q)
{
    qsort(l->sample, l->n_samples, sizeof *l->sample, by_size);
    return l->n_samples > 0 ? l->sample[(size_t)((double)(l->n_samples - 1) * q)] / 1e4 : 0;
}

/* ---- write: durable writes, three members -------------------------------------------------------- */

/* 380 bytes of key and value, over 100,000 keys in an order without pattern. */
static void write_txn(struct load *l, struct store_txn *t)
{
    char key[40];
    int n = snprintf(key, sizeof key, "/registry/bench/%08llx",
                     (unsigned long long)(l->at * 2654435761u % 100000));

    store_txn_put(t, str_make(key, (size_t)n), str_make(l->value, 380 - (size_t)n), STORE_NO_REV, 0, 0);
}

static void write_with(struct heads *h, struct load *l, unsigned in_flight, const char *target)
{
    char what[100], name[32] = "";
    struct figures before[HEADS], after[HEADS];
    struct raft_status a, b;
    uint64_t cpu = 0, longest = 0, at = l->at, began;

    raft_status(store_raft(h->me.store), &a);
    for (unsigned i = 0; i < h->n; i++)
        before[i] = heads_figures(h, i);
    began = loop_hires_ns(h->me.loop);
    load_run(l, (struct load_opts){ .in_flight = in_flight, .seconds = bench.seconds });
    double took = (double)(loop_hires_ns(h->me.loop) - began) / 1e9, n = (double)(l->at - at);
    for (unsigned i = 0; i < h->n; i++) {
        after[i] = heads_figures(h, i);
        cpu += after[i].cpu_ns - before[i].cpu_ns;
        longest = MAX_OF(longest, after[i].longest_ns);
    }
    raft_status(store_raft(h->me.store), &b);
    if (in_flight > 1)
        snprintf(name, sizeof name, ", %u in flight", in_flight);
    snprintf(what, sizeof what, "durable 380-byte writes, %u members%s", h->n,
             in_flight > 1 ? name : ", one at a time");
    double p50 = load_percentile_ms(l, 0.5), p99 = load_percentile_ms(l, 0.99);
    row(what, target, "%.0f/s, p50 %.2f ms, p99 %.2f ms; %.1f µs of CPU each (all members and client), "
        "%.1f writes a sync, longest slice %.1f ms", n / took, p50, p99, (double)cpu / 1e3 / n,
        n / (double)MAX_OF(b.fsyncs - a.fsyncs, 1), ms(longest));
}

static void part_write(void)
{
    struct heads h;
    struct load *l;

    heads_open(&h, 3, bench.dir, "write");
    lead(&h);
    l = load_new(&h, write_txn);
    write_with(&h, l, 1, "p50 ≤ 0.25 ms");
    write_with(&h, l, 64, "");
    write_with(&h, l, 1000, "≥ 200,000/s, p99 ≤ 5 ms");
    load_free(l);
    heads_close(&h);
}

/* ---- keys: a million of them --------------------------------------------------------------------- */

static void keys_txn(struct load *l, struct store_txn *t)
{
    char key[48];
    int n = snprintf(key, sizeof key, "/registry/pods/ns-%03llu/%07llu", (unsigned long long)(l->at % 997),
                     (unsigned long long)l->at);

    store_txn_put(t, str_make(key, (size_t)n), str_make(l->value, 300), STORE_NO_REV, 0, 0);
}

static bool no_snapshot(void *arg) { return !snapshot_is_written(arg); }

static void keys_restart(struct heads *h)
{
    uint64_t began, opened;

    member_close(&h->me);
    began = loop_hires_ns(h->me.loop);
    member_open(h, &h->me, 0);
    opened = loop_hires_ns(h->me.loop);
    run_until(h->me.loop, is_leading, h);
    loop_longest_turn_ns(h->me.loop, true);
    row("restart with them to serving", "≤ 1 s", "%.2f s, of that %.2f s reading files",
        (double)(loop_hires_ns(h->me.loop) - began) / 1e9, (double)(opened - began) / 1e9);
}

/* Writes go on at one pace; those that end while a snapshot is being written are counted apart. */
static void keys_snapshot(struct heads *h, struct load *l)
{
    l->pace_ns = 1;
    l->txn = write_txn;
    loop_longest_turn_ns(h->me.loop, true);
    for (unsigned i = 0; i < 40 / bench.scale && histogram_count(&l->busy) < 5000; i++)
        load_run(l, (struct load_opts){ .in_flight = 16, .n = 20000 });
    row("16 writers: p99 without and with a snapshot being written", "adds ≤ 2 ms",
        "%.2f ms and %.2f ms (%llu writes meanwhile); longest slice %.1f ms",
        ms(histogram_quantile_ns(&l->quiet, 0.99)), ms(histogram_quantile_ns(&l->busy, 0.99)),
        (unsigned long long)histogram_count(&l->busy), ms(loop_longest_turn_ns(h->me.loop, true)));
}

static void part_keys(void)
{
    struct heads h;
    struct load *l;
    struct store_stats st;
    struct figures empty, full;

    heads_open(&h, 1, bench.dir, "keys");
    run_until(h.me.loop, is_leading, &h);
    l = load_new(&h, keys_txn);
    empty = heads_figures(&h, 0);
    load_run(l, (struct load_opts){ .in_flight = 1000, .n = 1000000 / bench.scale });
    run_until(h.me.loop, no_snapshot, &h);
    full = heads_figures(&h, 0);
    store_stats(h.me.store, &st);
    pause_ms(h.me.loop, 5000);
    row("1,000,000 keys of 300 bytes: memory", "≤ 500 MB",
        "%.0f MB with %.0f MB of history, %.0f MB right after the load; longest slice %.1f ms",
        mb(heads_figures(&h, 0).rss - empty.rss), mb(st.event_bytes), mb(full.rss - empty.rss),
        ms(full.longest_ns));
    keys_snapshot(&h, l);
    keys_restart(&h);
    pause_ms(h.me.loop, 5000);
    row("memory after the restart", "≤ 500 MB", "%.0f MB",
        mb(heads_figures(&h, 0).rss - empty.rss));
    load_free(l);
    heads_close(&h);
}

/* ---- watches ------------------------------------------------------------------------------------- */

struct fan { struct heads *h; uint64_t told, want, last_ns; };

static void fan_on_ready(void *arg, struct store_watch *w)
{
    struct fan *f = arg;
    struct store_event *e;

    while (store_watch_next(w, &e) == 0) {
        if (e->frame[0] == NULL)                 /* one encoding for all */
            e->frame[0] = blob_copy(blob_str(e->value));
        f->told++;
    }
    f->last_ns = loop_hires_ns(f->h->me.loop);
}

static bool fan_is_told(void *arg) { return ((struct fan *)arg)->told >= ((struct fan *)arg)->want; }

static struct store_watch *watch_open(struct fan *f, const char *prefix, uint64_t tag)
{
    struct store_watch_opts o = { .on_ready = fan_on_ready, .arg = f, .tag = tag,
                                  .after_rev = store_revision(f->h->me.store) };
    struct arena a;
    struct store_watch *w;

    arena_init(&a);
    o.from = str_of(prefix);
    o.to = store_prefix_end(&a, o.from);
    must_ok(store_watch_open(f->h->me.store, &o, &w));
    arena_release(&a);
    return w;
}

struct fan_put { struct store_commit c; struct fan *f; uint64_t done_ns; };

static void fan_on_put(struct store_commit *c, int err)
{
    struct fan_put *p = container_of(c, struct fan_put, c);

    must(err == 0);
    p->done_ns = loop_hires_ns(p->f->h->me.loop);
}

/* From the write's answer to the last of `want` watches that were told. */
static uint64_t fan_out(struct fan *f, const char *key, uint64_t tag, uint64_t want)
{
    struct fan_put p = { .c = { .done = fan_on_put }, .f = f };
    char value[2000];
    struct store_txn t;

    memset(value, 'x', sizeof value);
    f->told = 0;
    f->want = want;
    store_txn_init(&t);
    store_txn_put(&t, str_of(key), str_make(value, sizeof value), STORE_NO_REV, tag, 0);
    store_commit(f->h->me.store, &p.c, &t);
    store_txn_release(&t);
    run_until(f->h->me.loop, fan_is_told, f);
    must(f->told == want);
    return f->last_ns > p.done_ns ? f->last_ns - p.done_ns : 0;
}

static void close_all(struct store_watch **w, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        store_watch_close(w[i]);
}

static void part_watches(void)
{
    uint64_t n = 1000000 / bench.scale, fan = 10000, took;
    struct store_watch **w = mem_alloc(MAX_OF(n, fan) * sizeof *w);
    struct heads h;
    struct fan f = { .h = &h };
    char prefix[64];

    heads_open(&h, 1, bench.dir, "watches");
    run_until(h.me.loop, is_leading, &h);
    memset(w, 0, n * sizeof *w);
    uint64_t rss = heads_figures(&h, 0).rss;
    for (uint64_t i = 0; i < n; i++) {
        snprintf(prefix, sizeof prefix, "/registry/pods/namespace-%05llu/", (unsigned long long)(i % 10000));
        w[i] = watch_open(&f, prefix, i % 2 == 0 ? 0 : 1 + i);
    }
    rss = heads_figures(&h, 0).rss - rss;
    took = fan_out(&f, "/registry/pods/namespace-00042/a", 0, MAX_OF(n / 10000, 1));
    row("1,000,000 open watches (10,000 prefixes, half of them by tag)", "≤ 256 MB",
        "%.0f MB, %.0f bytes each; an event for %llu of them took %.2f ms", mb(rss), (double)rss / (double)n,
        (unsigned long long)f.want, ms(took));
    close_all(w, n);
    for (uint64_t i = 0; i < fan; i++)
        w[i] = watch_open(&f, "/registry/pods/", 0);
    loop_longest_turn_ns(h.me.loop, true);
    took = fan_out(&f, "/registry/pods/a/b", 0, fan);
    row("one event to 10,000 watches", "≤ 100 ms, one encoding", "%.2f ms; longest slice %.1f ms", ms(took),
        ms(loop_longest_turn_ns(h.me.loop, true)));
    close_all(w, fan);
    mem_free(w);
    heads_close(&h);
}

/* ---- leases -------------------------------------------------------------------------------------- */

#define GRANTS 100                               /* in one transaction */
#define TTL_MS 600000

static void grants_txn(struct load *l, struct store_txn *t)
{
    for (uint64_t i = 0; i < GRANTS; i++)
        store_txn_lease_grant(t, 1 + l->at * GRANTS + i, TTL_MS);
}

struct renewals {
    struct heads *h;
    struct timer timer;
    uint64_t n_leases, done, failed, asked, end_ns, began_ns;
};

static void renewal_on_done(void *arg, int err, uint64_t ttl_ms)
{
    struct renewals *r = arg;

    r->failed += err != 0 || ttl_ms != TTL_MS;
    r->done++;
}

/* Every millisecond as many as the rate has them due. */
static void renewals_on_timer(struct timer *t)
{
    struct renewals *r = container_of(t, struct renewals, timer);
    uint64_t now = loop_hires_ns(r->h->me.loop), due = (now - r->began_ns) / 20000;

    for (; r->asked < due; r->asked++)
        store_lease_keep_alive(r->h->me.store, 1 + r->asked * 7919 % r->n_leases, renewal_on_done, r);
    if (now < r->end_ns)
        timer_start(t, 1);
    else
        loop_stop(r->h->me.loop);
}

static void leases_renew(struct heads *h, uint64_t n)
{
    struct renewals r = { .h = h, .n_leases = n, .began_ns = loop_hires_ns(h->me.loop) };
    struct figures before = heads_figures(h, 0), after;

    r.end_ns = r.began_ns + (uint64_t)(bench.seconds * 1e9);
    timer_init(&r.timer, h->me.loop, renewals_on_timer);
    timer_start(&r.timer, 1);
    loop_run(h->me.loop);
    pause_ms(h->me.loop, 100);
    after = heads_figures(h, 0);
    double took = (double)(r.end_ns - r.began_ns) / 1e9;
    row("50,000 lease renewals/s with 1,000,000 leases", "one core",
        "%.0f/s (%llu failed) with %.0f %% of a core; longest slice %.1f ms", (double)r.done / took,
        (unsigned long long)r.failed, (double)(after.cpu_ns - before.cpu_ns) / 1e9 / took * 100,
        ms(after.longest_ns));
}

#define EXPIRY_STEP 100                          /* one of so many is looked at */
struct expiries { struct heads *h; uint64_t n, due_ns[20000], gone, early, late_ns; };

static bool expiries_are_over(void *arg)
{
    struct expiries *e = arg;
    uint64_t now = loop_hires_ns(e->h->me.loop), ttl, left;

    for (uint64_t i = 0; i < e->n; i += EXPIRY_STEP) {
        if (e->due_ns[i] == 0 || store_lease_get(e->h->me.store, 2000000 + i, &ttl, &left))
            continue;
        e->early += now < e->due_ns[i];
        e->late_ns = MAX_OF(e->late_ns, now - MIN_OF(now, e->due_ns[i]));
        e->due_ns[i] = 0;
        e->gone++;
    }
    return e->gone == e->n / EXPIRY_STEP;
}

static struct expiries expiries;
static void expiring_txn(struct load *l, struct store_txn *t)
{
    for (uint64_t i = 0; i < GRANTS; i++) {
        uint64_t ttl = 2000 + (l->at * GRANTS + i) % 1000, n = l->at * GRANTS + i;
        store_txn_lease_grant(t, 2000000 + n, ttl);
        expiries.due_ns[n] = loop_hires_ns(l->h->me.loop) + ttl * MS;
    }
}

static void leases_expire(struct heads *h, struct load *l)
{
    expiries = (struct expiries){ .h = h, .n = ARRAY_LEN(expiries.due_ns) };
    l->txn = expiring_txn;
    l->at = 0;
    load_run(l, (struct load_opts){ .in_flight = 8, .n = expiries.n / GRANTS });
    run_until(h->me.loop, expiries_are_over, &expiries);
    row("20,000 of them expire within a second", "≤ 1 s late, never early",
        "%.2f s late at most, %llu early; longest slice %.1f ms", (double)expiries.late_ns / 1e9,
        (unsigned long long)expiries.early, ms(loop_longest_turn_ns(h->me.loop, true)));
}

static void part_leases(void)
{
    uint64_t n = 1000000 / bench.scale;
    struct heads h;
    struct load *l;
    uint64_t rss;

    heads_open(&h, 1, bench.dir, "leases");
    run_until(h.me.loop, is_leading, &h);
    l = load_new(&h, grants_txn);
    rss = heads_figures(&h, 0).rss;
    load_run(l, (struct load_opts){ .in_flight = 16, .n = n / GRANTS });
    struct figures f = heads_figures(&h, 0);
    row("1,000,000 live leases", "", "%.0f bytes each; longest slice while granting them %.1f ms",
        (double)(f.rss - rss) / (double)n, ms(f.longest_ns));
    leases_renew(&h, n);
    leases_expire(&h, l);
    load_free(l);
    heads_close(&h);
}

/* ---- main ---------------------------------------------------------------------------------------- */

static const struct { const char *name; void (*run)(void); } parts[] = {
    { "write", part_write }, { "keys", part_keys }, { "watches", part_watches }, { "leases", part_leases },
};

/* Each part in a process of its own: what one leaves in the allocator is no concern of the next. */
static int part_run(size_t i)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        parts[i].run();
        exit(0);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    const char *under = NULL;
    char dir[300], command[400];
    bool rows = false;
    int first, rc = 0;

    for (first = 1; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
        rows |= strcmp(argv[first], "--rows") == 0;
        if (strcmp(argv[first], "--dir") == 0 && first + 1 < argc)
            under = argv[++first];
    }
    if (under == NULL)
        under = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/var/tmp";
    snprintf(dir, sizeof dir, "%s/store-bench-XXXXXX", under);
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return 1;
    }
    bench.dir = dir;
    if (getenv("SECONDS_EACH") != NULL)
        bench.seconds = atof(getenv("SECONDS_EACH"));
    if (getenv("SCALE") != NULL)
        bench.scale = (unsigned)MAX_OF(atoi(getenv("SCALE")), 1);
    log_level = LOG_NONE;
    if (!rows)
        printf("| what | target | measured |\n| --- | --- | --- |\n");
    fflush(stdout);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        bool wanted = first == argc;
        for (int a = first; a < argc; a++)
            wanted |= strcmp(argv[a], parts[i].name) == 0;
        if (wanted)
            rc |= part_run(i);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) == 0 ? rc : 1;
}
