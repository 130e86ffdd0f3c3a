/* node/archive_lib.c: libarchive, loaded while archives are open.
 *
 * It brings nine libraries along (XML, Unicode tables, a C++ runtime ...): some megabytes and milliseconds that a head, or a
 * node with nothing to import, should not pay.  So the program is not linked with it; the functions we use are defined
 * here under their own names and pass the call on.  The first archive_*_new() loads it, the free of the last archive
 * drops it again.  Where it is missing, archive_*_new() return NULL.  Any thread; an archive belongs to one. */
#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include "net/log.h"

#define LIBRARY   "libarchive.so.13"
#define CALLS_MAX 64

static struct {
    pthread_mutex_t lock;
    void *handle;
    unsigned archives;                           /* open ones: the library stays while there are any */
    void **resolved[CALLS_MAX]; unsigned n;      /* who remembers an address in it */
} lib = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* One more archive; false: there is no library. */
static bool hold(void)
{
    pthread_mutex_lock(&lib.lock);
    if (lib.handle == NULL)
        lib.handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    bool there = lib.handle != NULL;
    if (there)
        lib.archives++;
    else
        log_error("image", "images cannot be read: %s (Debian: libarchive13)", dlerror());
    pthread_mutex_unlock(&lib.lock);
    return there;
}

static void release(void)
{
    pthread_mutex_lock(&lib.lock);
    must(lib.archives > 0);
    if (--lib.archives == 0) {
        for (; lib.n > 0; lib.n--)
            *lib.resolved[lib.n - 1] = NULL;
        dlclose(lib.handle);
        lib.handle = NULL;
    }
    pthread_mutex_unlock(&lib.lock);
}

/* The caller has an archive open, so the library is there; `at` remembers the address until it goes. */
static void *need(const char *name, void **at)
{
    pthread_mutex_lock(&lib.lock);
    must(lib.handle != NULL);
    if (*at == NULL) {
        must(lib.n < CALLS_MAX);
        *at = dlsym(lib.handle, name);
        lib.resolved[lib.n++] = at;
    }
    void *f = *at;
    pthread_mutex_unlock(&lib.lock);
    must(f != NULL);
    return f;
}

#define RESOLVE(type, name, params)                                         \
        static void *at;                                                    \
        void *known = __atomic_load_n(&at, __ATOMIC_ACQUIRE);               \
        type (*f) params = (type (*) params)(known != NULL ? known : need(#name, &at));
#define PASS(type, name, params, args)                                      \
    type name params                                                        \
    {                                                                       \
        RESOLVE(type, name, params)                                         \
        return f args;                                                      \
    }
#define PASS_VOID(name, params, args)                                       \
    void name params                                                        \
    {                                                                       \
        RESOLVE(void, name, params)                                         \
        f args;                                                             \
    }

struct archive *archive_read_new(void)
{
    if (!hold())
        return NULL;
    RESOLVE(struct archive *, archive_read_new, (void))
    return f();
}

struct archive *archive_write_new(void)
{
    if (!hold())
        return NULL;
    RESOLVE(struct archive *, archive_write_new, (void))
    return f();
}

int archive_read_free(struct archive *a)
{
    if (a == NULL)
        return ARCHIVE_OK;
    RESOLVE(int, archive_read_free, (struct archive *))
    int rc = f(a);
    release();
    return rc;
}

int archive_write_free(struct archive *a)
{
    if (a == NULL)
        return ARCHIVE_OK;
    RESOLVE(int, archive_write_free, (struct archive *))
    int rc = f(a);
    release();
    return rc;
}

void archive_set_error(struct archive *a, int err, const char *fmt, ...)
{
    RESOLVE(void, archive_set_error, (struct archive *, int, const char *, ...))
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    f(a, err, "%s", text);
}

PASS(int, archive_errno, (struct archive *a), (a))
PASS(const char *, archive_error_string, (struct archive *a), (a))
PASS(int, archive_read_support_filter_gzip, (struct archive *a), (a))
PASS(int, archive_read_support_filter_zstd, (struct archive *a), (a))
PASS(int, archive_read_support_format_empty, (struct archive *a), (a))
PASS(int, archive_read_support_format_raw, (struct archive *a), (a))
PASS(int, archive_read_support_format_tar, (struct archive *a), (a))
PASS(int, archive_read_open, (struct archive *a, void *arg, archive_open_callback *o, archive_read_callback *r, archive_close_callback *c),
     (a, arg, o, r, c))
PASS(int, archive_read_open_filename, (struct archive *a, const char *path, size_t block), (a, path, block))
PASS(int, archive_read_next_header, (struct archive *a, struct archive_entry **e), (a, e))
PASS(int, archive_read_data_block, (struct archive *a, const void **p, size_t *n, la_int64_t *off), (a, p, n, off))
PASS(int, archive_write_set_format_ustar, (struct archive *a), (a))
PASS(int, archive_write_set_bytes_per_block, (struct archive *a, int n), (a, n))
PASS(int, archive_write_open, (struct archive *a, void *arg, archive_open_callback *o, archive_write_callback *w, archive_close_callback *c),
     (a, arg, o, w, c))
PASS(int, archive_write_header, (struct archive *a, struct archive_entry *e), (a, e))
PASS(la_ssize_t, archive_write_data, (struct archive *a, const void *p, size_t n), (a, p, n))
PASS(int, archive_write_close, (struct archive *a), (a))

PASS(struct archive_entry *, archive_entry_new, (void), ())
PASS_VOID(archive_entry_free, (struct archive_entry *e), (e))
PASS(__LA_MODE_T, archive_entry_filetype, (struct archive_entry *e), (e))
PASS(__LA_MODE_T, archive_entry_mode, (struct archive_entry *e), (e))
PASS(la_int64_t, archive_entry_uid, (struct archive_entry *e), (e))
PASS(la_int64_t, archive_entry_gid, (struct archive_entry *e), (e))
PASS(time_t, archive_entry_mtime, (struct archive_entry *e), (e))
PASS(long, archive_entry_mtime_nsec, (struct archive_entry *e), (e))
PASS(const char *, archive_entry_pathname, (struct archive_entry *e), (e))
PASS(const char *, archive_entry_hardlink, (struct archive_entry *e), (e))
PASS(const char *, archive_entry_symlink, (struct archive_entry *e), (e))
PASS(int, archive_entry_xattr_reset, (struct archive_entry *e), (e))
PASS(int, archive_entry_xattr_next, (struct archive_entry *e, const char **name, const void **val, size_t *n), (e, name, val, n))
PASS_VOID(archive_entry_set_filetype, (struct archive_entry *e, unsigned type), (e, type))
PASS_VOID(archive_entry_set_mtime, (struct archive_entry *e, time_t s, long ns), (e, s, ns))
PASS_VOID(archive_entry_set_pathname, (struct archive_entry *e, const char *path), (e, path))
PASS_VOID(archive_entry_set_perm, (struct archive_entry *e, __LA_MODE_T mode), (e, mode))
PASS_VOID(archive_entry_set_size, (struct archive_entry *e, la_int64_t n), (e, n))
PASS_VOID(archive_entry_set_symlink, (struct archive_entry *e, const char *to), (e, to))
