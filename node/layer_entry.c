/* node/layer_entry.c: names, kinds and attributes of tar entries, all suspect; see layer_entry.h. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "node/files.h"
#include "node/layer_entry.h"

enum { NAME_LEN_MAX = 255 };
static const char whiteout_prefix[] = ".wh.", opaque_name[] = ".wh..wh..opq";

int layer_target_open(struct layer_target *t, const char *dir, struct errbuf *err)
{
    t->parent = -1;
    t->parent_path[0] = '\0';
    t->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return t->root < 0 ? err_sys(err, errno, "open %s", dir) : 0;
}

static void forget_parent(struct layer_target *t)
{
    if (t->parent >= 0)
        close(t->parent);
    t->parent = -1;
}

void layer_target_release(struct layer_target *t)
{
    forget_parent(t);
    if (t->root >= 0)
        close(t->root);
    t->root = -1;
}

/* "./a//b/" -> "a/b"; absolute names become relative; ".." is refused. */
static int clean_name(const char *name, char ret[FILE_PATH_MAX], struct errbuf *err)
{
    struct str rest = str_of(name), part;
    size_t n = 0;

    while (str_split(&rest, '/', &part)) {
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (str_is(part, ".."))
            return err_set(err, E_INVALID, "layer entry \"%.100s\" leaves the layer", name);
        if (part.n > NAME_LEN_MAX || n + part.n + 2 > FILE_PATH_MAX)
            return err_set(err, E_INVALID, "layer entry \"%.100s...\" has too long a name", name);
        if (n > 0)
            ret[n++] = '/';
        memcpy(ret + n, part.p, part.n);
        n += part.n;
    }
    ret[n] = '\0';
    return 0;
}

/* Every missing directory of `path`, made one by one inside the root. -> fd */
static int make_dirs(struct layer_target *t, const char *path, struct errbuf *err)
{
    struct file_path p;
    int rc = file_path(&p, err, "%s", path), at, next;

    if (rc < 0)
        return rc;
    at = file_open_in_root(t->root, path, O_RDONLY | O_DIRECTORY, NULL);
    if (at >= 0)
        return at;
    at = file_open_in_root(t->root, ".", O_RDONLY | O_DIRECTORY, err);
    for (char *c = p.s, *name = p.s; at >= 0; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        char was = *c;
        *c = '\0';
        if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
            next = err_sys(err, errno, "make %s", p.s);
        else
            next = file_open_in_root(t->root, p.s, O_RDONLY | O_DIRECTORY, err);
        close(at);
        at = next;
        if (was == '\0')
            break;
        *c = was;
        name = c + 1;
    }
    return at;
}

/* Directory of `path` -> an fd that t keeps; *ret_last: the name in it. */
static int parent_of(struct layer_target *t, char *path, const char **ret_last, struct errbuf *err)
{
    char *slash = strrchr(path, '/');
    const char *dir = slash != NULL ? path : "";

    *ret_last = slash != NULL ? slash + 1 : path;
    if (slash != NULL)
        *slash = '\0';
    if (t->parent < 0 || strcmp(t->parent_path, dir) != 0) {
        forget_parent(t);
        t->parent = make_dirs(t, *dir == '\0' ? "." : dir, err);
        snprintf(t->parent_path, sizeof t->parent_path, "%s", dir);
    }
    return t->parent < 0 ? t->parent : 0;
}

/* What is there under the name goes; a directory stays for a directory. */
static int make_room(struct layer_target *t, const char *name, bool for_dir, struct errbuf *err)
{
    struct file_path p;
    struct stat st;

    if (fstatat(t->parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (!S_ISDIR(st.st_mode))
        return unlinkat(t->parent, name, 0) < 0 ? err_sys(err, errno, "replace %s", name) : 0;
    if (for_dir)
        return 0;
    int rc = file_path(&p, err, "/proc/self/fd/%d/%s", t->parent, name);
    return rc < 0 ? rc : file_remove_tree(p.s, err);
}

static int whiteout(struct layer_target *t, const char *name, struct errbuf *err)
{
    if (strcmp(name, opaque_name) == 0)
        return fsetxattr(t->parent, "trusted.overlay.opaque", "y", 1, 0) < 0 ? err_sys(err, errno,
            "mark opaque") : 0;
    name += sizeof whiteout_prefix - 1;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err_set(err, E_INVALID, "layer has a whiteout of \"%s\"", name);
    if (strncmp(name, whiteout_prefix, sizeof whiteout_prefix - 1) == 0)
        return 0;                                /* other tools' bookkeeping (.wh..wh.plnk): means nothing here */
    int rc = make_room(t, name, false, err);
    if (rc == 0 && mknodat(t->parent, name, S_IFCHR, makedev(0, 0)) < 0)
        rc = err_sys(err, errno, "whiteout of %s", name);
    return rc;
}

/* Only attributes with a meaning for the contents; never overlayfs's own, which would redirect it. */
static bool xattr_wanted(const char *name)
{
    if (strncmp(name, "user.overlay.", 13) == 0)
        return false;
    return strcmp(name, "security.capability") == 0 || strncmp(name, "user.", 5) == 0;
}

static void set_xattrs(int fd, struct archive_entry *e)
{
    const char *name;
    const void *val;
    size_t n;

    archive_entry_xattr_reset(e);
    while (archive_entry_xattr_next(e, &name, &val, &n) == ARCHIVE_OK)
        if (name != NULL && xattr_wanted(name))
            fsetxattr(fd, name, val, n, 0);      /* a filesystem without them: the file is right otherwise */
}

static struct timespec mtime_of(struct archive_entry *e)
{
    long ns = archive_entry_mtime_nsec(e);
    return (struct timespec){ archive_entry_mtime(e), ns >= 0 && ns < 1000000000 ? ns : 0 };
}

/* Owner first: chown clears set-id bits. */
int layer_entry_finish(int fd, struct archive_entry *e, struct errbuf *err)
{
    struct timespec ts[2] = { mtime_of(e), mtime_of(e) };
    int64_t uid = archive_entry_uid(e), gid = archive_entry_gid(e);

    if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
        return err_set(err, E_INVALID, "layer entry with owner %lld:%lld", (long long)uid, (long long)gid);
    if (geteuid() == 0 && fchown(fd, (uid_t)uid, (gid_t)gid) < 0)
        return err_sys(err, errno, "set owner");
    if (fchmod(fd, archive_entry_mode(e) & 07777) < 0)
        return err_sys(err, errno, "set mode");
    set_xattrs(fd, e);
    futimens(fd, ts);                            /* only cosmetic, so failure is fine (out of the filesystem's range) */
    return 0;
}

static int make_regular(struct layer_target *t, const char *name, int *ret_fd, struct errbuf *err)
{
    int rc = make_room(t, name, false, err);

    if (rc < 0)
        return rc;
    int fd = openat(t->parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, errno, "create %s", name);
    *ret_fd = fd;
    return 0;
}

static int make_directory(struct layer_target *t, const char *name, struct archive_entry *e,
                          struct errbuf *err)
{
    int rc = make_room(t, name, true, err);

    if (rc == 0 && mkdirat(t->parent, name, 0755) < 0 && errno != EEXIST)
        rc = err_sys(err, errno, "make %s", name);
    if (rc < 0)
        return rc;
    int fd = openat(t->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "open %s", name);
    rc = layer_entry_finish(fd, e, err);
    close(fd);
    return rc;
}

static int make_symlink(struct layer_target *t, const char *name, struct archive_entry *e, struct errbuf *err)
{
    const char *to = archive_entry_symlink(e);

    if (to == NULL || *to == '\0')
        return err_set(err, E_INVALID, "symlink %s without a target", name);
    int rc = make_room(t, name, false, err);
    if (rc == 0 && symlinkat(to, t->parent, name) < 0)
        rc = err_sys(err, errno, "symlink %s", name);
    if (rc == 0 && geteuid() == 0
        && fchownat(t->parent, name, (uid_t)archive_entry_uid(e), (gid_t)archive_entry_gid(e),
                    AT_SYMLINK_NOFOLLOW) < 0)
        rc = err_sys(err, errno, "set owner of %s", name);
    return rc;
}

static int make_hardlink(struct layer_target *t, const char *name, const char *to, struct errbuf *err)
{
    char path[FILE_PATH_MAX];
    int rc = clean_name(to, path, err);

    if (rc < 0)
        return rc;
    char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;
    if (slash != NULL)
        *slash = '\0';
    int dir = file_open_in_root(t->root, slash != NULL ? path : ".", O_PATH | O_DIRECTORY, err);
    if (dir < 0)
        return dir;
    rc = make_room(t, name, false, err);
    if (rc == 0 && linkat(dir, last, t->parent, name, 0) < 0)     /* does not follow a symlink */
        rc = err_sys(err, errno, "link %s to %.100s", name, to);
    close(dir);
    return rc;
}

static int make_fifo(struct layer_target *t, const char *name, struct archive_entry *e, struct errbuf *err)
{
    int rc = make_room(t, name, false, err);

    if (rc == 0 && mkfifoat(t->parent, name, archive_entry_mode(e) & 0777) < 0)
        rc = err_sys(err, errno, "fifo %s", name);
    return rc;
}

int layer_entry_make(struct layer_target *t, struct archive_entry *e, int *ret_fd, struct errbuf *err)
{
    char path[FILE_PATH_MAX];
    const char *raw = archive_entry_pathname(e), *name, *hard = archive_entry_hardlink(e);
    int rc;

    *ret_fd = -1;
    if (raw == NULL)
        return err_set(err, E_INVALID, "layer entry without a name");
    if ((rc = clean_name(raw, path, err)) < 0)
        return rc;
    if (path[0] == '\0')                         /* "./": the root itself */
        return archive_entry_filetype(e) == AE_IFDIR ? layer_entry_finish(t->root, e, err) : 0;
    if ((rc = parent_of(t, path, &name, err)) < 0)
        return rc;
    if (strncmp(name, whiteout_prefix, sizeof whiteout_prefix - 1) == 0)
        return whiteout(t, name, err);
    if (hard != NULL)
        return make_hardlink(t, name, hard, err);
    switch (archive_entry_filetype(e)) {
    case AE_IFREG: return make_regular(t, name, ret_fd, err);
    case AE_IFDIR: return make_directory(t, name, e, err);
    case AE_IFLNK: return make_symlink(t, name, e, err);
    case AE_IFIFO: return make_fifo(t, name, e, err);
    default:       return 0;                     /* device nodes and sockets: see layer.h */
    }
}
