/* net/trim.c: see net/trim.h. */
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "net/arena.h"
#include "net/trim.h"

#define FIRST_PAUSE_MS 4000
#define MAX_PAUSE_MS   300000
#define IDLE_SHARE     100                       /* idle: at most one part in so many of a core */

/* The loader's lock is held meanwhile.  A segment without PF_W is never written, by relocations neither, so
 * all its pages are as in the file; the last one, that a segment after it might share, stays. */
static int trim_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t page = *(const uintptr_t *)arg;

    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t from = (info->dlpi_addr + h->p_vaddr) & ~(page - 1),
                  to = (info->dlpi_addr + h->p_vaddr + h->p_memsz) & ~(page - 1);
        if (h->p_type == PT_LOAD && (h->p_flags & PF_W) == 0 && to > from)
            (void)madvise((void *)from, to - from, MADV_DONTNEED);       /* refused (the vDSO): it stays */
    }
    return 0;
}

void trim_text(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    dl_iterate_phdr(trim_object, &page);
}

static int64_t cpu_time_ns(void)
{
    struct timespec t;

    must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void trim_on_timer(struct timer *timer)
{
    struct trim *t = container_of(timer, struct trim, timer);
    int64_t used = cpu_time_ns() - t->cpu_ns;

    if (used < (int64_t)t->pause_ms * 1000000 / IDLE_SHARE || t->pause_ms == FIRST_PAUSE_MS)
        trim_text();
    t->cpu_ns += used;
    t->pause_ms = MIN_OF(t->pause_ms * 2, (uint64_t)MAX_PAUSE_MS);
    timer_start(&t->timer, t->pause_ms);
}

void trim_start(struct trim *t, struct loop *l)
{
    t->pause_ms = FIRST_PAUSE_MS;
    t->cpu_ns = cpu_time_ns();
    timer_init(&t->timer, l, trim_on_timer);
    timer_start(&t->timer, t->pause_ms);
}

void trim_stop(struct trim *t) { timer_stop(&t->timer); }
