/* node/mountns.h: the mount namespace that an agent shares with its pods' monitors and holders.
 *
 * The agent and everything it starts live in a mount namespace of their own.  Overlays, shared memory and
 * volumes are mounted there and nowhere else: when the last process of the node is gone, so is every mount,
 * whoever was killed in whatever order.  On hybrid cgroup hosts /sys/fs/cgroup/unified is not mounted in it, because
 * crun refuses to run where it sees both kinds.  Mounts made on the host come in; none goes out.
 *
 * A restarted agent has to get back into the namespace of the pods it left running: it is found by any living
 * process that is registered as a holder (the pods' namespace holders are). */
#ifndef NODE_MOUNTNS_H
#define NODE_MOUNTNS_H

#include "node/pidwatch.h"

/* Enter that of the first living holder, or make one.  Before any thread or loop exists.  Needs root. */
int  mountns_enter(const char *run_dir, struct errbuf *err);
/* Register and forget holders; name is one path component. */
int  mountns_hold(const char *run_dir, const char *name, const struct proc_id *id, struct errbuf *err);
void mountns_release(const char *run_dir, const char *name);

#endif
