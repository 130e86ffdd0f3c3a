/* test/node/logs_test.c: logs read as kubectl asks for them, on real files, with rotation under the reader. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "node/log_keeper.h"
#include "node/logs.h"
#include "test/test.h"

struct rig {
    struct loop *l;
    struct log_hub *hub;
    struct log_reader *reader;
    struct buf got;
    char path[300];
    unsigned ends, pieces;
    int err, fd;                                 /* fd: the writer's */
    size_t pause_at;                             /* pause when so much has come; 0: never */
    struct timer resume;
    long live;
};

static void on_bytes(void *arg, const char *p, size_t n)
{
    struct rig *r = arg;
    CHECK(n > 0 && n <= 3 * LOG_SLICE);          /* bounded */
    buf_add(&r->got, p, n);
    r->pieces++;
    if (r->pause_at > 0 && r->got.n >= r->pause_at) {
        log_reader_pause(r->reader, true);
        timer_start(&r->resume, 1);
    }
}

static void on_end(void *arg, int err, const char *reason)
{
    struct rig *r = arg;
    r->ends++;
    r->err = err;
    log_reader_close(r->reader);
    r->reader = NULL;
}

static void on_resume(struct timer *t)
{
    struct rig *r = container_of(t, struct rig, resume);
    if (r->reader != NULL)
        log_reader_pause(r->reader, false);
}

static void rig_open(struct rig *r)
{
    static unsigned n;
    *r = (struct rig){ .live = mem_live(), .fd = -1 };
    r->l = loop_new_real();
    timer_init(&r->resume, r->l, on_resume);
    CHECK_INT(log_hub_new(r->l, &r->hub, NULL), 0);
    snprintf(r->path, sizeof r->path, "%s/%u.log", test_dir(), n++);
}

static void rig_close(struct rig *r)
{
    if (r->fd >= 0)
        close(r->fd);
    log_reader_close(r->reader);
    log_hub_free(r->hub);
    timer_stop(&r->resume);
    loop_run(r->l);
    loop_free(r->l);
    log_remove(r->path);
    buf_release(&r->got);
    CHECK_INT(mem_live(), r->live);
}

static void append(struct rig *r, const char *text)
{
    if (r->fd < 0)
        r->fd = open(r->path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (write(r->fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
}

/* The writer goes on in a new file, as conmon does: made aside, moved into place, and only then the old one is closed. */
static void writer_reopen(struct rig *r)
{
    char tmp[320];
    snprintf(tmp, sizeof tmp, "%s.tmp", r->path);
    int fd = open(tmp, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (rename(tmp, r->path) < 0)
        abort();
    close(r->fd);
    r->fd = fd;
}

static void writer_end(struct rig *r)
{
    close(r->fd);
    r->fd = -1;
}

static struct log_reader_opts opts(struct rig *r)
{
    return (struct log_reader_opts){ .hub = r->hub,
                                     .path = r->path,
                                     .on_bytes = on_bytes,
                                     .on_end = on_end,
                                     .arg = r,
                                     .filter = { .since_ns = INT64_MIN, .left = UINT64_MAX } };
}

static void start(struct rig *r, const struct log_reader_opts *o)
{
    struct errbuf err = { "" };
    buf_clear(&r->got);
    r->ends = r->pieces = 0;
    if (log_reader_open(o, &r->reader, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.s);
    CHECK_INT(r->got.n, 0);
}

/* A few turns: what is due now happens. */
struct stopper { struct timer t; struct loop *l; };
static void on_stop(struct timer *t) { loop_stop(container_of(t, struct stopper, t)->l); }
static void turns(struct rig *r)
{
    struct stopper s = { .l = r->l };
    timer_init(&s.t, r->l, on_stop);
    timer_start(&s.t, 20);
    loop_run(r->l);
}

/* Reads to the end. */
static struct str whole(struct rig *r, const struct log_reader_opts *o)
{
    struct stopper s = { .l = r->l };
    start(r, o);
    timer_init(&s.t, r->l, on_stop);
    timer_start(&s.t, 1);
    for (int i = 0; i < 2000 && r->ends == 0; i++) {
        loop_run(r->l);
        timer_start(&s.t, 1);
    }
    timer_stop(&s.t);
    CHECK_INT(r->ends, 1);
    CHECK_INT(r->err, 0);
    return buf_str(&r->got);
}

#define T0 "2026-01-02T03:04:05.000000001Z "
#define T1 "2026-01-02T03:04:06.5+00:00 "
#define T2 "2026-01-02T05:04:07.000000000+02:00 "

TEST(lines_pieces_streams_and_times)
{
    struct rig r;
    struct log_reader_opts o;

    rig_open(&r);
    append(&r, T0 "stdout F one\n" T0 "stderr P two,\n" T1 "stdout F \n" T1 "stderr F three\n" T2
                  "stdout F four\n");
    append(&r, "rubbish\n" T0 "stdin F no\n" T0 "stdout X no\n" T0 "stdout F\n" "\n" T2 "stdout P:x last");
    writer_end(&r);
    o = opts(&r);
    CHECK_STR(whole(&r, &o), "one\ntwo,\nthree\nfour\n\n");
    o.filter.no_out = true;
    o.filter.timestamps = true;
    CHECK_STR(whole(&r, &o), T0 "two,three\n");
    o.filter =
        (struct log_filter){ .no_err = true, .timestamps = true, .since_ns = INT64_MIN, .left = UINT64_MAX };
    CHECK_STR(whole(&r, &o),
              T0 "one\n2026-01-02T03:04:06.5Z \n2026-01-02T05:04:07.000000000+02:00 four\n" T0 "\n");
    o.filter = (struct log_filter){ .since_ns = INT64_MIN, .left = 6 };
    CHECK_STR(whole(&r, &o), "one\ntw");
    o.filter.left = 0;
    CHECK_STR(whole(&r, &o), "");
    rig_close(&r);
}

TEST(since)
{
    struct rig r;
    struct log_reader_opts o;

    rig_open(&r);
    append(&r, T0 "stdout P a\n" T1 "stdout F b\n" T1 "stdout F c\n" T2 "stdout F d\n");
    o = opts(&r);
    o.filter.since_ns = 1767323045000000002;     /* one nanosecond after the first: which takes its second half along */
    CHECK_STR(whole(&r, &o), "c\nd\n");
    o.filter.since_ns = 1767323045000000001;
    CHECK_STR(whole(&r, &o), "ab\nc\nd\n");
    o.filter.since_ns = 1767323047000000000;     /* 05:04:07 in Helsinki */
    CHECK_STR(whole(&r, &o), "d\n");
    o.filter.since_ns = INT64_MAX;
    CHECK_STR(whole(&r, &o), "");
    rig_close(&r);
}

/* Numbered lines of changing length over several blocks: every tail must be exactly the last ones. */
TEST(tails_of_every_length)
{
    struct rig r;
    struct log_reader_opts o;
    char line[3000];
    enum { LINES = 400 };

    rig_open(&r);
    for (int i = 0; i < LINES; i++) {
        int pad = (i * 7919) % 2500;
        snprintf(line, sizeof line, T0 "std%s F line %d %0*d\n", i % 3 != 0 ? "out" : "err", i, pad + 1, 0);
        append(&r, line);
        if (i % 5 == 0)
            append(&r, T0 "stdout P piece\n");   /* belongs to the next line on stdout */
    }
    o = opts(&r);
    o.tail = true;
    for (unsigned want = 0; want <= LINES + 3; want += want < 5 || want > LINES - 3 ? 1 : 13) {
        o.tail_lines = want;
        struct str got = whole(&r, &o), l;
        unsigned lines = 0;
        int first = -1;
        while (str_split(&got, '\n', &l))
            if (l.n > 0) {
                const char *at = memmem(l.p, l.n, "line ", 5);
                if (lines++ == 0 && at != NULL)
                    first = atoi(at + 5);
            }
        CHECK_INT(lines, MIN_OF(want, (unsigned)LINES));
        if (want > 0)
            CHECK_INT(first, want >= LINES ? 0 : LINES - (int)want);
    }
    o.filter.no_out = true;
    o.tail_lines = 1;
    struct str got = whole(&r, &o);
    CHECK(str_starts(got, STR("line 399 ")));
    rig_close(&r);
}

TEST(follows_until_the_writer_ends)
{
    struct rig r;
    struct log_reader_opts o;

    rig_open(&r);
    append(&r, T0 "stdout F one\n" T0 "stdout F two\n");
    o = opts(&r);
    o.follow = o.tail = true;
    o.tail_lines = 1;
    start(&r, &o);
    turns(&r);
    CHECK_STR(buf_str(&r.got), "two\n");
    CHECK_INT(r.ends, 0);
    append(&r, T0 "stdout F thr");
    turns(&r);
    CHECK_STR(buf_str(&r.got), "two\n");         /* an entry is shown when it is complete */
    append(&r, "ee\n" T0 "stdout P fo");
    append(&r, "\n" T0 "stdout F ur\n");
    writer_end(&r);
    turns(&r);
    CHECK_STR(buf_str(&r.got), "two\nthree\nfour\n");
    CHECK_INT(r.ends, 1);
    /* With no writer there is nothing to wait for. */
    o.tail = false;
    start(&r, &o);
    turns(&r);
    CHECK_STR(buf_str(&r.got), "one\ntwo\nthree\nfour\n");
    CHECK_INT(r.ends, 1);
    rig_close(&r);
}

TEST(follows_through_rotation)
{
    struct rig r;
    struct log_reader_opts o;
    struct stat st;
    char old[320];

    rig_open(&r);
    append(&r, T0 "stdout F 1\n");
    o = opts(&r);
    o.follow = true;
    start(&r, &o);
    turns(&r);
    CHECK_INT(log_rotate(r.path, 1000, 3, NULL), 0);
    CHECK_INT(log_rotate(r.path, 1, 3, NULL), 1);
    append(&r, T0 "stdout F 2\n");               /* not told yet: still into the old one */
    turns(&r);
    CHECK_STR(buf_str(&r.got), "1\n2\n");
    writer_reopen(&r);
    append(&r, T0 "stdout F 3\n");
    turns(&r);
    CHECK_STR(buf_str(&r.got), "1\n2\n3\n");
    /* Two rotations while the reader does not read. */
    log_reader_pause(r.reader, true);
    for (int i = 4; i < 8; i += 2) {
        char line[80];
        snprintf(line, sizeof line, T0 "stdout F %d\n", i);
        append(&r, line);
        CHECK_INT(log_rotate(r.path, 1, 4, NULL), 1);
        writer_reopen(&r);
        snprintf(line, sizeof line, T0 "stdout F %d\n", i + 1);
        append(&r, line);
    }
    turns(&r);
    CHECK_STR(buf_str(&r.got), "1\n2\n3\n");
    log_reader_pause(r.reader, false);
    turns(&r);
    CHECK_STR(buf_str(&r.got), "1\n2\n3\n4\n5\n6\n7\n");
    CHECK_INT(r.ends, 0);
    writer_end(&r);
    turns(&r);
    CHECK_INT(r.ends, 1);
    /* From the beginning, and tails that reach back over files. */
    o.follow = false;
    CHECK_STR(whole(&r, &o), "1\n2\n3\n4\n5\n6\n7\n");
    o.tail = true;
    o.tail_lines = 4;
    CHECK_STR(whole(&r, &o), "4\n5\n6\n7\n");
    o.tail_lines = 100;
    CHECK_STR(whole(&r, &o), "1\n2\n3\n4\n5\n6\n7\n");
    CHECK_INT(log_rotate(r.path, 1, 3, NULL), 1);
    snprintf(old, sizeof old, "%s.3", r.path);
    CHECK(stat(old, &st) == 0);                  /* from when four were kept; three are renamed now */
    rig_close(&r);
}

/* A reader so slow that its file is dropped under it goes on with the oldest there is, and repeats nothing. */
TEST(overtaken_by_rotation)
{
    struct rig r;
    struct log_reader_opts o;

    rig_open(&r);
    append(&r, T0 "stdout F 1\n");
    o = opts(&r);
    o.follow = true;
    start(&r, &o);
    turns(&r);
    log_reader_pause(r.reader, true);
    for (int i = 2; i < 7; i++) {
        char line[80];
        CHECK_INT(log_rotate(r.path, 1, 3, NULL), 1);
        writer_reopen(&r);
        snprintf(line, sizeof line, T0 "stdout F %d\n", i);
        append(&r, line);
    }
    log_reader_pause(r.reader, false);
    turns(&r);
    CHECK_STR(buf_str(&r.got), "1\n4\n5\n6\n");
    log_remove(r.path);                          /* the pod is removed */
    turns(&r);
    CHECK_INT(r.ends, 1);
    rig_close(&r);
}

/* Written in turns of the loop by one side, read with pauses by the other: nothing lost, nothing twice, whatever moves. */
TEST(a_slow_reader_and_a_busy_writer)
{
    struct rig r;
    struct log_reader_opts o;
    char line[700];
    unsigned next = 0;

    rig_open(&r);
    append(&r, T0 "stderr F begin\n");
    o = opts(&r);
    o.follow = true;
    o.filter.no_err = true;
    r.pause_at = 1;
    start(&r, &o);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 100; i++) {
            snprintf(line, sizeof line, T0 "stdout F %u %0*d\n", next, 1 + (int)(next * 31 % 500), 0);
            append(&r, line);
            next++;
        }
        if (round % 4 == 3 && log_rotate(r.path, 1, 20, NULL) == 1)
            writer_reopen(&r);
        if (round % 3 == 0)
            turns(&r);
    }
    writer_end(&r);
    for (int i = 0; i < 200 && r.ends == 0; i++)
        turns(&r);
    CHECK_INT(r.ends, 1);
    struct str rest = buf_str(&r.got), l;
    unsigned n = 0, wrong = 0;
    while (str_split(&rest, '\n', &l))
        if (l.n > 0)
            wrong += (unsigned)atoi(l.p) != n++;
    CHECK_INT(n, next);
    CHECK_INT(wrong, 0);
    rig_close(&r);
}

TEST(two_followers_of_one_file_and_a_missing_one)
{
    struct rig r;
    struct log_reader_opts o;
    struct log_reader *second;
    struct errbuf err;

    rig_open(&r);
    o = opts(&r);
    CHECK_INT(log_reader_open(&o, &second, &err), E_NOTFOUND);
    append(&r, T0 "stdout F x\n");
    o.follow = true;
    start(&r, &o);
    CHECK_INT(log_reader_open(&o, &second, &err), 0);
    turns(&r);
    CHECK_STR(buf_str(&r.got), "x\nx\n");
    log_reader_close(second);
    append(&r, T0 "stdout F y\n");
    turns(&r);
    CHECK_STR(buf_str(&r.got), "x\nx\ny\n");
    rig_close(&r);
}

/* No newline for longer than any entry may be: skipped to where sense begins again. */
TEST(damage_is_skipped)
{
    struct rig r;
    struct log_reader_opts o;
    char *junk;

    rig_open(&r);
    junk = mem_alloc(600001);
    memset(junk, 'x', 600000);
    junk[600000] = '\0';
    append(&r, T0 "stdout F a\n" T0 "stdout F ");
    append(&r, junk);
    append(&r, "\n" T0 "stdout F b\n");
    o = opts(&r);
    CHECK_STR(whole(&r, &o), "a\nb\n");
    o.tail = true;
    o.tail_lines = 1;
    CHECK_STR(whole(&r, &o), "b\n");
    mem_free(junk);
    rig_close(&r);
}

/* ---- the keeper: a container that writes too much, and a monitor that does not hear the first time ------------- */

struct kept { struct runtime rt; struct rig *r; struct rt_container_info info; unsigned reopened, deaf; };

static void kept_each(struct runtime *rt, void (*fn)(void *, const struct rt_container_info *), void *arg)
{
    fn(arg, &container_of(rt, struct kept, rt)->info);
}

static int kept_reopen(struct runtime *rt, const char *id, struct errbuf *err)
{
    struct kept *k = container_of(rt, struct kept, rt);

    k->reopened++;
    if (k->reopened <= k->deaf)
        return err_set(err, E_IO, "deaf");
    writer_reopen(k->r);
    return 0;
}

TEST(a_log_that_grows_is_rotated)
{
    static const struct runtime_ops ops = { .container_each = kept_each,
                                            .container_reopen_log = kept_reopen };
    struct rig r;
    struct kept k = { .rt = { .ops = &ops }, .r = &r, .deaf = 1 };
    struct stat st;
    char one[320];

    rig_open(&r);
    k.info = (struct rt_container_info){ .id = "c", .state = RT_RUNNING, .log_path = r.path };
    append(&r, T0 "stdout F first\n");
    struct log_keeper *keeper = log_keeper_start(r.l, &k.rt, 1);
    turns(&r);
    CHECK_INT(k.reopened, 0);
    if (ftruncate(r.fd, AGENT_LOG_MAX_BYTES) < 0)
        abort();
    turns(&r);
    CHECK_INT(k.reopened, 2);                    /* told again, then no more */
    snprintf(one, sizeof one, "%s.1", r.path);
    CHECK(stat(one, &st) == 0 && st.st_size == AGENT_LOG_MAX_BYTES);
    CHECK(stat(r.path, &st) == 0 && st.st_size == 0);
    k.info.state = RT_EXITED;
    log_remove(r.path);
    turns(&r);
    CHECK_INT(k.reopened, 2);
    log_keeper_stop(keeper);
    rig_close(&r);
}
