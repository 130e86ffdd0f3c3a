/* tools/bench_proc.c: see tools/bench_proc.h. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "node/files.h"
#include "tools/bench_proc.h"

/* "PID (NAME) STATE ..." with any bytes in NAME; field 24 is pages. */
static bool parse_stat(struct str text, struct bench_proc *p, struct proc_sample *ret)
{
    const char *open = memchr(text.p, '(', text.n), *close = memrchr(text.p, ')', text.n);
    uint64_t field[25] = { 0 };
    struct str rest, part;

    if (open == NULL || close == NULL || close < open || (size_t)(close - text.p) + 2 > text.n)
        return false;
    snprintf(p->name, sizeof p->name, "%.*s", (int)MIN_OF(close - open - 1, 31), open + 1);
    rest = str_from(text, (size_t)(close - text.p) + 2);
    for (unsigned i = 3; i <= 24 && str_split(&rest, ' ', &part); i++)
        if (!str_u64(part, &field[i]))
            field[i] = 0;                        /* the state letter, and numbers below zero */
    ret->rss_bytes = field[24] * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

/* To the nanosecond, of all its threads; what stat says is in hundredths of a second. */
static bool cpu_of(int pid, uint64_t *ret_ns)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return false;
    *ret_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    return true;
}

static void sample(struct bench_proc *p, struct proc_sample *ret)
{
    struct file_path path;
    struct buf text = BUF_INIT;
    int pid = p->pid != 0 ? p->pid : (int)getpid();

    *ret = (struct proc_sample){ 0 };
    if (file_path(&path, NULL, "/proc/%d/stat", pid) == 0 && file_read(path.s, 4096, &text, NULL) == 0)
        ret->ok = parse_stat(buf_str(&text), p, ret) && cpu_of(pid, &ret->cpu_ns);
    buf_release(&text);
}

int procs_init(struct bench_procs *ps, const struct flag_strings *pids, struct errbuf *err)
{
    *ps = (struct bench_procs){ .n = 1 };
    for (unsigned i = 0; i < pids->n; i++) {
        struct bench_proc *p = &ps->p[ps->n++];
        uint64_t pid;
        if (!str_u64(str_of(pids->v[i]), &pid) || pid == 0 || pid > INT32_MAX)
            return err_set(err, E_INVALID, "--pid %s: must be a process's number", pids->v[i]);
        p->pid = (int)pid;
        sample(p, &p->before);
        if (!p->before.ok)
            return err_set(err, E_NOTFOUND, "--pid %s: there is no such process", pids->v[i]);
    }
    return 0;
}

void procs_before(struct bench_procs *ps)
{
    for (unsigned i = 0; i < ps->n; i++)
        sample(&ps->p[i], &ps->p[i].before);
}

void procs_after(struct bench_procs *ps)
{
    for (unsigned i = 0; i < ps->n; i++)
        sample(&ps->p[i], &ps->p[i].after);
}
