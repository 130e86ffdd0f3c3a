/* raft/limits.h: every bound of the consensus layer, by name.
 *
 * Worst-case memory of one head, from these: RAFT_LOG_BYTES (RAFT_LOG_PATIENCE times that while a head that
 * answers lags; after a start once what was written since the last snapshot) + RAFT_MAX_UNCOMMITTED (no
 * quorum) + per peer RAFT_PEER_QUEUE (unsent) and RAFT_MAX_FRAME (half-read) + two write buffers of what
 * comes in during one write. */
#ifndef RAFT_LIMITS_H
#define RAFT_LIMITS_H

/* Timing.  A follower grants no vote for ELECTION_MIN after it heard its leader; the leader's lease is
 * RAFT_LEASE_PERCENT of that, so clocks may run apart by the rest. */
#define RAFT_HEARTBEAT_MS      50
#define RAFT_ELECTION_MIN_MS   200
#define RAFT_ELECTION_MAX_MS   400
#define RAFT_LEASE_PERCENT     80
#define RAFT_MAX_KNOCKS        6                 /* doublings of the pause of who hears no leader and asks */
#define RAFT_PROPOSAL_MS       5000              /* after that an unanswered proposal is E_UNKNOWN */
#define RAFT_NOLEADER_MS       2000              /* how long proposals wait for a leader to appear */
#define RAFT_READ_MS           5000
#define RAFT_READ_RETRY_MS     100
#define RAFT_CHANGE_MS         10000             /* a change of the membership without outcome is E_UNKNOWN */
#define RAFT_TRANSFER_ELECTIONS 3                /* a handover takes at most so many (the longest) */
#define RAFT_CHANGE_WAIT_MS    2000              /* how long one waits for another to be settled */
#define RAFT_CHANGE_RETRY_MS   50                /* one that met no leader or another change is asked again */
#define RAFT_PUBLISH_RETRY_MS  1000              /* our name and URLs, if that was refused */
#define RAFT_SEAL_MS           500               /* quiet time after which the log's tail is marked as complete */

/* The core. */
#define RAFT_MAX_APPEND        (1u << 20)        /* bytes of entries in one message (one larger entry goes alone) */
#define RAFT_MAX_INFLIGHT      128               /* append messages to one follower without answer */
#define RAFT_MAX_INFLIGHT_BYTES (16u << 20)
#define RAFT_MAX_UNCOMMITTED   (64u << 20)       /* bytes a leader takes without a quorum's answer */
#define RAFT_MAX_READS         1024              /* read rounds waiting (each stands for a whole turn's reads) */
#define RAFT_PROMOTE_LAG       5000              /* entries a learner may lack and be promoted: some ms under full load */
#define RAFT_MAX_HELD          256               /* messages waiting for term and vote to be durable */
#define RAFT_ENTRY_OVERHEAD    48                /* what an entry costs besides its bytes */

/* Entries in memory, newest first: for followers that lag.  More stays only for a head that still answers. */
#define RAFT_LOG_BYTES         (16u << 20)
#define RAFT_LOG_PATIENCE      4
#define RAFT_LOG_QUIET_BYTES   (2u << 20)        /* what stays when the load is over ... */
#define RAFT_QUIET_MS          2000              /* ... that is, when in such a time less than this was applied: */
#define RAFT_QUIET_BYTES       (1u << 20)
#define RAFT_LOAD_BYTES        (8u << 20)        /* less than this since the last rest is no load */

/* Files. */
#define RAFT_ASIDE             "bad-"            /* in front of the name of what is damaged and no longer used */
#define RAFT_SEGMENT_BYTES     (16u << 20)
#define RAFT_SNAPSHOT_BYTES    (64u << 20)       /* of log before the next, and at least as much as the last one's size */
#define RAFT_SNAPSHOT_SLICE    (256u << 10)      /* written, read, restored or sent per turn */
#define RAFT_SNAPSHOT_REST     3                 /* between slices: so many times the last one, ... */
#define RAFT_SNAPSHOT_REST_MAX_MS 100            /* ... but no longer */
#define RAFT_SNAPSHOTS_KEPT    2
#define RAFT_SNAPSHOT_RETRY_MS 1000              /* before a snapshot is offered again to a head that could not take it */
#define RAFT_WAL_BACKLOG       (64u << 20)       /* gathered while a write hangs; beyond it nothing new is taken */
#define RAFT_WAL_ROOM_MS       1000              /* no room for a new segment: when that is tried again */
#define RAFT_WAL_SLOW_MS       2000              /* a leader whose write hangs so long hands over */

/* Peers and the host. */
#define RAFT_MAX_FRAME         (8u << 20)
#define RAFT_MAX_FRAME_ENTRIES 65536
#define RAFT_MAX_TEXT          512               /* bytes of a name, URL or reason in a message */
#define RAFT_PEER_QUEUE        (32u << 20)       /* unsent bytes to one peer; beyond it messages are dropped */
#define RAFT_PEER_STUCK_MS     5000              /* no byte taken for so long: the connection is made anew */
#define RAFT_PEER_BACKOFF_MIN_MS 20
#define RAFT_PEER_BACKOFF_MAX_MS 1000
#define RAFT_MAX_INCOMING      32                /* accepted peer connections, known or not yet */
#define RAFT_MAX_CHANGES       16                /* changes of the membership asked of a leader, without answer yet */
#define RAFT_HELLO_MS          5000
#define RAFT_MAX_HELLO         256               /* bytes of a hello or farewell */
#define RAFT_MAX_INBOX_BYTES   (64u << 20)
#define RAFT_APPLY_PER_TURN    8192              /* entries */
#define RAFT_APPLY_SLICE_NS    2000000u          /* what they may take of one turn */
#define RAFT_APPLY_AT_ONCE     32u               /* between two looks at the clock */
#define RAFT_MAX_PENDING       (1u << 20)        /* local proposals in flight */
#define RAFT_MAX_PENDING_BYTES (64u << 20)

#endif
