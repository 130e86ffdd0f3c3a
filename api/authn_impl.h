/* api/authn_impl.h: what api/authn*.c share: methods that know tokens. */
#ifndef API_AUTHN_IMPL_H
#define API_AUTHN_IMPL_H

#include <stdio.h>
#include "api/authn.h"
#include "net/map.h"

enum token_answer {
    TOKEN_FOREIGN,                               /* not one of mine: ask the next */
    TOKEN_ACCEPTED,                              /* token_accept() was called */
    TOKEN_REFUSED,                               /* q->why says it; others may still know it */
    TOKEN_WAITS                                  /* authn_told() will be called, from the loop */
};

struct token_method {
    const char *name;
    enum token_answer (*ask)(void *state, struct authn_query *q);
    bool (*likely)(void *state, struct arena *a, struct str token);     /* could it be mine?  No signature */
    void (*cancel)(void *state, struct authn_query *q);     /* of one that waits; NULL: it never does */
    void (*free)(void *state);
    void *state;
};
#define TOKEN_METHODS_MAX 6

struct authn {
    struct store *store;
    struct loop *loop;
    struct arena arena;                          /* settings */
    const struct str *audiences; size_t n_audiences;
    bool no_anonymous;
    struct proxy_names {                         /* of a front proxy */
        const struct str *allowed, *users, *groups, *extras, *uids;
        size_t n_allowed, n_users, n_groups, n_extras, n_uids;
    } proxy;
    struct roots { const unsigned char (*v)[32]; size_t n; } proxy_roots, client_roots;
    const struct key_set *keys;                  /* of the service accounts' method */
    struct token_method method[TOKEN_METHODS_MAX]; unsigned n_methods;
};

void authn_told(struct authn_query *q, enum token_answer answer);
/* u is q's user, if the token is for one of the audiences asked for.  u: in q's arena. */
enum token_answer token_accept(struct authn_query *q, const struct exchange_user *u,
                               const struct str *audiences, size_t n);
/* The same for a token that says nothing of audiences: it is for the API. */
enum token_answer token_accept_here(struct authn_query *q, const struct exchange_user *u);
enum token_answer token_refuse(struct authn_query *q, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* What a list of texts separated by commas holds, in the arena. */
const struct str *authn_list(struct arena *a, const char *text, size_t *ret_n);
struct exchange_user *authn_user_copy(struct arena *a, const struct exchange_user *from);

/* ---- Methods: each fills in *ret --------------------------------------------------------------------- */
int token_static_open(struct authn *n, struct str lines, struct token_method *ret, struct errbuf *err);
int token_account_open(struct authn *n, const struct authn_opts *o, struct token_method *ret,
                       struct errbuf *err);
int token_bootstrap_open(struct authn *n, struct token_method *ret);
int token_oidc_open(struct authn *n, const struct authn_oidc *o, struct token_method *ret,
                    struct errbuf *err);
int token_webhook_open(struct authn *n, const struct authn_opts *o, struct token_method *ret,
                       struct errbuf *err);

/* ---- The front proxy --------------------------------------------------------------------------------- */
int  proxy_open(struct authn *n, const struct authn_opts *o, struct errbuf *err);
/* Who it says it speaks for; *ret is left alone if none speaks here. */
void proxy_user(struct authn *n, struct exchange *x, const struct exchange_user **ret);
bool roots_have(const struct roots *r, const unsigned char root[32]);

#endif
