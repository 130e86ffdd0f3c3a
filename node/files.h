/* node/files.h: blocking file helpers of the container runtime, safe against hostile trees.
 *
 * For start-up, for the thread pool and for short work (a small file, a mkdir).  Paths that a container or
 * an image has a say in are only ever resolved with file_open_beneath() and friends, which never leave
 * their root, whatever symlinks say. */
#ifndef NODE_FILES_H
#define NODE_FILES_H

#include <sys/types.h>
#include "net/blob.h"
#include "net/err.h"

/* Big enough for every path we make; longer ones are refused (E_TOOBIG). */
#define FILE_PATH_MAX 4096

struct file_path { char s[FILE_PATH_MAX]; };
/* snprintf into it; E_TOOBIG when it does not fit. */
int file_path(struct file_path *p, struct errbuf *err, const char *fmt, ...) PRINTF_LIKE(3, 4);

int  file_mkdirs(const char *path, mode_t mode, struct errbuf *err);             /* like mkdir -p; trusted paths only */
int  file_read(const char *path, size_t max, struct buf *ret, struct errbuf *err);   /* appends; E_TOOBIG over max */
int  file_read_fd(int fd, size_t max, struct buf *ret, struct errbuf *err);
/* Temporary name + rename.  sync: also durable against power loss. */
int  file_replace(const char *path, struct str data, mode_t mode, bool sync, struct errbuf *err);
/* One write(2) into an existing file (cgroup and sysctl knobs). */
int  file_poke(const char *path, struct str data, struct errbuf *err);
bool file_exists(const char *path);

/* Open `path` inside the directory rootfd; symlinks are followed but absolute ones and .. stay inside
 * ("as in a chroot").  flags as open(2), O_CLOEXEC added. -> fd or negative code. */
int  file_open_in_root(int rootfd, const char *path, int flags, struct errbuf *err);
/* The same, but whatever would leave the directory is an error (E_DENIED), even an absolute symlink. */
int  file_open_beneath(int rootfd, const char *path, int flags, struct errbuf *err);
/* Makes missing directories of `path` beneath rootfd and opens the last (O_PATH). */
int  file_mkdirs_beneath(int rootfd, const char *path, mode_t mode, struct errbuf *err);

/* Remove a file or tree; 0 when there is none.  Never follows a symlink, never enters another mount, any depth. */
int  file_remove_tree(const char *path, struct errbuf *err);
/* Names in a directory without . and ..; fn returns nonzero to stop (then that is returned). */
int  file_each(const char *dir, int (*fn)(void *arg, const char *name), void *arg, struct errbuf *err);
/* Is path itself a mount point? */
bool file_is_mount(const char *path);
/* A name that is safe as one path component: 1..128 of [A-Za-z0-9._-], not starting with '.'. */
bool file_name_ok(const char *name);

#endif
