/* test/net/trim_test.c: text that is given back comes back by itself; what relocations wrote stays. */
#include <stdio.h>
#include "net/trim.h"
#include "test/test.h"

static long resident_file_pages(void)
{
    long size, rss, shared = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    CHECK(f != NULL && fscanf(f, "%ld %ld %ld", &size, &rss, &shared) == 3);
    if (f != NULL)
        fclose(f);
    return shared;
}

static int twice(int x) { return x * 2; }
static int (*const relocated[])(int) = { twice };       /* lies in a page that the loader wrote */

TEST(text_is_given_back_and_works_on)
{
    long before = resident_file_pages(), after;

    for (int i = 0; i < 3; i++)
        trim_text();
    after = resident_file_pages();
    CHECK(after < before);
    CHECK(relocated[after & 0](21) == 42);
}

TEST(a_stopped_trim_keeps_no_loop_running)
{
    struct loop *l = loop_new_real();
    struct trim t;

    trim_start(&t, l);
    trim_stop(&t);
    loop_run(l);                                 /* ends: nothing is left that could happen */
    loop_free(l);
}
