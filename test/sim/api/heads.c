/* test/sim/api/heads.c: whole heads, and what goes wrong with them and between them. */
#include "test/sim/api/world.h"
#include "test/sim/hash.h"

static const struct sim_disk_opts disk_good = { .op_min_ns = 50 * US, .op_max_ns = 300 * US };
static const struct sim_net_opts  net_good = { .delay_min_ns = 50 * US, .delay_max_ns = 500 * US };

bool head_serves(const struct head *h) { return h->api != NULL && sim_up(h->m); }

/* ---- Life -------------------------------------------------------------------------------------------- */

static void head_in_start(void *arg)
{
    struct head  *h = arg;
    struct world *w = h->w;
    struct raft_peer_opts peer[MAX_HEADS];
    struct errbuf err = { "" };
    struct store_opts so = {
        .raft = { .loop = sim_machine_loop(h->m), .id = h->index + 1, .cluster = 77, .heads = peer,
                  .n_heads = w->n_heads, .bugs = w->bugs, .listen_addr = h->peer_addr,
                  .segment_bytes = 40000 + w->seed % 6 * 30000,
                  .snapshot_bytes = 60000 + w->seed % 7 * 40000, .log_bytes = 20000 + w->seed % 5 * 30000 },
        .history_ms = w->seed % 3 == 0 ? 800 : 60000,
    };
    struct api_opts ao = { .loop = so.raft.loop, .listen_addr = h->api_addr,
                           .token_lines = STR("secret,admin,1,\"system:masters\"") };

    for (unsigned i = 0; i < w->n_heads; i++)
        peer[i] = (struct raft_peer_opts){ i + 1, w->head[i].peer_addr };
    must_ok(disk_open(so.raft.loop, "data", &h->disk, &err));
    so.raft.disk = h->disk;
    int rc = store_open(&so, &h->store, &err);
    if (rc != 0) {                               /* a full or failing disk is an excuse */
        if (rc == E_CORRUPT || w->calm)
            broken(w, "%s cannot open its data: %s", h->name, err.s);
        h->store = NULL;
        h->cannot_open = true;
        return;
    }
    ao.store = h->store;
    if (api_open(&ao, &h->api, &err) != 0)
        broken(w, "%s: %s", h->name, err.s);
    api_bootstrap(h->api);
}

static void head_start(struct head *h)
{
    if (!sim_up(h->m))
        sim_boot(h->m);
    h->cannot_open = false;
    h->w->agreed_rev = 0;                        /* what it read back is compared, too */
    sim_do(h->m, head_in_start, h);
    if (h->cannot_open)
        head_crash(h);
    else
        trace(h->w, "%s starts at revision %" PRIu64, h->name, store_revision(h->store));
}

void head_crash(struct head *h)
{
    struct world *w = h->w;

    trace(w, "%s crashes", h->name);
    h->api = NULL;
    h->store = NULL;
    sim_crash(h->m);
    h->restart_ns = sim_now_ns(w->s) + sim_below(w->s, sim_below(w->s, 2) ? 3000 : 30) * MS;
    w->crashes++;
}

void heads_open(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++) {
        struct head *h = &w->head[i];
        h->w = w;
        h->index = i;
        snprintf(h->name, sizeof h->name, "h%u", i + 1);
        snprintf(h->peer_addr, sizeof h->peer_addr, "h%u:2380", i + 1);
        snprintf(h->api_addr, sizeof h->api_addr, "h%u:6443", i + 1);
        h->m = sim_machine_new(w->s, h->name);
        sim_disk(h->m, &disk_good);
    }
    sim_net_default(w->s, &net_good);
    for (unsigned i = 0; i < w->n_heads; i++)
        head_start(&w->head[i]);
}

static void head_on_store_closed(void *arg)
{
    struct head *h = arg;

    disk_close(h->disk);
    h->store = NULL;
}

static void head_on_api_closed(void *arg)
{
    struct head *h = arg;

    h->api = NULL;
    store_close(h->store, head_on_store_closed, h);
}

static void head_in_close(void *arg) { api_close(((struct head *)arg)->api, head_on_api_closed, arg); }

void heads_close(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++)
        sim_do(w->head[i].m, head_in_close, &w->head[i]);
    sim_run_for(w->s, 30000 * MS);
    for (unsigned i = 0; i < w->n_heads; i++) {
        if (w->head[i].store != NULL)
            broken(w, "%s does not come to an end", w->head[i].name);
        loop_free(sim_machine_loop(w->head[i].m));
    }
    loop_free(sim_machine_loop(w->clients));
}

/* ---- Agreement --------------------------------------------------------------------------------------- */

bool heads_agree(struct world *w)
{
    uint64_t hash = 0, rev = 0;

    for (unsigned i = 0; i < w->n_heads; i++)
        if (!head_serves(&w->head[i]) || store_revision(w->head[i].store) != store_revision(w->head[0].store))
            return false;
    rev = store_revision(w->head[0].store);
    for (unsigned i = 0; i < w->n_heads && rev != w->agreed_rev; i++) {
        uint64_t mine = view_hash(store_live(w->head[i].store));
        if (i > 0 && mine != hash)
            broken(w, "%s differs from h1 at revision %" PRIu64, w->head[i].name, rev);
        hash = mine;
    }
    w->agreed_rev = rev;
    return true;
}

/* ---- Faults ------------------------------------------------------------------------------------------ */

void fault_choose(struct world *w)
{
    uint64_t bits = sim_random(w->s);
    struct faults *f = &w->faults;

    *f = (struct faults){ .crash = bits & 1, .crash_all = (bits & 6) == 6, .partition = bits & 8, .one_way = bits & 16,
                          .clients_cut = bits & 32, .delay = bits & 64, .drop = bits & 128, .slow_disk = bits & 256,
                          .clocks = bits & 512, .bad_disk = bits & 1024,
                          .percent = (unsigned)(2 + sim_below(w->s, 10)) };
    if (w->seed % 10 == 1)
        *f = (struct faults){ .percent = 0 };
    trace(w, "%u heads; %u %% faults:%s%s%s%s%s%s%s%s%s%s", w->n_heads, f->percent, f->crash ? " crash" : "",
          f->crash_all ? " crash-all" : "", f->partition ? " partition" : "", f->one_way ? " one-way" : "",
          f->clients_cut ? " clients-cut" : "", f->delay ? " delay" : "", f->drop ? " drop" : "",
          f->slow_disk ? " slow-disk" : "", f->clocks ? " clocks" : "", f->bad_disk ? " bad-disk" : "");
}

static void fault_cut(struct world *w, struct sim_machine *from, struct sim_machine *to)
{
    struct sim_net_opts o = net_good;

    o.cut = true;
    sim_net_link(w->s, from, to, &o);
}

/* Sides that do not hear each other; with a bridge, one head hears both.  Or one way only. */
static void fault_partition(struct world *w, bool one_way)
{
    unsigned side = 1 + (unsigned)sim_below(w->s, (1u << w->n_heads) - 2), bridge = MAX_HEADS;

    if (sim_below(w->s, 3) == 0)
        bridge = (unsigned)sim_below(w->s, w->n_heads);
    trace(w, "links cut around %x%s%s", side, one_way ? ", one way" : "", bridge < MAX_HEADS ? ", with a bridge" : "");
    for (unsigned a = 0; a < w->n_heads; a++)
        for (unsigned b = 0; b < w->n_heads; b++)
            if ((side >> a & 1) != (side >> b & 1) && a != bridge && b != bridge && !(one_way && (side >> b & 1)))
                fault_cut(w, w->head[a].m, w->head[b].m);
}

static void fault_net(struct world *w, bool drop)
{
    struct sim_net_opts o = net_good;

    if (drop)
        o.drop_per_million = 500 + (unsigned)sim_below(w->s, 5000);
    else
        o.delay_max_ns += sim_below(w->s, 100) * MS;
    trace(w, "network: up to %.1f ms, %u/M break", (double)o.delay_max_ns / 1e6, o.drop_per_million);
    sim_net_default(w->s, &o);
}

/* Stuck, failing, or full: a head whose disk failed serves no more until it is started again. */
static void fault_disk(struct world *w, struct head *h)
{
    struct sim_disk_opts o = disk_good;

    switch (sim_below(w->s, 3)) {
    case 0:  o.stuck = true; break;
    case 1:  o.fail_per_million = 3000 + (unsigned)sim_below(w->s, 100000); break;
    default: o.capacity = 1; break;
    }
    trace(w, "%s: disk %s", h->name, o.stuck ? "stuck" : o.capacity != 0 ? "full" : "fails");
    sim_disk(h->m, &o);
}

static bool head_ailing(const struct head *h)
{
    struct raft_status st;

    if (!head_serves(h))
        return false;
    raft_status(store_raft(h->store), &st);
    return st.disk_failed;
}

static void fault_one(struct world *w)
{
    struct faults *f = &w->faults;
    struct head *h = &w->head[sim_below(w->s, w->n_heads)];
    struct sim_disk_opts slow = { .op_min_ns = 50 * US, .op_max_ns = (1 + sim_below(w->s, 60)) * MS };

    switch (sim_below(w->s, 10)) {
    case 0: if (f->crash && head_serves(h)) head_crash(h); break;
    case 1: if (f->partition) fault_partition(w, false); break;
    case 2: if (f->one_way) fault_partition(w, true); break;
    case 3: if (f->clients_cut) fault_cut(w, w->clients, h->m); break;
    case 4: if (f->clients_cut) fault_cut(w, h->m, w->clients); break;
    case 5: if (f->delay || f->drop) fault_net(w, f->drop); break;
    case 6: if (f->slow_disk) sim_disk(h->m, &slow); break;
    case 7:
        if (f->clocks)
            sim_clock_skew(h->m, ((int64_t)sim_below(w->s, 7200) - 3600) * 1000000000ll,
                           0.95 + (double)sim_below(w->s, 100) / 1000);
        break;
    case 8: if (f->bad_disk) fault_disk(w, h); break;
    default:
        for (unsigned i = 0; f->crash_all && i < w->n_heads; i++)
            if (head_serves(&w->head[i]))
                head_crash(&w->head[i]);
    }
    if (w->heal_ns == 0)
        w->heal_ns = sim_now_ns(w->s) + (50 + sim_below(w->s, 3000)) * MS;
}

void fault_heal(struct world *w)
{
    w->heal_ns = 0;
    sim_net_heal(w->s);
    sim_net_default(w->s, &net_good);
    for (unsigned i = 0; i < w->n_heads; i++)
        sim_disk(w->head[i].m, &disk_good);
}

void fault_restarts(struct world *w)
{
    for (unsigned i = 0; i < w->n_heads; i++) {
        struct head *h = &w->head[i];
        if (head_ailing(h) && (w->calm || sim_below(w->s, 30) == 0))
            head_crash(h);
        else if (h->store == NULL && (w->calm || sim_now_ns(w->s) >= h->restart_ns))
            head_start(h);
    }
}

void fault_step(struct world *w)
{
    if (w->heal_ns != 0 && sim_now_ns(w->s) >= w->heal_ns)
        fault_heal(w);
    if (sim_below(w->s, 100) < w->faults.percent)
        fault_one(w);
    fault_restarts(w);
}
