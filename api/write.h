/* api/write.h: the steps that all writes share, from a tree to a transaction. */
#ifndef API_WRITE_H
#define API_WRITE_H

#include "api/admit.h"
#include "api/call.h"
#include "api/encode.h"

#define WRITE_TRIES_MAX 24                       /* lost races before a write gives up */

/* An object on its way into the store.  It may take many turns (api/admit.h): it lives in the call's arena,
 * begun anew by each try.  text is made in the function that hands it to the store. */
struct draft {
    struct call *call;
    struct admission admit;
    struct kind_ctx kind;
    /* What is stored: its revision and text (0, NULL: nothing), and the text as a tree. */
    uint64_t seen;
    struct blob *stored;
    struct json *old;
    uint64_t stored_lease;
    struct str key;
    struct json *obj;
    struct str text;                             /* encoded, in the api's scratch buffer */
    uint32_t rev_at;
    uint64_t lease;
    uint64_t new_lease_ttl_ms;                   /* != 0: the lease is granted in the same transaction */
};

/* Runs after each step that may refuse: false: answered; or something that may be there in a moment is
 * lacking, and `again` comes when it may be.  causes NULL: none. */
bool write_check(struct draft *d, const struct causes *causes, void (*again)(struct call *c));
/* What a request sends that stores nothing of it (reviews, tokens, evictions, options of a connection) is
 * admitted: then(c, obj) goes on, now or in a later turn; a refusal is answered.  The view is fresh already
 * where it matters. */
void write_admitted(struct call *c, enum admit_op op, struct json *obj,
                    void (*then)(struct call *c, struct json *obj));
void write_encode(struct draft *d);
/* Compares of claims and guards; must come with the other compares. */
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
