/* node/mountns.c: see mountns.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>
#include "node/cgroup.h"
#include "node/files.h"
#include "node/mountns.h"

/* A holder file: "PID START BOOT". */
static bool holder_read(const char *path, struct proc_id *ret)
{
    struct buf b = BUF_INIT;
    struct str rest, part;
    struct proc_id id = { 0 };
    uint64_t pid;
    bool ok = false;

    if (file_read(path, 256, &b, NULL) == 0) {
        rest = str_trim(buf_str(&b));
        ok = str_split(&rest, ' ', &part) && str_u64(part, &pid) && pid <= INT32_MAX
            && str_split(&rest, ' ', &part) && str_u64(part, &id.start_ticks) && rest.n < sizeof id.boot;
    }
    if (ok) {
        id.pid = (pid_t)pid;
        memcpy(id.boot, rest.p, rest.n);
        *ret = id;
    }
    buf_release(&b);
    return ok;
}

struct search { const char *dir; int fd; };

static int search_one(void *arg, const char *name)
{
    struct search *s = arg;
    struct file_path p;
    struct proc_id id;

    if (file_path(&p, NULL, "%s/%s", s->dir, name) < 0 || !holder_read(p.s, &id))
        return 0;
    if (!proc_id_alive(&id)) {
        unlink(p.s);
        return 0;
    }
    if (file_path(&p, NULL, "/proc/%d/ns/mnt", (int)id.pid) < 0)
        return 0;
    s->fd = open(p.s, O_RDONLY | O_CLOEXEC);
    if (s->fd >= 0 && !proc_id_alive(&id)) {     /* it ended and the pid went on to another */
        close(s->fd);
        s->fd = -1;
    }
    return s->fd >= 0;
}

static int make_new(struct errbuf *err)
{
    struct cgroup_fs fs;

    if (unshare(CLONE_NEWNS) < 0)
        return err_sys(err, errno, "make a mount namespace");
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return err_sys(err, errno, "keep our mounts to ourselves");
    int rc = cgroup_fs_open(&fs, err);
    if (rc == 0 && fs.mode == CGROUP_HYBRID && umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0)
        rc = err_sys(err, errno, "unmount /sys/fs/cgroup/unified");
    return rc;
}

int mountns_enter(const char *run_dir, struct errbuf *err)
{
    struct file_path dir;
    struct search s = { dir.s, -1 };
    int rc = file_path(&dir, err, "%s/holders", run_dir);

    if (rc < 0)
        return rc;
    file_each(dir.s, search_one, &s, NULL);
    if (s.fd < 0)
        return make_new(err);
    if (setns(s.fd, CLONE_NEWNS) < 0)
        rc = err_sys(err, errno, "enter the pods' mount namespace");
    close(s.fd);
    return rc;
}

int mountns_hold(const char *run_dir, const char *name, const struct proc_id *id, struct errbuf *err)
{
    struct file_path p;
    char text[128];
    int rc = file_path(&p, err, "%s/holders", run_dir);

    if (rc == 0)
        rc = file_mkdirs(p.s, 0700, err);
    if (rc == 0)
        rc = file_path(&p, err, "%s/holders/%s", run_dir, name);
    if (rc < 0)
        return rc;
    int n = snprintf(text, sizeof text, "%d %llu %s\n", (int)id->pid, (unsigned long long)id->start_ticks,
                     id->boot);
    return file_replace(p.s, str_make(text, (size_t)n), 0600, false, err);
}

void mountns_release(const char *run_dir, const char *name)
{
    struct file_path p;

    if (file_path(&p, NULL, "%s/holders/%s", run_dir, name) == 0)
        unlink(p.s);
}
