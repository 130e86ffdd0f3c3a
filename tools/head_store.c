/* tools/head_store.c: see head_store.h. */
#include "net/usage.h"
#include "tools/flags.h"
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

/* So long that only bytes decide. */
#define FOR_EVER_MS (10ull * 365 * 86400 * 1000)

static int compaction_opts(const struct head_store_flags *f, struct store_opts *ret, struct errbuf *err)
{
    const char *mode = f->compaction != NULL ? f->compaction : "periodic";
    const char *retention = f->retention != NULL ? f->retention : "5m";
    bool periodic = strcmp(mode, "periodic") == 0;
    uint64_t n = 0;
    bool number = str_u64(str_of(retention), &n);

    if (!periodic && strcmp(mode, "revision") != 0 && strcmp(mode, "size") != 0)
        return err_set(err, E_INVALID, "--auto-compaction-mode %s: is periodic, revision or size", mode);
    if (!periodic && f->retention == NULL)
        return err_set(err, E_INVALID, "--auto-compaction-mode %s needs --auto-compaction-retention", mode);
    if (number && periodic)
        n *= 3600 * 1000;
    else if (!number && (!periodic || !flag_duration_ms(retention, &n)))
        return err_set(err, E_INVALID, "--auto-compaction-retention %s: is %s", retention,
                       periodic ? "a time such as 5m or a number of hours" : "a number");
    if (n == 0)
        return 0;
    ret->history_ms = periodic ? n : FOR_EVER_MS;
    if (strcmp(mode, "size") == 0) {
        ret->history_bytes = n;
        return 0;
    }
    ret->compaction = periodic ? STORE_COMPACT_PERIODIC : STORE_COMPACT_REVISION;
    ret->retention = n;
    return 0;
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
    return compaction_opts(f, ret, err);
}
