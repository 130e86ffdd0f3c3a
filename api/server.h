/* api/server.h: the Kubernetes API of one head: from an exchange through the request pipeline to the store
 * and back.
 *
 * parse (api/request.h: one tuple that everything below uses) -> authenticate -> authorize -> decode ->
 * default ->
 *   admit -> validate -> encode once -> store -> answer */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "api/authn.h"
#include "api/authz_webhook.h"
#include "store/store.h"

struct api;
struct audit_opts;

struct api_opts {
    struct loop *loop;
    struct store *store;                         /* borrowed */
    /* several separated by commas; NULL: no HTTP (simulator, tests use api_serve) */
    const char *listen_addr;
    struct tls_ctx *tls;                         /* server context, client certificates optional */
    struct tls_ctx *node_tls;                    /* client context for calls to nodes (logs, exec) */
    struct str service_account_key_pem;          /* what tokens are signed with; copied */
    struct str service_account_pub_pem;          /* what they verify with, one or several; copied */
    const char *issuer;                          /* NULL: https://kubernetes.default.svc */
    struct str ca_pem;                           /* published as kube-root-ca.crt; copied */
    const char *service_cidr;                    /* one, or one of each family; NULL: 10.96.0.0/16 */
    const char *node_ports;                      /* "30000-32767", the default */
    struct str token_lines;                      /* static bearer tokens,
        lines of token,user,uid,"group,group"; copied */
    /* of the kubernetes service; NULL: none */
    const char *advertise_host; unsigned advertise_port;
    const char *cluster;                         /* its name, for people; NULL: none */
    /* as the flags of the original's name them; NULL: none; admission_config: a file's content */
    const char *enable_admission, *disable_admission;
    struct str admission_config;
    const struct audit_opts *audit;              /* NULL: none */
    struct authn_opts authn;                     /* the rest of it; what has a field above is filled in */
    const char *jwks_uri;                        /* told to others; NULL: here */
    /* by commas: Node, RBAC, Webhook, AlwaysAllow, AlwaysDeny; NULL: Node,RBAC */
    const char *authorization_mode;
    struct authz_webhook_opts authz_webhook;
    const char *version;                         /* gitVersion, "v1.33.0+coracle" */
};
int  api_open(const struct api_opts *o, struct api **ret, struct errbuf *err);
void api_close(struct api *a, void (*done)(void *arg), void *arg);
const char *api_addr(struct api *a);
/* Once after open: wait for a leader, then create what a fresh cluster has (namespaces, kubernetes
 * service, ...). Harmless to repeat, any head may do it. */
void api_bootstrap(struct api *a);
/* Answer an exchange; the only way in. */
void api_serve(struct api *a, struct exchange *x);

#endif
