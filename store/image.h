/* store/image.h: what is replicated: keys, leases and counters at one revision.  Equal on every head at
 * equal log index; saved in snapshots; shared in O(1) by views, snapshot readers and pins of the past.
 *
 * The tree `leases` holds, in one order, each lease and the keys attached to it:
 *     id:be64            version = ttl in ms, mod_rev = how often it was touched through the log
 *     id:be64 KEY        KEY carries this lease
 * so that all keys of a lease are a range, the same on every head. */
#ifndef STORE_IMAGE_H
#define STORE_IMAGE_H

#include "store/btree.h"

struct image {
    struct btree keys, leases;
    uint64_t rev;
    uint64_t epoch;                              /* of the leader that keeps lease time */
    uint64_t lease_seq;                          /* last lease id picked by the store */
    uint64_t compacted;                          /* states before this revision are not to be read any more */
    uint64_t bytes;                              /* keys and values */
    uint64_t n_leases;
};

void image_init(struct image *m, struct btree_pool *pool);
void image_release(struct image *m);
void image_share(struct image *dst, const struct image *src);

struct image_lease { uint64_t id, ttl_ms, touches; };
bool     image_lease_get(const struct image *m, uint64_t id, struct image_lease *ret);
void     image_lease_set(struct image *m, const struct image_lease *l);
/* Only the lease itself; its keys stay attached until image_remove()d. */
void     image_lease_remove(struct image *m, uint64_t id);
uint64_t image_lease_keys(const struct image *m, uint64_t id);       /* attached keys */
/* Any key attached to the lease, NULL: none.  A reference is the caller's. */
struct blob *image_lease_any_key(const struct image *m, uint64_t id);
/* The first attached key >= from, appended to *ret_key; false: none. */
bool     image_lease_next_key(const struct image *m, uint64_t id, struct str from, struct buf *ret_key);
/* The first lease with id >= from; false: none. */
bool     image_lease_next(const struct image *m, uint64_t from, struct image_lease *ret);

/* Give key this value (reference taken over), tag and lease at revision rev, and count it.  *ret_prev is
 * what was there, its value reference the caller's; all zero when the key is new.  Returns the item, valid
 * until the next change. */
const struct btree_item *image_put(struct image *m, struct str key, struct blob *value, uint64_t rev,
                                   uint64_t tag, uint64_t lease, struct btree_item *ret_prev);
/* As image_put, with everything given, of a key above all others: for restoring.  Takes over the value's
 * reference, and one of its own of the key. */
void image_load(struct image *m, const struct btree_item *item);
/* The item goes to the caller with its references. */
bool image_remove(struct image *m, struct str key, struct btree_item *ret);
void image_check(const struct image *m);

#endif
