/* net/real_disk.h: blocking file operations of a directory on a real disk, run by the thread pool or
 * at start-up; for real_disk*.c. */
#ifndef NET_REAL_DISK_H
#define NET_REAL_DISK_H

#include "net/disk_impl.h"

struct real_disk { struct disk base; int dir; };
struct real_file { struct disk_file base; int fd; };

/* Both return 0 or an errno. */
int real_disk_write_all(int fd, uint64_t off, const struct disk_vec *v, size_t n);
int real_disk_rename(int dir, const char *from, const char *to);

int  real_disk_list_now(struct disk *d, void (*fn)(void *arg, const char *name, uint64_t size), void *arg,
                        struct errbuf *err);
int  real_disk_scan_now(struct disk *d, const char *name, int (*fn)(void *arg, struct str piece), void *arg,
                        struct errbuf *err);
int  real_disk_read_now(struct disk *d, const char *name, struct buf *ret, struct errbuf *err);
int  real_disk_replace_now(struct disk *d, const char *name, struct str data, struct errbuf *err);
int  real_disk_rename_now(struct disk *d, const char *from, const char *to, struct errbuf *err);
int  real_disk_unlink_now(struct disk *d, const char *name, struct errbuf *err);
int  real_disk_truncate_now(struct disk *d, const char *name, uint64_t size, struct errbuf *err);

#endif
