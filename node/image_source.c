/* node/image_source.c: see image_source.h. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "node/files.h"
#include "node/image_source.h"

enum { DOCUMENT_MAX = 4 << 20, MEMBERS_MAX = 20000, MEMBER_NAME_MAX = 1024, ALIAS_HOPS = 8,
       ARCHIVE_BLOCK = 64 << 10 };
#define SPREAD_BYTES_MAX (64ull << 30)

/* number < 0: another name for `alias`. */
struct source_member { int number; char *alias; };

/* "./a/b" -> "a/b"; false for names that no image archive has. */
static bool plain_name(const char *name, char ret[MEMBER_NAME_MAX])
{
    struct str rest = str_of(name), part;
    size_t n = 0;

    while (str_split(&rest, '/', &part)) {
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {                /* of a link's target: one up */
            while (n > 0 && ret[n - 1] != '/')
                n--;
            n -= n > 0;
            continue;
        }
        if (n + part.n + 2 > MEMBER_NAME_MAX)
            return false;
        if (n > 0)
            ret[n++] = '/';
        memcpy(ret + n, part.p, part.n);
        n += part.n;
    }
    ret[n] = '\0';
    return n > 0;
}

static void member_put(struct image_source *s, const char *name, int number, const char *alias)
{
    struct source_member *m = mem_new(struct source_member);

    m->number = number;
    m->alias = alias != NULL ? mem_strdup(alias) : NULL;
    struct source_member *was = map_put(&s->members, str_of(name), m);
    if (was != NULL) {
        mem_free(was->alias);
        mem_free(was);
    }
}

/* Links: a symlink is relative to its own directory, a hard link to the top. */
static void put_link(struct image_source *s, const char *name, const char *to, bool symlink)
{
    char joined[2 * MEMBER_NAME_MAX], alias[MEMBER_NAME_MAX];
    const char *slash = symlink ? strrchr(name, '/') : NULL;

    snprintf(joined, sizeof joined, "%.*s%s", slash != NULL ? (int)(slash - name + 1) : 0, name, to);
    if (strlen(to) < MEMBER_NAME_MAX && plain_name(joined, alias))
        member_put(s, name, -1, alias);
}

static int spread_file(struct image_source *s, struct archive *a, int number, uint64_t *left,
                       struct errbuf *err)
{
    char name[16];
    const void *p;
    size_t n;
    la_int64_t off;
    int rc = 0, got;

    snprintf(name, sizeof name, "%d", number);
    int fd = openat(s->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, errno, "create %s/%s", s->scratch, name);
    while (rc == 0 && (got = archive_read_data_block(a, &p, &n, &off)) != ARCHIVE_EOF) {
        if (got < ARCHIVE_WARN) {
            rc = err_set(err, E_CORRUPT, "archive: %s", archive_error_string(a));
        } else if (n > *left || off < 0 || (uint64_t)off > SPREAD_BYTES_MAX) {
            rc = err_set(err, E_TOOBIG, "archive holds more than %llu bytes", SPREAD_BYTES_MAX);
        } else {
            *left -= n;
            for (size_t done = 0; rc == 0 && done < n; ) {
                ssize_t w = pwrite(fd, (const char *)p + done, n - done, off + (la_int64_t)done);
                if (w < 0 && errno != EINTR)
                    rc = err_sys(err, errno, "unpack archive");
                done += w > 0 ? (size_t)w : 0;
            }
        }
    }
    close(fd);
    return rc;
}

static int spread_all(struct image_source *s, struct archive *a, struct errbuf *err)
{
    struct archive_entry *e;
    uint64_t left = SPREAD_BYTES_MAX;
    int got, rc = 0, number = 0;

    while (rc == 0 && (got = archive_read_next_header(a, &e)) != ARCHIVE_EOF) {
        char name[MEMBER_NAME_MAX];
        const char *raw = archive_entry_pathname(e);
        if (got < ARCHIVE_WARN)
            return err_set(err, E_CORRUPT, "archive: %s", archive_error_string(a));
        if (++number > MEMBERS_MAX)
            return err_set(err, E_TOOBIG, "archive has more than %d members", MEMBERS_MAX);
        if (raw == NULL || strlen(raw) >= MEMBER_NAME_MAX || !plain_name(raw, name))
            continue;
        if (archive_entry_symlink(e) != NULL) {
            put_link(s, name, archive_entry_symlink(e), true);
        } else if (archive_entry_hardlink(e) != NULL) {
            put_link(s, name, archive_entry_hardlink(e), false);
        } else if (archive_entry_filetype(e) == AE_IFREG) {
            member_put(s, name, number, NULL);
            rc = spread_file(s, a, number, &left, err);
        }
    }
    return rc;
}

static int open_archive(struct image_source *s, const char *path, const char *scratch, struct errbuf *err)
{
    struct archive *a = archive_read_new();
    int rc;

    if (a == NULL)
        return err_set(err, E_IO, "libarchive is not installed");
    s->archive = true;
    archive_read_support_format_tar(a);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_zstd(a);
    if (archive_read_open_filename(a, path, ARCHIVE_BLOCK) != ARCHIVE_OK) {
        rc = err_set(err, E_CORRUPT, "%s: %s", path, archive_error_string(a));
        goto out;
    }
    if ((rc = file_mkdirs(scratch, 0700, err)) < 0)
        goto out;
    snprintf(s->scratch, sizeof s->scratch, "%s", scratch);
    s->dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = s->dir < 0 ? err_sys(err, errno, "open %s", scratch) : spread_all(s, a, err);
out:
    archive_read_free(a);
    return rc;
}

int image_source_open(struct image_source *s, const char *path, const char *scratch, struct errbuf *err)
{
    struct stat st;
    int rc = 0;

    *s = IMAGE_SOURCE_INIT;
    if (stat(path, &st) < 0)
        return err_sys(err, errno, "%s", path);
    if (!S_ISDIR(st.st_mode)) {
        rc = open_archive(s, path, scratch, err);
    } else {
        s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = s->dir < 0 ? err_sys(err, errno, "open %s", path) : 0;
    }
    if (rc < 0)
        image_source_release(s);
    return rc;
}

void image_source_release(struct image_source *s)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&s->members, &i, &key, &val); ) {
        mem_free(((struct source_member *)val)->alias);
        mem_free(val);
    }
    map_release(&s->members);
    if (s->dir >= 0)
        close(s->dir);
    if (s->scratch[0] != '\0')
        file_remove_tree(s->scratch, NULL);
    *s = IMAGE_SOURCE_INIT;
}

static const struct source_member *member_get(const struct image_source *s, const char *name)
{
    char plain[MEMBER_NAME_MAX];

    if (strlen(name) >= MEMBER_NAME_MAX || !plain_name(name, plain))
        return NULL;
    const struct source_member *m = map_get(&s->members, str_of(plain));
    for (int hop = 0; m != NULL && m->number < 0; hop++)
        m = hop < ALIAS_HOPS ? map_get(&s->members, str_of(m->alias)) : NULL;
    return m;
}

int image_source_fd(const struct image_source *s, const char *name, struct errbuf *err)
{
    struct stat st;
    char number[16];
    int fd;

    if (s->archive) {
        const struct source_member *m = member_get(s, name);
        if (m == NULL)
            return err_set(err, E_NOTFOUND, "the archive has no %.200s", name);
        snprintf(number, sizeof number, "%d", m->number);
        name = number;
    }
    fd = file_open_beneath(s->dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, err);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        return err_set(err, E_INVALID, "%s is not a regular file", name);
    }
    return fd;
}

bool image_source_has(const struct image_source *s, const char *name)
{
    int fd = image_source_fd(s, name, NULL);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int image_source_read(const struct image_source *s, const char *name, const struct digest *want,
                      struct buf *ret,
                      struct errbuf *err)
{
    struct digest have;
    int fd = image_source_fd(s, name, err);

    if (fd < 0)
        return fd;
    size_t start = ret->n;
    int rc = file_read_fd(fd, DOCUMENT_MAX, ret, err);
    close(fd);
    if (rc < 0)
        return err_wrap(err, rc, "%.100s", name);
    if (want != NULL) {
        digest_of(str_from(buf_str(ret), start), &have);
        if (strcmp(have.s, want->s) != 0)
            return err_set(err, E_CORRUPT, "%.100s has digest %s", name, have.s);
    }
    return 0;
}
