/* test/raft/host_test.c: whole hosts: real loop, sockets and disks. */
#include "test/raft/heads.h"

struct op { struct raft_proposal p; unsigned head; int result; bool done; char text[32]; };
#define OPS 12000
static struct op op[OPS];
static unsigned op_n, op_done;

static void op_end(struct op *o, int result)
{
    CHECK(!o->done);
    o->done = true;
    o->result = result;
    op_done++;
}

static void op_on_failed(struct raft_proposal *p, int err) { op_end(container_of(p, struct op, p), err); }
static void op_on_local(struct head *h, uint64_t index, struct raft_proposal *p)
{
    struct op *o = container_of(p, struct op, p);

    CHECK(o->head == h->n);
    op_end(o, 0);
}

static void ops_reset(void)
{
    memset(op, 0, sizeof(op));
    op_n = op_done = 0;
    head_on_local = op_on_local;
}

static struct op *op_start(struct head *h)
{
    struct op *o = &op[op_n++];

    o->head = h->n;
    o->p.failed = op_on_failed;
    snprintf(o->text, sizeof(o->text), "command %u", op_n);
    raft_propose(h->raft, &o->p, str_of(o->text));
    return o;
}

static bool ops_done(struct group *g) { return op_done == op_n; }

static bool group_equal(struct group *g)
{
    struct head *a = NULL;

    for (unsigned i = 0; i < g->n; i++) {
        if (g->head[i].raft == NULL)
            continue;
        if (a == NULL)
            a = &g->head[i];
        if (g->head[i].count != a->count || g->head[i].hash != a->hash)
            return false;
    }
    return true;
}

static unsigned ops_ok(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < op_n; i++)
        n += op[i].done && op[i].result == 0;
    return n;
}

TEST(three_heads_take_proposals_from_each)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(3, &base, 0);

    ops_reset();
    for (unsigned i = 0; i < 3; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    for (unsigned i = 0; i < 300; i++)
        op_start(&g->head[i % 3]);
    CHECK(group_run(g, ops_done, 5000));
    CHECK_INT(ops_ok(), 300);
    CHECK(group_run(g, group_equal, 2000));
    CHECK_INT(g->head[0].count, 300);
    group_free(g);
}

TEST(kill_one_and_restart_it)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(3, &base, 0);

    ops_reset();
    for (unsigned i = 0; i < 3; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    struct head *old = group_leader(g), *other = &g->head[(old->n + 1) % 3];
    for (unsigned i = 0; i < 100; i++)
        op_start(i % 2 ? old : other);
    CHECK(group_run(g, ops_done, 5000));
    head_stop(old);
    CHECK(group_run(g, group_has_leader, 3000));
    for (unsigned i = 0; i < 100; i++)           /* a follower without leader holds them until there is one */
        op_start(other);
    CHECK(group_run(g, ops_done, 5000));
    CHECK_INT(ops_ok(), 200);
    head_start(old);
    CHECK(group_run(g, group_equal, 5000));
    CHECK_INT(old->count, 200);
    for (unsigned i = 0; i < 3; i++)
        head_stop(&g->head[i]);
    for (unsigned i = 0; i < 3; i++)             /* all at once from disk: nothing acknowledged is lost */
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    CHECK(group_run(g, group_equal, 3000));
    CHECK_INT(g->head[0].count, 200);
    group_free(g);
}

/* A start has more to apply than one turn takes. */
TEST(a_long_log_is_applied_again_over_several_turns)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(1, &base, 0);
    struct head *h = &g->head[0];

    ops_reset();
    head_start(h);
    CHECK(group_run(g, group_has_leader, 3000));
    while (op_n < 11000) {
        for (unsigned i = 0; i < 1000; i++)
            op_start(h);
        CHECK(group_run(g, ops_done, 5000));
    }
    CHECK_INT(ops_ok(), 11000);
    CHECK(h->count > RAFT_APPLY_PER_TURN);
    head_stop(h);
    head_start(h);
    CHECK(group_run(g, group_has_leader, 3000));
    CHECK_INT(h->count, 11000);
    op_start(h);
    CHECK(group_run(g, ops_done, 3000));
    CHECK_INT(h->count, 11001);
    group_free(g);
}

TEST(one_head_alone)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(1, &base, 0);

    ops_reset();
    head_start(&g->head[0]);
    CHECK(group_run(g, group_has_leader, 3000));
    for (unsigned i = 0; i < 50; i++)
        op_start(&g->head[0]);
    CHECK(group_run(g, ops_done, 5000));
    CHECK_INT(ops_ok(), 50);
    CHECK(raft_read_now(g->head[0].raft));
    group_free(g);
}

TEST(no_quorum_means_no_answer_but_a_clear_one)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(3, &base, 0);

    ops_reset();
    head_start(&g->head[0]);
    op_start(&g->head[0]);
    CHECK(group_run(g, ops_done, 5000));
    CHECK_INT(op[0].result, E_NOLEADER);
    group_free(g);
}

static struct { struct raft_read r; bool done; int err; uint64_t floor; struct head *head; } rd[300];
static unsigned rd_n, rd_done;
static void rd_on_done(struct raft_read *r, int err)
{
    for (unsigned i = 0; i < rd_n; i++)
        if (&rd[i].r == r) {
            CHECK(!rd[i].done);
            rd[i].done = true;
            rd[i].err = err;
            if (err == 0)
                CHECK(rd[i].head->count >= rd[i].floor);
            rd_done++;
        }
}
static bool rd_all(struct group *g) { return rd_done == rd_n; }

TEST(reads_see_what_was_acknowledged_before)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(3, &base, 0);

    ops_reset();
    memset(rd, 0, sizeof(rd));
    rd_n = rd_done = 0;
    for (unsigned i = 0; i < 3; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    for (unsigned round = 0; round < 30; round++) {
        op_start(&g->head[round % 3]);
        CHECK(group_run(g, ops_done, 5000));
        for (unsigned i = 0; i < 3; i++) {
            rd[rd_n].head = &g->head[i];
            rd[rd_n].floor = op_n;
            rd[rd_n].r.done = rd_on_done;
            raft_read(g->head[i].raft, &rd[rd_n++].r);
        }
        CHECK(group_run(g, rd_all, 5000));
    }
    for (unsigned i = 0; i < rd_n; i++)
        CHECK_INT(rd[i].err, 0);
    CHECK(raft_read_now(group_leader(g)->raft));
    CHECK(!raft_read_now(g->head[(group_leader(g)->n + 1) % 3].raft));
    group_free(g);
}

static bool leader_is_1(struct group *g) { return g->head[1].leading; }
static bool leader_is_0(struct group *g) { return g->head[0].leading; }

TEST(leadership_is_handed_over)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(3, &base, 0);

    ops_reset();
    for (unsigned i = 0; i < 3; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    for (unsigned i = 0; i < 2; i++) {
        unsigned to = i == 0 ? (g->head[1].leading ? 0 : 1) : (g->head[1].leading ? 0 : 1);
        group_ask(&g->head[i], (struct raft_change_spec){ .op = RAFT_TRANSFER, .id = to + 1 });
        for (unsigned k = 0; k < 20; k++)
            op_start(&g->head[k % 3]);           /* in the middle of it: held, not lost */
        CHECK(group_run(g, to == 1 ? leader_is_1 : leader_is_0, 300));
        CHECK(group_run(g, ops_done, 5000));
        CHECK(group_run(g, asked_is_done, 1000) && asked.err == 0 && asked.id == to + 1);
    }
    CHECK_INT(ops_ok(), 40);
    group_free(g);
}

static bool quiet_time_over(struct group *g) { return false; }
static struct head *lagging;
static bool lagging_restored(struct group *g) { return lagging->restores > 0 && group_equal(g); }
static bool ops_mostly_done(struct group *g) { return op_done == op_n; }

static void count_snapshots(void *arg, const char *name, uint64_t size)
{
    *(unsigned *)arg += strncmp(name, "snap-", 5) == 0;
}

TEST(a_head_that_lags_gets_a_snapshot)
{
    struct raft_opts base = { .snapshot_bytes = 200000, .log_bytes = 1 << 20, .segment_bytes = 65536 };
    struct group *g = group_new(3, &base, 3u << 20);
    static char big[8000];

    ops_reset();
    for (unsigned i = 0; i < 3; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    lagging = &g->head[(group_leader(g)->n + 1) % 3];
    head_stop(lagging);
    lagging->restores = 0;
    for (unsigned i = 0; i < 2000; i++) {
        struct op *o = &op[op_n++];
        o->head = group_leader(g)->n;
        o->p.failed = op_on_failed;
        memset(big, (int)i, sizeof(big));
        raft_propose(group_leader(g)->raft, &o->p, str_make(big, sizeof(big)));
        if (i % 50 == 0)
            CHECK(group_run(g, ops_mostly_done, 5000));
    }
    CHECK(group_run(g, ops_done, 10000));
    CHECK_INT(ops_ok(), 2000);
    head_start(lagging);
    CHECK(group_run(g, lagging_restored, 10000));
    CHECK_INT(lagging->count, 2000);
    op_start(lagging);
    CHECK(group_run(g, ops_done, 3000));
    group_run(g, quiet_time_over, 50);
    for (unsigned i = 0; i < 3; i++) {
        unsigned snapshots = 0;
        disk_list_now(g->head[i].disk, count_snapshots, &snapshots, NULL);
        CHECK(snapshots >= 1 && snapshots <= 2);
    }
    for (unsigned i = 0; i < 3; i++)             /* and everybody comes back from snapshot and log */
        head_stop(&g->head[i]);
    for (unsigned i = 0; i < 3; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    CHECK(group_run(g, group_equal, 3000));
    CHECK_INT(g->head[0].count, 2001);
    group_free(g);
}

TEST(idle_heads_do_not_write)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(3, &base, 0);
    struct raft_status before, after;

    ops_reset();
    for (unsigned i = 0; i < 3; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    op_start(&g->head[0]);
    CHECK(group_run(g, ops_done, 3000));
    group_run(g, quiet_time_over, 700);          /* the seal is written in this time */
    for (unsigned i = 0; i < 3; i++) {
        raft_status(g->head[i].raft, &before);
        group_run(g, quiet_time_over, 200);
        raft_status(g->head[i].raft, &after);
        CHECK_INT(after.fsyncs - before.fsyncs, 0);
        CHECK_INT(after.bytes_written - before.bytes_written, 0);
    }
    group_free(g);
}
