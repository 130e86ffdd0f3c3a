/* api/write.h: the steps that all writes share, from a tree to a transaction. */
#ifndef API_WRITE_H
#define API_WRITE_H

#include "api/call.h"
#include "api/encode.h"

#define WRITE_TRIES_MAX 24                       /* lost races before a write gives up */

/* An object on its way into the store; lives within one function, never across turns. */
struct draft {
    struct call *call;
    struct kind_ctx kind;
    struct str key;
    struct json *obj;
    struct str text;                             /* encoded, in the api's scratch buffer */
    uint32_t rev_at;
    uint64_t lease;
    uint64_t new_lease_ttl_ms;                   /* != 0: the lease is granted in the same transaction */
};

/* May objects be created in this namespace?  *ret_rev: its revision, which the transaction compares (0:
 * cluster scope). False: answered, or the call waits for a fresh view and `again` runs then. */
bool write_namespace(struct call *c, struct str ns, struct str name, uint64_t *ret_rev,
                     void (*again)(struct call *c));
/* Runs after the hooks: false: answered. */
bool write_check(struct call *c, const struct kind_ctx *k, struct str name, const struct causes *causes);
void write_encode(struct draft *d);
/* Compares of the claims; must come with the other compares. */
void write_claims_if(struct store_txn *t, const struct kind_ctx *k);
/* The puts and deletes of the claims and the lease; after the object's own put. */
void write_claims_then(struct store_txn *t, const struct kind_ctx *k);
void write_put(struct store_txn *t, const struct draft *d);
/* Events vanish after a while: pick the lease they hang on. */
void write_lease(struct draft *d);
void write_lease_granted(struct call *c, uint64_t id);
/* The commit failed because of the lease (gone, or its number was taken): true: forgotten, try again. */
bool write_lease_lost(struct call *c, int err);
/* Count a lost race; false: too many, answered 409. */
bool write_again(struct call *c, struct str name);
uint64_t write_tag(const struct call *c, const struct json *obj);

#endif
