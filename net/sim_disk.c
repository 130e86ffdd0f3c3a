/* net/sim_disk.c: disks of the simulated world.
 *
 * A file has two contents: what reads see, and what is durable.  A write changes the first at once and is
 * remembered until a sync carries it over to the second.  A crash replays what was not synced onto the
 * durable content, each piece lost, kept or torn at a sector, and that is what the machine finds when it
 * boots.
 * Creating, replacing, renaming and removing files are synced with their directory, as net/disk.h
 * promises. */
#include <limits.h>
#include <stdlib.h>
#include "net/sim_impl.h"

#define SECTOR 512u

/* Content with a tail of zeros that takes no memory. */
struct bytes { struct buf b; uint64_t size; };

struct unsynced { struct qlink link; uint64_t off, size; size_t n; bool resize; char data[]; };

struct sim_file {                                /* the world's: survives crashes */
    struct qlink link;                           /* in the store's files, or among the removed while open */
    char        *name;
    struct bytes now, durable;
    struct qlink unsynced;
    unsigned     n_open;
    bool         removed;
    bool         doomed, astray;                 /* a write that is there yet,
        but will not have been; or elsewhere */
    uint64_t     doomed_off; size_t doomed_n;
};

struct sim_store {                               /* one directory of one machine */
    struct qlink link, files, removed;
    char        *path;
    struct sim_machine *machine;
    bool         locked;
};

struct sim_disk { struct disk base; struct sim_store *store; bool locks; };
struct sim_disk_file { struct disk_file base; struct sim_file *file; };

/* ---- contents ------------------------------------------------------------------------------------ */

static void bytes_resize(struct bytes *b, uint64_t size)
{
    b->size = size;
    if (b->b.n > size)
        b->b.n = (size_t)size;
}

static void bytes_write(struct bytes *b, uint64_t off, const char *p, size_t n)
{
    if (b->b.n < off + n) {
        size_t had = b->b.n;
        buf_reserve(&b->b, (size_t)(off + n) - had);
        memset(b->b.p + had, 0, (size_t)(off + n) - had);
        b->b.n = (size_t)(off + n);
    }
    if (n > 0)
        memcpy(b->b.p + off, p, n);
    b->size = MAX_OF(b->size, off + n);
}

static size_t bytes_read(const struct bytes *b, uint64_t off, char *p, size_t n)
{
    size_t have;

    if (off >= b->size)
        return 0;
    n = (size_t)MIN_OF((uint64_t)n, b->size - off);
    have = off < b->b.n ? MIN_OF(n, b->b.n - (size_t)off) : 0;
    if (have > 0)
        memcpy(p, b->b.p + off, have);
    memset(p + have, 0, n - have);
    return n;
}

static void bytes_copy(struct bytes *to, const struct bytes *from)
{
    buf_clear(&to->b);
    buf_add(&to->b, from->b.p, from->b.n);
    to->size = from->size;
}

/* ---- files --------------------------------------------------------------------------------------- */

static struct sim_file *file_find(const struct sim_store *st, const char *name)
{
    for (struct qlink *it = st->files.next; it != &st->files; it = it->next)
        if (strcmp(qentry(it, struct sim_file, link)->name, name) == 0)
            return qentry(it, struct sim_file, link);
    return NULL;
}

static struct sim_file *file_new(struct sim_store *st, const char *name)
{
    struct sim_file *f = mem_new(struct sim_file);

    f->name = mem_strdup(name);
    qinit(&f->unsynced);
    qpush(&st->files, &f->link);
    return f;
}

static void file_forget_unsynced(struct sim_file *f)
{
    while (!qempty(&f->unsynced))
        mem_free(qentry(qpop(&f->unsynced), struct unsynced, link));
}

static void file_free(struct sim_file *f)
{
    qdel(&f->link);
    file_forget_unsynced(f);
    buf_release(&f->now.b);
    buf_release(&f->durable.b);
    mem_free(f->name);
    mem_free(f);
}

/* Without a name, but there while open. */
static void file_remove(struct sim_store *st, struct sim_file *f)
{
    must(!f->removed);
    f->removed = true;
    qdel(&f->link);
    qpush(&st->removed, &f->link);
    if (f->n_open == 0)
        file_free(f);
}

static void store_clear(struct qlink *files)
{
    qeach(files, it, tmp)
        file_free(qentry(it, struct sim_file, link));
}

static void file_note(struct sim_file *f, uint64_t off, const char *p, size_t n, bool resize, uint64_t size)
{
    struct unsynced *u = mem_alloc(sizeof *u + n);

    *u = (struct unsynced){ .off = off, .n = n, .resize = resize, .size = size };
    if (n > 0)
        memcpy(u->data, p, n);
    qpush(&f->unsynced, &u->link);
}

static void file_write(struct sim_file *f, uint64_t off, const char *p, size_t n)
{
    bytes_write(&f->now, off, p, n);
    file_note(f, off, p, n, false, 0);
}

static void file_resize(struct sim_file *f, uint64_t size)
{
    bytes_resize(&f->now, size);
    file_note(f, 0, NULL, 0, true, size);
}

static void file_zap(struct sim_file *f, uint64_t to, uint64_t from, size_t n, bool zero)
{
    char *copy = mem_zalloc(n + 1);

    if (!zero)
        bytes_read(&f->durable, from, copy, n);
    bytes_write(&f->durable, to, copy, n);
    bytes_write(&f->now, to, copy, n);
    mem_free(copy);
}

/* A later write is durable: the doomed one turns out to be lost, or to have gone to a sector before its own.
 * */
static void file_lose(struct sim *s, struct sim_file *f)
{
    f->doomed = false;
    if (f->astray && f->doomed_off >= SECTOR) {
        uint64_t to = sim_below(s, f->doomed_off / SECTOR) * SECTOR;
        file_zap(f, to, f->doomed_off, (size_t)MIN_OF(f->doomed_n, f->doomed_off - to), false);
    }
    file_zap(f, f->doomed_off, 0, f->doomed_n, true);
}

static void file_doom(struct sim *s, struct sim_file *f, const struct sim_disk_opts *o, uint64_t off,
                      size_t n)
{
    if (f->doomed && off != f->doomed_off)
        file_lose(s, f);
    if (f->doomed || n == 0 || n > 65536)
        return;
    f->astray = sim__chance(s, o->misdirect_per_million);
    f->doomed = f->astray || sim__chance(s, o->lose_per_million);
    f->doomed_off = off;
    f->doomed_n = n;
}

static void file_sync(struct sim_file *f)
{
    while (!qempty(&f->unsynced)) {
        struct unsynced *u = qentry(qpop(&f->unsynced), struct unsynced, link);
        if (u->resize)
            bytes_resize(&f->durable, u->size);
        else
            bytes_write(&f->durable, u->off, u->data, u->n);
        mem_free(u);
    }
}

/* Power fails while this piece is on its way: nothing, all, or the sectors before or behind some border. */
static void unsynced_crash(struct sim *s, struct sim_file *f, const struct unsynced *u)
{
    uint64_t how = sim_below(s, 4), border;

    if (how == 0)
        return;
    if (u->resize) {
        bytes_resize(&f->durable, u->size);
        return;
    }
    border = u->off + sim_below(s, u->n + 1);
    border = MIN_OF(MAX_OF(border / SECTOR * SECTOR, u->off), u->off + u->n);
    if (how == 1)
        bytes_write(&f->durable, u->off, u->data, u->n);
    else if (how == 2)
        bytes_write(&f->durable, u->off, u->data, (size_t)(border - u->off));
    else if (border < u->off + u->n)
        bytes_write(&f->durable, border, u->data + (border - u->off), (size_t)(u->off + u->n - border));
}

static void file_crash(struct sim *s, struct sim_file *f)
{
    while (!qempty(&f->unsynced)) {
        struct unsynced *u = qentry(qpop(&f->unsynced), struct unsynced, link);
        unsynced_crash(s, f, u);
        mem_free(u);
    }
    bytes_copy(&f->now, &f->durable);
    f->n_open = 0;
}

static uint64_t store_used(const struct sim_store *st)
{
    uint64_t sum = 0;

    for (struct qlink *it = st->files.next; it != &st->files; it = it->next)
        sum += qentry(it, struct sim_file, link)->now.size;
    return sum;
}

static bool store_full(const struct sim_store *st, uint64_t more)
{
    uint64_t cap = st->machine->disk.capacity;
    return cap > 0 && store_used(st) + more > cap;
}

static int sim_disk_space(struct disk *d, struct disk_space *ret)
{
    const struct sim_store *st = container_of(d, struct sim_disk, base)->store;
    uint64_t cap = st->machine->disk.capacity, used = store_used(st);

    if (cap == 0)
        return E_IO;                             /* without a bound */
    *ret = (struct disk_space){ cap, cap > used ? cap - used : 0 };
    return 0;
}

/* ---- requests ------------------------------------------------------------------------------------ */

static struct sim_store *store_of(struct disk *d)
{
    return container_of(d, struct sim_disk, base)->store;
}

static struct sim_file *file_of(struct disk_file *f)
{
    return container_of(f, struct sim_disk_file, base)->file;
}

/* Writes reach the disk's cache when they begin, so that a crash meets them half done. */
static int req_begin(struct disk_req *r)
{
    struct sim_store *st = store_of(r->disk);
    struct sim_file  *f = r->file != NULL ? file_of(r->file) : NULL;
    uint64_t off = r->off, end = r->off;

    switch (r->kind) {
    case DISK_WRITE:
        for (size_t i = 0; i < r->n_vec; i++)
            end += r->vec[i].n;
        if (end > f->now.size && store_full(st, end - f->now.size))
            return E_FULL;
        for (size_t i = 0; i < r->n_vec; off += r->vec[i].n, i++)
            file_write(f, off, r->vec[i].p, r->vec[i].n);
        return 0;
    case DISK_TRUNCATE:
        file_resize(f, r->size);
        return 0;
    case DISK_ALLOCATE:
        if (r->size > f->now.size && store_full(st, r->size - f->now.size))
            return E_FULL;
        if (r->size > f->now.size)
            file_resize(f, r->size);
        return 0;
    default:
        return 0;
    }
}

static int store_rename(struct sim_store *st, const char *from, const char *to)
{
    struct sim_file *f = file_find(st, from), *old = file_find(st, to);

    if (f == NULL)
        return E_NOTFOUND;
    if (f == old)
        return 0;
    if (old != NULL)
        file_remove(st, old);
    mem_free(f->name);
    f->name = mem_strdup(to);
    return 0;
}

/* Durable at once. */
static int store_create(struct sim_store *st, const char *name, uint64_t size)
{
    struct sim_file *f;

    if (file_find(st, name) != NULL)
        return E_IO;
    if (store_full(st, size))
        return E_FULL;
    f = file_new(st, name);
    bytes_resize(&f->now, size);
    bytes_copy(&f->durable, &f->now);
    return 0;
}

static int req_end(struct disk_req *r)
{
    struct sim_store *st = store_of(r->disk);
    struct sim_file  *f = r->file != NULL ? file_of(r->file) : NULL;

    switch (r->kind) {
    case DISK_READ:
        *r->ret_n = bytes_read(&f->now, r->off, r->read_to, r->read_n);
        return 0;
    case DISK_WRITE:
        if (!r->sync)
            return 0;
        file_sync(f);
        if (f->doomed || st->machine->disk.lose_per_million + st->machine->disk.misdirect_per_million > 0)
            file_doom(st->machine->sim, f, &st->machine->disk, r->off, r->n_vec > 0 ? r->vec[0].n : 0);
        return 0;
    case DISK_SYNC:
        file_sync(f);
        return 0;
    case DISK_CREATE:
        return store_create(st, r->from, r->size);
    case DISK_RENAME:
        return store_rename(st, r->from, r->to);
    case DISK_UNLINK:
        f = file_find(st, r->from);
        if (f == NULL)
            return E_NOTFOUND;
        file_remove(st, f);
        return 0;
    default:
        return 0;
    }
}

static void req_on_done(void *arg)
{
    struct disk_req    *r = arg;
    struct sim_machine *m = store_of(r->disk)->machine;
    struct mem_domain  *was;
    int status = r->status;

    if (m->disk.stuck) {
        qpush(&m->stuck, &r->link);
        return;
    }
    was = sim__outside();
    if (status == 0 && sim__chance(m->sim, m->disk.fail_per_million))
        status = E_IO;                           /* a failed sync leaves it open what is durable */
    if (status == 0)
        status = req_end(r);
    mem_domain_enter(was);
    sim__mix(m->sim, (uint64_t)r->kind << 8 | (uint64_t)-status);
    disk__finish(r, status);
}

static void req_schedule(struct disk_req *r)
{
    struct sim_machine *m = store_of(r->disk)->machine;
    uint64_t takes = sim__between(m->sim, m->disk.op_min_ns, m->disk.op_max_ns);

    sim__at(m->sim, m->sim->now + takes, m, req_on_done, r);
}

static void sim_disk_start(struct disk_req *r)
{
    struct mem_domain *was = sim__outside();

    r->status = req_begin(r);
    mem_domain_enter(was);
    req_schedule(r);
}

void sim_disk(struct sim_machine *m, const struct sim_disk_opts *o)
{
    m->disk = *o;
    while (!o->stuck && !qempty(&m->stuck))
        req_schedule(qentry(qpop(&m->stuck), struct disk_req, link));
}

static int file_by_name(const void *a, const void *b)
{
    return strcmp((*(struct sim_file *const *)a)->name, (*(struct sim_file *const *)b)->name);
}

static void file_garbage(struct sim *s, struct sim_file *f, uint64_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        f->durable.b.p[at + i] = (char)sim_random(s);
}

static void file_damage(struct sim *s, struct sim_store *st, struct sim_file *f, enum sim_damage how)
{
    size_t n = f->durable.b.n, at = (size_t)sim_below(s, n), some = (size_t)(1 + sim_below(s, 8)) * SECTOR;

    switch (how) {
    case SIM_BIT:
        f->durable.b.p[at] = (char)(f->durable.b.p[at] ^ (1 << sim_below(s, 8)));
        break;
    case SIM_SECTORS:
        at = at / SECTOR * SECTOR;
        file_garbage(s, f, at, MIN_OF(n - at, some));
        break;
    case SIM_GARBAGE:
        file_garbage(s, f, 0, n);
        break;
    case SIM_CUT:
        bytes_resize(&f->durable, at);
        break;
    default:
        file_remove(st, f);
        return;
    }
    bytes_copy(&f->now, &f->durable);
}

#define DAMAGE_FILES 64
bool sim_disk_damage(struct sim_machine *m, const char *name, int which, enum sim_damage how)
{
    struct sim_file *file[DAMAGE_FILES];
    struct sim_store *of[DAMAGE_FILES];
    size_t n = 0, at;

    must(m->loop == NULL);
    qeach(&m->disks, it, tmp) {
        struct sim_store *st = qentry(it, struct sim_store, link);
        qeach(&st->files, jt, jtmp) {
            struct sim_file *f = qentry(jt, struct sim_file, link);
            if (strncmp(f->name, name, strlen(name)) != 0 || f->durable.b.n == 0 || n == DAMAGE_FILES)
                continue;
            file[n] = f;
            of[n++] = st;
        }
    }
    if (n == 0 || (which >= 0 && which != INT_MAX && (size_t)which >= n) || (which < 0 && (size_t)-which > n))
        return false;
    at = which == INT_MAX ? (size_t)sim_below(m->sim, n) : which >= 0 ? (size_t)which : n - (size_t)-which;
    must(n == 1 || of[0] == of[n - 1]);          /* files are sorted by name: of one directory */
    qsort(file, n, sizeof file[0], file_by_name);
    file_damage(m->sim, of[0], file[at], how);
    return true;
}

/* ---- calls that block ---------------------------------------------------------------------------- */

static int sim_disk_list(struct disk *d, void (*fn)(void *arg, const char *name, uint64_t size), void *arg,
                         struct errbuf *err)
{
    qeach(&store_of(d)->files, it, tmp) {
        struct sim_file *f = qentry(it, struct sim_file, link);
        fn(arg, f->name, f->now.size);
    }
    return 0;
}

static int sim_disk_read(struct disk *d, const char *name, struct buf *ret, struct errbuf *err)
{
    struct sim_file *f = file_find(store_of(d), name);

    if (f == NULL)
        return err_set(err, E_NOTFOUND, "no file %s", name);
    buf_reserve(ret, (size_t)f->now.size);
    ret->n += bytes_read(&f->now, 0, ret->p + ret->n, (size_t)f->now.size);
    return 0;
}

static int sim_disk_scan(struct disk *d, const char *name, int (*fn)(void *arg, struct str piece), void *arg,
                         struct errbuf *err)
{
    struct buf all = BUF_INIT;
    int rc = sim_disk_read(d, name, &all, err);

    for (size_t at = 0; rc == 0 && at < all.n; at += DISK_SCAN_BYTES)
        rc = fn(arg, str_make(all.p + at, MIN_OF(all.n - at, DISK_SCAN_BYTES)));
    buf_release(&all);
    return rc;
}

static int sim_disk_replace(struct disk *d, const char *name, struct str data, struct errbuf *err)
{
    struct sim_store  *st = store_of(d);
    struct mem_domain *was;
    struct sim_file   *f;

    if (store_full(st, data.n))
        return err_set(err, E_FULL, "write %s: %s", name, err_text(E_FULL));
    was = sim__outside();
    f = file_find(st, name);
    if (f != NULL)
        file_remove(st, f);
    f = file_new(st, name);
    file_write(f, 0, data.p, data.n);
    file_sync(f);
    mem_domain_enter(was);
    return 0;
}

static int sim_disk_rename(struct disk *d, const char *from, const char *to, struct errbuf *err)
{
    struct mem_domain *was = sim__outside();
    int rc = store_rename(store_of(d), from, to);

    mem_domain_enter(was);
    return rc != 0 ? err_set(err, rc, "no file %s", from) : 0;
}

static int sim_disk_unlink(struct disk *d, const char *name, struct errbuf *err)
{
    struct sim_store *st = store_of(d);
    struct sim_file  *f = file_find(st, name);

    if (f == NULL)
        return err_set(err, E_NOTFOUND, "no file %s", name);
    file_remove(st, f);
    return 0;
}

static int sim_disk_truncate(struct disk *d, const char *name, uint64_t size, struct errbuf *err)
{
    struct sim_file   *f = file_find(store_of(d), name);
    struct mem_domain *was;

    if (f == NULL)
        return err_set(err, E_NOTFOUND, "no file %s", name);
    was = sim__outside();
    file_resize(f, size);
    file_sync(f);
    mem_domain_enter(was);
    return 0;
}

static int sim_disk_file_open(struct disk *d, const char *name, bool create, struct disk_file **ret,
                              struct errbuf *err)
{
    struct sim_store     *st = store_of(d);
    struct sim_file      *f = file_find(st, name);
    struct mem_domain    *was;
    struct sim_disk_file *h;

    if (f == NULL && !create)
        return err_set(err, E_NOTFOUND, "no file %s", name);
    if (f != NULL && create)
        return err_set(err, E_EXISTS, "file %s exists already", name);
    was = sim__outside();
    if (f == NULL)
        f = file_new(st, name);
    mem_domain_enter(was);
    f->n_open++;
    h = mem_new(struct sim_disk_file);
    disk__file_init(&h->base, d);
    h->file = f;
    *ret = &h->base;
    return 0;
}

static void sim_disk_file_close(struct disk_file *f)
{
    struct sim_file *file = file_of(f);

    must(file->n_open > 0);
    if (--file->n_open == 0 && file->removed)
        file_free(file);
    mem_free(container_of(f, struct sim_disk_file, base));
}

static void sim_disk_close(struct disk *d)
{
    if (container_of(d, struct sim_disk, base)->locks)
        store_of(d)->locked = false;
    disk__fini(d);
    mem_free(container_of(d, struct sim_disk, base));
}

static const struct disk_ops sim_disk_ops = {
    .close = sim_disk_close, .space = sim_disk_space, .start = sim_disk_start,
    .list_now = sim_disk_list, .read_now = sim_disk_read,
    .scan_now = sim_disk_scan,
    .replace_now = sim_disk_replace, .rename_now = sim_disk_rename,
    .unlink_now = sim_disk_unlink, .truncate_now = sim_disk_truncate,
    .file_open = sim_disk_file_open, .file_close = sim_disk_file_close,
};

/* ---- life ---------------------------------------------------------------------------------------- */

static struct sim_store *store_find(struct sim_machine *m, const char *path)
{
    struct mem_domain *was;
    struct sim_store  *st;

    qeach(&m->disks, it, tmp)
        if (strcmp(qentry(it, struct sim_store, link)->path, path) == 0)
            return qentry(it, struct sim_store, link);
    was = sim__outside();
    st = mem_new(struct sim_store);
    st->path = mem_strdup(path);
    st->machine = m;
    qinit(&st->files);
    qinit(&st->removed);
    qpush(&m->disks, &st->link);
    mem_domain_enter(was);
    return st;
}

int sim__disk_open(struct loop *l, const char *path, struct disk **ret, bool *ret_in_use, struct errbuf *err)
{
    struct sim_machine *m = sim__machine_of(l);
    struct sim_store   *st = store_find(m, path);
    struct sim_disk    *d;

    must(m->sim->running == m);
    if (ret_in_use != NULL)
        *ret_in_use = st->locked;
    else if (st->locked)
        return err_set(err, E_EXISTS, "%s is in use", path);
    d = mem_new(struct sim_disk);
    disk__init(&d->base, l, &sim_disk_ops, path);
    d->store = st;
    d->locks = ret_in_use == NULL;
    st->locked |= d->locks;
    *ret = &d->base;
    return 0;
}

void sim__disk_crash(struct sim_machine *m)
{
    qeach(&m->disks, it, tmp) {
        struct sim_store *st = qentry(it, struct sim_store, link);
        st->locked = false;
        qeach(&st->files, jt, jtmp)
            file_crash(m->sim, qentry(jt, struct sim_file, link));
        store_clear(&st->removed);
    }
}

void sim__disk_free(struct sim_machine *m)
{
    while (!qempty(&m->disks)) {
        struct sim_store *st = qentry(qpop(&m->disks), struct sim_store, link);
        store_clear(&st->files);
        store_clear(&st->removed);
        mem_free(st->path);
        mem_free(st);
    }
}
