/* node/spawn.c: fork twice, enter cgroups and namespaces, exec; see spawn.h.
 *
 * The agent has threads, so between fork and exec only async-signal-safe calls are made: everything a child needs
 * is laid out before.  What went wrong comes back through a pipe that exec closes. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "node/spawn.h"

enum stage { ST_PID, ST_FORK, ST_CGROUP, ST_UNSHARE, ST_NETWORK, ST_HOSTNAME, ST_SYSCTL, ST_FDS, ST_CWD,
             ST_EXEC };
static const char *const stage_text[] = {
    "start", "fork", "enter the cgroup", "make namespaces", "bring up loopback", "set the host name",
    "set a sysctl",
    "arrange file descriptors", "change directory", "execute",
};

struct report { int stage, value; };             /* ST_PID: value is the pid; else errno */

enum { SYSCTLS_MAX = 32, SYSCTL_PATH_MAX = 160, FD_PARK = 100 };

struct plan {
    const struct spawn_opts *o;
    char sysctl[SYSCTLS_MAX][SYSCTL_PATH_MAX];
    int  report;                                 /* write end */
    int  go[2];                                  /* closed without a byte: we are gone, or it must not run */
    char **argv, **env;
};

static void tell(const struct plan *p, int stage, int value)
{
    struct report r = { stage, value };
    ssize_t n = write(p->report, &r, sizeof r);
    (void)n;                                     /* the parent is gone: nobody to tell */
}

static _Noreturn void fail(const struct plan *p, int stage)
{
    tell(p, stage, errno);
    _exit(127);
}

static int poke(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    int errnum = errno;
    close(fd);
    errno = errnum;
    return n < 0 ? -1 : 0;
}

static int loopback_up(void)
{
    struct ifreq ifr = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    ifr.ifr_flags = IFF_UP | IFF_RUNNING;
    int rc = ioctl(fd, SIOCSIFFLAGS, &ifr);
    close(fd);
    return rc;
}

/* Targets may coincide with sources: park all sources high first. */
static int place_fds(struct plan *p)
{
    int high[SPAWN_FDS_MAX], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int report = fcntl(p->report, F_DUPFD_CLOEXEC, FD_PARK);

    if (null < 0 || report < 0)
        return -1;
    p->report = report;
    for (unsigned i = 0; i < p->o->n_fds; i++)
        if ((high[i] = fcntl(p->o->fds[i], F_DUPFD_CLOEXEC, FD_PARK)) < 0)
            return -1;
    for (int i = 0; i < 3; i++)
        if (dup2(null, i) < 0)
            return -1;
    for (unsigned i = 0; i < p->o->n_fds; i++)
        if (dup2(high[i], 3 + (int)i) < 0)
            return -1;
    /* Nothing of ours may leak into a container's monitor, whoever forgot a flag. */
    return (int)syscall(SYS_close_range, 3 + p->o->n_fds, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
}

static void reset_signals(bool reap)
{
    sigset_t none;

    for (int s = 1; s < 32; s++)
        if (s != SIGKILL && s != SIGSTOP)
            signal(s, SIG_DFL);
    if (reap)
        signal(SIGCHLD, SIG_IGN);                /* kept across exec: the kernel reaps */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void await_go(struct plan *p)
{
    char c;
    ssize_t n;

    close(p->go[1]);
    do
        n = read(p->go[0], &c, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(0);
}

static _Noreturn void grandchild(struct plan *p)
{
    const struct spawn_opts *o = p->o;

    await_go(p);
    for (unsigned i = 0; i < o->n_cgroups; i++)
        if (poke(o->cgroup_procs[i], "0") < 0)
            fail(p, ST_CGROUP);
    if (o->unshare & ~CLONE_NEWPID && unshare(o->unshare & ~CLONE_NEWPID) < 0)
        fail(p, ST_UNSHARE);
    if (o->unshare & CLONE_NEWNET && loopback_up() < 0)
        fail(p, ST_NETWORK);
    if (o->unshare & CLONE_NEWUTS && o->hostname != NULL && sethostname(o->hostname, strlen(o->hostname)) < 0)
        fail(p, ST_HOSTNAME);
    for (size_t i = 0; i < o->n_sysctls; i++)
        if (poke(p->sysctl[i], o->sysctls[i].value) < 0)
            fail(p, ST_SYSCTL);
    if (place_fds(p) < 0)
        fail(p, ST_FDS);
    if (chdir(o->cwd != NULL ? o->cwd : "/") < 0)
        fail(p, ST_CWD);
    reset_signals(o->reap);
    execvpe(p->argv[0], p->argv, p->env);
    fail(p, ST_EXEC);
}

static _Noreturn void child(struct plan *p)
{
    if (setsid() < 0)
        fail(p, ST_FORK);
    if (p->o->unshare & CLONE_NEWPID && unshare(CLONE_NEWPID) < 0)
        fail(p, ST_UNSHARE);
    pid_t pid = fork();
    if (pid < 0)
        fail(p, ST_FORK);
    if (pid == 0)
        grandchild(p);
    tell(p, ST_PID, pid);
    _exit(0);
}

static int read_report(int fd, struct report *r)
{
    for (;;) {
        ssize_t n = read(fd, r, sizeof *r);
        if (n < 0 && errno == EINTR)
            continue;
        return n == (ssize_t)sizeof *r;
    }
}

/* Reads reports to their end; the first is the pid, or why there is none. */
static int collect(struct plan *p, int fd, pid_t *ret_pid, struct errbuf *err)
{
    const struct spawn_opts *o = p->o;
    struct report r;
    pid_t pid = 0;
    int rc = 0;

    while (rc == 0 && read_report(fd, &r)) {
        if (r.stage != ST_PID) {
            rc = err_sys(err, r.value, "%s: %s", o->argv[0], stage_text[r.stage]);
            break;
        }
        pid = r.value;
        if (o->announce != NULL)
            rc = o->announce(o->arg, pid, err);
        if (rc == 0 && write(p->go[1], "", 1) != 1)
            rc = err_sys(err, errno, "%s: start", o->argv[0]);
    }
    if (rc == 0 && pid == 0)
        rc = err_set(err, E_CHILD, "%s: died at once", o->argv[0]);
    if (rc == 0)
        *ret_pid = pid;
    return rc;
}

bool spawn_sysctl_path(const char *name, int unshare_flags, char *ret, size_t size)
{
    static const char *const ipc[] = { "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue." };
    bool ok = strncmp(name, "net.", 4) == 0 && (unshare_flags & CLONE_NEWNET);

    for (unsigned i = 0; i < ARRAY_LEN(ipc); i++)
        ok |= strncmp(name, ipc[i], strlen(ipc[i])) == 0 && (unshare_flags & CLONE_NEWIPC);
    if (!ok || strchr(name, '/') != NULL || strstr(name, "..") != NULL)
        return false;
    int n = snprintf(ret, size, "/proc/sys/%s", name);
    if (n < 0 || (size_t)n >= size)
        return false;
    for (char *c = ret + sizeof "/proc/sys/" - 1; *c != '\0'; c++)
        if (*c == '.')
            *c = '/';
    return true;
}

static int plan_sysctls(struct plan *p, struct errbuf *err)
{
    const struct spawn_opts *o = p->o;

    if (o->n_sysctls > SYSCTLS_MAX)
        return err_set(err, E_INVALID, "more than %d sysctls", SYSCTLS_MAX);
    for (size_t i = 0; i < o->n_sysctls; i++)
        if (!spawn_sysctl_path(o->sysctls[i].name, o->unshare, p->sysctl[i], SYSCTL_PATH_MAX))
            return err_set(err, E_INVALID, "sysctl %.80s is not one of the pod's own", o->sysctls[i].name);
    return 0;
}

int spawn_detached(const struct spawn_opts *o, pid_t *ret_pid, struct errbuf *err)
{
    struct plan p = { .o = o, .argv = (char **)(uintptr_t)o->argv, .env = (char **)(uintptr_t)o->env };
    int fd[2], rc = plan_sysctls(&p, err);

    must(o->n_fds <= SPAWN_FDS_MAX && o->n_cgroups <= SPAWN_CGROUPS_MAX);
    if (rc < 0)
        return rc;
    if (pipe2(fd, O_CLOEXEC) < 0)
        return err_sys(err, errno, "pipe");
    if (pipe2(p.go, O_CLOEXEC) < 0) {
        rc = err_sys(err, errno, "pipe");
        close(fd[0]);
        close(fd[1]);
        return rc;
    }
    p.report = fd[1];
    pid_t pid = fork();
    if (pid == 0)
        child(&p);
    close(fd[1]);
    close(p.go[0]);
    rc = pid < 0 ? err_sys(err, errno, "fork") : collect(&p, fd[0], ret_pid, err);
    close(p.go[1]);
    if (pid > 0)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    close(fd[0]);
    return rc;
}
