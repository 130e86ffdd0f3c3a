/* api/call.h: one request on its way through the pipeline; what the pipeline's files share.
 *
 * A call lives in its exchange's arena from api_serve() until it has been answered or its client went
 * away.  What it owns outside the arena (pinned views, watches, timers, node connections) is let go in
 * `cancel`, which is called exactly once, on either end.  A commit under way is the exception: it is on
 * the heap and outlives the call if it must (the store cannot un-propose it). Every path through the
 * pipeline ends in exactly one of the answer functions; after one the call is gone. */
#ifndef API_CALL_H
#define API_CALL_H

#include "api/audit/audit.h"
#include "api/authn.h"
#include "api/authz.h"
#include "api/kinds.h"
#include "api/metrics.h"
#include "api/mirror.h"
#include "api/negotiate.h"
#include "api/request.h"
#include "api/server.h"
#include "api/status.h"
#include "net/map.h"

struct resource_info {                           /* what each resource needs at hand, made once */
    const struct kind_hooks *hooks;
    const struct resource *base;                 /* what is stored: itself or stored_as */
    uint64_t admits;                             /* admission plugins for it; 0: not known yet */
    struct str prefix;                           /* "/registry/pods/" */
    uint64_t watches, watch_events;              /* open ones; events that were for any of them */
};

struct ttl_lease { uint64_t id, bucket, keys; }; /* the lease new Events hang on: one per few minutes */

struct resource_info *api_info(const struct api *a, const struct resource *r);

#define API_MAX_LISTENERS 8

struct api {
    struct loop *loop;
    struct store *store;
    struct http_server *http[API_MAX_LISTENERS]; unsigned n_http;
    struct mirror *mirror;                       /* what our own rules are read from */
    struct authn *authn;
    struct authz *authz;
    struct authz_node *authz_node;
    struct authz_webhook *authz_webhook;         /* NULL: not asked for */
    struct rbac *rbac;
    struct rbac_reconcile *reconcile;            /* NULL: never asked for here */
    struct admit *admit;
    struct policies *policies;                   /* ValidatingAdmissionPolicies in force */
    struct tls_ctx *node_tls;
    struct tls_ctx *any_tls;                     /* the proxy's, verifies nobody; made when first asked for */
    struct metrics metrics;
    struct audit *audit;                         /* NULL: no policy */
    struct resource_info *info;                  /* by resource index; of custom kinds: api_info() */
    struct registry *registry;                   /* the custom kinds */
    struct map documents;                        /* discovery and OpenAPI, once made: blobs */
    struct buf scratch;                          /* for encoding within one call of a function */
    struct ttl_lease events;
    char *issuer, *version, *cluster, *advertise_host, *ca_pem;
    struct key *signing_key;                     /* of service account tokens; NULL: none are issued */
    char *jwks_uri;                              /* NULL: here */
    unsigned advertise_port;
    struct service_net net;
    /* nodes on 127.0.0.0/8 may be called: we listen there ourselves */
    bool loopback_nodes;
    struct bootstrap *bootstrap;                 /* NULL: never asked for here */
    struct heads *heads;                         /* NULL: no address to tell */
    struct qlink pipes;                          /* upgraded connections */
    struct qlink calls;                          /* those that did not end within api_serve() */
    /* those of them that must end in time, oldest first; see api/deadline.h */
    struct qlink due; struct timer overdue;
    unsigned pins;                               /* commits under way and the like */
    bool closing;
    void (*close_done)(void *arg); void *close_arg;
    struct ready_item close_item;
};

struct call {
    struct api *api;
    struct exchange *x;
    struct arena *arena;                         /* the exchange's */
    struct request rq;
    const struct resource *res;
    const struct resource_sub *sub;
    const struct resource_info *info;
    const struct exchange_user *user;            /* who it counts as: who sent it, or who that acts as */
    struct authn_query who;
    struct authz_query may;                      /* the last question asked, and its answer */
    struct custom *custom;                       /* whose row res is; NULL: a built-in kind */
    struct held_custom *held;                    /* this and those before it: references */
    struct accept out;
    struct causes warnings;
    uint64_t start_ns;
    struct qlink link;                           /* api->calls */
    struct qlink due; uint64_t due_ns;           /* api->due */
    struct own_deadline *own_deadline;           /* of a client that asked for one; NULL: none */
    void (*cancel)(struct call *c);              /* NULL ok */
    void (*drain)(struct call *c);               /* streamed answers: room again */
    void *state;                                 /* the verb's */
    bool began;                                  /* a streamed answer is under way */
    bool mutating;                               /* counted as one that writes */
    /* the live view has been made sure of: absent means absent */
    bool fresh;
    unsigned tries;
    struct raft_read read; bool reading;
    struct store_wait wait; bool waiting;
    struct store_rewind rewind;                  /* linked while history is wound back for this call */
    struct mirror_wait until_ready;
    /* a create that waits for another object (kind_ctx.lacking); 0: none yet */
    uint64_t give_up_ms;
    void (*then)(struct call *c);
    struct commit *commits;                      /* under way for this call */
    struct qlink admissions;                     /* that wait or have waited: api/admit.h */
    struct admit_turn *turn;                     /* at the quotas of its namespace; NULL: none */
    struct audit_call *audit;                    /* NULL: not to be told of */
    struct admit_note *notes;                    /* for the audit log, the latest first */
};

/* ---- Verbs: each takes over the call ------------------------------------------------------------- */
void call_get(struct call *c);
void call_list(struct call *c);
void call_watch(struct call *c);
void call_create(struct call *c);
void call_update(struct call *c);                /* PUT, and PATCH */
void call_delete(struct call *c);
void call_delete_collection(struct call *c);
void call_virtual(struct call *c);               /* reviews */
void call_subresource(struct call *c);           /* scale, binding, eviction, token, finalize */
void call_connect(struct call *c);               /* log, exec, attach */
void call_path(struct call *c);                  /* what is no resource */

/* ---- Waiting ------------------------------------------------------------------------------------- */

/* then(c) once the live view is linearizable: now, or after a round to the leader.  Answers 503/504 if it
 * can't. */
void call_when_fresh(struct call *c, void (*then)(struct call *c));
/* then(c) once the rules that requests are judged by are known here: now, but for a head's first moments. */
void call_when_ready(struct call *c, void (*then)(struct call *c));
/* then(c) once c->may says whether this is allowed: now, or after an authorizer was asked. */
void call_may(struct call *c, const struct authz_attr *attr, void (*then)(struct call *c));
/* The same, and also why, if it is allowed. */
void call_review(struct call *c, const struct authz_attr *attr, void (*then)(struct call *c));
/* then(c) once revision rev is here; 504 "Too large resource version" after 3 s. */
void call_when_revision(struct call *c, uint64_t rev, void (*then)(struct call *c));

/* then(c) once store_pin_at(rev) is short, or certain to fail. */
void call_when_near(struct call *c, uint64_t rev, void (*then)(struct call *c));

/* Commit t; done comes once, but not after the call ended.  commit is valid during done. */
void call_commit(struct call *c, const struct store_txn *t, void *arg,
                 void (*done)(struct call *c, void *arg, int err, const struct store_commit *commit));

/* ---- Answers: the call is gone after each -------------------------------------------------------- */

/* As it is, no negotiation.  Takes over a reference. */
void call_respond(struct call *c, int code, const char *content_type, struct blob *body);
/* The same with further headers; body NULL: none (304). */
struct answer_headers {
    const struct http_header *h; size_t n;
    const char *cache_control;                   /* NULL: nobody may keep it */
};
void call_respond_with(struct call *c, int code, const char *content_type, struct blob *body,
                       const struct answer_headers *more);
void call_respond_pieces(struct call *c, int code, const char *content_type,
                         const struct http_piece *pieces, size_t n);
/* A stored object (its base version), in the form that was asked for.  Borrows the blob. */
void call_respond_object(struct call *c, int code, struct blob *object);
/* A tree of the request's kind (or of its subresource's): only JSON or YAML are made of it. */
void call_respond_tree(struct call *c, int code, const struct json *obj);
void call_respond_status(struct call *c, const struct status *s);

/* Failures. */
void call_fail(struct call *c, int code, const char *reason, const char *fmt, ...) PRINTF_LIKE(4, 5);
void call_bad_request(struct call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void call_not_found(struct call *c);                     /* pods "x" not found */
void call_exists(struct call *c, struct str name);
void call_conflict(struct call *c, struct str name,
                   const char *detail);    /* NULL: "the object has been modified; ..." */
void call_forbidden(struct call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);/* pods "x" is forbidden: ... */
void call_invalid(struct call *c, const struct schema_kind *kind, struct str name,
                  const struct causes *causes);
void call_method_not_allowed(struct call *c);
void call_no_such_path(struct call *c);
void call_store_failed(struct call *c, int err, bool write);
void call_too_large_rv(struct call *c, uint64_t rev);
/* What a hook refused (ctx->refused != 0). */
void call_refused(struct call *c, const struct kind_ctx *k);
#define MODIFIED_TEXT "the object has been modified; please apply your changes to the latest version and " \
                      "try again"

/* A streamed answer. */
void call_begin(struct call *c, int code, const char *content_type, bool gzip);
void call_send_blob(struct call *c, struct blob *b);     /* takes over a reference */
void call_send(struct call *c, struct str bytes);
void call_end(struct call *c);
/* The same with another server's headers instead of ours; and an end that no client takes for one. */
void call_begin_with(struct call *c, int code, const char *content_type, const struct http_header *h,
                     size_t n);
void call_cut(struct call *c);

/* ---- Names and keys ------------------------------------------------------------------------------ */

/* "pods" or "deployments.apps": how messages name the resource. */
struct str call_resource_name(const struct call *c);
struct str call_key(struct call *c, const struct resource *r, struct str ns, struct str name);
/* "/registry/pods/ns/" or, for all namespaces, "/registry/pods/". */
struct str call_prefix(struct call *c, struct str ns);
uint64_t   tag_hash(struct str value);           /* the same on every head, for ever; never 0 */
/* For hooks. */
void       call_kind_ctx(struct call *c, struct kind_ctx *ret, struct str ns, struct str name);

#endif
