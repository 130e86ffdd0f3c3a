/* api/audit/audit.h: who did what when, one event for each stage of a request that the policy wants told
 * (audit.k8s.io/v1 Event), as lines of JSON to a file that rotates.
 *
 * A call has an audit_call from the moment its user is known; NULL: the policy does not want it, which
 * is all that it costs. Bodies of secrets, tokens and reviews of tokens are never told of, whatever the
 * policy says.  The objects of answers that are streamed (lists, watches, logs) are not either; their
 * requests and status are. */
#ifndef API_AUDIT_H
#define API_AUDIT_H

#include "api/audit/policy.h"
#include "api/status.h"
#include "net/http_server.h"

struct call;
struct api;

struct audit_opts {
    struct str policy;                           /* a file's text; empty: no audit */
    const char *log_path;                        /* "-": standard output; NULL: none */
    uint64_t log_max_mb, log_max_backups, log_max_age_days;    /* 0: no limit */
};

struct audit;
int  audit_open(struct api *a, const struct audit_opts *o, struct audit **ret, struct errbuf *err);
/* Writes what waits; holds a pin of the API until it has. */
void audit_close(struct audit *t);               /* NULL ok */

struct audit_call {
    struct audit_verdict verdict;
    struct str id;
    int64_t received_ns;                         /* on the wall */
    const struct exchange_user *user;            /* who sent it; call->user may be who that acts as */
    const char *decision;                        /* "allow", "forbid"; NULL: was not asked */
    struct str reason;                           /* of the decision */
    const struct status *status;                 /* while it is being answered with one */
};

/* The user is known (c->user), or is not and will be refused: RequestReceived. */
void audit_received(struct call *c);
/* Authorization has answered (c->may). */
void audit_decided(struct call *c);
/* An answer that goes on has begun: ResponseStarted. */
void audit_started(struct call *c, int code);
/* The end: ResponseComplete.  code 0: the client went away. */
void audit_ended(struct call *c, int code, const struct http_piece *body, size_t n);

#endif
