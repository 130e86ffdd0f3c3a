/* api/remote.h: another server that is asked by HTTPS and answers in JSON: a webhook that knows tokens or
 * decides what is allowed, an issuer of keys.
 *
 * Connections are pooled; a call is answered once, from the loop, unless it is canceled.  The server is
 * believed as far as its certificate goes; its answers are bounded, and redirects are not followed. */
#ifndef API_REMOTE_H
#define API_REMOTE_H

#include "api/json.h"

struct loop;

struct remote_opts {
    const char *url;                             /* https://HOST[:PORT][/PATH]; copied */
    struct str ca_pem;                           /* who may sign its certificate */
    struct str cert_pem, key_pem;                /* ours; empty: none */
    struct str bearer;                           /* empty: none */
    uint64_t timeout_ms;                         /* of a call; 0: 10 s */
};
struct remote;
int  remote_new(struct loop *l, const struct remote_opts *o, struct remote **ret, struct errbuf *err);
void remote_free(struct remote *r);              /* NULL ok; cancels what is under way */

/* obj: the answer of a 2xx, an object; NULL with why (for people) on any failure.  Both during the call. */
typedef void (*remote_done)(void *arg, const struct json *obj, const char *why);
struct remote_call;
/* path NULL: that of the url.  body NULL: a GET. */
struct remote_call *remote_send(struct remote *r, const char *path, const struct json *body,
                                remote_done done, void *arg);
void remote_cancel(struct remote_call *c);       /* NULL ok; done is not called */

/* The parts of an https URL; E_INVALID. addr: HOST:PORT, name: HOST, path: at least "/"; in a. */
int remote_url(struct arena *a, struct str url, const char **ret_addr, const char **ret_name,
               const char **ret_path, struct errbuf *err);

#endif
