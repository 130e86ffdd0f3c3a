/* tools/head_store.h: how much a head may hold and keep: flags named as etcd names them, where it does. */
#ifndef TOOLS_HEAD_STORE_H
#define TOOLS_HEAD_STORE_H

#include "store/store.h"

struct head_store_flags {
    int64_t snapshot_bytes, history_bytes, quota_bytes;
    const char *compaction, *retention;
};

/* Its rows in the table of the head's flags. */
#define HEAD_STORE_FLAGS(f) \
    { "snapshot-bytes", NULL, FLAG_INT, &(f).snapshot_bytes, "N", \
      "log written between snapshots (default 64 MiB)" }, \
    { "watch-history-bytes", NULL, FLAG_INT, &(f).history_bytes, "N", \
      "changes kept for watches that come back and for lists of the past (default 64 MiB)" }, \
    { "auto-compaction-mode", NULL, FLAG_STRING, &(f).compaction, "MODE", \
      "what is forgotten by itself: periodic (default): what is older than the retention; revision: all " \
      "but that many revisions; size: the oldest changes, once all take more bytes than that" }, \
    { "auto-compaction-retention", NULL, FLAG_STRING, &(f).retention, "N", \
      "a time (a bare number: hours), a number of revisions, or of bytes (default 5m); 0: nothing is " \
      "forgotten but what --watch-history-bytes and five minutes do not keep" }, \
    { "quota-backend-bytes", NULL, FLAG_INT, &(f).quota_bytes, "N", \
      "keys and values above which nothing is taken that makes them more (default: a quarter of the memory " \
      "there is)" },

/* E_INVALID: they make no sense. */
int head_store_opts(const struct head_store_flags *f, struct store_opts *ret, struct errbuf *err);

#endif
