/* test/store/snapshot_test.c: what is written while the state moves on is what was pinned, and reads back
 * the same; damaged bytes are refused. */
#include "store/snapshot.h"
#include "test/store/store_rig.h"

/* Write in random pieces; meanwhile apply random transactions. */
static void save(struct run *r, uint64_t *s, struct buf *out, bool meanwhile)
{
    struct snapshot_writer *w = snapshot_writer_new(&r->s.now);
    char   piece[777];
    size_t n, cap;

    do {
        cap = 1 + below(s, sizeof piece);
        n = snapshot_writer_read(w, piece, cap);
        buf_add(out, piece, n);
        for (int i = 0; meanwhile && i < 3; i++) {
            struct store_txn t;
            rig_txn(&t, s, 60);
            run_txn(r, &t);
            btree_pool_drain(&r->s.pool, 3);
        }
    } while (n == cap);
    CHECK_INT(snapshot_writer_read(w, piece, sizeof piece), 0);
    snapshot_writer_free(w);
}

static int load(struct btree_pool *pool, struct str bytes, uint64_t *s, struct image *ret)
{
    struct snapshot_reader *r = snapshot_reader_new(pool);
    int rc = 0;

    while (bytes.n > 0 && rc == 0) {
        size_t n = 1 + below(s, 900);
        char  *exact = mem_alloc(n = MIN_OF(n, bytes.n));
        memcpy(exact, bytes.p, n);
        rc = snapshot_reader_data(r, str_make(exact, n));
        bytes = str_from(bytes, n);
        mem_free(exact);
    }
    if (rc == 0)
        rc = snapshot_reader_take(r, ret);
    else
        CHECK_INT(rc, E_CORRUPT);
    snapshot_reader_free(r);
    return rc;
}

static void populate(struct run *r, uint64_t *s, unsigned txns)
{
    for (unsigned i = 0; i < txns; i++) {
        struct store_txn t;
        rig_txn(&t, s, 60);
        run_txn(r, &t);
    }
}

TEST(snapshot_round_trip_while_writing)
{
    for (uint64_t seed = 1; seed <= 80; seed++) {
        struct run r, q;
        struct buf b = BUF_INIT;
        struct image m;
        uint64_t s = seed;
        run_init(&r, 1 << 16);
        run_init(&q, 1 << 16);
        populate(&r, &s, (unsigned)(seed * 3));
        uint64_t hash = image_hash(&r.s.now, true);
        save(&r, &s, &b, true);
        populate(&q, &s, 5);
        must_ok(load(&q.s.pool, buf_str(&b), &s, &m));
        image_check(&m);
        CHECK(image_hash(&m, true) == hash);
        if (m.rev >= q.s.now.rev) {
            uint64_t rev = m.rev, end = event_log_end(&q.s.log);
            state_replace(&q.s, &m);
            CHECK_INT(q.s.log.trimmed_rev, rev);
            CHECK_INT(event_log_end(&q.s.log), end);
            CHECK(image_hash(&q.s.now, true) == hash);
            CHECK_INT(run_put(&q, "/new", "x", 0), rev + 1);
            image_check(&q.s.now);
        } else {
            image_release(&m);
        }
        buf_release(&b);
        run_release(&r);
        run_release(&q);
    }
}

TEST(snapshot_of_big_values)
{
    struct run r;
    struct buf b = BUF_INIT;
    struct image m;
    struct store_txn t;
    uint64_t s = 3;
    char *big = mem_zalloc(3 << 20);

    run_init(&r, 1 << 20);
    store_txn_init(&t);
    store_txn_put(&t, STR("/big"), str_make(big, 3 << 20), 17, 0, 0);
    store_txn_put(&t, STR("/empty"), STR_NONE, STORE_NO_REV, 0, 0);
    run_txn(&r, &t);
    save(&r, &s, &b, false);
    must_ok(load(&r.s.pool, buf_str(&b), &s, &m));
    CHECK(image_hash(&m, true) == image_hash(&r.s.now, true));
    image_release(&m);
    buf_release(&b);
    mem_free(big);
    run_release(&r);
}

TEST(snapshot_truncated_or_flipped_is_refused_or_sound)
{
    struct run r;
    struct buf b = BUF_INIT;
    struct image m;
    uint64_t s = 11;
    long live;

    run_init(&r, 1 << 20);
    populate(&r, &s, 60);
    save(&r, &s, &b, false);
    btree_pool_drain(&r.s.pool, UINT32_MAX);
    live = mem_live();
    for (size_t cut = 0; cut < b.n; cut++)
        CHECK_INT(load(&r.s.pool, str_make(b.p, cut), &s, &m), E_CORRUPT);
    for (size_t i = 0; i < b.n; i++) {
        static const unsigned char change[] = { 1, 0x80, 0xff };
        for (size_t k = 0; k < sizeof change; k++) {
            b.p[i] = (char)(b.p[i] ^ change[k]);
            if (load(&r.s.pool, buf_str(&b), &s, &m) == 0) {
                image_check(&m);                 /* another state, but a sound one: the checksum is raft's */
                image_release(&m);
            }
            b.p[i] = (char)(b.p[i] ^ change[k]);
        }
        btree_pool_drain(&r.s.pool, UINT32_MAX);
    }
    buf_char(&b, 0);
    CHECK_INT(load(&r.s.pool, buf_str(&b), &s, &m), E_CORRUPT);
    btree_pool_drain(&r.s.pool, UINT32_MAX);
    CHECK_INT(mem_live(), live);
    buf_release(&b);
    run_release(&r);
}
