/* test/sim/rot.c: disks that change, lose or misplace what they were given.
 *
 * Always within what can be survived: never more than a minority of heads is damaged at a time (from the damage
 * until the head has all again); and what nothing can tell from a write that was never finished, the last batch
 * of a log that no later one speaks of, is damaged only while all heads have everything. */
#include <limits.h>
#include "test/sim/cluster.h"

static unsigned rot_victims(const struct world *w)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n_heads; i++)
        n += w->head[i].damaged;
    return n;
}

void rot_step(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++) {
        struct head *h = &w->head[i];
        if (!h->damaged || h->lossy || !head_serves(h) || head_ailing(h))
            continue;
        if (head_repairing(h) && !h->repaired)
            w->repairs++;
        h->repaired = head_repairing(h);
        if (!h->repaired && h->boot != h->damaged_boot && store_revision(h->store) >= h->damaged_rev) {
            h->damaged = false;
            trace(w, "%s is well again", h->name);
        }
    }
}

/* Before: the boot in which it happened; what a later one has to reach. */
static void rot_mark(struct head *h)
{
    h->damaged = true;
    h->repaired = false;
    h->damaged_boot = h->boot;
    h->damaged_rev = h->w->max_rev;
    h->w->rots++;
}

static struct head *rot_pick(struct world *w)
{
    struct head *h = &w->head[sim_below(w->s, w->n_heads)];
    bool one_more = rot_victims(w) + 1 <= (w->n_heads - 1) / 2;

    return cluster_begun(w) && head_serves(h) && !h->closing && (h->damaged ? h->boot != h->damaged_boot : one_more) ? h : NULL;
}

/* Files of a head that is down, and how.  all: even what only the other heads can tell. */
static bool rot_files(struct head *h, bool all)
{
    struct sim *s = h->w->s;
    enum sim_damage how = (enum sim_damage)sim_below(s, SIM_DAMAGES);
    bool one;

    switch (sim_below(s, all ? 8 : 5)) {
    case 0:                                      /* not the segment that was being written, nor the next */
        return sim_disk_damage(h->m, "wal", how == SIM_GONE ? INT_MAX : -3 - (int)sim_below(s, 2), how);
    case 1:  return sim_disk_damage(h->m, "snap-", sim_below(s, 2) ? -1 : INT_MAX, how);
    case 2:  return sim_disk_damage(h->m, "vote", 0, how);
    case 3:                                      /* log and vote: it is lost altogether */
        if (!sim_disk_damage(h->m, "vote", 0, SIM_GARBAGE))
            return false;
        while (sim_disk_damage(h->m, "wal", -1, SIM_GONE))
            continue;
        return true;
    case 4:                                      /* a new disk: it looks like a head that never was */
        for (one = false; sim_disk_damage(h->m, "", 0, SIM_GONE); one = true)
            continue;
        return one;
    case 5:
        one = sim_disk_damage(h->m, "wal", -1, SIM_BIT);
        return sim_disk_damage(h->m, "wal", INT_MAX, SIM_BIT) || one;
    case 6:
        one = sim_disk_damage(h->m, "vote", 0, SIM_GONE);
        return sim_disk_damage(h->m, "wal", 0, SIM_SECTORS) || one;
    default:
        one = sim_disk_damage(h->m, "snap-", INT_MAX, how);
        return sim_disk_damage(h->m, "wal", INT_MAX, how) || one;
    }
}

/* All heads have everything, and on their disks: entries that change no key, too, which no revision tells of. */
static bool rot_all_have_all(struct world *w)
{
    uint64_t committed = 0, durable = UINT64_MAX;
    struct raft_status st;

    if (!cluster_agrees(w))
        return false;
    for (unsigned i = 0; i < w->n_heads; i++) {
        if (w->head[i].removed)
            continue;
        raft_status(store_raft(w->head[i].store), &st);
        committed = MAX_OF(committed, st.commit);
        durable = MIN_OF(durable, st.durable);
    }
    return durable >= committed;
}

void rot_one(struct world *w)
{
    struct head *h = rot_pick(w);
    bool all = h != NULL && rot_all_have_all(w);

    if (h == NULL)
        return;
    head_crash(h);
    if (rot_files(h, all)) {
        rot_mark(h);
        trace(w, "%s: files are damaged", h->name);
    }
}

void rot_writes(struct world *w)
{
    struct head *h = rot_pick(w);
    struct sim_disk_opts o = { .op_min_ns = 50 * US, .op_max_ns = 300 * US };

    if (h == NULL)
        return;
    rot_mark(h);
    if (sim_below(w->s, 2))
        o.lose_per_million = 100000;
    else
        o.misdirect_per_million = 100000;
    trace(w, "%s: disk %s writes", h->name, o.lose_per_million > 0 ? "loses" : "misplaces");
    h->lossy = true;
    sim_disk(h->m, &o);
}

/* Disks keep from now on what they are given.  What they did not is found by the next life, at the earliest. */
void rot_heal(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++) {
        struct head *h = &w->head[i];
        if (!h->lossy)
            continue;
        h->lossy = false;
        h->damaged_boot = h->boot;
        h->damaged_rev = w->max_rev;
    }
}
