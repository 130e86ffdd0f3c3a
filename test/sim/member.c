/* test/sim/member.c: the membership changes in the middle of all else: heads are added, promoted, demoted, replaced
 * and removed, asked of any head, whatever comes of it.  A head that learns that it was removed is switched off;
 * one that was and does not know it must be told when all is calm. */
#include "test/sim/cluster.h"

static void member_on_done(struct raft_change *c, int err, const char *reason, uint64_t id)
{
    struct world *w = container_of(c, struct world, member.change);

    w->member.busy = false;
    w->member.changed += err == 0;
    w->member.refused += err != 0;
    if (c->spec.op == RAFT_ADD && (err == 0 || err == E_EXISTS))
        w->member.grown = true;                  /* EXISTS: an earlier answer was lost */
}

static void member_ask(struct head *h, const struct raft_change_spec *s)
{
    struct world *w = h->w;

    w->member.busy = true;
    w->member.head = h->index;
    w->member.change.done = member_on_done;
    raft_change(store_raft(h->store), &w->member.change, s);
}

static void member_in_change(void *arg)
{
    struct head *h = arg;
    struct world *w = h->w;
    char addr[sizeof h->addr];
    struct raft_change_spec s = { .op = RAFT_PROMOTE + (unsigned)sim_below(w->s, 4),
                                  .id = 1 + sim_below(w->s, w->n_heads), .by = 1 + sim_below(w->s, w->n_heads) };

    if (w->n_heads < MAX_HEADS && sim_below(w->s, 3) == 0) {
        snprintf(addr, sizeof addr, "h%u:2380", w->n_heads + 1);
        s = (struct raft_change_spec){ .op = RAFT_ADD, .id = w->n_heads + 1, .addr = addr };
    }
    member_ask(h, &s);
}

/* The leader is asked to let a learner take a voter's place, and just before that these two are cut off from all
 * others, who may elect among themselves: a majority of the old voters must not count beside one of the new. */
static void member_in_replace(void *arg)
{
    struct head *h = arg;
    struct world *w = h->w;
    struct raft_change_spec s = { .op = RAFT_REPLACE };
    struct raft_status st;

    raft_status(store_raft(h->store), &st);
    for (unsigned i = 0; st.is_leader && !st.changing && i < st.n_heads; i++) {
        const struct raft_member *m = &st.head[i];

        if (m->learner && !m->voter && m->connected && m->lag < 50)
            s.by = m->id;
        else if (m->voter && !m->leader && (s.id == 0 || sim_below(w->s, 2)))
            s.id = m->id;
    }
    if (s.by == 0 || s.id == 0)
        return;
    fault_cut_off(w, 1u << h->index | 1u << (s.by - 1));
    member_ask(h, &s);
}

static void member_replace_across_cut(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads && !w->member.busy; i++)
        if (head_serves(&w->head[i]) && w->head[i].leading)
            head_do(&w->head[i], member_in_replace, &w->head[i]);
}

void member_step(struct world *w)
{
    int head = head_any(w);

    if (w->member.grown && w->n_heads < MAX_HEADS) {
        trace(w, "h%u is added", w->n_heads + 1);
        head_new(w, w->n_heads++);
        head_start(&w->head[w->n_heads - 1]);
    }
    w->member.grown = false;
    if (!w->faults.members || !cluster_begun(w) || w->calm || head < 0 || w->member.busy)
        return;
    if (w->faults.partition && sim_below(w->s, 6) == 0)
        member_replace_across_cut(w);
    else if (sim_below(w->s, 6) == 0)
        head_do(&w->head[head], member_in_change, &w->head[head]);
}

static bool member_is_out(struct head *leader, unsigned index)
{
    struct raft_status st;
    bool in;

    raft_status(store_raft(leader->store), &st);
    in = st.changing;
    for (unsigned i = 0; i < st.n_heads; i++)
        in |= st.head[i].id == index + 1;
    return !in;
}

/* Does it know anybody who could tell it something? */
static bool member_knows_somebody(struct head *h)
{
    struct raft_status st;

    raft_status(store_raft(h->store), &st);
    for (unsigned i = 0; i < st.n_heads; i++)
        if (st.head[i].id != h->index + 1 && st.head[i].id <= h->w->n_heads
            && head_serves(&h->w->head[st.head[i].id - 1]))
            return true;
    return false;
}

/* One that was removed before anybody had called it, or while all that it knows were removed, too: nobody can
 * tell it. */
void member_forgotten(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++) {
        struct head *h = &w->head[i];
        if (!head_serves(h) || member_knows_somebody(h))
            continue;
        for (unsigned k = 0; k < w->n_heads; k++)
            if (w->head[k].leading && head_serves(&w->head[k]) && member_is_out(&w->head[k], i))
                h->removed = true;
    }
}

void member_head_down(struct world *w, unsigned head)
{
    if (w->member.head == head)
        w->member.busy = false;                  /* never answered */
}
