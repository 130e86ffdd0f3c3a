/* tools/head_store.h: how much a head may hold and keep: flags named as etcd names them, where it does. */
#ifndef TOOLS_HEAD_STORE_H
#define TOOLS_HEAD_STORE_H

#include "store/store.h"

struct head_store_flags { int64_t snapshot_bytes, history_bytes, quota_bytes; };

/* Its rows in the table of the head's flags. */
#define HEAD_STORE_FLAGS(f) \
    { "snapshot-bytes", NULL, FLAG_INT, &(f).snapshot_bytes, "N", \
      "log written between snapshots (default 64 MiB)" }, \
    { "watch-history-bytes", NULL, FLAG_INT, &(f).history_bytes, "N", \
      "changes kept for watches that come back and for lists of the past (default 64 MiB)" }, \
    { "quota-backend-bytes", NULL, FLAG_INT, &(f).quota_bytes, "N", \
      "keys and values above which nothing is taken that makes them more (default: a quarter of the memory " \
      "there is)" },

/* E_INVALID: they make no sense. */
int head_store_opts(const struct head_store_flags *f, struct store_opts *ret, struct errbuf *err);

#endif
