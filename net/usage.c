/* net/usage.c: see usage.h. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>
#include "net/arena.h"
#include "net/usage.h"

/* A small file of the kernel's, NUL-terminated; false: it is not there. */
static bool small_file(const char *path, char *p, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, p, cap - 1) : -1;

    if (fd >= 0)
        close(fd);
    p[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* When the kernel had been up for as long as it had when we began. */
static int64_t started_s(void)
{
    char text[1024], *p;
    struct timespec up, now;

    if (!small_file("/proc/self/stat", text, sizeof text) || (p = strrchr(text, ')')) == NULL)
        return 0;
    for (int field = 2; field < 22; field++)     /* to the 22nd, which counts clock ticks since the start */
        if ((p = strchr(p + 1, ' ')) == NULL)
            return 0;
    must(clock_gettime(CLOCK_BOOTTIME, &up) == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0);
    return now.tv_sec - up.tv_sec + strtoll(p + 1, NULL, 10) / sysconf(_SC_CLK_TCK);
}

static uint64_t machine_bytes(void)
{
    char   text[64];
    struct sysinfo si;
    uint64_t all, limit;

    must(sysinfo(&si) == 0);
    all = (uint64_t)si.totalram * si.mem_unit;
    if (!small_file("/sys/fs/cgroup/memory.max", text, sizeof text))
        return all;
    limit = strtoull(text, NULL, 10);            /* "max" is 0 */
    return limit > 0 && limit < all ? limit : all;
}

void usage_read(struct usage *ret)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    char     text[128], *p = text;
    struct rlimit fds;
    struct timespec cpu;
    struct stat st;

    *ret = (struct usage){ .start_s = started_s(), .machine_bytes = machine_bytes() };
    if (small_file("/proc/self/statm", text, sizeof text)) {
        ret->virtual_bytes = strtoull(p, &p, 10) * page;
        ret->rss_bytes = strtoull(p, NULL, 10) * page;
    }
    if (stat("/proc/self/fd", &st) == 0)
        ret->open_fds = (uint64_t)st.st_size;
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0)
        ret->max_fds = fds.rlim_cur;
    must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0);
    ret->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;
}
