/* tools/bench_proc.h: CPU time and memory of other processes, from /proc. */
#ifndef TOOLS_BENCH_PROC_H
#define TOOLS_BENCH_PROC_H

#include "tools/flags.h"

struct proc_sample { uint64_t cpu_ns, rss_bytes; bool ok; };
struct bench_proc {
    int  pid;                                    /* 0: ourselves */
    char name[32];
    struct proc_sample before, after;
};
struct bench_procs { struct bench_proc p[FLAG_MAX_STRINGS + 1]; unsigned n; };

/* Ourselves first, then the given pids. */
int  procs_init(struct bench_procs *ps, const struct flag_strings *pids, struct errbuf *err);
void procs_before(struct bench_procs *ps);
void procs_after(struct bench_procs *ps);
static inline uint64_t proc_cpu_ns(const struct bench_proc *p)
{
    return p->before.ok && p->after.ok ? p->after.cpu_ns - p->before.cpu_ns : 0;
}

#endif
