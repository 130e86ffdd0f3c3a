/* store/btree.h: an ordered map from keys to items, copy-on-write by reference counts.
 *
 * A node whose path holds one reference each is edited in place; one that a pinned root shares is
 * copied first.  So pinning is one increment, and a writer pays for the nodes it touches only while
 * somebody looks at the past.
 *
 *     inner   key:    -    "k"   "r"      key[i] <= everything below child[i] (key[0] is not used)
 *             child:  |     |     |       count[i] = items below child[i]
 *     leaf    a..j   k..q  r..z
 *
 * In each node `skip` is the length of the prefix that all its keys share and hint[i] the eight bytes
 * that follow it, so a search compares integers and touches at most a key or two.
 * Keys and values are blobs; the tree owns one reference of each.  Nodes that nobody refers to any
 * more wait in the pool and are taken apart in bounded slices. */
#ifndef STORE_BTREE_H
#define STORE_BTREE_H

#include "net/blob.h"

#define BTREE_SLOTS     64
#define BTREE_MAX_DEPTH 24

struct btree_node;

struct btree_item {
    struct blob *key, *value;                    /* value may be NULL */
    uint64_t create_rev, mod_rev, version, lease, tag;
};

/* Shared by all trees that share nodes; outlives them. */
struct btree_pool { struct btree_node *dead; uint64_t nodes, n_dead; };
#define BTREE_POOL_INIT ((struct btree_pool){ NULL, 0, 0 })
/* Take apart up to `budget` dead nodes; true when more are left. */
bool btree_pool_drain(struct btree_pool *p, unsigned budget);

struct btree { struct btree_node *root; struct btree_pool *pool; };
static inline void btree_init(struct btree *t, struct btree_pool *pool) { t->root = NULL; t->pool = pool; }
void btree_release(struct btree *t);             /* drops the root; as after init */
/* dst (initialised here) becomes the same map as src, in O(1); from then on they change independently. */
void btree_share(struct btree *dst, const struct btree *src);

uint64_t btree_len(const struct btree *t);
/* NULL: absent.  The item is valid until the tree changes. */
const struct btree_item *btree_get(const struct btree *t, struct str key);
/* Find or insert.  A new item has a key and is zero otherwise.  The caller fills it in at once: it drops or
 * takes over the reference of the old value itself and leaves key alone. */
struct btree_item *btree_edit(struct btree *t, struct str key, bool *ret_existed);
/* Same, with a key blob to share instead of copying (a reference is taken if inserted). */
struct btree_item *btree_edit_blob(struct btree *t, struct blob *key, bool *ret_existed);
/* Insert a key that is above all others, without a search: trees that are read in order are full and quickly
 * made.  A reference of the key is taken; the caller fills in the rest. */
struct btree_item *btree_append(struct btree *t, struct blob *key);
/* Remove; the references of key and value go to the caller in *ret.  False: absent, nothing changed. */
bool     btree_remove(struct btree *t, struct str key, struct btree_item *ret);
/* Items in [from, to); to.n == 0: to the end. */
uint64_t btree_count(const struct btree *t, struct str from, struct str to);

/* Walks upwards.  Valid as long as the tree (or the root it was shared from) does not change; `to` is
 * borrowed. */
struct btree_cursor { void *path[BTREE_MAX_DEPTH]; uint16_t at[BTREE_MAX_DEPTH]; unsigned depth; };
void btree_seek(struct btree_cursor *c, const struct btree *t, struct str from);
const struct btree_item *btree_next(struct btree_cursor *c);    /* NULL: end */

/* Panics unless every invariant holds. */
void btree_check(const struct btree *t);

#endif
