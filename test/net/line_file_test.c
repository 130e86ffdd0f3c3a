/* test/net/line_file_test.c: lines that go to a file in order, whole, and what rotation leaves. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "net/line_file.h"
#include "test/test.h"

struct rig { struct loop *l; struct line_file *f; char dir[64], path[96]; bool closed; };

static void rig_open(struct rig *r, uint64_t max_bytes, unsigned backups)
{
    snprintf(r->dir, sizeof r->dir, "/tmp/line-file-XXXXXX");
    CHECK(mkdtemp(r->dir) != NULL);
    snprintf(r->path, sizeof r->path, "%s/audit.log", r->dir);
    r->l = loop_new_real();
    r->closed = false;
    struct line_file_opts o = { .path = r->path, .max_bytes = max_bytes, .max_backups = backups };
    CHECK_INT(line_file_open(r->l, &o, &r->f, NULL), 0);
}

static void on_closed(void *arg)
{
    struct rig *r = arg;

    r->closed = true;
    loop_stop(r->l);
}

static void rig_close(struct rig *r)
{
    line_file_close(r->f, on_closed, r);
    while (!r->closed)
        loop_run(r->l);
}

/* All files' text, rotated ones by age, then the file; they are removed.  Returns how many there were. */
static unsigned gather(struct rig *r, struct buf *all, size_t *largest)
{
    struct dirent **names;
    int n = scandir(r->dir, &names, NULL, alphasort);
    unsigned files = 0;

    *largest = 0;
    for (int i = 0; i < n; i++) {
        char path[400], text[4096];
        size_t got = 0, part;

        snprintf(path, sizeof path, "%s/%s", r->dir, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            struct stat st;
            FILE *f = fopen(path, "r");

            CHECK(f != NULL && fstat(fileno(f), &st) == 0 && (st.st_mode & 0777) == 0600);
            while ((part = fread(text, 1, sizeof text, f)) > 0) {
                buf_add(all, text, part);
                got += part;
            }
            fclose(f);
            unlink(path);
            files++;
            *largest = MAX_OF(*largest, got);
        }
        free(names[i]);
    }
    free(names);
    rmdir(r->dir);
    return files;
}

TEST(every_line_in_order)
{
    long live = mem_live();
    struct buf all = BUF_INIT, want = BUF_INIT;
    struct rig r;
    size_t largest;

    rig_open(&r, 0, 0);
    for (int i = 0; i < 5000; i++) {
        char line[32];
        int n = snprintf(line, sizeof line, "line %d", i);

        line_file_write(r.f, str_make(line, (size_t)n));
        buf_fmt(&want, "%s\n", line);
    }
    rig_close(&r);
    loop_free(r.l);
    CHECK_INT(gather(&r, &all, &largest), 1);
    CHECK(str_eq(buf_str(&all), buf_str(&want)));
    buf_release(&all);
    buf_release(&want);
    CHECK_INT(mem_live(), live);
}

/* Many rotations within one piece and one millisecond: no file takes another's name, no line is cut. */
TEST(rotation_loses_and_cuts_nothing)
{
    struct buf all = BUF_INIT, want = BUF_INIT;
    struct rig r;
    size_t largest;

    rig_open(&r, 100, 0);
    for (int i = 0; i < 1000; i++) {
        char line[256];
        int n = snprintf(line, sizeof line, "%d %.*s", i, i % 120, "........................................"
                         "................................................................................");

        line_file_write(r.f, str_make(line, (size_t)n));
        buf_fmt(&want, "%s\n", line);
    }
    rig_close(&r);
    loop_free(r.l);
    CHECK(gather(&r, &all, &largest) > 500);
    CHECK(str_eq(buf_str(&all), buf_str(&want)));
    CHECK(largest <= 126);                       /* a line over the limit has a file of its own */
    buf_release(&all);
    buf_release(&want);
}

TEST(the_oldest_go)
{
    struct buf all = BUF_INIT;
    struct rig r;
    size_t largest;

    rig_open(&r, 50, 3);
    char other[128];
    snprintf(other, sizeof other, "%s/audit-notes.log", r.dir);      /* not ours */
    close(open(other, O_CREAT | O_WRONLY, 0600));
    for (int i = 0; i < 100; i++)
        line_file_write(r.f, STR("0123456789012345678901234567890123456789"));
    rig_close(&r);
    loop_free(r.l);
    CHECK_INT(gather(&r, &all, &largest), 3 + 1 + 1);
    CHECK_INT(all.n, 4 * 41);
    buf_release(&all);
}

TEST(a_file_that_cannot_be)
{
    struct loop *l = loop_new_real();
    struct line_file_opts o = { .path = "/nonexistent/audit.log" };
    struct line_file *f;
    struct errbuf err;

    CHECK(line_file_open(l, &o, &f, &err) < 0);
    CHECK(strstr(err.s, o.path) != NULL);
    loop_free(l);
}

/* A disk that takes nothing: lines are dropped and counted, nothing stops. */
TEST(a_disk_that_is_full)
{
    struct loop *l = loop_new_real();
    struct line_file_opts o = { .path = "/dev/full" };
    struct rig r = { .l = l };

    if (access("/dev/full", W_OK) != 0) {
        loop_free(l);
        return;
    }
    CHECK_INT(line_file_open(l, &o, &r.f, NULL), 0);
    line_file_write(r.f, STR("lost"));
    loop_run(l);
    CHECK_INT(line_file_dropped(r.f), 1);
    line_file_write(r.f, STR("lost too"));
    rig_close(&r);
    loop_free(l);
}
