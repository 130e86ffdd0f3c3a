/* test/node/atomic_dir_test.c: a directory that changes as a whole, whatever was left in it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "node/atomic_dir.h"
#include "node/files.h"
#include "test/test.h"

static const char *fresh(void)
{
    static struct file_path p;
    static unsigned n;

    must_ok(file_path(&p, NULL, "%s/d%u", test_dir(), ++n));
    must_ok(mkdir(p.s, 0755));
    return p.s;
}

static struct str content(const char *dir, const char *name)
{
    static char text[256];
    struct file_path p;
    struct buf b = BUF_INIT;

    must_ok(file_path(&p, NULL, "%s/%s", dir, name));
    if (file_read(p.s, sizeof text, &b, NULL) != 0)
        return STR("-");
    if (b.n > 0)
        memcpy(text, b.p, b.n);
    struct str s = str_make(text, b.n);
    buf_release(&b);
    return s;
}

static int count_one(void *arg, const char *name)
{
    ++*(unsigned *)arg;
    return 0;
}

static unsigned entries(const char *dir)
{
    unsigned n = 0;
    must_ok(file_each(dir, count_one, &n, NULL));
    return n;
}

static int write_one(const char *dir, const char *path, const char *data, unsigned mode)
{
    struct atomic_file f = { str_of(path), str_of(data), mode };
    struct errbuf err;
    return atomic_dir_write(dir, &f, 1, &err);
}

TEST(files_come_change_and_go_together)
{
    const char *d = fresh();
    struct atomic_file two[] = { { STR("a"), STR("1"), 0644 }, { STR("x/y/z"), STR("2"), 0600 } };
    struct file_path p;
    struct stat before, after;

    must_ok(atomic_dir_write(d, two, 2, NULL));
    CHECK_STR(content(d, "a"), "1");
    CHECK_STR(content(d, "x/y/z"), "2");
    CHECK_INT(entries(d), 4);                    /* a, x, ..data and what it points to */
    must_ok(file_path(&p, NULL, "%s/..data", d));
    must_ok(lstat(p.s, &before));
    must_ok(atomic_dir_write(d, two, 2, NULL));  /* nothing new: nothing is written */
    must_ok(lstat(p.s, &after));
    CHECK_INT(before.st_ino, after.st_ino);
    must_ok(write_one(d, "a", "3", 0644));
    CHECK_STR(content(d, "a"), "3");
    CHECK_STR(content(d, "x/y/z"), "-");
    CHECK_INT(entries(d), 3);
    must_ok(write_one(d, "a", "3", 0600));       /* a mode is a change too */
    must_ok(file_path(&p, NULL, "%s/a", d));
    must_ok(stat(p.s, &after));
    CHECK_INT(after.st_mode & 07777, 0600);
    must_ok(atomic_dir_write(d, NULL, 0, NULL));
    CHECK_INT(entries(d), 2);
    must_ok(write_one(d, "a", "", 0600));
    CHECK_STR(content(d, "a"), "");
}

TEST(an_open_directory_sees_one_version)
{
    const char *d = fresh();
    struct atomic_file two[] = { { STR("a"), STR("1"), 0644 }, { STR("b"), STR("1"), 0644 } };
    struct file_path p;
    char c = 0;
    int fd, file;

    must_ok(atomic_dir_write(d, two, 2, NULL));
    must_ok(file_path(&p, NULL, "%s/..data/a", d));
    fd = open(p.s, O_RDONLY);
    two[0].data = two[1].data = STR("2");
    must_ok(atomic_dir_write(d, two, 2, NULL));
    CHECK_INT(read(fd, &c, 1), 1);
    CHECK_INT(c, '1');                           /* who had it open reads on in the old one */
    close(fd);
    must_ok(file_path(&p, NULL, "%s/b", d));
    file = open(p.s, O_RDONLY);
    CHECK_INT(read(file, &c, 1), 1);
    CHECK_INT(c, '2');
    close(file);
}

TEST(paths_that_would_leave_are_refused)
{
    static const char *const bad[] = { "", "/a", "..", "../a", "a/../b", "a//b", "a/", ".", "a/.", "..data", "..1", "a/..b/c" };
    const char *d = fresh();
    char deep[1200];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_INT(write_one(d, bad[i], "x", 0644), E_INVALID);
    memset(deep, 'a', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    CHECK_INT(write_one(d, deep, "x", 0644), E_INVALID);
    deep[255] = '\0';
    CHECK_INT(write_one(d, deep, "x", 0644), E_INVALID);
    struct atomic_file nul = { str_make("a\0b", 3), STR("x"), 0644 };
    CHECK_INT(atomic_dir_write(d, &nul, 1, NULL), E_INVALID);
    CHECK_INT(entries(d), 0);
    must_ok(write_one(d, ".hidden", "x", 0644));
    CHECK_STR(content(d, ".hidden"), "x");
}

TEST(a_write_that_fails_leaves_the_old_and_no_litter)
{
    const char *d = fresh();
    struct atomic_file both[] = { { STR("a"), STR("2"), 0644 }, { STR("a/b"), STR("2"), 0644 } };

    must_ok(write_one(d, "a", "1", 0644));
    CHECK(atomic_dir_write(d, both, 2, NULL) != 0);      /* a cannot be a file and a directory */
    CHECK_STR(content(d, "a"), "1");
    CHECK_INT(entries(d), 3);
}

TEST(litter_of_a_crash_is_swept)
{
    const char *d = fresh();
    struct file_path p;

    must_ok(write_one(d, "a", "1", 0644));
    must_ok(file_path(&p, NULL, "%s/..2", d));
    must_ok(mkdir(p.s, 0755));
    must_ok(file_path(&p, NULL, "%s/..tmp", d));
    must_ok(symlink("nowhere", p.s));
    must_ok(write_one(d, "a", "2", 0644));
    CHECK_STR(content(d, "a"), "2");
    CHECK_INT(entries(d), 3);
}

TEST(a_narrow_umask_does_not_lock_containers_out)
{
    const char *d = fresh();
    struct file_path p;
    struct stat st;
    mode_t old = umask(077);

    must_ok(write_one(d, "x/a", "1", 0644));
    umask(old);
    must_ok(file_path(&p, NULL, "%s/..data", d));
    must_ok(stat(p.s, &st));
    CHECK_INT(st.st_mode & 0777, 0755);
    must_ok(file_path(&p, NULL, "%s/x", d));
    must_ok(stat(p.s, &st));
    CHECK_INT(st.st_mode & 0777, 0755);
}
