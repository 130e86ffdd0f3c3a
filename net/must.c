/* net/must.c: how the program stops when it has found a bug in itself. */
#include <stdio.h>
#include <stdlib.h>
#include "net/must.h"

_Noreturn void panic_at(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: must hold: %s\n", file, line, what);
    fflush(stderr);
    abort();
}
