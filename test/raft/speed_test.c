/* test/raft/speed_test.c: proposals through three heads in one process, closed loop. As a unit test a
 * short run that only checks that all are answered; SECONDS=3 measures (no time is ever a pass or a
 * failure). */
#include "test/raft/heads.h"

#define CLIENTS_MAX 4096

struct client { struct raft_proposal p; struct head *head; uint64_t began; };
static struct client client[CLIENTS_MAX];
static struct loop *the_loop;
static char payload[400];
static uint64_t answered, failed, end_ns;
static uint32_t *sample;
static size_t sample_n, sample_cap;
static unsigned running;

static void client_start(struct client *c)
{
    c->began = loop_hires_ns(the_loop);
    raft_propose(c->head->raft, &c->p, str_make(payload, sizeof(payload)));
}

static void client_next(struct client *c)
{
    uint64_t now = loop_hires_ns(the_loop);

    if (sample_n < sample_cap)
        sample[sample_n++] = (uint32_t)((now - c->began) / 1000);
    if (now < end_ns)
        client_start(c);
    else
        running--;
}

static void client_on_failed(struct raft_proposal *p, int err)
{
    failed++;
    client_next(container_of(p, struct client, p));
}

static void client_on_local(struct head *h, uint64_t index, struct raft_proposal *p)
{
    answered++;
    client_next(container_of(p, struct client, p));
}

static bool clients_done(struct group *g) { return running == 0; }

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void measure(struct group *g, struct head *h, unsigned n, double seconds, const char *what)
{
    struct raft_status before, after;

    answered = failed = sample_n = 0;
    the_loop = g->loop;
    head_on_local = client_on_local;
    raft_status(h->raft, &before);
    uint64_t began = loop_hires_ns(g->loop);
    end_ns = began + (uint64_t)(seconds * 1e9);
    running = n;
    for (unsigned i = 0; i < n; i++) {
        client[i].head = h;
        client[i].p.failed = client_on_failed;
        client_start(&client[i]);
    }
    CHECK(group_run(g, clients_done, (uint64_t)(seconds * 1000) + 10000));
    double took = (double)(loop_hires_ns(g->loop) - began) / 1e9;
    raft_status(h->raft, &after);
    CHECK_INT(failed, 0);
    qsort(sample, sample_n, sizeof(*sample), by_size);
    if (sample_n > 0)
        printf("  %-28s %5u clients: %8.0f/s  p50 %u us  p99 %u us  %llu syncs of %.0f us\n", what, n,
               (double)answered / took, sample[sample_n / 2], sample[sample_n * 99 / 100],
               (unsigned long long)(after.fsyncs - before.fsyncs),
               (double)(after.fsync_ns_sum - before.fsync_ns_sum) / 1000 / (double)MAX_OF(after.fsyncs - before.fsyncs, 1));
}

TEST(speed)
{
    struct raft_opts base = { 0 };
    struct group *g = group_new(3, &base, 0);
    double seconds = getenv("SECONDS") != NULL ? atof(getenv("SECONDS")) : 0.05;

    sample_cap = 4u << 20;
    sample = mem_alloc(sample_cap * sizeof(*sample));
    for (unsigned i = 0; i < 3; i++)
        head_start(&g->head[i]);
    CHECK(group_run(g, group_has_leader, 3000));
    struct head *leader = group_leader(g), *follower = &g->head[(leader->n + 1) % 3];
    measure(g, leader, 1, seconds, "at the leader");
    measure(g, leader, 64, seconds, "at the leader");
    measure(g, leader, 1024, seconds, "at the leader");
    measure(g, leader, 4096, seconds, "at the leader");
    measure(g, follower, 1, seconds, "at a follower");
    measure(g, follower, 1024, seconds, "at a follower");
    mem_free(sample);
    group_free(g);
}
