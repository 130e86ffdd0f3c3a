/* test/sim/bugs.c: errors planted in every head, to see that the simulation would find them.  In a build with
 * -DRAFT_BUGS only (make sim-bugs). */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "net/arena.h"
#include "test/sim/bugs.h"
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
    { RAFT_BUG_NEWBORN_VOTES, "votes with an empty disk as if all were new" },
    { RAFT_BUG_NO_SYNC, "does not sync its log" },
    { RAFT_BUG_LOSE_VOTE, "loses its vote when it restarts" },
    { RAFT_BUG_LEARNER_COUNTS, "counts learners" },
    { RAFT_BUG_CONFIG_LATE, "uses a configuration only once it is committed" },
    { RAFT_BUG_NO_JOINT, "changes the membership without a joint step" },
    { RAFT_BUG_CONFIG_STAYS, "keeps a configuration whose entry was cut" },
    { RAFT_BUG_SETTLE_EARLY, "leaves the joint step before it is committed" },
    { RAFT_BUG_APPLY_EARLY, "applies before the commit" },
    { RAFT_BUG_READ_LOCAL, "reads what it has, asking nobody" },
    { RAFT_BUG_SNAPSHOT_BEHIND, "applies the last entry of a snapshot again" },
    { RAFT_BUG_REVISION_AGAIN, "gives a revision again after a restore" },
    { RAFT_BUG_WATCH_STAYS, "lets watches go on over a restored snapshot" },
    { RAFT_BUG_EXPIRE_ANYWAY, "ends leases without asking for epoch and renewals" },
};

/* Who found it, by the words of the find. */
static const struct { const char *words, *judge; } judges[] = {
    { "must hold", "an invariant" }, { "differs", "equality of heads" }, { "more events here", "equality of heads" },
    { "event ", "watches" }, { "watcher", "watches" }, { "lease", "leases" }, { "no agreement", "liveness" },
    { "calm weather", "liveness" }, { "cannot open", "recovery" }, { "does not come to an end", "liveness" },
    { "linear", "linearizability" }, { "op ", "history" }, { "revision", "history" },
};

static const char *judge_of(const char *said)
{
    for (size_t i = 0; i < ARRAY_LEN(judges); i++)
        if (strstr(said, judges[i].words) != NULL)
            return judges[i].judge;
    return "a crash";
}

/* A broken promise and a failed must() are finds alike: the child does not end well.  said: its last words. */
static bool bugs_found_in(const struct bugs_opts *o, unsigned bug, uint64_t seed, char said[256])
{
    int status = 0, fd[2];
    size_t n = 0;
    ssize_t k;

    fflush(NULL);
    must(pipe(fd) == 0);
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        dup2(open("/dev/null", O_WRONLY), 1);
        dup2(fd[1], 2);
        close(fd[0]);
        close(fd[1]);
        alarm(60);                               /* what never ends is found as well */
        o->life(seed, bug);
        _exit(0);
    }
    close(fd[1]);
    while (n < 255 && (k = read(fd[0], said + n, 255 - n)) > 0)
        n += (size_t)k;
    close(fd[0]);
    said[n] = '\0';
    must(waitpid(pid, &status, 0) == pid);
    if (n == 0 && WIFSIGNALED(status))
        snprintf(said, 256, "%s", WTERMSIG(status) == SIGALRM ? "no agreement: it never ends" : "a crash");
    return status != 0;
}

bool bugs_found(const struct bugs_opts *o)
{
    unsigned missed = 0, tried = 0;

    printf("| a head that | found by seed | by |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        uint64_t seed = 1;
        char said[256];
        if ((o->which & list[i].bug) == 0 || (o->only != NULL && strstr(list[i].name, o->only) == NULL))
            continue;
        tried++;
        while (seed <= o->seeds && !bugs_found_in(o, list[i].bug, seed, said))
            seed++;
        if (seed <= o->seeds)
            printf("| %s | %" PRIu64 " | %s |\n", list[i].name, seed, judge_of(said));
        else
            printf("| %s | NOT in %" PRIu64 " | |\n", list[i].name, o->seeds);
        missed += seed > o->seeds;
    }
    printf("%u passed, %u failed\n", tried - missed, missed);
    return missed == 0 && tried > 0;
}
#else
bool bugs_found(const struct bugs_opts *o)
{
    printf("built without -DRAFT_BUGS: nothing can be planted (make sim-bugs)\n");
    return false;
}
#endif
