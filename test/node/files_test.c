/* test/node/files_test.c: paths that try to get out, and trees that are hard to remove. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "node/files.h"
#include "test/test.h"

static char base[128];

static const char *in(const char *name)
{
    static char p[4][256];
    static unsigned i;

    i = (i + 1) % 4;
    snprintf(p[i], sizeof p[i], "%s/%s", base, name);
    return p[i];
}

static void fresh(void)
{
    snprintf(base, sizeof base, "%s", test_dir());
}

TEST(opens_only_what_lies_beneath)
{
    fresh();
    must(mkdir(in("root"), 0755) == 0 && mkdir(in("root/sub"), 0755) == 0 && mkdir(in("outside"), 0755) == 0);
    must(symlink("sub", in("root/relative")) == 0 && symlink("/etc", in("root/absolute")) == 0);
    must(symlink("../outside", in("root/upward")) == 0 && symlink("/sub", in("root/rooted")) == 0);
    int root = open(in("root"), O_PATH | O_DIRECTORY), fd;
    static const struct { const char *path; int beneath, in_root; } cases[] = {
        { "sub", 0, 0 }, { "relative", 0, 0 }, { "./sub/../sub", 0, 0 }, { "absolute", E_DENIED, E_NOTFOUND },
        { "upward", E_DENIED, E_NOTFOUND }, { "..", E_DENIED, 0 }, { "rooted", E_DENIED, 0 },
        { "none", E_NOTFOUND, E_NOTFOUND },
        { "/etc", E_DENIED, E_NOTFOUND }, { "", 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fd = file_open_beneath(root, cases[i].path, O_PATH, NULL);
        if (fd >= 0)
            close(fd);
        if (MIN_OF(fd, 0) != cases[i].beneath)
            test_fail(__FILE__, __LINE__, "beneath %s: %d", cases[i].path, fd);
        fd = file_open_in_root(root, cases[i].path, O_PATH, NULL);
        if (fd >= 0)
            close(fd);
        if (MIN_OF(fd, 0) != cases[i].in_root)
            test_fail(__FILE__, __LINE__, "in root %s: %d", cases[i].path, fd);
    }
    fd = file_mkdirs_beneath(root, "sub/a//b/./c", 0755, NULL);
    CHECK(fd >= 0 && file_exists(in("root/sub/a/b/c")));
    close(fd);
    CHECK_INT(file_mkdirs_beneath(root, "sub/../../x", 0755, NULL), E_INVALID);
    CHECK_INT(file_mkdirs_beneath(root, "upward/x", 0755, NULL), E_DENIED);
    CHECK(!file_exists(in("outside/x")));
    close(root);
}

TEST(removes_trees_without_following_links_and_at_any_depth)
{
    enum { DEPTH = 3000 };                       /* its full path is longer than PATH_MAX */

    fresh();
    must(mkdir(in("keep"), 0755) == 0 && mkdir(in("tree"), 0755) == 0);
    must_ok(file_replace(in("keep/file"), STR("x"), 0600, false, NULL));
    must(symlink("../keep", in("tree/link")) == 0);
    int at = open(in("tree"), O_PATH | O_DIRECTORY);
    for (int i = 0; i < DEPTH; i++) {
        must(mkdirat(at, "dddd", 0755) == 0);
        int next = openat(at, "dddd", O_PATH | O_DIRECTORY);
        must(next >= 0);
        close(at);
        at = next;
    }
    close(at);
    CHECK_INT(file_remove_tree(in("tree"), NULL), 0);
    CHECK(!file_exists(in("tree")));
    CHECK(file_exists(in("keep/file")));
    CHECK_INT(file_remove_tree(in("tree"), NULL), 0);
    must(symlink("keep", in("only-a-link")) == 0);
    CHECK_INT(file_remove_tree(in("only-a-link"), NULL), 0);
    CHECK(file_exists(in("keep/file")));
}

TEST(replaces_whole_files_and_reads_bounded)
{
    struct buf b = BUF_INIT;

    fresh();
    CHECK_INT(file_replace(in("f"), STR("one"), 0640, true, NULL), 0);
    CHECK_INT(file_replace(in("f"), STR("two!"), 0640, false, NULL), 0);
    CHECK_INT(file_read(in("f"), 4, &b, NULL), 0);
    CHECK_STR(buf_str(&b), "two!");
    buf_clear(&b);
    CHECK_INT(file_read(in("f"), 3, &b, NULL), E_TOOBIG);
    CHECK_INT(file_read(in("none"), 3, &b, NULL), E_NOTFOUND);
    CHECK(!file_exists(in("f.tmp")));
    CHECK(file_name_ok("pod-1_a.b") && !file_name_ok("") && !file_name_ok("..") && !file_name_ok("a/b")
          && !file_name_ok(".x"));
    CHECK(file_is_mount("/proc") && !file_is_mount(base));
    buf_release(&b);
}
