/* test/sim/bugs.c: errors planted in every head, to see that the simulation would find them.  In a build with
 * -DRAFT_BUGS only (make sim-bugs). */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test/sim/cluster.h"
#ifdef RAFT_BUGS
#include "raft/bugs.h"

static const struct { unsigned bug; const char *name; } list[] = {
    { RAFT_BUG_COMMIT_OLD_TERM, "commits entries of older terms by counting" },
    { RAFT_BUG_VOTE_TWICE, "votes twice in a term" },
    { RAFT_BUG_VOTE_STALE_LOG, "votes for a stale log" },
    { RAFT_BUG_ACK_BEFORE_SYNC, "acknowledges before the sync" },
    { RAFT_BUG_NO_TRUNCATE, "keeps a conflicting suffix" },
    { RAFT_BUG_READ_UNCONFIRMED, "reads without confirmation" },
    { RAFT_BUG_VOTE_BEFORE_SYNC, "votes before the sync" },
    { RAFT_BUG_LEASE_TOO_LONG, "believes in its lease too long" },
    { RAFT_BUG_KEEP_EPOCH, "counts a write of a log that was cut" },
    { RAFT_BUG_COMMIT_UNVERIFIED, "commits what it has not matched" },
    { RAFT_BUG_CUT_AT_DAMAGE, "cuts its log at the first bad record" },
    { RAFT_BUG_FORGET_DOUBT, "votes and leads as if it had not lost entries" },
    { RAFT_BUG_NEVER_LOST, "guesses a vote that it cannot know" },
    { RAFT_BUG_NO_SYNC, "does not sync its log" },
    { RAFT_BUG_LOSE_VOTE, "loses its vote when it restarts" },
    { RAFT_BUG_LEARNER_COUNTS, "counts learners" },
    { RAFT_BUG_CONFIG_LATE, "uses a configuration only once it is committed" },
};

/* A broken promise and a failed must() are finds alike: the child does not end well. */
static bool bugs_found_in(unsigned bug, uint64_t seed, bool (*life)(uint64_t seed, unsigned bugs))
{
    int status = 0;

    fflush(NULL);
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        dup2(null, 2);
        _exit(life(seed, bug) ? 0 : 1);
    }
    must(waitpid(pid, &status, 0) == pid);
    return status != 0;
}

bool bugs_found(uint64_t seeds, const char *only, bool (*life)(uint64_t seed, unsigned bugs))
{
    unsigned missed = 0, tried = 0;

    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        uint64_t seed = 1;
        if (only != NULL && strstr(list[i].name, only) == NULL)
            continue;
        tried++;
        while (seed <= seeds && !bugs_found_in(list[i].bug, seed, life))
            seed++;
        if (seed <= seeds)
            printf("a head that %s: found by seed %" PRIu64 "\n", list[i].name, seed);
        else
            printf("a head that %s: NOT found in %" PRIu64 " seeds\n", list[i].name, seeds);
        missed += seed > seeds;
    }
    printf("%u passed, %u failed\n", tried - missed, missed);
    return missed == 0 && tried > 0;
}
#else
bool bugs_found(uint64_t seeds, const char *only, bool (*life)(uint64_t seed, unsigned bugs))
{
    printf("built without -DRAFT_BUGS: nothing can be planted (make sim-bugs)\n");
    return false;
}
#endif
