/* node/spawn.h: start a process that outlives the agent: monitors of containers and holders of pod namespaces.
 *
 * net/proc.h's children belong to the loop; these belong to nobody.  They get their own session, are born into
 * their cgroups (nothing they fork can be missed) and, where asked, into new namespaces.  They are reaped by the
 * system's init; node/pidwatch.h tells when one has ended.
 * Nothing runs that is not on record: the process waits until announce() has returned, and vanishes if we die before.
 * Blocks until the program is executed (about a millisecond, more with a new network): call it on the thread pool. */
#ifndef NODE_SPAWN_H
#define NODE_SPAWN_H

#include <sys/types.h>
#include "node/runtime.h"

enum { SPAWN_FDS_MAX = 4, SPAWN_CGROUPS_MAX = 24 };

struct spawn_opts {
    const char *const *argv;                     /* NULL-terminated; argv[0] looked up in PATH */
    const char *const *env;                      /* NULL-terminated */
    const char *cwd;                             /* NULL: / */
    int fds[SPAWN_FDS_MAX]; unsigned n_fds;      /* become 3, 4, ...; 0 to 2 are /dev/null, everything else is closed */
    char *cgroup_procs[SPAWN_CGROUPS_MAX]; unsigned n_cgroups;
    int unshare;                                 /* CLONE_NEW* flags; CLONE_NEWNET comes with lo up */
    const char *hostname;                        /* with CLONE_NEWUTS */
    const struct rt_sysctl *sysctls; size_t n_sysctls;
    bool reap;                                   /* children that end up with it vanish by themselves */
    /* The pid is known (and its identity final) but nothing has been done yet; an error ends it.  NULL ok. */
    int (*announce)(void *arg, pid_t pid, struct errbuf *err);
    void *arg;
};

int spawn_detached(const struct spawn_opts *o, pid_t *ret_pid, struct errbuf *err);
/* "net.ipv4.ip_forward" -> "/proc/sys/net/ipv4/ip_forward"; false unless it is one that belongs to a namespace
 * which `unshare` makes anew. */
bool spawn_sysctl_path(const char *name, int unshare, char *ret, size_t size);

#endif
