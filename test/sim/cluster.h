/* test/sim/cluster.h: a whole cluster in one process, its clients, its faults and its judges.
 *
 *     main.c      seeds, phases, the closing line
 *     cluster.c   heads: raft + store on simulated machines; start, crash, the tap on each
 *     client.c    reads and writes on random heads, and what came of them
 *     watcher.c   watches that wander from head to head
 *     lease.c     leases, and keys that go with them
 *     member.c    heads that come and go for good
 *     fault.c     what goes wrong, chosen anew for each seed
 *     rot.c       disks that lose or change what they were given
 *     storm.c     elections upon elections, with deaths at the worst moments
 *     script.c    one particular chain of deaths
 *     bugs.c      planted errors, which the judges must find (and those of the world over HTTP)
 *     hash.c      one number for all that a store holds
 *     check.c     the truth (what each revision did) and everything that is compared with it
 *
 * Clients live in the world, not on machines: they call into a head's store as the API server in that
 * process would, and when the head crashes they simply hear no more.  Their records are the world's memory:
 * callbacks, which run on a machine, write only into what is there already. */
#ifndef TEST_SIM_CLUSTER_H
#define TEST_SIM_CLUSTER_H

#include <inttypes.h>
#include <stdio.h>
#include "net/log.h"
#include "net/sim.h"
#include "store/store.h"

#define US        1000ull
#define MS        1000000ull
#define MAX_HEADS 8
#define KEYS      12                             /* written by clients */
#define LEASE_KEYS 4                             /* carried by leases: keys KEYS... */
#define ALARM_KEY (KEYS + LEASE_KEYS)            /* stands for all alarms, which heads raise for their disks */
#define ALL_KEYS  (ALARM_KEY + 1)
#define MAX_OPS   4096
#define MAX_REVS  4096
#define MAX_REV_EVENTS 4
#define WATCHERS  8
#define WATCH_LOG 8192
#define NEVER     UINT64_MAX

/* ---- the truth ---- */

struct truth_event { unsigned key; bool deleted; uint64_t value, tag, prev_tag; };
struct truth_rev {
    unsigned n;
    struct truth_event ev[MAX_REV_EVENTS];
    uint64_t seen_ns;                            /* when the first head had it */
    uint64_t state_hash;                         /* of all keys; 0: nobody looked */
};

/* ---- operations ---- */

enum op_kind { OP_PUT, OP_CAS, OP_DELETE, OP_PUT_TWO, OP_GET, OP_KINDS };
enum op_outcome { OP_OPEN, OP_DONE, OP_LOST_RACE, OP_NOT_DONE, OP_MAYBE };

struct op {
    struct world *w;
    enum op_kind  kind;
    enum op_outcome outcome;
    unsigned key, key2, head;
    uint64_t id, invoked_ns, answered_ns;
    uint64_t expected;                           /* CAS: the revision compared with */
    /* DONE: of the write; reads and lost races: the state they saw */
    uint64_t rev;
    uint64_t seen_value, seen_mod;               /* what a read found; 0: no key */
    struct store_commit commit;
    struct raft_read    read;
};

/* ---- watchers, leases, heads ---- */

struct watcher {
    struct world *w;
    int      head;                               /* -1: none now */
    uint64_t boot;
    struct store_watch *watch;
    int      key;                                /* one key; -1: all, or a tag */
    uint64_t tag;
    bool     relist;                             /* history is gone: a list says where to go on */
    uint64_t from_rev, seen_rev;                 /* this stretch: events in (from, seen] are all in the log */
    uint64_t pause_until;
    struct { uint64_t rev, value; unsigned key; bool deleted; } *log; unsigned n;
    uint64_t events, stretches, stale;
};

struct lease_client {
    struct world *w;
    unsigned key;
    uint64_t id, ttl_ms, value;                  /* id 0: none */
    uint64_t promised_ns, asked_ns;
    bool     asking, dead;
    unsigned head; uint64_t boot;
    struct store_commit commit;
    uint64_t expired, renewed;
};

struct head {
    struct world *w;
    unsigned index;
    char     name[16], addr[24];
    struct sim_machine *m;
    uint64_t boot;                               /* counts starts */
    uint64_t restart_ns;                         /* when down: when it comes back */
    struct store *store;                         /* NULL: down, or could not open */
    struct disk  *disk;
    struct store_watch *tap;
    uint64_t tap_rev, last_rev;
    unsigned tap_n;                              /* events of tap_rev so far */
    struct store_view *pin; uint64_t pin_hash;
    uint64_t term_seen;                          /* by the storm */
    bool     hardy;                              /* survives a vote in it */
    bool     leading, closing, open_failed;
    bool     removed;                            /* from the cluster, and it knows: it stays off */
    bool     damaged, repaired;                  /* part of its disk is, or may be; it was seen to repair itself */
    bool     lossy;                              /* its disk loses or misplaces writes, now */
    uint64_t damaged_boot, damaged_rev;          /* in which life; what it has to have again */
    uint64_t starts, restores;
};

struct storm {
    uint64_t until_ns, back_ms;                  /* how soon who died is back, at most */
    unsigned leader_in, voter_in;                /* one in so many moments is the last; 0: none */
};

enum script_step {
    SCRIPT_NONE, SCRIPT_FIRST, SCRIPT_FIRST_DIES, SCRIPT_SECOND, SCRIPT_SECOND_DIES, SCRIPT_FIRST_AGAIN,
    SCRIPT_FIRST_DIES_AGAIN, SCRIPT_SECOND_AGAIN, SCRIPT_DONE
};
struct script {
    enum script_step step;
    unsigned first, second;                      /* heads */
    uint64_t at_ns, until_ns;                    /* go on then; give up then */
};

struct faults {
    bool crash, crash_all, partition, one_way, delay, drop, slow_disk, stuck_disk, io_error, disk_full,
        clocks, close, storm, rot, lost_write, members,
        dark,                                    /* some crashes are power cuts: peers are not told */
        birth;                                   /* the first storm comes before the first leader */
    unsigned percent;                            /* of steps that do something bad */
    uint64_t heal_ns;                            /* until when */
    struct storm now;
    struct script script;
};

struct world {
    struct sim  *s;
    uint64_t seed, boots;
    unsigned bugs;                               /* planted in every head */
    unsigned n_heads, n_founders;                /* so far; from the start */
    struct {                                     /* one change of the membership at a time */
        struct raft_change change;
        unsigned head;                           /* that was asked */
        bool busy, grown;                        /* grown: one more head is a member, and is to be started */
        uint64_t changed, refused;
    } member;
    struct head  head[MAX_HEADS];
    struct faults faults;
    bool     calm;                               /* the liveness phase: nothing goes wrong any more */
    bool     begun;                              /* all founders have begun, and have it on their disks */
    struct op *op; unsigned n_op, open_ops;
    struct watcher watcher[WATCHERS];
    struct lease_client lease[LEASE_KEYS];
    struct truth_rev *truth; uint64_t max_rev;
    uint64_t acked_rev;                          /* newest revision any client was told of */
    unsigned done, reads, lost, not_done, maybe, crashes, partitions, disk_faults, expiries,
    rots, repairs;
    bool     trace;
};

#define trace(w, ...) ((w)->trace ? trace_line((w), __VA_ARGS__) : (void)0)
void trace_line(const struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A promise is broken: says what, and the seed, and ends the program. */
_Noreturn void broken(const struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* cluster.c */
void cluster_open(struct world *w);
void head_new(struct world *w, unsigned index);  /* its machine; not started */
void cluster_close(struct world *w);
bool cluster_agrees(struct world *w);            /* all heads serve, are well, at one revision, with one state */
/* Has every founder an entry on its disk?  Before, nobody can tell a disk that was replaced from one that was never
 * written to, and who votes must not change. */
bool cluster_begun(struct world *w);
bool head_serves(const struct head *h);
bool head_repairing(const struct head *h);       /* it lost entries and does not have them back */
bool head_ailing(const struct head *h);          /* its disk failed: it takes no part until it is started again */
void head_start(struct head *h);
void head_crash(struct head *h);
void head_close(struct head *h);                 /* in good order; it is restarted later */
int  head_any(struct world *w);                  /* a random one that serves, -1: none */
void head_do(struct head *h, void (*fn)(void *arg), void *arg);

/* client.c */
void client_step(struct world *w);
void client_head_down(struct world *w, unsigned head);         /* its open operations are never answered */
void client_final_put(struct world *w, unsigned head);         /* liveness: one write through this head */

/* watcher.c */
void watcher_open_all(struct world *w);
void watcher_step(struct world *w);
void watcher_head_down(struct world *w, unsigned head);
void watcher_settle(struct watcher *x);          /* no longer connected; what it has is compared */
bool watcher_wants(const struct watcher *x, const struct truth_event *e);

/* lease.c */
void lease_step(struct world *w);
void lease_head_down(struct world *w, unsigned head);

/* member.c */
void member_step(struct world *w);
void member_head_down(struct world *w, unsigned head);
void member_forgotten(struct world *w);

/* fault.c */
void fault_choose(struct world *w);
void fault_step(struct world *w);
void fault_heal(struct world *w);
void fault_cut_off(struct world *w, unsigned side);      /* these heads (bits) from all others, for a while */
void fault_restarts(struct world *w);

/* rot.c */
void rot_step(struct world *w);                  /* who has been damaged and is well again? */
void rot_one(struct world *w);                   /* damage one that is up, killing it */
void rot_writes(struct world *w);                /* one loses or misplaces what it writes for a while */
void rot_heal(struct world *w);

/* storm.c */
void storm_begin(struct world *w);
void storm_birth(struct world *w);                     /* at the very start */
void storm_revote(struct world *w);
void storm_run_for(struct world *w, uint64_t ns);      /* as sim_run_for() */

/* script.c */
void script_begin(struct world *w);
void script_look(struct world *w);
void script_end(struct world *w);

/* check.c */
unsigned key_index(const struct world *w, struct str key);
struct str key_name(unsigned key, char *buf);
uint64_t value_id(const struct world *w, struct str value, uint64_t rev);
/* The same of an event; of an alarm: what it says. */
uint64_t event_value(const struct world *w, const struct store_event *e, unsigned key, uint64_t rev);
void check_event(struct head *h, const struct store_event *e);
void check_state(struct head *h);
void check_past(struct head *h);
void check_watcher(struct watcher *x);
void check_history(struct world *w);

#endif
