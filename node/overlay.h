/* node/overlay.h: a container's root: read-only layers under a writable directory of its own.  Blocks (mount, umount). */
#ifndef NODE_OVERLAY_H
#define NODE_OVERLAY_H

#include "net/err.h"
#include "net/str.h"

enum { OVERLAY_LAYERS_MAX = 200 };
/* layers: lowest first.  upper and work: empty directories of one filesystem. */
int overlay_mount(const char *const *layers, size_t n, const char *upper, const char *work,
                  const char *target, struct errbuf *err);
/* Unmount whatever is mounted on path, if anything. */
int unmount_path(const char *path, struct errbuf *err);
/* A bind mount of an open descriptor (it cannot be led elsewhere meanwhile) onto target, which is made here as what
 * the descriptor is, a directory or a file. */
int bind_fd(int fd, const char *target, struct errbuf *err);
int tmpfs_mount(const char *target, uint64_t size, unsigned mode, struct errbuf *err);

#endif
