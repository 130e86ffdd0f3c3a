/* api/authn_impl.h: what api/authn*.c share. */
#ifndef API_AUTHN_IMPL_H
#define API_AUTHN_IMPL_H

#include <stdio.h>
#include "api/authn.h"
#include "net/map.h"

#define TOKEN_LEEWAY_S 60                        /* clocks of heads may differ by that much */

/* A verified service account token. */
struct token {
    struct arena arena;                          /* holds all below */
    struct exchange_user user;
    struct str ns, account, account_uid, pod, pod_uid, secret, secret_uid;
    struct str *audiences; size_t n_audiences;
    int64_t expires_s, not_before_s;
};

/* A line of the static token file. */
struct static_token { struct str token; struct exchange_user user; struct static_token *next; };

struct authn {
    struct store *store;
    struct loop *loop;
    char *issuer;
    struct buf pub_pem;
    struct map tokens;                           /* text -> struct token */
    struct arena arena;                          /* static tokens */
    struct static_token *statics;
};

/* NULL: refused, err says why.  Valid until the next call of any of these. */
const struct token *token_verify(struct authn *n, struct str text, struct errbuf *err);
bool token_for(const struct token *t, struct str audience);
void tokens_release(struct authn *n);

#endif
