/* test/sim/script.c: the one course of events that dice hardly ever take (thesis, figure 3.7): a leader
 * has written what nobody else has; another leads and writes, alone, too; the first comes back, leads, and
 * spreads what it had once written, but dies before any entry of its new term has spread; the second comes
 * back and may lead.  What was counted as committed meanwhile is overwritten then. */
#include "test/sim/cluster.h"

static void script_isolate(struct world *w, unsigned head)
{
    struct sim_net_opts o = { .delay_min_ns = MS, .delay_max_ns = 15 * MS, .cut = true };

    for (unsigned i = 0; i < w->n_heads; i++) {
        if (i == head)
            continue;
        sim_net_link(w->s, w->head[head].m, w->head[i].m, &o);
        sim_net_link(w->s, w->head[i].m, w->head[head].m, &o);
    }
}

static void script_join(struct world *w, unsigned head, unsigned but)
{
    struct sim_net_opts o = { .delay_min_ns = 8 * MS, .delay_max_ns = 15 * MS };

    for (unsigned i = 0; i < w->n_heads; i++) {
        if (i == head || i == but)
            continue;
        sim_net_link(w->s, w->head[head].m, w->head[i].m, &o);
        sim_net_link(w->s, w->head[i].m, w->head[head].m, &o);
    }
}

static bool script_leads(struct world *w, unsigned head)
{
    struct raft_status rs;

    if (!head_serves(&w->head[head]))
        return false;
    raft_status(store_raft(w->head[head].store), &rs);
    return rs.is_leader;
}

static void script_next(struct world *w, enum script_step step, uint64_t wait_ns)
{
    trace(w, "script: step %d", (int)step);
    w->faults.script.step = step;
    w->faults.script.at_ns = sim_now_ns(w->s) + wait_ns;
}

static void script_kill(struct world *w, unsigned head)
{
    if (sim_up(w->head[head].m))
        head_crash(&w->head[head]);
    w->head[head].restart_ns = NEVER;
}

void script_begin(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++)
        script_join(w, i, i);
    w->faults.script = (struct script){ .until_ns = sim_now_ns(w->s) + 6000 * MS };
    script_next(w, SCRIPT_FIRST, 0);
}

void script_end(struct world *w)
{
    if (w->faults.script.step == SCRIPT_NONE)
        return;
    for (unsigned i = 0; i < w->n_heads; i++)
        w->head[i].restart_ns = MIN_OF(w->head[i].restart_ns, sim_now_ns(w->s));
    script_next(w, SCRIPT_NONE, 0);
    w->faults.heal_ns = sim_now_ns(w->s);
}

/* Somebody leads, other than `but`: cut off from now on. */
static bool script_found(struct world *w, unsigned but, unsigned *ret)
{
    for (unsigned i = 0; i < w->n_heads; i++) {
        if (i == but || !script_leads(w, i))
            continue;
        *ret = i;
        script_isolate(w, i);
        return true;
    }
    return false;
}

void script_look(struct world *w)
{
    struct script *sc = &w->faults.script;

    if (sim_now_ns(w->s) > sc->until_ns) {
        script_end(w);
        return;
    }
    if (sim_now_ns(w->s) < sc->at_ns)
        return;
    switch (sc->step) {
    case SCRIPT_FIRST:                           /* cut off, it goes on writing for a moment */
        if (script_found(w, MAX_HEADS, &sc->first))
            script_next(w, SCRIPT_FIRST_DIES, (20 + sim_below(w->s, 60)) * MS);
        break;
    case SCRIPT_FIRST_DIES:
        script_kill(w, sc->first);
        script_next(w, SCRIPT_SECOND, 0);
        break;
    case SCRIPT_SECOND:                          /* its first entry reaches only its own disk */
        if (script_found(w, sc->first, &sc->second))
            script_next(w, SCRIPT_SECOND_DIES, 2 * MS);
        break;
    case SCRIPT_SECOND_DIES:
        script_kill(w, sc->second);
        script_join(w, sc->first, sc->second);
        w->head[sc->first].restart_ns = 0;
        script_next(w, SCRIPT_FIRST_AGAIN, 0);
        break;
    case SCRIPT_FIRST_AGAIN:
        if (script_leads(w, sc->first))
            script_next(w, SCRIPT_FIRST_DIES_AGAIN, 35 * MS + sim_below(w->s, 45 * MS));
        break;
    case SCRIPT_FIRST_DIES_AGAIN:
        script_isolate(w, sc->first);
        script_kill(w, sc->first);
        script_join(w, sc->second, sc->first);
        w->head[sc->second].restart_ns = 0;
        script_next(w, SCRIPT_SECOND_AGAIN, 0);
        break;
    case SCRIPT_SECOND_AGAIN:
        if (script_leads(w, sc->second))
            script_next(w, SCRIPT_DONE, 200 * MS);
        break;
    default:
        script_end(w);
        break;
    }
    fault_restarts(w);
}
