/* node/node_report_impl.h: what the parts of node_report share.
 *
 *     node_report.c   registration and status: when to send, and what the answers mean
 *     node_status.c   what they say
 *     node_lease.c    the Lease that tells the control plane we live
 *     node_peers.c    other nodes: routes to their pods; and our own node as others leave it */
#ifndef NODE_NODE_REPORT_IMPL_H
#define NODE_NODE_REPORT_IMPL_H

#include "node/node_report.h"

#define NODE_LEASE_MS         10000              /* renewal, unless the agent says otherwise; the lease holds four times as long */
#define NODE_STATUS_MS        300000             /* between unchanged reports */
#define NODE_IMAGES_MAX       50                 /* told in the status */

enum node_condition { COND_MEMORY, COND_DISK, COND_PID, COND_READY, COND_COUNT };

struct node_lease;
struct node_peers;

struct node_report {
    struct agent *agent;
    struct client_call *call;                    /* registration or status in flight */
    struct timer timer;                          /* the next one */
    struct ready_item soon;                      /* changed: report in this turn */
    bool registered, dirty;
    unsigned failures;                           /* in a row */
    uint64_t began_ms;                           /* of not being registered, for the pace of retries */
    char *uid;
    uint64_t seen_rv;                            /* of our Node as last answered */
    int64_t since_s[COND_COUNT];                 /* lastTransitionTime; 0: not as it should be in the API: changes with our report */
    uint64_t sending_hash, sent_hash;            /* of the status without its heartbeats */
    char *facts;                                 /* status.nodeInfo as JSON: read once */
    char *complaint;                             /* logged last: not twice */
    struct node_lease *lease;
    struct node_peers *peers;
};

/* node_report.c */
void report_gone(struct node_report *r);         /* our Node has vanished: register again */
void report_was_away(struct node_report *r);     /* for so long that others may have marked us as dead */
void report_seen(struct node_report *r, struct str rv, const struct json *node);        /* our Node as somebody left it */
/* Delay before attempt n+1: doubles from first_ms up to most_ms; between half and all of it, by dice. */
uint64_t report_backoff(struct loop *l, unsigned failures, uint64_t first_ms, uint64_t most_ms);

/* node_status.c: trees in the arena. */
char        *node_facts_read(const struct agent *a);             /* for node_report.facts */
struct json *node_registration(const struct node_report *r, struct arena *a, bool patch);
struct json *node_status(const struct node_report *r, struct arena *a, uint64_t *ret_hash);      /* {"status": ...} */
const char  *node_condition_type(enum node_condition i);
const char  *node_condition_good(enum node_condition i);         /* the status it has while all is well */

/* node_lease.c */
struct node_lease *node_lease_start(struct node_report *r);
void node_lease_owner(struct node_lease *l);     /* report->uid changed */
void node_lease_stop(struct node_lease *l);      /* NULL ok */

/* node_peers.c */
struct node_peers *node_peers_start(struct node_report *r);
void node_peers_stop(struct node_peers *p);      /* NULL ok; routes stay: the pods run on */

#endif
