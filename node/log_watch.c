/* node/log_watch.c: see node/log_watch.h.
 *
 * The kernel gives the same watch descriptor for the same file, so readers of one log share a `file`. */
#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "net/log.h"
#include "net/map.h"
#include "node/log_watch.h"
#include "node/pidwatch.h"

#define EVENTS (IN_MODIFY | IN_CLOSE_WRITE | IN_MOVE_SELF | IN_ATTRIB)
#define READS_PER_TURN 16                        /* of the kernel's queue; the rest wakes us again */

struct log_hub { struct loop *loop; int fd; struct fd_watch *poll; struct map files; };
struct file { struct log_hub *hub; int wd; struct qlink watches; unsigned pins; };
struct log_watch { struct file *file; struct qlink link; void (*fn)(void *arg, bool closed); void *arg; };

static struct str wd_key(const int *wd) { return str_make((const char *)wd, sizeof *wd); }

static void file_unpin(struct file *f)
{
    must(f->pins > 0);
    if (--f->pins > 0)
        return;
    map_del(&f->hub->files, wd_key(&f->wd));
    inotify_rm_watch(f->hub->fd, f->wd);
    mem_free(f);
}

/* A watch may close itself or others meanwhile: the list is detached, and closing unlinks from wherever one is. */
static void file_tell(struct file *f, bool closed)
{
    struct qlink batch;

    f->pins++;
    qmove(&f->watches, &batch);
    while (!qempty(&batch)) {
        struct log_watch *w = qentry(qpop(&batch), struct log_watch, link);
        qpush(&f->watches, &w->link);
        w->fn(w->arg, closed);
    }
    file_unpin(f);
}

static void tell_all(struct log_hub *h)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&h->files, &i, &key, &val);)
        file_tell(val, false);
}

static void hub_on_event(void *arg, int fd)
{
    struct log_hub *h = arg;
    char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t n = read(fd, buf, sizeof buf);
        if (n <= 0)
            return;
        for (const char *p = buf; p < buf + n;) {
            const struct inotify_event *e = (const void *)p;
            struct file *f = map_get(&h->files, wd_key(&e->wd));
            if (e->mask & IN_Q_OVERFLOW)
                tell_all(h);                     /* something was lost: everybody looks */
            else if (f != NULL && !(e->mask & IN_IGNORED))
                file_tell(f, (e->mask & IN_CLOSE_WRITE) != 0);
            p += sizeof *e + e->len;
        }
    }
}

int log_hub_new(struct loop *l, struct log_hub **ret, struct errbuf *err)
{
    struct log_hub *h = mem_new(struct log_hub);
    int rc;

    h->loop = l;
    h->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    rc = h->fd < 0 ? err_sys(err, errno, "inotify") : fd_watch_open(l, h->fd, hub_on_event, h, &h->poll, err);
    if (rc < 0) {
        if (h->fd >= 0)
            close(h->fd);
        mem_free(h);
        return rc;
    }
    *ret = h;
    return 0;
}

void log_hub_free(struct log_hub *h)
{
    if (h == NULL)
        return;
    must(h->files.n == 0);
    map_release(&h->files);
    fd_watch_close(h->poll);
    close(h->fd);
    mem_free(h);
}

struct loop *log_hub_loop(struct log_hub *h) { return h->loop; }

int log_watch_open(struct log_hub *h, int fd, void (*fn)(void *arg, bool closed), void *arg,
                   struct log_watch **ret, struct errbuf *err)
{
    char path[40];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int wd = inotify_add_watch(h->fd, path, EVENTS);
    if (wd < 0)
        return err_sys(err, errno, "watch log file");
    struct file *f = map_get(&h->files, wd_key(&wd));
    if (f == NULL) {
        f = mem_new(struct file);
        f->hub = h;
        f->wd = wd;
        qinit(&f->watches);
        map_put(&h->files, wd_key(&f->wd), f);
    }
    struct log_watch *w = mem_new(struct log_watch);
    *w = (struct log_watch){ .file = f, .fn = fn, .arg = arg };
    qinit(&w->link);
    qpush(&f->watches, &w->link);
    f->pins++;
    *ret = w;
    return 0;
}

void log_watch_close(struct log_watch *w)
{
    if (w == NULL)
        return;
    qdel(&w->link);
    file_unpin(w->file);
    mem_free(w);
}
