/* store/snapshot.c: see snapshot.h. */
#include "store/limits.h"
#include "store/snapshot.h"
#include "store/store.h"

#define STATE_VERSION 2                          /* 1: without the revision of compaction */
#define MAGIC         "CORACLE"
#define MAGIC_LEN     8u                         /* with the version */
#define MAX_VALUE     (RAFT_MAX_COMMAND + 20u)   /* a command's value with its revision */
#define MAX_HEAD      (STORE_MAX_KEY + 7 * 10 + 16u)          /* longest record without its value */

/* ---- writing ------------------------------------------------------------------------------------- */

struct snapshot_writer {
    struct image        image;
    struct btree_cursor cursor;
    uint64_t            leases_left, keys_left, next_lease;
    struct buf          head;                    /* of the record being written */
    size_t              head_at, value_at;
    struct blob        *value;                   /* its value, borrowed from the image */
};

struct snapshot_writer *snapshot_writer_new(const struct image *m)
{
    struct snapshot_writer *w = mem_new(struct snapshot_writer);

    image_share(&w->image, m);
    btree_seek(&w->cursor, &w->image.keys, STR_NONE);
    w->leases_left = m->n_leases;
    w->keys_left = btree_len(&m->keys);
    buf_add(&w->head, MAGIC, MAGIC_LEN - 1);
    buf_char(&w->head, STATE_VERSION);
    buf_varint(&w->head, m->rev);
    buf_varint(&w->head, m->epoch);
    buf_varint(&w->head, m->lease_seq);
    buf_varint(&w->head, m->compacted);
    buf_varint(&w->head, w->leases_left);
    buf_varint(&w->head, w->keys_left);
    return w;
}

void snapshot_writer_free(struct snapshot_writer *w)
{
    image_release(&w->image);
    buf_release(&w->head);
    mem_free(w);
}

static void write_lease(struct snapshot_writer *w)
{
    struct image_lease l;

    must(image_lease_next(&w->image, w->next_lease, &l));
    w->leases_left--;
    w->next_lease = l.id + 1;
    buf_varint(&w->head, l.id);
    buf_varint(&w->head, l.ttl_ms);
    buf_varint(&w->head, l.touches);
}

static void write_key(struct snapshot_writer *w)
{
    const struct btree_item *it = btree_next(&w->cursor);

    must(it != NULL);
    w->keys_left--;
    buf_varint(&w->head, it->key->len);
    buf_str_add(&w->head, blob_str(it->key));
    buf_varint(&w->head, it->create_rev);
    buf_varint(&w->head, it->mod_rev);
    buf_varint(&w->head, it->version);
    buf_varint(&w->head, it->lease);
    buf_varint(&w->head, it->tag);
    buf_varint(&w->head, it->value->len);
    w->value = it->value;
}

/* False: there is no more. */
static bool write_next(struct snapshot_writer *w)
{
    buf_clear(&w->head);
    w->head_at = w->value_at = 0;
    w->value = NULL;
    if (w->leases_left > 0)
        write_lease(w);
    else if (w->keys_left > 0)
        write_key(w);
    else
        return false;
    return true;
}

static size_t copy_some(char *to, size_t cap, const char *from, size_t n, size_t *at)
{
    size_t k = MIN_OF(cap, n - *at);

    if (k > 0)
        memcpy(to, from + *at, k);
    *at += k;
    return k;
}

size_t snapshot_writer_read(struct snapshot_writer *w, char *p, size_t cap)
{
    size_t n = 0;

    while (n < cap) {
        n += copy_some(p + n, cap - n, w->head.p, w->head.n, &w->head_at);
        if (w->value != NULL)
            n += copy_some(p + n, cap - n, w->value->data, w->value->len, &w->value_at);
        if (n < cap && !write_next(w))
            break;
    }
    must(n <= cap);
    return n;
}

/* ---- reading ------------------------------------------------------------------------------------- */

struct snapshot_reader {
    struct image      image;
    bool              begun, bad;
    uint64_t          leases_left, keys_left, last_lease;
    struct buf        in;                        /* a record head that is not whole yet */
    struct blob      *last_key;
    struct btree_item item;                      /* the record whose value is coming; item.value NULL: none */
    size_t            value_at;
};

struct snapshot_reader *snapshot_reader_new(struct btree_pool *pool)
{
    struct snapshot_reader *r = mem_new(struct snapshot_reader);

    image_init(&r->image, pool);
    return r;
}

void snapshot_reader_free(struct snapshot_reader *r)
{
    if (r == NULL)
        return;
    image_release(&r->image);
    buf_release(&r->in);
    blob_unref(r->last_key);
    blob_unref(r->item.value);
    mem_free(r);
}

/* The readers of records return 1 and cut the record off *s, or 0: not whole yet, or E_CORRUPT. */

static int read_begin(struct snapshot_reader *r, struct str *s)
{
    struct image *m = &r->image;
    struct str magic, in = *s;
    char version;

    if (!str_take(&in, MAGIC_LEN, &magic))
        return 0;
    version = magic.p[MAGIC_LEN - 1];
    if (!str_eq(str_upto(magic, MAGIC_LEN - 1), STR(MAGIC)) || version < 1 || version > STATE_VERSION)
        return E_CORRUPT;
    if (!str_varint(&in, &m->rev) || !str_varint(&in, &m->epoch) || !str_varint(&in, &m->lease_seq)
        || (version > 1 && !str_varint(&in, &m->compacted))
        || !str_varint(&in, &r->leases_left) || !str_varint(&in, &r->keys_left))
        return 0;
    if (m->rev >= UINT64_MAX / 2 || m->compacted > m->rev)
        return E_CORRUPT;
    r->begun = true;
    *s = in;
    return 1;
}

static int read_lease(struct snapshot_reader *r, struct str *s)
{
    struct image_lease l;
    struct str in = *s;

    if (!str_varint(&in, &l.id) || !str_varint(&in, &l.ttl_ms) || !str_varint(&in, &l.touches))
        return 0;
    if (l.id <= r->last_lease || l.ttl_ms == 0 || l.ttl_ms > STORE_MAX_LEASE_TTL_MS)
        return E_CORRUPT;
    image_lease_set(&r->image, &l);
    r->last_lease = l.id;
    r->leases_left--;
    *s = in;
    return 1;
}

static bool key_record_ok(const struct snapshot_reader *r, struct str key, const struct btree_item *it)
{
    struct image_lease l;

    if (r->last_key != NULL && str_cmp(key, blob_str(r->last_key)) <= 0)
        return false;
    if (it->create_rev == 0 || it->create_rev > it->mod_rev || it->mod_rev > r->image.rev || it->version == 0)
        return false;
    return it->lease == 0 || image_lease_get(&r->image, it->lease, &l);
}

static int read_key(struct snapshot_reader *r, struct str *s)
{
    struct btree_item it = { .key = NULL };
    struct str key, in = *s;
    uint64_t key_len, value_len;

    if (!str_varint(&in, &key_len))
        return 0;
    if (key_len == 0 || key_len > STORE_MAX_KEY)
        return E_CORRUPT;
    if (!str_take(&in, (size_t)key_len, &key) || !str_varint(&in, &it.create_rev)
        || !str_varint(&in, &it.mod_rev) || !str_varint(&in, &it.version) || !str_varint(&in, &it.lease)
        || !str_varint(&in, &it.tag)
        || !str_varint(&in, &value_len))
        return 0;
    if (value_len > MAX_VALUE || !key_record_ok(r, key, &it))
        return E_CORRUPT;
    blob_unref(r->last_key);
    r->last_key = blob_copy(key);
    r->item = it;
    r->item.key = r->last_key;
    r->item.value = blob_new((size_t)value_len);
    r->value_at = 0;
    r->keys_left--;
    *s = in;
    return 1;
}

/* Take bytes of the value; true once it is whole and stored. */
static bool read_value(struct snapshot_reader *r, struct str *s)
{
    struct blob *v = r->item.value;
    size_t n = MIN_OF(v->len - r->value_at, s->n);

    if (n > 0)
        memcpy(v->data + r->value_at, s->p, n);
    r->value_at += n;
    *s = str_from(*s, n);
    if (r->value_at < v->len)
        return false;
    image_load(&r->image, &r->item);
    r->item.value = NULL;
    return true;
}

static int read_some(struct snapshot_reader *r, struct str *s)
{
    int rc;

    if (r->item.value != NULL)
        return read_value(r, s);
    if (!r->begun)
        rc = read_begin(r, s);
    else if (r->leases_left > 0)
        rc = read_lease(r, s);
    else if (r->keys_left > 0)
        rc = read_key(r, s);
    else
        return s->n > 0 ? E_CORRUPT : 0;         /* bytes behind the end */
    return rc == 0 && s->n > MAX_HEAD ? E_CORRUPT : rc;    /* no head is that long: it will never be whole */
}

int snapshot_reader_data(struct snapshot_reader *r, struct str data)
{
    struct str s;
    int rc = 0;

    if (r->bad)
        return E_CORRUPT;
    s = data;
    if (r->in.n > 0) {
        buf_str_add(&r->in, data);
        s = buf_str(&r->in);
    }
    while ((s.n > 0 || r->item.value != NULL) && (rc = read_some(r, &s)) > 0)
        continue;
    if (r->in.n > 0)
        buf_drop(&r->in, r->in.n - s.n);
    else
        buf_str_add(&r->in, s);
    r->bad = rc < 0;
    return rc < 0 ? rc : 0;
}

int snapshot_reader_take(struct snapshot_reader *r, struct image *ret)
{
    if (r->bad || !r->begun || r->leases_left > 0 || r->keys_left > 0 || r->item.value != NULL || r->in.n > 0)
        return E_CORRUPT;
    *ret = r->image;
    image_init(&r->image, ret->keys.pool);
    return 0;
}
