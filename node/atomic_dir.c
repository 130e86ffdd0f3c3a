/* node/atomic_dir.c: see node/atomic_dir.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "node/atomic_dir.h"
#include "node/files.h"

/* Relative, no empty part, no part that begins with ".." (those names are ours). */
static bool path_ok(struct str path)
{
    struct str part;

    if (path.n == 0 || path.n > 1024 || path.p[0] == '/' || memchr(path.p, 0, path.n) != NULL)
        return false;
    while (str_split(&path, '/', &part))
        if (part.n == 0 || part.n > 250 || str_is(part, ".") || str_starts(part, STR("..")))
            return false;
    return true;
}

static bool same_file(const char *dir, const struct atomic_file *f)
{
    struct file_path p;
    struct buf b = BUF_INIT;
    struct stat st;
    bool same;

    if (file_path(&p, NULL, "%s/..data/%.*s", dir, STR_ARG(f->path)) != 0 || stat(p.s, &st) != 0
        || (st.st_mode & 07777) != f->mode || (f->gid != 0 && st.st_gid != f->gid))
        return false;
    same = file_read(p.s, f->data.n + 1, &b, NULL) == 0 && str_eq(buf_str(&b), f->data);
    buf_release(&b);
    return same;
}

static int count_entry(void *arg, const char *name)
{
    *(size_t *)arg += name[0] != '.' || name[1] != '.';
    return 0;
}

/* Number of top-level names that `f` makes. */
static size_t top_names(const struct atomic_file *f, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        ptrdiff_t cut = str_find(f[i].path, '/');
        struct str top = cut < 0 ? f[i].path : str_upto(f[i].path, (size_t)cut);
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = str_starts(f[k].path, top) && (f[k].path.n == top.n || f[k].path.p[top.n] == '/');
        count += !seen;
    }
    return count;
}

static bool up_to_date(const char *dir, const struct atomic_file *f, size_t n)
{
    size_t have = 0;

    for (size_t i = 0; i < n; i++)
        if (!same_file(dir, &f[i]))
            return false;
    if (file_each(dir, count_entry, &have, NULL) != 0)
        return false;
    struct file_path p;
    return file_path(&p, NULL, "%s/..data", dir) == 0 && file_exists(p.s) && have == top_names(f, n);
}

static int write_file(const char *dir, const char *serial, const struct atomic_file *f, struct errbuf *err)
{
    struct file_path p;
    int rc;

    if ((rc = file_path(&p, err, "%s/%s/%.*s", dir, serial, STR_ARG(f->path))) != 0)
        return rc;
    /* The directories on the way, for everyone to read, whatever the umask. */
    for (char *slash = p.s + strlen(dir) + strlen(serial) + 1; (slash = strchr(slash + 1, '/')) != NULL;
         *slash = '/') {
        *slash = '\0';
        if ((mkdir(p.s, 0755) != 0 && errno != EEXIST) || chmod(p.s, 0755) != 0)
            return err_sys(err, errno, "make %s", p.s);
    }
    int fd = open(p.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, errno, "write %s", p.s);
    struct str left = f->data;
    while (left.n > 0) {
        ssize_t w = write(fd, left.p, left.n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0) {
            rc = err_sys(err, errno, "write %s", p.s);
            break;
        }
        left = str_from(left, (size_t)w);
    }
    if (rc == 0 && ((f->gid != 0 && fchown(fd, (uid_t)-1, f->gid) != 0) || fchmod(fd, f->mode) != 0))
        rc = err_sys(err, errno, "chmod %s", p.s);
    close(fd);
    return rc;
}

static bool links_to(const char *path, const char *target)
{
    char now[FILE_PATH_MAX];
    ssize_t n = readlink(path, now, sizeof now);

    return n >= 0 && str_is(str_make(now, (size_t)n), target);
}

static int link_to(const char *dir, const char *name, const char *target, struct errbuf *err)
{
    struct file_path tmp, final;
    int rc;

    if ((rc = file_path(&tmp, err, "%s/..tmp", dir)) != 0
        || (rc = file_path(&final, err, "%s/%s", dir, name)) != 0)
        return rc;
    if (links_to(final.s, target))
        return 0;                                /* who watches it is not woken for nothing */
    unlink(tmp.s);
    if (symlink(target, tmp.s) != 0 || rename(tmp.s, final.s) != 0)
        return err_sys(err, errno, "link %s", final.s);
    return 0;
}

static int link_top(const char *dir, struct str path, struct errbuf *err)
{
    struct file_path name, target;
    ptrdiff_t cut = str_find(path, '/');
    struct str top = cut < 0 ? path : str_upto(path, (size_t)cut);
    int rc;

    if ((rc = file_path(&name, err, "%.*s", STR_ARG(top))) != 0
        || (rc = file_path(&target, err, "..data/%.*s", STR_ARG(top))) != 0)
        return rc;
    return link_to(dir, name.s, target.s, err);
}

/* What is neither current nor wanted goes. */
struct sweep { const char *dir, *serial; const struct atomic_file *f; size_t n; };

static int sweep_entry(void *arg, const char *name)
{
    const struct sweep *s = arg;
    struct file_path p;
    struct str z = str_of(name);

    if (strcmp(name, "..data") == 0 || strcmp(name, s->serial) == 0)
        return 0;
    for (size_t i = 0; i < s->n; i++)
        if (str_starts(s->f[i].path, z) && (s->f[i].path.n == z.n || s->f[i].path.p[z.n] == '/'))
            return 0;
    return file_path(&p, NULL, "%s/%s", s->dir, name) == 0 ? file_remove_tree(p.s, NULL) : 0;
}

/* The next free "..N". */
static int next_serial(const char *dir, char serial[32], struct errbuf *err)
{
    struct file_path p;

    for (unsigned i = 1; i < 1000000; i++) {
        snprintf(serial, 32, "..%u", i);
        if (file_path(&p, err, "%s/%s", dir, serial) != 0)
            return E_TOOBIG;
        if (mkdir(p.s, 0755) == 0)
            return chmod(p.s, 0755) == 0 ? 0 : err_sys(err, errno, "make %s", p.s);
        if (errno != EEXIST)
            return err_sys(err, errno, "make %s", p.s);
    }
    return err_set(err, E_FULL, "%s holds too many versions", dir);
}

int atomic_dir_write(const char *dir, const struct atomic_file *f, size_t n, struct errbuf *err)
{
    char serial[32];
    int  rc;

    for (size_t i = 0; i < n; i++)
        if (!path_ok(f[i].path))
            return err_set(err, E_INVALID, "path \"%.*s\" is not allowed in a volume", STR_ARG(f[i].path));
    if (up_to_date(dir, f, n))
        return 0;
    if ((rc = next_serial(dir, serial, err)) != 0)
        return rc;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = write_file(dir, serial, &f[i], err);
    if (rc == 0)
        rc = link_to(dir, "..data", serial, err);
    if (rc != 0) {
        struct file_path litter;
        if (file_path(&litter, NULL, "%s/%s", dir, serial) == 0)
            file_remove_tree(litter.s, NULL);
        return rc;
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = link_top(dir, f[i].path, err);
    if (rc != 0)
        return rc;
    struct sweep s = { dir, serial, f, n };
    file_each(dir, sweep_entry, &s, NULL);
    return 0;
}
