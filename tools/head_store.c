/* tools/head_store.c: see head_store.h. */
#include "net/usage.h"
#include "tools/head_store.h"

#define HISTORY_BYTES (64u << 20)

/* What is stored is held in memory, at about twice its size, and versions of it that are read, sent or
 * written come on top. */
static uint64_t default_quota(void)
{
    struct usage u;

    usage_read(&u);
    return u.machine_bytes / 4;
}

int head_store_opts(const struct head_store_flags *f, struct store_opts *ret, struct errbuf *err)
{
    if (f->snapshot_bytes < 0 || f->history_bytes < 0 || f->quota_bytes < 0)
        return err_set(err, E_INVALID,
                       "--snapshot-bytes, --watch-history-bytes and --quota-backend-bytes may not be "
                       "negative");
    ret->raft.snapshot_bytes = (uint64_t)f->snapshot_bytes;
    ret->history_bytes = f->history_bytes > 0 ? (uint64_t)f->history_bytes : HISTORY_BYTES;
    ret->quota_bytes = f->quota_bytes > 0 ? (uint64_t)f->quota_bytes : default_quota();
    return 0;
}
