/* test/test.c: main() of every unit test program; see test/test.h. */
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include "test/test.h"

static struct test *tests, **tests_end = &tests;
static bool failed;
static char dirs[64][64];
static unsigned n_dirs;

void test_register(struct test *t)
{
    *tests_end = t;
    tests_end = &t->next;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    failed = true;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void remove_dirs(void)
{
    while (n_dirs > 0)
        nftw(dirs[--n_dirs], remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_dir(void)
{
    must(n_dirs < ARRAY_LEN(dirs));
    if (n_dirs == 0)
        atexit(remove_dirs);
    char *d = dirs[n_dirs++];
    snprintf(d, sizeof dirs[0], "/tmp/coracle-test-XXXXXX");
    must(mkdtemp(d) != NULL);
    return d;
}

int main(int argc, char **argv)
{
    unsigned n_pass = 0, n_fail = 0;

    for (struct test *t = tests; t != NULL; t = t->next) {
        bool wanted = argc == 1;
        for (int i = 1; i < argc; i++)
            wanted |= strstr(t->name, argv[i]) != NULL;
        if (!wanted)
            continue;
        failed = false;
        t->fn();
        *(failed ? &n_fail : &n_pass) += 1;
        if (failed)
            fprintf(stderr, "FAILED %s %s\n", argv[0], t->name);
    }
    printf("%u passed, %u failed\n", n_pass, n_fail);
    return n_fail > 0;
}
