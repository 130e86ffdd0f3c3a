/* test/node/mountns_test.c: agents come and go; the pods' mount namespace stays as long as a pod does.  Needs root. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "node/cgroup.h"
#include "node/files.h"
#include "node/mountns.h"
#include "node/overlay.h"
#include "node/spawn.h"
#include "test/test.h"

static char run[128], spot[160];

/* Run fn as an agent of its own would: a process that ends afterwards. -> its exit status */
static int as_agent(int (*fn)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    int st = 0;

    if (pid == 0)
        _exit(fn());
    while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(st) ? WEXITSTATUS(st) : 255;
}

static int first_agent(void)
{
    static const char *const argv[] = { "sleep", "1000", NULL }, *const env[] =
        { "PATH=/bin:/usr/bin", NULL };
    struct spawn_opts o = { .argv = argv, .env = env };
    struct cgroup_fs fs;
    struct proc_id id;
    pid_t pid;

    if (mountns_enter(run, NULL) < 0)
        return 77;
    if (cgroup_fs_open(&fs, NULL) < 0 || fs.mode == CGROUP_HYBRID)
        return 1;
    if (tmpfs_mount(spot, 1 << 20, 0700, NULL) < 0 || !file_is_mount(spot))
        return 2;
    if (spawn_detached(&o, &pid, NULL) < 0 || !proc_id_of(pid, &id)
        || mountns_hold(run, "pod", &id, NULL) < 0)
        return 3;
    return 0;
}

static int next_agent(void)
{
    if (mountns_enter(run, NULL) < 0)
        return 77;
    return file_is_mount(spot) ? 10 : 11;
}

TEST(the_namespace_lasts_as_long_as_a_holder)
{
    struct buf b = BUF_INIT;
    struct str rest, first;
    char holder[200];
    uint64_t pid = 0;

    if (geteuid() != 0) {
        printf("skipped: not root\n");
        return;
    }
    snprintf(run, sizeof run, "%s/run", test_dir());
    snprintf(spot, sizeof spot, "%s/spot", test_dir());
    must(mkdir(spot, 0755) == 0);
    int rc = as_agent(first_agent);
    if (rc == 77) {
        printf("skipped: no mount namespaces here\n");
        return;
    }
    CHECK_INT(rc, 0);
    CHECK(!file_is_mount(spot));                 /* nothing of it is seen outside */
    CHECK_INT(as_agent(next_agent), 10);
    CHECK_INT(as_agent(next_agent), 10);

    snprintf(holder, sizeof holder, "%s/holders/pod", run);
    must_ok(file_read(holder, 256, &b, NULL));
    rest = buf_str(&b);
    must(str_split(&rest, ' ', &first) && str_u64(first, &pid) && pid > 1);
    kill((pid_t)pid, SIGKILL);
    struct proc_id id;
    while (proc_id_of((pid_t)pid, &id) && proc_id_alive(&id))
        ;                                        /* it dies at once */
    CHECK_INT(as_agent(next_agent), 11);
    CHECK(!file_exists(holder));
    must_ok(file_replace(holder, STR("1 2 not-this-boot\n"), 0600, false, NULL));
    CHECK_INT(as_agent(next_agent), 11);
    must_ok(file_replace(holder, STR("nonsense"), 0600, false, NULL));
    CHECK_INT(as_agent(next_agent), 11);
    buf_release(&b);
}
