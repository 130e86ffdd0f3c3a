/* net/spawn.c: vfork and exec.
 *
 * vfork, because the cost of fork grows with our memory, and because the child can say what failed
 * through memory that both share.  Between vfork and exec the child only makes system calls on what
 * was prepared before, with all signals blocked until ours no longer handles any. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net/arena.h"
#include "net/spawn.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif

/* What the child works on; it writes into failed, errnum and high. */
struct child {
    const struct spawn *o;
    pid_t               parent;
    sigset_t            mask;                    /* the parent's, before */
    int                *high;                    /* the descriptors, moved out of the way */
    const char *volatile failed;                 /* the step that failed; NULL: none */
    volatile int        errnum;
};

static bool child_move_fds(struct child *c)
{
    const struct spawn *o = c->o;
    int base = (int)o->n_fds;

    /* First all above the targets, then all down: whatever the numbers, none is overwritten. */
    for (size_t i = 0; i < o->n_fds; i++)
        if ((c->high[i] = fcntl(o->fds[i], F_DUPFD_CLOEXEC, base)) < 0)
            return false;
    for (size_t i = 0; i < o->n_fds; i++)
        if (dup2(c->high[i], (int)i) < 0)
            return false;
    /* An old kernel refuses; then the close-on-exec flags that all of ours have must do. */
    syscall(SYS_close_range, (unsigned)base, ~0u, CLOSE_RANGE_CLOEXEC);
    return true;
}

static void child_reset_signals(const struct child *c)
{
    struct sigaction sa = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        sigaction(i, &sa, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *child_prepare(struct child *c)
{
    const struct spawn *o = c->o;

    if (o->setsid && setsid() < 0)
        return "setsid";
    if (o->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return "prctl";
    if (o->die_with_parent && getppid() != c->parent)
        return "the parent is gone";
    if (!child_move_fds(c))
        return "descriptors";
    if (o->cwd != NULL && chdir(o->cwd) < 0)
        return "change directory";
    return NULL;
}

_Noreturn static void child_main(struct child *c)
{
    const struct spawn *o = c->o;
    const char *failed;

    child_reset_signals(c);
    failed = child_prepare(c);
    if (failed == NULL) {
        /* execvpe() promises not to change them. */
        char *const *argv = (char *const *)(uintptr_t)o->argv;
        char *const *env = o->env != NULL ? (char *const *)(uintptr_t)o->env : environ;
        execvpe(o->argv[0], argv, env);
        failed = "execute";
    }
    c->errnum = errno;
    c->failed = failed;
    _exit(127);
}

__attribute__((noinline)) static pid_t child_fork(struct child *c)
{
    pid_t pid = vfork();

    if (pid == 0)
        child_main(c);
    return pid;                                  /* the child runs its program, or is gone */
}

int spawn_child(const struct spawn *o, pid_t *ret_pid, struct errbuf *err)
{
    struct child c = { .o = o, .parent = getpid() };
    sigset_t all;

    must(o->argv[0] != NULL && o->n_fds >= 3);
    c.high = mem_zalloc(o->n_fds * sizeof *c.high);
    sigfillset(&all);
    must_ok(pthread_sigmask(SIG_SETMASK, &all, &c.mask));
    pid_t pid = child_fork(&c);
    int   errnum = errno;
    must_ok(pthread_sigmask(SIG_SETMASK, &c.mask, NULL));
    mem_free(c.high);
    if (pid < 0)
        return err_sys(err, errnum, "fork for %s", o->argv[0]);
    if (c.failed == NULL) {
        *ret_pid = pid;
        return 0;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return err_sys(err, c.errnum, "%s: %s", o->argv[0], c.failed);
}
