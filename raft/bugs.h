/* raft/bugs.h: errors that a test can plant, to see that its checks would find them.  Never compiled into the
 * program. */
#ifndef RAFT_BUGS_H
#define RAFT_BUGS_H

enum raft_bug {
    /* The core's. */
    RAFT_BUG_COMMIT_OLD_TERM = 1, RAFT_BUG_VOTE_TWICE = 2, RAFT_BUG_VOTE_STALE_LOG = 4, RAFT_BUG_ACK_BEFORE_SYNC = 8,
    RAFT_BUG_NO_TRUNCATE = 16, RAFT_BUG_READ_UNCONFIRMED = 32, RAFT_BUG_VOTE_BEFORE_SYNC = 64,
    RAFT_BUG_LEASE_TOO_LONG = 128, RAFT_BUG_KEEP_EPOCH = 256, RAFT_BUG_COMMIT_UNVERIFIED = 512,
    RAFT_BUG_FORGET_DOUBT = 1024,
    RAFT_BUG_NO_JOINT = 2048, RAFT_BUG_LEARNER_COUNTS = 4096, RAFT_BUG_CONFIG_LATE = 8192, RAFT_BUG_CONFIG_STAYS = 16384,
    RAFT_BUG_SETTLE_EARLY = 32768,
    /* The log's. */
    RAFT_BUG_CUT_AT_DAMAGE = 1 << 16, RAFT_BUG_NO_SYNC = 1 << 17, RAFT_BUG_LOSE_VOTE = 1 << 18,
    RAFT_BUG_NEVER_LOST = 1 << 19, RAFT_BUG_NEWBORN_VOTES = 1 << 26,
    /* The host's, and those of the store, which is told the same set. */
    RAFT_BUG_APPLY_EARLY = 1 << 20, RAFT_BUG_READ_LOCAL = 1 << 21, RAFT_BUG_SNAPSHOT_BEHIND = 1 << 22,
    RAFT_BUG_REVISION_AGAIN = 1 << 23, RAFT_BUG_WATCH_STAYS = 1 << 24, RAFT_BUG_EXPIRE_ANYWAY = 1 << 25,
};
#ifdef RAFT_BUGS
#define BUG(c, which) (((c)->bugs & (which)) != 0)
#else
#define BUG(c, which) false
#endif

#endif
