/* test/raft/core_test.c: the raft core against a hostile world, by seed; and planted bugs that must be
 * found. */
#include "test/test.h"
#include "test/raft/cluster.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A life of chaos, then peace: the promises held throughout, and in peace the group works again. */
static void seed_run(struct cluster *cl)
{
    for (unsigned i = 0; i < cl->n; i++)
        cl->node[i].rate = 0.95 + (double)cl_random(cl, 100) / 1000;
    cl->chaos = true;
    cl->dup = 20;
    cl->slow = 20;
    cl->drop = (unsigned)cl_random(cl, 100);
    cl_boot(cl);
    cl_post(cl, cl->now, W_CLIENT, 0);
    cl_post(cl, cl->now + 500 * MS, W_CHAOS, 0);
    cl_run(cl, 8000 * MS);
    cl->chaos = false;
    cl->drop = cl->dup = cl->slow = 0;
    cl->delay_max = cl->delay_min + MS;
    memset(cl->cut, 0, sizeof(cl->cut));
    for (unsigned i = 0; i < cl->n; i++) {
        cl->node[i].disk_max = MS;
        if (!cl->node[i].up && cl->node[i].added)
            node_boot(cl, &cl->node[i]);
    }
    cl_run(cl, 3000 * MS);
    if (cl->broken[0] != '\0')
        return;
    struct node *leader = cl_leader(cl);
    uint64_t before = cl->settled_n;
    if (leader == NULL || cl_propose(cl, leader, 1) != 0) {
        cl_break(cl, "no leader takes a proposal in peace");
        return;
    }
    cl_run(cl, 1000 * MS);
    const struct raft_config *c = &leader->core.config;
    for (unsigned i = 0; i < c->n; i++)
        if (cl->node[c->head[i].id - 1].applied <= before)
            cl_break(cl, "head %llu does not catch up in peace: %llu of %llu", (unsigned long long)c->head[i].id,
                     (unsigned long long)cl->node[c->head[i].id - 1].applied, (unsigned long long)cl->settled_n);
    if (raft_config_joint(c) || c->index > leader->core.commit)
        cl_break(cl, "a change of the membership does not come to its end");
}

static struct cluster *seed_cluster(uint64_t seed, bool changes)
{
    struct cluster *cl = cl_new(seed, seed % 4 == 0 ? 5 : 3);

    cl->changes = changes;
    if (changes)
        cl->n = NODES;
    return cl;
}

TEST(seeds)
{
    const char *one = getenv("SEED"), *many = getenv("SEEDS");
    uint64_t first = one != NULL ? strtoull(one, NULL, 0) : 1, n = one != NULL ? 1 : many != NULL ? strtoull(many, NULL, 0) : 300;
    uint64_t values = 0, reads = 0, leases = 0, elections = 0, snapshots = 0, restarts = 0, changed = 0;

    for (uint64_t seed = first; seed < first + n; seed++) {
        struct cluster *cl = seed_cluster(seed, seed % 2 == 1 || seed % 8 == 0);
        seed_run(cl);
        if (cl->broken[0] != '\0')
            test_fail(__FILE__, __LINE__, "SEED=%llu: %s", (unsigned long long)seed, cl->broken);
        values += cl->committed_values;
        reads += cl->reads_ok;
        leases += cl->lease_reads;
        elections += cl->elections;
        snapshots += cl->snapshots;
        restarts += cl->restarts;
        changed += cl->changed;
        cl_free(cl);
    }
    printf("  %llu seeds: %llu values committed, %llu reads, %llu lease reads, %llu elections, %llu snapshots, %llu crashes, "
           "%llu configurations\n",
           (unsigned long long)n, (unsigned long long)values, (unsigned long long)reads, (unsigned long long)leases,
           (unsigned long long)elections, (unsigned long long)snapshots, (unsigned long long)restarts,
           (unsigned long long)changed);
    if (one == NULL) {                           /* the dice must really have reached these places */
        CHECK(values > 100 * n);
        CHECK(reads > 10 * n && leases > 10 * n);
        CHECK(elections > 3 * n && restarts > 3 * n && snapshots > n / 10);
        CHECK(changed > 3 * n);
    }
}

/* In a child: a planted bug ends in a broken promise or in a failed must(), either is a find. */
static bool bug_found(unsigned bug, uint64_t seeds, uint64_t *ret_seed)
{
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            int null = open("/dev/null", O_WRONLY);
            dup2(null, 2);
            for (uint64_t s = seed; s < seed + 25; s++) {
                struct cluster *cl = seed_cluster(s, bug >= RAFT_BUG_NO_JOINT);
                cl->bugs = bug;
                seed_run(cl);
                if (cl->broken[0] != '\0')
                    _exit(1);
                cl_free(cl);
            }
            _exit(0);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        *ret_seed = seed;
        if (status != 0)
            return true;
        seed += 24;
    }
    return false;
}

TEST(planted_bugs_are_found)
{
    static const struct { unsigned bug; const char *name; } bugs[] = {
        { RAFT_BUG_VOTE_TWICE, "votes twice in a term" },
        { RAFT_BUG_VOTE_STALE_LOG, "votes for a stale log" },
        { RAFT_BUG_ACK_BEFORE_SYNC, "acknowledges before the sync" },
        { RAFT_BUG_NO_TRUNCATE, "keeps a conflicting suffix" },
        { RAFT_BUG_READ_UNCONFIRMED, "reads without confirmation" },
        { RAFT_BUG_VOTE_BEFORE_SYNC, "votes before the sync" },
        { RAFT_BUG_LEASE_TOO_LONG, "believes in its lease too long" },
        { RAFT_BUG_KEEP_EPOCH, "counts a write of a log that was cut" },
        { RAFT_BUG_COMMIT_UNVERIFIED, "commits what it has not matched" },
        { RAFT_BUG_NO_JOINT, "changes the membership without a joint step" },
        { RAFT_BUG_LEARNER_COUNTS, "counts learners" },
        { RAFT_BUG_CONFIG_LATE, "uses a configuration only once it is committed" },
        { RAFT_BUG_CONFIG_STAYS, "keeps a configuration whose entry was cut" },
        { RAFT_BUG_SETTLE_EARLY, "leaves the joint step before it is committed" },
    };

    for (size_t i = 0; i < ARRAY_LEN(bugs); i++) {
        uint64_t seed = 0;
        bool found = bug_found(bugs[i].bug, 2000, &seed);
        if (!found)
            test_fail(__FILE__, __LINE__, "not found in %llu seeds: a head that %s", (unsigned long long)seed, bugs[i].name);
    }
}
