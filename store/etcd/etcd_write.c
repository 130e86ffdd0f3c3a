/* store/etcd/etcd_write.c: see etcd_write.h. */
#include "store/etcd/etcd_write.h"

#define SINK_FLUSH (16u << 10)                   /* copied bytes that leave together */

void etcd_sink_begin(struct etcd_sink *s, struct grpc_call *call, struct buf *buf, size_t n)
{
    *s = (struct etcd_sink){ call, buf, n + GRPC_HEAD };
    buf_clear(buf);
    grpc_head(buf, n);
}

void etcd_sink_flush(struct etcd_sink *s)
{
    must(s->buf->n <= s->left);
    s->left -= s->buf->n;
    grpc_add(s->call, buf_str(s->buf));
    buf_clear(s->buf);
}

void etcd_sink_end(struct etcd_sink *s)
{
    etcd_sink_flush(s);
    must(s->left == 0);
}

/* Fields of mvccpb.KeyValue but the value. */
static size_t kv_fields(const struct store_kv *kv)
{
    return pb_str_size(1, etcd_user_key(kv->key).n) + pb_int_size(2, kv->create_rev)
        + pb_int_size(3, kv->mod_rev)
           + pb_int_size(4, kv->version) + pb_int_size(6, kv->lease);
}

static size_t kv_value(const struct store_kv *kv, bool keys_only)
{
    return keys_only || kv->value == NULL ? 0 : kv->value->len;
}

static size_t kv_body(const struct store_kv *kv, bool keys_only)
{
    return kv_fields(kv) + pb_str_size(5, kv_value(kv, keys_only));
}

size_t etcd_kv_size(uint32_t number, const struct store_kv *kv, bool keys_only)
{
    size_t n = kv_body(kv, keys_only);

    return pb_head_size(number, n) + n;
}

void etcd_kv_write(struct etcd_sink *s, uint32_t number, const struct store_kv *kv, bool keys_only)
{
    struct buf *b = s->buf;
    size_t value = kv_value(kv, keys_only);

    pb_add_head(b, number, kv_body(kv, keys_only));
    pb_add_str(b, 1, etcd_user_key(kv->key));
    pb_add_int(b, 2, kv->create_rev);
    pb_add_int(b, 3, kv->mod_rev);
    pb_add_int(b, 4, kv->version);
    pb_add_int(b, 6, kv->lease);
    if (value > 0 && value <= ETCD_INLINE_VALUE) {
        pb_add_str(b, 5, blob_str(kv->value));
    } else if (value > 0) {
        pb_add_head(b, 5, value);
        etcd_sink_flush(s);
        grpc_add_blob(s->call, blob_ref(kv->value), 0, value);
        must(s->left >= value);
        s->left -= value;
    }
    if (b->n > SINK_FLUSH)
        etcd_sink_flush(s);
}
