/* net/disk.h: files of one directory, written asynchronously and in order.
 *
 * A disk is a directory (made 0700, files 0600), locked against a second process.  Two kinds of
 * calls: those named *_now block and are for start-up and for tools; the others are requests that
 * run on the thread pool (or on the simulated disk) and call back on the loop.  Requests on one file
 * run in the order they were made, one at a time; requests on different files have no order.
 * A disk_op is the caller's, lives until its callback, and may be freed or reused in it.
 * Status is 0 or E_IO, E_FULL, E_NOTFOUND.  After a failed write or sync the file is poisoned: every
 * later request on it fails too (a failed fsync is never retried as if it had worked). */
#ifndef NET_DISK_H
#define NET_DISK_H

#include "net/loop.h"

struct disk;
struct disk_file;

/* E_EXISTS: locked by another process. */
int  disk_open(struct loop *l, const char *path, struct disk **ret, struct errbuf *err);
/* To look only: the directory must be there; another process may be using, and so changing it. */
int  disk_open_read(struct loop *l, const char *path, struct disk **ret, bool *ret_in_use,
                    struct errbuf *err);
/* Of the file system below it, now; blocks no longer than a system call that reads no disk.  E_IO: not known. */
struct disk_space { uint64_t total, free; };
int  disk_space(struct disk *d, struct disk_space *ret);
void disk_close(struct disk *d);                 /* all files closed first */
const char *disk_path(const struct disk *d);

int  disk_list_now(struct disk *d, void (*fn)(void *arg, const char *name, uint64_t size), void *arg,
                   struct errbuf *err);
int  disk_read_now(struct disk *d, const char *name, struct buf *ret, struct errbuf *err);   /* whole file */
/* Piece by piece, for what is large: fn's pieces come in order, until it returns something else than 0, which is
 * then returned. */
int  disk_scan_now(struct disk *d, const char *name, int (*fn)(void *arg, struct str piece), void *arg,
                   struct errbuf *err);
#define DISK_SCAN_BYTES (256u << 10)             /* of a piece, at most */
/* Written whole to a temporary name, synced, renamed over, directory synced. */
int  disk_replace_now(struct disk *d, const char *name, struct str data, struct errbuf *err);
int  disk_rename_now(struct disk *d, const char *from, const char *to, struct errbuf *err);
int  disk_unlink_now(struct disk *d, const char *name, struct errbuf *err);
int  disk_truncate_now(struct disk *d, const char *name, uint64_t size, struct errbuf *err);  /* and sync */

/* create: makes it (and syncs the directory), E_EXISTS if there. */
int  disk_file_open(struct disk *d, const char *name, bool create, struct disk_file **ret,
                    struct errbuf *err);
void disk_file_close(struct disk_file *f);       /* after requests in flight; their callbacks still come */

struct disk_op { void (*done)(struct disk_op *op, int status); struct qlink link; void *impl; };
struct disk_vec { const void *p; size_t n; };
/* The bytes must stay until done; the vec array is copied.  sync: fdatasync after it, before done. */
void disk_write(struct disk_file *f, struct disk_op *op, uint64_t off, const struct disk_vec *v, size_t n,
                bool sync);
void disk_sync(struct disk_file *f, struct disk_op *op);
void disk_truncate(struct disk_file *f, struct disk_op *op, uint64_t size);
/* Preallocate so that later writes change no metadata; best effort. */
void disk_allocate(struct disk_file *f, struct disk_op *op, uint64_t size);
/* p must stay until done; ret_n: fewer than n only at the end of the file. */
void disk_read(struct disk_file *f, struct disk_op *op, uint64_t off, void *p, size_t n, size_t *ret_n);
/* Makes a file of `size` zeros (preallocated: best effort), name and metadata durable.  E_FULL, and nothing was
 * made: there is not room for it and DISK_SPARE times as much, so that a disk is found full before it is.
 * E_EXISTS comes as E_IO: whoever needs to know opens it. */
#define DISK_SPARE 2
void disk_create(struct disk *d, struct disk_op *op, const char *name, uint64_t size);
/* Atomic replace with directory sync; remove with directory sync. */
void disk_rename(struct disk *d, struct disk_op *op, const char *from, const char *to);
void disk_unlink(struct disk *d, struct disk_op *op, const char *name);

#endif
