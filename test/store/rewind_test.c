/* test/store/rewind_test.c: the far past is wound back to in slices, while the present moves on. */
#include "store/limits.h"
#include "test/store/etcd_rig.h"

#define KEYS   500u
#define BATCH  100u
#define ROUNDS 60u                               /* 6000 events: several slices */

struct wish {
    struct store *store;
    struct store_rewind rewind;
    uint64_t rev;
    bool asked, told, canceled;
    int  err, rc;
    unsigned right, wrong;                       /* keys as they were */
};

static struct str key_of(char *buf, unsigned i) { return str_make(buf, (size_t)sprintf(buf, "k%03u", i)); }

/* Round r (from 0) is revision 2 + r and wrote its BATCH keys, with its number as the value. */
static void check_view(struct wish *w)
{
    struct store_view *v;
    struct store_kv kv;
    char key[8];

    w->rc = store_pin_at(w->store, w->rev, &v);
    if (w->rc != 0)
        return;
    for (unsigned i = 0; i < KEYS; i++) {
        uint64_t last = 0;
        for (unsigned r = 0; r < ROUNDS && 2 + r <= w->rev; r++)
            if (r % (KEYS / BATCH) == i / BATCH)
                last = 2 + r;
        bool there = store_get(v, key_of(key, i), &kv);
        if (there == (last > 0) && (!there || kv.mod_rev == last))
            w->right++;
        else
            w->wrong++;
    }
    store_unpin(v);
}

static void on_rewound(struct store_rewind *rewind, int err)
{
    struct wish *w = container_of(rewind, struct wish, rewind);

    w->told = true;
    w->err = err;
    if (err == 0 && store_pin_is_near(w->store, w->rev))
        check_view(w);
}

static void in_ask(void *arg)
{
    struct wish *w = arg;

    if (w->canceled) {
        store_rewind_cancel(&w->rewind);
    } else if (!store_pin_is_near(w->store, w->rev)) {
        w->asked = true;
        w->rewind.done = on_rewound;
        store_rewind(w->store, &w->rewind, w->rev);
        CHECK(!w->told);                         /* never from inside the call */
    } else {
        check_view(w);
    }
}

static void write_rounds(struct rig *r)
{
    char key[8];

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct store_txn t;
        store_txn_init(&t);
        for (unsigned i = 0; i < BATCH; i++)
            store_txn_put(&t, key_of(key, (round * BATCH + i) % KEYS), STR("v"), STORE_NO_REV, 0, 0);
        CHECK_INT(commit(r, 0, &t), 0);
    }
    CHECK_INT(store_revision(r->head[0].store), ROUNDS + 1);
}

TEST(the_far_past_comes_in_slices)
{
    struct rig r = { .n = 0 };
    struct wish w[5] = { { .rev = 3 }, { .rev = 3 }, { .rev = 1 }, { .rev = 40 }, { .rev = ROUNDS } };

    rig_open(&r, 1);
    write_rounds(&r);
    for (unsigned i = 0; i < ARRAY_LEN(w); i++) {
        w[i].store = r.head[0].store;
        sim_do(r.head[0].m, in_ask, &w[i]);
    }
    CHECK(w[0].asked && w[1].asked && w[2].asked && w[3].asked && !w[4].asked);
    w[1].canceled = true;
    sim_do(r.head[0].m, in_ask, &w[1]);
    struct store_txn t;                          /* the present moves on meanwhile */
    store_txn_init(&t);
    store_txn_put(&t, STR("k000"), STR("new"), STORE_NO_REV, 0, 0);
    CHECK_INT(commit(&r, 0, &t), 0);
    for (unsigned i = 0; i < ARRAY_LEN(w); i++) {
        CHECK(w[i].told == (w[i].asked && !w[i].canceled));
        CHECK_INT(w[i].err, 0);
        CHECK_INT(w[i].wrong, 0);
        CHECK_INT(w[i].right, w[i].canceled ? 0 : KEYS);
    }
    struct store_stats st;
    store_stats(r.head[0].store, &st);
    CHECK_INT(st.pins, 0);
    rig_close(&r);
}

/* What is forgotten before it is reached is told so; closing tells the others. */
TEST(history_that_goes_and_a_store_that_closes)
{
    struct rig r = { .n = 0 };
    struct wish gone = { .rev = 3 }, closed = { .rev = 3 };
    struct store_txn t;

    rig_open(&r, 1);
    write_rounds(&r);
    store_txn_init(&t);
    store_txn_compact(&t, 30);
    gone.store = closed.store = r.head[0].store;
    CHECK_INT(commit(&r, 0, &t), 0);
    sim_do(r.head[0].m, in_ask, &gone);
    CHECK(!gone.asked);                          /* at once: it is known that it cannot be */
    CHECK_INT(gone.rc, E_STALE);
    closed.rev = 31;
    sim_do(r.head[0].m, in_ask, &closed);
    CHECK(closed.asked);
    rig_close(&r);
    CHECK(closed.told);
}

TEST(history_that_goes_meanwhile)
{
    struct rig r = { .n = 0 };
    struct wish w = { .rev = 3 };
    struct store_txn t;

    rig_open(&r, 1);
    write_rounds(&r);
    w.store = r.head[0].store;
    store_txn_init(&t);
    store_txn_compact(&t, 30);
    struct write c = { .txn = t, .store = w.store };
    sim_do(r.head[0].m, in_commit, &c);          /* both are under way; whichever comes first */
    sim_do(r.head[0].m, in_ask, &w);
    sim_run_for(r.s, 1000 * MS);
    CHECK(c.done && w.told);
    CHECK(w.err == E_STALE || w.rc == E_STALE || w.right == KEYS);
    store_txn_release(&c.txn);
    rig_close(&r);
}
