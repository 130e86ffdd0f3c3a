/* test/store/btree_test.c: the copy-on-write tree against a sorted array that cannot be wrong. */
#include <stdlib.h>
#include "store/btree.h"
#include "test/test.h"

/* ---- the model ----------------------------------------------------------------------------------- */

#define MODEL_MAX 4096
struct row { char key[48]; uint64_t val; };
struct model { struct row row[MODEL_MAX]; unsigned n; };

static struct str row_key(const struct row *r) { return str_of(r->key); }

static unsigned model_lower(const struct model *m, struct str key)
{
    unsigned lo = 0, hi = m->n;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (str_cmp(row_key(&m->row[mid]), key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool model_put(struct model *m, struct str key, uint64_t val)
{
    unsigned i = model_lower(m, key);
    bool     had = i < m->n && str_eq(row_key(&m->row[i]), key);

    if (!had) {
        memmove(&m->row[i + 1], &m->row[i], (m->n - i) * sizeof m->row[0]);
        memset(&m->row[i], 0, sizeof m->row[i]);
        memcpy(m->row[i].key, key.p, key.n);
        m->n++;
    }
    m->row[i].val = val;
    return had;
}

static bool model_del(struct model *m, struct str key)
{
    unsigned i = model_lower(m, key);

    if (i == m->n || !str_eq(row_key(&m->row[i]), key))
        return false;
    m->n--;
    memmove(&m->row[i], &m->row[i + 1], (m->n - i) * sizeof m->row[0]);
    return true;
}

/* ---- dice ---------------------------------------------------------------------------------------- */

static uint64_t dice(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* Keys of several temperaments: short ones that are prefixes of each other, long shared prefixes, ones that
 * differ only in padding-like bytes. */
static struct str any_key(uint64_t *s, unsigned range, char *buf)
{
    uint64_t r = dice(s);
    int n = 0;

    switch (r >> 60 & 3) {
    case 0:  n = sprintf(buf, "/registry/pods/namespace-%u/pod-%05u", (unsigned)(r % 3),
                         (unsigned)(r / 3 % range)); break;
    case 1:  n = sprintf(buf, "%u", (unsigned)(r % range)); break;
    case 2:  n = sprintf(buf, "%.*s", (int)(r % 33), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"); break;
    default: n = sprintf(buf, "/registry/pods/%c\x01%u", (int)('a' + r % 3),
                         (unsigned)(r / 8 % range)); break;
    }
    if (n == 0)
        buf[n++] = 'k';
    return str_make(buf, (size_t)n);
}

static void tree_put(struct btree *t, struct str key, uint64_t val)
{
    bool existed;
    struct btree_item *it = btree_edit(t, key, &existed);

    blob_unref(it->value);
    it->value = blob_copy(str_make((char *)&val, sizeof val));
    it->mod_rev = val;
}

static void same(const struct btree *t, const struct model *m)
{
    struct btree_cursor c;
    const struct btree_item *it;
    unsigned i = 0;

    CHECK_INT(btree_len(t), m->n);
    for (btree_seek(&c, t, STR_NONE); (it = btree_next(&c)) != NULL; i++) {
        must(i < m->n);
        must(str_eq(blob_str(it->key), row_key(&m->row[i])));
        must(it->mod_rev == m->row[i].val);
        must(memcmp(it->value->data, &it->mod_rev, 8) == 0);
    }
    CHECK_INT(i, m->n);
}

/* Ranges and counts from random bounds. */
static void probe(const struct btree *t, const struct model *m, uint64_t *s, unsigned range)
{
    char a[64], b[64];
    struct str from = any_key(s, range, a), to = any_key(s, range, b);
    unsigned lo = model_lower(m, from), hi = model_lower(m, to);
    struct btree_cursor c;
    const struct btree_item *it = btree_get(t, from);

    CHECK((it != NULL) == (lo < m->n && str_eq(row_key(&m->row[lo]), from)));
    CHECK_INT(btree_count(t, from, to), hi > lo ? hi - lo : 0);
    CHECK_INT(btree_count(t, from, STR_NONE), m->n - lo);
    btree_seek(&c, t, from);
    it = btree_next(&c);
    CHECK((it != NULL) == (lo < m->n));
    if (it != NULL)
        CHECK(str_eq(blob_str(it->key), row_key(&m->row[lo])));
}

#define PINS 4
struct rig {
    struct btree_pool pool;
    struct btree tree, pin[PINS];
    struct model model, past[PINS];
    uint64_t seed;
};

static void rig_pin(struct rig *r, unsigned p)
{
    btree_release(&r->pin[p]);
    btree_share(&r->pin[p], &r->tree);
    memcpy(&r->past[p], &r->model, sizeof r->model);
}

static void rig_op(struct rig *r, unsigned range, unsigned put_bias)
{
    char buf[64];
    struct str key = any_key(&r->seed, range, buf);
    struct btree_item old;
    uint64_t val = dice(&r->seed);

    if (dice(&r->seed) % 100 < put_bias && r->model.n < MODEL_MAX - 1) {
        tree_put(&r->tree, key, val);
        model_put(&r->model, key, val);
        return;
    }
    bool had = btree_remove(&r->tree, key, &old);
    CHECK(had == model_del(&r->model, key));
    if (had) {
        CHECK(str_eq(blob_str(old.key), key));
        blob_unref(old.key);
        blob_unref(old.value);
    }
}

static void rig_run(uint64_t seed, unsigned ops)
{
    struct rig *r = mem_new(struct rig);
    long        live = mem_live();
    unsigned    range = 4 + (unsigned)(seed * 7 % 900);

    r->seed = seed;
    r->pool = BTREE_POOL_INIT;
    btree_init(&r->tree, &r->pool);
    for (unsigned p = 0; p < PINS; p++)
        btree_init(&r->pin[p], &r->pool);
    for (unsigned i = 0; i < ops; i++) {
        unsigned phase = i * 4 / ops;            /* grow, churn, shrink, churn */
        uint64_t d;
        rig_op(r, range, phase == 0 ? 90 : phase == 2 ? 15 : 50);
        d = dice(&r->seed);
        if (d % 40 == 0)
            rig_pin(r, (unsigned)(d / 64 % PINS));
        if (d % 16 == 1)
            probe(&r->tree, &r->model, &r->seed, range);
        if (d % 100 == 2)
            btree_check(&r->tree);
        if (d % 8 == 3)
            btree_pool_drain(&r->pool, 2);
    }
    btree_check(&r->tree);
    same(&r->tree, &r->model);
    for (unsigned p = 0; p < PINS; p++) {
        btree_check(&r->pin[p]);
        same(&r->pin[p], &r->past[p]);
        btree_release(&r->pin[p]);
    }
    btree_release(&r->tree);
    CHECK(!btree_pool_drain(&r->pool, UINT32_MAX));
    CHECK_INT(r->pool.nodes, 0);
    CHECK_INT(mem_live(), live);
    mem_free(r);
}

TEST(btree_agrees_with_a_sorted_array)
{
    for (uint64_t seed = 1; seed <= 400; seed++)
        rig_run(seed, 600);
    for (uint64_t seed = 1000; seed < 1010; seed++)
        rig_run(seed, 20000);
}

TEST(btree_in_order_leaves_full_nodes)
{
    struct btree_pool pool = BTREE_POOL_INIT;
    struct btree t;
    char   buf[32];

    btree_init(&t, &pool);
    for (unsigned i = 0; i < 64000; i++)
        tree_put(&t, str_make(buf, (size_t)sprintf(buf, "key-%08u", i)), i);
    btree_check(&t);
    CHECK_INT(btree_len(&t), 64000);
    CHECK(pool.nodes < 64000 / BTREE_SLOTS * 11 / 10);
    btree_release(&t);
    btree_pool_drain(&pool, UINT32_MAX);
}

TEST(btree_append_agrees_with_put)
{
    struct btree_pool pool = BTREE_POOL_INIT;
    struct btree t, pin;
    struct btree_cursor c;
    const struct btree_item *it;
    char   buf[32];

    btree_init(&t, &pool);
    for (unsigned i = 0; i < 20000; i++) {
        struct blob *key = blob_copy(str_make(buf, (size_t)sprintf(buf, "/%s/%06u", i < 9000 ? "a" : "b", i)));
        if (i == 7000)
            btree_share(&pin, &t);
        btree_append(&t, key)->version = i;
        blob_unref(key);
        if (i % 777 == 0)
            btree_check(&t);
    }
    btree_check(&t);
    CHECK_INT(btree_len(&t), 20000);
    CHECK_INT(btree_len(&pin), 7000);            /* what is shared is not touched */
    btree_check(&pin);
    btree_seek(&c, &t, STR_NONE);
    for (unsigned i = 0; (it = btree_next(&c)) != NULL; i++)
        must(it->version == i);
    CHECK(btree_get(&t, STR("/b/012345"))->version == 12345);
    tree_put(&t, STR("/a/004500x"), 1);          /* and goes on as any other */
    btree_check(&t);
    btree_release(&t);
    btree_release(&pin);
    btree_pool_drain(&pool, UINT32_MAX);
    CHECK_INT(pool.nodes, 0);
}

TEST(btree_drains_down_to_nothing)
{
    struct btree_pool pool = BTREE_POOL_INIT;
    struct btree_item old;
    struct btree t;
    char   buf[32];

    for (int dir = 0; dir < 2; dir++) {
        btree_init(&t, &pool);
        for (unsigned i = 0; i < 10000; i++)
            tree_put(&t, str_make(buf, (size_t)sprintf(buf, "%u", i * 7919 % 10000)), i);
        for (unsigned i = 0; i < 10000; i++) {
            unsigned k = dir ? 9999 - i : i;
            must(btree_remove(&t, str_make(buf, (size_t)sprintf(buf, "%u", k)), &old));
            blob_unref(old.key);
            blob_unref(old.value);
            if (i % 500 == 0)
                btree_check(&t);
        }
        CHECK(t.root == NULL);
        CHECK(btree_get(&t, STR("5")) == NULL);
        btree_pool_drain(&pool, UINT32_MAX);
        CHECK_INT(pool.nodes, 0);
    }
}

TEST(btree_dead_nodes_go_in_slices)
{
    struct btree_pool pool = BTREE_POOL_INIT;
    struct btree t, pin;
    char   buf[32];

    btree_init(&t, &pool);
    for (unsigned i = 0; i < 5000; i++)
        tree_put(&t, str_make(buf, (size_t)sprintf(buf, "%u", i)), i);
    btree_share(&pin, &t);
    for (unsigned i = 0; i < 5000; i++)
        tree_put(&t, str_make(buf, (size_t)sprintf(buf, "%u", i)), i + 1);
    btree_release(&pin);
    unsigned slices = 0;
    while (btree_pool_drain(&pool, 10))
        slices++;
    CHECK(slices >= 7);
    btree_check(&t);
    btree_release(&t);
    btree_pool_drain(&pool, UINT32_MAX);
    CHECK_INT(pool.nodes, 0);
}
