/* test/fuzz/fuzz_etcd.c: hostile messages of etcd's API: the first byte picks the table, the rest is decoded
 * by it.
 * What was understood is encoded and decoded again: it must come out the same, in exactly the bytes
 * announced. */
#include "store/etcd/etcd_messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pb_message *const messages[] = {
    &etcd_range_msg, &etcd_put_msg, &etcd_delete_msg, &etcd_txn_msg, &etcd_compaction_msg,
        &etcd_watch_request_msg,
    &etcd_nothing_msg, &etcd_lease_grant_msg, &etcd_lease_id_msg, &etcd_alarm_msg, &etcd_number_msg,
    &etcd_member_add_msg, &etcd_member_update_msg, &etcd_header_msg, &etcd_reply_members, &etcd_reply_status,
    &etcd_reply_ttl,
};

static void encode(struct buf *out, const struct pb_message *m, const void *from)
{
    pb_encode(out, m, from);
    must(out->n == pb_size(m, from));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pb_message *m;
    struct arena a = ARENA_INIT;
    struct buf   once = BUF_INIT, twice = BUF_INIT;
    char  *copy;
    void  *to;

    if (size == 0)
        return 0;
    m = messages[data[0] % ARRAY_LEN(messages)];
    copy = mem_alloc(size);                      /* an exact copy, so that a read past its end is seen */
    memcpy(copy, data + 1, size - 1);
    copy = mem_realloc(copy, size > 1 ? size - 1 : 1);
    to = arena_alloc(&a, m->size);
    if (pb_decode(&a, m, str_make(copy, size - 1), ETCD_MAX_ITEMS, to) == 0) {
        encode(&once, m, to);
        must_ok(pb_decode(&a, m, buf_str(&once), ETCD_MAX_ITEMS, to));
        encode(&twice, m, to);
        must(str_eq(buf_str(&once), buf_str(&twice)));
    }
    buf_release(&once);
    buf_release(&twice);
    arena_release(&a);
    mem_free(copy);
    return 0;
}
