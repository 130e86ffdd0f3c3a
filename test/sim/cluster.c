/* test/sim/cluster.c: heads on simulated machines. */
#include "test/sim/cluster.h"

bool head_serves(const struct head *h)
{
    return h->store != NULL && !h->closing && !h->removed && sim_up(h->m);
}

bool cluster_agrees(struct world *w)
{
    struct head *first = NULL;

    for (unsigned i = 0; i < w->n_heads; i++) {
        struct head *h = &w->head[i];
        if (h->removed)
            continue;
        if (!head_serves(h) || head_ailing(h) || head_repairing(h))
            return false;
        check_state(h);
        first = first != NULL ? first : h;
        if (store_revision(h->store) != store_revision(first->store))
            return false;
    }
    return store_revision(first->store) >= w->acked_rev;
}

bool cluster_begun(struct world *w)
{
    struct raft_status st;
    bool all = true;

    for (unsigned i = 0; i < w->n_founders && all && !w->begun; i++) {
        all = head_serves(&w->head[i]);
        if (all)
            raft_status(store_raft(w->head[i].store), &st);
        all = all && !st.repairing && st.durable > 0;
    }
    w->begun |= all;
    return w->begun;
}

bool head_ailing(const struct head *h)
{
    struct raft_status st;

    if (!head_serves(h))
        return false;
    raft_status(store_raft(h->store), &st);
    return st.disk_failed;
}

bool head_repairing(const struct head *h)
{
    struct raft_status st;

    if (!head_serves(h))
        return false;
    raft_status(store_raft(h->store), &st);
    return st.repairing;
}

void head_do(struct head *h, void (*fn)(void *arg), void *arg)
{
    sim_do(h->m, fn, arg);
}

int head_any(struct world *w)
{
    unsigned start = (unsigned)sim_below(w->s, w->n_heads);

    for (unsigned i = 0; i < w->n_heads; i++)
        if (head_serves(&w->head[(start + i) % w->n_heads]))
            return (int)((start + i) % w->n_heads);
    return -1;
}

/* ---- the tap: everything this head applies, as its watches see it --------------------------------- */

static void tap_on_ready(void *arg, struct store_watch *watch);

static void tap_open(struct head *h)
{
    struct store_watch_opts o = { .after_rev = store_revision(h->store), .on_ready = tap_on_ready, .arg = h };

    h->tap_rev = o.after_rev;
    h->tap_n = 0;
    must_ok(store_watch_open(h->store, &o, &h->tap));
    check_state(h);
}

static void tap_on_ready(void *arg, struct store_watch *watch)
{
    struct head *h = arg;
    struct store_event *e;
    int rc;

    while ((rc = store_watch_next(watch, &e)) == 0) {
        if (e->rev < h->tap_rev)
            broken(h->w, "%s: event %" PRIu64 " after %" PRIu64, h->name, e->rev, h->tap_rev);
        if (e->rev > h->tap_rev)
            h->tap_n = 0;
        h->tap_rev = e->rev;
        check_event(h, e);
    }
    if (rc == E_STALE) {                         /* a snapshot took its place */
        h->restores++;
        trace(h->w, "%s restored a snapshot at %" PRIu64, h->name, store_revision(h->store));
        store_watch_close(watch);
        tap_open(h);
        return;
    }
    check_state(h);
}

/* ---- start, crash, close -------------------------------------------------------------------------- */

static void head_on_leading(void *arg, bool leader)
{
    struct head *h = arg;

    h->leading = leader;
    trace(h->w, "%s %s", h->name, leader ? "leads" : "follows");
}

static void head_on_removed(void *arg)
{
    struct head *h = arg;

    h->removed = true;
    trace(h->w, "%s learns that it was removed", h->name);
}

static int head_open_store(struct head *h, struct errbuf *err)
{
    struct world *w = h->w;
    struct raft_peer_opts peer[MAX_HEADS];
    struct store_opts o = {
        .raft = { .loop = sim_machine_loop(h->m), .id = h->index + 1, .cluster = 77, .heads = peer,
                  .n_heads = h->index < w->n_founders ? w->n_founders : 0, .join = h->index >= w->n_founders,
                  .listen_addr = h->addr, .bugs = w->bugs,
                  /* small: there are several at most times */
                  .segment_bytes = 8192 + w->seed % 6 * 6000,
                  .snapshot_bytes = 4000 + w->seed % 7 * 9000, .log_bytes = 2000 + w->seed % 5 * 6000,
                  .apply_per_turn = w->seed % 3 ? 0 : 1 + (unsigned)(w->seed % 5),
                  /* 1: each entry goes alone */
                  .append_bytes = w->seed % 2 && !w->faults.storm ? 0 : 1 },
        .history_ms = w->seed % 3 == 0 ? 400 : 60000, .history_bytes = 20000 + w->seed % 5 * 60000,
        .on_leading = head_on_leading, .on_removed = head_on_removed, .arg = h,
    };
    int rc = disk_open(o.raft.loop, "data", &h->disk, err);

    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < w->n_founders; i++)
        peer[i] = (struct raft_peer_opts){ i + 1, w->head[i].addr };
    o.raft.disk = h->disk;
    return store_open(&o, &h->store, err);
}

static void head_in_start(void *arg)
{
    struct head  *h = arg;
    struct errbuf err = { "" };
    int rc = head_open_store(h, &err);

    if (rc == 0) {
        trace(h->w, "%s starts at revision %" PRIu64, h->name, store_revision(h->store));
        tap_open(h);
        return;
    }
    /* Full or failing disks are excuses; a torn or damaged file never is: others have what is lost. */
    if (rc == E_CORRUPT || h->w->calm)
        broken(h->w, "%s cannot open its data: %s", h->name, err.s);
    trace(h->w, "%s cannot open: %s", h->name, err.s);
    h->store = NULL;
    h->open_failed = true;
}

void head_start(struct head *h)
{
    if (!sim_up(h->m))
        sim_boot(h->m);
    h->boot = ++h->w->boots;
    h->starts++;
    h->closing = h->leading = h->open_failed = false;
    h->last_rev = 0;
    head_do(h, head_in_start, h);
    if (h->open_failed)
        head_crash(h);
}

/* Everything that pointed into the machine is void. */
static void head_forget(struct head *h)
{
    h->store = NULL;
    h->disk = NULL;
    h->tap = NULL;
    h->pin = NULL;
    h->leading = false;
    client_head_down(h->w, h->index);
    watcher_head_down(h->w, h->index);
    lease_head_down(h->w, h->index);
    member_head_down(h->w, h->index);
}

void head_crash(struct head *h)
{
    must(sim_up(h->m));
    trace(h->w, "%s crashes", h->name);
    head_forget(h);
    if (h->w->faults.dark && sim_below(h->w->s, 2))
        sim_power_off(h->m);
    else
        sim_crash(h->m);
    h->closing = false;
    /* Often at once: a head that forgets what it had just promised is most dangerous while the election
     * still runs. */
    h->restart_ns = sim_now_ns(h->w->s) + sim_below(h->w->s, sim_below(h->w->s, 2) ? 3000 : 30) * MS;
    h->w->crashes++;
}

static void head_on_closed(void *arg)
{
    struct head *h = arg;

    disk_close(h->disk);
    h->disk = NULL;
    h->store = NULL;
}

static void head_in_close(void *arg)
{
    struct head *h = arg;

    store_watch_close(h->tap);
    store_unpin(h->pin);
    h->tap = NULL;
    h->pin = NULL;
    store_close(h->store, head_on_closed, h);
}

void head_close(struct head *h)
{
    trace(h->w, "%s closes", h->name);
    watcher_head_down(h->w, h->index);
    h->closing = true;
    head_do(h, head_in_close, h);
    h->restart_ns = sim_now_ns(h->w->s) + (100 + sim_below(h->w->s, 2000)) * MS;
}

void head_new(struct world *w, unsigned index)
{
    struct head *h = &w->head[index];

    h->w = w;
    h->index = index;
    snprintf(h->name, sizeof h->name, "h%u", index + 1);
    snprintf(h->addr, sizeof h->addr, "h%u:2380", index + 1);
    h->m = sim_machine_new(w->s, h->name);
}

void cluster_open(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++)
        head_new(w, i);
    for (unsigned i = 0; i < w->n_heads; i++)
        head_start(&w->head[i]);
}

void cluster_close(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++) {
        if (w->head[i].removed && sim_up(w->head[i].m))
            head_crash(&w->head[i]);
        else if (head_serves(&w->head[i]))
            head_close(&w->head[i]);
    }
    sim_run_for(w->s, 30000 * MS);
    for (unsigned i = 0; i < w->n_heads; i++) {
        struct head *h = &w->head[i];
        if (h->store != NULL)
            broken(w, "%s does not come to an end", h->name);
        if (sim_up(h->m))
            loop_free(sim_machine_loop(h->m));   /* panics on anything left open */
    }
}
