/* test/store/txn_test.c: what etcd's transactions need of the store: compares over ranges, transactions
 * within
 * transactions, puts that keep something, several operations at one revision, ranges read in their midst,
 * explicit
 * compaction; and that all of it is decided as a whole. */
#include "test/store/store_rig.h"

static struct store_range range(const char *from, const char *to)
{
    return (struct store_range){ str_of(from), str_of(to) };
}

static bool holds_range(struct run *r, const char *from, const char *to, enum store_relation rel, uint64_t n)
{
    struct store_txn t;

    store_txn_init(&t);
    store_txn_if_range(&t, range(from, to), STORE_VERSION, rel, n);
    return run_txn(r, &t)->succeeded;
}

static bool holds_value(struct run *r, const char *from, const char *to, enum store_relation rel,
                        const char *v)
{
    struct store_txn t;

    store_txn_init(&t);
    store_txn_if_range_value(&t, range(from, to), rel, str_of(v));
    return run_txn(r, &t)->succeeded;
}

TEST(compares_over_ranges)
{
    struct run r;

    run_init(&r, 1 << 20);
    run_put(&r, "b", "x", 0);
    run_put(&r, "c", "x", 0);
    run_put(&r, "c", "y", 0);
    CHECK(holds_range(&r, "b", "d", STORE_GT, 0));
    CHECK(holds_range(&r, "b", "", STORE_LT, 3));
    CHECK(!holds_range(&r, "b", "d", STORE_EQ, 1));      /* c is at 2 */
    CHECK(holds_range(&r, "b", "c", STORE_EQ, 1));       /* the end does not count */
    CHECK(holds_range(&r, "d", "z", STORE_EQ, 0));       /* none: as for an absent key */
    CHECK(!holds_range(&r, "d", "z", STORE_GT, 0));
    CHECK(holds_range(&r, "c", "b", STORE_EQ, 0));       /* the wrong way round: none */
    CHECK(holds_value(&r, "b", "d", STORE_GT, "w"));
    CHECK(!holds_value(&r, "b", "d", STORE_EQ, "x"));
    CHECK(!holds_value(&r, "d", "z", STORE_NE, "x"));    /* none: nothing that could be compared */
    run_release(&r);
}

TEST(one_revision_for_all_and_reads_in_their_midst)
{
    struct store_txn t;
    struct run r;

    run_init(&r, 1 << 20);
    run_put(&r, "a", "0", 0);
    store_txn_init(&t);
    store_txn_range(&t, STR("a"), STR("z"), 0, false);
    store_txn_put(&t, STR("b"), STR("1"), STORE_NO_REV, 0, 0);
    store_txn_put(&t, STR("a"), STR("1"), STORE_NO_REV, 0, 0);
    store_txn_range(&t, STR("a"), STR("z"), 1, false);
    store_txn_range(&t, STR("a"), STR_NONE, 0, true);
    store_txn_take_range(&t, STR("a"), STR("z"));
    store_txn_range(&t, STR("a"), STR("z"), 0, false);
    run_txn(&r, &t);
    CHECK_INT(r.r.err, 0);
    CHECK_INT(r.r.rev, 2);
    const struct store_op_result *op = r.r.op;
    CHECK(op[0].count == 1 && op[0].n_kvs == 1 && op[0].kvs[0].mod_rev == 1 && op[0].rev == 1);
    CHECK(!op[1].found && op[1].kv.create_rev == 2 && op[1].rev == 2);
    CHECK(op[2].found && op[2].prev.mod_rev == 1 && op[2].kv.mod_rev == 2 && op[2].kv.version == 2);
    CHECK(op[3].count == 2 && op[3].n_kvs == 1 && op[3].kvs[0].mod_rev == 2);
    CHECK(op[4].count == 2 && op[4].n_kvs == 0);
    CHECK(op[5].deleted == 2 && op[5].n_kvs == 2 && op[5].kvs[1].create_rev == 2);
    CHECK_STR(op[5].kvs[1].key, "b");
    CHECK_STR(blob_str(op[5].kvs[0].value), "1");
    CHECK(op[6].count == 0 && op[6].n_kvs == 0 && op[6].rev == 2);
    run_release(&r);
}

/* if outer(a exists): put c, nested: if (b exists) put d else get a; the nested sees nothing of the outer's
 * puts. */
TEST(transactions_within_transactions)
{
    struct store_txn t, inner;
    struct run r;

    run_init(&r, 1 << 20);
    run_put(&r, "a", "0", 0);
    for (int round = 0; round < 2; round++) {
        store_txn_init(&inner);
        store_txn_if(&inner, STR("b"), STORE_VERSION, STORE_GT, 0);
        store_txn_put(&inner, STR("d"), STR("1"), STORE_NO_REV, 0, 0);
        store_txn_else(&inner);
        store_txn_get(&inner, STR("b"));
        store_txn_init(&t);
        store_txn_if(&t, STR("a"), STORE_VERSION, STORE_GT, 0);
        store_txn_put(&t, STR("b"), STR("1"), STORE_NO_REV, 0, 0);
        store_txn_nest(&t, &inner);
        store_txn_release(&inner);
        run_txn(&r, &t);
        CHECK(r.r.err == 0 && r.r.succeeded && r.r.n_op == 2);
        CHECK_INT(r.r.op[1].succeeded, round == 1);
        CHECK_INT(r.r.op[1].n_op, 1);
        CHECK(round == 1 ? r.r.op[1].op[0].kv.mod_rev == r.r.rev : r.r.op[1].op[0].found);
    }
    CHECK_INT(r.s.now.rev, 3);
    run_release(&r);
}

TEST(nesting_is_bounded)
{
    struct store_txn t, outer;
    struct run r;
    struct str command;
    struct txn decoded;

    run_init(&r, 1 << 20);
    for (unsigned depth = 1; depth <= STORE_MAX_DEPTH + 1; depth++) {
        store_txn_init(&t);
        store_txn_put(&t, STR("k"), STR("v"), STORE_NO_REV, 0, 0);
        for (unsigned i = 1; i < depth; i++) {
            store_txn_init(&outer);
            store_txn_nest(&outer, &t);
            store_txn_release(&t);
            t = outer;
        }
        must_ok(txn_command(&t, &command));
        CHECK_INT(txn_decode(command, &decoded), depth <= STORE_MAX_DEPTH ? 0 : E_TOOBIG);
        run_txn(&r, &t);
        CHECK_INT(r.r.err, depth <= STORE_MAX_DEPTH ? 0 : E_TOOBIG);
    }
    CHECK_INT(r.s.now.rev, STORE_MAX_DEPTH);
    run_release(&r);
}

TEST(puts_that_keep_something)
{
    struct store_txn t;
    struct run r;

    run_init(&r, 1 << 20);
    store_txn_init(&t);
    store_txn_lease_grant(&t, 7, 5000);
    store_txn_lease_grant(&t, 8, 5000);
    store_txn_put(&t, STR("a"), STR("value"), STORE_NO_REV, 0, 7);
    run_txn(&r, &t);
    store_txn_init(&t);
    store_txn_put_keep(&t, STR("a"), STR("new"), 0, STORE_KEEP_LEASE);
    run_txn(&r, &t);
    CHECK(r.r.err == 0 && r.r.op[0].kv.lease == 7);
    CHECK_STR(blob_str(r.r.op[0].kv.value), "new");
    store_txn_init(&t);
    store_txn_put_keep(&t, STR("a"), STR_NONE, 8, STORE_KEEP_VALUE);
    run_txn(&r, &t);
    CHECK(r.r.err == 0 && r.r.op[0].kv.lease == 8 && r.r.op[0].kv.version == 3);
    CHECK_STR(blob_str(r.r.op[0].kv.value), "new");
    store_txn_init(&t);
    store_txn_put(&t, STR("other"), STR("x"), STORE_NO_REV, 0, 0);
    store_txn_put_keep(&t, STR("absent"), STR_NONE, 0, STORE_KEEP_VALUE);
    run_txn(&r, &t);
    CHECK_INT(r.r.err, E_CONFLICT);              /* and nothing of it was done */
    CHECK_INT(r.s.now.rev, 3);
    store_txn_init(&t);
    store_txn_put_keep(&t, STR("a"), STR_NONE, 9, STORE_KEEP_VALUE);
    CHECK_INT(run_txn(&r, &t)->err, E_NOTFOUND);
    image_check(&r.s.now);
    run_release(&r);
}

static int compact(struct run *r, uint64_t rev)
{
    struct store_txn t;

    store_txn_init(&t);
    store_txn_compact(&t, rev);
    return run_txn(r, &t)->err;
}

TEST(compaction)
{
    struct run r;
    struct image m;

    run_init(&r, 1 << 20);
    for (int i = 0; i < 10; i++)
        run_put(&r, "a", "v", 0);
    CHECK_INT(compact(&r, 11), E_FUTURE);
    CHECK_INT(compact(&r, 6), 0);
    CHECK_INT(compact(&r, 6), E_STALE);
    CHECK_INT(compact(&r, 5), E_STALE);
    CHECK_INT(r.s.now.rev, 10);
    CHECK_INT(state_rewind(&r.s, &r.s.now, 5, &m), E_STALE);
    CHECK_INT(event_log_start(&r.s.log), 5);     /* who watches from 6 on sees 6 */
    while (event_log_trim(&r.s.log, 1, 2))
        continue;
    CHECK_INT(event_log_at(&r.s.log, event_log_first(&r.s.log))->pub.rev, 6);
    must_ok(state_rewind(&r.s, &r.s.now, 6, &m));
    CHECK(btree_get(&m.keys, STR("a"))->version == 6);
    image_release(&m);
    run_release(&r);
}

TEST(what_only_reads_needs_no_log)
{
    struct store_txn t;
    struct state_result res;
    struct str command;
    struct run r;

    run_init(&r, 1 << 20);
    run_put(&r, "a", "v", 0);
    store_txn_init(&t);
    store_txn_if(&t, STR("a"), STORE_VERSION, STORE_EQ, 1);
    store_txn_range(&t, STR("a"), STR_NONE, 0, false);
    must_ok(txn_command(&t, &command));
    CHECK_INT(state_read(&r.s, command, &r.a, &res), 0);
    CHECK(res.succeeded && res.op[0].n_kvs == 1 && res.rev == 1);
    store_txn_delete(&t, STR("a"), STR_NONE, STORE_NO_REV);
    must_ok(txn_command(&t, &command));
    CHECK_INT(state_read(&r.s, command, &r.a, &res), E_INVALID);
    CHECK_INT(btree_len(&r.s.now.keys), 1);
    store_txn_release(&t);
    run_release(&r);
}

/* Every command, cut at every byte or with any byte changed, is refused or safe to apply. */
TEST(mangled_commands_do_no_harm)
{
    struct store_txn t, inner;
    struct run r;
    struct str c;
    uint64_t dicing = 1;

    run_init(&r, 1 << 20);
    for (int round = 0; round < 200; round++) {
        rig_txn(&inner, &dicing, 4);
        store_txn_init(&t);
        store_txn_if_range(&t, range("/r/a", "/r/b"), STORE_LEASE, STORE_NE, 1);
        store_txn_nest(&t, &inner);
        store_txn_take_range(&t, STR("/r/a/"), STR("/r/a0"));
        store_txn_range(&t, STR("/r/"), STR_NONE, 3, false);
        store_txn_compact(&t, below(&dicing, 100));
        must_ok(txn_command(&t, &c));
        char *copy = mem_strndup(c);
        for (size_t i = 0; i < c.n; i++) {
            copy[i] ^= (char)(1 << below(&dicing, 8));
            arena_reset(&r.a);
            state_apply(&r.s, str_make(copy, c.n), 1, &r.a, &r.r);
            state_apply(&r.s, str_upto(c, i), 1, NULL, NULL);
            copy[i] = c.p[i];
        }
        mem_free(copy);
        store_txn_release(&inner);
        store_txn_release(&t);
    }
    image_check(&r.s.now);
    run_release(&r);
}
