/* tools/limits.c: see tools/limits.h. */
#include <sys/resource.h>
#include "tools/limits.h"

void limits_raise_files(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}
