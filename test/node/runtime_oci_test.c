/* test/node/runtime_oci_test.c: real containers through the interface.  Needs root, conmon, crun, a static busybox and
 * CNI plugins; where something is missing the tests pass with a message.  Everything runs in a mount and a network
 * namespace of this process and under one cgroup that the last test checks to be gone. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net/log.h"
#include "node/cgroup.h"
#include "node/files.h"
#include "node/image_sample.h"
#include "node/mountns.h"
#include "node/runtime_oci.h"
#include "test/test.h"

static struct {
    bool tried, usable;
    struct loop *loop;
    struct runtime *rt;
    struct runtime_oci_opts opts;
    char root[128], run[128], cgroup[64];
    int status;                                  /* of the request that was waited for */
    char exited[65];                             /* last container exit event */
    unsigned n_exits, n_deaths;
    bool waiting_exit;
} t;

/* ---- waiting ---------------------------------------------------------------------------------- */

static void on_done(struct rt_req *r, int status)
{
    t.status = status;
    if (status < 0 && getenv("TEST_VERBOSE") != NULL)
        fprintf(stderr, "  status %d: %s\n", status, r->err.s);
    loop_stop(t.loop);
}

static void on_nothing(struct rt_req *r, int status) { }

static void on_exit_event(void *arg, const char *id)
{
    snprintf(t.exited, sizeof t.exited, "%s", id);
    t.n_exits++;
    if (t.waiting_exit)
        loop_stop(t.loop);
}

static void on_death_event(void *arg, const char *id)
{
    t.n_deaths++;
    loop_stop(t.loop);
}

static const struct runtime_events events = { on_exit_event, on_death_event };

static void on_watchdog(struct timer *timer)
{
    panic_at(__FILE__, __LINE__, "the loop waits for something within 30 s");
}

static int wait_for(void)
{
    struct timer dog;

    timer_init(&dog, t.loop, on_watchdog);
    timer_start(&dog, 30000);
    loop_run(t.loop);
    timer_stop(&dog);
    return t.status;
}

static void wait_exit(const char *id)
{
    const struct rt_container_info *i;

    t.waiting_exit = true;
    while ((i = t.rt->ops->container_get(t.rt, id)) != NULL && i->state != RT_EXITED)
        wait_for();
    t.waiting_exit = false;
}

/* ---- set-up ----------------------------------------------------------------------------------- */

static void open_runtime(void)
{
    struct errbuf err = { "" };
    int rc = runtime_oci_open(&t.opts, &t.rt, &err);

    if (rc < 0)
        fprintf(stderr, "open: %s\n", err.s);
    must_ok(rc);
    runtime_set_events(t.rt, &events, NULL);
    must_ok(t.rt->ops->set_pod_cidr(t.rt, "10.99.0.0/24", &err));
}

static void on_closed(void *arg)
{
    loop_stop(t.loop);
}

static void close_runtime(void)
{
    t.rt->ops->close(t.rt, on_closed, NULL);
    wait_for();
    t.rt = NULL;
}

static bool missing(void)
{
    static const char *const need[] = { "/usr/bin/crun", "/usr/bin/conmon", "/bin/busybox",
                                        "/usr/lib/cni/bridge" };

    if (geteuid() != 0) {
        printf("skipped: not root\n");
        return true;
    }
    for (unsigned i = 0; i < ARRAY_LEN(need); i++)
        if (!file_exists(need[i])) {
            printf("skipped: no %s\n", need[i]);
            return true;
        }
    return false;
}

/* True when there is a runtime with the sample image; the first call makes it. */
static bool usable(void)
{
    struct errbuf err = { "" };
    char archive[160];

    if (t.tried)
        return t.usable;
    t.tried = true;
    if (missing())
        return false;
    snprintf(t.root, sizeof t.root, "%s/root", test_dir());
    snprintf(t.run, sizeof t.run, "%s/run", test_dir());
    snprintf(t.cgroup, sizeof t.cgroup, "/coracle-test-%d", (int)getpid());
    if (unshare(CLONE_NEWNET) < 0 || mountns_enter(t.run, &err) < 0) {
        printf("skipped: no namespaces here: %s %s\n", strerror(errno), err.s);
        return false;
    }
    t.loop = loop_new_real();
    t.opts = (struct runtime_oci_opts){ .loop = t.loop, .root_dir = t.root, .run_dir = t.run,
                                        .cgroup_parent = t.cgroup };
    open_runtime();
    snprintf(archive, sizeof archive, "%s/sample.tar", test_dir());
    must_ok(image_sample_write(archive, NULL, &err));
    struct rt_image_import im = { .req.done = on_done, .path = archive };
    t.rt->ops->image_import(t.rt, &im);
    must_ok(wait_for());
    t.usable = true;
    return true;
}

/* ---- shorthands ------------------------------------------------------------------------------- */

static unsigned n_pods;

static int sandbox(struct rt_sandbox_create *sb)
{
    static char uid[32];

    snprintf(uid, sizeof uid, "uid-%u", ++n_pods);
    sb->req.done = on_done;
    sb->pod_uid = uid;
    sb->pod_name = "pod";
    sb->pod_namespace = "default";
    if (sb->hostname == NULL)
        sb->hostname = "pod-host";
    t.rt->ops->sandbox_create(t.rt, sb);
    return wait_for();
}

static int container(struct rt_container_create *c, const struct rt_sandbox_create *sb, const char *script)
{
    static char log[256];
    static const char *command[4];

    command[0] = "/bin/sh";
    command[1] = "-c";
    command[2] = script;
    snprintf(log, sizeof log, "%s/logs/%u.log", t.root, ++n_pods);
    c->req.done = on_done;
    c->sandbox_id = sb->id;
    c->name = c->name != NULL ? c->name : "main";
    c->image = c->image != NULL ? c->image : "coracle.local/sample:1";
    if (script != NULL) {
        c->command = command;
        c->n_command = 3;
    }
    c->log_path = log;
    t.rt->ops->container_create(t.rt, c);
    return wait_for();
}

static int by_id(void (*op)(struct runtime *rt, struct rt_by_id *r), const char *id)
{
    struct rt_by_id r = { .req.done = on_done, .id = id };

    op(t.rt, &r);
    return wait_for();
}

static int start(const char *id) { return by_id(t.rt->ops->container_start, id); }
static int drop(const struct rt_sandbox_create *sb) { return by_id(t.rt->ops->sandbox_remove, sb->id); }

static int signal_to(const char *id, int signum)
{
    struct rt_kill k = { .req.done = on_done, .id = id, .signum = signum };

    t.rt->ops->container_kill(t.rt, &k);
    return wait_for();
}

static const struct rt_container_info *info(const char *id) { return t.rt->ops->container_get(t.rt, id); }

static struct buf captured[3];

static void on_output(struct rt_session *s, int which, const char *p, size_t n)
{
    buf_add(&captured[which], p, n);
}

static int exec(const char *id, const char *script, const char *input, bool tty, int *ret_code)
{
    const char *argv[] = { "/bin/sh", "-c", script };
    struct rt_session s = { .req.done = on_done, .container_id = id, .argv = argv, .n_argv = 3, .tty = tty,
                            .want_stdin = input != NULL, .on_output = on_output, .cols = 91, .rows = 17 };

    buf_clear(&captured[1]);
    buf_clear(&captured[2]);
    t.rt->ops->session_open(t.rt, &s);
    if (input != NULL) {
        t.rt->ops->session_write(&s, input, strlen(input));
        t.rt->ops->session_eof(&s);
    }
    int rc = wait_for();
    *ret_code = s.exit_code;
    return rc;
}

static struct str read_log(const struct rt_container_info *i)
{
    static struct buf b;

    buf_clear(&b);
    file_read(i->log_path, 1 << 20, &b, NULL);
    return buf_str(&b);
}

static int count_name(void *arg, const char *name) { ++*(unsigned *)arg; return 0; }
/* What a test cannot go on without; the last test removes what it leaves. */
#define NEED(e) do { int rc_ = (e); CHECK_INT(rc_, 0); if (rc_ != 0) return; } while (0)

static bool contains(struct str s, const char *z) { return memmem(s.p, s.n, z, strlen(z)) != NULL; }

/* ---- tests ------------------------------------------------------------------------------------ */

TEST(runs_a_container_to_its_end)
{
    struct rt_sandbox_create sb = { .memo = STR("any \0 bytes"), .resolv_conf = "nameserver 10.0.0.53\n",
                                    .domain = "svc.local" };
    const char *env[] = { "GREETING=hello world", "PATH=/bin" };
    struct rt_container_create c = { .env = env, .n_env = 2, .memo = STR("m"),
                                     .termination_path = "/dev/termination-log" };

    if (!usable())
        return;
    NEED(sandbox(&sb));
    CHECK(strncmp(sb.ip, "10.99.0.", 8) == 0);
    const struct rt_sandbox_info *si = t.rt->ops->sandbox_get(t.rt, sb.id);
    CHECK(si != NULL && si->ready && si->pid > 0);
    CHECK(str_eq(si->memo, STR("any \0 bytes")));
    NEED(container(&c, &sb, "echo $GREETING; echo oops >&2; hostname; cat /etc/resolv.conf /etc/hosts;"
                        "printf done > /dev/termination-log; id -u; printf partial; exit 7"));
    CHECK(info(c.id)->state == RT_CREATED && info(c.id)->pid > 0);
    NEED(start(c.id));
    wait_exit(c.id);
    const struct rt_container_info *i = info(c.id);
    CHECK_INT(i->exit_code, 7);
    CHECK(!i->oom_killed && !i->lost && i->finished_ns >= i->started_ns && i->started_ns >= i->created_ns);
    CHECK(strcmp(t.exited, c.id) == 0);
    struct str log = read_log(i);
    CHECK(contains(log, " stdout F hello world\n"));
    CHECK(contains(log, " stderr F oops\n"));
    CHECK(contains(log, " stdout F pod-host\n"));
    CHECK(contains(log, " stdout F nameserver 10.0.0.53\n"));
    CHECK(contains(log, "pod-host.svc.local\tpod-host\n"));
    CHECK(contains(log, " stdout F 0\n"));
    CHECK(contains(log, " stdout P partial"));
    struct buf b = BUF_INIT;
    CHECK_INT(file_read(i->termination_file, 100, &b, NULL), 0);
    CHECK_STR(buf_str(&b), "done");
    buf_release(&b);
    CHECK_INT(start(c.id), E_AGAIN);
    CHECK_INT(by_id(t.rt->ops->container_remove, c.id), 0);
    CHECK(info(c.id) == NULL);
    CHECK_INT(by_id(t.rt->ops->container_remove, c.id), 0);
    CHECK_INT(drop(&sb), 0);
    CHECK(t.rt->ops->sandbox_get(t.rt, sb.id) == NULL);
    CHECK_INT(drop(&sb), 0);
}

TEST(execs_with_streams_codes_and_terminals)
{
    struct rt_sandbox_create sb = { 0 };
    struct rt_container_create c = { 0 };
    int code = -1;

    if (!usable())
        return;
    NEED(sandbox(&sb));
    NEED(container(&c, &sb, "trap 'exit 3' TERM; sleep 1000 & wait"));
    CHECK_INT(exec(c.id, "true", NULL, false, &code), E_AGAIN);
    NEED(start(c.id));
    CHECK_INT(exec(c.id, "echo out; echo err >&2; exit 42", NULL, false, &code), 0);
    CHECK_INT(code, 42);
    CHECK_STR(buf_str(&captured[1]), "out\n");
    CHECK_STR(buf_str(&captured[2]), "err\n");
    CHECK_INT(exec(c.id, "cat", "to and fro", false, &code), 0);
    CHECK_INT(code, 0);
    CHECK_STR(buf_str(&captured[1]), "to and fro");
    /* crun lets the command run before it has passed on the terminal: its size comes soon, not first */
    CHECK_INT(exec(c.id, "tty; until [ \"$(stty size 2>/dev/null)\" = '17 91' ]; do sleep 0.01; done; stty size; exit 5",
                   NULL, true, &code), 0);
    CHECK_INT(code, 5);
    CHECK(contains(buf_str(&captured[1]), "/dev/pts/"));
    CHECK(contains(buf_str(&captured[1]), "17 91"));
    CHECK_INT(exec(c.id, "kill -9 $$", NULL, false, &code), 0);
    CHECK_INT(code, 137);

    const char *argv[] = { "no-such-program" };
    struct rt_session s = { .req.done = on_done, .container_id = c.id, .argv = argv, .n_argv = 1,
                            .on_output = on_output };
    t.rt->ops->session_open(t.rt, &s);
    CHECK_INT(wait_for(), E_CHILD);
    CHECK(contains(str_of(s.req.err.s), "no-such-program"));

    const char *sleeper[] = { "sleep", "7777" };
    struct rt_session slow = { .req.done = on_done, .container_id = c.id, .argv = sleeper, .n_argv = 2,
                               .timeout_ms = 200,
                               .on_output = on_output };
    t.rt->ops->session_open(t.rt, &slow);
    CHECK_INT(wait_for(), E_TIMEOUT);
    CHECK_INT(exec(c.id, "ps | grep -c '[s]leep 7777'", NULL, false, &code), 0);
    CHECK_STR(str_trim(buf_str(&captured[1])), "0");

    CHECK_INT(signal_to(c.id, SIGTERM), 0);
    wait_exit(c.id);
    CHECK_INT(info(c.id)->exit_code, 3);
    CHECK_INT(drop(&sb), 0);
}

TEST(attaches_to_the_first_process)
{
    struct rt_sandbox_create sb = { 0 };
    struct rt_container_create c = { .want_stdin = true, .stdin_once = true };

    if (!usable())
        return;
    NEED(sandbox(&sb));
    NEED(container(&c, &sb, "while read x; do echo \"got $x\"; echo \"err $x\" >&2; done; exit 9"));
    NEED(start(c.id));
    struct rt_session s = { .req.done = on_done, .container_id = c.id, .want_stdin = true,
                            .on_output = on_output };
    buf_clear(&captured[1]);
    buf_clear(&captured[2]);
    t.rt->ops->session_open(t.rt, &s);
    t.rt->ops->session_write(&s, "one\ntwo\n", 8);
    t.rt->ops->session_eof(&s);
    CHECK_INT(wait_for(), 0);
    CHECK_STR(buf_str(&captured[1]), "got one\ngot two\n");
    CHECK_STR(buf_str(&captured[2]), "err one\nerr two\n");
    wait_exit(c.id);
    CHECK_INT(info(c.id)->exit_code, 9);
    CHECK_INT(s.exit_code, 9);
    CHECK_INT(drop(&sb), 0);
}

TEST(limits_memory_and_says_who_was_killed_for_it)
{
    struct rt_sandbox_create sb = { 0 };
    struct rt_container_create c = { .resources = { .memory_bytes = 16 << 20, .cpu_shares = 102,
                                                    .cpu_quota_us = 50000,
                                                    .pids = 50, .oom_score_adj = 900 } };

    if (!usable())
        return;
    NEED(sandbox(&sb));
    NEED(container(&c, &sb, "cat /proc/self/oom_score_adj; tail /dev/zero"));
    NEED(start(c.id));
    wait_exit(c.id);
    CHECK(info(c.id)->oom_killed);
    CHECK_INT(info(c.id)->exit_code, 137);
    CHECK(contains(read_log(info(c.id)), " 900\n"));
    CHECK_INT(drop(&sb), 0);
}

TEST(survives_the_agent)
{
    struct rt_sandbox_create sb = { .memo = STR("pod memo") };
    struct rt_container_create run = { .memo = STR("ct memo") }, end = { .name = "short" }, idle =
        { .name = "idle" };
    int code;

    if (!usable())
        return;
    NEED(sandbox(&sb));
    NEED(container(&run, &sb, "echo begin; sleep 1000"));
    NEED(container(&end, &sb, "sleep 1000"));
    NEED(container(&idle, &sb, "exit 0"));
    NEED(start(run.id));
    NEED(start(end.id));
    int pid = info(run.id)->pid, doomed = info(end.id)->pid;
    close_runtime();
    must(doomed > 1);
    kill(doomed, SIGKILL);                       /* while no agent looks */
    open_runtime();
    const struct rt_container_info *i = info(run.id);
    CHECK(i != NULL && i->state == RT_RUNNING && i->pid == pid && str_is(i->memo, "ct memo"));
    wait_exit(end.id);                           /* unless that was found out already */
    CHECK(info(end.id) != NULL && info(end.id)->exit_code == 137 && !info(end.id)->lost);
    CHECK(info(idle.id) != NULL && info(idle.id)->state == RT_CREATED);
    const struct rt_sandbox_info *s = t.rt->ops->sandbox_get(t.rt, sb.id);
    CHECK(s != NULL && s->ready && strcmp(s->ip, sb.ip) == 0 && str_is(s->memo, "pod memo"));
    CHECK_INT(exec(run.id, "exit 4", NULL, false, &code), 0);
    CHECK_INT(code, 4);
    CHECK_INT(signal_to(run.id, SIGKILL), 0);
    wait_exit(run.id);
    CHECK_INT(info(run.id)->exit_code, 137);
    CHECK(!info(run.id)->oom_killed);
    NEED(start(idle.id));
    wait_exit(idle.id);
    CHECK_INT(info(idle.id)->exit_code, 0);
    CHECK_INT(drop(&sb), 0);
}

TEST(notices_a_killed_monitor_and_a_killed_holder)
{
    struct rt_sandbox_create sb = { 0 };
    struct rt_container_create c = { 0 };
    char path[256];
    struct buf b = BUF_INIT;
    uint64_t pid = 0;

    if (!usable())
        return;
    NEED(sandbox(&sb));
    NEED(container(&c, &sb, "sleep 1000"));
    NEED(start(c.id));
    int init = info(c.id)->pid;
    snprintf(path, sizeof path, "/proc/%d/stat", init);
    CHECK_INT(file_read(path, 4096, &b, NULL), 0);
    struct str rest = buf_str(&b), f;
    for (int i = 0; i < 4 && str_split(&rest, ' ', &f); i++)     /* pid (comm) state ppid: its parent is the monitor */
        ;
    must(str_u64(f, &pid) && pid > 1);
    buf_release(&b);
    kill((pid_t)pid, SIGKILL);
    wait_exit(c.id);
    CHECK(info(c.id)->lost);
    CHECK_INT(info(c.id)->exit_code, 137);
    CHECK(kill(init, 0) < 0 || info(c.id)->pid == 0);
    unsigned before = t.n_deaths;
    must(t.rt->ops->sandbox_get(t.rt, sb.id)->pid > 1);
    kill(t.rt->ops->sandbox_get(t.rt, sb.id)->pid, SIGKILL);
    wait_for();
    CHECK_INT(t.n_deaths, before + 1);
    CHECK(!t.rt->ops->sandbox_get(t.rt, sb.id)->ready);
    CHECK_INT(drop(&sb), 0);
}

TEST(mounts_volumes_and_keeps_sub_paths_inside)
{
    struct rt_sandbox_create sb = { .share_pid = true };
    char vol[160], out[160], link[256];
    struct rt_container_create c = { .security = { .has_uid = true, .uid = 1234, .has_gid = true, .gid = 99,
                                                   .read_only_root = true } };

    if (!usable())
        return;
    snprintf(vol, sizeof vol, "%s/vol", test_dir());
    snprintf(out, sizeof out, "%s/out", test_dir());
    must(mkdir(vol, 0755) == 0 && mkdir(out, 0777) == 0 && chmod(out, 0777) == 0);
    snprintf(link, sizeof link, "%s/escape", vol);
    must(symlink("/etc", link) == 0);
    struct rt_mount good[] = { { .source = vol, .sub_path = "a/b", .dest = "/data/sub" },
                               { .source = out, .dest = "/data/out" },
                               { .source = vol, .dest = "/data", .read_only = true } };
    struct rt_mount bad = { .source = vol, .sub_path = "escape", .dest = "/data" };
    struct rt_mount worse = { .source = vol, .sub_path = "../out", .dest = "/data" };
    struct rt_mount none = { .source = "/no/such/path", .dest = "/data" };

    NEED(sandbox(&sb));
    struct rt_container_create no = { .mounts = &bad, .n_mounts = 1 };
    CHECK_INT(container(&no, &sb, "true"), E_INVALID);
    no.mounts = &worse;
    CHECK_INT(container(&no, &sb, "true"), E_INVALID);
    no.mounts = &none;
    CHECK_INT(container(&no, &sb, "true"), E_INVALID);
    no = (struct rt_container_create){ .image = "no/such:image" };
    CHECK_INT(container(&no, &sb, "true"), E_NOTFOUND);
    no = (struct rt_container_create){ .security = { .run_as_non_root = true } };
    CHECK_INT(container(&no, &sb, "true"), E_INVALID);
    must(mkdir(strcat(strcpy(link, vol), "/out"), 0755) == 0);
    c.mounts = good;
    c.n_mounts = 3;
    NEED(container(&c, &sb,
                   "id -u; id -g; touch /x || echo ro-root; touch /data/y || echo ro-data; ls -d /data/sub;"
                        "echo kept > /data/out/file; ps | grep -c 'sleep infinity'"));
    NEED(start(c.id));
    wait_exit(c.id);
    struct str log = read_log(info(c.id));
    CHECK(contains(log, "F 1234\n") && contains(log, "F 99\n") && contains(log, "ro-root")
          && contains(log, "ro-data"));
    CHECK(contains(log, "/data/sub"));
    snprintf(link, sizeof link, "%s/file", out);
    CHECK(file_exists(link));
    if (!contains(log, "F 1234\n"))
        fprintf(stderr, "%.*s", STR_ARG(log));
    CHECK_INT(drop(&sb), 0);
}

TEST(reports_what_the_runtime_refuses)
{
    struct rt_sandbox_create sb = { 0 };
    const char *command[] = { "/no/such/program" };
    struct rt_container_create c = { .command = command, .n_command = 1 };

    if (!usable())
        return;
    NEED(sandbox(&sb));
    int rc = container(&c, &sb, NULL);
    if (rc == 0)
        rc = start(c.id);
    CHECK_INT(rc, E_CHILD);
    struct rt_stats_get st = { .req.done = on_done, .id = sb.id };
    t.rt->ops->stats(t.rt, &st);
    CHECK_INT(wait_for(), 0);
    CHECK_INT(drop(&sb), 0);
}

TEST(time_from_nothing_to_running)
{
    struct rt_sandbox_create sb = { 0 };
    struct rt_container_create c = { 0 };

    if (!usable())
        return;
    uint64_t t0 = loop_hires_ns(t.loop);
    NEED(sandbox(&sb));
    uint64_t t1 = loop_hires_ns(t.loop);
    NEED(container(&c, &sb, "sleep 1000"));
    uint64_t t2 = loop_hires_ns(t.loop);
    NEED(start(c.id));
    uint64_t t3 = loop_hires_ns(t.loop);
    CHECK_INT(drop(&sb), 0);
    uint64_t t4 = loop_hires_ns(t.loop);
    fprintf(stderr, "sandbox %.1f ms, create %.1f ms, start %.1f ms, remove %.1f ms\n",
            (double)(t1 - t0) / 1e6,
            (double)(t2 - t1) / 1e6, (double)(t3 - t2) / 1e6, (double)(t4 - t3) / 1e6);
}

/* A pod that comes while its image is still being imported is not sent away. */
TEST(ensure_waits_for_imports_under_way)
{
    char archive[160];

    if (!usable())
        return;
    snprintf(archive, sizeof archive, "%s/again.tar", test_dir());
    must_ok(image_sample_write(archive, NULL, NULL));
    NEED(by_id(t.rt->ops->image_remove, "coracle.local/sample:2"));
    CHECK(t.rt->ops->image_get(t.rt, "coracle.local/sample:2") == NULL);
    struct rt_image_ensure e = { .req.done = on_done, .ref = "coracle.local/sample:2" };
    t.rt->ops->image_ensure(t.rt, &e);
    CHECK_INT(wait_for(), E_NOTFOUND);
    struct rt_image_import im = { .req.done = on_nothing, .path = archive };
    t.rt->ops->image_import(t.rt, &im);
    t.rt->ops->image_ensure(t.rt, &e);
    CHECK_INT(wait_for(), 0);
    CHECK(strncmp(e.id, "sha256:", 7) == 0);
    e.ref = "Not A Reference";
    t.rt->ops->image_ensure(t.rt, &e);
    CHECK_INT(wait_for(), E_INVALID);
}

/* ---- an agent killed at any moment ------------------------------------------------------------- */

/* The child's part: makes pods until it is killed. */
TEST(crash_child)
{
    const char *root = getenv("CRASH_ROOT");
    char uid[32];

    if (root == NULL)
        return;
    t.loop = loop_new_real();
    t.opts = (struct runtime_oci_opts){ .loop = t.loop, .root_dir = root, .run_dir = getenv("CRASH_RUN"),
                                        .cgroup_parent = getenv("CRASH_CGROUP") };
    snprintf(t.root, sizeof t.root, "%s", root);
    open_runtime();
    for (unsigned i = 0; ; i++) {
        struct rt_sandbox_create sb = { .req.done = on_done, .pod_uid = uid, .pod_name = "p",
                                        .pod_namespace = "n", .hostname = "h" };
        struct rt_container_create c = { 0 };
        snprintf(uid, sizeof uid, "crash-%d-%u", (int)getpid(), i);
        t.rt->ops->sandbox_create(t.rt, &sb);
        must_ok(wait_for());
        must_ok(container(&c, &sb, "sleep 1000"));
        must_ok(start(c.id));
        must_ok(drop(&sb));
    }
}

static pid_t crash_spawn(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        setenv("CRASH_ROOT", t.root, 1);
        setenv("CRASH_RUN", t.run, 1);
        setenv("CRASH_CGROUP", t.cgroup, 1);
        execl("/proc/self/exe", "crash", "crash_child", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void on_crash_time(struct timer *timer) { loop_stop(t.loop); }

static bool settled(void)
{
    struct buf b = BUF_INIT;
    char path[256];
    unsigned n = 0;
    static const char *const dirs[] = { "sandboxes", "containers" };

    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", t.root, dirs[i]);
        file_each(path, count_name, &n, NULL);
    }
    must_ok(file_read("/proc/self/mountinfo", 1 << 20, &b, NULL));
    bool ok = n == 0 && !contains(buf_str(&b), t.root);
    buf_release(&b);
    return ok;
}

/* Wherever in a pod's life the agent dies: the next one lists only whole things, and can remove everything. */
TEST(an_agent_killed_anywhere_leaves_nothing_that_cannot_be_removed)
{
    if (!usable())
        return;
    for (unsigned delay_ms = 6; delay_ms <= 120; delay_ms += 6) {
        struct timer timer;
        struct rt_req req = { .done = on_done };

        close_runtime();
        pid_t pid = crash_spawn();
        must(pid > 1);
        timer_init(&timer, t.loop, on_crash_time);
        timer_start(&timer, delay_ms);
        loop_run(t.loop);
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        open_runtime();
        t.rt->ops->purge(t.rt, &req);
        int rc = wait_for();
        if (rc < 0 || !settled())
            test_fail(__FILE__, __LINE__, "killed after %u ms: purge %d (%s)", delay_ms, rc, req.err.s);
    }
}

static void count_entry(void *arg, const char *name) { ++*(unsigned *)arg; }

TEST(zz_leaves_nothing_behind)
{
    struct rt_sandbox_create sb = { 0 };
    struct rt_container_create c = { 0 };
    struct cgroup_fs fs;
    struct buf b = BUF_INIT;
    char path[256];
    unsigned n = 0;

    if (!usable())
        return;
    NEED(sandbox(&sb));
    NEED(container(&c, &sb, "sleep 1000"));
    NEED(start(c.id));
    struct rt_req req = { .done = on_done };
    t.rt->ops->purge(t.rt, &req);
    CHECK_INT(wait_for(), 0);
    CHECK_INT(cgroup_fs_open(&fs, NULL), 0);
    cgroup_each_child(&fs, t.cgroup, count_entry, &n);
    CHECK_INT(n, 0);
    for (unsigned i = 0; i < fs.n_mounts; i++) {
        snprintf(path, sizeof path, "%s%s", fs.mount[i], t.cgroup);
        CHECK(!file_exists(path));
    }
    CHECK_INT(file_read("/proc/self/mountinfo", 1 << 20, &b, NULL), 0);
    CHECK(!contains(buf_str(&b), t.root));
    buf_release(&b);
    static const char *const dirs[] = { "sandboxes", "containers" };
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", t.root, dirs[i]);
        CHECK_INT(file_each(path, count_name, &n, NULL), 0);
    }
    CHECK_INT(n, 0);
    close_runtime();
    loop_free(t.loop);
    for (unsigned i = 0; i < 3; i++)
        buf_release(&captured[i]);
}
