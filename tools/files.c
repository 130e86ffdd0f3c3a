/* tools/files.c: see tools/files.h. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tools/files.h"

int file_read(const char *path, struct buf *out, struct errbuf *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return err_sys(err, errno, "read %s", path);
    do {
        buf_reserve(out, 16384);
        n = read(fd, out->p + out->n, out->cap - out->n);
        if (n > 0)
            out->n += (size_t)n;
    } while (n > 0);
    int errnum = errno;
    close(fd);
    return n < 0 ? err_sys(err, errnum, "read %s", path) : 0;
}

int file_write(const char *path, struct str data, unsigned mode, struct errbuf *err)
{
    char tmp[4096];
    int  fd, rc = 0;

    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    unlink(tmp);
    fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_sys(err, errno, "write %s", tmp);
    while (data.n > 0 && rc == 0) {
        ssize_t n = write(fd, data.p, data.n);
        if (n < 0)
            rc = err_sys(err, errno, "write %s", tmp);
        else
            data = str_from(data, (size_t)n);
    }
    if (rc == 0 && fsync(fd) != 0)
        rc = err_sys(err, errno, "sync %s", tmp);
    close(fd);
    if (rc == 0 && rename(tmp, path) != 0)
        rc = err_sys(err, errno, "rename %s", tmp);
    if (rc != 0)
        unlink(tmp);
    return rc;
}

int dir_make(const char *path, unsigned mode, struct errbuf *err)
{
    char part[4096];
    size_t n = strlen(path);

    if (n >= sizeof part)
        return err_set(err, E_TOOBIG, "path %s is too long", path);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char c = part[i];
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST)
            return err_sys(err, errno, "make directory %s", part);
        part[i] = c;
    }
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path) != 0 && errno != ENOENT && errno != EBUSY ? -1 : 0;
}

int dir_remove(const char *path, struct errbuf *err)
{
    if (nftw(path, remove_entry, 64, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
        return err_sys(err, errno, "remove %s", path);
    return 0;
}
