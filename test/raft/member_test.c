/* test/raft/member_test.c: the membership of whole hosts changes while they work: one head becomes three, five,
 * and three again; who is removed learns of it; who is asked for the impossible says why. */
#include "test/raft/heads.h"

struct write { struct raft_proposal p; bool out; int err; };
static struct write writes[20000];
static unsigned writes_n, writes_open, writes_failed;
static struct timer load;
static struct group *load_group;
static bool load_on;

static void write_end(struct write *o, int err)
{
    CHECK(o->out);
    o->out = false;
    o->err = err;
    writes_open--;
    writes_failed += err != 0;
}

static void write_on_failed(struct raft_proposal *p, int err) { write_end(container_of(p, struct write, p), err); }
static void write_on_local(struct head *h, uint64_t index, struct raft_proposal *p)
{
    write_end(container_of(p, struct write, p), 0);
}

/* Every millisecond a command, through the founders in turn: they stay. */
static void load_on_timer(struct timer *t)
{
    struct head *h = &load_group->head[writes_n % load_group->founders];
    struct write *o = &writes[writes_n++];

    must(writes_n < ARRAY_LEN(writes));
    o->out = true;
    writes_open++;
    o->p.failed = write_on_failed;
    raft_propose(h->raft, &o->p, STR("a command of some bytes"));
    if (load_on)
        timer_start(t, 1);
}

static void load_begin(struct group *g)
{
    memset(writes, 0, sizeof(writes));
    writes_n = writes_open = writes_failed = 0;
    head_on_local = write_on_local;
    load_group = g;
    load_on = true;
    timer_init(&load, g->loop, load_on_timer);
    timer_start(&load, 1);
}

static bool load_is_over(struct group *g) { return writes_open == 0; }

static void load_end(struct group *g)
{
    load_on = false;
    timer_stop(&load);
    CHECK(group_run(g, load_is_over, 6000));
}

static struct group *group_started(unsigned n, const struct raft_opts *base, size_t ballast)
{
    struct group *g = group_new(n, base, ballast);

    for (unsigned i = 0; i < n; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    return g;
}

static struct head *awaited;
static bool awaited_caught_up(struct group *g)
{
    struct head *l = group_leader(g);
    struct raft_status st;

    if (l == NULL)
        return false;
    raft_status(l->raft, &st);
    for (unsigned i = 0; i < st.n_heads; i++)
        if (st.head[i].id == awaited->n + 1)
            return st.head[i].heard && st.head[i].match > 0 && st.head[i].lag < 100;
    return false;
}
static bool awaited_removed(struct group *g) { return awaited->removed > 0; }

static int change(struct head *h, enum raft_change_op op, uint64_t id)
{
    return group_change(h, (struct raft_change_spec){ .op = op, .id = id });
}

/* Asked through any head: added, started, caught up, promoted. */
static struct head *grow(struct group *g, struct head *through)
{
    struct head *h = group_add(g);

    CHECK_INT(group_change(through, (struct raft_change_spec){ .op = RAFT_ADD, .addr = g->addr[h->n] }), 0);
    CHECK_INT(asked.id, h->n + 1);
    head_start(h);
    awaited = h;
    CHECK(group_run(g, awaited_caught_up, 5000));
    CHECK_INT(change(through, RAFT_PROMOTE, h->n + 1), 0);
    return h;
}

static bool heads_equal(struct group *g)
{
    struct head *a = NULL;
    struct raft_status st;

    for (unsigned i = 0; i < g->n; i++) {
        struct head *h = &g->head[i];
        if (h->raft == NULL || h->removed > 0)
            continue;
        raft_status(h->raft, &st);
        if (a == NULL)
            a = h;
        if (!st.member || h->count != a->count || h->hash != a->hash)
            return false;
    }
    return true;
}

static unsigned voters(struct head *h)
{
    struct raft_status st;
    unsigned n = 0;

    raft_status(h->raft, &st);
    for (unsigned i = 0; i < st.n_heads; i++)
        n += st.head[i].voter;
    return n;
}

TEST(one_three_five_three_under_load)
{
    struct raft_opts base = { .snapshot_bytes = 100000, .segment_bytes = 65536 };
    struct group *g = group_started(1, &base, 0);

    load_begin(g);
    for (unsigned i = 0; i < 4; i++)
        grow(g, &g->head[i % 2]);
    CHECK_INT(voters(&g->head[0]), 5);
    CHECK_INT(change(&g->head[2], RAFT_TRANSFER, 5), 0);       /* so that the one to go leads */
    for (unsigned i = 4; i >= 3; i--) {
        awaited = &g->head[i];
        CHECK_INT(change(&g->head[1], RAFT_REMOVE, i + 1), 0);
        CHECK(group_run(g, awaited_removed, 3000));
        head_stop(awaited);
    }
    load_end(g);
    CHECK_INT(writes_failed, 0);
    CHECK(writes_n > 20);                        /* there was a load: a command per millisecond */
    CHECK_INT(voters(&g->head[0]), 3);
    CHECK(group_run(g, heads_equal, 3000));
    CHECK_INT(g->head[0].count, writes_n);
    for (unsigned i = 0; i < 3; i++)
        head_stop(&g->head[i]);
    for (unsigned i = 0; i < 3; i++)             /* what they know of each other is on their disks */
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    CHECK(group_run(g, heads_equal, 3000));
    CHECK_INT(voters(&g->head[2]), 3);
    group_free(g);
}

TEST(what_cannot_be_is_refused_with_the_reason)
{
    static const struct { struct raft_change_spec s; int err; const char *says; } row[] = {
        { { .op = RAFT_REMOVE, .id = 9 }, E_NOTFOUND, "there is no head 9" },
        { { .op = RAFT_PROMOTE, .id = 1 }, E_EXISTS, "head 1 is a voter already" },
        { { .op = RAFT_DEMOTE, .id = 1 }, E_INVALID, "the last voter cannot go" },
        { { .op = RAFT_REMOVE, .id = 1 }, E_INVALID, "the last voter cannot go" },
        { { .op = RAFT_ADD }, E_INVALID, "a head needs an address where the others reach it" },
        { { .op = RAFT_ADD, .id = 1, .addr = "x" }, E_EXISTS, "head 1 is a member already" },
        { { .op = RAFT_UPDATE, .id = 1, .addr = "" }, E_INVALID, "a head needs an address where the others reach it" },
        { { .op = RAFT_ADD, .addr = "unix:/nowhere", .name = "two" }, 0, "" },
        { { .op = RAFT_ADD, .addr = "unix:/nowhere" }, E_EXISTS, "head 2 has the address unix:/nowhere" },
        { { .op = RAFT_ADD, .addr = "x", .name = "two" }, E_EXISTS, "head 2 has the name two" },
        { { .op = RAFT_PROMOTE, .id = 2 }, E_AGAIN, "head 2 does not answer; it must run and catch up before it may vote" },
        { { .op = RAFT_REPLACE, .id = 1, .by = 2 }, E_AGAIN, "head 2 does not answer; it must run and catch up before it may vote" },
        { { .op = RAFT_TRANSFER, .id = 2 }, E_NOTFOUND, "head 2 is no voter" },
        { { .op = RAFT_REMOVE, .id = 2 }, 0, "" },
        { { .op = RAFT_ADD, .id = 2, .addr = "x" }, E_INVALID, "number 2 was given before; a head that comes back gets a new one" },
        { { .op = RAFT_TRANSFER, .id = 1 }, 0, "" },
    };
    struct raft_opts base = { 0 };
    struct group *g = group_started(1, &base, 0);

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        CHECK_INT(group_change(&g->head[0], row[i].s), row[i].err);
        CHECK_STR(str_of(asked.reason), row[i].says);
    }
    group_free(g);
}

/* A head that was away while it was removed does not get in any more, and is told. */
TEST(who_was_removed_while_away_is_told_so)
{
    struct raft_opts base = { 0 };
    struct group *g = group_started(3, &base, 0);
    struct head *gone = &g->head[(group_leader(g)->n + 1) % 3], *other;
    struct raft_status before, after;

    head_stop(gone);
    CHECK_INT(change(group_leader(g), RAFT_REMOVE, gone->n + 1), 0);
    raft_status(group_leader(g)->raft, &before);
    head_start(gone);
    awaited = gone;
    CHECK(group_run(g, awaited_removed, 3000));
    CHECK_INT(gone->removed, 1);
    other = group_leader(g);
    CHECK(other != NULL && other != gone);
    raft_status(other->raft, &after);
    CHECK_INT(after.term, before.term);          /* nobody was disturbed */
    CHECK_INT(after.n_heads, 2);
    group_free(g);
}

/* A voter and a learner change places in one step, with the learner far behind a snapshot at first. */
TEST(a_voter_is_replaced)
{
    struct raft_opts base = { .snapshot_bytes = 30000, .segment_bytes = 16384 };
    struct group *g = group_started(3, &base, 3000000);
    struct head *old = &g->head[(group_leader(g)->n + 1) % 3], *new;

    load_begin(g);
    new = group_add(g);
    CHECK_INT(group_change(&g->head[0], (struct raft_change_spec){ .op = RAFT_ADD, .addr = g->addr[3] }), 0);
    head_start(new);
    awaited = new;
    CHECK(group_run(g, awaited_caught_up, 8000));
    load_end(g);
    CHECK_INT(group_change(new, (struct raft_change_spec){ .op = RAFT_REPLACE, .id = old->n + 1, .by = 4 }), 0);
    awaited = old;
    CHECK(group_run(g, awaited_removed, 3000));
    CHECK_INT(voters(new), 3);
    CHECK(group_run(g, heads_equal, 3000));
    CHECK_INT(writes_failed, 0);
    group_free(g);
}

static bool named(struct group *g)
{
    struct raft_status st;

    raft_status(g->head[0].raft, &st);
    return st.n_heads == 2 && strcmp(st.head[0].name, "n") == 0 && strcmp(st.head[0].api, "https://a:6443") == 0;
}

/* Name and URLs become known by themselves; an address is changed while its head is reached at another. */
TEST(names_and_addresses)
{
    struct raft_opts base = { .name = "n", .api_url = "https://a:6443" };
    struct group *g = group_started(1, &base, 0);
    struct head *two = group_add(g);

    CHECK_INT(group_change(&g->head[0], (struct raft_change_spec){ .op = RAFT_ADD, .addr = "unix:/wrong" }), 0);
    g->base.name = "m";
    head_start(two);
    CHECK(group_run(g, named, 3000));
    CHECK_INT(group_change(&g->head[0], (struct raft_change_spec){ .op = RAFT_UPDATE, .id = 2, .addr = g->addr[1] }), 0);
    awaited = two;
    CHECK(group_run(g, awaited_caught_up, 3000));
    CHECK_INT(change(&g->head[0], RAFT_PROMOTE, 2), 0);
    CHECK_INT(voters(two), 2);
    group_free(g);
}
