/* net/real_disk_now.c: the blocking calls of a disk, for start-up and tools, and the parts of them
 * that requests on the thread pool share. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "net/real_disk.h"

enum { WRITE_IOV = 64 };

static struct real_disk *real_disk(struct disk *d)
{
    return container_of(d, struct real_disk, base);
}

/* One pwritev of what is left after `skip` bytes of v[0]. */
static ssize_t write_some(int fd, uint64_t off, const struct disk_vec *v, size_t n, size_t skip)
{
    struct iovec iov[WRITE_IOV];
    int          k = 0;

    for (size_t i = 0; i < n && k < WRITE_IOV; i++, skip = 0)
        if (v[i].n > skip)
            iov[k++] = (struct iovec){ (char *)(uintptr_t)v[i].p + skip, v[i].n - skip };
    return pwritev(fd, iov, k, (off_t)off);
}

int real_disk_write_all(int fd, uint64_t off, const struct disk_vec *v, size_t n)
{
    size_t skip = 0;                             /* bytes of v[0] that are written */

    for (;;) {
        while (n > 0 && skip == v->n) {          /* done with this one, or empty */
            v++;
            n--;
            skip = 0;
        }
        if (n == 0)
            return 0;
        ssize_t rc = write_some(fd, off, v, n, skip);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc <= 0)
            return rc < 0 ? errno : EIO;
        off += (uint64_t)rc;
        for (size_t left = (size_t)rc; left > 0; ) {
            size_t part = MIN_OF(left, v->n - skip);
            left -= part;
            skip += part;
            if (left > 0) {
                v++;
                n--;
                skip = 0;
            }
        }
    }
}

int real_disk_rename(int dir, const char *from, const char *to)
{
    if (renameat(dir, from, dir, to) < 0)
        return errno;
    return fsync(dir) < 0 ? errno : 0;
}

int real_disk_list_now(struct disk *d, void (*fn)(void *arg, const char *name, uint64_t size), void *arg,
                       struct errbuf *err)
{
    int  fd = openat(real_disk(d)->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    struct stat st;

    if (dir == NULL) {
        int errnum = errno;
        if (fd >= 0)
            close(fd);
        return err_sys(err, errnum, "list %s", d->path);
    }
    while ((errno = 0, e = readdir(dir)) != NULL)
        if (disk__name_ok(e->d_name) && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            fn(arg, e->d_name, (uint64_t)st.st_size);
    int errnum = errno;
    closedir(dir);
    return errnum != 0 ? err_sys(err, errnum, "list %s", d->path) : 0;
}

/* All of fd to the end of *ret; an errno. */
static int read_all(int fd, struct buf *ret)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return errno;
    buf_reserve(ret, (size_t)st.st_size + 1);    /* one more, to see the end */
    for (;;) {
        if (ret->cap == ret->n)
            buf_reserve(ret, 64 << 10);
        ssize_t n = read(fd, ret->p + ret->n, ret->cap - ret->n);
        if (n == 0)
            return 0;
        if (n > 0)
            ret->n += (size_t)n;
        else if (errno != EINTR)
            return errno;
    }
}

int real_disk_read_now(struct disk *d, const char *name, struct buf *ret, struct errbuf *err)
{
    size_t was = ret->n;
    int    fd = openat(real_disk(d)->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return err_sys(err, errno, "open %s/%s", d->path, name);
    int errnum = read_all(fd, ret);
    close(fd);
    if (errnum == 0)
        return 0;
    ret->n = was;
    return err_sys(err, errnum, "read %s/%s", d->path, name);
}

int real_disk_scan_now(struct disk *d, const char *name, int (*fn)(void *arg, struct str piece), void *arg,
                       struct errbuf *err)
{
    int     fd = openat(real_disk(d)->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;
    char   *piece;
    ssize_t n = 1;

    if (fd < 0)
        return err_sys(err, errno, "open %s/%s", d->path, name);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);        /* read ahead while fn is at work */
    piece = mem_alloc(DISK_SCAN_BYTES);
    while (rc == 0 && n != 0) {
        n = read(fd, piece, DISK_SCAN_BYTES);
        if (n > 0)
            rc = fn(arg, str_make(piece, (size_t)n));
        else if (n < 0 && errno != EINTR)
            rc = err_sys(err, errno, "read %s/%s", d->path, name);
    }
    mem_free(piece);
    close(fd);
    return rc;
}

static int write_synced(int dir, const char *name, struct str data)
{
    struct disk_vec v = { data.p, data.n };
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int errnum;

    if (fd < 0)
        return errno;
    errnum = real_disk_write_all(fd, 0, &v, 1);
    if (errnum == 0 && fsync(fd) < 0)
        errnum = errno;
    if (close(fd) < 0 && errnum == 0)
        errnum = errno;
    return errnum;
}

int real_disk_replace_now(struct disk *d, const char *name, struct str data, struct errbuf *err)
{
    int  dir = real_disk(d)->dir;
    char tmp[256];

    snprintf(tmp, sizeof tmp, ".%s.new", name);  /* hidden: never listed, and no request can name it */
    int errnum = write_synced(dir, tmp, data);
    if (errnum == 0)
        errnum = real_disk_rename(dir, tmp, name);
    if (errnum == 0)
        return 0;
    unlinkat(dir, tmp, 0);
    return err_sys(err, errnum, "replace %s/%s", d->path, name);
}

int real_disk_rename_now(struct disk *d, const char *from, const char *to, struct errbuf *err)
{
    int errnum = real_disk_rename(real_disk(d)->dir, from, to);

    return errnum != 0 ? err_sys(err, errnum, "rename %s/%s", d->path, from) : 0;
}

int real_disk_unlink_now(struct disk *d, const char *name, struct errbuf *err)
{
    int dir = real_disk(d)->dir;

    if (unlinkat(dir, name, 0) < 0 || fsync(dir) < 0)
        return err_sys(err, errno, "remove %s/%s", d->path, name);
    return 0;
}

int real_disk_truncate_now(struct disk *d, const char *name, uint64_t size, struct errbuf *err)
{
    int fd = openat(real_disk(d)->dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    int errnum = 0;

    if (fd < 0)
        return err_sys(err, errno, "open %s/%s", d->path, name);
    if (ftruncate(fd, (off_t)size) < 0 || fsync(fd) < 0)
        errnum = errno;
    close(fd);
    return errnum != 0 ? err_sys(err, errnum, "truncate %s/%s", d->path, name) : 0;
}
