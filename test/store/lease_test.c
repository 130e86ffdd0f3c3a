/* test/store/lease_test.c: leases in virtual time: never shorter than promised, whoever leads, and gone in
 * the end.
 *
 * One state machine (the log's outcome) and two keepers on two machines; which of them leads changes at
 * random, and what they propose is applied late, in order, also after its proposer has lost the lead. */
#include "net/sim.h"
#include "store/lease.h"
#include "test/store/store_rig.h"

#define MS     1000000ull
#define LEASES 12
#define LOG    64

struct world;
struct head { struct world *w; struct sim_machine *m; struct lease_keeper k; bool leads; };
/* touches: a keep-alive of this lease */
struct command { struct store_txn t; uint64_t touches, asked_ns; };
struct world {
    struct sim *s;
    struct run  r;
    struct head head[2];
    struct command log[LOG]; unsigned n_log, n_applied;
    uint64_t promised_ns[LEASES + 1], ttl_ms[LEASES + 1];
    unsigned early, expired;
    uint64_t term;
};

static bool leased(struct world *w, uint64_t id)
{
    struct image_lease l;
    return image_lease_get(&w->r.s.now, id, &l);
}

static void append(struct world *w, struct store_txn *t)
{
    must(w->n_log - w->n_applied < LOG);
    w->log[w->n_log++ % LOG] = (struct command){ .t = *t };
}

static void on_expire(void *arg, uint64_t id, uint64_t touches, uint64_t epoch)
{
    struct head *h = arg;
    struct store_txn t;

    store_txn_init(&t);
    txn_lease_expire(&t, id, touches, epoch);
    append(h->w, &t);
}

static void on_begin(void *arg, uint64_t epoch)
{
    struct head *h = arg;
    struct store_txn t;

    store_txn_init(&t);
    txn_lease_epoch(&t, epoch);
    append(h->w, &t);
}

static struct world *in_world;                   /* of what runs inside a machine */
static uint64_t      in_id;
static bool          in_result;

static void in_changed(void *arg) { lease_keeper_changed(arg, in_id); }
static void in_renew(void *arg) { in_result = lease_keeper_renew(arg, in_id); }
static void in_follow(void *arg) { lease_keeper_follow(arg); }
static void in_lead(void *arg) { lease_keeper_lead(arg, in_world->term); }

/* Apply the oldest command on the log; tell both keepers. */
static void apply_one(struct world *w)
{
    struct command *c = &w->log[w->n_applied % LOG];
    bool was[LEASES + 1];

    if (w->n_applied == w->n_log)
        return;
    for (uint64_t id = 1; id <= LEASES; id++)
        was[id] = leased(w, id);
    run_txn(&w->r, &c->t);
    w->n_applied++;
    must(w->r.r.err == 0);
    if (c->touches != 0 && leased(w, c->touches))
        w->promised_ns[c->touches] = MAX_OF(w->promised_ns[c->touches],
                                            c->asked_ns + w->ttl_ms[c->touches] * MS);
    for (uint64_t id = 1; id <= LEASES; id++) {
        if (!was[id] || leased(w, id))
            continue;
        w->expired++;
        w->early += sim_now_ns(w->s) < w->promised_ns[id];
    }
    for (unsigned i = 0; i < w->r.s.n_lease_changed; i++) {
        in_id = w->r.s.lease_changed[i];
        for (int h = 0; h < 2; h++)
            sim_do(w->head[h].m, in_changed, &w->head[h].k);
    }
}

static void change_leader(struct world *w)
{
    struct store_txn late[LOG];
    unsigned n_late = 0, n = 0;
    int to = w->head[0].leads;

    /* What is in the log is applied before the new leader leads; what the old one had only sent comes behind, some of
     * it even before the new leader's first command. */
    while (w->n_applied < w->n_log && sim_below(w->s, 2))
        apply_one(w);
    while (w->n_applied < w->n_log)
        late[n_late++] = w->log[w->n_applied++ % LOG].t;
    for (int i = 0; i < 2; i++)
        if (w->head[i].leads)
            sim_do(w->head[i].m, in_follow, &w->head[i].k);
    w->head[to].leads = true;
    w->head[!to].leads = false;
    w->term++;
    in_world = w;
    for (; n < n_late && sim_below(w->s, 2); n++)
        append(w, &late[n]);
    sim_do(w->head[to].m, in_lead, &w->head[to].k);
    for (; n < n_late; n++)
        append(w, &late[n]);
}

/* The client's view: a promise counts from the moment it asked. */
static void renew(struct world *w, uint64_t id, bool through_log)
{
    struct head *h = &w->head[w->head[1].leads];
    struct store_txn t;

    if (!leased(w, id))
        return;
    in_id = id;
    in_result = false;
    if (!through_log)
        sim_do(h->m, in_renew, &h->k);
    if (in_result) {
        w->promised_ns[id] = sim_now_ns(w->s) + w->ttl_ms[id] * MS;
        return;
    }
    store_txn_init(&t);
    txn_lease_touch(&t, id);
    append(w, &t);
    w->log[(w->n_log - 1) % LOG].touches = id;
    w->log[(w->n_log - 1) % LOG].asked_ns = sim_now_ns(w->s);
}

static void grant(struct world *w, uint64_t id)
{
    struct store_txn t;

    if (leased(w, id))
        return;
    while (w->n_applied < w->n_log)
        apply_one(w);
    if (leased(w, id))
        return;
    w->ttl_ms[id] = 50 + sim_below(w->s, 3000);
    w->promised_ns[id] = sim_now_ns(w->s) + w->ttl_ms[id] * MS;
    store_txn_init(&t);
    store_txn_lease_grant(&t, id, w->ttl_ms[id]);
    append(w, &t);
    apply_one(w);
}

static void world_run(uint64_t seed)
{
    struct world *w = mem_new(struct world);

    w->s = sim_new(seed);
    run_init(&w->r, 1 << 20);
    for (int i = 0; i < 2; i++) {
        struct head *h = &w->head[i];
        h->w = w;
        h->m = sim_machine_new(w->s, i == 0 ? "h0" : "h1");
        lease_keeper_init(&h->k, sim_machine_loop(h->m), &w->r.s.now);
        h->k.expire = on_expire;
        h->k.begin = on_begin;
        h->k.arg = h;
    }
    change_leader(w);
    for (int step = 0; step < 400; step++) {
        uint64_t id = 1 + sim_below(w->s, LEASES);
        switch (sim_below(w->s, 8)) {
        case 0: grant(w, id); break;
        case 1: case 2: renew(w, id, false); break;
        case 3: renew(w, id, true); break;
        case 4: if (sim_below(w->s, 4) == 0) change_leader(w); break;
        default: apply_one(w); break;
        }
        sim_run_for(w->s, sim_below(w->s, 200) * MS);
        while (w->n_log - w->n_applied > LOG / 2)
            apply_one(w);
    }
    CHECK_INT(w->early, 0);
    for (int i = 0; i < 200 && w->r.s.now.n_leases > 0; i++) {
        sim_run_for(w->s, 100 * MS);
        while (w->n_applied < w->n_log)
            apply_one(w);
    }
    CHECK_INT(w->r.s.now.n_leases, 0);           /* everything ends in the end */
    CHECK(w->expired > 5);
    image_check(&w->r.s.now);
    for (int i = 0; i < 2; i++)
        sim_crash(w->head[i].m);
    sim_free(w->s);
    run_release(&w->r);
    mem_free(w);
}

TEST(leases_never_end_early_and_always_end)
{
    for (uint64_t seed = 1; seed <= 150; seed++)
        world_run(seed);
}
