/* test/sim/fault.c: what goes wrong.  Each seed draws which kinds there are and how often (a swarm: all at
 * once hides what a few alone would show). */
#include "test/sim/cluster.h"

static const struct sim_disk_opts disk_good = { .op_min_ns = 50 * US, .op_max_ns = 300 * US };
static const struct sim_net_opts  net_good = { .delay_min_ns = 50 * US, .delay_max_ns = 500 * US };

void fault_choose(struct world *w)
{
    uint64_t bits = sim_random(w->s);
    struct faults *f = &w->faults;

    *f = (struct faults){
        .crash = bits & 1, .crash_all = (bits & 6) == 6, .partition = bits & 8, .one_way = bits & 16,
        .delay = bits & 32,
        .drop = bits & 64, .slow_disk = bits & 128, .stuck_disk = bits & 256, .io_error = bits & 512,
        .disk_full = (bits & 3072) == 3072, .clocks = bits & 4096, .close = bits & 8192,
        .storm = (bits & 49152) == 49152, .rot = bits & 131072 && w->n_heads > 2,
        .lost_write = bits & 262144 && w->n_heads > 2,
    };
    f->percent = (unsigned)(1 + sim_below(w->s, 12));
    f->birth = f->storm;
    if (f->storm)
        f->percent += 6;
    if (w->seed % 10 == 1)
        *f = (struct faults){ .percent = 0 };    /* fair weather is a case too */
    if (w->seed % 10 == 2 && w->n_heads > 2)     /* alone: no protocol survives a lost record and a lost head */
        *f = (struct faults){ .percent = 6, .rot = true, .lost_write = true };
    f->members = bits & 524288 && !f->rot && !f->lost_write;
    f->dark = bits & 1048576;
    if (w->seed % 10 == 3)                       /* heads come and go on both sides of a cut */
        *f = (struct faults){ .percent = 10, .partition = true, .members = true, .crash = bits & 1, .dark = bits & 2 };
    trace(w, "%u heads; %u %% faults:%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s", w->n_heads, f->percent,
          f->crash ? " crash" : "", f->crash_all ? " crash-all" : "", f->partition ? " partition" : "",
          f->one_way ? " one-way" : "", f->delay ? " delay" : "", f->drop ? " drop" : "",
          f->slow_disk ? " slow-disk" : "", f->stuck_disk ? " stuck-disk" : "",
          f->io_error ? " io-error" : "",
          f->disk_full ? " disk-full" : "", f->clocks ? " clocks" : "", f->close ? " close" : "",
          f->storm ? " storm" : "", f->rot ? " rot" : "", f->lost_write ? " lost-write" : "",
          f->members ? " members" : "", f->dark ? " dark" : "", f->birth ? " birth" : "");
}

/* Half the time the leader, if there is one: elections are where the danger is. */
static struct head *any_up(struct world *w)
{
    int i = head_any(w);

    for (unsigned k = 0; k < w->n_heads && sim_below(w->s, 2 * w->n_heads) < w->n_heads; k++)
        if (w->head[k].leading && head_serves(&w->head[k]))
            return &w->head[k];
    return i >= 0 ? &w->head[i] : NULL;
}

static void cut(struct world *w, unsigned from, unsigned to)
{
    struct sim_net_opts o = net_good;

    o.cut = true;
    if (from != to)
        sim_net_link(w->s, w->head[from].m, w->head[to].m, &o);
}

void fault_cut_off(struct world *w, unsigned side)
{
    w->partitions++;
    trace(w, "links cut: around %x", side);
    for (unsigned a = 0; a < w->n_heads; a++)
        for (unsigned b = 0; b < w->n_heads; b++)
            if ((side >> a & 1) != (side >> b & 1))
                cut(w, a, b);
    w->faults.heal_ns = sim_now_ns(w->s) + (300 + sim_below(w->s, 2000)) * MS;
}

/* Two sides that do not hear each other, or one that is not heard, or a single pair. */
static void fault_partition(struct world *w, bool one_way)
{
    unsigned side;
    bool pair = sim_below(w->s, 3) == 0;

    if (w->n_heads < 2)
        return;
    side = 1 + (unsigned)sim_below(w->s, (1u << w->n_heads) - 2);
    w->partitions++;
    trace(w, "links cut: %s %x%s", pair ? "a pair of" : "around", side, one_way ? ", one way" : "");
    for (unsigned a = 0; a < w->n_heads; a++) {
        for (unsigned b = 0; b < w->n_heads; b++) {
            if ((side >> a & 1) == (side >> b & 1) || (one_way && (side >> b & 1)))
                continue;
            cut(w, a, b);
            if (pair && !one_way)
                cut(w, b, a);
            if (pair)
                return;
        }
    }
}

static void fault_net(struct world *w, bool drop)
{
    struct sim_net_opts o = net_good;

    if (drop)
        o.drop_per_million = 500 + (unsigned)sim_below(w->s, 5000);
    else
        o.delay_max_ns = sim_below(w->s, 120) * MS + o.delay_min_ns;
    trace(w, "network: up to %.1f ms, %u/M break", (double)o.delay_max_ns / 1e6, o.drop_per_million);
    sim_net_default(w->s, &o);
}

enum disk_fault { SLOW, STUCK, ERROR, FULL };

static void fault_disk(struct world *w, enum disk_fault how)
{
    struct head *h = &w->head[sim_below(w->s, w->n_heads)];
    struct sim_disk_opts o = disk_good;
    bool all = how == SLOW && sim_below(w->s, 3) == 0;

    switch (how) {
    case SLOW:  o.op_max_ns = (1 + sim_below(w->s, 80)) * MS; break;
    case STUCK: o.stuck = true; break;
    case ERROR: o.fail_per_million = 3000 + (unsigned)sim_below(w->s, 100000); break;
    default:    o.capacity = 1; break;
    }
    w->disk_faults++;
    trace(w, "%s: disk %s", all ? "all" : h->name, (const char *[]){ "slow", "stuck", "fails", "full" }[how]);
    for (unsigned i = 0; i < w->n_heads; i++)
        if (all || h == &w->head[i])
            sim_disk(w->head[i].m, &o);
}

static void fault_clock(struct world *w)
{
    struct head *h = &w->head[sim_below(w->s, w->n_heads)];
    int64_t jump = ((int64_t)sim_below(w->s, 7200) - 3600) * 1000000000ll;
    double  rate = 0.95 + (double)sim_below(w->s, 100) / 1000;

    trace(w, "%s: clock jumps %+lld s, rate %.3f", h->name, (long long)(jump / 1000000000ll), rate);
    sim_clock_skew(h->m, jump, rate);
}

static void fault_one(struct world *w)
{
    struct faults *f = &w->faults;
    struct head   *h = any_up(w);

    switch (f->storm && sim_below(w->s, 3) == 0 ? 11 : sim_below(w->s, 15)) {
    case 0:  if (f->crash && h != NULL) head_crash(h); break;
    case 1:  if (f->close && h != NULL && sim_below(w->s, 3) == 0) head_close(h); break;
    case 2:  if (f->partition) fault_partition(w, false); break;
    case 3:  if (f->one_way) fault_partition(w, true); break;
    case 4:  if (f->delay) fault_net(w, false); break;
    case 5:  if (f->drop) fault_net(w, true); break;
    case 6:  if (f->slow_disk) fault_disk(w, SLOW); break;
    case 7:  if (f->stuck_disk) fault_disk(w, STUCK); break;
    case 8:  if (f->io_error) fault_disk(w, ERROR); break;
    case 9:  if (f->disk_full) fault_disk(w, FULL); break;
    case 10: if (f->clocks) fault_clock(w); break;
    case 11:
        if (f->storm && sim_below(w->s, 3) == 0)
            storm_revote(w);
        else if (f->storm && w->n_heads > 1 && sim_below(w->s, 2))
            script_begin(w);
        else if (f->storm)
            storm_begin(w);
        break;
    case 12: if (f->rot) rot_one(w); break;
    case 13: if (f->lost_write) rot_writes(w); break;
    default:
        for (unsigned i = 0; f->crash_all && i < w->n_heads && sim_below(w->s, 3) > 0; i++)
            if (sim_up(w->head[i].m))
                head_crash(&w->head[i]);
        break;
    }
    if (f->heal_ns == 0)
        f->heal_ns = sim_now_ns(w->s) + (50 + sim_below(w->s, 3000)) * MS;
}

void fault_heal(struct world *w)
{
    w->faults.heal_ns = 0;
    trace(w, "links and disks heal");
    sim_net_heal(w->s);
    sim_net_default(w->s, &net_good);
    for (unsigned i = 0; i < w->n_heads; i++)
        sim_disk(w->head[i].m, &disk_good);
    rot_heal(w);
}

void fault_restarts(struct world *w)
{
    if (w->calm)
        member_forgotten(w);
    for (unsigned i = 0; i < w->n_heads; i++) {
        struct head *h = &w->head[i];
        if (h->removed && sim_up(h->m))
            head_crash(h);
        else if (h->removed)
            ;
        else if (h->store == NULL && (w->calm || sim_now_ns(w->s) >= h->restart_ns))
            head_start(h);
        else if (head_ailing(h) && (w->calm || sim_below(w->s, 30) == 0))
            head_crash(h);
    }
}

void fault_step(struct world *w)
{
    if (w->faults.script.step != SCRIPT_NONE)
        return;                                  /* nothing comes between */
    if (w->faults.heal_ns != 0 && sim_now_ns(w->s) >= w->faults.heal_ns)
        fault_heal(w);
    if (sim_below(w->s, 100) < w->faults.percent)
        fault_one(w);
    fault_restarts(w);
    rot_step(w);
}
