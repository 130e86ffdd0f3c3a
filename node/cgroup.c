/* node/cgroup.c: finding the hierarchies, making groups and setting limits; see cgroup.h. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include "node/cgroup.h"
#include "node/files.h"

enum { MOUNTINFO_MAX = 16 << 20 };

static const char *const controller_name[CG_CONTROLLERS] = { "cpu", "cpuacct", "memory", "pids" };

/* ---- detection -------------------------------------------------------------------------------- */

static bool option_has(struct str options, const char *name)
{
    struct str o;

    while (str_split(&options, ',', &o))
        if (str_is(o, name))
            return true;
    return false;
}

/* One line: "36 35 98:0 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu". */
static void parse_mount(struct cgroup_fs *fs, struct str line, int *unified)
{
    struct str field[32], f;
    unsigned   n = 0, sep = 0;

    while (n < ARRAY_LEN(field) && str_split(&line, ' ', &f))
        field[n++] = f;
    for (unsigned i = 6; i < n && sep == 0; i++)
        if (str_is(field[i], "-"))
            sep = i;
    if (sep == 0 || sep + 3 >= n || field[4].n >= CGROUP_MOUNT_LEN || fs->n_mounts == CGROUP_MOUNTS_MAX)
        return;
    bool v2 = str_is(field[sep + 1], "cgroup2");
    if (!v2 && !str_is(field[sep + 1], "cgroup"))
        return;
    int at = (int)fs->n_mounts++;
    memcpy(fs->mount[at], field[4].p, field[4].n);
    fs->mount[at][field[4].n] = '\0';
    if (v2)
        *unified = at;
    for (unsigned c = 0; c < CG_CONTROLLERS && !v2; c++)
        if (option_has(field[sep + 3], controller_name[c]))
            fs->at[c] = at;
}

int cgroup_fs_parse(struct cgroup_fs *fs, struct str mountinfo, struct errbuf *err)
{
    struct str line;
    int unified = -1;

    memset(fs, 0, sizeof *fs);
    for (unsigned c = 0; c < CG_CONTROLLERS; c++)
        fs->at[c] = -1;
    while (str_split(&mountinfo, '\n', &line))
        parse_mount(fs, line, &unified);
    if (fs->n_mounts == 0)
        return err_set(err, E_NOTFOUND, "no cgroup filesystem is mounted");
    fs->mode = unified < 0 ? CGROUP_V1 : fs->n_mounts > 1 ? CGROUP_HYBRID : CGROUP_V2;
    if (fs->mode == CGROUP_V2)
        for (unsigned c = 0; c < CG_CONTROLLERS; c++)
            fs->at[c] = unified;
    return 0;
}

int cgroup_fs_open(struct cgroup_fs *fs, struct errbuf *err)
{
    struct buf b = BUF_INIT;
    int rc = file_read("/proc/self/mountinfo", MOUNTINFO_MAX, &b, err);

    if (rc == 0)
        rc = cgroup_fs_parse(fs, buf_str(&b), err);
    buf_release(&b);
    return rc;
}

/* ---- making and limiting ---------------------------------------------------------------------- */

uint64_t cgroup_weight_of_shares(uint64_t shares)
{
    shares = MIN_OF(MAX_OF(shares, 2), 262144);
    return 1 + (shares - 2) * 9999 / 262142;
}

static int poke(const struct cgroup_fs *fs, int at, const char *path, struct errbuf *err, const char *knob,
                const char *value)
{
    struct file_path p;
    int rc = file_path(&p, err, "%s%s/%s", fs->mount[at], path, knob);

    return rc < 0 ? rc : file_poke(p.s, str_of(value), err);
}

/* v2: what a group's children may be limited in is switched on in the group.  A host that lacks a controller
 * (or keeps processes there) is found out when a limit is set. */
static void enable_controllers(const struct cgroup_fs *fs, const char *path)
{
    static const char *const enable[] = { "+cpu", "+memory", "+pids", "+cpuset", "+io" };

    for (unsigned i = 0; i < ARRAY_LEN(enable); i++)
        poke(fs, 0, path, NULL, "cgroup.subtree_control", enable[i]);
}

static int make_v2(const struct cgroup_fs *fs, const char *path, bool inner, struct errbuf *err)
{
    struct file_path p, sub;
    int rc = file_path(&sub, err, "%s", path);

    if (rc < 0)
        return rc;
    enable_controllers(fs, "");
    for (char *c = sub.s + 1;; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        bool last = *c == '\0';
        *c = '\0';
        if ((rc = file_path(&p, err, "%s%s", fs->mount[0], sub.s)) < 0)
            return rc;
        if (mkdir(p.s, 0755) < 0 && errno != EEXIST)
            return err_sys(err, errno, "make cgroup %s", p.s);
        if (!last || inner)
            enable_controllers(fs, sub.s);
        if (last)
            return 0;
        *c = '/';
    }
}

static int make_v1(const struct cgroup_fs *fs, const char *path, struct errbuf *err)
{
    struct file_path p;
    int rc = 0;

    for (unsigned c = 0; c < CG_CONTROLLERS && rc == 0; c++) {
        if (fs->at[c] < 0)
            continue;
        rc = file_path(&p, err, "%s%s", fs->mount[fs->at[c]], path);
        if (rc == 0)
            rc = file_mkdirs(p.s, 0755, err);
    }
    return rc;
}

struct knob { enum cgroup_controller controller; const char *v1, *v2; char value[48]; };

/* Which files a resource request writes. */
static unsigned knobs_of(const struct cgroup_fs *fs, const struct rt_resources *r, struct knob out[6])
{
    bool     v2 = fs->mode == CGROUP_V2;
    uint64_t period = r->cpu_period_us > 0 ? r->cpu_period_us : 100000;
    unsigned n = 0;

    if (r->cpu_shares > 0) {
        out[n] = (struct knob){ CG_CPU, "cpu.shares", "cpu.weight", "" };
        snprintf(out[n++].value, sizeof out->value, "%llu",
                 (unsigned long long)(v2 ? cgroup_weight_of_shares(r->cpu_shares) : r->cpu_shares));
    }
    if (r->cpu_quota_us > 0 && v2) {
        out[n] = (struct knob){ CG_CPU, NULL, "cpu.max", "" };
        snprintf(out[n++].value, sizeof out->value, "%lld %llu", (long long)r->cpu_quota_us,
                 (unsigned long long)period);
    } else if (r->cpu_quota_us > 0) {
        out[n] = (struct knob){ CG_CPU, "cpu.cfs_period_us", NULL, "" };
        snprintf(out[n++].value, sizeof out->value, "%llu", (unsigned long long)period);
        out[n] = (struct knob){ CG_CPU, "cpu.cfs_quota_us", NULL, "" };
        snprintf(out[n++].value, sizeof out->value, "%lld", (long long)r->cpu_quota_us);
    }
    if (r->memory_bytes > 0) {
        out[n] = (struct knob){ CG_MEMORY, "memory.limit_in_bytes", "memory.max", "" };
        snprintf(out[n++].value, sizeof out->value, "%lld", (long long)r->memory_bytes);
    }
    if (r->pids > 0) {
        out[n] = (struct knob){ CG_PIDS, "pids.max", "pids.max", "" };
        snprintf(out[n++].value, sizeof out->value, "%lld", (long long)r->pids);
    }
    return n;
}

/* v1: memory with swap can't be bound below memory alone, so that one may have to go up before. */
static int turn(const struct cgroup_fs *fs, const char *path, const struct knob *k, struct errbuf *err)
{
    int at = fs->at[k->controller], rc;

    if (at < 0)
        return err_set(err, E_INVALID, "this host has no %s controller", controller_name[k->controller]);
    if (fs->mode == CGROUP_V2)
        return poke(fs, at, path, err, k->v2, k->value);
    rc = poke(fs, at, path, err, k->v1, k->value);
    if (rc < 0 && k->controller == CG_MEMORY &&
        poke(fs, at, path, NULL, "memory.memsw.limit_in_bytes", k->value) == 0)
        rc = poke(fs, at, path, err, k->v1, k->value);
    return rc;
}

int cgroup_limit(const struct cgroup_fs *fs, const char *path, const struct rt_resources *r,
                 struct errbuf *err)
{
    struct knob knob[6];
    unsigned n = knobs_of(fs, r, knob);
    int rc = 0;

    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = turn(fs, path, &knob[i], err);
    return rc;
}

int cgroup_create(const struct cgroup_fs *fs, const char *path, const struct rt_resources *r, bool inner,
                  struct errbuf *err)
{
    int rc = fs->mode == CGROUP_V2 ? make_v2(fs, path, inner, err) : make_v1(fs, path, err);

    return rc < 0 || r == NULL ? rc : cgroup_limit(fs, path, r, err);
}

void cgroup_each_procs(const struct cgroup_fs *fs, const char *path,
                       void (*fn)(void *arg, const char *file), void *arg)
{
    struct file_path p;

    for (unsigned i = 0; i < fs->n_mounts; i++) {
        struct file_path dir;
        if (file_path(&dir, NULL, "%s%s", fs->mount[i], path) == 0 && file_exists(dir.s)
            && file_path(&p, NULL, "%s%s/cgroup.procs", fs->mount[i], path) == 0)
            fn(arg, p.s);
    }
}
