/* tools/supervisor.c: see tools/supervisor.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "net/log.h"
#include "tools/head_identity.h"
#include "tools/supervisor.h"

#define RESTART_FIRST_MS  200
#define RESTART_MAX_MS    10000
#define STABLE_MS         10000                  /* alive that long: the next restart is quick again */
#define STOP_GRACE_MS     8000
#define MAX_ARGS          96

struct child {
    struct supervisor *sup;
    struct proc *proc;                           /* NULL: not running */
    struct stream *ready;
    struct buf line;
    struct timer again;
    uint64_t started_ms, delay_ms;
    unsigned number;
    bool head, hollow;
};

struct supervisor {
    struct supervisor_opts o;
    char self[512];                              /* our program, by its real path */
    struct child *child;
    size_t n;
    struct timer grace;
    void (*stopped)(void *arg);
    void *stopped_arg;
    bool stopping, heads_told;
};

/* ---- The command line of a child --------------------------------------------------------------------- */

struct args { struct arena *a; const char *v[MAX_ARGS + 1]; size_t n; };

static void arg_add(struct args *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void arg_add(struct args *x, const char *fmt, ...)
{
    va_list ap;

    must(x->n < MAX_ARGS);
    va_start(ap, fmt);
    x->v[x->n++] = arena_vfmt(x->a, fmt, ap).p;
    va_end(ap);
}

static void args_split(struct args *x, struct str flags)
{
    struct str one;

    while (x->n < MAX_ARGS && str_split(&flags, ' ', &one))
        if (one.n > 0)
            x->v[x->n++] = arena_cstr(x->a, one);
}

static void head_args(const struct child *ch, struct args *x)
{
    const struct cluster *c = ch->sup->o.cluster;
    struct cluster_text t;
    unsigned i = ch->number - 1;

    arg_add(x, "%s", ch->sup->self);
    arg_add(x, "head");
    arg_add(x, "--id=%u", ch->number);
    arg_add(x, "--cluster=%s", c->name);
    arg_add(x, "--data=%s", cluster_path(c, &t, "/head-%u", ch->number));
    cluster_gateway(c, &t);
    arg_add(x, "--listen=127.0.0.1:%u,%s:%u", c->api_port[i], t.s, c->api_port[i]);
    arg_add(x, "--advertise-address=%s:%u", t.s, c->api_port[i]);
    arg_add(x, "--listen-client-urls=https://127.0.0.1:%u", c->etcd_port[i]);
    arg_add(x, "--listen-peer=127.0.0.1:%u", c->peer_port[i]);
    for (unsigned h = 0; h < c->n_heads; h++)
        arg_add(x, "--head=%u=127.0.0.1:%u", h + 1, c->peer_port[h]);
    static const char *const files[][2] = {
        { "client-ca-file", "ca.crt" },
        { "tls-cert-file", "head.crt" },
        { "tls-private-key-file", "head.key" },
        { "peer-trusted-ca-file", "ca.crt" },
        { "peer-cert-file", "head.crt" },
        { "peer-key-file", "head.key" },
        { "kubelet-certificate-authority", "ca.crt" },
        { "kubelet-client-certificate", "head-to-node.crt" },
        { "kubelet-client-key", "head-to-node.key" },
        { "service-account-key-file", "sa.pub" },
        { "service-account-signing-key-file", "sa.key" },
    };
    for (size_t f = 0; f < ARRAY_LEN(files); f++)
        arg_add(x, "--%s=%s", files[f][0], cluster_path(c, &t, "/pki/%s", files[f][1]));
    arg_add(x, "--peer-cert-allowed-organization=%s", HEAD_ORGANIZATION);
    arg_add(x, "--ready-fd=3");
    args_split(x, ch->sup->o.head_flags);
}

static void node_args(const struct child *ch, struct args *x)
{
    const struct cluster *c = ch->sup->o.cluster;
    struct cluster_text t, gw;

    if (!ch->hollow) {
        arg_add(x, "nsenter");
        arg_add(x, "--net=/run/netns/%s", cluster_netns(c, &t, ch->number));
        arg_add(x, "--");
    }
    arg_add(x, "%s", ch->sup->self);
    arg_add(x, "node");
    arg_add(x, "--hostname-override=%s-%u", ch->hollow ? "hollow" : "node", ch->number);
    cluster_gateway(c, &gw);
    for (unsigned h = 0; h < c->n_heads; h++)    /* every node prefers another head */
        arg_add(x, "--server=%s:%u", gw.s, c->api_port[(h + ch->number) % c->n_heads]);
    arg_add(x, "--certificate-authority=%s", cluster_path(c, &t, "/pki/ca.crt"));
    const char *who = ch->hollow ? "admin" : arena_fmt(x->a, "node-%u", ch->number).p;
    arg_add(x, "--client-certificate=%s", cluster_path(c, &t, "/pki/%s.crt", who));
    arg_add(x, "--client-key=%s", cluster_path(c, &t, "/pki/%s.key", who));
    arg_add(x, "--root-dir=%s", cluster_path(c, &t, "/%s-%u", ch->hollow ? "hollow" : "node", ch->number));
    arg_add(x, "--run-dir=%s", cluster_run_path(c, &t, "/%s-%u", ch->hollow ? "hollow" : "node", ch->number));
    if (ch->hollow) {
        arg_add(x, "--hollow");
        arg_add(x, "--count=%u", ch->sup->o.hollow);
        arg_add(x, "--node-ip=127.0.0.1");
        arg_add(x, "--cpu-millis=32000");
        arg_add(x, "--memory-bytes=%llu", 256ull << 30);
    } else {
        arg_add(x, "--tls-cert-file=%s", cluster_path(c, &t, "/pki/%s.crt", who));
        arg_add(x, "--tls-private-key-file=%s", cluster_path(c, &t, "/pki/%s.key", who));
        arg_add(x, "--node-ip=%s", cluster_node_ip(c, &t, ch->number));
        arg_add(x, "--pod-cidr=10.244.%u.0/24", ch->number);
        arg_add(x, "--cluster-cidr=10.244.0.0/16");
        arg_add(x, "--image-dir=%s", cluster_path(c, &t, "/images"));
        arg_add(x, "--cgroup-root=%s/node-%u", cluster_cgroup(c, &t), ch->number);
    }
    arg_add(x, "--ready-fd=3");
    args_split(x, ch->sup->o.node_flags);
}

/* Our environment with the mark that cluster_clean() finds. */
static const char **child_env(struct arena *a, const struct cluster *c)
{
    extern char **environ;
    size_t n = 0, out = 0;

    while (environ[n] != NULL)
        n++;
    const char **env = arena_alloc(a, (n + 2) * sizeof *env);
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "CORACLE_CLUSTER=", 16) != 0)
            env[out++] = environ[i];
    env[out++] = arena_fmt(a, "CORACLE_CLUSTER=%s", c->name).p;
    env[out] = NULL;
    return env;
}

/* ---- Life of a child ---------------------------------------------------------------------------------- */

static void child_on_line(void *arg, struct stream *st, const char *p, size_t n)
{
    struct child *ch = arg;

    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n') {
            if (ch->line.n < 512)
                buf_char(&ch->line, p[i]);
            continue;
        }
        ch->sup->o.on_ready(ch->sup->o.arg, ch->head, ch->number, buf_str(&ch->line));
        buf_clear(&ch->line);
    }
}

static void child_on_line_close(void *arg, struct stream *st, int err, const char *reason)
{
    struct child *ch = arg;

    if (ch->ready == st)
        ch->ready = NULL;
}

static const struct stream_events child_ready_events = { .on_data = child_on_line,
                                                         .on_close = child_on_line_close };

static void ignore_data(void *arg, struct stream *st, const char *p, size_t n) { }
static void ignore_close(void *arg, struct stream *st, int err, const char *reason) { }
static const struct stream_events ignore_events = { .on_data = ignore_data, .on_close = ignore_close };

static void child_drop_ready(struct child *ch)
{
    if (ch->ready == NULL)
        return;
    stream_set_events(ch->ready, &ignore_events, NULL);
    stream_close(ch->ready);
    ch->ready = NULL;
}

static void child_log_path(const struct child *ch, struct cluster_text *t)
{
    cluster_path(ch->sup->o.cluster, t, "/%s-%u.log",
                 ch->head     ? "head"
                 : ch->hollow ? "hollow"
                              : "node",
                 ch->number);
}

static void supervisor_check_stopped(struct supervisor *s);

static void child_on_exit(void *arg, struct proc *p, int status)
{
    struct child *ch = arg;
    struct supervisor *s = ch->sup;
    struct cluster_text log;

    ch->proc = NULL;
    if (s->stopping) {
        supervisor_check_stopped(s);
        return;
    }
    child_log_path(ch, &log);
    s->o.on_exit(s->o.arg, ch->head, ch->number, status, log.s);
    if (!s->o.restart || s->stopping || (ch->head && status == HEAD_REMOVED_STATUS))
        return;
    bool stable = loop_now_ms(s->o.loop) - ch->started_ms > STABLE_MS;
    ch->delay_ms = stable || ch->delay_ms == 0 ? RESTART_FIRST_MS : MIN_OF(ch->delay_ms * 2, RESTART_MAX_MS);
    timer_start(&ch->again, ch->delay_ms);
}

static int child_start(struct child *ch, struct errbuf *err)
{
    struct supervisor *s = ch->sup;
    struct arena a = ARENA_INIT;
    struct args x = { .a = &a };
    struct cluster_text log;
    int pipe_fd[2], log_fd, rc;

    child_log_path(ch, &log);
    log_fd = open(log.s, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        return err_sys(err, errno, "open %s", log.s);
    if (pipe2(pipe_fd, O_CLOEXEC) != 0) {
        close(log_fd);
        return err_sys(err, errno, "pipe");
    }
    if (ch->head)
        head_args(ch, &x);
    else
        node_args(ch, &x);
    x.v[x.n] = NULL;
    struct proc_opts o = { .argv = x.v, .env = child_env(&a, s->o.cluster), .stdio = { -1, log_fd, log_fd },
                           .fds = &pipe_fd[1], .n_fds = 1, .setsid = true, .die_with_parent = true,
                           .on_exit = child_on_exit, .arg = ch };
    rc = proc_spawn(s->o.loop, &o, &ch->proc, err);
    close(log_fd);
    close(pipe_fd[1]);
    arena_release(&a);
    if (rc != 0) {
        close(pipe_fd[0]);
        return rc;
    }
    ch->started_ms = loop_now_ms(s->o.loop);
    child_drop_ready(ch);
    buf_clear(&ch->line);
    return stream_from_fd(s->o.loop, pipe_fd[0], &child_ready_events, ch, &ch->ready, err);
}

static void child_on_again(struct timer *t)
{
    struct child *ch = container_of(t, struct child, again);
    struct errbuf err = { "" };

    if (ch->sup->stopping || ch->proc != NULL)
        return;
    if (child_start(ch, &err) != 0) {
        log_warn("up", "cannot start %s %u again: %s", ch->head ? "head" : "node", ch->number, err.s);
        timer_start(&ch->again, RESTART_MAX_MS);
    }
}

/* ---- All of them --------------------------------------------------------------------------------------- */

static void supervisor_on_grace(struct timer *t)
{
    struct supervisor *s = container_of(t, struct supervisor, grace);

    for (size_t i = 0; i < s->n; i++)
        if (s->child[i].proc != NULL)
            proc_kill(s->child[i].proc, SIGKILL);
}

int supervisor_new(const struct supervisor_opts *o, struct supervisor **ret, struct errbuf *err)
{
    struct supervisor *s = mem_new(struct supervisor);
    ssize_t len = readlink("/proc/self/exe", s->self, sizeof s->self - 1);

    if (len <= 0) {
        mem_free(s);
        return err_sys(err, errno, "find this program");
    }
    s->o = *o;
    s->n = o->cluster->n_heads + o->cluster->n_nodes + (o->hollow > 0);
    s->child = mem_zalloc(s->n * sizeof *s->child);
    timer_init(&s->grace, o->loop, supervisor_on_grace);
    for (size_t i = 0; i < s->n; i++) {
        struct child *ch = &s->child[i];
        ch->sup = s;
        ch->head = i < o->cluster->n_heads;
        ch->hollow = i >= o->cluster->n_heads + o->cluster->n_nodes;
        ch->number = ch->hollow ? 1 : (unsigned)i + 1 - (ch->head ? 0 : o->cluster->n_heads);
        timer_init(&ch->again, o->loop, child_on_again);
    }
    *ret = s;
    return 0;
}

static int start_all(struct supervisor *s, bool heads, struct errbuf *err)
{
    for (size_t i = 0; i < s->n; i++) {
        struct child *ch = &s->child[i];
        int rc = ch->head == heads ? child_start(ch, err) : 0;
        if (rc != 0)
            return err_wrap(err, rc, "start %s %u", heads ? "head" : "node", ch->number);
    }
    return 0;
}

int supervisor_start_heads(struct supervisor *s, struct errbuf *err) { return start_all(s, true, err); }
int supervisor_start_nodes(struct supervisor *s, struct errbuf *err) { return start_all(s, false, err); }

static bool any_running(const struct supervisor *s, bool heads)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->child[i].proc != NULL && s->child[i].head == heads)
            return true;
    return false;
}

static void signal_all(struct supervisor *s, bool heads, int signum)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->child[i].proc != NULL && s->child[i].head == heads)
            proc_kill(s->child[i].proc, signum);
}

/* Nodes have gone: now the heads; heads have gone: done. */
static void supervisor_check_stopped(struct supervisor *s)
{
    if (any_running(s, false))
        return;
    if (any_running(s, true)) {
        if (!s->heads_told)                      /* a second signal ends a head at once */
            signal_all(s, true, SIGTERM);
        s->heads_told = true;
        return;
    }
    timer_stop(&s->grace);
    if (s->stopped != NULL) {
        void (*done)(void *) = s->stopped;
        s->stopped = NULL;
        done(s->stopped_arg);
    }
}

void supervisor_stop(struct supervisor *s, void (*done)(void *arg), void *arg)
{
    s->stopping = true;
    s->stopped = done;
    s->stopped_arg = arg;
    for (size_t i = 0; i < s->n; i++)
        timer_stop(&s->child[i].again);
    signal_all(s, false, SIGTERM);
    timer_start(&s->grace, STOP_GRACE_MS);
    supervisor_check_stopped(s);
}

void supervisor_free(struct supervisor *s)
{
    for (size_t i = 0; i < s->n; i++) {
        child_drop_ready(&s->child[i]);
        buf_release(&s->child[i].line);
    }
    mem_free(s->child);
    mem_free(s);
}
