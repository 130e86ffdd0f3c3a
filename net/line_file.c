/* net/line_file.c: see net/line_file.h.  The thread owns the descriptor and `size` while a piece is
 * written; the loop owns all else. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "net/line_file.h"
#include "net/log.h"

enum { PATH_BYTES = 4096, STAMP = 23 };          /* "2006-01-02T15-04-05.000" */

struct line_file {
    struct loop *loop;
    struct loop_work work;
    char *path;
    struct line_file_opts o;
    struct buf waiting, writing;
    int fd;
    uint64_t size;
    int64_t wall_ns;                             /* when the piece was handed over: names and ages go by it */
    int64_t stamped;                             /* the last name's: no two are alike */
    int failed;                                  /* errno of the last piece; 0: it is written */
    uint64_t dropped;
    bool busy, told;
    void (*done)(void *arg); void *arg; bool closing;
};

static int open_file(struct line_file *f)
{
    struct stat st;

    f->fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return errno;
    f->size = fstat(f->fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    return 0;
}

/* ---- Rotation: on the thread --------------------------------------------------------------------- */

/* "dir/audit.log" -> directory, "audit-" and ".log". */
struct parts { char dir[PATH_BYTES], stem[PATH_BYTES], ext[PATH_BYTES]; };

static void split_path(const char *path, struct parts *p)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(base, '.');

    if (dot == NULL || dot == base)
        dot = base + strlen(base);
    snprintf(p->dir, sizeof p->dir, "%.*s", slash != NULL ? (int)(slash + 1 - path) : 2,
             slash != NULL ? path : "./");
    snprintf(p->stem, sizeof p->stem, "%.*s-", (int)(dot - base), base);
    snprintf(p->ext, sizeof p->ext, "%s", dot);
}

static void stamp_at(int64_t wall_ns, char to[STAMP + 1])
{
    time_t    s = (time_t)(wall_ns / 1000000000);
    struct tm tm;
    char      text[STAMP + 1];

    gmtime_r(&s, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H-%M-%S", &tm);
    snprintf(to, STAMP + 1, "%.19s.%03u", text, (unsigned)(wall_ns / 1000000 % 1000));
}

/* Is this one that we rotated away?  Its stamp then sorts it by age. */
static bool is_backup(const struct parts *p, const char *name)
{
    size_t stem = strlen(p->stem), ext = strlen(p->ext), n = strlen(name);
    static const char form[] = "dddd-dd-ddTdd-dd-dd.ddd";

    if (n != stem + STAMP + ext || strncmp(name, p->stem, stem) != 0 ||
        strcmp(name + stem + STAMP, p->ext) != 0)
        return false;
    for (size_t i = 0; i < STAMP; i++) {
        char c = name[stem + i];

        if (form[i] == 'd' ? c < '0' || c > '9' : c != form[i])
            return false;
    }
    return true;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

static void remove_old(const struct line_file *f, const struct parts *p)
{
    char           oldest[STAMP + 1], **names = NULL, path[2 * PATH_BYTES];
    size_t         n = 0, keep, cap = 0;
    struct dirent *e;
    DIR           *d = opendir(p->dir);

    if (d == NULL)
        return;
    while ((e = readdir(d)) != NULL)
        if (is_backup(p, e->d_name)) {
            if (n == cap)
                names = mem_realloc(names, (cap = cap > 0 ? 2 * cap : 16) * sizeof(*names));
            names[n++] = mem_strdup(e->d_name);
        }
    closedir(d);
    if (n > 0)
        qsort(names, n, sizeof(*names), by_name);
    stamp_at(f->wall_ns - (int64_t)f->o.max_age_s * 1000000000, oldest);
    keep = f->o.max_backups == 0 ? n : MIN_OF(n, (size_t)f->o.max_backups);
    for (size_t i = 0; i < n; i++) {
        bool too_old = f->o.max_age_s > 0 && strncmp(names[i] + strlen(p->stem), oldest, STAMP) < 0;

        if (i < n - keep || too_old) {
            snprintf(path, sizeof path, "%s%s", p->dir, names[i]);
            unlink(path);
        }
        mem_free(names[i]);
    }
    mem_free(names);
}

static int rotate(struct line_file *f)
{
    struct parts p;
    char         stamp[STAMP + 1], to[4 * PATH_BYTES];

    split_path(f->path, &p);
    f->stamped = MAX_OF(f->wall_ns, f->stamped + 1000000);
    stamp_at(f->stamped, stamp);
    snprintf(to, sizeof to, "%s%s%s%s", p.dir, p.stem, stamp, p.ext);
    close(f->fd);
    f->fd = -1;
    if (rename(f->path, to) != 0)
        return errno;
    remove_old(f, &p);
    return open_file(f);
}

/* ---- Writing ------------------------------------------------------------------------------------- */

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t rc = write(fd, p, n);

        if (rc < 0 && errno != EINTR)
            return errno;
        if (rc > 0) {
            p += rc;
            n -= (size_t)rc;
        }
    }
    return 0;
}

/* A line longer than the limit has a file of its own. */
static void write_piece(struct loop_work *w)
{
    struct line_file *f = container_of(w, struct line_file, work);
    uint64_t          max = f->o.max_bytes;
    struct str        rest = buf_str(&f->writing);

    f->failed = f->fd < 0 ? open_file(f) : 0;
    while (rest.n > 0 && f->failed == 0) {
        size_t n = 0;

        if (max == 0)
            n = rest.n;
        while (n < rest.n) {                     /* as many lines as fit */
            size_t line = (size_t)str_find(str_from(rest, n), '\n') + 1;

            if (f->size + n + line > max && (n > 0 || f->size > 0))
                break;
            n += line;
        }
        if (n == 0) {
            f->failed = rotate(f);
            continue;
        }
        f->failed = write_all(f->fd, rest.p, n);
        f->size += n;
        rest = str_from(rest, n);
    }
}

static void piece_written(struct loop_work *w);

static void next_piece(struct line_file *f)
{
    struct buf swap = f->writing;

    must(!f->busy && f->waiting.n > 0);
    f->writing = f->waiting;
    f->waiting = swap;
    buf_clear(&f->waiting);
    f->wall_ns = loop_wall_ns(f->loop);
    f->busy = true;
    f->work = (struct loop_work){ .fn = write_piece, .done = piece_written };
    loop_work(f->loop, &f->work);
}

static void file_free(struct line_file *f)
{
    void (*done)(void *arg) = f->done;
    void *arg = f->arg;

    if (f->fd > STDERR_FILENO)
        close(f->fd);
    buf_release(&f->waiting);
    buf_release(&f->writing);
    mem_free(f->path);
    mem_free(f);
    if (done != NULL)
        done(arg);
}

static void piece_written(struct loop_work *w)
{
    struct line_file *f = container_of(w, struct line_file, work);

    f->busy = false;
    if (f->failed != 0 && !f->told)
        log_error("log", "%s: %s; lines are lost until it can be written again", f->path,
                  strerror(f->failed));
    if (f->failed != 0)
        f->dropped++;
    f->told = f->failed != 0;
    if (f->waiting.n > 0)
        next_piece(f);
    else if (f->closing)
        file_free(f);
}

int line_file_open(struct loop *l, const struct line_file_opts *o, struct line_file **ret, struct errbuf *err)
{
    struct line_file *f;
    int               rc;

    if (strlen(o->path) >= PATH_BYTES)
        return err_set(err, E_INVALID, "%.40s...: too long a name for a file", o->path);
    f = mem_new(struct line_file);
    f->loop = l;
    f->o = *o;
    f->path = mem_strdup(o->path);
    f->o.path = f->path;
    if (strcmp(o->path, "-") == 0) {
        f->fd = STDOUT_FILENO;
        f->o.max_bytes = 0;
    } else if ((rc = open_file(f)) != 0) {
        rc = err_sys(err, rc, "%s", f->path);
        file_free(f);
        return rc;
    }
    *ret = f;
    return 0;
}

void line_file_write(struct line_file *f, struct str line)
{
    must(!f->closing);
    if (f->waiting.n + line.n >= LINE_FILE_WAITING_MAX) {
        if (!f->told)
            log_error("log", "%s: cannot be written as fast as lines come; some are lost", f->path);
        f->told = true;
        f->dropped++;
        return;
    }
    buf_str_add(&f->waiting, line);
    buf_char(&f->waiting, '\n');
    if (!f->busy)
        next_piece(f);
}

uint64_t line_file_dropped(const struct line_file *f)
{
    return f->dropped;
}

void line_file_close(struct line_file *f, void (*done)(void *arg), void *arg)
{
    must(!f->closing);
    f->closing = true;
    f->done = done;
    f->arg = arg;
    if (!f->busy)
        file_free(f);
}
