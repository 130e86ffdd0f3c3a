/* store/btree.c: see btree.h.  Roots and paths; what happens inside a node is in btree_node.c. */
#include "store/btree_node.h"

/* The way from the root to a leaf: path[0] is the root, at[i] the child taken at level i. */
struct way { struct btree_node *node[BTREE_MAX_DEPTH]; unsigned at[BTREE_MAX_DEPTH], n; };

void btree_release(struct btree *t)
{
    if (t->root != NULL)
        node_unref(t->pool, t->root);
    t->root = NULL;
}

void btree_share(struct btree *dst, const struct btree *src)
{
    *dst = *src;
    if (dst->root != NULL) {
        must(dst->root->refs > 0 && dst->root->refs < UINT32_MAX);
        dst->root->refs++;
    }
}

uint64_t btree_len(const struct btree *t)
{
    return t->root != NULL ? node_count(t->root) : 0;
}

const struct btree_item *btree_get(const struct btree *t, struct str key)
{
    struct btree_node *n = t->root;
    unsigned i;
    bool     equal;

    if (n == NULL)
        return NULL;
    while (!n->leaf)
        n = node_inner(n)->child[node_pick(n, key)];
    i = node_lower(n, key, &equal);
    return equal ? &node_leaf(n)->item[i] : NULL;
}

/* ---- inserting ----------------------------------------------------------------------------------- */

/* A full root becomes the only child of a new one, so that it can be split like any other node. */
static void btree_grow(struct btree *t)
{
    struct btree_node *up = node_new(t->pool, false);

    up->n = 1;
    node_inner(up)->key[0] = NULL;
    node_inner(up)->child[0] = t->root;
    node_inner(up)->count[0] = node_count(t->root);
    t->root = up;
}

/* Down to the leaf for key; every node on the way is owned and has room for one more slot. */
static struct btree_node *btree_descend(struct btree *t, struct str key, struct way *way)
{
    struct btree_node *n;

    way->n = 0;
    if (t->root == NULL)
        t->root = node_new(t->pool, true);
    n = t->root = node_own(t->pool, t->root);
    if (n->n == BTREE_SLOTS) {
        btree_grow(t);
        n = t->root;
    }
    while (!n->leaf) {
        unsigned i = node_pick(n, key);
        struct btree_inner *in = node_inner(n);
        struct btree_node  *child = in->child[i] = node_own(t->pool, in->child[i]);

        if (child->n == BTREE_SLOTS) {
            bool equal;
            /* below an inner node's slot comes the key's own: what is made there is the one behind it */
            unsigned at = child->leaf ? node_lower(child, key, &equal) : node_pick(child, key) + 1;
            node_split(t->pool, n, i, node_split_at(child, at));
            i = node_pick(n, key);
            child = in->child[i];
        }
        must(way->n < BTREE_MAX_DEPTH);
        way->node[way->n] = n;
        way->at[way->n++] = i;
        n = child;
    }
    must(n->refs == 1 && n->n < BTREE_SLOTS);
    return n;
}

static struct btree_item *btree_place(struct btree *t, struct str key, struct blob *shared, bool *ret_existed)
{
    struct way         way;
    struct btree_node *leaf = btree_descend(t, key, &way);
    struct btree_item *it;
    unsigned           i = node_lower(leaf, key, ret_existed);

    if (*ret_existed)
        return &node_leaf(leaf)->item[i];
    node_open(leaf, i);
    it = &node_leaf(leaf)->item[i];
    *it = (struct btree_item){ .key = shared != NULL ? blob_ref(shared) : blob_copy(key) };
    node_keyed(leaf, i);
    for (unsigned l = 0; l < way.n; l++)
        node_inner(way.node[l])->count[way.at[l]]++;
    return it;
}

struct btree_item *btree_edit(struct btree *t, struct str key, bool *ret_existed)
{
    return btree_place(t, key, NULL, ret_existed);
}

struct btree_item *btree_edit_blob(struct btree *t, struct blob *key, bool *ret_existed)
{
    return btree_place(t, blob_str(key), key, ret_existed);
}

struct btree_item *btree_append(struct btree *t, struct blob *key)
{
    struct way way = { .n = 0 };
    struct btree_node *n;
    struct btree_item *it;

    if (t->root == NULL)
        t->root = node_new(t->pool, true);
    n = t->root = node_own(t->pool, t->root);
    if (n->n == BTREE_SLOTS) {
        btree_grow(t);
        n = t->root;
    }
    while (!n->leaf) {
        struct btree_inner *in = node_inner(n);
        struct btree_node  *child = in->child[n->n - 1] = node_own(t->pool, in->child[n->n - 1]);
        if (child->n == BTREE_SLOTS)
            node_split(t->pool, n, n->n - 1u, BTREE_SLOTS - 1);
        must(way.n < BTREE_MAX_DEPTH);
        way.node[way.n] = n;
        way.at[way.n++] = n->n - 1u;
        n = in->child[n->n - 1];
    }
    must(n->n == 0 || str_cmp(node_key(n, n->n - 1u), blob_str(key)) < 0);
    node_open(n, n->n);
    it = &node_leaf(n)->item[n->n - 1];
    *it = (struct btree_item){ .key = blob_ref(key) };
    node_keyed(n, n->n - 1u);
    for (unsigned l = 0; l < way.n; l++)
        node_inner(way.node[l])->count[way.at[l]]++;
    return it;
}

/* ---- removing ------------------------------------------------------------------------------------ */

/* A root with one child gives way to it, an empty one to nothing. */
static void btree_shrink(struct btree *t)
{
    while (t->root != NULL && !t->root->leaf && t->root->n == 1) {
        struct btree_node *old = t->root;
        must(old->refs == 1);
        t->root = node_inner(old)->child[0];
        old->n = 0;                              /* its reference of the child is the tree's now */
        node_unref(t->pool, old);
    }
    if (t->root != NULL && t->root->n == 0)
        btree_release(t);
}

bool btree_remove(struct btree *t, struct str key, struct btree_item *ret)
{
    struct way         way = { .n = 0 };
    struct btree_node *n;
    unsigned           i;
    bool               equal;

    if (btree_get(t, key) == NULL)               /* an absent key must not copy a path */
        return false;
    n = t->root = node_own(t->pool, t->root);
    while (!n->leaf) {
        struct btree_inner *in = node_inner(n);
        i = node_pick(n, key);
        must(way.n < BTREE_MAX_DEPTH);
        way.node[way.n] = n;
        way.at[way.n++] = i;
        must(in->count[i] > 0);
        in->count[i]--;
        n = in->child[i] = node_own(t->pool, in->child[i]);
    }
    i = node_lower(n, key, &equal);
    must(equal);
    *ret = node_leaf(n)->item[i];
    node_close(n, i);
    for (unsigned l = way.n; l-- > 0; )
        if (node_inner(way.node[l])->child[way.at[l]]->n < BTREE_MIN)
            node_refill(t->pool, way.node[l], way.at[l]);
    btree_shrink(t);
    return true;
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* Items below key. */
static uint64_t btree_rank(const struct btree *t, struct str key)
{
    struct btree_node *n = t->root;
    uint64_t rank = 0;
    bool     equal;

    if (n == NULL)
        return 0;
    while (!n->leaf) {
        unsigned i = node_pick(n, key);
        for (unsigned j = 0; j < i; j++)
            rank += node_inner(n)->count[j];
        n = node_inner(n)->child[i];
    }
    return rank + node_lower(n, key, &equal);
}

uint64_t btree_count(const struct btree *t, struct str from, struct str to)
{
    uint64_t lo = btree_rank(t, from), hi = to.n == 0 ? btree_len(t) : btree_rank(t, to);

    return hi > lo ? hi - lo : 0;
}

void btree_seek(struct btree_cursor *c, const struct btree *t, struct str from)
{
    struct btree_node *n = t->root;
    bool equal;

    c->depth = 0;
    while (n != NULL) {
        unsigned i = n->leaf ? node_lower(n, from, &equal) : node_pick(n, from);
        must(c->depth < BTREE_MAX_DEPTH);
        c->path[c->depth] = n;
        c->at[c->depth++] = (uint16_t)i;
        n = n->leaf ? NULL : node_inner(n)->child[i];
    }
}

const struct btree_item *btree_next(struct btree_cursor *c)
{
    struct btree_node *n;

    for (;;) {
        if (c->depth == 0)
            return NULL;
        n = c->path[c->depth - 1];
        if (c->at[c->depth - 1] < n->n)
            break;
        if (--c->depth > 0)                      /* up, and on to the next child */
            c->at[c->depth - 1]++;
    }
    while (!n->leaf) {
        n = node_inner(n)->child[c->at[c->depth - 1]];
        must(c->depth < BTREE_MAX_DEPTH);
        c->path[c->depth] = n;
        c->at[c->depth++] = 0;
        must(n->n > 0);
    }
    return &node_leaf(n)->item[c->at[c->depth - 1]++];
}

/* ---- checking ------------------------------------------------------------------------------------ */

static unsigned btree_check_node(const struct btree_node *n, struct str from, struct str to)
{
    const struct btree_inner *in = (const struct btree_inner *)(const void *)n;
    unsigned depth = 0;

    node_check(n);
    for (unsigned i = n->leaf ? 0 : 1; i < n->n; i++) {
        must(str_cmp(node_key(n, i), from) >= 0);
        must(to.p == NULL || str_cmp(node_key(n, i), to) < 0);
    }
    for (unsigned i = 0; !n->leaf && i < n->n; i++) {
        unsigned d = btree_check_node(in->child[i], i > 0 ? node_key(n, i) : from,
                                      i + 1u < n->n ? node_key(n, i + 1u) : to);
        must(in->count[i] == node_count(in->child[i]));
        must(i == 0 || d == depth);
        depth = d;
    }
    must(depth + 1 < BTREE_MAX_DEPTH);
    return depth + 1;
}

void btree_check(const struct btree *t)
{
    if (t->root != NULL)
        btree_check_node(t->root, STR_NONE, STR_NONE);
}
