/* node/agent.c: the agent: opens the runtime, finds what runs already, and gives every pod bound to this node
 * its machine. */
#include <sys/statvfs.h>
#include <unistd.h>
#include "net/http_server.h"
#include "net/log.h"
#include "node/files.h"
#include "node/node_report.h"
#include "node/log_keeper.h"
#include "node/pod.h"
#include "node/pod_dir.h"
#include "node/runtime_hollow.h"
#include "node/runtime_oci.h"
#include "node/server.h"

#define DEFAULT_MAX_PODS 110
#define DEFAULT_PORT     10250

/* ---- Pods ----------------------------------------------------------------------------------- */

struct pod *agent_pod(struct agent *a, struct str ns, struct str name)
{
    struct object *o = a->pod_informer != NULL ? informer_get(a->pod_informer, ns, name) : NULL;
    return o != NULL ? map_get(&a->pods, o->uid) : NULL;
}

void agent_drop_pod(struct agent *a, struct pod *p)
{
    map_del(&a->pods, str_of(p->uid));
    pod_free(p);
}

static void agent_on_pod(void *arg, enum informer_change what, struct object *old, struct object *new_,
                         struct json *json)
{
    struct agent *a = arg;
    const struct object *o = new_ != NULL ? new_ : old;
    struct pod *p = map_get(&a->pods, o->uid);

    if (what == INFORMER_DELETE) {
        if (p != NULL)
            pod_forget(p);
        return;
    }
    if (old != NULL && !str_eq(old->uid, new_->uid)) { /* deleted and made anew under the same name */
        struct pod *before = map_get(&a->pods, old->uid);
        if (before != NULL)
            pod_forget(before);
    }
    if (p == NULL) {
        struct arena t = ARENA_INIT;
        p = pod_new(a, arena_cstr(&t, new_->uid), new_, json);
        map_put(&a->pods, new_->uid, p);
        arena_release(&t);
    } else {
        p->wanted = true;
        pod_update(p, new_, json);
    }
}

/* ---- What ran before this agent did --------------------------------------------------------- */

static void adopt_sandbox(void *arg, const struct rt_sandbox_info *i)
{
    struct agent *a = arg;
    struct pod *p = map_get(&a->pods, str_of(i->pod_uid));
    struct arena arena = ARENA_INIT;
    struct json_error err;
    struct json *j;

    if (p == NULL) {                             /* the API has forgotten it: stop it as its object says */
        if (i->memo.n == 0 || json_parse(&arena, i->memo, &j, &err) != 0) {
            j = json_object(&arena);
            json_setz(&arena, json_make_path(&arena, j, "metadata"), "uid",
                      json_string(&arena, str_of(i->pod_uid)));
            json_setz(&arena, json_make_path(&arena, j, "metadata"), "name",
                      json_string(&arena, str_of(i->pod_name)));
            json_setz(&arena, json_make_path(&arena, j, "metadata"), "namespace",
                      json_string(&arena, str_of(i->pod_namespace)));
        }
        p = pod_new(a, i->pod_uid, NULL, j);
        map_put(&a->pods, str_of(i->pod_uid), p);
        pod_forget(p);
    }
    pod_adopt_sandbox(p, i);
    arena_release(&arena);
}

static void adopt_container(void *arg, const struct rt_container_info *i)
{
    struct agent *a = arg;
    struct pod *p = map_get(&a->pods, str_of(i->pod_uid));

    if (p != NULL)
        pod_adopt_container(p, i);
}

/* The first list is complete: only now is it known which of the running pods are still wanted. The pods'
 * ticks come after this, from the loop. */
static void agent_on_synced(void *arg)
{
    struct agent *a = arg;
    struct str uid;
    void *p;

    a->rt->ops->sandbox_each(a->rt, adopt_sandbox, a);
    a->rt->ops->container_each(a->rt, adopt_container, a);
    for (size_t it = 0; map_next(&a->pods, &it, &uid, &p);)
        pod_adopted(p);
    a->synced = true;
    for (size_t it = 0; map_next(&a->pods, &it, &uid, &p);) {
        struct pod *pod = p;
        if (pod->recovered)
            pod_report(pod);
    }
    pod_dir_sweep(a);
}

static void agent_on_container_exit(void *arg, const char *id)
{
    struct agent *a = arg;
    const struct rt_container_info *i = a->rt->ops->container_get(a->rt, id);
    struct pod *p = i != NULL ? map_get(&a->pods, str_of(i->pod_uid)) : NULL;

    if (p != NULL)
        pod_on_container_exit(p, id);
}

static void agent_on_sandbox_death(void *arg, const char *id)
{
    struct agent *a = arg;
    const struct rt_sandbox_info *i = a->rt->ops->sandbox_get(a->rt, id);
    struct pod *p = i != NULL ? map_get(&a->pods, str_of(i->pod_uid)) : NULL;

    if (p != NULL)
        pod_on_sandbox_death(p, id);
}

static const struct runtime_events agent_runtime_events = { agent_on_container_exit, agent_on_sandbox_death };

/* ---- Images --------------------------------------------------------------------------------- */

static void watch_pods(struct agent *a);

/* One after the other; pods are looked at when all are in. */
struct imports { struct agent *a; char **path; size_t n, at; struct rt_image_import r; };

static void imports_next(struct imports *x);

static void on_imported(struct rt_req *r, int status)
{
    struct imports *x = container_of(container_of(r, struct rt_image_import, req), struct imports, r);

    if (status != 0)
        log_warn("node", "cannot import %s: %s", x->path[x->at], r->err.s);
    else
        log_info("node", "imported %s: %u images", x->path[x->at], x->r.n_images);
    x->at++;
    imports_next(x);
}

static void imports_next(struct imports *x)
{
    struct agent *a = x->a;

    if (x->at < x->n && !a->closing) {
        x->r = (struct rt_image_import){ .req = { .done = on_imported }, .path = x->path[x->at] };
        a->rt->ops->image_import(a->rt, &x->r);
        return;
    }
    for (size_t i = 0; i < x->n; i++)
        mem_free(x->path[i]);
    mem_free(x->path);
    mem_free(x);
    a->images_ready = true;
    if (a->closing)
        return;
    if (a->report != NULL)
        node_report_changed(a->report);
    watch_pods(a);
}

struct listing { struct imports *x; const char *dir; };

static int add_import(void *arg, const char *name)
{
    struct listing *l = arg;
    struct file_path p;

    if (name[0] == '.' || str_ends(str_of(name), STR(".tmp"))
        || file_path(&p, NULL, "%s/%s", l->dir, name) != 0)
        return 0;
    l->x->path = mem_realloc(l->x->path, (l->x->n + 1) * sizeof(char *));
    l->x->path[l->x->n++] = mem_strdup(p.s);
    return 0;
}

static void import_images(struct agent *a, const char *dir)
{
    struct imports *x = mem_new(struct imports);
    struct listing l = { x, dir };
    struct errbuf err = { "" };

    x->a = a;
    if (dir != NULL && !a->hollow && file_each(dir, add_import, &l, &err) != 0)
        log_warn("node", "images: %s", err.s);
    imports_next(x);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void watch_pods(struct agent *a)
{
    struct buf q = BUF_INIT;
    struct informer_opts o = { .client = a->client,
                               .res = CLIENT_PODS,
                               .on_change = agent_on_pod,
                               .on_synced = agent_on_synced,
                               .arg = a };

    buf_z(&q, "fieldSelector=spec.nodeName%3D");
    http_escape(&q, str_of(a->name));
    o.query = buf_str(&q);
    a->pod_informer = informer_start(&o);
    buf_release(&q);
}

static void read_machine(struct agent *a)
{
    struct statvfs fs;

    if (a->cpu_millis == 0)
        a->cpu_millis = sysconf(_SC_NPROCESSORS_ONLN) * 1000;
    if (a->memory_bytes == 0)
        a->memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    a->storage_bytes = statvfs(a->root_dir, &fs) == 0 ? (int64_t)(fs.f_blocks * fs.f_frsize) : 100ll << 30;
}

static char **copy_labels(const char *const *labels)
{
    size_t n = 0;
    char **v;

    while (labels != NULL && labels[n] != NULL)
        n++;
    v = mem_zalloc((n + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = mem_strdup(labels[i]);
    return v;
}

static char *copy(const char *z) { return z != NULL ? mem_strdup(z) : NULL; }

static void agent_init(struct agent *a, const struct agent_opts *o)
{
    a->loop = o->loop;
    a->client = o->client;
    a->name = mem_strdup(o->name);
    a->root_dir = mem_strdup(o->root_dir);
    a->run_dir = mem_strdup(o->run_dir);
    a->node_ip = mem_strdup(o->node_ip != NULL ? o->node_ip : "127.0.0.1");
    a->pod_cidr = copy(o->pod_cidr);
    a->cluster_dns = copy(o->cluster_dns);
    a->cluster_domain = copy(o->cluster_domain);
    a->labels = copy_labels(o->labels);
    a->hollow = o->hollow;
    a->max_pods = o->max_pods > 0 ? o->max_pods : DEFAULT_MAX_PODS;
    a->cpu_millis = o->cpu_millis;
    a->memory_bytes = o->memory_bytes;
    a->lease_ms = o->lease_ms > 0 ? o->lease_ms : 10000;
    a->status_ms = o->status_ms > 0 ? o->status_ms : 300000;
    a->port = DEFAULT_PORT;
}

static int open_runtime(struct agent *a, const struct agent_opts *o, struct errbuf *err)
{
    struct runtime_oci_opts ro = {
        .loop = o->loop, .root_dir = o->root_dir, .run_dir = o->run_dir, .cgroup_parent = o->cgroup_parent,
        .cluster_cidr = o->cluster_cidr,
    };
    struct runtime_hollow_opts ho = { .loop = o->loop };
    int rc = 0;

    if (o->runtime != NULL) {
        a->rt = o->runtime;
    } else if (o->hollow) {
        a->rt = runtime_hollow_new(&ho);
    } else {
        if ((rc = file_mkdirs(o->root_dir, 0700, err)) != 0 || (rc = file_mkdirs(o->run_dir, 0700, err)) != 0)
            return rc;
        rc = runtime_oci_open(&ro, &a->rt, err);
    }
    if (rc != 0)
        return err_wrap(err, rc, "container runtime");
    runtime_set_events(a->rt, &agent_runtime_events, a);
    return o->pod_cidr != NULL ? a->rt->ops->set_pod_cidr(a->rt, o->pod_cidr, err) : 0;
}

static int open_server(struct agent *a, const struct agent_opts *o, struct errbuf *err)
{
    struct arena t = ARENA_INIT;
    int rc = 0;

    if (o->tls != NULL) {
        struct str addr = o->listen_addr != NULL ? str_of(o->listen_addr)
                                                 : arena_fmt(&t, "%s:%d", a->node_ip, DEFAULT_PORT);
        rc = agent_server_open(a, addr.p, o->tls, err);
        if (rc == 0) {
            const char *colon = strrchr(http_server_addr(a->server), ':');
            uint64_t port;
            if (colon != NULL && str_u64(str_of(colon + 1), &port))
                a->port = (unsigned)port;
        }
    }
    arena_release(&t);
    return rc != 0 ? err_wrap(err, rc, "the node's server") : 0;
}

int agent_open(const struct agent_opts *o, struct agent **ret, struct errbuf *err)
{
    struct agent *a = mem_new(struct agent);
    int rc;

    agent_init(a, o);
    if ((rc = open_runtime(a, o, err)) != 0 || (rc = open_server(a, o, err)) != 0)
        return rc;                               /* the program ends: what was opened goes with it */
    read_machine(a);
    a->events = event_recorder_new(o->client, "kubelet", a->name);
    a->sources = sources_new(o->client);
    a->report = node_report_start(a);
    if (!a->hollow)
        a->log_keeper = log_keeper_start(a->loop, a->rt, 0);
    import_images(a, o->image_dir);
    *ret = a;
    return 0;
}

const char *agent_addr(struct agent *a) { return a->server != NULL ? http_server_addr(a->server) : ""; }

static void agent_free(struct agent *a)
{
    for (size_t i = 0; a->labels[i] != NULL; i++)
        mem_free(a->labels[i]);
    mem_free(a->labels);
    mem_free(a->name);
    mem_free(a->root_dir);
    mem_free(a->run_dir);
    mem_free(a->node_ip);
    mem_free(a->pod_cidr);
    mem_free(a->cluster_dns);
    mem_free(a->cluster_domain);
    map_release(&a->pods);
    mem_free(a);
}

/* The runtime is closed and nothing comes back from the thread pool any more. */
static void agent_gone(struct agent *a)
{
    void (*done)(void *) = a->closed;
    void *closed_arg = a->closed_arg;

    agent_free(a);
    done(closed_arg);
}

static void on_runtime_closed(void *arg)
{
    struct agent *a = arg;

    a->runtime_closed = true;
    if (a->n_work == 0)
        agent_gone(a);
}

void agent_work_done(struct agent *a)
{
    must(a->n_work > 0);
    if (--a->n_work == 0 && a->runtime_closed)
        agent_gone(a);
}

static void close_rest(struct agent *a) { a->rt->ops->close(a->rt, on_runtime_closed, a); }

/* The pods' machines go, what they run stays. */
static void agent_stop_watching(struct agent *a)
{
    struct str uid;
    void *p;

    a->closing = true;
    log_keeper_stop(a->log_keeper);
    a->log_keeper = NULL;
    if (a->server != NULL)
        agent_server_close(a);
    node_report_stop(a->report);
    informer_stop(a->pod_informer);
    a->report = NULL;
    a->pod_informer = NULL;
    for (size_t it = 0; map_next(&a->pods, &it, &uid, &p);) {
        map_del(&a->pods, uid);
        pod_free(p);
    }
    sources_free(a->sources);
    event_recorder_free(a->events);
}

void agent_close(struct agent *a, void (*done)(void *arg), void *arg)
{
    a->closed = done;
    a->closed_arg = arg;
    agent_stop_watching(a);
    close_rest(a);
}

struct purge { struct rt_req req; struct agent *a; };

static void on_purged(struct rt_req *r, int status)
{
    struct purge *p = container_of(r, struct purge, req);
    struct agent *a = p->a;

    if (status != 0)
        log_warn("node", "not everything could be removed: %s", r->err.s);
    mem_free(p);
    close_rest(a);
}

void agent_purge(struct agent *a, void (*done)(void *arg), void *arg)
{
    struct purge *p = mem_new(struct purge);

    a->closed = done;
    a->closed_arg = arg;
    agent_stop_watching(a);
    p->a = a;
    p->req.done = on_purged;
    a->rt->ops->purge(a->rt, &p->req);
}
