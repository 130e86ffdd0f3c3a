/* api/authz.h: may this user do this?
 *
 * A chain of authorizers is asked in the order of --authorization-mode; the first that has an opinion
 * decides, and who is allowed by none is refused.  Asking may take time (a webhook): the query then waits.
 *
 *   master     system:masters may do everything; always first, so that nobody locks himself out
 *   Node       what a node's own pods need (api/node_authz.h)
 *   RBAC       roles and bindings (api/rbac/rbac.h)
 *   Webhook    another server is asked
 *   AlwaysAllow, AlwaysDeny */
#ifndef API_AUTHZ_H
#define API_AUTHZ_H

#include "api/consult.h"
#include "api/exchange.h"

struct authz_attr {
    const struct exchange_user *user;
    const char *verb;
    struct str group, version, resource, subresource, ns, name;     /* is_resource */
    struct str path;                                       /* otherwise */
    struct str fields, labels;                             /* selectors of lists and watches, as given */
    bool is_resource;
};

enum authz_decision { AUTHZ_NONE, AUTHZ_ALLOW, AUTHZ_DENY };

struct authz_query {
    struct authz_attr attr;                      /* what it points to stays until done */
    struct arena *arena;                         /* for reasons */
    bool want_reason;                            /* also why it is allowed: for reviews */
    void (*done)(struct authz_query *q);
    /* The answer. NONE: nobody allows it.  reason, error: for reviews and refusals; may be empty. */
    enum authz_decision decision;
    struct str reason, error;
    /* authz's own */
    struct str before;                           /* reasons of those who were asked before */
    struct authz *authz;
    unsigned at;                                 /* in the chain */
    struct qlink link;                           /* of who makes it wait */
    struct consult_wait consult;
    bool waiting;
};

struct authz;
/* True: answered.  False: done comes, once, from the loop, unless it is canceled. */
bool authz_ask(struct authz *z, struct authz_query *q);
/* Is it allowed, as far as that is known without waiting? */
bool authz_ask_now(struct authz *z, struct authz_query *q);
void authz_cancel(struct authz_query *q);        /* harmless when it is not waiting */
/* `User "x" cannot list resource "pods" in API group "" in the namespace "y"`, and the reasons. */
struct str authz_refusal(struct arena *a, const struct authz_query *q);

/* The value that its field selector demands for this path; false: any will do. */
bool authz_selects(const struct authz_attr *t, const char *path, struct str *ret);

/* ---- Authorizers ----------------------------------------------------------------------------------- */

struct authorizer {
    const char *name;
    /* True: q->decision is set.  False: it waits, and authz_answered() will be called, from the loop. */
    bool (*ask)(void *state, struct authz_query *q);
    void (*cancel)(void *state, struct authz_query *q);    /* of one that waits; NULL: it never does */
    void *state;
};
bool authz_always_allow(void *state, struct authz_query *q);
bool authz_always_deny(void *state, struct authz_query *q);
#define AUTHZ_CHAIN_MAX 7
struct authz *authz_new(void);
void authz_add(struct authz *z, const struct authorizer *what);
void authz_answered(struct authz_query *q);
void *authz_state(const struct authz_query *q);  /* of the authorizer that it waits for */
bool authz_has(const struct authz *z, const char *name);
void authz_free(struct authz *z);                /* NULL ok; nobody waits any more */

#endif
