/* test/sim/api/world.h: whole heads, from the disk to the API's sockets, and clients that speak HTTP to them.
 *
 *     main.c     seeds, phases, the judges at the end
 *     heads.c    raft + store + API on simulated machines; what goes wrong with them
 *     load.c     creates, updates, patches, deletes, gets and lists in pages, by the client that nodes use
 *     watches.c  watches over HTTP that wander from head to head
 *
 * Clients live on a machine of their own, which never fails; each has a connection to one head, so that the test
 * knows whom it asked.  What they were told goes into a history (test/sim/history.h), which the same judges read as
 * those of real processes.  All of it is allocated before: callbacks only fill it in. */
#ifndef TEST_SIM_API_WORLD_H
#define TEST_SIM_API_WORLD_H

#include <inttypes.h>
#include <stdio.h>
#include "api/client.h"
#include "api/server.h"
#include "net/log.h"
#include "net/sim.h"
#include "store/store.h"
#include "test/sim/history.h"

#define US        1000ull
#define MS        1000000ull
#define MAX_HEADS 5
#define KEYS      9
#define SLOTS     16                             /* requests under way */
#define WATCHES   6
#define MAX_OPS   8192
#define MAX_LINES 65536
#define PAGE      4                              /* objects */

enum request_kind { CREATE, UPDATE, PATCH, DELETE, GET, LIST, REQUEST_KINDS };

struct request {
    struct world *w;
    bool     busy;
    enum request_kind kind;
    unsigned key, head;
    uint64_t value, expect, asked, answered;     /* LIST: of the first page */
    char     body[256];
    /* LIST */
    uint64_t at, seen[KEYS], rev[KEYS];
    unsigned last, pages;                        /* last: key that came last, + 1 */
};

struct watcher {
    struct world *w;
    struct client_watch *watch;                  /* NULL: none now */
    bool     ended, stale;
    unsigned head;
    uint64_t id, seen;                           /* all up to there was told */
};

struct head {
    struct world *w;
    unsigned index;
    char     name[16], peer_addr[24], api_addr[24];
    struct sim_machine *m;
    struct disk  *disk;
    struct store *store;
    struct api   *api;
    uint64_t restart_ns;
    bool     cannot_open;
    struct client *client;                       /* of the clients' machine, to this head */
};

struct faults { bool crash, crash_all, partition, one_way, clients_cut, delay, drop, slow_disk, bad_disk,
    clocks; unsigned percent; };

struct world {
    struct sim  *s;
    uint64_t seed, heal_ns;
    unsigned bugs;                               /* planted in every head */
    unsigned n_heads;
    struct head  head[MAX_HEADS];
    struct sim_machine *clients;
    struct faults faults;
    bool     calm, trace;
    struct request slot[SLOTS];
    struct watcher watcher[WATCHES];
    struct history h;                            /* arrays of MAX_OPS and MAX_LINES */
    struct { uint64_t value, rv; } known[KEYS];  /* what somebody saw last, to update it */
    uint64_t values;                             /* given out */
    uint64_t max_rev;                            /* newest of any answer */
    uint64_t agreed_rev;                         /* all heads were equal there */
    uint64_t writes, reads, lists, unknown, lost, crashes, events, stretches;
};

#define trace(w, ...) ((w)->trace ? trace_line((w), __VA_ARGS__) : (void)0)
void trace_line(const struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
_Noreturn void broken(const struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* heads.c */
void heads_open(struct world *w);
void heads_close(struct world *w);
bool head_serves(const struct head *h);
void head_crash(struct head *h);
void fault_choose(struct world *w);
void fault_step(struct world *w);
void fault_heal(struct world *w);
void fault_restarts(struct world *w);
bool heads_agree(struct world *w);               /* all serve, at the same revision; their states are compared */

/* load.c */
unsigned object_key(const struct json *obj);     /* "kN": N + 1; 0: no object of ours */
uint64_t object_number(const struct json *obj, const char *path);          /* 0: none there */
void load_open(struct world *w);
void load_step(struct world *w);
void load_close(struct world *w);
unsigned load_busy(const struct world *w);
void load_write_through(struct world *w, unsigned head);       /* key 0 */

/* watches.c */
void watches_step(struct world *w);
void watches_end(struct world *w);
bool watches_caught_up(const struct world *w);

#endif
