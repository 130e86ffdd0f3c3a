/* net/spawn.h: start a child process; for net/proc*.c. */
#ifndef NET_SPAWN_H
#define NET_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>
#include "net/err.h"

struct spawn {
    const char *const *argv;                     /* argv[0] is looked up in PATH */
    const char *const *env;                      /* NULL: ours */
    const char *cwd;                             /* NULL: ours */
    const int  *fds; size_t n_fds;               /* become 0, 1, 2, 3, ...; all others are closed */
    bool setsid, die_with_parent;
};
/* The child's pid once its program runs; or an error, when nothing is left of it. */
int spawn_child(const struct spawn *o, pid_t *ret_pid, struct errbuf *err);

#endif
