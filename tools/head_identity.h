/* tools/head_identity.h: whose data directory it is: number and cluster of a head, kept beside its log, so
 * that later starts need not be told and a directory never serves another head. */
#ifndef TOOLS_HEAD_IDENTITY_H
#define TOOLS_HEAD_IDENTITY_H

#include "net/arena.h"
#include "net/err.h"

#define HEAD_REMOVED_STATUS 3                    /* exit status of a head that was removed from its cluster */

struct head_identity {
    int64_t id;                                  /* 0: not given */
    const char *cluster;                         /* NULL: not given */
    bool known;                                  /* the directory said so */
};

/* Fill in what was not given, from DIR or by default (1, "coracle"; who joins must be told its number);
 * E_INVALID when DIR belongs to another.  The text lives in the arena. */
int head_identity_load(struct arena *a, const char *dir, bool joins, struct head_identity *id,
                       struct errbuf *err);
/* Write it down; nothing to do if it is there. */
int head_identity_save(const char *dir, const struct head_identity *id, struct errbuf *err);

#endif
