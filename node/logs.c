/* node/logs.c: see node/logs.h.
 *
 *     TAIL --found the first line wanted--> READ --end of file, no newer one--> WAIT (follow) or END
 *      | block by block backwards,           ^  |--a newer file, twice at the end--> READ of that
 *      | then through older files            '--the watch tells-- WAIT
 *
 * Which file is next is found by inode, not by name, since names move under us. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "node/files.h"
#include "node/logs.h"

#define ROTATED_MAX   99                         /* highest number looked for */
#define ENTRY_MAX     (256u << 10)               /* a longer entry is damage: it is skipped to its newline */
#define TAIL_BLOCK    LOG_SLICE

enum reader_state { READER_TAIL, READER_READ, READER_WAIT, READER_END };

struct log_reader {
    struct log_reader_opts o;
    struct loop *loop;
    char *path;
    enum reader_state state;
    bool paused, busy, closed;                   /* busy: inside a callback; closed: freed when that returns */
    bool writer_gone, confirmed, skipping;       /* confirmed: read to its end after a newer file was seen */
    int fd;
    struct stat st;                              /* of fd: who it is */
    off_t at;                                    /* READ: next byte; TAIL: everything from here on was looked at */
    size_t overlap;                              /* TAIL: bytes behind `at` that were looked at */
    uint64_t tail_want;
    struct buf in, out;
    struct log_watch *watch;
    struct ready_item go;
    int err; struct errbuf why;
};

static void reader_go(struct log_reader *r) { ready_post(r->loop, &r->go); }

/* ---- which file ------------------------------------------------------------------------------- */

static const char *file_name(const struct log_reader *r, unsigned k, struct file_path *p)
{
    int rc = k == 0 ? file_path(p, NULL, "%s", r->path) : file_path(p, NULL, "%s.%u", r->path, k);
    return rc == 0 ? p->s : "";
}

static bool same_file(const struct stat *x, const struct stat *y)
{
    return x->st_ino == y->st_ino && x->st_dev == y->st_dev;
}

/* Number of the file we have open, by its names now; -1: it has none any more. */
static int file_number(const struct log_reader *r)
{
    struct file_path p;
    struct stat st;

    for (unsigned k = 0; k <= ROTATED_MAX; k++)
        if (stat(file_name(r, k, &p), &st) == 0) {
            if (same_file(&st, &r->st))
                return (int)k;
        } else if (k > 0) {
            break;                               /* number 0 may be missing for a moment */
        }
    return -1;
}

static unsigned oldest(const struct log_reader *r)
{
    struct file_path p;
    unsigned k = 0;

    while (k < ROTATED_MAX && file_exists(file_name(r, k + 1, &p)))
        k++;
    return k;
}

static int64_t mtime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Our file has lost its names: the oldest of those that were written after it. */
static unsigned oldest_newer(const struct log_reader *r)
{
    struct file_path p;
    struct stat ours, st;
    unsigned k = oldest(r);

    if (fstat(r->fd, &ours) < 0)
        return 0;
    while (k > 0 && (stat(file_name(r, k, &p), &st) < 0 || mtime_ns(&st) < mtime_ns(&ours)))
        k--;
    return k;
}

static void file_close(struct log_reader *r)
{
    log_watch_close(r->watch);
    r->watch = NULL;
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}

/* Open number k instead of what is open now, which stays when that fails. */
static int file_open(struct log_reader *r, unsigned k, struct errbuf *err)
{
    struct file_path p;
    struct stat st;
    int fd = open(file_name(r, k, &p), O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return err_sys(err, errno, "open log %s", p.s);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, E_INVALID, "log %s is not a file", p.s);
    }
    file_close(r);
    r->fd = fd;
    r->st = st;
    r->at = 0;
    r->writer_gone = r->confirmed = r->skipping = false;
    buf_clear(&r->in);
    return 0;
}

/* ---- reading on ------------------------------------------------------------------------------- */

static void reader_fail(struct log_reader *r, int err)
{
    r->err = err;
    r->state = READER_END;
}

/* Everything complete in r->in to r->out. */
static void take_entries(struct log_reader *r)
{
    size_t used = 0;

    while (used < r->in.n && r->o.filter.left > 0) {
        const char *p = r->in.p + used, *nl = memchr(p, '\n', r->in.n - used);
        if (nl == NULL)
            break;
        if (!r->skipping)
            log_filter_entry(&r->o.filter, str_make(p, (size_t)(nl - p)), &r->out);
        r->skipping = false;
        used += (size_t)(nl - p) + 1;
    }
    buf_drop(&r->in, used);
    if (r->in.n > ENTRY_MAX) {
        r->skipping = true;
        buf_clear(&r->in);
    }
    if (r->o.filter.left == 0)
        r->state = READER_END;
}

/* Can nobody write this file any more?  A read lease is only granted when no one has it open for writing.
 * Should a writer come in the very moment that we hold it, the signal is one that is ignored by default. */
static bool no_writer(int fd)
{
    if (fcntl(fd, F_SETSIG, SIGURG) < 0 || fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
        return false;
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return true;
}

static void watch_on_event(void *arg, bool closed)
{
    struct log_reader *r = arg;
    struct stat st;

    if (closed || (fstat(r->fd, &st) == 0 && st.st_nlink == 0))
        r->writer_gone = true;
    if (r->state == READER_WAIT)
        r->state = READER_READ;
    if (!r->paused)
        reader_go(r);
}

/* At the end of the file with nothing newer: wait, or that was all.  Watched from before the last look, so
 * that nothing falls between looking and waiting. */
static void reader_wait(struct log_reader *r)
{
    int rc = 0;

    if (!r->o.follow || r->writer_gone) {
        r->state = READER_END;
        return;
    }
    if (r->watch != NULL) {
        r->state = READER_WAIT;
        if (r->in.n == 0)
            buf_release(&r->in);                 /* it may be long */
        if (r->out.n == 0)
            buf_release(&r->out);
        return;
    }
    rc = log_watch_open(r->o.hub, r->fd, watch_on_event, r, &r->watch, &r->why);
    if (rc < 0) {
        reader_fail(r, rc);
        return;
    }
    r->writer_gone = no_writer(r->fd);
    reader_go(r);                                /* one look more */
}

static void at_end_of_file(struct log_reader *r)
{
    int k = file_number(r);
    bool newer = k > 0;
    struct file_path p;

    if (k < 0)                                   /* ours is gone: rotated away, or the pod is */
        newer = file_exists(file_name(r, 0, &p));
    if (!newer) {
        reader_wait(r);
    } else if (!r->confirmed) {
        r->confirmed = true;                     /* its writer has moved on: what it wrote last is there now */
        reader_go(r);
    } else if (file_open(r, k > 0 ? (unsigned)k - 1 : oldest_newer(r), &r->why) == 0) {
        reader_go(r);
    } else {
        reader_wait(r);                          /* moved, but the new one is not made yet */
    }
}

static void reader_read(struct log_reader *r)
{
    size_t had = r->in.n;

    buf_reserve(&r->in, LOG_SLICE);
    ssize_t n = pread(r->fd, r->in.p + had, LOG_SLICE, r->at);
    if (n < 0) {
        reader_fail(r, err_sys(&r->why, errno, "read log %s", r->path));
    } else if (n == 0) {
        at_end_of_file(r);
    } else {
        r->at += n;
        r->in.n += (size_t)n;
        take_entries(r);
        if (r->state == READER_READ)
            reader_go(r);
    }
}

/* ---- from the end ----------------------------------------------------------------------------- */

static void tail_start(struct log_reader *r)
{
    r->at = r->st.st_size;
    r->overlap = 0;
}

/* The beginning of this file is reached: older ones, or all there is. */
static void tail_at_start(struct log_reader *r)
{
    int k = file_number(r);

    if (k >= 0 && file_open(r, (unsigned)k + 1, NULL) == 0) {
        tail_start(r);
        return;
    }
    r->state = READER_READ;
    r->at = 0;
}

static void reader_tail(struct log_reader *r)
{
    size_t len = (size_t)MIN_OF((off_t)TAIL_BLOCK, r->at), found;
    off_t  off = r->at - (off_t)len;

    buf_clear(&r->in);
    buf_reserve(&r->in, len + r->overlap);
    ssize_t n = pread(r->fd, r->in.p, len + r->overlap, off);
    if (n < 0 || (size_t)n < len) {
        reader_fail(r, n < 0 ? err_sys(&r->why, errno, "read log %s", r->path)
                             : err_set(&r->why, E_IO, "log %s has shrunk", r->path));
        return;
    }
    if (log_tail_scan(&r->o.filter, r->in.p, (size_t)n, (size_t)n - len, off == 0, &r->tail_want, &found)) {
        r->at = off + (off_t)found;
        r->state = READER_READ;
    } else if (off == 0) {
        tail_at_start(r);
    } else {
        r->at = off;
        r->overlap = MIN_OF((size_t)LOG_HEAD_MAX, len);
    }
    buf_clear(&r->in);
    reader_go(r);
}

/* ---- turns ------------------------------------------------------------------------------------ */

static void reader_free(struct log_reader *r)
{
    file_close(r);
    ready_cancel(&r->go);
    buf_release(&r->in);
    buf_release(&r->out);
    mem_free(r->path);
    mem_free(r);
}

static void reader_tell(struct log_reader *r)
{
    r->busy = true;
    if (r->out.n > 0)
        r->o.on_bytes(r->o.arg, r->out.p, r->out.n);
    buf_clear(&r->out);
    if (!r->closed && r->state == READER_END && !r->paused) {
        file_close(r);
        r->o.on_end(r->o.arg, r->err, r->err != 0 ? r->why.s : "");
    }
    r->busy = false;
    if (r->closed)
        reader_free(r);
}

static void reader_on_go(struct ready_item *it)
{
    struct log_reader *r = container_of(it, struct log_reader, go);

    if (r->paused || r->fd < 0 || r->state == READER_WAIT)
        return;                                  /* fd < 0: the end has been told */
    if (r->state == READER_TAIL)
        reader_tail(r);
    else if (r->state == READER_READ)
        reader_read(r);
    if (r->out.n > 0 || r->state == READER_END)
        reader_tell(r);
}

void log_reader_pause(struct log_reader *r, bool pause)
{
    bool was = r->paused;

    r->paused = pause;
    if (was && !pause && r->fd >= 0)
        reader_go(r);
}

int log_reader_open(const struct log_reader_opts *o, struct log_reader **ret, struct errbuf *err)
{
    struct log_reader *r = mem_new(struct log_reader);
    int rc;

    must(o->on_bytes != NULL && o->on_end != NULL && o->hub != NULL);
    r->o = *o;
    r->loop = log_hub_loop(o->hub);
    r->path = mem_strdup(o->path);
    r->o.path = r->path;
    r->fd = -1;
    ready_init(&r->go, reader_on_go);
    rc = file_open(r, o->tail ? 0 : oldest(r), err);
    if (rc < 0) {
        reader_free(r);
        return rc;
    }
    r->state = o->tail ? READER_TAIL : READER_READ;
    r->tail_want = o->tail_lines;
    if (o->tail)
        tail_start(r);
    if (o->filter.left == 0)
        r->state = READER_END;
    reader_go(r);
    *ret = r;
    return 0;
}

void log_reader_close(struct log_reader *r)
{
    if (r == NULL || r->closed)
        return;
    r->closed = true;
    if (!r->busy)
        reader_free(r);
}

/* ---- rotation --------------------------------------------------------------------------------- */

int log_rotate(const char *path, uint64_t max_bytes, unsigned keep, struct errbuf *err)
{
    struct file_path from, to;
    struct stat st;
    int rc = 0;

    must(keep >= 2 && keep <= ROTATED_MAX);
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(err, errno, "stat log %s", path);
    if ((uint64_t)st.st_size < max_bytes)
        return 0;
    for (unsigned k = keep - 1; k > 0 && rc == 0; k--) {
        rc = file_path(&to, err, "%s.%u", path, k);
        if (rc == 0)
            rc = k > 1 ? file_path(&from, err, "%s.%u", path, k - 1) : file_path(&from, err, "%s", path);
        if (rc == 0 && rename(from.s, to.s) < 0 && errno != ENOENT)
            rc = err_sys(err, errno, "rename log %s", from.s);
    }
    return rc < 0 ? rc : 1;
}

void log_remove(const char *path)
{
    struct file_path p;

    unlink(path);
    for (unsigned k = 1; k <= ROTATED_MAX; k++)
        if (file_path(&p, NULL, "%s.%u", path, k) < 0 || unlink(p.s) < 0)
            return;
}
