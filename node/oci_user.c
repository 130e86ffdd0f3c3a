/* node/oci_user.c: see oci_user.h. */
#include <fcntl.h>
#include <unistd.h>
#include "node/files.h"
#include "node/oci_user.h"

enum { DATABASE_MAX = 4 << 20 };

static void load(int root, const char *path, struct buf *out)
{
    int fd = file_open_in_root(root, path, O_RDONLY | O_NONBLOCK, NULL);

    if (fd < 0)
        return;                                  /* images without one are common */
    if (file_read_fd(fd, DATABASE_MAX, out, NULL) < 0)
        buf_clear(out);
    close(fd);
}

static bool number(struct str s, uint32_t *ret)
{
    uint64_t v;

    if (!str_u64(s, &v) || v >= UINT32_MAX)
        return false;
    *ret = (uint32_t)v;
    return true;
}

/* The line whose name is `name`, or (name empty) whose number is `id`. Fields: name:x:number:more... */
static bool find(struct str db, struct str name, uint32_t id, struct str *ret_name, uint32_t *ret_id,
                 struct str *ret_rest)
{
    struct str line, f[3];
    uint32_t n;

    while (str_split(&db, '\n', &line)) {
        unsigned i = 0;
        while (i < 3 && str_split(&line, ':', &f[i]))
            i++;
        if (i < 3 || !number(f[2], &n) || !(name.n > 0 ? str_eq(f[0], name) : n == id))
            continue;
        *ret_name = f[0];
        *ret_id = n;
        *ret_rest = line;
        return true;
    }
    return false;
}

static void add_group(struct oci_user *u, uint32_t gid)
{
    for (unsigned i = 0; i < u->n_groups; i++)
        if (u->groups[i] == gid)
            return;
    if (u->n_groups < OCI_GROUPS_MAX)
        u->groups[u->n_groups++] = gid;
}

/* Every group that lists the user as a member. */
static void member_groups(struct str db, struct str user, struct oci_user *u)
{
    struct str line, f[3], member;
    uint32_t gid;

    while (user.n > 0 && str_split(&db, '\n', &line)) {
        unsigned i = 0;
        while (i < 3 && str_split(&line, ':', &f[i]))
            i++;
        if (i < 3 || !number(f[2], &gid))
            continue;
        while (str_split(&line, ',', &member))
            if (str_eq(str_trim(member), user))
                add_group(u, gid);
    }
}

static int resolve(struct str passwd, struct str group, struct str spec, const struct rt_security *sec,
                   struct oci_user *u,
                   struct errbuf *err)
{
    struct str user = STR_NONE, rest = spec, want, name = STR_NONE, more = STR_NONE;
    uint32_t gid;

    if (!str_split(&rest, ':', &want) || sec->has_uid)
        want = STR_NONE;
    if (sec->has_uid)
        u->uid = sec->uid;
    else if (want.n > 0 && !number(want, &u->uid))
        user = want;
    if (find(passwd, user, u->uid, &name, &u->uid, &more)) {
        struct str f;
        if (str_split(&more, ':', &f) && number(f, &gid))
            u->gid = gid;
    } else if (user.n > 0) {
        return err_set(err, E_INVALID,
                       "unable to find user %.*s: no matching entries in the image's passwd file",
                       STR_ARG(user));
    }
    member_groups(group, name, u);
    if (!sec->has_uid && rest.n > 0 && !number(rest, &u->gid)
        && !find(group, rest, 0, &name, &u->gid, &more))
        return err_set(err, E_INVALID,
                       "unable to find group %.*s: no matching entries in the image's group file",
                       STR_ARG(rest));
    if (sec->has_gid)
        u->gid = sec->gid;
    return 0;
}

/* Who a name stands for is the image's to say: only numbers count. */
static int refuse_root(const char *image_user, const struct rt_security *sec, uint32_t uid,
                       struct errbuf *err)
{
    struct str rest = str_of(image_user), user = STR_NONE;
    const char *who = sec->who != NULL ? sec->who : "";
    uint32_t n;

    if (sec->has_uid)
        return uid != 0 ? 0 : err_set(err, E_INVALID, "container's runAsUser breaks non-root policy %s", who);
    str_split(&rest, ':', &user);
    if (user.n > 0 && !number(user, &n))
        return err_set(err, E_INVALID, "container has runAsNonRoot and image has non-numeric user (%.*s), "
                       "cannot verify user is non-root %s", STR_ARG(user), who);
    if (uid != 0)
        return 0;
    return err_set(err, E_INVALID, "container has runAsNonRoot and image will run as root %s", who);
}

int oci_user_resolve(const char *rootfs, const char *image_user, const struct rt_security *sec,
                     struct oci_user *ret,
                     struct errbuf *err)
{
    struct buf passwd = BUF_INIT, group = BUF_INIT;
    struct oci_user u = { 0 };
    int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (root >= 0) {
        load(root, "etc/passwd", &passwd);
        load(root, "etc/group", &group);
        close(root);
    }
    int rc = resolve(buf_str(&passwd), buf_str(&group), str_of(image_user), sec, &u, err);
    buf_release(&passwd);
    buf_release(&group);
    if (rc < 0)
        return rc;
    if (sec->run_as_non_root && (rc = refuse_root(image_user, sec, u.uid, err)) < 0)
        return rc;
    if (sec->n_groups > OCI_GROUPS_MAX - u.n_groups)
        return err_set(err, E_INVALID, "more than %d groups", OCI_GROUPS_MAX);
    for (size_t i = 0; i < sec->n_groups; i++)
        add_group(&u, sec->groups[i]);
    *ret = u;
    return 0;
}
