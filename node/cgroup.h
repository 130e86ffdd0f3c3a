/* node/cgroup.h: control groups of pods, on v1, v2 and hybrid hosts.
 *
 * Paths are ours, relative to the root of every hierarchy: "/coracle/node-1/pod<uid>".  On v1 a path is made in the
 * hierarchies whose limits or counts we use (the OCI runtime adds others); removing looks in all of them.
 * Blocking: the calls that may wait (kill, remove) belong on the thread pool; the others are a few small files. */
#ifndef NODE_CGROUP_H
#define NODE_CGROUP_H

#include "node/runtime.h"

enum cgroup_mode { CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };
enum cgroup_controller { CG_CPU, CG_CPUACCT, CG_MEMORY, CG_PIDS, CG_CONTROLLERS };

enum { CGROUP_MOUNTS_MAX = 24, CGROUP_MOUNT_LEN = 128 };
struct cgroup_fs {
    enum cgroup_mode mode;
    char mount[CGROUP_MOUNTS_MAX][CGROUP_MOUNT_LEN];     /* every hierarchy; v2: one */
    unsigned n_mounts;
    int at[CG_CONTROLLERS];                              /* index into mount; -1: the host has none */
};

/* Looks at what is mounted in the caller's mount namespace. */
int  cgroup_fs_open(struct cgroup_fs *fs, struct errbuf *err);
/* For tests: from the text of a mountinfo file. */
int  cgroup_fs_parse(struct cgroup_fs *fs, struct str mountinfo, struct errbuf *err);

/* Make it (and its parents) and set what r asks for.  v2: controllers are enabled down to it, and for its
 * children when inner (processes then only go into children). */
int  cgroup_create(const struct cgroup_fs *fs, const char *path, const struct rt_resources *r, bool inner,
                   struct errbuf *err);
/* Set what r asks for of a group that is there, whatever runs in it. */
int  cgroup_limit(const struct cgroup_fs *fs, const char *path, const struct rt_resources *r,
                  struct errbuf *err);
/* Files to write a pid to so that a process enters `path` everywhere; calls fn for each. */
void cgroup_each_procs(const struct cgroup_fs *fs, const char *path,
                       void (*fn)(void *arg, const char *file), void *arg);

struct cgroup_stats { uint64_t cpu_ns, memory_bytes, working_set_bytes, pids; };
int  cgroup_read_stats(const struct cgroup_fs *fs, const char *path, struct cgroup_stats *ret,
                       struct errbuf *err);
/* How many processes in it the kernel killed for memory; 0 when that cannot be known. */
uint64_t cgroup_oom_kills(const struct cgroup_fs *fs, const char *path);

/* SIGKILL everything in and below it until nothing is left; E_TIMEOUT after timeout_ms. Fine when there is none. */
int  cgroup_kill(const struct cgroup_fs *fs, const char *path, unsigned timeout_ms, struct errbuf *err);
/* Remove it and what is below (no processes left in it). Fine when there is none. */
int  cgroup_remove(const struct cgroup_fs *fs, const char *path, struct errbuf *err);
/* Names of the children of `path`, in whatever hierarchy; each name possibly more than once. */
void cgroup_each_child(const struct cgroup_fs *fs, const char *path,
                       void (*fn)(void *arg, const char *name), void *arg);

/* A v1 cpu share (2..262144) as a v2 weight (1..10000). */
uint64_t cgroup_weight_of_shares(uint64_t shares);

#endif
