/* api/authz_webhook.h: an authorizer that asks another server (--authorization-webhook-config-file): it is
 * sent a SubjectAccessReview, and what it says holds for a while. */
#ifndef API_AUTHZ_WEBHOOK_H
#define API_AUTHZ_WEBHOOK_H

#include "api/authz.h"

struct authz_webhook_opts {
    struct remote_opts remote;                   /* url NULL: there is none */
    uint64_t allowed_ttl_ms, refused_ttl_ms;     /* 0: 5 min, 30 s */
    bool deny_on_failure;                        /* else nobody has an opinion, and the next is asked */
};
struct authz_webhook;
int  authz_webhook_new(struct loop *l, const struct authz_webhook_opts *o, struct authz_webhook **ret,
                       struct errbuf *err);
void authz_webhook_free(struct authz_webhook *w);        /* NULL ok */
bool authz_webhook_ask(void *state, struct authz_query *q);
void authz_webhook_cancel(void *state, struct authz_query *q);

#endif
