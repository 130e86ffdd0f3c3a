/* net/proc.h: child processes (real loop only).  A child is described, spawned, and reported once. */
#ifndef NET_PROC_H
#define NET_PROC_H

#include "net/stream.h"

struct proc;
struct proc_opts {
    const char *const *argv;                     /* NULL-terminated, argv[0] looked up in PATH */
    const char *const *env;                      /* NULL-terminated "K=V"; NULL: ours */
    const char *cwd;                             /* NULL: ours */
    int  stdio[3];                               /* fd to inherit; -1: /dev/null; PROC_PIPE: a stream */
    const int *fds; size_t n_fds;                /* further inherited fds, become 3, 4, ... */
    bool setsid;                                 /* own session: survives us */
    bool die_with_parent;                        /* PR_SET_PDEATHSIG SIGKILL */
    /* The child itself has ended; its pipes may still be open, even for good when it left a daemon behind
     * that holds them.  NULL ok. */
    void (*on_reaped)(void *arg, struct proc *p);
    /* Exited and all its pipe streams closed.  status: exit code, or 128 + signal.
     * Once, last; the proc is freed after it. */
    void (*on_exit)(void *arg, struct proc *p, int status);
    void *arg;
};
#define PROC_PIPE (-2)
int  proc_spawn(struct loop *l, const struct proc_opts *o, struct proc **ret, struct errbuf *err);
int  proc_pid(const struct proc *p);
struct stream *proc_stdio(struct proc *p, int i);  /* caller sets its events right after spawn; closed by the caller or eof; i = 0 also by the child's end */
void proc_kill(struct proc *p, int signum);      /* only if not reaped yet */
void proc_kill_group(struct proc *p, int signum);  /* with setsid: its children, too, while it is not reaped */
bool proc_exited(const struct proc *p);          /* reaped */
/* on_exit won't be called any more; the child lives on. */
void proc_detach(struct proc *p);

/* The common case: run in a session of its own, feed `in`, collect stdout and stderr (each up to max_out), report.
 * When a daemon that it left behind keeps the pipes open, they are closed a second after its end. */
struct proc_run_result { int status; struct str out, err; bool timed_out; };  /* strs: during the call */
struct proc_run_opts {
    const char *const *argv; const char *const *env; const char *cwd;
    struct str in;                               /* copied */
    size_t max_out;                              /* 0: 1 MiB */
    uint64_t timeout_ms;                         /* 0: none; then SIGKILL to all its group */
    void (*done)(void *arg, const struct proc_run_result *r);
    void *arg;
};
struct proc_run;
int  proc_run(struct loop *l, const struct proc_run_opts *o, struct proc_run **ret /* NULL ok */, struct errbuf *err);
void proc_run_cancel(struct proc_run *r);        /* SIGKILL; done is not called */

/* Wrap a file descriptor (pipe, pty, socket) as a stream; takes the fd over. */
int  stream_from_fd(struct loop *l, int fd, const struct stream_events *ev, void *arg, struct stream **ret, struct errbuf *err);

#endif
