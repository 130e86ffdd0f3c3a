/* test/net/disk_test.c: a directory on a real disk: order, poison, locks, hostile names, full disks. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>
#include "net/disk.h"
#include "test/test.h"

struct op { struct disk_op op; int status, n; unsigned id; };
static unsigned order[64], n_order;

static void op_on_done(struct disk_op *op, int status)
{
    struct op *o = container_of(op, struct op, op);
    o->n++;
    o->status = status;
    if (n_order < ARRAY_LEN(order))
        order[n_order++] = o->id;
}

static struct op *op_next(struct op *o, unsigned id)
{
    *o = (struct op){ .op = { .done = op_on_done }, .id = id };
    return o;
}

struct rig { struct loop *l; struct disk *d; struct disk_file *f; const char *dir; long live; };

static void rig_open(struct rig *r, const char *dir)
{
    struct errbuf err = { "" };
    n_order = 0;
    r->live = mem_live();
    r->dir = dir;
    r->l = loop_new_real();
    r->f = NULL;
    if (disk_open(r->l, dir, &r->d, &err) < 0) {
        fprintf(stderr, "%s\n", err.s);
        abort();
    }
}

static void rig_close(struct rig *r)
{
    disk_file_close(r->f);
    loop_run(r->l);
    disk_close(r->d);
    loop_free(r->l);
    CHECK_INT(mem_live(), r->live);
}

TEST(write_read_in_order)
{
    struct rig r;
    struct op o[8];
    char in[64];
    size_t n = 99;

    rig_open(&r, test_dir());
    CHECK(disk_file_open(r.d, "wal", true, &r.f, NULL) == 0);
    struct disk_file *g;
    CHECK_INT(disk_file_open(r.d, "wal", true, &g, NULL), E_EXISTS);
    CHECK_INT(disk_file_open(r.d, "other", false, &g, NULL), E_NOTFOUND);
    struct disk_vec v[3] = { { "hello ", 6 }, { NULL, 0 }, { "world", 5 } };
    disk_write(r.f, &op_next(&o[0], 0)->op, 0, v, 3, true);
    memset(v, 0, sizeof v);                              /* the array is ours again */
    v[0] = (struct disk_vec){ "W", 1 };
    disk_write(r.f, &op_next(&o[1], 1)->op, 6, v, 1, false);
    disk_sync(r.f, &op_next(&o[2], 2)->op);
    disk_truncate(r.f, &op_next(&o[3], 3)->op, 9);
    disk_allocate(r.f, &op_next(&o[4], 4)->op, 4096);
    disk_truncate(r.f, &op_next(&o[5], 5)->op, 9);
    disk_read(r.f, &op_next(&o[6], 6)->op, 1, in, sizeof in, &n);
    CHECK_INT(n_order, 0);
    loop_run(r.l);
    CHECK_INT(n_order, 7);
    for (unsigned i = 0; i < 7; i++) {
        CHECK_INT(order[i], i);
        CHECK_INT(o[i].status, 0);
        CHECK_INT(o[i].n, 1);
    }
    CHECK_STR(str_make(in, n), "ello Wor");
    /* Closed with requests in flight: they finish, and their callbacks come. */
    disk_write(r.f, &op_next(&o[0], 0)->op, 0, v, 1, true);
    disk_write(r.f, &op_next(&o[1], 1)->op, 1, v, 1, true);
    disk_file_close(r.f);
    r.f = NULL;
    loop_run(r.l);
    CHECK(o[0].n == 1 && o[1].n == 1 && o[1].status == 0);
    rig_close(&r);
}

/* Many vectors, more than one system call takes. */
struct scan { struct buf all; int stop; };

static int scan_piece(void *arg, struct str piece)
{
    struct scan *s = arg;

    buf_str_add(&s->all, piece);
    return s->stop;
}

TEST(long_vectors)
{
    enum { N = 1000 };
    struct rig r;
    struct op o;
    struct disk_vec v[N];
    struct buf back = BUF_INIT;
    static char text[N][8];

    rig_open(&r, test_dir());
    CHECK(disk_file_open(r.d, "f", true, &r.f, NULL) == 0);
    for (int i = 0; i < N; i++)
        v[i] = (struct disk_vec){ text[i], (size_t)snprintf(text[i], 8, "%d", i) };
    disk_write(r.f, &op_next(&o, 0)->op, 3, v, N, true);
    loop_run(r.l);
    CHECK_INT(o.status, 0);
    CHECK(disk_read_now(r.d, "f", &back, NULL) == 0);
    CHECK_INT(back.n, 3 + 10 + 90 * 2 + 900 * 3);
    CHECK(memcmp(back.p, "\0\0\0" "0123456789101112", 19) == 0);
    CHECK(str_ends(buf_str(&back), STR("998999")));
    struct scan s = { BUF_INIT, 0 };
    CHECK_INT(disk_scan_now(r.d, "f", scan_piece, &s, NULL), 0);
    CHECK(str_eq(buf_str(&s.all), buf_str(&back)));
    s.stop = E_CORRUPT;
    CHECK_INT(disk_scan_now(r.d, "f", scan_piece, &s, NULL), E_CORRUPT);
    CHECK_INT(disk_scan_now(r.d, "none", scan_piece, &s, NULL), E_NOTFOUND);
    buf_release(&s.all);
    buf_release(&back);
    rig_close(&r);
}

static void count_file(void *arg, const char *name, uint64_t size)
{
    uint64_t *sum = arg;
    CHECK(name[0] != '.');
    *sum += 1000000 + size;
}

TEST(now_calls_and_directory_requests)
{
    struct rig r;
    struct op a, b, c;
    struct buf b1 = BUF_INIT;
    uint64_t sum = 0;
    struct errbuf err;

    rig_open(&r, test_dir());
    CHECK(disk_replace_now(r.d, "one", STR("first"), NULL) == 0);
    CHECK(disk_replace_now(r.d, "one", STR("second!"), NULL) == 0);
    CHECK(disk_replace_now(r.d, "empty", STR_NONE, NULL) == 0);
    buf_z(&b1, "kept ");
    CHECK(disk_read_now(r.d, "one", &b1, NULL) == 0);
    CHECK_STR(buf_str(&b1), "kept second!");
    CHECK_INT(disk_read_now(r.d, "none", &b1, &err), E_NOTFOUND);
    CHECK_STR(buf_str(&b1), "kept second!");             /* untouched by failure */
    CHECK(disk_list_now(r.d, count_file, &sum, NULL) == 0);
    CHECK_INT(sum, 2000007);
    disk_rename(r.d, &op_next(&a, 0)->op, "one", "two");
    loop_run(r.l);
    CHECK_INT(a.status, 0);
    disk_rename(r.d, &op_next(&a, 0)->op, "gone", "two");
    disk_unlink(r.d, &op_next(&b, 1)->op, "empty");
    disk_unlink(r.d, &op_next(&c, 2)->op, "gone");
    loop_run(r.l);
    CHECK_INT(a.status, E_NOTFOUND);
    CHECK_INT(b.status, 0);
    CHECK_INT(c.status, E_NOTFOUND);
    CHECK(disk_truncate_now(r.d, "two", 3, NULL) == 0);
    buf_clear(&b1);
    CHECK(disk_read_now(r.d, "two", &b1, NULL) == 0);
    CHECK_STR(buf_str(&b1), "sec");
    CHECK(disk_unlink_now(r.d, "two", NULL) == 0);
    CHECK_INT(disk_unlink_now(r.d, "two", NULL), E_NOTFOUND);
    buf_release(&b1);
    rig_close(&r);
}

TEST(names_stay_inside)
{
    static const char *const bad[] = { "", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden" };
    struct rig r;
    struct buf b = BUF_INIT;

    rig_open(&r, test_dir());
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_INT(disk_read_now(r.d, bad[i], &b, NULL), E_INVALID);
        CHECK_INT(disk_replace_now(r.d, bad[i], STR("x"), NULL), E_INVALID);
        CHECK_INT(disk_unlink_now(r.d, bad[i], NULL), E_INVALID);
        CHECK_INT(disk_file_open(r.d, bad[i], true, &r.f, NULL), E_INVALID);
    }
    char link[256];
    snprintf(link, sizeof link, "%s/link", r.dir);
    CHECK(symlink("/etc/passwd", link) == 0);
    CHECK(disk_read_now(r.d, "link", &b, NULL) < 0);
    CHECK(disk_file_open(r.d, "link", false, &r.f, NULL) < 0);
    rig_close(&r);
}

TEST(locked_and_private)
{
    struct rig r, s;
    struct errbuf err;
    char sub[256], file[300];
    struct stat st;

    snprintf(sub, sizeof sub, "%s/data", test_dir());
    rig_open(&r, sub);
    CHECK(stat(sub, &st) == 0 && (st.st_mode & 0777) == 0700);
    CHECK_STR(str_of(disk_path(r.d)), sub);
    CHECK_INT(disk_open(r.l, sub, &s.d, &err), E_EXISTS);
    CHECK(strstr(err.s, "in use") != NULL);
    CHECK(disk_replace_now(r.d, "f", STR("x"), NULL) == 0);
    snprintf(file, sizeof file, "%s/f", sub);
    CHECK(stat(file, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_INT(disk_open(r.l, "/nonexistent/a/b", &s.d, &err), E_NOTFOUND);
    rig_close(&r);
    rig_open(&s, sub);                                   /* free again */
    rig_close(&s);
}

/* After a failed write nothing on the file succeeds any more, in order and from the loop; other
 * files are not touched. */
static void poison_and_check(struct rig *r, int want)
{
    struct op o[5], other;
    struct disk_file *g;
    static char big[1 << 20];
    char in[4];
    size_t n;
    struct disk_vec v = { big, sizeof big }, small = { "x", 1 };

    CHECK(disk_file_open(r->d, "f", true, &r->f, NULL) == 0);
    CHECK(disk_file_open(r->d, "g", true, &g, NULL) == 0);
    disk_write(r->f, &op_next(&o[0], 0)->op, 0, &small, 1, true);
    disk_write(r->f, &op_next(&o[1], 1)->op, 1, &v, 1, true);
    disk_write(r->f, &op_next(&o[2], 2)->op, 0, &small, 1, false);
    disk_sync(r->f, &op_next(&o[3], 3)->op);
    disk_read(r->f, &op_next(&o[4], 4)->op, 0, in, 1, &n);
    loop_run(r->l);
    CHECK_INT(n_order, 5);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_INT(order[i], i);
        CHECK_INT(o[i].status, i == 0 ? 0 : want);
    }
    CHECK(disk_truncate_now(r->d, "f", 0, NULL) == 0);   /* room again; f stays poisoned all the same */
    disk_write(r->f, &op_next(&o[0], 0)->op, 0, &small, 1, true);
    disk_write(g, &op_next(&other, 9)->op, 0, &small, 1, false);
    CHECK_INT(other.n, 0);
    loop_run(r->l);
    CHECK_INT(other.status, 0);
    CHECK_INT(o[0].status, want);
    disk_file_close(g);
}

TEST(poison_by_file_size_limit)
{
    struct rig r;
    struct rlimit was, lim;

    rig_open(&r, test_dir());
    getrlimit(RLIMIT_FSIZE, &was);
    lim = was;
    lim.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &lim);
    poison_and_check(&r, E_FULL);
    setrlimit(RLIMIT_FSIZE, &was);
    rig_close(&r);
}

TEST(full_disk)
{
    const char *dir = test_dir();
    struct rig r;

    if (mount("none", dir, "tmpfs", 0, "size=256k") < 0) {
        printf("skipped: needs root\n");
        return;
    }
    char data[256];
    snprintf(data, sizeof data, "%s/data", dir);
    rig_open(&r, data);
    poison_and_check(&r, E_FULL);
    struct buf big = BUF_INIT, back = BUF_INIT;
    CHECK(disk_replace_now(r.d, "conf", STR("old"), NULL) == 0);
    buf_reserve(&big, 1 << 20);
    memset(big.p, 'x', 1 << 20);
    big.n = 1 << 20;
    CHECK_INT(disk_replace_now(r.d, "conf", buf_str(&big), NULL), E_FULL);
    CHECK(disk_read_now(r.d, "conf", &back, NULL) == 0);
    CHECK_STR(buf_str(&back), "old");                    /* all or nothing */
    buf_clear(&big);
    memset(big.p, 'y', 100000);
    big.n = 100000;
    CHECK(disk_replace_now(r.d, "conf", buf_str(&big), NULL) == 0);  /* the failed one left no garbage */
    buf_release(&big);
    buf_release(&back);
    rig_close(&r);
    CHECK(umount(dir) == 0);
}
