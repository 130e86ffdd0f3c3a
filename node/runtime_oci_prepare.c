/* node/runtime_oci_prepare.c: everything about a container that blocks: directories, mounts, the bundle, starting
 * conmon; and taking all of it away again.  Thread pool only (wipe also at start-up). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "node/oci_caps.h"
#include "node/oci_spec.h"
#include "node/overlay.h"
#include "node/runtime_oci_impl.h"
#include "node/spawn.h"

enum { POD_FILES = 5 };                          /* hosts, hostname, resolv.conf, shm, termination message */

/* ---- mounts ----------------------------------------------------------------------------------- */

struct mounts { struct oci_prepare *p; struct arena a; struct oci_mount *m; size_t n; };

static void mount_add(struct mounts *ms, const char *source, const char *dest, bool read_only,
                      enum rt_propagation prop)
{
    ms->m[ms->n++] = (struct oci_mount){ source, dest, read_only, prop };
}

static int pod_files(struct mounts *ms)
{
    static const char *const etc[] = { "hosts", "hostname", "resolv.conf" };
    struct oci_prepare *p = ms->p;
    const char *dir = p->sandbox_dir;

    for (unsigned i = 0; i < ARRAY_LEN(etc); i++)
        mount_add(ms, arena_fmt(&ms->a, "%s/%s", dir, etc[i]).p, arena_fmt(&ms->a, "/etc/%s", etc[i]).p,
                  false, RT_PROP_NONE);
    mount_add(ms, p->host_ipc ? "/dev/shm" : arena_fmt(&ms->a, "%s/shm", dir).p, "/dev/shm", false,
              RT_PROP_NONE);
    if (p->req->termination_path != NULL) {
        if (p->req->termination_path[0] != '/')
            return err_set(&p->err, E_INVALID, "termination message path \"%.100s\" is not absolute",
                           p->req->termination_path);
        int rc = file_replace(p->c->termination_path, STR(""), 0666, false, &p->err);
        if (rc < 0)
            return rc;
        mount_add(ms, p->c->termination_path, p->req->termination_path, false, RT_PROP_NONE);
    }
    return 0;
}

/* A part of a volume: resolved once, inside the volume, and pinned by a mount of our own, so that the container
 * cannot swap it for a symlink before the runtime mounts it. */
static int sub_path(struct mounts *ms, size_t i, const struct rt_mount *m)
{
    struct oci_prepare *p = ms->p;
    const char *target = arena_fmt(&ms->a, "%s/mounts/%zu", p->c->dir, i).p;
    int volume = open(m->source, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (volume < 0)
        return err_sys(&p->err, errno, "volume %s", m->source);
    int fd = file_open_beneath(volume, m->sub_path, O_PATH, &p->err);
    if (fd == E_NOTFOUND)
        fd = file_mkdirs_beneath(volume, m->sub_path, 0750, &p->err);
    close(volume);
    if (fd < 0)
        return err_wrap(&p->err, fd == E_DENIED ? E_INVALID : fd, "subPath of %s", m->dest);
    int rc = bind_fd(fd, target, &p->err);
    close(fd);
    if (rc == 0)
        mount_add(ms, target, m->dest, m->read_only, m->propagation);
    return rc;
}

static int collect_mounts(struct mounts *ms)
{
    struct oci_prepare *p = ms->p;
    int rc = pod_files(ms);

    for (size_t i = 0; i < p->req->n_mounts && rc == 0; i++) {
        const struct rt_mount *m = &p->req->mounts[i];
        if (m->sub_path != NULL && *m->sub_path != '\0')
            rc = sub_path(ms, i, m);
        else if (!file_exists(m->source))
            rc = err_set(&p->err, E_INVALID, "mount source %s does not exist", m->source);
        else
            mount_add(ms, m->source, m->dest, m->read_only, m->propagation);
    }
    return rc;
}

/* ---- the bundle ------------------------------------------------------------------------------- */

static bool limits_swap(const struct oci_runtime *rt, const char *pod_cgroup)
{
    struct file_path p;
    int at = rt->cg.at[CG_MEMORY], rc;

    if (at < 0)
        return false;
    if (rt->cg.mode == CGROUP_V2)
        rc = file_path(&p, NULL, "%s%s/memory.swap.max", rt->cg.mount[at], pod_cgroup);
    else
        rc = file_path(&p, NULL, "%s/memory.memsw.limit_in_bytes", rt->cg.mount[at]);
    return rc == 0 && file_exists(p.s);
}

static int write_bundle(struct oci_prepare *p, const struct mounts *ms, const char *rootfs)
{
    struct oci_runtime *rt = p->rt;
    struct oci_user user;
    struct file_path path, pod;
    struct buf b = BUF_INIT;
    struct oci_spec spec = {
        .req = p->req, .image = p->image, .user = &user, .mounts = ms->m, .n_mounts = ms->n, .rootfs = rootfs,
        .cgroup_path = p->c->cgroup, .hostname = p->hostname, .holder_pid = p->holder_pid,
        .host_network = p->host_network, .host_pid = p->host_pid, .host_ipc = p->host_ipc,
        .share_pid = p->share_pid, .target_pid = p->target_pid,
        .cgroup_v2 = rt->cg.mode == CGROUP_V2, .oom_score_adj_min = rt->oom_score_adj_min,
    };
    int rc = oci_user_resolve(rootfs, p->image->user, &p->req->security, &user, &p->err);

    if (rc == 0)
        rc = oci_caps_resolve(&p->req->security, rt->caps, &spec.caps, &p->err);
    if (rc == 0)
        rc = file_path(&pod, &p->err, "%.*s", (int)(strrchr(p->c->cgroup, '/') - p->c->cgroup), p->c->cgroup);
    if (rc == 0) {
        spec.limit_swap = limits_swap(rt, pod.s);
        rc = oci_spec_write(&b, &spec, &p->err);
    }
    if (rc == 0)
        rc = file_path(&path, &p->err, "%s/config.json", p->c->dir);
    if (rc == 0)
        rc = file_replace(path.s, buf_str(&b), 0600, false, &p->err);
    buf_release(&b);
    return rc;
}

static int make_dirs(struct oci_prepare *p)
{
    static const char *const subdirs[] = { "upper", "work", "rootfs", "mounts" };
    struct file_path path;
    int rc = file_mkdirs(p->c->dir, 0700, &p->err);

    if (rc == 0)
        rc = oci_container_save(p->c, &p->err);  /* first: from here on a crash is undone at the next start */
    for (unsigned i = 0; i < ARRAY_LEN(subdirs) && rc == 0; i++) {
        rc = file_path(&path, &p->err, "%s/%s", p->c->dir, subdirs[i]);
        if (rc == 0 && mkdir(path.s, 0755) < 0)
            rc = err_sys(&p->err, errno, "mkdir %s", path.s);
    }
    if (rc == 0 && p->c->log_path != NULL && (rc = file_path(&path, &p->err, "%s", p->c->log_path)) == 0) {
        char *slash = strrchr(path.s, '/');
        if (slash != NULL && slash != path.s) {
            *slash = '\0';
            rc = file_mkdirs(path.s, 0755, &p->err);
        }
    }
    return rc;
}

static int build(struct oci_prepare *p)
{
    struct mounts ms = { .p = p };
    struct file_path upper, work, rootfs;
    int rc = make_dirs(p);

    if (rc < 0 || (rc = file_path(&upper, &p->err, "%s/upper", p->c->dir)) < 0
        || (rc = file_path(&work, &p->err, "%s/work", p->c->dir)) < 0
        || (rc = file_path(&rootfs, &p->err, "%s/rootfs", p->c->dir)) < 0
        || (rc = overlay_mount(p->layers, p->n_layers, upper.s, work.s, rootfs.s, &p->err)) < 0)
        return rc;
    ms.m = arena_alloc(&ms.a, sizeof *ms.m * (p->req->n_mounts + POD_FILES));
    rc = collect_mounts(&ms);
    if (rc == 0)
        rc = write_bundle(p, &ms, rootfs.s);
    arena_release(&ms.a);
    return rc;
}

/* ---- conmon ----------------------------------------------------------------------------------- */

static void add_procs(void *arg, const char *file)
{
    struct spawn_opts *o = arg;
    if (o->n_cgroups < SPAWN_CGROUPS_MAX)
        o->cgroup_procs[o->n_cgroups++] = mem_strdup(file);
}

static int record_monitor(void *arg, pid_t pid, struct errbuf *err)
{
    struct oci_container *c = arg;

    if (!proc_id_of(pid, &c->monitor))
        return err_set(err, E_CHILD, "conmon ended at once");
    return oci_container_save(c, err);
}

static int start_conmon(struct oci_prepare *p)
{
    struct arena a = ARENA_INIT;
    struct oci_container *c = p->c;
    const char *argv[40], *env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                     "_OCI_SYNCPIPE=3", NULL };
    unsigned n = 0;
    int fd[2];
    pid_t pid = 0;
    const char *fixed[] = {
        p->rt->conmon, "--sync", "-c", c->id, "-u", c->id, "-n", c->name, "-r", p->rt->crun, "--runtime-arg",
        arena_fmt(&a, "--root=%s", p->rt->crun_root).p, "-b", c->dir, "-p", arena_fmt(&a, "%s/pid", c->dir).p,
        "--persist-dir", c->dir, "--full-attach", "--no-sync-log",
        "--log-level", "error", "-l", c->log_path != NULL ? arena_fmt(&a, "k8s-file:%s",
            c->log_path).p : "none",
    };

    for (; n < ARRAY_LEN(fixed); n++)
        argv[n] = fixed[n];
    if (c->tty)
        argv[n++] = "-t";
    if (c->want_stdin)
        argv[n++] = "-i";
    if (c->want_stdin && !p->req->stdin_once)
        argv[n++] = "--leave-stdin-open";
    argv[n] = NULL;
    must(n < ARRAY_LEN(argv));
    int rc = pipe2(fd, O_CLOEXEC) < 0 ? err_sys(&p->err, errno, "pipe") : 0;
    if (rc == 0) {
        struct spawn_opts o = { .argv = argv, .env = env, .cwd = c->dir, .fds = { fd[1] }, .n_fds = 1,
                                .announce = record_monitor, .arg = c };
        cgroup_each_procs(&p->rt->cg, p->rt->monitors, add_procs, &o);
        rc = spawn_detached(&o, &pid, &p->err);
        for (unsigned i = 0; i < o.n_cgroups; i++)
            mem_free(o.cgroup_procs[i]);
        close(fd[1]);
        if (rc < 0)
            close(fd[0]);
        else
            p->sync_fd = fd[0];
    }
    arena_release(&a);
    return rc;
}

int oci_prepare_run(struct oci_prepare *p)
{
    p->sync_fd = -1;
    int rc = build(p);
    return rc < 0 ? rc : start_conmon(p);
}

/* ---- taking it away --------------------------------------------------------------------------- */

static int unmount_one(void *arg, const char *name)
{
    const char *dir = arg;
    struct file_path p;

    if (file_path(&p, NULL, "%s/%s", dir, name) == 0)
        unmount_path(p.s, NULL);
    return 0;
}

int oci_container_wipe(struct oci_runtime *rt, const struct oci_container *c, struct errbuf *err)
{
    struct file_path p;
    int rc = 0;

    if (c->monitor.pid > 0)
        proc_id_signal(&c->monitor, SIGKILL, NULL);
    if (oci_cgroup_ours(rt, c->cgroup)) {
        rc = cgroup_kill(&rt->cg, c->cgroup, OCI_KILL_TIMEOUT_MS, err);
        if (rc == 0)
            rc = cgroup_remove(&rt->cg, c->cgroup, err);
    }
    if (rc == 0 && (rc = file_path(&p, err, "%s/%s", rt->crun_root, c->id)) == 0)
        rc = file_remove_tree(p.s, err);
    if (rc == 0 && (rc = file_path(&p, err, "%s/mounts", c->dir)) == 0)
        file_each(p.s, unmount_one, p.s, NULL);
    if (rc == 0 && (rc = file_path(&p, err, "%s/rootfs", c->dir)) == 0)
        rc = unmount_path(p.s, err);
    return rc < 0 ? rc : file_remove_tree(c->dir, err);
}

int oci_control(const struct oci_container *c, const char *line, struct errbuf *err)
{
    struct file_path p;
    int rc = file_path(&p, err, "%s/ctl", c->dir);

    if (rc < 0)
        return rc;
    int fd = open(p.s, O_WRONLY | O_NONBLOCK | O_CLOEXEC);       /* ENXIO: no monitor reads it */
    if (fd < 0)
        return err_sys(err, errno, "control of container %s", c->id);
    if (write(fd, line, strlen(line)) < 0)
        rc = err_sys(err, errno, "control of container %s", c->id);
    close(fd);
    return rc;
}
