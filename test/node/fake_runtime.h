/* test/node/fake_runtime.h: a runtime that does as the test says: any kind of request can fail, wait until it
 * is let go, or be slow; containers end on command; signals are written down.  It outlives the agent, as real
 * containers do. */
#ifndef TEST_FAKE_RUNTIME_H
#define TEST_FAKE_RUNTIME_H

#include <stdio.h>
#include "node/runtime.h"
#include "test/test.h"

enum fake_op {
    F_SANDBOX,
    F_SB_STOP,
    F_SB_REMOVE,
    F_CREATE,
    F_START,
    F_KILL,
    F_REMOVE,
    F_IMAGE,
    F_EXEC,
    F_RESIZE,
    F_OPS
};
enum { FAKE_MAX = 400 };

struct fake_req {
    struct timer timer;
    struct rt_req *req;
    int status;
    enum fake_op op;
    void (*effect)(struct fake_req *q);
    char id[65];
    struct fake_runtime *f;
    bool used;
};
struct fake_sandbox {
    struct rt_sandbox_info info;
    char id[65], uid[65], name[65], ns[65], ip[46], hostname[65];
    bool there;
    struct buf memo;
};
struct fake_container {
    struct rt_container_info info;
    char id[65], sandbox[65], uid[65], name[65], image[200], log[512];
    char env[1024], mounts[1024];
    bool there, ignores_term;
};

struct fake_runtime {
    struct runtime base;
    struct loop *loop;
    bool hold[F_OPS];                            /* requests of this kind wait for fake_release() */
    int fail[F_OPS]; const char *why;            /* this code; NULL: "it fails" */
    uint64_t delay_ms[F_OPS];
    bool ignores_term, no_image; /* of containers made from now on; nothing is on the machine yet */
    int exec_exit;
    unsigned asked[F_OPS];
    int signals[64]; unsigned n_signals; uint64_t signal_ms[64]; char signaled[64][65];
    struct fake_req req[64];
    struct fake_sandbox sb[FAKE_MAX]; unsigned n_sb;
    struct fake_container ct[FAKE_MAX]; unsigned n_ct;
    struct rt_image_info image;
    struct rt_resources pod_limits, pod_meanwhile, limits;   /* of the last resize: the pod's, its first container's */
    unsigned n_resized;                          /* containers of it */
    const char *term_file;
    unsigned n_closes;
};

static struct fake_runtime *fake_of(struct runtime *rt)
{
    return container_of(rt, struct fake_runtime, base);
}

static struct fake_sandbox *fake_sandbox(struct fake_runtime *f, const char *id)
{
    for (unsigned i = 0; i < f->n_sb; i++)
        if (f->sb[i].there && strcmp(f->sb[i].id, id) == 0)
            return &f->sb[i];
    return NULL;
}

static struct fake_container *fake_container(struct fake_runtime *f, const char *id)
{
    for (unsigned i = 0; i < f->n_ct; i++)
        if (f->ct[i].there && strcmp(f->ct[i].id, id) == 0)
            return &f->ct[i];
    return NULL;
}

/* The newest run of a container of that name; NULL. */
__attribute__((unused)) static struct fake_container *fake_run(struct fake_runtime *f, const char *name)
{
    for (unsigned i = f->n_ct; i-- > 0;)
        if (f->ct[i].there && strcmp(f->ct[i].name, name) == 0)
            return &f->ct[i];
    return NULL;
}

static void fake_finish(struct timer *t)
{
    struct fake_req *q = container_of(t, struct fake_req, timer);
    struct rt_req *req = q->req;
    int status = q->status;

    if (status == 0 && q->effect != NULL)
        q->effect(q);
    status = q->status;
    q->used = false;
    req->done(req, status);
}

static void fake_take(struct runtime *rt, enum fake_op op, struct rt_req *req, const char *id, int status,
                      void (*effect)(struct fake_req *q))
{
    struct fake_runtime *f = fake_of(rt);
    struct fake_req *q = f->req;

    while (q->used)
        must(++q < f->req + ARRAY_LEN(f->req));
    *q = (struct fake_req){ .req = req, .status = status, .op = op, .effect = effect, .f = f, .used = true };
    snprintf(q->id, sizeof q->id, "%s", id);
    f->asked[op]++;
    req->err.s[0] = '\0';
    req->impl = q;
    if (status == 0 && f->fail[op] != 0)
        q->status = err_set(&req->err, f->fail[op], "%s", f->why != NULL ? f->why : "it fails");
    timer_init(&q->timer, f->loop, fake_finish);
    if (!f->hold[op])
        timer_start(&q->timer, f->delay_ms[op]);
}

/* What waits goes on; what comes next does not wait any more. */
__attribute__((unused)) static void fake_release(struct fake_runtime *f, enum fake_op op)
{
    f->hold[op] = false;
    for (size_t i = 0; i < ARRAY_LEN(f->req); i++)
        if (f->req[i].used && f->req[i].op == op && !timer_active(&f->req[i].timer))
            timer_start(&f->req[i].timer, 0);
}

/* ---- Sandboxes ------------------------------------------------------------------------------ */

static void fake_sandbox_create(struct runtime *rt, struct rt_sandbox_create *r)
{
    struct fake_runtime *f = fake_of(rt);
    struct fake_sandbox *s = &f->sb[f->n_sb];

    if (f->fail[F_SANDBOX] == 0) {
        must(f->n_sb < FAKE_MAX);
        for (unsigned i = 0; i < f->n_sb; i++)
            must(!f->sb[i].there || strcmp(f->sb[i].uid, r->pod_uid) != 0
                 || f->sb[i].info.attempt != r->attempt);
        f->n_sb++;
        snprintf(s->id, sizeof s->id, "sandbox-%u", f->n_sb);
        snprintf(s->uid, sizeof s->uid, "%s", r->pod_uid);
        snprintf(s->name, sizeof s->name, "%s", r->pod_name);
        snprintf(s->ns, sizeof s->ns, "%s", r->pod_namespace);
        snprintf(s->ip, sizeof s->ip, "10.1.0.%u", f->n_sb);
        snprintf(s->hostname, sizeof s->hostname, "%s", r->hostname);
        buf_str_add(&s->memo, r->memo);
        s->there = true;
        s->info = (struct rt_sandbox_info){ s->id,
                                            s->uid,
                                            s->name,
                                            s->ns,
                                            r->attempt,
                                            true,
                                            r->host_network,
                                            s->ip,
                                            1,
                                            loop_wall_ns(f->loop),
                                            buf_str(&s->memo) };
        snprintf(r->id, sizeof r->id, "%s", s->id);
        snprintf(r->ip, sizeof r->ip, "%s", s->ip);
    }
    fake_take(rt, F_SANDBOX, &r->req, s->id, 0, NULL);
}

static void fake_end(struct fake_runtime *f, struct fake_container *c, int code)
{
    if (c->info.state == RT_EXITED)
        return;
    bool ran = c->info.state == RT_RUNNING;
    c->info.state = RT_EXITED;
    c->info.exit_code = code;
    c->info.finished_ns = loop_wall_ns(f->loop);
    if (ran && f->base.events != NULL)
        f->base.events->on_container_exit(f->base.events_arg, c->id);
}

static void fake_sandbox_stopped(struct fake_req *q)
{
    struct fake_sandbox *s = fake_sandbox(q->f, q->id);

    for (unsigned i = 0; s != NULL && i < q->f->n_ct; i++)
        if (q->f->ct[i].there && strcmp(q->f->ct[i].sandbox, s->id) == 0)
            fake_end(q->f, &q->f->ct[i], 137);
    if (s != NULL)
        s->info.ready = false;
}

static void fake_sandbox_removed(struct fake_req *q)
{
    struct fake_sandbox *s = fake_sandbox(q->f, q->id);

    fake_sandbox_stopped(q);
    for (unsigned i = 0; s != NULL && i < q->f->n_ct; i++)
        if (strcmp(q->f->ct[i].sandbox, s->id) == 0)
            q->f->ct[i].there = false;
    if (s != NULL) {
        buf_release(&s->memo);
        s->there = false;
    }
}

static void fake_sandbox_stop(struct runtime *rt, struct rt_by_id *r)
{
    fake_take(rt, F_SB_STOP, &r->req, r->id, fake_sandbox(fake_of(rt), r->id) != NULL ? 0 : E_NOTFOUND,
              fake_sandbox_stopped);
}

static void fake_sandbox_remove(struct runtime *rt, struct rt_by_id *r)
{
    fake_take(rt, F_SB_REMOVE, &r->req, r->id, 0, fake_sandbox_removed);
}

static const struct rt_sandbox_info *fake_sandbox_get(struct runtime *rt, const char *id)
{
    struct fake_sandbox *s = fake_sandbox(fake_of(rt), id);
    return s != NULL ? &s->info : NULL;
}

static void fake_sandbox_each(struct runtime *rt, void (*fn)(void *arg, const struct rt_sandbox_info *i),
                              void *arg)
{
    for (unsigned i = 0; i < fake_of(rt)->n_sb; i++)
        if (fake_of(rt)->sb[i].there)
            fn(arg, &fake_of(rt)->sb[i].info);
}

/* ---- Containers ----------------------------------------------------------------------------- */

static void fake_note(struct fake_container *c, const struct rt_container_create *r)
{
    size_t at = 0;

    for (size_t i = 0; i < r->n_env && at < sizeof c->env; i++)
        at += (size_t)snprintf(c->env + at, sizeof c->env - at, "%s;", r->env[i]);
    at = 0;
    for (size_t i = 0; i < r->n_mounts && at < sizeof c->mounts; i++)
        at += (size_t)snprintf(c->mounts + at, sizeof c->mounts - at, "%s:%s:%s%s;", r->mounts[i].source,
                               r->mounts[i].dest, r->mounts[i].sub_path != NULL ? r->mounts[i].sub_path : "",
                               r->mounts[i].read_only ? ":ro" : "");
}

static void fake_container_create(struct runtime *rt, struct rt_container_create *r)
{
    struct fake_runtime *f = fake_of(rt);
    struct fake_sandbox *s = fake_sandbox(f, r->sandbox_id);
    struct fake_container *c = &f->ct[f->n_ct];
    int status = s == NULL ? E_NOTFOUND : !s->info.ready ? E_AGAIN : 0;

    if (status == 0 && f->fail[F_CREATE] == 0) {
        must(f->n_ct++ < FAKE_MAX);
        *c = (struct fake_container){ .there = true, .ignores_term = f->ignores_term };
        snprintf(c->id, sizeof c->id, "ct-%u", f->n_ct);
        snprintf(c->sandbox, sizeof c->sandbox, "%s", s->id);
        memcpy(c->uid, s->uid, sizeof c->uid);
        snprintf(c->name, sizeof c->name, "%s", r->name);
        snprintf(c->image, sizeof c->image, "%s", r->image);
        snprintf(c->log, sizeof c->log, "%s", r->log_path);
        fake_note(c, r);
        c->info = (struct rt_container_info){ .id = c->id,
                                              .sandbox_id = c->sandbox,
                                              .pod_uid = c->uid,
                                              .name = c->name,
                                              .attempt = r->attempt,
                                              .image = c->image,
                                              .image_id = "sha256:abc",
                                              .state = RT_CREATED,
                                              .created_ns = loop_wall_ns(f->loop),
                                              .log_path = c->log,
                                              .termination_file = f->term_file };
        snprintf(r->id, sizeof r->id, "%s", c->id);
    }
    fake_take(rt, F_CREATE, &r->req, c->id, status, NULL);
}

static void fake_started(struct fake_req *q)
{
    struct fake_container *c = fake_container(q->f, q->id);

    if (c == NULL || c->info.state != RT_CREATED) {
        q->status = E_AGAIN;
        return;
    }
    c->info.state = RT_RUNNING;
    c->info.pid = 1000;
    c->info.started_ns = loop_wall_ns(q->f->loop);
}

static void fake_container_start(struct runtime *rt, struct rt_by_id *r)
{
    fake_take(rt, F_START, &r->req, r->id, 0, fake_started);
}

static void fake_killed(struct fake_req *q)
{
    struct fake_container *c = fake_container(q->f, q->id);
    int signum = container_of(q->req, struct rt_kill, req)->signum;

    if (c != NULL && c->info.state != RT_EXITED && (signum == 9 || !c->ignores_term))
        fake_end(q->f, c, 128 + signum);
}

static void fake_container_kill(struct runtime *rt, struct rt_kill *r)
{
    struct fake_runtime *f = fake_of(rt);
    struct fake_container *c = fake_container(f, r->id);

    if (f->n_signals < ARRAY_LEN(f->signals)) {
        snprintf(f->signaled[f->n_signals], 65, "%s", c != NULL ? c->name : "?");
        f->signal_ms[f->n_signals] = loop_now_ms(f->loop);
        f->signals[f->n_signals++] = r->signum;
    }
    fake_take(rt, F_KILL, &r->req, r->id, 0, fake_killed);
}

static void fake_removed(struct fake_req *q)
{
    struct fake_container *c = fake_container(q->f, q->id);

    must(c == NULL || c->info.state != RT_RUNNING);
    if (c != NULL)
        c->there = false;
}

static void fake_container_remove(struct runtime *rt, struct rt_by_id *r)
{
    fake_take(rt, F_REMOVE, &r->req, r->id, 0, fake_removed);
}

static const struct rt_container_info *fake_container_get(struct runtime *rt, const char *id)
{
    struct fake_container *c = fake_container(fake_of(rt), id);
    return c != NULL ? &c->info : NULL;
}

static void fake_container_each(struct runtime *rt, void (*fn)(void *arg, const struct rt_container_info *i),
                                void *arg)
{
    for (unsigned i = 0; i < fake_of(rt)->n_ct; i++)
        if (fake_of(rt)->ct[i].there)
            fn(arg, &fake_of(rt)->ct[i].info);
}

static int fake_reopen_log(struct runtime *rt, const char *id, struct errbuf *err) { return 0; }

/* ---- The rest ------------------------------------------------------------------------------- */

static void fake_image_ensure(struct runtime *rt, struct rt_image_ensure *r)
{
    snprintf(r->id, sizeof r->id, "sha256:abc");
    fake_take(rt, F_IMAGE, &r->req, r->ref, 0, NULL);
}

static const struct rt_image_info *fake_image_get(struct runtime *rt, const char *ref)
{
    struct fake_runtime *f = fake_of(rt);

    f->image = (struct rt_image_info){ .id = "sha256:abc", .user = "", .cwd = "", .stop_signal = "" };
    return f->no_image ? NULL : &f->image;
}

static void fake_image_each(struct runtime *rt, void (*fn)(void *arg, const struct rt_image_info *i),
                            void *arg)
{
}
static void fake_exec_done(struct fake_req *q)
{
    container_of(q->req, struct rt_session, req)->exit_code = q->f->exec_exit;
}
static void fake_session_open(struct runtime *rt, struct rt_session *s)
{
    fake_take(rt, F_EXEC, &s->req, s->container_id, 0, fake_exec_done);
}

/* Held or slow: it ends at once. */
static void fake_session_cancel(struct rt_session *s)
{
    struct fake_req *q = s->req.impl;

    q->status = E_CANCELED;
    timer_start(&q->timer, 0);
}

static void fake_close(struct runtime *rt, void (*done)(void *arg), void *arg)
{
    struct fake_runtime *f = fake_of(rt);

    f->n_closes++;
    for (size_t i = 0; i < ARRAY_LEN(f->req);
         i++) /* what was asked for does not come back into a freed agent */
        if (f->req[i].used) {
            timer_stop(&f->req[i].timer);
            f->req[i].status = E_CLOSED;
            fake_finish(&f->req[i].timer);
        }
    f->base.events = NULL;
    done(arg);
}

static const char *fake_version(struct runtime *rt) { return "fake://1"; }
static int fake_set_pod_cidr(struct runtime *rt, const char *cidr, struct errbuf *err) { return 0; }

static void fake_resize(struct runtime *rt, struct rt_resize *r)
{
    struct fake_runtime *f = fake_of(rt);

    f->pod_limits = r->pod;
    f->pod_meanwhile = r->pod_meanwhile;
    f->n_resized = (unsigned)r->n_containers;
    f->limits = r->n_containers > 0 ? r->containers[0].resources : (struct rt_resources){ 0 };
    fake_take(rt, F_RESIZE, &r->req, r->sandbox_id, 0, NULL);
}

static const struct runtime_ops fake_ops = {
    .resize = fake_resize,
    .close = fake_close,
    .set_pod_cidr = fake_set_pod_cidr,
    .sandbox_create = fake_sandbox_create,
    .sandbox_stop = fake_sandbox_stop,
    .sandbox_remove = fake_sandbox_remove,
    .sandbox_get = fake_sandbox_get,
    .sandbox_each = fake_sandbox_each,
    .container_create = fake_container_create,
    .container_start = fake_container_start,
    .container_kill = fake_container_kill,
    .container_remove = fake_container_remove,
    .container_get = fake_container_get,
    .container_each = fake_container_each,
    .container_reopen_log = fake_reopen_log,
    .session_open = fake_session_open,
    .session_cancel = fake_session_cancel,
    .image_ensure = fake_image_ensure,
    .image_get = fake_image_get,
    .image_each = fake_image_each,
    .version = fake_version,
};

#endif
