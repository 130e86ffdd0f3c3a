/* node/cgroup_use.c: reading, emptying and removing groups; see cgroup.h. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "node/cgroup.h"
#include "node/files.h"

enum { KNOB_MAX = 64 << 10, PROCS_MAX = 16 << 20, DEPTH_MAX = 16 };

/* ---- counters --------------------------------------------------------------------------------- */

static int knob_read(const struct cgroup_fs *fs, enum cgroup_controller c, const char *path, const char *knob,
                     struct buf *out)
{
    struct file_path p;

    buf_clear(out);
    if (fs->at[c] < 0)
        return E_NOTFOUND;
    int rc = file_path(&p, NULL, "%s%s/%s", fs->mount[fs->at[c]], path, knob);
    return rc < 0 ? rc : file_read(p.s, KNOB_MAX, out, NULL);
}

static bool knob_u64(const struct cgroup_fs *fs, enum cgroup_controller c, const char *path, const char *knob,
                     uint64_t *ret)
{
    struct buf b = BUF_INIT;
    bool ok = knob_read(fs, c, path, knob, &b) == 0 && str_u64(str_trim(buf_str(&b)), ret);

    buf_release(&b);
    return ok;
}

/* A "name value" line of a file of such lines. */
static bool knob_field(const struct cgroup_fs *fs, enum cgroup_controller c, const char *path,
                       const char *knob,
                       const char *name, uint64_t *ret)
{
    struct buf b = BUF_INIT;
    struct str text, line, key;
    bool found = false;

    if (knob_read(fs, c, path, knob, &b) == 0) {
        text = buf_str(&b);
        while (!found && str_split(&text, '\n', &line))
            found = str_split(&line, ' ', &key) && str_is(key, name) && str_u64(line, ret);
    }
    buf_release(&b);
    return found;
}

int cgroup_read_stats(const struct cgroup_fs *fs, const char *path, struct cgroup_stats *ret,
                      struct errbuf *err)
{
    struct cgroup_stats s = { 0 };
    uint64_t inactive = 0;
    bool v2 = fs->mode == CGROUP_V2, ok;

    if (v2) {
        ok = knob_field(fs, CG_CPU, path, "cpu.stat", "usage_usec", &s.cpu_ns);
        s.cpu_ns *= 1000;
    } else {
        ok = knob_u64(fs, CG_CPUACCT, path, "cpuacct.usage", &s.cpu_ns);
    }
    ok &= knob_u64(fs, CG_MEMORY, path, v2 ? "memory.current" : "memory.usage_in_bytes", &s.memory_bytes);
    if (!ok)
        return err_set(err, E_NOTFOUND, "no counters for cgroup %s", path);
    knob_field(fs, CG_MEMORY, path, "memory.stat", v2 ? "inactive_file" : "total_inactive_file", &inactive);
    s.working_set_bytes = s.memory_bytes > inactive ? s.memory_bytes - inactive : 0;
    knob_u64(fs, CG_PIDS, path, "pids.current", &s.pids);
    *ret = s;
    return 0;
}

uint64_t cgroup_oom_kills(const struct cgroup_fs *fs, const char *path)
{
    uint64_t n = 0;

    knob_field(fs, CG_MEMORY, path, fs->mode == CGROUP_V2 ? "memory.events" : "memory.oom_control",
               "oom_kill", &n);
    return n;
}

/* ---- children --------------------------------------------------------------------------------- */

struct walk {
    const struct cgroup_fs *fs;
    void (*fn)(void *arg, const char *name);
    void *arg;
    const char *dir;
};

static int walk_one(void *arg, const char *name)
{
    struct walk *w = arg;
    struct file_path p;
    struct stat st;

    if (file_path(&p, NULL, "%s/%s", w->dir, name) == 0 && lstat(p.s, &st) == 0 && S_ISDIR(st.st_mode))
        w->fn(w->arg, name);
    return 0;
}

void cgroup_each_child(const struct cgroup_fs *fs, const char *path,
                       void (*fn)(void *arg, const char *name), void *arg)
{
    struct file_path p;

    for (unsigned i = 0; i < fs->n_mounts; i++) {
        if (file_path(&p, NULL, "%s%s", fs->mount[i], path) < 0)
            continue;
        struct walk w = { fs, fn, arg, p.s };
        file_each(p.s, walk_one, &w, NULL);
    }
}

/* ---- killing and removing --------------------------------------------------------------------- */

struct tree { unsigned depth, killed; int rc; struct errbuf *err; };

static void kill_listed(const char *dir, struct tree *t)
{
    struct file_path p;
    struct buf b = BUF_INIT;
    struct str text, line;
    uint64_t pid;

    if (file_path(&p, NULL, "%s/cgroup.procs", dir) == 0 && file_read(p.s, PROCS_MAX, &b, NULL) == 0) {
        text = buf_str(&b);
        while (str_split(&text, '\n', &line))
            if (str_u64(line, &pid) && pid > 1 && pid != (uint64_t)getpid()) {
                t->killed++;
                kill((pid_t)pid, SIGKILL);
            }
    }
    buf_release(&b);
}

struct down { const char *dir; struct tree *t; void (*leave)(const char *dir, struct tree *t); };

static void tree_visit(const char *dir, struct tree *t, void (*leave)(const char *dir, struct tree *t));

static int tree_child(void *arg, const char *name)
{
    struct down *d = arg;
    struct file_path p;
    struct stat st;

    if (file_path(&p, NULL, "%s/%s", d->dir, name) == 0 && lstat(p.s, &st) == 0 && S_ISDIR(st.st_mode))
        tree_visit(p.s, d->t, d->leave);
    return 0;
}

/* Depth first; a tree of groups deeper than we or an OCI runtime make is the container's own doing. */
static void tree_visit(const char *dir, struct tree *t, void (*leave)(const char *dir, struct tree *t))
{
    struct down d = { dir, t, leave };

    if (t->depth >= DEPTH_MAX)
        return;
    t->depth++;
    file_each(dir, tree_child, &d, NULL);
    t->depth--;
    leave(dir, t);
}

static void remove_one(const char *dir, struct tree *t)
{
    if (rmdir(dir) < 0 && errno != ENOENT && t->rc == 0)
        t->rc = err_sys(t->err, errno, "remove cgroup %s", dir);
}

static void pause_ms(unsigned ms)
{
    struct timespec ts = { 0, (long)ms * 1000000 };
    nanosleep(&ts, NULL);
}

/* One pass over every hierarchy; how many processes it found. */
static unsigned kill_pass(const struct cgroup_fs *fs, const char *path)
{
    struct file_path p;
    struct tree t = { 0 };

    for (unsigned i = 0; i < fs->n_mounts; i++) {
        if (file_path(&p, NULL, "%s%s", fs->mount[i], path) < 0 || !file_exists(p.s))
            continue;
        tree_visit(p.s, &t, kill_listed);
        if (fs->mode == CGROUP_V2 && t.killed > 0 && file_path(&p, NULL, "%s%s/cgroup.kill", fs->mount[i],
            path) == 0)
            file_poke(p.s, STR("1"), NULL);      /* forks cannot outrun this one */
    }
    return t.killed;
}

int cgroup_kill(const struct cgroup_fs *fs, const char *path, unsigned timeout_ms, struct errbuf *err)
{
    unsigned step = 1;

    for (unsigned waited = 0; kill_pass(fs, path) > 0; waited += step, step = MIN_OF(step * 2, 50)) {
        if (waited >= timeout_ms)
            return err_set(err, E_TIMEOUT, "processes of cgroup %s do not end", path);
        pause_ms(step);
    }
    return 0;
}

int cgroup_remove(const struct cgroup_fs *fs, const char *path, struct errbuf *err)
{
    enum { TRIES = 20 };                         /* a killed process leaves its group a moment later */
    struct file_path p;
    struct tree t = { .err = err };

    for (unsigned i = 0; i < TRIES; i++) {
        t.rc = 0;
        for (unsigned m = 0; m < fs->n_mounts; m++)
            if (file_path(&p, NULL, "%s%s", fs->mount[m], path) == 0 && file_exists(p.s))
                tree_visit(p.s, &t, remove_one);
        if (t.rc == 0)
            break;
        pause_ms(i < 5 ? 1 : 10);
    }
    return t.rc;
}
