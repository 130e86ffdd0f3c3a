/* node/pod_sandbox.c: the pod's sandbox as its spec asks for it, made and ended. */
#include <stdio.h>
#include "api/quantity.h"
#include "node/files.h"
#include "node/pod.h"

#define MEMO_MAX        (64u << 10)              /* of a sandbox: the runtime keeps no more */
#define RESOLV_CONF_MAX (64u << 10)              /* of the host's, read at all */

/* A request that may outlive its pod: it knows the pod by uid. */
struct making { struct rt_sandbox_create r; struct arena arena; struct agent *agent; char *uid; };

static struct pod *pod_by_uid(struct agent *a, const char *uid) { return map_get(&a->pods, str_of(uid)); }

static void on_sandbox(struct rt_req *r, int status)
{
    struct making *m = container_of(container_of(r, struct rt_sandbox_create, req), struct making, r);
    struct pod *p = pod_by_uid(m->agent, m->uid);

    if (p != NULL && p->making == &m->r)
        pod_on_sandbox_made(p, &m->r, status);
    arena_release(&m->arena);
    mem_free(m->uid);
    mem_free(m);
}

/* ---- What it asks for ----------------------------------------------------------------------- */

/* What runs at once: all main containers with the sidecars; or an init container with the sidecars before it.
 * -1: without bound (or nothing asked for, which is 0). */
int64_t pod_amount(const struct pod *p, container_resources_fn *resources, const char *path, bool milli,
                   bool limit)
{
    int64_t sidecars = 0, most = 0, all;
    struct quantity q;

    for (unsigned i = 0; i < p->n_containers; i++) {
        const struct container *c = &p->containers[i];
        const struct json *v = json_path(resources(c), path);
        bool given = v != NULL && quantity_from_json(v, &q, NULL) == 0;
        int64_t n = !given ? 0 : milli ? quantity_milli(q) : quantity_value(q);
        if (limit && n <= 0)
            return -1;
        if (i < p->n_init && !c->sidecar)
            most = MAX_OF(most, sidecars + n);
        else
            sidecars += n;                       /* at the end: with the main containers */
    }
    all = MAX_OF(most, sidecars);
    return all;
}

static int64_t granted(const struct pod *p, const char *path, bool milli, bool limit)
{
    return pod_amount(p, container_resources, path, milli, limit);
}

struct rt_resources pod_limits(const struct pod *p)
{
    int64_t cpu = granted(p, "requests.cpu", true, false), limit = granted(p, "limits.cpu", true, true);
    int64_t memory = granted(p, "limits.memory", false, true);
    struct rt_resources r = { .cpu_shares = (uint64_t)MAX_OF(MIN_OF(cpu * 1024 / 1000, 262144), 2) };

    if (limit > 0) {
        r.cpu_period_us = 100000;
        r.cpu_quota_us = MAX_OF(limit * 100, 1000);
    }
    if (memory > 0)
        r.memory_bytes = memory;
    return r;
}

/* The three lines of a resolv.conf, each in the making. */
struct resolver { struct buf search, servers, options; };

/* What the node itself uses. */
static void add_host_resolver(struct resolver *r)
{
    struct buf text = BUF_INIT;
    struct str rest, line, word;

    file_read("/etc/resolv.conf", RESOLV_CONF_MAX, &text, NULL);
    rest = buf_str(&text);
    while (str_split(&rest, '\n', &line)) {
        if (!str_split(&line, ' ', &word))
            continue;
        if (str_is(word, "nameserver"))
            buf_fmt(&r->servers, "nameserver %.*s\n", STR_ARG(line));
        else if (str_is(word, "search"))
            buf_fmt(&r->search, " %.*s", STR_ARG(line));
        else if (str_is(word, "options"))
            buf_fmt(&r->options, " %.*s", STR_ARG(line));
    }
    buf_release(&text);
}

static void add_dns_config(struct resolver *r, const struct json *config)
{
    json_each(s, json_getz(config, "searches"))
        buf_fmt(&r->search, " %.*s", STR_ARG(json_str(s)));
    json_each(n, json_getz(config, "nameservers"))
        buf_fmt(&r->servers, "nameserver %.*s\n", STR_ARG(json_str(n)));
    json_each(o, json_getz(config, "options")) {
        struct str v = json_path_str(o, "value");
        buf_fmt(&r->options, " %.*s%s%.*s", STR_ARG(json_path_str(o, "name")), v.n > 0 ? ":" : "",
                STR_ARG(v));
    }
}

static const char *resolv_conf(const struct pod *p, struct arena *a)
{
    struct str policy = json_path_str(p->json, "spec.dnsPolicy"), text;
    const struct json *config = json_path(p->json, "spec.dnsConfig");
    const struct agent *ag = p->agent;
    bool none = str_is(policy, "None"),
         cluster = ag->cluster_dns != NULL && !str_is(policy, "Default") && !none
                   && (!pod_is_host_network(p) || str_is(policy, "ClusterFirstWithHostNet"));
    const char *domain = ag->cluster_domain != NULL ? ag->cluster_domain : "cluster.local";
    struct resolver r = { BUF_INIT, BUF_INIT, BUF_INIT };

    if (!cluster && !none && json__first(config) == NULL)
        return NULL;                             /* the host's as it is */
    if (cluster) {
        buf_fmt(&r.search, " %s.svc.%s svc.%s %s", p->ns, domain, domain, domain);
        buf_fmt(&r.servers, "nameserver %s\n", ag->cluster_dns);
        buf_z(&r.options, " ndots:5");
    } else if (!none) {
        add_host_resolver(&r);
    }
    add_dns_config(&r, config);
    text =
        arena_fmt(a, "%s%.*s%s%.*s%s%.*s%s", r.search.n > 0 ? "search" : "", STR_ARG(buf_str(&r.search)),
                  r.search.n > 0 ? "\n" : "", STR_ARG(buf_str(&r.servers)), r.options.n > 0 ? "options" : "",
                  STR_ARG(buf_str(&r.options)), r.options.n > 0 ? "\n" : "");
    buf_release(&r.search);
    buf_release(&r.servers);
    buf_release(&r.options);
    return text.p;
}

static const char *extra_hosts(const struct pod *p, struct arena *a)
{
    struct buf b = BUF_INIT;

    json_each(h, json_path(p->json, "spec.hostAliases")) {
        buf_str_add(&b, json_path_str(h, "ip"));
        json_each(n, json_getz(h, "hostnames"))
            buf_fmt(&b, "\t%.*s", STR_ARG(json_str(n)));
        buf_char(&b, '\n');
    }
    struct str s = b.n > 0 ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_release(&b);
    return s.p;
}

static void fill_ports(const struct pod *p, struct rt_sandbox_create *r, struct arena *a)
{
    size_t n = 0;

    for (unsigned i = 0; i < p->n_containers; i++)
        json_each(port, json_getz(p->containers[i].spec, "ports"))
            n += json_path_i64(port, "hostPort", 0) > 0;
    if (n == 0 || pod_is_host_network(p))
        return;
    struct rt_port *v = arena_zalloc(a, n * sizeof *v);
    r->ports = v;
    for (unsigned i = 0; i < p->n_containers; i++)
        json_each(port, json_getz(p->containers[i].spec, "ports")) {
            struct str proto = json_path_str(port, "protocol"), ip = json_path_str(port, "hostIP");
            if (json_path_i64(port, "hostPort", 0) <= 0)
                continue;
            v[r->n_ports++] = (struct rt_port){ (uint16_t)json_path_i64(port, "hostPort", 0),
                                                (uint16_t)json_path_i64(port, "containerPort", 0),
                                                str_is(proto, "UDP")    ? "udp"
                                                : str_is(proto, "SCTP") ? "sctp"
                                                                        : "tcp",
                                                ip.n > 0 ? arena_cstr(a, ip) : NULL };
        }
}

static void fill_sysctls(const struct pod *p, struct rt_sandbox_create *r, struct arena *a)
{
    const struct json *list = json_path(p->json, "spec.securityContext.sysctls");
    struct rt_sysctl *v = arena_zalloc(a, ((list != NULL ? list->n : 0) + 1) * sizeof *v);

    json_each(s, list) v[r->n_sysctls++] = (struct rt_sysctl){ arena_cstr(a, json_path_str(s, "name")),
                                                               arena_cstr(a, json_path_str(s, "value")) };
    r->sysctls = v;
}

/* The pod's object goes along, so that an agent that restarts can stop what the API has forgotten meanwhile.
 */
static struct str sandbox_memo(const struct pod *p, struct arena *a)
{
    struct buf b = BUF_INIT;
    struct str s;

    json_write(&b, p->json);
    s = b.n <= MEMO_MAX ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_release(&b);
    return s;
}

void pod_sandbox_make(struct pod *p)
{
    struct making *m = mem_new(struct making);
    struct str hostname = json_path_str(p->json, "spec.hostname"),
               subdomain = json_path_str(p->json, "spec.subdomain");
    struct rt_sandbox_create *r = &m->r;

    arena_init(&m->arena);
    m->agent = p->agent;
    m->uid = mem_strdup(p->uid);
    if (hostname.n == 0)
        hostname = str_of(p->name);
    hostname.n = MIN_OF(hostname.n, (size_t)63);
    while (hostname.n > 1 && (hostname.p[hostname.n - 1] == '-' || hostname.p[hostname.n - 1] == '.'))
        hostname.n--;
    r->req.done = on_sandbox;
    r->pod_uid = arena_cstr(&m->arena, str_of(p->uid));
    r->pod_name = arena_cstr(&m->arena, str_of(p->name));
    r->pod_namespace = arena_cstr(&m->arena, str_of(p->ns));
    r->attempt = p->sandbox_attempt++;
    r->hostname = arena_cstr(&m->arena, hostname);
    if (subdomain.n > 0)
        r->domain = arena_fmt(&m->arena, "%.*s.%s.svc.%s", STR_ARG(subdomain), p->ns,
                              p->agent->cluster_domain != NULL ? p->agent->cluster_domain : "cluster.local")
                        .p;
    r->host_network = pod_is_host_network(p);
    r->host_pid = json_path_true(p->json, "spec.hostPID");
    r->host_ipc = json_path_true(p->json, "spec.hostIPC");
    r->share_pid = json_path_true(p->json, "spec.shareProcessNamespace");
    r->resolv_conf = resolv_conf(p, &m->arena);
    r->extra_hosts = extra_hosts(p, &m->arena);
    r->resources = pod_limits(p);
    fill_ports(p, r, &m->arena);
    fill_sysctls(p, r, &m->arena);
    r->memo = sandbox_memo(p, &m->arena);
    p->making = r;
    p->agent->rt->ops->sandbox_create(p->agent->rt, r);
}

/* ---- The end -------------------------------------------------------------------------------- */

struct ending { struct rt_by_id r; struct agent *agent; char *uid; char id[65]; bool remove; };

static void on_ended(struct rt_req *r, int status)
{
    struct ending *t = container_of(container_of(r, struct rt_by_id, req), struct ending, r);
    struct pod *p = pod_by_uid(t->agent, t->uid);

    if (p != NULL && p->removing == &t->r) {
        p->removing = NULL;
        pod_on_sandbox_end(p, t->id, t->remove, status, r->err.s);
    }
    mem_free(t->uid);
    mem_free(t);
}

void pod_sandbox_end(struct pod *p, const char *id, bool remove)
{
    struct ending *t = mem_new(struct ending);
    const struct runtime_ops *ops = p->agent->rt->ops;

    must(p->removing == NULL);
    t->agent = p->agent;
    t->uid = mem_strdup(p->uid);
    t->remove = remove;
    snprintf(t->id, sizeof t->id, "%s", id);
    t->r = (struct rt_by_id){ .req = { .done = on_ended }, .id = t->id };
    p->removing = &t->r;
    (remove ? ops->sandbox_remove : ops->sandbox_stop)(p->agent->rt, &t->r);
}
