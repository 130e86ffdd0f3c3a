/* api/kinds.h: what a kind needs beyond its schema, as C functions registered in one table
 * (api/kinds/kinds.c).
 *
 * The pipeline calls them in a fixed order, with the object as a tree that already fits its schema
 * (schema_conform) and has the tables' defaults (schema_default).  Every hook may be NULL.
 *
 *   create:         default_ -> prepare_create -> validate
 *   update, patch:  default_ -> prepare_update -> validate -> validate_update
 * .../status:     default_ -> prepare_status -> validate_status      (spec was put back to the stored one
 * before)
 *   delete:         grace; on_delete when the object really goes
 *
 * What the pipeline does itself, so that no hook must: name and generateName, namespace, uid,
 * creationTimestamp, generation (res->has_generation), deletionTimestamp, finalizers, resourceVersion,
 * metadata validation, required fields, enums, ranges and immutability (schema_validate*), dropping
 * `status` on create and on spec updates (res->has_status), putting spec back on status updates, namespace
 * existence.
 *
 * A hook runs again from the start when its transaction lost a race: it keeps no state outside the ctx,
 * writes nothing but the object and the ctx.  A hook never answers; it refuses with kind_refuse or adds
 * causes. */
#ifndef API_KINDS_H
#define API_KINDS_H

#include "api/exchange.h"
#include "net/ip_range.h"
#include "api/schema.h"
#include "store/store.h"

/* A key of the store that comes or goes together with the object; see kind_take(). */
struct kind_claim {
    struct str key, text;
    uint32_t rev_at;
    bool     take;
    uint64_t seen;                               /* its revision when we looked; 0: it was not there */
    struct kind_claim *next;
};

/* What must still be as it was seen: a key, or all below a prefix; see kind_depend(). */
struct kind_guard { struct str from, to; bool only_new; uint64_t seen; struct kind_guard *next; };

/* What services are given: ranges of addresses, the first of the family they get by default, at most one of
 * each family; and ports of the nodes. */
struct service_net { struct ip_range range[2]; unsigned n; uint16_t port_min, port_max; };

struct kind_ctx {
    struct arena *arena;                         /* lives as long as the request: allocate here */
    struct loop  *loop;                          /* for randomness */
    struct store_view *view;                     /* what is stored now (live: valid during the hook only) */
    const struct resource *res;                  /* what is stored */
    /* what the client said: res, or another face of it (res is its stored_as) */
    const struct resource *asked;
    bool creating;                               /* false: an update */
    const struct resource_sub *sub;              /* NULL: the object itself */
    const struct exchange_user *user;
    /* of the object; name is empty in default_ when it is to be generated */
    struct str ns, name;
    int64_t  wall_ns;                            /* one reading for the whole request */
    bool     dry_run;
    const struct service_net *net;
    struct authz *authz;                         /* who may do what; NULL: nobody to ask (tests) */
    struct rbac *rbac;

    /* Filled in by the functions below. */
    int      refused;                            /* HTTP status; 0: not refused */
    const char *refused_reason;
    struct str  refused_message;
    const struct status *refused_status;         /* a whole answer instead; NULL: none */
    /* refused for want of another object, or for one in the way: looked for again in a fresh view, ... */
    bool lacking;
    /* ... and waited for this long on create, when others are about to make it */
    unsigned lacking_ms;
    struct kind_claim *claims;
    struct kind_guard *guards;
    struct causes *warnings;                     /* sent as Warning headers */
};

/* How names of the kind must look.  (generateName's prefix is checked the same way but for its end.) */
enum kind_name { KIND_NAME_SUBDOMAIN, KIND_NAME_LABEL, KIND_NAME_LABEL_1035, KIND_NAME_PATH };

struct kind_hooks {
    const char *group, *plural;                  /* of every version */
    enum kind_name name;
    /* PUT without resourceVersion overwrites (most kinds); else it is Invalid */
    bool unconditional_update;
    /* PUT of an absent object creates it (services, endpoints, leases, events) */
    bool create_on_update;
    bool bare_finalizers;                        /* names of finalizers need no domain */
    bool returns_deleted;                        /* DELETE answers with the object instead of a Status */
    /* a new object may bring its status along (nodes that register) */
    bool status_on_create;
    /* One field that watches are indexed by ("spec.nodeName"): a watch with fieldSelector=<tag_path>=x
     * costs nothing for the events of other x.  NULL: none. */
    const char *tag_path;

    /* Defaults that the tables cannot say.  Must be idempotent: also run over what is stored already. */
    void (*default_)(struct kind_ctx *c, struct json *obj);
    /* Before the first storing: initial status (Pod: phase Pending, qosClass), allocated fields (Service:
     * clusterIP), admission (Pod: service account, tolerations, priority). */
    void (*prepare_create)(struct kind_ctx *c, struct json *obj);
    /* Carry over from old what the client may not change silently (Service: clusterIP when left out). */
    void (*prepare_update)(struct kind_ctx *c, const struct json *old, struct json *obj);
    void (*prepare_status)(struct kind_ctx *c, const struct json *old, struct json *obj);
    void (*validate)(struct kind_ctx *c, const struct json *obj, struct causes *causes);
    void (*validate_update)(struct kind_ctx *c, const struct json *old, const struct json *obj,
                            struct causes *causes);
    void (*validate_status)(struct kind_ctx *c, const struct json *old, const struct json *obj,
                            struct causes *causes);
    /* Asked to be deleted for the first time: finalizers that hold it, and what its status then says. */
    void (*prepare_delete)(struct kind_ctx *c, struct json *obj);
    /* Seconds of grace for this deletion; requested: what the client asked for, -1: nothing.  0: the
     * object goes at once (pods without a node, kinds that know no grace).  Pods: pod_grace, below. */
    int64_t (*grace)(struct kind_ctx *c, const struct json *obj, int64_t requested);
    /* The object goes in this transaction: give claims back. */
    void (*on_delete)(struct kind_ctx *c, const struct json *obj);
    /* Another version of the kind, after the fields have been renamed as the tables say. */
    void (*to_stored)(struct arena *a, struct json *obj);
    void (*from_stored)(struct arena *a, struct json *obj);
    /* A spec change (generation goes up) for kinds where it is more than "spec differs".  NULL: spec
     * differs. */
    bool (*spec_changed)(const struct json *old, const struct json *obj);
};
/* Never NULL: kinds without hooks get a neutral entry (subdomain names, unconditional updates). */
const struct kind_hooks *kind_hooks_find(const struct resource *r);

/* Between a resource and the one it is stored as: the tables' part and the kind's own.  No effect on
 * resources stored as themselves. */
void kind_to_stored(const struct kind_hooks *h, const struct resource *r, struct json *obj,
                    struct arena *a);
void kind_from_stored(const struct kind_hooks *h, const struct resource *r, struct json *obj,
                      struct arena *a);

/* ---- What hooks may do -------------------------------------------------------------------------- */

/* Another stored object, parsed; NULL: none such.  ns empty for cluster scope. */
struct json *kind_lookup(struct kind_ctx *c, const char *group, const char *version, const char *plural,
                         struct str ns, struct str name);
/* Refuse the request: 403 "Forbidden", 409 "Conflict", 400 "BadRequest", 404 "NotFound" ... The first
 * refusal counts. The message is complete; for 403 the pipeline puts `pods "x" is forbidden: ` before it. */
void kind_refuse(struct kind_ctx *c, int status, const char *reason, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The same with an answer of its own. s lives as long as the request. */
struct status;
void kind_refuse_status(struct kind_ctx *c, const struct status *s);
/* A Warning header: kubectl prints it. */
void kind_warn(struct kind_ctx *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Things of which each may be had once in the cluster (a cluster IP, a node port) are keys of the store: a
 * claim of no other meaning ("nodeport/30080", whose text is the holder's ns/name), or an object of another
 * kind.  They are taken in the same transaction that stores the object: if somebody else was faster all hooks
 * run again (so pick at random among the free ones). */
struct str kind_claim_key(struct arena *a, struct str what);
struct str kind_object_key(struct arena *a, const struct resource *r, struct str ns, struct str name);
/* Taken by anyone, as far as is known here, or by this request. */
bool kind_claimed(struct kind_ctx *c, struct str key);
/* What is stored there; false: nothing. */
bool kind_claim_text(struct kind_ctx *c, struct str key, struct str *ret);
/* A claim that is there is taken over; rev_at as for store_txn_put. */
void kind_take(struct kind_ctx *c, struct str key, struct str text, uint32_t rev_at);
void kind_give_back(struct kind_ctx *c, struct str key);
/* The transaction fails, and all begins anew, unless this key is still as it is now (there or not) ... */
void kind_depend(struct kind_ctx *c, struct str key);
/* ... nothing below this prefix was written since, or, only_new, made (what goes is not noticed). */
void kind_depend_below(struct kind_ctx *c, struct str prefix, bool only_new);
/* RFC 3339 with seconds, as metadata's times are written: now, in the arena. */
struct str kind_now(struct kind_ctx *c);

/* The deletion grace of pods, for their hooks: what was asked for, else
 * spec.terminationGracePeriodSeconds; 0 for pods that have no node or have ended. */
int64_t pod_grace(struct kind_ctx *c, const struct json *pod, int64_t requested);

#endif
