/* test/node/agent_test.c: an agent in a process of its own over the real runtime, killed at random moments of
 * its pods' lives. Needs root, conmon, crun, busybox and CNI plugins; elsewhere it passes with a message. The
 * API is one real head in this process.  Everything happens in a mount and a network namespace of the test's
 * own. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "api/server.h"
#include "net/log.h"
#include "node/agent.h"
#include "node/files.h"
#include "node/image_sample.h"
#include "node/mountns.h"
#include "test/test.h"

#define ROUNDS 10
#define TOKEN  "agent-test"

/* ---- The child: an agent until it is killed, or told by SIGTERM to remove everything --------------------
 */

static struct { struct loop *loop; struct agent *agent; } child;

static void child_closed(void *arg) { loop_stop(child.loop); }
static void child_on_term(void *arg, int signum) { agent_purge(child.agent, child_closed, NULL); }

__attribute__((constructor)) static void child_main(void)
{
    const char *addr = getenv("AGENT_TEST_API"), *dir = getenv("AGENT_TEST_DIR");
    struct client_http_opts co = {
        .servers = &addr, .n_servers = 1, .bearer_token = TOKEN, .user_agent = "agent-test"
    };
    struct file_path root, run, images;
    struct client *client;
    struct errbuf err = { "" };

    if (addr == NULL || dir == NULL)
        return;
    log_level = LOG_ERROR;
    must_ok(file_path(&root, NULL, "%s/node", dir));
    must_ok(file_path(&run, NULL, "%s/run", dir));
    must_ok(file_path(&images, NULL, "%s/images", dir));
    child.loop = co.loop = loop_new_real();
    must_ok(client_new_http(&co, &client, &err));
    struct agent_opts o = { .loop = child.loop,
                            .client = client,
                            .name = "n1",
                            .root_dir = root.s,
                            .run_dir = run.s,
                            .node_ip = "127.0.0.1",
                            .pod_cidr = "10.98.0.0/24",
                            .cgroup_parent = getenv("AGENT_TEST_CGROUP"),
                            .image_dir = images.s };
    if (agent_open(&o, &child.agent, &err) != 0) {
        fprintf(stderr, "agent: %s\n", err.s);
        _exit(1);
    }
    loop_on_signal(child.loop, SIGTERM, child_on_term, NULL);
    loop_run(child.loop);
    _exit(0);
}

/* ---- The world ------------------------------------------------------------------------------ */

static struct {
    struct loop *loop;
    struct disk *disk;
    struct store *store;
    struct api *api;
    struct client *client;
    char dir[200], cgroup[64];
    pid_t agent;
    unsigned long dice;
} t;

static bool missing(void)
{
    static const char *const need[] = { "/usr/bin/crun", "/usr/bin/conmon", "/bin/busybox",
                                        "/usr/lib/cni/bridge" };

    if (geteuid() != 0) {
        printf("skipped: not root\n");
        return true;
    }
    for (unsigned i = 0; i < ARRAY_LEN(need); i++)
        if (!file_exists(need[i])) {
            printf("skipped: no %s\n", need[i]);
            return true;
        }
    return false;
}

static void on_pause(struct timer *timer) { loop_stop(timer->loop); }

static void run_ms(uint64_t ms)
{
    struct timer timer;

    timer_init(&timer, t.loop, on_pause);
    timer_start(&timer, ms);
    loop_run(t.loop);
    timer_stop(&timer);
}

static void world_open(void)
{
    static const struct raft_peer_opts peers[] = { { 1, "127.0.0.1:0" } };
    static const char *const admins[] = { "system:masters", NULL };
    struct store_opts so = {
        .raft = { .id = 1, .cluster = 7, .heads = peers, .n_heads = 1, .listen_addr = "127.0.0.1:0" }
    };
    struct api_opts ao = { .listen_addr = "127.0.0.1:0",
                           .token_lines = STR(TOKEN ",system:node:n1,1,\"system:masters,system:nodes\"\n") };
    struct file_path p;
    struct errbuf err = { "" };

    snprintf(t.dir, sizeof t.dir, "%s", test_dir());
    snprintf(t.cgroup, sizeof t.cgroup, "/coracle-agent-test-%d", (int)getpid());
    must_ok(file_path(&p, NULL, "%s/images", t.dir));
    must_ok(mkdir(p.s, 0755));
    must_ok(file_path(&p, NULL, "%s/images/sample.tar", t.dir));
    must_ok(image_sample_write(p.s, NULL, &err));
    must_ok(file_path(&p, NULL, "%s/data", t.dir));
    must_ok(mkdir(p.s, 0755));
    t.loop = so.raft.loop = ao.loop = loop_new_real();
    must_ok(disk_open(t.loop, p.s, &t.disk, &err));
    so.raft.disk = t.disk;
    must_ok(store_open(&so, &t.store, &err));
    ao.store = t.store;
    must_ok(api_open(&ao, &t.api, &err));
    api_bootstrap(t.api);
    t.client = client_new_local(t.api, t.loop, "admin", admins);
}

static void agent_spawn(void)
{
    t.agent = fork();
    must(t.agent >= 0);
    if (t.agent == 0) {
        setenv("AGENT_TEST_API", api_addr(t.api), 1);
        setenv("AGENT_TEST_DIR", t.dir, 1);
        setenv("AGENT_TEST_CGROUP", t.cgroup, 1);
        execl("/proc/self/exe", "agent_test", (char *)NULL);
        _exit(127);
    }
}

static void agent_end(int signum)
{
    kill(t.agent, signum);
    for (unsigned i = 0; i < 1000 && waitpid(t.agent, NULL, WNOHANG) == 0; i++)
        run_ms(10);                              /* its API has to answer meanwhile */
}

/* ---- One call ------------------------------------------------------------------------------- */

struct reply { bool there; int status; struct buf body; };

static void on_reply(void *arg, const struct client_result *r)
{
    struct reply *y = arg;

    y->there = true;
    y->status = r->status;
    buf_str_add(&y->body, r->body);
    loop_stop(t.loop);
}

/* The answer's status; the object into a. */
static int ask(const char *method, struct client_resource res, const char *name, const char *query,
               const char *body, struct arena *a, struct json **ret)
{
    struct reply y = { 0 };
    struct client_req q = { .method = method,
                            .res = res,
                            .ns = STR("default"),
                            .name = str_of(name),
                            .query = str_of(query),
                            .body_text = str_of(body),
                            .done = on_reply,
                            .arg = &y };
    struct json_error err;

    must(client_send(t.client, &q) != NULL);
    while (!y.there)
        loop_run(t.loop);
    if (ret != NULL && json_parse(a, arena_str(a, buf_str(&y.body)), ret, &err) != 0)
        *ret = NULL;
    buf_release(&y.body);
    return y.status;
}

static void make_pod(const char *name, const char *policy, const char *script)
{
    struct arena a = ARENA_INIT;
    int status = 0;
    const char *body =
        arena_fmt(
            &a,
            "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"nodeName\":\"n1\",\"restartPolicy\":\"%s\","
            "\"terminationGracePeriodSeconds\":1,\"automountServiceAccountToken\":false,\"containers\":[{\"name\":\"c\","
            "\"image\":\"coracle.local/sample:1\",\"command\":[\"sh\",\"-c\",\"%s\"]}]}}",
            name, policy, script)
            .p;

    for (unsigned i = 0; i < 100 && status != 201;
         i++) { /* a fresh cluster's namespaces are just being made */
        status = ask("POST", CLIENT_PODS, NULL, NULL, body, &a, NULL);
        if (status != 201)
            run_ms(50);
    }
    CHECK_INT(status, 201);
    arena_release(&a);
}

/* A field of a pod's status; "-": there is no such pod. */
static const char *field(const char *name, const char *path)
{
    static char text[256];
    struct arena a = ARENA_INIT;
    struct buf b = BUF_INIT;
    struct json *o = NULL, *v;

    if (ask("GET", CLIENT_PODS, name, NULL, NULL, &a, &o) == 404) {
        snprintf(text, sizeof text, "-");
    } else {
        v = json_path(json_getz(o, "status"), path);
        if (v != NULL)
            json_write(&b, v);
        snprintf(text, sizeof text, "%.*s", (int)MIN_OF(b.n, (size_t)200), b.n > 0 ? b.p : "");
    }
    buf_release(&b);
    arena_release(&a);
    return text;
}

/* Within 20 s. */
static void wait_field(const char *name, const char *path, const char *want)
{
    for (unsigned i = 0; i < 1000; i++) {
        if (strcmp(field(name, path), want) == 0)
            return;
        run_ms(20);
    }
    test_fail(__FILE__, __LINE__, "%s: %s is %s, not %s", name, path, field(name, path), want);
}

/* ---- Processes ------------------------------------------------------------------------------ */

struct hunt { const char *mark; unsigned n; int pid; };

static int hunt_one(void *arg, const char *name)
{
    struct hunt *h = arg;
    struct file_path p;
    struct buf b = BUF_INIT;

    if (name[0] >= '1' && name[0] <= '9' && file_path(&p, NULL, "/proc/%s/cmdline", name) == 0
        && file_read(p.s, 4096, &b, NULL) == 0 && b.n > 3 && memcmp(b.p, "sh\0", 3) == 0
        && memmem(b.p, b.n, h->mark, strlen(h->mark)) != NULL) {
        h->n++;
        h->pid = atoi(name);
    }
    buf_release(&b);
    return 0;
}

/* The shell that runs a script with this mark in it: how many, and (the last of) them. */
static struct hunt hunt(const char *mark)
{
    struct hunt h = { mark, 0, 0 };
    file_each("/proc", hunt_one, &h, NULL);
    return h;
}

static unsigned n_running; /* rounds in which the agent died with the pod running already */

/* When the agent dies: one round at once, one when the pod runs, however long that takes here; else at any time. */
static struct hunt wait_to_kill(unsigned round, const char *mark)
{
    t.dice = t.dice * 6364136223846793005ul + 1442695040888963407ul;
    if (round > 1)
        run_ms((t.dice >> 33) % 300);
    struct hunt h = hunt(mark);
    for (unsigned k = 0; k < 1000 && round == 1 && h.n != 1; k++) {
        run_ms(20);
        h = hunt(mark);
    }
    return h;
}

static void one_round(unsigned i)
{
    char run[16], end[16], gone[16], script[128], mark[32];
    struct hunt before, after;

    snprintf(run, sizeof run, "run%u", i);
    snprintf(end, sizeof end, "end%u", i);
    snprintf(gone, sizeof gone, "gone%u", i);
    snprintf(mark, sizeof mark, "mark%d-%u-", (int)getpid(), i);
    snprintf(script, sizeof script, ": %sx; trap 'exit 0' TERM; while :; do sleep 0.2; done", mark);
    make_pod(run, "Always", script);
    make_pod(end, "Never", "sleep 0.1; exit 3");
    make_pod(gone, "Always", "trap 'exit 0' TERM; while :; do sleep 0.2; done");
    before = wait_to_kill(i, mark);
    agent_end(SIGKILL);
    CHECK_INT(ask("DELETE", CLIENT_PODS, gone, "gracePeriodSeconds=0", NULL, NULL, NULL), 200);
    if (i % 2 == 0)
        run_ms(300);                             /* what ends, ends while nobody looks */
    agent_spawn();
    wait_field(run, "phase", "\"Running\"");
    wait_field(end, "phase", "\"Failed\"");
    wait_field(end, "containerStatuses.0.state.terminated.exitCode", "3");
    CHECK_STR(str_of(field(end, "containerStatuses.0.restartCount")), "0");
    CHECK_STR(str_of(field(run, "containerStatuses.0.restartCount")), "0");
    after = hunt(mark);
    for (unsigned k = 0; k < 100 && after.n != 1; k++) {     /* a child looks like it until it is a sleep */
        run_ms(20);
        after = hunt(mark);
    }
    CHECK_INT(after.n, 1);
    if (before.n == 1) {
        CHECK_INT(after.pid, before.pid);
        n_running++;
    }
}

TEST(an_agent_killed_at_any_moment_finds_its_pods_again)
{
    struct errbuf err = { "" };
    struct file_path p;
    struct stat st;

    if (missing())
        return;
    log_level = LOG_ERROR;
    must_ok(file_path(&p, NULL, "%s/ns", test_dir()));
    if (unshare(CLONE_NEWNET) < 0 || mountns_enter(p.s, &err) < 0 || system("ip link set lo up") != 0) {
        printf("skipped: no namespaces here: %s %s\n", strerror(errno), err.s);
        return;
    }
    world_open();
    run_ms(500);
    CHECK_INT(
        ask("POST", CLIENT_SERVICEACCOUNTS, NULL, NULL, "{\"metadata\":{\"name\":\"default\"}}", NULL, NULL),
        201);
    agent_spawn();
    for (unsigned i = 0; i < ROUNDS; i++)
        one_round(i);
    CHECK(n_running > 0);
    agent_end(SIGTERM);
    char mark[32];
    snprintf(mark, sizeof mark, "mark%d-", (int)getpid());
    CHECK_INT(hunt(mark).n, 0);
    must_ok(file_path(&p, NULL, "/sys/fs/cgroup/pids%s", t.cgroup));
    CHECK(stat(p.s, &st) < 0);
    must_ok(file_path(&p, NULL, "/sys/fs/cgroup%s", t.cgroup));
    CHECK(stat(p.s, &st) < 0);
}
