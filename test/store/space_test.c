/* test/store/space_test.c: quota and disk of three simulated heads: what is refused, what goes on, which alarms
 * come and go, and that all heads agree. */
#include "store/alarm.h"
#include "test/store/etcd_rig.h"

static int put_n(struct rig *r, unsigned head, const char *key, size_t n, bool reserve)
{
    struct store_txn t;
    char *value = mem_zalloc(n + 1);

    store_txn_init(&t);
    t.reserve = reserve;
    store_txn_put(&t, str_of(key), str_make(value, n), STORE_NO_REV, 0, 0);
    mem_free(value);
    return commit(r, head, &t);
}

static int delete_key(struct rig *r, unsigned head, const char *key)
{
    struct store_txn t;

    store_txn_init(&t);
    store_txn_delete(&t, str_of(key), STR_NONE, STORE_NO_REV);
    return commit(r, head, &t);
}

/* Alarms as a head sees them: how many, and the last one. */
static unsigned alarms(struct rig *r, unsigned head, struct store_alarm *ret)
{
    struct store_cursor at;
    unsigned n = 0;

    for (store_alarm_seek(&at, r->head[head].store); store_alarm_next(&at, ret); )
        n++;
    return n;
}

static bool short_everywhere(struct rig *r, bool wanted)
{
    struct store_stats st;
    bool all = true;

    for (unsigned i = 0; i < r->n; i++) {
        store_stats(r->head[i].store, &st);
        all = all && st.space_short == wanted;
    }
    return all;
}

/* ---- Tests (the rig's quota is 1 MiB) ---------------------------------------------------------------- */

TEST(the_quota_refuses_growth_and_nothing_else)
{
    struct rig r = { .n = 0 };
    struct store_alarm a;
    struct store_txn t;
    char key[16];

    rig_open(&r, 3);
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "k%d", i);
        CHECK_INT(put_n(&r, i % 3, key, 100000, false), 0);
    }
    CHECK_INT(put_n(&r, 1, "more", 100000, false), E_NOSPACE);
    CHECK_INT(alarms(&r, 0, &a), 1);
    CHECK_INT(a.type, STORE_ALARM_NOSPACE);
    CHECK_INT(a.why, STORE_ALARM_QUOTA);
    CHECK(short_everywhere(&r, true));
    for (unsigned h = 0; h < 3; h++) {
        CHECK_INT(put_n(&r, h, "tiny", 1, false), E_NOSPACE);
        CHECK_INT(put_n(&r, h, "k3", 100001, false), E_NOSPACE);
        CHECK_INT(put_n(&r, h, "k3", 100000, false), 0);                 /* as large as it was */
    }
    CHECK_INT(put_n(&r, 0, "k4", 99999, false), 0);
    CHECK_INT(put_n(&r, 0, "reserved", 10, true), 0);
    store_txn_init(&t);
    store_txn_lease_grant(&t, 5, 1000);
    CHECK_INT(commit(&r, 1, &t), E_NOSPACE);
    store_txn_init(&t);
    store_txn_compact(&t, 5);
    CHECK_INT(commit(&r, 2, &t), 0);
    store_txn_init(&t);                          /* one for another */
    store_txn_delete(&t, STR("k5"), STR_NONE, STORE_NO_REV);
    store_txn_put(&t, STR("k5b"), STR("x"), STORE_NO_REV, 0, 0);
    CHECK_INT(commit(&r, 2, &t), 0);
    CHECK_INT(alarms(&r, 2, &a), 0);             /* below nine tenths now */
    CHECK(short_everywhere(&r, false));
    CHECK_INT(put_n(&r, 1, "more", 1000, false), 0);
    rig_close(&r);
}

/* Between nine tenths and the whole nothing flaps: an alarm that is up stays, one that is not does not come. */
TEST(alarms_do_not_flap)
{
    struct rig r = { .n = 0 };
    struct store_alarm a;

    rig_open(&r, 3);
    CHECK_INT(put_n(&r, 0, "a", 1000000, false), 0);
    CHECK_INT(alarms(&r, 0, &a), 0);
    CHECK_INT(put_n(&r, 0, "b", 60000, false), E_NOSPACE);
    CHECK_INT(alarms(&r, 0, &a), 1);
    CHECK_INT(put_n(&r, 0, "a", 990000, false), 0);
    CHECK_INT(put_n(&r, 0, "b", 1, false), E_NOSPACE);
    CHECK_INT(put_n(&r, 0, "a", 900000, false), 0);
    CHECK_INT(alarms(&r, 0, &a), 0);
    CHECK_INT(put_n(&r, 0, "b", 1, false), 0);
    rig_close(&r);
}

TEST(an_alarm_outlives_restarts_and_its_head)
{
    struct rig r = { .n = 0 };
    struct store_alarm a;

    rig_open(&r, 3);
    CHECK_INT(put_n(&r, 0, "a", 1000000, false), 0);
    CHECK_INT(put_n(&r, 0, "b", 60000, false), E_NOSPACE);
    sim_crash(rig_leader(&r)->m);
    unsigned down = rig_leader(&r)->i, up = (down + 1) % 3;
    r.head[down].store = NULL;
    r.head[down].leading = false;
    sim_run_for(r.s, 3000 * MS);
    CHECK_INT(put_n(&r, up, "b", 1, false), E_NOSPACE);
    CHECK_INT(delete_key(&r, up, "a"), 0);
    CHECK_INT(alarms(&r, up, &a), 0);            /* whoever leads clears it */
    sim_boot(r.head[down].m);
    sim_do(r.head[down].m, in_open, &r.head[down]);
    sim_run_for(r.s, 3000 * MS);
    CHECK(short_everywhere(&r, false));
    rig_close(&r);
}

static void disk_of(struct rig *r, unsigned head, uint64_t capacity)
{
    struct sim_disk_opts o = { .op_min_ns = 50000, .op_max_ns = 300000, .capacity = capacity };

    sim_disk(r->head[head].m, &o);
}

#define ROOMY (1ull << 40)
#define TIGHT (80ull << 20)                      /* the log's first file and spare, and not enough beside */

/* One disk that is nearly full is told of, and stops nobody; two are too many; then there is room again. */
TEST(disks_that_are_nearly_full)
{
    struct rig r = { .n = 0 };
    struct store_alarm a;

    rig_open(&r, 3);
    disk_of(&r, 0, TIGHT);
    CHECK_INT(put_n(&r, 1, "a", 10, false), 0);
    sim_run_for(r.s, 2000 * MS);
    CHECK_INT(put_n(&r, 1, "b", 10, false), 0);
    CHECK_INT(alarms(&r, 2, &a), 1);
    CHECK_INT(a.member, 1);
    CHECK_INT(a.why, STORE_ALARM_DISK);
    CHECK(short_everywhere(&r, false));
    disk_of(&r, 1, TIGHT);
    sim_run_for(r.s, 2000 * MS);
    CHECK_INT(put_n(&r, 2, "c", 10, false), 0);
    sim_run_for(r.s, 1000 * MS);
    CHECK_INT(alarms(&r, 2, &a), 2);
    CHECK(short_everywhere(&r, true));
    CHECK_INT(put_n(&r, 2, "d", 10, false), E_NOSPACE);
    CHECK_INT(delete_key(&r, 2, "c"), 0);
    disk_of(&r, 0, ROOMY);
    disk_of(&r, 1, ROOMY);
    sim_run_for(r.s, 4000 * MS);                 /* nobody writes: found out all the same */
    CHECK_INT(alarms(&r, 2, &a), 0);
    CHECK_INT(put_n(&r, 2, "d", 10, false), 0);
    rig_close(&r);
}
