/* test/store/etcd_test.c: etcd's face over three simulated heads, spoken to in gRPC: what etcd's clients and
 * a
 * kube-apiserver rely on, in etcd's codes and words; and what nobody should send. */
#include "test/store/etcd_rig.h"

#define KV "/etcdserverpb.KV/"

static int put(struct rig *r, const char *key, const char *value, int64_t lease)
{
    struct etcd_put q = { .key = str_of(key), .value = str_of(value), .lease = lease };
    struct rpc p = { .head = 0 };
    struct str m = rpc_do(&p, r, KV "Put", &etcd_put_msg, &q);
    int rev = p.code == 0 ? (int)int_of(bytes_of(m, 1), 3) : -p.code;

    rpc_release(&p);
    return rev;
}

/* Expect a code and a text. */
static void refused(struct rig *r, const char *path, const struct pb_message *m, const void *q, int code,
                    const char *text)
{
    struct rpc p = { .head = 1 % r->n };

    rpc_do(&p, r, path, m, q);
    CHECK_INT(p.code, code);
    CHECK_STR(str_of(p.message), text);
    rpc_release(&p);
}

TEST(put_range_and_their_refusals)
{
    struct rig r = { .n = 0 };
    struct rpc p = { .head = 2 };
    struct etcd_range all = { .key = STR("k"), .range_end = STR("l") };

    rig_open(&r, 3);
    CHECK_INT(put(&r, "k1", "one", 0), 2);
    CHECK_INT(put(&r, "k2", "two", 0), 3);
    CHECK_INT(put(&r, "k1", "three", 0), 4);
    struct str m = rpc_do(&p, &r, KV "Range", &etcd_range_msg, &all);
    CHECK_INT(p.code, 0);
    CHECK_INT(int_of(bytes_of(m, 1), 1), 7);     /* cluster, member, revision, term */
    CHECK_INT(int_of(bytes_of(m, 1), 2), 3);
    CHECK_INT(int_of(bytes_of(m, 1), 3), 4);
    CHECK(int_of(bytes_of(m, 1), 4) > 0);
    CHECK_INT(int_of(m, 4), 2);
    CHECK_STR(bytes_of(nth_of(m, 2, 0), 1), "k1");
    CHECK_STR(bytes_of(nth_of(m, 2, 0), 5), "three");
    CHECK_INT(int_of(nth_of(m, 2, 0), 4), 2);
    rpc_release(&p);
    all.limit = 1;
    all.sort_order = SORT_DESCEND;
    all.sort_target = SORT_MOD;
    all.keys_only = true;
    m = rpc_do(&p, &r, KV "Range", &etcd_range_msg, &all);
    CHECK_INT(count_of(m, 2), 1);
    CHECK_INT(int_of(m, 3), 1);
    CHECK_STR(bytes_of(nth_of(m, 2, 0), 1), "k1");
    CHECK_INT(bytes_of(nth_of(m, 2, 0), 5).n, 0);
    rpc_release(&p);
    all = (struct etcd_range){ .key = STR("k1"), .revision = 3 };
    m = rpc_do(&p, &r, KV "Range", &etcd_range_msg, &all);
    CHECK_STR(bytes_of(nth_of(m, 2, 0), 5), "one");
    rpc_release(&p);
    all.revision = 99;
    refused(&r, KV "Range", &etcd_range_msg, &all, GRPC_OUT_OF_RANGE,
            "etcdserver: mvcc: required revision is a future revision");
    refused(&r, KV "Range", &etcd_range_msg, &(struct etcd_range){ .limit = 1 }, GRPC_INVALID_ARGUMENT,
            "etcdserver: key is not provided");
    refused(&r, KV "Put", &etcd_put_msg, &(struct etcd_put){ .key = STR("x"), .lease = 5 }, GRPC_NOT_FOUND,
            "etcdserver: requested lease not found");
    refused(&r, KV "Put", &etcd_put_msg, &(struct etcd_put){ .key = STR("x"), .ignore_value = true },
            GRPC_INVALID_ARGUMENT, "etcdserver: key not found");
    refused(&r, KV "Nothing", &etcd_put_msg, &(struct etcd_put){ .key = STR("x") }, GRPC_UNIMPLEMENTED,
            "unknown method /etcdserverpb.KV/Nothing");
    refused(&r, "/etcdserverpb.Auth/AuthEnable", &etcd_nothing_msg, &(struct etcd_nothing){ false },
            GRPC_FAILED_PRECONDITION, "etcdserver: authentication is not enabled");
    rig_close(&r);
}

/* kube-apiserver's create and update: a compare of mod_revision, a put, else a get. */
static struct str guarded(struct rpc *p, struct rig *r, const char *key, int64_t mod_revision,
                          const char *value)
{
    struct etcd_compare c = { .result = 0, .target = 2, .key = str_of(key), .mod_revision = mod_revision,
                              .which = 6 };
    struct etcd_put   q = { .key = str_of(key), .value = str_of(value) };
    struct etcd_range g = { .key = str_of(key) };
    struct etcd_op then = { .which = OP_PUT, .put = &q }, orelse = { .which = OP_RANGE, .range = &g };
    struct etcd_txn t = { { &c, 1, 1 }, { &then, 1, 1 }, { &orelse, 1, 1 } };

    return rpc_do(p, r, KV "Txn", &etcd_txn_msg, &t);
}

TEST(transactions_as_a_kube_apiserver_makes_them)
{
    struct rig r = { .n = 0 };
    struct rpc p = { .head = 1 };

    rig_open(&r, 3);
    struct str m = guarded(&p, &r, "/registry/pods/a", 0, "v1");
    CHECK(p.code == 0 && int_of(m, 2) == 1 && int_of(bytes_of(m, 1), 3) == 2);
    rpc_release(&p);
    m = guarded(&p, &r, "/registry/pods/a", 0, "v2");    /* exists: the else part shows it */
    CHECK(p.code == 0 && int_of(m, 2) == 0 && int_of(bytes_of(m, 1), 3) == 2);
    struct str range = bytes_of(nth_of(m, 3, 0), 1), kv = bytes_of(range, 2);
    CHECK_STR(bytes_of(kv, 5), "v1");
    CHECK_INT(int_of(kv, 3), 2);
    rpc_release(&p);
    m = guarded(&p, &r, "/registry/pods/a", 2, "v2");
    CHECK(int_of(m, 2) == 1 && int_of(bytes_of(m, 1), 3) == 3);
    rpc_release(&p);

    struct etcd_put q = { .key = STR("d"), .value = STR("1") };
    struct etcd_op  twice[2] = { { .which = OP_PUT, .put = &q }, { .which = OP_PUT, .put = &q } };
    struct etcd_txn t = { .success = { twice, 2, 2 } };
    refused(&r, KV "Txn", &etcd_txn_msg, &t, GRPC_INVALID_ARGUMENT,
            "etcdserver: duplicate key given in txn request");
    struct etcd_op many[129];
    for (unsigned i = 0; i < 129; i++)
        many[i] = twice[0];
    t.success = (struct pb_list){ many, 129, 129 };
    refused(&r, KV "Txn", &etcd_txn_msg, &t, GRPC_INVALID_ARGUMENT,
            "etcdserver: too many operations in txn request");
    refused(&r, KV "Compact", &etcd_compaction_msg, &(struct etcd_compaction){ 9, true }, GRPC_OUT_OF_RANGE,
            "etcdserver: mvcc: required revision is a future revision");
    m = rpc_do(&p, &r, KV "Compact", &etcd_compaction_msg, &(struct etcd_compaction){ 3, true });
    CHECK_INT(p.code, 0);
    rpc_release(&p);
    refused(&r, KV "Range", &etcd_range_msg, &(struct etcd_range){ .key = STR("a"), .revision = 2 },
            GRPC_OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted");
    rig_close(&r);
}

/* The two branches of one nested transaction may put the same key, two nested ones may not. */
TEST(duplicates_in_nested_transactions)
{
    struct rig r = { .n = 0 };
    struct etcd_put q = { .key = STR("k"), .value = STR("v") };
    struct etcd_op  one = { .which = OP_PUT, .put = &q };
    struct etcd_txn inner = { .success = { &one, 1, 1 }, .failure = { &one, 1, 1 } };
    struct etcd_op  nested[2] = { { .which = OP_TXN, .txn = &inner }, { .which = OP_TXN, .txn = &inner } };
    struct etcd_txn t = { .success = { nested, 1, 1 } };
    struct rpc p = { .head = 0 };

    rig_open(&r, 1);
    struct str m = rpc_do(&p, &r, KV "Txn", &etcd_txn_msg, &t);
    CHECK(p.code == 0 && int_of(m, 2) == 1);
    CHECK_INT(int_of(bytes_of(nth_of(m, 3, 0), 4), 2), 1);
    rpc_release(&p);
    t.success.n = 2;
    refused(&r, KV "Txn", &etcd_txn_msg, &t, GRPC_INVALID_ARGUMENT,
            "etcdserver: duplicate key given in txn request");
    rig_close(&r);
}

/* ---- watches ---------------------------------------------------------------------------------------- */

static void watch_send(struct rpc *p, const struct etcd_watch_request *q)
{
    rpc_add(p, &etcd_watch_request_msg, q);
    sim_do(p->r->cm, p->call != NULL ? in_rpc_send : in_rpc, p);
    sim_run_for(p->r->s, 100 * MS);
}

static void watch_start(struct rpc *p, struct rig *r, struct etcd_watch_create *c)
{
    *p = (struct rpc){ .r = r, .head = p->head, .path = "/etcdserverpb.Watch/Watch", .request = BUF_INIT,
                       .reply = BUF_INIT, .streamed = true };
    watch_send(p, &(struct etcd_watch_request){ .which = WATCH_CREATE, .create = c });
}

TEST(a_watch_from_the_past_whole_revisions_and_progress)
{
    struct rig r = { .n = 0 };
    struct rpc p = { .head = 2 }, q = { .head = 0 };
    struct etcd_watch_create c = { .key = STR("w/"), .range_end = STR("w0"), .start_revision = 2,
                                   .prev_kv = true };
    struct etcd_put put1 = { .key = STR("w/1"), .value = STR("x") }, put2 =
        { .key = STR("w/2"), .value = STR("y") };
    struct etcd_op  ops[2] = { { .which = OP_PUT, .put = &put1 }, { .which = OP_PUT, .put = &put2 } };
    struct etcd_txn t = { .success = { ops, 2, 2 } };
    struct str m = STR_NONE;
    size_t at = 0;

    rig_open(&r, 3);
    put(&r, "w/1", "a", 0);
    put(&r, "other", "b", 0);
    watch_start(&p, &r, &c);
    CHECK(stream_next(&p, &at, &m) && int_of(m, 3) == 1 && int_of(m, 2) == 0);   /* created, id 0 */
    CHECK(stream_next(&p, &at, &m) && count_of(m, 11) == 1);
    rpc_do(&q, &r, KV "Txn", &etcd_txn_msg, &t);
    rpc_release(&q);
    sim_run_for(r.s, 100 * MS);
    CHECK(stream_next(&p, &at, &m));
    CHECK_INT(count_of(m, 11), 2);               /* one revision, one answer */
    CHECK_INT(int_of(bytes_of(m, 1), 3), 4);
    CHECK_STR(bytes_of(bytes_of(nth_of(m, 11, 0), 3), 5), "a");
    CHECK_INT(bytes_of(nth_of(m, 11, 1), 3).n, 0);
    rpc_do(&q, &r, KV "DeleteRange", &etcd_delete_msg, &(struct etcd_delete){ .key = STR("w/1") });
    rpc_release(&q);
    sim_run_for(r.s, 100 * MS);
    CHECK(stream_next(&p, &at, &m) && int_of(nth_of(m, 11, 0), 1) == 1);
    CHECK_INT(int_of(bytes_of(nth_of(m, 11, 0), 2), 3), 5);
    struct etcd_nothing nothing = { false };
    watch_send(&p, &(struct etcd_watch_request){ .which = WATCH_PROGRESS, .progress = &nothing });
    CHECK(stream_next(&p, &at, &m) && (int64_t)int_of(m, 2) == -1 && int_of(bytes_of(m, 1), 3) == 5);
    watch_send(&p, &(struct etcd_watch_request){ .which = WATCH_CANCEL,
                                                 .cancel = &(struct etcd_watch_cancel){ 0 } });
    CHECK(stream_next(&p, &at, &m) && int_of(m, 4) == 1);
    CHECK(!stream_next(&p, &at, &m));
    sim_do(r.cm, in_rpc_cancel, &p);
    rpc_release(&p);
    rig_close(&r);
}

TEST(watches_that_cannot_be)
{
    struct rig r = { .n = 0 };
    struct rpc p = { .head = 0 }, q = { .head = 0 };
    struct etcd_watch_create c = { .key = STR("b"), .range_end = STR("a"), .watch_id = 5 };
    struct str m = STR_NONE;
    size_t at = 0;

    rig_open(&r, 1);
    for (int i = 0; i < 5; i++)
        put(&r, "k", "v", 0);
    rpc_do(&q, &r, KV "Compact", &etcd_compaction_msg, &(struct etcd_compaction){ 4, false });
    rpc_release(&q);
    watch_start(&p, &r, &c);
    CHECK(stream_next(&p, &at, &m) && int_of(m, 3) == 1 && int_of(m, 4) == 1);
    CHECK_STR(bytes_of(m, 6), "mvcc: watcher range is empty");
    c = (struct etcd_watch_create){ .key = STR("k"), .start_revision = 3 };
    watch_send(&p, &(struct etcd_watch_request){ .which = WATCH_CREATE, .create = &c });
    CHECK(stream_next(&p, &at, &m) && int_of(m, 3) == 1 && int_of(m, 4) == 0);
    CHECK(stream_next(&p, &at, &m) && int_of(m, 4) == 1 && int_of(m, 5) == 4);   /* compacted at 4 */
    c.start_revision = 4;
    c.progress_notify = true;
    watch_send(&p, &(struct etcd_watch_request){ .which = WATCH_CREATE, .create = &c });
    CHECK(stream_next(&p, &at, &m) && int_of(m, 3) == 1);
    CHECK(stream_next(&p, &at, &m));
    CHECK_INT(count_of(m, 11), 3);               /* 4, 5 and 6 */
    sim_run_for(r.s, 2500 * MS);                 /* idle: told how far it is */
    CHECK(stream_next(&p, &at, &m) && count_of(m, 11) == 0 && int_of(bytes_of(m, 1), 3) == 6);
    rig_close(&r);                               /* with the stream open: it ends in order */
    CHECK(p.done && p.code == GRPC_UNAVAILABLE);
    rpc_release(&p);
}

/* ---- leases ----------------------------------------------------------------------------------------- */

TEST(leases_end_and_take_their_keys)
{
    struct rig r = { .n = 0 };
    struct rpc p = { .head = 1 };
    struct etcd_range k = { .key = STR("k") };

    rig_open(&r, 3);
    struct str m = rpc_do(&p, &r, "/etcdserverpb.Lease/LeaseGrant", &etcd_lease_grant_msg,
                          &(struct etcd_lease_grant){ 2, 77 });
    CHECK(p.code == 0 && int_of(m, 2) == 77 && int_of(m, 3) == 2);
    rpc_release(&p);
    refused(&r, "/etcdserverpb.Lease/LeaseGrant", &etcd_lease_grant_msg, &(struct etcd_lease_grant){ 2, 77 },
            GRPC_FAILED_PRECONDITION, "etcdserver: lease already exists");
    CHECK(put(&r, "k", "v", 77) > 0);
    m = rpc_do(&p, &r, "/etcdserverpb.Lease/LeaseTimeToLive", &etcd_lease_id_msg,
               &(struct etcd_lease_id){ 77, true });
    CHECK_STR(bytes_of(m, 5), "k");
    rpc_release(&p);
    CHECK(put(&r, "k/2", "v", 77) > 0 && put(&r, "k/3", "v", 77) > 0);
    m = rpc_do(&p, &r, "/etcdserverpb.Lease/LeaseTimeToLive", &etcd_lease_id_msg,
               &(struct etcd_lease_id){ 77, true });
    CHECK_INT(count_of(m, 5), 3);
    CHECK_STR(nth_of(m, 5, 0), "k");
    CHECK_STR(nth_of(m, 5, 2), "k/3");
    rpc_release(&p);
    sim_run_for(r.s, 5000 * MS);
    m = rpc_do(&p, &r, KV "Range", &etcd_range_msg, &k);
    CHECK_INT(int_of(m, 4), 0);
    rpc_release(&p);
    m = rpc_do(&p, &r, "/etcdserverpb.Lease/LeaseTimeToLive", &etcd_lease_id_msg,
               &(struct etcd_lease_id){ 77, true });
    CHECK_INT((int64_t)int_of(m, 3), -1);
    rpc_release(&p);
    refused(&r, "/etcdserverpb.Lease/LeaseRevoke", &etcd_lease_id_msg, &(struct etcd_lease_id){ 77, false },
            GRPC_NOT_FOUND, "etcdserver: requested lease not found");
    rig_close(&r);
}

/* ---- bounds ----------------------------------------------------------------------------------------- */

TEST(the_quota_raises_an_alarm_and_deletes_go_on)
{
    struct rig r = { .n = 0 };
    struct rpc p = { .head = 0 };
    char *big = mem_zalloc(600001);

    memset(big, 'x', 600000);
    rig_open(&r, 1);
    CHECK(put(&r, "a", big, 0) > 0);
    CHECK_INT(put(&r, "b", big, 0), -GRPC_RESOURCE_EXHAUSTED);           /* too much, but others still fit: */
    CHECK(put(&r, "b", big + 200000, 0) > 0);
    CHECK_INT(put(&r, "d", big + 500000, 0), -GRPC_RESOURCE_EXHAUSTED);  /* now little does */
    sim_run_for(r.s, 100 * MS);
    struct str m = rpc_do(&p, &r, "/etcdserverpb.Maintenance/Alarm", &etcd_alarm_msg,
                          &(struct etcd_alarm){ 0, 0, 0 });
    CHECK_INT(int_of(bytes_of(m, 2), 2), ALARM_NOSPACE);
    rpc_release(&p);
    rpc_do(&p, &r, KV "DeleteRange", &etcd_delete_msg, &(struct etcd_delete){ .key = STR("a") });
    CHECK_INT(p.code, 0);
    rpc_release(&p);
    CHECK(put(&r, "c", "small", 0) > 0);         /* there is room again, and the alarm went by itself */
    rpc_do(&p, &r, "/etcdserverpb.Maintenance/Alarm", &etcd_alarm_msg,
           &(struct etcd_alarm){ ALARM_ACTIVATE, 1, 1 });
    rpc_release(&p);
    CHECK_INT(put(&r, "c", "small", 0), -GRPC_RESOURCE_EXHAUSTED);       /* until who raised it disarms it */
    rpc_do(&p, &r, "/etcdserverpb.Maintenance/Alarm", &etcd_alarm_msg,
           &(struct etcd_alarm){ ALARM_DEACTIVATE, 1, 1 });
    rpc_release(&p);
    CHECK(put(&r, "c", "small", 0) > 0);
    rig_close(&r);
    mem_free(big);
}

/* More than a slice of keys, in every order, comes whole. */
TEST(long_ranges)
{
    enum { N = 5000 };
    struct rig r = { .n = 0 };
    struct rpc p = { .head = 0 };
    char key[N][8];
    struct etcd_put q[100];
    struct etcd_op  op[100];

    rig_open(&r, 1);
    for (unsigned i = 0; i < N; i += 100) {
        for (unsigned k = 0; k < 100; k++) {
            snprintf(key[i + k], sizeof key[0], "k%05u", (i + k) * 7 % N);
            q[k] = (struct etcd_put){ .key = str_of(key[i + k]), .value = str_of(key[i + k]) };
            op[k] = (struct etcd_op){ .which = OP_PUT, .put = &q[k] };
        }
        rpc_do(&p, &r, KV "Txn", &etcd_txn_msg, &(struct etcd_txn){ .success = { op, 100, 100 } });
        rpc_release(&p);
    }
    for (int64_t target = SORT_KEY; target <= SORT_VALUE; target++)
        for (int64_t order = SORT_NONE; order <= SORT_DESCEND; order++) {
            struct etcd_range all = { .key = STR("k"), .range_end = STR("l"), .sort_order = order,
                                      .sort_target = target };
            struct str m = rpc_do(&p, &r, KV "Range", &etcd_range_msg, &all), kv, before = STR_NONE;
            struct pb_item it;
            unsigned n = 0;
            CHECK_INT(int_of(m, 4), N);
            while (m.n > 0 && pb_next(&m, &it) == NULL)
                if (it.number == 2) {
                    kv = bytes_of(it.bytes, 1);
                    if (n++ > 0 && (target == SORT_KEY || target == SORT_VALUE))
                        CHECK(order == SORT_DESCEND ? str_cmp(kv, before) < 0 : str_cmp(kv, before) > 0);
                    before = kv;
                }
            CHECK_INT(n, N);
            rpc_release(&p);
        }
    rig_close(&r);
}

/* Beside a Kubernetes API /registry is its own: read by administrators (the simulator's peers are), never
 * written. */
TEST(the_clusters_own_keys)
{
    struct rig r = { .mixed = true };
    struct rpc p = { .head = 0 };

    rig_open(&r, 1);
    CHECK_INT(put(&r, "/registry/pods/x", "v", 0), -GRPC_PERMISSION_DENIED);
    CHECK(put(&r, "/other", "v", 0) > 0);
    struct str m = rpc_do(&p, &r, KV "Range", &etcd_range_msg, &(struct etcd_range){ .key = STR("/"),
                          .range_end = STR("0") });
    CHECK(p.code == 0 && int_of(m, 4) == 1);
    rpc_release(&p);
    rig_close(&r);
}

/* ---- what nobody should send ------------------------------------------------------------------------ */

TEST(hostile_bytes_get_an_answer)
{
    static const char *const paths[] = { KV "Put", KV "Range", KV "Txn", KV "DeleteRange", KV "Compact",
        "/etcdserverpb.Lease/LeaseGrant", "/etcdserverpb.Lease/LeaseTimeToLive",
            "/etcdserverpb.Maintenance/Alarm",
        "/etcdserverpb.Maintenance/HashKV", "/etcdserverpb.Cluster/MemberUpdate" };
    struct rig r = { .n = 0 };

    rig_open(&r, 1);
    for (unsigned i = 0; i < 600; i++) {
        struct rpc p = { .r = &r, .path = paths[i % ARRAY_LEN(paths)] };
        size_t n = (size_t)sim_below(r.s, 60);
        if (i % 3 != 0)
            grpc_head(&p.request, n + (i % 7 == 0));         /* sometimes a byte short */
        for (size_t k = 0; k < n; k++)
            buf_char(&p.request, (char)(sim_below(r.s, 4) == 0 ? sim_random(r.s) : 0x0a
                                        + sim_below(r.s, 3) * 8));
        sim_do(r.cm, in_rpc, &p);
        sim_run_for(r.s, 200 * MS);
        CHECK(p.done && p.code >= 0);
        rpc_release(&p);
    }
    CHECK(put(&r, "k", "v", 0) > 0);
    rig_close(&r);
}

/* Clients that go away in the middle of everything. */
TEST(clients_that_go_away)
{
    struct rig r = { .n = 0 };

    rig_open(&r, 3);
    for (unsigned i = 0; i < 60; i++) {
        struct etcd_put q = { .key = STR("k"), .value = STR("v") };
        struct etcd_watch_create c = { .key = STR("k"), .start_revision = 1 };
        struct rpc p = { .r = &r, .head = i % 3, .path = i % 2 ? KV "Put" : "/etcdserverpb.Watch/Watch",
                         .streamed = i % 2 == 0 };
        if (i % 2)
            rpc_add(&p, &etcd_put_msg, &q);
        else
            rpc_add(&p, &etcd_watch_request_msg, &(struct etcd_watch_request){ .which = WATCH_CREATE,
                                                                               .create = &c });
        sim_do(r.cm, in_rpc, &p);
        sim_run_for(r.s, sim_below(r.s, 20) * MS / 10);
        if (p.call != NULL && !p.done)
            sim_do(r.cm, in_rpc_cancel, &p);
        rpc_release(&p);
    }
    CHECK(put(&r, "k", "v", 0) > 0);
    rig_close(&r);
}

/* Pages of one revision while others write: a kube-apiserver's list by limit and continue. */
TEST(pages_of_one_revision)
{
    struct rig r = { .n = 0 };
    struct rpc p = { .head = 0 };
    struct etcd_range page = { .key = STR("k"), .range_end = STR("l"), .limit = 2 };
    char key[16] = "k0";
    unsigned seen = 0;

    rig_open(&r, 1);
    for (unsigned i = 0; i < 9; i++) {
        key[1] = (char)('0' + i);
        put(&r, key, "v", 0);
    }
    for (bool more = true; more; seen++) {
        struct str m = rpc_do(&p, &r, KV "Range", &etcd_range_msg, &page);
        unsigned n = count_of(m, 2);
        CHECK_INT(p.code, 0);
        CHECK_INT(int_of(m, 4), 9 - 2 * seen);
        more = int_of(m, 3) == 1;
        CHECK_INT(n, more ? 2 : 1);
        for (unsigned i = 0; i < n; i++)
            CHECK_INT(int_of(nth_of(m, 2, i), 4), 1);    /* version: not what is written meanwhile */
        page.revision = 10;
        snprintf(key, sizeof key, "%.*s", STR_ARG(bytes_of(nth_of(m, 2, n - 1), 1)));
        key[2] = '\0';
        page.key = str_make(key, 3);             /* behind the last one */
        rpc_release(&p);
        put(&r, "k3", "w", 0);
        put(&r, "k8", "w", 0);
    }
    CHECK_INT(seen, 5);
    rig_close(&r);
}

/* More keys than one transaction may delete. */
TEST(a_very_large_delete)
{
    enum { N = 20000, STEP = 125 };
    struct rig r = { .n = 0 };
    struct rpc p = { .head = 0 };
    static char key[STEP][8];
    struct etcd_put q[STEP];
    struct etcd_op  op[STEP];

    rig_open(&r, 1);
    for (unsigned i = 0; i < N; i += STEP) {
        for (unsigned k = 0; k < STEP; k++) {
            snprintf(key[k], sizeof key[0], "k%05u", i + k);
            q[k] = (struct etcd_put){ .key = str_of(key[k]), .value = STR("v") };
            op[k] = (struct etcd_op){ .which = OP_PUT, .put = &q[k] };
        }
        rpc_do(&p, &r, KV "Txn", &etcd_txn_msg, &(struct etcd_txn){ .success = { op, STEP, STEP } });
        rpc_release(&p);
    }
    struct str m = rpc_do(&p, &r, KV "DeleteRange", &etcd_delete_msg,
                          &(struct etcd_delete){ .key = STR("k"), .range_end = STR("l") });
    CHECK_INT(p.code, 0);
    CHECK_INT(int_of(m, 2), N);
    rpc_release(&p);
    m = rpc_do(&p, &r, KV "Range", &etcd_range_msg, &(struct etcd_range){ .key = STR("k"),
                                                                          .range_end = STR("l") });
    CHECK_INT(int_of(m, 4), 0);
    rpc_release(&p);
    rig_close(&r);
}
