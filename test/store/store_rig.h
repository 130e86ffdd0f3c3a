/* test/store/store_rig.h: what the store's tests share: dice, a state machine driven by hand, fingerprints.
 * */
#ifndef TEST_STORE_RIG_H
#define TEST_STORE_RIG_H

#include <stdlib.h>
#include "store/limits.h"
#include "store/state.h"
#include "store/txn.h"
#include "test/test.h"

static inline uint64_t dice(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline uint64_t below(uint64_t *s, uint64_t n) { return dice(s) % n; }

static inline void mix(uint64_t *h, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *h = (*h ^ ((const unsigned char *)p)[i]) * 0x100000001b3ull;
}

static inline void mix_tree(uint64_t *h, const struct btree *t)
{
    struct btree_cursor c;
    const struct btree_item *it;

    for (btree_seek(&c, t, STR_NONE); (it = btree_next(&c)) != NULL; ) {
        mix(h, &it->key->len, sizeof it->key->len);
        mix(h, it->key->data, it->key->len);
        if (it->value != NULL)
            mix(h, it->value->data, it->value->len);
        mix(h, &it->create_rev, 5 * sizeof(uint64_t));
    }
}

/* Equal exactly when two images are. */
static inline uint64_t image_hash(const struct image *m, bool with_leases)
{
    uint64_t h = 0xcbf29ce484222325ull;

    mix_tree(&h, &m->keys);
    mix(&h, &m->rev, sizeof m->rev);
    if (with_leases) {
        mix_tree(&h, &m->leases);
        mix(&h, &m->epoch, 2 * sizeof(uint64_t));
        mix(&h, &m->n_leases, sizeof m->n_leases);
    }
    return h;
}

struct run { struct state s; struct arena a; struct state_result r; uint64_t now_ns; };

static inline void run_init(struct run *r, uint64_t history_bytes)
{
    state_init(&r->s, 1000000000ull, history_bytes);
    must(r->s.now.rev == 1);
    r->s.now.rev = 0;                            /* so that the n-th change has revision n */
    arena_init(&r->a);
    r->now_ns = 1;
}

static inline void run_release(struct run *r)
{
    state_release(&r->s);
    arena_release(&r->a);
}

/* Apply and release the transaction. */
static inline const struct state_result *run_txn(struct run *r, struct store_txn *t)
{
    struct str command;

    must_ok(txn_command(t, &command));
    arena_reset(&r->a);
    state_apply(&r->s, command, r->now_ns, &r->a, &r->r);
    store_txn_release(t);
    return &r->r;
}

static inline uint64_t run_put(struct run *r, const char *key, const char *value, uint64_t tag)
{
    struct store_txn t;

    store_txn_init(&t);
    store_txn_put(&t, str_of(key), str_of(value), STORE_NO_REV, tag, 0);
    return run_txn(r, &t)->rev;
}

static inline uint64_t run_delete(struct run *r, const char *key)
{
    struct store_txn t;

    store_txn_init(&t);
    store_txn_delete(&t, str_of(key), STR_NONE, STORE_NO_REV);
    return run_txn(r, &t)->rev;
}

static inline struct str rig_key(uint64_t *s, unsigned range, char *buf)
{
    return str_make(buf, (size_t)sprintf(buf, "/r/%c/%u", (char)('a' + below(s, 3)), (unsigned)below(s,
                                                                                                     range)));
}

/* A random transaction of all kinds, over keys that collide often. */
static inline void rig_txn(struct store_txn *t, uint64_t *s, unsigned range)
{
    char key[64], to[64], value[256];
    unsigned n_ops = 1 + (unsigned)below(s, 4);

    store_txn_init(t);
    if (below(s, 3) == 0)
        store_txn_if(t, rig_key(s, range, key), (enum store_target)below(s, 4), (enum store_relation)below(s,
                4), below(s, 20));
    for (unsigned i = 0; i < n_ops; i++) {
        struct str v = str_make(value, (size_t)sprintf(value, "value-%" PRIu64 "-%0*d", dice(s), (int)below(s,
                90) + 1, 7));
        uint32_t at = below(s, 2) ? (uint32_t)below(s, v.n + 1) : STORE_NO_REV;
        struct str k = rig_key(s, range, key);
        if (i == 2 && below(s, 2) == 0 && t->part != 2)
            store_txn_else(t);
        switch (below(s, 12)) {
        case 0: case 1: case 2: case 3: store_txn_put(t, k, v, at, below(s, 4), 0); break;
        case 4:  store_txn_put(t, k, v, at, 0, below(s, 6)); break;
        case 5:  store_txn_delete(t, k, v, at); break;
        case 6:  store_txn_delete(t, k, STR_NONE, STORE_NO_REV); break;
        case 7:  store_txn_delete_range(t, k, str_make(to, (size_t)sprintf(to, "%.*s~", STR_ARG(k)))); break;
        case 8:  store_txn_get(t, k); break;
        case 9:  store_txn_lease_grant(t, below(s, 6), 1000 + below(s, 5000)); break;
        case 10: store_txn_lease_revoke(t, below(s, 6)); break;
        default: txn_lease_touch(t, below(s, 6)); break;
        }
    }
}

#endif
