/* test/node/cgroup_test.c: which hierarchies a host has, and (as root) what becomes of a group's processes. */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "node/cgroup.h"
#include "node/files.h"
#include "node/pidwatch.h"
#include "node/routes.h"
#include "node/spawn.h"
#include "test/test.h"

TEST(hosts_are_told_apart)
{
    struct cgroup_fs fs;
    static const char v2[] =
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    static const char v1[] =
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
                             "35 31 0:32 / /sys/fs/cgroup/memory rw master:1 shared:2 - cgroup cgroup rw,memory\n"
                             "36 31 0:33 / /sys/fs/cgroup/named rw - cgroup cgroup rw,name=memory\n";
    struct buf both = BUF_INIT;

    CHECK_INT(cgroup_fs_parse(&fs, STR(v2), NULL), 0);
    CHECK(fs.mode == CGROUP_V2 && fs.n_mounts == 1 && fs.at[CG_MEMORY] == 0
          && strcmp(fs.mount[0], "/sys/fs/cgroup") == 0);
    CHECK_INT(cgroup_fs_parse(&fs, STR(v1), NULL), 0);
    CHECK(fs.mode == CGROUP_V1 && fs.n_mounts == 3 && fs.at[CG_CPU] == 0 && fs.at[CG_CPUACCT] == 0
          && fs.at[CG_MEMORY] == 1);
    CHECK_INT(fs.at[CG_PIDS], -1);
    buf_z(&both, v1);
    buf_z(&both, v2);
    CHECK_INT(cgroup_fs_parse(&fs, buf_str(&both), NULL), 0);
    CHECK(fs.mode == CGROUP_HYBRID && fs.at[CG_MEMORY] == 1);
    CHECK_INT(cgroup_fs_parse(&fs, STR("1 2 0:3 / / rw - ext4 /dev/x rw\n - - \n\n"), NULL), E_NOTFOUND);
    buf_release(&both);
}

TEST(shares_become_weights)
{
    CHECK_INT(cgroup_weight_of_shares(2), 1);
    CHECK_INT(cgroup_weight_of_shares(1024), 39);
    CHECK_INT(cgroup_weight_of_shares(262144), 10000);
    CHECK_INT(cgroup_weight_of_shares(1u << 31), 10000);
}

static void add_procs(void *arg, const char *file)
{
    struct spawn_opts *o = arg;
    o->cgroup_procs[o->n_cgroups++] = mem_strdup(file);
}

/* A process that forks for ever: no kill of single processes catches all of it at once. */
TEST(kills_what_forks_and_removes_the_group)
{
    static const char *const argv[] = { "sh", "-c", "trap '' TERM; while :; do sleep 5 & sleep 0.002; done",
                                        NULL };
    static const char *const env[] = { "PATH=/bin:/usr/bin", NULL };
    struct rt_resources r = { .memory_bytes = 64 << 20, .cpu_shares = 512, .cpu_quota_us = 50000,
                              .pids = 200 };
    struct spawn_opts o = { .argv = argv, .env = env };
    struct cgroup_fs fs;
    struct cgroup_stats st;
    struct errbuf err = { "" };
    struct proc_id id;
    char path[64];
    pid_t pid;

    if (geteuid() != 0 || cgroup_fs_open(&fs, NULL) < 0) {
        printf("skipped: not root, or no cgroups\n");
        return;
    }
    snprintf(path, sizeof path, "/coracle-cgtest-%d/pod/inner", (int)getpid());
    int rc = cgroup_create(&fs, path, &r, false, &err);
    if (rc == E_NOTFOUND || rc == E_DENIED) {
        printf("skipped: %s\n", err.s);
        snprintf(path, sizeof path, "/coracle-cgtest-%d", (int)getpid());
        cgroup_remove(&fs, path, NULL);
        return;
    }
    CHECK_INT(rc, 0);
    cgroup_each_procs(&fs, path, add_procs, &o);
    CHECK(o.n_cgroups > 0);
    CHECK_INT(spawn_detached(&o, &pid, &err), 0);
    CHECK(proc_id_of(pid, &id) && proc_id_alive(&id));
    CHECK_INT(cgroup_read_stats(&fs, path, &st, &err), 0);
    CHECK(st.pids >= 1);
    CHECK_INT(cgroup_kill(&fs, path, 5000, &err), 0);
    CHECK(!proc_id_alive(&id));
    CHECK_INT(proc_id_signal(&id, SIGTERM, NULL), E_NOTFOUND);
    snprintf(path, sizeof path, "/coracle-cgtest-%d", (int)getpid());
    CHECK_INT(cgroup_remove(&fs, path, &err), 0);
    CHECK_INT(cgroup_remove(&fs, path, &err), 0);
    for (unsigned i = 0; i < o.n_cgroups; i++) {
        CHECK(!file_exists(o.cgroup_procs[i]));
        mem_free(o.cgroup_procs[i]);
    }
}

TEST(a_reused_pid_is_another_process)
{
    struct proc_id id;

    CHECK(proc_id_of(getpid(), &id) && proc_id_alive(&id));
    id.start_ticks++;
    CHECK(!proc_id_alive(&id));
    CHECK_INT(proc_id_signal(&id, SIGKILL, NULL), E_NOTFOUND);   /* or this test ends here */
    id.start_ticks--;
    id.boot[0] ^= 1;
    CHECK(!proc_id_alive(&id));
    CHECK(!proc_id_of(0, &id) && !proc_id_of(-1, &id));
}

TEST(spawn_reports_what_goes_wrong)
{
    static const char *const none[] = { "/no/such/program", NULL }, *const env[] = { NULL };
    static const struct rt_sysctl bad[] = { { "kernel.panic", "1" } }, sneaky[] =
        { { "net.../../kernel/panic", "1" } };
    static const char *const fine[] = { "true", NULL };
    struct errbuf err;
    char path[160];
    pid_t pid;

    CHECK_INT(spawn_detached(&(struct spawn_opts){ .argv = none, .env = env }, &pid, &err), E_NOTFOUND);
    CHECK_INT(spawn_detached(&(struct spawn_opts){ .argv = fine, .env = env, .cwd = "/no/dir" }, &pid,
                             &err), E_NOTFOUND);
    CHECK_INT(spawn_detached(&(struct spawn_opts){ .argv = fine, .env = env, .sysctls = bad,
                                                   .n_sysctls = 1 }, &pid, &err), E_INVALID);
    CHECK_INT(spawn_detached(&(struct spawn_opts){ .argv = fine, .env = env, .sysctls = sneaky,
                                                   .n_sysctls = 1,
                                                   .unshare = CLONE_NEWNET }, &pid, &err), E_INVALID);
    CHECK(spawn_sysctl_path("net.ipv4.ip_unprivileged_port_start", CLONE_NEWNET, path, sizeof path));
    CHECK_STR(str_of(path), "/proc/sys/net/ipv4/ip_unprivileged_port_start");
    CHECK(!spawn_sysctl_path("net.ipv4.ip_forward", 0, path, sizeof path));
    CHECK(spawn_sysctl_path("kernel.shmmax", CLONE_NEWIPC, path, sizeof path));
}

TEST(routes_are_set_in_the_own_namespace)
{
    struct ip4_net net;
    struct errbuf err;

    CHECK_INT(ip4_net_parse("10.244.3.7/24", &net, NULL), 0);
    CHECK(net.addr == 0x0af40300 && net.bits == 24);
    static const char *const bad[] = { "", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "x/8", "10.0.0.0/-1",
                                       "10.0.0.0/8x" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_INT(ip4_net_parse(bad[i], &net, NULL), E_INVALID);
    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
        return;
    CHECK(route_replace("10.244.9.0/24", "192.0.2.1", &err) < 0);        /* no interface leads there */
    CHECK_INT(route_delete("10.244.9.0/24", &err), 0);
    must(system("ip link set lo up; ip addr add 192.0.2.5/24 dev lo") == 0);
    CHECK_INT(route_replace("10.244.9.0/24", "192.0.2.1", &err), 0);
    CHECK_INT(route_replace("10.244.9.0/24", "192.0.2.2", &err), 0);
    CHECK(system("ip route | grep -q '10.244.9.0/24 via 192.0.2.2'") == 0);
    CHECK_INT(route_delete("10.244.9.0/24", &err), 0);
    CHECK(system("ip route | grep -q 10.244.9.0/24") != 0);
}
