/* api/authn.h: who sends this request.
 *
 * In this order: a call from inside the head brings its user; a front proxy whose certificate its own CA
 * signed tells it in headers; a verified client certificate (CN is the user, O the groups); a bearer token,
 * which each method is asked about in turn (static file, service accounts, bootstrap tokens, OIDC, webhook).
 * A wrong token is refused, never ignored.  Nothing at all is system:anonymous, where that is allowed; roles
 * say what it may do.
 *
 * What takes time (a signature that was never seen, another server) is done off the loop, and the query
 * waits. */
#ifndef API_AUTHN_H
#define API_AUTHN_H

#include "api/exchange.h"
#include "api/key_set.h"
#include "api/consult.h"
#include "store/store.h"

#define USER_ANONYMOUS        "system:anonymous"
#define USER_API              "system:apiserver" /* the API's own: bootstrap, the heads' objects */
#define GROUP_AUTHENTICATED   "system:authenticated"
#define GROUP_UNAUTHENTICATED "system:unauthenticated"
#define ACCOUNT_PREFIX        "system:serviceaccount:"
#define GROUP_MASTERS         "system:masters"

/* An issuer of OpenID Connect tokens; as the original's --oidc-* flags. */
struct authn_oidc {
    const char *issuer_url, *client_id;          /* NULL: none is trusted */
    const char *username_claim, *username_prefix;    /* NULL: sub; NULL: "ISSUER#", but none for email */
    const char *groups_claim, *groups_prefix;    /* NULL: none */
    const char *required_claims;                 /* "key=value,..." */
    const char *signing_algs;                    /* NULL: RS256 */
    struct str ca_pem;                           /* who signs the issuer's certificate */
};

/* A proxy that authenticates for us; as the original's --requestheader-* flags. */
struct authn_proxy {
    struct str ca_pem;                           /* empty: there is none */
    const char *allowed_names;                   /* CNs, by commas; NULL or "": any */
    const char *user_headers, *group_headers, *extra_prefixes, *uid_headers;     /* by commas */
};

struct authn;
struct authn_opts {
    struct store *store;
    struct loop *loop;
    const char *issuer;                          /* of service accounts' tokens */
    const char *audiences;                       /* of the API itself, by commas; NULL: the issuer */
    struct str pub_pem;                          /* keys they verify with; empty: there are no such tokens */
    struct str token_lines;                      /* may be empty; see api/server.h */
    bool no_anonymous, no_bootstrap;
    struct authn_oidc oidc;
    struct str client_ca_pem;                    /* of clients; told apart from the proxy's */
    struct authn_proxy proxy;
    struct remote_opts webhook;                  /* url NULL: none */
    uint64_t webhook_ttl_ms;                     /* 0: 2 min */
};
int  authn_new(const struct authn_opts *o, struct authn **ret, struct errbuf *err);
void authn_free(struct authn *n);                /* NULL ok; nobody waits any more */
/* What service accounts' tokens verify with; NULL: nothing. */
const struct key_set *authn_keys(const struct authn *n);

struct authn_query {
    struct arena *arena;                         /* what is answered lives there, or longer */
    /* A token to be judged, and for whom it must be (n_audiences 0: for the API). */
    struct str token;
    const struct str *audiences; size_t n_audiences;
    void (*done)(struct authn_query *q);
    /* The answer. */
    int err;                                     /* 0; E_DENIED: answer 401 */
    const struct exchange_user *user;
    const struct str *valid_for; size_t n_valid; /* which of these audiences */
    const char *why;                             /* refused */
    /* authn's own */
    struct authn *authn;
    unsigned at;                                 /* which method */
    struct qlink link;
    struct consult_wait consult;
    bool waiting;
};
/* Who sends this?  True: answered.  False: done comes, once, from the loop, unless it is canceled. */
bool authn_exchange(struct authn *n, struct exchange *x, struct authn_query *q);
/* Whose token is this?  For TokenReview too; q->token and q->arena are set. */
bool authn_token(struct authn *n, struct authn_query *q);
void authn_cancel(struct authn_query *q);        /* harmless when it is not waiting */
/* May its body be read before we know for certain who sends it?  Not that of nobody, nor of whose token no
 * method would take. */
bool authn_may_send(struct authn *n, struct exchange *x);

/* Is this a service account's user name?  Then its namespace and name (views). */
bool authn_account_of(struct str user, struct str *ret_ns, struct str *ret_name);
/* The groups that every service account of a namespace is in. */
#define ACCOUNT_GROUPS 2
void authn_account_groups(struct arena *a, struct str ns, struct str to[ACCOUNT_GROUPS]);
bool authn_in_group(const struct exchange_user *u, const char *group);

#endif
