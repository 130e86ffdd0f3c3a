/* test/node/hollow_test.c: the hollow runtime keeps the promises of node/runtime.h. */
#include <signal.h>
#include "node/runtime_hollow.h"
#include "net/map.h"
#include "test/test.h"

struct rig {
    struct loop *l;
    struct runtime *rt;
    const struct runtime_ops *ops;
    bool inside;                                 /* a call is being made: nothing may be called back */
    unsigned done, exits, closed;
    int status;                                  /* of the last request */
    char exited[65];
    long live;
};

struct call {
    union {
        struct rt_req req;
        struct rt_sandbox_create sb;
        struct rt_container_create ct;
        struct rt_by_id id;
        struct rt_kill kill;
        struct rt_stats_get stats;
        struct rt_session s;
        struct rt_image_ensure image;
    };
    struct rig *r;
};

static void on_done(struct rt_req *req, int status)
{
    struct rig *r = container_of(req, struct call, req)->r;
    CHECK(!r->inside);
    r->done++;
    r->status = status;
}

static void on_exit_(void *arg, const char *id)
{
    struct rig *r = arg;
    CHECK(!r->inside);
    r->exits++;
    snprintf(r->exited, sizeof r->exited, "%s", id);
    const struct rt_container_info *i = r->ops->container_get(r->rt, id);
    CHECK(i != NULL && i->state == RT_EXITED && i->finished_ns > 0);
}

static void on_death(void *arg, const char *id) { CHECK(!"no sandbox of a hollow runtime dies by itself"); }
static const struct runtime_events events = { .on_container_exit = on_exit_, .on_sandbox_death = on_death };

static void rig_open(struct rig *r, uint64_t start_ms)
{
    *r = (struct rig){ .live = mem_live() };
    r->l = loop_new_real();
    struct runtime_hollow_opts o = { .loop = r->l, .start_ms = start_ms };
    r->rt = runtime_hollow_new(&o);
    r->ops = r->rt->ops;
    runtime_set_events(r->rt, &events, r);
}

static void on_closed(void *arg) { ((struct rig *)arg)->closed++; }

static void rig_close(struct rig *r)
{
    r->ops->close(r->rt, on_closed, r);
    CHECK_INT(r->closed, 0);
    loop_run(r->l);
    CHECK_INT(r->closed, 1);
    loop_free(r->l);
    CHECK_INT(mem_live(), r->live);
}

/* Makes the call `expr` on a request c, runs the loop, and returns the status it was answered with, once. */
#define DO(r, expr) do_end((r), ((r)->inside = true, (r)->done = 0, (expr), (r)->inside = false, (r)))
static int do_end(struct rig *r, struct rig *same)
{
    CHECK_INT(r->done, 0);
    loop_run(r->l);
    CHECK_INT(r->done, 1);
    return r->status;
}

static struct call call_new(struct rig *r) { return (struct call){ .req = { .done = on_done }, .r = r }; }

static int sandbox(struct rig *r, struct call *c, const char *uid, bool host)
{
    *c = call_new(r);
    c->sb.pod_uid = uid;
    c->sb.pod_name = "web";
    c->sb.pod_namespace = "default";
    c->sb.hostname = "web";
    c->sb.host_network = host;
    c->sb.memo = STR("memo\0with zero");
    return DO(r, r->ops->sandbox_create(r->rt, &c->sb));
}

static int container(struct rig *r, struct call *c, const char *sandbox_id)
{
    *c = call_new(r);
    c->ct.sandbox_id = sandbox_id;
    c->ct.name = "app";
    c->ct.attempt = 3;
    c->ct.image = "busybox:1";
    c->ct.memo = STR("m");
    return DO(r, r->ops->container_create(r->rt, &c->ct));
}

static int by_id(struct rig *r, void (*op)(struct runtime *, struct rt_by_id *), const char *id)
{
    struct call c = call_new(r);
    c.id.id = id;
    return DO(r, op(r->rt, &c.id));
}

static int kill_(struct rig *r, const char *id, int signum)
{
    struct call c = call_new(r);
    c.kill.id = id;
    c.kill.signum = signum;
    return DO(r, r->ops->container_kill(r->rt, &c.kill));
}

static int exec_(struct rig *r, const char *id)
{
    struct call c = call_new(r);
    const char *argv[] = { "true", NULL };
    c.s.container_id = id;
    c.s.argv = argv;
    c.s.n_argv = 1;
    c.s.exit_code = 77;
    int rc = DO(r, r->ops->session_open(r->rt, &c.s));
    if (rc == 0)
        CHECK_INT(c.s.exit_code, 0);
    return rc;
}

TEST(life_of_a_container)
{
    struct rig r;
    struct call sb, ct;

    rig_open(&r, 0);
    CHECK_INT(sandbox(&r, &sb, "uid-1", false), 0);
    CHECK(strncmp(sb.sb.ip, "127.", 4) == 0);
    const struct rt_sandbox_info *si = r.ops->sandbox_get(r.rt, sb.sb.id);
    CHECK(si != NULL && si->ready && strcmp(si->pod_uid, "uid-1") == 0 && si->memo.n == 14 &&
          memcmp(si->memo.p, "memo\0with zero", 14) == 0);
    CHECK_INT(container(&r, &ct, sb.sb.id), 0);
    const struct rt_container_info *i = r.ops->container_get(r.rt, ct.ct.id);
    CHECK(i->state == RT_CREATED && i->attempt == 3 && strcmp(i->sandbox_id, sb.sb.id) == 0 &&
          strncmp(i->image_id, "sha256:", 7) == 0);
    CHECK_INT(exec_(&r, ct.ct.id), E_AGAIN);
    CHECK_INT(by_id(&r, r.ops->container_start, ct.ct.id), 0);
    CHECK(i->state == RT_RUNNING && i->started_ns > 0);
    CHECK_INT(by_id(&r, r.ops->container_start, ct.ct.id), E_AGAIN);
    CHECK_INT(exec_(&r, ct.ct.id), 0);
    CHECK_INT(by_id(&r, r.ops->container_remove, ct.ct.id), E_CONFLICT);
    CHECK_INT(kill_(&r, ct.ct.id, 0), 0);
    CHECK_INT(r.exits, 0);
    CHECK_INT(kill_(&r, ct.ct.id, SIGTERM), 0);
    CHECK_INT(r.exits, 1);
    CHECK(strcmp(r.exited, ct.ct.id) == 0);
    CHECK_INT(i->exit_code, 0);
    CHECK_INT(kill_(&r, ct.ct.id, SIGKILL), 0);  /* ended already: once is enough */
    CHECK_INT(r.exits, 1);
    CHECK_INT(i->exit_code, 0);
    CHECK_INT(by_id(&r, r.ops->container_remove, ct.ct.id), 0);
    CHECK(r.ops->container_get(r.rt, ct.ct.id) == NULL);
    CHECK_INT(kill_(&r, ct.ct.id, SIGKILL), E_NOTFOUND);
    CHECK_INT(container(&r, &ct, sb.sb.id), 0);
    CHECK_INT(by_id(&r, r.ops->container_start, ct.ct.id), 0);
    CHECK_INT(kill_(&r, ct.ct.id, SIGKILL), 0);
    CHECK_INT(r.ops->container_get(r.rt, ct.ct.id)->exit_code, 137);
    rig_close(&r);
}

TEST(stopping_a_sandbox_ends_what_runs_in_it)
{
    struct rig r;
    struct call sb, ct[3];

    rig_open(&r, 0);
    CHECK_INT(sandbox(&r, &sb, "uid-1", false), 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(container(&r, &ct[i], sb.sb.id), 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(by_id(&r, r.ops->container_start, ct[i].ct.id), 0);
    CHECK_INT(by_id(&r, r.ops->sandbox_stop, sb.sb.id), 0);
    CHECK(!r.ops->sandbox_get(r.rt, sb.sb.id)->ready);
    CHECK_INT(r.ops->container_get(r.rt, ct[1].ct.id)->exit_code, 137);
    CHECK_INT(container(&r, &ct[2], sb.sb.id), E_AGAIN);
    CHECK_INT(by_id(&r, r.ops->sandbox_stop, sb.sb.id), 0);
    CHECK_INT(by_id(&r, r.ops->sandbox_remove, sb.sb.id), 0);
    CHECK_INT(by_id(&r, r.ops->sandbox_remove, sb.sb.id), 0);    /* fine when there is none */
    CHECK_INT(by_id(&r, r.ops->sandbox_stop, sb.sb.id), E_NOTFOUND);
    CHECK(r.ops->container_get(r.rt, ct[0].ct.id) == NULL);
    CHECK_INT(container(&r, &ct[2], "none"), E_NOTFOUND);
    rig_close(&r);
}

TEST(addresses_are_unique_come_back_and_run_out)
{
    struct rig r;
    struct call sb, one;
    struct map seen = MAP_INIT;
    char id[8][65];
    struct errbuf err;

    rig_open(&r, 0);
    CHECK_INT(r.ops->set_pod_cidr(r.rt, "10.244.7.0/29", &err), 0);
    CHECK_INT(r.ops->set_pod_cidr(r.rt, "rubbish", &err), E_INVALID);
    for (int i = 0; i < 5; i++) {                /* .2 to .6 */
        CHECK_INT(sandbox(&r, &sb, "u", false), 0);
        CHECK(strncmp(sb.sb.ip, "10.244.7.", 9) == 0);
        CHECK(map_put(&seen, str_of(sb.sb.ip), &r) == NULL);
        snprintf(id[i], sizeof id[i], "%s", sb.sb.id);
    }
    CHECK(map_get(&seen, STR("10.244.7.1")) == NULL && map_get(&seen, STR("10.244.7.7")) == NULL);
    CHECK_INT(sandbox(&r, &sb, "u", false), E_FULL);
    CHECK_INT(sandbox(&r, &one, "u", true), 0);  /* the host's network needs none */
    CHECK_STR(str_of(one.sb.ip), "");
    CHECK_INT(r.ops->set_pod_cidr(r.rt, "10.244.7.0/29", &err), 0);      /* the same again forgets nothing */
    CHECK_INT(sandbox(&r, &sb, "u", false), E_FULL);
    char freed[46];
    snprintf(freed, sizeof freed, "%s", r.ops->sandbox_get(r.rt, id[2])->ip);
    CHECK_INT(by_id(&r, r.ops->sandbox_stop, id[2]), 0);
    CHECK_INT(by_id(&r, r.ops->sandbox_remove, id[2]), 0);       /* given back once, not twice */
    CHECK_INT(sandbox(&r, &sb, "u", false), 0);
    CHECK_STR(str_of(sb.sb.ip), freed);
    CHECK_INT(sandbox(&r, &sb, "u", false), E_FULL);
    for (int i = 0; i < 2; i++)
        CHECK_INT(by_id(&r, r.ops->sandbox_remove, id[i]), 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(sandbox(&r, &sb, "u", false), 0);
    map_release(&seen);
    struct call p = call_new(&r);
    CHECK_INT(DO(&r, r.ops->purge(r.rt, &p.req)), 0);
    CHECK_INT(sandbox(&r, &sb, "u", false), 0);
    rig_close(&r);
}

TEST(a_start_may_take_its_time_and_be_overtaken)
{
    struct rig r;
    struct call sb, ct, start, stop;

    rig_open(&r, 20);
    CHECK_INT(sandbox(&r, &sb, "u", false), 0);
    CHECK_INT(container(&r, &ct, sb.sb.id), 0);
    uint64_t t0 = loop_hires_ns(r.l);
    CHECK_INT(by_id(&r, r.ops->container_start, ct.ct.id), 0);
    CHECK(loop_hires_ns(r.l) - t0 >= 20000000);
    /* The pod goes while its container starts. */
    CHECK_INT(container(&r, &ct, sb.sb.id), 0);
    start = stop = call_new(&r);
    start.id.id = ct.ct.id;
    stop.id.id = sb.sb.id;
    r.done = 0;
    r.ops->container_start(r.rt, &start.id);
    r.ops->sandbox_remove(r.rt, &stop.id);
    loop_run(r.l);
    CHECK_INT(r.done, 2);
    CHECK_INT(r.status, E_NOTFOUND);
    rig_close(&r);
}

TEST(closing_answers_everything)
{
    struct rig r;
    struct call sb, ct, start, late;

    rig_open(&r, 60000);
    CHECK_INT(sandbox(&r, &sb, "u", false), 0);
    CHECK_INT(container(&r, &ct, sb.sb.id), 0);
    start = late = call_new(&r);
    start.id.id = late.id.id = ct.ct.id;
    r.done = 0;
    r.ops->container_start(r.rt, &start.id);
    r.ops->close(r.rt, on_closed, &r);
    r.ops->container_remove(r.rt, &late.id);
    loop_run(r.l);
    CHECK_INT(r.done, 2);
    CHECK_INT(r.status, E_CLOSED);
    CHECK_INT(r.closed, 1);
    loop_free(r.l);
    CHECK_INT(mem_live(), r.live);
}

TEST(a_session_can_be_canceled_before_it_is_through)
{
    struct rig r;
    struct call sb, ct, s;

    rig_open(&r, 0);
    CHECK_INT(sandbox(&r, &sb, "u", false), 0);
    CHECK_INT(container(&r, &ct, sb.sb.id), 0);
    CHECK_INT(by_id(&r, r.ops->container_start, ct.ct.id), 0);
    s = call_new(&r);
    s.s.container_id = ct.ct.id;
    r.done = 0;
    r.ops->session_open(r.rt, &s.s);
    r.ops->session_write(&s.s, "x", 1);
    r.ops->session_cancel(&s.s);
    loop_run(r.l);
    CHECK_INT(r.done, 1);
    CHECK_INT(r.status, E_CANCELED);
    CHECK_INT(exec_(&r, "none"), E_NOTFOUND);
    rig_close(&r);
}
