/* test/net/proc_test.c: children on the real reactor: output, input, signals, descriptors, timeouts. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net/proc.h"
#include "test/test.h"

struct result { int n, status; bool timed_out; struct buf out, err; };

static void on_done(void *arg, const struct proc_run_result *r)
{
    struct result *x = arg;
    x->n++;
    x->status = r->status;
    x->timed_out = r->timed_out;
    buf_str_add(&x->out, r->out);
    buf_str_add(&x->err, r->err);
}

static void result_release(struct result *x)
{
    buf_release(&x->out);
    buf_release(&x->err);
}

static struct result run_with(struct proc_run_opts o)
{
    struct result x = { 0 };
    struct errbuf err = { "" };
    long live = mem_live();
    struct loop *l = loop_new_real();

    o.done = on_done;
    o.arg = &x;
    int rc = proc_run(l, &o, NULL, &err);
    if (rc < 0)
        test_fail(__FILE__, __LINE__, "%s", err.s);
    CHECK_INT(x.n, 0);                           /* never inside the call */
    loop_run(l);
    loop_free(l);
    CHECK_INT(x.n, 1);
    CHECK_INT(mem_live(), live + (x.out.p != NULL) + (x.err.p != NULL));
    return x;
}

static struct result run_sh(const char *script, struct proc_run_opts o)
{
    const char *argv[] = { "sh", "-c", script, NULL };
    o.argv = argv;
    return run_with(o);
}

TEST(output_and_status)
{
    struct result x = run_sh("echo out; echo err >&2; exit 7", (struct proc_run_opts){ 0 });
    CHECK_STR(buf_str(&x.out), "out\n");
    CHECK_STR(buf_str(&x.err), "err\n");
    CHECK_INT(x.status, 7);
    CHECK(!x.timed_out);
    result_release(&x);
    x = run_sh("kill -TERM $$", (struct proc_run_opts){ 0 });
    CHECK_INT(x.status, 128 + SIGTERM);
    result_release(&x);
}

TEST(input_environment_directory)
{
    static const char *const env[] = { "PATH=/usr/bin:/bin", "COLOUR=blue", NULL };
    struct buf in = BUF_INIT;
    for (int i = 0; i < 100000; i++)             /* more than a pipe holds */
        buf_z(&in, "0123456789");
    struct result x = run_sh("wc -c; pwd; echo $COLOUR$HOME", (struct proc_run_opts){ .in = buf_str(&in), .env = env, .cwd = "/usr" });
    CHECK_STR(buf_str(&x.out), "1000000\n/usr\nblue\n");
    result_release(&x);
    /* A child that does not read its input, and one that has none. */
    x = run_sh("exit 0", (struct proc_run_opts){ .in = buf_str(&in) });
    CHECK_INT(x.status, 0);
    result_release(&x);
    x = run_sh("cat; echo end", (struct proc_run_opts){ 0 });
    CHECK_STR(buf_str(&x.out), "end\n");
    result_release(&x);
    buf_release(&in);
}

TEST(output_is_bounded)
{
    struct result x = run_sh("head -c 300000 /dev/zero; echo done >&2", (struct proc_run_opts){ .max_out = 1000 });
    CHECK_INT(x.out.n, 1000);
    CHECK_STR(buf_str(&x.err), "done\n");        /* it was not stopped by a full pipe */
    CHECK_INT(x.status, 0);
    result_release(&x);
}

/* The shell's own child holds the pipes, too: the whole group has to go. */
TEST(timeout_kills_the_group)
{
    struct result x = run_sh("echo begun; sleep 1000; echo never", (struct proc_run_opts){ .timeout_ms = 50 });
    CHECK(x.timed_out);
    CHECK_INT(x.status, 128 + SIGKILL);
    CHECK_STR(buf_str(&x.out), "begun\n");
    result_release(&x);
}

TEST(a_daemon_left_behind_holds_nobody_up)
{
    struct result x = run_sh("sleep 1000 & echo $!", (struct proc_run_opts){ 0 });
    CHECK_INT(x.status, 0);
    buf_char(&x.out, '\0');
    CHECK(kill(atoi(x.out.p), SIGKILL) == 0);    /* it lives on */
    result_release(&x);
}

TEST(what_cannot_run)
{
    long live = mem_live();
    struct loop *l = loop_new_real();
    struct result x = { 0 };
    struct errbuf err;
    const char *argv[] = { "/nonexistent/program", NULL };
    struct proc_run_opts o = { .argv = argv, .done = on_done, .arg = &x };

    CHECK_INT(proc_run(l, &o, NULL, &err), E_NOTFOUND);
    CHECK(strstr(err.s, "/nonexistent/program") != NULL);
    argv[0] = "/etc/passwd";
    CHECK_INT(proc_run(l, &o, NULL, &err), E_DENIED);
    argv[0] = "true";
    o.cwd = "/nonexistent";
    CHECK_INT(proc_run(l, &o, NULL, &err), E_NOTFOUND);
    CHECK(strstr(err.s, "directory") != NULL);
    loop_run(l);
    loop_free(l);
    CHECK_INT(x.n, 0);
    CHECK_INT(mem_live(), live);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0);       /* no zombie */
}

TEST(cancel)
{
    long live = mem_live();
    struct loop *l = loop_new_real();
    struct result x = { 0 };
    const char *argv[] = { "sleep", "1000", NULL };
    struct proc_run_opts o = { .argv = argv, .done = on_done, .arg = &x };
    struct proc_run *r;

    CHECK(proc_run(l, &o, &r, NULL) == 0);
    proc_run_cancel(r);
    loop_run(l);
    loop_free(l);
    CHECK_INT(x.n, 0);
    CHECK_INT(mem_live(), live);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0);
}

/* Inherited descriptors whose numbers collide with where they must go, and nothing else inherited. */
TEST(descriptors)
{
    int a[2], b[2], leak = open("/etc/passwd", O_RDONLY);
    const char *argv[] = { "sh", "-c", "echo three >&3; echo four >&4; ls /proc/self/fd | wc -l", NULL };

    CHECK(pipe2(a, O_CLOEXEC) == 0 && pipe2(b, O_CLOEXEC) == 0);
    int high_a = fcntl(a[1], F_DUPFD_CLOEXEC, 100), high_b = fcntl(b[1], F_DUPFD_CLOEXEC, 100);
    close(a[1]);
    close(b[1]);
    /* Make 4 be a's end and 3 be b's: crosswise. */
    int was3 = fcntl(3, F_DUPFD_CLOEXEC, 200), was4 = fcntl(4, F_DUPFD_CLOEXEC, 200);
    dup2(high_b, 3);
    dup2(high_a, 4);
    const int fds[] = { 4, 3 };
    int  out[2];
    struct loop *l = loop_new_real();
    CHECK(pipe2(out, O_CLOEXEC) == 0);
    struct proc *p;
    struct proc_opts o = { .argv = argv, .stdio = { -1, out[1], 2 }, .fds = fds, .n_fds = 2, .on_exit = NULL };
    CHECK(proc_spawn(l, &o, &p, NULL) == 0);
    proc_detach(p);
    if (was3 >= 0)
        dup2(was3, 3);
    if (was4 >= 0)
        dup2(was4, 4);
    close(high_a);
    close(high_b);
    close(out[1]);
    char text[64] = "";
    CHECK_INT(read(a[0], text, sizeof text), 6);
    CHECK(memcmp(text, "three\n", 6) == 0);
    CHECK_INT(read(b[0], text, sizeof text), 5);
    CHECK(memcmp(text, "four\n", 5) == 0);
    ssize_t n = read(out[0], text, sizeof text - 1);
    CHECK(n > 0);
    text[n > 0 ? n : 0] = '\0';
    CHECK_INT(atoi(text), 6);                    /* 0-4 and ls's own */
    loop_run(l);                                 /* a detached child is not waited for */
    loop_free(l);
    close(a[0]); close(b[0]); close(out[0]); close(leak); close(was3); close(was4);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

struct talk { struct proc *p; struct buf got; int exits, status; bool asked; };

static void talk_on_data(void *arg, struct stream *s, const char *p, size_t n)
{
    struct talk *t = arg;
    buf_add(&t->got, p, n);
    if (!t->asked && str_ends(buf_str(&t->got), STR("?\n"))) {
        t->asked = true;
        stream_write(proc_stdio(t->p, 0), "Coracle\n", 8);
    }
}

static void talk_on_exit(void *arg, struct proc *p, int status)
{
    struct talk *t = arg;
    CHECK(proc_exited(p) && proc_stdio(p, 0) == NULL && proc_stdio(p, 1) == NULL);
    t->exits++;
    t->status = status;
}

/* stdin stays open: the child's end closes it. */
TEST(conversation)
{
    static const struct stream_events ev = { .on_data = talk_on_data };
    long live = mem_live();
    struct loop *l = loop_new_real();
    struct talk t = { 0 };
    const char *argv[] = { "sh", "-c", "echo 'name?'; read n; echo hello $n; exit 3", NULL };
    struct proc_opts o = { .argv = argv, .stdio = { PROC_PIPE, PROC_PIPE, 2 }, .setsid = true, .die_with_parent = true,
                           .on_exit = talk_on_exit, .arg = &t };

    CHECK(proc_spawn(l, &o, &t.p, NULL) == 0);
    CHECK(proc_pid(t.p) > 0 && proc_stdio(t.p, 2) == NULL);
    CHECK(getsid(proc_pid(t.p)) == proc_pid(t.p));
    stream_set_events(proc_stdio(t.p, 1), &ev, &t);
    loop_run(l);
    CHECK_STR(buf_str(&t.got), "name?\nhello Coracle\n");
    CHECK_INT(t.exits, 1);
    CHECK_INT(t.status, 3);
    buf_release(&t.got);
    loop_free(l);
    CHECK_INT(mem_live(), live);
}

/* Signals ignored or blocked here are as new in the child (32 and 33 are the C library's own: it lets nobody touch them). */
TEST(signals_are_reset)
{
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, NULL);
    struct result x = run_sh("grep -E '^Sig(Ign|Blk)' /proc/self/status", (struct proc_run_opts){ 0 });
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    struct str rest = buf_str(&x.out), line;
    while (str_split(&rest, '\n', &line) && line.n > 0) {
        char *end;
        unsigned long long mask = strtoull(line.p + 8, &end, 16);
        CHECK((mask & ~0x180000000ull) == 0);
        CHECK(end == line.p + 24);
    }
    result_release(&x);
}
