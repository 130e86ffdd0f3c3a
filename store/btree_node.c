/* store/btree_node.c: see btree_node.h. */
#include "store/btree_node.h"

struct btree_node *node_new(struct btree_pool *p, bool leaf)
{
    struct btree_node *n = mem_alloc(leaf ? sizeof(struct btree_leaf) : sizeof(struct btree_inner));

    n->refs = 1;
    n->n = n->skip = 0;
    n->leaf = leaf;
    n->last = BTREE_SLOTS;
    n->next_dead = NULL;
    p->nodes++;
    return n;
}

void node_unref(struct btree_pool *p, struct btree_node *n)
{
    must(n->refs > 0);
    if (--n->refs > 0)
        return;
    n->next_dead = p->dead;
    p->dead = n;
    p->n_dead++;
}

static void node_dismantle(struct btree_pool *p, struct btree_node *n)
{
    must(n->refs == 0);
    must(p->nodes > 0);
    for (unsigned i = 0; i < n->n; i++) {
        if (n->leaf) {
            blob_unref(node_leaf(n)->item[i].key);
            blob_unref(node_leaf(n)->item[i].value);
        } else {
            blob_unref(node_inner(n)->key[i]);
            node_unref(p, node_inner(n)->child[i]);
        }
    }
    p->nodes--;
    mem_free(n);
}

bool btree_pool_drain(struct btree_pool *p, unsigned budget)
{
    while (p->dead != NULL && budget-- > 0) {
        struct btree_node *n = p->dead;
        p->dead = n->next_dead;
        p->n_dead--;
        node_dismantle(p, n);
    }
    return p->dead != NULL;
}

struct btree_node *node_own(struct btree_pool *p, struct btree_node *n)
{
    struct btree_node *copy;

    must(n->refs > 0);
    if (n->refs == 1)
        return n;
    copy = node_new(p, n->leaf);
    memcpy(copy, n, n->leaf ? sizeof(struct btree_leaf) : sizeof(struct btree_inner));
    copy->refs = 1;
    for (unsigned i = 0; i < n->n; i++) {
        if (n->leaf) {
            struct btree_item *it = &node_leaf(n)->item[i];
            blob_ref(it->key);
            if (it->value != NULL)
                blob_ref(it->value);
        } else {
            struct btree_node *child = node_inner(n)->child[i];
            if (i > 0)
                blob_ref(node_inner(n)->key[i]);
            must(child->refs < UINT32_MAX);
            child->refs++;
        }
    }
    n->refs--;
    return copy;
}

uint64_t node_count(const struct btree_node *n)
{
    const struct btree_inner *in = (const struct btree_inner *)(const void *)n;
    uint64_t sum = 0;

    if (n->leaf)
        return n->n;
    for (unsigned i = 0; i < n->n; i++)
        sum += in->count[i];
    return sum;
}

/* ---- keys and hints ------------------------------------------------------------------------------ */

static unsigned node_first_key(const struct btree_node *n)
{
    return n->leaf ? 0 : 1;
}

/* Eight bytes from offset `at` on, zero-padded, as a number that orders like the bytes.  Bytes of equal
 * hints may still differ (padding; what follows), but different hints order as their keys do. */
static uint64_t hint_of(struct str key, size_t at)
{
    uint64_t h = 0;

    if (key.n >= at + 8) {
        memcpy(&h, key.p + at, 8);
        return __builtin_bswap64(h);
    }
    for (size_t i = at; i < at + 8; i++)
        h = h << 8 | (i < key.n ? (unsigned char)key.p[i] : 0);
    return h;
}

static size_t common_prefix(struct str a, struct str b, size_t max)
{
    size_t n = MIN_OF(a.n, b.n), i = 0;

    n = MIN_OF(n, max);
    while (i < n && a.p[i] == b.p[i])
        i++;
    return i;
}

static void node_rehint(struct btree_node *n, size_t max)
{
    unsigned first = node_first_key(n);

    if (n->n <= first) {
        n->skip = 0;
        return;
    }
    max = MIN_OF(max, (size_t)UINT16_MAX);
    n->skip = (uint16_t)common_prefix(node_key(n, first), node_key(n, n->n - 1), max);
    for (unsigned i = first; i < n->n; i++)
        n->hint[i] = hint_of(node_key(n, i), n->skip);
}

/* How key compares with the prefix that all keys of the node share; a shorter key that it starts with is below. */
static int prefix_cmp(const struct btree_node *n, struct str key)
{
    struct str some = node_key(n, node_first_key(n));
    size_t same = MIN_OF((size_t)n->skip, key.n);
    int c = same > 0 ? memcmp(key.p, some.p, same) : 0;

    return c != 0 ? c : key.n < n->skip ? -1 : 0;
}

/* The search trusts the prefix at first: a key that is found was compared whole, and only for one that is not does the
 * prefix have to be looked at, which costs touching one more key. */
unsigned node_lower(const struct btree_node *n, struct str key, bool *ret_equal)
{
    unsigned first = node_first_key(n), lo = first, hi = n->n;
    uint64_t h = hint_of(key, n->skip);
    int c;

    *ret_equal = false;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        c = h < n->hint[mid] ? -1 : h > n->hint[mid] ? 1 : str_cmp(key, node_key(n, mid));
        if (c == 0) {
            *ret_equal = true;
            return mid;
        }
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    if (n->skip == 0 || n->n <= first)
        return lo;
    c = prefix_cmp(n, key);
    return c == 0 ? lo : c < 0 ? first : n->n;
}

unsigned node_pick(const struct btree_node *n, struct str key)
{
    bool equal;
    unsigned i = node_lower(n, key, &equal);

    must(n->n > 0);
    return equal ? i : i - 1;
}

/* ---- slots --------------------------------------------------------------------------------------- */

/* Move n slots from src[from] to dst[to]; may overlap within one node.  Hints move too. */
static void node_move(struct btree_node *dst, unsigned to, struct btree_node *src, unsigned from, unsigned n)
{
    must(to + n <= BTREE_SLOTS && from + n <= BTREE_SLOTS);
    must(dst->leaf == src->leaf);
    memmove(&dst->hint[to], &src->hint[from], n * sizeof dst->hint[0]);
    if (dst->leaf) {
        memmove(&node_leaf(dst)->item[to], &node_leaf(src)->item[from], n * sizeof(struct btree_item));
    } else {
        struct btree_inner *d = node_inner(dst), *s = node_inner(src);
        memmove(&d->key[to], &s->key[from], n * sizeof d->key[0]);
        memmove(&d->child[to], &s->child[from], n * sizeof d->child[0]);
        memmove(&d->count[to], &s->count[from], n * sizeof d->count[0]);
    }
}

void node_open(struct btree_node *n, unsigned i)
{
    must(n->refs == 1);
    must(n->n < BTREE_SLOTS && i <= n->n);
    node_move(n, i + 1, n, i, n->n - i);
    n->n++;
    n->last = (uint8_t)i;
}

void node_keyed(struct btree_node *n, unsigned i)
{
    unsigned   first = node_first_key(n);
    struct str key = node_key(n, i);
    size_t     same;

    must(i >= first && i < n->n);
    if (n->n - first < 2) {
        node_rehint(n, SIZE_MAX);
        return;
    }
    same = common_prefix(key, node_key(n, i == first ? i + 1 : first), n->skip);
    if (same < n->skip)
        node_rehint(n, same);
    else
        n->hint[i] = hint_of(key, n->skip);
}

void node_close(struct btree_node *n, unsigned i)
{
    must(n->refs == 1);
    must(i < n->n);
    node_move(n, i, n, i + 1, n->n - i - 1u);
    n->n--;
    if (!n->leaf && i == 0 && n->n > 0) {        /* the new first child needs no bound */
        node_inner(n)->key[0] = blob_unref(node_inner(n)->key[0]);
    }
}

unsigned node_split_at(const struct btree_node *n, unsigned at)
{
    if (n->last == BTREE_SLOTS || n->last + 1u != at)
        return n->n / 2u;
    return MIN_OF(MAX_OF(at, 1u), n->n - 1u);
}

void node_split(struct btree_pool *p, struct btree_node *parent, unsigned i, unsigned keep)
{
    struct btree_inner *up = node_inner(parent);
    struct btree_node  *left = up->child[i], *right = node_new(p, left->leaf);
    struct blob *sep;

    must(left->refs == 1 && parent->refs == 1);
    must(left->n == BTREE_SLOTS && keep > 0 && keep < left->n);
    node_move(right, 0, left, keep, left->n - keep);
    right->n = (uint16_t)(left->n - keep);
    left->n = (uint16_t)keep;
    right->last = left->last >= keep ? (uint8_t)(left->last - keep) : BTREE_SLOTS;
    left->last = left->last < keep ? left->last : BTREE_SLOTS;
    if (left->leaf) {
        sep = blob_ref(node_leaf(right)->item[0].key);
    } else {
        sep = node_inner(right)->key[0];
        node_inner(right)->key[0] = NULL;
    }
    node_rehint(left, SIZE_MAX);
    node_rehint(right, SIZE_MAX);
    node_open(parent, i + 1);
    up->key[i + 1] = sep;
    up->child[i + 1] = right;
    up->count[i + 1] = node_count(right);
    up->count[i] -= up->count[i + 1];
    node_keyed(parent, i + 1);
}

/* All of right (owned) goes behind left (owned); right is then empty.  sep: the bound between them. */
static void node_append(struct btree_node *left, struct btree_node *right, struct blob *sep)
{
    must(left->refs == 1 && right->refs == 1);
    must(left->n + right->n <= BTREE_SLOTS);
    must(left->n > 0 && right->n > 0);
    if (left->leaf)
        blob_unref(sep);
    else
        node_inner(right)->key[0] = sep;
    node_move(left, left->n, right, 0, right->n);
    left->n = (uint16_t)(left->n + right->n);
    right->n = 0;
    node_rehint(left, SIZE_MAX);
}

/* Even out left and right (both owned), whose common bound is parent's key[r]. */
static void node_level(struct btree_node *parent, unsigned r, struct btree_node *left,
                       struct btree_node *right)
{
    struct btree_inner *up = node_inner(parent);
    unsigned total = left->n + right->n, half = total / 2;

    if (!left->leaf) {                           /* the bound is a key like the others while we move */
        node_inner(right)->key[0] = up->key[r];
        up->key[r] = NULL;
    }
    if (left->n > half) {
        unsigned k = left->n - half;
        node_move(right, k, right, 0, right->n);
        node_move(right, 0, left, half, k);
    } else {
        unsigned k = half - left->n;
        node_move(left, left->n, right, 0, k);
        node_move(right, 0, right, k, right->n - k);
    }
    left->n = (uint16_t)half;
    right->n = (uint16_t)(total - half);
    blob_unref(up->key[r]);
    if (left->leaf) {
        up->key[r] = blob_ref(node_leaf(right)->item[0].key);
    } else {
        up->key[r] = node_inner(right)->key[0];
        node_inner(right)->key[0] = NULL;
    }
    node_rehint(left, SIZE_MAX);
    node_rehint(right, SIZE_MAX);
    up->count[r] = node_count(right);
    up->count[r - 1] = node_count(left);
    node_rehint(parent, SIZE_MAX);
}

/* Parent's child i is empty: forget it. */
static void node_drop_child(struct btree_pool *p, struct btree_node *parent, unsigned i)
{
    struct btree_inner *up = node_inner(parent);
    struct btree_node  *child = up->child[i];
    struct blob        *sep = up->key[i];

    must(child->n == 0);
    node_close(parent, i);
    blob_unref(sep);
    node_unref(p, child);
}

void node_refill(struct btree_pool *p, struct btree_node *parent, unsigned i)
{
    struct btree_inner *up = node_inner(parent);
    unsigned l = i > 0 ? i - 1 : i, r = l + 1;
    struct btree_node *left, *right;
    struct blob *sep;

    must(parent->refs == 1);
    if (up->child[i]->n == 0) {
        node_drop_child(p, parent, i);
        return;
    }
    if (up->child[i]->n >= BTREE_MIN || parent->n < 2)
        return;
    left = up->child[l] = node_own(p, up->child[l]);
    right = up->child[r] = node_own(p, up->child[r]);
    if (left->n + right->n > BTREE_SLOTS * 3 / 4) {
        node_level(parent, r, left, right);
        return;
    }
    sep = up->key[r];
    node_append(left, right, sep);
    up->key[r] = NULL;
    up->count[l] += up->count[r];
    node_close(parent, r);
    node_unref(p, right);
}

void node_check(const struct btree_node *n)
{
    unsigned first = node_first_key(n);

    must(n->refs > 0);
    must(n->n > 0 && n->n <= BTREE_SLOTS);
    if (!n->leaf)
        must(((const struct btree_inner *)(const void *)n)->key[0] == NULL);
    for (unsigned i = first; i < n->n; i++) {
        struct str key = node_key(n, i);
        must(key.n >= n->skip);
        must(n->skip == 0 || memcmp(key.p, node_key(n, first).p, n->skip) == 0);
        must(n->hint[i] == hint_of(key, n->skip));
        if (i > first)
            must(str_cmp(node_key(n, i - 1), key) < 0);
    }
}
