/* node/pidwatch.c: /proc start times and pidfds on the loop; see pidwatch.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "net/real_loop.h"
#include "node/files.h"
#include "node/pidwatch.h"

enum { FIELD_STATE = 3, FIELD_START = 22 };      /* of /proc/PID/stat, counted from 1 */

/* The command name may hold anything: fields are counted from the last ')'. */
static bool read_stat(pid_t pid, char *ret_state, uint64_t *ret_start)
{
    struct file_path p;
    struct buf b = BUF_INIT;
    struct str rest, f;
    bool ok = false;

    if (file_path(&p, NULL, "/proc/%d/stat", (int)pid) < 0 || file_read(p.s, 8192, &b, NULL) < 0)
        goto out;
    rest = buf_str(&b);
    while (rest.n > 0 && rest.p[rest.n - 1] != ')')
        rest.n--;
    if (rest.n == 0 || b.n < rest.n + 2)
        goto out;
    rest = str_from(buf_str(&b), rest.n + 1);
    for (int i = FIELD_STATE; str_split(&rest, ' ', &f) && i <= FIELD_START; i++) {
        if (i == FIELD_STATE && f.n == 1)
            *ret_state = f.p[0];
        if (i == FIELD_START)
            ok = str_u64(f, ret_start);
    }
out:
    buf_release(&b);
    return ok;
}

static void read_boot(char ret[40])
{
    struct buf b = BUF_INIT;

    ret[0] = '\0';
    if (file_read("/proc/sys/kernel/random/boot_id", 256, &b, NULL) == 0) {
        struct str s = str_trim(buf_str(&b));
        snprintf(ret, 40, "%.*s", STR_ARG(s));
    }
    buf_release(&b);
}

bool proc_id_of(pid_t pid, struct proc_id *ret)
{
    struct proc_id id = { .pid = pid };
    char state = 'X';

    if (pid <= 0 || !read_stat(pid, &state, &id.start_ticks))
        return false;
    read_boot(id.boot);
    *ret = id;
    return true;
}

bool proc_id_alive(const struct proc_id *id)
{
    uint64_t start;
    char state = 'X', boot[40];

    if (id->pid <= 0 || !read_stat(id->pid, &state, &start) || start != id->start_ticks)
        return false;
    read_boot(boot);
    return strcmp(boot, id->boot) == 0 && state != 'Z' && state != 'X';
}

/* -> fd, or -1 when it has ended.  Checked after opening: from then on the fd cannot mean another. */
static int pidfd_of(const struct proc_id *id)
{
    int fd = id->pid > 0 ? (int)syscall(SYS_pidfd_open, id->pid, 0) : -1;

    if (fd >= 0 && !proc_id_alive(id)) {
        close(fd);
        return -1;
    }
    return fd;
}

int proc_id_signal(const struct proc_id *id, int signum, struct errbuf *err)
{
    int rc = 0, fd = pidfd_of(id);

    if (fd < 0)
        return err_set(err, E_NOTFOUND, "process %d has ended", (int)id->pid);
    if (syscall(SYS_pidfd_send_signal, fd, signum, NULL, 0) < 0)
        rc = errno == ESRCH ? err_set(err, E_NOTFOUND, "process %d has ended", (int)id->pid)
                            : err_sys(err, errno, "signal process %d", (int)id->pid);
    close(fd);
    return rc;
}

/* ---- descriptors on the loop ------------------------------------------------------------------ */

struct fd_watch {
    uv_poll_t poll;
    int fd;
    void (*fn)(void *arg, int fd);
    void *arg;
};

static void fd_watch_on_event(uv_poll_t *h, int status, int events)
{
    struct fd_watch *w = container_of(h, struct fd_watch, poll);
    w->fn(w->arg, w->fd);
}

static void fd_watch_on_closed(uv_handle_t *h)
{
    mem_free(container_of((uv_poll_t *)h, struct fd_watch, poll));
}

int fd_watch_open(struct loop *l, int fd, void (*fn)(void *arg, int fd), void *arg, struct fd_watch **ret,
                  struct errbuf *err)
{
    struct fd_watch *w = mem_new(struct fd_watch);

    w->fd = fd;
    w->fn = fn;
    w->arg = arg;
    int rc = uv_poll_init(&real_loop(l)->uv, &w->poll, fd);
    if (rc < 0) {
        mem_free(w);
        return err_set(err, E_IO, "watch descriptor: %s", uv_strerror(rc));
    }
    must_ok(uv_poll_start(&w->poll, UV_READABLE, fd_watch_on_event));
    *ret = w;
    return 0;
}

void fd_watch_mode(struct fd_watch *w, bool readable, bool writable)
{
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);

    if (events == 0)
        uv_poll_stop(&w->poll);
    else
        must_ok(uv_poll_start(&w->poll, events, fd_watch_on_event));
}

void fd_watch_close(struct fd_watch *w)
{
    if (w == NULL)
        return;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, fd_watch_on_closed);
}

/* ---- ends of processes ------------------------------------------------------------------------ */

struct pid_watch {
    struct fd_watch *watch;                      /* NULL: it had ended before we looked */
    struct ready_item ready;
    int fd;
    void (*fn)(void *arg);
    void *arg;
};

static void pid_watch_on_end(void *arg, int fd)
{
    struct pid_watch *w = arg;

    fd_watch_close(w->watch);
    w->watch = NULL;
    w->fn(w->arg);                               /* may close w */
}

static void pid_watch_on_ready(struct ready_item *it)
{
    struct pid_watch *w = container_of(it, struct pid_watch, ready);
    w->fn(w->arg);
}

int pid_watch_open(struct loop *l, const struct proc_id *id, void (*fn)(void *arg), void *arg,
                   struct pid_watch **ret,
                   struct errbuf *err)
{
    struct pid_watch *w = mem_new(struct pid_watch);
    int rc = 0;

    ready_init(&w->ready, pid_watch_on_ready);
    w->fn = fn;
    w->arg = arg;
    w->fd = pidfd_of(id);
    if (w->fd < 0)
        ready_post(l, &w->ready);
    else
        rc = fd_watch_open(l, w->fd, pid_watch_on_end, w, &w->watch, err);
    if (rc < 0) {
        close(w->fd);
        mem_free(w);
        return rc;
    }
    *ret = w;
    return 0;
}

void pid_watch_close(struct pid_watch *w)
{
    if (w == NULL)
        return;
    ready_cancel(&w->ready);
    fd_watch_close(w->watch);
    if (w->fd >= 0)
        close(w->fd);
    mem_free(w);
}
