/* api/authn.h: who sends this request.
 *
 * In this order: a call from inside the head brings its user; a verified client certificate (CN is the
 * user, O the groups); a bearer token: a service account's (signed here) or one of the static file.  A
 * wrong token is refused, never ignored.  Nothing at all is system:anonymous, which may see health and
 * version only (api/authz.h). */
#ifndef API_AUTHN_H
#define API_AUTHN_H

#include "api/exchange.h"
#include "store/store.h"

#define USER_ANONYMOUS        "system:anonymous"
#define USER_API              "system:apiserver" /* the API's own: bootstrap, the heads' objects */
#define GROUP_AUTHENTICATED   "system:authenticated"
#define GROUP_UNAUTHENTICATED "system:unauthenticated"
#define ACCOUNT_PREFIX        "system:serviceaccount:"
#define GROUP_MASTERS         "system:masters"

struct authn;
struct authn_opts {
    struct store *store;
    struct loop *loop;
    const char *issuer;                          /* also the audience of the API itself */
    struct str pub_pem;                          /* empty: no service account tokens */
    struct str token_lines;                      /* may be empty; see api/server.h */
};
int  authn_new(const struct authn_opts *o, struct authn **ret, struct errbuf *err);
void authn_free(struct authn *n);

/* Who sends this?  True: answered.  False: done comes, once, from the loop, unless it is canceled. */
struct authn_query {
    void (*done)(struct authn_query *q);
    int err;                                     /* 0; E_DENIED: answer 401 */
    const struct exchange_user *user;            /* lives in the exchange's arena, or longer */
    bool waiting;
};
bool authn_exchange(struct authn *n, struct exchange *x, struct authn_query *q);
void authn_cancel(struct authn_query *q);        /* harmless when it is not waiting */
/* One token, for TokenReview: audiences that it must hold (n 0: the API's); E_DENIED with a reason. */
int  authn_token(struct authn *n, struct arena *a, struct str token, const struct str *audiences,
                 size_t n_audiences,
                 struct exchange_user *ret, struct str *ret_audience, struct errbuf *err);
/* Is this a service account's user name?  Then its namespace and name (views). */
bool authn_account_of(struct str user, struct str *ret_ns, struct str *ret_name);
/* The groups that every service account of a namespace is in. */
#define ACCOUNT_GROUPS 2
void authn_account_groups(struct arena *a, struct str ns, struct str to[ACCOUNT_GROUPS]);
bool authn_in_group(const struct exchange_user *u, const char *group);

#endif
