/* node/overlay.c: see overlay.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "net/blob.h"
#include "node/files.h"
#include "node/overlay.h"

/* mount(2) takes one page of options, and layers have long names: they are named by descriptor. */
static int open_layers(const char *const *layers, size_t n, int *fds, struct errbuf *err)
{
    for (size_t i = 0; i < n; i++)
        fds[i] = -1;
    for (size_t i = 0; i < n; i++)
        if ((fds[i] = open(layers[i], O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
            return err_sys(err, errno, "open layer %s", layers[i]);
    return 0;
}

int overlay_mount(const char *const *layers, size_t n, const char *upper, const char *work,
                  const char *target, struct errbuf *err)
{
    struct buf opts = BUF_INIT;
    int fds[OVERLAY_LAYERS_MAX], rc;

    if (n == 0 || n > OVERLAY_LAYERS_MAX)
        return err_set(err, E_INVALID, "image has %zu layers", n);
    if ((rc = open_layers(layers, n, fds, err)) < 0)
        goto out;
    for (size_t i = n; i-- > 0; )                /* the topmost comes first */
        buf_fmt(&opts, "%s/proc/self/fd/%d", i == n - 1 ? "lowerdir=" : ":", fds[i]);
    buf_fmt(&opts, ",upperdir=%s,workdir=%s", upper, work);
    size_t plain = opts.n;
    /* A container's own layer need not survive a power cut: it is never mounted twice. */
    buf_add(&opts, ",volatile", sizeof ",volatile");
    if (mount("overlay", target, "overlay", 0, opts.p) == 0)
        goto out;
    if (errno == EINVAL) {                       /* kernels before 5.10 do not know the option */
        opts.p[plain] = '\0';
        if (mount("overlay", target, "overlay", 0, opts.p) == 0)
            goto out;
    }
    rc = err_sys(err, errno, "mount overlay of %zu layers on %s", n, target);
out:
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    buf_release(&opts);
    return rc;
}

int unmount_path(const char *path, struct errbuf *err)
{
    enum { STACK_MAX = 16 };                     /* mounts on top of each other */

    for (int i = 0; i < STACK_MAX && file_is_mount(path); i++) {
        if (umount2(path, UMOUNT_NOFOLLOW) == 0)
            continue;
        if (errno == EINVAL || errno == ENOENT)
            break;
        if (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) < 0)
            return err_sys(err, errno, "unmount %s", path);
    }
    return 0;
}

int bind_fd(int fd, const char *target, struct errbuf *err)
{
    struct stat st;
    char source[32];

    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "stat of the source of %s", target);
    if (S_ISDIR(st.st_mode)) {
        if (mkdir(target, 0700) < 0 && errno != EEXIST)
            return err_sys(err, errno, "mkdir %s", target);
    } else {
        int file = open(target, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file < 0)
            return err_sys(err, errno, "create %s", target);
        close(file);
    }
    snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_sys(err, errno, "bind onto %s", target);
    return 0;
}

int tmpfs_mount(const char *target, uint64_t size, unsigned mode, struct errbuf *err)
{
    char opts[64];

    snprintf(opts, sizeof opts, "size=%llu,mode=%o", (unsigned long long)size, mode);
    if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, opts) < 0)
        return err_sys(err, errno, "mount tmpfs on %s", target);
    return 0;
}
