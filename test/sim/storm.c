/* test/sim/storm.c: storms of elections.  Heads die at the instants that matter, looked for a millisecond
 * at a time: a leader that holds what is not committed yet; a head that has just promised something and may
 * not have written it down.  Messages are slow on some links and disks slow on all, and who died comes back
 * before the others are done. */
#include "test/sim/cluster.h"

/* What kind of storm, and how slow disks and messages are in it. */
static void storm_choose(struct world *w, uint64_t *ret_disk_ms, uint64_t *ret_net_ms)
{
    static const uint64_t disk_max[] = { 1, 6, 40 }, net_max[] = { 1, 15, 120 }, back[] = { 8, 300, 900 };
    static const unsigned one_in[] = { 3, 12, 50, 200 };
    struct storm *st = &w->faults.now;

    *ret_disk_ms = disk_max[sim_below(w->s, 3)];
    *ret_net_ms = net_max[sim_below(w->s, 3)];
    *st = (struct storm){ .leader_in = one_in[sim_below(w->s, 4)], .voter_in = one_in[sim_below(w->s, 4)],
                          .back_ms = back[sim_below(w->s, 3)] };
    switch (sim_below(w->s, 3)) {
    case 0:                                      /* what one leader wrote, a later one finds */
        *ret_net_ms = 10 + sim_below(w->s, 20);
        *st = (struct storm){ .leader_in = 20 + (unsigned)sim_below(w->s, 150), .back_ms = 1500 };
        break;
    case 1:                                      /* heads that die with a promise on their lips */
        *ret_disk_ms = 40;
        *st = (struct storm){ .voter_in = 2, .back_ms = 8 };
        break;
    default:
        break;
    }
}

void storm_begin(struct world *w)
{
    struct storm *st = &w->faults.now;
    struct sim_disk_opts disk = { .op_min_ns = 50 * US };
    struct sim_net_opts  net = { .delay_min_ns = 50 * US };
    uint64_t disk_ms, net_ms;

    storm_choose(w, &disk_ms, &net_ms);
    for (unsigned i = 0; i < w->n_heads; i++)
        w->head[i].hardy = false;
    disk.op_max_ns = disk_ms * MS;
    st->until_ns = sim_now_ns(w->s) + (500 + sim_below(w->s, 4000)) * MS;
    w->faults.heal_ns = st->until_ns;
    trace(w, "a storm of elections: leaders 1/%u, voters 1/%u, back in %" PRIu64 " ms", st->leader_in,
          st->voter_in, st->back_ms);
    for (unsigned a = 0; a < w->n_heads; a++) {
        sim_disk(w->head[a].m, &disk);
        for (unsigned b = 0; b < w->n_heads; b++) {
            net.delay_max_ns = (net_ms + sim_below(w->s, 5) / 4 * 250) * MS;
            net.delay_min_ns = net.delay_max_ns / (1 + sim_below(w->s, 8));
            net.cut = sim_below(w->s, 12) == 0;
            if (a != b)
                sim_net_link(w->s, w->head[a].m, w->head[b].m, &net);
        }
    }
}

static void storm_link(struct world *w, unsigned from, unsigned to, uint64_t min_ms, uint64_t max_ms,
                       bool cut)
{
    struct sim_net_opts o = { .delay_min_ns = min_ms * MS, .delay_max_ns = max_ms * MS, .cut = cut };

    sim_net_link(w->s, w->head[from].m, w->head[to].m, &o);
}

/* An election with one voter between two candidates that do not hear each other.  It dies when it has voted, with
 * a slow disk, and comes back at once: a vote that it had not written down it may give again.  The second request
 * comes late enough for a voter that was restarted to vote again, early enough for the candidate to count it. */
static void storm_between(struct world *w, unsigned v, uint64_t first_ms, uint64_t second_ms, uint64_t lasts_ms)
{
    unsigned n = w->n_heads, a = (v + 1) % n, b = (v + 2) % n;
    struct sim_disk_opts slow = { .op_min_ns = 25 * MS, .op_max_ns = 40 * MS };

    trace(w, "h%u votes between h%u and h%u", v + 1, a + 1, b + 1);
    w->faults.now = (struct storm){ .until_ns = sim_now_ns(w->s) + lasts_ms * MS, .voter_in = 1, .back_ms = 6 };
    w->faults.heal_ns = sim_now_ns(w->s) + (lasts_ms + sim_below(w->s, 1500)) * MS;
    sim_disk(w->head[v].m, &slow);
    storm_link(w, a, b, 0, 1, true);
    storm_link(w, b, a, 0, 1, true);
    storm_link(w, a, v, first_ms, first_ms + 3, false);
    storm_link(w, b, v, second_ms, second_ms + 3, false);
    storm_link(w, v, a, 1, 3, false);
    storm_link(w, v, b, 1, 3, false);
    for (unsigned i = 0; i < n; i++)
        w->head[i].hardy = i != v;
}

/* The first election of all: no time-out keeps a voter from voting again soon. */
void storm_birth(struct world *w)
{
    if (w->n_heads == 3)
        storm_between(w, (unsigned)sim_below(w->s, 3), 20 + sim_below(w->s, 120), 1, 600);
    else
        storm_begin(w);
}

/* A later one: the voter led until now. */
void storm_revote(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++) {
        if (w->n_heads != 3 || !w->head[i].leading || !head_serves(&w->head[i]))
            continue;
        storm_between(w, i, 1, 205 + sim_below(w->s, 120), 2000);
        head_crash(&w->head[i]);
        w->head[i].restart_ns = sim_now_ns(w->s);
        return;
    }
}

static bool dice(struct world *w, unsigned one_in) { return one_in > 0 && sim_below(w->s, one_in) == 0; }

/* Is this the moment for this head to die? */
static bool storm_hits(struct head *h)
{
    struct storm *st = &h->w->faults.now;
    struct raft_status rs;
    bool news;

    raft_status(store_raft(h->store), &rs);
    news = rs.term != h->term_seen;
    h->term_seen = rs.term;
    if (rs.is_leader)
        return rs.last > rs.commit && dice(h->w, st->leader_in);
    return news && !h->hardy && dice(h->w, st->voter_in);
}

static void storm_look(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++) {
        struct head *h = &w->head[i];
        if (!head_serves(h) || !storm_hits(h))
            continue;
        head_crash(h);
        h->restart_ns = sim_now_ns(w->s) + sim_below(w->s, w->faults.now.back_ms * MS);
    }
    fault_restarts(w);
}

void storm_run_for(struct world *w, uint64_t ns)
{
    uint64_t until = sim_now_ns(w->s) + ns;

    while (w->faults.script.step != SCRIPT_NONE && sim_now_ns(w->s) < until) {
        sim_run_for(w->s, sim_below(w->s, MS) + 1);
        script_look(w);
    }
    while (sim_now_ns(w->s) < MIN_OF(until, w->faults.now.until_ns)) {
        sim_run_for(w->s, sim_below(w->s, MS) + 1);
        storm_look(w);
    }
    if (sim_now_ns(w->s) < until)
        sim_run_for(w->s, until - sim_now_ns(w->s));
}
