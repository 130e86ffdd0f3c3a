/* node/cni.c: see cni.h. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "api/json.h"
#include "net/proc.h"
#include "node/cni.h"
#include "node/files.h"
#include "node/masquerade.h"
#include "node/routes.h"

enum { PLUGIN_TIMEOUT_MS = 30000, RESULT_MAX = 256 << 10 };
static const char network_name[] = "coracle", cni_version[] = "0.4.0";

struct cni {
    struct loop *loop;
    char *plugin_dir, *state_dir, *bridge, *cidr, *cluster_cidr;
};

/* One ADD or DEL: the bridge, then (ADD) or before (DEL) portmap when the pod has host ports. */
struct cni_run {
    struct cni *cni;
    struct cni_request *req;
    bool add, portmap;                           /* portmap: the plugin that runs now */
    struct buf result;                           /* of the bridge, for portmap's prevResult */
    struct ready_item failed;
    int status;
};

static void run_next(struct cni_run *r, const char *plugin);

int cni_open(const struct cni_opts *o, struct cni **ret, struct errbuf *err)
{
    const char *dir = o->plugin_dir;
    struct ip4_net net;
    int rc = file_mkdirs(o->state_dir, 0700, err);

    if (rc == 0 && o->cluster_cidr != NULL)
        rc = ip4_net_parse(o->cluster_cidr, &net, err);
    if (rc < 0)
        return rc;
    if (dir == NULL)
        dir = file_exists("/usr/lib/cni/bridge") ? "/usr/lib/cni" : "/opt/cni/bin";
    struct cni *c = mem_new(struct cni);
    c->loop = o->loop;
    c->plugin_dir = mem_strdup(dir);
    c->state_dir = mem_strdup(o->state_dir);
    c->bridge = mem_strdup(o->bridge != NULL ? o->bridge : "cni0");
    if (o->cluster_cidr != NULL)
        c->cluster_cidr = mem_strdup(o->cluster_cidr);
    *ret = c;
    return 0;
}

void cni_close(struct cni *c)
{
    if (c == NULL)
        return;
    mem_free(c->plugin_dir);
    mem_free(c->state_dir);
    mem_free(c->bridge);
    mem_free(c->cidr);
    mem_free(c->cluster_cidr);
    mem_free(c);
}

int cni_set_cidr(struct cni *c, const char *cidr, struct errbuf *err)
{
    struct ip4_net net;
    int rc = ip4_net_parse(cidr, &net, err);

    if (rc == 0) {
        mem_free(c->cidr);
        c->cidr = mem_strdup(cidr);
        if (c->cluster_cidr != NULL)
            masquerade_set(c->loop, c->cidr, c->cluster_cidr);
    }
    return rc;
}

bool cni_ready(const struct cni *c)
{
    return c->cidr != NULL;
}

/* ---- what plugins read ------------------------------------------------------------------------ */

static struct json *conf_head(struct arena *a, const char *type)
{
    struct json *o = json_object(a);

    json_setz(a, o, "cniVersion", json_string(a, str_of(cni_version)));
    json_setz(a, o, "name", json_string(a, str_of(network_name)));
    json_setz(a, o, "type", json_string(a, str_of(type)));
    return o;
}

static void bridge_conf(struct arena *a, const struct cni *c, struct buf *out)
{
    struct json *o = conf_head(a, "bridge"), *ipam, *range, *route;

    json_setz(a, o, "bridge", json_string(a, str_of(c->bridge)));
    json_setz(a, o, "isGateway", json_bool(a, true));
    json_setz(a, o, "hairpinMode", json_bool(a, true));
    ipam = json_setz(a, o, "ipam", json_object(a));
    json_setz(a, ipam, "type", json_string(a, STR("host-local")));
    json_setz(a, ipam, "dataDir", json_string(a, str_of(c->state_dir)));
    range = json_push(json_push(json_setz(a, ipam, "ranges", json_array(a)), json_array(a)), json_object(a));
    json_setz(a, range, "subnet", json_string(a, str_of(c->cidr != NULL ? c->cidr : "127.0.0.0/30")));
    route = json_push(json_setz(a, ipam, "routes", json_array(a)), json_object(a));
    json_setz(a, route, "dst", json_string(a, STR("0.0.0.0/0")));
    json_write(out, o);
}

static void portmap_conf(struct arena *a, const struct cni_run *r, struct buf *out)
{
    struct json *o = conf_head(a, "portmap"), *list, *prev, *p;
    struct json_error je;

    json_setz(a, json_setz(a, o, "capabilities", json_object(a)), "portMappings", json_bool(a, true));
    json_setz(a, o, "snat", json_bool(a, true));
    if (r->result.n > 0 && json_parse(a, buf_str(&r->result), &prev, &je) == 0)
        json_setz(a, o, "prevResult", prev);
    list = json_setz(a, json_setz(a, o, "runtimeConfig", json_object(a)), "portMappings", json_array(a));
    for (size_t i = 0; i < r->req->n_ports; i++) {
        const struct rt_port *port = &r->req->ports[i];
        p = json_push(list, json_object(a));
        json_setz(a, p, "hostPort", json_int(a, port->host_port));
        json_setz(a, p, "containerPort", json_int(a, port->container_port));
        json_setz(a, p, "protocol", json_string(a, str_of(port->protocol != NULL ? port->protocol : "tcp")));
        if (port->host_ip != NULL && *port->host_ip != '\0')
            json_setz(a, p, "hostIP", json_string(a, str_of(port->host_ip)));
    }
    json_write(out, o);
}

/* ---- what they answer ------------------------------------------------------------------------- */

static void run_finish(struct cni_run *r, int status)
{
    struct cni_request *req = r->req;

    buf_release(&r->result);
    mem_free(r);
    req->req.done(&req->req, status);
}

static int plugin_failure(struct cni_run *r, const char *plugin, const struct proc_run_result *res)
{
    struct arena a = ARENA_INIT;
    struct json_error je;
    struct json *doc;
    struct str why = STR_NONE, text = str_trim(res->out);

    if (json_parse(&a, text, &doc, &je) == 0)
        why = json_str(json_getz(doc, "msg"));
    if (why.n == 0)
        why = str_trim(res->err.n > 0 ? res->err : text);
    int rc = err_set(&r->req->req.err, E_CHILD, "network plugin %s: %.*s", plugin,
                     res->timed_out ? 9 : (int)MIN_OF(why.n, 180),
                     res->timed_out ? "timed out" : why.n > 0 ? why.p : "");
    arena_release(&a);
    return rc;
}

/* The pod's first address. */
static int take_address(struct cni_run *r)
{
    struct arena a = ARENA_INIT;
    struct json_error je;
    struct json *doc;
    int rc = 0;

    if (json_parse(&a, buf_str(&r->result), &doc, &je) < 0) {
        rc = err_set(&r->req->req.err, E_CHILD, "network plugin bridge: result: %s", je.text);
    } else {
        struct str addr = json_path_str(doc, "ips.0.address");
        ptrdiff_t slash = str_find(addr, '/');
        if (slash > 0)
            addr = str_upto(addr, (size_t)slash);
        if (addr.n == 0 || addr.n >= sizeof r->req->ip)
            rc = err_set(&r->req->req.err, E_CHILD, "network plugin bridge: result without an address");
        else
            snprintf(r->req->ip, sizeof r->req->ip, "%.*s", STR_ARG(addr));
    }
    arena_release(&a);
    return rc;
}

static void run_on_done(void *arg, const struct proc_run_result *res)
{
    struct cni_run *r = arg;
    int rc = res->status != 0 || res->timed_out ? plugin_failure(r, r->portmap ? "portmap" : "bridge",
        res) : 0;

    if (rc == 0 && r->add && !r->portmap) {
        buf_str_add(&r->result, res->out);
        rc = take_address(r);
    }
    if (rc == 0 && r->req->n_ports > 0 && r->add && !r->portmap)
        run_next(r, "portmap");
    else if (rc == 0 && !r->add && r->portmap)
        run_next(r, "bridge");
    else
        run_finish(r, rc);
}

static void run_on_failed(struct ready_item *it)
{
    struct cni_run *r = container_of(it, struct cni_run, failed);
    run_finish(r, r->status);
}

static void run_next(struct cni_run *r, const char *plugin)
{
    struct cni *c = r->cni;
    struct arena a = ARENA_INIT;
    struct buf in = BUF_INIT;

    r->portmap = strcmp(plugin, "portmap") == 0;
    const char *argv[] = { arena_fmt(&a, "%s/%s", c->plugin_dir, plugin).p, NULL };
    const char *env[] = {
        r->add ? "CNI_COMMAND=ADD" : "CNI_COMMAND=DEL",
        arena_fmt(&a, "CNI_CONTAINERID=%s", r->req->id).p,
        arena_fmt(&a, "CNI_NETNS=%s", r->req->netns).p,
        "CNI_IFNAME=eth0",
        arena_fmt(&a, "CNI_PATH=%s", c->plugin_dir).p,
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        NULL,
    };
    if (r->portmap)
        portmap_conf(&a, r, &in);
    else
        bridge_conf(&a, c, &in);
    struct proc_run_opts o = { .argv = argv, .env = env, .in = buf_str(&in), .max_out = RESULT_MAX,
                               .timeout_ms = PLUGIN_TIMEOUT_MS, .done = run_on_done, .arg = r };
    r->status = proc_run(c->loop, &o, NULL, &r->req->req.err);
    if (r->status < 0)
        ready_post(c->loop, &r->failed);
    buf_release(&in);
    arena_release(&a);
}

static struct cni_run *run_new(struct cni *c, struct cni_request *req, bool add)
{
    struct cni_run *r = mem_new(struct cni_run);

    r->cni = c;
    r->req = req;
    r->add = add;
    ready_init(&r->failed, run_on_failed);
    return r;
}

void cni_add(struct cni *c, struct cni_request *req)
{
    struct cni_run *r = run_new(c, req, true);

    req->ip[0] = '\0';
    if (cni_ready(c)) {
        run_next(r, "bridge");
        return;
    }
    r->status = err_set(&req->req.err, E_AGAIN, "the node has no pod CIDR yet");
    ready_post(c->loop, &r->failed);
}

void cni_del(struct cni *c, struct cni_request *req)
{
    run_next(run_new(c, req, false), req->n_ports > 0 ? "portmap" : "bridge");
}

/* ---- leases ----------------------------------------------------------------------------------- */

struct sweep { const char *dir; bool (*known)(void *arg, const char *id); void *arg; };

/* host-local keeps a file per address; its first line is the pod's id. */
static int sweep_one(void *arg, const char *name)
{
    struct sweep *s = arg;
    struct file_path p;
    struct buf b = BUF_INIT;
    struct str text, id;
    char z[80];

    if (name[0] < '0' || name[0] > '9' || file_path(&p, NULL, "%s/%s", s->dir, name) < 0)
        return 0;
    if (file_read(p.s, 4096, &b, NULL) == 0) {
        text = buf_str(&b);
        if (!str_split(&text, '\n', &id))
            id = STR_NONE;
        id = str_trim(id);
        snprintf(z, sizeof z, "%.*s", STR_ARG(id));
        if (!s->known(s->arg, z))
            unlink(p.s);
    }
    buf_release(&b);
    return 0;
}

void cni_sweep(struct cni *c, bool (*known)(void *arg, const char *id), void *arg)
{
    struct file_path dir;
    struct sweep s = { dir.s, known, arg };

    if (file_path(&dir, NULL, "%s/%s", c->state_dir, network_name) == 0)
        file_each(dir.s, sweep_one, &s, NULL);
}
