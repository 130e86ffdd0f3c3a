/* store/etcd/etcd_write.h: key-values onto the wire straight from the store: small ones copied next to each
 * other, values above ETCD_INLINE_VALUE as references of their blobs.
 *
 * A message's length comes first in gRPC, so every writer has a twin that says how many bytes it will write;
 * a sink is told the sum and must() get exactly that. */
#ifndef STORE_ETCD_WRITE_H
#define STORE_ETCD_WRITE_H

#include "store/etcd/etcd_impl.h"

struct etcd_sink { struct grpc_call *call; struct buf *buf; size_t left; };

/* A message of n bytes begins in buf (emptied). */
void etcd_sink_begin(struct etcd_sink *s, struct grpc_call *call, struct buf *buf, size_t n);
/* Room to write fields by pb_add_*: used as far as it has grown. */
void etcd_sink_flush(struct etcd_sink *s);
void etcd_sink_end(struct etcd_sink *s);

/* mvccpb.KeyValue as field `number`; the key is told as the user's. */
size_t etcd_kv_size(uint32_t number, const struct store_kv *kv, bool keys_only);
void   etcd_kv_write(struct etcd_sink *s, uint32_t number, const struct store_kv *kv, bool keys_only);

#endif
