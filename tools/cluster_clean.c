/* tools/cluster_clean.c: remove every trace of a cluster on this machine.
 *
 * Nothing is remembered: what belongs to the cluster is found by its name (tools/cluster.h), so it works
 * after any crash of anything.  Order matters: the supervisor first (it restarts what dies), then processes
 * and cgroups, then the mounts they held, then namespaces and the bridge, then the directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tools/cluster.h"
#include "tools/flags.h"
#include "node/files.h"

#define CLEAN_ROUNDS 200                         /* of 10 ms: how long killed processes may take to go */

static void nap(void) { nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL); }

/* ---- Processes by their environment ---------------------------------------------------------------- */

static bool environ_has(pid_t pid, const char *entry)
{
    char path[64];
    struct buf b = BUF_INIT;
    size_t n = strlen(entry) + 1;
    bool found = false;

    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    if (file_read(path, TOOLS_FILE_MAX, &b, NULL) == 0)
        for (size_t i = 0; i + n <= b.n && !found; i += strnlen(b.p + i, b.n - i) + 1)
            found = memcmp(b.p + i, entry, n) == 0;
    buf_release(&b);
    return found;
}

/* SIGKILL to all but ourselves; how many there were. */
static unsigned kill_by_environment(const struct cluster *c)
{
    char entry[64];
    unsigned n = 0;
    struct dirent *e;
    DIR *d = opendir("/proc");

    snprintf(entry, sizeof entry, "CORACLE_CLUSTER=%s", c->name);
    while (d != NULL && (e = readdir(d)) != NULL) {
        pid_t pid = atoi(e->d_name);
        if (pid > 1 && pid != getpid() && environ_has(pid, entry) && kill(pid, SIGKILL) == 0)
            n++;
    }
    if (d != NULL)
        closedir(d);
    return n;
}

/* ---- cgroups --------------------------------------------------------------------------------------- */

static unsigned kill_in_cgroup(const char *dir)
{
    char path[4200];
    struct buf b = BUF_INIT;
    struct str pids, pid;
    uint64_t v;
    unsigned n = 0;

    snprintf(path, sizeof path, "%s/cgroup.procs", dir);
    if (file_read(path, TOOLS_FILE_MAX, &b, NULL) == 0) {
        pids = buf_str(&b);
        while (str_split(&pids, '\n', &pid))
            if (str_u64(pid, &v) && v > 1 && v != (uint64_t)getpid() && kill((pid_t)v, SIGKILL) == 0)
                n++;
    }
    buf_release(&b);
    return n;
}

/* Kill what is in it and below, then remove it, deepest first. */
static unsigned clean_cgroup(const char *dir, unsigned *ret_groups)
{
    char sub[4200];
    unsigned killed = 0;
    struct dirent *e;
    DIR *d = opendir(dir);

    if (d == NULL)
        return 0;
    while ((e = readdir(d)) != NULL) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        snprintf(sub, sizeof sub, "%.3900s/%s", dir, e->d_name);
        killed += clean_cgroup(sub, ret_groups);
    }
    closedir(d);
    killed += kill_in_cgroup(dir);
    for (int i = 0; i < CLEAN_ROUNDS && rmdir(dir) != 0 && errno == EBUSY; i++) {
        killed += kill_in_cgroup(dir);
        nap();
    }
    *ret_groups += 1;
    return killed;
}

static void clean_cgroups(const struct cluster *c, struct cluster_found *f)
{
    struct cluster_text cg;
    char path[1200];
    struct dirent *e;
    DIR *d;

    snprintf(path, sizeof path, "/sys/fs/cgroup%s", cluster_cgroup(c, &cg));     /* v2 */
    f->processes += clean_cgroup(path, &f->cgroups);
    /* v1 and hybrid: one tree a controller */
    d = opendir("/sys/fs/cgroup");
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s%s", e->d_name, cg.s);
        f->processes += clean_cgroup(path, &f->cgroups);
    }
    if (d != NULL)
        closedir(d);
}

/* ---- Mounts ---------------------------------------------------------------------------------------- */

static bool below(struct str path, const char *dir)
{
    size_t n = strlen(dir);
    return path.n > n && memcmp(path.p, dir, n) == 0 && path.p[n] == '/';
}

/* mountinfo escapes blank, tab, newline and backslash as octal. */
static void unescape(struct str in, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < in.n && n + 1 < cap; i++) {
        if (in.p[i] == '\\' && i + 3 < in.n) {
            out[n++] = (char)((in.p[i + 1] - '0') * 64 + (in.p[i + 2] - '0') * 8 + (in.p[i + 3] - '0'));
            i += 3;
        } else {
            out[n++] = in.p[i];
        }
    }
    out[n] = '\0';
}

/* One pass over the mounts, newest last in the file, so unmounting from its end takes nested ones first. */
static unsigned clean_mounts(const struct cluster *c)
{
    struct buf b = BUF_INIT;
    struct str rest, line, field;
    char **points = NULL, path[4200];
    size_t n = 0;

    if (file_read("/proc/self/mountinfo", TOOLS_FILE_MAX, &b, NULL) != 0)
        return 0;
    rest = buf_str(&b);
    while (str_split(&rest, '\n', &line)) {
        for (int i = 0; i < 5 && str_split(&line, ' ', &field); i++) { }
        unescape(field, path, sizeof path);
        if (!below(str_of(path), c->data) && !below(str_of(path), c->run))
            continue;
        points = mem_realloc(points, (n + 1) * sizeof *points);
        points[n++] = mem_strdup(path);
    }
    for (size_t i = n; i > 0; i--) {
        umount2(points[i - 1], MNT_DETACH);
        mem_free(points[i - 1]);
    }
    mem_free(points);
    buf_release(&b);
    return (unsigned)n;
}

/* ---- Namespaces and the bridge ---------------------------------------------------------------------- */

static int run_quiet(const char *const *argv)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, &status, 0);
    return status;
}

/* The host's ends of the nodes' links: the kernel removes them some time after their namespace, too late for
 * an `up` that follows at once. */
static void clean_links(const struct cluster *c)
{
    char suffix[64];
    struct dirent *e;
    DIR *d = opendir("/sys/class/net");

    snprintf(suffix, sizeof suffix, "-%s", c->name);
    while (d != NULL && (e = readdir(d)) != NULL) {
        size_t digits = strncmp(e->d_name, "cv", 2) == 0 ? strspn(e->d_name + 2, "0123456789") : 0;
        const char *argv[] = { "ip", "link", "del", e->d_name, NULL };
        if (digits > 0 && strcmp(e->d_name + 2 + digits, suffix) == 0)
            run_quiet(argv);
    }
    if (d != NULL)
        closedir(d);
}

static void clean_network(const struct cluster *c, struct cluster_found *f)
{
    struct cluster_text br;
    char prefix[64];
    struct dirent *e;
    DIR *d = opendir("/run/netns");

    snprintf(prefix, sizeof prefix, "coracle-%s-node-", c->name);
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
            continue;
        const char *argv[] = { "ip", "netns", "del", e->d_name, NULL };
        f->namespaces += run_quiet(argv) == 0;
    }
    if (d != NULL)
        closedir(d);
    clean_links(c);
    const char *argv[] = { "ip", "link", "del", cluster_bridge(c, &br), NULL };
    f->bridges += run_quiet(argv) == 0;
}

int cluster_clean(const struct cluster *c, struct cluster_found *f, struct errbuf *err)
{
    int rc;

    *f = (struct cluster_found){ 0 };
    /* again until none is left: a killed parent may just have forked */
    for (int i = 0; i < CLEAN_ROUNDS; i++) {
        unsigned n = kill_by_environment(c);
        if (n == 0)
            break;
        f->processes += i == 0 ? n : 0;
        nap();
    }
    clean_cgroups(c, f);
    f->mounts = clean_mounts(c);
    clean_network(c, f);
    if ((rc = file_remove_tree(c->run, err)) != 0)
        return rc;
    return c->keep ? 0 : file_remove_tree(c->data, err);
}
