/* net/disk_impl.h: what real and simulated disks share; for net/ only.
 *
 * net/disk.c keeps the order of requests, the poison and the life of files.  A world embeds
 * struct disk and struct disk_file first in its own, supplies an ops table, is given one request per
 * file at a time (requests that are of the directory, not of a file, all at once), and ends each with
 * disk__finish() from the loop, never from inside start(). */
#ifndef NET_DISK_IMPL_H
#define NET_DISK_IMPL_H

#include "net/disk.h"
#include "net/loop_impl.h"

enum disk_kind { DISK_WRITE, DISK_SYNC, DISK_TRUNCATE, DISK_ALLOCATE, DISK_READ, DISK_CREATE, DISK_RENAME,
    DISK_UNLINK };

/* One request: from the call until its callback.  op->impl points here. */
struct disk_req {
    enum disk_kind    kind;
    struct disk      *disk;
    struct disk_file *file;                      /* NULL: of the directory */
    struct disk_op   *op;
    struct qlink      link;                      /* in file->queue until started */
    uint64_t          off, size;                 /* size: of truncate, allocate and create */
    bool              sync;                      /* DISK_WRITE: fdatasync after it */
    void             *read_to; size_t read_n; size_t *ret_n;
    char             *from, *to;                 /* names: rename; unlink and create have only from */
    int               status;
    struct loop_work  work;                      /* for the world's use */
    size_t            n_vec;
    struct disk_vec   vec[];
};

struct disk_ops {
    void (*close)(struct disk *d);               /* frees d */
    int  (*space)(struct disk *d, struct disk_space *ret);
    void (*start)(struct disk_req *r);           /* ends in disk__finish(r, status) later */
    int  (*list_now)(struct disk *d, void (*fn)(void *arg, const char *name, uint64_t size), void *arg,
                     struct errbuf *err);
    int  (*read_now)(struct disk *d, const char *name, struct buf *ret, struct errbuf *err);
    int  (*scan_now)(struct disk *d, const char *name, int (*fn)(void *arg, struct str piece), void *arg,
                     struct errbuf *err);
    int  (*replace_now)(struct disk *d, const char *name, struct str data, struct errbuf *err);
    int  (*rename_now)(struct disk *d, const char *from, const char *to, struct errbuf *err);
    int  (*unlink_now)(struct disk *d, const char *name, struct errbuf *err);
    int  (*truncate_now)(struct disk *d, const char *name, uint64_t size, struct errbuf *err);
    int  (*file_open)(struct disk *d, const char *name, bool create, struct disk_file **ret,
                      struct errbuf *err);
    void (*file_close)(struct disk_file *f);     /* no request left; frees f */
};

struct disk {
    const struct disk_ops *ops;
    struct loop *loop;
    char        *path;
    size_t       n_files, n_reqs;                /* both 0 when it is closed */
};

struct disk_file {
    struct disk *disk;
    struct qlink queue;                          /* of struct disk_req, not started */
    struct disk_req *busy;                       /* the one that runs */
    int          poison;                         /* status of the write or sync that failed; 0: healthy */
    bool         closing;
};

void disk__init(struct disk *d, struct loop *l, const struct disk_ops *ops, const char *path);
void disk__fini(struct disk *d);                 /* all but the memory of d */
void disk__file_init(struct disk_file *f, struct disk *d);
/* Call back, free the request and start the file's next.  status: 0, E_IO, E_FULL or E_NOTFOUND. */
void disk__finish(struct disk_req *r, int status);
/* A name is one path component without tricks; hostile names can't leave the directory. */
bool disk__name_ok(const char *name);

#endif
