/* api/client.h: how scheduler, controllers, nodes and tools talk to the API: over HTTP to any head, or,
 * inside a head, by function call into the same pipeline (api_serve).  The two cannot be told apart.
 *
 * Calls are asynchronous; done comes exactly once, from the loop, unless the call was canceled. */
#ifndef API_CLIENT_H
#define API_CLIENT_H

#include "api/json.h"
#include "net/http_client.h"

struct client;
struct api;

struct client_http_opts {
    struct loop *loop;
    const char *const *servers; size_t n_servers;         /* "127.0.0.1:6443" */
    struct tls_ctx *tls; const char *tls_name;
    const char *bearer_token;                             /* NULL: none */
    const char *user_agent;
};
int  client_new_http(const struct client_http_opts *o, struct client **ret, struct errbuf *err);
/* As this user and these groups (NULL-terminated). */
struct client *client_new_local(struct api *api, struct loop *l, const char *user, const char *const *groups);
/* A local one: what it writes counts only while this head leads in that term of its store. */
void client_lead(struct client *c, uint64_t term);
void client_free(struct client *c);                       /* cancels everything */
struct loop *client_loop(struct client *c);

struct client_resource { const char *group, *version, *plural; };     /* group "" for core */
#define CLIENT_PODS        ((struct client_resource){ "", "v1", "pods" })
#define CLIENT_NODES       ((struct client_resource){ "", "v1", "nodes" })
#define CLIENT_NAMESPACES  ((struct client_resource){ "", "v1", "namespaces" })
#define CLIENT_CONFIGMAPS  ((struct client_resource){ "", "v1", "configmaps" })
#define CLIENT_SECRETS     ((struct client_resource){ "", "v1", "secrets" })
#define CLIENT_SERVICES    ((struct client_resource){ "", "v1", "services" })
#define CLIENT_ENDPOINTS   ((struct client_resource){ "", "v1", "endpoints" })
#define CLIENT_EVENTS      ((struct client_resource){ "", "v1", "events" })
#define CLIENT_SERVICEACCOUNTS ((struct client_resource){ "", "v1", "serviceaccounts" })
#define CLIENT_LEASES      ((struct client_resource){ "coordination.k8s.io", "v1", "leases" })
#define CLIENT_DEPLOYMENTS ((struct client_resource){ "apps", "v1", "deployments" })
#define CLIENT_REPLICASETS ((struct client_resource){ "apps", "v1", "replicasets" })
#define CLIENT_CONTROLLERREVISIONS ((struct client_resource){ "apps", "v1", "controllerrevisions" })
#define CLIENT_PDBS        ((struct client_resource){ "policy", "v1", "poddisruptionbudgets" })
#define CLIENT_SERVICECIDRS ((struct client_resource){ "networking.k8s.io", "v1", "servicecidrs" })
#define CLIENT_IPADDRESSES  ((struct client_resource){ "networking.k8s.io", "v1", "ipaddresses" })
#define CLIENT_CRDS ((struct client_resource){ "apiextensions.k8s.io", "v1", "customresourcedefinitions" })
#define CLIENT_ADMISSION_POLICIES \
    ((struct client_resource){ "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies" })
#define CLIENT_CLAIMS      ((struct client_resource){ "", "v1", "persistentvolumeclaims" })
#define CLIENT_VOLUMES     ((struct client_resource){ "", "v1", "persistentvolumes" })
#define CLIENT_RESOURCEQUOTAS ((struct client_resource){ "", "v1", "resourcequotas" })
#define CLIENT_ENDPOINTSLICES ((struct client_resource){ "discovery.k8s.io", "v1", "endpointslices" })

struct client_result {
    /* 0: there is an HTTP answer (whatever its status); else E_* and reason */
    int err;
    /* err != 0: text; else Status.reason of a failure ("NotFound") or "" */
    const char *reason;
    struct str message;                          /* Status.message of a failure */
    int status;                                  /* 200, 201, 404, ... */
    bool ok;                                     /* err == 0 and status is 2xx */
    struct str body;
    struct json *obj;                            /* parsed body; NULL if not JSON */
    struct arena *arena;                         /* where obj lives; freed after the callback */
};
typedef void (*client_done)(void *arg, const struct client_result *r);
struct client_call;

struct client_req {
    const char *method;                          /* "GET", "POST", "PUT", "PATCH", "DELETE" */
    struct client_resource res;
    struct str ns, name;                         /* empty: cluster scope / collection */
    const char *sub;                             /* NULL or "status", "binding", "eviction", ... */
    struct str query;                            /* escaped, without '?'; may be empty */
    const struct json *body;                     /* written by the call; NULL: body_text */
    struct str body_text;
    const char *content_type;                    /* NULL: application/json; see CLIENT_MERGE_PATCH ... */
    uint64_t timeout_ms;                         /* 0: 30 s */
    client_done done; void *arg;                 /* done may be NULL: fire and forget */
};
#define CLIENT_MERGE_PATCH     "application/merge-patch+json"
#define CLIENT_JSON_PATCH      "application/json-patch+json"
#define CLIENT_STRATEGIC_PATCH "application/strategic-merge-patch+json"

/* NULL: cannot even be started (err says why). */
struct client_call *client_send(struct client *c, const struct client_req *r);
void client_cancel(struct client_call *call);    /* NULL ok; done is not called */
/* GET and the like on any path ("/version"). */
struct client_call *client_send_path(struct client *c, const char *method, struct str target, struct str body,
                                     client_done done, void *arg);

/* Watch: events until it ends; then on_end once (err 0: closed in order; E_STALE: 410, relist).
 * object is valid during the call; take a reference to keep it. */
struct client_watch;
struct client_watch_opts {
    struct client_resource res;
    struct str ns;                               /* empty: all */
    struct str query;                            /* further parameters, escaped ("fieldSelector=...") */
    struct str resource_version;
    void (*on_event)(void *arg, struct str type, struct blob *object);   /* ADDED MODIFIED DELETED BOOKMARK */
    void (*on_end)(void *arg, int err, const char *reason);
    void *arg;
};
struct client_watch *client_watch(struct client *c, const struct client_watch_opts *o);
void client_watch_close(struct client_watch *w); /* NULL ok; on_end is not called */

#endif
