/* net/proc_run.c: run a program to its end and collect what it says. */
#include <signal.h>
#include "net/proc.h"

enum {
    MAX_OUT = 1 << 20,
    LEFT_OPEN_MS = 1000,                         /* pipes that a daemon left behind still holds */
};

struct proc_run {
    struct proc *proc;
    struct buf   out, err;
    size_t       max_out;
    bool         timed_out, canceled;
    struct timer timeout, left_open;
    void       (*done)(void *arg, const struct proc_run_result *r);
    void        *arg;
};

static void run_add(struct proc_run *r, struct buf *b, const char *p, size_t n)
{
    /* The rest is read and dropped, so that the child goes on. */
    buf_add(b, p, MIN_OF(n, r->max_out - b->n));
}

static void run_on_out(void *arg, struct stream *s, const char *p, size_t n)
{
    struct proc_run *r = arg;
    run_add(r, &r->out, p, n);
}

static void run_on_err(void *arg, struct stream *s, const char *p, size_t n)
{
    struct proc_run *r = arg;
    run_add(r, &r->err, p, n);
}

static const struct stream_events in_events = { NULL };      /* a child that reads nothing is no error */
static const struct stream_events out_events = { .on_data = run_on_out };
static const struct stream_events err_events = { .on_data = run_on_err };

static void run_close_pipes(struct proc_run *r)
{
    for (int i = 0; i < 3; i++)
        if (proc_stdio(r->proc, i) != NULL)
            stream_close(proc_stdio(r->proc, i));
}

static void run_kill(struct proc_run *r)
{
    proc_kill_group(r->proc, SIGKILL);           /* it leads its own session */
    run_close_pipes(r);
}

static void run_on_timeout(struct timer *t)
{
    struct proc_run *r = container_of(t, struct proc_run, timeout);
    r->timed_out = true;
    run_kill(r);
}

static void run_on_left_open(struct timer *t)
{
    run_close_pipes(container_of(t, struct proc_run, left_open));
}

static void run_on_reaped(void *arg, struct proc *p)
{
    struct proc_run *r = arg;

    timer_start(&r->left_open, LEFT_OPEN_MS);
}

static void run_on_exit(void *arg, struct proc *p, int status)
{
    struct proc_run *r = arg;
    struct proc_run_result res = { status, buf_str(&r->out), buf_str(&r->err), r->timed_out };

    timer_stop(&r->timeout);
    timer_stop(&r->left_open);
    if (!r->canceled)
        r->done(r->arg, &res);
    buf_release(&r->out);
    buf_release(&r->err);
    mem_free(r);
}

int proc_run(struct loop *l, const struct proc_run_opts *o, struct proc_run **ret, struct errbuf *err)
{
    struct proc_run *r = mem_new(struct proc_run);
    struct proc_opts po = {
        .argv = o->argv, .env = o->env, .cwd = o->cwd,
        .stdio = { str_empty(o->in) ? -1 : PROC_PIPE, PROC_PIPE, PROC_PIPE },
        .setsid = true,
        .on_reaped = run_on_reaped, .on_exit = run_on_exit, .arg = r,
    };
    int rc = proc_spawn(l, &po, &r->proc, err);

    if (rc < 0) {
        mem_free(r);
        return rc;
    }
    r->max_out = o->max_out > 0 ? o->max_out : MAX_OUT;
    r->done = o->done;
    r->arg = o->arg;
    timer_init(&r->timeout, l, run_on_timeout);
    timer_init(&r->left_open, l, run_on_left_open);
    if (o->timeout_ms > 0)
        timer_start(&r->timeout, o->timeout_ms);
    stream_set_events(proc_stdio(r->proc, 1), &out_events, r);
    stream_set_events(proc_stdio(r->proc, 2), &err_events, r);
    if (!str_empty(o->in)) {
        struct stream *in = proc_stdio(r->proc, 0);
        stream_set_events(in, &in_events, r);
        stream_write(in, o->in.p, o->in.n);
        stream_shutdown(in);
    }
    if (ret != NULL)
        *ret = r;
    return 0;
}

void proc_run_cancel(struct proc_run *r)
{
    r->canceled = true;
    run_kill(r);
}
