/* raft/change.c: changes of the membership while the cluster works (thesis 4).
 *
 *     C_old  --start-->  C_old,new  --committed by both-->  C_new  --committed by C_new-->  settled
 *
 * A change that leaves the voters as they are (a learner, an address) goes to C_new at once.  Each step is an
 * entry that counts from the moment it is appended.  Whoever leads when a joint configuration is committed
 * appends what comes after it.  One change at a time: the next begins when the last is settled. */
#include "raft/core_impl.h"

bool raft_core_left(const struct raft_core *c, uint64_t id)
{
    /* Who leads in our term and has just removed itself still has to hand over. */
    return raft_config_find(&c->config, id) < 0 && id != c->leader
        && raft_config_left(config_log_at(&c->configs, c->commit), id);
}

bool raft_core__campaigns(const struct raft_core *c)
{
    size_t i = c->configs.n;
    bool votes = raft_core__votes(c), settled = false;

    while (i-- > 0 && !votes && !settled) {
        votes = raft_config_votes(c->configs.at[i], c->id);
        settled = c->configs.at[i]->index <= c->commit;
    }
    return votes;
}

static void change_append(struct raft_core *c, struct raft_config *next, struct raft_update *u)
{
    struct buf bytes = BUF_INIT;

    must(u->n == 0);
    next->index = c->trail.last + 1;
    raft_config_encode(next, &bytes);
    blob_unref(c->own.owner);
    c->own = (struct raft_entry){ .type = RAFT_ENTRY_CONFIG, .owner = buf_to_blob(&bytes) };
    c->own.p = c->own.owner->data;
    c->own.len = c->own.owner->len;
    buf_release(&bytes);
    raft_replication__append_own(c, &c->own, 1, u);
}

static int change_not_now(const struct raft_core *c, struct errbuf *why)
{
    if (c->role != RAFT_LEADER)
        return err_set(why, E_NOLEADER, "this head does not lead");
    if (!raft_core_leading(c))
        return err_set(why, E_AGAIN, "the leader has only just been elected");
    if (c->transfer_to != 0)
        return err_set(why, E_AGAIN, "leadership is being handed over");
    if (c->config.index > c->commit || raft_config_joint(&c->config))
        return err_set(why, E_CONFLICT, "another change of the membership is under way");
    return 0;
}

static bool change_heard(const struct raft_core *c, unsigned slot)
{
    return c->config.head[slot].id == c->id || c->progress[slot].heard_ns + c->election_max_ns >= c->now_ns;
}

/* It answers, and has all but what is about to be sent. */
static int change_caught_up(const struct raft_core *c, unsigned slot, struct errbuf *why)
{
    const struct raft_progress *p = &c->progress[slot];
    unsigned long long id = p->id, lag = c->trail.last - p->match;

    if (p->id == c->id)
        return 0;
    if (p->round == 0 || !change_heard(c, slot))
        return err_set(why, E_AGAIN, "head %llu does not answer; it must run and catch up before it may vote", id);
    if (p->state != RAFT_REPLICATE || lag > RAFT_PROMOTE_LAG)
        return err_set(why, E_AGAIN, "head %llu lags %llu entries behind; it must catch up before it may vote", id, lag);
    return 0;
}

/* Would the new voters be able to go on?  Those that come must have caught up, and a majority must be there. */
static int change_ready(const struct raft_core *c, const struct raft_config *goal, struct errbuf *why)
{
    unsigned voters = 0, there = 0;

    for (unsigned i = 0; i < goal->n; i++) {
        if (!(goal->head[i].parts & RAFT_VOTER))
            continue;
        int slot = raft_config_find(&c->config, goal->head[i].id);
        must(slot >= 0);                         /* whoever is new is a learner */
        int rc = c->config.head[slot].parts & RAFT_VOTER ? 0 : change_caught_up(c, (unsigned)slot, why);
        if (rc != 0)
            return rc;
        voters++;
        there += change_heard(c, (unsigned)slot);
    }
    if (there <= voters / 2)
        return err_set(why, E_AGAIN, "only %u of the %u heads that would vote answer; nothing could be decided any more",
                       there, voters);
    return 0;
}

static bool change_same_voters(const struct raft_config *a, const struct raft_config *b)
{
    for (unsigned i = 0; i < a->n; i++)
        if (raft_config_votes(a, a->head[i].id) && !raft_config_votes(b, a->head[i].id))
            return false;
    for (unsigned i = 0; i < b->n; i++)
        if (raft_config_votes(b, b->head[i].id) && !raft_config_votes(a, b->head[i].id))
            return false;
    return true;
}

int raft_change__start(struct raft_core *c, const struct raft_change_spec *s, struct errbuf *why, struct raft_update *u)
{
    struct raft_config goal, next;
    int rc = change_not_now(c, why);

    if (rc == 0)
        rc = raft_config_change(&c->config, s, &goal, why);
    if (rc == 0 && !change_same_voters(&c->config, &goal))
        rc = change_ready(c, &goal, why);
    if (rc == 0)
        rc = raft_config_join(&c->config, &goal, &next, why);
    if (rc == 0)
        change_append(c, BUG(c, RAFT_BUG_NO_JOINT) ? &goal : &next, u);
    return rc;
}

void raft_change__advance(struct raft_core *c, struct raft_update *u)
{
    struct raft_config goal;

    if (!raft_core_leading(c) || (c->config.index > c->commit && !BUG(c, RAFT_BUG_SETTLE_EARLY)))
        return;
    if (raft_config_joint(&c->config)) {
        raft_config_settle(&c->config, &goal);
        if (u->n == 0)                           /* else at the next event */
            change_append(c, &goal, u);
    } else if (!raft_core__votes(c) && c->transfer_to == 0 && raft_transfer__start(c, 0) != 0) {
        raft_core__follow(c, c->hard.term, 0);   /* nobody to hand over to is known */
    }
}
