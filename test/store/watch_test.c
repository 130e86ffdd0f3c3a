/* test/store/watch_test.c: every event once, in order, none skipped, nobody woken for nothing. */
#include <time.h>
#include "store/watch.h"
#include "test/store/store_rig.h"

struct hub_rig { struct run r; struct watch_hub hub; unsigned wanted; };
struct watcher {
    struct store_watch *w;
    struct str from, to;
    uint64_t tag, after;
    unsigned told;
    uint64_t next_seq;                           /* in the full record: the first event not yet compared */
    bool     lazy;
};

static void on_wanted(void *arg) { ((struct hub_rig *)arg)->wanted++; }
static void on_ready(void *arg, struct store_watch *w) { ((struct watcher *)arg)->told++; }

static void hub_open(struct hub_rig *h, uint64_t history_bytes)
{
    run_init(&h->r, history_bytes);
    watch_hub_init(&h->hub, &h->r.s.log, on_wanted, h);
    h->wanted = 0;
}

static void hub_close(struct hub_rig *h)
{
    watch_hub_release(&h->hub);
    run_release(&h->r);
}

static int watcher_open(struct hub_rig *h, struct watcher *x, const char *from, const char *to, uint64_t tag,
                        uint64_t after)
{
    struct store_watch_opts o = { str_of(from), str_of(to), tag, after, on_ready, x };

    *x = (struct watcher){ .from = str_of(from), .to = str_of(to), .tag = tag, .after = after };
    return watch_hub_open(&h->hub, &o, &x->w);
}

static void offer(struct hub_rig *h, uint64_t from)
{
    watch_hub_events(&h->hub, from, h->r.s.now.rev);
}

static void hub_put(struct hub_rig *h, const char *key, uint64_t tag)
{
    uint64_t from = event_log_end(&h->r.s.log);
    run_put(&h->r, key, "v", tag);
    offer(h, from);
}

static void hub_delete(struct hub_rig *h, const char *key)
{
    uint64_t from = event_log_end(&h->r.s.log);
    run_delete(&h->r, key);
    offer(h, from);
}

/* Expect exactly these keys (space-separated), then silence. */
static void expect(struct watcher *x, const char *keys)
{
    struct str rest = str_of(keys), key;
    struct store_event *e;

    while (rest.n > 0 && str_split(&rest, ' ', &key)) {
        CHECK_INT(store_watch_next(x->w, &e), 0);
        CHECK(str_eq(e->key, key));
    }
    CHECK_INT(store_watch_next(x->w, &e), E_AGAIN);
}

TEST(kinds_of_ranges)
{
    struct hub_rig h;
    struct watcher all, exact, prefix, root, range;

    hub_open(&h, 1 << 20);
    watcher_open(&h, &all, "", "", 0, 0);
    watcher_open(&h, &exact, "/r/pods/a", "", 0, 0);
    watcher_open(&h, &prefix, "/r/pods/", "/r/pods0", 0, 0);
    watcher_open(&h, &root, "/", "0", 0, 0);
    watcher_open(&h, &range, "/r/pods/a", "/r/pods/c", 0, 0);
    hub_put(&h, "/r/pods/a", 0);
    hub_put(&h, "/r/pods/b/x", 0);
    hub_put(&h, "/r/pods/c", 0);
    hub_put(&h, "/r/podsx", 0);
    hub_put(&h, "zzz", 0);
    hub_delete(&h, "/r/pods/a");
    watch_hub_turn(&h.hub);
    CHECK_INT(all.told, 1);
    CHECK_INT(exact.told, 1);
    expect(&all, "/r/pods/a /r/pods/b/x /r/pods/c /r/podsx zzz /r/pods/a");
    expect(&exact, "/r/pods/a /r/pods/a");
    expect(&prefix, "/r/pods/a /r/pods/b/x /r/pods/c /r/pods/a");
    expect(&root, "/r/pods/a /r/pods/b/x /r/pods/c /r/podsx /r/pods/a");
    expect(&range, "/r/pods/a /r/pods/b/x /r/pods/a");
    CHECK_INT(store_watch_seen(exact.w), 6);
    store_watch_close(all.w);
    store_watch_close(exact.w);
    store_watch_close(prefix.w);
    store_watch_close(root.w);
    store_watch_close(range.w);
    hub_close(&h);
}

/* Prefixes that end anywhere, of more lengths than are indexed: all are told, and of nothing else. */
TEST(prefixes_of_any_length)
{
    enum { N = 3 * WATCH_STEMS };
    struct hub_rig h;
    struct watcher x[N], tagged;
    char from[N][N + 2], to[N][N + 2];
    unsigned told = 0;

    hub_open(&h, 1 << 20);
    for (unsigned i = 0; i < N; i++) {
        memset(from[i], 'a', i + 1);
        from[i][i + 1] = '\0';
        memcpy(to[i], from[i], i + 2);
        to[i][i]++;
        must_ok(watcher_open(&h, &x[i], from[i], to[i], 0, 0));
    }
    must_ok(watcher_open(&h, &tagged, "aaa", "aab", 7, 0));
    CHECK_INT(h.hub.n_stems, WATCH_STEMS);
    hub_put(&h, "aaaaa", 0);
    hub_put(&h, "b", 7);
    hub_put(&h, "aab", 7);
    watch_hub_turn(&h.hub);
    for (unsigned i = 0; i < N; i++)
        told += x[i].told;
    CHECK_INT(told, 5);
    for (unsigned i = 0; i < N; i++)
        expect(&x[i], i < 2 ? "aaaaa aab" : i < 5 ? "aaaaa" : "");
    expect(&tagged, "");
    hub_put(&h, "aaaz", 7);
    expect(&tagged, "aaaz");
    for (unsigned i = 0; i < N; i++)
        store_watch_close(x[i].w);
    store_watch_close(tagged.w);
    hub_close(&h);
}

TEST(tags_let_objects_enter_and_leave)
{
    struct hub_rig h;
    struct watcher n1, n2, other;
    struct store_event *e;

    hub_open(&h, 1 << 20);
    watcher_open(&h, &n1, "/pods/", "/pods0", 1, 0);
    watcher_open(&h, &n2, "/pods/", "/pods0", 2, 0);
    watcher_open(&h, &other, "/nodes/", "/nodes0", 1, 0);
    hub_put(&h, "/pods/a", 0);
    watch_hub_turn(&h.hub);
    CHECK_INT(n1.told + n2.told + other.told, 0);
    hub_put(&h, "/pods/a", 1);
    watch_hub_turn(&h.hub);
    CHECK_INT(n1.told, 1);
    expect(&n1, "/pods/a");
    hub_put(&h, "/pods/a", 2);                   /* leaves n1, enters n2 */
    watch_hub_turn(&h.hub);
    CHECK_INT(n1.told, 2);
    CHECK_INT(n2.told, 1);
    CHECK_INT(store_watch_next(n1.w, &e), 0);
    CHECK_INT(e->prev_tag, 1);
    CHECK_INT(e->tag, 2);
    expect(&n1, "");
    expect(&n2, "/pods/a");
    hub_delete(&h, "/pods/a");
    watch_hub_turn(&h.hub);
    CHECK_INT(n1.told, 2);
    expect(&n2, "/pods/a");
    CHECK_INT(other.told, 0);
    CHECK_INT(store_watch_seen(other.w), 4);     /* a bookmark of a watch that matched nothing */
    store_watch_close(n1.w);
    store_watch_close(n2.w);
    store_watch_close(other.w);
    hub_close(&h);
}

TEST(a_watch_from_the_past_and_one_from_the_future)
{
    struct hub_rig h;
    struct watcher past, future;

    hub_open(&h, 1 << 20);
    for (int i = 0; i < 5; i++)
        hub_put(&h, "/k", 0);
    watcher_open(&h, &past, "/k", "", 0, 3);
    watcher_open(&h, &future, "/k", "", 0, 7);
    watch_hub_turn(&h.hub);
    CHECK_INT(past.told, 1);
    CHECK_INT(future.told, 0);
    CHECK_INT(store_watch_seen(past.w), 3);
    expect(&past, "/k /k");
    CHECK_INT(store_watch_seen(past.w), 5);
    for (int i = 0; i < 3; i++)
        hub_put(&h, "/k", 0);
    watch_hub_turn(&h.hub);
    CHECK_INT(store_watch_seen(future.w), 7);
    expect(&future, "/k");
    expect(&past, "/k /k /k");
    store_watch_close(past.w);
    store_watch_close(future.w);
    hub_close(&h);
}

TEST(a_slow_watch_goes_stale_and_stays_so)
{
    struct hub_rig h;
    struct watcher slow, idle, late;
    struct store_event *e;

    hub_open(&h, 5000);
    watcher_open(&h, &slow, "/k", "", 0, 0);
    watcher_open(&h, &idle, "/other", "", 0, 0);
    for (int i = 0; i < 100; i++)
        hub_put(&h, "/k", 0);
    watch_hub_turn(&h.hub);
    CHECK_INT(slow.told, 1);
    event_log_trim(&h.r.s.log, 0, UINT32_MAX);
    CHECK(h.r.s.log.trimmed_rev > 0);
    CHECK_INT(store_watch_next(slow.w, &e), E_STALE);
    CHECK_INT(store_watch_next(slow.w, &e), E_STALE);
    CHECK_INT(store_watch_next(idle.w, &e), E_AGAIN);    /* had nothing to see, so it missed nothing */
    CHECK_INT(store_watch_seen(idle.w), 100);
    CHECK_INT(watcher_open(&h, &late, "/k", "", 0, 3), E_STALE);
    CHECK_INT(watcher_open(&h, &late, "/k", "", 0, h.r.s.log.trimmed_rev), 0);
    store_watch_close(late.w);
    store_watch_close(slow.w);
    store_watch_close(idle.w);
    hub_close(&h);
}

TEST(restored_history_ends_all_watches)
{
    struct hub_rig h;
    struct watcher a, b;
    struct store_event *e;

    hub_open(&h, 1 << 20);
    watcher_open(&h, &a, "/k", "", 0, 0);
    watcher_open(&h, &b, "/", "0", 0, 0);
    hub_put(&h, "/k", 0);
    watch_hub_turn(&h.hub);
    expect(&a, "/k");
    event_log_restart(&h.r.s.log, 50);
    watch_hub_restart(&h.hub, 50);
    a.told = b.told = 0;
    watch_hub_turn(&h.hub);
    CHECK(a.told == 1 && b.told == 1);
    CHECK_INT(store_watch_next(a.w, &e), E_STALE);
    CHECK_INT(store_watch_next(b.w, &e), E_STALE);
    store_watch_close(a.w);
    store_watch_close(b.w);
    hub_close(&h);
}

/* Told in slices: those that do not know it yet do not claim to have seen the new history. */
TEST(a_restart_ends_many_watches_in_slices)
{
    enum { N = STORE_WATCH_PER_TURN + 100 };
    struct hub_rig h;
    struct watcher *x = mem_alloc(N * sizeof *x), late;
    struct store_event *e;
    unsigned told = 0, turns = 0;

    hub_open(&h, 1 << 20);
    for (unsigned i = 0; i < N; i++)
        watcher_open(&h, &x[i], "/k", "", 0, 0);
    hub_put(&h, "/other", 0);
    CHECK_INT(store_watch_seen(x[N - 1].w), 1);
    event_log_restart(&h.r.s.log, 50);
    watch_hub_restart(&h.hub, 50);
    h.r.s.now.rev = 50;
    CHECK_INT(store_watch_seen(x[N - 1].w), 1);
    CHECK_INT(store_watch_next(x[N - 1].w, &e), E_STALE);
    CHECK_INT(watcher_open(&h, &late, "/k", "", 0, 50), 0);
    store_watch_close(x[0].w);                   /* before it was told */
    for (; told < N - 1 && turns < 100; turns++) {
        watch_hub_turn(&h.hub);
        told = 0;
        for (unsigned i = 1; i < N; i++)
            told += x[i].told > 0;
    }
    CHECK(turns > 1 && turns < 100);
    hub_put(&h, "/k", 0);
    watch_hub_turn(&h.hub);
    expect(&late, "/k");
    CHECK_INT(store_watch_seen(x[1].w), 1);
    for (unsigned i = 1; i < N; i++)
        store_watch_close(x[i].w);
    store_watch_close(late.w);
    hub_close(&h);
    mem_free(x);
}

TEST(a_scan_over_foreign_events_takes_several_turns)
{
    struct hub_rig h;
    struct watcher x;
    char   key[32];
    int    turns = 0;

    hub_open(&h, 64 << 20);
    for (unsigned i = 0; i < 5 * STORE_SCAN_PER_WATCH; i++) {
        sprintf(key, "/foreign/%u", i);
        hub_put(&h, key, 0);
    }
    hub_put(&h, "/mine", 0);
    watcher_open(&h, &x, "/mine", "", 0, 0);
    while (x.told == 0 && turns++ < 20) {
        CHECK(h.wanted > 0);
        h.wanted = 0;
        watch_hub_turn(&h.hub);
    }
    CHECK(turns > 4 && turns < 8);
    expect(&x, "/mine");
    store_watch_close(x.w);
    hub_close(&h);
}

static void on_ready_close(void *arg, struct store_watch *w)
{
    struct watcher *x = arg;

    for (int i = 0; i < 8; i++) {                /* one callback closes everybody, itself included */
        store_watch_close(x[i].w);
        x[i].w = NULL;
    }
    x[0].told++;
}

TEST(watches_may_be_closed_from_a_callback)
{
    struct hub_rig h;
    struct watcher x[8] = { { .w = NULL } };

    hub_open(&h, 1 << 20);
    for (int i = 0; i < 8; i++) {
        struct store_watch_opts o = { STR("/"), STR("0"), 0, 0, on_ready_close, x };
        must_ok(watch_hub_open(&h.hub, &o, &x[i].w));
    }
    hub_put(&h, "/k", 0);
    watch_hub_turn(&h.hub);
    CHECK_INT(x[0].told, 1);
    CHECK_INT(h.hub.n, 0);
    hub_close(&h);
}

/* ---- random worlds ------------------------------------------------------------------------------- */

#define RECORD_MAX 4000
struct record { char key[32]; uint64_t rev, tag, prev_tag; };
static struct record record[RECORD_MAX];
static unsigned n_record;

static void note(struct hub_rig *h, uint64_t from)
{
    for (uint64_t p = from; p < event_log_end(&h->r.s.log); p++) {
        const struct store_event *e = &event_log_at(&h->r.s.log, p)->pub;
        struct record *r = &record[n_record++];
        must(n_record < RECORD_MAX);
        snprintf(r->key, sizeof r->key, "%.*s", STR_ARG(e->key));
        r->rev = e->rev;
        r->tag = e->tag;
        r->prev_tag = e->prev_tag;
    }
}

/* By definition, not by index. */
static bool wanted(const struct watcher *x, const struct record *r)
{
    struct str k = str_of(r->key);

    if (r->rev <= x->after || (x->tag != 0 && x->tag != r->tag && x->tag != r->prev_tag))
        return false;
    if (x->to.n == 0)
        return x->from.n == 0 || str_eq(k, x->from);
    return str_cmp(k, x->from) >= 0 && str_cmp(k, x->to) < 0;
}

static void pull(struct watcher *x, unsigned most)
{
    struct store_event *e;

    while (most-- > 0) {
        int rc = store_watch_next(x->w, &e);
        if (rc == E_AGAIN)
            return;
        must(rc == 0);
        while (!wanted(x, &record[x->next_seq]))
            must(++x->next_seq < n_record);      /* else it got what is not there */
        must(str_is(e->key, record[x->next_seq].key));
        must(e->rev == record[x->next_seq].rev);
        x->next_seq++;
    }
}

/* What it claims to have seen, it was given. */
static void check_seen(const struct watcher *x)
{
    uint64_t seen = store_watch_seen(x->w);

    for (uint64_t i = x->next_seq; i < n_record; i++)
        must(!wanted(x, &record[i]) || record[i].rev > seen);
}

static void watcher_random(struct hub_rig *h, struct watcher *x, uint64_t *s)
{
    static const char *const ranges[][2] = {
        { "", "" }, { "/", "0" }, { "/r/", "/r0" }, { "/r/a/", "/r/a0" }, { "/r/b/", "/r/b0" }, { "/r/a/1",
            "" },
        { "/r/b/2", "" }, { "/r/a/2", "/r/b/1" }, { "/r/a", "/r/c" }, { "/x/", "/x0" },
    };
    unsigned i = (unsigned)below(s, ARRAY_LEN(ranges));
    uint64_t after = below(s, 3) ? h->r.s.now.rev : below(s, h->r.s.now.rev + 3);

    must_ok(watcher_open(h, x, ranges[i][0], ranges[i][1], below(s, 2) ? 0 : below(s, 4), after));
    x->lazy = below(s, 3) == 0;
}

static void world(uint64_t seed)
{
    struct hub_rig h;
    struct watcher x[24];
    uint64_t s = seed;

    n_record = 0;
    hub_open(&h, 1 << 24);
    for (unsigned i = 0; i < ARRAY_LEN(x); i++)
        watcher_random(&h, &x[i], &s);
    for (int step = 0; step < 250; step++) {
        for (uint64_t n = below(&s, 4); n > 0; n--) {
            struct store_txn t;
            uint64_t from = event_log_end(&h.r.s.log);
            rig_txn(&t, &s, 4);
            run_txn(&h.r, &t);
            note(&h, from);
            offer(&h, from);
        }
        if (below(&s, 2))
            watch_hub_turn(&h.hub);
        for (unsigned i = 0; i < ARRAY_LEN(x); i++) {
            if (!x[i].lazy || below(&s, 16) == 0)
                pull(&x[i], x[i].lazy ? 1 + (unsigned)below(&s, 5) : UINT32_MAX);
            check_seen(&x[i]);
        }
        if (below(&s, 10) == 0) {
            struct watcher *y = &x[below(&s, ARRAY_LEN(x))];
            store_watch_close(y->w);
            watcher_random(&h, y, &s);
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(x); i++) {
        pull(&x[i], UINT32_MAX);
        for (uint64_t k = x[i].next_seq; k < n_record; k++)
            must(!wanted(&x[i], &record[k]));    /* nothing was kept from it */
        store_watch_close(x[i].w);
    }
    CHECK_INT(h.hub.n, 0);
    hub_close(&h);
}

TEST(every_event_once_in_order_none_skipped)
{
    for (uint64_t seed = 1; seed <= 150; seed++)
        world(seed);
}

TEST(a_parked_watch_is_told_without_asking)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct hub_rig h;
        struct watcher x[16];
        uint64_t s = seed;
        n_record = 0;
        hub_open(&h, 1 << 24);
        for (unsigned i = 0; i < ARRAY_LEN(x); i++)
            watcher_random(&h, &x[i], &s);
        for (int step = 0; step < 60; step++) {
            struct store_txn t;
            uint64_t from = event_log_end(&h.r.s.log);
            unsigned first = n_record;
            rig_txn(&t, &s, 4);
            run_txn(&h.r, &t);
            note(&h, from);
            for (unsigned i = 0; i < ARRAY_LEN(x); i++)
                x[i].told = 0;
            offer(&h, from);
            watch_hub_turn(&h.hub);
            for (unsigned i = 0; i < ARRAY_LEN(x); i++) {
                bool any = false;
                for (unsigned k = first; k < n_record; k++)
                    any |= wanted(&x[i], &record[k]);
                CHECK_INT(x[i].told, any);       /* and nobody in vain */
                pull(&x[i], UINT32_MAX);
            }
        }
        for (unsigned i = 0; i < ARRAY_LEN(x); i++)
            store_watch_close(x[i].w);
        hub_close(&h);
    }
}

TEST(distinct_tags_cost_one_look_up)
{
    enum { WATCHES = 10000, EVENTS = 20000 };
    struct hub_rig h;
    struct watcher *x = mem_zalloc(WATCHES * sizeof *x);
    struct timespec a, b;
    unsigned told = 0;

    hub_open(&h, 256 << 20);
    for (unsigned i = 0; i < WATCHES; i++)
        must_ok(watcher_open(&h, &x[i], "/registry/pods/", "/registry/pods0", i + 1, 0));
    for (unsigned i = 0; i < EVENTS; i++) {
        char key[64];
        sprintf(key, "/registry/pods/default/web-%u", i % 5000);
        run_put(&h.r, key, "v", i % WATCHES + 1);
    }
    clock_gettime(CLOCK_MONOTONIC, &a);
    watch_hub_events(&h.hub, 0, h.r.s.now.rev);
    clock_gettime(CLOCK_MONOTONIC, &b);
    CHECK_INT(h.hub.n_awake, WATCHES);
    for (int turn = 0; turn < 3; turn++)
        watch_hub_turn(&h.hub);
    for (unsigned i = 0; i < WATCHES; i++)
        told += x[i].told;
    CHECK_INT(told, WATCHES);
    fprintf(stderr, "  %d watches on distinct tags: %.2f us per event\n", WATCHES,
            ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / EVENTS / 1e3);
    for (unsigned i = 0; i < WATCHES; i++)
        store_watch_close(x[i].w);
    hub_close(&h);
    mem_free(x);
}
