/* store/space.h: is there room for more?  A quota for keys and values, and the disk under the log; when either
 * runs out a NOSPACE alarm is raised, before anything fails, and cleared once there is room again.
 *
 * While space is short, transactions that would make the state larger are refused with E_NOSPACE; those that
 * do not (deletes, compaction, a value replaced by one that is no longer) go through, and so do those marked
 * as using the reserve.  A full disk is its own head's trouble as long as the others are a majority: only when
 * too many disks are low are writes refused.
 * The quota's alarm is the leader's to raise and clear; each head raises and clears that of its disk.  Looked
 * after in turns that applied something, and by a timer only while something is to be waited for. */
#ifndef STORE_SPACE_H
#define STORE_SPACE_H

#include "net/disk.h"
#include "store/store.h"

struct space {
    struct store *store;
    struct disk  *disk;
    uint64_t      quota, segment_bytes;
    bool          tight;                         /* an alarm is in force */
    bool          alarms;                        /* there is one, of any type */
    bool          disk_low;
    bool          wanted;                        /* something was refused for the quota: raise its alarm */
    uint64_t      looked_ns;                     /* at the disk */
    struct disk_space room;
    struct store_commit commit; bool busy;       /* an alarm is being raised or cleared */
    struct timer  again;
};

void space_init(struct space *sp, struct store *s, struct disk *d, uint64_t quota, uint64_t segment_bytes);
void space_release(struct space *sp);
/* Something was applied, or leadership changed. */
void space_look(struct space *sp);
/* Would so many bytes more be too many? */
bool space_short(struct space *sp, size_t more);
/* Is this transaction to be refused? */
bool space_refuses(struct space *sp, const struct store_txn *t);

#endif
