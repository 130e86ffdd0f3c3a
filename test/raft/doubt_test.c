/* test/raft/doubt_test.c: what a head may still do that lost part of its log: votes, campaigns, questions; the vote
 * file, damaged in every byte; a log whose segments are gone; and one without peers. */
#include "raft/core_impl.h"
#include "raft/vote.h"
#include "raft/wal_format.h"
#include "test/raft/heads.h"

#define MS 1000000ull

static uint32_t small(void *arg, uint64_t index) { return 100; }

/* Head 1 of n; its log has entries 1..last of term 3. */
static void core_new(struct raft_core *c, unsigned n, uint64_t last, struct raft_doubt doubt)
{
    struct raft_core_opts o = { .id = 1, .seed = 1, .now_ns = 1000 * MS, .heartbeat_ns = 50 * MS,
                                .election_min_ns = 200 * MS, .election_max_ns = 400 * MS, .term = 3,
                                .restarted = true, .doubt = doubt, .entry_size = small };
    struct trail t;

    o.config.n = o.config.last_id = n;
    for (unsigned i = 0; i < n; i++)
        o.config.head[i] = (struct raft_head){ .id = i + 1, .parts = RAFT_VOTER };
    trail_init(&t, 0, 0);
    for (uint64_t i = 0; i < last; i++)
        trail_append(&t, 3);
    raft_core_init(c, &o, &t);
}

static void core_hear(struct raft_core *c, struct raft_message m)
{
    struct raft_update u;
    struct raft_event e = { .type = RAFT_EV_RECEIVE, .now_ns = 1500 * MS, .message = &m };

    m.to = 1;
    raft_core_step(c, &e, &u);
    raft_core_check(c);
}

static size_t core_said(struct raft_core *c, enum raft_message_type type)
{
    struct raft_message *m;
    size_t n = raft_core_flush(c, c->now_ns, &m), of_type = 0;

    for (size_t i = 0; i < n; i++)
        of_type += m[i].type == type;
    return of_type;
}

static void core_tick(struct raft_core *c, uint64_t now)
{
    struct raft_update u;
    struct raft_event e = { .type = RAFT_EV_TICK, .now_ns = now };

    raft_core_step(c, &e, &u);
    raft_core_check(c);
}

static bool votes_for(struct raft_doubt doubt, uint64_t last_index, uint64_t last_term)
{
    struct raft_core c;

    core_new(&c, 3, 4, doubt);
    core_hear(&c, (struct raft_message){ .type = RAFT_MSG_VOTE, .from = 2, .term = 7,
                                         .vote = { last_index, last_term, false } });
    bool yes = c.hard.vote == 2;
    raft_core_release(&c);
    return yes;
}

TEST(it_votes_only_for_logs_that_hold_what_it_lost)
{
    static const struct { uint64_t index, term; bool intact, doubtful; } at[] = {
        { 3, 3, false, false }, { 4, 3, true, false }, { 8, 3, true, false }, { 9, 3, true, true },
        { 10, 3, true, true }, { 2, 4, true, true }, { 100, 2, false, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        CHECK_INT(votes_for((struct raft_doubt){ 0, 0, false }, at[i].index, at[i].term), at[i].intact);
        CHECK_INT(votes_for((struct raft_doubt){ 9, 3, false }, at[i].index, at[i].term), at[i].doubtful);
        CHECK(!votes_for((struct raft_doubt){ 0, 0, true }, at[i].index, at[i].term));
    }
}

TEST(it_does_not_stand_before_it_has_all_again)
{
    struct raft_entry entry[5];
    struct raft_core c;

    core_new(&c, 3, 4, (struct raft_doubt){ 9, 3, false });
    core_tick(&c, 3000 * MS);
    CHECK_INT(c.role, RAFT_FOLLOWER);
    core_hear(&c, (struct raft_message){ .type = RAFT_MSG_TIMEOUT_NOW, .from = 2, .term = 3 });
    CHECK_INT(c.role, RAFT_FOLLOWER);
    for (size_t i = 0; i < 5; i++)
        entry[i] = (struct raft_entry){ .term = 3, .type = RAFT_ENTRY_COMMAND };
    core_hear(&c, (struct raft_message){ .type = RAFT_MSG_APPEND, .from = 2, .term = 3,
                                         .append = { .prev_index = 4, .prev_term = 3, .n = 5, .entry = entry } });
    CHECK_INT(c.trail.last, 9);
    core_tick(&c, 9000 * MS);
    CHECK_INT(c.role, RAFT_PRECANDIDATE);
    raft_core_release(&c);
}

static void core_recall(struct raft_core *c, uint64_t from, uint64_t term, uint64_t index, uint64_t last_term)
{
    core_hear(c, (struct raft_message){ .type = RAFT_MSG_RECALL_REPLY, .from = from, .term = term,
                                        .recall_reply = { c->recall_ctx, index, last_term,
                                                          raft_config_voters(&c->config), 0 } });
}

TEST(one_that_knows_nothing_asks_all_others_first)
{
    struct raft_core c;

    core_new(&c, 5, 0, (struct raft_doubt){ 0, 0, true });
    core_tick(&c, 3000 * MS);
    CHECK_INT(core_said(&c, RAFT_MSG_RECALL), 4);
    core_hear(&c, (struct raft_message){ .type = RAFT_MSG_HEARTBEAT, .from = 2, .term = 9,
                                         .heartbeat = { 5, 7, 7 } });
    core_hear(&c, (struct raft_message){ .type = RAFT_MSG_RECALL, .from = 2, .recall = { 5 } });
    CHECK_INT(core_said(&c, RAFT_MSG_ACK) + core_said(&c, RAFT_MSG_RECALL_REPLY), 0);
    core_recall(&c, 2, 9, 20, 8);
    core_recall(&c, 3, 8, 30, 7);
    core_recall(&c, 4, 9, 21, 8);
    core_recall(&c, 4, 9, 21, 8);                /* again: still three */
    core_hear(&c, (struct raft_message){ .type = RAFT_MSG_RECALL_REPLY, .from = 5, .term = 9,
                                         .recall_reply = { c.recall_ctx + 1, 1, 1, 0, 0 } });    /* of a former life */
    CHECK(c.doubt.lost);
    core_recall(&c, 5, 2, 1, 1);
    CHECK(!c.doubt.lost);
    CHECK_INT(c.hard.term, 9);
    CHECK(c.hard.vote == RAFT_VOTE_UNKNOWN);
    CHECK_INT(c.doubt.index, 21);
    CHECK_INT(c.doubt.term, 8);
    core_hear(&c, (struct raft_message){ .type = RAFT_MSG_VOTE, .from = 3, .term = 9, .vote = { 50, 9, false } });
    CHECK(c.hard.vote == RAFT_VOTE_UNKNOWN);     /* it may have voted in that term */
    raft_core_release(&c);
}

static void core_other_asks(struct raft_core *c, uint64_t from)
{
    core_hear(c, (struct raft_message){ .type = RAFT_MSG_RECALL, .from = from, .recall = { 77 } });
}

/* Two of five are lost: three know all that counts.  But they have to say so once both losses are known. */
TEST(two_of_five_that_know_nothing_need_not_wait_for_each_other)
{
    struct raft_core c;

    core_new(&c, 5, 0, (struct raft_doubt){ 0, 0, true });
    core_recall(&c, 2, 9, 20, 8);
    core_recall(&c, 3, 9, 20, 8);
    uint64_t before = c.recall_ctx;
    core_other_asks(&c, 5);
    CHECK(c.recall_ctx != before);
    core_recall(&c, 4, 9, 21, 8);
    CHECK(c.doubt.lost);                         /* 2 and 3 spoke too early */
    core_other_asks(&c, 5);
    core_recall(&c, 2, 10, 22, 9);
    core_recall(&c, 3, 9, 20, 8);
    CHECK(!c.doubt.lost);
    CHECK_INT(c.hard.term, 10);
    CHECK_INT(c.doubt.index, 22);
    CHECK_INT(c.doubt.term, 9);
    raft_core_release(&c);
}

TEST(a_majority_that_knows_nothing_stays_silent)
{
    for (unsigned n = 3; n <= 5; n += 2) {
        struct raft_core c;
        core_new(&c, n, 0, (struct raft_doubt){ 0, 0, true });
        for (unsigned other = 2; other <= (n + 1) / 2; other++)
            core_other_asks(&c, other);
        for (unsigned other = (n + 1) / 2 + 1; other <= n; other++)
            core_recall(&c, other, 9, 20, 8);
        CHECK(c.doubt.lost);
        for (unsigned other = 2; other <= (n + 1) / 2; other++)
            core_recall(&c, other, 4, 1, 4);     /* they have learned meanwhile */
        CHECK(!c.doubt.lost);
        raft_core_release(&c);
    }
}

/* ---- An empty directory ------------------------------------------------------------------------------ */

static void newborn_new(struct raft_core *c, unsigned n)
{
    core_new(c, n, 0, (struct raft_doubt){ 0 });
    c->hard.term = 0;
    c->newborn = c->doubt.lost = true;
}

static void core_recall_newborn(struct raft_core *c, uint64_t from)
{
    core_hear(c, (struct raft_message){ .type = RAFT_MSG_RECALL_REPLY, .from = from,
                                        .recall_reply = { c->recall_ctx, 0, 0, raft_config_voters(&c->config), 1 } });
}

TEST(a_cluster_begins_once_all_say_that_it_is_new)
{
    struct raft_core c;

    newborn_new(&c, 3);
    core_hear(&c, (struct raft_message){ .type = RAFT_MSG_VOTE, .from = 2, .term = 1, .vote = { 5, 1, false } });
    CHECK_INT(c.hard.vote, 0);
    core_recall_newborn(&c, 2);
    CHECK(c.newborn);
    core_other_asks(&c, 3);                      /* which is new, too: no reason for either to wait */
    CHECK_INT(core_said(&c, RAFT_MSG_RECALL_REPLY), 1);
    core_recall(&c, 3, 0, 0, 0);                 /* it has begun, but has nothing yet */
    CHECK(!c.newborn && !c.doubt.lost);
    core_hear(&c, (struct raft_message){ .type = RAFT_MSG_VOTE, .from = 2, .term = 1 });
    CHECK_INT(c.hard.vote, 2);
    raft_core_release(&c);
}

/* Somebody was voted for, perhaps by us before our directory was lost: not again in that term. */
TEST(a_cluster_begins_in_the_term_of_a_first_candidate)
{
    struct raft_core c;

    newborn_new(&c, 3);
    core_recall(&c, 2, 1, 0, 0);
    core_recall_newborn(&c, 3);
    CHECK(!c.doubt.lost);
    CHECK_INT(c.hard.term, 1);
    CHECK(c.hard.vote == RAFT_VOTE_UNKNOWN);
    raft_core_release(&c);
}

TEST(an_empty_directory_in_a_cluster_with_a_history_is_a_lost_one)
{
    struct raft_core c;

    newborn_new(&c, 3);
    core_recall(&c, 2, 7, 40, 7);
    CHECK(!c.newborn && c.doubt.lost);
    core_recall(&c, 3, 6, 30, 6);
    CHECK(!c.doubt.lost);
    CHECK_INT(c.hard.term, 7);
    CHECK_INT(c.doubt.index, 40);
    raft_core_release(&c);

    newborn_new(&c, 3);                          /* two of three are empty: nobody knows what they decided */
    core_recall_newborn(&c, 3);
    core_recall(&c, 2, 7, 40, 7);
    core_recall(&c, 2, 7, 40, 7);
    core_recall_newborn(&c, 3);
    CHECK(c.doubt.lost);
    raft_core_release(&c);
}

TEST(who_has_an_outdated_membership_stays_silent)
{
    struct raft_core c;

    newborn_new(&c, 3);
    core_hear(&c, (struct raft_message){ .type = RAFT_MSG_RECALL_REPLY, .from = 2, .term = 7,
                                         .recall_reply = { c.recall_ctx, 40, 7, 12345, 0 } });
    CHECK(c.outdated);
    core_recall(&c, 2, 7, 40, 7);
    core_recall(&c, 3, 7, 40, 7);
    CHECK(c.doubt.lost);
    core_said(&c, RAFT_MSG_RECALL);
    core_tick(&c, 90000 * MS);
    CHECK_INT(core_said(&c, RAFT_MSG_RECALL), 0);
    raft_core_release(&c);
}

/* ---- The vote file --------------------------------------------------------------------------------- */

TEST(a_vote_file_with_a_flipped_bit_anywhere)
{
    struct vote v = { .cluster = 7, .head = 1, .term = 5, .vote = 2, .seq = 3, .synced = 4096,
                      .doubt = { 8, 4, false } }, back;
    char bytes[VOTE_BYTES];

    for (size_t at = 0; at < VOTE_BYTES; at++) {
        vote_encode(&v, bytes);
        CHECK_INT(vote_decode(str_make(bytes, sizeof bytes), &back), 2);
        bytes[at] ^= (char)(1 << at % 8);
        CHECK_INT(vote_decode(str_make(bytes, sizeof bytes), &back), 1);
        CHECK(back.term == 5 && back.vote == 2 && back.seq == 3 && back.doubt.index == 8);
        bytes[(at + VOTE_PAGE) % VOTE_BYTES] ^= 4;
        CHECK_INT(vote_decode(str_make(bytes, sizeof bytes), &back), 0);
    }
    for (size_t n = 0; n < VOTE_BYTES; n += 511)
        CHECK(vote_decode(str_make(bytes, n), &back) <= 1);
}

/* ---- Whole heads ----------------------------------------------------------------------------------- */

static unsigned applied_here;
static struct raft_proposal proposal[64];
static void on_failed(struct raft_proposal *p, int err) { CHECK_INT(err, 0); }
static void on_local(struct head *h, uint64_t index, struct raft_proposal *p) { applied_here++; }
static bool all_applied(struct group *g)
{
    for (unsigned i = 0; i < g->n; i++)
        if (g->head[i].raft != NULL && g->head[i].count != applied_here)
            return false;
    return applied_here == ARRAY_LEN(proposal);
}

static void write_some(struct group *g)
{
    applied_here = 0;
    head_on_local = on_local;
    for (unsigned i = 0; i < g->n; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    for (size_t i = 0; i < ARRAY_LEN(proposal); i++) {
        proposal[i] = (struct raft_proposal){ .failed = on_failed };
        raft_propose(g->head[0].raft, &proposal[i], STR("some command, not too short"));
    }
    CHECK(group_run(g, all_applied, 5000));
}

static void spoil(struct head *h, const char *name, size_t at)
{
    struct buf b = BUF_INIT;
    struct disk *d;

    must_ok(disk_open(h->g->loop, h->g->dir[h->n], &d, NULL));
    must_ok(disk_read_now(d, name, &b, NULL));
    CHECK(b.n > at);
    b.p[at] ^= 0x40;
    must_ok(disk_replace_now(d, name, buf_str(&b), NULL));
    buf_release(&b);
    disk_close(d);
}

#define FIRST "wal-0000000000000001.seg"

TEST(a_damaged_log_is_mended_by_others)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(3, &base, 0);

    write_some(g);
    for (unsigned round = 0; round < 3; round++) {
        struct head *h = &g->head[round];
        head_stop(h);
        spoil(h, FIRST, sizeof(struct wal_header) + 500);
        head_start(h);
        CHECK(group_run(g, all_applied, 5000));
    }
    group_free(g);
}

TEST(alone_it_refuses_and_says_what_to_do)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(1, &base, 0);
    struct errbuf err = { "" };

    write_some(g);
    head_stop(&g->head[0]);
    spoil(&g->head[0], FIRST, sizeof(struct wal_header) + 500);
    for (int again = 0; again < 2; again++) {
        CHECK_INT(head_start_err(&g->head[0], &err), E_CORRUPT);
        CHECK(strstr(err.s, FIRST " at byte ") != NULL && strstr(err.s, "entries behind ") != NULL);
        CHECK(strstr(err.s, "coracle check ") != NULL && strstr(err.s, "coracle snapshot restore") != NULL);
        group_run(g, group_has_leader, 20);      /* what was half open closes from the loop */
        disk_close(g->head[0].disk);
    }
    g->head[0].raft = NULL;
    spoil(&g->head[0], FIRST, sizeof(struct wal_header) + 500);    /* nothing was changed: back again, it is well */
    head_start(&g->head[0]);
    CHECK(group_run(g, all_applied, 5000));
    group_free(g);
}
