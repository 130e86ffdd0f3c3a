/* test/sim/api/main.c: lives of a cluster that is spoken to over HTTP: a stormy part, then calm; then the judges.
 *
 *     build/test/sim/simapi                 some seeds
 *     build/test/sim/simapi SEEDS [FIRST]   that many
 *     build/test/sim/simapi seed N          one, with a trace
 *     build-bugs/test/sim/simapi bugs SEEDS [WORDS]      planted errors (make sim-bugs) */
#include <stdarg.h>
#include <stdlib.h>
#include "raft/bugs.h"
#include "test/sim/api/world.h"
#include "test/sim/bugs.h"

#define DEFAULT_SEEDS 20
#define STEPS         400
/* Planted errors that can be seen from here; the others need faults that only the world without API has. */
#define BUGS (RAFT_BUG_VOTE_TWICE | RAFT_BUG_VOTE_STALE_LOG | RAFT_BUG_NO_TRUNCATE | RAFT_BUG_READ_UNCONFIRMED \
              | RAFT_BUG_LEASE_TOO_LONG | RAFT_BUG_KEEP_EPOCH | RAFT_BUG_COMMIT_UNVERIFIED | RAFT_BUG_NO_SYNC \
              | RAFT_BUG_LOSE_VOTE | RAFT_BUG_APPLY_EARLY | RAFT_BUG_READ_LOCAL | RAFT_BUG_REVISION_AGAIN)
#define REPEAT_EVERY  10                         /* seeds that are run twice */

void trace_line(const struct world *w, const char *fmt, ...)
{
    va_list ap;

    printf("%10.3f ms  ", (double)sim_now_ns(w->s) / 1e6);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

void broken(const struct world *w, const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "seed %" PRIu64 ", %.3f ms: ", w->seed, (double)sim_now_ns(w->s) / 1e6);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n  replay with: make sim API_SEED=%" PRIu64 "\n0 passed, 1 failed\n", w->seed);
    exit(1);
}

/* ---- A life ------------------------------------------------------------------------------------------- */

static void world_step(struct world *w)
{
    for (uint64_t n = sim_below(w->s, 4); n > 0; n--)
        load_step(w);
    watches_step(w);
    if (!w->calm)
        fault_step(w);
    sim_run_for(w->s, sim_below(w->s, 40000) * US + 1);
    heads_agree(w);
}

static void world_wait(struct world *w, bool (*until)(struct world *w), const char *what)
{
    uint64_t end = sim_now_ns(w->s) + 60000 * MS;

    while (!until(w)) {
        fault_restarts(w);
        sim_run_for(w->s, 50 * MS);
        if (sim_now_ns(w->s) > end)
            broken(w, "within a minute of calm: %s", what);
    }
}

static bool world_at_rest(struct world *w) { return load_busy(w) == 0 && heads_agree(w); }

static bool world_all_told(struct world *w)
{
    watches_step(w);
    return watches_caught_up(w);
}

/* Each head takes a write, though perhaps not the first: its peers may still be finding each other. */
static void world_write_through(struct world *w, unsigned head)
{
    uint64_t end = sim_now_ns(w->s) + 30000 * MS, before = w->writes;

    while (w->writes == before && w->h.n_op < MAX_OPS) {
        load_write_through(w, head);
        world_wait(w, world_at_rest, "no agreement after a write");
        if (sim_now_ns(w->s) > end)
            broken(w, "no write through %s succeeds in calm weather", w->head[head].name);
    }
}

static void world_calm(struct world *w)
{
    w->calm = true;
    fault_heal(w);
    for (unsigned i = 0; i < w->n_heads; i++)
        sim_clock_skew(w->head[i].m, 0, 1.0);
    world_wait(w, world_at_rest, "no agreement, or a request has no answer");
    for (unsigned i = 0; i < w->n_heads; i++)
        world_write_through(w, i);
    for (int i = 0; i < 20; i++)
        world_step(w);
    world_wait(w, world_at_rest, "no agreement at the end");
    world_write_through(w, 0);
    world_wait(w, world_all_told, "a watch does not tell all");
}

static void world_judge(struct world *w)
{
    char why[256] = "";

    if (!history_watches_hold(&w->h, why))
        broken(w, "watches: %s", why);
    if (linear_check(w->h.op, w->h.n_op, why) != LINEAR_HOLDS)
        broken(w, "linearizability: %s", why);
}

struct totals { uint64_t ops, writes, reads, lists, unknown, lost, crashes, events, stretches; };

static uint64_t life(uint64_t seed, unsigned bugs, bool trace, struct totals *t)
{
    long live = mem_live();
    struct world *w = mem_new(struct world);
    uint64_t hash;

    *w = (struct world){ .seed = seed, .bugs = bugs, .trace = trace, .s = sim_new(seed), .n_heads = seed % 5 == 0 ? 5 : 3 };
    w->h.op = mem_zalloc(MAX_OPS * sizeof *w->h.op);
    w->h.watch = mem_zalloc(MAX_LINES * sizeof *w->h.watch);
    fault_choose(w);
    heads_open(w);
    load_open(w);
    for (int i = 0; i < STEPS; i++)
        world_step(w);
    world_calm(w);
    watches_end(w);
    world_judge(w);
    load_close(w);
    heads_close(w);
    hash = sim_hash(w->s);
    trace(w, "hash %016" PRIx64 ", %zu operations, %" PRIu64 " events", hash, w->h.n_op, w->events);
    t->ops += w->h.n_op;
    t->writes += w->writes;
    t->reads += w->reads;
    t->lists += w->lists;
    t->unknown += w->unknown;
    t->lost += w->lost;
    t->crashes += w->crashes;
    t->events += w->events;
    t->stretches += w->stretches;
    sim_free(w->s);
    history_release(&w->h);
    mem_free(w);
    if (mem_live() != live) {
        fprintf(stderr, "seed %" PRIu64 ": %ld blocks of memory leaked\n0 passed, 1 failed\n", seed, mem_live() - live);
        exit(1);
    }
    return hash;
}

static void life_with_bugs(uint64_t seed, unsigned bugs)
{
    struct totals ignored = { 0 };

    life(seed, bugs, false, &ignored);
}

static void run_seeds(uint64_t first, uint64_t n)
{
    struct totals t = { 0 }, ignored = { 0 };

    for (uint64_t seed = first; seed < first + n; seed++) {
        uint64_t hash = life(seed, 0, false, &t);
        if (seed % REPEAT_EVERY == 0 && life(seed, 0, false, &ignored) != hash) {
            fprintf(stderr, "seed %" PRIu64 ": a second run took another course\n0 passed, 1 failed\n", seed);
            exit(1);
        }
    }
    printf("%" PRIu64 " lives over HTTP, %" PRIu64 " writes, %" PRIu64 " reads, %" PRIu64 " lists in pages, %" PRIu64
           " refused, %" PRIu64 " unknown, %" PRIu64 " crashes, %" PRIu64 " watches, %" PRIu64 " events\n", n, t.writes,
           t.reads, t.lists, t.lost, t.unknown, t.crashes, t.stretches, t.events);
    printf("%" PRIu64 " passed, 0 failed\n", n);
}

int main(int argc, char **argv)
{
    struct totals t = { 0 };

    setvbuf(stdout, NULL, _IOLBF, 0);
    log_level = LOG_NONE;
    if (argc == 3 && strcmp(argv[1], "seed") == 0) {
        log_level = LOG_INFO;
        life(strtoull(argv[2], NULL, 10), 0, true, &t);
        printf("1 passed, 0 failed\n");
        return 0;
    }
    if (argc >= 3 && strcmp(argv[1], "bugs") == 0)
        return !bugs_found(&(struct bugs_opts){ strtoull(argv[2], NULL, 10), BUGS, argv[3], life_with_bugs });
    run_seeds(argc > 2 ? strtoull(argv[2], NULL, 10) : 1, argc > 1 ? strtoull(argv[1], NULL, 10) : DEFAULT_SEEDS);
    return 0;
}
