/* test/store/compactor_test.c: the past is forgotten in time and not before, on all heads alike, whoever leads; idle
 * stores do nothing; and snapshots that are too large are replaced. */
#include "test/store/etcd_rig.h"

static uint64_t put_n(struct rig *r, unsigned head, const char *key, size_t n)
{
    struct store_txn t;
    char *value = mem_zalloc(n + 1);

    store_txn_init(&t);
    store_txn_put(&t, str_of(key), str_make(value, n), STORE_NO_REV, 0, 0);
    CHECK_INT(commit(r, head, &t), 0);
    mem_free(value);
    return store_revision(r->head[head].store);
}

static bool compacted_at(struct rig *r, uint64_t rev)
{
    bool all = true;

    for (unsigned i = 0; i < r->n; i++)
        all = all && (r->head[i].store == NULL || store_compacted(r->head[i].store) == rev);
    return all;
}

static uint64_t proposals(struct rig *r)
{
    struct raft_status st;
    uint64_t sum = 0;

    for (unsigned i = 0; i < r->n; i++) {
        raft_status(store_raft(r->head[i].store), &st);
        sum += st.proposals;
    }
    return sum;
}

TEST(what_is_older_is_forgotten)
{
    struct rig r = { .n = 0, .compaction = STORE_COMPACT_PERIODIC, .retention = 10000 };
    uint64_t before, rev = 0, n;

    rig_open(&r, 3);
    for (int i = 0; i < 5; i++)
        before = put_n(&r, 0, "k", 10);
    sim_run_for(r.s, 6000 * MS);
    for (int i = 0; i < 5; i++)
        rev = put_n(&r, 1, "k", 10);
    CHECK(compacted_at(&r, 0));                  /* never before its time */
    sim_run_for(r.s, 7500 * MS);
    CHECK(compacted_at(&r, before));             /* a fifth of the time late, at most */
    sim_run_for(r.s, 7000 * MS);
    CHECK(compacted_at(&r, rev));
    n = proposals(&r);
    sim_run_for(r.s, 3600000 * MS);
    CHECK_INT(proposals(&r), n);                 /* nothing is new: nothing is done */
    rig_close(&r);
}

TEST(all_but_so_many_revisions)
{
    struct rig r = { .n = 0, .compaction = STORE_COMPACT_REVISION, .retention = 50 };
    uint64_t rev = 0;

    rig_open(&r, 3);
    for (int i = 0; i < 45; i++)
        rev = put_n(&r, i % 3, "k", 10);
    CHECK(compacted_at(&r, 0));
    for (int i = 0; i < 100; i++) {
        rev = put_n(&r, i % 3, "k", 10);
        CHECK(store_compacted(r.head[0].store) == 0 || store_compacted(r.head[0].store) + 50 <= rev);
        CHECK(rev < 61 || store_compacted(r.head[0].store) + 61 > rev);
    }
    rig_close(&r);
}

TEST(a_new_leader_goes_on)
{
    struct rig r = { .n = 0, .compaction = STORE_COMPACT_PERIODIC, .retention = 5000 };
    uint64_t rev;

    rig_open(&r, 3);
    rev = put_n(&r, 0, "k", 10);
    unsigned down = rig_leader(&r)->i;
    sim_crash(r.head[down].m);
    r.head[down].store = NULL;
    r.head[down].leading = false;
    sim_run_for(r.s, 8000 * MS);
    CHECK(compacted_at(&r, rev));
    sim_boot(r.head[down].m);
    sim_do(r.head[down].m, in_open, &r.head[down]);
    sim_run_for(r.s, 3000 * MS);
    CHECK(compacted_at(&r, rev));
    rig_close(&r);
}

/* Files of a store that was large and is small do not stay. */
TEST(snapshots_shrink_with_the_store)
{
    struct rig r = { .n = 0, .compaction = STORE_COMPACT_PERIODIC, .retention = 1000,
                     .snapshot_bytes = 4 << 20 };
    struct raft_status st;
    struct store_txn t;

    rig_open(&r, 1);
    sim_run_for(r.s, 100 * MS);
    for (int round = 0; round < 3; round++) {
        store_txn_init(&t);
        t.reserve = true;                        /* above the rig's quota */
        for (int i = 0; i < 30; i++) {
            char key[16];
            char *value = mem_zalloc(400000);
            snprintf(key, sizeof key, "k%d", i);
            store_txn_release(&t);
            store_txn_init(&t);
            t.reserve = true;
            store_txn_put(&t, str_of(key), str_make(value, 400000), STORE_NO_REV, 0, 0);
            mem_free(value);
            CHECK_INT(commit(&r, 0, &t), 0);
        }
    }
    sim_run_for(r.s, 3000 * MS);
    raft_status(store_raft(r.head[0].store), &st);
    CHECK(st.snapshots_bytes > 16 << 20);
    store_txn_init(&t);
    store_txn_delete_range(&t, STR("k"), STR("l"));
    CHECK_INT(commit(&r, 0, &t), 0);
    for (int i = 0; i < 3; i++) {
        sim_run_for(r.s, 3000 * MS);
        put_n(&r, 0, "small", 10);
    }
    raft_status(store_raft(r.head[0].store), &st);
    CHECK(st.snapshots_bytes < 16 << 20);
    CHECK(st.snapshot_bytes < 1 << 20);
    rig_close(&r);
}
