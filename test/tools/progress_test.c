/* test/tools/progress_test.c: without a terminal, one plain line per step that has ended; nothing else. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "test/test.h"
#include "tools/progress.h"

/* What f prints; stdout is a file meanwhile. */
static void printed(void (*f)(struct progress *p), char *to, size_t size)
{
    char path[200];
    struct loop *l = loop_new_real();
    struct progress p;
    ssize_t n;
    int fd, was = dup(1);

    snprintf(path, sizeof path, "%s/out", test_dir());
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    fflush(stdout);
    CHECK(fd >= 0 && was >= 0 && dup2(fd, 1) == 1);
    progress_init(&p, l);
    f(&p);
    CHECK(!timer_active(&p.spin));
    fflush(stdout);
    dup2(was, 1);
    n = pread(fd, to, size - 1, 0);
    to[n > 0 ? n : 0] = '\0';
    close(fd);
    close(was);
}

static void two_steps(struct progress *p)
{
    progress_start(p, "step %d", 1);
    progress_update(p, "step %d of %s", 1, "two");
    progress_done(p);
    progress_done(p);                            /* ended already */
    progress_start(p, "step 2");
    progress_fail(p);
    CHECK(progress_seconds(p) >= 0);
}

static void long_text(struct progress *p)
{
    progress_start(p, "%0300d", 7);
    progress_done(p);
}

TEST(plain_lines)
{
    char out[600];
    double took;

    printed(two_steps, out, sizeof out);
    CHECK_INT(strncmp(out, "step 1 of two (", 15), 0);
    CHECK(strstr(out, "\nfailed: step 2 (") != NULL);
    CHECK(sscanf(out, "step 1 of two (%lf s)", &took) == 1 && took >= 0);
    CHECK(strchr(out, '\033') == NULL && strchr(out, '\r') == NULL);
    printed(long_text, out, sizeof out);
    CHECK(strlen(out) < 200 && out[strlen(out) - 1] == '\n');
}
