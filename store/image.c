/* store/image.c: see image.h. */
#include "store/image.h"
#include "store/limits.h"

#define LEASE_ID 8u                              /* bytes of an id in a key of the lease tree */

/* A key of the lease tree, made on the stack. */
struct lease_key { char p[LEASE_ID + STORE_MAX_KEY]; size_t n; };

static struct str lease_key(struct lease_key *k, uint64_t id, struct str key)
{
    must(key.n <= STORE_MAX_KEY);
    for (unsigned i = 0; i < LEASE_ID; i++)
        k->p[i] = (char)(id >> (56 - 8 * i));
    if (key.n > 0)
        memcpy(k->p + LEASE_ID, key.p, key.n);
    k->n = LEASE_ID + key.n;
    return str_make(k->p, k->n);
}

static uint64_t lease_key_id(const struct blob *b)
{
    uint64_t id = 0;

    must(b->len >= LEASE_ID);
    for (unsigned i = 0; i < LEASE_ID; i++)
        id = id << 8 | (unsigned char)b->data[i];
    return id;
}

void image_init(struct image *m, struct btree_pool *pool)
{
    *m = (struct image){ .rev = 1 };
    btree_init(&m->keys, pool);
    btree_init(&m->leases, pool);
}

void image_release(struct image *m)
{
    btree_release(&m->keys);
    btree_release(&m->leases);
}

void image_share(struct image *dst, const struct image *src)
{
    *dst = *src;
    btree_share(&dst->keys, &src->keys);
    btree_share(&dst->leases, &src->leases);
}

/* ---- leases -------------------------------------------------------------------------------------- */

bool image_lease_get(const struct image *m, uint64_t id, struct image_lease *ret)
{
    struct lease_key k;
    const struct btree_item *it = btree_get(&m->leases, lease_key(&k, id, STR_NONE));

    if (it == NULL)
        return false;
    *ret = (struct image_lease){ id, it->version, it->mod_rev };
    return true;
}

void image_lease_set(struct image *m, const struct image_lease *l)
{
    struct lease_key   k;
    bool               existed;
    struct btree_item *it = btree_edit(&m->leases, lease_key(&k, l->id, STR_NONE), &existed);

    must(l->id != 0 && l->ttl_ms > 0);
    it->version = l->ttl_ms;
    it->mod_rev = l->touches;
    m->n_leases += !existed;
}

static void lease_tree_remove(struct image *m, struct str key)
{
    struct btree_item gone;

    must(btree_remove(&m->leases, key, &gone));
    blob_unref(gone.key);
    blob_unref(gone.value);
}

void image_lease_remove(struct image *m, uint64_t id)
{
    struct lease_key k;

    lease_tree_remove(m, lease_key(&k, id, STR_NONE));
    must(m->n_leases > 0);
    m->n_leases--;
}

/* [id KEY..] of one lease: everything behind the lease itself and before the next id. */
static void lease_range(struct lease_key *from, struct lease_key *to, uint64_t id)
{
    lease_key(from, id, STR("\0"));
    lease_key(to, id + 1, STR_NONE);
    if (id == UINT64_MAX)
        to->n = 0;                               /* no next id: to the end */
}

uint64_t image_lease_keys(const struct image *m, uint64_t id)
{
    struct lease_key from, to;

    lease_range(&from, &to, id);
    return btree_count(&m->leases, str_make(from.p, from.n), str_make(to.p, to.n));
}

struct blob *image_lease_any_key(const struct image *m, uint64_t id)
{
    struct lease_key from, to;
    struct btree_cursor c;
    const struct btree_item *it;

    lease_range(&from, &to, id);
    btree_seek(&c, &m->leases, str_make(from.p, from.n));
    it = btree_next(&c);
    if (it == NULL || lease_key_id(it->key) != id)
        return NULL;
    return blob_copy(str_from(blob_str(it->key), LEASE_ID));
}

bool image_lease_next_key(const struct image *m, uint64_t id, struct str from, struct buf *ret_key)
{
    struct lease_key k;
    struct btree_cursor c;
    const struct btree_item *it;

    btree_seek(&c, &m->leases, lease_key(&k, id, from.n > 0 ? from : STR("\0")));
    it = btree_next(&c);
    if (it == NULL || lease_key_id(it->key) != id)
        return false;
    buf_str_add(ret_key, str_from(blob_str(it->key), LEASE_ID));
    return true;
}

bool image_lease_next(const struct image *m, uint64_t from, struct image_lease *ret)
{
    struct lease_key    k;
    struct btree_cursor c;
    const struct btree_item *it;

    for (;;) {
        btree_seek(&c, &m->leases, lease_key(&k, from, STR_NONE));
        it = btree_next(&c);
        if (it == NULL)
            return false;
        uint64_t id = lease_key_id(it->key);
        if (it->key->len == LEASE_ID) {
            *ret = (struct image_lease){ id, it->version, it->mod_rev };
            return true;
        }
        if (id == UINT64_MAX)                    /* a lease comes before its keys, so these are behind it */
            return false;
        from = id + 1;
    }
}

static void lease_attach(struct image *m, uint64_t id, struct str key)
{
    struct lease_key k;
    bool existed;

    if (id != 0)
        btree_edit(&m->leases, lease_key(&k, id, key), &existed);
}

static void lease_detach(struct image *m, uint64_t id, struct str key)
{
    struct lease_key k;

    if (id != 0)
        lease_tree_remove(m, lease_key(&k, id, key));
}

/* ---- keys ---------------------------------------------------------------------------------------- */

const struct btree_item *image_put(struct image *m, struct str key, struct blob *value, uint64_t rev,
                                   uint64_t tag, uint64_t lease, struct btree_item *ret_prev)
{
    bool existed;
    struct btree_item *it = btree_edit(&m->keys, key, &existed);

    *ret_prev = (struct btree_item){ .key = NULL };
    if (existed) {
        *ret_prev = *it;
        m->bytes -= it->value->len;
    } else {
        it->create_rev = rev;
        m->bytes += key.n;
    }
    if (it->lease != lease) {
        lease_detach(m, it->lease, key);
        lease_attach(m, lease, key);
    }
    it->value = value;
    it->mod_rev = rev;
    it->version++;
    it->tag = tag;
    it->lease = lease;
    m->bytes += value->len;
    return it;
}

void image_load(struct image *m, const struct btree_item *item)
{
    *btree_append(&m->keys, item->key) = *item;
    lease_attach(m, item->lease, blob_str(item->key));
    m->bytes += (uint64_t)item->key->len + item->value->len;
}

bool image_remove(struct image *m, struct str key, struct btree_item *ret)
{
    if (!btree_remove(&m->keys, key, ret))
        return false;
    lease_detach(m, ret->lease, blob_str(ret->key));
    must(m->bytes >= (uint64_t)ret->key->len + ret->value->len);
    m->bytes -= (uint64_t)ret->key->len + ret->value->len;
    return true;
}

void image_check(const struct image *m)
{
    struct btree_cursor c;
    const struct btree_item *it;
    struct image_lease l;
    struct lease_key k;
    uint64_t bytes = 0, attached = 0;

    btree_check(&m->keys);
    btree_check(&m->leases);
    for (btree_seek(&c, &m->keys, STR_NONE); (it = btree_next(&c)) != NULL; ) {
        must(it->create_rev > 0 && it->create_rev <= it->mod_rev);
        must(it->mod_rev <= m->rev && it->version > 0);
        must(it->value != NULL);
        bytes += (uint64_t)it->key->len + it->value->len;
        if (it->lease != 0) {
            attached++;
            must(image_lease_get(m, it->lease, &l));
            must(btree_get(&m->leases, lease_key(&k, it->lease, blob_str(it->key))) != NULL);
        }
    }
    must(bytes == m->bytes);
    must(btree_len(&m->leases) == attached + m->n_leases);
}
