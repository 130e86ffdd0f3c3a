/* node/runtime_hollow.c: containers that are nothing but their records; see node/runtime_hollow.h.
 *
 * Every request is judged when it is made and answered from the loop by one small op; a start takes effect
 * only then (start_ms may lie in between).  Every operation costs a look-up in a map, however many pods there
 * are.
 *
 *     CREATED --start--> RUNNING --kill, or its sandbox stopped--> EXITED, told by on_container_exit from the loop */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include "net/map.h"
#include "net/tls.h"
#include "node/routes.h"
#include "node/runtime_hollow.h"

enum { ID_MAX = 33 };                            /* 32 hexadecimal digits */

struct hollow {
    struct runtime base;
    struct loop *loop;
    uint64_t start_ms;
    struct map sandboxes, containers;            /* by id */
    struct qlink ops; size_t n_ops;              /* requests not answered yet */
    uint32_t ip_first, ip_last, ip_next;         /* next: the lowest address never given out; past last: none is left */
    uint32_t *freed; size_t n_freed, freed_at, cap_freed;     /* ring of addresses given back, oldest first */
    struct rt_image_info image; char image_id[80], image_ref[512]; const char *image_refs[1];      /* of the last image_get */
    struct ready_item closing;
    void (*closed)(void *arg); void *closed_arg;
    bool is_closing;
};

struct hsandbox {
    char id[ID_MAX], ip[16];
    uint32_t addr;                               /* 0: none */
    struct rt_sandbox_info info;
    struct qlink containers;
    char text[];                                 /* uid, name, namespace, memo */
};

struct hcontainer {
    struct hollow *h;
    char id[ID_MAX];
    struct hsandbox *sandbox;
    struct qlink link;
    struct rt_container_info info;
    struct ready_item exit;                      /* posted: its end is on its way */
    int exit_code;                               /* to be, once exit is delivered */
    char image_id[80];
    char text[];                                 /* name, image, log path, memo */
};

struct op {
    struct hollow *h;
    struct qlink link;
    struct ready_item ready;
    struct timer timer;                          /* a start that takes its time */
    struct rt_req *req;
    int status;
    char start_id[ID_MAX];                       /* container to start when the op is answered; "": none */
};

static struct hollow *hollow(struct runtime *rt) { return container_of(rt, struct hollow, base); }
static struct hsandbox *sandbox_find(struct hollow *h, const char *id)
{
    return map_get(&h->sandboxes, str_of(id));
}
static struct hcontainer *container_find(struct hollow *h, const char *id)
{
    return map_get(&h->containers, str_of(id));
}

/* ---- answering -------------------------------------------------------------------------------- */

static int container_run(struct op *op)
{
    struct hcontainer *c = container_find(op->h, op->start_id);

    if (c == NULL)
        return err_set(&op->req->err, E_NOTFOUND, "no container %s", op->start_id);
    if (c->info.state != RT_CREATED || qlinked(&c->exit.link))
        return err_set(&op->req->err, E_AGAIN, "container %s has been started before", op->start_id);
    c->info.state = RT_RUNNING;
    c->info.started_ns = loop_wall_ns(op->h->loop);
    return 0;
}

static void op_on_ready(struct ready_item *it)
{
    struct op *op = container_of(it, struct op, ready);
    struct rt_req *req = op->req;
    int status = op->status;

    if (status == 0 && op->start_id[0] != '\0')
        status = container_run(op);
    op->h->n_ops--;
    qdel(&op->link);
    mem_free(op);
    req->impl = NULL;
    req->done(req, status);
}

static void op_on_timer(struct timer *t)
{
    struct op *op = container_of(t, struct op, timer);
    ready_post(op->h->loop, &op->ready);
}

static struct op *op_new(struct hollow *h, struct rt_req *req, int status)
{
    struct op *op = mem_new(struct op);

    op->h = h;
    op->req = req;
    op->status = status;
    if (status == 0)
        req->err.s[0] = '\0';
    if (h->is_closing)
        op->status = err_set(&req->err, E_CLOSED, "the runtime is being closed");
    req->impl = op;
    qinit(&op->link);
    qpush(&h->ops, &op->link);
    h->n_ops++;
    ready_init(&op->ready, op_on_ready);
    timer_init(&op->timer, h->loop, op_on_timer);
    return op;
}

static void answer(struct hollow *h, struct rt_req *req, int status)
{
    ready_post(h->loop, &op_new(h, req, status)->ready);
}

static void make_id(struct hollow *h, char id[ID_MAX])
{
    snprintf(id, ID_MAX, "%016llx%016llx", (unsigned long long)loop_random_u64(h->loop),
             (unsigned long long)loop_random_u64(h->loop));
}

/* Copy a string into the text behind a record. */
static const char *put_text(char **at, struct str s)
{
    char *p = *at;

    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    *at += s.n + 1;
    return p;
}

static size_t text_size(const char *z) { return z != NULL ? strlen(z) + 1 : 1; }

/* ---- addresses -------------------------------------------------------------------------------- */

/* Network, gateway and broadcast addresses are nobody's; a range too small for that is given out whole. */
static void range_set(struct hollow *h, struct ip4_net net)
{
    uint64_t size = (uint64_t)1 << (32 - net.bits);

    uint32_t first = net.addr + (size > 4 ? 2 : 0), last = (uint32_t)(net.addr + size - (size > 4 ? 2 : 1));

    if (h->ip_first == first && h->ip_last == last)
        return;                                  /* the same again: its addresses may be in use */
    h->ip_first = h->ip_next = first;
    h->ip_last = last;
    h->n_freed = h->freed_at = 0;
}

static int hollow_set_pod_cidr(struct runtime *rt, const char *cidr, struct errbuf *err)
{
    struct ip4_net net;
    int rc = ip4_net_parse(cidr, &net, err);

    if (rc == 0)
        range_set(hollow(rt), net);
    return rc;
}

/* 0: none is left. */
static uint32_t addr_take(struct hollow *h)
{
    if (h->ip_next <= h->ip_last && h->ip_next >= h->ip_first)
        return h->ip_next++;
    if (h->n_freed == 0)
        return 0;
    uint32_t a = h->freed[h->freed_at];
    h->freed_at = (h->freed_at + 1) % h->cap_freed;
    h->n_freed--;
    return a;
}

static void addr_give(struct hollow *h, uint32_t a)
{
    if (a < h->ip_first || a > h->ip_last)       /* none, or of a range from before */
        return;
    if (h->n_freed == h->cap_freed) {
        size_t cap = h->cap_freed > 0 ? 2 * h->cap_freed : 8;
        uint32_t *v = mem_alloc(cap * sizeof *v);
        for (size_t i = 0; i < h->n_freed; i++)
            v[i] = h->freed[(h->freed_at + i) % h->cap_freed];
        mem_free(h->freed);
        h->freed = v;
        h->freed_at = 0;
        h->cap_freed = cap;
    }
    h->freed[(h->freed_at + h->n_freed++) % h->cap_freed] = a;
}

/* ---- ends of containers ----------------------------------------------------------------------- */

static void container_on_exit(struct ready_item *it)
{
    struct hcontainer *c = container_of(it, struct hcontainer, exit);
    struct hollow *h = c->h;

    c->info.state = RT_EXITED;
    c->info.exit_code = c->exit_code;
    c->info.finished_ns = loop_wall_ns(h->loop);
    if (h->base.events != NULL)
        h->base.events->on_container_exit(h->base.events_arg, c->id);
}

static void container_end(struct hcontainer *c, int exit_code)
{
    if (c->info.state == RT_EXITED || qlinked(&c->exit.link))
        return;
    c->exit_code = exit_code;
    ready_post(c->h->loop, &c->exit);
}

static void container_free(struct hcontainer *c)
{
    ready_cancel(&c->exit);
    map_del(&c->h->containers, str_of(c->id));
    qdel(&c->link);
    mem_free(c);
}

/* ---- sandboxes -------------------------------------------------------------------------------- */

static void sandbox_give_addr(struct hollow *h, struct hsandbox *s)
{
    addr_give(h, s->addr);
    s->addr = 0;
}

static void sandbox_free(struct hollow *h, struct hsandbox *s)
{
    while (!qempty(&s->containers))
        container_free(qentry(qfirst(&s->containers), struct hcontainer, link));
    sandbox_give_addr(h, s);
    map_del(&h->sandboxes, str_of(s->id));
    mem_free(s);
}

static struct hsandbox *sandbox_new(struct hollow *h, const struct rt_sandbox_create *r)
{
    size_t n = text_size(r->pod_uid) + text_size(r->pod_name) + text_size(r->pod_namespace) + r->memo.n + 1;
    struct hsandbox *s = mem_zalloc(sizeof *s + n);
    char *at = s->text;

    make_id(h, s->id);
    qinit(&s->containers);
    s->info = (struct rt_sandbox_info){
        .id = s->id,
        .ip = s->ip,
        .attempt = r->attempt,
        .ready = true,
        .host_network = r->host_network,
        .created_ns = loop_wall_ns(h->loop),
        .pod_uid = put_text(&at, str_of(r->pod_uid)),
        .pod_name = put_text(&at, str_of(r->pod_name)),
        .pod_namespace = put_text(&at, str_of(r->pod_namespace)),
    };
    s->info.memo = str_make(put_text(&at, r->memo), r->memo.n);
    must(at == s->text + n);
    map_put(&h->sandboxes, str_of(s->id), s);
    return s;
}

static void hollow_sandbox_create(struct runtime *rt, struct rt_sandbox_create *r)
{
    struct hollow *h = hollow(rt);
    uint32_t addr = 0;

    if (h->is_closing || (!r->host_network && (addr = addr_take(h)) == 0)) {
        answer(h, &r->req, err_set(&r->req.err, E_FULL, "no free address is left for pods"));
        return;
    }
    struct hsandbox *s = sandbox_new(h, r);
    if (addr != 0) {
        struct in_addr in = { htonl(addr) };
        inet_ntop(AF_INET, &in, s->ip, sizeof s->ip);
        s->addr = addr;
    }
    snprintf(r->id, sizeof r->id, "%s", s->id);
    snprintf(r->ip, sizeof r->ip, "%s", s->ip);
    answer(h, &r->req, 0);
}

static void hollow_sandbox_stop(struct runtime *rt, struct rt_by_id *r)
{
    struct hollow *h = hollow(rt);
    struct hsandbox *s = sandbox_find(h, r->id);

    if (s == NULL) {
        answer(h, &r->req, err_set(&r->req.err, E_NOTFOUND, "no sandbox %s", r->id));
        return;
    }
    qeach(&s->containers, it, tmp)
        container_end(qentry(it, struct hcontainer, link), 128 + SIGKILL);
    s->info.ready = false;
    sandbox_give_addr(h, s);
    answer(h, &r->req, 0);
}

static void hollow_sandbox_remove(struct runtime *rt, struct rt_by_id *r)
{
    struct hollow *h = hollow(rt);
    struct hsandbox *s = sandbox_find(h, r->id);

    if (s != NULL && !h->is_closing)
        sandbox_free(h, s);
    answer(h, &r->req, 0);
}

static const struct rt_sandbox_info *hollow_sandbox_get(struct runtime *rt, const char *id)
{
    const struct hsandbox *s = sandbox_find(hollow(rt), id);
    return s != NULL ? &s->info : NULL;
}

static void hollow_sandbox_each(struct runtime *rt, void (*fn)(void *arg, const struct rt_sandbox_info *i),
                                void *arg)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&hollow(rt)->sandboxes, &i, &key, &val);)
        fn(arg, &((struct hsandbox *)val)->info);
}

static void remove_all(struct hollow *h)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&h->sandboxes, &i, &key, &val);)
        sandbox_free(h, val);
}

static void hollow_purge(struct runtime *rt, struct rt_req *r)
{
    remove_all(hollow(rt));
    answer(hollow(rt), r, 0);
}

/* ---- images ----------------------------------------------------------------------------------- */

/* Every name is an image; its id is made of the name, the same on every node. */
static void image_id(const char *ref, char ret[80])
{
    unsigned char sum[32];
    size_t at;

    if (str_starts(str_of(ref), STR("sha256:"))) {
        snprintf(ret, 80, "%s", ref);
        return;
    }
    pki_sha256(str_of(ref), sum);
    at = (size_t)snprintf(ret, 80, "sha256:");
    for (size_t i = 0; i < sizeof sum; i++)
        at += (size_t)snprintf(ret + at, 80 - at, "%02x", sum[i]);
}

static void hollow_image_ensure(struct runtime *rt, struct rt_image_ensure *r)
{
    image_id(r->ref, r->id);
    answer(hollow(rt), &r->req, 0);
}

static void hollow_image_import(struct runtime *rt, struct rt_image_import *r)
{
    r->n_images = 0;
    answer(hollow(rt), &r->req, 0);
}

static void hollow_image_remove(struct runtime *rt, struct rt_by_id *r) { answer(hollow(rt), &r->req, 0); }

static const struct rt_image_info *hollow_image_get(struct runtime *rt, const char *ref_or_id)
{
    struct hollow *h = hollow(rt);

    image_id(ref_or_id, h->image_id);
    snprintf(h->image_ref, sizeof h->image_ref, "%s", ref_or_id);
    h->image_refs[0] = h->image_ref;
    h->image = (struct rt_image_info){
        .id = h->image_id, .refs = h->image_refs, .n_refs = 1, .user = "", .cwd = "", .stop_signal = ""
    };
    return &h->image;
}

/* None is stored, so none is listed. */
static void hollow_image_each(struct runtime *rt, void (*fn)(void *arg, const struct rt_image_info *i),
                              void *arg)
{
}

/* ---- containers ------------------------------------------------------------------------------- */

static struct hcontainer *container_new(struct hollow *h, struct hsandbox *s,
                                        const struct rt_container_create *r)
{
    size_t n = text_size(r->name) + text_size(r->image) + text_size(r->log_path) + r->memo.n + 1;
    struct hcontainer *c = mem_zalloc(sizeof *c + n);
    char *at = c->text;

    c->h = h;
    c->sandbox = s;
    make_id(h, c->id);
    image_id(r->image, c->image_id);
    qinit(&c->link);
    qpush(&s->containers, &c->link);
    ready_init(&c->exit, container_on_exit);
    c->info = (struct rt_container_info){
        .id = c->id,
        .sandbox_id = s->id,
        .pod_uid = s->info.pod_uid,
        .attempt = r->attempt,
        .image_id = c->image_id,
        .state = RT_CREATED,
        .created_ns = loop_wall_ns(h->loop),
        .name = put_text(&at, str_of(r->name)),
        .image = put_text(&at, str_of(r->image)),
    };
    const char *log = put_text(&at, str_of(r->log_path));
    c->info.log_path = r->log_path != NULL ? log : NULL;
    c->info.memo = str_make(put_text(&at, r->memo), r->memo.n);
    must(at == c->text + n);
    map_put(&h->containers, str_of(c->id), c);
    return c;
}

static void hollow_container_create(struct runtime *rt, struct rt_container_create *r)
{
    struct hollow *h = hollow(rt);
    struct hsandbox *s = sandbox_find(h, r->sandbox_id);
    int rc = 0;

    if (s == NULL)
        rc = err_set(&r->req.err, E_NOTFOUND, "no sandbox %s", r->sandbox_id);
    else if (!s->info.ready)
        rc = err_set(&r->req.err, E_AGAIN, "sandbox %s is not running", r->sandbox_id);
    else if (!h->is_closing)
        snprintf(r->id, sizeof r->id, "%s", container_new(h, s, r)->id);
    answer(h, &r->req, rc);
}

static void hollow_container_start(struct runtime *rt, struct rt_by_id *r)
{
    struct hollow *h = hollow(rt);
    struct op *op;
    int rc = 0;

    if (container_find(h, r->id) == NULL)
        rc = err_set(&r->req.err, E_NOTFOUND, "no container %s", r->id);
    op = op_new(h, &r->req, rc);
    if (op->status == 0)
        snprintf(op->start_id, sizeof op->start_id, "%s", r->id);
    if (op->status == 0 && h->start_ms > 0)
        timer_start(&op->timer, h->start_ms);
    else
        ready_post(h->loop, &op->ready);
}

/* Asked to end, it ends well; what cannot be refused ends it as it would a process; 0 asks if it is there. */
static void hollow_container_kill(struct runtime *rt, struct rt_kill *r)
{
    struct hollow *h = hollow(rt);
    struct hcontainer *c = container_find(h, r->id);

    if (c == NULL) {
        answer(h, &r->req, err_set(&r->req.err, E_NOTFOUND, "no container %s", r->id));
        return;
    }
    answer(h, &r->req, 0);
    if (r->signum != 0)
        container_end(c, r->signum == SIGTERM ? 0 : 128 + r->signum);
}

static void hollow_container_remove(struct runtime *rt, struct rt_by_id *r)
{
    struct hollow *h = hollow(rt);
    struct hcontainer *c = container_find(h, r->id);
    int rc = 0;

    if (c != NULL && c->info.state == RT_RUNNING)
        rc = err_set(&r->req.err, E_CONFLICT, "container %s is running", r->id);
    else if (c != NULL && !h->is_closing)
        container_free(c);
    answer(h, &r->req, rc);
}

static const struct rt_container_info *hollow_container_get(struct runtime *rt, const char *id)
{
    const struct hcontainer *c = container_find(hollow(rt), id);
    return c != NULL ? &c->info : NULL;
}

static void hollow_container_each(struct runtime *rt,
                                  void (*fn)(void *arg, const struct rt_container_info *i), void *arg)
{
    struct str key;
    void *val;

    for (size_t i = 0; map_next(&hollow(rt)->containers, &i, &key, &val);)
        fn(arg, &((struct hcontainer *)val)->info);
}

static int hollow_reopen_log(struct runtime *rt, const char *id, struct errbuf *err)
{
    return container_find(hollow(rt), id) != NULL ? 0 : err_set(err, E_NOTFOUND, "no container %s", id);
}

static void hollow_stats(struct runtime *rt, struct rt_stats_get *r)
{
    struct hollow *h = hollow(rt);
    bool known = container_find(h, r->id) != NULL || sandbox_find(h, r->id) != NULL;

    r->cpu_ns = r->memory_bytes = r->working_set_bytes = r->pids = 0;
    answer(h, &r->req, known ? 0 : err_set(&r->req.err, E_NOTFOUND, "no container or sandbox %s", r->id));
}

static void hollow_resize(struct runtime *rt, struct rt_resize *r)
{
    struct hollow *h = hollow(rt);
    bool known = sandbox_find(h, r->sandbox_id) != NULL;

    answer(h, &r->req, known ? 0 : err_set(&r->req.err, E_NOTFOUND, "no sandbox %s", r->sandbox_id));
}

/* ---- sessions: whatever is run succeeds and says nothing ---------------------------------------- */

static void hollow_session_open(struct runtime *rt, struct rt_session *s)
{
    struct hollow *h = hollow(rt);
    const struct hcontainer *c = container_find(h, s->container_id);
    int rc = 0;

    s->exit_code = 0;
    if (c == NULL)
        rc = err_set(&s->req.err, E_NOTFOUND, "no container %s", s->container_id);
    else if (c->info.state != RT_RUNNING)
        rc = err_set(&s->req.err, E_AGAIN, "container %s is not running", s->container_id);
    answer(h, &s->req, rc);
}

static void hollow_session_write(struct rt_session *s, const char *p, size_t n) { }
static void hollow_session_eof(struct rt_session *s) { }
static void hollow_session_resize(struct rt_session *s, uint16_t cols, uint16_t rows) { }
static void hollow_session_pause(struct rt_session *s, bool pause) { }
static size_t hollow_session_queued(const struct rt_session *s) { return 0; }

static void hollow_session_cancel(struct rt_session *s)
{
    struct op *op = s->req.impl;

    if (op != NULL && op->status == 0)
        op->status = err_set(&s->req.err, E_CANCELED, "the session was ended");
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void hollow_on_closing(struct ready_item *it)
{
    struct hollow *h = container_of(it, struct hollow, closing);
    void (*closed)(void *) = h->closed;
    void *arg = h->closed_arg;

    if (h->n_ops > 0) {                          /* all of them wait for this or the next turn */
        ready_post(h->loop, it);
        return;
    }
    remove_all(h);
    map_release(&h->sandboxes);
    map_release(&h->containers);
    mem_free(h->freed);
    mem_free(h);
    closed(arg);
}

static void hollow_close(struct runtime *rt, void (*done)(void *arg), void *arg)
{
    struct hollow *h = hollow(rt);

    must(!h->is_closing);
    h->is_closing = true;
    h->closed = done;
    h->closed_arg = arg;
    qeach(&h->ops, it, tmp) {
        struct op *op = qentry(it, struct op, link);
        if (timer_active(&op->timer)) {
            timer_stop(&op->timer);
            op->status = err_set(&op->req->err, E_CLOSED, "the runtime is being closed");
            ready_post(h->loop, &op->ready);
        }
    }
    ready_post(h->loop, &h->closing);
}

static const char *hollow_version(struct runtime *rt) { return "hollow://0.1.0"; }

static const struct runtime_ops hollow_ops = {
    .close = hollow_close,
    .purge = hollow_purge,
    .set_pod_cidr = hollow_set_pod_cidr,
    .sandbox_create = hollow_sandbox_create,
    .sandbox_stop = hollow_sandbox_stop,
    .sandbox_remove = hollow_sandbox_remove,
    .sandbox_get = hollow_sandbox_get,
    .sandbox_each = hollow_sandbox_each,
    .container_create = hollow_container_create,
    .container_start = hollow_container_start,
    .container_kill = hollow_container_kill,
    .container_remove = hollow_container_remove,
    .container_get = hollow_container_get,
    .container_each = hollow_container_each,
    .container_reopen_log = hollow_reopen_log,
    .stats = hollow_stats,
    .resize = hollow_resize,
    .session_open = hollow_session_open,
    .session_write = hollow_session_write,
    .session_eof = hollow_session_eof,
    .session_resize = hollow_session_resize,
    .session_pause = hollow_session_pause,
    .session_queued = hollow_session_queued,
    .session_cancel = hollow_session_cancel,
    .image_ensure = hollow_image_ensure,
    .image_import = hollow_image_import,
    .image_remove = hollow_image_remove,
    .image_get = hollow_image_get,
    .image_each = hollow_image_each,
    .version = hollow_version,
};

struct runtime *runtime_hollow_new(const struct runtime_hollow_opts *o)
{
    struct hollow *h = mem_new(struct hollow);

    h->base.ops = &hollow_ops;
    h->loop = o->loop;
    h->start_ms = o->start_ms;
    qinit(&h->ops);
    ready_init(&h->closing, hollow_on_closing);
    /* Without a range of its own: some 64 thousand addresses anywhere in the loopback network, so that nodes
     * of one process hardly ever share one. */
    range_set(h, (struct ip4_net){ 0x7f000000u | (uint32_t)(loop_random_u64(o->loop) % 254 + 1) << 16, 16 });
    return &h->base;
}
