/* node/archive_lib.c: libarchive, loaded when the first archive is opened.
 *
 * It brings nine libraries along (XML, Unicode tables, a C++ runtime ...): some megabytes and milliseconds that a head or a
 * node which imports nothing should not pay.  So the program is not linked with it; the functions we use are defined
 * here under their own names and pass the call on.  Where the library is missing, archive_read_new() and
 * archive_write_new() return NULL, which their callers take as any failure to begin. Any thread. */
#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include "net/log.h"

#define LIBRARY "libarchive.so.13"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void *library;

static void load(void)
{
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        log_error("image", "images cannot be read: %s (Debian: libarchive13)", dlerror());
}

static void *find(const char *name)
{
    pthread_once(&once, load);
    return library != NULL ? dlsym(library, name) : NULL;
}

/* Only after a successful archive_*_new(): the library is there and has the function. */
static void *need(const char *name)
{
    void *f = find(name);
    must(f != NULL);
    return f;
}

#define PASS(type, name, params, args)                                      \
    type name params                                                        \
    {                                                                       \
        static type (*f) params;                                            \
        if (f == NULL)                                                      \
            f = (type (*) params)need(#name);                               \
        return f args;                                                      \
    }
#define PASS_VOID(name, params, args)                                       \
    void name params                                                        \
    {                                                                       \
        static void (*f) params;                                            \
        if (f == NULL)                                                      \
            f = (void (*) params)need(#name);                               \
        f args;                                                             \
    }

struct archive *archive_read_new(void)
{
    struct archive *(*f)(void) = (struct archive *(*)(void))find("archive_read_new");
    return f != NULL ? f() : NULL;
}

struct archive *archive_write_new(void)
{
    struct archive *(*f)(void) = (struct archive *(*)(void))find("archive_write_new");
    return f != NULL ? f() : NULL;
}

int archive_read_free(struct archive *a)
{
    int (*f)(struct archive *) = a != NULL ? (int (*)(struct archive *))need("archive_read_free") : NULL;
    return f != NULL ? f(a) : ARCHIVE_OK;
}

void archive_set_error(struct archive *a, int err, const char *fmt, ...)
{
    void (*f)(struct archive *, int, const char *, ...) = (void (*)(struct archive *, int, const char *, ...))need("archive_set_error");
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
PASS(int, archive_write_free, (struct archive *a), (a))

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
