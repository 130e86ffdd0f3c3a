/* node/layer.c: the outer half of unpacking: decompression, both digests, the walk over tar entries.
 *
 * Two libarchive readers in a row: the first undoes the compression, the second parses the tar that the first
 * yields, so that the blob and the tar inside are hashed in the same pass. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "node/layer_entry.h"

enum { READ_CHUNK = 64 << 10 };

struct unpack {
    int fd;
    struct archive *outer, *inner;
    struct digest_run blob, diff;
    char chunk[READ_CHUNK];
    struct layer_target target;
    const struct layer_limits *lim;
    struct layer_result res;
    struct errbuf *err;
};

static la_ssize_t outer_read(struct archive *a, void *arg, const void **ret)
{
    struct unpack *u = arg;
    ssize_t n;

    do
        n = read(u->fd, u->chunk, sizeof u->chunk);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        archive_set_error(a, errno, "read of the blob failed");
        return -1;
    }
    digest_add(&u->blob, u->chunk, (size_t)n);
    *ret = u->chunk;
    return n;
}

static la_ssize_t inner_read(struct archive *a, void *arg, const void **ret)
{
    struct unpack *u = arg;
    size_t n = 0;
    la_int64_t off;

    int rc = archive_read_data_block(u->outer, ret, &n, &off);
    if (rc == ARCHIVE_EOF)
        return 0;
    if (rc < ARCHIVE_WARN) {
        archive_set_error(a, archive_errno(u->outer), "%s", archive_error_string(u->outer));
        return -1;
    }
    digest_add(&u->diff, *ret, n);
    return (la_ssize_t)n;
}

static int corrupt(struct unpack *u, struct archive *a)
{
    const char *why = archive_error_string(a);
    return err_set(u->err, E_CORRUPT, "layer: %s", why != NULL ? why : "not a tar archive");
}

static int open_readers(struct unpack *u)
{
    struct archive_entry *e;

    archive_read_support_format_raw(u->outer);
    archive_read_support_format_empty(u->outer);
    archive_read_support_filter_gzip(u->outer);
    archive_read_support_filter_zstd(u->outer);
    archive_read_support_format_tar(u->inner);
    archive_read_support_format_empty(u->inner);
    if (archive_read_open(u->outer, u, NULL, outer_read, NULL) != ARCHIVE_OK)
        return corrupt(u, u->outer);
    int rc = archive_read_next_header(u->outer, &e);
    if (rc == ARCHIVE_EOF)
        return err_set(u->err, E_CORRUPT, "layer: empty blob");
    if (rc < ARCHIVE_WARN)
        return corrupt(u, u->outer);
    if (archive_read_open(u->inner, u, NULL, inner_read, NULL) != ARCHIVE_OK)
        return corrupt(u, u->inner);
    return 0;
}

static int entry_data(struct unpack *u, int fd)
{
    const void *p;
    size_t n;
    la_int64_t off;
    int rc;

    while ((rc = archive_read_data_block(u->inner, &p, &n, &off)) == ARCHIVE_OK) {
        u->res.bytes += n;
        if (off < 0 || u->res.bytes > u->lim->max_bytes || (uint64_t)off > u->lim->max_bytes)
            return err_set(u->err, E_TOOBIG, "layer unpacks to more than %llu bytes",
                           (unsigned long long)u->lim->max_bytes);
        for (size_t done = 0; done < n; ) {
            ssize_t w = pwrite(fd, (const char *)p + done, n - done, off + (la_int64_t)done);
            if (w < 0 && errno != EINTR)
                return err_sys(u->err, errno, "write layer");
            done += w > 0 ? (size_t)w : 0;
        }
    }
    return rc == ARCHIVE_EOF ? 0 : corrupt(u, u->inner);
}

static int unpack_entry(struct unpack *u, struct archive_entry *e)
{
    int fd = -1;

    if (++u->res.entries > u->lim->max_entries)
        return err_set(u->err, E_TOOBIG, "layer has more than %llu entries",
                       (unsigned long long)u->lim->max_entries);
    int rc = layer_entry_make(&u->target, e, &fd, u->err);
    if (rc == 0 && fd >= 0) {
        rc = entry_data(u, fd);
        if (rc == 0)
            rc = layer_entry_finish(fd, e, u->err);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Whatever follows the tar's end marker still belongs to both digests. */
static int drain(struct unpack *u)
{
    const void *p;
    la_ssize_t n;

    while ((n = inner_read(u->inner, u, &p)) > 0)
        ;
    return n < 0 ? corrupt(u, u->inner) : 0;
}

static int unpack_all(struct unpack *u)
{
    struct archive_entry *e;
    int rc = open_readers(u), got = ARCHIVE_OK;

    while (rc == 0 && (got = archive_read_next_header(u->inner, &e)) >= ARCHIVE_WARN && got != ARCHIVE_EOF)
        rc = unpack_entry(u, e);
    if (rc == 0 && got != ARCHIVE_EOF)
        rc = corrupt(u, u->inner);
    return rc == 0 ? drain(u) : rc;
}

int layer_unpack(int fd, const char *dir, const struct layer_limits *lim, struct layer_result *ret,
                 struct errbuf *err)
{
    struct unpack *u = mem_new(struct unpack);
    int rc = layer_target_open(&u->target, dir, err);

    u->fd = fd;
    u->lim = lim;
    u->err = err;
    u->outer = archive_read_new();
    u->inner = archive_read_new();
    if (u->outer == NULL || u->inner == NULL)
        rc = err_set(err, E_IO, "libarchive is not installed");
    digest_begin(&u->blob);
    digest_begin(&u->diff);
    if (rc == 0)
        rc = unpack_all(u);
    archive_read_free(u->inner);
    archive_read_free(u->outer);
    if (rc == 0) {
        digest_end(&u->blob, &u->res.blob);
        digest_end(&u->diff, &u->res.diff);
        *ret = u->res;
    }
    digest_drop(&u->blob);
    digest_drop(&u->diff);
    layer_target_release(&u->target);
    mem_free(u);
    return rc;
}
