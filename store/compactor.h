/* store/compactor.h: the past is forgotten by itself, and what it took is given back.
 *
 * The leader proposes compactions, so that all heads forget alike: of what is older than so long, or of all but
 * so many revisions.  Each head then gives back what is free: files of snapshots that are much larger than what
 * is stored now are replaced, and memory goes back to the system once history has been taken apart.
 * Runs while there is something to forget; nothing is armed in an idle store whose past is forgotten. */
#ifndef STORE_COMPACTOR_H
#define STORE_COMPACTOR_H

#include "store/store.h"

struct compactor {
    struct store *store;
    enum store_compaction mode;
    uint64_t      retention;                     /* ns, or revisions */
    struct timer  timer;                         /* by age */
    struct store_commit commit; bool busy;
    uint64_t      compacted;                     /* when files were last looked at */
    uint64_t      freed;                         /* bytes of history since memory was given back */
    struct timer  rest;
};

void compactor_init(struct compactor *k, struct store *s, enum store_compaction mode, uint64_t retention);
void compactor_release(struct compactor *k);
/* Something was applied, or leadership changed. */
void compactor_look(struct compactor *k);
/* History let go of so many bytes. */
void compactor_freed(struct compactor *k, uint64_t bytes);

#endif
