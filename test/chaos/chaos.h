/* test/chaos/chaos.h: clients of a real cluster that write down what they were told: reads, writes and
 * watches through all heads, in the form that lincheck judges (test/sim/history.h).
 * test/e2e/chaos_test.sh does the harm meanwhile.
 *
 * What no answer came to, or one that leaves it open, is recorded as unknown; what an answer says was
 * certainly not done, as failed.  Thread: loop only. */
#ifndef TEST_CHAOS_H
#define TEST_CHAOS_H

#include <stdio.h>
#include "api/client.h"

#define CHAOS_HEADS      9
#define CHAOS_CLIENTS    14
#define CHAOS_KEYS       12
#define CHAOS_FENCE      CHAOS_KEYS              /* one more: written last, for watches to arrive at */
#define CHAOS_WATCHERS   6
#define CHAOS_PAUSE_MS   30                      /* at most so long between two requests of a client */
#define CHAOS_TIMEOUT_MS 2000
#define CHAOS_SETTLE_MS  20000                   /* after the faults: all must be well within this */
#define CHAOS_TEXT       32                      /* a value, a revision */
#define CHAOS_RES        ((struct client_resource){ "", "v1", "configmaps" })
#define CHAOS_NS         STR("chaos")

struct chaos;

enum chaos_op {
    CHAOS_GET, CHAOS_LIST, CHAOS_CREATE, CHAOS_CAS, CHAOS_PUT, CHAOS_DELETE, CHAOS_CAS_DELETE, CHAOS_OPS
};

/* What a client last saw of a key. */
struct chaos_known { char value[CHAOS_TEXT], rev[CHAOS_TEXT]; };

struct chaos_client {
    struct chaos *c;
    unsigned number, head;
    struct timer next;
    struct chaos_known known[CHAOS_KEYS + 1];
    enum chaos_op op;                            /* the request in flight */
    unsigned key;
    char value[CHAOS_TEXT];
    uint64_t start_ns;
    bool busy;
};

struct chaos_watcher {
    struct chaos *c;
    unsigned number, head, life;                 /* life: one more after a 410, with another name */
    struct client_watch *watch;
    struct client_call *list;                    /* after a 410 */
    struct timer again, leave;
    uint64_t from, last;                         /* asked for; told up to */
    bool late, arrived;                          /* late: it has to list.  arrived: it saw the fence */
};

struct chaos {
    struct loop *loop;
    FILE *out;
    struct client *head[CHAOS_HEADS]; unsigned n_heads;
    struct chaos_client client[CHAOS_CLIENTS];
    struct chaos_watcher watcher[CHAOS_WATCHERS];
    struct timer tick;                           /* while settling */
    uint64_t stopped_ns, values;
    bool stopping, fenced;
    unsigned listed, differed;                   /* heads with the same last list; one that had another */
    char *last_list;                             /* what they said */
    uint64_t count[CHAOS_OPS][4], events, relists, rewatches;
    int  status;
};
enum { CHAOS_OK, CHAOS_LOST, CHAOS_UNKNOWN, CHAOS_FAILED };

/* client.c */
void clients_start(struct chaos *c);
bool clients_idle(const struct chaos *c);
/* One request of a client that is idle; its end is told by settle_on_answer() once stopping. */
void client_send_op(struct chaos_client *cl, enum chaos_op op, unsigned key);
bool chaos_key(struct str name, unsigned *ret);  /* "k7": 7 */

/* watcher.c */
void watchers_start(struct chaos *c, uint64_t from);
bool watchers_arrived(const struct chaos *c);
void watchers_stop(struct chaos *c);

/* main.c */
void chaos_wrong(struct chaos *c, const char *fmt, ...) PRINTF_LIKE(2, 3);      /* the test has failed */
void settle_on_answer(struct chaos_client *cl, int result, const struct client_result *r);

#endif
