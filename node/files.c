/* node/files.c: see files.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "node/files.h"

int file_path(struct file_path *p, struct errbuf *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(p->s, sizeof p->s, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof p->s)
        return err_set(err, E_TOOBIG, "path %.60s... is too long", p->s);
    return 0;
}

int file_mkdirs(const char *path, mode_t mode, struct errbuf *err)
{
    struct file_path p;
    int rc = file_path(&p, err, "%s", path);

    for (char *c = p.s + 1; rc == 0; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        char was = *c;
        *c = '\0';
        if (mkdir(p.s, mode) < 0 && errno != EEXIST)
            rc = err_sys(err, errno, "mkdir %s", p.s);
        *c = was;
        if (was == '\0')
            break;
    }
    return rc;
}

int file_read_fd(int fd, size_t max, struct buf *ret, struct errbuf *err)
{
    size_t start = ret->n;

    for (;;) {
        buf_reserve(ret, 4096);
        ssize_t n = read(fd, ret->p + ret->n, ret->cap - ret->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read");
        if (n == 0)
            return 0;
        ret->n += (size_t)n;
        if (ret->n - start > max)
            return err_set(err, E_TOOBIG, "more than %zu bytes", max);
    }
}

int file_read(const char *path, size_t max, struct buf *ret, struct errbuf *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(err, errno, "open %s", path);
    int rc = file_read_fd(fd, max, ret, err);
    close(fd);
    return rc < 0 ? err_wrap(err, rc, "%s", path) : 0;
}

static int write_all(int fd, struct str data)
{
    while (data.n > 0) {
        ssize_t n = write(fd, data.p, data.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data = str_from(data, (size_t)n);
    }
    return 0;
}

static int sync_parent(const char *path)
{
    struct file_path dir;

    if (file_path(&dir, NULL, "%s", path) < 0)
        return -1;
    char *slash = strrchr(dir.s, '/');
    if (slash == NULL || slash == dir.s)
        return 0;
    *slash = '\0';
    int fd = open(dir.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd);
    close(fd);
    return rc;
}

int file_replace(const char *path, struct str data, mode_t mode, bool sync, struct errbuf *err)
{
    struct file_path tmp;
    int rc = file_path(&tmp, err, "%s.tmp", path);

    if (rc < 0)
        return rc;
    int fd = open(tmp.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return err_sys(err, errno, "create %s", tmp.s);
    if (write_all(fd, data) < 0 || fchmod(fd, mode) < 0 || (sync && fdatasync(fd) < 0))
        rc = err_sys(err, errno, "write %s", tmp.s);
    if (close(fd) < 0 && rc == 0)
        rc = err_sys(err, errno, "close %s", tmp.s);
    if (rc == 0 && rename(tmp.s, path) < 0)
        rc = err_sys(err, errno, "rename %s", tmp.s);
    if (rc < 0)
        unlink(tmp.s);
    else if (sync && sync_parent(path) < 0)
        rc = err_sys(err, errno, "sync directory of %s", path);
    return rc;
}

int file_poke(const char *path, struct str data, struct errbuf *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return err_sys(err, errno, "open %s", path);
    ssize_t n = write(fd, data.p, data.n);
    int errnum = errno;
    close(fd);
    if (n < 0)
        return err_sys(err, errnum, "write \"%.*s\" to %s", STR_ARG(str_trim(data)), path);
    return 0;
}

bool file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* ---- resolution inside a root ----------------------------------------------------------------- */

static int open_how(int dirfd, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve };

    if (flags & O_CREAT)
        how.mode = 0644;
    for (;;) {
        int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
        /* EAGAIN: a rename raced with "..": the kernel asks to try again. */
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            return fd;
    }
}

static int open_reported(int rootfd, const char *path, int flags, uint64_t resolve, struct errbuf *err)
{
    int fd = open_how(rootfd, *path != '\0' ? path : ".", flags, resolve | RESOLVE_NO_MAGICLINKS);

    if (fd >= 0)
        return fd;
    if (errno == EXDEV || errno == ELOOP)
        return err_set(err, E_DENIED, "%s leads outside of its directory", path);
    return err_sys(err, errno, "open %s", path);
}

int file_open_in_root(int rootfd, const char *path, int flags, struct errbuf *err)
{
    return open_reported(rootfd, path, flags, RESOLVE_IN_ROOT, err);
}

int file_open_beneath(int rootfd, const char *path, int flags, struct errbuf *err)
{
    return open_reported(rootfd, path, flags, RESOLVE_BENEATH, err);
}

int file_mkdirs_beneath(int rootfd, const char *path, mode_t mode, struct errbuf *err)
{
    struct str rest = str_of(path), part;
    int next, at = open_reported(rootfd, ".", O_PATH | O_DIRECTORY, RESOLVE_BENEATH, err);

    while (at >= 0 && str_split(&rest, '/', &part)) {
        char name[256];
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (part.n >= sizeof name || str_is(part, "..")) {
            close(at);
            return err_set(err, E_INVALID, "%s: not a plain relative path", path);
        }
        memcpy(name, part.p, part.n);
        name[part.n] = '\0';
        if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
            next = err_sys(err, errno, "mkdir %s", path);
        else
            next = open_reported(at, name, O_PATH | O_DIRECTORY, RESOLVE_BENEATH, err);
        close(at);
        at = next;
    }
    return at;
}

/* ---- removal ---------------------------------------------------------------------------------- */

/* Open directories are held along the path: deeper ones are first moved up to the top. */
enum { REMOVE_DEPTH_MAX = 48 };
struct remover { int top; unsigned moved; struct errbuf *err; };

static int remove_level(struct remover *r, int fd, unsigned depth);

static int remove_dir(struct remover *r, int dirfd, const char *name, unsigned depth)
{
    char deep[32];

    if (depth >= REMOVE_DEPTH_MAX) {
        snprintf(deep, sizeof deep, ".removed-%u", r->moved++);
        if (renameat(dirfd, name, r->top, deep) < 0)
            return err_sys(r->err, errno, "move %s", name);
        return 0;
    }
    int fd = open_how(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                      RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
    if (fd < 0)
        return errno == EXDEV ? err_set(r->err, E_CONFLICT, "%s is a mount point", name)
                              : err_sys(r->err, errno, "open %s", name);
    int rc = remove_level(r, fd, depth + 1);
    if (rc == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        rc = err_sys(r->err, errno, "rmdir %s", name);
    return rc;
}

static int remove_entry(struct remover *r, int dirfd, const struct dirent *e, unsigned depth)
{
    if (e->d_type != DT_DIR) {
        if (unlinkat(dirfd, e->d_name, 0) == 0 || errno == ENOENT)
            return 0;
        if (errno != EISDIR && errno != EPERM)
            return err_sys(r->err, errno, "unlink %s", e->d_name);
    }
    return remove_dir(r, dirfd, e->d_name, depth);
}

/* Takes fd over. */
static int remove_level(struct remover *r, int fd, unsigned depth)
{
    struct dirent *e;
    int  rc = 0;
    DIR *d = fdopendir(fd);

    if (d == NULL) {
        rc = err_sys(r->err, errno, "read directory");
        close(fd);
        return rc;
    }
    while (rc == 0 && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = remove_entry(r, dirfd(d), e, depth);
    closedir(d);
    return rc;
}

int file_remove_tree(const char *path, struct errbuf *err)
{
    struct remover r = { .err = err };
    unsigned moved;
    int rc = 0;

    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return 0;
    if (file_is_mount(path))
        return err_set(err, E_CONFLICT, "%s is a mount point", path);
    r.top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (r.top < 0)
        return err_sys(err, errno, "open %s", path);
    do {                                         /* again while deep parts came up */
        moved = r.moved;
        int fd = open_how(r.top, ".", O_RDONLY | O_DIRECTORY, 0);
        rc = fd < 0 ? err_sys(err, errno, "open %s", path) : remove_level(&r, fd, 0);
    } while (rc == 0 && r.moved != moved);
    close(r.top);
    if (rc == 0 && rmdir(path) < 0 && errno != ENOENT)
        rc = err_sys(err, errno, "rmdir %s", path);
    return rc < 0 ? err_wrap(err, rc, "remove %s", path) : 0;
}

int file_each(const char *dir, int (*fn)(void *arg, const char *name), void *arg, struct errbuf *err)
{
    struct dirent *e;
    int  rc = 0;
    DIR *d = opendir(dir);

    if (d == NULL)
        return err_sys(err, errno, "open %s", dir);
    while (rc == 0 && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = fn(arg, e->d_name);
    closedir(d);
    return rc;
}

bool file_is_mount(const char *path)
{
    struct statx sx;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &sx) < 0)
        return false;
    return (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

bool file_name_ok(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n > 128 || name[0] == '.')
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9')
            && *c != '.' && *c != '_' && *c != '-')
            return false;
    return true;
}
