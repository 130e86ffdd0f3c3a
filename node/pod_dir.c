/* node/pod_dir.c: see node/pod_dir.h. */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include "net/log.h"
#include "node/files.h"
#include "node/pod_dir.h"

struct removal {
    struct loop_work work;
    struct agent *agent;
    char *uid;
    struct file_path dir;
    void (*done)(struct agent *a, struct str uid);
    struct errbuf err;
    int rc;
};

/* Volumes in memory are mounts of ours. */
static int unmount_volume(void *arg, const char *name)
{
    struct removal *r = arg;
    struct file_path p;

    if (file_path(&p, &r->err, "%s/volumes/%s", r->dir.s, name) == 0 && file_is_mount(p.s)
        && umount2(p.s, MNT_DETACH) != 0)
        r->rc = err_sys(&r->err, errno, "unmount %s", p.s);
    return 0;
}

static void removal_fn(struct loop_work *w)
{
    struct removal *r = container_of(w, struct removal, work);
    struct file_path volumes;

    if (r->rc != 0 || r->agent->hollow)          /* a hollow pod has none */
        return;
    if (file_path(&volumes, &r->err, "%s/volumes", r->dir.s) == 0 && file_exists(volumes.s))
        r->rc = file_each(volumes.s, unmount_volume, r, &r->err);
    if (r->rc == 0)
        r->rc = file_remove_tree(r->dir.s, &r->err);
}

static void removal_done(struct loop_work *w)
{
    struct removal *r = container_of(w, struct removal, work);
    struct agent *a = r->agent;

    if (r->rc != 0)
        log_warn("pod", "cannot remove %s: %s", r->dir.s, r->err.s);
    if (r->done != NULL && !a->closing)
        r->done(a, str_of(r->uid));
    mem_free(r->uid);
    mem_free(r);
    agent_work_done(a);
}

void pod_dir_remove(struct agent *a, const char *uid, void (*done)(struct agent *a, struct str uid))
{
    struct removal *r = mem_new(struct removal);

    r->agent = a;
    r->uid = mem_strdup(uid);
    r->done = done;
    r->work = (struct loop_work){ .fn = removal_fn, .done = removal_done };
    r->rc = file_name_ok(uid) ? file_path(&r->dir, &r->err, "%s/pods/%s", a->root_dir, uid)
                              : err_set(&r->err, E_INVALID, "\"%s\" is no name of a directory", uid);
    a->n_work++;
    loop_work(a->loop, &r->work);
}

static int sweep_one(void *arg, const char *name)
{
    struct agent *a = arg;

    if (map_get(&a->pods, str_of(name)) == NULL && file_name_ok(name))
        pod_dir_remove(a, name, NULL);
    return 0;
}

void pod_dir_sweep(struct agent *a)
{
    struct file_path dir;

    if (!a->hollow && file_path(&dir, NULL, "%s/pods", a->root_dir) == 0 && file_exists(dir.s))
        file_each(dir.s, sweep_one, a, NULL);
}
