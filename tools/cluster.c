/* tools/cluster.c: names, places and numbers of a cluster on this machine; see tools/cluster.h. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "api/json.h"
#include "tools/cluster.h"
#include "tools/flags.h"
#include "node/files.h"

#define FIRST_NET       88
#define FIRST_API_PORT  6443
#define FIRST_PEER_PORT 2380
#define FIRST_ETCD_PORT 2379
#define ETCD_PORTS_STEP 10
#define PORTS_STEP      17
#define PORTS_END       32768                    /* where those begin that the system gives */
#define NUMBERS_WAIT_MS 10000

static const char *text(struct cluster_text *t, const char *prefix, const char *fmt, va_list ap)
{
    int n = snprintf(t->s, sizeof t->s, "%s", prefix);

    must(n >= 0 && (size_t)n < sizeof t->s);
    must(vsnprintf(t->s + n, sizeof t->s - (size_t)n, fmt, ap) >= 0);
    return t->s;
}

const char *cluster_path(const struct cluster *c, struct cluster_text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    text(t, c->data, fmt, ap);
    va_end(ap);
    return t->s;
}

const char *cluster_run_path(const struct cluster *c, struct cluster_text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    text(t, c->run, fmt, ap);
    va_end(ap);
    return t->s;
}

static const char *format(struct cluster_text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static const char *format(struct cluster_text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    text(t, "", fmt, ap);
    va_end(ap);
    return t->s;
}

const char *cluster_bridge(const struct cluster *c, struct cluster_text *t)
{
    return format(t, "cor-%s", c->name);
}
const char *cluster_cgroup(const struct cluster *c, struct cluster_text *t)
{
    return format(t, "/coracle-%s", c->name);
}
const char *cluster_gateway(const struct cluster *c, struct cluster_text *t)
{
    return format(t, "10.%u.0.1", c->net);
}

const char *cluster_netns(const struct cluster *c, struct cluster_text *t, unsigned node)
{
    return format(t, "coracle-%s-node-%u", c->name, node);
}

const char *cluster_node_ip(const struct cluster *c, struct cluster_text *t, unsigned node)
{
    return format(t, "10.%u.1.%u", c->net, node);
}

int cluster_init(struct cluster *c, const char *name, const char *data, struct errbuf *err)
{
    char cwd[400];

    if (strlen(name) == 0 || strlen(name) > CLUSTER_NAME_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name) || name[0] == '-')
        return err_set(err, E_INVALID, "--name %s: at most %d lowercase letters, digits and dashes", name,
                       CLUSTER_NAME_MAX);
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->run, sizeof c->run, "/run/coracle/%s", name);
    c->keep = data != NULL;
    if (data == NULL)
        snprintf(c->data, sizeof c->data, "/var/lib/coracle/%s", name);
    else if (data[0] == '/')
        snprintf(c->data, sizeof c->data, "%.*s", (int)sizeof c->data - 1, data);
    else if (getcwd(cwd, sizeof cwd) != NULL && strlen(cwd) + strlen(data) + 2 < sizeof c->data)
        snprintf(c->data, sizeof c->data, "%.390s/%.100s", cwd, data);
    else
        return err_set(err, E_TOOBIG, "--data %s: the path is too long", data);
    return 0;
}

/* ---- Numbers: free ports, a free network ------------------------------------------------------------ */

static unsigned try_port(unsigned port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    socklen_t len = sizeof a;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned got = 0;

    if (fd < 0)
        return 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        got = ntohs(a.sin_port);
    close(fd);
    return got;
}

/* A head that was killed finds its port again: no other cluster chooses it while this process lives.  Held by
 * an abstract name, which nothing can leave behind.  False: somebody holds it. */
static bool hold_port(unsigned port)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "coracle-port-%u", port);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0)
        return true;                             /* open until this process ends */
    if (fd >= 0)
        close(fd);
    return false;
}

static bool take_port(unsigned port)
{
    return try_port(port) == port && hold_port(port);
}

static bool port_chosen(const struct cluster *c, unsigned port)
{
    for (unsigned i = 0; i < CLUSTER_MAX_HEADS; i++)
        if (c->api_port[i] == port || c->peer_port[i] == port || c->etcd_port[i] == port)
            return true;
    return false;
}

/* The usual port if it is free, else one above.  Not any that the system would give: those are also given to
 * outgoing connections, and would be gone when a head that was killed comes back. */
static unsigned free_port(const struct cluster *c, unsigned wanted)
{
    for (unsigned port = wanted; port < PORTS_END; port += PORTS_STEP)
        if (!port_chosen(c, port) && take_port(port))
            return port;
    return 0;
}

static bool net_taken(unsigned net)
{
    struct ifaddrs *list;
    bool taken = false;

    if (getifaddrs(&list) != 0)
        return false;
    for (struct ifaddrs *i = list; i != NULL && !taken; i = i->ifa_next) {
        if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET)
            continue;
        uint32_t a = ntohl(((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr.s_addr);
        taken = a >> 16 == (10u << 8 | net);
    }
    freeifaddrs(list);
    return taken;
}

int cluster_numbers_lock(void)
{
    const struct timespec nap = { .tv_nsec = 10 * 1000000 };
    int fd = open("/run/coracle/numbers.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    for (int waited_ms = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && waited_ms < NUMBERS_WAIT_MS;
         waited_ms += 10)
        nanosleep(&nap, NULL);
    return fd;
}

/* After all others: the usual ports of etcd and of its peers are neighbours. */
static int choose_etcd_ports(struct cluster *c, struct errbuf *err)
{
    for (unsigned i = 0; i < c->n_heads; i++) {
        if (c->etcd_port[i] == 0)
            c->etcd_port[i] = free_port(c, FIRST_ETCD_PORT + i * ETCD_PORTS_STEP);
        if (c->etcd_port[i] == 0)
            return err_set(err, E_FULL, "no free port for etcd's API of head %u", i + 1);
    }
    return 0;
}

static int choose_numbers(struct cluster *c, struct errbuf *err)
{
    for (c->net = FIRST_NET; c->net < 250 && net_taken(c->net); c->net++) { }
    if (c->net == 250)
        return err_set(err, E_FULL, "no network between 10.%d.0.0/16 and 10.249.0.0/16 is free", FIRST_NET);
    for (unsigned i = 0; i < c->n_heads; i++) {
        c->api_port[i] = free_port(c, FIRST_API_PORT + i);
        c->peer_port[i] = free_port(c, FIRST_PEER_PORT + i);
        if (c->api_port[i] == 0 || c->peer_port[i] == 0)
            return err_set(err, E_FULL, "no free port for head %u", i + 1);
    }
    return choose_etcd_ports(c, err);
}

/* ---- cluster.json --------------------------------------------------------------------------------- */

static int save(const struct cluster *c, struct errbuf *err)
{
    struct cluster_text path;
    struct buf b = BUF_INIT;
    int rc;

    buf_fmt(&b, "{\"name\":\"%s\",\"heads\":%u,\"net\":%u,\"ports\":[", c->name, c->n_heads, c->net);
    for (unsigned i = 0; i < c->n_heads; i++)
        buf_fmt(&b, "%s{\"api\":%u,\"peer\":%u,\"etcd\":%u}", i > 0 ? "," : "", c->api_port[i],
                c->peer_port[i], c->etcd_port[i]);
    buf_z(&b, "]}\n");
    rc = file_replace(cluster_path(c, &path, "/cluster.json"), buf_str(&b), 0600, true, err);
    buf_release(&b);
    return rc;
}

static int load_from(struct cluster *c, const struct json *j, struct errbuf *err)
{
    int64_t heads = json_path_i64(j, "heads", 0);

    if (heads < 1 || heads > CLUSTER_MAX_HEADS || json_path_i64(j, "net", 0) < 1)
        return err_set(err, E_CORRUPT, "%s/cluster.json makes no sense; remove the directory to start anew",
                       c->data);
    if ((unsigned)heads != c->n_heads)
        return err_set(err, E_CONFLICT, "the cluster in %s has %d heads: say --heads %d", c->data, (int)heads,
                       (int)heads);
    c->net = (unsigned)json_path_i64(j, "net", 0);
    for (unsigned i = 0; i < c->n_heads; i++) {
        const struct json *p = json_at(json_getz(j, "ports"), i);
        c->api_port[i] = (unsigned)json_path_i64(p, "api", 0);
        c->peer_port[i] = (unsigned)json_path_i64(p, "peer", 0);
        c->etcd_port[i] = (unsigned)json_path_i64(p, "etcd", 0);
        if (!take_port(c->api_port[i]) || !take_port(c->peer_port[i]) ||
            (c->etcd_port[i] != 0 && !take_port(c->etcd_port[i])))
            return err_set(err, E_EXISTS, "port %u, %u or %u of head %u is in use", c->api_port[i],
                           c->peer_port[i], c->etcd_port[i], i + 1);
    }
    if (choose_etcd_ports(c, err) != 0)          /* state that was made before heads served etcd's API */
        return E_FULL;
    return net_taken(c->net) ? err_set(err, E_EXISTS, "network 10.%u.0.0/16 is in use", c->net) : 0;
}

static int load(struct cluster *c, struct errbuf *err)
{
    struct cluster_text path;
    struct json_error jerr;
    struct buf b = BUF_INIT;
    struct arena a = ARENA_INIT;
    struct json *j;
    int rc = file_read(cluster_path(c, &path, "/cluster.json"), TOOLS_FILE_MAX, &b, err);

    if (rc == 0)
        rc = json_parse(&a, buf_str(&b), &j, &jerr) == 0
                 ? load_from(c, j, err)
                 : err_set(err, E_CORRUPT, "%s: %s", path.s, jerr.text);
    arena_release(&a);
    buf_release(&b);
    return rc;
}

int cluster_prepare(struct cluster *c, struct errbuf *err)
{
    struct cluster_text path;
    int rc;

    if ((rc = file_mkdirs(c->data, 0700, err)) != 0 || (rc = file_mkdirs(c->run, 0700, err)) != 0)
        return rc;
    if ((rc = file_mkdirs(cluster_path(c, &path, "/pki"), 0700, err)) != 0 ||
        (rc = file_mkdirs(cluster_path(c, &path, "/images"), 0700, err)) != 0)
        return rc;
    if (access(cluster_path(c, &path, "/cluster.json"), F_OK) == 0)
        return load(c, err);
    rc = choose_numbers(c, err);
    return rc == 0 ? save(c, err) : rc;
}
