/* test/store/state_test.c: transactions decide alike everywhere, results and events tell what happened, the
 * past can be rebuilt, hostile commands are refused as a whole. */
#include <time.h>
#include "test/store/store_rig.h"

TEST(put_get_delete_and_revisions)
{
    struct run r;
    struct store_txn t;

    run_init(&r, 1 << 20);
    store_txn_init(&t);
    store_txn_put(&t, STR("/a"), STR("{rev:\"\",x}"), 6, 7, 0);
    run_txn(&r, &t);
    CHECK_INT(r.r.err, 0);
    CHECK(r.r.succeeded);
    CHECK_INT(r.r.rev, 1);
    CHECK_STR(blob_str(r.r.op[0].kv.value), "{rev:\"1\",x}");
    CHECK_INT(r.r.op[0].kv.create_rev, 1);
    CHECK(!r.r.op[0].found);
    for (int i = 2; i <= 10; i++)
        CHECK_INT(run_put(&r, "/a", "v", 3), i);
    store_txn_init(&t);
    store_txn_delete(&t, STR("/a"), STR("gone at "), 8);
    store_txn_delete(&t, STR("/absent"), STR_NONE, STORE_NO_REV);
    run_txn(&r, &t);
    CHECK_INT(r.r.rev, 11);
    CHECK(r.r.op[0].found && !r.r.op[1].found);
    CHECK_STR(blob_str(r.r.op[0].kv.value), "gone at 11");
    CHECK_INT(r.r.op[0].kv.mod_rev, 11);
    CHECK_INT(r.r.op[0].kv.version, 10);
    const struct store_event *e = &event_log_at(&r.s.log, event_log_end(&r.s.log) - 1)->pub;
    CHECK_INT(e->type, STORE_DELETE);
    CHECK_STR(blob_str(e->value), "gone at 11");
    CHECK_STR(blob_str(e->prev), "v");
    CHECK_INT(e->prev_tag, 3);
    CHECK_INT(run_delete(&r, "/a"), 11);         /* changed nothing: no revision used */
    CHECK_INT(btree_len(&r.s.now.keys), 0);
    CHECK_INT(r.s.now.bytes, 0);
    run_release(&r);
}

static bool holds(struct run *r, enum store_target target, enum store_relation rel, uint64_t value)
{
    struct store_txn t;

    store_txn_init(&t);
    store_txn_if(&t, STR("/k"), target, rel, value);
    store_txn_get(&t, STR("/k"));
    store_txn_else(&t);
    return run_txn(r, &t)->succeeded;
}

static bool holds_value(struct run *r, enum store_relation rel, struct str value)
{
    struct store_txn t;

    store_txn_init(&t);
    store_txn_if_value(&t, STR("/k"), rel, value);
    return run_txn(r, &t)->succeeded;
}

TEST(compares)
{
    struct run r;

    run_init(&r, 1 << 20);
    CHECK(holds(&r, STORE_MOD, STORE_EQ, 0));
    CHECK(!holds(&r, STORE_CREATE, STORE_GT, 0));
    CHECK(!holds_value(&r, STORE_NE, STR("x")));
    run_put(&r, "/other", "o", 0);
    run_put(&r, "/k", "b", 0);
    run_put(&r, "/k", "b", 0);
    CHECK(holds(&r, STORE_MOD, STORE_EQ, 3));
    CHECK(holds(&r, STORE_CREATE, STORE_EQ, 2));
    CHECK(holds(&r, STORE_VERSION, STORE_LT, 3));
    CHECK(!holds(&r, STORE_VERSION, STORE_NE, 2));
    CHECK(holds(&r, STORE_LEASE, STORE_EQ, 0));
    CHECK(holds_value(&r, STORE_EQ, STR("b")));
    CHECK(holds_value(&r, STORE_GT, STR("a")));
    CHECK(holds_value(&r, STORE_LT, STR("bb")));
    CHECK_INT(r.s.now.rev, 3);
    run_release(&r);
}

TEST(a_compare_and_swap_loses_to_a_newer_write)
{
    struct run r;
    struct store_txn t;

    run_init(&r, 1 << 20);
    run_put(&r, "/k", "1", 0);
    run_put(&r, "/k", "2", 0);
    store_txn_init(&t);
    store_txn_if(&t, STR("/k"), STORE_MOD, STORE_EQ, 1);
    store_txn_put(&t, STR("/k"), STR("stale"), STORE_NO_REV, 0, 0);
    store_txn_else(&t);
    store_txn_get(&t, STR("/k"));
    run_txn(&r, &t);
    CHECK(!r.r.succeeded);
    CHECK_INT(r.r.n_op, 1);
    CHECK_STR(blob_str(r.r.op[0].kv.value), "2");
    CHECK_INT(r.r.rev, 2);
    run_release(&r);
}

TEST(leases_take_their_keys_along)
{
    struct run r;
    struct store_txn t;
    struct image_lease l;

    run_init(&r, 1 << 20);
    store_txn_init(&t);
    store_txn_lease_grant(&t, 5, 1000);
    store_txn_lease_grant(&t, 0, 2000);
    store_txn_put(&t, STR("/a"), STR("1"), STORE_NO_REV, 0, 5);
    store_txn_put(&t, STR("/b"), STR("2"), STORE_NO_REV, 0, 5);
    store_txn_put(&t, STR("/c"), STR("3"), STORE_NO_REV, 0, 5);
    run_txn(&r, &t);
    CHECK_INT(r.r.err, 0);
    CHECK_INT(r.r.op[1].lease, 1);
    CHECK_INT(r.s.now.n_leases, 2);
    run_put(&r, "/b", "no lease now", 0);
    CHECK_INT(image_lease_keys(&r.s.now, 5), 2);
    image_check(&r.s.now);
    store_txn_init(&t);
    txn_lease_touch(&t, 5);
    run_txn(&r, &t);
    store_txn_init(&t);                          /* found expired before the touch */
    txn_lease_expire(&t, 5, 0, 0);
    run_txn(&r, &t);
    CHECK(image_lease_get(&r.s.now, 5, &l) && l.touches == 1);
    store_txn_init(&t);
    txn_lease_epoch(&t, 9);
    txn_lease_expire(&t, 5, 1, 8);               /* by an older leader */
    run_txn(&r, &t);
    CHECK(image_lease_get(&r.s.now, 5, &l));
    store_txn_init(&t);
    txn_lease_expire(&t, 5, 1, 9);
    run_txn(&r, &t);
    CHECK(!image_lease_get(&r.s.now, 5, &l));
    CHECK_INT(r.r.op[0].deleted, 2);
    CHECK_INT(btree_len(&r.s.now.keys), 1);
    image_check(&r.s.now);
    run_release(&r);
}

TEST(refusals_leave_no_trace)
{
    struct run r;
    struct store_txn t;
    char buf[32];

    run_init(&r, 64 << 20);
    store_txn_init(&t);
    store_txn_lease_grant(&t, 1, 1000);
    run_txn(&r, &t);
    run_put(&r, "/x", "x", 0);
    uint64_t before = image_hash(&r.s.now, true);

    store_txn_init(&t);
    store_txn_put(&t, STR("/a"), STR("1"), STORE_NO_REV, 0, 0);
    store_txn_put(&t, STR("/b"), STR("1"), STORE_NO_REV, 0, 77);
    CHECK_INT(run_txn(&r, &t)->err, E_NOTFOUND);
    store_txn_init(&t);
    store_txn_put(&t, STR("/a"), STR("1"), STORE_NO_REV, 0, 0);
    store_txn_lease_revoke(&t, 1);
    store_txn_put(&t, STR("/b"), STR("1"), STORE_NO_REV, 0, 1);
    CHECK_INT(run_txn(&r, &t)->err, E_NOTFOUND);
    store_txn_init(&t);
    store_txn_put(&t, STR("/a"), STR("1"), STORE_NO_REV, 0, 0);
    store_txn_lease_grant(&t, 1, 5);
    CHECK_INT(run_txn(&r, &t)->err, E_EXISTS);
    store_txn_init(&t);
    store_txn_put(&t, STR(""), STR("1"), STORE_NO_REV, 0, 0);
    CHECK_INT(run_txn(&r, &t)->err, E_INVALID);
    CHECK_INT(r.s.now.rev, 1);
    CHECK(image_hash(&r.s.now, true) == before);

    store_txn_init(&t);
    for (unsigned i = 0; i <= STORE_MAX_OPS; i++)
        store_txn_get(&t, STR("/a"));
    struct str command;
    CHECK_INT(txn_command(&t, &command), E_TOOBIG);
    store_txn_release(&t);

    for (unsigned i = 0; i <= STORE_MAX_TXN_EVENTS; i++) {
        sprintf(buf, "/many/%u", i);
        run_put(&r, buf, "", 0);
    }
    before = r.s.now.rev;
    store_txn_init(&t);
    store_txn_delete_range(&t, STR("/many/"), STR("/many0"));
    CHECK_INT(run_txn(&r, &t)->err, E_TOOBIG);
    CHECK_INT(r.s.now.rev, before);
    run_delete(&r, "/many/0");
    store_txn_init(&t);
    store_txn_delete_range(&t, STR("/many/"), STR("/many0"));
    CHECK_INT(run_txn(&r, &t)->op[0].deleted, STORE_MAX_TXN_EVENTS);
    run_release(&r);
}

TEST(two_heads_decide_alike)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct run a, b;
        uint64_t s = seed;
        run_init(&a, 1 << 14);
        run_init(&b, 1 << 20);
        for (int i = 0; i < 120; i++) {
            struct store_txn t;
            struct str command;
            rig_txn(&t, &s, 12);
            must_ok(txn_command(&t, &command));
            /* clocks, history and results differ, the decision does not */
            b.now_ns = dice(&s) >> 8;
            state_apply(&b.s, command, b.now_ns, NULL, NULL);
            run_txn(&a, &t);
            if (below(&s, 8) == 0)
                event_log_trim(&a.s.log, a.now_ns, 5);
        }
        image_check(&a.s.now);
        CHECK(image_hash(&a.s.now, true) == image_hash(&b.s.now, true));
        run_release(&a);
        run_release(&b);
    }
}

/* ---- the past ------------------------------------------------------------------------------------ */

TEST(pins_of_the_past_equal_what_was)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        enum { N = 200 };
        struct run r;
        uint64_t s = seed, hash[N + 1];
        run_init(&r, 1 << 20);
        hash[0] = image_hash(&r.s.now, false);
        while (r.s.now.rev < N) {
            struct store_txn t;
            rig_txn(&t, &s, 10);
            run_txn(&r, &t);
            hash[r.s.now.rev] = image_hash(&r.s.now, false);
        }
        uint64_t present = image_hash(&r.s.now, true);
        event_log_trim(&r.s.log, 0, 0);
        for (uint64_t rev = 0; rev <= N; rev++) {
            struct image m;
            must_ok(state_rewind(&r.s, &r.s.now, rev, &m));
            btree_check(&m.keys);
            CHECK(image_hash(&m, false) == hash[rev]);
            struct image further;                /* from that past to one before it */
            must_ok(state_rewind(&r.s, &m, rev / 2, &further));
            CHECK(image_hash(&further, false) == hash[rev / 2]);
            CHECK(image_hash(&m, false) == hash[rev]);
            image_release(&further);
            image_release(&m);
        }
        CHECK(image_hash(&r.s.now, true) == present);
        struct image m;
        CHECK_INT(state_rewind(&r.s, &r.s.now, N + 1, &m), E_FUTURE);
        r.s.log.max_bytes = r.s.log.bytes / 2;
        event_log_trim(&r.s.log, 0, UINT32_MAX);
        CHECK_INT(state_rewind(&r.s, &r.s.now, r.s.log.trimmed_rev - 1, &m), E_STALE);
        must_ok(state_rewind(&r.s, &r.s.now, r.s.log.trimmed_rev, &m));
        CHECK(image_hash(&m, false) == hash[r.s.log.trimmed_rev]);
        image_release(&m);
        run_release(&r);
    }
}

TEST(history_is_bounded_by_age_and_bytes)
{
    struct run r;
    char key[32];

    run_init(&r, 200000);
    for (unsigned i = 0; i < 2000; i++) {
        r.now_ns = i * 1000000ull;
        sprintf(key, "/k/%u", i % 50);
        run_put(&r, key, "0123456789", 0);
        while (event_log_trim(&r.s.log, r.now_ns, 1))
            continue;
        must(r.s.log.bytes <= 200000);
    }
    CHECK(event_log_end(&r.s.log) - event_log_first(&r.s.log) > 500);
    r.now_ns += 1000000000ull - 5000000;
    event_log_trim(&r.s.log, r.now_ns, UINT32_MAX);
    CHECK_INT(event_log_end(&r.s.log) - event_log_first(&r.s.log), 6);
    r.now_ns += 10000000;
    event_log_trim(&r.s.log, r.now_ns, UINT32_MAX);
    CHECK_INT(event_log_end(&r.s.log), event_log_first(&r.s.log));
    CHECK_INT(r.s.log.trimmed_rev, 2000);
    CHECK_INT(r.s.log.bytes, 0);
    run_release(&r);
}

/* ---- hostile commands ---------------------------------------------------------------------------- */

/* Decode and, if that works, apply; whatever the bytes are, the state stays sound. */
static void feed(struct run *r, const char *p, size_t n)
{
    char *exact = mem_alloc(n + 1);              /* so that reading past the end is seen */
    struct state_result res;
    uint64_t before = image_hash(&r->s.now, true);

    memcpy(exact, p, n);
    char *copy = mem_realloc(exact, n > 0 ? n : 1);
    arena_reset(&r->a);
    state_apply(&r->s, str_make(copy, n), 1, &r->a, &res);
    if (res.err != 0)
        CHECK(image_hash(&r->s.now, true) == before);
    mem_free(copy);
}

TEST(commands_with_any_byte_changed_or_cut_are_harmless)
{
    struct run r;

    run_init(&r, 1 << 16);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct store_txn t;
        struct str c;
        uint64_t s = seed;
        rig_txn(&t, &s, 10);
        must_ok(txn_command(&t, &c));
        char *p = mem_alloc(c.n + 16);
        for (size_t cut = 0; cut < c.n; cut++)
            feed(&r, c.p, cut);
        for (size_t i = 0; i < c.n; i++) {
            static const unsigned char change[] = { 0x01, 0x80, 0xff, 0x7f, 0x10 };
            for (size_t k = 0; k < sizeof change; k++) {
                memcpy(p, c.p, c.n);
                p[i] = (char)(p[i] ^ change[k]);
                feed(&r, p, c.n);
            }
        }
        memcpy(p, c.p, c.n);
        memset(p + c.n, 1, 16);
        struct txn d;
        CHECK_INT(txn_decode(str_make(p, c.n + 1), &d), E_INVALID);
        mem_free(p);
        store_txn_release(&t);
    }
    image_check(&r.s.now);
    run_release(&r);
}

TEST(commands_of_noise_are_harmless)
{
    struct run r;
    uint64_t s = 99;

    run_init(&r, 1 << 16);
    for (int i = 0; i < 20000; i++) {
        char p[64] = { TXN_VERSION };
        size_t n = 13 + below(&s, sizeof p - 13);
        for (int k = 0; k < 3; k++)
            p[1 + 4 * k] = (char)below(&s, 3);
        for (size_t k = 13; k < n; k++)
            p[k] = (char)(below(&s, 3) ? below(&s, 12) : below(&s, 256));
        feed(&r, p, n);
    }
    image_check(&r.s.now);
    run_release(&r);
}

TEST(everything_is_given_back)
{
    long live = mem_live();
    struct run r;
    uint64_t s = 5;

    run_init(&r, 1 << 14);
    for (int i = 0; i < 3000; i++) {
        struct store_txn t;
        rig_txn(&t, &s, 200);
        run_txn(&r, &t);
        event_log_trim(&r.s.log, 1, 3);
        btree_pool_drain(&r.s.pool, 4);
    }
    run_release(&r);
    CHECK_INT(mem_live(), live);
}

/* ---- how fast (printed, not judged) -------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

TEST(apply_speed)
{
    enum { KEYS = 20000, N = 100000 };
    struct run r;
    struct store_txn t;
    char   key[80], *value = mem_alloc(2048);
    double spent = 0;

    run_init(&r, 64 << 20);
    memset(value, 'v', 2048);
    for (unsigned i = 0; i < N; i++) {
        uint64_t k = i < KEYS ? i : (uint64_t)i * 2654435761u % KEYS;
        store_txn_init(&t);
        struct str ks = str_make(key, (size_t)sprintf(key, "/registry/pods/ns-%u/web-%08x", (unsigned)k % 7,
                                                      (unsigned)k * 2654435761u));
        store_txn_if(&t, ks, STORE_MOD, i < KEYS ? STORE_EQ : STORE_GT, 0);
        store_txn_put(&t, ks, str_make(value, 2048), 100, k, 0);
        struct str c;
        must_ok(txn_command(&t, &c));
        arena_reset(&r.a);
        double from = seconds();
        state_apply(&r.s, c, 1, &r.a, &r.r);
        event_log_trim(&r.s.log, 1, 2);
        spent += seconds() - from;
        must(r.r.succeeded);
        store_txn_release(&t);
    }
    fprintf(stderr, "  apply: %.2f us per put of 2 kB (%d keys, compare, trim included)\n", spent / N * 1e6,
            KEYS);
    mem_free(value);
    run_release(&r);
}
