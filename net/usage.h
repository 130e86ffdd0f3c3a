/* net/usage.h: what this process takes of its machine. */
#ifndef NET_USAGE_H
#define NET_USAGE_H

#include <stdint.h>

struct usage {
    uint64_t rss_bytes, virtual_bytes;
    uint64_t open_fds, max_fds;                  /* open_fds 0: this kernel does not tell without a walk */
    uint64_t cpu_ns;                             /* all threads, user and system */
    int64_t  start_s;                            /* wall clock, seconds since 1970 */
    uint64_t machine_bytes;                      /* memory that there is for it: the machine's, or the cgroup's limit */
};
/* A few system calls, none of which waits for a disk. */
void usage_read(struct usage *ret);

#endif
