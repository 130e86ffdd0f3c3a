/* node/runtime_oci.c: opening, closing, images and sessions of the real runtime; its operations are in
 * runtime_oci_*.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "net/log.h"
#include "node/oci_caps.h"
#include "node/runtime_oci_impl.h"

enum { RUN_DIR_MAX = 60 };

/* ---- shared helpers --------------------------------------------------------------------------- */

void oci_new_id(struct oci_runtime *rt, char ret[65])
{
    unsigned char raw[OCI_ID_HEX];

    loop_random(rt->loop, raw, sizeof raw);
    for (unsigned i = 0; i < sizeof raw; i++)
        snprintf(ret + 2 * i, 3, "%02x", raw[i]);
}

struct answer { struct ready_item item; struct oci_runtime *rt; struct rt_req *req; int status; };

static void answer_on_ready(struct ready_item *it)
{
    struct answer *a = container_of(it, struct answer, item);
    struct oci_runtime *rt = a->rt;
    struct rt_req *req = a->req;
    int status = a->status;

    mem_free(a);
    req->done(req, status);
    oci_unpin(rt);
}

void oci_answer(struct oci_runtime *rt, struct rt_req *r, int status)
{
    struct answer *a = mem_new(struct answer);

    a->rt = rt;
    a->req = r;
    a->status = status;
    ready_init(&a->item, answer_on_ready);
    oci_pin(rt);
    ready_post(rt->loop, &a->item);
}

int oci_crun(struct oci_runtime *rt, const char *const *args,
             void (*done)(void *arg, const struct proc_run_result *r),
             void *arg, struct errbuf *err)
{
    const char *argv[16] = { rt->crun, "--root", rt->crun_root };
    unsigned n = 3;

    for (; *args != NULL; args++) {
        must(n + 1 < ARRAY_LEN(argv));
        argv[n++] = *args;
    }
    argv[n] = NULL;
    struct proc_run_opts o = { .argv = argv, .timeout_ms = OCI_START_TIMEOUT_MS, .max_out = 64 << 10,
                               .done = done, .arg = arg };
    return proc_run(rt->loop, &o, NULL, err);
}

int oci_child_error(struct errbuf *err, const char *what, const struct proc_run_result *r)
{
    struct str why = str_trim(r->err.n > 0 ? r->err : r->out);

    if (r->timed_out)
        return err_set(err, E_TIMEOUT, "%s: the OCI runtime did not answer in time", what);
    return err_set(err, E_CHILD, "%s: %.*s", what, (int)MIN_OF(why.n, 200),
                   why.n > 0 ? why.p : "the OCI runtime did not say why");
}

/* ---- listing ---------------------------------------------------------------------------------- */

static const struct rt_sandbox_info *sandbox_get(struct runtime *base, const char *id)
{
    struct oci_sandbox *sb = oci_sandbox_find(oci_runtime_of(base), id);
    return sb != NULL && sb->state != SB_MAKING ? &sb->info : NULL;
}

static void sandbox_each(struct runtime *base, void (*fn)(void *arg, const struct rt_sandbox_info *i),
                         void *arg)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&oci_runtime_of(base)->sandboxes, &i, &key, &val); )
        if (((struct oci_sandbox *)val)->state != SB_MAKING)
            fn(arg, &((struct oci_sandbox *)val)->info);
}

static const struct rt_container_info *container_get(struct runtime *base, const char *id)
{
    struct oci_container *c = oci_container_find(oci_runtime_of(base), id);
    return c != NULL && c->state != CT_MAKING ? &c->info : NULL;
}

static void container_each(struct runtime *base, void (*fn)(void *arg, const struct rt_container_info *i),
                           void *arg)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&oci_runtime_of(base)->containers, &i, &key, &val); )
        if (((struct oci_container *)val)->state != CT_MAKING)
            fn(arg, &((struct oci_container *)val)->info);
}

/* ---- images ----------------------------------------------------------------------------------- */

/* An image that is missing while archives are being imported may be in one of them. */
struct ensure_op { struct image_wait wait; struct oci_runtime *rt; struct rt_image_ensure *req; };

static int ensure_now(struct oci_runtime *rt, struct rt_image_ensure *r)
{
    const struct rt_image_info *im = image_store_get(rt->images, r->ref);
    struct image_ref ref;
    int rc = 0;

    if (im != NULL)
        snprintf(r->id, sizeof r->id, "%s", im->id);
    else if ((rc = image_ref_normalize(str_of(r->ref), &ref, &r->req.err)) == 0)
        rc = err_set(&r->req.err, E_NOTFOUND,
                     "image \"%.200s\" is not on this node and there is no registry to ask", ref.s);
    return rc;
}

static void ensure_on_imported(struct image_wait *w)
{
    struct ensure_op *op = container_of(w, struct ensure_op, wait);
    struct oci_runtime *rt = op->rt;
    struct rt_image_ensure *r = op->req;

    mem_free(op);
    r->req.done(&r->req, ensure_now(rt, r));
    oci_unpin(rt);
}

static void image_ensure(struct runtime *base, struct rt_image_ensure *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    int rc = ensure_now(rt, r);

    if (rc == E_NOTFOUND) {
        struct ensure_op *op = mem_new(struct ensure_op);
        *op = (struct ensure_op){ .wait.fn = ensure_on_imported, .rt = rt, .req = r };
        oci_pin(rt);
        if (image_store_wait(rt->images, &op->wait))
            return;
        oci_unpin(rt);
        mem_free(op);
    }
    oci_answer(rt, &r->req, rc);
}

static void image_import(struct runtime *base, struct rt_image_import *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);

    if (rt->closing)
        oci_answer(rt, &r->req, err_set(&r->req.err, E_CLOSED, "the runtime is closing"));
    else
        image_store_import(rt->images, r);
}

static void image_remove(struct runtime *base, struct rt_by_id *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    const struct rt_image_info *im = image_store_get(rt->images, r->id);
    struct str key;
    void *val;
    int rc = 0;

    for (size_t i = 0; im != NULL && rc == 0 && map_next(&rt->containers, &i, &key, &val); )
        if (strcmp(((struct oci_container *)val)->image_id, im->id) == 0)
            rc = err_set(&r->req.err, E_CONFLICT, "image %s is used by container %s", r->id,
                         ((struct oci_container *)val)->id);
    if (rc == 0)
        rc = image_store_remove(rt->images, r->id, &r->req.err);
    oci_answer(rt, &r->req, rc);
}

static const struct rt_image_info *image_get(struct runtime *base, const char *ref_or_id)
{
    return image_store_get(oci_runtime_of(base)->images, ref_or_id);
}

static void image_each(struct runtime *base, void (*fn)(void *arg, const struct rt_image_info *i), void *arg)
{
    image_store_each(oci_runtime_of(base)->images, fn, arg);
}

/* ---- sessions --------------------------------------------------------------------------------- */

void oci_session_begin(struct oci_session *x, const struct oci_session_ops *ops, struct oci_runtime *rt,
                       struct rt_session *s)
{
    x->ops = ops;
    x->rt = rt;
    x->s = s;
    s->req.impl = x;
    s->exit_code = 0;
    qpush(&rt->sessions, &x->link);
    oci_pin(rt);
}

void oci_session_finish(struct oci_session *x, int status)
{
    struct oci_runtime *rt = x->rt;
    struct rt_session *s = x->s;

    qdel(&x->link);
    s->req.impl = NULL;
    s->req.done(&s->req, status);
    oci_unpin(rt);
}

static void session_open(struct runtime *base, struct rt_session *s)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    struct oci_container *c = oci_container_find(rt, s->container_id);
    int rc = 0;

    s->req.impl = NULL;
    if (rt->closing)
        rc = err_set(&s->req.err, E_CLOSED, "the runtime is closing");
    else if (c == NULL)
        rc = err_set(&s->req.err, E_NOTFOUND, "no container %s", s->container_id);
    else if (c->state != CT_RUNNING)
        rc = err_set(&s->req.err, E_AGAIN, "container %s is not running", s->container_id);
    if (rc < 0)
        oci_answer(rt, &s->req, rc);
    else if (s->n_argv > 0)
        oci_exec_open(rt, c, s);
    else
        oci_attach_open(rt, c, s);
}

static void session_write(struct rt_session *s, const char *p, size_t n)
{
    struct oci_session *x = s->req.impl;
    if (x != NULL)
        x->ops->write(x, p, n);
}

static void session_eof(struct rt_session *s)
{
    struct oci_session *x = s->req.impl;
    if (x != NULL)
        x->ops->eof(x);
}

static void session_resize(struct rt_session *s, uint16_t cols, uint16_t rows)
{
    struct oci_session *x = s->req.impl;
    if (x != NULL)
        x->ops->resize(x, cols, rows);
}

static void session_pause(struct rt_session *s, bool pause)
{
    struct oci_session *x = s->req.impl;
    if (x != NULL)
        x->ops->pause(x, pause);
}

static size_t session_queued(const struct rt_session *s)
{
    const struct oci_session *x = s->req.impl;
    return x != NULL ? x->ops->queued(x) : 0;
}

static void session_cancel(struct rt_session *s)
{
    struct oci_session *x = s->req.impl;
    if (x != NULL)
        x->ops->cancel(x, E_CANCELED);
}

/* ---- closing ---------------------------------------------------------------------------------- */

static void runtime_free(struct oci_runtime *rt)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&rt->containers, &i, &key, &val); )
        oci_container_free(val);
    for (size_t i = 0; map_next(&rt->sandboxes, &i, &key, &val); )
        oci_sandbox_free(val);
    map_release(&rt->containers);
    map_release(&rt->sandboxes);
    cni_close(rt->cni);
    mem_free(rt->root);
    mem_free(rt->run);
    mem_free(rt->crun);
    mem_free(rt->conmon);
    mem_free(rt->crun_root);
    mem_free(rt->cgroup_parent);
    mem_free(rt->monitors);
    mem_free(rt);
}

static void runtime_on_images_closed(void *arg)
{
    struct oci_runtime *rt = arg;
    void (*closed)(void *arg2) = rt->closed;
    void *closed_arg = rt->closed_arg;

    runtime_free(rt);
    if (closed != NULL)
        closed(closed_arg);
}

static void runtime_on_idle(struct ready_item *it)
{
    struct oci_runtime *rt = container_of(it, struct oci_runtime, closed_item);
    image_store_close(rt->images, runtime_on_images_closed, rt);
}

void oci_pin(struct oci_runtime *rt)
{
    rt->pins++;
}

void oci_unpin(struct oci_runtime *rt)
{
    must(rt->pins > 0);
    if (--rt->pins > 0)
        return;
    must(rt->closing && qempty(&rt->sessions));
    ready_init(&rt->closed_item, runtime_on_idle);
    ready_post(rt->loop, &rt->closed_item);
}

static void runtime_close(struct runtime *base, void (*done)(void *arg), void *arg)
{
    struct oci_runtime *rt = oci_runtime_of(base);

    must(!rt->closing);
    rt->closing = true;
    rt->closed = done;
    rt->closed_arg = arg;
    rt->base.events = NULL;
    qeach(&rt->sessions, it, tmp) {
        struct oci_session *x = qentry(it, struct oci_session, link);
        x->ops->cancel(x, E_CANCELED);
    }
    oci_unpin(rt);
}

static int set_pod_cidr(struct runtime *base, const char *cidr, struct errbuf *err)
{
    return cni_set_cidr(oci_runtime_of(base)->cni, cidr, err);
}

static const char *version(struct runtime *base)
{
    return oci_runtime_of(base)->version;
}

static const struct runtime_ops oci_ops = {
    .close = runtime_close, .purge = oci_purge, .set_pod_cidr = set_pod_cidr,
    .sandbox_create = oci_sandbox_create, .sandbox_stop = oci_sandbox_stop,
    .sandbox_remove = oci_sandbox_remove,
    .sandbox_get = sandbox_get, .sandbox_each = sandbox_each,
    .container_create = oci_container_create, .container_start = oci_container_start,
    .container_kill = oci_container_kill,
    .container_remove = oci_container_remove, .container_get = container_get,
    .container_each = container_each,
    .container_reopen_log = oci_container_reopen_log, .stats = oci_stats,
    .resize = oci_resize,
    .session_open = session_open, .session_write = session_write, .session_eof = session_eof,
    .session_resize = session_resize, .session_pause = session_pause, .session_queued = session_queued,
    .session_cancel = session_cancel,
    .image_ensure = image_ensure, .image_import = image_import, .image_remove = image_remove,
    .image_get = image_get,
    .image_each = image_each,
    .version = version,
};

/* ---- opening ---------------------------------------------------------------------------------- */

/* Absolute, because conmon wants it so. */
static int find_program(const char *name, char **ret, struct errbuf *err)
{
    static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin",
                                        "/sbin", "/bin" };
    struct file_path p;

    if (strchr(name, '/') != NULL && access(name, X_OK) == 0) {
        *ret = mem_strdup(name);
        return 0;
    }
    for (unsigned i = 0; i < ARRAY_LEN(dirs) && strchr(name, '/') == NULL; i++)
        if (file_path(&p, NULL, "%s/%s", dirs[i], name) == 0 && access(p.s, X_OK) == 0) {
            *ret = mem_strdup(p.s);
            return 0;
        }
    return err_set(err, E_NOTFOUND, "%s is not installed", name);
}

static char *join(const char *dir, const char *name)
{
    struct buf b = BUF_INIT;

    buf_fmt(&b, "%s/%s", dir, name);
    char *z = mem_strndup(buf_str(&b));
    buf_release(&b);
    return z;
}

static int open_dirs(struct oci_runtime *rt, struct errbuf *err)
{
    static const char *const below_root[] = { "sandboxes", "containers", "images" };
    struct file_path p;
    int rc = file_mkdirs(rt->crun_root, 0700, err);

    for (unsigned i = 0; i < ARRAY_LEN(below_root) && rc == 0; i++)
        if ((rc = file_path(&p, err, "%s/%s", rt->root, below_root[i])) == 0)
            rc = file_mkdirs(p.s, 0700, err);
    return rc;
}

static int open_cgroups(struct oci_runtime *rt, struct errbuf *err)
{
    struct buf b = BUF_INIT;
    int rc = cgroup_fs_open(&rt->cg, err);

    if (rc == 0 && rt->cg.mode == CGROUP_HYBRID)
        rc = err_set(err, E_INVALID, "hybrid cgroup host: mountns_enter() was not called");
    if (rc == 0)
        rc = cgroup_create(&rt->cg, rt->monitors, NULL, false, err);
    rt->caps = oci_caps_ours();
    /* Without CAP_SYS_RESOURCE nobody may be made less likely to be killed than we are. */
    rt->oom_score_adj_min = -1000;
    if (!(rt->caps & (1ull << 24)) && file_read("/proc/self/oom_score_adj", 32, &b, NULL) == 0) {
        int64_t v;
        if (str_i64(str_trim(buf_str(&b)), &v))
            rt->oom_score_adj_min = (int)v;
    }
    buf_release(&b);
    return rc;
}

static bool lease_known(void *arg, const char *id)
{
    return oci_sandbox_find(arg, id) != NULL;
}

static void on_undone(void *arg, int status)
{
    struct oci_runtime *rt = arg;
    struct rt_req *purge = rt->purge;

    must(rt->undoing > 0);
    if (--rt->undoing > 0 || purge == NULL)
        return;
    rt->purge = NULL;
    oci_purge(&rt->base, purge);
}

/* Console sockets of sessions that a killed agent had. */
static int drop_socket(void *arg, const char *name)
{
    struct oci_runtime *rt = arg;
    struct file_path p;

    if (strncmp(name, "tty-", 4) == 0 && file_path(&p, NULL, "%s/%s", rt->run, name) == 0)
        unlink(p.s);
    return 0;
}

/* What is there, what became of it, and what nobody wants. */
static void recover(struct oci_runtime *rt)
{
    struct str key;
    void *val;

    file_each(rt->run, drop_socket, rt, NULL);
    for (size_t i = 0; map_next(&rt->sandboxes, &i, &key, &val); ) {
        struct oci_sandbox *sb = val;
        if (sb->holder.pid > 0 && !proc_id_alive(&sb->holder))
            sb->holder.pid = 0;
        oci_sandbox_refresh(sb);
        if (sb->state != SB_MAKING) {
            oci_sandbox_watch(sb);
            continue;
        }
        rt->undoing++;
        oci_sandbox_undo(sb, on_undone, rt);
    }
    for (size_t i = 0; map_next(&rt->containers, &i, &key, &val); ) {
        struct oci_container *c = val;
        const struct oci_sandbox *sb = oci_sandbox_find(rt, c->sandbox_id);
        oci_container_recover(c);
        if (sb != NULL && (c->state != CT_MAKING || sb->state == SB_MAKING))
            continue;
        rt->undoing++;
        oci_container_discard(c, on_undone, rt);
    }
    cni_sweep(rt->cni, lease_known, rt);
}

static void read_version(struct oci_runtime *rt)
{
    const char *name = strrchr(rt->crun, '/');
    char line[128] = "", *v;
    FILE *f;
    char command[FILE_PATH_MAX + 16];

    snprintf(rt->version, sizeof rt->version, "%s://unknown", name != NULL ? name + 1 : rt->crun);
    snprintf(command, sizeof command, "'%s' --version", rt->crun);
    if ((f = popen(command, "re")) == NULL)
        return;
    if (fgets(line, sizeof line, f) != NULL && (v = strstr(line, "version ")) != NULL)
        snprintf(rt->version, sizeof rt->version, "%s://%.*s", name != NULL ? name + 1 : rt->crun,
                 (int)strcspn(v + 8, " \r\n"), v + 8);
    pclose(f);
}

static int open_all(struct oci_runtime *rt, const struct runtime_oci_opts *o, struct errbuf *err)
{
    struct file_path images, leases;
    struct cni_opts co = { .loop = o->loop, .plugin_dir = o->cni_plugin_dir, .bridge = o->cni_bridge,
                           .cluster_cidr = o->cluster_cidr, .state_dir = leases.s };
    int rc;

    if ((rc = find_program(o->oci_runtime != NULL ? o->oci_runtime : "crun", &rt->crun, err)) < 0
        || (rc = find_program(o->conmon != NULL ? o->conmon : "conmon", &rt->conmon, err)) < 0
        || (rc = open_dirs(rt, err)) < 0
        || (rc = open_cgroups(rt, err)) < 0
        || (rc = file_path(&images, err, "%s/images", rt->root)) < 0
        || (rc = file_path(&leases, err, "%s/cni", rt->root)) < 0
        || (rc = cni_open(&co, &rt->cni, err)) < 0
        || (rc = oci_records_load(rt, err)) < 0)
        return rc;
    read_version(rt);
    return image_store_open(o->loop, images.s, &rt->images, err);
}

int runtime_oci_open(const struct runtime_oci_opts *o, struct runtime **ret, struct errbuf *err)
{
    if (geteuid() != 0)
        return err_set(err, E_DENIED, "running containers needs root");
    if (o->root_dir[0] != '/' || o->run_dir[0] != '/' || strlen(o->run_dir) > RUN_DIR_MAX
        || o->cgroup_parent[0] != '/')
        return err_set(err, E_INVALID,
                       "absolute directories expected, the run directory of at most %d bytes", RUN_DIR_MAX);
    struct oci_runtime *rt = mem_new(struct oci_runtime);
    rt->base.ops = &oci_ops;
    rt->loop = o->loop;
    rt->root = mem_strdup(o->root_dir);
    rt->run = mem_strdup(o->run_dir);
    rt->crun_root = join(o->run_dir, "runtime");
    rt->cgroup_parent = mem_strdup(o->cgroup_parent);
    rt->monitors = join(o->cgroup_parent, "monitors");
    rt->pins = 1;
    qinit(&rt->sessions);
    int rc = open_all(rt, o, err);
    if (rc < 0) {
        runtime_free(rt);
        return rc;
    }
    recover(rt);
    *ret = &rt->base;
    return 0;
}
