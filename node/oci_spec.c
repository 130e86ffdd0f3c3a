/* node/oci_spec.c: see oci_spec.h. */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "api/json.h"
#include "node/files.h"
#include "node/oci_caps.h"
#include "node/oci_seccomp.h"
#include "node/oci_spec.h"

/* What one document is made with. */
struct doc { struct arena *a; const struct oci_spec *s; struct errbuf *err; };

static const char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static struct json *text(struct doc *d, const char *z) { return json_string(d->a, str_of(z)); }

static struct json *list_of(struct doc *d, const char *const *z, size_t n)
{
    struct json *l = json_array(d->a);

    for (size_t i = 0; i < n; i++)
        json_push(l, text(d, z[i]));
    return l;
}

/* ---- process ---------------------------------------------------------------------------------- */

static void append(struct doc *d, struct json *l, const char *const *z, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_push(l, text(d, z[i]));
}

static int args_of(struct doc *d, struct json *process)
{
    const struct rt_container_create *r = d->s->req;
    const struct rt_image_info *im = d->s->image;
    struct json *l = json_setz(d->a, process, "args", json_array(d->a));

    if (r->n_command > 0)
        append(d, l, r->command, r->n_command);
    else
        append(d, l, im->entrypoint, im->n_entrypoint);
    if (r->n_args > 0)
        append(d, l, r->args, r->n_args);
    else if (r->n_command == 0)
        append(d, l, im->cmd, im->n_cmd);
    if (l->n == 0)
        return err_set(d->err, E_INVALID, "no command specified");
    return 0;
}

static struct str env_name(const char *kv)
{
    return str_make(kv, strcspn(kv, "="));
}

static bool env_has(const struct json *l, struct str prefix)
{
    json_each(e, l)
        if (str_starts(json_str(e), prefix))
            return true;
    return false;
}

/* Later wins, in the place of the first. */
static void env_put(struct doc *d, struct json *l, const char *kv)
{
    struct str name = env_name(kv);

    json_each(e, l)
        if (e->s.n > name.n && e->s.p[name.n] == '=' && str_eq(str_upto(e->s, name.n), name)) {
            e->s = arena_str(d->a, str_of(kv));
            return;
        }
    json_push(l, text(d, kv));
}

static void env_of(struct doc *d, struct json *process)
{
    const struct rt_container_create *r = d->s->req;
    const struct rt_image_info *im = d->s->image;
    struct json *l = json_setz(d->a, process, "env", json_array(d->a));

    env_put(d, l, default_path);
    if (d->s->hostname != NULL)
        env_put(d, l, arena_fmt(d->a, "HOSTNAME=%s", d->s->hostname).p);
    if (r->tty)
        env_put(d, l, "TERM=xterm");
    for (size_t i = 0; i < im->n_env; i++)
        if (env_name(im->env[i]).n > 0)
            env_put(d, l, im->env[i]);
    for (size_t i = 0; i < r->n_env; i++)
        env_put(d, l, r->env[i]);
}

static struct json *caps_of(struct doc *d)
{
    static const char *const sets[] = { "bounding", "effective", "permitted" };
    struct json *o = json_object(d->a);

    /* Never inheritable: programs with file capabilities would gain what nobody gave them. */
    for (unsigned i = 0; i < ARRAY_LEN(sets); i++) {
        struct json *l = json_setz(d->a, o, sets[i], json_array(d->a));
        for (unsigned c = 0; oci_cap_name(c) != NULL; c++)
            if (d->s->caps & (1ull << c))
                json_push(l, text(d, oci_cap_name(c)));
    }
    return o;
}

static struct json *user_of(struct doc *d)
{
    const struct oci_user *u = d->s->user;
    struct json *o = json_object(d->a);

    json_setz(d->a, o, "uid", json_int(d->a, u->uid));
    json_setz(d->a, o, "gid", json_int(d->a, u->gid));
    if (u->n_groups > 0) {
        struct json *l = json_setz(d->a, o, "additionalGids", json_array(d->a));
        for (unsigned i = 0; i < u->n_groups; i++)
            json_push(l, json_int(d->a, u->groups[i]));
    }
    return o;
}

static int process_of(struct doc *d, struct json *top)
{
    const struct rt_container_create *r = d->s->req;
    struct json *p = json_setz(d->a, top, "process", json_object(d->a));
    const char *cwd = r->cwd != NULL && *r->cwd != '\0' ? r->cwd : d->s->image->cwd;
    int rc;

    if (cwd == NULL || *cwd == '\0')
        cwd = "/";
    if (cwd[0] != '/')
        return err_set(d->err, E_INVALID, "working directory \"%.100s\" is not absolute", cwd);
    json_setz(d->a, p, "terminal", json_bool(d->a, r->tty));
    json_setz(d->a, p, "user", user_of(d));
    if ((rc = args_of(d, p)) < 0)
        return rc;
    env_of(d, p);
    json_setz(d->a, p, "cwd", text(d, cwd));
    json_setz(d->a, p, "capabilities", caps_of(d));
    json_setz(d->a, p, "noNewPrivileges", json_bool(d->a, r->security.no_new_privileges
                                                    && !r->security.privileged));
    if (r->resources.oom_score_adj != 0)
        json_setz(d->a, p, "oomScoreAdj",
                  json_int(d->a, MAX_OF(r->resources.oom_score_adj, d->s->oom_score_adj_min)));
    return 0;
}

/* ---- mounts ----------------------------------------------------------------------------------- */

struct fixed_mount { const char *dest, *type, *source, *options; };

/* "RW" stands for ro, or rw when privileged. */
static const struct fixed_mount fixed_mounts[] = {
    { "/proc",          "proc",   "proc",   "nosuid,noexec,nodev" },
    { "/dev",           "tmpfs",  "tmpfs",  "nosuid,strictatime,mode=755,size=65536k" },
    { "/dev/pts",       "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5" },
    { "/dev/mqueue",    "mqueue", "mqueue", "nosuid,noexec,nodev" },
    { "/sys",           "sysfs",  "sysfs",  "nosuid,noexec,nodev,RW" },
    { "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,RW" },
};

static struct json *mount_new(struct doc *d, const char *dest, const char *type, const char *source,
                              const char *options)
{
    struct json *m = json_object(d->a), *l;
    struct str rest = str_of(options), o;

    json_setz(d->a, m, "destination", text(d, dest));
    json_setz(d->a, m, "type", text(d, type));
    json_setz(d->a, m, "source", text(d, source));
    l = json_setz(d->a, m, "options", json_array(d->a));
    while (str_split(&rest, ',', &o))
        json_push(l, str_is(o, "RW") ? text(d, d->s->req->security.privileged ? "rw" : "ro")
                  : json_string(d->a, o));
    return m;
}

static struct json *bind_of(struct doc *d, const struct oci_mount *m)
{
    static const char *const prop[] = { "rprivate", "rslave", "rshared" };
    char options[64];

    snprintf(options, sizeof options, "rbind,%s,%s", prop[m->propagation], m->read_only ? "ro" : "rw");
    return mount_new(d, m->dest, "bind", m->source, options);
}

static unsigned depth_of(const char *path)
{
    unsigned n = 0;

    for (const char *c = path; *c != '\0'; c++)
        n += c[0] == '/' && c[1] != '/' && c[1] != '\0';
    return n;
}

static bool same_place(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);

    while (na > 1 && a[na - 1] == '/')
        na--;
    while (nb > 1 && b[nb - 1] == '/')
        nb--;
    return na == nb && memcmp(a, b, na) == 0;
}

/* Asked for by the pod: the fixed one makes way. */
static bool taken(struct doc *d, const char *dest, size_t from)
{
    for (size_t i = from; i < d->s->n_mounts; i++)
        if (same_place(d->s->mounts[i].dest, dest))
            return true;
    return false;
}

static int mounts_of(struct doc *d, struct json *top)
{
    struct json *l = json_setz(d->a, top, "mounts", json_array(d->a));
    unsigned deepest = 0;

    for (unsigned i = 0; i < ARRAY_LEN(fixed_mounts); i++) {
        const struct fixed_mount *f = &fixed_mounts[i];
        if (!taken(d, f->dest, 0))
            json_push(l, mount_new(d, f->dest, f->type, f->source, f->options));
    }
    for (size_t i = 0; i < d->s->n_mounts; i++) {
        const char *dest = d->s->mounts[i].dest;
        if (dest[0] != '/' || depth_of(dest) == 0)
            return err_set(d->err, E_INVALID, "mount path \"%.100s\" is not an absolute path below /", dest);
        deepest = MAX_OF(deepest, depth_of(dest));
    }
    /* Parents before what lies inside them, otherwise in the order asked for. */
    for (unsigned depth = 1; depth <= deepest; depth++)
        for (size_t i = 0; i < d->s->n_mounts; i++)
            if (depth_of(d->s->mounts[i].dest) == depth && !taken(d, d->s->mounts[i].dest, i + 1))
                json_push(l, bind_of(d, &d->s->mounts[i]));
    return 0;
}

/* ---- linux ------------------------------------------------------------------------------------ */

/* file: that namespace of pid; NULL: a new one. */
static void namespace_add(struct doc *d, struct json *l, const char *type, int pid, const char *file)
{
    struct json *o = json_push(l, json_object(d->a));

    json_setz(d->a, o, "type", text(d, type));
    if (file != NULL)
        json_setf(d->a, o, "path", "/proc/%d/ns/%s", pid, file);
}

static void namespaces_of(struct doc *d, struct json *linux_part)
{
    const struct oci_spec *s = d->s;
    struct json *l = json_setz(d->a, linux_part, "namespaces", json_array(d->a));

    namespace_add(d, l, "mount", 0, NULL);
    if (s->target_pid > 0)
        namespace_add(d, l, "pid", s->target_pid, "pid");
    else if (!s->host_pid)
        namespace_add(d, l, "pid", s->holder_pid, s->share_pid ? "pid" : NULL);
    if (!s->host_network) {
        namespace_add(d, l, "network", s->holder_pid, "net");
        namespace_add(d, l, "uts", s->holder_pid, "uts");
    }
    if (!s->host_ipc)
        namespace_add(d, l, "ipc", s->holder_pid, "ipc");
    if (s->cgroup_v2 && !s->req->security.privileged)
        namespace_add(d, l, "cgroup", 0, NULL);
}

static void put_positive(struct doc *d, struct json *o, const char *key, int64_t v)
{
    if (v > 0)
        json_setz(d->a, o, key, json_int(d->a, v));
}

static void resources_of(struct doc *d, struct json *linux_part)
{
    const struct rt_resources *r = &d->s->req->resources;
    struct json *o = json_setz(d->a, linux_part, "resources", json_object(d->a)), *part, *dev;

    part = json_setz(d->a, o, "devices", json_array(d->a));
    dev = json_push(part, json_object(d->a));
    json_setz(d->a, dev, "allow", json_bool(d->a, d->s->req->security.privileged));
    json_setz(d->a, dev, "access", text(d, "rwm"));
    part = json_setz(d->a, o, "cpu", json_object(d->a));
    put_positive(d, part, "shares", (int64_t)r->cpu_shares);
    put_positive(d, part, "quota", r->cpu_quota_us);
    if (r->cpu_quota_us > 0)
        put_positive(d, part, "period", r->cpu_period_us > 0 ? (int64_t)r->cpu_period_us : 100000);
    part = json_setz(d->a, o, "memory", json_object(d->a));
    put_positive(d, part, "limit", r->memory_bytes);
    if (d->s->limit_swap)
        put_positive(d, part, "swap", r->memory_bytes);
    if (r->pids > 0)
        json_setz(d->a, json_setz(d->a, o, "pids", json_object(d->a)), "limit", json_int(d->a, r->pids));
}

/* A privileged container sees the machine's devices. */
enum { DEVICES_MAX = 512 };
struct devices { struct doc *d; struct json *list; const char *dir; };

static int device_one(void *arg, const char *name)
{
    struct devices *v = arg;
    struct arena *a = v->d->a;
    struct file_path p;
    struct stat st;

    if (file_path(&p, NULL, "%s/%s", v->dir, name) < 0 || lstat(p.s, &st) < 0 || v->list->n >= DEVICES_MAX)
        return 0;
    if (S_ISDIR(st.st_mode) && strcmp(name, "pts") != 0 && strcmp(name, "shm") != 0
        && strcmp(name, "mqueue") != 0
        && depth_of(p.s) < 4) {
        struct devices down = { v->d, v->list, p.s };
        file_each(p.s, device_one, &down, NULL);
        return 0;
    }
    if ((!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) || strcmp(name, "console") == 0
        || strcmp(name, "ptmx") == 0)
        return 0;
    struct json *o = json_push(v->list, json_object(a));
    json_setz(a, o, "path", json_string(a, str_of(p.s)));
    json_setz(a, o, "type", text(v->d, S_ISCHR(st.st_mode) ? "c" : "b"));
    json_setz(a, o, "major", json_int(a, major(st.st_rdev)));
    json_setz(a, o, "minor", json_int(a, minor(st.st_rdev)));
    json_setz(a, o, "fileMode", json_int(a, st.st_mode & 0777));
    json_setz(a, o, "uid", json_int(a, st.st_uid));
    json_setz(a, o, "gid", json_int(a, st.st_gid));
    return 0;
}

static void linux_of(struct doc *d, struct json *top)
{
    static const char *const masked[] = {
        "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
        "/sys/devices/virtual/powercap",
    };
    static const char *const read_only[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                             "/proc/sysrq-trigger" };
    const struct rt_security *sec = &d->s->req->security;
    struct json *o = json_setz(d->a, top, "linux", json_object(d->a));
    enum rt_propagation most = RT_PROP_NONE;

    namespaces_of(d, o);
    json_setz(d->a, o, "cgroupsPath", text(d, d->s->cgroup_path));
    resources_of(d, o);
    for (size_t i = 0; i < d->s->n_mounts; i++)
        most = MAX_OF(most, d->s->mounts[i].propagation);
    if (most != RT_PROP_NONE)
        json_setz(d->a, o, "rootfsPropagation", text(d,
                                                     most == RT_PROP_BIDIRECTIONAL ? "rshared" : "rslave"));
    if (sec->seccomp_default && !sec->privileged)
        json_setz(d->a, o, "seccomp", oci_seccomp_default(d->a, d->s->caps));
    if (sec->privileged) {
        struct devices v = { d, json_setz(d->a, o, "devices", json_array(d->a)), "/dev" };
        file_each("/dev", device_one, &v, NULL);
    } else if (!sec->unmasked_proc) {
        json_setz(d->a, o, "maskedPaths", list_of(d, masked, ARRAY_LEN(masked)));
        json_setz(d->a, o, "readonlyPaths", list_of(d, read_only, ARRAY_LEN(read_only)));
    }
}

int oci_spec_write(struct buf *out, const struct oci_spec *s, struct errbuf *err)
{
    struct arena a = ARENA_INIT;
    struct doc d = { &a, s, err };
    struct json *top = json_object(&a), *root;

    json_setz(&a, top, "ociVersion", text(&d, "1.0.2"));
    int rc = process_of(&d, top);
    if (rc == 0) {
        root = json_setz(&a, top, "root", json_object(&a));
        json_setz(&a, root, "path", text(&d, s->rootfs));
        json_setz(&a, root, "readonly", json_bool(&a, s->req->security.read_only_root));
        rc = mounts_of(&d, top);
    }
    if (rc == 0) {
        linux_of(&d, top);
        json_write(out, top);
    }
    arena_release(&a);
    return rc;
}

int oci_exec_write(struct buf *out, struct str config, const char *const *argv, size_t n_argv, bool tty,
                   uint16_t cols, uint16_t rows, struct errbuf *err)
{
    struct arena a = ARENA_INIT;
    struct doc d = { &a, NULL, err };
    struct json_error je;
    struct json *top, *p, *size;
    int rc = 0;

    if (json_parse(&a, config, &top, &je) < 0 || !json_is(p = json_getz(top, "process"), JSON_OBJECT)) {
        rc = err_set(err, E_CORRUPT, "the container's config.json is damaged");
    } else {
        json_setz(&a, p, "args", list_of(&d, argv, n_argv));
        json_setz(&a, p, "terminal", json_bool(&a, tty));
        json_delz(p, "oomScoreAdj");             /* inherited through the cgroup's processes; crun would set it twice */
        if (tty && cols > 0 && rows > 0) {
            size = json_setz(&a, p, "consoleSize", json_object(&a));
            json_setz(&a, size, "width", json_int(&a, cols));
            json_setz(&a, size, "height", json_int(&a, rows));
        }
        if (tty && json_is(json_getz(p, "env"), JSON_ARRAY) && !env_has(json_getz(p, "env"), STR("TERM=")))
            json_push(json_getz(p, "env"), text(&d, "TERM=xterm"));
        json_write(out, p);
    }
    arena_release(&a);
    return rc;
}
