/* net/disk.c: order, poison and life time of files, the same in both worlds; see disk_impl.h. */
#include "net/disk_impl.h"

void disk__init(struct disk *d, struct loop *l, const struct disk_ops *ops, const char *path)
{
    *d = (struct disk){ .ops = ops, .loop = l, .path = mem_strdup(path) };
    l->n_open++;
}

void disk__fini(struct disk *d)
{
    must(d->n_files == 0 && d->n_reqs == 0);
    must(d->loop->n_open > 0);
    d->loop->n_open--;
    mem_free(d->path);
    d->path = NULL;
}

void disk__file_init(struct disk_file *f, struct disk *d)
{
    *f = (struct disk_file){ .disk = d };
    qinit(&f->queue);
    d->n_files++;
}

bool disk__name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= 200 && strchr(name, '/') == NULL && name[0] != '.';
}

/* ---- requests -------------------------------------------------------------------------------- */

static void file_retire(struct disk_file *f)
{
    struct disk *d = f->disk;

    must(d->n_files > 0);
    d->n_files--;
    d->ops->file_close(f);
}

/* A failed request is answered from the pool like any other, so that order holds and no callback
 * comes from inside a call. */
static void req_fail_fn(struct loop_work *w)
{
}

static void req_fail_done(struct loop_work *w)
{
    struct disk_req *r = container_of(w, struct disk_req, work);
    disk__finish(r, r->status);
}

static void req_start(struct disk_req *r)
{
    if (r->file == NULL || r->file->poison == 0) {
        r->disk->ops->start(r);
        return;
    }
    r->status = r->file->poison;
    r->work = (struct loop_work){ req_fail_fn, req_fail_done, NULL };
    loop_work(r->disk->loop, &r->work);
}

static void file_next(struct disk_file *f)
{
    if (f->busy != NULL)
        return;
    if (!qempty(&f->queue)) {
        f->busy = qentry(qpop(&f->queue), struct disk_req, link);
        req_start(f->busy);
    } else if (f->closing) {
        file_retire(f);
    }
}

void disk__finish(struct disk_req *r, int status)
{
    struct disk_file *f = r->file;
    struct disk_op   *op = r->op;

    must(status == 0 || status == E_IO || status == E_FULL || status == E_NOTFOUND);
    must(r->disk->n_reqs > 0);
    r->disk->n_reqs--;
    if (f != NULL) {
        must(f->busy == r);
        bool harmless = r->kind == DISK_READ || (r->kind == DISK_ALLOCATE && status == E_FULL);
        if (status != 0 && f->poison == 0 && !harmless)
            f->poison = status;
        f->busy = NULL;
        file_next(f);                            /* keep the disk busy; may free f */
    }
    mem_free(r->from);
    mem_free(r->to);
    mem_free(r);
    op->impl = NULL;
    op->done(op, status);                        /* may free op: last */
}

static struct disk_req *req_new(struct disk *d, struct disk_file *f, struct disk_op *op, enum disk_kind kind,
                                size_t n_vec)
{
    struct disk_req *r = mem_zalloc(sizeof *r + n_vec * sizeof r->vec[0]);

    must(f == NULL || !f->closing);
    r->kind = kind;
    r->disk = d;
    r->file = f;
    r->op = op;
    r->n_vec = n_vec;
    qinit(&r->link);
    op->impl = r;
    d->n_reqs++;
    return r;
}

static void req_submit(struct disk_req *r)
{
    if (r->file == NULL) {
        req_start(r);
        return;
    }
    qpush(&r->file->queue, &r->link);
    file_next(r->file);
}

void disk_write(struct disk_file *f, struct disk_op *op, uint64_t off, const struct disk_vec *v, size_t n,
                bool sync)
{
    struct disk_req *r = req_new(f->disk, f, op, DISK_WRITE, n);

    r->off = off;
    r->sync = sync;
    if (n > 0)
        memcpy(r->vec, v, n * sizeof *v);
    req_submit(r);
}

void disk_sync(struct disk_file *f, struct disk_op *op)
{
    req_submit(req_new(f->disk, f, op, DISK_SYNC, 0));
}

void disk_truncate(struct disk_file *f, struct disk_op *op, uint64_t size)
{
    struct disk_req *r = req_new(f->disk, f, op, DISK_TRUNCATE, 0);
    r->size = size;
    req_submit(r);
}

void disk_allocate(struct disk_file *f, struct disk_op *op, uint64_t size)
{
    struct disk_req *r = req_new(f->disk, f, op, DISK_ALLOCATE, 0);
    r->size = size;
    req_submit(r);
}

void disk_read(struct disk_file *f, struct disk_op *op, uint64_t off, void *p, size_t n, size_t *ret_n)
{
    struct disk_req *r = req_new(f->disk, f, op, DISK_READ, 0);

    r->off = off;
    r->read_to = p;
    r->read_n = n;
    r->ret_n = ret_n;
    req_submit(r);
}

void disk_create(struct disk *d, struct disk_op *op, const char *name, uint64_t size)
{
    must(disk__name_ok(name));
    struct disk_req *r = req_new(d, NULL, op, DISK_CREATE, 0);
    r->from = mem_strdup(name);
    r->size = size;
    req_submit(r);
}

void disk_rename(struct disk *d, struct disk_op *op, const char *from, const char *to)
{
    must(disk__name_ok(from) && disk__name_ok(to));
    struct disk_req *r = req_new(d, NULL, op, DISK_RENAME, 0);
    r->from = mem_strdup(from);
    r->to = mem_strdup(to);
    req_submit(r);
}

void disk_unlink(struct disk *d, struct disk_op *op, const char *name)
{
    must(disk__name_ok(name));
    struct disk_req *r = req_new(d, NULL, op, DISK_UNLINK, 0);
    r->from = mem_strdup(name);
    req_submit(r);
}

/* ---- the rest -------------------------------------------------------------------------------- */

int disk_open(struct loop *l, const char *path, struct disk **ret, struct errbuf *err)
{
    return l->ops->disk_open(l, path, ret, NULL, err);
}

int disk_open_read(struct loop *l, const char *path, struct disk **ret, bool *ret_in_use, struct errbuf *err)
{
    return l->ops->disk_open(l, path, ret, ret_in_use, err);
}

void disk_close(struct disk *d)
{
    if (d != NULL)
        d->ops->close(d);
}

const char *disk_path(const struct disk *d)
{
    return d->path;
}

static int name_check(const char *name, struct errbuf *err)
{
    return disk__name_ok(name) ? 0 : err_set(err, E_INVALID, "bad file name \"%.40s\"", name);
}

int disk_space(struct disk *d, struct disk_space *ret) { return d->ops->space(d, ret); }

int disk_list_now(struct disk *d, void (*fn)(void *arg, const char *name, uint64_t size), void *arg,
                  struct errbuf *err)
{
    return d->ops->list_now(d, fn, arg, err);
}

int disk_read_now(struct disk *d, const char *name, struct buf *ret, struct errbuf *err)
{
    int rc = name_check(name, err);
    return rc < 0 ? rc : d->ops->read_now(d, name, ret, err);
}

int disk_scan_now(struct disk *d, const char *name, int (*fn)(void *arg, struct str piece), void *arg,
                  struct errbuf *err)
{
    int rc = name_check(name, err);
    return rc < 0 ? rc : d->ops->scan_now(d, name, fn, arg, err);
}

int disk_replace_now(struct disk *d, const char *name, struct str data, struct errbuf *err)
{
    int rc = name_check(name, err);
    return rc < 0 ? rc : d->ops->replace_now(d, name, data, err);
}

int disk_rename_now(struct disk *d, const char *from, const char *to, struct errbuf *err)
{
    int rc = name_check(from, err);
    if (rc == 0)
        rc = name_check(to, err);
    return rc < 0 ? rc : d->ops->rename_now(d, from, to, err);
}

int disk_unlink_now(struct disk *d, const char *name, struct errbuf *err)
{
    int rc = name_check(name, err);
    return rc < 0 ? rc : d->ops->unlink_now(d, name, err);
}

int disk_truncate_now(struct disk *d, const char *name, uint64_t size, struct errbuf *err)
{
    int rc = name_check(name, err);
    return rc < 0 ? rc : d->ops->truncate_now(d, name, size, err);
}

int disk_file_open(struct disk *d, const char *name, bool create, struct disk_file **ret, struct errbuf *err)
{
    int rc = name_check(name, err);
    return rc < 0 ? rc : d->ops->file_open(d, name, create, ret, err);
}

void disk_file_close(struct disk_file *f)
{
    if (f == NULL)
        return;
    must(!f->closing);
    f->closing = true;
    file_next(f);
}
