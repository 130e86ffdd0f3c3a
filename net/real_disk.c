/* net/real_disk.c: a directory on a real disk.
 *
 * Each request is one job on the thread pool: a write and its fdatasync are one trip.  The order of
 * requests is net/disk.c's business, which hands over one at a time per file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "net/real_disk.h"
#include "net/real_loop.h"

static int req_fd(const struct disk_req *r)
{
    return container_of(r->file, struct real_file, base)->fd;
}

static int req_dir(const struct disk_req *r)
{
    return container_of(r->disk, struct real_disk, base)->dir;
}

/* ---- on the thread pool: each returns 0 or an errno ------------------------------------------- */

static int do_write(struct disk_req *r)
{
    int errnum = real_disk_write_all(req_fd(r), r->off, r->vec, r->n_vec);

    if (errnum == 0 && r->sync && fdatasync(req_fd(r)) < 0)
        errnum = errno;
    return errnum;
}

static int do_read(struct disk_req *r)
{
    size_t at = 0;

    while (at < r->read_n) {
        ssize_t n = pread(req_fd(r), (char *)r->read_to + at, r->read_n - at, (off_t)(r->off + at));
        if (n == 0)
            break;
        if (n > 0)
            at += (size_t)n;
        else if (errno != EINTR)
            return errno;
    }
    *r->ret_n = at;
    return 0;
}

/* Best effort: file systems without it, or without room, just write later. */
static int allocate(int fd, uint64_t size)
{
    if (fallocate(fd, 0, 0, (off_t)size) != 0)
        return 0;
    return fsync(fd) < 0 ? errno : 0;            /* metadata now, so later fdatasyncs have none */
}

static int do_create(struct disk_req *r)
{
    int dir = req_dir(r), fd, errnum;
    struct statvfs fs;

    if (fstatvfs(dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize / (1 + DISK_SPARE) < r->size)
        return ENOSPC;
    fd = openat(dir, r->from, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return errno;
    errnum = allocate(fd, r->size);
    if (errnum == 0 && fsync(dir) < 0)
        errnum = errno;
    close(fd);
    return errnum;
}

static int do_unlink(struct disk_req *r)
{
    int dir = req_dir(r);
    return unlinkat(dir, r->from, 0) < 0 || fsync(dir) < 0 ? errno : 0;
}

static int do_request(struct disk_req *r)
{
    switch (r->kind) {
    case DISK_WRITE:    return do_write(r);
    case DISK_SYNC:     return fdatasync(req_fd(r)) < 0 ? errno : 0;
    case DISK_TRUNCATE: return ftruncate(req_fd(r), (off_t)r->size) < 0 ? errno : 0;
    case DISK_ALLOCATE: return allocate(req_fd(r), r->size);
    case DISK_READ:     return do_read(r);
    case DISK_CREATE:   return do_create(r);
    case DISK_RENAME:   return real_disk_rename(req_dir(r), r->from, r->to);
    case DISK_UNLINK:   return do_unlink(r);
    }
    return EINVAL;
}

static void req_on_thread(struct loop_work *w)
{
    struct disk_req *r = container_of(w, struct disk_req, work);
    int errnum = do_request(r);

    r->status = errnum == 0 ? 0 : err_sys(NULL, errnum, "disk");
}

static void req_on_done(struct loop_work *w)
{
    struct disk_req *r = container_of(w, struct disk_req, work);
    int status = r->status;

    disk__finish(r, status == 0 || status == E_FULL || status == E_NOTFOUND ? status : E_IO);
}

static void real_start(struct disk_req *r)
{
    r->work = (struct loop_work){ req_on_thread, req_on_done, NULL };
    loop_work(r->disk->loop, &r->work);
}

/* ---- files ----------------------------------------------------------------------------------- */

static int real_file_open(struct disk *d, const char *name, bool create, struct disk_file **ret,
                          struct errbuf *err)
{
    int dir = container_of(d, struct real_disk, base)->dir;
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT | O_EXCL : 0), 0600);

    if (fd < 0)
        return err_sys(err, errno, "open %s/%s", d->path, name);
    if (create && fsync(dir) < 0) {
        int errnum = errno;
        close(fd);
        return err_sys(err, errnum, "sync %s", d->path);
    }
    struct real_file *f = mem_new(struct real_file);
    disk__file_init(&f->base, d);
    f->fd = fd;
    *ret = &f->base;
    return 0;
}

static void real_file_close(struct disk_file *base)
{
    struct real_file *f = container_of(base, struct real_file, base);

    close(f->fd);                                /* what mattered was synced before */
    mem_free(f);
}

/* ---- the directory --------------------------------------------------------------------------- */

static void real_close(struct disk *d)
{
    struct real_disk *rd = container_of(d, struct real_disk, base);

    disk__fini(d);
    close(rd->dir);                              /* gives up the lock */
    mem_free(rd);
}

static int real_space(struct disk *d, struct disk_space *ret)
{
    struct statvfs fs;

    if (fstatvfs(container_of(d, struct real_disk, base)->dir, &fs) != 0 || fs.f_blocks == 0)
        return E_IO;
    *ret = (struct disk_space){ (uint64_t)fs.f_blocks * fs.f_frsize, (uint64_t)fs.f_bavail * fs.f_frsize };
    return 0;
}

static const struct disk_ops real_disk_ops = {
    .close = real_close,
    .space = real_space,
    .start = real_start,
    .list_now = real_disk_list_now,
    .read_now = real_disk_read_now,
    .scan_now = real_disk_scan_now,
    .replace_now = real_disk_replace_now,
    .rename_now = real_disk_rename_now,
    .unlink_now = real_disk_unlink_now,
    .truncate_now = real_disk_truncate_now,
    .file_open = real_file_open,
    .file_close = real_file_close,
};

/* A new directory is as durable as what will be in it: its name is synced, too. */
static int make_directory(const char *path, struct errbuf *err)
{
    const char *slash = strrchr(path, '/');
    char       *parent;

    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? 0 : err_sys(err, errno, "make directory %s", path);
    if (slash == NULL)
        parent = mem_strdup(".");
    else
        parent = slash == path ? mem_strdup("/") : mem_strndup(str_make(path, (size_t)(slash - path)));
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? err_sys(err, errno, "sync %s", parent) : 0;
    if (fd >= 0)
        close(fd);
    mem_free(parent);
    return rc;
}

/* The lock goes with the descriptor.  Who only looks takes it, if it is free, so briefly that nobody minds.
 * */
static int lock_directory(int dir, const char *path, bool *ret_in_use, struct errbuf *err)
{
    int rc = flock(dir, (ret_in_use != NULL ? LOCK_SH : LOCK_EX) | LOCK_NB);
    int errnum = rc < 0 ? errno : 0;

    if (ret_in_use != NULL && (errnum == 0 || errnum == EWOULDBLOCK)) {
        *ret_in_use = errnum != 0;
        flock(dir, LOCK_UN);
        return 0;
    }
    if (errnum == EWOULDBLOCK)
        return err_set(err, E_EXISTS, "%s is in use by another process", path);
    return errnum != 0 ? err_sys(err, errnum, "lock %s", path) : 0;
}

int real_disk_open(struct loop *l, const char *path, struct disk **ret, bool *ret_in_use, struct errbuf *err)
{
    int rc = ret_in_use != NULL ? 0 : make_directory(path, err);
    if (rc < 0)
        return rc;
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_sys(err, errno, "open directory %s", path);
    rc = lock_directory(dir, path, ret_in_use, err);
    if (rc < 0) {
        close(dir);
        return rc;
    }
    struct real_disk *rd = mem_new(struct real_disk);
    disk__init(&rd->base, l, &real_disk_ops, path);
    rd->dir = dir;
    *ret = &rd->base;
    return 0;
}
