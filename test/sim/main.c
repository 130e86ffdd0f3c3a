/* test/sim/main.c: one cluster life per seed: a stormy part in which nothing wrong may be said, and a calm
 * one in which things must go on.
 *
 *     build/test/sim/sim                 a few hundred seeds, some of them twice (same seed, same run)
 *     build/test/sim/sim SEEDS [FIRST]   that many
 *     build/test/sim/sim seed N          one, with a trace
 *     build-bugs/test/sim/sim bugs SEEDS [WORDS]
 *                                        each planted error is found within so many (make sim-bugs) */
#include <stdlib.h>
#include "test/sim/bugs.h"
#include "test/sim/cluster.h"

#define DEFAULT_SEEDS 300
#define STEPS         700
#define REPEAT_EVERY  10                         /* seeds that are run twice */

static void world_step(struct world *w)
{
    uint64_t n = sim_below(w->s, 4);
    int head;

    while (n-- > 0)
        client_step(w);
    watcher_step(w);
    if (sim_below(w->s, 8) == 0)
        lease_step(w);
    if (sim_below(w->s, 10) == 0 && (head = head_any(w)) >= 0)
        check_past(&w->head[head]);
    member_step(w);
    if (!w->calm)
        fault_step(w);
    storm_run_for(w, sim_below(w->s, 30000) * US + 1);
}

static void world_settle(struct world *w, const char *what)
{
    uint64_t until = sim_now_ns(w->s) + 30000 * MS;

    while (w->open_ops > 0 || !cluster_agrees(w)) {
        fault_restarts(w);
        sim_run_for(w->s, 50 * MS);
        if (sim_now_ns(w->s) > until)
            broken(w, "no agreement within 30 s of calm (%s): %u operations open", what, w->open_ops);
    }
}

/* Who agree may still be electing a leader: the first try may fail. */
static void world_last_write(struct world *w, unsigned head)
{
    uint64_t until = sim_now_ns(w->s) + 5000 * MS;
    unsigned done = w->done;

    /* It may learn only now that it was removed. */
    while (!w->head[head].removed && w->done == done && w->n_op < MAX_OPS) {
        client_final_put(w, head);
        world_settle(w, "a last write");
        if (sim_now_ns(w->s) > until)
            broken(w, "no write through %s succeeds in calm weather", w->head[head].name);
        if (w->done == done)
            sim_run_for(w->s, 50 * MS);
    }
}

/* Everything is healed: heads come back, agree, and take writes, each of them. */
static void world_calm(struct world *w)
{
    w->calm = true;
    w->faults.now.until_ns = 0;
    script_end(w);
    fault_heal(w);
    for (unsigned i = 0; i < w->n_heads; i++)
        sim_clock_skew(w->head[i].m, 0, 1.0);
    world_settle(w, "after the storm");
    for (unsigned i = 0; i < w->n_heads; i++)
        if (!w->head[i].removed)
            world_last_write(w, i);
    for (int i = 0; i < 100; i++)                /* watchers catch up, leases run out */
        world_step(w);
    world_settle(w, "the end");
}

static struct world *world_new(uint64_t seed, bool trace)
{
    struct world *w = mem_new(struct world);

    w->seed = seed;
    w->trace = trace;
    w->s = sim_new(seed);
    w->n_founders = w->n_heads = seed % 4 == 0 ? 5 : seed % 23 == 0 ? 1 : 3;
    w->op = mem_zalloc(MAX_OPS * sizeof *w->op);
    w->truth = mem_zalloc(MAX_REVS * sizeof *w->truth);
    for (unsigned i = 0; i < LEASE_KEYS; i++)
        w->lease[i].w = w;
    watcher_open_all(w);
    fault_choose(w);
    return w;
}

static void world_free(struct world *w)
{
    sim_free(w->s);
    for (unsigned i = 0; i < WATCHERS; i++)
        mem_free(w->watcher[i].log);
    mem_free(w->truth);
    mem_free(w->op);
    mem_free(w);
}

struct totals { uint64_t done, reads, lost, not_done, maybe, crashes, partitions, disk_faults, expiries,
    events, stale, restores, revs, rots, repairs, changed; };

static void world_count(const struct world *w, struct totals *t)
{
    t->done += w->done;
    t->reads += w->reads;
    t->lost += w->lost;
    t->not_done += w->not_done;
    t->maybe += w->maybe;
    t->crashes += w->crashes;
    t->partitions += w->partitions;
    t->disk_faults += w->disk_faults;
    t->expiries += w->expiries;
    t->revs += w->max_rev;
    t->rots += w->rots;
    t->changed += w->member.changed;
    t->repairs += w->repairs;
    for (unsigned i = 0; i < WATCHERS; i++) {
        t->events += w->watcher[i].events;
        t->stale += w->watcher[i].stale;
    }
    for (unsigned i = 0; i < w->n_heads; i++)
        t->restores += w->head[i].restores;
}

/* The whole life of one seed; returns the hash of all that happened. */
static uint64_t life(uint64_t seed, unsigned bugs, bool trace, struct totals *t)
{
    long live = mem_live();
    struct world *w = world_new(seed, trace);
    uint64_t hash;

    w->bugs = bugs;
    cluster_open(w);
    for (unsigned i = 0; w->faults.birth && i < 10 && head_repairing(&w->head[i % w->n_heads]); i++)
        sim_run_for(w->s, MS);                   /* they agree to begin; the first election comes after that */
    if (w->faults.birth)
        storm_birth(w);
    for (int i = 0; i < STEPS; i++)
        world_step(w);
    world_calm(w);
    cluster_close(w);                            /* the last watches are compared as their heads close */
    check_history(w);
    hash = sim_hash(w->s);
    trace(w, "hash %016" PRIx64 ", %" PRIu64 " revisions, %u ops done, %u not, %u unknown", hash, w->max_rev,
          w->done, w->not_done,
          w->maybe);
    world_count(w, t);
    world_free(w);
    if (mem_live() != live) {
        fprintf(stderr, "seed %" PRIu64 ": %ld blocks of memory leaked\n0 passed, 1 failed\n", seed,
                mem_live() - live);
        exit(1);
    }
    return hash;
}

static void life_with_bugs(uint64_t seed, unsigned bugs)
{
    struct totals ignored = { 0 };

    life(seed, bugs, false, &ignored);
}

static void totals_print(const struct totals *t, uint64_t lives, uint64_t twice)
{
    const struct { const char *what; uint64_t n; } line[] = {
        { "lives", lives }, { "run twice", twice }, { "writes", t->done }, { "reads", t->reads },
        { "lost races", t->lost }, { "refused", t->not_done }, { "unknown", t->maybe },
        { "crashes", t->crashes },
        { "partitions", t->partitions }, { "disk faults", t->disk_faults },
        { "disks damaged", t->rots }, { "heads that had lost entries", t->repairs },
        { "snapshots restored", t->restores }, { "changes of the membership", t->changed },
        { "leases ended", t->expiries }, { "watch events", t->events }, { "watches too slow", t->stale },
    };

    for (size_t i = 0; i < ARRAY_LEN(line); i++)
        printf("%s%" PRIu64 " %s", i > 0 ? ", " : "", line[i].n, line[i].what);
    putchar('\n');
}

static void run_seeds(uint64_t first, uint64_t n)
{
    struct totals t = { 0 };
    uint64_t twice = 0;

    for (uint64_t seed = first; seed < first + n; seed++) {
        uint64_t hash = life(seed, 0, false, &t);
        if (seed % REPEAT_EVERY == 0) {
            struct totals ignored = { 0 };
            twice++;
            if (life(seed, 0, false, &ignored) != hash) {
                fprintf(stderr, "seed %" PRIu64 ": a second run took another course\n0 passed, 1 failed\n",
                        seed);
                exit(1);
            }
        }
    }
    totals_print(&t, n, twice);
    printf("%" PRIu64 " passed, 0 failed\n", n);
}

int main(int argc, char **argv)
{
    struct totals t = { 0 };

    setvbuf(stdout, NULL, _IOLBF, 0);
    log_level = LOG_NONE;                        /* what goes wrong is meant to */
    if (argc == 3 && strcmp(argv[1], "seed") == 0) {
        log_level = LOG_INFO;
        life(strtoull(argv[2], NULL, 10), 0, true, &t);
        printf("1 passed, 0 failed\n");
        return 0;
    }
    if (argc >= 3 && strcmp(argv[1], "bugs") == 0)
        return !bugs_found(&(struct bugs_opts){ strtoull(argv[2], NULL, 10), ~0u, argv[3], life_with_bugs });
    run_seeds(argc > 2 ? strtoull(argv[2], NULL, 10) : 1, argc > 1 ? strtoull(argv[1], NULL, 10)
              : DEFAULT_SEEDS);
    return 0;
}
