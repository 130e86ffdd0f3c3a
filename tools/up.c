/* tools/up.c: coracle up: a whole cluster on this machine.
 *
 * The flow is one chain of steps, each started when the one before has ended:
 *     clear -> prepare -> network -> heads -> nodes -> sample -> ready -> (signal) -> stop -> clear
 * Steps that wait are woken by events: lines on the children's ready descriptors, and watches on nodes and
 * pods. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include "api/informer.h"
#include "net/log.h"
#include "node/image_sample.h"
#include "tools/cluster.h"
#include "node/files.h"
#include "tools/flags.h"
#include "tools/progress.h"
#include "tools/sample.h"
#include "tools/supervisor.h"

#define UP_TIMEOUT_MS 120000                     /* until everything is ready */

struct up_flags {
    const char *name, *data, *head_flags, *node_flags;
    int64_t heads, nodes, hollow;
    bool detach, clean, sample, restart;
};

enum up_step { UP_HEADS, UP_NODES, UP_SAMPLE, UP_READY, UP_STOPPING };

struct up {
    struct up_flags f;
    struct cluster c;
    struct loop *loop;
    struct progress progress;
    struct supervisor *sup;
    struct tls_ctx *tls;
    struct client *client;
    struct informer *nodes, *pods;
    struct timer timeout;
    enum up_step step;
    unsigned serving, applying;
    bool leading;
    int  lock_fd, tell_fd, exit_status;
    int  numbers_fd;                             /* held until all heads serve */
};

static void up_stop(struct up *u);

static void up_give_up(struct up *u, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void up_give_up(struct up *u, const char *fmt, ...)
{
    va_list ap;

    if (u->step == UP_STOPPING)
        return;
    progress_fail(&u->progress);
    fprintf(stderr, "coracle up: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    u->exit_status = 1;
    up_stop(u);
}

/* ---- One cluster of a name at a time ------------------------------------------------------------------ */

static int up_lock(const struct cluster *c, struct errbuf *err)
{
    char path[600], pid[32];
    int rc = file_mkdirs("/run/coracle", 0755, err);

    if (rc != 0)
        return rc;
    snprintf(path, sizeof path, "/run/coracle/%s.lock", c->name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, errno, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return err_set(
            err, E_EXISTS,
            "a cluster named %s runs already: end it with coracle down --name %s, or take another --name",
            c->name, c->name);
    }
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
        close(fd);
        return err_sys(err, errno, "write %s", path);
    }
    return fd;
}

/* ---- Ready --------------------------------------------------------------------------------------------- */

static void up_say_ready(struct up *u)
{
    struct cluster_text path;

    printf("\nThe cluster is ready after %.2f s.  Its kubeconfig: %s\n\nTry:\n",
           progress_seconds(&u->progress), cluster_path(&u->c, &path, "/admin.kubeconfig"));
    printf("  export KUBECONFIG=%s\n  kubectl get nodes,pods -o wide\n", path.s);
    if (u->f.sample)
        printf("  kubectl set image deployment/sample web=coracle.local/sample:2 && kubectl rollout status "
               "deployment/sample\n");
    else
        printf("  kubectl create deployment web --image=coracle.local/sample:1 --replicas=3\n");
    printf("\netcd's API, for the certificates in %s:", cluster_path(&u->c, &path, "/pki"));
    for (unsigned i = 0; i < u->c.n_heads; i++)
        printf("%s https://127.0.0.1:%u", i > 0 ? "," : "", u->c.etcd_port[i]);
    printf("\n");
    cluster_path(&u->c, &path, "/admin.kubeconfig");
    if (u->f.detach)
        printf("\ncoracle down --name %s ends it.\n%s\n", u->c.name, path.s);
    else
        printf("\nCtrl-C ends it%s.\n", u->c.keep ? "; its state stays" : " and removes everything");
    fflush(stdout);
}

static void up_ready(struct up *u)
{
    u->step = UP_READY;
    timer_stop(&u->timeout);
    informer_stop(u->nodes);
    informer_stop(u->pods);
    u->nodes = u->pods = NULL;
    up_say_ready(u);
    /* detached: the waiting command ends now, output goes to a file */
    if (u->tell_fd >= 0) {
        struct cluster_text path;
        int fd = open(cluster_path(&u->c, &path, "/up.log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (write(u->tell_fd, "0", 1) != 1)
            log_warn("up", "nobody waits for this cluster any more");
        close(u->tell_fd);
        u->tell_fd = -1;
        u->progress.terminal = false;
        if (fd >= 0) {
            dup2(fd, 1);
            dup2(fd, 2);
            close(fd);
        }
    }
}

/* ---- The sample: its documents are created one after the other, then its pods awaited ------------------ */

static bool pod_ready(const struct json *pod)
{
    json_each(c, json_path(pod, "status.conditions"))
        if (str_is(json_path_str(c, "type"), "Ready"))
            return str_is(json_path_str(c, "status"), "True");
    return false;
}

static void up_check_pods(struct up *u)
{
    struct arena a = ARENA_INIT;
    struct object *o;
    unsigned ready = 0;
    size_t it = 0;

    if (u->step != UP_SAMPLE)
        return;
    while ((o = informer_next(u->pods, &it)) != NULL)
        ready += pod_ready(object_json(o, &a));
    arena_release(&a);
    progress_update(&u->progress, "sample: %u of %d pods ready", ready, SAMPLE_REPLICAS);
    if (ready >= SAMPLE_REPLICAS) {
        progress_done(&u->progress);
        up_ready(u);
    }
}

static void up_on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                      struct json *json)
{
    up_check_pods(arg);
}

static void up_on_applied(void *arg, const struct client_result *r)
{
    struct up *u = arg;

    if (r->ok || r->status == 409)               /* there already: a kept cluster */
        return;
    if (r->err != 0)
        up_give_up(u, "cannot deploy the sample: %s", r->reason);
    else
        up_give_up(u, "cannot deploy the sample: %.*s", STR_ARG(r->message));
}

static void up_deploy_sample(struct up *u)
{
    static const struct client_resource kinds[] = { CLIENT_CONFIGMAPS, CLIENT_SECRETS, CLIENT_DEPLOYMENTS };
    struct str rest = sample_manifest(), doc;
    struct informer_opts io = { .client = u->client,
                                .res = CLIENT_PODS,
                                .ns = STR("default"),
                                .query = STR("labelSelector=app%3Dsample"),
                                .on_change = up_on_pod,
                                .arg = u };
    u->step = UP_SAMPLE;
    progress_start(&u->progress, "sample");
    for (size_t i = 0; i < ARRAY_LEN(kinds) && sample_next_document(&rest, &doc); i++) {
        struct client_req r = { .method = "POST", .res = kinds[i], .ns = STR("default"), .body_text = doc,
                                .content_type = "application/yaml", .done = up_on_applied, .arg = u };
        client_send(u->client, &r);
    }
    u->pods = informer_start(&io);
}

/* ---- Nodes --------------------------------------------------------------------------------------------- */

static void up_check_nodes(struct up *u)
{
    struct arena a = ARENA_INIT;
    struct object *o;
    unsigned ready = 0, want = u->c.n_nodes + (unsigned)u->f.hollow;
    size_t it = 0;

    if (u->step != UP_NODES)
        return;
    while ((o = informer_next(u->nodes, &it)) != NULL)
        ready += pod_ready(object_json(o, &a));  /* nodes carry a Ready condition of the same form */
    arena_release(&a);
    progress_update(&u->progress, "nodes: %u of %u ready", ready, want);
    if (ready < want)
        return;
    progress_done(&u->progress);
    if (u->f.sample)
        up_deploy_sample(u);
    else
        up_ready(u);
}

static void up_on_node(void *arg, enum informer_change what, struct object *old, struct object *new_,
                       struct json *json)
{
    up_check_nodes(arg);
}

static int up_open_client(struct up *u, struct errbuf *err)
{
    struct buf ca = BUF_INIT, cert = BUF_INIT, key = BUF_INIT;
    struct cluster_text t;
    char addr[CLUSTER_MAX_HEADS][32];
    const char *addrs[CLUSTER_MAX_HEADS];
    struct tls_opts to = { .server = false };
    int rc = file_read(cluster_path(&u->c, &t, "/pki/ca.crt"), TOOLS_FILE_MAX, &ca, err);

    if (rc == 0)
        rc = file_read(cluster_path(&u->c, &t, "/pki/admin.crt"), TOOLS_FILE_MAX, &cert, err);
    if (rc == 0)
        rc = file_read(cluster_path(&u->c, &t, "/pki/admin.key"), TOOLS_FILE_MAX, &key, err);
    to.ca_pem = buf_str(&ca);
    to.cert_pem = buf_str(&cert);
    to.key_pem = buf_str(&key);
    if (rc == 0)
        rc = tls_ctx_new(&to, &u->tls, err);
    for (unsigned i = 0; i < u->c.n_heads; i++) {
        snprintf(addr[i], sizeof addr[i], "127.0.0.1:%u", u->c.api_port[i]);
        addrs[i] = addr[i];
    }
    struct client_http_opts co = { .loop = u->loop,
                                   .servers = addrs,
                                   .n_servers = u->c.n_heads,
                                   .tls = u->tls,
                                   .user_agent = "coracle-up" };
    if (rc == 0)
        rc = client_new_http(&co, &u->client, err);
    buf_release(&ca);
    buf_release(&cert);
    buf_release(&key);
    return rc;
}

static void up_start_nodes(struct up *u)
{
    struct errbuf err = { "" };
    struct informer_opts io = { .res = CLIENT_NODES, .on_change = up_on_node, .arg = u };

    u->step = UP_NODES;
    progress_start(&u->progress, "nodes");
    if (up_open_client(u, &err) != 0 || supervisor_start_nodes(u->sup, &err) != 0) {
        up_give_up(u, "%s", err.s);
        return;
    }
    io.client = u->client;
    u->nodes = informer_start(&io);
    up_check_nodes(u);
}

/* ---- Heads --------------------------------------------------------------------------------------------- */

static void up_on_child_ready(void *arg, bool head, unsigned number, struct str line)
{
    struct up *u = arg;

    if (!head || u->step != UP_HEADS)
        return;
    if (str_starts(line, STR("serving")))
        u->serving++;
    else if (str_is(line, "leading"))
        u->leading = true;
    progress_update(&u->progress, "heads: %u of %u serving%s", u->serving, u->c.n_heads,
                    u->leading ? ", one leads" : "");
    if (u->serving < u->c.n_heads || !u->leading)
        return;
    close(u->numbers_fd);
    progress_done(&u->progress);
    up_start_nodes(u);
}

/* The log goes with everything else when `up` fails: show what it said last. */
static void show_log_end(const char *path)
{
    struct buf b = BUF_INIT;

    if (file_read(path, TOOLS_FILE_MAX, &b, NULL) == 0) {
        size_t from = b.n > 2000 ? b.n - 2000 : 0;
        fprintf(stderr, "\n%.*s\n", (int)(b.n - from), b.p + from);
    }
    buf_release(&b);
}

static void up_on_child_exit(void *arg, bool head, unsigned number, int status, const char *log_path)
{
    struct up *u = arg;

    if (u->step < UP_READY) {
        show_log_end(log_path);
        up_give_up(u, "%s %u ended with status %d before the cluster was ready; above is the end of %s",
                   head ? "head" : "node", number, status, log_path);
    } else
        log_warn("up", "%s %u ended with status %d%s; see %s", head ? "head" : "node", number, status,
                 u->f.restart ? ", starting it again" : "", log_path);
}

static void up_on_timeout(struct timer *t)
{
    struct up *u = container_of(t, struct up, timeout);
    up_give_up(u, "not ready after %d s; logs are in %s", UP_TIMEOUT_MS / 1000, u->c.data);
}

/* ---- Stopping ------------------------------------------------------------------------------------------ */

static void up_on_stopped(void *arg)
{
    struct up *u = arg;

    supervisor_free(u->sup);
    u->sup = NULL;
    if (u->client != NULL)
        client_free(u->client);
    u->client = NULL;
    loop_stop(u->loop);
}

static void up_stop(struct up *u)
{
    u->step = UP_STOPPING;
    timer_stop(&u->timeout);
    informer_stop(u->nodes);
    informer_stop(u->pods);
    u->nodes = u->pods = NULL;
    progress_start(&u->progress, "stopping");
    supervisor_stop(u->sup, up_on_stopped, u);
}

static void up_on_signal(void *arg, int signum)
{
    struct up *u = arg;

    if (u->step == UP_STOPPING)
        return;
    progress_fail(&u->progress);
    up_stop(u);
}

/* ---- The whole ----------------------------------------------------------------------------------------- */

static int up_write_images(struct up *u, struct errbuf *err)
{
    struct cluster_text path;

    cluster_path(&u->c, &path, "/images/sample.tar");
    return access(path.s, F_OK) == 0 ? 0 : image_sample_write(path.s, NULL, err);
}

static int up_prepare(struct up *u, struct errbuf *err)
{
    struct supervisor_opts so = { .loop = u->loop,
                                  .cluster = &u->c,
                                  .restart = u->f.restart,
                                  .hollow = (unsigned)u->f.hollow,
                                  .head_flags = str_of(u->f.head_flags),
                                  .node_flags = str_of(u->f.node_flags),
                                  .on_ready = up_on_child_ready,
                                  .on_exit = up_on_child_exit,
                                  .arg = u };
    struct cluster_found found;
    bool keep = u->c.keep;
    int rc;

    progress_start(&u->progress, "keys, images and network");
    /* what is left of a run before, but not the directory given */
    u->c.keep = true;
    rc = cluster_clean(&u->c, &found, err);
    u->c.keep = keep;
    if (rc == 0 && !keep)
        rc = file_remove_tree(u->c.data, err);
    u->numbers_fd = cluster_numbers_lock();
    if (rc == 0)
        rc = cluster_prepare(&u->c, err);
    if (rc == 0)
        rc = cluster_write_pki(&u->c, err);
    if (rc == 0)
        rc = cluster_write_kubeconfig(&u->c, err);
    if (rc == 0)
        rc = up_write_images(u, err);
    if (rc == 0)
        rc = cluster_make_network(&u->c, err);
    if (rc == 0)
        rc = supervisor_new(&so, &u->sup, err);
    if (rc != 0)
        return rc;
    progress_done(&u->progress);
    progress_start(&u->progress, "heads");
    return supervisor_start_heads(u->sup, err);
}

static int up_run_loop(struct up *u)
{
    struct errbuf err = { "" };
    struct cluster_found found;

    u->loop = loop_new_real();
    progress_init(&u->progress, u->loop);
    timer_init(&u->timeout, u->loop, up_on_timeout);
    loop_on_signal(u->loop, SIGINT, up_on_signal, u);
    loop_on_signal(u->loop, SIGTERM, up_on_signal, u);
    if (up_prepare(u, &err) == 0) {
        timer_start(&u->timeout, UP_TIMEOUT_MS);
        loop_run(u->loop);
    } else {
        progress_fail(&u->progress);
        u->exit_status = fail(&cmd_up, "%s", err.s);
    }
    if (cluster_clean(&u->c, &found, &err) != 0)
        u->exit_status = fail(&cmd_up, "%s", err.s);
    progress_done(&u->progress);
    return u->exit_status;
}

/* Detached: a child in its own session carries on; we pass its output on and end with what it tells. */
static int up_detach(struct up *u)
{
    int  tell[2], status;
    char verdict = '1';
    pid_t pid;

    if (pipe2(tell, O_CLOEXEC) != 0)
        return fail(&cmd_up, "pipe: %s", strerror(errno));
    fflush(stdout);
    pid = fork();
    if (pid < 0)
        return fail(&cmd_up, "fork: %s", strerror(errno));
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY);
        close(tell[0]);
        setsid();
        if (null >= 0)
            dup2(null, 0);
        u->tell_fd = tell[1];
        struct errbuf err = { "" };
        u->lock_fd = up_lock(&u->c, &err);
        _exit(u->lock_fd < 0 ? fail(&cmd_up, "%s", err.s) : up_run_loop(u));
    }
    close(tell[1]);
    ssize_t n = read(tell[0], &verdict, 1);
    close(tell[0]);
    if (n == 1)
        return verdict != '0';
    waitpid(pid, &status, 0);
    return 1;
}

static int up_clean(struct up *u)
{
    struct cluster_found f;
    struct errbuf err = { "" };

    u->lock_fd = up_lock(&u->c, &err);
    if (u->lock_fd < 0 || cluster_clean(&u->c, &f, &err) != 0)
        return fail(&cmd_up, "%s", err.s);
    printf("removed %u processes, %u cgroups, %u mounts, %u network namespaces, %u bridges\n", f.processes,
           f.cgroups, f.mounts, f.namespaces, f.bridges);
    return 0;
}

static int up_check_machine(const struct up_flags *f)
{
    static const char *const tools[][2] = {
        { "ip", "iproute2" }, { "nsenter", "util-linux" }, { "crun", "crun" }, { "conmon", "conmon" }
    };
    if (geteuid() != 0)
        return fail(&cmd_up, "must run as root: it makes network namespaces, mounts and cgroups");
    for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
        char cmd[64];
        snprintf(cmd, sizeof cmd, "command -v %s >/dev/null 2>&1", tools[i][0]);
        if (system(cmd) != 0)
            return fail(&cmd_up, "%s is not installed; on Debian: apt-get install %s", tools[i][0],
                        tools[i][1]);
    }
    if (f->heads < 1 || f->heads > CLUSTER_MAX_HEADS || f->heads % 2 == 0)
        return fail(&cmd_up, "--heads must be odd, from 1 to %d", CLUSTER_MAX_HEADS);
    if (f->nodes < 0 || f->nodes > CLUSTER_MAX_NODES)
        return fail(&cmd_up, "--nodes must be from 0 to %d", CLUSTER_MAX_NODES);
    return 0;
}

static int up_run(int argc, char **argv)
{
    static struct up u;
    u = (struct up){ .f = { .name = "up",
                            .heads = 3,
                            .nodes = 3,
                            .sample = true,
                            .restart = true,
                            .head_flags = "",
                            .node_flags = "" },
                     .tell_fd = -1 };
    struct up_flags *f = &u.f;
    const struct flag flags[] = {
        { "heads", NULL, FLAG_INT, &f->heads, "N", "heads: 1, 3, 5, ..." },
        { "nodes", NULL, FLAG_INT, &f->nodes, "N", "nodes, each in a network namespace of its own" },
        { "hollow-nodes", NULL, FLAG_INT, &f->hollow, "N", "further nodes that only seem to run their pods" },
        { "data", NULL, FLAG_STRING, &f->data, "DIR",
          "keep the cluster's state here and go on from it next time" },
        { "name", NULL, FLAG_STRING, &f->name, "NAME", "several clusters may run under different names" },
        { "detach", "d", FLAG_BOOL, &f->detach, NULL,
          "return when everything is ready; coracle down ends it" },
        { "sample", NULL, FLAG_BOOL, &f->sample, NULL, "deploy the sample application" },
        { "restart", NULL, FLAG_BOOL, &f->restart, NULL, "start heads and nodes again that die" },
        { "head-flags", NULL, FLAG_STRING, &f->head_flags, "FLAGS",
          "further flags of coracle head, separated by blanks" },
        { "node-flags", NULL, FLAG_STRING, &f->node_flags, "FLAGS",
          "further flags of coracle node, separated by blanks" },
        { "clean", NULL, FLAG_BOOL, &f->clean, NULL, "only remove what a killed cluster left behind" },
    };
    struct errbuf err = { "" };
    int rc;

    if (flags_parse(&cmd_up, flags, ARRAY_LEN(flags), argc, argv) > 0)
        return fail(&cmd_up, "takes no arguments, got \"%s\"", argv[1]);
    if ((rc = up_check_machine(f)) != 0)
        return rc;
    if (cluster_init(&u.c, f->name, f->data, &err) != 0)
        return fail(&cmd_up, "%s", err.s);
    u.c.n_heads = (unsigned)f->heads;
    u.c.n_nodes = (unsigned)f->nodes;
    if (f->clean)
        return up_clean(&u);
    if (f->detach)
        return up_detach(&u);
    u.lock_fd = up_lock(&u.c, &err);
    if (u.lock_fd < 0)
        return fail(&cmd_up, "%s", err.s);
    return up_run_loop(&u);
}

const struct command cmd_up = {
    "up",
    "up [flags]",
    "Run a whole cluster on this machine",
    "Runs a whole cluster on this machine for trying, developing and testing: heads and nodes as child "
    "processes,\n"
    "every node in its own network namespace with its own address.  Needs root.  Ctrl-C ends it and removes "
    "everything.\n\n"
    "The heads also serve etcd's API (the first at its usual port, if that is free).  With the keys of the "
    "cluster:\n"
    "  cd /var/lib/coracle/up/pki\n"
    "  export ETCDCTL_CACERT=$PWD/ca.crt ETCDCTL_CERT=$PWD/admin.crt ETCDCTL_KEY=$PWD/admin.key\n"
    "  etcdctl get /registry --prefix --keys-only",
    up_run,
};
