/* store/btree_node.h: nodes of the B+tree: search, hints, copying, splitting, merging.  Used by
 * btree.c only; nothing here knows of roots or paths. */
#ifndef STORE_BTREE_NODE_H
#define STORE_BTREE_NODE_H

#include "store/btree.h"

struct btree_node {
    uint32_t refs;
    uint16_t n, skip;                            /* used slots; shared prefix of all keys */
    bool     leaf;
    uint8_t  last;                               /* where the last slot was made; BTREE_SLOTS: not known */
    struct btree_node *next_dead;
    uint64_t hint[BTREE_SLOTS];
};
struct btree_leaf { struct btree_node h; struct btree_item item[BTREE_SLOTS]; };
struct btree_inner {
    struct btree_node h;
    struct blob *key[BTREE_SLOTS];               /* key[0] is NULL */
    struct btree_node *child[BTREE_SLOTS];
    uint64_t count[BTREE_SLOTS];
};

#define BTREE_MIN (BTREE_SLOTS / 4)

static inline struct btree_leaf *node_leaf(struct btree_node *n)
{
    must(n->leaf);
    return container_of(n, struct btree_leaf, h);
}

static inline struct btree_inner *node_inner(struct btree_node *n)
{
    must(!n->leaf);
    return container_of(n, struct btree_inner, h);
}

static inline struct str node_key(const struct btree_node *n, unsigned i)
{
    const struct blob *b = n->leaf ? ((const struct btree_leaf *)(const void *)n)->item[i].key
                                   : ((const struct btree_inner *)(const void *)n)->key[i];
    return str_make(b->data, b->len);
}

struct btree_node *node_new(struct btree_pool *p, bool leaf);
void     node_unref(struct btree_pool *p, struct btree_node *n);
/* The node itself if nobody else refers to it, else a copy that takes over the caller's reference. */
struct btree_node *node_own(struct btree_pool *p, struct btree_node *n);
uint64_t node_count(const struct btree_node *n);
/* Number of keys below `key` (slots counted from 0; an inner node's slot 0 is below everything). */
unsigned node_lower(const struct btree_node *n, struct str key, bool *ret_equal);
/* Which child of an inner node holds key. */
unsigned node_pick(const struct btree_node *n, struct str key);
/* Make room at slot i for a key; the caller fills the slot, then calls node_keyed(). */
void     node_open(struct btree_node *n, unsigned i);
void     node_keyed(struct btree_node *n, unsigned i);
/* slot i is forgotten; its references are the caller's */
void     node_close(struct btree_node *n, unsigned i);
/* Parent's child i (owned, full) becomes two, of which the left keeps so many slots. */
void     node_split(struct btree_pool *p, struct btree_node *parent, unsigned i, unsigned keep);
/* How many it should keep when slot `at` of a full node is about to be made: keys that come in order, also
 * several such sequences side by side, leave full nodes behind them. */
unsigned node_split_at(const struct btree_node *n, unsigned at);
/* Parent's child i (owned) has become small: merge it with a neighbour, or take some of its slots. */
void     node_refill(struct btree_pool *p, struct btree_node *parent, unsigned i);
void     node_check(const struct btree_node *n);

#endif
