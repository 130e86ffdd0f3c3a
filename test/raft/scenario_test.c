/* test/raft/scenario_test.c: known hard places of Raft, one by one, with the expected course inline. */
#include "test/test.h"
#include "test/raft/cluster.h"

static void isolate(struct cluster *cl, struct node *nd, bool on)
{
    for (unsigned i = 0; i < cl->n; i++)
        if (i != nd->id - 1)
            cl->cut[nd->id - 1][i] = cl->cut[i][nd->id - 1] = on;
}

/* Three heads, the first to lead is found; elections after that go into the trace. */
static struct cluster *settled(unsigned n)
{
    struct cluster *cl = cl_new(42, n);

    cl_boot(cl);
    cl_run(cl, 2000 * MS);
    CHECK(cl_leader(cl) != NULL);
    CHECK_INT(cl_propose(cl, cl_leader(cl), 1), 0);
    cl_run(cl, 100 * MS);
    cl->tracing = true;
    return cl;
}

static void finish(struct cluster *cl)
{
    if (cl->broken[0] != '\0')
        test_fail(__FILE__, __LINE__, "%s", cl->broken);
    cl_free(cl);
}

static struct node *follower_of(struct cluster *cl) { return &cl->node[cl_leader(cl)->id % cl->n]; }

TEST(a_returning_head_disturbs_nobody)
{
    struct cluster *cl = settled(3);
    struct node *leader = cl_leader(cl), *gone = follower_of(cl);
    uint64_t term = leader->core.hard.term;

    isolate(cl, gone, true);
    cl_run(cl, 5000 * MS);
    CHECK_INT(gone->core.hard.term, term);       /* pre-vote: it never got to raise its term */
    isolate(cl, gone, false);
    cl_run(cl, 1000 * MS);
    CHECK(cl_leader(cl) == leader);
    CHECK_INT(leader->core.hard.term, term);
    CHECK_STR(str_make(cl->trace, cl->trace_n), "");
    finish(cl);
}

TEST(a_leader_cut_off_steps_down_and_another_leads)
{
    struct cluster *cl = settled(3);
    struct node *old = cl_leader(cl);

    isolate(cl, old, true);
    cl_run(cl, 1200 * MS);
    CHECK(old->core.role != RAFT_LEADER);
    CHECK(cl_leader(cl) != NULL && cl_leader(cl) != old);
    isolate(cl, old, false);
    cl_run(cl, 1000 * MS);
    CHECK_INT(old->core.leader, cl_leader(cl)->id);
    CHECK_INT(cl->elections, 2);
    finish(cl);
}

/* Its words go out, no answer comes back: stickiness alone would keep it in office for ever. */
TEST(a_leader_that_only_speaks_steps_down)
{
    struct cluster *cl = settled(3);
    struct node *old = cl_leader(cl);

    for (unsigned i = 0; i < 3; i++)
        cl->cut[i][old->id - 1] = i != old->id - 1;
    cl_run(cl, 2000 * MS);
    CHECK(cl_leader(cl) != NULL && cl_leader(cl) != old);
    CHECK(old->core.role != RAFT_LEADER);
    finish(cl);
}

/* A partial partition: one follower cannot hear the leader, everybody else can hear everybody. Nothing may
 * change. */
TEST(a_follower_that_cannot_hear_the_leader_unseats_nobody)
{
    struct cluster *cl = settled(3);
    struct node *leader = cl_leader(cl), *deaf = follower_of(cl);

    cl->cut[leader->id - 1][deaf->id - 1] = cl->cut[deaf->id - 1][leader->id - 1] = true;
    cl_run(cl, 5000 * MS);
    CHECK(cl_leader(cl) == leader);
    CHECK_STR(str_make(cl->trace, cl->trace_n), "");
    finish(cl);
}

TEST(leadership_goes_where_it_is_sent)
{
    struct cluster *cl = settled(3);
    struct node *old = cl_leader(cl), *next = follower_of(cl);
    char want[64];

    CHECK(raft_core_lease(&old->core, node_clock(cl, old)));
    CHECK_INT(node_step(cl, old, (struct raft_event){ .type = RAFT_EV_TRANSFER, .transfer_to = next->id }), 0);
    CHECK(!raft_core_lease(&old->core, node_clock(cl, old)));  /* given up before the word is out */
    CHECK_INT(cl_propose(cl, old, 1), E_AGAIN);
    node_finish(cl, old);
    cl_run(cl, 50 * MS);                         /* no timeout is waited for */
    CHECK(cl_leader(cl) == next);
    snprintf(want, sizeof(want), "%llu leads term %llu\n", (unsigned long long)next->id,
             (unsigned long long)next->core.hard.term);
    CHECK_STR(str_make(cl->trace, cl->trace_n), want);
    CHECK_INT(node_step(cl, old, (struct raft_event){ .type = RAFT_EV_TRANSFER, .transfer_to = 0 }), E_NOLEADER);
    CHECK_INT(node_step(cl, next, (struct raft_event){ .type = RAFT_EV_TRANSFER, .transfer_to = 99 }), E_NOTFOUND);
    finish(cl);
}

TEST(a_handover_that_fails_is_called_off)
{
    struct cluster *cl = settled(3);
    struct node *old = cl_leader(cl), *next = follower_of(cl);

    isolate(cl, next, true);
    CHECK_INT(node_step(cl, old, (struct raft_event){ .type = RAFT_EV_TRANSFER, .transfer_to = next->id }), 0);
    node_finish(cl, old);
    cl_run(cl, 1000 * MS);
    CHECK(cl_leader(cl) == old);
    CHECK_INT(cl_propose(cl, old, 1), 0);
    CHECK(!raft_core_lease(&old->core, node_clock(cl, old)));  /* the word may still be under way */
    uint64_t reads = cl->reads_ok;
    CHECK_INT(cl_read(cl, old), 0);              /* but a round confirms reads */
    cl_run(cl, 50 * MS);
    CHECK_INT(cl->reads_ok, reads + 1);
    finish(cl);
}

TEST(reads_wait_for_a_majority)
{
    struct cluster *cl = settled(3);
    struct node *leader = cl_leader(cl), *other = follower_of(cl);
    uint64_t reads = cl->reads_ok;

    CHECK_INT(cl_read(cl, other), 0);            /* forwarded */
    cl_run(cl, 20 * MS);
    CHECK_INT(cl->reads_ok, reads + 1);
    isolate(cl, leader, true);
    cl_run(cl, 170 * MS);
    CHECK(!raft_core_lease(&leader->core, node_clock(cl, leader)));
    CHECK_INT(cl->elections, 1);                 /* the lease ends before anybody else can lead */
    CHECK_INT(cl_read(cl, leader), 0);
    cl_run(cl, 100 * MS);
    CHECK_INT(cl->reads_ok, reads + 1);          /* it may no longer answer alone */
    finish(cl);
}

/* Logs that went apart over hundreds of entries and several terms meet again within a few messages. */
TEST(conflicts_are_skipped_by_whole_terms)
{
    struct cluster *cl = cl_new(7, 3);
    cl->delay_max = cl->delay_min;               /* in order, as on a connection */
    static const uint64_t theirs[] = { 2, 3, 4, 6, 7, 9 };

    for (unsigned i = 0; i < 3; i++) {
        struct node *nd = &cl->node[i];
        for (unsigned k = 0; k < 10; k++)
            log_add(&nd->disk, (struct cell){ 1, k + 1 });
        for (unsigned k = 0; k < 1200; k++) {
            uint64_t term = i == 1 ? theirs[k / 200] : k < 600 ? 5 : 10;
            if (i != 1 || k < 1100)
                log_add(&nd->disk, (struct cell){ term, 1000 * (i == 1) + k + 100 });
        }
        nd->disk_term = 10;
        nd->ever = true;
    }
    cl_boot(cl);
    cl_run(cl, 4000 * MS);
    struct node *leader = cl_leader(cl);
    CHECK(leader != NULL && leader->id != 2);
    CHECK_INT(cl->node[1].core.commit, leader->core.commit);
    CHECK(leader->core.commit > 1200);
    CHECK(cl->refusals > 0 && cl->refusals <= 4);
    finish(cl);
}

/* Rot in a log's last record looks like a torn write: the head starts without an entry it had acknowledged.
 * The leader finds out and sends it again. */
TEST(a_head_that_lost_what_it_acknowledged_gets_it_again)
{
    for (unsigned lost = 1; lost <= 3; lost++) {
        struct cluster *cl = settled(3);
        struct node *leader = cl_leader(cl), *ill = follower_of(cl);
        CHECK_INT(cl_propose(cl, leader, 3), 0);
        cl_run(cl, 200 * MS);
        CHECK_INT(ill->applied, leader->applied);
        node_crash(cl, ill);
        log_cut(&ill->disk, log_last(&ill->disk) - lost + 1);
        node_boot(cl, ill);
        cl_run(cl, 400 * MS);
        CHECK(cl_leader(cl) == leader);
        CHECK_INT(log_last(&ill->disk), leader->core.trail.last);
        CHECK_INT(ill->applied, leader->applied);
        CHECK_INT(leader->core.progress[ill->id - 1].state, RAFT_REPLICATE);
        finish(cl);
    }
}

TEST(without_a_quorum_a_leader_pushes_back)
{
    struct cluster *cl = settled(3);
    struct node *leader = cl_leader(cl);
    unsigned taken = 0;

    leader->core.max_uncommitted = 64 * RAFT_ENTRY_OVERHEAD;
    isolate(cl, leader, true);
    while (taken < 1000 && cl_propose(cl, leader, 1) == 0)
        taken++;
    CHECK(taken > 10 && taken < 100);            /* 64 entries' worth is the bound here */
    CHECK_INT(cl_propose(cl, leader, 1), E_FULL);
    isolate(cl, leader, false);
    cl_run(cl, 300 * MS);
    CHECK_INT(cl_propose(cl, cl_leader(cl), 1), 0);
    finish(cl);
}

TEST(a_lost_minority_does_not_stop_five)
{
    struct cluster *cl = settled(5);

    node_crash(cl, &cl->node[cl_leader(cl)->id % 5]);
    node_crash(cl, cl_leader(cl));
    cl_run(cl, 1500 * MS);
    CHECK(cl_leader(cl) != NULL);
    uint64_t before = cl->settled_n;
    CHECK_INT(cl_propose(cl, cl_leader(cl), 3), 0);
    cl_run(cl, 100 * MS);
    CHECK(cl->settled_n >= before + 3);
    finish(cl);
}

/* ---- One core by hand ------------------------------------------------------------------------------ */

static uint32_t small(void *arg, uint64_t index) { return 100; }

static void core_new(struct raft_core *c, unsigned n, const uint64_t *terms, size_t n_terms, uint64_t term)
{
    struct raft_core_opts o = { .id = 1, .seed = 1, .now_ns = 1000 * MS, .heartbeat_ns = 50 * MS,
                                .election_min_ns = 200 * MS, .election_max_ns = 400 * MS, .term = term,
                                .restarted = true, .entry_size = small };
    struct trail t;

    o.config.n = o.config.last_id = n;
    for (unsigned i = 0; i < n; i++)
        o.config.head[i] = (struct raft_head){ .id = i + 1, .parts = RAFT_VOTER };
    trail_init(&t, 0, 0);
    for (size_t i = 0; i < n_terms; i++)
        trail_append(&t, terms[i]);
    raft_core_init(c, &o, &t);
}

static void core_hear(struct raft_core *c, uint64_t now, struct raft_message m)
{
    struct raft_update u;
    struct raft_event e = { .type = RAFT_EV_RECEIVE, .now_ns = now, .message = &m };

    m.to = 1;
    raft_core_step(c, &e, &u);
    raft_core_check(c);
}

static size_t core_flush(struct raft_core *c, uint64_t now)
{
    struct raft_message *m;
    struct raft_update u;
    struct raft_event e = { .type = RAFT_EV_DURABLE, .now_ns = now, .durable = raft_core_mark(c) };

    size_t n = raft_core_flush(c, now, &m);
    raft_core_step(c, &e, &u);
    return n + raft_core_flush(c, now, &m);
}

static void core_elect(struct raft_core *c, uint64_t now)
{
    struct raft_update u;
    struct raft_event e = { .type = RAFT_EV_TICK, .now_ns = now };
    uint64_t term = c->hard.term + 1;

    raft_core_step(c, &e, &u);
    CHECK_INT(c->role, RAFT_PRECANDIDATE);
    for (uint64_t from = 2; from <= 3; from++)
        core_hear(c, now, (struct raft_message){ .type = RAFT_MSG_PREVOTE_REPLY, .from = from, .term = term,
                                                 .vote_reply = { true } });
    CHECK_INT(c->role, RAFT_CANDIDATE);
    CHECK_INT(c->hard.term, term);
    core_hear(c, now, (struct raft_message){ .type = RAFT_MSG_VOTE_REPLY, .from = 2, .term = term, .vote_reply = { true } });
    core_hear(c, now, (struct raft_message){ .type = RAFT_MSG_VOTE_REPLY, .from = 3, .term = term, .vote_reply = { true } });
    CHECK_INT(c->role, RAFT_CANDIDATE);          /* its own vote is not durable yet */
    core_flush(c, now);
    CHECK_INT(c->role, RAFT_LEADER);
}

/* Thesis figure 3.7 (figure 8 of the paper): an entry of term 2 on a majority, counted by a leader of term
 * 4, is not committed until an entry of term 4 is. */
static uint64_t figure_8(unsigned bugs)
{
    static const uint64_t terms[] = { 1, 2 };
    struct raft_core c;

    core_new(&c, 5, terms, 2, 3);
    c.bugs = bugs;
    core_elect(&c, 2000 * MS);
    CHECK_INT(c.term_start, 3);
    for (uint64_t from = 2; from <= 3; from++)
        core_hear(&c, 2001 * MS, (struct raft_message){ .type = RAFT_MSG_ACK, .from = from, .term = 4,
                                                        .ack = { .match = 2, .verified = 2 } });
    uint64_t commit = c.commit;
    core_flush(&c, 2002 * MS);                   /* its own entry becomes durable here */
    for (uint64_t from = 2; from <= 3; from++)
        core_hear(&c, 2002 * MS, (struct raft_message){ .type = RAFT_MSG_ACK, .from = from, .term = 4,
                                                        .ack = { .match = 3, .verified = 3 } });
    CHECK_INT(c.commit, 3);
    raft_core_release(&c);
    return commit;
}

TEST(figure_8)
{
    CHECK_INT(figure_8(0), 0);
    CHECK_INT(figure_8(RAFT_BUG_COMMIT_OLD_TERM), 2);          /* the test can tell */
}

static void core_ack(struct raft_core *c, uint64_t now, uint64_t round, uint64_t match)
{
    core_hear(c, now, (struct raft_message){ .type = RAFT_MSG_ACK, .from = 2, .term = 4,
                                             .ack = { .match = match, .verified = match, .round = round } });
}

static void core_tell(struct raft_core *c, uint64_t now, enum raft_event_type type, uint64_t peer)
{
    struct raft_event e = { .type = type, .now_ns = now, .peer = peer };
    struct raft_update u;

    raft_core_step(c, &e, &u);
    raft_core_check(c);
}

/* A leader of term 4 with entries up to 3, its own one not yet durable; head 2 has acknowledged it. */
static void core_acked(struct raft_core *c)
{
    static const uint64_t terms[] = { 1, 2 };

    core_new(c, 3, terms, 2, 3);
    core_elect(c, 2000 * MS);
    c->durable = 2;                              /* as if its own write hung */
    core_tell(c, 2000 * MS, RAFT_EV_TICK, 0);
    core_ack(c, 2001 * MS, c->round, 3);
    CHECK_INT(c->progress[1].match, 3);
    CHECK_INT(c->commit, 0);
}

TEST(an_acknowledgement_ends_with_the_life_that_gave_it)
{
    struct raft_core c;

    core_acked(&c);
    uint64_t round = c.round;
    core_tell(&c, 2050 * MS, RAFT_EV_TICK, 0);
    CHECK(c.round > round);
    core_ack(&c, 2051 * MS, c.round, 0);         /* a newer round, and less */
    CHECK_INT(c.progress[1].match, 0);
    core_ack(&c, 2052 * MS, round, 3);           /* late words of the former life */
    core_ack(&c, 2052 * MS, round + 1, 3);
    CHECK_INT(c.progress[1].match, 0);
    core_flush(&c, 2053 * MS);                   /* own write done: still nobody else is known to have it */
    CHECK_INT(c.commit, 0);
    core_ack(&c, 2054 * MS, c.round, 3);
    CHECK_INT(c.commit, 3);
    raft_core_release(&c);
}

/* Whoever is gone may come back with less: until it has spoken again it does not count. */
TEST(what_a_lost_peer_had_does_not_count_until_it_says_so_again)
{
    static const enum raft_event_type how[] = { RAFT_EV_PEER_LOST, RAFT_EV_PEER_UP };

    for (size_t i = 0; i < ARRAY_LEN(how); i++) {
        struct raft_core c;
        core_acked(&c);
        uint64_t round = c.round;
        core_tell(&c, 2010 * MS, how[i], 2);
        core_flush(&c, 2011 * MS);
        CHECK_INT(c.commit, 0);
        core_ack(&c, 2012 * MS, round, 3);       /* from the connection before */
        CHECK_INT(c.commit, 0);
        CHECK_INT(c.round, round + 1);           /* asked at once, not at the next beat */
        core_ack(&c, 2013 * MS, c.round, 3);
        CHECK_INT(c.commit, 3);
        raft_core_release(&c);
    }
}

TEST(a_delayed_answer_is_no_restart)
{
    struct raft_core c;

    core_acked(&c);
    uint64_t round = c.round;
    core_tell(&c, 2050 * MS, RAFT_EV_TICK, 0);
    core_ack(&c, 2051 * MS, c.round, 3);
    core_ack(&c, 2052 * MS, round, 2);
    CHECK_INT(c.progress[1].match, 3);
    core_flush(&c, 2053 * MS);
    CHECK_INT(c.commit, 3);
    raft_core_release(&c);
}

TEST(a_restarted_head_holds_its_vote_back)
{
    static const uint64_t terms[] = { 1 };
    struct raft_core c;
    struct raft_message ask = { .type = RAFT_MSG_VOTE, .from = 2, .term = 7, .vote = { 5, 1, false } };

    core_new(&c, 3, terms, 1, 1);
    core_hear(&c, 1100 * MS, ask);
    CHECK_INT(c.hard.vote, 0);
    CHECK_INT(c.hard.term, 1);
    core_hear(&c, 1201 * MS, ask);
    CHECK_INT(c.hard.vote, 2);
    raft_core_release(&c);
}

TEST(promises_wait_for_the_disk)
{
    static const uint64_t terms[] = { 1 };
    struct raft_core c;
    struct raft_message *out;
    struct raft_message ask = { .type = RAFT_MSG_VOTE, .from = 2, .term = 7, .vote = { 5, 1, false } };

    core_new(&c, 3, terms, 1, 1);
    core_hear(&c, 1500 * MS, ask);
    CHECK_INT(raft_core_flush(&c, 1500 * MS, &out), 0);
    CHECK(core_flush(&c, 1501 * MS) == 1);
    raft_core_release(&c);
}

/* Whatever a peer says, the core's own invariants stand. */
TEST(nonsense_from_peers_breaks_nothing)
{
    static const uint64_t terms[] = { 1, 1, 2, 2, 2, 5 };
    uint64_t rng = 88172645463325252ull;

    for (int round = 0; round < 300; round++) {
        struct raft_core c;
        core_new(&c, 3, terms, 6, 5);
        if (round % 2)
            core_elect(&c, 2000 * MS);
        for (int i = 0; i < 200; i++) {
            struct raft_entry e[4] = { 0 };
            struct raft_message m;
            uint64_t *w = (uint64_t *)&m;
            for (size_t k = 0; k < sizeof(m) / 8; k++) {
                rng ^= rng << 13; rng ^= rng >> 7; rng ^= rng << 17;
                w[k] = rng % 4 == 0 ? rng : rng % 12;
            }
            m.type = (enum raft_message_type)(1 + rng % (RAFT_MSG_TYPES - 1));
            m.from = 2 + rng / 64 % 3;
            m.term = rng / 1024 % 3 == 0 ? c.hard.term : c.hard.term + rng / 4096 % 3 - 1;
            if (m.type == RAFT_MSG_APPEND) {
                m.append.n %= 5;
                m.append.entry = e;
                for (int k = 0; k < 4; k++)
                    e[k] = (struct raft_entry){ .term = c.hard.term - rng % 4 + (uint64_t)k / 2, .type = RAFT_ENTRY_COMMAND };
            }
            if (m.type == RAFT_MSG_PREVOTE_REPLY || m.type == RAFT_MSG_VOTE_REPLY)
                m.vote_reply.granted = rng & 1;
            if (m.type == RAFT_MSG_VOTE)
                m.vote.force = rng & 1;
            if (m.type == RAFT_MSG_READ_REPLY)
                m.read_reply.ok = rng & 1;
            if (m.type == RAFT_MSG_ACK)
                m.ack.reject = rng & 1;
            core_hear(&c, (2000 + (uint64_t)i * 7) * MS, m);
            if (i % 5 == 0)
                core_flush(&c, (2000 + (uint64_t)i * 7) * MS);
        }
        raft_core_release(&c);
    }
}

/* ---- Majorities ------------------------------------------------------------------------------------ */

TEST(majorities)
{
    static const struct { unsigned n; unsigned parts[5]; uint64_t value[5], quorum; } row[] = {
        { 1, { 1 }, { 7 }, 7 },
        { 2, { 1, 1 }, { 7, 3 }, 3 },
        { 3, { 1, 1, 1 }, { 9, 3, 5 }, 5 },
        { 4, { 1, 1, 1, 1 }, { 9, 3, 5, 4 }, 4 },
        { 5, { 1, 1, 1, 1, 1 }, { 1, 2, 3, 4, 5 }, 3 },
        { 3, { 1, 4, 1 }, { 9, 99, 5 }, 5 },                       /* a learner does not count */
        { 5, { 3, 3, 2, 1, 1 }, { 9, 1, 8, 1, 7 }, 1 },            /* joint: new {9,1,1,7}, old {9,1,8} */
        { 4, { 3, 3, 3, 1 }, { 5, 6, 7, 0 }, 5 },                  /* joint: new {5,6,7,0}: 5, old: 6 */
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct raft_config c = { .n = row[i].n }, back;
        uint64_t v[RAFT_MAX_HEADS] = { 0 };
        struct buf b = BUF_INIT;
        for (unsigned k = 0; k < c.n; k++) {
            c.head[k] = (struct raft_head){ .id = k + 1, .parts = row[i].parts[k], .addr = "a:1" };
            v[k] = row[i].value[k];
        }
        CHECK_INT(raft_config_quorum(&c, v), row[i].quorum);
        raft_config_encode(&c, &b);
        CHECK_INT(raft_config_decode(buf_str(&b), &back), 0);
        CHECK(memcmp(&c, &back, sizeof(c)) == 0);
        for (size_t cut = 0; cut < b.n; cut++)
            CHECK_INT(raft_config_decode(str_make(b.p, cut), &back), E_CORRUPT);
        buf_release(&b);
    }
}
